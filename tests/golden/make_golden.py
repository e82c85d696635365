"""Writes the golden files beside it: what PyTorch makes of the same numbers.

Run by hand with PyTorch 1.13 or later when a case is added; the files are committed, so the tests need no PyTorch.
float32 values are printed as the doubles they are; every list is row-major.
"""

import copy
import json
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
STEPS = 30
torch.manual_seed(20)
torch.set_num_threads(1)


def flat(tensor):
    return tensor.detach().flatten().tolist()


def write(name, content):
    """One case a line, so that a change can be read in a diff."""
    with open(HERE / name, "w", encoding="utf-8") as file:
        lines = []
        for key, value in content.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                cases = ",\n".join("  " + json.dumps(case) for case in value)
                lines.append(f"{json.dumps(key)}: [\n{cases}\n]")
            else:
                lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


def losses():
    rows, width = 7, 5
    outputs = 2 * torch.randn(rows, width)
    values = 2 * torch.randn(rows, width)
    bits = torch.randint(0, 2, (rows, width)).float()
    labels = torch.randint(0, width, (rows,))
    weights, of_ones = [0.5, 4.0, 2.0, 1.0, 0.0], [0.25, 2.0, 1.0, 5.0, 0.5]
    cases = [
        ("mse", {}, "values", lambda x: F.mse_loss(x, values)),
        ("mae", {}, "values", lambda x: F.l1_loss(x, values)),
        ("huber", {}, "values", lambda x: F.huber_loss(x, values, delta=1.0)),
        ("huber", {"delta": 0.5}, "values", lambda x: F.huber_loss(x, values, delta=0.5)),
        ("binary_cross_entropy", {}, "bits", lambda x: F.binary_cross_entropy_with_logits(x, bits)),
        ("softmax_cross_entropy", {}, "labels", lambda x: F.cross_entropy(x, labels)),
        ("softmax_cross_entropy", {"label_smoothing": 0.1}, "labels",
         lambda x: F.cross_entropy(x, labels, label_smoothing=0.1)),
        ("binary_cross_entropy", {"pos_weight": 3.0}, "bits",
         lambda x: F.binary_cross_entropy_with_logits(x, bits, pos_weight=torch.tensor(3.0))),
        ("binary_cross_entropy", {"pos_weight": of_ones}, "bits",
         lambda x: F.binary_cross_entropy_with_logits(x, bits, pos_weight=torch.tensor(of_ones))),
        ("softmax_cross_entropy", {"class_weights": weights}, "labels",
         lambda x: F.cross_entropy(x, labels, weight=torch.tensor(weights))),
        ("softmax_cross_entropy", {"class_weights": weights, "label_smoothing": 0.1}, "labels",
         lambda x: F.cross_entropy(x, labels, weight=torch.tensor(weights), label_smoothing=0.1)),
    ]
    result = []
    for kind, options, targets, function in cases:
        x = outputs.clone().requires_grad_()
        value = function(x)
        value.backward()
        result.append({"type": kind, "options": options, "targets": targets, "value": value.item(),
                       "gradient": flat(x.grad)})
    write("losses.json", {"rows": rows, "width": width, "outputs": flat(outputs), "values": flat(values),
                          "bits": flat(bits), "labels": labels.tolist(), "cases": result})


def layers():
    rows, inputs, units = 6, 5, 4
    x = 2 * torch.randn(rows, inputs)
    cases = [
        ("dense", {"units": units}, nn.Linear(inputs, units)),
        ("dense", {"units": units, "bias": False}, nn.Linear(inputs, units, bias=False)),
        ("relu", {}, nn.ReLU()),
        ("leaky_relu", {}, nn.LeakyReLU()),
        ("leaky_relu", {"negative_slope": 0.2}, nn.LeakyReLU(0.2)),
        ("gelu", {}, nn.GELU()),
        ("gelu", {"approximate": "tanh"}, nn.GELU(approximate="tanh")),
        ("tanh", {}, nn.Tanh()),
        ("sigmoid", {}, nn.Sigmoid()),
    ]
    later = [  # with random numbers of their own, so that those of other files stay
        ("elu", {}, nn.ELU()),
        ("elu", {"alpha": 0.4}, nn.ELU(0.4)),
        ("selu", {}, nn.SELU()),
        ("silu", {}, nn.SiLU()),
        ("mish", {}, nn.Mish()),
        ("softplus", {}, nn.Softplus()),
        ("softplus", {"beta": 2.5, "threshold": 4.0}, nn.Softplus(2.5, 4.0)),
        ("softsign", {}, nn.Softsign()),
        ("hard_sigmoid", {}, nn.Hardsigmoid()),
        ("softmax", {}, nn.Softmax(dim=1)),
    ]
    own = torch.Generator().manual_seed(21)
    result = []
    for kind, options, layer in cases + later:
        given = x.clone().requires_grad_()
        y = layer(given)
        dy = torch.randn_like(y) if len(result) < len(cases) else torch.randn(y.shape, generator=own)
        y.backward(dy)
        tensors = {name: flat(p) for name, p in layer.named_parameters()}
        gradients = {name: flat(p.grad) for name, p in layer.named_parameters()}
        result.append({"type": kind, "options": options, "parameters": tensors, "y": flat(y), "dy": flat(dy),
                       "dx": flat(given.grad), "gradients": gradients})
    write("layers.json", {"rows": rows, "inputs": inputs, "x": flat(x), "cases": result + shaped_layers(rows)})


class Multiply(nn.Module):
    def forward(self, *inputs):
        return inputs[0] * inputs[1] if len(inputs) == 2 else inputs[0] * inputs[1] * inputs[2]


class Add(nn.Module):
    def forward(self, *inputs):
        return sum(inputs[1:], inputs[0])


class Concat(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, *inputs):
        return torch.cat(inputs, dim=self.dim)


def shaped_layers(rows):
    """Layers with inputs of their own: several, or of several extents, or with state that is not trained."""
    own = torch.Generator().manual_seed(22)
    cases = [
        ("dense", {"units": 3}, nn.Linear(4, 3), [[2, 4]]),
        ("layer_norm", {}, nn.LayerNorm(5), [[5]]),
        ("layer_norm", {"eps": 0.01}, nn.LayerNorm(5, eps=0.01), [[3, 5]]),
        ("layer_norm", {"elementwise_affine": False}, nn.LayerNorm(5, elementwise_affine=False), [[5]]),
        ("batch_norm", {}, nn.BatchNorm1d(5), [[5]]),
        ("batch_norm", {"momentum": 0.3, "eps": 0.01}, nn.BatchNorm1d(5, momentum=0.3, eps=0.01), [[5]]),
        ("batch_norm", {"affine": False}, nn.BatchNorm1d(5, affine=False), [[5]]),
        ("batch_norm", {}, nn.BatchNorm2d(3), [[3, 2, 2]]),
        ("batch_norm", {}, nn.BatchNorm1d(5).eval(), [[5]]),
        ("add", {}, Add(), [[5], [5]]),
        ("add", {}, Add(), [[2, 3], [2, 3], [2, 3]]),
        ("multiply", {}, Multiply(), [[5], [5]]),
        ("multiply", {}, Multiply(), [[2, 3], [2, 3], [2, 3]]),
        ("concat", {}, Concat(1), [[5], [2]]),
        ("concat", {"dim": 2}, Concat(2), [[2, 3], [2, 1], [2, 4]]),
        ("flatten", {}, nn.Flatten(), [[2, 3]]),
        ("reshape", {"shape": [3.0, -1.0]}, nn.Unflatten(1, (3, 2)), [[6]]),
    ]
    result = []
    for kind, options, layer, shapes in cases:
        with torch.no_grad():
            for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]:
                if name != "num_batches_tracked":
                    tensor.copy_(0.5 + torch.rand(tensor.shape, generator=own))
        tensors = {**dict(layer.named_parameters()), **{n: b for n, b in layer.named_buffers() if n.startswith("running")}}
        start = {name: flat(tensor) for name, tensor in tensors.items()}
        given = [(2 * torch.randn(rows, *shape, generator=own)).requires_grad_() for shape in shapes]
        y = layer(*given)
        dy = torch.randn(y.shape, generator=own)
        y.backward(dy)
        result.append({"type": kind, "options": options, "shapes": shapes, "training": layer.training,
                       "x": [flat(x) for x in given], "parameters": start, "y": flat(y), "dy": flat(dy),
                       "dx": [flat(x.grad) for x in given],
                       "gradients": {name: flat(p.grad) for name, p in layer.named_parameters()},
                       "after": {name: flat(tensor) for name, tensor in tensors.items()}})
    return result


def net():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 7), nn.Sigmoid(), nn.Linear(7, 6), nn.ReLU(),
                         nn.Linear(6, 4))


def parameters(model):
    """[layer][weight, bias] in the order of the layers."""
    return [[flat(m.weight), flat(m.bias)] for m in model if isinstance(m, nn.Linear)]


class Lars(torch.optim.Optimizer):
    """You, Gitman and Ginsburg (2017), algorithm 1, with the learning rate outside of the momentum buffer."""

    def __init__(self, parameters, lr, momentum=0.9, weight_decay=0.0, trust_coefficient=1e-3, eps=1e-8,
                 nesterov=False):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay,
                                          trust=trust_coefficient, eps=eps, nesterov=nesterov))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                size, slope = p.norm(), p.grad.norm()
                ratio = 1.0
                if size > 0 and slope > 0:
                    ratio = group["trust"] * size / (slope + group["weight_decay"] * size + group["eps"])
                g = ratio * (p.grad + group["weight_decay"] * p)
                buffer = self.state[p].setdefault("buffer", torch.zeros_like(p))
                buffer.mul_(group["momentum"]).add_(g)
                p -= group["lr"] * (g + group["momentum"] * buffer if group["nesterov"] else buffer)


class Lamb(torch.optim.Optimizer):
    """You et al. (2020), algorithm 2, phi(x) = x."""

    def __init__(self, parameters, lr, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.01):
        super().__init__(parameters, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(step=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                state["step"] += 1
                state["m"].mul_(b1).add_((1 - b1) * p.grad)
                state["v"].mul_(b2).add_((1 - b2) * p.grad ** 2)
                m = state["m"] / (1 - b1 ** state["step"])
                v = state["v"] / (1 - b2 ** state["step"])
                r = m / (v.sqrt() + group["eps"]) + group["weight_decay"] * p
                ratio = p.norm() / r.norm() if p.norm() > 0 and r.norm() > 0 else 1.0
                p -= group["lr"] * ratio * r


OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
              "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad, "lars": Lars,
              "lamb": Lamb}

# optimizer, learning rate, options, loss, clip_norm (0: none)
RUNS = [
    ("sgd", 0.1, {"momentum": 0.9}, "softmax_cross_entropy", 0),
    ("sgd", 0.1, {"momentum": 0.9}, "mse", 0),
    ("sgd", 0.1, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}, "softmax_cross_entropy", 0),
    ("sgd", 0.1, {"momentum": 0.8, "nesterov": True}, "softmax_cross_entropy", 0),
    ("sgd", 0.2, {"momentum": 0.9}, "softmax_cross_entropy", 0.25),
    ("adam", 0.01, {}, "softmax_cross_entropy", 0),
    ("adam", 0.01, {"betas": [0.8, 0.99], "weight_decay": 0.1}, "softmax_cross_entropy", 0),
    ("adamw", 0.01, {"weight_decay": 0.1}, "softmax_cross_entropy", 0),
    ("rmsprop", 0.005, {}, "softmax_cross_entropy", 0),
    ("rmsprop", 0.001, {"centered": True, "momentum": 0.9}, "softmax_cross_entropy", 0),
    ("adagrad", 0.05, {"lr_decay": 0.01}, "softmax_cross_entropy", 0),
    ("lars", 1.0, {"weight_decay": 0.01, "trust_coefficient": 0.02}, "softmax_cross_entropy", 0),
    ("lars", 0.5, {"momentum": 0.8, "nesterov": True, "trust_coefficient": 0.02}, "softmax_cross_entropy", 0),
    ("lamb", 0.01, {}, "softmax_cross_entropy", 0),
    ("lamb", 0.02, {"betas": [0.8, 0.99], "weight_decay": 0.1}, "softmax_cross_entropy", 0.25),
]


# The same with cross entropy, frozen layers and options of the loss.
FROZEN_AND_WEIGHTED = [
    ("sgd", 0.2, {"momentum": 0.9, "weight_decay": 0.1}, 0.25, ["dense1", "dense3"], {}),
    ("adamw", 0.01, {"weight_decay": 0.1}, 0, ["dense4"], {}),
    ("lamb", 0.02, {"weight_decay": 0.1}, 0.25, ["dense1", "dense2"], {}),
    ("lars", 1.0, {"weight_decay": 0.01, "trust_coefficient": 0.02}, 0, ["dense2"], {}),
    ("sgd", 0.1, {"momentum": 0.9}, 0, [], {"class_weights": [0.5, 4.0, 2.0, 0.25]}),
    ("adam", 0.01, {}, 0.25, ["dense1"], {"class_weights": [0.5, 0.0, 2.0, 1.0], "label_smoothing": 0.1}),
]


def train(start, x, labels, values, run, dtype=torch.float32, frozen=(), loss_options=None):
    kind, lr, options, loss_name, clip_norm = run
    model = copy.deepcopy(start).to(dtype)
    for count, layer in enumerate((m for m in model if isinstance(m, nn.Linear)), 1):
        layer.requires_grad_(f"dense{count}" not in frozen)
    loss_options = loss_options or {}
    weights = torch.tensor(loss_options["class_weights"], dtype=dtype) if "class_weights" in loss_options else None
    optimizer = OPTIMIZERS[kind]([p for p in model.parameters() if p.requires_grad], lr=lr, **options)
    history = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        outputs = model(x.to(dtype))
        if loss_name == "mse":
            loss = F.mse_loss(outputs, values.to(dtype))
        else:
            loss = F.cross_entropy(outputs, labels, weights, label_smoothing=loss_options.get("label_smoothing", 0.0))
        loss.backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        history.append(loss.item())
    return history, model


def training():
    rows = 32
    x = torch.randn(rows, 6)
    labels = torch.randint(0, 4, (rows,))
    values = torch.randn(rows, 4)
    start = net()

    def case(run, frozen=(), loss_options=None):
        history, model = train(start, x, labels, values, run, torch.float32, frozen, loss_options)
        exact_history, exact = train(start, x, labels, values, run, torch.float64, frozen, loss_options)
        # A case that amplifies rounding would test luck: float64 must end in the same place, well within the tolerance.
        apart = max((p - q).abs().max().item() for p, q in zip(model.parameters(), exact.parameters()))
        apart = max(apart, *(abs(p - q) for p, q in zip(history, exact_history)))
        print(f"{run}: loss {history[0]:.4f} to {history[-1]:.4f}, float64 is {apart:.1e} away")
        assert apart < 2e-5
        kind, lr, options, loss_name, clip_norm = run
        return {"type": kind, "lr": lr, "options": options, "loss": loss_name, "clip_norm": clip_norm,
                "losses": history, "final": parameters(model)}

    result = [case(run) for run in RUNS]
    more = []
    for kind, lr, options, clip_norm, frozen, loss_options in FROZEN_AND_WEIGHTED:
        run = (kind, lr, options, "softmax_cross_entropy", clip_norm)
        more.append({"freeze": frozen, "loss_options": loss_options, **case(run, frozen, loss_options)})
    write("training.json", {"rows": rows, "x": flat(x), "labels": labels.tolist(), "values": flat(values),
                            "start": parameters(start), "cases": result, "frozen_and_weighted": more})


def schedules():
    lr, count = 0.3, 40
    s = torch.optim.lr_scheduler
    cases = [
        ("step", {"step_size": 7}, s.StepLR),
        ("step", {"step_size": 10, "gamma": 0.5}, s.StepLR),
        ("linear", {"total_iters": 12}, s.LinearLR),
        ("linear", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 30}, s.LinearLR),
        ("polynomial", {"total_iters": 25}, s.PolynomialLR),
        ("polynomial", {"total_iters": 50, "power": 2.5}, s.PolynomialLR),
        ("cosine", {"T_max": 45}, s.CosineAnnealingLR),
        ("cosine", {"T_max": 39, "eta_min": 0.02}, s.CosineAnnealingLR),
    ]
    result = []
    for kind, options, scheduler_type in cases:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
        scheduler = scheduler_type(optimizer, **options)
        rates = []
        for _ in range(count):
            rates.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        result.append({"type": kind, "options": options, "lr": rates})
    write("schedules.json", {"lr": lr, "cases": result})


PLATEAUS = [
    {},
    {"patience": 2},
    {"patience": 0, "factor": 0.5, "threshold": 0.05},
    {"patience": 1, "factor": 0.3, "cooldown": 3},
    {"patience": 1, "factor": 0.1, "min_lr": 0.004},
    {"patience": 0, "factor": 0.1, "eps": 1e-3},
]


def plateaus():
    """Rates behind each epoch, for scores that fall, rise, stand still and are no numbers."""
    lr, count = 0.3, 40
    generator = torch.Generator().manual_seed(7)
    noise = torch.rand(count, generator=generator).tolist()
    scores = [1 / (1 + min(i, 12)) + 0.2 * noise[i] * (i % 3) for i in range(count)]
    scores[5], scores[20] = float("nan"), -0.5
    result = []
    for options in PLATEAUS:
        for mode in ("min", "max"):
            optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
            scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, mode, **{"factor": 0.1, "patience": 10, **options})
            rates = []
            for score in scores:
                scheduler.step(score)
                rates.append(optimizer.param_groups[0]["lr"])
            result.append({"mode": mode, "options": options, "lr": rates})
    write("plateaus.json", {"lr": lr, "scores": [None if s != s else s for s in scores], "cases": result})


def averages():
    """torch.optim.swa_utils with the formula of get_ema_multi_avg_fn, begun with a copy of the starting weights."""
    decay = 0.9
    model = nn.Linear(5, 4)
    start = flat(model.weight)
    average = torch.optim.swa_utils.AveragedModel(model, avg_fn=lambda e, w, n: torch.lerp(e, w, 1 - decay))
    average.update_parameters(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    steps = []
    for _ in range(8):
        optimizer.zero_grad()
        F.mse_loss(model(torch.randn(16, 5)), torch.randn(16, 4)).backward()
        optimizer.step()
        average.update_parameters(model)
        steps.append({"weights": flat(model.weight), "average": flat(average.module.weight)})
    write("averages.json", {"decay": decay, "start": start, "steps": steps})


if __name__ == "__main__":
    losses()
    layers()
    training()
    schedules()
    plateaus()
    averages()
