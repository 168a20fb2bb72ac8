"""Measure what recording costs: time per op on scalars, and the peak memory of a training step.

python -m tests.benchmarks.overhead
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import tinygrad_lite as tl
from models.deep_mlp import DeepMLP
from models.lenet import LeNet
from tinygrad_lite import Tensor, optim
from tinygrad_lite.tensor import history

from .networks import digits


def microseconds(f: Callable[[], object], calls: int = 20_000, rounds: int = 9) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            f()
        times.append(1e6 * (time.perf_counter() - start) / calls)
    return median(times)


def per_op() -> None:
    """Print the time of recorded scalar ops beside that of the NumPy function they call."""
    a, b = Tensor(1.5, requires_grad=True), Tensor(2.5, requires_grad=True)
    x, y = a.numpy(), b.numpy()
    print("| op on scalars | recorded (µs) | NumPy (µs) | overhead (µs) |\n|---|---|---|---|")
    cases: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("a + b", lambda: a + b, lambda: np.add(x, y)),
        ("a * b", lambda: a * b, lambda: np.multiply(x, y)),
        ("tanh(a)", lambda: tl.tanh(a), lambda: np.tanh(x)),
        ("maximum(a, b)", lambda: tl.maximum(a, b), lambda: np.maximum(x, y)),
    ]
    for name, recorded, plain in cases:
        ours, numpy = microseconds(recorded), microseconds(plain)
        print(f"| {name} | {ours:.2f} | {numpy:.2f} | {ours - numpy:.2f} |")
    count = 2000
    start = time.perf_counter()
    z = a
    for _ in range(count):
        z = z + b
    middle = time.perf_counter()
    tl.gradients(z, [a, b])
    end = time.perf_counter()
    print(f"\nA chain of {count} additions: {1e6 * (middle - start) / count:.2f} µs an op forward, ", end="")
    print(f"{1e6 * (end - middle) / count:.2f} µs an op backward")


def saved_bytes(J: Tensor) -> int:
    """Return the size of the arrays that the history of a loss keeps for its derivative, each counted once."""
    buffers: dict[int, int] = {}

    def count(x: Any) -> None:
        if isinstance(x, np.ndarray):
            owner = x
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            buffers[id(owner)] = owner.nbytes
        elif isinstance(x, tuple | list):
            for part in x:
                count(part)

    assert J._node is not None
    nodes = history(J._node)
    leaves = {id(node.leaf()._array) for node in nodes if node.leaf is not None and node.leaf() is not None}  # type: ignore[union-attr]
    for node in nodes:
        count([node.out, node.saved, *node.values])
    return sum(size for key, size in buffers.items() if key not in leaves)


def memory() -> None:
    """Print the peak of a step above what lives before it, beside the activations that it has to keep."""
    print("\n| step | saved activations (MB) | gradients (MB) | peak (MB) | peak / saved |\n|---|---|---|---|---|")
    for name, net, m in (
        ("784-256-128-10, batch 4096", DeepMLP(), 4096),
        ("LeNet-5, batch 256", LeNet(), 256),
        ("LeNet-5, batch 64", LeNet(), 64),
    ):
        X, Y = digits(m)
        opt = optim.SGD(net.parameters(), lr=1e-3)
        saved = saved_bytes(net.loss(X, Y)) - X.nbytes - Y.nbytes
        for _ in range(2):
            tracemalloc.start()
            J = net.loss(X, Y)
            opt.zero_grad()
            J.backward()
            opt.step()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            del J
        slopes = sum(p.numpy().nbytes for p in net.parameters())
        print(f"| {name} | {saved / 1e6:.1f} | {slopes / 1e6:.1f} | {peak / 1e6:.1f} | {peak / saved:.2f} |")


if __name__ == "__main__":
    per_op()
    memory()
