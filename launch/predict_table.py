#!/usr/bin/env python3
"""How fast predict reads a table of text: makes one, trains a net on its like, and predicts it at several rank counts.

Usage: launch/predict_table.py [--program build/bin/lockstep] [--bytes 1e9] [--ranks 1,2] [--folder DIR]
The table has 20 columns of numbers and one of texts, about 175 bytes a row; the net is 64-64-1. Told: MB/s of the table
a rank, from start to end of the process; the most memory a rank had; whether all answers are the same bytes. Beside it
the rate at which one core reads and counts the lines of the same file, which nothing that looks at each byte exceeds.
Needs numpy.
"""
import argparse
import filecmp
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 20
RUN = """
[data]
train = "train.h5:/train"
normalize = "standard"
[model]
loss = "mse"
layers = [{type = "dense", units = 64}, {type = "relu"}, {type = "dense", units = 64}, {type = "relu"},
          {type = "dense", units = 1}]
[train]
batch = 256
shards = 4
"""


def run(words, folder):
    """Seconds, and KiB of the largest process that it left behind."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    began = time.monotonic()
    done = subprocess.run([str(word) for word in words], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return time.monotonic() - began


def make_tables(folder, size):
    rng = numpy.random.default_rng(0)
    x = rng.normal(size=(20000, COLUMNS))
    rows = [",".join(f"{value:.5f}" for value in row) + "," + ("red", "blue", "green")[i % 3] for i, row in enumerate(x)]
    header = ",".join(f"c{i}" for i in range(COLUMNS)) + ",color"
    block = "\n".join(rows) + "\n"
    with open(folder / "new.csv", "w", encoding="ascii") as file:
        file.write(header + "\n")
        for _ in range(max(1, int(size) // len(block))):
            file.write(block)
    answers = [f",{2 * row[0] + row[1]:.4f}" for row in x]
    (folder / "train.csv").write_text(header + ",y\n" + "\n".join(map("".join, zip(rows, answers))) + "\n", encoding="ascii")
    (folder / "run.toml").write_text(RUN, encoding="ascii")


def memory_of_ranks(words, folder):
    """MB: the most that one rank had resident, by /usr/bin/time of each."""
    log = folder / "memory.txt"
    log.unlink(missing_ok=True)
    at = words.index(next(word for word in words if str(word).endswith("lockstep")))
    run([*words[:at], "/usr/bin/env", "python3", "-c", MEASURE, log, *words[at:]], folder)
    return max(int(line) for line in log.read_text(encoding="ascii").split()) / 1024


MEASURE = """
import os, resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
with open(sys.argv[1], "a") as log:
    log.write(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\\n")
sys.exit(code)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/bin/lockstep", type=Path)
    parser.add_argument("--bytes", default=1e9, type=float)
    parser.add_argument("--ranks", default="1,2")
    parser.add_argument("--folder", help="where the tables go; default: a temporary folder")
    options = parser.parse_args()
    program = options.program.resolve()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        make_tables(folder, options.bytes)
        run([program, "import", "train.csv", "--target", "y", "--categorical", "color", "--output", "train.h5"], folder)
        run([program, "train", "run.toml", "--quiet"], folder)
        megabytes = (folder / "new.csv").stat().st_size / 1e6
        counting = min(run(["wc", "-l", "new.csv"], folder) for _ in range(3))
        print(f"{megabytes:.0f} MB; wc -l reads {megabytes / counting:.0f} MB/s")
        counts = [int(count) for count in options.ranks.split(",")]
        for ranks in counts:
            words = ["mpirun", "-n", ranks, "--oversubscribe", program, "predict", "runs/run", "--input", "new.csv",
                     "--output", f"answers{ranks}.csv", "--overwrite"]
            seconds = min(run(words, folder) for _ in range(3))
            print(f"{ranks} rank{'s' if ranks > 1 else ''}: {seconds:.1f} s, {megabytes / seconds / ranks:.0f} MB/s a rank, "
                  f"{memory_of_ranks(words, folder):.0f} MB a rank", flush=True)
        same = all(filecmp.cmp(folder / f"answers{counts[0]}.csv", folder / f"answers{count}.csv", shallow=False)
                   for count in counts)
        print("the answers are the same bytes" if same else "THE ANSWERS DIFFER")


if __name__ == "__main__":
    main()
