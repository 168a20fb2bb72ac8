"""Run a handwritten function again with another statement in it, one of those that a wrong line depends on."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from types import FunctionType
from typing import Any, NamedTuple

from .isolate import Step, Tape
from .problem import bound
from .trees import whole_parts


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


__all__ = ["Recording", "given", "suspects"]
