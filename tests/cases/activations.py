"""How to try the ops of `tinygrad_lite/ops/activations.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.numeric.laws import Case, Make, Random, Shape


def one_of(**choices: Any) -> Make:
    """Return a case whose parameters are drawn from lists."""

    def case(rng: Random, shape: Shape) -> Case:
        return Case([shape], {name: options[rng.integers(0, len(options))] for name, options in choices.items()})

    return case


CASES: dict[str, Make] = {
    "leaky_relu": one_of(negative_slope=[0.01, 0.3, -0.5, 0]),
    "hardtanh": one_of(min_val=[-1.0, -0.6, -2], max_val=[1.0, 0.7, 2]),
    "elu": one_of(alpha=[1.0, 0.5, 2]),
    "celu": one_of(alpha=[1.0, 0.5, 2]),
    "gelu": one_of(approximate=["none", "tanh"]),
    "softplus": one_of(beta=[1.0, 0.5, 2]),
}


def gelu(x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / np.sqrt(2)))


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "leaky_relu": lambda x, negative_slope: np.where(x > 0, x, negative_slope * x),
    "hardtanh": lambda x, min_val, max_val: np.minimum(np.maximum(x, min_val), max_val),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "hardsigmoid": lambda x: np.minimum(np.maximum(x / 6 + 0.5, 0), 1),
    "hardswish": lambda x: np.where(x < -3, 0, np.where(x > 3, x, x * (x + 3) / 6)),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x) - 1)),
    "celu": lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x / alpha) - 1)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1)),
    "gelu": gelu,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    "mish": lambda x: x * np.tanh(np.log(1 + np.exp(x))),
    "softplus": lambda x, beta: np.log(1 + np.exp(beta * x)) / beta,
    "logsigmoid": lambda x: -np.log(1 + np.exp(-x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("leaky_relu", tl.leaky_relu, [[-1.0, 0.0, -0.0, 2.0]], [[0.01, 0.01, 0.01, 1.0]]),
    ("leaky_relu", lambda x: tl.leaky_relu(x, 0.5), [[-1.0, 0.0, 2.0]], [[0.5, 0.5, 1.0]]),
    ("hardtanh", tl.hardtanh, [[-2.0, -1.0, 0.0, 1.0, 2.0]], [[0.0, 0.0, 1.0, 0.0, 0.0]]),
    ("hardtanh", lambda x: tl.hardtanh(x, 0, 2), [[0.0, 1.0, 2.0]], [[0.0, 1.0, 0.0]]),
    ("relu6", tl.relu6, [[-1.0, 0.0, 3.0, 6.0, 7.0]], [[0.0, 0.0, 1.0, 0.0, 0.0]]),
    ("hardsigmoid", tl.hardsigmoid, [[-np.inf, -4.0, -3.0, 0.0, 3.0, np.inf]], [[0.0, 0.0, 0.0, 1 / 6, 0.0, 0.0]]),
    ("hardswish", tl.hardswish, [[-np.inf, -4.0, -3.0, 0.0, 3.0, np.inf]], [[0.0, 0.0, 0.0, 0.5, 1.0, 1.0]]),
    ("elu", tl.elu, [[0.0, -0.0, 2.0]], [[1.0, 1.0, 1.0]]),
    ("elu", lambda x: tl.elu(x, 0.5), [[0.0, -0.0, 2.0]], [[0.5, 0.5, 1.0]]),
    ("celu", lambda x: tl.celu(x, 0.5), [[0.0, -0.0, 2.0]], [[1.0, 1.0, 1.0]]),
    ("elu", lambda x: tl.elu(x, 1e9), [[-np.inf, 0.0, 2.0]], [[0.0, 1e9, 1.0]]),
    ("selu", tl.selu, [[0.0, -0.0, 2.0]], [[1.7580993408473766, 1.7580993408473766, 1.0507009873554805]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {
    "hardtanh": Case([np.array([-1.0, 1.0, 1.0])], {}),
    "hardsigmoid": Case([np.array([-3.0, 3.0])], {}),
    "hardswish": Case([np.array([-3.0, 3.0])], {}),
    "elu": Case([np.zeros((2, 3))], {"alpha": 0.5}),
}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
