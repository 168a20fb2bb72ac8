"""Expression: a formula as a tree of ops, and how it is written; derived and handwritten equations share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from ..notation import Notation, Part, compose, layered, number
from ..op import REGISTRY


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


def parts_of(tree: Expression) -> Iterator[Expression]:
    """Yield a tree and all that is in it, outermost first.

    >>> [part.text for part in parts_of(Apply("add", (Name("Z"), Name("b")))) if isinstance(part, Name)]
    ['Z', 'b']
    """
    yield tree
    if isinstance(tree, Apply):
        for part in tree.inputs:
            yield from parts_of(part)


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
    return _written(tree, notation).text


def _written(tree: Expression, notation: Notation) -> Part:
    match tree:
        case Name(text, scalar):
            return Part(layered(text) if notation == "latex" else text, scalar=scalar)
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
        case Apply(op, inputs, params):
            return compose(REGISTRY[op], dict(params), [_written(part, notation) for part in inputs], notation)
