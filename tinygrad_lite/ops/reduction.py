"""Ops that reduce, accumulate or normalise along axes: sum, prod, var, norm, max, cumsum, softmax …

`axis` is None (all axes), an integer or, where axes are reduced, a tuple; `keepdims` keeps the reduced axes with length 1.
"""

from __future__ import annotations

from functools import cache
from math import inf, isinf, sqrt
from math import prod as size_of
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..op import PRODUCT, composed, op
from ..tensor import ArrayLike, Tensor
from .elementwise import astype, where
from .functions import abs, exp, floating, sign
from .indexing import getitem
from .shape import broadcast_to, concatenate, flip, swapaxes, transpose

__all__ = [
    "argmax", "argmin", "cumprod", "cumsum", "diff", "log_softmax", "logsumexp", "max", "mean", "min", "norm", "prod",
    "softmax", "std", "sum", "var",
]  # fmt: skip

Axis: TypeAlias = int | tuple[int, ...] | None

# ufunc.reduce is what np.sum, np.max and np.min call in the end; for small arrays the way there costs more than the work.
_add: Any = np.add.reduce
_maximum: Any = np.maximum.reduce
_minimum: Any = np.minimum.reduce
_multiply: Any = np.multiply.reduce
HALF = np.dtype(np.float16)  # its sums overflow early: they are taken in float32, as np.mean does


def axes_of(ndim: int, axis: Axis) -> tuple[int, ...]:
    """Return the reduced axes as a tuple, counted from the front."""
    if axis is None or not ndim:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


@cache
def kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """Return `shape` with length 1 at the reduced axes."""
    axes = axes_of(len(shape), axis)
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
    half = x.dtype is HALF
    out = _add(x, axis, np.float32 if half else None, None, keepdims)
    out = out / (x.size // (out.size or 1))
    return out.astype(x.dtype) if half else out


def _freedom(x: Any, out: Any, correction: float) -> float:
    """Return the divisor of the variance: the number of values behind each result, less the correction."""
    count = x.size // (out.size or 1)
    return count - correction if count > correction else 0


def wide(x: Any) -> Any:
    """Return the floats in which sums of x are taken."""
    x = floating(x)
    return x.astype(np.float32) if x.dtype == HALF else x


def _distance(x: Any, axis: Axis) -> tuple[Any, Any]:
    """Return the distances from the mean, and the mean; Σx² − (Σx)² would cancel."""
    x = wide(x)
    total = _add(x, axis=axis, keepdims=True)
    middle = total / (x.size // (total.size or 1))
    return x - middle, middle


def _bounded(x: Any, axis: Axis) -> tuple[Any, Any]:
    """Return what `_distance` does, where Σx overflows too: there, shares are summed."""
    with np.errstate(over="ignore", invalid="ignore"):
        distance, middle = _distance(x, axis)
    if np.isfinite(middle).all():
        return distance, middle
    x = wide(x)
    middle = _add(x / (x.size // middle.size), axis=axis, keepdims=True)
    return x - middle, middle


def _centred(x: Any, axis: Axis) -> Any:
    """Return the distances from the mean; on tensors as one writes them."""
    return x - mean(x, axis=axis, keepdims=True) if isinstance(x, Tensor) else _bounded(x, axis)[0]


@op(
    lambda g, _out, x, axis, correction, keepdims: (
        spread(2 * g / _freedom(x, _out, correction), x.shape, axis, keepdims) * _centred(x, axis)
    ),
    text="var({0})",
    latex=r"\mathrm{{var}}({0})",
    numpy=np.var,
)
def var(x: ArrayLike, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Any:
    """Return the variance along axes: Σ (x − mean)² / (n − correction); NaN, with a warning, where n − correction is 0.

    The default is NumPy's; PyTorch's is `correction=1`.

    >>> var(Tensor([[1.0, 3.0], [4.0, 4.0]]), axis=1)
    Tensor([1., 0.], dtype=float32)
    """
    with np.errstate(over="ignore", invalid="ignore"):
        distance, middle = _distance(x, axis)
        total = _add(distance * distance, axis=axis, keepdims=keepdims)
    freedom = _freedom(x, middle, correction)
    if freedom and not np.isfinite(total).all():  # a sum or a square overflows sooner than the result
        deviation = _deviation(x, axis, correction, keepdims)
        out = deviation * deviation
    else:
        out = total / freedom
    return out.astype(floating(x).dtype, copy=False)


def _deviation(x: Any, axis: Axis, correction: float, keepdims: bool) -> Any:
    """Return the standard deviation, which overflows no earlier than the norm."""
    distance, middle = _bounded(x, axis)
    return _norm(distance, 2, axis, keepdims) / sqrt(_freedom(x, middle, correction))


def _std_rule(g: Any, out: Any, x: Any, axis: Axis, correction: float, keepdims: bool) -> Any:
    """Divide the distances from the mean by the deviation, and by infinity where that is 0: so the derivative is 0."""
    slope = g / _freedom(x, out, correction) / where(out == 0, inf, out)  # n times out might overflow in float16
    return spread(slope, x.shape, axis, keepdims) * _centred(x, axis)


@op(
    _std_rule,
    text="std({0})",
    latex=r"\mathrm{{std}}({0})",
    kink=_deviation,
    convention="the derivative is 0 where the standard deviation is 0, as in PyTorch",
    numpy=np.std,
)
def std(x: ArrayLike, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Any:
    """Return the standard deviation along axes, √var(x); where it is 0, its derivative is 0.

    >>> std(Tensor([[1.0, 3.0], [4.0, 4.0]]), axis=1)
    Tensor([1., 0.], dtype=float32)
    """
    return _deviation(x, axis, correction, keepdims).astype(floating(x).dtype, copy=False)


def _norm(size: Any, p: float, axis: Axis, keepdims: bool) -> Any:
    """Return (Σ sizeᵖ)^(1/p); what would overflow, or lose digits to underflow, is scaled by the largest first.

    The signs do not matter where p = 2.
    """
    if p == 0:
        return _add(size != 0, axis=axis, keepdims=keepdims, dtype=size.dtype)
    if p == 1:
        return _add(size, axis=axis, keepdims=keepdims)
    if p == inf:
        return _maximum(size, axis=axis, keepdims=keepdims, initial=0)
    if p == -inf:
        return _minimum(size, axis=axis, keepdims=keepdims)
    with np.errstate(over="ignore", divide="ignore"):
        if p == 2:
            out = np.sqrt(_add(size * size, axis=axis, keepdims=keepdims))
            info = np.finfo(size.dtype)
            if ((out > np.sqrt(info.tiny / info.eps)) & (out < inf)).all():
                return out
        size = np.absolute(size)
        top = _maximum(size, axis=axis, keepdims=True, initial=0) if p > 0 else _minimum(size, axis=axis, keepdims=True)
        top = np.where((top > 0) & (top < inf), top, 1)
        out = top * _add((size / top) ** p, axis=axis, keepdims=True) ** (1 / p)
    return out if keepdims else np.squeeze(out, axis=axis)


def _norm_rule(g: Any, out: Any, x: Any, ord: float, axis: Axis, keepdims: bool) -> Any:
    """∂‖x‖ₚ/∂xᵢ = sign(xᵢ) (|xᵢ| / ‖x‖ₚ)ᵖ⁻¹, and 0 where xᵢ or the norm is 0."""
    p = float(ord)
    if isinf(p):
        return _extremum(g, out, abs(x), axis, keepdims) * sign(x)
    g, out = spread(g, x.shape, axis, keepdims), spread(out, x.shape, axis, keepdims)
    if p == 2:
        return g * (x / where(out == 0, inf, out))
    if p in (0, 1):
        return p * g * sign(x)
    vanishes = where(out == 0, True, x == 0)
    ratio = where(vanishes, 1.0, abs(x)) / where(vanishes, 1.0, out)
    return where(vanishes, 0.0, g * sign(x)) * ratio ** (p - 1)


def _norm_kink(x: Any, ord: float, axis: Axis) -> Any:
    """Return the norm, or for p ≤ 1 the smallest |x|; for ±∞ no more than how far the extremum is ahead."""
    size = np.absolute(x)
    corner = _norm(size, ord if ord > 1 else -inf, axis, False)
    return np.minimum(corner, _gap(size, axis, 1 if ord > 0 else -1)) if isinf(ord) else corner


@op(
    _norm_rule,
    text="‖{0}‖_{ord}",
    latex=r"\lVert {0} \rVert_{{{ord}}}",
    kink=lambda x, ord, axis, keepdims: _norm_kink(x, ord, axis),
    convention="the derivative is 0 at a zero vector and, for p ≤ 1, at a zero; for p = ±∞ a tie is split evenly",
    numpy=np.linalg.vector_norm,
)
def norm(x: ArrayLike, ord: float = 2, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the norm (Σ |x|ᵖ)^(1/p) of the vectors along axes, p = `ord`: also ±inf (the largest, the smallest |x|).

    `ord=0` counts what is not 0.  Neither large nor tiny values overflow or vanish.  A matrix is a vector of all its
    elements here: over both its axes, `ord=2` is the Frobenius norm.

    >>> norm(Tensor([[3.0, 4.0], [6.0, 8.0]]), axis=1)
    Tensor([ 5., 10.], dtype=float32)
    """
    if not isinstance(ord, int | float | np.number):
        raise ValueError(f"ord must be a number, inf or -inf, not {ord!r}; the Frobenius norm is ord=2 over both axes")
    return _norm(np.absolute(wide(x)), float(ord), axis, keepdims).astype(floating(x).dtype, copy=False)


# --- products, and what accumulates along an axis -----------------------------------------------------------------------


def _after_one(x: Any) -> Any:
    """Move the elements on by one place along the last axis, and put a 1 in front."""
    return concatenate([x[..., :1] ** 0, x[..., :-1]], axis=-1)


def _prod_rule(g: Any, _out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """∂Πx/∂xᵢ is the product of those before xᵢ and those after it; Πx / xᵢ would fail where xᵢ = 0."""
    axes = axes_of(x.ndim, axis)
    order = (*(i for i in range(x.ndim) if i not in axes), *axes)
    moved = transpose(x, order)
    outer = x.ndim - len(axes)
    rows = moved.reshape((*moved.shape[:outer], size_of(moved.shape[outer:])))
    before = _after_one(cumprod(rows, axis=-1))
    after = flip(_after_one(cumprod(flip(rows, -1), axis=-1)), -1)
    back = tuple(order.index(i) for i in range(x.ndim))
    return spread(g, x.shape, axis, keepdims) * transpose((before * after).reshape(moved.shape), back)


@op(_prod_rule, text="Π {0}", latex=r"\prod {0}", precedence=PRODUCT, numpy=np.prod)
def prod(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the product along axes; its derivatives are right where elements are zero, too.

    >>> prod(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    Tensor([ 2., 12.], dtype=float32)
    """
    return _multiply(x, axis=axis, keepdims=keepdims)


@op(
    lambda g, _out, _x, axis: flip(cumsum(flip(g, axis or 0), axis=axis or 0), axis or 0).reshape(_x.shape),
    text="cumsum({0})",
    latex=r"\mathrm{{cumsum}}({0})",
    numpy=np.cumsum,
)
def cumsum(x: ArrayLike, axis: int | None = None) -> Any:
    """Return the sums of the first 1, 2, … elements along an axis; without `axis`, of all elements in a row.

    >>> cumsum(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    Tensor([[1., 3.],
            [3., 7.]], dtype=float32)
    """
    return np.cumsum(x, axis=axis)


def _summed_products(g: Any, x: Any) -> Any:
    """Return sⱼ = Σᵢ≥ⱼ gᵢ xⱼ₊₁ … xᵢ along the last axis: sⱼ = gⱼ + xⱼ₊₁ sⱼ₊₁, in log₂ n steps and with no quotient.

    Source: Hillis, Steele (1986), Data parallel algorithms: each step doubles how far the sums reach.
    """
    reach, factor = 1, x[..., 1:]
    while reach < g.shape[-1]:
        g = concatenate([g[..., :-reach] + factor * g[..., reach:], g[..., -reach:]], axis=-1)
        factor = factor[..., :-reach] * factor[..., reach:]
        reach *= 2
    return g


def _cumprod_rule(g: Any, out: Any, x: Any, axis: int | None) -> Any:
    """∂(x₁ … xᵢ)/∂xⱼ is the product of those before xⱼ and those from there to xᵢ."""
    g, before, rows = (swapaxes(a, axis or 0, -1) for a in (g, out, x.reshape(g.shape)))
    return swapaxes(_after_one(before) * _summed_products(g, rows), axis or 0, -1).reshape(x.shape)


@op(_cumprod_rule, text="cumprod({0})", latex=r"\mathrm{{cumprod}}({0})", numpy=np.cumprod)
def cumprod(x: ArrayLike, axis: int | None = None) -> Any:
    """Return the products of the first 1, 2, … elements along an axis; without `axis`, of all elements in a row.

    >>> cumprod(Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 2., 6.], dtype=float32)
    """
    return np.cumprod(x, axis=axis)


# --- the largest and the smallest ---------------------------------------------------------------------------------------


def _extremum(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Share g evenly between the elements that attain the extremum."""
    hit = astype(x == spread(out, x.shape, axis, keepdims), g.dtype)
    return spread(g, x.shape, axis, keepdims) * hit / sum(hit, axis=axis, keepdims=True)


def _gap(x: Any, axis: Axis, sign: int) -> Any:
    """Return how far the extremum is ahead of the runner-up; 0 at a tie."""
    x = sign * np.asanyarray(x)
    axes = axes_of(x.ndim, axis)
    rows = np.moveaxis(x, axes, range(-len(axes), 0))
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


@op(text="argmax({0})", latex=r"\mathrm{{argmax}}({0})", numpy=np.argmax)
def argmax(x: ArrayLike, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return where the maximum is along an axis, the first place at a tie; without `axis`, the place among all elements.

    >>> argmax(Tensor([[1.0, 2.0], [4.0, 3.0]]), axis=1)
    Tensor([1, 0], dtype=int64)
    """
    return np.argmax(x, axis=axis, keepdims=keepdims)


@op(text="argmin({0})", latex=r"\mathrm{{argmin}}({0})", numpy=np.argmin)
def argmin(x: ArrayLike, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return where the minimum is along an axis, the first place at a tie; without `axis`, the place among all elements.

    >>> argmin(Tensor([[1.0, 2.0], [4.0, 3.0]]), axis=1)
    Tensor([0, 1], dtype=int64)
    """
    return np.argmin(x, axis=axis, keepdims=keepdims)


# --- the softmax family: all subtract the maximum first (Goodfellow, Bengio, Courville: Deep Learning, § 4.1) ---------


def _logsumexp_rule(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """∂/∂xᵢ = exp(xᵢ − logsumexp(x)); where that is infinite, those as large as it have equal shares."""
    shares = spread(g, x.shape, axis, keepdims)
    endless = np.isinf(out)
    if not endless.any():
        return shares * exp(x - spread(out, x.shape, axis, keepdims))
    endless = spread(endless, x.shape, axis, keepdims)
    finite = exp(where(endless, 0.0, x) - where(endless, 0.0, spread(out, x.shape, axis, keepdims)))
    return where(endless, _extremum(g, out, x, axis, keepdims), shares * finite)


@op(
    _logsumexp_rule,
    text="logsumexp({0})",
    latex=r"\mathrm{{logsumexp}}({0})",
    convention="where the result is infinite, the elements as large as it have equal shares",
    form="by sample",
)
def logsumexp(x: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return log Σ eˣ along axes, without overflow.

    >>> logsumexp(Tensor([1000.0, 0.0]))
    Tensor(1000., dtype=float32)
    """
    x = floating(x)
    top = _maximum(x, axis=axis, keepdims=True, initial=-inf)
    top = np.where(np.isfinite(top), top, 0)  # all −∞ gives −∞, not NaN
    with np.errstate(divide="ignore"):
        out = np.log(_add(np.exp(np.subtract(x, top)), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis=axis)


@op(
    lambda g, out, _x, axis: out * (g - sum(g * out, axis=axis, keepdims=True)),
    text="softmax({0})",
    latex=r"\mathrm{{softmax}}({0})",
    activation=True,
    form="by sample",
)
def softmax(x: ArrayLike, axis: Axis = -1) -> Any:
    """Return eˣ / Σ eˣ along an axis; where columns are samples, `axis=0`.

    >>> softmax(Tensor([0.0, 1.0, 1.0])).numpy().round(3)
    array([0.155, 0.422, 0.422], dtype=float32)
    """
    x = floating(x)
    e = np.exp(np.subtract(x, _maximum(x, axis=axis, keepdims=True, initial=-inf)))
    e /= _add(e, axis=axis, keepdims=True)
    return e


@op(
    lambda g, out, _x, axis: g - exp(out) * sum(g, axis=axis, keepdims=True),
    text="log_softmax({0})",
    latex=r"\log\mathrm{{softmax}}({0})",
    form="by sample",
)
def log_softmax(x: ArrayLike, axis: Axis = -1) -> Any:
    """Return log softmax(x) along an axis, without overflow and without log 0.

    >>> log_softmax(Tensor([0.0, 1000.0]))
    Tensor([-1000.,     0.], dtype=float32)
    """
    x = floating(x)
    shifted = np.subtract(x, _maximum(x, axis=axis, keepdims=True, initial=-inf))
    with np.errstate(divide="ignore"):  # of nothing
        return shifted - np.log(_add(np.exp(shifted), axis=axis, keepdims=True))


@composed(numpy=np.diff)
def diff(x: ArrayLike, n: int = 1, axis: int = -1) -> Any:
    """Return the differences of neighbours along an axis, the next one minus this one, n times over.

    >>> diff(Tensor([1.0, 4.0, 9.0])), diff(Tensor([1.0, 4.0, 9.0]), 2)
    (Tensor([3., 5.], dtype=float32), Tensor([2.], dtype=float32))
    """
    if n < 0:
        raise ValueError(f"n must be 0 or more, not {n}")
    before = (slice(None),) * normalize_axis_index(axis, x.ndim)
    for _ in range(n):
        x = getitem(x, (*before, slice(1, None))) - getitem(x, (*before, slice(None, -1)))
    return x
