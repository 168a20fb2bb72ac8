"""The network of the notes in plain NumPy, as a student writes it: forward, backward and update, line by line.

Columns are samples.  The notes keep two scales apart: dZ1 and dZ2 are the gradients of each sample's own loss (no 1/m),
dW and db are the gradients of the mean loss J.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]


def forward(X: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> dict[str, Array]:
    """Return Z1, A1 (hidden × m), Z2 and A2 (classes × m) for samples X (inputs × m)."""
    Z1 = W1 @ X + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2 @ A1 + b2
    E = np.exp(Z2 - np.max(Z2, axis=0, keepdims=True))  # the shift changes nothing but keeps exp from overflowing
    A2 = E / np.sum(E, axis=0, keepdims=True)
    return {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}


def backward(X: Array, Y: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> dict[str, Array]:
    """Return dZ2, dW2, db2, dZ1, dW1, db1 for one-hot labels Y (classes × m); each d has the shape of its tensor."""
    m = X.shape[1]
    cache = forward(X, W1, b1, W2, b2)
    Z1, A1, A2 = cache["Z1"], cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dW2 = 1 / m * dZ2 @ A1.T
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = W2.T @ dZ2 * (Z1 > 0)
    dW1 = 1 / m * dZ1 @ X.T
    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dZ1": dZ1, "dW1": dW1, "db1": db1}


def update(params: dict[str, Array], grads: dict[str, Array], alpha: float) -> dict[str, Array]:
    """Return the parameters W := W − α dW, b := b − α db after one step of gradient descent."""
    return {name: value - alpha * grads["d" + name] for name, value in params.items()}
