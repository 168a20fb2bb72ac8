"""An autoencoder of MNIST: 784 pixels squeezed through 32 numbers and unfolded again; the target is the input itself."""

from __future__ import annotations

from jaxtyping import Float

from tinygrad_lite import Tensor, mse, nn, relu, sigmoid
from tinygrad_lite.data import Dataset, Split, mnist


class Autoencoder(nn.Module):
    """Code C = V2 ReLU(V1 X), reconstruction R = σ(W2 ReLU(W1 C)), biases understood, with J the mean of (R − X)²."""

    recipe = {"optimizer": "adam", "lr": 2e-3, "batch_size": 128, "epochs": 5}  # noqa: RUF012

    def __init__(self, inputs: int = 784, hidden: int = 128, code: int = 32) -> None:
        self.inputs, self.code = inputs, code
        self.squeeze1 = nn.Linear(inputs, hidden, axis=0)
        self.squeeze2 = nn.Linear(hidden, code, axis=0)
        self.unfold1 = nn.Linear(code, hidden, axis=0)
        self.unfold2 = nn.Linear(hidden, inputs, axis=0)

    def data(self, source: str | None) -> Dataset:
        """Return the digits with themselves as targets, and without labels."""
        digits = mnist(source)
        return Dataset(Split(digits.train.X, digits.train.X), Split(digits.test.X, digits.test.X), digits.source)

    def encode(self, X: Float[Tensor, "inputs m"]) -> Float[Tensor, "code m"]:
        """Return the code of each sample."""
        H = relu(self.squeeze1(X))
        C = self.squeeze2(H)
        return C

    def forward(self, X: Float[Tensor, "inputs m"]) -> Float[Tensor, "inputs m"]:
        """Return the reconstruction, pixels from 0 to 1."""
        G = relu(self.unfold1(self.encode(X)))
        R = sigmoid(self.unfold2(G))
        return R

    def loss(self, X: Float[Tensor, "inputs m"], Y: Float[Tensor, "inputs m"]) -> Float[Tensor, ""]:
        """Return J, the mean of the squared differences between the reconstruction and the target Y."""
        J = mse(self(X), Y)
        return J
