"""Initialisers: the shape of a parameter → float32 numbers to begin with.

Names, formulas and defaults are PyTorch's; the numbers come from the generator that `manual_seed` starts.
Sources: Glorot & Bengio (2010) for Xavier, He et al. (2015) for Kaiming.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any, Literal

import numpy as np

from ..random import generator

Array = np.ndarray[Any, Any]
Shape = int | Sequence[int]
Mode = Literal["fan_in", "fan_out"]


def uniform(shape: Shape, low: float = 0.0, high: float = 1.0) -> Array:
    """Return numbers drawn uniformly from [low, high].

    >>> manual_seed(0)
    >>> nn.init.uniform((2, 3), -1.0, 1.0).shape
    (2, 3)
    """
    return generator().uniform(low, high, shape).astype(np.float32)


def normal(shape: Shape, mean: float = 0.0, std: float = 1.0) -> Array:
    """Return numbers drawn from the normal distribution."""
    return generator().normal(mean, std, shape).astype(np.float32)


def constant(shape: Shape, value: float) -> Array:
    """Return an array full of one value."""
    return np.full(shape, value, np.float32)


def zeros(shape: Shape) -> Array:
    """Return an array of zeros."""
    return constant(shape, 0.0)


def ones(shape: Shape) -> Array:
    """Return an array of ones."""
    return constant(shape, 1.0)


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan in, fan out): how many numbers an output is computed from, and how many outputs a number goes to.

    A weight has the axes (outputs, inputs, *kernel).  Raises ValueError for fewer than two axes.

    >>> nn.init.fans((10, 784)), nn.init.fans((16, 3, 5, 5))
    ((784, 10), (75, 400))
    """
    if isinstance(shape, int) or len(shape) < 2:
        raise ValueError(
            f"a weight has the axes (outputs, inputs, *kernel), so shape {shape} has no fan in and fan out"
        )
    outputs, inputs, *kernel = shape
    return inputs * prod(kernel), outputs * prod(kernel)


_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2.0), "selu": 3 / 4}


def gain(nonlinearity: str = "leaky_relu", a: float = 0.01) -> float:
    """Return the factor by which a weight makes up for what an activation takes from the spread of its input.

    `a` is the slope of leaky_relu below 0.  Raises ValueError for an activation that has no known gain.

    >>> nn.init.gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        return sqrt(2 / (1 + a * a))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"no gain is known for {nonlinearity!r}; there is one for {known}")
    return _GAINS[nonlinearity]


def _kaiming_std(shape: Shape, a: float, mode: Mode, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', not {mode!r}")
    fan = fans(shape)[mode == "fan_out"]
    return gain(nonlinearity, a) / sqrt(max(fan, 1))  # where the fan is 0, there is no number to draw


def _xavier_std(shape: Shape, gain: float) -> float:
    return gain * sqrt(2 / max(sum(fans(shape)), 1))


def kaiming_uniform(shape: Shape, a: float = 0.0, mode: Mode = "fan_in", nonlinearity: str = "leaky_relu") -> Array:
    """Draw uniformly from ±gain √(3 / fan): activations keep their spread from layer to layer, or gradients (fan_out).

    >>> manual_seed(0)
    >>> bool(np.abs(nn.init.kaiming_uniform((10, 6))).max() <= 1.0)
    True
    """
    bound = sqrt(3.0) * _kaiming_std(shape, a, mode, nonlinearity)
    return uniform(shape, -bound, bound)


def kaiming_normal(shape: Shape, a: float = 0.0, mode: Mode = "fan_in", nonlinearity: str = "leaky_relu") -> Array:
    """Draw from the normal distribution with standard deviation gain / √fan."""
    return normal(shape, 0.0, _kaiming_std(shape, a, mode, nonlinearity))


def xavier_uniform(shape: Shape, gain: float = 1.0) -> Array:
    """Draw uniformly from ±gain √(6 / (fan in + fan out))."""
    bound = sqrt(3.0) * _xavier_std(shape, gain)
    return uniform(shape, -bound, bound)


def xavier_normal(shape: Shape, gain: float = 1.0) -> Array:
    """Draw from the normal distribution with standard deviation gain √(2 / (fan in + fan out))."""
    return normal(shape, 0.0, _xavier_std(shape, gain))


def fan_in_uniform(shape: Shape, fan_in: int) -> Array:
    """Draw uniformly from ±1 / √(fan in): the weights and biases of linear and convolutional layers, as PyTorch's."""
    bound = 1 / sqrt(fan_in) if fan_in else 0.0
    return uniform(shape, -bound, bound)


__all__ = [
    "constant",
    "fan_in_uniform",
    "fans",
    "gain",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "ones",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
