"""Two layers with ReLU and softmax; weight decay on the weights, not on the biases."""
import numpy as np
import tinygrad_lite as tl


def loss(X, Y, W1, b1, W2, b2):
    A1 = tl.relu(W1 @ X + b1)
    data = tl.softmax_cross_entropy(W2 @ A1 + b2, Y, axis=0).mean()
    return data + 0.1 / (2 * X.shape[1]) * ((W1**2).sum() + (W2**2).sum())


def backward(X, Y, W1, b1, W2, b2):
    lambd = 0.1
    m = X.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.maximum(0, Z1)
    Z2 = np.dot(W2, A1) + b2
    t = np.exp(Z2 - np.max(Z2, axis=0, keepdims=True))
    A2 = t / np.sum(t, axis=0, keepdims=True)
    dZ2 = A2 - Y
    dW2 = 1.0 / m * np.dot(dZ2, A1.T) + lambd / m * W2
    db2 = 1.0 / m * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dZ2)
    dZ1 = np.multiply(dA1, np.int64(Z1 > 0))
    dW1 = 1.0 / m * np.dot(dZ1, X.T) + lambd / m * W1
    db1 = 1.0 / m * np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
