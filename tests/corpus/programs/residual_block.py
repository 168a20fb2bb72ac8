"""A residual block between two linear layers: the gradient flows both ways round."""
import numpy as np
import tinygrad_lite as tl


def loss(X, T, P, R, Q):
    S = X @ P
    out = S + tl.relu(S @ R)
    return ((out @ Q - T) ** 2).mean() / 2


def backward(X, T, P, R, Q):
    S = X @ P
    pre = S @ R
    branch = np.where(pre > 0, pre, 0)
    out = S + branch
    d = (out @ Q - T) / T.size
    dQ = out.T @ d
    dout = d @ Q.T
    dbranch = np.where(pre > 0, dout, 0)
    dR = S.T @ dbranch
    dS = dout + dbranch @ R.T
    dP = X.T @ dS
    return dP, dR, dQ
