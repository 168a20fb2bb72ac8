"""A class that keeps what the forward pass found; a sum that loses its axis."""
import numpy as np


class Net:
    def __init__(self, inputs=784, first=32, second=16, classes=10):
        rng = np.random.default_rng(0)
        self.W1 = rng.normal(size=(first, inputs)) * 0.05
        self.b1 = np.zeros((first, 1))
        self.W2 = rng.normal(size=(second, first)) * 0.2
        self.b2 = np.zeros((second, 1))
        self.W3 = rng.normal(size=(classes, second)) * 0.2
        self.b3 = np.zeros((classes, 1))
        self.cache = {}

    def forward(self, X):
        Z1 = self.W1 @ X + self.b1
        A1 = np.tanh(Z1)
        Z2 = self.W2 @ A1 + self.b2
        A2 = np.maximum(Z2, 0)
        Z3 = self.W3 @ A2 + self.b3
        E = np.exp(Z3 - Z3.max(axis=0, keepdims=True))
        A3 = E / E.sum(axis=0, keepdims=True)
        self.cache = {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2, "A3": A3}
        return A3

    def backward(self, Y):
        c = self.cache
        m = Y.shape[1]
        dZ3 = c["A3"] - Y
        self.dW3 = dZ3 @ c["A2"].T / m
        self.db3 = dZ3.sum(axis=1, keepdims=True) / m
        dA2 = self.W3.T @ dZ3
        dZ2 = dA2 * (c["Z2"] > 0)
        self.dW2 = dZ2 @ c["A1"].T / m
        self.db2 = dZ2.sum(axis=1, keepdims=True) / m
        dA1 = self.W2.T @ dZ2
        dZ1 = dA1 * (1 - c["A1"] ** 2)
        self.dW1 = dZ1 @ c["X"].T / m
        self.db1 = dZ1.sum(axis=1, keepdims=True) / m

    def step(self, rate=0.1):
        for p in ("W1", "b1", "W2", "b2", "W3", "b3"):
            setattr(self, p, getattr(self, p) - rate * getattr(self, "d" + p))
