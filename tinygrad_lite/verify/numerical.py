"""Numerical derivatives with an error bound, to test the exact ones against.  Imports `autodiff`.

Along a line φ(t) = f(x + t u) the derivative φ'(0) is Ridders' extrapolation of difference quotients.  The recorded graph
of f gives what a difference quotient alone cannot know: how far the nearest kink is, so that no step crosses one; how fast
inner values change, so that the first step is not too long; and the round-off of f, Σ |v v̄| eps over its inner values v with
their adjoints v̄.  The bound is 10 times the estimate of the extrapolation, and 4 times that round-off over the step.
Sources: Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4 (1982); for the
round-off, Griewank, Walther: Evaluating Derivatives, 2nd ed., ch. 3.4; for the measured part of it, Moré, Wild,
Estimating computational noise, SIAM J. Sci. Comput. 33 (2011).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np

from ..autodiff import gradients
from ..op import EVERYTHING, REAL, Op, recording
from ..tensor import Node, Tensor, history, is_array, new_tensor, shape_text
from ..tree import leaves, rebuild

EPS = np.finfo(np.float64).eps
STEP = 0.1  # the longest first step, relative to the largest value of the argument
NEAR = 1e-8  # a kink closer than this, relatively, cannot be stepped around
SHRINK = 1.6


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

    >>> from tinygrad_lite.verify.numerical import numerical_gradient
    >>> found = numerical_gradient(lambda x: (x**3).sum(), np.array([1.0, 2.0]))
    >>> found.value.round(9), bool((found.bound < 1e-9).all())
    (array([ 3., 12.]), True)
    """
    given = Arguments(f, args)

    def scalar(xs: Sequence[Any]) -> Tensor:
        parts = smooth_results(f(*given.filled(xs)))
        if len(parts) != 1 or parts[0].size != 1:
            shapes = ", ".join(shape_text(part.shape) for part in parts)
            raise ValueError(f"numerical_gradient needs a function of one element, but f returned {shapes}: .sum() it")
        total: Tensor = parts[0].sum()
        return total

    function = Function(recorded(scalar), given.at)
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


# --- arguments and results ---------------------------------------------------------------------------------------------


class Arguments:
    """The arguments of a function: its float arrays and numbers in float64, their names, and everything else as it is."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.args = args
        self.flat = leaves(args)
        self.places = [place for place, x in enumerate(self.flat) if is_float(x)]
        if not self.places:
            raise TypeError("none of the arguments is of a float type: there is nothing to differentiate")
        self.at = [np.array(as_numpy(self.flat[place]), dtype=np.float64) for place in self.places]
        names = argument_names(f, len(args))
        paths = [(i, name + path) for i, name in enumerate(names) for path in _paths(args[i])]
        self.numbers = [paths[place][0] for place in self.places]  # of the argument that an array belongs to
        self.names = [paths[place][1] for place in self.places]
        self.positions = names
        self.others = [x.copy() for x in self.flat if is_array(x)]

    def filled(self, values: Sequence[Any]) -> Any:
        """Return the arguments with other float leaves."""
        flat = list(self.flat)
        for place, value in zip(self.places, values, strict=True):
            flat[place] = value
        return rebuild(self.args, flat)

    def changed(self) -> bool:
        """Whether an array that was passed in is no longer what it was."""
        now = [x for x in self.flat if is_array(x)]
        return not all(
            np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(now, self.others, strict=True)
        )


def is_float(x: Any) -> bool:
    """Whether a leaf is a float number, or an array or a tensor of floats, also PyTorch's."""
    kind = getattr(getattr(x, "dtype", None), "kind", None)
    return isinstance(x, float) or kind == "f" or getattr(getattr(x, "dtype", None), "is_floating_point", False) is True


def as_numpy(x: Any) -> Any:
    """Return a leaf as an array; of a PyTorch tensor, its value."""
    return np.asarray(x.detach().cpu() if hasattr(x, "cpu") else x)


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """Return the names of the positional arguments in a call of f with `count` of them."""
    names: list[str] = []
    try:
        for p in inspect.signature(f).parameters.values():
            if p.kind is p.VAR_POSITIONAL:
                names += [f"{p.name}[{i}]" for i in range(count - len(names))]
            elif p.kind is not p.KEYWORD_ONLY:
                names.append(p.name)
    except (TypeError, ValueError):
        pass
    return (names + [f"argument {i}" for i in range(len(names), count)])[:count]


def _paths(tree: Any) -> list[str]:
    """Return how each leaf is reached, as it is written in Python: `['w'][0]`."""
    if isinstance(tree, dict):
        return [f"[{key!r}]{rest}" for key, part in tree.items() for rest in _paths(part)]
    if isinstance(tree, list | tuple):
        return [f"[{i}]{rest}" for i, part in enumerate(tree) for rest in _paths(part)]
    return [] if tree is None else [""]


def smooth_results(y: Any) -> list[Tensor]:
    """Return the float tensors among the results of a function; refuse what is no tensor, and a function without any."""
    parts = leaves(y)
    for part in parts or [y]:
        if not isinstance(part, Tensor):
            raise TypeError(
                f"the function must return tensors, not {type(part).__name__}: {part!r:.60}"
                + (" (did it forget to return?)" if part is None else "; check_vjp is for functions on NumPy arrays")
            )
    smooth = [part for part in parts if part.dtype.kind == "f"]
    if not smooth:
        raise TypeError(f"the function returns {parts[0].dtype}: there is nothing to differentiate")
    return smooth


def unit(x: Any, index: tuple[int, ...]) -> Any:
    """Return the direction of one entry, as long as the largest value of x."""
    u = np.zeros(x.shape)
    u[index] = size_of(x)
    return u


def size_of(x: Any) -> float:
    """Return the largest |x|, by which steps are measured; 1 where all are 0."""
    return float(np.abs(x).max(initial=0.0)) or 1.0


# --- one evaluation ----------------------------------------------------------------------------------------------------


class Margin(NamedTuple):
    """How far a node is from a kink of its op, elementwise: zero exactly there, or at the end of its domain."""

    node: int
    value: Any
    jitter: float  # a move of no more than this is round-off


class Point(NamedTuple):
    """What one evaluation showed; of a function that is not recorded, only its value and the size of what it summed."""

    value: float
    size: float = 0.0
    y: Tensor | None = None
    nodes: Sequence[Node] = ()
    values: Sequence[Any] = ()  # of the nodes
    margins: Sequence[Margin] = ()
    pattern: Sequence[Any] = ()  # which ops ran, on which shapes, and how comparisons went


class Off(Exception):  # noqa: N818 -- no error: a shorter step is tried
    """A step of t left the piece on which the function is smooth."""

    def __init__(self, t: float, why: str) -> None:
        super().__init__(why)
        self.t = abs(t)


class Function:
    """A scalar function of float64 arrays, at one place: it is evaluated along lines from there."""

    def __init__(self, run: Callable[[Sequence[Any]], Point], at: Sequence[Any], eps: float = EPS) -> None:
        self.run, self.at, self.eps = run, list(at), eps
        self.base = self._run(self.at)
        self.scatters: dict[int, float] = {}
        self.adjoints = adjoints(self.base)
        self.parts = [
            0.0 if v is None or g is None else float(_eps(v) * np.sum(np.abs(v * g)))
            for v, g in zip(self.base.values, self.adjoints, strict=True)
        ]

    def _run(self, at: Sequence[Any]) -> Point:
        with np.errstate(all="ignore"):
            return self.run(at)

    def point(self, i: int, u: Any, t: float) -> Point:
        """Evaluate at x + t u, where x is argument i; raise Off where that fails."""
        at = list(self.at)
        at[i] = at[i] + t * u
        try:
            found = self._run(at)
        except Exception as error:
            raise Off(t, f"f raises {type(error).__name__} at a step of {abs(t):.0e}: {error}") from error
        if not isfinite(found.value):
            raise Off(t, f"f is {found.value} at a step of {abs(t):.0e}")
        return found

    def scatter(self, i: int, u: Any) -> float:
        """Return the round-off that is seen: how far values at tiny distances are from a smooth curve.

        All the points are on one side, so that a kink at the base does not count.
        """
        if i not in self.scatters:
            self.scatters[i] = self._seen(i, u, 0.65, 8, 2) if self.base.nodes else self._seen_unrecorded(i, u)
        return self.scatters[i]

    def _seen(self, i: int, u: Any, power: float, count: int, differences: int) -> float:
        """Return twice the largest difference of values at `count` points, or the median one where that is not 0."""
        try:
            values = [self.point(i, u, k * self.eps**power).value for k in range(1, count)]
        except Off:
            return 0.0
        steps = np.abs(np.diff(values, differences))
        return 2 * float(steps.max() if self.base.nodes else np.median(steps) or steps.max())

    def _seen_unrecorded(self, i: int, u: Any) -> float:
        """Look with longer steps too: what short ones do not change at all has round-off larger than its changes."""
        seen = max(self._seen(i, u, power, 16, 4) for power in (0.65, 0.3))
        return seen or self._seen(i, u, 0.15, 8, 1)


def recorded(scalar: Callable[[Sequence[Tensor]], Tensor]) -> Callable[[Sequence[Any]], Point]:
    """Make of a scalar function of tensors one of arrays that returns a `Point` with the history of the value."""

    def run(arrays: Sequence[Any]) -> Point:
        with recording(EVERYTHING):
            xs = [Tensor(x, requires_grad=True) for x in arrays]
            y = scalar(xs)
        nodes = [] if y._node is None else history(y._node)
        known = {x._node.serial: x._data for x in xs if x._node is not None}
        margins: list[Margin] = []
        pattern: list[Any] = []
        for n, node in enumerate(nodes):
            op = node.op
            if op is None:
                continue
            inputs = [
                known[source.serial] if source is not None and value is source else value
                for value, source in zip(node.values, node.sources, strict=True)
            ]
            out = node.out
            if out is None:  # not kept: the op was recorded by a backward pass
                out = op.forward(*inputs, **node.params)
                out = np.asarray(out[0] if op.saves else out)
            known[node.serial] = out
            if found := _margins(op, inputs, node.params):
                largest = max(float(np.abs(x).max(initial=0.0)) for x in map(np.asarray, inputs))
                margins += [Margin(n, margin, 16 * _eps(out) * largest) for margin in found]
            pattern += [op.name, node.shape, None if out.dtype.kind == "f" else out.tobytes()]
        return Point(float(y.item()), 0.0, y, nodes, [known.get(node.serial) for node in nodes], margins, pattern)

    return run


def _margins(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> list[Any]:
    """Return arrays that are zero where an op has a kink, or where its domain ends."""
    found = [] if op.kink is None else [np.asarray(op.kink(*inputs, **{**op.defaults, **params}))]
    if op.variadic or not op.vjps:
        return found
    if found and op.vjps[0] is None:  # floor and its like: where numbers lie too far apart, nobody knows
        found = [np.where(np.abs(inputs[0]) * EPS > 0.1, np.nan, found[0])]
    for x, domain in zip(inputs, op.domain, strict=False):
        if domain is REAL or (op.name == "power" and _whole(inputs[1])):
            continue
        found += [np.subtract(x, end) for end in domain if end is not None and isfinite(end)]
    return found


def _whole(exponent: Any) -> bool:
    return bool(np.all((np.asarray(exponent) >= 0) & (np.asarray(exponent) % 1 == 0)))


def adjoints(point: Point) -> list[Any]:
    """Return the derivative of the value with respect to every inner value, None for what it does not depend on."""
    found: list[Any] = [None] * len(point.nodes)
    if point.y is None or not point.y.requires_grad:
        return found
    wanted = [n for n, node in enumerate(point.nodes) if node.requires_grad and point.values[n] is not None]
    inner = [new_tensor(point.values[n], point.nodes[n]) for n in wanted]
    with np.errstate(all="ignore"):
        for n, g in zip(wanted, gradients(point.y, inner), strict=True):
            found[n] = np.where(np.isfinite(g._data), g._data, 0.0)
    return found


def _eps(v: Any) -> float:
    return float(np.finfo(v.dtype).eps) if v.dtype.kind == "f" else 0.0


# --- the derivative along a line ---------------------------------------------------------------------------------------


TOO_FAST = "f changes too fast for any step"


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
    base, tiny = function.base, function.eps**0.375
    scatter = function.scatter(i, u)
    if not base.nodes:
        noise = max(scatter, 4 * function.eps * base.size)
        found = _central(function, i, u, longest, noise, lambda _point: True)
        if found.value == 0:  # then no round-off was seen
            hidden = 4 * function.eps * max(base.size, *map(size_of, function.at)) / longest
            found = found._replace(bound=found.bound + hidden, noise=found.noise + hidden)
        return found
    try:
        sides = function.point(i, u, tiny), function.point(i, u, -tiny)
    except Off as off:
        return Slope(0.0, inf, why=str(off))
    near = _near(base, sides, tiny)
    kinks = [base.nodes[m.node].op.name for m, at in zip(base.margins, near, strict=True) if at.any()]
    branch = any(side.pattern != base.pattern for side in sides)
    noise = max(scatter, 4 * sum(p for p, moved in zip(function.parts, _moved(function, sides), strict=True) if moved))
    if branch or kinks:
        return _at_kink(function, i, u, longest, noise, sides, kinks[0] if kinks else "a comparison")
    start = min(longest, _nearest_kink(base, sides, tiny) / 2, 0.5 / (_fastest(base, sides, tiny) + 1e-300))

    def clean(point: Point) -> bool:
        """Whether no kink lies between here and the base: no margin has lost more than 60 %."""
        return point.pattern == base.pattern and all(
            np.all(_kept(m.value, m0)) for m, m0 in zip(point.margins, base.margins, strict=True)
        )

    found = _central(function, i, u, start, noise, clean)
    if found.value == 0:
        hidden = 4 * _swallowed(function, sides) / start
        found = found._replace(bound=found.bound + hidden, noise=found.noise + hidden)
    return found


def _kept(margin: Any, before: Margin) -> Any:
    """Tell which margins have changed by 60 % at most; an infinite one is of a maximum over one element.

    The sign is left aside: halfway between two kinks, such as those of clip, it changes, and no kink is near.
    """
    size = np.abs(before.value)
    return np.isinf(size) | (np.abs(np.abs(margin) - size) <= 0.6 * size + before.jitter)


def _central(function: Function, i: int, u: Any, start: float, noise: float, clean: Callable[[Point], bool]) -> Slope:
    """Extrapolate central differences, from ever shorter steps while one of them leaves the smooth piece."""
    why = ""
    outer: list[tuple[float, Point, Point]] = []

    def quotient(h: float) -> float:
        ends = function.point(i, u, h), function.point(i, u, -h)
        if not all(map(clean, ends)):
            raise Off(h, f"a kink lies within a step of {h:.0e}")
        if not outer:
            outer.append((h, *ends))
        return (ends[0].value - ends[1].value) / (2 * h)

    while start > 1e-14:
        try:
            value, error, h = extrapolate(quotient, start, 2, noise)
        except Off as off:
            why, start = str(off), off.t / 4
            outer.clear()
            continue
        total, size = _sizes(function, *outer[0])
        round_off = noise / h + 4 * function.eps * total
        secant = max(abs(point.value - function.base.value) for point in outer[0][1:]) / outer[0][0]
        size = max(size, secant)
        constant = secant == value == error == 0
        return Slope(value, 10 * error + round_off, size, round_off, start, constant, why)
    return Slope(0.0, inf, why=why or TOO_FAST)


def _at_kink(
    function: Function, i: int, u: Any, longest: float, noise: float, sides: tuple[Point, Point], name: str
) -> Slope:
    """Extrapolate one-sided differences from a kink, and tell between which bounds a derivative may be chosen there."""
    base, tiny = function.base, function.eps**0.375
    near = _near(base, sides, tiny)
    fastest = _fastest(base, sides, tiny)
    found, why = [], TOO_FAST
    secants: list[float] = []
    for sign, side in ((1.0, sides[0]), (-1.0, sides[1])):
        start = min(longest, 0.5 / (fastest + 1e-300), _nearest_kink(base, sides, tiny) / 2)

        def clean(point: Point, side: Point = side, t: float = 0.0) -> bool:
            if point.pattern != side.pattern:
                return False
            if len(base.margins) != len(side.margins):
                return True
            for m, m0, m1, at in zip(point.margins, base.margins, side.margins, near, strict=True):
                first, now = m1.value - m0.value, m.value - m0.value  # away from the kink, and never back
                steady = (np.abs(first) <= m0.jitter) | (now * np.sign(first) >= 0.4 * np.abs(first) * t / tiny)
                if not np.all(np.where(at, steady, _kept(m.value, m0))):
                    return False
            return True

        def quotient(h: float, sign: float = sign, clean: Any = clean) -> float:
            end = function.point(i, u, sign * h)
            if not clean(end, t=h):
                raise Off(h, f"another kink lies within a step of {h:.0e}")
            secants.append(abs(end.value - base.value) / h)
            return sign * (end.value - base.value) / h

        while start > 1e-14:
            try:
                value, error, h = extrapolate(quotient, start, 1, 2 * noise, rounds=14)
                found.append((value, 10 * error + 2 * noise / h, noise / h))
                break
            except Off as off:
                why, start = str(off), off.t / 4
        else:
            return Slope(0.0, inf, why=why)
    if _jumps(function, i, u, sides):
        return Slope(0.0, 0.0, why=f"f jumps here, by {name}", kink=name, low=-inf, high=inf)
    (right, right_bound, round_off), (left, left_bound, _) = found
    down, up = _choices(function, sides, near, tiny)
    hull = sorted((left, right))
    size = max(_sizes(function, tiny, *sides)[1], abs(left), abs(right), *secants)
    low, high = min(hull[0], right - down), max(hull[1], right + up)
    low, high = low - 1e-4 * (abs(low) + size), high + 1e-4 * (abs(high) + size)  # slopes of inner values are rough
    bound = right_bound + left_bound + 4 * EPS * size
    constant = left == right == 0 == size
    return Slope((left + right) / 2, bound, size, round_off, tiny, constant, "", name, left, right, low, high)


def _jumps(function: Function, i: int, u: Any, sides: tuple[Point, Point]) -> bool:
    """Whether the value itself jumps: a step that is 1000 times shorter changes it by no less than half as much."""
    tiny, base = function.eps**0.375, function.base.value
    closer = [function.point(i, u, sign * tiny / 1000).value for sign in (1.0, -1.0)]
    return any(
        abs(near - base) > max(abs(far.value - base) / 2, 16 * sum(function.parts))
        for near, far in zip(closer, sides, strict=True)
    )


def _choices(function: Function, sides: tuple[Point, Point], near: Sequence[Any], tiny: float) -> tuple[float, float]:
    """Tell how far below and above the slope to the right a derivative may be chosen at a kink.

    Each kinked value v has a slope on either side, and any between will do: Σ v̄ (v̇ right − v̇ left), those of one sign.
    The adjoint v̄ may change too where kinks follow on each other: the worst of the base and both sides is taken.  There
    a tie may also be split so that the parts fit together on no side, and each input may count or not: Σ |v̄| |v̇ input|.
    """
    base = function.base
    if not _same(base, *sides):
        return inf, inf
    kinked = {m.node for m, at in zip(base.margins, near, strict=True) if at.any()}
    kinked |= {n for n, node in enumerate(base.nodes) if any(_discrete(value) for value in node.values)}
    place = {node.serial: n for n, node in enumerate(base.nodes)}
    nested = False
    below: set[int] = set()  # the kinked nodes, and what was computed from them
    for n, node in enumerate(base.nodes):
        follows = any(source is not None and place[source.serial] in below for source in node.sources)
        nested = nested or (follows and n in kinked)
        if follows or n in kinked:
            below.add(n)
    down = up = 0.0
    ahead, behind, values = sides[0].values, sides[1].values, base.values
    for weights in (function.adjoints, adjoints(sides[0]), adjoints(sides[1])):
        jumps = [weights[n] * (ahead[n] + behind[n] - 2 * values[n]) / tiny for n in kinked if weights[n] is not None]
        down = max(down, sum(float(np.maximum(jump, 0).sum()) for jump in jumps))
        up = max(up, sum(float(np.maximum(-jump, 0).sum()) for jump in jumps))
        if nested:
            inputs = [
                (n, place[source.serial])
                for n in kinked
                if weights[n] is not None
                for source in base.nodes[n].sources
                if source is not None and not _discrete(values[place[source.serial]])
            ]
            slack = sum(
                float(np.abs(weights[n]).max(initial=0) * np.abs(side[k] - values[k]).sum()) / tiny
                for n, k in inputs
                if values[k] is not None
                for side in (ahead, behind)
            )
            down, up = max(down, slack), max(up, slack)
    return down, up


def _discrete(value: Any) -> bool:
    return is_array(value) and value.dtype.kind != "f"


def _same(*points: Point) -> bool:
    """Whether the same ops ran, on the same shapes."""
    plans = [[(node.op, node.shape) for node in point.nodes] for point in points]
    return all(plan == plans[0] for plan in plans)


def _near(base: Point, sides: tuple[Point, Point], tiny: float) -> list[Any]:
    """Tell, for each margin, which of its entries move and are zero, but for less than the shortest step."""
    found = []
    for k, m in enumerate(base.margins):
        rate = _rate(base, sides, k, tiny)
        found.append((np.abs(m.value) <= NEAR * rate) & (rate > 0))
    return found


def _nearest_kink(base: Point, sides: tuple[Point, Point], tiny: float) -> float:
    """Return the distance along the line to the nearest kink that is further away than `NEAR`, to first order."""
    nearest = inf
    for k, m in enumerate(base.margins):
        rate, size = _rate(base, sides, k, tiny), np.abs(m.value)
        far = (rate > 0) & (size > NEAR * rate)
        with np.errstate(all="ignore"):
            nearest = min(nearest, float(np.min(np.where(far, size / rate, inf), initial=inf)))
    return nearest


def _rate(base: Point, sides: tuple[Point, Point], k: int, tiny: float) -> Any:
    """Return how fast margin number k moves; not at all where another side took another way."""
    m = base.margins[k]
    moves = [np.abs(np.abs(side.margins[k].value) - np.abs(m.value)) for side in sides if _same(base, side)]
    most = np.maximum.reduce(moves) if moves else np.zeros(m.value.shape)
    return np.where(most > m.jitter, most, 0.0) / tiny


def _moved(function: Function, sides: tuple[Point, Point]) -> list[bool]:
    """Tell which nodes round differently along the line: those whose value moves, or may swallow the move of an input."""
    base = function.base
    if not _same(base, *sides):
        return [True] * len(base.nodes)
    heard: dict[int, bool] = {}  # whether what was computed from a value could change with it
    found = []
    for node, v, w, g in zip(base.nodes, base.values, sides[0].values, function.adjoints, strict=True):
        moves = np.zeros(1, bool) if v is None else v != w
        moves = moves if moves.any() else any(source is not None and heard[source.serial] for source in node.sources)
        heard[node.serial] = g is not None and bool(np.any(moves & (g != 0)))
        found.append(bool(np.any(moves)))
    return found


def _swallowed(function: Function, sides: tuple[Point, Point]) -> float:
    """Return the round-off of ops that answer a moving input with the same value: relative to what they sum inside."""
    base = function.base
    if not _same(base, *sides):
        return 0.0
    place = {node.serial: n for n, node in enumerate(base.nodes)}
    total = 0.0
    for n, moved in enumerate(_moved(function, sides)):
        v, g = base.values[n], function.adjoints[n]
        if moved and v is not None and g is not None and np.array_equal(v, sides[0].values[n]):
            inputs = [base.values[place[source.serial]] for source in base.nodes[n].sources if source is not None]
            largest = max((size_of(x) for x in inputs if x is not None), default=0.0)
            total += _eps(v) * largest * float(np.abs(g).sum())
    return total


def _fastest(base: Point, sides: tuple[Point, Point], tiny: float) -> float:
    """Return the fastest move of a value that an op is not linear in: the rule for it reads it, or the result."""
    if not _same(base, *sides):
        return 0.0
    place = {node.serial: n for n, node in enumerate(base.nodes)}
    fastest = 0.0
    for node in base.nodes:
        for i, source in enumerate(node.sources):
            if source is None or not source.requires_grad or node.op.variadic or not node.op.vjps:
                continue
            plan = node.op.plans.get(1 << i) or node.op.plan(1 << i, len(node.sources))
            if (i in plan.drop and not plan.keep_out) or (node.op.name == "power" and i == 0):
                continue
            n = place[source.serial]
            moves = [np.abs(side.values[n] - base.values[n]) for side in sides if base.values[n] is not None]
            fastest = max([fastest, *(float(np.max(move, initial=0.0)) / tiny for move in moves)])
    return fastest


def _sizes(function: Function, h: float, ahead: Point, behind: Point) -> tuple[float, float]:
    """Return Σ |v̇ v̄| over all inner values, and the largest such sum of one node; what may be round-off does not count."""
    total = largest = 0.0
    if not _same(function.base, ahead, behind):
        return total, largest
    for v, a, b, g in zip(function.base.values, ahead.values, behind.values, function.adjoints, strict=True):
        if v is not None and g is not None and v.dtype.kind == "f":
            moves = np.maximum(np.abs(a - b) - 4 * _eps(v) * np.abs(v), 0.0) / (2 * h)
            part = float(np.sum(moves * np.abs(g)))
            total, largest = total + part, max(largest, part)
    return total, largest


def extrapolate(
    quotient: Callable[[float], float],
    h: float,
    power: int,
    noise: float = 0.0,
    rounds: int = 8,
    shrink: float = SHRINK,
) -> tuple[float, float, float]:
    """Extrapolate difference quotients to a step of 0; return the value, its estimated error and the shortest step used.

    `power` is 2 for central and 1 for one-sided differences: by how much the powers of h in their error rise.  `noise` is
    the round-off of a difference.  Source: Ridders (1982).
    """
    best, error, step = np.nan, np.inf, h
    previous: list[float] = []
    for i in range(rounds):
        row = [quotient(h)]
        factor = shrink**power
        for j in range(i):
            row.append((factor * row[j] - previous[j]) / (factor - 1))
            factor *= shrink**power
            estimate = max(abs(row[-1] - row[-2]), abs(row[-1] - previous[j]))
            if 10 * estimate + noise / h <= 10 * error + noise / step:
                best, error, step = row[-1], estimate, h
        if 10 * error <= noise / h:
            break
        previous, h = row, h / shrink
    return float(best), float(error), step


def derivative(f: Callable[[float], float], h: float = 0.01, rounds: int = 8, shrink: float = SHRINK) -> float:
    """Return f'(0) by Ridders' method; f must be smooth on [-h, h]."""
    return extrapolate(lambda step: (f(step) - f(-step)) / (2 * step), h, 2, rounds=rounds, shrink=shrink)[0]


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
