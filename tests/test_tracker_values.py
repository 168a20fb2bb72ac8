"""Gradients that public trackers (PyTorch, JAX, tinygrad …) report as wrong, with the value that the field agrees on.

Each row: what is differentiated, where, the gradient of its sum, and why that is the value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients

inf, nan = np.inf, np.nan


class Row(NamedTuple):
    """One report."""

    f: Callable[[Any], Any]
    x: Any
    slope: Any
    why: str


def total(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: f(x).sum()


def masked_softmax(x: Any) -> Any:
    return tl.softmax(tl.where(np.array([True, True, False]), x, -inf)) * np.array([1.0, 2.0, 3.0])


def attention(x: Any) -> Any:
    allowed = np.array([[True, False], [False, False]])
    return tl.scaled_dot_product_attention(x, x, x, mask=allowed)


ROWS: dict[str, Row] = {
    # --- choices
    "where, guarded inside": Row(
        lambda x: tl.where(x > 0, tl.sqrt(tl.where(x > 0, x, 1.0)), x),
        [-4.0, 0.0, 4.0],
        [1.0, 1.0, 0.25],
        "the way out that all trackers name: nothing infinite is computed in the branch that is not taken",
    ),
    "where, not guarded": Row(
        lambda x: tl.where(x > 0, tl.sqrt(x), 0.0),
        [0.0, 4.0],
        [nan, 0.25],
        "0 · ∞ of the other branch: PyTorch and JAX keep the NaN, so that it is seen",
    ),
    "where, of a constant NaN": Row(
        lambda x: tl.where(x > 0, x, nan * x.detach()), [-1.0, 2.0], [0.0, 1.0], "no gradient flows to a constant"
    ),
    "0 / 0 guarded": Row(
        lambda x: tl.where(x == 0, 1.0, tl.sin(x) / tl.where(x == 0, 1.0, x)), [0.0], [0.0], "sinc is flat at 0"
    ),
    "maximum, tie": Row(
        lambda x: tl.maximum(x, 0.0), [-1.0, 0.0, 1.0], [0.0, 0.5, 1.0], "half each, as in PyTorch and JAX"
    ),
    "maximum of itself": Row(lambda x: tl.maximum(x, x), [2.0], [1.0], "the halves add up"),
    "minimum, tie of infinities": Row(lambda x: tl.minimum(x, inf), [inf, 1.0], [0.5, 1.0], "a tie like any other"),
    "max, ties": Row(
        tl.max, [3.0, 1.0, 3.0], [0.5, 0.0, 0.5], "evenly, as torch.amax and JAX: any other share depends on order"
    ),
    "max along an axis, ties": Row(
        lambda x: tl.max(x, axis=1), [[1.0, 1.0], [2.0, 3.0]], [[0.5, 0.5], [0.0, 1.0]], "the same with an axis"
    ),
    "max of infinities": Row(tl.max, [-inf, -inf], [0.5, 0.5], "a tie like any other"),
    "max with NaN": Row(tl.max, [nan, 1.0], [nan, nan], "the maximum is NaN, and so is its derivative, as torch.amax"),
    "clamp, at its bounds": Row(
        lambda x: tl.clip(x, 0.0, 1.0), [0.0, 1.0, 1.5], [1.0, 1.0, 0.0], "1, as in PyTorch: a step can leave them"
    ),
    "clamp of NaN": Row(lambda x: tl.clip(x, 0.0, 1.0), [nan], [0.0], "the value is NaN; NaN lies in no interval"),
    "clamp, a bound of NaN": Row(lambda x: tl.clip(x, nan, 1.0), [0.5], [0.0], "the value does not depend on x"),
    "relu of NaN": Row(tl.relu, [nan, 1.0], [0.0, 1.0], "NaN > 0 is false"),
    "relu at 0": Row(tl.relu, [0.0, -0.0], [0.0, 0.0], "0, which keeps what is off switched off"),
    "maximum of NaN": Row(lambda x: tl.maximum(x, 0.0), [nan], [0.0], "nothing was chosen"),
    "sort, ties": Row(
        lambda x: tl.sort(x) * np.array([1.0, 2.0, 3.0]),
        [2.0, 1.0, 1.0],
        [3.0, 1.0, 2.0],
        "stable: equal ones keep their order",
    ),
    "topk, ties": Row(lambda x: tl.topk(x, 1)[0], [2.0, 2.0], [1.0, 0.0], "the first one, at a tie"),
    # --- corners and poles
    "abs at 0": Row(tl.abs, [0.0, -0.0, -2.0], [0.0, 0.0, -1.0], "the middle of [−1, 1]"),
    "norm at 0": Row(tl.norm, [0.0, 0.0], [0.0, 0.0], "the least subgradient, as PyTorch has it since 1.0"),
    "norm of one axis at 0": Row(
        lambda x: tl.norm(x, axis=1), [[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0], [0.6, 0.8]], "row by row"
    ),
    "norm, p = 1.5, with a zero": Row(lambda x: tl.norm(x, 1.5), [0.0, 1.0], [0.0, 1.0], "|0|^0.5 is 0, not 0 · ∞"),
    "√ at 0": Row(tl.sqrt, [0.0, 4.0], [inf, 0.25], "vertical: an infinite slope is true, NaN is not"),
    "√ of a square at 0": Row(lambda x: tl.sqrt(x * x), [0.0], [nan], "∞ · 0, in every library: write abs or norm"),
    "atan2 at the origin": Row(lambda x: tl.atan2(x, x * 0.0), [0.0], [0.0], "0 by convention, as in PyTorch"),
    "hypot at the origin": Row(lambda x: tl.hypot(x, 0.0), [0.0], [0.0], "0, as norm"),
    "asin at 1": Row(tl.asin, [1.0], [inf], "vertical"),
    "tan, σ, tanh far out": Row(lambda x: tl.sigmoid(x) + tl.tanh(x), [-1e4, 1e4], [0.0, 0.0], "flat, without ∞ / ∞"),
    "softplus at ±1e4": Row(tl.softplus, [-1e4, 0.0, 1e4], [0.0, 0.5, 1.0], "σ(x); JAX once had 0 at 0"),
    "std of a constant": Row(tl.std, [3.0, 3.0], [0.0, 0.0], "the least subgradient of a norm, not 0 / 0"),
    "std of one element": Row(tl.std, [3.0], [0.0], "it is always 0"),
    "var of one element": Row(tl.var, [3.0], [0.0], "it is always 0"),
    # --- powers and products
    "x⁰": Row(lambda x: x**0, [0.0, 2.0], [0.0, 0.0], "1 everywhere"),
    "x^0.0, an array of exponents": Row(lambda x: x ** np.zeros(2), [0.0, 2.0], [0.0, 0.0], "the same"),
    "x¹ at 0": Row(lambda x: x**1, [0.0], [1.0], "not 1 · 0⁰ in doubt"),
    "x² at 0": Row(lambda x: x**2.0, [0.0, -3.0], [0.0, -6.0], "no log of x is in it"),
    "x^½ at 0": Row(lambda x: x**0.5, [0.0], [inf], "as √"),
    "0^y": Row(lambda y: tl.pow(0.0, y), [0.0, 1.0, 2.0], [0.0, 0.0, 0.0], "0 · log 0 counts as 0"),
    "(−2)^y": Row(lambda x: tl.pow(x, np.array([2.0, 3.0])), [-2.0, -2.0], [-4.0, 12.0], "no log of x is in it"),
    "prod, one zero": Row(tl.prod, [2.0, 0.0, 3.0], [0.0, 6.0, 0.0], "the product of the others: no quotient"),
    "prod, two zeros": Row(tl.prod, [2.0, 0.0, 0.0], [0.0, 0.0, 0.0], "the same"),
    "cumprod, a zero": Row(tl.cumprod, [2.0, 0.0, 3.0], [1.0, 8.0, 0.0], "the same"),
    "x / x at 0": Row(lambda x: x / x, [0.0], [nan], "0 / 0 has no value, nor a slope"),
    "x log x at 0": Row(
        lambda x: tl.where(x > 0, x * tl.log(tl.where(x > 0, x, 1.0)), 0.0), [0.0, 1.0], [0.0, 1.0], "guarded inside"
    ),
    # --- logarithms of sums
    "logsumexp of −∞": Row(
        tl.logsumexp, [-inf, -inf], [0.5, 0.5], "the limit along the diagonal; NaN would poison a whole lattice"
    ),
    "logsumexp, one −∞": Row(tl.logsumexp, [-inf, 0.0], [0.0, 1.0], "softmax"),
    "logaddexp of −∞": Row(lambda x: tl.logaddexp(x, -inf), [-inf, 0.0], [0.5, 1.0], "the same"),
    "log_softmax of huge logits": Row(
        lambda x: tl.log_softmax(x)[0], [1e4, -1e4, 0.0], [0.0, 0.0, 0.0], "1 − 1, not ∞ − ∞"
    ),
    "softmax, masked": Row(
        masked_softmax, [0.0, 0.0, 5.0], [-0.25, 0.25, 0.0], "what is masked out gets nothing, and gives nothing"
    ),
    "attention, a row that may attend to nothing": Row(
        attention, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]], "zeros with the gradient 0, not NaN"
    ),
    "cross-entropy of certain logits": Row(
        lambda x: tl.softmax_cross_entropy(x, 1), [1e4, -1e4], [1.0, -1.0], "A − Y, though log of a probability is −∞"
    ),
    "binary cross-entropy at ±1e4": Row(
        lambda x: tl.sigmoid_cross_entropy(x, np.array([1.0, 0.0])), [-1e4, 1e4], [-1.0, 1.0], "σ(z) − y"
    ),
    # --- places that are used twice
    "x[[0, 0]]": Row(lambda x: x[[0, 0]], [1.0, 2.0], [2.0, 0.0], "repeats add up"),
    "broadcast in where": Row(
        lambda x: tl.where(np.array([True, False, True]), x, 0.0), 2.0, 2.0, "summed over what was broadcast"
    ),
    "a % b": Row(lambda x: tl.remainder(7.0, x), [3.0, -3.0], [-2.0, 3.0], "−⌊a / b⌋, not −trunc: the sign counts"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_gradient_is_the_one_agreed_on(row: Row, create_graph: bool) -> None:
    for dtype in (np.float32, np.float64):
        x = Tensor(np.array(row.x, dtype), requires_grad=True)
        (g,) = gradients(row.f(x).sum(), [x], create_graph=create_graph)
        assert g.dtype == dtype
        np.testing.assert_allclose(g.numpy(), row.slope, rtol=1e-6, atol=1e-7, err_msg=row.why)


# What is differentiated twice, where, and the sum of the second derivatives' matrix over its rows.
SECOND: dict[str, Row] = {
    "0⁰": Row(lambda x: x[0] ** x[1], [0.0, 0.0], [0.0, 0.0], "the first derivatives are 0 by convention; 0 is flat"),
    "0^2 in the exponent": Row(lambda x: x[0] ** x[1], [0.0, 2.0], [2.0, 0.0], "that of x²; ∂/∂b is flat"),
    "prod, two zeros": Row(tl.prod, [2.0, 0.0, 0.0], [0.0, 2.0, 2.0], "∂²/∂x₂∂x₃ = x₁"),
    "norm at 0": Row(tl.norm, [0.0, 0.0], [0.0, 0.0], "0 by convention"),
    "var of a constant": Row(tl.var, [3.0, 3.0], [0.0, 0.0], "x − mean changes by nothing when all are moved"),
    "logaddexp, far apart": Row(
        lambda x: tl.logaddexp(x[0], 3 * x[1]), [60.0, 0.0], [-2 * np.exp(-60), 6 * np.exp(-60)], "no row is lost"
    ),
    "det of a singular matrix": Row(
        lambda x: tl.det(tl.reshape(x, (2, 2))), [0.0] * 4, [1.0, -1.0, -1.0, 1.0], "ad − bc is a polynomial"
    ),
}


@pytest.mark.parametrize("row", SECOND.values(), ids=SECOND)
def test_the_second_derivative_is_the_one_agreed_on(row: Row) -> None:
    found = tl.hessian(row.f)(np.array(row.x)).numpy()
    np.testing.assert_allclose(found.sum(axis=0), row.slope, rtol=1e-10, atol=0, err_msg=row.why)


@pytest.mark.parametrize("row", [ROWS["prod, one zero"], ROWS["norm at 0"], ROWS["0^y"]])
def test_a_rule_with_a_quotient_is_noticed(row: Row) -> None:
    naive = {"the product of the others: no quotient": lambda x: tl.exp(tl.log(x).sum())}
    f = naive.get(row.why, lambda x: tl.exp(0.5 * tl.log(x * x)))
    x = Tensor(np.array(row.x), requires_grad=True)
    with np.errstate(all="ignore"):
        (g,) = gradients(f(x).sum(), [x])
    assert not np.allclose(g.numpy(), row.slope)
