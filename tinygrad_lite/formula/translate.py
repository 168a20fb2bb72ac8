"""A formula as Python, and back: what has no sign on paper has no way back."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ..op import REGISTRY
from .expression import Apply, Expression, Name, Number, parts_of, replaced
from .value import SUMS

OPERATORS: dict[str, type[ast.operator]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "div": ast.Div, "matmul": ast.MatMult, "pow": ast.Pow,
}  # fmt: skip
COMPARISONS: dict[str, type[ast.cmpop]] = {
    "greater": ast.Gt, "greater_equal": ast.GtE, "less": ast.Lt, "less_equal": ast.LtE,
}  # fmt: skip
PRIME = "_prime"


def code(tree: Expression) -> str:
    """Write an expression, once it is read, as Python.

    >>> code(Apply("matmul", (Name("dZ2"), Apply("transpose", (Name("A1"),)))))
    'dZ2 @ A1.T'
    """
    return ast.unparse(_python(tree))


def _python(tree: Expression) -> ast.expr:
    match tree:
        case Name(text):
            return ast.Name(identifier(text))
        case Number(Fraction() as value) if value.denominator != 1:
            return ast.BinOp(ast.Constant(value.numerator), ast.Div(), ast.Constant(value.denominator))
        case Number(value):
            return ast.Constant(int(value) if isinstance(value, Fraction) else value)
        case Apply(op, (a, b), ()) if op in OPERATORS:
            return ast.BinOp(_python(a), OPERATORS[op](), _python(b))
        case Apply(op, (a, b)) if op in COMPARISONS:
            return ast.Compare(_python(a), [COMPARISONS[op]()], [_python(b)])
        case Apply("neg", (a,)):
            return ast.UnaryOp(ast.USub(), _python(a))
        case Apply("square", (a,)):
            return ast.BinOp(_python(a), ast.Pow(), ast.Constant(2))
        case Apply("transpose", (a,)):
            return ast.Attribute(_python(a), "T")
    assert isinstance(tree, Apply)
    called: ast.expr = ast.Name(function_name(tree.op))
    if _in_numpy(tree.op):
        called = ast.Attribute(ast.Name("np"), tree.op)
    keywords = [ast.keyword(key, ast.Constant(value)) for key, value in tree.params]
    return ast.Call(called, [_python(part) for part in tree.inputs], keywords)


def _in_numpy(op: str) -> bool:
    """Whether NumPy has a function of the name of an op, and means the same by it."""
    return op in REGISTRY and REGISTRY[op].numpy is getattr(np, op, REGISTRY)


def identifier(name: str) -> str:
    """Return a name as Python can have it: lambda_ for λ."""
    plain = re.sub(r"\W", "_", name)
    return f"{name}_" if keyword.iskeyword(name) else plain if plain.isidentifier() else f"_{plain}"


def function_name(op: str) -> str:
    """Return the name of an op in Python: relu_prime for relu'."""
    return op.replace("'", PRIME)


WRITTEN_OUT: dict[str, Callable[..., Expression]] = {  # what NumPy has no function for
    "sigmoid": lambda x: Apply("div", (Number(1), Apply("add", (Number(1), Apply("exp", (Apply("neg", (x,)),)))))),
    "relu": lambda x: Apply("maximum", (x, Number(0))),
    "step": lambda x: Apply("greater", (x, Number(0))),
    "masked": lambda x, mask: Apply("mul", (x, mask)),
}


def in_numpy(tree: Expression) -> str | None:
    """Write an expression as Python with functions of NumPy alone; None where it has others.

    >>> in_numpy(Apply("sigmoid", (Name("Z1"),)))
    '1 / (1 + np.exp(-Z1))'
    """

    def rule(part: Expression) -> Expression | None:
        return WRITTEN_OUT[part.op](*part.inputs) if isinstance(part, Apply) and part.op in WRITTEN_OUT else None

    plain = replaced(tree, rule)
    ops = {part.op for part in parts_of(plain) if isinstance(part, Apply)}
    signs = OPERATORS.keys() | COMPARISONS.keys() | {"neg", "square", "transpose"}
    return code(plain) if all(op in signs or _in_numpy(op) for op in ops) else None


class _UnreadableError(Exception):
    pass


def expression(source: str, scalars: set[str]) -> Expression | None:
    """Read Python back as an expression; None where it has what notes have no sign for.

    >>> expression("1 / m * np.sum(dZ1, axis=1, keepdims=True)", {"m"}) is not None
    True
    """
    try:
        return _expression(ast.parse(source, mode="eval").body, scalars)
    except (SyntaxError, _UnreadableError):
        return None


_OPERATORS = {kind: op for op, kind in OPERATORS.items()}
_COMPARISONS = {kind: op for op, kind in COMPARISONS.items()}


def _expression(node: ast.expr, scalars: set[str]) -> Expression:
    def of(part: ast.expr) -> Expression:
        return _expression(part, scalars)

    match node:
        case ast.Name(name):
            name = name.rstrip("_")
            return Name(name, scalar=name in scalars)
        case ast.Constant(int() | float() as value):
            return Number(value)
        case ast.BinOp(left, sign, right) if type(sign) in _OPERATORS:
            return Apply(_OPERATORS[type(sign)], (of(left), of(right)))
        case ast.UnaryOp(ast.USub(), part):
            return Apply("neg", (of(part),))
        case ast.Compare(Z, [ast.Gt()], [ast.Constant(0)]):
            return Apply("relu'", (of(Z),))
        case ast.Compare(left, [sign], [right]) if type(sign) in _COMPARISONS:
            return Apply(_COMPARISONS[type(sign)], (of(left), of(right)))
        case ast.Attribute(part, "T"):
            return Apply("transpose", (of(part),))
        case ast.Subscript(ast.Attribute(ast.Name(), "shape"), _):
            return Name("m", scalar=True)
        case ast.Call(ast.Attribute(part, "astype"), _):
            return of(part)
        case ast.Call(ast.Attribute(ast.Name("np"), name), args, keywords) if _in_numpy(name):
            return _called(name, [of(part) for part in args[: 1 if name in SUMS else None]], keywords)
        case ast.Call(ast.Attribute(part, "sum" | "mean" as name), _, keywords):
            return _called(name, [of(part)], keywords)
        case ast.Call(ast.Name(name), args, keywords) if name.removesuffix(PRIME) in REGISTRY:
            return _called(name.replace(PRIME, "'"), [of(part) for part in args], keywords)
    raise _UnreadableError


def _called(op: str, parts: list[Expression], keywords: list[ast.keyword]) -> Expression:
    """Return an op without its axis, which follows from the shapes, as in the notes."""
    if not parts:
        raise _UnreadableError
    params = [(k.arg, k.value.value) for k in keywords if isinstance(k.value, ast.Constant)]
    return Apply(op, tuple(parts), tuple((k, v) for k, v in params if k and k not in ("axis", "keepdims")))
