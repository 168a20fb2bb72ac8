"""Factor: a number times powers of sizes, such as 2/m, and the law by which values are a multiple of the true ones."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isclose, isfinite, prod, sqrt
from typing import Any, TypeAlias

import numpy as np

from ..truth.equal import Same

Powers: TypeAlias = tuple[tuple[str, Fraction], ...]
Rational: TypeAlias = Any  # a Fraction where a number is one of small whole numbers, else a float


@dataclass(frozen=True)
class Factor:
    """A number times powers of sizes, such as 2/m."""

    number: Rational = Fraction(1)
    sizes: Powers = ()

    def __mul__(self, other: Factor) -> Factor:
        return self._times(other, 1)

    def __truediv__(self, other: Factor) -> Factor:
        return self._times(other, -1)

    def _times(self, other: Factor, sign: int) -> Factor:
        powers = dict(self.sizes)
        for name, p in other.sizes:
            powers[name] = powers.get(name, Fraction(0)) + sign * p
        number = self.number * other.number if sign > 0 else self.number / other.number
        return Factor(number, tuple(sorted((name, p) for name, p in powers.items() if p)))

    def power(self, exponent: Fraction) -> Factor | None:
        """Return the factor to a power; None where its number has no such power that is exact."""
        if self.number < 0 and exponent.denominator != 1:
            return None
        number = self.number**exponent
        if isinstance(self.number, Fraction) and not isinstance(number, Fraction):
            number = _exact(number)
        return Factor(number, tuple((name, p * exponent) for name, p in self.sizes))

    def at(self, sizes: Mapping[str, int]) -> float:
        """Return its value."""
        return float(self.number * prod(sizes[name] ** float(p) for name, p in self.sizes))

    def without(self, size: str) -> Factor:
        """Return the factor with a size in the denominator left out: 2 for 2/m."""
        return Factor(self.number, tuple((name, p) for name, p in self.sizes if name != size or p > 0))


def factor_of(value: float, sizes: Mapping[str, int]) -> Factor:
    """Recognise the sizes in a number: 2/m in 2/37.  The sizes are prime numbers that stand for themselves alone.

    >>> factor_of(2 / 37, {"m": 37})
    Factor(number=Fraction(2, 1), sizes=(('m', Fraction(-1, 1)),))
    """
    exact = _exact(value) if isfinite(value) else value
    if isinstance(exact, Fraction):
        found = _factored(exact, sizes, Fraction(1))
        decimal = found.number.denominator > 1000 or (
            found.number.denominator > 1 and 10**6 % found.number.denominator == 0
        )
        return Factor(value) if decimal and not found.sizes and found.number.denominator > 9 else found
    square = _exact(value * value) if isfinite(value) else value
    if isinstance(square, Fraction) and (found := _factored(square, sizes, Fraction(1, 2))).sizes:
        root = Fraction(round(sqrt(found.number.numerator)), round(sqrt(found.number.denominator)))
        if root**2 == found.number:
            return Factor(root if value > 0 else -root, found.sizes)
    return Factor(value)


def _factored(exact: Fraction, sizes: Mapping[str, int], exponent: Fraction) -> Factor:
    powers: dict[str, Fraction] = {}
    for name, prime in sizes.items():
        for part, sign in ((exact.numerator, 1), (exact.denominator, -1)):
            while part and part % prime == 0:
                part //= prime
                exact /= Fraction(prime) ** sign
                powers[name] = powers.get(name, Fraction(0)) + sign * exponent
    return Factor(exact, tuple(sorted(powers.items())))


def _exact(value: float) -> Rational:
    """Return a number as a fraction, where it is one of small whole numbers."""
    near = Fraction(value).limit_denominator(10**7) if abs(value) < 10**7 else Fraction(round(value))
    return (
        near if isclose(near, value, rel_tol=1e-12) and (near.denominator < 10**4 or 1 / near == 1 // near) else value
    )


@dataclass(frozen=True)
class Law:
    """value = constant · Π sizeᵖ · true, in every example."""

    constant: float
    powers: tuple[tuple[str, float], ...] = ()

    @property
    def trivial(self) -> bool:
        """Whether value = true."""
        return self.constant == 1 and not self.powers

    @property
    def cost(self) -> float:
        """How far from 1 the factor is."""
        if self.trivial:
            return 0.0
        powers = sum(0.35 + 0.2 * abs(p) + 0.7 * (p < 0) + 0.2 * (p % 1 != 0) for _, p in self.powers)
        return 0.4 + powers + (0.0 if self.constant == 1 else 0.7 if self.constant == -1 else 0.9)

    def at(self, sizes: dict[str, int]) -> float:
        """Return the factor at some sizes."""
        return float(self.constant * np.prod([sizes[name] ** p for name, p in self.powers]))


class Laws:
    """All powers of at most two sizes, at the sizes of each example."""

    def __init__(self, sizes: Sequence[Mapping[str, int]]) -> None:
        names = [name for name in sizes[0] if len({at[name] for at in sizes}) > 1]
        powers = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
        one = [((name, p),) for name in names for p in powers]
        two = [((a, p), (b, q)) for a, b in itertools.combinations(names, 2) for p in powers for q in powers]
        two.sort(key=lambda combination: sum(abs(p) + (p % 1 != 0) for _, p in combination))
        self.all: list[tuple[tuple[str, float], ...]] = [(), *one, *two]
        exponents = np.array([[dict(powers).get(name, 0.0) for name in names] for powers in self.all])
        logs = np.log([[at[name] for at in sizes] for name in names]).reshape(len(names), len(sizes))
        self.table = np.exp(exponents.reshape(len(self.all), len(names)) @ logs)  # a row for each law

    def find(self, ratios: Sequence[float]) -> Law | None:
        """Return the law that all ratios follow; NaN among them tells nothing.  Fewer than three tell too little."""
        r = np.asarray(ratios)
        told = np.isfinite(r)
        if not told.any():
            return None
        constants = r[told] / self.table[:, told]
        spread = np.ptp(constants, axis=1) <= Same.ROUNDING.value * np.abs(constants[:, 0])
        if not spread.any():
            return None
        best = int(np.argmax(spread))
        constant = float(constants[best].mean())
        law = Law(rounded(constant), self.all[best])
        return law if law.trivial or told.sum() >= min(3, len(r)) else None


def rounded(constant: float) -> float:
    """Return a constant without its rounding error: 0.1 for 0.10000000000000002."""
    return float(f"{constant:.10g}")
