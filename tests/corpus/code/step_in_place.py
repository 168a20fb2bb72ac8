"""The parameters are changed in place, and nothing is returned; the derivative of tanh is forgotten."""
import numpy as np


def cost(X, Y, W1, b1, W2, b2):
    A1 = np.tanh(np.dot(W1, X) + b1)
    return ((np.dot(W2, A1) + b2 - Y) ** 2).sum() / 2


def train_step(X, Y, W1, b1, W2, b2, lr=0.01):
    A1 = np.tanh(np.dot(W1, X) + b1)
    dZ2 = np.dot(W2, A1) + b2 - Y
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    W2 -= lr * np.dot(dZ2, A1.T)
    b2 -= lr * np.sum(dZ2, axis=1, keepdims=True)
    W1 -= lr * np.dot(dZ1, X.T)
    b1 -= lr * np.sum(dZ1, axis=1, keepdims=True)
