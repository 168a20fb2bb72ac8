"""Formulas as numbers and as Python: how an expression is read where the shapes decide, what it gives, and its code."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np

from .. import ops
from ..derive.expression import Apply, Expression, Name, Number, parts_of, replaced
from ..op import REGISTRY
from ..recording import ARRAYS, recording

Array = Any
Sum: TypeAlias = Literal["samples", "features", "all"]
PRODUCTS = {"mul", "matmul", "dot"}
SUMS = {"sum", "mean"}
BY_SAMPLE = {"softmax", "log_softmax", "logsumexp"}  # over the features of each sample, not elementwise


@dataclass(frozen=True)
class Scope:
    """Arrays by name, of sizes that are all distinct, so that the shapes decide how a formula is read."""

    values: Mapping[str, Array]
    m: int = 0  # how many samples there are


EITHER = frozenset({"mul", "matmul"})


def read(
    tree: Expression, scope: Scope, over: Sum = "samples", loose: frozenset[str] = EITHER
) -> tuple[Expression, Array | None]:
    """Return an expression with its products, sums and softmaxes told apart by the shapes, and its value.

    A product whose sign is not definite (`loose`) is the other one where the shapes fit only so.  Σ without an axis is
    over the samples, and where a product of matrices has already summed over them, it says only that.  The value is None
    where a name is not known, or the shapes do not fit.
    """
    match tree:
        case Name(text):
            return tree, scope.values.get(text)
        case Number(value):
            return tree, float(value)
    assert isinstance(tree, Apply)
    read_parts = [read(part, scope, over, loose) for part in tree.inputs]
    parts, values = [part for part, _ in read_parts], [value for _, value in read_parts]
    if any(value is None for value in values):
        if tree.op in SUMS and not tree.params:  # all the same, as it would be written
            return Apply(tree.op, tuple(parts), (("axis", _samples_axis(scope)), ("keepdims", True))), None
        return Apply(tree.op, tuple(parts), tree.params), None
    if tree.op in PRODUCTS and len(parts) == 2:
        return _product(tree, parts, values, loose)
    if tree.op in SUMS and "axis" not in dict(tree.params):
        return _sum(tree.op, parts[0], values[0], scope, over)
    params = tree.params
    if tree.op in SUMS:
        params = (("axis", dict(params)["axis"]), ("keepdims", True))
    elif tree.op.rstrip("'") in BY_SAMPLE and values[0] is not None and np.ndim(values[0]) == 2:
        params = (("axis", 1 - _axis(values[0], scope)),)
    found = Apply(tree.op, tuple(parts), params)
    return found, evaluate(found, scope.values, values)


def _product(
    tree: Apply, parts: list[Expression], values: list[Array], loose: frozenset[str]
) -> tuple[Expression, Array | None]:
    a, b = values
    plain = np.ndim(a) < 2 or np.ndim(b) < 2
    chained = not plain and a.shape[1] == b.shape[0]
    beside = plain or all(x == y or 1 in (x, y) for x, y in zip(a.shape, b.shape, strict=True))
    op = "mul" if plain or tree.op == "mul" else "matmul"
    outer = beside and not plain and np.broadcast_shapes(a.shape, b.shape) not in (a.shape, b.shape)
    if not plain and op in loose and beside != chained and (chained or not outer):
        op = "matmul" if chained else "mul"
    fits = chained if op == "matmul" else beside
    return Apply(op, (parts[0], parts[1])), (a @ b if op == "matmul" else a * b) if fits else None


def _sum(op: str, part: Expression, value: Array, scope: Scope, over: Sum) -> tuple[Expression, Array]:
    if np.ndim(value) < 2:
        return part, value
    if over == "all":
        return Apply(op, (part,)), np.sum(value) if op == "sum" else np.mean(value)
    if scope.m not in value.shape and any(isinstance(p, Apply) and p.op == "matmul" for p in parts_of(part)):
        return part, value
    axis = _axis(value, scope)
    axis = axis if over == "samples" else 1 - axis
    found = Apply(op, (part,), (("axis", axis), ("keepdims", True)))
    return found, evaluate(found, {}, [value])


def _axis(value: Array, scope: Scope) -> int:
    return value.shape.index(scope.m) if scope.m in value.shape else _samples_axis(scope)


def _samples_axis(scope: Scope) -> int:
    return next((x.shape.index(scope.m) for x in scope.values.values() if scope.m in np.shape(x)), 1)


def evaluate(tree: Expression, values: Mapping[str, Any], parts: list[Any] | None = None) -> Any:
    """Return the value of an expression as it stands: a tensor of tensors, an array of arrays; None where it has none.

    >>> float(evaluate(Apply("relu'", (Name("x"),)), {"x": np.array(-3.0)}))
    0.0
    """
    match tree:
        case Name(text):
            return values.get(text)
        case Number(value):
            return float(value)
    assert isinstance(tree, Apply)
    given = [evaluate(part, values) for part in tree.inputs] if parts is None else parts
    if any(x is None for x in given):
        return None
    try:
        return function(tree.op)(*given, **dict(tree.params))
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return None


def function(op: str) -> Callable[..., Any]:
    """Return an op as a function of arrays or of tensors, by its name; with a prime, its derivative, on arrays.

    Raises KeyError for a name that no op bears.
    """
    entry = REGISTRY[op.rstrip("'")]
    plain = getattr(ops, entry.name)

    def on_both(*args: Any, **params: Any) -> Any:
        if any(hasattr(x, "requires_grad") for x in args):
            return plain(*args, **params)
        with recording(ARRAYS), np.errstate(all="ignore"):
            if op == "where":  # of numbers, it would be one of float32
                args = (args[0], *map(np.float64, args[1:]))
            if not op.endswith("'"):
                return plain(*args, **params)
            x = np.asanyarray(args[0])
            out = entry.forward(x, **params)
            if entry.name in BY_SAMPLE:  # what is written for it is the diagonal of its Jacobian
                return out * (1 - out)
            rule: Any = entry.vjps[0]
            return rule(np.ones_like(out), out, x, **{**entry.defaults, **params})

    return on_both


FORMS = ("relu", "sigmoid", "tanh", "softmax", "softplus")


def recognised(tree: Expression) -> Expression:
    """Return an activation that is written out as what it is, by its values: σ(Z) for 1/(1 + e^(−Z)).

    >>> recognised(Apply("maximum", (Number(0), Name("Z1"))))
    Apply(op='relu', inputs=(Name(text='Z1', scalar=False),), params=())
    """
    Z, values = Name("·"), {"·": np.linspace(-2.0, 2.0, 12).reshape(3, 4) ** 3}
    for part in parts_of(tree) if isinstance(tree, Apply) and tree.op not in FORMS else ():
        rest = replaced(tree, lambda p, part=part: Z if p == part else None)  # type: ignore[misc]
        if part in (tree, rest) or {p for p in parts_of(rest) if isinstance(p, Name)} != {Z}:
            continue
        value: Any = read(rest, Scope(values, 4), "features")[1]
        for op in FORMS if np.shape(value) == (3, 4) else ():
            ways: list[dict[str, Any]] = [{"axis": 0}, {"axis": 1}] if op in BY_SAMPLE else [{}]
            if any(np.allclose(value, function(op)(values["·"], **way), rtol=1e-9) for way in ways):
                return Apply(op, (part,))
        x = values["·"]
        slopes = {float(s.round(9)) for s in (value / x)[x < 0]} if np.shape(value) == x.shape else set()
        if len(slopes) == 1 and 0 < min(slopes) < 1 and np.allclose(value[x > 0], x[x > 0]):
            return Apply("leaky_relu", (part,), (("negative_slope", min(slopes)),))
    return tree


def renamed(tree: Expression, names: Mapping[str, str]) -> Expression:
    """Return an expression with other names."""

    def rule(part: Expression) -> Expression | None:
        return Name(names[part.text], part.scalar) if isinstance(part, Name) and part.text in names else None

    return replaced(tree, rule)


# --- Python -----------------------------------------------------------------------------------------------------------

OPERATORS: dict[str, type[ast.operator]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "div": ast.Div, "matmul": ast.MatMult, "pow": ast.Pow,
}  # fmt: skip
COMPARISONS: dict[str, type[ast.cmpop]] = {
    "greater": ast.Gt, "greater_equal": ast.GtE, "less": ast.Lt, "less_equal": ast.LtE,
}  # fmt: skip
NUMPY = {"exp", "log", "sqrt", "abs", "tanh", "maximum", "minimum", "where", "sum", "mean", "max"}
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
    if tree.op in NUMPY:
        called = ast.Attribute(ast.Name("np"), tree.op)
    keywords = [ast.keyword(key, ast.Constant(value)) for key, value in tree.params]
    return ast.Call(called, [_python(part) for part in tree.inputs], keywords)


def identifier(name: str) -> str:
    """Return a name as Python can have it: lambda_ for λ."""
    plain = re.sub(r"\W", "_", name)
    return f"{name}_" if keyword.iskeyword(name) else plain if plain.isidentifier() else f"_{plain}"


def function_name(op: str) -> str:
    """Return the name of an op in Python: relu_prime for relu'."""
    return op.replace("'", PRIME)


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
        case ast.Call(ast.Attribute(ast.Name("np"), name), args, keywords) if name in NUMPY:
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
