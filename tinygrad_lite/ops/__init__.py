"""The table of operations, by family.  Importing it registers every op; nothing else is defined here."""

from .elementwise import (
    abs,
    add,
    astype,
    clip,
    div,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    maximum,
    minimum,
    mul,
    neg,
    not_equal,
    positive,
    pow,
    relu,
    sigmoid,
    sign,
    sqrt,
    step,
    sub,
    tanh,
    where,
)  # fmt: skip
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
