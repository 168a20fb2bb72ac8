"""The optimisers: for each its settings, the arrays it keeps, and its formula.  All are those of `torch.optim`.

In the formulas, g is the gradient, weight decay included, and everything starts at zero unless it is said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from ..tensor import Tensor
from .optimizer import Optimizer, number


class SGD(Optimizer):
    """Gradient descent: p := p − lr g; with momentum μ the step is along v := μ v + g, p := p − lr v.

    With dampening τ, v := μ v + (1 − τ) g after the first step, which takes v := g.  With nesterov the step is along
    g + μ v.

    Source: PyTorch's `torch.optim.SGD`; Sutskever et al. (2013), On the importance of initialization and momentum in
    deep learning, where lr stands inside v.
    Raises as `Optimizer` does, and ValueError for a momentum or dampening outside of [0, 1), and for nesterov without
    momentum or with dampening.

    >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> opt = SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w
    Tensor([0., 0.], dtype=float32, requires_grad=True, name='w')
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self.momentum, self.dampening = number("momentum", momentum, 1), number("dampening", dampening, 1)
        self.nesterov = nesterov
        if nesterov and (not self.momentum or self.dampening):
            raise ValueError(
                f"nesterov needs a momentum and no dampening, but momentum={momentum!r} and dampening={dampening!r}"
            )
        if self.momentum:
            self.slots = ("momentum_buffer", "step") if self.dampening else ("momentum_buffer",)
        super().__init__(params, lr, weight_decay)

    def step(self) -> None:
        """Go down the gradient, or along the momentum buffer."""
        if self.momentum or self.weight_decay:
            super().step()
            return
        self.check_gradients()
        lr, multiply, subtract = self.lr, np.multiply, np.subtract
        for p in self.params:  # a loop of its own: at batch 1 every call counts
            if (grad := p.grad) is not None:
                value, g = p._array, grad._array
                if g.dtype is not value.dtype:
                    g = g.astype(value.dtype)
                change = multiply(g, lr)
                p._array = subtract(value, change, change) if value.shape else np.asarray(value - change)

    def change(self, g: Any, momentum_buffer: Any = None, step: Any = None) -> Any:  # noqa: D102
        if not self.momentum:
            return np.multiply(g, self.lr)
        v, scratch = momentum_buffer, np.empty_like(momentum_buffer)
        v *= self.momentum
        if step is not None:
            step += 1
        v += g if step is None or step == 1 else np.multiply(g, 1 - self.dampening, out=scratch)
        np.multiply(v, self.momentum if self.nesterov else self.lr, out=scratch)
        if self.nesterov:
            scratch += g
            scratch *= self.lr
        return scratch


class Adam(Optimizer):
    """Adam: steps along the mean of the gradient over the root of the mean of its square, both over the recent past.

    With t the number of steps of the parameter:
    m := β₁ m + (1 − β₁) g, v := β₂ v + (1 − β₂) g², p := p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps).
    Weight decay is part of g, and so of the moments; `AdamW` keeps it out of them.

    Source: Kingma, Ba (2015), Adam: a method for stochastic optimization, algorithm 1, in the form of PyTorch's
    `torch.optim.Adam`.
    Raises as `Optimizer` does, and ValueError for betas outside of [0, 1) and an eps that is not ≥ 0.

    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> opt = Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(3)
    array([ 0.5, -1.5], dtype=float32)
    """

    slots = ("exp_avg", "exp_avg_sq", "step")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.betas = number("betas[0]", betas[0], 1), number("betas[1]", betas[1], 1)
        self.eps = number("eps", eps)
        super().__init__(params, lr, weight_decay)

    def change(self, g: Any, exp_avg: Any, exp_avg_sq: Any, step: Any) -> Any:  # noqa: D102
        (beta1, beta2), m, v = self.betas, exp_avg, exp_avg_sq
        step += 1
        t = int(step)
        scratch = np.empty_like(m)
        move_towards(m, g, 1 - beta1, scratch)
        mean_of_squares(v, g, beta2, scratch)
        np.sqrt(v, out=scratch)
        scratch /= math.sqrt(1 - beta2**t)
        scratch += self.eps
        np.divide(m, scratch, out=scratch)
        scratch *= self.lr / (1 - beta1**t)
        return scratch


class AdamW(Adam):
    """Adam with decoupled weight decay: p := (1 − lr · weight_decay) p, and then the step of `Adam`.

    Source: Loshchilov, Hutter (2019), Decoupled weight decay regularization, algorithm 2, in the form of PyTorch's
    `torch.optim.AdamW`.
    Raises as `Adam` does.

    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> opt = AdamW([w], lr=0.5, weight_decay=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(3)
    array([ 0.45, -1.4 ], dtype=float32)
    """

    decoupled: ClassVar[bool] = True

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class RMSprop(Optimizer):
    """RMSprop: the gradient over the root of the mean of its square over the recent past.

    v := α v + (1 − α) g², p := p − lr g / (√v + eps).  Centered: m := α m + (1 − α) g, and √(v − m²) in place of √v.
    With momentum μ: b := μ b + g / (√v + eps), p := p − lr b.

    Where rounding makes v − m² negative, it counts as 0.

    Source: Tieleman, Hinton (2012), Neural networks for machine learning, lecture 6e; centered: Graves (2013),
    Generating sequences with recurrent neural networks, section 4.2; both in the form of PyTorch's `torch.optim.RMSprop`.
    Raises as `Optimizer` does, and ValueError for an alpha or momentum outside of [0, 1) and an eps that is not ≥ 0.

    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> opt = RMSprop([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(3)
    array([ 0., -1.], dtype=float32)
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        self.alpha, self.eps, self.momentum = (
            number("alpha", alpha, 1),
            number("eps", eps),
            number("momentum", momentum, 1),
        )
        self.slots = ("square_avg", *["grad_avg"] * bool(centered), *["momentum_buffer"] * bool(self.momentum))
        super().__init__(params, lr, weight_decay)

    def change(self, g: Any, square_avg: Any, grad_avg: Any = None, momentum_buffer: Any = None) -> Any:  # noqa: D102
        scratch = np.empty_like(square_avg)
        mean_of_squares(square_avg, g, self.alpha, scratch)
        if grad_avg is None:
            np.sqrt(square_avg, out=scratch)
        else:
            move_towards(grad_avg, g, 1 - self.alpha, scratch)
            np.multiply(grad_avg, grad_avg, out=scratch)
            np.subtract(square_avg, scratch, out=scratch)
            np.maximum(scratch, 0, out=scratch)
            np.sqrt(scratch, out=scratch)
        scratch += self.eps
        np.divide(g, scratch, out=scratch)
        if momentum_buffer is not None:
            momentum_buffer *= self.momentum
            momentum_buffer += scratch
            scratch[...] = momentum_buffer
        scratch *= self.lr
        return scratch


class Adagrad(Optimizer):
    """Adagrad: the gradient over the root of the sum of its square over all steps.

    With t the number of steps of the parameter, and s = initial_accumulator_value at first:
    s := s + g², p := p − lr / (1 + (t − 1) lr_decay) · g / (√s + eps).

    Source: Duchi, Hazan, Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization,
    in the form of PyTorch's `torch.optim.Adagrad`.
    Raises as `Optimizer` does, and ValueError for an lr_decay, initial_accumulator_value or eps that is not ≥ 0.

    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> opt = Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(3)
    array([ 0.5, -1.5], dtype=float32)
    """

    slots = ("sum", "step")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        self.lr_decay, self.eps = number("lr_decay", lr_decay), number("eps", eps)
        super().__init__(params, lr, weight_decay)
        for total in self.state["sum"]:
            total += number("initial_accumulator_value", initial_accumulator_value)

    def change(self, g: Any, sum: Any, step: Any) -> Any:  # noqa: D102
        step += 1
        scratch = np.multiply(g, g, out=np.empty_like(sum))
        sum += scratch
        np.sqrt(sum, out=scratch)
        scratch += self.eps
        np.divide(g, scratch, out=scratch)
        scratch *= self.lr / (1 + (int(step) - 1) * self.lr_decay)
        return scratch


def move_towards(mean: Any, x: Any, part: float, scratch: Any) -> None:
    """Move a running mean towards x: mean := mean + part (x − mean), which is how PyTorch rounds it."""
    np.subtract(x, mean, out=scratch)
    scratch *= part
    mean += scratch


def mean_of_squares(mean: Any, x: Any, keep: float, scratch: Any) -> None:
    """Move the running mean of a square: mean := keep mean + (1 − keep) x²."""
    np.multiply(x, x, out=scratch)
    scratch *= 1 - keep
    mean *= keep
    mean += scratch
