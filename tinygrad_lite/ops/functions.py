"""Functions of one variable, element by element.  Imports `op`.

To add one: write its forward pass as a function on arrays and, above it, its vjp rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import NONZERO, POSITIVE, op
from ..tensor import ArrayLike

__all__ = ["abs", "exp", "log", "relu", "sigmoid", "sign", "sqrt", "step", "tanh"]


def floating(x: Any) -> Any:
    """Return integers and booleans as float64, as NumPy's own functions do, and floats as they are."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


@op(lambda g, out, _x: g * out, text="exp({0})", latex=r"e^{{{0}}}", numpy=np.exp)
def exp(x: ArrayLike) -> Any:
    """Return eˣ.

    >>> exp(Tensor([0.0, 1.0])).numpy().round(3)
    array([1.   , 2.718], dtype=float32)
    """
    return np.exp(x)


@op(lambda g, _out, x: g / x, text="log({0})", latex=r"\log({0})", domain=(POSITIVE,), numpy=np.log)
def log(x: ArrayLike) -> Any:
    """Return the natural logarithm; x > 0.

    >>> log(Tensor([1.0, 10.0])).numpy().round(3)
    array([0.   , 2.303], dtype=float32)
    """
    return np.log(x)


@op(lambda g, out, _x: g * 0.5 / out, text="√({0})", latex=r"\sqrt{{{0}}}", domain=(POSITIVE,), numpy=np.sqrt)
def sqrt(x: ArrayLike) -> Any:
    """Return the square root; x ≥ 0, the derivative at 0 is infinite.

    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.], dtype=float32)
    """
    return np.sqrt(x)


@op(lambda g, out, _x: g * (1 - out * out), text="tanh({0})", latex=r"\tanh({0})", numpy=np.tanh)
def tanh(x: ArrayLike) -> Any:
    """Return the hyperbolic tangent.

    >>> tanh(Tensor([0.0, 1.0])).numpy().round(3)
    array([0.   , 0.762], dtype=float32)
    """
    return np.tanh(x)


@op(lambda g, out, _x: g * out * (1 - out), text="σ({0})", latex=r"\sigma({0})")
def sigmoid(x: ArrayLike) -> Any:
    """Return the logistic function 1 / (1 + e⁻ˣ), without overflow at either end.

    >>> sigmoid(Tensor([0.0, -1000.0]))
    Tensor([0.5, 0. ], dtype=float32)
    """
    x = floating(x)
    decay = np.exp(-np.abs(x))
    return np.where(np.greater_equal(x, 0), 1, decay) / (1 + decay)


@op(
    lambda g, _out, x: g * step(x),
    text="ReLU({0})",
    latex=r"\mathrm{{ReLU}}({0})",
    kink=lambda x: x,
    convention="ReLU'(0) = 0",
)
def relu(x: ArrayLike) -> Any:
    """Return max(x, 0); its derivative at 0 is 0.

    >>> relu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([0., 0., 2.], dtype=float32)
    """
    return np.maximum(x, 0)


@op(None, text="ReLU'({0})", latex=r"\mathrm{{ReLU}}'({0})", domain=(NONZERO,))
def step(x: ArrayLike) -> Any:
    """Return 1 where x > 0 and 0 elsewhere, in the dtype of x: the derivative of relu.

    >>> step(Tensor([-1.0, 0.0, 2.0]))
    Tensor([0., 0., 1.], dtype=float32)
    """
    return (x > 0).astype(x.dtype)


@op(
    lambda g, _out, x: g * sign(x),
    text="|{0}|",
    latex="|{0}|",
    kink=lambda x: x,
    convention="the derivative at 0 is 0",
    numpy=np.absolute,
    methods=["__abs__"],
)
def abs(x: ArrayLike) -> Any:
    """Return |x|; its derivative at 0 is 0.

    >>> abs(Tensor([-1.0, 2.0]))
    Tensor([1., 2.], dtype=float32)
    """
    return np.absolute(x)


@op(None, text="sign({0})", latex=r"\mathrm{{sign}}({0})", domain=(NONZERO,), numpy=np.sign)
def sign(x: ArrayLike) -> Any:
    """Return −1, 0 or 1; the derivative is 0.

    >>> sign(Tensor([-3.0, 0.0, 2.0]))
    Tensor([-1.,  0.,  1.], dtype=float32)
    """
    return np.sign(x)
