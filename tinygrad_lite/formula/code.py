"""Syntax trees of formulas: their parts, their text, and their values, each part evaluated once an example."""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeAlias

Path: TypeAlias = tuple[tuple[str, int | None], ...]  # fields, and the place in those that are lists
Memo: TypeAlias = dict[int, tuple[ast.AST, Any]]  # with the node, so that its id is not used again


def text(node: ast.AST) -> str:
    """Return a tree as Python writes it."""
    return ast.unparse(ready(node) if isinstance(node, ast.stmt) else node)


@cache
def parsed(code: str) -> ast.expr:
    """Return the tree of an expression; the same one each time, so that its value is computed once."""
    return ast.parse(code, mode="eval").body


def positions(root: ast.AST, path: Path = ()) -> Iterator[tuple[Path, ast.expr]]:
    """Yield the parts of a tree that are expressions, with where they stand; of a statement, those that are read."""
    if isinstance(root, ast.stmt):
        for place, part in whole_parts(root):
            yield from positions(part, place)
        return
    if isinstance(root, ast.expr):
        yield path, root
    for name, value in ast.iter_fields(root):
        if isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from positions(item, (*path, (name, i)))
        elif isinstance(value, ast.AST):
            yield from positions(value, (*path, (name, None)))


def whole_parts(statement: ast.stmt) -> Iterator[tuple[Path, ast.expr]]:
    """Yield the expressions of a statement, with where they stand: its value, its indices, what a loop runs over."""
    for name in ("value", "iter", "test"):
        if isinstance(getattr(statement, name, None), ast.expr):
            yield ((name, None),), getattr(statement, name)
    for name, index in (("target", None), ("targets", 0)):
        target = getattr(statement, name, None)
        target = target[0] if isinstance(target, list) else target
        if isinstance(target, ast.Subscript):
            yield ((name, index), ("slice", None)), target.slice


def ready(tree: Any) -> Any:
    """Return a tree that can be compiled: names and parts that were made here are read."""
    for part in ast.walk(tree):
        if "ctx" in part._fields and not hasattr(part, "ctx"):
            part.ctx = ast.Load()  # type: ignore[attr-defined]
    return ast.fix_missing_locations(tree)


def exchanged(root: Any, path: Path, new: ast.expr) -> Any:
    """Return a tree with one part replaced; it shares all others."""
    if not path:
        return new
    (name, index), rest = path[0], path[1:]
    fields = dict(ast.iter_fields(root))
    if index is None:
        fields[name] = exchanged(fields[name], rest, new)
    else:
        fields[name] = [exchanged(x, rest, new) if i == index else x for i, x in enumerate(fields[name])]
    return type(root)(**fields)


def binary(left: ast.expr, op: ast.operator, right: ast.expr) -> ast.expr:
    """Return left op right."""
    return ast.BinOp(left, op, right)


def factors(node: ast.expr) -> list[ast.expr]:
    """Return the factors of a product: [a, b, c] of a * b * c."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [*factors(node.left), *factors(node.right)]
    return [node]


def product(parts: Iterable[ast.expr]) -> ast.expr:
    """Return the product of factors."""
    first, *rest = parts
    for part in rest:
        first = binary(first, ast.Mult(), part)
    return first


def simplified(tree: Any) -> Any:
    """Return a tree without factors 1."""
    if isinstance(tree, ast.stmt):
        for path, part in whole_parts(tree):
            tree = exchanged(tree, path, simplified(part))
        return tree
    if not isinstance(tree, ast.expr | ast.keyword | ast.Slice):
        return tree
    fields = {
        name: [simplified(x) for x in value] if isinstance(value, list) else simplified(value)
        for name, value in ast.iter_fields(tree)
    }
    made: Any = type(tree)
    match made(**fields):
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Mult(), right=x):
            return x
        case ast.BinOp(left=x, op=ast.Mult() | ast.Div(), right=ast.Constant(value=1)):
            return x
        case ast.BinOp(left=x, op=ast.Add(), right=ast.UnaryOp(op=ast.USub(), operand=y)):
            return binary(x, ast.Sub(), y)
        case ast.UnaryOp(op=ast.USub(), operand=ast.UnaryOp(op=ast.USub(), operand=x)):
            return x
        case ast.Attribute(attr="T", value=ast.Attribute(attr="T", value=x)):
            return x
        case other:
            return other


# --- evaluation -------------------------------------------------------------------------------------------------------


def evaluate(node: ast.AST, space: dict[str, Any], memo: Memo) -> Any:
    """Return the value of a tree; parts whose value is in the memo are not computed again."""
    found = memo.get(id(node))
    if found is not None:
        return found[1]
    rule = RULES.get(type(node), _compiled)
    value = rule(node, space, memo)
    memo[id(node)] = (node, value)
    return value


def _name(node: Any, space: dict[str, Any], _memo: Memo) -> Any:
    if node.id in space:
        return space[node.id]
    if hasattr(builtins, node.id):
        return getattr(builtins, node.id)
    raise NameError(f"name {node.id!r} is not defined")


def _call(node: Any, space: dict[str, Any], memo: Memo) -> Any:
    if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
        return _compiled(node, space, memo)
    arguments = [evaluate(a, space, memo) for a in node.args]
    keywords = {k.arg: evaluate(k.value, space, memo) for k in node.keywords}
    return evaluate(node.func, space, memo)(*arguments, **keywords)


def _compare(node: Any, space: dict[str, Any], memo: Memo) -> Any:
    if len(node.ops) > 1:
        return _compiled(node, space, memo)
    left, right = evaluate(node.left, space, memo), evaluate(node.comparators[0], space, memo)
    return OPERATORS[type(node.ops[0])](left, right)


def _slice(node: Any, space: dict[str, Any], memo: Memo) -> Any:
    parts = (node.lower, node.upper, node.step)
    return slice(*(None if part is None else evaluate(part, space, memo) for part in parts))


def _compiled(node: Any, space: dict[str, Any], _memo: Memo) -> Any:
    tree = ast.fix_missing_locations(ast.Expression(node))
    return eval(compile(tree, "<repair>", "eval"), dict(space))


def _power(a: Any, b: Any) -> Any:
    """Raise to a power; large ones of whole numbers as floats: 10 ** 10 ** 12 is infinite, not a number of 10¹² digits."""
    if not (isinstance(a, int) and isinstance(b, int) and abs(b) > LARGEST):
        return operator.pow(a, b)
    try:
        return float(a) ** b
    except OverflowError:
        return math.inf


LARGEST = 64  # of an exponent of whole numbers that are raised exactly

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.MatMult: operator.matmul, ast.Pow: _power, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.USub: operator.neg, ast.UAdd: operator.pos,
    ast.Invert: operator.invert, ast.Not: operator.not_, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
RULES: dict[type[ast.AST], Callable[[Any, dict[str, Any], Memo], Any]] = {
    ast.Name: _name,
    ast.Constant: lambda n, _space, _memo: n.value,
    ast.BinOp: lambda n, space, memo: OPERATORS[type(n.op)](
        evaluate(n.left, space, memo), evaluate(n.right, space, memo)
    ),
    ast.UnaryOp: lambda n, space, memo: OPERATORS[type(n.op)](evaluate(n.operand, space, memo)),
    ast.Attribute: lambda n, space, memo: getattr(evaluate(n.value, space, memo), n.attr),
    ast.Subscript: lambda n, space, memo: evaluate(n.value, space, memo)[evaluate(n.slice, space, memo)],
    ast.Tuple: lambda n, space, memo: tuple(evaluate(e, space, memo) for e in n.elts),
    ast.List: lambda n, space, memo: [evaluate(e, space, memo) for e in n.elts],
    ast.Call: _call,
    ast.Compare: _compare,
    ast.Slice: _slice,
}
