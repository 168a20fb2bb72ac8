"""annotated: the notes as one HTML page that needs nothing else, with each verdict below the line it belongs to."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import dropwhile, groupby
from typing import TYPE_CHECKING

from .row import COLOURS, MARKS, TONES, Row
from .words import RIGHT

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_FORMULA = re.compile(
    r"(?P<tick>`?)(?:\$\$(?P<a>.+?)\$\$|\\\[(?P<b>.+?)\\\]|(?P<c>\\begin\{(?P<env>\w+\*?)\}.*?\\end\{(?P=env)\}))(?P=tick)"
    r"|(?P<inner>`?)\$(?P<d>`?)(?P<e>[^$`\n]+)(?P=d)\$(?P=inner)|\\\((?P<f>.+?)\\\)",
    re.DOTALL,
)
_HEADING = re.compile(
    r"\s{0,3}(?P<level>#{1,6})\s+(?P<text>.*?)\s*#*\s*$|\s*\\(?P<sub>(?:sub)*)section\*?\{(?P<title>[^{}]*)\}\s*$"
)
_CELLS = re.compile(r"\s*\|(?P<cells>.*?)\|?\s*$")
_RULE = re.compile(r"[\s|:-]*")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
Line = tuple[str, list[Row]]  # a line of the notes, a formula or a block as one, and the rows that stand below it


def page(title: str, lines: Sequence[Line], notes: Sequence[str]) -> str:
    """Return the page: headings, tables and formulas as a reader of the notes sees them, and nothing that loads or runs."""
    title = html.escape(title)
    parts = [f"<h1>{title}</h1>"]
    shown = dropwhile(lambda line: not line[0].strip(), lines)
    for kind, group in groupby(shown, key=lambda line: _kind(line[0])):
        parts += _PARTS.get(kind, _text)(list(group))
    parts += [f"<p><small>{html.escape(note)}</small></p>" for note in notes]
    return _PAGE.replace("TITLE", title).replace("BODY", "\n".join(parts))


def _kind(line: str) -> str:
    """Say what a line is: a row of a table, code, a heading, or text."""
    if _CELLS.match(line) and line.count("|") > 1:
        return "table"
    if line.lstrip().startswith(("```", "~~~")):
        return "code"
    return "heading" if _HEADING.match(line) else "text"


def _text(lines: list[Line]) -> Iterator[str]:
    for line, rows in lines:
        yield f'<div class="{_tone(rows)}">{_inline(line.rstrip()) or "&nbsp;"}</div>'
        yield from _below(rows)


def _heading(lines: list[Line]) -> Iterator[str]:
    for line, rows in lines:
        heading = _HEADING.match(line)
        assert heading is not None
        level = len(heading["level"]) if heading["level"] else 2 + heading["sub"].count("sub")
        yield f"<h{level}>{_inline(heading['text'] or heading['title'])}</h{level}>"
        yield from _below(rows)


def _code(lines: list[Line]) -> Iterator[str]:
    for line, rows in lines:
        code = re.sub(r"^\s*(?:```|~~~).*\n?|\n\s*(?:```|~~~)\s*$", "", line)
        yield f'<pre class="{_tone(rows)}">{html.escape(code)}</pre>'
        yield from _below(rows)


def _table(lines: list[Line]) -> Iterator[str]:
    """Return the rows of a table, the first as its head where a rule is below it; a verdict spans all columns."""
    ruled = len(lines) > 1 and bool(_RULE.fullmatch(lines[1][0]))
    yield "<table>"
    for k, (line, rows) in enumerate(lines):
        if not _RULE.fullmatch(line):
            cell = "th" if ruled and k == 0 else "td"
            found = re.split(r"(?<!\\)\|", _CELLS.sub(r"\g<cells>", line))
            cells = "".join(f"<{cell}>{_inline(text.strip())}</{cell}>" for text in found)
            yield f'<tr class="{_tone(rows)}">{cells}</tr>'
        yield from (f'<tr><td colspan="99">{below}</td></tr>' for below in _below(rows))
    yield "</table>"


_PARTS = {"table": _table, "code": _code, "heading": _heading}


def _tone(rows: list[Row]) -> str:
    """Return the verdict that a line has the colour of: right only where all is."""
    return next((v for v in TONES if v != RIGHT and any(r.verdict == v for r in rows)), RIGHT if rows else "")


def _below(rows: list[Row]) -> Iterator[str]:
    """Return the verdicts that stand below a line."""
    for row in rows:
        fix = row.fix or ""
        latex = re.search(r"\\|[_^]\{", fix)
        said = html.escape(row.said.removesuffix(fix)) + (_mathml(fix) if latex else html.escape(fix))
        yield f'<p class="{row.verdict}">{MARKS[row.verdict]} <b>{html.escape(row.shown)}</b> {said}</p>'


def _inline(text: str) -> str:
    """Return a piece of Markdown as HTML, its formulas as MathML, its line breaks as such, and any other tag as text."""
    kept: list[str] = []

    def keep(shown: str) -> str:
        kept.append(shown)
        return f"\ue000{len(kept) - 1}\ue001"

    def formula(m: re.Match[str]) -> str:
        display = m["a"] or m["b"] or m["c"]
        return keep(_mathml(display or m["e"] or m["f"], bool(display)))

    text = _FORMULA.sub(formula, re.sub("[\ue000\ue001]", "", text))
    text = _BREAK.sub(lambda _: keep("<br>"), text)
    indent = text[: len(text) - len(text.lstrip())]
    text = re.sub(r"^[-*+]\s+", "• ", text.lstrip())
    return indent + re.sub("\ue000(\\d+)\ue001", lambda m: kept[int(m[1])], _markdown().renderInline(text))


@cache
def _markdown() -> MarkdownIt:
    """Return a reader of Markdown that knows code, emphasis and escapes alone: a page of a stranger's loads nothing."""
    from markdown_it import MarkdownIt

    return MarkdownIt("zero").enable(["backticks", "emphasis", "strikethrough"])


def _mathml(latex: str, display: bool = False) -> str:
    """Return a formula as MathML, which a browser shows without anything else; as it stands where it cannot be converted."""
    from latex2mathml.converter import convert

    try:
        return re.sub(r' xmlns="[^"]*"', "", convert(latex.strip(), display="block" if display else "inline"))
    except Exception:  # latex2mathml raises its own, and whatever a malformed formula makes of it
        return f"<code>{html.escape(latex)}</code>"


_PAGE = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>TITLE</title><style>
body {{max-width: 60em; margin: 2em auto; padding: 0 1em; font: 16px/1.4 sans-serif}}
pre, p, div, tr {{margin: .1em 0; padding-left: .5em; border-left: 3px solid transparent}}
pre, div {{white-space: pre-wrap}}
table {{border-collapse: collapse}} th, td {{padding: .2em .6em; text-align: left}}
{"".join(f".{verdict} {{border-color: {c}}} p.{verdict} {{color: {c}}} " for verdict, c in COLOURS.items())}
</style></head>
<body>
BODY
</body></html>
"""
