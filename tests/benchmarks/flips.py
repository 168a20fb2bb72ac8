"""Flip every bit of a checkpoint, and cut it at every length, and see what is made of each.

    python -m tests.benchmarks.flips [BYTES] [SEED]      # that many random bytes of a larger checkpoint too

A damaged file is refused, or harmless: no run goes on from it, and weights that load are the right ones.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.mnist_two_layer import TwoLayer
from tests.kills import WEIGHTS, data, quiet
from tinygrad_lite.data import digits
from tinygrad_lite.train import TrainingError, load_weights, train
from tinygrad_lite.train.folder import Folder


def outcome(folder: Folder, net: TwoLayer, content: bytes) -> str:
    """Say what is made of a damaged checkpoint of the net: refused, harmless, or one of two losses."""
    path = folder.path / WEIGHTS
    path.write_bytes(content)
    try:
        if folder.saved_run() is not None:
            return "RESUMED FROM"
    except TrainingError as error:
        named(path, error)
    fresh = TwoLayer(*net.W1.shape[::-1], net.W2.shape[0], seed=9)
    try:
        load_weights(fresh, path)
    except TrainingError as error:
        named(path, error)
        return "refused"
    right = all(np.array_equal(p.numpy(), q.numpy()) for p, q in zip(net.parameters(), fresh.parameters(), strict=True))
    return "harmless" if right else "WRONG WEIGHTS"


def named(path: Path, error: Exception) -> None:
    """Make sure that an error says which file it is about."""
    assert str(path) in str(error)


def flips(content: bytes) -> Iterator[bytes]:
    """Yield the content with each of its bits flipped."""
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def cuts(content: bytes) -> Iterator[bytes]:
    """Yield every beginning of the content."""
    yield from (content[:length] for length in range(len(content)))


def other_bytes(content: bytes, number: int, rng: random.Random) -> Iterator[bytes]:
    """Yield the content with one byte changed, at random places to random values."""
    for _ in range(number):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= rng.randrange(1, 256)
        yield bytes(changed)


def trained(folder: Path, net: TwoLayer, samples: Any) -> bytes:
    """Train a net for a few steps, and return its checkpoint."""
    train(net, samples, steps=3, optimizer="momentum", batch_size=8, out=folder)
    return (folder / WEIGHTS).read_bytes()


def main(number: int = 10_000, seed: int = 0) -> None:
    """Print the counts."""
    print(f"seed {seed}")
    quiet()
    with tempfile.TemporaryDirectory() as place:
        small, large = TwoLayer(6, 3, 4), TwoLayer()
        one = trained(Path(place, "small"), small, data())
        other = trained(Path(place, "large"), large, digits())
        for folder, net, what, damaged in (
            ("small", small, f"every bit of {len(one):,} bytes flipped", flips(one)),
            ("small", small, f"every truncation of {len(one):,} bytes", cuts(one)),
            ("large", large, f"one byte changed of {len(other):,}", other_bytes(other, number, random.Random(seed))),
        ):
            held = Folder(Path(place, folder))
            found = Counter(outcome(held, net, content) for content in damaged)
            held.close()
            print(f"{what}: {found.total():,} attempts, {dict(found)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
