"""A recurrent network that answers at each step; squared error; the gradient that comes from later steps is added."""
import numpy as np
import tinygrad_lite as tl


def loss(x, y, U, W, V):
    s, J = None, 0
    for t in range(x.shape[0]):
        s = tl.tanh(U @ x[t]) if s is None else tl.tanh(U @ x[t] + W @ s)
        J = J + 0.5 * ((V @ s - y[t]) ** 2).sum()
    return J


def backward(x, y, U, W, V):
    steps = x.shape[0]
    s = np.zeros((steps + 1, U.shape[0]))
    for t in range(steps):
        s[t] = np.tanh(U @ x[t] + W @ s[t - 1])
    dU = np.zeros(U.shape)
    dW = np.zeros(W.shape)
    dV = np.zeros(V.shape)
    carried = np.zeros(U.shape[0])
    for t in range(steps)[::-1]:
        e = V @ s[t] - y[t]
        dV += np.outer(e, s[t])
        ds = V.T @ e + carried
        da = (1 - s[t] ** 2) * ds
        dU += np.outer(da, x[t])
        dW += np.outer(da, s[t - 1])
        carried = W.T @ da
    return dU, dW, dV
