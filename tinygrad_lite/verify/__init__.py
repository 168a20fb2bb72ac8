"""Verification: handwritten formulas held against autodiff, and the doors to numerical checks, laws and strategies.

From the bottom up: `problem` is all that may be looked at of a wrong line; `run` runs a handwritten backward pass line by
line, or again with another line, and `lines` decides which are wrong; `desk` lays a problem out, `edits` are the ways to
mend a line, `search` tries them, `words` says it; `choose` finds what a line is the gradient of where its name is mute;
`report` shows it all, `smallest` makes a case small for it; `check` is the way through them.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..callable import make_callable
from ..numeric import gradcheck as _gradcheck
from ..numeric import slope as _slope
from ..numeric.gradcheck import Check, GradcheckReport, check_vjp, gradcheck
from ..numeric.laws import Case, check_op
from ..numeric.slope import Estimate, numerical_gradient
from ..report import GradientMismatch
from ..truth.cases import Case as FormulaCase
from ..truth.cases import binary, labels, one_hot, tensors
from .check import verifies, verify
from .report import Counterexample, Formula, Report

if TYPE_CHECKING:
    from ..truth import strategies

__all__ = [
    "Case",
    "Check",
    "Counterexample",
    "Estimate",
    "Formula",
    "FormulaCase",
    "GradcheckReport",
    "GradientMismatch",
    "Report",
    "binary",
    "check_op",
    "check_vjp",
    "gradcheck",
    "labels",
    "numerical_gradient",
    "one_hot",
    "strategies",
    "tensors",
    "verifies",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "strategies":  # loads hypothesis
        return import_module("tinygrad_lite.truth.strategies")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# docs/gradcheck.md once imported from these two; scripts that do so go on.
sys.modules |= {f"{__name__}.gradcheck": _gradcheck, f"{__name__}.numerical": _slope}
make_callable(__name__, verify)
