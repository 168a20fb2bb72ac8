"""What the settings of layers may be; the error names the setting."""

from __future__ import annotations

from math import inf
from numbers import Integral, Real
from typing import Any


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return an integer, NumPy's too, as Python's.  Raises ValueError for what is none, or less than `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise ValueError(f"{name} must be a whole number ≥ {least}, not {value!r}")
    return int(value)


def wholes(name: str, value: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """Return one integer per axis; a single one is that of all.  Raises ValueError as `whole` does."""
    sizes = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    if len(sizes) != axes:
        raise ValueError(f"{name} must be a number or {axes} of them, not {value!r}")
    return tuple(whole(name, size, least) for size in sizes)


def positive(name: str, value: Any) -> float:
    """Return a number above 0.  Raises ValueError for anything else."""
    if not (isinstance(value, Real) and 0 < float(value) < inf):
        raise ValueError(f"{name} must be a positive number, not {value!r}")
    return float(value)


def share(name: str, value: Any) -> float:
    """Return a number from 0 to 1.  Raises ValueError for anything else."""
    if not (isinstance(value, Real) and 0 <= float(value) <= 1):
        raise ValueError(f"{name} must be a number from 0 to 1, not {value!r}")
    return float(value)
