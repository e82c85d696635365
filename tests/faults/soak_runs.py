"""The runs that the soak disturbs, each trained once without any fault: what a disturbed one must come to."""

import os
import re
import shutil
from pathlib import Path

import program
from soak_job import Job, require

# Small nets that train for a second or two, most of it spent saving; the wide one has checkpoints that take a while to
# write. [train] comes first so that little of a file cut short is still another run, see run_file_damaged.
RUNS = {
    "node": """
[train] # of the exchange of one host
epochs = 24
batch = 96
shards = 6
[data]
train = "digits.h5:/train"
test = "digits.h5:/test"
normalize = "minmax"
[model]
loss = "softmax_cross_entropy"
layers = [{type = "dense", units = 400}, {type = "tanh"}, {type = "dropout", rate = 0.2}, {type = "dense", units = 10}]
[optimizer]
type = "adam"
clip_norm = 1.0
[checkpoint]
every_steps = 7
keep = 3
[log]
every_steps = 1
""",
    "tree": """
[train] # of the exchange of several hosts
epochs = 25
exchange = "tree"
batch = 120
shards = 6
[data]
train = "digits.h5:/train"
normalize = "standard"
[model]
loss = "softmax_cross_entropy"
layers = [{type = "dense", units = 192}, {type = "relu"}, {type = "dropout"}, {type = "dense", units = 10}]
[optimizer]
type = "lamb"
schedule = {type = "cosine", warmup_steps = 20}
[checkpoint]
every_steps = 7
keep = 3
[log]
every_steps = 1
""",
    "wide": """
[train] # with large checkpoints
epochs = 8
batch = 96
shards = 4
[data]
train = "digits.h5:/train"
test = "digits.h5:/test"
[model]
loss = "softmax_cross_entropy"
layers = [{type = "dense", units = 1500}, {type = "relu"}, {type = "dense", units = 200}, {type = "dense", units = 10}]
[optimizer]
type = "sgd"
momentum = 0.9
lr = 1e-3
[checkpoint]
every_steps = 5
keep = 3
[log]
every_steps = 1
""",
}
SECONDS = 60  # for a run without a fault


class Whole:
    """A run that nothing disturbed. It keeps all of its checkpoints, to be cut off behind any of them."""

    def __init__(self, name, place):
        self.name = name
        self.place = place
        write_inputs(name, place)
        ended = Job(place, 2, place / "run", "--set", "checkpoint.keep=100000").wait(SECONDS)
        require(ended.code == 0, f"the undisturbed run \"{name}\" ends with {ended.code}:\n{ended.stderr}")
        self.output = place / "run"
        self.digest = program.digest(self.output)
        self.metrics = program.metrics(self.output)
        self.rows = program.steps(self.output)
        self.steps = program.summary(self.output)["steps"]
        self.every = int(re.search(r"every_steps = (\d+)", RUNS[name])[1])  # of [checkpoint], which comes first
        self.saved = [int(file[5:13]) for file in program.checkpoints(self.output)]

        self.checkpoint_bytes = self.checkpoint(self.steps).stat().st_size

    def checkpoint(self, step):
        return self.output / "checkpoints" / f"step-{step:08}.h5"

    def cut_off(self, output, step, keep=3):
        """Makes the folder `output` what it was right behind the checkpoint of `step`."""
        (output / "checkpoints").mkdir(parents=True)
        for file in ("run.toml", "metrics.csv", "steps.csv"):
            shutil.copy(self.output / file, output)
        for kept in [s for s in self.saved if s <= step][-keep:]:
            shutil.copy(self.checkpoint(kept), output / "checkpoints")

    def check(self, output):
        """That a disturbed and resumed run has come to the same, and has left nothing half done."""
        program.run("inspect", output, "--verify", mpi=False)
        require(program.digest(output) == self.digest, "the digest differs from the undisturbed run's")
        require(program.metrics(output) == self.metrics, "metrics.csv differs from the undisturbed run's")
        require(program.steps(output) == self.rows, "steps.csv differs from the undisturbed run's")
        left = [str(path) for path in output.rglob(".*")]
        require(not left, f"temporary files are left: {', '.join(left)}")


def write_inputs(name, place):
    """The run file and its data in `place`."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "run.toml").write_text(RUNS[name].lstrip(), encoding="utf-8")
    shutil.copy(program.ROOT / "data/digits.h5", place)


def newest(output):
    """The checkpoints of a run folder, the newest first."""
    folder = Path(output) / "checkpoints"
    return sorted(folder.glob("step-????????.h5"), reverse=True) if os.path.isdir(folder) else []
