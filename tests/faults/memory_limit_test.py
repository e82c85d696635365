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

# A net of 30 billion weights, 120 GB, and one of 72 million, several times 288 MB.
HUGE = ("--set", "model.layers.0.units=120000", "--set", "model.layers.3.units=250000")
LARGE = ("--set", "model.layers.0.units=12000", "--set", "model.layers.3.units=6000")
EXCHANGES = ("node", "tree", "allreduce")


class Net(unittest.TestCase):
    """What a net needs is compared with what there is before any of it is taken."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.out = self.folder / "run"

    def train(self, ranks, mebibytes, *words):
        """Exit code and stderr of a job whose ranks have so much address space each; fails where it does not end."""
        limit = ["prlimit", f"--as={mebibytes * MIB}"] if mebibytes else []
        done = subprocess.run(["mpirun", "-n", str(ranks), *limit, program.PROGRAM, "train", "launch/runs/digits.toml",
                               "--output", str(self.out), *words], capture_output=True, text=True, timeout=100,
                              cwd=program.PLACE)
        self.assertEqual(program.ranks_of(self.out), [])
        return done.returncode, done.stderr

    def assert_refused(self, code, told, why):
        self.assertEqual(code, 2, told)
        self.assertEqual(told.count("lockstep: error:"), 1, told)
        self.assertRegex(told, "lockstep: error: this run needs " + why)
        self.assertFalse(self.out.exists())

    def test_a_net_that_no_host_holds_is_refused_with_sizes_and_ways_out(self):
        for ranks, exchange in ((1, "node"), (1, "tree"), (3, "node"), (3, "allreduce")):
            self.assert_refused(*self.train(ranks, None, *HUGE, "--set", f"train.exchange={exchange}"),
                                r"\d{6,}\.\d MB of memory on host \S+ \(.*; \d+\.\d MB are available, .*"
                                r"\(/proc/meminfo\)\. Ways out: .*hosts with more memory")

    def test_a_net_beyond_the_limit_of_a_process_is_refused_by_one_message(self):
        for ranks in (1, 3):
            for exchange in EXCHANGES:
                self.assert_refused(*self.train(ranks, 1500, *LARGE, "--set", f"train.exchange={exchange}"),
                                    r"\d{4}\.\d MB of memory on rank \d on \S+.*; the limit of address space leaves "
                                    r"\d{3,4}\.\d MB \(ulimit -v\)\. Ways out: .*a higher limit")

    def test_activations_count(self):
        words = ("--set", "train.shards=3", "--set", "train.batch=1438", "--set", "model.layers.0.units=200000",
                 "--set", "model.layers.3.units=1")
        self.assert_refused(*self.train(3, 1500, *words), r".*Ways out: a smaller train\.batch or more train\.shards")

    def test_a_net_that_fits_is_trained(self):
        code, told = self.train(3, 1500, "--set", "train.exchange=tree", "--set", "train.epochs=1", "--quiet")
        self.assertEqual(code, 0, told)

    # Wherever memory runs out, also behind the check: one message, and an end.
    def test_memory_that_runs_out_is_one_message(self):
        words = ("--quiet", "--overwrite", "--set", "train.epochs=1", "--set", "train.batch=1438",  # one step
                 "--set", "train.exchange=tree", "--set", "model.layers.0.units=1500", "--set", "model.layers.3.units=3000")
        codes = set()
        for mebibytes in range(450, 1200, 50):
            code, told = self.train(3, mebibytes, *words)
            codes.add(code)
            if code == 0:
                break
            self.assertIn(code, (1, 2), told)
            self.assertEqual(told.count("lockstep: error:"), 1, told)
            self.assertRegex(told, "needs .* of memory|out of memory|unable to allocate memory")  # the last: of HDF5, a checkpoint
        self.assertIn(0, codes)
        self.assertGreater(len(codes), 1)

    def test_a_dry_run_takes_no_memory_for_a_net(self):
        for ranks, exchange in ((1, "node"), (3, "node"), (1, "allreduce"), (3, "tree")):
            code, told = self.train(ranks, 700, "--dry-run", *HUGE, "--set", f"train.exchange={exchange}")
            self.assertEqual(code, 0, told)
            self.assertIn("30010550010 parameters; 1438 training", told)
            self.assertRegex(told, r"memory: \d{6,7}\.\d MB a rank \(63\.4 MB of it activations\), "
                                   r"\d{6,7}\.\d MB a host with \d ranks? \(0\.1 MB of it data, held once\); "
                                   r"360126\.6 MB more on rank 0 while a checkpoint is written")
            self.assertRegex(told, r"warning: a start would be refused: this run needs \d{6,7}\.\d MB of memory")
            if exchange != "node" and ranks > 1:  # what is told and what is compared are the same numbers
                rank, scores, most = (float(re.search(text, told).group(1)) for text in (
                    r"memory: (\S+) MB a rank", r"(\S+) MB more a rank while scores are taken", r"ranks of up to (\S+) MB"))
                self.assertGreater(scores, 100)
                self.assertAlmostEqual(rank + scores, most, delta=0.5)
            self.assertFalse(self.out.exists())

    def test_a_dry_run_tells_what_a_start_says(self):
        refused, dry = (self.train(3, 1500, *LARGE, *more)[1] for more in ((), ("--dry-run",)))
        text = re.search(r"lockstep: error: (.*)", refused).group(1)
        self.assertIn(re.sub(r"leaves \S+", "", text), re.sub(r"leaves \S+", "", dry))
        self.assertIn("a start would be refused: this run needs", dry)

    def test_a_dry_run_does_not_take_what_a_start_takes_where_it_fits(self):
        code, dry = self.train(1, 600, "--dry-run", *LARGE, "--set", "train.exchange=tree")
        self.assertEqual(code, 0, dry)
        self.assertIn("would be refused", dry)
        self.assertNotIn("would be refused", self.train(1, None, "--dry-run", *LARGE, "--set", "train.exchange=tree")[1])

    def test_a_dry_run_compares_a_checkpoint_with_the_net(self):
        self.train(2, None, "--quiet", "--set", "train.epochs=1")
        code, told = self.train(3, 700, "--dry-run", "--resume", "--set", "train.epochs=1")
        self.assertEqual(code, 0, told)
        self.assertIn("resumed from", told)
        self.assertIn("nothing left to do", told)
        code, told = self.train(1, 700, "--dry-run", "--resume", "--set", "train.epochs=1", "--set", "optimizer.type=sgd")
        self.assertEqual(code, 2, told)
        code, told = self.train(1, 700, "--dry-run", "--overwrite", *HUGE, "--set", f"model.initial={self.out}")
        self.assertEqual(code, 0, told)
        self.assertIn("starts with ", told)


if __name__ == "__main__":
    program.main()
