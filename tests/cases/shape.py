"""How to try the ops of `tinygrad_lite/ops/shape.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, full, shrunk, some_axis


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


def one_axis(rng: Random, ndim: int) -> int:
    return int(rng.integers(-ndim, ndim))


def permute_case(rng: Random, shape: Shape) -> Case:
    axes = rng.permutation(len(shape)) - len(shape) * rng.integers(0, 2, len(shape))
    return Case([shape], {"axes": axes.tolist() if rng.random() < 0.5 else tuple(map(int, axes))})


def moveaxis_case(rng: Random, shape: Shape) -> Case:
    if not shape or rng.random() < 0.5:
        shape = shape or (2,)
        return Case([shape], {"source": one_axis(rng, len(shape)), "destination": one_axis(rng, len(shape))})
    count = rng.integers(0, len(shape) + 1)
    source, destination = (
        tuple(map(int, rng.permutation(len(shape))[:count] - len(shape) * rng.integers(0, 2))) for _ in range(2)
    )
    return Case([shape], {"source": source, "destination": destination})


def swapaxes_case(rng: Random, shape: Shape) -> Case:
    shape = shape or (2,)
    return Case([shape], {"axis1": one_axis(rng, len(shape)), "axis2": one_axis(rng, len(shape))})


def flatten_case(rng: Random, shape: Shape) -> Case:
    if not shape or rng.random() < 0.3:
        return Case([shape], {})
    start, end = sorted(rng.integers(0, len(shape), 2).tolist())
    return Case([shape], {"start": start, "end": end - (len(shape) if rng.random() < 0.5 else 0)})


def flattened(x: Any, start: int = 0, end: int = -1) -> Any:
    """Join two axes at a time."""
    if x.ndim == 0:
        return x[None]
    for _ in range(end % x.ndim - start):
        x = np.reshape(x, (*x.shape[:start], x.shape[start] * x.shape[start + 1], *x.shape[start + 2 :]))
    return x


def squeeze_case(rng: Random, shape: Shape) -> Case:
    shape = tuple(1 if rng.random() < 0.5 else n for n in shape)
    single = [i - len(shape) * int(rng.integers(0, 2)) for i, n in enumerate(shape) if n == 1]
    choices: list[Any] = [None, tuple(single), *single]
    return Case([shape], {"axis": choices[rng.integers(0, len(choices))]})


def expand_dims_case(rng: Random, shape: Shape) -> Case:
    several = rng.permutation(len(shape) + 2)[:2] - (len(shape) + 2) * int(rng.integers(0, 2))
    choices: list[Any] = [one_axis(rng, len(shape) + 1), tuple(map(int, several)), several.tolist()]
    return Case([shape], {"axis": choices[rng.integers(0, 3)]})


def repeat_case(rng: Random, shape: Shape) -> Case:
    axis = None if not shape or rng.random() < 0.3 else one_axis(rng, len(shape))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    counts = rng.integers(0, 4, n)
    choices: list[Any] = [2, int(rng.integers(0, 4)), [3], counts, counts.tolist() or 1]
    return Case([shape], {"repeats": choices[rng.integers(0, len(choices))], "axis": axis})


def tile_case(rng: Random, shape: Shape) -> Case:
    reps = tuple(map(int, rng.integers(0 if rng.random() < 0.2 else 1, 4, rng.integers(0, 4))))
    return Case([shape], {"reps": int(rng.integers(0, 4)) if rng.random() < 0.3 else reps})


def pad_case(rng: Random, shape: Shape) -> Case:
    constant = rng.random() < 0.5
    shape = shape if constant else full(shape)  # of nothing, there is no entry to copy
    pairs = [tuple(map(int, rng.integers(0, 4, 2))) for _ in shape]
    widths: list[Any] = [2, (1, 3), *([pairs, pairs[:1]] if pairs else [])]
    params: dict[str, Any] = {"widths": widths[rng.integers(0, len(widths))]}
    if not constant:
        params["mode"] = ["edge", "reflect", "symmetric", "wrap"][rng.integers(0, 4)]
    elif rng.random() < 0.5:
        params["value"] = 1.5
    return Case([shape], params)


def padded(x: Any, widths: Any, mode: str = "constant", value: float = 0) -> Any:
    return np.pad(x, widths, mode, **({"constant_values": value} if mode == "constant" else {}))


def roll_case(rng: Random, shape: Shape) -> Case:
    axis = some_axis(rng, len(shape))
    several = isinstance(axis, tuple) and rng.random() < 0.5
    shift = tuple(map(int, rng.integers(-5, 6, len(axis)))) if several else int(rng.integers(-5, 6))
    return Case([shape], {"shift": shift, "axis": axis})


def split_case(rng: Random, shape: Shape) -> Case:
    shape = shape or (3,)
    axis = one_axis(rng, len(shape))
    n = shape[axis]
    cuts = sorted(rng.integers(-n, n + 2, rng.integers(0, 4)).tolist())
    choices: list[Any] = [[k for k in range(1, n + 2) if n % k == 0][-1], 1, cuts, np.array(cuts, int), (1,)]
    return Case([shape], {"indices_or_sections": choices[rng.integers(0, 5)], "axis": axis})


CASES: dict[str, Make] = {
    "ravel": lambda rng, s: Case([s], {}),
    "concatenate": concatenate_case,
    "expand_dims": expand_dims_case,
    "flatten": flatten_case,
    "flip": lambda rng, s: Case([s], {"axis": some_axis(rng, len(s))}),
    "moveaxis": moveaxis_case,
    "pad": pad_case,
    "permute": permute_case,
    "repeat": repeat_case,
    "roll": roll_case,
    "split": split_case,
    "squeeze": squeeze_case,
    "swapaxes": swapaxes_case,
    "tile": tile_case,
    "reshape": reshape_case,
    "transpose": transpose_case,
    "stack": lambda rng, s: Case([s] * rng.integers(1, 4), {"axis": int(rng.integers(-len(s) - 1, len(s) + 1))}),
    "broadcast_to": lambda rng, s: Case([shrunk(rng, s)], {"shape": s}),
}


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "expand_dims": lambda x, axis: np.expand_dims(x, tuple(axis) if isinstance(axis, list) else axis),
    "flatten": flattened,
    "pad": padded,
    "permute": lambda x, axes: np.transpose(x, axes),
    "reshape": lambda x, shape: np.reshape(x, shape),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
