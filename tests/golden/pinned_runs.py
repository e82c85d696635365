"""Short runs that between them use all of the trainer's arithmetic, and what they end in.

The bits of a run depend on what computes it: the BLAS, its kernel, the vectors (SIMD target) and the C library's
functions. pinned.json has them by these.
"""

import csv
import hashlib
import json
import platform
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py

import program

FILE = Path(__file__).parent / "pinned.json"

# Two epochs of 15 batches, the last of 38 samples; five shards.
DIGITS = """
[data]
train = "data/digits.h5:/train"
test = "data/digits.h5:/test"
normalize = "minmax"
[model]
loss = "softmax_cross_entropy"
layers = [{type="dense", units=24}, {type="tanh"}, {type="dense", units=10}]
[train]
batch = 100
shards = 5
epochs = 2
[optimizer]
lr = 0.05
[checkpoint]
keep = 1
[log]
report = false
every_steps = 1
"""
CONCRETE = DIGITS.replace("digits", "concrete").replace("softmax_cross_entropy", "mse").replace("units=10", "units=1") \
    .replace("minmax", "standard")
THREE_LAYER = """
[data]
train = "data/introduction.h5:/three-layer"
test = "data/introduction.h5:/three-layer"
[model]
loss = {type="binary_cross_entropy", pos_weight=[2.5]}
layers = [{type="dense", units=8}, {type="tanh"}, {type="dense", units=1}]
[train]
batch = 4
shards = 3
epochs = 20
[optimizer]
type = "adam"
lr = 0.05
[log]
report = false
every_steps = 1
"""


def layers(*middle, last='{type="dense", units=10}'):
    return f"model.layers=[{', '.join(middle)}, {last}]"


def dense(units, more=""):
    return f'{{type="dense", units={units}{more}}}'


def activation(name, more=""):
    return f'{{type="{name}"{more}}}'


RUNS = {
    # Layers and starting weights
    "plain": (DIGITS,),
    "no normalisation, relu": (DIGITS, layers(dense(40), activation("relu"), dense(20), activation("relu")),
                               "data.normalize=none", "optimizer.lr=0.002"),
    "sigmoid": (DIGITS, layers(dense(24, ", bias=false"), activation("sigmoid")), "optimizer.type=adam"),
    "gelu": (DIGITS, layers(dense(33), activation("gelu"), dense(17), activation("gelu", ', approximate="tanh"')),
             "optimizer.type=adamw", "optimizer.lr=0.003"),
    "leaky relu, dropout, 8 shards": (DIGITS, layers(dense(64), activation("leaky_relu", ", negative_slope=0.1"),
                                                     activation("dropout", ", rate=0.3")), "train.shards=8"),
    "starting weights": (DIGITS, layers(dense(20, ', init="xavier_uniform"'), activation("tanh"),
                                        dense(20, ', init="xavier_normal"'), activation("relu"),
                                        dense(20, ', init="kaiming_uniform"'), activation("relu"),
                                        dense(20, ', init="kaiming_normal"'), activation("relu"),
                                        last=dense(10, ', init="constant", init_value=0.01')), "seed=7"),
    "wide, one shard": (DIGITS, layers(dense(300), activation("relu"), dense(150), activation("relu")), "train.shards=1",
                        "train.epochs=1", "data.normalize=standard"),
    "tree, 16 shards": (DIGITS, "train.exchange=tree", "train.shards=16"),
    # Losses
    "label smoothing, class weights": (DIGITS, 'model.loss={type="softmax_cross_entropy", label_smoothing=0.1, '
                                       "class_weights=[1, 2, 0.5, 1, 1, 0, 3, 1, 1, 1]}"),
    "balanced classes": (DIGITS, 'model.loss={type="softmax_cross_entropy", class_weights="balanced"}'),
    "mse": (CONCRETE, 'log.gradient_norm=true'),
    "mae": (CONCRETE, "model.loss=mae", "optimizer.type=adam", "optimizer.lr=0.01"),
    "huber": (CONCRETE, 'model.loss={type="huber", delta=0.5}', "data.normalize=minmax"),
    "binary": (THREE_LAYER,),
    # Optimizers and schedules
    "nesterov, decay, clip_norm, cosine": (DIGITS, "optimizer.momentum=0.9", "optimizer.nesterov=true", "optimizer.clip_norm=0.3",
                                           "optimizer.weight_decay=0.01", 'optimizer.decay_exclude=["bias"]',
                                           'optimizer.schedule={type="cosine", warmup_steps=7, eta_min=0.001}'),
    "rmsprop, step": (DIGITS, "optimizer.type=rmsprop", "optimizer.centered=true", "optimizer.momentum=0.5",
                      "optimizer.lr=0.002", 'optimizer.schedule={type="step", step_size=11, gamma=0.7}'),
    "adagrad, linear": (DIGITS, "optimizer.type=adagrad", "optimizer.lr_decay=0.01",
                        'optimizer.schedule={type="linear", start_factor=1.0, end_factor=0.1}'),
    "lars, polynomial": (DIGITS, "optimizer.type=lars", "optimizer.lr=5", "optimizer.weight_decay=0.001",
                         'optimizer.schedule={type="polynomial", power=1.5, warmup_steps=4}'),
    "lamb, clip_norm": (DIGITS, "optimizer.type=lamb", "optimizer.lr=0.02", "optimizer.clip_norm=1.0"),
    "adam, plateau": (DIGITS, "optimizer.type=adam", "optimizer.lr=0.01", "train.epochs=4", "optimizer.weight_decay=0.001",
                      'optimizer.schedule={type="plateau", patience=0, factor=0.3, threshold=0.4}'),
    # What a run has besides
    "freeze, ema": (DIGITS, layers(dense(30), activation("relu"), dense(20), activation("tanh")), 'model.freeze=["dense1"]',
                    "train.ema=0.9", "optimizer.momentum=0.9", "optimizer.dampening=0.1"),
    "streamed": (DIGITS, "data.load=stream", "data.block=37", "data.window=8KiB", "train.shards=4"),
    "validation, early stop": (DIGITS, "data.validation=0.2", 'train.early_stop={patience=1, min_delta=0.1}', "train.epochs=9",
                               "optimizer.type=adamw", "optimizer.lr=0.02"),
}


def definition():
    """Changes when the runs do: what was recorded before is then of other runs."""
    return hashlib.sha256(json.dumps(RUNS, sort_keys=True).encode()).hexdigest()[:16]


# Others came later and are tested elsewhere: which there are is not what is pinned.
SCORES = ("loss", "accuracy", "top5", "macro_recall", "r2", "rmse", "mae")


def numbers(folder):
    """A hash over the losses, scores, rates and norms that a run tells."""
    columns = {f"{split}_{score}" for split in ("train", "validation", "test") for score in SCORES}
    told = []
    for name in ("metrics.csv", "steps.csv"):
        with open(folder / name, encoding="utf-8") as file:
            for row in csv.DictReader(file):
                told.append({key: float(value).hex() for key, value in row.items() if value and
                             (key in ("step", "learning_rate", "loss", "gradient_norm") or key in columns)})
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def machine(attributes):
    """What the bits depend on, of the attributes of a checkpoint."""
    return {"blas": attributes["blas_version"], "kernel": attributes["blas_kernel"], "vectors": attributes["simd_target"],
            "libc": " ".join(platform.libc_ver())}


def train(name, folder, ranks, environment):
    """Makes the run in `folder`; returns (the machine, [digest, hash of the numbers])."""
    base, *more = RUNS[name]
    ranks = 1 if "train.shards=1" in more else ranks
    run_file = folder.with_suffix(".toml")
    run_file.write_text(base, encoding="utf-8")
    arguments = [word for setting in more for word in ("--set", setting)]
    # One process, and nobody to talk to: MPI need not start a daemon for it. Such processes share a session folder.
    with tempfile.TemporaryDirectory(prefix="mpi-") as session:
        alone = {"OMPI_MCA_ess_singleton_isolated": "1", "OMPI_MCA_orte_tmpdir_base": session} if ranks == 1 else {}
        program.run("train", run_file, "--output", folder, "--quiet", *arguments, ranks=ranks, mpi=ranks > 1,
                    environment={**alone, **environment})
    with h5py.File(folder / "checkpoints" / program.checkpoints(folder)[-1], "r") as file:
        texts = {key: value.decode() if isinstance(value, bytes) else value for key, value in file.attrs.items()}
    return machine(texts), [texts["digest"], numbers(folder)]


def train_all(folder, ranks=1, environment=None):
    """(the machine, {name: [digest, hash of the numbers]}) of all runs, which leave their folders in `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2 if ranks == 1 else 1) as pool:
        jobs = {name: pool.submit(train, name, folder / f"run-{number}", ranks, environment or {})
                for number, name in enumerate(RUNS)}
        ends = {name: job.result() for name, job in jobs.items()}
    machines = [on for on, _ in ends.values()]
    assert all(on == machines[0] for on in machines), machines
    return machines[0], {name: end for name, (_, end) in ends.items()}


# What is recorded: a list of {"blas", "libc", "on", "ends"}, where "on" lists the pairs of kernel and vectors that all
# come to the same ends.


def read():
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"runs": "", "machines": []}


def is_of(entry, on):
    return (entry["blas"], entry["libc"]) == (on["blas"], on["libc"]) and [on["kernel"], on["vectors"]] in entry["on"]


def recorded(content, on):
    """The ends that are recorded for a machine, or None."""
    return next((entry["ends"] for entry in content["machines"] if is_of(entry, on)), None)


def record(content, on, ends):
    """Puts the ends of a machine into the content, in place of those that were there."""
    for entry in content["machines"]:
        if is_of(entry, on):
            entry["on"].remove([on["kernel"], on["vectors"]])
    same = [entry for entry in content["machines"]
            if (entry["blas"], entry["libc"], entry["ends"]) == (on["blas"], on["libc"], ends)]
    if not same:
        content["machines"].append({"blas": on["blas"], "libc": on["libc"], "on": [], "ends": ends})
        same = content["machines"][-1:]
    same[0]["on"] = sorted(same[0]["on"] + [[on["kernel"], on["vectors"]]])
    content["machines"] = [entry for entry in content["machines"] if entry["on"]]


def write(content):
    """A run a line, so that a change can be read in a diff."""
    entries = []
    for entry in content["machines"]:
        ends = ",\n".join(f"    {json.dumps(name)}: {json.dumps(end)}" for name, end in entry["ends"].items())
        head = ", ".join(f"{json.dumps(key)}: {json.dumps(entry[key])}" for key in ("blas", "libc"))
        entries.append(f'  {{{head},\n   "on": {json.dumps(entry["on"])},\n   "ends": {{\n{ends}}}}}')
    FILE.write_text(f'{{"runs": {json.dumps(content["runs"])},\n "machines": [\n' + ",\n".join(entries) + "]}\n",
                    encoding="utf-8")
