"""A rank that gives no sign of life: the job ends by itself with exit code 4 and names it, on any exchange.

Stopped as by a debugger, stuck in a write to a disk that does not answer; and the times in which all is well though
nothing moves.
"""

import os
import re
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

import job
import program

STUCK_DISK = os.path.abspath(sys.argv.pop(2))
STALL = ("--set", "train.stall_timeout=2")
LONG = ("--set", "train.epochs=40000", "--set", "checkpoint.every_epochs=0")
SECONDS = 25


class SilentRank(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / "run.toml").write_text(job.RUN, encoding="utf-8")

    def start(self, name, *more, ranks=3, environment=None):
        running = job.Job(self.folder / "run.toml", self.folder / name, *more, ranks=ranks, environment=environment)
        self.addCleanup(running.end)
        return running

    def assert_told(self, running, *parts):
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 4, told)
        self.assertEqual(told.count("lockstep: error:"), 1, told)
        for part in parts:
            self.assertRegex(told, part)
        self.assertEqual(running.ranks(), [])

    def test_a_stopped_rank_is_named(self):
        for exchange, stopped in (("node", 0), ("node", 2), ("tree", 1), ("allreduce", 2)):
            with self.subTest(exchange=exchange, stopped=stopped):
                running = self.start(f"{exchange}-{stopped}", *STALL, *LONG, "--set", f"train.exchange={exchange}")
                running.wait_for_steps(3)
                os.kill(running.ranks()[stopped], signal.SIGSTOP)
                self.assert_told(running, rf"rank {stopped} on {re.escape(os.uname().nodename)} has given no sign of life",
                                 r"last seen in step \d+, in ", r"process \d+ is stopped")

    def test_a_rank_stuck_in_a_write_is_named(self):
        stuck = self.folder / "stuck"
        running = self.start("stuck-disk", *STALL, "--set", "train.epochs=40000", "--set", "checkpoint.every_steps=5",
                             environment={"LD_PRELOAD": STUCK_DISK, "STUCK_DISK": str(stuck)})
        running.wait_for_steps(3)
        stuck.touch()
        self.assert_told(running, r"rank 0 on .* has given no sign of life", "in saving a checkpoint")

    def test_ranks_stuck_in_reading_streamed_data_are_named(self):
        stuck = self.folder / "stuck"
        running = self.start("stuck-reads", *STALL, *LONG, "--set", "data.load=stream",
                             environment={"LD_PRELOAD": STUCK_DISK, "STUCK_READS": str(stuck)})
        running.wait_for_steps(3)
        stuck.touch()
        self.assert_told(running, r"rank \d on .* has given no sign of life", "in reading data")

    def test_a_job_that_was_suspended_as_a_whole_goes_on(self):
        running = self.start("suspended", *STALL, *LONG)
        running.wait_for_steps(3)
        for rank in running.ranks():
            os.kill(rank, signal.SIGSTOP)
        time.sleep(4)
        for rank in running.ranks():
            os.kill(rank, signal.SIGCONT)
        before = running.steps()
        running.wait_for_steps(before + 3)
        running.signal_launcher(signal.SIGUSR1)
        self.assertEqual(running.wait(SECONDS)[0], 75)

    def test_the_watch_can_be_switched_off(self):
        running = self.start("patient", "--set", "train.stall_timeout=0", *LONG, ranks=2)
        running.wait_for_steps(3)
        stopped = running.ranks()[1]
        os.kill(stopped, signal.SIGSTOP)
        time.sleep(4)
        self.assertIsNone(running.poll())
        os.kill(stopped, signal.SIGCONT)
        running.signal_launcher(signal.SIGUSR1)
        self.assertEqual(running.wait(SECONDS)[0], 75)


if __name__ == "__main__":
    program.main()
