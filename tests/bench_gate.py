#!/usr/bin/env python3
"""How fast the training step is, of its matrix products alone, beside the last release's figures. It fails nothing.

Usage: tests/bench_gate.py [--program build/bin/lockstep] [--record]
Runs lockstep bench at 1 and 2 ranks, forty seconds at most, and prints a table. --record, for a release, on a machine that
does nothing else: takes the medians of three such runs for the figures of this version, in tests/bench_release.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = Path(__file__).parent / "bench_release.json"
RANKS = (1, 2)
ROUNDS = 3
SECONDS = 40  # all in all; what takes longer is left out
MACHINE = ("processor", "cores", "blas_kernel", "simd_target")


def bench(program, ranks, seconds):
    """What lockstep bench tells of each shape."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    done = subprocess.run(["mpirun", "-n", str(ranks), "--oversubscribe", program, "bench", "--json", "--rounds", str(ROUNDS)],
                          capture_output=True, text=True, timeout=seconds, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"lockstep bench ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)["table"]


def name_of(row):
    ranks = row["ranks"]
    return f"{ranks} rank{'s' if ranks > 1 else ''}, {'-'.join(map(str, row['layers']))} {row['activation']}, " \
           f"{row['batch_per_rank']} a rank"


def figures(tables):
    """What release and machine are told by, of the tables of equal benches: the median of each shape."""
    rows = {}
    for row in [row for table in tables for row in table]:
        rows.setdefault(name_of(row), []).append(row["of_floor"])
    processor = [line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
                 if line.startswith("model name")]
    first = tables[0][0]
    return {"processor": processor[0] if processor else "", "cores": len(os.sched_getaffinity(0)),
            "blas_kernel": first["blas_kernel"], "simd_target": first["simd_target"],
            "of_floor": {name: round(statistics.median(values), 3) for name, values in rows.items()}}


def table(now, then):
    """The lines that compare two figures."""
    shapes = list(now["of_floor"]) + [name for name in then["of_floor"] if name not in now["of_floor"]]
    width = max(map(len, shapes))
    yield f"{'of the floor':<{width}}  {'now':>6}  {then['release']:>6}  {'ratio':>6}"
    for shape in shapes:
        here, there = now["of_floor"].get(shape), then["of_floor"].get(shape)
        ratio = f"{here / there:6.2f}" if here and there else f"{'-':>6}"
        yield f"{shape:<{width}}  " + "  ".join(f"{value:6.2f}" if value else f"{'-':>6}" for value in (here, there)) + f"  {ratio}"
    unlike = [name for name in MACHINE if now[name] != then[name]]
    for name in unlike:
        yield f"{name.replace('_', ' ')}: now {now[name]}, then {then[name]}"
    if "blas_kernel" in unlike or "simd_target" in unlike:
        yield "With other kernels or vectors the floor is another: the ratios mean nothing."
    elif unlike:
        yield "On another machine the ratios mean little."


def measure(program, times=1):
    """The figures of so many benches; those that take too long are told and left out."""
    end = time.monotonic() + SECONDS * times
    tables = []
    for ranks in RANKS * times:
        try:
            tables.append(bench(program, ranks, max(1.0, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            print(f"{ranks} rank{'s' if ranks > 1 else ''}: not within {SECONDS * times} s; the machine does something else")
    if not tables:
        raise RuntimeError("nothing was measured")
    return figures(tables)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/bin/lockstep")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args(arguments)
    if options.record:
        version = subprocess.run([options.program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
        measured = measure(options.program, 3)
        if len(measured["of_floor"]) < 5 * len(RANKS):
            sys.exit("Not all was measured, so nothing is recorded.")
        FILE.write_text(json.dumps({"release": version, **measured}, indent=1) + "\n", encoding="utf-8")
        return 0
    try:
        print("\n".join(table(measure(options.program), json.loads(FILE.read_text(encoding="utf-8")))))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        print(f"No figures: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
