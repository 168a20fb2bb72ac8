"""Ops that put elements in order along an axis: argsort, sort, topk.

Equal elements keep their order, in descending order too.  NaN counts as larger than any number, as in NumPy and PyTorch.
"""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from ..op import composed, op
from ..tensor import ArrayLike
from .indexing import gather

__all__ = ["argsort", "sort", "topk"]


def _order(x: Any, axis: int, descending: bool) -> Any:
    """Return the places of the elements in order."""
    if axis is None:
        raise ValueError("axis must be an integer; flatten with reshape(x, -1) first")
    if x.ndim == 0:  # np.argsort would give one place in a vector, and np.sort refuses
        raise ValueError("a scalar has no order; an array of one axis at least is needed")
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(backwards, axis)


@op(text="argsort({0})", latex=r"\mathrm{{argsort}}({0})", numpy=np.argsort)
def argsort(x: ArrayLike, axis: int = -1, *, descending: bool = False) -> Any:
    """Return the places of the elements in order along an axis; equal elements keep their order.

    >>> argsort(Tensor([3.0, 1.0, 2.0, 1.0]))
    Tensor([1, 3, 2, 0], dtype=int64)
    """
    return _order(x, axis, descending)


def _sort_rule(g: Any, _out: Any, x: Any, axis: int, descending: bool, saved: Any) -> Any:
    """Carry each element of g back to where it came from, by the inverse permutation."""
    order = argsort(x, axis=axis, descending=descending).numpy() if saved is None else saved
    return gather(g, axis, np.argsort(order, axis=axis))


def _gaps(x: Any, axis: int) -> Any:
    return np.diff(np.sort(x, axis=axis), axis=axis)


@op(
    _sort_rule,
    text="sort({0})",
    latex=r"\mathrm{{sort}}({0})",
    kink=lambda x, axis, descending: _gaps(x, axis),
    convention="equal elements keep their order",
    numpy=np.sort,
    saves=True,
)
def sort(x: ArrayLike, axis: int = -1, *, descending: bool = False) -> Any:
    """Return the elements in order along an axis; equal elements keep their order.

    >>> sort(Tensor([3.0, 1.0, 2.0]), descending=True)
    Tensor([3., 2., 1.], dtype=float32)
    """
    order = _order(x, axis, descending)
    return np.take_along_axis(x, order, axis), order


@composed(
    kink=lambda x, k, axis, largest: _gaps(x, axis),
    convention="of equal elements the first ones are taken",
)
def topk(x: ArrayLike, k: int, axis: int = -1, *, largest: bool = True) -> tuple[Any, Any]:
    """Return the k largest elements along an axis, the largest first, and their places; or the k smallest ones.

    Raises ValueError for a k that is negative or more than there are elements.

    >>> values, places = topk(Tensor([3.0, 1.0, 4.0, 2.0]), 2)
    >>> values, places
    (Tensor([4., 3.], dtype=float32), Tensor([2, 0], dtype=int64))
    """
    order = argsort(x, axis=axis, descending=largest)
    if not 0 <= index(k) <= x.shape[axis]:
        raise ValueError(f"topk: k must be from 0 to the length of axis {axis}, {x.shape[axis]}, not {k}")
    places = order[(slice(None),) * (axis % x.ndim) + (slice(k),)]
    return gather(x, axis, places), places
