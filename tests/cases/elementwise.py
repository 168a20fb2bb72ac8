"""How to try the ops of `tinygrad_lite/ops/elementwise.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.verify.laws import Case, Make, Random, Shape, shrunk


def clip_case(rng: Random, shape: Shape) -> Case:
    bounds = [(-0.7, 0.9), (None, 0.5), (-0.5, None), (0.9, -0.9)]
    low, high = bounds[rng.integers(0, len(bounds))]
    return Case([shape], {"min": low, "max": high})


CASES: dict[str, Make] = {
    "nan_to_num": lambda rng, s: Case([s], {"nan": 7.0}),
    "where": lambda rng, s: Case([rng.random(shrunk(rng, s)) < 0.5, shrunk(rng, s), shrunk(rng, s)], {}),
    "pow": lambda rng, s: Case([shrunk(rng, s), rng.choice([-2.0, -0.5, 0.5, 1.7, 3.0], shrunk(rng, s))], {}),
    "clip": clip_case,
    "astype": lambda rng, s: Case([s], {"dtype": np.float64}),
}


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "clip": lambda x, min, max: np.clip(x, min, max),
    "astype": lambda x, dtype: x.astype(dtype),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("copysign", tl.copysign, [[-1.0, 0.0, 2.0, 2.0], [1.0, 1.0, -1.0, -0.0]], [[-1.0, 0.0, -1.0, -1.0], [0.0] * 4]),
    ("nan_to_num", lambda x: tl.nan_to_num(x) ** 0, [[np.nan, np.inf, -np.inf, 2.0]], [[0.0] * 4]),
    (
        "nan_to_num",
        lambda x: tl.nan_to_num(x, 1.0, 2.0, 3.0) ** 2,
        [[np.nan, np.inf, -np.inf, 2.0]],
        [[0.0, 0.0, 0.0, 4.0]],
    ),
    ("maximum", tl.maximum, [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]),
    ("minimum", tl.minimum, [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]),
    ("maximum", lambda x: tl.maximum(x, x), [[1.0, 2.0]], [[1.0, 1.0]]),
    ("maximum", lambda x: tl.maximum(x, 0), [[-1.0, 0.0, 1.0]], [[0.0, 0.5, 1.0]]),
    ("clip", lambda x: tl.clip(x, 0, 1), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0.0, 1.0, 1.0, 1.0, 0.0]]),
    ("clip", lambda x: tl.clip(x, 1, 0), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0.0, 0.0, 0.0, 0.0, 0.0]]),
    ("pow", lambda x: x**2, [[-1.0, 0.0, 3.0]], [[-2.0, 0.0, 6.0]]),
    ("pow", lambda x: x**1, [[-1.0, 0.0, 3.0]], [[1.0, 1.0, 1.0]]),
    ("pow", lambda x: x**0, [[-1.0, 0.0, 3.0]], [[0.0, 0.0, 0.0]]),
    ("pow", lambda x: x**3, [[-1.0, 0.0, 3.0]], [[3.0, 0.0, 27.0]]),
    (
        "pow",
        tl.pow,
        [[0.0, 0.0, 0.0, 2.0], [0.0, 1.0, 2.0, 0.0]],
        [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, np.log(2)]],
    ),
    ("pow", lambda y: tl.pow(0.0, y), [[0.0, 1.0, 2.0]], [[0.0, 0.0, 0.0]]),
    ("pow", lambda x: x ** np.array([0.0, 1.0, 2.0, 2.0]), [[0.0, 0.0, 0.0, -3.0]], [[0.0, 1.0, 0.0, -6.0]]),
    (
        "where",
        lambda x: tl.where(np.array([True, False, True]), x, 0),
        [2.0],
        [2.0],
    ),  # a peer forgets the sum
    (
        "atan2",
        tl.atan2,
        [[0.0, -0.0, 0.0, 2.0, np.inf, 1.0], [0.0, -0.0, -2.0, 0.0, 1.0, -np.inf]],
        [[0.0, 0.0, -0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, -0.5, 0.0, 0.0]],
    ),
    (
        "logaddexp",
        tl.logaddexp,
        [[-np.inf, -np.inf, 0.0], [-np.inf, 0.0, -np.inf]],
        [[0.5, 0.0, 1.0], [0.5, 1.0, 0.0]],
    ),
    ("logaddexp", tl.logaddexp, [[np.inf, np.inf], [0.0, np.inf]], [[1.0, 0.5], [0.0, 0.5]]),
    ("logaddexp", lambda x: tl.logaddexp(-np.inf, x), [[-np.inf, 0.0]], [[0.5, 1.0]]),
    ("where", lambda x: tl.where(x, x, -x), [[-2.0, 0.0, 2.0]], [[1.0, -1.0, 1.0]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {"clip": Case([np.zeros((2, 3))], {"min": 0.0, "max": 1.0})}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {
    "astype": np.float64,
} | dict.fromkeys(["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"], np.bool_)
