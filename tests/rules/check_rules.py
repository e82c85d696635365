"""Checks the tree against its own rules: who includes whom, who may use which library, file lengths, and so on.

Usage: check_rules.py RULE --root FOLDER [--commands compile_commands.json]
Prints one line a violation, "file:line: what is wrong", and exits 1 when there is any.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import assertions
import check_pages
from tree import CODE, files, lines

# Folder of src -> the folders of src that it may include besides itself.
MAY_INCLUDE = {
    "core": set(),
    "config": {"core"},
    "io": {"core"},
    "compute": {"core"},
    "layers": {"core", "compute"},
    "model": {"core", "compute", "config", "layers"},
    "optim": {"core", "config"},
    "data": {"core", "config", "io"},
    "import": {"core", "io", "data"},
    "comm": {"core"},
    "checkpoint": {"core", "compute", "config", "io", "model", "optim"},
    "export": {"core", "config", "io", "layers", "model", "data", "checkpoint"},
    "report": {"core", "config", "io"},
    "explain": {"core", "config", "io", "layers", "model", "report"},
    "net": {"core", "compute", "config", "io", "model", "data", "checkpoint"},
    "feed": {"core", "config", "io", "model", "data", "comm", "checkpoint", "net"},
    "step": {"core", "compute", "config", "io", "model", "optim", "data", "comm", "checkpoint"},
}
MAY_INCLUDE["score"] = MAY_INCLUDE["step"] | {"step", "feed", "net"}
MAY_INCLUDE["journal"] = MAY_INCLUDE["score"] | {"score", "report"}
MAY_INCLUDE["run"] = MAY_INCLUDE["journal"] | {"journal"}
MAY_INCLUDE["cli"] = MAY_INCLUDE["run"] | {"run", "import", "export", "explain", "layers"}
# Rooms within a room, which see all that it sees, and that nobody sees: they are reached by the table of commands.
INNER = ("cli/doctor", "cli/explain", "cli/landscape")
# Where no source and header, taken together, may come back to themselves by what they include.
WITHOUT_CIRCLES = ("config", "core", "compute", "layers", "optim", "import", "checkpoint", "export", "report", "net", "feed",
                   "step", "score", "journal", "run", "cli")
IN_TESTS = MAY_INCLUDE["cli"]  # all but cli, which is in no library: only its own tests compile parts of it

# What is used in a few places only: pattern, those places, and what to do elsewhere.
CONFINED = [
    (r"#\s*include\s*[<\"]mpi\.h[>\"]",
     ("include/lockstep/trainer.hpp", "src/comm/", "src/score/prediction.cpp", "src/journal/", "src/cli/", "tests/"),
     "<mpi.h> belongs to comm, and to where messages are sent; hand in a Communicator"),
    (r"#\s*include\s*[<\"](cblas\.h|compute/openblas\.hpp)[>\"]", ("src/compute/",),
     "libraries that compute belong to src/compute; call compute/compute.hpp"),
    (r"#\s*include\s*[<\"](hdf5|H5[A-Z]\w*)\.h[>\"]", ("src/io/", "tests/"),
     "<hdf5.h> belongs to src/io; call io/hdf5.hpp"),
    (r"#\s*include\s*[<\"]google/protobuf/", ("src/io/",), "protobuf belongs to src/io; call io/protobuf.hpp"),
    (r"#\s*include\s*[<\"]csv\.h[>\"]", ("src/import/csv_reader.cpp", "tests/"),
     "<csv.h> belongs to src/import/csv_reader.cpp; call import/csv_reader.hpp"),
    (r"\bfmt::print\(|\bstd::(cout|cerr|clog)\b|\b(std::)?(printf|fputs|puts|fwrite)\(",
     ("src/cli/output.cpp", "src/cli/console.cpp", "src/cli/main.cpp", "tests/"),
     "what is printed goes through src/cli/output.hpp, which makes strangers' texts visible"),
    (r"\bdirectory_iterator\b", ("tests/",),
     "where memory runs out it ends the process; call core/folder_names.hpp"),
    (r"\bMPI_COMM_WORLD\b", ("src/cli/", "tests/"), "the library works on the communicator that its caller gives"),
]
# Spelled with brackets so that this file does not hold the words.
BANNED_WORDS = r"GTEST_S[K]IP|\bDISABLE[D]_|\bTO[D]O\b|\bFIX[M]E\b|\bXX[X]\b"
TOP_LEVEL = {"src", "include", "launch", "data", "tests", "CMakeLists.txt", "README.md", "LICENSE"}
MAX_LINES = 400
MAX_LINES_OF_PAGES = {"README.md": 350}
POINTS = {"SvgPoint", "Place", "Mark"}  # of a plane: x, y, in that order everywhere
PLACE = r"""\bcwd["']?\s*[=:]\s*(program\.)?ROOT\b"""
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def check_includes(root, _):
    """Includes point down only."""
    for name, path in files(root, "*.hpp", "*.cpp"):
        parts = name.split("/")
        for number, line in lines(path):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1)
            module = target.split("/")[0] if "/" in target else ""
            if module == "lockstep" or (parts[0] == "tests" and module not in MAY_INCLUDE):
                continue
            if parts[0] == "include":
                yield f"{name}:{number}: a public header includes \"{target}\"; it may include lockstep/*.hpp only"
            elif parts[0] == "tests":
                if module not in IN_TESTS and not name.startswith(f"tests/single/{module}/"):
                    yield f"{name}:{number}: a test includes \"{target}\"; nothing includes cli"
            elif parts[0] == "src" and module not in MAY_INCLUDE:
                yield f"{name}:{number}: \"{target}\" is no path from src/ or include/"
            elif parts[0] == "src" and len(parts) < 3:
                yield f"{name}:{number}: code lies in a folder of src"
            elif parts[0] == "src" and parts[1] not in MAY_INCLUDE:
                yield f"{name}:{number}: src/{parts[1]} is unknown here; add it to MAY_INCLUDE and to src/README.md"
            elif parts[0] == "src" and module != parts[1] and module not in MAY_INCLUDE[parts[1]]:
                allowed = ", ".join(sorted(MAY_INCLUDE[parts[1]])) or "nothing but itself"
                yield f"{name}:{number}: {parts[1]} includes \"{target}\"; it may include {allowed}"
            elif target.startswith(INNER) and not name.startswith("src/" + "/".join(target.split("/")[:2]) + "/"):
                yield f"{name}:{number}: \"{target}\" is of a room within a room, which nobody outside it includes"


def check_circles(root, _):
    """No source and header come back to themselves by what they include."""
    reached, places = {}, {}  # unit -> units that it includes; its header, else its source
    for name, path in files(root, "*.hpp", "*.cpp"):
        unit = name.removeprefix("src/").rsplit(".", 1)[0]
        if not name.startswith("src/") or unit.split("/")[0] not in WITHOUT_CIRCLES:
            continue
        targets = {match.group(1).rsplit(".", 1)[0] for _, line in lines(path) if (match := INCLUDE.match(line))}
        reached.setdefault(unit, set()).update(targets - {unit})
        places[unit] = name
    for unit in sorted(reached):
        way = {target: unit for target in reached[unit]}
        queue = sorted(way)
        while queue and unit not in way:
            at = queue.pop(0)
            fresh = sorted(reached.get(at, set()) - set(way))
            way.update({target: at for target in fresh})
            queue += fresh
        if unit in way:
            circle = [unit, way[unit]]
            while circle[-1] != unit:
                circle.append(way[circle[-1]])
            yield f"{places[unit]}:1: a circle of includes: {' <- '.join(circle)}"


def check_libraries(root, _):
    """Libraries and MPI_COMM_WORLD stay where they belong."""
    for name, path in files(root, "*.hpp", "*.cpp"):
        for number, line in lines(path):
            for pattern, places, advice in CONFINED:
                if re.search(pattern, line.split("//")[0]) and not name.startswith(places):
                    yield f"{name}:{number}: {advice}"


def check_length(root, _):
    """No file is too long to be read in one go."""
    for name, path in files(root, *CODE, "*.sbatch"):
        count = sum(1 for _ in lines(path))
        if count > MAX_LINES:
            yield f"{name}:{count}: {count} lines; split it by reason to change (at most {MAX_LINES})"
    for name, most in MAX_LINES_OF_PAGES.items():
        count = sum(1 for _ in lines(root / name))
        if count > most:
            yield f"{name}:{count}: {count} lines, at most {most}; what only some look for belongs to the page of its place"


def check_words(root, _):
    """Nothing is left to do, and no test is skipped."""
    for name, path in files(root, *CODE, "*.toml", "*.sbatch"):
        for number, line in lines(path):
            for word in re.findall(BANNED_WORDS, line):
                yield f"{name}:{number}: {word}: finish it or leave it out; a test that cannot run fails"


def check_assertions(root, _):
    """Each test asserts something."""
    tests = {name: path.read_text(encoding="utf-8") for name, path in files(root, "*_test.cpp", "*_test.py")}
    shared = {name: path.read_text(encoding="utf-8") for name, path in files(root, "*.hpp", "*.py")
              if name.startswith("tests/") and name not in tests}
    for name, line, test in assertions.without(tests, shared):
        yield f"{name}:{line}: {test}: a test without an assertion cannot fail"


def check_places(root, _):
    """No test works in the tree: what its user's runs have left there is none of its business."""
    for name, path in files(root, "*.py"):
        for number, line in lines(path):
            if name.startswith("tests/") and not name.startswith("tests/rules/") and re.search(PLACE, line):
                yield f"{name}:{number}: a test works in the tree, where runs/ may be anything; program.PLACE is for that"


def check_toplevel(root, _):
    """The top level holds what the design names. Without git, what .gitignore names is left out by hand."""
    git = subprocess.run(["git", "-C", str(root), "ls-files"], capture_output=True, text=True, check=False) \
        if (root / ".git").exists() else None
    if git is not None and git.returncode == 0:
        names = {line.split("/")[0] for line in git.stdout.splitlines()}
    else:
        names = {name for name in os.listdir(root) if not re.fullmatch(r"build.*|runs|__pycache__", name)}
    for name in sorted(names - TOP_LEVEL):
        if not name.startswith("."):
            yield f"{name}:1: the top level holds {', '.join(sorted(TOP_LEVEL))} and dotfiles"


def compile_flags(commands, folder):
    """The flags that the build compiles files of `folder` with, from compile_commands.json."""
    for entry in json.loads(Path(commands).read_text(encoding="utf-8")):
        if f"/{folder}/" in entry["file"]:
            words = entry["arguments"] if "arguments" in entry else shlex.split(entry["command"])
            if Path(words[0]).name == "ccache":
                words = words[1:]
            kept, skip = [], False
            for word in words:
                if skip or word in ("-c", entry["file"]):
                    skip = False
                elif word in ("-o", "-MF", "-MT", "-MQ", "-include"):  # the last: precompiled headers
                    skip = True
                elif not word.startswith(("-M", "-O", "-g", "-Winvalid-pch")):
                    kept.append(word)
            return kept
    raise SystemExit(f"{commands}: no command for a file of {folder}; configure the build first")


def check_headers(root, commands):
    """Each header compiles alone, with the flags of the build.

    Where it is the first include of a source, tests/tidy.sh shows that: it reads sources without precompiled headers.
    """
    if commands is None:
        raise SystemExit("rule headers needs --commands")
    flags = compile_flags(commands, "src/core")

    def compiles(item):
        # As a source that includes it: "#pragma once in main file" would be a warning.
        name, path = item
        done = subprocess.run([*flags, "-fsyntax-only", "-x", "c++", "-"], input=f'#include "{path}"\n',
                              capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else f"{name}:1: does not compile alone:\n{done.stderr.strip()}"

    first_includes = set()
    for name, path in files(root, "*.cpp"):
        if not name.startswith("src/"):
            continue
        include = re.search(r'^#include (.*)', Path(path).read_text(encoding="utf-8"), re.MULTILINE)
        first_includes.add(include.group(1).strip('"<>') if include else "")
    headers = [item for item in files(root, "*.hpp") if item[0].startswith(("include/", "src/"))
               and item[0].split("/", 1)[1] not in first_includes]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield from filter(None, pool.map(compiles, headers))


def measures(root):
    """Structs with two members or more of type double: {name: where}. Nothing but their order tells these apart."""
    found = {}
    for name, path in files(root, "*.hpp", "*.cpp"):
        if not name.startswith(("src/", "include/")):
            continue
        for match in re.finditer(r"^( *)struct (\w+) \{\n(.*?)^\1\};", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            members = re.findall(rf"^{match[1]}  double (\w[^;(]*);", match[3], re.MULTILINE)
            if sum(1 + member.count(",") for member in members) > 1:
                found[match[2]] = name
    return found


def check_members(root, _):
    """What has several numbers of one type is filled by their names: one more in front would shift all others."""
    structs = sorted(set(measures(root)) - POINTS)
    if not structs:
        return
    one = f"(?:{'|'.join(structs)})"
    value = r"\{\s*[^\s.}]"  # a first value without a name
    for name, path in files(root, "*.hpp", "*.cpp"):
        text = path.read_text(encoding="utf-8")
        found = {match.start() for match in re.finditer(rf"(?<!struct )\b{one}( \w+)?( = )?{value}", text)}
        # What functions return, and what goes into lists.
        for match in re.finditer(rf"^( *)[^\n=]*\b{one}>? [\w:]+\([^;{{}}]*\{{[^\n]*\}}$|"
                                 rf"^( *)[^\n=]*\b{one}>? [\w:]+\([^;{{}}]*\{{\n.*?^\2\}}", text, re.MULTILINE | re.DOTALL):
            found |= {match.start() + inner.start() for inner in re.finditer(rf"\breturn {value}", match[0])}
        for match in re.finditer(rf"std::vector<{one}> (\w+)", text):
            found |= {inner.start() for inner in re.finditer(rf"\b{match[1]}\.push_back\({value.replace('}', '}{')}", text)}
        for place in sorted(found):
            line = text.count("\n", 0, place) + 1
            yield f"{name}:{line}: numbers of one type without their names; write {{.member = value, ...}}"


RULES = {
    "includes": check_includes,
    "circles": check_circles,
    "libraries": check_libraries,
    "length": check_length,
    "words": check_words,
    "assertions": check_assertions,
    "places": check_places,
    "toplevel": check_toplevel,
    "headers": check_headers,
    "members": check_members,
    "links": check_pages.check_links,
    "rooms": check_pages.check_rooms,
}


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rule", choices=RULES)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--commands", help="compile_commands.json, for the rule headers")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    if not (root / "src").is_dir():
        parser.error(f"{root} holds no src/")
    violations = list(RULES[options.rule](root, options.commands))
    print("\n".join(violations) if violations else f"{options.rule}: kept")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
