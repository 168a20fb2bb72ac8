"""Modules: a model is a class whose attributes are its parameters.

Parameters are called, shaped and initialised as PyTorch's, so that its state dicts load.
"""

from typing import Any

from ..messages import written
from . import activation, init
from .activation import *  # noqa: F403 -- a table of them
from .attention import MultiHeadAttention
from .container import Sequential
from .convolution import (
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    MaxPool1d,
    MaxPool2d,
)
from .dropout import Dropout
from .embedding import Embedding
from .flatten import Flatten
from .linear import Linear
from .module import Buffer, Module, Parameter
from .normalization import BatchNorm1d, BatchNorm2d, LayerNorm

__all__ = [
    "AvgPool1d", "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Buffer", "Conv1d", "Conv2d", "ConvTranspose1d",
    "ConvTranspose2d", "Dropout", "Embedding", "Flatten", "LayerNorm", "Linear", "MaxPool1d", "MaxPool2d", "Module",
    "MultiHeadAttention", "Parameter", "Sequential", "init",
]  # fmt: skip
__all__ += activation.__all__


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{written(name, ())}")
