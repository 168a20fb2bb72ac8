"""Clipping: gradients that are too large are made smaller before the step.

A gradient is never changed in place: `p.grad` gets a new tensor, without history.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor, new_tensor
from .optimizer import fits, refuse_gradient


def clip_grad_norm(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> float:
    """Scale the gradients by min(1, max_norm / (norm + 1e-6)), and return their norm as it was before.

    The norm is that of all elements of all gradients together: √Σ g².  It is computed in float64.  Parameters without a
    gradient are left out.  With max_norm = inf and a finite norm nothing is changed.  A norm that is not finite spoils all
    gradients (NaN or 0), as in PyTorch: test what is returned, before the step.

    Source: Pascanu, Mikolov, Bengio (2013), On the difficulty of training recurrent neural networks, algorithm 1, in the
    form of PyTorch's `torch.nn.utils.clip_grad_norm_`.
    Raises ValueError for a max_norm that is not ≥ 0, and for a gradient that has not the shape of its parameter;
    TypeError for a parameter or a gradient that is no tensor.

    >>> w = Tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> optim.clip_grad_norm([w], max_norm=1.0)
    5.0
    >>> w.grad.numpy().round(3)
    array([0.6, 0.8], dtype=float32)
    """
    bound = _bound("max_norm", max_norm)
    with_gradient = _with_gradient(parameters)
    total = math.sqrt(sum(_sum_of_squares(g) for _, g in with_gradient))
    factor = bound / (total + 1e-6)
    if not factor >= 1:  # so for NaN
        for p, g in with_gradient:
            p.grad = new_tensor(np.multiply(g, factor, out=np.empty_like(g)), None)
    return total


def clip_grad_value(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Bring every element of the gradients into [−clip_value, clip_value].

    Source: PyTorch's `torch.nn.utils.clip_grad_value_`.
    Raises ValueError for a clip_value that is not ≥ 0, and for a gradient that has not the shape of its parameter;
    TypeError for a parameter or a gradient that is no tensor.

    >>> w = Tensor([3.0, -0.5], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.clip_grad_value([w], clip_value=2.0)
    >>> w.grad
    Tensor([ 2., -1.], dtype=float32)
    """
    bound = _bound("clip_value", clip_value)
    for p, g in _with_gradient(parameters):
        p.grad = new_tensor(np.clip(g, -bound, bound, out=np.empty_like(g)), None)


def _bound(name: str, value: float) -> float:
    bound = float(value)
    if not bound >= 0:
        raise ValueError(f"{name} must be a number ≥ 0 or inf, not {value!r}")
    return bound


def _with_gradient(parameters: Iterable[Tensor] | Tensor) -> list[tuple[Tensor, Any]]:
    """Return the parameters that have a gradient, each once, with its array."""
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for i, p in enumerate(listed):
        if not isinstance(p, Tensor):
            raise TypeError(
                f"parameter {i} is no tensor but {type(p).__name__}; pass net.parameters(), or a list of tensors"
            )
        if p.grad is not None and not fits(p):
            refuse_gradient(p, listed)
    once = {id(p): p for p in listed}  # else the norm would count a shared one twice
    return [(p, p.grad._array) for p in once.values() if p.grad is not None]


def _sum_of_squares(g: Any) -> float:
    flat = g.ravel(order="K")
    return float(np.einsum("i,i->", flat, flat, dtype=np.float64))  # converts piece by piece, with no copy of the whole
