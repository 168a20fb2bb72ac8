"""Activations as modules, made of the ops."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from .. import ops
from ..tensor import ArrayLike, Tensor
from .module import Module


class Activation(Module):
    """A function without parameters as a module; its settings are those of the op.

    >>> nn.LeakyReLU(negative_slope=0.5)(np.array([-1.0, 2.0]))
    Tensor([-0.5,  2. ], dtype=float64)
    >>> nn.Softmax(axis=0)
    Softmax(axis=0)
    """

    function: ClassVar[Callable[..., Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        signature = inspect.signature(type(self))
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}{signature}: {error}") from None
        given.apply_defaults()
        self.settings = given.arguments

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply the function, element by element or along its axis."""
        return type(self).function(x, **self.settings)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.settings.items())


def _activation(name: str, function: Callable[..., Any]) -> type[Activation]:
    """Make the module of an op, with the signature of its settings and the first line of its docstring."""
    settings = list(inspect.signature(function).parameters.values())[1:]
    purpose = (function.__doc__ or "").strip().partition("\n")[0]
    members = {
        "function": staticmethod(function),
        "__doc__": f"The module of `{function.__name__}`: {purpose[:1].lower()}{purpose[1:]}",
        "__module__": __name__,
        "__signature__": inspect.Signature(settings),
    }
    return type(name, (Activation,), members)


CELU = _activation("CELU", ops.celu)
ELU = _activation("ELU", ops.elu)
GELU = _activation("GELU", ops.gelu)
Hardsigmoid = _activation("Hardsigmoid", ops.hardsigmoid)
Hardswish = _activation("Hardswish", ops.hardswish)
Hardtanh = _activation("Hardtanh", ops.hardtanh)
LeakyReLU = _activation("LeakyReLU", ops.leaky_relu)
LogSigmoid = _activation("LogSigmoid", ops.logsigmoid)
LogSoftmax = _activation("LogSoftmax", ops.log_softmax)
Mish = _activation("Mish", ops.mish)
QuickGELU = _activation("QuickGELU", ops.quick_gelu)
ReLU = _activation("ReLU", ops.relu)
ReLU6 = _activation("ReLU6", ops.relu6)
SELU = _activation("SELU", ops.selu)
SiLU = _activation("SiLU", ops.silu)
Sigmoid = _activation("Sigmoid", ops.sigmoid)
Softmax = _activation("Softmax", ops.softmax)
Softplus = _activation("Softplus", ops.softplus)
Softsign = _activation("Softsign", ops.softsign)
Tanh = _activation("Tanh", ops.tanh)

__all__ = [
    "CELU", "ELU", "GELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish",
    "QuickGELU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh",
]  # fmt: skip
