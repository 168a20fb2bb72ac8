"""Whether two values are the same: within a tolerance that has a name, or but for a rounding that is measured.

Source: Parker (1997), Monte Carlo arithmetic: what a formula gives when every operation and every input is disturbed by
half a unit in the last place spreads as far as its rounding can reach.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

Array = Any
TRIES, MARGIN = 8, 30


class Same(Enum):
    """How far two values may lie apart that are the same, as a fraction of the largest entry: every tolerance, by name."""

    ROUNDING = 1e-8  # one thing, by two formulas
    CALL = 1e-6  # one call of a function and the next
    SINGLE = 1e-4  # in single precision,
    ROUGH = 1e-3  # and a ratio, or a whole pass, of such numbers


def same(value: Any, true: Any, how: Same = Same.ROUNDING) -> bool:
    """Whether a value has the shape of another and lies within a tolerance of it; NaN is the same as NaN.

    Where the other is tiny throughout, a thousandth counts as its largest entry: what is left where numbers cancel is 0.

    >>> same(np.array([1.0, 1e-12]), np.array([1.0, 0.0])), same(np.ones(2), np.ones((2, 1)))
    (True, False)
    """
    value, true = np.asarray(value), np.asarray(true)
    if value.shape != true.shape or value.dtype.kind not in "fiub":
        return False
    if value.dtype.kind == "b":
        return bool((value == true).all())
    largest = float(np.max(np.abs(true), initial=0.0, where=np.isfinite(true)))
    near = np.abs(value - true) <= how.value * max(largest, 1e-3)
    return bool((near | (value == true) | (np.isnan(value) & np.isnan(true))).all())


def equal(
    value: Any, true: Array, again: Callable[[Callable[[Array], Array]], Any] | None = None, dtype: Any = np.float64,
    size: float = 0.0,
) -> bool:  # fmt: skip
    """Whether a value has the shape of the true one and differs by rounding at most.

    `size` is that of the largest number it was computed from: where large numbers cancel, their rounding stays.

    `again(disturb)` computes the value once more, with `disturb` applied to its inputs, which are of `dtype`.  Nothing
    can be said, and so all is well, where the true value itself is not finite.
    """
    value = np.asarray(value)
    if value.shape != true.shape or value.dtype.kind not in "fiub":
        return False
    if not value.size or not np.isfinite(true).all():
        return True
    eps = float(np.finfo(dtype).eps)
    value = value.astype(np.float64)
    if not np.isfinite(value).all():
        return bool(dtype == np.float32)  # 1 − A2 may be 0 there; what is wrong in float64 too is found there
    off = np.abs(value - true)
    allowed = 200 * eps * max(float(np.max(np.abs(true))), size) + 1e3 * float(np.finfo(dtype).tiny)
    if (off <= allowed).all():
        return True
    if again is None:
        return False
    spread = np.zeros(value.shape)
    for number in range(TRIES):
        disturb = Disturber(np.random.default_rng(number), eps)
        try:
            other = np.asarray(again(disturb), np.float64)
        except Exception:
            return False
        if other.shape != value.shape:
            return False
        moved = np.abs(other - value)
        spread = np.maximum(spread, np.where(np.isfinite(moved), moved, np.inf))
        if number == 1 and (off > 1e4 * (np.max(spread) + allowed)).any():
            return False
    return bool((off <= MARGIN * spread + allowed).all())


class Disturber:
    """Makes arrays whose every use in a ufunc is disturbed by up to half a unit in the last place."""

    def __init__(self, rng: np.random.Generator, eps: float) -> None:
        self.rng, self.eps = rng, eps

    def __call__(self, x: Any) -> Any:
        """Return an array as a disturbed one; all else as it is."""
        if type(x) is not np.ndarray or x.dtype.kind != "f":
            return x
        return self.wrapped(x)

    def wrapped(self, x: Array) -> Any:
        """Disturb every element."""
        noise = 1 + self.eps * self.rng.uniform(-1, 1, x.shape)
        found = (x * noise).astype(x.dtype).view(_Disturbed)
        found.by = self
        return found


class _Disturbed(np.ndarray[Any, Any]):
    by: Disturber | None = None

    def __array_finalize__(self, source: Any) -> None:
        self.by = getattr(source, "by", None)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        by = next(x.by for x in (*inputs, *kwargs.get("out", ())) if isinstance(x, _Disturbed) and x.by is not None)
        plain = [x.view(np.ndarray) if isinstance(x, _Disturbed) else x for x in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(x.view(np.ndarray) if isinstance(x, _Disturbed) else x for x in kwargs["out"])
        result = getattr(ufunc, method)(*plain, **kwargs)
        if not isinstance(result, np.ndarray | np.floating) or result.dtype.kind != "f":
            return result
        return by.wrapped(np.asarray(result))
