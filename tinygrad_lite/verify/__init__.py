"""Verification: numerical derivatives, the laws that ops obey, and handwritten formulas held against autodiff.

From the bottom up: `arguments` are the float arrays of a call, `evaluation` runs it once, `line` does so along a line,
`numerical` differentiates with an error bound; `subject` is a function with the gradient it claims, `verdict` holds the
two against each other, `foreign` takes functions of PyTorch and JAX, `gradcheck` reports; `laws` does the same for ops.
Of a handwritten backward pass, `cases` draws sizes and values, `truth` differentiates the loss, `isolate` runs the
function line by line, `judge` tells rounding from mistakes, `formulas` decides which lines are wrong, and `roles` finds
what a line is the gradient of where its name does not tell. Of a wrong line,
`problem` is all that may be looked at, `trees` are expressions and their values, `scale` is the law of a wrong factor,
`desk` lays it all out, `edits` are the ways to mend a line, `rerun` runs the function with another line, `repair`
searches, `diagnose` says it in words; `counterexample` makes the case small, `report` shows it all; `check` is the way
through them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..callable import make_callable
from .cases import Case as FormulaCase
from .cases import binary, labels, one_hot, tensors
from .check import verifies, verify
from .gradcheck import Check, GradcheckReport, check_vjp, gradcheck
from .laws import Case, check_op
from .mismatch import GradientMismatch
from .numerical import Estimate, numerical_gradient
from .report import Counterexample, Formula, Report

if TYPE_CHECKING:
    from . import strategies

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
        return import_module(f"{__name__}.strategies")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


make_callable(__name__, verify)
