"""Reductions, norms, running sums and sorting against PyTorch: values, first and second derivatives, and kinks."""

from __future__ import annotations

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

few = settings(max_examples=40)
halves = st.integers(-4, 4).map(lambda n: n / 2)  # many zeros and many ties
arrays = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=halves)


def ours(f: Callable[[Tensor], Tensor], x: Any, weight: Any, again: Any) -> list[Any]:
    """The value of f, the gradient of weight · f, and the gradient of again · that gradient."""
    t = Tensor(x, requires_grad=True)
    y = f(t)
    (g,) = gradients(y, [t], gradient=weight, create_graph=True)
    total = (g * again).sum()
    second = gradients(total, [t])[0].numpy() if total.requires_grad else np.zeros_like(x)
    return [y.numpy(), g.numpy(), second]


def theirs(f: Callable[[Any], Any], x: Any, weight: Any, again: Any) -> list[Any]:
    t = torch.tensor(x, requires_grad=True)
    y = f(t)
    (g,) = torch.autograd.grad(y, t, torch.tensor(weight), create_graph=True)
    total = (g * torch.tensor(again)).sum()
    second = torch.autograd.grad(total, t, allow_unused=True)[0] if total.requires_grad else None
    return [y.detach().numpy(), g.detach().numpy(), np.zeros_like(x) if second is None else second.numpy(force=True)]


def assert_same(f: Any, g: Any, x: Any, orders: int = 3, rtol: float = 1e-12) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal(np.shape(f(x).numpy())).astype(x.dtype)
    again = rng.standard_normal(x.shape).astype(x.dtype)
    for a, b in list(zip(ours(f, x, weight, again), theirs(g, x, weight, again), strict=True))[:orders]:
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1.0, np.abs(b).max(initial=0)))


def an_axis(data: st.DataObject, x: Any) -> int:
    return data.draw(st.integers(-x.ndim, x.ndim - 1))


# --- products and running sums ----------------------------------------------------------------------------------------


@few
@given(arrays, st.data(), st.booleans())
def test_prod(x: Any, data: st.DataObject, keepdims: bool) -> None:
    axis = an_axis(data, x)
    assert_same(lambda t: tl.prod(t, axis, keepdims), lambda t: torch.prod(t, axis, keepdims), x)
    assert_same(tl.prod, torch.prod, x)


@few
@given(arrays, st.data())
def test_cumsum_and_cumprod(x: Any, data: st.DataObject) -> None:
    axis = an_axis(data, x)
    assert_same(lambda t: tl.cumsum(t, axis), lambda t: torch.cumsum(t, axis), x)
    assert_same(lambda t: tl.cumprod(t, axis), lambda t: torch.cumprod(t, axis), x)
    assert_same(tl.cumprod, lambda t: torch.cumprod(t.reshape(-1), 0), x)


def test_the_third_derivative_of_a_product_with_zeros() -> None:
    x = Tensor([0.0, 0.0, 0.0, 5.0], requires_grad=True)
    for f in (tl.prod, lambda t: tl.cumprod(t)[3]):
        g = f(x)
        for i in range(3):
            g = gradients(g, [x], create_graph=True)[0][i]
        assert g.item() == 5.0


def test_products_that_underflow_have_gradients() -> None:
    x = Tensor(np.array([1e-200, 1e-200, 1e200]), requires_grad=True)
    np.testing.assert_allclose(gradients(tl.prod(x), [x])[0].numpy(), [1, 1, 0], rtol=1e-12)


def test_a_long_cumprod() -> None:
    x = np.random.default_rng(0).uniform(0.9, 1.1, (2, 1000))
    assert_same(lambda t: tl.cumprod(t, 1), lambda t: torch.cumprod(t, 1), x, rtol=1e-10)


# --- variance and deviation -------------------------------------------------------------------------------------------


@few
@given(arrays, st.data(), st.sampled_from([0, 1]), st.booleans())
def test_var_and_std(x: Any, data: st.DataObject, correction: int, keepdims: bool) -> None:
    axes = data.draw(st.sets(st.integers(0, x.ndim - 1), min_size=1).map(tuple))
    if correction and np.prod([x.shape[a] for a in axes]) == 1:
        return
    named = {"correction": correction, "keepdims": keepdims}
    other = {"dim": axes, "correction": correction, "keepdim": keepdims}
    assert_same(lambda t: tl.var(t, axes, **named), lambda t: torch.var(t, **other), x)
    assert_same(lambda t: tl.std(t, axes, **named), lambda t: torch.std(t, **other), x)


def test_the_deviation_of_equal_values_has_derivatives_that_are_zero() -> None:
    value, first, second = ours(tl.std, np.full(3, 7.0), np.ones(()), np.arange(3.0))
    assert value == 0
    assert not first.any()
    assert not second.any()


@pytest.mark.parametrize("f", [tl.var, tl.std], ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_one_value_less_one_gives_nan(f: Any) -> None:
    x = Tensor([[2.0], [3.0]], requires_grad=True)
    y = f(x, axis=1, correction=1)
    assert np.isnan(y.numpy()).all()
    for create_graph in (False, True):
        assert np.isnan(gradients(y.sum(), [x], create_graph=create_graph)[0].numpy()).all()
    assert f(np.zeros(0)).numpy().shape == ()
    assert np.isnan(f(np.zeros(0)).item())


def test_one_value_less_one_warns_as_numpy_does() -> None:
    with pytest.warns(RuntimeWarning):
        tl.var(Tensor([2.0]), correction=1)


def test_the_variance_of_values_far_from_zero() -> None:
    x = (1e6 + np.arange(4)).astype(np.float32)
    assert tl.var(x).item() == pytest.approx(1.25, rel=1e-6)
    assert tl.std(x, correction=1).item() == pytest.approx(np.sqrt(5 / 3), rel=1e-6)


# --- norms ------------------------------------------------------------------------------------------------------------

ORDERS = [2, 1, 0, 3, 4, np.inf, -np.inf, -1, -2, 0.5, 1.5]


@few
@given(arrays, st.data(), st.sampled_from(ORDERS), st.booleans())
def test_norm(x: Any, data: st.DataObject, p: float, keepdims: bool) -> None:
    axes = data.draw(st.sets(st.integers(0, x.ndim - 1), min_size=1).map(tuple))
    f = lambda t: tl.norm(t, p, axes, keepdims)
    g = lambda t: torch.linalg.vector_norm(t, p, axes, keepdims) + 0 * t.sum()
    # At a zero PyTorch's second derivative is NaN or infinite for most p.
    orders = 2 if (x == 0).any() or np.isinf(p) else 3
    assert_same(f, g, x, orders, rtol=1e-11)


@pytest.mark.parametrize("p", ORDERS)
def test_at_zero_the_derivatives_of_a_norm_are_zero(p: float) -> None:
    for part in ours(lambda t: tl.norm(t, p), np.zeros(3), np.ones(()), np.ones(3)):
        assert not part.any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("p", [1, 2, 3, 0.5, np.inf, -1, -2, -np.inf])
@pytest.mark.parametrize("where", ["large", "tiny", "mixed"])
def test_norms_of_extreme_values(p: float, where: str, dtype: Any) -> None:
    info = np.finfo(dtype)
    scale = {"large": float(info.max) / 64, "tiny": float(info.tiny) * 64, "mixed": 1.0}[where]
    x = (np.array([3.0, -4.0]) * scale).astype(dtype)
    t = Tensor(x, requires_grad=True)
    y = tl.norm(t, p)
    expected = np.longdouble(scale) * np.linalg.norm(x.astype(np.longdouble) / np.longdouble(scale), p)
    bound = 20 * float(info.eps)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy().astype(np.longdouble), expected, rtol=bound)
    plain = Tensor(np.array([3.0, -4.0]), requires_grad=True)
    (expected,) = gradients(tl.norm(plain, p), [plain])
    np.testing.assert_allclose(gradients(y, [t])[0].numpy(), expected.numpy(), bound)


def test_the_norm_of_1e200_does_not_overflow() -> None:
    x = Tensor(np.array([[3e200, 4e200], [3e-200, 4e-200], [0.0, 5e-324]]), requires_grad=True)
    y = tl.norm(x, axis=1)
    np.testing.assert_allclose(y.numpy(), [5e200, 5e-200, 5e-324], rtol=1e-14)
    np.testing.assert_allclose(gradients(y.sum(), [x])[0].numpy(), [[0.6, 0.8], [0.6, 0.8], [0, 1]], rtol=1e-14)


@pytest.mark.parametrize("p", [-np.inf, -1, 0, 0.5, 1, 2, 3, np.inf])
def test_norms_with_nan_and_infinity(p: float) -> None:
    of_nan = tl.norm(np.array([np.nan, 1.0]), p).item()
    assert of_nan == 2 if p == 0 else np.isnan(of_nan)
    expected = {-np.inf: 1, -1: 1, 0: 2}.get(p, np.inf)
    assert tl.norm(np.array([-np.inf, 1.0]), p).item() == expected


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, np.inf])
def test_the_norm_of_nothing_is_zero(p: float) -> None:
    assert tl.norm(np.zeros((0, 2)), p, axis=0).numpy().tolist() == [0, 0]
    x = Tensor(np.zeros((0, 2)), requires_grad=True)
    assert gradients(tl.norm(x, p), [x])[0].shape == (0, 2)


def test_an_order_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"norm.*ord must be a number.*'fro'.*Frobenius"):
        tl.norm(np.ones((2, 2)), "fro")
    with pytest.raises(ValueError, match="norm"):
        tl.norm(np.zeros(0), -1)


def test_a_numpy_number_as_order_does_not_promote() -> None:
    x = Tensor([1.0, -3.0], requires_grad=True)
    for p in (np.float64(3), np.int64(2)):
        y = tl.norm(x, p)
        assert y.dtype == np.float32
        assert gradients(y, [x], create_graph=True)[0].dtype == np.float32


# --- float16, and NumPy's own functions -------------------------------------------------------------------------------


def test_float16_does_not_overflow_inside() -> None:
    x = Tensor(np.full(4096, 30.0, np.float16), requires_grad=True)
    for f, expected in ((tl.mean, 30), (tl.var, 0), (tl.std, 0), (tl.norm, 1920)):
        y = f(x)
        assert y.dtype == np.float16
        assert y.item() == expected
        assert gradients(y, [x])[0].dtype == np.float16
    assert tl.mean(x, axis=0, keepdims=True).dtype == np.float16
    x = Tensor(np.array([100.0, -100.0] * 2048, np.float16), requires_grad=True)
    np.testing.assert_allclose(gradients(tl.std(x), [x])[0].numpy()[:2], [1 / 4096, -1 / 4096], rtol=1e-3)


def test_numpy_functions_on_tensors_are_ours() -> None:
    x = Tensor([[1.0, -2.0], [4.0, 0.0]], requires_grad=True)
    assert np.prod(x, axis=1).requires_grad
    assert np.var(x, axis=0, correction=1).requires_grad
    assert np.linalg.vector_norm(x, axis=0, ord=1).numpy().tolist() == [5, 2]
    assert np.argmax(x, axis=1).numpy().tolist() == [0, 0]
    assert np.sort(x, axis=0).requires_grad
    assert np.cumsum(x).shape == (4,)
    with pytest.raises(TypeError):
        np.sort(x, 0, "stable")


# --- places and order -------------------------------------------------------------------------------------------------


@few
@given(arrays, st.data(), st.booleans())
def test_argmax_and_argmin(x: Any, data: st.DataObject, keepdims: bool) -> None:
    axis = an_axis(data, x)
    for f, g, h in ((tl.argmax, np.argmax, torch.argmax), (tl.argmin, np.argmin, torch.argmin)):
        places = f(Tensor(x, requires_grad=True), axis, keepdims)
        assert places.dtype == np.int64
        assert not places.requires_grad
        np.testing.assert_array_equal(places.numpy(), g(x, axis=axis, keepdims=keepdims))
        found = h(torch.tensor(x), axis, keepdims).numpy()
        at = lambda p: np.take_along_axis(x, p if keepdims else np.expand_dims(p, axis), axis)
        np.testing.assert_array_equal(at(found), at(places.numpy()))  # of equal ones PyTorch may take any
        assert f(x).item() == g(x)


@few
@given(arrays, st.data(), st.booleans())
def test_sort_and_argsort(x: Any, data: st.DataObject, descending: bool) -> None:
    axis = an_axis(data, x)
    named = {"dim": axis, "descending": descending, "stable": True}
    assert_same(lambda t: tl.sort(t, axis, descending=descending), lambda t: torch.sort(t, **named)[0], x)
    places = tl.argsort(x, axis, descending=descending)
    np.testing.assert_array_equal(places.numpy(), torch.argsort(torch.tensor(x), **named).numpy())


distinct = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-9, 9), unique=True)


@few
@given(distinct, st.data(), st.booleans())
def test_topk(x: Any, data: st.DataObject, largest: bool) -> None:
    axis = an_axis(data, x)
    k = data.draw(st.integers(0, x.shape[axis]))
    named = {"dim": axis, "largest": largest}
    assert_same(lambda t: tl.topk(t, k, axis, largest=largest)[0], lambda t: torch.topk(t, k, **named)[0], x)
    places = tl.topk(x, k, axis, largest=largest)[1]
    assert not places.requires_grad
    np.testing.assert_array_equal(places.numpy(), torch.topk(torch.tensor(x), k, **named)[1].numpy())


@pytest.mark.parametrize("descending", [False, True])
def test_nan_sorts_as_the_largest(descending: bool) -> None:
    x = np.array([1.0, np.nan, -1.0, np.inf])
    expected = torch.sort(torch.tensor(x), descending=descending)[0].numpy()
    np.testing.assert_array_equal(tl.sort(x, descending=descending).numpy(), expected)


def test_what_cannot_be_sorted_is_refused() -> None:
    for f in (tl.sort, tl.argsort, lambda x, axis: tl.topk(x, 1, axis)):
        with pytest.raises(ValueError, match=r"axis must be an integer.*reshape"):
            f(np.ones((2, 3)), axis=None)
        with pytest.raises(IndexError, match="axis 2"):
            f(np.ones((2, 3)), axis=2)
    for k in (-1, 4):
        with pytest.raises(ValueError, match=f"topk: k must be from 0 to the length of axis -1, 3, not {k}"):
            tl.topk(np.ones((2, 3)), k)
    with pytest.raises(TypeError):
        tl.topk(np.ones(3), 1.5)


def test_whole_numbers_are_sorted_and_multiplied_as_such() -> None:
    x = np.array([3, 0, 2], np.uint8)
    assert tl.sort(x, descending=True).numpy().tolist() == [3, 2, 0]
    assert tl.topk(x, 2)[0].numpy().tolist() == [3, 2]
    assert tl.prod(x).dtype == np.prod(x).dtype
    assert tl.cumprod(x).dtype == np.cumprod(x).dtype
    assert tl.var(x).dtype == tl.std(x).dtype == tl.norm(x).dtype == np.float64
