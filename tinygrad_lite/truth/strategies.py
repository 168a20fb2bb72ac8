"""Strategies of hypothesis for sizes, arrays and the arguments of a backward pass.

Values are dense, nonzero and normally distributed, and follow from one seed: so they are drawn fast and lie on no kink.
What shrinks is the sizes and the seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .cases import Case, Space, Spec, parse

SEEDS = st.integers(0, 2**32 - 1)


def sizes(*names: str, min_size: int = 1, max_size: int = 6) -> SearchStrategy[dict[str, int]]:
    """Return a strategy of sizes by name.

    >>> from hypothesis import find
    >>> find(verify.strategies.sizes("n", "m"), lambda drawn: drawn["m"] > 2)
    {'n': 1, 'm': 3}
    """
    return st.fixed_dictionaries({name: st.integers(min_size, max_size) for name in names})


def tensors(shape: int | tuple[int, ...], scale: float = 1.0, dtype: Any = np.float64) -> SearchStrategy[Any]:
    """Return a strategy of arrays of a shape: normal numbers times `scale`, none of them zero.

    >>> from hypothesis import find
    >>> find(verify.strategies.tensors((2, 3)), lambda x: True).shape
    (2, 3)
    """
    return SEEDS.map(lambda seed: np.asarray(scale * np.random.default_rng(seed).standard_normal(shape), dtype))


def one_hot(classes: int, m: int, axis: int = 0, dtype: Any = np.float64) -> SearchStrategy[Any]:
    """Return a strategy of labels of m samples: classes × m, or m × classes with axis=1; one 1 a sample, 0 elsewhere.

    >>> from hypothesis import find
    >>> find(verify.strategies.one_hot(3, 5), lambda Y: True).sum(axis=0)
    array([1., 1., 1., 1., 1.])
    """
    drawn = SEEDS.map(lambda seed: np.eye(classes, dtype=dtype)[np.random.default_rng(seed).integers(0, classes, m)])
    return drawn if axis in (1, -1) else drawn.map(np.transpose)


def cases(shapes: Mapping[str, str | Spec], max_size: int = 6) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy of arrays by name, from shapes with named sizes as `verify` takes them.

    >>> from hypothesis import find
    >>> shapes = {"X": "n m", "Y": verify.one_hot("c m")}
    >>> find(verify.strategies.cases(shapes), lambda case: case["X"].shape == (2, 3))["Y"].shape
    (1, 3)
    """
    specs = {name: shape if isinstance(shape, Spec) else Spec(parse(shape)) for name, shape in shapes.items()}
    space = Space(specs, frozenset())
    return st.builds(lambda drawn, seed: space.draw(Case(drawn, seed)), sizes(*space.names, max_size=max_size), SEEDS)


__all__ = ["cases", "one_hot", "sizes", "tensors"]
