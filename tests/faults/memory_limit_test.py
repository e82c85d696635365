"""Little memory (ulimit -v), or no MPI: commands that compute nothing do not notice, others say so. Nobody waits for it."""

import re
import resource
import shutil
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


def libraries(*arguments):
    """The names of those that the program loads, sooner or later."""
    done = program.run(*arguments, mpi=False, environment={"LD_DEBUG": "libs"})
    return set(re.findall(r"\bfind library=(\S+)", done.stderr))


class MemoryLimit(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.run = self.folder / "run"
        program.run("train", program.ROOT / "launch/runs/digits.toml", "--output", self.run, "--quiet", "--set",
                    "train.epochs=1", "--set", "train.shards=1")

        (self.folder / "table.csv").write_text("a,b\n1,2\n3,4\n", encoding="utf-8")

    def alone(self):
        """Commands that one process runs."""
        return (("inspect", DATA), ("inspect", self.run), ("report", self.run), ("export", self.run, "--overwrite", "--onnx",
                self.folder / "net.onnx", "--npz", self.folder / "net.npz"), ("import", self.folder / "table.csv", "--overwrite",
                "--target", "b", "--output", self.folder / "table.h5"), ("manual",), ("completion", "bash"), ("--version",),
                ("--help",), ("train", "--help"))

    def no_mpi(self):
        """An environment in which the library of MPI is an empty file."""
        for library in libraries("evaluate", self.run):
            if library.startswith("libmpi"):
                (self.folder / library).write_bytes(b"")
        return {"LD_LIBRARY_PATH": str(self.folder)}

    def test_commands_that_compute_nothing_end_where_there_is_little_memory(self):
        for arguments in self.alone():
            code, told = limited(64, *arguments)
            self.assertEqual(code, 0, told)

    def test_commands_that_compute_nothing_load_neither_blas_nor_mpi(self):
        for arguments in self.alone():
            loaded = sorted(libraries(*arguments))
            self.assertTrue(any("hdf5" in library for library in loaded), loaded)  # so that it is known to tell
            self.assertFalse([library for library in loaded if re.search("blas|mpi|open-", library)], arguments)

    def test_without_mpi_what_needs_none_works_and_the_rest_says_so_once(self):
        environment = self.no_mpi()
        for arguments in self.alone():
            program.run(*arguments, mpi=False, environment=environment)
        done = program.run("evaluate", self.run, mpi=False, expect=1, environment=environment)
        self.assertRegex(done.stderr, r"\Alockstep: error: evaluate needs MPI, which cannot be loaded: .*libmpi[^\n]*\n\Z")
        self.assertEqual(done.stdout, "")

    def test_a_copy_without_the_library_of_ranks_says_so_once(self):
        copy = self.folder / "bin" / "lockstep"
        copy.parent.mkdir()
        shutil.copy(program.PROGRAM, copy)
        done = subprocess.run(["mpirun", "-n", "3", copy, "evaluate", self.run], capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 1, done.stderr)
        told = [line for line in done.stderr.splitlines() if line.startswith("lockstep: ")]
        self.assertEqual(len(told), 1, done.stderr)
        self.assertRegex(told[0], rf"error: lockstep-ranks\.so is neither in {copy.parent} nor in {self.folder}/\S*lockstep; ")
        done = subprocess.run([copy, "inspect", self.run], capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)
        copy.unlink()
        copy.symlink_to(program.PROGRAM)
        done = subprocess.run([copy, "evaluate", self.run], capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)

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
