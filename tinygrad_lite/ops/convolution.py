"""Convolution and pooling over one or two axes.

Layouts are PyTorch's: x is (batch, channels, …), weights are (out channels, channels / groups, …).  A convolution is one
matrix product with the windows as columns (Chellapilla, Puri, Simard 2006).  In memory the batch comes last, also in the
results: then the columns are copied in long runs, and a chain of layers never turns its arrays around.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..op import PRODUCT, composed, op
from ..tensor import ArrayLike, describe
from .elementwise import astype
from .functions import masked
from .indexing import scatter
from .shape import pad, reshape

__all__ = [
    "avg_pool1d", "avg_pool2d", "conv", "conv1d", "conv2d", "conv_input", "conv_transpose1d", "conv_transpose2d",
    "conv_weight", "max_pool", "max_pool1d", "max_pool2d",
]  # fmt: skip

Sizes: TypeAlias = int | Sequence[int]  # one for all axes, or one per axis
Axes: TypeAlias = tuple[int, ...]  # one per axis
Padding: TypeAlias = tuple[tuple[int, int], ...]  # zeros before and after, per axis

AXES = ("length", "height, width")  # what lies along one axis, and along two
STRIP = 2**19  # elements of the windows that are copied at a time

# --- convolution: three ops, the rules of each are the other two ------------------------------------------------------


def _places(kernel: Axes, out: Axes, stride: Axes, dilation: Axes) -> Iterator[tuple[Axes, tuple[slice, ...]]]:
    """Yield each offset in the kernel, and which elements of the padded input all windows have there."""
    for offset in np.ndindex(*kernel):
        along = zip(offset, out, stride, dilation, strict=True)
        yield offset, tuple(slice(i * d, i * d + (n - 1) * s + 1, s) for i, n, s, d in along)


def _spans(kernel: Sequence[int], dilation: Axes) -> Axes:
    """Return over how many elements a kernel reaches along each axis."""
    return tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))


def _positions(size: Sequence[int], spans: Axes, stride: Axes, padding: Padding) -> Axes:
    """Return how many windows fit along each axis."""
    along = zip(size, spans, stride, padding, strict=True)
    return tuple((n + low + high - span) // s + 1 for n, span, s, (low, high) in along)


def _check_size(y: Any, size: Axes, spans: Axes, stride: Axes, padding: Padding) -> None:
    """Refuse a size whose convolution has not the size of y."""
    out = y.shape[2:]
    if len(size) == len(out) and min(size, default=0) >= 0 and _positions(size, spans, stride, padding) == out:
        return
    along = zip(out, spans, stride, padding, strict=True)
    least = [(m - 1) * s + span - low - high for m, span, s, (low, high) in along]
    fits = [f"{n} to {n + s - 1}" if s > 1 else f"{n}" for n, s in zip(least, stride, strict=True)]
    raise ValueError(
        f"a convolution over size {size} does not give the {list(out)} of y; with this kernel, stride, padding and dilation "
        f"size may be {' × '.join(fits)}"
    )


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
    spans = _spans(kernel, dilation)
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
    form="product",
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
    Raises ValueError for a size whose convolution has not the size of y.

    >>> conv_input(Tensor([[[1.0, 2.0]]]), Tensor([[[-1.0, 1.0]]]), (3,), (1,), ((0, 0),), (1,), 1)
    Tensor([[[-1., -1.,  2.]]], dtype=float32)
    """
    kernel, out, channels = w.shape[2:], (*y.shape[2:], y.shape[0]), w.shape[1] * groups
    _check_size(y, size, _spans(kernel, dilation), stride, padding)
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

    Raises ValueError where the convolution of x with such a kernel has not the size of y.

    >>> conv_weight(Tensor([[[1.0, 2.0, 4.0]]]), Tensor([[[1.0, 1.0]]]), (2,), (1,), ((0, 0),), (1,), 1)
    Tensor([[[3., 6.]]], dtype=float32)
    """
    _check_size(y, x.shape[2:], _spans(kernel, dilation), stride, padding)
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


@composed(inputs=2)
def conv_transpose1d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Any:  # fmt: skip
    """Return the transposed convolution of sequences: the gradient of `conv1d` with respect to its input, as an op.

    x is (batch, channels, length), or one sample without the batch; weight is (channels, out channels / groups, k), bias
    (out channels,).  The result has the length (length − 1) stride − 2 padding + (k − 1) dilation + 1 + output_padding:
    `conv1d` with these settings gives the length of x for each output_padding below the stride.
    Raises ValueError where the shapes do not fit, and for an output_padding that is neither below stride nor dilation.
    Source: Dumoulin, Visin (2016), A guide to convolution arithmetic for deep learning, § 4.

    >>> conv_transpose1d(Tensor([[1.0, 2.0]]), Tensor([[[1.0, 1.0]]]), stride=2, output_padding=1)
    Tensor([[1., 1., 2., 2., 0.]], dtype=float32)
    """
    return _transposed(1, x, weight, bias, stride, padding, output_padding, dilation, groups)


@composed(inputs=2)
def conv_transpose2d(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Any:  # fmt: skip
    """Return the transposed convolution of pictures: the gradient of `conv2d` with respect to its input, as an op.

    x is (batch, channels, height, width), or one sample without the batch; weight is (channels, out channels / groups,
    k, l), bias (out channels,).  Settings are integers or one per axis; sizes and errors are as in `conv_transpose1d`.

    >>> conv_transpose2d(Tensor([[[1.0, 2.0]]]), Tensor([[[[1.0], [1.0]]]]), bias=Tensor([0.5]))
    Tensor([[[1.5, 2.5],
             [1.5, 2.5]]], dtype=float32)
    """
    return _transposed(2, x, weight, bias, stride, padding, output_padding, dilation, groups)


def _convolved(n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Check the arguments of conv1d or conv2d, and convolve over n axes."""
    name = f"conv{n}d"
    _check_axes(name, n, x, weight, "out channels, channels / groups")
    if x.ndim == n + 1:
        y = _convolved(n, reshape(x, (1, *x.shape)), weight, bias, stride, padding, dilation, groups)
        return reshape(y, y.shape[1:])
    strides, dilations = _per_axis("stride", stride, n, 1), _per_axis("dilation", dilation, n, 1)
    spans = _spans(weight.shape[2:], dilations)
    if padding == "same":
        if max(strides) > 1:
            raise ValueError(f'{name}: padding="same" needs stride 1, not {stride}')
        around: Padding = tuple(((span - 1) // 2, span // 2) for span in spans)
    else:
        around = tuple((p, p) for p in _per_axis("padding", 0 if padding == "valid" else padding, n, 0))
    _check_channels(name, x, weight, bias, groups, weight.shape[1] * groups, weight.shape[0])
    _check_fit(name, x, weight.shape[2:], spans, around)
    y = conv(x, weight, stride=strides, padding=around, dilation=dilations, groups=groups)
    return _biased(y, bias, n)


def _transposed(
    n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, dilation: Any, groups: int
) -> Any:
    """Check the arguments of conv_transpose1d or conv_transpose2d, and take `conv_input` over n axes."""
    name = f"conv_transpose{n}d"
    _check_axes(name, n, x, weight, "channels, out channels / groups")
    if x.ndim == n + 1:
        whole = reshape(x, (1, *x.shape))
        y = _transposed(n, whole, weight, bias, stride, padding, output_padding, dilation, groups)
        return reshape(y, y.shape[1:])
    strides, dilations = _per_axis("stride", stride, n, 1), _per_axis("dilation", dilation, n, 1)
    pads, extra = _per_axis("padding", padding, n, 0), _per_axis("output_padding", output_padding, n, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        raise ValueError(
            f"{name}: output_padding={output_padding} must be below stride={stride} or dilation={dilation}"
        )
    _check_channels(name, x, weight, bias, groups, weight.shape[0], weight.shape[1] * groups)
    along = zip(x.shape[2:], _spans(weight.shape[2:], dilations), strides, pads, extra, strict=True)
    size = tuple((m - 1) * s + span - 2 * p + e for m, span, s, p, e in along)
    if min(size) < 1:
        raise ValueError(
            f"{name}: padding {padding} leaves nothing of the result for {describe(x)}: its size is {list(size)}"
        )
    # Whole strides of output_padding are no part of a convolution's input: less is cut off at the end, then zeros follow.
    beyond = tuple(e - e % s for e, s in zip(extra, strides, strict=True))
    around = tuple((p, max(p - b, 0)) for p, b in zip(pads, beyond, strict=True))
    zeros = tuple(max(b - p, 0) for p, b in zip(pads, beyond, strict=True))
    inner = tuple(total - z for total, z in zip(size, zeros, strict=True))
    y = conv_input(x, weight, inner, stride=strides, padding=around, dilation=dilations, groups=groups)
    if any(zeros):
        y = pad(y, [(0, 0), (0, 0), *((0, z) for z in zeros)])
    return _biased(y, bias, n)


def _check_axes(name: str, n: int, x: Any, weight: Any, channels: str) -> None:
    """Refuse operands with another number of axes."""
    if np.ndim(weight) != n + 2 or np.ndim(x) not in (n + 1, n + 2):
        axes = AXES[n - 1]
        raise ValueError(
            f"{name} takes x (batch, channels, {axes}), or without the batch, and weight "
            f"({channels}, {axes}), not {describe(x)} and {describe(weight)}"
        )


def _check_channels(name: str, x: Any, weight: Any, bias: Any, groups: int, takes: int, outs: int) -> None:
    """Refuse groups that do not divide the channels, and a weight or a bias for other channels."""
    channels = x.shape[1]
    if not isinstance(groups, int) or groups < 1 or channels % groups or outs % groups:
        raise ValueError(
            f"{name}: groups={groups} must divide the {channels} channels of {describe(x)} "
            f"and the {outs} out channels of {describe(weight)}"
        )
    if channels != takes:
        number = f"{takes // groups} × groups={groups}" if groups > 1 else takes
        raise ValueError(f"{name}: {describe(x)} has {channels} channels, but {describe(weight)} takes {number}")
    if bias is not None and np.shape(bias) != (outs,):
        raise ValueError(f"{name}: bias must have shape ({outs},), one per out channel, not {describe(bias)}")


def _biased(y: Any, bias: Any, n: int) -> Any:
    """Add a number per channel."""
    return y if bias is None else y + reshape(bias, (-1,) + (1,) * n)


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
    if min(kernel) < 1 or any(span > n for span, n in zip(spans, room, strict=True)):
        reach = f", which reaches over {list(spans)} with dilation," if list(spans) != list(kernel) else ""
        raise ValueError(
            f"{name}: a kernel of {list(kernel)}{reach} does not fit into {describe(x)}, {room} with its padding"
        )


# --- pooling ----------------------------------------------------------------------------------------------------------


class Pooling(NamedTuple):
    """The settings of a pooling, one per axis."""

    kernel: Axes
    stride: Axes
    padding: Padding
    dilation: Axes


def _pooling(n: int, name: str, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> Pooling:
    """Check the arguments of a pooling over n axes, and return its settings."""
    if np.ndim(x) not in (n + 1, n + 2):
        raise ValueError(f"{name} takes x (batch, channels, {AXES[n - 1]}), or without the batch, not {describe(x)}")
    kernel, dilations = _per_axis("kernel_size", kernel_size, n, 1), _per_axis("dilation", dilation, n, 1)
    pads = _per_axis("padding", padding, n, 0)
    if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        raise ValueError(f"{name}: padding {padding} must be at most half of kernel_size {kernel_size}")
    around = tuple((p, p) for p in pads)
    _check_fit(name, x, kernel, _spans(kernel, dilations), around)
    return Pooling(kernel, kernel if stride is None else _per_axis("stride", stride, n, 1), around, dilations)


def _parts(x: Any, kernel: Axes, stride: Axes, padding: Padding, dilation: Axes) -> list[Any]:
    """Return, for each offset in the kernel, the elements that the windows have there; in the padding lies −∞."""
    lowest = -np.inf if x.dtype.kind == "f" else 0 if x.dtype.kind == "b" else np.iinfo(x.dtype).min
    size = x.shape[-len(kernel) :]
    x = _padded(x, ((0, 0),) * (x.ndim - len(kernel)) + padding, lowest, "K")
    out = _positions(size, _spans(kernel, dilation), stride, padding)
    return [x[(..., *place)] for _, place in _places(kernel, out, stride, dilation)]


def _first_inside(size: Axes, out: Axes, stride: Axes, padding: Padding, dilation: Axes) -> list[Any]:
    """Return, per axis, the first offset in the kernel at which each window has an element that is no padding."""
    firsts = []
    for n, m, s, (low, _), d in zip(size, out, stride, padding, dilation, strict=True):
        start = s * np.arange(m) - low
        first = np.maximum(0, -(start // d))
        if np.any(start + first * d >= n):
            raise ValueError(f"a window would have nothing but padding: dilation {d} leaps over the {n} elements of x")
        firsts.append(first)
    return firsts


def _maxima(x: Any, kernel: Axes, stride: Axes, padding: Padding, dilation: Axes) -> tuple[Any, Any]:
    """Return the maximum of each window, and the number of the offset in the kernel where it lies first."""
    first, *others = _parts(x, kernel, stride, padding, dilation)
    best, n = first.copy(order="K"), len(kernel)
    # What lies in the padding is never larger: begin with the first offset outside of it.
    starts = _first_inside(x.shape[-n:], best.shape[-n:], stride, padding, dilation)
    number = np.min_scalar_type(prod(kernel)).type
    at = np.empty_like(best, dtype=number)
    at[...] = np.ravel_multi_index(np.ix_(*starts), kernel)
    for k, part in enumerate(others, 1):
        np.maximum(at, (part > best) * number(k), out=at)  # k only grows; five times as fast as at[part > best] = k
        np.maximum(best, part, out=best)
    return best, at


def _to_first(
    g: Any, _out: Any, x: Any, kernel: Axes, stride: Axes, padding: Padding, dilation: Axes, saved: Any
) -> Any:
    """Give g to the first maximum of each window."""
    n = len(kernel)
    if saved is None:  # on tensors: one scatter, whose derivative is known
        _, at = _maxima(x.numpy(), kernel, stride, padding, dilation)
        starts = (s * np.arange(m) - low for s, m, (low, _) in zip(stride, g.shape[-n:], padding, strict=True))
        along = zip(np.ix_(*starts), np.unravel_index(at, kernel), dilation, strict=True)
        lead = np.ogrid[(*map(slice, x.shape[:-n]), *(slice(1),) * n)][:-n]
        return scatter(g, (*lead, *(start + i * d for start, i, d in along)), x.shape)
    padded = [size + low + high for size, (low, high) in zip(x.shape[-n:], padding, strict=True)]
    out: Any = np.zeros_like(x, shape=(*x.shape[:-n], *padded))
    share = np.empty_like(saved, dtype=g.dtype)
    share[...] = g  # in the order of x in memory: what follows is then four times as fast
    for k, (_, place) in enumerate(_places(kernel, g.shape[-n:], stride, dilation)):
        out[(..., *place)] += masked(share, saved == k)
    return out[(..., *_inside(x.shape[-n:], padding))]


def _lead(x: Any, kernel: Axes, stride: Axes, padding: Padding, dilation: Axes) -> Any:
    """Return how far the maximum of each window is ahead of the runner-up."""
    parts = np.sort(_parts(x, kernel, stride, padding, dilation), axis=0)
    return parts[-1] - parts[-2] if len(parts) > 1 else np.ones_like(x)


FIRST = "at a tie the first maximum of a window, in row-major order, gets the gradient, as in PyTorch"


@op(_to_first, text="maxpool({0})", latex=r"\mathrm{{maxpool}}({0})", kink=_lead, convention=FIRST, saves=True)
def max_pool(x: ArrayLike, kernel: Axes, stride: Axes, padding: Padding, dilation: Axes) -> Any:
    """Return the maximum of each window of x, (batch, channels, …) or one sample without the batch, over any axes.

    What `max_pool1d` and `max_pool2d` are made of; `padding` is a pair per axis, and never wins.

    >>> max_pool(Tensor([[1.0, 3.0, 2.0, 0.0]]), kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
    Tensor([[3., 2.]], dtype=float32)
    """
    return _maxima(x, kernel, stride, padding, dilation)


@composed(kink=lambda x, *given, **named: _lead(x, *_pooling(1, "max_pool1d", x, *given, **named)), convention=FIRST)
def max_pool1d(
    x: ArrayLike, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1
) -> Any:
    """Return the maximum of each window of x, (batch, channels, length) or one sample without the batch.

    Settings and errors are as in `max_pool2d`.

    >>> max_pool1d(Tensor([[1.0, 2.0, 5.0, 0.0, 3.0]]), 2, stride=1, dilation=2)
    Tensor([[5., 2., 5.]], dtype=float32)
    """
    return max_pool(x, *_pooling(1, "max_pool1d", x, kernel_size, stride, padding, dilation))


@composed(kink=lambda x, *given, **named: _lead(x, *_pooling(2, "max_pool2d", x, *given, **named)), convention=FIRST)
def max_pool2d(
    x: ArrayLike, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1
) -> Any:
    """Return the maximum of each window of x, (batch, channels, height, width) or one sample without the batch.

    `stride` is `kernel_size` where none is given; the elements of a window lie `dilation` apart.  Padding, at most half of
    the kernel, never wins; windows that would reach over the end are left out.  A tie goes to the first maximum.
    Raises ValueError where the window does not fit, and where one would have nothing but padding.

    >>> max_pool2d(Tensor([[[1.0, 2.0, 5.0, 0.0], [3.0, 4.0, 0.0, 6.0]]]), 2)
    Tensor([[[4., 6.]]], dtype=float32)
    """
    return max_pool(x, *_pooling(2, "max_pool2d", x, kernel_size, stride, padding, dilation))


@composed()
def avg_pool1d(x: ArrayLike, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> Any:
    """Return the mean of each window of x, (batch, channels, length) or one sample without the batch.

    Settings and errors are as in `avg_pool2d`.

    >>> avg_pool1d(Tensor([[1.0, 2.0, 5.0, 0.0]]), 2)
    Tensor([[1.5, 2.5]], dtype=float32)
    """
    return _averaged(1, x, kernel_size, stride, padding)


@composed()
def avg_pool2d(x: ArrayLike, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> Any:
    """Return the mean of each window of x, (batch, channels, height, width) or one sample without the batch.

    A convolution of each channel with equal weights.  `stride` is `kernel_size` where none is given.  Padding, at most half
    of the kernel, counts as zeros; windows that would reach over the end are left out.
    Raises ValueError where the window does not fit.

    >>> avg_pool2d(Tensor([[[1.0, 2.0, 5.0, 0.0], [3.0, 4.0, 0.0, 6.0]]]), 2)
    Tensor([[[2.5 , 2.75]]], dtype=float32)
    """
    return _averaged(2, x, kernel_size, stride, padding)


def _averaged(n: int, x: Any, kernel_size: Any, stride: Any, padding: Any) -> Any:
    """Check the arguments of avg_pool1d or avg_pool2d, and convolve each channel with equal weights."""
    windows = _pooling(n, f"avg_pool{n}d", x, kernel_size, stride, padding)
    x = x if x.dtype.kind == "f" else astype(x, np.float64)
    channels = x.shape[-n - 1]
    weight = np.full((channels, 1, *windows.kernel), 1 / prod(windows.kernel), x.dtype)
    return _convolved(n, x, weight, None, windows.stride, padding, 1, channels)
