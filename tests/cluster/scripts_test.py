"""The launch scripts without their batch systems: pbs.sh with stand-ins for PBS's commands, what both scripts refuse, and
the program in the environments that launchers leave to processes that MPI does not join.

Usage: scripts_test.py PROGRAM
"""

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import job
import program

LAUNCH = program.ROOT / "launch"
SECONDS = 60
STOPPED = 75

# Each stand-in leaves a line with its words. qsub leaves its environment too, as the next job will find it.
STAND_INS = {
    "qstat": 'touch "$FAKE/asked"; while [[ -e $FAKE/hold ]]; do sleep 0.05; done; cat "$FAKE/attributes"',
    "qrerun": 'echo "qrerun $*" >>"$FAKE/calls"; [[ -e $FAKE/may-rerun ]]',
    "qsub": 'echo "qsub $*" >>"$FAKE/calls"; env -0 >"$FAKE/environment"; echo 8.server',
}
ATTRIBUTES = """Job Id: 7.server
    Job_Name = lockstep
    Resource_List.ncpus = 2
    Resource_List.select = 1:ncpus=2:mpiprocs=2:host=a-long-name-that-makes-qs
\ttat-break-the-line
    Resource_List.walltime = {walltime}
    Account_Name = physics
    run_count = {run_count}
    Submit_arguments = launch/pbs.sh
"""
SELECT = "select=1:ncpus=2:mpiprocs=2:host=a-long-name-that-makes-qstat-break-the-line"


class Pbs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.run_file = Path(scratch.name) / "run.toml"
        cls.run_file.write_text(job.RUN, encoding="utf-8")
        program.run("train", cls.run_file, "--output", Path(scratch.name) / "whole", "--quiet", ranks=2)
        cls.digest = program.digest(Path(scratch.name) / "whole")

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.out = self.folder / "run"
        (self.folder / "bin").mkdir()
        for name, text in STAND_INS.items():
            stand_in = self.folder / "bin" / name
            stand_in.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
            stand_in.chmod(0o755)
        (self.folder / "nodes").write_text("localhost\nlocalhost\n", encoding="utf-8")
        self.environment = {
            **os.environ, "FAKE": str(self.folder), "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "PBS_O_QUEUE": "long",
            "PBS_JOBID": "7.server", "PBS_NODEFILE": str(self.folder / "nodes"), "PBS_O_WORKDIR": str(program.ROOT),
            "LOCKSTEP": program.PROGRAM, "RUN": f"{self.run_file} --output {self.out}"}
        self.describe_job()

    def describe_job(self, walltime="01:00:00", run_count=1):
        (self.folder / "attributes").write_text(ATTRIBUTES.format(walltime=walltime, run_count=run_count), encoding="utf-8")

    def start(self, **environment):
        # PBS runs a copy.
        copy = self.folder / "7.server.SC"
        copy.write_bytes((LAUNCH / "pbs.sh").read_bytes())
        running = subprocess.Popen(["bash", copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/",
                                   env={**self.environment, **environment})
        self.addCleanup(running.communicate)
        self.addCleanup(running.kill)
        return running

    def expect_end(self, running, code):
        told = running.communicate(timeout=SECONDS)[0]
        self.assertEqual(running.returncode, code, told)
        self.assertEqual(program.ranks_of(self.out), [])
        return told

    def stop(self, running, number=signal.SIGUSR1):
        """Sends a signal to the script while the ranks train; what it says until it has ended with 75."""
        ranks = self.wait_for(running, lambda: job.trained_a_while(self.out))
        for pid in ranks:
            os.kill(pid, signal.SIGSTOP)
        running.send_signal(number)
        time.sleep(0.2)
        for pid in ranks:
            os.kill(pid, signal.SIGCONT)
        return self.expect_end(running, STOPPED)

    def calls(self):
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()

    def test_a_signal_queues_it_again_by_qsub_and_the_next_job_goes_on(self):
        told = self.stop(self.start())
        self.assertIn("queued again by qsub as 8.server, restart 1 of at most 100", told)
        self.assertNotIn("before it could save", told)
        self.assertIn("the batch system leaves 35", told)  # a minute less than an hour
        present = "".join(f",{name}" for name in ("LD_LIBRARY_PATH", "OPENBLAS_CORETYPE") if os.environ.get(name))
        self.assertEqual(self.calls(), [
            "qrerun 7.server", f"qsub -l {SELECT} -l walltime=01:00:00 -q long -A physics "
            f"-v RUN,LOCKSTEP,LOCKSTEP_RESTARTS,PATH{present} {program.ROOT}/launch/pbs.sh"])
        words = (self.folder / "environment").read_bytes().decode().split("\0")
        handed_on = dict(word.split("=", 1) for word in words if word.startswith(("RUN=", "LOCKSTEP=", "LOCKSTEP_RESTARTS=")))
        self.assertEqual(handed_on["LOCKSTEP_RESTARTS"], "1")
        told = self.expect_end(self.start(**handed_on), 0)
        self.assertEqual(told.count("lockstep: resumed from"), 1, told)
        self.assertEqual(program.digest(self.out), self.digest)

    def wait_for(self, running, condition):
        deadline = time.monotonic() + SECONDS
        while not (found := condition()):
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(running.poll())
            time.sleep(0.02)
        return found

    def test_a_signal_before_the_start_queues_it_again_too(self):
        (self.folder / "hold").touch()
        running = self.start()
        self.wait_for(running, (self.folder / "asked").exists)
        running.send_signal(signal.SIGUSR1)
        (self.folder / "hold").unlink()
        self.assertIn("queued again by qsub", self.expect_end(running, STOPPED))
        self.assertFalse(self.out.exists())

    def test_a_signal_that_kills_ranks_at_their_start_queues_it_again_too(self):
        starting = self.folder / "starting"
        starting.write_text("#!/bin/bash\ntouch ready.$OMPI_COMM_WORLD_RANK\nsleep 30\n", encoding="utf-8")
        starting.chmod(0o755)
        running = self.start(LOCKSTEP=str(starting), LOCKSTEP_LAUNCHER_OPTIONS=f"--wdir {self.folder}")
        self.wait_for(running, (self.folder / "ready.1").exists)
        running.send_signal(signal.SIGUSR1)
        told = self.expect_end(running, STOPPED)
        self.assertIn("pbs.sh: stopped before it could save; the newest checkpoint, if there is one, stands", told)
        self.assertIn("queued again by qsub", told)

    def test_where_it_may_the_job_itself_runs_again(self):
        (self.folder / "may-rerun").touch()
        self.describe_job(run_count=3)
        told = self.stop(self.start(), signal.SIGTERM)
        self.assertIn("queued again by qrerun, restart 3 of at most 100", told)
        self.assertEqual(self.calls(), ["qrerun 7.server"])

    def test_the_end_of_the_walltime(self):
        self.describe_job(walltime="00:01:03")
        told = self.expect_end(self.start(RUN=f"{self.environment['RUN']} --set train.epochs=1000000"), STOPPED)
        self.assertIn("queued again by qsub", told)
        program.run("inspect", self.out, "--verify", mpi=False)

    def test_the_last_restart(self):
        told = self.stop(self.start(LOCKSTEP_MAX_RESTARTS="2", LOCKSTEP_RESTARTS="2"))
        self.assertIn("not started again after 2 restarts (LOCKSTEP_MAX_RESTARTS)", told)
        self.assertFalse((self.folder / "calls").exists())

    def test_other_codes_are_passed_on(self):
        self.expect_end(self.start(RUN=f"{self.environment['RUN']} --set no.such.key=1"), 2)
        self.assertFalse((self.folder / "calls").exists())

    def test_refusals(self):
        for environment, problem in (
                ({"PBS_JOBID": ""}, "this is for qsub"),
                ({"PBS_O_WORKDIR": "/"}, "name lockstep's folder in LOCKSTEP_ROOT"),
                ({"RUN": ""}, 'expected a run file, found "". Usage: RUN='),
                ({"RUN": "no.toml"}, f'expected a run file, found no "no.toml" in {program.ROOT}'),
                ({"RUN": f"{self.run_file} --overwrite"}, "--overwrite: a job that starts again cannot have it"),
                ({"LOCKSTEP": "/no/such"}, "expected the program /no/such, found none. Build it"),
                ({"LOCKSTEP_MAX_RESTARTS": "often"}, 'LOCKSTEP_MAX_RESTARTS: expected a number, found "often"')):
            self.assertIn(problem, self.expect_end(self.start(**environment), 2).replace("\n", " "))
        self.assertFalse(self.out.exists())


class SlurmScript(unittest.TestCase):
    def test_refusals(self):
        run = LAUNCH / "runs" / "digits.toml"
        for environment, words, problem in (
                ({}, [run], "this is for sbatch. Usage: sbatch -n TASKS launch/slurm.sbatch"),
                ({"SLURM_JOB_ID": "7", "LOCKSTEP_ROOT": "/nowhere"}, [run], "name lockstep's folder in LOCKSTEP_ROOT"),
                ({"SLURM_JOB_ID": "7"}, [], 'expected a run file, found ""'),
                ({"SLURM_JOB_ID": "7"}, ["train", run], 'expected a run file, found no "train"'),
                ({"SLURM_JOB_ID": "7", "LOCKSTEP_LAUNCHER": "qrun"}, [run], 'expected mpirun or srun, found "qrun"')):
            environment = {"LOCKSTEP_ROOT": str(program.ROOT), "LOCKSTEP": program.PROGRAM, **environment}
            done = subprocess.run([LAUNCH / "slurm.sbatch", *words], capture_output=True, text=True, cwd="/", check=False,
                                  env={**os.environ, **environment}, timeout=SECONDS)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(problem, done.stderr)


class SplitJob(unittest.TestCase):
    STEP = {"SLURM_JOB_ID": "7", "SLURM_JOBID": "7", "SLURM_STEP_ID": "0", "SLURM_STEPID": "0", "SLURM_NTASKS": "4",
            "SLURM_STEP_NUM_TASKS": "4", "SLURM_NODELIST": "here", "SLURM_NNODES": "1", "SLURM_TASKS_PER_NODE": "4"}

    def run_alone(self, environment, expect):
        return program.run("train", LAUNCH / "runs" / "digits.toml", "--dry-run", mpi=False, environment=environment,
                           expect=expect)

    def test_the_first_task_alone_tells_that_all_are_alone(self):
        for environment, told in (
                ({**self.STEP, "SLURM_PROCID": "0"}, "srun started 4 tasks (SLURM_STEP_NUM_TASKS)"),
                ({"PMI_SIZE": "3", "PMI_RANK": "0"}, "mpiexec started 3 tasks (PMI_SIZE), but MPI sees this one alone")):
            done = self.run_alone(environment, 2)
            self.assertIn(f"lockstep: error: {told}", done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for environment in ({**self.STEP, "SLURM_PROCID": "1"}, {"PMI_SIZE": "3", "PMI_RANK": "1"}):
            self.assertEqual(self.run_alone(environment, 2).stderr, "")

    def test_one_process_in_a_job_script_is_no_such_task(self):
        done = self.run_alone({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, 0)
        self.assertNotIn("error", done.stderr)


if __name__ == "__main__":
    program.main()
