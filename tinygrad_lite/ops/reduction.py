"""Ops that reduce or normalise along axes: sum, mean, max, min, logsumexp, softmax, log_softmax.  Imports `op`.

`axis` is None (all axes), an integer or a tuple; `keepdims` keeps the reduced axes with length 1.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import numpy as np

from ..op import PRODUCT, op
from ..tensor import ArrayLike
from .elementwise import astype
from .functions import exp, floating
from .shape import broadcast_to

__all__ = ["log_softmax", "logsumexp", "max", "mean", "min", "softmax", "sum"]

Axis: TypeAlias = int | tuple[int, ...] | None

# ufunc.reduce is what np.sum, np.max and np.min call in the end; for small arrays the way there costs more than the work.
_add: Any = np.add.reduce
_maximum: Any = np.maximum.reduce
_minimum: Any = np.minimum.reduce


@cache
def kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """Return `shape` with length 1 at the reduced axes."""
    if axis is None:
        return (1,) * len(shape)
    axes = [a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))]
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def spread(g: Any, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
    """Give a reduced array its reduced axes back, with length 1, so that it broadcasts against `shape`."""
    return g if keepdims or g.ndim == 0 else g.reshape(kept(shape, axis))


@op(
    lambda g, _out, _x, axis, keepdims: broadcast_to(spread(g, _x.shape, axis, keepdims), _x.shape),
    text="Σ {0}",
    latex=r"\sum {0}",
    precedence=PRODUCT,
    numpy=np.sum,
)
def sum(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the sum along axes.

    >>> sum(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1, keepdims=True)
    Tensor([[3.],
            [7.]], dtype=float32)
    """
    return _add(x, axis=axis, keepdims=keepdims)


@op(
    lambda g, _out, _x, axis, keepdims: broadcast_to(
        spread(g * (_out.size / (_x.size or 1)), _x.shape, axis, keepdims), _x.shape
    ),
    text="mean({0})",
    latex=r"\mathrm{{mean}}({0})",
    numpy=np.mean,
)
def mean(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the mean along axes.

    >>> mean(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([2., 3.], dtype=float32)
    """
    out = _add(x, axis=axis, keepdims=keepdims)
    return out / (x.size // out.size if out.size else np.nan)


def _extremum(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Share g evenly between the elements that attain the extremum."""
    hit = astype(x == spread(out, x.shape, axis, keepdims), g.dtype)
    return spread(g, x.shape, axis, keepdims) * hit / sum(hit, axis=axis, keepdims=True)


def _gap(x: Any, axis: Axis, sign: int) -> Any:
    """Return how far the extremum is ahead of the runner-up; 0 at a tie."""
    x = sign * np.asanyarray(x)
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    rows = np.moveaxis(x, tuple(axes), range(-len(axes), 0))
    rows = np.sort(rows.reshape(*rows.shape[: x.ndim - len(axes)], -1))
    return rows[..., -1] - rows[..., -2] if rows.shape[-1] > 1 else np.ones(rows.shape[:-1])


@op(
    _extremum,
    text="max({0})",
    latex=r"\max({0})",
    kink=lambda x, axis, keepdims: _gap(x, axis, 1),
    convention="a tie is split evenly",
    numpy=np.max,
)
def max(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the maximum along axes; at a tie the gradient is split evenly.

    >>> max(Tensor([[1.0, 2.0], [4.0, 3.0]]), axis=1)
    Tensor([2., 4.], dtype=float32)
    """
    return _maximum(x, axis=axis, keepdims=keepdims)


@op(
    _extremum,
    text="min({0})",
    latex=r"\min({0})",
    kink=lambda x, axis, keepdims: _gap(x, axis, -1),
    convention="a tie is split evenly",
    numpy=np.min,
)
def min(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the minimum along axes; at a tie the gradient is split evenly.

    >>> min(Tensor([[1.0, 2.0], [4.0, 3.0]]), axis=1)
    Tensor([1., 3.], dtype=float32)
    """
    return _minimum(x, axis=axis, keepdims=keepdims)


# --- the softmax family: all subtract the maximum first (Goodfellow, Bengio, Courville: Deep Learning, § 4.1) ---------


@op(
    lambda g, out, x, axis, keepdims: (
        spread(g, x.shape, axis, keepdims) * exp(x - spread(out, x.shape, axis, keepdims))
    ),
    text="logsumexp({0})",
    latex=r"\mathrm{{logsumexp}}({0})",
)
def logsumexp(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return log Σ eˣ along axes, without overflow.

    >>> logsumexp(Tensor([1000.0, 0.0]))
    Tensor(1000., dtype=float32)
    """
    x = floating(x)
    top = _maximum(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)  # all −∞ gives −∞, not NaN
    with np.errstate(divide="ignore"):
        out = np.log(_add(np.exp(np.subtract(x, top)), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis=axis)


@op(
    lambda g, out, _x, axis: out * (g - sum(g * out, axis=axis, keepdims=True)),
    text="softmax({0})",
    latex=r"\mathrm{{softmax}}({0})",
)
def softmax(x: ArrayLike, axis: Axis = -1) -> Any:
    """Return eˣ / Σ eˣ along an axis; where columns are samples, `axis=0`.

    >>> softmax(Tensor([0.0, 1.0, 1.0])).numpy().round(3)
    array([0.155, 0.422, 0.422], dtype=float32)
    """
    x = floating(x)
    e = np.exp(np.subtract(x, _maximum(x, axis=axis, keepdims=True)))
    e /= _add(e, axis=axis, keepdims=True)
    return e


@op(
    lambda g, out, _x, axis: g - exp(out) * sum(g, axis=axis, keepdims=True),
    text="log_softmax({0})",
    latex=r"\log\mathrm{{softmax}}({0})",
)
def log_softmax(x: ArrayLike, axis: Axis = -1) -> Any:
    """Return log softmax(x) along an axis, without overflow and without log 0.

    >>> log_softmax(Tensor([0.0, 1000.0]))
    Tensor([-1000.,     0.], dtype=float32)
    """
    x = floating(x)
    shifted = np.subtract(x, _maximum(x, axis=axis, keepdims=True))
    return shifted - np.log(_add(np.exp(shifted), axis=axis, keepdims=True))
