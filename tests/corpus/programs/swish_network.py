"""Two layers with x times sigmoid(x) between; binary labels; columns."""
import numpy as np
import tinygrad_lite as tl


def loss(X, Y, W1, b1, w2, b2):
    Z1 = W1 @ X + b1
    H = Z1 * tl.sigmoid(Z1)
    return tl.sigmoid_cross_entropy(w2 @ H + b2, Y).mean()


def sig(v):
    return 1 / (1 + np.exp(-v))


def backward(X, Y, W1, b1, w2, b2):
    m = Y.shape[1]
    Z1 = W1 @ X + b1
    S = sig(Z1)
    H = Z1 * S
    P = sig(w2 @ H + b2)
    E = (P - Y) / m
    dw2 = E @ H.T
    db2 = E.sum(axis=1, keepdims=True)
    dH = w2.T @ E
    dZ1 = dH * (S + Z1 * S * (1 - S))
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dW1, db1, dw2, db2
