"""The network of the notes, 784 → 10 → 10 on MNIST: columns are samples, one line of code per line of the notes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from tinygrad_lite import Tensor, mean, nn, relu, softmax, softmax_cross_entropy


class TwoLayer(nn.Module):
    """Z1 = W1 X + b1, A1 = ReLU(Z1), Z2 = W2 A1 + b2, A2 = softmax(Z2), with J the mean cross-entropy.

    Parameters: W1 (hidden × inputs), b1 (hidden × 1), W2 (classes × hidden), b2 (classes × 1), float32, drawn uniformly
    from ±1/√(number of inputs of the layer) as PyTorch's Linear draws them.
    """

    W1: Float[Tensor, "hidden inputs"]
    b1: Float[Tensor, "hidden 1"]
    W2: Float[Tensor, "classes hidden"]
    b2: Float[Tensor, "classes 1"]

    def __init__(self, inputs: int = 784, hidden: int = 10, classes: int = 10, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.W1 = nn.Parameter(rng.uniform(-1, 1, (hidden, inputs)) / np.sqrt(inputs), dtype=np.float32)
        self.b1 = nn.Parameter(rng.uniform(-1, 1, (hidden, 1)) / np.sqrt(inputs), dtype=np.float32)
        self.W2 = nn.Parameter(rng.uniform(-1, 1, (classes, hidden)) / np.sqrt(hidden), dtype=np.float32)
        self.b2 = nn.Parameter(rng.uniform(-1, 1, (classes, 1)) / np.sqrt(hidden), dtype=np.float32)

    def forward(self, X: Float[Tensor, "inputs m"]) -> Float[Tensor, "classes m"]:
        """Return A2, the probabilities of the classes, one column a sample."""
        Z1 = self.W1 @ X + self.b1
        A1 = relu(Z1)
        Z2 = self.W2 @ A1 + self.b2
        A2 = softmax(Z2, axis=0)
        return A2

    def loss(self, X: Float[Tensor, "inputs m"], Y: Float[Tensor, "classes m"]) -> Float[Tensor, ""]:
        """Return J, the mean over the samples of −Σ Y log A2; the softmax A2 is taken inside, where no log 0 can occur."""
        Z1 = self.W1 @ X + self.b1
        A1 = relu(Z1)
        Z2 = self.W2 @ A1 + self.b2
        J = mean(softmax_cross_entropy(Z2, Y, axis=0))
        return J
