"""The network of the notes in plain NumPy, as a student writes it: forward, backward and update, line by line.

Columns are samples.  dZ is the gradient of each sample's own loss (no 1/m), dW and db are gradients of the mean loss J.
"""

from __future__ import annotations

import numpy as np


def forward(X, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2 @ A1 + b2
    E = np.exp(Z2 - np.max(Z2, axis=0, keepdims=True))
    A2 = E / np.sum(E, axis=0, keepdims=True)
    return {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}


def backward(X, Y, W1, b1, W2, b2):
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


def update(params, grads, alpha):
    return {name: value - alpha * grads["d" + name] for name, value in params.items()}
