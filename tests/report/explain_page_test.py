"""The page of explain in a browser: its numbers are those of --json, and choosing a weight shows its chain.

Usage: explain_page_test.py PROGRAM
Needs Chromium; where there is none it says so loudly and is skipped.
"""

import json
import math
import os
import tempfile
import unittest
import xml.dom.minidom
from pathlib import Path

import h5py
import numpy

import browser
import page
import program

RUNS = program.ROOT / "launch/runs"
EVIL = "</script><script>document.title = 'broken'</script><b>"
CLASSES = ["Iris <setosa>", "</script><b>", "versicolor & virginica"]
WIDTHS = (1280, 400)
NAMES = """
name = "names"
[data]
train = "names.h5:/train"
[model]
loss = "softmax_cross_entropy"
layers = [{type = "dropout", rate = 0.3}, {type = "dense", units = 3}, {type = "gelu"}, {type = "dense", units = 3},
          {type = "tanh"}, {type = "dense", units = 3, bias = false}]
[train]
batch = 64
shards = 4
"""
# What a page tells as it is opened, and then of some weights that are clicked or, in the list, chosen.
LOOK = """
const look = (frame) => {
  const { document: page, problems, performance, getComputedStyle, MouseEvent, KeyboardEvent, Event } = frame.contentWindow;
  const seen = () => ({ problems, loaded: performance.getEntriesByType("resource").map((entry) => entry.name),
    tooWide: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    cut: [...page.querySelectorAll(".tile dd")].filter((number) => number.scrollWidth > number.clientWidth).map((n) => n.textContent) });
  if (frame.clientWidth < 600) return seen();
  const all = (selector, root = page) => [...root.querySelectorAll(selector)];
  const isVisible = (node) => getComputedStyle(node).visibility === "visible";
  const drawing = page.querySelector("svg.net");
  const text = (node) => node.textContent.trim();
  const overlaps = () => {
    const found = [];
    const texts = all("text", drawing).filter(isVisible).map((node) => ({ node, box: node.getBBox(), right: drawing.viewBox.baseVal.width }));
    const boxes = all(".card .box", drawing).map((node) => ({ node, box: node.getBBox() }));
    for (const [i, { node, box, right }] of texts.entries()) {
      if (box.x < 0 || box.x + box.width > right) found.push(`${text(node)} leaves the drawing`);
      const others = node.closest(".label") ? [...texts.slice(i + 1), ...boxes] : texts.slice(i + 1);
      for (const { node: other, box: at } of others) {
        const wide = Math.min(box.x + box.width, at.x + at.width) - Math.max(box.x, at.x);
        const high = Math.min(box.y + box.height, at.y + at.height) - Math.max(box.y, at.y);
        if (wide > 1 && high > 3.5) found.push(`${text(node)} / ${text(other) || "a card"}`);
      }
    }
    return found;
  };
  const table = (made) => ({ head: all("thead th", made).map(text), rows: all("tbody tr", made).map((row) => all("th, td", row).map(text)) });
  const drawn = () => ({
    units: Object.fromEntries(all("[data-unit]", drawing).map((card) => [card.dataset.unit,
      Object.fromEntries(all(".row", card).map((row) => [row.classList[1], text(row.querySelector(".value"))]))])),
    edges: Object.fromEntries(all("[data-label]", drawing).filter((label) => all("text", label).some(isVisible))
      .map((label) => [label.dataset.label, all("text", label).filter(isVisible).map(text)])),
  });
  const chain = () => ({
    title: text(page.querySelector("#chain h2")), chosen: page.getElementById("chosen").value,
    factors: all("#chain .factor .value").map(text), paths: all("#chain table.paths tbody tr").map((row) => all("td", row)
      .map((cell) => cell.querySelector("span")?.firstChild.textContent ?? text(cell))),
    sum: all("#chain tfoot td").map(text).pop() ?? null,
    on: all(".edge.on, .label.on:not([data-label^=cost])", drawing).map((node) => node.dataset.edge ?? node.dataset.label).sort(),
    units: all("[data-unit].on", drawing).map((node) => node.dataset.unit).sort(),
    lit: all(".lit", drawing).map(text).sort(), rows: all("tr.chosen th").map(text), picked: all(".edge.picked").length,
    pairs: all("#chain table.pairs td").map(text), overlaps: overlaps(),
  });
  const found = {
    title: page.title, head: text(page.querySelector("h1")),
    drawn: drawn(), first: chain(), parts: all("#parts section").map((section) => ({ id: section.id,
      cards: all("[data-stage]", section).map((card) => ({ stage: card.dataset.stage, text: card.innerText,
        inputs: all(".inputs p span").filter((span) => card.contains(span)).map(text), tables: all("table", card).map(table) })) })),
    step: all("#the-step table").map(table)[0], total: text(page.querySelector(".total b")), chains: {},
  };
  const list = page.getElementById("chosen");
  const options = all("option", list).map((option) => option.value).filter(Boolean);
  options.filter((key, i) => options.length < 50 || i % 23 === 0).forEach((key, i) => {
    const edge = drawing.querySelector(`.touch`) && drawing.querySelector(`[data-edge="${key}"]`);
    const button = page.querySelector(`[data-pick="${key}"]`);
    if (edge && i % 3 === 0) (edge.querySelector(".touch") ?? edge).dispatchEvent(new MouseEvent("click", { bubbles: true }));
    else if (edge && i % 3 === 1) edge.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    else if (button) button.click();
    else { list.value = key; list.dispatchEvent(new Event("change")); }
    found.chains[key] = chain();
  });
  page.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  found.last = chain();
  return { ...found, ...seen() };
};
"""


def number(text):
    return float(text.strip("()").replace("−", "-"))


def text_of(node):
    return node.data if node.nodeType == node.TEXT_NODE else "".join(map(text_of, node.childNodes))


def make_pages(folder):
    """Pages by name, and what --json of the same call told."""
    rng = numpy.random.default_rng(1)
    with h5py.File(folder / "names.h5", "w") as file:
        file["train/x"] = rng.random((64, 4), dtype="f4")
        file["train/y"] = rng.integers(0, 3, 64).astype("u1")
        file.attrs["classes"] = json.dumps(CLASSES)
    (folder / "names.toml").write_text(NAMES, encoding="utf-8")
    (folder / "pages").mkdir()
    # One that has learned its samples: its cost and its errors are small numbers.
    program.run("train", RUNS / "digits.toml", "--output", folder / "sure", "--quiet", "--set", "train.epochs=80",
                "--set", "data.validation=0.1", mpi=False)
    calls = {"two": ("two-weights.toml", 1, "--weight", "dense1[0,0]"), "perceptron": ("perceptron.toml", 1),
             "three": ("three-layer.toml", 1, "--sample", "1", "--weight", "dense1[3,1]"),
             "digits": ("digits.toml", 3, "--weight", "dense2[3,0]"),
             "frozen": ("three-layer.toml", 1, "--set", "model.freeze=[\"dense1\"]"),
             "sure": (folder / "sure", 1),
             "names": (folder / "names.toml", 1, "--weight", "dense1[1,2]", "--set", f"name=\"{EVIL}\"")}
    pages, told = {}, {}
    for name, (run, ranks, *options) in calls.items():
        pages[name] = folder / "pages" / f"{name}.html"
        done = program.run("explain", RUNS / run, *options, "--json", "--html", pages[name], "--svg", folder / f"{name}.svg",
                           ranks=ranks, mpi=ranks > 1)
        told[name] = json.loads(done.stdout)
    return pages, told


class ExplainPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        cls.pages, cls.told = make_pages(cls.folder)
        cls.found, cls.console = browser.look(cls.folder, cls.pages, LOOK, WIDTHS)

    def each(self):
        for self.page, told in self.told.items():
            yield self.page, told, self.found[f"{self.page}.html {WIDTHS[0]}"]

    def check(self, shown, expected, digits, where):
        """That `shown` is `expected` to so many digits."""
        self.assertTrue(math.isclose(number(shown), expected, rel_tol=0.51 * 10 ** (1 - digits), abs_tol=1e-300),
                        f"{self.page}, {where}: {shown} shown, {expected} told")

    def test_no_page_has_an_error_loads_anything_or_leaves_the_screen(self):
        self.assertEqual(self.console, [])
        self.assertEqual(len(self.found), 2 * len(self.told))
        for name, found in self.found.items():
            self.assertEqual((found["problems"], found["loaded"]), ([], []), name)
            self.assertLessEqual(found["tooWide"], 0, name)
            self.assertEqual(found["cut"], [], name)

    def test_the_page_holds_the_numbers_of_the_command(self):
        for name, told, _ in self.each():
            held = json.loads(page.Page(self.pages[name]).texts["numbers"])
            self.assertEqual((held.pop("format"), bool(held.pop("version"))), ("lockstep-explain", True))
            self.assertEqual(held, told)

    def test_texts_of_the_drawing_do_not_overlap(self):
        for _, _, found in self.each():
            self.assertEqual(found["first"]["overlaps"], [])
            for key, chain in found["chains"].items():
                self.assertEqual(chain["overlaps"], [], key)

    def test_the_drawing_shows_every_unit_and_edge(self):
        for name, told, found in self.each():
            units, edges = found["drawn"]["units"], found["drawn"]["edges"]
            inputs = told["stages"][0]["shown_inputs"]
            self.assertEqual(len(units), len(inputs) + sum(len(s["shown_units"]) for s in told["stages"]) + 1)
            for i in inputs:
                self.check(units[f"x:{i}"]["x"], told["stages"][0]["x"][i], 4, f"x {i}")
            self.check(units["cost"]["C"], told["loss"]["cost"], 4, "C")
            few = sum(e["input"] is not None for s in told["stages"] for e in s["edges"]) <= 24
            for s, stage in enumerate(told["stages"]):
                # Also where the chosen weight has brought a unit into the drawing.
                inputs = [None] * (stage["layers"][0]["formula"]["value"].endswith("+ b")) + stage["shown_inputs"]
                pairs = {(i, j) for i in stage["shown_units"] for j in inputs} if stage["has_weights"] else set()
                self.assertEqual({(e["unit"], e["input"]) for e in stage["edges"]}, pairs)
                for i in stage["shown_units"]:
                    rows = {"z": stage["z"][i], "a": stage["a"][i]}
                    if stage["dC_dz"]:
                        rows["error"] = stage["dC_dz"][i]
                    rows |= {"bias": e["w"] for e in stage["edges"] if (e["unit"], e["input"]) == (i, None)}
                    for row, value in rows.items():
                        self.check(units[f"{s}:{i}"][row], value, 4, f"{row} of {s}:{i}")
                for edge in stage["edges"]:
                    key = f"{s}:{edge['unit']},{edge['input']}"
                    if edge["input"] is None or (not few and key not in edges):
                        continue
                    shown = dict(text.split(" ") for text in edges[key])
                    self.check(shown.get("w", shown.get("dz/da")), edge["w"], 4, key)
                    if "dC/dw" in shown or (few and stage["is_trained"]):
                        self.check(shown["dC/dw"], edge["dC_dw"], 4, key)
            for i in told["stages"][-1]["shown_units"]:
                self.check(edges[f"cost:{i}"][0].split(" ")[1], told["loss"]["dC_da"][i], 4, f"dC/da {i}")

    def check_table(self, table, columns, rows, keys):
        """That a table has these rows: columns are (what the head holds, values by row)."""
        self.assertEqual([row[0] for row in table["rows"]], [str(key) for key in keys])
        self.assertEqual(len(table["head"]), 1 + len(columns))
        for c, (title, values) in enumerate(columns, 1):
            self.assertTrue(table["head"][c].endswith(title), table["head"])
            for row, at in zip(table["rows"], rows):
                self.check(row[c], values[at], 7, f"{title} of {row[0]}")

    def test_tables_are_those_of_the_command(self):
        for _, told, found in self.each():
            parts = {part["id"]: {card["stage"]: card for card in part["cards"]} for part in found["parts"]}
            self.assertEqual(set(parts), {"forward", "the-cost", "backward", "the-step"})
            shown = parts["forward"]["x"]["inputs"]
            for i, text in zip(told["stages"][0]["shown_inputs"], shown, strict=True):
                self.check(text.split(" = ")[1], told["stages"][0]["x"][i], 7, f"x {i}")
            for s, stage in enumerate(told["stages"]):
                units = stage["shown_units"]
                active = len(stage["layers"]) > stage["has_weights"]
                columns = [("z", stage["z"])] + [("a", stage["a"]), ("da/dz", stage["da_dz"])] * active
                self.check_table(parts["forward"][str(s)]["tables"][0], columns, units, units)
                if len(units) < stage["units"]:
                    self.assertIn(f"{len(units)} of {stage['units']} units", parts["forward"][str(s)]["text"])
                if not stage["has_weights"]:
                    continue
                tables = parts["backward"][str(s)]["tables"]
                self.assertEqual(len(tables), bool(stage["dC_dz"]) + stage["is_trained"])
                if not stage["dC_dz"]:
                    continue
                both = len(stage["layers"]) > 1
                columns = [("dC/da", stage["dC_da"]), ("da/dz", stage["da_dz"])] * both + [("dC/dz", stage["dC_dz"])]
                self.check_table(tables[0], columns, units, units)
                if stage["is_trained"]:
                    factors = {f: [w["factors"][f] for w in stage["weights"]] for f in ("dC_da", "da_dz", "dz_dw")}
                    columns = [("dC/da" if both else "dC/dz", factors["dC_da"])] + [("da/dz", factors["da_dz"])] * both
                    columns += [("dz/dw", factors["dz_dw"]), ("dC/dw", [w["dC_dw"] for w in stage["weights"]])]
                    self.check_table(tables[1], columns, range(len(stage["weights"])), [w["name"] for w in stage["weights"]])
            weights = [w for stage in told["stages"] if stage["is_trained"] for w in stage["weights"]]
            self.assertEqual([row[0] for row in found["step"]["rows"]], [w["name"] for w in weights])
            for row, weight in zip(found["step"]["rows"], weights):
                self.check(row[1], weight["w"], 7, row[0])
                self.check(row[2], weight["dC_dw"], 7, row[0])
                self.check(row[5], weight["after"], 7, row[0])
                if weight["central_difference"] is None:
                    self.assertEqual(row[3:5], ["kink", ""])
                else:
                    self.check(row[3], weight["central_difference"], 7, row[0])
                    self.check(row[4], weight["relative_difference"], 2, row[0])
            loss = told["loss"]
            shown = told["stages"][-1]["shown_units"]
            for row, i in zip(parts["the-cost"]["cost"]["tables"][0]["rows"], shown, strict=True):
                values = [loss["outputs"][i]] + ([loss["targets"][i]] if loss["targets"] else []) + [loss["dC_da"][i]]
                for text, value in zip(row[1:], values, strict=True):
                    self.check(text, value, 7, f"output {i}")
            self.check(found["total"], loss["cost"], 7, "C")

    def test_the_chain_of_the_command_is_highlighted(self):
        for _, told, found in self.each():
            chain = found["first"]
            self.assertEqual(found["last"]["on"], [])
            self.assertEqual(found["last"]["chosen"], "")
            if told["chain"] is None:
                self.assertEqual((chain["on"], chain["lit"], chain["chosen"]), ([], [], ""))
                continue
            self.assertEqual(chain["title"], f"The chain of {told['chain']['weight']['name']}")
            expected = [[f["value"] for f in path["factors"]] + [path["product"]] for path in told["chain"]["paths"]]
            shown = [chain["factors"]] if chain["factors"] else chain["paths"][:len(expected)]
            for path, values in zip(shown, expected, strict=True):
                for text, value in zip(path, values, strict=True):
                    self.check(text, value, 7, "a factor")

    def test_the_page_highlights_as_the_drawing_in_the_file_did(self):
        # The program marks the chain that it is asked for, the page's script those that are chosen: the same.
        for name, told, found in self.each():
            if told["chain"] is None:
                continue
            weight = told["chain"]["weight"]
            key = f"{told['chain']['stage']}:{weight['unit']},{weight['input']}"
            drawing = xml.dom.minidom.parse(str(self.folder / f"{name}.svg"))
            groups = [g for g in drawing.getElementsByTagName("g") if "on" in g.getAttribute("class").split()]
            edges = sorted(k for g in groups for k in (g.getAttribute("data-edge"), g.getAttribute("data-label"))
                           if k and not (k.startswith("cost") and g.hasAttribute("data-label")))
            units = sorted(g.getAttribute("data-unit") for g in groups if g.hasAttribute("data-unit"))
            self.assertEqual((found["first"]["on"], found["first"]["units"]), (edges, units))
            self.assertIn(key, edges)
            lit = sorted(text_of(g) for g in drawing.getElementsByTagName("g") if "lit" in g.getAttribute("class").split()
                         and g.parentNode != drawing.documentElement)  # there is what the colours mean
            self.assertEqual(found["first"]["lit"], lit)

    def test_choosing_a_weight_shows_the_chain_whose_sum_is_its_gradient(self):
        for name, told, found in self.each():
            trained = {f"{s}:{w['unit']}" + ("" if w["input"] is None else f",{w['input']}"): w
                       for s, stage in enumerate(told["stages"]) if stage["is_trained"]
                       for w in stage["edges"] + stage["weights"]}
            self.assertGreaterEqual(len(found["chains"]), min(len(trained), 9))
            for key, chain in found["chains"].items():
                weight = trained[key]
                self.assertEqual((chain["title"], chain["chosen"]), (f"The chain of {weight['name']}", key))
                if chain["factors"]:
                    product = math.prod(map(number, chain["factors"][:-1]))
                    self.check(chain["factors"][-1], weight["dC_dw"], 6, key)
                else:
                    product = sum(number(row[-1]) for row in chain["paths"])
                    self.check(chain["sum"], weight["dC_dw"], 7, key)
                self.assertTrue(math.isclose(product, weight["dC_dw"], rel_tol=2e-5, abs_tol=1e-9), f"{name} {key}")
                self.assertEqual(set(chain["rows"]) - {weight["name"]}, set())
                if key in found["drawn"]["edges"] and "," in key:
                    self.assertIn(key, chain["on"])

    def test_names_are_text(self):
        found = self.found[f"names.html {WIDTHS[0]}"]
        self.assertEqual((found["head"], found["title"]), (EVIL, f"{EVIL} – lockstep explain"))
        cards = next(part for part in found["parts"] if part["id"] == "the-cost")["cards"]
        self.assertEqual([row[0] for row in cards[0]["tables"][0]["rows"]], [f"{i} ({name})" for i, name in enumerate(CLASSES)])
        self.assertIn(EVIL, xml.dom.minidom.parse(str(self.folder / "names.svg")).getElementsByTagName("title")[0].firstChild.data)

    def test_files_are_told_last_and_replaced_whole(self):
        file = self.folder / "again.html"
        file.write_text("before", encoding="utf-8")
        done = program.run("explain", RUNS / "two-weights.toml", "--weight", "dense1[0,0]", "--html", file, mpi=False)
        plain = program.run("explain", RUNS / "two-weights.toml", "--weight", "dense1[0,0]", mpi=False)
        self.assertEqual(done.stdout, f"{plain.stdout}\n{file}\n")
        self.assertIn("two-weights", file.read_text(encoding="utf-8"))

    def test_what_cannot_be_written_is_refused_at_once(self):
        missing = self.folder / "none" / "page.html"
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for options, words in ((("--html", missing), ("--html", str(missing), "there is no folder")),
                               (("--svg", self.folder), ("--svg", "expected a file")),
                               (("--svg", pipe), ("--svg", "expected a file", "pipe")),
                               (("--html", "x", "--svg", "./x"), ("--svg", "--html names the same file")),
                               (("--html", "x", "--check"), ("--html", "does not go with --check"))):
            done = program.run("explain", RUNS / "two-weights.toml", *options, expect=2, mpi=False)
            for word in words:
                self.assertIn(word, done.stderr)
            self.assertEqual(done.stdout, "")
        self.assertTrue(pipe.is_fifo())


def main():
    browser.need("the page of explain")
    program.main()


if __name__ == "__main__":
    main()
