"""How to try the ops of `tinygrad_lite/ops/functions.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.numeric.laws import Case, Make, Random, Shape


def tan_case(rng: Random, shape: Shape) -> Case:
    """Clear of the poles."""
    return Case([np.asarray(rng.uniform(-1.1, 1.1, shape) + np.pi * rng.integers(-3, 4, shape))], {})


CASES: dict[str, Make] = {
    "tan": tan_case,
    "round": lambda rng, s: Case([s], {"decimals": int(rng.choice([0, 0, -1, -2]))}),
    "masked": lambda rng, s: Case([s, rng.random(s) < 0.5], {}),
}


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "relu": lambda x: np.where(x > 0, x, 0 * x),
    "step": lambda x: np.where(x > 0, 1 + 0 * x, 0 * x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "rsqrt": lambda x: x**-0.5,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "normal_cdf": np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[np.float64]),
    "masked": lambda x, mask: np.where(mask, x, 0),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("trunc", tl.trunc, [[-1.0, 0.5, 2.0]], [[0.0, 0.0, 0.0]]),
    ("relu", tl.relu, [[-1.0, 0.0, -0.0, 2.0]], [[0.0, 0.0, 0.0, 1.0]]),
    ("step", tl.step, [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]]),
    ("sign", tl.sign, [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]]),
    ("abs", tl.abs, [[-1.0, 0.0, -0.0, 2.0]], [[-1.0, 0.0, 0.0, 1.0]]),
    ("floor", tl.floor, [[-1.0, 0.0, 0.5]], [[0.0, 0.0, 0.0]]),
    ("ceil", tl.ceil, [[-1.0, 0.0, 0.5]], [[0.0, 0.0, 0.0]]),
    ("round", tl.round, [[-0.5, 0.5, 1.5, 2.0]], [[0.0, 0.0, 0.0, 0.0]]),
    ("round", lambda x: round(x, 1), [[0.05, 0.25, 0.3]], [[0.0, 0.0, 0.0]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {
    "round": Case([np.array([-0.5, 0.5, 1.5])], {}),
    "trunc": Case([np.array([-1.0, 1.0, 2.0])], {}),
}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
