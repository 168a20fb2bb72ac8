"""Ops of neural networks: dropout, embedding, normalisation, attention."""

from __future__ import annotations

from math import inf, prod
from typing import Any

import numpy as np

from ..op import composed, op
from ..random import generator
from ..tensor import ArrayLike, Tensor, as_array, new_tensor, shape_text
from .elementwise import as_floats, astype, where
from .functions import floating, sqrt
from .indexing import add_at, scatter
from .linear import matmul
from .reduction import HALF, Axis, axes_of, softmax, sum, wide
from .shape import reshape, swapaxes

__all__ = ["batch_norm", "dropout", "embedding", "layer_norm", "scaled_dot_product_attention", "standardize"]


@composed()
def dropout(x: ArrayLike, p: float = 0.5, training: bool = True, seed: int | None = None) -> Any:
    """Set each element to 0 with probability p and divide the others by 1 − p; return x itself where `training` is False.

    The mask comes from the generator that `manual_seed` starts, or from `seed`: the same seed, the same mask.
    Raises ValueError for a p outside [0, 1].  Source: Srivastava et al. (2014), Dropout.

    >>> dropout(Tensor([1.0, 2.0, 3.0, 4.0]), p=0.5, seed=0)
    Tensor([2., 4., 6., 0.], dtype=float32)
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is the probability that an element becomes 0; it must lie in [0, 1], but is {p}")
    if not training or p == 0:
        return x
    uniform = (generator() if seed is None else np.random.default_rng(seed)).random(x.shape, dtype=np.float32)
    scale = 1 / (1 - p) if p < 1 else 0.0
    mask = new_tensor((uniform >= p) * (x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)).type(scale), None)
    mask.name = "mask"  # in pictures
    return x * mask


@op(
    None,
    lambda g, _out, index, _weight: scatter(g, index, _weight.shape),
    text="{1}[{0}]",
    add_to=lambda total, g, index, _weight: add_at(total, index, g),
)
def embedding(index: ArrayLike, weight: ArrayLike) -> Any:
    """Return the rows of the table `weight` that integers of any shape number: shape of the index × shape of a row.

    The gradient of a row that is picked several times is the sum over its uses.
    Raises TypeError for an index that is not of integers and IndexError for one outside the table.

    >>> embedding([2, 0], Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    Tensor([[5., 6.],
            [1., 2.]], dtype=float32)
    """
    index = np.asarray(index) if isinstance(index, int) else index
    if index.dtype.kind not in "iu":
        raise TypeError(f"the index must be of integers, not {index.dtype}")
    if not weight.ndim:
        raise ValueError("weight must be a table, one row for each index")
    if index.size and not (index.min() >= 0 and index.max() < weight.shape[0]):
        raise IndexError(
            f"the index runs from {index.min()} to {index.max()}, but the rows of the table from 0 to {weight.shape[0] - 1}"
        )
    return weight[index]


# --- normalisation ----------------------------------------------------------------------------------------------------


def _count(x: Any, axis: Axis) -> int:
    """Return how many elements a mean along `axis` is of; 1 where there are none, since then there is no mean either."""
    sizes: list[int] = [x.shape[a] for a in axes_of(x.ndim, axis)]
    return max(1, prod(sizes))


def _average(x: Any, axis: Axis) -> Any:
    return sum(x, axis, True) / _count(x, axis)


def _standardize_vjp(g: Any, out: Any, x: Any, axis: Axis, eps: float, saved: Any) -> Any:
    """∂L/∂x = (g − mean(g) − out mean(g out)) / √(var + eps): g without what the mean and the variance take away."""
    if g.dtype == HALF:  # its sums and squares overflow early
        g, out, x = (astype(a, np.float32) for a in (g, out, x))
        return astype(_standardize_vjp(g, out, x, axis, eps, saved), HALF)
    if saved is None:
        deviation = x - _average(x, axis)
        spread = sqrt(_average(deviation * deviation, axis) + eps)
        return (g - (out * _average(g * out, axis) + _average(g, axis))) / spread
    result = np.multiply(g, out, out=np.empty_like(out))  # the same in few passes
    slope = _average(result, axis)
    np.multiply(out, slope, out=result)
    result += _average(g, axis)
    np.subtract(g, result, out=result)
    result /= saved
    return result


@op(
    _standardize_vjp,
    text="standardize({0})",
    latex=r"\mathrm{{standardize}}({0})",
    saves=True,
)
def standardize(x: ArrayLike, axis: Axis = -1, eps: float = 1e-5) -> Any:
    """Return (x − mean) / √(var + eps): mean 0 and, but for eps, variance 1 along the axes.

    The variance is the biased one, divided by n.  Source of the gradient: Ioffe, Szegedy (2015), Batch normalization, § 3.

    >>> standardize(Tensor([1.0, 2.0, 3.0])).numpy().round(3)
    array([-1.225,  0.   ,  1.225], dtype=float32)
    """
    n, x, dtype = _count(x, axis), wide(x), floating(x).dtype
    out = x - np.add.reduce(x, axis=axis, keepdims=True) / n
    deviation = np.sqrt(np.add.reduce(out * out, axis=axis, keepdims=True) / n + eps)
    out /= deviation
    return out.astype(dtype, copy=False), deviation


@composed()
def layer_norm(
    x: ArrayLike, weight: ArrayLike | None = None, bias: ArrayLike | None = None, axis: Axis = -1, eps: float = 1e-5
) -> Any:
    """Standardise along an axis or axes, then scale and shift: (x − mean) / √(var + eps) ⊙ weight + bias.

    `weight` and `bias` have the sizes of x at these axes.  Where columns are samples, `axis=0`.
    Source: Ba, Kiros, Hinton (2016), Layer normalization.

    >>> layer_norm(Tensor([[1.0, 3.0], [2.0, 6.0]]), weight=np.array([1.0, 10.0], np.float32)).numpy().round(2)
    array([[-1., 10.],
           [-1., 10.]], dtype=float32)
    """
    return _affine("layer_norm", standardize(x, axis=axis, eps=eps), axes_of(x.ndim, axis), weight, bias)


@composed()
def batch_norm(
    x: ArrayLike,
    mean: ArrayLike | None = None,
    var: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Any:
    """Standardise each channel, axis 1, then scale and shift it: (x − mean) / √(var + eps) ⊙ weight + bias.

    Shapes: x is N × C × …, the others C.  Without `mean` and `var` they are those of the batch (the variance divided by n);
    otherwise the given ones, as collected during training.  Raises ValueError where the batch has one value per channel:
    its variance would be 0.  Source: Ioffe, Szegedy (2015), Batch normalization.

    >>> batch_norm(Tensor([[1.0, 10.0], [3.0, 30.0]])).numpy().round(3)
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    >>> batch_norm(Tensor([[1.0, 10.0]]), mean=[1.0, 0.0], var=[1.0, 4.0]).numpy().round(3)
    array([[0., 5.]], dtype=float32)
    """
    if x.ndim < 2:
        raise ValueError(f"batch_norm: x must be samples × channels × …, but has the shape {shape_text(x.shape)}")
    if (mean is None) != (var is None):
        raise ValueError("batch_norm: give both mean and var, or neither to take those of the batch")
    if mean is None:
        rest = tuple(i for i in range(x.ndim) if i != 1)
        if x.size == x.shape[1]:
            raise ValueError(
                f"batch_norm: x of shape {shape_text(x.shape)} has one value per channel, whose variance is 0; "
                "give more samples, or mean and var"
            )
        return _affine("batch_norm", standardize(x, axis=rest, eps=eps), (1,), weight, bias)
    center, spread = (_along(x, (1,), part, f"batch_norm: {name}") for part, name in ((mean, "mean"), (var, "var")))
    return _affine("batch_norm", (x - center) / sqrt(spread + eps), (1,), weight, bias)


def _affine(name: str, x: Any, axes: tuple[int, ...], weight: Any, bias: Any) -> Any:
    """Return x ⊙ weight + bias, each where it is given, with one value for each element along `axes`."""
    if weight is not None:
        x = x * _along(x, axes, weight, f"{name}: weight")
    return x if bias is None else x + _along(x, axes, bias, f"{name}: bias")


def _along(x: Any, axes: tuple[int, ...], part: Any, name: str) -> Any:
    """Arrange values, one for each element along `axes`, so that they broadcast against x there and only there."""
    part, shape = part if isinstance(part, Tensor) else as_array(part, meets=x.dtype), x.shape
    part = as_floats(part, x.dtype)
    places = {a % len(shape) for a in axes}
    wide = tuple(n if i in places else 1 for i, n in enumerate(shape))
    sizes = tuple(n for i, n in enumerate(shape) if i in places)
    if (1,) * (len(shape) - part.ndim) + part.shape == wide:
        return part
    if part.shape != sizes:
        raise ValueError(
            f"{name} must have the shape {shape_text(sizes)}, that of x at the axes {tuple(sorted(places))}, "
            f"not {shape_text(part.shape)}"
        )
    return reshape(part, wide)


# --- attention --------------------------------------------------------------------------------------------------------


@composed(inputs=3)
def scaled_dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    mask: ArrayLike | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Any:
    """Return softmax(Q Kᵀ / √E) V: for each query, the mean of the values weighted by how well their keys fit.

    Shapes: Q is … × L × E, K … × S × E, V … × S × F; the result is … × L × F.  `mask`, which broadcasts to … × L × S, is
    boolean (True: may attend) or float (added to Q Kᵀ scaled); `is_causal` lets query i attend to the keys up to i, those
    that the mask allows.  A query that may attend to nothing gets zeros.  `scale` stands in for 1/√E.
    Source: Vaswani et al. (2017), Attention is all you need, § 3.2.1.

    >>> Q, K, V = Tensor([[1.0, 0.0]]), Tensor([[9.0, 0.0], [0.0, 9.0]]), Tensor([[1.0], [2.0]])
    >>> scaled_dot_product_attention(Q, K, V).numpy().round(3)
    array([[1.002]], dtype=float32)
    >>> scaled_dot_product_attention(Q, K, V, mask=np.array([False, True]))
    Tensor([[2.]], dtype=float32)
    """
    q, k, v = (np.shape(x) for x in (query, key, value))
    if min(len(q), len(k), len(v)) < 2 or q[-1] != k[-1] or k[-2] != v[-2]:
        raise ValueError(
            "scaled_dot_product_attention: query (… × L × E), key (… × S × E) and value (… × S × F) do not fit: "
            + ", ".join(map(shape_text, (q, k, v)))
        )
    scores = matmul(query * (max(q[-1], 1) ** -0.5 if scale is None else scale), swapaxes(key, -1, -2))
    allowed: Any = np.tri(q[-2], k[-2], dtype=np.bool_) if is_causal else None
    if mask is not None:
        mask = mask if isinstance(mask, Tensor) else as_array(mask, meets=scores.dtype)
        _check_mask(mask, scores.shape)
        known = mask.numpy() if isinstance(mask, Tensor) else mask
        if mask.dtype.kind == "f":
            known = known != -inf
            scores = scores + (mask if known.all() else where(known, mask, 0.0))  # −∞ − −∞ is not a number
        allowed = known if allowed is None else known & allowed
    if allowed is None or allowed.all():
        return matmul(softmax(scores), value)
    some = allowed.any(axis=-1, keepdims=True)
    weights = softmax(where(allowed | ~some, scores, -inf))
    return matmul(weights if some.all() else where(some, weights, 0.0), value)


def _check_mask(mask: Any, shape: tuple[int, ...]) -> None:
    """Refuse a mask that is neither boolean nor float, or does not broadcast to the shape of the scores."""
    if mask.dtype.kind not in "bf":
        raise TypeError(
            "scaled_dot_product_attention: the mask must be boolean (True: may attend) or float (added), "
            f"not {mask.dtype}; mask.astype(bool) makes it boolean"
        )
    sizes = (1,) * (len(shape) - mask.ndim) + mask.shape
    if len(sizes) != len(shape) or any(n not in (1, m) for n, m in zip(sizes, shape, strict=True)):
        raise ValueError(
            f"scaled_dot_product_attention: a mask of shape {shape_text(mask.shape)} does not broadcast "
            f"to queries and keys, {shape_text(shape)}"
        )
