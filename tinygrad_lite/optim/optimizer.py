"""Optimizer: what all optimisers share.  They read `p.grad` and give parameters new values.

A step computes the new value in an array of its own, one parameter at a time, and lets the old one go: a graph that was
recorded with the old value still has it, and its gradients stay right.  The optimiser's own arrays change in place.

A new one is a subclass of `Optimizer`: its `slots` name the arrays it keeps per parameter, `change` is its formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from ..messages import argument_explained, no_attribute
from ..tensor import Tensor, as_array, describe, shape_text


class Optimizer:
    """What optimisers share: the parameters, the learning rate, weight decay, and a state that can be saved.

    `state[slot][i]` is the array that the optimiser keeps under that name for parameter i.  `lr` may be changed between
    steps; at 0 the parameters stand still.  Weight decay adds weight_decay · p to the gradient; where it is `decoupled`
    it shrinks p by the factor 1 − lr · weight_decay instead.
    Raises ValueError for no parameters, a parameter given twice, one that requires no gradient or is no leaf, for a
    learning rate that is not a positive number, and for a negative weight decay; TypeError for what is no tensor.

    >>> class SignDescent(Optimizer):
    ...     def change(self, g):
    ...         return self.lr * np.sign(g)
    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> opt = SignDescent([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy()
    array([ 0.5, -1.5], dtype=float32)
    """

    slots: Sequence[str] = ()
    decoupled: ClassVar[bool] = False
    initial_lr: float | None = None  # what a schedule starts from

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.0) -> None:
        self.params = _checked(params)
        self.lr = lr
        if self.lr == 0:
            raise ValueError(f"the learning rate lr must be a positive number, not {lr!r}")
        self.weight_decay = number("weight_decay", weight_decay)
        names = [p.name or str(i) for i, p in enumerate(self.params)]
        unique = len(set(names)) == len(names)  # not so when two networks are trained together
        self.names = names if unique else [str(i) for i in range(len(names))]
        self.state = {slot: [_start(slot, p._array) for p in self.params] for slot in self.slots}

    @property
    def lr(self) -> float:
        """The learning rate."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        try:
            self._lr = number("lr", lr)  # a Python float, which promotes no float32
        except ValueError:
            raise ValueError(f"the learning rate lr must be a positive number, not {lr!r}") from None

    if not TYPE_CHECKING:  # or a checker would believe in every name

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)

    @argument_explained
    def zero_grad(self) -> None:
        """Forget the gradients of the parameters, so that the next `backward()` starts from nothing."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Give every parameter that has a gradient its new value; the others stay as they are.

        Beside the state this needs arrays of the size of one parameter at a time.
        Raises TypeError for a gradient that is no tensor, and ValueError for one that has not the parameter's shape.
        """
        self.check_gradients()
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            g, value = p.grad._array, p._array
            if g.dtype is not value.dtype:
                g = g.astype(value.dtype)
            if self.weight_decay and self.decoupled:
                value = np.multiply(value, 1 - self.lr * self.weight_decay, out=np.empty_like(value))
            elif self.weight_decay:
                decay = np.multiply(value, self.weight_decay, out=np.empty_like(value))
                g = np.add(g, decay, out=decay)
            change = self.change(g, **{slot: arrays[i] for slot, arrays in self.state.items()})
            if isinstance(change, np.generic):  # NumPy makes numbers of 0-d arrays
                change = np.asarray(change)
            own = change.dtype == value.dtype  # a formula must not promote a float32 parameter
            p._array = np.subtract(value, change, out=change if own else np.empty_like(value))

    def check_gradients(self) -> None:
        """Refuse gradients that no parameter can have, before anything changes."""
        for p in self.params:
            if p.grad is not None and not fits(p):
                refuse_gradient(p, self.params)

    def change(self, g: Any, *_args: Any, **_slots: Any) -> Any:
        """Return, in an array of its own, what one parameter is lowered by; every optimiser defines this.

        `g` is the gradient, weight decay included, and must not be changed.  The parameter's arrays in the state come
        under the names of their slots, and are changed in place.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no change(self, g, ...) and no step(self)")

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return a copy of every array of the state, by `slot.parameter`; empty for plain gradient descent.

        >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> optim.SGD([w], momentum=0.9).state_dict()
        {'momentum_buffer.w': array([0., 0.], dtype=float32)}
        """
        return {name: array.copy() for name, array in self._named_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state; nothing is changed unless every name and shape fits.

        Raises ValueError that lists the names that are missing, unexpected, misshapen or no numbers.
        """
        own = dict(self._named_state())
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        new = {}
        for name, array in own.items():
            if name not in state:
                continue
            try:
                new[name] = value = as_array(state[name], meets=array.dtype)
            except (TypeError, ValueError):
                wrong.append(f"{name} is no array of numbers")
                continue
            if value.shape != array.shape:
                wrong.append(f"{name} is {shape_text(value.shape)} instead of {shape_text(array.shape)}")
            elif array.dtype.kind == "i" and not (np.isfinite(value) & (value >= 0) & (value == np.floor(value))).all():
                wrong.append(f"{name} is {value}, and no count of steps")
        if wrong:
            raise ValueError(f"the state does not fit this {type(self).__name__}: {'; '.join(wrong)}")
        for name, array in own.items():
            array[...] = new[name]

    def _named_state(self) -> list[tuple[str, Any]]:
        return [
            (f"{slot}.{name}", array)
            for slot, arrays in self.state.items()
            for name, array in zip(self.names, arrays, strict=True)
        ]


def number(name: str, value: float, below: float = math.inf) -> float:
    """Return a setting as a Python float.  Raises ValueError where it is not in [0, below)."""
    try:
        x = float(value)
    except (TypeError, ValueError):
        x = math.nan
    if not 0 <= x < below:
        wanted = "a number ≥ 0" if below == math.inf else f"in [0, {below:g})"
        raise ValueError(f"{name} must be {wanted}, not {value!r}")
    return x


def fits(p: Tensor) -> bool:
    """Whether the gradient of a parameter can be its own: a user may have assigned anything."""
    return isinstance(p.grad, Tensor) and p.grad._array.shape == p._array.shape


def refuse_gradient(p: Tensor, among: Sequence[Tensor]) -> NoReturn:
    """Raise TypeError or ValueError: say which parameter has a gradient that does not fit, and what it is."""
    who = f"parameter {next(i for i, q in enumerate(among) if q is p)}, {describe(p)},"
    if not isinstance(p.grad, Tensor):
        raise TypeError(f"{who} has as its gradient no tensor but {describe(p.grad)}; write p.grad = Tensor(array)")
    raise ValueError(f"{who} has a gradient of another shape, {shape_text(p.grad.shape)}; they must be the same")


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
                "make it a float tensor with requires_grad=True or an nn.Parameter, or leave out what is frozen: "
                "[p for p in net.parameters() if p.requires_grad]"
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


def _start(slot: str, like: Any) -> Any:
    """Return the array that a slot starts from: the count of steps, or zeros in the shape of the parameter."""
    return np.zeros((), np.int64) if slot == "step" else np.zeros_like(like)
