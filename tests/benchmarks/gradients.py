"""Count the verdicts of `gradcheck` and `check_vjp` on functions that are right: every "fail" is a false alarm.

python -m tests.benchmarks.gradients [share] [seed]

`share` is the part of the cases to try, 1 for all.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tests.test_gradcheck import Random, composition, network, network_at, numpy_network, numpy_vjp
from tinygrad_lite import Tensor
from tinygrad_lite.numeric.gradcheck import GradcheckReport, check_vjp, gradcheck

BENDS: list[Callable[[Tensor], Tensor]] = [
    tl.relu, tl.abs, tl.hardtanh, tl.relu6, tl.elu, tl.leaky_relu, tl.tanh, lambda x: tl.maximum(x, 0.0),
]  # fmt: skip


def compositions(rng: Random) -> GradcheckReport:
    """Return the verdict on a random chain of ops, of any scale."""
    f, arrays = composition(rng, float(rng.choice([1e-3, 0.1, 1.0, 30.0, 1e3])))
    return gradcheck(f, *arrays)


def layers(rng: Random) -> GradcheckReport:
    """Return the verdict on a network of 1 to 3 layers whose weights are partly 0, so that units sit on kinks."""
    sizes = rng.integers(1, 5, rng.integers(2, 5))
    bend, m, factor = BENDS[rng.integers(len(BENDS))], int(rng.integers(1, 5)), 10.0 ** rng.integers(-6, 4)
    zeros = rng.random() < 0.5
    weights = [rng.standard_normal((b, a)) for a, b in pairwise(sizes)]
    weights += [rng.standard_normal((b, 1)) * (rng.random((b, 1)) < 0.5) for b in sizes[1:]]
    weights = [np.round(w) if zeros else w for w in weights]
    x, depth = rng.standard_normal((sizes[0], m)), len(sizes) - 1

    def f(*p: Tensor) -> Tensor:
        a: Any = Tensor(np.round(x) if zeros else x)
        for W, b in zip(p[:depth], p[depth:], strict=True):
            a = bend(W @ a + b)
        mean: Tensor = factor * (a * a).mean()
        return mean

    return gradcheck(f, *weights)


def small(rng: Random) -> GradcheckReport:
    """Return the verdict on a ReLU network 5-4-3 with 7 samples, all arguments."""
    return gradcheck(network, *network_at(rng, 5, 4, 3, 7))


def large(rng: Random) -> GradcheckReport:
    """Return the verdict on the network of the notes, its parameters."""
    *parameters, X, Y = network_at(rng, 784, 10, 10, 64)
    return gradcheck(lambda W1, b1, W2, b2: network(W1, b1, W2, b2, X, Y), *parameters)


def large_numpy(rng: Random) -> GradcheckReport:
    """Return the verdict on the network of the notes in plain NumPy, all arguments."""
    return check_vjp(numpy_network, numpy_vjp, *network_at(rng, 784, 10, 10, 64))


def small_numpy(rng: Random) -> GradcheckReport:
    """Return the verdict on a small network in plain NumPy with weights of any scale."""
    arrays = network_at(rng, *map(int, rng.integers(1, 6, 4)))
    return check_vjp(numpy_network, numpy_vjp, *(10.0 ** rng.uniform(-2, 2) * a for a in arrays[:4]), *arrays[4:])


CASES: list[tuple[Callable[[Random], GradcheckReport], int]] = [
    (compositions, 4000), (layers, 2000), (small, 500), (large, 60), (large_numpy, 60), (small_numpy, 1500),
]  # fmt: skip


def main(share: float = 1.0, seed: int = 0) -> None:
    """Print a row of counts for each kind of function."""
    warnings.simplefilter("ignore", RuntimeWarning)  # overflow is among what is tried
    for kind, count in CASES:
        found = Counter[str]()
        for number in range(max(1, round(share * count))):
            report = kind(np.random.default_rng([seed, number]))
            found[report.verdict] += 1
            if report.verdict == "fail":
                print(f"{kind.__name__}, seed {seed}, number {number}:\n{report}")
        print(f"{kind.__name__:14}", {v: found[v] for v in ("pass", "convention", "inconclusive", "fail")}, flush=True)


if __name__ == "__main__":
    main(*(f(x) for f, x in zip((float, int), sys.argv[1:], strict=False)))
