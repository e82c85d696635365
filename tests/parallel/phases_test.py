"""Where the time of a step goes: what bench, doctor, the run folder, the timeline and the page say of it is of the right
phases, adds up to the step, and is the same everywhere.

Shares of one process's time over many steps are compared, never times.

Usage: phases_test.py PROGRAM
"""

import json
import re
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import page
import program

PHASES = ("input", "gather", "forward", "backward", "wait", "communication", "exchange")
# What the timeline calls the parts of a phase; one shard on one rank waits for nobody.
PARTS = {"gather": "gather", "forward": "forward", "backward": "backward", "collect": "exchange", "update": "exchange",
         "publish": "exchange"}


class Phases(unittest.TestCase):
    def assert_is_a_step(self, step, phases, alone):
        """`phases`: name -> time, in the unit of `step`."""
        self.assertLessEqual(sum(phases.values()), 1.001 * step + 0.5, (step, phases))  # printed with a digit or more
        self.assertGreaterEqual(sum(phases.values()), 0.85 * step, (step, phases))
        for name in ("gather", "forward", "backward", "update"):
            self.assertGreater(phases[name], 0, (name, phases))
        # The nets here have layers enough for the passes to be most of it.
        self.assertGreater(phases["forward"] + phases["backward"], 2 * phases["gather"], phases)
        if alone:
            self.assertEqual([phases["wait"], phases["network"]], [0, 0], phases)

    def test_bench_prints_each_phase_in_its_column(self):
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                done = program.run("bench", "--layers", "784,256,10", "--steps", "30", ranks=ranks, mpi=ranks > 1)
                head, row = done.stdout.splitlines()[1:3]
                names = re.split(r" {1,}", head.split("[us] = ")[1].strip())
                self.assertEqual(names, ["gather", "forward", "backward", "wait", "network", "update"])
                step, numbers = row.split(" = ")
                self.assert_is_a_step(float(step.split()[-1]), dict(zip(names, map(float, numbers.split()))), ranks == 1)

    def test_bench_json_has_each_phase_under_its_name(self):
        told = json.loads(program.run("bench", "--layers", "784,256,10", "--steps", "30", "--json", mpi=False).stdout)
        phases = {name: told[f"{key}_us"] for name, key in (
            ("gather", "gather"), ("forward", "forward"), ("backward", "backward"), ("wait", "wait"),
            ("network", "communication"), ("update", "reduce_update"))}
        self.assert_is_a_step(told["step_us"], phases, True)
        self.assertAlmostEqual(told["compute_us"], phases["gather"] + phases["forward"] + phases["backward"], delta=0.01)
        self.assertAlmostEqual(told["sync_update_us"], phases["wait"] + phases["network"] + phases["update"], delta=0.01)

    def test_doctor_has_each_phase_under_its_name(self):
        told = json.loads(program.run("doctor", "--json", mpi=False).stdout)["speed"]
        for row in told["alone"] + told["full"]:
            phases = {name: row[f"{name}_us"] for name in ("gather", "forward", "backward", "wait", "update")}
            self.assert_is_a_step(row["step_us"], {**phases, "network": 0}, True)
        # The exchange is what the clock says beyond the passes.
        job = told["job"]
        self.assertTrue(0 < job["exchange_us"] < job["step_us"], job)

    def test_run_folder_timeline_and_page_tell_the_same(self):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "run"
            program.run("train", "launch/runs/digits.toml", "--output", folder, "--quiet", "--set", "train.shards=1", "--set",
                        "train.epochs=20", "--set", "log.trace=true", "--set", "model.layers.0.units=256", mpi=False)
            ranks = page.columns(folder / "ranks.csv")
            of_run = {phase: ranks[phase][0] for phase in PHASES}
            total = sum(of_run.values())
            self.assertEqual((of_run["wait"], of_run["communication"], of_run["input"]), (0, 0, 0))
            self.assertGreater(of_run["exchange"], 0)
            # summary.json and metrics.csv: the time of steps is the sum of its phases.
            self.assertAlmostEqual(program.summary(folder)["seconds"], total, delta=0.01 * total)
            self.assertAlmostEqual(page.columns(folder / "metrics.csv")["seconds"][-1], total, delta=0.01 * total)
            # times.csv: its rows are the run.
            times = page.columns(folder / "times.csv")
            self.assertEqual(sum(times["steps"]), ranks["steps"][0])
            for phase in PHASES:
                for which in ("min", "median", "max"):
                    seconds = sum(t * n for t, n in zip(times[f"{phase}_{which}"], times["steps"]))
                    self.assertAlmostEqual(seconds, of_run[phase], delta=0.01 * total, msg=f"{phase}_{which}")
            # trace.json: by the marks that the step sets itself, apart from its stopwatch.
            events = [e for e in json.loads((folder / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
                      if e["ph"] == "X"]
            steps = sum(e["dur"] for e in events if e["cat"] == "step") * 1e-6
            traced = Counter()
            for event in events:
                if event["tid"] == 2 and event["name"] in PARTS:
                    traced[PARTS[event["name"]]] += event["dur"] * 1e-6
            for phase in ("gather", "forward", "backward", "exchange"):
                self.assertAlmostEqual(traced[phase], of_run[phase], delta=0.1 * total, msg=phase)
            self.assertLessEqual(total, 1.01 * steps)
            self.assertGreaterEqual(total, 0.85 * steps)
            # The page is drawn from these files.
            run = page.Page(folder / "report.html").run
            self.assertEqual([run["ranks"]["shown"][0][phase] for phase in PHASES], list(of_run.values()))
            for phase in PHASES:
                if any(times[f"{phase}_max"]):
                    self.assertEqual(run["times"]["phases"][phase]["median"], times[f"{phase}_median"], phase)


if __name__ == "__main__":
    program.main()
