"""NumPy's protocols: `np.exp(t)`, `np.sum(t, axis=0)` and `array * t` are recorded like our own ops.  Imports `op`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .op import ANSWERS
from .tensor import Tensor


def _array_function(_tensor: Tensor, function: Any, _types: Any, args: Any, kwargs: Any) -> Any:
    """NumPy's protocol for functions: `np.sum(t)` and what else the table answers to is recorded; the rest refuses."""
    if function in (np.shape, np.ndim, np.size):
        return function(*(x._data if isinstance(x, Tensor) else x for x in args), **kwargs)
    record = ANSWERS.get(function)
    if record is None:
        raise TypeError(
            f"np.{function.__name__} cannot be differentiated; use a function of tinygrad_lite, or pass t.numpy() where "
            "no gradient is needed"
        )
    return record(*args, **kwargs)


def _array_ufunc(tensor: Tensor, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """NumPy's protocol for elementwise functions: `np.exp(t)`, `array * t`."""
    if method != "__call__" or kwargs.get("out") is not None:
        raise TypeError(f"np.{ufunc.__name__} on a tensor can only be called, without out= (no .{method})")
    return _array_function(tensor, ufunc, (), args, kwargs)


setattr(Tensor, "__array_function__", _array_function)  # noqa: B010
setattr(Tensor, "__array_ufunc__", _array_ufunc)  # noqa: B010
