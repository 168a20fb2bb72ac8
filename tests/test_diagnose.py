"""The diagnosis of wrong lines: a sample of the catalogue, random edits of right lines, and what is broken on purpose.

`python -m tests.benchmarks.catalogue` looks at the whole catalogue.
"""

from __future__ import annotations

import ast
import random
from dataclasses import replace

import numpy as np
import pytest

from tests import catalogue
from tests.benchmarks.catalogue import SAMPLE, bench, examine, repaired, unshrunk
from tests.catalogue import EQUIVALENTS, MISTAKES, NETWORKS
from tinygrad_lite.formula import factor
from tinygrad_lite.truth.equal import equal
from tinygrad_lite.verify import desk, edits, search
from tinygrad_lite.verify.problem import Diagnosis, Example, Problem
from tinygrad_lite.verify.words import diagnose

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


UNNAMED = {"bce/dA2-no-second"}  # put right, but not by an edit: the line is made anew


QUICK = {"linear"}  # of the rest some take 15 s


@pytest.mark.parametrize("network", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS])
def test_every_mistake_is_caught_and_named_in_the_right_line(network: str) -> None:
    with unshrunk():
        found = [examine(mistake) for mistake in SAMPLE if mistake.network == network]
    assert len(found) >= 6
    assert [f.mistake.id for f in found if not f.wrong] == []
    assert [(f.mistake.id, [w.name for w in f.wrong]) for f in found if not f.blamed] == []
    assert [(f.mistake.id, f.misnamed) for f in found if f.misnamed] == []
    assert {f.mistake.id for f in found if not f.named} <= UNNAMED


def test_the_sample_of_the_catalogue_is_large_and_diverse() -> None:
    assert len(SAMPLE) >= 100
    assert len(UNNAMED) <= 0.05 * len(SAMPLE)
    assert {mistake.network for mistake in SAMPLE} == set(NETWORKS)
    assert {mistake.kind for mistake in SAMPLE} == {mistake.kind for mistake in MISTAKES}


def test_a_repair_that_changes_nothing_is_noticed() -> None:
    with unshrunk():
        found = examine(MISTAKES[0])
    (formula,) = found.wrong
    assert repaired(found.mistake, formula)
    assert not repaired(found.mistake, replace(formula, fix=formula.text))


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


@pytest.mark.parametrize("name", [pytest.param("relu", marks=pytest.mark.slow), "rows"])
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
        return factor.Law(1.0, self.all[int(np.argmin(np.abs(constants - 1)))])

    monkeypatch.setattr(factor.Laws, "find", find)
    monkeypatch.setattr(search, "holds", lambda tree, desk: True)
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
