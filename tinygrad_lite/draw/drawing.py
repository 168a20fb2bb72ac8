"""Drawing: what `draw` returns: a picture that is saved, or shown by a notebook."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path
from types import FrameType

from ..files import replace_file
from ..graph import Graph, graph_of, identity
from ..nn import Module
from ..tensor import Tensor, is_array
from .dot import Dot, to_dot
from .render import FORMATS, DrawingError, can_render, render

# Nodes and edges.  Measured with Graphviz 14: 1,000 ops that use each other at random, the worst graph of this
# size, take 4 s as SVG and 15 s as PNG (2.43: 7 s and 35 s), and twice as many four times as long.
LIMIT = 6000


class Drawing:
    """The picture of a graph; `draw` makes it.

    >>> from tinygrad_lite import Tensor
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = (2 * x).sum()
    >>> draw(y)
    <Drawing: 1 op, 2 tensors; save it with .save('graph.svg')>
    """

    def __init__(self, graph: Graph, title: str | None = None) -> None:
        self.graph = graph
        self.title = title

    @cached_property
    def _dot(self) -> Dot:
        return to_dot(self.graph, self.title)

    @property
    def dot(self) -> str:
        """The picture as DOT text, the language of Graphviz.

        >>> draw(Tensor([1.0], name="x")).dot.startswith("digraph")
        True
        """
        return self._dot.text

    def svg(self) -> str:
        """Return the picture as SVG text.

        Raises DrawingError where no Graphviz is installed, and where the graph is too large for it.

        >>> svg = draw(Tensor([1.0], name="x")).svg() if can_render() else "<svg/>"
        """
        self._check_size()
        return render(self.dot, "svg").decode()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file: .svg, .png, .pdf, or .dot for the DOT text.

        Raises DrawingError for another suffix, for a folder that does not exist, for a graph too large to lay out,
        and where Graphviz is missing or fails; then the DOT text is written beside it.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     draw(Tensor([1.0], name="x")).save(folder + "/x.dot")
        ...     os.listdir(folder)
        ['x.dot']
        """
        path = Path(path)
        form = path.suffix.lower().removeprefix(".")
        if form not in (*FORMATS, "dot"):
            raise DrawingError(
                f"a drawing cannot be saved as {path.name!r}: its suffix must be .svg, .png, .pdf or .dot"
            )
        if not path.parent.is_dir():
            wrong = "is a file" if path.parent.exists() else "does not exist; make it first"
            raise DrawingError(f"the folder {path.parent} {wrong}")
        if form == "dot":
            replace_file(path, lambda file: file.write_bytes(self.dot.encode()))
            return
        self._check_size()
        try:
            picture = render(self.dot, form)
        except DrawingError as error:
            beside = path.with_suffix(".dot")
            replace_file(beside, lambda file: file.write_bytes(self.dot.encode()))
            raise DrawingError(f"{error}. The DOT text was written to {beside} instead") from None
        replace_file(path, lambda file: file.write_bytes(picture))

    def _check_size(self) -> None:
        if self._dot.size > LIMIT:
            raise DrawingError(
                f"this graph has {self._dot.ops:,} ops to draw, {self._dot.size:,} nodes and edges in all, and "
                f"Graphviz lays out at most {LIMIT:,} in reasonable time; keep the DOT text with "
                ".save('graph.dot'), or draw an inner tensor"
            )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        """Show the picture in a notebook, or the DOT text where nothing can render it."""
        try:
            return {"image/svg+xml": self.svg(), "text/plain": repr(self)}
        except DrawingError as error:
            return {"text/plain": str(error) if can_render() else self.dot}

    def __repr__(self) -> str:
        counts = (_count(self._dot.ops, "op"), _count(self._dot.tensors, "tensor"))
        return f"<Drawing: {', '.join(counts)}; save it with .save('graph.svg')>"


def draw(x: Tensor | Graph | Module, title: str | None = None) -> Drawing:
    """Draw how a tensor was computed: its history, or a captured graph, from left to right; or the loss of a model.

    The loss of a model is recorded on inputs made up after the annotations of its arguments, as `derive` does.

    Tensors are named after the caller's variables that hold them, parameters after the attributes of their module.  An
    intermediate result that has no name and is used once appears in the formula of what it is used for.

    >>> from tinygrad_lite import Tensor, relu
    >>> W1, x = Tensor([[1.0, 2.0]], requires_grad=True), Tensor([[3.0], [4.0]])
    >>> A1 = relu(W1 @ x)
    >>> "ReLU(W₁ x)" in draw(A1).dot
    True
    """
    if isinstance(x, Module):
        from ..modelgraph import capture_model

        x = capture_model(x)
    if isinstance(x, Tensor):
        x = graph_of(x, names=_variables(sys._getframe(1)))
    if not isinstance(x, Graph):
        raise TypeError(
            f"draw takes a tensor, a captured graph or a model, such as draw(net.loss(X, Y)), not {type(x).__name__}"
        )
    return Drawing(x, title)


def _variables(frame: FrameType) -> dict[int, str]:
    """Name tensors and arrays after the variables of a frame: local before global, the first before a later one."""
    names: dict[int, str] = {}
    for variables in (frame.f_globals, frame.f_locals):
        for name, value in reversed(list(variables.items())):
            if name.isidentifier() and name[0] != "_" and (isinstance(value, Tensor) or is_array(value)):
                names[identity(value)] = name
    return names


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"
