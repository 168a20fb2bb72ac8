"""How to try the ops of `tinygrad_lite/ops/sorting.py`, what they should give, and their derivatives at ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, full, some_axis


def sort_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    return Case([shape], {"axis": some_axis(rng, len(shape), several=False), "descending": bool(rng.random() < 0.5)})


def topk_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    axis = some_axis(rng, len(shape), several=False)
    k = int(rng.integers(1, shape[axis] + 1))
    return Case([shape], {"k": k, "axis": axis, "largest": bool(rng.random() < 0.5)})


CASES: dict[str, Make] = {"argsort": sort_case, "sort": sort_case, "topk": topk_case}


def ordered(x: Any, axis: int, descending: bool) -> Any:
    return -np.sort(-x, axis=axis) if descending else np.sort(x, axis=axis)


def ends(x: Any, k: int, axis: int, largest: bool) -> Any:
    return [np.take(ordered(x, axis, largest), range(k), axis=axis)]


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "argsort": lambda x, axis, descending: np.argsort(-x if descending else x, axis=axis, kind="stable"),
    "sort": ordered,
    "topk": ends,
}

weigh = np.array([1.0, 10.0, 100.0, 1000.0], np.float32)

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("sort", lambda x: tl.sort(x) * weigh, [[2.0, 1.0, 2.0, 1.0]], [[100.0, 1.0, 1000.0, 10.0]]),
    ("sort", lambda x: tl.sort(x, descending=True) * weigh, [[2.0, 1.0, 2.0, 1.0]], [[1.0, 100.0, 10.0, 1000.0]]),
    ("topk", lambda x: tl.topk(x, 2)[0], [[3.0, 5.0, 3.0, 3.0]], [[1.0, 1.0, 0.0, 0.0]]),
    ("topk", lambda x: tl.topk(x, 1, largest=False)[0], [[3.0, 5.0, 3.0, 3.0]], [[1.0, 0.0, 0.0, 0.0]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {"topk": Case([np.zeros((2, 3))], {"k": 2})}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {"argsort": np.intp}
