"""Compares README.md with the program: every option of its help, every key of a run file, every type, both ways.

Usage: check_options.py PROGRAM README.md
"""

import re
import subprocess
import sys
from pathlib import Path

# Options in README.md's commands that belong to other programs.
OF_OTHERS = {
    "mpirun": {"--oversubscribe", "--host", "--hostfile", "--map-by", "--bind-to", "--report-bindings", "--mca"},
    "cmake": {"--build", "--target", "--install", "--prefix", "--parallel"},
    "ctest": {"--test-dir", "--output-on-failure", "--rerun-failed"},
    "tests/run.sh": {"--sanitize"},
    "docker": {"--shm-size"},
    "launch/local.sh": {"--restarts", "--shrink"},
    "sbatch and srun": {"--nodes", "--ntasks", "--ntasks-per-node", "--mpi", "--requeue", "--signal"},
    "apt-get": {"--no-install-recommends"},
    "tensorboard": {"--logdir"},
    "launch/compare-stream.sh": {"--files"},
    "data/customers.py": {"--seed", "--new"},
}
COMMAND = re.compile(r"^  (\w[\w-]*)  ", re.MULTILINE)  # a line of the list in lockstep --help
OPTION = re.compile(r"(?<![\w-])--[a-zA-Z][\w-]*")


def cells(row):
    """Texts of a table's row, without code marks; an escaped bar is part of its cell."""
    parts = re.split(r"(?<!\\)\|", row.strip().strip("|"))
    return [part.replace("\\|", "|").strip().strip("`").strip() for part in parts]


def key_rows(readme):
    """Rows of all tables whose first column is headed "key", as {key: {column: text}}."""
    rows, header = {}, None
    for line in readme.splitlines():
        if not line.lstrip().startswith("|"):
            header = None
            continue
        found = cells(line)
        if header is None:
            header = [name.lower() for name in found]
        elif header[0] == "key" and not re.fullmatch(r":?-+:?", found[0]):
            rows[found[0]] = dict(zip(header, found))
    return rows


COLUMNS = ("what it is", "option", "default", "what the option does")


def type_rows(readme, kind):
    """Rows of the table whose first column is headed `kind`, and which of COLUMNS it has: [(type, those cells)]."""
    rows, header = [], None
    for line in readme.splitlines():
        if not line.lstrip().startswith("|"):
            header = None
            continue
        found = cells(line.replace("`", ""))
        if header is None:
            header = [name.lower() for name in found]
        elif header[0] == kind and not re.fullmatch(r":?-+:?", found[0]) and found[0] != "any":
            told = dict(zip(header, found))
            if not found[0]:  # further options of the type above
                told.update({name: rows[-1][name] for name in (kind, "what it is") if name in told})
            rows.append(told)
    return rows


def compare_types(readme, types):
    """types: lines of kind, type, what it is, option, its type, default, what it does. Returns problems."""
    problems = []
    told = {}
    for line in types.splitlines():
        kind, name, what, option, _, default, does = line.replace("`", "").split("\t")
        told.setdefault(kind, []).append({kind: name, "what it is": what, "option": option, "default": default,
                                          "what the option does": does})
    for kind, rows in told.items():
        found = type_rows(readme, kind)
        if not found:
            problems.append(f"README.md has no table whose first column is headed \"{kind}\"")
            continue
        names = [name for name in (kind, *COLUMNS) if name in found[0]]
        program = [tuple(row[name] for name in names) for row in rows]
        page = [tuple(row[name] for name in names) for row in found]
        problems += [f"{kind} {' | '.join(row)}: the program says so, README.md does not" for row in program if row not in page]
        problems += [f"{kind} {' | '.join(row)}: so README.md, but not the program" for row in page if row not in program]
    return problems


def compare(readme, helps, keys):
    """helps: {subcommand: help text}; keys: lines of "key<TAB>type<TAB>default<TAB>what it does". Returns problems."""
    problems = []
    written = set(OPTION.findall(readme))
    offered = {}
    for subcommand, text in helps.items():
        for option in OPTION.findall(text):
            offered.setdefault(option, subcommand)
    for option in sorted(set(offered) - written):
        problems.append(f"{option}: in the help of lockstep {offered[option]}, not in README.md")
    for option in sorted(written - set(offered) - set().union(*OF_OTHERS.values())):
        problems.append(f"{option}: in README.md, but no subcommand's help has it; "
                        "if another program takes it, add it to OF_OTHERS")

    rows = key_rows(readme)
    if not rows:
        return problems + ["README.md has no table whose first column is headed \"key\""]
    known = set()
    for line in keys.splitlines():
        key, kind, default = line.split("\t")[:3]
        known.add(key)
        if key not in rows:
            problems.append(f"{key}: a key of run files, not in README.md's table")
            continue
        for column, value in (("type", kind), ("default", default.strip())):
            told = rows[key].get(column)
            if told is not None and told != value:
                problems.append(f"{key}: README.md says {column} `{told}`, the program `{value}`")
    return problems + [f"{key}: in README.md's table, but no key of run files" for key in sorted(set(rows) - known)]


def ask(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 or not done.stdout:
        sys.exit(f"lockstep {' '.join(arguments)}: expected text on stdout and exit code 0, found {done.returncode}: "
                 f"{done.stderr.strip()}")
    return done.stdout


def main(program, readme):
    helps = {"": ask(program, "--help")}
    helps.update({name: ask(program, name, "--help") for name in COMMAND.findall(helps[""])})
    text = Path(readme).read_text(encoding="utf-8")
    problems = compare(text, helps, ask(program, "train", "--keys"))
    problems += compare_types(text, ask(program, "train", "--types"))
    print("\n".join(problems) if problems else "README.md agrees with the program")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
