"""Poisson regression: the rate is exp of a linear function."""
import numpy as np


def loss(X, counts, w, b):
    eta = X @ w + b
    return (np.exp(eta) - counts * eta).mean()


def backward(X, counts, w, b):
    m = X.shape[0]
    eta = X @ w + b
    rate = np.exp(eta)
    residual = rate - counts
    dw = X.T @ residual / m
    db = residual.mean()
    return dw, db
