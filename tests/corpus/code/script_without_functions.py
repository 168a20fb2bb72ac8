"""A script: everything at the top, one step of gradient descent in the end."""
import numpy as np

np.random.seed(0)
X = np.random.rand(784, 20)
labels = np.random.randint(0, 10, 20)
Y = np.eye(10)[labels].T
m = X.shape[1]
W1 = np.random.randn(10, 784) * 0.05
b1 = np.zeros((10, 1))
W2 = np.random.randn(10, 10) * 0.05
b2 = np.zeros((10, 1))

Z1 = W1 @ X + b1
A1 = np.maximum(0, Z1)
Z2 = W2 @ A1 + b2
exps = np.exp(Z2)
A2 = exps / exps.sum(axis=0)

dZ2 = A2 - Y
dW2 = dZ2 @ A1.T / m
db2 = dZ2.sum(axis=1, keepdims=True) / m
dZ1 = W2.T @ dZ2 * (Z1 > 0)
dW1 = dZ1 @ X.T / m
db1 = dZ1.sum(axis=1, keepdims=True) / m
W1 = W1 - 0.1 * dW1
b1 = b1 - 0.1 * db1
W2 = W2 - 0.1 * dW2
b2 = b2 - 0.1 * db2
