"""Verdict: what is said of each equation of a page, in words and with the equation put right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..formula.expression import Apply, Expression, Name, Number, parts_of, renamed, replaced, write
from ..formula.translate import expression
from ..formula.value import SUMS, by_sample, evaluate
from ..op import REGISTRY
from ..truth.equal import same
from ..truth.loss import Scale
from .figures import disagreement
from .lines import Judge, Line
from .network import DATA, LABELS, LOSSES, NO_NETWORK, RATE, M, Network, names_in, sample, split
from .page import Page, is_update, names_of
from .reading import Scope, read, recognised
from .statement import Statement

RIGHT, WRONG, AMBIGUOUS, UNKNOWN, DEFINITION = "right", "wrong", "ambiguous", "not_understood", "definition"
WORST_FIRST = [WRONG, AMBIGUOUS, UNKNOWN, RIGHT, DEFINITION]
LONGEST = 20  # words of a formula in a sentence


@dataclass(frozen=True)
class Verdict:
    """What is said of one equation: the verdict, why, and the equation put right as target and expression."""

    verdict: str
    reason: str = ""
    fix: tuple[str, Expression] | None = None


def verdicts(page: Page, judge: Judge) -> dict[int, Verdict]:
    """Return the verdict on each equation, by item."""
    judge.place()
    judge.read_for_one_sample()
    judge.settle()
    found: dict[int, list[Verdict]] = {}
    for line in judge.lines:
        found.setdefault(line.equation, []).append(_of_line(line, judge))
    judged = set(found)
    for i, s in page.equations:
        found.setdefault(i, []).extend(_of_chain(s.target, chain, judge) for chain in s.chains)
        if not s.sides:
            continue
        if is_update(s):
            found.setdefault(i, []).append(_of_update(s, page, judge))
        elif i not in judged:
            found.setdefault(i, []).append(_of_other(s, i, page, judge))
    for i, item in enumerate(page.items):
        if item.statement is not None and (said := disagreement(item.statement)):
            found.setdefault(i, []).append(Verdict(WRONG, said))
    worst = {i: min(several, key=lambda v: WORST_FIRST.index(v.verdict)) for i, several in found.items()}
    if NO_NETWORK in judge.network.said:  # then that which is assumed is no ground to call anything wrong
        worst = {i: Verdict(UNKNOWN, NO_NETWORK) if v.verdict == WRONG else v for i, v in worst.items()}
    return {i: _in_names_of(page, verdict) for i, verdict in worst.items()}


def _in_names_of(page: Page, verdict: Verdict) -> Verdict:
    """Return a verdict in the names that the page has, where it is read with others."""
    theirs = {meant: name for name, meant in page.reading.names.items() if meant != name}
    theirs |= {f"d{meant}": f"d{name}" for meant, name in theirs.items() if not split(meant)[0]} | theirs
    if not theirs:
        return verdict
    reason = re.sub(r"(?<!\w)[^\W\d_]\w*", lambda m: theirs.get(m[0], m[0]), verdict.reason)
    fix = verdict.fix and (theirs.get(verdict.fix[0], verdict.fix[0]), renamed(verdict.fix[1], theirs))
    return Verdict(verdict.verdict, reason, fix)


# --- tensors and gradients --------------------------------------------------------------------------------------------


def _of_line(line: Line, judge: Judge) -> Verdict:
    if line.ambiguous:
        return Verdict(AMBIGUOUS, line.ambiguous)
    if line.right:
        return Verdict(WRONG, line.remark, (line.meant, line.written)) if line.meant else _confirmed(line, judge)
    reads, network = list(dict.fromkeys(names_in(line.tree))), judge.network
    if reads and not any(np.ndim(judge.values.get(n, ())) for n in reads):
        return Verdict(UNKNOWN, "there are but numbers in it: it breaks off")
    if strange := sorted(judge.strange & set(reads)):
        return Verdict(
            AMBIGUOUS, f"{greek(', '.join(strange))} does not stand in the loss, so this term cannot be judged"
        )
    if unread := judge.unread(line):
        return Verdict(AMBIGUOUS, f"it rests on {' and '.join(unread)}, whose equation could not be read")
    found, scalars = line.found_wrong, {*network.scalars, *network.constants}
    fixed = expression(found.fix.partition(" = ")[2], scalars) if found is not None and found.fix else None
    fixed = _masked_by_input(fixed, network) if fixed is not None else None
    unknown, said = [n for n in reads if n not in judge.values and n != RATE], ""
    if unknown == ["T"] and fixed is not None and _ends_in(line.tree, Name("T")):  # a transpose of nothing
        lacks = [n for n in dict.fromkeys(names_in(fixed)) if n not in reads]
        said = f"what is transposed is missing: {' and '.join(lacks)} belongs there"
    elif unknown:
        return Verdict(UNKNOWN, f"{', '.join(unknown)} is not defined")
    elif fixed is not None:
        said = _at_another(line.tree, fixed)
    if not said:
        said = (
            in_notes(found.reason, {*judge.values}, scalars) if found is not None else "it differs from the derivative"
        )
        said = re.sub(
            r"axis=\d belongs where axis=\d stands.*", "it is summed over the features, not over the samples", said
        )
        if in_python := re.search(r"np\.|_prime|\.shape|axis=|keepdims", said):  # what notes have no sign for
            said = said[: in_python.start()].rpartition(": ")[0] or "it differs from the derivative"
        named = sorted((set(names_in(network.cost)) & set(network.constants)) - set(reads))
        if named and re.search(r"factor \d", said):  # which depends on what number was drawn for the name
            said = f"it differs by a factor; {greek(', '.join(named))} stands in the loss, and not here"
    fix = (line.called or line.judged_as, _spelt_as(fixed, line, network.scalars[-1])) if fixed is not None else None
    return Verdict(WRONG, "; ".join(filter(None, [line.remark, said, _from_another_loss(line, judge)])), fix)


def _ends_in(tree: Expression, last: Expression) -> bool:
    """Whether a product has this for its last factor."""
    return tree == last or (
        isinstance(tree, Apply) and tree.op in ("mul", "matmul") and _ends_in(tree.inputs[-1], last)
    )


def _from_another_loss(line: Line, judge: Judge) -> str:
    """Say of which loss in use a line would be true, where the page writes another: one of the two is wrong."""
    network = judge.network
    written = network.cost_name.endswith("as written") and line.target == f"d{network.output}" and not network.total
    for other in filter(None, (sample(network.with_loss(name)) for name in LOSSES if written)):
        for known in map(other.values, Scale):
            value = evaluate(line.found, known)
            if value is not None and same(value, known[line.target]):
                own = network.cost_name.split()[0]
                return f"it would follow from {other.network.cost_name}, but {own} is written otherwise"
    return ""


def _confirmed(line: Line, judge: Judge) -> Verdict:
    """Return whether a right line is only right because it is the definition itself."""
    first = next(other for other in judge.lines if other.target == line.target)
    given = split(line.target)[0] or judge.network.model
    if given or line.equation != first.equation or isinstance(line.tree, Name):
        return Verdict(RIGHT, line.remark)
    if judge.network.assumed:
        return Verdict(RIGHT, "; ".join(filter(None, [line.remark, "as in the notes' own network"])))
    return Verdict(DEFINITION, line.remark)


def _masked_by_input(tree: Expression, network: Network) -> Expression:
    """Write g'(Z1) for g'(A1), which is the same for a ReLU, and not what is meant."""
    applied = {
        n: t.inputs[0]
        for n, t in network.definitions.items()
        if isinstance(t, Apply) and t.op in ("relu", "leaky_relu")
    }

    def rule(part: Expression) -> Expression | None:
        match part:
            case Apply("relu'" | "leaky_relu'" as op, (Name(text), *rest), params) if text in applied:
                return Apply(op, (applied[text], *rest), params)
        return None

    return replaced(tree, rule)


def _at_another(tree: Expression, fixed: Expression) -> str:
    """Say where a derivative is taken at something else than the input of its activation, and nothing else is wrong."""

    def factors(part: Expression) -> set[Expression]:
        if isinstance(part, Apply) and part.op in ("mul", "matmul"):
            return {f for p in part.inputs for f in factors(p)}
        return {part}

    mine, theirs = factors(tree) - factors(fixed), factors(fixed) - factors(tree)
    match [*mine, *theirs]:
        case [Apply(op, (at,)), Apply(other, (wanted,))] if op == other and op.endswith("'"):
            mask = ": the mask must come from what the activation was applied to" if op == "relu'" else ""
            return f"the derivative of the activation is taken at {write(at)} instead of {write(wanted)}{mask}"
    return ""


def _spelt_as(tree: Expression, line: Line, count: str) -> Expression:
    """Write a repair as the line was written: with its g', the factors before Σ that it had, and the page's name for m."""
    primes = [
        p.op
        for p in parts_of(line.written)
        if isinstance(p, Apply) and p.op.endswith("'") and p.op[:-1] not in REGISTRY
    ]

    def rule(part: Expression) -> Expression | None:
        match part:
            case Apply(op, inputs) if op.endswith("'") and primes:
                return Apply(primes[0], inputs)
            case Apply("div", (a, size)) if size == M and not _is_number(a):  # 1/m Σ dZ for (Σ dZ)/m
                return Apply("mul", (Apply("div", (Number(1), M)), a))
            case Apply("sum", (Apply("mul", (a, b)),)) if _is_number(a):  # 1/m Σ dZ for Σ 1/m dZ
                return Apply("mul", (a, Apply("sum", (b,))))
        return None

    return replaced(replaced(tree, rule), lambda p: Name(count, scalar=True) if p == M else None)


def _is_number(tree: Expression) -> bool:
    return not any(isinstance(p, Name) and not p.scalar for p in parts_of(tree))


def in_notes(text: str, known: set[str], scalars: set[str]) -> str:
    """Write the pieces of Python in a sentence as on paper."""
    words = text.removesuffix(".").split(" ")
    found, i = [], 0
    while i < len(words):
        for end in range(min(len(words), i + LONGEST), i, -1):
            piece = " ".join(words[i:end])
            bare = piece.rstrip(",:")
            tree = expression(bare, scalars) if bare.count("(") == bare.count(")") else None
            ours = isinstance(tree, Apply) and known.issuperset(names_in(tree))
            if ours or end == i + 1:
                found.append(write(tree) + piece[len(bare) :] if ours and tree is not None else piece)
                i = end
                break
    return re.sub(r"over axis [01]", "over the samples", " ".join(found))


# --- updates ----------------------------------------------------------------------------------------------------------


def _of_update(s: Statement, page: Page, judge: Judge) -> Verdict:
    """Judge W := W − α dW with other numbers for every name; one without a layer stands for that of every layer."""
    if s.target in judge.network.axes:
        return _of_step(s, page, judge)
    if s.target == RATE:
        return Verdict(DEFINITION, "the learning rate")
    alike = [n for n in judge.network.axes if split(n)[1] == split(s.target)[1]]
    if s.target in ("theta", "P"):  # all parameters
        alike = [n for n in judge.network.axes if n not in (DATA, LABELS)]
    verdict = Verdict(UNKNOWN, f"{s.target} is no parameter of the network")
    for name in reversed(alike) if not split(s.target)[2] else ():
        of_layer = {s.target: name, f"d{s.target}": f"d{name}"}
        sides = tuple(renamed(side, of_layer) for side in s.sides)
        verdict = _of_step(Statement(name, sides, s.update), page, judge)
        plain = {own: n for n, own in of_layer.items()}
        fix = verdict.fix and (s.target, renamed(verdict.fix[1], plain))
        reason = re.sub(rf"(?<!\w)(d?){name}(?!\w)", rf"\1{s.target}", verdict.reason)
        verdict = Verdict(verdict.verdict, reason, fix)
        if verdict.verdict != RIGHT:
            break
    return verdict


def _of_step(s: Statement, page: Page, judge: Judge) -> Verdict:
    known = judge.values
    parameters = [
        n
        for n in judge.network.axes
        if n not in (DATA, LABELS) and np.shape(known.get(f"d{n}", ())) == np.shape(known[n])
    ]
    own, plain = s.target, "only steps of plain gradient descent are judged"
    if own not in parameters:
        return Verdict(UNKNOWN, f"{own} is no parameter of the network")
    names = names_of(s)[1:]
    if strange := [n for n in dict.fromkeys(names) if n not in known and n != RATE]:
        return Verdict(AMBIGUOUS, f"{', '.join(strange)} is not defined: {plain}")
    if constants := [n for n in names if n in judge.strange]:
        return Verdict(AMBIGUOUS, f"{greek(', '.join(constants))}: {plain}")

    def right(statement: Statement, target: str) -> bool:
        return judge.allows(replace(statement, target=target, update=True), page.items[0])

    if right(s, own):
        return Verdict(RIGHT)
    others = list(dict.fromkeys(n for n in names if n in parameters and n != own))
    slopes = list(dict.fromkeys(n for n in names if split(n)[0]))
    updates = [u for _, u in page.equations if is_update(u) and u is not s and u.target in parameters]
    given = {u.target for u in updates if right(u, u.target)}
    meant = next((n for n in others if own in given and n not in given), own)
    uphill = any(isinstance(p, Apply) and p.op == "add" for side in s.sides for p in parts_of(side))
    layers = {split(n)[2] for n in (*others, *slopes)}
    reasons = [
        (right(s, meant), f"this is the update of {meant}, not of {own}"),
        (others and layers - {split(own)[2]}, f"it mixes layers: {own} is computed from {' and '.join(others)}"),
        (slopes and f"d{own}" not in slopes, f"it steps along {' and '.join(slopes)}, not along d{own}"),
        (not slopes, f"the gradient d{own} is missing"),
        (RATE not in names, "the learning rate α is missing"),
        (uphill, "the sign is wrong: it goes uphill"),
        (own not in names, f"{own} itself is missing: the step is taken from where it is"),
        (True, f"it is not {own} − α d{own}"),
    ]
    step = Apply("mul", (Name(RATE, scalar=True), Name(f"d{meant}")))
    return Verdict(WRONG, next(said for holds, said in reasons if holds), (meant, Apply("sub", (Name(meant), step))))


# --- the rest ---------------------------------------------------------------------------------------------------------


def _of_other(s: Statement, i: int, page: Page, judge: Judge) -> Verdict:
    network = judge.network
    if any(i == at for at, _, _ in page.losses):
        return Verdict(DEFINITION) if network.cost_name.endswith("as written") else _of_loss(s, page, judge)
    if "(" in s.target:
        return _of_function(s, judge)
    if (local := _local(s.target, network)) is not None:
        return _of_local(s, local, judge)
    if s.target in network.changed or (s.target in network.cyclic and not page.unread):
        return Verdict(WRONG, "it is defined by what is computed from it")
    if s.target in network.cyclic:
        return Verdict(
            UNKNOWN, f"no network could be made of it: {' and '.join(sorted(page.unread))} could not be read"
        )
    if s.target in (DATA, LABELS) or not any(map(names_in, s.sides)):
        return Verdict(DEFINITION)
    if s.target in judge.helpers:
        own = judge.values[s.target]
        slopes = [n for n, x in judge.values.items() if split(n)[0] and n not in judge.helpers and same(own, x)]
        return Verdict(RIGHT, f"it is {slopes[0]}") if slopes else Verdict(DEFINITION, "a name of the notes' own")
    if everywhere := _in_layers(s, judge):
        verdict = AMBIGUOUS if split(s.target)[0] else RIGHT
        return Verdict(
            verdict, f"no layer is said; right for {' and '.join(everywhere if split(s.target)[0] else everywhere[:1])}"
        )
    unknown = list(dict.fromkeys(n for n in names_of(s) if n not in judge.values))
    bare = [n for n in unknown if not split(n)[2]]
    layered = {split(known)[1] for known in judge.values if split(known)[2]}
    if bare and layered.issuperset(split(n)[1] for n in bare):
        return Verdict(UNKNOWN, f"{', '.join(bare)}: it does not say which layer")
    return Verdict(UNKNOWN, f"{', '.join(unknown)} is not defined" if unknown else "it is no equation of the network")


def _of_chain(target: str, chain: Expression, judge: Judge) -> Verdict:
    """Judge ∂J/∂W2 = ∂J/∂Z2 ∂Z2/∂W2: each derivative must be of what the one before is by, down to the left side."""
    tree, meant = judge.network.definitions, judge.page.reading.meant
    names = [meant(n) for n in names_in(chain) if n[0] == "d"]
    links = [(meant(a), meant(b)) for _, a, b in (n.split("∂") for n in names_in(chain) if n[0] == "∂")]
    if len(names) != 1:
        return Verdict(UNKNOWN, "the chain rule begins with the gradient of one tensor")

    def reaches(a: str, b: str) -> bool:
        below = names_in(tree[a]) if a in tree else []
        return a == b or any(reaches(n, b) for n in below)

    at, steps = names[0][1:], dict(links)
    for _ in links:
        if at not in steps or not reaches(at, steps[at]):
            break
        at = steps.pop(at)
    if not steps and at == target[1:]:
        return Verdict(RIGHT, "the chain rule")
    if any(n not in judge.values and n not in tree for pair in links for n in pair):
        return Verdict(UNKNOWN, "not every tensor of it is known")
    return Verdict(WRONG, f"the chain from {names[0]} does not lead to {target}")


def _local(target: str, network: Network) -> Expression | None:
    """Return the derivative of one tensor by what it is computed from directly, as it is written for one sample."""
    _, a, b = target.split("∂") if target.count("∂") == 2 else ("", "", "")
    tree, by = network.definitions.get(a), Name(b)
    match tree:
        case Apply("sigmoid", (Name(z),)) if z == b:
            return Apply("mul", (Name(a), _one_minus(Name(a))))
        case Apply("tanh", (Name(z),)) if z == b:
            return _one_minus(Apply("square", (Name(a),)))
        case Apply(op, (Name(z),), params) if z == b and not by_sample(op):
            return Apply(f"{op}'", (Name(z),), params)
        case Apply("add", (x, y)) if by in (x, y):
            return Number(1)
    for part in parts_of(tree) if tree is not None else ():
        match part:
            case Apply("matmul", (x, y)) if by in (x, y):
                return y if x == by else x
    return None


def _of_local(s: Statement, true: Expression, judge: Judge) -> Verdict:
    """Judge ∂A2/∂Z2 = A2 (1 − A2) or ∂Z2/∂W2 = A1; whether a matrix is turned is a matter of the layout."""
    wanted = evaluate(true, judge.values)
    values = [read(judge.named(side, s.target), judge.scope)[1] for side in s.sides]
    if wanted is None or any(value is None for value in values):
        return Verdict(UNKNOWN, "it cannot be computed")
    if all(np.all(v == 1) if np.ndim(wanted) == 0 else same(v, wanted) or same(v, wanted.T) for v in values):
        return Verdict(RIGHT)
    return Verdict(WRONG, f"it is {write(true)}", (s.target, true))


def _in_layers(s: Statement, judge: Judge) -> list[str]:
    """Return the targets of the layers for which an equation is right that says no layer at all."""
    names = {n for n in names_of(s) if n not in judge.values}
    found = []
    for layer in sorted({split(n)[2] for n in judge.values} - {"", "0"}) if not any(split(n)[2] for n in names) else ():
        full = {n: n + layer for n in names}
        sides = [renamed(judge.named(side, s.target + layer), full) for side in s.sides]
        values = [read(side, Scope(judge.values, judge.m))[1] for side in sides]
        true = judge.values.get(s.target + layer)
        if true is not None and all(value is not None and same(value, true) for value in values):
            found.append(s.target + layer)
    return found


def _of_loss(s: Statement, page: Page, judge: Judge) -> Verdict:
    name, model, base = judge.network.cost_name, judge.network.model, judge.sample
    if model:
        costs = [
            evaluate(cost, base.values()) for side in s.sides for cost in page.losses_of(judge.network, side, s.target)
        ]
        if any(value is not None and same(value, evaluate(judge.network.cost, base.values())) for value in costs):
            return Verdict(RIGHT)
        if costs:
            cost = judge.network.cost
            inner = cost.inputs[0] if isinstance(cost, Apply) and cost.op == "sum" else cost
            summed = any(isinstance(p, Apply) and p.op in SUMS for p in parts_of(inner))
            return Verdict(WRONG, f"the loss of {model} is another", (s.target, inner if summed else cost))
    if any(read(side, judge.scope, "all")[1] is None for side in s.sides):
        return Verdict(UNKNOWN, f"it cannot be computed; the loss is taken to be {name}")
    return Verdict(WRONG, f"the other equations do not follow from it, but from {name}", (s.target, judge.network.cost))


def _one_minus(tree: Expression) -> Expression:
    return Apply("sub", (Number(1), tree))


DERIVATIVES: dict[str, Callable[[Expression], Expression]] = {
    "sigmoid": lambda z: Apply("mul", (Apply("sigmoid", (z,)), _one_minus(Apply("sigmoid", (z,))))),
    "tanh": lambda z: _one_minus(Apply("square", (Apply("tanh", (z,)),))),
    "relu": lambda z: Apply("greater", (z, Number(0))),
}


PLAIN: dict[str, Callable[[Expression], Expression]] = {"relu": lambda z: Apply("maximum", (Number(0), z))}


def _of_function(s: Statement, judge: Judge) -> Verdict:
    """Judge the definition of an activation or of its derivative: σ'(z) = σ(z) (1 − σ(z)), g(Z1) = ReLU(Z1)."""
    call, _, argument = s.target.rstrip(")").partition("(")
    bare = call.rstrip("'")
    signs = {entry.text.partition("(")[0]: op for op, entry in REGISTRY.items() if "({0})" in entry.text}
    named = judge.named(Apply(bare, (Name(argument),)), "")
    op = signs.get(bare) or (named.op if isinstance(named, Apply) and named.op in REGISTRY else None)
    if op is None or not argument.isalnum() or not all(map(names_in, s.sides)):  # as in: 1, if z > 0
        return Verdict(DEFINITION)
    Z = np.random.default_rng(0).standard_normal((3, 4))
    params = (("axis", 0),) if op == "softmax" else ()
    true = evaluate(Apply(op + "'" * call.count("'"), (Name(argument),), params), {argument: Z})
    for side in s.sides:
        ways = (
            read(judge.named(side, ""), Scope({argument: Z}, 4), over)[1] for over in ("samples", "features", "all")
        )
        values = [value for value in ways if value is not None]
        if not values or (bare not in signs and "'" not in call and not any(same(v, true) for v in values)):
            return Verdict(DEFINITION)
        if bare == "σ" == call and isinstance(recognised(side), Apply) and recognised(side) != side:
            return Verdict(DEFINITION, "σ is the name of another activation here")
        if not any(same(value, true) for value in values):
            form = (DERIVATIVES if call == bare + "'" else PLAIN).get(op)
            mask = form(Name(argument)) if form else None
            steps = op == "relu" and call != bare
            fix = (s.target, Apply("where", (mask, Number(1), Number(0))) if steps else mask) if mask else None
            sign = next((sign for sign, other in signs.items() if other == op), op)
            return Verdict(WRONG, f"it is not {sign}{call[len(bare) :]}({argument})", fix)
    return Verdict(RIGHT)


def as_read(s: Statement) -> str:
    """Write an equation as it was read."""
    return greek(f"{s.target} {':=' if is_update(s) else '='} " + " = ".join(map(write, (*s.sides, *s.chains))))


def greek(text: str) -> str:
    """Write α for alpha and λ for lambda."""
    return re.sub(r"(?<!\w)(alpha|lambda)(?!\w)", lambda m: {"alpha": "α", "lambda": "λ"}[m[1]], text)
