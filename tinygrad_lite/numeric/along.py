"""One evaluation of a scalar function, or many along a line: kinks, branches, round-off, as the recorded graph shows them.

Sources: for the round-off, Σ |v v̄| eps over the inner values v with their adjoints v̄, Griewank, Walther: Evaluating
Derivatives, 2nd ed., ch. 3.4; for the measured part of it, Moré, Wild, Estimating computational noise, SIAM J. Sci.
Comput. 33 (2011).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np

from ..autodiff import gradients
from ..op import REAL, Op
from ..recording import EVERYTHING, recording
from ..tensor import Node, Tensor, history, is_array, new_tensor

EPS = float(np.finfo(np.float64).eps)


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
    plan: Sequence[Any] = ()  # the same without the comparisons


class Off(Exception):  # noqa: N818 -- no error: a shorter step is tried
    """A step of t left the piece on which the function is smooth."""

    def __init__(self, t: float, why: str) -> None:
        super().__init__(why)
        self.t = abs(t)


class Function:
    """A scalar function of float64 arrays, at one place: it is evaluated along lines from there."""

    def __init__(self, run: Callable[[Sequence[Any]], Point], at: Sequence[Any], eps: float = EPS) -> None:
        self.run, self.at, self.eps = run, list(at), eps
        with np.errstate(all="ignore"):
            self.base = run(self.at)
        self.scatters: dict[int, float] = {}
        self.adjoints = adjoints(self.base)
        self.parts = [  # of the round-off, by node
            0.0 if v is None or g is None else eps_of(v) * float(np.sum(np.abs(v * g)))
            for v, g in zip(self.base.values, self.adjoints, strict=True)
        ]

    def point(self, i: int, u: Any, t: float) -> Point:
        """Evaluate at x + t u, where x is argument i; raise Off where that fails."""
        at = list(self.at)
        at[i] = at[i] + t * u
        try:
            with np.errstate(all="ignore"):
                found = self.run(at)
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
            if self.base.nodes:
                seen = self._seen(i, u, 0.65, 8, 2)
            else:  # longer steps too: what short ones do not change at all has round-off larger than its changes
                seen = max(self._seen(i, u, power, 16, 4) for power in (0.65, 0.3)) or self._seen(i, u, 0.15, 8, 1)
            self.scatters[i] = seen
        return self.scatters[i]

    def _seen(self, i: int, u: Any, power: float, count: int, differences: int) -> float:
        """Return twice the largest difference of values at `count` points, or the median one where that is not 0."""
        try:
            values = [self.point(i, u, k * self.eps**power).value for k in range(1, count)]
        except Off:
            return 0.0
        steps = np.abs(np.diff(values, differences))
        return 2 * float(steps.max() if self.base.nodes else np.median(steps) or steps.max())


def recorded(scalar: Callable[[Sequence[Tensor]], Tensor]) -> Callable[[Sequence[Any]], Point]:
    """Make of a scalar function of tensors one of arrays that returns a `Point` with the history of the value."""

    def run(arrays: Sequence[Any]) -> Point:
        with recording(EVERYTHING):
            xs = [Tensor(x, requires_grad=True) for x in arrays]
            y = scalar(xs)
        nodes = [] if y._node is None else history(y._node)
        known = {x._node.serial: x._array for x in xs if x._node is not None}
        margins: list[Margin] = []
        comparisons: list[Any] = []
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
                margins += [Margin(n, margin, 16 * eps_of(out) * largest) for margin in found]
            if out.dtype.kind != "f":
                comparisons.append(out.tobytes())
        plan = [(node.op, node.shape) for node in nodes]
        values = [known.get(node.serial) for node in nodes]
        return Point(float(y.item()), 0.0, y, nodes, values, margins, [plan, comparisons], plan)

    return run


def _margins(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> list[Any]:
    """Return arrays that are zero where an op has a kink, or where its domain ends."""
    found = [] if op.kink is None else [np.asarray(op.kink(*inputs, **{**op.defaults, **params}))]
    if op.variadic or not op.vjps:
        return found
    if found and op.vjps[0] is None:  # floor and its like: where numbers lie too far apart, nobody knows
        found = [np.where(np.abs(inputs[0]) * EPS > 0.1, np.nan, found[0])]
    for x, domain in zip(inputs, op.domain, strict=False):
        whole = op.name == "power" and np.all((np.asarray(inputs[1]) >= 0) & (np.asarray(inputs[1]) % 1 == 0))
        if domain is not REAL and not whole:
            found += [np.subtract(x, end) for end in domain if end is not None and isfinite(end)]
    return found


def adjoints(point: Point) -> list[Any]:
    """Return the derivative of the value with respect to every inner value, None for what it does not depend on."""
    found: list[Any] = [None] * len(point.nodes)
    if point.y is None or not point.y.requires_grad:
        return found
    wanted = [n for n, node in enumerate(point.nodes) if node.requires_grad and point.values[n] is not None]
    inner = [new_tensor(point.values[n], point.nodes[n]) for n in wanted]
    with np.errstate(all="ignore"):
        for n, g in zip(wanted, gradients(point.y, inner), strict=True):
            found[n] = np.where(np.isfinite(g._array), g._array, 0.0)
    return found


def eps_of(v: Any) -> float:
    """Return the rounding unit of the dtype of an array, 0 for one of whole numbers."""
    return float(np.finfo(v.dtype).eps) if v.dtype.kind == "f" else 0.0


def size_of(x: Any) -> float:
    """Return the largest |x|, by which steps are measured; 1 where all are 0."""
    return float(np.abs(x).max(initial=0.0)) or 1.0


# --- along a line -----------------------------------------------------------------------------------------------------


NEAR = 1e-8  # a kink closer than this, relatively, cannot be stepped around


class Line:
    """A point, a direction of argument i, and what the graph does on both sides."""

    def __init__(self, function: Function, i: int, u: Any) -> None:
        self.function, self.i, self.u, self.base = function, i, u, function.base
        base, tiny = self.base, function.eps**0.375
        self.tiny = tiny
        self.sides = function.point(i, u, tiny), function.point(i, u, -tiny)
        same = [side for side in self.sides if side.plan == base.plan]
        self.alike = len(same) == 2  # the same ops ran, on the same shapes
        self.place = {node.serial: n for n, node in enumerate(base.nodes)}
        self.near: list[
            Any
        ] = []  # for each margin, which entries move and are zero, but for less than the shortest step
        self.nearest = inf  # the distance to the nearest kink that is further away, to first order
        for k, m in enumerate(base.margins):
            size = np.abs(m.value)
            most = np.zeros(m.value.shape)
            for side in same:
                most = np.maximum(most, np.abs(np.abs(side.margins[k].value) - size))
            rate = np.where(most > m.jitter, most, 0.0) / tiny
            self.near.append((size <= NEAR * rate) & (rate > 0))
            with np.errstate(all="ignore"):
                away = np.where((rate > 0) & ~self.near[k], size / rate, inf)
            self.nearest = min(self.nearest, float(np.min(away, initial=inf)))
        self.kinks = [base.nodes[m.node].op.name for m, at in zip(base.margins, self.near, strict=True) if at.any()]
        if not self.kinks and any(side.pattern != base.pattern for side in self.sides):
            self.kinks = ["a comparison"]

    def smooth_until(self, point: Point, side: Point, t: float) -> bool:
        """Whether no kink lies between the base, or the side of it, and a point at distance t."""
        if point.pattern != side.pattern:
            return False
        if len(self.base.margins) != len(side.margins):
            return True
        for m, m0, m1, at in zip(point.margins, self.base.margins, side.margins, self.near, strict=True):
            # No margin has lost more than 60 %.  The sign is left aside: halfway between two kinks, such as those of clip,
            # it changes, and no kink is near.  An infinite margin is of a maximum over one element.
            size = np.abs(m0.value)
            kept = np.isinf(size) | (np.abs(np.abs(m.value) - size) <= 0.6 * size + m0.jitter)
            if at.any():  # from a kink: away from it, and never back
                first, now = m1.value - m0.value, m.value - m0.value
                away = (np.abs(first) <= m0.jitter) | (now * np.sign(first) >= 0.4 * np.abs(first) * t / self.tiny)
                kept = np.where(at, away, kept)
            if not np.all(kept):
                return False
        return True

    def fastest(self) -> float:
        """Return the fastest move of a value that an op is not linear in: the rule for it reads it, or the result."""
        fastest = 0.0
        for node in self.base.nodes if self.alike else ():
            for i, source in enumerate(node.sources):
                if source is None or not source.requires_grad or node.op.variadic or not node.op.vjps:
                    continue
                plan = node.op.plans.get(1 << i) or node.op.plan(1 << i, len(node.sources))
                if (i in plan.drop and not plan.keep_out) or (node.op.name == "power" and i == 0):
                    continue
                n = self.place[source.serial]
                moves = [
                    np.abs(side.values[n] - self.base.values[n])
                    for side in self.sides
                    if self.base.values[n] is not None
                ]
                fastest = max([fastest, *(float(np.max(move, initial=0.0)) / self.tiny for move in moves)])
        return fastest

    def round_off(self) -> float:
        """Return the round-off of the values that change along the line, or whose inputs do; others round as before."""
        moved: list[bool] = []
        for node, v, w in (
            zip(self.base.nodes, self.base.values, self.sides[0].values, strict=True) if self.alike else ()
        ):
            inputs = any(source is not None and moved[self.place[source.serial]] for source in node.sources)
            moved.append(inputs or v is None or not np.array_equal(v, w))
        parts = self.function.parts
        return sum(part for part, moves in zip(parts, moved or [True] * len(parts), strict=True) if moves)

    def jumps(self) -> bool:
        """Whether the value itself jumps: a step that is 1000 times shorter changes it by no less than half as much."""
        value, noise = self.base.value, 16 * sum(self.function.parts)
        closer = [self.function.point(self.i, self.u, sign * self.tiny / 1000).value for sign in (1.0, -1.0)]
        pairs = zip(closer, self.sides, strict=True)
        return any(abs(near - value) > max(abs(far.value - value) / 2, noise) for near, far in pairs)

    def choices(self) -> tuple[float, float]:
        """Tell how far below and above the slope to the right a derivative may be chosen at a kink.

        Each kinked value v has a slope on either side, and any between will do: Σ v̄ (v̇ right − v̇ left), those of one sign.
        The adjoint v̄ may change too where kinks follow on each other: the worst of the base and both sides is taken.  There
        a tie may also be split so that the parts fit together on no side, and each input may count or not: Σ |v̄| |v̇ input|.
        """
        if not self.alike:
            return inf, inf
        nodes, values = self.base.nodes, self.base.values
        ahead, behind = (side.values for side in self.sides)
        kinked = {m.node for m, at in zip(self.base.margins, self.near, strict=True) if at.any()}
        kinked |= {n for n, node in enumerate(nodes) if any(map(_discrete, node.values))}
        sources = [[self.place[source.serial] for source in node.sources if source is not None] for node in nodes]
        nested = False
        below: set[int] = set()  # the kinked nodes, and what was computed from them
        for n, from_ in enumerate(sources):
            follows = not below.isdisjoint(from_)
            nested = nested or (follows and n in kinked)
            if follows or n in kinked:
                below.add(n)
        down = up = 0.0
        for weights in (self.function.adjoints, *map(adjoints, self.sides)):
            heard = [n for n in kinked if weights[n] is not None]
            jumps = [weights[n] * (ahead[n] + behind[n] - 2 * values[n]) / self.tiny for n in heard]
            slack = 0.0
            for n in heard if nested else ():
                inputs = [k for k in sources[n] if values[k] is not None and not _discrete(values[k])]
                moves = sum(float(np.abs(side[k] - values[k]).sum()) for k in inputs for side in (ahead, behind))
                slack += float(np.abs(weights[n]).max(initial=0)) * moves / self.tiny
            down = max(down, slack, sum(float(np.maximum(jump, 0).sum()) for jump in jumps))
            up = max(up, slack, sum(float(np.maximum(-jump, 0).sum()) for jump in jumps))
        return down, up


def _discrete(value: Any) -> bool:
    return is_array(value) and value.dtype.kind != "f"
