"""lockstep export: what other programs compute with the files is what the program computes.

Usage: export_test.py PROGRAM
"""

import json
import math
import os
import re
import tempfile
import unittest
from pathlib import Path

import cv2
import h5py
import numpy
import onnx
import torch

import program

FOLDER = tempfile.TemporaryDirectory(prefix="export-")
PLACE = Path(FOLDER.name)
N = 203  # samples
CLASSES = ["plain", "with, comma", "Überschall"]
# Every type, so that a new one is missed here; options at their defaults and not.
LAYERS = """[
  {type = "dense", units = 9}, {type = "relu"}, {type = "dense", units = 11, bias = false}, {type = "gelu"},
  {type = "dropout"}, {type = "dense", units = 10}, {type = "gelu", approximate = "tanh"}, {type = "dense", units = 12},
  {type = "leaky_relu"}, {type = "dense", units = 8, name = "x"}, {type = "leaky_relu", negative_slope = 0.3},
  {type = "dropout", rate = 0.2}, {type = "dense", units = 7}, {type = "tanh"}, {type = "dense", units = 7, name = "y"},
  {type = "sigmoid"}, {type = "dense", units = 6}, {type = "elu"}, {type = "dense", units = 6}, {type = "elu", alpha = 0.4},
  {type = "dense", units = 6}, {type = "selu"}, {type = "silu"}, {type = "dense", units = 6}, {type = "mish"},
  {type = "dense", units = 6}, {type = "softplus"}, {type = "dense", units = 6}, {type = "softplus", beta = 2.5, threshold = 30.0},
  {type = "dense", units = 6}, {type = "softsign"}, {type = "hard_sigmoid"}, {type = "dense", units = 5}, {type = "softmax"},
  {type = "dense", units = 3}]"""
# The types that join layers, reshape or normalise.
GRAPH = """[
  {type = "dense", units = 12, name = "a"}, {type = "batch_norm", momentum = 0.3}, {type = "reshape", shape = [3, -1]},
  {type = "dense", units = 4}, {type = "layer_norm", eps = 1e-3}, {type = "dense", units = 4, bias = false},
  {type = "layer_norm", elementwise_affine = false}, {type = "batch_norm", eps = 1e-3, name = "channels"}, {type = "flatten"},
  {type = "add", inputs = ["flatten1", "a", "batch_norm1"]}, {type = "tanh", name = "t"},
  {type = "dense", units = 6, inputs = ["a"], name = "b"}, {type = "batch_norm", affine = false, name = "plain"},
  {type = "concat", inputs = ["b", "plain"]}, {type = "multiply", inputs = ["concat1", "t"]}, {type = "dense", units = 3}]"""
# Nets: loss, normalisation, layers, data.
NETS = {
    "graph": ("mse", "standard", GRAPH, "values"),
    "regression": ("mse", "standard", LAYERS, "values"),
    "minmax": ("huber", "minmax", '[{type = "dense", units = 3}]', "values"),
    "plain": ("mae", "none", '[{type = "dense", units = 4}, {type = "gelu"}, {type = "dense", units = 3}]', "values"),
    "narrow": ("mse", "standard", '[{type = "dense", units = 1}, {type = "gelu"}, {type = "dense", units = 1}]', "narrow"),
    "binary": ("binary_cross_entropy", "standard",
               '[{type = "dense", units = 6}, {type = "tanh"}, {type = "dense", units = 2}]', "binary"),
    "classes": ("softmax_cross_entropy", "minmax",
                '[{type = "dense", units = 6}, {type = "relu"}, {type = "dense", units = 3}]', "classes"),
    "gaussian": ("gaussian_nll", "standard", '[{type = "dense", units = 6}]', "values"),
    "quantile": ("quantile", "standard", '[{type = "dense", units = 9}]', "values"),
    "poisson": ("poisson_nll", "standard", '[{type = "dense", units = 2}]', "binary"),
    "hinge": ("hinge", "standard", '[{type = "dense", units = 2}]', "binary"),
    "dropout": ("mse", "none", '[{type = "dropout"}]', "same"),
}


def make_data():
    rng = numpy.random.default_rng(5)
    x = rng.normal(size=(N, 5)).astype("f4")
    x[:, 1] = 2020.3 + x[:, 1]  # far from 0: its shift is no float32
    x[:, 2] = 7.7               # constant
    x[:, 3] *= 1e-6
    x[:, 4] *= 4e5
    y = numpy.stack([x[:, 0] + 1000, x[:, 1] - x[:, 0], 1e-3 * x[:, 4] * x[:, 0]], axis=1)
    with h5py.File(PLACE / "data.h5", "w") as file:
        for name, inputs, targets in (("values", x, y), ("narrow", x[:, :1], y[:, :1]), ("same", x, x),
                                      ("binary", x, (y[:, :2] > y[:, :2].mean(axis=0)).astype("f4")),
                                      ("classes", (x * [9, 0, 1, 1e6, 0] + 30).clip(0, 255).astype("u1"),
                                       numpy.digitize(x[:, 0], [-.5, .5]))):
            file[f"{name}/x"], file[f"{name}/y"] = inputs, targets
        file["classes"].attrs["classes"] = json.dumps(CLASSES)


def train(name):
    loss, normalize, layers, data = NETS[name]
    run = PLACE / f"{name}.toml"
    run.write_text(f'name = "{name}"\n[data]\ntrain = "data.h5:/{data}"\ntest = "data.h5:/{data}"\n'
                   f'normalize = "{normalize}"\n[model]\nloss = "{loss}"\nlayers = {layers}\n'
                   f'[train]\nbatch = 32\nshards = 2\nepochs = 2\n[optimizer]\ntype = "adam"\nlr = 0.05\n', encoding="utf-8")
    program.run("train", run, "--output", PLACE / name, "--quiet", mpi=False)


def setUpModule():
    make_data()
    for name in NETS:
        train(name)
        export(PLACE / name, *(word for kind in ("onnx", "npz", "hdf5") for word in (f"--{kind}", file_of(name, kind))))


def export(*words, expect=0):
    return program.run("export", *words, mpi=False, expect=expect)


def file_of(name, kind):
    return PLACE / f"{name}.{kind}"


def samples(name):
    with h5py.File(PLACE / "data.h5") as file:
        return file[NETS[name][3]]["x"][:].astype("f4"), file[NETS[name][3]]["y"][:]


ERF = numpy.vectorize(math.erf)
FORMULAS = {
    "relu": lambda x, _: numpy.maximum(x, 0),
    "leaky_relu": lambda x, options: numpy.where(x > 0, x, options.get("negative_slope", 0.01) * x),
    "tanh": lambda x, _: numpy.tanh(x),
    "sigmoid": lambda x, _: 1 / (1 + numpy.exp(-x)),
    "gelu": lambda x, options: x / 2 * (1 + (ERF(x / math.sqrt(2)) if options.get("approximate") != "tanh" else
                                             numpy.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))),
    "dropout": lambda x, _: x,
    "elu": lambda x, options: numpy.where(x > 0, x, options.get("alpha", 1) * numpy.expm1(numpy.minimum(x, 0))),
    "selu": lambda x, _: 1.0507009873554805 * numpy.where(x > 0, x, 1.6732632423543772 * numpy.expm1(numpy.minimum(x, 0))),
    "silu": lambda x, _: x / (1 + numpy.exp(-x)),
    "mish": lambda x, _: x * numpy.tanh(numpy.log1p(numpy.exp(x))),
    "softplus": lambda x, options: numpy.log1p(numpy.exp(options.get("beta", 1) * x)) / options.get("beta", 1),
    "softsign": lambda x, _: x / (1 + abs(x)),
    "hard_sigmoid": lambda x, _: numpy.clip(x / 6 + 0.5, 0, 1),
    "softmax": lambda x, _: numpy.exp(x) / numpy.exp(x).sum(1, keepdims=True),
    "flatten": lambda x, _: x.reshape(len(x), -1),
    "reshape": lambda x, options: x.reshape(len(x), *map(int, options["shape"].split(","))),
    "layer_norm": lambda x, options: ((x - x.mean(-1, keepdims=True)) /
                                      numpy.sqrt(x.var(-1, keepdims=True) + float(options.get("eps", 1e-5)))),
}
JOINS = {"add": lambda xs: sum(xs), "multiply": lambda xs: numpy.prod(xs, axis=0),
         "concat": lambda xs: numpy.concatenate(xs, axis=1)}


def layers_of(name):
    """[(type, name, options)] of a net."""
    text = re.sub(r"\[([^\[{]*?)\]", lambda match: re.sub(r'[\s"]', "", match.group(1)), NETS[name][2])
    counts, layers = {}, []
    for part in re.findall(r"\{(.*?)\}", text):
        options = {key: value.rstrip(",") for key, value in re.findall(r'(\w+) = "?([\w.,-]+)"?', part)}
        kind = options.pop("type")
        counts[kind] = counts.get(kind, 0) + 1
        own = options.pop("name", f"{kind}{counts[kind]}")
        layers.append((kind, own, {key: float(value) if key in ("negative_slope", "alpha", "beta") else value
                                    for key, value in options.items()}))
    return layers


def expected(name, x):
    """What the net of a checkpoint gives, in double."""
    with h5py.File(sorted((PLACE / name / "checkpoints").iterdir())[-1]) as file:
        arrays = {key: file[f"normalization/{key}"][:] for key in file["normalization"]}
        x = x.astype("f8")
        if "x_shift" in arrays:
            x = (x - arrays["x_shift"]) / arrays["x_scale"]
        values = {}
        for kind, layer, options in layers_of(name):
            inputs = [values[other] for other in options.get("inputs", "").split(",") if other] or [x]
            x = JOINS[kind](inputs) if kind in JOINS else inputs[0]
            group = {key: array[:].astype("f8") for key, array in file.get(f"parameters/{layer}", {}).items()}
            if kind == "dense":
                x = x @ group["weight"].T + group.get("bias", 0)
            elif kind == "batch_norm":
                of_channel = (slice(None),) + (None,) * (x.ndim - 2)
                mean, spread = group["running_mean"], numpy.sqrt(group["running_var"] + float(options.get("eps", 1e-5)))
                x = (x - mean[of_channel]) / spread[of_channel] * group.get("weight", numpy.ones_like(mean))[of_channel]
                x += group.get("bias", numpy.zeros_like(mean))[of_channel]
            elif kind not in JOINS:
                x = FORMULAS[kind](x, options)
                if kind == "layer_norm" and group:
                    x = x * group["weight"] + group["bias"]
            values[layer] = x
    if NETS[name][0] == "softmax_cross_entropy":
        x = numpy.exp(x - x.max(axis=1, keepdims=True))
        return x / x.sum(axis=1, keepdims=True)
    if NETS[name][0] == "binary_cross_entropy":
        return 1 / (1 + numpy.exp(-x))
    if NETS[name][0] == "gaussian_nll":
        x = x.reshape(len(x), -1, 2)
        spread = numpy.sqrt(numpy.maximum(numpy.log1p(numpy.exp(x[:, :, 1])), 1e-6))
        return numpy.stack([x[:, :, 0] * arrays["y_scale"] + arrays["y_shift"], spread * arrays["y_scale"]], axis=2).reshape(len(x), -1)
    if NETS[name][0] == "quantile":
        return x * numpy.repeat(arrays["y_scale"], 3) + numpy.repeat(arrays["y_shift"], 3)
    if NETS[name][0] == "poisson_nll":
        return numpy.exp(x)
    return x * arrays.get("y_scale", 1) + arrays.get("y_shift", 0)


def run_onnx(name, x):
    net = cv2.dnn.readNetFromONNX(str(file_of(name, "onnx")))
    net.setInput(numpy.ascontiguousarray(x), "x")
    return net.forward("y")


class ExportTest(unittest.TestCase):
    def assert_same(self, found, wanted):
        self.assertEqual(found.shape, wanted.shape)
        spread = 1 + wanted.std(axis=0) if len(wanted) > 1 else numpy.abs(wanted) + 1
        self.assertLess(numpy.max(numpy.abs(found - wanted) / (numpy.abs(wanted) + spread)), 1e-5)

    def test_every_type_of_layer_is_compared_here(self):
        done = program.run("train", PLACE / "plain.toml", "--dry-run", "--set", "model.layers.0.type=fly", mpi=False, expect=2)
        known = re.search(r"known types: (.*)", done.stderr).group(1).split(", ")
        self.assertEqual(sorted(known), sorted({kind for net in ("regression", "graph") for kind, _, _ in layers_of(net)}))

    def test_onnx_is_valid(self):
        for name in NETS:
            model = onnx.load(str(file_of(name, "onnx")))
            onnx.checker.check_model(model, full_check=True)
            x, y = model.graph.input[0], model.graph.output[0]
            self.assertEqual((len(model.graph.input), x.name, y.name, len(model.graph.output)), (1, "x", "y", 1))
            for value, width in ((x, samples(name)[0].shape[1]), (y, expected(name, samples(name)[0][:1]).shape[1])):
                self.assertEqual(value.type.tensor_type.elem_type, onnx.TensorProto.FLOAT)
                rows, columns = value.type.tensor_type.shape.dim
                self.assertEqual((rows.dim_param, columns.dim_value), ("N", width))

    def test_another_runtime_computes_the_same_from_onnx(self):
        for name in NETS:
            for rows in (1, 7):
                x = samples(name)[0][-rows:]
                with self.subTest(net=name, rows=rows):
                    self.assert_same(run_onnx(name, x), expected(name, x))

    def test_it_gives_what_predict_tells(self):
        for name, answer in (("regression", "y"), ("graph", "y"), ("binary", "probability"), ("classes", "probabilities"), ("poisson", "y"),
                             ("hinge", "score")):
            with self.subTest(net=name):
                told = PLACE / f"{name}-told.h5"
                program.run("predict", PLACE / name, "--output", told, "--split", "train", mpi=False)
                with h5py.File(told) as file:
                    self.assert_same(run_onnx(name, samples(name)[0]), file[answer][:])

    def test_it_gives_the_loss_that_evaluate_tells(self):
        x, y = samples("classes")
        told = json.loads(program.run("evaluate", PLACE / "classes", "--json", mpi=False).stdout)
        chances = run_onnx("classes", x).astype("f8")
        self.assertAlmostEqual(-numpy.log(chances[numpy.arange(N), y]).mean(), told["loss"], 5)
        self.assertEqual((chances.argmax(axis=1) == y).mean(), told["accuracy"])
        x, y = samples("regression")
        told = json.loads(program.run("evaluate", PLACE / "regression", "--json", mpi=False).stdout)
        self.assertAlmostEqual(math.sqrt(((run_onnx("regression", x) - y) ** 2).mean()) / told["rmse"], 1, 5)

    def test_onnx_tells_where_it_comes_from(self):
        model = onnx.load(str(file_of("classes", "onnx")))
        about = {entry.key: entry.value for entry in model.metadata_props}
        self.assertEqual((model.producer_name, model.graph.name, model.model_version), ("lockstep", "classes", 14))
        self.assertEqual((about["run"], about["step"], about["output"]), ("classes", "14", "probabilities"))
        self.assertEqual(about["digest"], program.digest(PLACE / "classes"))
        self.assertEqual(json.loads(about["classes"]), CLASSES)
        about = {entry.key: entry.value for entry in onnx.load(str(file_of("regression", "onnx"))).metadata_props}
        self.assertEqual(about["output"], "values")
        self.assertNotIn("classes", about)

    def test_npz_and_hdf5_hold_the_same(self):
        for name in NETS:
            arrays = dict(numpy.load(file_of(name, "npz")))
            about = json.loads(arrays["about"].item())
            with h5py.File(file_of(name, "hdf5")) as file:
                self.assertEqual(sorted(file), sorted(arrays))
                self.assertEqual(json.loads(file["about"][()]), about)
                for key in set(arrays) - {"about"}:
                    self.assertEqual((file[key].dtype, file[key].shape), (arrays[key].dtype, arrays[key].shape))
                    self.assertTrue((file[key][:] == arrays[key]).all())
        self.assertEqual(sorted(arrays), ["about"])  # of dropout alone

    def test_npz_holds_the_checkpoint_in_torchs_names(self):
        arrays = dict(numpy.load(file_of("regression", "npz")))
        with h5py.File(sorted((PLACE / "regression/checkpoints").iterdir())[-1]) as file:
            for place, (kind, layer, _) in enumerate(layers_of("regression")):
                for part in file[f"parameters/{layer}"] if kind == "dense" else ():
                    self.assertEqual(arrays[f"{place}.{part}"].dtype, numpy.float32)
                    self.assertTrue((arrays.pop(f"{place}.{part}") == file[f"parameters/{layer}/{part}"][:]).all())
            for key in file["normalization"]:
                self.assertTrue((arrays.pop(key) == file[f"normalization/{key}"][:]).all())
        about = json.loads(arrays.pop("about").item())
        self.assertEqual(arrays, {})
        self.assertEqual((about["format"], about["version"], about["loss"]), ("lockstep-net", 1, "mse"))
        self.assertEqual((about["output"], about["classes"]), ("values", []))
        self.assertEqual(json.loads(numpy.load(file_of("classes", "npz"))["about"].item())["classes"], CLASSES)

    def test_the_pages_loader_gives_the_net_to_torch(self):
        page = (program.ROOT / "src/cli/README.md").read_text(encoding="utf-8")
        code = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "load_state_dict" in block)
        for name in ("regression", "classes", "dropout", "graph"):
            scope = {}
            exec(code.replace("runs/digits/net.npz", str(file_of(name, "npz"))), scope)
            x = samples(name)[0]
            with torch.no_grad():
                found = scope["predict"](x).numpy()
            self.assert_same(found, expected(name, x))

    def test_equal_nets_are_equal_bytes(self):
        for kind in ("onnx", "npz", "hdf5"):
            export(sorted((PLACE / "classes/checkpoints").iterdir())[-1], f"--{kind}", PLACE / "again")
            self.assertEqual((PLACE / "again").read_bytes(), file_of("classes", kind).read_bytes())
            os.remove(PLACE / "again")

    def test_no_format_is_refused(self):
        self.assertIn("--onnx FILE, --npz FILE or --hdf5 FILE", export(PLACE / "plain", expect=2).stderr)
        self.assertIn("--onnx: expected a file", export(PLACE / "plain", "--onnx", "", expect=2).stderr)

    def test_no_or_a_bad_checkpoint_is_refused(self):
        out = PLACE / "out.onnx"
        self.assertIn("a checkpoint or run folder is needed", export("--onnx", out, expect=2).stderr)
        self.assertIn("missing.h5", export(PLACE / "missing.h5", "--onnx", out, expect=2).stderr)
        self.assertIn("data.h5 is not a whole checkpoint", export(PLACE / "data.h5", "--onnx", out, expect=2).stderr)
        damaged = PLACE / "damaged.h5"
        data = bytearray(sorted((PLACE / "plain/checkpoints").iterdir())[-1].read_bytes())
        data[len(data) // 2] ^= 1
        damaged.write_bytes(data)
        self.assertIn("damaged.h5", export(damaged, "--onnx", out, expect=2).stderr)
        self.assertFalse(out.exists())

    def test_what_is_there_is_not_replaced_unasked(self):
        out, other = PLACE / "kept.npz", PLACE / "other.onnx"
        out.write_text("mine", encoding="utf-8")
        done = export(PLACE / "plain", "--onnx", other, "--npz", out, expect=2)
        self.assertIn("kept.npz exists", done.stderr)
        self.assertIn("--overwrite", done.stderr)
        self.assertEqual(out.read_text(encoding="utf-8"), "mine")
        self.assertFalse(other.exists())
        export(PLACE / "plain", "--npz", out, "--overwrite")
        self.assertIn("0.weight", numpy.load(out))

    def test_a_checkpoint_is_never_replaced(self):
        checkpoint = sorted((PLACE / "plain/checkpoints").iterdir())[-1]
        done = export(PLACE / "plain", "--hdf5", checkpoint, "--overwrite", expect=2)
        self.assertIn("is the checkpoint itself", done.stderr)
        program.run("inspect", checkpoint, "--verify", mpi=False)

    def test_places_that_cannot_be_written(self):
        self.assertIn("--npz and --hdf5 both name", export(PLACE / "plain", "--npz", "a", "--hdf5", "./a", expect=2).stderr)
        self.assertIn("no regular file", export(PLACE / "plain", "--onnx", PLACE, "--overwrite", expect=2).stderr)
        done = export(PLACE / "plain", "--onnx", PLACE / "nowhere/net.onnx", expect=2)
        self.assertIn(f"nowhere/net.onnx: there is no folder {PLACE}/nowhere", done.stderr)
        done = export(PLACE / "plain", "--onnx", "/proc/net.onnx", expect=1)
        self.assertIn("/proc/net.onnx: a temporary file beside it cannot be made", done.stderr)


if __name__ == "__main__":
    program.main()
