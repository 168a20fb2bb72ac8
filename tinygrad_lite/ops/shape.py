"""Ops that rearrange elements without computing: axes, sizes, order, copies, joints and cuts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import prod
from operator import index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..op import POWER, composed, op
from ..tensor import ArrayLike, Tensor
from .indexing import Shape, getitem, scatter

__all__ = [
    "broadcast_to", "concatenate", "expand_dims", "flatten", "flip", "moveaxis", "pad", "permute", "ravel", "repeat",
    "reshape", "roll", "split", "squeeze", "stack", "swapaxes", "tile", "transpose",
]  # fmt: skip

_NUMPY = (np.ndarray, np.generic)


def _inverse(axes: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if axes is None else tuple(int(i) for i in np.argsort(np.atleast_1d(axes) % np.size(axes)))


@op(
    lambda g, _out, _x, axes: transpose(g, _inverse(axes)),
    text="{0}ᵀ",
    latex="{0}^T",
    precedence=POWER,
    numpy=np.transpose,
)
def transpose(x: ArrayLike, axes: Sequence[int] | None = None) -> Any:
    """Permute the axes; without `axes`, reverse them.  `x.T` is the same.

    >>> transpose(Tensor([[1.0, 2.0]])).shape
    (2, 1)
    """
    return x.T if axes is None else np.transpose(x, axes)


@composed()
def permute(x: ArrayLike, axes: Sequence[int]) -> Any:
    """Put the axes in another order: `transpose`, as PyTorch calls it.  `x.permute(2, 0, 1)` is the same.

    >>> permute(Tensor(np.ones((2, 3, 4))), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return transpose(x, axes)


@op(
    lambda g, _out, _x, axis1, axis2: swapaxes(g, axis1, axis2),
    text="swapaxes({0}, {axis1}, {axis2})",
    numpy=np.swapaxes,
)
def swapaxes(x: ArrayLike, axis1: int, axis2: int) -> Any:
    """Exchange two axes; of a stack of matrices, `swapaxes(x, -1, -2)` are the transposes.

    >>> swapaxes(Tensor(np.ones((2, 3, 4))), -1, -2).shape
    (2, 4, 3)
    """
    return np.swapaxes(x, axis1, axis2)


@composed(numpy=np.moveaxis)
def moveaxis(x: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move axes to other places; the rest keep their order.

    >>> moveaxis(Tensor(np.ones((2, 3, 4))), 0, -1).shape
    (3, 4, 2)
    """
    old, new = (normalize_axis_tuple(axes, x.ndim, "moveaxis") for axes in (source, destination))
    if len(old) != len(new):
        raise ValueError(f"moveaxis: source names {len(old)} axes and destination {len(new)}; give as many of each")
    axes = [axis for axis in range(x.ndim) if axis not in old]
    for place, axis in sorted(zip(new, old, strict=True)):
        axes.insert(place, axis)
    return transpose(x, tuple(axes))


# --- sizes ------------------------------------------------------------------------------------------------------------


@op(lambda g, _out, _x, shape: reshape(g, _x.shape), text="reshape({0}, {shape})", numpy=np.reshape, form="reshaping")
def reshape(x: ArrayLike, shape: int | Sequence[int]) -> Any:
    """Arrange the elements, in row-major order, in another shape; one size may be −1.

    >>> reshape(Tensor([[1.0, 2.0], [3.0, 4.0]]), -1).shape
    (4,)
    """
    return x.reshape(shape)


@composed(numpy=np.ravel)
def ravel(x: ArrayLike) -> Any:
    """Join all axes into one, in row-major order: `flatten`, as NumPy calls it.

    >>> ravel(Tensor([[1.0, 2.0], [3.0, 4.0]])).shape
    (4,)
    """
    return reshape(x, (-1,))


@composed()
def flatten(x: ArrayLike, start: int = 0, end: int = -1) -> Any:
    """Join the axes from `start` to `end`, by default all, into one, in row-major order.

    >>> flatten(Tensor(np.ones((2, 3, 4))), 1).shape
    (2, 12)
    """
    if x.ndim == 0:
        return reshape(x, (1,))
    first, last = (normalize_axis_index(axis, x.ndim, "flatten") for axis in (start, end))
    if first > last:
        raise ValueError(f"flatten: start={start} lies behind end={end} in the {x.ndim} axes of x")
    return reshape(x, (*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


@op(lambda g, _out, _x, axis: reshape(g, _x.shape), text="squeeze({0})", numpy=np.squeeze, form="reshaping")
def squeeze(x: ArrayLike, axis: int | tuple[int, ...] | None = None) -> Any:
    """Remove axes of length 1, by default all of them; ValueError for one that is longer.

    >>> squeeze(Tensor([[1.0], [2.0]]), axis=1)
    Tensor([1., 2.], dtype=float32)
    """
    return np.squeeze(x, axis)


@op(
    lambda g, _out, _x, axis: reshape(g, _x.shape),
    text="expand_dims({0}, {axis})",
    numpy=np.expand_dims,
    form="reshaping",
)
def expand_dims(x: ArrayLike, axis: int | tuple[int, ...]) -> Any:
    """Add axes of length 1, at these places of the result.

    >>> expand_dims(Tensor([1.0, 2.0]), 1).shape
    (2, 1)
    """
    return np.expand_dims(x, axis)


# --- copies -----------------------------------------------------------------------------------------------------------


@op(
    lambda g, _out, _x, shape: g,
    text="broadcast({0})",
    latex="{0}",
    numpy=np.broadcast_to,
    broadcasts=True,
    form="reshaping",
)
def broadcast_to(x: ArrayLike, shape: int | Sequence[int]) -> Any:
    """Repeat x along new axes and axes of length 1, without copying.

    >>> broadcast_to(Tensor([[1.0], [2.0]]), (2, 3)).shape
    (2, 3)
    """
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (index(shape),)  # type: ignore[arg-type]
    if x.ndim == 0 and isinstance(x, _NUMPY) and min(sizes, default=0) >= 0:
        # every backward pass begins with this one, and np.broadcast_to is slow
        return np.ndarray(sizes, x.dtype, x, 0, (0,) * len(sizes))
    return np.broadcast_to(x, sizes)


def _unrepeat(g: Any, shape: Shape, repeats: Any, axis: int | None) -> Any:
    """Sum the copies of each entry."""
    inner = (prod(shape),) if axis is None else shape or (1,)
    axis = (axis or 0) % len(inner)
    before, n, after = inner[:axis], inner[axis], inner[axis + 1 :]
    counts = np.ravel(repeats)
    if counts.size == 1:
        return reshape(reshape(g, (*before, n, int(counts[0]), *after)).sum(axis=axis + 1), shape)
    return reshape(scatter(g, (*(slice(None),) * axis, np.repeat(np.arange(n), counts)), inner), shape)


@op(
    lambda g, _out, _x, repeats, axis: _unrepeat(g, _x.shape, repeats, axis),
    text="repeat({0}, {repeats})",
    numpy=np.repeat,
)
def repeat(x: ArrayLike, repeats: int | Sequence[int], axis: int | None = None) -> Any:
    """Repeat each entry of an axis, without `axis` of the flattened x: so many times, or a number of times for each.

    >>> repeat(Tensor([1.0, 2.0]), 2), tile(Tensor([1.0, 2.0]), 2)
    (Tensor([1., 1., 2., 2.], dtype=float32), Tensor([1., 2., 1., 2.], dtype=float32))
    """
    return np.repeat(x, repeats, axis)


def _untile(g: Any, shape: Shape, reps: int | Sequence[int]) -> Any:
    """Sum the copies of the whole."""
    copies = tuple(np.atleast_1d(reps).tolist())
    ndim = max(len(copies), len(shape))
    copies, sizes = (1,) * (ndim - len(copies)) + copies, (1,) * (ndim - len(shape)) + shape
    pairs = tuple(n for pair in zip(copies, sizes, strict=True) for n in pair)
    return reshape(reshape(g, pairs).sum(axis=tuple(range(0, 2 * ndim, 2))), shape)


@op(lambda g, _out, _x, reps: _untile(g, _x.shape, reps), text="tile({0}, {reps})", numpy=np.tile)
def tile(x: ArrayLike, reps: int | Sequence[int]) -> Any:
    """Put copies of x side by side, `reps` times along each axis; where one number is given, along the last.

    >>> tile(Tensor([[1.0, 2.0]]), (2, 2))
    Tensor([[1., 2., 1., 2.],
            [1., 2., 1., 2.]], dtype=float32)
    """
    return np.tile(x, reps)


MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def _pairs(widths: Any, ndim: int) -> list[tuple[int, int]]:
    """Return the widths before and behind each axis."""
    array = np.asarray(widths)
    if array.dtype.kind not in "iu" or (array < 0).any():
        raise ValueError("widths must be integers, none negative; to take entries away, use a slice")
    try:
        return [(int(before), int(behind)) for before, behind in np.broadcast_to(array, (ndim, 2))]
    except ValueError:
        raise ValueError(
            f"widths must be a number, a pair (before, behind), or {ndim} pairs, one for each axis"
        ) from None


def _unpad(g: Any, shape: Shape, widths: Any, mode: str) -> Any:
    """Cut the border off; where it holds copies of entries, bring their gradients home, one axis after the other."""
    pairs = _pairs(widths, len(shape))
    if mode == "constant":
        return getitem(g, tuple([slice(before, before + n) for n, (before, _) in zip(shape, pairs, strict=True)]))
    for axis, (n, pair) in enumerate(zip(shape, pairs, strict=True)):
        if any(pair):
            origin = np.pad(np.arange(n), pair, mode)  # type: ignore[call-overload]
            g = scatter(g, (*(slice(None),) * axis, origin), (*g.shape[:axis], n, *g.shape[axis + 1 :]))
    return g


@op(
    lambda g, _out, _x, widths, mode, value: _unpad(g, _x.shape, widths, mode),
    text="pad({0}, {widths})",
)
def pad(x: ArrayLike, widths: Any, mode: str = "constant", value: float = 0) -> Any:
    """Put a border around x: of `value`, or, by `mode`, of entries of x, as `np.pad` does.

    `widths` is a number for every side, a pair (before, behind) for every axis, or such a pair for each axis.
    The modes, for the border of [a b c]: "constant", "edge" (a a|a b c), "reflect" (c b|a b c), "symmetric" (b a|a b c),
    "wrap" (b c|a b c).

    >>> pad(Tensor([1.0, 2.0, 3.0]), (2, 1)), pad(Tensor([1.0, 2.0, 3.0]), (2, 0), mode="reflect")
    (Tensor([0., 0., 1., 2., 3., 0.], dtype=float32), Tensor([3., 2., 1., 2., 3.], dtype=float32))
    """
    pairs = _pairs(widths, x.ndim)
    if np.ndim(value):
        raise ValueError("value must be one number; for others, pad one side after the other")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}")
    if mode != "constant":
        return np.pad(x, pairs, mode) if pairs else x.copy()  # type: ignore[call-overload]
    if x.dtype.kind != "f" and x.dtype.type(value) != value:
        raise ValueError(f"an array of dtype {x.dtype} cannot hold the value {value!r}; convert it with astype first")
    out = np.full_like(
        x, value, shape=[before + n + behind for n, (before, behind) in zip(x.shape, pairs, strict=True)]
    )
    out[tuple([slice(before, before + n) for n, (before, _) in zip(x.shape, pairs, strict=True)])] = x
    return out


# --- order ------------------------------------------------------------------------------------------------------------


@op(lambda g, _out, _x, axis: flip(g, axis), text="flip({0})", numpy=np.flip)
def flip(x: ArrayLike, axis: int | tuple[int, ...] | None = None) -> Any:
    """Reverse the order along axes, by default along all.

    >>> flip(Tensor([1.0, 2.0, 3.0]))
    Tensor([3., 2., 1.], dtype=float32)
    """
    return np.flip(x, axis)


def _backwards(shift: Any) -> Any:
    return tuple(-n for n in shift) if isinstance(shift, tuple | list) else -shift


@op(lambda g, _out, _x, shift, axis: roll(g, _backwards(shift), axis), text="roll({0}, {shift})", numpy=np.roll)
def roll(x: ArrayLike, shift: int | tuple[int, ...], axis: int | tuple[int, ...] | None = None) -> Any:
    """Shift the entries along axes, without `axis` those of the flattened x; what leaves at one end returns at the other.

    >>> roll(Tensor([1.0, 2.0, 3.0]), 1)
    Tensor([3., 1., 2.], dtype=float32)
    """
    return np.roll(x, shift, axis)


# --- joints and cuts --------------------------------------------------------------------------------------------------


def _piece_of(i: int, g: Any, xs: Sequence[Any], axis: int, ends: Sequence[int] | None) -> Any:
    """Cut the part of input i out of g."""
    axis, n = axis % g.ndim, xs[i].shape[axis]
    end = ends[i] if ends is not None else sum([x.shape[axis] for x in xs[: i + 1]])
    return getitem(g, (*(slice(None),) * axis, slice(end - n, end)))


@op(
    lambda i, g, _out, _xs, axis, saved: _piece_of(i, g, _xs, axis, saved),
    text="concatenate({0})",
    numpy=np.concatenate,
    variadic=True,
    saves=True,  # where each part ends: to count it anew for each would take quadratic time
)
def concatenate(arrays: Sequence[ArrayLike], axis: int = 0) -> Any:
    """Join arrays along an existing axis.

    >>> concatenate([Tensor([1.0]), Tensor([2.0, 3.0])])
    Tensor([1., 2., 3.], dtype=float32)
    """
    if axis is None:
        raise ValueError("axis must be an integer; flatten with reshape(x, -1) first")
    return np.concatenate(arrays, axis=axis), list(accumulate([x.shape[axis] for x in arrays]))


@op(
    lambda i, g, _out, _xs, axis: getitem(g, (slice(None),) * (axis % _out.ndim) + (i,)),
    text="stack({0})",
    numpy=np.stack,
    variadic=True,
)
def stack(arrays: Sequence[ArrayLike], axis: int = 0) -> Any:
    """Join arrays of one shape along a new axis.

    >>> stack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])], axis=1)
    Tensor([[1., 3.],
            [2., 4.]], dtype=float32)
    """
    return np.stack(arrays, axis=axis)


@composed(numpy=np.split)
def split(x: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """Cut x along an axis into so many equal parts, or at these indices; return the list of parts.

    Raises ValueError where the axis does not divide into equal parts.

    >>> split(Tensor([1.0, 2.0, 3.0]), [1])
    [Tensor([1.], dtype=float32), Tensor([2., 3.], dtype=float32)]
    """
    axis = normalize_axis_index(axis, x.ndim, "split")
    n = x.shape[axis]
    given: Any = indices_or_sections
    if np.ndim(given):
        cuts = [None, *map(index, given), None]
    else:
        parts = index(given)
        if parts < 1 or n % parts:
            raise ValueError(
                f"split: axis {axis} of length {n} does not divide into {parts} equal parts; give the indices"
            )
        cuts = [k * (n // parts) for k in range(parts + 1)]
    before = (slice(None),) * axis
    return [getitem(x, (*before, slice(start, stop))) for start, stop in pairwise(cuts)]


def _spread(op: Any) -> Any:
    """Let a method take its sizes or axes one by one, as NumPy's and PyTorch's do: `t.reshape(2, 3)`."""
    return lambda x, *given, **named: op(x, *((given,) if len(given) > 1 else given), **named)


setattr(Tensor, "reshape", _spread(reshape))  # noqa: B010
setattr(Tensor, "permute", _spread(permute))  # noqa: B010
setattr(Tensor, "transpose", _spread(transpose))  # noqa: B010
setattr(Tensor, "T", property(lambda x: transpose(x)))  # noqa: B010
