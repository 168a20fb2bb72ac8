"""Round trip: what is derived from a network is right when read as notes; with one mistake, that line alone is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tinygrad_lite.derive import layout
from tinygrad_lite.derive.derivation import Equation, Equations, equations
from tinygrad_lite.formula import simplify
from tinygrad_lite.formula.expression import Apply, Expression, Name, Number, parts_of, replaced, write
from tinygrad_lite.modelfile import load_model
from tinygrad_lite.notes import check
from tinygrad_lite.op import REGISTRY

from .networks import SHORT, Network, networks
from .test_derive import value_of

MODELS = Path(__file__).parents[1] / "models"
FORMATS = ["text", "latex", "markdown"]
NESTED = [HealthCheck.nested_given, HealthCheck.too_slow]  # verify draws its cases by hypothesis, too
GOOD = {"right", "definition"}


def derived(network: Network, scale: Any = "notes") -> Equations:
    return equations(network.model(), scale)


def wrong_rows(found: Equations, format_: str) -> dict[str, Any]:
    """Return the rows that are neither right nor definitions, by what they are of."""
    report = check(layout.FORMATS[format_](found))
    return {f"{row.name} {row.text}": row for row in report.rows if row.verdict not in GOOD}


@settings(max_examples=25, suppress_health_check=NESTED)
@given(networks(SHORT), st.sampled_from(FORMATS), st.sampled_from(["notes", "mean"]))
def test_what_is_derived_is_right(network: Network, format_: str, scale: Any) -> None:
    no_row_is_wrong(network, format_, scale)


def no_row_is_wrong(network: Network, format_: str, scale: Any) -> None:
    found = derived(network, scale)
    bad = wrong_rows(found, format_)
    assert not bad, "\n".join([layout.FORMATS[format_](found), *map(str, bad.values())])


# --- one mistake ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(path, marks=pytest.mark.slow if path.stem in ("char_transformer", "lenet") else (), id=path.stem)
        for path in sorted({*MODELS.glob("*.py")} - {MODELS / "handwritten.py"})
    ],
)
def test_nothing_of_a_model_beyond_the_notes_is_called_wrong(model: Path) -> None:
    """Convolutions and attention are not understood; what is assumed in their place makes no other line wrong."""
    rows = check(layout.text(equations(load_model(model)()))).rows
    assert not [row for row in rows if row.verdict == "wrong"]


def mistakes(tree: Expression, others: list[str]) -> Iterator[tuple[str, Expression]]:
    """Yield a tree with one mistake in it, in every way."""
    for part in parts_of(tree):
        match part:
            case Apply("transpose", (inner,)):
                yield "a lost transpose", replaced(tree, lambda p, part=part, inner=inner: inner if p == part else None)
            case Apply("add", (a, b)):
                yield (
                    "a sign",
                    replaced(tree, lambda p, part=part, a=a, b=b: Apply("sub", (a, b)) if p == part else None),
                )
            case Apply("sub", (a, b)):
                yield (
                    "a sign",
                    replaced(tree, lambda p, part=part, a=a, b=b: Apply("add", (a, b)) if p == part else None),
                )
            case Apply("mul", (Apply("div") | Number() | Name(scalar=True), b)):
                yield "a lost factor", replaced(tree, lambda p, part=part, b=b: b if p == part else None)
            case Apply("masked" | "mul" | "div", (a, _)) if not isinstance(a, Number):
                yield "a lost factor", replaced(tree, lambda p, part=part, a=a: a if p == part else None)
            case Name(text, scalar=False):
                for other in others:
                    if other != text:
                        new = Name(other)
                        yield "another name", replaced(tree, lambda p, part=part, new=new: new if p == part else None)
    yield "twice as much", Apply("add", (tree, tree))
    yield "a sign in front", Apply("neg", (tree,))


def truly_wrong(network: Network, found: Equations, before: Expression, tree: Expression) -> bool:
    """Whether an equation gives another value than before, or none, with sizes that are all different."""
    net = replace(network, widths=tuple(range(2, 2 + len(network.widths)))).model()
    rng = np.random.default_rng(3)
    m = 7
    X, Y = rng.standard_normal((2, m)), rng.random((1 + len(network.widths), m))
    if network.loss == "softmax":
        Y = np.eye(len(Y))[:, rng.integers(0, len(Y), m)]
    sizes = {"m": m} | {f"n{i}": 2 + i for i in range(len(network.widths))}
    values: dict[str, Any] = {"X": X.T if network.rows else X, "Y": Y.T if network.rows else Y, "α": np.asarray(0.1)}
    values |= {size: np.asarray(float(n)) for size, n in sizes.items()} | {
        n: p.numpy() for n, p in net.named_parameters()
    }
    for equation in [*found.forward, *found.backward]:
        values[equation.name] = value_of(equation.tree, values)
    try:
        new, old = value_of(tree, values), value_of(before, values)
    except ValueError:  # the shapes do not fit
        return True
    return new.shape != old.shape or not np.allclose(new, old)


@st.composite
def mistaken(draw: st.DrawFn) -> tuple[str, Network, Equations, Equation, str]:
    """Draw a network, its equations with one mistake in the backward pass or an update, and which one it is."""
    network = draw(networks(SHORT))
    found = derived(network)
    section = draw(st.sampled_from(["backward", "backward", "updates"]))
    lines: list[Equation] = getattr(found, section)
    i = draw(st.integers(0, len(lines) - 1))
    names = [e.name for e in [*found.forward[:-1], *found.backward] if e.name != lines[i].name]
    kind, tree = draw(st.sampled_from(list(mistakes(lines[i].tree, names))))
    assume(truly_wrong(network, found, lines[i].tree, tree))
    wrong = replace(lines[i], tree=tree)
    changed = replace(found, **{section: [*lines[:i], wrong, *lines[i + 1 :]]})
    return kind, network, changed, wrong, draw(st.sampled_from(FORMATS))


@settings(max_examples=40, suppress_health_check=NESTED)
@given(mistaken())
def test_one_mistake_is_the_only_wrong_line(case: tuple[str, Network, Equations, Equation, str]) -> None:
    only_that_row_is_wrong(case)


def only_that_row_is_wrong(case: tuple[str, Network, Equations, Equation, str]) -> None:
    kind, _, found, wrong, format_ = case
    bad = wrong_rows(found, format_)
    said = "\n".join([kind, wrong.name, write(wrong.tree), layout.FORMATS[format_](found), *map(str, bad.values())])
    assert [row.name for row in bad.values()] == [wrong.name], said
    assert all(row.verdict == "wrong" for row in bad.values()), said


def fails(law: Any) -> None:
    one = settings(max_examples=15, database=None, phases=[Phase.generate], suppress_health_check=NESTED)
    with pytest.raises(AssertionError):
        one(law)()


def test_a_mutant_of_the_derivation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplify, "_turned", lambda tree: tree)
    fails(given(networks(SHORT))(lambda network: no_row_is_wrong(network, "latex", "notes")))


def test_a_mutant_of_the_truth_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = layout.latex(derived(Network((3, 4, 2), ("tanh", "relu"), "softmax")))
    monkeypatch.setattr(REGISTRY["tanh"], "vjps", [lambda g, out, _x: g * (1 + out * out)])
    assert [row.name for row in check(text).rows if row.verdict == "wrong"] == ["dZ1"]
