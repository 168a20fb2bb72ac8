"""Softmax with labels that are smoothed and a temperature."""
import numpy as np
import tinygrad_lite as tl


def loss(X, Y, W, b):
    target = 0.9 * Y + 0.1 / Y.shape[1]
    return tl.softmax_cross_entropy((X @ W + b) / 2.0, target, axis=1).mean()


def backward(X, Y, W, b):
    m, classes = Y.shape
    T = 2.0
    target = 0.9 * Y + 0.1 / classes
    z = (X @ W + b) / T
    q = np.exp(z - z.max(1, keepdims=True))
    q = q / q.sum(1, keepdims=True)
    dz = (q - target) / m
    dscore = dz / T
    dW = X.T @ dscore
    db = dscore.sum(0)
    return {"dW": dW, "db": db}
