"""The Jacobian of softmax, entry by entry; input stands for value."""
import numpy as np


def cost(z, t):
    e = np.exp(z)
    return (t * (e / np.sum(e))).sum()


def jacobian(z, t):
    e = np.exp(z)
    value = e / np.sum(e)
    J = np.zeros((len(z), len(z)))
    for i in range(len(value)):
        for j in range(len(z)):
            if i == j:
                J[i, j] = value[i] * (1 - value[i])
            else:
                J[i, j] = -value[i] * value[j]
    dz = J.T @ t
    return {"dz": dz}
