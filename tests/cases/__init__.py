"""What the record of an op does not tell, by family: how to call it, what it should give, and its derivatives at kinks.

A family of ops in `tinygrad_lite/ops/` has a file of the same name here, with the same five tables.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tinygrad_lite.numeric.laws import Case, Make, default_case
from tinygrad_lite.op import REGISTRY, Op

from . import (
    activations,
    convolution,
    elementwise,
    functions,
    indexing,
    linear,
    loss,
    matrix,
    neural,
    reduction,
    shape,
    sorting,
)

FAMILIES: list[Any] = [
    activations,
    convolution,
    elementwise,
    functions,
    indexing,
    linear,
    loss,
    matrix,
    neural,
    reduction,
    shape,
    sorting,
]

CASES: dict[str, Make] = {}
DEFINITIONS: dict[str, Callable[..., Any]] = {}
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []
KINK_AT: dict[str, Case] = {}
RESULTS: dict[str, Any] = {}
for family in FAMILIES:
    CASES |= family.CASES
    DEFINITIONS |= family.DEFINITIONS
    KINKS += family.KINKS
    KINK_AT |= family.KINK_AT
    RESULTS |= family.RESULTS


def case_of(op: Op) -> Make:
    """How to call an op: from the tables, or from its record if it has no parameters but axis and keepdims."""
    return CASES.get(op.name) or partial(default_case, op)


__all__ = ["CASES", "DEFINITIONS", "KINKS", "KINK_AT", "REGISTRY", "RESULTS", "case_of"]
