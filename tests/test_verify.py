"""Handwritten formulas against autodiff: right ones are never called wrong, and the wrong line is the one that is named."""

from __future__ import annotations

import functools
import inspect
import json
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from models import handwritten
from models.mnist_two_layer import TwoLayer
from tinygrad_lite import cli, verify
from tinygrad_lite.truth.cases import Case
from tinygrad_lite.truth.equal import Same, equal, same
from tinygrad_lite.truth.loss import Loss
from tinygrad_lite.verify import GradientMismatch, check, labels
from tinygrad_lite.verify.lines import Formulas

from . import catalogue
from .benchmarks.catalogue import report_on, shapes_of

ROOT = Path(__file__).parents[1]
SIX = ["dZ2", "dW2", "db2", "dZ1", "dW1", "db1"]


def changed(*edits: tuple[str, str]) -> Callable[..., Any]:
    """The handwritten backward pass of the notes with other text in it."""
    change = catalogue.Equivalent("test", "relu", edits, "")
    return catalogue.load(change)


def wrong(report: Any) -> set[str]:
    return {name for name, formula in report.formulas.items() if formula.verdict != "right"}


# --- what is right ----------------------------------------------------------------------------------------------------


def test_the_notes_formulas_are_right() -> None:
    report = verify.verify(handwritten.backward, TwoLayer)
    assert list(report.formulas) == SIX
    assert report.cases == 100
    assert "each sample's own loss" in report.scale
    assert "right in 100 cases" in str(report)
    assert bool(report)


@pytest.mark.parametrize("name", catalogue.NETWORKS)
def test_a_right_backward_pass_is_called_right(name: str) -> None:
    network = catalogue.NETWORKS[name]
    report = verify.verify(network.backward, network.loss, shapes_of(network), examples=60, raises=False)
    assert not wrong(report), str(report)
    assert network.scale != "mean" or "mean J" in report.scale


@pytest.mark.parametrize("change", catalogue.EQUIVALENTS, ids=lambda e: e.id)
def test_a_right_rewriting_is_called_right(change: Any) -> None:
    report = report_on(change)
    assert not wrong(report), str(report)


@given(
    st.sampled_from(sorted(catalogue.NETWORKS)), st.integers(0, 10**6), st.sampled_from([1e-3, 0.1, 1.0, 30.0, 1e3]),
    st.sampled_from([np.float32, np.float64]), st.booleans(),
)  # fmt: skip
@settings(max_examples=150)
def test_no_size_value_or_precision_makes_a_right_line_wrong(
    name: str, seed: int, scale: float, dtype: Any, kink: bool
) -> None:
    formulas = formulas_of(name)
    rng = np.random.default_rng(seed)
    sizes = {axis: int(rng.integers(2 if axis in formulas.space.classes else 1, 12)) for axis in formulas.space.names}
    case = Case(sizes, seed, scale, dtype, "on a kink" if kink else "drawn")
    found = formulas.judged(case, scales_of(name))
    assert found
    ignored = {"mask"}
    assert [step.name for step, _, ok in found if not ok and step.name not in ignored] == []


@functools.cache
def formulas_of(name: str) -> Formulas:
    network = catalogue.NETWORKS[name]
    loss = Loss(network.loss)
    space = check.space_of(loss.function, None, list(network.shapes), shapes_of(network))
    return Formulas(network.backward, loss, space)


@functools.cache
def scales_of(name: str) -> dict[str, str]:
    formulas = formulas_of(name)
    return formulas.scales(list(formulas.space.guaranteed())[:6])[0]


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_a_mutant_of_the_judge_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygrad_lite.verify.lines.equal", lambda *_: True)
    assert not wrong(verify.verify(changed(("1 / m * dZ2 @", "dZ2 @")), TwoLayer, examples=1, raises=False))


@pytest.mark.parametrize(
    ("edits", "line", "reason"),
    [
        ([("1 / m * dZ2 @", "dZ2 @")], "dW2", "1/m is missing"),
        ([("dZ2 = A2 - Y", "dZ2 = (A2 - Y) / m")], "dZ2", "scales are mixed"),
        ([("m = X.shape[1]", "m = X.shape[0]")], "m", ""),
        ([("dZ2 = A2 - Y", "dZ2 = Y - A2")], "dZ2", "wrong way round"),
    ],
)
def test_the_reason_and_the_fix(edits: Any, line: str, reason: str) -> None:
    report = verify.verify(changed(*edits), TwoLayer, examples=20, raises=False)
    assert wrong(report) == {line}
    formula = report.formulas[line]
    assert reason in formula.reason
    assert formula.fix is not None
    found = formula.counterexample
    assert found is not None
    assert not np.allclose(found.gives, found.expected)
    assert max(found.case.sizes.values()) <= 3
    assert f"{line} " in str(report)
    assert found.example in str(report)


def test_the_counterexample_is_a_case_that_fails_again() -> None:
    backward = changed(("1 / m * dZ2 @", "dZ2 @"))
    found = verify.verify(backward, TwoLayer, examples=1, raises=False).formulas["dW2"].counterexample
    arguments = found.arguments
    given_back = backward(**arguments)["dW2"]
    right = handwritten.backward(**arguments)["dW2"]
    assert not np.allclose(given_back, right)
    names: dict[str, Any] = {"example": example}
    again = eval(found.example.removeprefix("@"), names)(backward)
    report = verify.verify(again, TwoLayer, examples=1, raises=False)
    assert report.coverage["given"] == 1


def test_a_wrong_formula_raises_with_the_report() -> None:
    with pytest.raises(GradientMismatch, match="dW2  WRONG   too big by exactly the factor m"):
        verify.verify(changed(("1 / m * dZ2 @", "dZ2 @")), TwoLayer, examples=1)


# --- shapes, labels, names --------------------------------------------------------------------------------------------


def test_labels_are_recognised_in_the_loss() -> None:
    def loss(W: Any, X: Any, y: Any) -> Any:
        return tl.cross_entropy((W @ X).T, y)

    def backward(W: Any, X: Any, y: Any) -> Any:
        Z = W @ X
        E = np.exp(Z - Z.max(axis=0))
        return {"dW": (E / E.sum(axis=0) - np.eye(len(W))[:, y]) @ X.T / X.shape[1]}

    assert verify.verify(backward, loss, {"W": "c n", "X": "n m", "y": labels("m", "c")}).ok


def test_a_loss_with_other_names_for_inner_tensors_will_do() -> None:
    def loss(X: Any, Y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        return tl.softmax_cross_entropy(W2 @ tl.relu(W1 @ X + b1) + b2, Y, axis=0).mean()

    shapes = {"X": "n m", "Y": "c m", "W1": "h n", "b1": "h 1", "W2": "c h", "b2": "c 1"}
    report = verify.verify(handwritten.backward, loss, shapes)
    assert list(report.formulas) == SIX
    report = verify.verify(changed(("(Z1 > 0)", "(Z1 < 0)")), loss, shapes, examples=1, raises=False)
    assert wrong(report) == {"dZ1"}


def test_an_instance_keeps_its_parameters() -> None:
    net = TwoLayer(seed=3)
    before = net.state_dict()
    verify.verify(handwritten.backward, net, examples=1)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_another_choice_at_a_kink_is_a_convention() -> None:
    report = verify.verify(changed(("(Z1 > 0)", "(Z1 >= 0)")), TwoLayer, examples=1)
    assert any("convention" in note for note in report.notes)


def test_a_function_without_source_is_checked_by_its_results() -> None:
    names: dict[str, Any] = {}
    exec("def backward(W, X):\n    return {'dW': 2 * W * X}", names)
    linecache.clearcache()
    report = verify.verify(names["backward"], lambda W, X: (W * W * X).sum(), {"W": "n", "X": "n"}, examples=20)
    assert report.formulas["dW"].verdict == "right"
    exec("def backward(W, X):\n    return {'dW': W * X}", names)
    report = verify.verify(
        names["backward"], lambda W, X: (W * W * X).sum(), {"W": "n", "X": "n"}, examples=20, raises=False
    )
    assert wrong(report) == {"dW"}


# --- bad input --------------------------------------------------------------------------------------------------------


def bad(name: str, text: str) -> Any:
    return verify.verify(changed((name, text)), TwoLayer, examples=1, raises=False).formulas


@pytest.mark.parametrize(
    ("old", "new", "line", "verdict", "reason"),
    [
        ("dZ1 @ X.T", "dZ1 @ Q.T", "dW1", "error", "NameError"),
        ("1 / m * dZ1 @ X.T", "None", "dW1", "error", "gives NoneType"),
        ("1 / m * dZ1 @ X.T", "'no'", "dW1", "error", "gives str"),
        ("1 / m * dZ1 @ X.T", "np.nan * dZ1 @ X.T", "dW1", "wrong", ""),
        ("1 / m * dZ1 @ X.T", "(1 / m * dZ1 @ X.T).T", "dW1", "wrong", ""),
        ('"dW1": dW1, ', "", "dW1", "error", "is computed, but not returned"),
        ("dZ2 = A2 - Y", "Y -= A2; dZ2 = -Y", "Y", "error", "changed in place"),
        ("dZ1 @ X.T", "dZ1 @ X.T + np.random.rand()", "dW1", "error", "random"),
        ("cache = forward(X", "cache = forwards(X", "cache", "error", "NameError"),
    ],
)
def test_what_is_wrong_with_the_code_is_said_for_that_formula(
    old: str, new: str, line: str, verdict: str, reason: str
) -> None:
    found = bad(old, new)
    assert found[line].verdict == verdict
    assert reason in found[line].reason
    if line in SIX:
        assert found["dW2"].verdict == "right"


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda: verify.verify(3, TwoLayer), TypeError, "function of arrays, not 3"),
        (lambda: verify.verify(lambda Q: Q, TwoLayer), TypeError, "takes Q, but the loss knows only"),
        (lambda: verify.verify(handwritten.backward, 3), TypeError, "function of tensors or an nn.Module, not int"),
        (lambda: verify.verify(lambda W: W, lambda W: W.sum()), ValueError, "shape of W is told nowhere"),
        (lambda: verify.verify(lambda W: W, lambda W: W, {"W": "n"}), ValueError, "must be one number"),
        (lambda: verify.verify(lambda W: W, lambda W: W.sum(), {"W": "n!"}), ValueError, "neither a name nor a number"),
        (lambda: verify.verify(lambda W: W, lambda W: W.sum(), {"W": "n", "V": "n"}), ValueError, "shapes names V"),
    ],
)
def test_what_does_not_belong_together_is_refused(attempt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()


# --- nothing is right that was not judged -----------------------------------------------------------------------------

RETURN = 'return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dZ1": dZ1, "dW1": dW1, "db1": db1}'
NOT_RETURNED = "which does not hold the gradients; return {"
ENDINGS = {  # what stands at the end of a backward pass whose lines are right → what is said
    "return 'done'": f"return gives 'done' (str), {NOT_RETURNED}",
    "return {}": f"return gives {{}} (dict), {NOT_RETURNED}",
    "return 5": f"return gives 5 (int), {NOT_RETURNED}",
    "return True": f"return gives True (bool), {NOT_RETURNED}",
    "return [0, 0, 0, 0]": f"return gives [0, 0, 0, 0] (list), {NOT_RETURNED}",
    "return [None] * 4": f"return gives [None, None, None, None] (list), {NOT_RETURNED}",
    "return ['dW1', 'db1', 'dW2', 'db2']": NOT_RETURNED,
    "return np.array([None, 'x'], object)": NOT_RETURNED,
    "return iter([dW1, db1, dW2, db2])": "(list_iterator), which does not hold the gradients",
    "return lambda: dW1": "(function), which does not hold",
    "return {'loss': 1.0}": "is computed, but not returned",
    "return [[dW1, db1]]": NOT_RETURNED,
    "return [part for part in (dW2, db2, dW1, db1)]": "come without names, as those of W2, b2, W1, b1, and not in the order",
    "return": "nothing is returned",
    "pass": "nothing is returned",
    "return {'dW1': dW1}": "is computed, but not returned",
    "return dW1": "is computed, but not returned",
    "return {'dW1': dW1, 'db1': db1, 'dW2': dW1, 'db2': db2}": "dW2 ",
    "return {'dW1': dW1, 'db1': db1, 'dW2': dW2, 'db2': db2.ravel()}": "db2 ",
    "return {'dW1': dW1, 'db1': db1, 'dW2': dW2, 'db2': [[0]]}": "db2 ",
    "return {'dW1': dW1, 'db1': db1, 'dW2': dW2 * np.nan, 'db2': db2}": "dW2 ",
    "return {'dW1': W1, 'db1': b1, 'dW2': W2, 'db2': b2}": "dW1 ",
    "W1 -= dW1; return {'dW1': dW1, 'db1': db1, 'dW2': dW2, 'db2': db2}": "W1 is changed in place",
    "return {'dW1': dW1.astype(object), 'db1': db1, 'dW2': dW2, 'db2': db2}": "dW1 ",
}


@pytest.mark.parametrize("end", ENDINGS)
def test_what_is_returned_is_judged(end: str) -> None:
    report = verify.verify(changed((RETURN, end)), TwoLayer, examples=1, raises=False)
    assert not report.ok
    assert not report
    assert ENDINGS[end] in "; ".join(f"{f.name} {f.reason}" for f in report.formulas.values() if f.verdict != "right")
    with pytest.raises(GradientMismatch):
        report.raise_if_wrong()


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (
            "return dW2, db2, dW1, db1",
            "return  right: by their names; they come as W2, b2, W1, b1, and not in the order W1,",
        ),
        ("return [(dW1, db1), (dW2, db2)]", "as those of W1, b1, W2, b2, told by their values"),
        ("return dW1, db1, dW2, db2", "dW1, db1  right in 13 cases"),
        ("return [part for part in (dW1, db1, dW2, db2)]", "dW1, db1  right in 13 cases"),
        ("return {'more': 'done', 'dW1': dW1, 'db1': db1, 'dW2': dW2, 'db2': db2}", "dW1, db1  right in 13 cases"),
    ],
)
def test_gradients_that_are_told_by_name_or_value_are_right(end: str, said: str) -> None:
    report = verify.verify(changed((RETURN, end)), TwoLayer, examples=1, raises=False)
    assert report.ok, str(report)
    assert said in str(report)


def empty(W: Any, X: Any) -> Any:
    pass


def only_data(X: Any) -> Any:
    return {"doubled": 2 * X}


def unreached(W: Any, X: Any) -> Any:
    dW = None
    if X.shape[1] > 1000:
        dW = X.sum(axis=1)
    return {"dW": dW}


def linear(W: Any, X: Any) -> Any:
    dW = np.ones((1, X.shape[1])) @ X.T
    return {"dW": dW}


@pytest.mark.parametrize(
    ("backward", "loss", "said"),
    [
        (
            linear,
            lambda W, X: (W @ X).sum() * np.nan,
            "was not judged: its true value is NaN or infinite in all 13 cases",
        ),
        (
            linear,
            lambda W, X: (W @ X).sum() * np.inf,
            "was not judged: its true value is NaN or infinite in all 13 cases",
        ),
        (linear, lambda W, X: tl.exp(X).sum(), "nothing was judged"),
        (only_data, lambda X: (X * X).sum(), "nothing was judged"),
        (empty, lambda W, X: (W @ X).sum(), "nothing is returned"),
        (unreached, lambda W, X: (W @ X).sum(), "gives NoneType, not an array"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_could_not_be_judged_is_not_right(backward: Any, loss: Any, said: str) -> None:
    shapes = {"W": "1 n", "X": "n m"}
    shapes = {name: shape for name, shape in shapes.items() if name in inspect.signature(backward).parameters}
    report = verify.verify(backward, loss, shapes, examples=1, raises=False)
    assert not report.ok
    assert said in str(report)
    assert verify.verify(linear, lambda W, X: (W @ X).sum(), {"W": "1 n", "X": "n m"}, examples=1)


def yielding(W: Any, X: Any) -> Any:
    yield X


async def later(W: Any, X: Any) -> Any:
    return X


@pytest.mark.parametrize("backward", [yielding, later])
def test_a_function_that_returns_later_is_refused(backward: Any) -> None:
    with pytest.raises(TypeError, match="must return the gradients"):
        verify.verify(backward, lambda W, X: (W @ X).sum(), {"W": "1 n", "X": "n m"})


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_exits_with_1_on_a_wrong_formula(tmp_path: Path) -> None:
    model = str(ROOT / "models/mnist_two_layer.py")
    run = CliRunner().invoke(cli.main, ["verify", model, str(ROOT / "models/handwritten.py"), "--examples", "20"])
    assert run.exit_code == 0, run.output
    assert "dW2" in run.output
    source = inspect.getsource(handwritten).replace("1 / m * dZ2 @", "dZ2 @")
    (tmp_path / "mine.py").write_text(source)
    run = CliRunner().invoke(cli.main, ["verify", model, str(tmp_path / "mine.py"), "--json"])
    assert run.exit_code == 1
    rows = {row["name"]: row for row in json.loads(run.output)}
    assert list(rows) == SIX
    assert set(rows["dW2"]) == {"name", "verdict", "reason", "fix", "counterexample"}
    assert [name for name, row in rows.items() if row["verdict"] == "wrong"] == ["dW2"]
    run = CliRunner().invoke(cli.main, ["verify", model, str(tmp_path / "mine.py"), "--function", "back"])
    assert run.exit_code == 2
    assert "defines no function back, but backward" in run.output


# --- rounding ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(1, 30), st.floats(1e-3, 1e3))
def test_rounding_is_no_difference_and_a_per_mille_is(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = scale * rng.standard_normal((n, n)), rng.standard_normal((n, n))
    true = a @ b
    again = lambda disturb: disturb(a.astype(np.float32)) @ disturb(b.astype(np.float32))
    value = a.astype(np.float32) @ b.astype(np.float32)
    assert equal(value, true, again, np.float32)
    assert not equal(true * 1.001, true, lambda disturb: disturb(a * 1.001) @ disturb(b))


# --- loops over samples, results without names ------------------------------------------------------------------------


def tanh_loss(X: Any, y: Any, w: Any, b: Any) -> Any:
    z = X @ w + b
    a = tl.tanh(z)
    return ((a - y) ** 2).mean()


def sample_by_sample(X: Any, y: Any, w: Any, b: Any) -> Any:
    m, n = X.shape
    dw = np.zeros((n, 1))
    db = np.zeros((1, 1))
    for i in range(m):
        z = X[i : i + 1] @ w + b
        a = np.tanh(z)
        dz = 2 * (a - y[i : i + 1]) * (1 - a**2)
        dw += X[i : i + 1].T @ dz
        db += dz
    dw = dw / m
    db = db / m
    return dw, db


def returns_expressions(X: Any, y: Any, w: Any, b: Any) -> Any:
    a = np.tanh(X @ w + b)
    dz = 2 * (a - y) * (1 - a**2) / len(X)
    return X.T @ dz, dz.sum(axis=0, keepdims=True)


def returns_a_sign_error(X: Any, y: Any, w: Any, b: Any) -> Any:
    a = np.tanh(X @ w + b)
    dz = 2 * (a - y) * (1 - a**2) / len(X)
    return -X.T @ dz, dz.sum(axis=0, keepdims=True)


def returns_another_order(X: Any, y: Any, w: Any, b: Any) -> Any:
    a = np.tanh(X @ w + b)
    dz = 2 * (a - y) * (1 - a**2) / len(X)
    return dz.sum(axis=0, keepdims=True), X.T @ dz


def two_wrong_lines_that_cancel(X: Any, y: Any, w: Any, b: Any) -> Any:
    a = np.tanh(X @ w + b)
    dz = 2 * (y - a) * (1 - a**2) / len(X)
    return {"dw": -X.T @ dz, "db": -dz.sum(axis=0, keepdims=True)}


COLUMN = {"X": "m n", "y": "m 1", "w": "n 1", "b": "1 1"}


@pytest.mark.parametrize("backward", [sample_by_sample, returns_expressions, two_wrong_lines_that_cancel])
def test_what_is_right_at_the_end_is_not_called_wrong(backward: Any) -> None:
    report = verify.verify(backward, tanh_loss, COLUMN, examples=30, raises=False)
    assert not wrong(report), str(report)
    assert {"dw", "db"} <= set(report.formulas)


def test_what_is_returned_by_another_module_is_judged_as_a_whole() -> None:
    names: dict[str, Any] = {"np": np}
    exec(inspect.getsource(returns_expressions).replace("Any", "object"), names)
    other = names["returns_expressions"]

    def backward(X: Any, y: Any, w: Any, b: Any) -> Any:
        return other(X, y, w, b)

    def doubled(X: Any, y: Any, w: Any, b: Any) -> Any:
        return other(2 * X, y, w / 2, b)

    assert verify.verify(backward, tanh_loss, COLUMN, examples=20)
    report = verify.verify(doubled, tanh_loss, COLUMN, examples=20, raises=False)
    assert wrong(report) == {"dw"}


def test_an_expression_that_is_returned_is_a_line() -> None:
    report = verify.verify(returns_a_sign_error, tanh_loss, COLUMN, examples=20, raises=False)
    assert wrong(report) == {"dw"}
    assert "sign" in report.formulas["dw"].reason
    report = verify.verify(returns_another_order, tanh_loss, COLUMN, examples=20, raises=False)
    assert wrong(report) == {"dw", "db"}
    assert "return a dict" in report.formulas["dw"].reason


@pytest.mark.slow
def test_a_repair_holds_in_every_round_and_reads_no_results() -> None:
    def loss(X: Any, Y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        A1 = tl.tanh(X @ W1 + b1)
        return ((A1 @ W2 + b2 - Y) ** 2).mean()

    def backward(X: Any, Y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        Ws = [W1, W2]
        A = [X, np.tanh(X @ W1 + b1)]
        delta = 2 * (A[1] @ W2 + b2 - Y) / Y.size
        grads = {}
        for l in (2, 1):  # noqa: E741
            grads[f"dW{l}"] = A[l - 1].T @ delta
            grads[f"db{l}"] = delta.sum(axis=0)
            if l > 1:
                delta = delta @ Ws[l - 1].T * (1 - A[l - 1])
        return grads

    shapes = {"X": "m n", "Y": "m k", "W1": "n h", "b1": "1 h", "W2": "h k", "b2": "1 k"}
    report = verify.verify(backward, loss, shapes, examples=20, raises=False)
    fixes = {name: f.fix for name, f in report.formulas.items() if f.fix is not None}
    assert fixes["delta"] == "delta = delta @ Ws[l - 1].T * (1 - A[l - 1] ** 2)"
    assert fixes["db2"] == "db2 = delta.sum(axis=0, keepdims=True)"
    assert not any("grads[" in fix for fix in fixes.values())
    text = str(report)
    assert "A[l - 1] = " in text
    assert "delta gives" in text  # what it is the gradient of is told by what follows


def test_a_line_that_raises_is_never_left_out() -> None:
    def backward(X: Any, y: Any, w: Any, b: Any) -> Any:
        z = X @ w + b
        a = tanhh(z)  # type: ignore[name-defined]  # noqa: F821
        dz = 2 * (a - y) * (1 - a**2) / len(X)
        return {"dw": X.T @ dz, "db": dz.sum(axis=0, keepdims=True)}

    report = verify.verify(backward, tanh_loss, COLUMN, examples=20, raises=False)
    assert "tanhh" in report.formulas["a"].reason


def test_cases_without_a_finite_truth_are_not_counted() -> None:
    def loss(x: Any, w: Any) -> Any:
        return (tl.sqrt(w) * x).sum()

    def backward(x: Any, w: Any) -> Any:
        return {"dw": x / (2 * np.sqrt(w))}

    report = verify.verify(backward, loss, {"x": "n", "w": "n"}, examples=20)
    assert report.formulas["dw"].cases < report.cases
    assert "others have no finite true value" in str(report)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"shapes": "a b"}, TypeError, "shapes must be a dict"),
        ({"examples": "5"}, TypeError, "whole number"),
        ({"examples": 0}, ValueError, "1 or more"),
    ],
)
def test_what_verify_cannot_use_is_refused(more: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        verify.verify(handwritten.backward, TwoLayer, **more)


def test_a_method_is_refused() -> None:
    class Mine:
        def backward(self, X: Any, y: Any, w: Any, b: Any) -> Any:
            return {}

    with pytest.raises(TypeError, match="outside of the class"):
        verify.verify(Mine().backward, tanh_loss, COLUMN)
    with pytest.raises(TypeError, match="outside of the class"):
        verify.verify(Mine.backward, tanh_loss, COLUMN)


def test_gradcheck_says_what_to_give() -> None:
    with pytest.raises(TypeError, match="f must be a function"):
        verify.gradcheck(3, np.ones(2))
    with pytest.raises(TypeError, match="in the order of the arguments"):
        verify.check_vjp(lambda w, b: w * b, lambda g, w, b: {"w": g * b, "b": g * w}, np.ones(2), np.ones(2))


# --- names that tell nothing, helpers, what reaches the end -----------------------------------------------------------


def helper_loss(X: Any, Y: Any, W1: Any, b1: Any, W2: Any) -> Any:
    H = tl.leaky_relu(X @ W1 + b1, 0.1)
    return ((H @ W2 - Y) ** 2).sum() / (2 * X.shape[0])


def slope(v: Any) -> Any:
    d = np.ones_like(v)
    d[v < 0] = 0.1
    return d


def with_names_of_its_own(X: Any, Y: Any, W1: Any, b1: Any, W2: Any) -> Any:
    n_rows = len(X)
    u = X @ W1 + b1
    H = np.maximum(u, 0.1 * u)
    err = (H @ W2 - Y) / n_rows
    back = err @ W2.T
    back *= slope(u)
    result = {"W1": X.T @ back, "b1": back.sum(axis=0), "W2": H.T @ err}
    return result  # noqa: RET504


OWN_NAMES = {"X": "m n", "Y": "m k", "W1": "n h", "b1": "h", "W2": "h k"}


@pytest.mark.parametrize(
    ("old", "new", "blamed", "fix"),
    [
        ("", "", None, None),
        (" / n_rows", "", "err", "err = (H @ W2 - Y) / n_rows"),
        ("len(X)", "X.shape[1]", "n_rows", "n_rows = X.shape[0]"),
        ("err @ W2.T", "err @ W2", "back", "back = err @ W2.T"),
        ("slope(u)", "slope(err)", "back", None),
        ("slope(u)", "(u > 0)", "back", "back = back * slope(u)"),
        ('"b1": back.sum(axis=0)', '"b1": back', "b1", '"b1": np.sum(back, axis=0)'),
        ('"W2": H.T @ err', '"W2": u.T @ err', "W2", '"W2": H.T @ err'),
    ],
)
def test_names_that_tell_nothing_are_recognised_by_what_follows(old: str, new: str, blamed: Any, fix: Any) -> None:
    source = (
        inspect.getsource(slope) + "\n\n" + inspect.getsource(with_names_of_its_own).replace(old, new) if old else ""
    )
    backward = with_names_of_its_own if not old else define(source, "with_names_of_its_own")
    report = verify.verify(backward, helper_loss, OWN_NAMES, examples=1, raises=False)
    assert wrong(report) == ({blamed} if blamed else set()), str(report)
    assert fix is None or report.formulas[blamed].fix == fix


def define(source: str, name: str) -> Any:
    """A function from text, with source."""
    file = f"<{name} {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space: dict[str, Any] = {"np": np, "Any": Any}
    exec(compile(source, file, "exec"), space)
    return space[name]


@pytest.mark.parametrize("how", Same)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1e6, 1e-2]))
def test_values_are_the_same_up_to_their_tolerance(how: Same, seed: int, scale: float) -> None:
    true = scale * np.random.default_rng(seed).uniform(-1, 1, (2, 3))
    true[0, 0] = scale  # the largest
    for off in (0.9, -0.9, 1.1, -1.1):
        value = true.copy()
        value[1, 2] += off * how.value * scale
        assert same(value, true, how) == (abs(off) < 1)
    assert not same(true.T, true, how)
