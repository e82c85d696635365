"""The page of a report, read without a browser."""

import csv
import html.parser
import json
import math
from pathlib import Path

# A pattern that is too hard for a net of this size, so that the scores are not all the same.
BINARY = """
name = "binary"
[data]
train = "binary.h5:/train"
test = "binary.h5:/test"
[model]
loss = "binary_cross_entropy"
layers = [{type = "dense", units = 8}, {type = "relu"}, {type = "dense", units = 2}]
[train]
batch = 64
shards = 4
epochs = 2
"""


class Page(html.parser.HTMLParser):
    """Elements, scripts and numbers of a page; whatever it would load from elsewhere."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts, self.loads, self._script = [], {}, [], None
        self.feed(Path(path).read_text(encoding="utf-8"))
        self.close()
        self.numbers = json.loads(self.texts["numbers"])
        self.run = self.numbers["runs"][0] if "runs" in self.numbers else None

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag == "script":
            self._script = dict(attrs).get("id", f"script{len(self.texts)}")
            self.texts[self._script] = ""

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self.texts[self._script] += data


def columns(path):
    """A CSV file as {column: numbers}; None where a cell is empty or not finite, texts stay texts."""
    def value(cell):
        try:
            return float(cell) if math.isfinite(float(cell)) else None
        except ValueError:
            return cell or None
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [value(row[name]) for row in rows] for name in (rows[0] if rows else {})}
