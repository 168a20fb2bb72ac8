"""How to try the ops of `tinygrad_lite/ops/convolution.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_lite.verify.laws import Case, Make

CASES: dict[str, Make] = {}

DEFINITIONS: dict[str, Callable[..., Any]] = {}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
