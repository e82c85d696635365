"""Which tests of a file assert nothing, so that they cannot fail: neither themselves nor by a helper that they call.

Helpers are functions, methods and named lambdas of the same file or of the files that tests share. What a name means is not
looked at: a call of anything of a helper's name counts.
"""

import ast
import re

CPP_ASSERTION = re.compile(r"\b(EXPECT|ASSERT)_[A-Z]\w*\s*\(|\bADD_FAILURE\b|\bFAIL\(\)")
CPP_TEST = re.compile(r"\b(?:TYPED_)?TEST(?:_[FP])?$")
CPP_STATEMENTS = {"if", "for", "while", "switch", "catch", "return", "sizeof", "decltype", "alignas", "noexcept", "requires"}
# A comment, a raw text, a text, a character; digits with separators, which are no character.
CPP_ASIDE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
CPP_BETWEEN = re.compile(r"(?:\s|const\b|noexcept\b|override\b|final\b|mutable\b|->\s*[\w:<>, *&]+?(?=\s*\{)|:[^;{}]*?(?=\s*\{))*\{")


def _blank(match):
    """As many lines, nothing else; texts stay texts."""
    return ('""' if match[0].startswith(("R", '"')) else "") + "\n" * match[0].count("\n")


def _end(text, at):
    """Behind the bracket that closes the one at `at`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    opens, closes, depth = text[at], pairs[text[at]], 0
    for i in range(at, len(text)):
        depth += (text[i] == opens) - (text[i] == closes)
        if depth == 0:
            return i + 1
    return len(text)


def cpp_functions(text):
    """(name, what stands in its brackets, line, body) of functions, methods, tests and named lambdas."""
    text = CPP_ASIDE.sub(_blank, text)
    for match in re.finditer(r"(\w+)\s*(\()|\b(\w+) = (\[)", text):
        name, at = (match[1], match.start(2)) if match[1] else (match[3], match.start(4))
        if name in CPP_STATEMENTS:
            continue
        behind = _end(text, at)
        arguments = text[at + 1:behind - 1]
        if match[4] and text[behind:behind + 1] == "(":  # a lambda's
            behind = _end(text, behind)
        opening = CPP_BETWEEN.match(text, behind)
        if opening:
            body = text[opening.end() - 1:_end(text, opening.end() - 1)]
            yield name, arguments, text.count("\n", 0, match.start()) + 1, body


def python_functions(text):
    """(name, line, node) of functions and methods; nested ones too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno, node


def _python_asserts(node, helpers):
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assert):
            return True
        if isinstance(inner, ast.Raise) and inner.exc is not None and "AssertionError" in ast.unparse(inner.exc):
            return True
        if isinstance(inner, ast.Call):
            called = inner.func.attr if isinstance(inner.func, ast.Attribute) else getattr(inner.func, "id", "")
            if called.startswith("assert") or called == "fail":
                return True
            # program.run() fails where a command does; to be a test's only assertion it must say what it expects.
            told = called != "run" or any(word.arg == "expect" for word in inner.keywords)
            if called in helpers and told and not called.startswith("__"):
                return True
    return False


def _cpp_asserts(body, helpers):
    return CPP_ASSERTION.search(body) is not None or any(
        name in helpers for name in re.findall(r"\b(\w+)\s*(?:<[^<>;]*>)?\s*\(", body))


def _asserting(functions, asserts, known=()):
    """The names of `functions`, (name, body), that assert, by whatever of them they call."""
    found = set(known)
    while True:
        more = {name for name, body in functions if name not in found and asserts(body, found)}
        if not more:
            return found
        found |= more


def without(files, shared):
    """(file, line, test) of each test without an assertion. `files`, `shared`: {name: text}, of tests, of helpers."""
    cpp = [(name, body) for file, text in shared.items() if file.endswith(".hpp")
           for name, _, _, body in cpp_functions(text)]
    python = [(name, node) for file, text in shared.items() if file.endswith(".py")
              for name, _, node in python_functions(text)]
    cpp, python = _asserting(cpp, _cpp_asserts), _asserting(python, _python_asserts)
    for file, text in files.items():
        if file.endswith(".py"):
            own = [("", name, line, node) for name, line, node in python_functions(text)]
            asserts, known = _python_asserts, python
        else:
            own = [(name, arguments, line, body) if CPP_TEST.search(name) else ("", name, line, body)
                   for name, arguments, line, body in cpp_functions(text)]
            asserts, known = _cpp_asserts, cpp
        helpers = _asserting([(name, body) for kind, name, _, body in own if not kind and not name.startswith("test_")],
                             asserts, known)
        tests = [(line, ".".join(name.split(", ")), body) for kind, name, line, body in own
                 if kind or (file.endswith(".py") and name.startswith("test_"))]
        if not tests:
            yield file, 1, "no test at all"
        for line, name, body in tests:
            if not asserts(body, helpers):
                yield file, line, name
