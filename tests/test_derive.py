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
from jaxtyping import Float

import tinygrad_lite as tl
from models.mnist_two_layer import TwoLayer
from tinygrad_lite import Tensor, nn
from tinygrad_lite.cli import main
from tinygrad_lite.derive import derive, term, write
from tinygrad_lite.derive.expression import Apply, Expression, Name, Number
from tinygrad_lite.derive.term import Term
from tinygrad_lite.modelfile import instantiate, load_model
from tinygrad_lite.op import REGISTRY

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
    match tree:
        case Name(name):
            return values[name]
        case Number(number):
            return np.asarray(float(number))
        case Apply(op, inputs, params):
            made = [value_of(part, values) for part in inputs]
            return REGISTRY[op](*made, **dict(params)).numpy()
    raise AssertionError(tree)


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


MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "a factor taken out of what is not linear": (term, "_linear", lambda _op, inputs: list(range(inputs))),
    "a lost transpose": (term, "_turned", lambda tree: tree),
    "a lost broadcast": (term, "_bare", lambda t, *_: Term(t.factor, getattr(t.tree, "inputs", [t.tree])[0])),
    "an inner gradient on the other scale": (term.Factor, "__truediv__", lambda self, _other: self),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_law_notices(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTANTS[mutant])
    one = settings(max_examples=60, database=None, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises((AssertionError, ValueError, TypeError, RuntimeError)):
        one(given(networks())(lambda network: check_equations(network, "notes")))()


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
        (Constant(), "depends on parameters"),
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
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "ok\n"
