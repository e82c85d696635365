"""Writes graph.json: thirty steps of a residual net with batch_norm and dropout in PyTorch.

Run by hand with PyTorch 1.13 or later. The masks of dropout are those of the program: Philox4x32-10 (Salmon et al., 2011)
by counter (block, purpose and layer, sample, step), see src/core/random.cpp and src/layers/dropout.cpp.
"""

import torch
from torch import nn
from torch.nn import functional as F

import numpy

from make_golden import STEPS, flat, write

BLOCKS, WIDTH, INPUTS, CLASSES, ROWS, RATE, SEED = 20, 8, 5, 3, 24, 0.1, 7
DROPOUT = 2  # RandomPurpose::dropout


def philox(counter, key):
    """[n, 4] and two words to [n, 4]."""
    mask = numpy.uint64(0xFFFFFFFF)
    c = [counter[:, i].astype("u8") for i in range(4)]
    k = [numpy.uint64(word) for word in key]
    for _ in range(10):
        first, second = c[0] * numpy.uint64(0xD2511F53), c[2] * numpy.uint64(0xCD9E8D57)
        c = [(second >> numpy.uint64(32)) ^ c[1] ^ k[0], second & mask, (first >> numpy.uint64(32)) ^ c[3] ^ k[1], first & mask]
        k = [(k[0] + numpy.uint64(0x9E3779B9)) & mask, (k[1] + numpy.uint64(0xBB67AE85)) & mask]
    return numpy.stack(c, axis=1)


def mask(layer, step, samples):
    """[samples, WIDTH]: 0, or 1 / (1 - rate)."""
    rows = []
    for sample in samples:
        blocks = numpy.array([[block, DROPOUT << 24 | layer, sample, step] for block in range((WIDTH + 3) // 4)])
        rows.append(philox(blocks, (SEED, 0)).reshape(-1)[:WIDTH])
    kept = numpy.array(rows) >= numpy.ceil(RATE * 2.0**32)
    return torch.tensor(kept * numpy.float32(1 / (1 - RATE)), dtype=torch.float32)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x, kept):
        return x + self.second(F.relu(self.norm(self.first(x))) * kept)


def main():
    torch.manual_seed(30)
    into, blocks, out = nn.Linear(INPUTS, WIDTH), nn.ModuleList(Block() for _ in range(BLOCKS)), nn.Linear(WIDTH, CLASSES)
    x, labels = torch.randn(ROWS, INPUTS), torch.randint(0, CLASSES, (ROWS,))
    names = ["first", "norm", "second"]
    tensors = [("dense1/weight", into.weight), ("dense1/bias", into.bias)]
    for number, block in enumerate(blocks, 1):
        for name in names:
            module = getattr(block, name)
            tensors += [(f"{name}_{number}/{key}", tensor) for key, tensor in
                        [*module.named_parameters(), *module.named_buffers()] if key != "num_batches_tracked"]
    last = f"dense{2 * BLOCKS + 2}"  # the second one without a name, of so many
    tensors += [(f"{last}/weight", out.weight), (f"{last}/bias", out.bias)]
    start = {name: flat(tensor) for name, tensor in tensors}
    parameters = [*into.parameters(), *blocks.parameters(), *out.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.02, momentum=0.9)
    samples, losses = list(range(ROWS)), []
    for step in range(STEPS):
        at = into(x)
        for number, block in enumerate(blocks):
            at = block(at, mask(1 + 6 * number + 3, step, samples))  # dense1, then six layers a block
        loss = F.cross_entropy(out(at), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    write("graph.json", {"layers": f"""[{{type = "dense", units = {WIDTH}}},
{{repeat = {BLOCKS}, layers = [{{type = "dense", units = {WIDTH}, name = "first"}}, {{type = "batch_norm", name = "norm"}},
  {{type = "relu"}}, {{type = "dropout", rate = {RATE}}}, {{type = "dense", units = {WIDTH}, name = "second"}},
  {{type = "add", inputs = ["input", "second"]}}]}}, {{type = "dense", units = {CLASSES}}}]""",
                         "seed": SEED, "inputs": INPUTS, "rows": ROWS, "lr": 0.02, "momentum": 0.9, "x": flat(x),
                         "labels": labels.tolist(), "start": start, "losses": losses,
                         "final": {name: flat(tensor) for name, tensor in tensors}})


if __name__ == "__main__":
    main()
