"""The smallest edit of a wrong line that makes it right in every example: the search for repairs.

A line is a syntax tree.  An edit replaces one part of it; after every edit the scale law is tried too, so that two mistakes,
one of which is a wrong factor, cost no more than one.  Trees share the parts that an edit leaves alone, and each part is
evaluated once an example.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import operator
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from .judge import equal
from .problem import Example, Problem

Path: TypeAlias = tuple[tuple[str, int | None], ...]  # fields, and the place in those that are lists
Memo: TypeAlias = dict[int, tuple[ast.AST, Any]]  # with the node, so that its id is not used again
RTOL = 1e-9
LINE, HELPER, PAIRS = (
    1.0,
    0.4,
    1.0,
)  # seconds of the processor at most: for edits of the line, of each helper, and for pairs of edits


# --- evaluation: a tree at the values of an example -------------------------------------------------------------------


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
    return COMPARISONS[type(node.ops[0])](left, right)


def _slice(node: Any, space: dict[str, Any], memo: Memo) -> Any:
    parts = (node.lower, node.upper, node.step)
    return slice(*(None if part is None else evaluate(part, space, memo) for part in parts))


def _compiled(node: Any, space: dict[str, Any], _memo: Memo) -> Any:
    tree = ast.fix_missing_locations(ast.Expression(node))
    return eval(compile(tree, "<repair>", "eval"), dict(space))


OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.MatMult: operator.matmul,
    ast.Pow: operator.pow,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
UNARY: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
RULES: dict[type[ast.AST], Callable[[Any, dict[str, Any], Memo], Any]] = {
    ast.Name: _name,
    ast.Constant: lambda n, _space, _memo: n.value,
    ast.BinOp: lambda n, space, memo: OPERATORS[type(n.op)](
        evaluate(n.left, space, memo), evaluate(n.right, space, memo)
    ),
    ast.UnaryOp: lambda n, space, memo: UNARY[type(n.op)](evaluate(n.operand, space, memo)),
    ast.Attribute: lambda n, space, memo: getattr(evaluate(n.value, space, memo), n.attr),
    ast.Subscript: lambda n, space, memo: evaluate(n.value, space, memo)[evaluate(n.slice, space, memo)],
    ast.Tuple: lambda n, space, memo: tuple(evaluate(e, space, memo) for e in n.elts),
    ast.List: lambda n, space, memo: [evaluate(e, space, memo) for e in n.elts],
    ast.Call: _call,
    ast.Compare: _compare,
    ast.Slice: _slice,
}


# --- the scale law ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Law:
    """value = constant · Π sizeᵖ · true, in every example."""

    constant: float
    powers: tuple[tuple[str, float], ...] = ()

    @property
    def trivial(self) -> bool:
        """Whether value = true."""
        return self.constant == 1 and not self.powers

    @property
    def cost(self) -> float:
        """How far from 1 the factor is."""
        if self.trivial:
            return 0.0
        powers = sum(0.35 + 0.2 * abs(p) + 0.7 * (p < 0) + 0.2 * (p % 1 != 0) for _, p in self.powers)
        return 0.4 + powers + (0.0 if self.constant == 1 else 0.7 if self.constant == -1 else 0.9)

    def at(self, sizes: dict[str, int]) -> float:
        """Return the factor at some sizes."""
        return float(self.constant * np.prod([sizes[name] ** p for name, p in self.powers]))


class Laws:
    """All powers of at most two sizes, at the sizes of each example."""

    def __init__(self, examples: Sequence[Example]) -> None:
        names = [name for name in examples[0].sizes if len({e.sizes[name] for e in examples}) > 1]
        powers = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
        one = [((name, p),) for name in names for p in powers]
        two = [((a, p), (b, q)) for a, b in itertools.combinations(names, 2) for p in powers for q in powers]
        two.sort(key=lambda combination: sum(abs(p) + (p % 1 != 0) for _, p in combination))
        self.all: list[tuple[tuple[str, float], ...]] = [(), *one, *two]
        exponents = np.array([[dict(powers).get(name, 0.0) for name in names] for powers in self.all])
        logs = np.log([[e.sizes[name] for e in examples] for name in names]).reshape(len(names), len(examples))
        self.table = np.exp(exponents.reshape(len(self.all), len(names)) @ logs)  # a row for each law

    def find(self, ratios: Sequence[float]) -> Law | None:
        """Return the law that all ratios follow; NaN among them tells nothing.  Fewer than three tell too little."""
        r = np.asarray(ratios)
        told = np.isfinite(r)
        if not told.any():
            return None
        constants = r[told] / self.table[:, told]
        spread = np.ptp(constants, axis=1) <= 1e-8 * np.abs(constants[:, 0])
        if not spread.any():
            return None
        best = int(np.argmax(spread))
        constant = float(constants[best].mean())
        law = Law(rounded(constant), self.all[best])
        return law if law.trivial or told.sum() >= min(3, len(r)) else None


def rounded(constant: float) -> float:
    """Return a constant without its rounding error: 0.1 for 0.10000000000000002."""
    return float(f"{constant:.10g}")


# --- trees ------------------------------------------------------------------------------------------------------------


def text(node: ast.AST) -> str:
    """Return a tree as Python writes it."""
    return ast.unparse(node)


@cache
def parsed(code: str) -> ast.expr:
    """Return the tree of an expression; the same one each time, so that its value is computed once."""
    return ast.parse(code, mode="eval").body


def positions(root: ast.AST, path: Path = ()) -> Iterator[tuple[Path, ast.expr]]:
    """Yield the parts of a tree that are expressions, with where they stand."""
    if isinstance(root, ast.expr):
        yield path, root
    for name, value in ast.iter_fields(root):
        if isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from positions(item, (*path, (name, i)))
        elif isinstance(value, ast.AST):
            yield from positions(value, (*path, (name, None)))


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


# --- the desk: what is known while searching --------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One part that is replaced: by what, how far-fetched that is, and what the mistake was."""

    new: ast.expr
    cost: float
    kind: str
    said: str
    group: str = ""  # changes of one group in several places can be one mistake; else those that say the same


@dataclass(frozen=True)
class Repair:
    """A line that is right in every example: name = tree."""

    line: str
    tree: ast.expr
    changes: tuple[Change, ...]
    law: Law
    cost: float
    anew: bool = False  # whether it is no edit of the line, but made anew


NOTHING = object()  # the value of a part that has none


class Desk:
    """A problem laid out for the search: its examples in the order of trying, the names, and the values of parts."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        order = sorted(problem.examples, key=_usefulness)
        self.examples = [e for e in order if np.isfinite(np.asarray(e.true, np.float64)).all()]
        self.spaces = [e.space for e in self.examples]
        self.memos: list[Memo] = [{} for _ in self.examples]
        self.trues = [np.asarray(e.true) for e in self.examples]
        self.peaks = [(int(np.argmax(np.abs(t))), float(np.max(np.abs(t), initial=0.0))) for t in self.trues]
        self.single = [_single(space) for space in self.spaces]
        self.whole = bool(self.examples) and isinstance(self.examples[0].true, int)  # the line is that of a size
        self.edited = problem.name
        self.laws = Laws(self.examples) if self.examples else None
        self.chain: list[tuple[str, ast.expr]] = []  # the lines that are run after the edited one
        first = self.spaces[0] if self.spaces else {}
        self.numpy = next((name for name, value in first.items() if value is np and not name.startswith("_")), None)
        self.arrays = dict(_arrays(first))
        self.sizes = self._sizes()
        self.gradients = {name for name, array in self.arrays.items() if self._is_gradient(array)}
        self.root: ast.expr = problem.expression  # of the tree that is being edited
        self.measured: set[ast.expr] = set()  # its parts of which only the shape is read

    def _sizes(self) -> dict[str, str]:
        """Return how the person's code can write each size: m, X.shape[1]."""
        found: dict[str, str] = {}
        if not self.examples:
            return found
        options = [n for n, v in self.spaces[0].items() if _is_int(v) and not n.startswith("__")]
        options += [f"{n}.shape[{k}]" for n in self.arrays for k in range(np.ndim(self.spaces[0].get(n, 0)))]
        for size in self.examples[0].sizes:
            for option in sorted(options, key=lambda o: (o != size, "." in o)):
                if all(self._int(option, i) == e.sizes[size] for i, e in enumerate(self.examples)):
                    found[size] = option
                    break
        return found

    def _is_gradient(self, array: Any) -> bool:
        slopes = (x for name, x in self.examples[0].trues.items() if name.startswith("d"))
        return any(np.shape(x) == array.shape and np.any(x) and np.allclose(x, array, 1e-9, 0) for x in slopes)

    def _int(self, option: str, i: int) -> Any:
        try:
            return evaluate(parsed(option), self.spaces[i], self.memos[i])
        except Exception:
            return None

    def value(self, tree: ast.expr, i: int) -> Any:
        """Return what the line gives with this tree in example i; NOTHING where it raises."""
        try:
            return self.run(tree, self.spaces[i], self.memos[i])
        except Exception:
            return NOTHING

    def run(self, tree: ast.expr, space: dict[str, Any], memo: Memo) -> Any:
        """Evaluate the edited line, and those after it up to the one that is judged."""
        value = evaluate(tree, space, memo)
        if not self.chain:
            return value
        space = {**space, self.edited: value}
        for name, expression in self.chain:
            space[name] = value = evaluate(expression, space, {})
        return value

    def first(self, tree: ast.expr) -> Any:
        """Return what the line gives in the first example, as floats; None where it has another shape than the true."""
        value = self.value(tree, 0)
        if value is NOTHING or np.shape(value) != self.trues[0].shape or np.asarray(value).dtype.kind not in "fiub":
            return None
        return np.asarray(value, np.float64)

    def seen(self, node: ast.AST) -> Any:
        """Return the value of a part in the first example."""
        try:
            return evaluate(node, self.spaces[0], self.memos[0])
        except Exception:
            return NOTHING

    def ratio(self, value: Any, i: int) -> float | None:
        """Return r of value = r · true in example i; NaN where both are 0, which tells nothing; None where none fits."""
        if value is NOTHING:
            return None
        try:
            value = np.asarray(value)
        except ValueError:
            return None
        true = self.trues[i]
        if value.shape != true.shape or value.dtype.kind not in "fiub":
            return None
        where, peak = self.peaks[i]
        tolerance = 1e-4 if self.single[i] else RTOL
        if peak == 0 or not true.size:
            return float("nan") if not value.any() else None
        r = float(value.flat[where]) / float(true.flat[where])
        if r == 0 or not np.isfinite(r):
            return None
        return r if np.max(np.abs(value - r * true)) <= tolerance * abs(r) * peak else None

    def law(self, tree: ast.expr) -> Law | None:
        """Return the law of scale that a tree obeys in every example; None where it is no multiple of the true value."""
        if self.whole:
            right = all(_is_int(v := self.value(tree, i)) and v == true for i, true in enumerate(self.trues))
            return Law(1.0) if right else None
        ratios: list[float] = []
        doubtful: list[int] = []
        for i in range(len(self.examples)):
            r = self.ratio(self.value(tree, i), i)
            if r is None and i < 2:
                return None
            if r is None or self.single[i]:
                doubtful.append(i)
            ratios.append(float("nan") if r is None or self.single[i] else r)
        assert self.laws is not None
        law = self.laws.find(ratios)
        if law is None or not all(self.nearly(tree, i, law) for i in doubtful):
            return None
        return law

    def nearly(self, tree: ast.expr, i: int, law: Law) -> bool:
        """Whether a tree is right in example i but for rounding and the factor of a law."""
        value = self.value(tree, i)
        if value is NOTHING or isinstance(value, int):
            return False
        factor, space = law.at(self.examples[i].sizes), self.spaces[i]
        r = self.ratio(value, i)
        if r is not None and self.single[i]:
            return bool(np.isnan(r) or abs(r - factor) <= 1e-3 * abs(factor))

        def again(disturb: Callable[[Any], Any]) -> Any:
            return self.run(tree, {name: disturb(x) for name, x in space.items()}, {}) / factor

        return equal(np.asarray(value) / factor, self.trues[i], again)


def _usefulness(example: Example) -> tuple[bool, bool, bool, int]:
    """Wrong ones first, with distinct sizes of more than 1, small."""
    sizes = list(example.sizes.values())
    large = np.max(np.abs(example.true), initial=0.0) > 1e4
    return example.right, len(set(sizes)) < len(sizes) or min(sizes, default=2) < 2, bool(large), sum(sizes)


def _single(space: dict[str, Any]) -> bool:
    return any(isinstance(v, np.ndarray) and v.dtype.kind == "f" and v.dtype.itemsize < 8 for v in space.values())


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and 0 < value.ndim <= 4


def _arrays(space: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arrays that a line can read: by name, or in a dict or list with a name."""
    for name, value in space.items():
        if name.startswith("__"):
            continue
        if _is_array(value):
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"{name}[{key!r}]", x) for key, x in value.items() if isinstance(key, str) and _is_array(x))
        elif isinstance(value, list | tuple):
            yield from ((f"{name}[{i}]", x) for i, x in enumerate(value[:8]) if _is_array(x))


# --- the edits: each generator yields what could stand in the place of a part -----------------------------------------


def exchange_names(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another array, as it is or transposed."""
    if not _is_atom(node, desk):
        return
    mine, value = text(node), desk.seen(node)
    if not (_is_array(value) or value is NOTHING):
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
    if _is_atom(node, desk) or not _is_array(value) or isinstance(node, ast.Attribute):
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
        text(part): [] for _, part in positions(node) if _is_atom(part, desk) and _is_array(desk.seen(part))
    }
    for path, part in positions(node):
        if text(part) in atoms:
            atoms[text(part)].append(path)
    for one, other in itertools.combinations(atoms, 2):
        tree = node
        for path in atoms[one]:
            tree = exchanged(tree, path, parsed(other))
        for path in atoms[other]:
            tree = exchanged(tree, path, parsed(one))
        yield Change(tree, 1.05, "order", f"{one} and {other} stand in each other's places")


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
    if not _is_int(value) or isinstance(node, ast.UnaryOp):
        return
    mine = text(node)
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
    elif np.ndim(desk.seen(node)) == 2 and _is_array(desk.seen(node)) and node not in desk.measured:
        cost = 1.0 if _is_atom(node, desk) else 1.1
        yield Change(ast.Attribute(node, "T"), cost, "transpose", f"{text(node)} is not transposed")


SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**", ast.FloorDiv: "//",
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


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
                    0.42 if signs else 1.2,
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
        if isinstance(node.func, ast.Attribute) and len(node.args) == 1 and _is_array(desk.seen(node.func.value)):
            new = ast.Call(ast.Attribute(node.args[0], node.func.attr), [node.func.value], node.keywords)
            said = f"{text(node.func.value)} and {text(node.args[0])} stand the wrong way round"
            yield Change(new, 1.1, "order", said)


def negate(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A minus more or less."""
    if isinstance(node, ast.UnaryOp):
        return
    value = desk.seen(node)
    if (_is_array(value) and value.dtype.kind != "b") or isinstance(value, float | np.floating):
        yield Change(
            ast.UnaryOp(ast.USub(), node),
            1.1 + 0.1 * isinstance(node, ast.Name),
            "sign",
            f"the sign of {text(node)} is wrong",
        )
    if _is_array(value) and value.dtype.kind == "b":
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
        case ast.Compare(left=left) if _is_array(desk.seen(left)):
            yield Change(left, 1.2, "function", f"{text(node)} stands where {text(left)} belongs")
        case ast.Call(func=func, args=args):
            parts = list(args)
            if isinstance(func, ast.Attribute) and _is_array(desk.seen(func.value)):
                parts = [func.value, *parts]
            for part in parts:
                if _is_array(desk.seen(part)) or _is_int(desk.seen(part)):
                    kind = "precision" if "astype" in text(func) else "function"
                    name = func.attr if isinstance(func, ast.Attribute) and part is func.value else text(func)
                    said = f"{name}(…) is too much: {text(part)} alone belongs there"
                    yield Change(part, 1.05, kind, said, f"{name} {kind}")
        case ast.Subscript(value=value, slice=index) if _is_array(desk.seen(value)):
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
    if array.dtype.kind == "b":
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
    if not _is_array(value) or isinstance(node, ast.Constant):
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
    if not _is_array(value):
        return
    for name, array in desk.arrays.items():
        if _broadcasts(array.shape, value.shape):
            for op in (ast.Add(), ast.Sub()):
                said = f"the term {'-' if isinstance(op, ast.Sub) else '+'} {name} is missing"
                yield Change(binary(node, op, parsed(name)), 1.7, "missing", said)


def contract(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """A matrix product with another array."""
    value = desk.seen(node)
    if not _is_array(value) or value.ndim != 2 or (isinstance(node, ast.Attribute) and node.attr == "T"):
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
    if not _is_array(value):
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
    at = node.args if _is_array(desk.seen(node.func.value)) else node.args[1:]  # type: ignore[attr-defined]
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
        if not (was is None or _is_int(was)):
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
    if not _is_array(value) or value.ndim > 2 or desk.numpy is None or isinstance(node, ast.Constant):
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
    match node:
        case ast.BinOp(left=ast.BinOp(left=a, op=one, right=b), op=two, right=c):
            new = binary(a, one, binary(b, two, c))
            yield Change(new, 1.05, "order", f"the brackets are wrong: {text(new)} is meant")
    match node:
        case ast.BinOp(left=a, op=one, right=ast.BinOp(left=b, op=two, right=c)):
            new = binary(binary(a, one, b), two, c)
            yield Change(new, 1.05, "order", f"the brackets are wrong: {text(new)} is meant")
    match node:
        case ast.BinOp(left=ast.UnaryOp(op=sign, operand=a), op=op, right=b):
            new = ast.UnaryOp(sign, binary(a, op, b))
            yield Change(new, 1.2, "order", f"the brackets are wrong: {text(new)} is meant")
        case ast.BinOp(left=ast.Call(func=f, args=[a, *more], keywords=keywords), op=op, right=b):
            new = ast.Call(f, [binary(a, op, b), *more], keywords)
            yield Change(new, 1.2, "order", f"the brackets are wrong: {text(new)} is meant")
        case ast.Call(func=f, args=[ast.BinOp(left=a, op=op, right=b), *more], keywords=keywords):
            new = binary(ast.Call(f, [a, *more], keywords), op, b)
            yield Change(new, 1.2, "order", f"the brackets are wrong: {text(new)} is meant")


def activations(node: ast.expr, desk: Desk) -> Iterator[Change]:
    """Another function of the one array that a part is made of."""
    value = desk.seen(node)
    names = {n for n in _names(node) if n in desk.arrays}
    if len(names) != 1 or _is_atom(node, desk) or desk.numpy is None or not _is_array(value):
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
    if not _is_array(value) or value.dtype.kind != "f":
        return
    mine = text(node)
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


# --- the search -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """A tree, and the changes that made it of the line's."""

    tree: ast.expr
    changes: tuple[Change, ...]
    cost: float


def edits(root: ast.expr, desk: Desk, limit: float = 9.0) -> Iterator[Edit]:
    """Yield every edit of one part; and the same edit in all places where it can be made, if there are several."""
    desk.root = root
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
        paths = [path for path, _ in found]
        if 1 < len(set(paths)) == len(paths) and not any(a != b and a == b[: len(a)] for a in paths for b in paths):
            tree = root
            for path, change in found:
                tree = exchanged(tree, path, change.new)
            change = found[0][1]
            yield Edit(tree, (change,), change.cost + 0.2)


def solved(root: ast.expr, desk: Desk) -> Iterator[Edit]:
    """Yield the edits of one number to what it must be, where the value of the line is linear in it."""
    true = desk.trues[0]
    for path, node in positions(root):
        old: Any = getattr(node, "value", None)
        if not isinstance(node, ast.Constant) or type(old) not in (int, float):
            continue
        trials = [exchanged(root, path, ast.Constant(old + step)) for step in (0.0, 0.5)]
        one, two = (desk.first(trial) for trial in trials)
        if one is None or two is None or not true.size:
            continue
        slope, off = (two - one) / 0.5, true - one
        where = int(np.argmax(np.abs(slope)))
        if not slope.flat[where] or not np.isfinite(slope).all():
            continue
        number = rounded(old + off.flat[where] / slope.flat[where])
        if np.isfinite(number) and abs(number) < 1e6 and number != old:
            whole = int(number) if number == int(number) else number
            change = Change(ast.Constant(whole), 1.2, "constant", f"{old!r} stands where {whole!r} belongs")
            yield Edit(exchanged(root, path, change.new), (change,), change.cost)


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


def scaled(tree: ast.expr, law: Law, desk: Desk) -> Iterator[ast.expr]:
    """Yield the tree divided by the factor of a law, in the person's names: in a number that is there, or as a factor."""
    if not law.powers and law.constant != -1:
        for path, node in positions(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value:
                for number in (node.value / law.constant, node.value * law.constant):
                    if rounded(number) in (1, 2, 0.5, -1):
                        plain = rounded(number)
                        yield exchanged(tree, path, ast.Constant(int(plain) if plain == int(plain) else plain))
    above: list[ast.expr] = []
    below: list[ast.expr] = []
    constant = abs(law.constant)
    for number, into in ((constant, below), (rounded(1 / constant), above)):
        if number > 1 and number == int(number):
            into.append(ast.Constant(int(number)))
            break
    else:
        if constant != 1:
            above.append(ast.Constant(rounded(1 / constant)))
    for size, power in law.powers:
        if size not in desk.sizes:
            return
        node = parsed(desk.sizes[size])
        if abs(power) == 0.5:
            if desk.numpy is None:
                return
            node = ast.Call(parsed(f"{desk.numpy}.sqrt"), [node], [])
        elif abs(power) == 2:
            node = binary(node, ast.Pow(), ast.Constant(2))
        (below if power > 0 else above).append(node)
    if law.constant < 0:
        tree = ast.UnaryOp(ast.USub(), tree)
    if above:
        tree = binary(product(above), ast.Mult(), tree)
    yield binary(tree, ast.Div(), product(below)) if below else tree


def attempt(edit: Edit, desk: Desk, line: str, best: Repair | None = None) -> Repair | None:
    """Return the repair that an edit and a factor make; None where they make none, or a worse one than the best."""
    law = desk.law(edit.tree)
    if law is None or (best is not None and edit.cost + law.cost > best.cost):
        return None
    for tree in [edit.tree] if law.trivial else scaled(edit.tree, law, desk):
        plain = simplified(tree)
        if holds(plain, desk):
            return Repair(line, plain, edit.changes, law, edit.cost + law.cost)
    return None


def polished(repair: Repair, edit: Edit, desk: Desk, steps: int = 2) -> Repair:
    """Return the repair with what is left of a wrong factor put right where it stands, if that is simpler."""
    best = repair
    for more in edits(edit.tree, desk, 1.25) if steps and not repair.law.trivial else ():
        if more.cost >= repair.law.cost or more.changes[0].kind not in SCALING:
            continue
        both = Edit(more.tree, (*edit.changes, *more.changes), edit.cost + more.cost)
        law = desk.law(more.tree)
        if law is None or law.cost >= repair.law.cost:
            continue
        found = attempt(both, desk, repair.line)
        if found is not None:
            found = polished(found, both, desk, steps - 1)
            best = min(best, found, key=_rank)
    return best


SCALING = ("scale", "sign", "constant", "function", "extra")


def _rank(repair: Repair) -> tuple[float, int]:
    return round(repair.cost, 3), len(text(repair.tree))


def simplified(tree: Any) -> Any:
    """Return a tree without factors 1."""
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


def holds(tree: ast.expr, desk: Desk) -> bool:
    """Whether the text of a repair is right in every example, run anew."""
    fresh = ast.parse(text(tree), mode="eval").body
    for i in range(len(desk.examples)):
        r = desk.ratio(desk.value(fresh, i), i)
        near = r is not None and (np.isnan(r) or abs(r - 1) <= (1e-3 if desk.single[i] else 1e-8))
        if not near and not desk.nearly(fresh, i, Law(1.0)):
            return False
    return True


def repaired(desk: Desk, root: ast.expr, line: str, seconds: float) -> Repair | None:
    """Return the best repair by one edit, or none, and a factor."""
    until = time.process_time() + seconds
    trials = [Edit(root, (), 0.0), *edits(root, desk), *solved(root, desk), *leaking(root, desk)]
    best: Repair | None = None
    for edit in sorted(trials, key=lambda trial: trial.cost):
        if (best is not None and edit.cost > best.cost) or time.process_time() > until:
            break
        repair = attempt(edit, desk, line, best)
        if repair is not None:
            best = min(best or repair, polished(repair, edit, desk), key=_rank)
    return best


def pairs(desk: Desk, root: ast.expr, line: str, until: float) -> list[Repair]:
    """Return the repairs by two edits, the most promising first edits first, until the time is up."""
    found: list[Repair] = []
    firsts = sorted(edits(root, desk, 1.3), key=lambda e: e.cost - _promise(e.tree, desk))
    for first in firsts[:80]:
        for second in edits(first.tree, desk, 1.6):
            if time.process_time() > until:
                return sorted(found, key=_rank)
            if desk.ratio(desk.value(second.tree, 0), 0) is None:
                continue
            both = Edit(second.tree, (*first.changes, *second.changes), first.cost + second.cost)
            repair = attempt(both, desk, line)
            if repair is not None:
                found.append(repair)
        if found:
            break
    return sorted(found, key=_rank)


def _promise(tree: ast.expr, desk: Desk) -> float:
    """How near a tree comes to the true value in the first example: the cosine of the angle between them, or 0."""
    value, true = desk.first(tree), desk.trues[0]
    if value is None:
        return 0.0
    length = float(np.linalg.norm(value) * np.linalg.norm(true))
    return abs(float(np.vdot(value, true))) / length if np.isfinite(length) and length else 0.0


def helper_desks(desk: Desk) -> Iterator[tuple[Desk, str, ast.expr]]:
    """Yield a desk for every helper line: on it, the value of an edited helper is carried through to the line."""
    problem = desk.problem
    for k, (name, expression) in enumerate(problem.helpers):
        spaces = []
        for space in desk.spaces:
            before = dict(space)
            try:
                for earlier, tree in problem.helpers[:k]:
                    if [n for n, _ in problem.helpers].count(earlier) > 1:
                        before[earlier] = evaluate(tree, before, {})
            except Exception:
                break
            spaces.append(before)
        if len(spaces) < len(desk.spaces):
            continue
        other = Desk(problem)
        other.spaces, other.memos = spaces, [{} for _ in spaces]
        other.arrays = dict(_arrays(spaces[0]))
        other.edited = name
        other.chain = [*problem.helpers[k + 1 :], (problem.name, problem.expression)]
        yield other, name, expression


def synthesised(desk: Desk) -> Repair | None:
    """Return the best line made anew of what can be read: a product, a difference, a sum, times a derivative."""
    if desk.numpy is None or desk.whole:
        return None
    best: Repair | None = None
    for code, cost in _guesses(desk):
        repair = attempt(Edit(parsed(code), (), cost), desk, desk.problem.name)
        if repair is not None and (best is None or _rank(repair) < _rank(best)):
            best = replace(repair, anew=True)
    return best


def _guesses(desk: Desk) -> Iterator[tuple[str, float]]:
    """Yield expressions of the right shape, with how far-fetched each is."""
    shape, np_ = desk.trues[0].shape, desk.numpy
    flat = [(name, x) for name, x in desk.arrays.items() if x.dtype.kind in "fb" and x.ndim <= 2 and "[" not in name]
    turned = [(name, x.shape, 0.0) for name, x in flat] + [(f"{n}.T", x.T.shape, 0.1) for n, x in flat if x.ndim == 2]
    made: list[tuple[str, float]] = [(name, 2.0 + cost) for name, s, cost in turned if s == shape]
    for (a, s, one), (b, t, two) in itertools.product(turned, repeat=2):
        if len(s) == len(t) == 2 and s[1] == t[0] and (s[0], t[1]) == shape:
            made.append((f"{a} @ {b}", 2.2 + one + two))
    for name, x in flat:
        for axis, keep in itertools.product(range(x.ndim), (True, False)):
            if np.sum(x, axis=axis, keepdims=keep).shape == shape:
                made.append((f"{np_}.sum({name}, axis={axis}{', keepdims=True' * keep})", 2.3))
        if x.shape == shape:
            made += [(f"({name} - {b})", 2.5) for b, y in flat if y.shape == shape and b != name]
    yield from made
    for (code, cost), (name, x) in itertools.product(made, flat):
        if _broadcasts(x.shape, shape) and name not in code:
            yield f"{code} + {name}", cost + 0.5
    fitting = [name for name, x in flat if x.shape == shape]
    for (code, cost), name in itertools.product(made, fitting):
        for derivative, _, _, more in derivatives(name, desk):
            if derivative not in code:
                yield f"{code} * {derivative}", cost + 0.6 + more
                yield f"{code} / {derivative}", cost + 0.9 + more


def _broadcasts(one: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(one) <= len(shape) and all(a in (1, b) for a, b in zip(one[::-1], shape[::-1], strict=False))


def search(desk: Desk, only: str | None = None) -> Repair | None:
    """Return the best repair of a line, or of one of the lines it depends on; with `only`, of that one."""
    if not desk.examples:
        return None
    problem = desk.problem
    if only is not None:
        tried = [repaired(d, tree, name, HELPER) for d, name, tree in helper_desks(desk) if name == only]
        return min((repair for repair in tried if repair is not None), key=_rank, default=None)
    single = repaired(desk, problem.expression, problem.name, LINE)
    found = [] if single is None else [single]
    if single is None or single.cost > 1.2:
        for other, name, expression in helper_desks(desk):
            repair = repaired(other, expression, name, HELPER)
            found += [] if repair is None else [replace(repair, cost=repair.cost + 0.15)]
    if not found:
        made = synthesised(desk)
        found = pairs(desk, problem.expression, problem.name, time.process_time() + PAIRS)
        found += [made] if made is not None and not found else []
    return min(found, key=_rank, default=None)
