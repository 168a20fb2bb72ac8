"""A deeper network on MNIST, 784 → 256 → 128 → 10, of layers: columns are samples, so features run along axis 0."""

from __future__ import annotations

from jaxtyping import Float

from tinygrad_lite import Tensor, mean, nn, relu, softmax, softmax_cross_entropy


class DeepMLP(nn.Module):
    """Z1 = W1 X + b1, A1 = ReLU(Z1), Z2 = W2 A1 + b2, A2 = ReLU(Z2), Z3 = W3 A2 + b3, with J the mean cross-entropy.

    The layers draw their weights as PyTorch's Linear does, uniformly from ±1/√(number of inputs).
    """

    recipe = {"optimizer": "adam", "lr": 1e-3, "batch_size": 128, "epochs": 5}  # noqa: RUF012

    def __init__(self, inputs: int = 784, hidden: tuple[int, int] = (256, 128), classes: int = 10) -> None:
        self.inputs, self.classes = inputs, classes
        self.layer1 = nn.Linear(inputs, hidden[0], axis=0)
        self.layer2 = nn.Linear(hidden[0], hidden[1], axis=0)
        self.layer3 = nn.Linear(hidden[1], classes, axis=0)

    def logits(self, X: Float[Tensor, "inputs m"]) -> Float[Tensor, "classes m"]:
        """Return Z3, the scores of the classes before the softmax."""
        Z1 = self.layer1(X)
        A1 = relu(Z1)
        Z2 = self.layer2(A1)
        A2 = relu(Z2)
        Z3 = self.layer3(A2)
        return Z3

    def forward(self, X: Float[Tensor, "inputs m"]) -> Float[Tensor, "classes m"]:
        """Return A3, the probabilities of the classes, one column a sample."""
        A3 = softmax(self.logits(X), axis=0)
        return A3

    def loss(self, X: Float[Tensor, "inputs m"], Y: Float[Tensor, "classes m"]) -> Float[Tensor, ""]:
        """Return J, the mean over the samples of −Σ Y log A3."""
        J = mean(softmax_cross_entropy(self.logits(X), Y, axis=0))
        return J
