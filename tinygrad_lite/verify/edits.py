"""The edits: every generator yields what could stand in the place of one part of a line, and what the mistake was then."""

from __future__ import annotations

import ast
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .desk import NOTHING, Desk, is_array, is_int
from .scale import rounded
from .trees import Path, binary, exchanged, factors, parsed, positions, product, text


@dataclass(frozen=True)
class Change:
    """One part that is replaced: by what, how far-fetched that is, and what the mistake was."""

    new: Any  # an expression; a statement where that is restated
    cost: float
    kind: str
    said: str
    group: str = ""  # changes of one group in several places can be one mistake; else those that say the same


def exchange_names(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another array, as it is or transposed."""
    if not _is_atom(node, desk):
        return
    mine, value = text(node), desk.seen(node)
    if not (is_array(value) or value is NOTHING):
        return
    for other, array in desk.arrays.items():
        if other == mine:
            continue
        cost = 1.0 + 0.1 * _distance(mine, other) + (0.2 if np.shape(array) != np.shape(value) else 0.0)
        cost += 0.3 * ("[" in other and "[" not in mine)
        kind = "label" if mine in desk.gradients and other in desk.gradients else "operand"
        yield Change(parsed(other), cost, kind, f"{mine} stands where {other} belongs")
        if array.ndim == 2:
            yield Change(parsed(f"{other}.T"), cost + 0.5, kind, f"{mine} stands where {other}.T belongs")


def exchange_parts(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """An array alone in the place of something computed."""
    value = desk.seen(node)
    if _is_atom(node, desk) or not is_array(value) or isinstance(node, ast.Attribute):
        return
    for other, array in desk.arrays.items():
        if array.shape == value.shape:
            cost = 1.4 + 0.3 * ("[" in other) - 0.1 * (other in text(node))
            yield Change(parsed(other), cost, "operand", f"{text(node)} stands where {other} belongs")


def exchange_two(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Two arrays in each other's places, throughout the line."""
    if node is not desk.root:
        return
    atoms: dict[str, list[Path]] = {
        text(part): [] for _, part in positions(node) if _is_atom(part, desk) and is_array(desk.seen(part))
    }
    for path, part in positions(node):
        if text(part) in atoms:
            atoms[text(part)].append(path)
    for one, other in itertools.combinations(atoms, 2):
        if _nested(atoms[one] + atoms[other]):
            continue
        tree = node
        for path in atoms[one]:
            tree = exchanged(tree, path, parsed(other))
        for path in atoms[other]:
            tree = exchanged(tree, path, parsed(one))
        yield Change(tree, 1.05, "order", f"{one} and {other} stand in each other's places")


def _nested(paths: list[Path]) -> bool:
    """Whether one of some parts is inside another."""
    return any(a != b and a == b[: len(a)] for a in paths for b in paths)


def _is_atom(node: ast.expr, desk: Desk) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Subscript) and text(node) in desk.arrays)


def _distance(one: str, other: str) -> float:
    """How unlike two names are: 0 for Z1 and Z2 or A1 and Z1, 1 for another letter and another layer."""
    letters = [name.rstrip("0123456789") for name in (one, other)]
    digits = [name[len(stem) :] for name, stem in zip((one, other), letters, strict=True)]
    return 0.5 * (letters[0] != letters[1]) + 0.5 * (digits[0] != digits[1])


def exchange_sizes(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another size."""
    value = desk.seen(node)
    if not is_int(value) or isinstance(node, ast.UnaryOp):
        return
    mine = text(node)
    for name in desk.rounds:
        if name != mine:
            yield Change(parsed(name), 1.1, "index", f"{mine} stands where {name} belongs")
    for size, option in desk.sizes.items():
        if option != mine and not (desk.whole and size != desk.problem.name):
            cost = 0.7 if desk.whole else 1.0 if size == desk.problem.samples else 1.1
            cost += 0.2 * (isinstance(node, ast.Constant)) + 0.2 * ("." in option)
            yield Change(parsed(option), cost, "scale", f"{mine} stands where {option} belongs")
        over = binary(ast.Constant(1), ast.Div(), parsed(option))
        if not isinstance(node, ast.Constant):
            yield Change(over, 1.15 + 0.3 * (option != mine), "scale", f"{mine} stands where 1 / {option} belongs")


def transpose(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A .T more or less."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield Change(node.value, 0.95, "transpose", f"{text(node.value)} is transposed, but must not be")
    elif is_array(desk.seen(node)) and np.ndim(desk.seen(node)) == 2 and node not in desk.measured:
        cost = 1.0 if _is_atom(node, desk) else 1.1
        yield Change(ast.Attribute(node, "T"), cost, "transpose", f"{text(node)} is not transposed")


SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**", ast.FloorDiv: "//",
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


PRODUCTS = (ast.Mult, ast.Div, ast.MatMult, ast.Pow)


def operators(node: ast.expr, _: Desk) -> Iterator[Change]:
    """Another operator or comparison."""
    if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
        for op in (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult, ast.Pow):
            if not isinstance(node.op, op):
                signs = {type(node.op), op} == {ast.Add, ast.Sub}
                said = f"{SIGNS[type(node.op)]} stands where {SIGNS[op]} belongs"
                new = binary(node.left, op(), node.right)
                yield Change(
                    new,
                    0.42 if signs else 1.2 if type(node.op) in PRODUCTS and op in PRODUCTS else 1.45,
                    "sign" if signs else "operator",
                    f"{said}, before {text(node.right)}",
                    said,
                )
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SIGNS:
        for comparison in (ast.Gt, ast.Lt, ast.GtE, ast.LtE):
            if not isinstance(node.ops[0], comparison):
                new = ast.Compare(node.left, [comparison()], node.comparators)
                said = f"{text(node)} stands where {text(new)} belongs"
                yield Change(new, 1.0 + 0.1 * ("=" in SIGNS[comparison]), "mask", said)


def swap(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """The operands, or two arguments, the other way round."""
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Mult | ast.Add):
        said = f"{text(node.left)} and {text(node.right)} stand the wrong way round"
        kind = "sign" if isinstance(node.op, ast.Sub) else "order"
        cost = 1.1 if kind == "order" else 0.8 if isinstance(node.left, ast.Constant) else 0.45
        yield Change(binary(node.right, node.op, node.left), cost, kind, said)
    if isinstance(node, ast.Call):
        for i, j in itertools.combinations(range(len(node.args)), 2):
            arguments = list(node.args)
            arguments[i], arguments[j] = arguments[j], arguments[i]
            said = f"{text(node.args[i])} and {text(node.args[j])} stand the wrong way round"
            numbers = all(isinstance(a, ast.Constant | ast.UnaryOp) for a in node.args)
            yield Change(ast.Call(node.func, arguments, node.keywords), 0.95 if numbers else 1.1, "order", said)
        if isinstance(node.func, ast.Attribute) and len(node.args) == 1 and is_array(desk.seen(node.func.value)):
            new = ast.Call(ast.Attribute(node.args[0], node.func.attr), [node.func.value], node.keywords)
            said = f"{text(node.func.value)} and {text(node.args[0])} stand the wrong way round"
            yield Change(new, 1.1, "order", said)


def negate(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A minus more or less."""
    if isinstance(node, ast.UnaryOp):
        return
    value = desk.seen(node)
    if (is_array(value) and value.dtype.kind != "b") or isinstance(value, float | np.floating):
        yield Change(
            ast.UnaryOp(ast.USub(), node),
            1.1 + 0.1 * isinstance(node, ast.Name),
            "sign",
            f"the sign of {text(node)} is wrong",
        )
    if is_array(value) and value.dtype.kind == "b":
        yield Change(ast.UnaryOp(ast.Invert(), node), 1.2, "mask", f"{text(node)} is inverted")


def drop(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A part less: a factor, a term, a call, a slice."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            word = "factor" if isinstance(op, ast.Mult | ast.Div | ast.MatMult | ast.Pow) else "term"
            kind = _kind_of_part(right, desk)
            sign = "1 / " if isinstance(op, ast.Div) else ""
            if isinstance(op, ast.Pow):
                yield Change(left, 1.0, "operator", f"{text(left)} must not be raised to the power {text(right)}")
            else:
                cost = 0.95 - 0.05 * (kind != "extra") + 0.1 * isinstance(left, ast.Constant)
                yield Change(left, cost, kind, f"there is a {word} {sign}{_bracketed(right, sign)} too much")
            kind = _kind_of_part(left, desk)
            cost = 1.0 - 0.1 * (kind != "extra")
            yield Change(right, cost, kind, f"there is a {word} {text(left)} too much")
        case ast.UnaryOp(op=op, operand=operand):
            kind = "mask" if isinstance(op, ast.Invert | ast.Not) else "sign"
            said = f"the sign of {text(operand)} is wrong" if kind == "sign" else f"{text(operand)} is inverted"
            cost = 1.1 if isinstance(operand, ast.Constant) else 0.45 if kind == "sign" else 0.9
            yield Change(operand, cost, kind, said)
        case ast.Compare(left=left) if is_array(desk.seen(left)):
            yield Change(left, 1.2, "function", f"{text(node)} stands where {text(left)} belongs")
        case ast.Call(func=func, args=args):
            parts = list(args)
            if isinstance(func, ast.Attribute) and is_array(desk.seen(func.value)):
                parts = [func.value, *parts]
            for part in parts:
                if is_array(desk.seen(part)) or is_int(desk.seen(part)):
                    kind = "precision" if "astype" in text(func) else "function"
                    name = func.attr if isinstance(func, ast.Attribute) and part is func.value else text(func)
                    said = f"{name}(…) is too much: {text(part)} alone belongs there"
                    yield Change(part, 1.05, kind, said, f"{name} {kind}")
        case ast.Subscript(value=value, slice=index) if is_array(desk.seen(value)):
            said = f"{_index(index)} leaves a part of {text(value)} out"
            yield Change(value, 1.0, "index", said, _index(index))
            if desk.numpy is not None and value_ndim(desk, value) <= 2:
                for axis, keep in itertools.product(range(value_ndim(desk, value)), (True, False)):
                    code = f"axis={axis}, keepdims=True" if keep else f"axis={axis}"
                    call = parsed(f"{desk.numpy}.sum(_, {code})")
                    assert isinstance(call, ast.Call)
                    said = f"{_index(index)} takes a part of {text(value)}, but the sum over axis {axis} belongs there"
                    yield Change(ast.Call(call.func, [value], call.keywords), 1.3, "index", said)
        case ast.IfExp(body=body, orelse=orelse):
            yield Change(body, 1.2, "extra", f"{text(body)} alone belongs there")
            yield Change(orelse, 1.2, "extra", f"{text(orelse)} alone belongs there")


def value_ndim(desk: Desk, node: ast.expr) -> int:
    """Return the number of axes of a part."""
    return int(np.ndim(desk.seen(node)))


def _index(node: ast.expr) -> str:
    return text(ast.Subscript(ast.Name("_"), node))[1:]


def _bracketed(node: ast.expr, sign: str) -> str:
    return f"({text(node)})" if sign and isinstance(node, ast.BinOp) else text(node)


def _kind_of_part(node: ast.expr, desk: Desk) -> str:
    value = desk.seen(node)
    if isinstance(value, float | int | np.number) and not isinstance(value, bool):
        return "constant" if isinstance(node, ast.Constant) else "scale"
    return "extra"


def derivatives(name: str, desk: Desk) -> list[tuple[str, str, str, float]]:
    """Return what an activation's derivative can look like, in one array: (code, kind, name, cost)."""
    array = desk.arrays[name]
    if array.dtype.kind == "b" or np.isin(array, (0, 1)).all():
        return [(name, "mask", name if "mask" in name else f"the mask {name}", -0.1)]
    before = {"A": "Z", "a": "z"}.get(name[0], "") + name[1:]  # the mask is read from what goes into ReLU
    split = (array > 0).any() and not (array > 0).all()  # else a mask of it is no mask
    told = split and before not in desk.arrays
    mask = [(f"({name} > 0)", "mask", f"the mask of ReLU, {name} > 0,", 0.1 * (name[0] not in "Zz"))]
    np_, more = desk.numpy, []
    if np_ is not None and name not in desk.gradients:
        sigmoid = f"1 / (1 + {np_}.exp(-{name}))"
        more = [
            (f"({sigmoid})", "activation", f"the derivative of softplus, {sigmoid},", 0.25),
            (f"{np_}.cos({name})", "activation", f"the derivative of sin, cos({name}),", 0.3),
            (f"(2 * {name})", "activation", f"the derivative of a square, 2 * {name},", 0.3),
        ]
    if np_ is not None and split:
        elu = f"{np_}.where({name} > 0, 1, {np_}.exp({name}))"
        more.append((elu, "activation", f"the derivative of ELU, {elu},", 0.3))
    return (
        mask * bool(told)
        + more
        + [
            (f"(1 - {name} ** 2)", "activation", f"the derivative of tanh, 1 - {name} ** 2,", 0.0),
            (f"({name} * (1 - {name}))", "activation", f"the derivative of sigmoid, {name} * (1 - {name}),", 0.0),
            (f"(1 - {name})", "activation", f"the factor 1 - {name}", 0.2),
            (f"{name}", "missing", f"the factor {name}", 0.2),
        ]
    )


def multiply(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A factor more: an array, or the derivative of an activation."""
    value = desk.seen(node)
    if not is_array(value) or isinstance(node, ast.Constant):
        return
    for name, array in desk.arrays.items():
        if array.shape == value.shape:
            for code, kind, words, cost in derivatives(name, desk):
                yield Change(binary(node, ast.Mult(), parsed(code)), 1.5 + cost, kind, f"{words} is missing")
                if kind != "mask":
                    divided = binary(node, ast.Div(), parsed(code))
                    yield Change(divided, 1.8 + cost, "missing", f"the divisor {code} is missing")


def add(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A term more."""
    value = desk.seen(node)
    if not is_array(value):
        return
    for name, array in desk.arrays.items():
        if broadcasts(array.shape, value.shape):
            for op in (ast.Add(), ast.Sub()):
                said = f"the term {'-' if isinstance(op, ast.Sub) else '+'} {name} is missing"
                yield Change(binary(node, op, parsed(name)), 1.7, "missing", said)


def broadcasts(one: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array of one shape can stand beside one of the other without changing it."""
    return len(one) <= len(shape) and all(a in (1, b) for a, b in zip(one[::-1], shape[::-1], strict=False))


def contract(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A matrix product with another array."""
    value = desk.seen(node)
    if not is_array(value) or value.ndim != 2 or (isinstance(node, ast.Attribute) and node.attr == "T"):
        return
    for name, array in desk.arrays.items():
        if array.ndim != 2 or array.dtype.kind != "f":
            continue
        for code, shape, cost in ((name, array.shape, 1.55), (f"{name}.T", array.T.shape, 1.6)):
            if shape[1] == value.shape[0]:
                yield Change(
                    binary(parsed(code), ast.MatMult(), node), cost, "missing", f"the factor {code} is missing"
                )
            if shape[0] == value.shape[1]:
                yield Change(
                    binary(node, ast.MatMult(), parsed(code)), cost, "missing", f"the factor {code} is missing"
                )


def replace_factors(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """One or two factors of a product go, and another comes: the derivative of another activation."""
    value = desk.seen(node)
    if not is_array(value):
        return
    parts = factors(node)
    if len(parts) > 6:
        return
    for count in (1, 2):
        for start in range(len(parts) - count + 1):
            gone, left = parts[start : start + count], [*parts[:start], *parts[start + count :]]
            if not all(np.shape(desk.seen(g)) == value.shape for g in gone):
                continue
            mine = text(product(gone))
            if count == 2 and left:
                yield Change(product(left), 1.4, "extra", f"there is a factor {mine} too much")
            for name, array in desk.arrays.items():
                if array.shape != value.shape:
                    continue
                for code, kind, words, cost in derivatives(name, desk):
                    if code == name and kind != "mask":
                        continue
                    new = product([*parts[:start], parsed(code), *parts[start + count :]])
                    words = words.removesuffix(",")
                    cost += 1.04 if name in mine and mine != name else 1.35
                    cost += 0.3 * (len(parts) == 1)
                    yield Change(new, cost, kind, f"{mine} stands where {words} belongs")


def constants(node: ast.expr, _: Desk) -> Iterator[Change]:
    """Another number, axis or flag."""
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


def _subscripts(written: str) -> Iterator[str]:
    """Yield the subscripts of einsum with one letter exchanged, dropped, or two in the other order."""
    places = [i for i, letter in enumerate(written) if letter.isalpha()]
    letters = sorted({written[i] for i in places})
    for i in places:
        yield written[:i] + written[i + 1 :]
        for letter in letters:
            yield written[:i] + letter + written[i + 1 :]
    for i, j in itertools.combinations(places, 2):
        new = list(written)
        new[i], new[j] = new[j], new[i]
        yield "".join(new)


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
    if not isinstance(node, ast.Call):
        return
    if isinstance(node.func, ast.Attribute):
        for family in FAMILIES:
            if node.func.attr in family:
                for other in family:
                    if other != node.func.attr:
                        new = ast.Call(ast.Attribute(node.func.value, other), node.args, node.keywords)
                        said = f"{node.func.attr} stands where {other} belongs"
                        yield Change(new, 1.2 + 0.1 * (other not in ("sum", "mean", "dot", "matmul")), "function", said)
        if node.func.attr in FAMILIES[0]:
            yield from _keywords(node, desk)


def _keywords(node: ast.Call, desk: Desk) -> Iterator[Change]:
    """The axis and keepdims of a reduction."""
    kept = {k.arg: k for k in node.keywords}
    at = node.args if is_array(desk.seen(node.func.value)) else node.args[1:]  # type: ignore[attr-defined]
    place = "axis" not in kept and len(at) == 1
    for axis, keep in itertools.product((None, 0, 1, -1, 2), (False, True)):
        keywords = [k for k in node.keywords if k.arg not in ("axis", "keepdims")]
        if axis is not None:
            keywords.append(ast.keyword("axis", ast.Constant(axis)))
        if keep:
            keywords.append(ast.keyword("keepdims", ast.Constant(True)))
        args = node.args[:-1] if place else node.args
        new = ast.Call(node.func, args, keywords)
        had = kept["axis"].value if "axis" in kept else at[0] if place else None
        was = desk.seen(had) if had is not None else None
        if not (was is None or is_int(was)):
            return
        keeps = "keepdims" in kept
        said = []
        if was != axis:
            said.append(
                f"axis={axis} belongs where axis={was} stands"
                if was is not None and axis is not None
                else f"axis={axis} is missing"
                if was is None
                else f"axis={was} is too much"
            )
        if keep != keeps:
            said.append("keepdims=True is missing" if keep else "keepdims is too much")
        if said:
            cost = 1.0 * (was != axis) + 0.95 * (keep != keeps) + 0.02 * (axis == -1)
            yield Change(new, min(cost, 1.3), "axis", " and ".join(said))


def reduce(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A sum over an axis that is missing, or another shape."""
    value = desk.seen(node)
    if not is_array(value) or value.ndim > 2 or desk.numpy is None or isinstance(node, ast.Constant):
        return
    np_sum = parsed(f"{desk.numpy}.sum")
    for axis in range(value.ndim):
        for keep in (True, False):
            keywords = [ast.keyword("axis", ast.Constant(axis))]
            keywords += [ast.keyword("keepdims", ast.Constant(True))] if keep else []
            said = f"{text(node)} is not summed over axis {axis}"
            yield Change(ast.Call(np_sum, [node], keywords), 1.5, "missing", said)
    if value.ndim == 1:
        for shape in ("(-1, 1)", "(1, -1)"):
            new = ast.Call(ast.Attribute(node, "reshape"), [parsed(shape)], [])
            yield Change(new, 1.4, "axis", f"{text(node)} does not have the shape {shape}")
    else:
        new = ast.Call(ast.Attribute(node, "ravel"), [], [])
        yield Change(new, 1.7, "axis", f"{text(node)} has an axis too much")


def brackets(node: ast.expr, _: Desk) -> Iterator[Change]:
    """a ∘ (b ∘ c) for (a ∘ b) ∘ c, and the other way; f(a ∘ b) for f(a) ∘ b, and the other way."""
    made: list[tuple[ast.expr, float]] = []
    match node:
        case ast.BinOp(left=ast.BinOp(left=a, op=one, right=b), op=two, right=c):
            made.append((binary(a, one, binary(b, two, c)), 1.05))
    match node:
        case ast.BinOp(left=a, op=one, right=ast.BinOp(left=b, op=two, right=c)):
            made.append((binary(binary(a, one, b), two, c), 1.05))
    match node:
        case ast.BinOp(left=ast.UnaryOp(op=sign, operand=a), op=op, right=b):
            made.append((ast.UnaryOp(sign, binary(a, op, b)), 1.2))
        case ast.BinOp(left=ast.Call(func=f, args=args, keywords=keywords), op=op, right=b):
            if args:
                made.append((ast.Call(f, [binary(args[0], op, b), *args[1:]], keywords), 1.2))
            if isinstance(f, ast.Attribute):
                made.append((ast.Call(ast.Attribute(binary(f.value, op, b), f.attr), args, keywords), 1.2))
        case ast.Call(func=f, args=[ast.BinOp(left=a, op=op, right=b), *more], keywords=keywords):
            made.append((binary(ast.Call(f, [a, *more], keywords), op, b), 1.2))
        case ast.Call(
            func=ast.Attribute(value=ast.BinOp(left=a, op=op, right=b), attr=f), args=args, keywords=keywords
        ):
            made.append((binary(ast.Call(ast.Attribute(a, f), args, keywords), op, b), 1.2))
    for new, cost in made:
        yield Change(new, cost, "order", f"the brackets are wrong: {text(new)} is meant")


def activations(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another function of the one array that a part is made of."""
    value = desk.seen(node)
    names = {n for n in _names(node) if n in desk.arrays}
    if len(names) != 1 or _is_atom(node, desk) or desk.numpy is None or not is_array(value):
        return
    (name,) = names
    if desk.arrays[name].shape != value.shape:
        return
    np_ = desk.numpy
    for code in (
        f"{np_}.tanh({name})",
        f"1 / (1 + {np_}.exp(-{name}))",
        f"{np_}.maximum({name}, 0)",
        f"{np_}.exp({name})",
    ):
        yield Change(parsed(code), 1.4, "function", f"{text(node)} stands where {code} belongs")


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def wrap(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A function that is missing; a square; a difference from 1; normalised; shifted by its maximum."""
    value = desk.seen(node)
    if not is_array(value) or value.dtype.kind != "f":
        return
    mine = text(node)
    if node is not desk.root:  # what the whole lacks, the scale law finds
        yield Change(
            binary(ast.Constant(2), ast.Mult(), node), 1.3, "constant", f"the factor 2 before {mine} is missing"
        )
        samples = desk.sizes.get(desk.problem.samples or "")
        if samples is not None:
            over = binary(node, ast.Div(), parsed(samples))
            yield Change(over, 1.3, "scale", f"{mine} is not divided by {samples}")
    yield Change(binary(node, ast.Pow(), ast.Constant(2)), 1.6, "operator", f"{mine} is not squared")
    yield Change(binary(ast.Constant(1), ast.Sub(), node), 1.6, "operand", f"{mine} stands where 1 - {mine} belongs")
    yield Change(binary(ast.Constant(1), ast.Div(), node), 1.8, "operator", f"{mine} stands where 1 / {mine} belongs")
    mask = ast.Compare(node, [ast.Gt()], [ast.Constant(0)])
    yield Change(mask, 1.6, "mask", f"{mine} stands where the mask {mine} > 0 belongs")
    if desk.numpy is not None:
        for name in ("exp", "log", "tanh", "sqrt", "abs"):
            new: ast.expr = ast.Call(parsed(f"{desk.numpy}.{name}"), [node], [])
            yield Change(new, 1.8, "function", f"{name} of {mine} is missing")
        for axis in range(value.ndim):
            for name, op, said in (
                ("sum", ast.Div(), "is not divided by its sum"),
                ("max", ast.Sub(), "is not shifted by its maximum"),
            ):
                keywords = [ast.keyword("axis", ast.Constant(axis)), ast.keyword("keepdims", ast.Constant(True))]
                part = ast.Call(parsed(f"{desk.numpy}.{name}"), [node], keywords)
                yield Change(binary(node, op, part), 1.7, "missing", f"{mine} {said}")


Generator: TypeAlias = Callable[[ast.expr, Desk], Iterator[Change]]
GENERATORS: tuple[Generator, ...] = (
    *(exchange_names, exchange_parts, exchange_two, exchange_sizes, transpose, operators, swap, negate, drop, multiply),
    *(contract, add, replace_factors, constants, functions, reduce, brackets, activations, wrap),
)


def restate(node: ast.stmt, desk: Desk) -> Iterator[Change]:
    """Another way to assign: added up, taken away, or to the names in another order."""
    match node:
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub() as op, value=value):
            other = ast.Sub() if isinstance(op, ast.Add) else ast.Add()
            said = f"{SIGNS[type(op)]}= stands where {SIGNS[type(other)]}= belongs"
            yield Change(ast.AugAssign(target, other, value), 0.5, "sign", said)
            yield Change(ast.Assign([target], value), 1.1, "operator", f"{SIGNS[type(op)]}= stands where = belongs")
        case ast.Assign(targets=[ast.Name() | ast.Subscript() as target], value=value):
            if desk.looped and text(target).partition("[")[0] in desk.spaces[0]:
                for op, sign in ((ast.Add(), "+="), (ast.Sub(), "-=")):
                    new = ast.AugAssign(target, op, value)
                    yield Change(
                        new, 0.9, "operator", f"= stands where {sign} belongs: each round writes over the last"
                    )
        case ast.Assign(targets=[ast.Tuple(elts=parts)], value=value):
            for i, j in itertools.combinations(range(len(parts)), 2):
                turned = list(parts)
                turned[i], turned[j] = turned[j], turned[i]
                said = f"{text(parts[i])} and {text(parts[j])} stand in each other's places"
                yield Change(ast.Assign([ast.Tuple(turned, ast.Store())], value), 0.9, "order", said)


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
    for path, node in positions(root):
        if isinstance(node, ast.Slice) or (path and path[-1][0] == "func"):
            continue
        for generator in GENERATORS:
            for change in generator(node, desk):
                if change.cost <= limit:
                    groups[change.group or change.said].append((path, change))
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


def solved(root: Any, desk: Desk) -> Iterator[Edit]:
    """Yield the edits of one number to what it must be in the first example, found by the secant method."""
    for path, node in positions(root):
        old: Any = getattr(node, "value", None)
        if not isinstance(node, ast.Constant) or type(old) not in (int, float):
            continue

        def off(number: float, path: Path = path) -> Any:
            value = desk.first(exchanged(root, path, ast.Constant(number)))
            return None if value is None or not np.isfinite(value).all() else value - desk.trues[0]

        found = _root(off, old)
        if found is not None and abs(found) < 1e6:
            number = next(n for n in (float(f"{found:.2g}"), rounded(found)) if abs(n - found) <= 1e-6 * abs(found))
            new = int(number) if number == int(number) else number
            if new != old:
                change = Change(ast.Constant(new), 1.2, "constant", f"{old!r} stands where {new!r} belongs")
                yield Edit(exchanged(root, path, change.new), (change,), change.cost)


def _root(off: Callable[[float], Any], start: float, steps: int = 12) -> float | None:
    """Return where one element of a function is 0: the element that moves most."""
    one, two = float(start), 1.5 * start or 0.5
    before, after = off(one), off(two)
    if before is None or after is None or not before.size:
        return None
    where = int(np.argmax(np.abs(after - before)))
    a, b = float(before.flat[where]), float(after.flat[where])
    for _ in range(steps):
        if a == b:
            return None
        new = two - b * (two - one) / (b - a)
        if not np.isfinite(new) or abs(new - two) <= 1e-12 * abs(new):
            return new if np.isfinite(new) else None
        one, a, two, value = two, b, new, off(new)
        if value is None:
            return None
        b = float(value.flat[where])
        if b == 0:
            return two
    return two if abs(two - one) <= 1e-6 * abs(two) else None


def leaking(root: ast.expr, desk: Desk) -> Iterator[Edit]:
    """Yield the products of a line and np.where(Z > 0, 1, c), the derivative of leaky ReLU, with the c that fits."""
    value, true = desk.first(root), desk.trues[0]
    if desk.numpy is None or value is None or not true.ndim:
        return
    quotient = true / value
    for name, array in desk.arrays.items():
        if array.shape == true.shape and (array > 0).any() and (array < 0).any():
            slope = rounded(float(np.median(quotient[array < 0])))
            if 0 < abs(slope) < 1:
                code = f"{desk.numpy}.where({name} > 0, 1, {slope:g})"
                new = binary(root, ast.Mult(), parsed(code))
                change = Change(new, 1.6, "activation", f"the derivative of leaky ReLU, {code}, is missing")
                yield Edit(new, (change,), change.cost)
