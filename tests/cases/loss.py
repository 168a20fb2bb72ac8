"""How to try the ops of `tinygrad_lite/ops/loss.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.verify.laws import Case, Make, Random, Shape, full


def cross_entropy_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    axis = int(rng.integers(-len(shape), len(shape)))
    if rng.random() < 0.5:
        labels = rng.integers(0, shape[axis], tuple(np.delete(shape, axis)))
    else:
        labels = rng.dirichlet(np.ones(shape[axis]), tuple(np.delete(shape, axis)))
        labels = np.moveaxis(labels, -1, axis).reshape(shape)
    return Case([shape, labels], {"axis": axis})


CASES: dict[str, Make] = {
    "softmax_cross_entropy": cross_entropy_case,
}


def cross_entropy(z: Any, y: Any, axis: int) -> Any:
    if y.dtype.kind == "i":
        y = np.moveaxis(np.eye(z.shape[axis])[y], -1, axis)
    return -np.sum(y * (z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))), axis=axis)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "softmax_cross_entropy": cross_entropy,
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
