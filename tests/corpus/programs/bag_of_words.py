"""Word counts times an embedding, a hidden ReLU, softmax; samples in rows; dictionary of parameters."""
import numpy as np
import tinygrad_lite as tl


def loss(counts, Y, E, W):
    H = tl.relu(counts @ E)
    return tl.softmax_cross_entropy(H @ W, Y, axis=1).mean()


def backward(counts, Y, E, W):
    params = {"E": E, "W": W}
    m = len(counts)
    pre = counts @ params["E"]
    H = pre * (pre > 0)
    O = H @ params["W"]
    O = np.exp(O - O.max(axis=1, keepdims=True))
    probs = O / O.sum(axis=1, keepdims=True)
    grads = {}
    delta = (probs - Y) / m
    grads["dW"] = H.T @ delta
    delta = delta @ params["W"].T
    delta = delta * (pre > 0)
    grads["dE"] = counts.T @ delta
    return grads
