"""Optimisers: they read `p.grad` and change parameters in place.  Imports `tensor`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .tensor import Tensor


class SGD:
    """Gradient descent, p := p − lr v with v := momentum v + dp (PyTorch's form; momentum 0 is plain descent)."""

    def __init__(self, params: Iterable[Tensor], lr: float = 0.1, momentum: float = 0.0) -> None:
        self.params = list(params)
        self.lr = lr
        self.momentum = momentum
        self.velocity = {}

    def zero_grad(self) -> None:
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        lr = self.lr
        for p in self.params:
            if p.grad is None:
                continue
            a = p.writable()
            np.subtract(a, np.multiply(p.grad._data, lr), out=a)
