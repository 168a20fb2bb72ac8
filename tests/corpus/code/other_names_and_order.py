"""Names of gradients as they are spoken, and an order of return of one's own; the biases come first."""
import numpy as np


def compute_gradients(X, Y, W1, b1, W2, b2):
    batch = X.shape[1]
    hidden_in = W1 @ X + b1
    hidden = np.where(hidden_in > 0, hidden_in, 0)
    out = W2 @ hidden + b2
    out = np.exp(out - out.max(axis=0))
    out = out / out.sum(axis=0)
    grad_loss_wrt_out = (out - Y) / batch
    dL_dW2 = grad_loss_wrt_out @ hidden.T
    dL_db2 = grad_loss_wrt_out.sum(axis=1, keepdims=True)
    grad_loss_wrt_hidden = W2.T @ grad_loss_wrt_out
    grad_loss_wrt_hidden_in = np.where(hidden_in > 0, grad_loss_wrt_hidden, 0)
    dL_dW1 = grad_loss_wrt_hidden_in @ X.T
    dL_db1 = grad_loss_wrt_hidden_in.sum(axis=1, keepdims=True)
    return dL_db1, dL_db2, dL_dW1, dL_dW2
