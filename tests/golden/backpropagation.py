"""Backpropagation by hand: plain arithmetic on lists, one sample, nothing but the formulas of a textbook."""

import math


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


ACTIVATIONS = {  # a = f(z), and da/dz from a
    "sigmoid": (sigmoid, lambda a: a * (1 - a)),
    "tanh": (math.tanh, lambda a: 1 - a * a),
}


def mse(a, t):
    n = len(a)
    return sum((ai - ti) ** 2 for ai, ti in zip(a, t)) / n, [2 * (ai - ti) / n for ai, ti in zip(a, t)]


def binary_cross_entropy(a, t):
    """On logits."""
    n = len(a)
    cost = -sum(ti * math.log(sigmoid(ai)) + (1 - ti) * math.log(1 - sigmoid(ai)) for ai, ti in zip(a, t)) / n
    return cost, [(sigmoid(ai) - ti) / n for ai, ti in zip(a, t)]


LOSSES = {"mse": mse, "binary_cross_entropy": binary_cross_entropy}


def backpropagate(layers, loss, x, t):
    """`layers`: (W [out][in], b [out] or None, name of the activation or None). For each layer a dict of x, z, a, da_dz,
    dC_da, dC_dz, dC_dW, dC_db; and the cost."""
    found = []
    for weights, bias, activation in layers:
        z = [sum(w * xj for w, xj in zip(row, x)) + (bias[i] if bias else 0) for i, row in enumerate(weights)]
        value, slope = ACTIVATIONS.get(activation, (lambda v: v, lambda v: 1))
        a = [value(v) for v in z]
        found.append({"x": x, "z": z, "a": a, "da_dz": [slope(v) for v in a]})
        x = a
    cost, error = LOSSES[loss](x, t)
    for (weights, _, _), layer in zip(reversed(layers), reversed(found)):
        layer["dC_da"] = error
        layer["dC_dz"] = [e * s for e, s in zip(error, layer["da_dz"])]
        layer["dC_dW"] = [[d * xj for xj in layer["x"]] for d in layer["dC_dz"]]
        layer["dC_db"] = layer["dC_dz"]
        error = [sum(d * row[j] for d, row in zip(layer["dC_dz"], weights)) for j in range(len(layer["x"]))]
    return found, cost


def sgd(w, g, lr):
    return w - lr * g


def adam(w, g, lr, m=0.0, v=0.0, step=1, betas=(0.9, 0.999), eps=1e-8):
    """One step; m, v: the averages before it, `step` counts from 1 (Kingma and Ba, 2015)."""
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * g * g
    return w - lr * (m / (1 - betas[0] ** step)) / (math.sqrt(v / (1 - betas[1] ** step)) + eps)
