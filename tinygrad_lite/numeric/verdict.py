"""One argument, one verdict: its gradient against numerical derivatives with a bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from typing import Any, NamedTuple

import numpy as np

from ..op import REGISTRY
from .along import Function, size_of
from .claim import BrokenError, Subject, UnusableError, signs
from .slope import STEP, Slope, one_sided, slope, unit

VERDICTS = ("pass", "convention", "inconclusive", "fail")  # a report is as bad as its worst line
SHARP = 1e-3  # a bound that is not this small against the gradient says nothing
SMALL = 64  # arguments with no more entries than that are checked entry by entry


@dataclass(frozen=True)
class Check:
    """What was found for one argument, at the place where gradient and numerical derivative differ most.

    `index` is that place, or None where the numbers are derivatives along a random direction.  They are those of a random
    combination of the results of f where it has many, or of the one that `result` names.
    """

    name: str
    verdict: str
    reason: str = ""
    index: tuple[int, ...] | None = None
    exact: float = nan
    numerical: float = nan
    bound: float = inf
    result: str = ""

    @property
    def ratio(self) -> float:
        """The gradient over the numerical one."""
        return self.exact / self.numerical if self.numerical else nan


def checked(subject: Subject, picked: Sequence[int]) -> list[Check]:
    """Check arguments, one line each."""
    given = subject.given

    def all_alike(verdict: str, why: str) -> list[Check]:
        return [Check(given.names[i], verdict, why) for i in picked]

    if not all(np.all(np.isfinite(x)) for x in given.at):
        return all_alike("inconclusive", "an argument is not finite")
    try:
        again, exact = subject.pull(given.at, subject.weights)
        function = subject.function(subject.weights)
    except UnusableError as error:
        return all_alike("inconclusive", str(error))
    except BrokenError as error:
        return all_alike("fail", str(error))
    value = function.base.value
    if not isfinite(value):
        return all_alike("inconclusive", f"f is {value} at the arguments")
    if abs(value - again) > 16 * sum(function.parts) + 64 * function.eps * (function.base.size + abs(value)):
        why = "f gives different values for the same arguments: it is random, or has side effects"
        return all_alike("inconclusive", why)
    low = _not_finite_in_own_precision(subject, exact)
    checks = [_check(subject, function, i, exact[i]) for i in picked]
    return [low[check.name] if check.verdict != "fail" and check.name in low else check for check in checks]


def _not_finite_in_own_precision(subject: Subject, exact: Sequence[Any]) -> dict[str, Check]:
    """Find gradients that are finite in float64, and not in the lower precision of the arguments, where f is."""
    given, dtype = subject.given, subject.given.precision
    bad: dict[str, Check] = {}
    if dtype == np.float64:
        return bad
    with np.errstate(all="ignore"):
        try:
            value, found = subject.pull([x.astype(dtype) for x in given.at], subject.weights)
        except (UnusableError, BrokenError) as error:
            return {name: Check(name, "fail", f"in {dtype}: {error}") for name in given.names}
        for name, g, g64 in zip(given.names, found, exact, strict=True):
            if isfinite(value) and np.shape(g) == np.shape(g64):
                wrong = ~np.isfinite(g) & (np.abs(g64) < np.finfo(dtype).max / 16)
                for place in np.argwhere(wrong)[:1]:
                    index = tuple(map(int, place))
                    why = f"right in float64, but the gradient is {g[index]} in {dtype}, where f is finite"
                    bad[name] = Check(name, "fail", why, index, float(g[index]), float(g64[index]))
    return bad


def _check(subject: Subject, function: Function, i: int, g: Any) -> Check:
    """Check the gradient with respect to one argument."""
    name, x = subject.given.names[i], function.at[i]
    if x.size == 0:
        return Check(name, "pass", "it has no elements", None, 0.0, 0.0, 0.0)
    if np.shape(g) != x.shape:
        return Check(name, "fail", f"the gradient has shape {np.shape(g)}, the argument {x.shape}")
    if not np.all(np.isfinite(g)):
        index = tuple(int(k) for k in np.argwhere(~np.isfinite(g))[0])
        here = slope(function, i, unit(x, index))
        verdict = "fail" if isfinite(here.bound) and not here.kink else "inconclusive"
        return Check(name, verdict, f"the gradient is {g[index]}", index, float(g[index]), here.value / size_of(x))
    rng = np.random.default_rng(i)
    scale = float(np.abs(g).max()) * size_of(x)
    along: list[Check] = []
    for _ in range(4):  # where a kink is too close on one line, it need not be on the next
        along.append(_compared(function, i, name, g, size_of(x) * signs(rng, x.shape)))
        if along[-1].verdict == "fail" or sum(check.verdict != "inconclusive" for check in along) == 2:
            break
    found = [check for check in along if check.verdict != "inconclusive"] or along
    if x.size <= SMALL:
        found += [_compared(function, i, name, g, unit(x, index), index, scale) for index in np.ndindex(x.shape)]
    worst = max(found, key=_badness)
    if worst.verdict == "fail" and worst.index is None:
        worst = _located(function, i, g, worst, rng)
    if worst.verdict == "fail" and worst.index is not None and subject.weights is not None:
        worst = _of_result(subject, function, i, worst, worst.index)
    return _beside(subject, function, i, worst, rng) if worst.verdict == "convention" else worst


def _badness(check: Check) -> tuple[int, bool, float]:
    """Order lines by verdict; of those that fail, entries before directions, then by how far they are off."""
    off = abs(check.exact - check.numerical)
    failed = check.verdict == "fail"
    return VERDICTS.index(check.verdict), check.index is not None, off if failed else off / (check.bound or 1)


def _compared(
    function: Function, i: int, name: str, g: Any, u: Any, index: tuple[int, ...] | None = None, scale: float = 0.0
) -> Check:
    """Compare gradient and numerical derivative along u; of a difference, a second look is taken with shorter steps."""
    exact = float(np.sum(g * u))
    unit_length = 1.0 if index is None else float(u[index])
    rounding = 16 * function.eps * float(np.sum(np.abs(g * u)))  # of the gradient itself

    def line(verdict: str, why: str = "") -> Check:
        found = exact / unit_length, float(here.value) / unit_length, float(here.bound) / unit_length
        return Check(name, verdict, why, index, *found)

    before: Slope | None = None
    sides: _Sides | None = None  # of the last look, where the slopes to the left and to the right may differ
    longest = STEP
    for look in range(7):
        here = slope(function, i, u, longest)
        here = here._replace(bound=here.bound + rounding)
        if not isfinite(here.bound):
            return line("inconclusive", here.why)
        if here.constant and exact == 0:
            return line("pass", "f does not change with it")
        if here.kink:
            return line(*_at_kink(exact, here, scale))
        size = max(abs(exact), abs(here.value), scale)
        off = abs(exact - here.value)
        rounds = here.bound <= 3 * (here.noise + rounding)  # all of the bound, or most of it
        whole = max(size, here.size)  # parts that cancel are a size of it too
        sharp = here.bound <= SHARP * (whole if rounds else size)
        if off <= here.bound and sharp:
            return line("pass")
        agree = before is not None and abs(before.value - here.value) <= before.bound + here.bound
        sides = None
        if agree and off > here.bound and (rounds or (sharp and (look > 3 or function.base.nodes))):
            sides = _sides(function, i, u, longest)
            if sides.steady and abs(sides.middle - here.value) <= sides.bound + here.bound:
                return line("fail")
        if here.noise > SHARP * whole:  # shorter steps would round even more
            if rounds and off > 4 * here.bound and sides is None:
                return line("fail")
            break
        before, longest = here, here.step / 16
    if sides is not None:
        if not sides.allow(exact):
            return line("inconclusive", f"a kink lies within a step of {longest:.0e}")
        if (
            sides.steady and sides.bound <= SHARP * size
        ):  # the second derivative jumps, which misleads central differences
            here = here._replace(value=sides.middle, bound=sides.bound)
            return line("pass")
        slopes = f"{sides.left / unit_length:.6g} and {sides.right / unit_length:.6g}"
        return line("convention", f"f has a kink here: the slopes are {slopes} on its two sides")
    if off > here.bound and before is not None and here.noise <= SHARP * whole:
        return line("inconclusive", "the numerical derivative depends on the step: f is not smooth here")
    if here.noise > SHARP * size:
        known = f"a derivative of {size / unit_length:.0e} is known to {here.bound / unit_length:.0e} only"
        return line("inconclusive", f"round-off hides it: {known}")
    return line("inconclusive", "the numerical derivative does not settle: f changes too fast, or is not smooth here")


def _at_kink(exact: float, here: Slope, scale: float) -> tuple[str, str]:
    """Judge a gradient at a kink by the slopes on its two sides; return the verdict and the reason."""
    kink = here.kink or ""
    size = max(abs(exact), abs(here.left), abs(here.right), here.size, scale)
    if abs(here.left - here.right) <= here.bound and abs(exact - here.value) <= here.bound:
        if here.bound <= SHARP * size:
            return "pass", ""
        return "inconclusive", f"the numerical derivative does not settle at the kink of {kink}"
    if here.high == inf:
        return "convention", here.why or f"f is computed in another way on one side: {kink} decides"
    says = REGISTRY[kink].convention if kink in REGISTRY else ""
    why = f"{kink} has a kink here" + (f" ({says})" if says else "")
    if here.low - here.bound <= exact <= here.high + here.bound:
        return "convention", why
    if here.bound > SHARP * size:
        return "inconclusive", why
    return "fail", why + ", and no derivative that may be chosen there is this one"


class _Sides(NamedTuple):
    """The slopes to the left and to the right, and a bound of their errors."""

    left: float
    right: float
    bound: float

    @property
    def middle(self) -> float:
        """The slope between the two."""
        return (self.left + self.right) / 2

    @property
    def steady(self) -> bool:
        """Whether the two are the same, as far as is known."""
        return abs(self.left - self.right) <= self.bound

    def allow(self, exact: float) -> bool:
        """Whether a derivative lies between the two, and so may be chosen."""
        return min(self.left, self.right) - self.bound <= exact <= max(self.left, self.right) + self.bound


def _sides(function: Function, i: int, u: Any, start: float) -> _Sides:
    """Return the slopes on the two sides."""
    noise = max(function.scatter(i, u), 4 * sum(function.parts), 4 * function.eps * function.base.size)
    left, right = (one_sided(function, i, u, sign, start, noise)[0] for sign in (-1.0, 1.0))
    return _Sides(left.value, right.value, sum(10 * side.error + 2 * noise / side.step for side in (left, right)))


def _located(function: Function, i: int, g: Any, worst: Check, rng: Any) -> Check:
    """Find an entry that is wrong, by halves: the half that is off by more."""
    x = function.at[i]

    def off(places: Any) -> float:
        u = np.zeros(x.size)
        u[places] = size_of(x) * rng.uniform(0.5, 1.5, len(places))
        here = slope(function, i, u.reshape(x.shape))
        found = abs(float(np.sum(g.reshape(-1) * u)) - here.value)
        return found if found > here.reach else 0.0

    place = halved(x.size, off)
    if place is None:
        return worst
    index = tuple(int(k) for k in np.unravel_index(place, x.shape))
    entry = _compared(function, i, worst.name, g, unit(x, index), index)
    return entry if entry.verdict == "fail" else worst


def _of_result(subject: Subject, function: Function, i: int, worst: Check, index: tuple[int, ...]) -> Check:
    """Find a result whose derivative with respect to the entry is wrong, by halves too."""
    u = unit(function.at[i], index)

    def off(places: Any) -> float:
        weights = subject.weights_at(places)
        g = subject.pull(function.at, weights)[1][i]
        here = slope(subject.function(weights), i, u)
        found = abs(float(np.sum(g * u)) - here.value)
        return found if found > here.reach else 0.0

    place = halved(sum(y.size for y in subject.found), off)
    if place is None:
        return worst
    weights = subject.weights_at([place], alone=True)
    g = subject.pull(function.at, weights)[1][i]
    entry = _compared(subject.function(weights), i, worst.name, g, u, index)
    return replace(entry, result=subject.named(place)) if entry.verdict == "fail" else worst


def halved(count: int, off: Callable[[Any], float]) -> int | None:
    """Find a place that is off, by halves: the one that is off by more; None where neither is."""
    places = np.arange(count)
    while len(places) > 1:
        halves = np.array_split(places, 2)
        offs = list(map(off, halves))
        if not any(offs):
            return None
        places = halves[int(np.argmax(offs))]
    return int(places[0])


def _beside(subject: Subject, function: Function, i: int, found: Check, rng: Any) -> Check:
    """Look a little aside of a kink, where there is one derivative only; return what fails there, else what was found."""
    at = [x + 1e-2 * size_of(x) * rng.uniform(-1, 1, x.shape) for x in function.at]
    try:
        g = subject.pull(at, subject.weights)[1][i]
        u = size_of(at[i]) * signs(rng, at[i].shape)
        aside = _compared(Function(function.run, at, function.eps), i, found.name, g, u)
    except Exception:  # f need not be defined there
        return found
    if aside.verdict != "fail":
        return found
    return replace(aside, reason=f"at a little distance from the arguments, where {found.reason.partition(' (')[0]}")
