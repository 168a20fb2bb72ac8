"""A one-dimensional convolution, ReLU and a sum with weights; written in loops."""
import numpy as np
import tinygrad_lite as tl


def loss(x, k, b, v):
    size = k.shape[0]
    parts = [x[i : i + size] for i in range(x.shape[0] - size + 1)]
    z = tl.stack([(p * k).sum() + b for p in parts])
    return 0.5 * ((tl.relu(z) * v).sum() - 1) ** 2


def backward(x, k, b, v):
    size, n = len(k), len(x)
    places = n - size + 1
    z = np.zeros(places)
    for i in range(places):
        for j in range(size):
            z[i] += x[i + j] * k[j]
        z[i] += b
    a = np.maximum(z, 0)
    out = np.sum(a * v) - 1
    dv = out * a
    da = out * v
    dz = da * (z > 0)
    dk = np.zeros(size)
    db = 0
    for i in range(places):
        for j in range(size):
            dk[j] += dz[i] * x[i + j]
        db += dz[i]
    return {"dk": dk, "db": db, "dv": dv}
