"""launch/local.sh: what mpirun adds when a rank ends is left out, all else comes through, at once and in its order."""

import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import program

SCRIPT = program.ROOT / "launch" / "local.sh"
RULE = "-" * 74 + "\n"
PRIMARY = RULE + ("Primary job  terminated normally, but 1 process returned\na non-zero exit code. Per user-direction, the "
                  "job has been aborted.\n") + RULE
DETECTED = RULE + ("mpirun detected that one or more processes exited with non-zero status, thus causing\nthe job to be "
                   "terminated. The first process to do so was:\n\n  Process name: [[1,1],0]\n  Exit code:    2\n") + RULE
ABORTED = RULE + "MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD\nwith errorcode 1.\n\nNOTE: ...\n" + RULE
EXITED = RULE + ("mpirun has exited due to process rank 1 with PID 0 on\nnode a exiting improperly. There are three reasons "
                 "this could occur:\n\n1. ...\n") + RULE
SIGNAL = RULE + "mpirun noticed that process rank 1 with PID 0 on node a exited on signal 9 (Killed).\n" + RULE
SLOTS = RULE + "There are not enough slots available in the system to satisfy the 200\nslots ...\n" + RULE


class Messages(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def mpirun(self, text):
        """The environment in which `text` is a script in mpirun's place."""
        self.write("mpirun", "#!/bin/bash\n" + text)
        return {**os.environ, "LOCKSTEP": str(self.write("lockstep", "")), "PATH": f"{self.folder}:{os.environ['PATH']}"}

    def local(self, environment, **options):
        return subprocess.run([SCRIPT, "-n", "2", "--", "bench"], env=environment, text=True, timeout=60, check=False,
                              **options)

    def test_what_mpirun_adds_to_an_exit_code_is_left_out(self):
        """With the true mpirun, which adds two blocks."""
        fails = self.write("fails", "#!/bin/bash\nif ((OMPI_COMM_WORLD_RANK == 0)); then\n"
                           "echo a result; echo 'lockstep: error: told' >&2; exit 3; fi\nsleep 20\n")
        done = self.local({**os.environ, "LOCKSTEP": str(fails)}, capture_output=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "a result\n", "lockstep: error: told\n"))

    def test_a_program_that_cannot_be_started_is_told(self):
        missing = self.write("not-for-this-machine", "\x7fELF")
        done = self.local({**os.environ, "LOCKSTEP": str(missing)}, capture_output=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(missing), done.stderr)

    def test_blocks_that_tell_something_stay(self):
        said = f"before\n{PRIMARY}{SIGNAL}\r\x1b[Kepoch{DETECTED}between{SLOTS}{ABORTED}{EXITED}after ---"
        (self.folder / "said").write_bytes(said.encode())
        environment = self.mpirun(f"cat {self.folder}/said >&2\nexit 137\n")
        log = self.folder / "log"
        with log.open("w", encoding="utf-8") as stderr:
            self.assertEqual(self.local(environment, stdout=subprocess.DEVNULL, stderr=stderr).returncode, 137)
        self.assertEqual(log.read_bytes().decode(), f"before\n{SIGNAL}\r\x1b[Kepochbetween{SLOTS}after ---")

    def test_blocks_are_known_wherever_the_pipe_cuts_them(self):
        said = f"a\n{PRIMARY}{SIGNAL}b-{DETECTED}---\n{RULE}"
        for size in (1, 7, 74, 75, 76):
            job = subprocess.Popen([program.ROOT / "launch" / "mpirun_messages.pl"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
            for begin in range(0, len(said), size):
                job.stdin.write(said[begin:begin + size].encode())
                job.stdin.flush()
            told = job.communicate(timeout=60)[0].decode()
            self.assertEqual(told, f"a\n{SIGNAL}b----\n{RULE}", size)

    def test_both_streams_stay_in_order_where_they_end_in_one_place(self):
        environment = self.mpirun("for i in {1..300}; do echo result $i; echo message $i >&2; done\n")
        log = self.folder / "log"
        with log.open("w", encoding="utf-8") as both:
            self.assertEqual(self.local(environment, stdout=both, stderr=both).returncode, 0)
        self.assertEqual(log.read_text(encoding="utf-8"), "".join(f"result {i}\nmessage {i}\n" for i in range(1, 301)))

    def test_the_streams_are_not_mixed(self):
        environment = self.mpirun("for i in {1..300}; do echo result $i; echo message $i >&2; done\n")
        done = self.local(environment, capture_output=True)
        self.assertEqual(done.stdout, "".join(f"result {i}\n" for i in range(1, 301)))
        self.assertEqual(done.stderr, "".join(f"message {i}\n" for i in range(1, 301)))

    def test_a_live_line_is_seen_while_the_job_runs(self):
        go_on = self.folder / "go-on"
        environment = self.mpirun(f"printf '\\r\\033[Kepoch 1/2' >&2\nfor i in {{1..1000}}; do\n"
                                  f"[[ -e {go_on} ]] && exit 0; sleep 0.05; done\nexit 1\n")
        with subprocess.Popen([SCRIPT, "-n", "1", "--", "bench"], env=environment, stderr=subprocess.PIPE) as job:
            seen = b""
            deadline = time.monotonic() + 60
            while len(seen) < 13 and time.monotonic() < deadline:
                seen += os.read(job.stderr.fileno(), 13 - len(seen))
            self.assertEqual(seen, b"\r\x1b[Kepoch 1/2")
            go_on.touch()
            self.assertEqual(job.stderr.read(), b"")
        self.assertEqual(job.returncode, 0)


if __name__ == "__main__":
    program.main()
