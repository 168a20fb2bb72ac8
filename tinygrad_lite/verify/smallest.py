"""The smallest case that shows a mistake: hypothesis shrinks sizes and seed, then values become small, round and few."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from ..graph import Graph
from ..truth.cases import Case, no_folder
from ..truth.loss import Scale
from .lines import Formulas, Key, names_in
from .report import Counterexample
from .run import Step

TRIES = 400  # of the value pass


def smallest(
    formulas: Formulas, key: Key, scales: Mapping[str, Scale], wrong: Sequence[Case], fix: str | None = None
) -> Counterexample | None:
    """Return the smallest case found on which a line is plainly wrong, what it and its fix read, and what it gives there."""
    plain = True

    def shows(case: Case) -> bool:
        found = _seen(formulas, key, scales, case)
        return found is not None and (not plain or bool(np.any(found[1])) or _same_shape(found))

    case = _shrunk(formulas, shows, wrong)
    if case is None:
        plain = False
        case = _shrunk(formulas, shows, wrong)
    if case is None:
        return None
    case = _rounded(formulas, shows, case)
    found = _seen(formulas, key, scales, case)
    assert found is not None
    step, true = found
    return Counterexample(case, formulas.truth(case)[0], _reads(step, fix), step.value, true, key[1])


def _same_shape(found: tuple[Step, Any]) -> bool:
    return found[0].error is None and np.shape(found[0].value) == np.shape(found[1])


def _reads(step: Step, fix: str | None) -> dict[str, Any]:
    """Return what a line reads, and what it must read: arrays and numbers by name, or as the line has them, `A[l - 1]`."""
    trees: list[ast.AST] = [] if step.expression is None else [step.expression]
    code = (fix or "").partition(": " if (fix or "").startswith('"') else " = ")[2]
    with suppress(SyntaxError):  # of a statement, `for i in range(m):`
        trees += [ast.parse(code, mode="eval").body] if step.expression is not None and code else []
    names = set().union(*(names_in(tree) for tree in trees)) if trees else set()
    reads = {name: x for name, x in step.space.items() if name in names and isinstance(x, np.ndarray | int | float)}
    for part in [part for tree in trees for part in ast.walk(tree) if isinstance(part, ast.Subscript)]:
        if isinstance(part.value, ast.Name) and isinstance(step.space.get(part.value.id), dict | list | tuple):
            try:
                x = eval(compile(ast.Expression(part), "<read>", "eval"), dict(step.space))
            except Exception:
                continue
            if isinstance(x, np.ndarray | int | float):
                reads[ast.unparse(part)] = x
    return reads


def _seen(formulas: Formulas, key: Key, scales: Mapping[str, Scale], case: Case) -> tuple[Step, Any] | None:
    """Return the wrong step of a case, where it is wrong by more than a per mille, and off every kink."""
    if _on_kink(formulas.truth(case)[1].graph):
        return None
    for step, true, ok in formulas.judged(case, scales):
        if step.key != key or ok:
            continue
        value = np.asarray(step.value)
        if step.error is not None or value.shape != np.shape(true) or value.dtype.kind not in "fiub":
            return step, true
        with np.errstate(invalid="ignore"):
            off = np.max(np.abs(value - true), initial=0.0)
            if not off <= 1e-3 * np.max(np.abs(true), initial=0.0):
                return step, true
    return None


def _on_kink(graph: Graph) -> bool:
    """Whether an op that a gradient flows through stands exactly at its kink."""
    for vertex in graph.vertices:
        if vertex.op is not None and vertex.op.kink is not None and vertex.requires_grad:
            inputs = [graph.vertices[i].value for i in vertex.inputs]
            if not np.all(vertex.op.kink(*inputs, **vertex.params)):
                return True
    return False


def _shrunk(formulas: Formulas, shows: Callable[[Case], bool], wrong: Sequence[Case]) -> Case | None:
    """Let hypothesis find the simplest sizes and seed; where it draws none, take one of the wrong cases."""
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample

    rules = settings(
        max_examples=100, deadline=None, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    try:
        with no_folder():
            found: Case = find(formulas.space.strategy(plain=True), shows, settings=rules)
        return found
    except NoSuchExample:
        return next((case for case in sorted(wrong, key=lambda c: sum(c.sizes.values())) if shows(case)), None)


def _rounded(formulas: Formulas, shows: Callable[[Case], bool], case: Case) -> Case:
    """Make the values of a case small whole numbers, as far as the mistake stays visible."""
    arguments = formulas.truth(case)[0]
    real = [name for name, spec in formulas.space.specs.items() if spec.kind == "real"]
    values = {name: np.array(arguments[name], np.float64) for name in real}
    kept = {name: np.array(x) for name, x in arguments.items() if name not in real}
    left = TRIES

    def attempt(trial: dict[str, Any]) -> bool:
        nonlocal left
        left -= 1
        return left > 0 and shows(replace(case, values=kept | trial))

    for digits in (0, 1):
        trial = {name: np.array(np.round(x, digits) + 0.0) for name, x in values.items()}
        if attempt(trial):
            values = trial
            break
    else:
        return case
    for name in real:
        for index in np.ndindex(values[name].shape):
            for simple in (1.0, 2.0, -1.0, 0.0):  # a zero hides what is beside it: the last resort
                if values[name][index] == simple:
                    break
                trial = {**values, name: values[name].copy()}
                trial[name][index] = simple
                if attempt(trial):
                    values = trial
                    break
    return replace(case, values=kept | values)
