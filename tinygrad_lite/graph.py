"""Graph: the recorded history as plain data, for pictures, equations and compilation.

Pictures, equations and training read a `Graph`, never `Node`s.  `capture` records all that a function does, and names
every tensor after the variable that held it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from .op import Op
from .recording import EVERYTHING, recording
from .tensor import Node, Tensor, as_array, as_leaf, history, is_array, new_tensor


@dataclass(frozen=True, eq=False)
class Vertex:
    """One tensor of a graph: what it is, and what it was computed from.

    `kind` is "parameter" (a leaf that requires a gradient), "input" (another leaf), "number" (a Python number) or "op".
    `inputs` are the positions of its inputs in `Graph.vertices`, in order and with repeats; `name` is unique in the graph,
    or None; `value` is None where it was not kept; `tensor` is what gradients are taken with respect to.
    """

    kind: str
    name: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    op: Op | None = None
    inputs: tuple[int, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    requires_grad: bool = False
    value: Any = field(default=None, repr=False, compare=False)
    tensor: Tensor | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A computation: its vertices, each after its inputs, and the positions of the results among them."""

    vertices: tuple[Vertex, ...]
    outputs: tuple[int, ...]

    @property
    def consumers(self) -> list[list[int]]:
        """For each vertex, the positions of those computed from it, with repeats."""
        users: list[list[int]] = [[] for _ in self.vertices]
        for position, vertex in enumerate(self.vertices):
            for i in vertex.inputs:
                users[i].append(position)
        return users

    def __repr__(self) -> str:
        ends = [self.vertices[i] for i in self.outputs]
        names = [end.name or (end.kind if end.op is None else end.op.name) for end in ends]
        learned = sum(vertex.kind == "parameter" for vertex in self.vertices)
        counts = [_count(len(self.vertices), "vertex", "vertices"), _count(learned, "parameter", "parameters")]
        return f"Graph({', '.join(counts + names)})"


def _count(n: int, one: str, several: str) -> str:
    return f"{n:,} {one if n == 1 else several}"


def graph_of(*outputs: Tensor, names: Mapping[int, str] | None = None) -> Graph:
    """Return the graph of tensors: all that they were computed from, as far as it was recorded.

    `names` maps `identity(x)` of tensors and arrays to names; a name that was set on a tensor comes first.

    >>> x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> [vertex.kind for vertex in graph_of((2 * x).sum()).vertices]
    ['parameter', 'number', 'op', 'op']
    """
    names = names or {}
    taken: dict[str, int] = {}
    vertices: list[Vertex] = []
    position: dict[int, int] = {}
    values = _values(nodes := history(*(y._node for y in outputs if y._node is not None)))

    def place(key: int, kind: str, shape: Any, dtype: Any, own_name: str | None = None, **rest: Any) -> int:
        name = own_name or names.get(key)
        if name is not None:
            taken[name] = taken.get(name, 0) + 1
            name = name if taken[name] == 1 else f"{name}#{taken[name]}"
        position[key] = len(vertices)
        vertices.append(Vertex(kind, name, tuple(shape), dtype, **rest))
        return position[key]

    def constant(x: Any) -> int:
        if id(x) in position and is_array(x):
            return position[id(x)]
        array = x if is_array(x) else np.asarray(x)
        return place(id(x), "input" if is_array(x) else "number", array.shape, array.dtype, value=x)

    for node in nodes:
        inputs = tuple(
            constant(value) if source is None else position[id(source)]
            for value, source in zip(node.values, node.sources, strict=True)
        )
        kind = "op" if node.op is not None else "parameter" if node.requires_grad else "input"
        rest = {"op": node.op, "inputs": inputs, "params": node.params, "requires_grad": node.requires_grad}
        value = values.get(id(node))
        tensor = None if value is None else new_tensor(value, node)
        place(id(node), kind, node.shape, node.dtype, node.name, value=value, tensor=tensor, **rest)
    ends = tuple(constant(y._array) if y._node is None else position[id(y._node)] for y in outputs)
    return Graph(tuple(vertices), ends)


def capture(f: Callable[..., Any], *inputs: Any, **kwargs: Any) -> Graph:
    """Run f(*inputs, **kwargs) and return its graph, with every value, each tensor named after its variable.

    `Z1 = W1 @ X` in the code of f, or of what f calls, names that tensor Z1; of several names the outermost function's is
    taken.  f returns a tensor, or a tuple, list or dict of tensors.

    >>> def f(x):
    ...     y = x * x
    ...     return y.sum()
    >>> [vertex.name for vertex in capture(f, np.ones(3)).vertices]
    ['x', 'y', None]
    """
    names: dict[int, str] = {}
    held: list[Any] = []  # as long as these live, no id is used twice

    def read_locals(frame: FrameType, event: str, _arg: Any) -> None:
        if event == "return" and frame.f_globals.get("__name__", "").partition(".")[0] not in _NOT_USER_CODE:
            variables = list(frame.f_locals.items())
            for name, value in reversed(variables):  # the first of two names for one tensor wins
                if name.isidentifier() and name[0] != "_" and (isinstance(value, Tensor) or is_array(value)):
                    names[identity(value)] = name
                    held.append(value)

    before: Any = sys.getprofile()
    with recording(EVERYTHING):
        inputs = tuple(map(_wrapped, inputs))
        kwargs = {name: _wrapped(x) for name, x in kwargs.items()}
        sys.setprofile(read_locals)
        try:
            result = f(*inputs, **kwargs)
        finally:
            sys.setprofile(before if before is None or callable(before) else None)
            if hasattr(before, "enable"):  # cProfile's profiler is no function
                before.enable()
    outputs = list(result.values()) if isinstance(result, dict) else result
    outputs = list(outputs) if isinstance(outputs, tuple | list) else [outputs]
    for y in outputs:
        if not isinstance(y, Tensor):
            raise TypeError(f"the function to capture must return tensors, not {type(y).__name__}")
    return graph_of(*outputs, names=names)


def _wrapped(x: Any) -> Any:
    """Make a leaf of an array or a float, so that what the function does with it is recorded."""
    return as_leaf(as_array(x)) if is_array(x) or isinstance(x, list | float) else x


def identity(x: Any) -> int:
    """Return the key of a tensor or an array in the names of a graph."""
    return id(x._node) if isinstance(x, Tensor) and x._node is not None else id(getattr(x, "_array", x))


_NOT_USER_CODE = {"tinygrad_lite", "numpy", "jaxtyping"}


def _values(nodes: list[Node]) -> dict[int, Any]:
    """Collect the values of nodes: kept by the node, by one that reads it, or by the leaf tensor itself."""
    values: dict[int, Any] = {}
    for node in nodes:
        leaf = node.leaf() if node.leaf is not None else None
        if node.out is not None or leaf is not None:
            values[id(node)] = node.out if leaf is None else leaf._array
        for value, source in zip(node.values, node.sources, strict=True):
            if source is not None and value is not source:
                values.setdefault(id(source), value)
    return values
