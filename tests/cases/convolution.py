"""How to try the ops of `tinygrad_lite/ops/convolution.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.numeric.laws import Case, Make, Random, Shape


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


def transposed_case(n: int) -> Make:
    """How to call conv_transpose1d or conv_transpose2d: every output_padding, with settings as integers and per axis."""

    def case(rng: Random, shape: Shape) -> Case:
        _, w, x, geometry = some_convolution(rng, n, padding=False)
        groups, strides, dilations = geometry["groups"], geometry["stride"], geometry["dilation"]
        extra = tuple(int(rng.integers(0, max(s, d))) for s, d in zip(strides, dilations, strict=True))
        spans = [(k - 1) * d + 1 for k, d in zip(w[2:], dilations, strict=True)]
        along = zip(x[2:], strides, spans, extra, strict=True)
        most = [((m - 1) * s + span + e - 1) // 2 for m, s, span, e in along]
        padding: Any = tuple(int(rng.integers(0, min(p, 2) + 1)) for p in most) if rng.random() < 0.5 else 0
        params: dict[str, Any] = {"stride": strides, "padding": padding, "output_padding": extra}
        params |= {"groups": groups, "dilation": dilations if len(set(dilations)) > 1 else dilations[0]}
        if rng.random() < 0.5:
            params["bias"] = rng.standard_normal(w[1] * groups).astype(np.float32)
        return Case([x[1:] if rng.random() < 0.3 else x, w], params)

    return case


def pool_case(n: int, dilated: bool) -> Make:
    """How to call a pooling over n axes, with settings as integers and per axis."""

    def case(rng: Random, shape: Shape) -> Case:
        kernel = tuple(int(k) for k in rng.integers(1, 4, n))
        stride = [None, int(rng.integers(1, 3)), tuple(int(s) for s in rng.integers(1, 4, n))][rng.integers(0, 3)]
        dilation = int(rng.integers(1, 3)) if dilated else 1
        spans = [(k - 1) * dilation + 1 for k in kernel]
        pads = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
        along = zip(spans, pads, strict=True)
        size = tuple(max(int(span - p), dilation) + int(rng.integers(0, 3)) for span, p in along)
        x = (int(rng.choice([0, 1, 2], p=[0.1, 0.4, 0.5])), int(rng.integers(1, 3)), *size)
        even = len(set(kernel)) == len(set(pads)) == 1
        params = {"kernel_size": kernel[0] if even else kernel, "stride": stride, "padding": pads[0] if even else pads}
        return Case([x[1:] if rng.random() < 0.3 else x], params | ({"dilation": dilation} if dilated else {}))

    return case


def windows_case(rng: Random, shape: Shape) -> Case:
    """How to call max_pool, over one or two axes."""
    n = int(rng.integers(1, 3))
    (x,), given = pool_case(n, True)(rng, shape)
    kernel, padding = each(given["kernel_size"], n), each(given["padding"], n)
    stride = kernel if given["stride"] is None else each(given["stride"], n)
    pairs = tuple((p, p) for p in padding)
    return Case([x], {"kernel": kernel, "stride": stride, "padding": pairs, "dilation": each(given["dilation"], n)})


CASES: dict[str, Make] = {
    "conv": conv_case,
    "conv_input": conv_input_case,
    "conv_weight": conv_weight_case,
    "conv1d": public_case(1),
    "conv2d": public_case(2),
    "conv_transpose1d": transposed_case(1),
    "conv_transpose2d": transposed_case(2),
    "max_pool": windows_case,
    "max_pool1d": pool_case(1, True),
    "max_pool2d": pool_case(2, True),
    "avg_pool1d": pool_case(1, False),
    "avg_pool2d": pool_case(2, False),
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


def transposed(
    x: Any, w: Any, stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any, bias: Any = None
) -> Any:
    """Spread every element over the whole result, then cut the padding off its sides."""
    n = w.ndim - 2
    whole = x if x.ndim == n + 2 else x[None]
    strides, pads, extra, dilations = (each(given, n) for given in (stride, padding, output_padding, dilation))
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]
    along = zip(whole.shape[2:], strides, spans, extra, strict=True)
    size = tuple((m - 1) * s + span + e for m, s, span, e in along)
    y = np.zeros((len(whole), w.shape[1] * groups, *size))
    for i, o in blocks(groups, w.shape[0], y.shape[1]):
        for k, a, b in pairs(w.shape[2:], whole.shape[2:], size, strides, [(0, 0)] * n, dilations):
            y[:, o][b] += whole[:, i][a] @ w[i][k]
    y = y[(..., *(slice(p, total - p) for p, total in zip(pads, size, strict=True)))]
    y = y if bias is None else y + bias.reshape(-1, *[1] * n)
    return y if x.ndim == n + 2 else y[0]


def pooled(n: int, reduce: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """Return the definition of a pooling that reduces each window of the padded input."""

    def pool(x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> Any:
        kernel, dilations = each(kernel_size, n), each(dilation, n)
        strides, pads = kernel if stride is None else each(stride, n), [(p, p) for p in each(padding, n)]
        out = positions(x.shape[-n:], kernel, strides, pads, dilations)
        x = np.pad(x, [(0, 0)] * (x.ndim - n) + pads, constant_values=fill)
        y = np.zeros((*x.shape[:-n], *out))
        for place in np.ndindex(*out):
            along = zip(place, strides, kernel, dilations, strict=True)
            window = tuple(slice(i * s, i * s + (k - 1) * d + 1, d) for i, s, k, d in along)
            y[(..., *place)] = reduce(x[(..., *window)], axis=tuple(range(-n, 0)))
        return y

    return pool


def windows(x: Any, kernel: Shape, stride: Shape, padding: Any, dilation: Shape) -> Any:
    sides = tuple(low for low, _ in padding)
    return pooled(len(kernel), np.max, -np.inf)(x, kernel, stride, sides, dilation)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "conv": conv,
    "conv_input": conv_input,
    "conv_weight": conv_weight,
    "conv1d": public,
    "conv2d": public,
    "conv_transpose1d": transposed,
    "conv_transpose2d": transposed,
    "max_pool": windows,
    "max_pool1d": pooled(1, np.max, -np.inf),
    "max_pool2d": pooled(2, np.max, -np.inf),
    "avg_pool1d": pooled(1, np.mean, 0),
    "avg_pool2d": pooled(2, np.mean, 0),
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("max_pool", lambda x: tl.max_pool(x, (2,), (2,), ((0, 0),), (1,)), [[[3.0, 3.0]]], [[[1.0, 0.0]]]),
    ("max_pool1d", lambda x: tl.max_pool1d(x, 2, 1, dilation=2), [[[1.0, 0.0, 1.0, 1.0]]], [[[1.0, 0.0, 0.0, 1.0]]]),
    # padding never wins, not even where dilation leaps over it
    ("max_pool1d", lambda x: tl.max_pool1d(x, 2, 1, 1, 2), [np.full((1, 2), -np.inf)], [[[1.0, 1.0]]]),
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
KINK_AT: dict[str, Case] = {
    "max_pool": Case([np.zeros((2, 4))], {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}),
    "max_pool1d": Case([np.zeros((1, 2, 4))], {"kernel_size": 2}),
    "max_pool2d": Case([np.zeros((1, 2, 4, 4))], {"kernel_size": 2}),
}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
