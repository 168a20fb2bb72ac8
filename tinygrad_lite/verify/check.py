"""verify: check a handwritten backward pass against autodiff, line by line, over generated sizes and values."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, TypeVar

import numpy as np

from ..modelfile import ModelFileError, place_in
from ..numeric.gradcheck import gradcheck
from ..truth.cases import Case, Space, Spec, no_folder, space_of
from ..truth.equal import Same, same
from ..truth.loss import Loss, Scale, with_labels
from .choose import recognise
from .lines import Formulas, Key, helpers_of
from .problem import Allowance, Diagnosis, Problem, header
from .report import ERROR, INCONCLUSIVE, RIGHT, WRONG, Formula, Report, array_text
from .run import Edits, Step
from .smallest import smallest
from .words import diagnose

Array = Any
KINK = "on a kink"
CAUSES, ROWS, LEAST = 2_000_000, 4_000_000, 1_000_000  # nodes of trees that may be tried: in all, in all, for one row
Function = TypeVar("Function", bound=Callable[..., Any])


def verify(
    backward: Callable[..., Any],
    loss: Any,
    shapes: Mapping[str, str | Spec] | None = None,
    examples: int = 100,
    raises: bool = True,
    timeout: float | None = None,
) -> Report:
    """Check every formula of a handwritten backward pass; say which line is wrong, how, and how it is put right.

    `backward` is a function of NumPy arrays that returns gradients by name: a dict, or names in its return.  `loss` is a
    function of tensors with the same arguments, or an nn.Module (class or instance) whose parameters bear their names.  A
    gradient belongs to the tensor in its name: dW1 to W1, dZ2 to the Z2 of the loss.  `shapes` has the sizes of the
    arguments by name, `{"X": "n m", "W1": "h n", "Y": one_hot("c m")}`; where it is left out, they come from annotations.

    Each line is run on true values, so that one mistake is found in one line; an inner gradient may be that of each sample's
    own loss, as in the notes, or that of the mean J.  One run of the function may take `timeout` seconds.
    Raises GradientMismatch with the report where a formula is wrong (with raises=False it is returned), and TypeError or
    ValueError where the function, the loss and the shapes do not belong together, or the function ends the program; TimeUp,
    which is no Exception, where it takes too long.

    >>> def loss(W, X, Y):
    ...     D = W @ X - Y
    ...     return (D * D).sum() / (2 * X.shape[1])
    >>> def backward(W, X, Y):
    ...     return {"dW": (W @ X - Y) @ X.T}
    >>> report = verify(backward, loss, {"W": "c n", "X": "n m", "Y": "c m"}, examples=20, raises=False)
    >>> report.formulas["dW"].verdict
    'wrong'
    """
    if isinstance(backward, MethodType):
        raise TypeError(
            f"backward must be a function of arrays, not a method of {type(backward.__self__).__name__}: "
            f"write {backward.__name__} outside of the class, without self, and give that"
        )
    if not isinstance(backward, FunctionType):
        raise TypeError(f"backward must be a function of arrays, not {backward!r}")
    if shapes is not None and not isinstance(shapes, Mapping):
        raise TypeError(f'shapes must be a dict from arguments to their sizes, {{"X": "n m", …}}, not {shapes!r}')
    if isinstance(examples, bool) or not isinstance(examples, int):
        raise TypeError(f"examples must be a whole number of cases, as examples=100, not {examples!r}")
    if examples < 1:
        raise ValueError(f"examples must be 1 or more, as examples=100, not {examples}")
    if inspect.isgeneratorfunction(backward) or inspect.iscoroutinefunction(backward):
        raise TypeError(f"{backward.__name__} must return the gradients; it is a generator or asynchronous")
    known = Loss(loss)
    arguments = _arguments(backward, known)
    space = space_of(known.function, known.module, arguments, shapes or {})
    space = with_labels(space, known, {name for name, given in (shapes or {}).items() if isinstance(given, Spec)})
    try:
        report = _Check(Formulas(backward, known, space, timeout), examples).report()
    except SystemExit as error:
        place = place_in(error, Path(backward.__code__.co_filename)) or backward.__name__
        raise ModelFileError(f"{place}: ends the program; return the gradients instead") from error
    if raises:
        report.raise_if_wrong()
    return report


def verifies(
    loss: Any, shapes: Mapping[str, str | Spec] | None = None, examples: int = 100
) -> Callable[[Function], Function]:
    """Make a handwritten backward pass a test: pytest collects the function under it, and checks it as `verify` does.

    The function stays what it was.  `pytest --gradcheck-examples N` sets the number of cases for all.

    >>> @verifies(lambda w, x: (w * w * x).sum(), {"w": "n", "x": "n"})
    ... def backward(w, x):
    ...     return {"dw": 2 * w * x}
    >>> backward(2.0, 3.0)
    {'dw': 12.0}
    """

    def mark(function: Function) -> Function:
        function.__verifies__ = loss, shapes, examples  # type: ignore[attr-defined]
        return function

    return mark


def _arguments(backward: FunctionType, loss: Loss) -> list[str]:
    """Return the arguments of the function; each must be one of the loss, or of its parameters, or have a default."""
    there = {*loss.arguments, *loss.own}
    found = []
    for name, p in inspect.signature(backward).parameters.items():
        if name in there:
            found.append(name)
        elif p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            if name == "self":
                raise TypeError(f"{backward.__name__} is a method; write it outside of the class, without self")
            raise TypeError(
                f"{backward.__name__} takes {name}, but the loss knows only {', '.join(sorted(there))}; "
                "give both the same names"
            )
    return found


@dataclass(eq=False)
class _Line:
    """What was found of one line over all cases."""

    step: Step  # of the first case
    cases: int = 0
    wrong: list[Case] = field(default_factory=list)
    raised: list[BaseException] = field(default_factory=list)

    @property
    def judged(self) -> int:
        """The cases in which it could be told whether it is right."""
        return self.cases - len(self.wrong) * self.convention

    @property
    def convention(self) -> bool:
        """Whether it differs only where a kink is met exactly, and either side is a convention."""
        return bool(self.wrong) and all(case.why == KINK for case in self.wrong)


class _Check:
    """One verification: its cases, what was found of each line, and the report."""

    def __init__(self, formulas: Formulas, examples: int) -> None:
        self.formulas, self.space = formulas, formulas.space
        self.cases = [*explicit_cases(formulas.function, self.space), *self.space.guaranteed()]
        self.diverse = [c for c in self.cases if c.scale == 1 and c.dtype == np.float64 and c.why != KINK][:6]
        self.examples = max(examples, len(self.cases))
        self.lines: dict[Key, _Line] = {}
        self.scales: dict[str, Scale] = {}
        self.loops: dict[int, tuple[str, Diagnosis]] = {}  # by its number, of a line in a loop
        self.causes: dict[Key, Diagnosis] = {}  # of lines that are wrong for what another line does
        self.stopped: Step | None = None  # where a run could not go on,
        self.halted: Formula | None = None  # what is said of it,
        self.trusted = ""  # what is said of lines that differ where all is right at the end
        self.instead: Edits = {}  # and what stands in the place of the statement to blame, to go on

    def report(self) -> Report:
        """Look at all cases, and sum up."""
        ends = self._ends()
        if "return" not in ends:
            recognise(self.formulas, self.diverse)
            self.scales = self._settled()
            for case in self.cases:
                self.look(case)
            self._draw()
            self._go_on()
            self._ignore()
            self._excuse()
            self._trust()
        self.causes = self._causes()
        rows = {**self._rows(), **ends}
        if all(row.verdict == RIGHT for row in rows.values()) and self.stopped is None and self.halted is None:
            rows |= self._spoilt_at_the_end()
        rows = self._completed(rows)
        rows |= self._handed_over(rows)
        return Report(
            rows, len(self.cases), dict(Counter(case.why for case in self.cases)), self._scale(),
            self._numerical(), self._notes(),
        )  # fmt: skip

    def look(self, case: Case) -> None:
        """Judge every line on one case."""
        for step, _, ok in self.formulas.judged(case, self.scales, instead=self.instead):
            line = self.lines.setdefault(step.key, _Line(step))
            line.cases += step.seen or not ok
            if not ok:
                line.wrong.append(case)
            if step.error is not None:
                line.raised.append(step.error)
        stopped = self.formulas.stopped
        if stopped is not None and self.stopped is None:
            self.stopped = stopped

    def _draw(self) -> None:
        """Look at random cases, drawn by hypothesis."""
        from hypothesis import HealthCheck, Phase, given, settings

        if self.examples <= len(self.cases):
            return

        @settings(
            max_examples=self.examples - len(self.cases), deadline=None, derandomize=True, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(self.space.strategy())
        def one(case: Case) -> None:
            self.look(case)
            self.cases.append(case)

        with no_folder():
            one()

    def _go_on(self) -> None:
        """Where a run could not go on, find a repair, and look at the other lines once it is made."""
        if self.stopped is None or self.stopped.error is None:
            return
        self.formulas.allowance = Allowance(ROWS)
        step, reason = self.stopped, f"raises {_said(self.stopped.error)}"
        self.halted = Formula(step.name, ERROR, reason, **_place(step))
        problem = self.formulas.problem(step.key, self.diverse, self.scales)
        found = None if problem is None else diagnose(problem)
        if found is None or found.statement is None or found.new is None:
            return
        if found.statement is not step.statement:
            reason = f"{found.reason}; as it stands, {step.name} {reason}"
        self.halted = replace(self.halted, **_told(found) | {"reason": reason})
        self.instead = {found.statement: found.new}
        self._again()

    def _again(self) -> None:
        """Look at all cases from the start."""
        self.lines, self.stopped = {}, None
        self.scales = self._settled()
        for case in self.cases:
            self.look(case)

    def _settled(self) -> dict[str, Scale]:
        """Return the scales of the inner gradients; where a wrong line leaves its own open, those of the simplest repair."""
        scales, wrong = self.formulas.scales(self.diverse)
        open_ = [name for _, name in wrong if name in scales]
        trials = [scales | {name: scales[name].other for name in open_}, dict.fromkeys(scales, Scale.MEAN)]
        trials = [t for t in trials[: 1 + (trials[0] != trials[1])] if t != scales]
        trials = [t for t in trials if len(self.formulas.count(self.diverse, t)) == len(wrong)]
        return min([scales, *trials], key=self._effort) if open_ and trials else scales

    def _effort(self, scales: Mapping[str, Scale]) -> float:
        """How far-fetched the repairs of the wrong inner gradients are together."""
        wrong = self.formulas.count(self.diverse, scales)
        problems = [self.formulas.problem(key, self.diverse, scales) for key in wrong if key[1] in scales]
        return sum(min(diagnose(problem, thorough=False).cost, 9.0) for problem in problems if problem is not None)

    # --- what stands at the end ---------------------------------------------------------------------------------------

    def _ends(self) -> dict[str, Formula]:
        """Run the function as it stands; return what is wrong with it as a whole."""
        case = self.diverse[0]
        arguments, _ = self.formulas.truth(case)
        mine = {name: arguments[name] for name in self.formulas.arguments}
        given = {name: x.copy() for name, x in mine.items()}
        try:
            result = self.formulas.called(given)
            again = self.formulas.outputs(mine)
        except Exception as error:
            if self.formulas.source is None:
                return {"return": Formula("return", ERROR, f"raises {_said(error)}")}
            return {}
        first = self.formulas.named(result)
        found: dict[str, Formula] = {}
        if result is None:
            return {"return": Formula("return", ERROR, "nothing is returned; return the gradients by name, as a dict")}
        if not first and self.formulas.source is None:
            reason = "what is returned has no names; return a dict of gradients, as {'dW1': dW1}"
            return {"return": Formula("return", ERROR, reason)}
        for name, x in mine.items():
            if not np.array_equal(given[name], x, equal_nan=True):
                reason = f"{name} is changed in place, and the caller's array with it; copy it first"
                found[name] = Formula(name, ERROR, reason)
        for name, value in first.items():
            if name in again and _is_array(value) and not same(again[name], value, Same.CALL):
                found[name] = Formula(name, ERROR, "each call gives another result: something in it is random")
        return found

    def _ignore(self) -> None:
        """Leave out inner lines that differ from what bears their name in the loss, but spoil nothing after them."""
        _, truth = self.formulas.truth(self.diverse[0])
        returned = self._returned()
        for key, line in list(self.lines.items()):
            name = line.step.name
            target = self.formulas.target(name, truth, line.step) or name
            final = name in returned or line.step.container or (target in self.space.parameters and target != name)
            if not line.wrong or line.convention or final or line.raised:
                continue
            cases = [*self.diverse, *line.wrong[:3]]
            before = set(self.formulas.count(cases, self.scales)) - {key}
            self.formulas.ignored.add(name)
            if not set(self.formulas.count(cases, self.scales)) <= before:
                self.formulas.ignored.discard(name)
        if self.formulas.ignored:  # then the lines after them read other values
            self._again()

    def _returned(self) -> set[str]:
        """The names of what is returned."""
        try:
            arguments, _ = self.formulas.truth(self.diverse[0])
            return set(self.formulas.outputs({name: arguments[name] for name in self.formulas.arguments}))
        except Exception:
            _, truth = self.formulas.truth(self.diverse[0])
            written = self.formulas.source.returned if self.formulas.source is not None else []
            return {name for name in written if self.formulas.target(name, truth) is not None}

    def _trust(self) -> None:
        """Where the function as it stands returns the right gradients in all cases, nothing in it is wrong."""
        wrong = {key: line for key, line in self.lines.items() if line.wrong and not line.convention}
        if not wrong:
            return
        first = [case for line in wrong.values() for case in line.wrong[:3]]
        cases = [case for case in dict.fromkeys([*first, *self.cases]) if case.why != KINK]
        if not self.formulas.right_at_the_end(cases, self.scales):
            return
        self.stopped = self.halted = None
        names = list(dict.fromkeys(line.step.name for line in wrong.values()))
        said = "differs from what bears this name in the loss, but every gradient that is returned is right"
        self.trusted = f"{', '.join(names)}: {said}"
        for key in wrong:
            del self.lines[key]
        for case in self.cases:  # what is returned is looked at as a whole
            if case.why == KINK:
                continue
            for step, _, _ in self.formulas.judged_outputs(case, self.scales):
                if all(line.step.name != step.name or line.step.key == step.key for line in self.lines.values()):
                    self.lines.setdefault(step.key, _Line(step)).cases += step.seen

    def _spoilt_at_the_end(self) -> dict[str, Formula]:
        """Return a row for each gradient that is returned wrongly though every line is right by itself."""
        source = self.formulas.source
        if source is None:
            return {}
        found: dict[str, list[Case]] = {}
        cases = [case for case in self.cases if case.why != KINK]
        for case in cases:
            for step, _, ok in self.formulas.judged_outputs(case, self.scales):
                if not ok:
                    found.setdefault(step.name, []).append(case)
        reason = "every line is right by itself, but what is returned under this name is not the gradient"
        place = _place(Step("", None, None, source.body[-1], {})) if isinstance(source.body[-1], ast.Return) else {}
        return {
            n: Formula(n, WRONG, reason, wrong=len(w), cases=len(cases), kind="label", **place)
            for n, w in found.items()
        }

    def _excuse(self) -> None:
        """Leave out lines that are wrong only because a line before them assigns two names at once, and is wrong itself."""
        for line in self.lines.values():
            if not line.wrong:
                continue
            steps = self.formulas.judged(line.wrong[0], self.scales, everything=True)
            at = next((i for i, (step, _, _) in enumerate(steps) if step.key == line.step.key), 0)
            unknown = [step for step, true, _ in steps[:at] if true is None]
            places = {step.key[0] for step in helpers_of(steps[at][0], unknown)}
            if any(other.wrong and other is not line and other.step.key[0] in places for other in self.lines.values()):
                line.wrong, line.raised = [], []

    def _causes(self) -> dict[Key, Diagnosis]:
        """Find statements before several wrong lines that, put right, put them all right."""
        self.formulas.allowance = Allowance(CAUSES)
        wrong = {
            key: self._problem(key, line) for key, line in self.lines.items() if line.wrong and not line.convention
        }
        nodes = {key: {s.node for s in problem.statements} for key, problem in wrong.items() if problem is not None}
        found: dict[Key, Diagnosis] = {}
        for key, mine in nodes.items():
            those = {node: {k for k in nodes if node in nodes[k] and k not in found} for node in mine}
            shared = [node for node in mine if len(those[node]) > 1 and node.lineno not in {k[0] for k in wrong}]
            problem = wrong[key]
            if key in found or not shared or problem is None:
                continue
            cause = diagnose(problem, among=shared)
            if cause.statement is not None and those[cause.statement] <= cause.mends:
                found |= dict.fromkeys(cause.mends, cause)
        return found

    def _problem(self, key: Key, line: _Line, alone: bool = False) -> Problem | None:
        cases = list(dict.fromkeys([*self.diverse, *[c for c in line.wrong if c.dtype == np.float64][:4]]))
        return self.formulas.problem(key, cases, self.scales, alone)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _rows(self) -> dict[str, Formula]:
        """Return a row for each gradient, and for every other line that is wrong, in the order of the code."""
        _, truth = self.formulas.truth(self.diverse[0])
        rows: dict[str, Formula] = {}
        for key, line in self.lines.items():
            name = line.step.name
            shown = line.step.final and (self.formulas.target(name, truth) is not None or line.step.container)
            wrong = bool(line.wrong) and not line.convention
            if not wrong and (not shown or name in rows):
                continue
            if not wrong and line.step.container == "return" and name in truth.gradients and f"d{name}" in rows:
                continue
            if name in rows and rows[name].verdict != RIGHT:
                continue
            row = self._row(key, line) if wrong else self._unharmed(name, line)
            if row.name not in rows or rows[row.name].verdict == RIGHT:
                rows[row.name] = row
            if row.name != name and shown:
                rows.setdefault(name, self._unharmed(name, line))
        return rows

    def _unharmed(self, name: str, line: _Line) -> Formula:
        """Return the row of a line that is nowhere wrong; one that could be judged nowhere is not right either."""
        if line.judged:
            return Formula(name, RIGHT, cases=line.judged, **_place(line.step))
        if line.convention:
            reason = "was not judged: every case is exactly at a kink, where either side is a convention"
        else:
            reason = (
                f"was not judged: its true value is NaN or infinite in all {len(self.cases)} cases; look at the loss"
            )
        return Formula(name, INCONCLUSIVE, reason, **_place(line.step))

    def _row(self, key: Key, line: _Line) -> Formula:
        name = line.step.name
        row = Formula(name, WRONG, wrong=len(line.wrong), cases=line.cases, **_place(line.step))
        if len(line.raised) == line.cases:
            said = f"raises {_said(line.raised[0])}"
            return replace(row, **self._repaired(key, line) | {"verdict": ERROR, "reason": said})
        if not _is_array(line.step.value) and not line.raised:
            kind = type(line.step.value).__name__
            return replace(row, verdict=ERROR, reason=f"gives {kind}, not an array: {str(line.step.value)[:40]}")
        told = self._repaired(key, line)
        shown = smallest(self.formulas, key, self.scales, line.wrong, told.get("fix"))
        return replace(row, **told, counterexample=shown)

    def _repaired(self, key: Key, line: _Line) -> dict[str, Any]:
        """Return what a diagnosis says: reason, fix and kind."""
        several = sum(bool(other.wrong) and not other.convention for other in self.lines.values())
        self.formulas.allowance = Allowance(max(ROWS / several, LEAST))
        problem = self._problem(key, line)
        if problem is None:
            return {"reason": "differs from the derivative"}
        found: Diagnosis = self.causes.get(key) or diagnose(problem)
        if found.fix is None and problem.looped:  # in another round what it reads may be wrong too
            single = self._problem(key, line, alone=True)
            found = found if single is None else diagnose(single)
        told = _told(found)
        if problem.looped and found.statement is None:
            before = self.loops.setdefault(key[0], (key[1], found))
            if found.fix is None and before[1].fix is not None:
                told["reason"] = f"the same line as for {before[0]}: {before[1].reason}"
        if found.statement is None and self._other_scale(key):
            own = self.scales[problem.name]
            told["reason"] = (
                f"the scales are mixed: it is {own.other.said}, but the lines that use it need {own.said}; "
                f"{found.reason}"
            )
        return told

    def _other_scale(self, key: Key) -> bool:
        """Whether a wrong line would be right on the other scale."""
        own = self.scales.get(key[1])
        if own is None:
            return False
        trial = self.scales | {key[1]: own.other}
        return all(ok for case in self.diverse for step, _, ok in self.formulas.judged(case, trial) if step.key == key)

    def _completed(self, rows: dict[str, Formula]) -> dict[str, Formula]:
        """Add rows for what a run stopped at, and for parameters without a gradient."""
        _, truth = self.formulas.truth(self.diverse[0])
        if self.halted is not None:
            rows[self.halted.name] = self.halted
        computed = {self.formulas.target(name, truth) or name: name for name in rows}
        returned = {self.formulas.target(name, truth) or name for name in self._returned()}
        for parameter in self.formulas.arguments:
            if parameter not in self.space.parameters or parameter not in truth.gradients:
                continue
            name = computed.get(parameter, f"d{parameter}")
            if self.stopped is not None and parameter not in computed:
                rows[name] = Formula(name, INCONCLUSIVE, "was not reached")
            elif self.stopped is None and parameter not in computed and "return" not in rows:
                rows[name] = Formula(name, ERROR, f"is missing: {self._unnamed(parameter)}")
            elif returned and parameter not in returned and rows[name].verdict == RIGHT:
                rows[name] = replace(rows[name], verdict=ERROR, reason="is computed, but not returned")
        return rows

    def _handed_over(self, rows: Mapping[str, Formula]) -> dict[str, Formula]:
        """Return what is to be said of the result as a whole, where every line is right."""
        if any(row.verdict != RIGHT for row in rows.values()):
            return {}
        case = self.diverse[0]
        truth = self.formulas.truth(case)[1]
        wanted = [n for n in self.formulas.arguments if n in self.space.parameters and n in truth.gradients]
        if not rows:
            reason = (
                "nothing was judged: no line, and nothing that is returned, is a gradient of this loss with respect to "
                f"an argument; take the parameters as arguments, and return {_as_dict(wanted or self.formulas.arguments)}"
            )
            return {"return": Formula("return", INCONCLUSIVE, reason)}
        result = self.formulas.result(case)
        named = [self.formulas.target(name, truth) or name for name in self.formulas.named(result)]
        named = [name for name in named if name in wanted]
        if not wanted or (named and (isinstance(result, dict) or named == wanted)):
            return {}
        if named:
            reason = f"by their names; they come as {', '.join(named)}, and not in the order {', '.join(wanted)}"
            return {"return": Formula("return", RIGHT, reason)}
        held = [self.formulas.held(other, wanted) for other in self.diverse[:2]]
        if not all(set(wanted) == set(names) for names in held):
            reason = f"gives {_shown(result)}, which does not hold the gradients; return {_as_dict(wanted)}"
            return {"return": Formula("return", ERROR, reason)}
        said = f"the gradients come without names, as those of {', '.join(held[0])}"
        if any(isinstance(part, dict | tuple | list) for part in result):
            return {"return": Formula("return", RIGHT, f"{said}, told by their values")}
        reason = f"{said}, and not in the order {', '.join(wanted)}; return {_as_dict(wanted)}"
        return {"return": Formula("return", ERROR, reason)}

    def _unnamed(self, parameter: str) -> str:
        """Say why there is no gradient of a parameter: nothing that is returned has a name, or not this one."""
        if self._returned():
            return f"no gradient of {parameter} is returned"
        wanted = [name for name in self.formulas.arguments if name in self.space.parameters]
        return (
            "what is returned has no names, and it is not one array for each of "
            f"{', '.join(wanted)}, in this order; return a dict, {_as_dict(wanted)}"
        )

    # --- words --------------------------------------------------------------------------------------------------------

    def _scale(self) -> str:
        parts = []
        for scale in dict.fromkeys(self.scales.values()):
            names = [name for name, own in self.scales.items() if own == scale]
            parts.append(f"{', '.join(names)}: {scale.said}")
        return "; ".join(parts)

    def _numerical(self) -> str:
        """Hold autodiff itself, by which the formulas are judged, against numerical derivatives on one small case."""
        arguments = self.space.draw(Case(dict.fromkeys(self.space.names, 2), 1))
        names = [name for name in arguments if name in self.space.parameters]
        if not names:
            return ""

        def J(*parameters: Any) -> Any:
            return self.formulas.loss.value(arguments | dict(zip(names, parameters, strict=True)))

        found = gradcheck(J, *[arguments[name] for name in names])
        bounds = [check.bound for check in found.checks if check.bound is not None and np.isfinite(check.bound)]
        if found.verdict == "pass":
            return f"numerical: agrees with autodiff, error bound {max(bounds, default=0.0):.0e}"
        return f"numerical: {found.verdict}: " + "; ".join(check.reason for check in found.checks if check.reason)

    def _notes(self) -> list[str]:
        noted = [self.trusted] if self.trusted else []
        return noted + [
            f"{line.step.name}: exactly at a kink it takes another derivative than autodiff; either is a convention"
            for line in self.lines.values()
            if line.convention
        ]


def explicit_cases(function: Callable[..., Any], space: Space) -> list[Case]:
    """Return the cases that `@example(...)` above a function asks for."""
    found = []
    for example in getattr(function, "hypothesis_explicit_examples", ()):
        given = dict(example.kwargs)
        rest = {name: given.pop(name) for name in ("seed", "scale", "values") if name in given}
        unknown = sorted(set(given) - set(space.names))
        if unknown:
            raise ValueError(f"@example names {', '.join(unknown)}, but the sizes are {', '.join(space.names)}")
        found.append(Case({name: given.get(name, 1) for name in space.names}, why="given", **rest))
    return found


def _place(step: Step) -> dict[str, Any]:
    return {} if step.statement is None else {"text": ast.unparse(step.statement), "line": step.statement.lineno}


def _told(found: Diagnosis) -> dict[str, Any]:
    """Return what a diagnosis says of a formula."""
    told: dict[str, Any] = {"name": found.line, "reason": found.reason, "fix": found.fix, "kind": found.kind}
    if found.statement is not None:
        told |= {"text": header(found.statement), "line": found.statement.lineno}
    return told


def _as_dict(parameters: Iterable[str]) -> str:
    """Return the dict that a backward pass is to return, as it is written."""
    return "{" + ", ".join(f'"d{name}": …' for name in parameters) + "}"


def _shown(result: Any) -> str:
    """Return what came out, and of which type it is, in a few words."""
    return f"{array_text(result):.40} ({type(result).__name__})"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray | np.generic | int | float | bool)


__all__ = ["Report", "verifies", "verify"]
