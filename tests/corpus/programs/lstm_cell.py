"""One step of an LSTM; the four gates lie below each other."""
import numpy as np
import tinygrad_lite as tl


def loss(x, h, c, target, Wi, Wf, Wo, Wg):
    z = tl.concatenate([x, h], axis=0)
    i, f, o, g = tl.sigmoid(Wi @ z), tl.sigmoid(Wf @ z), tl.sigmoid(Wo @ z), tl.tanh(Wg @ z)
    new = f * c + i * g
    return 0.5 * ((o * tl.tanh(new) - target) ** 2).sum()


def backward(x, h, c, target, Wi, Wf, Wo, Wg):
    z = np.concatenate([x, h])
    i = 1 / (1 + np.exp(-Wi @ z))
    f = 1 / (1 + np.exp(-Wf @ z))
    o = 1 / (1 + np.exp(-Wo @ z))
    g = np.tanh(Wg @ z)
    new = f * c + i * g
    t = np.tanh(new)
    dout = o * t - target
    do = dout * t
    dnew = dout * o * (1 - t**2)
    df = dnew * c
    di = dnew * g
    dg = dnew * i
    dWi = (di * i * (1 - i)) @ z.T
    dWf = (df * f * (1 - f)) @ z.T
    dWo = (do * o * (1 - o)) @ z.T
    dWg = (dg * (1 - g**2)) @ z.T
    return {"dWi": dWi, "dWf": dWf, "dWo": dWo, "dWg": dWg}
