"""figures: the numbers of an example, = (0.7692 − 0.5) · 0.6 = 0.1615, each side held against the next."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import numpy as np

from ..formula.expression import Apply, Expression, Name, Number, parts_of
from ..formula.value import evaluate
from .statement import Statement


def disagreement(s: Statement) -> str:
    """Say which two sides of numbers are not the same, however their figures were rounded; nothing where all are.

    A figure with two decimals or more may be one unit of its last place too large or too small; 2 and 0.5 are what they are.
    """
    sides = [side for side in s.sides if not any(isinstance(part, Name) for part in parts_of(side))]
    for a, b in pairwise(sides):
        x, y = _value(a), _value(b)
        if np.isfinite(x + y) and abs(x - y) > _doubt(a, x) + _doubt(b, y) + 1e-9 * abs(x):
            return f"what stands before {_shown(y)} is {_shown(x)}"
    return ""


def _value(tree: Expression) -> float:
    value = evaluate(tree, {})
    return float("nan") if value is None or np.ndim(value) else float(value)


def _shown(x: float) -> str:
    return f"{x:.4g}".replace("-", "−")


def _doubt(tree: Expression, value: float) -> float:
    """Return how far off a side may be by the rounding of the figures in it."""
    return sum(abs(_value(other) - value) for other in _rounded(tree))


def _rounded(tree: Expression) -> Iterator[Expression]:
    """Yield a side with one of its figures a unit of the last place larger, for each of them."""
    match tree:
        case Number(float(value)):
            places = -int(Decimal(repr(value)).as_tuple().exponent)
            if places > 1:
                yield Number(value + 10.0**-places)
        case Apply(op, inputs, params):
            for k, part in enumerate(inputs):
                for other in _rounded(part):
                    yield Apply(op, (*inputs[:k], other, *inputs[k + 1 :]), params)
