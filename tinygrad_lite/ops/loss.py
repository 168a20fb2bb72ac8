"""Loss functions.

softmax_cross_entropy and sigmoid_cross_entropy give one loss per sample or element: take the mean for J.  The others have
PyTorch's `reduction`: "mean" over all of them, "sum", or "none".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..op import composed, op
from ..tensor import ArrayLike, Tensor, describe
from .elementwise import as_floats, astype, clip, where
from .functions import abs, exp, log, relu, sigmoid
from .indexing import gather, one_hot, take
from .reduction import kept, log_softmax, mean, softmax, sum
from .shape import broadcast_to, moveaxis, reshape, squeeze

__all__ = [
    "binary_cross_entropy_with_logits", "cross_entropy", "hinge", "huber", "kl_div", "l1", "mse", "nll",
    "sigmoid_cross_entropy", "smooth_l1", "softmax_cross_entropy",
]  # fmt: skip

# --- classes ----------------------------------------------------------------------------------------------------------


def _excess(g: Any, _out: Any, z: Any, y: Any, axis: int, saved: Any) -> Any:
    """∂L/∂z = g (softmax(z) Σy − y), which is g (softmax(z) − y) for labels that sum to 1."""
    g = g.reshape(kept(z.shape, axis))
    y = np.asarray(y) if isinstance(y, int) else y
    integers = y.shape != z.shape
    y = one_hot(y, z.shape[axis], axis, z.dtype) if integers else y
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
        _check_classes(z, y, axis, f"one-hot floats of shape {z.shape} or ")
    p = np.exp(shifted)
    total = np.add.reduce(p, axis=axis, keepdims=True)
    p /= total
    loss = np.subtract(np.log(total), shifted, out=shifted)  # −log p
    if not weighted:
        return np.take_along_axis(loss, np.expand_dims(y, axis), axis).squeeze(axis), p
    p *= np.add.reduce(y, axis=axis, keepdims=True)
    loss *= y
    return np.add.reduce(loss, axis=axis), p


def _check_classes(z: Any, y: Any, axis: int, alternative: str = "") -> None:
    """Check integer labels: one per sample, each a class."""
    axis = normalize_axis_index(axis, z.ndim, "axis")
    expected = tuple(n for i, n in enumerate(z.shape) if i != axis)
    if y.dtype.kind not in "iu" or y.shape != expected:
        raise ValueError(f"labels must be {alternative}integers of shape {expected}, not {y.dtype} of shape {y.shape}")
    if y.size and not (y.min() >= 0 and y.max() < z.shape[axis]):
        raise IndexError(f"labels run from {y.min()} to {y.max()}, but the classes from 0 to {z.shape[axis] - 1}")


@composed(inputs=2)
def cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    axis: int = -1,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
    weight: ArrayLike | None = None,
) -> Any:
    """Return the mean of −Σ y log softmax(z) over the samples; where columns are samples, `axis=0`.

    `labels` are integers in the shape of the logits without `axis`, or one-hot or probabilities in the shape of the logits.
    A sample whose integer label is `ignore_index` does not count.  `label_smoothing` gives that share of each label to all
    classes evenly (Szegedy et al. (2016), Rethinking the Inception architecture, § 7).  `weight`, one number per class, is
    multiplied by the loss of its class; the mean of integer labels is then weighted by theirs, as in PyTorch.
    Raises ValueError where the shapes do not fit and IndexError for an integer that is no class.

    >>> cross_entropy(Tensor([[0.0, 0.0], [5.0, 0.0]]), np.array([0, 1])).numpy().round(3)
    np.float32(2.85)
    >>> cross_entropy(Tensor([[0.0, 0.0], [5.0, 0.0]]), np.array([0, -100])).numpy().round(3)
    np.float32(0.693)
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must lie in [0, 1], but is {label_smoothing}")
    weight = _of_classes("cross_entropy", weight, logits, axis)
    counts = shares = None
    integers = np.shape(labels) != np.shape(logits)
    if integers:
        labels, counts = _without(labels, ignore_index)
        if label_smoothing or weight is not None:
            _check_classes(logits, labels.numpy(), axis)
        shares = None if weight is None else take(weight, labels.numpy())
    elif ignore_index >= 0:
        raise ValueError(f"cross_entropy: ignore_index={ignore_index} needs integer labels, not one weight per class")
    else:
        labels = as_floats(labels, logits.dtype)
    if label_smoothing:
        labels = one_hot(labels, logits.shape[axis], axis, logits.dtype) if integers else labels
        labels = (1 - label_smoothing) * labels + label_smoothing / logits.shape[axis]
    if weight is None:
        losses = softmax_cross_entropy(logits, labels, axis=axis)
    elif integers and not label_smoothing:  # not 0 times the loss of a class that is impossible
        losses = softmax_cross_entropy(logits, labels, axis=axis) * shares
    else:
        of_class = moveaxis(reshape(weight, (1,) * (logits.ndim - 1) + (-1,)), -1, axis)
        losses = softmax_cross_entropy(logits, labels * of_class, axis=axis)
    return _reduced("cross_entropy", losses, reduction, counts, shares)


@composed(inputs=2)
def nll(
    log_probabilities: ArrayLike,
    labels: ArrayLike,
    axis: int = -1,
    ignore_index: int = -100,
    reduction: str = "mean",
    weight: ArrayLike | None = None,
) -> Any:
    """Return the mean over the samples of −log p of the label, an integer; `cross_entropy` is nll of log_softmax.

    Shapes, `ignore_index`, `weight` and errors are as in `cross_entropy`.

    >>> nll(log(Tensor([[0.25, 0.75], [0.5, 0.5]])), np.array([0, 1])).numpy().round(3)
    np.float32(1.04)
    """
    labels, counts = _without(labels, ignore_index)
    _check_classes(log_probabilities, labels.numpy(), axis)
    losses = -squeeze(gather(log_probabilities, axis, np.expand_dims(labels.numpy(), axis)), axis)
    weight = _of_classes("nll", weight, log_probabilities, axis)
    if weight is None:
        return _reduced("nll", losses, reduction, counts)
    shares = take(weight, labels.numpy())
    return _reduced("nll", losses * shares, reduction, counts, shares)


def _of_classes(name: str, weight: Any, z: Any, axis: int) -> Any:
    """Return class weights in the dtype of z; refuse another number than there are classes."""
    if weight is None:
        return None
    if np.shape(weight) != (z.shape[axis],):
        raise ValueError(f"{name}: weight must have shape ({z.shape[axis]},), one per class, not {describe(weight)}")
    return _as_dtype(weight, z.dtype)


def _without(labels: Any, ignore_index: int) -> tuple[Tensor, Any]:
    """Return integer labels with 0 for those to ignore, and which ones count; None for all."""
    labels = labels if isinstance(labels, Tensor) else Tensor(labels)
    counts = labels.numpy() != ignore_index
    return (labels, None) if counts.all() else (Tensor(np.where(counts, labels.numpy(), 0)), counts)


# --- two classes ------------------------------------------------------------------------------------------------------


@op(
    lambda g, _out, z, y: g * (sigmoid(z) - y),
    lambda g, _out, z, _y: -g * z,
    text="cross_entropy(σ({0}), {1})",
    latex=r"-{1} \odot \log\sigma({0}) - (1 - {1}) \odot \log(1 - \sigma({0}))",
)
def sigmoid_cross_entropy(logits: ArrayLike, labels: ArrayLike) -> Any:
    """Return one loss per element, −y log σ(z) − (1 − y) log(1 − σ(z)), without overflow and without log 0.

    `labels`, in the shape of the logits, are 0 or 1, or probabilities.  With A = σ(Z) the gradient with respect to Z is
    A − Y (Bishop: PRML, eq. 4.91).  At an infinite logit the loss is 0 for the label that it is sure of, and else infinite.
    Raises ValueError where the shapes differ.

    >>> sigmoid_cross_entropy(Tensor([0.0, -1e4, 1e4]), np.array([1, 0, 0])).numpy().round(3)
    array([6.93e-01, 0.00e+00, 1.00e+04], dtype=float32)
    """
    z, y = logits, np.asarray(labels) if isinstance(labels, float | int) else labels
    if np.shape(y) != np.shape(z):
        raise ValueError("the labels must have the shape of the logits, one for each")
    y = y if y.dtype.kind == "f" else y.astype(z.dtype)
    size, against = np.absolute(z), np.where(z > 0, 1 - y, y)  # the share of the class that z speaks against
    wrong = np.multiply(size, against, out=np.zeros_like(against), where=against != 0)  # not ∞ times 0
    return wrong + np.log1p(np.exp(-size))


@composed(inputs=2)
def binary_cross_entropy_with_logits(
    logits: ArrayLike, labels: ArrayLike, reduction: str = "mean", pos_weight: ArrayLike | None = None
) -> Any:
    """Return the mean of −y log σ(z) − (1 − y) log(1 − σ(z)): see `sigmoid_cross_entropy`.

    `pos_weight`, positive and of a shape that broadcasts to that of the logits, is multiplied by the first term: with
    (number of zeros) / (number of ones) both labels weigh the same.
    Raises ValueError where shapes do not fit and for a weight that is not positive.

    >>> binary_cross_entropy_with_logits(Tensor([0.0, 2.0]), np.array([1, 1])).numpy().round(3)
    np.float32(0.41)
    >>> binary_cross_entropy_with_logits(Tensor([0.0, 2.0]), np.array([1, 1]), pos_weight=3.0).numpy().round(3)
    np.float32(1.23)
    """
    name = "binary_cross_entropy_with_logits"
    z, y = _matched(name, logits, labels)
    if pos_weight is None:
        return _reduced(name, sigmoid_cross_entropy(z, y), reduction)
    weight = _as_dtype(pos_weight, z.dtype)
    if not np.all(weight.numpy() > 0):
        raise ValueError(f"{name}: pos_weight must be positive, but is {describe(pos_weight)}")
    positive = broadcast_to(weight, z.shape) * y
    total = positive + (1 - y)
    return _reduced(name, total * sigmoid_cross_entropy(z, positive / total), reduction)


@composed(inputs=2, kink=lambda s, y, reduction: 1 - y * s, convention="the derivative at the margin is 0")
def hinge(scores: ArrayLike, labels: ArrayLike, reduction: str = "mean") -> Any:
    """Return the mean of max(0, 1 − y s) for labels y = ±1 in the shape of the scores s; at y s = 1 the derivative is 0.

    Raises ValueError for other labels and where the shapes differ.  Source: Cortes, Vapnik (1995), Support-vector networks.

    >>> hinge(Tensor([0.5, 0.5]), np.array([1, -1]), reduction="none")
    Tensor([0.5, 1.5], dtype=float32)
    """
    s, y = _matched("hinge", scores, labels)
    if not np.all(np.absolute(y.numpy()) == 1):
        raise ValueError("hinge: the labels must be −1 or 1; 2 y − 1 makes them of 0 and 1")
    return _reduced("hinge", relu(1 - y * s), reduction)


# --- numbers and distributions ----------------------------------------------------------------------------------------


@composed(inputs=2)
def mse(input: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Any:
    """Return the mean of the squared differences.  Raises ValueError where the shapes differ.

    >>> mse(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(2., dtype=float32)
    """
    x, y = _matched("mse", input, target)
    return _reduced("mse", (x - y) ** 2, reduction)


@composed(inputs=2, kink=lambda x, y, reduction: x - y, convention="the derivative at equality is 0")
def l1(input: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Any:
    """Return the mean of |input − target|; where they are equal the derivative is 0.

    Raises ValueError where the shapes differ.

    >>> l1(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(1., dtype=float32)
    """
    x, y = _matched("l1", input, target)
    return _reduced("l1", abs(x - y), reduction)


@composed(
    inputs=2,
    kink=lambda x, y, delta, reduction: np.absolute(x - y) - delta,
    convention="smooth at ±delta, where the second derivative jumps from 1 to 0 and counts as 1",
)
def huber(input: ArrayLike, target: ArrayLike, delta: float = 1.0, reduction: str = "mean") -> Any:
    """Return the mean of ½ d² where |d| ≤ delta and delta (|d| − ½ delta) beyond, for the differences d.

    Raises ValueError where the shapes differ and for a delta that is not positive.
    Source: Huber (1964), Robust estimation of a location parameter.

    >>> huber(Tensor([1.0, 2.0]), Tensor([1.0, 5.0]), reduction="none")
    Tensor([0. , 2.5], dtype=float32)
    """
    if not delta > 0:
        raise ValueError(f"huber: delta must be positive, but is {delta}")
    x, y = _matched("huber", input, target)
    d = x - y
    c = clip(d, -delta, delta)
    return _reduced("huber", c * (d - 0.5 * c), reduction)  # both cases in one: c is d, or ± delta


@composed(
    inputs=2,
    kink=lambda x, y, beta, reduction: np.absolute(x - y) - beta,
    convention="smooth at ±beta, where the second derivative jumps from 1 / beta to 0 and counts as 1 / beta",
)
def smooth_l1(input: ArrayLike, target: ArrayLike, beta: float = 1.0, reduction: str = "mean") -> Any:
    """Return the mean of ½ d² / beta where |d| ≤ beta and |d| − ½ beta beyond: huber / beta, and l1 for beta = 0.

    Raises ValueError where the shapes differ and for a negative beta.  Source: Girshick (2015), Fast R-CNN, eq. 3.

    >>> smooth_l1(Tensor([1.0, 2.0]), Tensor([1.0, 5.0]), beta=2.0, reduction="none")
    Tensor([0., 2.], dtype=float32)
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1: beta must not be negative, but is {beta}")
    _matched("smooth_l1", input, target)
    return l1(input, target, reduction) if beta == 0 else huber(input, target, beta, reduction) / beta


@composed(inputs=2)
def kl_div(log_probabilities: ArrayLike, target: ArrayLike, log_target: bool = False, reduction: str = "mean") -> Any:
    """Return the mean of t (log t − log p): summed over the classes, the Kullback–Leibler divergence of p from t.

    `target` holds t, or log t with `log_target=True`.  0 log 0 counts as 0, with derivative 0.  The divergence proper, a
    mean over the samples of sums over the classes, is `reduction="batchmean"` where the first axis is that of the samples.
    Raises ValueError where the shapes differ.

    >>> p, t = Tensor([[0.5, 0.5]]), Tensor([[0.25, 0.75]])
    >>> kl_div(log(p), t, reduction="batchmean").numpy().round(3)
    np.float32(0.131)
    """
    q, t = _matched("kl_div", log_probabilities, target)
    if log_target:
        losses = exp(t) * (t - q)
    elif (zero := t.numpy() == 0).any():
        losses = t * (log(where(zero, 1.0, t)) - where(zero, 0.0, q))
    else:
        losses = t * (log(t) - q)
    if reduction == "batchmean":
        if not losses.ndim:
            raise ValueError("kl_div: batchmean needs an axis of samples, the first, but the target is a scalar")
        return sum(losses) / losses.shape[0]
    return _reduced("kl_div", losses, reduction)


# --- what they share --------------------------------------------------------------------------------------------------


def _matched(name: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Return both as tensors; refuse different shapes: broadcast, (N,1) and (N,) would pair each with each."""
    if np.shape(a) != np.shape(b):
        raise ValueError(
            f"{name}: {describe(a)} and {describe(b)} differ in shape, and broadcasting would pair elements that do not "
            "belong together; reshape one of them, or broadcast_to if that is meant"
        )
    x, y = (part if isinstance(part, Tensor) else Tensor(part) for part in (a, b))
    floats = next((part.dtype for part in (x, y) if part.dtype.kind == "f"), None)
    return (x, y) if floats is None else (as_floats(x, floats), as_floats(y, floats))


def _as_dtype(x: Any, dtype: Any) -> Tensor:
    """Return weights as a tensor of this dtype."""
    if not isinstance(x, Tensor):
        return Tensor(np.asarray(x, dtype))
    return x if x.dtype == dtype else astype(x, dtype)


def _reduced(name: str, losses: Any, reduction: str, counts: Any = None, shares: Any = None) -> Any:
    """Return the losses, their sum, or their mean; of those that count, where not all do, weighted by their shares."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{name}: reduction must be 'mean', 'sum' or 'none', not {reduction!r}")
    if counts is not None:
        losses = where(counts, losses, 0.0)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    if shares is not None:
        return sum(losses) / sum(shares if counts is None else where(counts, shares, 0.0))
    return mean(losses) if counts is None else sum(losses) / int(np.sum(counts))
