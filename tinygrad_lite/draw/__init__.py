"""Draw a graph: the picture of a computation, with the formulas on the nodes.

From the bottom up: `formula` writes what each op computes, `dot` makes nodes and edges of it, `render` turns DOT
text into SVG, PNG or PDF, `drawing` is what the user holds.
"""

from ..callable import make_callable
from .drawing import Drawing, draw
from .render import DrawingError

__all__ = ["Drawing", "DrawingError", "draw"]

make_callable(__name__, draw)
