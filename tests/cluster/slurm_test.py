"""A real Slurm: launch/slurm.sbatch trains, starts again after the time limit's signal and after a requeue, and ends in
the bits of a run that nobody disturbed; srun with PMIx is a job, without it an error.

Usage: slurm_test.py PROGRAM
It starts the daemons itself, for which it must be root; where it may not it says so loudly and exits with NOT_RUN.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import job
import program
import slurm

NOT_RUN = 77  # ctest lists the test as skipped
SCRIPT = program.ROOT / "launch" / "slurm.sbatch"
STOPPED = 75
SECONDS = 90


class SlurmJobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        os.environ["OMPI_MCA_orte_tmpdir_base"] = scratch.name
        os.environ["LOCKSTEP"] = program.PROGRAM
        cls.run_file = cls.folder / "run.toml"
        cls.run_file.write_text(job.RUN, encoding="utf-8")
        cls.slurm = slurm.Slurm(cls.folder)
        cls.addClassCleanup(cls.slurm.stop)
        # Slurm looks at time limits every half a minute: this one waits meanwhile, and the others run.
        cls.limited = cls.submit("limited", "--time=1")
        cls.halted = cls.halt("limited")
        waiting = threading.Thread(target=cls.go_on_after_the_signal)
        waiting.start()
        cls.addClassCleanup(waiting.join)
        program.run("train", cls.run_file, "--output", cls.folder / "whole", "--quiet", ranks=2)
        cls.digest = program.digest(cls.folder / "whole")

    @classmethod
    def submit(cls, name, *options, **environment):
        """The id of a job of slurm.sbatch that trains on two tasks into the folder `name`, with the log `name`.log."""
        done = subprocess.run(
            ["sbatch", "--parsable", "-n", "2", f"--output={cls.folder / name}.log", *options, SCRIPT, cls.run_file,
             "--output", cls.folder / name], capture_output=True, text=True, check=False, cwd=program.PLACE,
            env={**os.environ, **environment})
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    @classmethod
    def log(cls, name):
        try:
            return (cls.folder / f"{name}.log").read_text(encoding="utf-8")
        except OSError:
            return ""

    @classmethod
    def halt(cls, name):
        """Stops the ranks of a run as soon as they have trained a while, so that it waits for what is done to it. Returns
        their process ids."""
        found = cls.slurm.wait_for(f"steps of {name}\n{cls.log(name)}", lambda: job.trained_a_while(cls.folder / name),
                                   SECONDS)
        cls.send(signal.SIGSTOP, found)
        return found

    @staticmethod
    def send(number, pids):
        for pid in pids:
            os.kill(pid, number)

    @classmethod
    def go_on_after_the_signal(cls):
        cls.slurm.wait_for("the signal", lambda: "USR1: the ranks save and stop" in cls.log("limited"), SECONDS)
        subprocess.run(["scontrol", "update", f"JobId={cls.limited}", "TimeLimit=30"], check=True)  # once is enough
        cls.send(signal.SIGCONT, cls.halted)

    def signal_script(self, number, name):
        """What the time limit does, without the wait for it."""
        halted = self.halt(name)
        subprocess.run(["scancel", "--signal=USR1", "--batch", number], check=True)
        self.slurm.wait_for("the script", lambda: "USR1: the ranks save and stop" in self.log(name), SECONDS)
        self.send(signal.SIGCONT, halted)

    def wait_for_end(self, number, name, state="COMPLETED"):
        """The log, once the job has ended in `state`."""
        self.slurm.wait_for(f"the end of {name}", lambda: self.slurm.state(number) not in slurm.UNDER_WAY, SECONDS)
        log = self.log(name)
        self.assertEqual(self.slurm.state(number), state, log)
        return log

    def expect_whole_run(self, number, name, restarts):
        log = self.wait_for_end(number, name)
        self.assertEqual(self.slurm.field(number, "Restarts"), str(restarts), log)
        self.assertEqual(log.count("lockstep: resumed from"), restarts, log)
        self.assertEqual(program.digest(self.folder / name), self.digest, log)
        return log

    def test_the_signal_before_the_time_limit(self):
        log = self.expect_whole_run(self.limited, "limited", 1)
        self.assertIn("slurm.sbatch: stopped early; queued again, restart 1 of at most 100\n", log)
        self.assertNotIn("before it could save", log)
        self.assertRegex(log, r"Slurm leaves ([1-5]\d|60) s")  # of a Slurm that does not tell its jobs when they end

    def test_a_requeue(self):
        number = self.submit("requeued")
        self.halt("requeued")
        subprocess.run(["scontrol", "requeue", number], check=True)
        log = self.expect_whole_run(number, "requeued", 1)
        self.assertNotIn("queued again", log)

    def test_a_signal_while_srun_is_the_launcher(self):
        number = self.submit("by-srun", LOCKSTEP_LAUNCHER="srun")
        self.signal_script(number, "by-srun")
        log = self.expect_whole_run(number, "by-srun", 1)
        self.assertNotIn("before it could save", log)

    def test_the_last_restart(self):
        number = self.submit("last", LOCKSTEP_MAX_RESTARTS="0")
        self.signal_script(number, "last")
        log = self.wait_for_end(number, "last", "FAILED")
        self.assertEqual(self.slurm.field(number, "ExitCode"), f"{STOPPED}:0", log)
        self.assertIn("not started again after 0 restarts (LOCKSTEP_MAX_RESTARTS)", log)
        program.run("inspect", self.folder / "last", "--verify", mpi=False)

    def test_a_cancelled_job_is_not_queued_again(self):
        number = self.submit("cancelled")
        self.halt("cancelled")
        subprocess.run(["scancel", number], check=True)
        self.wait_for_end(number, "cancelled", "CANCELLED")
        program.run("inspect", self.folder / "cancelled", "--verify", mpi=False)

    def srun(self, name, *options):
        return subprocess.run(["srun", "--quiet", "-n", "2", *options, program.PROGRAM, "train", self.run_file, "--output",
                               self.folder / name, "--quiet"], capture_output=True, text=True, timeout=SECONDS, check=False,
                              cwd=program.PLACE)

    def test_srun_with_pmix_is_one_job(self):
        done = self.srun("pmix", "--mpi=pmix")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(program.summary(self.folder / "pmix")["ranks"], 2)
        self.assertEqual(program.digest(self.folder / "pmix"), self.digest)

    def test_srun_without_pmix_is_an_error_that_says_so(self):
        done = self.srun("alone", "--mpi=none")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr.count("lockstep: error: srun started 2 tasks"), 1, done.stderr)
        self.assertIn("try srun --mpi=pmix", done.stderr)
        self.assertNotIn("MPI_Init", done.stderr)
        self.assertFalse((self.folder / "alone").exists())


if __name__ == "__main__":
    if reason := slurm.reason_not_to_run():
        for line in (__file__, "nothing is tested with Slurm here.", reason):
            print("NOT RUN:", line, flush=True)
        sys.exit(NOT_RUN)
    slurm.enter([sys.executable, "-B", *sys.argv])
    program.main()
