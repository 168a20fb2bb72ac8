"""Ops that pick elements out and put them back: getitem and its vjp, scatter.  Imports `op`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op
from ..tensor import ArrayLike, Tensor

__all__ = ["getitem", "scatter"]


def frozen(index: Any) -> Any:
    """Return an index that later changes of its lists, arrays and tensors do not reach."""
    if isinstance(index, tuple):
        return tuple(frozen(part) for part in index)
    if isinstance(index, Tensor):
        return index.numpy().copy()
    if isinstance(index, list):
        return np.array(index) if index else np.array(index, dtype=np.intp)
    return index.copy() if isinstance(index, np.ndarray) else index


def _is_basic(index: Any) -> bool:
    """Whether an index selects each element at most once without saying so element by element."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts)


@op(
    lambda g, _out, _x, index: scatter(g, index, _x.shape),
    text="{0}[{index}]",
    latex="{0}[{index}]",
)
def getitem(x: ArrayLike, index: Any) -> Any:
    """Pick elements as NumPy does: `x[0]`, `x[:, 1:3]`, `x[mask]`, `x[[0, 0, 2]]` (repeats add up their gradients).

    >>> Tensor([1.0, 2.0, 3.0])[1:]
    Tensor([2., 3.], dtype=float32)
    """
    return x[frozen(index)]


@op(lambda g, _out, _x, index, shape: getitem(g, index), text="scatter({0}, {index})")
def scatter(x: ArrayLike, index: Any, shape: tuple[int, ...]) -> Any:
    """Put x at `index` into zeros of `shape`; what falls on the same element adds up.  The vjp of getitem.

    >>> scatter(Tensor([1.0, 2.0]), [1, 1], (3,))
    Tensor([0., 3., 0.], dtype=float32)
    """
    out = np.zeros_like(x, shape=shape)
    index = frozen(index)
    if _is_basic(index):
        out[index] = x
    else:
        np.add.at(out, index, x)
    return out


setattr(Tensor, "__getitem__", lambda x, index: getitem(x, frozen(index)))  # noqa: B010
