"""A loss that puts tensors into np.array: its gradient must not be cut in silence."""
import numpy as np


def cost(X, y, w):
    z = np.array([X[i] @ w for i in range(X.shape[0])])
    return ((z - y) ** 2).sum() / 2 + 0.5 * (w * w).sum()


def backward(X, y, w):
    dw = X.T @ (X @ w - y) + w
    return {"dw": dw}
