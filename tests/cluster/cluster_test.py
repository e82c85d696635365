"""The hosts that the other tests run on: what each has of its own, and that nothing of them is left, however they end."""

import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import cluster

SECONDS = 60
FILL = "import socket; s = socket.create_connection(('10.0.0.2', 5000)); s.sendall(bytes(3000000)); s.close()"
DRAIN = """
import socket
server = socket.create_server(("10.0.0.2", 5000))
print("listening", flush=True)
s = server.accept()[0]
while s.recv(65536):
    pass
"""


def command_line(*words):
    return [sys.executable, "-B", cluster.__file__, *words]


def processes_with(mark):
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            pass  # it has ended
    return found


class Cluster(unittest.TestCase):
    def test_a_host_has_a_name_memory_and_a_folder_of_its_own(self):
        with cluster.Cluster(2) as net:
            for host in (0, 1):
                net.on(host, "sh", "-c", f"hostname >/dev/shm/name; hostname >{net.local}/name")
            for host in (0, 1):
                told = net.on(host, "cat", "/dev/shm/name", net.local / "name", capture_output=True, text=True).stdout
                self.assertEqual(told.split(), [f"host{host + 1}"] * 2)
            self.assertFalse((net.local / "name").exists())
            self.assertEqual(net.wait_for_processes(), [])

    def test_the_cards_count_what_is_sent(self):
        with cluster.Cluster(2) as net:
            drain = subprocess.Popen(net.enter(1, sys.executable, "-c", DRAIN), stdout=subprocess.PIPE, text=True)
            self.assertEqual(drain.stdout.readline(), "listening\n")
            net.on(0, sys.executable, "-c", FILL)
            self.assertEqual(drain.wait(SECONDS), 0)
            drain.stdout.close()
            for bytes_there, bytes_back in ((net.traffic(0).sent, net.traffic(0).received),
                                            (net.traffic(1).received, net.traffic(1).sent)):
                self.assertGreater(bytes_there, 3000000)
                self.assertLess(bytes_there, 1.06 * 3000000)  # headers: 66 bytes of at most 1514
                self.assertLess(bytes_back, 300000)

    def test_each_runs_a_command_on_every_rank(self):
        show = ["sh", "-c", "echo $RANK $LOCAL_RANK $WORLD_SIZE $MASTER_ADDR $(hostname); exit $((RANK == 1 ? 7 : 0))"]
        done = subprocess.run(command_line("--hosts", "2", "--ranks", "2,1", "--each", "--", *show), capture_output=True,
                              text=True, timeout=SECONDS, check=False)
        self.assertEqual(sorted(done.stdout.splitlines()),
                         ["0 0 3 10.0.0.1 host1", "1 1 3 10.0.0.1 host1", "2 0 3 10.0.0.1 host2"], done.stderr)
        self.assertEqual(done.returncode, 7)

    def test_nothing_is_left_of_one_that_is_ended_or_killed(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                running = subprocess.Popen(command_line("--hosts", "2", "--", "sh", "-c", "echo here; exec sleep 86399"),
                                           stdout=subprocess.PIPE, text=True)
                self.addCleanup(running.stdout.close)
                for _ in range(2):
                    self.assertEqual(running.stdout.readline(), "here\n")
                mark = f"{cluster.PREFIX}{running.pid}-"  # in the words of mpirun and of its daemons
                self.assertNotEqual(processes_with(mark), [])
                running.send_signal(number)
                self.assertEqual(running.wait(SECONDS), 128 + number if number == signal.SIGTERM else -number)
                deadline = time.monotonic() + SECONDS
                while (left := processes_with(mark)) and time.monotonic() < deadline:
                    time.sleep(0.02)
                self.assertEqual(left, [])
                cluster.remove_stale()
                self.assertEqual(list(Path(tempfile.gettempdir()).glob(mark + "*")), [])


if __name__ == "__main__":
    cluster.not_run_unless_possible(__file__, "a cluster")
    unittest.main()
