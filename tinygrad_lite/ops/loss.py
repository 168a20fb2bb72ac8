"""Loss functions.  Imports `op`.  Each gives one loss per sample; take the mean for J."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op
from ..tensor import ArrayLike, Tensor
from .reduction import kept, log_softmax, softmax, sum
from .shape import reshape

__all__ = ["softmax_cross_entropy"]


def one_hot(labels: Any, shape: tuple[int, ...], axis: int, dtype: Any) -> Any:
    """Return integer labels as columns of 0 and 1 along `axis` of `shape`."""
    labels = labels.numpy() if isinstance(labels, Tensor) else labels
    classes = np.arange(shape[axis]).reshape([-1 if i == axis % len(shape) else 1 for i in range(len(shape))])
    return (np.expand_dims(labels, axis) == classes).astype(dtype)


def _excess(g: Any, _out: Any, z: Any, y: Any, axis: int, saved: Any) -> Any:
    """∂L/∂z = g (softmax(z) Σy − y), which is g (softmax(z) − y) for labels that sum to 1."""
    g = g.reshape(kept(z.shape, axis))
    integers = y.shape != z.shape
    y = one_hot(y, z.shape, axis, z.dtype) if integers else y
    if saved is not None:
        excess = saved - y
        excess *= g
        return excess
    p = softmax(z, axis)
    if not integers:
        weight = sum(y, axis, keepdims=True)
        if weight.requires_grad or not np.all(weight.numpy() == 1):
            p = p * weight
    return (p - y) * g


@op(
    _excess,
    lambda g, _out, z, _y, axis, saved: -log_softmax(z, axis=axis) * reshape(g, kept(z.shape, axis)),
    text="cross_entropy(softmax({0}), {1})",
    latex=r"-\textstyle\sum {1} \odot \log\mathrm{{softmax}}({0})",
    saves=True,
)
def softmax_cross_entropy(logits: ArrayLike, labels: ArrayLike, axis: int = -1) -> Any:
    """Return one loss per sample, −Σ y log softmax(z) along the axis of the classes; where columns are samples, `axis=0`.

    `labels` are one-hot, or other weights, in the shape of the logits, or integers in that shape without `axis`.
    With A = softmax(Z) and labels that sum to 1, the gradient with respect to Z is A − Y (Bishop: PRML, eq. 4.109).
    Raises ValueError where the shapes do not fit and IndexError for an integer that is no class.

    >>> softmax_cross_entropy(Tensor([[0.0, 0.0], [5.0, 0.0]]), np.array([0, 1])).numpy().round(3)
    array([0.693, 5.007], dtype=float32)
    """
    z, y = logits, labels if not isinstance(labels, int) else np.asarray(labels)
    if z.dtype.kind != "f" or not z.ndim:
        raise TypeError(f"logits must be a float array with an axis of classes, not {z.dtype} of shape {z.shape}")
    if not isinstance(axis, int):
        raise TypeError(f"axis must be the axis of the classes, an integer, not {axis!r}")
    shifted = z - np.maximum.reduce(z, axis=axis, keepdims=True)
    weighted = y.shape == z.shape and y.dtype.kind == "f"
    if not weighted:
        _check_classes(z, y, axis)
    p = np.exp(shifted)
    total = np.add.reduce(p, axis=axis, keepdims=True)
    p /= total
    loss = np.subtract(np.log(total), shifted, out=shifted)  # −log p
    if not weighted:
        return np.take_along_axis(loss, np.expand_dims(y, axis), axis).squeeze(axis), p
    p *= np.add.reduce(y, axis=axis, keepdims=True)
    loss *= y
    return np.add.reduce(loss, axis=axis), p


def _check_classes(z: Any, y: Any, axis: int) -> None:
    """Check integer labels: one per sample, each a class."""
    expected = tuple(n for i, n in enumerate(z.shape) if i != axis % z.ndim)
    if y.dtype.kind not in "iu" or y.shape != expected:
        raise ValueError(
            f"labels must be one-hot floats of shape {z.shape} or integers of shape {expected}, "
            f"not {y.dtype} of shape {y.shape}"
        )
    if y.size and not (y.min() >= 0 and y.max() < z.shape[axis]):
        raise IndexError(f"labels run from {y.min()} to {y.max()}, but the classes from 0 to {z.shape[axis] - 1}")
