"""Laws of vjp, jvp, hvp, jacobian and hessian, and of nested lists and dicts as arguments."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lite as tl
from tinygrad_lite import Tensor, grad, gradients, hessian, hvp, jacobian, jvp, no_grad, value_and_grad, vjp
from tinygrad_lite.numeric.slope import derivative
from tinygrad_lite.tree import leaves, rebuild

seeds = st.integers(0, 10**6)
sizes = st.integers(1, 4)


def smooth(W: Any) -> Any:
    """A function ℝⁿ → ℝᵏ that is neither linear nor elementwise."""
    return lambda x: tl.tanh(W @ x) * tl.exp(0.1 * (x * x).sum())


@given(seeds, sizes, sizes)
def test_the_products_with_the_jacobian_agree_with_it_and_with_differences(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    W, x, v, w = (rng.standard_normal(shape) for shape in [(k, n), n, n, k])
    f = smooth(W)
    J = jacobian(f)(x).numpy()
    assert J.shape == (k, n)
    for i in range(k):
        expected = derivative(lambda t, i=i: float(f(x + t * v).numpy()[i]))
        np.testing.assert_allclose(J[i] @ v, expected, rtol=1e-7, atol=1e-9)
    value, along = jvp(f, [x], [v])
    np.testing.assert_allclose(value.numpy(), f(x).numpy())
    np.testing.assert_allclose(along.numpy(), J @ v, rtol=1e-12, atol=1e-12)
    value, pull = vjp(f, x)
    np.testing.assert_allclose(value.numpy(), f(x).numpy())
    np.testing.assert_allclose(pull(w)[0].numpy(), w @ J, rtol=1e-12, atol=1e-12)


@given(seeds, sizes)
def test_the_hessian_is_symmetric_and_its_product_with_a_vector_is_hvp(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    W, x, v = (rng.standard_normal(shape) for shape in [(n, n), n, n])
    f = lambda x: (smooth(W)(x) ** 2).sum()
    H = hessian(f)(x).numpy()
    np.testing.assert_allclose(H, H.T, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(H, jacobian(grad(f))(x).numpy())
    np.testing.assert_allclose(hvp(f, [x], [v])[0].numpy(), H @ v, rtol=1e-9, atol=1e-9)
    along = derivative(lambda t: float(v @ grad(f)(x + t * v).numpy()))
    np.testing.assert_allclose(v @ H @ v, along, rtol=1e-6, atol=1e-7)


def test_jvp_and_vjp_nest_to_any_order() -> None:
    f = lambda x: x**5
    along = lambda f: lambda x: jvp(f, [x], [np.ones(())])[1]
    back = lambda f: lambda x: vjp(f, x)[1](np.ones(()))[0]
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0, 0.0):
        f = along(f) if expected in (80.0, 240.0) else back(f)
        assert f(np.array(2.0)).item() == pytest.approx(expected, abs=1e-9)
    assert jacobian(jacobian(jacobian(lambda x: x**3)))(np.array([2.0])).numpy().ravel() == [6]


def test_perturbations_are_not_confused() -> None:
    inner = lambda x: jvp(lambda y: x * y, [np.array(2.0)], [np.array(1.0)])[1]
    assert inner(np.array(3.0)).item() == 3
    assert jvp(lambda x: x * inner(x), [np.array(3.0)], [np.array(1.0)])[1].item() == 6
    assert grad(lambda x: x * vjp(lambda y: x * y, 2.0)[1](1.0)[0])(np.array(3.0)).item() == 6


class Pair(NamedTuple):
    a: Any
    b: Any


trees = st.recursive(
    st.just(0) | st.none(),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), parts, max_size=3)
        | st.tuples(parts, parts)
        | st.builds(Pair, parts, parts)
    ),
    max_leaves=6,
)


@given(trees)
def test_a_tree_is_rebuilt_in_the_same_form(tree: Any) -> None:
    values = list(range(len(leaves(tree))))
    new = rebuild(tree, values)
    assert leaves(new) == values
    assert rebuild(new, leaves(tree)) == tree
    assert type(new) is type(tree) or not isinstance(tree, list | tuple | dict)


@given(trees, seeds)
def test_a_gradient_has_the_form_of_the_argument(tree: Any, seed: int) -> None:
    tree = [tree]
    rng = np.random.default_rng(seed)
    xs = [rng.standard_normal(rng.integers(0, 3)) for _ in leaves(tree)]
    argument = rebuild(tree, xs)
    f = lambda t: sum([(x**3).sum() for x in leaves(t)], start=Tensor(np.zeros(()), requires_grad=True))
    slopes = grad(f)(argument)
    assert rebuild(slopes, leaves(tree)) == tree
    for g, x in zip(leaves(slopes), xs, strict=True):
        np.testing.assert_allclose(g.numpy(), 3 * x**2)
    (product,) = hvp(f, [argument], [rebuild(tree, xs)])
    for g, x in zip(leaves(product), xs, strict=True):
        np.testing.assert_allclose(g.numpy(), 6 * x**2)
    f = lambda t: rebuild(t, [x * 2 for x in leaves(t)])
    J = jacobian(f)(argument)
    for i, row in enumerate(leaves(rebuild(tree, range(len(xs))))):
        assert row == i
    blocks = leaves(J)
    assert len(blocks) == len(xs) ** 2
    for i in range(len(xs)):
        np.testing.assert_array_equal(blocks[i * len(xs) + i].numpy(), 2 * np.eye(xs[i].size))


def test_several_arguments_and_keywords() -> None:
    f = lambda a, b, scale=1.0: scale * a * b**2
    assert [x.item() for x in grad(f, (0, 1))(3.0, 2.0, scale=10.0)] == [40, 120]
    assert jacobian(f, 1)(3.0, 2.0).item() == 12
    assert hessian(f, 1)(3.0, 2.0).item() == 6
    assert [x.item() for x in hvp(f, [3.0, 2.0], [1.0, 1.0])] == [4, 10]
    assert hessian(lambda p: p["a"] * p["b"])({"a": 1.0, "b": 2.0})["a"]["b"].item() == 1


def test_a_function_that_does_not_depend_on_its_argument_has_derivative_zero() -> None:
    for f in (lambda x: Tensor([1.0, 2.0]) * 1, lambda x: x.detach(), lambda x: tl.sign(x)):
        x = np.ones(2, np.float32)
        assert not jvp(f, [x], [x])[1].numpy().any()
        assert not vjp(f, x)[1](x)[0].numpy().any()
        assert not jacobian(f)(x).numpy().any()
    assert not hvp(lambda x: x.sum(), [x], [x])[0].numpy().any()
    assert not hessian(lambda x: x.sum())(x).numpy().any()


def test_empty_and_scalar_results() -> None:
    assert jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)
    assert jacobian(lambda x: x)(np.ones((0, 2))).shape == (0, 2, 0, 2)
    assert jacobian(lambda x: x.sum())(np.ones((2, 3))).shape == (2, 3)


def test_what_is_closed_over_keeps_its_gradient() -> None:
    w = Tensor(3.0, requires_grad=True)
    assert gradients(jvp(lambda x: w * x * x, [2.0], [1.0])[1], [w])[0].item() == 4
    assert gradients(vjp(lambda x: w * x * x, 2.0)[1](1.0)[0], [w])[0].item() == 4
    with no_grad():
        assert not jvp(lambda x: w * x, [2.0], [1.0])[1].requires_grad
        assert not vjp(lambda x: w * x, 2.0)[0].requires_grad


def test_jvp_can_be_differentiated_with_respect_to_its_tangents() -> None:
    along = lambda u: jvp(lambda x: x**3, [2.0], [u])[1]
    assert grad(along)(5.0).item() == 12
    assert jvp(along, [5.0], [1.0])[1].item() == 12
    assert grad(lambda u: hvp(lambda x: x**3, [2.0], [u])[0])(5.0).item() == 12
    u = Tensor(5.0, requires_grad=True)
    assert gradients(jvp(lambda p: p["x"] ** 3, [{"x": 2.0}], [{"x": u}])[1], [u])[0].item() == 12
    assert not jvp(lambda x: x**3, [2.0], [u])[0].requires_grad
    with no_grad():
        assert not along(u).requires_grad


def test_tangents_are_matched_by_their_keys() -> None:
    f = lambda p: p["a"] * p["b"][0]
    primal, tangent = {"a": 3.0, "b": [2.0]}, {"b": (0.0,), "a": 1.0}
    assert jvp(f, [primal], [tangent])[1].item() == 2
    (product,) = hvp(f, (primal,), (tangent,))
    assert (product["a"].item(), product["b"][0].item()) == (0, 1)


@pytest.mark.parametrize("number", [1, -1, np.int64(1), True], ids=repr)
def test_argnums_is_any_integer(number: Any) -> None:
    f = lambda x, y: x * y**2
    assert grad(f, number)(3.0, 2.0).item() == 12
    assert [g.item() for g in grad(f, [0, number])(3.0, 2.0)] == [4, 12]


def test_the_dtype_is_that_of_the_primal() -> None:
    x = np.ones(2, np.float32)
    assert jvp(tl.exp, [x], [np.ones(2)])[1].dtype == np.float32
    assert hvp(lambda x: (x**3).sum(), [x], [np.ones(2)])[0].dtype == np.float32
    assert jacobian(tl.exp)(x).dtype == np.float32


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda: jvp(tl.exp, [np.ones(2)], [np.ones(3)]), ValueError, r"shape: \(2,\), not \(3,\)"),
        (
            lambda: jvp(tl.exp, [np.ones(2)], []),
            ValueError,
            r"each primal needs a tangent.* list of 1, not a list of 0",
        ),
        (lambda: jvp(lambda x: x["a"], [{"a": 1.0}], [1.0]), ValueError, "a dict of 'a', not float"),
        (lambda: jvp(lambda x: x["a"], [{"a": 1.0}], [{"b": 1.0}]), ValueError, "a dict of 'a', not a dict of 'b'"),
        (lambda: jvp(lambda x: x, [1.0], [{"q": 0.0}]), ValueError, "an array, not a dict of 'q'"),
        (lambda: jvp(lambda x: x[0], [[1.0, None]], [[1.0, 1.0]]), ValueError, "None, not float"),
        (lambda: jvp(tl.exp, np.ones(1), np.ones(1)), TypeError, "the primals are a list, .* not ndarray"),
        (lambda: hvp(tl.exp, [1.0], np.ones(1)), TypeError, "the tangents are a list, .* not ndarray"),
        (lambda: grad(lambda x, y: x * y, (0, 0))(3.0, 1.0), ValueError, r"argnums=\(0, 0\) names an argument twice"),
        (lambda: grad(lambda x: x, (0, -1))(3.0), ValueError, "twice"),
        (lambda: grad(lambda x: x, "x"), TypeError, "argnums must be the number .* not 'x'"),
        (lambda: grad(lambda x: x, 0.0), TypeError, "argnums must be the number .* not 0.0"),
        (lambda: hvp(lambda x: x.sum(), [np.ones(2)], [1.0]), ValueError, r"\(2,\), not scalar"),
        (lambda: hvp(tl.exp, [np.ones(2)], [np.ones(2)]), ValueError, "2 elements"),
        (lambda: jvp(lambda x: (x, x), [1.0], [1.0]), TypeError, "must return a tensor, not tuple"),
        (lambda: vjp(lambda x: 1.0, 1.0), TypeError, "must return tensors, not float"),
        (lambda: vjp(tl.exp, np.ones(2))[1](np.ones(3)), ValueError, r"\(3,\)"),
        (lambda: grad(lambda x: x)(np.ones(2)), ValueError, "2 elements"),
        (lambda: grad(lambda x: x)({"a": np.ones(2, int)}), TypeError, "float dtype"),
        (lambda: value_and_grad(lambda x: x, 1)(1.0), TypeError, "argnums names argument 1"),
        (lambda: rebuild([1, 2], [1]), ValueError, "2 leaves, but 1"),
    ],
)
def test_what_does_not_fit_is_refused(attempt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()


def test_what_goes_with_a_value_is_returned_and_not_differentiated() -> None:
    def f(x: Tensor, y: Tensor) -> Any:
        z = x * y
        return z.sum(), {"z": z, "shape": z.shape, "none": None}

    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    (value, aux), slopes = tl.value_and_grad(f, argnums=(0, 1), has_aux=True)(x, y)
    assert value.item() == 11.0
    assert [g.numpy().tolist() for g in slopes] == [[3.0, 4.0], [1.0, 2.0]]
    assert (aux["z"].numpy().tolist(), aux["shape"], aux["none"]) == ([3.0, 8.0], (2,), None)
    assert not aux["z"].requires_grad
    slope, aux = tl.grad(f, has_aux=True)(x, y)
    assert (slope.numpy().tolist(), aux["z"].numpy().tolist()) == ([3.0, 4.0], [3.0, 8.0])


def test_inside_another_transform_what_goes_with_a_value_keeps_its_history() -> None:
    inner = tl.grad(lambda x: (x**2, x**3), has_aux=True)
    assert tl.grad(lambda x: inner(x)[0] + inner(x)[1])(3.0).item() == 2 + 27


@pytest.mark.parametrize("returned", [1.0, (1.0,), [1.0, 2.0]])
def test_without_a_pair_has_aux_is_refused(returned: Any) -> None:
    with pytest.raises(TypeError, match="has_aux=True the function returns a pair"):
        tl.value_and_grad(lambda _x: returned, has_aux=True)(2.0)
