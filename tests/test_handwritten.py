"""The handwritten formulas of the notes equal the autodiff gradients, for all sizes, values and both precisions."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models import handwritten
from models.mnist_two_layer import TwoLayer
from tinygrad_lite import Tensor, gradients, optim, relu, softmax_cross_entropy
from tinygrad_lite.op import REGISTRY

FORMULAS = ("dZ2", "dW2", "db2", "dZ1", "dW1", "db1")

sizes = st.integers(1, 8)
scales = st.sampled_from([1e-3, 1.0, 30.0])
cases = {"inputs": sizes, "hidden": sizes, "classes": sizes, "m": sizes, "seed": st.integers(0, 10**6)}


def draw_case(inputs: int, hidden: int, classes: int, m: int, seed: int, scale: float, dtype: type) -> dict[str, Any]:
    """Draw samples, one-hot labels and parameters; dense nonzero values, so no ReLU stands exactly at its kink."""
    rng = np.random.default_rng(seed)
    shapes = {"X": (inputs, m), "W1": (hidden, inputs), "b1": (hidden, 1), "W2": (classes, hidden), "b2": (classes, 1)}
    case = {name: (scale * rng.standard_normal(shape)).astype(dtype) for name, shape in shapes.items()}
    case["Y"] = np.eye(classes, dtype=dtype)[:, rng.integers(0, classes, m)]
    return case


def autodiff(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """The six gradients by autodiff, dZ on the notes' scale: dZ = m ∂J/∂Z."""
    X, Y = case["X"], case["Y"]
    W1, b1, W2, b2 = (Tensor(case[name], requires_grad=True, name=name) for name in ("W1", "b1", "W2", "b2"))
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    Z2 = W2 @ A1 + b2
    J = softmax_cross_entropy(Z2, Y, axis=0).mean()
    found = gradients(J, [Z2, W2, b2, Z1, W1, b1])
    m = X.shape[1]
    return {f: g.numpy() * (m if "Z" in f else 1) for f, g in zip(FORMULAS, found, strict=True)}


def terms(case: dict[str, Any]) -> dict[str, float]:
    """The largest sum of absolute terms in each formula: where terms cancel, rounding is relative to these."""
    m = case["X"].shape[1]
    A1 = handwritten.forward(**{name: case[name] for name in ("X", "W1", "b1", "W2", "b2")})["A1"]
    dZ2 = np.abs(handwritten.backward(**case)["dZ2"])
    dZ1 = np.abs(case["W2"]).T @ dZ2
    sums = {"dZ2": dZ2, "dW2": dZ2 @ A1.T / m, "db2": dZ2.sum(1) / m, "dZ1": dZ1}
    sums |= {"dW1": dZ1 @ np.abs(case["X"]).T / m, "db1": dZ1.sum(1) / m}
    return {name: float(total.max()) for name, total in sums.items()}


def disagreements(case: dict[str, Any], formulas: Any = handwritten) -> list[str]:
    """The formulas that differ from autodiff by more than rounding explains.

    float64: 1e-10, relative to the largest entry.  float32: 1e-5 (about 84 eps), relative to the largest sum of absolute
    terms: both sides do the same operations but for the order of sums and of 1/m, and sums may cancel.
    """
    theirs, ours, reach = formulas.backward(**case), autodiff(case), terms(case)
    wrong = []
    for name in FORMULAS:
        assert ours[name].dtype == case["X"].dtype, name
        bound = 1e-10 * np.abs(ours[name]).max() if case["X"].dtype == np.float64 else 1e-5 * reach[name]
        bound += np.finfo(case["X"].dtype).tiny  # below it numbers lose their digits
        if theirs[name].shape != ours[name].shape or np.abs(theirs[name] - ours[name]).max() > bound:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(**cases, scale=scales)
@example(inputs=784, hidden=10, classes=10, m=64, seed=0, scale=1.0)
@example(inputs=5, hidden=5, classes=5, m=5, seed=0, scale=1.0)
@example(inputs=1, hidden=1, classes=1, m=1, seed=0, scale=1.0)
@example(inputs=2, hidden=1, classes=2, m=2, seed=1595, scale=30.0)  # terms of dZ1 cancel
@example(inputs=2, hidden=3, classes=4, m=5, seed=0, scale=1e-3)
def test_all_six_formulas_equal_autodiff(dtype: type, **sizes: Any) -> None:
    assert disagreements(draw_case(**sizes, dtype=dtype)) == []


@given(**cases)
def test_the_model_is_the_network_of_the_formulas(inputs: int, hidden: int, classes: int, m: int, seed: int) -> None:
    net = TwoLayer(inputs, hidden, classes, seed)
    case = draw_case(inputs, hidden, classes, m, seed, 1.0, np.float32) | net.state_dict()
    X, Y = case.pop("X"), case.pop("Y")
    A2 = handwritten.forward(X, **case)["A2"]
    np.testing.assert_allclose(net.forward(X).numpy(), A2, rtol=1e-5, atol=1e-7)
    J = -np.sum(Y * np.log(np.maximum(A2, 1e-300)), axis=0).mean()
    np.testing.assert_allclose(net.loss(X, Y).item(), J, rtol=1e-4, atol=1e-6)


@given(**cases, alpha=st.floats(1e-4, 1.0))
def test_the_update_step_equals_the_handwritten_one(
    inputs: int, hidden: int, classes: int, m: int, seed: int, alpha: float
) -> None:
    net = TwoLayer(inputs, hidden, classes, seed)
    case = draw_case(inputs, hidden, classes, m, seed, 1.0, np.float32) | net.state_dict()
    expected = handwritten.update(net.state_dict(), handwritten.backward(**case), alpha)
    opt = optim.SGD(net.parameters(), lr=alpha)
    J = net.loss(case["X"], case["Y"])
    opt.zero_grad()
    J.backward()
    opt.step()
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6 * np.abs(expected[name]).max())


def test_parameters_are_shaped_and_named_as_in_the_notes() -> None:
    shapes = {name: p.shape for name, p in TwoLayer().named_parameters()}
    assert shapes == {"W1": (10, 784), "b1": (10, 1), "W2": (10, 10), "b2": (10, 1)}


# --- mutants: a law that cannot fail proves nothing -------------------------------------------------------------------

MISTAKES = {
    "sign of dZ2": ("A2 - Y", "Y - A2", "dZ2"),
    "dW2 without 1/m": ("1 / m * dZ2 @ A1.T", "dZ2 @ A1.T", "dW2"),
    "db2 without 1/m": ("1 / m * np.sum(dZ2", "np.sum(dZ2", "db2"),
    "dW1 without 1/m": ("1 / m * dZ1 @ X.T", "dZ1 @ X.T", "dW1"),
    "db1 without 1/m": ("1 / m * np.sum(dZ1", "np.sum(dZ1", "db1"),
    "1/m twice": ("dZ2 = A2 - Y", "dZ2 = (A2 - Y) / m", "dW2"),
    "mask from dZ2": ("(Z1 > 0)", "(dZ2 > 0)", "dZ1"),
    "mask forgotten": ("W2.T @ dZ2 * (Z1 > 0)", "W2.T @ dZ2", "dZ1"),
    "mask from A1 ≥ 0": ("(Z1 > 0)", "(A1 >= 0)", "dZ1"),
    "labels swapped": ("dZ2 = A2 - Y", "Y = np.roll(Y, 1, axis=0); dZ2 = A2 - Y", "dZ2"),
    "bias gradient summed over everything": ("np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2)", "db2"),
    "dZ2 for dZ1 in db1": ("np.sum(dZ1, axis=1", "np.sum(dZ2, axis=1", "db1"),
    "inputs for m": ("m = X.shape[1]", "m = X.shape[0]", "dW1"),
}


@pytest.mark.parametrize(("right", "wrong", "formula"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_formulas_is_noticed(right: str, wrong: str, formula: str) -> None:
    source = inspect.getsource(handwritten)
    assert right in source
    mutant: dict[str, Any] = {"__name__": "mutant"}
    exec(compile(source.replace(right, wrong), "mutant", "exec"), mutant)
    formulas = type("Mutant", (), {"backward": staticmethod(mutant["backward"])})
    # As many hidden units as classes, as in the notes: otherwise some mistakes would only fail to broadcast.
    drawn = [draw_case(4, 5, 5, m, seed, 1.0, np.float64) for m in (2, 6) for seed in range(3)]
    assert any(formula in disagreements(case, formulas) for case in drawn)


def flipped(rule: Any) -> Any:
    """A vjp with the wrong sign that otherwise reads the same values."""
    return functools.wraps(rule)(lambda *args, **params: -rule(*args, **params))


@pytest.mark.parametrize("name", ["matmul", "add", "relu", "softmax_cross_entropy", "mean"])
def test_a_wrong_sign_in_a_vjp_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    op = REGISTRY[name]
    case = draw_case(4, 3, 5, 6, 0, 1.0, np.float64)
    assert disagreements(case) == []
    for i, rule in enumerate(op.vjps):
        with monkeypatch.context() as patch:
            rules = list(op.vjps)
            rules[i] = flipped(rule)
            patch.setitem(op.__dict__, "vjps", rules)
            reached = (name, i) != ("softmax_cross_entropy", 1)  # no gradient flows to the labels
            assert bool(disagreements(case)) == reached
