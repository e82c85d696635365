"""Times lockstep and PyTorch in turn and prints medians and ratios; see compare-torch.sh."""

import argparse
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

LOCKSTEP = "build/bin/lockstep"
PYTHON = "/usr/bin/python3"
# widths, batch a rank, activation, optimizer
SHAPES = [
    ("784,512,256,10", 64, "relu", "sgd"),
    ("784,512,256,10", 512, "relu", "sgd"),
    ("1024,2048,2048,1000", 128, "relu", "sgd"),
    ("16,64,64,26", 32, "relu", "sgd"),
    ("784,512,256,10", 64, "relu", "adam"),
]


def run(command, **environment):
    done = subprocess.run([str(word) for word in command], env={**os.environ, **environment}, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def lockstep_step(ranks, shape):
    widths, batch, activation, optimizer = shape
    out = run(["mpirun", "-n", ranks, LOCKSTEP, "bench", "--layers", widths, "--batch", batch, "--activation", activation,
               "--optimizer", optimizer, "--json"])
    return json.loads(out)


def torch_step(ranks, shape, exchange):
    widths, batch, activation, optimizer = shape
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # DDP has threads of its own, which need not share the core of their rank.
    binding = ["--bind-to", "none"] if exchange == "ddp" else []
    out = run(["mpirun", *binding, "-n", ranks, PYTHON, "launch/torch_peer.py", "step", "--exchange", exchange, "--layers",
               widths, "--batch", batch, "--activation", activation, "--optimizer", optimizer],
              OMP_NUM_THREADS="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    return float(out.split()[-1])


def machine():
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", info)
    return f"{model.group(1) if model else platform.processor()}, {os.cpu_count()} cores"


def compare_steps(ranks, rounds):
    print(f"\nTraining steps on {ranks} ranks, samples/s, medians of {rounds} rounds; batch is a rank's\n")
    print(f"{'':34}{'lockstep':>10}{'of floor':>9}{'DDP':>10}{'mpi4py':>10}{'x DDP':>8}{'x mpi4py':>9}")
    for shape in SHAPES:
        ours, floor, ddp, mpi = [], [], [], []
        for _ in range(rounds):
            ddp.append(torch_step(ranks, shape, "ddp"))
            mpi.append(torch_step(ranks, shape, "mpi"))
            step = lockstep_step(ranks, shape)
            ours.append(step["samples_per_second"])
            floor.append(step["of_floor"])
        o, f, d, m = map(statistics.median, (ours, floor, ddp, mpi))
        title = f"{shape[0].replace(',', '-')} x{shape[1]} {shape[3]}"
        print(f"{title:34}{o:>10.0f}{f:>9.2f}{d:>10.0f}{m:>10.0f}{o / d:>8.2f}{o / m:>9.2f}", flush=True)


def compare_train(ranks, rounds):
    """The same shape and data in bench and in train: what train adds must be small."""
    import h5py
    import numpy

    widths, batch = "784,512,256,10", 64
    rng = numpy.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with h5py.File(folder / "data.h5", "w") as file:
            file["train/x"] = rng.random((8192, 784), dtype="f4")
            file["train/y"] = rng.integers(0, 10, 8192)
        layers = ", ".join(f'{{type="dense", units={n}}}' + (', {type="relu"}' if n != "10" else "")
                           for n in widths.split(",")[1:])
        (folder / "run.toml").write_text(f"""
[data]
train = "{folder}/data.h5:/train"
[model]
loss = "softmax_cross_entropy"
layers = [{layers}]
[train]
batch = {batch * ranks}
epochs = 40
[optimizer]
type = "sgd"
lr = 1e-3
momentum = 0.9
[checkpoint]
every_epochs = 0
""", encoding="utf-8")
        bench, train = [], []
        for i in range(rounds):
            bench.append(lockstep_step(ranks, (widths, batch, "relu", "sgd"))["samples_per_second"])
            run(["mpirun", "-n", ranks, LOCKSTEP, "train", folder / "run.toml", "--output", folder / f"out{i}", "--quiet"])
            train.append(json.loads((folder / f"out{i}/summary.json").read_text(encoding="utf-8"))["samples_per_second"])
    b, t = statistics.median(bench), statistics.median(train)
    print(f"\ntrain beside bench, {widths.replace(',', '-')} x{batch}: {t:.0f} of {b:.0f} samples/s, {t / b:.2f}", flush=True)
    return t / b


def compare_fashion(ranks, rounds):
    ours, torch, accuracies, torch_accuracies = [], [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for i in range(rounds):
            start = time.perf_counter()
            torch_accuracies.append(float(run([PYTHON, "launch/torch_peer.py", "fashion", "10"]).split()[-1]))
            torch.append(time.perf_counter() - start)
            out = Path(scratch) / str(i)
            start = time.perf_counter()
            run(["mpirun", "-n", ranks, LOCKSTEP, "train", "launch/runs/fashion-mnist.toml", "--output", out, "--quiet",
                 "--set", f"train.shards={ranks}"])
            ours.append(time.perf_counter() - start)
            accuracies.append(json.loads((out / "summary.json").read_text(encoding="utf-8"))["test"]["accuracy"])
    o, t = statistics.median(ours), statistics.median(torch)
    print(f"\nFashion-MNIST, 784-256-128-10, batch 128, adam, 10 epochs, whole processes:\n"
          f"  lockstep on {ranks} ranks {o:.1f} s, accuracy {statistics.median(accuracies):.4f}\n"
          f"  one PyTorch process {t:.1f} s, accuracy {statistics.median(torch_accuracies):.4f}\n"
          f"  ratio {o / t:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ranks", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["steps", "train", "fashion"])
    args = parser.parse_args()
    print(machine())
    ratio = 1.0
    if args.only in (None, "steps"):
        compare_steps(args.ranks, args.rounds)
    if args.only in (None, "train"):
        ratio = compare_train(args.ranks, args.rounds)
    if args.only in (None, "fashion"):
        compare_fashion(args.ranks, args.rounds)
    if ratio < 0.95:
        raise SystemExit("train reaches less than 0.95 of what bench says")


if __name__ == "__main__":
    main()
