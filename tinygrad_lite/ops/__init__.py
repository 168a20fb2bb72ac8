"""The table of operations, by family.  Importing it registers every op; nothing else is defined here."""

from .elementwise import (
    add,
    astype,
    clip,
    div,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    maximum,
    minimum,
    mul,
    neg,
    not_equal,
    positive,
    pow,
    sub,
    where,
)
from .functions import abs, exp, log, relu, sigmoid, sign, sqrt, step, tanh
from .indexing import getitem, scatter
from .linear import matmul
from .loss import softmax_cross_entropy
from .reduction import log_softmax, logsumexp, max, mean, min, softmax, sum
from .shape import broadcast_to, concatenate, reshape, stack, transpose

__all__ = [
    "abs", "add", "astype", "broadcast_to", "clip", "concatenate", "div", "equal", "exp", "getitem", "greater",
    "greater_equal", "less", "less_equal", "log", "log_softmax", "logsumexp", "matmul", "max", "maximum", "mean", "min",
    "minimum", "mul", "neg", "not_equal", "positive", "pow", "relu", "reshape", "scatter", "sigmoid", "sign", "softmax",
    "softmax_cross_entropy", "sqrt", "stack", "step", "sub", "sum", "tanh", "transpose", "where",
]  # fmt: skip
