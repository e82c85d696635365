"""lockstep import, and inspect of data, as a person meets them: from files of other programs to a trained net."""

import json
import os
import resource
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy
import program

RUN = """
seed = 1
[data]
train = {train}
test = {test}
normalize = "standard"
[model]
loss = "{loss}"
layers = [{{type = "dense", units = 32}}, {{type = "relu"}}, {{type = "dense", units = {outputs}}}]
[train]
batch = 64
shards = 3
epochs = {epochs}
[optimizer]
type = "adam"
lr = 3e-3
"""
CUTS = ["Fair", "Good", "Very Good", "Premium", "Ideal"]


def diamonds(rows):
    """A table of prices that depend on two numbers and three categories, as text."""
    rng = numpy.random.default_rng(0)
    carat, depth = rng.gamma(2.0, 0.4, rows) + 0.2, rng.normal(61.7, 1.4, rows)
    cut, color, clarity = rng.integers(0, 5, rows), rng.integers(0, 7, rows), rng.integers(0, 8, rows)
    price = 3000 * carat * (1 + 0.08 * clarity) * (1 - 0.05 * color) + 100 * cut - 20 * (depth - 61.7) ** 2
    price += rng.normal(0, 50, rows)
    lines = ['carat,cut,"color",clarity,depth,price']
    for i in range(rows):
        lines.append(f"{carat[i]:.2f},{CUTS[cut[i]]},{'DEFGHIJ'[color[i]]},c{clarity[i]},{depth[i]:.1f},{price[i]:.0f}")
    return "\r\n".join(lines) + "\r\n"


def letters(rows):
    """A table of 16 whole numbers about 26 letters, as text: clouds around 26 centres."""
    rng = numpy.random.default_rng(1)
    centres = rng.uniform(2, 13, (26, 16))
    kind = rng.integers(0, 26, rows)
    x = numpy.clip(numpy.rint(centres[kind] + rng.normal(0, 1.5, (rows, 16))), 0, 15).astype(int)
    lines = ["letter," + ",".join(f"f{i}" for i in range(16))]
    lines += [chr(65 + k) + "," + ",".join(map(str, row)) for k, row in zip(kind, x)]
    return "\n".join(lines)


class Import(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        self.folder = Path(self.place.name)
        self.table, self.data = self.folder / "table.csv", self.folder / "data.h5"

    def importing(self, *options, files=None, **how):
        return program.run("import", *(files or [self.table]), "--output", self.data, *options, mpi=False, **how)

    def train(self, name, train, test, **keys):
        """The summary of a run on three ranks."""
        run = self.folder / f"{name}.toml"
        run.write_text(RUN.format(train=train, test=test, **keys), encoding="utf-8")
        program.run("train", run, "--output", self.folder / name, "--quiet", ranks=3)
        return program.summary(self.folder / name)

    def left(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_a_table_of_prices_trains(self):
        self.table.write_text(diamonds(4000), encoding="utf-8", newline="")
        done = self.importing("--target", "price", "--categorical", "auto", "--split", "0.8", "--seed", "3")
        self.assertIn("x float32 [3200, 22], y float64 [3200, 1]", done.stdout)
        summary = self.train("prices", f'"{self.data}:/train"', f'"{self.data}:/test"', loss="mse", outputs=1, epochs=12)
        self.assertGreater(summary["test"]["r2"], 0.95)  # a linear fit of the columns reaches 0.89

    def test_a_table_of_letters_trains(self):
        self.table.write_text(letters(4000), encoding="utf-8")
        self.importing("--target", "letter", "--split", "0.75")
        summary = self.train("letters", f'"{self.data}:/train"', f'"{self.data}:/test"', loss="softmax_cross_entropy",
                             outputs=26, epochs=10)
        self.assertGreater(summary["test"]["accuracy"], 0.95)
        with h5py.File(self.data) as file:
            self.assertEqual(json.loads(file.attrs["classes"]), [chr(65 + i) for i in range(26)])
            self.assertEqual(json.loads(file.attrs["features"]), [f"f{i}" for i in range(16)])
            self.assertEqual(json.loads(file.attrs["targets"]), ["letter"])
            self.assertEqual((file["train/x"].shape, file["test/y"].shape), ((3000, 16), (1000,)))

    def test_arrays_of_numpy_train_as_they_are_and_imported(self):
        rng = numpy.random.default_rng(2)
        x, y = rng.normal(size=(90, 4)), rng.integers(0, 3, 90)
        numpy.save(self.folder / "x.npy", x)
        numpy.save(self.folder / "y.npy", y)
        pair = [self.folder / "x.npy", self.folder / "y.npy"]
        self.importing("--quiet", files=pair)
        with h5py.File(self.data) as file:
            numpy.testing.assert_array_equal(file["train/x"][:], x.astype("f4"))
            numpy.testing.assert_array_equal(file["train/y"][:], y)
        keys = {"loss": "softmax_cross_entropy", "outputs": 3, "epochs": 1}
        source = f'{{x = "{pair[0]}", y = "{pair[1]}"}}'
        numpy.save(pair[0], x.astype("f4"))
        self.assertEqual(self.train("pair", source, source, **keys)["digest"],
                         self.train("file", f'"{self.data}:/train"', f'"{self.data}:/train"', **keys)["digest"])
        numpy.save(pair[0], numpy.asfortranarray(x))
        self.assertIn("Fortran order", self.importing("--overwrite", files=pair, expect=2).stderr)

    def test_bad_tables_are_exit_2_with_one_message_and_no_file(self):
        for text, says in (("a,y\n1,2\n1,two\n", "table.csv: line 3: column 2 ('y'): expected a number, found 'two'"),
                           ("a,y\n1\n", "line 2: expected 2 fields"), ("", "is empty"), ('a,y\n"1,2\n', "line 2")):
            self.table.write_text(text, encoding="utf-8")
            done = self.importing("--target", "y", expect=2)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1)
            self.assertIn(says, done.stderr)
            self.assertEqual(self.left(), ["table.csv"])
        self.assertIn("a run reads no CSV", program.run("train", self.bad_run(), mpi=False, expect=2).stderr)

    def bad_run(self):
        run = self.folder / "run.toml"
        run.write_text(RUN.format(train=f'"{self.table}"', test='""', loss="mse", outputs=1, epochs=1).replace(
            'test = ""\n', ""), encoding="utf-8")
        return run

    def test_a_large_table_takes_little_memory_and_leaves_nothing_when_it_fails(self):
        block = "".join(f"{i % 97}.{i % 89},{i % 7},k{i % 5},{i % 13}.5\n" for i in range(50000))
        with open(self.table, "w", encoding="utf-8") as file:
            file.write("a,b,c,y\n")
            for _ in range(40):
                file.write(block)  # 2 million rows, 28 MB
        words = [program.PROGRAM, "import", self.table, "--output", self.data, "--target", "y", "--categorical", "c"]

        def start(**how):
            return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **how)

        # A full disk, to the program: while it reads, and where the file is to be laid out, of 40 and 72 MB.
        for most, says in ((10 << 20, "cannot be written"), (50 << 20, "cannot be made")):
            with start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))) as full:
                self.assertIn(says, full.stderr.read())
            self.assertEqual((full.returncode, self.left()), (1, ["table.csv"]))

        with start() as stopped:
            while int(Path(f"/proc/{stopped.pid}/io").read_text(encoding="ascii").split()[1]) < 5 << 20:
                time.sleep(0.001)
            stopped.send_signal(signal.SIGINT)
            self.assertIn("stopped by a signal", stopped.stderr.read())
        self.assertEqual((stopped.returncode, self.left()), (1, ["table.csv"]))

        whole = start()
        whole.stderr.read()
        whole.stderr.close()
        _, whole.returncode, usage = os.wait4(whole.pid, 0)
        self.assertEqual((whole.returncode, self.left()), (0, ["data.h5", "table.csv"]))
        self.assertLess(usage.ru_maxrss, 60 << 10)  # KiB: the program and a few MiB of rows
        told = json.loads(program.run("inspect", self.data, "--json", mpi=False).stdout)["data"]["/train/x"]
        self.assertEqual((told["shape"], told["not_finite"]), ([2000000, 7], 0))
        self.assertEqual([column["name"] for column in told["columns"]], ["a", "b", "c=k0", "c=k1", "c=k2", "c=k3", "c=k4"])
        self.assertEqual((told["columns"][1]["max"], round(told["columns"][2]["mean"], 9)), (6, 0.2))

    def test_inspect_tells_of_data(self):
        told = json.loads(program.run("inspect", program.ROOT / "data/digits.h5", "--json", mpi=False).stdout)["data"]
        x, y = told["/train/x"], told["/train/y"]
        self.assertEqual((x["type"], x["shape"], x["min"], x["max"], x["not_finite"]), ("uint8", [1438, 8, 8], 0, 16, 0))
        self.assertEqual(len(x["columns"]), 64)
        self.assertEqual(sum(entry["count"] for entry in y["classes"]), 1438)
        text = program.run("inspect", program.ROOT / "data/digits.h5", mpi=False).stdout
        self.assertIn("10 classes: 0 ", text)
        self.assertLess(len(text.splitlines()), 60)

    def test_inspect_advises_on_chunks_and_numbers(self):
        with h5py.File(self.data, "w") as file:
            x = numpy.zeros((40000, 8, 4), "f4")
            x[7, 0, 2] = numpy.nan
            file.create_dataset("train/x", data=x, chunks=(1, 8, 4), compression="gzip", shuffle=True)
            file.create_dataset("train/y", data=numpy.arange(40000) % 3)
        text = program.run("inspect", self.data, mpi=False).stdout
        self.assertIn("float32 [40000, 8, 4], chunks of [1, 8, 4], shuffle + deflate", text)
        self.assertIn("not finite, the first in row 7, column 2", text)
        self.assertIn("h5repack -l /train/x:CHUNK=8192x8x4", text)
        self.assertIn("3 classes: 0 13334, 1 13333, 2 13333", text)


if __name__ == "__main__":
    program.main()
