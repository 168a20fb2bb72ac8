"""The value of a formula on arrays or tensors, and its ops as functions, derivatives of activations among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..op import REGISTRY
from ..recording import ARRAYS, recording
from .expression import Apply, Expression, Name, Number

PRODUCTS = {"mul", "matmul", "dot"}
SUMS = {"sum", "mean"}


def by_sample(op: str) -> bool:
    """Whether an op, or its derivative, is over the features of each sample, and not elementwise."""
    entry = REGISTRY.get(op.rstrip("'"))
    return entry is not None and entry.form == "by sample"


def evaluate(tree: Expression, values: Mapping[str, Any], parts: list[Any] | None = None) -> Any:
    """Return the value of an expression as it stands: a tensor of tensors, an array of arrays; None where it has none.

    >>> float(evaluate(Apply("relu'", (Name("x"),)), {"x": np.array(-3.0)}))
    0.0
    """
    match tree:
        case Name(text):
            return values.get(text)
        case Number(value):
            return float(value)
    assert isinstance(tree, Apply)
    given = [evaluate(part, values) for part in tree.inputs] if parts is None else parts
    if any(x is None for x in given):
        return None
    try:
        value = function(tree.op)(*given, **dict(tree.params))
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError):
        return None
    return None if isinstance(value, complex) else value  # of Python's (−8) ** 0.5


def function(op: str) -> Callable[..., Any]:
    """Return an op as a function of arrays or of tensors, by its name; with a prime, its derivative, on arrays.

    Raises KeyError for a name that no op bears.
    """
    entry = REGISTRY[op.rstrip("'")]
    plain = entry.face

    def on_both(*args: Any, **params: Any) -> Any:
        if any(hasattr(x, "requires_grad") for x in args):
            return plain(*args, **params)
        with recording(ARRAYS), np.errstate(all="ignore"):
            if op == "where":  # of numbers, it would be one of float32
                args = (args[0], *map(np.float64, args[1:]))
            if not op.endswith("'"):
                return plain(*args, **params)
            x = np.asanyarray(args[0])
            out = entry.forward(x, **params)
            if entry.form == "by sample":  # what is written for it is the diagonal of its Jacobian
                return out * (1 - out)
            rule: Any = entry.vjps[0]
            return rule(np.ones_like(out), out, x, **{**entry.defaults, **params})

    return on_both
