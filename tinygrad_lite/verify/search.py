"""The search for repairs: the smallest edit of a wrong line that makes it right in every example.

A line is a syntax tree.  An edit replaces one part of it; after every edit the scale law is tried too, so that two mistakes,
one of which is a wrong factor, cost no more than one.  Where the line has no cheap repair, the statements that it depends on
are edited, and the function is run again from there.  The search is bounded by counts, of trees and of their nodes, so that
its answer is the same on every machine.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..formula.code import binary, exchanged, parsed, positions, product, ready, simplified, text, whole_parts
from ..formula.factor import Law, rounded
from ..truth.equal import Same, same
from .desk import Desk
from .edits import Change, Edit, broadcasts, derivatives, edits, solved
from .problem import Key, Statement, header

LINE, STATEMENTS, PAIRS, ANEW = 6_000, 3_000, 8_000, 5_000  # trees to be tried at most
RESERVE = 0.4  # of the work that is left, for a line made anew
TO_PARSE = 20  # nodes that take as long as reading a line
STEPS = 40  # of a function; in one that has more, fewer statements are tried
NEAR = 0.8  # the cost of the edits that are made first
NEARER = 0.2  # what an edit of another statement must be simpler by than one of the line
FARTHEST = 2.0  # the cost of an edit of another statement; what is more far-fetched is a guess


@dataclass(frozen=True)
class Repair:
    """A line that is right in every example: name = tree, or a statement that makes it right."""

    line: str
    tree: Any
    changes: tuple[Change, ...]
    law: Law
    cost: float
    anew: bool = False  # whether it is no edit of the line, but made anew
    statement: Statement | None = None
    mends: frozenset[Key] = frozenset()

    def code(self, place: str) -> str:
        """Return the repaired line as Python writes it; of a returned dict, the item."""
        if self.statement is not None:
            return header(self.tree)
        return f'"{self.line}": {text(self.tree)}' if place == "return" else f"{self.line} = {text(self.tree)}"


def scaled(tree: Any, law: Law, desk: Desk) -> Iterator[Any]:
    """Yield the tree divided by the factor of a law, in the person's names: in a number that is there, or as a factor."""
    if isinstance(tree, ast.stmt):
        for path, value in whole_parts(tree):
            if path == (("value", None),):
                yield from (exchanged(tree, path, new) for new in scaled(value, law, desk))
        return
    if not law.powers and law.constant != -1:
        for path, node in positions(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value:
                for number in (node.value / law.constant, node.value * law.constant):
                    if rounded(number) in (1, 2, 0.5, -1):
                        plain = rounded(number)
                        yield exchanged(tree, path, ast.Constant(int(plain) if plain == int(plain) else plain))
    above: list[ast.expr] = []
    below: list[ast.expr] = []
    constant = abs(law.constant)
    named = [(n, into) for n, into in ((desk.number(constant), below), (desk.number(rounded(1 / constant)), above))
             if isinstance(n, ast.Name)]  # fmt: skip
    for name, into in named[:1]:
        into.append(name)
        constant = 1.0
    for number, into in ((constant, below), (rounded(1 / constant), above)):
        if number > 1 and number == int(number):
            into.append(ast.Constant(int(number)))
            break
    else:
        if constant != 1:
            above.append(desk.number(rounded(1 / constant)))
    for size, power in law.powers:
        if size not in desk.sizes:
            return
        node = parsed(desk.sizes[size])
        if abs(power) == 0.5:
            if desk.numpy is None:
                return
            node = ast.Call(parsed(f"{desk.numpy}.sqrt"), [node], [])
        elif abs(power) == 2:
            node = binary(node, ast.Pow(), ast.Constant(2))
        (below if power > 0 else above).append(node)
    if law.constant < 0:
        tree = ast.UnaryOp(ast.USub(), tree)
    if above:
        tree = binary(product(above), ast.Mult(), tree)
    yield binary(tree, ast.Div(), product(below)) if below else tree


def attempt(edit: Edit, desk: Desk, best: Repair | None = None) -> Repair | None:
    """Return the repair that an edit and a factor make; None where they make none, or a worse one than the best."""
    law = desk.law(edit.tree)
    if law is None or (best is not None and edit.cost + law.cost > best.cost):
        return None
    for tree in [edit.tree] if law.trivial else scaled(edit.tree, law, desk):
        plain = simplified(tree)
        if holds(plain, desk):
            found = Repair(desk.name, plain, edit.changes, law, edit.cost + law.cost, statement=desk.statement)
            if desk.statement is None:
                return found
            assert desk.problem.mended is not None
            mends = desk.problem.mended(desk.statement.node, ready(plain))
            if desk.problem.key in mends:
                return replace(found, mends=mends)
    return None


def _rank(repair: Repair) -> tuple[float, int]:
    return round(repair.cost, 3), len(text(repair.tree))


def holds(tree: Any, desk: Desk) -> bool:
    """Whether the text of a repair is right in every example, run anew."""
    fresh = tree if isinstance(tree, ast.stmt) else ast.parse(text(tree), mode="eval").body
    for i in range(len(desk.examples)):
        r = desk.ratio(desk.value(fresh, i), i)
        how = Same.ROUGH if desk.single[i] else Same.ROUNDING
        near = r is not None and (np.isnan(r) or same(r, 1.0, how))
        if not near and not desk.nearly(fresh, i, Law(1.0)):
            return False
    return True


def repaired(desks: Sequence[Desk], count: int, farthest: float = 9.0) -> Repair | None:
    """Return the best repair by one edit, or none, and a factor, on any of the desks; the nearest edits are made first."""
    best: Repair | None = None
    others = [list(solved(desk.line, desk)) for desk in desks]
    for nearer, limit in ((-1.0, min(NEAR, farthest)), (min(NEAR, farthest), farthest)):
        trials = [
            (edit, desk)
            for desk, more in zip(desks, others, strict=True)
            for edit in (Edit(desk.line, (), 0.0), *edits(desk.line, desk, limit), *more)
            if nearer < edit.cost <= limit
        ]
        for edit, desk in sorted(trials, key=lambda trial: trial[0].cost)[:count]:
            if (best is not None and edit.cost > best.cost) or desk.problem.allowance.spent:
                break
            repair = attempt(edit, desk, best)
            if repair is not None and repair.cost <= farthest:
                best = min(best or repair, repair, key=_rank)
        if best is not None and best.cost <= limit:
            break
        count -= len(trials)
    return best


def pairs(desk: Desk) -> list[Repair]:
    """Return the repairs by two edits, the most promising first edits first; some work is left for a line made anew."""
    found: list[Repair] = []
    least = RESERVE * desk.problem.allowance.left
    tried = 0
    firsts = sorted(edits(desk.line, desk, 1.3), key=lambda e: e.cost - _promise(e.tree, desk))
    for first in firsts[:80]:
        for second in edits(first.tree, desk, 1.6):
            tried += 1
            if tried > PAIRS or desk.problem.allowance.left < least:
                return sorted(found, key=_rank)
            if desk.ratio(desk.value(second.tree, 0), 0) is None:
                continue
            both = Edit(second.tree, (*first.changes, *second.changes), first.cost + second.cost)
            repair = attempt(both, desk)
            if repair is not None:
                found.append(repair)
        if found:
            break
    return sorted(found, key=_rank)


def _promise(tree: Any, desk: Desk) -> float:
    """How near a tree comes to the true value in the first example: the cosine of the angle between them, or 0."""
    value, true = desk.first(tree), desk.trues[0]
    if value is None:
        return 0.0
    length = float(np.linalg.norm(value) * np.linalg.norm(true))
    return abs(float(np.vdot(value, true))) / length if np.isfinite(length) and length else 0.0


def synthesised(desk: Desk) -> Repair | None:
    """Return the best line made anew of what can be read: a product, a difference, a sum, times a derivative."""
    if desk.numpy is None or desk.whole:
        return None
    best: Repair | None = None
    for code, cost in itertools.islice(_guesses(desk), ANEW):
        desk.problem.allowance.left -= TO_PARSE
        if desk.problem.allowance.spent:
            break
        repair = attempt(Edit(parsed(code), (), cost), desk)
        if repair is not None and (best is None or _rank(repair) < _rank(best)):
            best = replace(repair, anew=True)
    return best


def _guesses(desk: Desk) -> Iterator[tuple[str, float]]:
    """Yield expressions of the right shape, with how far-fetched each is."""
    shape, np_ = desk.trues[0].shape, desk.numpy
    flat = [(name, x) for name, x in desk.arrays.items() if x.dtype.kind in "fb" and x.ndim <= 2
            and (desk.problem.looped or "[" not in name)]  # fmt: skip
    turned = [(name, x.shape, 0.0) for name, x in flat] + [(f"{n}.T", x.T.shape, 0.1) for n, x in flat if x.ndim == 2]
    made: list[tuple[str, float]] = [(name, 2.0 + cost) for name, s, cost in turned if s == shape]
    for (a, s, one), (b, t, two) in itertools.product(turned, repeat=2):
        if len(s) == len(t) == 2 and s[1] == t[0] and (s[0], t[1]) == shape:
            made.append((f"{a} @ {b}", 2.2 + one + two))
    for name, x in flat:
        for axis, keep in itertools.product(range(x.ndim), (True, False)):
            if np.sum(x, axis=axis, keepdims=keep).shape == shape:
                made.append((f"{np_}.sum({name}, axis={axis}{', keepdims=True' * keep})", 2.3))
        if x.shape == shape:
            made.append((f"{np_}.sign({name})", 2.3))
            made += [(f"({name} - {b})", 2.5) for b, y in flat if y.shape == shape and b != name]
    yield from made
    for (code, cost), (name, x) in itertools.product(made, flat):
        if broadcasts(x.shape, shape) and name not in code:
            yield f"{code} + {name}", cost + 0.5
    fitting = [name for name, x in flat if x.shape == shape]
    for (code, cost), name in itertools.product(made, fitting):
        for derivative, _, _, more in derivatives(name, desk):
            if derivative not in code:
                yield f"{code} * {derivative}", cost + 0.6 + more
                yield f"{code} / {derivative}", cost + 0.9 + more


def completed(desk: Desk) -> Repair | None:
    """Return the line with a term more that is made of what can be read: what is missing is the difference to the true."""
    differences = []
    for i, example in enumerate(desk.problem.examples):
        if i in desk.order and not isinstance(example.true, int):
            if example.error is not None or np.shape(example.value) != np.shape(example.true):
                return None
            differences.append(replace(example, true=example.true - example.value))
    if not differences or desk.line is None:
        return None
    term = synthesised(Desk(replace(desk.problem, examples=differences)))
    if term is None:
        return None
    tree = simplified(binary(desk.line, ast.Add(), term.tree))
    change = Change(tree, term.cost, "missing", f"the term {text(term.tree)} is missing")
    return Repair(desk.name, tree, (change,), Law(1.0), term.cost) if holds(tree, desk) else None


def search(desk: Desk, among: Collection[ast.stmt] = (), thorough: bool = True) -> Repair | None:
    """Return the best repair of a line, or of one of the statements it depends on; `among` some, of one of those.

    Where it need not be thorough, a fraction of the trees is tried.
    """
    if not desk.examples:
        return None
    statements = [s for s in desk.problem.statements if not among or s.node in among]
    found = None if desk.line is None or among else repaired([desk], LINE if thorough else LINE // 10)
    farthest = FARTHEST if found is None else min(FARTHEST, found.cost - NEARER)
    if farthest > 0.4 and not desk.problem.allowance.spent:
        desks = [Desk(desk.problem, s) for s in statements]
        count = STATEMENTS if thorough else STATEMENTS // 10
        found = repaired(desks, count * STEPS // max(STEPS, desk.problem.steps), farthest) or found
    if found is None and desk.line is not None and not among and thorough:
        found = completed(desk)
        if found is None:
            found = next(iter(pairs(desk)), None)
            if found is None or any(change.kind == "order" for change in found.changes):  # other brackets, and more
                anew = synthesised(desk)
                found = anew if found is None or (anew and len(text(anew.tree)) <= len(text(found.tree))) else found
    return found
