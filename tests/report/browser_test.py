"""report.html in a browser: no error, every chart drawn with the run's numbers, and readable on wide and narrow screens.

Usage: browser_test.py PROGRAM
Needs Chromium; where there is none it says so loudly and is skipped.
"""

import json
import re
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import browser
import page
import program

RUNS = program.ROOT / "launch/runs"
EVIL = "</script><script>document.title = 'broken'</script><b>"
WIDTHS = (1280, 400)
# What a page shows. A coloured pixel is one of a curve: text and grid are grey.
LOOK = """
const look = (frame) => {
  const { document: page, Chart, problems, performance } = frame.contentWindow;
  const coloured = (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      const rgb = data.slice(i, i + 3);
      if (data[i + 3] > 0 && Math.max(...rgb) - Math.min(...rgb) > 40) ++count;
    }
    return count;
  };
  return {
    problems: [...problems, ...[...page.querySelectorAll(".problem")].map((p) => p.textContent)],
    loaded: performance.getEntriesByType("resource").map((entry) => entry.name),
    title: page.title, head: page.querySelector("h1").textContent,
    badges: [...page.querySelectorAll(".badge")].map((badge) => badge.textContent),
    text: page.getElementById("page").innerText,
    tiles: Object.fromEntries([...page.querySelectorAll(".tile")].map((tile) =>
      [tile.querySelector("dt").textContent, tile.querySelector("dd").textContent])),
    tooWide: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    matrix: [...page.querySelectorAll("table.matrix td.count")].map((cell) => Number(cell.textContent)),
    charts: Object.fromEntries([...page.querySelectorAll("canvas")].map((canvas) => {
      const chart = Chart.getChart(canvas);
      const { left, right } = canvas.getBoundingClientRect();
      const axes = Object.values(chart.options.scales).map((scale) => scale.title.text);
      const ticks = Object.values(chart.scales).map((scale) => scale.ticks.map((tick) => String(tick.label)));
      return [canvas.id, { ticks, coloured: coloured(canvas), axes, inside: left >= 0 && right <= page.documentElement.clientWidth,
        width: right - left, told: canvas.getAttribute("aria-label"),
        curves: Object.fromEntries(chart.data.datasets.map((d) => [d.label, d.data])) }];
    })),
  };
};
"""


def train(folder, run, ranks, *keys, expect=0):
    arguments = [word for key in keys for word in ("--set", key)]
    program.run("train", run, "--output", folder, "--quiet", *arguments, ranks=ranks, expect=expect)


def make_runs(folder):
    """Pages by name: a classification, a regression, a binary one with an odd name, one that diverged, and several."""
    train(folder / "digits", RUNS / "digits.toml", 3, "train.epochs=4")
    train(folder / "concrete", RUNS / "concrete.toml", 2, "train.epochs=4")
    train(folder / "restored", RUNS / "concrete.toml", 1, "train.epochs=20", "optimizer.lr=1.0", "optimizer.clip_norm=0",
          "optimizer.schedule.type=constant", "checkpoint.monitor=auto", "name=restored",
          "train.early_stop={monitor = \"test.loss\", patience = 19}")
    train(folder / "spread", RUNS / "concrete.toml", 1, "train.epochs=6", "name=spread", "model.loss=gaussian_nll",
          "model.layers.4.units=2")
    train(folder / "diverged", RUNS / "digits.toml", 1, "optimizer.type=sgd", "optimizer.lr=1e30", expect=3)
    rng = numpy.random.default_rng(1)
    with h5py.File(folder / "binary.h5", "w") as file:
        for split, rows in (("train", 256), ("test", 300)):
            file[f"{split}/x"] = rng.random((rows, 4), dtype="f4")
            file[f"{split}/y"] = (rng.random((rows, 2)) < 0.5).astype("u1")
    (folder / "binary.toml").write_text(page.BINARY, encoding="utf-8")
    train(folder / "binary", folder / "binary.toml", 1, f"name=\"{EVIL}\"")
    several = [folder / name for name in ("digits", "diverged", "concrete", "restored")]
    program.run("report", *several, "--output", folder / "runs.html", mpi=False)
    pages = {name: folder / name / "report.html" for name in ("digits", "concrete", "diverged", "binary", "restored", "spread")}
    return {**pages, "runs": folder / "runs.html"}


class InABrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        cls.found, cls.console = browser.look(cls.folder, make_runs(cls.folder), LOOK, WIDTHS)

    def on(self, name, width=WIDTHS[0]):
        return self.found[f"{name}.html {width}"]

    def test_no_page_has_an_error_or_loads_anything(self):
        self.assertEqual(len(self.found), 14)
        self.assertEqual(self.console, [])
        for name, found in self.found.items():
            self.assertEqual(found["problems"], [], name)
            self.assertEqual(found["loaded"], [], name)

    def test_every_chart_is_drawn_within_the_screen_and_has_axes_and_a_text(self):
        for name, found in self.found.items():
            self.assertLessEqual(found["tooWide"], 0, name)
            self.assertGreaterEqual(len(found["charts"]), 4, name)
            for chart, drawn in found["charts"].items():
                self.assertGreater(drawn["coloured"], 20, f"{name} {chart}")
                self.assertTrue(drawn["inside"] and drawn["width"] > 250, f"{name} {chart}")
                self.assertTrue(all(drawn["axes"]) and drawn["told"].count(":") > 0, f"{name} {chart}")

    def points(self, name, chart, curve):
        data = self.on(name)["charts"][chart]["curves"][curve]
        return [point["x"] for point in data], [point["y"] for point in data]

    def test_curves_are_those_of_the_files(self):
        metrics = page.columns(self.folder / "digits/metrics.csv")
        steps = page.columns(self.folder / "digits/steps.csv")
        for chart, curve, table, column in (
                ("loss", "train", metrics, "train_loss"), ("loss", "test", metrics, "test_loss"),
                ("loss", "batch", steps, "loss"), ("score-accuracy", "test", metrics, "test_accuracy"),
                ("score-top5", "test", metrics, "test_top5"), ("score-macro_recall", "test", metrics, "test_macro_recall"),
                ("learning-rate", "digits", steps, "learning_rate"), ("gradient-norm", "digits", steps, "gradient_norm"),
                ("speed", "since the start", steps, "samples_per_second"), ("speed", "of an epoch", metrics, "samples_per_second")):
            self.assertEqual(self.points("digits", chart, curve), (table["step"], table[column]), f"{chart} {curve}")

    def test_the_best_of_a_score_is_the_least_where_less_is_better(self):
        metrics = page.columns(self.folder / "spread/metrics.csv")
        found = self.on("spread")
        best = re.search(r"test nll\s+\S+\s+best ([-\d.]+), step", found["text"])
        self.assertAlmostEqual(float(best[1]), min(metrics["test_nll"]), 3)
        self.assertIn("Right is what its name says", found["text"])  # of coverage95
        self.assertNotIn("Nll: Larger", found["text"])

    def test_times_are_those_of_the_files(self):
        times = page.columns(self.folder / "digits/times.csv")
        steps, waits = self.points("digits", "times", "wait for ranks")
        self.assertEqual(steps, times["step"])
        scale = max(waits) / max(times["wait_median"])
        self.assertIn(round(scale), (1, 1000, 1000000))
        for drawn, seconds in zip(waits, times["wait_median"]):
            self.assertAlmostEqual(drawn, seconds * round(scale), 6)
        ranks = page.columns(self.folder / "digits/ranks.csv")
        drawn = self.on("digits")["charts"]["ranks"]["curves"]
        self.assertEqual(set(drawn), {"gather", "forward", "backward", "wait for ranks", "exchange and update"})
        phases = [name[:-len("_median")] for name in times if name.endswith("_median")]
        script = page.Page(self.folder / "digits/report.html").texts
        for phase in phases:  # one that the page does not know would be left out of its sums
            self.assertTrue(any(f"[\"{phase}\", " in text for text in script.values()), phase)
        unit = drawn["forward"][0] / (ranks["forward"][0] / 48)
        for bar, seconds in zip(drawn["forward"], ranks["forward"]):
            self.assertAlmostEqual(bar, seconds / 48 * unit, 6)

    def test_the_head_tells_state_scores_and_digest(self):
        found, summary = self.on("digits"), program.summary(self.folder / "digits")
        self.assertEqual((found["head"], found["badges"]), ("digits", ["✓ finished"]))
        for text in (summary["digest"], f"{summary['test']['accuracy']:.5g}", "test accuracy", "48", "schedule = {type"):
            self.assertIn(text, found["text"])
        self.assertEqual(self.on("diverged")["badges"], ["✗ diverged"])
        self.assertIn("the training diverged in step", self.on("diverged")["text"])
        self.assertIn("log.gradient_norm = true", self.on("binary")["text"])

    def test_the_head_shows_the_state_that_the_run_ends_with_not_one_that_it_discards(self):
        summary = program.summary(self.folder / "restored")
        last = page.columns(self.folder / "restored/metrics.csv")["test_rmse"][-1]
        self.assertLess(summary["restored"]["epoch"], 20)
        tiles = self.on("restored")["tiles"]
        self.assertEqual(tiles["test RMSE"], f"{summary['test']['rmse']:.5g}")
        self.assertNotEqual(tiles["test RMSE"], f"{last:.5g}")
        self.assertIn(f"of epoch {summary['restored']['epoch']} (step {summary['restored']['step']})", self.on("restored")["text"])
        for width in WIDTHS:
            self.assertIn(f"{summary['test']['rmse']:.5g}", self.on("runs", width)["text"])

    def test_a_learning_rate_that_is_constant_is_drawn_at_its_value(self):
        self.assertEqual(self.on("binary")["charts"]["learning-rate"]["ticks"][1], ["0", "0.005", "0.01", "0.015", "0.02"])

    def test_losses_that_do_not_compare_are_named(self):
        self.assertIn("The training loss does not compare with the others: dropout acts in training alone",
                      self.on("digits")["text"])
        self.assertIn("All are in normalised units", self.on("concrete")["text"])
        self.assertNotIn("compare", self.on("concrete")["text"].replace("comparable", ""))
        for text in ("Losses do not compare between these runs, which differ in model.loss, data.normalize and data.train",
                     "Their tests are of different data"):
            self.assertIn(text, self.on("runs")["text"])

    def test_answers_are_those_of_the_files(self):
        scores = {name: json.loads((self.folder / name / "scores.json").read_text(encoding="utf-8"))
                  for name in ("digits", "concrete", "binary")}
        self.assertEqual(self.on("digits")["matrix"], sum(scores["digits"]["confusion"], []))
        truth, predicted = self.points("concrete", "predicted", "sample")
        self.assertEqual((truth, predicted), (scores["concrete"]["true"][0], scores["concrete"]["predicted"][0]))
        bins = self.on("binary")["charts"]["probabilities"]["curves"]
        self.assertEqual(sum(bins["true 1"]), sum(scores["binary"]["true"][0]))
        self.assertEqual(sum(bins["true 0"]) + sum(bins["true 1"]), 300)

    def test_several_runs_are_drawn_by_name(self):
        found = self.on("runs")
        self.assertEqual(found["head"], "4 runs")
        # Two runs of one name are told apart by their folders.
        digits = str(self.folder / "digits")
        self.assertEqual(self.points("runs", "loss", f"{digits}: test"), self.points("digits", "loss", "test"))
        self.assertEqual(self.points("runs", "loss", "concrete: train"), self.points("concrete", "loss", "train"))
        self.assertIn("optimizer.lr", found["text"])
        self.assertEqual(found["matrix"], self.on("digits")["matrix"])

    def test_what_a_name_holds_is_text(self):
        found = self.on("binary")
        self.assertEqual(found["head"], EVIL)
        self.assertTrue(found["title"].startswith("</script>"), found["title"])


def main():
    browser.need("report.html")
    program.main()


if __name__ == "__main__":
    main()
