"""Measure one full-batch gradient step of the notes' network against the same step handwritten in NumPy, and peers.

    python -m tests.benchmarks.step          # a table: batch size, medians in ms, ratios

All competitors run in one process, in turn, and every run starts from the same data.  Peers that are not installed are
left out.  The handwritten step is `models/handwritten.py` as it stands: forward, backward and update, without J.  Ours
computes J as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from models import handwritten
from models.mnist_two_layer import TwoLayer
from tinygrad_lite import optim

SIZES = {1: 4000, 32: 4000, 128: 3000, 1024: 400, 60000: 15}  # samples: rounds
LIMITS = {1: 1.5, 32: 1.5, 128: 1.3, 1024: 1.15, 60000: 1.15}
ALPHA = 0.1

Step = Callable[[], object]


def case(m: int) -> tuple[Any, Any]:
    """Return random samples X (784 × m, a view of row-major images) and one-hot labels Y (10 × m)."""
    rng = np.random.default_rng(m)
    images = rng.random((m, 784), dtype=np.float32)
    labels = np.eye(10, dtype=np.float32)[rng.integers(0, 10, m)]
    return images.T, labels.T


def ours(X: Any, Y: Any) -> Step:
    """Our eager step, as a user writes it."""
    net = TwoLayer()
    opt = optim.SGD(net.parameters(), lr=ALPHA)

    def step() -> None:
        J = net.loss(X, Y)
        opt.zero_grad()
        J.backward()
        opt.step()

    return step


def by_hand(X: Any, Y: Any) -> Step:
    """The notes in NumPy."""
    params = TwoLayer().state_dict()

    def step() -> None:
        nonlocal params
        params = handwritten.update(params, handwritten.backward(X, Y, **params), ALPHA)

    return step


def torch_eager(X: Any, Y: Any) -> Step:
    """PyTorch's eager step with nn.Linear; samples are rows there."""
    import torch

    rows, labels = torch.from_numpy(X.T), torch.from_numpy(Y.T.argmax(1))
    net = torch.nn.Sequential(torch.nn.Linear(784, 10), torch.nn.ReLU(), torch.nn.Linear(10, 10))
    opt = torch.optim.SGD(net.parameters(), lr=ALPHA)
    loss = torch.nn.CrossEntropyLoss()

    def step() -> None:
        J = loss(net(rows), labels)
        opt.zero_grad()
        J.backward()
        opt.step()

    return step


def measure(m: int, rounds: int) -> dict[str, float]:
    """Return the median time of a step in ms, by competitor."""
    X, Y = case(m)
    steps: dict[str, Step] = {}
    for make in (ours, by_hand, torch_eager):
        try:
            steps[make.__name__] = make(X, Y)
        except ImportError:
            continue
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 3):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if number >= 3:  # the first rounds warm the caches
                times[name].append(time.perf_counter() - start)
    return {name: 1e3 * median(seconds) for name, seconds in times.items()}


def main() -> None:
    """Print the table."""
    print("| m | ours (ms) | handwritten (ms) | ratio | goal | torch (ms) | ours / torch |")
    print("|---|---|---|---|---|---|---|")
    for m, rounds in SIZES.items():
        t = measure(m, rounds)
        peer = t.get("torch_eager")
        versus = "| not installed | |" if peer is None else f"| {peer:.3f} | {t['ours'] / peer:.2f} |"
        ratio = t["ours"] / t["by_hand"]
        print(f"| {m} | {t['ours']:.3f} | {t['by_hand']:.3f} | {ratio:.2f} | ≤ {LIMITS[m]} {versus}")


if __name__ == "__main__":
    main()
