"""Convolution and pooling over one or two axes.

Layouts are PyTorch's: x is (batch, channels, …), weights are (out channels, channels / groups, …).  A convolution is one
matrix product with the windows as columns (Chellapilla, Puri, Simard 2006).  In memory the batch comes last, also in the
results: then the columns are copied in long runs, and a chain of layers never turns its arrays around.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..op import PRODUCT, composed, op
from ..tensor import ArrayLike, describe
from .elementwise import astype
from .functions import masked
from .indexing import scatter
from .shape import reshape

__all__ = ["avg_pool2d", "conv", "conv1d", "conv2d", "conv_input", "conv_weight", "max_pool2d"]

Sizes: TypeAlias = int | Sequence[int]  # one for all axes, or one per axis
Axes: TypeAlias = tuple[int, ...]  # one per axis
Padding: TypeAlias = tuple[tuple[int, int], ...]  # zeros before and after, per axis

STRIP = 2**19  # elements of the windows that are copied at a time

# --- convolution: three ops, the rules of each are the other two ------------------------------------------------------


def _places(kernel: Axes, out: Axes, stride: Axes, dilation: Axes) -> Iterator[tuple[Axes, tuple[slice, ...]]]:
    """Yield each offset in the kernel, and which elements of the padded input all windows have there."""
    for offset in np.ndindex(*kernel):
        along = zip(offset, out, stride, dilation, strict=True)
        yield offset, tuple(slice(i * d, i * d + (n - 1) * s + 1, s) for i, n, s, d in along)


def _inside(size: Sequence[int], padding: Padding) -> tuple[slice, ...]:
    """Return which elements of the padded array are no padding."""
    return tuple(slice(low, low + n) for n, (low, _) in zip(size, padding, strict=True))


def _padded(x: Any, padding: Padding, fill: Any, order: Any) -> Any:
    shape = [n + low + high for n, (low, high) in zip(x.shape, padding, strict=True)]
    out = np.full_like(x, fill, order=order, shape=shape)
    out[_inside(x.shape, padding)] = x
    return out


def _windows(x: Any, kernel: Axes, stride: Axes, padding: Padding, dilation: Axes) -> Any:
    """Return a view of all windows: channels × kernel × positions × batch."""
    n = len(kernel)
    x = _padded(np.moveaxis(x, 0, -1), ((0, 0), *padding, (0, 0)), 0, "C")
    spans = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    steps = [slice(None, None, step) for step in (1, *stride, 1, *dilation)]
    windows = sliding_window_view(x, spans, axis=tuple(range(1, n + 1)))[tuple(steps)]  # channels, out, batch, kernel
    return windows.transpose(0, *range(n + 2, 2 * n + 2), *range(1, n + 2))


def _strips(out: Axes, elements: int) -> list[tuple[slice, slice]]:
    """Cut a result of positions × batch along its first axis; return the places on that axis, and in the flat result.

    Windows are kernel times as large as x; `elements` is their size.  A strip at a time they need little memory.
    """
    row, step = prod(out[1:]), max(1, out[0] * STRIP // max(elements, 1))
    ends = [(i, min(i + step, out[0])) for i in range(0, out[0], step)]
    return [(slice(i, j), slice(i * row, j * row)) for i, j in ends]


def _columns(windows: Any, out: Axes, groups: int) -> Iterator[tuple[slice, Any]]:
    """Yield the windows as the columns of matrices, groups × (channels · kernel) × (positions · batch), in strips."""
    kernel, strips = windows.shape[: -len(out)], _strips(out, windows.size)
    space = np.empty((*kernel, strips[0][0].stop, *out[1:]), windows.dtype)  # once: fresh memory is slow
    for strip, part in strips:
        cut = windows[(*map(slice, kernel), strip)]
        columns = space[(*map(slice, cut.shape),)]
        columns[...] = cut
        yield part, columns.reshape(groups, prod(kernel) // groups, part.stop - part.start)


def _rows(x: Any, groups: int) -> Any:
    """Return a result, (batch, channels, …), as groups × channels × (positions · batch)."""
    return np.moveaxis(x, 0, -1).reshape(groups, x.shape[1] // groups, prod(x.shape[2:]) * x.shape[0])


def _matrices(w: Any, groups: int) -> Any:
    """Return weights as groups × out channels × (channels · kernel)."""
    return w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))


def _product(a: Any, b: Any, out: Any = None) -> Any:
    """Return a b; outer products, as where each channel has its own kernel, are much faster without BLAS."""
    return np.multiply(a, b, out=out) if a.shape[-1] == 1 else np.matmul(a, b, out=out)


@op(
    lambda g, _out, _x, w, **geometry: conv_input(g, w, _x.shape[2:], **geometry),
    lambda g, _out, x, _w, **geometry: conv_weight(x, g, _w.shape[2:], **geometry),
    text="{0} ⋆ {1}",
    latex=r"{0} \star {1}",
    precedence=PRODUCT,
)
def conv(x: ArrayLike, w: ArrayLike, stride: Axes, padding: Padding, dilation: Axes, groups: int) -> Any:
    """Return the cross-correlation of x (batch, channels, …) with w (out channels, channels / groups, …), over any axes.

    What `conv1d` and `conv2d` are made of: y(i) = Σₖ x(i + k) w(k) over the kernel and the channels of a group
    (Goodfellow, Bengio, Courville: Deep Learning, eq. 9.6).  `padding` is a pair per axis.

    >>> conv(Tensor([[[1.0, 2.0, 4.0]]]), Tensor([[[-1.0, 1.0]]]), stride=(1,), padding=((0, 0),), dilation=(1,), groups=1)
    Tensor([[[1., 2.]]], dtype=float32)
    """
    windows, matrices = _windows(x, w.shape[2:], stride, padding, dilation), _matrices(w, groups)
    out = windows.shape[1 - x.ndim :]
    y = np.empty((groups, matrices.shape[1], prod(out)), np.result_type(x, w))
    for part, columns in _columns(windows, out, groups):
        _product(matrices, columns, out=y[:, :, part])
    return np.moveaxis(y.reshape(w.shape[0], *out), -1, 0)


@op(
    lambda g, _out, _y, w, size, **geometry: conv(g, w, **geometry),
    lambda g, _out, y, _w, size, **geometry: conv_weight(g, y, _w.shape[2:], **geometry),
    text="{0} ∗ {1}",
    latex="{0} * {1}",
    precedence=PRODUCT,
)
def conv_input(
    y: ArrayLike, w: ArrayLike, size: Axes, stride: Axes, padding: Padding, dilation: Axes, groups: int
) -> Any:
    """Return x(j) = Σₖ y(j − k) w(k): the gradient of `conv` with respect to x, from that with respect to its result, y.

    Known as transposed convolution; `size` is the shape of x without batch and channels.

    >>> conv_input(Tensor([[[1.0, 2.0]]]), Tensor([[[-1.0, 1.0]]]), (3,), (1,), ((0, 0),), (1,), 1)
    Tensor([[[-1., -1.,  2.]]], dtype=float32)
    """
    kernel, out, channels = w.shape[2:], (*y.shape[2:], y.shape[0]), w.shape[1] * groups
    padded = [n + low + high for n, (low, high) in zip(size, padding, strict=True)]
    x = np.zeros((channels, *padded, y.shape[0]), np.result_type(y, w))
    matrices, rows = _matrices(w, groups).swapaxes(1, 2), _rows(y, groups)
    strips = _strips(out, channels * prod(kernel) * prod(out))
    space = np.empty((groups, matrices.shape[1], strips[0][1].stop), x.dtype)  # once: fresh memory is slow
    for strip, part in strips:
        columns = _product(matrices, rows[:, :, part], out=space[:, :, : part.stop - part.start])
        columns = columns.reshape(channels, *kernel, strip.stop - strip.start, *out[1:])
        below = x[:, strip.start * stride[0] :]
        for offset, place in _places(kernel, columns.shape[-len(out) : -1], stride, dilation):
            below[:, *place] += columns[:, *offset]
    return np.moveaxis(x[:, *_inside(size, padding)], -1, 0)


@op(
    lambda g, _out, _x, y, kernel, **geometry: conv_input(y, g, _x.shape[2:], **geometry),
    lambda g, _out, x, _y, kernel, **geometry: conv(x, g, **geometry),
    text="{0} ⋆ {1}",
    latex=r"{0} \star {1}",
    precedence=PRODUCT,
)
def conv_weight(
    x: ArrayLike, y: ArrayLike, kernel: Axes, stride: Axes, padding: Padding, dilation: Axes, groups: int
) -> Any:
    """Return w(k) = Σᵢ x(i + k) y(i): the gradient of `conv` with respect to w, from that with respect to its result, y.

    >>> conv_weight(Tensor([[[1.0, 2.0, 4.0]]]), Tensor([[[1.0, 1.0]]]), (2,), (1,), ((0, 0),), (1,), 1)
    Tensor([[[3., 6.]]], dtype=float32)
    """
    windows, rows = _windows(x, kernel, stride, padding, dilation), _rows(y, groups)
    products = _columns(windows, windows.shape[1 - x.ndim :], groups)
    w: Any = sum(_product(rows[:, :, part], columns.swapaxes(1, 2)) for part, columns in products)
    return w.reshape(y.shape[1], x.shape[1] // groups, *kernel)


@composed(inputs=2)
def conv1d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, stride: Sizes = 1, padding: Sizes | str = 0,
    dilation: Sizes = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """Return the convolution (cross-correlation, as everywhere in deep learning) of sequences.

    x is (batch, channels, length), or one sample without the batch; weight is (out channels, channels / groups, k), bias
    (out channels,).  `padding` may be "valid" (none) or "same" (as long as x; stride 1).
    Raises ValueError where the shapes do not fit.

    >>> conv1d(Tensor([[1.0, 2.0, 4.0]]), Tensor([[[-1.0, 1.0]]]), padding="same")
    Tensor([[ 1.,  2., -4.]], dtype=float32)
    """
    return _convolved(1, x, weight, bias, stride, padding, dilation, groups)


@composed(inputs=2)
def conv2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, stride: Sizes = 1, padding: Sizes | str = 0,
    dilation: Sizes = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """Return the convolution (cross-correlation, as everywhere in deep learning) of pictures.

    x is (batch, channels, height, width), or one sample without the batch; weight is (out channels, channels / groups,
    k, l), bias (out channels,).  `stride`, `padding` and `dilation` are integers or one per axis; `padding` may be
    "valid" (none) or "same" (as large as x; stride 1).
    Raises ValueError where the shapes do not fit.

    >>> conv2d(Tensor([[[1.0, 2.0], [3.0, 4.0]]]), Tensor([[[[1.0, 1.0]]]]), bias=Tensor([0.5]))
    Tensor([[[3.5],
             [7.5]]], dtype=float32)
    """
    return _convolved(2, x, weight, bias, stride, padding, dilation, groups)


def _convolved(n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Check the arguments of conv1d or conv2d, and convolve over n axes."""
    name = f"conv{n}d"
    if np.ndim(weight) != n + 2 or np.ndim(x) not in (n + 1, n + 2):
        axes = ("length", "height, width")[n - 1]
        raise ValueError(
            f"{name} takes x (batch, channels, {axes}), or without the batch, and weight "
            f"(out channels, channels / groups, {axes}), not {describe(x)} and {describe(weight)}"
        )
    if x.ndim == n + 1:
        y = _convolved(n, reshape(x, (1, *x.shape)), weight, bias, stride, padding, dilation, groups)
        return reshape(y, y.shape[1:])
    strides, dilations = _per_axis("stride", stride, n, 1), _per_axis("dilation", dilation, n, 1)
    spans = [(k - 1) * d for k, d in zip(weight.shape[2:], dilations, strict=True)]
    if padding == "same":
        if max(strides) > 1:
            raise ValueError(f'{name}: padding="same" needs stride 1, not {stride}')
        around: Padding = tuple((span // 2, span - span // 2) for span in spans)
    else:
        around = tuple((p, p) for p in _per_axis("padding", 0 if padding == "valid" else padding, n, 0))
    channels, outs = x.shape[1], weight.shape[0]
    if not isinstance(groups, int) or groups < 1 or channels % groups or outs % groups:
        raise ValueError(
            f"{name}: groups={groups} must divide the {channels} channels of {describe(x)} "
            f"and the {outs} out channels of {describe(weight)}"
        )
    if channels != weight.shape[1] * groups:
        takes = f"{weight.shape[1]} × groups={groups}" if groups > 1 else weight.shape[1]
        raise ValueError(f"{name}: {describe(x)} has {channels} channels, but {describe(weight)} takes {takes}")
    if bias is not None and np.shape(bias) != (outs,):
        raise ValueError(f"{name}: bias must have shape ({outs},), one per out channel, not {describe(bias)}")
    _check_fit(name, x, weight.shape[2:], spans, around)
    y = conv(x, weight, stride=strides, padding=around, dilation=dilations, groups=groups)
    return y if bias is None else y + reshape(bias, (outs,) + (1,) * n)


def _per_axis(name: str, given: Any, n: int, least: int) -> Axes:
    """Return a setting as one integer per axis."""
    sizes = tuple(given) if isinstance(given, tuple | list) else (given,) * n
    if len(sizes) != n or not all(isinstance(size, int | np.integer) and size >= least for size in sizes):
        form = "an integer" if n == 1 else f"an integer or {n} of them"
        raise ValueError(f"{name} must be {form}, at least {least}, not {given!r}")
    return tuple(int(size) for size in sizes)


def _check_fit(name: str, x: Any, kernel: Sequence[int], spans: Sequence[int], padding: Padding) -> None:
    """Refuse a kernel without elements, and one that is larger than the padded input."""
    room = [n + low + high for n, (low, high) in zip(x.shape[-len(kernel) :], padding, strict=True)]
    if min(kernel) < 1 or any(span >= n for span, n in zip(spans, room, strict=True)):
        spread = [span + 1 for span in spans]
        reach = f", which reaches over {spread} with dilation," if spread != list(kernel) else ""
        raise ValueError(
            f"{name}: a kernel of {list(kernel)}{reach} does not fit into {describe(x)}, {room} with its padding"
        )


# --- pooling ----------------------------------------------------------------------------------------------------------


def _pooling(name: str, x: Any, kernel_size: Any, stride: Any, padding: Any) -> tuple[Axes, Axes, Padding]:
    """Check the arguments of a pooling, and return kernel, stride and padding per axis."""
    if np.ndim(x) not in (3, 4):
        raise ValueError(f"{name} takes x (batch, channels, height, width), or without the batch, not {describe(x)}")
    kernel = _per_axis("kernel_size", kernel_size, 2, 1)
    pads = _per_axis("padding", padding, 2, 0)
    if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        raise ValueError(f"{name}: padding {padding} must be at most half of kernel_size {kernel_size}")
    around = tuple((p, p) for p in pads)
    _check_fit(name, x, kernel, [k - 1 for k in kernel], around)
    return kernel, kernel if stride is None else _per_axis("stride", stride, 2, 1), around


def _parts(x: Any, kernel: Axes, stride: Axes, padding: Padding) -> list[Any]:
    """Return, for each offset in the kernel, the elements that the windows have there; in the padding lies −∞."""
    lowest = -np.inf if x.dtype.kind == "f" else 0 if x.dtype.kind == "b" else np.iinfo(x.dtype).min
    x = _padded(x, ((0, 0),) * (x.ndim - 2) + padding, lowest, "K")
    out = tuple((n - k) // s + 1 for n, k, s in zip(x.shape[-2:], kernel, stride, strict=True))
    return [x[(..., *place)] for _, place in _places(kernel, out, stride, (1, 1))]


def _maxima(x: Any, kernel: Axes, stride: Axes, padding: Padding) -> tuple[Any, Any]:
    """Return the maximum of each window, and the number of the offset in the kernel where it lies first."""
    first, *others = _parts(x, kernel, stride, padding)
    best = first.copy(order="K")
    # What lies in the padding is never larger: begin with the first offset outside of it.
    starts = zip(padding, stride, best.shape[-2:], strict=True)
    rows, columns = (np.maximum(0, low - s * np.arange(n)) for (low, _), s, n in starts)
    number = np.min_scalar_type(prod(kernel)).type
    at = np.empty_like(best, dtype=number)
    at[...] = rows[:, None] * kernel[1] + columns
    for k, part in enumerate(others, 1):
        np.maximum(at, (part > best) * number(k), out=at)  # k only grows; five times as fast as at[part > best] = k
        np.maximum(best, part, out=best)
    return best, at


def _to_first(g: Any, _out: Any, x: Any, kernel_size: Any, stride: Any, padding: Any, saved: Any) -> Any:
    """Give g to the first maximum of each window."""
    kernel, steps, pads = _pooling("max_pool2d", x, kernel_size, stride, padding)
    if saved is None:  # on tensors: one scatter, whose derivative is known
        _, at = _maxima(x.numpy(), kernel, steps, pads)
        starts = (s * np.arange(n) - low for s, n, (low, _) in zip(steps, g.shape[-2:], pads, strict=True))
        rows, columns = (start + i for start, i in zip(np.ix_(*starts), np.divmod(at, kernel[1]), strict=True))
        lead = np.ogrid[(*map(slice, x.shape[:-2]), slice(1), slice(1))][:-2]
        return scatter(g, (*lead, rows, columns), x.shape)
    padded = [n + low + high for n, (low, high) in zip(x.shape[-2:], pads, strict=True)]
    out: Any = np.zeros_like(x, shape=(*x.shape[:-2], *padded))
    share = np.empty_like(saved, dtype=g.dtype)
    share[...] = g  # in the order of x in memory: what follows is then four times as fast
    for k, (_, place) in enumerate(_places(kernel, g.shape[-2:], steps, (1, 1))):
        out[(..., *place)] += masked(share, saved == k)
    return out[(..., *_inside(x.shape[-2:], pads))]


def _lead(x: Any, kernel_size: Any, stride: Any, padding: Any) -> Any:
    """Return how far the maximum of each window is ahead of the runner-up."""
    parts = np.sort(_parts(x, *_pooling("max_pool2d", x, kernel_size, stride, padding)), axis=0)
    return parts[-1] - parts[-2] if len(parts) > 1 else np.ones_like(x)


@op(
    _to_first,
    text="maxpool({0})",
    latex=r"\mathrm{{maxpool}}({0})",
    kink=_lead,
    convention="at a tie the first maximum of a window, in row-major order, gets the gradient, as in PyTorch",
    saves=True,
)
def max_pool2d(x: ArrayLike, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> Any:
    """Return the maximum of each window of x, (batch, channels, height, width) or one sample without the batch.

    `stride` is `kernel_size` where none is given.  Padding, at most half of the kernel, never wins; windows that would reach
    over the end are left out.  At a tie the first maximum gets the gradient.
    Raises ValueError where the window does not fit.

    >>> max_pool2d(Tensor([[[1.0, 2.0, 5.0, 0.0], [3.0, 4.0, 0.0, 6.0]]]), 2)
    Tensor([[[4., 6.]]], dtype=float32)
    """
    return _maxima(x, *_pooling("max_pool2d", x, kernel_size, stride, padding))


@composed()
def avg_pool2d(x: ArrayLike, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> Any:
    """Return the mean of each window of x, (batch, channels, height, width) or one sample without the batch.

    A convolution of each channel with equal weights.  `stride` is `kernel_size` where none is given.  Padding, at most half
    of the kernel, counts as zeros; windows that would reach over the end are left out.
    Raises ValueError where the window does not fit.

    >>> avg_pool2d(Tensor([[[1.0, 2.0, 5.0, 0.0], [3.0, 4.0, 0.0, 6.0]]]), 2)
    Tensor([[[2.5 , 2.75]]], dtype=float32)
    """
    kernel, strides, _ = _pooling("avg_pool2d", x, kernel_size, stride, padding)
    x = x if x.dtype.kind == "f" else astype(x, np.float64)
    weight = np.full((x.shape[-3], 1, *kernel), 1 / prod(kernel), x.dtype)
    return conv2d(x, weight, stride=strides, padding=padding, groups=x.shape[-3])
