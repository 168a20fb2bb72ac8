"""A small GPT that learns a text byte by byte: `tinygrad-lite train models/char_transformer.py --data book.txt`.

Source: Radford et al. (2019), Language models are unsupervised multitask learners: layer norms before the blocks, learnt
positions.  A character is a byte of UTF-8, so any text will do; the loss is in nats per byte.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from tinygrad_lite import Tensor, gelu, mean, nn, no_grad, random, softmax, softmax_cross_entropy
from tinygrad_lite.data import DataError, Dataset, Split


class Block(nn.Module):
    """Attention to what came before, then two full layers; each adds to what it is given."""

    def __init__(self, width: int, heads: int) -> None:
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiHeadAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.full1 = nn.Linear(width, 4 * width)
        self.full2 = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "m length width"]) -> Float[Tensor, "m length width"]:
        """Return what the next block is given."""
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, normed, is_causal=True)
        return x + self.full2(gelu(self.full1(self.norm2(x))))


class CharTransformer(nn.Module):
    """Bytes + positions → blocks → scores of the next byte, at each of `length` places of each sample."""

    recipe = {"optimizer": "adamw", "lr": 2e-3, "batch_size": 32, "steps": 1000}  # noqa: RUF012

    def __init__(self, length: int = 64, width: int = 64, heads: int = 4, blocks: int = 2) -> None:
        self.length = length
        self.bytes = nn.Embedding(256, width)
        self.places = nn.Embedding(length, width)
        self.blocks = [Block(width, heads) for _ in range(blocks)]
        self.norm = nn.LayerNorm(width)
        self.scores = nn.Linear(width, 256)

    def data(self, source: str | None) -> Dataset:
        """Return windows of a text file, one a column: X the bytes, Y those one further on; the last tenth is the test."""
        if source is None:
            raise DataError("the transformer learns a text of yours; name it: --data book.txt")
        try:
            text = np.frombuffer(Path(source).read_bytes(), np.uint8)
        except OSError as error:
            raise DataError(f"{source}: {error.strerror or error}; name a text file with --data") from None
        if len(text) < 20 * self.length:
            raise DataError(f"{source}: {len(text)} bytes are too few; a text of at least {20 * self.length} is needed")
        cut = len(text) * 9 // 10
        return Dataset(self.windows(text[:cut], 1), self.windows(text[cut:], self.length), source)

    def windows(self, text: np.ndarray, stride: int) -> Split:
        """Return all windows of a text that begin `stride` apart; they share memory."""
        rows = np.lib.stride_tricks.sliding_window_view(text, self.length + 1)[::stride]
        return Split(rows[:, :-1].T, rows[:, 1:].T)

    def forward(self, X: UInt8[Tensor, "length m"]) -> Float[Tensor, "m length 256"]:
        """Return the scores of the byte that follows each byte of X."""
        x = self.bytes(X.T) + self.places(np.arange(X.shape[0]))
        for block in self.blocks:
            x = block(x)
        return self.scores(self.norm(x))

    def loss(self, X: UInt8[Tensor, "length m"], Y: UInt8[Tensor, "length m"]) -> Float[Tensor, ""]:
        """Return J, the mean cross-entropy of the next byte."""
        J = mean(softmax_cross_entropy(self(X), Y.T))
        return J

    def write(self, beginning: str, count: int) -> str:
        """Return a text that goes on from its beginning by `count` bytes, each drawn by its probability."""
        text = list(beginning.encode())
        self.eval()
        with no_grad():
            for _ in range(count):
                X = np.array(text[-self.length :], np.uint8)[:, None]
                p = softmax(self(X)[0, -1].astype(np.float64)).numpy()
                text.append(int(random.generator().choice(256, p=p)))
        return bytes(text).decode(errors="replace")
