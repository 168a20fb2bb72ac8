"""A script whose weights are globals: what is returned must be judged all the same, or said not to be."""
import numpy as np

rng = np.random.default_rng(0)
w_in, b_in = rng.standard_normal((784, 10)), rng.standard_normal(10)
w_out, b_out = rng.standard_normal((10, 10)), rng.standard_normal(10)


def fwd(x):
    z1 = np.dot(x, w_in) + b_in
    a1 = np.maximum(z1, 0)
    z2 = np.dot(a1, w_out) + b_out
    ex = np.exp(z2 - np.max(z2, axis=1, keepdims=True))
    return z1, a1, z2, ex / ex.sum(axis=1, keepdims=True)


def cost(x, y):
    return -np.log(fwd(x)[3][np.arange(y.size), y]).mean()


def bwd(x, y):
    z1, a1, z2, a2 = fwd(x)
    m = y.size
    dz2 = a2 - np.eye(10)[y]
    dw_out = 1 / m * a1.T.dot(dz2)
    db_out = 1 / m * np.sum(dz2, axis=0)
    dz1 = dz2.dot(w_out.T) * (z1 > 0)
    dw_in = 1 / m * x.T.dot(dz1)
    db_in = 1 / m * np.sum(dz1, axis=0)
    return dw_in, db_in, dw_out, db_out
