"""How to try the ops of `tinygrad_lite/ops/neural.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, full, some_axis


def dropout_case(rng: Random, shape: Shape) -> Case:
    p = float(rng.choice([0.0, 0.25, 0.5, 0.9, 1.0]))
    return Case([shape], {"p": p, "training": bool(rng.random() < 0.8), "seed": int(rng.integers(100))})


def dropout(x: Any, p: float, training: bool, seed: int) -> Any:
    if not training or p == 0:
        return x
    kept = np.random.default_rng(seed).random(x.shape, dtype=np.float32) >= p
    return np.where(kept, x / (1 - p) if p < 1 else 0, 0)


def embedding_case(rng: Random, shape: Shape) -> Case:
    rows = int(rng.integers(1, 5))
    row = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 3)))
    return Case([rng.integers(0, rows, shape), (rows, *row)], {})


def standardize_case(rng: Random, shape: Shape) -> Case:
    return Case([shape], {"axis": some_axis(rng, len(shape)), "eps": float(rng.choice([0.01, 0.1]))})


def standardize(x: Any, axis: Any, eps: float) -> Any:
    return (x - np.mean(x, axis, keepdims=True)) / np.sqrt(np.var(x, axis, keepdims=True) + eps) if x.size else x


def layer_norm_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    axis = some_axis(rng, len(shape))
    places = range(len(shape)) if axis is None else np.atleast_1d(axis).astype(int) % len(shape)
    sizes = tuple(shape[i] for i in sorted(places))
    if rng.random() < 0.3:
        sizes = tuple(n if i in places else 1 for i, n in enumerate(shape))
    given = [rng.uniform(0.5, 2, sizes) for _ in range(rng.integers(0, 3))]
    return Case([shape, *given], {"axis": axis, "eps": 0.01})


def layer_norm(x: Any, weight: Any = None, bias: Any = None, *, axis: Any, eps: float) -> Any:
    places = np.arange(x.ndim) if axis is None else np.atleast_1d(axis).astype(int) % x.ndim
    wide = [n if i in places else 1 for i, n in enumerate(x.shape)]
    out = standardize(x, axis, eps)
    out = out if weight is None else out * weight.reshape(wide)
    return out if bias is None else out + bias.reshape(wide)


def batch_norm_case(rng: Random, shape: Shape) -> Case:
    shape = (3, *full(shape))
    given = [rng.uniform(0.5, 2, shape[1]) for _ in range(rng.integers(2, 5))]
    if rng.random() < 0.5:
        weight, bias = (x.astype(np.float32) for x in given[:2])
        return Case([shape], {"eps": 0.01, "weight": weight, "bias": bias})
    return Case([shape, *given], {"eps": 0.01})


def batch_norm(
    x: Any, mean: Any = None, var: Any = None, weight: Any = None, bias: Any = None, *, eps: float = 0.01
) -> Any:
    rest = tuple(i for i in range(x.ndim) if i != 1)
    wide = (-1,) + (1,) * (x.ndim - 2)
    mean = x.mean(rest) if mean is None else mean
    var = x.var(rest) if var is None else var
    out = (x - mean.reshape(wide)) / np.sqrt(var.reshape(wide) + eps)
    out = out if weight is None else out * weight.reshape(wide)
    return out if bias is None else out + bias.reshape(wide)


def attention_case(rng: Random, shape: Shape) -> Case:
    *batch, queries, keys = (1, 1, *full(shape))[-3 if len(shape) > 2 else -2 :]
    size, width = (int(n) for n in rng.integers(1, 4, 2))
    inputs: list[Any] = [(*batch, queries, size), (*batch, keys, size), (*batch, keys, width)]
    params: dict[str, Any] = {"is_causal": bool(rng.random() < 0.3)}
    if rng.random() < 0.3:
        params["scale"] = 0.3
    kind = rng.integers(0, 4)
    if kind == 1:
        params["mask"] = rng.random((queries, keys)) < 0.6
    if kind == 2:
        inputs.append(rng.uniform(-2, 2, (queries, keys)))
    if kind == 3:
        params["mask"] = rng.choice(np.array([-np.inf, 0.5, -1], np.float32), (queries, keys))
    return Case(inputs, params)


def attention(q: Any, k: Any, v: Any, mask: Any = None, is_causal: bool = False, scale: Any = None) -> Any:
    """Written out: for each query, over the keys that it may attend to."""
    scores = q @ np.swapaxes(k, -1, -2) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if mask is not None:
        scores = scores + np.where(mask, 0, -np.inf) if mask.dtype == np.bool_ else scores + mask
    if is_causal:
        scores = np.where(np.arange(k.shape[-2]) <= np.arange(q.shape[-2])[:, None], scores, -np.inf)
    weights = np.exp(scores)
    total = weights.sum(-1, keepdims=True)
    return weights / np.where(total == 0, 1, total) @ v


CASES: dict[str, Make] = {
    "batch_norm": batch_norm_case,
    "dropout": dropout_case,
    "embedding": embedding_case,
    "layer_norm": layer_norm_case,
    "scaled_dot_product_attention": attention_case,
    "standardize": standardize_case,
}

DEFINITIONS: dict[str, Callable[..., Any]] = {
    "batch_norm": batch_norm,
    "dropout": dropout,
    "embedding": lambda index, weight: np.take(weight, index, axis=0),
    "layer_norm": layer_norm,
    "scaled_dot_product_attention": attention,
    "standardize": standardize,
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
