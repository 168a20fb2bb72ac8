"""A class whose one method runs forward, backward and the step."""
import numpy as np


class TwoLayerNet:
    def __init__(self, n=784, h=10, c=10):
        rng = np.random.default_rng(1)
        self.W1, self.b1 = rng.normal(0, 0.1, (h, n)), np.zeros((h, 1))
        self.W2, self.b2 = rng.normal(0, 0.1, (c, h)), np.zeros((c, 1))

    def train_step(self, X, Y, lr=0.1):
        m = X.shape[1]
        Z1 = self.W1 @ X + self.b1
        A1 = np.maximum(Z1, 0)
        Z2 = self.W2 @ A1 + self.b2
        E = np.exp(Z2 - Z2.max(axis=0))
        A2 = E / E.sum(axis=0)
        dZ2 = (A2 - Y) / m
        dZ1 = (self.W2.T @ dZ2) * (Z1 > 0)
        self.W2 -= lr * dZ2 @ A1.T
        self.b2 -= lr * dZ2.sum(axis=1, keepdims=True)
        self.W1 -= lr * dZ1 @ X.T
        self.b1 -= lr * dZ1.sum(axis=1, keepdims=True)
