"""Three layers in dictionaries, names built from the number of the layer, as in a course on deep learning."""
import numpy as np
import tinygrad_lite as tl


def loss(X, Y, W1, b1, W2, b2, W3, b3):
    A1 = tl.relu(W1 @ X + b1)
    A2 = tl.relu(W2 @ A1 + b2)
    return tl.sigmoid_cross_entropy(W3 @ A2 + b3, Y).mean()


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2, "W3": W3, "b3": b3}
    m = X.shape[1]
    cache = {"A0": X}
    L = len(parameters) // 2
    for l in range(1, L + 1):
        Z = np.dot(parameters["W" + str(l)], cache["A" + str(l - 1)]) + parameters["b" + str(l)]
        cache["Z" + str(l)] = Z
        cache["A" + str(l)] = np.maximum(0, Z) if l < L else 1 / (1 + np.exp(-Z))
    grads = {}
    dZ = cache["A" + str(L)] - Y
    for l in range(L, 0, -1):
        grads["dW" + str(l)] = np.dot(dZ, cache["A" + str(l - 1)].T) / m
        grads["db" + str(l)] = np.sum(dZ, axis=1, keepdims=True) / m
        if l > 1:
            dA = np.dot(parameters["W" + str(l)].T, dZ)
            dZ = dA * (cache["Z" + str(l - 1)] > 0)
    return grads
