"""Dropout whose mask is left out of the way back."""
import numpy as np


def loss(X, Y, mask, W, b):
    return ((2 * mask * np.maximum(0, X @ W + b) - Y) ** 2).sum() / 2


def backward(X, Y, mask, W, b):
    p = 0.5
    Z = X @ W + b
    out = 1 / (1 - p) * mask * np.maximum(0, Z)
    dout = out - Y
    dA = dout * mask / (1 - p)
    dZ = dA * (Z > 0)
    dW = X.T @ dZ
    db = dZ.sum(axis=0, keepdims=True)
    return dW, db
