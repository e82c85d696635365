"""The rule checker itself: a clean tree passes, and one violation of each rule fails, naming the file.

Usage: check_rules_test.py COMPILER
"""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

import check_options
import check_rules

COMPILER = "g++"
CLEAN = {
    "README.md": "# The `top`, of all\n\nSee [core](src/core/README.md#sums-and-hashes), [up](#the-top-of-all), [git](https://git-scm.com/x),\n"
                 "`sum.hpp` and `io/*.cpp`; `[not](a-link)`.\n\n```sh\n# none: [x](y)\n```\n",
    "src/core/README.md": "# Core\n\n## Sums and hashes\n\n`sum.hpp`; [above](../../README.md)\n",
    **{f"src/{room}/README.md": "text\n" for room in ("compute", "io", "comm", "step", "cli", "cli/doctor")},
    "CMakeLists.txt": "project(x)\n",
    "include/lockstep/a.hpp": "#pragma once\n#include <vector>\n#include \"lockstep/b.hpp\"\n",
    "include/lockstep/b.hpp": "#pragma once\n",
    "include/lockstep/trainer.hpp": "#pragma once\n#include <mpi.h>\n// Never MPI_COMM_WORLD.\n",
    "src/compute/openblas.cpp": "#include <cblas.h>\n",
    "src/core/sum.hpp": "#pragma once\n// Told in src/core/README.md, \"Sums and hashes\".\n",
    "src/core/times.hpp": "#pragma once\nstruct Times {\n  double a = 0, b = 0;\n};\nTimes made() {\n  return {.a = 1};\n}\n",
    "src/io/file.cpp": "#include <hdf5.h>\n#include \"core/sum.hpp\"\n",
    "src/comm/ring.cpp": "#include <mpi.h>\n#include \"lockstep/a.hpp\"\n",
    "src/step/engine.cpp": "#include \"step/engine.hpp\"\n#include \"comm/ring.hpp\"\n#include \"step/plan.hpp\"\n",
    "src/cli/main.cpp": "#include \"step/engine.hpp\"\nauto world = MPI_COMM_WORLD;\n",
    "src/cli/doctor/doctor.cpp": "#include \"cli/doctor/doctor.hpp\"\n#include \"cli/main.hpp\"\n",
    "tests/single/core/sum_test.cpp": "#include \"core/sum.hpp\"\nTEST(Sum, Adds) { EXPECT_EQ(1, 1); }\n",
    "tests/support/expect_sum.hpp": "#pragma once\ninline void expect_sum(int a) {\n  EXPECT_EQ(a, 1);\n}\n",
    "tests/single/core/helped_test.cpp":
        "void twice(int a) const {\n  expect_sum(a);\n}\nTEST(Sum, Shared) { expect_sum(1); }\nTEST_F(Sum, Own) { twice(1); }\n"
        "TYPED_TEST(Sum, Lambda) {\n  const auto holds = [&](int a) -> void { ASSERT_TRUE(a == '\\'' || a == 1'000); };\n  holds(1);\n}\n",
    "tests/support/job.py": "def finish(job):\n    if job:\n        raise AssertionError(job)\ndef run(*words, expect=0):\n    finish(expect)\n",
    "tests/parallel/job_test.py":
        "class Jobs:\n    def test_own(self):\n        self.assertTrue(1)\n    def test_shared(self):\n        job.finish(1)\n"
        "    def test_expects(self):\n        run('x', expect=2)\n    def test_helped(self):\n        self.look()\n"
        "    def look(self):\n        self.test_own_way()\n        assert 1\n",
}
TIMES = "struct Times {\n  double a = 0;\n  double b = 0;\n};\n"
# Rule -> files, each of which alone breaks it.
BROKEN = {
    "includes": {
        "src/core/up.cpp": "#include \"io/file.hpp\"\n",
        "src/config/up.cpp": "#include \"model/net.hpp\"\n",
        "src/io/up.cpp": "#include \"data/dataset.hpp\"\n",
        "src/compute/up.cpp": "#include \"layers/layer.hpp\"\n",
        "src/layers/up.cpp": "#include \"model/net.hpp\"\n",
        "src/model/up.cpp": "#include \"comm/ring.hpp\"\n",
        "src/optim/up.cpp": "#include \"layers/layer.hpp\"\n",
        "src/data/up.cpp": "#include \"model/net.hpp\"\n",
        "src/comm/up.cpp": "  #  include \"layers/layer.hpp\"\n",
        "src/checkpoint/up.cpp": "#include \"layers/layer.hpp\"\n",
        "src/report/up.cpp": "#include \"checkpoint/checkpoint.hpp\"\n",
        "src/run/up.cpp": "#include \"cli/main.hpp\"\n",
        "src/net/up.cpp": "#include \"comm/ring.hpp\"\n",
        "src/feed/up.cpp": "#include \"step/engine.hpp\"\n",
        "src/step/up.cpp": "#include \"feed/run_data.hpp\"\n",
        "src/score/up.cpp": "#include \"run/fit.hpp\"\n",
        "src/journal/up.cpp": "#include \"run/prepare.hpp\"\n",
        "src/cli/up.cpp": "#include \"cli/doctor/doctor.hpp\"\n",
        "src/cli/explain/up.cpp": "#include \"cli/doctor/doctor.hpp\"\n",
        "src/core/near.cpp": "#include \"sum.hpp\"\n",
        "src/misc/up.cpp": "#include \"core/sum.hpp\"\n",
        "src/loose.cpp": "#include \"core/sum.hpp\"\n",
        "include/lockstep/up.hpp": "#include \"core/sum.hpp\"\n",
        "tests/single/core/up_test.cpp": "#include \"cli/main.hpp\"\nEXPECT_TRUE\n",
    },
    "circles": {
        "src/step/plan.hpp": "#include \"step/engine.hpp\"\n",
    },
    "libraries": {
        "src/data/a.cpp": "#include <mpi.h>\n",
        "include/lockstep/a2.hpp": "#include <mpi.h>\n",
        "src/core/b.cpp": "#include <cblas.h>\n",
        "src/layers/b.cpp": "#include \"compute/openblas.hpp\"\n",
        "src/checkpoint/c.cpp": "#include <hdf5.h>\n",
        "src/export/e.cpp": "#include <google/protobuf/io/coded_stream.h>\n",
        "src/run/e.cpp": "std::filesystem::directory_iterator entries;\n",
        "src/run/d.cpp": "auto world = MPI_COMM_WORLD;\n",
    },
    "places": {
        "tests/parallel/a_test.py": "subprocess.run(words, cwd=program.ROOT)\nself.assertTrue(1)\n",
        "tests/support/b.py": "def run(*words, cwd=ROOT):\n    options = {}\n",
        "tests/faults/c_test.py": "options = {\"cwd\": program.ROOT}\nself.assertTrue(1)\n",
    },
    "length": {
        "README.md": "\n" * 351,
        "src/core/long.cpp": "\n" * 401,
        "tests/long.py": "\n" * 401,
        "launch/long.sh": "\n" * 401,
        "src/core/CMakeLists.txt": "\n" * 401,
        "src/report/page/long.js": "\n" * 401,
    },
    "words": {
        "src/core/later.cpp": "// TO" + "DO: later\n",
        "launch/later.sh": "# FIX" + "ME\n",
        "tests/single/core/skip_test.cpp": "GTEST_" + "SKIP();\n",
        "tests/single/core/off_test.cpp": "TEST(Sum, DISABLED" + "_Adds)\n",
    },
    "members": {
        "src/core/made.cpp": f"{TIMES}Times made() {{\n  return {{1, 2}};\n}}\n",
        "src/core/inner.cpp": f"{TIMES}std::optional<Times> made() {{\n  if (no) return {{}};\n  return Times{{read(), 2}};\n}}\n",
        "src/core/held.hpp": f"#pragma once\n{TIMES}constexpr Times kHeld{{1, 2}};\n",
        "src/core/inline.hpp": f"#pragma once\n{TIMES}struct A {{\n  [[nodiscard]] Times made() const {{ return {{a, b}}; }}\n}};\n",
        "tests/single/core/list_test.cpp": f"EXPECT_TRUE\nstd::vector<Times> list;\nvoid f() {{ list.push_back({{1, 2}}); }}\n",
    },
    "assertions": {
        "tests/single/core/void_test.cpp": "TEST(Sum, Runs) { sum(); }\n",
        "tests/single/core/empty_test.cpp": "int a = 0;\n",
        "tests/single/core/second_test.cpp": "TEST(Sum, Adds) { EXPECT_EQ(1, 1); }\nTEST(Sum, Runs) { sum(); }\n",
        "tests/single/core/said_test.cpp": "TEST(Sum, Runs) {\n  sum();  // EXPECT_EQ(1, 1)\n  say(\"{ASSERT_EQ(1, 1);\");\n}\n",
        "tests/single/core/helper_test.cpp": "void helper() {\n  sum();\n}\nTEST_F(Sum, Runs) { helper(); }\n",
        "tests/single/core/inner_test.cpp": "TEST(Sum, Runs) {\n  for (;;) {\n  }\n}\nvoid late() { EXPECT_EQ(1, 1); }\n",
        "tests/parallel/void_test.py": "def test_a(self):\n    self.assertTrue(1)\ndef test_b(self):\n    run('x')\n",
        "tests/parallel/helper_test.py": "def helper():\n    'assert'\ndef test_a(self):\n    helper()\n",
    },
    "links": {
        "data/README.md": "[gone](../gone.md)\n",
        "launch/README.md": "[up](../README.md#no-such-heading)\n",
        "include/README.md": "two\n\n[here](#here)\n",
        "src/more.md": "`core/gone.cpp`\n",
        "src/comm/more.md": "of another room: `sum.hpp`\n",
        "src/core/named.hpp": "#pragma once\n// Told in src/gone/README.md.\n",
        "src/core/entered.hpp": "#pragma once\n// Told in src/core/README.md, \"Hashes\".\n",
    },
    "rooms": {
        "src/optim/sgd.cpp": "#include \"core/sum.hpp\"\n",
        "src/cli/explain/check.cpp": "#include \"core/sum.hpp\"\n",
    },
    "toplevel": {"notes.txt": "x\n", "docs/index.md": "x\n"},
    "headers": {
        "src/core/half.hpp": "#pragma once\nstd::vector<int> missing_include();\n",
        "include/lockstep/half.hpp": "#pragma once\nstd::string missing_include();\n",
    },
}


def check(rule, root, commands):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = check_rules.main([rule, "--root", str(root), "--commands", str(commands)])
    return status, output.getvalue()


class CheckRules(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name, text in CLEAN.items():
            self.write(name, text)
        self.commands = self.root / "build" / "compile_commands.json"
        source = self.root / "src/core/sum.cpp"
        self.write("build/mpi.h", "")
        folders = " ".join(f"-I{self.root}/{folder}" for folder in ("include", "src", "build"))
        self.write("build/compile_commands.json", json.dumps([{
            "directory": str(self.root), "file": str(source),
            "command": f"{COMPILER} -std=c++20 {folders} -o x.o -c {source}"}]))

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def test_a_clean_tree_passes(self):
        for rule in check_rules.RULES:
            with self.subTest(rule):
                status, output = check(rule, self.root, self.commands)
                self.assertEqual(status, 0, output)

    def test_every_violation_is_found_and_named(self):
        self.assertEqual(set(BROKEN), set(check_rules.RULES))
        for rule, violations in BROKEN.items():
            for name, text in violations.items():
                with self.subTest(rule=rule, file=name):
                    self.write(name, text)
                    status, output = check(rule, self.root, self.commands)
                    (self.root / name).unlink()
                    if name in CLEAN:
                        self.write(name, CLEAN[name])
                    self.assertEqual(status, 1)
                    self.assertIn({"toplevel": name.split("/")[0], "rooms": name.rpartition("/")[0]}.get(rule, name), output)
                    if rule == "toplevel" and "/" in name:
                        (self.root / name).parent.rmdir()


class CheckOptions(unittest.TestCase):
    PROGRAM = {
        "helps": {"": "", "train": "  --seed N              a seed (default: 7)\n"
                                   "  --output DIR          where it writes, which\n                        is a folder\n"
                                   "  --quiet               hush\n  --help                this text\n"},
        "keys": "seed\tinteger\t1\tsteers\t\ntrain.batch\tinteger\t32\tglobal batch\tmay change\n"
                "model.layers\tlist\t[]\ta list: lean (a, b), flat\t\n",
        "types": "layer\tlean\ta |x|\ta\tnumber\t0.1\tslope\nlayer\tlean\ta |x|\tb\tnumber\tneeded\tshift\nlayer\tflat\t0\t\t\t\t\n",
    }
    PAGES = {
        "cli.md": "# Commands\n\n`mpirun --oversubscribe`\n\n## train RUN.toml\n\n| option | default | what it does |\n|---|---|---|\n"
                  "| `--seed N` | `7` | a seed<br>of its own |\n| `--output DIR` | | where it writes, which is a [folder](x.md) |\n"
                  "| `--quiet` | | hush |\n\n```sh\nlockstep train x.toml \\\n  --quiet\n```\n",
        "config.md": "## At the top\n\n| key | type | default | what it does |\n|---|---|---|---|\n| `seed` | integer | `1` | steers |\n\n"
                     "## `[train]`\n\n| key | on resume | type | default | what it does |\n|---|---|---|---|---|\n"
                     "| `train.batch` | may change | integer | `32` | global batch |\n\n## `[model]`\n\n"
                     "| key | what it does |\n|---|---|\n| `model.layers` | a list |\n\n"
                     "| layer | what it is | option | default | what the option does |\n|---|---|---|---|---|\n"
                     "| any | | `name` | | |\n| `lean` | a \\|x\\| | `a` | `0.1` | slope |\n| | | `b` | needed | shift |\n| `flat` | 0 | | | |\n\n"
                     "| layer | good for |\n|---|---|\n| `lean` | all |\n| `flat` | none |\n\n| field | meaning |\n|---|---|\n| `steps` | no key |\n",
    }

    def compare(self, page, old, new):
        self.assertIn(old, self.PAGES[page])
        return check_options.compare({**self.PAGES, page: self.PAGES[page].replace(old, new)}, self.PROGRAM)

    def test_true_pages_pass_and_stay(self):
        problems, made = check_options.compare(self.PAGES, self.PROGRAM)
        self.assertEqual(problems, [])
        self.assertEqual(made, self.PAGES)

    def test_tables_are_made_anew(self):
        for page, old, new in (("cli.md", "| `--quiet` | | hush |\n", ""), ("cli.md", "| `7`", "| `8`"),
                               ("cli.md", "| `--quiet` | | hush |\n", "| `--quiet` | | hush |\n| `--loud` | | shout |\n"),
                               ("cli.md", "| a seed<br>", "| a seat<br>"), ("config.md", "`32` | global batch", "`64` | batch"),
                               ("config.md", "| `flat` | 0 | | | |\n", ""), ("config.md", "| | | `b` | needed | shift |\n", ""),
                               ("config.md", "| `seed` | integer", "| `seed` | number"), ("config.md", "| may change |", "| |"), ("config.md", "| a \\|x\\| |", "| a x |"),
                               ("config.md", "| `seed` |", "| `train.seed` |")):
            with self.subTest(page=page, old=old, new=new):
                problems, made = self.compare(page, old, new)
                self.assertNotEqual(problems, [])
                self.assertEqual(made[page], self.PAGES[page])

    def test_what_is_the_pages_own_goes_with_its_row_alone(self):
        _, made = self.compare("config.md", "| `flat` | none |\n", "| `bent` | some |\n")
        self.assertIn("| `flat` | |\n", made["config.md"])
        self.assertNotIn("bent", made["config.md"])

    def test_each_is_told_in_one_place(self):
        for page, old, new, says in (("cli.md", "## train", "## tune", "options, under the heading of train: expected in one page, found in none"),
                                     ("config.md", "`[model]`", "`[net]`", "`[model]`: expected in one page, found in none"),
                                     ("config.md", "| layer | what", "| thing | what", "types of layer: expected in one page, found in none"),
                                     ("cli.md", "# Commands", "| key |\n|---|\n| `seed` |\n", "keys, under a heading `[]`: expected in one page, found in "
                                      "cli.md, \"\", config.md")):
            with self.subTest(says):
                self.assertIn(says, "\n".join(self.compare(page, old, new)[0]))

    def test_options_that_nobody_takes(self):
        for old, new, says in (("--oversubscribe", "--overdrive", "--overdrive: no command's help has it"),
                               ("\\\n  --quiet", "\\\n  --oversubscribe", "--oversubscribe: lockstep train has no such option")):
            with self.subTest(new):
                self.assertEqual([line for line in self.compare("cli.md", old, new)[0] if says in line], [f"cli.md: {line}" for line in
                                 (says if "such" in says else f"{says}; if another program takes it, add it to OF_OTHERS",)])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        COMPILER = sys.argv.pop(1)
    unittest.main()
