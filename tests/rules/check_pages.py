"""Rules for the pages, *.md: what they link to and name is there, and every room has one. check_rules.py calls them."""

import fnmatch
import re

from tree import CODE, files, lines

LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
SOURCE = re.compile(r"`(?:\./)?([\w./*-]+\.(?:hpp|cpp|py|sh))`")
PAGE = re.compile(r"(?<![\w/.-])((?:[\w-]+/)*[\w-]+\.md)\b(?:, \"([^\"]+)\")?")  # src/README.md, "Checkpoints"
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def blank(match):
    return re.sub(r"[^\n]", "x", match[0])


def anchor_of(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path):
    """What a page can be entered at."""
    found = []
    for heading in re.findall(r"^#+ +(.*)$", BLOCK.sub("", path.read_text(encoding="utf-8")), re.MULTILINE):
        name = anchor_of(heading)
        again = sum(name == before for before, _ in found)
        found.append((name, f"{name}-{again}" if again else name))
    return {name for _, name in found}


def check_links(root, _):
    """What a page links to is there, place and heading; so are the sources that it names, and the pages that sources name."""
    sources = [f"/{name}" for name, _ in files(root, *CODE)]
    for name, path in files(root, "*.md"):
        text = BLOCK.sub(blank, path.read_text(encoding="utf-8"))
        links = re.sub(r"`[^`\n]*`", blank, text)
        for match in LINK.finditer(links):
            place, _, anchor = match[1].partition("#")
            target = path.parent / place if place else path
            where = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
            if re.match(r"https?:", match[1]):
                continue
            if not target.exists():
                yield f"{where}: there is no {place}"
            elif anchor and (target.suffix != ".md" or anchor not in anchors(target)):
                yield f"{where}: {place or name} has no heading for #{anchor}"
        room = f"/{name.rpartition('/')[0]}/" if re.match(r"src/\w+/", name) else "*/"
        for match in SOURCE.finditer(text):
            if not fnmatch.filter(sources, f"{'*/' if '/' in match[1] else room}{match[1]}"):
                yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: there is no {match[1]}"
    for name, path in files(root, *CODE, "*.toml", "*.sbatch"):
        for number, line in lines(path) if not name.startswith("tests/") else ():
            for page, heading in PAGE.findall(line):
                if not (root / page).exists():
                    yield f"{name}:{number}: there is no {page}"
                elif heading and anchor_of(heading) not in anchors(root / page):
                    yield f"{name}:{number}: {page} has no heading \"{heading}\""


def check_rooms(root, _):
    """A room says at its door what it is for."""
    sources = [name for name, _ in files(root, "*.cpp", "*.hpp")]
    rooms = {name.rpartition("/")[0] for name in sources if re.fullmatch(r"src/(\w+|cli/\w+)/\w+\.\w+", name)}
    for room in sorted(rooms):
        if not (root / room / "README.md").exists():
            yield f"{room}:1: a room without README.md, which says what it is for, where to begin and what it must not know"
