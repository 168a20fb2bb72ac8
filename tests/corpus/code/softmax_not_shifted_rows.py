"""The same softmax with the samples in rows: right."""
import numpy as np
import tinygrad_lite as tl


def loss(x, y, w, b):
    return tl.cross_entropy(x @ w + b, y)


def softmax(z):
    return np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)


def backward(x, y, w, b):
    m = x.shape[0]
    a = softmax(x.dot(w) + b)
    dz = a - np.eye(10)[y]
    dw = 1 / m * x.T.dot(dz)
    db = 1 / m * np.sum(dz, axis=0)
    return dw, db
