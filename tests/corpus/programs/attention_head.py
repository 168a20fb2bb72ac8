"""One head of attention over the tokens of one sequence."""
import numpy as np
import tinygrad_lite as tl


def loss(X, T, Wq, Wk, Wv):
    S = (X @ Wq) @ (X @ Wk).T / np.sqrt(Wq.shape[1])
    return 0.5 * ((tl.softmax(S, axis=1) @ (X @ Wv) - T) ** 2).sum()


def backward(X, T, Wq, Wk, Wv):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    scale = 1 / np.sqrt(Q.shape[1])
    S = Q @ K.T * scale
    P = np.exp(S - S.max(axis=1, keepdims=True))
    P = P / P.sum(axis=1, keepdims=True)
    dO = P @ V - T
    dV = P.T @ dO
    dP = dO @ V.T
    dS = P * (dP - (P * dP).sum(axis=1, keepdims=True))
    dQ = scale * dS @ K
    dK = scale * dS.T @ Q
    dWq = X.T @ dQ
    dWk = X.T @ dK
    dWv = X.T @ dV
    return {"dWq": dWq, "dWk": dWk, "dWv": dWv}
