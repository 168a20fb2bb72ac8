"""Activations of neural networks, element by element; relu, sigmoid and tanh are in `functions`.

To add one: write its forward pass as a function on arrays and, above it, its vjp rule.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import op
from ..tensor import ArrayLike, Tensor
from .functions import abs, exp, floating, gaussian, logistic, masked, normal_cdf, relu, sigmoid, square, step, tanh

__all__ = [
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish", "quick_gelu", "relu6",
    "selu", "silu", "softplus", "softsign",
]  # fmt: skip

# The fixed point of mean and variance under selu (Klambauer et al., 2017, eq. 14).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
QUICK = 1.702  # the slope with which σ is nearest to the distribution function of the standard normal

# --- with a corner ----------------------------------------------------------------------------------------------------


@op(
    lambda g, _out, x, negative_slope: g * (step(x) + negative_slope * (1 - step(x))),
    text="LeakyReLU({0}, {negative_slope})",
    latex=r"\mathrm{{LeakyReLU}}({0}, {negative_slope})",
    kink=lambda x, negative_slope: x,
    convention="the derivative at 0 is the negative slope",
    activation=True,
)
def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Any:
    """Return x where x > 0 and `negative_slope` · x elsewhere; the derivative at 0 is `negative_slope`.

    >>> leaky_relu(Tensor([-1.0, 2.0]))
    Tensor([-0.01,  2.  ], dtype=float32)
    """
    x = floating(x)
    return np.maximum(x, 0) + negative_slope * np.minimum(x, 0)


def _inside(g: Any, x: Any, low: float, high: float) -> Any:
    """Pass g on where low < x < high."""
    return masked(masked(g, x > low), x < high) if isinstance(x, Tensor) else masked(g, (x > low) & (x < high))


def _nearer(x: Any, low: float, high: float) -> Any:
    """Return the distance to the nearer bound."""
    return np.where(x - low < high - x, x - low, x - high)


@op(
    lambda g, _out, x, min_val, max_val: _inside(g, x, min_val, max_val),
    text="hardtanh({0}, {min_val}, {max_val})",
    latex=r"\mathrm{{hardtanh}}({0}, {min_val}, {max_val})",
    kink=lambda x, min_val, max_val: _nearer(x, min_val, max_val),
    convention="the derivative at the bounds is 0, as in PyTorch; that of clip is 1",
    activation=True,
)
def hardtanh(x: ArrayLike, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Limit x to the interval from `min_val` to `max_val`; the derivative at the bounds is 0.

    Raises ValueError where `min_val` exceeds `max_val`.

    >>> hardtanh(Tensor([-2.0, 0.5, 2.0]))
    Tensor([-1. ,  0.5,  1. ], dtype=float32)
    """
    if min_val > max_val:
        raise ValueError(f"min_val must not exceed max_val, but {min_val} > {max_val}")
    return np.clip(floating(x), min_val, max_val)


@op(
    lambda g, _out, x: _inside(g, x, 0, 6),
    text="ReLU6({0})",
    latex=r"\mathrm{{ReLU6}}({0})",
    kink=lambda x: _nearer(x, 0, 6),
    convention="the derivative at 0 and 6 is 0",
    activation=True,
)
def relu6(x: ArrayLike) -> Any:
    """Return min(max(x, 0), 6); the derivative at 0 and at 6 is 0.

    >>> relu6(Tensor([-1.0, 2.0, 8.0]))
    Tensor([0., 2., 6.], dtype=float32)
    """
    return np.clip(x, 0, 6)


@op(
    lambda g, _out, x: _inside(g, x, -3, 3) / 6,
    text="hardsigmoid({0})",
    latex=r"\mathrm{{hardsigmoid}}({0})",
    kink=lambda x: _nearer(x, -3, 3),
    convention="the derivative at ±3 is 0",
    activation=True,
)
def hardsigmoid(x: ArrayLike) -> Any:
    """Return min(max(x / 6 + ½, 0), 1), a sigmoid of three lines; the derivative at ±3 is 0 (Courbariaux et al., 2015).

    >>> hardsigmoid(Tensor([-4.0, 0.0, 1.5]))
    Tensor([0.  , 0.5 , 0.75], dtype=float32)
    """
    return np.clip(floating(x) + 3, 0, 6) / 6


@op(
    lambda g, _out, x: g * hardsigmoid(x) + _inside(g * x, x, -3, 3) / 6,
    text="hardswish({0})",
    latex=r"\mathrm{{hardswish}}({0})",
    kink=lambda x: _nearer(x, -3, 3),
    convention="the derivative at −3 is 0, and at 3 it is 1",
    activation=True,
)
def hardswish(x: ArrayLike) -> Any:
    """Return x hardsigmoid(x); the derivative at −3 is 0, and at 3 it is 1 (Howard et al., 2019, MobileNetV3).

    >>> hardswish(Tensor([-4.0, 1.0, 4.0])).numpy().round(3)
    array([-0.   ,  0.667,  4.   ], dtype=float32)
    """
    x = floating(x)
    return np.maximum(x, -3) * (np.clip(x + 3, 0, 6) / 6)  # not −∞ times 0


# --- exponential below 0 ----------------------------------------------------------------------------------------------


# min(x, 0) takes part in place of a choice between two formulas: np.where is several times slower.


def _exponential(x: Any, alpha: float, width: float = 1.0) -> Any:
    """Return x where x > 0 and alpha (exp(x / width) − 1) elsewhere, for plain arrays."""
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / width)


def _exponential_slope(x: Any, alpha: float) -> Any:
    """Return 1 where x > 0 and alpha exp(x) elsewhere; the derivative of this at 0 is 0, as in PyTorch."""
    left = exp(-relu(-x))
    return left if alpha == 1 else step(x) + alpha * ((1 - step(x)) * left)


@op(
    lambda g, _out, x, alpha: g * _exponential_slope(x, alpha),
    text="ELU({0}, {alpha})",
    latex=r"\mathrm{{ELU}}({0}, {alpha})",
    kink=lambda x, alpha: x if alpha != 1 else np.ones_like(x),
    convention="the derivative at 0 is α",
    activation=True,
)
def elu(x: ArrayLike, alpha: float = 1.0) -> Any:
    """Return x where x > 0 and α (eˣ − 1) elsewhere; the derivative at 0 is α (Clevert et al., 2016).

    >>> elu(Tensor([-1.0, 2.0])).numpy().round(3)
    array([-0.632,  2.   ], dtype=float32)
    """
    return _exponential(floating(x), alpha)


@op(
    lambda g, _out, x, alpha: g * exp(-relu(-x) / alpha),
    text="CELU({0}, {alpha})",
    latex=r"\mathrm{{CELU}}({0}, {alpha})",
    activation=True,
)
def celu(x: ArrayLike, alpha: float = 1.0) -> Any:
    """Return x where x > 0 and α (exp(x / α) − 1) elsewhere, which has no corner (Barron, 2017).

    Raises ValueError where α is not positive.

    >>> celu(Tensor([-1.0, 2.0]), alpha=0.5).numpy().round(3)
    array([-0.432,  2.   ], dtype=float32)
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, not {alpha}")
    return _exponential(floating(x), alpha, alpha)


@op(
    lambda g, _out, x: g * (SELU_SCALE * _exponential_slope(x, SELU_ALPHA)),
    text="SELU({0})",
    latex=r"\mathrm{{SELU}}({0})",
    kink=lambda x: x,
    convention="the derivative at 0 is that of the left, 1.758",
    activation=True,
)
def selu(x: ArrayLike) -> Any:
    """Return 1.051 elu(x, α = 1.673), which keeps mean 0 and variance 1 (Klambauer et al., 2017).

    The derivative at 0 is that of the left, 1.758.

    >>> selu(Tensor([-1.0, 2.0])).numpy().round(3)
    array([-1.111,  2.101], dtype=float32)
    """
    return SELU_SCALE * _exponential(floating(x), SELU_ALPHA)


# --- smooth: x times a distribution function --------------------------------------------------------------------------


def _gelu_angle(x: Any) -> Any:
    """Return u for which Φ(x) ≈ σ(u) = (1 + tanh(u / 2)) / 2 (Hendrycks, Gimpel, 2016)."""
    return math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x)


def _gelu(g: Any, _out: Any, x: Any, approximate: str, saved: Any) -> Any:
    """d(x Φ(x))/dx = Φ(x) + x Φ'(x)."""
    if approximate == "none":
        cdf = saved if saved is not None else normal_cdf(x)
        density = exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    else:
        u = _gelu_angle(x) if saved is None else None
        cdf, rest = (saved, 1 - saved) if u is None else (sigmoid(u), sigmoid(-u))
        density = cdf * rest * (math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * x * x))
    return g * (cdf + x * density)


@op(_gelu, text="GELU({0})", latex=r"\mathrm{{GELU}}({0})", saves=True, activation=True)
def gelu(x: ArrayLike, approximate: str = "none") -> Any:
    """Return x Φ(x), where Φ is the distribution function of the standard normal (Hendrycks, Gimpel, 2016).

    With `approximate="tanh"`, Φ(x) ≈ (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, which is faster.
    Raises ValueError for another word.

    >>> gelu(Tensor([-1.0, 0.0, 1.0])).numpy().round(3)
    array([-0.159,  0.   ,  0.841], dtype=float32)
    """
    x = floating(x)
    if approximate == "none":
        cdf = gaussian(x)
    elif approximate == "tanh":
        cdf = logistic(_gelu_angle(x))  # keeps its digits on the left
    else:
        raise ValueError(f'approximate is "none" or "tanh", not {approximate!r}')
    return x * cdf, cdf


def _swish(g: Any, x: Any, slope: float, saved: Any) -> Any:
    """d(x σ(u))/dx = σ(u) (1 + u (1 − σ(u))), where u = slope · x."""
    u = slope * x if slope != 1 else x
    s = saved if saved is not None else sigmoid(u)
    return g * (s * (1 + u * (1 - s)))


@op(
    lambda g, _out, x, saved: _swish(g, x, 1, saved),
    text="SiLU({0})",
    latex=r"\mathrm{{SiLU}}({0})",
    saves=True,
    activation=True,
)
def silu(x: ArrayLike) -> Any:
    """Return x σ(x), also known as swish (Elfwing et al., 2018).

    >>> silu(Tensor([-1.0, 0.0, 1.0])).numpy().round(3)
    array([-0.269,  0.   ,  0.731], dtype=float32)
    """
    x = floating(x)
    s = logistic(x)
    return x * s, s


@op(
    lambda g, _out, x, saved: _swish(g, x, QUICK, saved),
    text="QuickGELU({0})",
    latex=r"\mathrm{{QuickGELU}}({0})",
    saves=True,
    activation=True,
)
def quick_gelu(x: ArrayLike) -> Any:
    """Return x σ(1.702 x), which is close to gelu (Hendrycks, Gimpel, 2016).

    >>> quick_gelu(Tensor([-1.0, 0.0, 1.0])).numpy().round(3)
    array([-0.154,  0.   ,  0.846], dtype=float32)
    """
    x = floating(x)
    s = logistic(QUICK * x)
    return x * s, s


def _mish(g: Any, _out: Any, x: Any, saved: Any) -> Any:
    """d(x t)/dx = t + x (1 − t²) σ(x), where t = tanh(softplus(x))."""
    t = saved if saved is not None else tanh(softplus(x))
    return g * (t + x * ((1 - t * t) * sigmoid(x)))


@op(_mish, text="mish({0})", latex=r"\mathrm{{mish}}({0})", saves=True, activation=True)
def mish(x: ArrayLike) -> Any:
    """Return x tanh(softplus(x)) (Misra, 2020).

    >>> mish(Tensor([-1.0, 0.0, 1.0])).numpy().round(3)
    array([-0.303,  0.   ,  0.865], dtype=float32)
    """
    x = floating(x)
    # tanh(log(1 + e)) = (e² + 2e) / (e² + 2e + 2); beyond 20, it is 1 in any precision, and e² would overflow.
    e = np.exp(np.minimum(x, 20 if x.dtype.itemsize > 2 else 5.5))
    e *= e + 2
    t = e / (e + 2)
    return x * t, t


# --- smooth: softplus and others --------------------------------------------------------------------------------------


@op(
    lambda g, _out, x, beta: g * sigmoid(beta * x),
    text="softplus({0}, {beta})",
    latex=r"\mathrm{{softplus}}({0}, {beta})",
    activation=True,
)
def softplus(x: ArrayLike, beta: float = 1.0) -> Any:
    """Return log(1 + exp(β x)) / β, a smooth max(x, 0), without overflow.

    Raises ValueError where β is not positive.

    >>> softplus(Tensor([-1000.0, 0.0, 1000.0])).numpy().round(3)
    array([0.00e+00, 6.93e-01, 1.00e+03], dtype=float32)
    """
    if not beta > 0:
        raise ValueError(f"beta must be positive, not {beta}")
    x = floating(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-beta * np.abs(x))) / beta


def survival(x: Any) -> Any:
    """Return σ(−x) = 1 − σ(x); on tensors as exp of its logarithm, whose derivative does not cancel where σ(−x) is 1."""
    return exp(logsigmoid(-x)) if isinstance(x, Tensor) else sigmoid(-x)


@op(lambda g, _out, x: g * survival(x), text="log σ({0})", latex=r"\log\sigma({0})", activation=True)
def logsigmoid(x: ArrayLike) -> Any:
    """Return log σ(x) = −log(1 + e⁻ˣ), without overflow and without log 0.

    >>> logsigmoid(Tensor([-1000.0, 0.0])).numpy().round(3)
    array([-1.00e+03, -6.93e-01], dtype=float32)
    """
    x = floating(x)
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


@op(lambda g, _out, x: g / square(1 + abs(x)), text="softsign({0})", latex=r"\mathrm{{softsign}}({0})", activation=True)
def softsign(x: ArrayLike) -> Any:
    """Return x / (1 + |x|).

    >>> softsign(Tensor([-3.0, 0.0, 1.0]))
    Tensor([-0.75,  0.  ,  0.5 ], dtype=float32)
    """
    return x / (1 + np.abs(x))
