"""Axes: which axes of the tensors of a graph are of one size, and bear the name that an annotation gives one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ..formula.simplify import order_of
from ..graph import Graph, Vertex


def sizes_by_name(graph: Graph, annotated: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Return the names of the sizes of every vertex, and a number where an axis has none.

    Names pass along axes that must be of one length for an op to work: the inner ones of a product, those of a sum.  So the
    10 of a hidden layer is not taken for the 10 of the classes.
    """
    joined: dict[int, int] = {}  # axes are numbered; one that is as long as another leads to it
    names: dict[int, str] = {}
    axes: list[list[int]] = []
    count = 0

    def first(axis: int) -> int:
        while axis in joined:
            axis = joined[axis]
        return axis

    for vertex in graph.vertices:
        own = list(range(count, count := count + len(vertex.shape)))
        axes.append(own)
        given = annotated.get(vertex.name or "", ()) if vertex.op is None else ()
        names |= {axis: name for axis, name in zip(own, given, strict=False) if name.isidentifier()}
        for one, other in _equal(vertex, [graph.vertices[j].shape for j in vertex.inputs]):
            a, b = (first((own if k is None else axes[vertex.inputs[k]])[i]) for k, i in (one, other))
            if a != b:
                joined[a] = b
                names[b] = names.get(b) or names.get(a, "")
    return [
        tuple(names.get(first(axis)) or str(n) for axis, n in zip(own, vertex.shape, strict=True))
        for own, vertex in zip(axes, graph.vertices, strict=True)
    ]


Axis: TypeAlias = tuple[int | None, int]  # of which input, None for the result; and which one


def _equal(vertex: Vertex, shapes: Sequence[tuple[int, ...]]) -> list[tuple[Axis, Axis]]:
    """Return pairs of axes that an op needs to be of one length."""
    if vertex.op is None or not shapes:
        return []
    name = vertex.op.name
    if name == "matmul":
        inner: list[tuple[Axis, Axis]] = [((0, -1), (1, -2)), ((None, -2), (0, -2)), ((None, -1), (1, -1))]
        return inner if all(len(shape) == 2 for shape in shapes) else []
    if name in ("transpose", "swapaxes"):
        return [((None, i), (0, axis)) for i, axis in enumerate(order_of(vertex.params, len(vertex.shape)))]
    if name in ("reshape", "squeeze", "expand_dims"):
        one, other = ([i for i, n in enumerate(shape) if n != 1] for shape in (vertex.shape, shapes[0]))
        same = [vertex.shape[i] for i in one] == [shapes[0][i] for i in other]
        return [((None, i), (0, j)) for i, j in zip(one, other, strict=True)] if same else []
    sides: list[tuple[int | None, tuple[int, ...]]] = [(None, vertex.shape), *enumerate(shapes)]
    if name.endswith("cross_entropy") or len(shapes) == 1:
        sides = [side for side in sides if side[1] == shapes[0]]
    elif not vertex.op.broadcasts:
        return []
    (k, whole), *rest = sides
    return [((k, -n), (j, -n)) for j, part in rest for n in range(1, len(part) + 1) if part[-n] == whole[-n]]
