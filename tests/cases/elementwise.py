"""How to try the ops of `tinygrad_lite/ops/elementwise.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, shrunk


def masks(rng: Random, shape: Shape) -> Case:
    return Case([rng.random(shrunk(rng, shape)) < 0.5 for _ in range(2)], {})


CASES: dict[str, Make] = {
    "nan_to_num": lambda rng, s: Case([s], {"nan": 7.0}),
    "bitwise_and": masks,
    "bitwise_or": masks,
    "bitwise_xor": masks,
    "bitwise_not": lambda rng, s: Case([rng.random(s) < 0.5], {}),
    "where": lambda rng, s: Case([rng.random(shrunk(rng, s)) < 0.5, shrunk(rng, s), shrunk(rng, s)], {}),
    "pow": lambda rng, s: Case([shrunk(rng, s), rng.choice([-2.0, -0.5, 0.5, 1.7, 3.0], shrunk(rng, s))], {}),
    "astype": lambda rng, s: Case([s], {"dtype": np.float64}),
}


DEFINITIONS: dict[str, Callable[..., Any]] = {
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
    ("clip", lambda x: tl.clip(x, None, 1), [[0.0, 1.0, 2.0]], [[1.0, 1.0, 0.0]]),
    (
        "clip",
        tl.clip,
        [[-1.0, 0.0, 0.5, 1.0, 2.0, 0.5], [0.0, 0.0, 0.0, 0.0, 0.0, 2.0], [1.0] * 6],
        [[0.0, 1.0, 1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]],
    ),
    ("clip", tl.clip, [[np.nan, 1.0, 1.0], [0.0, np.nan, 0.0], [2.0, 2.0, np.nan]], [[0.0] * 3] * 3),
    ("fmax", tl.fmax, [[1.0, 2.0, np.nan, 1.0], [3.0, 2.0, 1.0, np.nan]], [[0.0, 0.5, 0.0, 1.0], [1.0, 0.5, 1.0, 0.0]]),
    ("fmin", tl.fmin, [[1.0, 2.0, np.nan, 1.0], [3.0, 2.0, 1.0, np.nan]], [[1.0, 0.5, 0.0, 1.0], [0.0, 0.5, 1.0, 0.0]]),
    ("floor_divide", tl.floor_divide, [[6.0, -1.0], [2.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]),
    ("remainder", tl.remainder, [[6.0, -1.0, 7.0], [2.0, 3.0, -4.0]], [[1.0, 1.0, 1.0], [-3.0, 1.0, 2.0]]),
    ("hypot", tl.hypot, [[0.0, 3e30, np.inf], [-0.0, 4e30, 1.0]], [[0.0, 0.6, 0.0], [0.0, 0.8, 0.0]]),
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
KINK_AT: dict[str, Case] = {"clip": Case([np.zeros((2, 3)), np.zeros(3), np.ones(())], {})} | {
    name: Case([np.array([6.0, -3.0]), np.array([2.0, 3.0])], {}) for name in ("floor_divide", "remainder")
}

# The dtype of the result where it is not that of the inputs.
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not")
RESULTS: dict[str, Any] = {"astype": np.float64} | dict.fromkeys(COMPARISONS + BITS, np.bool_)
