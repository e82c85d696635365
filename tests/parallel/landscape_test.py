"""lockstep landscape on a linear problem of two weights, where all is known: the cost anywhere, its lowest place by least
squares, each step of gradient descent. And the picture, which must show the same numbers."""

import json
import re
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

import h5py
import numpy

import program

RUN = """
name = "line <&>"
[data]
train = "line.h5:/train"
[model]
loss = "mse"
layers = [{type="dense", units=1, bias=false, init="constant", init_value=0.5}]
[train]
batch = 100
shards = 3
epochs = 1
[optimizer]
type = "sgd"
lr = 0.25
"""
SVG = "{http://www.w3.org/2000/svg}"


def numbers(path):
    return numpy.genfromtxt(path, delimiter=",", names=True)


class Landscape(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        random = numpy.random.default_rng(7)
        cls.x = random.normal(size=(600, 2)).astype("f4") @ numpy.array([[1, 0.6], [0, 0.8]], "f4")
        cls.y = (cls.x @ numpy.array([1.3, -0.7]) + 0.2 * random.normal(size=600)).astype("f4")
        with h5py.File(cls.folder / "line.h5", "w") as file:
            file["train/x"], file["train/y"] = cls.x, cls.y
        (cls.folder / "run.toml").write_text(RUN, encoding="utf-8")
        cls.one = cls.draw("one", "--weight", "dense1[0,0]", "--points", 31, "--steps", 6, "--json")
        cls.two = cls.draw("two", "--weight", "dense1[0,0]", "--and", "dense1[0,1]", "--range=-1:2", "--and-range=-2:1.5",
                           "--points", 21, "--steps", 40, "--from", "1.9,1.25", "--json")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def draw(cls, name, *words, ranks=None, expect=0, run="run.toml"):
        done = program.run("landscape", run, "--output", name, *words, ranks=ranks or 1, mpi=ranks is not None, expect=expect,
                           cwd=cls.folder)
        return json.loads(done.stdout) if "--json" in words else done.stdout + done.stderr

    def cost(self, a, b, x=None, y=None):
        x, y = (self.x if x is None else x).astype("f8"), (self.y if y is None else y).astype("f8")
        return ((x @ [a, b] - y) ** 2).mean()

    def slope(self, a, b):
        x, y = self.x.astype("f8"), self.y.astype("f8")
        return 2 * x.T @ (x @ [a, b] - y) / len(x)

    def test_minimum_over_two_weights_is_that_of_least_squares(self):
        x, y = self.x.astype("f8"), self.y.astype("f8")
        closed = numpy.linalg.solve(x.T @ x, x.T @ y)
        found = self.two["minimum"]
        # Each product of a slope is rounded to 24 bits: 1e-7 of terms of about 1, over curvatures of about 1.
        numpy.testing.assert_allclose([found["weight"], found["and"]], closed, atol=2e-6)
        self.assertAlmostEqual(found["cost"], self.cost(*closed), delta=1e-7)
        self.assertFalse(self.two["on_border"])
        end = self.two["end"]  # the ball comes to rest there too
        numpy.testing.assert_allclose([end["weight"], end["and"]], closed, atol=1e-3)

    def test_minimum_over_one_weight_is_that_of_least_squares(self):
        x, y = self.x.astype("f8"), self.y.astype("f8")
        closed = x[:, 0] @ (y - 0.5 * x[:, 1]) / (x[:, 0] @ x[:, 0])
        self.assertAlmostEqual(self.one["minimum"]["weight"], closed, delta=2e-6)
        self.assertAlmostEqual(self.one["minimum"]["cost"], self.cost(closed, 0.5), delta=1e-7)

    def test_costs_and_slopes_are_those_of_numpy(self):
        grid = numbers(self.folder / "one.csv")
        self.assertEqual(grid.dtype.names, ("weight", "cost", "slope"))
        numpy.testing.assert_allclose(grid["weight"], numpy.linspace(-0.5, 1.5, 31), atol=1e-7)
        numpy.testing.assert_allclose(grid["cost"], [self.cost(w, 0.5) for w in grid["weight"]], rtol=1e-6)
        numpy.testing.assert_allclose(grid["slope"], [self.slope(w, 0.5)[0] for w in grid["weight"]], atol=1e-6)
        grid = numbers(self.folder / "two.csv")
        self.assertEqual((grid.dtype.names, grid.size), (("weight", "and", "cost"), 21 * 21))
        numpy.testing.assert_allclose(grid["cost"], [self.cost(a, b) for a, b, _ in grid], rtol=1e-6)

    def test_steps_go_down_the_slope(self):
        steps = numbers(self.folder / "two-steps.csv")
        at = numpy.array([1.9, 1.25])
        for step in steps:
            numpy.testing.assert_allclose([step["weight"], step["and"]], at, atol=1e-5)
            numpy.testing.assert_allclose([step["slope"], step["and_slope"]], self.slope(*at), atol=1e-5)
            at = at - 0.25 * self.slope(*at)
        self.assertEqual(steps["step"].tolist(), list(range(41)))

    def test_files_are_the_same_at_three_ranks(self):
        for name, words in (("one", ["--points", 31, "--steps", 6]),
                            ("two", ["--and", "dense1[0,1]", "--range=-1:2", "--and-range=-2:1.5", "--points", 21, "--steps", 40,
                                     "--from", "1.9,1.25"])):
            told = self.draw(name + "3", "--weight", "dense1[0,0]", *words, "--json", ranks=3)
            expected = self.one if name == "one" else self.two
            self.assertEqual({**told, "files": 0}, {**expected, "files": 0})
            for end in (".csv", "-steps.csv", ".svg"):
                self.assertEqual((self.folder / f"{name}3{end}").read_bytes(), (self.folder / f"{name}{end}").read_bytes())

    def circles(self, name):
        """Where the balls of a picture are in its own units, by the numbers at its axes."""
        root = xml.parse(self.folder / f"{name}.svg").getroot()
        self.assertEqual((root.tag, root.get("viewBox")), (f"{SVG}svg", f"0 0 {root.get('width')} {root.get('height')}"))
        axis = {}
        for kind, place, shift in (("x-tick", "x", 0), ("y-tick", "y", -4.5)):
            ticks = [t for t in root.iter(f"{SVG}text") if t.get("class") == kind]
            self.assertGreater(len(ticks), 2)
            axis[place] = numpy.polyfit([float(t.get(place)) + shift for t in ticks], [float(t.text) for t in ticks], 1)
        balls = [c for c in root.iter(f"{SVG}circle") if c.get("class") == "ball"]
        steps = [int((re.match(r"step (\d+)", c.find(f"{SVG}title").text) or [0, 0])[1]) for c in balls]
        at = [[numpy.polyval(axis[place], float(c.get("c" + place))) for place in "xy"] for c in balls]
        return [place for _, place in sorted(zip(steps, at))]

    def test_picture_shows_every_step_where_it_is(self):
        # A pixel is 1/200 of these ranges, and places are written to its hundredth.
        steps = numbers(self.folder / "one-steps.csv")
        numpy.testing.assert_allclose(self.circles("one"), numpy.c_[steps["weight"], steps["cost"]], atol=5e-4)
        steps = numbers(self.folder / "two-steps.csv")
        numpy.testing.assert_allclose(self.circles("two"), numpy.c_[steps["weight"], steps["and"]], atol=5e-4)

    def test_the_text_fits_a_terminal_and_holds_the_numbers(self):
        with tempfile.TemporaryDirectory() as empty:
            run = ["landscape", self.folder / "run.toml", "--weight", "dense1[0,0]", "--points", 31, "--steps", 6]
            told = program.run(*run, mpi=False, cwd=empty).stdout  # files are landscape.csv and so on without --output
            self.assertEqual(sorted(path.name for path in Path(empty).iterdir()),
                             ["landscape-steps.csv", "landscape.csv", "landscape.svg"])
            again = program.run(*run, mpi=False, cwd=empty, expect=2).stderr
            self.assertIn("landscape.csv is there already", again)
        rows = {line[:22].strip(): line[22:].split() for line in told.splitlines() if line[22:].strip()}
        for row, key in (("the net", "net"), ("minimum", "minimum"), ("after 6 steps", "end")):
            for found, name in zip(rows[row], ("weight", "cost", "slope")):
                self.assertAlmostEqual(float(found), self.one[key][name], 6, f"{row} {name}")
        self.assertLessEqual(max(len(line) for line in told.splitlines()[1:]), 80)

    def test_what_leaves_the_range_is_told_of_and_left_out(self):
        told = self.draw("out", "--weight", "dense1[0,0]", "--range", "0.9:1.1", "--steps", 5, "--lr", 3)
        steps = numbers(self.folder / "out-steps.csv")
        self.assertEqual(steps.size, 6)
        outside = [w for w in steps["weight"] if not 0.9 <= w <= 1.1]
        self.assertIn(f"{len(outside)} of its 6 places lie outside", told)
        self.assertEqual(len(self.circles("out")), 6 - len(outside))
        self.assertIn("on the border of the range", self.draw("out", "--weight", "dense1[0,0]", "--range", "3:4", "--overwrite"))

    def test_what_is_not_finite_is_told_of_and_left_out(self):
        told = self.draw("huge", "--weight", "dense1[0,0]", "--and", "dense1[0,1]", "--span", "3e38", "--lr", "1e30", "--points", 11)
        grid = numbers(self.folder / "huge.csv")
        gaps = numpy.count_nonzero(~numpy.isfinite(grid["cost"]))
        self.assertGreater(gaps, 50)
        self.assertIn(f"{gaps} of 121 costs are not finite", told)
        self.assertIn("descent ends where cost or slope is not finite", told)
        xml.parse(self.folder / "huge.svg")

    def test_held_out_rows_streams_and_checkpoints(self):
        streamed = self.draw("stream", "--weight", "dense1[0,0]", "--points", 31, "--steps", 6, "--json", "--set",
                             "data.load=stream", "--set", "data.window=1kB", ranks=2)
        self.assertEqual({**streamed, "files": 0}, {**self.one, "files": 0})
        program.run("train", "run.toml", "--output", "trained", "--quiet", "--set", "data.validation=0.5", "--set",
                    'data.normalize="standard"', "--set", "train.epochs=20", mpi=False, cwd=self.folder)
        told = self.draw("trained-one", "--weight", "dense1[0,1]", "--json", run="trained")
        self.assertEqual((told["step"], told["samples"], told["normalised_targets"]), (60, 300, True))
        with h5py.File(self.folder / "trained/checkpoints/step-00000060.h5") as file:
            weights = file["parameters/dense1/weight"][()]
        self.assertAlmostEqual(told["net"]["weight"], float(weights[0, 1]), delta=1e-7)
        self.assertLess(abs(told["net"]["weight"] - told["minimum"]["weight"]), 0.02)  # up to the noise of its batches

    def test_frozen_weights_have_slopes_too(self):
        layers = 'model.layers=[{type="dense",units=2,name="a",init="constant",init_value=0.5},{type="dense",units=1}]'
        told = self.draw("frozen", "--weight", "a[0,1]", "--set", layers, "--set", 'model.freeze=["a"]', "--json")
        text = self.draw("frozen-text", "--weight", "a[0,1]", "--set", layers, "--set", 'model.freeze=["a"]')
        self.assertIn("its layer is frozen", text)
        self.assertLessEqual(max(map(len, text.splitlines()[1:-1])), 80)
        self.assertTrue(told["weight"]["frozen"])
        self.assertGreater(abs(told["net"]["slope"]), 1e-3)

    def test_what_is_refused(self):
        weight = ["--weight", "dense1[0,0]"]
        for words, message in (([], "--weight NAME"),
                               (["--weight", "dense1[0,2]"], "--weight: dense1/weight is [1,2]"),
                               (["--weight", "dense9[0,2]"], "the net has no dense9"),
                               (weight + ["--and", "dense1/weight[0,0]"], "is the weight of --weight"),
                               (weight + ["--and-range", "0:1"], "name it with --and"),
                               (weight + ["--points", 2], "--points: expected 3 to"),
                               (weight + ["--span", 0], "--span: expected a number above 0"),
                               (weight + ["--span", "inf"], "failed to parse"),
                               (weight + ["--span", "1e-9"], "differ as 32-bit floats"),
                               (weight + ["--range", "2:1"], "expected LOW below HIGH"),
                               (weight + ["--range", "1"], "expected 2 numbers"),
                               (weight + ["--from", "1,2"], "expected 1 number"),
                               (weight + ["--lr", -1], "--lr: expected a number above 0"),
                               (weight + ["--steps", -1], "--steps: expected 0 to"),
                               (weight + ["--output", "nowhere/a"], "there is no folder nowhere"),
                               (weight + ["--output", "one"], "one.csv is there already")):
            words = words if "--output" in words else words + ["--output", "refused"]
            done = program.run("landscape", "run.toml", *words, mpi=False, expect=2, cwd=self.folder)
            self.assertIn(message, done.stderr, words)
        self.assertEqual(list(self.folder.glob("refused*")), [])


if __name__ == "__main__":
    program.main()
