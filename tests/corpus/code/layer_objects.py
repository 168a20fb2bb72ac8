"""Layers as objects with forward and backward, and a network that is a list of them."""
import numpy as np


class Linear:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_out, n_in) * 0.01
        self.b = np.zeros((n_out, 1))

    def forward(self, x):
        self.x = x
        return self.W @ x + self.b

    def backward(self, grad):
        self.dW = grad @ self.x.T
        self.db = grad.sum(axis=1, keepdims=True)
        return self.W.T @ grad


class ReLU:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, grad):
        return grad * self.mask


class SoftmaxCrossEntropy:
    def forward(self, z, y):
        e = np.exp(z - z.max(axis=0))
        self.p, self.y = e / e.sum(axis=0), y
        return -np.sum(y * np.log(self.p)) / y.shape[1]

    def backward(self):
        return (self.p - self.y) / self.y.shape[1]


class Network:
    def __init__(self):
        self.layers = [Linear(784, 10), ReLU(), Linear(10, 10)]
        self.loss = SoftmaxCrossEntropy()

    def forward(self, X, Y):
        for layer in self.layers:
            X = layer.forward(X)
        return self.loss.forward(X, Y)

    def backward(self):
        grad = self.loss.backward()
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
