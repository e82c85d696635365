"""From a table to answers about new rows: what import did with one is done with others, at any rank count."""

import csv
import io
import json
import math
import subprocess
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy
import program

RUN = """
seed = 1
[data]
train = "{data}:/train"
test = "{data}:/test"
normalize = "standard"
[model]
loss = "{loss}"
layers = [{{type = "dense", units = 16}}, {{type = "relu"}}, {{type = "dense", units = {outputs}}}]
[train]
batch = 32
shards = 3
epochs = 4
[optimizer]
type = "adam"
lr = 1e-2
"""
HEADER = ["id", "age", "when", "color", "note", "size"]
COLORS = ["red", "blue", 'dark, "green"']


def people(rows, seed):
    """Rows with gaps, texts with commas, quotes and line ends, and dates; the answer depends on all of it."""
    rng = numpy.random.default_rng(seed)
    made = []
    for i in range(rows):
        age, color, size = rng.normal(40, 12), int(rng.integers(0, 3)), rng.normal()
        month, day = int(rng.integers(1, 13)), int(rng.integers(1, 29))
        score = (age - 40) / 12 + (color == 0) + size + math.sin(month)
        made.append({"id": f"p{i}", "age": "" if rng.random() < 0.15 else f"{age:.2f}",
                     "when": f"2024-{month:02}-{day:02}", "color": "" if rng.random() < 0.1 else COLORS[color],
                     "note": 'two\nlines, "quoted"' if i % 3 == 0 else f"note {i}", "size": f"{size:.4f}",
                     "bought": "yes" if score > 0.5 else "no", "spent": f"{score:.3f}"})
    return made


def text_of(rows, columns, delimiter=","):
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, delimiter=delimiter, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


class Tables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        cls.folder = Path(place.name)
        cls.train, cls.test = people(400, 1), people(150, 2)
        cls.write("train.csv", text_of(cls.train, HEADER + ["bought"]))
        cls.write("test.csv", text_of(cls.test, HEADER + ["bought"]))
        cls.data = cls.folder / "people.h5"
        program.run("import", cls.folder / "train.csv", "--test", cls.folder / "test.csv", "--target", "bought",
                    "--categorical", "color", "--date", "when", "--drop", "id,note", "--missing", "median+indicator",
                    "--output", cls.data, mpi=False)
        cls.run_folder = cls.trained("people", cls.data, loss="softmax_cross_entropy", outputs=2)

    @classmethod
    def write(cls, name, text):
        path = cls.folder / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    @classmethod
    def trained(cls, name, data, **keys):
        run = cls.folder / f"{name}.toml"
        run.write_text(RUN.format(data=data, **keys), encoding="utf-8")
        program.run("train", run, "--output", cls.folder / name, "--quiet", ranks=2)
        return cls.folder / name

    def predict(self, table, *options, ranks=1, out="answers.csv", run=None, **how):
        return program.run("predict", run or self.run_folder, "--input", table, "--output", self.folder / out,
                           "--overwrite", *options, ranks=ranks, **how)

    def answers(self, out="answers.csv"):
        with open(self.folder / out, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_fills_are_those_of_the_rows_that_train(self):
        with h5py.File(self.data) as file:
            recipe = json.loads(file.attrs["recipe"])
            features = json.loads(file.attrs["features"])
            x = file["test/x"][:]
        ages = [float(row["age"]) for row in self.train if row["age"]]
        colors = [row["color"] for row in self.train if row["color"]]
        columns = {column["name"]: column for column in recipe["columns"]}
        median = numpy.median(numpy.array(ages, "f4"))
        self.assertEqual(columns["age"]["fill"], median)
        self.assertEqual(columns["color"]["fill"], max(sorted(set(colors)), key=colors.count))
        for i, row in enumerate(self.test):
            at = dict(zip(features, x[i]))
            self.assertEqual(at["age"], numpy.float32(row["age"]) if row["age"] else numpy.float32(median))
            self.assertEqual(at["age.missing"], float(not row["age"]))
            color = row["color"] or columns["color"]["fill"]
            self.assertEqual([at[f"color={name}"] for name in sorted(COLORS)], [float(name == color) for name in sorted(COLORS)])
            days = (numpy.datetime64(row["when"]) - numpy.datetime64("1970-01-01")).astype(int)
            self.assertEqual(at["when.days"], days)

    def test_a_table_and_the_file_that_import_makes_of_it_have_the_same_answers(self):
        self.predict(f"{self.data}:/test", out="file.csv")
        shuffled = ["size", "note", "color", "id", "when", "age"]
        table = self.write("new.csv", text_of(self.test, shuffled))
        for ranks in (1, 3):
            self.predict(table, "--keep", "id,note", ranks=ranks, out=f"table{ranks}.csv")
        one, three = ((self.folder / f"table{ranks}.csv").read_bytes() for ranks in (1, 3))
        self.assertEqual(one, three)
        known, found = self.answers("file.csv"), self.answers("table1.csv")
        self.assertEqual(list(found[0]), ["id", "note"] + list(known[0]))
        self.assertEqual(list(known[0])[:2], ["label", "bought"], "the class stands under its target's name")
        for row, expected, answer in zip(self.test, known, found, strict=True):
            self.assertEqual(answer, {"id": row["id"], "note": row["note"], **expected})
        self.predict(table)
        self.assertEqual([row["row"] for row in self.answers()], [str(i + 1) for i in range(len(self.test))])

    def test_evaluate_scores_a_table_as_the_file(self):
        told = [json.loads(program.run("evaluate", self.run_folder, *data, "--json", ranks=ranks).stdout)
                for data, ranks in (((), 1), (("--data", self.folder / "test.csv"), 1),
                                    (("--data", self.folder / "test.csv"), 3))]
        for scores in told:
            scores.pop("data")
        self.assertEqual(told[0], told[1])
        self.assertEqual(told[0], told[2])
        unknown = self.write("unknown.csv", text_of(self.test, HEADER + ["bought"]).replace(",yes\n", ",maybe\n"))
        self.assertIn("knows no class 'maybe'",
                      program.run("evaluate", self.run_folder, "--data", unknown, expect=2).stderr)

    def test_columns_that_do_not_fit_are_refused_by_name(self):
        text = text_of(self.test, HEADER)
        for changed, says in ((text.replace("age", "years", 1), "there is no column 'age'"),
                              (text.replace("id,age", "age,age", 1), "two columns named 'age'")):
            done = self.predict(self.write("bad.csv", changed), ranks=2, expect=2)
            self.assertIn(says, done.stderr)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1)

    def test_unknown_texts_are_counted_once(self):
        rows = [{**row, "color": "teal" if i % 10 == 0 else row["color"]} for i, row in enumerate(self.test)]
        table = self.write("teal.csv", text_of(rows, HEADER))
        for ranks in (1, 3):
            done = self.predict(table, ranks=ranks)
            self.assertIn("15 of 150 samples have a category of 'color' that the net does not know ('teal')", done.stderr)
        labelled = self.write("teal-labelled.csv", text_of(rows, HEADER + ["bought"]))
        done = program.run("evaluate", self.run_folder, "--data", labelled, ranks=3)
        self.assertIn("15 of 150 samples have a category of 'color'", done.stderr)

    def test_rows_that_cannot_be_read_are_refused_or_marked(self):
        rows = [dict(row) for row in self.test]
        rows[7]["size"] = "large"
        rows[90]["when"] = "2024-02-30"
        table = self.write("bad.csv", text_of(rows, HEADER))
        line = 2 + sum(1 + row["note"].count("\n") for row in rows[:7]) + rows[7]["note"].count("\n")
        for ranks in (1, 3):
            done = self.predict(table, ranks=ranks, expect=2)
            self.assertIn(f"bad.csv: line {line}: column 6 ('size'): expected a number, found 'large'", done.stderr)
            done = self.predict(table, "--bad-rows", "mark", ranks=ranks, out=f"marked{ranks}.csv")
            self.assertIn(f"2 of 150 rows could not be read and have empty answers, the first on line {line}", done.stderr)
        self.assertEqual(*((self.folder / f"marked{ranks}.csv").read_bytes() for ranks in (1, 3)))
        marked = self.answers("marked1.csv")
        self.assertEqual([i for i, row in enumerate(marked) if row["bought"] == ""], [7, 90])
        self.assertEqual(set(marked[7].values()), {"8", ""})
        self.predict(table, "--bad-rows", "mark", out="marked.h5")
        with h5py.File(self.folder / "marked.h5") as file:
            self.assertEqual(numpy.flatnonzero(file["label"][:] == -1).tolist(), [7, 90])
            self.assertEqual(numpy.flatnonzero(numpy.isnan(file["probabilities"][:]).any(1)).tolist(), [7, 90])

    def test_ranks_find_the_rows_of_a_large_table_together(self):
        # Line ends within quotes everywhere, and in the second table one stray quote, behind which counting misleads.
        rows = people(150, 4)
        block = text_of(rows, HEADER).split("\n", 1)[1]
        text = ",".join(HEADER) + "\n" + block * 160  # 1.2 MB
        count = 160 * len(rows)
        stray = text.replace("note 1,", 'no"te 1,', 1)
        for name, table, bad in (("large.csv", text, 0), ("stray.csv", stray, 1)):
            path = self.write(name, table)
            self.assertGreater(path.stat().st_size, 1 << 20)
            for ranks in (1, 3):
                done = self.predict(path, "--bad-rows", "mark", "--keep", "id", ranks=ranks, out=f"large{ranks}.csv")
                self.assertEqual(f"1 of {count} rows could not be read" in done.stderr, bad == 1)
            self.assertEqual(*((self.folder / f"large{ranks}.csv").read_bytes() for ranks in (1, 3)))
            found = self.answers("large1.csv")
            self.assertEqual(len(found), count)
            self.assertEqual([row["id"] for row in found], [row["id"] for row in rows] * 160)
            self.assertEqual(sum(row["label"] == "" for row in found), bad)

    def test_values_are_named_by_their_targets(self):
        self.write("values.csv", text_of(self.train, ["age", "size", "spent", "color"], ";").replace(".", ","))
        data = self.folder / "values.h5"
        program.run("import", self.folder / "values.csv", "--target", "spent", "--categorical", "color", "--missing",
                    "mean,color=zero", "--delimiter", ";", "--decimal", ",", "--split", "0.8", "--output", data, mpi=False)
        run = self.trained("values", data, loss="mse", outputs=1)
        table = self.write("new-values.csv", text_of(self.test, ["color", "size", "age"], ";").replace(".", ","))
        self.predict(table, run=run, ranks=2)
        self.assertEqual(list(self.answers()[0]), ["row", "spent"])
        with h5py.File(data) as file:  # by hand
            features = json.loads(file.attrs["features"])
        self.assertEqual(features[:2], ["age", "size"])

    def test_weights_and_missing_targets_are_read_as_import_does(self):
        rng = numpy.random.default_rng(5)
        for name, people in (("train", self.train), ("test", self.test)):
            rows = [{**row, "weight": f"{rng.uniform(-0.2, 2):.3f}", "twice": "" if i % 7 == 0 else f"{i % 5}.5",
                     "spent": "NA" if i % 11 == 0 else row["spent"]} for i, row in enumerate(people)]
            self.write(f"weighed-{name}.csv", text_of(rows, ["age", "size", "weight", "spent", "twice"]))
        data = self.folder / "weighed.h5"
        done = program.run("import", self.folder / "weighed-train.csv", "--test", self.folder / "weighed-test.csv",
                           "--target", "spent,twice", "--weight", "weight", "--missing", "median", "--output", data, mpi=False)
        self.assertIn("target twice:", done.stderr)
        self.assertIn("are negative", done.stderr)
        run = self.trained("weighed", data, loss="mse", outputs=2)
        told = [json.loads(program.run("evaluate", run, *words, "--json", ranks=ranks).stdout)
                for words, ranks in (((), 1), (("--data", self.folder / "weighed-test.csv"), 1),
                                     (("--data", self.folder / "weighed-test.csv"), 3))]
        self.assertNotEqual(told[0]["rmse"], told[0]["unweighted"]["rmse"])
        for scores in told:
            scores.pop("data")
        # A row without any target is left out by import, and weighs nothing here.
        for scores in told:
            scores.pop("samples")
        self.assertEqual(told[1], told[2])
        for name in ("loss", "rmse", "mae"):
            self.assertAlmostEqual(told[0][name], told[1][name], places=6)

    def test_targets_that_an_import_did_not_let_miss_do_not_miss_here(self):
        rows = [{**row, "twice": "" if i == 5 else "1.5"} for i, row in enumerate(self.train)]
        columns = ["size", "spent", "twice"]
        table = self.write("twice.csv", text_of(rows, columns))
        whole = self.write("whole.csv", text_of([row for row in rows if row["twice"]], columns))
        for rule, file in (("drop", table), ("refuse", whole)):
            data = self.folder / f"twice-{rule}.h5"
            program.run("import", file, "--target", "spent,twice", "--missing", rule, "--split", "0.8", "--output", data,
                        mpi=False)
            run = self.trained(f"twice-{rule}", data, loss="mse", outputs=2)
            self.assertIn("column 3 ('twice'): the field is empty or missing",
                          program.run("evaluate", run, "--data", table, expect=2).stderr)

    def test_options_that_do_not_fit_are_refused(self):
        table = self.folder / "test.csv"
        self.assertIn("give --output OUT.csv", self.predict(table, "--keep", "id", out="kept.h5", expect=2).stderr)
        self.assertIn("'none' is no column", self.predict(table, "--keep", "none", expect=2).stderr)
        missing = self.predict(self.folder / "missing.csv", expect=2).stderr
        self.assertIn("missing.csv", missing)
        self.assertNotIn("reads no CSV", missing)
        self.assertIn("named twice", self.predict(table, "--keep", "id,id", expect=2).stderr)
        self.assertIn("expected refuse or mark", self.predict(table, "--bad-rows", "drop", expect=2).stderr)
        self.assertIn("for tables of text", self.predict(f"{self.data}:/test", "--keep", "id", expect=2).stderr)
        with h5py.File(self.data) as file, h5py.File(self.folder / "plain.h5", "w") as plain:
            for name in ("train/x", "train/y", "test/x", "test/y"):
                plain[name] = file[name][:]
        run = self.trained("plain", self.folder / "plain.h5", loss="softmax_cross_entropy", outputs=2)
        self.assertIn("the net was not trained on a table that lockstep import has made",
                      self.predict(table, run=run, expect=2).stderr)


class FromTheReadme(unittest.TestCase):
    """What the README says of tables, as it stands there."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        (self.folder / "data").symlink_to(program.ROOT / "data")
        page = (program.ROOT / "README.md").read_text(encoding="utf-8")
        section = page.split("## From a table to answers\n")[1].split("\n## ")[0]
        self.blocks = [block.split("```")[0].strip().splitlines() for block in section.split("```sh\n")[1:]]

    def do(self, block):
        """Runs the commands; what each has printed."""
        told = []
        for line in block:
            line = line.replace("build/bin/lockstep", str(program.PROGRAM))
            done = subprocess.run(line, shell=True, cwd=self.folder, capture_output=True, text=True, timeout=110)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
            told.append(done.stdout)
        return told

    def answers(self, name="answers.csv"):
        with open(self.folder / name, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_five_commands_lead_from_a_table_to_good_answers(self):
        block = self.blocks[0]
        self.assertEqual(len(block), 5)
        told = self.do(block)
        command = next(line.strip() for line in told[0].splitlines() if "lockstep import" in line)
        self.assertEqual(command.replace(" --categorical auto", ""), block[1].split("build/bin/")[1])
        scores = program.summary(self.folder / "runs/strength")["test"]
        self.assertGreater(scores["r2"], 0.88)  # linear regression reaches 0.6, scikit-learn's MLP 0.90
        answers = self.answers()
        with open(program.ROOT / "data/concrete.csv", encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        self.assertEqual(list(answers[0]), ["age", "compressive_strength"])
        self.assertEqual([row["age"] for row in answers], [row["age"] for row in table])
        found, truth = (numpy.array([float(row["compressive_strength"]) for row in rows]) for rows in (answers, table))
        self.assertGreater(1 - ((found - truth) ** 2).mean() / truth.var(), 0.88)

    def test_a_table_with_texts_gaps_and_few_who_leave(self):
        told = self.do(self.blocks[1])
        command = next(line.strip() for line in told[1].splitlines() if "lockstep import" in line)
        self.assertEqual(command, self.blocks[1][2].split("build/bin/")[1])
        answers = self.answers("leaving.csv")
        self.assertEqual(list(answers[0]), ["customer", "label", "left", "probability_yes"])
        self.assertEqual(len(answers), 500)
        truth = subprocess.run(["python3", program.ROOT / "data/customers.py", "500", "--seed", "2"], check=True,
                               capture_output=True, text=True).stdout
        left = numpy.array([row["left"] == "yes" for row in csv.DictReader(io.StringIO(truth, newline=""))])
        chance = numpy.array([float(row["probability_yes"]) for row in answers])
        pairs = chance[left][:, None] - chance[~left][None, :]
        self.assertGreater((pairs > 0).mean() + (pairs == 0).mean() / 2, 0.8)  # ROC AUC

    def test_new_takes_tables_as_they_come(self):
        numbers = [f"{i},{i % 7}.5,{(i * i) % 5}.25" for i in range(40)]
        for name, text, says, command in (
                ("pandas", ",a,y\n" + "\n".join(numbers), "column 1 is left out: it has no name", "--target y --categorical auto --drop 1"),
                ("empty", "none,a,y\n" + "\n".join(f",{line.split(',', 1)[1]}" for line in numbers), "column none is left out",
                 "--drop none"),
                ("comma", "a;b;y\n" + "1;2;3\n" * 30 + "1,5;2;4\n" * 30, "next:", "--delimiter ';' --decimal ,"),
                ("lines", '"a","price\n(EUR)"\n' + "\n".join(line.split(",", 1)[1] for line in numbers), "next:", "--target")):
            (self.folder / f"{name}.csv").write_text(text + "\n", encoding="utf-8")
            done = program.run("new", f"{name}.csv", cwd=self.folder, mpi=False)
            self.assertIn(says, done.stdout)
            self.assertIn(command, done.stdout)
        (self.folder / "stray.csv").write_text('say "hi",y\n1,2\n', encoding="utf-8")
        self.assertIn("stray.csv: line 1: a quote in the middle of a field",
                      program.run("new", "stray.csv", cwd=self.folder, mpi=False, expect=2).stderr)

    def test_new_of_a_file_trains_as_it_is(self):
        self.do(["build/bin/lockstep new data/digits.h5", "mpirun -n 2 build/bin/lockstep train digits.toml --quiet"])
        self.assertGreater(program.summary(self.folder / "runs/digits")["test"]["accuracy"], 0.96)
        done = program.run("new", self.folder / "data/digits.h5", cwd=self.folder, mpi=False, expect=2)
        self.assertIn("digits.toml is there already", done.stderr)
        for words, says in ((["none.h5"], "no such file"), ([self.folder / "data/README.md"], "lockstep: error:"),
                            ([self.folder / "data/digits.h5", "--target", "y", "--overwrite"], "is for a table of text"),
                            ([self.folder / "data/digits.h5:/none", "--overwrite"], "no group /none holds x and y")):
            done = program.run("new", *words, cwd=self.folder, mpi=False, expect=2)
            self.assertIn(says, done.stderr)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1)


if __name__ == "__main__":
    program.main()
