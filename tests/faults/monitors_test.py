"""Scores that steer a run and are not there, and bests that are not on the disk."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

# It soon learns too much, so that the best epoch is in the middle.
RUN = """
[data]
train = "data/concrete.h5:/train"
test = "data/concrete.h5:/test"
normalize = "standard"
[model]
layers = [{type = "dense", units = 32}, {type = "relu"}, {type = "dense", units = 1}]
[train]
batch = 824
shards = 2
epochs = 12
[optimizer]
type = "adam"
lr = 1.0
"""
EARLY = ("--set", "train.early_stop={monitor = \"test.loss\", patience = 11}")


class Monitors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        cls.run_file = cls.folder / "run.toml"
        cls.run_file.write_text(RUN, encoding="utf-8")
        cls.whole = cls.folder / "whole"
        program.run("train", cls.run_file, "--output", cls.whole, "--quiet", mpi=False)
        cls.losses = [float(row["test_loss"]) for row in program.metrics(cls.whole)]
        # One step an epoch. The epoch that is the best from some on, and the best one before.
        cls.bests = [n for n in range(1, 13) if cls.losses[n - 1] == min(cls.losses[:n])]

    def resumed_without(self, name, blocked, *more, expect=0):
        """A run that is resumed behind its first epoch, in whose folder the steps `blocked` cannot be saved."""
        folder = self.folder / name
        program.run("train", self.run_file, "--output", folder, "--quiet", "--set", "train.epochs=1", *more, mpi=False)
        for step in blocked:
            (folder / f"checkpoints/step-{step:08}.h5/in").mkdir(parents=True)
        done = program.run("train", self.run_file, "--output", folder, "--quiet", "--resume", *more, ranks=2, expect=expect)
        return folder, done

    def assert_best_is_there(self, folder, epoch):
        best = program.summary(folder)["best"]
        self.assertEqual((best["epoch"], best["value"]), (epoch, self.losses[epoch - 1]))
        self.assertTrue((folder / f"checkpoints/step-{best['step']:08}.h5").is_file())

    def test_the_best_is_one_that_could_be_saved(self):
        best = self.bests[-1]
        self.assertTrue(1 < best < 12, self.losses)
        folder, done = self.resumed_without("lost", [best])
        self.assertIn("a checkpoint is not saved", done.stderr)
        others = [loss for n, loss in enumerate(self.losses, 1) if n != best]
        second = self.losses.index(min(others)) + 1
        self.assert_best_is_there(folder, second)
        self.assertIn(f"step-{second:08}.h5", done.stdout)
        self.assertEqual(program.metrics(folder), program.metrics(self.whole))
        self.assertEqual(program.digest(folder), program.digest(self.whole))
        with h5py.File(folder / "checkpoints/step-00000012.h5") as file:
            self.assertEqual(file["best"].attrs["step"], second)

    def test_a_run_ends_with_the_best_that_could_be_saved(self):
        folder, done = self.resumed_without("restored", [self.bests[-1]], *EARLY)
        summary = program.summary(folder)
        self.assert_best_is_there(folder, summary["restored"]["epoch"])
        self.assertNotEqual(summary["restored"]["epoch"], self.bests[-1])
        self.assertEqual(summary["test"]["loss"], summary["best"]["value"])
        self.assertIn("the run ends with the state of its best checkpoint", done.stderr)

    def test_a_run_whose_last_state_is_lost_is_not_finished(self):
        folder, done = self.resumed_without("unsaved", range(2, 13), expect=1)
        self.assertIn("the state after step 12 could not be saved", done.stderr)
        status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
        self.assertEqual(status["state"], "unsaved")
        self.assertIn("could not be saved", status["why"])
        self.assertIn("could not be saved", program.summary(folder)["failure"])
        self.assert_best_is_there(folder, 1)
        self.assertIn("last state not saved", (folder / "report.html").read_text(encoding="utf-8"))
        self.assertRegex(done.stdout, r"best checkpoint +\S+/unsaved/checkpoints/step-00000001\.h5")
        for step in range(2, 13):
            shutil.rmtree(folder / f"checkpoints/step-{step:08}.h5")
        program.run("train", self.run_file, "--output", folder, "--quiet", "--resume", mpi=False)
        self.assertEqual(json.loads((folder / "status.json").read_text(encoding="utf-8"))["state"], "finished")
        self.assertEqual(program.digest(folder), program.digest(self.whole))
        self.assert_best_is_there(folder, self.bests[-1])

    def test_inspect_shows_the_scores_of_the_state_that_is_held(self):
        folder = self.folder / "inspected"
        program.run("train", self.run_file, "--output", folder, "--quiet", *EARLY, mpi=False)
        told = program.run("inspect", folder, mpi=False).stdout
        self.assertIn(f"test_loss {self.losses[self.bests[-1] - 1]:.6g} ", told)
        self.assertNotIn(f"test_loss {self.losses[-1]:.6g} ", told)

    def test_a_score_that_can_never_be_given_is_refused_at_the_start(self):
        with h5py.File(self.folder / "few.h5", "w") as file:
            x = numpy.random.default_rng(1).normal(size=(40, 8))
            for name, rows in (("one", 1), ("same", 5)):
                file[f"{name}/x"], file[f"{name}/y"] = x[:rows], numpy.full(rows, 7.5)
            file["train/x"], file["train/y"] = x, 0.3 * (1 + (numpy.arange(40) % 5 - 2) * 2.3e-16)
        few = f"{self.folder}/few.h5"
        for data, key, text in (
                ([f"data.test={few}:/one"], "checkpoint.monitor=test.r2", "checkpoint.monitor: test.r2 is never given: there is "
                 "one test sample; name test.loss"),
                ([f"data.test={few}:/same"], "optimizer.schedule={type = \"plateau\", monitor = \"test.r2\"}",
                 "optimizer.schedule.monitor: test.r2 is never given: a target is the same in all test samples"),
                ([f"data.train={few}:/train", "data.validation=0.5"],
                 "train.early_stop={monitor = \"validation.r2\"}", "train.early_stop.monitor: validation.r2 is never given")):
            keys = [word for one in (*data, key) for word in ("--set", one)]
            done = program.run("train", self.run_file, "--output", self.folder / "none", *keys, mpi=False, expect=2)
            self.assertEqual(done.stderr.count("error"), 1, done.stderr)
            self.assertIn(text, done.stderr)
            self.assertFalse((self.folder / "none").exists())

    def test_a_score_that_is_missing_is_told_once_and_stops_nothing(self):
        with h5py.File(self.folder / "huge.h5", "w") as file:  # no step of which is finite
            file["train/x"], file["train/y"] = numpy.full((40, 8), 1e30, "f4"), numpy.ones(40)
        folder = self.folder / "missing"
        keys = [f"data.train={self.folder}/huge.h5:/train", "data.normalize=none", "train.on_nonfinite=skip",
                "train.early_stop={monitor = \"train.loss\", patience = 2}", "train.epochs=5"]
        done = program.run("train", self.run_file, "--output", folder, "--quiet", *[w for key in keys for w in ("--set", key)],
                           ranks=2)
        self.assertEqual(done.stderr.count("has no train.loss"), 1, done.stderr)
        self.assertIn("epoch 1 has no train.loss", done.stderr)
        summary = program.summary(folder)
        self.assertEqual((summary["epochs"], summary["stopped_early"]), (5, False))
        self.assertNotIn("best", summary)


if __name__ == "__main__":
    program.main()
