"""Ops that pick elements out and put them back: getitem and its vjp scatter, take, gather, one_hot."""

from __future__ import annotations

from math import prod
from operator import index as as_integer
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..op import REGISTRY, composed, op
from ..tensor import ArrayLike, Tensor, is_array

__all__ = ["gather", "getitem", "interp", "one_hot", "scatter", "scatter_add", "take"]

Shape: TypeAlias = tuple[int, ...]


def _part(part: Any) -> Any:
    """Return what stands between two commas of an index, its lists and tensors as arrays."""
    if isinstance(part, Tensor):
        return part.numpy()
    if isinstance(part, slice):
        return slice(
            *(as_integer(end) if isinstance(end, Tensor) else end for end in (part.start, part.stop, part.step))
        )
    if isinstance(part, list | tuple):
        array = np.array(part)
        return array if array.size else array.astype(np.intp)  # NumPy too takes an empty list for integers
    return part


def _parts(index: Any) -> tuple[Any, ...]:
    return tuple(map(_part, index)) if isinstance(index, tuple) else (_part(index),)


@op(
    lambda g, _out, _x, index: scatter(g, index, _x.shape),
    text="{0}[{index}]",
    latex="{0}[{index}]",
    add_to=lambda total, g, _x, index: add_at(total, index, g),
)
def getitem(x: ArrayLike, index: Any) -> Any:
    """Pick elements as NumPy does: `x[0]`, `x[:, 1:3]`, `x[mask]`, `x[[0, 0, 2]]` (repeats add up their gradients).

    >>> Tensor([1.0, 2.0, 3.0])[1:]
    Tensor([2., 3.], dtype=float32)
    """
    return x[_parts(index)]


@op(lambda g, _out, _x, index, shape: getitem(g, index), text="scatter({0}, {index})")
def scatter(x: ArrayLike, index: Any, shape: Shape) -> Any:
    """Put x at `index` into zeros of `shape`; what falls on the same element adds up.  The vjp of getitem.

    x has the shape of `zeros[index]`; ValueError where it has not.

    >>> scatter(Tensor([1.0, 2.0]), [1, 1], (3,))
    Tensor([0., 3., 0.], dtype=float32)
    """
    out = np.zeros_like(x, shape=shape, order="C")
    add_at(out, index, x)
    return out


def add_at(out: Any, index: Any, x: Any) -> None:
    """Add x to the elements of the array `out`, which lies in memory in row-major order, at `index`; repeats add up."""
    parts, shape = _parts(index), out.shape
    if not any(is_array(part) and part.ndim and part.dtype.kind in "iu" for part in parts):
        _check_shape(x, out[parts].shape)
        out[parts] += x  # slices and masks pick no element twice
        return
    if parts[-1] is Ellipsis:
        parts = parts[:-1]
    # The index picks rows: along the axes behind those that it names, everything is picked.
    named = len(shape) if any(part is Ellipsis for part in parts) else sum(map(_axes_of, parts))
    count, width = prod(shape[:named]), prod(shape[named:])
    if 8 * x.size < count:  # too few to be worth the numbering of all rows
        _check_shape(x, np.broadcast_to(False, shape)[parts].shape)
        np.add.at(out, parts, x)
        return
    rows = np.arange(count).reshape(shape[:named])[parts]
    _check_shape(x, rows.shape + tuple(shape[named:]))
    places = rows.reshape(-1, 1) * width + np.arange(width)
    np.add.at(out.reshape(-1), places.reshape(-1), x.reshape(-1))  # with a flat index it is many times faster


def _axes_of(part: Any) -> int:
    """Count the axes that a part of an index stands for."""
    if isinstance(part, bool) or part is None:
        return 0
    return part.ndim if isinstance(part, np.ndarray | np.generic) and part.dtype.kind == "b" else 1


def _check_shape(x: Any, shape: Shape) -> None:
    if x.shape != shape:
        raise ValueError(f"the index picks elements of shape {shape}, but x has {x.shape}; use broadcast_to first")


def _integers(index: Any) -> Any:
    """Return an index as an array of integers; booleans would be a mask elsewhere, so they are refused."""
    array = _part(index)
    array = array if isinstance(array, np.ndarray) else np.asarray(array)
    if array.dtype.kind not in "iu":
        raise TypeError(f"the indices must be integers, not {array.dtype}; x[mask] picks by booleans")
    return array


# --- one array of indices, for one axis -------------------------------------------------------------------------------


def _at(indices: Any, axis: int) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, _integers(indices))


def _untake(g: Any, shape: Shape, indices: Any, axis: int | None) -> Any:
    inner = (prod(shape),) if axis is None else shape or (1,)
    return scatter(g, _at(indices, (axis or 0) % len(inner)), inner).reshape(shape)


@op(
    lambda g, _out, _x, indices, axis: _untake(g, _x.shape, indices, axis),
    text="take({0}, {indices})",
    numpy=np.take,
)
def take(x: ArrayLike, indices: ArrayLike, axis: int | None = None) -> Any:
    """Pick entries along an axis, without `axis` from the flattened x; `indices` takes the place of that axis.

    Repeats add up their gradients.  Raises IndexError for an index out of range, TypeError for one that is no integer.

    >>> take(Tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 1, 0], axis=0)
    Tensor([[3., 4.],
            [3., 4.],
            [1., 2.]], dtype=float32)
    """
    return np.take(x, _integers(indices), axis)


def _along(index: Any, axis: int, shape: Shape) -> tuple[Any, ...]:
    """Return the index that picks, at each place of `index`, the element whose number on `axis` it holds."""
    index, axis = _integers(index), normalize_axis_index(axis, len(shape))
    if index.ndim != len(shape):
        raise ValueError(
            f"index has {index.ndim} axes and x {len(shape)}: give it as many, with reshape or expand_dims"
        )
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return tuple(index if i == axis else grid[i] for i in range(len(shape)))


@op(
    lambda g, _out, _x, axis, index: scatter(g, _along(index, axis, _x.shape), _x.shape),
    text="gather({0}, {axis}, {index})",
)
def gather(x: ArrayLike, axis: int, index: ArrayLike) -> Any:
    """Pick along an axis, at each place the entry that `index` holds there: `out[i, j] = x[i, index[i, j]]` for axis 1.

    `index` has as many axes as x, and its shape broadcasts to that of x but for `axis`.  Repeats add up their gradients.

    >>> gather(Tensor([[1.0, 2.0], [3.0, 4.0]]), 1, [[1], [0]])
    Tensor([[2.],
            [3.]], dtype=float32)
    """
    return x[_along(index, axis, x.shape)]


@composed()
def scatter_add(x: ArrayLike, axis: int, index: ArrayLike, source: ArrayLike) -> Any:
    """Return x with `source` added along an axis: `out[i, index[i, j]] += source[i, j]` for axis 1; repeats add up.

    `source` has the shape of `gather(x, axis, index)`, of which this is the transpose; ValueError where it has not.

    >>> scatter_add(Tensor([[1.0, 2.0]]), 1, [[0, 0]], Tensor([[10.0, 20.0]]))
    Tensor([[31.,  2.]], dtype=float32)
    """
    return x + scatter(source, _along(index, axis, x.shape), x.shape)


@composed(
    inputs=3,
    kink=lambda x, xp, _fp: np.min(np.abs(np.subtract.outer(x, xp)), axis=-1),
    convention="the derivative at a corner is that of the right",
    numpy=np.interp,
)
def interp(x: ArrayLike, xp: ArrayLike, fp: ArrayLike) -> Any:
    """Return at x, elementwise, the line through the points (xp, fp), and beyond its ends the first and the last of fp.

    xp and fp are vectors of one length, at least 2, and xp increases; ValueError where it does not.

    >>> interp(Tensor([0.5, 9.0]), [0.0, 1.0, 2.0], [0.0, 10.0, 40.0])
    Tensor([ 5., 40.], dtype=float32)
    """
    corners, at = (v.numpy() if isinstance(v, Tensor) else v for v in (xp, x))
    if corners.ndim != 1 or corners.shape != fp.shape or corners.size < 2 or not (np.diff(corners) > 0).all():
        raise ValueError(f"xp must increase, and xp {xp.shape} and fp {fp.shape} be vectors of one length, at least 2")
    i = np.clip(np.searchsorted(corners, at, side="right") - 1, 0, corners.size - 2)
    left, right = take(xp, i), take(xp, i + 1)
    low, high = take(fp, i), take(fp, i + 1)
    inside = low + (x - left) / (right - left) * (high - low)
    where = REGISTRY["where"]
    return where(at < corners[0], fp[0], where(at >= corners[-1], fp[-1], inside))


@op(text="one_hot({0}, {classes})", latex=r"\mathrm{{onehot}}({0})")
def one_hot(labels: ArrayLike, classes: int, axis: int = -1, dtype: Any = np.float32) -> Any:
    """Return integer labels as rows of zeros with a 1 at the label, along a new axis; where columns are samples, `axis=0`.

    Raises TypeError for labels that are no integers, and IndexError for a label that is not in 0 … classes − 1.

    >>> one_hot([1, 0], 3)
    Tensor([[0., 1., 0.],
            [1., 0., 0.]], dtype=float32)
    """
    axis = normalize_axis_index(axis, labels.ndim + 1)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"the labels must be integers, not {labels.dtype}")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise IndexError(f"labels run from {labels.min()} to {labels.max()}, but the classes from 0 to {classes - 1}")
    out = np.zeros_like(labels, dtype, shape=(*labels.shape[:axis], classes, *labels.shape[axis:]))
    np.put_along_axis(out, np.expand_dims(labels, axis), 1, axis)
    return out


def _getitem(x: Tensor, index: Any) -> Tensor:
    return getitem(x, tuple(map(_part, index)) if isinstance(index, tuple) else _part(index))


setattr(Tensor, "__getitem__", _getitem)  # noqa: B010
