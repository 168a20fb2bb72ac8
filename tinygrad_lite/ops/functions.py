"""Functions of one variable, element by element.

To add one: write its forward pass as a function on arrays and, above it, its vjp rule.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import NONZERO, POSITIVE, POWER, PRODUCT, UNIT, Domain, op
from ..tensor import ArrayLike, Tensor, is_array

__all__ = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "exp", "exp2", "expm1", "floor",
    "log", "log10", "log1p", "log2", "masked", "normal_cdf", "reciprocal", "relu", "round", "rsqrt", "sigmoid", "sign",
    "sin", "sinh", "sqrt", "square", "step", "tan", "tanh", "trunc",
]  # fmt: skip

LN2, LN10 = math.log(2), math.log(10)


def floating(x: Any) -> Any:
    """Return integers and booleans as float64, and floats as they are."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


# --- exponential and logarithm ----------------------------------------------------------------------------------------


@op(lambda g, out, _x: g * out, text="exp({0})", latex=r"e^{{{0}}}", numpy=np.exp)
def exp(x: ArrayLike) -> Any:
    """Return eˣ.

    >>> exp(Tensor([0.0, 1.0])).numpy().round(3)
    array([1.   , 2.718], dtype=float32)
    """
    return np.exp(floating(x))


@op(lambda g, out, _x: g * out * LN2, text="2^{0}", latex="2^{{{0}}}", precedence=POWER, numpy=np.exp2)
def exp2(x: ArrayLike) -> Any:
    """Return 2ˣ.

    >>> exp2(Tensor([0.0, 3.0]))
    Tensor([1., 8.], dtype=float32)
    """
    return np.exp2(floating(x))


@op(lambda g, _out, x: g * exp(x), text="(exp({0}) − 1)", latex=r"(e^{{{0}}} - 1)", numpy=np.expm1)
def expm1(x: ArrayLike) -> Any:
    """Return eˣ − 1, exact also for small x, where the difference would cancel.

    >>> expm1(Tensor([0.0, 1e-10]))
    Tensor([0.e+00, 1.e-10], dtype=float32)
    """
    return np.expm1(floating(x))


@op(lambda g, _out, x: g / x, text="log({0})", latex=r"\log({0})", domain=(POSITIVE,), numpy=np.log)
def log(x: ArrayLike) -> Any:
    """Return the natural logarithm; x > 0.

    >>> log(Tensor([1.0, 10.0])).numpy().round(3)
    array([0.   , 2.303], dtype=float32)
    """
    return np.log(floating(x))


@op(lambda g, _out, x: g / (x * LN2), text="log₂({0})", latex=r"\log_2({0})", domain=(POSITIVE,), numpy=np.log2)
def log2(x: ArrayLike) -> Any:
    """Return the logarithm to base 2; x > 0.

    >>> log2(Tensor([1.0, 8.0]))
    Tensor([0., 3.], dtype=float32)
    """
    return np.log2(floating(x))


@op(
    lambda g, _out, x: g / (x * LN10),
    text="log₁₀({0})",
    latex=r"\log_{{10}}({0})",
    domain=(POSITIVE,),
    numpy=np.log10,
)
def log10(x: ArrayLike) -> Any:
    """Return the logarithm to base 10; x > 0.

    >>> log10(Tensor([1.0, 100.0])).numpy().round(3)
    array([0., 2.], dtype=float32)
    """
    return np.log10(floating(x))


@op(
    lambda g, _out, x: g / (1 + x),
    text="log(1 + {0})",
    latex=r"\log(1 + {0})",
    domain=(Domain(low=-1.0),),
    numpy=np.log1p,
)
def log1p(x: ArrayLike) -> Any:
    """Return log(1 + x), exact also for small x, where the sum would round x away; x > −1.

    >>> log1p(Tensor([0.0, 1e-10]))
    Tensor([0.e+00, 1.e-10], dtype=float32)
    """
    return np.log1p(floating(x))


# --- powers -----------------------------------------------------------------------------------------------------------


@op(lambda g, out, _x: g * 0.5 / out, text="√({0})", latex=r"\sqrt{{{0}}}", domain=(POSITIVE,), numpy=np.sqrt)
def sqrt(x: ArrayLike) -> Any:
    """Return the square root; x ≥ 0, the derivative at 0 is infinite.

    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.], dtype=float32)
    """
    return np.sqrt(floating(x))


@op(
    lambda g, out, _x: -0.5 * g * out * out * out,
    text="{0}^(−½)",
    latex=r"{0}^{{-1/2}}",
    precedence=POWER,
    domain=(POSITIVE,),
)
def rsqrt(x: ArrayLike) -> Any:
    """Return 1 / √x; x > 0.

    >>> rsqrt(Tensor([4.0, 16.0]))
    Tensor([0.5 , 0.25], dtype=float32)
    """
    return 1 / np.sqrt(x)


@op(lambda g, _out, x: 2 * g * x, text="{0}²", latex="{0}^2", precedence=POWER, numpy=np.square)
def square(x: ArrayLike) -> Any:
    """Return x².

    >>> square(Tensor([1.0, -3.0]))
    Tensor([1., 9.], dtype=float32)
    """
    return np.square(x)


@op(
    lambda g, out, _x: -g * out * out,
    text="{0}⁻¹",
    latex="{0}^{{-1}}",
    precedence=POWER,
    domain=(NONZERO,),
    numpy=np.reciprocal,
)
def reciprocal(x: ArrayLike) -> Any:
    """Return 1 / x; integers give floats, while those of np.reciprocal are rounded to 0.

    >>> reciprocal(Tensor([2.0, -4.0]))
    Tensor([ 0.5 , -0.25], dtype=float32)
    """
    return np.reciprocal(floating(x))


# --- trigonometric and hyperbolic functions ---------------------------------------------------------------------------


@op(lambda g, _out, x: g * cos(x), text="sin({0})", latex=r"\sin({0})", numpy=np.sin)
def sin(x: ArrayLike) -> Any:
    """Return the sine of an angle in radians.

    >>> sin(Tensor([0.0, 0.5])).numpy().round(3)
    array([0.   , 0.479], dtype=float32)
    """
    return np.sin(floating(x))


@op(lambda g, _out, x: -g * sin(x), text="cos({0})", latex=r"\cos({0})", numpy=np.cos)
def cos(x: ArrayLike) -> Any:
    """Return the cosine of an angle in radians.

    >>> cos(Tensor([0.0, 0.5])).numpy().round(3)
    array([1.   , 0.878], dtype=float32)
    """
    return np.cos(floating(x))


@op(lambda g, out, _x: g * (1 + out * out), text="tan({0})", latex=r"\tan({0})", numpy=np.tan)
def tan(x: ArrayLike) -> Any:
    """Return the tangent of an angle in radians; it has poles at the odd multiples of π/2.

    >>> tan(Tensor([0.0, 0.5])).numpy().round(3)
    array([0.   , 0.546], dtype=float32)
    """
    return np.tan(floating(x))


@op(
    lambda g, _out, x: g / sqrt(1 - x * x),  # (1 − x) (1 + x) would be exact at ±1, but its derivative cancels at 0
    text="arcsin({0})",
    latex=r"\arcsin({0})",
    domain=(UNIT,),
    numpy=np.arcsin,
)
def asin(x: ArrayLike) -> Any:
    """Return the angle in [−π/2, π/2] whose sine is x; |x| ≤ 1, the derivative at ±1 is infinite.

    >>> asin(Tensor([0.0, 1.0])).numpy().round(3)
    array([0.   , 1.571], dtype=float32)
    """
    return np.arcsin(floating(x))


@op(
    lambda g, _out, x: -g / sqrt(1 - x * x),
    text="arccos({0})",
    latex=r"\arccos({0})",
    domain=(UNIT,),
    numpy=np.arccos,
)
def acos(x: ArrayLike) -> Any:
    """Return the angle in [0, π] whose cosine is x; |x| ≤ 1, the derivative at ±1 is infinite.

    >>> acos(Tensor([0.0, 1.0])).numpy().round(3)
    array([1.571, 0.   ], dtype=float32)
    """
    return np.arccos(floating(x))


@op(lambda g, _out, x: g / (1 + x * x), text="arctan({0})", latex=r"\arctan({0})", numpy=np.arctan)
def atan(x: ArrayLike) -> Any:
    """Return the angle in (−π/2, π/2) whose tangent is x.

    >>> atan(Tensor([0.0, 1.0])).numpy().round(3)
    array([0.   , 0.785], dtype=float32)
    """
    return np.arctan(floating(x))


@op(lambda g, _out, x: g * cosh(x), text="sinh({0})", latex=r"\sinh({0})", numpy=np.sinh)
def sinh(x: ArrayLike) -> Any:
    """Return the hyperbolic sine.

    >>> sinh(Tensor([0.0, 1.0])).numpy().round(3)
    array([0.   , 1.175], dtype=float32)
    """
    return np.sinh(floating(x))


@op(lambda g, _out, x: g * sinh(x), text="cosh({0})", latex=r"\cosh({0})", numpy=np.cosh)
def cosh(x: ArrayLike) -> Any:
    """Return the hyperbolic cosine.

    >>> cosh(Tensor([0.0, 1.0])).numpy().round(3)
    array([1.   , 1.543], dtype=float32)
    """
    return np.cosh(floating(x))


@op(lambda g, out, _x: g * (1 - out * out), text="tanh({0})", latex=r"\tanh({0})", numpy=np.tanh, activation=True)
def tanh(x: ArrayLike) -> Any:
    """Return the hyperbolic tangent.

    >>> tanh(Tensor([0.0, 1.0])).numpy().round(3)
    array([0.   , 0.762], dtype=float32)
    """
    return np.tanh(floating(x))


@op(lambda g, _out, x: g / sqrt(1 + x * x), text="arsinh({0})", latex=r"\mathrm{{arsinh}}({0})", numpy=np.arcsinh)
def asinh(x: ArrayLike) -> Any:
    """Return the number whose hyperbolic sine is x.

    >>> asinh(Tensor([0.0, 1.0])).numpy().round(3)
    array([0.   , 0.881], dtype=float32)
    """
    return np.arcsinh(floating(x))


@op(
    lambda g, _out, x: g / sqrt((x - 1) * (x + 1)),
    text="arcosh({0})",
    latex=r"\mathrm{{arcosh}}({0})",
    domain=(Domain(low=1.0),),
    numpy=np.arccosh,
)
def acosh(x: ArrayLike) -> Any:
    """Return the number ≥ 0 whose hyperbolic cosine is x; x ≥ 1, the derivative at 1 is infinite.

    >>> acosh(Tensor([1.0, 2.0])).numpy().round(3)
    array([0.   , 1.317], dtype=float32)
    """
    return np.arccosh(floating(x))


@op(
    lambda g, _out, x: g / (1 - x * x),
    text="artanh({0})",
    latex=r"\mathrm{{artanh}}({0})",
    domain=(UNIT,),
    numpy=np.arctanh,
)
def atanh(x: ArrayLike) -> Any:
    """Return the number whose hyperbolic tangent is x; |x| < 1.

    >>> atanh(Tensor([0.0, 0.5])).numpy().round(3)
    array([0.   , 0.549], dtype=float32)
    """
    return np.arctanh(floating(x))


# --- the normal distribution and the logistic function ----------------------------------------------------------------

# Rational approximations of erf(x) / x in x², for |x| < 0.46875, and of exp(x²) erfc(x) in x beyond: the numerators and
# denominators, from the highest power on.  Those for double precision are of Cody (1969), Rational Chebyshev approximations
# for the error function, Mathematics of Computation 23; those for single precision, a third as long, were fitted in
# the same form, to a relative error of 2.4e-8.
DOUBLE = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
     8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
SINGLE = (
    (0.089147345, -0.421606184, 4.6499197),
    (1.0, 4.12088397),
    (0.564120779, 2.63799787, 5.50758361, 5.24636793),
    (1.0, 4.67267997, 10.2952561, 11.4247423, 5.24671838),
)
BLOCK = 1 << 15  # elements: what is computed in between stays in the cache


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Evaluate a polynomial by Horner's rule."""
    out = coefficients[0] * x + coefficients[1]
    for c in coefficients[2:]:
        out *= x
        out += c
    return out


def _erf(x: Any, complement: bool) -> Any:
    """Return erf(x), or erfc(x) = 1 − erf(x) without cancellation."""
    if x.size > BLOCK:
        flat = x.reshape(-1)
        out = np.empty_like(flat)
        for i in range(0, flat.size, BLOCK):
            out[i : i + BLOCK] = _erf(flat[i : i + BLOCK], complement)
        return out.reshape(x.shape)
    if x.dtype == np.float16:
        return _erf(x.astype(np.float32), complement).astype(x.dtype)
    p, q, r, s = SINGLE if x.dtype == np.float32 else DOUBLE
    size = np.abs(x)
    near = (size < 0.46875).astype(
        x.dtype
    )  # 1 or 0: a product is faster than np.where, whose branches are hard to predict
    y = np.clip(x, -0.5, 0.5)
    center = y * (_polynomial(p, y * y) / _polynomial(q, y * y))
    y = np.clip(size, 0.4, 30)  # beyond, exp(−y²) is 0
    tail = np.exp(-y * y) * (_polynomial(r, y) / _polynomial(s, y))
    if not complement:
        return near * center + (1 - near) * np.copysign(1 - tail, x)
    double = 2 * (x < 0).astype(x.dtype)
    return near * (1 - center) + (1 - near) * (double + (1 - double) * tail)  # erfc(x) = 2 − erfc(−x)


def gaussian(x: Any) -> Any:
    """Return Φ(x) of a plain array: (1 + erf(x / √2)) / 2 without cancellation."""
    return 0.5 * _erf(x * -math.sqrt(0.5), complement=True)


def logistic(x: Any) -> Any:
    """Return 1 / (1 + e⁻ˣ) of a plain array; where e⁻ˣ overflows, 0 is right."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


@op(
    lambda g, _out, x: g * exp(-x * x) * (2 / math.sqrt(math.pi)),
    text="erf({0})",
    latex=r"\mathrm{{erf}}({0})",
)
def erf(x: ArrayLike) -> Any:
    """Return the error function, 2/√π ∫₀ˣ exp(−t²) dt, to a few units in the last place.

    >>> erf(Tensor([0.0, 0.5])).numpy().round(3)
    array([0.  , 0.52], dtype=float32)
    """
    return _erf(floating(x), complement=False)


@op(lambda g, _out, x: g * (exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))), text="Φ({0})", latex=r"\Phi({0})")
def normal_cdf(x: ArrayLike) -> Any:
    """Return Φ(x), the probability that a standard normal variable is below x; it keeps its digits where it is tiny.

    >>> normal_cdf(Tensor([-1.0, 0.0])).numpy().round(3)
    array([0.159, 0.5  ], dtype=float32)
    """
    return gaussian(floating(x))


@op(lambda g, out, _x: g * out * (1 - out), text="σ({0})", latex=r"\sigma({0})", activation=True)
def sigmoid(x: ArrayLike) -> Any:
    """Return the logistic function 1 / (1 + e⁻ˣ), without overflow at either end.

    >>> sigmoid(Tensor([0.0, -1000.0]))
    Tensor([0.5, 0. ], dtype=float32)
    """
    return logistic(floating(x))


# --- with corners and jumps -------------------------------------------------------------------------------------------


@op(
    lambda g, _out, x: masked(g, step(x) if isinstance(x, Tensor) else x > 0),  # arrays: a boolean mask is faster
    text="ReLU({0})",
    latex=r"\mathrm{{ReLU}}({0})",
    kink=lambda x: x,
    convention="ReLU'(0) = 0",
    activation=True,
)
def relu(x: ArrayLike) -> Any:
    """Return max(x, 0); its derivative at 0 is 0.

    >>> relu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([0., 0., 2.], dtype=float32)
    """
    return np.maximum(x, 0)


@op(
    lambda g, _out, _x, mask: masked(g, mask),
    None,
    text="{0} ⊙ {1}",
    latex=r"{0} \odot {1}",
    precedence=PRODUCT,
    form="elementwise",
)
def masked(x: ArrayLike, mask: ArrayLike) -> Any:
    """Return x where the mask holds, and 0 elsewhere, also where x is infinite or NaN; x ⊙ mask would be NaN there.

    Raises ValueError where the shapes differ.

    >>> masked(Tensor([np.inf, np.inf, 2.0]), np.array([False, True, True]))
    Tensor([ 0., inf,  2.], dtype=float32)
    """
    if np.shape(mask) != np.shape(x):
        raise ValueError("the mask must have the shape of x; broadcast_to it first")
    mask = mask if getattr(mask, "dtype", None) == np.bool_ else np.not_equal(mask, 0)
    size = x.dtype.itemsize if is_array(x) and x.size > 1000 else 0
    if size not in (2, 4, 8):
        return np.where(mask, x, 0)
    bits = np.negative(mask.view(np.int8)).astype(f"i{size}")  # all 1 or all 0: ten times as fast as np.where
    bits &= x.view(bits.dtype)
    return bits.view(x.dtype)


@op(None, text="ReLU'({0})", latex=r"\mathrm{{ReLU}}'({0})", domain=(NONZERO,))
def step(x: ArrayLike) -> Any:
    """Return 1 where x > 0 and 0 elsewhere, in the dtype of x: the derivative of relu.

    >>> step(Tensor([-1.0, 0.0, 2.0]))
    Tensor([0., 0., 1.], dtype=float32)
    """
    return (x > 0).astype(x.dtype)


@op(
    lambda g, _out, x: g * sign(x),
    text="|{0}|",
    latex="|{0}|",
    kink=lambda x: x,
    convention="the derivative at 0 is 0",
    numpy=np.absolute,
    methods=["__abs__"],
)
def abs(x: ArrayLike) -> Any:
    """Return |x|; its derivative at 0 is 0.

    >>> abs(Tensor([-1.0, 2.0]))
    Tensor([1., 2.], dtype=float32)
    """
    return np.absolute(x)


@op(None, text="sign({0})", latex=r"\mathrm{{sign}}({0})", domain=(NONZERO,), numpy=np.sign)
def sign(x: ArrayLike) -> Any:
    """Return −1, 0 or 1; the derivative is 0.

    >>> sign(Tensor([-3.0, 0.0, 2.0]))
    Tensor([-1.,  0.,  1.], dtype=float32)
    """
    return np.sign(x)


@op(
    None,
    text="⌊{0}⌋",
    latex=r"\lfloor {0} \rfloor",
    kink=lambda x: x - np.round(x),
    convention="the derivative at a jump is 0",
    numpy=np.floor,
)
def floor(x: ArrayLike) -> Any:
    """Return the largest integer ≤ x, in the dtype of x; the derivative is 0.

    >>> floor(Tensor([-1.5, 1.5]))
    Tensor([-2.,  1.], dtype=float32)
    """
    return np.floor(x)


@op(
    None,
    text="⌈{0}⌉",
    latex=r"\lceil {0} \rceil",
    kink=lambda x: x - np.round(x),
    convention="the derivative at a jump is 0",
    numpy=np.ceil,
)
def ceil(x: ArrayLike) -> Any:
    """Return the smallest integer ≥ x, in the dtype of x; the derivative is 0.

    >>> ceil(Tensor([-1.5, 1.5]))
    Tensor([-1.,  2.], dtype=float32)
    """
    return np.ceil(x)


@op(
    None,
    text="trunc({0})",
    kink=lambda x: np.where(np.abs(x) < 0.5, 1.0, x - np.round(x)),
    convention="the derivative at a jump is 0",
    numpy=np.trunc,
)
def trunc(x: ArrayLike) -> Any:
    """Return x without its fraction, which is rounded towards 0, in the dtype of x; the derivative is 0.

    >>> trunc(Tensor([-1.5, 1.5]))
    Tensor([-1.,  1.], dtype=float32)
    """
    return np.trunc(x)


def _round_kink(x: Any, decimals: int) -> Any:
    """Return the distance to the nearest jump: these lie halfway between the multiples of 10^−decimals."""
    unit = 10.0**-decimals
    return unit * (x / unit - np.floor(x / unit) - 0.5)


@op(
    None,
    text="round({0}, {decimals})",
    latex=r"\mathrm{{round}}({0}, {decimals})",
    kink=_round_kink,
    convention="the derivative at a jump is 0",
    numpy=np.round,
    methods=["__round__"],
)
def round(x: ArrayLike, decimals: int = 0) -> Any:
    """Return x rounded to that many decimals, halves to the even neighbour; the derivative is 0.

    `decimals` may be negative: −2 rounds to hundreds.

    >>> round(Tensor([0.5, 1.5, 1.26]), 1), round(Tensor([0.5, 1.5]))
    (Tensor([0.5, 1.5, 1.3], dtype=float32), Tensor([0., 2.], dtype=float32))
    """
    return np.round(x, decimals)
