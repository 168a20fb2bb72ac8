"""Arithmetic, choices and comparisons, element by element, that broadcast as NumPy's do.

To add one: write its forward pass as a function on arrays and, above it, one vjp rule per input.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ..op import NONZERO, NUMBERS, POSITIVE, POWER, PRODUCT, REAL, RELATION, SUM, UNARY, composed, op
from ..tensor import ArrayLike, is_array
from .activations import survival
from .functions import log, sign

__all__ = [
    "add", "astype", "atan2", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "clip", "copysign", "div", "equal",
    "floor_divide", "fmax", "fmin", "greater", "greater_equal", "hypot", "less", "less_equal", "logaddexp",
    "maximum", "minimum", "mul", "nan_to_num", "neg", "not_equal", "positive", "pow", "remainder", "sub", "where",
]  # fmt: skip

binary = partial(op, broadcasts=True, form="elementwise")
compare = partial(op, broadcasts=True, inputs=2, precedence=RELATION)

# --- arithmetic -------------------------------------------------------------------------------------------------------


@binary(
    lambda g, _out, _a, _b: g,
    lambda g, _out, _a, _b: g,
    text="{0} + {1}",
    precedence=SUM,
    numpy=np.add,
    methods=["__add__"],
)
def add(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a + b, elementwise.

    >>> add(Tensor([1.0, 2.0]), 1)
    Tensor([2., 3.], dtype=float32)
    """
    return np.add(a, b)


@binary(
    lambda g, _out, _a, _b: g,
    lambda g, _out, _a, _b: -g,
    text="{0} − {1}",
    latex="{0} - {1}",
    precedence=SUM,
    numpy=np.subtract,
    methods=["__sub__"],
)
def sub(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a − b, elementwise.

    >>> sub(Tensor([1.0, 2.0]), 1)
    Tensor([0., 1.], dtype=float32)
    """
    return np.subtract(a, b)


@binary(
    lambda g, _out, _a, b: g * b,
    lambda g, _out, a, _b: g * a,
    text="{0} ⊙ {1}",
    latex=r"{0} \odot {1}",
    precedence=PRODUCT,
    numpy=np.multiply,
    methods=["__mul__"],
)
def mul(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a ⊙ b, the elementwise product.

    >>> mul(Tensor([1.0, 2.0]), 3)
    Tensor([3., 6.], dtype=float32)
    """
    return np.multiply(a, b)


@binary(
    lambda g, _out, _a, b: g / b,
    lambda g, out, _a, b: -g * out / b,
    text="{0} / {1}",
    latex=r"\frac{{{0}}}{{{1}}}",
    precedence=PRODUCT,
    domain=(REAL, NONZERO),
    numpy=np.divide,
    methods=["__truediv__"],
)
def div(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a / b, elementwise.

    >>> div(Tensor([1.0, 2.0]), 2)
    Tensor([0.5, 1. ], dtype=float32)
    """
    return np.divide(a, b)


def _to_a_jump(a: Any, b: Any) -> Any:
    """Return about how far a and b may move before a / b is whole."""
    ratio = np.divide(a, b)
    return b * (ratio - np.round(ratio)) / (1 + np.abs(ratio))


@binary(
    None,
    None,
    text="⌊{0} / {1}⌋",
    latex=r"\left\lfloor \frac{{{0}}}{{{1}}} \right\rfloor",
    domain=(REAL, NONZERO),
    kink=_to_a_jump,
    convention="the derivative at a jump is 0",
    numpy=np.floor_divide,
    methods=["__floordiv__"],
)
def floor_divide(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a // b = ⌊a / b⌋, elementwise; the derivatives are 0.

    >>> floor_divide(Tensor([7.0, -7.0]), 2)
    Tensor([ 3., -4.], dtype=float32)
    """
    return np.floor_divide(a, b)


@binary(
    lambda g, _out, _a, _b: g,
    lambda g, _out, a, b: -g * floor_divide(a, b),
    text="{0} mod {1}",
    latex=r"{0} \bmod {1}",
    precedence=PRODUCT,
    domain=(REAL, NONZERO),
    kink=_to_a_jump,
    convention="at a jump the derivatives are those from the right",
    numpy=np.remainder,
    methods=["__mod__"],
)
def remainder(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a % b = a − b ⌊a / b⌋, which has the sign of b, elementwise; ∂/∂b = −⌊a / b⌋.

    >>> remainder(Tensor([7.0, -7.0]), 4)
    Tensor([3., 1.], dtype=float32)
    """
    return np.remainder(a, b)


@op(
    lambda g, _out, _x: -g,
    text="−{0}",
    latex="-{0}",
    precedence=UNARY,
    numpy=np.negative,
    methods=["__neg__"],
)
def neg(x: ArrayLike) -> Any:
    """Return −x.

    >>> neg(Tensor([1.0, -2.0]))
    Tensor([-1.,  2.], dtype=float32)
    """
    return np.negative(x)


@op(lambda g, _out, _x: g, text="+{0}", precedence=UNARY, numpy=np.positive, methods=["__pos__"], form="reshaping")
def positive(x: ArrayLike) -> Any:
    """Return a copy of x: the same value as a node of its own.

    >>> positive(Tensor([1.0, -2.0]))
    Tensor([ 1., -2.], dtype=float32)
    """
    return np.positive(x)


def _pow_base(g: Any, _out: Any, a: Any, b: Any) -> Any:
    """d(aᵇ)/da = b aᵇ⁻¹, and 0 where b = 0, also at a = 0."""
    if isinstance(b, float | int):
        return g * (b * a ** (b - 1)) if b != 0 else g * 0.0
    flat = b == 0
    return where(flat, 0.0, g * b * a ** where(flat, 1.0, b - 1))


def _pow_exponent(g: Any, out: Any, a: Any, b: Any) -> Any:
    """d(aᵇ)/db = aᵇ log a, and 0 where a = 0 and b ≥ 0."""
    a = np.asarray(a, out.dtype) if isinstance(a, float | int) else a  # where would make a float32 of a number
    vanishes = where(a == 0, b >= 0, False)
    return where(vanishes, 0.0, g * out * log(where(vanishes, 1.0, a)))


@binary(
    _pow_base,
    _pow_exponent,
    text="{0}^{1}",
    latex="{0}^{{{1}}}",
    precedence=POWER,
    domain=(POSITIVE, REAL),
    convention="at 0⁰ both derivatives are 0, as in PyTorch",
    numpy=np.power,
    methods=["__pow__"],
)
def pow(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a to the power of b, elementwise.

    >>> pow(Tensor([1.0, 3.0]), 2)
    Tensor([1., 9.], dtype=float32)
    """
    return a**b if isinstance(b, float | int) else np.power(a, b)  # ** is fast for 2, ½ and −1


def _turn(g: Any, a: Any, b: Any) -> Any:
    """Return g a / (a² + b²), and 0 at the origin and at infinity; both are scaled first, so that no square overflows."""
    a, b = (np.asarray(x, g.dtype) if isinstance(x, float | int) else x for x in (a, b))
    size = abs(a) + abs(b)
    nowhere = (size == 0) | (size == math.inf)
    if np.any(nowhere):
        g, a, b, size = (where(nowhere, other, x) for other, x in ((0.0, g), (1.0, a), (1.0, b), (2.0, size)))
    a, b = a / size, b / size
    return g * a / size / (a * a + b * b)


@binary(
    lambda g, _out, y, x: _turn(g, x, y),
    lambda g, _out, y, x: _turn(-g, y, x),
    text="atan2({0}, {1})",
    latex=r"\mathrm{{atan2}}({0}, {1})",
    kink=lambda y, x: np.where(np.greater(x, 0), 1.0, y),
    convention="the derivatives at the origin and at infinity are 0; the jump along the negative x axis does not count",
    numpy=np.arctan2,
)
def atan2(y: ArrayLike, x: ArrayLike) -> Any:
    """Return the angle in [−π, π] between the x axis and the point (x, y); y comes first.

    The derivatives at the origin and at infinity are 0.

    >>> atan2(Tensor([0.0, 1.0]), Tensor([1.0, 0.0])).numpy().round(3)
    array([0.   , 1.571], dtype=float32)
    """
    return np.arctan2(y, x)


def _leg(g: Any, out: Any, mine: Any) -> Any:
    """Return g mine / out, and 0 at the origin and at infinity."""
    nowhere = (out == 0) | (out == math.inf)
    return g * (where(nowhere, 0.0, mine) / where(nowhere, 1.0, out))


@binary(
    lambda g, out, a, _b: _leg(g, out, a),
    lambda g, out, _a, b: _leg(g, out, b),
    text="√({0}² + {1}²)",
    latex=r"\sqrt{{{0}^2 + {1}^2}}",
    kink=lambda a, b: np.hypot(a, b),
    convention="the derivatives at the origin are 0, as those of norm",
    numpy=np.hypot,
)
def hypot(a: ArrayLike, b: ArrayLike) -> Any:
    """Return √(a² + b²), elementwise, without overflow; the derivatives at the origin are 0.

    >>> hypot(Tensor([3.0, 0.0]), 4)
    Tensor([5., 4.], dtype=float32)
    """
    return np.hypot(a, b)


def _share(g: Any, mine: Any, other: Any) -> Any:
    """Return g σ(mine − other), and half of g where both are the same infinity."""
    tied = (abs(mine) == math.inf) & (mine == other)
    return g * where(tied, 0.5, survival(other - where(tied, 0.0, mine)))


@binary(
    lambda g, _out, a, b: _share(g, a, b),
    lambda g, _out, a, b: _share(g, b, a),
    text="log(exp({0}) + exp({1}))",
    latex=r"\log(e^{{{0}}} + e^{{{1}}})",
    convention="where both are the same infinity, each gets half",
    numpy=np.logaddexp,
)
def logaddexp(a: ArrayLike, b: ArrayLike) -> Any:
    """Return log(eᵃ + eᵇ), elementwise and without overflow; −∞ is the logarithm of 0.

    >>> logaddexp(Tensor([0.0, 1000.0, -np.inf]), 0).numpy().round(3)
    array([6.93e-01, 1.00e+03, 0.00e+00], dtype=float32)
    """
    return np.logaddexp(a, b)


@binary(
    lambda g, _out, a, b: g * sign(a) * copysign(1.0, b),
    None,
    text="copysign({0}, {1})",
    kink=lambda a, _b: a,
    convention="the derivative at 0 is 0, as that of abs",
    numpy=np.copysign,
)
def copysign(a: ArrayLike, b: ArrayLike) -> Any:
    """Return |a| with the sign of b, elementwise; −0.0 is negative.

    >>> copysign(Tensor([1.0, -2.0]), np.array([-3.0, -0.0], np.float32))
    Tensor([-1., -2.], dtype=float32)
    """
    return np.copysign(a, b)


# --- choosing ---------------------------------------------------------------------------------------------------------


@binary(
    None,
    lambda g, _out, c, _x, _y: where(c, g, 0.0),
    lambda g, _out, c, _x, _y: where(c, 0.0, g),
    text="where({0}, {1}, {2})",
    latex=r"\mathrm{{where}}({0}, {1}, {2})",
    numpy=np.where,
)
def where(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> Any:
    """Return x where the condition holds and y elsewhere.

    >>> where(np.array([True, False]), Tensor([1.0, 2.0]), 0)
    Tensor([1., 0.], dtype=float32)
    """
    if type(x) in NUMBERS and type(y) in NUMBERS:  # np.float64 is no such number: it keeps its dtype
        x = np.asarray(x, dtype=np.float32 if float in (type(x), type(y)) else None)
    return np.where(condition, x, y)


def _winner(g: Any, mine: Any, other: Any, wins: Any) -> Any:
    return where(mine == other, 0.5 * g, where(wins, g, 0.0))


@binary(
    lambda g, _out, a, b: _winner(g, a, b, a > b),
    lambda g, _out, a, b: _winner(g, a, b, b > a),
    text="max({0}, {1})",
    latex=r"\max({0}, {1})",
    kink=lambda a, b: np.subtract(a, b),
    convention="a tie is split evenly",
    numpy=np.maximum,
)
def maximum(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the larger of a and b, elementwise; at a tie each gets half of the gradient.

    >>> maximum(Tensor([1.0, 5.0]), 2)
    Tensor([2., 5.], dtype=float32)
    """
    return np.maximum(a, b)


@binary(
    lambda g, _out, a, b: _winner(g, a, b, a < b),
    lambda g, _out, a, b: _winner(g, a, b, b < a),
    text="min({0}, {1})",
    latex=r"\min({0}, {1})",
    kink=lambda a, b: np.subtract(a, b),
    convention="a tie is split evenly",
    numpy=np.minimum,
)
def minimum(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the smaller of a and b, elementwise; at a tie each gets half of the gradient.

    >>> minimum(Tensor([1.0, 5.0]), 2)
    Tensor([1., 2.], dtype=float32)
    """
    return np.minimum(a, b)


@binary(
    lambda g, _out, a, b: _winner(g, a, b, (a > b) | (b != b)),
    lambda g, _out, a, b: _winner(g, b, a, (b > a) | (a != a)),
    text="fmax({0}, {1})",
    latex=r"\mathrm{{fmax}}({0}, {1})",
    kink=lambda a, b: np.subtract(a, b),
    convention="a tie is split evenly; a number wins against NaN",
    numpy=np.fmax,
)
def fmax(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the larger of a and b, elementwise, and where one is NaN the other one.

    >>> fmax(Tensor([1.0, np.nan]), 2)
    Tensor([2., 2.], dtype=float32)
    """
    return np.fmax(a, b)


@binary(
    lambda g, _out, a, b: _winner(g, a, b, (a < b) | (b != b)),
    lambda g, _out, a, b: _winner(g, b, a, (b < a) | (a != a)),
    text="fmin({0}, {1})",
    latex=r"\mathrm{{fmin}}({0}, {1})",
    kink=lambda a, b: np.subtract(a, b),
    convention="a tie is split evenly; a number wins against NaN",
    numpy=np.fmin,
)
def fmin(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the smaller of a and b, elementwise, and where one is NaN the other one.

    >>> fmin(Tensor([1.0, np.nan]), 2)
    Tensor([1., 2.], dtype=float32)
    """
    return np.fmin(a, b)


def _clip_kink(x: Any, min: Any, max: Any) -> Any:
    """Return the least distance between x and the bounds, and between these."""
    gaps = [np.subtract(x, min), np.subtract(x, max), np.subtract(max, min)]
    return np.min(np.abs(np.stack(np.broadcast_arrays(*gaps))), axis=0)


# Comparisons with NaN are false: where x or a bound is NaN, so is the result, and nothing gets a gradient.
@binary(
    lambda g, _out, x, min, max: where((x >= min) & (x <= max), g, 0.0),
    lambda g, _out, x, min, max: where((x < min) & (min <= max), g, 0.0),
    lambda g, _out, x, min, max: where((x > max) | (min > max), g, 0.0),
    text="clip({0}, {1}, {2})",
    latex=r"\mathrm{{clip}}({0}, {1}, {2})",
    kink=_clip_kink,
    convention="at a bound the derivative for x is 1 and that for the bound 0, as in PyTorch; at NaN all are 0",
    numpy=np.clip,
)
def clip(x: ArrayLike, min: ArrayLike = -math.inf, max: ArrayLike = math.inf) -> Any:
    """Limit x to the interval from `min` to `max`, elementwise; None is no limit.  Where min > max, the result is max.

    A gradient flows to x where it lies in the interval, else to the bound that it left.  Raises ValueError without bounds.

    >>> clip(Tensor([-2.0, 0.5, 2.0]), 0, 1)
    Tensor([0. , 0.5, 1. ], dtype=float32)
    """
    low, high = (None if type(bound) is float and math.isinf(bound) else bound for bound in (min, max))
    if low is None and high is None:
        raise ValueError("give min, max or both")
    return np.clip(x, low, high)


# --- masks and bits: no gradient flows ----------------------------------------------------------------------------------


def _bits(*operands: Any) -> None:
    """Refuse floats, which have no bits to speak of: a mask is what a comparison gives."""
    for x in operands:
        if isinstance(x, float) or (is_array(x) and x.dtype.kind == "f"):
            raise TypeError(
                "bits are those of booleans and integers, not of floats; make masks by comparing, in brackets: "
                "(x > 0) & (x < 1), ~(x > 0)"
            )


@compare(text="{0} ∧ {1}", latex=r"{0} \land {1}", numpy=np.bitwise_and, methods=["__and__"])
def bitwise_and(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a & b: where both masks hold, or the common bits of integers.  TypeError for floats.

    >>> x = Tensor([-1.0, 0.5, 2.0])
    >>> where((x > 0) & (x < 1), x, 0)
    Tensor([0. , 0.5, 0. ], dtype=float32)
    """
    _bits(a, b)
    return np.bitwise_and(a, b)


@compare(text="{0} ∨ {1}", latex=r"{0} \lor {1}", numpy=np.bitwise_or, methods=["__or__"])
def bitwise_or(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a | b: where one of the masks holds, or the bits of either integer.  TypeError for floats.

    >>> bitwise_or(np.array([True, False]), np.array([False, False]))
    Tensor([ True, False], dtype=bool)
    """
    _bits(a, b)
    return np.bitwise_or(a, b)


@compare(text="{0} ⊻ {1}", latex=r"{0} \oplus {1}", numpy=np.bitwise_xor, methods=["__xor__"])
def bitwise_xor(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a ^ b: where just one of the masks holds, or the bits in which integers differ.  TypeError for floats.

    >>> bitwise_xor(np.array([True, False]), True)
    Tensor([False,  True], dtype=bool)
    """
    _bits(a, b)
    return np.bitwise_xor(a, b)


@op(text="¬{0}", latex=r"\lnot {0}", precedence=UNARY, numpy=np.bitwise_not, methods=["__invert__"])
def bitwise_not(x: ArrayLike) -> Any:
    """Return ~x: where a mask does not hold, or the flipped bits of integers.  TypeError for floats.

    >>> ~(Tensor([1.0, 3.0]) > 2)
    Tensor([ True, False], dtype=bool)
    """
    _bits(x)
    return np.bitwise_not(x)


@composed(numpy=np.nan_to_num)
def nan_to_num(x: ArrayLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Replace NaN and the infinities by numbers, these by default by the largest of the dtype; no gradient flows there.

    >>> nan_to_num(Tensor([1.0, np.nan, np.inf]), posinf=9.0)
    Tensor([1., 0., 9.], dtype=float32)
    """
    if x.dtype.kind != "f":
        return positive(x)
    most = float(np.finfo(x.dtype).max)
    x = where(x == math.inf, most if posinf is None else posinf, x)
    x = where(x == -math.inf, -most if neginf is None else neginf, x)
    return where(x != x, nan, x)


# --- comparisons and types: no gradient flows -------------------------------------------------------------------------


@compare(text="{0} > {1}", numpy=np.greater, methods=["__gt__"])
def greater(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a > b as booleans.

    >>> greater(Tensor([1.0, 3.0]), 2)
    Tensor([False,  True], dtype=bool)
    """
    return np.greater(a, b)


@compare(text="{0} ≥ {1}", latex=r"{0} \ge {1}", numpy=np.greater_equal, methods=["__ge__"])
def greater_equal(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a ≥ b as booleans.

    >>> greater_equal(Tensor([1.0, 2.0]), 2)
    Tensor([False,  True], dtype=bool)
    """
    return np.greater_equal(a, b)


@compare(text="{0} < {1}", numpy=np.less, methods=["__lt__"])
def less(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a < b as booleans.

    >>> less(Tensor([1.0, 3.0]), 2)
    Tensor([ True, False], dtype=bool)
    """
    return np.less(a, b)


@compare(text="{0} ≤ {1}", latex=r"{0} \le {1}", numpy=np.less_equal, methods=["__le__"])
def less_equal(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a ≤ b as booleans.

    >>> less_equal(Tensor([2.0, 3.0]), 2)
    Tensor([ True, False], dtype=bool)
    """
    return np.less_equal(a, b)


@compare(text="{0} = {1}", numpy=np.equal, methods=["__eq__"])
def equal(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a = b as booleans.

    >>> equal(Tensor([2.0, 3.0]), 2)
    Tensor([ True, False], dtype=bool)
    """
    return np.equal(a, b)


@compare(text="{0} ≠ {1}", latex=r"{0} \ne {1}", numpy=np.not_equal, methods=["__ne__"])
def not_equal(a: ArrayLike, b: ArrayLike) -> Any:
    """Return a ≠ b as booleans.

    >>> not_equal(Tensor([2.0, 3.0]), 2)
    Tensor([False,  True], dtype=bool)
    """
    return np.not_equal(a, b)


def as_floats(x: Any, dtype: Any) -> Any:
    """Return integers and booleans in a float dtype, since they would promote float32; floats as they are."""
    return x if x.dtype.kind == "f" else astype(x, dtype)


@op(lambda g, _out, _x, dtype: g, text="astype({0}, {dtype})", latex="{0}", numpy=np.astype, form="reshaping")
def astype(x: ArrayLike, dtype: Any) -> Any:
    """Convert x to another dtype; a gradient flows back in the dtype of x, and not through integers.

    >>> astype(Tensor([1.5, 2.0]), np.float64)
    Tensor([1.5, 2. ], dtype=float64)
    """
    return x.astype(dtype)
