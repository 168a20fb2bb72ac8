"""The diagnosis of wrong lines: the whole catalogue, random edits of right lines, and diagnoses that are broken on purpose.

`python -m tests.test_diagnose` prints a table, a row for each network.
"""

from __future__ import annotations

import ast
import inspect
import random
import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests import catalogue
from tests.catalogue import EQUIVALENTS, MISTAKES, NETWORKS, Mistake
from tinygrad_lite.verify import cases as specs
from tinygrad_lite.verify import desk, edits, repair, scale
from tinygrad_lite.verify.cases import space_of
from tinygrad_lite.verify.diagnose import diagnose
from tinygrad_lite.verify.formulas import MEAN, PER_SAMPLE, Formulas
from tinygrad_lite.verify.judge import equal
from tinygrad_lite.verify.problem import Diagnosis, Example, Problem
from tinygrad_lite.verify.truth import Loss

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

# what a mistake may also be called: the same thing seen from another side
SYNONYMS = {
    "scale": {"constant", "operator", "function", "extra"},
    "constant": {"scale", "mask", "operand", "activation", "extra"},
    "sign": {"order", "operator"},
    "transpose": {"order", "axis", "operand"},
    "axis": {"order", "transpose", "missing", "function", "index"},
    "label": {"operand", "function", "transpose"},
    "mask": {"operand", "activation", "function", "constant", "sign", "missing", "extra", "operator"},
    "activation": {"mask", "order", "operator", "operand", "constant", "missing"},
    "missing": {"mask", "activation", "function", "scale", "operand", "label", "unknown"},
    "extra": {"order", "operand", "function", "constant", "operator", "scale", "mask", "index"},
    "operator": {"missing", "scale", "sign", "order", "function", "activation"},
    "operand": {"label", "scale", "sign", "constant", "function", "activation", "order"},
    "index": {"scale", "operand", "missing", "function", "sign", "axis", "label"},
    "function": {"scale", "operator", "axis", "operand", "precision", "activation", "index", "unknown", "constant"},
    "order": {"transpose", "operator", "scale", "sign", "operand", "activation", "extra", "mask"},
    "double": {"scale", "sign", "axis", "activation", "mask", "transpose", "order", "constant", "extra"},
}


class Bench:
    """A network, its cases and their truth, which all its mutants share."""

    def __init__(self, name: str) -> None:
        self.network = NETWORKS[name]
        kinds = {"real": specs.tensors, "one_hot": specs.one_hot, "binary": specs.binary}
        labels = self.network.labels
        shapes = {n: kinds[labels.get(n, "real")](shape) for n, shape in self.network.shapes.items()}
        arguments = list(inspect.signature(self.network.backward).parameters)
        self.loss = Loss(self.network.loss)
        self.space = space_of(self.network.loss, None, arguments, shapes)
        self.cases = list(self.space.guaranteed())
        self.truths = {}
        scale = PER_SAMPLE if self.network.scale == "sample" else MEAN
        right = self.formulas(self.network.backward)
        self.scales = dict.fromkeys(["dA1", "dZ1", "dA2", "dZ2", "dA3", "dZ3", "dZ"], scale)
        assert not right.count(self.cases, self.scales), name
        self.right = right

    def formulas(self, function) -> Formulas:
        found = Formulas(function, self.loss, self.space)
        found._truths = self.truths
        return found

    def keys(self, formulas: Formulas) -> list[tuple[int, str]]:
        return list(dict.fromkeys(step.key for step, _, _ in formulas.judged(self.cases[0], self.scales) if step.final))

    def problems(self, formulas: Formulas, names: tuple[str, ...] = ()) -> list[tuple[tuple[int, str], Problem]]:
        """The wrong lines among those with these names, or any, if there is none."""
        keys = self.keys(formulas)
        wanted = [key for key in keys if key[1] in names] or list(formulas.count(self.cases, self.scales))
        found = [(key, formulas.problem(key, self.cases, self.scales)) for key in wanted]
        return [(key, p) for key, p in found if p is not None and not all(e.right for e in p.examples)]


@cache
def bench(name: str) -> Bench:
    with np.errstate(all="ignore"):
        return Bench(name)


def applied(source: str, diagnosis: Diagnosis, problem: Problem) -> str:
    """The source with the fix in the place of what is to blame."""
    tree, fix = ast.parse(source), diagnosis.fix
    blamed = diagnosis.statement.lineno if diagnosis.statement is not None else problem.key[0]
    for parent in ast.walk(tree):
        for place, statement in enumerate(getattr(parent, "body", ()) if isinstance(parent, ast.stmt) else ()):
            if statement.lineno != blamed:
                continue
            if fix.startswith('"'):
                name, code = fix[1:].split('": ', 1)
                at = [key.value for key in statement.value.keys].index(name)
                statement.value.values[at] = ast.parse(code, mode="eval").body
            elif isinstance(statement, ast.For):
                statement.iter = ast.parse(f"{fix}\n    pass").body[0].iter
            else:
                new = ast.parse(fix).body[0]
                targets = getattr(statement, "targets", [])
                if targets and diagnosis.statement is None and len(targets) == 1 and isinstance(new, ast.Assign):
                    if problem.place:  # grads["dW1"] = …
                        new.targets = targets
                    elif isinstance(targets[0], ast.Tuple):
                        at = [part.id for part in targets[0].elts].index(diagnosis.line)
                        statement.value.elts[at] = new.value
                        new = statement
                parent.body[place] = new
    return ast.unparse(ast.fix_missing_locations(tree))


def repaired(found: Bench, mistake: Mistake, problem: Problem, diagnosis: Diagnosis) -> bool:
    """Whether the line is right once the text of the fix stands in the source."""
    if diagnosis.fix is None:
        return False
    source = inspect.getsource(catalogue.load(mistake))
    fixed = catalogue.define(applied(source, diagnosis, problem), found.network.backward, f"<fixed {mistake.id}>")
    return all(name != problem.name for _, name in found.formulas(fixed).count(found.cases[:1], found.scales))


@cache
def diagnosed(mistake: Mistake) -> list[tuple[tuple[int, str], Problem, Diagnosis, float]]:
    network = bench(mistake.network)
    second = (mistake.second[2],) if mistake.second else ()
    results = []
    for key, problem in network.problems(network.formulas(catalogue.load(mistake)), (mistake.line, *second)):
        start = time.process_time()
        found = diagnose(problem)
        bare = replace(problem, examples=[], statements=(), again=None, mended=None)
        results.append((key, bare, found, time.process_time() - start))
    return results


@pytest.mark.parametrize("name", NETWORKS)
def test_mistakes_are_repaired_and_named(name: str) -> None:
    found = bench(name)
    count = named = 0
    for mistake in MISTAKES:
        if mistake.network != name:
            continue
        for _, problem, diagnosis, _ in diagnosed(mistake):
            count += 1
            if diagnosis.fix is not None:
                assert repaired(found, mistake, problem, diagnosis), (mistake.id, diagnosis)
            if diagnosis.fix is not None and diagnosis.kind != "unknown":
                named += 1
                same = {mistake.kind, "double", "overflow", *SYNONYMS[mistake.kind]}
                assert diagnosis.kind in same, (mistake.id, mistake.kind, diagnosis)
    assert count >= 18
    assert named >= 0.9 * count, (named, count)


def test_nearly_all_of_the_catalogue_is_named() -> None:
    diagnoses = [row[2] for mistake in MISTAKES for row in diagnosed(mistake)]
    assert len(diagnoses) > 300
    assert sum(d.fix is not None and d.kind != "unknown" for d in diagnoses) >= 0.95 * len(diagnoses)


# --- properties -------------------------------------------------------------------------------------------------------


def right_problems(name: str) -> list[Problem]:
    """The lines of a network, which are right."""
    found = bench(name)
    problems = [found.right.problem(key, found.cases, found.scales) for key in found.keys(found.right)]
    return [p for p in problems if p is not None and not isinstance(p.expression, ast.Name)]


def spoiled(problem: Problem, tree: ast.expr) -> Problem:
    """The problem that a line poses when another tree stands in it."""
    fresh = ast.parse(ast.unparse(tree), mode="eval")
    examples = []
    for example in problem.examples:
        value, error = None, None
        try:
            value = eval(compile(fresh, "<spoiled>", "eval"), dict(example.space))
        except Exception as raised:
            error = raised
        examples.append(replace(example, value=value, error=error, right=error is None and agrees(value, example)))
    return replace(problem, expression=tree, examples=examples, statements=())


def agrees(value, example: Example) -> bool:
    if isinstance(example.true, int):
        return value is not NotImplemented and np.ndim(value) == 0 and bool(value == example.true)
    try:
        return equal(value, example.true)
    except (TypeError, ValueError):
        return False


def holds(fix: str, problem: Problem) -> bool:
    """Whether the text of a fix is right in every example whose values are in float64."""
    code = compile(ast.parse(fix.partition(" = ")[2], mode="eval"), "<fix>", "eval")
    with np.errstate(all="ignore"):
        return all(
            np.allclose(eval(code, dict(e.space)), e.true, rtol=1e-6, atol=1e-6 * np.max(np.abs(e.true), initial=0))
            for e in problem.examples
            if not desk.single(e.space) and np.isfinite(e.true).all()
        )


def random_mistakes(name: str, seed: int, count: int) -> list[Problem]:
    rng = random.Random(seed)
    found = []
    with np.errstate(all="ignore"):
        for problem in right_problems(name):
            found_edits = list(edits.edits(problem.expression, desk.Desk(problem)))
            wrong = (spoiled(problem, edit.tree) for edit in rng.sample(found_edits, min(len(found_edits), 4 * count)))
            clear = [p for p in wrong if sum(not e.right and not desk.single(e.space) for e in p.examples) >= 3]
            found += clear[:count]
    return found


@pytest.mark.parametrize("name", ["relu", "rows"])
def test_random_edits_are_repaired(name: str) -> None:
    problems = random_mistakes(name, seed=len(name), count=2)
    assert len(problems) >= 10
    fixes = [(p, diagnose(p)) for p in problems]
    assert all(d.line != p.name or holds(d.fix, p) for p, d in fixes if d.fix is not None)
    assert sum(d.fix is not None for _, d in fixes) >= 0.9 * len(problems)


def test_equivalent_lines_are_no_problems() -> None:
    for change in EQUIVALENTS:
        if change.id in ("relu/mask-ge",) or len(change.edits) > 1:
            continue  # another convention at 0; another scale
        found = bench(change.network)
        keys = found.formulas(catalogue.load(change)).count(found.cases[:4], found.scales)
        assert not keys or change.id == "relu/m-len", (change.id, keys)


def test_an_equivalent_of_the_whole_line_is_never_repaired_away() -> None:
    (problem,) = [p for p in right_problems("relu") if p.name == "dW2"]
    same = spoiled(problem, ast.parse("(A1 @ dZ2.T).T / m", mode="eval").body)
    assert all(e.right for e in same.examples if not desk.single(e.space))


# --- single diagnoses -------------------------------------------------------------------------------------------------


def told(network: str, name: str, code: str) -> Diagnosis:
    (problem,) = [p for p in right_problems(network) if p.name == name]
    return diagnose(spoiled(problem, ast.parse(code, mode="eval").body))


FIXED = "dW2 = dZ2 @ A1.T / m"
SENTENCES = [
    ("dW2", "dZ2 @ A1.T", "too big by exactly the factor m: the 1/m is missing", FIXED),
    ("dW2", "dZ2 @ A1.T / m / m", "too small by exactly the factor m: there is a factor 1 / m too much", FIXED),
    (
        *("dW2", "dZ2 @ A1.T / Y.shape[0]"),
        *("off by exactly the factor m / Y.shape[0]: Y.shape[0] stands where m belongs", FIXED),
    ),
    (
        *("dW2", "-(dZ2 @ A1.T)"),
        "the sign of dZ2 @ A1.T is wrong, and it is too big by exactly the factor m: the 1/m is missing",
        FIXED,
    ),
    ("dW2", "dZ2 @ A1.T / m + 0.1 * W2", "there is a term 0.1 * W2 too much", FIXED),
    ("dW2", "dZ2 @ A1 / m", "dZ2 (5×3) and A1 (7×3) do not fit: A1 is not transposed", FIXED),
    (
        *("dZ1", "W2.T @ dZ2", "this is dA1, not dZ1: the mask of ReLU, Z1 > 0, is missing"),
        "dZ1 = W2.T @ dZ2 * (Z1 > 0)",
    ),
    ("db2", "np.sum(dZ2, axis=1) / m", "keepdims=True is missing", "db2 = np.sum(dZ2, axis=1, keepdims=True) / m"),
    (
        *("db1", "np.sum(dZ2, axis=1, keepdims=True) / m", "this is db2, not db1: dZ2 stands where dZ1 belongs"),
        "db1 = np.sum(dZ1, axis=1, keepdims=True) / m",
    ),
    ("dW1", "sum(np.outer(dZ1[:, k], X[:, k]) for k in range(1, m)) / m", "1 stands where 0 belongs", None),
]


@pytest.mark.parametrize(("name", "code", "reason", "fix"), SENTENCES)
def test_sentences(name: str, code: str, reason: str, fix: str | None) -> None:
    diagnosis = told("relu", name, code)
    assert diagnosis.reason == reason
    assert fix is None or diagnosis.fix == fix


def test_silence_where_nothing_is_found() -> None:
    (problem,) = [p for p in right_problems("relu") if p.name == "dZ2"]
    unreadable = replace(
        problem,
        examples=[replace(e, space={"np": np, "W1": e.space["W1"]}) for e in problem.examples],
    )
    diagnosis = diagnose(spoiled(unreadable, ast.parse("W1", mode="eval").body))
    assert diagnosis.fix is None
    assert diagnosis.kind == "unknown"


# --- a diagnosis that is broken on purpose is noticed -----------------------------------------------------------------


def test_a_scale_law_that_looks_at_one_example_only_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(self, ratios):
        square = int(np.argmin(np.ptp(self.table[:20], axis=0)))
        constants = ratios[square] / self.table[:, square]
        return scale.Law(1.0, self.all[int(np.argmin(np.abs(constants - 1)))])

    monkeypatch.setattr(scale.Laws, "find", find)
    monkeypatch.setattr(repair, "holds", lambda tree, desk: True)
    assert told("relu", "dW2", "dZ2 @ A1.T").fix != "dW2 = dZ2 @ A1.T / m"


def test_a_repair_that_is_tried_on_one_example_only_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = desk.Desk.__init__

    def short(self, problem, statement=None):
        whole(self, replace(problem, examples=[e for e in problem.examples if not e.right][:1]), statement)

    monkeypatch.setattr(desk.Desk, "__init__", short)
    (problem,) = [p for p in right_problems("relu") if p.name == "dW2"]
    wrong = spoiled(problem, ast.parse("dZ2 @ A1.T", mode="eval").body)
    diagnosis = diagnose(wrong)
    assert diagnosis.fix is None or not holds(diagnosis.fix, wrong)


def main() -> None:
    print("network   lines  repaired  named  silent  median s   max s")
    for name in NETWORKS:
        rows = [(m, *r) for m in MISTAKES if m.network == name for r in diagnosed(m)]
        fixed = [r for r in rows if r[3].fix is not None and repaired(bench(name), r[0], r[2], r[3])]
        named = [r for r in fixed if r[3].kind != "unknown"]
        silent = [r for r in rows if r[3].fix is None]
        seconds = sorted(r[4] for r in rows)
        numbers = f"{len(rows):5}  {len(fixed):8}  {len(named):5}  {len(silent):6}"
        print(f"{name:8}  {numbers}  {seconds[len(seconds) // 2]:8.3f}  {seconds[-1]:6.2f}")
        for mistake, _, problem, diagnosis, _ in rows:
            if diagnosis.fix is None or diagnosis.kind == "unknown":
                print(f"    {mistake.id}: {problem.name} = {ast.unparse(problem.expression)}: {diagnosis.reason}")


if __name__ == "__main__":
    main()
