"""A deep residual net with batch_norm and dropout, by the program: equal bits at any rank count and over two hosts, gone on with
in mid-epoch, checked by central differences, taken as a starting point, and what is not told of it.

Usage: graphs_test.py PROGRAM FAKE_HOST_LIBRARY
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import fake_hosts
import program

FAKE_HOST = os.path.abspath(sys.argv[2])
RUN = """
name = "deep"
[data]
train = "deep.h5:/train"
test = "deep.h5:/test"
normalize = "standard"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=12},
          {repeat=20, layers=[{type="dense", units=12, name="first"}, {type="batch_norm", name="norm"}, {type="relu"},
                              {type="dropout", rate=0.1}, {type="dense", units=12, name="second"},
                              {type="add", inputs=["input", "second"]}]},
          {type="dense", units=7}]
[train]
batch = 124
shards = 8
epochs = 2
[optimizer]
type = "adam"
lr = 3e-3
clip_norm = 0.5
[checkpoint]
every_steps = 7
keep = 100
"""


class Graphs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        rng = numpy.random.default_rng(0)
        x = rng.normal(size=(1892, 20)).astype("f4")
        y = (x @ rng.normal(size=(20, 7))).argmax(axis=1)
        with h5py.File(cls.folder / "deep.h5", "w") as file:  # the last batch has 4 samples for 8 shards
            for name, rows in (("train", slice(0, 1492)), ("test", slice(1492, None))):
                file[f"{name}/x"], file[f"{name}/y"] = x[rows], y[rows]
        (cls.folder / "deep.toml").write_text(RUN, encoding="utf-8")
        cls.one = cls.train("one", ranks=1)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def train(cls, name, *more, **how):
        program.run("train", cls.folder / "deep.toml", "--output", cls.folder / name, "--quiet", *more, **how)
        return cls.results(name)

    @classmethod
    def results(cls, name):
        return program.digest(cls.folder / name), program.metrics(cls.folder / name)

    def test_equal_bits_at_any_rank_count(self):
        for ranks in (2, 3, 5, 8):
            self.assertEqual(self.train(f"ranks-{ranks}", ranks=ranks), self.one, f"{ranks} ranks")
        self.assertEqual(self.train("tree", "--set", "train.exchange=tree", ranks=3), self.one)

    def test_equal_bits_over_two_hosts(self):
        for name, more in (("over-hosts", ()), ("waiting-hosts", ("--set", "train.overlap=false"))):
            words = fake_hosts.mpirun(self.folder, FAKE_HOST, {"left": 1, "right": 2})
            words += [program.PROGRAM, "train", self.folder / "deep.toml", "--output", self.folder / name, "--quiet", *more]
            done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, check=False,
                                  cwd=program.PLACE)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.results(name), self.one, name)

    def test_goes_on_in_mid_epoch(self):
        shutil.copytree(self.folder / "one", self.folder / "half")
        kept = self.folder / "half/checkpoints/step-00000007.h5"
        for path in (self.folder / "half/checkpoints").iterdir():
            if path != kept:
                path.unlink()
        with h5py.File(kept) as file:
            self.assertEqual((file.attrs["step"], file.attrs["epoch"], file.attrs["version"]), (7, 0, 2))
            self.assertEqual(file.attrs["input_shape"], b"[20]" if isinstance(file.attrs["input_shape"], bytes) else "[20]")
            self.assertFalse((file["parameters/norm_20/running_var"][:] == 1).any())
            self.assertFalse(file["optimizer/exp_avg/norm_20/running_var"][:].any())
        program.run("train", self.folder / "deep.toml", "--output", self.folder / "half", "--quiet", "--resume", ranks=2)
        self.assertEqual(self.results("half"), self.one)

    def test_its_gradients_are_those_of_central_differences(self):
        done = program.run("explain", self.folder / "one", "--check", ranks=2)
        self.assertIn("norm_20/weight", done.stdout)
        self.assertNotIn("running", done.stdout)

    def test_the_chain_rule_is_told_of_chains_alone(self):
        done = program.run("explain", self.folder / "one", expect=2)
        self.assertIn("norm_1 is not so (batch_norm)", done.stderr)
        self.assertIn("explain --check", done.stderr)

    def test_layers_are_taken_over_and_frozen_by_their_names(self):
        more = ("--set", f"model.initial={self.folder / 'one'}", "--set", 'model.freeze=["norm_20", "first_1"]')
        program.run("train", self.folder / "deep.toml", "--output", self.folder / "tuned", "--quiet", *more, ranks=2)
        with h5py.File(sorted((self.folder / "one/checkpoints").iterdir())[-1]) as file, \
                h5py.File(sorted((self.folder / "tuned/checkpoints").iterdir())[-1]) as tuned:
            for name in ("norm_20/running_mean", "norm_20/weight", "first_1/weight", "second_1/weight", "norm_1/running_mean"):
                same = (file[f"parameters/{name}"][:] == tuned[f"parameters/{name}"][:]).all()
                self.assertEqual(same, name.startswith(("norm_20", "first_1")), name)

    def test_a_dry_run_tells_of_it(self):
        done = program.run("train", self.folder / "deep.toml", "--dry-run", ranks=2)
        self.assertIn("20 inputs", done.stdout + done.stderr)
        bad = program.run("train", self.folder / "deep.toml", "--dry-run", "--set", "model.layers.0.units=9", expect=2)
        self.assertIn("(add) of dense1 [9], second_1 [12]: expected inputs of one shape", bad.stderr)


if __name__ == "__main__":
    program.main()
