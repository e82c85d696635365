"""A job on several hosts: the bits of one rank on any placement, and what befalls a host.

Usage: hosts_test.py PROGRAM
The hosts are namespaces of this machine with a link of 1 Gbit/s each (launch/cluster.py), for which it must be root;
where it cannot make them it says so loudly and is counted as not run.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from collections import defaultdict
from pathlib import Path

import cluster
import job
import program

ERROR = "lockstep: error:"
SECONDS = 120
NET = None  # three hosts; a job without ranks on the third is one of two hosts

# 1435 samples of 1438 are in full batches, so that the last one has 3 for 8 shards.
RUN = """
name = "hosts"
[data]
train = "data/digits.h5:/train"
test = "data/digits.h5:/test"
normalize = "standard"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=40}, {type="relu"}, {type="dropout", rate=0.2}, {type="dense", units=23}, {type="tanh"},
          {type="dense", units=10}]
[train]
batch = 205
shards = 8
epochs = 3
[optimizer]
type = "adamw"
clip_norm = 0.5
schedule = {type="cosine", warmup_steps=5}
[checkpoint]
every_steps = 5
[log]
every_steps = 1
"""
LAMB = ("--set", "optimizer.type=lamb", "--set", "optimizer.lr=0.01", "--set", "train.shards=7")
LONG = ("--set", "train.epochs=40000", "--set", "checkpoint.every_steps=0", "--set", "checkpoint.every_epochs=0")
IMPATIENT = {"odls_base_sigkill_timeout": 0}  # mpirun waits for no rank before it kills: seconds less where all are known to end
ROUNDED = ("--set", "train.wire=bfloat16")
NO_ANSWER = r"the ranks on host1 have waited \d+ s for an answer of rank 1 on host2"
# ranks of each host, and whether they are dealt round; each case of the tree's parts is in one of the two lists
WITH_8_SHARDS = [([1, 1, 0], False), ([2, 2, 0], True), ([1, 1, 1], False)]
WITH_7_SHARDS = [([1, 1, 0], False), ([2, 2, 0], False), ([3, 1, 0], False), ([1, 1, 1], False)]


class HostsJob(job.Job):
    """A training on several hosts that runs while a test does something to it."""

    def __init__(self, net, ranks, run_file, folder, *more, mca=None):
        self.folder = Path(folder)
        self.process = net.start(ranks, program.PROGRAM, "train", run_file, "--output", folder, "--quiet", *more,
                                 mca=mca, cwd=program.PLACE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def signal_launcher(self, number):
        cluster.signal_launcher(self.process, number)

    def end(self):
        self.signal_launcher(signal.SIGKILL)
        return super().end()


class Hosts(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.run_file = self.folder / "run.toml"
        self.run_file.write_text(RUN, encoding="utf-8")

    def run_on(self, ranks, *words, by_node=False, mca=None, expect=0):
        done = NET.run(ranks, program.PROGRAM, *words, by_node=by_node, mca=mca, cwd=program.PLACE, timeout=SECONDS)
        self.assertEqual(done.returncode, expect, f"{words} on {ranks}:\n{done.stdout}\n{done.stderr}")
        return done

    def train_on(self, ranks, name, *more, **options):
        folder = self.folder / name
        self.run_on(ranks, "train", self.run_file, "--output", folder, "--quiet", *more, **options)
        return folder

    def start(self, ranks, name, *more, net=None, mca=None):
        running = HostsJob(net or NET, ranks, self.run_file, self.folder / name, *more, mca=mca)
        self.addCleanup(running.end)
        return running

    def assert_same(self, folder, other):
        self.assertEqual(program.digest(folder), program.digest(other))
        self.assertEqual(program.metrics(folder), program.metrics(other))
        self.assertEqual(program.steps(folder), program.steps(other))

    def assert_nothing_left(self):
        self.assertEqual(NET.wait_for_processes(), [])
        for host in range(3):
            left = NET.on(host, "ls", "/dev/shm", capture_output=True, text=True).stdout
            self.assertEqual(left, "", NET.hosts[host])


class SameBits(Hosts):
    def place(self, placements, *more):
        one = self.folder / "one"
        program.run("train", self.run_file, "--output", one, "--quiet", *more)
        self.assertEqual(program.summary(one)["steps"], 3 * 8)
        self.assertEqual(len(program.steps(one)), 3 * 8)
        for ranks, by_node in placements:
            name = "-".join(map(str, ranks)) + ("-dealt" if by_node else "")
            with self.subTest(name):
                other = self.train_on(ranks, name, *more, by_node=by_node)
                self.assert_same(other, one)
                self.assertEqual(program.summary(other)["ranks"], sum(ranks))
                self.assertEqual(program.summary(other)["nodes"], sum(count > 0 for count in ranks))
                self.assertEqual(program.summary(other)["test"], program.summary(one)["test"])
        return one

    def test_adamw_with_clipping_and_dropout(self):
        one = self.place(WITH_8_SHARDS)
        for setting in ("train.exchange=tree", "train.overlap=false"):
            with self.subTest(setting):
                self.assert_same(self.train_on([2, 1, 0], setting, "--set", setting), one)
        with self.subTest("evaluate"):
            scores = [json.loads(text) for text in (self.run_on([2, 1, 1], "evaluate", one, "--json").stdout,
                                                    program.run("evaluate", one, "--json").stdout)]
            self.assertEqual(scores[0], scores[1])
            self.assertIn("accuracy", str(scores[0]))

    def test_lamb_with_clipping_and_dropout_on_an_odd_number_of_shards(self):
        self.place(WITH_7_SHARDS, *LAMB)


class Bfloat16(Hosts):
    def test_the_weights_agree_and_the_run_goes_on_elsewhere(self):
        constant = ("--set", "optimizer.schedule=constant", "--set", "optimizer.lr=0.01")
        whole = self.folder / "whole"
        program.run("train", self.run_file, "--output", whole, "--quiet", *constant, "--set", "train.epochs=5")
        exact = program.metrics(whole)

        folder = self.folder / "rounded"
        words = ("train", self.run_file, "--output", folder, "--quiet", *constant, *ROUNDED)
        done = self.run_on([2, 2, 0], *words, "--set", "train.audit_every=1")
        self.assertIn('train.wire = "bfloat16": the bits of this run depend on which host has which shards', done.stderr)
        self.assertFalse(program.summary(folder)["same_bits_at_any_rank_count"])
        self.assertIn("(bits depend on which host has which shards)", program.run("inspect", folder, mpi=False).stdout)
        rows = program.metrics(folder)
        self.assertEqual(len(rows), 3)
        self.assertNotEqual(rows[-1]["train_loss"], exact[2]["train_loss"])  # it does round
        self.assert_close(rows[-1], exact[2])

        program.run(*words, "--resume", "--set", "train.epochs=5")
        self.assertEqual(program.summary(folder)["steps"], 5 * 8)
        rows = program.metrics(folder)
        self.assertEqual(len(rows), 5)
        self.assert_close(rows[-1], exact[-1])

    def assert_close(self, row, exact):
        self.assertAlmostEqual(float(row["test_accuracy"]), float(exact["test_accuracy"]), delta=0.02)
        self.assertAlmostEqual(float(row["train_loss"]), float(exact["train_loss"]), delta=0.01)

    def test_one_host_has_no_wire(self):
        folders = [self.folder / name for name in ("float32", "bfloat16")]
        for folder in folders:
            done = program.run("train", self.run_file, "--output", folder, "--quiet", "--set", f"train.wire={folder.name}", ranks=2)
            self.assertNotIn("the bits of this run depend", done.stderr)
        self.assert_same(*folders)


class BytesOnTheWire(Hosts):
    """Sent by each host's card, headers and all, beside 2 (H-1)/H of the gradient, which is the least there can be."""

    def setUp(self):
        super().setUp()
        # 166,666 parameters; four batches an epoch, and nothing else that goes between hosts.
        self.settings = ["--set", "train.batch=360", "--set", "model.layers.0.units=512", "--set", "model.layers.3.units=256",
                         "--set", "optimizer.type=sgd", "--set", "optimizer.schedule=constant", "--set", "optimizer.clip_norm=0",
                         "--set", "checkpoint.every_steps=0", "--set", "checkpoint.every_epochs=0"]

    def measure(self, ranks, *more):
        """What each host sends a step, times the least; and what the run says."""
        hosts = sum(count > 0 for count in ranks)
        sent, steps = [], []
        for epochs in (2, 8):
            folder = self.folder / f"epochs-{epochs}"
            before = [NET.traffic(host).sent for host in range(hosts)]
            done = self.run_on(ranks, "train", self.run_file, "--output", folder, "--overwrite", "--quiet", *self.settings, *more,
                               "--set", f"train.epochs={epochs}")
            self.assertEqual(NET.wait_for_processes(), [])
            sent.append([NET.traffic(host).sent - start for host, start in enumerate(before)])
            steps.append(program.summary(folder)["steps"])
        self.assertEqual(steps, [2 * 4, 8 * 4])
        least = 2 * (hosts - 1) / hosts * 4 * program.summary(folder)["parameters"] * (steps[1] - steps[0])
        return [(long - short) / least for short, long in zip(*sent)], done.stderr

    def assert_near(self, factors, expected):
        for host, factor in enumerate(factors):
            self.assertAlmostEqual(factor / expected, 1, delta=0.05, msg=f"host {host + 1}: {factor}, expected {expected}")

    def test_whole_subtrees_need_the_least(self):
        for ranks, more, expected in (([1, 1, 0], (), 1), ([1, 1, 1], (), 1), ([1, 1, 0], ROUNDED, 0.5)):
            with self.subTest(ranks=ranks, more=more):
                factors, told = self.measure(ranks, "--set", "train.shards=4", *more)
                self.assert_near(factors, expected)
                self.assertNotIn("times the bytes", told)

    def test_other_shards_need_what_the_run_says(self):
        factors, told = self.measure([1, 1, 0], "--set", "train.shards=7")
        said = re.search(r"the hosts exchange (\S+) times the bytes that they need to: their shards are not whole subtrees", told)
        self.assertIsNotNone(said, told)
        self.assertGreater(float(said.group(1)), 1.1)
        self.assert_near([sum(factors) / len(factors)], float(said.group(1)))


class Resume(Hosts):
    def test_from_two_hosts_to_one_to_three(self):
        endless = ("--set", "train.epochs=40000", "--set", "optimizer.schedule=constant")
        running = self.start([2, 1, 0], "moved", *endless)
        running.wait_for_steps(20, SECONDS)
        running.signal_launcher(signal.SIGUSR1)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 75, told)
        self.assertEqual(NET.wait_for_processes(), [])

        running = self.start([2, 0, 0], "moved", *endless, "--resume")
        running.wait_for_steps(running.steps() + 20, SECONDS)
        os.kill(running.ranks()[1], signal.SIGKILL)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 128 + signal.SIGKILL, told)
        self.assertEqual(NET.wait_for_processes(), [])

        program.run("inspect", running.folder, "--verify", mpi=False)
        last = int(program.checkpoints(running.folder)[-1][5:13])
        self.assertGreaterEqual(last, 20)
        end = ("--set", f"train.epochs={last // 8 + 2}", "--set", "optimizer.schedule=constant")
        self.train_on([1, 2, 1], "moved", *end, "--resume")
        whole = self.folder / "whole"
        program.run("train", self.run_file, "--output", whole, "--quiet", *end)
        self.assert_same(running.folder, whole)


class RunFolder(Hosts):
    def test_only_the_host_of_rank_0_writes_it(self):
        folder = NET.local / "run"
        self.addCleanup(NET.on, 0, "rm", "-rf", folder)
        self.run_on([1, 2, 0], "train", self.run_file, "--output", folder, "--quiet", "--set", "train.epochs=1",
                    "--set", "log.trace=true")
        told = NET.on(0, program.PROGRAM, "inspect", folder, "--digest", capture_output=True, text=True).stdout.strip()
        one = self.folder / "one"
        program.run("train", self.run_file, "--output", one, "--quiet", "--set", "train.epochs=1")
        self.assertEqual(told, program.digest(one))
        self.assertNotEqual(NET.on(1, "ls", folder, check=False, capture_output=True).returncode, 0)
        self.expect_one_clock(json.loads(NET.on(0, "cat", folder / "trace.json", capture_output=True, text=True).stdout))

    def expect_one_clock(self, trace):
        """All ranks are in the trace, and meet within each step."""
        events = trace["traceEvents"]
        self.assertEqual([event["args"]["name"] for event in events if event["name"] == "process_name"],
                         ["rank 0 on host1", "rank 1 on host2", "rank 2 on host2"])
        self.assertIn("await weights", {event["name"] for event in events})
        steps = defaultdict(list)
        for event in events:
            if event.get("cat") == "step":
                steps[event["name"]].append(event)
        self.assertEqual([len(of_ranks) for of_ranks in steps.values()], [3] * 8)
        slack = 5000  # [us] clocks are compared by messages, which others on this machine may hold up
        for name, of_ranks in steps.items():
            self.assertLess(max(event["ts"] for event in of_ranks),
                            min(event["ts"] + event["dur"] for event in of_ranks) + slack, name)


class Faults(Hosts):
    def test_data_of_one_host_alone_are_one_error(self):
        place = NET.local / "digits.h5"
        for host in (0, 1):
            with self.subTest(host=host):
                NET.on(host, "cp", program.ROOT / "data/digits.h5", place)
                self.addCleanup(NET.on, host, "rm", "-f", place)
                done = self.run_on([1, 2, 0], "train", self.run_file, "--output", self.folder / "none", "--set",
                                   f"data.train={place}:/train", mca=IMPATIENT, expect=2)
                self.assertEqual(done.stderr.count(ERROR), 1, done.stderr)
                message = next(line for line in done.stderr.splitlines() if ERROR in line)
                self.assertIn(str(place), message)
                self.assertRegex(message, r"\brank 1\b" if host == 0 else r"\brank 0\b")
                self.assertFalse((self.folder / "none").exists())
                NET.on(host, "rm", place)
        self.assert_nothing_left()

    def test_a_killed_rank_ends_the_job(self):
        running = self.start([1, 1, 0], "killed", *LONG)
        running.wait_for_steps(5, SECONDS)
        os.kill(running.ranks()[1], signal.SIGKILL)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 128 + signal.SIGKILL, told)
        self.assertRegex(told, r"process rank 1 .*on node host2 exited on signal 9")  # mpirun's words
        self.assert_nothing_left()

    def test_a_stopped_rank_is_named_by_its_host(self):
        running = self.start([1, 2, 0], "seen", *LONG, "--set", "train.stall_timeout=2", mca=IMPATIENT)
        running.wait_for_steps(5, SECONDS)
        os.kill(running.ranks()[-1], signal.SIGSTOP)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 4, told)
        self.assertEqual(told.count(ERROR), 1, told)
        self.assertRegex(told, r"rank 2 on host2 has given no sign of life for \d+ s: last seen in step \d+, in ")
        self.assertRegex(told, r"its process \d+ is stopped \(train.stall_timeout = 2\)")
        self.assert_nothing_left()


class LostHost(Hosts):
    def test_a_host_whose_power_fails_ends_the_job(self):
        net = cluster.Cluster(2)
        self.addCleanup(net.close)
        running = self.start([1, 2], "dark", *LONG, net=net)
        running.wait_for_steps(5, SECONDS)
        net.kill(1)
        code, told = running.wait(SECONDS)
        self.assertNotEqual(code, 0)
        self.assertRegex(told, "(?s)lost communication with a remote daemon.* host2")  # mpirun's words
        self.assertEqual(net.wait_for_processes(), [])

    def test_a_host_that_does_not_answer_is_named_by_the_others(self):
        stopped = self.start([1, 1, 0], "stopped", *LONG, "--set", "train.stall_timeout=1", mca=IMPATIENT)
        stopped.wait_for_steps(5, SECONDS)
        os.kill(stopped.ranks()[-1], signal.SIGSTOP)
        code, told = stopped.wait(SECONDS)
        self.assertEqual(code, 4, told)
        self.assertEqual(told.count(ERROR), 1, told)
        self.assertRegex(told, NO_ANSWER + r"; here last seen in step \d+")
        self.assert_nothing_left()


if __name__ == "__main__":
    program.PROGRAM = os.path.abspath(sys.argv[1])
    cluster.not_run_unless_possible(__file__, "a job on several hosts")
    with cluster.Cluster(3) as NET:
        program.main()
