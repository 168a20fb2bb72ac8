"""Features, a maximum over time, and a linear classifier of one output."""
import numpy as np
import tinygrad_lite as tl


def loss(S, y, F, w):
    features = tl.tanh(S @ F)
    pooled = tl.max(features, axis=0)
    return tl.sigmoid_cross_entropy((pooled * w).sum(), y)


def backward(S, y, F, w):
    features = np.tanh(S @ F)
    winner = features.argmax(axis=0)
    pooled = features.max(axis=0)
    logit = pooled @ w
    dlogit = 1 / (1 + np.exp(-logit)) - y
    dw = dlogit * pooled
    dpooled = dlogit * w
    dfeatures = np.zeros_like(features)
    dfeatures[winner, np.arange(len(w))] = dpooled
    dpre = dfeatures * (1 - features**2)
    dF = S.T @ dpre
    return {"dF": dF, "dw": dw}
