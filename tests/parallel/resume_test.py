"""Resume: from mid-epoch and from an epoch's end, on other rank counts, to the bits of the run that never stopped."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py

import checkpoint_file
import program

RUN = program.ROOT / "launch/runs/digits.toml"
SHORT = ("--set", "train.epochs=4", "--set", "checkpoint.every_steps=5", "--set", "checkpoint.keep=100", "--quiet")


class Resume(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        cls.whole = cls.folder / "whole"
        program.run("train", RUN, "--output", cls.whole, *SHORT, ranks=2)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def stopped_at(self, step, name):
        """A copy of the whole run as if it had been cut off right after the checkpoint of `step`."""
        copy = self.folder / name
        shutil.copytree(self.whole, copy)
        (copy / "summary.json").unlink()
        for path in (copy / "checkpoints").iterdir():
            if int(path.stem.split("-")[1]) > step:
                path.unlink()
        return copy

    def resume(self, folder, *more, ranks=1, expect=0):
        return program.run("train", RUN, "--output", folder, "--resume", *SHORT, *more, ranks=ranks, expect=expect)

    def assert_like_whole(self, folder):
        self.assertEqual(program.digest(folder), program.digest(self.whole))
        self.assertEqual(program.metrics(folder), program.metrics(self.whole))
        self.assertEqual(program.steps(folder), program.steps(self.whole))
        ours, theirs = program.summary(folder), program.summary(self.whole)
        for key in ("steps", "epochs", "digest", "train", "test", "best"):
            self.assertEqual(ours[key], theirs[key], key)

    def test_the_first_checkpoint_holds_the_starting_weights(self):
        self.assertEqual(program.checkpoints(self.whole)[0], "step-00000000.h5")
        self.assertEqual(program.checkpoints(self.whole)[-1], "step-00000048.h5")

    def test_from_mid_epoch_on_other_ranks(self):
        for step, ranks in ((5, 3), (20, 1), (35, 5)):
            folder = self.stopped_at(step, f"mid-{step}")
            self.resume(folder, ranks=ranks)
            self.assert_like_whole(folder)

    def test_from_the_start_and_from_an_epochs_end(self):
        for step, ranks in ((0, 2), (24, 8)):
            folder = self.stopped_at(step, f"end-{step}")
            self.resume(folder, ranks=ranks)
            self.assert_like_whole(folder)

    def test_interrupted_again_and_again(self):
        folder = self.stopped_at(10, "often")
        self.resume(folder, "--set", "train.epochs=2", "--set", "optimizer.schedule.T_max=430", ranks=3, expect=2)
        for step in (15, 30, 40):
            self.resume(folder, ranks=1 + step % 4)
            for path in (folder / "checkpoints").iterdir():
                if int(path.stem.split("-")[1]) > step:
                    path.unlink()
        self.resume(folder, ranks=2)
        self.assert_like_whole(folder)

    def test_a_damaged_newest_checkpoint_is_skipped_and_named(self):
        folder = self.stopped_at(30, "damaged")
        newest = folder / "checkpoints/step-00000030.h5"
        data = bytearray(newest.read_bytes())
        data[len(data) // 2] ^= 1
        newest.write_bytes(data)
        second = folder / "checkpoints/step-00000025.h5"
        second.write_bytes(second.read_bytes()[:-100])
        done = self.resume(folder, ranks=2)
        self.assertIn("step-00000030.h5", done.stderr)
        self.assertIn("step-00000025.h5", done.stderr)
        self.assert_like_whole(folder)

    def test_a_finished_run_says_so_and_changes_nothing(self):
        folder = self.stopped_at(48, "finished")
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
        done = self.resume(folder, ranks=2)
        self.assertIn("nothing left to do", done.stderr)
        after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
        self.assertEqual(before, after)

    def test_without_a_checkpoint_it_starts_afresh_and_says_so(self):
        folder = self.folder / "fresh"
        done = self.resume(folder, ranks=1)
        self.assertIn("no checkpoint to resume from", done.stderr)
        self.assert_like_whole(folder)

    def test_what_may_change_is_told(self):
        folder = self.stopped_at(20, "changed")
        newest = folder / "checkpoints/step-00000020.h5"

        def on_another_machine(file):
            lines = dict(line.split() for line in str(file.attrs["probe"]).splitlines())
            self.assertIn("tanh", lines)
            lines["forward"] = "0123456789abcdef"
            file.attrs["probe"] = "".join(f"{kernel} {bits}\n" for kernel, bits in lines.items())
            file.attrs["blas_kernel"] = "Atari"
        checkpoint_file.changed(newest, newest, on_another_machine)
        done = self.resume(folder, "--set", "train.exchange=allreduce", "--set", "train.epochs=5", ranks=2)
        self.assertIn("train.exchange", done.stderr)
        self.assertIn("stretches", done.stderr)
        self.assertRegex(done.stderr, r"computed with Atari kernels .* which compute other bits \(forward\)")
        self.assertEqual(program.summary(folder)["epochs"], 5)

    def test_the_best_by_another_monitor_is_not_kept_as_the_best(self):
        folder = self.stopped_at(24, "monitor")
        done = self.resume(folder, "--set", "checkpoint.monitor=train.loss", ranks=2)
        self.assertIn("looked for anew", done.stderr)
        losses = {row["epoch"]: float(row["train_loss"]) for row in program.metrics(folder)}
        best = program.summary(folder)["best"]
        self.assertEqual((best["monitor"], best["value"]), ("train.loss", min(losses["3"], losses["4"])))

    def test_a_warm_start_with_frozen_layers_and_class_weights(self):
        source = self.folder / "source"
        shutil.copytree(self.whole, source)
        balanced = 'model.loss={type = "softmax_cross_entropy", class_weights = "balanced", label_smoothing = 0.1}'
        how = (*SHORT, "--set", "train.epochs=2", "--set", f"model.initial={source}", "--set", 'model.freeze=["dense2"]',
               "--set", "data.normalize=standard", "--set", balanced)
        straight = self.folder / "warm"
        done = program.run("train", RUN, "--output", straight, *how, ranks=2)
        self.assertIn("inputs that were normalised otherwise", done.stderr)
        self.assertNotIn("not taken", done.stderr)
        run = (straight / "run.toml").read_text(encoding="utf-8")
        self.assertIn("step-00000048.h5", run)
        self.assertNotIn("balanced", run)

        def weights(folder, step):
            with h5py.File(folder / f"checkpoints/step-{step:08}.h5") as file:
                return {name: data[:].tobytes() for layer in file["parameters"].values()
                        for name, data in ((data.name, data) for data in layer.values())}

        start = weights(self.whole, 48)
        self.assertEqual(weights(straight, 0), start)
        for name, now in weights(straight, 24).items():
            self.assertEqual(now == start[name], "dense2" in name, name)
        self.assertEqual(program.summary(straight)["test"]["loss"],
                         json.loads(program.run("evaluate", straight, "--json", ranks=3).stdout)["loss"])

        shutil.rmtree(source)  # a resumed run needs it no more
        folder = self.folder / "warm-again"
        shutil.copytree(straight, folder)
        for path in (folder / "checkpoints").iterdir():
            if path.name > "step-00000005.h5":
                path.unlink()
        (folder / "summary.json").unlink()
        done = program.run("train", RUN, "--output", folder, "--resume", *how, ranks=3)
        self.assertNotIn("model.initial", done.stderr)
        self.assertEqual(program.digest(folder), program.digest(straight))
        self.assertEqual(program.metrics(folder), program.metrics(straight))
        self.assertEqual(program.steps(folder), program.steps(straight))
        other = balanced.replace('"balanced"', "[1, 1, 1, 1, 1, 1, 1, 1, 1, 2]")
        done = program.run("train", RUN, "--output", folder, "--resume", *how, "--set", other, ranks=1, expect=2)
        self.assertIn("model.loss", done.stderr)
        # A list that is not the balanced one cannot be taken for it.
        listed = self.folder / "listed"
        program.run("train", RUN, "--output", listed, *SHORT, "--set", "train.epochs=1", "--set", other, ranks=1)
        done = program.run("train", RUN, "--output", listed, "--resume", *SHORT, "--set", balanced, ranks=2, expect=2)
        self.assertIn('"balanced" gives other weights', done.stderr)

    def test_what_must_not_change_is_exit_2_naming_the_key(self):
        folder = self.stopped_at(20, "forbidden")
        before = sorted(path.name for path in folder.rglob("*"))
        for key, value in (("seed", "2"), ("train.batch", "64"), ("train.shards", "4"), ("optimizer.lr", "0.1"),
                           ("optimizer.weight_decay", "0.5"), ("optimizer.schedule", "constant"),
                           ("model.layers.0.units", "100"), ("data.normalize", "standard")):
            done = self.resume(folder, "--set", f"{key}={value}", ranks=2, expect=2)
            self.assertIn(".".join(key.split(".")[:2]), done.stderr, key)
            self.assertIn("step-00000020.h5 is the checkpoint of another run", done.stderr, key)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1, key)
        self.assertEqual(sorted(path.name for path in folder.rglob("*")), before)

    def test_the_best_checkpoint_outlives_pruning(self):
        folder = self.folder / "pruned"
        program.run("train", RUN, "--output", folder, "--quiet", "--set", "train.epochs=30", "--set",
                    "checkpoint.keep=2", ranks=2)
        best = program.summary(folder)["best"]
        names = program.checkpoints(folder)
        self.assertIn(f"step-{best['step']:08}.h5", names)
        self.assertLessEqual(len(names), 3)
        for path in (folder / "checkpoints").iterdir():
            if path.name > f"step-{12 * 30 - 12:08}.h5":
                path.unlink()
        program.run("train", RUN, "--output", folder, "--quiet", "--resume", "--set", "train.epochs=30", "--set",
                    "checkpoint.keep=2", ranks=3)
        self.assertEqual(program.summary(folder)["best"], best)


if __name__ == "__main__":
    program.main()
