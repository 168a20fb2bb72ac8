"""Draw a graph: the picture of a computation, with the formulas on the nodes.

From the bottom up: `formula` writes what each op computes, `dot` makes nodes and edges of it, `render` turns DOT
text into SVG, PNG or PDF, `drawing` is what the user holds.
"""

import sys
from types import ModuleType

from .drawing import Drawing, draw
from .render import DrawingError

__all__ = ["Drawing", "DrawingError", "draw"]


class _CallableModule(ModuleType):
    """Python binds the name `tinygrad_lite.draw` to this package: let `tl.draw(x)` call the function."""

    __call__ = staticmethod(draw)


sys.modules[__name__].__class__ = _CallableModule
