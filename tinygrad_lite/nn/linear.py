"""Linear: the layer W x + b."""

from __future__ import annotations

from ..tensor import ArrayLike, Tensor, describe
from . import init
from .module import Module, Parameter
from .settings import whole


class Linear(Module):
    """The affine map W x + b, with W of shape (out_features, in_features) and b of shape (out_features,).

    `axis` is the axis of the features in the input: −1 where rows are samples, (…, in_features) → (…, out_features), as
    in PyTorch; 0 where columns are samples, as in the notes: (in_features, m) → (out_features, m).  The parameters are the
    same.  They are drawn uniformly from ±1 / √in_features.

    >>> nn.Linear(3, 2)(np.ones((5, 3))).shape
    (5, 2)
    >>> nn.Linear(3, 2, axis=0)(np.ones((3, 5))).shape
    (2, 5)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, axis: int = -1) -> None:
        if axis not in (-1, 0):
            raise ValueError(f"axis must be −1 (rows are samples) or 0 (columns are samples), not {axis}")
        in_features, out_features = whole("in_features", in_features, 0), whole("out_features", out_features, 0)
        self.in_features, self.out_features, self.axis = in_features, out_features, axis
        self.weight = Parameter(init.fan_in_uniform((out_features, in_features), in_features))
        self.bias = Parameter(init.fan_in_uniform(out_features, in_features)) if bias else None

    def forward(self, x: ArrayLike) -> Tensor:
        """Return W x + b for every sample."""
        y: Tensor = x @ self.weight.T if self.axis == -1 else self.weight @ x
        if self.axis == 0 and y.ndim > 2:
            raise ValueError(f"with axis=0 the input is (in_features, m), not {describe(x)}; reshape it to two axes")
        if self.bias is None:
            return y
        return y + (self.bias.reshape(-1, 1) if self.axis == 0 and y.ndim == 2 else self.bias)

    def extra_repr(self) -> str:  # noqa: D102
        rest = "" if self.axis == -1 else f", axis={self.axis}"
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}{rest}"
