"""gradcheck: is the gradient of a function what its values say?  Imports `numerical`; torch and jax only if they are loaded.

Each argument is looked at along random dense directions, and a small one entry by entry.  What is compared is the gradient
and a numerical derivative with an error bound (`numerical.py`), so that no tolerance has to be chosen.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from math import inf, isfinite, nan
from typing import Any

import numpy as np

from ..autodiff import gradients
from ..op import GRADIENTS, REGISTRY, recording
from ..ops.reduction import sum as reduce_sum
from ..tensor import Tensor
from ..tree import leaves, rebuild
from .mismatch import GradientMismatch
from .numerical import (
    STEP,
    Arguments,
    Function,
    Off,
    Point,
    Slope,
    as_numpy,
    extrapolate,
    is_float,
    recorded,
    size_of,
    slope,
    smooth_results,
    unit,
)

VERDICTS = ("pass", "convention", "inconclusive", "fail")  # a report is as bad as its worst line
SHARP = 1e-3  # a bound that is not this small against the gradient says nothing
SMALL = 64  # arguments with no more entries than that are checked entry by entry


@dataclass(frozen=True)
class Check:
    """What was found for one argument, at the place where gradient and numerical derivative differ most.

    `index` is that place, or None where the numbers are derivatives along a random direction.
    """

    name: str
    verdict: str
    reason: str = ""
    index: tuple[int, ...] | None = None
    exact: float = nan
    numerical: float = nan
    bound: float = inf

    @property
    def ratio(self) -> float:
        """The gradient over the numerical one."""
        return self.exact / self.numerical if self.numerical else nan


@dataclass(frozen=True)
class GradcheckReport:
    """The result of a check, one line for each argument; true where nothing is wrong."""

    checks: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        """The worst of the lines: "pass", "convention" (at a kink), "inconclusive" or "fail"."""
        return max((check.verdict for check in self.checks), key=VERDICTS.index)

    def __bool__(self) -> bool:
        return self.verdict in ("pass", "convention")

    def raise_if_wrong(self) -> None:
        """Raise GradientMismatch, an AssertionError with the report as its message, where the verdict is "fail"."""
        if self.verdict == "fail":
            raise GradientMismatch(f"the gradient is wrong\n{self}")

    def __str__(self) -> str:
        rows = [HEADER, *map(_cells, self.checks)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(HEADER))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        notes = [f"{check.name}: {check.reason}" for check in self.checks if check.reason]
        return "\n".join([*lines, *notes])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in (*HEADER, "reason"))
        rows = [[*_cells(check), check.reason] for check in self.checks]
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><tr>{head}</tr>{body}</table>"


HEADER = ("argument", "verdict", "entry", "gradient", "numerical", "bound", "ratio")


def _cells(check: Check) -> list[str]:
    entry = "" if check.index is None else str(list(check.index))
    if check.index is None and isfinite(check.bound):
        entry = "direction"
    numbers = [f"{check.exact:.10g}", f"{check.numerical:.10g}", f"{check.bound:.0e}", f"{check.ratio:.6g}"]
    return [check.name, check.verdict, entry, *("" if cell in ("nan", "inf") else cell for cell in numbers)]


def gradcheck(f: Callable[..., Any], *args: Any, order: int = 1, wrt: Any = None) -> GradcheckReport:
    """Compare the gradient of f at its arguments with a numerical one whose error is bounded; return a report.

    f takes tensors and returns a tensor, or nested lists and dicts of them, of any shapes; results of many elements are
    summed with random weights.  Float arguments (arrays, tensors, numbers, nested lists and dicts of them) are passed as
    float64 tensors and checked; `wrt`, a name or position or a list of such, picks some.  Others are passed on as they are.
    With `order=2` the gradient of the gradient is checked as well.

    Verdicts: "pass"; "fail"; "convention" where f has a kink and the gradient is one that may be chosen there;
    "inconclusive" where the numerical derivative could not tell, with the reason.  A wrong gradient raises nothing:
    `gradcheck(...).raise_if_wrong()` does.
    Raises TypeError where f returns no float tensor or there is nothing to check, ValueError for a `wrt` that names no
    argument, and what f itself raises at the arguments.
    Source: the bound is that of `numerical.py`.

    >>> from tinygrad_lite.verify.gradcheck import gradcheck
    >>> report = gradcheck(lambda W, b: relu(W @ np.ones((2, 3)) + b).sum(), np.array([[1.0, 2.0]]), np.array([[0.5]]))
    >>> report.verdict, [check.name for check in report.checks]
    ('pass', ['W', 'b'])
    """
    if order < 1:
        raise ValueError(f"order counts from 1, but is {order}")
    given = Arguments(f, args)
    picked = _picked(given, wrt)
    checks: list[Check] = []
    for n in range(1, order + 1):
        found = _checked_tensors(f, given, picked)
        checks += [replace(check, name=f"{check.name} (order {n})") if order > 1 else check for check in found]
        f = partial(_gradient, f, given.places, n)
    return GradcheckReport(tuple(checks))


def _picked(given: Arguments, wrt: Any) -> list[int]:
    """Return the numbers of the float arrays that `wrt` picks."""
    wanted = list(given.positions) if wrt is None else list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    picked: list[int] = []
    for name in wanted:
        known = name in given.positions if isinstance(name, str) else -len(given.args) <= name < len(given.args)
        if not known:
            raise ValueError(f"wrt names {name!r}, but the arguments are {', '.join(given.positions)}")
        position = given.positions.index(name) if isinstance(name, str) else name % len(given.args)
        of_it = [i for i, number in enumerate(given.numbers) if number == position]
        if wrt is not None and not of_it:
            raise TypeError(f"wrt names {name!r}, which is not of a float type: there is nothing to differentiate")
        picked += [i for i in of_it if i not in picked]
    return picked


def _gradient(f: Callable[..., Any], places: Sequence[int], seed: int, *args: Any) -> list[Tensor]:
    """Return the gradient of f, its results summed with weights, as a function of the same arguments."""
    flat = leaves(args)
    xs = [flat[place] for place in places]
    y = _weighted(f(*args), seed)
    if not y.requires_grad:
        return [x * 0.0 for x in xs]
    return gradients(y, xs, create_graph=True)


def _weighted(y: Any, seed: int) -> Tensor:
    """Sum results with random weights; a single number is left as it is."""
    parts = smooth_results(y)
    if len(parts) == 1 and parts[0].size == 1:
        return reduce_sum(parts[0])
    rng = np.random.default_rng(seed)
    sums = [reduce_sum(part * rng.standard_normal(part.shape)) for part in parts]
    return sum(sums[1:], start=sums[0])


def _checked_tensors(f: Callable[..., Any], given: Arguments, picked: Sequence[int]) -> list[Check]:
    """Check a function of tensors."""

    def scalar(xs: Sequence[Any]) -> Tensor:
        return _weighted(f(*given.filled(xs)), 0)

    def pull(at: Sequence[Any]) -> tuple[float, list[Any]]:
        xs = [Tensor(x, requires_grad=True) for x in at]
        with recording(GRADIENTS), np.errstate(all="ignore"):
            y = scalar(xs)
            if given.changed() or not all(_equal(x._data, x0) for x, x0 in zip(xs, at, strict=True)):
                raise UnusableError("f changes its arguments")
            try:
                found = [g.numpy() for g in gradients(y, xs)] if y.requires_grad else [np.zeros(x.shape) for x in xs]
            except Exception as error:
                raise BrokenError(f"the backward pass raises {type(error).__name__}: {error}") from error
        return float(y.item()), found

    return _checked(lambda: Function(recorded(scalar), given.at), pull, given, picked)


class UnusableError(Exception):
    """The function cannot be checked; the message is the reason."""


class BrokenError(Exception):
    """There is no gradient to compare; the message tells why."""


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=True)


Pull = Callable[[Sequence[Any]], tuple[float, list[Any]]]


def _checked(make: Callable[[], Function], pull: Pull, given: Arguments, picked: Sequence[int]) -> list[Check]:
    """Check arguments, one line each; `pull` gives value and gradients at a place."""

    def all_alike(verdict: str, why: str) -> list[Check]:
        return [Check(given.names[i], verdict, why) for i in picked]

    if not all(np.all(np.isfinite(x)) for x in given.at):
        return all_alike("inconclusive", "an argument is not finite")
    try:
        again, exact = pull(given.at)
        function = make()
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
    return [_check(function, pull, i, given.names[i], exact[i]) for i in picked]


# --- one argument ------------------------------------------------------------------------------------------------------


def _check(function: Function, pull: Pull, i: int, name: str, g: Any) -> Check:
    """Check the gradient with respect to one argument."""
    x = function.at[i]
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
        u = size_of(x) * rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape)
        along.append(_compared(function, i, name, g, u, None, 0.0))
        if along[-1].verdict == "fail" or sum(check.verdict != "inconclusive" for check in along) == 2:
            break
    found = [check for check in along if check.verdict != "inconclusive"] or along
    if x.size <= SMALL:
        found += [_compared(function, i, name, g, unit(x, index), index, scale) for index in np.ndindex(x.shape)]
    worst = max(found, key=_badness)
    if worst.verdict == "fail" and worst.index is None:
        worst = _located(function, i, name, g, worst, rng)
    return _beside(function, pull, i, worst, rng) if worst.verdict == "convention" else worst


def _badness(check: Check) -> tuple[int, bool, float]:
    """Order lines by verdict; of those that fail, entries before directions, then by how far they are off."""
    off = abs(check.exact - check.numerical)
    return (
        VERDICTS.index(check.verdict),
        check.index is not None,
        off if check.verdict == "fail" else off / (check.bound or 1),
    )


def _compared(
    function: Function, i: int, name: str, g: Any, u: Any, index: tuple[int, ...] | None, scale: float
) -> Check:
    """Compare gradient and numerical derivative along u; of a difference, a second look is taken with shorter steps."""
    exact = float(np.sum(g * u))
    unit_length = 1.0 if index is None else float(u[index])
    line = partial(_line, name, index, exact, unit_length)
    rounding = 16 * function.eps * float(np.sum(np.abs(g * u)))  # of the gradient itself
    before: Slope | None = None
    torn: tuple[float, float, float] | None = None
    longest = STEP
    for look in range(7):
        here = slope(function, i, u, longest)
        here = here._replace(bound=here.bound + rounding)
        if not isfinite(here.bound):
            return line("inconclusive", here.why, here)
        if here.constant and exact == 0:
            return line("pass", "f does not change with it", here)
        if here.kink:
            return _at_kink(line, exact, here, scale)
        size = max(abs(exact), abs(here.value), scale)
        off = abs(exact - here.value)
        rounds = here.bound <= 3 * (here.noise + rounding)  # all of the bound, or most of it
        sharp = here.bound <= SHARP * (
            max(size, here.size) if rounds else size
        )  # parts that cancel are a size of it too
        if off <= here.bound and sharp:
            return line("pass", "", here)
        agree = before is not None and abs(before.value - here.value) <= before.bound + here.bound
        torn = None
        if agree and off > here.bound and (rounds or (sharp and (look > 3 or function.base.nodes))):
            left, right, bound = _sides(function, i, u, longest)
            if abs(left - right) <= bound:
                return line("fail", "", here)
            torn = left / unit_length, right / unit_length, bound / unit_length
        if here.noise > SHARP * max(size, here.size):  # shorter steps would round even more
            if rounds and off > 4 * here.bound and torn is None:
                return line("fail", "", here)
            break
        before, longest = here, here.step / 16
    if torn is not None:
        low, high = sorted(torn[:2])
        if low - torn[2] <= exact / unit_length <= high + torn[2]:
            why = f"f has a kink here: the slopes are {torn[0]:.6g} and {torn[1]:.6g} on its two sides"
            return line("convention", why, here)
        return line("inconclusive", f"a kink lies within a step of {longest:.0e}", here)
    if off > here.bound and before is not None and here.noise <= SHARP * max(size, here.size):
        return line("inconclusive", "the numerical derivative depends on the step: f is not smooth here", here)
    if here.noise > SHARP * size:
        why = f"round-off hides it: a derivative of {size / unit_length:.0e} is known to {here.bound / unit_length:.0e} only"
        return line("inconclusive", why, here)
    return line(
        "inconclusive", "the numerical derivative does not settle: f changes too fast, or is not smooth here", here
    )


def _line(
    name: str, index: tuple[int, ...] | None, exact: float, unit_length: float, verdict: str, why: str, here: Slope
) -> Check:
    numbers = [float(x) / unit_length for x in (exact, here.value, here.bound)]
    return Check(name, verdict, why, index, *numbers)


def _at_kink(line: Callable[..., Check], exact: float, here: Slope, scale: float) -> Check:
    """Judge a gradient at a kink by the slopes on its two sides."""
    assert here.kink is not None
    size = max(abs(exact), abs(here.left), abs(here.right), here.size, scale)
    if abs(here.left - here.right) <= here.bound and abs(exact - here.value) <= here.bound:
        if here.bound <= SHARP * size:
            return line("pass", "", here)
        return line("inconclusive", f"the numerical derivative does not settle at the kink of {here.kink}", here)
    if here.high == inf:
        return line("convention", here.why or f"f is computed in another way on one side: {here.kink} decides", here)
    says = REGISTRY[here.kink].convention if here.kink in REGISTRY else ""
    why = f"{here.kink} has a kink here" + (f" ({says})" if says else "")
    if here.low - here.bound <= exact <= here.high + here.bound:
        return line("convention", why, here)
    if here.bound > SHARP * size:
        return line("inconclusive", why, here)
    return line("fail", why + ", and no derivative that may be chosen there is this one", here)


def _sides(function: Function, i: int, u: Any, h: float) -> tuple[float, float, float]:
    """Return the slopes to the left and to the right, and a bound of their errors."""
    noise = max(function.scatter(i, u), 4 * sum(function.parts), 4 * function.eps * function.base.size)
    found = []
    for sign in (-1.0, 1.0):
        quotient = lambda t, sign=sign: sign * (function.point(i, u, sign * t).value - function.base.value) / t
        try:
            value, error, step = extrapolate(quotient, h, 1, 2 * noise, rounds=14)
        except Off:
            return 0.0, 0.0, inf
        found.append((value, 10 * error + 2 * noise / step))
    return found[0][0], found[1][0], found[0][1] + found[1][1]


def _located(function: Function, i: int, name: str, g: Any, worst: Check, rng: Any) -> Check:
    """Find an entry that is wrong, by halves: the half that is off by more."""
    x = function.at[i]
    places = np.arange(x.size)
    while len(places) > 1:
        halves = np.array_split(places, 2)
        offs = []
        for half in halves:
            u = np.zeros(x.size)
            u[half] = size_of(x) * rng.uniform(0.5, 1.5, len(half))
            here = slope(function, i, u.reshape(x.shape))
            off = abs(float(np.sum(g.reshape(-1) * u)) - here.value)
            offs.append(off if off > here.reach else -1.0)
        if max(offs) < 0:
            return worst
        places = halves[int(np.argmax(offs))]
    index = tuple(int(k) for k in np.unravel_index(places[0], x.shape))
    entry = _compared(function, i, name, g, unit(x, index), index, 0.0)
    return entry if entry.verdict == "fail" else worst


def _beside(function: Function, pull: Pull, i: int, found: Check, rng: Any) -> Check:
    """Look a little aside of a kink, where there is one derivative only; return what fails there, else what was found."""
    at = [x + 1e-2 * size_of(x) * rng.uniform(-1, 1, x.shape) for x in function.at]
    try:
        g = pull(at)[1][i]
        u = size_of(at[i]) * rng.uniform(0.5, 1.5, at[i].shape) * rng.choice([-1.0, 1.0], at[i].shape)
        aside = _compared(Function(function.run, at, function.eps), i, found.name, g, u, None, 0.0)
    except Exception:  # f need not be defined there
        return found
    if aside.verdict != "fail":
        return found
    return replace(aside, reason=f"at a little distance from the arguments, where {found.reason.partition(' (')[0]}")


# --- functions that are not ours ---------------------------------------------------------------------------------------


def check_vjp(f: Callable[..., Any], *args: Any) -> GradcheckReport:
    """Check the derivative of a function that is not written in tensors: `check_vjp(f, vjp, *args)`; return a report.

    f takes NumPy arrays and returns one, or a tuple of them; `vjp(g, *args)` returns the gradient with respect to each
    argument, as a tuple or alone, from the gradient g with respect to the result.  A subclass of `torch.autograd.Function`
    and a function under `jax.custom_vjp` bring their own: `check_vjp(f, *args)`.  Float arguments are passed as float64
    copies (JAX makes float32 of them unless `jax_enable_x64` is set; the bounds follow).

    Without a recorded graph kinks are found by steps that do not agree, and round-off is measured: the bounds are less
    certain than those of `gradcheck`, whose verdicts these are.
    Raises TypeError where there is no vjp or no float argument, and what f itself raises at the arguments.

    >>> from tinygrad_lite.verify.gradcheck import check_vjp
    >>> check_vjp(np.sin, lambda g, x: g * np.cos(x), np.array([0.0, 1.0])).verdict
    'pass'
    >>> print(check_vjp(np.sin, lambda g, x: g * np.sin(x), np.array(0.5)).raise_if_wrong())
    Traceback (most recent call last):
    ...
    tinygrad_lite.verify.mismatch.GradientMismatch: the gradient is wrong
    ...
    """
    forward, back, args = _door(f, args)
    given = Arguments(forward, args)

    def copies(at: Sequence[Any]) -> Any:
        return given.filled([x.copy() for x in at])

    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        results = _arrays(forward(*copies(given.at)))
    weights = [np.ones(y.shape) if y.size == 1 else rng.standard_normal(y.shape) for y in results]
    eps = max(float(np.finfo(y.dtype).eps) for y in results)

    def run(at: Sequence[Any]) -> Point:
        parts = [w * y for w, y in zip(weights, _arrays(forward(*copies(at))), strict=True)]
        return Point(float(sum(np.sum(part) for part in parts)), float(sum(np.sum(np.abs(part)) for part in parts)))

    def pull(at: Sequence[Any]) -> tuple[float, list[Any]]:
        mine = copies(at)
        with np.errstate(all="ignore"):
            y = forward(*mine)
        parts = _arrays(y)
        g = rebuild(y, [w.astype(part.dtype) for w, part in zip(weights, parts, strict=True)])
        value = float(sum(np.sum(w * part) for w, part in zip(weights, parts, strict=True)))
        try:
            with np.errstate(all="ignore"):
                found = back(g, *mine)
        except Exception as error:
            raise BrokenError(f"the vjp raises {type(error).__name__}: {error}") from error
        floats = [x for x in leaves(mine) if is_float(x)]
        if given.changed() or not all(_equal(x, x0) for x, x0 in zip(floats, at, strict=True)):
            raise UnusableError("f or its vjp changes its arguments")
        return value, _by_leaf(found, given)

    return GradcheckReport(tuple(_checked(lambda: Function(run, given.at, eps), pull, given, range(len(given.at)))))


def _arrays(y: Any) -> list[Any]:
    """Return the results of a function as arrays."""
    parts = [np.asarray(part) for part in leaves(y)]
    if not parts or any(part.dtype.kind != "f" for part in parts):
        kinds = ", ".join(str(part.dtype) for part in parts) or "nothing"
        raise TypeError(f"the function must return float arrays, not {kinds}")
    return parts


def _by_leaf(found: Any, given: Arguments) -> list[Any]:
    """Sort what a vjp returned by float arrays; None is zero."""
    by_position = list(found) if isinstance(found, tuple | list) else [found]
    if len(by_position) != len(given.args):
        expected = f"{len(given.args)} gradients, one for each argument"
        raise BrokenError(f"the vjp returned {len(by_position)} gradients, not {expected}")
    sorted_out: list[Any] = []
    for position, tree in enumerate(by_position):
        mine = [x for x, number in zip(given.at, given.numbers, strict=True) if number == position]
        parts = [None] * len(mine) if tree is None else leaves(tree)
        if mine and len(parts) != len(mine):
            raise BrokenError(
                f"the vjp returned {len(parts)} gradients for {given.positions[position]}, not {len(mine)}"
            )
        sorted_out += [
            np.zeros(x.shape) if g is None else np.asarray(g, np.float64) for x, g in zip(mine, parts, strict=False)
        ]
    return sorted_out


def _door(f: Any, args: tuple[Any, ...]) -> tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]:
    """Return forward pass, vjp and arguments of a NumPy pair, a torch.autograd.Function or a jax.custom_vjp."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(f, type) and issubclass(f, torch.autograd.Function):
        return *_of_torch(f, torch), tuple(rebuild(args, [as_numpy(x) if is_float(x) else x for x in leaves(args)]))
    jax: Any = sys.modules.get("jax")
    if jax is not None and isinstance(f, jax.custom_vjp) and not (args and callable(args[0])):
        return *_of_jax(f, jax), args
    if not args or not callable(args[0]):
        raise TypeError(
            "check_vjp(f, vjp, *args) needs a vjp, unless f is a torch.autograd.Function or a jax.custom_vjp"
        )
    return f, args[0], args[1:]


def _of_torch(f: Any, torch: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def call(args: Any, wanted: bool) -> tuple[Any, list[Any]]:
        flat = [torch.tensor(x, requires_grad=wanted) if is_float(x) else x for x in leaves(args)]
        return f.apply(*rebuild(args, flat)), [x for x in flat if is_float(x)]

    def forward(*args: Any) -> Any:
        with torch.no_grad():
            y, _ = call(args, False)
        return rebuild(y, [part.numpy() for part in leaves(y)])

    def back(g: Any, *args: Any) -> Any:
        with torch.enable_grad():
            y, xs = call(args, True)
            weights = [torch.tensor(w) for w in leaves(g)]
            parts = torch.autograd.grad(leaves(y), xs, weights, allow_unused=True)
        found = iter([np.zeros(x.shape) if part is None else part.numpy() for x, part in zip(xs, parts, strict=True)])
        return tuple(rebuild(tree, [next(found) if is_float(x) else None for x in leaves(tree)]) for tree in args)

    with_context = f.setup_context is torch.autograd.Function.setup_context
    return _signed(forward, f.forward, 1 if with_context else 0), back


def _signed(forward: Callable[..., Any], f: Callable[..., Any], skip: int) -> Callable[..., Any]:
    """Give a function the argument names of another, without the first `skip`."""
    try:
        names = inspect.signature(f)
        forward.__signature__ = names.replace(parameters=list(names.parameters.values())[skip:])  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        pass
    return forward


def _of_jax(f: Any, jax: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def to_numpy(tree: Any) -> Any:
        return rebuild(tree, [np.asarray(x) for x in leaves(tree)])

    def back(g: Any, *args: Any) -> Any:
        smooth = [k for k, x in enumerate(args) if any(map(is_float, leaves(x)))]

        def of_smooth(*xs: Any) -> Any:
            every = list(args)
            for k, x in zip(smooth, xs, strict=True):
                every[k] = x
            return f(*every)

        found = to_numpy(jax.vjp(of_smooth, *[args[k] for k in smooth])[1](g))
        every: list[Any] = [None] * len(args)
        for k, part in zip(smooth, found, strict=True):
            every[k] = part
        return tuple(every)

    return _signed(lambda *args: to_numpy(f(*args)), f, 0), back
