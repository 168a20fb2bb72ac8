"""The desk: a problem laid out for the search, its examples in the order of trying, its names, the values of trees."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from ..formula.code import Memo, evaluate, parsed, positions, ready
from ..formula.factor import Law, Laws
from ..truth.equal import Same, equal, same
from .problem import Example, Problem, Statement
from .run import UnreadableError, source_of

NODES_OF_A_STEP = 12  # running a step of the function again takes as long
NOTHING = object()  # the value of a part that has none


class Desk:
    """A problem laid out for the search: its examples in the order of trying, the names, and the values of parts.

    What is edited is the line itself, or a statement that it depends on; judged is what the line gives then.
    """

    def __init__(self, problem: Problem, statement: Statement | None = None) -> None:
        self.problem, self.statement = problem, statement
        self.price = (
            (len(list(positions(self.line))) if self.line is not None else 1)
            if statement is None
            else NODES_OF_A_STEP * problem.steps
        )
        order = sorted(range(len(problem.examples)), key=lambda i: usefulness(problem.examples[i]))
        self.order = [i for i in order if np.isfinite(np.asarray(problem.examples[i].true, np.float64)).all()]
        self.examples = [problem.examples[i] for i in self.order]
        self.spaces = [problem.examples[i].space if statement is None else statement.spaces[i] for i in self.order]
        self.memos: list[Memo] = [{} for _ in self.examples]
        self.trues = [np.asarray(e.true) for e in self.examples]
        self.peaks = [(int(np.argmax(np.abs(t))), float(np.max(np.abs(t), initial=0.0))) for t in self.trues]
        self.single = [single(space) for space in self.spaces]
        self.whole = bool(self.examples) and isinstance(self.examples[0].true, int)  # the line is that of a size
        self.laws = Laws([example.sizes for example in self.examples]) if self.examples else None
        first = self.spaces[0] if self.spaces else {}
        self.numpy = next((name for name, value in first.items() if value is np and not name.startswith("_")), None)
        self.arrays = dict(arrays(first))
        self.numbers = [n for n, x in first.items() if isinstance(x, np.ndarray) and not x.ndim and n != self.name]
        functions = {n: x for n, x in first.items() if isinstance(x, FunctionType) and not n.startswith("_")}
        self.helpers_of_file = set(functions)  # the functions of the file,
        self.own = [name for name in functions if _is_pure(functions[name], functions)]  # and those that may be tried
        loops = [s.name for s in problem.statements if isinstance(s.node, ast.For)] if statement is not None else []
        self.looped = bool(loops)
        self.rounds = [name for name in loops if is_int(first.get(name))]  # that count the rounds of loops
        self._forget()
        self.arrays |= {
            f"{n}[{i}]": x[first[i]]
            for n, x in self.arrays.items()
            for i in self.rounds
            if "[" not in n and len(x) > first[i] >= 0
        }
        self.sizes = self._sizes()
        self.helpers = {s.name for s in problem.statements} if statement is None else set()
        self.gradients = {name for name, array in self.arrays.items() if self._is_gradient(array)}
        self.root = self.line  # of the tree that is being edited
        self.measured: set[ast.expr] = set()  # its parts of which only the shape is read

    @property
    def line(self) -> Any:
        """What is edited: an expression, or a statement."""
        return self.problem.expression if self.statement is None else self.statement.node

    @property
    def name(self) -> str:
        """The name that it assigns."""
        return self.problem.name if self.statement is None else self.statement.name

    def _forget(self) -> None:
        """Leave out what a repair must not read: its own target, results, and entries that are right in one round only."""
        node = self.line
        there = (
            {ast.unparse(part) for part in ast.walk(node) if isinstance(part, ast.Name | ast.Subscript)}
            if node
            else set()
        )
        own = self.problem.place if self.statement is None else ""
        for name in list(self.arrays):
            base, _, index = name.partition("[")
            if name in there:
                continue
            results = index and (base == own or base in self.results)
            target = self.problem.name if not self.problem.place else ""
            target = target if self.statement is None else self.name
            if name == target or results or (index and self.problem.looped):
                del self.arrays[name]
        if self.problem.looped and node is not None and self.spaces:  # A[l - 1], as the line has it
            for part in ast.walk(node):
                if isinstance(part, ast.Subscript) and is_array(value := self.seen(part)):
                    self.arrays.setdefault(ast.unparse(part), value)
            for code in self._entries():
                if is_array(value := self.seen(parsed(code))):
                    self.arrays.setdefault(code, value)

    def _entries(self) -> Iterator[str]:
        """Yield the entries of dicts and lists that a round of a loop may mean: A[l], A[l - 1], A[l + 1]."""
        held = [n for n, x in self.spaces[0].items() if isinstance(x, dict | list) and x and n[0] != "_"]
        for name in held:
            if name not in self.results and name != self.problem.place:
                for index in self.problem.rounds:
                    yield from (f"{name}[{index}]", f"{name}[{index} - 1]", f"{name}[{index} + 1]")

    @property
    def results(self) -> set[str]:
        """The dicts and lists that the line can read and that hold gradients."""
        trues = [x for n, x in self.examples[0].trues.items() if n.startswith("d")] if self.examples else []
        spaces = self.spaces[:1]
        held = [(n, list(v.values()) if isinstance(v, dict) else v) for s in spaces for n, v in s.items()
                if isinstance(v, dict | list | tuple) and not n.startswith("__")]  # fmt: skip
        return {
            name
            for name, parts in held
            if any(is_array(x) and np.any(x) and any(same(x, t, Same.SINGLE) for t in trues) for x in parts)
        }

    def _sizes(self) -> dict[str, str]:
        """Return how the person's code can write each size: m, X.shape[1]."""
        found: dict[str, str] = {}
        if not self.examples:
            return found
        options = [n for n, v in self.spaces[0].items() if is_int(v) and not n.startswith("__")]
        options += [f"{n}.shape[{k}]" for n in self.arrays for k in range(np.ndim(self.spaces[0].get(n, 0)))]
        for size in self.examples[0].sizes:
            for option in sorted(options, key=lambda o: (o != size, "." in o)):
                if all(self._int(option, i) == e.sizes[size] for i, e in enumerate(self.examples)):
                    found[size] = option
                    break
        return found

    def number(self, value: float) -> ast.expr:
        """Return a number as the person writes it: by a name that has this value in every example, as `lam`."""
        plain = [n for n, x in (self.spaces[0] if self.spaces else {}).items() if isinstance(x, float) and n[0] != "_"]
        for name in plain:
            near = [abs(space.get(name, np.nan) - value) <= 1e-9 * abs(value) for space in self.spaces]
            if value not in (0.5, 1, 2) and all(near):
                return ast.Name(name)
        return ast.Constant(int(value) if value == int(value) else value)

    def _is_gradient(self, array: Any) -> bool:
        slopes = (x for name, x in self.examples[0].trues.items() if name.startswith("d"))
        return any(np.any(x) and same(array, x) for x in slopes)

    def _int(self, option: str, i: int) -> Any:
        try:
            return evaluate(parsed(option), self.spaces[i], self.memos[i])
        except Exception:
            return None

    def value(self, tree: Any, i: int) -> Any:
        """Return what the line gives with this tree in example i; NOTHING where it raises."""
        self.problem.allowance.left -= self.price
        try:
            if self.statement is None:
                return evaluate(tree, self.spaces[i], self.memos[i])
            assert self.problem.again is not None
            return self.problem.again(self.statement.node, ready(tree), self.order[i])
        except Exception:
            return NOTHING

    def first(self, tree: ast.AST) -> Any:
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
        tolerance = (Same.SINGLE if self.single[i] else Same.ROUNDING).value
        if peak == 0 or not true.size:
            return float("nan") if not value.any() else None
        r = float(value.flat[where]) / float(true.flat[where])
        if r == 0 or not np.isfinite(r):
            return None
        return r if np.max(np.abs(value - r * true)) <= tolerance * abs(r) * peak else None

    def law(self, tree: ast.AST) -> Law | None:
        """Return the law of scale that a tree obeys in every example; None where it is no multiple of the true value."""
        if self.whole:
            right = all(is_int(v := self.value(tree, i)) and v == true for i, true in enumerate(self.trues))
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

    def nearly(self, tree: ast.AST, i: int, law: Law) -> bool:
        """Whether a tree is right in example i but for rounding and the factor of a law."""
        value = self.value(tree, i)
        if value is NOTHING or isinstance(value, int):
            return False
        factor, space = law.at(self.examples[i].sizes), self.spaces[i]
        r = self.ratio(value, i)
        if r is not None and self.single[i]:
            return bool(np.isnan(r) or same(r, factor, Same.ROUGH))

        if self.statement is not None:  # whether its rounding is its own is looked at in the end
            return same(value, factor * self.trues[i], Same.SINGLE)

        def again(disturb: Callable[[Any], Any]) -> Any:
            return evaluate(tree, {name: disturb(x) for name, x in space.items()}, {}) / factor

        return equal(np.asarray(value) / factor, self.trues[i], again)


def usefulness(example: Example) -> tuple[bool, bool, bool, int]:
    """Wrong ones first, with distinct sizes of more than 1, small."""
    sizes = list(example.sizes.values())
    large = np.max(np.abs(example.true), initial=0.0) > 1e4
    return example.right, len(set(sizes)) < len(sizes) or min(sizes, default=2) < 2, bool(large), sum(sizes)


def single(space: dict[str, Any]) -> bool:
    """Whether an example is in single precision."""
    return any(isinstance(v, np.ndarray) and v.dtype.kind == "f" and v.dtype.itemsize < 8 for v in space.values())


def _is_pure(function: FunctionType, others: Mapping[str, FunctionType], depth: int = 0) -> bool:
    """Whether a function of one array only computes: it calls NumPy, and functions that do the same."""
    code = function.__code__
    if depth > 3 or (not depth and code.co_argcount - len(function.__defaults__ or ()) != 1) or code.co_freevars:
        return False
    try:
        body = source_of(function).body
    except UnreadableError:
        return False
    names = {n for n, x in function.__globals__.items() if x is np}
    parts = [part for statement in body for part in ast.walk(statement)]
    if any(isinstance(part, ast.Import | ast.ImportFrom | ast.Global | ast.While | ast.With) for part in parts):
        return False
    for call in [part.func for part in parts if isinstance(part, ast.Call)]:
        root = call
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(call, ast.Attribute) and isinstance(root, ast.Name) and root.id in names:
            if set(ast.unparse(call).split(".")) & {"random", "save", "savez", "savetxt", "load", "fromfile"}:
                return False
        elif isinstance(call, ast.Attribute):
            if call.attr not in ("sum", "mean", "max", "min", "copy", "astype", "reshape", "dot"):
                return False
        elif isinstance(call, ast.Name) and call.id in others and others[call.id] is not function:
            if not _is_pure(others[call.id], others, depth + 1):
                return False
        elif not isinstance(call, ast.Name) or call.id not in ("len", "float", "abs", "max", "min", "sum"):
            return False
    return True


def is_int(value: Any) -> bool:
    """Whether a value can be a size."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_array(value: Any) -> bool:
    """Whether a value is an array of numbers, and no scalar."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and 0 < value.ndim <= 4


def arrays(space: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arrays that a line can read: by name, or in a dict or list with a name."""
    for name, value in space.items():
        if name.startswith("__"):
            continue
        if is_array(value):
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"{name}[{key!r}]", x) for key, x in value.items() if isinstance(key, str) and is_array(x))
        elif isinstance(value, list | tuple):
            yield from ((f"{name}[{i}]", x) for i, x in enumerate(value[:8]) if is_array(x))
