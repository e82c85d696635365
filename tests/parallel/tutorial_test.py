"""The tutorial, launch/runs/README.md: every command works as it stands there, what stands below one is what it prints, and the
pictures are those that it draws. The steps that the quick start prints work too, one after the other.

Usage: tutorial_test.py PROGRAM
"""

import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

import program

PAGE = program.ROOT / "launch/runs/README.md"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
WITHIN = 1e-5  # the last digits are those of a machine


def blocks(text):
    """(kind, content, line) of the fenced blocks, kind "sh" or "", in order."""
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in found]


def same(a, b):
    """Whether two texts are the same but for the last digits of their numbers, and for blanks."""
    a, b = (re.sub(r"0x[0-9a-f]{8}", "0x", text) for text in (a, b))  # the bits of a number
    words = [" ".join(NUMBER.sub("#", text).split()) for text in (a, b)]
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (a, b)]
    return words[0] == words[1] and all(abs(x - y) <= WITHIN * max(1, abs(x)) for x, y in zip(*numbers))


def picture_texts(path):
    return [element.text.strip() for element in xml.parse(path).iter() if element.text and element.text.strip()]


def tree_in(folder):
    """What commands of a clone need, in a folder of its own."""
    (folder / "build/bin").mkdir(parents=True)
    (folder / "build/bin/lockstep").symlink_to(program.PROGRAM)
    for name in ("data", "launch"):
        (folder / name).symlink_to(program.ROOT / name)


class Tutorial(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = PAGE.read_text(encoding="utf-8")
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        tree_in(cls.folder)
        cls.printed = []  # of each block of commands: line and what it printed
        for kind, content, line in blocks(cls.text):
            if kind != "sh":
                continue
            done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", content], capture_output=True, text=True, timeout=120,
                                  cwd=cls.folder, check=False)
            if done.returncode != 0:
                raise AssertionError(f"{PAGE}:{line}: exit {done.returncode}\n{content}\n{done.stdout}\n{done.stderr}")
            cls.printed.append((line, done.stdout))

    def test_what_stands_below_a_command_is_what_it_prints(self):
        printed = dict(self.printed)
        shown = 0
        last = None
        for kind, content, line in blocks(self.text):
            if kind == "sh":
                last = line
                continue
            # Formulas have blocks too: output is one that follows its command, with at most a picture in between.
            between = self.text.splitlines()[self.end_of(last):line - 1] if last else ["none"]
            if any(text and not text.startswith("![") for text in between):
                continue
            shown += 1
            lines = iter(printed[last].splitlines())
            for wanted in content.splitlines():
                if wanted.strip() and wanted != "...":
                    self.assertTrue(any(same(wanted, found) for found in lines), f"{PAGE}:{line}: not printed: {wanted}")
        self.assertGreaterEqual(shown, 9)

    def end_of(self, line):
        """The line after the block that begins at `line`, counted from 0."""
        rest = self.text.splitlines()[line:]
        return line + rest.index("```") + 1

    def test_pictures_are_those_that_it_draws(self):
        pictures = re.findall(r"!\[[^\]]+\]\((pictures/[\w-]+\.svg)\)", self.text)
        self.assertEqual(sorted(Path(p).name for p in pictures), sorted(p.name for p in (PAGE.parent / "pictures").iterdir()))
        for picture in pictures:
            kept, drawn = PAGE.parent / picture, self.folder / "runs" / Path(picture).name
            texts = picture_texts(kept)
            self.assertGreater(len(texts), 8, picture)
            self.assertEqual(len(texts), len(picture_texts(drawn)), picture)
            for a, b in zip(texts, picture_texts(drawn)):
                self.assertTrue(same(a, b), f"{picture}: {a} is now {b}")

    def test_pages_are_drawn(self):
        for page in ("three-layer.html", "digits.html"):
            self.assertIn("<svg", (self.folder / "runs" / page).read_text(encoding="utf-8"))


class QuickStart(unittest.TestCase):
    def test_next_steps_hold_in_their_order(self):
        script = (program.ROOT / "launch/quickstart.sh").read_text(encoding="utf-8")
        steps = re.search(r"^cat <<END\n(.*?)^END$", script, re.MULTILINE | re.DOTALL)[1].replace("$four", "")
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            tree_in(folder)
            program.run("train", "launch/runs/digits.toml", "--output", "runs/digits", "--quiet", ranks=2, cwd=folder)
            checkpoint = folder / "runs/digits/checkpoints" / program.checkpoints(folder / "runs/digits")[-1]
            same_bits = 0
            for step in steps.replace("$checkpoint", str(checkpoint)).splitlines():
                done = subprocess.run(["bash", "-c", step], capture_output=True, text=True, timeout=120, cwd=folder, check=False)
                self.assertEqual(done.returncode, 0, f"{step}\n{done.stderr}")
                if "inspect runs/digits-4 --digest" in step:  # "ends in the same bits"
                    self.assertEqual(done.stdout.strip(), program.digest(folder / "runs/digits"))
                    same_bits += 1
            self.assertEqual(same_bits, 1)
            self.assertIn("explained.html", [path.name for path in (folder / "runs/digits").iterdir()])


if __name__ == "__main__":
    program.main()
