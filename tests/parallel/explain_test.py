"""lockstep explain: runs, checkpoints and run folders; --check and its exit code; what is refused."""

import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

RUNS = program.ROOT / "launch/runs"


def explain(*words, ranks=1, expect=0, cwd=program.PLACE):
    return program.run("explain", *words, ranks=ranks, mpi=ranks > 1, expect=expect, cwd=cwd)


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        program.run("train", RUNS / "digits.toml", "--output", cls.folder / "digits", "--quiet", "--set", "train.epochs=3",
                    ranks=2)

    def refused(self, *arguments, says, ranks=1):
        done = explain(*arguments, ranks=ranks, expect=2)
        self.assertEqual(done.stdout, "")
        for text in says:
            self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("lockstep: error"), 1)

    def test_a_folder_and_its_newest_checkpoint_are_the_same(self):
        of_folder = explain(self.folder / "digits", "--sample", 5, "--json").stdout
        of_file = explain(self.folder / "digits/checkpoints/step-00000036.h5", "--sample", 5, "--json").stdout
        self.assertEqual(of_folder, of_file)
        found = json.loads(of_file)
        self.assertEqual((found["step"], found["sample"], found["is_whole"]), (36, 5, False))
        self.assertEqual([stage["units"] for stage in found["stages"]], [128, 64, 10])
        self.assertTrue(all(w["after"] != w["w"] for stage in found["stages"] for w in stage["weights"]))

    def test_nothing_is_written(self):
        before = sorted((path, path.stat().st_mtime_ns) for path in (self.folder / "digits").rglob("*"))
        with tempfile.TemporaryDirectory() as empty:
            explain(self.folder / "digits", cwd=empty)
            self.assertEqual(list(Path(empty).iterdir()), [])
        explain(self.folder / "digits", "--check")
        self.assertEqual(sorted((path, path.stat().st_mtime_ns) for path in (self.folder / "digits").rglob("*")), before)

    def test_the_step_clips_and_tells(self):
        text = explain(RUNS / "concrete.toml", "--set", "optimizer.clip_norm=0.01").stdout
        self.assertIn("clipped by 0.0", text)
        found = json.loads(explain(RUNS / "concrete.toml", "--json", "--set", "optimizer.clip_norm=0.01", "--set",
                                   "optimizer.type=sgd").stdout)["update"]
        self.assertAlmostEqual(found["clip"], 0.01 / (found["gradient_norm"] + 1e-6), 9)

    def test_the_rule_of_the_step(self):
        for settings, rule in ((("optimizer.type=sgd", "optimizer.lr=0.5"), "w - 0.5 * dC/dw"),
                               (("optimizer.type=sgd", "optimizer.lr=0.5", "optimizer.weight_decay=0.1"), "w - 0.5 * (dC/dw + 0.1 * w)"),
                               (("optimizer.type=sgd", "optimizer.lr=0.5", "optimizer.momentum=0.9"), "by sgd, which goes by more"),
                               ((), "by adam, which goes by more")):
            words = [word for setting in settings for word in ("--set", setting)]
            found = json.loads(explain(RUNS / "three-layer.toml", "--sample", 1, "--json", *words).stdout)
            self.assertIn(rule, found["update"]["rule"])
            if not rule.startswith("w"):
                continue
            for w in (w for stage in found["stages"] for w in stage["weights"]):
                after = eval(rule.replace("dC/dw", "g"), {"w": w["w"], "g": w["dC_dw"]})
                self.assertAlmostEqual(w["after"], after, 6)
        ended = explain(self.folder / "digits", "--set",
                        "optimizer.schedule={type=\"polynomial\", total_iters=10}").stdout
        self.assertIn("w after: the learning rate of this step is 0, so nothing moves", ended)

    def test_the_check_passes_and_is_the_same_on_any_number_of_ranks(self):
        one = json.loads(explain(self.folder / "digits", "--check", "--json", "--most", 50).stdout)
        self.assertTrue(one["passes"])
        self.assertEqual(one["samples"], 32)
        self.assertEqual([p["checked"] for p in one["parameters"]], [50, 50, 50, 50, 50, 10])
        for parameter in one["parameters"]:
            self.assertLess(parameter["largest_difference"], 1e-4)
            self.assertGreater(abs(parameter["central_difference"]), 0)
        three = json.loads(explain(self.folder / "digits", "--check", "--json", "--most", 50, ranks=3).stdout)
        self.assertEqual(three, one)

    def test_a_gradient_that_is_off_ends_in_1(self):
        done = explain(RUNS / "three-layer.toml", "--check", "--tolerance", "1e-12", ranks=2, expect=1)
        self.assertIn("OFF", done.stdout)
        self.assertIn("FAILED: 33 of 33 weights compared, tolerance 1.0e-12", done.stdout)
        passed = explain(RUNS / "three-layer.toml", "--check", "--sample", 2, "--set", 'model.layers=[{type="dense",units=8,'
                         'name="a_layer_with_a_long_name"},{type="tanh"},{type="dense",units=1}]').stdout
        self.assertIn("passed", passed)
        for text in (done.stdout, passed):
            self.assertLessEqual(max(map(len, text.splitlines()[1:])), 80)

    def test_streamed_data_gives_the_same(self):
        for more in (("--sample", 77, "--json"), ("--check", "--json")):
            held = json.loads(explain(RUNS / "digits.toml", *more).stdout)
            streamed = json.loads(explain(RUNS / "digits.toml", *more, "--set", "data.load=stream").stdout)
            self.assertEqual(streamed, held)

    def test_plateaus_so_far_lower_the_learning_rate(self):
        folder = self.folder / "plateau"
        plateau = 'optimizer.schedule={type="plateau",monitor="train.loss",patience=0,threshold=0.99,factor=0.5}'
        program.run("train", RUNS / "three-layer.toml", "--output", folder, "--quiet", "--set", "train.epochs=4", "--set", plateau,
                    "--set", "checkpoint.every_epochs=1", "--set", "checkpoint.keep=9", "--set", "log.every_steps=1", mpi=False)
        rates = [float(row["learning_rate"]) for row in program.steps(folder)]
        self.assertGreater(len(set(rates)), 2)
        for step in (2, 3):
            checkpoint = folder / f"checkpoints/step-{step:08}.h5"
            self.assertEqual(json.loads(explain(checkpoint, "--json").stdout)["update"]["learning_rate"], rates[step])

    def test_json_of_a_folder_whose_name_is_no_utf8(self):
        folder = self.folder / os.fsdecode(b"caf\xe9")
        folder.mkdir()
        run = shutil.copy(RUNS / "two-weights.toml", folder)
        data = ("--set", f"data.train={program.ROOT}/data/introduction.h5:/two-weights")
        for more in ((), ("--check",), ("--ranks",)):
            found = json.loads(explain(run, "--json", *more, *data).stdout)
            self.assertIn("caf\ufffd/two-weights.toml", found["of" if more == ("--ranks",) else "subject"])
        found = json.loads(program.run("landscape", run, "--weight", "dense1[0,0]", "--json", "--points", 3, "--output",
                                       self.folder / "here", *data, mpi=False).stdout)
        self.assertIn("caf\ufffd/two-weights.toml", found["subject"])

    def test_a_class_without_weight_is_told_by_all_ranks_alike(self):
        weights = 'model.loss={type="softmax_cross_entropy",class_weights=[1,1,1,1,1,1,0,1,1,1]}'
        done = explain(RUNS / "digits.toml", "--set", weights, ranks=2, expect=2)
        self.assertIn("lockstep: error: sample 0: its class has weight 0, ", done.stderr)

    def test_what_is_refused(self):
        run = RUNS / "three-layer.toml"
        self.refused(says=("run file, a checkpoint or a run folder is needed",))
        for arguments, says in (
                ((run, "--sample", -1), ("--sample", "found -1")),
                ((run, "--sample", 4), ("has samples 0 to 3, there is no sample 4",)),
                ((run, "--weight", "dense1"), ("--weight: expected a weight like dense1[3,0]", "found \"dense1\"")),
                ((run, "--weight", "dense1[8,0]"), ("dense1/weight is [8,2]",)),
                ((run, "--weight", "dense1[0,0]", "--set", "model.freeze=[\"dense1\"]"), ("dense1", "is frozen")),
                ((run, "--check", "--weight", "dense1[0,0]"), ("--weight does not go with --check",)),
                ((run, "--most", 3), ("--most is for --check",)),
                ((run, "--check", "--tolerance", 0), ("--tolerance: expected a number above 0, found 0",)),
                ((run, "--check", "--most", 0), ("--most: expected",)),
                ((self.folder / "nothing",), ("nothing",)),
                ((self.folder,), ("no checkpoint",))):
            self.refused(*arguments, says=says)
        self.refused(run, "--sample", 9, says=("there is no sample 9",), ranks=3)

    def test_data_that_have_changed_are_refused(self):
        moved = self.folder / "moved.h5"
        shutil.copy(program.ROOT / "data/digits.h5", moved)
        setting = ("--set", f"data.train={moved}:/train", "--set", f"data.test={moved}:/test")
        self.assertIn("sample 0 of", explain(self.folder / "digits", *setting).stdout)
        with h5py.File(moved, "a") as file:
            file["train/x"][0, 0, 0] = numpy.uint8(7)
        self.refused(self.folder / "digits", *setting, says=("data.train",))

    def test_a_damaged_checkpoint_is_refused(self):
        damaged = self.folder / "damaged.h5"
        content = bytearray((self.folder / "digits/checkpoints/step-00000036.h5").read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
        self.refused(damaged, says=("damaged.h5",))


if __name__ == "__main__":
    program.main()
