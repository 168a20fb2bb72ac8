"""A network of two inputs written entry by entry."""
import numpy as np


def sig(v):
    return 1 / (1 + np.exp(-v))


def cost(x, y, w0, w1):
    return (y - sig(sig(x @ w0) @ w1)) ** 2 / 2


def backward(x, y, w0, w1):
    h0 = sig(w0[0, 0] * x[0] + w0[1, 0] * x[1])
    h1 = sig(w0[0, 1] * x[0] + w0[1, 1] * x[1])
    o = sig(w1[0] * h0 + w1[1] * h1)
    de = -(y - o)
    g00 = de * o * (1 - o) * w1[0] * h0 * (1 - h0) * x[0]
    g01 = de * o * (1 - o) * w1[1] * h1 * (1 - h1) * x[0]
    g10 = de * o * (1 - o) * w1[0] * h0 * (1 - h0) * x[1]
    g11 = de * o * (1 - o) * w1[1] * h1 * (1 - h1) * x[1]
    k0 = de * o * (1 - o) * h0
    k1 = de * o * (1 - o) * h1
    dw0 = np.array([[g00, g01], [g10, g11]])
    dw1 = np.array([k0, k1])
    return dw0, dw1
