"""Functions of one and two variables and activations against PyTorch: values, first and second derivatives, and kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients

torch = pytest.importorskip("torch")
F = torch.nn.functional

few = settings(max_examples=20)

# Name, ours, theirs, and an interval to try them on.
REAL = (-30.0, 30.0)
UNARY: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[float, float]]] = [
    (name, getattr(tl, name), getattr(torch, name), REAL)
    for name in ("exp2", "expm1", "square", "sin", "cos", "atan", "sinh", "cosh", "asinh", "erf", "tanh", "sigmoid")
]
UNARY += [(name, getattr(tl, name), getattr(torch, name), (1e-3, 1e3)) for name in ("log2", "log10", "rsqrt")]
UNARY += [(name, getattr(tl, name), getattr(torch, name), (-0.999, 0.999)) for name in ("asin", "acos", "atanh")]
UNARY += [
    ("log1p", tl.log1p, torch.log1p, (-0.999, 1e3)),
    ("acosh", tl.acosh, torch.acosh, (1.001, 1e3)),
    ("reciprocal", tl.reciprocal, torch.reciprocal, (1e-3, 1e3)),
    ("reciprocal", tl.reciprocal, torch.reciprocal, (-1e3, -1e-3)),
    ("tan", tl.tan, torch.tan, (-1.5, 1.5)),
]
ACTIVATIONS: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[float, float]]] = [
    (name, getattr(tl, name), getattr(F, name), REAL)
    for name in (
        *("leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softsign", "hardtanh", "relu6"),
        *("logsigmoid", "relu"),
    )
]
ACTIVATIONS += [
    ("leaky_relu 0.3", lambda x: tl.leaky_relu(x, 0.3), lambda x: F.leaky_relu(x, 0.3), REAL),
    ("leaky_relu −0.5", lambda x: tl.leaky_relu(x, -0.5), lambda x: F.leaky_relu(x, -0.5), REAL),
    ("elu 0.5", lambda x: tl.elu(x, 0.5), lambda x: F.elu(x, 0.5), REAL),
    ("celu 0.5", lambda x: tl.celu(x, 0.5), lambda x: F.celu(x, 0.5), REAL),
    ("celu 3", lambda x: tl.celu(x, alpha=3), lambda x: F.celu(x, alpha=3), REAL),
    ("gelu tanh", lambda x: tl.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh"), REAL),
    # From its threshold of 20 on, PyTorch gives x; at 60 that is no longer seen.
    ("softplus", tl.softplus, lambda x: F.softplus(x, threshold=60), REAL),
    ("softplus 3", lambda x: tl.softplus(x, beta=3), lambda x: F.softplus(x, beta=3, threshold=60), REAL),
    ("hardtanh 0 2", lambda x: tl.hardtanh(x, 0, 2), lambda x: F.hardtanh(x, 0, 2), REAL),
]
JUMPS: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[float, float]]] = [
    ("floor", tl.floor, torch.floor, REAL),
    ("ceil", tl.ceil, torch.ceil, REAL),
    ("round", tl.round, torch.round, REAL),
    ("round 1", lambda x: tl.round(x, 1), lambda x: torch.round(x, decimals=1), REAL),
    ("round −1", lambda x: tl.round(x, decimals=-1), lambda x: torch.round(x, decimals=-1), REAL),
]
SMOOTH = [*UNARY, *ACTIVATIONS]
named = lambda rows: [pytest.param(*row[1:], id=row[0]) for row in rows]


def points(low: float, high: float) -> st.SearchStrategy[Any]:
    """Vectors in an interval: halves, where corners and ties are, tiny numbers, and any."""
    halves = st.integers(math.ceil(2 * low), math.floor(2 * high)).map(lambda n: n / 2)
    some = st.floats(low, high, allow_subnormal=False)
    tiny = st.sampled_from([x for x in (1e-300, -1e-300, 1e-9, -1e-9, 0.0, -0.0) if low <= x <= high] or [low])
    near = halves if math.ceil(2 * low) <= math.floor(2 * high) else some
    return hnp.arrays(np.float64, st.integers(1, 6), elements=st.one_of(near, some, tiny))


def ours(f: Callable[..., Any], *xs: Any) -> list[Any]:
    """The value of f, the gradients of its sum, and those of the sum of the gradients."""
    ts = [Tensor(x, requires_grad=True) for x in xs]
    y = f(*ts)
    first = gradients(y, ts, gradient=np.ones(y.shape, y.dtype), create_graph=True)
    total = first[0].sum() if len(ts) == 1 else first[0].sum() + first[1].sum()
    second = gradients(total, ts) if total.requires_grad else [Tensor(np.zeros_like(x)) for x in xs]
    return [y.numpy(), *(g.numpy() for g in first), *(g.numpy() for g in second)]


def theirs(f: Callable[..., Any], *xs: Any) -> list[Any]:
    ts = [torch.tensor(x, requires_grad=True) for x in xs]
    y = f(*ts)
    first = torch.autograd.grad(y, ts, torch.ones_like(y), create_graph=True)
    total = sum(g.sum() for g in first)
    second = torch.autograd.grad(total, ts) if total.requires_grad else [torch.zeros_like(t) for t in ts]
    return [part.numpy(force=True) for part in (y, *first, *second)]


def assert_same(f: Any, g: Any, *xs: Any, rtol: float = 1e-12, parts: int = 5) -> None:
    for a, b in list(zip(ours(f, *xs), theirs(g, *xs), strict=True))[:parts]:
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("f", "g", "interval"), named(SMOOTH))
@given(data=st.data())
@few
def test_values_and_derivatives_are_those_of_pytorch(f: Any, g: Any, interval: Any, data: Any) -> None:
    x = data.draw(points(*interval))
    # At 0 a second derivative may jump, and where two halves meet is a matter of taste.
    second = not (x == 0).any()
    assert_same(f, g, x, parts=3 if second else 2)


@pytest.mark.parametrize(("f", "g", "interval"), named(SMOOTH))
def test_float32_is_as_exact_as_that_of_pytorch(f: Any, g: Any, interval: Any) -> None:
    x = np.linspace(*interval, 2001, dtype=np.float32)[1:-1]
    x = x[np.abs(x) > 1e-6]
    exact = [part.astype(np.float64) for part in theirs(g, x.astype(np.float64))[:2]]
    for a, e, b in zip(ours(f, x)[:2], exact, theirs(g, x)[:2], strict=True):
        assert a.dtype == np.float32
        error, peer = (np.abs(part - e).max() / np.abs(e).max() for part in (a, b))
        assert error <= max(4 * np.finfo(np.float32).eps, 3 * peer)


@pytest.mark.parametrize(("f", "g", "interval"), named(JUMPS))
@given(data=st.data())
@few
def test_rounding_is_that_of_pytorch_and_has_derivative_zero(f: Any, g: Any, interval: Any, data: Any) -> None:
    assert_same(f, g, data.draw(points(*interval)), parts=2)


# Points at which the first derivatives jump, with infinities where the function has a limit.
AT_KINKS = [
    ("leaky_relu", [0.0, -0.0]),
    ("elu", [0.0, -0.0, -np.inf, np.inf]),
    ("celu", [0.0, -0.0, -np.inf, np.inf]),
    ("selu", [0.0, -0.0, -np.inf, np.inf]),
    ("hardtanh", [-1.0, 1.0, -np.inf, np.inf]),
    ("relu6", [0.0, -0.0, 6.0, -np.inf, np.inf]),
    ("softplus", [0.0, -np.inf, np.inf]),
    ("logsigmoid", [0.0, -np.inf, np.inf]),
    ("softsign", [0.0, -0.0]),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "at"), AT_KINKS, ids=[name for name, _ in AT_KINKS])
def test_kinks_and_infinities_are_those_of_pytorch(name: str, at: list[float], dtype: Any) -> None:
    x = np.array(at, dtype)
    t = Tensor(x, requires_grad=True)
    y = getattr(tl, name)(t)
    found = [y.numpy(), gradients(y, [t], gradient=np.ones_like(x))[0].numpy()]
    for a, b in zip(found, theirs(getattr(F, name), x), strict=False):
        np.testing.assert_allclose(a, b, rtol=2e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("f", "g", "interval"), named(ACTIVATIONS))
def test_tails_neither_overflow_nor_lose_the_limit(f: Any, g: Any, interval: Any, dtype: Any) -> None:
    x = np.array([-1e4, -700, -100, -40, -1e-30, 1e-30, 40, 100, 700, 1e4], dtype)
    mine, peer = ours(f, x), theirs(g, x)
    assert all(np.isfinite(part).all() for part in mine)
    bound = 1e-6 if dtype == np.float32 else 1e-13
    for a, b in zip(mine[:2], peer[:2], strict=True):
        np.testing.assert_allclose(a, b, rtol=bound, atol=bound)


# --- two variables ----------------------------------------------------------------------------------------------------


@given(data=st.data(), scale=st.sampled_from([1e-100, 1.0, 1e100]))
@few
def test_atan2_is_that_of_pytorch(data: Any, scale: float) -> None:
    y = data.draw(points(-4, 4)) * scale
    x = data.draw(hnp.arrays(np.float64, y.shape, elements=st.integers(-3, 3).map(float))) * scale
    away = np.maximum(np.abs(x), np.abs(y)) > 0.4 * scale
    assert_same(tl.atan2, torch.atan2, y[away], x[away], parts=3)
    if scale == 1:
        assert_same(tl.atan2, torch.atan2, y[away], x[away])


def test_atan2_at_the_origin_is_that_of_pytorch() -> None:
    y, x = np.array([0.0, -0.0, 0.0, -0.0]), np.array([0.0, 0.0, -0.0, -0.0])
    assert_same(tl.atan2, torch.atan2, y, x, parts=3)
    assert all(np.isfinite(part).all() for part in ours(tl.atan2, y, x))


@given(data=st.data())
@few
def test_logaddexp_is_that_of_pytorch(data: Any) -> None:
    a = data.draw(points(-1000, 1000))
    b = data.draw(hnp.arrays(np.float64, a.shape, elements=st.one_of(st.floats(-1000, 1000), st.just(-np.inf))))
    assert_same(tl.logaddexp, torch.logaddexp, a, b, parts=3)
    assert_same(tl.logaddexp, torch.logaddexp, b, a, parts=3)
    assert all(np.isfinite(part).all() for part in ours(tl.logaddexp, a, b))


# --- accuracy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erf_is_exact_to_a_few_units_in_the_last_place(dtype: Any) -> None:
    tiny = np.logspace(-37 if dtype == np.float32 else -300, 0, 500)
    x = np.concatenate([np.linspace(-7, 7, 40001), tiny, -tiny, [0.46874, 0.46875, 0.46876, 0]]).astype(dtype)
    exact = np.array([math.erf(v) for v in x.tolist()])
    distance = np.abs(tl.erf(x).numpy() - exact) / np.spacing(
        np.maximum(np.abs(exact), np.finfo(dtype).tiny).astype(dtype)
    )
    assert distance.max() <= 5
    np.testing.assert_array_equal(tl.erf(np.array([-np.inf, np.inf, np.nan], dtype)).numpy(), [-1, 1, np.nan])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_keeps_its_digits_in_the_tail_where_a_sum_would_cancel(dtype: Any) -> None:
    x = np.linspace(-9, -0.01, 2001).astype(dtype)
    exact = np.array([0.5 * v * math.erfc(-v * math.sqrt(0.5)) for v in x.tolist()])
    bound = 1e-5 if dtype == np.float32 else 1e-11  # exp(−x²/2) alone has x²/2 units in the last place
    np.testing.assert_allclose(tl.gelu(x).numpy(), exact, rtol=bound)


@pytest.mark.parametrize("f", [tl.erf, tl.gelu, tl.silu, tl.mish, tl.elu, tl.softplus], ids=lambda f: f.__name__)
def test_arrays_of_many_blocks_and_of_any_layout(f: Any) -> None:
    x = np.random.default_rng(0).standard_normal((300, 400))
    whole = f(x).numpy()
    np.testing.assert_allclose(f(x.T).numpy(), whole.T, rtol=1e-15)
    np.testing.assert_allclose(np.stack([f(row).numpy() for row in x]), whole, rtol=1e-15)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: tl.gelu(x, "fast"), '"none" or "tanh", not \'fast\''),
        (lambda x: tl.celu(x, 0), "alpha must be positive, not 0"),
        (lambda x: tl.softplus(x, -1.0), "beta must be positive, not -1.0"),
        (lambda x: tl.hardtanh(x, 2, 1), "min_val must not exceed max_val, but 2 > 1"),
    ],
)
def test_parameters_out_of_range_are_refused(f: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        f(np.ones(2))


@pytest.mark.parametrize(
    ("f", "g"),
    [(np.arcsin, tl.asin), (np.arctanh, tl.atanh), (np.log1p, tl.log1p), (np.floor, tl.floor), (np.round, tl.round)],
    ids=lambda f: f.__name__,
)
def test_numpy_names_answer(f: Any, g: Any) -> None:
    x = Tensor(np.array([-0.25, 0.5]))
    np.testing.assert_array_equal(f(x).numpy(), g(x).numpy())
    np.testing.assert_array_equal(f(x).numpy(), f(x.numpy()))


def test_two_variables_and_rounding_answer_to_numpy_and_python() -> None:
    x = Tensor(np.array([0.25, -1.26]))
    np.testing.assert_array_equal(np.arctan2(x, 2).numpy(), np.arctan2(x.numpy(), 2))
    np.testing.assert_array_equal(np.logaddexp(1, x).numpy(), np.logaddexp(1, x.numpy()))
    np.testing.assert_array_equal(round(x, 1).numpy(), np.round(x.numpy(), 1))
    np.testing.assert_array_equal(np.round(x, decimals=1).numpy(), np.round(x.numpy(), 1))
    np.testing.assert_array_equal(round(x).numpy(), [0, -1])


@pytest.mark.parametrize("name", ["relu", "relu6", "hardtanh"])
@pytest.mark.parametrize("incoming", [np.inf, np.nan])
def test_an_infinite_gradient_passes_only_where_something_was_selected(name: str, incoming: float) -> None:
    values = np.array([-2.0, -1.0, 0.0, 0.5, 6.0, 7.0], np.float32)
    x, t = tl.Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    weight = np.full_like(values, incoming)
    (expected,) = torch.autograd.grad(getattr(F, name)(t), t, torch.tensor(weight))
    for create_graph in (False, True):
        (g,) = tl.gradients(getattr(tl, name)(x), [x], weight, create_graph=create_graph)
        np.testing.assert_array_equal(g.numpy(), expected.numpy())
