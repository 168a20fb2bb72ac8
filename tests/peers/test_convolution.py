"""Convolution and pooling against PyTorch: values, gradients and second derivatives, ties and kinks included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients

torch = pytest.importorskip("torch")

# PyTorch says that it copies where an even kernel has padding="same".
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
few = settings(max_examples=40, deadline=None)
dtypes = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 10**6)


def compare(ours: Any, theirs: Any, arrays: list[Any], second: bool = True) -> None:
    """The values, the gradients of a weighted sum, and the gradients of their squares are those of PyTorch."""
    rng = np.random.default_rng(0)
    dtype = arrays[0].dtype
    xs = [Tensor(a, requires_grad=True) for a in arrays]
    ts = [torch.from_numpy(a.copy()).requires_grad_() for a in arrays]
    y, expected = ours(*xs), theirs(*ts)
    weight = rng.standard_normal(y.shape).astype(dtype)
    found = gradients(y, xs, gradient=weight, create_graph=second)
    wanted = torch.autograd.grad(expected, ts, torch.from_numpy(weight), create_graph=second)
    pairs = [(y, expected), *zip(found, wanted, strict=True)]
    if second:
        plain = gradients(ours(*xs), xs, gradient=weight)
        pairs += zip(plain, wanted, strict=True)
        total, energy = sum((g * g).sum() for g in found), sum((g * g).sum() for g in wanted)
        if total.requires_grad:
            again = torch.autograd.grad(energy, ts, allow_unused=True)
            for g, e, t in zip(gradients(total, xs), again, ts, strict=True):
                pairs.append((g, torch.zeros_like(t) if e is None else e))
    bound = 1e-4 if dtype == np.float32 else 1e-11
    for a, b in pairs:
        assert a.dtype == dtype
        b = b.detach().numpy()
        assert a.shape == b.shape
        np.testing.assert_allclose(a.numpy(), b, rtol=bound, atol=bound * np.abs(b).max(initial=1))


@given(
    n=st.integers(1, 2), batched=st.booleans(), biased=st.booleans(), groups=st.integers(1, 3), seed=seeds,
    padding=st.sampled_from(["same", "valid", "sizes", 0, 2]), dtype=dtypes,
)  # fmt: skip
@few
def test_convolution(n: int, batched: bool, biased: bool, groups: int, seed: int, padding: Any, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    sizes = lambda low, high: tuple(int(i) for i in rng.integers(low, high, n))
    kernel, dilation = sizes(1, 5), sizes(1, 3)
    stride: Any = 1 if padding == "same" else sizes(1, 4)
    given = sizes(0, 4) if padding == "sizes" else padding
    channels, outs = (groups * int(i) for i in rng.integers(1, 4, 2))
    size = tuple((k - 1) * d + 1 + int(i) for k, d, i in zip(kernel, dilation, rng.integers(0, 6, n), strict=True))
    shapes = [(*([int(rng.integers(1, 4))] * batched), channels, *size), (outs, channels // groups, *kernel)]
    arrays = [rng.standard_normal(s).astype(dtype) for s in (*shapes, *([(outs,)] * biased))]
    settings = {"stride": stride, "padding": given, "dilation": dilation, "groups": groups}
    name = f"conv{n}d"
    theirs = getattr(torch.nn.functional, name)
    compare(lambda *xs: getattr(tl, name)(*xs, **settings), lambda *ts: theirs(*ts, **settings), arrays)


@given(
    n=st.integers(1, 2), seed=seeds, batched=st.booleans(), ties=st.booleans(), dtype=dtypes,
    name=st.sampled_from(["max", "avg"]),
)  # fmt: skip
@few
def test_pooling(n: int, seed: int, batched: bool, ties: bool, dtype: Any, name: str) -> None:
    rng = np.random.default_rng(seed)
    kernel = tuple(int(i) for i in rng.integers(1, 5, n))
    stride: Any = [None, int(rng.integers(1, 4)), tuple(int(i) for i in rng.integers(1, 5, n))][rng.integers(0, 3)]
    dilation = int(rng.integers(1, 4)) if name == "max" else 1
    spans = [(k - 1) * dilation + 1 for k in kernel]
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    shape = (*([2] * batched), 3, *(span + int(i) for span, i in zip(spans, rng.integers(0, 6, n), strict=True)))
    x = rng.integers(-2, 2, shape).astype(dtype) if ties else rng.standard_normal(shape).astype(dtype)
    ours, theirs = getattr(tl, f"{name}_pool{n}d"), getattr(torch.nn.functional, f"{name}_pool{n}d")
    settings = {"stride": stride, "padding": padding} | ({"dilation": dilation} if name == "max" else {})
    compare(lambda x: ours(x, kernel, **settings), lambda t: theirs(t, kernel, **settings), [x], batched)


@given(seed=seeds, kernel=st.integers(1, 4), size=st.integers(1, 6))
@few
def test_same_padding_keeps_the_length(seed: int, kernel: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((1, 1, size)), rng.standard_normal((1, 1, kernel))
    expected = torch.nn.functional.conv1d(torch.from_numpy(x), torch.from_numpy(w), padding="same").numpy()
    np.testing.assert_allclose(tl.conv1d(x, w, padding="same").numpy(), expected, atol=1e-12)


@given(
    n=st.integers(1, 2), batched=st.booleans(), biased=st.booleans(), groups=st.integers(1, 2), seed=seeds, dtype=dtypes
)
@few
def test_transposed_convolution(n: int, batched: bool, biased: bool, groups: int, seed: int, dtype: Any) -> None:
    """With each output_padding that PyTorch takes; the same are refused."""
    rng = np.random.default_rng(seed)
    sizes = lambda low, high: tuple(int(i) for i in rng.integers(low, high, n))
    kernel, stride, dilation, padding = sizes(1, 4), sizes(1, 4), sizes(1, 5), sizes(0, 3)
    extra = tuple(int(rng.integers(0, max(s, d) + 1)) for s, d in zip(stride, dilation, strict=True))
    ins, outs = groups * int(rng.integers(1, 3)), int(rng.integers(1, 3))
    shapes = [(*([2] * batched), ins, *sizes(1, 5)), (ins, outs, *kernel), *([(outs * groups,)] * biased)]
    arrays = [rng.standard_normal(s).astype(dtype) for s in shapes]
    settings = {"stride": stride, "padding": padding, "output_padding": extra, "groups": groups, "dilation": dilation}
    name = f"conv_transpose{n}d"
    ours = lambda *xs: getattr(tl, name)(*xs, **settings)
    theirs = lambda *ts: getattr(torch.nn.functional, name)(*ts, **settings)
    try:
        fits = theirs(*map(torch.from_numpy, arrays)).numel() > 0  # some of its ways to compute it take an empty result
    except RuntimeError:
        fits = False
    if fits:
        compare(ours, theirs, arrays)
    else:
        with pytest.raises(ValueError, match=r"output_padding|padding .* leaves nothing"):
            ours(*arrays)


@given(n=st.integers(1, 2), seed=seeds)
@few
def test_a_convolution_has_as_input_what_it_maps_to_y(n: int, seed: int) -> None:
    """`conv_input` takes just the sizes whose convolution has the size of y, and its derivative fits."""
    rng = np.random.default_rng(seed)
    draw = lambda low, high: tuple(int(i) for i in rng.integers(low, high, n))
    size, kernel, stride, dilation = draw(1, 9), draw(1, 4), draw(1, 4), draw(1, 3)
    settings = {"stride": stride, "padding": ((1, 0),) * n, "dilation": dilation, "groups": 1}
    x, w = rng.standard_normal((2, 3, *size)), rng.standard_normal((2, 3, *kernel))
    assume(all((k - 1) * d + 1 <= m + 1 for k, d, m in zip(kernel, dilation, size, strict=True)))
    y = Tensor(tl.conv(x, w, **settings).numpy(), requires_grad=True)
    taken = []
    for other in np.ndindex(*(12,) * n):
        try:
            image = tl.conv_input(y, w, other, **settings)
        except ValueError as error:
            assert "size may be" in str(error)  # noqa: PT017
        else:
            taken.append(other)
            assert gradients(image, [y], np.ones_like(image.numpy()))[0].shape == y.shape
    room = lambda m, k, d: m + 1 >= (k - 1) * d + 1
    fits = lambda other: all(room(m, k, d) for m, k, d in zip(other, kernel, dilation, strict=True))
    found = [other for other in np.ndindex(*(12,) * n) if fits(other) and shape_of(other, w, settings) == y.shape[2:]]
    assert size in taken
    assert taken == found


def shape_of(size: Any, w: Any, settings: Any) -> Any:
    """Return the size of a convolution over this one."""
    return tl.conv(np.zeros((1, w.shape[1], *size)), w, **settings).shape[2:]


def test_a_maximum_of_minus_infinity_sends_its_gradient_inside() -> None:
    """Where all of a window is −∞, the first element that is no padding wins."""
    x = np.full((1, 1, 4, 4), -np.inf)
    compare(lambda a: tl.max_pool2d(a, 3, 2, 1), lambda t: torch.nn.functional.max_pool2d(t, 3, 2, 1), [x], False)


def test_nan_passes_through_max_pool2d_as_in_pytorch() -> None:
    x = np.array([[[np.nan, 1.0, 2.0, 3.0], [4.0, 5.0, np.nan, 7.0]]])
    np.testing.assert_array_equal(
        tl.max_pool2d(x, 2).numpy(), torch.nn.functional.max_pool2d(torch.from_numpy(x), 2).numpy()
    )


def test_integers_are_pooled() -> None:
    x = np.arange(-8, 8).reshape(1, 4, 4)
    np.testing.assert_array_equal(tl.max_pool2d(x, 3, 2, 1).numpy(), [[[-3, -1], [5, 7]]])
    np.testing.assert_array_equal(tl.avg_pool2d(x, 2).numpy(), [[[-5.5, -3.5], [2.5, 4.5]]])


# --- what does not fit ------------------------------------------------------------------------------------------------

X = Tensor(np.ones((2, 3, 8, 8)), name="X")
W = Tensor(np.ones((4, 3, 3, 3)), name="W")
REFUSED = [
    (lambda: tl.conv2d(X, np.ones((4, 2, 3, 3))), r"X \(2×3×8×8\) has 3 channels, but a tensor \(4×2×3×3\) takes 2"),
    (lambda: tl.conv2d(X, W, groups=3), r"groups=3 must divide the 3 channels of X .* and the 4 out channels of W"),
    (lambda: tl.conv2d(X, np.ones((3, 3, 2, 2)), groups=3), r"has 3 channels, but .* takes 3 × groups=3"),
    (lambda: tl.conv2d(X, W, groups=0), "groups=0"),
    (lambda: tl.conv2d(X[:, :, :2], W), r"kernel of \[3, 3\] does not fit into a tensor \(2×3×2×8\)"),
    (lambda: tl.conv2d(X, W, dilation=4), r"\[3, 3\], which reaches over \[9, 9\] with dilation, does not fit"),
    (lambda: tl.conv2d(X, W[0]), r"conv2d takes x \(batch, channels, height, width\), .* not X \(2×3×8×8\) and"),
    (lambda: tl.conv1d(X, W), r"conv1d takes x \(batch, channels, length\)"),
    (lambda: tl.conv2d(3, W), r"not 3 and W"),
    (lambda: tl.conv2d(X, W, np.ones(3)), r"bias must have shape \(4,\), one per out channel, not an array \(3,\)"),
    (lambda: tl.conv2d(X, W, stride=(1, 2, 3)), r"stride must be an integer or 2 of them, at least 1, not \(1, 2, 3\)"),
    (lambda: tl.conv2d(X, W, stride=0), "stride .* at least 1, not 0"),
    (lambda: tl.conv2d(X, W, padding=-1), "padding .* at least 0, not -1"),
    (lambda: tl.conv2d(X, W, padding="full"), "padding .*not 'full'"),
    (lambda: tl.conv2d(X, W, padding="same", stride=2), 'padding="same" needs stride 1, not 2'),
    (lambda: tl.max_pool2d(X, 9), r"max_pool2d.*kernel of \[9, 9\] does not fit into .* \(2×3×8×8\)"),
    (lambda: tl.max_pool2d(X, 2, padding=2), "padding 2 must be at most half of kernel_size 2"),
    (lambda: tl.avg_pool2d(X[0, 0], 2), r"avg_pool2d takes x .* not a tensor \(8×8\)"),
    (lambda: tl.avg_pool2d(X, 0), "kernel_size .* not 0"),
    (lambda: tl.avg_pool1d(X, 2), r"avg_pool1d takes x \(batch, channels, length\), or without the batch, not X"),
    (lambda: tl.max_pool2d(X, 3, dilation=4), r"\[3, 3\], which reaches over \[9, 9\] with dilation, does not fit"),
    (lambda: tl.max_pool1d(np.ones((1, 2)), 2, 1, 1, 3), "nothing but padding: dilation 3 leaps over the 2 elements"),
    (lambda: tl.conv_transpose2d(X, W), r"X \(2×3×8×8\) has 3 channels, but W \(4×3×3×3\) takes 4"),
    (lambda: tl.conv_transpose2d(X, W[:3], groups=2), r"groups=2 must divide the 3 channels of X"),
    (lambda: tl.conv_transpose2d(X, W[:3], output_padding=1), "output_padding=1 must be below stride=1 or dilation=1"),
    (lambda: tl.conv_transpose2d(X, W[:3], padding=9), "padding 9 leaves nothing of the result for X"),
    (
        lambda: tl.conv_transpose1d(X, W),
        r"takes x \(batch, channels, length\), .* \(channels, out channels / groups, length",
    ),
    (lambda: tl.conv_input(X, W[:3], (9, 10), (1, 1), ((0, 0),) * 2, (1, 1), 1), r"\[8, 8\] of y; .* may be 10 × 10"),
    (lambda: tl.conv_input(X, W[:3], (10,), (1, 1), ((0, 0),) * 2, (1, 1), 1), "size may be 10 × 10"),
    (lambda: tl.conv_weight(X, X, (2, 2), (1, 1), ((0, 0),) * 2, (1, 1), 1), r"does not give the \[8, 8\] of y"),
]


@pytest.mark.parametrize(("attempt", "message"), REFUSED, ids=[f"{i}" for i in range(len(REFUSED))])
def test_what_does_not_fit_is_refused_with_names_and_shapes(attempt: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()
