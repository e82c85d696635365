"""Trains from memory and from a stream in turn and prints medians and ratios; see compare-stream.sh."""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import numpy

ROOT = Path(__file__).resolve().parents[1]
LOCKSTEP = ROOT / "build/bin/lockstep"
COLUMNS = 256
CLASSES = 8
RUN = """
[data]
train = "large.h5:/train"
normalize = "standard"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=256}, {type="relu"}, {type="dense", units=128}, {type="relu"}, {type="dense", units=8}]
[train]
batch = 512
shards = 8
[optimizer]
type = "adam"
"""


def cut(path, folder, files, packed):
    """The rows of a file in so many files of about as many rows."""
    folder.mkdir()
    with h5py.File(path) as whole:
        x, y = whole["train/x"], whole["train/y"]
        layout = {"chunks": (1024, COLUMNS), "compression": "gzip", "compression_opts": 1} if packed else {}
        for number in range(files):
            rows = slice(len(x) * number // files, len(x) * (number + 1) // files)
            with h5py.File(folder / f"{number:06}.h5", "w") as file:
                fits = rows.stop - rows.start >= 1024
                file.create_dataset("train/x", data=x[rows], **(layout if fits else {}))
                file["train/y"] = y[rows]


def make_data(path, rows, packed):
    rng = numpy.random.default_rng(0)
    layout = {"chunks": (1024, COLUMNS), "compression": "gzip", "compression_opts": 1} if packed else {}
    with h5py.File(path, "w") as file:
        x = file.create_dataset("train/x", (rows, COLUMNS), "f4", **layout)
        y = file.create_dataset("train/y", (rows,), "u1")
        plane = rng.normal(size=(COLUMNS, CLASSES))
        for first in range(0, rows, 1 << 16):
            part = rng.normal(size=(min(1 << 16, rows - first), COLUMNS)).astype("f4")
            if packed:
                part = part.round(1)  # so that there is something to pack
            x[first:first + len(part)], y[first:first + len(part)] = part, (part @ plane).argmax(axis=1)


def peak(pid):
    """The most memory that a process has had so far [bytes]; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmHWM")), default=0)


def children(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    except OSError:
        return []


def train(folder, kind, ranks, epochs):
    """What summary.json says, and the most memory of a rank."""
    output = folder / kind
    load = "memory" if kind == "memory" else "stream"
    more = ["--set", f"data.train={folder}/many/*.h5:/train"] if kind == "files" else []
    words = ["mpirun", "-n", str(ranks), LOCKSTEP, "train", folder / "run.toml", "--output", output, "--overwrite", "--quiet",
             "--set", f"data.load={load}", "--set", f"train.epochs={epochs}"] + more
    most = 0
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        most = max([most] + [peak(pid) for pid in children(process.pid)])
        time.sleep(0.1)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}\nended with {process.returncode}")
    return json.loads((output / "summary.json").read_text(encoding="utf-8")), most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_170_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--files", type=int, default=0, help="streams the same from so many files too")
    parser.add_argument("--packed", action="store_true", help="in chunks, compressed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_data(folder / "large.h5", options.rows, options.packed)
        (folder / "run.toml").write_text(RUN, encoding="utf-8")
        kinds = ["memory", "stream"]
        if options.files:
            cut(folder / "large.h5", folder / "many", options.files, options.packed)
            kinds.append("files")
        rates, memory, digests = {kind: [] for kind in kinds}, {kind: [] for kind in kinds}, {}
        for _ in range(options.rounds):
            for kind in kinds:
                summary, most = train(folder, kind, 2, options.epochs)
                rates[kind].append(summary["samples_per_second"])
                memory[kind].append(most)
                digests[kind] = summary["digest"]
        size = (folder / "large.h5").stat().st_size
        print(f"{options.rows} samples of {COLUMNS} float32 (a file of {size / 1e6:.0f} MB), 256-256-128-8 x512 adam, 2 ranks")
        for load, values in rates.items():
            print(f"  {load:8}{statistics.median(values):>10.0f} samples/s ({min(values):.0f} to {max(values):.0f}), "
                  f"at most {max(memory[load]) / 1e6:.0f} MB a rank")
        print(f"  stream / memory {statistics.median(rates['stream']) / statistics.median(rates['memory']):.2f}")
        if options.files:
            print(f"  {options.files} files / one file, both streamed "
                  f"{statistics.median(rates['files']) / statistics.median(rates['stream']):.2f}, and "
                  f"{'the same' if digests['files'] == digests['stream'] else 'ANOTHER'} digest")
        same = train(folder, "stream", 1, options.epochs)[0]["digest"] == digests["stream"]
        print(f"  one rank ends in {'the same' if same else 'ANOTHER'} digest")


if __name__ == "__main__":
    main()
