"""Scores by the order of all samples, thresholds chosen on validation data, and scores of training data: against numpy, by
what predict says; the same at any rank count, held or streamed."""

import csv
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy
import page
import program

RUN = """
[data]
train = "{0}/{1}.h5:/train"
test = "{0}/{1}.h5:/test"
normalize = "standard"
[model]
loss = "{2}"
layers = [{{type = "dense", units = 8}}, {{type = "relu"}}, {{type = "dense", units = {3}}}]
[train]
batch = 64
shards = 3
epochs = 4
[optimizer]
type = "adam"
lr = 1e-2
"""


def words(settings):
    return [word for setting in settings for word in ("--set", setting)]


def auc(truth, score, weights):
    """By all pairs."""
    p, q = truth > 0.5, truth <= 0.5
    pairs = numpy.outer(weights[p], weights[q])
    return (pairs * ((score[p][:, None] > score[q]) + 0.5 * (score[p][:, None] == score[q]))).sum() / pairs.sum()


def f1(truth, label, weights=None):
    return 2 * numpy.average((truth == 1) & (label == 1), weights=weights) / (
        numpy.average(truth == 1, weights=weights) + numpy.average(label == 1, weights=weights))


class ScoresOfAll(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        rng = numpy.random.default_rng(5)
        n, tests = 1500, 700
        x = rng.normal(size=(n + tests, 4)).astype("f4")
        logit = 1.5 * x[:, 0] - x[:, 1] * x[:, 2] - 1.5
        answers = {"rare": (rng.random(n + tests) < 1 / (1 + numpy.exp(-logit))).astype("f4"),
                   "kinds": (numpy.digitize(logit, [-3, -1, 0.5]) % 4).astype("i4"),
                   "numbers": numpy.stack([10 + logit, 100 * x[:, 3] + 900, logit**2 + 1], 1)}
        for name, y in answers.items():
            with h5py.File(cls.folder / f"{name}.h5", "w") as file:
                for split, rows in (("train", slice(n)), ("test", slice(n, None))):
                    file[f"{split}/x"], file[f"{split}/y"] = x[rows], y[rows]
                    if name == "rare":
                        file[f"{split}/w"] = rng.exponential(size=len(x[rows])).astype("f4")
        shutil.copy(cls.folder / "rare.h5", cls.folder / "plain.h5")
        with h5py.File(cls.folder / "plain.h5", "r+") as file:
            del file["train/w"], file["test/w"]
        cls.y = {name: y[n:] for name, y in answers.items()}

    def train(self, data, loss, outputs, name, *settings, ranks=None, options=("--overwrite",), **more):
        run = self.folder / f"{data}.toml"
        run.write_text(RUN.format(self.folder, data, loss, outputs), encoding="utf-8")
        net = self.folder / name
        self.told = program.run("train", run, "--output", net, "--quiet", *options, *words(settings), ranks=ranks or 1,
                                mpi=ranks is not None, **more)
        return net

    def evaluate(self, net, *options, ranks=None):
        done = program.run("evaluate", net, "--json", *options, ranks=ranks or 1, mpi=ranks is not None)
        return json.loads(done.stdout)

    def predict(self, net):
        """Columns of the answers to the test data."""
        program.run("predict", net, "--output", self.folder / "answers.csv", "--overwrite", mpi=False)
        with open(self.folder / "answers.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: numpy.array([float(row[name]) for row in rows]) for name in rows[0]}

    def test_a_binary_net_with_weights_and_a_threshold_chosen_on_validation_data(self):
        settings = ("data.validation=0.3", "decision.threshold=f1")
        net = self.train("rare", "binary_cross_entropy", 1, "rare", *settings)
        self.assertRegex(self.told.stderr, r"the net answers 1 above a probability of 0\.\d+, chosen by f1 \(0\.\d+ on the")
        summary = program.summary(net)
        decision = summary["decision"]
        self.assertLess(decision["threshold"], 0.5)
        # The state that is kept has it, and validation data scored by it gives the score that it was chosen by.
        held_out = self.evaluate(net, "--split", "validation")
        self.assertEqual(held_out["threshold"], decision["threshold"])
        self.assertAlmostEqual(held_out["f1"], decision["score"], places=12)
        self.assertGreater(held_out["f1"], float(program.metrics(net)[-1]["validation_f1"]))
        self.assertEqual(summary["validation"]["f1"], held_out["f1"])
        self.assertEqual(json.loads(program.run("inspect", net, "--json", mpi=False).stdout)["decision"], decision)
        self.assertIn(f"threshold     {decision['threshold']:.6g}, by f1", program.run("inspect", net, mpi=False).stdout)
        self.assertEqual(page.Page(net / "report.html").run["scores"]["threshold"], decision["threshold"])
        # What predict says is what evaluate scores.
        said, truth = self.predict(net), self.y["rare"]
        with h5py.File(self.folder / "rare.h5") as file:
            weights = file["test/w"][()].astype("f8")
        numpy.testing.assert_array_equal(said["label"], said["probability"] > decision["threshold"])
        found = self.evaluate(net)
        self.assertAlmostEqual(found["auc"], auc(truth, said["probability"], weights), places=9)
        self.assertAlmostEqual(found["unweighted"]["auc"], auc(truth, said["probability"], numpy.ones(len(truth))), places=9)
        self.assertAlmostEqual(found["f1"], f1(truth, said["label"], weights), places=9)
        self.assertAlmostEqual(found["unweighted"]["f1"], f1(truth, said["label"]), places=9)
        self.assertAlmostEqual(found["accuracy"], numpy.average(said["label"] == truth, weights=weights), places=9)
        counts = [[int(((truth == a) & (said["label"] == b)).sum()) for b in (0, 1)] for a in (0, 1)]
        self.assertEqual(found["confusion"], sum(counts, []))
        text = program.run("evaluate", net, mpi=False).stdout
        self.assertIn(f"above a probability of {decision['threshold']:.6g}, chosen by f1 on validation data", text)
        # Three ranks: the same run, the same choice, the same scores.
        other = self.train("rare", "binary_cross_entropy", 1, "rare3", *settings, ranks=3)
        self.assertEqual(program.metrics(net), program.metrics(other))
        self.assertEqual(program.summary(other)["decision"], decision)
        told = self.evaluate(other, ranks=3)
        for json_of in (found, told):
            del json_of["checkpoint"]
        self.assertEqual(told, found)

    def test_a_run_that_goes_on_chooses_anew(self):
        settings = ("data.validation=0.3", "decision.threshold=youden")
        net = self.train("plain", "binary_cross_entropy", 1, "longer", *settings, "train.epochs=1")
        first = program.summary(net)["decision"]
        self.train("plain", "binary_cross_entropy", 1, "longer", *settings, "train.epochs=3", options=("--resume",))
        straight = self.train("plain", "binary_cross_entropy", 1, "straight", *settings, "train.epochs=3")
        self.assertEqual(program.metrics(net), program.metrics(straight))
        self.assertEqual(program.summary(net)["decision"], program.summary(straight)["decision"])
        self.assertNotEqual(program.summary(net)["decision"], first)

    def test_a_run_that_has_ended_takes_another_rule_or_number(self):
        settings, stop = ("data.validation=0.3", "train.epochs=3"), 'train.early_stop={monitor="validation.loss", patience=9}'
        runs = {name: self.train("plain", "binary_cross_entropy", 1, name, *settings, *more)
                for name, more in (("ended", ("decision.threshold=youden", stop)), ("by-f1", ("decision.threshold=f1", stop)),
                                   ("by-number", ("decision.threshold=0.2", stop)))}
        digest = program.digest(runs["ended"])
        for rule, other in (("f1", "by-f1"), ("0.2", "by-number"), ("f1", "by-f1")):
            self.train("plain", "binary_cross_entropy", 1, "ended", *settings, stop, f"decision.threshold={rule}",
                       options=("--resume", "--dry-run"))
            self.assertIn("what is left is its decision.threshold", self.told.stderr)
            self.train("plain", "binary_cross_entropy", 1, "ended", *settings, stop, f"decision.threshold={rule}",
                       options=("--resume",), ranks=2)
            self.assertIn("what is left is its decision.threshold", self.told.stderr)
            found, expected = program.summary(runs["ended"]), program.summary(runs[other])
            for entry in ("decision", "validation", "test", "train", "best", "restored", "steps"):
                self.assertEqual(found.get(entry), expected.get(entry))
            found, expected = self.evaluate(runs["ended"]), self.evaluate(runs[other])
            self.assertEqual({**found, "checkpoint": None}, {**expected, "checkpoint": None})
            self.assertEqual(program.digest(runs["ended"]), digest)
        self.train("plain", "binary_cross_entropy", 1, "ended", *settings, stop, "decision.threshold=f1", options=("--resume",))
        self.assertIn("nothing left to do", self.told.stderr)

    def test_a_threshold_that_is_a_number(self):
        net = self.train("plain", "binary_cross_entropy", 1, "number", "decision.threshold=0.2")
        said, found = self.predict(net), self.evaluate(net)
        numpy.testing.assert_array_equal(said["label"], said["probability"] > 0.2)
        self.assertAlmostEqual(found["f1"], f1(self.y["rare"], said["label"]), places=9)
        self.assertEqual(float(program.metrics(net)[-1]["test_f1"]), found["f1"])
        self.assertEqual(float(program.metrics(net)[-1]["test_auc"]), found["auc"])
        self.assertNotIn("decision", program.summary(net))

    def test_thresholds_that_nothing_can_be_answered_by_are_refused(self):
        for data, loss, outputs, settings, text in (
                ("plain", "binary_cross_entropy", 1, ("decision.threshold=f1",), "set data.validation"),
                ("kinds", "softmax_cross_entropy", 4, ("decision.threshold=0.3",), "only a binary net with one output"),
                ("numbers", "mse", 3, ("decision.threshold=f1", "data.validation=0.1"), "only a binary net")):
            self.train(data, loss, outputs, "refused", *settings, expect=2)
            self.assertIn(text, self.told.stderr)

    def test_classes_by_order_and_a_monitor_that_a_resumed_run_names(self):
        net = self.train("kinds", "softmax_cross_entropy", 4, "kinds", "train.epochs=2")
        self.assertNotIn("test_auc", program.metrics(net)[0])
        self.train("kinds", "softmax_cross_entropy", 4, "kinds", "train.epochs=4", "checkpoint.monitor=test.auc",
                   options=("--resume",))
        rows = program.metrics(net)
        self.assertEqual([row["test_auc"] == "" for row in rows], [True, True, False, False])
        best = program.summary(net)["best"]
        self.assertEqual((best["monitor"], best["value"]), ("test.auc", max(float(row["test_auc"]) for row in rows[2:])))
        said, truth, found = self.predict(net), self.y["kinds"], self.evaluate(net)
        ones = numpy.ones(len(truth))
        areas = [auc((truth == k).astype("f8"), said[f"probability_{k}"], ones) for k in range(4)]
        self.assertAlmostEqual(found["auc"], numpy.mean(areas), places=9)
        self.assertEqual(float(rows[-1]["test_auc"]), found["auc"])
        by_class = [f1((truth == k).astype(int), (said["label"] == k).astype(int)) for k in range(4)]
        self.assertAlmostEqual(found["f1"], numpy.mean(by_class), places=9)
        numpy.testing.assert_allclose([entry["f1"] for entry in found["classes"]], by_class, atol=1e-9)
        self.assertNotIn("log_loss", found)
        held = {**found, "checkpoint": None}
        self.assertEqual({**self.evaluate(net, ranks=3), "checkpoint": None}, held)
        streamed = self.train("kinds", "softmax_cross_entropy", 4, "streamed", "train.epochs=1", "data.load=stream")
        shutil.rmtree(self.folder / "held", ignore_errors=True)
        told = [self.evaluate(streamed, "--data", f"{self.folder}/kinds.h5:/test", ranks=ranks) for ranks in (None, 2)]
        self.assertEqual(told[0], told[1])
        self.assertIn("average_precision", told[0])

    def test_errors_of_several_targets(self):
        net = self.train("numbers", "mse", 3, "numbers")
        said, truth, found = self.predict(net), self.y["numbers"], self.evaluate(net)
        error = numpy.stack([said[f"y_{i}"] for i in range(3)], 1) - truth
        for i, target in enumerate(found["targets"]):
            size = numpy.abs(error[:, i])
            for name, share in (("error_median", 0.5), ("error_p90", 0.9), ("error_p95", 0.95), ("error_max", 1)):
                numpy.testing.assert_allclose(target[name], numpy.quantile(size, share), rtol=1e-5)
            numpy.testing.assert_allclose(target["mape"], numpy.mean(size / numpy.abs(truth[:, i])), rtol=1e-4)
            numpy.testing.assert_allclose(target["rmse"], numpy.sqrt(numpy.mean(size**2)), rtol=1e-5)
            numpy.testing.assert_allclose(target["explained_variance"], 1 - error[:, i].var() / truth[:, i].var(), atol=1e-5)
        numpy.testing.assert_allclose(found["error_p90"], numpy.quantile(numpy.abs(error), 0.9), rtol=1e-5)
        self.assertAlmostEqual(found["explained_variance"], numpy.mean([t["explained_variance"] for t in found["targets"]]))
        self.assertRegex(program.run("evaluate", net, mpi=False).stdout, r"target +r2 +rmse +mae +mape +median +90 % +largest\n0 ")

    def test_training_data_is_scored_where_that_is_asked_for(self):
        net = self.train("kinds", "softmax_cross_entropy", 4, "trained", "log.train_scores=true", "data.validation=0.2")
        last, found = program.metrics(net)[-1], self.evaluate(net, "--split", "train")
        self.assertEqual(float(last["train_end_loss"]), found["loss"])
        self.assertEqual(float(last["train_accuracy"]), found["accuracy"])
        self.assertNotEqual(last["train_loss"], last["train_end_loss"])
        self.assertEqual(program.summary(net)["train"]["f1"], found["f1"])
        self.assertIn("train_end_loss", page.Page(net / "report.html").run["curves"]["epochs"])
        plain = self.train("kinds", "softmax_cross_entropy", 4, "untold", "data.validation=0.2")
        self.assertEqual(program.digest(net), program.digest(plain))
        self.assertNotIn("train_accuracy", program.metrics(plain)[0])
        self.train("kinds", "softmax_cross_entropy", 4, "refused", "log.train_scores=true", "data.load=stream", expect=2)
        self.assertIn("log.train_scores: training data that is streamed", self.told.stderr)


if __name__ == "__main__":
    program.main()
