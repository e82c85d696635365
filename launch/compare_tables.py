#!/usr/bin/env python3
"""Two tables, from the file to answers about new rows: lockstep as README shows it beside scikit-learn's pipeline.

Usage: launch/compare_tables.py [--program build/bin/lockstep] [--ranks 2] [--seeds 5]
Needs Debian's python3-sklearn and python3-pandas. In each round a table is dealt anew to rows that train and rows that
test, the same for both. lockstep: new, import (with the rows that test), train, evaluate, predict, as they are told;
scikit-learn: imputer, one-hot columns, scaling and its MLP, with its own defaults and with lockstep's layers. Prints
scores of the rows that test, mean and standard deviation over the rounds, and seconds of wall time, processes and all.
"""
import argparse
import csv
import json
import os
import random
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SKLEARN = """
import json, sys, warnings
import pandas
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, log_loss, r2_score, roc_auc_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
warnings.filterwarnings("ignore")
train, test, answers, target, layers, seed = sys.argv[1:]
train, test = pandas.read_csv(train), pandas.read_csv(test)
texts = [c for c in train.columns if train[c].dtype == object and c != target and train[c].nunique() < len(train) / 2]
for table in (train, test):
    if "signup" in table:
        table["signup"] = (pandas.to_datetime(table["signup"]) - pandas.Timestamp("1970-01-01")).dt.days
texts = [c for c in texts if c != "signup"]
numbers = [c for c in train.columns if train[c].dtype != object and c != target]
columns = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
    (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), texts))
sizes = {"default": {}, "same": {"hidden_layer_sizes": (64, 64) if len(train) < 2000 else (128, 128)}}[layers]
is_class = train[target].dtype == object
sizes["early_stopping"] = layers == "same"
model = (MLPClassifier if is_class else MLPRegressor)(random_state=int(seed), max_iter=500, **sizes)
x, y = train.drop(columns=target), train[target]
if is_class:
    pipeline = make_pipeline(columns, model).fit(x, y)
    p = pipeline.predict_proba(test.drop(columns=target))[:, 1]
    truth = test[target] == pipeline.classes_[1]
    scores = {"auc": roc_auc_score(truth, p), "average_precision": average_precision_score(truth, p),
              "loss": log_loss(truth, p)}
else:
    mean, deviation = y.mean(), y.std()
    pipeline = make_pipeline(columns, model).fit(x, (y - mean) / deviation)
    p = pipeline.predict(test.drop(columns=target)) * deviation + mean
    scores = {"r2": r2_score(test[target], p)}
pandas.DataFrame({target: p}).to_csv(answers)
print(json.dumps(scores))
"""


def quiet(words, folder):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    environment["OPENBLAS_NUM_THREADS"] = "1" if words[0] == "mpirun" else environment.get("OPENBLAS_NUM_THREADS", "2")
    done = subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def lockstep(options, folder, target, seed):
    """Scores, and how many commands and seconds it took."""
    began = time.monotonic()
    told = quiet([options.program, "new", "train.csv", "--target", target, "--output", "table.toml", "--overwrite"], folder)
    words = shlex.split(re.search(r"lockstep (import .*)", told)[1])
    at = words.index("--split")
    words[at:at + 2] = ["--test", "test.csv"]
    quiet([options.program, *words, "--overwrite"], folder)
    quiet(["mpirun", "-n", options.ranks, options.program, "train", "table.toml", "--overwrite", "--quiet", "--set",
           f"seed={seed}"], folder)
    scores = json.loads(quiet([options.program, "evaluate", "runs/table", "--data", "test.csv", "--json"], folder))
    quiet([options.program, "predict", "runs/table", "--input", "test.csv", "--output", "answers.csv", "--overwrite"], folder)
    return scores, 5, time.monotonic() - began


def sklearn(layers):
    def run(_options, folder, target, seed):
        began = time.monotonic()
        scores = quiet([sys.executable, "-c", SKLEARN, "train.csv", "test.csv", "answers.csv", target, layers, seed], folder)
        return json.loads(scores), len([line for line in SKLEARN.splitlines() if line.strip()]), time.monotonic() - began
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/bin/lockstep", type=Path)
    parser.add_argument("--ranks", default=2, type=int)
    parser.add_argument("--seeds", default=5, type=int)
    options = parser.parse_args()
    options.program = options.program.resolve()
    customers = subprocess.run([sys.executable, ROOT / "data/customers.py", "5000"], check=True, capture_output=True).stdout
    tables = {"concrete": ((ROOT / "data/concrete.csv").read_bytes(), "compressive_strength", ["r2"]),
              "customers": (customers, "left", ["auc", "average_precision", "loss"])}
    with tempfile.TemporaryDirectory() as place:
        for name, (text, target, scores) in tables.items():
            rows = list(csv.reader(text.decode().splitlines(keepends=True)))
            header, rows = rows[0], rows[1:]
            ways = {"lockstep": lockstep, "scikit-learn, its layers": sklearn("default"),
                    "scikit-learn, the same layers": sklearn("same")}
            found = {way: [] for way in ways}
            for seed in range(1, options.seeds + 1):
                folder = Path(place) / f"{name}-{seed}"
                folder.mkdir()
                order = random.Random(seed).sample(rows, len(rows))
                cut = len(rows) * 4 // 5
                for file, part in (("train.csv", order[:cut]), ("test.csv", order[cut:])):
                    with open(folder / file, "w", encoding="utf-8", newline="") as out:
                        csv.writer(out, lineterminator="\n").writerows([header] + part)
                for way, run in ways.items():
                    found[way].append(run(options, folder, target, seed))
            print(f"{name}: {len(rows)} rows, {options.seeds} rounds")
            for way, results in found.items():
                told = ", ".join(f"{score} {statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"
                                 for score in scores if (values := [result[0][score] for result in results if score in result[0]]))
                what = "commands" if way == "lockstep" else "lines of Python"
                print(f"  {way:<30} {told}; {results[0][1]} {what}, "
                      f"{statistics.median(result[2] for result in results):.1f} s")


if __name__ == "__main__":
    main()
