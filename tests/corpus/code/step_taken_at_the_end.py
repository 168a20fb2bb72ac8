"""The parameters are updated in the same function, and returned."""
import numpy as np


def cost(X, Y, W1, b1, W2, b2):
    A1 = np.tanh(np.dot(W1, X) + b1)
    return ((np.dot(W2, A1) + b2 - Y) ** 2).sum() / 2


def step(X, Y, W1, b1, W2, b2, lr=0.01):
    A1 = np.tanh(np.dot(W1, X) + b1)
    dZ2 = np.dot(W2, A1) + b2 - Y
    dW2 = np.dot(dZ2, A1.T)
    db2 = np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    dW1 = np.dot(dZ1, X.T)
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    W2 = W2 - lr * dW2
    b2 = b2 - lr * db2
    W1 = W1 - lr * dW1
    b1 = b1 - lr * db1
    return W1, b1, W2, b2
