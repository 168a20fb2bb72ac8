"""LeNet-5 on MNIST: two convolutions with pooling, then three full layers.

Source: LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning applied to document recognition, fig. 2; with ReLU and
max pooling, as it is built today, in the place of tanh and trainable averages.
"""

from __future__ import annotations

from jaxtyping import Float

from tinygrad_lite import Tensor, flatten, max_pool2d, mean, nn, relu, softmax, softmax_cross_entropy


class LeNet(nn.Module):
    """28×28 → 6@28×28 → 6@14×14 → 16@10×10 → 16@5×5 → 120 → 84 → 10; inside, samples run along the first axis."""

    recipe = {"optimizer": "adam", "lr": 2e-3, "batch_size": 64, "epochs": 3}  # noqa: RUF012

    def __init__(self) -> None:
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.full1 = nn.Linear(400, 120)
        self.full2 = nn.Linear(120, 84)
        self.full3 = nn.Linear(84, 10)

    def logits(self, X: Float[Tensor, "784 m"]) -> Float[Tensor, "m 10"]:
        """Return the scores of the classes, one row a sample."""
        images = X.T.reshape(-1, 1, 28, 28)
        C1 = relu(self.conv1(images))
        S1 = max_pool2d(C1, 2)
        C2 = relu(self.conv2(S1))
        S2 = max_pool2d(C2, 2)
        F1 = relu(self.full1(flatten(S2, 1)))
        F2 = relu(self.full2(F1))
        Z = self.full3(F2)
        return Z

    def forward(self, X: Float[Tensor, "784 m"]) -> Float[Tensor, "10 m"]:
        """Return the probabilities of the classes, one column a sample."""
        A = softmax(self.logits(X).T, axis=0)
        return A

    def loss(self, X: Float[Tensor, "784 m"], Y: Float[Tensor, "10 m"]) -> Float[Tensor, ""]:
        """Return J, the mean cross-entropy."""
        J = mean(softmax_cross_entropy(self.logits(X), Y.T, axis=1))
        return J
