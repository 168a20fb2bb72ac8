"""Inverted dropout with a mask that is given; keep probability one half."""
import numpy as np
import tinygrad_lite as tl


def loss(X, Y, mask, W1, b1, W2, b2):
    A1 = tl.tanh(W1 @ X + b1) * mask / 0.5
    return 0.5 * ((W2 @ A1 + b2 - Y) ** 2).sum() / X.shape[1]


def backward(X, Y, mask, W1, b1, W2, b2):
    keep = 0.5
    m = X.shape[1]
    H = np.tanh(W1 @ X + b1)
    D = H * mask / keep
    out = W2 @ D + b2
    dout = (out - Y) / m
    dW2 = dout @ D.T
    db2 = dout.sum(axis=1, keepdims=True)
    dD = W2.T @ dout
    dH = dD * mask / keep
    dpre = dH * (1 - H**2)
    dW1 = dpre @ X.T
    db1 = dpre.sum(axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
