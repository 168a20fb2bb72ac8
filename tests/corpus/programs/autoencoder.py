"""An autoencoder with a sigmoid code and a linear reconstruction."""
import numpy as np
import tinygrad_lite as tl


def loss(X, We, be, Wd, bd):
    code = tl.sigmoid(We @ X + be)
    return 0.5 * ((Wd @ code + bd - X) ** 2).sum(axis=0).mean()


def backward(X, We, be, Wd, bd):
    n, m = X.shape
    code = 1 / (1 + np.exp(-(We @ X + be)))
    back = Wd @ code + bd
    residual = (back - X) / m
    dWd = residual @ code.T
    dbd = residual.sum(axis=1, keepdims=True)
    dcode = Wd.T @ residual
    dpre = dcode * code * (1 - code)
    dWe = dpre @ X.T
    dbe = dpre.sum(axis=1, keepdims=True)
    return {"dWe": dWe, "dbe": dbe, "dWd": dWd, "dbd": dbd}
