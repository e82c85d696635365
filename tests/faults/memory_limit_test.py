"""Little memory (ulimit -v): commands that compute nothing do not notice, others say so. Nobody waits for it."""

import resource
import subprocess
import tempfile
import unittest
from pathlib import Path

import program

MIB = 1 << 20
DATA = program.ROOT / "data" / "digits.h5"


def limited(mebibytes, *arguments, environment=None):
    """Exit code and what was told, of the program with so much address space; fails where it does not end."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes * MIB, mebibytes * MIB))
    done = subprocess.run([program.PROGRAM] + [str(a) for a in arguments], capture_output=True, text=True, timeout=100,
                          preexec_fn=limit, env=environment)
    return done.returncode, done.stdout + done.stderr


class MemoryLimit(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.run = self.folder / "run"
        program.run("train", program.ROOT / "launch/runs/digits.toml", "--output", self.run, "--quiet", "--set",
                    "train.epochs=1", "--set", "train.shards=1")

    def test_commands_that_compute_nothing_end_where_blas_has_no_room(self):
        for arguments in (("inspect", DATA), ("inspect", self.run), ("report", self.run),
                          ("export", self.run, "--npz", self.folder / "net.npz")):
            code, told = limited(170, *arguments)
            self.assertEqual(code, 0, told)

    def test_commands_that_compute_nothing_do_not_load_blas(self):
        for arguments in (("inspect", DATA), ("inspect", self.run), ("report", self.run),
                          ("export", self.run, "--onnx", self.folder / "net.onnx")):
            done = program.run(*arguments, mpi=False, environment={"LD_DEBUG": "libs"})
            self.assertIn("libhdf5", done.stderr)  # so that it is known to tell
            self.assertNotIn("openblas", done.stderr)

    def test_a_command_that_computes_says_that_memory_is_too_little(self):
        codes = set()
        for mebibytes in range(250, 800, 25):
            code, told = limited(mebibytes, "evaluate", self.run)
            self.assertIn(code, (0, 1), told)
            self.assertTrue(told.strip())
            codes.add(code)
            if code == 0:
                break
        self.assertEqual(codes, {0, 1})


if __name__ == "__main__":
    program.main()
