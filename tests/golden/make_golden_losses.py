"""Writes weighted_losses.json beside it: losses of PyTorch by weights of the samples, without targets that are missing.

Run by hand with PyTorch 1.13 or later, as make_golden.py. Everything is computed in double, of float32 numbers; a missing
target is null.
"""

import json
import pathlib

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
ROWS, TARGETS = 9, 4
torch.manual_seed(21)


def numbers(*shape, scale=1.0):
    return (scale * torch.randn(*shape)).float().double()


def flat(tensor):
    return [None if value != value else value for value in tensor.detach().flatten().tolist()]


def by_weight(loss, weights, there):
    """Weighted mean over what is there; its gradient is divided by the sum of the weights' sizes. loss [rows, targets]."""
    total = (weights[:, None] * torch.where(there, loss, torch.zeros_like(loss))).sum()
    share = there.double()
    return total / (weights[:, None] * share).sum(), total / (weights[:, None].abs() * share).sum()


def main():
    weights = torch.tensor([1.0, 0.5, 2.0, 0.0, 3.0, -0.75, 0.25, 1.5, 1.0], dtype=torch.double)
    there = torch.rand(ROWS, TARGETS) > 0.3
    there[6] = False
    values = numbers(ROWS, TARGETS, scale=2)
    bits = torch.randint(0, 2, (ROWS, TARGETS)).double()
    labels = torch.randint(0, TARGETS, (ROWS,))
    of_ones = torch.tensor([0.25, 2.0, 1.0, 5.0], dtype=torch.double)
    of_class = torch.tensor([0.5, 2.0, 1.0, 0.25], dtype=torch.double)
    cases = [
        ("mse", {}, "values", TARGETS, lambda x: F.mse_loss(x, values, reduction="none")),
        ("mae", {}, "values", TARGETS, lambda x: F.l1_loss(x, values, reduction="none")),
        ("huber", {"delta": 0.5}, "values", TARGETS, lambda x: F.huber_loss(x, values, delta=0.5, reduction="none")),
        ("binary_cross_entropy", {}, "bits", TARGETS,
         lambda x: F.binary_cross_entropy_with_logits(x, bits, reduction="none")),
        ("binary_cross_entropy", {"pos_weight": of_ones.tolist()}, "bits", TARGETS,
         lambda x: F.binary_cross_entropy_with_logits(x, bits, pos_weight=of_ones, reduction="none")),
        ("softmax_cross_entropy", {"label_smoothing": 0.1}, "labels", TARGETS,
         lambda x: F.cross_entropy(x, labels, label_smoothing=0.1, reduction="none")[:, None]),
        ("softmax_cross_entropy", {"class_weights": of_class.tolist()}, "labels", TARGETS,
         lambda x: F.cross_entropy(x, labels, reduction="none")[:, None]),
    ]
    result = []
    for kind, options, targets, width, function in cases:
        for gaps in (False, True):
            if gaps and targets == "labels":
                continue
            x = numbers(ROWS, width, scale=2).requires_grad_()
            loss = function(x)
            own = weights * of_class[labels] if "class_weights" in options else weights
            mean, divided = by_weight(loss, own, there if gaps else torch.ones_like(loss, dtype=torch.bool))
            divided.backward()
            result.append({"type": kind, "options": options, "targets": targets, "gaps": gaps, "width": width,
                           "outputs": flat(x), "value": mean.item(), "gradient": flat(x.grad)})
    missing = {name: flat(torch.where(there, of, torch.full_like(of, float("nan")))) for name, of in
               (("values", values), ("bits", bits))}
    content = {"rows": ROWS, "weights": flat(weights), "labels": labels.tolist(), "values": flat(values), "bits": flat(bits),
               "missing": missing}
    with open(HERE / "weighted_losses.json", "w", encoding="utf-8") as file:
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
        lines.append('"cases": [\n  ' + ",\n  ".join(json.dumps(case) for case in result) + "\n]")
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


main()
