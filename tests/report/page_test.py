"""report.html as the program leaves it: its numbers are those of the files, at any end of a run.

Usage: page_test.py PROGRAM
"""

import json
import re
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import page
import program

RUNS = program.ROOT / "launch/runs"
EVIL = "</script><script>alert(1)</script>"


class ReportPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        cls.digits = cls.folder / "digits"
        cls.told = program.run("train", RUNS / "digits.toml", "--output", cls.digits, "--quiet", "--set",
                               "train.epochs=3", ranks=3)

    def check_curves(self, run, folder):
        """Every number of the page against the files."""
        for name, file in (("epochs", "metrics.csv"), ("steps", "steps.csv")):
            written = page.columns(folder / file)
            drawn = {column for column, values in written.items()
                     if column not in ("step", "epoch") and any(value is not None for value in values)}
            self.assertEqual(set(run["curves"][name]), drawn)
            for column in drawn:
                curve = run["curves"][name][column]
                self.assertEqual((curve["x"], curve["y"]), (written["step"], written[column]), column)
        times = page.columns(folder / "times.csv")
        self.assertEqual(run["times"]["step"], times["step"])
        phases = {name[:-len("_median")] for name in times if name.endswith("_median")}
        self.assertEqual(set(run["times"]["phases"]), phases)
        for phase in phases:
            for which in ("min", "median", "max"):
                self.assertEqual(run["times"]["phases"][phase][which], times[f"{phase}_{which}"])

    def test_training_leaves_the_page_with_the_numbers_of_its_files(self):
        found = page.Page(self.digits / "report.html")
        self.assertEqual(found.loads, [])
        self.assertEqual(found.tags.count("script"), 3)
        self.check_curves(found.run, self.digits)
        self.assertIn("test_accuracy", found.run["curves"]["epochs"])
        self.assertIn("gradient_norm", found.run["curves"]["steps"])
        self.assertEqual(found.run["summary"], program.summary(self.digits))
        self.assertEqual(found.run["run"], (self.digits / "run.toml").read_text(encoding="utf-8"))
        self.assertIn(["train.batch", "128"], found.run["keys"])
        self.assertEqual(found.run["notes"], [])

    def test_state_and_machine_are_known(self):
        status = page.Page(self.digits / "report.html").run["status"]
        self.assertEqual((status["state"], status["step"], status["total_steps"], status["ranks"]), ("finished", 36, 36, 3))
        self.assertEqual((status["training_samples"], status["test_samples"]), (1438, 359))
        self.assertEqual(status["digest"], program.summary(self.digits)["digest"])
        self.assertRegex(status["ended"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        machine = status["machine"]
        self.assertEqual(sum(host["ranks"] for host in machine["hosts"]), 3)
        self.assertTrue(machine["blas_kernel"] and machine["simd_target"] and machine["versions"]["MPI"])

    def test_each_rank_tells_its_times_of_all_steps(self):
        ranks = page.columns(self.digits / "ranks.csv")
        self.assertEqual(ranks["rank"], [0, 1, 2])
        self.assertEqual(ranks["steps"], [36, 36, 36])
        self.assertEqual(sum(ranks["samples"]), 3 * 1438)
        self.assertTrue(all(seconds > 0 for phase in ("gather", "forward", "backward", "exchange") for seconds in ranks[phase]))
        times = page.columns(self.digits / "times.csv")
        spread = [sum(t * n for t, n in zip(times[f"forward_{which}"], times["steps"])) for which in ("min", "max")]
        for seconds in ranks["forward"]:
            self.assertTrue(spread[0] - 1e-4 <= seconds <= spread[1] + 1e-4, (spread, ranks["forward"]))
        shown = page.Page(self.digits / "report.html").run["ranks"]
        self.assertEqual([rank["samples"] for rank in shown["shown"]], ranks["samples"])

    def test_the_confusion_matrix_is_that_of_evaluate(self):
        scores = json.loads((self.digits / "scores.json").read_text(encoding="utf-8"))
        told = json.loads(program.run("evaluate", self.digits, "--json").stdout)
        self.assertEqual(sum(scores["confusion"], []), numpy.ravel(told["confusion"]).tolist())
        self.assertEqual(scores["step"], 36)
        self.assertEqual(page.Page(self.digits / "report.html").run["scores"]["confusion"], scores["confusion"])

    def test_the_command_draws_the_same_page_again(self):
        written = (self.digits / "report.html").read_bytes()
        done = program.run("report", self.digits, "--output", self.folder / "again.html", mpi=False)
        self.assertEqual(done.stdout.strip(), str(self.folder / "again.html"))
        self.assertEqual((self.folder / "again.html").read_bytes(), written)

    def test_pairs_of_a_regression_are_in_own_units_and_the_same_at_any_rank_count(self):
        scores = {}
        for ranks in (1, 3):
            place = self.folder / f"concrete-{ranks}"
            program.run("train", RUNS / "concrete.toml", "--output", place, "--quiet", "--set", "train.epochs=2", ranks=ranks)
            scores[ranks] = (place / "scores.json").read_text(encoding="utf-8")
        self.assertEqual(scores[1], scores[3])
        found = json.loads(scores[1])
        with h5py.File(program.ROOT / "data/concrete.h5") as file:
            truth = file["test/y"][:].reshape(-1)
        self.assertEqual(found["sampled"], list(range(len(truth))))  # all of them where there are 1000 at most
        self.assertTrue(numpy.array_equal(found["true"], [truth]))
        errors = numpy.array(found["predicted"][0]) - truth
        told = json.loads(program.run("evaluate", self.folder / "concrete-1", "--json").stdout)
        self.assertAlmostEqual(numpy.sqrt(numpy.mean(errors ** 2)), told["rmse"], 4)

    def test_answers_without_test_data_are_those_of_validation_by_the_averaged_weights(self):
        place = self.folder / "validation"
        text = re.sub(r"(?m)^(test|monitor) = .*$", "", (RUNS / "concrete.toml").read_text(encoding="utf-8"))
        (self.folder / "validation.toml").write_text(text, encoding="utf-8")
        keys = ["--set", "train.epochs=3", "--set", "data.validation=0.2", "--set", "train.ema=0.9"]
        program.run("train", self.folder / "validation.toml", "--output", place, "--quiet", *keys, ranks=3)
        scores = json.loads((place / "scores.json").read_text(encoding="utf-8"))
        self.assertEqual((scores["split"], scores["samples"]), ("validation", len(scores["sampled"])))
        errors = numpy.array(scores["predicted"][0]) - numpy.array(scores["true"][0])
        told = program.summary(place)["validation"]
        self.assertEqual(told["samples"], scores["samples"])
        self.assertAlmostEqual(numpy.sqrt(numpy.mean(errors ** 2)), told["rmse"], 4)
        run = page.Page(place / "report.html").run
        self.assertEqual(run["curves"]["epochs"]["validation_rmse"]["y"][-1], told["rmse"])
        self.assertEqual(run["status"]["validation_samples"], scores["samples"])

    def test_of_many_samples_and_outputs_some_are_kept(self):
        rng = numpy.random.default_rng(1)
        with h5py.File(self.folder / "binary.h5", "w") as file:
            for split, rows in (("train", 256), ("test", 2500)):
                file[f"{split}/x"] = rng.random((rows, 4), dtype="f4")
                file[f"{split}/y"] = (rng.random((rows, 2)) < 0.5).astype("u1")
        (self.folder / "binary.toml").write_text(page.BINARY, encoding="utf-8")
        place = self.folder / "binary"
        program.run("train", self.folder / "binary.toml", "--output", place, "--quiet")
        scores = json.loads((place / "scores.json").read_text(encoding="utf-8"))
        self.assertEqual((scores["task"], scores["samples"], len(scores["sampled"])), ("binary", 2500, 1000))
        self.assertEqual(scores["sampled"][:3], [0, 2, 5])
        with h5py.File(self.folder / "binary.h5") as file:
            self.assertEqual(scores["true"], file["test/y"][:][scores["sampled"]].T.tolist())
        self.assertTrue(all(0 < p < 1 for output in scores["predicted"] for p in output))
        program.run("train", self.folder / "binary.toml", "--output", place, "--quiet", "--overwrite", "--set",
                    "data.load=stream", ranks=3)
        scores = json.loads((place / "scores.json").read_text(encoding="utf-8"))
        self.assertEqual(scores["sampled"], [run * 125 + i for run in range(20) for i in range(50)])  # neighbours
        with h5py.File(self.folder / "binary.h5") as file:
            self.assertEqual(scores["true"], file["test/y"][:][scores["sampled"]].T.tolist())
        self.assertTrue(all(0 < p < 1 for output in scores["predicted"] for p in output))

    def test_a_stopped_run_has_its_page_and_goes_on_in_one(self):
        place = self.folder / "stopped"
        stop = ["--set", "train.epochs=6", "--set", "train.time_limit=0:00:01", "--set", "log.every_steps=5"]
        program.run("train", RUNS / "digits.toml", "--output", place, "--quiet", *stop, ranks=2, expect=75)
        stopped = page.Page(place / "report.html").run
        self.assertEqual(stopped["status"]["state"], "stopped")
        self.assertIn("train.time_limit", stopped["status"]["why"])
        self.assertEqual(stopped["summary"], None)
        self.assertEqual([rank["steps"] for rank in stopped["ranks"]["shown"]], [stopped["status"]["step"]] * 2)
        program.run("train", RUNS / "digits.toml", "--output", place, "--quiet", "--resume", *stop, "--set",
                    "train.time_limit=none", ranks=3)
        whole = page.Page(place / "report.html").run
        self.assertEqual(whole["status"]["state"], "finished")
        self.check_curves(whole, place)
        steps = page.columns(place / "steps.csv")["step"]
        self.assertEqual(steps, sorted(set(steps)))
        self.assertEqual(steps[-1], 72)

    def test_a_diverged_run_says_so(self):
        place = self.folder / "diverged"
        program.run("train", RUNS / "digits.toml", "--output", place, "--quiet", "--set", f"name=\"{EVIL}\"", "--set",
                    "optimizer.type=sgd", "--set", "optimizer.lr=1e30", ranks=2, expect=3)
        found = page.Page(place / "report.html")
        self.assertEqual(found.tags.count("script"), 3)
        self.assertEqual(found.run["name"], EVIL)
        self.assertEqual(found.run["status"]["state"], "diverged")
        self.assertIn("the training diverged in step", found.run["status"]["why"])

    def test_a_run_that_was_cut_off_is_drawn_as_far_as_it_got(self):
        place = self.folder / "cut"
        shutil.copytree(self.digits, place)
        for name in ("summary.json", "ranks.csv", "scores.json", "report.html", "times.csv"):
            (place / name).unlink()
        status = json.loads((place / "status.json").read_text(encoding="utf-8"))
        (place / "status.json").write_text(json.dumps({**status, "state": "running"}), encoding="utf-8")
        with open(place / "steps.csv", "a", encoding="utf-8") as file:
            file.write("37,4,0.00")
        done = program.run("report", place, mpi=False)
        self.assertIn("1 row of steps.csv left out", done.stderr)
        run = page.Page(place / "report.html").run
        self.assertEqual((run["status"]["state"], run["times"], run["ranks"], run["scores"]), ("running", None, None, None))
        self.assertEqual(run["curves"]["steps"]["loss"]["x"][-1], 36)

    def test_the_key_switches_the_page_and_measures_the_norm(self):
        place = self.folder / "plain"
        keys = ["--set", "log.report=false", "--set", "optimizer.clip_norm=0", "--set", "train.epochs=1"]
        program.run("train", RUNS / "digits.toml", "--output", place, "--quiet", *keys)
        self.assertFalse((place / "report.html").exists())
        self.assertEqual(set(page.columns(place / "steps.csv")["gradient_norm"]), {None})
        digest = program.summary(place)["digest"]
        program.run("report", place, mpi=False)
        self.assertNotIn("gradient_norm", page.Page(place / "report.html").run["curves"]["steps"])
        program.run("train", RUNS / "digits.toml", "--output", place, "--quiet", "--overwrite", *keys, "--set",
                    "log.gradient_norm=true")
        self.assertFalse((place / "report.html").exists())  # that of the run before is gone
        self.assertTrue(all(norm > 0 for norm in page.columns(place / "steps.csv")["gradient_norm"]))
        self.assertEqual(program.summary(place)["digest"], digest)

    def test_a_page_that_cannot_be_written_is_a_warning(self):
        place = self.folder / "blocked"
        (place / "report.html/inside").mkdir(parents=True)
        done = program.run("train", RUNS / "digits.toml", "--output", place, "--quiet", "--set", "train.epochs=1", ranks=2)
        self.assertEqual(done.stderr.count("warning"), 1, done.stderr)
        self.assertIn("report.html is not written", done.stderr)
        self.assertTrue((place / "summary.json").exists())

    def test_what_the_command_refuses(self):
        for arguments, text in ((["report"], "the folder of a run is needed"),
                                (["report", self.folder / "none"], "no folder"),
                                (["report", self.folder], "run.toml and metrics.csv"),
                                (["report", self.digits, "--output", self.folder / "none/page.html"], "page.html")):
            done = program.run(*arguments, mpi=False, expect=1 if "--output" in arguments else 2)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    program.main()
