"""Small functions for each half of a layer, and tuples as caches, as in a course."""
import numpy as np
import tinygrad_lite as tl


def loss(X, Y, W1, b1, W2, b2):
    A1 = tl.relu(W1 @ X + b1)
    return tl.sigmoid_cross_entropy(W2 @ A1 + b2, Y).mean()


def linear_forward(A, W, b):
    return np.dot(W, A) + b, (A, W, b)


def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = np.dot(dZ, A_prev.T) / m
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def relu_backward(dA, Z):
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ


def backward(X, Y, W1, b1, W2, b2):
    Z1, cache1 = linear_forward(X, W1, b1)
    A1 = np.maximum(0, Z1)
    Z2, cache2 = linear_forward(A1, W2, b2)
    AL = 1 / (1 + np.exp(-Z2))
    dZ2 = AL - Y
    dA1, dW2, db2 = linear_backward(dZ2, cache2)
    dZ1 = relu_backward(dA1, Z1)
    dA0, dW1, db1 = linear_backward(dZ1, cache1)
    return dW1, db1, dW2, db2
