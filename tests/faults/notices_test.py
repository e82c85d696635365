"""Numbers, labels and schedules that a run can be trained with, or not, but that are not what was meant: all is told."""

import json
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

VALUES = """
[model]
layers = [{type = "dense", units = 1}]
[optimizer]
lr = 1e-30
"""
CLASSES = """
[model]
loss = "softmax_cross_entropy"
layers = [{type = "dense", units = 10}]
"""
TRAIN = "[train]\nbatch = 50\nshards = 2\nepochs = 2\n"  # of 200 samples: 8 steps


class Notices(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        rng = numpy.random.default_rng(1)
        cls.x = rng.normal(size=(200, 3))
        cls.y = cls.x[:, :1] * 2
        cls.labels = numpy.arange(200) % 10
        cls.names = 0

    def told(self, x, y, model, *keys, data="", expect=0, dry=True, names=None):
        """What a start says that nobody has asked for; one without MPI's launcher, most dry."""
        Notices.names += 1
        self.run = self.folder / f"run-{Notices.names}"
        with h5py.File(f"{self.run}.h5", "w") as file:
            file["train/x"], file["train/y"] = x, y
            if names:
                file["train"].attrs["features"] = json.dumps(names)
        source = f"[data]\ntrain = \"{self.run}.h5:/train\"\n{data}"
        Path(f"{self.run}.toml").write_text(f"{source}{model}{TRAIN}", encoding="utf-8")
        options = [word for key in keys for word in ("--set", key)] + (["--dry-run"] if dry else [])
        done = program.run("train", f"{self.run}.toml", "--output", self.run, "--quiet", *options, mpi=False, expect=expect)
        lines = [line for line in done.stderr.splitlines() if line.startswith("lockstep: ")]
        return "\n".join(line.removeprefix("lockstep: ") for line in lines if not line.startswith("lockstep: memory:"))

    def scale(self):
        with h5py.File(self.run / "checkpoints/step-00000000.h5") as file:
            return file["normalization/x_scale"][:]

    def test_what_is_as_it_should_be_is_not_told_of(self):
        self.assertEqual(self.told(self.x, self.y, VALUES), "")
        self.assertEqual(self.told(self.x.astype("f4"), self.labels, CLASSES, data="normalize = \"standard\"\n"), "")

    def test_a_column_that_is_constant_up_to_rounding_is_not_blown_up(self):
        noise = numpy.arange(200) % 5 - 2
        columns = {"f8": 0.3 * (1 + noise * 2.3e-16), "f4": numpy.float32(1013.25) + noise.clip(0, 2) * numpy.float32(6e-5)}
        for kind, column in columns.items():
            for method in ("standard", "minmax"):
                with self.subTest(kind, method=method):
                    x = self.x.astype(kind)
                    x[:, 1] = column
                    self.assertGreater(len(set(x[:, 1])), 1)
                    told = self.told(x, self.y, VALUES, data=f"normalize = \"{method}\"\n", dry=False)
                    self.assertIn("column 1 varies by no more than rounding", told)
                    self.assertGreaterEqual(self.scale()[1], 1)
                    self.assertNotEqual(self.scale()[0], 1)
                    streamed = self.told(x, self.y, VALUES, data=f"normalize = \"{method}\"\nload = \"stream\"\n", dry=False)
                    self.assertIn("column 1 varies by no more than rounding", streamed)
                    self.assertGreaterEqual(self.scale()[1], 1)

    def test_a_target_that_is_constant_up_to_rounding_is_not_blown_up_and_is_told(self):
        y = 0.3 * (1 + (numpy.arange(200) % 5 - 2) * 2.3e-16)
        told = self.told(self.x, y, VALUES, data="normalize = \"standard\"\n", dry=False)
        self.assertIn("the target is the same in all training samples (0.3", told)
        with h5py.File(self.run / "checkpoints/step-00000000.h5") as file:
            self.assertEqual(file["normalization/y_scale"][:].tolist(), [1])

    def test_small_changes_of_large_integers_are_no_rounding(self):
        x = self.x.copy()
        x[:, 1] = 2.0**40 + numpy.arange(200) % 2
        self.assertEqual(self.told(x.astype("i8"), self.y, VALUES, data="normalize = \"standard\"\n", dry=False), "")
        self.assertAlmostEqual(self.scale()[1], 0.5)

    def test_integers_that_float32_cannot_tell_apart(self):
        ids = numpy.stack([2**24 + numpy.arange(200)], axis=1)
        for load in ("memory", "stream"):
            told = self.told(ids, self.y, VALUES, data=f"load = \"{load}\"\n")
            self.assertIn("column 0 holds numbers up to 16777415", told)
            self.assertIn("200 different ones become 101", told)
            self.assertIn("normalize = \"standard\" or \"minmax\"", told)
        self.assertEqual(self.told(ids, self.y, VALUES, data="normalize = \"standard\"\n", dry=False), "")
        # An ONNX model takes float32.
        done = program.run("export", self.run, "--onnx", self.folder / "net.onnx", mpi=False)
        self.assertIn("column 0 of x: an ONNX model takes and normalises float32", done.stderr)
        done = program.run("export", self.run, "--npz", self.folder / "net.npz", mpi=False)
        self.assertEqual(done.stderr, "")
        # So of targets; and of doubles that change little.
        self.assertIn("y of ", self.told(self.x, ids, VALUES))
        days = 2459000 + numpy.arange(200)[:, None] / 1000
        self.assertIn("200 different ones become", self.told(days, self.y, VALUES))
        # One number far away can do it in spite of normalisation.
        ids = numpy.where(numpy.arange(200) == 7, 0, 1700000000 + numpy.arange(200))[:, None]
        self.assertIn("far away from the others", self.told(ids, self.y, VALUES, data="normalize = \"minmax\"\n"))

    def test_columns_of_very_unlike_size(self):
        x = (self.x * [1, 1, 1e6]).astype("f4")
        told = self.told(x, self.y, VALUES)
        self.assertRegex(self.told(x, self.y, VALUES, names=["a", "b", "mass\x1b[1m"]),
                         r"of very unlike size \(column 2 'mass\\u001b\[1m' is up to .*, column [01] '[ab]' up to ")
        self.assertRegex(told, r"of very unlike size \(column 2 is up to .*, column [01] up to .*data.normalize = \"standard\"")
        self.assertEqual(self.told(x, self.y, VALUES, data="normalize = \"standard\"\n"), "")

    def test_labels_that_do_not_count_from_zero(self):
        unlabelled, ignored = self.labels.copy(), self.labels.copy()
        unlabelled[::20], ignored[::50] = -1, 255
        shift = "the labels are 1 to 10, but have to count from 0: store y - 1"
        for y, data, text in ((self.labels + 1, "", shift), (self.labels + 1, "classes = 10\n", shift),
                              (self.labels + 1, "load = \"stream\"\n", shift),
                              (unlabelled, "", "the labels are 0 to 9 but for -1 in 10 samples: leave out samples without"),
                              (ignored, "", "the labels are 0 to 9 but for 255 in 4 samples: leave out samples without"),
                              (ignored, "load = \"stream\"\n", "but for 255 in 4 samples"),
                              (self.labels % 2 * 2 - 1, "classes = 2\n", "store (y + 1) / 2")):
            with self.subTest(text=text, data=data):
                told = self.told(self.x, y, CLASSES, data=data, expect=2)
                self.assertEqual(told.count("\n"), 0, told)
                self.assertIn(text, told)
        binary = VALUES.replace("[model]", "[model]\nloss = \"binary_cross_entropy\"")
        self.assertIn("the labels are 1 to 2, but have to count from 0: store y - 1",
                      self.told(self.x, self.labels % 2 + 1.0, binary, expect=2))

    def test_classes_without_samples(self):
        told = self.told(self.x, numpy.where(self.labels == 4, 5, self.labels), CLASSES)
        self.assertIn("1 of 10 classes has no training sample: 4", told)
        self.assertIn("store y - 1", self.told(self.x, self.labels.clip(1), CLASSES))
        told = self.told(self.x, self.labels * 0 + 3, CLASSES, data="classes = 10\nload = \"stream\"\n")
        self.assertIn("all training samples are of class 3: there is nothing to tell apart", told)
        one = CLASSES.replace("units = 10", "units = 1")
        self.assertIn("all training samples are of class 0", self.told(self.x, self.labels * 0, one))
        binary = VALUES.replace("[model]", "[model]\nloss = \"binary_cross_entropy\"")
        self.assertIn("all training samples have target 1", self.told(self.x, self.labels * 0 + 1.0, binary))

    def test_a_warm_up_that_is_as_long_as_the_run(self):
        def of(length):
            return self.told(self.x, self.y, VALUES, f"optimizer.schedule={{type = \"cosine\", warmup_steps = {length}}}")
        self.assertIn("warmup_steps is 8, and the run has 8 steps: the learning rate rises to the end", of(8))
        self.assertIn("rises to the end, to 5e-31 of 1e-30", of(16))
        self.assertEqual(of(7), "")
        self.assertIn("the learning rate never falls",
                      self.told(self.x, self.y, VALUES, "optimizer.schedule={type = \"step\", step_size = 8}"))


if __name__ == "__main__":
    program.main()
