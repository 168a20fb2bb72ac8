r"""core: a formula in LaTeX, Unicode or Python → one spelling, which the grammar reads.

Decorations go, and scripts are told apart: `^{[1]T}` is a layer and a transpose (⟦1⟧ᵀ), `_{i}` an index (⟪i⟫), `^2` a power,
`_{10 \times m}` a stated size.
"""

from __future__ import annotations

import re

from .statement import Size


class NotUnderstood(ValueError):  # noqa: N818 -- what is said of a formula, rather than an error of the program
    """A formula that cannot be read; says where, and what was expected."""


EXTENT = (
    r"(?:\d+|[a-zA-Z](?:_\{?\w+\}?|\^\{?[\[(]\w+[\])]\}?|\d)?|inputs|hidden|classes|samples|features|outputs|batch)"
)
TIMES = r"\s*(?:\\times|\\cdot|[x×X*✕])\s*"
SIZE = re.compile(rf"(?<![\w.×])({EXTENT})(?:{TIMES})({EXTENT})(?![\w×]|\s*\\times|\s*×)")

_NAMES = (
    r"relu|softmax|softplus|sigmoid|logistic|tanh|elu|gelu|silu|swish|identity|leakyrelu|logsoftmax|exp|log|ln|sqrt|max|"
    r"maximum|min|minimum|abs|sign|sum|mean|dot|matmul|outer|multiply|square|power|where|transpose|norm|step"
)
_GREEK = "alpha|eta|lambda|epsilon|gamma|beta|mu|rho|theta"
_CAPITALS = "[WXAZYHUVJLCbTDPQ]"
_SYMBOLS = re.compile(
    rf"[A-Za-z]|d[A-Za-z]|(?:d?{_CAPITALS}){{1,4}}T?|W[axhz]|[axh]W|w[axh]|[axhz]w|mn|(?:{_NAMES})|(?:{_GREEK})|axis|keepdims?|"
    r"dim|True|False|None|ReLU|Relu|RELU|SOFTMAX|Softmax|SoftMax|Sigmoid|SIGMOID|Tanh|TANH|LeakyReLU|LeakyRelu|LEAKYRELU|ELU|"
    r"GELU|SiLU|Softplus|SoftPlus|Log|LogSoftmax|leaky|Leaky|dtype|float|Identity"
)
_UNDERSCORED = re.compile(
    r"(?:(?:leaky|log|d|deriv|derivative|grad)_)?(?:relu|softmax|sigmoid|tanh|g|act|activation)(?:_(?:prime|deriv|derivative|grad|"
    r"backward))?|[yY]_?(?:hat|pred|true)|lr|learning_rate|step_size|delta|d?(?:loss|cost|mse|bce)|grad_[Wwb]\d?|[yY]pred|"
    r"(?:np|numpy|torch|self|params|grads|parameters|cache|jnp)|d?[WwbZzAaXxhH]_\w+|d?[A-Za-z]_[A-Za-z]{1,3}|(?:d)?[WwbZzAaXxhH]\d?_?T",
    re.IGNORECASE,
)


def is_symbolic(word: str) -> bool:
    """Whether a run of letters belongs to a formula rather than to the words around it.

    >>> [is_symbolic(word) for word in ("dWX", "ReLU", "relu_deriv", "the", "layer")]
    [True, True, True, False, False]
    """
    return bool(_SYMBOLS.fullmatch(word) or _UNDERSCORED.fullmatch(word))


_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ᵢⱼₖₗₙₘₕₓ", "0123456789+-()ijklnmhx")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀᵗˡⁱᴸ′", "0123456789+-()TtliL'")
_WRAPPERS = (
    r"\\(?:mathbf|boldsymbol|bm|mathrm|text|textbf|textrm|textit|texttt|operatorname\*?|mathit|mathsf|mathcal|boxed|mbox|"
    r"underline|overline|vec|rm|bf|pmb|mathbb|mathscr|hbox|mathop|ensuremath|textsf)(?![a-z])"
)
_LEARNING = r"(?<![A-Za-z\\])(?:learning[_ ]rate|lr|step_size)(?![A-Za-z])"
_RULES = [
    (re.compile(pattern), new)
    for pattern, new in (
        (r"[−–—]|\\minus(?![a-z])", "-"),
        (r"½", "(1/2)"),
        (r"\\over(?:set|brace)\s*\{[^{}]*\}\s*\{\s*=\s*\}|\\stackrel\s*\{[^{}]*\}\s*\{\s*=\s*\}", "="),
        (r"\\(?:label|tag\*?|color|hspace\*?|vspace|phantom)\s*\{[^{}]*\}|\\textcolor\s*\{[^{}]*\}", " "),
        (r"\\underbrace", ""),
        (
            r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|nolimits|nonumber|quad|qquad)(?![a-zA-Z])",
            " ",
        ),
        (r"\\[,;:! ]|~|&|\\\\|\\$|`", " "),
        (
            r"\\mathbb\s*\{?\s*[1I]\s*\}?|𝟙|\\mathbf\s*\{\s*1\s*\}|\\mathds\s*\{\s*1\s*\}|\b[1I](?=\s*(?:\\\{|_\s*\{))",
            "𝟙",
        ),
        (rf"{_WRAPPERS}\s*\{{([\w\s.\\-]*)\}}", r" \1"),
        (_WRAPPERS, " "),
        (r"\\[lr]brace(?![a-z])|\\[{}]|\\[lr]brack(?![a-z])", lambda m: "(" if m[0][1] in "l{" else ")"),
        (r"\\(?:lVert|rVert|Vert|Vert|\|)(?![a-z])|\|\||‖", "‖"),
        (r"\\(?:lvert|rvert|vert)(?![a-z])", "|"),
        (r"‖([^‖]*)‖(?:_\{?[F2]\}?)?", r" norm(\1)"),
        (r"\|([^|]*)\|", r" abs(\1)"),
        (r"\*\*", "^"),
        (r"\\(?:prime)(?![a-z])|’|ʹ|′", "'"),
        (r"\\(?:top|intercal|mathsf\s*\{?T\}?)(?![a-z])|⊤|⊺", "T"),
        (r"\\[dtc]frac(?![a-z])", r"\\frac"),
        (r"\\(?:wide)?hat(?![a-z])\s*\{\s*([A-Za-z])\s*\}", r" \1ˆ"),
        (r"\\(?:wide)?hat(?![a-z])\s*\{\s*([A-Za-z])", r"{\1ˆ"),
        (r"\\(?:wide)?hat(?![a-z])\s*([A-Za-z])", r" \1ˆ"),
        (r"\\(?:wide)?(?:tilde|bar)(?![a-z])\s*\{?\s*([A-Za-z])\s*\}?", r" \1˜"),
        (r"\\frac\s*([^\s{\\])\s*([^\s{\\])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*([^\s{\\])\s*(?=\{)", r"\\frac{\1}"),
        (r"\\frac\s*(\{[^{}]*\})\s*([^\s{\\])", r"\\frac\1{\2}"),
        (r"\b(?:np|numpy|jnp|torch|tf|self|F|nn)\.(?:linalg\.|functional\.)?(?=[A-Za-z])", ""),
        (r"\b(?:params|parameters|grads|gradients|cache)\s*\[\s*['\"](\w+)['\"]\s*\]", r"\1"),
        (_LEARNING, "α"),
        (r"(?<![A-Za-z\\])delta(?![A-Za-z])", "δ"),
        (r"(?i:leaky)[_ -]?(?i:relu)", "leakyrelu"),
        (r"(?i:log)_softmax", "logsoftmax"),
        (
            r"(?<![A-Za-z\\])(?:d_?|deriv(?:ative)?_|grad_)((?i:relu|sigmoid|tanh|leakyrelu|softplus|softmax))(?![A-Za-z_])",
            r"\1′",
        ),
        (
            r"(?<![A-Za-z\\])((?i:relu|sigmoid|tanh|leakyrelu|softplus|softmax)|g)_(?:prime|deriv(?:ative)?|grad|backward)"
            r"(?![A-Za-z])",
            r"\1′",
        ),
        (r"(?<![A-Za-z])(d?)[yY]_?(?:hat|pred)(?![A-Za-z])", r"\1Yˆ"),
        (r"(?<![A-Za-z])[yY]_true(?![A-Za-z])", "Y"),
        (r"(?<![A-Za-z\\])(d?)(?i:loss|cost|mse|bce)(?![A-Za-z])", r"\1J"),
        (r"(\\nabla|∇)\s*_\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*[JLCEℓ](?![A-Za-z])", r"∂\2"),
        (r"(\\nabla|∇)\s*_\s*([A-Za-z]\d?)\s*[JLCEℓ](?![A-Za-z])", r"∂\2"),
        (r"(?<![A-Za-z])grad[_ ]\{?([A-Za-z](?:_?\d)?)\}?", r"∂\1"),
        (r"(?<![A-Za-z])([JLCE])\s*\((?:[^()=]|\([^()=]*\))*\)\s*(?==)", r"\1 "),
        (r"(?<![A-Za-z])([JLC])\s*\((?:[^()=,]|\([^()=]*\))*,(?:[^()=]|\([^()=]*\))*\)", r"\1 "),
        (r"(?<![A-Za-z])(d?[A-Za-z]\d?)\[\s*(\w(?:[-+]1)?)\s*\]", r"\1⟦\2⟧"),
        (r"(?<![A-Za-z])(d?[WwbZzAa])\((\d)\)", r"\1⟦\2⟧"),
        (r"(?<=[A-Za-z]\d)T(?![A-Za-z0-9_^\[(])|(?<=[A-Z])T(?![\w(^])", "ᵀ"),
        (r"(?<![\w.])(\d+)([mnN])(?![A-Za-z(_^])", r"(\1 \2)"),
    )
]
_SUM = re.compile(r"(?:\\sum(?![a-z])|Σ|∑)\s*((?:[_^]\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?\w+)\s*)*)")
_SCRIPT = re.compile(r"([_^])\s*(?:(\{)|(\[[^\[\]]*\]|\([\w+\- ]*\)|-?\d+|\\[A-Za-z]+|[a-z]{2,}(?![A-Za-z])|[^\s(]))")
_STEP = re.compile(
    r"new|old|t|t\s*[-+]\s*1|k\s*\+\s*1|\(\s*t(?:\s*[-+]\s*1)?\s*\)|updated|current|prev|next|\*|\\ast|\+|"
)
_TRANSPOSED = re.compile(r"(.*?)[\s,^{]*(T|\[T\]|\(T\)|')\s*\}?")
_LAYER = re.compile(r"[\[({]?\s*(\d+|[lL]\s*(?:[-+]\s*1)?)\s*[\])}]?")
_LAYERS_AS_POWERS = re.compile(
    r"(?:(?<![A-Za-z])d?[WwZzb]|δ|\\delta|^\s*d?[A-Za-z](?=[^=]*=))\s*\^\s*\{?\s*[1-9]\s*T?\s*(?![\d.])|[A-Za-z]\s*\^\s*\{?1\s*[T}\s=]"
)
_BARE = re.compile(r"(?:(?:^|[^A-Za-z\\])d?\s*[A-Za-z]ˆ?|δ|\\delta)\s*$")
_STANDING = re.compile(r"((?:d|δ|\\delta|∂)?\s*[A-Za-z]ˆ?\d*(?:⟦\w*⟧)?)\s*$")


def shown(spelt: str) -> str:
    """Write signs of the inner spelling as a person would."""
    for inner, outer in (("⟦", "^["), ("⟧", "]"), ("⟪", "_"), ("⟫", ""), ("′", "'"), ("ˆ", "^"), ("\x01", "")):
        spelt = spelt.replace(inner, outer)
    return spelt


def core(text: str) -> tuple[str, list[Size]]:
    r"""Return a formula in the spelling of the grammar, and the sizes that stood in it as subscripts.

    >>> core(r"dW^{[2]}_{10 \times 10} = \mathbf{Z}_2^\top")[0]
    'dW⟦2⟧ =  Z⟦2⟧ᵀ'
    """
    text = re.sub(r"[\s⟦⟧⟪⟫]+", " ", text)
    text = re.sub("[₀-₎ᵢⱼₖₗₙₘₕₓ]+", lambda m: f"_{{{m[0].translate(_SUBSCRIPTS)}}}", text)
    text = re.sub("[⁰¹²³⁴-⁹⁺⁻⁽⁾ᵀᵗˡⁱᴸ]+", lambda m: f"^{{{m[0].translate(_SUPERSCRIPTS)}}}", text)
    for pattern, new in _RULES:
        text = pattern.sub(new, text)
    text, sizes = _scripts(_SUM.sub(_sum, text))
    return re.sub(r"[⟦⟪][^⟧⟫]*[⟧⟫]|\\[A-Za-z]+|[A-Za-z]+", _spaced, text).strip(), sizes


def _sum(match: re.Match[str]) -> str:
    """Σ with the letter it runs over; its bounds say nothing that the sizes do not."""
    bound = re.match(r"_\s*\{?\s*([a-z](?:\s*,\s*[a-z])*)\s*(?:=|\}|\\in|∈|$|[_^])", match[1] + " ")
    alone = re.match(r"_\s*([a-z])(?!\w)", match[1])
    letters = bound[1] if bound else alone[1] if alone else ""
    return f"Σ⟪{re.sub(r'[^a-z]', '', letters)}⟫ " if letters else "Σ "


def _spaced(match: re.Match[str]) -> str:
    word = match[0]
    if word[0] in "⟦⟪\\":
        return word
    if not _SYMBOLS.fullmatch(word):
        raise NotUnderstood(f"the word '{word}' is not known here")
    if re.fullmatch(rf"(?i:{_NAMES}|{_GREEK})|axis|keepdims?|dim|dtype|float|True|False|None|d?[A-Za-z]", word):
        return word
    return " ".join(re.findall(r"d?[A-Za-z]", word))


def _scripts(text: str) -> tuple[str, list[Size]]:
    """Replace every script by what it is; a power stays where it is, in round brackets."""
    closing, stack = {}, []
    for i, sign in enumerate(text):
        if sign == "{":
            stack.append(i)
        elif sign == "}" and stack:
            closing[stack.pop()] = i
    layers = bool(_LAYERS_AS_POWERS.search(text))
    indices = {*"ijknst", *re.findall("(?<=⟪)[a-z]", text)}
    out: list[str] = []
    sizes: list[Size] = []
    ends: set[int] = set()
    at = 0
    while at < len(text):
        match = _SCRIPT.match(text, at)
        if not match:
            out.append(")" if at in ends else text[at])
            at += 1
            continue
        begin, end = match.start(3), match.end(3)
        if match[2]:
            begin = match.end(2)
            end = closing.get(begin - 1, -1)
            if end < 0:
                raise NotUnderstood(f"the bracket after '{match[1]}' is not closed")
        before = "".join(out[-24:])
        body = text[begin:end].strip()
        if not match[2] and body[0] == "-" and match[1] == "_":
            raise NotUnderstood(f"the subscript '{body}' is not known")
        mark = _mark(match[1] == "^", body, before, layers, indices, sizes)
        if mark is not None:
            out.append(mark)
            at = end + bool(match[2])
            if mark.startswith("⟦") and body[-1:] in "])" and re.match(r"T(?![A-Za-z])", text[at:]):  # A^[1]T
                out.append("ᵀ")
                at += 1
        elif match[2]:
            out.append("^(" if match[1] == "^" else "(")
            ends.add(end)
            at = begin
        else:
            out.append(f"^({body})")
            at = end
    return re.sub(r"'", "′", "".join(out)), sizes


def _mark(above: bool, body: str, before: str, layers: bool, indices: set[str], sizes: list[Size]) -> str | None:
    """Return the sign of one script, or None for a power, or a condition below 1."""
    if len(body) > 60:
        return None
    body = re.sub(r",\s*(?:new|old|t|t\s*[-+]\s*1|\(t\))$", "", body)
    size = SIZE.fullmatch(body.strip("() ")) if not above else None
    if size:
        if {size[1], size[2]} & (indices - {"n"}):  # i × 784: the i-th of them
            return f"⟪{size[1] if size[1] in indices else size[2]}⟫"
        standing = _STANDING.search(before)
        sizes.append(Size(size[1], size[2], body, standing[1] if standing else ""))
        return ""
    if _STEP.fullmatch(body):
        return ""
    transposed = _TRANSPOSED.fullmatch(body) if above else None
    if transposed:
        inner = transposed[1].strip().removesuffix("^").strip()
        rest = (_mark(True, inner, before, True, indices, sizes) or "") if inner else ""
        return rest + ("ᵀ" if transposed[2] != "'" else "′")
    if above and (two := re.fullmatch(r"([\[(][\w+\- ]+[\])])\s*([\[(][\w+\- ]+[\])])", body)):  # a^{[1](i)}
        return "".join(_mark(True, part, before, layers, indices, sizes) or "" for part in two.groups())
    bracketed = body[:1] in ("[", "(")
    inner = body.strip("[]() ") if bracketed else body
    letters = re.sub(r"[,\s]", "", inner)
    layer = _LAYER.fullmatch(body)
    if layer and (
        bracketed or not above or not layer[1].isdigit() or (_BARE.search(before) and (layers or layer[1] == "1"))
    ):
        name = re.sub(r"\s", "", layer[1])
        return f"⟦{name}⟧" if name.isdigit() else f"⟦[{name}]⟧"
    if letters and set(letters) <= indices and len(letters) <= 3 and (bracketed or not above or len(letters) == 1):
        return f"⟪{letters}⟫"
    if bracketed and re.fullmatch(r"[a-z]", inner):
        return f"⟦[{inner}]⟧"
    if above and re.fullmatch(r"[A-KM-SU-Z](?:_?\d)?", body):  # no power: some layer, badly scanned
        return "⟦[l]⟧"
    if above or re.search(r"[<>≤≥]|\\[lg]e?q?", body):
        return None
    if re.fullmatch(r"[A-Za-z]+\d*", inner):
        return f"⟦_{inner}⟧"
    raise NotUnderstood(f"the subscript '{body}' is not known")
