"""Numerical derivatives with an error bound, to test the exact ones against.

Along a line φ(t) = f(x + t u) the derivative φ'(0) is Ridders' extrapolation of difference quotients.  The recorded graph
of f gives what a difference quotient alone cannot know: how far the nearest kink is, so that no step crosses one; how fast
inner values change, so that the first step is not too long; and the round-off of f.  The bound is 10 times the estimate of
the extrapolation, and 4 times that round-off over the step.
Source: Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4 (1982).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np

from ..tensor import Tensor, shape_text
from ..tree import rebuild
from .along import EPS, Function, Line, Off, Point, eps_of, recorded, size_of
from .arguments import Arguments, float_tensors

STEP = 0.1  # the longest first step, relative to the largest value of the argument
SHRINK = 1.6
TOO_FAST = "f changes too fast for any step"


class Estimate(NamedTuple):
    """A numerical derivative, and a bound of its error, entry by entry."""

    value: Any
    bound: Any


def numerical_gradient(f: Callable[..., Tensor], *args: Any) -> Any:
    """Return the numerical gradient of a scalar f at its arguments, with a bound of its error for every entry.

    f takes tensors and returns a tensor of one element.  The result is an `Estimate(value, bound)` of float64 arrays in the
    shape of the argument; for several arguments a tuple, for nested lists and dicts the same with an Estimate at each leaf,
    and None for what is not of a float type.  At a kink the bound reaches to the slopes on both sides; it is infinite
    where no derivative was found.  It takes some 20 evaluations for each entry.
    Raises TypeError where f returns no float tensor or takes no float argument, ValueError for more than one element.
    Source: see the first lines of this file.

    >>> from tinygrad_lite.numeric.slope import numerical_gradient
    >>> found = numerical_gradient(lambda x: (x**3).sum(), np.array([1.0, 2.0]))
    >>> found.value.round(9), bool((found.bound < 1e-9).all())
    (array([ 3., 12.]), True)
    """
    given = Arguments(f, args)

    def scalar(xs: Sequence[Any]) -> Tensor:
        parts = float_tensors(f(*given.filled(xs)))
        if len(parts) != 1 or parts[0].size != 1:
            shapes = ", ".join(shape_text(part.shape) for part in parts)
            raise ValueError(f"numerical_gradient needs a function of one element, but f returned {shapes}: .sum() it")
        total: Tensor = parts[0].sum()
        return total

    function = given.called(lambda at: Function(recorded(scalar), at))
    found: list[Any] = [None] * len(given.flat)
    for i, place in enumerate(given.places):
        x = given.at[i]
        value, bound = np.zeros(x.shape), np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            u = unit(x, index)
            here = slope(function, i, u)
            value[index], bound[index] = here.value / u[index], here.reach / u[index]
        found[place] = Estimate(value, bound)
    forms = rebuild(args, found)
    return forms[0] if len(args) == 1 else forms


def unit(x: Any, index: tuple[int, ...]) -> Any:
    """Return the direction of one entry, as long as the largest value of x."""
    u = np.zeros(x.shape)
    u[index] = size_of(x)
    return u


# --- the derivative along a line ---------------------------------------------------------------------------------------


class Slope(NamedTuple):
    """The derivative along a line: its value with a bound, and what is known besides.

    `size` is that of the parts which add up to it, and cancel perhaps, or that of the change of f nearby.  `step` is the
    first one; `constant`: f did not change at all.  At a kink of the op named `kink`, `left` and `right` are the slopes on
    its two sides, of which `value` is the mean, and every choice of a derivative there lies from `low` to `high`.
    `why` tells what stood in the way.
    """

    value: float
    bound: float
    size: float = 0.0
    noise: float = 0.0  # that part of the bound which is round-off
    step: float = STEP
    constant: bool = False
    why: str = ""
    kink: str | None = None
    left: float = 0.0
    right: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def reach(self) -> float:
        """How far from `value` the derivative may be."""
        return self.bound + abs(self.right - self.left) / 2


def slope(function: Function, i: int, u: Any, longest: float = STEP) -> Slope:
    """Return the derivative of a function along u, a direction of its argument i; see `Slope`."""
    scatter, size = function.scatter(i, u), function.base.size
    if not function.base.nodes:
        found = _central(function, i, u, None, longest, max(scatter, 4 * function.eps * size))
        if found.value == 0:  # then the round-off does not show in the values
            hidden = 4 * function.eps * max(size, *map(size_of, function.at)) / longest
            found = found._replace(bound=found.bound + hidden, noise=found.noise + hidden)
        return found
    try:
        line = Line(function, i, u)
    except Off as off:
        return Slope(0.0, inf, why=str(off))
    noise = max(scatter, 4 * line.round_off())
    start = min(longest, line.nearest / 2, 0.5 / (line.fastest() + 1e-300))
    return _at_kink(line, start, noise) if line.kinks else _central(function, i, u, line, start, noise)


class Settled(NamedTuple):
    """What difference quotients were extrapolated to."""

    value: float
    error: float  # estimated
    step: float  # the shortest that counted
    start: float  # the longest
    why: str = ""  # there is none


def _settled(quotient: Callable[[float], float], start: float, power: int, noise: float, rounds: int = 8) -> Settled:
    """Extrapolate, from ever shorter steps while one of them leaves the smooth piece."""
    why = ""
    while start > 1e-14:
        try:
            return Settled(*extrapolate(quotient, start, power, noise, rounds), start)
        except Off as off:
            why, start = str(off), off.t / 4
    return Settled(0.0, inf, start, start, why or TOO_FAST)


def _central(function: Function, i: int, u: Any, line: Line | None, start: float, noise: float) -> Slope:
    """Extrapolate central differences."""
    ends: dict[float, tuple[Point, Point]] = {}

    def quotient(h: float) -> float:
        ends[h] = function.point(i, u, h), function.point(i, u, -h)
        if line is not None and not all(line.smooth_until(point, line.base, h) for point in ends[h]):
            raise Off(h, f"a kink lies within a step of {h:.0e}")
        return (ends[h][0].value - ends[h][1].value) / (2 * h)

    found = _settled(quotient, start, 2, noise)
    if found.why:
        return Slope(0.0, inf, why=found.why)
    outer = ends[found.start]
    total, size = _sizes(function, found.start, *outer)
    round_off = noise / found.step + 4 * function.eps * total
    secant = max(abs(point.value - function.base.value) for point in outer) / found.start
    constant = secant == found.value == found.error == 0
    return Slope(found.value, 10 * found.error + round_off, max(size, secant), round_off, found.start, constant)


def one_sided(
    function: Function, i: int, u: Any, sign: float, start: float, noise: float, line: Line | None = None
) -> tuple[Settled, float]:
    """Extrapolate differences to one side, within the piece that starts there; return that and the steepest of them."""
    steepest = [0.0]

    def quotient(h: float) -> float:
        end = function.point(i, u, sign * h)
        if line is not None and not line.smooth_until(end, line.sides[0 if sign > 0 else 1], h):
            raise Off(h, f"another kink lies within a step of {h:.0e}")
        steepest.append(abs(end.value - function.base.value) / h)
        return sign * (end.value - function.base.value) / h

    return _settled(quotient, start, 1, 2 * noise, rounds=14), max(steepest)


def _at_kink(line: Line, start: float, noise: float) -> Slope:
    """Take the slopes of both sides of a kink, and tell between which bounds a derivative may be chosen there."""
    function, i, u = line.function, line.i, line.u
    found = [one_sided(function, i, u, sign, start, noise, line) for sign in (1.0, -1.0)]
    for side, _ in found:
        if side.why:
            return Slope(0.0, inf, why=side.why)
    name = line.kinks[0]
    if line.jumps():
        return Slope(0.0, 0.0, why=f"f jumps here, by {name}", kink=name, low=-inf, high=inf)
    (right, steepest), (left, steepest_left) = found
    down, up = line.choices()
    slopes = sorted((left.value, right.value))
    size = max(_sizes(function, line.tiny, *line.sides)[1], *map(abs, slopes), steepest, steepest_left)
    low, high = min(slopes[0], right.value - down), max(slopes[1], right.value + up)
    low, high = low - 1e-4 * (abs(low) + size), high + 1e-4 * (abs(high) + size)  # slopes of inner values are rough
    bound = sum(10 * side.error + 2 * noise / side.step for side, _ in found) + 4 * EPS * size
    return Slope(
        sum(slopes) / 2,
        bound,
        size,
        noise / right.step,
        line.tiny,
        size == 0,
        "",
        name,
        left.value,
        right.value,
        low,
        high,
    )


def _sizes(function: Function, h: float, ahead: Point, behind: Point) -> tuple[float, float]:
    """Return Σ |v̇ v̄| over all inner values, and the largest such sum of one node; what may be round-off does not count."""
    parts = [0.0]
    if function.base.plan == ahead.plan == behind.plan:
        for v, a, b, g in zip(function.base.values, ahead.values, behind.values, function.adjoints, strict=True):
            if v is not None and g is not None and v.dtype.kind == "f":
                moves = np.maximum(np.abs(a - b) - 4 * eps_of(v) * np.abs(v), 0.0) / (2 * h)
                parts.append(float(np.sum(moves * np.abs(g))))
    return sum(parts), max(parts)


def extrapolate(
    quotient: Callable[[float], float], h: float, power: int, noise: float = 0.0, rounds: int = 8
) -> tuple[float, float, float]:
    """Extrapolate difference quotients to a step of 0; return the value, its estimated error and the shortest step used.

    `power` is 2 for central and 1 for one-sided differences: by how much the powers of h in their error rise.  `noise` is
    the round-off of a difference.  Source: Ridders (1982).
    """
    best, error, step = np.nan, np.inf, h
    previous: list[float] = []
    for i in range(rounds):
        row = [quotient(h)]
        factor = SHRINK**power
        for j in range(i):
            row.append((factor * row[j] - previous[j]) / (factor - 1))
            factor *= SHRINK**power
            estimate = max(abs(row[-1] - row[-2]), abs(row[-1] - previous[j]))
            if 10 * estimate + noise / h <= 10 * error + noise / step:
                best, error, step = row[-1], estimate, h
        if 10 * error <= noise / h:
            break
        previous, h = row, h / SHRINK
    return float(best), float(error), step


def derivative(f: Callable[[float], float], h: float = 0.01, rounds: int = 8) -> float:
    """Return f'(0) by Ridders' method; f must be smooth on [-h, h]."""
    return extrapolate(lambda step: (f(step) - f(-step)) / (2 * step), h, 2, rounds=rounds)[0]


def dot(a: Sequence[Any], b: Sequence[Any]) -> float:
    """Return the inner product of two lists of arrays."""
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))


def assert_derivative(
    f: Callable[..., Any],
    xs: Sequence[Any],
    gradients: Sequence[Any],
    weight: Any,
    direction: Sequence[Any],
    h: float = 0.01,
    inner: float = 0.0,
) -> None:
    """Assert that Σ weight · f has the given gradients at xs, seen along a direction.

    The bound is relative to the sum of the |gradient · direction| (so a gradient that is tiny, or zero by mistake,
    gets no allowance) plus the rounding of f itself in the difference quotient; `inner` is the size of values inside f
    that cancel.
    """

    def along(t: float) -> float:
        return float(np.sum(weight * f(*[np.asarray(x + t * u) for x, u in zip(xs, direction, strict=True)])))

    exact = dot(gradients, direction)
    size = dot([np.abs(g) for g in gradients], [np.abs(u) for u in direction])
    noise = float(np.sum(np.abs(weight) * (np.abs(f(*xs)) + inner)))
    bound = 1e-6 * size + 1e3 * EPS * noise / h
    numerical = derivative(along, h)
    if not abs(exact - numerical) <= bound:
        raise AssertionError(f"autodiff {exact!r}, numerical {numerical!r}, bound {bound:.1e}")
