"""Weights of samples (data set w) and targets that are missing (NaN in y): in training, scores, statistics and messages.

Expected numbers are numpy's, from the answers that predict writes.
"""

import json
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

RUN = """
name = "weights"
[data]
train = "FILE:/train"
test = "FILE:/test"
normalize = "standard"
MORE
[model]
loss = LOSS
layers = [{type="dense", units=16}, {type="tanh"}, {type="dense", units=OUTPUTS}]
[train]
batch = 96
shards = 6
epochs = 4
[optimizer]
type = "adam"
lr = 1e-2
[log]
every_steps = 5
"""


def scores_of(truth, answers, weights):
    """Weighted r2, rmse and mae over several targets of which some are missing."""
    there = numpy.isfinite(truth)
    error = numpy.where(there, answers - numpy.where(there, truth, 0), 0)
    w = weights[:, None] * there
    r2 = []
    for column in range(truth.shape[1]):
        t, own = truth[there[:, column], column], weights[there[:, column]]
        mean = (own * t).sum() / own.sum()
        r2.append(1 - (own * error[there[:, column], column] ** 2).sum() / (own * (t - mean) ** 2).sum())
    return {"r2": numpy.mean(r2), "rmse": numpy.sqrt((w * error ** 2).sum() / w.sum()),
            "mae": (w * abs(error)).sum() / w.sum()}


class Weights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        rng = numpy.random.default_rng(4)
        x = rng.normal(2, 3, size=(2600, 6)).astype("f4")
        y = numpy.stack([x[:, 0] - x[:, 1], x[:, 2] * 5 + 9, numpy.abs(x[:, 3]) - 40], axis=1)
        y += rng.normal(size=y.shape)
        labels = (x[:, 0] > 2).astype("i4") + (x[:, 1] > 3)
        w = rng.uniform(0.2, 3, len(x))
        w[rng.random(len(x)) < 0.1] *= -0.5
        gaps = y.copy()
        gaps[rng.random(y.shape) < 0.2] = numpy.nan
        gaps[5] = numpy.nan
        cls.data = {"x": x, "y": gaps, "w": w}
        cls.write("values.h5", x=x, y=gaps, w=w)
        cls.write("labels.h5", x=x, y=labels, w=w[:, None].astype("f4"))
        cls.write("plain.h5", x=x, y=labels)
        cls.write("ones.h5", x=x, y=labels, w=numpy.ones(len(x), "i1"))
        cls.first = cls.train("first", "values.h5", '"mse"', 3, ranks=1)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def write(cls, name, **arrays):
        with h5py.File(cls.folder / name, "w") as file:
            for key, values in arrays.items():
                file[f"train/{key}"], file[f"test/{key}"] = values[:2000], values[2000:]

    @classmethod
    def run_file(cls, file, loss, outputs, more=""):
        path = cls.folder / "run.toml"
        text = RUN.replace("FILE", str(cls.folder / file)).replace("LOSS", loss).replace("OUTPUTS", str(outputs))
        path.write_text(text.replace("MORE", more), encoding="utf-8")
        return path

    @classmethod
    def train(cls, name, file, loss, outputs, *settings, ranks=3, expect=0, more=""):
        return program.run("train", cls.run_file(file, loss, outputs, more), "--output", cls.folder / name, *settings, ranks=ranks,
                           expect=expect)

    def checkpoint(self, name):
        return self.folder / name / "checkpoints" / program.checkpoints(self.folder / name)[-1]

    def evaluate(self, name, *options, ranks=1):
        return json.loads(program.run("evaluate", self.folder / name, "--json", *options, ranks=ranks).stdout)

    def test_the_bits_are_the_same_at_any_rank_count_and_after_a_stop(self):
        expected = program.summary(self.folder / "first")["digest"]
        self.train("three", "values.h5", '"mse"', 3)
        self.assertEqual(program.summary(self.folder / "three")["digest"], expected)
        self.assertEqual(program.metrics(self.folder / "three"), program.metrics(self.folder / "first"))
        kept = ("--set", "checkpoint.every_steps=8", "--set", "checkpoint.keep=50")
        self.train("stopped", "values.h5", '"mse"', 3, *kept)
        for name in program.checkpoints(self.folder / "stopped"):
            if name > "step-00000032.h5":
                (self.folder / "stopped/checkpoints" / name).unlink()
        self.train("stopped", "values.h5", '"mse"', 3, *kept, "--resume", ranks=2)
        self.assertEqual(program.summary(self.folder / "stopped")["digest"], expected)
        self.assertEqual(program.metrics(self.folder / "stopped"), program.metrics(self.folder / "first"))

    def test_streamed_data_has_the_statistics_and_scores_of_data_in_memory(self):
        stream = ("--set", 'data.load="stream"', "--set", 'data.window="20kB"')
        for file, loss, outputs in (("values.h5", '"mse"', 3),
                                    ("labels.h5", '{type="softmax_cross_entropy", class_weights="balanced"}', 3)):
            found = []
            for name, more, ranks in (("held", (), 2), ("streamed1", stream, 1), ("streamed3", stream, 3)):
                self.train(name, file, loss, outputs, "--overwrite", *more, ranks=ranks)
                path = self.checkpoint(name)
                with h5py.File(path) as kept:
                    numbers = {key: kept["normalization"][key][()].tolist() for key in kept["normalization"]}
                    found.append((numbers, kept.attrs["data_fingerprint"], kept.attrs["test_fingerprint"]))
                weights = [line for line in (self.folder / name / "run.toml").read_text().splitlines() if "class_weights" in line]
                found[-1] += (weights,)
            self.assertEqual(found[0], found[1])
            self.assertEqual(found[0], found[2])
            self.assertEqual(program.summary(self.folder / "streamed1")["digest"],
                             program.summary(self.folder / "streamed3")["digest"])
            self.assertEqual(self.evaluate("streamed1"), self.evaluate("streamed1", "--data", f"{self.folder}/{file}:/test")
                             | {"data": self.evaluate("streamed1")["data"]})

    def test_statistics_are_weighted_by_size_and_leave_out_what_is_missing(self):
        path = self.checkpoint("first")
        x, y, w = (self.data[key][:2000] for key in "xyw")
        w = abs(w.astype("f4").astype("f8"))[:, None]
        with h5py.File(path) as kept:
            for name, values in (("x", x.astype("f8")), ("y", y)):
                there = w * numpy.isfinite(values)
                mean = (there * numpy.nan_to_num(values)).sum(0) / there.sum(0)
                deviation = numpy.sqrt((there * numpy.nan_to_num(values - mean) ** 2).sum(0) / there.sum(0))
                numpy.testing.assert_allclose(kept[f"normalization/{name}_shift"], mean, rtol=1e-12)
                numpy.testing.assert_allclose(kept[f"normalization/{name}_scale"], deviation, rtol=1e-12)
        self.train("balanced", "labels.h5", '{type="softmax_cross_entropy", class_weights="balanced"}', 3)
        with h5py.File(self.folder / "labels.h5") as file:
            labels, w = file["train/y"][()], file["train/w"][:, 0].astype("f8")
        expected = [w.sum() / (3 * w[labels == c].sum()) for c in range(3)]
        text = (self.folder / "balanced/run.toml").read_text(encoding="utf-8")
        found = json.loads(text[text.index("[", text.index("class_weights")):].split("]")[0] + "]")
        numpy.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_scores_are_by_weight_and_unweighted(self):
        answers = self.folder / "answers.h5"
        program.run("predict", self.folder / "first", "--output", answers, "--overwrite")
        with h5py.File(answers) as file:
            answers = file["y"][()]
        y, w = self.data["y"][2000:], self.data["w"][2000:].astype("f4").astype("f8")
        scores = self.evaluate("first", ranks=3)
        self.assertEqual(scores, self.evaluate("first"))
        for found, weights in ((scores, w), (scores["unweighted"], numpy.ones(len(w)))):
            for name, value in scores_of(y, answers, weights).items():
                self.assertAlmostEqual(found[name], value, delta=1e-5 * abs(value), msg=name)
        path = self.checkpoint("first")
        with h5py.File(path) as kept:
            scale = kept["normalization/y_scale"][()]
        there = numpy.isfinite(y)
        squared = numpy.where(there, (answers - numpy.nan_to_num(y)) / scale, 0) ** 2
        self.assertAlmostEqual(scores["loss"], (w[:, None] * squared).sum() / (w[:, None] * there).sum(), delta=1e-5)
        self.assertAlmostEqual(scores["unweighted"]["loss"], squared.sum() / there.sum(), delta=1e-5)
        text = program.run("evaluate", self.folder / "first").stdout
        self.assertRegex(text, rf"by weight +each sample once\n(.*\n)*rmse +{scores['rmse']:.6g} +{scores['unweighted']['rmse']:.6g}\n")
        self.assertEqual(float(program.metrics(self.folder / "first")[-1]["test_rmse"]), scores["rmse"])
        summary = program.summary(self.folder / "first")
        of_all = {name: value for name, value in scores["unweighted"].items() if not name.startswith("error_")}
        self.assertEqual(summary["test"]["unweighted"], of_all)

    def test_scores_of_classes_are_by_weight(self):
        self.train("classes", "labels.h5", '"softmax_cross_entropy"', 3)
        program.run("predict", self.folder / "classes", "--output", self.folder / "classes.csv", "--overwrite")
        answers = numpy.genfromtxt(self.folder / "classes.csv", delimiter=",", names=True)["label"]
        with h5py.File(self.folder / "labels.h5") as file:
            labels, w = file["test/y"][()], file["test/w"][:, 0].astype("f8")
        right = answers == labels
        scores = self.evaluate("classes", ranks=2)
        for found, weights in ((scores, w), (scores["unweighted"], numpy.ones(len(w)))):
            self.assertAlmostEqual(found["accuracy"], (weights * right).sum() / weights.sum(), delta=1e-12)
            recalls = [(weights * right)[labels == c].sum() / weights[labels == c].sum() for c in range(3)]
            self.assertAlmostEqual(found["macro_recall"], numpy.mean(recalls), delta=1e-12)
        self.assertEqual(sum(map(sum, [scores["confusion"][i:i + 3] for i in (0, 3, 6)])), 600)

    def test_weights_of_one_change_nothing(self):
        for name in ("plain", "ones"):
            self.train(name, f"{name}.h5", '"softmax_cross_entropy"', 3)
        plain, ones = (program.summary(self.folder / name) for name in ("plain", "ones"))
        self.assertEqual(plain["test"], {key: value for key, value in ones["test"].items() if key != "unweighted"})
        named = ones["test"]["unweighted"]
        self.assertEqual(named, {key: plain["test"][key] for key in named})
        with h5py.File(self.checkpoint("plain")) as a, \
                h5py.File(self.checkpoint("ones")) as b:
            self.assertNotEqual(a.attrs["data_fingerprint"], b.attrs["data_fingerprint"])
            a["parameters"].visititems(lambda path, found: isinstance(found, h5py.Dataset) and
                                       numpy.testing.assert_array_equal(found[()], b[f"parameters/{path}"][()]))

    def test_gradients_are_right(self):
        done = program.run("explain", self.folder / "first", "--check", "--most", 40)
        self.assertIn("passed", done.stdout)
        text = program.run("explain", self.folder / "first", "--sample", 7).stdout  # has one of two targets
        self.assertIn("dC/da", text)
        done = program.run("explain", self.folder / "first", "--sample", 5, expect=2)
        self.assertIn("sample 5: it has weight 0, or all its targets are missing, so there is nothing to pass back", done.stderr)

    def test_what_is_unusual_is_told(self):
        missing = numpy.isnan(self.data["y"][:2000]).sum()
        self.assertIn(f": {missing} of 6000 targets are missing (NaN); they are left out of loss, gradient and scores",
                      self.first.stderr)
        w = self.data["w"][:2000]
        self.assertRegex(self.first.stderr, rf"w of .*: {(w < 0).sum()} of 2000 weights are negative; they sum up to "
                                            rf"{w[w < 0].sum():.6g}, the others to {w[w > 0].sum():.6g}")
        self.assertIn(f"training samples have weights, {w.min():.6g} to {w.max():.6g}, {w.sum():.6g} in all", self.first.stderr)
        inspected = json.loads(program.run("inspect", self.folder / "values.h5", "--json", mpi=False).stdout)
        self.assertIn("/train/w", inspected["data"])
        self.assertIn("but for NaN, a target that is missing", " ".join(inspected["data"]["/train/y"]["advice"]))

    def test_what_cannot_be_is_refused_by_name(self):
        x, y, w = (self.data[key] for key in "xyw")
        never = y.copy()
        never[:2000, 1] = numpy.nan
        infinite = y.copy()
        infinite[7, 2] = numpy.inf
        not_finite = w.copy()
        not_finite[11] = numpy.nan
        gone, no_test, tests = [y.copy(), y.copy()], y.copy(), numpy.arange(len(y)) >= 2000
        gone[0][2000:, 1:] = numpy.nan  # test samples have target 0 alone
        no_test[2000:] = numpy.nan
        bare = numpy.flatnonzero(numpy.isnan(y[:, 0]))[0]
        cases = {
            "of_y": (dict(x=x, y=y[:, 0]), 1, f"/train/y: row {bare}, column 0 is nan; expected finite numbers that a 32-bit float can hold (rows"),
            "infinite": (dict(x=x, y=infinite), 3, "row 7, column 2 is inf; expected finite numbers that a 32-bit float can hold, or NaN "
                                                   "for a target that is missing"),
            "never": (dict(x=x, y=never), 3, "column 1 is missing (NaN) in all 2000 training samples; leave it out of y"),
            "shape": (dict(x=x, y=y, w=numpy.stack([w, w], axis=1)), 3, "/train/w has shape [2000, 2]; expected the weights of the "
                                                                         "samples, one for each: [2000]"),
            "not_finite": (dict(x=x, y=y, w=not_finite), 3, "/train/w: row 11, column 0 is nan"),
            "sum": (dict(x=x, y=y, w=-w), 3, "2000 samples weigh -"),
            "weightless": (dict(x=x, y=gone[1], w=numpy.where(numpy.isnan(gone[1][:, 1]), w, 0)), 3,
                           f"column 1 is missing (NaN) in all 2000 training samples but {(~numpy.isnan(gone[1][:2000, 1])).sum()} of "
                           "weight 0; leave it out of y"),
            "no_test": (dict(x=x, y=no_test), 3, f"y of {self.folder}/bad.h5:/test: 600 samples weigh 0 in all, by the targets"),
            "weightless_test": (dict(x=x, y=gone[0], w=numpy.where(tests & ~numpy.isnan(gone[0][:, 0]), 0, abs(w))), 3,
                                f"y and w of {self.folder}/bad.h5:/test: 600 samples weigh 0 in all, by the targets"),
        }
        for name, (arrays, outputs, message) in cases.items():
            self.write("bad.h5", **arrays)
            for load in ("memory", "stream"):
                with self.subTest(name=name, load=load):
                    done = self.train("bad", "bad.h5", '"mse"', outputs, "--set", f"data.load={load}", expect=None, ranks=2)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn(message, done.stderr)
                    self.assertFalse((self.folder / "bad").exists())


if __name__ == "__main__":
    program.main()
