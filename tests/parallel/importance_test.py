"""lockstep evaluate --importance: the drops against numpy with the same shuffles, the same bytes at any rank count, and what
is refused."""

import csv
import json
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy
import page
import program

RUN = """
[data]
train = "{0}/data.h5:/train"
test = "{0}/data.h5:/test"
normalize = "standard"
validation = 0.2
[model]
layers = [{{type = "dense", units = 8}}, {{type = "relu"}}, {{type = "dense", units = 1}}]
[train]
batch = 32
shards = 1
epochs = 20
[optimizer]
type = "adam"
lr = 1e-2
"""
IMPORTANCE = 10  # RandomPurpose::importance


def philox(seed, counter):
    """Philox4x32-10 (Salmon et al., 2011) of arrays of counters [4][n]."""
    x = [numpy.uint64(word) + numpy.zeros(len(counter[0]), "u8") for word in counter]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    low = numpy.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = numpy.uint64(0xD2511F53) * x[0], numpy.uint64(0xCD9E8D57) * x[2]
        x = [(b >> numpy.uint64(32)) ^ x[1] ^ numpy.uint64(key[0]), b & low,
             (a >> numpy.uint64(32)) ^ x[3] ^ numpy.uint64(key[1]), a & low]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return x


def shuffle(seed, column, repeat, n):
    """From which sample each takes the group of inputs that begins with `column`: Fisher and Yates."""
    words = philox(seed, [numpy.arange(n), IMPORTANCE << 24 | column, 0, repeat])
    draws = [int(high) << 32 | int(low) for low, high in zip(words[0], words[1])]
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        pick = draws[i] * (i + 1) >> 64
        order[i], order[pick] = order[pick], order[i]
    return order


class Importance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        rng = numpy.random.default_rng(1)
        a, b, color = rng.normal(5, 2, 700), rng.normal(0, 3, 700), rng.integers(0, 3, 700)
        rows = [f'{x:.3f},{"red green blue".split()[c]},{y:.3f},{3 * x + 4 * c:.3f}' for x, c, y in zip(a, color, b)]
        rows[0] = ",".join([*rows[0].split(",")[:2], "", rows[0].split(",")[3]])
        (cls.folder / "table.csv").write_text("\n".join(['a,"color, of it",b,y', *rows]), encoding="utf-8")
        program.run("import", cls.folder / "table.csv", "--target", "y", "--categorical", "auto", "--missing", "b=mean+indicator",
                    "--split", "0.6", "--output",
                    cls.folder / "data.h5", "--quiet", mpi=False)
        (cls.folder / "run.toml").write_text(RUN.format(cls.folder), encoding="utf-8")
        cls.net = cls.folder / "net"
        program.run("train", cls.folder / "run.toml", "--output", cls.net, "--quiet", mpi=False)

    def evaluate(self, *options, ranks=None, **more):
        return program.run("evaluate", self.net, "--importance", *options, ranks=ranks or 1, mpi=ranks is not None, **more).stdout

    def scores(self, x, y):
        """rmse and r2, in double precision."""
        with h5py.File(sorted((self.net / "checkpoints").iterdir())[-1]) as file:
            scaling, layers = file["normalization"], [file[f"parameters/dense{i}"] for i in (1, 2)]
            (w1, b1), (w2, b2) = [(layer["weight"][()].astype("f8"), layer["bias"][()].astype("f8")) for layer in layers]
            at = numpy.maximum((x - scaling["x_shift"]) / scaling["x_scale"] @ w1.T + b1, 0) @ w2.T + b2
            error = (at * scaling["y_scale"] + scaling["y_shift"])[:, 0] - y
        return {"rmse": numpy.sqrt(numpy.mean(error**2)), "r2": 1 - numpy.sum(error**2) / numpy.sum((y - y.mean())**2)}

    def test_drops_are_those_of_numpy_with_the_same_shuffles(self):
        with h5py.File(self.folder / "data.h5") as file:
            x, y = file["test/x"][()].astype("f8"), file["test/y"][()].ravel()
        for score, sign, options in (("r2", -1, ()), ("rmse", 1, ("--by", "rmse"))):
            found = json.loads(self.evaluate("--json", "--seed", "7", "--repeats", "3", *options))["importance"]
            self.assertEqual((found["score"], found["seed"], found["repeats"]), (score, 7, 3))
            self.assertAlmostEqual(found["whole"], self.scores(x, y)[score], places=5)
            self.assertEqual({entry["input"]: entry["columns"] for entry in found["inputs"]},
                             {"a": [0], "color, of it": [1, 2, 3], "b": [4, 5]})
            for entry in found["inputs"]:
                drops = []
                for repeat in range(3):
                    shuffled = x.copy()
                    order = shuffle(7, entry["columns"][0], repeat, len(x))
                    shuffled[:, entry["columns"]] = x[order][:, entry["columns"]]
                    drops.append(sign * (self.scores(shuffled, y)[score] - self.scores(x, y)[score]))
                numpy.testing.assert_allclose(entry["drops"], drops, rtol=1e-4, atol=1e-5)
                self.assertAlmostEqual(entry["mean"], numpy.mean(entry["drops"]), places=12)
                self.assertAlmostEqual(entry["deviation"], numpy.std(entry["drops"]), places=12)
            means = [entry["mean"] for entry in found["inputs"]]
            self.assertEqual(means, sorted(means, reverse=True))
            self.assertEqual([entry["input"] for entry in found["inputs"]], ["a", "color, of it", "b"])

    def test_the_same_bytes_at_any_rank_count_also_of_rows_that_are_held_out(self):
        for split in ("test", "validation"):
            told = [self.evaluate("--split", split, "--json", ranks=ranks) for ranks in (1, 2, 3)]
            self.assertEqual(told[0], told[1])
            self.assertEqual(told[0], told[2])

    def test_text_csv_and_the_page_have_it(self):
        text = self.evaluate("--report", "--importance-csv", self.folder / "inputs.csv")
        told = json.loads(self.evaluate("--json"))["importance"]["inputs"]
        self.assertRegex(text, r"by how much r2 falls when an input is shuffled: mean and deviation of 5 times")
        self.assertRegex(text, r"color, of it +3 +0\.")
        with open(self.folder / "inputs.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["input"] for row in rows], [entry["input"] for entry in told])
        self.assertEqual([[float(row[f"drop_{i}"]) for i in range(1, 6)] for row in rows], [entry["drops"] for entry in told])
        self.assertEqual(page.Page(self.net / "report.html").run["importance"]["inputs"], told)

    def test_scores_of_one_loss_whose_names_have_a_point(self):
        net = self.folder / "quantiles"
        program.run("train", self.folder / "run.toml", "--output", net, "--quiet", "--set",
                    'model.loss={type="quantile", quantiles=[0.1, 0.5]}', "--set", "model.layers.2.units=2", mpi=False)
        options = ("evaluate", net, "--importance", "--by")
        self.assertIn("by how much pinball_q0.5 grows", program.run(*options, "pinball_q0.5", mpi=False).stdout)
        found = json.loads(program.run(*options, "pinball_q0.5", "--json", mpi=False).stdout)["importance"]["inputs"]
        self.assertEqual(found[0]["input"], "a")
        self.assertGreater(found[0]["mean"], 0)
        for score, text in (("coverage_q0.5", ", of which neither more nor less is better\n"), ("coverage_q0.7", "\n")):
            refused = program.run(*options, score, mpi=False, expect=2).stderr
            self.assertRegex(refused, rf'--by: expected one of loss, [^"]*pinball_q0.1, pinball_q0.5, found "{score}"{text}')
            self.assertNotIn("coverage_q0.1", refused)

    def test_what_does_not_fit_is_refused(self):
        for options, text in ((("--by", "accuracy"), "--by: expected one of loss, r2"), (("--repeats", "0"), "--repeats: expected"),
                              (("--seed", "-1"), "--seed: expected 0 or more")):
            done = program.run("evaluate", self.net, "--importance", *options, mpi=False, expect=2)
            self.assertIn(text, done.stderr)
            self.assertEqual(done.stdout, "")
        self.assertIn("goes with --importance", program.run("evaluate", self.net, "--repeats", "2", mpi=False, expect=2).stderr)
        checkpoint = sorted((self.net / "checkpoints").iterdir())[-1]
        refused = program.run("evaluate", checkpoint, "--importance", "--report", mpi=False, expect=2)
        self.assertIn("is not the folder of a run", refused.stderr)

    def test_what_is_larger_than_memory_is_refused_with_what_to_do(self):
        net = self.folder / "small"
        program.run("train", self.folder / "run.toml", "--output", net, "--quiet", "--set", "data.memory_limit=1KiB", "--set",
                    "data.validation=0", "--set", "train.epochs=1", mpi=False)
        refused = program.run("evaluate", net, "--importance", mpi=False, expect=2)
        self.assertIn("larger than the run's data.memory_limit", refused.stderr)
        self.assertIn("--data", refused.stderr)


if __name__ == "__main__":
    program.main()
