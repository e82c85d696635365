"""Writes pinned.json anew: what the runs of pinned_runs.py end in, on every kernel and vector that this processor has.

Usage: pinned_record.py PROGRAM
For the bits of a change that is meant to change them. What other machines have recorded (another OpenBLAS, another C
library, other processors) stays as long as nothing that is recorded here has changed; else it is of the past and goes.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import pinned_runs

KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake")
VECTORS = ("SSSE3", "SSE4", "AVX2", "AVX3")
# Loaded before the program, it keeps Highway from better vectors, whose bits are the lower ones.
PRELOAD = """
#include <hwy/targets.h>
__attribute__((constructor)) static void choose() { hwy::DisableTargets(HWY_%s - 1); }
"""


def with_vectors(folder, name):
    """The environment in which the program takes these vectors, or none better that the processor has."""
    library = folder / f"{name}.so"
    subprocess.run(["g++", "-std=c++17", "-x", "c++", "-", "-shared", "-fPIC", "-o", library, "-lhwy"],
                   input=PRELOAD % name, text=True, check=True)
    return {"LD_PRELOAD": str(library)}


def main():
    content, before = pinned_runs.read(), pinned_runs.read()
    made, changed = [], before["runs"] != pinned_runs.definition()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # As the environment has it, and everything that can be asked for.
        settings = [{}] + [{"OPENBLAS_CORETYPE": kernel, **with_vectors(folder, vectors)}
                           for kernel in KERNELS for vectors in VECTORS]
        for number, environment in enumerate(settings):
            on, ends = pinned_runs.train_all(folder / str(number), environment=environment)
            if on in made:
                continue  # the processor lacks what was asked for
            made.append(on)
            known = pinned_runs.recorded(before, on)
            changed = changed or (known is not None and known != ends)
            pinned_runs.record(content, on, ends)
            print(on["kernel"], on["vectors"], "new" if known is None else "as before" if known == ends else "changed",
                  flush=True)
    if changed:
        for entry in content["machines"]:
            entry["on"] = [pair for pair in entry["on"] if any(pinned_runs.is_of({**entry, "on": [pair]}, on) for on in made)]
        content["machines"] = [entry for entry in content["machines"] if entry["on"]]
    pinned_runs.write({"runs": pinned_runs.definition(), "machines": content["machines"]})


if __name__ == "__main__":
    os.environ.pop("OMP_NUM_THREADS", None)
    main()
