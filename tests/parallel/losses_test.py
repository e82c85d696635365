"""Losses whose nets answer with more than a value or a probability: what predict writes, scores, gradients.

Expected numbers are numpy's, from the answers that predict writes.
"""

import json
import math
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

RUN = """
name = "losses"
[data]
train = "data.h5:/NAME"
test = "data.h5:/NAME"
normalize = "standard"
[model]
loss = {LOSS}
layers = [{type="dense", units=12}, {type="tanh"}, {type="dense", units=OUTPUTS}]
[train]
batch = 64
shards = 4
epochs = 3
[optimizer]
type = "adam"
lr = 2e-2
"""
# Loss with its options, data, outputs of the net.
NETS = {
    "gaussian": ('type = "gaussian_nll"', "values", 4),
    "quantile": ('type = "quantile", quantiles = [0.1, 0.45, 0.9]', "values", 6),
    "poisson": ('type = "poisson_nll"', "counts", 1),
    "hinge": ('type = "hinge"', "binary", 1),
    "focal": ('type = "binary_focal", gamma = 1.5', "binary", 1),
    "softmax_focal": ('type = "softmax_focal"', "classes", 3),
    "multi_margin": ('type = "multi_margin"', "classes", 3),
}


class Losses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        rng = numpy.random.default_rng(8)
        cls.x = x = rng.normal(size=(900, 3)).astype("f4")
        spread = numpy.exp(x[:, :1] / 2)
        cls.y = numpy.hstack([100 + 20 * (x[:, 1:2] + spread * rng.normal(size=(900, 1))), x[:, 2:] - 5 + rng.normal(size=(900, 1))])
        cls.y[rng.random((900, 2)) < 0.1] = numpy.nan
        cls.w = rng.uniform(0.5, 2, 900).astype("f4")
        cls.counts = rng.poisson(numpy.exp(x[:, 0] + 0.5))
        cls.labels = (x[:, 0] > 0.3).astype("i4") + (x[:, 1] > 0.8)
        with h5py.File(cls.folder / "data.h5", "w") as file:
            for name, y in (("values", cls.y), ("counts", cls.counts.astype("f4")), ("binary", (cls.labels > 0).astype("u1")),
                            ("classes", cls.labels)):
                file[f"{name}/x"], file[f"{name}/y"] = x, y
            file["values/w"] = cls.w
            file["values"].attrs["targets"] = json.dumps(["price", "age"])
            file["classes"].attrs["classes"] = json.dumps(["a", "b", "c"])
        for name in NETS:
            cls.train(name, ranks=2)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def train(cls, name, *settings, ranks=1, output=None, expect=0, outputs=None):
        loss, data, width = NETS[name]
        run = cls.folder / f"{name}.toml"
        run.write_text(RUN.replace("NAME", data).replace("LOSS", loss).replace("OUTPUTS", str(outputs or width)), encoding="utf-8")
        return program.run("train", run, "--output", cls.folder / (output or name), *settings, ranks=ranks, expect=expect)

    def predict(self, name):
        """The answers as HDF5 has them, and the columns and rows of CSV."""
        for end in ("h5", "csv"):
            program.run("predict", self.folder / name, "--output", self.folder / f"{name}.{end}", "--overwrite", mpi=False)
        text = (self.folder / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        with h5py.File(self.folder / f"{name}.h5") as file:
            arrays = {key: file[key][()] for key in file}
        return arrays, text[0].split(","), [line.split(",") for line in text[1:]]

    def evaluate(self, name):
        return json.loads(program.run("evaluate", self.folder / name, "--json", mpi=False).stdout)

    def expect_scores(self, found, expected):
        for name, value in expected.items():
            self.assertAlmostEqual(found[name], value, delta=1e-6 * max(1, abs(value)), msg=name)

    def test_the_bits_do_not_depend_on_ranks(self):
        for name in ("gaussian", "quantile"):
            self.train(name, ranks=3, output="three")
            self.assertEqual(program.summary(self.folder / "three")["digest"], program.summary(self.folder / name)["digest"])
            self.assertEqual(program.metrics(self.folder / "three"), program.metrics(self.folder / name))
            (self.folder / "three").rename(self.folder / f"three_{name}")

    def test_gaussian_answers_mean_and_deviation(self):
        arrays, columns, rows = self.predict("gaussian")
        self.assertEqual(columns, ["price", "price_std", "age", "age_std"])
        numpy.testing.assert_allclose(numpy.array(rows, "f8")[:, 0::2], arrays["y"], rtol=1e-15)
        numpy.testing.assert_allclose(numpy.array(rows, "f8")[:, 1::2], arrays["y_std"], rtol=1e-15)
        z = (self.y - arrays["y"]) / arrays["y_std"]
        there = numpy.isfinite(z)
        nll = numpy.log(arrays["y_std"]) + numpy.nan_to_num(z) ** 2 / 2 + math.log(2 * math.pi) / 2
        for found, weights in ((self.evaluate("gaussian"), self.w), (self.evaluate("gaussian")["unweighted"], numpy.ones(900))):
            w = weights.astype("f8")[:, None] * there
            error = numpy.where(there, self.y - arrays["y"], 0)
            self.expect_scores(found, {"nll": (w * nll).sum() / w.sum(),
                                       "coverage95": (w * (abs(numpy.nan_to_num(z)) <= 1.959963984540054)).sum() / w.sum(),
                                       "rmse": math.sqrt((w * error ** 2).sum() / w.sum())})
        self.assertIn("test_nll", program.metrics(self.folder / "gaussian")[-1])

    def test_quantile_answers_each_quantile(self):
        arrays, columns, rows = self.predict("quantile")
        self.assertEqual(columns, [f"{name}_q{q}" for name in ("price", "age") for q in (0.1, 0.45, 0.9)])
        there = numpy.isfinite(self.y)
        w = self.w.astype("f8")[:, None] * there
        expected = {}
        for i, q in enumerate((0.1, 0.45, 0.9)):
            numpy.testing.assert_allclose(numpy.array(rows, "f8")[:, i::3], arrays[f"y_q{q}"], rtol=1e-15)
            d = numpy.where(there, self.y - arrays[f"y_q{q}"], 0)
            expected[f"pinball_q{q}"] = (w * numpy.maximum(q * d, (q - 1) * d)).sum() / w.sum()
            expected[f"coverage_q{q}"] = (w * (d <= 0)).sum() / w.sum()
            if q == 0.45:
                expected["mae"] = (w * abs(d)).sum() / w.sum()
        self.expect_scores(self.evaluate("quantile"), expected)
        self.train("quantile", "--set", "checkpoint.monitor=test.pinball_q0.9", output="monitored")
        self.assertIn("test.pinball_q0.9", json.dumps(program.summary(self.folder / "monitored")["best"]))
        done = self.train("quantile", "--set", "checkpoint.monitor=test.coverage_q0.9", output="none", expect=2)
        self.assertIn("test.error_max, test.pinball_q0.1, test.pinball_q0.45, test.pinball_q0.9, found", done.stderr)

    def test_poisson_answers_rates_of_counts_as_they_are(self):
        arrays, columns, _ = self.predict("poisson")
        self.assertEqual(columns, ["y"])
        rate, t = arrays["y"].astype("f8")[:, 0], self.counts
        logs = numpy.where(t > 0, t * numpy.log(numpy.where(t > 0, t, 1) / rate), 0)
        self.expect_scores(self.evaluate("poisson"), {"deviance": (2 * (logs - t + rate)).mean(),
                                                      "rmse": math.sqrt(((rate - t) ** 2).mean())})
        done = self.train("poisson", "--dry-run")
        self.assertIn("data.normalize goes for x alone: poisson_nll takes targets as they are", done.stderr)
        done = program.run("train", self.folder / "poisson.toml", "--dry-run", "--set", "data.train=data.h5:/values",
                           "--set", "data.test=data.h5:/values", "--set", "model.layers.2.units=2", expect=2)
        self.assertIn("poisson_nll needs counts from 0 on, found -", done.stderr)

    def test_losses_of_margins_answer_scores(self):
        arrays, columns, _ = self.predict("hinge")
        self.assertEqual((columns, sorted(arrays)), (["label", "score"], ["label", "score"]))
        numpy.testing.assert_array_equal(arrays["label"], arrays["score"] > 0)
        self.assertTrue((abs(arrays["score"]) > 1).any())
        arrays, columns, _ = self.predict("multi_margin")
        self.assertEqual(columns, ["label", "class", "score_a", "score_b", "score_c"])
        numpy.testing.assert_array_equal(arrays["label"], arrays["scores"].argmax(axis=1))
        for name, truth in (("multi_margin", self.labels), ("softmax_focal", self.labels), ("focal", self.labels > 0)):
            label = self.predict(name)[0]["label"]
            self.assertAlmostEqual(self.evaluate(name)["accuracy"], (label == truth).mean(), delta=1e-12)
            self.assertGreater((label == truth).mean(), 0.7)

    def test_gradients_are_those_of_central_differences(self):
        for name in NETS:
            done = program.run("explain", self.folder / name, "--check", "--most", 30, mpi=False)
            self.assertIn("passed", done.stdout, name)
        text = program.run("explain", self.folder / "gaussian", "--sample", 1, mpi=False).stdout
        self.assertIn("v = log(1 + exp(a[1]))", text)

    def test_outputs_must_make_whole_targets(self):
        done = self.train("gaussian", output="bad", outputs=3, expect=2)
        self.assertIn("the last layer has 3 outputs, but this loss takes 2 for each target", done.stderr)
        done = self.train("gaussian", output="bad", outputs=2, expect=2)
        self.assertIn("data.h5:/values has 2 columns, for which this loss takes 4 outputs, 2 each", done.stderr)


if __name__ == "__main__":
    program.main()
