"""LayerNorm and BatchNorm."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..ops.neural import batch_norm, layer_norm
from ..tensor import ArrayLike, Tensor, as_array, describe
from . import init
from .module import Buffer, Module, Parameter
from .settings import positive, share, whole, wholes


class LayerNorm(Module):
    """Each sample to mean 0 and variance 1 over its last axes, then scaled and shifted.  Ba, Kiros & Hinton (2016).

    `normalized_shape` is the shape of those axes, which weight and bias have too.

    >>> nn.LayerNorm(4)(np.arange(8.0).reshape(2, 4)).numpy().round(3)
    array([[-1.342, -0.447,  0.447,  1.342],
           [-1.342, -0.447,  0.447,  1.342]])
    """

    def __init__(
        self, normalized_shape: int | tuple[int, ...], eps: float = 1e-5, elementwise_affine: bool = True
    ) -> None:
        axes = len(normalized_shape) if isinstance(normalized_shape, tuple | list) else 1
        self.normalized_shape = wholes("normalized_shape", normalized_shape, max(axes, 1))
        self.eps = positive("eps", eps)
        self.weight = Parameter(init.ones(self.normalized_shape)) if elementwise_affine else None
        self.bias = Parameter(init.zeros(self.normalized_shape)) if elementwise_affine else None

    def forward(self, x: ArrayLike) -> Tensor:
        """Normalise over the last axes.  Raises ValueError where x does not end in `normalized_shape`."""
        axes = len(self.normalized_shape)
        if np.shape(x)[-axes:] != self.normalized_shape:
            raise ValueError(f"LayerNorm{self.normalized_shape} takes inputs that end in that shape, not {describe(x)}")
        y: Tensor = layer_norm(x, self.weight, self.bias, tuple(range(-axes, 0)), self.eps)
        return y

    def extra_repr(self) -> str:  # noqa: D102
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class _BatchNorm(Module):
    """What the batch normalisations share.  Ioffe & Szegedy (2015).

    Raises ValueError for an eps that is not positive and a momentum outside of [0, 1].
    """

    ndims: ClassVar[tuple[int, ...]]

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.num_features = num_features = whole("num_features", num_features)
        self.eps, self.momentum = positive("eps", eps), share("momentum", momentum)
        self.weight = Parameter(init.ones(num_features))
        self.bias = Parameter(init.zeros(num_features))
        self.running_mean = Buffer(init.zeros(num_features))
        self.running_var = Buffer(init.ones(num_features))
        self.num_batches_tracked = Buffer(0)

    def forward(self, x: ArrayLike) -> Tensor:
        """Normalise by the statistics of the batch, which are tracked, or by the running ones when not training.

        Raises ValueError for another number of axes or channels, and for a batch too small to have a variance.
        """
        values = as_array(x)
        if values.ndim not in self.ndims or values.shape[1] != self.num_features:
            ndims = " or ".join(map(str, self.ndims))
            raise ValueError(
                f"{self!r} takes inputs of {ndims} axes, the second of {self.num_features}, not {describe(x)}"
            )
        if self.training and values.size < 2 * self.num_features:
            raise ValueError(
                f"{self!r} in training mode needs more than one value per channel; choose a batch size "
                "that leaves no batch of one sample, or call eval() to use it"
            )
        mean, var = None if self.training else self.running_mean, None if self.training else self.running_var
        y: Tensor = batch_norm(x, mean, var, self.weight, self.bias, self.eps)
        if self.training:
            self._track(values)
        return y

    def _track(self, values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> None:
        """Move the running statistics towards those of a batch; the variance is the unbiased one, as in PyTorch."""
        axes, dtype = (0, *range(2, values.ndim)), np.result_type(values, np.float32)  # float16 would overflow
        for running, new in (
            (self.running_mean, values.mean(axis=axes, dtype=dtype)),
            (self.running_var, values.var(axis=axes, dtype=dtype, ddof=1)),
        ):
            running.assign((1 - self.momentum) * running.numpy() + self.momentum * new)
        self.num_batches_tracked.assign(self.num_batches_tracked.numpy() + 1)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Each channel to mean 0 and variance 1 over the batch, then scaled and shifted: (m, channels) or (m, channels, length).

    In training mode the statistics are those of the batch; running ones are kept for `eval()`.

    >>> nn.BatchNorm1d(1)(np.array([[1.0], [2.0], [3.0]])).numpy().round(3).tolist()
    [[-1.225], [0.0], [1.225]]
    """

    ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Each channel to mean 0 and variance 1 over batch and picture, then scaled and shifted: (m, channels, height, width).

    In training mode the statistics are those of the batch; running ones are kept for `eval()`.

    >>> nn.BatchNorm2d(3)(np.arange(24.0).reshape(2, 3, 2, 2)).shape
    (2, 3, 2, 2)
    """

    ndims = (4,)
