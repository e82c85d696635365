"""Names and texts of strangers' files in everything that is printed: no terminal is steered, no message is faked."""

import ctypes
import ctypes.util
import json
import os
import struct
import subprocess
import tempfile
import unicodedata
import unittest
from pathlib import Path

import h5py
import numpy

import program

# Clears the screen, names the window, fakes a message, turns the direction of writing, colours by one character.
HOSTILE = "a\x1b[2J\x1b]0;owned\x07\r\nlockstep: error: faked\n\u202e\x9b31m\x7f\tend"
RUN = """
name = {name}
[data]
train = {train}
test = {train}
[model]
loss = "softmax_cross_entropy"
layers = [{{type = "dense", units = 2}}]
[train]
batch = 4
epochs = 1
"""


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def with_trailer(data):
    """An HDF5 file's bytes as those of a checkpoint that is not damaged."""
    xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash"))
    xxhash.XXH3_128bits.restype = Hash128
    xxhash.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    data += b"LOCKSTEP" + struct.pack("<Q", len(data))
    found = xxhash.XXH3_128bits(data, len(data))
    return data + struct.pack(">QQ", found.high, found.low)


def quoted(text):
    return json.dumps(str(text)).replace("\x7f", "\\u007f")  # JSON's texts are TOML's, but for this one


class Strangers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name) / HOSTILE  # a folder's name may have all of this
        cls.folder.mkdir()
        cls.data = cls.folder / "data.h5"
        x = numpy.arange(24, dtype="f4").reshape(12, 2) / 12
        with h5py.File(cls.data, "w") as file:
            for group in ("train", "test", "odd" + HOSTILE):
                file[f"{group}/x"], file[f"{group}/y"] = x, numpy.arange(12) % 2
            file.attrs["classes"] = json.dumps(["cat" + HOSTILE, "dog" + HOSTILE])
            file.attrs["features"] = json.dumps(["height" + HOSTILE, "width" + HOSTILE])
            file.attrs["targets"] = json.dumps(["kind" + HOSTILE])
        cls.run_file = cls.write_run("run.toml")
        cls.out = cls.folder / "out"
        cls.trained = cls.ask("train", cls.run_file, "--output", cls.out)

    @classmethod
    def write_run(cls, name, **changes):
        values = {"name": quoted("run" + HOSTILE), "train": quoted("data.h5:/train"), **changes}
        path = cls.folder / name
        path.write_text(RUN.format(**values), encoding="utf-8")
        return path

    @classmethod
    def ask(cls, *arguments):
        """What it printed, on both streams, as bytes, with the exit code."""
        done = subprocess.run([program.PROGRAM.encode()] + [os.fsencode(a) for a in arguments], capture_output=True,
                              timeout=120, check=False, cwd=cls.folder)
        return done.returncode, done.stdout, done.stderr

    def expect_harmless(self, code, done, *says):
        found, *streams = done
        self.assertEqual(found, code, streams)
        for stream in streams:
            text = stream.decode()  # UTF-8, all of it
            odd = {f"U+{ord(c):04X}" for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Zl", "Zp")
                   or unicodedata.bidirectional(c) in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")}
            self.assertEqual(odd, set(), text)
            self.assertNotIn("lockstep: error: faked", [line[:22] for line in text.splitlines()], text)
        for text in says:
            self.assertIn(text, (streams[0] + streams[1]).decode())

    def test_training(self):
        self.expect_harmless(0, self.trained, "\nlockstep: runa\\u001b[2J", "\\u202e", "\\nlockstep: error: faked\\n")
        self.expect_harmless(0, self.ask("train", self.run_file, "--output", self.folder / "dry", "--dry-run"))
        self.expect_harmless(2, self.ask("train", self.run_file, "--output", self.out), "error")

    def test_run_files(self):
        layers = 'layers = [{{type = "dense", units = 2}}]'
        for number, text in enumerate((
                RUN + f"[{quoted(HOSTILE)}]\nb = 1\n",
                RUN + f"[optimizer]\n{quoted(HOSTILE)} = 1\n",
                RUN + f"[optimizer]\ntype = {quoted(HOSTILE)}\n",
                RUN + f"[log]\ntrace = {quoted(HOSTILE)}\n",
                RUN + "[log]\n\x1b[2J\r\x9b = 1\n",
                RUN + "[log]\nreport = \"\x1b[2J\x9b\n",
                RUN.replace(layers, f"layers = [{{{{type = {quoted(HOSTILE)}}}}}]"),
                RUN.replace(layers, f'layers = [{{{{type = "dense", units = 2, name = {quoted(HOSTILE)}}}}}]'))):
            text = text.format(name='"run"', train='"data.h5:/train"')
            path = self.folder / f"bad{number}.toml"
            path.write_text(text, encoding="utf-8")
            for command in ("train", "explain", "doctor"):
                with self.subTest(number=number, command=command):
                    self.expect_harmless(2, self.ask(command, path), "lockstep: error: ")

    def test_data(self):
        self.expect_harmless(0, self.ask("inspect", self.data), "cata\\u001b[2J", "heighta\\u001b[2J", "odda\\u001b[2J")
        done = self.ask("inspect", self.data, "--json")
        self.expect_harmless(0, done)
        self.assertIn("cat" + HOSTILE, [kind["name"] for kind in json.loads(done[1])["data"]["/train/y"]["classes"]])
        group = quoted("data.h5:/odd" + HOSTILE)
        self.expect_harmless(0, self.ask("train", self.write_run("odd.toml", train=group), "--dry-run"))
        with h5py.File(self.folder / "bad.h5", "w") as file:
            file["x" + HOSTILE] = 1
            file[HOSTILE + "/x"] = numpy.full((2, 2), numpy.nan)
            file[HOSTILE + "/y"] = [0, 1]
            file.attrs["classes"] = HOSTILE
        for place in ("bad.h5", "bad.h5:/x" + HOSTILE, "bad.h5:/" + HOSTILE, HOSTILE, HOSTILE + ":/" + HOSTILE):
            with self.subTest(place=place):
                self.expect_harmless(2, self.ask("train", self.write_run("bad.toml", train=quoted(place))))
                self.expect_harmless(2, self.ask("evaluate", self.out, "--data", place))
                self.expect_harmless(2, self.ask("predict", self.out, "--input", place, "--output", "p" + HOSTILE + ".csv"))
        self.expect_harmless(2, self.ask("inspect", "bad.h5"))
        self.expect_harmless(2, self.ask("inspect", HOSTILE))
        # What is told of names that the net does not know, or knows in another order.
        with h5py.File(self.data) as whole, h5py.File(self.folder / ("turned" + HOSTILE + ".h5"), "w") as file:
            file["x"], file["y"] = whole["test/x"][:][:, ::-1], whole["test/y"][:]
            file.attrs["classes"] = whole.attrs["classes"]
            file.attrs["features"] = json.dumps(["width" + HOSTILE, "height" + HOSTILE])
        turned = "turned" + HOSTILE + ".h5"
        for words in (["evaluate", self.out, "--data", turned], ["predict", self.out, "--input", turned, "--output", "t.csv"]):
            with self.subTest(words=words):
                self.expect_harmless(0, self.ask(*words), "another order")

    def test_a_checkpoint(self):
        self.expect_harmless(0, self.ask("inspect", self.out), '\n  name = "runa\\u001B[2J')
        done = self.ask("inspect", self.out, "--json")
        self.expect_harmless(0, done)
        self.assertIn(str(self.folder / "out").encode("utf-8", "replace").decode()[:40], json.loads(done[1])["file"])
        self.expect_harmless(0, self.ask("inspect", self.out, "--verify"))
        self.expect_harmless(0, self.ask("evaluate", self.out), "cata\\u001b[2J")
        done = self.ask("evaluate", self.out, "--json")
        self.expect_harmless(0, done)
        self.assertEqual(json.loads(done[1])["classes"][0]["name"], "cat" + HOSTILE)
        for arguments in ([], ["--json"], ["--check"], ["--check", "--json"], ["--ranks", "--weight", "dense1[0,0]"],
                          ["--html", "page" + HOSTILE + ".html", "--svg", "net" + HOSTILE + ".svg"]):
            with self.subTest(arguments=arguments):
                self.expect_harmless(0, self.ask("explain", self.out, *arguments))
        for arguments in ([], ["--json", "--overwrite"]):
            self.expect_harmless(0, self.ask("landscape", self.out, "--weight", "dense1[0,0]", "--output", "l" + HOSTILE,
                                             *arguments))
        self.expect_harmless(0, self.ask("predict", self.out, "--output", "p" + HOSTILE + ".csv"), "\\u001b")
        self.expect_harmless(0, self.ask("export", self.out, "--onnx", "n" + HOSTILE + ".onnx", "--npz", HOSTILE + ".npz"))
        self.expect_harmless(0, self.ask("report", self.out, "--output", HOSTILE + ".html"))
        self.expect_harmless(2, self.ask("evaluate", self.out, "--split", HOSTILE))

    def test_a_checkpoint_of_a_stranger(self):
        """Right by its hash, with texts that no lockstep has written."""
        kept = next((self.out / "checkpoints").glob("step-*.h5")).read_bytes()[:-32]
        path = self.folder / ("changed" + HOSTILE + ".h5")
        for attributes in (("time", "hosts", "exchange", "blas_kernel", "simd_target", "lockstep_version"), ("digest",),
                           ("format",)):
            plain = self.folder / "plain.h5"
            plain.write_bytes(kept)
            with h5py.File(plain, "a") as file:
                for attribute in attributes:
                    file.attrs[attribute] = HOSTILE
            path.write_bytes(with_trailer(plain.read_bytes()))
            for command in (["inspect"], ["inspect", "--json"], ["inspect", "--verify"], ["evaluate"]):
                with self.subTest(attributes=attributes, command=command):
                    done = self.ask(command[0], path, *command[1:])
                    self.expect_harmless(done[0], done)
                    self.assertIn(done[0], (0, 2))
        path.write_bytes(with_trailer(kept)[:-40])
        self.expect_harmless(2, self.ask("inspect", path), "\\u001b")

    def test_a_table(self):
        table = self.folder / ("table" + HOSTILE + ".csv")
        field = '"' + HOSTILE + '"'
        for code, text, arguments in (
                (0, f"b,{field}\n1,{field}\n2,x\n", ["--target", HOSTILE]),
                (2, f"b,{field}\n1,{field}\n2,x\n", ["--target", "b"]),
                (2, f"b,{field}\n1,2\n2,{field}\n", ["--target", "b"]),
                (2, f"b,{field}\n1,2\n", ["--target", HOSTILE + "c"]),
                (2, f"{field},{field}\n1,2\n", ["--target", HOSTILE]),
                (2, f"b,{field},c\n1,,2\n", ["--target", "b"]),
                (2, f"b,{HOSTILE}\n1,2,3\n", ["--target", "b"])):
            with self.subTest(text=text, arguments=arguments):
                table.write_bytes(text.encode())
                self.expect_harmless(code, self.ask("import", table, *arguments, "--overwrite", "--output", "t" + HOSTILE + ".h5"))
        self.expect_harmless(0, self.ask("inspect", "t" + HOSTILE + ".h5"))

    def test_a_name_that_is_no_text(self):
        """A checkpoint could not keep it: its run would not be read again."""
        folder = self.folder / os.fsdecode(b"latin-\xe9")
        folder.mkdir()
        os.link(self.data, folder / "data.h5")
        (folder / "run.toml").write_text(RUN.format(name='"run"', train='"data.h5:/train"'), encoding="utf-8")
        self.expect_harmless(2, self.ask("train", folder / "run.toml", "--output", self.folder / "unread"), "latin-\\xe9",
                             "is not UTF-8")
        self.expect_harmless(0, self.ask("inspect", folder / "data.h5"), "latin-\\xe9")

    def test_words_of_the_command_line(self):
        for arguments in ([HOSTILE], ["train", HOSTILE], ["train", "--" + HOSTILE], ["inspect", self.data, HOSTILE],
                          ["train", self.run_file, "--set", HOSTILE + "=1"], ["train", self.run_file, "--set", "seed=" + HOSTILE],
                          ["bench", "--activation", HOSTILE], ["bench", "--layers", HOSTILE],
                          ["explain", self.run_file, "--weight", HOSTILE], ["doctor", "--network", HOSTILE],
                          ["report", HOSTILE], ["import", HOSTILE, "--target", "b", "--output", "i.h5"],
                          ["train", self.run_file, "--resume", "--set", "train.batch=2", "--output", self.out]):
            with self.subTest(arguments=arguments):
                self.expect_harmless(2, self.ask(*arguments), "lockstep: error: ")

    def test_the_doctor(self):
        done = self.ask("doctor", self.run_file, "--output", self.folder / "tried")
        self.expect_harmless(0, done, "\\u001b")


if __name__ == "__main__":
    program.main()
