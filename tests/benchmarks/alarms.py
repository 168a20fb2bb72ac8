"""Count the right lines that `verify` calls wrong, over random sizes, values, scales and precisions.

python -m tests.benchmarks.alarms [cases] [seed]
"""

from __future__ import annotations

import sys

import numpy as np

from tests import catalogue
from tests.test_verify import formulas_of, scales_of
from tinygrad_lite.truth.cases import Case


def main(count: int = 20_000, seed: int = 0) -> None:
    """Print every alarm, and how many lines of how many cases were judged."""
    rng = np.random.default_rng(seed)
    networks = sorted(catalogue.NETWORKS)
    lines = alarms = 0
    for number in range(count):
        name = networks[number % len(networks)]
        formulas = formulas_of(name)
        space, m = formulas.space, formulas.samples
        sizes = {axis: int(rng.integers(2 if axis in space.classes else 1, 12)) for axis in space.names}
        if rng.random() < 0.02:  # the notes' sizes
            inputs = next(axis for axis in space.specs["X"].axes if axis != m)
            sizes = dict.fromkeys(space.names, 10) | {inputs: 784, str(m): int(rng.integers(1, 257))}
        scale, dtype = float(10 ** rng.uniform(-3, 3)), rng.choice([np.float32, np.float64])
        case = Case(sizes, int(rng.integers(1 << 30)), scale, dtype, "on a kink" if rng.random() < 0.1 else "drawn")
        formulas._truths.clear()
        for step, _, ok in formulas.judged(case, scales_of(name)):
            lines += 1
            if not ok and step.name != "mask":  # at the kink, a convention
                alarms += 1
                print(name, case, case.why, step.name)
    print(f"{count:,} cases, {lines:,} lines, {alarms} called wrong")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
