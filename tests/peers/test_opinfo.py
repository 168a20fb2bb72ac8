"""A sample of PyTorch's operator database, drawn afresh in each run: what differs stands in docs/conformance.md.

`TINYGRAD_LITE_OPINFO_SEED=123` draws the sample of a run before; `python -m tests.benchmarks.opinfo` runs all of it.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinygrad_lite as tl  # noqa: E402

from .opinfo import allowed  # noqa: E402
from .opinfo.judge import Verdict, judge  # noqa: E402
from .opinfo.samples import Case, cases, infos  # noqa: E402

SEED = int(os.environ.get("TINYGRAD_LITE_OPINFO_SEED", np.random.SeedSequence().entropy % 10**6))
ENTRIES, EACH = 60, 6  # entries of the database in a run, and cases of each
WRONG = ("differ", "crash", "refused")


def some(seed: int) -> list[tuple[Any, str, Case]]:
    """Draw entries of the database, and cases of any of their phases."""
    rng = np.random.default_rng(seed)
    drawn = []
    for info in rng.choice(np.array(infos(), object), ENTRIES, replace=False):
        phases = cases(info)
        phase = str(rng.choice(list(phases)))
        found = phases[phase]()
        drawn += [(info, phase, found[i]) for i in rng.permutation(len(found))[:EACH]]
    return drawn


def entry(name: str) -> Any:
    return next(info for info in infos() if info.name == name)


def test_what_differs_from_pytorch_is_written_down() -> None:
    wrong = [said for said in (judge(*sample) for sample in some(SEED)) if said.outcome in WRONG]
    again = f"TINYGRAD_LITE_OPINFO_SEED={SEED} draws this sample again"
    assert not wrong, "\n".join([again, *map(str, wrong)])


def test_each_sample_is_another_and_a_seed_repeats_it() -> None:
    shown = lambda seed: [(info.name, phase, str(case)) for info, phase, case in some(seed)]
    assert shown(1) == shown(1) != shown(2)


@pytest.mark.parametrize("row", sorted({entry.row for entry in allowed.ALLOWED}))
def test_what_is_allowed_points_to_one_row_of_the_page(row: str) -> None:
    assert len(allowed.lines(row)) == 1


def test_a_row_that_is_not_there_is_noticed() -> None:
    assert allowed.lines("`softplus` | never") == []


def outcomes(name: str, phase: str) -> set[str]:
    info = entry(name)
    return {judge(info, phase, case).outcome for case in cases(info)[phase]()}


def test_a_wrong_value_a_wrong_gradient_and_a_crash_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from .opinfo.judge import ADAPTERS

    def fails(x: Any) -> Any:
        raise AssertionError

    assert outcomes("exp", "samples") == {"agree"}
    for mutant, outcome in {
        (lambda x: tl.exp(x) * (1 + 1e-6)): "differ",
        (lambda x: tl.exp(x.detach()) + 0 * x): "differ",
        (lambda x: tl.exp(x).numpy()): "differ",
        fails: "crash",
    }.items():
        monkeypatch.setitem(ADAPTERS, "exp", mutant)
        assert outcome in outcomes("exp", "samples")


def test_a_difference_that_no_row_allows_is_no_more_than_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "allowed" in outcomes("sign", "special")
    monkeypatch.setattr(allowed, "ALLOWED", [entry for entry in allowed.ALLOWED if entry.row != "`sign` of NaN"])
    assert "differ" in outcomes("sign", "special")


def test_a_verdict_says_where_and_by_how_much() -> None:
    said = Verdict(
        "exp", "", "samples", Case((torch.ones(2),), {}), "differ", "value", places=["value[0]: ours 1, theirs 2"]
    )
    assert str(said) == "differ: exp (samples) of float32[2]: value\n    value[0]: ours 1, theirs 2"
