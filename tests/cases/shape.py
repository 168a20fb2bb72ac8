"""How to try the ops of `tinygrad_lite/ops/shape.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.verify.laws import Case, Make, Random, Shape, shrunk


def concatenate_case(rng: Random, shape: Shape) -> Case:
    shape = shape or (2,)
    axis = int(rng.integers(-len(shape), len(shape)))
    sizes = rng.integers(0, 4, rng.integers(1, 4))
    at = axis % len(shape)
    return Case([(*shape[:at], int(n), *shape[at + 1 :]) for n in sizes], {"axis": axis})


def reshape_case(rng: Random, shape: Shape) -> Case:
    size = int(np.prod(shape))
    shapes: list[Any] = [(size,), size, (1, size, 1), shape[::-1], -1 if size else 0]
    return Case([shape], {"shape": shapes[rng.integers(0, len(shapes))]})


def transpose_case(rng: Random, shape: Shape) -> Case:
    axes = [int(a) - (len(shape) if rng.random() < 0.5 else 0) for a in rng.permutation(len(shape))]
    return Case([shape], {"axes": None if rng.random() < 0.3 else tuple(axes)})


CASES: dict[str, Make] = {
    "concatenate": concatenate_case,
    "reshape": reshape_case,
    "transpose": transpose_case,
    "stack": lambda rng, s: Case([s] * rng.integers(1, 4), {"axis": int(rng.integers(-len(s) - 1, len(s) + 1))}),
    "broadcast_to": lambda rng, s: Case([shrunk(rng, s)], {"shape": s}),
}


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "reshape": lambda x, shape: np.reshape(x, shape),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
