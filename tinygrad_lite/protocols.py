"""NumPy's protocols: `np.exp(t)`, `np.sum(t, axis=0)` and `array * t` are recorded like our own ops.

An op answers to the function in its record, `numpy=`: its inputs by their place and its parameters by their names; what
else NumPy's function takes must be left at its default.  Here stand the functions that mean something else by a name, and
those that ask about values without a derivative.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .op import ANSWERS, REGISTRY, Op
from .ops.elementwise import clip, not_equal
from .ops.indexing import gather
from .ops.linear import cross, diagonal, einsum, trace
from .ops.reduction import mean, norm, std, sum, var
from .ops.shape import broadcast_to, concatenate, flip, pad, ravel, reshape, swapaxes
from .tensor import Tensor, as_array


def _spread(op: Any) -> Callable[..., Tensor]:
    def measure(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False, correction: float = 0) -> Tensor:
        return op(a, axis, ddof or correction, keepdims)  # type: ignore[no-any-return]

    return measure


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    if ord not in (None, "fro") and (x.ndim > 1 if axis is None else isinstance(axis, tuple)):
        raise TypeError(
            f"np.linalg.norm: the matrix norm {ord!r} cannot be differentiated; name one axis for vector norms"
        )
    return norm(x, 2 if ord in (None, "fro") else ord, axis, keepdims)


def _alike(parts: Any) -> list[Tensor]:
    """Return tensors, lists in the dtype of the tensors among them."""
    met = np.result_type(*(x.dtype for x in parts if isinstance(x, Tensor)))
    return [x if isinstance(x, Tensor) else Tensor(as_array(x, meets=met)) for x in parts]


def _joined(axis: int, wide: int) -> Callable[..., Tensor]:
    """Return np.vstack or np.hstack: arrays of too few axes get new ones first."""

    def join(tup: Any) -> Tensor:
        parts = _alike(tup)
        parts = [x.reshape((1,) * (wide - x.ndim) + x.shape) if x.ndim < wide else x for x in parts]
        return concatenate(parts, axis=0 if parts[0].ndim == 1 else axis)

    return join


def _filled(a: Any, fill_value: Any) -> Any:
    """Return np.full_like, whose answer depends on no value but the one that fills."""
    if isinstance(fill_value, Tensor):
        return broadcast_to(fill_value, np.shape(a)).astype(a.dtype)
    return np.full_like(_plain(a), fill_value)


def _true(x: Any) -> Tensor:
    return not_equal(x, 0)


def _rotated(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Return np.rot90: a quarter turn is a transposition and a reflection, two are two reflections."""
    a, b = normalize_axis_tuple(axes, m.ndim, "axes")
    turned = swapaxes(m, a, b) if k % 2 else m
    mirrors = ((), (a,), (a, b), (b,))[k % 4]
    return flip(turned, mirrors)


def _grids(*xi: Any, indexing: str = "xy", sparse: bool = False, copy: bool = True) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return np.meshgrid: each vector along its own axis; "xy" exchanges the first two."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"np.meshgrid: indexing must be 'xy' or 'ij', not {indexing!r}")
    vectors = [ravel(x) for x in xi]
    axes = [1, 0, *range(2, len(xi))] if indexing == "xy" and len(xi) > 1 else range(len(xi))
    sizes = [vectors[axis].size for axis in axes]
    rows = [
        reshape(x, tuple(x.size if i == axis else 1 for i in range(len(xi))))
        for x, axis in zip(vectors, axes, strict=True)
    ]
    return tuple(rows if sparse else [broadcast_to(x, tuple(sizes)) for x in rows])


def _average(a: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Tensor:
    if weights is None:
        return mean(a, axis, keepdims)
    if np.shape(weights) != np.shape(a):
        raise TypeError("np.average of a tensor takes weights of the shape of a; give them that with reshape")
    return sum(a * weights, axis, keepdims) / sum(weights, axis, keepdims)


def _polyval(p: Any, x: Any) -> Any:
    """Return np.polyval, by Horner's rule."""
    x = x if isinstance(x, Tensor) else as_array(x, meets=p.dtype)
    y = x * 0
    for coefficient in p:
        y = y * x + coefficient
    return y


def _columns(tup: Any) -> Tensor:
    """Return np.column_stack: vectors become columns."""
    return _joined(1, 2)([x if np.ndim(x) > 1 else np.reshape(x, (-1, 1)) for x in tup])


# NumPy's function: the same in our ops.
TRANSLATED: dict[Any, Callable[..., Any]] = {
    np.var: _spread(var),
    np.std: _spread(std),
    np.linalg.norm: _norm,
    np.take_along_axis: lambda arr, indices, axis=-1: gather(arr, axis, indices),
    np.clip: lambda a, a_min=None, a_max=None, min=None, max=None: clip(
        a, a_min if min is None else min, a_max if max is None else max
    ),
    np.pad: lambda array, pad_width, mode="constant", constant_values=0: pad(array, pad_width, mode, constant_values),
    np.einsum: lambda *operands, optimize=True: einsum(*operands),  # noqa: ARG005 -- ours always is optimised
    np.linalg.trace: lambda x, offset=0: trace(x, offset, -2, -1),
    np.linalg.diagonal: lambda x, offset=0: diagonal(x, offset, -2, -1),
    np.linalg.matrix_transpose: lambda x: swapaxes(x, -1, -2),
    np.matrix_transpose: lambda x: swapaxes(x, -1, -2),
    np.logical_and: lambda a, b: _true(a) * _true(b),
    np.logical_or: lambda a, b: _true(a) + _true(b),
    np.logical_xor: lambda a, b: _true(a) != _true(b),
    np.logical_not: lambda x: x == 0,
    np.full_like: _filled,
    np.append: lambda arr, values, axis=None: concatenate(
        _alike((arr, values)) if axis is not None else list(map(ravel, _alike((arr, values)))), axis or 0
    ),
    np.flipud: lambda m: flip(m, 0),
    np.fliplr: lambda m: flip(m, 1),
    np.rot90: _rotated,
    np.meshgrid: _grids,
    np.cross: lambda a, b, axis=-1: cross(a, b, -1 if axis is None else axis),
    np.linalg.cross: cross,
    np.average: _average,
    np.vstack: _joined(0, 2),
    np.hstack: _joined(1, 1),
    np.column_stack: _columns,
    np.polyval: _polyval,
}

ANSWERS |= {
    np.amax: REGISTRY["max"],
    np.amin: REGISTRY["min"],
    np.linalg.outer: REGISTRY["outer"],
    np.linalg.matmul: REGISTRY["matmul"],
    np.linalg.tensordot: REGISTRY["tensordot"],
}

# What is asked of the values, and answered with plain ones.
QUERIES = {
    *(np.shape, np.ndim, np.size, np.isnan, np.isinf, np.isfinite, np.any, np.all, np.count_nonzero),
    *(np.allclose, np.isclose, np.array_equal, np.zeros_like, np.ones_like, np.empty_like),
}


def _array_function(_tensor: Tensor, function: Any, _types: Any, args: Any, kwargs: Any) -> Any:
    """NumPy's protocol for functions: `np.sum(t)` and what else the table answers to is recorded; the rest refuses."""
    _not_from_polynomials(args)
    if function in QUERIES:
        return function(*map(_plain, args), **{name: _plain(x) for name, x in kwargs.items()})
    answer = TRANSLATED.get(function) or ANSWERS.get(function)
    if answer is None:
        raise TypeError(
            f"{_title(function)} is not among the functions that are recorded; use one of tinygrad_lite's, or pass "
            "t.numpy() where no gradient is needed"
        )
    return answer(*args, **kwargs) if isinstance(function, np.ufunc) else _answered(function, answer, args, kwargs)


def _not_from_polynomials(args: Any) -> None:
    """Refuse what np.polynomial asks of a tensor, except with a number: it takes all but NumPy's own arrays for numbers.

    With one row of coefficients that is right; the axes of several rows, and of roots, it would pair with those of x.
    """
    name = sys._getframe(2).f_globals.get("__name__") or ""
    if name.startswith("numpy.polynomial") and not any(isinstance(x, np.generic | float | int) for x in args):
        raise TypeError(
            f"{name.replace('numpy', 'np', 1)} takes a tensor for a number, and so would give wrong values; "
            "write np.polyval(p, x) with the highest power first, tl.prod(x - roots), or pass x.numpy()"
        )


@cache
def _parameters(function: Any) -> tuple[dict[str, Any], bool]:
    """Return the parameters of a function with their defaults, and whether it takes any number of arrays."""
    try:
        found = signature(function).parameters.values()
    except ValueError:  # a function in C, of which NumPy before 2.4 does not tell
        return {}, True
    return {p.name: p.default for p in found}, any(p.kind is p.VAR_POSITIONAL for p in found)


def _answered(function: Any, answer: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call what answers to a NumPy function, with those arguments of the function that it takes."""
    theirs, starred = _parameters(function)
    if starred:
        return answer(*args, **kwargs)
    inputs = list(theirs)[: len(answer.domain)] if isinstance(answer, Op) else []  # these go by their place
    ours: Any = answer.signature.parameters if isinstance(answer, Op) else _parameters(answer)[0]
    given = {**dict(zip(theirs, args, strict=False)), **kwargs}
    places = [given.pop(name) for name in inputs if name in given]
    for name, value in list(given.items()):
        if name not in ours:
            default = theirs.get(name, signature)  # a value that nobody gives
            if value is not default and not (isinstance(value, str) and value == default):
                takes = ", ".join(n for n in theirs if n in ours or n in inputs)
                raise TypeError(f"{_title(function)} of a tensor takes {takes}, but not {name}={value!r}")
            del given[name]
    return answer(*places, **given)


def _title(function: Any) -> str:
    """Name a function of NumPy as one writes it: np.linalg.inv, np.remainder (np.mod)."""
    home = getattr(function, "__module__", None) or "numpy"
    names = [name for name, x in vars(sys.modules[home]).items() if x is function]
    first, *others = sorted(names or [function.__name__], key=lambda name: name != function.__name__)
    home = home.replace("numpy", "np", 1) + "." if names else ""
    return f"{home}{first}" + (f" ({home}{others[0]})" if others else "")


def _plain(x: Any) -> Any:
    return x.numpy() if isinstance(x, Tensor) else x


def _array_ufunc(tensor: Tensor, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """NumPy's protocol for elementwise functions: `np.exp(t)`, `array * t`."""
    if method != "__call__":
        raise TypeError(f"np.{ufunc.__name__}.{method} is not recorded on tensors; use a function of tinygrad_lite")
    if kwargs.get("out") is not None:
        raise TypeError(f"np.{ufunc.__name__}(out=...) on a tensor: arrays are never changed in place; use the result")
    _not_from_polynomials(args)
    return _array_function(tensor, ufunc, (), args, kwargs)


setattr(Tensor, "__array_function__", _array_function)  # noqa: B010
setattr(Tensor, "__array_ufunc__", _array_ufunc)  # noqa: B010
