"""How to try the ops of `tinygrad_lite/ops/convolution.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.verify.laws import Case, Make, Random, Shape


class Drawn(NamedTuple):
    """A convolution: the shapes of x, of the weights and of the result, and the parameters of `conv`."""

    x: Shape
    w: Shape
    y: Shape
    geometry: dict[str, Any]


def some_convolution(rng: Random, n: int, padding: bool = True) -> Drawn:
    """Draw one over n axes, small enough for a numerical derivative; sometimes with an empty batch."""
    draw = lambda low, high: tuple(int(i) for i in rng.integers(low, high, n))
    groups, batch = int(rng.integers(1, 3)), int(rng.choice([0, 1, 2, 2], p=[0.1, 0.2, 0.4, 0.3]))
    channels, outs = (groups * int(i) for i in rng.integers(1, 4 - groups, 2))
    kernel, stride, dilation = draw(1, 4 if n == 1 else 3), draw(1, 3), draw(1, 3)
    pads = tuple((int(a), int(b)) for a, b in rng.integers(0, 2 if padding else 1, (n, 2)))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(max(s - a - b, 1) + int(rng.integers(0, 3)) for s, (a, b) in zip(spans, pads, strict=True))
    room = zip(size, spans, stride, pads, strict=True)
    out = tuple((n + a + b - s) // t + 1 for n, s, t, (a, b) in room)
    geometry = {"stride": stride, "padding": pads, "dilation": dilation, "groups": groups}
    return Drawn((batch, channels, *size), (outs, channels // groups, *kernel), (batch, outs, *out), geometry)


def conv_case(rng: Random, shape: Shape) -> Case:
    drawn = some_convolution(rng, int(rng.integers(1, 3)))
    return Case([drawn.x, drawn.w], drawn.geometry)


def conv_input_case(rng: Random, shape: Shape) -> Case:
    drawn = some_convolution(rng, int(rng.integers(1, 3)))
    return Case([drawn.y, drawn.w], {"size": drawn.x[2:], **drawn.geometry})


def conv_weight_case(rng: Random, shape: Shape) -> Case:
    drawn = some_convolution(rng, int(rng.integers(1, 3)))
    return Case([drawn.x, drawn.y], {"kernel": drawn.w[2:], **drawn.geometry})


def public_case(n: int) -> Make:
    """How to call conv1d or conv2d: with and without a batch, with settings as integers, per axis and as words."""

    def case(rng: Random, shape: Shape) -> Case:
        x, w, _, geometry = some_convolution(rng, n, padding=False)
        kind = rng.integers(0, 4)
        stride, dilation = geometry["stride"], geometry["dilation"]
        padding: Any = [tuple(int(i) for i in rng.integers(0, 3, n)), 1, "valid", "same"][kind]
        params = {"stride": 1 if kind == 3 else stride if kind % 2 else stride[0], "padding": padding}
        params |= {"dilation": dilation, "groups": geometry["groups"]}
        if rng.random() < 0.5:
            params["bias"] = rng.standard_normal(w[0]).astype(np.float32)
        return Case([x[1:] if rng.random() < 0.3 else x, w], params)

    return case


def pool_case(rng: Random, shape: Shape) -> Case:
    kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
    stride = [None, int(rng.integers(1, 3)), tuple(int(s) for s in rng.integers(1, 4, 2))][rng.integers(0, 3)]
    pads = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    size = tuple(int(k - p + rng.integers(0, 3)) for k, p in zip(kernel, pads, strict=True))
    x = (int(rng.choice([0, 1, 2], p=[0.1, 0.4, 0.5])), int(rng.integers(1, 3)), *size)
    even = len(set(kernel)) == len(set(pads)) == 1
    params = {"kernel_size": kernel[0] if even else kernel, "stride": stride, "padding": pads[0] if even else pads}
    return Case([x[1:] if rng.random() < 0.3 else x], params)


CASES: dict[str, Make] = {
    "conv": conv_case,
    "conv_input": conv_input_case,
    "conv_weight": conv_weight_case,
    "conv1d": public_case(1),
    "conv2d": public_case(2),
    "max_pool2d": pool_case,
    "avg_pool2d": pool_case,
}


# --- definitions: loops over every position and every element of the kernel -------------------------------------------


def pairs(kernel: Shape, out: Shape, size: Shape, stride: Any, padding: Any, dilation: Any) -> Any:
    """Yield the (offset in the kernel, place in the result, place in x) that belong together; none in the padding."""
    for offset, place in product(np.ndindex(*kernel), np.ndindex(*out)):
        along = zip(place, stride, offset, dilation, padding, strict=True)
        at = tuple(i * s + k * d - p[0] for i, s, k, d, p in along)
        if all(0 <= i < n for i, n in zip(at, size, strict=True)):
            yield (..., *offset), (..., *place), (..., *at)


def positions(size: Shape, kernel: Shape, stride: Any, padding: Any, dilation: Any) -> Shape:
    along = zip(size, kernel, stride, padding, dilation, strict=True)
    return tuple(len(range(-low, n + high - (k - 1) * d, s)) for n, k, s, (low, high), d in along)


def blocks(groups: int, *counts: int) -> Any:
    """Yield, for each group, the slices of as many channels of each array."""
    for i in range(groups):
        yield [slice(i * n // groups, (i + 1) * n // groups) for n in counts]


def conv(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    out = positions(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = np.zeros((x.shape[0], w.shape[0], *out))
    for o, c in blocks(groups, w.shape[0], x.shape[1]):
        for k, i, j in pairs(w.shape[2:], out, x.shape[2:], stride, padding, dilation):
            y[:, o][i] += x[:, c][j] @ w[o][k].T
    return y


def conv_input(y: Any, w: Any, size: Shape, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    x = np.zeros((y.shape[0], w.shape[1] * groups, *size))
    for o, c in blocks(groups, w.shape[0], x.shape[1]):
        for k, i, j in pairs(w.shape[2:], y.shape[2:], size, stride, padding, dilation):
            x[:, c][j] += y[:, o][i] @ w[o][k]
    return x


def conv_weight(x: Any, y: Any, kernel: Shape, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    w = np.zeros((y.shape[1], x.shape[1] // groups, *kernel))
    for o, c in blocks(groups, w.shape[0], x.shape[1]):
        for k, i, j in pairs(kernel, y.shape[2:], x.shape[2:], stride, padding, dilation):
            w[o][k] += y[:, o][i].T @ x[:, c][j]
    return w


def each(given: Any, n: int) -> Any:
    return given if isinstance(given, tuple) else (given,) * n


def public(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int, bias: Any = None) -> Any:
    n = w.ndim - 2
    stride, dilation = each(stride, n), each(dilation, n)
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(w.shape[2:], dilation, strict=True)]
        pads: Any = [(t // 2, t - t // 2) for t in total]
    else:
        pads = [(p, p) for p in each(0 if padding == "valid" else padding, n)]
    y = conv(x if x.ndim == n + 2 else x[None], w, stride, pads, dilation, groups)
    y = y if bias is None else y + bias.reshape(-1, *[1] * n)
    return y if x.ndim == n + 2 else y[0]


def pooled(reduce: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """Return the definition of a pooling that reduces each window of the padded input."""

    def pool(x: Any, kernel_size: Any, stride: Any, padding: Any) -> Any:
        k, l = each(kernel_size, 2)  # noqa: E741
        s, t = (k, l) if stride is None else each(stride, 2)
        p, q = each(padding, 2)
        x = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p), (q, q)], constant_values=fill)
        rows, columns = range(0, x.shape[-2] - k + 1, s), range(0, x.shape[-1] - l + 1, t)
        out = np.zeros((*x.shape[:-2], len(rows), len(columns)))
        for (a, i), (b, j) in product(enumerate(rows), enumerate(columns)):
            out[..., a, b] = reduce(x[..., i : i + k, j : j + l], axis=(-2, -1))
        return out

    return pool


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "conv": conv,
    "conv_input": conv_input,
    "conv_weight": conv_weight,
    "conv1d": public,
    "conv2d": public,
    "max_pool2d": pooled(np.max, -np.inf),
    "avg_pool2d": pooled(np.mean, 0),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    # windows of equal values: the first
    ("max_pool2d", lambda x: tl.max_pool2d(x, 2), [[[[0.0, 0.0], [0.0, 0.0]]]], [[[[1.0, 0.0], [0.0, 0.0]]]]),
    # a later tie, row by row
    ("max_pool2d", lambda x: tl.max_pool2d(x, 2), [[[[1.0, 3.0], [3.0, 2.0]]]], [[[[0.0, 1.0], [0.0, 0.0]]]]),
    # windows that overlap add up
    ("max_pool2d", lambda x: tl.max_pool2d(x, (1, 2), 1), [[[[1.0, 1.0, 0.0]]]], [[[[1.0, 1.0, 0.0]]]]),
    # padding never wins, not even against −∞
    ("max_pool2d", lambda x: tl.max_pool2d(x, 2, 2, 1), [[[[-5.0]]]], [[[[1.0]]]]),
    ("max_pool2d", lambda x: tl.max_pool2d(x, 3, 2, 1), [np.full((1, 2, 2), -np.inf)], [[[[1.0, 0.0], [0.0, 0.0]]]]),
]

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {"max_pool2d": Case([np.zeros((1, 2, 4, 4))], {"kernel_size": 2})}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
