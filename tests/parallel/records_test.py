"""What a run shows of itself to other programs: event files for TensorBoard, and the timeline of its ranks."""

import json
import struct
import tempfile
import unittest
from collections import defaultdict
from pathlib import Path

import event_file
import program

RUN = program.ROOT / "launch/runs/digits.toml"
RANKS = 3
STEP = ("gather", "forward", "backward", "collect", "update", "publish", "exchange wait", "await weights", "wait for norms",
        "publish wait")  # what there may be within one; clip_norm is on


def as_float32(text):
    return struct.unpack("<f", struct.pack("<f", float(text)))[0]


def nanoseconds(microseconds):
    return round(microseconds * 1000)


class Records(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        cls.trained = cls.folder / "digits"
        cls.settings = ("--quiet", "--set", "train.epochs=3", "--set", "log.every_steps=5", "--set", "checkpoint.keep=9")
        program.run("train", RUN, "--output", cls.trained, *cls.settings, "--set", "log.tensorboard=true",
                    "--set", "log.trace=true", ranks=RANKS)
        # Before anything is resumed in the folder.
        cls.events = [event_file.read(path) for path in (cls.trained / "tensorboard").iterdir()]
        cls.trace = json.loads((cls.trained / "trace.json").read_text(encoding="utf-8"))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def expect_events_of_the_tables(self, shown):
        """Event files say what steps.csv and metrics.csv say, no less and no more."""
        steps = program.steps(self.trained)
        expected = defaultdict(dict)
        for row in steps:
            step = int(row["step"])
            for tag, column in (("epoch", "epoch"), ("train/loss", "loss"), ("train/learning_rate", "learning_rate"),
                                ("train/gradient_norm", "gradient_norm")):
                expected[tag][step] = as_float32(row[column])
        for row in program.metrics(self.trained):
            expected["train/epoch_loss"][int(row["step"])] = as_float32(row["train_loss"])
            for column in row:
                if column.startswith("test_"):
                    expected["test/" + column[5:]][int(row["step"])] = as_float32(row[column])
        speeds = shown.pop("train/samples_per_second")
        self.assertEqual(list(speeds), [int(row["step"]) for row in steps])
        self.assertTrue(all(speed > 0 for speed in speeds.values()))
        self.assertEqual(shown, expected)

    def test_event_files_hold_what_the_tables_hold(self):
        self.assertEqual(len(self.events), 1)
        events = self.events[0]
        self.assertEqual(events[0]["file_version"], "brain.Event:2")
        self.assertTrue(events[1]["start"])
        times = [event["wall_time"] for event in events]
        self.assertEqual(times, sorted(times))
        self.assertIn("test/accuracy", events[-1]["values"])
        self.expect_events_of_the_tables(event_file.shown([events]))

    def test_a_resumed_run_takes_back_the_steps_that_are_not_done(self):
        for step in (24, 36):
            (self.trained / f"checkpoints/step-{step:08}.h5").unlink()
        program.run("train", RUN, "--output", self.trained, *self.settings, "--set", "log.tensorboard=true", "--resume",
                    ranks=2)
        files = sorted((self.trained / "tensorboard").iterdir())
        self.assertEqual(len(files), 2)
        first, second = event_file.read(files[1])[:2]
        self.assertEqual((first["file_version"], second["start"], second["step"]), ("brain.Event:2", True, 13))
        self.expect_events_of_the_tables(event_file.shown(event_file.read(path) for path in files))

    def test_the_bits_are_those_of_a_run_without_records(self):
        plain = self.folder / "plain"
        program.run("train", RUN, "--output", plain, *self.settings, ranks=2)
        self.assertEqual(program.summary(plain)["digest"], program.summary(self.trained)["digest"])
        self.assertFalse((plain / "tensorboard").exists())
        self.assertFalse((plain / "trace.json").exists())

    def of_ranks(self, trace=None, ranks=RANKS):
        """[rank] of {name of a thread: its complete events, in order}."""
        trace = trace or self.trace
        meta = defaultdict(dict)
        threads = {}
        for event in trace["traceEvents"]:
            if event["ph"] == "M":
                kind, key = event["name"].split("_", 1)
                place = (event["pid"], event["tid"] if kind == "thread" else None)
                meta[place][key] = event["args"][key]
        events = defaultdict(list)
        for event in trace["traceEvents"]:
            if event["ph"] == "X":
                events[event["pid"], meta[event["pid"], event["tid"]]["name"]].append(event)
        for pid in sorted({event["pid"] for event in trace["traceEvents"]}):
            self.assertRegex(meta[pid, None]["name"], rf"^rank {pid - 1} on \w+")
            self.assertEqual(meta[pid, None]["sort_index"], pid - 1)
            threads[pid] = {name: found for (of, name), found in events.items() if of == pid}
        self.assertEqual(list(threads), list(range(1, ranks + 1)))
        return list(threads.values())

    def test_a_trace_is_one_of_complete_events_that_do_not_overlap(self):
        self.assertEqual({event["ph"] for event in self.trace["traceEvents"]}, {"M", "X"})
        for threads in self.of_ranks():
            for name, events in threads.items():
                end = 0
                for event in events:
                    self.assertLessEqual(end, nanoseconds(event["ts"]), (name, event))
                    self.assertGreater(nanoseconds(event["dur"]), 0)
                    end = nanoseconds(event["ts"]) + nanoseconds(event["dur"])

    def test_phases_make_up_their_steps(self):
        for threads in self.of_ranks():
            length = defaultdict(int)
            for event in threads["main"]:
                if event["name"] in STEP:
                    length[event["args"]["step"]] += nanoseconds(event["dur"])
            self.assertEqual([event["name"] for event in threads["steps"]], [f"step {step}" for step in range(1, 37)])
            for event in threads["steps"]:
                self.assertEqual(length[event["args"]["step"]], nanoseconds(event["dur"]), event)

    def test_every_shard_of_a_step_is_there_once(self):
        for phase in ("gather", "forward", "backward"):
            shards = defaultdict(list)
            for threads in self.of_ranks():
                for event in threads["main"]:
                    if event["name"] == phase:
                        shards[event["args"]["step"]].append(event["args"]["shard"])
            for step, found in shards.items():
                self.assertEqual(sorted(set(found)), list(range(8)), (phase, step))

    def test_a_trace_shows_scoring_and_saving(self):
        names = [{event["name"] for event in threads["main"]} for threads in self.of_ranks()]
        for found in names:
            self.assertLessEqual({"gather", "forward", "backward", "update", "score", "between steps"}, found)
        self.assertLessEqual({"save", "write run folder"}, names[0])
        writers = [threads.get("writer", []) for threads in self.of_ranks()]
        self.assertEqual([(event["name"], event["args"]["step"]) for event in writers[0]],
                         [("write checkpoint", step) for step in (0, 12, 24, 36)])
        self.assertEqual(writers[1:], [[], []])

    def test_a_trace_shows_data_that_are_read_ahead(self):
        folder = self.folder / "streamed"
        program.run("train", RUN, "--output", folder, "--quiet", "--set", "train.epochs=1", "--set", "log.trace=true",
                    "--set", "data.load=stream", ranks=2)
        trace = json.loads((folder / "trace.json").read_text(encoding="utf-8"))
        for threads in self.of_ranks(trace, 2):
            self.assertIn("reader", threads)
            self.assertEqual({event["name"] for event in threads["reader"]}, {"read ahead"})
            self.assertIn("read data", {event["name"] for event in threads["main"]})

    def test_the_ranks_of_a_trace_have_one_clock(self):
        begins, ends = defaultdict(list), defaultdict(list)
        for threads in self.of_ranks():
            for event in threads["steps"]:
                begins[event["name"]].append(event["ts"])
                ends[event["name"]].append(event["ts"] + event["dur"])
        for step in begins:  # the ranks meet within each
            self.assertLess(max(begins[step]), min(ends[step]), step)

    def test_a_trace_that_cannot_be_written_is_a_warning(self):
        folder = self.folder / "blocked"
        (folder / "trace.json/blocked").mkdir(parents=True)
        done = program.run("train", RUN, "--output", folder, "--quiet", "--set", "train.epochs=1", "--set", "log.trace=true",
                           ranks=2)
        self.assertRegex(done.stderr, "warning: there is no trace of this start of the run: .*trace.json: expected a file, found a folder")
        self.assertTrue((folder / "summary.json").exists())


if __name__ == "__main__":
    program.main()
