"""PyTorch doing what `lockstep bench` and launch/runs/fashion-mnist.toml do; started by compare_torch.py.

torch_peer.py step --exchange ddp|mpi ...   under mpirun, one process a rank: prints the best samples/s of five trials
torch_peer.py fashion EPOCHS                 one process: prints the test accuracy after the last epoch
"""

import argparse
import gzip
import os
import time

import numpy
import torch
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}


def make_net(widths, activation):
    layers = []
    for i in range(len(widths) - 1):
        layers.append(nn.Linear(widths[i], widths[i + 1]))
        if i + 2 < len(widths):
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


class FlatAllreduce:
    """Gradients of all parameters as views into one array, which one MPI_Allreduce adds up."""

    def __init__(self, net):
        from mpi4py import MPI

        self.mpi = MPI
        parameters = list(net.parameters())
        self.flat = torch.zeros(sum(p.numel() for p in parameters))
        begin = 0
        for p in parameters:
            p.grad = self.flat[begin:begin + p.numel()].view_as(p)
            begin += p.numel()
            MPI.COMM_WORLD.Bcast(p.data.numpy())

    def clear(self):
        self.flat.zero_()

    def combine(self):
        world = self.mpi.COMM_WORLD
        world.Allreduce(self.mpi.IN_PLACE, self.flat.numpy())
        self.flat /= world.size

    def barrier(self):
        self.mpi.COMM_WORLD.Barrier()


def step(args):
    torch.set_num_threads(1)
    rank, ranks = int(os.environ["OMPI_COMM_WORLD_RANK"]), int(os.environ["OMPI_COMM_WORLD_SIZE"])
    torch.manual_seed(0)
    widths = [int(text) for text in args.layers.split(",")]
    net = model = make_net(widths, args.activation)
    flat = None
    if args.exchange == "ddp":
        torch.distributed.init_process_group("gloo", rank=rank, world_size=ranks)
        model = nn.parallel.DistributedDataParallel(net)
        barrier = torch.distributed.barrier
    else:
        flat = FlatAllreduce(net)
        barrier = flat.barrier
    if args.optimizer == "sgd":
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    samples = 8192
    x, y = torch.rand(samples, widths[0]), torch.randint(0, widths[-1], (samples,))
    order = torch.randperm(samples)
    loss = nn.CrossEntropyLoss()

    def one_step(i):
        begin = i * args.batch % (samples - args.batch + 1)
        rows = order[begin:begin + args.batch]
        flat.clear() if flat else optimizer.zero_grad(set_to_none=True)
        loss(model(x[rows]), y[rows]).backward()
        if flat:
            flat.combine()
        optimizer.step()

    def seconds(steps):
        barrier()
        start = time.perf_counter()
        for i in range(steps):
            one_step(i)
        barrier()
        return time.perf_counter() - start

    seconds(20)
    count = torch.tensor([max(3.0, args.seconds / (seconds(10) / 10))])
    if flat:
        flat.mpi.COMM_WORLD.Bcast(count.numpy())
    else:
        torch.distributed.broadcast(count, 0)
    steps = int(count.item())
    best = min(seconds(steps) for _ in range(5))
    if rank == 0:
        print(steps * args.batch * ranks / best)


def read_idx(path):
    with gzip.open(path) as file:
        data = file.read()
    sizes = numpy.frombuffer(data, ">u4", data[3], 4)
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def fashion(args):
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    folder = "/usr/share/datasets/fashion-mnist"

    def split(name):
        x = read_idx(f"{folder}/{name}-images-idx3-ubyte.gz")
        y = read_idx(f"{folder}/{name}-labels-idx1-ubyte.gz")
        return torch.tensor(x.reshape(len(x), -1), dtype=torch.float32) / 255, torch.tensor(y, dtype=torch.int64)

    (x, y), (test_x, test_y) = split("train"), split("t10k")
    net = make_net([784, 256, 128, 10], "relu")
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    loss = nn.CrossEntropyLoss()
    for _ in range(args.epochs):
        for rows in torch.randperm(len(x)).split(128):
            optimizer.zero_grad(set_to_none=True)
            loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            outputs = net(test_x)
            accuracy = (outputs.argmax(1) == test_y).float().mean().item()
            loss(outputs, test_y).item()
    print(accuracy)


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    a = commands.add_parser("step")
    a.add_argument("--exchange", choices=["ddp", "mpi"], required=True)
    a.add_argument("--layers", required=True)
    a.add_argument("--batch", type=int, required=True)
    a.add_argument("--activation", default="relu")
    a.add_argument("--optimizer", default="sgd")
    a.add_argument("--seconds", type=float, default=0.4)
    a.set_defaults(run=step)
    a = commands.add_parser("fashion")
    a.add_argument("epochs", type=int)
    a.add_argument("--threads", type=int, default=0, help="0: as PyTorch chooses")
    a.set_defaults(run=fashion)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
