"""Trace: both passes of a model as one graph, run at sizes from which the symbols can be read off again."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autodiff import gradients
from ..formula.expression import hashable
from ..graph import Graph, capture, graph_of, identity
from ..modelgraph import Inputs, untouched, with_parameters
from ..nn import Module
from ..op import apply
from ..recording import EVERYTHING, recording
from ..tensor import Tensor

# Sizes to run at: prime, so that 2/(h m) can be read off a number, and larger than numbers that mean themselves.
PRIMES = [p for p in range(23, 400) if all(p % q for q in range(2, p))]


@dataclass(frozen=True)
class Trace:
    """The graph of the loss and of its gradients, and that of the forward method.

    `slopes` has the position of ∂J/∂v for the position of v; `seed` is that of the gradient 1 it starts with.  `sizes` are
    the names of the sizes that stand for themselves in the shapes, with their values; `real` those of the model, where a
    name without a value is that of the samples; `axes` the names of the axes of what is annotated.
    """

    graph: Graph
    forward: Graph | None
    slopes: dict[int, int]
    loss: int
    seed: int
    sizes: dict[str, int]
    real: dict[str, int]
    axes: dict[str, list[str]]


def traces(model: Module) -> list[Trace]:
    """Run a model at its own sizes, with another number of samples; and, where it can be, at sizes that are all different.

    Raises TypeError where the annotations do not tell the shapes, or the loss is no float that depends on parameters.
    """
    inputs = Inputs(model)
    known = {name: n for name, n in inputs.sizes.items() if not name.isdigit()}
    real = {name: n for name, n in known.items() if name != inputs.samples}
    taken = {n for p in model.parameters() for n in p.shape} | set(real.values())
    free = iter([p for p in PRIMES if p not in taken])
    samples = {inputs.samples: next(free)} if inputs.samples else {}
    found = [_trace(model, inputs, samples, real)]
    own = {name for name, _ in model.named_parameters()}
    names = {name: axes for name, axes in inputs.parameters.items() if name in own}
    symbols = all(axis.isidentifier() or axis == "1" for axes in names.values() for axis in axes)
    if symbols and set(names) == own:
        sizes = samples | {name: next(free) for name in real}
        shapes = {name: tuple(sizes.get(axis, 1) for axis in axes) for name, axes in names.items()}
        try:
            with with_parameters(dict(model.named_parameters()), _drawn(model, shapes)):
                trial = _trace(model, inputs, sizes, real)
        except Exception:  # the model insists on its own sizes
            return found
        if [v.op for v in trial.graph.vertices] == [v.op for v in found[0].graph.vertices]:
            found.append(trial)
    return found


def _trace(model: Module, inputs: Inputs, sizes: Mapping[str, int], real: dict[str, int]) -> Trace:
    """Run the loss and its gradients at some sizes."""
    with untouched(model), np.errstate(all="ignore"):
        given = _named(inputs.made_up(sizes))
        graph = capture(inputs.method, **given)
        if labels := _labels(graph, given):
            given |= _named(labels)
            graph = capture(inputs.method, **given)
        forward = None
        if inputs.method != model.forward:
            wanted = {name: x for name, x in given.items() if name in _arguments(model)}
            forward = merged(capture(model.forward, **wanted)) if set(_arguments(model)) <= set(wanted) else None
        graph = merged(graph)
        J = graph.vertices[graph.outputs[0]].tensor
        if J is None or J.size != 1 or not J.requires_grad:
            shape = graph.vertices[graph.outputs[0]].shape
            reason = f"it has shape {shape}" if np.prod(shape) != 1 else "none that requires a gradient enters it"
            raise TypeError(
                f"{type(model).__name__}.{inputs.method.__name__} must return one number that depends on parameters, to be "
                f"differentiated, but {reason}; write a method loss(self, X, Y) that returns their mean loss"
            )
        smooth = [v.tensor for v in graph.vertices if v.requires_grad and v.tensor is not None]
        with recording(EVERYTHING):
            seed = Tensor(np.ones(J.shape, J.dtype), requires_grad=True)
            slopes = gradients(J, smooth, seed, create_graph=True)
    names = {identity(v.tensor): v.name for v in graph.vertices if v.tensor is not None and v.name is not None}
    whole = graph_of(J, seed, *smooth, *slopes, names=names)
    loss, start, *rest = whole.outputs
    found = dict(zip(rest[: len(smooth)], rest[len(smooth) :], strict=True))
    return Trace(whole, forward, found, loss, start, dict(sizes), real, inputs.parameters | inputs.axes)


def _named(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give inputs the names of their arguments, which the code may give to other tensors, too."""
    for name, x in given.items():
        x.name = name
    return given


def merged(graph: Graph) -> Graph:
    """Return a graph in which nothing is computed twice, so that what is the same has one name and one gradient."""
    made: list[Any] = []
    first: list[int] = []  # the position of the first that is the same
    known: dict[Any, int] = {}
    names: dict[int, str] = {}
    with recording(EVERYTHING):
        for i, vertex in enumerate(graph.vertices):
            key: Any = i
            if vertex.kind == "number":
                key = (type(vertex.value), vertex.value)
            elif vertex.op is not None:
                key = (vertex.op.name, tuple(first[j] for j in vertex.inputs), hashable(dict(vertex.params)))
            first.append(known.setdefault(key, i))
            if first[i] != i:
                made.append(made[first[i]])
            elif vertex.op is None:
                made.append(vertex.value if vertex.tensor is None else vertex.tensor)
            else:
                made.append(apply(vertex.op, [made[j] for j in vertex.inputs], dict(vertex.params)))
            if vertex.name is not None:
                names.setdefault(identity(made[i]), vertex.name)
    return graph_of(*(made[i] for i in graph.outputs), names=names)


def _labels(graph: Graph, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return one-hot labels for the inputs that a cross-entropy takes as such, whatever their axes are called."""
    found: dict[str, Tensor] = {}
    for vertex in graph.vertices:
        if vertex.op is not None and vertex.op.name == "softmax_cross_entropy":
            label, axis = graph.vertices[vertex.inputs[1]], vertex.params["axis"]
            turned = label.op is not None and label.op.name == "transpose" and label.params["axes"] is None
            leaf = graph.vertices[label.inputs[0]] if turned else label
            if leaf.name is not None and leaf.name in given and leaf.dtype.kind == "f":
                hot = np.moveaxis(np.zeros(label.shape, leaf.dtype), axis, -1)
                hot[..., 0] = 1
                hot = np.moveaxis(hot, -1, axis)
                found[leaf.name] = Tensor(hot.T if turned else hot)
    return found


def _arguments(model: Module) -> list[str]:
    return list(inspect.signature(model.forward).parameters)


def _drawn(model: Module, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Draw parameters of other shapes."""
    rng = np.random.default_rng(0)
    return {
        name: Tensor(rng.standard_normal(shapes[name]).astype(p.dtype), requires_grad=True, name=p.name)
        for name, p in model.named_parameters()
    }
