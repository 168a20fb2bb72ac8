"""Problem: a wrong line, with all that a diagnosis may look at."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Key: TypeAlias = tuple[int, str]  # of a line: its number, and the name it assigns


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
class Statement:
    """A statement that a wrong line depends on and of which nothing is known: `m = …`, `dw += …`, `for i in …`."""

    node: ast.stmt
    spaces: list[dict[str, Any]]  # what it can read in each example

    @property
    def name(self) -> str:
        """The name that it assigns, or is about."""
        return next(iter(bound(self.node)), header(self.node))


@dataclass
class Allowance:
    """How much work a search may still do, in nodes of syntax trees: a count, the same on every machine; some 3 µs each."""

    left: float = float("inf")

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.left <= 0


@dataclass(frozen=True, eq=False)
class Problem:
    """A wrong line `name = expression`, and what it depends on.

    `again(old, new, i)` is what the line gives in example i where another statement stands in the place of an old one, and
    `mended(old, new)` the keys of the lines that are right then; it is empty where another line becomes wrong.
    """

    key: Key
    expression: ast.expr | None  # None where the statement is no assignment of one name
    examples: list[Example]
    samples: str | None  # the size that counts the samples, such as "m"
    statements: Sequence[Statement] = ()
    again: Callable[[ast.stmt, ast.stmt, int], Any] | None = None
    mended: Callable[[ast.stmt, ast.stmt], frozenset[Key]] | None = None
    steps: int = 1  # that running the function again takes
    place: str = ""  # the dict of which the name is a key, or "return"
    looped: bool = False  # whether it stands in a loop,
    rounds: tuple[str, ...] = ()  # and the names that count its rounds
    allowance: Allowance = field(default_factory=Allowance)
    activations: tuple[str, ...] = ()  # ops that the loss has

    @property
    def name(self) -> str:
        """The name that the line assigns."""
        return self.key[1]


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
    statement: ast.stmt | None = None  # to blame, where it is not the line itself,
    new: ast.stmt | None = None  # and stands in its place, once it is put right,
    mends: frozenset[Key] = frozenset()  # and the keys of the lines that are right then
    cost: float = float("inf")  # how far-fetched the repair is


def bound(node: ast.stmt) -> list[str]:
    """Return the names that a statement gives values to: dX of `dX[:, i] += …` and `np.add.at(dX, …)`, i of `for i in …`."""
    if isinstance(node, ast.Expr):
        return [part.id for part in getattr(node.value, "args", [])[:1] if isinstance(part, ast.Name)]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    parts = [part for target in targets for part in getattr(target, "elts", [target])]
    while any(isinstance(part, ast.Subscript | ast.Attribute) for part in parts):
        parts = [getattr(part, "value", part) if not isinstance(part, ast.Name) else part for part in parts]
    return [part.id for part in parts if isinstance(part, ast.Name)]


def header(node: ast.stmt) -> str:
    """Return a statement as Python writes it; of a loop, its first line."""
    return ast.unparse(node).partition("\n")[0] if hasattr(node, "body") else ast.unparse(node)
