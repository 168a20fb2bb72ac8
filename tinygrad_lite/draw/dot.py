"""DOT: a graph as text for Graphviz: tensors with name and shape, ops with their formula.

Node ids are stable: `t7` is the tensor at position 7 of the graph, and `o7` the op that computes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from ..graph import Graph
from ..notation import one_line, pretty
from ..tensor import shape_text
from .formula import Sheet, write

FONT = "Helvetica,Arial,sans-serif"
GREY = "#6e6e6e"
GRAPH = {
    "rankdir": "LR",
    "nodesep": "0.22",
    "ranksep": "0.38",
    "bgcolor": "white",
    "fontname": FONT,
    "fontsize": "15",
}
NODE = {
    "shape": "box",
    "style": "rounded,filled",
    "fontname": FONT,
    "fontsize": "13",
    "height": "0.4",
    "margin": "0.09,0.04",
}
EDGE = {"color": "#1f4f99", "arrowsize": "0.7"}
# How long Graphviz looks for the best layout: its time goes into the columns that edges cross, of which an unrolled network,
# where weights are used at every step, has many: with 32 steps 8,000, and it took 100 s.  Now 32 steps take 0.5 s, 64
# take 2 s, and 500 ops that use each other at random 1 s instead of 41 s.
LONG_FROM = 1000  # columns that edges cross; 392 in models/char_transformer.py
LONG = {"splines": "polyline", "nslimit": "0.1", "mclimit": "0.1"}
HURRY_FROM = (800, 10_000)  # nodes and edges; columns
HURRY = {"splines": "line", "nslimit": "0.1", "nslimit1": "0.5", "mclimit": "0.1"}
STYLES = {  # one line per kind of node
    "parameter": {"color": "#2970b8", "fillcolor": "white", "penwidth": "2.6"},
    "input": {"color": "#8a8a8a", "fillcolor": "white"},
    "tensor": {"color": "#8a8a8a", "fillcolor": "white"},
    "result": {"color": "#3b3b3b", "fillcolor": "#fdf3d8", "penwidth": "1.8"},
    "op": {"color": "#7b93b8", "fillcolor": "#e6edf8"},
}


class Dot(NamedTuple):
    """DOT text, and how many ops, tensors and edges are drawn."""

    text: str
    ops: int
    tensors: int
    edges: int

    @property
    def size(self) -> int:
        """The number of nodes and edges."""
        return self.ops + self.tensors + self.edges


def to_dot(graph: Graph, title: str | None = None) -> Dot:
    """Write a graph as DOT text; equal graphs give equal text.

    >>> from tinygrad_lite import Tensor, capture, relu
    >>> to_dot(capture(relu, Tensor([1.0], name="Z1"))).text.splitlines()[-4:]
    ['\\to1 [label=<ReLU(Z₁)> color="#7b93b8" fillcolor="#e6edf8"]', '\\tt0 -> o1', '\\to1 -> t1', '}']
    """
    from graphviz import Digraph

    sheet = write(graph)
    ops, tensors = len(sheet.formulas), len(sheet.names)
    edges = ops + sum(len(formula.inputs) for formula in sheet.formulas.values())
    crossed = _crossed(sheet)
    large = ops + tensors + edges >= HURRY_FROM[0] or crossed >= HURRY_FROM[1]
    hurry = HURRY if large else LONG if crossed >= LONG_FROM else {}
    dot = Digraph("graph", graph_attr=GRAPH | hurry, node_attr=NODE, edge_attr=EDGE)
    if title := one_line(title or ""):
        dot.attr(label=f"<{escape(title)}>", labelloc="t")
    for i, name in sheet.names.items():
        vertex = graph.vertices[i]
        kind = "result" if i in graph.outputs else "tensor" if vertex.kind == "op" else vertex.kind
        face = f"<B>{escape(name)}</B>" if pretty(vertex.name or "") else f"<I>{escape(name)}</I>"
        dot.node(f"t{i}", _table([(face, _grey(shape_text(vertex.shape) or "scalar"))]), **STYLES[kind])
        if i in sheet.formulas:
            formula = sheet.formulas[i]
            dot.node(f"o{i}", f"<{escape(one_line(formula.text))}>", **STYLES["op"])
            for j in formula.inputs:
                dot.edge(f"t{j}", f"o{i}")
            dot.edge(f"o{i}", f"t{i}")
    return Dot(dot.source, ops, tensors, edges)


def _crossed(sheet: Sheet) -> int:
    """Count the columns that edges cross, where every op stands in the first column that its inputs allow."""
    column: dict[int, int] = {}  # of the tensors that are computed; a leaf stands before its first op
    first: dict[int, int] = {}
    total = 0
    for i, formula in sheet.formulas.items():
        own = 1 + max((column[j] for j in formula.inputs if j in column), default=0)
        column[i] = own + 1
        total += sum(own - 1 - column.get(j, first.setdefault(j, own - 1)) for j in formula.inputs)
    return total


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """Return a label of rows, each with a left and a right cell."""
    cells = "".join(f'<TR><TD ALIGN="LEFT">{a}</TD><TD ALIGN="RIGHT">{b}</TD></TR>' for a, b in rows)
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3">{cells}</TABLE>>'


def _grey(text: str) -> str:
    return f'<FONT COLOR="{GREY}" POINT-SIZE="11">{escape(text)}</FONT>'
