"""Ops that rearrange elements without computing: transpose, reshape, broadcast_to, concatenate, stack.  Imports `op`."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from ..op import POWER, op
from ..tensor import ArrayLike, Tensor
from .indexing import getitem

__all__ = ["broadcast_to", "concatenate", "reshape", "stack", "transpose"]

_NUMPY = (np.ndarray, np.generic)


def _inverse(axes: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if axes is None else tuple(int(i) for i in np.argsort([a % len(axes) for a in axes]))


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


@op(lambda g, _out, _x, shape: reshape(g, _x.shape), text="reshape({0}, {shape})", numpy=np.reshape)
def reshape(x: ArrayLike, shape: int | Sequence[int]) -> Any:
    """Arrange the elements, in row-major order, in another shape; one size may be −1.

    >>> reshape(Tensor([[1.0, 2.0], [3.0, 4.0]]), -1).shape
    (4,)
    """
    return x.reshape(shape)


@op(lambda g, _out, _x, shape: g, text="broadcast({0})", latex="{0}", numpy=np.broadcast_to, broadcasts=True)
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


def _slice_of(i: int, g: Any, out: Any, arrays: Sequence[Any], axis: int) -> Any:
    """Cut the part of input i out of g."""
    start = sum(x.shape[axis] for x in arrays[:i])
    part = [slice(None)] * out.ndim
    part[axis] = slice(start, start + arrays[i].shape[axis])
    return getitem(g, tuple(part))


@op(
    lambda i, g, _out, *_xs, axis: _slice_of(i, g, _out, _xs, axis),
    text="concatenate({0})",
    numpy=np.concatenate,
    variadic=True,
)
def concatenate(arrays: Sequence[ArrayLike], axis: int = 0) -> Any:
    """Join arrays along an existing axis.

    >>> concatenate([Tensor([1.0]), Tensor([2.0, 3.0])])
    Tensor([1., 2., 3.], dtype=float32)
    """
    if axis is None:
        raise ValueError("axis must be an integer; flatten with reshape(x, -1) first")
    return np.concatenate(arrays, axis=axis)


@op(
    lambda i, g, _out, *_xs, axis: getitem(g, (slice(None),) * (axis % _out.ndim) + (i,)),
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


def _spread(op: Any) -> Any:
    """Let a method take its sizes or axes one by one, as NumPy's and PyTorch's do: `t.reshape(2, 3)`."""
    return lambda x, *given, **named: op(x, *((given,) if len(given) > 1 else given), **named)


setattr(Tensor, "reshape", _spread(reshape))  # noqa: B010
setattr(Tensor, "transpose", _spread(transpose))  # noqa: B010
setattr(Tensor, "T", property(lambda x: transpose(x)))  # noqa: B010
