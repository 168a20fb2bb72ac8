"""Line: where the kinks of a recorded graph lie along a line, and how fast its values move.  Imports `evaluation`."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ..tensor import is_array
from .evaluation import Function, Point, adjoints

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
