"""How to try the ops of `tinygrad_lite/ops/reduction.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.op import REGISTRY
from tinygrad_lite.verify.laws import Case, Make, default_case, full, some_axis

CASES: dict[str, Make] = {
    "max": functools.partial(default_case, REGISTRY["max"], empty=False),
    "min": functools.partial(default_case, REGISTRY["min"], empty=False),
    "mean": functools.partial(default_case, REGISTRY["mean"], empty=False),
    "logsumexp": functools.partial(default_case, REGISTRY["logsumexp"], empty=False),
    "softmax": lambda rng, s: Case([full(s)], {"axis": some_axis(rng, len(full(s)), several=False)}),
    "log_softmax": lambda rng, s: Case([full(s)], {"axis": some_axis(rng, len(full(s)), several=False)}),
}


def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "softmax": lambda x, axis: np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True),
    "log_softmax": lambda x, axis: x - logsumexp(x, axis, True),
    "logsumexp": logsumexp,
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("max", tl.max, [[1.0, 3.0, 3.0, 3.0]], [[0.0, 1 / 3, 1 / 3, 1 / 3]]),
    ("min", tl.min, [[1.0, 3.0, 1.0, 3.0]], [[0.5, 0.0, 0.5, 0.0]]),
    ("max", lambda x: tl.max(x, axis=1), [[[2.0, 2.0], [1.0, 0.0]]], [[[0.5, 0.5], [1.0, 0.0]]]),
    (
        "max",
        lambda x: tl.max(x, axis=(0, 1), keepdims=True),
        [[[2.0, 2.0], [2.0, 2.0]]],
        [[[0.25, 0.25], [0.25, 0.25]]],
    ),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
