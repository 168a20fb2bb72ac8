"""Functions of square matrices: singular ones, second derivatives, the NumPy functions they answer to, and refusals."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients

EYE = np.eye(3)


def leibniz(x: Any) -> Any:
    """The determinant as a sum over permutations, of which every derivative is a polynomial."""
    signs = [(p, np.linalg.det(EYE[list(p)])) for p in permutations(range(3))]
    return sum(sign * x[0, p[0]] * x[1, p[1]] * x[2, p[2]] for p, sign in signs)


@given(rank=st.integers(0, 3), seed=st.integers(0, 10**6))
@settings(max_examples=30)
def test_the_derivatives_of_det_are_right_at_every_rank(rank: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (3, rank)) @ rng.uniform(-2, 2, (rank, 3))
    for transform in (tl.grad, tl.hessian):
        np.testing.assert_allclose(transform(tl.det)(x).numpy(), transform(leibniz)(x).numpy(), atol=1e-12)


def test_the_derivative_of_det_needs_no_inverse() -> None:
    x = np.diag([1.0, 0.0, 2.0])
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(x)
    np.testing.assert_array_equal(tl.grad(tl.det)(x).numpy(), np.diag([0.0, 2.0, 0.0]))


def test_nan_stays_nan_and_is_no_failure() -> None:
    x = np.array([[1.0, np.nan], [0.0, 1.0]])
    with np.errstate(invalid="ignore"):
        assert np.isnan(tl.grad(tl.det)(x).numpy()).all()


@pytest.mark.parametrize("name", ["inv", "det", "cholesky", "slogdet"])
def test_numpys_functions_are_answered_and_recorded(name: str) -> None:
    values = np.array([[2.0, 0.5], [0.5, 1.0]])
    x = Tensor(values, requires_grad=True)
    found, expected = getattr(np.linalg, name)(x), getattr(np.linalg, name)(values)
    if name == "slogdet":
        assert found.sign.numpy() == expected.sign
        found, expected = found.logabsdet, expected.logabsdet
    assert found.requires_grad
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)


def test_a_system_is_solved_for_vectors_and_columns_and_numpys_function_is_answered() -> None:
    a, b = Tensor(2 * EYE + 0.5, requires_grad=True), np.arange(3.0)
    for right in (b, b[:, None], np.stack([b[:, None]] * 2)):
        np.testing.assert_allclose(np.linalg.solve(a, right).numpy(), np.linalg.solve(a.numpy(), right), rtol=1e-14)
    np.testing.assert_allclose(tl.inv(a).numpy() @ b, tl.solve(a, b).numpy(), rtol=1e-14)


def test_one_vector_for_a_batch_of_systems_is_differentiated_as_its_columns_are() -> None:
    a, b = np.stack([2 * EYE + 0.5, EYE - 0.2]), np.arange(3.0)
    weight = np.arange(6.0).reshape(2, 3)
    slopes = tl.grad(lambda a, b: (tl.solve(a, b) * weight).sum(), (0, 1))(a, b)
    columns = tl.grad(lambda a, b: (tl.solve(a, b[:, None])[..., 0] * weight).sum(), (0, 1))(a, b)
    for found, expected in zip(slopes, columns, strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-13)


def test_the_gradient_of_choleskys_factor_is_symmetric() -> None:
    x = Tensor([[4.0, 1.0], [1.0, 3.0]], requires_grad=True)
    (g,) = gradients(tl.cholesky(x).sum(), [x])
    np.testing.assert_array_equal(g.numpy(), g.numpy().T)


REFUSED: list[tuple[Any, str]] = [
    (lambda: tl.inv(np.ones((2, 2))), r"inv\(an array \(2×2\)\): Singular matrix"),
    (lambda: tl.solve(np.zeros((2, 2)), np.ones(2)), "solve.*Singular matrix"),
    (lambda: tl.cholesky(-EYE), "cholesky.*not positive definite"),
    (lambda: tl.det(np.ones((2, 3))), "det.*square"),
    (lambda: tl.cofactor(np.ones((2, 3))), "cofactor.*square"),
    (lambda: tl.slogdet(np.ones(3)), "slogdet.*two-dimensional"),
    (lambda: tl.grad(tl.logabsdet)(np.ones((2, 2))), "Singular matrix"),
]


@pytest.mark.parametrize(("attempt", "message"), REFUSED)
def test_singular_and_oblong_matrices_are_refused_as_numpy_does(attempt: Any, message: str) -> None:
    with np.errstate(divide="ignore"), pytest.raises(np.linalg.LinAlgError, match=message):
        attempt()


def test_sides_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"solve\(an array \(3×3\), an array \(2×1\)\): .*n rows"):
        tl.solve(EYE, np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"tensordot: .*same sizes"):
        tl.tensordot(np.ones((2, 3)), np.ones((1, 3)), axes=(0, 0))


def test_polynomials_are_evaluated_by_np_polyval() -> None:
    x, p = Tensor([1.0, 2.0, 3.0], requires_grad=True), np.array([1.0, -2.0, 3.0])
    y = np.polyval(p, x)
    np.testing.assert_allclose(y.numpy(), np.polyval(p, x.numpy()))
    np.testing.assert_allclose(gradients(y.sum(), [x])[0].numpy(), np.polyval(np.polyder(p), x.numpy()))
    np.testing.assert_allclose(np.polyval(Tensor(p), [0.1, 0.2]).numpy(), np.polyval(p, [0.1, 0.2]), rtol=1e-15)
    np.testing.assert_allclose(np.polynomial.polynomial.polyval(x, p).numpy(), np.polyval(p[::-1], x.numpy()))


@pytest.mark.parametrize("module", ["polynomial", "chebyshev", "legendre", "hermite", "laguerre"])
def test_what_np_polynomial_would_pair_wrongly_is_refused(module: str) -> None:
    x, rows = Tensor([1.0, 2.0, 3.0]), np.arange(9.0).reshape(3, 3)
    home = getattr(np.polynomial, module)
    evaluate = next(getattr(home, name) for name in vars(home) if name.endswith("val"))
    with pytest.raises(TypeError, match=r"np.polynomial.* wrong values.*np.polyval"):
        evaluate(x, rows)
    with pytest.raises(TypeError, match=r"np.polynomial.* wrong values.*np.polyval"):
        np.polynomial.polynomial.polyvalfromroots(x, [1.0, 2.0, 5.0])


def test_numpys_products_are_answered() -> None:
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(2, 2, 3)
    x = Tensor(a, requires_grad=True)
    for f, others in [(np.kron, (b,)), (np.inner, (b,)), (np.tensordot, (b, ([1], [2]))), (np.hypot, (a,))]:
        y = f(x, *others)  # type: ignore[operator]
        assert y.requires_grad
        np.testing.assert_allclose(y.numpy(), f(a, *others))  # type: ignore[operator]
    np.testing.assert_allclose(np.column_stack([x, [7.0, 8.0]]).numpy(), np.column_stack([a, [7.0, 8.0]]))
