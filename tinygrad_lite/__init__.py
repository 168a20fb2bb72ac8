"""tinygrad_lite: a small reverse-mode autodiff framework for people who derive backpropagation by hand.

>>> import tinygrad_lite as tl
>>> w = tl.Tensor([[1.0, 2.0]], requires_grad=True, name="w")
>>> loss = tl.relu(w @ np.array([[3.0], [4.0]])).sum()
>>> loss.backward()
>>> w.grad
Tensor([[3., 4.]], dtype=float32)
"""

from . import data, nn, optim
from .autodiff import grad, gradients, value_and_grad
from .graph import Graph, capture
from .op import no_grad
from .ops import *  # noqa: F403
from .tensor import Tensor

__version__ = "0.1.0"
