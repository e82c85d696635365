"""lockstep doctor: what it tells, what it finds wrong, and its exit codes. Speeds are looked at for being there, never for
being high: the machine may be busy."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py

import fake_hosts
import program

RUN = program.ROOT / "launch/runs/digits.toml"
OTHER_BLAS = os.path.abspath(sys.argv[2])
FAKE_HOST = os.path.abspath(sys.argv[3])


def unlike_ranks(*ranks):
    """doctor --json on two ranks, each of mpirun's words for it with its own arguments."""
    words = ["mpirun"]
    for options, arguments in ranks:
        words += [*(":" if len(words) > 1 else ""), "-n", "1", *map(str, options), program.PROGRAM, "doctor", *map(str, arguments),
                  "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **program.IMPATIENT})
    return done.returncode, json.loads(done.stdout)


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        cls.output = cls.folder / "new" / "run"
        cls.found = json.loads(program.run("doctor", RUN, "--output", cls.output, "--json", ranks=2).stdout)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_tells_of_hosts_and_ranks(self):
        self.assertEqual(self.found["ranks"], 2)
        self.assertEqual(set(self.found["versions"]), {"lockstep", "MPI", "BLAS", "HDF5"})
        self.assertEqual(len(self.found["hosts"]), 1)
        host = self.found["hosts"][0]
        self.assertEqual(host["ranks"], [0, 1])
        self.assertEqual(host["cores"], os.cpu_count())
        self.assertGreaterEqual(host["cores"], len(host["allowed_cores"]))
        self.assertLessEqual(host["available_bytes"], host["memory_bytes"])
        for key in ("memory_bytes", "shm_free_bytes", "step_us"):
            self.assertGreater(host[key], 0, key)
        self.assertTrue(host["blas_kernel"] and host["simd_target"])
        self.assertEqual(len(host["gemm_gflops"]), 2)
        self.assertTrue(all(rate > 0 for rate in host["gemm_gflops"]))

    def test_measures_the_net_of_the_run(self):
        net, speed = self.found["net"], self.found["speed"]
        self.assertEqual((net["shape"], net["parameters"], net["batch"], net["shards"]), ("64-128-64-10", 17226, 128, 8))
        self.assertEqual((speed["rows"], speed["job"]["exchange"]), (16, "node"))
        for times in (speed["alone"], speed["full"]):
            rows = [point["rows"] for point in times]
            self.assertEqual(rows, sorted(rows))
            self.assertIn(16, rows)
            self.assertTrue(all(point["forward_us"] > 0 and point["backward_us"] > 0 for point in times))
        self.assertGreater(speed["job"]["samples_per_second"], 0)
        self.assertGreater(self.found["network"]["all_gather"]["us"], 0)
        self.assertEqual(self.found["network"]["links"], [])

    def test_samples_data_and_tries_the_output_folder(self):
        train, test = self.found["files"]["data"]
        self.assertEqual((train["key"], train["samples"], train["read"]), ("data.train", 1438, 1438))
        self.assertEqual((test["key"], test["samples"]), ("data.test", 359))
        self.assertTrue(self.found["files"]["output"]["good"])
        self.assertEqual(self.found["problems"], [])
        self.assertFalse(self.output.parent.exists(), "what was not there before is gone")

    def test_leaves_a_run_folder_as_it_is(self):
        folder = self.folder / "mine"
        folder.mkdir()
        (folder / "notes").write_text("kept", encoding="utf-8")
        program.run("doctor", "--output", folder, "--json")
        self.assertEqual([path.name for path in folder.iterdir()], ["notes"])

    def test_predicts_as_far_as_the_shards_go_round(self):
        prediction = self.found["prediction"]
        for kind in ("strong", "weak"):
            rows = prediction[kind]
            self.assertEqual([row["ranks"] for row in rows], [2**i for i in range(11)])
            for row in rows:
                if row["ranks"] > 8:
                    self.assertIsNone(row["samples_per_second"])
                    continue
                parts = sum(row[key] for key in ("compute_us", "network_us", "update_us", "wait_us"))
                self.assertAlmostEqual(row["step_us"], parts, delta=1e-6 * parts)
                self.assertAlmostEqual(row["samples_per_second"], row["batch"] / row["step_us"] * 1e6, delta=1)
                self.assertEqual(row["network_us"] > 0, row["ranks"] > 2)
        self.assertEqual({row["batch"] for row in prediction["strong"][:4]}, {128})
        self.assertEqual([row["batch"] for row in prediction["weak"][:4]], [64, 128, 256, 512])
        self.assertEqual((prediction["strong"][0]["efficiency"], prediction["weak"][0]["efficiency"]), (1, 1))
        self.assertEqual(prediction["here"], prediction["strong"][1])
        self.assertTrue(prediction["network"]["assumed"])
        self.assertLessEqual(prediction["limit"]["ranks"], 8)

    def test_predicts_on_the_network_that_is_given(self):
        done = program.run("doctor", RUN, "--output", self.output, "--network", "50,0.001", "--set", "train.shards=2048", "--json")
        prediction = json.loads(done.stdout)["prediction"]
        network = prediction["network"]
        self.assertAlmostEqual(network["latency_us"], 50)
        self.assertAlmostEqual(network["gbit"], 0.001)
        self.assertFalse(network["assumed"])
        # From a job of one rank: a rank a host. Half of the gradient's 69 KB go to the other host, half come back.
        step = prediction["strong"][1]
        self.assertEqual(step["hosts"], 2)
        self.assertGreater(step["network_us"], 17226 * 4 * 8 / 0.001e9 * 1e6 * 0.4)
        self.assertIsNotNone(prediction["strong"][10]["samples_per_second"])

    def test_is_readable(self):
        text = program.run("doctor", RUN, "--output", self.output, ranks=2).stdout
        lines = text.splitlines()
        for title in ("HOSTS", "FILES", "COMPUTE", "NETWORK", "PREDICTION"):
            self.assertEqual(sum(line.startswith(title) for line in lines), 1, title)
        self.assertRegex(lines[-1], r"^VERDICT +(all is well|a run would work; )")
        self.assertIn("assumed", text)
        self.assertRegex(text, r"This job: \d+ samples/s measured on 2 ranks \(exchange node\),\s+\d+\s+predicted")
        self.assertLessEqual(max(map(len, lines)), 100)
        self.assertEqual([line for line in lines if line != line.rstrip()], [])

    def test_without_a_run_file_measures_what_needs_none(self):
        for ranks in (1, 3):
            found = json.loads(program.run("doctor", "--json", ranks=ranks).stdout)
            self.assertEqual(found["net"]["shape"], "784-512-256-10")
            self.assertEqual(len(found["hosts"][0]["gemm_gflops"]), ranks)
            self.assertIsNone(found["prediction"])
            self.assertEqual(found["files"], {"data": [], "output": None})
            self.assertEqual(found["problems"], [])
            crowded = [text for text in found["warnings"] if "wait for each other" in text]
            self.assertEqual(len(crowded), 1 if ranks > os.cpu_count() else 0)

    def test_missing_data_and_a_bad_output_folder_are_exit_2(self):
        (self.folder / "file").write_text("", encoding="utf-8")
        output = self.folder / "file" / "run"
        done = program.run("doctor", RUN, "--set", "data.train=none.h5:/train", "--output", output, ranks=2, expect=2)
        self.assertRegex(done.stdout, r"problem: no file none\.h5 ")
        self.assertRegex(done.stdout, r"problem: the output folder \S+/file/run\s+cannot be written: Not a directory")
        self.assertRegex(done.stdout.splitlines()[-1], "^VERDICT +a run would not work: 2 things stand in its way$")
        self.assertIn("(not the run's)", done.stdout)
        self.assertNotIn("PREDICTION", done.stdout)

    def test_what_is_wrong_on_one_rank_names_it(self):
        folders = [self.folder / name for name in ("mine", "theirs", "other")]
        for place in folders:
            place.mkdir(exist_ok=True)
            (place / "run.toml").write_text(RUN.read_text(encoding="utf-8").replace("data/", ""), encoding="utf-8")
        for place in folders[0], folders[2]:
            shutil.copy(program.ROOT / "data/digits.h5", place)
        with h5py.File(folders[2] / "digits.h5", "a") as file:
            file["train/x"][700, 3, 3] ^= 1
        words = ("run.toml", "--output", "run")
        code, found = unlike_ranks((["-wdir", folders[0]], words), (["-wdir", folders[1]], words))
        self.assertEqual((code, found["verdict"], len(found["problems"])), (2, "bad", 2))
        self.assertRegex(found["problems"][0], r"^rank 1 on \S+: no file digits\.h5 ")
        self.assertRegex(found["problems"][1], r"^rank 1 on \S+: a file that rank 0 on \S+ wrote to .* is not seen within")
        code, found = unlike_ranks((["-wdir", folders[0]], ("run.toml", "--output", self.output)),
                                   (["-wdir", folders[2]], ("run.toml", "--output", self.output)))
        self.assertEqual((code, len(found["problems"])), (2, 1))
        self.assertRegex(found["problems"][0], r"^data\.train: rank 1 on \S+ has read other samples from \S+digits\.h5")

    def test_unlike_software_is_exit_2_and_unlike_kernels_are_odd(self):
        kernels = ("Haswell", "Sandybridge")
        code, found = unlike_ranks(*[(["-x", f"OPENBLAS_CORETYPE={kernel}"], ()) for kernel in kernels])
        self.assertEqual((code, found["verdict"]), (0, "slow"))
        self.assertTrue(any(re.search(r"unlike machine code .*: rank 1 on \S+ get other bits than rank 0 on \S+ \(forward, "
                                      r"input_gradient, weight_gradient\)", text) for text in found["warnings"]),
                        found["warnings"])
        code, found = unlike_ranks(([], ()), (["-x", f"LD_PRELOAD={OTHER_BLAS}"], ()))
        self.assertEqual((code, found["verdict"], len(found["problems"])), (2, "bad", 1))
        self.assertRegex(found["problems"][0], r"^rank 1 on \S+ has BLAS OpenBLAS 0\.0\.1 where rank 0 on \S+ has OpenBLAS")

    def on_hosts(self, ranks, *arguments):
        words = fake_hosts.mpirun(self.folder, FAKE_HOST, ranks) + [program.PROGRAM, "doctor", *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=program.PLACE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_measures_between_hosts_and_predicts_with_it(self):
        found = json.loads(self.on_hosts({"left": 2, "right": 1}, RUN, "--output", self.output, "--json"))
        self.assertEqual([(host["host"], host["ranks"]) for host in found["hosts"]], [("left", [0, 1]), ("right", [2])])
        self.assertTrue(all(host["gbit"] > 0 for host in found["hosts"]))
        network = found["network"]
        self.assertEqual([link["hosts"] for link in network["links"]], [["left", "right"]])
        self.assertEqual(network["gbit"], min(host["gbit"] for host in found["hosts"]))
        self.assertEqual(network["latency_us"], network["links"][0]["latency_us"])
        self.assertTrue(0 <= network["load"] < 1)
        self.assertEqual(len(found["files"]["data"][0]["seconds"]), 2)
        prediction = found["prediction"]
        self.assertEqual(prediction["ranks_per_host"], 2)
        self.assertFalse(prediction["network"]["assumed"])
        self.assertEqual(prediction["network"]["gbit"], network["gbit"])
        self.assertEqual([row["hosts"] for row in prediction["strong"][:4]], [1, 1, 2, 4])
        self.assertEqual((prediction["here"]["ranks"], prediction["here"]["hosts"]), (3, 2))

    def test_names_every_link_and_host(self):
        text = self.on_hosts({"red": 1, "green": 1, "blue": 1}, "--network", "20,25")
        for link in ("red - green", "red - blue", "green - blue"):
            self.assertRegex(text, rf"(?m)^  {link} +\d+\.\d +\d+\.\d+$")
        self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_usage_and_run_files_that_are_wrong_are_exit_2_once(self):
        bad = self.folder / "bad.toml"
        bad.write_text("[model]\nlayer = 3\n", encoding="utf-8")
        for words, told in ((["no.toml"], "no.toml"), ([bad], "layer"), ([RUN, "--set", "train.batch=0"], "train.batch"),
                            ([RUN, "--network", "20"], "--network: expected microseconds and Gbit/s"),
                            ([RUN, "--network", "20,0"], "--network"), (["--set", "a=1"], "--set"), (["--output", ""], "--output"),
                            ([RUN, "--set", "train.shards=1"], "train.shards: 2 ranks")):
            done = program.run("doctor", *words, ranks=2, expect=2)
            self.assertEqual(done.stderr.count("lockstep: error:"), 1, words)
            self.assertIn(told, done.stderr)


if __name__ == "__main__":
    program.main()
