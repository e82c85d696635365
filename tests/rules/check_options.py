"""The tables of options, keys and types in the pages, beside what the program tells of itself.

Usage: check_options.py PROGRAM ROOT [--write]

It tells what differs and exits 1. With --write it makes the tables anew, in their places. A table is told by the heading
of its first column, and is the only one of its kind:

  option     under a heading that begins with a command: the options in its help
  key        under a heading `[data]`: the keys of that table of a run file; under one without brackets those at the top
  layer, loss, optimizer, schedule: the types and, where there is a column `option`, their options

Cells say what the program says, with marks and links as the page likes. What stands behind a <br> in a cell, columns that
the program knows nothing of and rows of `any` are the page's own: they stay.
"""

import difflib
import re
import subprocess
import sys
from pathlib import Path

import tree

# Options in the pages that belong to other programs.
OF_OTHERS = {
    "mpirun": {"--oversubscribe", "--host", "--hostfile", "--map-by", "--bind-to", "--report-bindings", "--mca"},
    "cmake": {"--build", "--target", "--install", "--prefix", "--parallel"},
    "ctest": {"--test-dir", "--output-on-failure", "--rerun-failed"},
    "tests/run.sh": {"--sanitize", "--threads"},
    "tests/tidy.sh": {"--changed"},
    "tests/bench_gate.py": {"--record"},
    "docker": {"--shm-size"},
    "launch/local.sh": {"--restarts", "--shrink"},
    "launch/cluster.py": {"--hosts", "--ranks", "--rate"},
    "sbatch and srun": {"--nodes", "--ntasks", "--ntasks-per-node", "--mpi", "--requeue", "--no-requeue", "--signal", "--time",
                        "--cpus-per-task", "--batch"},
    "apt-get": {"--no-install-recommends"},
    "tensorboard": {"--logdir"},
    "launch/compare-stream.sh": {"--files"},
    "data/customers.py": {"--seed", "--new"},
    "fuzz": {"--kind", "--case"},
    "check_options.py": {"--write"},
}
KINDS = {"layer": "model.layers", "loss": "model.loss", "optimizer": "optimizer.type", "schedule": "optimizer.schedule"}
COMMAND = re.compile(r"^  (\w[\w-]*)  ", re.MULTILINE)  # a line of the list in lockstep --help
OPTION = re.compile(r"(?<![\w-])--[a-zA-Z][\w-]*")
IN_HELP = re.compile(r"^  (--[\w-]+(?: [A-Z]\S*)?) +(.*(?:\n {24}.*)*)", re.MULTILINE)
DEFAULT = re.compile(r"\s*\(default: (.*)\)$", re.DOTALL)


class Table:
    """A table of a page: rows as {heading: cell}, and what tells a row from all others."""

    def __init__(self, page, heading, start, lines):
        self.page, self.heading, self.start, self.lines = page, heading, start, lines
        self.header = [name.lower() for name in cells(lines[0])]
        self.kind = plain(self.header[0])
        self.rows = []
        above = ""
        for line in lines[2:]:
            row = dict(zip(self.header, cells(line)))
            above = plain(row[self.header[0]]) or above
            self.rows.append(((above, plain(row.get("option", "")) if self.kind in KINDS else ""), row))

    def made_of(self, told):
        """The lines of this table for told: [(what tells the row, {heading: text})]."""
        before = dict(self.rows)
        own = [row for row in self.rows if row[0][0] == "any"]
        made = self.lines[:2]
        for name, row in own + [(name, {column: self.cell(column, text, before.get(name, {}).get(column, ""))
                                        for column, text in row.items()}) for name, row in told]:
            row = {**before.get(name, {}), **row}
            made.append(re.sub(r"  +", " ", f"| {' | '.join(row.get(column, '') for column in self.header)} |"))
        return made

    def cell(self, column, text, before):
        head, mark, own = before.partition("<br>")
        if plain(head) == plain(text):
            return before
        text = text.replace("|", "\\|")
        code = column in (self.header[0], "option") or (
            column == "default" and text not in ("needed", "unset") and (" " not in text or text[0] in "[{"))
        return (f"`{text}`" if code and text else text) + mark + own


def cells(row):
    """Texts of a table's row; an escaped bar is part of its cell."""
    return [part.strip() for part in re.split(r"(?<!\\)\|", row.strip())[1:-1]]


def plain(cell):
    """A text without its marks and links."""
    return re.sub(r"\s+", " ", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell).replace("`", "").replace("\\", "")).strip()


def tables(page, text):
    found, heading, start = [], "", None
    lines = text.splitlines()
    for number, line in enumerate([*lines, ""]):
        if line.startswith("|"):
            start = number if start is None else start
        elif start is not None:
            if number > start + 1:
                found.append(Table(page, heading, start, lines[start:number]))
            start = None
        if line.startswith("#"):
            heading = line.lstrip("# ")
    return found


def options(help_text):
    """[(option, text in the table, default)] of a command's help."""
    found = []
    for option, text in IN_HELP.findall(help_text):
        text = re.sub(r"\s+", " ", text)
        default = DEFAULT.search(text)
        if option != "--help":
            found.append((option, DEFAULT.sub("", text), default[1] if default else ""))
    return found


def told_by(program):
    """What each table is to say: {(kind, which): [(what tells a row, {heading: text})]}."""
    told = {}
    for command, text in program["helps"].items():
        if command and options(text):
            told["option", command] = [((option, ""), {"option": option, "default": default, "what it does": does})
                                       for option, does, default in options(text)]
    types = [line.split("\t") for line in program["types"].splitlines()]
    for line in program["keys"].splitlines():
        key, kind, default, does, resumed = line.split("\t")
        for name in (row[1] for row in types if KINDS[row[0]] == key):  # the list of types has a table of its own
            does = re.split(rf": {name}(?= \(|, |$)", does)[0]
        told.setdefault(("key", key.rpartition(".")[0]), []).append(
            ((key, ""), {"key": key, "type": kind, "default": default, "on resume": resumed, "what it does": does}))
    for kind, name, what, option, _, default, does in types:
        rows = told.setdefault((kind, ""), [])
        first = not any(row[0][0] == name for row in rows)
        rows.append(((name, option), {kind: name if first else "", "what it is": what if first else "", "option": option,
                                      "default": default, "what the option does": does}))
    return told


def place_of(table, commands):
    """Which of what is told the table is about, or None."""
    if table.kind in KINDS:
        return (table.kind, "")
    words = table.heading.split()
    if table.kind == "option" and words and words[0] in commands:
        return ("option", words[0])
    if table.kind == "key":
        bracket = re.search(r"\[(\w+)\]", table.heading)
        return ("key", bracket[1] if bracket else "")
    return None


def make(page, text, told, places):
    """The page with its tables made anew; notes in `places` where each of them is."""
    lines = text.splitlines()
    for table in reversed(tables(page, text)):
        place = place_of(table, {which for kind, which in told if kind == "option"})
        if place is None:
            continue
        rows = told.get(place, [])
        if "option" not in table.header:  # of types: a row each
            rows = [(((name, ""), row)) for (name, _), row in rows if row.get(table.kind)]
        if table.kind not in KINDS or "option" in table.header:
            places.setdefault(place, []).append(f"{page}, \"{table.heading}\"")
        rows = [(name, {column: text for column, text in row.items() if column in table.header}
                 | ({"what it does": f"{row['what it does']} (default: {row['default']})"}
                    if table.kind == "option" and row["default"] and "default" not in table.header else {}))
                for name, row in rows]
        lines[table.start:table.start + len(table.lines)] = table.made_of(rows)
    return "\n".join(lines) + "\n"


def compare(pages, program):
    """pages: {name: text}; program: helps {command: text}, keys and types. Returns problems, and the pages as they should be."""
    told, places, problems, made = told_by(program), {}, [], {}
    for page, text in pages.items():
        made[page] = make(page, text, told, places)
        problems += [f"{page}: {line[0]} {line[2:]}" for line in difflib.ndiff(text.splitlines(), made[page].splitlines())
                     if line[0] in "+-"]
    for kind, which in sorted(set(told) | set(places)):
        found = places.get((kind, which), [])
        if len(found) != 1:
            wanted = {"option": f"options, under the heading of {which}", "key": f"keys, under a heading `[{which}]`"}.get(kind, f"types of {kind}")
            problems.append(f"a table of {wanted}: expected in one page, found in {', '.join(found) or 'none'}")
    offered = set().union(*map(OPTION.findall, program["helps"].values()), *OF_OTHERS.values())
    for page, text in pages.items():
        problems += [f"{page}: {option}: no command's help has it; if another program takes it, add it to OF_OTHERS"
                     for option in sorted(set(OPTION.findall(text)) - offered)]
        for block in re.findall(r"```(?:sh)?\n(.*?)```", text.replace("\\\n", ""), re.DOTALL):
            for command, rest in re.findall(r"\blockstep (\w+) ([^\n|;&]*)", block):
                taken = set(OPTION.findall(program["helps"].get(command, "")))
                problems += [f"{page}: {option}: lockstep {command} has no such option"
                             for option in OPTION.findall(rest) if taken and option not in taken]
    return problems, made


def ask(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 or not done.stdout:
        sys.exit(f"lockstep {' '.join(arguments)}: expected text on stdout and exit code 0, found {done.returncode}: "
                 f"{done.stderr.strip()}")
    return done.stdout


def main(program, root, write=""):
    helps = {"": ask(program, "--help")}
    helps.update({name: ask(program, name, "--help") for name in COMMAND.findall(helps[""])})
    files = dict(tree.files(Path(root), "*.md"))
    pages = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    program = {"helps": helps, "keys": ask(program, "train", "--keys"), "types": ask(program, "train", "--types")}
    problems, made = compare(pages, program)
    if write == "--write":
        for name, text in made.items():
            if text != pages[name]:
                files[name].write_text(text, encoding="utf-8")
                print(f"{name}: tables made anew")
        problems, _ = compare(made, program)
    print("\n".join(problems) if problems else "the pages agree with the program")
    if problems and write != "--write":
        print("check_options.py PROGRAM ROOT --write makes the tables anew")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
