"""read: a page of notes, in Markdown with LaTeX or plain text → every equation in it, in its place.

A page is cut into stretches: a display formula, a row of an environment, or a line of text with the formulas in it.
In each, words, arrows and commas part the pieces, of which some are equations, some sizes, and the others prose.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from .grammar import canonical, is_formula, parsed
from .spelling import EXTENT, SIZE, TIMES, NotUnderstood, is_symbolic
from .statement import Item, Size

_ROWS = r"(?:align(?:ed|at|edat)?|gather(?:ed)?|split|eqnarray|equation|multline|[dr]?cases|array|[bpvBV]?matrix)\*?"
_EQUALS = re.compile(r":=|≔|←|\\leftarrow|\\gets|[-+]=|(?<![<>!=:])=(?![=>])")
_WORD = r"[A-Za-z]+(?:_[A-Za-z]+)*"
_WRAPPED = r"\\(?:text(?:bf|it|rm|sf)?|math(?:rm|bf|it|sf)|[hm]box|operatorname\*?)\s*\{(?P<inside>[^{}$]*)\}"
_TOKEN = re.compile(
    rf"(?P<env>\\begin\s*\{{{_ROWS}\}})"
    r"|(?P<blank>\\(?:label|tag\*?|color|hspace\*?|vspace)\s*\{[^{}]*\})"
    r"|(?P<script>[_^]\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?\w+))"
    rf"|(?P<wrapped>{_WRAPPED})"
    r"|(?P<size>(?<![\w.])(?:\d+|[mnh])\s*[xX]\s*(?:\d+|[mnh]\b))"
    r"|(?P<cut>\\(?:q?quad|(?:long|Long)?[rR]ightarrow|to|implies|[dD]ownarrow|uparrow|therefore|because|[lc]?dots|"
    r"Leftrightarrow|iff|leadsto|mapsto|propto|approx|sim|forall)(?![a-zA-Z])|[→⇒⟹⟶↦↓↑↳∴∵…;#$~≈∝?!\"“”]|\.\.\.|--+|=>|->"
    r"|[.](?=\s|$)|:(?!=)|(?<![A-Za-z])(?:i\. ?e|e\. ?g|w\.r\.t|s\.t)\.?(?![A-Za-z]))"
    r"|(?P<comma>,)"
    rf"|(?P<equals>{_EQUALS.pattern})"
    r"|(?P<command>\\[A-Za-z]+|\\[^=\w])"
    r"|(?P<ordinal>\d+(?:st|nd|rd|th)\b)"
    rf"|(?P<word>{_WORD})"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<bar>\|)"
)
_ARROW = re.compile(r"(?:⇒|→|⟹|=>|->|=|\\[rR]ightarrow|\\implies|\\to)\s*$")
_NUMBERING = re.compile(r"[\s.…]{0,9}(?:(?<=[\s.…])|^)\((?:[ivxIVX_]+|\d{1,2}(?:\.\d+)?|[a-e]|\*)\)\s*$")
_MARKER = re.compile(r"\s*(?:(?:[-*+>•·]|#+|\d{1,2}[.)](?!\d)|\([ivx\d]{1,4}\)|[ivx]{1,4}\)|[①-⑳])\s+)*")
_STRONG = re.compile(
    r"(?:(?:d|δ|∂|∇|\\delta\s*|\\partial\s*|\\nabla\s*)[A-Za-zŷ\\_{]|δ|\\delta|[A-Za-z]\s*[\^_]?[\[({]*\d|[WZAbX]\s*[_^]|"
    r"[₀-₉⁰-⁹])"
)
_BLOCK = re.compile(r"\\begin\s*\{(?:[bpvBV]?matrix|array)\*?\}")
_FENCE = re.compile(r"\s*(```|~~~)\s*(\w*)")
_IN_BRACKETS = re.compile(
    rf"(?<![/*\w·])\s*[\[(]\s*({EXTENT})\s*(?:\\times|[x×X]|,(?=\s*(?:\d+|[mnh]\b)))\s*({EXTENT})\s*[\])]"
)
_TRAILING = re.compile(rf"(?<=[\w)\]}}ᵀ⊤])(?:\s*&+\s*|\s+)(\d+|[mnh])\s*(?:\\times|[x×])\s*({EXTENT})\s*$")
_REAL = re.compile(
    rf"(?:\\in|∈)\s*(?:\\mathbb\s*\{{?\s*R\s*\}}?|ℝ|R)\s*\^\s*\{{?\s*\(?({EXTENT}){TIMES}({EXTENT})\)?\s*\}}?"
)
_SHAPE = re.compile(
    rf"(?:\.shape\s*(?:==?|:)?|\bshape\s*(?:of\s+\S+\s*)?(?:is|=|:)?)\s*[\[(]\s*({EXTENT})\s*(?:,|{TIMES})\s*"
    rf"({EXTENT})\s*[\])]"
)
_DISPLAY = re.compile(rf"\$\$|\\\[|\\begin\s*\{{{_ROWS}\}}")
_SIGNS = re.compile(r"[ \t]*[x×X](?:[ \t&]+[x×X])*[ \t]*")
_NAMED = re.compile(r"([^\s$]{1,20})\s*\$?\s*:\s*\$?$")
_LEAD = re.compile(r"(?:(?:\d+[.)]?|(?i:relu|softmax|sigmoid|tanh|sum|log|max|exp)|[a-z])[ \t]+)+(?=[^\s=:])")
_BUILT = re.compile(r"\\d?frac|\\sum|\\begin")
_ENGLISH = {
    "where",
    "step",
    "power",
    "sign",
    "mean",
    "norm",
    "identity",
    "min",
    "max",
    "dot",
    "square",
    "transpose",
    "multiply",
    "outer",
    "True",
    "False",
    "None",
    "self",
    "float",
    "dim",
    "Identity",
    "activation",
    "act",
    "loss",
    "cost",
    "Loss",
    "Cost",
}
_TUPLE = re.compile(rf"\s*[\[(]\s*({EXTENT})\s*,\s*({EXTENT})\s*[\])]\s*")
_TRIPLE = re.compile(rf"(?<![\w.]){EXTENT}(?:{TIMES}{EXTENT}){{2,9}}(?!\w)")
LONGEST = 2000


class _Stretch(NamedTuple):
    """A part of the page that is read on its own: a row of a display formula, or a line."""

    start: int
    end: int
    display: bool
    code: bool = False


class _Piece(NamedTuple):
    """A part of a stretch between words, arrows and commas."""

    start: int
    end: int
    math: bool
    equals: bool


_UNFINISHED = "the right side is missing"
_HEADLESS = "the left side is missing"
_LOOSE = "there is no equals sign: nothing to hold it against"


def read(text: str) -> list[Item]:
    r"""Return every equation-like piece of a page, in its order.

    >>> [item.statement for item in read("First $A_0 = X$ (784×m), then\n\n    Z1 = A0")][0]
    Statement(target='A0', sides=(Name(text='X', scalar=False),), update=False)
    """
    masked = _masked(text)
    lines = [match.end() for match in re.finditer("\n", text)]
    items: list[Item] = []
    for stretch in _stretches(masked):
        for item in _items(masked, stretch):
            item = replace(item, line=bisect_right(lines, item.start) + 1, text=text[item.start : item.end])
            items[-1:] = _joined(text, masked, items[-1], item) if items else [item]
    return [item for item in _continued(items) if item.reason != _LOOSE or _BUILT.search(item.text)]


def _joined(text: str, masked: str, item: Item, following: Item) -> list[Item]:
    """Join two pieces that are one equation: `A =` and what follows, or a line that goes on with = or +."""
    gap = _NUMBERING.sub("", masked[item.end : following.start])
    near = (
        len(gap) < 60
        and following.end - item.start < LONGEST // 4
        and not re.search(r"[A-Za-z\d]", re.sub(r"\\(?:begin|end)\s*\{[^{}]*\}|\\[a-z]*dots", "", gap))
    )
    begins = following.reason == _HEADLESS or (following.reason == _LOOSE and masked[following.start] in "+-−*·=")
    if near and ((item.reason == _UNFINISHED and following.reason == _LOOSE) or (item.kind == "equation" and begins)):
        start, end = item.start, following.end
        formula = f"{_bare(masked[start : item.end])[0]} {_bare(masked[following.start : end])[0]}"
        try:
            statement, sizes = parsed(formula)
        except NotUnderstood:
            return [item, following]
        text = text[start:end]
        return [
            replace(
                item,
                end=end,
                text=text,
                kind="equation",
                statement=statement,
                reason="",
                sizes=(*item.sizes, *(size for size in following.sizes if size not in sizes)),
            )
        ]
    return [item, following]


def _continued(items: list[Item]) -> list[Item]:
    """Join `A1 =` with `g(Z1) = ReLU(Z1)`, where a scan has put the two apart."""
    items = list(items)
    for i, item in enumerate(items):
        for j in range(i + 1, min(i + 4, len(items))):
            statement = items[j].statement
            if item.reason != _UNFINISHED or not statement or "(" not in statement.target:
                continue
            try:
                whole = parsed(f"{_bare(item.text)[0]} {_bare(items[j].text)[0]}")[0]
            except NotUnderstood:
                continue
            items[i] = replace(item, reason=f"it goes on in line {items[j].line}, and is judged there")
            items[j] = replace(items[j], statement=whole)
            break
    return items


def _masked(text: str) -> str:
    """Return the page with what only decorates blanked out, each sign in its place."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    masked = re.sub(
        r"<!--.{0,2000}?-->|</?\w+[^<>\n]{0,100}>|\\(?:nonumber|displaystyle|centering)(?![a-z])",
        blank,
        text,
        flags=re.S,
    )
    masked = re.sub(
        r"\\(?:boxed|underline|fbox|colorbox)\s*\{([^{}\n]*(?:\{[^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*\}[^{}\n]*)*)\}",
        lambda m: m[0][: m.start(1) - m.start()].replace("\\", " ").translate(_BLANK) + m[1] + " ",
        masked,
    )
    masked = re.sub(r"\\(?:overset|stackrel)\s*\{[^{}]*\}\s*\{\s*=\s*\}", lambda m: "=".rjust(len(m[0])), masked)
    masked = re.sub(r"(?<!\\)(?:\\\\)*(\\[()])", lambda m: m[0][:-2] + (" $" if m[1] == "\\(" else "$ "), masked)
    masked = re.sub(r"\$([ \t]*(?::=|=)[ \t]*)\$", r" \1 ", masked)  # $Z$ = $W X$ is one formula
    return re.sub(r"(?<!`)`(?!`)|(?<![\w)\]}])\*\*(?=\S)|(?<=\S)\*\*(?=[\s.,;:]|$)", lambda m: " " * len(m[0]), masked)


_BLANK = str.maketrans(dict.fromkeys("abcdefghijklmnopqrstuvwxyz{", " "))


def _stretches(masked: str) -> Iterator[_Stretch]:
    """Cut a page into display formulas, by their rows, and lines."""
    at, fence = 0, ""
    while at < len(masked):
        end = masked.find("\n", at)
        end = len(masked) if end < 0 else end
        mark = _FENCE.match(masked, at, end)
        if mark:
            fence = "" if fence else mark[2] or "text"
            at = end + 1
            continue
        table = _table_end(masked, at, end)
        if table and not fence:
            yield _Stretch(at, table, False)
            at = table + 1
            continue
        opening = None if fence and fence != "math" else _DISPLAY.search(masked, at, end)
        close = _closing(masked, opening) if opening else None
        if opening and close and masked.count("$", at, opening.start()) % 2:  # a matrix in a line
            inside = re.sub(r"[_^]\s*\{[^{}]*\}", "", masked[opening.end() : close[0]])
            if not _EQUALS.search(inside) or _EQUALS.search(masked, at, opening.start()):
                end = masked.find("\n", close[1])
                end, close = len(masked) if end < 0 else end, None
        if not opening or not close:
            yield _Stretch(at, end, fence == "math", code=bool(fence) and fence != "math")
            at = end + 1
            continue
        if masked[at : opening.start()].strip():
            yield _Stretch(at, opening.start(), False)
        bare = opening[0][:6] == "\\begin"
        for start, stop in _rows(masked, opening.start() if bare else opening.end(), close[0]):
            yield _Stretch(start, stop, True)
        at = close[1]
        if at < len(masked) and masked[at] == "\n":
            at += 1


def _closing(masked: str, opening: re.Match[str]) -> tuple[int, int] | None:
    """Return where what closes a display formula begins and ends."""
    limit = masked.find("\n\n", opening.end()) if opening[0][:6] != "\\begin" else -1
    limit = min(len(masked) if limit < 0 else limit, opening.end() + 10_000)
    if opening[0][:6] == "\\begin":
        depth = 0
        for match in re.finditer(r"\\(begin|end)\s*\{", masked[opening.start() : limit]):
            depth += 1 if match[1] == "begin" else -1
            if depth == 0:
                end = masked.find("}", opening.start() + match.end())
                return None if end < 0 else (end + 1, end + 1)
        return None
    closing = "$$" if opening[0] == "$$" else "\\]"
    at = masked.find(closing, opening.end(), limit)
    return None if at < 0 else (at, at + 2)


def _rows(masked: str, start: int, end: int) -> list[tuple[int, int]]:
    r"""Split a display formula at the \\ of environments that list equations; \\ in matrices and definitions stays."""
    todo, rows = [(start, end)], []
    while todo:
        a, b = todo.pop()
        cuts = [a]
        depth = 0
        inner: list[tuple[int, int]] = []
        begin = inside = a
        for match in re.finditer(r"\\begin\s*\{(\w+\*?)\}(?:\s*\{[^{}]*\})?|\\end\s*\{\w+\*?\}|\\\\", masked[a:b]):
            if match[0] == "\\\\":
                if depth == 0:
                    cuts += [a + match.start(), a + match.end()]
            elif match[1]:
                begin = begin if depth else a + match.start()
                inside = inside if depth else a + match.end()
                depth += 1
            elif depth:
                depth -= 1
                if depth == 0:
                    content = masked[inside : a + match.start()]
                    defines = re.search(r"=\s*(?:\\left)?\s*\\?[{\[(.|]?\s*$", masked[a:begin])
                    if (
                        not defines
                        and not re.search(r"[bpvBV]matrix", masked[begin:inside])
                        and _EQUALS.search(re.sub(r"[_^]\s*\{[^{}]*\}", "", content))
                    ):
                        inner.append((begin, a + match.end()))
                        cuts += [begin, inside, a + match.start(), a + match.end()]
        cuts.append(b)
        pieces = [(x, y) for x, y in zip(cuts[::2], cuts[1::2], strict=True) if masked[x:y].strip(" \n\t&")]
        if inner:
            todo += reversed(pieces)
        else:
            rows += pieces
    return rows


def _table_end(masked: str, at: int, end: int) -> int | None:
    """Return where a table of sizes in three lines ends: extents, signs ×, extents."""
    second = masked.find("\n", end + 1)
    if second < 0 or not _SIGNS.fullmatch(masked, end + 1, second):
        return None
    third = masked.find("\n", second + 1)
    third = len(masked) if third < 0 else third
    rows = [masked[a:b].split() for a, b in ((at, end), (end + 1, second), (second + 1, third))]
    return third if _columns(rows) else None


def _columns(rows: list[list[str]]) -> list[Size]:
    """Read sizes that are written downwards, one a column."""
    if len(rows) != 3 or not rows[1] or len({len(row) for row in rows}) > 1:
        return []
    firsts = [re.split(r"\\Rightarrow|⇒|→|\\rightarrow", cell)[0].strip() for cell in rows[0]]
    extents = all(re.fullmatch(EXTENT, cell) for cell in firsts + rows[2])
    if not extents or not all(re.fullmatch(r"\\times|[x×X]", cell) for cell in rows[1]):
        return []
    return [Size(a, b, f"{a} {sign} {b}") for a, sign, b in zip(firsts, rows[1], rows[2], strict=True)]


def _pieces(masked: str, stretch: _Stretch) -> tuple[list[_Piece], int]:
    """Part a stretch at its words, arrows and commas; return the pieces and the number of words."""
    start, end = stretch.start, stretch.end
    if not stretch.display and (marker := _MARKER.match(masked, start, end)):
        start = marker.end()
    table = not stretch.display and masked[start : start + 1] == "|"
    pieces: list[_Piece] = []
    math, depth, words, equals, begin, at = stretch.display, 0, 0, False, start, start
    while at < end:
        match = _TOKEN.search(masked, at, end)
        if not match:
            break
        kind, at, cut = match.lastgroup, match.end(), False
        if kind is None:  # a group inside
            kind = next(name for name, value in match.groupdict().items() if value is not None)
        if kind == "env":
            closing = _environment(masked, match.start(), end)
            at = closing or at
            content = re.sub(rf"{_WRAPPED}|\\\w+|\{{\w+\}}", " ", masked[match.end() : at])
            cut = closing is None or not re.search(r"[=×x\d<>&]", content)
        elif kind == "wrapped":
            inner = re.findall(_WORD, match["inside"])
            cut = (
                not (inner or re.search(r"\d", match["inside"]))
                or "." in match["inside"]
                or not all(is_symbolic(word) for word in inner)
            )
            words += len(inner) * cut
        elif kind == "word":
            follows = re.match(r"\s*[({_^\[]", masked[at : min(at + 8, end)])
            word = match[0]
            called = (equals and masked[at : at + 1] in ("(", "[")) or masked[match.start() - 1 : match.start()] == "."
            cut = not (called or is_symbolic(word)) or (word in _ENGLISH and not follows and not depth)
            if (
                word in ("a", "A", "I")
                and not math
                and (after := re.match(rf"\s+({_WORD})", masked[at : min(at + 40, end)]))
            ):
                cut = not is_symbolic(after[1]) and len(after[1]) > 1
            words += cut
        elif kind in ("cut", "ordinal", "blank"):
            cut = True
            if match[0] == "$":
                cut, depth = True, 0
        elif kind == "comma":
            cut = depth == 0
        elif kind == "equals":
            keyword = re.search(r"(?:axis|keepdims?|dim)\s*$", masked[max(begin, match.start() - 10) : match.start()])
            equals = equals or depth == 0 or (math and not keyword)
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(depth - 1, 0)
        elif kind == "bar":
            cut = table
        if cut:
            pieces.append(_Piece(begin, match.start(), math, equals))
            depth, equals, begin = 0, False, at
            if match[0] == "$":
                math = not math
    pieces.append(_Piece(begin, end, math, equals))
    return [piece for piece in pieces if masked[piece.start : piece.end].strip(" \t\n&|")], words


def _environment(masked: str, start: int, end: int) -> int | None:
    depth = 0
    for match in re.finditer(r"\\(begin|end)\s*\{\w+\*?\}", masked[start : min(end, start + LONGEST)]):
        depth += 1 if match[1] == "begin" else -1
        if depth == 0:
            return start + match.end()
    return None


def _items(masked: str, stretch: _Stretch) -> Iterator[Item]:
    """Read one stretch; the sizes in it belong to its equation, or are an item of their own."""
    rows = [line.split() for line in masked[stretch.start : stretch.end].split("\n")]
    if not stretch.display and (columns := _columns(rows)):
        yield Item(0, stretch.start, stretch.end, "", "sizes", sizes=tuple(columns))
        return
    pieces, words = _pieces(masked, stretch)
    found: list[Item] = []
    stated: list[tuple[_Piece, list[Size], str]] = []
    for piece in pieces:
        source = masked[piece.start : piece.end]
        sizes, rest = _sizes(source)
        if sizes and not re.search(r"[A-Za-z\d]", re.sub(r"\\[a-zA-Z]+", "", rest)):
            before = _NAMED.search(masked[max(stretch.start, piece.start - 30) : piece.start])
            name = canonical(before[1]) if before and len(sizes) == 1 else ""
            stated.append((piece, [replace(size, name=size.name or name) for size in sizes], ""))
        elif piece.equals:
            item = _equation(masked, piece, stretch)
            if item:
                found.append(item)
        elif sizes and rest not in ("a", "A") and (single := canonical(rest)):
            stated.append((piece, [replace(size, name=single) for size in sizes[:1]], ""))
        elif sizes or _TRIPLE.search(source):
            stated.append((piece, sizes, rest.strip()))
        elif stretch.display or (piece.math and len(pieces) == 1):
            loose = _trimmed(masked, piece)
            if loose and is_formula(_defined(masked[slice(*loose)])):
                found.append(Item(0, *loose, "", "unclear", reason=_LOOSE))
    sizes = [size for _, some, _ in stated for size in some]
    equations = [i for i, item in enumerate(found) if item.kind == "equation" or item.reason != _LOOSE]
    if sizes and equations:
        for piece, some, _ in stated:
            earlier = [i for i in equations if found[i].start <= piece.start]
            i = earlier[-1] if earlier else equations[0]
            gap = masked[found[i].end : piece.start] if earlier else masked[piece.end : found[i].start]
            if words > 3 and not stretch.display and re.search("[A-Za-z]", re.sub(r"\\[a-z]+", "", gap)):
                continue
            own = found[i].sizes
            found[i] = replace(found[i], sizes=(*own, *some) if earlier else (*some, *own))
    elif sizes and (words <= len(sizes) * (len(sizes) > 1) or stretch.display):
        rests = "the words" * (words > len(sizes)) or ", ".join(rest for _, _, rest in stated if rest)
        start, end = stated[0][0].start, stated[-1][0].end
        start += len(masked[start:end]) - len(masked[start:end].lstrip())
        end = start + len(masked[start:end].rstrip())
        reason = f"not all of it can be read: {rests}" if rests else ""
        found.append(Item(0, start, end, "", "sizes", sizes=tuple(sizes), reason=reason))
    if (
        stretch.display
        and all(item.reason == _LOOSE for item in found)
        and _has_equals(masked[stretch.start : stretch.end])
    ):
        found = [Item(0, stretch.start, stretch.end, "", "unclear", reason="no formula is left of it")]
    yield from sorted(found, key=lambda item: item.start)


def _has_equals(formula: str) -> bool:
    """Whether there is an equals sign outside of all brackets."""
    depth = 0
    for match in re.finditer(r"[(\[{]|[)\]}]|(?<![<>!])=(?!>)|←", formula):
        if match[0] in "([{":
            depth += 1
        elif match[0] in ")]}":
            depth = max(depth - 1, 0)
        elif depth == 0:
            return True
    return False


def _sizes(source: str) -> tuple[list[Size], str]:
    """Return the sizes in a piece, and what is left of it."""
    if match := _BLOCK.search(source):
        content = source[match.end() : source.rfind("\\end")]
        rows = [[cell.strip() for cell in row.split("&")] for row in content.split("\\\\")]
        if found := _columns(rows):
            return found + _arrowed(content, list(SIZE.finditer(content))), ""
    matches = list(SIZE.finditer(source))
    if match := _TUPLE.fullmatch(source):
        return [Size(match[1], match[2], source.strip())], ""
    shape = _SHAPE.search(source) or _REAL.search(source)
    if shape:
        return [Size(shape[1], shape[2], shape[0].strip())], source[: shape.start()] + source[shape.end() :]
    rest = SIZE.sub(" ", source)
    for triple in _TRIPLE.finditer(source):
        matches = [match for match in matches if not triple.start() <= match.start() < triple.end()]
        rest += triple[0]
    rest = re.sub(
        rf"\\(?:begin|end)\s*\{{\w+\}}|{_WRAPPED}|[\s&$()\[\],.|:=]|\\\\|\\[a-z]*arrow|[⇒→]|\\left|\\right", " ", rest
    )
    return _arrowed(source, matches), rest.strip()


def _arrowed(source: str, matches: list[re.Match[str]]) -> list[Size]:
    """Return sizes; the text of one that another is broadcast to begins with the arrow."""
    sizes = []
    for match in matches:
        arrow = _ARROW.search(source[: match.start()])
        start = arrow.start() if arrow and arrow[0].strip() != "=" else match.start()
        sizes.append(Size(match[1], match[2], source[start : match.end()]))
    return sizes


def _trimmed(masked: str, piece: _Piece) -> tuple[int, int] | None:
    """Return where a piece begins and ends, without its number, punctuation and brackets of what was cut off."""
    text = masked[piece.start : piece.end]
    start = len(text) - len(
        re.sub(r"^(?:\s|&|\||\\\\|\\right\s*[\])}|.]?|\\,|\\;|[\])}.,:·•](?=\s|\\|$|[A-Za-z_]))+", "", text)
    )
    end = len(re.sub(r"\s[(\[]\s*$", "", _NUMBERING.sub("", text)).rstrip(" \t\n&|,;.:\\"))
    if not piece.math and (lead := _LEAD.match(text, start)):
        start = lead.end()
    return (piece.start + start, piece.start + end) if end > start else None


def _bare(text: str) -> tuple[str, list[Size]]:
    """Return a formula without the sizes stated after it, and these."""
    sizes: list[Size] = []
    text = re.sub(r"\s{2,}", "  ", text)
    for pattern in (_REAL, _IN_BRACKETS, _TRAILING):
        matches = list(pattern.finditer(text))
        sizes += [Size(match[1], match[2], match[0].strip()) for match in matches]
        text = pattern.sub(" ", text)
    if lead := re.match(rf"\s*_\s*\{{?({EXTENT}){TIMES}({EXTENT})\}}?", text):
        sizes.insert(0, Size(lead[1], lead[2], f"{lead[0].strip()}".strip("_{}")))
        text = text[lead.end() :]
    text = _NUMBERING.sub("", re.sub(r"\$+|\\[\[\]]", " ", text))
    signs = list(_EQUALS.finditer(text))
    if len(signs) > 1 and not text[signs[-1].end() :].strip(" \t\n.,;"):  # … = and no more
        text = text[: signs[-1].start()]
    return _defined(text).strip(" \t\n&|,;."), sizes


def _defined(text: str) -> str:
    r"""Write \begin{cases} a & c \\ b & d \end{cases} as where(c, a, b)."""
    match = re.search(r"\\begin\s*\{[dr]?cases\}(.*?)\\end\s*\{[dr]?cases\}", text, flags=re.S)
    if not match:
        return text
    rows = []
    for row in match[1].split("\\\\"):
        row = re.sub(rf"({_WRAPPED})", lambda m: f" {m['inside']} ", row)
        value, *rest = re.split(r"\s*,?\s*&\s*|,|\b(?:if|for|when|otherwise|else)\b", row, maxsplit=1)
        condition = re.sub(r"\b(?:if|for|when|otherwise|else)\b|&|,", " ", rest[0] if rest else "")
        if value.strip():
            rows.append((value.strip(), condition.strip(" .")))
    if len(rows) != 2 or not rows[0][1]:
        return text
    return f"{text[: match.start()]} where({rows[0][1]}, {rows[0][0]}, {rows[1][0]}) {text[match.end() :]}"


def _equation(masked: str, piece: _Piece, stretch: _Stretch) -> Item | None:
    """Read a piece with an equals sign; None if it is prose after all."""
    span = _trimmed(masked, piece)
    if span is None:
        return None
    source = masked[slice(*span)]
    first = _EQUALS.search(source)
    left, right = (source[: first.start()], source[first.end() :]) if first else (source, "")
    strong = bool(_STRONG.search(left[-30:]))
    math = piece.math or stretch.display
    unclear = Item(0, *span, "", "unclear")
    if not left.strip(" &"):
        words = re.search(r"[A-Za-z]{2}", masked[max(stretch.start, span[0] - 40) : span[0]])
        return replace(unclear, reason=_LOOSE if not math else "it is said in words" if words else _HEADLESS)
    bare, sizes = _bare(source)
    try:
        if _BLOCK.search(source):
            raise NotUnderstood("written-out matrices are not judged")
        if not _EQUALS.sub("", right).strip(" .,;"):
            raise NotUnderstood("it is said in words" if _said(masked, span[1], stretch) else _UNFINISHED)
        if stretch.code and not strong:
            return None
        statement, inner = parsed(bare)
    except NotUnderstood as error:
        if math or (strong and (not stretch.code or re.match(r"\s*(?:d|δ|∂|∇)", left))):
            return replace(unclear, reason=str(error), sizes=tuple(sizes))
        return None
    return replace(unclear, kind="equation", statement=statement, sizes=(*inner, *sizes))


def _said(masked: str, at: int, stretch: _Stretch) -> bool:
    """Whether words follow on the same line."""
    return bool(re.search(r"[A-Za-z]{2}", re.sub(r"\\[A-Za-z]*dots", "", masked[at : stretch.end])))
