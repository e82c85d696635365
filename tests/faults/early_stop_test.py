"""Runs that end before their time: by a signal, by the time limit, by a number that is not finite.

A signal to any rank makes all of them save at the same step and end with 75; the run then goes on to the bits of one that
was never disturbed.
"""

import os
import signal
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy

import job
import program

SECONDS = 25
# What nobody would wait for: so a stop is no end.
LONG = ("--set", "train.epochs=40000")


class EarlyStop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        cls.run_file = cls.folder / "run.toml"
        cls.run_file.write_text(job.RUN, encoding="utf-8")

    def start(self, name, *more, ranks=3, environment=None):
        running = job.Job(self.run_file, self.folder / name, *more, ranks=ranks, environment=environment)
        self.addCleanup(running.end)
        return running

    def assert_goes_on(self, folder, told):
        self.assertIn(program.checkpoints(folder)[-1], told)
        job.assert_goes_on(self, self.run_file, folder, self.folder / "whole")

    def test_a_signal_to_one_rank_stops_all_at_the_same_step(self):
        for number, rank in ((signal.SIGTERM, 2), (signal.SIGINT, 0), (signal.SIGUSR1, 1)):
            with self.subTest(signal=number, rank=rank):
                running = self.start(f"signal-{number}", *LONG)
                running.wait_for_steps(20)
                os.kill(running.ranks()[rank], number)
                code, told = running.wait(SECONDS)
                self.assertEqual(code, 75, told)
                self.assertEqual(told.count("a signal stops the run"), 1, told)
                self.assertNotIn("error", told.replace("exit", ""))
                self.assert_goes_on(running.folder, told)

    def test_usr1_to_mpirun_reaches_the_ranks(self):
        running = self.start("usr1", *LONG)
        running.wait_for_steps(20)
        running.signal_launcher(signal.SIGUSR1)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 75, told)
        self.assert_goes_on(running.folder, told)

    def test_a_second_interrupt_ends_at_once(self):
        running = self.start("twice", *LONG, "--set", "train.exchange=tree")
        running.wait_for_steps(20)
        ranks = running.ranks()
        os.kill(ranks[2], signal.SIGSTOP)  # so that the ranks cannot agree,
        time.sleep(1)  # once the step is over that it has already given its part to
        os.kill(ranks[0], signal.SIGINT)
        time.sleep(0.5)
        self.assertIsNone(running.poll())
        os.kill(ranks[0], signal.SIGINT)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 128 + signal.SIGINT, told)
        self.assertNotIn("stops the run", told)

    def test_the_time_limit_stops_in_time(self):
        start = time.monotonic()
        running = self.start("limit", *LONG, "--set", "train.time_limit=4s", "--set", "checkpoint.every_seconds=0.5",
                             "--set", "checkpoint.every_steps=0", "--set", "checkpoint.every_epochs=0", "--set",
                             "checkpoint.keep=99")
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 75, told)
        self.assertIn("train.time_limit stops the run", told)
        self.assertGreater(time.monotonic() - start, 1.5)
        self.assertGreater(len(program.checkpoints(running.folder)), 2)  # those by time
        self.assert_goes_on(running.folder, told)

    def test_the_end_that_slurm_gives_is_heeded(self):
        running = self.start("slurm", *LONG, environment={"SLURM_JOB_END_TIME": str(int(time.time()) + 5)})
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 75, told)
        self.assertIn("Slurm stops the run", told)

    def test_a_time_limit_that_is_no_time_is_refused(self):
        done = program.run("train", self.run_file, "--output", self.folder / "bad", "--set", "train.time_limit=soon",
                           ranks=2, expect=2)
        self.assertIn("train.time_limit", done.stderr)
        self.assertFalse((self.folder / "bad").exists())


# One sample of which the net makes more than a float holds.
class NotFinite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        rng = numpy.random.default_rng(0)
        x = rng.normal(size=(96, 4)).astype("f4")
        x[37] = 1e30
        with h5py.File(cls.folder / "data.h5", "w") as file:
            file["train/x"], file["train/y"] = x, x[:, :2] / 2
        (cls.folder / "run.toml").write_text("""
[data]
train = "data.h5:/train"
[model]
layers = [{type="dense", units=8}, {type="relu"}, {type="dense", units=2}]
[train]
batch = 16
shards = 4
epochs = 3
[checkpoint]
every_steps = 1
keep = 99
""", encoding="utf-8")

    def test_the_run_stops_and_says_where(self):
        messages = []
        for ranks in (1, 3):
            folder = self.folder / f"stop-{ranks}"
            done = program.run("train", self.folder / "run.toml", "--output", folder, "--quiet", ranks=ranks, expect=3)
            message = [line for line in done.stderr.splitlines() if "lockstep: error:" in line]
            self.assertEqual(len(message), 1, done.stderr)
            messages.append(message[0].replace(folder.name, "FOLDER"))
            self.assertRegex(message[0], r"diverged in step \d: the gradient of dense\d/weight is not finite.*shard \d of 4 "
                                         r"\(samples [\d, ]*\b37\b")
            last = program.checkpoints(folder)[-1]
            self.assertIn(last, message[0])
            program.run("inspect", folder, "--verify", mpi=False)
            with h5py.File(folder / "checkpoints" / last) as file:
                self.assertTrue(numpy.isfinite(file["parameters/dense1/weight"][:]).all())
        self.assertEqual(messages[0], messages[1])  # the same step, layer, shard, samples at any rank count

    def test_or_leaves_such_steps_out(self):
        digests = []
        for ranks in (1, 3):
            folder = self.folder / f"skip-{ranks}"
            done = program.run("train", self.folder / "run.toml", "--output", folder, "--quiet", "--set",
                               "train.on_nonfinite=skip", ranks=ranks)
            self.assertEqual(done.stderr.count("is left out"), 3, done.stderr)  # once an epoch
            self.assertEqual(program.summary(folder)["steps"], 18)
            digests.append(program.digest(folder))
        self.assertEqual(digests[0], digests[1])


if __name__ == "__main__":
    program.main()
