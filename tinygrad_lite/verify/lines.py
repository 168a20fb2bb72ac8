"""Which lines of a handwritten backward pass are right: every one judged on true values, over many cases."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np

from ..guard import limited
from ..tree import leaves
from ..truth.cases import Case, Space
from ..truth.equal import equal, same
from ..truth.loss import Loss, Scale, Truth
from .problem import Allowance, Example, Key, Problem, Statement
from .run import (
    Edits,
    Known,
    Recording,
    Run,
    Source,
    Step,
    Tape,
    UnreadableError,
    evaluated,
    given,
    run,
    source_of,
    suspects,
)

Array = Any
Use: TypeAlias = tuple[int, str, int]  # one assignment: the call it is in, the name, the how-manieth to that name
Role: TypeAlias = tuple[int, Scale]  # the gradient of which vertex of the graph it is, and on which scale
ALL_RIGHT = np.float64(1.0)  # the "true value" where a run could not go on: whether all that follows is right


class Formulas:
    """A handwritten function beside the loss it belongs to, and what is known of its names."""

    def __init__(self, function: FunctionType, loss: Loss, space: Space, timeout: float | None = None) -> None:
        self.function, self.loss, self.space = function, loss, space
        self.timeout = timeout  # of one run, in seconds
        self.source: Source | None
        try:
            self.source = source_of(function)
        except UnreadableError:
            self.source = None
        self.arguments = [name for name in inspect.signature(function).parameters if name in space.specs]
        self.samples = self.space.samples[0] if self.space.samples else None
        self.places: dict[str, int] = {}  # of the inner tensors that the code has a name for and the loss has not
        self.roles: dict[Use, Role] = {}  # of assignments whose names do not tell what they are the gradient of
        self.size = 0  # of the graph
        self.allowance = Allowance()  # of the searches for repairs
        self.ignored: set[str] = set()  # names that mean something else here than in the loss,
        self.local: set[Key] = set()  # and lines that are run again and again, each time for a part of the samples
        self.order: list[str] = []  # of what is returned without names: the gradients of the parameters
        self.opaque = False  # whether what is returned is made where it cannot be seen
        self.stopped: Step | None = None  # where the last run could not go on
        self._truths: dict[int, tuple[Case, dict[str, Any], Truth]] = {}
        self.result(next(space.guaranteed()))  # what does not end, or ends the program, does so in its own lines
        if self.source is not None:
            self._recognise()
            self._look_at_the_end()

    def truth(self, case: Case) -> tuple[dict[str, Any], Truth]:
        """Return the arguments of a case and what is true there."""
        found = self._truths.get(id(case))
        if found is None:
            arguments = self.space.draw(case)
            exact = {n: x.astype(np.float64) if x.dtype.kind == "f" else x for n, x in arguments.items()}
            truth = self.loss(exact)
            if self.source is not None and len(truth.graph.vertices) == self.size:
                truth = truth.named(self.places)
            found = self._truths[id(case)] = (case, arguments, truth)
        return found[1], found[2]

    def _recognise(self) -> None:
        """Find out by their values which inner tensors of the loss the code has other names for."""
        case, other = list(self.space.guaranteed())[:2]
        found: list[dict[str, int]] = []
        for trial in (case, other):
            arguments, truth = self.truth(trial)
            steps = self._run(arguments).steps
            places = {}
            for step in steps:
                if (
                    step.name not in truth.values
                    and isinstance(step.value, np.ndarray)
                    and step.value.dtype.kind == "f"
                ):
                    place = truth.place(step.value)
                    if place is not None:
                        places[step.name] = place
            found.append(places)
        self.places = {name: i for name, i in found[0].items() if found[1].get(name) == i}
        self.size = len(truth.graph.vertices)
        self._truths.clear()

    def _look_at_the_end(self) -> None:
        """Find out what is returned without a name, and which lines are about a part of the samples only."""
        assert self.source is not None
        case = next(self.space.guaranteed())
        arguments, truth = self.truth(case)
        mine = {name: arguments[name] for name in self.arguments}
        parameters = [name for name in self.arguments if name in self.space.parameters]
        try:
            result = self.called(_copied(mine))
        except Exception:
            result = None
            if not any(self.target(name, truth) for name in self.source.returned) and self.source.count == len(
                parameters
            ):
                self.order = [f"d{name}" for name in parameters]
                self.source = replace(self.source, names=tuple(self.order))
        if isinstance(result, np.ndarray | np.generic) and len(parameters) == 1:
            result = (result,)
        if isinstance(result, tuple | list) and len(result) == len(parameters) and not self._names_of(result, truth):
            fits = [np.size(part) == truth.gradients[p].size for p, part in zip(parameters, result, strict=True)
                    if p in truth.gradients]  # fmt: skip
            if all(fits) and len(fits) == len(parameters):
                self.order = [f"d{name}" for name in parameters]
                self.source = replace(self.source, names=tuple(self.order))
        steps = self._run(arguments).steps
        judged = {self.target(step.name, truth) or step.name for step in steps}
        given = {self.target(name, truth) or name for name in self.named(result)}
        self.opaque = bool(given & self.space.parameters - judged)
        times: dict[int, int] = defaultdict(int)
        for step in steps:
            times[id(step.statement)] += 1
        for step in steps:
            target = self.target(step.name, truth) or step.name
            value = truth.gradients.get(target, truth.values.get(target))
            if value is None or target in self.space.specs or times[id(step.statement)] < 2:
                continue
            if self._is_part(np.shape(step.value), np.shape(value), case):
                self.local.add(step.key)

    def _names_of(self, result: Any, truth: Truth) -> bool:
        """Whether what is returned has names that belong to a tensor."""
        return any(self.target(name, truth) is not None or name in truth.gradients for name in self.named(result))

    def _is_part(self, shape: tuple[int, ...], whole: tuple[int, ...], case: Case) -> bool:
        """Whether a shape is that of some of the samples: their axis is shorter, or is not there."""
        for axis, size in enumerate(whole):
            if size == case.sizes.get(self.samples or ""):
                rest = whole[:axis] + whole[axis + 1 :]
                if shape == rest or (
                    len(shape) == len(whole) and shape[axis] < size and rest == shape[:axis] + shape[axis + 1 :]
                ):
                    return True
        return False

    # --- names --------------------------------------------------------------------------------------------------------

    def target(self, name: str, truth: Truth, step: Step | None = None) -> str | None:
        """Return the tensor that a gradient's name belongs to: Z2 for dZ2, dz2, d_Z2, grad_Z2, Z2_grad.

        A name that is used once a layer, as `dZ` in a loop from the last layer to the first, belongs to Z3, Z2, Z1 in turn.
        """
        for form in _stripped(name):
            if form in truth.gradients:
                return form
            near = [own for own in truth.gradients if own.lower() == form.lower()]
            if len(near) == 1:
                return near[0]
        if step is None or (step.uses < 2 and step.error is None):
            return None
        for form in _stripped(name):
            layers = [own for own in truth.gradients if re.fullmatch(rf"{re.escape(form)}_?\d+", own)]
            layers.sort(key=lambda own: int(re.findall(r"\d+$", own)[0]), reverse=True)
            if step.use < len(layers) and step.uses <= len(layers):
                return layers[step.use]
        return None

    def factor(self, name: str, scales: Mapping[str, Scale], case: Case) -> float:
        """Return what ∂J/∂Z is multiplied with: m where the notes' gradients of each sample's own loss are meant."""
        return float(scales[name].factor(case.sizes[self.samples])) if name in scales and self.samples else 1.0

    def true(self, step: Step, case: Case, truth: Truth, scales: Mapping[str, Scale]) -> Any:
        """Return the true value of a step; None where nothing is known of it."""
        name, value = step.name, step.value
        if name in self.ignored or step.key in self.local:
            return None
        if (role := self.roles.get(use_of(step))) is not None and len(truth.graph.vertices) == self.size:
            vertex, scale = role
            return np.asarray(truth.slopes[vertex] * self.factor(name, {name: scale}, case))
        if not step.final and self.target(name, truth) is not None:
            return None  # only the last assignment counts
        if name in case.sizes and isinstance(value, int | np.integer) and step.final:
            return case.sizes[name]
        target = self.target(name, truth, step)
        returned = self.source is not None and step.container in self.source.returned
        if target is None and name in truth.gradients and (returned or _holds_gradients(step.container)):
            target = name  # grads["W1"] is dW1
        if target is not None:
            return np.asarray(truth.gradients[target] * self.factor(name, scales, case))
        if name in truth.values and not step.container and step.final:
            return truth.values[name]
        return None

    # --- judging ------------------------------------------------------------------------------------------------------

    def free(self, case: Case) -> list[str]:
        """The names of gradients that may be on either scale: those of inner tensors."""
        truth, found = self.truth(case)[1], {}
        for step, _, _ in self.judged(case, {}):
            target = self.target(step.name, truth, step)
            if target is not None and target not in self.space.parameters:
                found[step.name] = target
        return list(found)

    def steps(
        self, case: Case, scales: Mapping[str, Scale], instead: Edits | None = None, tape: Tape | None = None
    ) -> list[Step]:
        """Run a case line by line, each line on true values; return the steps."""
        arguments, truth = self.truth(case)

        def again(before: Run | None) -> Run:
            if tape is not None:
                tape.clear()
            return self._run(arguments, known, before, instead, tape)

        def known(step: Step) -> Any:
            return _cast(self.true(step, case, truth, scales), case)

        before = again(None)
        if before.error is not None:  # with true values it may come further
            before = again(before)
        found = again(before)
        if found.error is None and found.counts != before.counts:  # with true values a loop has other rounds
            found = again(found)
        self.stopped = found.steps[-1] if found.error is not None and found.steps else None
        if self.stopped is not None and self.source is not None:  # what comes after it may change a name again
            rest = [part for node in self.source.body[self.stopped.at :] for part in ast.walk(node)]
            later = {name for part in rest if isinstance(part, ast.stmt) for name in given(part)}
            for step in found.steps[:-1]:
                step.final = step.final and not (step.scope == 1 and step.name in later)
        return found.steps

    def judged(
        self, case: Case, scales: Mapping[str, Scale], everything: bool = False, instead: Edits | None = None,
        tape: Tape | None = None,
    ) -> list[tuple[Step, Array, bool]]:  # fmt: skip
        """Run a case line by line; return each known step with the true value, and whether it is right.

        With `everything`, the steps of which nothing is known are there too, with None.
        """
        if self.source is None:
            return self.judged_outputs(case, scales)
        _, truth = self.truth(case)
        judged: list[tuple[Step, Array, bool]] = []
        unknown: list[Step] = []
        infinite: set[str] = set()  # names whose truth is no number, as a logarithm of 0: what reads them is no mistake
        for step in self.steps(case, scales, instead, tape):
            true = self.true(step, case, truth, scales)
            if true is None:
                unknown.append(step)
                if everything:
                    judged.append((step, None, True))
                continue
            blind = infinite & names_in(step.expression or step.statement) if infinite else None
            judged.append((step, true, bool(blind) or (step.error is None and self.right(step, true, case, unknown))))
            if not isinstance(true, int) and not np.isfinite(true).all():
                infinite.add(step.name)
            step.seen = not blind and step.name not in infinite
        if self.opaque and self.stopped is None:
            there = {self.target(step.name, truth, step) or step.name for step, _, _ in judged}
            ends = self.judged_outputs(case, scales)
            judged += [end for end in ends if (self.target(end[0].name, truth) or end[0].name) not in there]
        return judged

    def right_at_the_end(self, cases: Iterable[Case], scales: Mapping[str, Scale]) -> bool:
        """Whether the function as it stands returns the gradient of every parameter, and all are right in all cases."""
        wanted = {name for name in self.arguments if name in self.space.parameters}
        for case in cases:
            truth = self.truth(case)[1]
            try:
                judged = self.judged_outputs(case, scales)
            except Exception:
                return False
            given = {self.target(step.name, truth) or step.name for step, _, _ in judged}
            if not all(ok for _, _, ok in judged) or not (wanted & set(truth.gradients)) <= given:
                return False
        return bool(wanted)

    def outputs(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run the function itself; return what it returns by name.  Raises what it raises."""
        return self.named(self.called(_copied(arguments)))

    def called(self, arguments: Mapping[str, Any]) -> Any:
        """Run the function itself, as it stands; return what it returns.  Raises what it raises."""
        with np.errstate(all="ignore"), limited(self.timeout, self.function.__code__.co_filename):
            return self.function(**arguments)

    def _run(self, arguments: Mapping[str, Any], known: Known = lambda _: None, *more: Any) -> Run:
        """Run the function line by line; see `isolate.run`."""
        assert self.source is not None
        with limited(self.timeout, self.function.__code__.co_filename):
            return run(self.source, _copied({name: arguments[name] for name in self.arguments}), known, *more)

    def result(self, case: Case) -> Any:
        """Return what the function itself returns in a case; None where it raises."""
        arguments, _ = self.truth(case)
        try:
            return self.called(_copied({name: arguments[name] for name in self.arguments}))
        except Exception:
            return None

    def held(self, case: Case, parameters: Iterable[str]) -> list[str]:
        """Return the parameters whose gradients are somewhere in what is returned, told by their values, in its order."""
        arguments, truth = self.truth(case)
        size = _size(arguments.values())
        return [
            name
            for part in leaves(self.result(case))
            for name in parameters
            if equal(part, np.asarray(truth.gradients[name]), None, case.dtype, size)
        ]

    def named(self, result: Any) -> dict[str, Any]:
        """Return a result by name; empty where it has no names."""
        if isinstance(result, tuple | list) and any(isinstance(part, dict) for part in result):
            result = next(part for part in result if isinstance(part, dict))
        if isinstance(result, dict):
            return {str(name): value for name, value in result.items()}
        names = self.order or (self.source.returned if self.source is not None else [])
        if isinstance(result, tuple | list) and len(names) == len(result):
            return dict(zip(names, result, strict=True))
        return {names[0]: result} if len(names) == 1 and not isinstance(result, tuple | list) else {}

    def judged_outputs(self, case: Case, scales: Mapping[str, Scale]) -> list[tuple[Step, Array, bool]]:
        """Judge what the function returns, as a whole: for a function without source, and to see what reaches the end."""
        arguments, truth = self.truth(case)
        mine = {name: arguments[name] for name in self.arguments}
        judged = []
        for name, value in self.outputs(mine).items():
            step = Step(name, value, None, None, mine, container="return")
            true = self.true(step, case, truth, scales)
            if (true is not None and self.target(name, truth)) or name in truth.gradients:

                def again(disturb: Callable[[Any], Any], name: str = name) -> Any:
                    return self.outputs({key: disturb(x) for key, x in mine.items()})[name]

                judged.append((step, true, equal(value, true, again, case.dtype, _size(mine.values()))))
                step.seen = bool(np.isfinite(true).all())
        return judged

    def right(self, step: Step, true: Any, case: Case, before: Sequence[Step]) -> bool:
        """Whether the value of a step is the true one, but for rounding."""
        if isinstance(true, int):
            return bool(step.value == true)
        read = names_in(step.expression or step.statement)
        read = read.union(*(names_in(helper.expression or helper.statement) for helper in helpers_of(step, before)))
        size = _size(x for name, x in step.space.items() if name in read)
        if equal(step.value, true, None, case.dtype, size):
            return True
        again: Callable[[Callable[[Any], Any]], Any] | None = None
        if step.expression is not None and step.error is None:
            expression, helpers = step.expression, _lines(helpers_of(step, before))

            def again(disturb: Callable[[Any], Any]) -> Any:
                space = {name: disturb(inspect.unwrap(x) if callable(x) else x) for name, x in step.space.items()}
                for name, helper in helpers:
                    space[name] = evaluated(helper, space)
                return evaluated(expression, space)

            if helpers and not _again(again, step.value):  # a loop or a change in place is between them
                helpers = []
            if not _again(again, step.value):  # another statement stands in a function that it calls
                again = None

        return equal(step.value, true, again, case.dtype, size)

    def scales(self, cases: Sequence[Case]) -> tuple[dict[str, Scale], dict[Key, int]]:
        """Find the scale of each inner gradient: that with which the fewest lines are wrong.

        The notes' dZ is the gradient of each sample's own loss; ∂J/∂Z has a factor 1/m more.  Either is right.
        """
        free = self.free(cases[0])
        natural: dict[str, Scale] = {}
        for name in free:  # in order: what one line gives, the next is given
            fits = []
            for scale in Scale:
                trial = natural | {name: scale}
                results = [ok for case in cases for step, _, ok in self.judged(case, trial) if step.name == name]
                fits.append(all(results))
            natural[name] = (
                Scale.SAMPLE if fits[0] or (not fits[1] and _mostly(natural) == Scale.SAMPLE) else Scale.MEAN
            )
        best, wrong = natural, self.count(cases, natural)
        if wrong:
            several = itertools.product(Scale, repeat=len(free)) if len(free) < 5 else ()
            for choice in [(Scale.SAMPLE,) * len(free), (Scale.MEAN,) * len(free), *several]:
                trial = dict(zip(free, choice, strict=True))
                found = self.count(cases, trial)
                if len(found) + _mixed(trial) < len(wrong) + _mixed(best):
                    best, wrong = trial, found
        return best, wrong

    def problem(
        self, key: Key, cases: Sequence[Case], scales: Mapping[str, Scale], alone: bool = False
    ) -> Problem | None:
        """Return a wrong line with all that a diagnosis may look at; None where it is no line of its own.

        A line in a loop that assigns another name in each round is looked at in all rounds, unless `alone`.
        """
        examples: list[Example] = []
        recordings: list[Recording] = []
        spoilt: list[set[Key]] = []  # the keys of the other wrong lines of each
        own: ast.expr | None = None
        for step, true, _ in self.judged(cases[0], scales) if cases and not alone else ():
            own = step.expression if step.key == key and true is not None else own
        for case in cases:
            trues = self.trues(case, scales)
            tape = Tape(self.source) if self.source is not None else None
            judged = self.judged(case, scales, everything=True, tape=tape)
            steps = [(step, true if true is None else _cast(true, case)) for step, true, _ in judged]
            stopped = self.stopped is not None and self.stopped.key == key
            for step, true, ok in judged:
                true, ok = (ALL_RIGHT, False) if stopped and step is self.stopped else (true, ok)
                same = step.key == key or (own is not None and step.expression is own)  # in another round of a loop
                if same and step.statement is not None and true is not None and tape is not None:
                    examples.append(Example(_plain(step.space), step.value, true, case.sizes, trues, ok, step.error))
                    recordings.append(Recording(tape, steps, step, case))
                    spoilt.append({s.key for s, _, fine in judged if not fine} - {key})
        if not recordings:
            return None
        found = suspects(recordings[0])
        places = [[r.tape.places.get(id(node)) for r in recordings] for node in found]
        statements = [
            Statement(node, [_plain(place.space) for place in there if place is not None])
            for node, there in zip(found, places, strict=True)
            if all(there)
        ]
        wrong, seen = self._verdicts(cases, scales)
        halted = [r.case for r, example in zip(recordings, examples, strict=True) if example.true is ALL_RIGHT]
        before = self._verdicts(halted, scales)[1]

        def again(old: ast.stmt, new: ast.stmt, i: int) -> Any:
            value = recordings[i].again(old, new)
            if examples[i].true is not ALL_RIGHT:
                return value
            return np.float64(self._verdicts([recordings[i].case], scales, {old: new})[0] <= spoilt[i])

        def mended(old: ast.stmt, new: ast.stmt) -> frozenset[Key]:
            still, reached = self._verdicts(cases, scales, {old: new})
            if halted and self._verdicts(halted, scales, {old: new})[1] <= before:
                return frozenset()  # nothing that can be judged follows from it
            return wrong - still if still <= wrong and seen - wrong <= reached else frozenset()

        first = next((r.step for r in recordings if r.step.key == key), recordings[0].step)
        place = "" if self.order and first.container == "return" else first.container
        if isinstance(first.statement, ast.Assign) and isinstance(first.statement.targets[0], ast.Name) and place:
            place = "return"  # an item of a dict that is written out
        line = None if examples[0].true is ALL_RIGHT else first.expression
        return Problem(
            key, line, examples, self.samples, statements, again, mended,
            max(len(r.steps) for r in recordings), place, bool(loops := _loops(first.statement, recordings[0].tape)),
            tuple(loop.target.id for loop in loops if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name)),
            self.allowance, self._activations(cases[0]),
        )  # fmt: skip

    def _activations(self, case: Case) -> tuple[str, ...]:
        """Return the activations in the loss."""
        ops = [vertex.op for vertex in self.truth(case)[1].graph.vertices if vertex.op is not None]
        return tuple(dict.fromkeys(op.name for op in ops if op.activation))

    def trues(self, case: Case, scales: Mapping[str, Scale]) -> dict[str, Array]:
        """Return all that is known to be true in a case, by name: Z1 and dZ1."""
        _, truth = self.truth(case)
        values = {name: x for name, x in truth.values.items() if name not in self.arguments}
        data = self.space.specs  # whose gradients nobody asks for
        slopes = {n: slope for n, slope in truth.gradients.items() if n in self.space.parameters or n not in data}
        return values | {f"d{n}": slope * self.factor(f"d{n}", scales, case) for n, slope in slopes.items()}

    def _verdicts(
        self, cases: Sequence[Case], scales: Mapping[str, Scale], instead: Edits | None = None
    ) -> tuple[frozenset[Key], frozenset[Key]]:
        """Return the keys of the wrong lines, and of those where a run could not go on; and of all that were reached."""
        wrong: set[Key] = set()
        reached: set[Key] = set()
        for case in cases:
            judged = self.judged(case, scales, instead=instead)
            reached.update(step.key for step, _, _ in judged)
            wrong.update(step.key for step, _, ok in judged if not ok)
            wrong.update({self.stopped.key} if self.stopped is not None else ())
        return frozenset(wrong), frozenset(reached)

    def count(self, cases: Sequence[Case], scales: Mapping[str, Scale]) -> dict[Key, int]:
        """Return in how many cases each wrong line is wrong."""
        found: dict[Key, int] = defaultdict(int)
        for case in cases:
            for step, _, ok in self.judged(case, scales):
                if not ok:
                    found[step.key] += 1
        return dict(found)


def use_of(step: Step) -> Use:
    """Return which assignment a step is."""
    return step.scope, step.name, step.use


def helpers_of(step: Step, before: Sequence[Step]) -> list[Step]:
    """Return the steps that a step depends on and of which nothing is known, in order."""
    wanted = set(names_in(step.expression or step.statement))
    found: list[Step] = []
    for earlier in reversed(before):
        if earlier.scope == step.scope and earlier.name in wanted:
            found.insert(0, earlier)
            wanted |= names_in(earlier.expression or earlier.statement)
    return found


def _cast(true: Any, case: Case) -> Any:
    return true.astype(case.dtype) if isinstance(true, np.ndarray) and true.dtype.kind == "f" else true


def _plain(space: Mapping[str, Any]) -> dict[str, Any]:
    """Return a space with the functions of the file as they are."""
    return {name: inspect.unwrap(x) if callable(x) else x for name, x in space.items()}


def _loops(statement: ast.stmt | None, tape: Tape) -> list[ast.For | ast.While]:
    """Return the loops that a statement stands in."""
    parts = [part for place in tape.places.values() for part in ast.walk(place.statement)]
    loops = {id(part): part for part in parts if isinstance(part, ast.For | ast.While)}
    return [loop for loop in loops.values() if any(part is statement for part in ast.walk(loop))]


def _again(again: Callable[[Any], Any], value: Any) -> bool:
    """Whether computing a value again gives it again."""
    try:
        return same(again(lambda x: x), value)
    except Exception:
        return False


def _size(values: Iterable[Any]) -> float:
    """Return the largest absolute number in arrays."""
    arrays = [x for x in values if isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.size]
    return max((float(np.max(np.abs(x))) for x in arrays), default=0.0)


def _lines(steps: Sequence[Step]) -> list[tuple[str, ast.expr]]:
    return [(step.name, step.expression) for step in steps if step.expression is not None]


@lru_cache(4096)
def names_in(node: ast.AST | None) -> frozenset[str]:
    """Return the names in an expression or a statement."""
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name)) if node else frozenset()


def _holds_gradients(container: str) -> bool:
    return container == "return" or container.lower().startswith(("grad", "d")) or container.lower().endswith("grads")


def _copied(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: x.copy() if isinstance(x, np.ndarray) else x for name, x in arguments.items()}


def _mostly(scales: Mapping[str, Scale]) -> Scale:
    return max(Scale, key=list(scales.values()).count)


def _mixed(scales: Mapping[str, Scale]) -> int:
    """How many inner gradients are not on the scale of the others."""
    counts = [list(scales.values()).count(scale) for scale in Scale]
    return min(counts)


def _stripped(name: str) -> list[str]:
    """Return what a gradient's name may be the gradient of."""
    forms = []
    for prefix in ("d_", "d", "D", "grad_", "grad", "g_", "g", "∂", "delta_", "delta", "δ"):
        if name.startswith(prefix) and len(name) > len(prefix):
            rest = name.removeprefix(prefix)
            forms.append(f"Z{rest}" if rest.isdigit() and prefix.startswith(("delta", "δ")) else rest)  # delta2 is dZ2
    ends = [name.removesuffix(suffix) for suffix in ("_grad", "grad") if name.endswith(suffix)]
    return forms + [form for form in ends if form]


__all__ = ["Formulas", "Key", "Role", "Use", "helpers_of", "names_in", "use_of"]
