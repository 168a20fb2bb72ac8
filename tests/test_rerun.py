"""Mistakes that no line shows by itself: in loops over samples, chains of unnamed steps, and what is returned."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tl
from tests.catalogue import define
from tinygrad_lite.verify import check, one_hot, verify

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def loop_loss(X, Y, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = tl.sigmoid(Z1)
    Z2 = W2 @ A1 + b2
    return 0.5 * ((Z2 - Y) ** 2).sum() / X.shape[1]


def loop_backward(X, Y, W1, b1, W2, b2):
    m = Y.shape[1]
    dW1 = np.zeros_like(W1)
    db1 = np.zeros_like(b1)
    dW2 = np.zeros_like(W2)
    db2 = np.zeros_like(b2)
    for i in range(m):
        x = X[:, i : i + 1]
        t = Y[:, i : i + 1]
        a = 1 / (1 + np.exp(-(W1 @ x + b1)))
        out = W2 @ a + b2
        delta = out - t
        dW2 += delta @ a.T
        db2 += delta
        back = W2.T @ delta
        inner = back * a * (1 - a)
        dW1 += inner @ x.T
        db1 += inner
    return {"dW1": dW1 / m, "db1": db1 / m, "dW2": dW2 / m, "db2": db2 / m}


def norm_loss(X, Y, gamma, beta, W):
    mu = X.mean(axis=1, keepdims=True)
    D = X - mu
    v = (D**2).mean(axis=1, keepdims=True)
    N = D / (v + 1e-5) ** 0.5
    O = gamma * N + beta  # noqa: E741
    return ((O @ W - Y) ** 2).mean() + 0.01 * (W**2).sum()


def norm_backward(X, Y, gamma, beta, W):
    d = X.shape[1]
    mean = X.sum(axis=1, keepdims=True) / d
    c = X - mean
    variance = (c * c).sum(axis=1, keepdims=True) / d
    istd = (variance + 1e-5) ** -0.5
    norm = c * istd
    scaled = gamma * norm + beta
    err = scaled @ W - Y
    g = 2 * err / err.size
    dW = scaled.T @ g + 0.02 * W
    gs = g @ W.T
    dgamma = np.sum(gs * norm, axis=0)
    dbeta = np.sum(gs, axis=0)
    gn = gs * gamma
    s1 = gn.sum(axis=1, keepdims=True)
    s2 = (gn * norm).sum(axis=1, keepdims=True)
    dX = istd / d * (d * gn - s1 - norm * s2)
    return {"dX": dX, "dgamma": dgamma, "dbeta": dbeta, "dW": dW}


def embedding_loss(T, Y, E, W):
    H = T @ E
    Z = H @ W
    return tl.softmax_cross_entropy(Z, Y, axis=1).mean()


def embedding_backward(T, Y, E, W):
    n = T.shape[0]
    ids = T.argmax(axis=1)
    H = E[ids]
    S = np.exp(H @ W - (H @ W).max(axis=1, keepdims=True))
    S = S / S.sum(axis=1, keepdims=True)
    G = (S - Y) / n
    dW = H.T @ G
    dH = G @ W.T
    dE = np.zeros_like(E)
    np.add.at(dE, ids, dH)
    return {"dE": dE, "dW": dW}


LOOP = {"X": "n m", "Y": "c m", "W1": "h n", "b1": "h 1", "W2": "c h", "b2": "c 1"}
NORM = {"X": "m n", "Y": "m k", "gamma": "n", "beta": "n", "W": "n k"}
EMBEDDING = {"T": one_hot("m v"), "Y": one_hot("m c"), "E": "v n", "W": "n c"}  # its n is not the function's
NETWORKS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = {
    "loop": (loop_backward, loop_loss, LOOP),
    "norm": (norm_backward, norm_loss, NORM),
    "embedding": (embedding_backward, embedding_loss, EMBEDDING),
}

# network, old, new, the line to blame, what the reason says, the fix (None: the old text)
MISTAKES = [
    ("loop", "delta = out - t", "delta = t - out", "delta", "wrong way round", None),
    ("loop", "inner = back * a * (1 - a)", "inner = back * a * (1 + a)", "inner", "+ stands where - belongs", None),
    ("loop", "db1 += inner", "db1 += back", "db1", "back stands where inner belongs", None),
    ("loop", "dW2 += delta @ a.T", "dW2 = delta @ a.T", "dW2", "writes over", None),
    ("loop", "for i in range(m):", "for i in range(m - 1):", "i", "too much", None),
    ("loop", "m = Y.shape[1]", "m, c = Y.shape", "m", "m and c stand in each other's places", "c, m = Y.shape"),
    ("loop", "dW1 += inner @ x.T", "dW1 += inner @ x", "dW1", "raises", None),
    ("loop", "t = Y[:, i : i + 1]", "t = Y[:, i:i + 1].T", "t", "transposed", "t = Y[:, i:i + 1]"),
    ("loop", '"db1": db1 / m', '"db1": db2 / m', "db1", "db2 stands where db1 belongs", None),
    (
        "norm",
        "s2 = (gn * norm).sum(axis=1, keepdims=True)",
        "s2 = (gn * c).sum(axis=1, keepdims=True)",
        "s2",
        "c",
        None,
    ),
    ("norm", "istd = (variance + 1e-5)", "istd = (variance + 1e-2)", "istd", "0.01 stands where 1e-05 belongs", ""),
    ("norm", "dW = scaled.T @ g + 0.02 * W", "dW = scaled.T @ g", "dW", "the term W / 50 is missing", ""),
    (
        "norm",
        '"dgamma": dgamma, "dbeta": dbeta',
        '"dgamma": dbeta, "dbeta": dbeta',
        "dgamma",
        "returned under the name",
        "",
    ),
    ("embedding", "dH = G @ W.T", "dH = Y @ W.T", "dH", "Y stands where G belongs", None),
    ("embedding", "dH = G @ W.T", "dH = G @ W", "dH", "W is not transposed", None),
    ("embedding", "H = E[ids]", "H = E[ids].T", "H", "transposed, but must not be", None),
    ("embedding", "np.add.at(dE, ids, dH)", "np.add.at(dE, ids, dH.T)", "dE", "dH is transposed", None),
    (
        "embedding",
        "np.exp(H @ W - (H @ W).max(axis=1, keepdims=True))",
        "np.exp(H @ W)",
        "S",
        "it overflows for large",
        "",
    ),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "smallest", lambda *_: None)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_right_ones_are_called_right(name: str) -> None:
    backward, loss, shapes = NETWORKS[name]
    report = verify(backward, loss, shapes, examples=60, raises=False)
    assert report.ok, str(report)


QUICK = {"loop"}  # the other networks take longer


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "reason", "fix"),
    [case if case[0] in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in MISTAKES],
)
def test_the_statement_is_named_and_repaired(name, old, new, line, reason, fix) -> None:
    backward, loss, shapes = NETWORKS[name]
    source = inspect.getsource(backward)
    assert source.count(old) == 1
    wrong = define(source.replace(old, new), backward, f"<{name} {new}>")
    report = verify(wrong, loss, shapes, examples=1, raises=False)
    found = [formula for formula in report.formulas.values() if formula.verdict != "right"]
    assert [formula.name for formula in found] == [line], str(report)
    assert reason in found[0].reason
    assert found[0].fix is not None
    assert found[0].fix == old if fix is None else fix in found[0].fix


@pytest.mark.slow
def test_the_answer_does_not_depend_on_the_time() -> None:
    backward, loss, shapes = NETWORKS["norm"]
    source = inspect.getsource(backward).replace("norm * s2", "s2")
    wrong = define(source, backward, "<norm twice>")
    one, two = (verify(wrong, loss, shapes, examples=1, raises=False).summary for _ in range(2))
    assert one == two
