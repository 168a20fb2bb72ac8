"""Reading notes: spellings → trees, pages → items; random formulas come back from every spelling; nothing crashes."""

from __future__ import annotations

import ast
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.work import work
from tinygrad_lite import cli
from tinygrad_lite.formula.code import evaluate
from tinygrad_lite.formula.expression import Apply, Expression, Name, Number, write
from tinygrad_lite.notes import NotesError, check, grammar
from tinygrad_lite.notes.document import read
from tinygrad_lite.notes.grammar import NotUnderstood, parse
from tinygrad_lite.notes.statement import Item
from tinygrad_lite.notes.units import unfit
from tinygrad_lite.op import REGISTRY

NOTES = Path(__file__).parent / "notes"


def line(text: str) -> str:
    statement = parse(text)
    return " = ".join([statement.target, *map(write, statement.sides)]) + " (update)" * statement.update


def summary(item: Item) -> str:
    sizes = " ".join(f"{size.name + ':' if size.name else ''}{size.rows}×{size.columns}" for size in item.sizes)
    if item.statement:
        said = " = ".join([item.statement.target, *map(write, item.statement.sides)])
        said += " (update)" * item.statement.update
    else:
        said = "sizes" if item.kind == "sizes" else f"unclear, {item.reason}"
    return f"{said} | {sizes}" if sizes else said


SPELLINGS = {
    "dW2 = 1/m dZ2 A1ᵀ": r"""
        dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}
        dW^{[2]} &= \tfrac1m\, dZ^{[2]} \, A^{[1]^T}
        dW_2 = \frac{1}{m} dZ_2 A_1^T
        dW_{2} = \dfrac{1}{m} \, dZ_{2} {A_{1}}^{\top}
        dW^{(2)} = \frac1m dZ^{(2)} (A^{(1)})^\intercal
        dw^{[2]}_{10 \times 10} = \frac{1}{m} dz^{[2]}_{10 \times m} \cdot a^{[1] T}_{m \times 10}
        \frac{\partial J}{\partial W^{[2]}} = \frac{1}{m} \delta^{[2]} A^{[1]T}
        \frac{\partial \mathcal{L}}{\partial W_2} = \frac{1}{m} \delta_2 A_1^T
        \nabla_{W_2} J = \frac{1}{m} \delta_2 \mathbf{A}_1^\top
        \boldsymbol{\delta}W^{[2]} = \frac{1}{m} \delta z^{[2]} \mathbf{A}^{[1]\top}
        dW^2 = \frac{1}{m} dZ^2 A^{1T}
        dW2 = 1/m dZ2 A1^T
        dW2 = (1/m) * dZ2 @ A1.T
        dW2 = 1 / m * np.matmul(dZ2, A1.T)
        dW2 = 1/m * dZ2.dot(A1.T)
        dL/dW2 = 1/m dZ2 A1'
        ∂J/∂W2 = 1/m · δ2 · A1ᵀ
        dW₂ = 1/m · dZ₂ A₁ᵀ
        grad_W2 = 1/m delta2 A1T
        dW^[2] = 1/m dZ^[2] A^[1]T
        dW[2] = 1/m × dZ[2] × A[1].T
        dW^{[2]} = \frac{1}{m} \sum_{i=1}^m dz^{[2]}_i a^{[1] T}_i
        dW^{[2]} = \frac{1}{m} \sum_{i=1}^{m} dz^{[2](i)} a^{[1](i)T}
        grads["dW2"] = 1/m * dZ2 @ cache["A1"].T
        dW_2 = \frac{\partial J}{\partial W_2} = \frac{1}{m} dZ_2 A_1^T
        dW2 = 1/m * torch.matmul(dZ2, A1.transpose())
        dW<sup>[2]</sup> = <sup>1</sup>/<sub>m</sub> dZ<sub>2</sub> A<sup>[1]T</sup>
        dW⁽²⁾ = 1/m dZ⁽²⁾ A⁽¹⁾ᵀ
        ∇W₂ = 1/m δ₂ a₁ᵀ
        ΔW2 = 1/m ΔZ2 A1ᵀ
        1/m dZ2 A1ᵀ = dW2
        dJ/dW2 = dJ/dZ2 dZ2/dW2 = 1/m dZ2 A1^T
    """,
    "dW2 = (dZ2 A1ᵀ)/m": r"""
        dW2 = np.dot(dZ2, A1.T) / m
        dW_2 = \frac{dZ_2 A_1^T}{m}
        dW2 = dZ2 @ A1.T / m
        dW2 = dZ2 A1^T / m
    """,
    "db1 = 1/m Σ dZ1": r"""
        db^{[1]} = \frac{1}{m} \sum dZ^{[1]}
        db_1 = \frac{1}{m} \sum_{i=1}^{m} dz_1^{(i)}
        db^{[1]} = \frac{1}{m} \sum_{i=1}^m dz^{[1]}_{i \times 1}
        db1 = 1/m Σ dZ1
        db₁ = 1/m Σᵢ dZ₁
        db1 = 1/m * np.sum(dZ1, axis=1, keepdims=True)
        db1 = 1/m sum(dZ1, 2)
        db_1 = \frac{1}{m} dZ_1 \mathbf{1}
        db_1 = \frac{1}{m} \mathbf{1}^T dZ_1
        db1 = (1/m) * dZ1.sum(axis=1)
    """,
    "dZ1 = W2ᵀ dZ2 ⊙ g'(Z1)": r"""
        dZ^{[1]} = W^{[2]T} dZ^{[2]} * g'(Z^{[1]})
        dZ^{[1]} = W^{[2]T} dZ^{[2]} \odot g^{[1]\prime}(Z^{[1]})
        dz_1 = W_2^T \cdot dz_2 \circ g'\left( z_1 \right)
        dZ1 = W2.T @ dZ2 * g'(Z1)
        \delta^1 = W^{2T} \delta^2 \odot g'(Z^1)
        dZ1 = (W2^T dZ2) .* g'(Z1)
    """,
    "dZ1 = W2ᵀ dZ2 ⊙ ReLU'(Z1)": r"""
        dZ^{[1]} = W^{[2]T} dZ^{[2]} \odot \mathrm{ReLU}'(Z^{[1]})
        dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)
        dZ1 = W2^T dZ2 ∘ relu'(Z1)
        dZ1 = np.multiply(np.dot(W2.T, dZ2), drelu(Z1))
    """,
    "dZ1 = W2ᵀ dZ2 ⊙ (Z1 > 0)": r"""
        dZ^{[1]} = W^{[2]T} dZ^{[2]} \odot \mathbb{1}[Z^{[1]} > 0]
        dZ_1 = W_2^T dZ_2 \odot \mathbf{1}_{Z_1 > 0}
        dZ1 = W2.T @ dZ2 * (Z1 > 0)
        dZ1 = W2^T dZ2 ⊙ 1_{Z1>0}
        dZ1 = W2^T dZ2 * [Z1 > 0]
        dZ1 = W2^T dZ2 ⊙ 𝟙{Z1 > 0}
        dZ1 = W2.T @ dZ2 * 1[Z1>0]
        dZ1 = W2.T @ dZ2 * I(Z1 > 0)
        dZ1 = W2.T @ dZ2 * (Z1 > 0).astype(np.float32)
    """,
    "dZ1 = W2ᵀ dZ2 ⊙ where(Z1 > 0, 1, 0)": """
        dZ1 = W2.T @ dZ2 * (1 if Z1 > 0 else 0)
        dZ1 = W2.T @ dZ2 * np.where(Z1 > 0, 1, 0)
    """,
    "dW2 = 1 dZ2 A1ᵀ": "dW2 = 1 dZ2 A1^T\ndW2 = 1 * dZ2 @ A1.T",
    "A1 = max(0, Z1)": "A1 = np.maximum(0, Z1)\nA_1 = \\max\\{0, Z_1\\}",
    "dZ1 = dA1 ⊙ (1 − A1²)": r"""
        dZ^{[1]} = dA^{[1]} \odot (1 - (A^{[1]})^2)
        dZ1 = dA1 * (1 - np.power(A1, 2))
        dZ1 = dA1 ⊙ (1 − A1²)
        dZ1 = dA1 * (1 - A1**2)
        dZ^{[1]} = dA^{[1]} \odot (1 - A^{[1]2})
    """,
    "dZ1 = dA1 ⊙ (1 − tanh(Z1)²)": r"""
        dZ^{[1]} = dA^{[1]} \odot (1 - \tanh^2(Z^{[1]}))
        dZ^{[1]} = dA^{[1]} \odot (1 - \tanh^2 Z^{[1]})
    """,
    "A1 = g(Z1) = ReLU(Z1)": r"""
        A^{[1]} = g(Z^{[1]}) = \text{ReLU}(Z^{[1]})
        A_1 = g^{[1]}(Z_1) = \max(0, Z_1)
        a1 = g(z1) = relu(z1)
    """,
    "A2 = softmax(Z2)": r"""
        A^{[2]} = \operatorname{softmax}(Z^{[2]})
        A_2 = \text{SOFTMAX}(z_2)
        A2 = Softmax[Z2]
    """,
    "A1 = σ(Z1)": r"""
        A^{[1]} = \sigma(Z^{[1]})
        A1 = sigmoid(Z1)
        a_1 = σ(z_1)
        A_1 = \text{sigmoid} \left[ Z_1 \right]
    """,
    "Z1 = W1 X + b1": r"""
        Z^{[1]} = W^{[1]} X + b^{[1]}
        z_1 = W_1x + b_1
        Z1=W1X+b1
        Z1 = W1 @ X + B1
        Z^1 = W^1X + b^1
        Z1 = np.dot(W1, X) + b1
    """,
    "Z1 = X W1 + b1": r"""
        Z_1 = XW_1 + b_1
        Z1 = X @ W1 + b1
    """,
    "W1 = W1 − alpha dW1 (update)": r"""
        W^{[1]} := W^{[1]} - \alpha dW^{[1]}
        w^{[1]} = w^{[1]} - (\alpha) dw^{[1]}
        W_1 \leftarrow W_1 - \eta \frac{\partial J}{\partial W_1}
        W1 -= alpha * dW1
        W(1) = W(1) - α dW(1)
        W1 = W1 - learning_rate * dW1
        W1 ← W1 − lr · dW1
        W_{1,new}^{} = W_1 - \alpha dW_1
        ΔW₁ = −η ∇W₁
        params["W1"] = params["W1"] - lr * grads["dW1"]
    """,
    "J = −(1/m Σ Y log(A2))": r"""
        J = -\frac{1}{m} \sum Y \log A^{[2]}
        J = -1/m Σ Y log(A2)
        J(W, b) = -\frac{1}{m} \sum Y \ln(A_2)
        Loss = -1/m sum(Y log A2)
    """,
    "J = −(1/m Σ Y ⊙ log(A2))": r"""
        J = -\frac{1}{m} \sum_{i=1}^m \sum_{k=1}^{10} y_{k}^{(i)} \log a_{k}^{[2](i)}
        J = -(1/m) * np.sum(Y * np.log(A2))
        J = -\frac{1}{m} \sum_{i=1}^m y_i^T \log a_i^{[2]}
    """,
    "J = 1/(2 m) Σ (Yhat − Y)²": r"""
        J = \frac{1}{2m} \|\hat{Y} - Y\|^2
        J = \frac{1}{2m} \sum_{i=1}^m (\hat y^{(i)} - y^{(i)})^2
        J = 1/2m Σ (y_hat − y)²
        J = \frac{1}{2m} \lVert \hat{Y} - Y \rVert_F^2
    """,
    "dZ[l] = W[l+1]ᵀ dZ[l+1] ⊙ g'(Z[l])": r"""
        dZ^{[l]} = W^{[l+1]T} dZ^{[l+1]} \odot g^{[l]'}(Z^{[l]})
        \delta^{(l)} = (W^{(l+1)})^T \delta^{(l+1)} \circ g'(z^{(l)})
        \delta_l = W_{l+1}^T \delta_{l+1} \odot g'(z_l)
    """,
    "dW1 = 1/m dZ1 T": r"dw^{[1]} = \frac{1}{m} dz^{[1]} \times T",
    "ReLU(n) = where(n > 0, n, 0)": r"\text{ReLU}(n) = where(n > 0, n, 0)",
    "dZ2 = A2 − Y": r"""
        dZ2 = A2 - Y^{[2]}
        \delta_2 = a_2 - y
        dZ2 = A2 - one_hot_Y
        dZ2 = A2 - one_hot(Y)
        dZ_2 = A_2 - \text{one\_hot}(Y)
        dZ_2 = A_2 - Y_{\text{one-hot}}
        dZ2 = A2 - Y_hot
    """,
    "dZ1 = dZ2 W2ᵀ ⊙ H1 (1 − H1)": "dZ1 = (dZ2 W2^T) ⊙ h_1 (1 - h_1)",
    "L = −(Y log(Yhat) + (1 − Y) log(1 − Yhat))": r"""
        \mathcal{L}(\hat{y},y) = -\left(y\log\hat{y} + (1-y)\log(1-\hat{y})\right)
        L(ŷ, y) = −(y log ŷ + (1−y) log(1−ŷ))
    """,
    "Z1 = X W1 + b1 ": r"""
        Z_1 = XW_1 + \mathbf{1}b_1^T
        Z1 = XW1 + 1 b1^T
        Z1 = X W1 + b1 1^T
    """,
    "Z = X W + b": "z = Xw + b\nZ = XW + b\nz = X w + 1 b",
    "db1 = Σ dZ1": r"""
        db1 = 1^T dZ1
        db1 = dZ1 1
        db_1 = dZ_1^T \mathbf{1}
        db_1 = dZ_1\mathbf{1}
    """,
    "dZ2 = 2/(m k) (Z2 − Y)": "dZ_2 = \\frac{2}{mk}(Z_2 - Y)\ndZ2 = 2/(mk) (Z2 - Y)",
    "dZ1 = dA1 ⊙ (1 − tanh(Z1)²) ": "dZ_1 = dA_1 \\odot \\mathrm{sech}^2(Z_1)\ndZ1 = dA1 * sech(Z1)^2",
    "J = lambda/2 Σ W²": "J = \\frac{\\lambda}{2}\\|w\\|^2\nJ = λ/2 ||w||^2",
    "W1 = W1 + alpha dW1 (update)": "W1 <- W1 + lr dW1\nw_1 ← w_1 + η dw_1",
    "dZ = dH ⊙ H (1 − H)": "dz = dh * h (1 - h)\ndz = dh \\odot h(1-h)",
    "A1 = LeakyReLU(Z1, 0.1)": "A1 = leaky_relu(Z1, 0.1)\nA1 = LeakyReLU(Z1, 0.1)",
    "A1 = 1 / (1 + exp(−Z1))": "A_1 = \\frac{1}{1 + e^{-Z_1}}\nA1 = 1 / (1 + np.exp(-Z1))",
}  # fmt: skip


@pytest.mark.parametrize("canonical", SPELLINGS)
def test_every_spelling_of_a_formula_is_the_same_formula(canonical: str) -> None:
    for text in SPELLINGS[canonical].strip().split("\n"):
        found = line(text.strip())
        if canonical.startswith("A1 = g(Z1)"):
            found = found.replace("max(0, Z1)", "ReLU(Z1)")
        assert found == canonical.strip(), text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dW2 = 1/m dZ2 A1^", "expected"),
        ("dW2 = 1/m (dZ2 A1^T", "expected"),
        ("dW2 =", "found the end"),
        ("dW2 = 1/m foo(Z1)", "the word 'foo'"),
        ("W X = Z + b", "expected a name before '='"),
        (r"\frac{d}{dk} = \frac{1}{m} d Z^{(i)} A^{(i)} T", "expected a name before '='"),
        (r"dW^{e3} = 1 dZ \times 1", "is a layer meant"),
        (r"a^{[1]}_3 = z^{[1]}_3", "single entries"),
        (
            r"dZ_2 = 2 \frac{\partial J}{\partial A_2} \frac{\partial A_2}{\partial Z_2}",
            "only the chain rule is judged",
        ),
        ("a = " + "(" * 200 + "b" + ")" * 200, "longer"),
        ("a = " + "+".join(["b"] * 100), "deeper"),
        ("a = relu(b, c, d)", "relu takes 1 argument"),
        (r"a = W_{&?}", "subscript"),
        ("a = 12345678901234567890 b", "digits"),
    ],
)
def test_what_is_not_understood_says_why(text: str, reason: str) -> None:
    with pytest.raises(NotUnderstood, match=reason):
        parse(text)


@pytest.mark.parametrize(
    "number", ["10^{10^{12}}", "9^{9^{9^{9}}}", "(-8)^{0.5}", "1.5/0", "e^{10^{9}}", "0^{-1}", "\\log 0"]
)
@pytest.mark.parametrize("line", ["dW1 = {} dZ1 X^T", "dW1 = 1/m dZ1 X^T = {} = 4", "m = {} m = 1/2 {} m"])
def test_numbers_that_have_no_value_are_no_trouble(line: str, number: str) -> None:
    """Numbers of 10¹² digits were computed for hours, and others raised; a mutant of the reader would do so again."""
    report = check(
        f"Z1 = W1 X + b1, A1 = sigmoid(Z1)\n\ndZ1 = A1 - Y\n\n${line.replace('{}', number)}$\n\ndb1 = 1/m Σ dZ1"
    )
    assert [row.verdict for row in report.rows if row.name in ("dZ1", "db1")] == ["right", "right"]
    assert not any(row.verdict == "right" for row in report.rows if row.name == "dW1" and "= 4" not in row.text)


def test_powers_of_whole_numbers_are_exact_where_they_are_small_and_floats_where_not() -> None:
    def value(text: str) -> object:
        return evaluate(ast.parse(text, mode="eval").body, {}, {})

    assert value("2 ** 31 + 1") == 2**31 + 1
    assert value("10 ** 10 ** 12") == math.inf
    assert value("2 ** 100") == 2.0**100


def test_indices_that_do_not_fit_are_told_apart_from_those_that_do() -> None:
    assert unfit(parse(r"w_{ij} = x_i y_k")) == "its indices are i, k, and those of the left side i, j"
    assert not unfit(parse(r"w_{ij} = x_i y_j"))
    assert not unfit(parse(r"W = X Y"))


# Random formulas, written in four ways, come back with the same value.

NAMES = ["W1", "W2", "A1", "dZ1", "dZ2", "X", "Z1", "b1", "Y"]
SCALARS = ["m", "alpha"]


@st.composite
def expressions(draw: Any, depth: int = 3) -> Expression:
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return Name(draw(st.sampled_from(NAMES)))
    inner = expressions(depth=depth - 1)
    kind = draw(
        st.sampled_from(["matmul", "matmul", "mul", "add", "sub", "transpose", "scaled", "call", "sum", "pow", "neg"])
    )
    if kind in ("matmul", "mul", "add", "sub"):
        return Apply(kind, (draw(inner), draw(inner)))
    if kind == "transpose":
        return Apply(kind, (Name(draw(st.sampled_from(NAMES))),))
    if kind == "scaled":
        scalar = draw(st.sampled_from([Number(2), Name("alpha", True), Apply("div", (Number(1), Name("m", True)))]))
        return Apply("mul", (scalar, draw(inner)))
    if kind == "call":
        return Apply(draw(st.sampled_from(["relu", "sigmoid", "tanh", "relu'", "g", "g'"])), (draw(inner),))
    if kind == "pow":
        return Apply("pow", (draw(inner), Number(2)))
    return Apply(kind, (draw(inner),))


def python(tree: Expression) -> str:
    """Write a tree as a program, with every bracket."""
    match tree:
        case Name(text):
            return text
        case Number(value):
            return str(value)
        case Apply(op, inputs):
            parts = [python(part) for part in inputs]
            signs = {"mul": "*", "add": "+", "sub": "-", "matmul": "@", "div": "/", "pow": "**"}
            if op in signs:
                return f"({parts[0]} {signs[op]} {parts[1]})"
            if op == "transpose":
                return f"({parts[0]}).T"
            return f"(-({parts[0]}))" if op == "neg" else f"{'np.' * (op == 'sum')}{op}({parts[0]})"


def subscripts(tree: Expression) -> str:
    """Write a tree in LaTeX with the layers below, products by dots."""
    return re.sub(r"\^\{\[(\d)\](T?)\}", lambda m: f"_{m[1]}" + "^{T}" * bool(m[2]), write(tree, "latex"))


def value(tree: Expression) -> Any:
    """Compute a tree on random square matrices, so that every product fits."""
    match tree:
        case Name(text, scalar):
            rng = np.random.default_rng(sum(text.encode()))
            return rng.normal() if scalar else rng.normal(size=(3, 3))
        case Number(number):
            return float(number)
        case Apply(op, inputs):
            parts = [value(part) for part in inputs]
            if op in ("g", "g'", "relu'"):
                return np.cos(parts[0]) if op == "g" else np.sign(parts[0]) * (1 if op == "g'" else 2)
            if op == "sum":
                return np.mean(parts[0], axis=1, keepdims=True) + np.zeros((3, 3))  # Σ of Σ is read as one
            return REGISTRY[op].forward(*parts)


WRITERS: list[Callable[[Expression], str]] = [write, lambda tree: write(tree, "latex"), subscripts, python]


@settings(max_examples=200, deadline=None)
@given(expressions(), st.sampled_from(WRITERS))
def test_random_formulas_come_back_from_every_spelling(tree: Expression, writer: Callable[[Expression], str]) -> None:
    text = f"{writer(Name('dW1'))} = {writer(tree)}"
    statement = parse(text)
    assert statement.target == "dW1"
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(value(statement.sides[0]), value(tree), rtol=1e-6, atol=1e-9, err_msg=text)


# Pages.

EXPECTED = {
    "000_4d6339f334cf4a72": """
unclear, written-out matrices are not judged
sizes | 784×m
A0 = X | 784×m
Z1 = W1 A0 + b1
sizes | 10×m 10×784 784×m 10×1 10×m
A1 = g(Z1) = ReLU(Z1)
Z2 = W2 A1 + b2
sizes | 10×m 10×10 10×m 10×1 10×m
A2 = softmax(Z2)
dZ2 = A2 − Y
sizes | 10×m 10×m 10×m
dW2 = 1/m dZ2 A1ᵀ
db2 = 1/m Σ dZ2
sizes | 10×10 10×m m×10
sizes | 10×1 10×1
dZ1 = W2ᵀ dZ2 ⊙ g'(Z1)
dW1 = 1/m dZ1 Xᵀ
db1 = 1/m Σ dZ1
sizes | 10×m 10×10 10×m 10×m
sizes | 10×784 10×m m×784
sizes | 10×1 10×1
W1 = W1 − alpha dW1 (update)
b1 = b1 − alpha db1 (update)
W2 = W2 − alpha dW2 (update)
b2 = b2 − alpha db2 (update)
""",
    "001_ff5d747434836f5b": """
A0 = X | 784×m
unclear, a number bears no layer: 2 may be a badly scanned letter
sizes | 10×m 10×789 789×m
A[l] = g(Z[l]) = ReLU(Z[l])
Z = W A + b
sizes | 10×m 10×m 10×m 10×m
unclear, expected a name before '=', found 'D / dK'
unclear, expected a name before '=', found 'D / dK'
unclear, expected a name before '=', found 'D / dK' | 0×1
unclear, dW to the power E3: is a layer meant?
sizes | m×784
unclear, a factor of 1 says nothing: is 1/m meant?
""",
    "002_d2c3778f2b729360": """
sizes | 28×28
sizes | 28×28
unclear, written-out matrices are not judged
unclear, written-out matrices are not judged
A0 = X | 784×m
Z1 = W1 A0 + b1
unclear, it is said in words
sizes | 10×m 784×10 10×m
unclear, it is said in words
unclear, it is said in words
ReLU(n) = where(n > 0, n, 0)
A1 = ReLU(Z1)
softmax(n) = exp(Z) / Σ exp(Z)
A2 = softmax(Z2)
dZ2 = A2 − Y | 10×m
dW2 = 1/m dZ2 A1ᵀ | dW2:10×10 dZ2:10×m m×10
db2 = 1/m Σ dZ2 | db2:10×1 dZ2:10×1
dZ1 = W2ᵀ dZ2 g'(dZ2) | 10×10 dZ2:10×m 10×m 10×m
ReLU(n) = where(n > 0, n, 0)
A1 = ReLU(Z1)
softmax(n) = exp(Z) / Σ exp(Z)
A2 = softmax(Z2)
dW1 = 1/m dZ1 Xᵀ
db1 = 1/m Σ dZ1
W1 = W1 − alpha dW1 (update)
b1 = b1 − alpha db1 (update)
W2 = W2 − alpha dW2 (update)
b2 = b2 − alpha db2 (update)
""",
    "003_eb06faf779fd018c": """
sizes | 28×28
unclear, written-out matrices are not judged
sizes | 28×28
unclear, the left side is missing
A0 = X | 284×m
unclear, it goes on in line 15, and is judged there
Z1 = W1 A0 + b1
A1 = g(Z1) = ReLU(Z1)
sizes | 10×m 10×284 284×m 10×1
unclear, there is no equals sign: nothing to hold it against
Z2 = W2 A1 + b2
sizes | 10×m 0×10 0×m 10×1 10×m
A2 = softmax(Z2)
unclear, there is no equals sign: nothing to hold it against
dZ2 = A2 − Y
sizes | 10×m 10×m 10×m
unclear, written-out matrices are not judged
dW2 = 1/m dZ2 A1ᵀ
sizes | 10×10 10×m m×10
dW2 = 1/m Σ dZ2
sizes | 10×1 10×1
dZ1 = W2ᵀ dZ2 ⊙ g'(Z1)
sizes | 10×m 10×10 10×m 10×m
dW2 = 1/m dZ2 Xᵀ
sizes | 10×784 10×m m×784
db2 = 1/m Σ dZ2
sizes | 10×1 10×1
alpha = alpha
W2 = W1 − alpha dW2 (update)
b2 = b1 − alpha db2 (update)
W2 = W2 − alpha dW2 (update)
b2 = b2 − alpha db2 (update)
""",
    "004_7dd90610d3fc416b": """
A1 = g(F1) = ReLU(F1)
ReLU(X) = where(X > 0, X, 0)
Z2 = W2 A1 + b2
sizes | 10×10 10×10 10×10 10×1 10×10
A2 = softmax(Z2)
unclear, there is no equals sign: nothing to hold it against
dZ2 = A2 − Y
sizes | 10×m 10×m 10×m
dW2 = 1/m dZ2 A1ᵀ
sizes | 10×10 10×m m×10
db2 = 1/m Σ dZ2
sizes | 10×1 10×1
dZ1 = W2ᵀ dZ2 ⊙ g'(Z)
sizes | 10×m 10×10 10×m
dW1 = 1/m dZ1 T
db2 = 1/m Σ dZ1
W1 = W1 − alpha dW1 (update)
b1 = b1 − alpha db1 (update)
W2 = W2 − alpha dW2 (update)
b2 = b2 − alpha db2 (update)
""",
}


@pytest.mark.parametrize("stem", EXPECTED)
def test_the_five_notes(stem: str) -> None:
    items = read((NOTES / f"{stem}.md").read_text(encoding="utf-8"))
    assert [summary(item) for item in items] == EXPECTED[stem].strip().split("\n")


PAGES = [
    ("Plain words: m = number of samples, and so on.", []),
    ("0 = no chance at all\nNote = without activation it is linear", []),
    ("28 × 28 pixels = 784 pixels. The learning rate ≈ 0.01; the digits are 0, 1, 2, … 9", []),
    ("1. dZ2 = A2 - Y\n2) so `dW2 = 1/m dZ2 A1^T`.", ["dZ2 = A2 − Y", "dW2 = 1/m dZ2 A1ᵀ"]),
    ("Step 1: Z1 = W1 X + b1 (10×m), A1 = ReLU(Z1) → hidden", ["Z1 = W1 X + b1 | 10×m", "A1 = ReLU(Z1)"]),
    ("$$Z_1 = W_1 X + b_1 \\quad (10 \\times m) \\dots (ii)$$", ["Z1 = W1 X + b1 | 10×m"]),
    ("\\begin{align}\nZ_1 &= W_1 X \\\\\nA_1 &= g(Z_1)\n\\end{align}", ["Z1 = W1 X", "A1 = g(Z1)"]),
    ("\\[ \\begin{cases} dZ_2 = A_2 - Y \\\\ db_2 = dZ_2 \\end{cases} \\]", ["dZ2 = A2 − Y", "db2 = dZ2"]),
    ("\\(dZ_2 = A_2 - Y\\) and \\[ \\boxed{db_2 = \\sum dZ_2} \\tag{3} \\]", ["dZ2 = A2 − Y", "db2 = Σ dZ2"]),
    ("$Z_1$ = $W_1 X$", ["Z1 = W1 X"]),
    ("$$g(Z_1) =$$\n\n$$\\text{ReLU}(Z_1)$$", ["g(Z1) = ReLU(Z1)"]),
    ("dW2 = 1/m dZ2 A1^T\n    = 1/m (A2 - Y) A1^T", ["dW2 = 1/m dZ2 A1ᵀ = 1/m (A2 − Y) A1ᵀ"]),
    ("| step | formula |\n|---|---|\n| 1 | dW1 = 1/m dZ1 X^T |", ["dW1 = 1/m dZ1 Xᵀ"]),
    (
        "```python\nm = X.shape[1]\ndb1 = np.sum(dZ1, axis=1) / m  # (10, 1)\nprint('x=1')\n```",
        ["db1 = (Σ dZ1)/m | 10×1"],
    ),
    (
        "$$\\begin{array}{ll} dZ_2 = A_2 - Y & 10 \\times m \\\\ db_2 = dZ_2 & 10 \\times 1 \\end{array}$$",
        ["dZ2 = A2 − Y | 10×m", "db2 = dZ2 | 10×1"],
    ),
    ("**dZ2 = A2 - Y**", ["dZ2 = A2 − Y"]),
    ("10x10 10x10 10x1 = 10x10", ["sizes | 10×10 10×10 10×1 10×10"]),
    ("10\t10\nx\tx\nm\t784", ["sizes | 10×m 10×784"]),
    ("W1: 10×784", ["sizes | W1:10×784"]),
    ("$W_1 \\in \\mathbb{R}^{10 \\times 784}$", ["sizes | W1:10×784"]),
    ("$X = \\begin{bmatrix} 1 & 2 \\end{bmatrix}$", ["unclear, written-out matrices are not judged"]),
    ("db2 = 1/m Σ dZ2    (128)    (hidden)", ["db2 = 1/m Σ dZ2 | 128×1"]),
    (
        "\\begin{align*}\ndb_2 &= \\sum dZ_2 && (128) \\\\\nb_2 &:= b_2 && (128)\n\\end{align*}",
        ["db2 = Σ dZ2 | 128×1", "b2 = b2 | 128×1"],
    ),
    ("$$db_2 = \\sum dZ_2 \\qquad (10)$$", ["db2 = Σ dZ2 | 10×1"]),
    ("Z1 = X W1 + b1   (1)\n\ndb1 = Σ dZ1   (2)", ["Z1 = X W1 + b1", "db1 = Σ dZ1"]),
    ("- **Hidden layer:** $Z_1 = X W_1$; so `A1 = g(Z1)`", ["Z1 = X W1", "A1 = g(Z1)"]),
    ("On a dW1 = dZ1 Xᵀ où m est le nombre, wobei dZ2 = A2 − Y", ["dW1 = dZ1 Xᵀ", "dZ2 = A2 − Y"]),
    ("dZ2 = A2 − Y => dW2 = dZ2 A1ᵀ  // the gradient", ["dZ2 = A2 − Y", "dW2 = dZ2 A1ᵀ"]),
    ("loss = -np.sum(Y * np.log(A2))", ["J = −Σ Y ⊙ log(A2)"]),
    ("self.W1 -= self.lr * dW1", ["W1 = W1 − alpha dW1 (update)"]),
    ("$$W^{[l]} := W^{[l]} - \\alpha dW^{[l]} \\text{ for } l = 1, 2$$", ["W[l] = W[l] − alpha dW[l] (update)"]),
    ("<p>Z<sub>1</sub> = W<sub>1</sub>X, A<sub>1</sub> = g&prime;(Z<sub>1</sub>)</p>", ["Z1 = W1 X", "A1 = g'(Z1)"]),
    ("z = Xw + b\n$z = Xw + b$", ["Z = X W + b"] * 2),
    ("dW2 = 1/m hidden^T dout", ["unclear, the word 'hidden' is not known here"]),
    ("dW2 = X^T dout", ["unclear, the word 'dout' is not known here"]),
    ("$$dW_2 = X^T d\\text{out}$$", ["unclear, the word 'out' is not known here"]),
    ("h = tanh(X W1)\ndW2 = h (p - y)", ["H = tanh(X W1)", "dW2 = H (P − Y)"]),
    ("h(z) = max(0, z)\nA1 = h(Z1)", ["h(Z) = max(0, Z)", "A1 = h(Z1)"]),
    ("dW2 = dZ2 * mask", ["unclear, the word 'mask' is not known here"]),
    ("error = prediction - target", ["unclear, the word 'error' is not known here"]),
    ("accuracy = correct / total, as measured", ["unclear, the word 'accuracy' is not known here"]),
    ("batch size = 64, epochs = 10; width * height = 28 * 28; the error = what is left - not much", []),
    ("the loss = our measure of error", []),
    (
        "The hidden layer: hidden = tanh(X W1 + b1)\nscores = hidden W2 + b2\np = softmax(scores)\ndscores = p - Y\n"
        "dW2 = 1/m hidden^T dscores\ndelta_hidden = dscores W2^T\ndz1 = dhidden * (1 - hidden^2)\nhidden: 20 × 30",
        [
            "hidden = tanh(X W1 + b1)",
            "scores = hidden W2 + b2",
            "P = softmax(scores)",
            "dscores = P − Y",
            "dW2 = 1/m hiddenᵀ dscores",
            "dhidden = dscores W2ᵀ",
            "dZ1 = dhidden ⊙ (1 − hidden²)",
            "sizes | hidden:20×30",
        ],
    ),
    (
        "$$\\text{out} = W_2 h + b_2, d\\text{out} = \\mathrm{out} - y, dW_2 = d\\text{out}\\, h^\\top$$",
        ["out = W2 H + b2", "dout = out − Y", "dW2 = dout Hᵀ"],
    ),
    ("Z1 = W1 X + b1  A1 = ReLU(Z1)\tdZ1 = dA1", ["Z1 = W1 X + b1", "A1 = ReLU(Z1)", "dZ1 = dA1"]),
    ("Update: w <- w - lr dw, b1 <- b1 - lr db1", ["W = W − alpha dW (update)", "b1 = b1 − alpha db1 (update)"]),
    ("where $W_1 ∈ ℝ^{64×784}$ is the matrix, and $b \\in \\mathbb{R}^{64}$ its bias", ["sizes | W1:64×784 b:64×1"]),
    ("dW1 = the gradient of W1", ["unclear, it is said in words"]),
    ("dW1 = foo(dZ1)", ["unclear, the word 'foo' is not known here"]),
    ("$A =$", ["unclear, the right side is missing"]),
    (
        "$$f(z) = \\begin{cases} z & \\text{if } z > 0 \\\\ 0 & \\text{otherwise} \\end{cases}$$",
        ["f(Z) = where(Z > 0, Z, 0)"],
    ),
]


@pytest.mark.parametrize(("page", "expected"), PAGES, ids=range(len(PAGES)))
def test_pages(page: str, expected: list[str]) -> None:
    assert [summary(item) for item in read(page)] == expected


def test_items_stand_where_they_say() -> None:
    page = "First\n\n$$dZ_2 = A_2 - Y$$\r\nand so dW2 = 1/m dZ2 A1^T."
    assert [(item.line, item.text) for item in read(page)] == [(3, "dZ_2 = A_2 - Y"), (4, "dW2 = 1/m dZ2 A1^T")]


# Fuzzing.

BITS = [
    "\\frac{", "\\begin{cases}", "\\end{cases}", "\\begin{bmatrix}", "$$", "$", "\\\\", "^{[1]}", "_{ij}", ":=", "\\sum",
    "\\|", "\\sum_{i=1}^m", "\\text{", "\\left", ".T", ".dot(", "np.sum(", "axis=1", "```", "e^", "1e999", "where(", "ReLU",
    "softmax(", "g'(", "h_1(", "<!--", *"ᵀδ∂'|&x×Tm1/*@𝟙-+0≤`½⟦⟫{}[]()^_=",
    "10 \\times m", "\t", "\n", "\n\n", "\x00", "\\hat{", "\\overset{T}{=}", "\\boxed{", "9" * 30,
]  # fmt: skip


def mutated(rng: random.Random, text: str) -> str:
    parts = re.findall(r"\\[a-zA-Z]+|\w+|\s+|.", text, flags=re.S) if rng.random() < 0.5 else list(text)
    for _ in range(rng.randint(1, 20)):
        i, j, kind = rng.randrange(len(parts) + 1), rng.randrange(len(parts) + 1), rng.random()
        if kind < 0.4:
            parts[i:i] = [rng.choice(BITS)] * rng.choice([1, 1, 1, 30])
        elif kind < 0.7:
            del parts[i : i + rng.choice([1, 1, 2, 10])]
        else:
            parts[i:i] = parts[j : j + rng.randint(1, 40)]
    return "".join(parts)


def check_page(page: str) -> list[Item]:
    items = read(page)
    assert [item.start for item in items] == sorted(item.start for item in items)
    for item in items:
        assert item.text == page[item.start : item.end]
        assert item.text
        assert item.line == page.count("\n", 0, item.start) + 1
        assert (item.statement is not None) == (item.kind == "equation")
        assert item.reason or item.kind != "unclear"
        assert item.sizes or item.kind != "sizes"
        for side in item.statement.sides if item.statement else ():
            assert write(side)
            assert write(side, "latex")
    return items


def test_no_page_stops_the_reader() -> None:
    rng = random.Random(0)
    pages = [path.read_text(encoding="utf-8") for path in sorted(NOTES.glob("*.md"))]
    read("a = b")  # the grammar is loaded
    for i in range(800):
        page = rng.choice(pages)
        begin = rng.randrange(len(page))
        junk = "".join(rng.choice(BITS) for _ in range(rng.randint(1, 60)))
        check_page(mutated(rng, page[begin : begin + 300]) if i % 4 else junk)


def test_no_equals_sign_is_lost() -> None:
    rng = random.Random(1)
    formulas = [
        f for path in sorted(NOTES.glob("*.md")) for f in re.findall(r"\$\$(.+?)\$\$", path.read_text("utf-8"), re.S)
    ]
    for _ in range(400):
        page = (
            "$$"
            + re.sub(r"[$\n`\x00]|<!--|=>|\\\]|\\\\|\\begin\{cases\}", " ", mutated(rng, rng.choice(formulas)))
            + "$$"
        )
        depths = np.cumsum([(c in "([{") - (c in ")]}") for c in page])
        if depths.min() >= 0 and any(c == "=" and not depths[i] for i, c in enumerate(page)):
            assert check_page(page), page


LONG = [
    " ",
    "\t",
    "a=",
    "a = b, ",
    "{",
    "(",
    "\\begin{cases}",
    "\\text{",
    "_{",
    "10 x ",
    "= \\\\ ",
    "e^{",
    "dW ",
    "|",
    " = 1\n+ 2",
]


@pytest.mark.parametrize("bit", LONG)
@pytest.mark.parametrize(
    "around", ["{}", *[pytest.param(form, marks=pytest.mark.slow) for form in ("a = {}", "$$a = {}$$", "$a = {} = b$")]]
)
def test_a_page_four_times_as_long_takes_four_times_the_work(bit: str, around: str) -> None:
    short, long = (around.replace("{}", bit * (n // len(bit))) for n in (5_000, 20_000))
    check_page(long)
    assert work(lambda: read(long)) < 5 * work(lambda: read(short)) + 5_000


UNSEEN = [
    "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\ufeff",
    "\u00ad", "\ufe0f", "\u061c", "\u180e", "\u034f", "\u3164", "\U000e0041", "\U000e0100",
]  # fmt: skip
SPACES = ["\u00a0", "\u2002", "\u2009", "\u200a", "\u202f", "\u205f", "\u3000"]
WRONG_PAGE = "Z1 = W1 X + b1,  A1 = ReLU(Z1)\nZ2 = W2 A1 + b2,  A2 = softmax(Z2)\ndZ2 = A2 - Y\ndW2 = 1/m dZ2 A1\n"


@pytest.mark.parametrize("sign", UNSEEN, ids=ascii)
def test_no_sign_that_nobody_sees_hides_a_wrong_line(sign: str) -> None:
    expected = check(WRONG_PAGE)
    begin = WRONG_PAGE.index("dW2")
    for place in range(begin, len(WRONG_PAGE)):
        report = check(WRONG_PAGE[:place] + sign + WRONG_PAGE[place:])
        assert [(row.verdict, row.fix, row.line) for row in report.rows] == [
            (row.verdict, row.fix, row.line) for row in expected.rows
        ]
    assert check(sign.join(WRONG_PAGE)).as_list() == expected.as_list()


@pytest.mark.parametrize("space", SPACES, ids=ascii)
def test_every_space_is_a_space(space: str) -> None:
    assert check(WRONG_PAGE.replace(" ", space)).as_list() == check(WRONG_PAGE).as_list()


def test_the_report_shows_the_page_as_it_was_read() -> None:
    report = check(WRONG_PAGE.replace("dW2", "dW\u200b2"))
    assert report.text == WRONG_PAGE
    assert "dW2 = 1/m dZ2 A1ᵀ" in report.html() or "dW2 = 1/m dZ2 A1^T" in report.html()


@pytest.mark.parametrize(
    ("page", "ok", "said"),
    [
        ("Z1 = W1 X + b1", False, "NOTHING WAS JUDGED, there are definitions alone"),
        ("Z1 = W1 X + b1\n\nA1 = ReLU(Z1)\n\n$dW1 = foo(dZ1)$", False, "NOTHING WAS JUDGED, none could be read"),
        ("Z1 = W1 X + b1\n\nA1 = sigmoid(Z1)\n\ndZ1 = A1 - Y\n\n$dW1 = foo(dZ1)$", True, "1 of 4 WERE NOT JUDGED"),
        ("Z1 = W1 X + b1\n\nA1 = sigmoid(Z1)\n\ndZ1 = A1 - Y", True, "1 right, 2 definition"),
        ("W1 (10×784), Z1 = W1 X + b1 (10×m)", False, "NOTHING WAS JUDGED"),
    ],
)
def test_a_page_of_which_nothing_was_judged_is_no_success(page: str, ok: bool, said: str, tmp_path: Path) -> None:
    report = check(page)
    assert report.ok == ok == bool(report)
    assert said in report.summary
    path = tmp_path / "notes.md"
    path.write_text(page, "utf-8")
    for words in ([], ["--json"]):
        run = CliRunner().invoke(cli.main, ["check-notes", str(path), *words])
        assert run.exit_code == (0 if ok else 2)
        assert (said in run.output) == (words == [] or not ok)


@pytest.mark.parametrize("bit", ["1", "$", "Z1 + ", "10×", "A_{1}", "a=", "W", " "])
def test_a_line_that_is_too_long_is_said_and_the_others_are_judged(bit: str) -> None:
    line = (bit * 20_000)[:20_000]
    report = check(f"{WRONG_PAGE}{line}\ndb2 = 1/m Σ dZ2\n")
    assert [(row.name, row.verdict) for row in report.rows[-3:]] == [
        ("dW2", "wrong"), (None, "not_understood"), ("db2", "right"),
    ]  # fmt: skip
    assert report.rows[-2].line == 5
    assert "the line has 20,000 characters, more than the 10,000 that are read" in report.rows[-2].reason
    assert not any("characters" in row.reason for row in check(f"{WRONG_PAGE}{line[:10_000]}\n").rows)


def test_a_page_that_is_too_long_is_refused() -> None:
    with pytest.raises(NotesError, match="more than the 100,000 that are read"):
        check((WRONG_PAGE + "lorem ipsum\n" * 10) * 600)


def test_a_page_with_four_times_the_repairs_takes_less_than_three_times_the_work() -> None:
    lines = "\n\n".join(["dW2 = 1/m dZ2 A1", "dZ1 = W2 dZ2 * ReLU'(Z1)", "dW1 = dZ1 X^T", "db1 = Σ dZ1"])
    short, long = ("\n\n".join([WRONG_PAGE, *[lines] * n]) for n in (10, 40))
    check(long)
    assert work(lambda: check(long)) < 2.7 * work(lambda: check(short))  # one list of spellings for each repair: 3.1


# The tests above must notice a reader that reads wrongly.


def swapped(a: Expression, b: Expression, loose: bool = False) -> Expression:
    return ORIGINAL["_product"](b, a, loose)


ORIGINAL: dict[str, Any] = {"_product": grammar._product, "_apply": grammar._apply}
MUTANTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "products the other way round": ("_product", swapped),
    "no transposes": ("_apply", lambda op, *x: x[0] if op == "transpose" else ORIGINAL["_apply"](op, *x)),
    "minus is plus": ("_apply", lambda op, *x: ORIGINAL["_apply"]("add" if op == "sub" else op, *x)),
    "no signs": ("_signed", lambda sign, tree: tree),
    "entrywise products of all": ("_product", lambda a, b, loose=False: ORIGINAL["_product"](a, b, True)),
    "no sums": ("_summed", lambda body, letters: grammar._without(body, grammar._indices(body))),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, function = MUTANTS[mutant]
    monkeypatch.setattr(grammar, name, function)
    grammar._parsed.cache_clear()
    wrong = 0
    for canonical, texts in SPELLINGS.items():
        for text in texts.strip().split("\n"):
            try:
                wrong += line(text.strip()) != canonical.strip()
            except NotUnderstood:
                wrong += 1
    monkeypatch.undo()
    grammar._parsed.cache_clear()
    assert wrong > 5
