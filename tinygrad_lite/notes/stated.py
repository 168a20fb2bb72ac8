"""Stated: the sizes that a piece of a page states, such as 10×m, (10, m), W ∈ ℝ^{10×784}, or written downwards."""

from __future__ import annotations

import re

from .mask import WRAPPED
from .spelling import EXTENT, SIZE, TIMES
from .statement import Size

_ARROWED = re.compile(rf"(?:(?:[⇒→⟹]|=>|->|\\[rR]ightarrow|\\implies|\\to)\s*)?{SIZE.pattern}")
BLOCK = re.compile(r"\\begin\s*\{(?:[bpvBV]?matrix|array)\*?\}")
_LONE = re.compile(r"(?:(?<=\s\s)|(?<=&)|^)\s*\((\d+|[mnh]|inputs|hidden|classes|features|outputs)\)\s*$")
_IN_BRACKETS = re.compile(
    rf"(?<![/*\w·'′])\s*[\[(]\s*({EXTENT})\s*(?:\\times|[x×X]|,(?=\s*(?:\d+|[mnh]\b)))\s*({EXTENT})\s*[\])]"
)
_TRAILING = re.compile(rf"(?<=[\w)\]}}ᵀ⊤])(?:\s*&+\s*|\s+)(\d+|[mnh])\s*(?:\\times|[x×])\s*({EXTENT})\s*$")
_ASIDE = re.compile(rf"(?:\s\s|#)\s*[\[(]\s*({EXTENT})\s*,\s*({EXTENT})\s*[\])]\s*$")
_BELOW = re.compile(rf"^\s*_\s*\{{?({EXTENT}){TIMES}({EXTENT})\}}?")
_REAL = re.compile(
    rf"(?:\\in|∈)\s*(?:\\mathbb\s*\{{?\s*R\s*\}}?|ℝ|R)\s*\^\s*\{{?\s*\(?({EXTENT})(?:{TIMES}({EXTENT}))?\)?\s*\}}?"
)
_SHAPE = re.compile(
    rf"(?:\.shape\s*(?:==?|:)?|\bshape\s*(?:of\s+\S+\s*)?(?:is|=|:)?)\s*[\[(]\s*({EXTENT})\s*(?:,|{TIMES})\s*({EXTENT})"
    r"\s*[\])]"
)
_TUPLE = re.compile(rf"^\s*[\[(]\s*({EXTENT})\s*,\s*({EXTENT})\s*[\])]\s*$")
TRIPLE = re.compile(rf"(?<![\w.]){EXTENT}(?:{TIMES}{EXTENT}){{2,9}}(?!\w)")
_TENSOR = re.compile(rf"\s[\[(]\s*{TRIPLE.pattern}\s*[\])]\s*$")  # of more axes than two: nothing to judge


def downwards(lines: list[str], separator: str | None = None) -> list[Size]:
    """Read sizes that are written downwards, one a column."""
    rows = [[cell.strip() for cell in line.split(separator)] for line in lines]
    if len(rows) != 3 or not rows[1] or len({len(row) for row in rows}) > 1:
        return []
    firsts = [re.split(r"\\Rightarrow|⇒|→|\\rightarrow", cell)[0].strip() for cell in rows[0]]
    extents = all(re.fullmatch(EXTENT, cell) for cell in firsts + rows[2])
    if not extents or not all(re.fullmatch(r"\\times|[x×X]", cell) for cell in rows[1]):
        return []
    return [Size(a, b, f"{a} {sign} {b}") for a, sign, b in zip(firsts, rows[1], rows[2], strict=True)]


def taken_out(text: str) -> tuple[str, list[Size]]:
    """Return a formula without the sizes stated in and after it, and these."""
    sizes: list[Size] = []
    text = _TENSOR.sub("", re.sub(r"\s{2,}", "  ", text))
    for pattern in (_REAL, _IN_BRACKETS, _ASIDE, _TRAILING, _BELOW, _LONE):
        found = [Size(m[1], (*m.groups(), None)[1] or "1", m[0].strip("\n _{}")) for m in pattern.finditer(text)]
        sizes = found + sizes if pattern is _BELOW else sizes + found
        text = pattern.sub(" ", text)
    return text, sizes


def stated_in(source: str, follows: bool) -> tuple[list[Size], str]:
    """Return the sizes in a piece, and what is left of it; (10) is one where it follows an equation."""
    if block := BLOCK.search(source):
        content = source[block.end() : source.rfind("\\end")]
        if found := downwards(content.split("\\\\"), "&"):
            return found + [Size(m[1], m[2], m[0]) for m in _ARROWED.finditer(content)], ""
    for pattern in (_TUPLE, _SHAPE, _REAL, _LONE)[: 3 + follows]:
        if match := pattern.search(source):
            size = Size(match[1], (*match.groups(), None)[1] or "1", match[0].strip())
            return [size], source[: match.start()] + source[match.end() :]
    rest = re.sub(
        rf"\\(?:begin|end)\s*\{{\w+\}}|{WRAPPED}|[\s&$()\[\],.|:=⇒→]|\\\\|\\[a-z]*arrow|\\left|\\right",
        " ",
        SIZE.sub(" ", source) + "".join(TRIPLE.findall(source)),
    )
    return [Size(m[1], m[2], m[0]) for m in _ARROWED.finditer(TRIPLE.sub(" ", source))], rest.strip()
