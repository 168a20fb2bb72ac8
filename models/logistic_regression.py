"""Multinomial logistic regression on MNIST: one layer and a softmax, the network of the notes without its hidden layer."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from tinygrad_lite import Tensor, mean, nn, softmax, softmax_cross_entropy


class LogisticRegression(nn.Module):
    """Z = W X + b, A = softmax(Z), with J the mean cross-entropy; columns are samples.

    Parameters: W (classes × inputs) and b (classes × 1), float32, zero at first: J is convex, so any start will do.
    """

    W: Float[Tensor, "classes inputs"]
    b: Float[Tensor, "classes 1"]

    def __init__(self, inputs: int = 784, classes: int = 10) -> None:
        self.W = nn.Parameter(np.zeros((classes, inputs), np.float32))
        self.b = nn.Parameter(np.zeros((classes, 1), np.float32))

    def forward(self, X: Float[Tensor, "inputs m"]) -> Float[Tensor, "classes m"]:
        """Return A, the probabilities of the classes, one column a sample."""
        Z = self.W @ X + self.b
        A = softmax(Z, axis=0)
        return A

    def loss(self, X: Float[Tensor, "inputs m"], Y: Float[Tensor, "classes m"]) -> Float[Tensor, ""]:
        """Return J, the mean over the samples of −Σ Y log A."""
        Z = self.W @ X + self.b
        J = mean(softmax_cross_entropy(Z, Y, axis=0))
        return J
