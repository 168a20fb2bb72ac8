"""Measure one full-batch gradient step of the notes' network against the same step handwritten in NumPy, and peers.

    python -m tests.benchmarks.step          # a table: batch size, medians in ms, ratios

All run in one process on the same data; ours and the handwritten step in turn, PyTorch, where it is installed, after
them.  The handwritten step is `models/handwritten.py` as it stands: forward, backward and update, without J; beside it
the same with a line for J, which our step computes as well.
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


def ours(net: Any, X: Any, Y: Any, lr: float) -> Step:
    """Our eager step, as a user writes it."""
    opt = optim.SGD(net.parameters(), lr=lr)

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


def by_hand_with_J(X: Any, Y: Any) -> Step:
    """The same, with the line that computes J: what our step does, which cannot do without it."""
    params = TwoLayer().state_dict()

    def step() -> Any:
        nonlocal params
        grads = handwritten.backward(X, Y, **params)
        A2 = grads["dZ2"] + Y
        J = -np.mean(np.sum(Y * np.log(A2 + 1e-9), axis=0))
        params = handwritten.update(params, grads, ALPHA)
        return J

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


def medians(*steps: Step, rounds: int) -> list[float]:
    """Return the median time of each step in ms; they run in turn."""
    times: list[list[float]] = [[] for _ in steps]
    for number in range(rounds + 3):
        for step, found in zip(steps, times, strict=True):
            start = time.perf_counter()
            step()
            if number >= 3:  # the first rounds warm the caches
                found.append(time.perf_counter() - start)
    return [1e3 * median(found) for found in times]


def main() -> None:
    """Print the tables; PyTorch comes last, because its idle threads would disturb the others."""
    found = {}
    print("| m | ours (ms) | handwritten (ms) | ratio | goal | handwritten with J (ms) | ratio |")
    print("|---|---|---|---|---|---|---|")
    for m, rounds in SIZES.items():
        X, Y = case(m)
        found[m], hand, both = medians(
            ours(TwoLayer(), X, Y, ALPHA), by_hand(X, Y), by_hand_with_J(X, Y), rounds=rounds
        )
        goal = f"{found[m] / hand:.2f} | ≤ {LIMITS[m]}"
        print(f"| {m} | {found[m]:.3f} | {hand:.3f} | {goal} | {both:.3f} | {found[m] / both:.2f} |", flush=True)
    try:
        import torch  # noqa: F401
    except ImportError:
        print("\nPyTorch is not installed: left out")
        return
    print("\n| m | PyTorch eager (ms) | ours / PyTorch |\n|---|---|---|")
    for m, rounds in SIZES.items():
        (peer,) = medians(torch_eager(*case(m)), rounds=min(rounds, 1000))
        print(f"| {m} | {peer:.3f} | {found[m] / peer:.2f} |", flush=True)


if __name__ == "__main__":
    main()
