"""lockstep explain --ranks: the step is the one that train makes, its sums are numpy's in the order of the tree, to the bit, and
what is printed does not depend on the ranks."""

import json
import math
import re
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

RUNS = program.ROOT / "launch/runs"
F = numpy.float32
OF_RANKS = ("ranks", "hosts", "updated_by")
MOMENTUM = ("optimizer.type=sgd", "optimizer.lr=0.05", "optimizer.momentum=0.9", "optimizer.clip_norm=0.05")


def explain(what, *more, ranks=1, settings=()):
    """Of a run file's name, or a checkpoint's path."""
    words = [word for setting in settings for word in ("--set", setting)]
    what = RUNS / what if str(what).endswith(".toml") else what
    return program.run("explain", what, "--ranks", *more, *words, ranks=ranks, mpi=ranks > 1).stdout


def told(what, *more, ranks=1, settings=()):
    return json.loads(explain(what, "--json", *more, ranks=ranks, settings=settings))


def without_ranks(step):
    step = {key: value for key, value in step.items() if key not in OF_RANKS}
    step["shards"] = [{key: value for key, value in shard.items() if key != "rank"} for shard in step["shards"]]
    step["tree"] = [{key: value for key, value in node.items() if key != "within"} for node in step["tree"]]
    return step


def tree_sums(gradients):
    """{(first shard, last shard): sum} of all nodes of the fixed tree."""
    sums = {}

    def add(begin, end):
        if end - begin == 1:
            sums[begin, begin] = gradients[begin]
        else:
            middle = begin + 2 ** int(math.log2(end - begin - 1))
            sums[begin, end - 1] = add(begin, middle) + add(middle, end)
        return sums[begin, end - 1]

    add(0, len(gradients))
    return sums


def bits(value):
    return f"{F(value).view('u4'):#010x}"


class ExplainRanks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.digits = Path(cls.scratch.name) / "digits"
        settings = ("train.epochs=1", "checkpoint.every_steps=1", "checkpoint.keep=100", *MOMENTUM)
        program.run("train", RUNS / "digits.toml", "--output", cls.digits, "--quiet",
                    *(word for setting in settings for word in ("--set", setting)), mpi=False)
        cls.three = [told("three-layer.toml", "--weight", "dense1[1,0]", ranks=ranks) for ranks in (1, 3, 4)]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def checkpoint(self, step):
        return self.digits / f"checkpoints/step-{step:08}.h5"

    def stored(self, step, layer, place, group="parameters"):
        with h5py.File(self.checkpoint(step)) as file:
            return file[f"{group}/{layer}"][place]

    def adds_up(self, step):
        """The sums of the tree, and what is used of them."""
        gradients = [F(shard["gradient"]) for shard in step["shards"]]
        sums = tree_sums(gradients)
        self.assertEqual({tuple(node["shards"]): F(node["sum"]) for node in step["tree"]}, sums)
        self.assertEqual(F(step["sum_used"]), sums[0, len(gradients) - 1])
        self.assertTrue(step["same_bits"])
        self.assertTrue(step["same_bits_on_all_ranks"])
        self.assertEqual(F(step["scale"]), F(step["clip"] / step["divisor"]))
        self.assertEqual(F(step["mean_gradient"]), F(step["sum_used"]) * F(step["scale"]))

    def test_any_rank_count_shows_the_same(self):
        for step in self.three[1:]:
            self.assertEqual(without_ranks(step), without_ranks(self.three[0]))
        self.assertEqual([step["ranks"] for step in self.three], [1, 3, 4])
        self.assertEqual([[shard["rank"] for shard in step["shards"]] for step in self.three],
                         [[0, 0, 0, 0], [0, 1, 2, 2], [0, 1, 2, 3]])
        self.assertEqual([[node["within"] for node in step["tree"]] for step in self.three],
                         [["rank"] * 7, ["rank"] * 2 + ["host"] + ["rank"] * 3 + ["host"],
                          ["rank"] * 2 + ["host"] + ["rank"] * 2 + ["host"] * 2])

    def test_sum_and_update_are_those_of_numpy(self):
        step = self.three[1]
        self.adds_up(step)
        self.assertEqual(sorted(sample for shard in step["shards"] for sample in shard["samples"]), [0, 1, 2, 3])
        self.assertEqual((step["divisor"], step["clip"], step["step"], step["weight"]), (4, 1, 1, "dense1[1,0]"))
        g = F(step["mean_gradient"])
        m, v = F(1 - 0.9) * g, F(1 - 0.999) * g * g  # Adam's first step
        root = numpy.sqrt(v) / F(math.sqrt(1 - 0.999)) + F(1e-8)
        after = F(step["before"]) - F(0.05 / (1 - 0.9)) * m / root
        self.assertNotEqual(g, 0)
        self.assertEqual(F(step["after"]), after)
        self.assertEqual(step["after_bits"], bits(after))

    def test_it_is_the_step_that_train_makes(self):
        first = told("digits.toml", "--weight", "dense2[3,7]", ranks=3, settings=("train.epochs=1", *MOMENTUM))
        self.assertEqual((first["step"], first["epoch"]), (1, 1))
        self.assertEqual(F(first["after"]), self.stored(1, "dense2/weight", (3, 7)))
        fifth = told(self.checkpoint(5), "--weight", "dense3[4]", ranks=3)
        self.assertEqual((fifth["step"], fifth["epoch"], fifth["weight"]), (6, 1, "dense3[4]"))
        self.assertEqual(F(fifth["before"]), self.stored(5, "dense3/bias", 4))
        self.assertEqual(F(fifth["after"]), self.stored(6, "dense3/bias", 4))
        for step in (first, fifth):
            self.adds_up(step)
            self.assertLess(step["clip"], 1)
        buffer = self.stored(5, "momentum_buffer/dense3/bias", 4, "optimizer")
        moved = F(0.9) * buffer + F(fifth["mean_gradient"])
        self.assertEqual(F(fifth["after"]), F(fifth["before"]) - F(fifth["learning_rate"]) * moved)

    def test_a_run_that_has_ended_shows_what_would_follow(self):
        text = explain(self.digits)
        self.assertIn("Step 13 (epoch 2) of", text)
        self.assertIn("The run has ended", text)

    def test_a_checkpoint_before_the_scores_of_its_epoch_goes_on_with_the_next(self):
        folder = Path(self.scratch.name) / "stopped"
        program.run("train", RUNS / "digits.toml", "--output", folder, "--quiet", "--set", "train.batch=1438", "--set",
                    "train.time_limit=1s", expect=75, mpi=False)
        self.assertIn("step 1, 0 epochs done, 1438 samples of the next", program.run("inspect", folder, mpi=False).stdout)
        step = told(folder)
        self.assertEqual((step["step"], step["epoch"], step["samples"]), (2, 2, 1438))

    def test_nothing_is_written(self):
        before = {path: path.stat().st_mtime_ns for path in self.digits.rglob("*")}
        explain(self.checkpoint(5))
        self.assertEqual({path: path.stat().st_mtime_ns for path in self.digits.rglob("*")}, before)

    def test_the_text_has_the_same_numbers(self):
        text = explain("three-layer.toml", "--weight", "dense1[1,0]", ranks=3)
        step = self.three[1]
        numbers = {F(word) for word in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])", text)}
        for key in ("sum_of_tree", "mean_gradient", "before", "after"):
            self.assertIn(F(step[key]), numbers, key)
        for node in step["tree"]:
            self.assertIn(F(node["sum"]), numbers, node)
        for phrase in ("4 shards, 3 ranks, exchange node", "Weight dense1[1,0] = ", step["after_bits"], bits(step["sum_used"]),
                       f"the bits that rank {step['updated_by'][0]} got", "the same bits on all 3 ranks", "─┐", "━┓", "┣━"):
            self.assertIn(phrase, text)
        self.assertNotIn("═", text)
        self.assertLessEqual(max(map(len, text.splitlines()[1:])), 80)

    def test_lines_fit_a_terminal(self):
        for shards, signs in ((8, ["┘"]), (16, ["none", "15 "]), (61, ["8 shards with the largest", "60 ", "56-59"])):
            text = explain("digits.toml", settings=(f"train.shards={shards}", "train.batch=14"))
            self.assertLessEqual(max(map(len, text.splitlines()[1:])), 80, shards)
            for sign in signs:
                self.assertIn(sign, text, shards)
        self.assertLess(len(text.splitlines()), 60)

    def test_shards_without_samples_are_zeros(self):
        step = told("digits.toml", settings=("train.shards=16", "train.batch=14"))
        empty = [shard for shard in step["shards"] if not shard["samples"]]
        self.assertEqual([(shard["gradient"], shard["loss_sum"], shard["weight"]) for shard in empty], [(0, 0, 0)] * 2)
        self.adds_up(step)

    def test_tree_gives_the_same_and_allreduce_nearly(self):
        seen = {name: told("digits.toml", ranks=ranks, settings=(f"train.exchange={name}",))
                for name, ranks in (("node", 1), ("tree", 3), ("allreduce", 3))}
        for name in ("tree", "allreduce"):
            self.assertEqual(seen[name]["updated_by"], [0, 1, 2])
            for part in ("shards", "tree"):
                self.assertEqual(without_ranks(seen[name])[part], without_ranks(seen["node"])[part])
        self.assertEqual(seen["tree"]["sum_used"], seen["node"]["sum_used"])
        self.assertEqual(seen["tree"]["after_bits"], seen["node"]["after_bits"])
        numpy.testing.assert_allclose(seen["allreduce"]["sum_used"], seen["node"]["sum_used"], rtol=1e-5)  # rounding

    def test_streamed_data_give_the_same_rows(self):
        settings = ("data.load=stream", "data.window=40kB", "train.shards=4")
        one, three = (told("digits.toml", ranks=ranks, settings=settings) for ranks in (1, 3))
        self.assertEqual(without_ranks(one), without_ranks(three))
        self.assertEqual(sum(len(shard["samples"]) for shard in one["shards"]), 128)

    def test_what_is_wrong_is_told(self):
        frozen = ("--set", 'model.freeze=["dense1"]')
        nothing = Path(self.scratch.name) / "nothing.h5"
        with h5py.File(nothing, "w") as file:
            file["x"] = file["y"] = numpy.zeros((4, 2), "f4")
        for more, message in ((("--sample", "1"), "--sample does not go with --ranks"),
                              (("--html", "page.html"), "--html does not go with --ranks"),
                              (("--check",), "--check does not go with --ranks"),
                              (("--weight", "dense9[0,0]"), "the net has no dense9[0,0]; it has dense1/weight [8,2]"),
                              (("--weight", "dense1"), 'found "dense1"'),
                              (("--weight", "dense1[0,0]", *frozen), "dense1[0,0] is frozen"),
                              (("--set", 'model.layers=[{type="tanh"}]', "--set", 'model.loss="mse"', "--set",
                                f"data.train={nothing}", "--set", f"data.test={nothing}"), "no layers with weights")):
            done = program.run("explain", RUNS / "three-layer.toml", "--ranks", *more, expect=2, mpi=False)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stdout, "")
        done = program.run("explain", RUNS / "three-layer.toml", "--ranks", "--weight", "dense1[8,0]", ranks=3, expect=2)
        self.assertEqual(done.stderr.count("there is no dense1[8,0]"), 1)

    def test_a_step_that_diverges_is_told(self):
        done = program.run("explain", RUNS / "three-layer.toml", "--ranks", "--set", "optimizer.type=sgd",
                           "--set", "optimizer.lr=1e39", expect=3, mpi=False)
        self.assertIn("the training diverged in step 1", done.stderr)


if __name__ == "__main__":
    program.main()
