"""Checkpoints that cannot be written: the training goes on, all is told, older ones stay, the next point tries again.

The disk is made full by a limit on the size of files; it is freed, or not, before the run ends.
"""

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import job
import program

SECONDS = 30
EPOCHS, STEPS = 40, 600  # long enough to be stopped in between on a busy machine
SHORT = ("--set", f"train.epochs={EPOCHS}")
ROOM = 100_000  # bytes of a file: the logs fit, a checkpoint does not


class LostState(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        cls.run_file = cls.folder / "run.toml"
        cls.run_file.write_text(job.RUN, encoding="utf-8")
        cls.whole = cls.folder / "whole"
        program.run("train", cls.run_file, "--output", cls.whole, "--quiet", *SHORT, ranks=2)

    def limit(self, pid, size):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def start(self, name, *more):
        running = job.Job(self.run_file, self.folder / name, *more, ranks=2)
        self.addCleanup(running.end)
        return running

    def pause(self, running, steps):
        """Stops rank 0 behind so many steps, which stops all."""
        running.wait_for_steps(steps)
        root = running.ranks()[0]
        program.pause(root)
        return root

    def assert_goes_on(self, folder):
        program.run("train", self.run_file, "--output", folder, "--quiet", "--resume", *SHORT, ranks=3)
        self.assertEqual(program.digest(folder), program.digest(self.whole))
        self.assertEqual(program.metrics(folder), program.metrics(self.whole))

    def test_a_full_disk_that_stays_full(self):
        running = self.start("full", *SHORT)
        root = self.pause(running, 10)
        self.limit(root, ROOM)
        os.kill(root, signal.SIGCONT)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 1, told)
        self.assertGreater(told.count("is not saved"), 3, told)  # every failure is told
        self.assertEqual(told.count("lockstep: error:"), 1, told)
        self.assertIn(f"the state after step {STEPS} could not be saved", told)
        self.assertIn(f"trained {STEPS} steps", told)
        good = program.checkpoints(running.folder)
        self.assertTrue(all(name.startswith("step-") for name in good), good)  # nothing half-written
        self.assertLess(int(good[-1][5:13]), STEPS)
        program.run("inspect", running.folder, "--verify", mpi=False)
        self.assert_goes_on(running.folder)

    def test_a_disk_that_has_room_again(self):
        running = self.start("freed", "--set", "train.epochs=40000")
        root = self.pause(running, 10)
        self.limit(root, ROOM)
        os.kill(root, signal.SIGCONT)
        before = running.steps()
        running.wait_for_steps(before + 40)
        os.kill(root, signal.SIGSTOP)
        self.limit(root, resource.RLIM_INFINITY)
        os.kill(root, signal.SIGCONT)
        running.signal_launcher(signal.SIGUSR1)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 75, told)
        self.assertIn("is not saved", told)
        program.run("inspect", running.folder, "--verify", mpi=False)

    def test_a_folder_that_is_gone_comes_back(self):
        running = self.start("gone", *SHORT)
        root = self.pause(running, 10)
        shutil.rmtree(running.folder / "checkpoints")
        os.kill(root, signal.SIGCONT)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 0, told)
        self.assertEqual(program.digest(running.folder), program.digest(self.whole))

    def test_a_file_in_the_place_of_the_folder(self):
        running = self.start("replaced", *SHORT)
        root = self.pause(running, 10)
        kept = self.folder / "kept"
        (running.folder / "checkpoints").rename(kept)
        (running.folder / "checkpoints").write_text("no folder", encoding="utf-8")
        os.kill(root, signal.SIGCONT)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 1, told)
        self.assertIn("is not saved", told)
        (running.folder / "checkpoints").unlink()
        kept.rename(running.folder / "checkpoints")
        self.assert_goes_on(running.folder)

    def test_by_time_with_one_batch_an_epoch(self):
        folder = self.folder / "timed"
        program.run("train", self.run_file, "--output", folder, "--quiet", "--set", "train.batch=1438", "--set",
                    "train.epochs=40", "--set", "checkpoint.every_epochs=0", "--set", "checkpoint.every_steps=0", "--set",
                    "checkpoint.every_seconds=1e-6", "--set", "checkpoint.monitor=train.loss", "--set", "optimizer.lr=1.0",
                    "--set", "checkpoint.keep=99", ranks=2)
        self.assertGreater(len(program.checkpoints(folder)), 5)

    def test_a_log_that_takes_nothing_any_more(self):
        folder = self.folder / "mute"
        with open("/dev/full", "w", encoding="utf-8") as full:
            for progress in ("lines", "live"):
                done = subprocess.run([program.PROGRAM, "train", self.run_file, "--output", folder, "--overwrite", *SHORT],
                                      cwd=program.PLACE, stderr=full, stdout=subprocess.PIPE, text=True, timeout=SECONDS,
                                      check=False, env={**os.environ, "LOCKSTEP_PROGRESS": progress})
                self.assertEqual(done.returncode, 0)
                self.assertIn(f"trained {STEPS} steps", done.stdout)

    def test_a_folder_that_cannot_be_made_is_told_before_the_training(self):
        (self.folder / "file").write_text("no folder", encoding="utf-8")
        done = program.run("train", self.run_file, "--output", self.folder / "file" / "run", ranks=2, expect=1)
        self.assertEqual(done.stderr.count("lockstep: error:"), 1, done.stderr)
        self.assertIn("cannot make the folder", done.stderr)
        self.assertNotIn("epoch 1/", done.stderr)

    def test_logs_that_cannot_be_written_catch_up(self):
        running = self.start("logs", "--set", "train.epochs=40000", "--set", "checkpoint.every_steps=0", "--set",
                             "checkpoint.every_epochs=0")
        root = self.pause(running, 10)
        self.limit(root, (running.folder / "steps.csv").stat().st_size + 30)  # a row is torn
        os.kill(root, signal.SIGCONT)
        subprocess.run(["sleep", "1"], check=True)
        os.kill(root, signal.SIGSTOP)
        self.limit(root, resource.RLIM_INFINITY)
        os.kill(root, signal.SIGCONT)
        before = running.steps()
        running.wait_for_steps(before + 10)
        running.signal_launcher(signal.SIGUSR1)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 75, told)
        self.assertEqual(told.count("steps.csv: cannot be written"), 1, told)
        rows = program.steps(running.folder)
        self.assertEqual([int(row["step"]) for row in rows], list(range(1, len(rows) + 1)))
        self.assertTrue(all(row["loss"] for row in rows))


if __name__ == "__main__":
    program.main()
