"""Module and Parameter: named parameters, their state, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..tensor import Tensor, as_array, describe


class Parameter(Tensor):
    """A tensor that training changes: a leaf that requires a gradient.  A module names it after its attribute."""

    __slots__ = ()

    def __init__(self, data: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(data, requires_grad=True, name=name, dtype=dtype)


class Module:
    """The base class of models.

    Parameters and modules assigned to attributes are found by `parameters()`, in the order of assignment, and named after
    the attributes (`W1`, `encoder.W`).  Calling the module calls `forward`.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.a = Parameter([2.0])
    ...     def forward(self, x):
    ...         return self.a * x
    >>> net = Line()
    >>> net(3.0)
    Tensor([6.], dtype=float32, op=mul)
    >>> dict(net.named_parameters())
    {'a': Tensor([2.], dtype=float32, requires_grad=True, name='a')}
    """

    def __setattr__(self, name: str, value: Any) -> None:
        old = self.__dict__.get(name)
        if isinstance(old, Parameter) and not isinstance(value, Parameter):
            raise TypeError(
                f"{describe(old)} is a parameter and cannot be replaced by {describe(value)}; "
                f"change its value with self.{name}.assign(array)"
            )
        object.__setattr__(self, name, value)
        if isinstance(value, Parameter | Module | list | tuple | dict):
            for full, parameter in self.named_parameters():
                parameter.name = full

    def forward(self, *inputs: Any) -> Any:  # noqa: ARG002
        """Compute the output; a model defines this."""
        raise TypeError(f"{type(self).__name__} defines no forward(self, ...); write one, or call another method")

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:  # noqa: D102
        return self.forward(*inputs, **kwargs)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (name, parameter), each parameter once, in the order of assignment.

        Those of inner modules, lists and dicts are named by the way to them: `encoder.W`, `layers.0.b`.
        """
        seen: set[int] = set()
        stack: list[tuple[str, Any]] = [("", self)]
        while stack:
            name, value = stack.pop()
            inner: dict[Any, Any] = {}
            if isinstance(value, Parameter | Module | list | tuple | dict):
                if id(value) in seen:
                    continue
                seen.add(id(value))
            if isinstance(value, Parameter):
                yield name, value
            elif isinstance(value, Module):
                inner = value.__dict__
            elif isinstance(value, dict):
                inner = value
            elif isinstance(value, list | tuple):
                inner = dict(enumerate(value))
            stack += [(f"{name}.{key}" if name else str(key), part) for key, part in reversed(inner.items())]

    def parameters(self) -> list[Parameter]:
        """Return the parameters, each once, in the order of assignment."""
        return [parameter for _, parameter in self.named_parameters()]

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return a copy of every parameter's value, by name."""
        return {name: parameter.numpy().copy() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Assign saved values to the parameters; nothing is changed unless every name and shape fits.

        Raises ValueError that lists the missing, unexpected and misshapen names.
        """
        own = dict(self.named_parameters())
        state = {name: as_array(value) for name, value in state.items()}
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unexpected" for name in state if name not in own]
        wrong += [
            f"{name} has shape {state[name].shape}, expected {p.shape}"
            for name, p in own.items()
            if name in state and state[name].shape != p.shape
        ]
        if wrong:
            raise ValueError(f"the state does not fit {type(self).__name__}: {'; '.join(wrong)}")
        for name, parameter in own.items():
            parameter.assign(state[name])
