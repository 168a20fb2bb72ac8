"""The equations as a page: text, LaTeX, Markdown, and HTML whose formulas are MathML, which browsers draw offline."""

from __future__ import annotations

import re
from html import escape
from textwrap import wrap

from ..formula.expression import in_latex, write
from .derivation import Equation, Equations

INDENT = 6 * " "
QUAD, TIMES = r" \qquad ", r" \times "
LAYOUT = """
body, .derivation { font-family: system-ui, sans-serif; }
.derivation table { border-collapse: collapse; margin: 0 0 1em; }
.derivation td { padding: .2em 1em .2em 0; text-align: left; vertical-align: baseline; }
.derivation math { math-style: normal; font-size: 1.15em; }
.derivation td.side { opacity: .65; }
.derivation td.why { padding: 0 1em .6em 2em; max-width: 50em; }
"""


def text(equations: Equations, explain: bool = False) -> str:
    """Write the equations as plain text, in columns."""
    lines = [equations.title]
    lines += [f"  {short} is {own}" for short, own in equations.parameters.items()]
    lines += [f"  {name} is a constant {shape}".rstrip() for name, shape in equations.constants.items()]
    for title, part in equations.sections:
        rows = [(f"{e.name} {e.sign} {write(e.tree)}", shape(e), sizes(e), e.why if explain else "") for e in part]
        widths = [min(max(len(row[i]) for row in rows), 60) for i in range(3)]
        lines += ["", title]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
            lines.append(f"  {'  '.join(cells)}".rstrip())
            lines += wrap(row[3], 110, initial_indent=INDENT, subsequent_indent=INDENT)
    return "\n".join(lines) + "\n"


def latex(equations: Equations, explain: bool = False) -> str:
    """Write the equations as LaTeX, to be used with amsmath."""
    lines = [f"% {equations.title}"]
    lines += [f"% {short} is {own}" for short, own in equations.parameters.items()]
    lines += [f"% {name} is a constant {shape}".rstrip() for name, shape in equations.constants.items()]
    for title, part in equations.sections:
        lines += ["", f"% {title}", r"\begin{align*}"]
        for e in part:
            lines += [f"% {e.why}"] * bool(explain and e.why)
            end = r" \\" if e is not part[-1] else ""
            lines.append(f"{in_latex(e.name)} &{e.sign} {write(e.tree, 'latex')}{_latex_shape(e, ' && ')}{end}")
        lines.append(r"\end{align*}")
    return "\n".join(lines) + "\n"


def markdown(equations: Equations, explain: bool = False) -> str:
    """Write the equations as Markdown with LaTeX, as notebooks and GitHub show it."""
    lines = [f"# {equations.title}"]
    legend = [f"${in_latex(short)}$ is `{own}`" for short, own in equations.parameters.items()]
    legend += [f"${in_latex(name)}$ is a constant {shape}".rstrip() for name, shape in equations.constants.items()]
    lines += ["", "; ".join(legend)] * bool(legend)
    for title, part in equations.sections:
        lines += ["", f"## {title}"]
        for e in part:
            lines += ["", f"$${_line(e)}{_latex_shape(e, QUAD)}$$"]
            lines += ["", e.why] * bool(explain and e.why)
    return "\n".join(lines) + "\n"


def html(equations: Equations, explain: bool = False) -> str:
    """Write the equations as HTML that needs nothing else."""
    from latex2mathml.converter import convert

    lines = ['<div class="derivation">', f"<style>{LAYOUT}</style>", f"<h2>{escape(equations.title)}</h2>"]
    names = [(short, f"<code>{escape(own)}</code>") for short, own in equations.parameters.items()]
    names += [(name, f"a constant {shape}") for name, shape in equations.constants.items()]
    legend = "; ".join(f"{convert(in_latex(name))} is {what}".rstrip() for name, what in names)
    lines += [f"<p>{legend}</p>"] * bool(legend)
    for title, part in equations.sections:
        lines += [f"<h3>{escape(title)}</h3>", "<table>"]
        for e in part:
            formula = convert(_line(e).replace(":=", "≔"))
            cells = "".join(f'<td class="side">{escape(side)}</td>' for side in (shape(e), sizes(e)))
            lines.append(f"<tr><td>{formula}</td>{cells}</tr>")
            why = f'<tr><td class="side why" colspan="3">{escape(e.why)}</td></tr>'
            lines += [why] * bool(explain and e.why)
        lines.append("</table>")
    return "\n".join([*lines, "</div>"]) + "\n"


def shape(equation: Equation) -> str:
    """Write the shape in numbers: (10×m)."""
    return f"({'×'.join(equation.shape)})" if equation.shape else ""


def sizes(equation: Equation) -> str:
    """Write the shape in the names of the sizes, where that says more than the numbers: (hidden×m)."""
    return f"({'×'.join(equation.sizes)})" if equation.sizes != equation.shape else ""


def _line(equation: Equation) -> str:
    return f"{in_latex(equation.name)} {equation.sign} {write(equation.tree, 'latex')}"


def _latex_shape(equation: Equation, gap: str) -> str:
    """Write both shapes in LaTeX."""
    shapes = [equation.shape] * bool(equation.shape) + [equation.sizes] * bool(sizes(equation))
    return "".join(f"{gap}({TIMES.join(map(_latex_size, shape))})" for shape in shapes)


def _latex_size(size: str) -> str:
    """Write 10, m, 4m or hidden."""
    number = re.match(r"\d*", size)
    assert number is not None
    name = size[number.end() :]
    return " ".join(filter(None, (number[0], name if len(name) < 3 else in_latex(name))))


FORMATS = {"text": text, "latex": latex, "markdown": markdown, "html": html}
