"""Too little shared memory: exit code 2, one message with the size needed and the ways out, and nothing is written.

Usage: shared_memory_test.py PROGRAM MPIEXEC
Makes a small tmpfs, for which it must be root and may mount; where it may not it says so loudly and exits with NOT_RUN.
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

PROGRAM, MPIEXEC = "lockstep", "mpirun"
NOT_RUN = 77  # ctest lists the test as skipped
SECONDS = 60
ERROR = "lockstep: error:"
MEGABYTES = 2  # of the small file system

# A small run; the cases make its net or its data large.
RUN = """
name = "shared"
[data]
train = "data.h5:/small"
classes = 2
[model]
loss = "softmax_cross_entropy"
layers = [{type = "dense", units = 8}, {type = "relu"}, {type = "dense", units = 2}]
[train]
batch = 32
shards = 2
epochs = 1
[optimizer]
type = "adam"
"""
WIDE = ["--set", "model.layers.0.units=20000"]  # 20000 * 19 weights of 4 bytes: 1.5 MB, and that several times
LARGE = ["--set", "data.train=data.h5:/large"]  # 2.6 MB
HALVES = ["--set", "data.train=data.h5:/half", "--set", "data.test=data.h5:/half"]  # 1.3 MB, twice
WAYS_OUT = ("--shm-size", "mpirun --mca osc_sm_backing_directory DIR")


def make_data():
    with h5py.File("data.h5", "w") as file:
        for name, rows, columns in (("small", 64, 16), ("half", 20000, 16), ("large", 40000, 16)):
            file[f"{name}/x"] = numpy.random.default_rng(0).random((rows, columns), dtype="f4")
            file[f"{name}/y"] = numpy.arange(rows, dtype="u1") % 2


class SharedMemory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp()).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.addClassCleanup(os.chdir, os.getcwd())
        os.chdir(cls.folder)
        make_data()
        Path("run.toml").write_text(RUN, encoding="utf-8")
        cls.small = cls.folder / "small"
        cls.roomy = cls.folder / "roomy"
        cls.small.mkdir()
        cls.roomy.mkdir()
        mount(cls.small)
        cls.addClassCleanup(subprocess.run, ["umount", str(cls.small)], check=True)

    def launch(self, place, *words, ranks=2):
        command = [MPIEXEC, "-n", str(ranks), "--mca", "osc_sm_backing_directory", str(place), PROGRAM, *words]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)
        return done, f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"

    def train(self, place, *words, ranks=2):
        return self.launch(place, "train", "run.toml", "--output", "output", "--quiet", *words, ranks=ranks)

    def refuse(self, words, needed, fragments, evaluate=False):
        done, told = self.launch(self.small, *words) if evaluate else self.train(self.small, *words)
        self.assertEqual(done.returncode, 2, told)
        self.assertEqual(done.stderr.count(ERROR), 1, told)
        self.assertNotRegex(done.stderr, r"(?i)bus error|signal|not enough space|rank \d", told)
        message = next(line for line in done.stderr.splitlines() if ERROR in line)
        self.assertRegex(message, rf"{needed} needs \d+\.\d MB of shared memory", told)
        self.assertRegex(message, rf"{self.small} has \d\.\d MB free", told)
        for fragment in (*WAYS_OUT, *fragments):
            self.assertIn(fragment, message, told)
        self.assertFalse(Path("output").exists(), told)
        self.assertEqual(list(self.small.iterdir()), [], told)

    def accept(self, place, *words, ranks=2):
        done, told = self.train(place, *words, ranks=ranks)
        self.assertEqual(done.returncode, 0, told)
        self.assertTrue(Path("output/summary.json").exists(), told)
        self.assertEqual(list(place.iterdir()), [], told)
        shutil.rmtree("output")

    def test_parameters_that_do_not_fit(self):
        self.refuse(WIDE, "train.exchange = \"node\"", ["train.exchange = \"tree\""])
        self.accept(self.small, *WIDE, "--set", "train.exchange=tree")  # a way out that the message names
        self.accept(self.roomy, *WIDE)  # another

    def test_data_that_do_not_fit(self):
        self.refuse(LARGE, "data.h5:/large", ["fewer or smaller samples"])
        self.accept(self.roomy, *LARGE)

    def test_test_data_that_do_not_fit_beside_the_training_data(self):
        self.refuse(HALVES, "data.h5:/half", ["fewer or smaller samples"])
        self.accept(self.small, *HALVES[:2])

    def test_data_to_evaluate_that_do_not_fit(self):
        done, told = self.launch(self.small, "train", "run.toml", "--output", "trained", "--quiet")
        self.assertEqual(done.returncode, 0, told)
        self.refuse(["evaluate", "trained", "--data", "data.h5:/large"], "data.h5:/large", ["fewer or smaller samples"],
                    evaluate=True)

    def test_one_rank_needs_no_shared_memory(self):
        self.accept(self.small, *WIDE, *LARGE, ranks=1)


def mount(place):
    """Raises OSError where it may not be."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def reason_not_to_run():
    """Why there can be no small file system here, or nothing."""
    with tempfile.TemporaryDirectory() as place:
        try:
            mount(place)
        except OSError as error:
            return str(error)
        subprocess.run(["umount", place], check=True)
    return ""


if __name__ == "__main__":
    PROGRAM, MPIEXEC = os.path.abspath(sys.argv[1]), sys.argv[2]
    del sys.argv[1:]
    if reason := reason_not_to_run():
        for line in (__file__, "too little shared memory is not tested here, for nothing can be mounted.", reason,
                     "run it as root, in a container with --cap-add SYS_ADMIN"):
            print("NOT RUN:", line, flush=True)
        sys.exit(NOT_RUN)
    unittest.main()
