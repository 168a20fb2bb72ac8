"""The scale law: by which powers of the sizes a value is a multiple of the true one, in every example."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .problem import Example


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

    def __init__(self, examples: Sequence[Example]) -> None:
        names = [name for name in examples[0].sizes if len({e.sizes[name] for e in examples}) > 1]
        powers = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
        one = [((name, p),) for name in names for p in powers]
        two = [((a, p), (b, q)) for a, b in itertools.combinations(names, 2) for p in powers for q in powers]
        two.sort(key=lambda combination: sum(abs(p) + (p % 1 != 0) for _, p in combination))
        self.all: list[tuple[tuple[str, float], ...]] = [(), *one, *two]
        exponents = np.array([[dict(powers).get(name, 0.0) for name in names] for powers in self.all])
        logs = np.log([[e.sizes[name] for e in examples] for name in names]).reshape(len(names), len(examples))
        self.table = np.exp(exponents.reshape(len(self.all), len(names)) @ logs)  # a row for each law

    def find(self, ratios: Sequence[float]) -> Law | None:
        """Return the law that all ratios follow; NaN among them tells nothing.  Fewer than three tell too little."""
        r = np.asarray(ratios)
        told = np.isfinite(r)
        if not told.any():
            return None
        constants = r[told] / self.table[:, told]
        spread = np.ptp(constants, axis=1) <= 1e-8 * np.abs(constants[:, 0])
        if not spread.any():
            return None
        best = int(np.argmax(spread))
        constant = float(constants[best].mean())
        law = Law(rounded(constant), self.all[best])
        return law if law.trivial or told.sum() >= min(3, len(r)) else None


def rounded(constant: float) -> float:
    """Return a constant without its rounding error: 0.1 for 0.10000000000000002."""
    return float(f"{constant:.10g}")
