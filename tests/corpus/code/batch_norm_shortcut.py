"""Batch norm whose mean and variance are taken for constants."""
import numpy as np


def loss(x, gamma, beta, dout):
    xhat = (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5)
    return ((gamma * xhat + beta) * dout).sum()


def backward(x, gamma, beta, dout):
    mu = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    xhat = (x - mu) / np.sqrt(var + 1e-5)
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dx = gamma / np.sqrt(var + 1e-5) * (dout - dout.mean(0) - xhat * (dout * xhat).mean(0))
    return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
