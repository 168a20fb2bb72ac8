"""A loss that calls a method of the data: X.dot(w)."""
import numpy as np


def cost(X, y, w):
    return ((X.dot(w) - y) ** 2).mean() / 2


def backward(X, y, w):
    dw = X.T.dot(X.dot(w) - y) / X.shape[0]
    return dw
