"""The benchmark gate: what it tells of figures beside those of a release, and that nothing makes it fail.

Usage: bench_gate_test.py
"""

import contextlib
import io
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import bench_gate  # noqa: E402


def row(of_floor, ranks=1, batch=64, kernel="Haswell"):
    return {"ranks": ranks, "layers": [8, 4], "activation": "relu", "batch_per_rank": batch, "of_floor": of_floor,
            "blas_kernel": kernel, "simd_target": "AVX2"}


class BenchGate(unittest.TestCase):
    def told(self, now, then):
        return list(bench_gate.table(now, {"release": "0.1.0", **then}))

    def test_medians_stand_beside_the_release_with_their_ratio(self):
        then = bench_gate.figures([[row(0.8), row(0.5, ranks=2)]])
        now = bench_gate.figures([[row(0.4)], [row(0.6)], [row(0.9)]])
        lines = self.told(now, then)
        self.assertEqual([line.split() for line in lines], [
            ["of", "the", "floor", "now", "0.1.0", "ratio"],
            ["1", "rank,", "8-4", "relu,", "64", "a", "rank", "0.60", "0.80", "0.75"],
            ["2", "ranks,", "8-4", "relu,", "64", "a", "rank", "-", "0.50", "-"]])

    def test_other_kernels_make_ratios_void(self):
        then = bench_gate.figures([[row(0.8, kernel="SkylakeX")]])
        lines = self.told(bench_gate.figures([[row(0.8)]]), then)
        self.assertIn("blas kernel: now Haswell, then SkylakeX", lines)
        self.assertIn("mean nothing", lines[-1])

    def test_another_processor_is_told(self):
        now = bench_gate.figures([[row(0.8)]])
        lines = self.told(now, {**now, "processor": "abacus"})
        self.assertIn("then abacus", lines[-2])
        self.assertIn("mean little", lines[-1])

    def test_what_cannot_be_measured_is_told_and_is_no_failure(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(bench_gate.main(["--program", "/no/such/program"]), 0)
        self.assertIn("No figures: ", output.getvalue())

    def test_the_release_has_all_that_is_compared(self):
        then = json.loads(bench_gate.FILE.read_text(encoding="utf-8"))
        self.assertEqual(set(then), {"release", "of_floor", *bench_gate.MACHINE})
        self.assertEqual(len(then["of_floor"]), 5 * len(bench_gate.RANKS))


if __name__ == "__main__":
    unittest.main()
