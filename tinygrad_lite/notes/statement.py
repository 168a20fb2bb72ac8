"""Item and Statement: what was read of a page of notes, before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..formula.expression import Expression


@dataclass(frozen=True)
class Statement:
    """An equation as read: target = side, or target = side = side.

    Names are canonical, however they were spelt: W1 for W^{[1]}, W_1 and w1; dW1 for δW1 and ∂J/∂W1; A0, X, Y, Z, J, and
    `alpha` for the learning rate.  A letter without a layer, as in g'(Z), stays as it is.  The target of the definition of a
    function is written out: ReLU(n), g(Z1).
    """

    target: str
    sides: tuple[Expression, ...]
    update: bool = False  # written with :=, ← or as W = W − α dW
    chains: tuple[Expression, ...] = field(default=(), repr=False)  # the chain rule, of names such as ∂Z2∂W2
    entries: Entries | None = field(default=None, repr=False, compare=False)  # where its names have indices


@dataclass(frozen=True)
class Entries:
    """An equation of single entries, with the indices of its names: what it was before it was read as one of matrices."""

    sign: str  # the one that it was written with, after a Δ where that is of its target
    parts: tuple[Expression, ...]  # what stands on both sides of it
    unfit: str = ""  # why the indices do not fit together


@dataclass(frozen=True)
class Size:
    """A stated size, such as 10×m: each extent is a number or a name, as written."""

    rows: str
    columns: str
    text: str  # as it stands in the notes, with the arrow where another size is broadcast to it
    name: str = ""  # of what has this size, where that is plain: W1 in "W1 (10×784)" or as a subscript of W1


@dataclass(frozen=True)
class Item:
    """One equation-like piece of the notes, in its place.

    `kind` is "equation" (then there is a `statement`), "sizes" (only sizes are stated, which belong to the equation before),
    or "unclear": it looks like an equation but cannot be read, and `reason` says why.  `sizes` are those on the same line.
    """

    line: int  # in the document, from 1
    start: int  # where its text stands in the document
    end: int
    text: str
    kind: Literal["equation", "sizes", "unclear"]
    statement: Statement | None = None
    sizes: tuple[Size, ...] = ()
    reason: str = ""
