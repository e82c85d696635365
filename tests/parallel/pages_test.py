"""What the program says of itself: help that fits a screen, completion for bash, the page for man. All three come from one
table, so that a command or option of one is in the others."""

import re
import subprocess
import unittest

import program


def ask(*words):
    return program.run(*words, mpi=False).stdout


def commands():
    return re.findall(r"^  (\w[\w-]*)  ", ask("--help"), re.MULTILINE)


def options(command):
    return re.findall(r"^  (--[\w-]+)", ask(command, "--help"), re.MULTILINE)


class Help(unittest.TestCase):
    def test_fits_a_screen_and_shows_an_example(self):
        for words in ([], *([command] for command in commands())):
            lines = ask(*words, "--help").splitlines()
            self.assertLessEqual(len(lines), 24, words)
            self.assertLessEqual(max(map(len, lines)), 80, words)
            self.assertTrue(any(line.startswith("Example: ") and "lockstep" in line for line in lines), words)

    def test_examples_are_of_the_command_and_its_options(self):
        for command in commands():
            example = ask(command, "--help").rsplit("Example: ", 1)[1]
            self.assertIn(f"lockstep {command}", example)
            for option in re.findall(r" (--[\w-]+)", example):
                self.assertIn(option, options(command), example)


class Completion(unittest.TestCase):
    script = ask("completion", "bash")

    def complete(self, line, breaks="=:"):
        """What bash would put in the place of its last word of `line`."""
        word = re.split(rf"[\s{breaks}]", line)[-1]
        done = subprocess.run(
            ["bash", "-c", 'eval "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _lockstep lockstep "$3" x; printf "%s\\n" "${COMPREPLY[@]}"',
             "bash", self.script, line, word], capture_output=True, text=True, timeout=20, cwd=program.PLACE, check=True)
        self.assertEqual(done.stderr, "", line)
        return done.stdout.split()

    def test_commands(self):
        self.assertEqual(self.complete("lockstep "), commands() + ["--help", "--version"])
        self.assertEqual(self.complete("build/bin/lockstep ev"), ["evaluate"])

    def test_options_of_every_command(self):
        for command in commands():
            self.assertEqual(self.complete(f"lockstep {command} --"), options(command))

    def test_keys_of_run_files(self):
        keys = [line.split("\t")[0] + "=" for line in program.run("train", "--keys").stdout.splitlines()]
        self.assertEqual(self.complete("lockstep train run.toml --set "), keys)
        self.assertEqual(self.complete("lockstep doctor --set checkpoint.k"), ["checkpoint.keep="])

    def test_values_of_keys(self):
        # With = as an end of words bash replaces what is behind it; without, the whole.
        self.assertEqual(self.complete("lockstep train --set train.exchange="), ["node", "tree", "allreduce"])
        self.assertEqual(self.complete("lockstep train --set train.exchange=t"), ["tree"])
        self.assertEqual(self.complete("lockstep train --set train.exchange=t", breaks=""), ["train.exchange=tree"])
        self.assertEqual(self.complete("lockstep train --set=train.overlap=f"), ["false"])
        self.assertEqual(self.complete("lockstep train --set=train.overlap=f", breaks=""), ["--set=train.overlap=false"])
        self.assertIn("adamw", self.complete("lockstep train --set optimizer.type="))

    def test_values_of_options(self):
        self.assertEqual(self.complete("lockstep bench --exchange "), ["node", "tree", "allreduce"])
        self.assertEqual(self.complete("lockstep evaluate runs/a --split te"), ["test"])
        self.assertEqual(self.complete("lockstep bench --optimizer=adag"), ["adagrad"])
        self.assertEqual(self.complete("lockstep bench --steps "), [])
        self.assertEqual(self.complete("lockstep completion "), ["bash"])

    def test_files_and_folders(self):
        self.assertEqual(self.complete("lockstep train launch/runs/dig"), ["launch/runs/digits.toml"])
        self.assertEqual(self.complete("lockstep predict runs/a --input data/dig"), ["data/digits.copyright", "data/digits.h5"])
        self.assertEqual(self.complete("lockstep train a.toml --output laun"), ["launch"])
        self.assertEqual(self.complete("lockstep train a.toml --output CMakeL"), [])


class Manual(unittest.TestCase):
    page = ask("manual")

    def test_is_good_roff(self):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=self.page, capture_output=True, text=True, timeout=20,
                              check=True)
        self.assertEqual(done.stderr, "")

    def test_tells_of_everything(self):
        text = subprocess.run(["groff", "-man", "-Tascii", "-P-cbou"], input=self.page, capture_output=True, text=True,
                              timeout=20, check=True).stdout
        for command in commands():
            self.assertIn(f"lockstep {command}", text)
            for option in set(options(command)) - {"--help"}:
                self.assertIn(option, text)
        for line in program.run("train", "--keys").stdout.splitlines():
            self.assertIn(line.split("\t")[0] + " (", text)
        self.assertIn("EXIT STATUS", text)

    def test_exit_codes_are_those_of_src_cli(self):
        table = (program.ROOT / "src/cli/README.md").read_text(encoding="utf-8").split("| code | meaning |")[1].split("\n\n")[0]
        told = [(int(code), meaning.replace("`", "")) for code, meaning in re.findall(r"\| (\d+) \| (.*) \|", table)]
        page = self.page.split(".SH EXIT STATUS")[1].split(".SH")[0].replace("\\-", "-")
        self.assertEqual([(int(code), text) for code, text in re.findall(r"\.TP\n\\fB(\d+)\\fR\n(.*)", page)], told)


if __name__ == "__main__":
    program.main()
