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
    counts = torch.randint(0, 5, (ROWS, TARGETS)).double()
    quantiles = torch.tensor([0.05, 0.4, 0.9], dtype=torch.double)

    def gaussian(x, **options):
        """The variance of lockstep is softplus of the second output; the rest is PyTorch's."""
        mean, spread = x.reshape(ROWS, TARGETS, 2).unbind(-1)
        return F.gaussian_nll_loss(mean, values, F.softplus(spread), reduction="none", **options)

    def pinball(x):
        d = values[:, :, None] - x.reshape(ROWS, TARGETS, 3)
        return torch.maximum(quantiles * d, (quantiles - 1) * d).mean(-1)

    def focal(x, alpha, gamma):
        """torchvision.ops.sigmoid_focal_loss."""
        p = torch.sigmoid(x)
        right = p * bits + (1 - p) * (1 - bits)
        loss = F.binary_cross_entropy_with_logits(x, bits, reduction="none") * (1 - right) ** gamma
        return loss if alpha < 0 else (alpha * bits + (1 - alpha) * (1 - bits)) * loss

    def softmax_focal(x, gamma):
        entropy = F.cross_entropy(x, labels, reduction="none")
        return ((1 - torch.exp(-entropy)) ** gamma * entropy)[:, None]

    def multi_margin(x, **options):
        return F.multi_margin_loss(x, labels, reduction="none", **options)[:, None]

    cases += [
        ("gaussian_nll", {}, "values", 2 * TARGETS, gaussian),
        ("gaussian_nll", {"full": True, "eps": 0.5}, "values", 2 * TARGETS, lambda x: gaussian(x, full=True, eps=0.5)),
        ("quantile", {"quantiles": quantiles.tolist()}, "values", 3 * TARGETS, pinball),
        ("poisson_nll", {}, "counts", TARGETS, lambda x: F.poisson_nll_loss(x, counts, reduction="none")),
        ("poisson_nll", {"full": True}, "counts", TARGETS, lambda x: F.poisson_nll_loss(x, counts, full=True, reduction="none")),
        ("poisson_nll", {"log_input": False, "eps": 0.01}, "counts", TARGETS,
         lambda x: F.poisson_nll_loss(x, counts, log_input=False, eps=0.01, reduction="none")),
        ("binary_focal", {}, "bits", TARGETS, lambda x: focal(x, 0.25, 2)),
        ("binary_focal", {"gamma": 0.5, "alpha": -1.0}, "bits", TARGETS, lambda x: focal(x, -1, 0.5)),
        ("hinge", {"margin": 1.5}, "bits", TARGETS, lambda x: torch.relu(1.5 - (2 * bits - 1) * x)),
        ("softmax_focal", {"gamma": 1.5}, "labels", TARGETS, lambda x: softmax_focal(x, 1.5)),
        ("multi_margin", {}, "labels", TARGETS, multi_margin),
        ("multi_margin", {"p": 2, "margin": 0.75}, "labels", TARGETS, lambda x: multi_margin(x, p=2, margin=0.75)),
    ]
    result = []
    for kind, options, targets, width, function in cases:
        for gaps in (False, True):
            if gaps and targets == "labels":
                continue
            x = numbers(ROWS, width, scale=2)
            x = (x.abs() + 0.1 if "log_input" in options else x).float().double().requires_grad_()
            loss = function(x)
            own = weights * of_class[labels] if "class_weights" in options else weights
            mean, divided = by_weight(loss, own, there if gaps else torch.ones_like(loss, dtype=torch.bool))
            divided.backward()
            result.append({"type": kind, "options": options, "targets": targets, "gaps": gaps, "width": width,
                           "outputs": flat(x), "value": mean.item(), "gradient": flat(x.grad)})
    missing = {name: flat(torch.where(there, of, torch.full_like(of, float("nan")))) for name, of in
               (("values", values), ("bits", bits), ("counts", counts))}
    content = {"rows": ROWS, "weights": flat(weights), "labels": labels.tolist(), "values": flat(values), "bits": flat(bits), "counts": flat(counts),
               "missing": missing}
    with open(HERE / "weighted_losses.json", "w", encoding="utf-8") as file:
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
        lines.append('"cases": [\n  ' + ",\n  ".join(json.dumps(case) for case in result) + "\n]")
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


main()
