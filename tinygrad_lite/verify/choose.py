"""Roles: what an assignment is the gradient of where its name does not tell: `err`, `delta`, `grad_out`, `tmp`.

It is told by its value, which is that of one vertex's gradient; by the name under which it is returned; or by what
follows: the role with which fewer lines are wrong than without.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..truth.cases import Case
from ..truth.equal import same
from ..truth.loss import Scale
from .lines import Formulas, Key, Role, Use, use_of
from .problem import Allowance
from .run import Step
from .words import diagnose

PASSES = 4  # of each of the ways
TIES = 4  # roles that are as good, of which the repairs are compared,
STEPS = 40  # in a function that has no more
CAUSE, EFFORT = 2_000_000, 2_000_000  # nodes of trees that may be tried


def recognise(formulas: Formulas, cases: Sequence[Case]) -> None:
    """Find the roles of assignments; they are kept in the formulas."""
    if formulas.source is None:
        return
    few = cases[:2]
    for _ in range(PASSES):
        scales, wrong = formulas.scales(few)
        if not _by_value(formulas, few, scales):
            break
    if wrong:
        _by_the_return(formulas, cases[0], scales)
        if not _one_mends_all(formulas, cases[:3], scales):
            _by_what_follows(formulas, cases[:3], scales)


def _one_mends_all(formulas: Formulas, cases: Sequence[Case], scales: Mapping[str, Scale]) -> bool:
    """Whether one statement, put right, puts all wrong lines of parameters right: then it is to blame."""
    truth = formulas.truth(cases[0])[1]
    keys = [k for k in formulas.count(cases, scales) if formulas.target(k[1], truth) in formulas.space.parameters]
    formulas.allowance = Allowance(CAUSE)
    problems = [formulas.problem(key, cases, scales) for key in keys]
    nodes = [{s.node for s in problem.statements} if problem is not None else set() for problem in problems]
    shared = {node for node in set.intersection(*nodes) if node.lineno not in {key[0] for key in keys}} if nodes else ()
    first = next(iter(problems), None)
    return len(keys) > 1 and first is not None and bool(shared) and diagnose(first, among=shared).mends >= {*keys}


def _by_value(formulas: Formulas, cases: Sequence[Case], scales: Mapping[str, Scale]) -> bool:
    """Recognise what has the value of a gradient in all of the cases; return whether there was any."""
    found: list[dict[Any, list[Role]]] = []
    for case in cases:
        mine = {}
        for step, true, _ in formulas.judged(case, scales, everything=True):
            if true is None and _may_have_a_role(formulas, step):
                mine[use_of(step)] = [
                    role for role, slope in _candidates(formulas, step, case)
                    if np.any(slope) and same(step.value, slope)
                ]  # fmt: skip
        found.append(mine)
    first, *rest = found
    for use, roles in first.items():
        role = next((role for role in roles if all(role in mine.get(use, ()) for mine in rest)), None)
        if role is not None:
            formulas.roles[use] = role
    return any(use in formulas.roles for use in first)


def _may_have_a_role(formulas: Formulas, step: Step) -> bool:
    known = step.name in formulas.ignored or step.key in formulas.local or step.name in formulas.arguments
    return not known and not step.container and isinstance(step.value, np.ndarray | np.floating)


def _is_inner(formulas: Formulas, step: Step, case: Case) -> bool:
    """Whether a step is told by its name, or by its value alone, to be about an inner tensor."""
    if step.name in formulas.places:
        return True
    target = formulas.target(step.name, formulas.truth(case)[1], step)
    return target is not None and target not in formulas.space.specs


def _candidates(formulas: Formulas, step: Step, case: Case) -> Iterator[tuple[Role, Any]]:
    """Yield the roles that fit the shape of a step, with the gradients."""
    truth = formulas.truth(case)[1]
    for vertex, slope in truth.slopes.items():
        if slope.shape == np.shape(step.value) and len(truth.graph.vertices) == formulas.size:
            for scale in (Scale.MEAN, Scale.SAMPLE) if truth.graph.vertices[vertex].op is not None else (Scale.MEAN,):
                yield (vertex, scale), slope * formulas.factor("", {"": scale}, case)


def _by_the_return(formulas: Formulas, case: Case, scales: Mapping[str, Scale]) -> None:
    """What is wrong, and only stored or returned under a gradient's name, is meant to be that gradient."""
    truth = formulas.truth(case)[1]
    judged = formulas.judged(case, scales, everything=True)
    for step, true, ok in judged:
        if true is None or ok or not step.container or not isinstance(step.expression, ast.Name):
            continue
        target = formulas.target(step.name, truth) or step.name
        own = [s for s, mine, _ in judged if s.name == step.expression.id and s.scope == step.scope and mine is None]
        vertex = next((i for i, v in enumerate(truth.graph.vertices) if v.name == target and i in truth.slopes), None)
        if own and vertex is not None and _may_have_a_role(formulas, own[-1]):
            formulas.roles[use_of(own[-1])] = vertex, Scale.MEAN


def _by_what_follows(formulas: Formulas, cases: Sequence[Case], scales: Mapping[str, Scale]) -> None:
    """Give the roles with which the fewest lines are wrong; of several that are as good, those with the simplest repair."""
    formulas.allowance = Allowance(EFFORT)
    for _ in range(PASSES):
        best = _badness(formulas, cases, scales)
        if best <= 1:
            return
        given = formulas.roles
        mean = {use: (vertex, Scale.MEAN) for use, (vertex, _) in given.items()}
        before = _badness(formulas, cases[:1], scales)
        found: list[dict[Use, Role]] = []
        for new in list(_trials(formulas, cases[0], scales)):
            for formulas.roles in (given | new, mean | new):
                if _badness(formulas, cases[:1], scales) < before:
                    trial = _badness(formulas, cases, scales)
                    found = [] if trial < best else found
                    if trial < best or (found and trial == best):
                        best = trial
                        found.append(formulas.roles)
        formulas.roles = given
        short = len(formulas.judged(cases[0], scales, everything=True)) <= STEPS
        if not found and short and _effort(formulas, cases, scales, given) >= 9:
            found = [given | new for new in list(_trials(formulas, cases[0], scales)) if new]
            found = [roles for roles in found if _with(formulas, cases, scales, roles) <= best]
        formulas.roles = given
        if not found:
            return
        found = found[-TIES:][::-1] if short else found[-1:]
        formulas.roles = (
            min(found, key=lambda roles: _effort(formulas, cases, scales, roles)) if found[1:] else found[0]
        )


def _with(formulas: Formulas, cases: Sequence[Case], scales: Mapping[str, Scale], roles: dict[Use, Role]) -> float:
    formulas.roles = roles
    return _badness(formulas, cases, scales)


def _effort(formulas: Formulas, cases: Sequence[Case], scales: Mapping[str, Scale], roles: dict[Use, Role]) -> float:
    """How far-fetched the repairs of the wrong lines are together."""
    formulas.roles = roles
    problems = [formulas.problem(key, cases, scales) for key in formulas.count(cases, scales)]
    costs = [diagnose(problem, thorough=False).cost for problem in problems if problem is not None]
    return sum(min(cost, 9.0) for cost in costs) + 9.0 * (len(problems) - len(costs))


def _trials(formulas: Formulas, case: Case, scales: Mapping[str, Scale]) -> Iterator[dict[Use, Role]]:
    """Yield what may be given to one assignment each."""
    yield {}
    given = formulas.roles
    for step, true, _ in formulas.judged(case, scales, everything=True):
        use = use_of(step)
        if _may_have_a_role(formulas, step) and (true is None or use in given or _is_inner(formulas, step, case)):
            yield from ({use: role} for role, _ in _candidates(formulas, step, case) if role != given.get(use))


def _badness(formulas: Formulas, cases: Sequence[Case], scales: Mapping[str, Scale]) -> float:
    """How many lines are wrong; where a run cannot go on, a little more."""
    wrong: set[Key] = set()
    stopped = False
    for case in cases:
        wrong.update(step.key for step, _, ok in formulas.judged(case, scales) if not ok)
        if formulas.stopped is not None:
            wrong.add(formulas.stopped.key)
            stopped = True
    return len(wrong) + 0.5 * stopped


__all__ = ["recognise"]
