"""The corpus is what it says: programs are right and their mistakes are mistakes; and no count of the scoreboard falls."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tl
from tests.benchmarks import page_scores, program_scores
from tests.benchmarks.page_scores import WORST, Page
from tests.benchmarks.program_scores import CORPUS, Answer, Program, imported
from tests.benchmarks.scoreboard import SCORERS, names_of, scored, stored, total, worse
from tinygrad_lite.notes.report import Row
from tinygrad_lite.verify import tensors

PROGRAMS = [
    Program(path.stem, path.parent)
    for folder in ("programs", "code")
    for path in sorted((CORPUS / folder).glob("*.json"))
    if path.with_suffix(".py").exists()
]


def drawn(program: Program) -> Iterator[dict[str, Any]]:
    """A few cases of the arguments, with distinct sizes."""
    shapes = {name: tensors(spec) if isinstance(spec, str) else spec for name, spec in program.shapes.items()}
    names = dict.fromkeys(axis for spec in shapes.values() for axis in (*spec.axes, spec.classes) if not axis.isdigit())
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sizes = dict(zip(names, rng.permutation([3, 4, 5, 6, 7]), strict=False))
        case = {}
        for name, spec in shapes.items():
            shape = spec.shape(sizes)
            if spec.kind == "labels":
                case[name] = rng.integers(0, sizes.get(spec.classes) or int(spec.classes), shape)
            elif spec.kind == "binary":
                case[name] = rng.integers(0, 2, shape).astype(float)
            elif spec.kind == "one_hot":
                axis = next(i for i, axis in enumerate(spec.axes) if axis not in ("m", "N"))
                hot = np.eye(shape[axis])[rng.integers(0, shape[axis], shape[1 - axis])]
                case[name] = hot if axis else hot.T
            else:
                case[name] = np.asarray(rng.standard_normal(shape))
        yield case


def returned(program: Program, source: str, case: dict[str, Any]) -> dict[str, Any]:
    """What the backward pass returns, by name."""
    with imported(source) as (module, _):
        found = getattr(module, program.info.get("backward", "backward"))(**{k: v.copy() for k, v in case.items()})
    return found if isinstance(found, dict) else dict(enumerate(found if isinstance(found, tuple) else (found,)))


def truth(program: Program, case: dict[str, Any]) -> dict[str, Any]:
    """The gradients of the loss with respect to its arguments, as dW1, …"""
    with imported(program.source) as (module, _):
        given = {k: tl.Tensor(v, requires_grad=True) if v.dtype == float else v for k, v in case.items()}
        J = getattr(module, program.info.get("loss", "loss"))(**given)
        asked = [k for k, v in given.items() if isinstance(v, tl.Tensor)]
        slopes = tl.gradients(J, [given[k] for k in asked])
    return {f"d{k}": slope.numpy() for k, slope in zip(asked, slopes, strict=True)}


def same(ours: Any, theirs: Any) -> bool:
    return np.shape(ours) == np.shape(theirs) and np.allclose(ours, theirs, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    "program", [p for p in PROGRAMS if not {"model", "by_hand"} & set(p.info)], ids=lambda program: program.name
)
def test_a_program_is_right_and_each_of_its_mistakes_is_one(program: Program) -> None:
    cases = list(drawn(program))
    ours = [returned(program, program.source, case) for case in cases]
    for case, found in zip(cases, ours, strict=True):
        slopes = truth(program, case)
        for name, value in found.items():
            among = [slopes[name]] if name in slopes else slopes.values()
            assert any(same(value, slope) for slope in among), name
    for mistake in program.info["mistakes"]:
        wrong, _ = program.planted(*mistake)
        assert any(differ(program, wrong, case, found) for case, found in zip(cases, ours, strict=True)), mistake


def differ(program: Program, source: str, case: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether something else is returned, or nothing at all."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = returned(program, source, case)
    except Exception:  # whatever NumPy raises
        return True
    return not all(name in found and same(value, found[name]) for name, value in right.items())


# --- the scoreboard ---------------------------------------------------------------------------------------------------

SAMPLE = {
    "pages": ["chain_in_one_line", "mse_regression", "octave_course", "people_bishop", "table_of_gradients"],
    "programs": ["logistic_regression", "multiclass_hinge"],
}


def fallen(corpus: str, names: list[str]) -> list[str]:
    """The counts of some names that are worse than those that are stored."""
    now, before = scored(corpus, names), stored()[corpus]
    return worse(total(now.values()), total(before[name] for name in names))


@pytest.mark.parametrize("corpus", SAMPLE)
def test_no_count_of_a_sample_is_worse(corpus: str) -> None:
    assert fallen(corpus, SAMPLE[corpus]) == []


EVERY = {"pages": 1, "code": 6}  # of all; the programs take half an hour, by the command, but for the sample


@pytest.mark.slow
@pytest.mark.parametrize("corpus", EVERY)
def test_no_count_is_worse(corpus: str) -> None:
    assert fallen(corpus, sorted(stored()[corpus])[:: EVERY[corpus]]) == []


@pytest.mark.parametrize("corpus", SCORERS)
def test_counts_are_of_what_lies_in_the_corpus(corpus: str) -> None:
    assert set(stored()[corpus]) <= set(names_of(corpus))
    assert len(stored()["pages"]) == len(names_of("pages"))


def test_a_count_that_is_worse_is_noticed() -> None:
    before = {"mistakes": 3, "noticed": 2, "alarms": 1}
    assert worse(before | {"noticed": 1}, before) == ["noticed: 1, was 2"]
    assert worse(before | {"alarms": 2}, before) == ["alarms: 2, was 1"]
    assert worse({"mistakes": 2, "noticed": 3, "alarms": 0}, before) == []


@pytest.mark.parametrize("page", [Page(name) for name in names_of("pages")], ids=lambda page: page.name)
def test_a_page_has_what_its_verdicts_and_mistakes_are_about(page: Page) -> None:
    assert set(page.info["rows"].values()) <= set(WORST)
    assert all(key in page.text for key in page.info["rows"] if re.search(r"[=\s]", key))
    assert all(page.planted(old, new)[0] != page.text for old, new in page.info["mistakes"])


def test_a_right_page_called_wrong_and_a_wrong_one_called_right_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, _, _ = page_scores.score("pages", "people_bishop")
    assert (counts["alarms"], counts["noticed"], counts["repaired"]) == (0, counts["mistakes"], counts["mistakes"])
    honest = page_scores.rows_of

    def turned(text: str) -> list[Row]:
        other = {"right": "wrong", "wrong": "right"}
        return [replace(row, verdict=other.get(row.verdict, row.verdict)) for row in honest(text)]

    monkeypatch.setattr(page_scores, "rows_of", turned)
    counts, _, _ = page_scores.score("pages", "people_bishop")
    assert counts["alarms"] == counts["rows"]
    assert counts["rightly"] == counts["blamed"] == 0


def test_another_line_that_is_blamed_is_not_the_line_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = program_scores.asked

    def shifted(program: Program, source: str) -> Answer:
        answer = honest(program, source)
        return replace(answer, wrong=[replace(blame, line=1) for blame in answer.wrong])

    monkeypatch.setattr(program_scores, "asked", shifted)
    counts, _, _ = program_scores.score("programs", "poisson_regression")
    assert counts["noticed"] == counts["mistakes"]
    assert counts["blamed"] == counts["repaired"] == 0
