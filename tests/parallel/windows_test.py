"""Windows over time: the bits of the same windows laid out by numpy, from memory and streamed, at any rank count; borders at
files and series; what is normalised, held out, named, told and refused."""

import csv
import json
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

RUN = """
[data]
train = "rows.h5:/train"
{more}
[model]
loss = "mse"
layers = [{{type="dense", units=12}}, {{type="tanh"}}, {{type="dense", units=2}}]
[train]
batch = 32
shards = 3
epochs = 2
[optimizer]
type = "adam"
lr = 3e-3
"""
COLUMNS = 3
SERIES = [40, 3, 90, 60, 1, 106]  # rows of each
K, STRIDE, HORIZON = 5, 2, 3


def windows(x, y, lengths, k=K, stride=STRIDE, horizon=HORIZON):
    """As data/README.md says: rows i to i+k-1 of one series, oldest first; y of row i+k-1+horizon."""
    starts, begin = [], 0
    for length in lengths:
        starts += range(begin, begin + length - k - horizon + 1, stride)
        begin += length
    return (numpy.array([x[i:i + k].reshape(-1) for i in starts]), numpy.array([y[i + k - 1 + horizon] for i in starts]),
            numpy.array(starts))


class Windows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        rng = numpy.random.default_rng(0)
        cls.rows = sum(SERIES)
        cls.x = rng.normal(5, 2, size=(cls.rows, COLUMNS)).astype("f4")
        cls.y = rng.normal(size=(cls.rows, 2)).astype("f4")
        cls.station = numpy.repeat([7, 3, 7, 9, 1, 3], SERIES).astype("i4")
        with h5py.File(cls.folder / "rows.h5", "w") as file:
            file["train/x"], file["train/y"], file["train/station"] = cls.x, cls.y, cls.station
            file.attrs["features"], file.attrs["targets"] = ["t", "p", "u"], ["rain", "wind"]
        with h5py.File(cls.folder / "feature.h5", "w") as file:
            file["train/x"] = numpy.insert(cls.x, 1, cls.station, axis=1)
            file["train/y"] = cls.y
            file.attrs["features"], file.attrs["targets"] = ["t", "station", "p", "u"], ["rain", "wind"]
        x, y, cls.starts = windows(cls.x, cls.y, SERIES)
        with h5py.File(cls.folder / "laid-out.h5", "w") as file:
            file["train/x"], file["train/y"] = x, y
        cls.samples = len(x)
        (cls.folder / "plain.toml").write_text(RUN.format(more=""), encoding="utf-8")
        more = f'window_rows = {K}\nwindow_stride = {STRIDE}\nwindow_horizon = {HORIZON}\nseries = "station"'
        (cls.folder / "run.toml").write_text(RUN.format(more=more), encoding="utf-8")
        cls.laid_out = {}
        for load in ("memory", "stream"):
            cls.train(f"laid-out-{load}", 1, "--set", "data.train=laid-out.h5:/train", *cls.how(load), run="plain.toml")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @staticmethod
    def how(load):
        return ("--set", f"data.load={load}", "--set", "data.window=20kB", "--set", "data.block=4")

    @classmethod
    def train(cls, name, ranks, *more, run="run.toml", expect=0):
        return program.run("train", cls.folder / run, "--output", cls.folder / name, *more, ranks=ranks, expect=expect)

    def inspect(self, name):
        return json.loads(program.run("inspect", self.folder / name, "--json", mpi=False).stdout)

    def test_the_bits_of_windows_that_are_laid_out(self):
        for load, ranks in (("memory", 1), ("memory", 3), ("stream", 1), ("stream", 3)):
            told = self.train(f"{load}-{ranks}", ranks, *self.how(load)).stderr
            self.assertEqual(program.digest(self.folder / f"{load}-{ranks}"), program.digest(self.folder / f"laid-out-{load}"))
            self.assertIn(f"samples are {self.samples} windows of 5 rows in 6 series, of which 2 have fewer than the 8 rows",
                          told)
        kept = self.inspect("memory-1")
        self.assertEqual(kept["features"], [f"{name}[{-age or 0}]" for age in range(K - 1, -1, -1) for name in "tpu"])
        self.assertIn("window_rows = 5", kept["run"])
        # And goes on to the same bits, elsewhere.
        self.train("memory-1", 2, *self.how("memory"), "--resume", "--set", "train.epochs=3")
        self.train("laid-out-memory", 1, "--set", "data.train=laid-out.h5:/train", *self.how("memory"), "--resume", "--set",
                   "train.epochs=3", run="plain.toml")
        self.assertEqual(program.digest(self.folder / "memory-1"), program.digest(self.folder / "laid-out-memory"))
        told = self.train("memory-1", 1, *self.how("memory"), "--resume", "--set", "data.window_rows=4", expect=2).stderr
        self.assertIn("data.window_rows: 5 -> 4", told)

    def test_borders_are_those_of_a_feature_and_of_files_too(self):
        feature = ("--set", "data.train=feature.h5:/train")
        self.train("feature", 2, *feature, *self.how("memory"))
        self.assertEqual(program.digest(self.folder / "feature"), program.digest(self.folder / "laid-out-memory"))
        kept = self.inspect("feature")["features"]
        self.assertEqual(kept[-3:], ["t[0]", "p[0]", "u[0]"])
        self.train("asked", 1, *feature, *self.how("memory"), "--set", "data.series_input=true")
        self.assertEqual(self.inspect("asked")["features"][-4:], ["t[0]", "station[0]", "p[0]", "u[0]"])
        (self.folder / "files").mkdir()
        begin = 0
        for number, length in enumerate(SERIES):
            with h5py.File(self.folder / f"files/{number}.h5", "w") as file:
                file["x"], file["y"] = self.x[begin:begin + length], self.y[begin:begin + length]
            begin += length
        for load in ("memory", "stream"):
            self.train(f"files-{load}", 2, "--set", "data.train=files/*.h5", "--set", "data.series=", *self.how(load))
            self.assertEqual(program.digest(self.folder / f"files-{load}"), program.digest(self.folder / f"laid-out-{load}"))

    def test_columns_are_normalised_over_the_rows(self):
        kept = {}
        for load in ("memory", "stream"):
            self.train(f"normalised-{load}", 2, *self.how(load), "--set", "data.normalize=standard")
            kept[load] = self.inspect(f"normalised-{load}")["normalization"]
            numpy.testing.assert_allclose(kept[load]["x_shift"], numpy.tile(self.x.astype("f8").mean(axis=0), K), rtol=1e-12)
            numpy.testing.assert_allclose(kept[load]["x_scale"], numpy.tile(self.x.astype("f8").std(axis=0), K), rtol=1e-12)
            targets = self.y[self.starts + K - 1 + HORIZON].astype("f8")
            numpy.testing.assert_allclose(kept[load]["y_shift"], targets.mean(axis=0), rtol=1e-12, atol=1e-15)
        self.assertEqual(kept["memory"], kept["stream"])

    def test_the_last_windows_of_each_series_are_held_out(self):
        told = self.train("held-out", 1, "--set", "data.validation=0.25").stderr
        counts = [max(0, (length - K - HORIZON) // STRIDE + 1) for length in SERIES]
        held = [count // 4 for count in counts]
        # A window reaches over 8 rows: of those before the first that is held out, three share rows with it.
        self.assertIn(f"the last windows of each series are held out, {sum(held)} of them; {3 * sum(h > 0 for h in held)} before",
                      told)
        scores = json.loads(program.run("evaluate", self.folder / "held-out", "--split", "validation", "--json", ranks=2).stdout)
        self.assertEqual(scores["samples"], sum(held))
        with open(self.folder / "held-out/metrics.csv", encoding="utf-8") as file:
            last = list(csv.DictReader(file))[-1]
        self.assertEqual(float(last["validation_loss"]), scores["loss"])

    def test_answers_tell_their_rows(self):
        self.train("net", 1, *self.how("memory"))
        files = []
        for ranks in (1, 3):
            program.run("predict", self.folder / "net", "--input", self.folder / "rows.h5:/train", "--output",
                        self.folder / f"answers-{ranks}.csv", ranks=ranks)
            files.append((self.folder / f"answers-{ranks}.csv").read_text(encoding="utf-8"))
        self.assertEqual(files[0], files[1])
        answers = list(csv.DictReader(files[0].splitlines()))
        # New rows have no y to wait for: windows go on to the end of each series.
        starts = windows(self.x, self.y, SERIES, horizon=0)[2]
        self.assertEqual([int(answer["row"]) for answer in answers], [int(i) + K - 1 for i in starts])
        self.assertEqual(list(answers[0]), ["row", "rain", "wind"])
        self.train("plain", 1, "--set", "data.train=laid-out.h5:/train", *self.how("memory"), run="plain.toml")
        with h5py.File(self.folder / "again.h5", "w") as file:
            file["x"] = windows(self.x, self.y, SERIES, horizon=0)[0]
        program.run("predict", self.folder / "plain", "--input", self.folder / "again.h5", "--output", self.folder / "plain.csv")
        plain = list(csv.DictReader((self.folder / "plain.csv").read_text(encoding="utf-8").splitlines()))
        self.assertEqual([answer["rain"] for answer in answers], [answer["y_0"] for answer in plain])

    def test_explain_and_doctor_see_windows(self):
        for load in ("memory", "stream"):
            told = json.loads(program.run("explain", self.folder / "run.toml", "--json", *self.how(load)).stdout)
            self.assertEqual(told["stages"][0]["inputs"], K * COLUMNS)
        self.assertIn(f"net {K * COLUMNS}-12-2", program.run("doctor", self.folder / "run.toml").stdout)

    def test_what_cannot_be_is_refused(self):
        for text, *settings in (("a window needs 203 rows of one file or series", "data.window_rows=200"),
                                ("data.series: \"where\" is neither a feature", "data.series=where"),
                                ("data.series says where windows end", "data.window_rows=1", "data.window_stride=1",
                                 "data.window_horizon=0"),
                                ("data.series: ", "data.series=y")):
            more = [word for setting in settings for word in ("--set", setting)]
            self.assertIn(text, self.train("no", 1, *more, expect=2).stderr)
        self.assertFalse((self.folder / "no").exists())


if __name__ == "__main__":
    program.main()
