"""Checkpoints from strangers: a right trailer over wrong content. All commands refuse them with the same message, which
names the file and what in it is wrong, at once and in little memory; those of older programs are read.

Usage: strange_checkpoint_test.py PROGRAM
"""

import concurrent.futures
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy

import checkpoint_file
import program
import strange_checkpoints

# Of the program before checkpoints were checked whole; its data is that of make_data, its folder is gone.
OLD = Path(__file__).resolve().parent / "old_checkpoint.h5"
OLD_DIGEST = "ff9809f18faceed74df765d66c4af613"
SECONDS = 20  # a refusal takes a small part of one
BYTES = 400e6  # the libraries alone take about 50 MB, a job's 100
ERROR = "lockstep: error: "

# Looked at by every command; the others by `inspect --verify` alone, which is one function with them.
BY_ALL = ("/parameters/dense1/weight: pipe", "/parameters/dense1/weight: other file", "/run: pipe", "/classes: virtual",
          "/optimizer/exp_avg/dense1/bias: packed zeros", "x_shift alone", "three columns of x_scale",
          "/ema/dense2/weight: external storage", "/ seed: 1099511627776", "run: units", "classes: two names")
# One array of each type goes through all changes, and a few attributes; the others through some.
WHOLLY = ("/run: ", "/parameters/dense1/weight: ", "/history/test_loss: ", "/ step: ", "/parameters order: ",
          "/history loss_sum: ")
SOME = ("removed", "pipe", "longer", "packed zeros", "text", "integer", "-1", "nan", "repeated")


def is_looked_at(name):
    place, _, change = name.rpartition(": ")
    return not place.startswith("/") or name.startswith(WHOLLY) or change in SOME


def make_data(path):
    """The data of OLD."""
    numbers = numpy.arange(32 * 4).reshape(32, 4)
    x, y = ((numbers * 37) % 101 - 50).astype("f4") / 50, (numpy.arange(32) % 3).astype("i8")
    with h5py.File(path, "w") as file:
        file["train/x"], file["train/y"], file["test/x"], file["test/y"] = x, y, x[:8], y[:8]
        file["train"].attrs["classes"] = '["a","b","c"]'


def run(*arguments, cwd):
    """Exit code, standard error, peak memory in bytes; it must end in time."""
    words = [program.PROGRAM, *map(str, arguments)]
    # Several run at once, and Open MPI's daemons fail where two of them make the same folder.
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory(prefix="mpi-") as session, \
            subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, cwd=cwd,
                             env={**os.environ, "OMPI_MCA_orte_tmpdir_base": session}) as job:
        deadline = time.monotonic() + SECONDS
        while True:
            pid, status, usage = os.wait4(job.pid, os.WNOHANG)
            if pid != 0:
                break
            if time.monotonic() > deadline:
                job.kill()
                raise AssertionError(f"{arguments} takes more than {SECONDS} seconds")
            time.sleep(0.01)
        job.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        return job.returncode, errors.read().decode(), usage.ru_maxrss * 1024


class StrangeCheckpoints(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        os.mkfifo(cls.folder / "pipe")
        shutil.copy(OLD, cls.folder / "good.h5")
        make_data(cls.folder / "data.h5")
        with h5py.File(OLD, "r") as file:
            run_text = file["run"][()].decode()
        cls.run_text = re.sub(r'"[^"]*/data\.h5:', '"data.h5:', run_text)
        (cls.folder / "run.toml").write_text(cls.run_text, encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def make(self, chosen):
        """Files of the cases that are chosen by their names: name, path, text of the refusal."""
        files = []
        for number, (name, change, says) in enumerate(strange_checkpoints.cases(OLD, self.folder)):
            if chosen(name):
                path = self.folder / f"strange-{number}.h5"
                checkpoint_file.changed(OLD, path, change)
                files.append((name, path, says))
        return files

    def check_refusal(self, name, arguments, path, says, ended):
        code, errors, peak = ended
        told = f"{name}: {arguments[0]}: {errors}"
        self.assertEqual(code, 2, told)
        self.assertTrue(errors.startswith(ERROR), told)
        self.assertIn(str(path), errors, told)
        self.assertTrue(any(text in errors for text in says), f"{told}\nnone of {says}")
        self.assertLess(peak, BYTES, told)

    def test_wrong_content_under_a_right_trailer_is_refused_by_name(self):
        files = self.make(is_looked_at)
        self.assertGreater(len(files), 250)

        def look(case):
            name, path, says = case
            ended = run("inspect", "--verify", path, cwd=self.folder)
            path.unlink()
            if says is None:
                self.assertEqual((ended[0], ended[1]), (0, ""), name)
            else:
                self.check_refusal(name, ("inspect",), path, says, ended)
                self.assertEqual(ended[1].count(ERROR), 1, f"{name}: {ended[1]}")
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            list(pool.map(look, files))

    def test_all_commands_give_the_same_verdict(self):
        files = self.make(lambda name: name in BY_ALL)
        self.assertEqual(len(files), len(BY_ALL))
        commands = [("inspect",), ("inspect", "--verify"), ("inspect", "--json"), ("inspect", "--digest"),
                    ("export", "--onnx", "out.onnx"), ("export", "--npz", "out.npz"), ("export", "--hdf5", "out.h5"),
                    ("evaluate", "--data", "data.h5:/test"), ("predict", "--input", "data.h5:/test", "--output", "out.csv"),
                    ("explain",), ("landscape", "--weight", "dense1[0,0]")]

        def look(case):
            name, path, says = case
            messages = set()
            for words in commands:
                ended = run(words[0], path, *words[1:], cwd=self.folder)
                self.check_refusal(name, words, path, says, ended)
                messages.add(ended[1].splitlines()[0])
            self.assertEqual(len(messages), 1, messages)
            message = messages.pop()[len(ERROR):]
            warm = run("train", "run.toml", "--output", f"{path}.warm", "--set", f"model.initial={path}", cwd=self.folder)
            self.check_refusal(name, ("warm start",), path, says, warm)
            self.assertIn(ERROR + "model.initial: " + message, warm[1])
            self.assertFalse(Path(f"{path}.warm").exists(), name)
            resumed = self.folder / f"{path.name}.resumed"
            (resumed / "checkpoints").mkdir(parents=True)
            newest = resumed / "checkpoints/step-00000006.h5"
            shutil.move(path, newest)
            code, errors, peak = run("train", "run.toml", "--output", resumed, "--resume", cwd=self.folder)
            self.assertIn(f"skipped a checkpoint: {message.replace(str(path), str(newest))}", errors, name)
            self.assertEqual(code, 0, errors)
            self.assertLess(peak, BYTES, name)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            list(pool.map(look, files))

    def test_a_checkpoint_of_an_older_program_is_read_and_goes_on(self):
        self.assertEqual(program.run("inspect", OLD, "--digest", mpi=False).stdout.strip(), OLD_DIGEST)
        program.run("evaluate", OLD, "--data", self.folder / "data.h5:/test")
        program.run("export", OLD, "--onnx", self.folder / "old.onnx", mpi=False)
        output = self.folder / "older"
        (output / "checkpoints").mkdir(parents=True)
        shutil.copy(OLD, output / "checkpoints/step-00000006.h5")
        ended = program.run("train", "run.toml", "--output", output, "--resume", "--set", "train.epochs=3", cwd=self.folder)
        self.assertIn("step-00000006.h5: step 6", ended.stderr)
        self.assertEqual(program.checkpoints(output)[-1], "step-00000009.h5")

    def test_a_link_to_a_good_file_is_no_good_file(self):
        """`inspect --verify` called the numbers of another file good."""
        path = self.folder / "linked.h5"
        good = self.folder / "good.h5"
        checkpoint_file.changed(OLD, path, strange_checkpoints.instead(
            "/ema", lambda file: file.__setitem__("/ema", h5py.ExternalLink(good, "/ema"))))
        done = program.run("inspect", "--verify", path, mpi=False, expect=2)
        self.assertRegex(done.stderr, "/ema is an external link|/ keeps its links")


if __name__ == "__main__":
    program.main()
