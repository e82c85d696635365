"""Many files that are read as one: the bits of the one joined file, in memory and streamed, at any rank count; and which
file it is where they are not what they were."""

import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import job
import program

RUN = """
[data]
train = "runs/*.h5:/train"
test = ["test-b.h5:/part", "test-a.h5:/part"]
normalize = "standard"
window = "40kB"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=24}, {type="relu"}, {type="dense", units=5}]
[train]
batch = 100
shards = 6
epochs = 2
[optimizer]
type = "adam"
lr = 3e-3
"""
ENDS = [1, 1, 100, 2500, 2600, 5999, 6000]  # of the rows of each file; one has none


def put(path, group, x, y):
    with h5py.File(path, "w") as file:
        file[f"{group}/x"], file[f"{group}/y"] = x, y
        file.attrs["features"] = [f"c{i}" for i in range(x.shape[1])]
        file.attrs["classes"] = list("abcde")


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        rng = numpy.random.default_rng(0)
        cls.x = rng.normal(size=(7010, 20)).astype("f4")
        cls.y = (cls.x @ rng.normal(size=(20, 5))).argmax(axis=1)
        put(cls.folder / "one.h5", "train", cls.x[:6000], cls.y[:6000])
        put(cls.folder / "test.h5", "part", cls.x[6000:], cls.y[6000:])
        put(cls.folder / "test-b.h5", "part", cls.x[6000:6900], cls.y[6000:6900])
        put(cls.folder / "test-a.h5", "part", cls.x[6900:], cls.y[6900:])
        cls.make_files(cls.folder)
        cls.run_file = cls.folder / "run.toml"
        cls.run_file.write_text(RUN, encoding="utf-8")
        cls.one = ("--set", "data.train=one.h5:/train", "--set", "data.test=test.h5:/part")
        for load in ("memory", "stream"):
            cls.train(f"one-{load}", 1, "--set", f"data.load={load}", *cls.one)
        cls.told = cls.train("memory", 1, "--set", "data.load=memory").stderr

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def make_files(cls, folder):
        (folder / "runs").mkdir(parents=True)
        for number, (begin, end) in enumerate(zip([0] + ENDS, ENDS)):
            put(folder / f"runs/part{number}.h5", "train", cls.x[begin:end], cls.y[begin:end])

    @classmethod
    def train(cls, name, ranks, *more, expect=0):
        return program.run("train", cls.run_file, "--output", cls.folder / name, *more, ranks=ranks, expect=expect)

    def like_one(self, name, load):
        folder, one = self.folder / name, self.folder / f"one-{load}"
        self.assertEqual(program.digest(folder), program.digest(one))
        self.assertEqual(program.metrics(folder), program.metrics(one))
        self.assertEqual(program.summary(folder)["test"], program.summary(one)["test"])
        prints = [json.loads(program.run("inspect", place, "--json", mpi=False).stdout) for place in (folder, one)]
        for key in ("data_fingerprint", "test_fingerprint", "normalization", "features", "classes"):
            self.assertEqual(prints[0][key], prints[1][key], key)

    def test_the_bits_of_the_one_file_from_memory_and_streamed(self):
        self.like_one("memory", "memory")
        for load, ranks in (("memory", 3), ("stream", 1), ("stream", 3)):
            self.train(f"{load}-{ranks}", ranks, "--set", f"data.load={load}")
            self.like_one(f"{load}-{ranks}", load)

    def test_files_without_samples_are_told(self):
        self.assertIn("runs/*.h5:/train: 1 of 7 files hold no samples", self.told)

    def test_a_checkpoint_keeps_the_pattern_and_the_files(self):
        path = sorted((self.folder / "memory/checkpoints").iterdir())[-1]
        with h5py.File(path) as file:
            run = file["run"][()].decode()
            files = [text.split(" ", 2) for text in json.loads(file["files/train"][()])]
            tests = [text.split(" ", 2)[2] for text in json.loads(file["files/test"][()])]
        self.assertIn('/runs/*.h5:/train"', run)
        self.assertEqual([name for _, _, name in files], [f"part{i}.h5:/train" for i in range(7)])
        self.assertEqual([int(rows) for rows, _, _ in files], [b - a for a, b in zip([0] + ENDS, ENDS)])
        self.assertEqual(tests, ["test-b.h5:/part", "test-a.h5:/part"])

    def test_a_resume_says_which_files_are_others(self):
        for load in ("memory", "stream"):
            base = self.folder / f"resume-{load}"
            self.make_files(base)
            keys = ("--set", f"data.train={base}/runs:/train", "--set", f"data.load={load}")
            self.train(f"resume-{load}/run", 2, *keys)
            more = keys + ("--resume", "--set", "train.epochs=3")
            (base / "runs").rename(base / "moved")
            keys = ("--set", f"data.train={base}/moved/:/train", "--set", f"data.load={load}")
            self.train(f"resume-{load}/run", 2, *keys, "--resume", "--set", "train.epochs=3")
            more = keys + ("--resume", "--set", "train.epochs=4")
            put(base / "moved/new.h5", "train", self.x[:2], self.y[:2])
            (base / "moved/part6.h5").unlink()
            with h5py.File(base / "moved/part3.h5", "r+") as file:
                file["train/x"][7, 7] += 1
            told = self.train(f"resume-{load}/run", 1, *more, expect=2).stderr
            self.assertIn("missing: part6.h5:/train; added: new.h5:/train; changed: part3.h5:/train", told)
            shutil.rmtree(base / "moved")
            self.make_files(base)
            self.assertIn("started on", self.train(f"resume-{load}/run", 1, "--resume", "--set", f"data.load={load}", "--set",
                                                   f"data.train={base}/runs/part[0-5].h5:/train", expect=2).stderr)

    def test_unlike_files_are_named(self):
        base = self.folder / "unlike"
        self.make_files(base)
        put(base / "runs/part5.h5", "train", self.x[:9, :19], self.y[:9])
        told = self.train("no", 2, "--set", f"data.train={base}/runs/*:/train", expect=2).stderr
        self.assertEqual(told.count("lockstep: error:"), 1, told)
        self.assertIn("part5.h5:/train is unlike the first file", told)
        self.assertIn("shape of a row of x: expected [20], found [19]", told)
        told = self.train("no", 1, "--set", f"data.train={base}/runs/*.hdf:/train", expect=2).stderr
        self.assertIn("no file matches", told)
        self.assertFalse((self.folder / "no").exists())

    def test_a_file_that_is_replaced_while_it_is_streamed_ends_all_ranks_with_its_name(self):
        base = self.folder / "replaced"
        (base / "runs").mkdir(parents=True)
        for number in range(150):  # more than are kept open
            put(base / f"runs/part{number:03}.h5", "train", self.x[40 * number:40 * number + 40],
                self.y[40 * number:40 * number + 40])
        (base / "run.toml").write_text(RUN.replace("test =", "# test ="), encoding="utf-8")
        running = job.Job(base / "run.toml", base / "run", "--set", "train.epochs=100000", "--set", "data.load=stream",
                          ranks=3)
        running.wait_for_steps(5)
        put(base / "new.h5", "train", self.x[:40], self.y[:40])
        os.replace(base / "new.h5", base / "runs/part077.h5")
        code, told = running.wait(60)
        self.assertEqual(code, 2, told)
        self.assertEqual(told.count("lockstep: error:"), 1, told)
        self.assertIn("part077.h5: has changed while it was in use", told)
        program.run("inspect", base / "run", "--verify", mpi=False)

    def test_evaluate_predict_and_inspect_take_them(self):
        net = self.folder / "memory"
        scores = [json.loads(program.run("evaluate", net, "--json", "--data", data, ranks=ranks).stdout)
                  for ranks, data in ((1, self.folder / "one.h5:/train"), (2, self.folder / "runs/*.h5:/train"))]
        self.assertEqual({**scores[0], "data": ""}, {**scores[1], "data": ""})
        files = []
        for name, ranks, source in (("one.csv", 1, "test.h5:/part"),
                                    ("two.csv", 3, f'["{self.folder}/test-b.h5:/part", "{self.folder}/test-a.h5:/part"]')):
            source = source if source.startswith("[") else self.folder / source
            program.run("predict", net, "--input", source, "--output", self.folder / name, ranks=ranks)
            files.append((self.folder / name).read_bytes())
        self.assertEqual(files[0], files[1])
        told = program.run("predict", net, "--input", self.folder / "runs/:/train", "--output",
                           self.folder / "runs/part3.h5", "--overwrite", expect=2).stderr
        self.assertIn("this is the file of the samples", told)
        told = program.run("inspect", self.folder / "runs", mpi=False).stdout
        self.assertRegex(told, r"part3.h5:/train +2400 rows")
        self.assertIn("[6000, 20]", told)
        described = json.loads(program.run("inspect", f"{self.folder}/runs/*.h5:/train", "--json", mpi=False).stdout)
        self.assertEqual([entry["rows"] for entry in described["files"]], [b - a for a, b in zip([0] + ENDS, ENDS)])
        self.assertEqual(described["data"]["/train/x"]["columns"][3]["mean"],
                         json.loads(program.run("inspect", self.folder / "one.h5", "--json", mpi=False).stdout)
                         ["data"]["/train/x"]["columns"][3]["mean"])


if __name__ == "__main__":
    program.main()
