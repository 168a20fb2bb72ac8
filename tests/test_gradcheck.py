"""gradcheck tells right gradients from wrong ones: no false alarm on correct functions, and planted mistakes are found."""

from __future__ import annotations

import functools
import importlib
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from tinygrad_lite import Tensor
from tinygrad_lite.numeric.gradcheck import GradcheckReport, check_vjp, gradcheck
from tinygrad_lite.numeric.slope import Estimate, numerical_gradient
from tinygrad_lite.op import REGISTRY
from tinygrad_lite.report import GradientMismatch

Random = np.random.Generator
ONES = np.ones(3)
PAGE = Path(__file__).parents[1] / "docs/gradcheck.md"
SEEDS = st.integers(0, 10**9)
SCALES = st.sampled_from([1e-3, 0.1, 1.0, 30.0, 1e3])


def verdicts(report: GradcheckReport) -> dict[str, str]:
    return {check.name: check.verdict for check in report.checks}


# --- functions that are right ------------------------------------------------------------------------------------------

UNARY: dict[str, Callable[[Any], Any]] = {
    name: getattr(tl, name)
    for names in (
        "tanh sigmoid relu exp abs softplus sin cos gelu silu elu selu leaky_relu",
        "hardtanh relu6 sign floor expm1 atan sort",
    )
    for name in names.split()
}
UNARY |= {
    "log1p |x|": lambda x: tl.log1p(tl.abs(x)),
    "√(|x| + 0.01)": lambda x: tl.sqrt(tl.abs(x) + 0.01),
    "‖x‖": lambda x: tl.norm(x, axis=0, keepdims=True),
    "std": lambda x: tl.std(x, axis=1, keepdims=True),
    "max": lambda x: tl.max(x, axis=0, keepdims=True),
    "softmax": lambda x: tl.softmax(x, axis=0),
    "x²": lambda x: x**2,
    "clip": lambda x: tl.clip(x, -0.5, 1.0),
    "norm": lambda x: (x - x.mean(axis=0, keepdims=True)) / tl.sqrt(tl.var(x, axis=0, keepdims=True) + 1e-5),
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "a + b": lambda a, b: a + b,
    "a − b": lambda a, b: a - b,
    "a b": lambda a, b: a * b,
    "a / (b² + ½)": lambda a, b: a / (b * b + 0.5),
    "max": tl.maximum,
    "min": tl.minimum,
    "where": lambda a, b: tl.where(a > b, a, b * b),
}


def composition(rng: Random, scale: float) -> tuple[Callable[..., Tensor], list[Any]]:
    """A random chain of ops on two arrays: of either precision, with ties and zeros in half of the cases."""
    shape = tuple(int(n) for n in rng.integers(1, 4, 2))
    draw = [lambda z: z, np.round, lambda z: z * (rng.random(shape) < 0.5), lambda z: z][rng.integers(4)]
    dtype = [np.float32, np.float64][rng.integers(2)]
    arrays = [(scale * draw(rng.standard_normal(shape))).astype(dtype) for _ in range(2)]
    steps = [
        list(UNARY.values())[rng.integers(len(UNARY))]
        if rng.random() < 0.6
        else list(BINARY.values())[rng.integers(len(BINARY))]
        for _ in range(rng.integers(1, 5))
    ]

    def f(a: Tensor, b: Tensor) -> Tensor:
        for step in steps:
            a, b = b, step(a) if step in UNARY.values() else step(a, b)
        return tl.mean(a) + tl.mean(b)

    return f, arrays


def network(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Tensor:
    return tl.softmax_cross_entropy(W2 @ tl.relu(W1 @ X + b1) + b2, Y, axis=0).mean()


def network_at(rng: Random, n: int, h: int, c: int, m: int) -> list[Any]:
    sizes = ((h, n), (h, 1), (c, h), (c, 1), (n, m))
    return [*map(rng.standard_normal, sizes), np.eye(c)[:, rng.integers(0, c, m)]]


@given(SEEDS, SCALES)
@settings(max_examples=30)
def test_no_false_alarm_on_random_compositions(seed: int, scale: float) -> None:
    f, arrays = composition(np.random.default_rng(seed), scale)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow is among what is tried
        report = gradcheck(f, *arrays)
    assert report.verdict != "fail", str(report)


@given(SEEDS, *[st.integers(1, 5)] * 4, st.sampled_from([1e-3, 1.0, 1e3]), st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=10)
def test_no_false_alarm_on_relu_networks(
    seed: int, n: int, h: int, c: int, m: int, scale: float, factor: float
) -> None:
    arrays = network_at(np.random.default_rng(seed), n, h, c, m)
    arrays[0] *= scale
    report = gradcheck(lambda *args: factor * network(*args), *arrays)
    assert report.verdict in ("pass", "inconclusive"), str(report)
    if scale == 1:
        assert report.verdict == "pass", str(report)


@given(SEEDS, *[st.integers(1, 4)] * 4, st.sampled_from(["relu", "abs", "hardtanh", "maximum"]))
@settings(max_examples=15)
def test_no_false_alarm_on_kinks(seed: int, n: int, h: int, c: int, m: int, kind: str) -> None:
    """Two layers whose inputs are exactly zero, or small whole numbers, so that many units sit on a kink."""
    rng = np.random.default_rng(seed)
    bend = (lambda x: tl.maximum(x, 0.0)) if kind == "maximum" else getattr(tl, kind)
    W1, W2 = np.round(rng.standard_normal((h, n))), np.round(rng.standard_normal((c, h)))
    X = np.round(rng.standard_normal((n, m)))

    def f(W1: Tensor, W2: Tensor, X: Tensor) -> Tensor:
        return (bend(W2 @ bend(W1 @ X)) ** 2).sum()

    report = gradcheck(f, W1, W2, X)
    assert report.verdict in ("pass", "convention"), str(report)


@pytest.mark.parametrize("seed", range(4))
def test_large_relu_networks_never_fail(seed: int) -> None:
    """jax.test_util.check_grads fails 52 % of these: with 640 units a fixed step crosses kinks."""
    report = gradcheck(network, *network_at(np.random.default_rng(seed), 784, 10, 10, 64), wrt=["W1", "b1", "W2", "b2"])
    assert report.verdict == "pass", str(report)


def test_a_network_at_zero_weights_is_on_its_kinks() -> None:
    """torch.autograd.gradcheck fails it."""
    W1, b1, *rest = network_at(np.random.default_rng(0), 5, 4, 3, 7)
    report = gradcheck(network, 0 * W1, 0 * b1, *rest)
    assert report
    assert verdicts(report) == {
        "W1": "convention", "b1": "convention", "W2": "pass", "b2": "pass", "X": "pass", "Y": "pass"
    }  # fmt: skip
    assert "ReLU'(0) = 0" in report.checks[0].reason


@given(SEEDS, SCALES, st.integers(1, 2))
@settings(max_examples=5)
def test_higher_orders(seed: int, scale: float, order: int) -> None:
    rng = np.random.default_rng(seed)
    f = lambda W, x: tl.tanh(W @ x / scale) * tl.relu(x)[:1]
    report = gradcheck(f, rng.standard_normal((1, 3)), scale * rng.standard_normal((3, 2)), order=order)
    assert report.verdict == "pass", str(report)
    assert len(report.checks) == 2 * order


@given(SEEDS, *[st.integers(1, 5)] * 4)
@settings(max_examples=15)
def test_no_false_alarm_without_a_graph(seed: int, n: int, h: int, c: int, m: int) -> None:
    report = check_vjp(numpy_network, numpy_vjp, *network_at(np.random.default_rng(seed), n, h, c, m))
    assert report.verdict == "pass", str(report)


def numpy_network(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
    Z = W2 @ np.maximum(W1 @ X + b1, 0) + b2
    top = Z.max(axis=0)
    return (np.log(np.exp(Z - top).sum(axis=0)) + top - (Z * Y).sum(axis=0)).mean()


def numpy_vjp(g: Any, W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
    Z1 = W1 @ X + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2 @ A1 + b2
    P = np.exp(Z2 - Z2.max(axis=0))
    dZ2 = g * (P / P.sum(axis=0) - Y) / X.shape[1]
    dZ1 = (W2.T @ dZ2) * (Z1 > 0)
    sums = [dZ.sum(axis=1, keepdims=True) for dZ in (dZ1, dZ2)]
    return dZ1 @ X.T, sums[0], dZ2 @ A1.T, sums[1], W1.T @ dZ1, -g * Z2 / X.shape[1]


# --- functions that are wrong ------------------------------------------------------------------------------------------


@contextmanager
def wrong(op: str, number: int, change: Callable[[Any], Any]) -> Iterator[None]:
    """Change what a rule of an op returns."""
    record = REGISTRY[op]
    rules, plans = record.vjps, record.plans
    rule = rules[number]
    changed = functools.wraps(rule)(lambda *args, **params: change(rule(*args, **params)))
    record.vjps = [changed if i == number else rules[i] for i in range(len(rules))]
    record.plans = {}
    try:
        yield
    finally:
        record.vjps, record.plans = rules, plans


def in_last_entry(factor: float) -> Callable[[Any], Any]:
    def change(g: Any) -> Any:
        g = np.array(g)
        g.reshape(-1)[-1] *= factor
        return g

    return change


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "0": lambda g: 0 * g,
    "−½": lambda g: -0.5 * g,
    "5e-4 too big": lambda g: g * 1.0005,
    "1e-8 too big": lambda g: g * (1 + 1e-8),
    "one entry": in_last_entry(1.0005),
    "NaN": lambda g: g * np.nan,
}
REACHES = {  # which arguments of the network are wrong by which rule
    ("matmul", 0): {"W1", "W2"},
    ("matmul", 1): {"W1", "b1", "X"},
    ("softmax_cross_entropy", 0): {"W1", "b1", "W2", "b2", "X"},
    ("mean", 0): {"W1", "b1", "W2", "b2", "X", "Y"},
}


@pytest.mark.parametrize("mistake", MISTAKES)
@given(seed=SEEDS, rule=st.sampled_from(list(REACHES)), factor=st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=3)
def test_planted_mistakes_are_found(mistake: str, seed: int, rule: tuple[str, int], factor: float) -> None:
    """Whatever the size of the loss, and in every argument that the wrong rule reaches, and in no other."""
    arrays = network_at(np.random.default_rng(seed), 3, 5, 2, 4)
    arrays = [
        np.abs(arrays[0]),
        np.abs(arrays[1]),
        0.3 * arrays[2],
        arrays[3],
        np.abs(arrays[4]),
        arrays[5],
    ]  # no unit is dead
    with wrong(*rule, MISTAKES[mistake]):
        report = gradcheck(lambda W1, b1, W2, b2, X, Y: factor * network(W1, b1, W2, b2, X, Y), *arrays)
    failed = {name for name, verdict in verdicts(report).items() if verdict == "fail"}
    if mistake == "one entry":  # of the matrix that comes back
        assert failed <= REACHES[rule]
        assert failed
    else:
        assert failed == REACHES[rule], str(report)


@given(SEEDS, st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=10)
def test_a_single_wrong_entry_is_named(seed: int, rows: int, columns: int) -> None:
    """Also in arrays that are too large to be checked entry by entry."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, rows, columns))
    place = tuple(int(rng.integers(n)) for n in (rows, columns))

    def vjp(g: Any, x: Any, y: Any) -> Any:
        dx = g * np.cos(x) * y
        dx[place] *= 1.0005
        return dx, g * np.sin(x)

    report = check_vjp(lambda x, y: np.sin(x) * y, vjp, x, y)
    assert verdicts(report) == {"x": "fail", "y": "pass"}, str(report)
    assert report.checks[0].index == place
    assert report.checks[0].ratio == pytest.approx(1.0005, abs=1e-6)


def test_a_wrong_entry_among_eight_thousand_is_named() -> None:
    with wrong("matmul", 0, in_last_entry(1.0005)):
        report = gradcheck(network, *network_at(np.random.default_rng(0), 784, 10, 10, 64), wrt=["W1", "b1"])
    assert verdicts(report) == {"W1": "fail", "b1": "pass"}
    assert report.checks[0].index == (9, 783)
    assert report.checks[0].ratio == pytest.approx(1.0005, abs=1e-6)


def test_a_missing_factor_is_read_off_the_ratio() -> None:
    """torch, jax and autograd show two arrays that differ."""

    def without(*args: Any) -> Any:
        dW1, db1, dW2, *rest = numpy_vjp(*args)
        return dW1, db1, 7 * dW2, *rest  # its 1/m is missing

    report = check_vjp(numpy_network, without, *network_at(np.random.default_rng(0), 5, 4, 3, 7))
    assert {name for name, verdict in verdicts(report).items() if verdict == "fail"} == {"W2"}
    assert report.checks[2].ratio == pytest.approx(7)


def test_the_second_argument_is_looked_at() -> None:
    """autograd's check_grads looks at the first only."""
    report = gradcheck(lambda x, y: x * y.detach(), np.ones(3), np.ones(3))
    assert verdicts(report) == {"x": "pass", "y": "fail"}


def test_a_vanishing_gradient_does_not_pass_where_the_loss_is_small() -> None:
    """torch, jax, autograd and chainer pass it: an absolute tolerance is larger than the gradient."""
    report = gradcheck(
        lambda x: 1e-6 * (x * x.detach().exp()).sum() - 1e-6 * (x * x.detach().exp()).detach().sum(), np.ones(3)
    )
    assert not report


@pytest.mark.parametrize(("at_zero", "verdict"), [(-0.5, "fail"), (0.5, "convention"), (1, "convention"), (5, "fail")])
def test_a_convention_is_between_the_slopes_of_both_sides(at_zero: float, verdict: str) -> None:
    record = REGISTRY["relu"]
    rules = record.vjps
    record.vjps = [lambda g, _out, x: g * np.where(np.asarray(x) == 0, at_zero, np.asarray(x) > 0)]
    record.plans = {}
    try:
        assert gradcheck(lambda x: tl.relu(x), np.array([0.0, 1.0, -1.0])).verdict == verdict
        W1, b1, *rest = network_at(np.random.default_rng(0), 5, 4, 3, 7)
        assert gradcheck(network, 0 * W1, 0 * b1, *rest).verdict == verdict
    finally:
        record.vjps, record.plans = rules, {}


def test_a_wrong_rule_is_found_beside_the_kink() -> None:
    """At the kink itself half the slope may be chosen; anywhere else it is wrong."""
    with wrong("relu", 0, lambda g: 0.5 * g):
        assert gradcheck(lambda x: tl.relu(x).sum(), np.zeros(3)).verdict == "fail"


def test_a_backward_pass_that_raises_fails() -> None:
    with wrong("relu", 0, lambda g: g[None]):
        report = gradcheck(lambda x: tl.relu(x), np.ones(3))
    assert report.verdict == "fail"
    assert "the vjp of relu gave shape" in report.checks[0].reason


def test_a_wrong_second_derivative() -> None:
    """The gradient is right, but its own gradient is cut off."""
    f = lambda x: (x * x.detach() ** 2).sum() + (x.detach() * x**2).sum()
    x = np.array([1.0, 2.0])
    right, cut = gradcheck(lambda x: (x**3).sum(), x, order=2), gradcheck(f, x, order=2)
    assert verdicts(right) == {"x (order 1)": "pass", "x (order 2)": "pass"}
    assert cut.checks[1].verdict == "fail"


# --- thirty right functions, thirty wrong ones ---------------------------------------------------------------------------

d = lambda x: x.detach()  # a derivative that is forgotten
TIES = np.array([0.0, 1.0, 1.0, -1.0, 2.0])
SIGMOID = lambda x: 1 / (1 + np.exp(-x))


def normal(*shape: int) -> Any:
    return np.random.default_rng(7).standard_normal(shape)


RIGHT: dict[str, Callable[[], GradcheckReport]] = {
    "results of all sizes": lambda: gradcheck(lambda x: [tl.sin(x), 1e12 * tl.cos(x), 1e-12 * tl.exp(x)], normal(4)),
    "results of all sizes, NumPy": lambda: check_vjp(
        lambda x: (np.sin(x), 1e12 * np.cos(x)), lambda g, x: g[0] * np.cos(x) - 1e12 * g[1] * np.sin(x), normal(4)
    ),
    "a dict of results, one of whole numbers": lambda: gradcheck(
        lambda x: (tl.sin(x), {"sum": x.sum(), "n": x.argmax()}), normal(4)
    ),
    "a result with no elements": lambda: gradcheck(lambda x: tl.sin(x), np.zeros((0, 2))),
    "an argument with no elements": lambda: gradcheck(lambda x, y: x.sum() + tl.sin(y), np.zeros((0, 2)), 1.0),
    "a scalar": lambda: gradcheck(lambda x: tl.exp(x), np.array(0.3)),
    "indices": lambda: gradcheck(lambda x, k: x[k] ** 2, normal(4), np.array([0, 2, 2])),
    "constant": lambda: gradcheck(lambda x: Tensor(ONES) * 2, normal(4)),
    "constant, NumPy": lambda: check_vjp(lambda x: ONES, lambda g, x: 0 * x, normal(4)),
    "1e8 x": lambda: gradcheck(lambda x: (x * x).sum(), 1e8 * normal(4)),
    "1e-8 x": lambda: gradcheck(lambda x: tl.sin(x) * x, 1e-8 * normal(4)),
    "1e-8 x, NumPy": lambda: check_vjp(lambda x: x * x, lambda g, x: 2 * x * g, 1e-8 * normal(4)),
    "x from 1e-8 to 1e8": lambda: gradcheck(lambda x: (x * x).sum(), np.array([1e-8, 1.0, 1e8])),
    "f 1e-12": lambda: gradcheck(lambda x: 1e-12 * (x * x).sum(), normal(4)),
    "steep": lambda: gradcheck(lambda x: tl.sin(1e4 * x), normal(4)),
    "cancels": lambda: gradcheck(lambda x: ((x + 1e8) - 1e8) ** 2, normal(3)),
    "saturated": lambda: gradcheck(lambda x: tl.sigmoid(x), np.array([40.0, -40.0, 800.0, -800.0, 0.1])),
    "exp of 300": lambda: gradcheck(lambda x: tl.exp(x), np.array([300.0, -300.0, 0.0])),
    "ties of sort": lambda: gradcheck(lambda x: tl.sort(x), TIES),
    "floor and sign": lambda: gradcheck(lambda x: tl.floor(x) + tl.sign(x) + x, normal(7)),
    "floor at whole numbers": lambda: gradcheck(lambda x: tl.floor(x), TIES),
    "round, NumPy": lambda: check_vjp(np.round, lambda g, x: 0 * x, normal(9)),
    "sort, NumPy": lambda: check_vjp(np.sort, lambda g, x: g[np.argsort(np.argsort(x))], normal(9)),
    "relu at 0, NumPy": lambda: check_vjp(lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0), TIES),
    "where": lambda: gradcheck(lambda x: tl.where(x > 0, x * x, tl.sin(x)), TIES),
    "if": lambda: gradcheck(lambda x: x * x if x.sum().item() > 0 else 3 * x, normal(3)),
    "if, where it jumps": lambda: gradcheck(lambda x: x * x if x.sum().item() > 0 else 3 * x, np.zeros(2)),
    "kinks at 1e-6 and 1e-12": lambda: gradcheck(lambda x: tl.relu(x), np.array([1e-6, -1e-12, 1.0])),
    "4001 kinks": lambda: gradcheck(lambda x: tl.relu(x - np.linspace(-3, 3, 4001)[:, None]).sum(), normal(3)),
    "norm at 0": lambda: gradcheck(lambda x: tl.norm(x), np.zeros(3)),
    "elu at 0: its second derivative jumps": lambda: gradcheck(lambda x: (tl.elu(x) + 0.3) ** 2, np.zeros((3, 2))),
    "x |x| at 0, NumPy": lambda: check_vjp(
        lambda x: x * np.abs(x) + np.sin(x), lambda g, x: g * (2 * np.abs(x) + np.cos(x)), np.zeros(3)
    ),
    "third order": lambda: gradcheck(lambda x: tl.tanh(x).sum(), normal(3), order=3),
    "single precision inside": lambda: check_vjp(
        lambda x: np.sin(x.astype(np.float32)), lambda g, x: g * np.cos(x), normal(9)
    ),
}

WRONG: dict[str, Callable[[], GradcheckReport]] = {
    "the small result of two": lambda: gradcheck(lambda x: [tl.sin(d(x)) + 0 * x, 1e12 * tl.cos(x)], normal(4)),
    "the small result of two, by 1e-3": lambda: gradcheck(
        lambda x: [1.001 * tl.sin(x) - 0.001 * tl.sin(d(x)), 1e12 * tl.cos(x)], normal(4)
    ),
    "the small entries of a result": lambda: gradcheck(
        lambda x: tl.concatenate([tl.sin(d(x)) + 0 * x, 1e12 * tl.cos(x)]), normal(4)
    ),
    "the small result, NumPy": lambda: check_vjp(
        lambda x: (np.sin(x), 1e12 * np.cos(x)), lambda g, x: -1e12 * g[1] * np.sin(x), normal(4)
    ),
    "the second argument of the small result": lambda: gradcheck(
        lambda x, y: [tl.sin(x) * d(y), 1e12 * tl.cos(x)], normal(4), normal(4)
    ),
    "negative x": lambda: gradcheck(lambda x: tl.where(x > 0, x * x, x * d(x)), normal(9)),
    "negative x, NumPy": lambda: check_vjp(lambda x: np.where(x > 0, x, 0.1 * x), lambda g, x: g, normal(9)),
    "one sign of 1000": lambda: check_vjp(
        np.sin, lambda g, x: g * np.cos(x) * np.where(np.arange(1000) == 777, -1, 1), normal(1000)
    ),
    "1e-5": lambda: check_vjp(np.sin, lambda g, x: g * np.cos(x) * (1 + 1e-5), normal(10)),
    "1e-5 in one of 1000": lambda: check_vjp(
        np.sin, lambda g, x: g * np.cos(x) * (1 + 1e-5 * (np.arange(1000) == 5)), normal(1000)
    ),
    "not summed back": lambda: check_vjp(lambda x, b: x + b, lambda g, x, b: (g, g), normal(3, 4), normal(4)),
    "mean for sum": lambda: check_vjp(lambda x, b: x + b, lambda g, x, b: (g, g.mean(0)), normal(3, 4), normal(4)),
    "second derivative": lambda: gradcheck(lambda x: (x * d(x) ** 2 + d(x) * x**2).sum(), normal(3), order=2),
    "without g": lambda: check_vjp(lambda x: x * x, lambda g, x: 2 * x, normal(3)),
    "transposed": lambda: check_vjp(lambda a, b: a @ b, lambda g, a, b: (g @ b.T, g.T @ a), normal(3, 3), normal(3, 3)),
    "0 where f is 1e-12": lambda: check_vjp(lambda x: 1e-12 * (x * x).sum(), lambda g, x: 0 * x, normal(4)),
    "straight through round": lambda: check_vjp(np.round, lambda g, x: g, normal(9)),
    "1e-3 where f is constant": lambda: check_vjp(lambda x: ONES, lambda g, x: 1e-3 * x, normal(4)),
    "NaN in one entry": lambda: check_vjp(np.sin, lambda g, x: g * np.where(x > 1, np.nan, np.cos(x)), TIES),
    "softmax, its diagonal only": lambda: check_vjp(
        lambda x: np.exp(x) / np.exp(x).sum(),
        lambda g, x: g * np.exp(x) / np.exp(x).sum() * (1 - np.exp(x) / np.exp(x).sum()),
        normal(5),
    ),
    "sigmoid' without σ": lambda: check_vjp(SIGMOID, lambda g, x: g * (1 - SIGMOID(x)), normal(5)),
    "tanh' of sigmoid": lambda: check_vjp(np.tanh, lambda g, x: g * (1 - np.tanh(x)), normal(5)),
    "* for @": lambda: check_vjp(lambda a, b: a @ b, lambda g, a, b: (g * b, a.T @ g), normal(3, 3), normal(3, 3)),
    "indices that repeat": lambda: check_vjp(
        lambda x: x[[0, 1, 1, 3]], lambda g, x: np.eye(4)[[0, 1, 3]].T @ g[[0, 1, 3]], normal(4)
    ),
    "1/m missing": lambda: check_vjp(np.mean, lambda g, x: g + 0 * x, normal(1000)),
    "clip": lambda: check_vjp(lambda x: np.clip(x, -1, 1), lambda g, x: g, np.array([0.5, 2.0, -3.0])),
    "a threshold that is off": lambda: check_vjp(
        lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0.01), np.array([0.005, 1.0, -1.0])
    ),
    "a small entry by 1e-3": lambda: check_vjp(
        lambda x: x**3, lambda g, x: 3 * g * x * x * np.where(x == 0.01, 1.001, 1), np.append(normal(99), 0.01)
    ),
    "elu at 0": lambda: check_vjp(
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda g, x: g * np.where(x > 0, 1, 0), normal(9)
    ),
    "overflow in single precision": lambda: check_vjp(
        np.tanh, lambda g, x: g * (1 - (np.sinh(x) / np.cosh(x)) ** 2), np.array([100.0, 1.0], np.float32)
    ),
    "division by 0 in single precision": lambda: check_vjp(
        lambda x: np.sqrt(x * x + 1e-60), lambda g, x: g * x / np.sqrt(x * x + 1e-60), np.array([1.0, 0.0], np.float32)
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_ones_pass(name: str) -> None:
    report = RIGHT[name]()
    assert report.verdict in ("pass", "convention"), str(report)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_ones_fail(name: str) -> None:
    report = WRONG[name]()
    assert report.verdict == "fail", str(report)


@given(SEEDS, st.integers(-12, 12), st.integers(1, 30), st.booleans())
@settings(max_examples=20)
def test_a_wrong_result_is_named(seed: int, power: int, count: int, mistaken: bool) -> None:
    """Whatever its size is beside that of the others, and theirs."""
    rng = np.random.default_rng(seed)
    x, (which, entry) = rng.uniform(0.5, 1.5, 3), rng.integers(0, [2, count])
    A, scales = rng.uniform(0.5, 1.5, (2, count, 3)), [1.0, 10.0**power]
    factors = np.ones((2, count))
    factors[which, entry] += 1e-4 * mistaken
    back = lambda g, x: sum(
        s * ((gk * fk) @ Ak) * np.cos(x) for s, gk, fk, Ak in zip(scales, g, factors, A, strict=True)
    )
    report = check_vjp(lambda x: tuple(s * (Ak @ np.sin(x)) for s, Ak in zip(scales, A, strict=True)), back, x)
    assert report.verdict == ("fail" if mistaken else "pass"), str(report)
    assert report.checks[0].result == (f"[{which}][{entry}]" if mistaken else "")


@given(SEEDS, st.integers(3, 8), st.sampled_from([1e-8, 1.0, 1e8]), st.sampled_from([1e-8, 1.0, 1e8]))
@settings(max_examples=20)
def test_mistakes_of_all_sizes(seed: int, digits: int, scale: float, factor: float) -> None:
    """One that is 10⁻³ to 10⁻⁸ of the gradient is found; neither the scale of x nor that of f matters."""
    x = scale * np.random.default_rng(seed).uniform(0.5, 1.5, (2, 3))
    for mistake, verdict in ((0.0, "pass"), (10.0**-digits, "fail")):
        back = lambda g, x: factor * g * np.cos(x / scale) * (1 + mistake) / scale  # noqa: B023
        report = check_vjp(lambda x: factor * np.sin(x / scale), back, x)
        assert report.verdict == verdict, str(report)


@given(SEEDS, st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=20)
def test_a_jump_of_the_second_derivative_is_no_mistake(seed: int, left: float, right: float) -> None:
    """Central differences are misled there, by an error that shrinks with h and not with h²."""
    x = np.where(np.random.default_rng(seed).random(4) < 0.5, 0.0, 1.0)
    bend = lambda x: np.where(x > 0, right, left)
    f = lambda x: np.sin(x) + bend(x) * x * x
    right_one = check_vjp(f, lambda g, x: g * (np.cos(x) + 2 * bend(x) * x), x)
    wrong_one = check_vjp(f, lambda g, x: g * (np.cos(x) + 2 * bend(x) * x) * 1.01, x)
    assert right_one.verdict in ("pass", "inconclusive"), str(right_one)
    assert wrong_one.verdict in ("fail", "inconclusive"), str(wrong_one)


@given(SEEDS)
@example(279)
@settings(max_examples=10)
def test_nor_is_it_with_a_graph(seed: int) -> None:
    """Two looks agree on a wrong value (seed 279); the slopes of both sides do not."""
    rng = np.random.default_rng(seed)
    k = rng.integers(2, 7)
    a, b = rng.standard_normal((2, k))
    report = gradcheck(lambda x: ((a * tl.elu(x) + b * tl.sin(x)).sum() + 0.3) ** 2, np.zeros(k))
    assert report.verdict in ("pass", "inconclusive"), str(report)


# --- the numerical gradient --------------------------------------------------------------------------------------------


@given(SEEDS, SCALES)
@settings(max_examples=20)
def test_the_bound_holds(seed: int, scale: float) -> None:
    x = scale * np.random.default_rng(seed).standard_normal((2, 3))
    found = numerical_gradient(lambda x: (tl.tanh(x / scale) * x).sum(), x)
    t = np.tanh(x / scale)
    off = np.abs(found.value - (t + x / scale * (1 - t * t)))
    assert (off <= found.bound).all()
    assert found.bound.max() < 1e-9


def test_it_keeps_the_form_of_the_arguments() -> None:
    found, nothing = numerical_gradient(lambda p, k: (p["w"] ** k).sum() * p["b"], {"w": np.ones(2), "b": 3.0}, 2)
    assert nothing is None
    assert isinstance(found["b"], Estimate)
    np.testing.assert_allclose(found["w"].value, [6, 6])
    assert found["b"].value == pytest.approx(2)


def test_at_a_kink_the_bound_spans_both_slopes() -> None:
    found = numerical_gradient(lambda x: tl.relu(x).sum(), np.array([0.0, 1.0]))
    assert found.value.tolist() == pytest.approx([0.5, 1])
    assert found.bound[0] == pytest.approx(0.5)
    assert numerical_gradient(lambda x: tl.sqrt(x).sum(), np.zeros(1)).bound.item() == np.inf


# --- what cannot be told, and what is refused --------------------------------------------------------------------------

UNTOLD: dict[str, tuple[Callable[..., Any], Any, str]] = {
    "random": (lambda x: x * tl.random.generator().normal(), ONES, "random"),
    "nan": (lambda x: tl.log(-x), ONES, "nan at the arguments"),
    "not finite": (lambda x: x, ONES * np.inf, "not finite"),
    "changed": (lambda x: x.assign(2 * ONES), ONES, "changes its arguments"),
    "hidden": (lambda x: 1e20 + (x * 1e-3).sum(), ONES, "round-off"),
    "jumps unseen": (lambda x: (x * (x.numpy() > 1)).sum(), ONES, "not smooth"),
    "vertical": (lambda x: tl.sqrt(x), 0 * ONES, "inf"),
}


@pytest.mark.parametrize("name", UNTOLD)
def test_what_cannot_be_told_is_inconclusive_with_the_reason(name: str) -> None:
    f, x, reason = UNTOLD[name]
    report = gradcheck(f, x)
    assert report.verdict == "inconclusive"
    assert not report
    assert reason in report.checks[0].reason
    report.raise_if_wrong()


def test_an_integer_array_that_is_changed_is_noticed() -> None:
    def f(x: Tensor, k: Any) -> Any:
        k += 0 * k + 1
        return x.sum()

    assert "changes its arguments" in gradcheck(f, ONES, np.arange(3)).checks[0].reason


def boom(x: Any) -> Any:
    raise ZeroDivisionError("boom")


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "array": (lambda: gradcheck(lambda x: x.numpy(), ONES), TypeError, "must return tensors, not ndarray.*check_vjp"),
    "None": (lambda: gradcheck(lambda x: None, ONES), TypeError, "forget to return"),
    "integers": (lambda: gradcheck(lambda x: x.argmax(), ONES), TypeError, "returns int64"),
    "no floats": (lambda: gradcheck(lambda x: x, np.arange(3)), TypeError, "nothing to differentiate"),
    "wrt name": (lambda: gradcheck(lambda x: x, ONES, wrt="y"), ValueError, "names 'y', but the arguments are x"),
    "wrt place": (lambda: gradcheck(lambda x: x, ONES, wrt=[0, 1]), ValueError, "names 1"),
    "wrt integer": (lambda: gradcheck(lambda x, k: x, ONES, 1, wrt="k"), TypeError, "not of a float type"),
    "order": (lambda: gradcheck(lambda x: x, ONES, order=0), ValueError, "counts from 1"),
    "raises": (lambda: gradcheck(boom, ONES), ZeroDivisionError, "boom"),
    "not scalar": (lambda: numerical_gradient(lambda x: x, ONES), ValueError, r"one element, but f returned \(3,\)"),
    "no vjp": (lambda: check_vjp(np.sin, ONES), TypeError, "needs a vjp"),
    "no float result": (lambda: check_vjp(np.argmax, np.sin, ONES), TypeError, "float arrays, not int64"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_calls_are_refused(name: str) -> None:
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize(
    ("vjp", "reason"),
    [
        (lambda g, x, y: g * y, "1 gradients, not 2"),
        (lambda g, x, y: (g * y, (g * x).sum()), "shape"),
        (lambda g, x, y: 1 / 0, "raises ZeroDivisionError"),
        (lambda g, x, y: (g * y, None), ""),
        (lambda g, x, y: ([g, g], None), "shape"),
        (lambda g, x, y: ({"x": g}, None), "the gradient for x must have its form"),
    ],
)
def test_a_vjp_that_returns_something_else_fails(vjp: Any, reason: str) -> None:
    report = check_vjp(lambda x, y: x * y, vjp, 2 * ONES, 3 * ONES)
    assert report.checks[1].verdict == "fail"
    assert reason in report.checks[1].reason + report.checks[0].reason


def test_arguments_of_all_kinds() -> None:
    tree = {"w": [1.0, Tensor([2.0, 3.0])], "b": np.float32(2.0)}
    f = lambda p, s, k, flag, *rest: {"a": p["w"][0] * p["w"][1][k] * s if flag else s, "b": [p["b"] * rest[0]]}
    report = gradcheck(f, tree, 2.5, np.array([0, 1]), True, np.ones((2, 1)))
    assert verdicts(report) == dict.fromkeys(["p['w'][0]", "p['w'][1]", "p['b']", "s", "rest[0]"], "pass")
    assert [check.name for check in gradcheck(f, tree, 2.5, 0, True, 1.0, wrt=["s", 4]).checks] == ["s", "rest[0]"]
    empty = gradcheck(lambda x: x.sum(), np.zeros((0, 3)))
    assert empty.checks[0].reason == "it has no elements"


def test_the_report() -> None:
    report = gradcheck(lambda x, y: x * y.detach(), ONES, ONES)
    lines = str(report).splitlines()
    assert lines[0].split() == ["argument", "verdict", "entry", "result", "gradient", "numerical", "bound", "ratio"]
    assert lines[1].startswith("x ")
    assert "fail" in lines[2]
    assert "<table>" in report._repr_html_()
    assert "result" not in str(gradcheck(lambda x: x.sum(), ONES))  # nothing to say there
    assert "&#x27;" in gradcheck(lambda p: p["w"], {"w": 1.0})._repr_html_()  # names are escaped
    with pytest.raises(GradientMismatch, match="the gradient is wrong"):
        report.raise_if_wrong()


# --- the functions of other frameworks ---------------------------------------------------------------------------------


def blocks(word: str) -> Iterator[str]:
    for block in re.findall(r"```py\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        if word in block:
            yield block


@pytest.mark.parametrize("module", ["torch", "jax"])
def test_the_examples_of_the_page_for_other_frameworks_run(module: str) -> None:
    pytest.importorskip(module)
    found = list(blocks(f"import {module}"))
    assert found
    for block in found:
        exec(compile(block, str(PAGE), "exec"), {})


def test_where_torch_is_wrong() -> None:
    """Its gradcheck passes a gradient of 0 and one that is 5e-4 too big, and fails a correct network; this one does not."""
    torch = pytest.importorskip("torch")

    def function(forward: Any, backward: Any) -> Any:
        class Made(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *xs: Any) -> Any:
                ctx.save_for_backward(*xs)
                return forward(*xs)

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return backward(g, *ctx.saved_tensors)

        return Made

    x = torch.tensor([0.5, 1.0, -2.0], dtype=torch.float64, requires_grad=True)
    small = function(lambda x: 1e-6 * (x * x).sum(), lambda g, x: 0 * x)
    close = function(lambda x: x**3, lambda g, x: 1.0005 * g * 3 * x * x)
    for made in (small, close):
        assert torch.autograd.gradcheck(made.apply, (x,))
        assert check_vjp(made, x).verdict == "fail"
    arrays = network_at(np.random.default_rng(0), 5, 4, 3, 7)
    arrays[0], arrays[1] = 0 * arrays[0], 0 * arrays[1]
    net = function(
        lambda *xs: torch.tensor(numpy_network(*[x.detach().numpy() for x in xs])),
        lambda g, *xs: tuple(map(torch.tensor, numpy_vjp(float(g), *[x.detach().numpy() for x in xs]))),
    )
    tensors = [torch.tensor(x, requires_grad=True) for x in arrays]
    assert not torch.autograd.gradcheck(net.apply, tensors, raise_exception=False)
    assert check_vjp(net, *tensors).verdict != "fail"
    assert check_vjp(net, *network_at(np.random.default_rng(1), 5, 4, 3, 7)).verdict == "pass"


def test_jax_is_checked_in_double_precision() -> None:
    """Also where x64 is off: in float32 the round-off of a sum, or of an offset, hides its derivative."""
    jax = pytest.importorskip("jax")

    def function(factor: float) -> Any:
        f = jax.custom_vjp(lambda x, y: jax.numpy.sin(x) * y)
        f.defvjp(
            lambda x, y: (jax.numpy.sin(x) * y, (x, y)),
            lambda xy, g: (g * jax.numpy.cos(xy[0]) * xy[1], factor * g * jax.numpy.sin(xy[0])),
        )
        return f

    x, y = np.random.default_rng(0).uniform(0.5, 1.5, (2, 2, 3))
    assert verdicts(check_vjp(function(1.0), x, y)) == {"x": "pass", "y": "pass"}
    assert verdicts(check_vjp(function(1 + 1e-7), x, y)) == {"x": "pass", "y": "fail"}
    offset = jax.custom_vjp(lambda x: 100 + jax.numpy.sin(x))
    offset.defvjp(lambda x: (100 + jax.numpy.sin(x), x), lambda x, g: (g * jax.numpy.cos(x),))
    assert check_vjp(offset, x.astype(np.float32)).checks[0].bound < 1e-9


def test_where_jax_is_wrong() -> None:
    """Its check_grads passes a gradient of 0, and fails a correct ReLU network, in which one step crosses kinks."""
    jax = pytest.importorskip("jax")
    from jax.test_util import check_grads

    nothing = jax.custom_vjp(lambda x: 1e-6 * (x * x).sum())
    nothing.defvjp(lambda x: (nothing(x), x), lambda x, g: (0 * x,))
    with jax.enable_x64(True):
        check_grads(nothing, (ONES / 4,), 1, modes=["rev"])
        small = jax.custom_vjp(lambda x: (jax.numpy.sin(x), 1e12 * jax.numpy.cos(x)))
        small.defvjp(lambda x: (small(x), x), lambda x, g: (-1e12 * g[1] * jax.numpy.sin(x),))
        check_grads(small, (ONES,), 1, modes=["rev"])
    assert check_vjp(nothing, ONES / 4).verdict == "fail"
    assert check_vjp(small, ONES).checks[0].result.startswith("[0]")

    def loss(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
        Z = W2 @ jax.nn.relu(W1 @ X + b1) + b2
        return -(Y * jax.nn.log_softmax(Z, axis=0)).sum() / X.shape[1]

    network = jax.custom_vjp(loss)
    network.defvjp(lambda *args: (loss(*args), args), lambda args, g: jax.vjp(loss, *args)[1](g))
    alarms = 0
    for seed in range(6):
        arrays = network_at(np.random.default_rng(seed), 784, 10, 10, 64)
        try:
            with jax.enable_x64(True):
                check_grads(loss, arrays, 1, modes=["rev"])
        except AssertionError:
            alarms += 1
            if alarms == 1:
                assert check_vjp(network, *arrays).verdict == "pass"
    assert alarms


def test_where_autograd_is_wrong() -> None:
    """check_grads looks at the first argument only, and passes a gradient of 0; `where` does not sum over broadcast axes."""
    pytest.importorskip("autograd")
    import autograd.numpy as anp
    from autograd import make_vjp
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def where_vjp(g: Any, x: Any, y: Any) -> Any:
        return tuple(make_vjp(lambda *args: anp.where(x > 0, *args), k)(x, y)[0](g) for k in (0, 1))

    x, y = np.random.default_rng(0).standard_normal((3, 4)), np.ones(4)
    second_wrong, nothing = (primitive(f) for f in (lambda x, y: np.sin(x) * y, lambda x: 1e-6 * (x * x).sum()))
    defvjp(second_wrong, lambda out, x, y: lambda g: g * np.cos(x) * y, lambda out, x, y: lambda g: 0 * g)
    defvjp(nothing, lambda out, x: lambda g: 0 * x)
    check_grads(second_wrong, modes=["rev"])(x, x)
    check_grads(nothing, modes=["rev"])(x / 9)
    report = check_vjp(second_wrong, lambda g, x, y: tuple(make_vjp(second_wrong, k)(x, y)[0](g) for k in (0, 1)), x, x)
    assert [check.verdict for check in report.checks] == ["pass", "fail"]
    assert check_vjp(nothing, lambda g, x: make_vjp(nothing)(x)[0](g), x / 9).verdict == "fail"
    assert verdicts(check_vjp(lambda x, y: np.where(x > 0, x, y), where_vjp, x, y))["y"] == "fail"


def test_what_torch_does_not_differentiate_is_left_alone() -> None:
    """A number, and a tensor that requires no gradient: None for their gradients is right."""
    torch = pytest.importorskip("torch")

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, mask: Any, factor: Any) -> Any:
            ctx.save_for_backward(x, mask)
            ctx.factor = factor
            return factor * mask * x**3

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, mask = ctx.saved_tensors
            assert mask.dtype == x.dtype  # both are promoted
            return 3 * g * ctx.factor * mask * x**2, None, None

    x, mask = torch.tensor([0.5, 1.0, -2.0], requires_grad=True), torch.tensor([1.0, 0.5, 1.0])
    assert verdicts(check_vjp(Scaled, x, mask, 2.5)) == {"x": "pass"}
    assert verdicts(check_vjp(Scaled, x.detach(), mask, 2.5)) == {"x": "pass", "mask": "fail"}


def test_the_modules_are_found_under_their_former_names() -> None:
    former = [importlib.import_module(f"tinygrad_lite.verify.{name}") for name in ("gradcheck", "numerical")]
    assert former[0].check_vjp is check_vjp
    assert former[1].numerical_gradient is numerical_gradient
