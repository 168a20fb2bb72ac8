"""read: a page of notes, in Markdown with LaTeX or plain text → every equation in it, in its place.

A page is cut into stretches: a display formula, a row of an environment, or a line of text with the formulas in it.
In each, words, arrows and commas part the pieces, of which some are equations, some sizes, and the others prose.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from .grammar import canonical, formula, parsed
from .mask import COMMON, ENGLISH, ENVIRONMENT, EQUALS, FORMULA, ROWS, WORD, WRAPPED, blanked
from .spelling import EXTENT, NotUnderstood, is_symbolic
from .stated import BLOCK, TRIPLE, downwards, stated_in, taken_out
from .statement import Item, Size

_TOKEN = re.compile(
    rf"(?P<env>\\begin\s*\{{{ROWS}\}})"
    r"|(?P<gap>(?<!\s)(?:\t|\s\s)\s{0,60}(?![^\s=]*\((?:axis|keepdims|dim)=)(?=\\?[A-Za-zδ∂Ａ-ｚ][^\s=]{0,25}\s{0,9}(?::?=|≔|←)))"
    r"|(?P<script>[_^]\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?[^\W_]+)|<(su[bp])>[^<>\n]{0,40}</su[bp]>)"
    r"|(?P<entry>(?<!\w)\w+\[['\"]\w+['\"]\])|(?P<choice>if\s[^\n,;$]{1,60}?[<>≤≥][^\n,;$]{1,60}?\selse(?![a-z]))"
    rf"|(?P<wrapped>{WRAPPED})"
    r"|(?P<divider>\\(?:q?quad|(?:long|Long)?[rR]ightarrow|to|implies|[dD]ownarrow|uparrow|therefore|because|[lc]?dots|"
    r"Leftrightarrow|iff|leadsto|mapsto|propto|approx|sim|forall)(?![a-zA-Z])|[→⇒⟹⟶↦↓↑↳∴∵…;#$~≈∝\"“”]|\.\.\.|--+|=>|->"
    r"|[?!](?=\s*$|\s+\w*[a-zA-Z]{2}|[\"”)$])"
    r"|//|[.](?=\s|$)|:(?!=)|(?<![A-Za-z])(?:i\. ?e|e\. ?g|w\.r\.t|s\.t)\.?(?![A-Za-z])|(?<!\d)\d+(?:st|nd|rd|th)\b)"
    r"|(?P<comma>,)|(?P<column>&(?=[^&]{1,60}&\s*(?::?=|≔|←|\\leftarrow|\\gets)))"  # of a second equation in the row
    rf"|(?P<equals>{EQUALS.pattern})"
    r"|(?P<open>\\?[(\[{])|(?P<close>\\?[)\]}])|(?P<command>\\[A-Za-z]+|\\[^=\w])"
    rf"|(?P<word>{WORD})|(?P<bar>\|)"
)
_NUMBERING = re.compile(r"[\s.…]{0,9}(?:(?<=[\s.…])|^)\((?:[ivxIVX_]+|\d{1,2}(?:\.\d+)?|[a-e]|\*)\)\s*$")
_MARKER = re.compile(r"\s*(?:(?:[-*+>•·]|#+|\d{1,2}[.)](?!\d)|\([ivx\d]{1,4}\)|[ivx]{1,4}\)|\(?[a-k]\)|[①-⑳])\s+)*")
_PREFIX = r"(?:d|δ|∂|∇|\\delta\s*|\\partial\s*|\\nabla\s*)"
_STRONG = re.compile(
    rf"{_PREFIX}[A-Za-zŷ\\_{{]|δ|\\delta|[A-Za-z]\s*[\^_]?[\[({{]*\d|[A-Za-z]<su[bp]>|[WZAbX]\s*[_^]|[₀-₉⁰-⁹Ａ-ｚ]"
)
_BIAS = re.compile(rf"[\W_]*{_PREFIX}?\s*[bB](?![A-Za-z])")
_RANGE = re.compile(
    r"\b(?:for|für|pour|para|per|dla|each|every|all)\W{1,5}[a-z]\s*=\s*\w+(?:\s*[-+]\s*1)?$", re.IGNORECASE
)
_FENCE = re.compile(r"\s*(```|~~~)\s*(\w*)")
_TABLE = re.compile(r"(?=[^\n]*\d)[^\n]*\n[ \t]*[x×X](?:[ \t&]+[x×X])*[ \t]*\n[^\n]*")
_UNREAD = re.compile(
    r"(?:^|(?<=[\s:,;]))(?P<left>[A-Za-z_]\w{0,30})[ \t]{0,9}(?::=|←|=)[ \t]{0,9}"
    r"(?P<right>(?![ \t])(?=[^\n=;,$]{0,99}[A-Za-z])(?:[^\n=←;$,. \t]|[., \t](?=[^\s=←;$])){1,200})"
)
_NAMED = re.compile(
    r"([^\s$]{1,20})\s*\$?\s*(?::|(?<=\s)(?:is|has|ist|est|es|è))\s*\$?$"
    r"|(?<=[a-z]{3}\s)\$?([^\s$]{1,20})\s+of (?:size|shape)\s*\$?$"
)
_LEAD = re.compile(r"(?:(?:\d+[.)]?|(?i:relu|softmax|sigmoid|tanh|sum|log|max|exp)|[a-z])[ \t]+)+(?=[^\s=:←])")
_LEFTOVER = re.compile(r"(?:\s|&|\\ |\||\\\\|\\right\s*[\])}|.]?|\\,|\\;|[\])}.,:·•](?=\s|\\|$|[A-Za-z_]))+")
_BUILT = re.compile(r"\\d?frac|\\sum|\\begin")
_CASES = re.compile(r"\\begin\s*\{[dr]?cases\}(.*?)\\end\s*\{[dr]?cases\}", flags=re.S)
_CONDITION = r"\b(?:if|for|when|otherwise|else)\b"
LINE = 10_000  # characters of a line; a longer one is not read
_LONG = re.compile(rf"[^\n]{{{LINE + 1},}}")
_UNFINISHED = "the right side is missing"
_HEADLESS = "the left side is missing"
_LOOSE = "there is no equals sign: nothing to hold it against"


class _Span(NamedTuple):
    """A part of the page that is read on its own, a row of a display formula or a line, or a piece of one."""

    start: int
    end: int
    math: bool = False
    code: bool = False
    equals: bool = False
    broken: str = ""  # the word at which it was parted, although a formula goes on there


def read(text: str) -> list[Item]:
    r"""Return every equation-like piece of a page, in its order.

    >>> [item.statement for item in read("First $A_0 = X$ (784×m), then\n\n    Z1 = A0")][0]
    Statement(target='A0', sides=(Name(text='X', scalar=False),), update=False)
    """
    masked = blanked(_LONG.sub(lambda match: " " * len(match[0]), text))
    lines = [match.end() for match in re.finditer("\n", text)]
    items: list[Item] = []
    for stretch in _stretches(masked):
        for item in _items(masked, stretch):
            start = item.start
            while (
                start and masked[start - 1] == " " and (text[start - 1].isalnum() or text[start - 1] == "_")
            ):  # delta_
                start -= 1
            item = replace(item, line=bisect_right(lines, start) + 1, start=start, text=text[start : item.end])
            whole = _joined(masked, items[-1], item) if items else None
            items[-1:] = [replace(whole, text=text[whole.start : whole.end])] if whole else [*items[-1:], item]
    for i, item in enumerate(items):  # `A1 =` and `g(Z1) = ReLU(Z1)`, where a scan has put the two apart
        for j in range(i + 1, min(i + 4, len(items)) * (item.reason == _UNFINISHED)):
            statement = items[j].statement
            if statement and "(" in statement.target and (whole := _whole(items[j], item.text, items[j].text)):
                items[i] = replace(item, reason=f"it goes on in line {items[j].line}, and is judged there")
                items[j] = replace(whole, sizes=items[j].sizes)
                break
    items = [item for item in items if item.reason != _LOOSE or _BUILT.search(item.text)]
    for match in _LONG.finditer(text):
        reason = (
            f"the line has {len(match[0]):,} characters, more than the {LINE:,} that are read; break it into several"
        )
        item = Item(bisect_right(lines, match.start()) + 1, *match.span(), match[0], "unclear", reason=reason)
        insort(items, item, key=lambda item: item.start)
    return items


def _whole(item: Item, *parts: str) -> Item | None:
    """Return an item with the statement that several parts of a page are together, if they are one."""
    try:
        statement, sizes = parsed(" ".join(_bare(part)[0] for part in parts))
    except NotUnderstood:
        return None
    return replace(item, kind="equation", statement=statement, reason="", sizes=sizes)


def _joined(masked: str, item: Item, following: Item) -> Item | None:
    """Join two pieces that are one equation: `A =` and what follows, or a line that goes on with = or +."""
    gap = _NUMBERING.sub("", masked[item.end : following.start])
    begins = following.reason == _HEADLESS or (following.reason == _LOOSE and masked[following.start] in "+-−*·=")
    if (
        not ((item.reason == _UNFINISHED and following.reason == _LOOSE) or (item.kind == "equation" and begins))
        or len(gap) > 60
        or following.end - item.start > 500
        or re.search(r"[A-Za-z\d]", re.sub(r"\\(?:begin|end)\s*\{[^{}]*\}|\\[a-z]*dots", "", gap))
    ):
        return None
    whole = _whole(item, masked[item.start : item.end], masked[following.start : following.end])
    if not whole:
        return None
    sizes = tuple(size for size in following.sizes if size not in whole.sizes)
    return replace(whole, end=following.end, sizes=item.sizes + sizes)


def _stretches(masked: str) -> Iterator[_Span]:
    """Cut a page into lines, and the rows of display formulas."""
    at, fence = 0, ""
    while at < len(masked):
        end = end if (end := masked.find("\n", at)) >= 0 else len(masked)
        if mark := _FENCE.match(masked, at, end):
            fence = "" if fence else mark[2] or "text"
        elif not fence and (table := _TABLE.match(masked, at)) and downwards(table[0].split("\n")):
            end = table.end()
            yield _Span(at, end)
        else:
            for row in re.compile("(‹?)([^‹›\n]+)").finditer(masked, at, end):
                yield _Span(*row.span(2), bool(row[1]) or fence == "math", fence not in ("", "math"))
        at = end + 1


def _pieces(masked: str, stretch: _Span) -> tuple[list[_Span], int]:
    """Part a stretch at its words, arrows and commas; return the pieces and the number of words."""
    begin, end, math = stretch[:3]
    if not math and (marker := _MARKER.match(masked, begin, end)):
        begin = marker.end()
    table = not math and masked[begin : begin + 1] == "|"
    pieces: list[_Span] = []
    depth, words, equals, at, broken = 0, 0, False, begin, ""
    while at < end and (match := _TOKEN.search(masked, at, end)):
        at, word, cut = match.end(), match[0], False
        match match.lastgroup:
            case "env":
                inner = ENVIRONMENT.match(masked, match.start(), end)
                content = re.sub(rf"{WRAPPED}|\\\w+|\{{\w+\}}", " ", inner["rows"] if inner else "")
                at, cut = inner.end() if inner else at, not re.search(r"[=×x\d<>&]", content)
            case "wrapped":
                inside = re.sub(r"\\_|(?<=one)-(?=hot)", "_", match["inside"])
                names = re.findall(WORD, inside)
                cut = "." in inside or not re.search(r"[\dA-Za-zＡ-ｚ]", inside) or not all(map(is_symbolic, names))
                cut |= len(names) > 1 and word.startswith("\\text")  # softmax + CE
                cut &= not (equals and _belongs(masked, begin, match, end))
                words += len(names) * cut
            case "word":
                cut = _is_prose(masked, match, end, equals, depth, math)
                cut &= not (equals and _belongs(masked, begin, match, end))
                words += cut
            case "gap" | "column":
                cut = equals and not depth
            case "divider":
                cut, depth = True, 0
            case "comma":
                cut = depth == 0
            case "equals":
                keyword = re.search(
                    r"(?:axis|keepdims?|dim)\s*$", masked[max(begin, match.start() - 10) : match.start()]
                )
                equals = equals or depth == 0 or (math and not keyword)
            case "open":
                depth += 1
            case "close":
                depth = max(depth - 1, 0)
            case "bar":
                cut = table
        if cut:
            if match.lastgroup == "word" and equals and _goes_on(masked[begin : match.start()], masked[at:end]):
                broken = word
            pieces.append(_Span(begin, match.start(), math, equals=equals, broken=broken))
            depth, equals, begin, math, broken = 0, False, at, math ^ (word == "$"), ""
    pieces.append(_Span(begin, end, math, equals=equals))
    return [piece for piece in pieces if masked[piece.start : piece.end].strip(" \t\n&|)")], words


def _goes_on(before: str, after: str) -> bool:
    """Whether a formula goes on before or after a word that is none of it: what is left of it is not the whole."""
    prose = re.match(rf"\s+(?!{WORD}\s*[(_^\[])[A-Za-z]{{2,}}", after)
    left = re.search(r"(?:[*/⊙∘·@]|\\(?:odot|cdot|circ|times)|(?<=[\w)\]}}])\s*[-+])\s*$", before)
    right = re.match(r"\s*(?:[*/⊙∘·@^]|\\(?:odot|cdot|circ|times)|\+\s)\s*[\w({\\$]", after)
    return bool(left or right) and not prose


def _is_prose(masked: str, match: re.Match[str], end: int, equals: bool, depth: int, math: bool) -> bool:
    """Whether a word is none of a formula."""
    word, rest = match[0], masked[match.end() : min(match.end() + 40, end)]
    if word in ("a", "A", "I") and not math and (after := re.match(rf"\s+({WORD})", rest)):
        return not is_symbolic(after[1]) and len(after[1]) > 1
    if ENGLISH.fullmatch(word) and not depth and not re.match(r"\s*[({_^\[=]|\.\w", rest):
        return True
    if re.fullmatch(r"[a-z]{1,2}[A-Z]", word):  # vW
        return False
    called = (equals and rest[:1] in ("(", "[")) or masked[match.start() - 1 : match.start()] == "."
    return not called and not is_symbolic(word)


def _belongs(masked: str, begin: int, match: re.Match[str], end: int) -> bool:
    """Whether a word that is not known stands where a name would: between signs of a formula."""
    before, after = (
        masked[max(begin, match.start() - 30) : match.start()].rstrip(),
        masked[match.end() : min(match.end() + 20, end)],
    )
    joined = re.match(r"\s*[\^ᵀ@⊙∘·*/⊤]\s*[\w({\\]|ᵀ|\.T\b|\(|\s+\+\s", after)
    signed = re.search(r"(?<![-+*=])[-+*/@⊙∘·]$|\\(?:odot|cdot|circ)$", before)
    sized = re.fullmatch(EXTENT, match[0]) and (re.match(r"\s*×", after) or before.endswith(("×", "\\times")))
    if joined or sized or (signed and not re.match(r"\s+[A-Za-z]{3}", after)):
        return True
    follows = re.search(r"(?:T\}?|ᵀ|\\top\}?|/m)$", before) and not re.match(r"\s*[A-Za-z(]", after)
    gradient = re.search("(?<![A-Za-z])d$", before if match["inside"] else match[0][0])
    return bool((follows or gradient) and re.fullmatch(f"d?{COMMON}", match["inside"] or match[0]))


def _items(masked: str, stretch: _Span) -> Iterator[Item]:
    """Read one stretch; the sizes in it belong to its equation, or are an item of their own."""
    start, end, display = stretch[:3]
    if not display and (columns := downwards(masked[start:end].split("\n"))):
        yield Item(0, start, end, "", "sizes", sizes=tuple(columns))
        return
    pieces, words = _pieces(masked, stretch)
    found: list[Item] = []
    stated: list[tuple[_Span, list[Size], str]] = []
    for piece in pieces:
        sizes, rest = stated_in(masked[piece.start : piece.end], bool(found))
        before = _NAMED.search(masked[max(start, piece.start - 30) : piece.start]) if len(sizes) == 1 else None
        name = canonical(before[1] or before[2]) if before else ""
        if sizes and not re.search(r"[A-Za-z\d]", re.sub(r"\\[a-zA-Z]+", "", rest)):
            stated.append((piece, [replace(size, name=size.name or name) for size in sizes], ""))
        elif piece.equals:
            found += _equation(masked, piece, stretch)
        elif sizes and rest not in ("a", "A") and (single := canonical(rest)):
            stated.append((piece, [replace(size, name=name or single) for size in sizes[:1]], ""))
        elif sizes or TRIPLE.search(masked, piece.start, piece.end):
            stated.append((piece, sizes, rest.strip()))
        elif display or (piece.math and len(pieces) == 1):
            span = _trimmed(masked, piece)
            if span and formula(_defined(masked[slice(*span)])):
                found.append(Item(0, *span, "", "unclear", reason=_LOOSE))
    found = _with_sizes(masked, stretch, found, stated, words)
    if not display and not stretch.code:
        found += _unread(masked, stretch, found)
    if display and all(item.reason == _LOOSE for item in found) and _has_equals(masked[start:end]):
        found = [Item(0, start, end, "", "unclear", reason="no formula is left of it")]
    yield from sorted(found, key=lambda item: item.start)


def _unread(masked: str, stretch: _Span, found: list[Item]) -> Iterator[Item]:
    """List what is written as an equation, of words that are not known: error = prediction - target."""
    spans = sorted((item.start, item.end) for item in found if item.reason != _LOOSE)
    for match in _UNREAD.finditer(masked, *stretch[:2]):
        words = [word for word in re.findall(WORD, match[0]) if not is_symbolic(word)]
        prose = re.findall(rf"(?=(?<!\w)({WORD})\s+({WORD})(?!\w))", match["right"])
        before = bisect_left(spans, (match.end(), 0))
        read = before > 0 and match.start() < spans[before - 1][1]
        if words and FORMULA.search(match["right"]) and not read and not any({*pair} <= {*words} for pair in prose):
            yield Item(0, *match.span(), "", "unclear", reason=f"the word '{words[0]}' is not known here")


def _with_sizes(
    masked: str, stretch: _Span, found: list[Item], stated: list[tuple[_Span, list[Size], str]], words: int
) -> list[Item]:
    """Give the sizes to the equations before them, or return them as an item of their own."""
    equations = [i for i, item in enumerate(found) if item.kind == "equation" or item.reason != _LOOSE]
    sizes = tuple(size for _, some, _ in stated for size in some)
    few = words <= len(sizes) * (len(sizes) > 1) or stretch.math
    sizes = sizes if few else tuple(size for size in sizes if size.name)  # however many words there are around it
    named = all(size.name for size in sizes)
    if not equations and sizes:
        rests = "the words" * (words > len(sizes) and not named) or ", ".join(rest for _, _, rest in stated if rest)
        text = masked[stated[0][0].start : stated[-1][0].end]
        end = stated[0][0].start + len(text.rstrip())
        reason = f"not all of it can be read: {rests}" if rests else ""
        return [*found, Item(0, end - len(text.strip()), end, "", "sizes", sizes=sizes, reason=reason)]
    for piece, some, _ in stated * bool(equations):
        earlier = [i for i in equations if found[i].start <= piece.start]
        i = earlier[-1] if earlier else equations[0]
        own = found[i].sizes
        gap = masked[found[i].end : piece.start] if earlier else masked[piece.end : found[i].start]
        near = words <= 3 or stretch.math or not re.search("[A-Za-z]", re.sub(r"\\[a-z]+", "", gap))
        if near or all(size.name for size in some):
            numbered = _NUMBERING.fullmatch(f" {masked[piece.start : piece.end].strip()}")
            if numbered and not _BIAS.match(masked, found[i].start):  # (10) is the size of a bias alone
                continue
            found[i] = replace(found[i], sizes=(*own, *some) if earlier else (*some, *own))
    return found


def _has_equals(source: str) -> bool:
    """Whether there is an equals sign outside of all brackets."""
    source = re.sub(r"[<>!]=|=>", "  ", source)
    depths = accumulate((sign in "([{") - (sign in ")]}") for sign in source)
    return any(sign in "=←" and depth <= 0 for sign, depth in zip(source, depths, strict=True))


def _trimmed(masked: str, piece: _Span) -> tuple[int, int] | None:
    """Return where a piece begins and ends, without its number, punctuation and brackets of what was cut off."""
    text = masked[piece.start : piece.end]
    lead = _LEFTOVER.match(text)
    start = lead.end() if lead else 0
    text = text if _BIAS.match(text) else _NUMBERING.sub("", text)
    end = len(re.sub(r"\s[(\[]\s*$", "", text).rstrip(" \t\n&|,;.:\\"))
    if not piece.math and (lead := _LEAD.match(text, start)):
        start = lead.end()
    return (piece.start + start, piece.start + end) if end > start else None


def _bare(text: str) -> tuple[str, list[Size]]:
    """Return a formula without the sizes stated after it, and these."""
    text, sizes = taken_out(text)
    text = _NUMBERING.sub("", re.sub(r"\$+|\\[\[\]]", " ", text))
    signs = list(EQUALS.finditer(text))
    if len(signs) > 1 and not text[signs[-1].end() :].strip(" \t\n.,;"):  # … = and no more
        text = text[: signs[-1].start()]
    return _defined(text).strip(" \t\n&|,;."), sizes


def _defined(text: str) -> str:
    r"""Write \begin{cases} a & c \\ b & d \end{cases} as where(c, a, b)."""
    match = _CASES.search(text)
    rows = []
    for row in match[1].split("\\\\") if match else ():
        row = re.sub(rf"({WRAPPED})", lambda m: f" {m['inside']} ", row)
        value, *rest = re.split(rf"\s*,?\s*&\s*|,|{_CONDITION}", row, maxsplit=1)
        condition = re.sub(rf"{_CONDITION}|&|,", " ", "".join(rest))
        rows += [(value.strip(), condition.strip(" ."))] * bool(value.strip())
    if not match or len(rows) != 2 or not rows[0][1]:
        return text
    return f"{text[: match.start()]} where({rows[0][1]}, {rows[0][0]}, {rows[1][0]}) {text[match.end() :]}"


def _equation(masked: str, piece: _Span, stretch: _Span) -> Iterator[Item]:
    """Read a piece with an equals sign; it may be prose after all."""
    span = _trimmed(masked, piece)
    if span is None or _RANGE.search(masked[max(stretch.start, span[0] - 20) : span[1]]):
        return
    source = masked[slice(*span)]
    signs = [match.span() for match in EQUALS.finditer(source)] or [(len(source),) * 2]
    left, right = source[: signs[0][0]], EQUALS.sub("", source[signs[0][1] :])
    named = stretch.code and re.fullmatch(r"\W*(?:loss|cost|[JLCE])\s*", left)
    strong = bool(_STRONG.search(left[-30:]) or named)
    math = piece.math or stretch.math
    unclear = Item(0, *span, "", "unclear")
    if not left.strip(" &"):
        said = re.search(r"[A-Za-z]{2}", masked[max(stretch.start, span[0] - 40) : span[0]])
        yield replace(unclear, reason=_LOOSE if not math else "it is said in words" if said else _HEADLESS)
        return
    bare, sizes = _bare(source)
    try:
        if piece.broken:
            raise NotUnderstood(f"the word '{piece.broken}' is not known here")
        if BLOCK.search(source):
            raise NotUnderstood("written-out matrices are not judged")
        if not right.strip(" .,;"):
            said = re.search(r"[A-Za-z]{2}", re.sub(r"\\[A-Za-z]*dots", "", masked[span[1] : stretch.end]))
            raise NotUnderstood("it is said in words" if said else _UNFINISHED)
        if strong or not stretch.code or (FORMULA.search(right) and canonical(left)):
            statement, inner = parsed(bare)
            yield replace(unclear, kind="equation", statement=statement, sizes=(*inner, *sizes))
    except NotUnderstood as error:
        words = [word for word in re.findall(WORD, source) if not is_symbolic(word)]
        shaped = FORMULA.search(right) and not words and not stretch.code
        if math or shaped or (strong and (not stretch.code or re.match(r"\s*(?:d|δ|∂|∇)", left))):
            yield replace(unclear, reason=str(error), sizes=tuple(sizes))
