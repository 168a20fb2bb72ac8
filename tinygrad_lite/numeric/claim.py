"""A function whose results are summed with weights, and the gradient that it claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autodiff import gradients
from ..ops.reduction import sum as reduce_sum
from ..recording import GRADIENTS, recording
from ..tensor import Tensor
from ..tree import leaves, matched, rebuild
from .along import Function, Point, recorded, size_of
from .arguments import Arguments, equal, float_arrays, is_float
from .slope import STEP

LEVEL = 1e-6  # results that are smaller than the largest are weighted up, by no more than its inverse
Weights = list[Any] | None  # None where the result is a single number, which is left as it is


class UnusableError(Exception):
    """The function cannot be checked; the message is the reason."""


class BrokenError(Exception):
    """There is no gradient to compare; the message tells why."""


class Subject:
    """A function of tensors: `outputs` makes a list of float tensors of its float arguments."""

    def __init__(self, given: Arguments, outputs: Callable[[Sequence[Any]], list[Any]]) -> None:
        self.given, self.outputs = given, outputs
        with np.errstate(all="ignore"):
            self.found = given.called(self.results)
        self.weights = self._weights()

    def results(self, at: Sequence[Any]) -> list[Any]:
        """Return the float results as arrays."""
        return [y.numpy() for y in self.outputs([Tensor(x, requires_grad=True) for x in at])]

    def function(self, weights: Weights) -> Function:
        """Return the weighted sum, at the arguments."""
        return Function(recorded(lambda xs: total(self.outputs(xs), weights)), self.given.at)

    def pull(self, at: Sequence[Any], weights: Weights) -> tuple[float, list[Any]]:
        """Return the weighted sum and its gradient; raise UnusableError or BrokenError where there is none."""
        xs = [Tensor(x, requires_grad=True) for x in at]
        with recording(GRADIENTS), np.errstate(all="ignore"):
            y = total(self.outputs(xs), weights)
            if self.given.changed() or not all(equal(x._array, x0) for x, x0 in zip(xs, at, strict=True)):
                raise UnusableError("f changes its arguments")
            try:
                found = [g.numpy() for g in gradients(y, xs)] if y.requires_grad else [np.zeros(x.shape) for x in xs]
            except Exception as error:
                raise BrokenError(f"the backward pass raises {type(error).__name__}: {error}") from error
        return float(y.item()), found

    def _weights(self) -> Weights:
        """Return random weights that bring results of all sizes to a like one.

        A mistake in a small result would be lost in the round-off of a large one.  How large a result is shows in its
        value, and in its change over a step; what is only round-off must not be brought up to the rest (`LEVEL`).
        """
        if len(self.found) == 1 and self.found[0].size == 1:
            return None
        rng = np.random.default_rng(0)
        sizes = [np.where(np.isfinite(y), np.abs(y), 0.0) for y in self.found]
        with np.errstate(all="ignore"):
            try:
                there = self.results([x + STEP * size_of(x) * signs(rng, x.shape) for x in self.given.at])
                changes = [np.abs(y1 - y) for y, y1 in zip(self.found, there, strict=True)]
                sizes = [np.where(np.isfinite(dy), np.maximum(y, dy), y) for y, dy in zip(sizes, changes, strict=True)]
            except Exception:  # f need not be defined there
                pass
        largest = max(float(size.max(initial=0.0)) for size in sizes) or 1.0
        levels = [max(LEVEL, np.finfo(y.dtype).eps) for y in self.found]
        return [
            (signs(rng, y.shape) / np.maximum(size / largest, level)).astype(y.dtype)
            for y, size, level in zip(self.found, sizes, levels, strict=True)
        ]

    def weights_at(self, places: Any, alone: bool = False) -> list[Any]:
        """Return the weights of the results at some places, counted through, and 0 for the others; 1 for one alone."""
        flat = np.zeros(sum(y.size for y in self.found))
        flat[places] = 1.0 if alone else np.concatenate([np.ravel(w) for w in self.weights or ()])[places]
        ends = np.cumsum([y.size for y in self.found])[:-1]
        return [part.reshape(y.shape) for part, y in zip(np.split(flat, ends), self.found, strict=True)]

    def named(self, place: int) -> str:
        """Write which result that is: `[2, 3]`, or `[1][2, 3]` where f returns several."""
        k = int(np.searchsorted(np.cumsum([y.size for y in self.found]), place, side="right"))
        place -= sum(y.size for y in self.found[:k])
        entry = str([int(n) for n in np.unravel_index(place, self.found[k].shape)] or "")
        return f"[{k}]{entry}" if len(self.found) > 1 else entry


class Pair(Subject):
    """A function of arrays, and its vjp."""

    def __init__(self, given: Arguments, forward: Callable[..., Any], back: Callable[..., Any]) -> None:
        self.forward, self.back = forward, back
        super().__init__(given, lambda at: float_arrays(forward(*given.filled([x.copy() for x in at]))))

    def results(self, at: Sequence[Any]) -> list[Any]:
        """Return the float results."""
        return self.outputs(at)

    def function(self, weights: Weights) -> Function:
        """Return the weighted sum, at the arguments; nothing of it is recorded."""

        def run(at: Sequence[Any]) -> Point:
            ys = self.outputs(at)
            return Point(float(total(ys, weights)), float(total(map(np.abs, ys), weights and map(np.abs, weights))))

        return Function(run, self.given.at, max(float(np.finfo(y.dtype).eps) for y in self.found))

    def pull(self, at: Sequence[Any], weights: Weights) -> tuple[float, list[Any]]:
        """Return the weighted sum and its gradient, by the vjp."""
        mine = self.given.filled([x.copy() for x in at])
        with np.errstate(all="ignore"):
            y = self.forward(*mine)
            ys = float_arrays(y)
            factors = zip(weights or [np.ones(ys[0].shape)], ys, strict=True)
            try:
                found = self.back(rebuild(y, [np.asarray(w, part.dtype) for w, part in factors]), *mine)
            except Exception as error:
                raise BrokenError(f"the vjp raises {type(error).__name__}: {error}") from error
        floats = [x for x in leaves(mine) if is_float(x)]
        if self.given.changed() or not all(equal(x, x0) for x, x0 in zip(floats, at, strict=True)):
            raise UnusableError("f or its vjp changes its arguments")
        return float(total(ys, weights)), self._sorted_out(found)

    def _sorted_out(self, found: Any) -> list[Any]:
        """Return what a vjp returned, one gradient for each float array; None is zero."""
        if isinstance(found, dict) and not (len(self.given.args) == 1 and isinstance(self.given.args[0], dict)):
            order = ", ".join(f"d{name}" for name in self.given.positions)
            raise TypeError(
                f"the vjp returned a dict; return the gradients in the order of the arguments, as ({order})"
            )
        given, every = self.given, list(found) if isinstance(found, tuple | list) else [found]
        if len(every) != len(given.args):
            order = ", ".join(f"d{name}" for name in given.positions)
            raise BrokenError(
                f"the vjp returned {len(every)} gradients, not {len(given.args)}: return one for each argument, ({order})"
            )
        flat: list[Any] = []
        for name, arg, part in zip(given.positions, given.args, every, strict=True):
            try:
                flat += [None] * len(leaves(arg)) if part is None else matched(arg, part)
            except ValueError as error:
                raise BrokenError(f"the gradient for {name} must have its form: {error}") from error
        parts = [flat[place] for place in given.places]
        return [np.zeros(x.shape) if g is None else np.asarray(g) for x, g in zip(given.at, parts, strict=True)]


def total(parts: Any, weights: Any) -> Any:
    """Sum results with weights; a single number without any is left as it is."""
    if weights is None:
        (part,) = parts
        return reduce_sum(part) if isinstance(part, Tensor) else part.sum()
    sums = [(part * w).sum() for part, w in zip(parts, weights, strict=True)]
    return sum(sums[1:], start=sums[0])


def signs(rng: Any, shape: tuple[int, ...]) -> Any:
    """Return random numbers of both signs, none of them small."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)
