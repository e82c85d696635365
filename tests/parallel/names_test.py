"""A net and its data belong together: features, categories, targets and classes by name, in train, resume, evaluate and
predict; told, counted or refused."""

import csv
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy
import program

RUN = """
seed = 1
[data]
train = "{folder}/data.h5:/train"
test = "{folder}/data.h5:/test"
normalize = "standard"
[model]
loss = "{loss}"
layers = [{{type = "dense", units = 8}}, {{type = "tanh"}}, {{type = "dense", units = {outputs}}}]
[train]
batch = 32
shards = 3
epochs = 2
[optimizer]
type = "adam"
lr = 1e-2
"""
COLORS = ["red", "green", "blue"]


def table(rows):
    """Prices and weights of things with two numbers, a colour and a kind, as text."""
    rng = numpy.random.default_rng(3)
    a, b, color = rng.normal(500, 100, rows), rng.normal(0, 0.01, rows), rng.integers(0, 3, rows)
    price = 3 * a + 100 * color
    kind = ["ant", "bee", "cat"]
    lines = ["a,b,color,price,mass,kind"]
    lines += [f"{a[i]:.2f},{b[i]:.5f},{COLORS[color[i]]},{price[i]:.1f},{b[i] * 7:.4f},{kind[(color[i] + (a[i] > 500)) % 3]}"
              for i in range(rows)]
    return "\n".join(lines) + "\n"


def words(settings):
    return [word for setting in settings for word in ("--set", setting)]


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        (cls.folder / "table.csv").write_text(table(300), encoding="utf-8")
        cls.data = cls.folder / "data.h5"
        cls.load("data.h5", "--target", "price,mass", "--categorical", "color", "--drop", "kind")
        (cls.folder / "run.toml").write_text(RUN.format(folder=cls.folder, loss="mse", outputs=2), encoding="utf-8")
        cls.net = cls.train("net")
        cls.scores = cls.evaluate(cls.net)[0]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def load(cls, name, *options):
        program.run("import", cls.folder / "table.csv", "--output", cls.folder / name, "--split", "0.7", "--quiet", *options,
                    mpi=False)

    @classmethod
    def train(cls, name, *settings, run="run.toml", ranks=1, more=()):
        program.run("train", cls.folder / run, "--output", cls.folder / name, "--quiet", *more, *words(settings), ranks=ranks,
                    mpi=ranks > 1)
        return cls.folder / name

    @classmethod
    def evaluate(cls, net, *more, ranks=1):
        """Scores, without the name of the data, and what was told."""
        done = program.run("evaluate", net, "--json", *more, ranks=ranks, mpi=ranks > 1)
        scores = json.loads(done.stdout)
        del scores["data"], scores["checkpoint"]
        return scores, done.stderr

    def predict(self, data, name, ranks=1, net=None):
        done = program.run("predict", net or self.net, "--input", data, "--output", self.folder / name, ranks=ranks, mpi=ranks > 1)
        return (self.folder / name).read_text(encoding="utf-8"), done.stderr

    def changed(self, name, change=None, **lists):
        """The data with other names, and with columns in their order where there are as many."""
        place = self.folder / name
        shutil.copy(self.data, place)
        with h5py.File(place, "r+") as file:
            for attribute, names in lists.items():
                old, key = json.loads(file.attrs[attribute]), "x" if attribute == "features" else "y"
                file.attrs[attribute] = json.dumps(names)
                for group in ("train", "test"):
                    columns = [old.index(n) for n in names if n in old]
                    if len(columns) == len(names):
                        values = file[group][key][()][:, columns]
                        del file[group][key]
                        file[group][key] = values
            if change:
                change(file)
        return place

    def permuted(self):
        return self.changed("permuted.h5", features=["color=red", "b", "color=blue", "a", "color=green"], targets=["mass", "price"])

    def test_columns_in_another_order_give_the_same_scores_and_answers(self):
        permuted = self.permuted()
        for ranks in (1, 3):
            scores, told = self.evaluate(self.net, "--data", f"{permuted}:/test", ranks=ranks)
            self.assertEqual(scores, self.scores)
        self.assertEqual(told.count("are in another order than those of"), 2)
        self.assertIn("permuted.h5:/test: its features are in another order", told)
        expected, quiet = self.predict(f"{self.data}:/test", "expected.csv")
        self.assertEqual(quiet, "")
        found, told = self.predict(f"{permuted}:/test", "found.csv")
        self.assertEqual(found, expected)
        self.assertIn("its features are in another order", told)

    def test_test_data_and_resume_go_by_name_in_memory_and_streamed(self):
        permuted = self.permuted()
        for load in ("memory", "stream"):
            keys = [f"data.load={load}", "data.block=5"] if load == "stream" else [f"data.load={load}"]
            whole = self.train(f"whole-{load}", *keys, "train.epochs=3")
            part = self.train(f"part-{load}", *keys, f"data.test={permuted}:/test", ranks=2)
            self.train(f"part-{load}", *keys, f"data.test={self.data}:/test", f"data.train={permuted}:/train", "train.epochs=3",
                       more=["--resume"])
            self.assertEqual(program.digest(part), program.digest(whole))
            self.assertEqual(program.metrics(part), program.metrics(whole))

    def test_missing_and_unknown_columns_are_refused_by_name(self):
        renamed = self.changed("renamed.h5", features=["A", "b"] + [f"color={c}" for c in sorted(COLORS)])
        says = "its features are not those of "
        for command in (["evaluate", self.net, "--data", f"{renamed}:/test"],
                        ["predict", self.net, "--input", f"{renamed}:/test", "--output", self.folder / "none.csv"],
                        ["train", self.folder / "run.toml", "--output", self.folder / "none", "--set", f"data.test={renamed}:/test"],
                        ["train", self.folder / "run.toml", "--output", self.net, "--resume", "--set", "train.epochs=9",
                         "--set", f"data.train={renamed}:/train"]):
            done = program.run(*command, mpi=False, expect=2)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1)
            self.assertRegex(done.stderr, rf"renamed\.h5:/t[a-z]+: {says}.*; missing: 'a'; not known there: 'A'")
        renamed = self.changed("targets.h5", targets=["price", "weight"])
        done = program.run("evaluate", self.net, "--data", f"{renamed}:/test", mpi=False, expect=2)
        self.assertRegex(done.stderr, "its targets are not those of .*; missing: 'mass'; not known there: 'weight'")

    def test_unknown_categories_are_zeros_and_counted(self):
        with h5py.File(self.data) as file:
            names = json.loads(file.attrs["features"])
            self.assertEqual(json.loads(file.attrs["categorical"]), ["color"])
            of_red = int(file["test/x"][:, names.index("color=red")].sum())
        teal = self.changed("teal.h5", features=[n.replace("red", "teal") for n in names])

        def without_red(file):
            for group in ("train", "test"):
                file[group]["x"][:, names.index("color=red")] = 0

        zeros = self.changed("zeros.h5", without_red)
        expected = self.predict(f"{zeros}:/test", "zeros.csv")[0]
        for ranks in (1, 3):
            found, told = self.predict(f"{teal}:/test", f"teal{ranks}.csv", ranks)
            self.assertEqual(found, expected)
            self.assertIn(f"{of_red} of 90 samples have a category of 'color' that ", told)
            self.assertIn("does not know ('teal')", told)
        self.assertEqual(self.evaluate(self.net, "--data", f"{teal}:/test")[0], self.evaluate(self.net, "--data", f"{zeros}:/test")[0])

    def test_answers_are_named_by_targets_and_classes(self):
        text, _ = self.predict(f"{self.data}:/test", "names.csv")
        self.assertEqual(text.splitlines()[0], "price,mass")
        program.run("predict", self.net, "--output", self.folder / "names.h5", mpi=False)
        with h5py.File(self.folder / "names.h5") as file:
            self.assertEqual(json.loads(file.attrs["targets"]), ["price", "mass"])

    def test_class_lists_are_compared(self):
        self.load("kinds.h5", "--target", "kind", "--categorical", "color", "--drop", "price,mass")
        text = RUN.format(folder=self.folder, loss="softmax_cross_entropy", outputs=3).replace("data.h5", "kinds.h5")
        (self.folder / "kinds.toml").write_text(text, encoding="utf-8")
        net = self.train("kinds", run="kinds.toml")
        other = self.folder / "other.h5"
        shutil.copy(self.folder / "kinds.h5", other)
        with h5py.File(other, "r+") as file:
            for group in ("train", "test"):
                file[group]["y"][()] = (file[group]["y"][()] + 1) % 3
            file.attrs["classes"] = json.dumps(["cat", "ant", "bee"])
        scores, told = self.evaluate(net, "--data", f"{other}:/test")
        self.assertEqual(scores, self.evaluate(net)[0])
        self.assertIn("its classes are in another order", told)
        trained = self.train("other", f"data.test={other}:/test", run="kinds.toml")
        self.assertEqual(program.metrics(trained), program.metrics(net))
        with h5py.File(other, "r+") as file:
            file.attrs["classes"] = json.dumps(["cat", "ant", "eel"])
        done = program.run("evaluate", net, "--data", f"{other}:/test", mpi=False, expect=2)
        self.assertRegex(done.stderr, "its classes are not those of .*; missing: 'bee'; not known there: 'eel'")
        rows = list(csv.DictReader(self.predict(f"{self.folder}/kinds.h5:/test", "kinds.csv", net=net)[0].splitlines()))
        self.assertEqual(list(rows[0]), ["label", "kind"] + [f"probability_{kind}" for kind in ("ant", "bee", "cat")])

    def test_inspect_shows_the_names_and_a_nameless_run_gets_them(self):
        text = program.run("inspect", self.net, mpi=False).stdout
        self.assertIn("\n  features      5: a, b, color=blue, color=green, color=red\n", text)
        self.assertIn("\n  categorical   1: color\n  targets       2: price, mass\n  normalised    5 inputs, 2 targets\n", text)
        told = json.loads(program.run("inspect", self.net, "--json", mpi=False).stdout)
        self.assertEqual((told["targets"], told["categorical"], told["classes"]), (["price", "mass"], ["color"], []))
        self.assertEqual(len(told["normalization"]["x_shift"]), 5)
        nameless = self.folder / "nameless.h5"
        shutil.copy(self.data, nameless)
        with h5py.File(nameless, "r+") as file:
            for attribute in list(file.attrs):
                del file.attrs[attribute]
        net = self.train("nameless", f"data.train={nameless}:/train", f"data.test={nameless}:/test")
        self.assertEqual(program.digest(net), program.digest(self.net))
        self.assertEqual(json.loads(program.run("inspect", net, "--json", mpi=False).stdout)["features"], [])
        self.train("nameless", "train.epochs=3", more=["--resume"])  # on the data with names
        self.assertEqual(json.loads(program.run("inspect", net, "--json", mpi=False).stdout)["features"], told["features"])


if __name__ == "__main__":
    program.main()
