"""Measure one training step of the deeper models beside PyTorch's: the same layers, batch and optimiser, two threads.

    python -m tests.benchmarks.networks      # a table: model, medians in ms, ratio

PyTorch comes last: its idle threads would disturb ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tl
from models.char_transformer import CharTransformer
from models.deep_mlp import DeepMLP
from models.lenet import LeNet

from .step import Step, medians, ours

ROUNDS, ALPHA = 200, 1e-3
GOALS = {"784-256-128-10, batch 128": "≤ 1.2", "LeNet-5, batch 64": "≤ 4", "transformer, 32 × 64 bytes": ""}


def digits(m: int) -> tuple[Any, Any]:
    """Return random samples (784 × m) and one-hot labels (10 × m)."""
    rng = np.random.default_rng(m)
    return rng.random((m, 784), dtype=np.float32).T, np.eye(10, dtype=np.float32)[rng.integers(0, 10, m)].T


def text() -> tuple[Any, Any]:
    """Return random bytes and those that follow, 64 × 32."""
    windows = np.random.default_rng(0).integers(0, 256, (65, 32)).astype(np.uint8)
    return windows[:-1], windows[1:]


def theirs(net: Any, inputs: Any, labels: Any) -> Step:
    """Return PyTorch's eager step; `net` gives the logits."""
    import torch

    opt = torch.optim.SGD(net.parameters(), lr=ALPHA)

    def step() -> None:
        logits = net(inputs)
        J = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))
        opt.zero_grad()
        J.backward()
        opt.step()

    return step


def torch_steps() -> list[Step]:
    """Return PyTorch's steps of the three models."""
    import torch
    from torch import nn

    torch.set_num_threads(2)
    mlp = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    lenet = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )

    class Block(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
            self.full = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            self.mask = torch.triu(torch.ones(64, 64, dtype=torch.bool), 1)

        def forward(self, x: Any) -> Any:
            y = self.norm1(x)
            x = x + self.attention(y, y, y, attn_mask=self.mask, is_causal=True, need_weights=False)[0]
            return x + self.full(self.norm2(x))

    class Transformer(nn.Module):
        def __init__(self, width: int = 64) -> None:
            super().__init__()
            self.bytes, self.places = nn.Embedding(256, width), nn.Embedding(64, width)
            self.blocks = nn.Sequential(Block(width, 4), Block(width, 4), nn.LayerNorm(width), nn.Linear(width, 256))

        def forward(self, X: Any) -> Any:
            return self.blocks(self.bytes(X) + self.places.weight)

    steps = []
    for net, m in ((mlp, 128), (lenet, 64)):
        X, Y = digits(m)
        rows = torch.from_numpy(X.T.copy())
        inputs = rows.reshape(m, 1, 28, 28) if net is lenet else rows
        steps.append(theirs(net, inputs, torch.from_numpy(Y.T.argmax(1))))
    X, Y = (torch.from_numpy(side.T.astype(np.int64)) for side in text())
    return [*steps, theirs(Transformer(), X, Y)]


def main() -> None:
    """Print the table."""
    tl.manual_seed(0)
    steps = [
        ours(DeepMLP(), *digits(128), ALPHA),
        ours(LeNet(), *digits(64), ALPHA),
        ours(CharTransformer(), *text(), ALPHA),
    ]
    found = [medians(step, rounds=ROUNDS)[0] for step in steps]
    peers: list[float] = []
    try:
        peers = [medians(step, rounds=ROUNDS)[0] for step in torch_steps()]
    except ImportError:
        print("PyTorch is not installed: left out")
    print("| model | ours (ms) | PyTorch eager (ms) | ratio | goal |\n|---|---|---|---|---|")
    for i, (name, goal) in enumerate(GOALS.items()):
        peer = f"{peers[i]:.2f} | {found[i] / peers[i]:.2f}" if peers else "|"
        print(f"| {name} | {found[i]:.2f} | {peer} | {goal} |")


if __name__ == "__main__":
    main()
