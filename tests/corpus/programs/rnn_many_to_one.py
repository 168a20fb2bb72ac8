"""A recurrent network that answers after the last step; backpropagation through time."""
import numpy as np
import tinygrad_lite as tl


def loss(X, Y, Wx, Wh, b, Wy):
    h = tl.tanh(Wx @ X[0] + b)
    for t in range(1, X.shape[0]):
        h = tl.tanh(Wx @ X[t] + Wh @ h + b)
    return tl.softmax_cross_entropy(Wy @ h, Y, axis=0).mean()


def backward(X, Y, Wx, Wh, b, Wy):
    T, n, m = X.shape
    hs = [np.zeros((Wh.shape[0], m))]
    for t in range(T):
        hs.append(np.tanh(Wx @ X[t] + Wh @ hs[-1] + b))
    logits = Wy @ hs[-1]
    e = np.exp(logits - logits.max(axis=0))
    p = e / e.sum(axis=0)
    dlogits = (p - Y) / m
    dWy = dlogits @ hs[-1].T
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dh = Wy.T @ dlogits
    for t in reversed(range(T)):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx += dz @ X[t].T
        dWh += dz @ hs[t].T
        db += dz.sum(axis=1, keepdims=True)
        dh = Wh.T @ dz
    return {"dWx": dWx, "dWh": dWh, "db": db, "dWy": dWy}
