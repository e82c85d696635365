#!/usr/bin/python3
"""Makes concrete.h5 and introduction.h5 beside this script, always the same bytes.

Usage: data/make.py concrete.csv    (needs Debian's python3-h5py)
concrete.csv is the table `concrete` of the R package modeldata, with a header line.
"""
import csv
import json
import pathlib
import sys

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent


def add(file, group, x, y):
    for name, values in (("x", x), ("y", y)):
        file.create_dataset(f"{group}/{name}", data=values, track_times=False)


def make_concrete(table):
    with open(table, newline="") as lines:
        names, *rows = csv.reader(lines)
    rows = np.array(rows, dtype="float64")
    order = np.random.default_rng(0).permutation(len(rows))
    cut = len(rows) * 4 // 5
    with h5py.File(HERE / "concrete.h5", "w") as file:
        file.attrs["source"] = "I-Cheng Yeh (1998), UCI Concrete Compressive Strength, as in the R package modeldata"
        file.attrs["licence"] = "package: MIT; data from UCI"
        file.attrs["split"] = "seeded 80/20: np.random.default_rng(0).permutation"
        file.attrs["task"] = "regression"
        file.attrs["features"] = json.dumps(names[:-1])
        file.attrs["target"] = names[-1]
        for group, part in (("train", order[:cut]), ("test", order[cut:])):
            add(file, group, rows[part, :-1], rows[part, -1:])


def make_introduction():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
    with h5py.File(HERE / "introduction.h5", "w") as file:
        file.attrs["source"] = "made by data/make.py for the textbook networks"
        file.attrs["licence"] = "MIT"
        add(file, "two-weights", np.full((1, 1), 1.5, "float32"), np.full((1, 1), 0.5, "float32"))
        add(file, "perceptron", corners, corners.min(axis=1, keepdims=True))  # logical and
        add(file, "three-layer", corners, (corners.sum(axis=1, keepdims=True) == 1).astype("float32"))  # exclusive or


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make_concrete(sys.argv[1])
    make_introduction()
