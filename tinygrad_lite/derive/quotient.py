"""Quotient: elementwise formulas multiplied out, so that quotients cancel: dA ⊙ A ⊙ (1 − A) of a cross-entropy is A − Y."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from .expression import Apply, Expression, Number, parts_of, write
from .term import MINUS, Factor, Term, added, is_scalar, joined, size_of

Monomial: TypeAlias = tuple[tuple[Expression, int], ...]  # powers of what is multiplied element by element
Sum: TypeAlias = dict[Monomial, Factor]
MANY = 50  # terms; a longer formula is not multiplied out


def cancelled(tree: Expression, known: Mapping[Expression, Expression]) -> Term | None:
    """Return an elementwise formula without its quotients where these cancel, else None: (1 − Y / A) ⊙ A is A − Y.

    `known` has formulas that may be put in the place of others.

    >>> from tinygrad_lite.derive.expression import Name
    >>> quotient = Apply("sub", (Number(1), Apply("div", (Name("Y"), Name("A")))))
    >>> cancelled(Apply("mul", (quotient, Name("A"))), {}).tree == Apply("sub", (Name("A"), Name("Y")))
    True
    """
    if not any(part in known or is_quotient(part) for part in parts_of(tree)):
        return None
    found = _expanded(tree, known)
    if any(power < 0 or is_scalar(atom) for monomial in found for atom, power in monomial):
        return None
    total: Term | None = None
    for monomial, factor in sorted(found.items(), key=lambda item: (item[1].number < 0, len(item[0]) > 1)):
        atoms = sorted((atom for atom, power in monomial for _ in range(power)), key=_is_sum)
        term = Term(factor, joined(atoms))
        total = term if total is None else added([total, term], {}, [(), (), ()])
    return total if total is not None and total.tree != tree and size_of(total.tree) <= size_of(tree) else None


def is_quotient(tree: Expression) -> bool:
    """Whether a formula is divided by one that is no number."""
    return isinstance(tree, Apply) and tree.op == "div" and not is_scalar(tree.inputs[1])


def _is_sum(tree: Expression) -> bool:
    return isinstance(tree, Apply) and tree.op == "sum"


def _expanded(tree: Expression, known: Mapping[Expression, Expression]) -> Sum:
    """Multiply a formula out, with the sums that it is divided by as a whole, until these cancel."""
    match tree:
        case Number(value):
            return {(): Factor(Fraction(value))} if value else {}
        case Apply("neg", (a,)):
            return _times(_expanded(a, known), {(): MINUS})
        case Apply("add" | "sub" as op, (a, b)):
            found = _expanded(a, known)
            for monomial, factor in _expanded(b, known).items():
                _put(found, monomial, factor if op == "add" else factor * MINUS)
            return found
        case Apply("mul", (a, b)):
            return _multiplied(_expanded(a, known), b, known)
        case Apply("square", (a,)):
            return _multiplied(_expanded(a, known), a, known)
        case Apply("div", (a, b)):
            return _multiplied(_expanded(a, known), b, known, -1)
    if tree in known:
        return _expanded(known[tree], {one: other for one, other in known.items() if one != tree})
    return {((tree, 1),): Factor()}


def _multiplied(total: Sum, tree: Expression, known: Mapping[Expression, Expression], sign: int = 1) -> Sum:
    """Multiply a sum with a formula, or divide it by one, factor by factor."""
    match tree:
        case Apply("mul" | "div" as op, (a, b)):
            return _multiplied(_multiplied(total, a, known, sign), b, known, sign if op == "mul" else -sign)
        case Apply("neg", (a,)):
            return _times(_multiplied(total, a, known, sign), {(): MINUS})
    if tree in known:
        return _multiplied(total, known[tree], {one: other for one, other in known.items() if one != tree}, sign)
    parts = _expanded(tree, known)
    if len(parts) == 1:
        ((monomial, factor),) = parts.items()
        one = Factor() / factor if sign < 0 else factor
        return _times(total, {tuple((atom, sign * power) for atom, power in monomial): one})
    found: Sum = {}
    for monomial, factor in total.items():
        whole = sign < 0 or dict(monomial).get(tree, 0) < 0 or len(total) * len(parts) > MANY
        for other, product in _times({monomial: factor}, {((tree, sign),): Factor()} if whole else parts).items():
            _put(found, other, product)
    return found


def _times(a: Sum, b: Sum) -> Sum:
    found: Sum = {}
    for one, factor in a.items():
        for other, by in b.items():
            powers = dict(one)
            for atom, power in other:
                powers[atom] = powers.get(atom, 0) + power
            left = [(atom, power) for atom, power in powers.items() if power]
            _put(found, tuple(sorted(left, key=lambda item: write(item[0]))), factor * by)
    return found


def _put(found: Sum, monomial: Monomial, factor: Factor) -> None:
    number = factor.number + (found[monomial].number if monomial in found else 0)
    found.pop(monomial, None)
    if number:
        found[monomial] = Factor(number)
