"""Run a handwritten function line by line, each line on true values, so that a wrong line spoils no other.

Statements are run one at a time.  Whenever the last assignment to a name that the truth knows has been made, the value is
noted, and the name goes on with the true value.  What is called in the same file is run in the same way.  A case that was
run can be run again with another statement in it, one of those that a wrong line depends on.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache, wraps
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from ..formula.code import whole_parts
from .problem import bound, header

Known = Callable[["Step"], Any]  # a step → the value to go on with, or None where nothing is known of it
Edits = Mapping[ast.stmt, ast.stmt]  # a statement → what stands in its place


class UnreadableError(Exception):
    """The source of a function is not there."""


@dataclass(frozen=True, eq=False)
class Source:
    """A function as syntax: its statements, and where they stand."""

    function: FunctionType
    body: list[ast.stmt]
    line: int  # of the `def` in its file
    names: tuple[str, ...] = ()  # of what it returns, where the code has none

    @cached_property
    def count(self) -> int:
        """How many values the last `return a, b, c` has; 0 where it has another form."""
        ends = [node.value for part in self.body for node in ast.walk(part) if isinstance(node, ast.Return)]
        return len(ends[-1].elts) if ends and isinstance(ends[-1], ast.Tuple) else 0

    @cached_property
    def returned(self) -> list[str]:
        """The names in the last `return a, b, c`; none where it has another form."""
        ends = [node for part in self.body for node in ast.walk(part) if isinstance(node, ast.Return)]
        value = ends[-1].value if ends else None
        parts = value.elts if isinstance(value, ast.Tuple) else [value]
        return (
            [part.id for part in parts if isinstance(part, ast.Name)]
            if all(isinstance(p, ast.Name) for p in parts)
            else []
        )


@cache
def source_of(function: FunctionType) -> Source:
    """Return a function as syntax.  Raises UnreadableError for one without source, such as a builtin or a lambda."""
    try:
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        raise UnreadableError from None
    found = tree.body[0]
    if not isinstance(found, ast.FunctionDef):
        raise UnreadableError
    start += found.lineno - 1
    ast.increment_lineno(tree, start - found.lineno)
    return Source(function, found.body, start)


@dataclass(eq=False)
class Step:
    """One assignment that was run: to what, by which expression, on which values, with what result."""

    name: str
    value: Any
    expression: ast.expr | None  # None inside a statement that is run as a whole
    statement: ast.stmt | None
    space: dict[str, Any]  # the names and values before it
    container: str = ""  # the dict of which the name is a key, "return" for what is returned
    scope: int = 0  # the number of the call it was run in
    use: int = 0  # how often the name was assigned to before in that call,
    uses: int = 1  # and how often in all
    final: bool = True  # whether nothing in that call assigns to the name again
    known: bool = False  # whether the truth knows the name
    error: BaseException | None = None

    at: int = 0  # which statement of the outermost function was being run
    seen: bool = True  # whether it could be judged: the truth is a number, and so is that of all it reads

    @property
    def key(self) -> tuple[int, str]:
        """The number of the line in its file, and the name: what the same step has in common in all cases."""
        return getattr(self.statement, "lineno", 0), self.name


class Run(NamedTuple):
    """What a run gave: the steps in order, and the result of the function or its exception."""

    steps: list[Step]
    result: Any
    error: BaseException | None

    @property
    def counts(self) -> Counter[tuple[int, str]]:
        """How often each name is assigned to, in which call."""
        return Counter((step.scope, step.name) for step in self.steps)


class Place(NamedTuple):
    """Where a statement was run first: what it could read, the function it is of, and `at` as in Step."""

    statement: ast.stmt
    space: dict[str, Any]
    owner: Any
    at: int


class State(NamedTuple):
    """All that the rest of a run depends on."""

    space: dict[str, Any]
    used: Counter[tuple[int, str]]
    calls: int


@dataclass(eq=False)
class Tape:
    """What is needed to run the rest of a function again with another statement in it."""

    source: Source
    states: list[State] = field(default_factory=list)  # before each statement of the outermost function
    places: dict[int, Place] = field(default_factory=dict)  # by the id of the statement
    callers: dict[FunctionType, list[ast.stmt]] = field(default_factory=dict)  # of each function of the same file

    def clear(self) -> None:
        """Forget the run."""
        self.states.clear()
        self.places.clear()
        self.callers.clear()

    def again(self, start: int, end: int, known: Known, instead: Edits) -> list[Step]:
        """Run the statements from `start` to `end`, some with others instead; return the steps.  Raises what they raise."""
        state = self.states[start]
        interpreter = _Interpreter(known, Counter(), instead)
        interpreter.used, interpreter.calls, interpreter.scopes = Counter(state.used), state.calls, [0, 1]
        space = _frozen(state.space, self.source.function)
        interpreter.adopt(self.source.function, space)
        with np.errstate(all="ignore"):
            try:
                interpreter.run(self.source.body[start : end + 1], space)
            except _StopError as stop:
                raise stop.error from stop
            except _Return:
                pass
        return interpreter.steps


def run(
    source: Source, arguments: Mapping[str, Any], known: Known, before: Run | None = None, instead: Edits | None = None,
    tape: Tape | None = None,
) -> Run:  # fmt: skip
    """Run a function on named arguments; names go on with what `known` gives for them.

    `before` is a run on the same arguments: it tells which assignment to a name is the last, and only that one counts.
    Without it, the run is the plain one, and `known` only stands in for a line that raises.  `instead` has statements that
    stand in the place of others; a tape is written on.
    """
    interpreter = _Interpreter(known, None if before is None else before.counts, instead or {}, tape)
    with np.errstate(all="ignore"):
        try:
            result = interpreter.call(source, dict(arguments))
        except _StopError as stop:
            return Run(interpreter.steps, None, stop.error)
    return Run(interpreter.steps, result, None)


def _frozen(space: Mapping[str, Any], function: FunctionType) -> dict[str, Any]:
    """Return a space whose arrays, dicts and lists are copies, so that no change in place reaches it."""
    shared = function.__globals__
    copies: dict[int, Any] = {}

    def frozen(x: Any) -> Any:
        if id(x) not in copies and isinstance(x, np.ndarray | dict | list):
            if isinstance(x, np.ndarray):
                copies[id(x)] = x.copy()
            else:
                parts = {k: frozen(v) for k, v in x.items()} if isinstance(x, dict) else [frozen(v) for v in x]
                copies[id(x)] = parts
        return copies.get(id(x), x)

    return {name: x if x is shared.get(name) else frozen(x) for name, x in space.items()}


class _StopError(Exception):
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Return(Exception):  # noqa: N818 -- none of these three is an error
    def __init__(self, value: Any) -> None:
        self.value = value


class _Break(Exception):  # noqa: N818
    pass


class _Continue(Exception):  # noqa: N818
    pass


LIMIT = 10_000  # assignments; a loop without end is stopped


class _Interpreter:
    """Runs statements; see `run`."""

    def __init__(
        self, known: Known, total: Counter[tuple[int, str]] | None, instead: Edits, tape: Tape | None = None
    ) -> None:
        self.known = known
        self.instead, self.tape = instead, tape
        self.originals = {id(new): old for old, new in instead.items()}
        self.at = 0
        self.total = total  # how often each name is assigned to, where that is known
        self.used: Counter[tuple[int, str]] = Counter()
        self.steps: list[Step] = []
        self.scopes = [0]  # of the calls that are open,
        self.functions: list[FunctionType] = []  # and what is called there
        self.current: ast.stmt = ast.Pass()  # that is being run
        self.kept: dict[
            int, tuple[Any, int]
        ] = {}  # arrays that were changed in place, and before which step the last time
        self.calls = 0
        self.names: tuple[str, ...] = ()  # of what the outermost function returns

    def call(self, source: Source, arguments: dict[str, Any]) -> Any:
        """Run the body of a function on its arguments."""
        function = source.function
        bound = inspect.signature(function).bind(**arguments) if arguments else None
        space = dict(function.__globals__)
        self.adopt(function, space)
        closure = inspect.getclosurevars(function).nonlocals if function.__closure__ else {}
        space.update(closure)
        if bound is not None:
            bound.apply_defaults()
            space.update(bound.arguments)
        else:
            space.update(arguments)
        self.calls += 1
        self.scopes.append(self.calls)
        self.functions.append(function)
        try:
            if len(self.scopes) > 2:
                self.run(source.body, space)
            else:
                self.names = source.names
                self.outermost(source.body, space)
        except _Return as result:
            return result.value
        finally:
            self.scopes.pop()
            self.functions.pop()
        return None

    def outermost(self, body: list[ast.stmt], space: dict[str, Any]) -> None:
        for self.at, statement in enumerate(body):
            if self.tape is not None:
                self.tape.states.append(State(_frozen(space, self.functions[-1]), Counter(self.used), self.calls))
            self.statement(statement, space)

    def adopt(self, function: FunctionType, space: dict[str, Any]) -> None:
        """Let the functions of the same file that a function calls be run in the same way."""
        for name in function.__code__.co_names:
            own = function.__globals__.get(name)
            if isinstance(own, FunctionType) and self._ours(own, function):
                space[name] = self._wrapped(own)

    def _ours(self, value: FunctionType, function: FunctionType) -> bool:
        """Whether a global is a function of the same file that can be read."""
        if value.__code__.co_filename != function.__code__.co_filename:
            return False
        try:
            source_of(value)
        except UnreadableError:
            return False
        return value is not function and len(self.scopes) < 6

    def _wrapped(self, function: FunctionType) -> Callable[..., Any]:
        @wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            bound = inspect.signature(function).bind(*args, **kwargs)
            if any(p.kind is not p.POSITIONAL_OR_KEYWORD for p in bound.signature.parameters.values()):
                return function(*args, **kwargs)
            if self.tape is not None:
                self.tape.callers.setdefault(function, []).append(self.current)
            return self.call(source_of(function), dict(bound.arguments))

        return inner

    def run(self, body: list[ast.stmt], space: dict[str, Any]) -> None:
        for statement in body:
            self.statement(statement, space)

    def round(self, body: list[ast.stmt], space: dict[str, Any]) -> bool:
        """Run the body of a loop once; return whether the loop goes on."""
        try:
            self.run(body, space)
        except _Break:
            return False
        except _Continue:
            pass
        return True

    def statement(self, node: ast.stmt, space: dict[str, Any]) -> None:
        self.current = node
        if self.tape is not None and id(node) not in self.tape.places:
            self.tape.places[id(node)] = Place(node, dict(space), self.functions[-1], self.at)
        seen, node = node, self.instead.get(node, node)
        try:
            self.execute(node, space)
        except _StopError as stop:
            if not self.steps or self.steps[-1].error is not stop.error:  # what raised was no assignment
                name = next(iter(bound(node)), header(node))
                step = Step(name, None, None, seen, dict(space), error=stop.error, scope=self.scopes[-1], at=self.at)
                self.note(step, ast.Name(name), space)
            else:
                raise

    def execute(self, node: ast.stmt, space: dict[str, Any]) -> None:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Dict() | ast.Call(func=ast.Name(id="dict")) as value
            ) if parts := _items(value):
                self.whole(node, space)
                self.items(node, parts, name, space)
            case ast.Assign(targets=[target], value=value) if _is_place(target):
                self.assign(node, target, value, space)
            case ast.AnnAssign(target=target, value=ast.expr() as value) if _is_place(target):
                self.assign(node, target, value, space)
            case ast.AugAssign(target=target, value=value) if _is_place(target):
                self.assign(node, target, _product(node), space, in_place=node)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if all(
                map(_is_place, targets)
            ) and len(targets) == len(values):
                before = dict(space)
                for target, value in zip(targets, values, strict=True):
                    self.assign(node, target, value, space, before)
            case ast.Return(value=value):
                raise _Return(None if value is None else self.result(node, value, space))
            case ast.If(test=test):
                self.run(node.body if self.evaluate(test, space) else node.orelse, space)
            case ast.For(target=target, iter=iterable):
                for item in self.evaluate(iterable, space):
                    space["__item"] = item
                    exec(_compiled(_assignment(target, "__item")), space)
                    if not self.round(node.body, space):
                        break
                else:
                    self.run(node.orelse, space)
            case ast.While(test=test):
                while self.evaluate(test, space) and self.round(node.body, space):
                    pass
            case ast.Break():
                raise _Break
            case ast.Continue():
                raise _Continue
            case _:
                self.whole(node, space)

    def evaluate(self, node: ast.expr, space: dict[str, Any]) -> Any:
        try:
            return eval(_expression(node), space)
        except (_StopError, _Return):
            raise
        except Exception as error:
            raise _StopError(error) from error

    def assign(
        self,
        node: ast.stmt,
        target: ast.expr,
        value: ast.expr,
        space: dict[str, Any],
        seen: dict[str, Any] | None = None,
        in_place: ast.stmt | None = None,
    ) -> None:
        """Run `target = value` and note it."""
        if isinstance(target, ast.Subscript) and isinstance(space.get(_base(target)), np.ndarray):
            self.changed(node, target, value, space)
            return
        before = _shallow(space if seen is None else seen)
        error = None
        try:
            if in_place is None:
                result = eval(_expression(value), dict(space if seen is None else seen))
            else:  # as it stands, so that an array is changed in place where Python would
                own = _base(target)
                if isinstance(before.get(own), np.ndarray):
                    before[own] = before[own].copy()
                self.keep(own, space)
                exec(_compiled(in_place), space)
                result = eval(_expression(_read(target)), space)
        except _StopError:
            raise
        except Exception as raised:
            result, error = None, raised
        name = _name_of(target, space)
        container = "" if isinstance(target, ast.Name) else _base(target)
        self.note(Step(name, result, value, node, before, error=error, container=container), target, space)

    def keep(self, name: str, space: dict[str, Any], copy: Any = None) -> None:
        """Give earlier steps a copy of an array that is changed in place."""
        old = space.get(name)
        if isinstance(old, np.ndarray):
            copy = old.copy() if copy is None else copy
            _, last = self.kept.get(id(old), (old, 0))  # the steps before have their copy
            for step in self.steps[last:]:
                step.value = copy if step.value is old else step.value
                for key, x in step.space.items():
                    if x is old:
                        step.space[key] = copy
            self.kept[id(old)] = old, len(self.steps)

    def changed(self, node: ast.stmt, target: ast.Subscript, value: ast.expr, space: dict[str, Any]) -> None:
        """Run `array[index] = value`: an assignment to the array; with a mask it is np.where(mask, value, array)."""
        name = _base(target)
        error: BaseException | None = None
        before = {key: x.copy() if key == name else x for key, x in space.items()}
        self.keep(name, space)
        try:
            exec(_compiled(node), space)
            mask = eval(_expression(target.slice), before)
        except Exception as raised:
            error, mask = raised, None
        where = _where(target, value, node) if isinstance(mask, np.ndarray) and mask.dtype == bool else None
        self.note(Step(name, space[name], where, node, before, error=error), ast.Name(name), space)

    def note(self, step: Step, target: ast.expr, space: dict[str, Any]) -> None:
        """Keep a step, and go on with the true value where it is known."""
        self.steps.append(step)
        step.statement, step.at = self.originals.get(id(step.statement), step.statement), self.at
        if len(self.steps) > LIMIT:
            raise _StopError(RuntimeError(f"more than {LIMIT:,} assignments: is there a loop without end?"))
        step.scope = self.scopes[-1]
        if self.total is not None:
            step.use, step.uses = self.used[step.scope, step.name], self.total[step.scope, step.name]
            step.final = step.use + 1 >= step.uses
        self.used[step.scope, step.name] += 1
        result = step.value
        if step.error is not None or self.total is not None:
            true = self.known(step)
            if true is not None:
                step.known, result = True, true
        if step.error is not None and not step.known:
            raise _StopError(step.error)
        if isinstance(target, ast.Name):
            space[target.id] = result
        else:
            space["__value"] = result
            exec(_compiled(_assignment(target, "__value")), space)

    def result(self, node: ast.Return, value: ast.expr, space: dict[str, Any]) -> Any:
        """Return what a function returns; in the outermost one, each named part is a step of its own."""
        if len(self.scopes) > 2:
            return self.evaluate(value, space)
        parts: list[tuple[str, ast.expr]] = []
        match value:
            case ast.Dict() | ast.Call(func=ast.Name(id="dict")) if parts := _items(value):
                pass
            case ast.Tuple(elts=values) | ast.List(elts=values) if len(values) == len(self.names):
                parts = list(zip(self.names, values, strict=True))
            case ast.BinOp() | ast.Call() | ast.UnaryOp() if len(self.names) == 1:
                parts = [(self.names[0], value)]
            case ast.Tuple(elts=values) if all(isinstance(v, ast.Name) for v in values):
                parts = [(v.id, v) for v in values if isinstance(v, ast.Name)]
            case ast.Name(id=name):
                found = self.evaluate(value, space)
                return found if isinstance(found, dict | tuple | list) else {name: found}
            case _:
                return self.evaluate(value, space)
        return self.items(node, parts, "return", space)

    def items(
        self, node: ast.stmt, parts: list[tuple[str, ast.expr]], container: str, space: dict[str, Any]
    ) -> dict[str, Any]:
        """Note the items of a dict that is made, and return them; one that is only a name again is no step."""
        ends: dict[str, Any] = {}
        for name, part in parts:
            step = Step(name, None, part, node, dict(space), container=container, scope=self.scopes[-1], at=self.at)
            step.statement = self.originals.get(id(node), node)
            try:
                step.value = eval(_expression(part), step.space)
            except Exception as error:
                step.error = error
            ends[name] = step.value
            if not (isinstance(part, ast.Name) and part.id == name):
                self.steps.append(step)
        return ends

    def whole(self, node: ast.stmt, space: dict[str, Any]) -> None:
        """Run a statement that has no parts to look at; what it assigns is noted afterwards."""
        before = dict(space)
        parts = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        arrays = {n.id: space[n.id] for n in parts if isinstance(space.get(n.id), np.ndarray)}
        copies = {name: x.copy() for name, x in arrays.items() if isinstance(node, ast.Expr)}
        try:
            exec(_compiled(node), space)
        except _StopError:
            raise
        except Exception as error:
            raise _StopError(error) from error
        names = dict.fromkeys(n.id for n in parts if isinstance(n.ctx, ast.Store))
        for name, old in copies.items():  # np.add.at(dW, …) changes an array in place
            if not np.array_equal(old, space[name], equal_nan=old.dtype.kind == "f"):
                self.keep(name, space, old)
                before[name] = old
                names[name] = None
        for name in names:
            if name in space:
                self.note(Step(name, space[name], None, node, before), ast.Name(name, ast.Store()), space)


def _shallow(space: Mapping[str, Any]) -> dict[str, Any]:
    """Return a space whose dicts and lists are copies, so that what is put into them later is not read before."""
    return {name: x.copy() if type(x) in (dict, list) and not name.startswith("__") else x for name, x in space.items()}


# --- syntax -----------------------------------------------------------------------------------------------------------


def _is_place(target: ast.expr) -> bool:
    """Whether a target is a name, or an item of one: `dW1` or `grads["dW1"]`."""
    return isinstance(target, ast.Name) or (isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name))


def _base(target: ast.expr) -> str:
    return target.id if isinstance(target, ast.Name) else target.value.id  # type: ignore[attr-defined]


def _name_of(target: ast.expr, space: dict[str, Any]) -> str:
    """Return the name of a target: `dW1` for dW1, grads["dW1"] and dW[1]."""
    if isinstance(target, ast.Name):
        return target.id
    assert isinstance(target, ast.Subscript)
    try:
        key = eval(_expression(target.slice), space)
    except Exception:
        key = None
    if isinstance(key, str):
        return key
    return f"{_base(target)}{key}" if isinstance(key, int) else ast.unparse(target)


def _items(value: ast.expr) -> list[tuple[str, ast.expr]]:
    """Return the items of `{"dW1": dW1, …}` or `dict(dW1=dW1, …)`; none where its keys are not plain strings."""
    match value:
        case ast.Dict(keys=keys, values=values) if all(isinstance(k, ast.Constant) for k in keys):
            return [(str(k.value), v) for k, v in zip(keys, values, strict=True)]  # type: ignore[union-attr]
        case ast.Call(args=[], keywords=keywords) if all(k.arg for k in keywords):
            return [(str(k.arg), k.value) for k in keywords]
    return []


def _read(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    assert isinstance(target, ast.Subscript)
    return ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)


@lru_cache(4096)
def _product(node: ast.AugAssign) -> ast.expr:
    """Return `a *= b` as the expression a * b."""
    return _located(ast.BinOp(_read(node.target), node.op, node.value), node)


@lru_cache(4096)
def _where(target: ast.Subscript, value: ast.expr, node: ast.stmt) -> ast.expr:
    """Return `array[mask] = value` as the expression np.where(mask, value, array)."""
    where = ast.Attribute(ast.Name("np", ast.Load()), "where", ast.Load())
    if isinstance(node, ast.AugAssign):
        value = ast.BinOp(ast.Name(_base(target), ast.Load()), node.op, node.value)
    return _located(ast.Call(where, [target.slice, value, ast.Name(_base(target), ast.Load())], []), node)


def _located(node: ast.expr, like: ast.AST) -> ast.expr:
    return ast.fix_missing_locations(ast.copy_location(node, like))


_codes: dict[int, tuple[ast.AST, CodeType]] = {}  # with the node, so that its id is not used again


def _code(node: ast.AST, module: Any, mode: str) -> CodeType:
    found = _codes.get(id(node))
    if found is None:
        if len(_codes) > 5_000:  # of edits that were tried
            _codes.clear()
        found = _codes[id(node)] = (node, compile(ast.fix_missing_locations(module), "<formula>", mode))
    return found[1]


def _expression(node: ast.expr) -> CodeType:
    return _code(node, ast.Expression(node), "eval")


def evaluated(expression: ast.expr, space: dict[str, Any]) -> Any:
    """Return the value of an expression."""
    with np.errstate(all="ignore"):
        return eval(_expression(expression), space)


def _compiled(node: ast.stmt) -> CodeType:
    return _code(node, ast.Module([node], []), "exec")


@lru_cache(4096)
def _assignment(target: ast.expr, name: str) -> ast.stmt:
    """Return the statement `target = name`."""
    node = ast.Assign([target], ast.Name(name, ast.Load()))
    return ast.fix_missing_locations(ast.copy_location(node, target) if hasattr(target, "lineno") else node)


# --- again, with another statement ------------------------------------------------------------------------------------


class Recording(NamedTuple):
    """A case that was run: its tape, its steps, each with the true value it went on with, and the one that is judged."""

    tape: Tape
    steps: Sequence[tuple[Step, Any]]
    step: Step
    case: Any

    def again(self, old: ast.stmt, new: ast.stmt) -> Any:
        """Return what the judged line gives with a new statement in the place of an old one.  Raises what it raises."""
        start = self.tape.places[id(old)].at
        trues = {key: true for (step, true), key in _numbered(self.steps, start) if true is not None}
        count: Counter[Any] = Counter()

        def known(step: Step) -> Any:
            key = _key(step)
            count[key] += 1
            return trues.get((*key, count[key]))

        steps = self.tape.again(start, self.step.at, known, {old: new})
        place = _key(self.step)
        before = [step for step, _ in self.steps if step.at >= start and _key(step) == place]
        found = [step for step in steps if _key(step) == place]
        step = found[-1 if before[-1] is self.step else before.index(self.step)]
        if step.error is not None:
            raise step.error
        return step.value


def _key(step: Step) -> tuple[int, int, str]:
    return step.scope, id(step.statement), step.name


def _numbered(steps: Sequence[tuple[Step, Any]], start: int) -> Iterator[tuple[tuple[Step, Any], Any]]:
    """Yield the steps from a statement on, each with its key, and the how-manieth of that key it is."""
    count: Counter[Any] = Counter()
    for step, true in steps:
        if step.at >= start:
            key = _key(step)
            count[key] += 1
            yield (step, true), (*key, count[key])


def suspects(recording: Recording) -> list[ast.stmt]:
    """Return the statements that a step depends on and of which nothing is known, in the order they were run in."""
    tape, step, steps = recording.tape, recording.step, recording.steps
    places = [place for place in tape.places.values() if place.at <= step.at]
    own = tape.places.get(id(step.statement))
    if own is None:
        return []
    known = {id(s.statement) for s, true in steps if true is not None}
    known -= {id(s.statement) for s, true in steps if true is None}  # of the names on its left side some may be unknown
    found: dict[int, ast.stmt] = {}
    again = sum(s.statement is step.statement for s, _ in steps) > 1  # what it gave before the last time counts too
    if step.expression is None or again or (step.error is not None and not step.known):
        found[id(step.statement)] = own.statement
    around: dict[int, list[ast.stmt]] = defaultdict(list)
    for place in places:
        for inner in ast.walk(place.statement):
            if isinstance(inner, ast.stmt) and inner is not place.statement:
                around[id(inner)].append(place.statement)
    wanted: set[tuple[FunctionType, str]] = set()
    entered: set[FunctionType] = set()

    def need(statement: ast.stmt, function: FunctionType) -> None:
        for part in (statement, *around[id(statement)]):
            wanted.update((function, name) for name in read(part))
            if part is not statement and id(part) not in found and id(part) not in known:
                found[id(part)] = part
            entered.update(f for f, callers in tape.callers.items() if part in callers)

    need(own.statement, own.owner)
    for caller in tape.callers.get(own.owner, []):
        need(caller, tape.places[id(caller)].owner)
    while True:
        count = len(found)
        for place in reversed(places):
            statement, function = place.statement, place.owner
            if id(statement) in found:
                continue
            if id(statement) in known:  # whether it is run, and how often, may still be wrong
                if any((function, name) in wanted for name in given(statement)):
                    for part in around[id(statement)]:
                        if id(part) not in found:
                            found[id(part)] = part
                            wanted.update((function, name) for name in read(part))
                continue
            ends = isinstance(statement, ast.Return) and function in entered
            if ends or any((function, name) in wanted for name in given(statement)):
                found[id(statement)] = statement
                need(statement, function)
        if len(found) == count:
            return [place.statement for place in places if id(place.statement) in found]


def read(statement: ast.stmt) -> set[str]:
    """Return the names that a statement reads; an array that it changes in part is one of them."""
    parts = [part for _, whole in whole_parts(statement) for part in ast.walk(whole)]
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    whole = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name | ast.Tuple)
    return names if whole or isinstance(statement, ast.For) else names.union(bound(statement))


def given(statement: ast.stmt) -> list[str]:
    """Return the names that a statement may change: what a lone call is given may be changed in place."""
    return sorted(read(statement)) if isinstance(statement, ast.Expr) else bound(statement)


__all__ = [
    "Edits", "Known", "Recording", "Run", "Source", "Step", "Tape", "UnreadableError", "evaluated", "given", "run",
    "source_of", "suspects",
]  # fmt: skip
