"""A network that fails a job: a link that goes down under launch/local.sh, and an address that two hosts have. Neither hangs.

Usage: network_test.py PROGRAM
The hosts are namespaces of this machine (launch/cluster.py), for which it must be root; where it cannot make them it says so
loudly and is counted as not run. Each job waits for a minute or so, all of them at once.
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import cluster
import job
import program

SECONDS = 200  # only so that what hangs fails
BRIDGE = (("ip", "link", "add", "docker0", "type", "bridge"), ("ip", "address", "add", "172.17.0.1/16", "dev", "docker0"),
          ("ip", "link", "set", "docker0", "up"))


class Network(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / "run.toml").write_text(job.RUN, encoding="utf-8")

    def make_hosts(self):
        net = cluster.Cluster(2)
        self.addCleanup(net.close)
        return net

    def start(self, command, net, environment=None):
        running = subprocess.Popen(command, env=net.environment(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        self.addCleanup(running.communicate)
        self.addCleanup(running.kill)
        self.addCleanup(net.close)
        return running

    def start_doctor(self):
        """On hosts that have one more address, the same on both."""
        net = self.make_hosts()
        for host in (0, 1):
            for words in BRIDGE:
                net.on(host, *words)
        command = net.mpirun([1, 1], program.PROGRAM, "doctor", cwd=program.PLACE)
        for key in ("btl", "oob"):
            command[-1] = command[-1].replace(f"--mca {key}_tcp_if_include {cluster.INTERFACE} ", "")
        return self.start(command, net)

    def start_training(self, out):
        """By launch/local.sh, whose mpirun finds in its environment where the other host is."""
        net = self.make_hosts()
        hosts = net.scratch / "hostfile"
        hosts.write_text("".join(f"{name} slots=1\n" for name in net.hosts), encoding="utf-8")
        words = net.mpirun([1, 1])[-1].split(" --mca ")[1:]
        settings = {f"OMPI_MCA_{key}": value for key, value in (text.split()[:2] for text in words)}
        command = net.enter(0, program.ROOT / "launch/local.sh", "-n", "2", "--", "train", self.folder / "run.toml", "--output",
                            out, "--quiet", "--set", "train.epochs=40000", "--set", "checkpoint.every_epochs=0", "--set",
                            "train.stall_timeout=1", cwd=program.PLACE)
        running = self.start(command, net, {**settings, "OMPI_MCA_orte_default_hostfile": str(hosts), "LOCKSTEP": program.PROGRAM,
                                            "OMPI_MCA_rmaps_base_mapping_policy": "node"})
        return running, net

    def test_neither_a_cut_link_nor_an_address_of_two_hosts_hangs_a_job(self):
        doctor = self.start_doctor()
        out = self.folder / "run"
        training, net = self.start_training(out)
        self.wait_for("steps", lambda: (out / "steps.csv").exists() and job.trained_a_while(out), training)
        net.on(1, "ip", "link", "set", cluster.INTERFACE, "down")
        told = self.end_of(training, 4)
        with self.subTest("the ranks behind the cut are named, and mpirun is not left"):
            self.assertRegex(told, r"the ranks on host1 have waited \d+ s for an answer of rank 1 on host2")
            self.assertIn("local.sh: the ranks here have ended and mpirun has not: it waits for a host that does not answer", told)
            self.assertEqual(program.ranks_of(out), [])
        told = self.end_of(doctor, 4)
        with self.subTest("the interface is named, and the flag"):
            for kind in ("warning", "error"):
                lines = [line for line in told.splitlines() if line.startswith(f"lockstep: {kind}:")]
                self.assertEqual(len(lines), 1, told)
                self.assertIn("no message has come through between the hosts", lines[0])
                self.assertIn("host1 has eth0 10.0.0.1/24, docker0 172.17.0.1/16 (for containers", lines[0])
                self.assertIn("mpirun --mca btl_tcp_if_include 10.0.0.0/24 --mca oob_tcp_if_include 10.0.0.0/24", lines[0])

    def wait_for(self, what, condition, running):
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertIsNone(running.poll(), f"it ended before {what}")
            self.assertLess(time.monotonic(), deadline, f"waited for {what}")
            time.sleep(0.1)

    def end_of(self, running, code):
        told = running.communicate(timeout=SECONDS)[0]
        self.assertEqual(running.returncode, code, told)
        return told


if __name__ == "__main__":
    program.PROGRAM = os.path.abspath(sys.argv[1])
    cluster.not_run_unless_possible(__file__, "a network that fails")
    program.main()
