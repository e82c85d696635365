"""Bad run files, data and checkpoints: each ends with exit code 2 and one message naming the fault, and writes nothing.

Usage: bad_input_test.py PROGRAM MPIEXEC RANKS [CASE...]
One rank runs all cases; more ranks run a third of them each, and those that need more than one.
"""

import concurrent.futures
import gzip
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

PROGRAM, MPIEXEC, RANKS, CHOSEN = "lockstep", "mpirun", 1, []
SECONDS = 20  # a refusal takes well under a second; what takes longer hangs
ERROR = "lockstep: error:"
N, N_TEST, INPUTS, CLASSES = 64, 16, 4, 3
DENSE = '[{type = "dense", units = 3}]'

# The good run, as values in TOML; a case changes some of its keys.
GOOD = {
    "name": '"fault"',
    "seed": "1",
    "data.train": '"good.h5:/train"',
    "data.test": '"good.h5:/test"',
    "data.normalize": '"standard"',
    "data.classes": str(CLASSES),
    "model.loss": '"softmax_cross_entropy"',
    "model.layers": DENSE,
    "train.batch": "24",
    "train.shards": "3",
    "train.epochs": "2",
    "optimizer.type": '"adam"',
    "optimizer.lr": "1e-2",
}
VALUES = {"model.loss": '"mse"', "model.layers": '[{type = "dense", units = 1}]', "data.classes": None}


def run_text(changes):
    """A run file with `changes` to GOOD; a value of None leaves the key out."""
    keys = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    lines = [f"{key} = {value}" for key, value in keys.items() if "." not in key]
    for section in dict.fromkeys(key.split(".")[0] for key in keys if "." in key):
        lines.append(f"[{section}]")
        lines += [f"{key.split('.', 1)[1]} = {value}" for key, value in keys.items() if key.startswith(section + ".")]
    return "\n".join(lines) + "\n"


def idx(array):
    """An array of uint8 as IDX."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def make_data():
    """The data files of all cases, in the working directory."""
    rng = numpy.random.default_rng(0)
    x = rng.normal(size=(N, INPUTS)).astype("f4")
    y = numpy.arange(N, dtype="i8") % CLASSES
    values = x.sum(axis=1, keepdims=True)
    splits = {"train": (x, y), "test": (x[:N_TEST], y[:N_TEST])}

    def changed(array, row, value):
        copy = array.copy()
        copy.reshape(N, -1)[row, 0] = value
        return copy

    def write(name, groups):
        with h5py.File(name, "w") as file:
            for group, arrays in groups.items():
                for key, array in zip("xy", arrays):
                    if array is not None:
                        file[f"{group}/{key}"] = array

    write("good.h5", splits)
    write("one.h5", {"train": (x, 0 * y)})
    write("changed.h5", {**splits, "train": (changed(x, 7, 0.25), y)})
    wide = rng.normal(size=(N, INPUTS + 2)).astype("f4")
    write("wide.h5", {"train": (wide, y), "test": (wide[:N_TEST], y[:N_TEST])})
    write("bad.h5", {
        "no_y": (x, None), "no_x": (None, y), "short_y": (x, y[:-1]), "nan_x": (changed(x, 5, numpy.nan), y),
        "inf_y": (x, changed(values, 9, numpy.inf)), "high": (x, changed(y, 11, 7)),
        "negative": (x, changed(y, 13, -1)), "float_y": (x, y.astype("f4")), "empty": (x[:0], y[:0]),
        "text_x": (numpy.full(N, b"abc"), y)})
    whole = Path("good.h5").read_bytes()
    Path("truncated.h5").write_bytes(whole[:len(whole) // 2])
    Path("foreign.h5").write_text("This is no HDF5 file.\n" * 50, encoding="utf-8")

    pixels = rng.integers(0, 256, size=(N, 2, 2), dtype="u1")
    images, labels = idx(pixels), idx(y.astype("u1"))
    Path("labels.idx").write_bytes(labels)
    Path("truncated.idx").write_bytes(images[:-10])
    Path("garbage.idx").write_bytes(bytes(range(200, 256)) * 4)
    Path("huge.idx").write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 4) + images[16:])
    Path("truncated.idx.gz").write_bytes(gzip.compress(images)[:-30])


def in_run(*fragments, **changes):
    """A case that changes keys of the run file, written with __ for the dot."""
    changes = {key.replace("__", "."): value for key, value in changes.items()}

    def arguments(folder):
        (folder / "run.toml").write_text(run_text(changes), encoding="utf-8")
        return ["train", str(folder / "run.toml"), "--output", str(folder / "output")]
    return arguments, fragments


def of_text(text, *fragments):
    """A case with a run file of its own."""
    def arguments(folder):
        (folder / "run.toml").write_text(text, encoding="utf-8")
        return ["train", str(folder / "run.toml"), "--output", str(folder / "output")]
    return arguments, fragments


def plain(line, *fragments):
    """A case that is a command line; {run}: the good run, {trained}: folder of a finished one, {output}: a new one."""
    def arguments(folder):
        trained = folder / "output"
        if "{trained}" in line:
            shutil.copytree("trained", trained)
        newest = max(Path("trained/checkpoints").glob("step-*.h5")).name
        return line.format(run="good.toml", output=folder / "output", trained=trained, newest=newest).split()
    return arguments, fragments


def damaged(change, *fragments):
    """Evaluating a checkpoint whose bytes `change` has changed."""
    def arguments(folder):
        file = folder / "damaged.h5"
        newest = max(Path("trained/checkpoints").glob("step-*.h5"))
        file.write_bytes(change(newest.read_bytes()))
        return ["evaluate", str(file)]
    return arguments, ("damaged.h5", *fragments)


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1:]


def layers(text):
    return f"[{text}]"


RESUME = "train {run} --output {trained} --resume "
# Name -> (arguments in a new folder, what the message must hold; a compiled pattern is searched for).
CASES = {
    # the run file
    "run_file_missing": plain("train missing.toml --output {output}", "missing.toml"),
    "toml_syntax_error": of_text('name = "x"\nseed = 1\nbatch = = 3\n', "run.toml:3"),
    "unknown_section": in_run("training", "known", training__batch="3"),
    "unknown_key": in_run("train.colour", "known", train__colour='"red"'),
    "mistyped_key": in_run("train.batchsize", re.compile(r"known.*\bbatch\b"), train__batchsize="3"),
    "wrong_type": in_run("train.batch", '"big"', "integer", train__batch='"big"'),
    "unknown_layer": in_run("conv9", "dense", "model.layers", model__layers=layers('{type = "conv9"}')),
    "unknown_loss": in_run("hinge9", "mse", "model.loss", model__loss='"hinge9"'),
    "unknown_frozen_layer": in_run("model.freeze", "dense7", "dense1", model__freeze='["dense7"]'),
    "all_layers_frozen": in_run("model.freeze", "at least one", model__freeze='["dense1"]'),
    "class_weights_unlike_classes": in_run("model.loss", "class_weights", re.compile(r"\b3\b"), re.compile(r"\b2\b"),
                                           model__loss='{type = "softmax_cross_entropy", class_weights = [1, 2]}'),
    "no_sample_has_weight": in_run("class_weights", "one.h5:/train", "weight 0", data__train='"one.h5:/train"',
                                   model__loss='{type = "softmax_cross_entropy", class_weights = [0, 1, 1]}'),
    "balance_of_a_missing_class": in_run("balanced", "one.h5:/train", "class 1", data__train='"one.h5:/train"',
                                         model__loss='{type = "softmax_cross_entropy", class_weights = "balanced"}'),
    "initial_missing": in_run("model.initial", "nowhere.h5", model__initial='"nowhere.h5"'),
    "initial_truncated": in_run("model.initial", "cut.h5", model__initial='"cut.h5"'),
    "initial_is_data": in_run("model.initial", "good.h5", model__initial='"good.h5"'),
    "initial_of_another_net": in_run("model.initial", "dense1/weight [3, 4]", "out/weight [3, 4]",
                                     model__initial='"trained"', model__layers=layers(
                                         '{type = "dense", units = 3, name = "out"}')),
    "resume_with_another_layer_frozen": plain(RESUME + '--set model.freeze=["dense1"]', "model.freeze"),
    "unknown_optimizer": in_run("sgdd", "adamw", "optimizer", optimizer__type='"sgdd"'),
    "unknown_schedule": in_run("sawtooth", "cosine", "optimizer.schedule", optimizer__schedule='"sawtooth"'),
    "unknown_exchange": in_run("train.exchange", "ring9", "tree", train__exchange='"ring9"'),
    "unknown_normalize": in_run("data.normalize", "robust9", "minmax", data__normalize='"robust9"'),
    "unknown_optimizer_option": in_run("momentums", "known", optimizer__momentums="0.9"),
    "unknown_layer_option": in_run("unitz", "known", "model.layers", model__layers=layers(
        '{type = "dense", units = 3, unitz = 3}')),
    "layer_without_units": in_run("units", "model.layers", model__layers=layers('{type = "dense"}')),
    "no_layers": in_run("model.layers", model__layers="[]"),
    "zero_units": in_run("units", "0", "model.layers", model__layers=layers('{type = "dense", units = 0}')),
    "negative_units": in_run("units", "-3", "model.layers", model__layers=layers('{type = "dense", units = -3}')),
    "zero_batch": in_run("train.batch", "0", train__batch="0"),
    "negative_batch": in_run("train.batch", "-24", train__batch="-24"),
    "zero_epochs": in_run("train.epochs", "0", train__epochs="0"),
    "negative_epochs": in_run("train.epochs", "-2", train__epochs="-2"),
    "more_steps_than_64_bits_hold": in_run("train.epochs", str(2**62), train__epochs=str(2**62), train__batch="13"),
    "more_weights_than_64_bits_hold": in_run("dense2", "weights", model__layers=layers(
        ", ".join(f'{{type = "dense", units = {units}}}' for units in (2**31 - 1, 2**31 - 1, 3)))),
    "zero_shards": in_run("train.shards", "0", train__shards="0"),
    "negative_shards": in_run("train.shards", "-3", train__shards="-3"),
    "very_many_shards": in_run("train.shards", "65536", str(2**62), train__shards=str(2**62)),
    "more_ranks_than_shards": in_run("train.shards", re.compile(r"\b1\b"), train__shards="1"),
    "zero_lr": in_run("optimizer.lr", "0", optimizer__lr="0.0"),
    "negative_lr": in_run("optimizer.lr", "-0.01", optimizer__lr="-0.01"),
    # the command line
    "set_unknown_key": plain("train {run} --output {output} --set train.nope=1", "train.nope", "known"),
    "set_without_value": plain("train {run} --output {output} --set train.batch", "--set", "key=value"),
    "unknown_option": plain("train {run} --output {output} --colour", "colour"),
    "empty_name": plain("train {run} --set name=", "name", "--output"),
    "name_of_another_folder": plain("train {run} --set name=../up", "name", "../up"),
    "empty_output": plain("train {run} --output=", "--output"),
    "no_run_file": plain("train --output {output}", "run file"),
    "unknown_subcommand": plain("trane {run}", "trane", "train"),
    # data
    "data_file_missing": in_run("missing.h5", data__train='"missing.h5:/train"'),
    "no_training_data": in_run("data.train", data__train=None),
    "data_file_foreign": in_run("foreign.h5", "HDF5", data__train='"foreign.h5:/train"'),
    "data_file_truncated": in_run("truncated.h5", data__train='"truncated.h5:/train"'),
    "group_missing": in_run("good.h5", "nope", "train", data__train='"good.h5:/nope"'),
    "y_missing": in_run("bad.h5", "/no_y/y", data__train='"bad.h5:/no_y"'),
    "x_missing": in_run("bad.h5", "/no_x/x", data__train='"bad.h5:/no_x"'),
    "lengths_differ": in_run("bad.h5", "64", "63", data__train='"bad.h5:/short_y"'),
    "no_samples": in_run("bad.h5", "/empty", data__train='"bad.h5:/empty"'),
    "x_is_text": in_run("bad.h5", "/text_x/x", data__train='"bad.h5:/text_x"'),
    "nan_in_x": in_run("bad.h5", "/nan_x/x", re.compile(r"row 5\b"), "nan", data__train='"bad.h5:/nan_x"'),
    "inf_in_y": in_run("bad.h5", "/inf_y/y", re.compile(r"row 9\b"), "inf", data__train='"bad.h5:/inf_y"',
                       data__test=None, **{key.replace(".", "__"): value for key, value in VALUES.items()}),
    "label_out_of_range": in_run("bad.h5", "/high", re.compile(r"row 11\b"), re.compile(r"\b7\b"),
                                 data__train='"bad.h5:/high"'),
    "negative_label": in_run("bad.h5", "/negative", re.compile(r"row 13\b"), "-1", data__train='"bad.h5:/negative"'),
    "float_labels": in_run("bad.h5", "/float_y", "integer", data__train='"bad.h5:/float_y"'),
    "bad_test_data": in_run("bad.h5", "/nan_x/x", re.compile(r"row 5\b"), data__test='"bad.h5:/nan_x"'),
    "test_of_another_width": in_run("wide.h5", str(INPUTS), str(INPUTS + 2), data__test='"wide.h5:/test"'),
    "output_unlike_classes": in_run(re.compile(r"\b2\b"), re.compile(r"\b3\b"), model__layers=layers(
        '{type = "dense", units = 2}')),
    "output_unlike_targets": in_run(re.compile(r"\b2\b"), re.compile(r"\b1\b"), data__test=None, data__classes=None,
                                    model__loss='"mse"', model__layers=layers('{type = "dense", units = 2}')),
    "idx_truncated": in_run("truncated.idx", data__train='{x = "truncated.idx", y = "labels.idx"}', data__test=None),
    "idx_garbage": in_run("garbage.idx", data__train='{x = "garbage.idx", y = "labels.idx"}', data__test=None),
    "idx_huge": in_run("huge.idx", data__train='{x = "huge.idx", y = "labels.idx"}', data__test=None),
    "idx_gz_truncated": in_run("truncated.idx.gz", data__train='{x = "truncated.idx.gz", y = "labels.idx"}',
                               data__test=None),
    # run folders and checkpoints
    "output_holds_checkpoints": plain("train {run} --output {trained}", "--resume", "--overwrite", "output"),
    "resume_of_another_model": plain(RESUME + "--set model.layers.0.bias=false", "model.layers"),
    "resume_of_another_seed": plain(RESUME + "--set seed=2", "seed", "1", "2"),
    "resume_of_another_batch": plain(RESUME + "--set train.batch=12", "train.batch", "24", "12"),
    "resume_with_changed_data": plain(RESUME + "--set data.train=changed.h5:/train", "changed.h5"),
    "checkpoint_missing": plain("evaluate missing/step-00000001.h5", "missing/step-00000001.h5"),
    "checkpoint_truncated": damaged(lambda data: data[:-100]),
    "checkpoint_empty": damaged(lambda data: b""),
    "checkpoint_foreign": damaged(lambda data: Path("good.h5").read_bytes()),
    "checkpoint_with_a_flipped_bit": damaged(flip),
    "predict_data_of_another_width": plain("predict {trained} --input wide.h5 --split test --output {trained}/out.h5",
                                           "wide.h5", str(INPUTS), str(INPUTS + 2)),
    "evaluate_data_of_another_width": plain("evaluate {trained}/checkpoints/{newest} --data wide.h5 --split test",
                                            "wide.h5", str(INPUTS), str(INPUTS + 2)),
}
NEED_SEVERAL_RANKS = ("more_ranks_than_shards",)


def launch(arguments):
    environment = dict(os.environ)
    if RANKS == 1:  # after a rank that failed mpirun waits a second for the others; here there are none
        environment["OMPI_MCA_odls_base_sigkill_timeout"] = "0"
    command = [MPIEXEC, "-n", str(RANKS), PROGRAM, *arguments]
    # Two mpirun at once may stumble over their common session folder, so each has its own.
    with tempfile.TemporaryDirectory(prefix="mpi") as session:
        environment["OMPI_MCA_orte_tmpdir_base"] = session
        try:
            return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS,
                                  check=False, env=environment)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"still running after {SECONDS} s: {' '.join(command)}\n{late.stderr}") from late


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class BadInput(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.addClassCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        make_data()
        Path("good.toml").write_text(run_text({}), encoding="utf-8")
        good = launch(["train", "good.toml", "--output", "trained"])
        if good.returncode != 0:
            raise AssertionError(f"the good run ended with {good.returncode}:\n{good.stderr}")
        newest = max(Path("trained/checkpoints").glob("step-*.h5"))
        Path("cut.h5").write_bytes(newest.read_bytes()[:-100])

    def refuse(self, name):
        """Runs a case in a folder of its own and checks how it ends."""
        make_arguments, fragments = CASES[name]
        folder = Path(name)
        folder.mkdir()
        arguments = make_arguments(folder)
        before = contents(folder)
        done = launch(arguments)
        told = f"lockstep {' '.join(arguments)}\nexit code {done.returncode}\n{done.stderr}"
        self.assertEqual(done.returncode, 2, told)
        self.assertEqual(done.stderr.count(ERROR), 1, told)
        message = done.stderr[done.stderr.index(ERROR):]
        for fragment in fragments:
            found = fragment.search(message) if isinstance(fragment, re.Pattern) else fragment in message
            self.assertTrue(found, f"{fragment} is not in the message\n{told}")
        self.assertEqual(sorted(before), sorted(contents(folder)), f"files came or went\n{told}")
        self.assertEqual(before, contents(folder), f"files were changed\n{told}")

    def test_every_case_is_refused(self):
        names = CHOSEN or (list(CASES) if RANKS == 1 else list(CASES)[RANKS % 3::3])
        names = [name for name in names if RANKS > 1 or name not in NEED_SEVERAL_RANKS]
        names += [name for name in NEED_SEVERAL_RANKS if RANKS > 1 and not CHOSEN and name not in names]
        # Two at once: a case mostly waits for mpirun.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            running = {name: pool.submit(self.refuse, name) for name in names}
            for name, case in running.items():
                with self.subTest(name):
                    case.result()
        self.assertFalse(Path("runs").exists(), "a run folder was made by default")
        print(f"{len(running)} cases on {RANKS} ranks")


if __name__ == "__main__":
    PROGRAM, MPIEXEC, RANKS, CHOSEN = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    del sys.argv[1:]
    unittest.main()
