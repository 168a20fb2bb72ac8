"""Every model: its gradients equal numerical ones for generated sizes, data and weights, and it trains and is drawn."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from models.autoencoder import Autoencoder
from models.char_transformer import CharTransformer
from models.deep_mlp import DeepMLP
from models.lenet import LeNet
from models.logistic_regression import LogisticRegression
from models.mnist_two_layer import TwoLayer
from tinygrad_lite import Tensor, data, gradients, nn
from tinygrad_lite.modelfile import instantiate, load_model
from tinygrad_lite.numeric.slope import derivative
from tinygrad_lite.op import REGISTRY
from tinygrad_lite.tensor import leaf_node
from tinygrad_lite.train import train

ROOT = Path(__file__).parents[1]
Random = np.random.Generator
Made = tuple[Any, Any, Any]  # the model, X and Y


def one_hot(rng: Random, classes: int, m: int) -> Any:
    return np.eye(classes)[:, rng.integers(0, classes, m)]


def size(rng: Random) -> int:
    return int(rng.integers(1, 6))


def two_layer(rng: Random, m: int) -> Made:
    inputs, hidden, classes = size(rng), size(rng), 1 + size(rng)
    return TwoLayer(inputs, hidden, classes), rng.standard_normal((inputs, m)), one_hot(rng, classes, m)


def logistic(rng: Random, m: int) -> Made:
    inputs, classes = size(rng), 1 + size(rng)
    return LogisticRegression(inputs, classes), rng.standard_normal((inputs, m)), one_hot(rng, classes, m)


def deep(rng: Random, m: int) -> Made:
    inputs, classes = size(rng), 1 + size(rng)
    return DeepMLP(inputs, (size(rng), size(rng)), classes), rng.standard_normal((inputs, m)), one_hot(rng, classes, m)


def lenet(rng: Random, m: int) -> Made:
    return LeNet(), rng.random((784, m)), one_hot(rng, 10, m)


def autoencoder(rng: Random, m: int) -> Made:
    inputs = size(rng)
    X = rng.random((inputs, m))
    return Autoencoder(inputs, size(rng), size(rng)), X, X


def transformer(rng: Random, m: int) -> Made:
    length, heads = size(rng), int(rng.integers(1, 3))
    windows = rng.integers(0, 256, (2, length, m)).astype(np.uint8)
    return CharTransformer(length, 2 * heads, heads, size(rng) % 3), *windows


MODELS: dict[str, Callable[[Random, int], Made]] = {
    "mnist_two_layer": two_layer,
    "logistic_regression": logistic,
    "deep_mlp": deep,
    "lenet": lenet,
    "autoencoder": autoencoder,
    "char_transformer": transformer,
}


def in_double_precision(net: nn.Module, rng: Random) -> None:
    """Give a model float64 parameters, none of them zero."""
    for p in net.parameters():
        p._array = p._array + 0.1 * rng.standard_normal(p.shape)
        p._node = leaf_node(p, requires_grad=True, name=p.name)


def check(name: str, seed: int, m: int) -> None:
    """The gradient with respect to each parameter equals a numerical derivative along a random direction."""
    rng = np.random.default_rng(seed)
    tl.manual_seed(seed)
    net, X, Y = MODELS[name](rng, m)
    in_double_precision(net, rng)
    params = net.parameters()
    found = gradients(net.loss(X, Y), params)
    for p, g in zip(params, found, strict=True):
        start, direction = p._array, rng.standard_normal(p.shape)

        def along(t: float, p: Any = p, start: Any = start, direction: Any = direction) -> float:
            p._array = start + t * direction
            return float(net.loss(X, Y).item())

        # A large step crosses kinks and a small one loses digits: one of them must agree.
        numerical = [derivative(along, h=h, rounds=3) for h in (1e-3, 1e-5, 1e-7)]
        p._array = start
        exact = float(np.sum(g.numpy() * direction))
        scale = float(np.sum(np.abs(g.numpy() * direction)))
        assert min(abs(exact - value) for value in numerical) <= 1e-5 * scale + 1e-8, p.name


SLOW = {"char_transformer"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in MODELS])
@given(seed=st.integers(0, 10**6), m=st.integers(1, 4))
@settings(max_examples=10)
def test_the_gradients_are_right(name: str, seed: int, m: int) -> None:
    check(name, seed, m)


USED = {
    "mnist_two_layer": ["matmul", "add", "relu", "softmax_cross_entropy", "mean"],
    "logistic_regression": ["matmul", "add", "softmax_cross_entropy", "mean"],
    "deep_mlp": ["matmul", "relu"],
    "lenet": ["max_pool", "relu"],
    "autoencoder": ["sigmoid", "matmul"],
    "char_transformer": ["gelu", "softmax"],
}


@pytest.mark.parametrize(("name", "op"), [(name, op) for name, ops in USED.items() for op in ops])
def test_a_mutant_is_noticed(name: str, op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = REGISTRY[op]
    rule = record.vjps[0]
    monkeypatch.setitem(record.__dict__, "plans", {})
    monkeypatch.setitem(
        record.__dict__,
        "vjps",
        [functools.wraps(rule)(lambda *args, **params: rule(*args, **params) * 1.01), *record.vjps[1:]],
    )
    with pytest.raises(AssertionError):
        for seed in range(6):
            check(name, seed, 2)


def test_every_model_file_is_tested() -> None:
    files = {path.stem for path in (ROOT / "models").glob("[a-z]*.py")} - {"handwritten"}
    assert files == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_it_trains_and_is_drawn(name: str, tmp_path: Path) -> None:
    net: Any = instantiate(load_model(ROOT / "models" / f"{name}.py"), 0)
    digits = data.digits()
    if name == "char_transformer":
        text = tmp_path / "text.txt"
        text.write_text("to be or not to be, that is the question. " * 60)
        dataset = net.data(str(text))
    elif name == "autoencoder":
        dataset = data.Dataset(
            data.Split(digits.train.X, digits.train.X), data.Split(digits.test.X, digits.test.X), "digits"
        )
    else:
        dataset = digits
    before = net.loss(dataset.test.X, dataset.test.Y).item()
    metrics = train(net, dataset, steps=20, out=tmp_path / "run")
    assert metrics["test_loss"] < 0.95 * before
    assert (metrics["test_accuracy"] is None) == (dataset.test.labels is None)
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"weights.safetensors", "metrics.json", "curve.png"}
    assert "<svg" in (tmp_path / "run" / "graph.svg").read_text("utf-8")


def test_the_transformer_sees_nothing_of_what_follows() -> None:
    net = CharTransformer(8, 8, 2, 2)
    X = np.arange(8, dtype=np.uint8)[:, None]
    other = X.copy()
    other[5:] = 200
    np.testing.assert_allclose(net(X).numpy()[:, :5], net(other).numpy()[:, :5], rtol=1e-5, atol=1e-6)
    assert not np.allclose(net(X).numpy()[:, 5:], net(other).numpy()[:, 5:])


def test_the_transformer_writes_and_repeats_itself_after_a_seed() -> None:
    net = CharTransformer(8, 8, 2, 1)
    tl.manual_seed(1)
    text = net.write("ab", 5)
    tl.manual_seed(1)
    assert text == net.write("ab", 5)
    assert text.startswith("ab")


@pytest.mark.parametrize(
    ("source", "message"), [(None, "--data book.txt"), ("missing.txt", "missing.txt: No such file"), (__file__, None)]
)
def test_the_transformer_says_what_text_it_needs(source: str | None, message: str | None) -> None:
    net = CharTransformer()
    if message is None:
        split = net.data(source).train
        np.testing.assert_array_equal(split.X[1:, 0], split.Y[:-1, 0])
        return
    with pytest.raises(data.DataError, match=message):
        net.data(source)


def test_a_text_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("abc")
    with pytest.raises(data.DataError, match="3 bytes are too few"):
        CharTransformer().data(str(tmp_path / "short.txt"))


def test_logits_and_probabilities_agree() -> None:
    for net in (DeepMLP(), LeNet()):
        X = np.random.default_rng(0).random((784, 3), dtype=np.float32)
        P = net(X)
        assert isinstance(P, Tensor)
        assert P.shape == (10, 3)
        np.testing.assert_allclose(P.numpy().sum(axis=0), 1, rtol=1e-5)
