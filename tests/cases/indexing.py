"""How to try the ops of `tinygrad_lite/ops/indexing.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, full


def some_index(rng: Random, shape: Shape) -> Any:
    """A basic, a fancy, a boolean or a mixed index that fits the shape."""
    n = shape[0]
    choices: list[Any] = [
        int(rng.integers(-n, n)),
        slice(None, None, -1),
        slice(1, None, 2),
        (..., slice(0, 1)),
        (None, 0),
        rng.integers(-n, n, 5),
        [0, 0, n - 1],
        rng.random(shape) < 0.5,
        rng.random(n) < 0.5,
        (np.int64(0), ...),
        tuple(np.array([-1]) for _ in shape),
        (np.array(0), None),
        (slice(None), [0, 0]) if len(shape) > 1 else [[0, n - 1], [0, 0]],
        (rng.integers(0, n, (2, 1)), rng.integers(0, shape[1], 3)) if len(shape) > 1 else (),
    ]
    return choices[rng.integers(0, len(choices))]


def getitem_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    return Case([shape], {"index": some_index(rng, shape)})


def scatter_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    index = some_index(rng, shape)
    return Case([np.empty(shape)[index].shape], {"index": index, "shape": shape})


def take_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    axis = None if rng.random() < 0.3 else int(rng.integers(-len(shape), len(shape)))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    choices = [rng.integers(-n, n, (2, 3)), rng.integers(0, n, n + 2).tolist(), int(rng.integers(-n, n)), []]
    return Case([shape], {"indices": choices[rng.integers(0, len(choices))], "axis": axis})


def index_along(rng: Random, shape: Shape) -> tuple[int, Any]:
    """An axis and, for it, an index as gather and scatter_add take it; some of its other axes have length 1."""
    axis = int(rng.integers(-len(shape), len(shape)))
    sizes = [n if rng.random() < 0.8 else 1 for n in shape]
    sizes[axis] = int(rng.integers(0, 5))
    return axis, rng.integers(-shape[axis], shape[axis], sizes)


def gather_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    axis, index = index_along(rng, shape)
    return Case([shape], {"axis": axis, "index": index if rng.random() < 0.5 else index.tolist() or index})


def scatter_add_case(rng: Random, shape: Shape) -> Case:
    """The gradient of x; that of the source is the gradient of scatter, and tried at the kinks."""
    shape = full(shape)
    axis, index = index_along(rng, shape)
    source = rng.integers(-3, 4, np.take_along_axis(np.empty(shape), index, axis).shape).astype(np.float32)
    return Case([shape], {"axis": axis, "index": index, "source": source})


def one_hot_case(rng: Random, shape: Shape) -> Case:
    classes = int(rng.integers(1, 6))
    axis = int(rng.integers(-len(shape) - 1, len(shape) + 1))
    return Case([rng.integers(0, classes, shape)], {"classes": classes, "axis": axis})


def interp_case(rng: Random, shape: Shape) -> Case:
    """Points on either side of the line, and on it."""
    n = int(rng.integers(2, 6))
    return Case([shape, np.cumsum(rng.uniform(0.3, 1.0, n)) - 1.0, rng.uniform(-2, 2, n)], {})


CASES: dict[str, Make] = {
    "interp": interp_case,
    "gather": gather_case,
    "one_hot": one_hot_case,
    "scatter_add": scatter_add_case,
    "take": take_case,
    "getitem": getitem_case,
    "scatter": scatter_case,
}


def scattered(x: Any, index: Any, shape: Shape) -> Any:
    places = np.arange(np.prod(shape)).reshape(shape)[index]
    return np.bincount(np.ravel(places), np.ravel(x), int(np.prod(shape))).reshape(shape)


def scatter_added(x: Any, axis: int, index: Any, source: Any) -> Any:
    """Sum over the source, one entry of `axis` at a time."""
    out, index = np.moveaxis(np.array(x), axis, -1), np.moveaxis(np.asarray(index), axis, -1) % x.shape[axis]
    for k in range(x.shape[axis]):
        out[..., k] += np.sum(np.moveaxis(source, axis, -1) * (index == k), axis=-1)
    return np.moveaxis(out, -1, axis)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "gather": lambda x, axis, index: np.take_along_axis(x, np.asarray(index, np.intp), axis),
    "one_hot": lambda labels, classes, axis: np.moveaxis(np.eye(classes)[labels], -1, axis),
    "scatter_add": scatter_added,
    "getitem": lambda x, index: x[index],
    "scatter": scattered,
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    (
        "interp",
        tl.interp,
        [[-1.0, 0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0], [0.0, 10.0, 40.0]],
        [[0.0, 10.0, 30.0, 0.0, 0.0], [-10.0, -30.0, 0.0], [2.0, 1.0, 2.0]],
    ),
    ("getitem", lambda x: x[[0, 0, 1]], [[5.0, 6.0, 7.0]], [[2.0, 1.0, 0.0]]),
    ("take", lambda x: x.take([0, -1, 2]), [[5.0, 6.0, 7.0]], [[1.0, 0.0, 2.0]]),
    ("gather", lambda x: x.gather(1, [[0, 0], [1, 0]]), [[[5.0, 6.0], [7.0, 8.0]]], [[[2.0, 0.0], [1.0, 1.0]]]),
    (
        "scatter_add",
        lambda x, source: x.scatter_add(0, [0, 0, 1], source) ** 2,
        [[1.0, 2.0], [3.0, 4.0, 5.0]],
        [[16.0, 14.0], [16.0, 16.0, 14.0]],
    ),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {"interp": Case([np.ones((2, 3)), np.array([0.0, 1.0]), np.zeros(2)], {})}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {"one_hot": np.float32}
