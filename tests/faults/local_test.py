"""launch/local.sh: a run whose rank is killed goes on by itself, a signal makes it save and stop, nothing is left behind."""

import os
import pty
import select
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import program
from job import RUN as SHORT_RUN

SCRIPT = program.ROOT / "launch" / "local.sh"
STOPPED = 75
SECONDS = 10  # a job with a killed rank, or one that is told to end, is over by then

RUN = SHORT_RUN.replace("epochs = 40", "epochs = 120")

DEAF = """#!/bin/bash
trap '' INT TERM USR1
echo ready
for i in {1..600}; do sleep 0.1; done
"""

# Leaves a line for each start, is killed at the first start without and at the second with a checkpoint in its folder.
OVERWRITER = """#!/bin/bash
echo "$*" >>starts
starts=$(wc -l <starts)
if ((starts == 2)); then touch runs/mine/checkpoints/step-00000000.h5; fi
if ((starts < 3)); then kill -KILL $$; fi
"""


def steps_so_far(folder):
    """The step of the newest checkpoint; -1 without one."""
    try:
        return max((int(name[5:13]) for name in program.checkpoints(folder) if name.endswith(".h5")), default=-1)
    except OSError:
        return -1


class Local(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.whole = Path(scratch.name) / "whole"
        cls.run_file = Path(scratch.name) / "run.toml"
        cls.run_file.write_text(RUN, encoding="utf-8")
        program.run("train", cls.run_file, "--output", cls.whole, "--quiet", ranks=3)
        cls.digest = program.digest(cls.whole)

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.out = self.folder / "run"

    def start(self, *arguments, script=(), lockstep=program.PROGRAM, **options):
        """local.sh, which must be over when the test is."""
        options = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": program.PLACE, **options}
        job = subprocess.Popen([SCRIPT, *script, "--", *arguments], text=True,
                               env={**os.environ, "LOCKSTEP": str(lockstep)}, **options)

        def end():
            if job.poll() is None:
                job.send_signal(signal.SIGINT)
                time.sleep(1)
                job.terminate()
            job.communicate()

        self.addCleanup(end)
        return job

    def train(self, *options, script=("-n", "3"), **popen):
        return self.start("train", self.run_file, "--output", self.out, "--quiet", *options, script=script, **popen)

    def wait_for(self, what, condition, job=None):
        deadline = time.monotonic() + 200  # only so that a job that hangs fails: other tests may run beside it
        while not (found := condition()):
            if job:
                self.assertIsNone(job.poll(), f"local.sh ended before {what}")
            self.assertLess(time.monotonic(), deadline, f"waited for {what}")
            time.sleep(0.02)
        return found

    def wait_for_steps(self, job, ranks, beyond=0, gone=()):
        """The ranks, other ones than `gone`, as soon as they have saved a step behind `beyond`."""
        def running():
            found = program.ranks_of(self.out)
            return found if len(found) == ranks and not set(found) & set(gone) and steps_so_far(self.out) > beyond else []
        return self.wait_for(f"{ranks} ranks behind step {beyond}", running, job)

    def expect_end(self, job, code):
        """What it said on stderr, once it has ended with `code`; nothing of it may be left."""
        said = job.communicate(timeout=SECONDS)[1] or ""
        self.assertEqual(job.returncode, code, said)
        self.assertEqual(program.ranks_of(self.out), [])
        return said

    def resume_to_the_end(self, ranks):
        job = self.train("--resume", script=("-n", str(ranks)))
        self.wait_for("the end", lambda: job.poll() is not None)
        self.expect_end(job, 0)
        self.assertEqual(program.digest(self.out), self.digest)

    def test_goes_on_after_killed_ranks(self):
        job = self.train(script=("-n", "3", "--restarts", "3"))
        first = self.wait_for_steps(job, 3)
        os.kill(first[1], signal.SIGKILL)
        second = self.wait_for_steps(job, 3, beyond=steps_so_far(self.out), gone=first)
        os.kill(second[0], signal.SIGKILL)
        self.wait_for("the end", lambda: job.poll() is not None)
        said = self.expect_end(job, 0)
        self.assertIn("local.sh: a rank died (exit code 137); starting again on 3 ranks, 2 restarts left\n", said)
        self.assertIn("local.sh: a rank died (exit code 137); starting again on 3 ranks, 1 restart left\n", said)
        self.assertEqual(program.digest(self.out), self.digest)

    def test_shrinks_until_no_restart_is_left(self):
        job = self.train(script=("-n", "2", "--restarts", "1", "--shrink"))
        first = self.wait_for_steps(job, 2)
        os.kill(first[1], signal.SIGKILL)
        second = self.wait_for_steps(job, 1, beyond=steps_so_far(self.out), gone=first)
        os.kill(second[0], signal.SIGKILL)
        said = self.expect_end(job, 128 + signal.SIGKILL)
        self.assertIn("local.sh: a rank died (exit code 137); starting again on 1 rank, 0 restarts left\n", said)
        self.assertIn("local.sh: a rank died (exit code 137); no restarts left\n", said)
        self.resume_to_the_end(3)

    def test_a_signal_makes_it_save_and_stop(self):
        job = self.train(script=("-n", "3", "--restarts", "3"))
        self.wait_for_steps(job, 3)
        job.terminate()
        said = self.expect_end(job, STOPPED)
        self.assertNotIn("starting again", said)
        self.assertNotIn("before it could save", said)
        program.run("inspect", self.out, "--verify", mpi=False)
        self.resume_to_the_end(2)

    def test_so_does_ctrl_c_on_a_terminal(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        # The script leads the session of the terminal, so that the terminal sends it what is typed.
        job = self.start("train", self.run_file, "--output", self.out, script=("-n", "2"), start_new_session=True,
                         stdin=theirs, stdout=theirs, stderr=theirs,
                         preexec_fn=lambda: os.close(os.open(os.ttyname(theirs), os.O_RDWR)))
        os.close(theirs)
        seen = b""

        def read():
            nonlocal seen
            while select.select([ours], [], [], 0)[0]:
                try:
                    seen += os.read(ours, 65536)
                except OSError:  # the other side is closed
                    break
            return seen

        self.wait_for("the live line", lambda: b"\r\x1b[Kepoch" in read(), job)
        os.write(ours, b"\x03")
        self.wait_for("the end", lambda: read() and job.poll() is not None)
        read()
        self.assertEqual(job.returncode, STOPPED, seen)
        self.assertNotIn(b"before it could save", seen)
        self.assertEqual(program.ranks_of(self.out), [])
        program.run("inspect", self.out, "--verify", mpi=False)

    def test_a_second_signal_ends_it_at_once(self):
        deaf = self.folder / "deaf"
        deaf.write_text(DEAF, encoding="utf-8")
        deaf.chmod(0o755)
        log = self.folder / "log"
        with log.open("w", encoding="utf-8") as stdout:
            job = self.start("train", script=("-n", "2", "--restarts", "3"), lockstep=deaf, stdout=stdout)
        self.wait_for("the ranks", lambda: log.read_text(encoding="utf-8").count("ready") == 2, job)
        job.send_signal(signal.SIGINT)
        job.send_signal(signal.SIGINT)  # at once: the same wish
        time.sleep(0.7)
        self.assertIsNone(job.poll())
        job.send_signal(signal.SIGINT)
        self.expect_end(job, 128 + signal.SIGINT)
        left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(deaf).encode() in self.read_or_nothing(path)]
        self.assertEqual(left, [])

    @staticmethod
    def read_or_nothing(path):
        try:
            return path.read_bytes()
        except OSError:
            return b""

    def test_overwrite_stays_until_there_is_a_checkpoint_of_this_job(self):
        overwriter = self.folder / "overwriter"
        overwriter.write_text(OVERWRITER, encoding="utf-8")
        overwriter.chmod(0o755)
        old = self.folder / "runs" / "mine" / "checkpoints" / "step-00000480.h5"
        old.parent.mkdir(parents=True)
        old.touch()
        os.utime(old, (time.time() - 60,) * 2)
        run_file = self.folder / "run.toml"
        run_file.write_text('seed = 2\nname = "mine" # a comment\n[data]\nname = "other"\n', encoding="utf-8")
        job = self.start("train", "run.toml", "--output", "runs/mine", "--overwrite", script=("-n", "1", "--restarts", "2"),
                         lockstep=overwriter, cwd=self.folder)
        self.wait_for("the end", lambda: job.poll() is not None)
        self.expect_end(job, 0)
        self.assertEqual((self.folder / "starts").read_text(encoding="utf-8").splitlines(), [
            "train run.toml --output runs/mine --overwrite", "train run.toml --output runs/mine --overwrite",
            "train run.toml --output runs/mine --resume"])

    def test_a_killed_script_leaves_nothing(self):
        job = self.train(script=("-n", "2", "--restarts", "3"))
        self.wait_for_steps(job, 2)
        job.kill()
        self.wait_for("the end of the ranks", lambda: not program.ranks_of(self.out))
        program.run("inspect", self.out, "--verify", mpi=False)

    def test_other_codes_are_passed_on(self):
        job = self.train("--set", "no.such.key=1", script=("-n", "1", "--restarts", "3"))
        self.assertNotIn("starting again", self.expect_end(job, 2))

    def test_bad_usage(self):
        for arguments, problem in {
                (): "expected -- and a command",
                ("train", "run.toml"): 'expected an option or --, found "train"',
                ("-n", "0", "--", "train"): '-n: expected a number, found "0"',
                ("-n",): '-n: expected a number, found ""',
                ("--restarts", "two", "--", "train"): '--restarts: expected a number, found "two"',
                ("--restarts", "1", "--", "bench"): "only train can",
                ("--restarts", "1", "--", "train", "r.toml", "--overwrite"): "needs --output",
                ("--shrink", "--", "train"): "needs --restarts"}.items():
            done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(problem, done.stderr)
            self.assertIn("\nUsage: launch/local.sh", done.stderr)
        done = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, timeout=SECONDS, check=True)
        self.assertIn("--restarts K", done.stdout)


if __name__ == "__main__":
    program.main()
