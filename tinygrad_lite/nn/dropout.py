"""Dropout."""

from __future__ import annotations

from ..ops.neural import dropout
from ..tensor import ArrayLike, Tensor
from .module import Module
from .settings import share


class Dropout(Module):
    """In training mode, each number set to 0 with probability p and the others divided by 1 − p; the identity otherwise.

    >>> nn.Dropout(0.5).eval()(np.ones(3))
    Tensor([1., 1., 1.], dtype=float64)
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = share("p", p)

    def forward(self, x: ArrayLike) -> Tensor:
        """Drop numbers, or none when not training."""
        y: Tensor = dropout(x, self.p, self.training)
        return y

    def extra_repr(self) -> str:  # noqa: D102
        return f"p={self.p}"
