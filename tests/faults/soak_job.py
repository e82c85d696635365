"""One mpirun job of the soak: started, watched from outside, ended one way or another, and looked after."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import program

MARK = "LOCKSTEP_SOAK"  # the variable by which processes are known as a job's own
ERROR = re.compile(r"^.*lockstep: error: .*$", re.MULTILINE)
POLL = 0.002  # seconds
GONE_WITHIN = 2  # seconds until the last process of a job is gone once mpirun has ended


class Failure(Exception):
    """The program did not do what it must."""


class TooLate(Exception):
    """The job was done before the fault could be made."""


def require(condition, text):
    if not condition:
        raise Failure(text)


class Ended:
    """How a job ended: mpirun's exit code, what came to stderr, how long it took."""

    def __init__(self, code, stderr, seconds):
        self.code = code
        self.seconds = seconds
        self.stderr = stderr
        self.errors = ERROR.findall(stderr)

    def expect(self, code):
        require(self.code == code, f"exit code {self.code}, expected {code}")


class Job:
    """Trains the run file of `place` into the folder `output`, always with --resume. Its processes carry a mark."""

    def __init__(self, place, ranks, output, *options):
        self.num_ranks = ranks
        self.output = output
        self.old_steps = identity(self.output / "steps.csv")
        self.session = Path(tempfile.mkdtemp(prefix="job-", dir=place))
        self.shared = Path(tempfile.mkdtemp(prefix="lockstep-soak-", dir="/dev/shm"))
        self.stderr = self.session / "stderr"
        self.began = time.monotonic()
        self.ended = None
        words = ["mpirun", "-n", ranks, program.PROGRAM, "train", "run.toml", "--output", output, "--resume", "--quiet",
                 *options]
        self.command = [str(word) for word in words]
        environment = {**os.environ, MARK: str(self.session), "OMPI_MCA_orte_tmpdir_base": str(self.session),
                       "OMPI_MCA_osc_sm_backing_directory": str(self.shared),
                       "OMPI_MCA_btl_vader_backing_directory": str(self.shared)}
        with open(self.stderr, "wb") as stderr:
            self.process = subprocess.Popen(self.command, cwd=place, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=stderr)

    def processes(self):
        """Environments of all living processes of this job, by process id."""
        mark = f"{MARK}={self.session}".encode()
        found = {}
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    environment = (process / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if mark in environment:
                    found[int(process.name)] = environment
        return found

    def ranks(self):
        """Process ids by rank, once all of them run the program; nothing before."""
        found = {}
        for pid, environment in self.processes().items():
            rank = [e for e in environment if e.startswith(b"OMPI_COMM_WORLD_RANK=")]
            if rank and runs_program(pid):
                found[int(rank[0].split(b"=")[1])] = pid
        return [found[rank] for rank in sorted(found)] if len(found) == self.num_ranks else []

    def step(self):
        """The last step in steps.csv since this job has opened it; -1 before."""
        path = self.output / "steps.csv"
        if identity(path) == self.old_steps:
            return -1
        with open(path, "rb") as file:
            rows = file.read().split(b"\n")[1:-1]  # without the header, and what may be half a row
        return int(rows[-1].split(b",")[0]) if rows else 0

    def until(self, condition, seconds=60, poll=POLL):
        """Waits for `condition`, and returns what it gives. Raises TooLate when the job is done before."""
        deadline = time.monotonic() + seconds
        while True:
            if found := condition():
                return found
            if (code := self.process.poll()) is not None:
                require(code == 0, f"the job ends by itself, with exit code {code}")
                raise TooLate
            require(time.monotonic() < deadline, f"nothing happens for {seconds} s, at step {self.step()}")
            time.sleep(poll)

    def ends_within(self, seconds):
        """mpirun's exit code, or None if it is still running after so many seconds."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, seconds):
        """The end of the job, within so many seconds. Nothing of it may be left then."""
        if self.ended:
            return self.ended
        code = self.ends_within(seconds)
        if code is None:
            step, left = self.step(), sorted(self.processes())
            self.end()
            raise Failure(f"still running after {seconds} s, at step {step}: mpirun and processes {left}")
        left = self.wait_until_gone(GONE_WITHIN)
        segments = sorted(os.listdir(self.shared))
        self.end()
        require(not left, f"processes are left: {left}")
        require(not segments, f"shared memory is left: {segments}")
        self.ended = Ended(code, self.text(), time.monotonic() - self.began)
        return self.ended

    def wait_until_gone(self, seconds):
        """The processes that are still there after so many seconds."""
        deadline = time.monotonic() + seconds
        while (left := sorted(self.processes())) and time.monotonic() < deadline:
            time.sleep(POLL)
        return left

    def text(self):
        return self.stderr.read_text(encoding="utf-8", errors="replace")

    def end(self):
        """Ends what is left of the job, and removes its shared memory."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        shutil.rmtree(self.shared, ignore_errors=True)


def runs_program(pid):
    """Not the launcher's copy of itself between fork and exec."""
    try:
        return os.readlink(f"/proc/{pid}/exe") == os.path.realpath(program.PROGRAM)
    except OSError:
        return False


def identity(path):
    """The file that lies there now, whatever its name."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
