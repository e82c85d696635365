"""One run folder, one run: starts beside a live one, what killed ones leave, what stands in the place of its files, links,
and folders that are deleted under a run.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import job
import program

SECONDS = 60
LONG = ("--set", "train.epochs=40000")
FILES = ("run.toml", "metrics.csv", "steps.csv", "times.csv", "summary.json", "status.json", "ranks.csv", "scores.json",
         "report.html", "trace.json", "run.lock")


class RunFolder(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.run_file = self.folder / "run.toml"
        self.run_file.write_text(job.RUN.replace("[model]", 'test = "data/digits.h5:/test"\n[model]'), encoding="utf-8")
        self.out = self.folder / "run"

    def train(self, *more, expect=0, out=None, ranks=1):
        return program.run("train", self.run_file, "--output", out or self.out, "--quiet", "--set", "train.epochs=2", *more,
                           ranks=ranks, mpi=ranks > 1, expect=expect)

    def start(self, *more, ranks=2):
        running = job.Job(self.run_file, self.out, *LONG, *more, ranks=ranks)
        self.addCleanup(running.end)
        running.wait_for_steps(10)
        return running

    def stop(self, running, expect=75):
        running.signal_launcher(signal.SIGUSR1)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, expect, told)
        return told

    def everything(self):
        return {path.relative_to(self.out): path.read_bytes() for path in self.out.rglob("*") if path.is_file()}


class Lock(RunFolder):
    def test_a_start_beside_a_live_run_is_refused(self):
        running = self.start()
        for words in (("--overwrite",), ("--resume",)):
            done = self.train(*words, expect=2)
            self.assertRegex(done.stderr, rf"^lockstep: error: {self.out} is in use by another run, process "
                                          rf"{running.ranks()[0]} on \S+ since 20.*--output\n$")
        done = self.train("--dry-run", "--resume")
        self.assertIn(f"a start would be refused: {self.out} is in use by another run", done.stderr)
        self.stop(running)
        rows = [int(row["step"]) for row in program.steps(self.out)]
        self.assertEqual(rows, list(range(1, len(rows) + 1)))
        self.assertFalse((self.out / "run.lock").exists())

    def test_what_a_killed_run_leaves_is_taken_over(self):
        running = self.start()
        for pid in running.ranks():
            os.kill(pid, signal.SIGKILL)
        running.wait(SECONDS)
        self.assertTrue((self.out / "run.lock").exists())
        self.train("--resume", "--set", "train.epochs=40000", "--dry-run")
        done = self.train("--resume", "--set", "train.epochs=1", expect=None, ranks=2)
        self.assertNotIn("in use", done.stderr)
        self.assertFalse((self.out / "run.lock").exists())

    def test_every_end_lets_go(self):
        self.train()
        self.train(expect=2)  # it holds checkpoints
        self.train("--resume", "--set", "seed=2", expect=2)
        self.train("--overwrite", "--set", "optimizer.lr=3e38", "--set", "optimizer.type=sgd", expect=3)
        self.assertFalse((self.out / "run.lock").exists())
        self.assertEqual([path for path in os.listdir(self.out) if path.startswith(("run.lock", "."))], [])

    def test_a_run_whose_lock_was_taken_ends_and_says_so(self):
        running = self.start()
        root = running.ranks()[0]
        program.pause(root)
        (self.out / "run.lock").write_text("host elsewhere\nprocess 12\nsince then\n", encoding="utf-8")
        os.kill(root, signal.SIGCONT)
        code, told = running.wait(SECONDS)
        self.assertEqual(code, 1, told)
        self.assertIn("has been taken over by another run, process 12 on elsewhere since then", told)
        self.assertTrue((self.out / "run.lock").exists())


class DryRun(RunFolder):
    def test_a_dry_run_in_a_folder_with_checkpoints_does_all_but_write(self):
        self.train()
        before = self.everything()
        for words, told in (((), "a start would be refused: .* already holds checkpoints"),
                            (("--overwrite",), "a start would remove the checkpoints"), (("--resume",), "nothing left")):
            done = program.run("train", self.run_file, "--output", self.out, "--dry-run", "--set", "train.epochs=2", *words,
                               mpi=False)
            self.assertRegex(done.stderr, told)
            self.assertIn("parameters; 1438 training", done.stderr)
        self.assertEqual(self.everything(), before)


class Places(RunFolder):
    def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(self):
        self.train()
        for name in FILES:
            (self.out / name).unlink(missing_ok=True)
            os.mkfifo(self.out / name)
            done = self.train("--resume", "--set", "train.epochs=3", expect=2)
            self.assertIn(f"{self.out}/{name}: expected a file of the run, found a pipe", done.stderr)
            self.assertTrue(stat.S_ISFIFO(os.stat(self.out / name).st_mode))
            code = 0 if name in ("trace.json", "run.lock") else 1 if name == "report.html" else 2
            program.run("report", self.out, mpi=False, expect=code)
            (self.out / name).unlink()
            if name in ("run.toml", "metrics.csv"):
                (self.out / name).write_bytes(b"")
        newest = self.out / "checkpoints" / program.checkpoints(self.out)[-1]
        newest.unlink()
        os.mkfifo(newest)
        done = program.run("inspect", self.out, mpi=False, expect=2)
        self.assertIn("expected a regular file", done.stderr)
        done = program.run("explain", newest, mpi=False, expect=2)
        self.assertIn("expected a regular file", done.stderr)


class Links(RunFolder):
    def test_links_stay_and_what_they_point_to_is_written(self):
        self.out.symlink_to("scratch/there")  # nothing is there yet
        self.train()
        self.assertTrue(self.out.is_symlink())
        there = self.folder / "scratch" / "there"
        self.assertTrue((there / "summary.json").exists())
        archive = self.folder / "archive"
        archive.mkdir()
        names = ("run.toml", "metrics.csv", "steps.csv", "summary.json", "status.json", "scores.json", "report.html")
        for name in names:
            (there / name).rename(archive / name)
            (there / name).symlink_to(archive / name)
        self.train("--overwrite", "--set", "train.epochs=1")
        for name in names:
            self.assertTrue((there / name).is_symlink(), name)
        self.assertEqual(json.loads((archive / "summary.json").read_text(encoding="utf-8"))["epochs"], 1)

    def test_outputs_of_commands_are_written_where_a_link_points(self):
        self.train()
        for words, name in ((("predict", self.out, "--output"), "p.h5"), (("predict", self.out, "--output"), "p.csv"),
                            (("export", self.out, "--onnx"), "net.onnx"), (("export", self.out, "--npz"), "net.npz"),
                            (("explain", self.out, "--html"), "e.html"), (("report", self.out, "--output"), "r.html")):
            link = self.folder / name
            link.symlink_to(f"target-{name}")
            program.run(*words, link, mpi=False)
            self.assertTrue(link.is_symlink(), name)
            self.assertGreater((self.folder / f"target-{name}").stat().st_size, 100)


class Deleted(RunFolder):
    def test_a_folder_deleted_under_a_run_is_made_whole_again(self):
        running = self.start()
        root = running.ranks()[0]
        program.pause(root)
        before = (self.out / "steps.csv").read_text(encoding="utf-8")
        shutil.rmtree(self.out)
        os.kill(root, signal.SIGCONT)
        deadline = time.monotonic() + SECONDS
        while not list(self.out.glob("checkpoints/step-*.h5")) or not (self.out / "status.json").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.stop(running)
        after = (self.out / "steps.csv").read_text(encoding="utf-8")
        self.assertTrue(after.startswith(before))
        rows = [int(row["step"]) for row in program.steps(self.out)]
        self.assertEqual(rows, list(range(1, len(rows) + 1)))
        epochs = [int(row["epoch"]) for row in program.metrics(self.out)]
        self.assertEqual(epochs, list(range(1, len(epochs) + 1)))
        for name in ("run.toml", "times.csv", "status.json", "report.html", "scores.json", "ranks.csv"):
            self.assertTrue((self.out / name).exists() or name == "scores.json", name)
        program.run("inspect", self.out, "--verify", mpi=False)

    def test_a_folder_that_cannot_come_back_ends_the_run_with_1(self):
        running = self.start()
        root = running.ranks()[0]
        program.pause(root)
        shutil.rmtree(self.out)
        self.out.write_text("no folder", encoding="utf-8")
        os.kill(root, signal.SIGCONT)
        told = self.stop(running, expect=1)
        self.assertIn("could not be saved", told)


class ClosedStreams(RunFolder):
    def with_streams(self, *words, code):
        # The daemon that MPI starts beside a lone process must not outlive a failed test with all the memory.
        command = f'ulimit -t 30 -v 8000000; "{program.PROGRAM}" ' + " ".join(str(word) for word in words)
        done = subprocess.run(["bash", "-c", command], cwd=program.PLACE, timeout=SECONDS, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, command)

    def test_a_run_with_closed_streams_ends_and_so_does_one_that_fails(self):
        train = ("train", self.run_file, "--output", self.out, "--overwrite", "--set", "train.epochs=1")
        for closed in ("<&- >&- 2>&-", ">&-", "2>&-"):
            self.with_streams(*train, closed, code=0)
            self.with_streams(*train, "--set", "no.such=1", closed, code=2)
        self.with_streams("evaluate", self.out, "<&- >/dev/full 2>&-", code=1)  # by MPI_Abort


if __name__ == "__main__":
    program.main()
