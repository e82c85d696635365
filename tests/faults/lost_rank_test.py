"""A rank that leaves the others in the middle of a step: killed, or by an error that it alone has.

The others wait for it in the shared window; the job must end all the same, at once, leave nothing in shared memory, and
go on from its checkpoint to the bits of a run that was not disturbed.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import program

LEAVER = os.path.abspath(sys.argv.pop(2))
SECONDS = 20  # mpirun itself takes a second or two to end the rest

RUN = """
[data]
train = "data/digits.h5:/train"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=256}, {type="tanh"}, {type="dense", units=10}]
[train]
batch = 96
shards = 6
epochs = 40
[optimizer]
type = "adam"
[checkpoint]
every_steps = 7
"""


class LostRank(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.run_file = self.folder / "run.toml"
        self.run_file.write_text(RUN, encoding="utf-8")

    def test_a_killed_rank_ends_the_job_and_the_run_goes_on(self):
        whole = self.folder / "whole"
        program.run("train", self.run_file, "--output", whole, "--quiet", ranks=3)
        for lost in (0, 2):
            out = self.folder / f"lost-{lost}"
            before = program.shared_memory()
            job = subprocess.Popen(["mpirun", "-n", "3", program.PROGRAM, "train", self.run_file, "--output", out, "--quiet",
                                    "--set", "train.epochs=4000"], cwd=program.ROOT, stderr=subprocess.PIPE, text=True)
            try:
                steps = out / "steps.csv"
                deadline = time.monotonic() + 60
                while not steps.exists() or len(steps.read_text(encoding="utf-8").splitlines()) < 4:
                    self.assertIsNone(job.poll(), "the run ended by itself")
                    self.assertLess(time.monotonic(), deadline, "the run does not start")
                    time.sleep(0.05)
                ranks = program.ranks_of(out)
                self.assertEqual(len(ranks), 3)
                os.kill(ranks[lost], signal.SIGKILL)
                job.communicate(timeout=SECONDS)
            finally:
                job.kill()
                job.wait()
            self.assertNotEqual(job.returncode, 0)
            self.assertEqual(program.ranks_of(out), [])
            self.assertLessEqual(program.shared_memory(), before)
            newest = program.checkpoints(out)[-1]
            self.assertRegex(newest, r"step-\d{8}\.h5")
            program.run("inspect", out, "--verify", mpi=False)
            if int(newest[5:13]) >= program.summary(whole)["steps"]:
                continue  # a very quick machine: beyond the end of the other run
            program.run("train", self.run_file, "--output", out, "--quiet", "--resume", ranks=2)
            self.assertEqual(program.digest(out), program.digest(whole))

    def test_an_error_of_one_rank_alone_ends_the_job(self):
        before = program.shared_memory()
        done = subprocess.run(["mpirun", "-n", "3", LEAVER], capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertEqual(done.stderr.count("rank 1 leaves"), 1, done.stderr)
        self.assertLessEqual(program.shared_memory(), before)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
