"""Truth: the value of everything that a loss names, and the derivative of the loss with respect to it, by autodiff."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from ..autodiff import gradients
from ..graph import Graph, Vertex, capture
from ..modelgraph import with_parameters
from ..nn import Module
from ..tensor import Tensor
from .cases import Sizes, Space
from .equal import same

Array = Any


class Scale(Enum):
    """What the gradient of an inner tensor is the gradient of; the notes' dZ is m ∂J/∂Z, J being a mean over m samples."""

    SAMPLE = "the gradient of each sample's own loss (no 1/m)"
    MEAN = "the gradient of the mean J (with 1/m)"

    def factor(self, m: int) -> int:
        """Return what ∂J/∂Z is multiplied with."""
        return m if self is Scale.SAMPLE else 1

    @property
    def said(self) -> str:
        """What a report says of it."""
        return self.value

    @property
    def other(self) -> Scale:
        """The other scale."""
        return Scale.MEAN if self is Scale.SAMPLE else Scale.SAMPLE


class Truth(NamedTuple):
    """Of one case: by name, the values and the gradients of the mean loss J; and the graph they were read from.

    `slopes` has the gradient of each vertex of the graph by its position, where there is one.
    """

    values: dict[str, Array]
    gradients: dict[str, Array]
    graph: Graph
    slopes: dict[int, Array]

    def place(self, value: Array) -> int | None:
        """Return the position of the one inner vertex that has this value, if there is one."""
        found = [i for i, v in enumerate(self.graph.vertices) if v.op is not None and same(value, v.value)]
        return found[0] if len(found) == 1 else None

    def named(self, places: Mapping[str, int]) -> Truth:
        """Return the truth with further names for some vertices."""
        values = {name: np.asarray(self.graph.vertices[i].value) for name, i in places.items()}
        slopes = {name: self.slopes[i] for name, i in places.items() if i in self.slopes}
        return Truth(values | self.values, slopes | self.gradients, self.graph, self.slopes)


class Loss:
    """A loss as a function of named arrays, whether it is a function of tensors or the loss of a module."""

    def __init__(self, loss: Any) -> None:
        if isinstance(loss, type) and issubclass(loss, Module):
            loss = loss()
        self.module = loss if isinstance(loss, Module) else None
        self.function: Callable[..., Any] = loss if self.module is None else getattr(loss, "loss", loss)
        if not callable(self.function):
            raise TypeError(f"the loss must be a function of tensors or an nn.Module, not {type(loss).__name__}")
        self.arguments = list(inspect.signature(self.function).parameters)
        self.own = {} if self.module is None else {n.replace(".", "_"): p for n, p in self.module.named_parameters()}

    def __call__(self, arrays: Mapping[str, Array]) -> Truth:
        """Return the truth at the arrays, which bear the names of the arguments and of the parameters."""
        names = {name: p.name for name, p in self.own.items()}
        given = {n: x if _integer(x) else Tensor(x, requires_grad=True, name=names.get(n)) for n, x in arrays.items()}
        inputs = {name: given[name] for name in self.arguments if name in given}
        with with_parameters(self.own, given), np.errstate(all="ignore"):
            graph = capture(self.function, **inputs)
            forward = None if self.module is None else self._forward(inputs)
        J = graph.vertices[graph.outputs[0]].tensor
        if J is None or J.size != 1:
            raise ValueError(f"the loss must be one number, but has shape {graph.vertices[graph.outputs[0]].shape}")
        named = {v.name: v for v in graph.vertices if v.name is not None and "#" not in v.name and v.value is not None}
        smooth = {i: v.tensor for i, v in enumerate(graph.vertices) if v.requires_grad and v.tensor is not None}
        with np.errstate(all="ignore"):
            found = gradients(J, list(smooth.values())) if J.requires_grad else []
        slopes = {i: g.numpy() for i, g in zip(smooth, found, strict=True)}
        values = {name.replace(".", "_"): np.asarray(v.value) for name, v in named.items()}
        if forward is not None:
            values = {v.name: np.asarray(v.value) for v in forward.vertices if v.name and v.value is not None} | values
        by_name = {
            v.name.replace(".", "_"): slopes[i] for i, v in enumerate(graph.vertices) if v.name in named and i in slopes
        }
        return Truth(values, by_name, graph, slopes)

    def value(self, given: Mapping[str, Any]) -> Tensor:
        """Return J at tensors and arrays, which bear the names of the arguments and of the parameters."""
        with with_parameters(self.own, given):
            J: Tensor = self.function(**{name: given[name] for name in self.arguments if name in given})
            return J

    def _forward(self, inputs: Mapping[str, Any]) -> Graph | None:
        """Return the graph of the module's forward pass, whose names (A2) the loss may not have."""
        assert self.module is not None
        takes = inspect.signature(self.module.forward).parameters
        if set(takes) <= set(inputs):
            return capture(self.module.forward, **{name: inputs[name] for name in takes})
        return None


def with_labels(space: Space, loss: Loss, fixed: set[str]) -> Space:
    """Tell from the graph of the loss which arguments are labels, and of which kind; those in `fixed` are as they are.

    What a softmax's cross-entropy is taken with is one-hot, or whole numbers; what a sigmoid's is taken with is 0 or 1.
    """
    open_ = [n for n, s in space.specs.items() if n not in space.parameters and n not in fixed and n in loss.arguments]
    if not open_:
        return space
    case = next(space.guaranteed())
    vertices = loss(space.draw(case)).graph.vertices
    found = dict(space.specs)
    for vertex in vertices:
        if vertex.op is None or vertex.op.name not in CLASSES | BINARY:
            continue
        *_, logits, label = vertex.inputs if len(vertex.inputs) > 1 else (*vertex.inputs, *vertex.inputs)
        axis = vertex.params.get("axis", -1)
        for name in open_:
            spec = found[name]
            direct = vertex.op.name in FUSED and _leaf(vertices, label) == name
            beside = vertex.op.name not in FUSED and spec.shape(case.sizes) in (vertex.shape, vertex.shape[::-1])
            beside = beside and any(v.op is not None and v.op.name == "log" for v in vertices)
            if spec.kind == "labels" and vertex.op.name in CLASSES:
                size = vertices[logits].shape[axis]
                found[name] = spec._replace(classes=_named(size, case.sizes))
            elif (direct or beside) and vertex.op.name in BINARY and spec.kind == "real":
                found[name] = spec._replace(kind="binary")
            elif (direct or beside) and vertex.op.name in CLASSES and spec.kind == "real":
                size = vertices[logits].shape[axis]
                own = [i for i, a in enumerate(spec.axes) if spec.shape(case.sizes)[i] == size]
                found[name] = spec._replace(kind="one_hot", axis=own[0]) if own else spec
    return replace(space, specs=found)


FUSED = {"softmax_cross_entropy", "sigmoid_cross_entropy"}
CLASSES = {"softmax_cross_entropy", "softmax", "log_softmax"}
BINARY = {"sigmoid_cross_entropy", "sigmoid"}


def _leaf(vertices: Sequence[Vertex], i: int) -> str | None:
    """Return the name of the leaf that a vertex is only a rearrangement of."""
    while vertices[i].op is not None and len(vertices[i].inputs) == 1:
        i = vertices[i].inputs[0]
    return vertices[i].name if vertices[i].op is None else None


def _named(size: int, sizes: Sizes) -> str:
    return next((name for name, n in sizes.items() if n == size), str(size))


def _integer(x: Array) -> bool:
    return np.asarray(x).dtype.kind != "f"
