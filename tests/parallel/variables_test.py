"""Data sets by their paths: several variables as columns, as NetCDF-4 files have them, with what their attributes say, against
numpy."""

import json
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import program

RUN = """
[data]
train = {train}
[model]
loss = "mse"
layers = [{{type="dense", units=8}}, {{type="tanh"}}, {{type="dense", units=1}}]
[train]
batch = 16
shards = 2
epochs = 1
[optimizer]
type = "adam"
"""


class Variables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        rng = numpy.random.default_rng(0)
        rows = 120
        packed = rng.integers(-3000, 3000, size=rows).astype("i2")
        field = rng.normal(size=(rows, 2, 2)).astype("f4")
        pressure = rng.integers(0, 200, size=rows).astype("u1")
        rain = rng.normal(size=rows).astype("f8")
        cls.x = numpy.column_stack([packed.astype("f8") * 0.01 + 273.15, field.reshape(rows, 4).astype("f8"),
                                    pressure.astype("f8")])
        cls.rain = rain
        (cls.folder / "parts").mkdir()
        for name, part in (("all.nc", slice(0, rows)), ("parts/a.nc", slice(0, 50)), ("parts/b.nc", slice(50, rows))):
            # As netCDF-4 writes: dimension scales, an unlimited dimension, chunks that are packed, signed bytes.
            with h5py.File(cls.folder / name, "w") as file:
                file.attrs["_NCProperties"] = "version=2,netcdf=4.9.0,hdf5=1.10.8"
                layout = {"maxshape": (None,), "chunks": (32,), "compression": "gzip", "shuffle": True}
                t2m = file.create_dataset("fields/t2m", data=packed[part], **layout)
                t2m.attrs["scale_factor"], t2m.attrs["add_offset"] = 0.01, 273.15
                t2m.attrs["_FillValue"] = numpy.int16(-32767)
                t2m.attrs["units"] = "K"
                file["fields/wind"] = field[part]
                file["fields/wind"].attrs["valid_range"] = numpy.array([-100, 100], "f4")
                file.create_dataset("p", data=pressure[part].view("i1"), **layout).attrs["_Unsigned"] = "true"
                file["rain"] = rain[part]
                file["time"] = numpy.arange(rows)[part]
                file["time"].make_scale("time")
                for variable in ("fields/t2m", "fields/wind", "p", "rain"):
                    file[variable].dims[0].attach_scale(file["time"])
        with h5py.File(cls.folder / "numpy.h5", "w") as file:
            file["x"], file["y"] = cls.x, rain
        cls.train("numpy", '"numpy.h5"')

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def train(cls, name, train, *more, ranks=1, expect=0):
        (cls.folder / "run.toml").write_text(RUN.format(train=train), encoding="utf-8")
        return program.run("train", cls.folder / "run.toml", "--output", cls.folder / name, *more, ranks=ranks, expect=expect)

    def inspect(self, name):
        return json.loads(program.run("inspect", self.folder / name, "--json", mpi=False).stdout)

    def test_variables_are_the_columns_that_numpy_decodes(self):
        kept = self.inspect("numpy")
        for name, files, more in (("one", "all.nc", ()), ("many", "parts/*.nc", ()),
                                  ("stream", "parts/*.nc", ("--set", "data.load=stream", "--set", "data.block=60"))):
            done = self.train(name, f'{{x = ["{files}:/fields/t2m", "{files}:/fields/wind", "{files}:/p"], y = "{files}:/rain"}}',
                              *more, ranks=2)
            self.assertIn("its numbers are those stored * 0.01 + 273.15", done.stderr)
            found = self.inspect(name)
            self.assertEqual(found["data_fingerprint"], kept["data_fingerprint"])
            self.assertEqual(found["features"], ["t2m"] + [f"wind[{i},{j}]" for i in (0, 1) for j in (0, 1)] + ["p"])
            self.assertEqual(found["targets"], ["rain"])
            if not more:
                self.assertEqual(found["digest"], kept["digest"])

    def test_one_array_is_taken_as_it_stands(self):
        self.train("array", '{x = "numpy.h5:/x", y = "numpy.h5:/y"}')
        self.assertEqual(self.inspect("array")["digest"], self.inspect("numpy")["digest"])
        self.assertEqual(self.inspect("array")["features"], [])

    def test_evaluate_and_predict_take_variables(self):
        self.train("net", '{x = ["all.nc:/fields/t2m", "all.nc:/fields/wind", "all.nc:/p"], y = "all.nc:/rain"}')
        turned = [f'"{self.folder}/all.nc:/{name}"' for name in ("p", "fields/wind", "fields/t2m")]
        table = f'{{x = [{", ".join(turned)}], y = "{self.folder}/all.nc:/rain"}}'
        scores = [json.loads(program.run("evaluate", self.folder / "net", "--json", *more).stdout)
                  for more in (("--split", "train"), ("--data", table))]
        self.assertEqual({**scores[0], "data": 0, "split": 0}, {**scores[1], "data": 0, "split": 0})
        without = f'{{x = [{", ".join(turned)}]}}'  # new data has no answers
        done = program.run("evaluate", self.folder / "net", "--data", without, expect=2)
        self.assertIn("--data: x has variables, and y is missing", done.stderr)
        for name, place in (("run", None), ("table", table), ("without", without)):
            program.run("predict", self.folder / "net", "--output", self.folder / f"{name}.csv",
                        *(["--split", "train"] if place is None else ["--input", place]))
        lines = [(self.folder / f"{name}.csv").read_text(encoding="utf-8") for name in ("run", "table", "without")]
        self.assertEqual(lines[0], lines[1])
        self.assertEqual(lines[0], lines[2])
        self.assertTrue(lines[0].startswith("rain\n"))

    def test_what_is_no_sample_is_refused_with_what_to_do(self):
        with h5py.File(self.folder / "grid.nc", "w") as file:
            file.attrs["_NCProperties"] = "version=2"
            for name in ("x", "y"):
                file[name] = numpy.arange(4.0)
                file[name].make_scale(name)
            file["t"] = numpy.ones((4, 4), "f4")
            file["t"].dims[0].attach_scale(file["y"])
            file["t"].dims[1].attach_scale(file["x"])
            file["unwritten"] = numpy.array([1, 2, 9.969209968386869e36, 4], "f4")
            file["text"] = numpy.array([b"a", b"b", b"c", b"d"])
        (self.folder / "old.nc").write_bytes(b"CDF\x02" + bytes(100))
        both = '{{x = "{0}", y = "grid.nc:/y"}}'
        for train, *texts in (('"old.nc"', "classic format", "nccopy -k nc4"),
                              ('"grid.nc"', "/x is a coordinate", 'grid.nc:/NAME'),
                              ('"all.nc:/fields"', "there is no /fields/x; /fields holds t2m, wind", "name them"),
                              (both.format("grid.nc:/unwritten"), "row 2, column 0", "NetCDF's default"),
                              (both.format("grid.nc:/text"), "/text", "holds texts"),
                              (both.format("all.nc:/fields"), "is a group; name a data set in it: it holds t2m, wind"),
                              (both.format("grid.nc"), "name the data set in it", "it holds"),
                              ('{x = ["all.nc:/p", "grid.nc:/t"], y = "all.nc:/rain"}', "/p holds 120 rows", "/t 4"),
                              ('{x = ["all.nc:/p", "parts/*.nc:/rain"], y = "all.nc:/rain"}', "1 files are of", "2 of"),
                              ('{x = "all.nc:/p", y = "grid.nc:/y"}', "/p holds 120 samples", "/y 4")):
            told = self.train("no", train, expect=2).stderr
            for text in texts:
                self.assertIn(text, told, train)


if __name__ == "__main__":
    program.main()
