"""Equal bits at any rank count: weights, optimizer state, every reported number.

16,000 samples in batches of 124: the last batch has 4 samples for 8 shards, so half the shards are empty. Dropout, Adam,
clipping by norm, normalisation and a cosine schedule take part.
"""

import os
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

RUN = """
name = "bits"
[data]
train = "bits.h5:/train"
test = "bits.h5:/test"
normalize = "standard"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=24}, {type="relu"}, {type="dropout", rate=0.2}, {type="dense", units=12}, {type="gelu"},
          {type="dense", units=7}]
[train]
batch = 124
shards = 8
epochs = 2
[optimizer]
type = "adam"
lr = 3e-3
schedule = {type="cosine", warmup_steps=20}
clip_norm = 0.5
[log]
every_steps = 10
"""


class SameBits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        rng = numpy.random.default_rng(0)
        x = rng.normal(size=(17001, 20)).astype("f4")
        y = (x @ rng.normal(size=(20, 7))).argmax(axis=1)
        with h5py.File(cls.folder / "bits.h5", "w") as file:
            for name, rows in (("train", slice(0, 16000)), ("test", slice(16000, None))):
                file[f"{name}/x"], file[f"{name}/y"] = x[rows], y[rows]
        (cls.folder / "bits.toml").write_text(RUN, encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def train(self, name, ranks, *more, environment=None):
        folder = self.folder / name
        done = program.run("train", self.folder / "bits.toml", "--output", folder, "--quiet", *more, ranks=ranks,
                           environment=environment)
        return folder, done

    def test_ranks_1_2_3_5_8(self):
        # Nothing said of threads: lockstep itself keeps the BLAS at one thread a rank.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS"):
            os.environ.pop(name, None)
        one, _ = self.train("one", 1)
        rows = program.metrics(one)
        self.assertEqual([row["epoch"] for row in rows], ["1", "2"])
        self.assertEqual(program.summary(one)["steps"], 2 * 130)
        for ranks in (2, 3, 5, 8):
            other, _ = self.train(f"ranks-{ranks}", ranks)
            self.assertEqual(program.digest(other), program.digest(one), f"{ranks} ranks")
            self.assertEqual(program.metrics(other), rows, f"{ranks} ranks")
            self.assertEqual(program.steps(other), program.steps(one), f"{ranks} ranks")
            self.assertEqual(program.summary(other)["test"], program.summary(one)["test"], f"{ranks} ranks")

    def test_32_ranks_on_fewer_cores(self):
        # Five batches, the last of 40 samples for 32 shards.
        few = ("--set", "train.epochs=1", "--set", "train.shards=32", "--set", "train.batch=3990")
        one, _ = self.train("shards-32", 1, *few)
        many, _ = self.train("ranks-32", 32, *few)
        self.assertEqual(program.summary(many)["ranks"], 32)
        self.assertEqual(program.summary(many)["steps"], 5)
        self.assertEqual(program.digest(many), program.digest(one))
        self.assertEqual(program.metrics(many), program.metrics(one))
        self.assertEqual(program.summary(many)["test"], program.summary(one)["test"])

    def test_exchanges_node_and_tree(self):
        node, _ = self.train("node", 3, "--set", "train.epochs=1")
        tree, _ = self.train("tree", 2, "--set", "train.epochs=1", "--set", "train.exchange=tree")
        self.assertEqual(program.digest(tree), program.digest(node))
        self.assertEqual(program.metrics(tree), program.metrics(node))

    def test_lamb_takes_norms_over_whole_parameters(self):
        lamb = ("--set", "train.epochs=1", "--set", "optimizer.type=lamb", "--set", "optimizer.lr=0.01")
        node, _ = self.train("lamb-node", 3, *lamb)
        tree, _ = self.train("lamb-tree", 1, *lamb, "--set", "train.exchange=tree")
        self.assertEqual(program.digest(tree), program.digest(node))

    def test_threads_of_the_environment_do_not_matter(self):
        one, _ = self.train("plain", 2, "--set", "train.epochs=1")
        other, _ = self.train("threads", 2, "--set", "train.epochs=1", environment={"OMP_NUM_THREADS": "2"})
        self.assertEqual(program.digest(other), program.digest(one))

    def test_regression_with_normalised_targets(self):
        x = numpy.linspace(-1, 1, 1501 * 3).reshape(1501, 3)
        with h5py.File(self.folder / "regression.h5", "w") as file:
            file["train/x"], file["train/y"] = x[:1200], 1e3 * numpy.sin(3 * x[:1200, :2]) + 5e4
            file["test/x"], file["test/y"] = x[1200:], 1e3 * numpy.sin(3 * x[1200:, :2]) + 5e4
        text = (RUN.replace("bits.h5", "regression.h5").replace("softmax_cross_entropy", "huber")
                .replace("units=7", "units=2"))
        (self.folder / "regression.toml").write_text(text, encoding="utf-8")
        results = []
        for ranks in (1, 3, 5):
            folder = self.folder / f"regression-{ranks}"
            program.run("train", self.folder / "regression.toml", "--output", folder, "--quiet", ranks=ranks)
            results.append((program.digest(folder), program.metrics(folder)))
        self.assertEqual(results[1], results[0])
        self.assertEqual(results[2], results[0])
        self.assertIn("test_r2", results[0][1][0])

    def test_allreduce_says_that_its_bits_depend_on_the_rank_count(self):
        folder, done = self.train("allreduce", 3, "--set", "train.exchange=allreduce", "--set", "train.epochs=1")
        self.assertIn("bits of this run depend on the rank count", done.stderr)
        self.assertFalse(program.summary(folder)["same_bits_at_any_rank_count"])
        self.assertIn("bits depend on the rank count", program.run("inspect", folder, mpi=False).stdout)


if __name__ == "__main__":
    program.main()
