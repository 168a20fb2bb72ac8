"""Word vectors: one centre word, one true neighbour, k drawn at random."""
import numpy as np
import tinygrad_lite as tl


def loss(v, u, N):
    return -tl.log(tl.sigmoid((u * v).sum())) - tl.log(tl.sigmoid(-(N @ v))).sum()


def backward(v, u, N):
    pos = 1 / (1 + np.exp(-np.dot(u, v)))
    neg = 1 / (1 + np.exp(-np.dot(N, v)))
    e_pos = pos - 1
    e_neg = neg
    dv = e_pos * u + np.dot(N.T, e_neg)
    du = e_pos * v
    dN = np.outer(e_neg, v)
    return dv, du, dN
