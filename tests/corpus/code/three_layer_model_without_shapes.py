"""The same model file without annotations of its parameters."""
import numpy as np
from jaxtyping import Float
from tinygrad_lite import Tensor, mean, nn, relu, softmax, softmax_cross_entropy, tanh


class ThreeLayer(nn.Module):
    recipe = {"optimizer": "sgd", "lr": 0.1, "batch_size": 64, "epochs": 5}

    def __init__(self, inputs: int = 784, first: int = 32, second: int = 16, classes: int = 10):
        rng = np.random.default_rng(0)
        self.W1 = nn.Parameter(rng.standard_normal((first, inputs)) * 0.05)
        self.b1 = nn.Parameter(np.zeros((first, 1)))
        self.W2 = nn.Parameter(rng.standard_normal((second, first)) * 0.2)
        self.b2 = nn.Parameter(np.zeros((second, 1)))
        self.W3 = nn.Parameter(rng.standard_normal((classes, second)) * 0.2)
        self.b3 = nn.Parameter(np.zeros((classes, 1)))

    def logits(self, X):
        Z1 = self.W1 @ X + self.b1
        A1 = tanh(Z1)
        Z2 = self.W2 @ A1 + self.b2
        A2 = relu(Z2)
        Z3 = self.W3 @ A2 + self.b3
        return Z3

    def forward(self, X):
        return softmax(self.logits(X), axis=0)

    def loss(self, X: Float[Tensor, "inputs m"], Y: Float[Tensor, "classes m"]):
        return mean(softmax_cross_entropy(self.logits(X), Y, axis=0))
