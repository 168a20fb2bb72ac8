"""NumPy's protocols: `np.exp(t)`, `np.sum(t, axis=0)` and `array * t` are recorded like our own ops.

An op answers to the function in its record, `numpy=`.  Here stand the functions that take other arguments than our ops do,
and those that ask about values without a derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .op import ANSWERS
from .ops.elementwise import clip
from .ops.indexing import gather
from .ops.reduction import norm, std, var
from .ops.shape import concatenate, flatten, pad
from .tensor import Tensor


def _spread(op: Any) -> Callable[..., Tensor]:
    def measure(
        a: Any,
        axis: Any = None,
        *,
        ddof: float = 0,
        keepdims: bool = False,
        correction: float | None = None,
    ) -> Tensor:
        return op(a, axis, ddof if correction is None else correction, keepdims)  # type: ignore[no-any-return]

    return measure


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    if ord not in (None, "fro") and (x.ndim > 1 if axis is None else isinstance(axis, tuple)):
        raise TypeError(
            f"np.linalg.norm: the matrix norm {ord!r} cannot be differentiated; name one axis for vector norms"
        )
    return norm(x, 2 if ord in (None, "fro") else ord, axis, keepdims)


def _joined(axis: int, wide: int) -> Callable[..., Tensor]:
    """Return np.vstack or np.hstack: arrays of too few axes get new ones first."""

    def join(tup: Any) -> Tensor:
        parts = [x if isinstance(x, Tensor) else Tensor(x) for x in tup]
        parts = [x.reshape((1,) * (wide - x.ndim) + x.shape) if x.ndim < wide else x for x in parts]
        return concatenate(parts, axis=0 if parts[0].ndim == 1 else axis)

    return join


# NumPy's function: the same in our ops.
TRANSLATED: dict[Any, Callable[..., Any]] = {
    np.var: _spread(var),
    np.std: _spread(std),
    np.linalg.norm: _norm,
    np.take_along_axis: lambda arr, indices, axis=-1: gather(arr, axis, indices),
    np.clip: lambda a, a_min=None, a_max=None, *, min=None, max=None: clip(
        a, a_min if min is None else min, a_max if max is None else max
    ),
    np.pad: lambda array, pad_width, mode="constant", constant_values=0: pad(array, pad_width, mode, constant_values),
    np.ravel: lambda a: flatten(a),
    np.vstack: _joined(0, 2),
    np.hstack: _joined(1, 1),
}

# What is asked of the values, and answered with plain ones.
QUERIES = {
    *(np.shape, np.ndim, np.size, np.isnan, np.isinf, np.isfinite, np.any, np.all, np.count_nonzero),
    *(np.allclose, np.isclose, np.array_equal, np.zeros_like, np.ones_like, np.full_like, np.empty_like),
}


def _array_function(_tensor: Tensor, function: Any, _types: Any, args: Any, kwargs: Any) -> Any:
    """NumPy's protocol for functions: `np.sum(t)` and what else the table answers to is recorded; the rest refuses."""
    if function in QUERIES:
        return function(*map(_plain, args), **{name: _plain(x) for name, x in kwargs.items()})
    answer = TRANSLATED.get(function) or ANSWERS.get(function)
    if answer is None:
        raise TypeError(
            f"np.{function.__name__} is not among the functions that are recorded; use one of tinygrad_lite's, or pass "
            "t.numpy() where no gradient is needed"
        )
    return answer(*args, **kwargs)


def _plain(x: Any) -> Any:
    return x.numpy() if isinstance(x, Tensor) else x


def _array_ufunc(tensor: Tensor, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """NumPy's protocol for elementwise functions: `np.exp(t)`, `array * t`."""
    if method != "__call__":
        raise TypeError(f"np.{ufunc.__name__}.{method} is not recorded on tensors; use a function of tinygrad_lite")
    if kwargs.get("out") is not None:
        raise TypeError(f"np.{ufunc.__name__}(out=...) on a tensor: arrays are never changed in place; use the result")
    return _array_function(tensor, ufunc, (), args, kwargs)


setattr(Tensor, "__array_function__", _array_function)  # noqa: B010
setattr(Tensor, "__array_ufunc__", _array_ufunc)  # noqa: B010
