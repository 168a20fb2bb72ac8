"""Mask: a page without what only decorates it, each sign in its place, and with the words that are names spelt as such."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from html import unescape

from .spelling import WIDE, is_symbolic

ROWS = r"(?:align(?:ed|at|edat)?|gather(?:ed)?|split|eqnarray|equation|multline|[dr]?cases|array|[bpvBV]?matrix)\*?"
EQUALS = re.compile(r":=|≔|←|\\leftarrow|\\gets|[-+]=|(?<![<>!=:])=(?![=>])")
WORD = r"[A-Za-zÀ-ÖØ-öø-ÿ]+(?:_[A-Za-z]+)*"
WRAPPED = r"\\(?:text(?:bf|it|rm|sf)?|math(?:rm|bf|it|sf)|[hm]box|operatorname\*?)\s*\{(?P<inside>[^{}$]*)\}"
ENGLISH = re.compile(
    r"where|step|power|sign|mean|norm|identity|min|max|dot|square|transpose|multiply|outer|true|false|none|self|float|dim|"
    r"activation|act|loss|cost|int|bool",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?<=[\s.…])\(\d{1,2}\)(?=\s*(?:\$\$|\\\]|\\\\|\n|$))")
ENVIRONMENT = re.compile(
    rf"(?P<begin>\\begin\s*\{{(?P<name>{ROWS})\}}(?:\s*\{{[^{{}}]*\}})?)"
    r"(?P<rows>(?:(?!\\begin\s*\{(?P=name)\}).){0,4000}?)(?P<end>\\end\s*\{(?P=name)\})",
    flags=re.S,
)
_DISPLAY = re.compile(
    rf"\$\$(?:(?!\n\n|\$\$).){{0,4000}}\$\$|\\\[(?:(?!\n\n|\\[\[\]]).){{0,4000}}\\\]|{ENVIRONMENT.pattern}", flags=re.S
)


_SPACES = {"Zs": " ", "Zl": "\n", "Zp": "\n", "Cc": " "}  # by Unicode's categories: what only parts signs,
_NOTHING = {"Cf"}  # and what nobody sees: zero-width signs, marks of direction, soft hyphens, tags
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)  # of others
_MEANT = str.maketrans(
    dict.fromkeys("\u2061\u2062\u2063\u2064\u2800", " ") | dict.fromkeys("\u2010\u2011\u02d7\ufe63\uff0d", "-")
)
_PLAIN = re.compile(r"[\x20-\x7e\n\r\t]*")


def visible(text: str) -> str:
    """Return a page as it looks: without what nobody sees, with plain spaces and hyphens; its lines stay.

    >>> visible("dW\u200b2\u00a0=\u200f 1")
    'dW2 = 1'
    """
    if _PLAIN.fullmatch(text):
        return text
    signs = {c: unicodedata.category(c) for c in set(text)}
    new = {ord(c): _SPACES.get(kind, "") for c, kind in signs.items() if kind in _SPACES or kind in _NOTHING}
    kept = dict.fromkeys(map(ord, "\n\r\t"))
    return _UNSEEN.sub("", text.translate(_MEANT).translate({c: x for c, x in new.items() if c not in kept}))


_ALPHABETS = re.compile("[\U0001d400-\U0001d7ff\u210a-\u2113\u211b-\u211d\u2124-\u2131]")
_GRADIENT = r"(?:\\[dt]?frac\s*\{\s*(?:\\partial|∂|d)|\\?(?:delta|nabla|partial)(?![a-z])|[d∂∇δΔ]\s*\\?[A-Za-z])"
_QUANTITY = re.compile(rf"[\s$*`]*{_GRADIENT}[^|\n ]{{0,60}}[\s$*`]*|\s*\${_GRADIENT}[^$|\n]{{0,80}}\$\s*")


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _as_equation(match: re.Match[str]) -> str:
    """Put an equals sign between the first two cells of a row of a table that names a quantity and gives its formula."""
    name, formula = match["name"], match["formula"]
    if EQUALS.search(name + formula) or not _BUILT.search(formula) or not _QUANTITY.fullmatch(name):
        return match[0]
    if formula.count("$") > 2:
        return f"{match['edge']}{name}={formula}"
    whole = re.sub("[$`]", " ", f"{name}={formula}")
    one = "$" in name + formula and whole[0] == whole[-1] == " "  # formula, in which a word is none of the prose
    return match["edge"] + (f"${whole[1:-1]}$" if one else whole)


_SPACED = r"(\\(?:mathrm|text|operatorname)) *(\{(?: *[A-Za-z]){3,12}) *\}"
_BETWEEN = r"(?=[^$\n]*[-+*/=←])(?:[ \t]*(?:`[^`$\n]{1,30}`|:=|[-+*/=←·]|(?:alpha|eta|lr)(?![A-Za-z])))+[ \t]*"
_NESTED = r"[^{}\n]*(?:\{[^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*\}[^{}\n]*)*"
_MASKS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (re.compile("[\u2500-\u257f]"), _blank),  # boxes drawn with characters
    (
        re.compile(r"\{%-?\s*(?:end)?(?:la|ka)?(?:tex|math(?:jax)?|equation)\b[^%\n]*%\}"),
        lambda m: "$".rjust(len(m[0])),
    ),  # Jekyll's
    (re.compile(r"^(?P<edge>[ \t]*\|)(?P<name>[^|\n]{1,80})\|(?P<formula>[^|\n]{1,300})(?=\|)", re.M), _as_equation),
    (re.compile(rf"{_SPACED}"), lambda m: f"{m[1]}{m[2].replace(' ', '')}}}".rjust(len(m[0]))),  # \mathrm { R e L U }
    (re.compile(r"<!--.{0,2000}?-->|</?(?!su[bp]>)\w+[^<>\n]{0,100}>", re.S), _blank),
    (re.compile(r"\\tag\*?\s*\{[^{}\n]*\}"), _blank),
    (re.compile(r"\{\s*\\(?:rm|bf|it)\s+([A-Za-z]+)\s*\}"), lambda m: m[1].ljust(len(m[0]))),  # {\rm d}Z
    (re.compile(r"\\(?:hline|(?:top|mid|bottom)rule)(?![A-Za-z])|\\(?:label|(?:eq)?ref)\s*\{[^{}]*\}"), _blank),
    (
        re.compile(
            rf"\\(?:under|over)brace\s*(\{{{_NESTED}\}})\s*[_^]\s*\{{\s*\\(?:text|m)[a-z]*\s*\{{{_NESTED}\}}\s*\}}"
        ),
        lambda m: m[1].rjust(len(m[0])),
    ),
    (re.compile(r"(?<=[\w)\]}]) \. (?=[A-Za-z(\\])"), lambda _: " · "),  # W1 . X
    (
        re.compile(r"\\(?:text|mathrm|mathit)\s*\{\s*(inputs|hidden|classes|samples|features|outputs|batch)\s*\}"),
        lambda m: m[1].rjust(len(m[0])),  # a size
    ),
    (
        re.compile(r"(?<![\\A-Za-z_])(sum|delta)(?=_\{?[a-z]\b)"),
        lambda m: {"sum": "Σ", "delta": "δ"}[m[1]].rjust(len(m[0])),
    ),
    (
        re.compile(r"(?:\\(?:text|mathrm)\{net\}|(?<![\\A-Za-z])net)(?=_)"),
        lambda m: "z".rjust(len(m[0])),
    ),  # Rumelhart's
    (
        re.compile(
            r"(?P<name>\\?[A-Za-zθ][\w^{}\[\]()\\]{0,20})\s*(?P<arrow>→|⟶|\\(?:long)?rightarrow|\\to|\\mapsto|->)"
            r"(?=\s*(?P=name)\s*[-+])"
        ),
        lambda m: m[0].replace(m["arrow"], "←".ljust(len(m["arrow"]))),  # w → w − η ∂C/∂w
    ),
    (re.compile(r"\bsum over (?:the |all )?\w+ of (?=\S)"), lambda m: "Σ ".rjust(len(m[0]))),
    (
        re.compile(r"\bsum of (?=\S+ over (?:the |all )?(?:rows|columns|samples|examples|batch))"),
        lambda m: "Σ ".rjust(len(m[0])),
    ),
    (re.compile(r"(?<=\S) over (?:the |all )?(?:rows|columns|samples|examples|batch)\b"), _blank),
    (re.compile(r"<-{1,2}(?=\s)"), lambda m: "←".rjust(len(m[0]))),
    (re.compile(r"&[A-Za-z]{2,8};"), lambda m: unescape(m[0]).ljust(len(m[0]))),
    (re.compile(rf"\\(?:boxed|underline|fbox|colorbox)\s*\{{({_NESTED})\}}"), lambda m: f"{m[1]} ".rjust(len(m[0]))),
    (re.compile(r"\\(?:overset|stackrel)\s*\{[^{}]*\}\s*\{\s*=\s*\}"), lambda m: "=".rjust(len(m[0]))),
    (re.compile(r"(?<!\\)(?:\\\\)*(\\[()])"), lambda m: m[0][:-2] + (" $" if m[1] == "\\(" else "$ ")),
    (re.compile(rf"\$({_BETWEEN})\$"), lambda m: f" {m[1].replace('`', ' ')} "),  # $Z$ = $W X$ is one formula
    (re.compile(r"(?<=[\w\]})])[ \t]+prime(?=[ \t]*\()"), lambda m: "'".ljust(len(m[0]))),
    (re.compile(r"\$`([^`$\n]+)`\$"), lambda m: f" ${m[1]}$ "),  # GitHub's
    (re.compile(r"(?<!`)`(?!`)|(?<![\w)\]}])\*\*(?=\S)|(?<=\S)\*\*(?=[\s.,;:]|$)"), _blank),
]


_LOSS = re.compile(r"(?:(?<![A-Za-z])d|∂|\\partial)\s*\{?((?:Err|err|Error|error|Risk|Obj)(?:or)?)\}?\s*(?:/|\}\s*\{)")


def _plain(match: re.Match[str]) -> str:
    """Return the ordinary letter for one of a mathematical alphabet: W for 𝑊."""
    return unicodedata.normalize("NFKC", match[0])


def blanked(text: str) -> str:
    """Return the page with what only decorates blanked out, each sign in its place, and rows between ‹ and ›."""
    text = _ALPHABETS.sub(_plain, re.sub("[‹›¦]", " ", text).replace("−", "-"))
    for pattern, new in _MASKS:
        text = pattern.sub(new, text)
    for loss in {m[1] for m in _LOSS.finditer(text)}:  # of dErr/dW: J, wherever it stands
        text = re.sub(rf"(?<![A-Za-z\\])(d?){loss}(?![A-Za-z])", lambda m: f"{m[1]}J".rjust(len(m[0])), text)
    text = _NUMBERED.sub(_blank, text) if "(1)" in _NUMBERED.findall(text) else text
    return _worded(_DISPLAY.sub(_displayed, text).replace("¦", "\\"))


COMMON = "(?:hidden|out|(?:output|score|logit|prob|pred|prediction|error|gradient|target|label|input)s?|weights)"
_GIVEN = re.compile(r"(?:target|label|input|truth|desired|expected)s?|weights?|bias(?:es)?")  # that no equation defines
_DEFINED = re.compile(rf"(?<![\w\\.'\"])({WORD})[\d_^{{}}\[\]]*\s*(?::?=|←)\s*(?!=)([^\n=←;#$]{{1,300}})")
FORMULA = re.compile(r"[WXAZYHb]\d|[\^@+*/⊙∘·]|[\w}]\(|\s-\s|[WX] ?[XAHWx]\b")
_BUILT = re.compile(rf"{FORMULA.pattern}|\\(?:[dt]?frac|sum|odot|cdot|times)|[∑Σᵀ₀-₉]|[A-Za-z]_")


_IDENTIFIER = re.compile(r"(?<![\\A-Za-z_.{])[A-Za-z]{2,}_[A-Za-z]{2,}(?:_[A-Za-z]+)*(?![A-Za-z_({])")  # output_delta
_OF_GRADIENT = re.compile("(?:d|delta|grad|gradient)_")
_OF_LAYER = re.compile(r"(?<![\\A-Za-z_.])[zZaA]_([a-z]{2,})(?![A-Za-z_(])")
_ERROR_OF = re.compile(r"(?<![\\A-Za-z_.])(?:d|delta|grad)_([a-z]{2,})(?![A-Za-z_(])")
_GRAD = re.compile(r"(?<![\\A-Za-z_.])grad_([a-z]+)(?![A-Za-z_(])")
_GRADIENT_OF = re.compile(r"(?<![\\A-Za-z_.])(?:grad|d)_([wWbBzZaA]_[a-z]+)(?![A-Za-z_(])")  # grad_w_out


def _gradients_named(masked: str) -> str:
    """Spell grad_w_out as dw_out, and d_out as δ_out beside z_out; beside d_out, grad_out is that of w_out."""
    masked = _GRADIENT_OF.sub(lambda m: f"d{m[1]}".rjust(len(m[0])), masked)
    layers = {m[1] for m in _OF_LAYER.finditer(masked)}  # z_hidden, and so d_hidden is δ of it
    errors = set(re.findall(r"(?<![A-Za-z_.])(?:d|delta)_([a-z]{2,})(?![A-Za-z_(])", masked))
    masked = _GRAD.sub(lambda m: f"dw_{m[1]}".rjust(len(m[0])) if m[1] in errors else m[0], masked)
    return _ERROR_OF.sub(lambda m: f"δ_{m[1]}".rjust(len(m[0])) if m[1] in layers else m[0], masked)


def _worded(masked: str) -> str:
    """Spell the words that equations of the page define, such as hidden = tanh(X W1 + b1), in letters of names."""
    masked = _gradients_named(masked)
    coded = {word for word in _IDENTIFIER.findall(masked) if not is_symbolic(word) and not ENGLISH.fullmatch(word)}
    defined, words, before = _DEFINED.findall(masked), {word for word in coded if not _OF_GRADIENT.match(word)}, -1
    while before < len(words):
        before = len(words)
        for word, side in defined:
            base = word[1:] if re.fullmatch(f"d{COMMON}", word) else word
            own = (
                set()
                if base[0] in "dD" or _OF_GRADIENT.match(word) or is_symbolic(word) or ENGLISH.fullmatch(word)
                else {base}
            )
            side = re.sub(r"\bnp\.\w+", "f", re.sub(r"\w+\s?×\s?\w+", "", side))  # a size, a function
            for part in (side, re.split(r",\s|\s\(|\s\s|\.\s", side)[0]):
                inner = re.findall(rf"(?<![\\A-Za-z_]){WORD}", part)
                given = {w for w in inner if _GIVEN.fullmatch(w)}
                known = all(is_symbolic(w) or {w, w[1:], w.removeprefix("d_")} & (words | given) for w in inner)
                if inner and known and FORMULA.search(part):
                    words |= own | given
    uses = re.compile(
        r"(?:(?<![A-Za-z\d_\\×])|(?<=\^T))(?<!_\{)(?<!_\\text\{)"
        rf"(d|(?:delta|grad|d)_)?({'|'.join(sorted(words, key=len)[::-1])})"
        r"(?![A-Za-z]|_[a-zA-Z]|\s*x\s|\s*×|\s*\\times)([ \t][A-Za-z_]+)?"
    )

    def spelt(match: re.Match[str]) -> str:
        after = re.sub("^(?:delta|grad|d)_", "", (match[3] or "").strip())
        if len(after) > 1 and not is_symbolic(after) and not {after, after[1:]} & words:
            return match[0]  # the hidden layer
        gradient = (match[1] or "").replace("grad_", "    d").replace("d_", " d")
        return f"{gradient}{match[2].translate(WIDE)}{uses.sub(spelt, match[3] or '')}"

    masked = uses.sub(spelt, masked) if words else masked
    if any(word == "h" and FORMULA.search(side) for word, side in defined):  # then h (p - y) is a product
        masked = re.sub(r"(?<![A-Za-ce-z\\])h(?=(?:\d|[_^][\[{(\d\])}]{1,6})?\s?\()", "h".translate(WIDE), masked)
    return masked


def _displayed(match: re.Match[str]) -> str:
    """Put a display formula on one line, its rows apart."""
    text = match[0].replace("\n", " ")
    line = match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()]
    if line.count("$") % 2 and (EQUALS.search(line) or not EQUALS.search(re.sub(r"[_^]\s*\{[^{}]*\}", "", text))):
        return text  # a matrix in a line
    if not match["name"]:
        return f"›‹{_rows(text[2:-2])}› "
    rows, found, rest = _rows(text).rpartition("›‹")
    return rows + "› " * bool(found) + rest


def _rows(text: str) -> str:
    r"""Split at the \\ of environments that list equations; \\ in matrices and definitions stays."""

    def listed(match: re.Match[str]) -> str:
        defines = re.search(r"=\s*(?:\\left)?\s*\\?[{\[(.|]?\s*$", text[: match.start()])
        equals = EQUALS.search(re.sub(r"[_^]\s*\{[^{}]*\}", "", match["rows"]))
        if defines or "matrix" in match["name"] or not equals:
            return match[0].replace("\\\\", "¦¦")
        return "›‹".ljust(len(match["begin"])) + _rows(match["rows"]) + "›‹".ljust(len(match["end"]))

    return ENVIRONMENT.sub(listed, text).replace("\\\\", "›‹")
