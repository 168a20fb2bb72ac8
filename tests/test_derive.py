"""Derived equations: those of the notes stand as in the notes, and those of any network are true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import Phase, example, given, settings
from jaxtyping import Float, Int

import tinygrad_lite as tl
from models.mnist_two_layer import TwoLayer
from tinygrad_lite import Tensor, nn
from tinygrad_lite.cli import main
from tinygrad_lite.derive import derivation, derive, trace, write
from tinygrad_lite.derive.trace import _labels
from tinygrad_lite.derive.why import said
from tinygrad_lite.formula import factor, simplify
from tinygrad_lite.formula.expression import Apply, Expression, Setting, Size, evaluate, replaced
from tinygrad_lite.formula.rule import rule_of
from tinygrad_lite.formula.simplify import Term
from tinygrad_lite.graph import capture
from tinygrad_lite.modelfile import instantiate, load_model
from tinygrad_lite.modelgraph import Inputs
from tinygrad_lite.numeric.laws import call, draw
from tinygrad_lite.op import REGISTRY, unbroadcast

from .cases import case_of
from .networks import Network, networks

MODELS = sorted(p for p in (Path(__file__).parents[1] / "models").glob("*.py") if p.stem != "handwritten")
NOTES = """
    Z1 = W1 X + b1
    A1 = ReLU(Z1)
    Z2 = W2 A1 + b2
    A2 = softmax(Z2)
    J = −1/m Σ Y ⊙ log(A2)
    dZ2 = A2 − Y
    dW2 = 1/m dZ2 A1ᵀ
    db2 = 1/m Σ dZ2
    dZ1 = W2ᵀ dZ2 ⊙ ReLU'(Z1)
    dW1 = 1/m dZ1 Xᵀ
    db1 = 1/m Σ dZ1
    W1 := W1 − α dW1
    b1 := b1 − α db1
    W2 := W2 − α dW2
    b2 := b2 − α db2
"""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def written(derivation: Any) -> list[str]:
    equations = [*derivation.forward, *derivation.backward, *derivation.updates]
    return [f"{e.name} {e.sign} {write(e.tree)}" for e in equations]


# --- the notes --------------------------------------------------------------------------------------------------------


def test_the_network_of_the_notes_derives_to_what_stands_in_the_notes() -> None:
    assert written(derive(TwoLayer())) == lines(NOTES)


def test_on_the_scale_of_the_mean_1_over_m_stands_where_it_arises() -> None:
    assert written(derive(TwoLayer(), scale="mean"))[5:11] == lines("""
        dZ2 = (A2 − Y)/m
        dW2 = dZ2 A1ᵀ
        db2 = Σ dZ2
        dZ1 = W2ᵀ dZ2 ⊙ ReLU'(Z1)
        dW1 = dZ1 Xᵀ
        db1 = Σ dZ1
    """)


def test_every_line_has_its_shape_in_numbers_and_in_names() -> None:
    found = derive(TwoLayer())
    shapes = {e.name: ("×".join(e.shape), "×".join(e.sizes)) for e in [*found.forward, *found.backward]}
    assert shapes["Z1"] == ("10×m", "hidden×m")
    assert shapes["dW1"] == ("10×784", "hidden×inputs")
    assert shapes["db2"] == ("10×1", "classes×1")
    assert shapes["J"] == ("", "")


def test_latex_is_that_of_the_notes() -> None:
    text = derive(TwoLayer()).latex()
    assert (
        r"dW^{[2]} &= \frac{1}{m} dZ^{[2]} A^{[1]T} && (10 \times 10) && (\mathrm{classes} \times \mathrm{hidden}) \\"
        in text
    )
    assert (
        r"dZ^{[1]} &= W^{[2]T} dZ^{[2]} \odot \mathrm{ReLU}'(Z^{[1]}) && (10 \times m) && (\mathrm{hidden} \times m) \\"
        in text
    )
    assert (
        r"W^{[1]} &:= W^{[1]} - \alpha dW^{[1]} && (10 \times 784) && (\mathrm{hidden} \times \mathrm{inputs}) \\"
        in text
    )


def test_what_is_explained_names_the_rule_and_the_shapes() -> None:
    why = {e.name: e.why for e in derive(TwoLayer(), explain=True).backward}
    assert why["dW2"] == "product rule: times the other factor transposed; (10×m) (m×10) gives (10×10)"
    assert "ReLU'" in why["dZ1"]
    assert "(10×10) (10×m) ⊙ (10×m) gives (10×m)" in why["dZ1"]
    assert why["dW2"] in derive(TwoLayer(), explain=True).text()
    assert why["dW2"] not in derive(TwoLayer()).text()


# --- the law: the equations are true ----------------------------------------------------------------------------------


def value_of(tree: Expression, values: dict[str, Any]) -> Any:
    """Run a formula, with the sizes and the labels that stand in its parameters taken from the values, too."""

    def at_sizes(part: Expression) -> Expression | None:
        match part:
            case Apply(op, inputs, params):
                return Apply(op, inputs, tuple((name, own(value)) for name, value in params))
        return None

    def own(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(own, value))
        if isinstance(value, Setting) and value.name:
            return Setting(values[value.name.rstrip("ᵀ")].T if value.name[-1] == "ᵀ" else values[value.name])
        return length(str(value), values) if isinstance(value, Size) else value

    return evaluate(replaced(tree, at_sizes), values)


def length(text: str, values: dict[str, Any]) -> int:
    """Return what an extent such as 4m is."""
    match = re.fullmatch(r"(\d*)(\w*)", text)
    assert match is not None, text
    return int(match[1] or 1) * int(values[match[2]] if match[2] else 1)


def check_equations(network: Network, scale: Any, m: int = 5) -> None:
    """Run the equations in their order, and hold what they give against the model and its gradients."""
    net = network.model()
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((network.widths[0], m)), rng.random((network.widths[-1], m))
    if network.loss == "softmax":
        Y = np.eye(len(Y))[:, rng.integers(0, len(Y), m)]
    if network.rows:
        X, Y = X.T, Y.T
    J = net.loss(Tensor(X), Tensor(Y))
    own = dict(net.named_parameters())
    truth = {f"d{name}": g.numpy() for name, g in zip(own, tl.gradients(J, list(own.values())), strict=True)}
    sizes = {"m": m} | {f"n{i}": n for i, n in enumerate(network.widths)}
    values: dict[str, Any] = {"X": X, "Y": Y} | {name: np.asarray(float(n)) for name, n in sizes.items()}
    values |= {name: p.numpy() for name, p in own.items()}
    found = derive(net, scale)
    for equation in [*found.forward, *found.backward]:
        values[equation.name] = value_of(equation.tree, values)
        shape = tuple(sizes.get(n) or int(n) for n in equation.sizes)
        values[equation.name] = np.broadcast_to(values[equation.name], shape)
    np.testing.assert_allclose(values["J"], J.numpy(), rtol=1e-9)
    for name, true in truth.items():
        np.testing.assert_allclose(values[name], true, rtol=1e-7, atol=1e-9, err_msg=f"{name}\n{found}")


@settings(max_examples=60)
@given(networks())
@example(Network((3, 4, 2), ("relu", "relu"), "softmax"))
def test_the_equations_of_a_network_are_true(network: Network) -> None:
    check_equations(network, "notes")


@settings(max_examples=20)
@given(networks())
def test_so_they_are_on_the_scale_of_the_mean(network: Network) -> None:
    check_equations(network, "mean")


def parameter(*shape: int) -> Any:
    return nn.Parameter(np.random.default_rng(sum(shape)).standard_normal(shape))


class Recurrent(nn.Module):
    """Three steps with the same weights."""

    def __init__(self) -> None:
        self.U, self.V, self.b, self.W = parameter(5, 4), parameter(5, 5), parameter(5, 1), parameter(2, 5)

    def loss(self, X: Float[Tensor, "3 4 m"], Y: Float[Tensor, "2 m"]) -> Tensor:
        h = tl.tanh(self.U @ X[0] + self.b)
        for t in range(1, 3):
            h = tl.tanh(self.U @ X[t] + self.V @ h + self.b)
        return tl.mean(tl.softmax_cross_entropy(self.W @ h, Y, axis=0))


class Gated(nn.Module):
    """Two steps of an LSTM, from a state of zeros."""

    def __init__(self) -> None:
        self.W, self.b = parameter(12, 7), parameter(12, 1)

    def loss(self, X: Float[Tensor, "2 4 m"], Y: Float[Tensor, "3 m"]) -> Tensor:
        h: Any = np.zeros((3, X.shape[2]))
        c: Any = np.zeros((3, X.shape[2]))
        for t in range(2):
            z = self.W @ tl.concatenate([h, X[t]], axis=0) + self.b
            c = tl.sigmoid(z[3:6]) * c + tl.sigmoid(z[:3]) * tl.tanh(z[9:])
            h = tl.sigmoid(z[6:9]) * tl.tanh(c)
        return tl.mse(h, Y)


class Normed(nn.Module):
    """Residual, batch norm by hand with the same difference computed twice, tied weights, two terms of regularisation."""

    g: Float[Tensor, "n 1"]
    W: Float[Tensor, "n k"]

    def __init__(self) -> None:
        self.W, self.g = parameter(3, 4), parameter(3, 1)

    def loss(self, X: Float[Tensor, "k m"], Y: Float[Tensor, "n m"]) -> Tensor:
        Z = self.W @ X
        mu = tl.mean(Z, axis=1, keepdims=True)
        var = tl.mean((Z - mu) ** 2, axis=1, keepdims=True)
        N = self.g * (Z - mu) / tl.sqrt(var + 1e-5)
        R = X + self.W.T @ tl.relu(N)
        return tl.mean((R - X) ** 2) + tl.mse(N, Y) + 0.05 * tl.sum(self.W**2) + 0.1 * tl.sum(tl.abs(self.g))


class Layers(nn.Module):
    """Rows are samples; layer norm, a list and a dict of parameters, one that is frozen, one that is not used."""

    def __init__(self) -> None:
        self.net = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 3))
        self.rest: Any = {"W": parameter(3, 3), "list": [parameter(3), parameter(7)]}
        self.frozen = parameter(3, 3)
        self.frozen.requires_grad = False

    def loss(self, X: Float[Tensor, "m 4"], Y: Float[Tensor, "m 3"]) -> Tensor:
        X = self.net(X) @ self.rest["W"] + self.rest["list"][0]
        X = X @ self.frozen
        return tl.mean(tl.softmax_cross_entropy(X, Y, axis=1))


class Convolved(nn.Module):
    def __init__(self) -> None:
        self.conv, self.full = nn.Conv2d(1, 2, 3), nn.Linear(8, 3)

    def loss(self, X: Float[Tensor, "m 1 6 6"], Y: Float[Tensor, "m 3"]) -> Tensor:
        h = tl.avg_pool2d(tl.relu(self.conv(X)), 2)
        return tl.mse(self.full(tl.flatten(h, 1)), Y)


class Attentive(nn.Module):
    def __init__(self) -> None:
        self.bytes, self.attention = nn.Embedding(7, 8), nn.MultiHeadAttention(8, 2)

    def loss(self, X: Int[Tensor, "5 m"], Y: Float[Tensor, "m 5 8"]) -> Tensor:
        x = self.bytes(X.T)
        return tl.mse(self.attention(x, x, x), Y)


class Line(nn.Module):
    """Vectors and a number."""

    w: Float[Tensor, " d"]
    b: Float[Tensor, ""]

    def __init__(self) -> None:
        self.w, self.b = parameter(4), nn.Parameter(0.5)

    def loss(self, X: Float[Tensor, "m d"], y: Float[Tensor, " m"]) -> Tensor:
        r = X @ self.w + self.b - y
        return (r**2).sum() / (2 * len(y))


class Quadratic(nn.Module):
    A: Float[Tensor, "n n"]
    x: Float[Tensor, " n"]

    def __init__(self) -> None:
        self.A, self.x = parameter(4, 4), parameter(4)

    def loss(self) -> Tensor:
        return 0.5 * self.x @ self.A @ self.x + tl.huber(self.x, np.ones(4))


class Hinge(nn.Module):
    """Names in Greek, and of T1 and J, which would be taken for parts and for the loss."""

    def __init__(self) -> None:
        self.λ, self.T1, self.J = parameter(3, 4), parameter(2, 3), parameter(2, 1)

    def loss(self, X: Float[Tensor, "4 m"], Y: Float[Tensor, "2 m"]) -> Tensor:
        Z1 = self.T1 @ tl.softplus(self.λ @ X) + self.J
        return tl.mean(tl.maximum(0, 1 - Y * Z1))


ZOO = [Recurrent, Gated, Normed, Layers, Convolved, Attentive, Line, Quadratic, Hinge]


def check_model(net: nn.Module, scale: Any = "notes", m: int = 5) -> None:
    """Run the equations of a model in their order, on inputs of its annotations, and hold them against its gradients."""
    inputs = Inputs(net)
    made = inputs.made_up({inputs.samples or "": m})
    given = {name: x.numpy() for name, x in (made | _labels(capture(inputs.method, **made), made)).items()}
    own = {name: p for name, p in net.named_parameters() if p.requires_grad}
    for p in own.values():
        p._array = p.numpy().astype(np.float64)
    J = inputs.method(**given)
    sizes = {name: n for name, n in inputs.sizes.items() if not name.isdigit()} | {inputs.samples or "m": m}
    values: dict[str, Any] = {name: np.asarray(float(n)) for name, n in sizes.items()} | given
    found = derive(net, scale)
    short = {full: name for name, full in found._equations.parameters.items()}
    shapes = {e.name: [length(n, sizes) for n in e.shape] for e in [*found.forward, *found.backward, *found.updates]}
    for full, p in net.named_parameters():
        name = short.get(full, full)
        values[name] = p.numpy().reshape(shapes.get(name, p.shape))
    assert {short.get(name, name) for name in own} >= {e.name for e in found.updates}
    assert len({e.name for e in [*found.forward, *found.backward]}) == len([*found.forward, *found.backward])
    for e in [*found.forward, *found.backward]:
        value = value_of(e.tree, values)
        value = value.reshape(shapes[e.name]) if value.size == np.prod(shapes[e.name], dtype=int) else value
        values[e.name] = np.broadcast_to(value, shapes[e.name])
    np.testing.assert_allclose(values[found.forward[-1].name], J.numpy(), rtol=1e-6, err_msg=str(found))
    for (full, p), true in zip(own.items(), tl.gradients(J, list(own.values())), strict=True):
        name = f"d{short.get(full, full)}"
        if name in values or np.any(true.numpy()):
            np.testing.assert_allclose(
                values[name].reshape(p.shape), true.numpy(), 1e-5, 1e-7, err_msg=f"{name}\n{found}"
            )


@pytest.mark.parametrize("scale", ["notes", "mean"])
@pytest.mark.parametrize("model", ZOO)
def test_the_equations_of_other_models_are_true(model: Any, scale: Any) -> None:
    check_model(model(), scale)


WRONG_TREES: dict[str, tuple[Any, str, Any]] = {
    "what is computed twice has two gradients of one name": (trace, "merged", lambda graph: graph),
    "a column and a row are multiplied as two columns": (REGISTRY["mul"], "form", ""),
}


@pytest.mark.parametrize("mutant", WRONG_TREES)
def test_the_other_models_notice(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*WRONG_TREES[mutant])
    with pytest.raises((AssertionError, ValueError)):
        for model in ZOO:
            check_model(model())


MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "a factor taken out of what is not linear": (simplify, "_linear", lambda _op, inputs: list(range(inputs))),
    "a lost transpose": (simplify, "_turned", lambda tree: tree),
    "a lost broadcast": (simplify, "_bare", lambda t, *_: Term(t.factor, getattr(t.tree, "inputs", [t.tree])[0])),
    "an inner gradient on the other scale": (factor.Factor, "__truediv__", lambda self, _other: self),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_law_notices(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTANTS[mutant])
    one = settings(max_examples=60, database=None, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises((AssertionError, ValueError, TypeError, RuntimeError)):
        one(given(networks())(lambda network: check_equations(network, "notes")))()


# --- what is simplified -----------------------------------------------------------------------------------------------


class Loss(nn.Module):
    """One layer; what comes after it is an argument."""

    W: Float[Tensor, "n k"]
    b: Float[Tensor, "n 1"]

    def __init__(self, after: Any) -> None:
        self.W, self.b, self.after = parameter(3, 4), parameter(3, 1), after

    def loss(self, X: Float[Tensor, "k m"], Y: Float[Tensor, "n m"]) -> Tensor:
        Z = self.W @ X + self.b
        J: Tensor = self.after(Z, Y, X.shape[1])
        return J


def softmax_loss(A: Tensor, Y: Tensor, m: int) -> Tensor:
    return -(Y * tl.log(A)).sum() / m


def sigmoid_loss(A: Tensor, Y: Tensor, m: int) -> Tensor:
    return -tl.sum(Y * tl.log(A) + (1 - Y) * tl.log(1 - A)) / m


def exponentials(Z: Tensor) -> Tensor:
    E = tl.exp(Z)
    return E / E.sum(axis=0, keepdims=True)


WRITTEN_OUT = {
    "softmax": (lambda Z, Y, m: softmax_loss(tl.softmax(Z, axis=0), Y, m), "A ⊙ Σ Y − Y"),
    "softmax of exponentials": (lambda Z, Y, m: softmax_loss(exponentials(Z), Y, m), "A ⊙ Σ Y − Y"),
    "log of softmax": (lambda Z, Y, m: -(Y * tl.log_softmax(Z, axis=0)).sum() / m, "exp(T1) ⊙ Σ Y − Y"),
    "sigmoid": (lambda Z, Y, m: sigmoid_loss(tl.sigmoid(Z), Y, m), "A − Y"),
    "sigmoid of exponentials": (lambda Z, Y, m: sigmoid_loss(1 / (1 + tl.exp(-Z)), Y, m), "A − Y"),
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_a_cross_entropy_that_is_written_out_with_log_becomes_short(name: str) -> None:
    after, expected = WRITTEN_OUT[name]
    net = Loss(after)
    found = derive(net, explain=True)
    (dZ,) = (e for e in found.backward if e.name == "dZ")
    assert write(dZ.tree) == expected
    assert ("where Σ Y = 1, as for one-hot labels, this is" in dZ.why) == ("Σ" in expected)
    assert [e.name for e in found.backward] == ["dZ", "dW", "db"]
    check_model(net)


def test_a_quotient_that_gives_a_formula_its_shape_stays() -> None:
    def after(Z: Tensor, Y: Tensor, m: int) -> Tensor:
        A = tl.sigmoid(Z)
        return tl.sum(A / Z.sum(axis=0, keepdims=True) * A) / m

    check_model(Loss(after))


def test_the_samples_are_m_and_a_bias_is_a_column_where_nothing_is_annotated() -> None:
    net = nn.Sequential(nn.Linear(4, 6, axis=0), nn.ReLU(), nn.Linear(6, 2, axis=0), nn.Sigmoid())

    class Plain(nn.Module):
        def __init__(self) -> None:
            self.net = net

        def loss(self, X: Float[Tensor, "4 m"], Y: Float[Tensor, "2 m"]) -> Tensor:
            return sigmoid_loss(self.net(X), Y, X.shape[1])

    found = derive(Plain(), explain=True)
    assert written(found)[:8] == lines("""
        Z1 = W1 X + b1
        A1 = ReLU(Z1)
        Z2 = W2 A1 + b2
        A = σ(Z2)
        J = −1/m Σ (Y ⊙ log(A) + (1 − Y) ⊙ log(1 − A))
        dZ2 = A − Y
        dW2 = 1/m dZ2 A1ᵀ
        db2 = 1/m Σ dZ2
    """)
    assert found.forward[0].why == "(6×4) (4×m) + (6×1) gives (6×m)"
    assert next(e for e in found.backward if e.name == "db2").shape == ("2", "1")


class Square(nn.Module):
    """A hidden layer that has as many elements as there are classes."""

    inputs, classes = 5, 4

    def __init__(self) -> None:
        self.net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4))

    def loss(self, X: Float[Tensor, "m inputs"], Y: Float[Tensor, "m classes"]) -> Tensor:
        return tl.mse(self.net(X), Y)


def square() -> dict[str, tuple[str, ...]]:
    found = derive(Square())
    return {e.name: e.sizes for e in [*found.forward, *found.backward]}


def test_sizes_have_the_names_that_the_inputs_give_them_and_equal_numbers_are_told_apart() -> None:
    sizes = square()
    assert (sizes["Z1"], sizes["dW1"]) == (("m", "4"), ("4", "inputs"))
    assert (sizes["Z2"], sizes["dZ2"], sizes["dW2"]) == (("m", "classes"), ("m", "classes"), ("classes", "4"))


def test_a_mutant_that_names_sizes_by_their_number_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    by_number = {4: "classes", 5: "inputs", 23: "m"}
    named = lambda graph, _: [tuple(by_number.get(n, str(n)) for n in v.shape) for v in graph.vertices]
    monkeypatch.setattr(derivation, "sizes_by_name", named)
    assert square()["Z1"] != ("m", "4")


# --- every model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_model_derives_to_something_readable(path: Path) -> None:
    net = instantiate(load_model(path))
    before = {name: p.numpy().copy() for name, p in net.named_parameters()}
    found = derive(net, explain=True)
    names = [e.name for e in [*found.forward, *found.backward]]
    assert len(names) == len(set(names))
    assert {f"d{e.name}" for e in found.updates} <= set(names)
    assert max(len(write(e.tree)) for e in [*found.forward, *found.backward]) < 250
    assert all((p.numpy() == before[name]).all() and p.grad is None for name, p in net.named_parameters())


def test_layers_are_numbered_and_what_is_inline_gets_a_name() -> None:
    found = written(derive(instantiate(load_model(MODELS[[p.stem for p in MODELS].index("autoencoder")]))))
    assert found[:3] == ["Z1 = W1 X + b1", "H = ReLU(Z1)", "C = W2 H + b2"]
    assert "dC = W3ᵀ dZ2" in found
    assert "dZ3 = 2/784 ((R − Y) ⊙ R ⊙ (1 − R))" in found


def test_latex_is_balanced_and_html_needs_no_network() -> None:
    for path in MODELS:
        found = derive(instantiate(load_model(path)))
        for line in found.latex().splitlines():
            assert line.count("{") == line.count("}"), line
            assert re.search(r"\^\S*\{[^{}]*\}\^", line) is None, line  # a double superscript
        page = found.html()
        assert page.count("<math") == page.count("</math>") >= len(written(found))
        assert not re.search(r"(src|href)=|url\(|@import|<script", page)
        assert found._repr_html_() == page


class Custom(nn.Module):
    def __init__(self) -> None:
        self.w = nn.Parameter(np.ones((3, 1)))

    def loss(self, X: Float[Tensor, "3 m"]) -> Tensor:
        D = tl.cumprod(self.w * X, axis=0)
        return tl.mean(tl.atan(D))


RULES_WITHOUT_A_TEST = {  # formulas that need an axis of length 1 which is not written, or a constant without a name
    "det", "expand_dims", "logabsdet", "matmul", "prod", "cumprod", "softmax_cross_entropy", "tile", "trace",
}  # fmt: skip


def rule_holds(op: Any, seed: int, shape: tuple[int, ...]) -> bool:
    """Run the formula of an op's derivative, and hold it against the derivative; False where it cannot be run."""
    case = draw(op, case_of(op), seed, shape)
    y = call(op, case.inputs, case.params)
    params = {**op.defaults, **case.params}
    g = np.random.default_rng(seed).standard_normal(y.shape)
    held = False
    for k, x in enumerate(case.inputs):
        if np.asarray(x).dtype.kind != "f" or (op.vjps[k] if op.variadic or k < len(op.vjps) else None) is None:
            continue
        line = said(op, k, case.inputs, y.numpy(), params)
        assert " gives d" in line or line.startswith("the derivative of"), line
        formulas, names = rule_of(op, k, case.inputs, y.numpy(), params)
        own = next(iter(formulas))
        wanted = [Tensor(np.asarray(z), requires_grad=i == k) for i, z in enumerate(case.inputs)]
        (true,) = tl.gradients(call(op, wanted, case.params), [wanted[k]], Tensor(g))
        values = {**dict(zip(names, case.inputs, strict=True)), own: y.numpy(), f"d{own}": g}
        try:
            value = np.asarray(evaluate(formulas[f"d{names[k]}"], values))
            value = unbroadcast(value, true.shape) if value.size != true.size else value.reshape(true.shape)
        except (ValueError, KeyError, IndexError, AssertionError):
            continue
        np.testing.assert_allclose(value, true.numpy(), 1e-6, 1e-9, err_msg=line)
        held = True
    return held


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_op_has_a_line_that_tells_its_derivative_and_is_true(name: str) -> None:
    op = REGISTRY[name]
    if op.composed or not op.vjps or (not op.variadic and not any(op.vjps)):
        assert "other ops" in said(op, 0, [], None, {}) or "no gradient flows" in said(op, 0, [], None, {})
        return
    with np.errstate(all="ignore"):
        held = [rule_holds(op, seed, shape) for seed in range(4) for shape in [(2, 3), (3, 4)]]
    assert any(held) or name in RULES_WITHOUT_A_TEST


def test_a_mutant_of_a_rule_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplify, "_mul", lambda terms, *_: Term(terms[0].factor, terms[0].tree))
    monkeypatch.setitem(simplify.SPECIAL, "mul", simplify._mul)
    with pytest.raises(AssertionError):
        rule_holds(REGISTRY["sin"], 0, (2, 3))


def test_an_op_without_notation_of_its_own_falls_back_to_its_function_form() -> None:
    assert "D = cumprod(w ⊙ X)" in written(derive(Custom()))


# --- bad input --------------------------------------------------------------------------------------------------------


class NoLoss(nn.Module):
    def __init__(self) -> None:
        self.w = nn.Parameter([[1.0, 2.0]])

    def forward(self, X: Float[Tensor, "2 m"]) -> Tensor:
        return self.w @ X


class Constant(nn.Module):
    def loss(self, X: Float[Tensor, "2 m"]) -> Tensor:
        return tl.mean(X)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (TwoLayer, "takes a model, an instance of nn.Module"),
        (NoLoss(), r"NoLoss.forward must return one number .* write a method loss"),
        (Constant(), "depends on parameters, .* none that requires a gradient enters it"),
    ],
)
def test_what_has_no_backward_pass_is_refused(given_: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        derive(given_)


def test_another_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="scale must be 'notes'"):
        derive(TwoLayer(), scale="sum")  # type: ignore[arg-type]


# --- command line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["text", "latex", "markdown", "html"])
def test_the_command_prints_what_the_function_gives(format_: str) -> None:
    path = next(p for p in MODELS if p.stem == "mnist_two_layer")
    result = CliRunner().invoke(main, ["derive", str(path), "--format", format_, "--scale", "mean", "--explain"])
    assert result.exit_code == 0
    assert result.output == getattr(derive(TwoLayer(), "mean", explain=True), format_)()


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "from tinygrad_lite import nn\nclass Net(nn.Module):\n    def forward(self, X):\n        return X\n"
    )
    result = CliRunner().invoke(main, ["derive", str(file)])
    assert result.exit_code == 2
    assert 'net.py: the argument X of Net.forward has no shape; write X: Float[Tensor, "inputs m"]' in result.output


def test_tl_derive_is_found_and_loads_late() -> None:
    code = "import sys, tinygrad_lite as tl; assert 'tinygrad_lite.derive' not in sys.modules; tl.derive; print('ok')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120).stdout == "ok\n"
