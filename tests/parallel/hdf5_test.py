"""HDF5 as other programs write it, each kind made with h5py: the numbers that h5py reads, in memory and streamed, or one
message that names the data set and what to do."""

import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

N, INPUTS = 96, 5
rng = numpy.random.default_rng(7)
X = rng.integers(0, 2, (N, INPUTS)).astype("f8")  # every kind of number can mean these
Y = X.sum(axis=1, keepdims=True)
OTHER = rng.normal(size=(N, INPUTS))

RUN = """name = "hdf5"
[data]
train = "{data}"
load = "{load}"
[model]
loss = "mse"
layers = [{{type = "dense", units = 1}}]
[train]
batch = 16
shards = 2
epochs = 1
[optimizer]
type = "sgd"
lr = 0.01
"""


def odd_integers(group, name, array, size):
    """Stored in integers of `size` bytes, which numpy does not have."""
    kind = h5py.h5t.STD_I32LE.copy() if size < 4 else h5py.h5t.STD_I64LE.copy()
    kind.set_precision(8 * size)
    kind.set_size(size)
    space = h5py.h5s.create_simple(array.shape)
    stored = h5py.h5d.create(group.id, name.encode(), kind, space)
    stored.write(h5py.h5s.ALL, h5py.h5s.ALL, numpy.ascontiguousarray(array, dtype="i8"))


class Hdf5(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def file(self, name, **options):
        return h5py.File(self.folder / name, "w", **options)

    def make(self, name, x=X, y=Y, attributes=(), **options):
        """A file of x and y."""
        with self.file(name) as file:
            file.create_dataset("x", data=x, **options)
            file["x"].attrs.update(dict(attributes))
            file["y"] = y
        return self.folder / name

    def write_run(self, data, load="memory"):
        run = self.folder / f"{Path(str(data).split(':')[0]).stem}-{load}.toml"
        run.write_text(RUN.format(data=data, load=load), encoding="utf-8")
        return run

    def train(self, data, load, ranks):
        output = self.folder / "runs" / f"{Path(str(data).split(':')[0]).stem}-{load}-{ranks}"
        program.run("train", self.write_run(data, load), "--output", output, "--quiet", ranks=ranks,
                    mpi=ranks > 1)
        return output

    def inspected(self, path, name="/x"):
        return json.loads(program.run("inspect", path, "--json", mpi=False).stdout)["data"][name]

    def check_inspect(self, path, expected):
        found = self.inspected(path)
        columns = numpy.float64(expected)
        self.assertEqual([c["min"] for c in found["columns"]], list(columns.min(axis=0)))
        self.assertEqual([c["max"] for c in found["columns"]], list(columns.max(axis=0)))
        numpy.testing.assert_allclose([c["mean"] for c in found["columns"]], columns.mean(axis=0), rtol=1e-12, atol=1e-12)

    def refuses(self, path, *words):
        """Inspect, a dry run and training say the same in one message."""
        run = self.write_run(f"{path}:/")
        for command in (["inspect", path], ["train", run, "--dry-run"], ["train", run, "--output", self.folder / "not"]):
            done = program.run(*command, expect=2, mpi=False)
            errors = [line for line in done.stderr.splitlines() if "error:" in line]
            self.assertEqual(len(errors), 1, done.stderr)
            for word in words:
                self.assertIn(word, errors[0])
        self.assertFalse((self.folder / "not").exists())

    # Kinds that mean X.
    def kinds(self):
        yield "plain", self.make("plain.h5")
        with self.file("far.h5") as file:
            file["decoy"], file["x"] = OTHER, X
        with self.file("linked.h5") as file:
            file["decoy"] = OTHER
            file["x"], file["y"] = h5py.ExternalLink("far.h5", "/x"), Y
        yield "external link", self.folder / "linked.h5"
        with self.file("far-block.h5", userblock_size=2048) as file:
            file["group/x"], file["group/y"] = X, Y
        with self.file("linked-group.h5") as file:
            file["group"] = h5py.ExternalLink("far-block.h5", "/group")
            file["x"], file["y"] = h5py.SoftLink("/group/x"), h5py.SoftLink("group/y")
        yield "soft link through an external one to a file with a user block", self.folder / "linked-group.h5"
        yield "packed", self.make("packed.h5", chunks=(10, 2), compression="gzip", shuffle=True, fletcher32=True)
        yield "scale-offset filter", self.make("scaleoffset.h5", X.astype("i4"), chunks=(10, INPUTS), scaleoffset=0)
        if h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
            yield "szip", self.make("szip.h5", X.astype("i4"), chunks=(16, INPUTS), compression="szip")
        yield "big-endian", self.make("big.h5", X.astype(">f8"))
        yield "big-endian integers", self.make("bigint.h5", X.astype(">i2"))
        yield "half precision", self.make("half.h5", X.astype("f2"))
        yield "truth values", self.make("bool.h5", X.astype(bool))
        with self.file("odd.h5") as file:
            odd_integers(file, "x", X, 3)
            file["y"] = Y
        yield "integers of three bytes", self.folder / "odd.h5"
        yield "scaled", self.make("scaled.h5", ((X - 1) * 4).astype("i2"),
                                  attributes={"scale_factor": 0.25, "add_offset": 1.0, "_FillValue": numpy.int16(-999),
                                              "valid_range": numpy.array([-100, 100], "i2")}.items(),
                                  chunks=(7, INPUTS), compression="gzip")
        yield "newest format", self.newest()

    def newest(self):
        with self.file("latest.h5", libver="latest") as file:
            file.create_dataset("x", data=X, chunks=(9, INPUTS))
            file["y"] = Y
        return self.folder / "latest.h5"

    def test_every_kind_gives_the_numbers_that_h5py_reads(self):
        reference = None
        for kind, path in self.kinds():
            with self.subTest(kind):
                self.check_inspect(path, X)
                several = 2 if kind in ("external link", "packed", "scaled") else 1  # ranks that read parts
                for load, ranks in (("memory", several), ("stream", 1)):
                    output = self.train(f"{path}:/", load, ranks)
                    with h5py.File(output / "checkpoints" / program.checkpoints(output)[-1]) as file:
                        weights = file["parameters/dense1/weight"][()].tobytes()
                    reference = reference or (output, {})
                    self.assertEqual(reference[1].setdefault(load, weights), weights)  # streams have another order
                program.run("predict", reference[0], "--input", path, "--output", self.folder / "out.h5", "--overwrite",
                            mpi=False)
                with h5py.File(self.folder / "out.h5") as file:
                    self.assertEqual(reference[1].setdefault("y", file["y"][()].tobytes()), file["y"][()].tobytes())

    def test_numbers_of_wider_kinds_are_those_of_h5py(self):
        wide = rng.integers(-2**39, 2**39, (N, INPUTS))
        with self.file("five.h5") as file:
            odd_integers(file, "x", wide, 5)
        self.check_inspect(self.folder / "five.h5", wide)
        halves = OTHER.astype(">f2")
        self.check_inspect(self.make("bighalf.h5", halves), halves)
        bytes_ = rng.integers(-128, 128, (N, INPUTS)).astype("i1")
        self.check_inspect(self.make("unsigned.h5", bytes_, attributes={"_Unsigned": "true"}.items()), bytes_.view("u1"))
        stored = rng.integers(-1000, 1000, (N, INPUTS)).astype("i2")
        packed = self.make("cf.h5", stored, attributes={"scale_factor": 0.01, "add_offset": 273.15}.items())
        self.check_inspect(packed, stored * 0.01 + 273.15)
        self.assertIn("scale_factor", " ".join(self.inspected(packed)["advice"]))
        colours = h5py.enum_dtype({"red": 0, "green": 1, "blue": 2}, basetype="u1")
        self.check_inspect(self.make("enum.h5", (X + 1).astype("u1"), dtype=colours), X + 1)

    def test_numbers_that_attributes_call_missing_or_not_valid_are_refused(self):
        stored = rng.integers(0, 50, (N, INPUTS)).astype("i2")
        stored[11, 3] = -999
        for name, attributes in {
                "fill": {"_FillValue": numpy.int16(-999)}, "missing": {"missing_value": [1234.0, -999.0]},
                "range": {"valid_range": numpy.array([0, 100], "i2")}, "least": {"valid_min": numpy.int16(0)},
                "scaledrange": {"valid_max": 3.0, "scale_factor": -0.01}}.items():
            with self.subTest(name):
                path = self.make(f"{name}.h5", stored, attributes=attributes.items())
                self.refuses(path, "/x", "row 11, column 3", "-999", next(iter(attributes)), "leave such rows out")
        floats = OTHER.copy()
        floats[2, 1] = 1e20
        self.refuses(self.make("float.h5", floats.astype("f4"), attributes={"_FillValue": 1e20}.items()), "row 2, column 1")
        self.refuses(self.make("text.h5", floats, attributes={"missing_value": "none"}.items()), "/x", "missing_value")

    def test_what_was_never_written_is_counted_and_told(self):
        with self.file("gaps.h5") as file:
            file.create_dataset("x", (N, INPUTS), "f4", chunks=(16, INPUTS), fillvalue=-9)[16:64] = 1
            file["y"] = Y
            file.create_dataset("none/x", (N, INPUTS), "f4")
            file["none/y"] = Y
        path = self.folder / "gaps.h5"
        chunks, whole = "/x has 3 chunks of 6 that were never written", "/none/x was never written"
        self.assertIn(chunks, " ".join(self.inspected(path)["advice"]))
        self.assertIn("-9", " ".join(self.inspected(path)["advice"]))
        self.assertIn(whole, " ".join(self.inspected(path, "/none/x")["advice"]))
        for load, place, text in (("memory", "/", chunks), ("stream", "/", chunks), ("memory", "/none", whole)):
            done = program.run("train", self.write_run(f"{path}:{place}", load), "--dry-run", mpi=False)
            self.assertEqual(done.stderr.count(text), 1, done.stderr)
        good = self.make("whole.h5")
        program.run("train", self.write_run(good), "--output", self.folder / "trained", "--quiet", mpi=False)
        for words in (("evaluate", self.folder / "trained", "--data", path),
                      ("predict", self.folder / "trained", "--input", path, "--output", self.folder / "answers.csv")):
            told = program.run(*words, mpi=False).stderr
            self.assertEqual(told.count(chunks), 1, told)

    def test_numbers_in_other_files_are_refused_with_what_to_do(self):
        self.make("source.h5")
        layout = h5py.VirtualLayout(X.shape, "f8")
        layout[:] = h5py.VirtualSource(str(self.folder / "source.h5"), "x", X.shape)
        with self.file("virtual.h5") as file:
            file.create_virtual_dataset("x", layout)
            file["y"] = Y
        self.refuses(self.folder / "virtual.h5", "/x", "virtual data set", "create_dataset")
        X.tofile(self.folder / "x.raw")
        with self.file("external.h5") as file:
            file.create_dataset("x", X.shape, "f8", external=[(str(self.folder / "x.raw"), 0, h5py.h5f.UNLIMITED)])
            file["y"] = Y
        self.refuses(self.folder / "external.h5", "/x", "external storage", "create_dataset")

    def test_filters_that_are_not_there_are_named(self):
        self.refuses(self.make("lzf.h5", compression="lzf", chunks=(10, INPUTS)), "/x", "lzf", "compression=\"gzip\"")
        for number, name in ((32001, "blosc"), (32015, "zstd"), (777, "777")):
            path = self.make("zipped.h5", chunks=(10, INPUTS), compression="gzip")
            whole = path.read_bytes()
            at = whole.index(b"deflate\0") - 8  # id, length of name, flags, number of values
            self.assertEqual(whole[at:at + 2], b"\1\0")
            (self.folder / f"{name}.h5").write_bytes(whole[:at] + number.to_bytes(2, "little") + whole[at + 2:])
            self.refuses(self.folder / f"{name}.h5", "/x", name, "create_dataset")

    def test_types_that_are_no_numbers_are_refused_with_what_to_do(self):
        labels = numpy.array([b"cat", b"dog"] * (N // 2))
        for name, x, words in (("texts", labels, ["texts", "numpy.unique", "lockstep import"]),
                               ("complex", X + 1j, ["complex", "x.real"]),
                               ("longdouble", X.astype("g"), ["16 bytes", "astype"]),
                               ("records", numpy.zeros(N, [("a", "f4"), ("b", "i4")]), ["compound", "numpy.stack"])):
            with self.subTest(name):
                path = self.make(f"{name}.h5", x)
                done = program.run("train", self.write_run(f"{path}:/"), "--dry-run", expect=2, mpi=False)
                advice = " ".join(self.inspected(path)["advice"])
                for word in ["/x"] + words:
                    self.assertIn(word, done.stderr)
                    self.assertIn(word, advice)

    def test_links_that_lead_nowhere_say_where_they_lead(self):
        os.mkfifo(self.folder / "pipe.h5")
        for name, link, words in (("gone", h5py.ExternalLink("gone-file.h5", "/x"), ["gone-file.h5"]),
                                  ("soft", h5py.SoftLink("/nowhere"), ["/nowhere"]),
                                  ("pipe", h5py.ExternalLink("pipe.h5", "/x"), ["pipe.h5"])):
            with self.subTest(name):
                with self.file(f"{name}-link.h5") as file:
                    file["x"], file["y"] = link, Y
                self.refuses(self.folder / f"{name}-link.h5", "/x is a link to", *words)

    def test_files_of_a_newer_library_or_open_for_writing_say_so(self):
        whole = bytearray(self.make("new.h5").read_bytes())
        whole[8] = 9  # the version of the superblock
        (self.folder / "new.h5").write_bytes(whole)
        self.refuses(self.folder / "new.h5", "new.h5", "newer HDF5", "h5repack")
        path = self.newest()
        with h5py.File(path, "r+") as file:
            self.refuses(path, "open for writing", "close it there")
            file.flush()
            shutil.copyfile(path, self.folder / "killed.h5")  # as a program leaves it that is killed
        self.refuses(self.folder / "killed.h5", "h5clear")

    def test_names_may_be_arrays_of_texts(self):
        for name, classes in (("vlen", ["cat", "dog", "bird ü"]), ("fixed", numpy.array([b"cat", b"dog", b"bird"])),
                              ("json", json.dumps(["cat", "dog", "bird"]))):
            with self.subTest(name):
                path = self.make(f"{name}-names.h5", y=numpy.arange(N) % 3)
                with h5py.File(path, "r+") as file:
                    file.attrs["classes"] = classes
                names = [entry["name"] for entry in self.inspected(path, "/y")["classes"]]
                expected = json.loads(classes) if name == "json" else list(classes)
                self.assertEqual(names, [text.decode() if isinstance(text, bytes) else text for text in expected])


if __name__ == "__main__":
    program.main()
