r"""core: a formula in LaTeX, Unicode or Python → one spelling, which the grammar reads.

Decorations go, and scripts are told apart: `^{[1]T}` is a layer and a transpose (⟦1⟧ᵀ), `_{i}` an index (⟪i⟫), `^2` a power,
`_{10 \times m}` a stated size.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import accumulate
from string import ascii_letters

from ..op import REGISTRY
from .statement import Size

WIDE = {ord(c): ord(c) + 0xFEE0 for c in ascii_letters} | {
    ord("_"): ord("ː")
}  # in words that are names: hidden, scores
PLAIN = {wide: c for c, wide in WIDE.items()}


class NotUnderstood(ValueError):  # noqa: N818 -- what is said of a formula, rather than an error of the program
    """A formula that cannot be read; says where, and what was expected."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason.translate(PLAIN))


EXTENT = (
    r"(?:\d+|[a-zA-Z](?:_\{?\w+\}?|\^\{?[\[(]\w+[\])]\}?|\d)?|inputs|hidden|classes|samples|features|outputs|batch)"
)
TIMES = r"\s*(?:\\times|\\cdot|[x×X*✕])\s*"
SIZE = re.compile(rf"(?<![\w.×])({EXTENT})(?:{TIMES})({EXTENT})(?![\w×]|\s*\\times|\s*×)")

_WORDS = (  # that stand in formulas as they are: functions, Greek letters, arguments of NumPy's functions
    r"(?i:logistic|sech|swish|identity|lrelu|leakyrelu|logsoftmax|exp|log|ln|sqrt|max|"
    r"maximum|min|minimum|abs|sign|sum|mean|dot|matmul|outer|multiply|square|power|where|transpose|norm|step|diag|"
    r"alpha|eta|lambda|epsilon|gamma|beta|mu|rho|theta)|axis|keepdims?|dim|dtype|float|True|False|None"
)
_CAPITALS = "[WXAZYHUVJLCbTDPQ]"
_PAIRS = "[A-Z][auvwxhz]|[auwxhz][A-Z]|w[axh]|[axhz]w|mn|m[kKcC]|[nN][kK]"
_SYMBOLS = re.compile(
    rf"d?[A-Za-z]|D[AB]|[mn]?(?:d?{_CAPITALS}){{1,4}}T?|[gf](?i:relu|softmax|sigmoid|tanh)|{_PAIRS}|(?i:leaky)|{_WORDS}"
)
_UNDERSCORED = re.compile(
    r"(?:(?:leaky|log|d|deriv|derivative|grad)_)?(?:relu|softmax|sigmoid|tanh|g|act|activation)(?:_(?:prime|deriv|derivative|grad|"
    r"backward))?|d?[yY]_?(?:hat|pred|true)|(?:[yY]_)?one_?hot(?:_[yY])?|lr|learning_?rate|step_size|delta|d?(?:loss|cost|mse|bce)|"
    r"(?:grad|d)_(?:[A-Za-z]\d?|[yY]_?(?:hat|pred))|B?CE|cross_?entropy|(?:np|numpy|torch|self|params|grads|parameters|cache|jnp)|d?[WwbZzAaXxhH]_\w+|(?:relu|sigmoid|tanh)(?:gradient|prime|deriv(?:ative)?)|d?[A-Za-z]_[A-Za-z]{1,3}",
    re.IGNORECASE,
)


def is_symbolic(word: str) -> bool:
    """Whether a run of letters belongs to a formula rather than to the words around it.

    >>> [is_symbolic(word) for word in ("dWX", "ReLU", "relu_deriv", "the", "layer")]
    [True, True, True, False, False]
    """
    return bool(_SYMBOLS.fullmatch(word) or _UNDERSCORED.fullmatch(word)) or _is_activation(word)


def activations() -> tuple[str, ...]:
    """Return the names of the activations in the table of ops, the longest first."""
    return tuple(sorted((name for name, entry in REGISTRY.items() if entry.activation), key=len, reverse=True))


def _is_activation(word: str) -> bool:
    entry = REGISTRY.get(re.sub(r"_(?:prime|deriv(?:ative)?|grad|backward)$", "", word.lower()))
    return entry is not None and entry.activation


_RAISED = ("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀᵗˡⁱᴸ", "0123456789+-()TtliL")
_LOWERED = ("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ᵢⱼₖₗₙₘₕₓ", "0123456789+-()ijklnmhx")
_WRAPPERS = (
    r"\\(?:mathbf|boldsymbol|bm|mathrm|text|textbf|textrm|textit|texttt|operatorname\*?|mathit|mathsf|mathcal|boxed|mbox|"
    r"underline|overline|vec|rm|bf|pmb|mathbb|mathscr|hbox|mathop|ensuremath|textsf)(?![a-z])"
)
_ACTIVATION = "ACTIVATION"  # in a rule it stands for all of their names
_NO_WORD = r"(?<![A-Za-z\\])"
_ROUND = r"(?:[^()=,]|\([^()=]*\))*"


def _entropy(binary: str, a: str, y: str) -> str:
    """Write out the cross-entropy of a prediction and labels, in whichever order they stand."""
    a, y = (y, a) if re.match(r"\s*[yYtT](?!ˆ|_?(?:hat|pred))", a) else (a, y)
    return f" (-Σ (({y}) * log({a}){f' + (1 - ({y})) * log(1 - ({a}))' if binary else ''}))"


def _layer(written: str) -> str:
    """Return the sign of a layer, a number or a letter such as l − 1."""
    layer = re.sub(r"\s", "", written.replace("ℓ", "l"))
    return f"⟦{layer}⟧" if layer.isdigit() or layer[0] not in "lLkK" else f"⟦[{layer}]⟧"


_RULES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    # signs
    (r"[−–—]|\\minus(?![a-z])", "-"),
    ("∗", "*"),
    (r"(?<![\w.^_/])1\s*([mnN])(?=\s*(?:d?[A-Z]|[ΣδΔ∂∇∑(]))", r"1/\1 "),  # a fraction, copied without its bar
    (r"(?<![A-Za-z\\])[gf](?=(?i:relu|softmax|sigmoid|tanh)(?![a-z]))", ""),  # and an index
    (r"<-+(?=\s)", "←"),
    (r"(?:delta|grad|\bd)_(?=[Ａ-ｚ])|\\(?:delta|partial)\s*(?=[Ａ-ｚ])", "d"),
    (r"½", "(1/2)"),
    (r"<sup>(\w+)</sup>\s*[/⁄]\s*<sub>(\w+)</sub>", r"\1/\2"),
    (r"<(su[bp])>(.*?)</\1>", lambda m: f"{'^' if m[1] == 'sup' else '_'}{{{m[2]}}}"),
    (r"\\(?:label|tag\*?|(?:text)?color|[hv]space\*?|[hv]?phantom)\s*\{[^{}]*\}", " "),
    (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|(?:no)?limits|nonumber|q?quad)(?![a-zA-Z])", " "),
    (r"\\[,;:! ]|~|&|\\underbrace|\\\\|\\$|`", " "),
    (
        r"\\(?:overline|bar)(?![a-z])\s*\{\s*(?:\\(?:math(?:bf|rm)|boldsymbol|bm|vec)\s*\{?)?\s*([A-Za-z])\s*\}?"
        r"\s*((?:_\s*\{?\w\}?)?)\s*\}",
        r"\\bar{\1}\2",
    ),
    (rf"{_WRAPPERS}\s*\{{([\w\s.\\-]*)\}}", r" \1"),
    (_WRAPPERS, " "),
    (r"\\[lr]brace(?![a-z])|\\[{}]|\\[lr]brack(?![a-z])", lambda m: "(" if m[0][1] in "l{" else ")"),
    (r"\\[lr]?Vert(?![a-z])|\\\||\|\||‖", "‖"),
    (r"‖([^‖]*)‖(?:_\{?[F2]\}?)?", r" norm(\1)"),
    (r"\*\*", "^"),
    (r"(?:\\cdot|·|\.)\s*\*", " .* "),
    (r"\^\s*\{\s*(?:\\circ|\\odot|∘|⊙)\s*(\d)\s*\}", r"^{\1}"),
    (r"\\prime(?![a-z])|[’ʹ′]", "'"),
    (r"\\(?:top|intercal)(?![a-z])|[⊤⊺]", "T"),
    (r"\\(?:wide)?hat(?![a-z])\s*(?:\{\s*([A-Za-z])\s*\}|(\{?)\s*([A-Za-z]))", r" \2\1\3ˆ"),
    (r"\\(?:wide)?(?:tilde|bar)(?![a-z])\s*\{?\s*([A-Za-z])\s*\}?", r" \1˜"),
    (r"(\\partial|\\delta|∂)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", r"\1 \2"),
    (r"\\[dtc]frac(?![a-z])", r"\\frac"),
    (r"\\frac\s*([^\s{\\])", r"\\frac{\1}"),
    (r"\\frac\s*(\{[^{}]*\})\s*([^\s{\\])", r"\\frac\1{\2}"),
    # programs
    (r"(?<![\w.])([\w.]{1,20})\s+if\s([^;]{1,80}?)\selse\s+([\w.]+)", r"where(\2, \1, \3)"),
    (r"\b(?:np|numpy|jnp|torch|tf|self|F|nn)\.(?:linalg\.|functional\.)?(?=[A-Za-z])", ""),
    (r"\.(?:astype|to|type)\([\w.]*\)|\.(?:float|copy|squeeze)\(\)|\.reshape\([^()]*\)", ""),  # the shapes decide
    (r"\b(?:params|parameters|grads|gradients|cache)\s*\[\s*['\"](\w+)['\"]\s*\]", r"\1"),
    # names
    (rf"{_NO_WORD}one[\\_\s-]*hot\s*(?:\(\s*[yY]\s*\)|_\s*[yY](?![A-Za-z]))", "Y"),
    (rf"{_NO_WORD}[yY]_\s*\{{?\s*(?:(?:one[\\_\s-]*)?hot|true)(?:\s*\}}|(?![A-Za-z]))", "Y"),
    (rf"{_NO_WORD}(?:grad|d)_[yY]_?(?:hat|pred)(?![A-Za-z])", "dYˆ"),
    (rf"{_NO_WORD}(d?)[yY]_?(?:hat|pred)(?![A-Za-z])", r"\1Yˆ"),
    (rf"{_NO_WORD}(?:[lL]earning[_ ]?[rR]ate|lr|step_size)(?![A-Za-z])", "α"),
    (rf"{_NO_WORD}delta(?![A-Za-z])", "δ"),
    (rf"{_NO_WORD}D(?=[WBZA](?![A-Za-z]))", "d"),
    (rf"{_NO_WORD}(d?)(?i:loss|cost|mse|bce)(?![A-Za-z])", r"\1J"),
    (rf"{_NO_WORD}h_\s*\{{?\s*(?:\\[tT]heta|[θΘWw])\s*\}}?\s*\(\s*[xX]\s*\)", "Yˆ"),
    (r"(?<![A-Za-z])(?i:leaky|l)[_ -]?(?i:relu)", "leakyrelu"),
    (rf"{_NO_WORD}({_ACTIVATION})(?:Gradient|Prime|Deriv(?:ative)?)(?![A-Za-z])", r"\1′"),
    (rf"{_NO_WORD}([A-Za-z]|[tT]heta)(\d?)_(?:grad|gradient)(?![A-Za-z])", r"d \1\2"),
    (rf"{_NO_WORD}(?:d_?|deriv(?:ative)?_|grad_)({_ACTIVATION})(?![A-Za-z_])", r"\1′"),
    (rf"{_NO_WORD}({_ACTIVATION}|g)_(?:prime|deriv(?:ative)?|grad|backward)(?![A-Za-z])", r"\1′"),
    (r"(?:\\nabla|∇)\s*_\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|([A-Za-z]\d?|\\[tT]heta|θ))\s*[JLCEℓ](?![A-Za-z])", r"∂\1\2"),
    (r"(?<![A-Za-z])grad[_ ]\{?([A-Za-z](?:_?\d)?)\}?", r"∂\1"),
    (rf"(?<![A-Za-z])([JLCE])\s*\({_ROUND}(?:,{_ROUND})*\)\s*(?==)", r"\1 "),
    (rf"(?<![A-Za-z])([JLC])\s*\({_ROUND},{_ROUND}\)", r"\1 "),
    (r"(?<=\w\])T(?![a-ce-z\d_^\[(}])", "ᵀ"),  # A[1]T
    (r"(?<![A-Za-z])(d?[A-Za-z]\d?|δ|∂[A-Za-z])\[\s*([\wℓ]\s*(?:[-+]\s*1)?)\s*\]", lambda m: m[1] + _layer(m[2])),
    (r"(?<![A-Za-z])(d?[WwbZzAa]|δ|\\?[tT]heta|[θΘ])\((\d)\)", r"\1⟦\2⟧"),
    (r"(?<=[A-Za-z]\d)T(?![A-Za-z0-9_^\[(])|(?<=[A-Z])T(?![\w(^])", "ᵀ"),
    (r"(?<![\w.])(\d+)([mnN])(?![A-Za-z(_^])", r"(\1 \2)"),
    (rf"{_NO_WORD}(B?)(?:CE|(?i:cross[_ -]?entropy))\s*\(([^(),]*),([^(),]*)\)", lambda m: _entropy(m[1], m[2], m[3])),
]


@cache
def _rules(names: tuple[str, ...]) -> list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]]:
    every = f"(?i:leakyrelu|{'|'.join(names)})"
    return [(re.compile(pattern.replace(_ACTIVATION, every)), new) for pattern, new in _RULES]


_SUM = re.compile(r"(?:\\(?:sum|Sigma)(?![a-z])|Σ|∑)\s*((?:[_^]\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?\w+)\s*)*)")
_BOUND = re.compile(r"_\s*(?:\{?\s*([a-z](?:\s*,\s*[a-z])*)\s*(?:=|\}|\\in|∈|$|[_^])|([a-z])(?!\w))")
_SCRIPT = re.compile(r"([_^])\s*(?:(\{)|(\[[^\[\]]*\]|\([\w+\- ]*\)|-?\d+|\\[A-Za-z]+|[a-z]{2,}(?![A-Za-z])|[^\s(]))")
_TIME = r"new|old|t|t\s*[-+]\s*1|\(\s*t(?:\s*[-+]\s*1)?\s*\)"
_STEP = re.compile(rf"{_TIME}|k\s*\+\s*1|updated|current|prev|next|\*|\\ast|\+|")
_TRANSPOSED = re.compile(r"(.*?)[\s,^{]*(T|\[T\]|\(T\)|')\s*\}?")
_TWO = re.compile(r"([\[(][\w+\- ]+[\])])[\s^]*([\w(\[][^^]*)")
_LAYER = re.compile(r"[\[({]?\s*(\d+|[lL]\s*(?:[-+]\s*1)?)\s*[\])}]?|\[\s*[kK]\s*(?:[-+]\s*1)?\s*\]")
_LAYERS_AS_POWERS = re.compile(
    r"(?:(?<![A-Za-z])d?[WwZzb]|δ|\\delta|^\s*d?[A-Za-z](?=[^=]*=))\s*\^\s*\{?\s*[1-9]\s*T?\s*(?![\d.])|[A-Za-z]\s*\^\s*\{?1\s*[T}\s=]"
)
_BARE = re.compile(r"(?:(?:^|[^A-Za-z\\])d?\s*[A-Za-z]ˆ?|δ|\\delta)\s*$")
_STANDING = re.compile(r"((?:d|δ|\\delta|∂)?\s*[A-Za-z]ˆ?\d*(?:⟦\w*⟧)?)\s*$")


def shown(spelt: str) -> str:
    """Write signs of the inner spelling as a person would."""
    for inner, outer in (("⟦", "^["), ("⟧", "]"), ("⟪", "_"), ("⟫", ""), ("′", "'"), ("ˆ", "^")):
        spelt = spelt.replace(inner, outer)
    return spelt


def core(text: str) -> tuple[str, list[Size]]:
    r"""Return a formula in the spelling of the grammar, and the sizes that stood in it as subscripts.

    >>> core(r"dW^{[2]}_{10 \times 10} = \mathbf{Z}_2^\top")[0]
    'dW⟦2⟧ =  Z⟦2⟧ᵀ'
    """
    text = re.sub(r"[\s⟦⟧⟪⟫]+", " ", text)
    text = re.sub(f"[{_RAISED[0]}]+", lambda m: f"^{{{m[0].translate(str.maketrans(*_RAISED))}}}", text)
    text = re.sub(f"[{_LOWERED[0]}]+", lambda m: f"_{{{m[0].translate(str.maketrans(*_LOWERED))}}}", text)
    for pattern, new in _rules(activations()):
        text = re.sub(pattern, new, text)
    text, sizes = _Scripts(_SUM.sub(_sum, text)).read()
    return re.sub(r"[⟦⟪][^⟧⟫]*[⟧⟫]|\\[A-Za-z]+|[A-Za-z]+", _spaced, text.replace("'", "′")).strip(), sizes


def _sum(match: re.Match[str]) -> str:
    """Σ with the letter it runs over; its bounds say nothing that the sizes do not."""
    bound = _BOUND.match(match[1])
    return f"Σ⟪{re.sub('[^a-z]', '', bound[1] or bound[2])}⟫ " if bound else "Σ "


def _spaced(match: re.Match[str]) -> str:
    word = match[0]
    if word[0] in "⟦⟪\\" or re.fullmatch(rf"{_WORDS}|d?[A-Za-z]", word) or _is_activation(word):
        return word
    if not _SYMBOLS.fullmatch(word):
        raise NotUnderstood(f"the word '{word}' is not known here")
    return " ".join(re.findall(r"d?[A-Za-z]", word))


class _Scripts:
    """The scripts of one formula: what each is depends on the others."""

    def __init__(self, text: str) -> None:
        self.text, self.sizes = text, list[Size]()
        self.layers = bool(_LAYERS_AS_POWERS.search(text))  # W^2 is a layer
        self.indices = {*"ijknst", *re.findall("(?<=⟪)[a-z]", text)}

    def read(self) -> tuple[str, list[Size]]:
        if self.text.count("{") > 200:
            raise NotUnderstood("it is longer than 200 brackets")
        return self.replaced(self.text), self.sizes

    def replaced(self, text: str) -> str:
        """Replace every script by what it is; a power stays where it is, in round brackets."""
        out, at = "", 0
        while match := _SCRIPT.search(text, at):
            out, at, above, body = out + text[at : match.start()], match.end(), match[1] == "^", match[3]
            if match[2]:
                depths = accumulate((c == "{") - (c == "}") for c in text[at - 1 :])
                length = next((i for i, depth in enumerate(depths) if depth == 0), None)
                if length is None:
                    raise NotUnderstood(f"the bracket after '{match[1]}' is not closed")
                body, at = text[at : at - 1 + length], at + length
            elif body[0] == "-" and not above:
                raise NotUnderstood(f"the subscript '{body}' is not known")
            mark = self.mark(above, body.strip(), out[-24:])
            out += "^" * (above and mark is None) + (f"({self.replaced(body)})" if mark is None else mark)
            if (mark or "")[:1] == "⟦" and body.strip()[-1:] in "])" and re.match(r"T(?![A-Za-z])", text[at:]):
                out, at = out + "ᵀ", at + 1  # A^[1]T
        return out + text[at:]

    def mark(self, above: bool, body: str, before: str, layers: bool = False) -> str | None:
        """Return the sign of one script, or None for a power, or a condition below 1."""
        if len(body) > 60:
            return None
        body = re.sub(r"\\ell(?![a-z])|ℓ", "l", re.sub(rf",\s*(?:{_TIME})$", "", body))
        if not above and (size := SIZE.fullmatch(body.strip("() "))):
            return self.size(size, before)
        if _STEP.fullmatch(body):
            return ""
        if above and (match := _TRANSPOSED.fullmatch(body)):
            inner = match[1].strip().removesuffix("^").strip()
            return ((self.mark(True, inner, before, True) or "") if inner else "") + ("′" if match[2] == "'" else "ᵀ")
        if above and (match := _TWO.fullmatch(body)):  # a^{[1](i)}, A^{[1]2}
            first, second = self.mark(True, match[1], before), self.mark(True, match[2], "]")
            return (first or "") + (f"^({match[2]})" if second is None else second)
        bracketed = body[:1] in ("[", "(")
        inner = body.strip("[]() ") if bracketed else body
        letters = re.sub(r"[,\s]|:\s*,|,\s*:", "", inner)  # :, i is the column i
        if _LAYER.fullmatch(body):
            name = re.sub(r"[\s()\[\]{}]", "", body)
            powers = above and not bracketed and name.isdigit()
            if not powers or (_BARE.search(before) and (layers or self.layers or name == "1")):
                return f"⟦{name}⟧" if name.isdigit() else f"⟦[{name}]⟧"
        if (
            letters
            and {*letters} <= self.indices
            and letters != "in"
            and len(letters) <= (3 if bracketed or not above else 1)
        ):
            return f"⟪{letters}⟫"
        if bracketed and re.fullmatch("[a-z]", inner):
            return f"⟦[{inner}]⟧" if inner in "lij" else f"⟦_{inner}⟧"
        if above and re.fullmatch(r"[A-KM-SU-Z](?:_?\d)?", body):  # no power: some layer, badly scanned
            return "⟦[l]⟧"
        if above or re.search(r"[<>≤≥]|\\[lg]e?q?", body):
            return None
        return self.below(inner)

    def below(self, body: str) -> str:
        """Return the sign of a subscript that is no layer, size or index alone: W_out, a_{2,k}."""
        if re.fullmatch(r"[A-Za-z]+\d*", body):
            return f"⟦_{body}⟧"
        if (match := re.fullmatch(r"(\d)\s*,\s*([a-z]{1,2})", body)) and {*match[2]} <= self.indices:
            return f"⟦{match[1]}⟧⟪{match[2]}⟫"
        raise NotUnderstood(f"the subscript '{body}' is not known")

    def size(self, size: re.Match[str], before: str) -> str:
        """Note a size that stands below a name; in i × 784 it is the i-th of them."""
        if index := {size[1], size[2]} & (self.indices - {"n"}):
            return f"⟪{size[1] if size[1] in index else size[2]}⟫"
        standing = _STANDING.search(before)
        self.sizes.append(Size(size[1], size[2], size[0], standing[1] if standing else ""))
        return ""
