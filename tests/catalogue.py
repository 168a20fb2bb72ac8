"""Mistakes that people make in handwritten backward passes, and correct rewritings that are no mistakes.

Eight small networks, each with its backward pass in plain NumPy, in different styles.  A mistake replaces text in one of
them.  `python -m tests.catalogue` checks all of it against autodiff.

The kinds: scale (a factor of a size), constant (another factor or number), sign, transpose (a .T too few, too many or at
the wrong place), axis (of a sum, or its keepdims), label (a gradient under another's name), mask (of ReLU), activation
(its derivative), missing, extra, operator, operand (another array), index, function, order (of factors, lines or
brackets), double.
"""

from __future__ import annotations

import inspect
import itertools
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from models import handwritten
from tinygrad_lite import Tensor, gradients, mse, relu, sigmoid, sigmoid_cross_entropy, softmax_cross_entropy, tanh


class Network(NamedTuple):
    """A backward pass in NumPy that is right, and the loss that it belongs to."""

    backward: Callable[..., Any]
    loss: Callable[..., Tensor]
    shapes: dict[str, str]
    labels: dict[str, str]
    returns: tuple[str, ...]  # the names of what backward returns, in order
    scale: str  # of its dZ: "sample" for m ∂J/∂Z, "mean" for ∂J/∂Z


class Mistake(NamedTuple):
    """Text `old`, which occurs once in the backward pass, becomes `new`; then the line that assigns `line` is wrong."""

    id: str
    network: str
    old: str
    new: str
    line: str  # "return" where the gradients are right but returned wrongly
    kind: str
    why: str
    needs: str = ""  # the cases that show it, where ordinary ones do not
    instead: tuple[str, ...] = ()  # lines that one may blame together instead of `line`: a change of scale shows in all
    second: tuple[str, str, str] | None = None  # old, new and line of a second mistake elsewhere


class Equivalent(NamedTuple):
    """Edits after which the backward pass is still right."""

    id: str
    network: str
    edits: tuple[tuple[str, str], ...]
    why: str


# --- the networks: backward passes as students write them -------------------------------------------------------------


def relu_loss(X, Y, W1, b1, W2, b2):
    """Two layers, ReLU and softmax: its backward pass is that of models/handwritten.py."""
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    Z2 = W2 @ A1 + b2
    return softmax_cross_entropy(Z2, Y, axis=0).mean()


def tanh_loss(X, Y, W1, b1, W2, b2):
    """Two layers, tanh and softmax."""
    Z1 = W1 @ X + b1
    A1 = tanh(Z1)
    Z2 = W2 @ A1 + b2
    return softmax_cross_entropy(Z2, Y, axis=0).mean()


def tanh_backward(X, Y, W1, b1, W2, b2):
    """Forward and backward in one, with np.dot; returns a tuple."""
    m = X.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    E = np.exp(Z2 - Z2.max(axis=0, keepdims=True))
    A2 = E / E.sum(axis=0, keepdims=True)

    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dA1 = np.dot(W2.T, dZ2)
    dZ1 = dA1 * (1 - A1**2)
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


def sigmoid_loss(X, Y, W1, b1, W2, b2):
    """Two layers of sigmoids, k yes-or-no labels a sample, binary cross-entropy summed over them."""
    Z1 = W1 @ X + b1
    A1 = sigmoid(Z1)
    Z2 = W2 @ A1 + b2
    return sigmoid_cross_entropy(Z2, Y).sum(axis=0).mean()


def sigmoid_forward(X, W1, b1, W2, b2):
    """Return both activations."""
    A1 = np.exp(-np.logaddexp(0, -(W1 @ X + b1)))
    A2 = np.exp(-np.logaddexp(0, -(W2 @ A1 + b2)))
    return A1, A2


def sigmoid_backward(X, Y, W1, b1, W2, b2):
    """The 1/m stands once, in dZ2."""
    A1, A2 = sigmoid_forward(X, W1, b1, W2, b2)
    m = X.shape[1]
    dZ2 = (A2 - Y) / m
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dA1 = W2.T @ dZ2
    dZ1 = dA1 * A1 * (1 - A1)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


def bce_loss(X, Y, W1, b1, W2, b2):
    """ReLU, then one sigmoid output with its cross-entropy written out."""
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    Z2 = W2 @ A1 + b2
    A2 = sigmoid(Z2)
    return -(Y * A2.log() + (1 - Y) * (1 - A2).log()).mean()


def bce_backward(X, Y, W1, b1, W2, b2):
    """Every step of the chain rule on a line of its own, as in online courses."""
    m = Y.shape[1]
    Z1 = W1 @ X + b1
    A1 = Z1 * (Z1 > 0)
    Z2 = W2 @ A1 + b2
    A2 = 1 / (1 + np.exp(-Z2))
    dA2 = -Y / A2 + (1 - Y) / (1 - A2)
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = (1 / m) * np.matmul(dZ2, A1.T)
    db2 = (1 / m) * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.matmul(W2.T, dZ2)
    dZ1 = np.where(Z1 > 0, dA1, 0)
    dW1 = (1 / m) * np.matmul(dZ1, X.T)
    db1 = (1 / m) * np.sum(dZ1, axis=1, keepdims=True)
    return {"dA2": dA2, "dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1}


def linear_loss(X, Y, W, b):
    """Linear regression, half the squared error."""
    m = X.shape[1]
    Z = W @ X + b
    return 1 / (2 * m) * ((Z - Y) ** 2).sum()


def linear_backward(X, Y, W, b):
    """One layer; the ½ of the loss takes the 2 away."""
    m = X.shape[1]
    Z = W @ X + b
    dZ = Z - Y
    dW = dZ @ X.T / m
    db = dZ.sum(axis=1, keepdims=True) / m
    return {"dZ": dZ, "dW": dW, "db": db}


def mse_loss(X, Y, W1, b1, W2, b2):
    """Two layers, ReLU; the mean squared error over all entries."""
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    Z2 = W2 @ A1 + b2
    return mse(Z2, Y)


def mse_backward(X, Y, W1, b1, W2, b2):
    """Mean scale, a named mask, and sums without axis= by a column of ones."""
    Z1 = W1 @ X + b1
    mask = Z1 > 0
    A1 = mask * Z1
    Z2 = W2 @ A1 + b2
    k, m = Y.shape
    ones = np.ones((m, 1))
    dZ2 = 2 * (Z2 - Y) / (k * m)
    dW2 = dZ2 @ A1.T
    db2 = dZ2 @ ones
    dZ1 = (W2.T @ dZ2) * mask
    dW1 = dZ1 @ X.T
    db1 = dZ1 @ ones
    return {"dW2": dW2, "db2": db2, "dW1": dW1, "db1": db1}


def three_loss(X, Y, W1, b1, W2, b2, W3, b3):
    """Three layers: ReLU, tanh, softmax."""
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    Z2 = W2 @ A1 + b2
    A2 = tanh(Z2)
    Z3 = W3 @ A2 + b3
    return softmax_cross_entropy(Z3, Y, axis=0).mean()


def three_backward(X, Y, W1, b1, W2, b2, W3, b3):
    """Means instead of sums for the biases."""
    m = X.shape[1]
    Z1 = W1 @ X + b1
    A1 = np.maximum(0, Z1)
    Z2 = W2 @ A1 + b2
    A2 = np.tanh(Z2)
    Z3 = W3 @ A2 + b3
    A3 = np.exp(Z3 - Z3.max(axis=0))
    A3 = A3 / A3.sum(axis=0)
    dZ3 = A3 - Y
    dW3 = dZ3 @ A2.T / m
    db3 = dZ3.mean(axis=1, keepdims=True)
    dA2 = W3.T @ dZ3
    dZ2 = (1 - A2 * A2) * dA2
    dW2 = dZ2 @ A1.T / m
    db2 = dZ2.mean(axis=1, keepdims=True)
    dA1 = W2.T @ dZ2
    dZ1 = (Z1 > 0) * dA1
    dW1 = dZ1 @ X.T / m
    db1 = dZ1.mean(axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2, "dW3": dW3, "db3": db3}


def rows_loss(X, Y, W1, b1, W2, b2):
    """Rows are samples: Z1 = X W1 + b1."""
    Z1 = X @ W1 + b1
    A1 = relu(Z1)
    Z2 = A1 @ W2 + b2
    return softmax_cross_entropy(Z2, Y, axis=1).mean()


def rows_backward(X, Y, W1, b1, W2, b2):
    """Rows are samples; mean scale; masked in place."""
    m = X.shape[0]
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ W2 + b2
    P = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)

    dZ2 = (P - Y) / m
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dZ1 = dZ2 @ W2.T
    dZ1[Z1 <= 0] = 0
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dZ1": dZ1, "dW1": dW1, "db1": db1}


TWO = {"X": "n m", "Y": "c m", "W1": "h n", "b1": "h 1", "W2": "c h", "b2": "c 1"}
ROWS = {"X": "m n", "Y": "m c", "W1": "n h", "b1": "h", "W2": "h c", "b2": "c"}
ONE_OUTPUT = TWO | {"Y": "1 m", "W2": "1 h", "b2": "1 1"}
LINEAR = {"X": "n m", "Y": "k m", "W": "k n", "b": "k 1"}
THREE = {"X": "n m", "Y": "c m", "W1": "h n", "b1": "h 1", "W2": "k h", "b2": "k 1", "W3": "c k", "b3": "c 1"}
FOUR_GRADIENTS = ("dW1", "db1", "dW2", "db2")
SIX = ("dZ2", "dW2", "db2", "dZ1", "dW1", "db1")
EIGHT = ("dA2", "dZ2", "dW2", "db2", "dA1", "dZ1", "dW1", "db1")
OF_THREE = ("dW1", "db1", "dW2", "db2", "dW3", "db3")
OF_MSE = ("dW2", "db2", "dW1", "db1")

NETWORKS = {
    "relu": Network(handwritten.backward, relu_loss, TWO, {"Y": "one_hot"}, SIX, "sample"),
    "tanh": Network(tanh_backward, tanh_loss, TWO, {"Y": "one_hot"}, FOUR_GRADIENTS, "sample"),
    "sigmoid": Network(sigmoid_backward, sigmoid_loss, TWO, {"Y": "binary"}, FOUR_GRADIENTS, "mean"),
    "bce": Network(bce_backward, bce_loss, ONE_OUTPUT, {"Y": "binary"}, EIGHT, "sample"),
    "linear": Network(linear_backward, linear_loss, LINEAR, {"Y": "real"}, ("dZ", "dW", "db"), "sample"),
    "mse": Network(mse_backward, mse_loss, TWO, {"Y": "real"}, OF_MSE, "mean"),
    "three": Network(three_backward, three_loss, THREE, {"Y": "one_hot"}, OF_THREE, "sample"),
    "rows": Network(rows_backward, rows_loss, ROWS, {"Y": "one_hot"}, SIX, "mean"),
}

LARGE = "large values"
DOUBLE = "float64"
DOWNSTREAM = ("dW2", "db2", "dW1", "db1")


def mistakes_of(network: str, *rows: Any) -> list[Mistake]:
    """The rows are (id, line, kind, old, new, why), then a dict of what else there is to say."""
    found = []
    for name, line, kind, old, new, why, *more in rows:
        found.append(Mistake(f"{network}/{name}", network, old, new, line, kind, why, **(more[0] if more else {})))
    return found


# --- the mistakes -----------------------------------------------------------------------------------------------------

# fmt: off
MISTAKES = mistakes_of(
    "relu",
    ("m-rows", "m", "index", "X.shape[1]", "X.shape[0]", "m is the number of inputs"),
    ("m-classes", "m", "operand", "X.shape[1]", "Y.shape[0]", "m is the number of classes"),
    ("m-hidden", "m", "operand", "X.shape[1]", "W1.shape[0]", "m is the number of hidden units"),
    ("m-minus-1", "m", "constant", "X.shape[1]", "X.shape[1] - 1", "m − 1 for m"),
    ("m-ten", "m", "constant", "X.shape[1]", "10", "m is a hard-coded 10"),
    ("m-size", "m", "operand", "X.shape[1]", "X.size", "m counts all entries of X"),
    ("dZ2-sign", "dZ2", "sign", "A2 - Y", "Y - A2", "the sign is turned"),
    ("dZ2-plus", "dZ2", "operator", "A2 - Y", "A2 + Y", "+ for −"),
    ("dZ2-no-Y", "dZ2", "missing", "A2 - Y", "A2", "the labels are missing"),
    ("dZ2-logits", "dZ2", "operand", "A2 - Y", 'cache["Z2"] - Y', "Z2 for A2"),
    ("dZ2-softmax-derivative", "dZ2", "extra", "A2 - Y", "(A2 - Y) * A2 * (1 - A2)",
     "a second softmax derivative A2 (1 − A2)"),
    ("dZ2-over-m", "dZ2", "scale", "A2 - Y", "(A2 - Y) / m", "the 1/m is there twice, here and in dW, db",
     {"instead": DOWNSTREAM}),
    ("dZ2-times-2", "dZ2", "constant", "A2 - Y", "2 * (A2 - Y)", "a factor 2 too much"),
    ("dZ2-smoothed", "dZ2", "extra", "A2 - Y", "A2 - (0.9 * Y + 0.1 / Y.shape[0])", "label smoothing"),
    ("dZ2-rounded", "dZ2", "function", "A2 - Y", "np.round(A2 - Y, 3)", "rounded to three digits"),
    ("dZ2-abs", "dZ2", "function", "A2 - Y", "np.abs(A2 - Y)", "the absolute value is taken"),
    ("dZ2-squared", "dZ2", "operator", "A2 - Y", "(A2 - Y) ** 2", "the difference is squared"),
    ("dZ2-hard", "dZ2", "function", "A2 - Y", "(A2 == A2.max(axis=0)) - Y",
     "the most likely class in place of the probabilities"),
    ("dW2-no-m", "dW2", "scale", "1 / m * dZ2 @", "dZ2 @", "the 1/m is missing"),
    ("dW2-m-twice", "dW2", "scale", "1 / m * dZ2 @", "1 / m**2 * dZ2 @", "1/m² for 1/m"),
    ("dW2-times-m", "dW2", "operator", "1 / m * dZ2 @", "m * dZ2 @", "m for 1/m"),
    ("dW2-classes", "dW2", "scale", "1 / m * dZ2 @", "1 / Y.shape[0] * dZ2 @", "1/c for 1/m"),
    ("dW2-inputs", "dW2", "scale", "1 / m * dZ2 @", "1 / X.shape[0] * dZ2 @", "1/n for 1/m"),
    ("dW2-root", "dW2", "function", "1 / m * dZ2 @", "1 / np.sqrt(m) * dZ2 @", "1/√m for 1/m"),
    ("dW2-half", "dW2", "constant", "1 / m * dZ2 @", "1 / (2 * m) * dZ2 @", "1/(2m) for 1/m"),
    ("dW2-X", "dW2", "operand", "dZ2 @ A1.T", "dZ2 @ X.T", "X for A1"),
    ("dW2-Z1", "dW2", "operand", "dZ2 @ A1.T", "dZ2 @ Z1.T", "Z1 for A1"),
    ("dW2-A2", "dW2", "operand", "dZ2 @ A1.T", "dZ2 @ A2.T", "A2 for A1"),
    ("dW2-no-T", "dW2", "transpose", "dZ2 @ A1.T", "dZ2 @ A1", "A1 is not transposed"),
    ("dW2-T", "dW2", "transpose", "1 / m * dZ2 @ A1.T", "(1 / m * dZ2 @ A1.T).T", "the result is transposed"),
    ("dW2-times", "dW2", "operator", "dZ2 @ A1.T", "dZ2 * A1.T", "* for @"),
    ("dW2-decay", "dW2", "extra", "dZ2 @ A1.T", "dZ2 @ A1.T + 0.01 * W2", "a regularisation term that J does not have"),
    ("dW2-first-dropped", "dW2", "index", "dZ2 @ A1.T", "dZ2[:, 1:] @ A1[:, 1:].T", "the first sample is left out"),
    ("dW2-clipped", "dW2", "extra", "1 / m * dZ2 @ A1.T", "np.clip(1 / m * dZ2 @ A1.T, -5, 5)",
     "clipped to ±5", {"needs": LARGE}),
    ("dW2-update", "dW2", "extra", "1 / m * dZ2 @ A1.T", "W2 - 0.1 / m * dZ2 @ A1.T", "the new weight, not the gradient"),
    ("db2-no-m", "db2", "scale", "1 / m * np.sum(dZ2", "np.sum(dZ2", "the 1/m is missing"),
    ("db2-all", "db2", "axis", "np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2)", "summed over everything"),
    ("db2-axis", "db2", "axis", "np.sum(dZ2, axis=1", "np.sum(dZ2, axis=0", "summed over the classes, not the samples"),
    ("db2-keepdims", "db2", "axis", "np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2, axis=1)", "keepdims is missing"),
    ("db2-mean", "db2", "scale", "np.sum(dZ2, axis=1", "np.mean(dZ2, axis=1", "divided by m twice: mean, and 1/m"),
    ("db2-max", "db2", "function", "np.sum(dZ2, axis=1", "np.max(dZ2, axis=1", "max for sum"),
    ("dZ1-no-mask", "dZ1", "mask", "W2.T @ dZ2 * (Z1 > 0)", "W2.T @ dZ2", "the mask of ReLU is missing"),
    ("dZ1-mask-dZ2", "dZ1", "mask", "(Z1 > 0)", "(dZ2 > 0)", "the mask is taken from dZ2"),
    ("dZ1-mask-A1-ge", "dZ1", "mask", "(Z1 > 0)", "(A1 >= 0)", "A1 ≥ 0 is always true"),
    ("dZ1-mask-inverted", "dZ1", "mask", "(Z1 > 0)", "(Z1 < 0)", "the mask is inverted"),
    ("dZ1-mask-sign", "dZ1", "mask", "(Z1 > 0)", "np.sign(Z1)", "sign for the step"),
    ("dZ1-leaky", "dZ1", "mask", "(Z1 > 0)", "np.where(Z1 > 0, 1, 0.01)", "the derivative of leaky ReLU"),
    ("dZ1-mask-one", "dZ1", "constant", "(Z1 > 0)", "(Z1 > 1)", "1 for 0 in the mask"),
    ("dZ1-times-A1", "dZ1", "mask", "(Z1 > 0)", "A1", "ReLU itself in place of its derivative"),
    ("dZ1-relu-of-it", "dZ1", "mask", "W2.T @ dZ2 * (Z1 > 0)", "np.maximum(W2.T @ dZ2, 0)", "ReLU of the gradient"),
    ("dZ1-tanh", "dZ1", "activation", "(Z1 > 0)", "(1 - A1**2)", "the derivative of tanh"),
    ("dZ1-W1", "dZ1", "operand", "W2.T @ dZ2", "W1.T @ dZ2", "W1 for W2"),
    ("dZ1-no-T", "dZ1", "transpose", "W2.T @ dZ2", "W2 @ dZ2", "W2 is not transposed"),
    ("dZ1-order", "dZ1", "order", "W2.T @ dZ2", "dZ2 @ W2.T", "the factors are swapped"),
    ("dZ1-m", "dZ1", "scale", "W2.T @ dZ2", "1 / m * W2.T @ dZ2", "a 1/m that stands in dW1 and db1 already",
     {"instead": ("dW1", "db1")}),
    ("dZ1-A2", "dZ1", "operand", "W2.T @ dZ2", "W2.T @ A2", "A2 for dZ2"),
    ("dW1-no-m", "dW1", "scale", "1 / m * dZ1 @", "dZ1 @", "the 1/m is missing"),
    ("dW1-hidden", "dW1", "scale", "1 / m * dZ1 @", "1 / W1.shape[0] * dZ1 @", "1/h for 1/m"),
    ("dW1-A1", "dW1", "operand", "dZ1 @ X.T", "dZ1 @ A1.T", "A1 for X"),
    ("dW1-dZ2", "dW1", "label", "dZ1 @ X.T", "dZ2 @ X.T", "dZ2 for dZ1"),
    ("dW1-order", "dW1", "order", "dZ1 @ X.T", "X @ dZ1.T", "the factors are swapped, so the result is transposed"),
    ("db1-no-m", "db1", "scale", "1 / m * np.sum(dZ1", "np.sum(dZ1", "the 1/m is missing"),
    ("db1-dZ2", "db1", "label", "np.sum(dZ1", "np.sum(dZ2", "dZ2 for dZ1"),
    ("db1-dW1", "db1", "label", "np.sum(dZ1", "np.sum(dW1", "dW1 for dZ1"),
    ("db1-first", "db1", "index", "np.sum(dZ1, axis=1, keepdims=True)", "dZ1[:, :1]", "the first sample only"),
    ("return-swapped", "return", "label", '"db1": db1}', '"db1": db2}', "db2 is returned as db1"),
    ("sign-and-m", "dW2", "double", "1 / m * dZ2 @", "-dZ2 @", "the sign is turned and the 1/m is missing"),
    ("mask-and-m", "dZ1", "double", "W2.T @ dZ2 * (Z1 > 0)", "2 * W2.T @ dZ2", "no mask, and a factor 2"),
    ("two-no-m", "dW2", "double", "1 / m * dZ2 @", "dZ2 @", "the 1/m is missing in dW2 and in db1",
     {"second": ("1 / m * np.sum(dZ1", "np.sum(dZ1", "db1")}),
    ("sign-and-mask", "dZ2", "double", "A2 - Y", "Y - A2", "the sign of dZ2 is turned and dZ1 has no mask",
     {"second": (" * (Z1 > 0)", "", "dZ1")}),
) + mistakes_of(
    "tanh",
    ("m-len", "m", "function", "X.shape[1]", "len(X)", "len(X) is the number of inputs"),
    ("Z1-no-bias", "Z1", "missing", "np.dot(W1, X) + b1", "np.dot(W1, X)", "the bias is missing"),
    ("Z2-no-bias", "Z2", "missing", "np.dot(W2, A1) + b2", "np.dot(W2, A1)", "the bias is missing"),
    ("Z2-of-Z1", "Z2", "operand", "np.dot(W2, A1)", "np.dot(W2, Z1)", "Z1 for A1"),
    ("A1-sigmoid", "A1", "function", "np.tanh(Z1)", "1 / (1 + np.exp(-Z1))", "sigmoid for tanh"),
    ("E-no-shift", "E", "missing", "np.exp(Z2 - Z2.max(axis=0, keepdims=True))", "np.exp(Z2)",
     "exp overflows: the maximum is not taken away", {"needs": "very large values", "instead": ("A2",)}),
    ("A2-axis", "A2", "axis", "E.sum(axis=0, keepdims=True)", "E.sum(axis=1, keepdims=True)",
     "normalised over the samples, not the classes"),
    ("A2-all", "A2", "axis", "E.sum(axis=0, keepdims=True)", "E.sum()", "normalised over everything"),
    ("A2-not-normalised", "A2", "missing", "E / E.sum(axis=0, keepdims=True)", "E", "not normalised"),
    ("dZ2-sign", "dZ2", "sign", "A2 - Y", "-(A2 - Y)", "the sign is turned"),
    ("dZ2-ratio", "dZ2", "function", "A2 - Y", "-Y / A2", "the gradient of A2, not of Z2"),
    ("dZ2-float16", "dZ2", "function", "A2 - Y", "(A2 - Y).astype(np.float16)", "rounded to half precision"),
    ("dZ2-float32", "dZ2", "function", "A2 - Y", "(A2 - Y).astype(np.float32)", "rounded to single precision",
     {"needs": DOUBLE}),
    ("dZ2-centred", "dZ2", "extra", "A2 - Y", "(A2 - Y) - (A2 - Y).mean(axis=1, keepdims=True)",
     "the mean over the samples is taken away"),
    ("dW2-no-m", "dW2", "scale", "np.dot(dZ2, A1.T) / m", "np.dot(dZ2, A1.T)", "the 1/m is missing"),
    ("dW2-m-1", "dW2", "constant", "np.dot(dZ2, A1.T) / m", "np.dot(dZ2, A1.T) / (m - 1)", "m − 1 for m"),
    ("dW2-order", "dW2", "order", "np.dot(dZ2, A1.T)", "np.dot(A1, dZ2.T)", "the factors are swapped"),
    ("dW2-Z1", "dW2", "operand", "np.dot(dZ2, A1.T)", "np.dot(dZ2, Z1.T)", "Z1 for A1"),
    ("dW2-T-twice", "dW2", "transpose", "np.dot(dZ2, A1.T)", "np.dot(dZ2.T, A1.T)", "dZ2 is transposed too"),
    ("db2-rows", "db2", "axis", "np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2, axis=1).reshape(1, -1)",
     "a row for a column"),
    ("db2-classes", "db2", "scale", "np.sum(dZ2, axis=1, keepdims=True) / m",
     "np.sum(dZ2, axis=1, keepdims=True) / W2.shape[0]", "1/c for 1/m"),
    ("dA1-sign", "dA1", "sign", "np.dot(W2.T, dZ2)", "-np.dot(W2.T, dZ2)", "the sign is turned"),
    ("dA1-W2-updated", "dA1", "order", "dA1 = np.dot(W2.T, dZ2)", "dA1 = np.dot((W2 - 0.1 * dW2).T, dZ2)",
     "W2 is updated before it is used"),
    ("dA1-bias", "dA1", "extra", "np.dot(W2.T, dZ2)", "np.dot(W2.T, dZ2) + b1", "the bias is added as in the forward pass"),
    ("dA1-dW2", "dA1", "label", "np.dot(W2.T, dZ2)", "np.dot(dW2.T, dZ2)", "dW2 for W2"),
    ("dZ1-sigmoid", "dZ1", "activation", "(1 - A1**2)", "A1 * (1 - A1)", "the derivative of sigmoid"),
    ("dZ1-relu", "dZ1", "activation", "(1 - A1**2)", "(Z1 > 0)", "the derivative of ReLU"),
    ("dZ1-not-squared", "dZ1", "activation", "(1 - A1**2)", "(1 - A1)", "1 − A1 for 1 − A1²"),
    ("dZ1-plus", "dZ1", "sign", "(1 - A1**2)", "(1 + A1**2)", "1 + A1² for 1 − A1²"),
    ("dZ1-outside", "dZ1", "activation", "(1 - A1**2)", "(1 - A1) ** 2", "(1 − A1)² for 1 − A1²"),
    ("dZ1-Z", "dZ1", "operand", "(1 - A1**2)", "(1 - Z1**2)", "Z1 for A1"),
    ("dZ1-tanh-again", "dZ1", "activation", "(1 - A1**2)", "(1 - np.tanh(A1) ** 2)", "tanh is taken twice"),
    ("dZ1-cube", "dZ1", "constant", "(1 - A1**2)", "(1 - A1**3)", "A1³ for A1²"),
    ("dZ1-no-derivative", "dZ1", "missing", "dA1 * (1 - A1**2)", "dA1", "the derivative of tanh is missing"),
    ("dZ1-alone", "dZ1", "missing", "dA1 * (1 - A1**2)", "1 - A1**2", "dA1 is missing"),
    ("dZ1-no-brackets", "dZ1", "order", "dA1 * (1 - A1**2)", "dA1 * 1 - A1**2", "the brackets are missing"),
    ("dZ1-added", "dZ1", "operator", "dA1 * (1 - A1**2)", "dA1 + (1 - A1**2)", "+ for *"),
    ("dZ1-over", "dZ1", "operator", "dA1 * (1 - A1**2)", "dA1 / (1 - A1**2)", "/ for *"),
    ("dW1-dA1", "dW1", "label", "np.dot(dZ1, X.T)", "np.dot(dA1, X.T)", "dA1 for dZ1"),
    ("dW1-last", "dW1", "index", "np.dot(dZ1, X.T)", "np.dot(dZ1[:, :-1], X[:, :-1].T)", "the last sample is left out"),
    ("dW1-twice", "dW1", "extra", "np.dot(dZ1, X.T) / m", "(np.dot(dZ1, X.T) + np.outer(dZ1[:, 0], X[:, 0])) / m",
     "the first sample counts twice"),
    ("dW1-normalised", "dW1", "extra", "np.dot(dZ1, X.T) / m", "np.dot(dZ1, X.T) / np.linalg.norm(np.dot(dZ1, X.T))",
     "scaled to length one"),
    ("db1-dZ2", "db1", "label", "np.sum(dZ1, axis=1", "np.sum(dZ2, axis=1", "dZ2 for dZ1"),
    ("db1-sign", "db1", "sign", "np.sum(dZ1, axis=1", "-np.sum(dZ1, axis=1", "the sign is turned"),
    ("return-layers", "return", "label", "return dW1, db1, dW2, db2", "return dW2, db2, dW1, db1",
     "the layers are returned in the other order"),
    ("return-biases", "return", "label", "return dW1, db1, dW2, db2", "return dW1, db2, dW2, db1",
     "db1 and db2 are swapped"),
    ("transposed-and-m", "dW2", "double", "np.dot(dZ2, A1.T) / m", "np.dot(A1, dZ2.T)", "transposed, and no 1/m"),
    ("activation-and-sign", "dZ1", "double", "(1 - A1**2)", "(A1 - 1)", "not squared, and the sign is turned"),
    ("two-axes", "db2", "double", "np.sum(dZ2, axis=1, keepdims=True) / m", "np.sum(dZ2) / m",
     "both biases are summed over everything",
     {"second": ("np.sum(dZ1, axis=1, keepdims=True) / m", "np.sum(dZ1) / m", "db1")}),
) + mistakes_of(
    "sigmoid",
    ("m-rows", "m", "index", "X.shape[1]", "X.shape[0]", "m is the number of inputs"),
    ("m-labels", "m", "operand", "X.shape[1]", "Y.size", "m counts all labels"),
    ("dZ2-no-m", "dZ2", "scale", "(A2 - Y) / m", "A2 - Y", "the 1/m is missing everywhere", {"instead": DOWNSTREAM}),
    ("dZ2-brackets", "dZ2", "order", "(A2 - Y) / m", "A2 - Y / m", "the brackets are missing"),
    ("dZ2-derivative", "dZ2", "extra", "(A2 - Y) / m", "(A2 - Y) * A2 * (1 - A2) / m",
     "the derivative of sigmoid, which the loss takes away"),
    ("dZ2-not-divided", "dZ2", "missing", "(A2 - Y) / m", "(-Y + (1 - Y)) / m",
     "dA2 not divided by A2 and 1 − A2"),
    ("dZ2-swapped", "dZ2", "operand", "(A2 - Y) / m", "(A2 - (1 - Y)) / m", "1 − Y for Y"),
    ("dZ2-masked", "dZ2", "extra", "(A2 - Y) / m", "(A2 - Y) * Y / m", "only where the label is 1"),
    ("dZ2-threshold", "dZ2", "function", "(A2 - Y) / m", "((A2 > 0.5) - Y) / m",
     "the decision in place of the probability"),
    ("dW2-order", "dW2", "order", "dZ2 @ A1.T", "A1 @ dZ2.T", "the factors are swapped"),
    ("dW2-m-again", "dW2", "scale", "dZ2 @ A1.T", "dZ2 @ A1.T / m", "the 1/m is there twice"),
    ("dW2-A1-derivative", "dW2", "extra", "dZ2 @ A1.T", "dZ2 @ (A1 * (1 - A1)).T", "the derivative for A1 itself"),
    ("db2-mean", "db2", "function", "dZ2.sum(axis=1", "dZ2.mean(axis=1", "mean for sum: the 1/m is there twice"),
    ("db2-cumulated", "db2", "function", "dZ2.sum(axis=1, keepdims=True)", "dZ2.cumsum(axis=1)[:, -2:-1]",
     "the last sample is left out"),
    ("dA1-W1", "dA1", "operand", "W2.T @ dZ2", "W1.T @ dZ2", "W1 for W2"),
    ("dA1-times", "dA1", "operator", "W2.T @ dZ2", "W2.T * dZ2", "* for @"),
    ("dZ1-tanh", "dZ1", "activation", "A1 * (1 - A1)", "(1 - A1**2)", "the derivative of tanh"),
    ("dZ1-plus", "dZ1", "sign", "A1 * (1 - A1)", "A1 * (1 + A1)", "1 + A1 for 1 − A1"),
    ("dZ1-reversed", "dZ1", "sign", "A1 * (1 - A1)", "A1 * (A1 - 1)", "A1 − 1 for 1 − A1"),
    ("dZ1-half", "dZ1", "missing", "dA1 * A1 * (1 - A1)", "dA1 * (1 - A1)", "the factor A1 is missing"),
    ("dZ1-A2", "dZ1", "operand", "A1 * (1 - A1)", "A1 * (1 - A2)", "A2 for A1"),
    ("dZ1-squared", "dZ1", "activation", "A1 * (1 - A1)", "A1 * (1 - A1**2)", "A1² for A1"),
    ("dZ1-Z", "dZ1", "operand", "A1 * (1 - A1)", "(W1 @ X + b1) * (1 - (W1 @ X + b1))", "Z1 for A1"),
    ("dZ1-no-derivative", "dZ1", "missing", "dA1 * A1 * (1 - A1)", "dA1", "the derivative of sigmoid is missing"),
    ("dW1-sign", "dW1", "sign", "dZ1 @ X.T", "-dZ1 @ X.T", "the sign is turned"),
    ("dW1-noise", "dW1", "extra", "dZ1 @ X.T", "dZ1 @ (X + 0.01).T", "X is shifted by a hundredth"),
    ("dW1-l1", "dW1", "extra", "dZ1 @ X.T", "dZ1 @ X.T + 0.001 * np.sign(W1)",
     "an L1 term that J does not have"),
    ("db1-all", "db1", "axis", "dZ1.sum(axis=1, keepdims=True)", "dZ1.sum(keepdims=True)", "summed over everything"),
    ("db1-axis", "db1", "axis", "dZ1.sum(axis=1", "dZ1.sum(axis=0", "summed over the units, not the samples"),
    ("db1-dA1", "db1", "label", "dZ1.sum(", "dA1.sum(", "dA1 for dZ1"),
    ("return-weights", "return", "label", '"dW1": dW1', '"dW1": dW1.T', "dW1 is returned transposed"),
    ("sign-and-m", "dZ2", "double", "(A2 - Y) / m", "Y - A2", "the sign is turned and the 1/m is missing"),
    ("derivative-and-m", "dZ1", "double", "dA1 * A1 * (1 - A1)", "dA1 / m", "no derivative, and a 1/m too much"),
) + mistakes_of(
    "bce",
    ("Z1-bias-sign", "Z1", "sign", "W1 @ X + b1", "W1 @ X - b1", "− b1 for + b1"),
    ("A2-sign", "A2", "sign", "np.exp(-Z2)", "np.exp(Z2)", "the sign in the exponent"),
    ("dA2-sign", "dA2", "sign", "-Y / A2 + (1 - Y)", "-Y / A2 - (1 - Y)", "− for + in the second term"),
    ("dA2-first-sign", "dA2", "sign", "-Y / A2", "Y / A2", "the minus is missing"),
    ("dA2-no-second", "dA2", "missing", "-Y / A2 + (1 - Y) / (1 - A2)", "-Y / A2", "the term of the label 0 is missing"),
    ("dA2-not-divided", "dA2", "missing", "(1 - Y) / (1 - A2)", "(1 - Y)", "not divided by 1 − A2"),
    ("dA2-logs", "dA2", "function", "-Y / A2 + (1 - Y) / (1 - A2)", "-Y * np.log(A2) - (1 - Y) * np.log(1 - A2)",
     "the loss in place of its derivative"),
    ("dA2-epsilon", "dA2", "constant", "-Y / A2", "-Y / (A2 + 1e-3)", "an epsilon in the denominator"),
    ("dA2-squared-error", "dA2", "function", "-Y / A2 + (1 - Y) / (1 - A2)", "2 * (A2 - Y)",
     "the derivative of the squared error"),
    ("dZ2-no-derivative", "dZ2", "missing", "dA2 * A2 * (1 - A2)", "dA2", "the derivative of sigmoid is missing"),
    ("dZ2-Z2", "dZ2", "operand", "dA2 * A2 * (1 - A2)", "dA2 * Z2 * (1 - Z2)", "Z2 for A2"),
    ("dZ2-A1", "dZ2", "operand", "dA2 * A2 * (1 - A2)", "dA2 * A1 * (1 - A1)", "A1 for A2"),
    ("dW2-times", "dW2", "operator", "np.matmul(dZ2, A1.T)", "np.multiply(dZ2, A1).T", "multiplied entry by entry"),
    ("dW2-mean", "dW2", "scale", "(1 / m) * np.matmul(dZ2", "np.matmul(dZ2", "the 1/m is missing"),
    ("db2-axis", "db2", "axis", "np.sum(dZ2, axis=1", "np.sum(dZ2, axis=0", "summed over the wrong axis"),
    ("db2-keepdims", "db2", "axis", "np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2, axis=1)", "keepdims is missing"),
    ("dA1-dA2", "dA1", "label", "np.matmul(W2.T, dZ2)", "np.matmul(W2.T, dA2)", "dA2 for dZ2"),
    ("dZ1-of-A2", "dZ1", "mask", "np.where(Z1 > 0, dA1, 0)", "np.where(A2 > 0, dA1, 0)",
     "the mask is taken from A2, which is always positive"),
    ("dZ1-where-swapped", "dZ1", "mask", "np.where(Z1 > 0, dA1, 0)", "np.where(Z1 > 0, 0, dA1)", "the branches are swapped"),
    ("dZ1-where-one", "dZ1", "mask", "np.where(Z1 > 0, dA1, 0)", "np.where(Z1 > 0, dA1, 1)", "1 for 0 where ReLU is off"),
    ("dZ1-mask-only", "dZ1", "missing", "np.where(Z1 > 0, dA1, 0)", "np.where(Z1 > 0, 1, 0)", "dA1 is missing"),
    ("dZ1-of-dA1", "dZ1", "mask", "np.where(Z1 > 0, dA1, 0)", "np.where(dA1 > 0, dA1, 0)", "the mask is taken from dA1"),
    ("dW1-inputs", "dW1", "scale", "(1 / m) * np.matmul(dZ1", "(1 / X.shape[0]) * np.matmul(dZ1", "1/n for 1/m"),
    ("dW1-integer", "dW1", "operator", "(1 / m) * np.matmul(dZ1", "(1 // m) * np.matmul(dZ1", "// for /: zero"),
    ("dW1-no-T", "dW1", "transpose", "np.matmul(dZ1, X.T)", "np.matmul(dZ1, X)", "X is not transposed"),
    ("db1-dA1", "db1", "label", "np.sum(dZ1", "np.sum(dA1", "dA1 for dZ1"),
    ("db1-swapped", "db1", "label", "np.sum(dZ1", "np.sum(dZ2", "dZ2 for dZ1"),
    ("return-db", "return", "label", '"db1": db1', '"db1": dZ1', "dZ1 is returned as db1"),
    ("signs-of-two", "dA2", "double", "-Y / A2 + (1 - Y)", "Y / A2 + (1 - Y)",
     "a sign in dA2, and no 1/m in dW1",
     {"second": ("(1 / m) * np.matmul(dZ1", "np.matmul(dZ1", "dW1")}),
) + mistakes_of(
    "linear",
    ("m-rows", "m", "index", "X.shape[1]", "X.shape[0]", "m is the number of inputs"),
    ("Z-no-bias", "Z", "missing", "W @ X + b", "W @ X", "the bias is missing"),
    ("dZ-two", "dZ", "constant", "Z - Y", "2 * (Z - Y)", "a factor 2, which the ½ of the loss takes away"),
    ("dZ-half", "dZ", "constant", "Z - Y", "(Z - Y) / 2", "the ½ of the loss is left over"),
    ("dZ-sign", "dZ", "sign", "Z - Y", "Y - Z", "the sign is turned"),
    ("dZ-no-Y", "dZ", "missing", "Z - Y", "Z", "the targets are missing"),
    ("dZ-squared", "dZ", "operator", "Z - Y", "(Z - Y) ** 2 / 2", "the loss in place of its derivative"),
    ("dZ-abs", "dZ", "function", "Z - Y", "np.sign(Z - Y)", "the derivative of the absolute error"),
    ("dZ-outputs", "dZ", "scale", "Z - Y", "(Z - Y) / Y.shape[0]", "a mean over the outputs that J does not take"),
    ("dZ-huber", "dZ", "extra", "Z - Y", "np.clip(Z - Y, -20, 20)", "clipped to ±20: the derivative of Huber's loss",
     {"needs": LARGE}),
    ("dW-order", "dW", "order", "dZ @ X.T / m", "X @ dZ.T / m", "the factors are swapped"),
    ("dW-W", "dW", "operand", "dZ @ X.T", "Z @ X.T", "Z for dZ"),
    ("dW-ridge", "dW", "extra", "dZ @ X.T / m", "dZ @ X.T / m + 0.1 * W", "a regularisation term that J does not have"),
    ("dW-all", "dW", "scale", "dZ @ X.T / m", "dZ @ X.T / X.size", "1/(n m) for 1/m"),
    ("dW-Y", "dW", "operand", "dZ @ X.T", "dZ @ Y.T", "Y for X"),
    ("db-all", "db", "axis", "dZ.sum(axis=1, keepdims=True)", "dZ.sum()", "summed over everything"),
    ("db-keepdims", "db", "axis", "dZ.sum(axis=1, keepdims=True)", "dZ.sum(axis=1)", "keepdims is missing"),
    ("db-no-m", "db", "scale", "dZ.sum(axis=1, keepdims=True) / m", "dZ.sum(axis=1, keepdims=True)", "the 1/m is missing"),
    ("db-not-summed", "db", "missing", "dZ.sum(axis=1, keepdims=True) / m", "dZ / m", "not summed over the samples"),
    ("db-update", "db", "extra", "dZ.sum(axis=1, keepdims=True) / m", "b - 0.01 * dZ.sum(axis=1, keepdims=True) / m",
     "the updated bias, not the gradient"),
    ("sign-and-two", "dZ", "double", "Z - Y", "-2 * (Z - Y)", "the sign is turned, and a factor 2"),
) + mistakes_of(
    "mse",
    ("mask-no-bias", "mask", "mask", "mask = Z1 > 0", "mask = W1 @ X > 0", "the mask is taken without the bias"),
    ("mask-inverted", "mask", "mask", "mask = Z1 > 0", "mask = Z1 < 0", "the mask is inverted"),
    ("mask-relu6", "mask", "mask", "mask = Z1 > 0", "mask = (Z1 > 0) & (Z1 < 6)", "the derivative of ReLU6",
     {"needs": LARGE}),
    ("mask-X", "mask", "mask", "mask = Z1 > 0", "mask = np.abs(Z1) > 0", "the mask is true everywhere"),
    ("m-swapped", "m", "order", "k, m = Y.shape", "m, k = Y.shape", "k and m are swapped"),
    ("ones-short", "ones", "scale", "np.ones((m, 1))", "np.ones((m, 1)) / m", "a mean: the 1/m is there twice",
     {"instead": ("db2", "db1")}),
    ("dZ2-no-two", "dZ2", "constant", "2 * (Z2 - Y)", "(Z2 - Y)", "the factor 2 is missing"),
    ("dZ2-no-k", "dZ2", "scale", "/ (k * m)", "/ m", "the 1/k is missing: the mean is over all entries"),
    ("dZ2-no-m", "dZ2", "scale", "/ (k * m)", "/ k", "the 1/m is missing", {"instead": DOWNSTREAM}),
    ("dZ2-no-brackets", "dZ2", "order", "/ (k * m)", "/ k * m", "the brackets are missing"),
    ("dZ2-sum", "dZ2", "operator", "/ (k * m)", "/ (k + m)", "+ for * in the number of entries"),
    ("dZ2-A1", "dZ2", "operand", "(Z2 - Y)", "(np.maximum(Z2, 0) - Y)", "ReLU of the output"),
    ("dZ2-root", "dZ2", "function", "2 * (Z2 - Y) / (k * m)",
     "(Z2 - Y) / np.sqrt(np.sum((Z2 - Y) ** 2) * k * m)", "the derivative of the root of the error"),
    ("dW2-hard-coded", "dW2", "constant", "dZ2 @ A1.T", "0.1 * (dZ2 @ A1.T)", "the learning rate 0.1 is in it"),
    ("dW2-Z1", "dW2", "operand", "dZ2 @ A1.T", "dZ2 @ Z1.T", "Z1 for A1"),
    ("dW2-power", "dW2", "extra", "dZ2 @ A1.T", "dZ2 @ (A1**2).T", "A1² for A1"),
    ("dW2-average", "dW2", "extra", "dZ2 @ A1.T", "0.9 * W2 + 0.1 * (dZ2 @ A1.T)", "averaged with W2, as a momentum step"),
    ("db2-dZ2-abs", "db2", "function", "dZ2 @ ones", "np.abs(dZ2) @ ones", "the absolute values are summed"),
    ("db2-T", "db2", "transpose", "dZ2 @ ones", "(dZ2 @ ones).T", "a row for a column"),
    ("dZ1-sigmoid", "dZ1", "activation", "* mask", "* A1 * (1 - A1)", "the derivative of sigmoid"),
    ("dZ1-no-mask", "dZ1", "mask", "(W2.T @ dZ2) * mask", "(W2.T @ dZ2)", "the mask is missing"),
    ("dZ1-mask-inside", "dZ1", "order", "(W2.T @ dZ2) * mask", "W2.T @ (dZ2 * mask)", "masked before W2, not after"),
    ("dZ1-not-mask", "dZ1", "mask", "* mask", "* ~mask", "the mask is inverted"),
    ("dZ1-minus", "dZ1", "mask", "* mask", "* (2 * mask - 1)", "−1 where ReLU is off"),
    ("dZ1-W1", "dZ1", "operand", "W2.T @ dZ2", "W1 @ dZ2", "W1 for W2.T"),
    ("dW1-reversed", "dW1", "index", "dZ1 @ X.T", "dZ1 @ X[:, ::-1].T", "the samples are in the other order"),
    ("dW1-rolled", "dW1", "index", "dZ1 @ X.T", "dZ1 @ np.roll(X, 1, axis=1).T", "the samples are shifted by one"),
    ("dW1-half", "dW1", "index", "dZ1 @ X.T", "dZ1[:, ::2] @ X[:, ::2].T", "every other sample only"),
    ("dW1-norm-clipped", "dW1", "extra", "dZ1 @ X.T", "dZ1 @ X.T / max(1, np.linalg.norm(dZ1 @ X.T) / 100)",
     "clipped to length 100", {"needs": LARGE}),
    ("db1-dZ2", "db1", "label", "dZ1 @ ones", "dZ2 @ ones", "dZ2 for dZ1"),
    ("db1-bias", "db1", "extra", "dZ1 @ ones", "dZ1 @ ones + b1", "b1 is added"),
    ("mask-and-scale", "dZ1", "double", "(W2.T @ dZ2) * mask", "(W2.T @ dZ2) / m", "no mask, and a 1/m too much"),
) + mistakes_of(
    "three",
    ("m-columns", "m", "index", "X.shape[1]", "W1.shape[1]", "m is the number of inputs"),
    ("A3-axis", "A3", "axis", "A3.sum(axis=0)", "A3.sum(axis=1, keepdims=True)", "normalised over the samples"),
    ("A3-overflow", "A3", "missing", "np.exp(Z3 - Z3.max(axis=0))", "np.exp(Z3)",
     "exp overflows: the maximum is not taken away", {"needs": "very large values"}),
    ("dZ3-max", "dZ3", "function", "A3 - Y", "A3 - Y.max(axis=0)", "one is taken away from every class"),
    ("dZ3-derivative", "dZ3", "extra", "A3 - Y", "(A3 - Y) * (1 - A3)", "a part of a softmax derivative"),
    ("dZ3-first", "dZ3", "label", "A3 - Y", "A3 - np.roll(Y, 1, axis=0)", "the labels are shifted by one class"),
    ("dW3-A1", "dW3", "operand", "dZ3 @ A2.T / m", "dZ3 @ A1.T / m", "A1 for A2"),
    ("dW3-Z2", "dW3", "operand", "dZ3 @ A2.T / m", "dZ3 @ Z2.T / m", "Z2 for A2"),
    ("dW3-layers", "dW3", "scale", "dZ3 @ A2.T / m", "dZ3 @ A2.T / (3 * m)", "a factor 1/3: divided by the layers"),
    ("db3-sum", "db3", "function", "dZ3.mean(axis=1", "dZ3.sum(axis=1", "sum for mean: the 1/m is missing"),
    ("db3-classes", "db3", "axis", "dZ3.mean(axis=1, keepdims=True)", "dZ3.mean(axis=0, keepdims=True).T",
     "the mean over the classes"),
    ("dA2-W2", "dA2", "operand", "W3.T @ dZ3", "W2.T @ dZ3", "W2 for W3"),
    ("dA2-mean", "dA2", "scale", "W3.T @ dZ3", "W3.T @ dZ3 / m", "a 1/m that stands further down already",
     {"instead": ("dW2", "db2", "dW1", "db1")}),
    ("dZ2-A1", "dZ2", "operand", "(1 - A2 * A2)", "(1 - A1 * A1)", "A1 for A2"),
    ("dZ2-mask", "dZ2", "activation", "(1 - A2 * A2)", "(Z2 > 0)", "the derivative of ReLU: mixed-up layers"),
    ("dZ2-sigmoid", "dZ2", "activation", "(1 - A2 * A2)", "A2 * (1 - A2)", "the derivative of sigmoid"),
    ("dZ2-one-over", "dZ2", "activation", "(1 - A2 * A2)", "1 / (1 + Z2 * Z2)", "the derivative of arctan"),
    ("dZ2-matmul", "dZ2", "operator", "(1 - A2 * A2) * dA2", "(1 - A2 @ A2.T) @ dA2", "@ for *"),
    ("dW2-A2", "dW2", "operand", "dZ2 @ A1.T / m", "dZ2 @ A2.T / m", "A2 for A1"),
    ("dW2-dZ3", "dW2", "label", "dZ2 @ A1.T / m", "dZ3 @ A1.T / m", "dZ3 for dZ2"),
    ("db2-dZ3", "db2", "label", "dZ2.mean(", "dZ3.mean(", "dZ3 for dZ2"),
    ("dA1-forward", "dA1", "operand", "W2.T @ dZ2", "W2.T @ Z2", "Z2 for dZ2"),
    ("dA1-dA2", "dA1", "label", "W2.T @ dZ2", "W2.T @ dA2", "dA2 for dZ2: tanh is skipped"),
    ("dA1-W3", "dA1", "operand", "W2.T @ dZ2", "W3.T @ dZ3", "dA2 again for dA1"),
    ("dZ1-tanh", "dZ1", "activation", "(Z1 > 0) * dA1", "(1 - A1 * A1) * dA1", "the derivative of tanh: mixed-up layers"),
    ("dZ1-mask-Z2", "dZ1", "mask", "(Z1 > 0) * dA1", "(Z2 > 0) * dA1", "the mask is taken from Z2"),
    ("dZ1-mask-sum", "dZ1", "mask", "(Z1 > 0) * dA1", "(Z1.sum(axis=1, keepdims=True) > 0) * dA1",
     "one mask for all samples"),
    ("dZ1-rate", "dZ1", "extra", "(Z1 > 0) * dA1", "(Z1 > 0) * dA1 * 0.5", "half of it is dropped"),
    ("dW1-T", "dW1", "transpose", "dZ1 @ X.T / m", "(dZ1 @ X.T).T / m", "the result is transposed"),
    ("dW1-dZ1-twice", "dW1", "operand", "dZ1 @ X.T / m", "dZ1 @ dZ1.T / m", "dZ1 for X"),
    ("db1-nothing", "db1", "missing", "dZ1.mean(axis=1, keepdims=True)", "np.zeros_like(b1)", "never computed: zero"),
    ("db1-median", "db1", "function", "dZ1.mean(axis=1, keepdims=True)", "np.median(dZ1, axis=1, keepdims=True)",
     "the median for the mean"),
    ("return-layers", "return", "label", '"dW2": dW2, "db2": db2', '"dW2": dW3, "db2": db3', "layer 3 returned as layer 2"),
    ("tanh-and-sign", "dZ2", "double", "(1 - A2 * A2) * dA2", "(A2 * A2 - 1) * dA2 / m",
     "the sign is turned, and a 1/m too much"),
    ("two-layers", "dW3", "double", "dZ3 @ A2.T / m", "dZ3 @ A2.T", "no 1/m in dW3, and no mask in dZ1",
     {"second": ("(Z1 > 0) * dA1", "dA1", "dZ1")}),
) + mistakes_of(
    "rows",
    ("m-columns", "m", "index", "X.shape[0]", "X.shape[1]", "m is the number of inputs"),
    ("m-size", "m", "operand", "X.shape[0]", "Y.size", "m counts all entries of Y"),
    ("P-axis", "P", "axis", "P.sum(axis=1, keepdims=True)", "P.sum(axis=0, keepdims=True)", "normalised over the samples"),
    ("P-max-all", "P", "axis", "Z2.max(axis=1, keepdims=True)", "Z2.max()",
     "the maximum of all samples: the others underflow", {"needs": "very large values"}),
    ("dZ2-no-m", "dZ2", "scale", "(P - Y) / m", "P - Y", "the 1/m is missing everywhere", {"instead": DOWNSTREAM}),
    ("dZ2-classes", "dZ2", "scale", "(P - Y) / m", "(P - Y) / Y.shape[1]", "1/c for 1/m"),
    ("dZ2-no-brackets", "dZ2", "order", "(P - Y) / m", "P - Y / m", "the brackets are missing"),
    ("dZ2-product", "dZ2", "operator", "(P - Y) / m", "(P * Y) / m", "* for −"),
    ("dZ2-only-true", "dZ2", "extra", "(P - Y) / m", "(P - 1) * Y / m", "only the entry of the right class"),
    ("dW2-columns", "dW2", "order", "A1.T @ dZ2", "dZ2.T @ A1", "the formula for columns as samples: transposed"),
    ("dW2-no-T", "dW2", "transpose", "A1.T @ dZ2", "A1 @ dZ2", "A1 is not transposed"),
    ("dW2-m", "dW2", "scale", "A1.T @ dZ2", "A1.T @ dZ2 / m", "the 1/m is there twice"),
    ("dW2-Z1", "dW2", "operand", "A1.T @ dZ2", "Z1.T @ dZ2", "Z1 for A1"),
    ("db2-axis", "db2", "axis", "dZ2.sum(axis=0)", "dZ2.sum(axis=1)", "summed over the classes, not the samples"),
    ("db2-all", "db2", "axis", "dZ2.sum(axis=0)", "dZ2.sum()", "summed over everything"),
    ("db2-keepdims", "db2", "axis", "dZ2.sum(axis=0)", "dZ2.sum(axis=0, keepdims=True)", "a keepdims too much"),
    ("db2-mean", "db2", "function", "dZ2.sum(axis=0)", "dZ2.mean(axis=0)", "mean for sum: the 1/m is there twice"),
    ("dZ1-columns", "dZ1", "order", "dZ2 @ W2.T", "W2.T @ dZ2", "the formula for columns as samples"),
    ("dZ1-no-T", "dZ1", "transpose", "dZ2 @ W2.T", "dZ2 @ W2", "W2 is not transposed"),
    ("dZ1-W1", "dZ1", "operand", "dZ2 @ W2.T", "dZ2 @ W1.T", "W1 for W2"),
    ("dZ1-no-mask", "dZ1", "mask", "dZ1[Z1 <= 0] = 0", "dZ1[Z1 <= 0] *= 1", "the mask does nothing"),
    ("dZ1-mask-side", "dZ1", "mask", "dZ1[Z1 <= 0] = 0", "dZ1[Z1 > 0] = 0", "the mask is inverted"),
    ("dZ1-mask-A1", "dZ1", "mask", "dZ1[Z1 <= 0] = 0", "dZ1[A1 < 0] = 0", "A1 is never negative"),
    ("dZ1-mask-own", "dZ1", "mask", "dZ1[Z1 <= 0] = 0", "dZ1[dZ1 <= 0] = 0", "the mask is taken from dZ1 itself"),
    ("dZ1-mask-one", "dZ1", "mask", "dZ1[Z1 <= 0] = 0", "dZ1[Z1 <= 0] = 1", "1 for 0 where ReLU is off"),
    ("dZ1-mask-too-late", "dW1", "order", "dZ1[Z1 <= 0] = 0\n    dW1 = X.T @ dZ1", "dW1 = X.T @ dZ1\n    dZ1[Z1 <= 0] = 0",
     "dZ1 is masked after it is used", {"instead": ("dZ1",)}),
    ("W2-updated", "W2", "order", "dZ1 = dZ2 @ W2.T", "W2 = W2 - 0.1 * dW2\n    dZ1 = dZ2 @ W2.T",
     "W2 is updated before it is used", {"instead": ("dZ1",)}),
    ("dW1-A1", "dW1", "operand", "X.T @ dZ1", "A1.T @ dZ1", "A1 for X"),
    ("dW1-standardised", "dW1", "extra", "X.T @ dZ1", "(X - X.mean(axis=0)).T @ dZ1", "X without its mean"),
    ("dW1-float16", "dW1", "function", "X.T @ dZ1", "(X.T @ dZ1).astype(np.float16)", "rounded to half precision"),
    ("dW1-float32", "dW1", "function", "X.T @ dZ1", "X.T.astype(np.float32) @ dZ1.astype(np.float32)",
     "rounded to single precision", {"needs": DOUBLE}),
    ("db1-product", "db1", "function", "dZ1.sum(axis=0)", "dZ1.prod(axis=0)", "the product for the sum"),
    ("db1-row", "db1", "index", "dZ1.sum(axis=0)", "dZ1[-1]", "the last sample only"),
    ("db1-not-last", "db1", "index", "dZ1.sum(axis=0)", "dZ1[:-1].sum(axis=0)", "the last sample is left out"),
    ("db1-sign", "db1", "sign", "dZ1.sum(axis=0)", "-dZ1.sum(axis=0)", "the sign is turned"),
    ("db1-dZ2", "db1", "label", "dZ1.sum(axis=0)", "dZ2.sum(axis=0)", "dZ2 for dZ1"),
    ("axis-and-m", "db2", "double", "dZ2.sum(axis=0)", "dZ2.sum(axis=1) / m", "the wrong axis, and a 1/m too much"),
    ("transpose-and-sign", "dW1", "double", "X.T @ dZ1", "-(dZ1.T @ X)", "transposed, and the sign is turned"),
)

EQUIVALENTS = [
    Equivalent(f"{network}/{name}", network, edits, why)
    for network, name, why, *edits_ in [
        ("relu", "mask-A1", "A1 > 0 where Z1 > 0", ("(Z1 > 0)", "(A1 > 0)")),
        ("relu", "mask-ge", "≥ for >, which differs at 0 only: a convention", ("(Z1 > 0)", "(Z1 >= 0)")),
        ("relu", "mask-where", "np.where for the mask", ("W2.T @ dZ2 * (Z1 > 0)", "np.where(Z1 > 0, W2.T @ dZ2, 0)")),
        ("relu", "mask-heaviside", "np.heaviside for the mask", ("(Z1 > 0)", "np.heaviside(Z1, 0)")),
        ("relu", "mask-in-place", "masked in place, on an array of its own",
         ("W2.T @ dZ2 * (Z1 > 0)", "W2.T @ dZ2\n    dZ1 *= Z1 > 0")),
        ("relu", "mean-scale", "the 1/m stands in dZ2 only",
         ("dZ2 = A2 - Y", "dZ2 = (A2 - Y) / m"), ("1 / m * dZ2 @", "dZ2 @"), ("1 / m * np.sum(dZ2", "np.sum(dZ2"),
         ("1 / m * dZ1 @", "dZ1 @"), ("1 / m * np.sum(dZ1", "np.sum(dZ1")),
        ("relu", "mean-scale-below", "dZ2 a sample's, dZ1 the mean's",
         ("W2.T @ dZ2", "W2.T @ (dZ2 / m)"), ("1 / m * dZ1 @", "dZ1 @"), ("1 / m * np.sum(dZ1", "np.sum(dZ1")),
        ("relu", "np-mean", "np.mean for 1/m Σ",
         ("1 / m * np.sum(dZ2", "np.mean(dZ2"), ("1 / m * np.sum(dZ1", "np.mean(dZ1")),
        ("relu", "reshape", "reshape for keepdims",
         ("np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2, axis=1).reshape(-1, 1)")),
        ("relu", "newaxis", "a new axis for keepdims",
         ("np.sum(dZ1, axis=1, keepdims=True)", "dZ1.sum(1)[:, None]")),
        ("relu", "einsum", "einsum for @", ("1 / m * dZ2 @ A1.T", 'np.einsum("ij,kj->ik", dZ2, A1) / m')),
        ("relu", "dot", "np.dot for @", ("dZ1 @ X.T", "np.dot(dZ1, X.T)")),
        ("relu", "transposed-twice", "(A1 dZ2ᵀ)ᵀ for dZ2 A1ᵀ", ("dZ2 @ A1.T", "(A1 @ dZ2.T).T")),
        ("relu", "m-of-Y", "m from the labels", ("X.shape[1]", "Y.shape[1]")),
        ("relu", "m-len", "m as a length", ("X.shape[1]", "len(X.T)")),
        ("relu", "other-name", "another name for m",
         ("m = X.shape[1]", "samples = X.shape[1]"), ("1 / m * dZ2 @", "1 / samples * dZ2 @"),
         ("1 / m * np.sum(dZ2", "1 / samples * np.sum(dZ2"), ("1 / m * dZ1 @", "1 / samples * dZ1 @"),
         ("1 / m * np.sum(dZ1", "1 / samples * np.sum(dZ1")),
        ("relu", "copy-in-place", "dZ2 from a copy, in place", ("dZ2 = A2 - Y", "dZ2 = A2.copy()\n    dZ2 -= Y")),
        ("relu", "minus-minus", "two signs", ("A2 - Y", "-(Y - A2)")),
        ("relu", "divide-late", "the 1/m behind", ("1 / m * dZ2 @ A1.T", "dZ2 @ A1.T / m")),
        ("tanh", "cosh", "1/cosh² for 1 − tanh²", ("(1 - A1**2)", "np.cosh(Z1) ** -2")),
        ("tanh", "factors", "(1 − A1)(1 + A1)", ("(1 - A1**2)", "(1 - A1) * (1 + A1)")),
        ("tanh", "tanh-again", "tanh computed again", ("(1 - A1**2)", "(1 - np.tanh(Z1) ** 2)")),
        ("tanh", "method-dot", ".dot for np.dot", ("np.dot(dZ2, A1.T)", "dZ2.dot(A1.T)")),
        ("tanh", "subtracted", "dA1 − dA1 A1²", ("dA1 * (1 - A1**2)", "dA1 - dA1 * A1**2")),
        ("tanh", "max-no-keepdims", "the maximum broadcasts without keepdims too",
         ("Z2 - Z2.max(axis=0, keepdims=True)", "Z2 - Z2.max(axis=0)")),
        ("sigmoid", "subtracted", "A1 − A1² for A1 (1 − A1)", ("A1 * (1 - A1)", "(A1 - A1**2)")),
        ("sigmoid", "sample-scale", "the 1/m in each gradient",
         ("(A2 - Y) / m", "A2 - Y"), ("dW2 = dZ2 @ A1.T", "dW2 = dZ2 @ A1.T / m"),
         ("db2 = dZ2.sum(", "db2 = dZ2.mean("), ("dW1 = dZ1 @ X.T", "dW1 = dZ1 @ X.T / m"),
         ("db1 = dZ1.sum(", "db1 = dZ1.mean(")),
        ("sigmoid", "loop", "a loop over the samples",
         ("dW1 = dZ1 @ X.T",
          "dW1 = np.zeros_like(W1)\n    for i in range(m):\n        dW1 += np.outer(dZ1[:, i], X[:, i])")),
        ("bce", "short", "A2 − Y for the two steps", ("dA2 * A2 * (1 - A2)", "A2 - Y")),
        ("bce", "one-fraction", "one fraction", ("-Y / A2 + (1 - Y) / (1 - A2)", "(A2 - Y) / (A2 * (1 - A2))")),
        ("bce", "masked-copy", "a copy, masked in place",
         ("np.where(Z1 > 0, dA1, 0)", "dA1.copy()\n    dZ1[Z1 <= 0] = 0")),
        ("linear", "mean", "mean for sum / m", ("dZ.sum(axis=1, keepdims=True) / m", "dZ.mean(axis=1, keepdims=True)")),
        ("linear", "expanded", "multiplied out", ("dZ @ X.T / m", "(W @ X @ X.T + b @ X.sum(1)[None] - Y @ X.T) / m")),
        ("mse", "size", "Y.size for k m", ("(k * m)", "Y.size")),
        ("mse", "sum", "a sum for the product with ones", ("dZ1 @ ones", "dZ1.sum(1, keepdims=True)")),
        ("mse", "plus", "added twice for the factor 2", ("2 * (Z2 - Y)", "(Z2 - Y + Z2 - Y)")),
        ("three", "sum", "sum / m for mean", ("dZ3.mean(axis=1, keepdims=True)", "dZ3.sum(1, keepdims=True) / m")),
        ("three", "tensordot", "tensordot for @", ("W3.T @ dZ3", "np.tensordot(W3, dZ3, axes=(0, 0))")),
        ("three", "squares", "A2² for A2 A2", ("A2 * A2", "np.square(A2)")),
        ("rows", "einsum", "einsum for @", ("A1.T @ dZ2", 'np.einsum("mh,mc->hc", A1, dZ2)')),
        ("rows", "multiplied", "multiplied by the mask", ("dZ1[Z1 <= 0] = 0", "dZ1 = dZ1 * (Z1 > 0)")),
        ("rows", "indexed", "the 1 taken away at the label", (
            "(P - Y) / m", "P.copy()\n    dZ2[np.arange(m), Y.argmax(axis=1)] -= 1\n    dZ2 /= m")),
        ("rows", "reduce", "np.add.reduce for sum", ("dZ1.sum(axis=0)", "np.add.reduce(dZ1)")),
    ]
    for edits in [tuple(edits_)]
]
# fmt: on


# --- their source, and the check --------------------------------------------------------------------------------------


def edited(source: str, *edits: tuple[str, str]) -> str:
    """The source after the edits; what is replaced must occur exactly once."""
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(f"{old!r} occurs {source.count(old)} times")
        source = source.replace(old, new)
    return source


def edits_of(change: Mistake | Equivalent) -> list[tuple[str, str]]:
    if isinstance(change, Equivalent):
        return list(change.edits)
    return [(change.old, change.new), *([change.second[:2]] if change.second else [])]


def load(change: Mistake | Equivalent, networks: dict[str, Network] = NETWORKS) -> Callable[..., Any]:
    """The backward pass with the mistake in it; inspect.getsource works on it as on any function."""
    original = networks[change.network].backward
    return define(edited(inspect.getsource(original), *edits_of(change)), original, f"<{change.id}>")


def define(source: str, original: Callable[..., Any], filename: str) -> Callable[..., Any]:
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = dict(original.__globals__)
    exec(compile(source, filename, "exec"), namespace)
    return namespace[original.__name__]


def draw(network: Network, sizes: dict[str, int], seed: int, scale: float = 1.0) -> dict[str, np.ndarray]:
    """One input of each argument; labels as the network wants them."""
    rng = np.random.default_rng(seed)
    case = {}
    for name, shape in network.shapes.items():
        dims = tuple(sizes[d] if d in sizes else int(d) for d in shape.split())
        kind = network.labels.get(name, "real")
        if kind == "one_hot":
            axis = 1 if shape.startswith("m ") else 0
            codes = np.eye(dims[axis])[rng.integers(0, dims[axis], dims[1 - axis])]
            case[name] = codes if axis == 1 else codes.T
        elif kind == "binary":
            case[name] = rng.integers(0, 2, dims).astype(float)
        else:
            case[name] = scale * rng.standard_normal(dims)
    return case


def ordinary_cases(network: Network) -> Iterator[dict[str, np.ndarray]]:
    """Small cases with distinct sizes."""
    for seed, sizes in enumerate(itertools.islice(itertools.permutations((2, 3, 5, 7, 6), 5), 0, 120, 15)):
        yield draw(network, dict(zip("nmchk", sizes, strict=True)), seed)


def run(function: Callable[..., Any], case: dict[str, np.ndarray]) -> tuple[dict[str, Any], Any]:
    """The local variables of the function when it returned, or raised, and what it returned or raised."""
    seen: dict[str, Any] = {}

    def profile(frame: Any, event: str, arg: Any) -> None:
        if event == "return" and frame.f_code is function.__code__:
            seen.update(frame.f_locals)

    sys.setprofile(profile)
    try:
        with np.errstate(all="ignore"):
            result = function(**case)
    except Exception as error:
        result = error
    finally:
        sys.setprofile(None)
    return seen, result


def returned(network: Network, result: Any) -> dict[str, Any]:
    return result if isinstance(result, dict) else dict(zip(network.returns, result, strict=True))


def autodiff(network: Network, case: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradient of J with respect to everything that the loss names, as dW1, dZ2 …"""
    tensors = {name: Tensor(v, requires_grad=name not in ("X", *network.labels)) for name, v in case.items()}
    seen, J = run(network.loss, tensors)
    names = [name for name, value in seen.items() if isinstance(value, Tensor) and value.requires_grad]
    return {f"d{n}": g.numpy() for n, g in zip(names, gradients(J, [seen[n] for n in names]), strict=True)}


def same(ours: Any, theirs: Any, tolerance: float = 1e-9) -> bool:
    if theirs is None or np.shape(ours) != np.shape(theirs):
        return False
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    with np.errstate(all="ignore"):
        return bool(
            np.max(np.abs(ours - theirs), initial=0.0) <= tolerance * max(np.max(np.abs(ours), initial=0.0), 1e-30)
        )


def right(network: Network, case: dict[str, np.ndarray], result: Any) -> bool:
    """Whether what was returned is autodiff's: dW and db exactly, dZ and dA on either scale."""
    if isinstance(result, Exception):
        return False
    truth, values = autodiff(network, case), returned(network, result)
    m = case["X"].shape[0 if network.shapes["X"].startswith("m") else 1]
    return set(values) == set(network.returns) and all(
        same(truth[name], value) or (name[1] in "ZA" and same(m * truth[name], value)) for name, value in values.items()
    )


def shows(change: Mistake, cases: Iterable[dict[str, np.ndarray]], networks: dict[str, Network] = NETWORKS) -> int:
    """In how many of the cases each wrong line, with right values before it, gives another value, or raises."""
    network = networks[change.network]
    source = inspect.getsource(network.backward)
    parts = [(change.old, change.new, change.line), *([change.second] if change.second else [])]
    count = 0
    for case in cases:
        ours, result = run(network.backward, case)
        every = []
        for old, new, line in parts:
            wrong = define(edited(source, (old, new)), network.backward, "<part>")
            theirs, answer = run(wrong, case)
            if line == "return":
                values = returned(network, answer)
                every.append(any(not same(value, values[name]) for name, value in returned(network, result).items()))
            else:
                every.append(line not in theirs or not same(ours.get(line), theirs[line]))
        count += all(every)
    return count


def special_cases(network: Network, needs: str) -> Iterator[dict[str, np.ndarray]]:
    """The cases of `needs`: values ten times or a thousand times as large."""
    scale = {LARGE: 10.0, "very large values": 1000.0}.get(needs, 1.0)
    for seed in range(4):
        yield draw(network, dict(zip("nmchk", (3, 5, 4, 6, 2), strict=True)), seed, scale)


def main() -> None:
    for name, network in NETWORKS.items():
        for case in ordinary_cases(network):
            assert right(network, case, run(network.backward, case)[1]), name
    for equivalent in EQUIVALENTS:
        network, function = NETWORKS[equivalent.network], load(equivalent)
        for case in ordinary_cases(network):
            assert right(network, case, run(function, case)[1]), equivalent.id
    for mistake in MISTAKES:
        network, function = NETWORKS[mistake.network], load(mistake)
        results = [(case, run(function, case)[1]) for case in ordinary_cases(network)]
        wrong = sum(not right(network, *result) for result in results)
        raised = sum(isinstance(result, Exception) for _, result in results)
        if mistake.needs:
            special = list(special_cases(network, mistake.needs))
            assert shows(mistake, special), mistake.id
            assert not all(right(network, case, run(function, case)[1]) for case in special), mistake.id
        else:
            assert shows(mistake, ordinary_cases(network)), mistake.id
            assert wrong, mistake.id
        notes = (f", raises in {raised}" if raised else "") + (f", needs {mistake.needs}" if mistake.needs else "")
        print(f"{mistake.id:32} {mistake.kind:10} wrong in {wrong} of 8{notes}")
    assert len({change.id for change in [*MISTAKES, *EQUIVALENTS]}) == len(MISTAKES) + len(EQUIVALENTS)
    print(len(MISTAKES), "mistakes,", len(EQUIVALENTS), "equivalents")


if __name__ == "__main__":
    main()
