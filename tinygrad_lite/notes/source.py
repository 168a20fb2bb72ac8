"""source: a file of notes, Markdown, LaTeX, HTML or a notebook → its text, and where in the file each line of it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bs4 import Tag


class NotesError(ValueError):
    """Notes cannot be checked; the message says why, and the way out."""


class Place(NamedTuple):
    """A line of a file, or of a cell of a notebook; both are counted from 1, the cells with those of code."""

    line: int
    cell: int | None = None

    def __str__(self) -> str:
        return str(self.line) if self.cell is None else f"cell {self.cell}, {self.line}"


class Source(NamedTuple):
    """The text of notes, and the place of each of its lines."""

    text: str
    places: list[Place]


def source(content: str, suffix: str = "") -> Source:
    r"""Return what is to be read of a file, by the suffix of its name: `.ipynb`, `.html`, `.tex`, or any other text.

    Of a notebook these are the Markdown cells; of a page the text that it shows, and the LaTeX of its formulas; of LaTeX the
    document, without comments, its macros expanded.  Raises NotesError for a notebook that is none.

    >>> source(r"\newcommand{\loss}{\mathcal{L}} $\loss = 1$ % what for?", ".tex").text.strip()
    '$\\mathcal{L} = 1$'
    """
    try:
        return _READERS.get(suffix.lower(), _lines)(content)
    except RecursionError:
        raise NotesError("it is too deeply nested to be read; give the part with the equations") from None


def _lines(content: str) -> Source:
    return Source(content, [Place(i) for i in range(1, content.count("\n") + 2)])


# --- notebooks --------------------------------------------------------------------------------------------------------


def _notebook(content: str) -> Source:
    """Join the Markdown cells, an empty line between two."""
    try:
        cells = json.loads(content)["cells"]
        pages = [(k, "".join(cell["source"])) for k, cell in enumerate(cells, 1) if cell["cell_type"] == "markdown"]
    except (ValueError, KeyError, TypeError):
        raise NotesError("no notebook of Jupyter (nbformat 4); save it again there, or give Markdown") from None
    if not pages:
        raise NotesError("the notebook has no Markdown cell; `tinygrad-lite verify` looks at code")
    places = [Place(i, k) for k, page in pages for i in range(1, page.count("\n") + 3)]
    return Source("\n\n".join(page for _, page in pages), places[:-1])


# --- LaTeX ------------------------------------------------------------------------------------------------------------

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*")
_BRACED = r"\{((?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*\})*\})*)\}"
_MACRO = re.compile(
    r"\\(?:(?:re)?new|provide)command\*?\s*\{?\s*\\(?P<name>[A-Za-z]+)\s*\}?\s*(?:\[(?P<count>\d)\])?" + _BRACED
    + r"|\\def\s*\\(?P<def>[A-Za-z]+)(?P<marks>(?:\#\d)*)\s*" + _BRACED
    + r"|\\DeclareMathOperator\*?\s*\{?\s*\\(?P<operator>[A-Za-z]+)\s*\}?\s*" + _BRACED
)  # fmt: skip
DEPTH, GROWTH = 8, 20  # how often macros may stand in macros, and how many times longer a page may become by them


def _latex(content: str) -> Source:
    """Blank out the preamble and comments, and expand the macros; the lines stay."""
    text = _COMMENT.sub(r"\1", content)
    document = re.search(r"\\begin\{document\}(.*?)(?=\\end\{document\}|\Z)", text, re.DOTALL)
    if document is None:
        return _lines(expanded(text, text))
    return _lines("\n" * text.count("\n", 0, document.start(1)) + expanded(document[1], text))


def expanded(text: str, defining: str) -> str:
    """Expand the macros that a text defines in another one.  Raises NotesError where they have no end."""
    macros = {}
    for m in _MACRO.finditer(defining):
        body = next(group for group in (m[3], m[6], m[8]) if group is not None)
        name = m["name"] or m["def"] or m["operator"]
        count = int(m["count"] or 0) if m["name"] else len(m["marks"] or "") // 2
        macros[name] = (count, rf"\operatorname{{{body}}}" if m["operator"] else body)
    text = _MACRO.sub("", text)
    if not macros:
        return text
    names = "|".join(sorted(macros, key=len, reverse=True))
    use = re.compile(rf"\\({names})(?![A-Za-z])((?:\s?{_BRACED}){{0,9}})")
    limit = GROWTH * len(text) + 1000

    def meant(m: re.Match[str]) -> str:
        count, body = macros[m[1]]
        given = list(re.finditer(_BRACED, m[2]))
        if len(given) < count:
            return m[0]
        for k in range(count):
            body = body.replace(f"#{k + 1}", given[k][1])
        rest = m[2][given[count - 1].end() :] if count else m[2]
        return body + (" " if re.match("[A-Za-z]", rest or text[m.end() : m.end() + 1]) else "") + rest

    for _ in range(DEPTH):
        before, text = text, use.sub(meant, text)
        if text == before:
            return text
        if len(text) > limit:
            break
    raise NotesError(f"its macros ({', '.join(sorted(macros)[:5])}) stand in each other without an end; write them out")


# --- HTML ------------------------------------------------------------------------------------------------------------

_BLOCK = re.compile(
    "address|article|aside|blockquote|body|br|dd|details|div|dl|dt|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|"
    "section|summary|table|tbody|thead|tr|ul"
)
_BEFORE = {f"h{k}": "#" * k + " " for k in range(1, 7)} | {"li": "- ", "tr": "| ", "sub": "<sub>", "sup": "<sup>"}
_AFTER = {"td": " | ", "th": " | ", "sub": "</sub>", "sup": "</sup>"}
_UNREAD = (
    "head, style, script, noscript, template, svg, button, textarea, select, "
    ".MathJax, .MathJax_Preview, .MathJax_Display"
)


def _page(content: str) -> Source:
    """Return the lines that a page shows; the formulas of KaTeX, MathML and MathJax 2 by the LaTeX that they carry."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(content, "html.parser")
    for tag in soup.select('script[type^="math/tex"], annotation[encoding="application/x-tex"]'):
        formula = tag.find_parent(class_="katex") or tag.find_parent("math") or tag
        inside = formula.find_parent(class_="katex-display") or formula.select('math[display="block"]')
        display = inside or "display" in str(tag.get("type")) or formula.get("display") == "block"
        sign = "$$" if display else "$"
        formula.replace_with(f" {sign}{' '.join(tag.get_text().split())}{sign} ")
    for tag in soup.select(_UNREAD):
        tag.decompose()
    shown = _Shown()
    shown.add(soup, as_it_stands=False)
    return Source("\n".join(shown.lines), shown.places)


class _Shown:
    """The lines that a page shows, and the line of the file where the block of each begins."""

    def __init__(self) -> None:
        self.lines, self.places = [""], [Place(1)]
        self.at = 1  # the line of the file

    def end(self) -> None:
        """Begin a new line, unless nothing stands on this one yet."""
        if self.lines[-1].strip():
            self.lines.append("")
            self.places.append(Place(self.at))
        self.places[-1] = Place(self.at)

    def add(self, tag: Tag, as_it_stands: bool) -> None:
        """Add what a tag shows; in a listing, its line breaks too."""
        from bs4.element import NavigableString, Tag

        block = bool(_BLOCK.fullmatch(tag.name))
        self.at = tag.sourceline or self.at
        if block:
            self.end()
        self.lines[-1] += _BEFORE.get(tag.name, "")
        for part in tag.children:
            if isinstance(part, Tag):
                self.add(part, as_it_stands or part.name == "pre")
            elif type(part) is not NavigableString:
                continue  # a comment
            elif as_it_stands:
                first, *rest = str(part).split("\n")
                self.lines[-1] += first
                for text in rest:
                    self.at += 1
                    self.end()
                    self.lines[-1] += text
            else:
                self.lines[-1] += re.sub(r"\s+", " ", str(part))
        self.lines[-1] += _AFTER.get(tag.name, "")
        if block:
            self.end()


_READERS: dict[str, Callable[[str], Source]] = {
    ".ipynb": _notebook, ".tex": _latex, ".latex": _latex, ".html": _page, ".htm": _page,
}  # fmt: skip
