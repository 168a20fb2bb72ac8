"""The multiclass SVM loss of a linear classifier; margin 1; rows."""
import numpy as np


def loss(X, Y, W):
    scores = X @ W
    correct = (scores * Y).sum(axis=1, keepdims=True)
    margins = np.maximum(0, scores - correct + 1) * (1 - Y)
    return margins.sum() / X.shape[0]


def backward(X, Y, W):
    num_train = X.shape[0]
    scores = X @ W
    correct = (scores * Y).sum(axis=1, keepdims=True)
    margins = np.maximum(0, scores - correct + 1) * (1 - Y)
    binary = (margins > 0).astype(float)
    row_sum = binary.sum(axis=1, keepdims=True)
    coefficients = binary - row_sum * Y
    dW = X.T @ coefficients
    dW = dW / num_train
    return {"dW": dW}
