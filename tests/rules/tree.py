"""The files of the tree, as its rules see them."""

CODE = ("*.hpp", "*.cpp", "*.py", "*.sh", "*.cmake", "*.js", "*.css", "*.html", "CMakeLists.txt")


def files(root, *patterns):
    """Files of the tree that match, as (path relative to root, path); build folders are not part of the tree."""
    found = {}
    for folder in ("include", "src", "tests", "launch", "data", ".ci", "."):
        for pattern in patterns:
            walk = (root / folder).glob(pattern) if folder == "." else (root / folder).rglob(pattern)
            found.update({path.relative_to(root).as_posix(): path for path in walk if path.is_file()})
    return sorted(found.items())


def lines(path):
    return enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
