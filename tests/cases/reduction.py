"""How to try the ops of `tinygrad_lite/ops/reduction.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, default_case, full, some_axis
from tinygrad_lite.op import REGISTRY


def small(shape: Shape) -> Shape:
    """At most 27 elements: of more, a product is too wild to differentiate in steps, and two |x| are too close."""
    return tuple(min(n, 3) for n in shape)


def prod_case(rng: Random, shape: Shape) -> Case:
    """Sometimes with one zero, with two, or with a row of zeros."""
    return Case([with_zeros(rng, small(shape))], default_case(REGISTRY["prod"], rng, shape).params)


def with_zeros(rng: Random, shape: Shape) -> Any:
    x = rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2, shape)
    return x * (rng.random(shape) < rng.choice([1.0, 0.8, 0.4]))


def cumulative(draw: Callable[[Random, Shape], Any], rng: Random, shape: Shape) -> Case:
    axis = None if rng.random() < 0.3 else some_axis(rng, len(shape), several=False)
    return Case([draw(rng, shape)], {"axis": axis})


def spread_case(op: str, rng: Random, shape: Shape) -> Case:
    """At least two values in each sample, so that the deviation is not 0, nor divided by 0."""
    shape = tuple(n + 1 for n in small(full(shape)))
    axis = some_axis(rng, len(shape))
    axis = None if axis == () and op == "std" else axis
    correction = 0 if axis == () else rng.choice([0, 1, 0.5]).item()
    return Case([shape], {"axis": axis, "correction": correction, "keepdims": bool(rng.random() < 0.5)})


ORDERS = [2, 1, 0, 3, 2.5, 0.5, -1, -2, np.inf, -np.inf, np.float64(4)]


def norm_case(rng: Random, shape: Shape) -> Case:
    ord = ORDERS[rng.integers(0, len(ORDERS))]
    shape = small(shape) if 1 < ord < np.inf else small(full(shape))
    return Case([shape], {"ord": ord, **default_case(REGISTRY["max"], rng, shape).params})


def arg_case(rng: Random, shape: Shape) -> Case:
    axis = None if rng.random() < 0.3 else some_axis(rng, len(full(shape)), several=False)
    return Case([full(shape)], {"axis": axis, "keepdims": bool(rng.random() < 0.5)})


def diff_case(rng: Random, shape: Shape) -> Case:
    shape = shape or (2,)
    return Case([shape], {"n": int(rng.integers(0, 4)), "axis": int(rng.integers(-len(shape), len(shape)))})


CASES: dict[str, Make] = {
    "diff": diff_case,
    "max": functools.partial(default_case, REGISTRY["max"], empty=False),
    "min": functools.partial(default_case, REGISTRY["min"], empty=False),
    "mean": functools.partial(default_case, REGISTRY["mean"], empty=False),
    "logsumexp": functools.partial(default_case, REGISTRY["logsumexp"], empty=False),
    "prod": prod_case,
    "cumsum": functools.partial(cumulative, lambda rng, shape: shape),
    "cumprod": functools.partial(cumulative, lambda rng, shape: with_zeros(rng, small(shape))),
    "var": functools.partial(spread_case, "var"),
    "std": functools.partial(spread_case, "std"),
    "norm": norm_case,
    "argmax": arg_case,
    "argmin": arg_case,
    "softmax": lambda rng, s: Case([full(s)], {"axis": some_axis(rng, len(full(s)), several=False)}),
    "log_softmax": lambda rng, s: Case([full(s)], {"axis": some_axis(rng, len(full(s)), several=False)}),
}


def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "softmax": lambda x, axis: np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True),
    "log_softmax": lambda x, axis: x - logsumexp(x, axis, True),
    "logsumexp": logsumexp,
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("max", tl.max, [[1.0, 3.0, 3.0, 3.0]], [[0.0, 1 / 3, 1 / 3, 1 / 3]]),
    ("min", tl.min, [[1.0, 3.0, 1.0, 3.0]], [[0.5, 0.0, 0.5, 0.0]]),
    ("max", lambda x: tl.max(x, axis=1), [[[2.0, 2.0], [1.0, 0.0]]], [[[0.5, 0.5], [1.0, 0.0]]]),
    (
        "max",
        lambda x: tl.max(x, axis=(0, 1), keepdims=True),
        [[[2.0, 2.0], [2.0, 2.0]]],
        [[[0.25, 0.25], [0.25, 0.25]]],
    ),
    ("logsumexp", tl.logsumexp, [[-np.inf, -np.inf]], [[0.5, 0.5]]),
    ("logsumexp", tl.logsumexp, [[np.inf, 0.0, np.inf]], [[0.5, 0.0, 0.5]]),
    (
        "logsumexp",
        lambda x: tl.logsumexp(x, axis=1),
        [[[-np.inf, -np.inf], [0.0, -np.inf]]],
        [[[0.5, 0.5], [1.0, 0.0]]],
    ),
    ("prod", tl.prod, [[2.0, 0.0, 3.0]], [[0.0, 6.0, 0.0]]),
    ("prod", tl.prod, [[2.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]),
    ("cumprod", tl.cumprod, [[2.0, 0.0, 3.0]], [[1.0, 8.0, 0.0]]),
    ("std", tl.std, [[3.0, 3.0, 3.0]], [[0.0, 0.0, 0.0]]),
    ("std", lambda x: tl.std(x, axis=0), [[[3.0, 1.0]]], [[[0.0, 0.0]]]),
    ("var", lambda x: tl.var(x, axis=0), [[[3.0, 1.0]]], [[[0.0, 0.0]]]),
    *(("norm", functools.partial(tl.norm, ord=p), [[0.0, 0.0]], [[0.0, 0.0]]) for p in ORDERS),
    ("norm", lambda x: tl.norm(x, axis=1), [[[3.0, 4.0], [0.0, 0.0]]], [[[0.6, 0.8], [0.0, 0.0]]]),
    ("norm", lambda x: tl.norm(x, 1), [[0.0, -3.0]], [[0.0, -1.0]]),
    ("norm", lambda x: tl.norm(x, 0.5), [[0.0, -3.0]], [[0.0, -1.0]]),
    ("norm", lambda x: tl.norm(x, -1), [[0.0, -3.0]], [[0.0, 0.0]]),
    ("norm", lambda x: tl.norm(x, np.inf), [[3.0, 1.0, -3.0]], [[0.5, 0.0, -0.5]]),
    ("norm", lambda x: tl.norm(x, -np.inf), [[3.0, 1.0, -1.0]], [[0.0, 0.5, -0.5]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {"argmax": np.intp, "argmin": np.intp}
