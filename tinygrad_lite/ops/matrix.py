"""Functions of square matrices, also of batches of them: inverse, linear systems, determinants, Cholesky's factor.

Source of the rules: Giles (2008), Collected matrix derivative results for forward and reverse mode algorithmic
differentiation; for Cholesky's factor Murray (2016), Differentiation of the Cholesky decomposition.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..op import POWER, composed, op
from ..tensor import ArrayLike, Tensor
from .functions import floating
from .linear import einsum, matmul, tril
from .reduction import sum
from .shape import expand_dims, squeeze, swapaxes

__all__ = ["cholesky", "cofactor", "det", "inv", "logabsdet", "slogdet", "solve"]


def _transposed(x: Any) -> Any:
    return swapaxes(x, -1, -2)


def _for_each(g: Any) -> Any:
    """Give one number for each matrix the axes of the matrices."""
    return expand_dims(g, (-2, -1))


# --- inverses and linear systems --------------------------------------------------------------------------------------


@op(
    lambda g, out, _x: -matmul(matmul(_transposed(out), g), _transposed(out)),
    text="{0}⁻¹",
    latex="{0}^{{-1}}",
    precedence=POWER,
    numpy=np.linalg.inv,
)
def inv(x: ArrayLike) -> Any:
    """Return the inverses of square matrices (…, n, n).  To multiply by one, `solve` is faster and more exact.

    Raises LinAlgError for a matrix that is not square, or singular.

    >>> inv(Tensor([[2.0, 0.0], [0.0, 4.0]]))
    Tensor([[0.5 , 0.  ],
            [0.  , 0.25]], dtype=float32)
    """
    return np.linalg.inv(floating(x))


def _solved(g: Any, _out: Any, a: Any, _b: Any) -> Any:
    """∂/∂b of a⁻¹ b = a⁻ᵀ g.  Where b is a vector and a a batch, each row of g is one."""
    if _b.ndim == 1 < g.ndim:
        return squeeze(solve(_transposed(a), expand_dims(g, -1)), -1)
    return solve(_transposed(a), g)


def _solve_left(g: Any, out: Any, a: Any, _b: Any) -> Any:
    """∂/∂a of a⁻¹ b = −(a⁻ᵀ g) outᵀ."""
    w = _solved(g, out, a, _b)
    return -(einsum("...i,...j->...ij", w, out) if _b.ndim == 1 else matmul(w, _transposed(out)))


@op(_solve_left, _solved, numpy=np.linalg.solve, broadcasts=True)
def solve(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the x with a x = b: shapes (…, n, n) and (…, n, k) give (…, n, k), and a vector b (n,) gives (…, n).

    Batches broadcast.  Raises LinAlgError for an a that is not square, or singular.

    >>> solve(Tensor([[2.0, 0.0], [0.0, 4.0]]), Tensor([2.0, 2.0]))
    Tensor([1. , 0.5], dtype=float32)
    """
    columns, rows = np.shape(a)[-1:], np.shape(b)[-2:][:1]
    if columns != rows:
        raise ValueError("a is n × n, so b must be a vector of n, or have n rows")
    return np.linalg.solve(floating(a), floating(b))


# --- determinants -----------------------------------------------------------------------------------------------------


def _turned(x: Any) -> tuple[Any, Any, Any]:
    """Return u, s, v of plain matrices x = u diag(s) v with det(u) det(v) = 1; one of the s may be negative."""
    u, s, v = np.linalg.svd(np.nan_to_num(x))  # which would not converge
    s += 0 * np.add.reduce(x, axis=(-2, -1))[..., None]
    sign = np.sign(np.linalg.det(u) * np.linalg.det(v))[..., None]
    s[..., -1:] *= sign
    u[..., -1:] *= sign[..., None]
    return u, s, v


def _products_without(s: Any, count: int) -> Any:
    """Return the products of all s but one (…, n), or but two of them (…, n, n): without quotients, for s may be 0."""
    apart = 1 - np.eye(s.shape[-1])
    left = apart if count == 1 else apart[:, None] * apart  # left[i, j, k]: k is neither i nor j
    at = (..., *(None,) * count, slice(None))
    return np.multiply.reduce(np.where(left > 0, s[at], 1), axis=-1)


def _cofactor_rule(g: Any, _out: Any, x: Any) -> Any:
    """∂ det(x) / ∂x² applied to g.  For a diagonal x with the entries s, ∂ cofᵢᵢ/∂xⱼⱼ = −∂ cofᵢⱼ/∂xⱼᵢ = Π of the other s.

    On tensors it is written with the inverse, and so holds for regular matrices: d cof = (tr(x⁻¹ dx) − x⁻ᵀ dxᵀ) cof.
    """
    if isinstance(x, Tensor):
        inverse, out = _transposed(inv(x)), cofactor(x)
        return _for_each(sum(g * out, axis=(-2, -1))) * inverse - matmul(matmul(inverse, _transposed(g)), out)
    u, s, v = _turned(x)
    turned = np.matmul(_transposed(u), np.matmul(g, _transposed(v)))
    others = _products_without(s, 2) * (1 - np.eye(s.shape[-1]))
    diagonal = np.matmul(others, np.diagonal(turned, 0, -2, -1)[..., None])
    inner = np.eye(s.shape[-1]) * diagonal - others * _transposed(turned)
    return np.matmul(u, np.matmul(inner, v)).astype(x.dtype)


@op(_cofactor_rule, text="cof({0})", latex=r"\mathrm{{cof}}({0})")
def cofactor(x: ArrayLike) -> Any:
    """Return the cofactors of square matrices (…, n, n), det(x) x⁻ᵀ, of singular ones too: the derivative of det.

    Its own derivative is right for singular matrices as well, and higher ones for regular matrices.
    Raises LinAlgError for a matrix that is not square.

    >>> cofactor(Tensor([[1.0, 2.0], [2.0, 4.0]])).numpy().round(3)
    array([[ 4., -2.],
           [-2.,  1.]], dtype=float32)
    """
    np.linalg.det(x)  # refuses what is not square
    u, s, v = _turned(floating(x))
    return np.matmul(u * _products_without(s, 1)[..., None, :], v).astype(floating(x).dtype)


@op(
    lambda g, _out, x: _for_each(g) * cofactor(x),
    text="det({0})",
    latex=r"\det({0})",
    numpy=np.linalg.det,
)
def det(x: ArrayLike) -> Any:
    """Return the determinants of square matrices (…, n, n); the derivative is right for singular ones, too.

    Of large matrices the determinant over- or underflows: take `slogdet`.
    Raises LinAlgError for a matrix that is not square.

    >>> det(Tensor([[2.0, 0.0], [0.0, 4.0]]))
    Tensor(8., dtype=float32)
    """
    return np.linalg.det(floating(x))


@op(
    lambda g, _out, x: _for_each(g) * _transposed(inv(x)),
    text="log|det({0})|",
    latex=r"\log|\det({0})|",
)
def logabsdet(x: ArrayLike) -> Any:
    """Return log |det(x)| of square matrices (…, n, n), without overflow; −∞ for a singular one, which has no derivative.

    Raises LinAlgError for a matrix that is not square, and in the backward pass for a singular one.

    >>> logabsdet(Tensor([[2.0, 0.0], [0.0, -0.5]]))
    Tensor(0., dtype=float32)
    """
    return np.linalg.slogdet(floating(x)).logabsdet


class SignAndLogarithm(NamedTuple):
    """What `slogdet` returns: det(x) = sign · exp(logabsdet); no gradient flows through the sign."""

    sign: Tensor
    logabsdet: Tensor


@composed(numpy=np.linalg.slogdet)
def slogdet(x: ArrayLike) -> Any:
    """Return the sign and the logarithm of |det(x)| of square matrices (…, n, n).

    Raises LinAlgError for a matrix that is not square, and in the backward pass for a singular one.

    >>> sign, logabsdet = slogdet(Tensor([[2.0, 0.0], [0.0, -0.5]]))
    >>> sign, logabsdet
    (Tensor(-1., dtype=float32), Tensor(0., dtype=float32))
    """
    plain = x.numpy() if isinstance(x, Tensor) else x
    return SignAndLogarithm(Tensor(np.linalg.slogdet(floating(plain)).sign), logabsdet(x))


# --- Cholesky's factor ------------------------------------------------------------------------------------------------


def _cholesky_rule(g: Any, out: Any, _x: Any) -> Any:
    """∂/∂x = ½ (s + sᵀ) with s = out⁻ᵀ Φ(outᵀ g) out⁻¹; Φ takes the lower triangle and half of the diagonal."""
    product = matmul(_transposed(out), tril(g))
    inner = (tril(product) + tril(product, -1)) * 0.5
    right = solve(_transposed(out), inner)
    s = _transposed(solve(_transposed(out), _transposed(right)))
    return (s + _transposed(s)) * 0.5


@op(
    _cholesky_rule,
    text="chol({0})",
    latex=r"\mathrm{{chol}}({0})",
    numpy=np.linalg.cholesky,
)
def cholesky(x: ArrayLike) -> Any:
    """Return the lower triangular L with L Lᵀ = (x + xᵀ) / 2, for positive definite matrices (…, n, n).

    So x counts as symmetric, and its gradient is symmetric; np.linalg.cholesky reads the lower triangle only.
    Raises LinAlgError for a matrix that is not square, or not positive definite.

    >>> cholesky(Tensor([[4.0, 2.0], [2.0, 5.0]]))
    Tensor([[2., 0.],
            [1., 2.]], dtype=float32)
    """
    x = floating(x)
    if x.ndim > 1 and x.shape[-1] == x.shape[-2]:
        x = (x + np.swapaxes(x, -1, -2)) * x.dtype.type(0.5)
    return np.linalg.cholesky(x)
