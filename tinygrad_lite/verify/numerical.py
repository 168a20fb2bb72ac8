"""Numerical derivatives to test the exact ones against: Ridders' extrapolation of central differences.

Source: Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4 (1982).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

EPS = np.finfo(np.float64).eps


def derivative(f: Callable[[float], float], h: float = 0.01, rounds: int = 8, shrink: float = 1.6) -> float:
    """Return f'(0) by Ridders' method; f must be smooth on [-h, h]."""
    best, error = np.nan, np.inf
    previous: list[float] = []
    for i in range(rounds):
        row = [(f(h) - f(-h)) / (2 * h)]
        factor = shrink**2
        for j in range(i):
            row.append((factor * row[j] - previous[j]) / (factor - 1))
            factor *= shrink**2
            estimate = max(abs(row[-1] - row[-2]), abs(row[-1] - previous[j]))
            if estimate <= error:
                best, error = row[-1], estimate
        previous, h = row, h / shrink
    return float(best)


def dot(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    """Return the inner product of two lists of arrays."""
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))


def assert_derivative(
    f: Callable[..., np.ndarray],
    xs: Sequence[np.ndarray],
    gradients: Sequence[np.ndarray],
    weight: np.ndarray,
    direction: Sequence[np.ndarray],
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
    assert abs(exact - numerical) <= bound, f"autodiff {exact!r}, numerical {numerical!r}, bound {bound:.1e}"
