"""The named runs in launch/runs learn their data. Fashion-MNIST is downloaded by its script and so not trained here."""

import tempfile
import unittest
from pathlib import Path

import program

RUNS = program.ROOT / "launch/runs"


class NamedRuns(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)

    def train(self, name, ranks):
        folder = Path(self.scratch.name) / name
        program.run("train", RUNS / f"{name}.toml", "--output", folder, "--quiet", ranks=ranks)
        return program.summary(folder)

    def test_digits(self):
        self.assertGreaterEqual(self.train("digits", 2)["test"]["accuracy"], 0.97)

    def test_concrete(self):
        summary = self.train("concrete", 3)
        self.assertGreaterEqual(summary["test"]["r2"], 0.90)
        self.assertLess(summary["test"]["rmse"], 5.5)  # MPa: in the target's own units

    def test_two_weights(self):
        self.assertLess(self.train("two-weights", 1)["train"]["loss"], 1e-4)

    def test_perceptron(self):
        self.assertEqual(self.train("perceptron", 1)["test"]["accuracy"], 1)

    def test_three_layer_learns_exclusive_or(self):
        summary = self.train("three-layer", 1)
        self.assertEqual(summary["test"]["accuracy"], 1)
        self.assertLess(summary["test"]["loss"], 0.01)


if __name__ == "__main__":
    program.main()
