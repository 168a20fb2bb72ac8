"""What is wrong with a line, in one sentence, and how it is put right.

The sentence says what the repair changes, which has been tried on every example, or a relation that holds in every example;
where neither is found it says only what is seen.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from ..formula.code import positions, ready, text
from ..formula.factor import Law
from ..truth.equal import Same, same
from .desk import NOTHING, Desk, single
from .problem import Diagnosis, Problem
from .search import Repair, search


def diagnose(problem: Problem, among: Collection[ast.stmt] = (), thorough: bool = True) -> Diagnosis:
    """Find the mistake in a line: a repair that is right in every example, and what it says about the mistake.

    With `among`, it is looked for in some of the statements that the line depends on; `thorough` as in `search`.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        desk = Desk(problem)
        if not desk.examples:
            return Diagnosis("it is wrong only where the truth is not a number", None, problem.name, "unknown")
        if all(e.right or desk.single[i] for i, e in enumerate(desk.examples)):
            return Diagnosis("right in float64, but not in float32", None, problem.name, "precision")
        if _right_afterwards(desk):
            reason = "right with the final values: an array that it reads is changed only after this line"
            return Diagnosis(reason, None, problem.name, "order")
        repair = search(desk, among, thorough)
        if repair is not None and overflows(problem) and not _steadies(repair):
            return Diagnosis("it overflows for large values", None, problem.name, "overflow")
        seen = next(observations(desk), None)
        if repair is None:
            kind, reason = seen or ("unknown", UNKNOWN)
            return Diagnosis(reason, None, problem.name, kind)
        if repair.anew:
            kind, reason = seen or ("unknown", "it does not follow from the loss")
            reason = f"{reason}: {text(repair.tree)} belongs there"
            return Diagnosis(reason, repair.code(problem.place), repair.line, kind, cost=repair.cost)
        reason, kind = said(repair, desk), kind_of(repair)
        if overflows(problem):
            reason, kind = f"it overflows for large values: {reason}", "overflow"
        if problem.place and isinstance(repair.tree, ast.Name) and isinstance(problem.expression, ast.Name):
            stored = "returned" if problem.place == "return" else "stored"
            reason = f"{text(problem.expression)} is {stored} under the name {problem.name}"
        elif seen is not None and (seen[0] == "label" or desk.examples[0].error is not None) and desk.line is not None:
            reason = f"{seen[1]}: {reason}"
        statement = repair.statement.node if repair.statement is not None else None
        new = ready(repair.tree) if statement is not None else None
        return Diagnosis(
            reason, repair.code(problem.place), repair.line, kind, statement, new, repair.mends, repair.cost
        )


UNKNOWN = "it does not follow from the loss: no factor, sign, axis or exchange of names explains it"


def overflows(problem: Problem) -> bool:
    """Whether a line is wrong only where it has no finite value."""
    wrong = [e for e in problem.examples if not e.right and not single(e.space)]
    if not wrong or len(wrong) == len(problem.examples) or any(e.error is not None for e in wrong):
        return False
    return all(np.asarray(e.value).dtype.kind == "f" and not np.isfinite(e.value).all() for e in wrong)


def _steadies(repair: Repair) -> bool:
    """Whether a repair is one that keeps numbers small, and not another formula that happens to do so."""
    other = {"mask", "operand", "label", "activation", "extra", "constant"}
    return not any(change.kind in other for change in repair.changes)


def kind_of(repair: Repair) -> str:
    """Return the word for tables."""
    law = repair.law
    if len(repair.changes) + (not law.trivial) > 1:
        return "double"
    if repair.changes:
        return repair.changes[0].kind
    return "scale" if law.powers else "sign" if law.constant == -1 else "constant"


def said(repair: Repair, desk: Desk) -> str:
    """Return the mistake that a repair puts right, in words."""
    changes = ", and ".join(change.said for change in repair.changes)
    if not repair.law.trivial:
        law = ": ".join(filter(None, scale(repair.law, desk)))
        if not changes:
            return law
        return f"{changes}, and {'it is ' if law.startswith(('too', 'off')) else ''}{law}"
    whole = desk.law(desk.line) if repair.statement is None else None
    if whole is not None and whole.powers and whole.constant > 0:
        return f"{scale(whole, desk)[0]}: {changes}"
    return changes


def scale(law: Law, desk: Desk) -> tuple[str, str]:
    """Return a law of scale in words, and what it says about the mistake."""
    if law == Law(-1.0):
        return "the sign is wrong", ""
    names = {size: desk.sizes.get(size, size) for size, _ in law.powers}
    big = [_power(names[size], p) for size, p in law.powers if p > 0]
    small = [_power(names[size], -p) for size, p in law.powers if p < 0]
    constant = abs(law.constant)
    if constant > 1 or (constant < 1 and 1 / constant != round(1 / constant)):
        big.insert(0, f"{constant:g}")
    elif constant < 1:
        small.insert(0, f"{1 / constant:g}")
    sign = "the sign is wrong, and it is " if law.constant < 0 else ""
    if big and small:
        simple = constant == 1 and len(big) == len(small) == 1
        detail = f"1/{small[0]} stands where 1/{big[0]} belongs" if simple else ""
        return f"{sign}off by exactly the factor {' '.join(big)} / {_joined(small)}", detail
    if big:
        return f"{sign}too big by exactly the factor {' '.join(big)}", f"the 1/{_joined(big)} is missing" * bool(
            law.powers
        )
    detail = f"there is a 1/{_joined(small)} too much" * bool(law.powers)
    return f"{sign}too small by exactly the factor {' '.join(small)}", detail


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({' '.join(parts)})"


def _power(name: str, p: float) -> str:
    return {1.0: name, 2.0: f"{name}²", 0.5: f"√{name}"}[p]


# --- what is seen -----------------------------------------------------------------------------------------------------


def observations(desk: Desk) -> Iterator[tuple[str, str]]:
    """Yield (kind, words) of what holds in every example, the most telling first."""
    examples, trues = desk.examples, desk.trues
    if examples[0].error is not None:
        yield "unknown", broken(desk)
        return
    if any(e.error is not None for e in examples):
        return
    values = [np.asarray(e.value) for e in examples]
    if any(v.dtype.kind not in "fiub" for v in values):
        return
    names = [n for n in examples[0].trues if n.startswith("d") and all(n in e.trues for e in examples)]
    for name in names:
        if name != desk.problem.name and _all_equal(values, [np.asarray(e.trues[name]) for e in examples], desk):
            yield "label", f"this is {name}, not {desk.problem.name}"
    if not any(np.any(v) for v in values):
        yield "missing", "it is zero"
    if np.shape(values[0]) != trues[0].shape:
        yield "unknown", f"it has the shape {np.shape(values[0])} where {trues[0].shape} belongs"
        return
    if any(not np.isfinite(v).all() for v in values):
        yield "overflow", "it overflows: not all of it is a finite number"
    law = desk.laws.find([desk.ratio(v, i) or float("nan") for i, v in enumerate(values)]) if desk.laws else None
    if law is not None and not law.trivial and len(examples) > 2:
        yield "scale" if law.powers else "constant", ": ".join(filter(None, scale(law, desk)))
    peaks = [peak for _, peak in desk.peaks]
    wrong = [p for p, e in zip(peaks, examples, strict=True) if not e.right]
    right = [p for p, e in zip(peaks, examples, strict=True) if e.right]
    if len([p for p in right if p]) >= 3 and wrong and min(wrong) > 2 * max(right):
        yield "unknown", "right for ordinary values, wrong for large ones"


def _all_equal(values: list[Any], others: list[Any], desk: Desk) -> bool:
    hows = [Same.SINGLE if single else Same.ROUNDING for single in desk.single]
    return any(map(np.any, others)) and all(map(same, values, others, hows))


def _right_afterwards(desk: Desk) -> bool:
    """Whether the line, run again on what its names refer to now, is right: an array was changed in place after it."""
    law = None if desk.line is None else desk.law(desk.line)
    return law is not None and law.trivial


def broken(desk: Desk) -> str:
    """Return why the line raises: the innermost part that does, with the shapes of what it is made of."""
    for _, node in sorted(positions(desk.line or ast.Pass()), key=lambda part: -len(part[0])):
        if desk.seen(node) is not NOTHING or isinstance(node, ast.Slice):
            continue
        parts = [node.left, node.right] if isinstance(node, ast.BinOp) else getattr(node, "args", [])
        arrays = [(text(p), desk.seen(p)) for p in parts if isinstance(desk.seen(p), np.ndarray)]
        shapes = [f"{code} ({'×'.join(map(str, array.shape))})" for code, array in arrays]
        if len(shapes) == 2:
            return f"{' and '.join(shapes)} do not fit"
        break
    error = desk.examples[0].error
    return f"it raises {type(error).__name__}: {error}"


__all__ = ["diagnose"]
