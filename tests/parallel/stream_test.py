"""Data that is streamed: equal bits at any rank count and after any stop, bounded memory, and a file that is cut off.

The samples are sorted by class and packed in chunks; a shard sees five windows an epoch.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import job
import program

RUN = """
name = "stream"
[data]
train = "sorted.h5:/train"
test = "sorted.h5:/test"
normalize = "standard"
load = "stream"
window = "40kB"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=24}, {type="relu"}, {type="dropout", rate=0.1}, {type="dense", units=5}]
[train]
batch = 100
shards = 6
epochs = 3
[optimizer]
type = "adam"
lr = 3e-3
[checkpoint]
every_steps = 25
keep = 100
[log]
every_steps = 10
"""

# Runs a program and prints the most memory that it had, in KiB. A process begins with what the one had that started it, so
# that must be a small one.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss, flush=True)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Stream(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        rng = numpy.random.default_rng(0)
        x = rng.normal(size=(7010, 20)).astype("f4")
        y = (x @ rng.normal(size=(20, 5))).argmax(axis=1)
        with h5py.File(cls.folder / "sorted.h5", "w") as file:
            for name, rows in (("train", slice(0, 6010)), ("test", slice(6010, None))):
                order = numpy.argsort(y[rows], kind="stable")
                file.create_dataset(f"{name}/x", data=x[rows][order], chunks=(40, 20), compression="gzip")
                file[f"{name}/y"] = y[rows][order]
        cls.run_file = cls.folder / "stream.toml"
        cls.run_file.write_text(RUN, encoding="utf-8")
        cls.whole = cls.folder / "whole"
        cls.told = cls.train("whole", 1).stderr

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def train(cls, name, ranks, *more, expect=0):
        return program.run("train", cls.run_file, "--output", cls.folder / name, *more, ranks=ranks, expect=expect)

    def assert_like_whole(self, name):
        folder = self.folder / name
        self.assertEqual(program.digest(folder), program.digest(self.whole))
        self.assertEqual(program.metrics(folder), program.metrics(self.whole))
        self.assertEqual(program.steps(folder), program.steps(self.whole))
        self.assertEqual(program.summary(folder)["test"], program.summary(self.whole)["test"])

    def test_tells_what_it_streams(self):
        self.assertRegex(self.told, r"streams 0\.5 MB of training data: 151 blocks of 40 samples, .* windows of 5 blocks; "
                                    r"0\.\d MB a rank")
        done = self.train("dry", 2, "--dry-run")
        self.assertIn("MB of it data, held once", done.stderr)
        self.assertFalse((self.folder / "dry").exists())

    def test_the_same_bits_at_any_rank_count(self):
        for ranks, exchange in ((2, "tree"), (3, "node")):
            self.train(f"ranks-{ranks}", ranks, "--set", f"train.exchange={exchange}")
            self.assert_like_whole(f"ranks-{ranks}")

    def test_from_mid_epoch_on_other_ranks(self):
        for step, ranks in ((25, 3), (150, 2)):
            name = f"resumed-{step}"
            shutil.copytree(self.whole, self.folder / name)
            for path in (self.folder / name / "checkpoints").iterdir():
                if int(path.stem.split("-")[1]) > step:
                    path.unlink()
            # What was chosen at the start stays, whatever would be chosen now.
            self.train(name, ranks, "--resume", "--set", "data.load=auto")
            self.assert_like_whole(name)
        self.train(name, 1, "--resume", "--set", "data.load=memory", expect=2)

    def test_learns_what_is_sorted_by_class(self):
        self.train("long", 2, "--quiet", "--set", "train.epochs=15")
        self.assertGreaterEqual(program.summary(self.folder / "long")["test"]["accuracy"], 0.93)

    def test_scores_of_a_checkpoint_are_those_of_the_run(self):
        for ranks in (1, 3):
            done = program.run("evaluate", self.whole, "--json", ranks=ranks)
            scores = json.loads(done.stdout)
            for name, value in program.summary(self.whole)["test"].items():
                self.assertEqual(scores[name], value, name)

    def test_waits_for_input_are_told(self):
        header = (self.whole / "times.csv").read_text(encoding="utf-8").splitlines()[0]
        self.assertIn("input_min,input_median,input_max,gather_min", header)

    def test_a_file_that_is_cut_off_ends_all_ranks_with_one_message(self):
        copy = self.folder / "cut"
        copy.mkdir()
        with h5py.File(self.folder / "sorted.h5") as source, h5py.File(copy / "sorted.h5", "w") as file:
            file["train/x"], file["train/y"] = source["train/x"][:], source["train/y"][:]
        (copy / "run.toml").write_text(RUN.replace('test = "sorted.h5:/test"\n', ""), encoding="utf-8")
        running = job.Job(copy / "run.toml", copy / "run", "--set", "train.epochs=100000", ranks=3)
        running.wait_for_steps(5)
        os.truncate(copy / "sorted.h5", 300_000)
        code, told = running.wait(60)
        self.assertEqual(code, 2, told)
        self.assertEqual(told.count("lockstep: error:"), 1, told)
        self.assertIn("sorted.h5: was cut off while it was in use", told)
        program.run("inspect", copy / "run", "--verify", mpi=False)

    def test_memory_is_bounded_by_the_windows(self):
        with h5py.File(self.folder / "large.h5", "w") as file:
            file["x"] = numpy.zeros((400_000, 64), "f4")  # 102 MB
            file["y"] = numpy.zeros(400_000, "f4")
        (self.folder / "large.toml").write_text("""
[data]
train = "large.h5:/"
window = "2MiB"
[model]
layers = [{type="dense", units=1}]
[train]
batch = 4000
shards = 2
""", encoding="utf-8")

        def most_memory(load):
            done = subprocess.run([sys.executable, "-c", MEASURE, program.PROGRAM, "train", self.folder / "large.toml",
                                   "--output", self.folder / load, "--set", f"data.load={load}", "--quiet"],
                                  capture_output=True, text=True, check=True)
            return int(done.stdout.splitlines()[-1]) * 1024

        self.assertGreater(most_memory("memory") - most_memory("stream"), 80e6)

    def test_chunks_that_make_it_slow_are_told(self):
        with h5py.File(self.folder / "chunks.h5", "w") as file:
            file.create_dataset("x", data=numpy.ones((9000, 1000), "f4"), chunks=(9000, 10), compression="gzip")
            file["y"] = numpy.zeros(9000, "f4")
        done = self.train("chunks", 1, "--set", f"data.train={self.folder}/chunks.h5:/", "--set", "data.window=2MB", "--set",
                          "model.loss=mse", "--dry-run", "--set", "data.test=sorted.h5:/test", expect=2)
        self.assertIn("x keeps 9000 rows together in chunks of 36.0 MB", done.stderr)
        self.assertIn("h5repack", done.stderr)


if __name__ == "__main__":
    program.main()
