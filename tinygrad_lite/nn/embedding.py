"""Embedding: a table of vectors."""

from __future__ import annotations

from ..ops.neural import embedding
from ..tensor import ArrayLike, Tensor
from . import init
from .module import Module, Parameter


class Embedding(Module):
    """A learned vector for each of the integers 0 … num_embeddings − 1, drawn from the normal distribution at first.

    >>> nn.Embedding(num_embeddings=10, embedding_dim=4)(np.array([[1, 2, 2]])).shape
    (1, 3, 4)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(init.normal((num_embeddings, embedding_dim)))

    def forward(self, index: ArrayLike) -> Tensor:
        """Return the vectors of an array of integers, along a new last axis."""
        return embedding(index, self.weight)

    def extra_repr(self) -> str:  # noqa: D102
        return f"{self.num_embeddings}, {self.embedding_dim}"
