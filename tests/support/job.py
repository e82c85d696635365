"""A job that runs while a test does something to it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import program

# Six shards of a net that takes a second or two for its 40 epochs.
RUN = """
[data]
train = "data/digits.h5:/train"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=256}, {type="tanh"}, {type="dropout", rate=0.1}, {type="dense", units=10}]
[train]
batch = 96
shards = 6
epochs = 40
[optimizer]
type = "adam"
[checkpoint]
every_steps = 7
[log]
every_steps = 1
"""


class Job:
    """mpirun with a training that writes to `folder`."""

    def __init__(self, run_file, folder, *more, ranks=3, environment=None):
        self.folder = Path(folder)
        self.process = subprocess.Popen(
            ["mpirun", "-n", str(ranks), program.PROGRAM, "train", str(run_file), "--output", str(folder), "--quiet", *more],
            cwd=program.PLACE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **(environment or {})})

    def ranks(self):
        """Process ids of the ranks that run, in the order of their ranks."""
        return program.ranks_of(self.folder)

    def steps(self):
        """Rows of steps.csv."""
        try:
            return len((self.folder / "steps.csv").read_text(encoding="utf-8").splitlines()) - 1
        except OSError:
            return 0

    def wait_for_steps(self, steps, seconds=60):
        deadline = time.monotonic() + seconds
        while self.steps() < steps:
            if self.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the job does not get to {steps} rows: exit {self.poll()}\n{self.end()}")
            time.sleep(0.02)

    def poll(self):
        return self.process.poll()

    def signal_launcher(self, number):
        self.process.send_signal(number)

    def wait(self, seconds):
        """Exit code and all that was printed."""
        try:
            told, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"the job still runs after {seconds} s\n{self.end()}") from late
        return self.process.returncode, told

    def end(self):
        """Kills what is left; returns what was printed."""
        for pid in self.ranks():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        return self.process.communicate()[0]


def trained_a_while(folder, ranks=2):
    """The process ids of its ranks, once all of them are there and the run in `folder` has some steps behind it."""
    try:
        rows = (Path(folder) / "steps.csv").read_text(encoding="utf-8").count("\n")
    except OSError:
        return None
    found = program.ranks_of(folder)
    return found if rows > 20 and len(found) == ranks else None


def assert_goes_on(test, run_file, folder, whole):
    """From its newest checkpoint, a run that was cut off comes to the bits of one that was not. Its epochs may be many: it
    goes on to the end of the next one but one, and so does the run that is made in `whole`."""
    program.run("inspect", folder, "--verify", mpi=False)
    newest = program.checkpoints(folder)[-1]
    epochs = 2 + int(newest[5:13]) // 15  # of 15 batches each
    more = ("--quiet", "--set", f"train.epochs={epochs}")
    program.run("train", run_file, "--output", folder, "--resume", *more, ranks=2)
    program.run("train", run_file, "--output", whole, "--overwrite", *more, ranks=1)
    test.assertEqual(program.digest(folder), program.digest(whole))
    test.assertEqual(program.metrics(folder), program.metrics(whole))
    test.assertEqual(program.steps(folder), program.steps(whole))
