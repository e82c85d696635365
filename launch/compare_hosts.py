"""Times lockstep and PyTorch on two hosts in turn and prints medians and ratios; see compare-hosts.sh."""

import argparse
import json
import statistics
import subprocess

import cluster
from compare_torch import LOCKSTEP, PYTHON, machine

HOSTS = 2
SECONDS = 600
WIDE = ("784,512,256,10", 512)  # widths, batch a rank; relu, sgd
DEEP = ("1024,1024,1024,1024,10", 1024)
BENCH_ROUNDS = 15  # of so many steps as --steps tells
STEPS = (2, 10)


def run(net, *words):
    try:
        done = net.run([1] * HOSTS, *words, environment={"OMP_NUM_THREADS": "1"}, timeout=SECONDS)
    except subprocess.TimeoutExpired as late:
        raise SystemExit(f"{' '.join(map(str, words))}\nstill ran after {SECONDS} s") from late
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def lockstep_step(net, shape, *more):
    widths, batch = shape
    return json.loads(run(net, LOCKSTEP, "bench", "--layers", widths, "--batch", batch, *more, "--json"))


def torch_step(net, shape):
    widths, batch = shape
    out = run(net, PYTHON, "-B", "launch/torch_peer.py", "step", "--exchange", "ddp", "--layers", widths, "--batch", batch)
    return float(out.split()[-1])


def title(shape):
    return f"{shape[0].replace(',', '-')} x{shape[1]}"


def compare_steps(net, rounds):
    exact, rounded, ddp = [], [], []
    for _ in range(rounds):
        ddp.append(torch_step(net, WIDE))
        exact.append(lockstep_step(net, WIDE)["samples_per_second"])
        rounded.append(lockstep_step(net, WIDE, "--wire", "bfloat16")["samples_per_second"])
    d = statistics.median(ddp)
    print(f"\n{title(WIDE)} sgd, samples/s, medians of {rounds} rounds (least to most), and times DDP:")
    for name, values in (("DDP", ddp), ("lockstep", exact), ("lockstep, bfloat16", rounded)):
        middle = statistics.median(values)
        print(f"  {name:20}{middle:>10.0f}   ({min(values):.0f} to {max(values):.0f}){middle / d:>8.2f}", flush=True)


def compare_overlap(net, rounds):
    exposed, without = [], []
    for _ in range(rounds):
        without.append(lockstep_step(net, DEEP, "--no-overlap")["communication_us"] / 1e3)
        exposed.append(lockstep_step(net, DEEP)["communication_us"] / 1e3)
    e, w = statistics.median(exposed), statistics.median(without)
    print(f"\n{title(DEEP)} sgd, exposed communication a step, medians of {rounds} rounds:\n"
          f"  {e:.1f} ms with overlap, {w:.1f} ms without, ratio {e / w:.2f}", flush=True)


def compare_bytes(net):
    widths = [int(text) for text in WIDE[0].split(",")]
    parameters = sum((inputs + 1) * units for inputs, units in zip(widths, widths[1:]))
    least = 2 * (HOSTS - 1) / HOSTS * 4 * parameters
    print(f"\n{title(WIDE)} sgd, bytes that a host's card sends a step, of the {least:.0f} that the gradient needs:")
    for wire in ("float32", "bfloat16"):
        sent = []
        for steps in STEPS:
            before = [net.traffic(host).sent for host in range(HOSTS)]
            lockstep_step(net, WIDE, "--wire", wire, "--steps", steps)
            sent.append([net.traffic(host).sent - start for host, start in enumerate(before)])
        most = max(long - short for short, long in zip(*sent)) / (BENCH_ROUNDS * (STEPS[1] - STEPS[0]))
        print(f"  {wire:10}{most:>10.0f}, {most / least:.3f} times", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", default="1gbit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["steps", "overlap", "bytes"])
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error(f"--rounds: expected 1 or more, found {args.rounds}")
    if reason := cluster.reason_not_to_run():
        raise SystemExit(f"Here hosts cannot be made: {reason}")
    with cluster.Cluster(HOSTS, args.rate) as net:
        print(f"{machine()}; {HOSTS} hosts of one rank each, links of {args.rate}")
        if args.only in (None, "steps"):
            compare_steps(net, args.rounds)
        if args.only in (None, "overlap"):
            compare_overlap(net, args.rounds)
        if args.only in (None, "bytes"):
            compare_bytes(net)


if __name__ == "__main__":
    main()
