"""Verdict: what is said of each equation of a page, in words and with the equation put right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..derive.expression import Apply, Expression, Name, Number, parts_of, replaced, write
from ..notation import Notation
from ..op import REGISTRY
from ..verify import Formula
from .formula import PRIME, Scope, Sum, evaluate, expression, read
from .judge import Judge, Line, close, renamed
from .network import DATA, LABELS, RATE, M, names_in, split
from .page import Page, is_update
from .statement import Statement

RIGHT, WRONG, AMBIGUOUS, UNKNOWN, DEFINITION = "right", "wrong", "ambiguous", "not_understood", "definition"


@dataclass(frozen=True)
class Verdict:
    """What is said of one equation: the verdict, why, and the equation put right as target and expression."""

    verdict: str
    reason: str = ""
    fix: tuple[str, Expression] | None = None


def verdicts(page: Page, judge: Judge) -> dict[int, Verdict]:
    """Return the verdict on each equation, by item."""
    judge.place()
    judge.verify()
    found: dict[int, list[Verdict]] = {}
    for line in judge.lines:
        found.setdefault(line.equation, []).append(_of_line(line, page, judge))
    for i, s in page.equations:
        if is_update(s):
            found.setdefault(i, []).append(_of_update(s, page, judge))
        elif i not in found:
            found.setdefault(i, []).append(_of_other(s, i, page, judge))
    order = [WRONG, AMBIGUOUS, UNKNOWN, RIGHT, DEFINITION]
    return {i: min(several, key=lambda v: order.index(v.verdict)) for i, several in found.items()}


# --- tensors and gradients --------------------------------------------------------------------------------------------


def _of_line(line: Line, page: Page, judge: Judge) -> Verdict:
    result = line.result
    right = result.verdict == "right" if result is not None else line.fits
    if line.ambiguous:
        return Verdict(AMBIGUOUS, line.ambiguous)
    if result is not None and result.verdict == "inconclusive":
        return Verdict(AMBIGUOUS, "it could not be judged, since what it reads is not defined")
    if right and not line.meant:
        return Verdict(*_confirmed(line, page, judge))
    reason, fix = line.remark, None
    if result is not None and not right:
        source = result.fix
        target, _, code = (source or "").partition(" = ")
        found = expression(code, set(judge.network.scalars) | set(judge.network.constants)) if source else None
        if found is not None and target == line.judged_as:
            fix = (line.judged_as, _spelt_as(found, line))
        said = _at_another(line.tree, found) or words(result, judge)
        if found is not None and said.endswith("is not defined"):
            lacks = [n for n in dict.fromkeys(names_in(found)) if n not in names_in(line.tree)]
            said += f"; {' and '.join(lacks)} is missing" * bool(lacks)
        reason = "; ".join(filter(None, [line.remark, said]))
        unknown = [n for n in names_in(line.tree) if n not in judge.values]
        if unknown and fix is None:
            return Verdict(UNKNOWN, f"{', '.join(unknown)} is not defined")
        strange = set(judge.network.constants) - set(names_in(judge.network.cost))
        if strange & set(names_in(line.tree)):
            said = ", ".join(sorted(strange))
            return Verdict(AMBIGUOUS, f"{greek(said)} does not stand in the loss, so this term cannot be judged")
    elif line.meant:
        fix = (line.meant, line.written)
    return Verdict(WRONG, reason or "it differs from the derivative", fix)


def _at_another(tree: Expression, fixed: Expression | None) -> str:
    """Say where a derivative is taken at something else than the input of its activation, and nothing else is wrong."""

    def primes(part: Expression) -> list[Apply]:
        return [p for p in parts_of(part) if isinstance(p, Apply) and p.op.endswith("'")]

    def bare(part: Expression) -> Expression:
        return replaced(part, lambda p: Apply(p.op, ()) if isinstance(p, Apply) and p.op.endswith("'") else None)

    def factors(part: Expression) -> set[Expression]:
        own = isinstance(part, Apply) and part.op in ("mul", "matmul")
        return {f for p in part.inputs for f in factors(p)} if own and isinstance(part, Apply) else {part}

    if fixed is None:
        return ""
    mine, theirs = primes(tree), primes(fixed)
    if (
        len(mine) != 1
        or len(theirs) != 1
        or mine[0].inputs == theirs[0].inputs
        or factors(bare(tree)) != factors(bare(fixed))
    ):
        return ""
    at, wanted = write(mine[0].inputs[0]), write(theirs[0].inputs[0])
    mask = ": the mask must come from what the activation was applied to" if theirs[0].op == "relu'" else ""
    return f"the derivative of the activation is taken at {at} instead of {wanted}{mask}"


def _confirmed(line: Line, page: Page, judge: Judge) -> tuple[str, str]:
    """Return whether a right line is only right because it is the definition itself."""
    if split(line.target)[0]:
        return RIGHT, line.remark
    network = judge.network
    if network.module is not None:
        return RIGHT, line.remark
    first = next(i for i, s in page.equations if s.target == line.target)
    alias = isinstance(line.tree, Name)
    if line.equation != first or alias:
        return RIGHT, line.remark
    if network.assumed:
        return RIGHT, "; ".join(filter(None, [line.remark, "as in the notes' own network"]))
    return DEFINITION, line.remark


def _spelt_as(tree: Expression, line: Line) -> Expression:
    """Write a repair as the line was written: with its g', with the factors before Σ that it had."""
    primes = [
        p
        for p in parts_of(line.written)
        if isinstance(p, Apply) and p.op.endswith("'") and p.op.rstrip("'") not in REGISTRY
    ]

    def rule(part: Expression) -> Expression | None:
        if isinstance(part, Apply) and part.op.endswith("'") and primes:
            return Apply(primes[0].op, part.inputs)
        if isinstance(part, Apply) and part.op == "div" and part.inputs[1] == M and not _is_number(part.inputs[0]):
            return Apply("mul", (Apply("div", (Number(1), M)), part.inputs[0]))  # 1/m Σ dZ for (Σ dZ)/m
        match part:
            case Apply("sum", (Apply("mul", (a, b)),)) if _is_number(a):  # 1/m Σ dZ for Σ 1/m dZ
                return Apply("mul", (a, Apply("sum", (b,))))
        return None

    return replaced(tree, rule)


def _is_number(tree: Expression) -> bool:
    return all(
        isinstance(p, Number) or (isinstance(p, Name) and p.scalar) for p in parts_of(tree) if not isinstance(p, Apply)
    )


def words(result: Formula, judge: Judge) -> str:
    """Say the reason of a verification in the signs of notes."""
    text = result.reason.removesuffix(".")
    if result.verdict == "error" and result.reason.startswith("raises"):
        missing = re.search(r"name '(\w+)' is not defined", text)
        text = f"{missing[1]} is not defined" if missing else "the sizes do not fit"
    return in_notes(text, judge)


_SIGNS = [
    (r"np\.sum\(([^()]*(?:\([^()]*\)[^()]*)*), axis=\d, keepdims=True\)", r"Σ \1"),
    (r"np\.(?=\w)", ""),
    (r"(\w+), axis=\d\)", r"\1)"),
    (r"\b1 / m \* ", "1/m "),
    (r"\b1 / m (?=\w)", "1/m "),
    (r"over axis [01]", "over the samples"),
    (r"\.T\b", "ᵀ"),
    (r" @ ", " "),
    (r" \* ", " ⊙ "),
    (r"\((\w+) > 0\)", r"ReLU'(\1)"),
    (r"\.astype\(\w+\)", ""),
    (r" \*\* 2", "²"),
    (r"(?<=[\w)]) - (?=[\w(])", " − "),
]


def in_notes(text: str, judge: Judge) -> str:
    """Write pieces of Python in a sentence as on paper."""
    text = re.sub(rf"\b(\w+?){PRIME}\(", lambda m: _shown(m[1]) + "'(", text)
    text = re.sub(r"\b(relu|sigmoid)\(", lambda m: _shown(m[1]) + "(", text)
    for pattern, new in _SIGNS:
        text = re.sub(pattern, new, text)
    assert judge.sample is not None
    names = judge.sample.space.names
    ways = {str([2, 3, 5, 7, 11][i % 5] + 11 * (i // 5)): name for i, name in enumerate(names)} | {"1": "1"}
    return re.sub(r"\b(\d+)×(\d+)\b", lambda m: f"{ways.get(m[1], m[1])}×{ways.get(m[2], m[2])}", text)


def _shown(op: str) -> str:
    return REGISTRY[op].text.partition("(")[0] if op in REGISTRY and "(" in REGISTRY[op].text else op


# --- updates ----------------------------------------------------------------------------------------------------------


def _of_update(s: Statement, page: Page, judge: Judge) -> Verdict:
    """Judge W := W − α dW with other numbers for every name."""
    parameters = [n for n in judge.network.arguments if n not in (DATA, LABELS)]
    updates = [u for _, u in page.equations if is_update(u)]
    own = s.target
    if own not in parameters:
        return Verdict(UNKNOWN, f"{own} is no parameter of the network")
    names = [n for side in s.sides for n in names_in(side)]
    known = judge.values
    strange = [n for n in dict.fromkeys(names) if n not in known and n != RATE]
    if strange:
        return Verdict(
            AMBIGUOUS, f"{', '.join(strange)} is not defined: only steps of plain gradient descent are judged"
        )
    constants = [n for n in names if n in judge.network.constants]
    if constants:
        return Verdict(AMBIGUOUS, f"{greek(', '.join(constants))}: only steps of plain gradient descent are judged")

    def right(statement: Statement, target: str) -> bool:
        true = known[target] - known[RATE] * known[f"d{target}"]
        values = (read(side, Scope(known, judge.m))[1] for side in statement.sides)
        return all(value is not None and close(value, true) for value in values)

    if all(right(s, own) for _ in (0,)):
        return Verdict(RIGHT)
    others = [n for n in names if n in parameters and n != own]
    given = {u.target for u in updates if u is not s and u.target in parameters and right(u, u.target)}
    meant = next((n for n in others if own in given and n not in given), own)
    rate = Apply("mul", (Name(RATE, scalar=True), Name(f"d{meant}")))
    fix = (meant, Apply("sub", (Name(meant), rate)))
    slopes = [n for n in names if split(n)[0]]
    if right(Statement(s.target, s.sides, True), meant):
        reason = f"this is the update of {meant}, not of {own}"
    elif others and {split(n)[2] for n in (*others, *slopes)} - {split(own)[2]}:
        reason = f"it mixes layers: {own} is computed from {' and '.join(dict.fromkeys(others))}"
    elif slopes and f"d{own}" not in slopes:
        reason = f"it steps along {' and '.join(dict.fromkeys(slopes))}, not along d{own}"
    elif not slopes:
        reason = f"the gradient d{own} is missing"
    elif RATE not in names:
        reason = "the learning rate α is missing"
    elif any(isinstance(p, Apply) and p.op == "add" for side in s.sides for p in parts_of(side)):
        reason = "the sign is wrong: it goes uphill"
    elif own not in names:
        reason = f"{own} itself is missing: the step is taken from where it is"
    else:
        reason = f"it is not {own} − α d{own}"
    return Verdict(WRONG, reason, fix)


# --- the rest ---------------------------------------------------------------------------------------------------------


def _of_other(s: Statement, i: int, page: Page, judge: Judge) -> Verdict:
    network = judge.network
    if any(i == at for at, _, _ in page.losses):
        if network.cost_name.endswith("as written") or network.module is not None:
            return Verdict(DEFINITION)
        return _of_loss(s, judge)
    if "(" in s.target:
        return _of_function(s, judge)
    if s.target in network.cyclic or s.target in network.changed:
        return Verdict(WRONG, "it is defined by what is computed from it")
    if s.target in (DATA, LABELS) or not any(map(names_in, s.sides)):
        return Verdict(DEFINITION)
    if s.target in judge.helpers:
        return Verdict(DEFINITION, "a name of the notes' own")
    unknown = list(dict.fromkeys(n for n in _names(s) if n not in judge.values))
    everywhere = _in_layers(s, judge)
    if everywhere and not split(s.target)[0]:
        return Verdict(RIGHT, f"no layer is said; right for {everywhere[0]}")
    if everywhere:
        return Verdict(AMBIGUOUS, f"no layer is said; right for {' and '.join(everywhere)}")
    bare = [n for n in unknown if not split(n)[2]]
    if bare and all(any(split(k)[1] == split(n)[1] and split(k)[2] for k in judge.values) for n in bare):
        return Verdict(UNKNOWN, f"{', '.join(bare)}: it does not say which layer")
    return Verdict(UNKNOWN, f"{', '.join(unknown)} is not defined" if unknown else "it is no equation of the network")


def _names(s: Statement) -> list[str]:
    return [s.target, *(n for side in s.sides for n in names_in(side))]


def _in_layers(s: Statement, judge: Judge) -> list[str]:
    """Return the targets of the layers for which an equation is right that says no layer at all."""
    names = {n for n in _names(s) if n not in judge.values}
    if any(split(n)[2] for n in names):
        return []
    found = []
    for layer in sorted({split(n)[2] for n in judge.values} - {"", "0"}):
        full = {n: n + layer for n in names}
        sides = [renamed(judge.named(side, s.target + layer), full) for side in s.sides]
        values = [read(side, Scope(judge.values, judge.m))[1] for side in sides]
        true = judge.values.get(s.target + layer)
        if true is not None and all(value is not None and close(value, true) for value in values):
            found.append(s.target + layer)
    return found


def _of_loss(s: Statement, judge: Judge) -> Verdict:
    found = [read(side, judge.scope, "all")[1] for side in s.sides]
    if any(value is None for value in found):
        return Verdict(UNKNOWN, f"it cannot be computed; the loss is taken to be {judge.network.cost_name}")
    return Verdict(
        WRONG,
        f"the other equations do not follow from it, but from {judge.network.cost_name}",
        (s.target, judge.network.cost),
    )


def _one_minus(tree: Expression) -> Expression:
    return Apply("sub", (Number(1), tree))


_DERIVATIVES: dict[str, Callable[[Expression], Expression]] = {
    "sigmoid": lambda z: Apply("mul", (Apply("sigmoid", (z,)), _one_minus(Apply("sigmoid", (z,))))),
    "tanh": lambda z: _one_minus(Apply("square", (Apply("tanh", (z,)),))),
    "relu": lambda z: Apply("greater", (z, Number(0))),
}


def _of_function(s: Statement, judge: Judge) -> Verdict:
    """Judge the definition of an activation or of its derivative: σ'(z) = σ(z) (1 − σ(z)), g(Z1) = ReLU(Z1)."""
    call, _, argument = s.target.rstrip(")").partition("(")
    if not argument.isalnum():
        return Verdict(DEFINITION)
    ops = {
        _shown(op): op for op in ("relu", "sigmoid", "tanh", "softmax", "leaky_relu", "softplus", "gelu", "silu", "elu")
    }
    bare = call.rstrip("'")
    named = judge.named(Apply(bare, (Name(argument),)), "")
    op = ops.get(bare) or (named.op if isinstance(named, Apply) and named.op in REGISTRY else None)
    if op is None:
        return Verdict(DEFINITION)
    Z = np.random.default_rng(0).standard_normal((3, 4))
    params = (("axis", 0),) if op == "softmax" else ()
    true = evaluate(Apply(op + "'" * call.count("'"), (Name(argument),), params), {argument: Z})
    ways: tuple[Sum, ...] = ("samples", "features", "all")
    for side in s.sides:
        if not names_in(side):  # 1, if z > 0
            return Verdict(DEFINITION)
        values = [read(judge.named(side, ""), Scope({argument: Z}, 4), over)[1] for over in ways]
        if all(value is None for value in values):
            return Verdict(DEFINITION)
        if not any(value is not None and close(value, true) for value in values):
            if bare not in ops and "'" not in call:
                return Verdict(DEFINITION)
            true_form = _DERIVATIVES.get(op) if call == bare + "'" else None
            fix = (s.target, true_form(Name(argument))) if true_form else None
            return Verdict(WRONG, f"it is not {_shown(op)}{call[len(bare) :]}({argument})", fix)
    return Verdict(RIGHT)


def as_read(s: Statement, notation: Notation = "text") -> str:
    """Write an equation as it was read."""
    from ..notation import layered

    target = layered(s.target) if notation == "latex" and s.target.isalnum() else s.target
    sign = ":=" if is_update(s) else "="
    text = f"{target} {sign} " + " = ".join(write(side, notation) for side in s.sides)
    return greek(text)


def greek(text: str) -> str:
    """Write α for alpha and λ for lambda."""
    return re.sub(r"(?<!\w)(alpha|lambda)(?!\w)", lambda m: {"alpha": "α", "lambda": "λ"}[m[1]], text)


__all__ = ["AMBIGUOUS", "DEFINITION", "RIGHT", "UNKNOWN", "WRONG", "Verdict", "as_read", "verdicts"]
