"""capture_model: the graph of a model on inputs made up after its annotations."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import numpy as np

from .. import random
from ..graph import Graph, capture
from ..nn import Module
from ..tensor import Tensor

SAMPLES = 32  # the size that no parameter fixes


def capture_model(model: Module) -> Graph:
    """Return the graph of `model.loss`, or of `model.forward` where there is no loss, on inputs made up for it.

    The shapes stand in the annotations of its arguments: `X: Float[Tensor, "inputs m"]`.  A size takes its value from
    an annotated parameter of the class, an attribute of the model or a default of its constructor; the one that is left
    is the number of samples.  A matrix with an axis `classes` gets one-hot labels, an integer array classes, all else
    random numbers.  Buffers and the generator of random numbers are left as they were.
    Raises TypeError where a shape is missing or has no value, with what to write.

    >>> from models.mnist_two_layer import TwoLayer
    >>> [vertex.name for vertex in capture_model(TwoLayer()).vertices if vertex.kind == "op" and vertex.name]
    ['Z1', 'A1', 'Z2', 'J']
    """
    if not isinstance(model, Module):
        raise TypeError(f"capture_model takes a model, an instance of nn.Module, not {model!r}")
    method = getattr(model, "loss", model.forward)
    place = f"{type(model).__name__}.{method.__name__}"
    try:
        hints = get_type_hints(method, include_extras=True)
        fields = get_type_hints(type(model), include_extras=True)
    except NameError as error:
        raise TypeError(
            f"an annotation of {place} cannot be read: {error}; import that name in the model file"
        ) from None
    shapes: dict[str, list[str]] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if hasattr(hints.get(name), "dim_str"):
            shapes[name] = _axes(hints[name], f"{name} of {place}")
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            raise TypeError(
                f'the argument {name} of {place} has no shape; write {name}: Float[Tensor, "inputs m"], with its sizes'
            )
    sizes = _sizes(model, fields, [axis for axes in shapes.values() for axis in axes], place)
    rng = np.random.default_rng(0)
    inputs = {name: Tensor(_sample(hints[name], axes, sizes, rng)) for name, axes in shapes.items()}
    buffers = [(buffer, buffer._data) for buffer in model.buffers()]
    before, random._generator = random._generator, np.random.default_rng(0)
    try:
        return capture(method, **inputs)
    finally:
        random._generator = before
        for buffer, value in buffers:
            buffer._data = value


def _axes(hint: Any, what: str) -> list[str]:
    """Return the axes of an annotated shape, each a name or a number."""
    axes = [axis.removeprefix("#").rpartition("=")[2] for axis in hint.dim_str.split()]
    for axis in axes:
        if not (axis.isidentifier() and axis != "_") and not axis.isdigit():
            raise TypeError(f"{what} has an axis {axis!r} whose size cannot be told; write a name or a number")
    return axes


def _sizes(model: Module, fields: dict[str, Any], wanted: list[str], place: str) -> dict[str, int]:
    """Give every named size a value."""
    sizes = {axis: int(axis) for axis in wanted if axis.isdigit()}
    for name, hint in fields.items():
        shape = getattr(getattr(model, name, None), "shape", ())
        axes = getattr(hint, "dim_str", "").split()
        if len(axes) == len(shape):
            sizes.update({axis: n for axis, n in zip(axes, shape, strict=True) if axis.isidentifier()})
    defaults = {name: p.default for name, p in inspect.signature(type(model)).parameters.items()}
    free = []
    for axis in dict.fromkeys(wanted):
        value = sizes.get(axis, getattr(model, axis, defaults.get(axis)))
        if isinstance(value, int | np.integer):
            sizes[axis] = int(value)
        else:
            free.append(axis)
    if len(free) > 1:
        raise TypeError(
            f"the sizes {' and '.join(free)} of {place} are not known, and only one can be the number of samples; "
            f'annotate a parameter of the class with the others, as in W: Float[Tensor, "{free[0]} {free[1]}"], '
            f"or set self.{free[0]}"
        )
    return sizes | dict.fromkeys(free, SAMPLES)


def _sample(hint: Any, axes: list[str], sizes: dict[str, int], rng: np.random.Generator) -> Any:
    """Make up an input: labels where the annotation says so, small random numbers elsewhere."""
    shape = tuple(sizes[axis] for axis in axes)
    if not any(dtype.startswith("float") for dtype in hint.dtypes):
        return rng.integers(0, 2 if "bool" in hint.dtypes else sizes.get("classes", 2), shape)
    if len(axes) == 2 and "classes" in axes:
        axis = axes.index("classes")
        columns = np.eye(shape[axis], dtype=np.float32)[:, rng.integers(0, shape[axis], shape[1 - axis])]
        return columns if axis == 0 else columns.T
    return (0.5 * rng.standard_normal(shape)).astype(np.float32)
