"""Problem: a wrong line, with all that a diagnosis may look at."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Example:
    """A line on one case: the names it could use, and what it should have given.

    `space` has every name the line can read: arrays (float64, with true values), sizes, modules and functions.  `trues` has
    by name all that is known to be true in this case, whether the line can read it or not: `trues["dW1"]` is ∂J/∂W1.
    """

    space: dict[str, Any]
    value: Any  # what the line gave; None where it raised `error`
    true: Any
    sizes: dict[str, int]
    trues: dict[str, Any]
    right: bool
    error: BaseException | None = None


@dataclass(frozen=True, eq=False)
class Problem:
    """A wrong line `name = expression`, and the lines before it that nothing is known of (m, mask), in order."""

    name: str
    expression: ast.expr
    helpers: list[tuple[str, ast.expr]]
    examples: list[Example]
    samples: str | None  # the size that counts the samples, such as "m"


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a line, and how it is put right.

    `reason` is one sentence; `fix` is the corrected line, or the corrected helper line, `name = …`, tried on all examples,
    or None; `line` is the name assigned in the line that is to blame; `kind` is a word for tables: scale, sign, transpose …
    """

    reason: str
    fix: str | None
    line: str
    kind: str
