"""The graph of a model, recorded on inputs that are made up after its annotations."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_type_hints

import numpy as np

from . import random
from .graph import Graph, capture
from .nn import Module, Parameter
from .tensor import Tensor

LABELS = re.compile(r"[yYtT]_?\d*|labels?|targets?")  # by convention; all else is data
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
    inputs = Inputs(model)
    with untouched(model):
        return capture(inputs.method, **inputs.made_up())


class Inputs:
    """What the annotations of a model say of the inputs of its loss: their axes, by name, and the sizes of the axes.

    `samples` is the name of the size that nothing in the model fixes, such as m; None where there is none.
    """

    def __init__(self, model: Module) -> None:
        self.method: Callable[..., Any] = getattr(model, "loss", model.forward)
        place = f"{type(model).__name__}.{self.method.__name__}"
        try:
            self.hints = get_type_hints(self.method, include_extras=True)
            fields = get_type_hints(type(model), include_extras=True)
        except NameError as error:
            raise TypeError(
                f"an annotation of {place} cannot be read: {error}; import that name in the model file"
            ) from None
        self.axes: dict[str, list[str]] = {}
        for name, parameter in inspect.signature(self.method).parameters.items():
            if hasattr(self.hints.get(name), "dim_str"):
                self.axes[name] = _axes(self.hints[name], f"{name} of {place}")
            elif parameter.default is parameter.empty and parameter.kind not in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                raise TypeError(
                    f"the argument {name} of {place} has no shape; "
                    f'write {name}: Float[Tensor, "{"classes" if LABELS.fullmatch(name) else "inputs"} m"], with its sizes'
                )
        self.parameters = {  # the axes of those whose annotation fits
            name: axes
            for name, hint in fields.items()
            if len(axes := getattr(hint, "dim_str", "").split())
            == len(getattr(getattr(model, name, None), "shape", ()))
        }
        self.samples: str | None = None
        self.sizes = self._sizes(model, place)

    def _sizes(self, model: Module, place: str) -> dict[str, int]:
        """Give every named size a value."""
        wanted = [axis for axes in self.axes.values() for axis in axes]
        sizes = {axis: int(axis) for axis in wanted if axis.isdigit()}
        for name, axes in self.parameters.items():
            shape = getattr(getattr(model, name, None), "shape", ())
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
            shared = [
                axis for axis in free if all(axis in axes for axes in self.axes.values())
            ]  # the samples, most likely
            others = [axis for axis in free if axis not in shared[-1:]][: 2 if shared else 1]
            shape = " ".join(others[::-1] if len(others) > 1 else ["hidden", *others])
            raise TypeError(
                f"the sizes {' and '.join(free)} of {place} are not known, and only one can be the number of samples; "
                "annotate a parameter of the class with the others, in the order of its shape, as in "
                f'W: Float[Tensor, "{shape}"], or set self.{others[0]}'
            )
        self.samples = free[0] if free else None
        return sizes | dict.fromkeys(free, SAMPLES)

    def made_up(self, sizes: Mapping[str, int] | None = None) -> dict[str, Tensor]:
        """Return inputs by name: labels where the annotation says so, small random numbers elsewhere."""
        rng, known = np.random.default_rng(0), self.sizes | dict(sizes or {})
        return {name: Tensor(_sample(self.hints[name], axes, known, rng)) for name, axes in self.axes.items()}


@contextmanager
def untouched(model: Module) -> Iterator[None]:
    """Leave the buffers of a model, and the generator of random numbers, as they were."""
    buffers = [(buffer, buffer._array) for buffer in model.buffers()]
    before, random.thread.generator = random.generator(), np.random.default_rng(0)
    try:
        yield
    finally:
        random.thread.generator = before
        for buffer, value in buffers:
            buffer._array = value


@contextmanager
def with_parameters(own: Mapping[str, Parameter], given: Mapping[str, Tensor]) -> Iterator[None]:
    """Give a model other parameters, of any shape, for a while: of its `own`, by name, those that are `given`."""
    before = [(p, p._array, p._node) for p in own.values()]
    try:
        for name, p in own.items():
            if name in given:
                p._array, p._node = given[name]._array, given[name]._node
        yield
    finally:
        for p, data, node in before:
            p._array, p._node = data, node


def _axes(hint: Any, what: str) -> list[str]:
    """Return the axes of an annotated shape, each a name or a number."""
    axes = [axis.removeprefix("#").rpartition("=")[2] for axis in hint.dim_str.split()]
    for axis in axes:
        if not (axis.isidentifier() and axis != "_") and not axis.isdigit():
            raise TypeError(f"{what} has an axis {axis!r} whose size cannot be told; write a name or a number")
    return axes


def _sample(hint: Any, axes: list[str], sizes: Mapping[str, int], rng: np.random.Generator) -> Any:
    """Make up an input."""
    shape = tuple(sizes[axis] for axis in axes)
    if not any(dtype.startswith("float") for dtype in hint.dtypes):
        return rng.integers(0, 2 if "bool" in hint.dtypes else sizes.get("classes", 2), shape)
    if len(axes) == 2 and "classes" in axes:
        axis = axes.index("classes")
        columns = np.eye(shape[axis], dtype=np.float32)[:, rng.integers(0, shape[axis], shape[1 - axis])]
        return columns if axis == 0 else columns.T
    return (0.5 * rng.standard_normal(shape)).astype(np.float32)
