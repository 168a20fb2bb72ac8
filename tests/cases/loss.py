"""How to try the ops of `tinygrad_lite/ops/loss.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, full


def cross_entropy_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    axis = int(rng.integers(-len(shape), len(shape)))
    if rng.random() < 0.5:
        labels = rng.integers(0, shape[axis], tuple(np.delete(shape, axis)))
    else:
        labels = rng.dirichlet(np.ones(shape[axis]), tuple(np.delete(shape, axis)))
        labels = np.moveaxis(labels, -1, axis).reshape(shape)
    return Case([shape, labels], {"axis": axis})


REDUCTIONS = ["mean", "sum", "none"]


def reduced_case(rng: Random, shape: Shape) -> Case:
    reduction = str(rng.choice(REDUCTIONS))
    return Case([full(shape)] * 2, {"reduction": reduction})


def mean_cross_entropy_case(rng: Random, shape: Shape) -> Case:
    inputs, params = cross_entropy_case(rng, shape)
    integers = inputs[1].dtype.kind == "i"
    params |= {"reduction": str(rng.choice(REDUCTIONS)), "label_smoothing": float(rng.choice([0.0, 0.1, 1.0]))}
    params |= {"weight": some_weights(rng, inputs[0][params["axis"]])}
    return Case([inputs[0], some_ignored(rng, inputs[1]) if integers else inputs[1]], params)


def some_ignored(rng: Random, labels: Any) -> Any:
    """Labels of which some, but not all, are −100."""
    where = rng.random(labels.shape) < 0.3
    return labels if where.all() else np.where(where, -100, labels)


def some_weights(rng: Random, classes: int) -> Any:
    """No weights, or positive ones."""
    return None if rng.random() < 0.5 else rng.uniform(0.5, 2, classes)


def nll_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    axis = int(rng.integers(-len(shape), len(shape)))
    labels = some_ignored(rng, rng.integers(0, shape[axis], tuple(np.delete(shape, axis))))
    params = {"axis": axis, "reduction": str(rng.choice(REDUCTIONS)), "weight": some_weights(rng, shape[axis])}
    return Case([shape, labels], params)


def binary_case(rng: Random, shape: Shape) -> Case:
    """Labels 0 and 1, as booleans, integers or floats, or probabilities."""
    labels = rng.integers(0, 2, shape)
    choices = [labels, labels == 1, labels.astype(np.float64), rng.random(shape)]
    return Case([shape, np.asarray(choices[rng.integers(0, 4)])], {})


def reduced_binary_case(rng: Random, shape: Shape) -> Case:
    shape, reduction = full(shape), str(rng.choice(REDUCTIONS))
    weight = [None, 0.5, rng.uniform(0.5, 2, shape[-1])][rng.integers(0, 3)]
    return Case(binary_case(rng, shape).inputs, {"reduction": reduction, "pos_weight": weight})


def hinge_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    return Case([shape, 2 * rng.integers(0, 2, shape) - 1], {"reduction": str(rng.choice(REDUCTIONS))})


def kl_div_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    logarithms = bool(rng.random() < 0.5)
    target = rng.uniform(-2, 0, shape) if logarithms else rng.uniform(0.1, 1, shape)
    return Case([shape, target], {"log_target": logarithms, "reduction": str(rng.choice([*REDUCTIONS, "batchmean"]))})


CASES: dict[str, Make] = {
    "binary_cross_entropy_with_logits": reduced_binary_case,
    "cross_entropy": mean_cross_entropy_case,
    "hinge": hinge_case,
    "huber": lambda rng, s: Case([full(s)] * 2, {"delta": 0.7, "reduction": str(rng.choice(REDUCTIONS))}),
    "kl_div": kl_div_case,
    "l1": reduced_case,
    "mse": reduced_case,
    "nll": nll_case,
    "sigmoid_cross_entropy": binary_case,
    "smooth_l1": lambda rng, s: Case(
        [full(s)] * 2, {"beta": float(rng.choice([0.0, 0.7])), "reduction": str(rng.choice(REDUCTIONS))}
    ),
    "softmax_cross_entropy": cross_entropy_case,
}


def cross_entropy(z: Any, y: Any, axis: int) -> Any:
    if y.dtype.kind == "i":
        y = np.moveaxis(np.eye(z.shape[axis])[y], -1, axis)
    return -np.sum(y * (z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))), axis=axis)


def reduced(losses: Any, reduction: str, count: Any = None) -> Any:
    if reduction == "none":
        return losses
    count = {"sum": 1, "mean": count or np.size(losses), "batchmean": len(np.atleast_1d(losses))}[reduction]
    return np.sum(losses) / count


def weighed(y: Any, axis: int, classes: int, weight: Any) -> Any:
    """Return integer labels as one-hot, weighted by class; where −100 stands, 0."""
    counts = (y != -100)[..., None]
    one_hot = np.eye(classes)[np.where(y != -100, y, 0)] * counts
    return np.moveaxis(one_hot * (1 if weight is None else weight), -1, axis)


def mean_cross_entropy(z: Any, y: Any, axis: int, label_smoothing: float, reduction: str, weight: Any) -> Any:
    classes = z.shape[axis]
    each = np.moveaxis(np.broadcast_to(1 if weight is None else weight, (*np.delete(z.shape, axis), classes)), -1, axis)
    if y.dtype.kind == "i":
        total: Any = np.sum(weighed(y, axis, classes, weight))
        counts: Any = np.expand_dims(y != -100, axis)
        y = weighed(y, axis, classes, None)
    else:
        total, counts = np.prod(np.delete(z.shape, axis)), True
    y = (1 - label_smoothing) * y + label_smoothing / classes
    return reduced(cross_entropy(z, y * each * counts, axis), reduction, total)


def nll(z: Any, y: Any, axis: int, reduction: str, weight: Any) -> Any:
    y = weighed(y, axis, z.shape[axis], weight)
    return reduced(-np.sum(z * y, axis=axis), reduction, np.sum(y))


def binary(z: Any, y: Any, positive: Any = 1) -> Any:
    return positive * y * np.logaddexp(0, -z) + (1 - y.astype(np.float64)) * np.logaddexp(0, z)


def l1(x: Any, y: Any, reduction: str) -> Any:
    return reduced(np.where(x > y, x - y, y - x), reduction)


def huber(x: Any, y: Any, delta: float, reduction: str) -> Any:
    d = np.abs(x - y)
    return reduced(np.where(d <= delta, d * d / 2, delta * (d - delta / 2)), reduction)


def kl_div(q: Any, t: Any, log_target: bool, reduction: str) -> Any:
    t = np.exp(t) if log_target else t
    return reduced(t * np.log(t) - t * q, reduction)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "binary_cross_entropy_with_logits": lambda z, y, reduction, pos_weight: reduced(
        binary(z, y, 1 if pos_weight is None else pos_weight), reduction
    ),
    "cross_entropy": mean_cross_entropy,
    "hinge": lambda s, y, reduction: reduced(np.where(y * s < 1, 1 - y * s, 0), reduction),
    "huber": huber,
    "kl_div": kl_div,
    "l1": l1,
    "mse": lambda x, y, reduction: reduced(x * x - 2 * x * y + y * y, reduction),
    "nll": nll,
    "sigmoid_cross_entropy": binary,
    "smooth_l1": lambda x, y, beta, reduction: huber(x, y, beta, reduction) / beta if beta else l1(x, y, reduction),
    "softmax_cross_entropy": cross_entropy,
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("l1", lambda x, y: tl.l1(x, y, "sum"), [[1.0, 2.0], [1.0, 3.0]], [[0.0, -1.0], [0.0, 1.0]]),
    ("huber", lambda x, y: tl.huber(x, y, 1.0, "sum"), [[1.0, -1.0, 0.5], [0.0] * 3], [[1, -1, 0.5], [-1, 1, -0.5]]),
    (
        "smooth_l1",
        lambda x, y: tl.smooth_l1(x, y, 2.0, "sum"),
        [[2.0, 1.0, 3.0], [0.0] * 3],
        [[1, 0.5, 1], [-1, -0.5, -1]],
    ),
    ("smooth_l1", lambda x, y: tl.smooth_l1(x, y, 0, "sum"), [[1.0, 2.0], [1.0, 3.0]], [[0.0, -1.0], [0.0, 1.0]]),
    ("hinge", lambda s: tl.hinge(s, np.array([1, 1, -1, -1]), "sum"), [[1.0, 0.5, -1.0, 0.0]], [[0.0, -1.0, 0.0, 1.0]]),
    ("kl_div", lambda q, t: tl.kl_div(q, t, reduction="sum"), [[-1.0, -2.0], [0.0, 1.0]], [[0.0, -1.0], [0.0, 3.0]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {
    "hinge": Case([np.array([1.0, -1.0]), np.array([1, -1])], {}),
    "smooth_l1": Case([np.array([2.0, -1.0]), np.array([1.0, 0.0])], {}),
    "huber": Case([np.array([2.0, -1.0]), np.array([1.0, 0.0])], {}),
}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
