"""Multi-head attention.  Source: Vaswani et al. (2017), Attention is all you need."""

from __future__ import annotations

import numpy as np

from ..ops.neural import scaled_dot_product_attention
from ..ops.shape import transpose
from ..tensor import ArrayLike, Tensor, describe
from . import init
from .linear import Linear
from .module import Module, Parameter
from .settings import whole


class MultiHeadAttention(Module):
    """Attention by several heads side by side, each over embed_dim / num_heads features.

    The parameters are those of torch.nn.MultiheadAttention: `in_proj_weight` (3 embed_dim, embed_dim) holds the maps to
    queries, keys and values one below the other, drawn by Xavier's rule; biases begin with 0.  Inputs are
    (m, length, embed_dim), or (length, m, embed_dim) with `batch_first=False`.

    >>> x = np.ones((2, 5, 8), np.float32)
    >>> nn.MultiHeadAttention(embed_dim=8, num_heads=2)(x, x, x, is_causal=True).shape
    (2, 5, 8)
    """

    def __init__(self, embed_dim: int, num_heads: int, bias: bool = True, batch_first: bool = True) -> None:
        embed_dim, num_heads = whole("embed_dim", embed_dim), whole("num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"embed_dim={embed_dim} must be a multiple of num_heads={num_heads}")
        self.embed_dim, self.num_heads, self.batch_first = embed_dim, num_heads, batch_first
        self.in_proj_weight = Parameter(init.xavier_uniform((3 * embed_dim, embed_dim)))
        self.in_proj_bias = Parameter(init.zeros(3 * embed_dim)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias)
        if self.out_proj.bias is not None:
            self.out_proj.bias.assign(init.zeros(embed_dim))

    def forward(
        self,
        query: ArrayLike,
        key: ArrayLike,
        value: ArrayLike,
        mask: ArrayLike | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return what each query attends to, in the shape of the queries.

        `mask` broadcasts to (m, num_heads, queries, keys): True where a query may look at a key, or numbers to add to the
        scores, as in `scaled_dot_product_attention`; with `is_causal`, no query looks at a later key.
        """
        q, k, v = (self._heads(x, part) for part, x in enumerate((query, key, value)))
        found: Tensor = scaled_dot_product_attention(q, k, v, mask, is_causal).transpose(0, 2, 1, 3)
        out: Tensor = self.out_proj(found.reshape(*found.shape[:2], self.embed_dim))
        return out if self.batch_first else transpose(out, (1, 0, 2))

    def _heads(self, x: ArrayLike, part: int) -> Tensor:
        """Map to the queries (0), keys (1) or values (2) of every head: (m, num_heads, length, embed_dim / num_heads)."""
        if np.ndim(x) != 3 or np.shape(x)[2] != self.embed_dim:
            raise ValueError(f"{self!r} takes inputs (m, length, {self.embed_dim}), not {describe(x)}")
        rows = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
        y: Tensor = (x if self.batch_first else transpose(x, (1, 0, 2))) @ self.in_proj_weight[rows].T
        if self.in_proj_bias is not None:
            y = y + self.in_proj_bias[rows]
        y = y.reshape(*y.shape[:2], self.num_heads, self.embed_dim // self.num_heads)
        return transpose(y, (0, 2, 1, 3))

    def extra_repr(self) -> str:  # noqa: D102
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}"
