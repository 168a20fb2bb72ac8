"""Formula: what every op of a graph computes, written as on paper.

An unnamed tensor that is used once has no place of its own: it is folded into the formula of the tensor it is used for,
so that `Z1 = W1 @ X + b1` is one formula.  Everything runs in one pass over the vertices, without recursion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..graph import Graph, Vertex
from ..notation import SUBSCRIPT, Part, compose, number, pretty

LIMIT = 40  # characters: a formula that would get longer names a part of it instead


class Formula(NamedTuple):
    """A formula and the tensors in it: their positions in the graph, in order and with repeats."""

    part: Part
    inputs: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """What is written."""
        return self.part.text


class Sheet(NamedTuple):
    """The formulas of a graph: the tensors that have a place of their own, by position, with their names on paper."""

    names: dict[int, str]
    formulas: dict[int, Formula]


def write(graph: Graph, limit: int = LIMIT) -> Sheet:
    """Write the formula of every tensor that is named, used more than once, or a result.

    Another gets a place of its own only where a formula would become longer than `limit` characters.  A tensor without
    a name is called after its op: add₁.

    >>> from tinygrad_lite import capture
    >>> W1, X, b1 = (Tensor([[1.0]], name=name) for name in ("W1", "X", "b1"))
    >>> [formula.text for formula in write(capture(lambda: 2 * (W1 @ X + b1))).formulas.values()]
    ['2 (W₁ X + b₁)']
    """
    names: dict[int, str] = {}
    taken, numbered = set[str](), Counter[str]()
    for i, vertex in enumerate(graph.vertices):
        name, k = pretty(vertex.name or ""), 2
        while name and name in taken:  # W1 and W_1
            name, k = pretty(f"{vertex.name}#{k}"), k + 1
        if name:
            names[i] = name
            taken.add(name)
    uses = [len(users) for users in graph.consumers]
    results = set(graph.outputs)
    parts: list[Formula] = []  # what stands for each vertex in the formulas of others
    placed: dict[int, str] = {}
    formulas: dict[int, Formula] = {}

    def place(i: int) -> None:
        vertex = graph.vertices[i]
        if vertex.op is not None:
            formulas[i] = parts[i]
        kind = vertex.op.name if vertex.op is not None else vertex.kind
        name = names.get(i)
        while name is None or (i not in names and name in taken):
            numbered[kind] += 1
            name = kind + str(numbered[kind]).translate(SUBSCRIPT)
        placed[i] = name
        parts[i] = Formula(Part(name), (i,))

    for i, vertex in enumerate(graph.vertices):
        if vertex.op is None:
            parts.append(Formula(number(vertex.value) if vertex.kind == "number" else Part("")))
        else:
            parts.append(_compose(vertex, [parts[j] for j in vertex.inputs]))
            excess = len(parts[i].text) - limit
            loose = {j for j in vertex.inputs if j not in placed and graph.vertices[j].op is not None}
            if excess > 0 and loose:
                for j in sorted(loose, key=lambda j: (-len(parts[j].text), j)):
                    if excess > 0:
                        excess -= len(parts[j].text)
                        place(j)
                        excess += len(parts[j].text)
                parts[i] = _compose(vertex, [parts[j] for j in vertex.inputs])
        if vertex.kind != "number" and (vertex.op is None or i in names or uses[i] != 1 or i in results):
            place(i)
    return Sheet(placed, formulas)


def _compose(vertex: Vertex, parts: Sequence[Formula]) -> Formula:
    """Write one op from the formulas of its inputs."""
    assert vertex.op is not None
    written = compose(vertex.op, vertex.params, [formula.part for formula in parts])
    return Formula(written, tuple(i for formula in parts for i in formula.inputs))
