"""How to try the ops of `tinygrad_lite/ops/indexing.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.verify.laws import Case, Make, Random, Shape, full


def some_index(rng: Random, shape: Shape) -> Any:
    """A basic, a fancy, a boolean or a mixed index that fits the shape."""
    n = shape[0]
    choices: list[Any] = [
        int(rng.integers(-n, n)),
        slice(None, None, -1),
        slice(1, None, 2),
        (..., slice(0, 1)),
        (None, 0),
        rng.integers(-n, n, 5),
        [0, 0, n - 1],
        rng.random(shape) < 0.5,
        rng.random(n) < 0.5,
        (np.int64(0), ...),
        (slice(None), [0, 0]) if len(shape) > 1 else [[0, n - 1], [0, 0]],
        (rng.integers(0, n, (2, 1)), rng.integers(0, shape[1], 3)) if len(shape) > 1 else (),
    ]
    return choices[rng.integers(0, len(choices))]


def getitem_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    return Case([shape], {"index": some_index(rng, shape)})


def scatter_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    index = some_index(rng, shape)
    return Case([np.empty(shape)[index].shape], {"index": index, "shape": shape})


CASES: dict[str, Make] = {
    "getitem": getitem_case,
    "scatter": scatter_case,
}


def scattered(x: Any, index: Any, shape: Shape) -> Any:
    places = np.arange(np.prod(shape)).reshape(shape)[index]
    return np.bincount(np.ravel(places), np.ravel(x), int(np.prod(shape))).reshape(shape)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "getitem": lambda x, index: x[index],
    "scatter": scattered,
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("getitem", lambda x: x[[0, 0, 1]], [[5.0, 6.0, 7.0]], [[2.0, 1.0, 0.0]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
