"""A book's backpropagation: quadratic cost, column vectors, one sample after another, averaged at the end."""
import numpy as np
import tinygrad_lite as tl


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def loss(X, Y, w2, b2, w3, b3):
    a3 = tl.sigmoid(w3 @ tl.sigmoid(w2 @ X + b2) + b3)
    return 0.5 * ((a3 - Y) ** 2).sum() / X.shape[1]


def backward(X, Y, w2, b2, w3, b3):
    n = X.shape[1]
    nabla_w2, nabla_b2 = np.zeros(w2.shape), np.zeros(b2.shape)
    nabla_w3, nabla_b3 = np.zeros(w3.shape), np.zeros(b3.shape)
    for i in range(n):
        x, y = X[:, [i]], Y[:, [i]]
        z2 = w2 @ x + b2
        a2 = sigmoid(z2)
        z3 = w3 @ a2 + b3
        a3 = sigmoid(z3)
        delta3 = (a3 - y) * sigmoid_prime(z3)
        nabla_b3 += delta3
        nabla_w3 += delta3 @ a2.T
        delta2 = (w3.T @ delta3) * sigmoid_prime(z2)
        nabla_b2 += delta2
        nabla_w2 += delta2 @ x.T
    return {"dw2": nabla_w2 / n, "db2": nabla_b2 / n, "dw3": nabla_w3 / n, "db3": nabla_b3 / n}
