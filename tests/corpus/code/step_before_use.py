"""W2 is updated before the error of the hidden layer reads it: the order of statements is the mistake."""
import numpy as np


class Net:
    def __init__(self):
        self.W1, self.b1 = np.random.randn(10, 784) * 0.1, np.zeros((10, 1))
        self.W2, self.b2 = np.random.randn(10, 10) * 0.1, np.zeros((10, 1))

    def backprop(self, X, Y, alpha=0.5):
        m = X.shape[1]
        Z1 = self.W1.dot(X) + self.b1
        A1 = Z1 * (Z1 > 0)
        Z2 = self.W2.dot(A1) + self.b2
        A2 = np.exp(Z2 - Z2.max(0)) / np.exp(Z2 - Z2.max(0)).sum(0)
        dZ2 = A2 - Y
        dZ1 = self.W2.T.dot(dZ2) * (Z1 > 0)
        self.W2 = self.W2 - alpha / m * dZ2.dot(A1.T)
        self.b2 = self.b2 - alpha / m * dZ2.sum(1, keepdims=True)
        self.W1 = self.W1 - alpha / m * dZ1.dot(X.T)
        self.b1 = self.b1 - alpha / m * dZ1.sum(1, keepdims=True)
