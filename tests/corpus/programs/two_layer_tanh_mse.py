"""Regression with one hidden layer of tanh; the mean over all entries."""
import numpy as np
import tinygrad_lite as tl


def loss(X, T, W, b, V, c):
    H = tl.tanh(W @ X + b)
    return ((V @ H + c - T) ** 2).mean()


def backward(X, T, W, b, V, c):
    H = np.tanh(W @ X + b)
    P = V @ H + c
    err = P - T
    gP = 2 * err / err.size
    gV = gP @ H.T
    gc = gP.sum(1, keepdims=True)
    gH = V.T @ gP
    gZ = gH * (1 - H * H)
    gW = gZ @ X.T
    gb = gZ.sum(1, keepdims=True)
    return gW, gb, gV, gc
