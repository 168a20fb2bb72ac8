"""The smallest case that shows a mistake: hypothesis shrinks sizes and seed, then values become small, round and few."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..graph import Graph
from .cases import Case
from .formulas import Formulas, Key, names_in
from .isolate import Step
from .report import Counterexample

TRIES = 400  # of the value pass


def smallest(formulas: Formulas, key: Key, scales: Mapping[str, str], wrong: Sequence[Case]) -> Counterexample | None:
    """Return the smallest case found on which a line is plainly wrong, and what it gives there."""

    def shows(case: Case) -> bool:
        return _seen(formulas, key, scales, case) is not None

    case = _shrunk(formulas, shows, wrong)
    if case is None:
        return None
    case = _rounded(formulas, shows, case)
    found = _seen(formulas, key, scales, case)
    assert found is not None
    step, true = found
    names = names_in(step.expression) if step.expression is not None else set()
    reads = {name: x for name, x in step.space.items() if name in names and isinstance(x, np.ndarray | int | float)}
    return Counterexample(case, formulas.truth(case)[0], reads, step.value, true)


def _seen(formulas: Formulas, key: Key, scales: Mapping[str, str], case: Case) -> tuple[Step, Any] | None:
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
            for simple in (0.0, 1.0, -1.0, 2.0):
                if abs(values[name][index]) <= abs(simple) and values[name][index] in (0.0, 1.0):
                    break
                trial = {**values, name: values[name].copy()}
                trial[name][index] = simple
                if attempt(trial):
                    values = trial
                    break
    return replace(case, values=kept | values)
