"""Weight decay that adds the sum of the weights."""
import numpy as np


def loss(X, Y, W1, W2, lambd=0.7):
    m = X.shape[1]
    A1 = np.maximum(0, W1 @ X)
    return ((W2 @ A1 - Y) ** 2).sum() / (2 * m) + lambd / (2 * m) * (np.sum(W1**2) + np.sum(W2**2))


def backward(X, Y, W1, W2, lambd=0.7):
    m = X.shape[1]
    A1 = np.maximum(0, W1 @ X)
    dZ2 = W2 @ A1 - Y
    dW2 = 1.0 / m * np.dot(dZ2, A1.T) + (lambd * W2) / m
    dZ1 = np.dot(W2.T, dZ2) * (A1 > 0)
    dW1 = 1.0 / m * np.dot(dZ1, X.T) + (lambd * W1) / m
    return {"dW1": dW1, "dW2": dW2}
