"""Three layers held in lists and walked backwards in a loop; sigmoid hidden layers."""
import numpy as np
import tinygrad_lite as tl


def loss(X, Y, W1, b1, W2, b2, W3, b3):
    A = tl.sigmoid(W1 @ X + b1)
    A = tl.sigmoid(W2 @ A + b2)
    return tl.softmax_cross_entropy(W3 @ A + b3, Y, axis=0).mean()


def backward(X, Y, W1, b1, W2, b2, W3, b3):
    weights = [W1, W2, W3]
    biases = [b1, b2, b3]
    activations = [X]
    for w, b in zip(weights[:-1], biases[:-1]):
        activations.append(1 / (1 + np.exp(-(w @ activations[-1] + b))))
    z = weights[-1] @ activations[-1] + biases[-1]
    e = np.exp(z - z.max(axis=0))
    activations.append(e / e.sum(axis=0))
    delta = (activations[-1] - Y) / X.shape[1]
    nabla_w = [None] * 3
    nabla_b = [None] * 3
    for k in range(2, -1, -1):
        nabla_w[k] = delta @ activations[k].T
        nabla_b[k] = delta.sum(axis=1, keepdims=True)
        if k > 0:
            a = activations[k]
            delta = weights[k].T @ delta * a * (1 - a)
    return {"dW1": nabla_w[0], "db1": nabla_b[0], "dW2": nabla_w[1], "db2": nabla_b[1], "dW3": nabla_w[2], "db3": nabla_b[2]}
