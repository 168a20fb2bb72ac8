"""A recurrent network with a cell's own backward pass; the gradient that comes in at each step is never added."""
import numpy as np


def cell(xt, a_prev, Wax, Waa, ba):
    return np.tanh(np.dot(Wax, xt) + np.dot(Waa, a_prev) + ba)


def cell_backward(da_next, cache):
    (a_next, a_prev, xt, Wax, Waa) = cache
    dtanh = (1 - a_next**2) * da_next
    dxt = np.dot(Wax.T, dtanh)
    dWax = np.dot(dtanh, xt.T)
    da_prev = np.dot(Waa.T, dtanh)
    dWaa = np.dot(dtanh, a_prev.T)
    dba = np.sum(dtanh, axis=1, keepdims=True)
    return {"dxt": dxt, "da_prev": da_prev, "dWax": dWax, "dWaa": dWaa, "dba": dba}


def loss(da, x, a0, Wax, Waa, ba):
    a, J = a0, 0
    for t in range(x.shape[2]):
        a = cell(x[:, :, t], a, Wax, Waa, ba)
        J = J + (da[:, :, t] * a).sum()
    return J


def backward(da, x, a0, Wax, Waa, ba):
    a_prev, caches = a0, []
    for t in range(x.shape[2]):
        a_next = cell(x[:, :, t], a_prev, Wax, Waa, ba)
        caches.append((a_next, a_prev, x[:, :, t], Wax, Waa))
        a_prev = a_next
    n_a, m, T_x = da.shape
    dx = np.zeros(x.shape)
    dWax = np.zeros(Wax.shape)
    dWaa = np.zeros(Waa.shape)
    dba = np.zeros(ba.shape)
    da_prevt = np.zeros((n_a, m))
    for t in reversed(range(T_x)):
        gradients = cell_backward(da[:, :, t] + da_prevt, caches[t])
        dxt, da_prevt = gradients["dxt"], gradients["da_prev"]
        dx[:, :, t] = dxt
        dWax += gradients["dWax"]
        dWaa += gradients["dWaa"]
        dba += gradients["dba"]
    da0 = da_prevt
    return {"dx": dx, "da0": da0, "dWax": dWax, "dWaa": dWaa, "dba": dba}
