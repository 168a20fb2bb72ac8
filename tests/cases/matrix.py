"""How to try the ops of `tinygrad_lite/ops/matrix.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, shrunk


def regular(rng: Random, batch: Shape, n: int) -> Any:
    """Matrices that no step of a numerical derivative makes singular."""
    return rng.uniform(-0.5, 0.5, (*batch, n, n)) + 2 * np.eye(n) * rng.choice([-1, 1], n)


def regular_case(rng: Random, shape: Shape) -> Case:
    return Case([regular(rng, shape[:2], int(rng.integers(1, 4)))], {})


def any_case(rng: Random, shape: Shape) -> Case:
    """Matrices of full rank, of any lower one, and zeros."""
    n = int(rng.integers(1, 4))
    x = rng.uniform(-2, 2, (*shape[:2], n, n))
    return Case([x * (rng.random((*shape[:2], n, 1)) < rng.choice([1.0, 0.6]))], {})


def solve_case(rng: Random, shape: Shape) -> Case:
    n, k = (int(n) for n in rng.integers(1, 4, 2))
    if rng.random() < 0.3:
        return Case([regular(rng, (), n), rng.uniform(-2, 2, n)], {})
    left, right = (shrunk(rng, shape[:1]) for _ in range(2))
    return Case([regular(rng, left, n), rng.uniform(-2, 2, (*right, n, k))], {})


def definite_case(rng: Random, shape: Shape) -> Case:
    x = rng.uniform(-1, 1, (*shape[:2], *[int(rng.integers(1, 4))] * 2))
    return Case([x @ np.swapaxes(x, -1, -2) + 4 * np.eye(x.shape[-1])], {})


CASES: dict[str, Make] = {
    "cholesky": definite_case,
    "cofactor": lambda rng, s: Case([regular(rng, s[:2], int(rng.integers(1, 3)))], {}),  # det tries larger ones
    "det": any_case,
    "inv": regular_case,
    "logabsdet": regular_case,
    "slogdet": regular_case,
    "solve": solve_case,
}

DEFINITIONS: dict[str, Callable[..., Any]] = {
    "cofactor": lambda x: np.linalg.det(x)[..., None, None] * np.swapaxes(np.linalg.inv(x), -1, -2),
    "logabsdet": lambda x: np.log(np.abs(np.linalg.det(x))),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
