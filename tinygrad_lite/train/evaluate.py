"""What a trained model says about samples, and how often it is right."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn import Module
from ..ops.reduction import softmax
from ..recording import no_grad
from ..tensor import Tensor, is_array, shape_text
from .checkpoint import Array, TrainingError

if TYPE_CHECKING:
    from ..data import Split

CHUNK = 2048  # columns at a time: small enough for the cache, large enough for the matrix product


@contextmanager
def evaluating(net: Module) -> Iterator[None]:
    """Record nothing, and have layers such as dropout behave as in use."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def check_takes(net: Any, method: str, *given: str) -> None:
    """Refuse a model whose `loss` or `forward` does not take what it will be given.  Raises TrainingError."""
    name, call = f"{type(net).__name__}.{method}", f"{method}({', '.join(given)})"
    written = getattr(type(net), method, getattr(net, method))
    try:
        inspect.signature(getattr(net, method)).bind(*given)
    except TypeError as error:
        takes = inspect.signature(written) if callable(written) else f" = {written!r}"
        raise TrainingError(
            f"{name}{takes} is called as {call}: {error}; write def {method}(self, {', '.join(given)}), and give each "
            "further argument a default"
        ) from None
    except ValueError:  # one that does not tell
        return


def scores(net: Module, X: Array) -> Array:
    """Return `net(X)`, classes × m, for samples X (inputs × m), computed a chunk of columns at a time.

    Raises TrainingError where the model does not return one column of finite numbers per sample.
    """
    with evaluating(net), np.errstate(all="ignore"):  # what is not finite is refused below
        parts = [_outputs(net, X[:, i : i + CHUNK]) for i in range(0, X.shape[1], CHUNK)]
    return np.concatenate(parts, axis=1)


def probabilities(net: Module, X: Array) -> Array:
    """Return `scores(net, X)` where its columns are probabilities, else their softmax: the model gives logits."""
    P = scores(net, X)
    if P.min() >= 0 and np.abs(P.sum(axis=0) - 1).max() < 1e-3:
        return P
    return softmax(P, axis=0).numpy()


def accuracy(net: Module, split: Split) -> float:
    """Return the share of the samples whose most probable class is the label, from 0 to 1.

    >>> from tinygrad_lite import nn
    >>> from tinygrad_lite.data import digits
    >>> class Zero(nn.Module):
    ...     def forward(self, X):
    ...         return np.eye(10)[:, [0] * X.shape[1]]
    >>> f"{accuracy(Zero(), digits().test):.3f}"
    '0.091'
    """
    return float(np.mean(scores(net, split.X).argmax(axis=0) == split.labels))


def loss_of(net: Any, split: Split) -> float:
    """Return the mean of `net.loss` over the samples of a split, a chunk of columns at a time."""
    check_takes(net, "loss", "X", "Y")
    total, m = 0.0, split.X.shape[1]
    with evaluating(net):
        for i in range(0, m, CHUNK):
            X, Y = split.X[:, i : i + CHUNK], split.Y[..., i : i + CHUNK]
            total += float(net.loss(X, Y)) * X.shape[1] / m
    return total


def _outputs(net: Module, X: Array) -> Array:
    out: Any = net(X)
    array = np.asarray(out) if isinstance(out, Tensor) or is_array(out) else None
    if array is None or array.ndim != 2 or array.shape[1] != X.shape[1]:
        raise TrainingError(
            f"{type(net).__name__}.forward must return classes × {X.shape[1]} for an input of {shape_text(X.shape)}, "
            f"one column per sample, but it returned {type(out).__name__ if array is None else shape_text(array.shape)}"
        )
    if not np.isfinite(array).all():
        raise TrainingError(
            f"{type(net).__name__} gives scores that are not finite; train it with a smaller learning rate"
        )
    return array
