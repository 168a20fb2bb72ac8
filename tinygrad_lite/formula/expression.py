"""Expression: a formula as a tree of ops, and how it is written; derived and handwritten equations share it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from ..notation import Notation, Part, compose, layered, number, setting
from ..op import REGISTRY, apply
from ..tensor import is_array


@dataclass(frozen=True)
class Name:
    """A tensor, or with `scalar` a number that bears a name: a size such as m, the learning rate α."""

    text: str
    scalar: bool = False


@dataclass(frozen=True)
class Number:
    """A number in a formula."""

    value: int | float | Fraction


@dataclass(frozen=True)
class Apply:
    """An op of the registry, by its name, on expressions; `params` are its axes, shapes and the like.

    A name that no op bears is that of a function, such as an activation g that is not said to be one of the ops.  With a
    prime it is a derivative: "relu'", "sigmoid'", "g'".
    """

    op: str
    inputs: tuple[Expression, ...]
    params: tuple[tuple[str, Any], ...] = ()


Expression: TypeAlias = Name | Number | Apply


class Setting:
    """A parameter of an op that has no hash of its own, an array, a slice or an index of such, as one that has."""

    def __init__(self, value: Any, name: str = "") -> None:
        self.value, self.name, self._key = value, name, _key(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Setting) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        return self.name or setting(self.value)


class Size(int):
    """A number that is written as the size it stands for, such as m or 4m."""

    text: str

    def __new__(cls, value: int, text: str) -> Size:  # noqa: D102
        size = super().__new__(cls, value)
        size.text = text
        return size

    def __str__(self) -> str:
        return self.text


def hashable(value: Any) -> Any:
    """Return a parameter of an op as something that can be compared and hashed."""
    if isinstance(value, list | tuple) and not all(map(is_array, value)):
        return tuple(hashable(x) for x in value)
    if isinstance(value, dict):
        return tuple((name, hashable(x)) for name, x in sorted(value.items()))
    if is_array(value) or isinstance(value, slice) or (isinstance(value, list | tuple) and len(value)):
        return Setting(value)
    return value


def _key(value: Any) -> Any:
    if isinstance(value, slice):
        return value.start, value.stop, value.step
    if isinstance(value, list | tuple):
        return tuple(map(_key, value))
    return value.shape, value.dtype.str, value.tobytes()


def evaluate(tree: Expression, values: Mapping[str, Any]) -> Any:
    """Return the value of a tree, an array, from those of its names.

    >>> evaluate(Apply("square", (Apply("sum", (Name("A"),)),)), {"A": np.arange(3)})
    array(9)
    """
    match tree:
        case Name(text):
            return values[text]
        case Number(value):
            return np.asarray(float(value))
        case Apply(op, inputs, params):
            settings = {name: _unwrapped(value) for name, value in params}
            made = [evaluate(part, values) for part in inputs]
            return apply(REGISTRY[op], made, {**REGISTRY[op].defaults, **settings}).numpy()


def _unwrapped(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_unwrapped, value))
    return value.value if isinstance(value, Setting) else value


def parts_of(tree: Expression) -> Iterator[Expression]:
    """Yield a tree and all that is in it, outermost first.

    >>> [part.text for part in parts_of(Apply("add", (Name("Z"), Name("b")))) if isinstance(part, Name)]
    ['Z', 'b']
    """
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, Apply):
            waiting += part.inputs[::-1]


def replaced(tree: Expression, rule: Callable[[Expression], Expression | None]) -> Expression:
    """Return a tree with every part, the innermost first, exchanged for what the rule returns, where that is not None.

    >>> write(replaced(Name("A"), lambda part: Name("B") if part == Name("A") else None))
    'B'
    """
    if isinstance(tree, Apply):
        tree = Apply(tree.op, tuple(replaced(part, rule) for part in tree.inputs), tree.params)
    found = rule(tree)
    return tree if found is None else found


def write(tree: Expression, notation: Notation = "text") -> str:
    r"""Write a tree as on paper.

    >>> product = Apply("matmul", (Name("dZ2"), Apply("transpose", (Name("A1"),))))
    >>> mean = Apply("mul", (Apply("div", (Number(1), Name("m", scalar=True))), product))
    >>> print(write(mean)), print(write(mean, "latex"))
    1/m dZ2 A1ᵀ
    \frac{1}{m} dZ^{[2]} A^{[1]T}
    (None, None)
    >>> write(Apply("sigmoid'", (Name("Z1"),))), write(Apply("g'", (Name("Z1"),)))
    ("σ'(Z1)", "g'(Z1)")
    """
    text = _written(tree, notation).text
    return WORD.sub(r"\1 \\, ", text) if notation == "latex" else text


# A word and the factor after it, between which LaTeX leaves no space: theta x is not thetax.
WORD = re.compile(
    r"(\\mathrm\{[^{}]*\}(?:\^(?:\w|\{[^{}]*\}))?) (?=[\w(\\])(?!\\(?:odot|otimes|star|ast|cdot|ge|le|ne)\b)"
)


def in_latex(name: str) -> str:
    r"""Write a name in LaTeX: Greek letters by their commands, the second of several x as x^{(2)}.

    >>> in_latex("W1"), in_latex("β"), in_latex("dλ2"), in_latex("x⁽²⁾")
    ('W^{[1]}', '\\beta', 'd\\lambda^{[2]}', 'x^{(2)}')
    """
    if m := re.fullmatch("(.*)⁽(.*)⁾", name):
        return f"{in_latex(m[1])}^{{({m[2].translate(_DIGITS)})}}"
    if m := re.fullmatch(r"(d?)([α-ωΑ-Ω])(\d*)", name):
        _, size, _, letter = unicodedata.name(m[2]).replace("LAMDA", "LAMBDA").split(" ", 3)
        command = "\\" + (letter.lower() if size == "SMALL" else letter.title())
        return f"{m[1]}{command}" + f"^{{[{m[3]}]}}" * bool(m[3])
    return layered(name)


_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def _written(tree: Expression, notation: Notation) -> Part:
    match tree:
        case Name(text, scalar):
            return Part(in_latex(text) if notation == "latex" else text, scalar=scalar)
        case Number(Fraction() as value):
            whole = Apply("div", (Number(value.numerator), Number(value.denominator)))
            return number(value.numerator, notation) if value.denominator == 1 else _written(whole, notation)
        case Number(value):
            return number(value, notation)
        case Apply(op, inputs, params) if op.rstrip("'") not in REGISTRY:
            return Part(f"{op}({', '.join(write(part, notation) for part in inputs)})")
        case Apply(op, inputs, params) if op.endswith("'"):
            written = _written(Apply(op.rstrip("'"), inputs, params), notation)
            return Part(written.text.replace("(", "'(", 1))
        case Apply("swapaxes", (inner,), (("axis1", -2), ("axis2", -1))):  # a stack of matrices, each transposed
            return compose(REGISTRY["transpose"], {}, [_written(inner, notation)], notation)
        case Apply("broadcast_to", (Number(0 | 1 as value),), (("shape", shape),)):
            name = "ones" if value else "zeros"
            name = name if notation == "text" else rf"\mathrm{{{name}}}"
            return Part(f"{name}({setting(shape, notation)})")
        case Apply(op, inputs, params):
            return compose(REGISTRY[op], dict(params), [_written(part, notation) for part in inputs], notation)


def renamed(tree: Expression, names: Mapping[str, str]) -> Expression:
    """Return an expression with other names."""

    def rule(part: Expression) -> Expression | None:
        return Name(names[part.text], part.scalar) if isinstance(part, Name) and part.text in names else None

    return replaced(tree, rule)
