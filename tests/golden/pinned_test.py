"""Bits that must not change unless they are meant to: the ends of short runs, as recorded in pinned.json.

Usage: pinned_test.py PROGRAM
A change that is meant to change them: pinned_record.py PROGRAM, and a word in the commit on what has changed and why.
"""

import os
import tempfile
import unittest
from pathlib import Path

import pinned_runs
import program

RECORD = f"PYTHONPATH=tests/support /usr/bin/python3 -B tests/golden/pinned_record.py {program.PROGRAM}"


class PinnedBits(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.folder = Path(self.scratch.name)
        self.content = pinned_runs.read()
        self.assertEqual(self.content["runs"], pinned_runs.definition(),
                         f"pinned.json is of other runs than pinned_runs.py has; record anew: {RECORD}")

    def assert_ends(self, found, expected, on):
        changed = [f"{name}: expected digest and numbers {expected[name]}, found {end}"
                   for name, end in found.items() if end != expected[name]]
        if changed:
            self.fail("\n".join([
                f"{len(changed)} of {len(found)} runs have other bits than recorded ({on}):", *changed,
                f"If that is meant, record anew and say in the commit what has changed: {RECORD}"]))

    def test_runs_end_in_the_bits_that_are_recorded(self):
        on, found = pinned_runs.train_all(self.folder / "own")
        expected = pinned_runs.recorded(self.content, on)
        if expected is not None:
            self.assert_ends(found, expected, on)
            return
        # Nobody has recorded this machine: the kernels of another that it can use too, and its own at another rank count.
        print(f"not recorded: {on}; to record this machine: {RECORD}")
        other, ends = pinned_runs.train_all(self.folder / "haswell", environment={"OPENBLAS_CORETYPE": "Haswell"})
        expected = pinned_runs.recorded(self.content, other)
        if expected is not None:
            self.assert_ends(ends, expected, other)
        _, again = pinned_runs.train_all(self.folder / "ranks", ranks=3)
        self.assertEqual(again, found, "3 ranks have other bits than one")


if __name__ == "__main__":
    os.environ.pop("OMP_NUM_THREADS", None)
    program.main()
