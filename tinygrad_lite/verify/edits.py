"""The edits: every generator yields what could stand in the place of one part of a line, and what the mistake was then."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np

from ..formula.code import Path, binary, exchanged, factors, parsed, positions, product, text
from ..formula.expression import Name
from ..formula.factor import rounded
from ..formula.rule import slope_of
from ..formula.translate import in_numpy
from ..op import REGISTRY, Op
from .desk import NOTHING, Desk, is_array, is_int
from .run import UnreadableError, source_of


@dataclass(frozen=True)
class Change:
    """One part that is replaced: by what, how far-fetched that is, and what the mistake was."""

    new: Any  # an expression; a statement where that is restated
    cost: float
    kind: str
    said: str
    group: str = ""  # changes of one group in several places can be one mistake; else those that say the same


Row: TypeAlias = tuple[str, float, str, str]  # code with _ for the part, cost, kind, and words with {} for its text


def filled(code: str, node: ast.expr) -> ast.expr:
    """Return the tree of `code` with a part in the place of each _."""
    tree, paths = _template(code)
    for path in paths:
        tree = exchanged(tree, path, node)
    return tree


@cache
def _template(code: str) -> tuple[ast.expr, list[Path]]:
    tree = parsed(code)
    return tree, [path for path, part in positions(tree) if isinstance(part, ast.Name) and part.id == "_"]


# --- something else ---------------------------------------------------------------------------------------------------


def other(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another array, as it is or transposed, or another size."""
    mine, value = text(node), desk.seen(node)
    if is_int(value) and not isinstance(node, ast.UnaryOp):
        rows = _sizes(node, mine, desk)
    elif _is_atom(node, desk) and (is_array(value) or value is NOTHING):
        rows = _arrays(mine, value, desk)
    elif is_array(value) and not isinstance(node, ast.Attribute):
        rows = iter(
            (name, 1.4 + 0.3 * ("[" in name) - 0.1 * (name in mine), "operand")
            for name, array in desk.arrays.items()
            if array.shape == value.shape
        )
    else:
        return
    for code, cost, kind in rows:
        yield Change(parsed(code), cost, kind, f"{mine} stands where {code} belongs")


def _arrays(mine: str, value: Any, desk: Desk) -> Iterator[tuple[str, float, str]]:
    for name, array in desk.arrays.items():
        if name == mine:
            continue
        cost = 1.0 + 0.1 * _distance(mine, name) + (0.2 if np.shape(array) != np.shape(value) else 0.0)
        cost += 0.5 * ("[" in name and "[" not in mine)
        kind = "label" if mine in desk.gradients and name in desk.gradients else "operand"
        yield name, cost, kind
        if array.ndim == 2:
            yield f"{name}.T", cost + 0.5, kind


def _sizes(node: ast.expr, mine: str, desk: Desk) -> Iterator[tuple[str, float, str]]:
    yield from ((name, 1.1, "index") for name in desk.rounds if name != mine)
    number = isinstance(node, ast.Constant)
    for size, option in desk.sizes.items():
        if option != mine and not (desk.whole and size != desk.problem.name):
            cost = 0.7 if desk.whole else 1.0 if size == desk.problem.samples else 1.1
            cost += 0.5 * (mine in desk.helpers)  # then it is rather wrong where it is assigned
            yield option, cost + 0.2 * number + 0.2 * ("." in option), "scale"
        if not number:
            yield f"1 / {option}", 1.15 + 0.3 * (option != mine), "scale"


def _is_atom(node: ast.expr, desk: Desk) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Subscript) and text(node) in desk.arrays)


def _distance(one: str, other: str) -> float:
    """How unlike two names are: 0 for Z1 and Z2 or A1 and Z1, 1 for another letter and another layer."""
    letters = [name.rstrip("0123456789") for name in (one, other)]
    digits = [name[len(stem) :] for name, stem in zip((one, other), letters, strict=True)]
    return 0.5 * (letters[0] != letters[1]) + 0.5 * (digits[0] != digits[1])


SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**", ast.FloorDiv: "//",
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
PRODUCTS = (ast.Mult, ast.Div, ast.MatMult, ast.Pow)


def operators(node: ast.expr, _: Desk) -> Iterator[Change]:
    """Another operator or comparison."""
    if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
        for op in (ast.Add, ast.Sub, *PRODUCTS):
            if not isinstance(node.op, op):
                signs = {type(node.op), op} == {ast.Add, ast.Sub}
                said = f"{SIGNS[type(node.op)]} stands where {SIGNS[op]} belongs"
                cost = 0.42 if signs else 1.2 if type(node.op) in PRODUCTS and op in PRODUCTS else 1.45
                new, kind = binary(node.left, op(), node.right), "sign" if signs else "operator"
                yield Change(new, cost, kind, f"{said}, before {text(node.right)}", said)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SIGNS:
        for comparison in (ast.Gt, ast.Lt, ast.GtE, ast.LtE):
            if not isinstance(node.ops[0], comparison):
                compared = ast.Compare(node.left, [comparison()], node.comparators)
                said = f"{text(node)} stands where {text(compared)} belongs"
                yield Change(compared, 1.0 + 0.1 * ("=" in SIGNS[comparison]), "mask", said)


def constants(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another number, axis or flag; a number without the array that it multiplies."""
    if not isinstance(node, ast.Constant):
        return
    old = node.value
    options: list[Any] = []
    if isinstance(old, bool) or old is None:
        options = [not old] if isinstance(old, bool) else [0, 1]
    elif isinstance(old, int | float):
        options = [0, 1, 2, -1, 0.5, old + 1, old - 1, 2 * old, old / 2, -old, None]
    elif isinstance(old, str) and "->" in old:
        options = list(_subscripts(old))
    for new in dict.fromkeys(o for o in options if type(o) is not type(old) or o != old):
        cost = 1.15 + 1.0 * (new == 0 and old not in (0, 1)) + 0.2 * (new is None)
        yield Change(ast.Constant(new), cost, "constant", f"{old!r} stands where {new!r} belongs")
    if isinstance(old, float) and old not in (0, 1) and desk.trues:
        for name, array in desk.arrays.items():
            if array.shape == desk.trues[0].shape and array.dtype.kind == "f":
                new = binary(node, ast.Mult(), parsed(name))
                yield Change(new, 1.5, "missing", f"the factor {name} after {old!r} is missing")


def _subscripts(written: str) -> Iterator[str]:
    """Yield the subscripts of einsum with one letter exchanged, dropped, or two in the other order."""
    places = [i for i, letter in enumerate(written) if letter.isalpha()]
    for i in places:
        for letter in ["", *sorted({written[j] for j in places})]:
            yield written[:i] + letter + written[i + 1 :]
    for i, j in itertools.combinations(places, 2):
        yield written[:i] + written[j] + written[i + 1 : j] + written[i] + written[j + 1 :]


FAMILIES: tuple[tuple[str, ...], ...] = (
    ("sum", "mean", "max", "min", "prod", "median", "cumsum", "argmax", "average"),
    ("dot", "matmul", "multiply", "outer", "add", "subtract", "divide"),
    ("maximum", "minimum"),
    ("exp", "log", "tanh", "sqrt", "square", "abs", "sign", "sin", "cos", "cosh", "negative"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
)


def functions(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another function of the same family; keywords more or less."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    mine = node.func.attr
    if mine == "where" and len(node.args) == 3:
        for place, value in itertools.product((1, 2), (1, 0)):
            if not isinstance(node.args[place], ast.Constant):
                args = [ast.Constant(value) if i == place else a for i, a in enumerate(node.args)]
                said = f"{text(node.args[place])} stands where {value} belongs"
                yield Change(ast.Call(node.func, args, node.keywords), 1.3, "constant", said)
    for other in next((family for family in FAMILIES if mine in family), ()):
        if other != mine:
            new = ast.Call(ast.Attribute(node.func.value, other), node.args, node.keywords)
            cost = 1.2 + 0.1 * (other not in ("sum", "mean", "dot", "matmul"))
            yield Change(new, cost, "function", f"{mine} stands where {other} belongs")
    if mine in (*FAMILIES[0], "norm", "var", "std"):
        yield from _axes(node, node.func.value, desk)


def _axes(node: ast.Call, of: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another axis of a reduction, and keepdims or not."""
    given = {k.arg: k.value for k in node.keywords}
    places = 0 if is_array(desk.seen(of)) else 1  # the arguments before the axis
    had = given.get("axis", node.args[places] if len(node.args) == places + 1 else None)
    args = node.args if "axis" in given else node.args[:places]
    was = desk.seen(had) if had is not None else None
    if not (was is None or is_int(was)):
        return
    others = [k for k in node.keywords if k.arg not in ("axis", "keepdims")]
    for axis, keep in itertools.product((None, 0, 1, -1, 2), (False, True)):
        said = []
        if was is not None and axis is not None and was != axis:
            said.append(f"axis={axis} belongs where axis={was} stands")
        elif was != axis:
            said.append(f"axis={axis} is missing" if was is None else f"axis={was} is too much")
        if keep != ("keepdims" in given):
            said.append("keepdims=True is missing" if keep else "keepdims is too much")
        if said:
            keywords = [*others, ast.keyword("axis", ast.Constant(axis))] if axis is not None else others
            keywords = [*keywords, ast.keyword("keepdims", ast.Constant(True))] if keep else keywords
            cost = 1.0 * (was != axis) + 0.95 * (keep != ("keepdims" in given)) + 0.02 * (axis == -1)
            yield Change(ast.Call(node.func, args, keywords), min(cost, 1.3), "axis", " and ".join(said))


# --- the other way round ----------------------------------------------------------------------------------------------


def order(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """The operands, two arguments, or two arrays of the line, the other way round; other brackets."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if not isinstance(op, ast.Mult | ast.Add):
            kind = "sign" if isinstance(op, ast.Sub) else "order"
            cost = 1.1 if kind == "order" else 0.8 if isinstance(left, ast.Constant) else 0.45
            yield Change(binary(right, op, left), cost, kind, _round(left, right))
        case ast.Call(func=func, args=args, keywords=keywords):
            numbers = all(isinstance(a, ast.Constant | ast.UnaryOp) for a in args)
            for i, j in itertools.combinations(range(len(args)), 2):
                turned = _turned(args, i, j)
                said = _round(args[i], args[j])
                yield Change(ast.Call(func, turned, keywords), 0.95 if numbers else 1.1, "order", said)
            if isinstance(func, ast.Attribute) and len(args) == 1 and is_array(desk.seen(func.value)):
                call = ast.Call(ast.Attribute(args[0], func.attr), [func.value], keywords)
                yield Change(call, 1.1, "order", _round(func.value, args[0]))
    for new, cost in _brackets(node):
        yield Change(new, cost, "order", f"the brackets are wrong: {text(new)} is meant")
    if node is desk.root:
        yield from _two(node, desk)


def _round(one: ast.expr, other: ast.expr) -> str:
    return f"{text(one)} and {text(other)} stand the wrong way round"


def _turned(parts: list[ast.expr], i: int, j: int) -> list[ast.expr]:
    turned = list(parts)
    turned[i], turned[j] = turned[j], turned[i]
    return turned


def _two(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Two arrays in each other's places, throughout the line."""
    atoms: dict[str, list[Path]] = defaultdict(list)
    for path, part in positions(node):
        if _is_atom(part, desk) and is_array(desk.seen(part)):
            atoms[text(part)].append(path)
    for one, other in itertools.combinations(atoms, 2):
        if not _nested(atoms[one] + atoms[other]):
            tree = node
            for path, code in [*((p, other) for p in atoms[one]), *((p, one) for p in atoms[other])]:
                tree = exchanged(tree, path, parsed(code))
            cost = 1.2 if isinstance(node, ast.Dict) else 1.05
            yield Change(tree, cost, "order", f"{one} and {other} stand in each other's places")


def _nested(paths: list[Path]) -> bool:
    """Whether one of some parts is inside another."""
    return any(a != b and a == b[: len(a)] for a in paths for b in paths)


def _brackets(node: ast.expr) -> Iterator[tuple[ast.expr, float]]:
    """a ∘ (b ∘ c) for (a ∘ b) ∘ c, and the other way; f(a ∘ b) for f(a) ∘ b, and the other way."""
    match node:
        case ast.BinOp(left=ast.BinOp(left=a, op=one, right=b), op=two, right=c):
            yield binary(a, one, binary(b, two, c)), 1.05
            if isinstance(one, ast.Add | ast.Sub) and isinstance(two, PRODUCTS):
                yield binary(binary(a, two, c), one, b), 1.05
    match node:
        case ast.BinOp(left=a, op=one, right=ast.BinOp(left=b, op=two, right=c)):
            yield binary(binary(a, one, b), two, c), 1.05
    match node:
        case ast.BinOp(left=ast.UnaryOp(op=sign, operand=a), op=op, right=b):
            yield ast.UnaryOp(sign, binary(a, op, b)), 1.2
        case ast.BinOp(left=ast.Call(func=f, args=args, keywords=keywords), op=op, right=b):
            if args:
                yield ast.Call(f, [binary(args[0], op, b), *args[1:]], keywords), 1.2
            if isinstance(f, ast.Attribute):
                yield ast.Call(ast.Attribute(binary(f.value, op, b), f.attr), args, keywords), 1.2
        case ast.Call(func=f, args=[ast.BinOp(left=a, op=op, right=b), *more], keywords=keywords):
            yield binary(ast.Call(f, [a, *more], keywords), op, b), 1.2
        case ast.Call(func=ast.Attribute(value=ast.BinOp(left=a, op=op, right=b), attr=f), args=more, keywords=keys):
            yield binary(ast.Call(ast.Attribute(a, f), more, keys), op, b), 1.2


# --- less -------------------------------------------------------------------------------------------------------------


def less(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A part less: a factor, a term, a call, a slice."""
    match node:
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            yield Change(left, 1.0, "operator", f"{text(left)} must not be raised to the power {text(right)}")
        case ast.BinOp(left=left, op=op, right=right):
            word = "factor" if isinstance(op, PRODUCTS) else "term"
            gone = f"1 / ({text(right)})" if isinstance(right, ast.BinOp) else f"1 / {text(right)}"
            gone = gone if isinstance(op, ast.Div) else text(right)
            kinds = _kind_of_part(right, desk), _kind_of_part(left, desk)
            cost = 0.95 - 0.05 * (kinds[0] != "extra") + 0.1 * isinstance(left, ast.Constant)
            yield Change(left, cost, kinds[0], f"there is a {word} {gone} too much")
            cost = 1.0 - 0.1 * (kinds[1] != "extra")
            yield Change(right, cost, kinds[1], f"there is a {word} {text(left)} too much")
        case ast.UnaryOp(op=op, operand=operand):
            kind = "mask" if isinstance(op, ast.Invert | ast.Not) else "sign"
            said = f"the sign of {text(operand)} is wrong" if kind == "sign" else f"{text(operand)} is inverted"
            cost = 1.1 if isinstance(operand, ast.Constant) else 0.45 if kind == "sign" else 0.9
            yield Change(operand, cost, kind, said)
        case ast.Attribute(value=value, attr="T"):
            yield Change(value, 0.95, "transpose", f"{text(value)} is transposed, but must not be")
        case ast.Compare(left=left) if is_array(desk.seen(left)):
            yield Change(left, 1.2, "function", f"{text(node)} stands where {text(left)} belongs")
        case ast.Call(func=func, args=args):
            method = isinstance(func, ast.Attribute) and is_array(desk.seen(func.value))
            for part in [func.value, *args] if method else args:  # type: ignore[attr-defined]
                if is_array(desk.seen(part)) or is_int(desk.seen(part)):
                    kind = "precision" if "astype" in text(func) else "function"
                    name = func.attr if isinstance(func, ast.Attribute) and part is func.value else text(func)
                    said = f"{name}(…) is too much: {text(part)} alone belongs there"
                    yield Change(part, 1.05, kind, said, f"{name} {kind}")
        case ast.Subscript(value=value, slice=index) if is_array(desk.seen(value)):
            part = text(ast.Subscript(ast.Name("_"), index))[1:]
            yield Change(value, 1.0, "index", f"{part} leaves a part of {text(value)} out", part)
            for code, axis in _sums(desk.seen(value).ndim, desk):
                said = f"{part} takes a part of {text(value)}, but the sum over axis {axis} belongs there"
                yield Change(filled(code, value), 1.3, "index", said)
        case ast.IfExp(body=body, orelse=orelse):
            yield Change(body, 1.2, "extra", f"{text(body)} alone belongs there")
            yield Change(orelse, 1.2, "extra", f"{text(orelse)} alone belongs there")


def _kind_of_part(node: ast.expr, desk: Desk) -> str:
    value = desk.seen(node)
    if isinstance(value, float | int | np.number) and not isinstance(value, bool):
        return "constant" if isinstance(node, ast.Constant) else "scale"
    return "extra"


def _sums(ndim: int, desk: Desk) -> list[tuple[str, int]]:
    """Return the sums of a part _ over each of its axes."""
    if ndim > 2 or desk.numpy is None:
        return []
    kept = [(axis, keep) for axis in range(ndim) for keep in (", keepdims=True", "")]
    return [(f"{desk.numpy}.sum(_, axis={axis}{keep})", axis) for axis, keep in kept]


# --- more -------------------------------------------------------------------------------------------------------------


def more(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Something more around a part: a transpose, a minus, a factor, a term, a function, a sum."""
    value = desk.seen(node)
    rows: list[Row] = []
    if isinstance(value, float) and not isinstance(node, ast.Constant):
        rows.append(("2 * _", 1.3, "constant", "the factor 2 before {} is missing"))
        rows += [(f"{desk.numpy}.sqrt(_)", 1.5, "function", "sqrt of {} is missing")] if desk.numpy is not None else []
    if not isinstance(node, ast.UnaryOp) and (is_array(value) or isinstance(value, float | np.floating)):
        boolean = value.dtype.kind == "b" if is_array(value) else False
        minus = ("-_", 1.1 + 0.1 * isinstance(node, ast.Name), "sign", "the sign of {} is wrong")
        rows.append(("~_", 1.2, "mask", "{} is inverted") if boolean else minus)
    if is_array(value):
        rows += [*_factors(node, value, desk), *_terms(value, desk)]
        rows += _matrices(node, value, desk) if value.ndim == 2 else []
        rows += _shapes(value, desk) if not isinstance(node, ast.Constant) else []
        rows += _made_of(node, value, desk) if value.dtype.kind == "f" else []
    mine = text(node) if rows else ""
    for code, cost, kind, words in rows:
        cost += 0.25 * (
            kind in ("missing", "activation") and mine in desk.helpers and node is not desk.root
        )  # it is rather missing in the line that gives it
        yield Change(filled(code, node), cost, kind, words.replace("{}", mine))


@cache
def _slope(op: Op) -> str | None:
    """Return the derivative of an activation in NumPy, taken at _; None where it cannot be written so."""
    found = None if op.form == "by sample" else slope_of(op, Name("_"))
    return None if found is None else in_numpy(found)


def derivatives(name: str, desk: Desk) -> list[tuple[str, str, str, float]]:
    """Return what an activation's derivative can look like, in one array: (code, kind, name, cost)."""
    array = desk.arrays[name]
    if array.dtype.kind == "b" or np.isin(array, (0, 1)).all():
        return [(name, "mask", name if "mask" in name else f"the mask {name}", -0.1)]
    before = {"A": "Z", "a": "z"}.get(name[0], "") + name[1:]  # the mask is read from what goes into ReLU
    split = (array > 0).any() and not (array > 0).all()  # else a mask of it is no mask
    found: list[tuple[str, str, str, float]] = []
    if split and before not in desk.arrays:
        found.append((f"({name} > 0)", "mask", f"the mask of ReLU, {name} > 0,", 0.1 * (name[0] not in "Zz")))
    rows = [
        (f"(1 - {name} ** 2)", "tanh", 0.0),
        (f"({name} * (1 - {name}))", "sigmoid", 0.0),
    ]
    if desk.numpy is not None and name not in desk.gradients:
        rows += [
            (f"(1 / (1 + {desk.numpy}.exp(-{name})))", "softplus", 0.25),
            (f"{desk.numpy}.cos({name})", "sin", 0.3),
            (f"(2 * {name})", "a square", 0.3),
        ]
    if desk.numpy is not None and name not in desk.gradients:
        sigma = f"1 / (1 + {desk.numpy}.exp(-{name}))"
        rows.append((f"({sigma} * (1 + {name} * (1 - {sigma})))", "silu", 0.35))
    if desk.numpy is not None and split:
        slopes = [n for n, x in desk.spaces[0].items() if isinstance(x, float) and 0 < x < 1 and n[0] != "_"]
        rows += [(f"{desk.numpy}.where({name} > 0, 1, {slope})", "leaky ReLU", 0.35) for slope in [*slopes, "0.01"]]
        rows.append((f"{desk.numpy}.where({name} > 0, 1, {desk.numpy}.exp({name}))", "ELU", 0.3))
    for op in desk.problem.activations if desk.numpy is not None and name not in desk.gradients else ():
        slope = _slope(REGISTRY[op]) if op != "relu" else None  # whose mask stands above
        if slope is not None:
            code = f"({text(filled(slope.replace('np.', f'{desk.numpy}.'), parsed(name)))})"
            if all(code != other for other, _, _ in rows):
                rows.append((code, REGISTRY[op].text.partition("(")[0], 0.25))
    for code, function, cost in rows:
        plain = code[1:-1] if code[0] == "(" else code
        found.append((code, "activation", f"the derivative of {function}, {plain},", cost))
    found += [(f"{own}({name})", "activation", f"the factor {own}({name})", 0.1) for own in desk.own]
    found.append((f"(1 - {name})", "activation", f"the factor 1 - {name}", 0.2))
    return [*found, (name, "missing", f"the factor {name}", 0.2)]


def _factors(node: ast.expr, value: Any, desk: Desk) -> Iterator[Row]:
    """A factor more: an array, or the derivative of an activation."""
    if isinstance(node, ast.Constant):
        return
    for name, array in desk.arrays.items():
        if array.shape == value.shape:
            for code, kind, words, cost in derivatives(name, desk):
                yield f"_ * {code}", 1.5 + cost, kind, f"{words} is missing"
                if kind != "mask":
                    yield f"_ / {code}", 1.8 + cost, "missing", f"the divisor {code} is missing"
            for k, function in itertools.product(range(array.ndim), ("sum", "mean") if desk.numpy is not None else ()):
                code = f"{name} * {desk.numpy}.{function}(_ * {name}, axis={k}, keepdims=True)"
                yield f"_ - {code}", 1.9, "missing", f"the term - {code.replace('_', '{}', 1)} is missing"
            for k in range(array.ndim if desk.numpy is not None and _is_share(array) else 0):
                if np.allclose(array.sum(axis=k), 1):
                    words = f"the derivative of softmax is not that: the term - {name} * sum is missing"
                    yield f"_ - {name} * {desk.numpy}.sum(_, axis={k}, keepdims=True)", 1.7, "activation", words
        else:
            code = name
            if array.ndim == 1 and value.ndim == 2 and len(array) == len(value) != value.shape[1]:
                code = f"{name}[:, None]"
            elif not broadcasts(array.shape, value.shape):
                continue
            yield f"_ * {code}", 1.7, "missing", f"the factor {code} is missing"
            yield f"_ / {code}", 1.9, "missing", f"the divisor {code} is missing"


def _is_share(array: Any) -> bool:
    return array.dtype.kind == "f" and array.ndim > 0 and bool((array >= 0).all() and (array <= 1).all())


def _terms(value: Any, desk: Desk) -> Iterator[Row]:
    """A term more."""
    for name in desk.numbers:
        yield from ((f"_ {sign} {name}", 1.7, "missing", f"the term {sign} {name} is missing") for sign in "+-")
    for name, array in desk.arrays.items():
        terms = [(name, 1.7)] if broadcasts(array.shape, value.shape) else []
        if desk.numpy is not None and array.ndim == 2 and array.dtype.kind == "f":
            for axis, keep, function in itertools.product((0, 1), ("", ", keepdims=True"), ("sum", "mean")):
                shape = (*array.shape[:axis], *([1] if keep else []), *array.shape[axis + 1 :])
                if broadcasts(shape, value.shape) and (keep or axis == 0 or value.ndim == 1):
                    terms.append((f"{desk.numpy}.{function}({name}, axis={axis}{keep})", 1.85 + 0.02 * bool(keep)))
        for code, cost in terms:
            yield from ((f"_ {sign} {code}", cost, "missing", f"the term {sign} {code} is missing") for sign in "+-")


def broadcasts(one: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array of one shape can stand beside one of the other without changing it."""
    return len(one) <= len(shape) and all(a in (1, b) for a, b in zip(one[::-1], shape[::-1], strict=False))


def _matrices(node: ast.expr, value: Any, desk: Desk) -> Iterator[Row]:
    """Transposed; a matrix product with another array."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return
    if node not in desk.measured:
        yield "_.T", 1.0 if _is_atom(node, desk) else 1.1, "transpose", "{} is not transposed"
    for name, array in desk.arrays.items():
        if array.ndim == 2 and array.dtype.kind == "f":
            for code, shape, cost in ((name, array.shape, 1.55), (f"{name}.T", array.T.shape, 1.6)):
                if shape[1] == value.shape[0]:
                    yield f"{code} @ _", cost, "missing", f"the factor {code} is missing"
                if shape[0] == value.shape[1]:
                    yield f"_ @ {code}", cost, "missing", f"the factor {code} is missing"


def _shapes(value: Any, desk: Desk) -> Iterator[Row]:
    """A sum over an axis that is missing, or another shape."""
    for code, axis in _sums(value.ndim, desk):
        yield code, 1.5, "missing", f"{{}} is not summed over axis {axis}"
    if value.ndim == 1:
        for shape in ("(-1, 1)", "(1, -1)"):
            yield f"_.reshape{shape}", 1.4, "axis", f"{{}} does not have the shape {shape}"
    elif value.ndim == 2:
        yield "_.ravel()", 1.7, "axis", "{} has an axis too much"


def _made_of(node: ast.expr, value: Any, desk: Desk) -> Iterator[Row]:
    """A function that is missing; a square; a difference from 1; normalised; shifted by its maximum."""
    if node is not desk.root:  # what the whole lacks, the scale law finds
        yield "2 * _", 1.3, "constant", "the factor 2 before {} is missing"
        samples = desk.sizes.get(desk.problem.samples or "")
        if samples is not None:
            yield f"_ / {samples}", 1.3, "scale", f"{{}} is not divided by {samples}"
    yield "_ ** 2", 1.6, "operator", "{} is not squared"
    yield "1 - _", 1.6, "operand", "{} stands where 1 - {} belongs"
    yield "1 / _", 1.8, "operator", "{} stands where 1 / {} belongs"
    yield "_ > 0", 1.6, "mask", "{} stands where the mask {} > 0 belongs"
    if desk.numpy is not None:
        yield f"{desk.numpy}.clip(_, -1, 1)", 1.6, "function", "clip of {} is missing"
        for name in ("exp", "log", "tanh", "sqrt", "abs", "sign"):
            yield f"{desk.numpy}.{name}(_)", 1.8, "function", f"{name} of {{}} is missing"
        for axis in range(value.ndim):
            part = f"(_, axis={axis}, keepdims=True)"
            yield f"_ / {desk.numpy}.sum{part}", 1.7, "missing", "{} is not divided by its sum"
            yield f"_ - {desk.numpy}.max{part}", 1.7, "missing", "{} is not shifted by its maximum"


def activations(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """One or two factors of a product go, and another comes: the derivative of another activation; another activation."""
    value = desk.seen(node)
    parts = factors(node)
    if not is_array(value) or len(parts) > 6:
        return
    for count, start in [(n, i) for n in (1, 2) for i in range(len(parts) - n + 1)]:
        gone, left = parts[start : start + count], [*parts[:start], *parts[start + count :]]
        if not all(np.shape(desk.seen(g)) == value.shape for g in gone):
            continue
        mine = text(product(gone))
        if count == 2 and left:
            yield Change(product(left), 1.4, "extra", f"there is a factor {mine} too much")
        for name in [name for name, array in desk.arrays.items() if array.shape == value.shape]:
            for axis in range(value.ndim if desk.numpy is not None and _is_share(desk.arrays[name]) else 0):
                others = [*parts[:start], *parts[start + count :]]
                if others and name in mine and np.allclose(desk.arrays[name].sum(axis=axis), 1):
                    rest = text(product(others))
                    code = f"{name} * ({rest} - {desk.numpy}.sum({rest} * {name}, axis={axis}, keepdims=True))"
                    said = f"{mine} stands where the derivative of softmax belongs"
                    yield Change(parsed(code), 1.6, "activation", said)
            for code, kind, words, cost in derivatives(name, desk):
                if code != name or kind == "mask":
                    cost = cost + (1.04 if name in mine and mine != name else 1.35) + 0.3 * (len(parts) == 1)
                    new = product([*parts[:start], parsed(code), *parts[start + count :]])
                    yield Change(new, cost, kind, f"{mine} stands where {words.removesuffix(',')} belongs")
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in desk.arrays}
    if len(names) == 1 and not _is_atom(node, desk) and desk.numpy is not None:
        (name,), np_ = names, desk.numpy
        if desk.arrays[name].shape == value.shape:
            for code in (
                "{}.tanh({})",
                "1 / (1 + {}.exp(-{}))",
                "{}.maximum({}, 0)",
                "{}.exp({})",
                "{}.sign({})",
                "{}.clip({}, -1, 1)",
            ):
                code = code.format(np_, name)
                yield Change(parsed(code), 1.4, "function", f"{text(node)} stands where {code} belongs")


# --- all of them ------------------------------------------------------------------------------------------------------


Generator: TypeAlias = Callable[[ast.expr, Desk], Iterator[Change]]
GENERATORS: tuple[Generator, ...] = (other, operators, constants, functions, order, less, more, activations)


def restate(node: ast.stmt, desk: Desk) -> Iterator[Change]:
    """Another way to assign: added up, taken away, or to the names in another order."""
    match node:
        case ast.AugAssign(target=ast.Subscript() as place, op=ast.Add(), value=value):
            yield from _gathered(place, value, desk)
        case ast.Assign(targets=[ast.Subscript() as place], value=value):
            yield from _gathered(place, value, desk)
    match node:
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub() as op, value=value):
            opposite = ast.Sub() if isinstance(op, ast.Add) else ast.Add()
            said = f"{SIGNS[type(op)]}= stands where {SIGNS[type(opposite)]}= belongs"
            yield Change(ast.AugAssign(target, opposite, value), 0.5, "sign", said)
            yield Change(ast.Assign([target], value), 1.1, "operator", f"{SIGNS[type(op)]}= stands where = belongs")
        case ast.Assign(targets=[ast.Name() | ast.Subscript() as target], value=value):
            if desk.looped and text(target).partition("[")[0] in desk.spaces[0]:
                for op in (ast.Add(), ast.Sub()):
                    said = f"= stands where {SIGNS[type(op)]}= belongs: each round writes over the last"
                    yield Change(ast.AugAssign(target, op, value), 0.9, "operator", said)
        case ast.Assign(targets=[ast.Tuple(elts=parts)], value=value):
            for i, j in itertools.combinations(range(len(parts)), 2):
                said = f"{text(parts[i])} and {text(parts[j])} stand in each other's places"
                new = ast.Assign([ast.Tuple(_turned(parts, i, j), ast.Store())], value)
                yield Change(new, 0.9, "order", said)


def _gathered(target: ast.Subscript, value: ast.expr, desk: Desk) -> Iterator[Change]:
    """An addition at places of which some may be the same."""
    if is_array(desk.seen(target.slice)) and desk.numpy is not None:
        call = ast.Call(parsed(f"{desk.numpy}.add.at"), [parsed(text(target.value)), target.slice, value], [])
        said = f"where {text(target.slice)} has an index twice, only one of the two is added: {text(call)} adds both"
        yield Change(ast.Expr(call), 1.0, "index", said)


@dataclass(frozen=True)
class Edit:
    """A tree, and the changes that made it of the line's."""

    tree: Any  # an expression or a statement
    changes: tuple[Change, ...]
    cost: float


def edits(root: Any, desk: Desk, limit: float = 9.0) -> Iterator[Edit]:
    """Yield every edit of one part; and the same edit in all places where it can be made, if there are several."""
    if isinstance(root, ast.stmt):
        yield from (Edit(change.new, (change,), change.cost) for change in restate(root, desk))
    desk.root = getattr(root, "value", None) if isinstance(root, ast.stmt) else root
    desk.measured = {n.value for n in ast.walk(root) if isinstance(n, ast.Attribute) and n.attr in ("shape", "size")}
    groups: dict[str, list[tuple[Path, Change]]] = defaultdict(list)
    named = [(path, node.func) for path, node in positions(root) if isinstance(node, ast.Call)]
    calls = [(path, f.id) for path, f in named if isinstance(f, ast.Name) and f.id in desk.helpers_of_file]
    nodes = len(list(positions(root)))
    for path, node in positions(root):
        if isinstance(node, ast.Slice) or (path and path[-1][0] == "func"):
            continue
        for generator in GENERATORS:
            for change in generator(node, desk):
                if far := _around_helpers(path, change, calls, desk):
                    change = replace(change, cost=change.cost + far)
                if change.cost <= limit:
                    groups[change.group or change.said].append((path, change))
                    desk.problem.allowance.left -= 3 + nodes + nodes * nodes / 40  # to make it and to write it
                    if desk.problem.allowance.spent:
                        return
                    yield Edit(exchanged(root, path, change.new), (change,), change.cost)
    for found in groups.values():
        if found[0][1].kind == "missing":
            continue  # the same thing forgotten in several places is far-fetched
        paths = [path for path, _ in found]
        if 1 < len(set(paths)) == len(paths) and not _nested(paths):
            tree = root
            for path, change in found:
                tree = exchanged(tree, path, change.new)
            change = found[0][1]
            yield Edit(tree, (change,), change.cost + 0.2)


@lru_cache(maxsize=256)
def _loaded(function: FunctionType) -> set[str]:
    """Return the names that a function reads."""
    with suppress(UnreadableError):
        parts = (part for statement in source_of(function).body for part in ast.walk(statement))
        return {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    return set()


def _around_helpers(path: Path, change: Change, calls: list[tuple[Path, str]], desk: Desk) -> float:
    """How much more far-fetched a change is that does without the person's own function, or changes what it is given."""
    far = 0.0
    above = any(place[: len(path)] == path for place, _ in calls)
    names = {part.id for part in ast.walk(change.new) if isinstance(part, ast.Name)} if above else set()
    for place, name in calls:
        if place[: len(path)] == path and name not in names:
            far = max(far, 0.2 if "is too much" in change.said else 0.6)
        elif path == place and change.kind in ("function", "activation", "missing"):
            function = desk.spaces[0][name]
            unread = set(inspect.signature(function).parameters) - _loaded(function)
            far = max(far, 0.25 * (change.kind != "missing" or bool(unread)))
        elif (
            len(path) > len(place)
            and path[: len(place)] == place
            and change.kind not in ("operand", "label", "index", "order", "transpose")
        ):
            far = max(far, 0.3)
    return far


def solved(root: Any, desk: Desk) -> Iterator[Edit]:
    """Yield the edits of one number to what it must be in the first example, found by the secant method."""
    for path, node in positions(root):
        old: Any = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
        named = isinstance(node, ast.Name) and type(desk.seen(node)) is float
        old = desk.seen(node) if named else old
        if type(old) not in (int, float):
            continue

        def off(number: float, path: Path = path) -> Any:
            value = desk.first(exchanged(root, path, ast.Constant(number)))
            return None if value is None or not np.isfinite(value).all() else value - desk.trues[0]

        found = _root(off, old)
        if found and abs(found) < 1e6:
            number = next(n for n in (float(f"{found:.2g}"), rounded(found)) if abs(n - found) <= 1e-6 * abs(found))
            new = int(number) if number == int(number) else number
            if new != old:
                cost = (1.2 if new == float(f"{found:.2g}") else 1.9) + 0.2 * named
                mine = f"{text(node)} = {old!r}" if named else repr(old)
                change = Change(ast.Constant(new), cost, "constant", f"{mine} stands where {new!r} belongs")
                yield Edit(exchanged(root, path, change.new), (change,), change.cost)


def _root(off: Callable[[float], Any], start: float, steps: int = 12) -> float | None:
    """Return where one element of a function is 0, the one that moves most first: the secant method."""
    one, two = float(start), 1.5 * start or 0.5
    a, b = off(one), off(two)
    where = None
    for _ in range(steps):
        if a is None or b is None or not a.size:
            return None
        where = int(np.argmax(np.abs(b - a))) if where is None else where
        new = two - float(b.flat[where] * (two - one) / (b.flat[where] - a.flat[where]))
        if not np.isfinite(new) or abs(new - two) <= 1e-12 * abs(new):
            return new if np.isfinite(new) else None
        one, a, two, b = two, b, new, off(new)
    return two if abs(two - one) <= 1e-6 * abs(two) else None
