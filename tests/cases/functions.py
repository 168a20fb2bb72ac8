"""How to try the ops of `tinygrad_lite/ops/functions.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.verify.laws import Case, Make

CASES: dict[str, Make] = {}


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "relu": lambda x: np.where(x > 0, x, 0 * x),
    "step": lambda x: np.where(x > 0, 1 + 0 * x, 0 * x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("relu", tl.relu, [[-1.0, 0.0, -0.0, 2.0]], [[0.0, 0.0, 0.0, 1.0]]),
    ("step", tl.step, [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]]),
    ("sign", tl.sign, [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]]),
    ("abs", tl.abs, [[-1.0, 0.0, -0.0, 2.0]], [[-1.0, 0.0, 0.0, 1.0]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
