"""Optimisers: they read `p.grad` and give parameters new values.  Imports `tensor`.

A step computes the new value in an array of its own, one parameter at a time, and lets the old one go: a graph that was
recorded with the old value still has it, and its gradients stay right.

A new one is a subclass of `Optimizer`: its `slots` name the arrays it keeps per parameter, `step` is its formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .tensor import Tensor, describe, shape_text


class Optimizer:
    """What optimisers share: the parameters, the learning rate, and a state that can be saved.

    `state[slot][i]` is the array that the optimiser keeps under that name for parameter i.  `lr` may be changed between
    steps.
    Raises ValueError for no parameters, a parameter given twice, one that requires no gradient or is no leaf, and for a
    learning rate that is not a positive number; TypeError for what is no tensor.
    """

    slots: ClassVar[Sequence[str]] = ()

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.params = _checked(params)
        self.lr = float(lr)
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"the learning rate lr must be a positive number, not {lr!r}")
        names = [p.name or str(i) for i, p in enumerate(self.params)]
        unique = len(set(names)) == len(names)  # not so when two networks are trained together
        self.names = names if unique else [str(i) for i in range(len(names))]
        self.state = {slot: [_start(slot, p._data) for p in self.params] for slot in self.slots}

    def zero_grad(self) -> None:
        """Forget the gradients of the parameters, so that the next `backward()` starts from nothing."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Give every parameter that has a gradient its new value; the others stay as they are."""
        raise NotImplementedError(f"{type(self).__name__} defines no step(self)")

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return a copy of every array of the state, by `slot.parameter`; empty for plain gradient descent.

        >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> SGD([w], momentum=0.9).state_dict()
        {'momentum_buffer.w': array([0., 0.], dtype=float32)}
        """
        return {name: array.copy() for name, array in self._named_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state; nothing is changed unless every name and shape fits.

        Raises ValueError that lists the missing, unexpected and misshapen names.
        """
        own = dict(self._named_state())
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        wrong += [
            f"{name} is {shape_text(np.shape(state[name]))} instead of {shape_text(array.shape)}"
            for name, array in own.items()
            if name in state and np.shape(state[name]) != array.shape
        ]
        if wrong:
            raise ValueError(f"the state does not fit this {type(self).__name__}: {'; '.join(wrong)}")
        for name, array in own.items():
            array[...] = state[name]

    def _named_state(self) -> list[tuple[str, Any]]:
        return [
            (f"{slot}.{name}", array)
            for slot, arrays in self.state.items()
            for name, array in zip(self.names, arrays, strict=True)
        ]


class SGD(Optimizer):
    """Gradient descent: p := p − lr g; with momentum μ the step is along v := μ v + g, p := p − lr v, v = 0 at first.

    Source: PyTorch's `torch.optim.SGD`; Sutskever et al. (2013), On the importance of initialization and momentum in
    deep learning, where lr stands inside v.
    Raises as `Optimizer` does, and ValueError for a momentum outside of [0, 1).

    >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> opt = SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w
    Tensor([0., 0.], dtype=float32, requires_grad=True, name='w')
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 0.1, momentum: float = 0.0) -> None:
        self.momentum = _fraction("momentum", momentum)
        if self.momentum:
            self.slots = ("momentum_buffer",)  # type: ignore[misc]
        super().__init__(params, lr)

    def step(self) -> None:
        """Go down the gradient, or along the momentum buffer."""
        lr, momentum = self.lr, self.momentum
        if momentum == 0.0:  # a loop of its own: at batch 1 every call counts
            for p in self.params:
                if p.grad is not None:
                    change = _scaled(p.grad._data, lr)
                    p._data = np.subtract(p._data, change, out=change)
            return
        for p, v in zip(self.params, self.state["momentum_buffer"], strict=True):
            if p.grad is not None:
                np.multiply(v, momentum, out=v)
                np.add(v, p.grad._data, out=v)
                change = _scaled(v, lr)
                p._data = np.subtract(p._data, change, out=change)


class Adam(Optimizer):
    """Adam: steps along the mean of the gradient over the root of the mean of its square, both over the recent past.

    With t the number of steps of the parameter and the moments m, v zero at first:
    m := β₁ m + (1 − β₁) g, v := β₂ v + (1 − β₂) g², p := p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps).

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
    ) -> None:
        self.betas = _fraction("betas[0]", betas[0]), _fraction("betas[1]", betas[1])
        self.eps = float(eps)
        if not (math.isfinite(self.eps) and self.eps >= 0):
            raise ValueError(f"eps must be a number ≥ 0, not {eps!r}")
        super().__init__(params, lr)

    def step(self) -> None:
        """Take one step of Adam; beside its state it needs one array of the size of one parameter at a time."""
        (beta1, beta2), state = self.betas, self.state
        for p, m, v, count in zip(self.params, state["exp_avg"], state["exp_avg_sq"], state["step"], strict=True):
            if p.grad is None:
                continue
            g = p.grad._data
            count += 1
            t = int(count)
            scratch = np.subtract(g, m, out=np.empty_like(m))
            scratch *= 1 - beta1
            m += scratch  # m + (1 − β₁)(g − m): the same as above, and how PyTorch rounds it
            np.multiply(g, g, out=scratch)
            scratch *= 1 - beta2
            v *= beta2
            v += scratch
            np.sqrt(v, out=scratch)
            scratch /= math.sqrt(1 - beta2**t)
            scratch += self.eps
            np.divide(m, scratch, out=scratch)
            scratch *= self.lr / (1 - beta1**t)
            p._data = np.subtract(p._data, scratch, out=scratch)


def _checked(params: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters as a list, or say which of them an optimiser cannot change."""
    if isinstance(params, Tensor):
        raise TypeError(f"an optimiser takes a list of tensors: write [{params.name or 'w'}]")
    listed = list(params)
    if not listed:
        raise ValueError("an optimiser needs at least one parameter; net.parameters() lists those of a module")
    for i, p in enumerate(listed):
        if not isinstance(p, Tensor):
            raise TypeError(
                f"parameter {i} is no tensor but {type(p).__name__}; pass net.parameters(), or a list of tensors"
            )
        node = p._node
        if node is None or not node.requires_grad:
            raise ValueError(
                f"parameter {i}, {describe(p)} of dtype {p.dtype}, requires no gradient; "
                "make it a float tensor with requires_grad=True, or an nn.Parameter"
            )
        if node.op is not None:
            raise ValueError(
                f"parameter {i}, {describe(p)}, was computed by {node.op.name}, and only a leaf can be changed; "
                "optimise the tensors it was computed from"
            )
    if len({id(p) for p in listed}) < len(listed):
        twice = next(p for i, p in enumerate(listed) if any(p is q for q in listed[:i]))
        raise ValueError(f"{describe(twice)} is among the parameters twice; every step would change it twice")
    return listed


def _scaled(g: Any, lr: float) -> Any:
    change = np.multiply(g, lr)
    return np.asarray(change) if isinstance(change, np.generic) else change  # NumPy makes numbers of 0-d arrays


def _fraction(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), not {value!r}")
    return float(value)


def _start(slot: str, like: Any) -> Any:
    """Return the array that a slot starts from: the count of steps, or zeros in the shape of the parameter."""
    return np.zeros((), np.int64) if slot == "step" else np.zeros_like(like)


__all__ = ["Adam", "Optimizer", "SGD"]
