"""Convolution and pooling layers over one or two axes."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from ..ops.convolution import (
    avg_pool1d,
    avg_pool2d,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    max_pool1d,
    max_pool2d,
)
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
    shown: ClassVar[dict[str, int]] = {"padding": 0, "dilation": 1}  # settings that are printed, and their usual values

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
        shape = (*self._channels(), *self.kernel_size)
        fan_in = prod(shape[1:])
        self.weight = Parameter(init.fan_in_uniform(shape, fan_in))
        self.bias = Parameter(init.fan_in_uniform(out_channels, fan_in)) if bias else None

    def _channels(self) -> tuple[int, int]:
        """Return the first two axes of the weight."""
        return self.out_channels, self.in_channels // self.groups

    def extra_repr(self) -> str:
        settings: dict[str, Any] = {"kernel_size": self.kernel_size, "stride": self.stride}
        for name, usual in self.shown.items():
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


class _Transposed(_Convolution):
    """What the transposed convolutions share: the weight of the convolution whose transposes they are."""

    shown: ClassVar[dict[str, int]] = {"padding": 0, "output_padding": 0, "dilation": 1}

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
    ) -> None:
        padding = wholes("padding", padding, self.axes, 0)
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.output_padding = wholes("output_padding", output_padding, self.axes, 0)
        if any(e >= max(s, d) for e, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True)):
            raise ValueError(f"output_padding={output_padding} must be below stride={stride} or dilation={dilation}")

    def _channels(self) -> tuple[int, int]:
        return self.in_channels, self.out_channels // self.groups


class ConvTranspose1d(_Transposed):
    """A transposed convolution over one axis: (m, in_channels, length) → (m, out_channels, length').

    With a stride the result is that many times as long; `output_padding` makes it longer at its end.  The weight has the
    shape (in_channels, out_channels / groups, kernel_size), the bias (out_channels,), as in PyTorch.

    >>> nn.ConvTranspose1d(8, 3, kernel_size=4, stride=2, padding=1)(np.ones((2, 8, 10), np.float32)).shape
    (2, 3, 20)
    """

    axes = 1

    def forward(self, x: ArrayLike) -> Tensor:
        """Take the transposed convolution of x with the weight and add the bias."""
        settings: Any = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        y: Tensor = conv_transpose1d(x, self.weight, self.bias, *settings)
        return y


class ConvTranspose2d(_Transposed):
    """A transposed convolution over two axes: (m, in_channels, height, width) → (m, out_channels, height', width').

    With a stride the result is that many times as large; `output_padding` makes it larger at its ends.  The weight has the
    shape (in_channels, out_channels / groups, *kernel_size), the bias (out_channels,), as in PyTorch.

    >>> nn.ConvTranspose2d(8, 1, kernel_size=3, stride=2, padding=1, output_padding=1)(np.ones((2, 8, 14, 14))).shape
    (2, 1, 28, 28)
    """

    axes = 2

    def forward(self, x: ArrayLike) -> Tensor:
        """Take the transposed convolution of x with the weight and add the bias."""
        settings: Any = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        y: Tensor = conv_transpose2d(x, self.weight, self.bias, *settings)
        return y


class _Pool(Module):
    """What the pooling layers share: the window."""

    axes: ClassVar[int]

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        wholes("kernel_size", kernel_size, self.axes)
        wholes("stride", 1 if stride is None else stride, self.axes)
        wholes("padding", padding, self.axes, 0)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxPool(_Pool):
    """What the layers that take maxima share: windows may have gaps."""

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1) -> None:
        super().__init__(kernel_size, stride, padding)
        wholes("dilation", dilation, self.axes)
        self.dilation = dilation

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", dilation={self.dilation}" if self.dilation != 1 else "")


class MaxPool1d(_MaxPool):
    """The largest number in every window: (m, channels, length) → (m, channels, length').

    >>> nn.MaxPool1d(2)(np.ones((2, 8, 20), np.float32)).shape
    (2, 8, 10)
    """

    axes = 1

    def forward(self, x: ArrayLike) -> Tensor:
        """Pool over the last axis."""
        return max_pool1d(x, self.kernel_size, self.stride, self.padding, self.dilation)  # type: ignore[no-any-return]


class MaxPool2d(_MaxPool):
    """The largest number in every window: (m, channels, height, width) → (m, channels, height', width').

    >>> nn.MaxPool2d(2)(np.ones((2, 8, 28, 28), np.float32)).shape
    (2, 8, 14, 14)
    """

    axes = 2

    def forward(self, x: ArrayLike) -> Tensor:
        """Pool over the last two axes."""
        return max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation)  # type: ignore[no-any-return]


class AvgPool1d(_Pool):
    """The mean of every window, padding counted as zeros: (m, channels, length) → (m, channels, length').

    >>> nn.AvgPool1d(2)(np.ones((2, 8, 20), np.float32)).shape
    (2, 8, 10)
    """

    axes = 1

    def forward(self, x: ArrayLike) -> Tensor:
        """Pool over the last axis."""
        y: Tensor = avg_pool1d(x, self.kernel_size, self.stride, self.padding)
        return y


class AvgPool2d(_Pool):
    """The mean of every window, padding counted as zeros: (m, channels, height, width) → (m, channels, height', width').

    >>> nn.AvgPool2d(2)(np.ones((2, 8, 28, 28), np.float32)).shape
    (2, 8, 14, 14)
    """

    axes = 2

    def forward(self, x: ArrayLike) -> Tensor:
        """Pool over the last two axes."""
        y: Tensor = avg_pool2d(x, self.kernel_size, self.stride, self.padding)
        return y
