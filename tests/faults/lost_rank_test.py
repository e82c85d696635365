"""A rank that leaves the others in the middle of a step: killed, or by an error that it alone has.

The others wait for it in the shared window; the job must end all the same, at once, leave nothing in shared memory, and
go on from its checkpoint to the bits of a run that was not disturbed.
"""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import job
import program

LEAVER = os.path.abspath(sys.argv.pop(2))
SECONDS = 10  # mpirun itself takes a second or two to end the rest


class LostRank(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.run_file = self.folder / "run.toml"
        self.run_file.write_text(job.RUN, encoding="utf-8")

    def test_a_killed_rank_ends_the_job_and_the_run_goes_on(self):
        for lost in (0, 2):
            before = program.shared_memory()
            running = job.Job(self.run_file, self.folder / f"lost-{lost}", "--set", "train.epochs=40000")
            self.addCleanup(running.end)
            running.wait_for_steps(20)
            ranks = running.ranks()
            self.assertEqual(len(ranks), 3)
            os.kill(ranks[lost], signal.SIGKILL)
            code, told = running.wait(SECONDS)
            self.assertEqual(code, 128 + signal.SIGKILL, told)
            self.assertIn(f"process rank {lost} ", told)  # mpirun's words
            # The SIGTERM that mpirun sends then is no wish to save and stop.
            self.assertNotIn("stops the run", told)
            self.assertNotIn("saved", told)
            self.assertEqual(running.ranks(), [])
            self.assertLessEqual(program.shared_memory(), before)
            job.assert_goes_on(self, self.run_file, running.folder, self.folder / "whole")

    def test_an_error_of_one_rank_alone_ends_the_job(self):
        before = program.shared_memory()
        done = subprocess.run(["mpirun", "-n", "3", LEAVER], capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertEqual(done.stderr.count("rank 1 leaves"), 1, done.stderr)
        self.assertLessEqual(program.shared_memory(), before)


if __name__ == "__main__":
    program.main()
