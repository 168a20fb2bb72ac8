"""Convolution and pooling layers over one or two axes."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from ..ops.convolution import avg_pool2d, conv1d, conv2d, max_pool2d
from ..tensor import ArrayLike, Tensor
from . import init
from .module import Module, Parameter
from .settings import whole, wholes

Size = int | tuple[int, ...]


class _Convolution(Module):
    """What the convolutions share: the parameters, drawn uniformly from ±1 / √fan in.

    Raises ValueError for settings that no input fits.
    """

    axes: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        in_channels, out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        groups = whole("groups", groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = wholes("kernel_size", kernel_size, self.axes)
        self.stride = wholes("stride", stride, self.axes)
        self.dilation = wholes("dilation", dilation, self.axes)
        if isinstance(padding, str) and (
            padding not in ("same", "valid") or (padding == "same" and max(self.stride) > 1)
        ):
            raise ValueError(f"padding must be numbers, 'valid', or with stride 1 'same', not {padding!r}")
        self.padding = padding if isinstance(padding, str) else wholes("padding", padding, self.axes, 0)
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        fan_in = prod(shape[1:])
        self.weight = Parameter(init.fan_in_uniform(shape, fan_in))
        self.bias = Parameter(init.fan_in_uniform(out_channels, fan_in)) if bias else None

    def extra_repr(self) -> str:
        settings: dict[str, Any] = {"kernel_size": self.kernel_size, "stride": self.stride}
        for name, usual in {"padding": 0, "dilation": 1}.items():
            if getattr(self, name) != (usual,) * self.axes:
                settings[name] = getattr(self, name)
        if self.groups != 1:
            settings["groups"] = self.groups
        if self.bias is None:
            settings["bias"] = False
        rest = ", ".join(f"{name}={value}" for name, value in settings.items())
        return f"{self.in_channels}, {self.out_channels}, {rest}"


class Conv1d(_Convolution):
    """A convolution over one axis: (m, in_channels, length) → (m, out_channels, length').

    `padding="same"` makes the result as long as the input.  The weight has the shape
    (out_channels, in_channels / groups, kernel_size), the bias (out_channels,), as in PyTorch.

    >>> nn.Conv1d(3, 8, kernel_size=5, padding=2)(np.ones((2, 3, 20), np.float32)).shape
    (2, 8, 20)
    """

    axes = 1

    def forward(self, x: ArrayLike) -> Tensor:
        """Convolve x with the weight and add the bias."""
        y: Tensor = conv1d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return y


class Conv2d(_Convolution):
    """A convolution over two axes: (m, in_channels, height, width) → (m, out_channels, height', width').

    `padding="same"` makes the result as large as the input.  The weight has the shape
    (out_channels, in_channels / groups, *kernel_size), the bias (out_channels,), as in PyTorch.

    >>> nn.Conv2d(1, 8, kernel_size=3, stride=2)(np.ones((2, 1, 28, 28), np.float32)).shape
    (2, 8, 13, 13)
    """

    axes = 2

    def forward(self, x: ArrayLike) -> Tensor:
        """Convolve x with the weight and add the bias."""
        y: Tensor = conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return y


class _Pool2d(Module):
    """What the pooling layers share: the window."""

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        wholes("kernel_size", kernel_size, 2)
        wholes("stride", 1 if stride is None else stride, 2)
        wholes("padding", padding, 2, 0)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest number in every window: (m, channels, height, width) → (m, channels, height', width').

    >>> nn.MaxPool2d(2)(np.ones((2, 8, 28, 28), np.float32)).shape
    (2, 8, 14, 14)
    """

    def forward(self, x: ArrayLike) -> Tensor:
        """Pool over the last two axes."""
        return max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """The mean of every window, padding counted as zeros: (m, channels, height, width) → (m, channels, height', width').

    >>> nn.AvgPool2d(2)(np.ones((2, 8, 28, 28), np.float32)).shape
    (2, 8, 14, 14)
    """

    def forward(self, x: ArrayLike) -> Tensor:
        """Pool over the last two axes."""
        y: Tensor = avg_pool2d(x, self.kernel_size, self.stride, self.padding)
        return y
