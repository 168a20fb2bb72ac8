"""A network of two inputs, two hidden units and one output, one sample, vectors without a second axis."""
import numpy as np
import tinygrad_lite as tl


def loss(x, t, W1, b1, w2, b2):
    h = tl.sigmoid(W1 @ x + b1)
    return 0.5 * (tl.sigmoid((w2 * h).sum() + b2) - t) ** 2


def backward(x, t, W1, b1, w2, b2):
    h = 1 / (1 + np.exp(-(W1 @ x + b1)))
    o = 1 / (1 + np.exp(-(w2 @ h + b2)))
    delta_o = (o - t) * o * (1 - o)
    dw2 = delta_o * h
    db2 = delta_o
    delta_h = delta_o * w2 * h * (1 - h)
    dW1 = np.outer(delta_h, x)
    db1 = delta_h
    return {"dW1": dW1, "db1": db1, "dw2": dw2, "db2": db2}
