"""Linear algebra: matmul.  Imports `op`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import PRODUCT, op
from ..tensor import ArrayLike
from .shape import reshape, transpose

__all__ = ["matmul"]


def _swapped(x: Any) -> Any:
    """Transpose the last two axes."""
    return x.T if x.ndim == 2 else transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _left(g: Any, _out: Any, _a: Any, b: Any) -> Any:
    """∂/∂a of a @ b: g bᵀ.  A vector counts as a matrix of one row (a) or one column (b), as in np.matmul."""
    if b.ndim == 1:
        return reshape(g, (*g.shape, 1)) * b
    if _a.ndim == 1:
        g = reshape(g, (*g.shape[:-1], 1, g.shape[-1]))
        return reshape(out := g @ _swapped(b), (*out.shape[:-2], out.shape[-1]))
    return g @ _swapped(b)


def _right(g: Any, _out: Any, a: Any, _b: Any) -> Any:
    """∂/∂b of a @ b: aᵀ g."""
    if a.ndim == _b.ndim == 1:
        return g * a
    if a.ndim == 1:
        return reshape(a, (-1, 1)) * reshape(g, (*g.shape[:-1], 1, g.shape[-1]))
    if _b.ndim == 1:
        out = _swapped(a) @ reshape(g, (*g.shape, 1))
        return reshape(out, out.shape[:-1])
    return _swapped(a) @ g


@op(
    _left,
    _right,
    text="{0} {1}",
    precedence=PRODUCT,
    numpy=np.matmul,
    methods=["__matmul__"],
    broadcasts=True,
)
def matmul(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the matrix product a b: shapes (…, i, k) and (…, k, j) give (…, i, j); batches broadcast.

    >>> matmul(Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]]))
    Tensor([[11.]], dtype=float32)
    """
    if a.shape[-1] == 1 and a.ndim == b.ndim == 2 and b.shape[0] == 1:
        return np.multiply(a, b)  # an outer product: three times as fast as np.matmul
    return np.matmul(a, b)
