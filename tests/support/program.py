"""Runs the program under test, on its own or on several ranks, and reads what it leaves."""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

# Jobs of two tests at a time would meet in Open MPI's session folders.
_sessions = tempfile.TemporaryDirectory(prefix="mpi-")
os.environ.setdefault("OMPI_MCA_orte_tmpdir_base", _sessions.name)

# Nor are lines of progress cut to whatever terminal the tests are started in.
os.environ["COLUMNS"] = "1000"

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "lockstep"
ROOT = Path(__file__).resolve().parents[2]

# The working directory of tests: what they read of the tree, and no folder that runs of its user have left.
_place = tempfile.TemporaryDirectory(prefix="place-")
PLACE = Path(_place.name)
for _name in ("data", "launch"):
    (PLACE / _name).symlink_to(ROOT / _name)
# After an exit code that is not 0 mpirun sleeps two seconds before it kills whoever is left. Where all ranks end together
# with that code, for an error that all know, it need not.
IMPATIENT = {"OMPI_MCA_odls_base_sigkill_timeout": "0"}
MPI_COMMANDS = ("train", "evaluate", "predict", "bench", "doctor", "explain", "landscape")
TIMES = ("seconds", "samples_per_second")  # columns that differ from run to run


def run(*arguments, ranks=1, expect=0, environment=None, mpi=True, cwd=PLACE):
    """The finished process; fails unless it exits with `expect` (None: any code) within two minutes."""
    launcher = ["mpirun", "-n", str(ranks)] if mpi else []
    together = ranks == 1 or arguments[:1] in [(name,) for name in MPI_COMMANDS]
    impatient = IMPATIENT if expect in (2, 3) and together else {}
    done = subprocess.run(launcher + [PROGRAM] + [str(a) for a in arguments], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **impatient, **(environment or {})}, cwd=cwd)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{arguments} on {ranks} ranks: exit {done.returncode}, expected {expect}\n"
                             f"{done.stdout}\n{done.stderr}")
    return done


def digest(path):
    return run("inspect", path, "--digest", mpi=False).stdout.strip()


def metrics(folder):
    """The rows of metrics.csv without the times."""
    with open(Path(folder) / "metrics.csv", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def steps(folder):
    """The rows of steps.csv without the times."""
    with open(Path(folder) / "steps.csv", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def summary(folder):
    return json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))


def checkpoints(folder):
    return sorted(path.name for path in (Path(folder) / "checkpoints").iterdir())


def ranks_of(folder):
    """Process ids of the ranks that write to `folder`, in the order of their ranks."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        rank = [e for name in (b"OMPI_COMM_WORLD_RANK=", b"PMIX_RANK=") for e in environment if e.startswith(name)]
        if words[0] == PROGRAM.encode() and str(folder).encode() in words and rank:
            found.append((int(rank[0].split(b"=")[1]), int(process.name)))
    return [pid for _, pid in sorted(found)]


def pause(pid):
    """Stops a process; when this returns it does nothing any more."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        stats = [path.read_text(encoding="utf-8") for path in Path(f"/proc/{pid}/task").glob("*/stat")]
        if all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats):
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} does not stop")


def shared_memory():
    """What lies in the machine's shared memory."""
    return set(os.listdir("/dev/shm"))


def main():
    """Runs the tests of the calling script; its first argument was the program."""
    unittest.main(argv=sys.argv[:1], module="__main__", verbosity=1)
