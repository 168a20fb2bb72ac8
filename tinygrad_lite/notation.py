"""Notation: how an op is written on paper, from how its inputs are written: as text or as LaTeX, with the brackets needed.

The templates stand with the ops; here is what they have in common.  Pictures and equations are composed of these parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from string import Formatter
from typing import Any, Literal, NamedTuple, TypeAlias

from .op import ATOM, POWER, PRODUCT, SUM, UNARY, Op
from .tensor import Tensor, is_array

Notation: TypeAlias = Literal["text", "latex"]

# Finer than the table of ops: a > b binds weaker than a + b, and a b closer than a ⊙ b, closer than a / b, so that
# (a / b) ⊙ c and (a ⊙ b) c get brackets, which not every reader needs, but some do.
RELATION, QUOTIENT, JUXTAPOSED = SUM - 1, PRODUCT - 0.25, PRODUCT + 0.5
NAME_LIMIT = 24
SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPT = str.maketrans("0123456789−()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁽⁾")
_LATEX = str.maketrans({"−": "-", "∞": r"\infty", "…": r"\dots", "_": r"\_", "#": r"\#", "%": r"\%", "&": r"\&"})


class Part(NamedTuple):
    """A written part of a formula; `head` and `tail` tell how strongly it holds together before and after it.

    A `scalar` stands before what it multiplies, without a sign between: 2 x, 1/m dZ.
    """

    text: str
    head: float = ATOM
    tail: float = ATOM
    scalar: bool = False


def compose(op: Op, params: Mapping[str, Any], parts: Sequence[Part], notation: Notation = "text") -> Part:
    """Write one op from its written inputs, with the brackets that its template and precedence demand.

    >>> from tinygrad_lite.op import REGISTRY
    >>> compose(REGISTRY["matmul"], {}, [Part("a + b", SUM, SUM), Part("c")]).text
    '(a + b) c'
    """
    template = op.text if notation == "text" else op.latex
    settings = {name: setting(value, notation) for name, value in {**op.defaults, **params}.items()}
    if op.name == "transpose" and settings["axes"] != "None":  # not the one that is written xᵀ
        name = op.name if notation == "text" else rf"\mathrm{{{op.name}}}"
        return Part(f"{name}({parts[0].text}, {settings['axes']})")
    if op.variadic:
        texts = [part.text for part in parts]
        dots = "…" if notation == "text" else r"\dots"
        listed = ", ".join(texts[:4] + [dots] * (len(texts) > 5) + texts[4:][-1:])
        return Part(template.format(listed, **settings))
    if template == "{0}":
        return parts[0]
    if op.name == "mul" and parts[0].scalar != parts[1].scalar:  # 2 x for x ⊙ 2
        a, b = sorted(parts, key=lambda part: part.scalar, reverse=True)
        b = _bracket(b, b.head < JUXTAPOSED or b.text[0].isdigit())
        return Part(f"{a.text} {b.text}", min(JUXTAPOSED, a.head), min(JUXTAPOSED, b.tail))
    if op.name == "mul" and parts[0].scalar:  # 2 m
        a, b = parts
        return Part(f"{a.text} {b.text}", min(JUXTAPOSED, a.head), min(JUXTAPOSED, b.tail), scalar=True)
    if op.name == "neg" and parts[0].scalar and parts[0].head >= QUOTIENT:  # −1/m
        sign = "−" if notation == "text" else "-"
        return Part(f"{sign}{parts[0].text}", SUM, parts[0].tail, scalar=True)
    if op.name == "div" and parts[1].scalar and notation == "text":  # 1/m, (A − Y)/m
        a, b = _bracket(parts[0], parts[0].tail < UNARY), _bracket(parts[1], parts[1].head < UNARY)
        return Part(f"{a.text}/{b.text}", QUOTIENT, QUOTIENT, parts[0].scalar)
    if op.name == "pow" and re.fullmatch(r"−?\d+", parts[1].text) and notation == "text":  # x² for x^2
        a = _bracket(parts[0], parts[0].tail <= POWER or parts[0].text[-1] == "⁾")
        return Part(a.text + parts[1].text.translate(_SUPERSCRIPT), min(POWER, a.head), POWER, a.scalar)
    if notation == "latex" and template.startswith("{0}^"):
        if op.name == "transpose" and (m := LAYERED.fullmatch(parts[0].text)):
            return Part(f"{m[1]}T}}")
        first = _bracket(parts[0], "^" in parts[0].text and parts[0].tail >= POWER)
        parts = [first, *parts[1:]]
    return _between(op, template, settings, list(parts))


def _between(op: Op, template: str, settings: dict[str, str], parts: list[Part]) -> Part:
    """Fill a template; what stands at its ends is bracketed where it binds weaker than the op."""
    first, last, between = _ends(template)
    strength = {" ": JUXTAPOSED, " / ": QUOTIENT}.get(between, op.precedence if op.vjps else RELATION)
    scalar = all(part.scalar for part in parts) and op.name in _SCALAR
    head, tail = float(ATOM), float(ATOM)
    if first is not None:  # a + …, xᵀ, x[0]: left to right, but a^b^c and a > b > c say nothing
        strict = strength in (POWER, RELATION)
        a = parts[first] = _bracket(parts[first], parts[first].tail < strength + 0.5 * strict)
        head, tail = min(strength, a.head), strength
    if last is not None:
        prefix = first is None  # −x, Σ x: it may be read as to reach further
        demanded = strength if prefix else UNARY if strength == QUOTIENT else strength + 0.5
        b = parts[last] = _bracket(parts[last], parts[last].head < demanded)
        tail = min(strength - prefix, b.tail)
        head = (SUM if template[0] in "+−-" else UNARY) if prefix else head
    return Part(template.format(*[part.text for part in parts], **settings), head, tail, scalar)


LAYERED = re.compile(r"((?:d?[^\W\d_]|\\\w+(?:\{[^{}]*\})?)\^\{\[[^{}]*\])\}")  # one name with a layer: W^{[1]}
_SCALAR = {"mul", "div", "neg", "pow", "sqrt", "add", "sub"}


def _bracket(part: Part, needed: bool) -> Part:
    return Part(f"({part.text})", scalar=part.scalar) if needed else part


@cache
def _ends(template: str) -> tuple[int | None, int | None, str]:
    """Return the input that the template begins with, the one it ends with, and the text between two such."""
    pieces = list(Formatter().parse(template))
    begin, end = pieces[0], pieces[-1]
    first = int(begin[1]) if begin[0] == "" and begin[1] and begin[1].isdigit() else None
    last = int(end[1]) if end[1] and end[1].isdigit() and (first is None or len(pieces) > 1) else None
    return first, last, end[0] if len(pieces) == 2 and first is not None else ""


def number(x: Any, notation: Notation = "text") -> Part:
    """Write a number: a fraction with four significant digits.

    >>> number(-0.5).text, number(1e-7).text, number(1e-7, "latex").text
    ('−0.5', '1e−7', '10^{-7}')
    """
    if isinstance(x, float):
        text = str(int(x)) if x.is_integer() and abs(x) < 1e6 else f"{x:.4g}"
        text = re.sub(r"e([+-])0*", r"e\1", text).replace("e+", "e").replace("inf", "∞")
    else:
        text = str(x)
    text = text.replace("-", "−")
    negative = text[0] == "−"
    if notation == "latex":
        text = re.sub(r"(.*)e(.*)", r"\1 \\cdot 10^{\2}", text).translate(_LATEX)
        text = re.sub(r"^(-?)1 \\cdot ", r"\1", text)
    return Part(text, SUM, UNARY, scalar=True) if negative else Part(text, scalar=True)


def pretty(name: str) -> str:
    """Write a name as on paper: W₁ for W1, y⁽²⁾ for the second tensor named y; on one line, and not too long.

    >>> pretty("W1"), pretty("b_12"), pretty("y#2"), pretty("encoder.W")
    ('W₁', 'b₁₂', 'y⁽²⁾', 'encoder.W')
    """
    name = one_line(name)
    name, repeat = m.groups() if (m := re.fullmatch(r"(.+)#(\d+)", name)) else (name, "")
    if len(name) > NAME_LIMIT:
        name = f"{name[: NAME_LIMIT // 2]}…{name[1 - NAME_LIMIT // 2 :]}"
    name = re.sub(r"(?<=[^\W\d_])_?([0-9]+)$", lambda m: m[1].translate(SUBSCRIPT), name)
    return name + f"({repeat})".translate(_SUPERSCRIPT) if repeat else name


def layered(name: str) -> str:
    r"""Write a name in LaTeX as the notes do, the number of its layer as a superscript in brackets.

    >>> layered("W1"), layered("dZ2"), layered("m"), layered("alpha"), layered("unfold1.bias")
    ('W^{[1]}', 'dZ^{[2]}', 'm', '\\alpha', '\\mathrm{unfold1.bias}')
    """
    name = one_line(name)
    letters, layer = m.groups() if (m := re.fullmatch(r"(d?[^\W\d_])_?(\d+)", name)) else (name, "")
    if letters in GREEK:
        letters = "\\" + GREEK[letters]
    elif not re.fullmatch(r"d?[^\W\d_]", letters):
        letters = rf"\mathrm{{{letters.translate(_LATEX)}}}"
    return f"{letters}^{{[{layer}]}}" if layer else letters


GREEK = {"alpha": "alpha", "α": "alpha", "eta": "eta", "η": "eta", "lambda": "lambda", "λ": "lambda"}


def one_line(text: str) -> str:
    """Return text on one line, without control characters.

    >>> one_line("\\n a\\tb\\x00")
    'a b'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def setting(value: Any, notation: Notation = "text") -> str:
    """Write a parameter of an op: an axis, a shape, an index."""
    if isinstance(value, slice):
        ends = ("" if x is None else setting(x, notation) for x in (value.start, value.stop))
        return ":".join(ends) + (f":{setting(value.step, notation)}" if value.step is not None else "")
    if isinstance(value, tuple) and value and all(isinstance(x, Tensor) or is_array(x) for x in value):
        value = value[0]
    if isinstance(value, tuple):
        return ", ".join(setting(x, notation) for x in value)
    if isinstance(value, Tensor) or is_array(value):
        return "mask" if value.dtype.kind == "b" else "indices"
    if isinstance(value, float | int) and value is not True and value is not False:
        return number(value, notation).text
    text = "…" if value is Ellipsis else str(value)
    text = text if len(text) <= NAME_LIMIT else text[:NAME_LIMIT] + "…"
    return text if notation == "text" else text.translate(_LATEX)
