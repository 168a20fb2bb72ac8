"""tinygrad_lite: a small reverse-mode autodiff framework for people who derive backpropagation by hand.

>>> import numpy as np
>>> import tinygrad_lite as tl
>>> w = tl.Tensor([[1.0, 2.0]], requires_grad=True, name="w")
>>> loss = tl.relu(w @ np.array([[3.0], [4.0]])).sum()
>>> loss.backward()
>>> w.grad
Tensor([[3., 4.]], dtype=float32)
"""

from . import start

if start.is_command():  # before NumPy loads
    start.watch()

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import ops, protocols  # noqa: F401
from .autodiff import grad, gradients, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .callable import make_callable
from .messages import written
from .op import REGISTRY
from .ops import *  # noqa: F403 -- every op of the table is public
from .random import manual_seed
from .recording import no_grad
from .tensor import Tensor

if TYPE_CHECKING:
    from . import data, nn, notes, optim, verify
    from .derive import derive
    from .draw import draw
    from .graph import Graph, capture
    from .recompute import checkpoint

__version__ = "0.1.0"

__all__ = [
    "Graph",
    "Tensor",
    "capture",
    "checkpoint",
    "data",
    "derive",
    "draw",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "manual_seed",
    "nn",
    "no_grad",
    "notes",
    "optim",
    "value_and_grad",
    "verify",
    "vjp",
]
__all__ += list(REGISTRY)


def _no_function(*_given: Any, **_named: Any) -> Any:
    raise TypeError("tinygrad_lite.tensor is the module of the class Tensor; write tl.Tensor(array)")


make_callable("tinygrad_lite.tensor", _no_function)

# Loaded when first used: the import costs little more than NumPy's.
_LAZY = ("data", "derive", "draw", "nn", "notes", "optim", "verify")
_LAZY_NAMES = {"Graph": "graph", "capture": "graph", "checkpoint": "recompute"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"{__name__}.{name}")
    if name in _LAZY_NAMES:
        return getattr(import_module(f"{__name__}.{_LAZY_NAMES[name]}"), name)
    hint = written(name, REGISTRY)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    return sorted(__all__)
