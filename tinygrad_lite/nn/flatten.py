"""Flatten."""

from __future__ import annotations

from ..ops.shape import flatten
from ..tensor import ArrayLike, Tensor
from .module import Module


class Flatten(Module):
    """The axes from `start` to `end` joined into one; by default all but the first, which holds the samples.

    >>> nn.Flatten()(np.ones((5, 8, 2, 2))).shape
    (5, 32)
    """

    def __init__(self, start: int = 1, end: int = -1) -> None:
        self.start, self.end = start, end

    def forward(self, x: ArrayLike) -> Tensor:
        """Join the axes."""
        y: Tensor = flatten(x, self.start, self.end)
        return y

    def extra_repr(self) -> str:  # noqa: D102
        return f"start={self.start}, end={self.end}"
