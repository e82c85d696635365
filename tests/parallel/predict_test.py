"""lockstep predict and evaluate on data of one's own: the numbers against numpy, the same bytes at any rank count, and what
is refused."""

import csv
import gzip
import json
import os
import struct
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

RUNS = program.ROOT / "launch/runs"
NAMES = ["zero", "one, or 1", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def forward(checkpoint, x):
    """Outputs of a net of dense and relu layers, and its scale and shift of targets."""
    with h5py.File(checkpoint) as file:
        parameters, scaling = file["parameters"], file.get("normalization", {})
        at = numpy.float64(x.reshape(len(x), -1))
        if "x_shift" in scaling:
            at = (at - scaling["x_shift"]) / scaling["x_scale"]
        layers = list(dict.fromkeys(line.split("/")[0] for line in parameters.attrs["order"].splitlines()))
        for layer in layers:
            at = at @ parameters[layer]["weight"][()].T.astype("f8") + parameters[layer]["bias"]
            if layer != layers[-1]:
                at = numpy.maximum(at, 0)
        return at * scaling["y_scale"] + scaling["y_shift"] if "y_scale" in scaling else at


def contents(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}


class Predict(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        cls.digits = cls.folder / "digits.h5"
        with h5py.File(program.ROOT / "data/digits.h5") as source, h5py.File(cls.digits, "w") as file:
            for split in ("train", "test"):
                for key in "xy":
                    file[f"{split}/{key}"] = source[f"{split}/{key}"][()]
            file.attrs["classes"] = json.dumps(NAMES)
            cls.x, cls.y = source["train/x"][()], source["train/y"][()]
        cls.net = cls.folder / "run"
        cls.run_and_train("digits.toml", cls.net, f"data.train={cls.digits}:/train", f"data.test={cls.digits}:/test",
                          "train.epochs=2")
        cls.checkpoint = cls.net / "checkpoints/step-00000024.h5"
        cls.new = cls.folder / "new.h5"
        with h5py.File(cls.new, "w") as file:
            file["x"] = cls.x
        cls.out = cls.predict(cls.net, cls.new, "three.h5", ranks=3)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def run_and_train(cls, name, folder, *settings):
        program.run("train", RUNS / name, "--output", folder, "--quiet", *(w for s in settings for w in ("--set", s)), mpi=False)

    @classmethod
    def predict(cls, net, data, name, *more, ranks=None):
        out = cls.folder / name
        program.run("predict", net, "--input", data, "--output", out, *more, ranks=ranks or 1, mpi=ranks is not None)
        return out

    def test_probabilities_and_labels_are_those_of_the_net(self):
        found = contents(self.out)
        logits = forward(self.checkpoint, self.x)
        odds = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        numpy.testing.assert_allclose(found["probabilities"], odds / odds.sum(axis=1, keepdims=True), atol=2e-6)
        numpy.testing.assert_array_equal(found["label"], found["probabilities"].argmax(axis=1))
        self.assertEqual((found["probabilities"].dtype, found["label"].dtype), ("f4", "i8"))

    def test_a_file_tells_where_it_comes_from(self):
        with h5py.File(self.out) as file:
            told = dict(file.attrs)
        self.assertEqual(told["format"], "lockstep-predictions")
        self.assertEqual(told["checkpoint"], str(self.checkpoint))
        self.assertEqual((told["digest"], told["step"]), (program.digest(self.checkpoint), 24))
        self.assertEqual(json.loads(told["classes"]), NAMES)

    def test_any_rank_count_gives_the_same_bytes(self):
        self.assertEqual(self.predict(self.checkpoint, self.new, "one.h5").read_bytes(), self.out.read_bytes())
        one = self.predict(self.checkpoint, self.new, "one.csv")
        self.assertEqual(one.read_bytes(), self.predict(self.checkpoint, self.new, "two.csv", ranks=2).read_bytes())
        self.csv_holds_the_same_numbers(one)

    def csv_holds_the_same_numbers(self, path):
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(list(rows[0]), ["label", "class"] + [f"probability_{name}" for name in NAMES])
        found = contents(self.out)
        numpy.testing.assert_array_equal([int(row["label"]) for row in rows], found["label"])
        self.assertEqual([row["class"] for row in rows], [NAMES[label] for label in found["label"]])
        texts = [[row[f"probability_{name}"] for name in NAMES] for row in rows]
        numpy.testing.assert_array_equal(numpy.array(texts, "f4"), found["probabilities"])

    def test_idx_gives_the_same_as_hdf5(self):
        header = struct.pack(">BBBB3I", 0, 0, 8, 3, *self.x.shape)
        (self.folder / "x.idx.gz").write_bytes(gzip.compress(header + self.x.tobytes(), 1))
        found = contents(self.predict(self.net, self.folder / "x.idx.gz", "idx.h5", ranks=3))
        for name, array in contents(self.out).items():
            numpy.testing.assert_array_equal(found[name], array)

    def test_answers_are_those_that_evaluate_counts(self):
        found = contents(self.predict(self.net, self.digits, "split.h5", "--split", "train"))
        labels = struct.pack(">BBBBI", 0, 0, 8, 1, len(self.y)) + self.y.astype("u1").tobytes()
        (self.folder / "y.idx").write_bytes(labels)
        (self.folder / "x.idx").write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, *self.x.shape) + self.x.tobytes())
        words = ["evaluate", self.net, "--data", self.folder / "x.idx", "--labels", self.folder / "y.idx"]
        scores = json.loads(program.run(*words, "--json", mpi=False).stdout)
        matrix = numpy.zeros((10, 10), int)
        numpy.add.at(matrix, (self.y, found["label"]), 1)
        numpy.testing.assert_array_equal(numpy.reshape(scores["confusion"], (10, 10)), matrix)
        for label, told in enumerate(scores["classes"]):
            self.assertEqual((told["class"], told["name"], told["samples"]), (label, NAMES[label], matrix[label].sum()))
            self.assertEqual(told["recall"], matrix[label, label] / matrix[label].sum())
            answers = matrix[:, label].sum()
            self.assertEqual(told["precision"], matrix[label, label] / answers if answers else None)
        text = program.run(*words, mpi=False).stdout
        recall = f"{matrix[1, 1] / matrix[1].sum():.4f}"
        self.assertRegex(text, rf"\none, or 1 +{matrix[1].sum()} +{recall} ")
        self.assertRegex(text, r"\nconfusion matrix .*\n +0 +1 +2 .*\nzero .*\none, or 1 ")

    def test_regression_is_in_own_units(self):
        net = self.folder / "concrete"
        self.run_and_train("concrete.toml", net, "train.epochs=3")
        with h5py.File(program.ROOT / "data/concrete.h5") as file:
            x, y = file["test/x"][()], file["test/y"][()]
        checkpoint = sorted((net / "checkpoints").iterdir())[-1]
        program.run("predict", net, "--output", self.folder / "mpa.h5", mpi=False)  # the run's own test data
        found = contents(self.folder / "mpa.h5")["y"]
        self.assertEqual(found.shape, y.shape)
        numpy.testing.assert_allclose(found, forward(checkpoint, x), rtol=1e-4)
        scores = json.loads(program.run("evaluate", net, "--json", mpi=False).stdout)
        self.assertAlmostEqual(scores["rmse"], numpy.sqrt(((found - y)**2).mean()), places=3)
        text = self.predict(net, f"{program.ROOT}/data/concrete.h5:/test", "mpa.csv").read_text(encoding="utf-8")
        numpy.testing.assert_array_equal(numpy.array(text.split()[1:], float), found[:, 0])
        self.assertEqual(text.split()[0], "y")

    def test_binary_gives_a_probability_and_a_label(self):
        net = self.folder / "perceptron"
        self.run_and_train("perceptron.toml", net)
        found = contents(self.predict(net, f"{program.ROOT}/data/introduction.h5:/perceptron", "and.h5"))
        with h5py.File(program.ROOT / "data/introduction.h5") as file:
            x = file["perceptron/x"][()]
        odds = 1 / (1 + numpy.exp(-forward(sorted((net / "checkpoints").iterdir())[-1], x)))
        numpy.testing.assert_allclose(found["probability"], odds[:, 0], atol=1e-6)
        numpy.testing.assert_array_equal(found["label"], odds[:, 0] > 0.5)
        self.assertIn("confusion matrix", program.run("evaluate", net, mpi=False).stdout)
        with h5py.File(self.folder / "far.h5", "w") as file:
            file["x"] = numpy.float32(3e38 * (numpy.arange(600).reshape(300, 2) >= 598))
        self.refuse(r"far\.h5: /x: the net's answer to row 299 .* not finite", "--input", self.folder / "far.h5", "--output",
                    self.folder / "far-out.h5", net=net, mpi=False)

    def refuse(self, pattern, *words, expect=2, net=None, **options):
        before = sorted(os.listdir(self.folder))
        done = program.run("predict", net or self.net, *words, expect=expect, **options)
        self.assertEqual(done.stderr.count("lockstep: error:"), 1)
        self.assertRegex(done.stderr, pattern)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_what_cannot_be_is_refused_and_leaves_nothing(self):
        with h5py.File(self.folder / "bad.h5", "w") as file:
            file["nan/x"] = numpy.where(numpy.arange(len(self.x) * 64).reshape(-1, 64) == 64 * 1400 + 7, numpy.nan, 1.0)
            file["wide/x"] = numpy.zeros((3, 65))
        out, bad = self.folder / "out.h5", f"{self.folder}/bad.h5"
        self.refuse(r"error: .*bad\.h5: /nan/x: row 1400, column 7 is nan", "--input", f"{bad}:/nan", "--output", out, ranks=3)
        self.refuse(r"bad\.h5: /wide/x has 65 columns a sample, the net takes 64", "--input", f"{bad}:/wide", "--output", out,
                    mpi=False)
        self.refuse(r"there is no folder .*nowhere", "--input", self.new, "--output", self.folder / "nowhere/out.csv", mpi=False)
        self.refuse(r"the file of the samples", "--input", self.new, "--output", self.new, "--overwrite", mpi=False)
        self.refuse(r"three\.h5 is there already; give --overwrite", "--input", self.new, "--output", self.out, mpi=False)

    def test_a_file_that_cannot_be_made_is_exit_1(self):
        self.refuse(r"/proc/out\.csv: a temporary file beside it cannot be made", "--input", self.new, "--output", "/proc/out.csv",
                    expect=1, mpi=False)


if __name__ == "__main__":
    program.main()
