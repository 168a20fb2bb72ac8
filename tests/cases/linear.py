"""How to try the ops of `tinygrad_lite/ops/linear.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_lite.verify.laws import Case, Make, Random, Shape, shrunk


def matmul_case(rng: Random, shape: Shape) -> Case:
    i, j, k = (int(n) for n in rng.integers(1, 5, 3))
    kind = rng.integers(0, 5)
    if kind == 0:
        return Case([(k,), (k,)], {})
    if kind == 1:
        return Case([(k,), (*shape[:2], k, j)], {})
    if kind == 2:
        return Case([(*shape[:2], i, k), (k,)], {})
    if kind == 3:
        return Case([(i, k), (k, j)], {})
    return Case([(*shrunk(rng, shape[:2]), i, k), (*shrunk(rng, shape[:2]), k, j)], {})


CASES: dict[str, Make] = {
    "matmul": matmul_case,
}


DEFINITIONS: dict[str, Callable[..., Any]] = {}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
