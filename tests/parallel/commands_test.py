"""The commands' contract: what they print, write and return."""

import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest
from pathlib import Path

import h5py

import program

RUN = program.ROOT / "launch/runs/digits.toml"


def read_all(leader):
    """What was written to a pseudo terminal that is closed by now, or will be."""
    told = b""
    try:
        while part := os.read(leader, 65536):
            told += part
    except OSError:  # the end: Linux says EIO
        pass
    os.close(leader)
    return told.decode()


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        cls.trained = cls.folder / "digits"
        cls.done = program.run("train", RUN, "--output", cls.trained, "--set", "train.epochs=6", ranks=3)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_train_leaves_the_run_folder(self):
        for name in ("metrics.csv", "steps.csv", "summary.json", "run.toml", "checkpoints/step-00000072.h5"):
            self.assertTrue((self.trained / name).exists(), name)
        summary = program.summary(self.trained)
        for key in ("steps", "epochs", "seconds", "samples_per_second", "ranks", "nodes", "shards", "parameters", "digest",
                    "train", "test", "checkpoint"):
            self.assertIn(key, summary)
        self.assertEqual((summary["ranks"], summary["shards"], summary["steps"], summary["epochs"]), (3, 8, 72, 6))
        self.assertEqual(summary["digest"], program.digest(summary["checkpoint"]))
        self.assertEqual(summary["test"]["samples"], 359)
        self.assertGreater(summary["test"]["accuracy"], 0.8)

    def test_train_reports_progress_and_result(self):
        self.assertIn("epoch 6/6  loss", self.done.stderr)
        self.assertIn("samples/s", self.done.stderr)
        self.assertIn("left", self.done.stderr)
        self.assertIn("test accuracy", self.done.stdout)
        self.assertRegex(self.done.stdout, r"best checkpoint +\S+/checkpoints/step-\d{8}\.h5\n")
        self.assertRegex(self.done.stdout, rf"\nfolder +{self.trained}\n$")
        self.assertEqual(self.done.stdout.count("digest"), 1)  # one rank speaks

    def test_a_live_line_renews_itself(self):
        done = program.run("train", RUN, "--output", self.folder / "live", "--set", "train.epochs=2",
                           environment={"LOCKSTEP_PROGRESS": "live"}, ranks=2)
        self.assertRegex(done.stderr, r"\x1b\[Kepoch 1/2  step \d+/24  loss .* left")

    def test_lines_of_validation_and_test_data_show_test_scores_speed_and_time_left(self):
        for columns in (80, 120):
            done = program.run("train", RUN, "--output", self.folder / "both", "--overwrite", "--set", "train.epochs=2", "--set",
                               "data.validation=0.2", environment={"LOCKSTEP_PROGRESS": "live", "COLUMNS": str(columns)},
                               mpi=False)
            epochs = [line for line in re.split(r"[\r\n]|\x1b\[K", done.stderr) if re.match(r"epoch ./2  loss", line)]
            self.assertEqual(len(epochs), 2, done.stderr)
            for line in epochs:
                self.assertLess(len(line), columns)
                self.assertRegex(line, r"  loss [\d.]+ +.*test accuracy [\d.]+ +.*/s  \S+ left$")
                self.assertEqual("validation accuracy" in line, columns == 120, line)
            # The table at the end: labels and values stand apart.
            for line in done.stdout.splitlines()[1:]:
                self.assertRegex(line, r"^[a-z][\w ]*[a-z0-9_]  +\S", line)
            self.assertRegex(done.stdout, r"\nvalidation macro_recall  [01]\.\d+\n")

    def test_a_resume_that_has_made_no_step_tells_no_speed(self):
        # A batch an epoch: where it stops, the scores of the epoch are still to come.
        folder = self.folder / "resumed"
        one_batch = ("--set", "train.batch=1438", "--set", "checkpoint.every_epochs=0", "--set", "log.report=false")
        program.run("train", RUN, "--output", folder, *one_batch, "--set", "train.epochs=1000000", "--set",
                    "train.time_limit=1s", mpi=False, expect=75)
        with h5py.File(folder / "checkpoints" / program.checkpoints(folder)[-1], "r") as file:
            self.assertEqual(file.attrs["position"], 1438)
            epochs = int(file.attrs["epoch"]) + 1
        done = program.run("train", RUN, "--output", folder, *one_batch, "--resume", "--set", f"train.epochs={epochs}", mpi=False)
        self.assertIn(f"epoch {epochs}/{epochs}  loss", done.stderr)
        for told in (done.stderr, done.stdout):
            self.assertNotRegex(told, r"samples/s| left\b")

    def test_no_line_is_wider_than_the_terminal(self):
        for columns in (80, 40, 12):
            done = program.run("train", RUN, "--output", self.folder / "narrow", "--overwrite", "--set", "train.epochs=2", "--set",
                               "train.batch=2", environment={"LOCKSTEP_PROGRESS": "live", "COLUMNS": str(columns)}, mpi=False)
            told = [line.removeprefix("\x1b[K") for line in done.stderr.splitlines() if not line.startswith("lockstep:")]
            live = [line for line in told if not re.search("test loss|^epoch ./.$", line)]
            self.assertTrue(any(live))
            self.assertLess(max(map(len, live)), columns)
            self.assertLessEqual(max(map(len, told)), columns)

    def test_lines_behind_mpirun_fit_the_terminal_of_its_session_and_stand_below_each_other(self):
        def start(columns):
            os.setsid()
            fcntl.ioctl(2, termios.TIOCSCTTY, 0)  # stderr's terminal becomes that of the session
            fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        for columns in (80, 120):
            leader, follower = os.openpty()
            environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
            job = subprocess.Popen(["mpirun", "-n", "2", program.PROGRAM, "train", RUN, "--output", self.folder / "lines", "--overwrite",
                                    "--set", "train.epochs=12", "--set", "data.validation=0.2"], cwd=program.PLACE,
                                   stdout=subprocess.DEVNULL, stderr=follower, env=environment, preexec_fn=lambda: start(columns))
            os.close(follower)
            told = read_all(leader)
            self.assertEqual(job.wait(60), 0, told)
            lines = [line for line in told.splitlines() if line.startswith("epoch")]
            self.assertGreaterEqual(len(lines), 2, told)  # the first and the last
            self.assertLess(max(map(len, lines)), columns)
            self.assertEqual(len({line.index("test accuracy") for line in lines}), 1, lines)
            self.assertEqual(all("validation accuracy" in line for line in lines), columns == 120, lines)

    def test_quiet_holds_back_progress(self):
        done = program.run("train", RUN, "--output", self.folder / "quiet", "--set", "train.epochs=5", "--quiet")
        self.assertEqual(done.stderr, "")

    def test_the_resolved_run_trains_to_the_same_bits(self):
        again = self.folder / "again"
        program.run("train", self.trained / "run.toml", "--output", again, "--quiet", ranks=2)
        self.assertEqual(program.digest(again), program.digest(self.trained))

    def test_dry_run_writes_nothing(self):
        folder = self.folder / "dry"
        done = program.run("train", RUN, "--output", folder, "--dry-run", ranks=2)
        for word in ("17226 parameters", "480 steps", "MB a rank", "MB a host with 2 ranks (0.1 MB of it data, held once)"):
            self.assertIn(word, done.stderr)
        self.assertFalse(folder.exists())

    def test_overwrite_starts_afresh(self):
        folder = self.folder / "over"
        program.run("train", RUN, "--output", folder, "--quiet", "--set", "train.epochs=3")
        program.run("train", RUN, "--output", folder, "--quiet", "--set", "train.epochs=1", expect=2)
        program.run("train", RUN, "--output", folder, "--quiet", "--set", "train.epochs=1", "--overwrite")
        self.assertEqual(program.checkpoints(folder), ["step-00000000.h5", "step-00000012.h5"])
        self.assertEqual(len(program.metrics(folder)), 1)

    def test_evaluate_agrees_with_training_at_any_rank_count(self):
        expected = program.summary(self.trained)["test"]
        for ranks in (1, 3, 9):  # more ranks than shards, and than blocks, too
            scores = json.loads(program.run("evaluate", self.trained, "--json", ranks=ranks).stdout)
            for key, value in expected.items():
                self.assertEqual(scores[key], value, key)
            self.assertEqual(sum(scores["confusion"]), 359)

    def test_evaluate_takes_other_data_and_splits(self):
        data = program.ROOT / "data/digits.h5"
        by_file = json.loads(program.run("evaluate", self.trained, "--json", "--data", data, "--split", "train").stdout)
        by_split = json.loads(program.run("evaluate", self.trained, "--json", "--split", "train", cwd="/").stdout)
        self.assertEqual(by_file["samples"], 1438)
        self.assertEqual(by_file["loss"], by_split["loss"])
        text = program.run("evaluate", self.trained).stdout
        self.assertIn("confusion matrix", text)

    def test_a_run_that_ends_early_is_scored_as_it_was_trained(self):
        folder = self.folder / "early"
        options = ["--output", folder, "--set", "data.validation=0.1", "--set", "train.ema=0.5",
                   "--set", "train.early_stop={patience=1, min_delta=9, monitor=\"validation.loss\"}"]
        done = program.run("train", RUN, *options, ranks=3)
        self.assertIn("validation.loss has not improved for 1 epoch: early stopping ends the run after epoch 2 of 40",
                      done.stderr)
        self.assertIn("validation loss  ", done.stdout)
        summary = program.summary(folder)
        self.assertEqual((summary["stopped_early"], summary["epochs"], summary["steps"]), (True, 2, 22))
        rows = program.metrics(folder)
        for split, samples in (("validation", 143), ("train", 1295), ("test", 359)):
            scores = json.loads(program.run("evaluate", folder, "--json", "--split", split, ranks=2).stdout)
            self.assertEqual(scores["samples"], samples)
            for name, value in summary[split].items() if split != "train" else ():
                self.assertEqual(scores[name], value, f"{split} {name}")  # of the average
        self.assertEqual(float(rows[-1]["validation_loss"]), summary["validation"]["loss"])
        with h5py.File(summary["checkpoint"]) as file:
            average = file["ema/dense1/weight"][:]
            self.assertFalse((average == file["parameters/dense1/weight"][:]).all())
        program.run("export", folder, "--hdf5", self.folder / "early.h5", mpi=False)
        with h5py.File(self.folder / "early.h5") as file:
            self.assertTrue((file["0.weight"][:] == average).all())
        again = program.run("train", RUN, *options, "--resume")
        self.assertIn("the run is finished, validation.loss has not improved for 1 epoch", again.stderr)
        refused = program.run("evaluate", self.trained, "--split", "validation", expect=2)
        self.assertIn("the run has no validation data", refused.stderr)

    def test_inspect_tells_of_a_checkpoint(self):
        info = json.loads(program.run("inspect", self.trained, "--json", mpi=False).stdout)
        self.assertEqual((info["step"], info["epoch"], info["position"], info["shards"]), (72, 6, 0, 8))
        self.assertEqual(info["parameters"]["dense1/weight"], [128, 64])
        self.assertEqual(len(info["history"]), 6)
        self.assertIn("good", program.run("inspect", self.trained, "--verify", mpi=False).stdout)
        self.assertIn("dense1/weight", program.run("inspect", self.trained, mpi=False).stdout)

    def test_inspect_verify_finds_damage(self):
        damaged = self.folder / "damaged.h5"
        data = bytearray((self.trained / "checkpoints/step-00000072.h5").read_bytes())
        data[len(data) // 3] ^= 16
        damaged.write_bytes(data)
        for option in ("--verify", "--digest", "--json"):
            done = program.run("inspect", damaged, option, mpi=False, expect=2)
            self.assertIn("damaged.h5", done.stderr)

    def test_other_programs_read_a_checkpoint(self):
        with h5py.File(self.trained / "checkpoints/step-00000072.h5") as file:
            self.assertEqual(file.attrs["format"], "lockstep-checkpoint")
            self.assertEqual(file["parameters/dense1/weight"].shape, (128, 64))
            self.assertEqual(file["optimizer/exp_avg/dense3/bias"].shape, (10,))
            self.assertEqual(len(file["history/train_loss"]), 6)
            self.assertEqual(file["normalization/x_shift"].shape, (64,))
            self.assertIn("adamw", file["run"][()].decode())

    def test_bench_prints_the_contract(self):
        done = program.run("bench", "--layers", "16,32,10", "--batch", "8", "--steps", "3", "--json", ranks=2)
        result = json.loads(done.stdout)
        for key in ("ranks", "layers", "batch_per_rank", "shards", "optimizer", "blas_kernel", "simd_target", "samples_per_second",
                    "floor_samples_per_second", "of_floor", "step_us", "compute_us", "sync_update_us"):
            self.assertIn(key, result)
        self.assertEqual((result["ranks"], result["layers"], result["batch_per_rank"]), (2, [16, 32, 10], 8))
        self.assertGreater(result["samples_per_second"], 0)

    def test_bench_without_a_shape_measures_five(self):
        result = json.loads(program.run("bench", "--steps", "1", "--rounds", "1", "--json", ranks=2).stdout)
        rows = result["table"]
        self.assertEqual(len(rows), 5)
        self.assertEqual({key: result[key] for key in rows[0]}, rows[0])
        self.assertEqual([row["batch_per_rank"] for row in rows], [64, 512, 128, 32, 64])
        self.assertEqual(len({(*row["layers"], row["activation"], row["batch_per_rank"]) for row in rows}), 5)
        text = program.run("bench", "--steps", "1", "--layers", "16,64,64,26", "--batch", "32").stdout
        self.assertEqual(len(text.splitlines()), 2 + 1)
        self.assertIn("16-64-64-26 relu", text)

    def test_ranks_that_share_a_core_are_told(self):
        done = program.run("train", RUN, "--output", self.folder / "crowded", "--set", "train.epochs=1", "--set",
                           f"train.threads={os.cpu_count() + 1}", "--quiet")
        self.assertEqual(done.stderr.count("lockstep: warning:"), 1)
        self.assertIn("--map-by slot:PE=", done.stderr)

    def test_help_and_version_need_no_mpi(self):
        self.assertIn("train", program.run("--help", mpi=False).stdout)
        self.assertRegex(program.run("--version", mpi=False).stdout, r"^lockstep \d+\.\d+\.\d+\n$")

    def test_usage_errors_are_exit_2_once_for_the_job(self):
        for words in (["fly"], [], ["train"], ["train", RUN, "--fast"], ["train", RUN, "more"], ["bench", "--layers", "4"],
                      ["bench", "--batch", "x"], ["inspect"], ["evaluate"], ["import"], ["import", "a.csv"]):
            done = program.run(*words, ranks=2, expect=2)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1, words)

    def test_divergence_is_exit_3(self):
        done = program.run("train", RUN, "--output", self.folder / "diverged", "--quiet", "--set", "optimizer.type=sgd",
                           "--set", "optimizer.lr=1e30", "--set", "optimizer.clip_norm=0", ranks=2, expect=3)
        self.assertEqual(done.stderr.count("lockstep: error:"), 1)
        self.assertIn("diverged", done.stderr)

    def test_broken_weights_after_the_last_step_are_exit_3_and_not_saved(self):
        folder = self.folder / "broken"
        program.run("train", RUN, "--output", folder, "--quiet", "--set", "optimizer.lr=1e300", "--set", "train.epochs=1",
                    "--set", "train.batch=1438", "--set", "optimizer.schedule=constant", ranks=2, expect=3)
        self.assertEqual(program.checkpoints(folder), ["step-00000000.h5"])
        self.assertFalse((folder / "summary.json").exists())

    def test_ranks_with_unlike_files_are_refused(self):
        folders = [self.folder / name for name in ("mine", "theirs")]
        for place in folders:
            place.mkdir()
            shutil.copy(program.ROOT / "data/digits.h5", place)
            (place / "run.toml").write_text(RUN.read_text(encoding="utf-8").replace("data/", ""), encoding="utf-8")
        with h5py.File(folders[1] / "digits.h5", "a") as file:
            file["test/x"][0, 0, 0] = 9
        for words in (["train", "run.toml", "--output", self.folder / "unlike"],
                      ["evaluate", self.trained, "--data", "digits.h5"]):
            ranks = [f"-n 1 -wdir {place} {program.PROGRAM}".split() + [str(word) for word in words] for place in folders]
            done = subprocess.run(["mpirun", *ranks[0], ":", *ranks[1]], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1)
            self.assertRegex(done.stderr, "rank 1: .*digits.h5.*: not the file that another rank of this host has opened")
        self.assertFalse((self.folder / "unlike").exists())

    def test_a_result_that_cannot_be_written_is_exit_1(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([program.PROGRAM, "inspect", self.trained], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be written", done.stderr)


if __name__ == "__main__":
    program.main()
