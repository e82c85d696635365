"""What explain prints for the three introductory runs, against backpropagation by hand.

Usage: explain_test.py PROGRAM
"""

import json
import re
import tempfile
import unittest
from pathlib import Path

import h5py

import program
from backpropagation import adam, backpropagate, sgd

WITHIN = 1e-6
DATA = program.ROOT / "data/introduction.h5"
RUNS = program.ROOT / "launch/runs"
# Of each run: activations by layer, loss, and one step of its optimizer from (w, gradient, state).
NETS = {
    "two-weights": (("sigmoid", "sigmoid"), "mse", lambda w, g, _: sgd(w, g, 0.5)),
    "perceptron": ((None,), "binary_cross_entropy", lambda w, g, _: sgd(w, g, 1.0)),
    "three-layer": (("tanh", None), "binary_cross_entropy", lambda w, g, state: adam(w, g, 0.05, *state)),
}


def read_layers(file, activations):
    """The layers for backpropagate, and for every weight by name where it lies in the file."""
    layers, places = [], {}
    for number, activation in enumerate(activations, 1):
        name = f"dense{number}"
        group = file[f"parameters/{name}"]
        weights = group["weight"][:].tolist()
        bias = group["bias"][:].tolist() if "bias" in group else None
        layers.append((weights, bias, activation))
        places.update({f"{name}[{i},{j}]": (number - 1, "weight", (i, j))
                       for i, row in enumerate(weights) for j in range(len(row))})
        places.update({f"{name}[{i}]": (number - 1, "bias", (i,)) for i in range(len(bias or []))})
    return layers, places


def tables(text):
    """The numbers of a printed explanation: [section][stage][row] = numbers of the row; the last of "C = ..."."""
    found, section, stage, cost = {}, None, None, None
    for line in text.splitlines():
        if (title := re.match(r"(Forward|Backward|One step|The chain)", line)):
            section, stage = title[1], None
            found[section] = {}
        elif (title := re.match(r"(dense\d+).*: \d+ in, \d+ out", line)):
            stage = title[1]
        elif line.startswith("The cost"):
            stage = "cost"
        elif (end := re.match(r"  C = ([-+.e\d]+)$", line)):
            cost = float(end[1])
        elif section and (row := re.match(r"  (\d+|dense\d+\[[\d,]+\]) +([-+.e\d ]+)$", line)):
            rows = found[section].setdefault(stage, {})
            rows[row[1]] = rows.get(row[1], []) + [[float(number) for number in row[2].split()]]
    return found, cost


class Explained(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        for name in NETS:
            program.run("train", RUNS / f"{name}.toml", "--output", cls.folder / name, "--quiet", "--set", "train.epochs=3",
                        "--set", "checkpoint.every_epochs=1", "--set", "checkpoint.keep=9")

    def near(self, found, expected, what):
        self.assertEqual(len(found), len(expected), what)
        for a, b in zip(found, expected):
            self.assertLess(abs(a - b), WITHIN, f"{what}: {found} is not {expected}")

    def by_hand(self, name, step, sample):
        """Layers, cost and the weights after one step on the sample, from the checkpoint of `step`."""
        activations, loss, update = NETS[name]
        with h5py.File(self.folder / name / f"checkpoints/step-{step:08}.h5") as file, h5py.File(DATA) as data:
            layers, places = read_layers(file, activations)
            x, t = (data[f"{name}/{part}"][sample].tolist() for part in "xy")
            found, cost = backpropagate(layers, loss, x, t)
            weights = {}
            for weight, (layer, parameter, index) in places.items():
                gradient = found[layer]["dC_dW" if parameter == "weight" else "dC_db"]
                for i in index:
                    gradient = gradient[i]
                path = f"dense{layer + 1}/{parameter}"
                w = file[f"parameters/{path}"][index]
                state = [file[f"optimizer/{slot}/{path}"][index] for slot in ("exp_avg", "exp_avg_sq")
                         if f"optimizer/{slot}" in file]
                weights[weight] = (float(w), gradient, update(float(w), gradient, (*map(float, state), step + 1)))
        return found, cost, weights

    def cases(self, samples):
        """Samples of every run, before the first step (from the run file) and after the third (from the folder)."""
        for name in NETS:
            for sample in (0,) if name == "two-weights" else samples:
                yield name, 0, sample, RUNS / f"{name}.toml"
            yield name, 3, 0, self.folder / name

    def test_json(self):
        for name, step, sample, subject in self.cases((1,)):
            layers, cost, weights = self.by_hand(name, step, sample)
            e = json.loads(program.run("explain", subject, "--sample", sample, "--json", mpi=False).stdout)
            self.assertEqual((e["step"], e["sample"], e["is_whole"], len(e["stages"])), (step, sample, True, len(layers)))
            self.near([e["loss"]["cost"]], [cost], name)
            seen = {}
            for stage, layer in zip(e["stages"], layers):
                for key in ("x", "z", "a", "da_dz", "dC_da", "dC_dz"):
                    self.near(stage[key], layer[key], f"{name} {sample} {stage['name']} {key}")
                for w in stage["weights"]:
                    seen[w["name"]] = [w["w"], w["dC_dw"], w["after"]]
                    self.near([w["central_difference"]], [weights[w["name"]][1]], f"{name} {w['name']}")
                    factors = w["factors"]["dC_da"] * w["factors"]["da_dz"] * w["factors"]["dz_dw"]
                    self.near([factors], [weights[w["name"]][1]], f"{name} {w['name']}")
            self.assertEqual(set(seen), set(weights))
            for weight, expected in weights.items():
                self.near(seen[weight], expected, f"{name} after step {step}, sample {sample}, {weight}")

    def test_text(self):
        for name, step, sample, subject in self.cases((0, 2, 3)):
            layers, cost, weights = self.by_hand(name, step, sample)
            chosen = f"dense1[0,{0 if name == 'two-weights' else 1}]"
            text = program.run("explain", subject, "--sample", sample, "--weight", chosen, mpi=False).stdout
            found, printed_cost = tables(text)
            self.near([printed_cost], [cost], name)
            for number, layer in enumerate(layers, 1):
                forward, backward = found["Forward"][f"dense{number}"], found["Backward"][f"dense{number}"]
                activated = NETS[name][0][number - 1] is not None
                for unit in range(len(layer["z"])):
                    columns = ("z", "a", "da_dz") if activated else ("z",)
                    self.near(forward[str(unit)][0], [layer[key][unit] for key in columns], f"{name} forward {unit}")
                    columns = ("dC_da", "da_dz", "dC_dz") if activated else ("dC_dz",)
                    self.near(backward[str(unit)][0], [layer[key][unit] for key in columns], f"{name} backward {unit}")
            printed = [row for stage in found["Backward"].values() for row in stage]
            self.assertLessEqual(set(weights), set(printed))
            for weight, (w, gradient, after) in weights.items():
                (row,) = found["One step"][None][weight]
                self.near([row[0], row[1], row[2], row[4]], [w, gradient, gradient, after], f"{name} step {weight}")
                self.assertLess(row[3], 1e-3, weight)
                (row,) = next(stage[weight] for stage in found["Backward"].values() if weight in stage)
                self.near([row[-1]], [gradient], f"{name} backward {weight}")
            products = [float(x) for x in re.findall(r"^  = +([-+.e\d]+)$", text, re.MULTILINE)]
            self.near([sum(products)], [weights[chosen][1]], f"{name} chain")

    def test_any_number_of_ranks_prints_the_same(self):
        for run in ("three-layer", "two-weights"):  # which has one shard
            alone = program.run("explain", RUNS / f"{run}.toml", mpi=False).stdout
            self.assertEqual(program.run("explain", RUNS / f"{run}.toml", ranks=3).stdout, alone)


if __name__ == "__main__":
    program.main()
