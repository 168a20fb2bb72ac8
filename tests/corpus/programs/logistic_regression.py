"""Logistic regression, samples in rows, a vector of weights and a number for the bias."""
import numpy as np
import tinygrad_lite as tl


def loss(X, y, w, b):
    return tl.sigmoid_cross_entropy(X @ w + b, y).mean()


def backward(X, y, w, b):
    m, n = X.shape
    z = X @ w + b
    a = 0.5 * (1 + np.tanh(z / 2))
    dz = a - y
    dw = X.T @ dz / m
    db = dz.sum() / m
    return {"dw": dw, "db": db}
