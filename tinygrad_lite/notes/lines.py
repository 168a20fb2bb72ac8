"""Judge: which equations of a page are right, each with true values for all that it reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product, takewhile
from math import gcd
from typing import Any

import numpy as np

from ..formula.expression import Apply, Expression, Name, Number, parts_of, renamed, replaced
from ..formula.translate import code, function_name, identifier
from ..formula.value import SUMS, evaluate, function
from ..op import REGISTRY
from ..truth.equal import equal, same
from ..truth.loss import Scale
from ..verify.desk import usefulness
from ..verify.problem import Allowance, Diagnosis, Example, Problem
from ..verify.words import diagnose
from .naming import PLAIN, Reading, of_errors, of_the_page, of_unknown, unknown, words_of
from .network import (
    DATA,
    LABELS,
    LOSSES,
    NO_NETWORK,
    NOTHING,
    RATE,
    WEIGHTS,
    Network,
    Sample,
    names_in,
    number,
    others,
    sample,
    split,
)
from .page import Page, counts, is_update
from .reading import EITHER, Scope, Sum, read
from .statement import Item, Statement
from .units import layered_names

DIAGNOSED = 8  # cases that a repair must be right in
PAGE = 120_000  # nodes of trees that may be tried for the repairs of a page: it takes no second


@dataclass(eq=False)
class Line:
    """One side of one equation that assigns to a tensor or a gradient."""

    equation: int  # its item
    target: str
    written: Expression
    tree: Expression  # with every function named
    loose: frozenset[str]  # signs of products that may mean either
    found: Expression = NOTHING  # as the shapes read it
    fits: bool = False  # whether it is right in the sample
    meant: str = ""  # the target that is meant, where it is another one
    called: str = ""  # its name on the page, where that is one of the page's own
    remark: str = ""
    ambiguous: str = ""
    single: bool = False  # read for one sample, without 1/m, where the page goes from one to many
    right: bool = False  # whether it is right in all cases
    found_wrong: Diagnosis | None = None

    @property
    def judged_as(self) -> str:
        """The name under which it is verified."""
        return self.meant or self.target


class Judge:
    """The equations of a page, held against one network: lines that can be evaluated, each with true values."""

    def __init__(self, page: Page, base: Sample) -> None:
        self.page, self.network, self.sample, self.m = page, base.network, base, base.m
        self.scale = Scale.SAMPLE
        self.turned = False  # whether w_jk is the entry of row k
        self.share = 1.0  # of the repairs that may be tried for a page
        self.lines: list[Line] = []
        self.values: dict[str, Any] = {}
        self.helpers: dict[str, Expression] = {}  # names of the page's own, such as E = A2 − Y
        self.own: list[Statement] = []  # the equations of these
        self.one: Judge | None = None  # the same page with a single sample, where some lines are read so

    @property
    def wrong(self) -> int:
        """How many equations are wrong."""
        return len({line.equation for line in self.lines if not line.fits})

    @property
    def scope(self) -> Scope:
        """What a line may read."""
        return Scope(self.values, self.m, self.network.flat)

    def price(self) -> tuple[int, float]:
        """Return how many equations are wrong, and how many are unlike the others, on the scale with the fewest."""
        found = []
        entries = any(ENTRY.search(self.page.items[i].text) for i, _ in self.page.equations)
        for self.scale, self.turned in product(Scale, (False, True)[: 1 + entries]):
            self._collect()
            self._suppose()
            state = self.scale, self.turned, self.lines, self.values, self.helpers
            found.append((sum(not line.fits for line in self.lines), state))
        self.scale, self.turned, self.lines, self.values, self.helpers = min(found, key=lambda f: f[0])[1]
        network = self.network
        wrong = self.wrong
        lost = {s.target for _, s in self.page.equations if self._lost(s)}
        lost |= {n for n in network.axes if split(n)[1] in ("Z", "A") and n not in network.definitions}
        other = bool(self.page.losses) and network.cost_name in LOSSES  # than that of the page
        return wrong + self._missteps() + len(lost) + other, network.odd + (0.5 if other else self._odd_loss())

    def _missteps(self) -> int:
        """Return how many parameters step along something else, of those whose gradient is written down nowhere else."""
        steps = [
            (i, s)
            for i, s in self.page.equations
            if is_update(s) and s.sides and f"d{s.target}" in self.values and f"d{s.target}" not in self.page.mentioned
        ]
        return sum(not self.allows(s, self.page.items[i]) for i, s in steps)

    def _lost(self, s: Statement) -> bool:
        """Whether an equation is of a tensor that layers have, but this network has not."""
        gradient, letters, _ = split(s.target)
        layered = letters in (*WEIGHTS, "b", "Z", "A") and (gradient or is_update(s))
        return s.target in self.network.cyclic or (layered and s.target not in self.values)

    def _odd_loss(self) -> float:
        """Return 1 for a loss as the page writes it whose slope is no multiple of that of one in use."""
        output = self.network.output
        g = self.sample.truth.gradients.get(output)
        if g is None or not self.network.cost_name.endswith("as written"):
            return 0.0
        if _cancels(self.network.cost):
            return 1.0
        A, Y = self.values[output], self.values[LABELS]
        usual = A - Y, -Y / A, (A - Y) / (A * (1 - A))
        multiples = [(u, self.m * np.sum(u * g) / np.sum(u * u)) for u in usual]
        most = np.inf if set(names_in(self.network.cost)) & set(self.network.constants) else 2.1
        return float(not any(0 < k < most and same(u * k / self.m, g) for u, k in multiples))

    # --- reading ------------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Read every equation that assigns to a tensor or a gradient as a line, and the page's own names."""
        self.values, self.lines, self.helpers = self.sample.values(self.scale), [], {}
        known = set(self.values) - set(self.network.constants)
        self.own = [s for _, s in self.page.equations if s.target not in known and self.page.is_own(s)]
        self._help()
        for i, s in self.page.equations:
            if not is_update(s) and (split(s.target)[0] or self.page.is_forward(s)):
                loose = _loose(self.page, self.page.items[i].text)
                lines = [Line(i, s.target, side, self.named(side, s.target), loose) for side in s.sides]
                self.lines += [self._complete(line) for line in lines if s.target in known]

    def _help(self) -> None:
        """Compute the names of the page's own that can be computed."""
        for s in [*self.own, *self.own]:
            for side in s.sides if s.target not in self.values else ():
                found, value = read(self.named(side, s.target), self.scope)
                if value is not None:
                    self.values[s.target], self.helpers[s.target] = value, found

    def _suppose(self) -> None:
        """Take a name of the page's own, such as G = Y − A2, for the gradient that what reads it takes it for."""
        errors, slopes = {LABELS}, [n for n in self.values if split(n)[0] and n not in self.helpers]
        for name, sides in {s.target: s.sides for s in self.own}.items():
            if not any(errors & {*names_in(side)} for side in sides):
                continue
            errors.add(name)
            users = [line for line in self.lines if name in names_in(line.tree)]
            readers = {s.target for s in self.own if any(name in names_in(side) for side in s.sides)} - {name}
            mine = self.values.get(name)
            known = mine is not None and any(same(mine, self.values[n]) for n in slopes)
            doubtful = sum(not line.fits for line in users) > (not readers and mine is not None)
            for slope in slopes if doubtful and not known else ():
                self.values[name] = self.values[slope]
                trials = [*takewhile(lambda trial: trial.fits, (self._complete(replace(line)) for line in users))]
                if len(trials) == len(users):
                    lines = [
                        self._complete(Line(i, slope, t, self.named(t, slope), EITHER, called=name))
                        for i, s in self.page.equations for t in s.sides if s.target == name
                    ]  # fmt: skip
                    self._exchange(users, [*trials, *lines])
                    self.helpers[name] = Name(slope)
                    self._again(errors)
                    break
                del self.values[name]
                self.values |= {} if mine is None else {name: mine}

    def _again(self, errors: set[str]) -> None:
        """Compute what reads names that stand for something else now."""
        for name in {*self.helpers} - errors:
            del self.values[name], self.helpers[name]
        self._help()
        users = [line for line in self.lines if {*names_in(line.tree)} & {s.target for s in self.own}]
        self._exchange(users, [self._complete(replace(line)) for line in users])

    def _exchange(self, old: list[Line], new: list[Line]) -> None:
        self.lines = sorted({*self.lines} - {*old} | {*new}, key=lambda line: line.equation)

    def named(self, tree: Expression, target: str) -> Expression:
        """Replace g, and every derivative of one, by the activation of the layer that it is applied to."""

        def rule(part: Expression) -> Expression | None:
            if not isinstance(part, Apply) or part.op.rstrip("'") in REGISTRY or len(part.inputs) != 1:
                return None
            layer = dict(part.params).get("layer") or (split(target)[2] if "'" in part.op and split(target)[0] else "")
            applied = self.network.activation(part.inputs[0], layer)
            op = applied.op if applied else self.page.functions.get(part.op.rstrip("'"))
            params = applied.params if applied and applied.op == "leaky_relu" else ()
            return Apply(op + "'" * part.op.count("'"), part.inputs, params) if op else None

        return replaced(tree, rule)

    def _complete(self, line: Line) -> Line:
        """Read a line as its shapes allow; put layers where it names none."""
        if self._try(line).fits:
            return line
        layers = sorted({split(n)[2] for n in self.values} - {"", "0"})
        bare = [n for n in dict.fromkeys(names_in(line.tree)) if n not in self.values and not split(n)[2] and n != RATE]
        open_ = [n for n in bare if any(n + layer in self.values for layer in layers)]
        if not open_:
            return line
        own, right = split(line.target)[2], []
        for layer in sorted(layers, key=lambda k: k != own):
            trial = self._try(replace(line, tree=renamed(line.tree, {n: n + layer for n in open_})))
            if trial.fits:
                right.append(", ".join(n + layer for n in open_))
                line.found = trial.found
        said = f"{', '.join(open_)} does not say which layer it is of"
        if right:
            line.ambiguous = f"{said}; right for {' or '.join(right)}"
            return line
        line.tree, line.remark = renamed(line.tree, {n: n + own for n in open_}), said
        return self._try(line)

    def _try(self, line: Line) -> Line:
        """Find the reading with which a line is right; where there is none, the first."""
        true = self.values[line.target]
        ways: list[Sum] = ["samples", "features", "all"]
        summed = any(isinstance(p, Apply) and p.op in SUMS for p in parts_of(line.tree))
        trees = list(dict.fromkeys([line.tree, _leftmost(line.tree)]))
        if line.equation >= 0 and re.search(r"⊗|\\otimes", self.page.items[line.equation].text):
            trees.append(_outer(line.tree))
        if self.turned and line.equation >= 0 and ENTRY.search(self.page.items[line.equation].text):
            trees = _turned(line.tree, self.network)
        readings = [
            read(tree, self.scope, over, line.loose) for tree in trees for over in (ways if summed else ways[:1])
        ]
        right = [found for found, value in readings if value is not None and self._alike(value, true)]
        line.found, line.fits = (right or [readings[0][0]])[0], bool(right)
        return line

    def _alike(self, value: Any, true: Any) -> bool:
        """Whether a value is the true one; a vector may lie or stand where the page has no rows and columns."""
        turned = self.network.flat and np.ndim(value) == 2 and 1 in np.shape(value)
        return same(value, true) or (turned and same(np.transpose(value), true))

    def allows(self, s: Statement, item: Item) -> bool:
        """Whether an equation of a known tensor, gradient or update is right."""
        known, loose = self.values, _loose(self.page, item.text)
        if not is_update(s):
            return all(self._complete(Line(-1, s.target, t, self.named(t, s.target), loose)).fits for t in s.sides)
        own, slope = known[s.target], known[f"d{s.target}"]
        values = [read(self.named(side, s.target), self.scope)[1] for side in s.sides]
        if {n for side in s.sides for n in names_in(side)} == {s.target, f"d{s.target}"}:  # a number for α
            rates = [0.0 if x is None else np.sum((own - x) * slope) / np.sum(slope**2) for x in values]
            return all(0 < c < 0.999 and same(x, own - c * slope) for c, x in zip(rates, values, strict=True))
        return all(value is not None and same(value, own - known[RATE] * slope) for value in values)

    # --- what is meant ------------------------------------------------------------------------------------------------

    def place(self) -> None:
        """Find gradients under wrong names: by what they are, and by where they stand."""
        slopes = [line for line in self.lines if split(line.target)[0]]
        given = {line.target for line in slopes if line.fits}
        missing = {f"d{n}" for n in self.network.axes if n not in (DATA, LABELS)} - {line.target for line in slopes}
        places, layer = [], ""
        for line in slopes:
            _, letters, own = split(line.target)
            layer = own if letters == "Z" else layer
            places.append("" if letters in ("Z", "A") else f"d{letters}{layer}")
        for line, here in zip(slopes, places, strict=True):
            if not here or line.fits or line.ambiguous:
                continue
            value = read(line.found, self.scope, "samples", frozenset())[1]
            known = [n for n, x in self.values.items() if split(n)[0] and n != line.target and value is not None
                     and split(n[1:])[1] not in (DATA, LABELS) and same(value, x)]  # fmt: skip
            if known and (known[0] not in given or line.target in given):
                line.meant, line.remark = known[0], f"this is {known[0]}, not {line.target}"
            elif line.target in given and here != line.target and here in missing:
                line.meant = here
                line.remark = f"{line.target} is given already, and this stands in the place of {here}"
        missing -= {line.meant for line in slopes}
        self._place_forward()
        for k, (line, here) in enumerate(zip(slopes, places, strict=True)):
            again = any(
                o.meant == line.target or (o.target == line.target and o.fits and o in slopes[:k]) for o in slopes
            )
            if line.fits and here in missing and again and here != line.target:
                line.ambiguous = f"true as written, but it stands in the place of {here}, which is not given"

    def _place_forward(self) -> None:
        """Find tensors under wrong names: what is written for A2 is A1, which has no equation of its own."""
        given = {line.target for line in self.lines if line.fits}
        for line in self.lines:
            value = None if line.fits or split(line.target)[0] else read(line.found, self.scope)[1]
            alike = [n for n, tree in self.network.definitions.items()
                     if n not in given and not isinstance(tree, Name) and split(n)[1] == split(line.target)[1]]  # fmt: skip
            meant = [n for n in alike if value is not None and same(value, self.values[n])]
            if meant:
                line.meant, line.remark = meant[0], f"this is {meant[0]}, not {line.target}"

    def read_for_one_sample(self) -> None:
        """Read wrong gradients for a single sample where the page speaks of one: dW = dz aᵀ, beside 1/m Σ for all.

        It speaks of one where no equation of the group divides by m or sums: the equations under one heading that write
        their data alike, in small letters (or capitals) or with the index of a sample.
        """
        wrong = [line for line in self.lines if not line.fits and not line.ambiguous and split(line.target)[0]]
        groups = {i: self.page.group(i) for i, _ in self.page.equations}
        slopes = [(i, s) for i, s in self.page.equations if split(s.target)[0]]
        counted = {groups[i] for i, s in slopes if any(counts(side) or _sums(side) for side in s.sides)}
        wrong = [line for line in wrong if groups[line.equation] not in counted and groups[line.equation].single]
        base = sample(self.network.of_one_sample()) if wrong and self.network.samples != "1" else None
        if base is None:
            return
        one = Judge(self.page, base)
        one.price()
        fits = {(line.equation, line.target, line.written): line for line in one.lines if line.fits}
        for line in wrong:
            if alike := fits.get((line.equation, line.target, line.written)):
                line.tree, line.found, line.fits, line.single = alike.tree, alike.found, True, True
                line.meant, line.remark = "", "read for one sample"
        self.one = one

    # --- in all cases -------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Hold every line against many cases, each with true values for all that it reads, and diagnose what is wrong."""
        cases = [self.sample, *others(self.sample)]
        single = [self.one.sample, *others(self.one.sample)] if self.one else []
        seen: dict[tuple[str, str, bool], Line] = {}
        for line in self.lines:
            same = seen.setdefault((line.judged_as, code(line.found), line.single), line)
            if same is line and not line.ambiguous:
                held = single if line.single else cases
                line.right = (line.fits or line.meant != "") and all(self._holds(line, case) for case in held)
        wrong = [line for line in seen.values() if not line.right and not line.ambiguous]
        for line in wrong:
            problem = replace(
                self._problem(line, cases[:DIAGNOSED]), allowance=Allowance(self.share * PAGE / len(wrong))
            )
            found = diagnose(problem)
            line.found_wrong = replace(found, reason=_with_sizes(found.reason, problem.examples))
        for line in self.lines:
            same = seen[line.judged_as, code(line.found), line.single]
            line.right, line.found_wrong = same.right, same.found_wrong

    @property
    def strange(self) -> set[str]:
        """The names of numbers that do not stand in the loss, such as the λ of a decay that it has not."""
        return set(self.network.constants) - set(names_in(self.network.cost))

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The gradients that nobody wants: of the data and the labels, unless dY stands for that of the output."""
        taken = dict(self.network.shifted)
        return f"d{DATA}", f"d{taken.get(LABELS, LABELS)}"

    def _known(self, case: Sample) -> dict[str, Any]:
        """Return all that is known in a case, the page's own names included."""
        values = case.values(self.scale)
        for name, tree in self.helpers.items():
            values[name] = evaluate(tree, values)
        return values

    def _holds(self, line: Line, case: Sample) -> bool:
        """Whether a line is right in a case, but for rounding; nothing can be said where what it reads is no number."""
        known = self._known(case)
        true, reads = known.get(line.judged_as), {n: known.get(n) for n in names_in(line.found)}
        if true is None or any(x is None for x in reads.values()):
            return False
        if not all(np.isfinite(x).all() for x in (true, *reads.values())):
            return True
        value = evaluate(line.found, reads)

        def again(disturb: Any) -> Any:
            return evaluate(line.found, {n: disturb(x) for n, x in reads.items()})

        if self.network.flat:
            value = read(line.found, Scope(reads, case.m, True))[1]
            return value is not None and self._alike(value, true)
        return value is not None and (same(value, true) or equal(np.asarray(value), np.asarray(true), again))

    def unread(self, line: Line) -> list[str]:
        """Return what a gradient rests on that could not be read: between what it is of and the gradients it reads."""
        reads = set(names_in(line.tree))
        found, waiting = reads & self.page.unread, [line.target[1:]] * split(line.target)[0]
        strange = self.page.unread - {*self.values, "J"}
        for name in waiting:
            users = [n for n, t in self.network.definitions.items() if name in names_in(t)]
            found |= {n for n in users or ["J"] if n in self.page.unread or (strange and n in self.network.assumed)}
            waiting += [n for n in users if f"d{n}" not in reads and n not in waiting]
        return sorted(found)

    def _problem(self, line: Line, cases: Sequence[Sample]) -> Problem:
        """Return a wrong line as `diagnose` takes it: Python, and in each case what it can read and should have given."""
        source = code(line.found)
        ops = {p.op for t in (*self.network.definitions.values(), *(o.found for o in self.lines)) for p in parts_of(t)
               if isinstance(p, Apply) and p.op.rstrip("'") in REGISTRY}  # fmt: skip
        functions = {"np": np} | {function_name(op): function(op) for op in ops}
        readable = self._readable(line)
        examples = []
        for case in cases:
            known = self._known(case)
            numbers = dict.fromkeys(self.network.scalars, case.m) | self.network.constants
            space = functions | {identifier(n): numbers.get(n, known[n]) for n in (*readable, *numbers) if n in known}
            trues = {n: x for n, x in known.items() if np.ndim(x) and n not in (*case.arguments, *self.unwanted)}
            value, error = None, None
            try:
                value = eval(compile(source, "<notes>", "eval"), dict(space))
            except Exception as e:
                error = e
            ok = self._holds(line, case)
            examples.append(Example(space, value, known[line.judged_as], case.case.sizes, trues, ok, error))
        samples = next(iter(cases[0].space.samples), None)
        return Problem((1, line.judged_as), ast.parse(source, mode="eval").body, examples, samples)

    def _readable(self, line: Line) -> list[str]:
        """Return what a line can read: what comes before it on paper, and what it does read."""
        names = [*self.sample.arguments, *self.network.definitions, *self.sample.truth.values]
        names += [n for n, tree in self.helpers.items() if tree != Name(line.judged_as)]
        names += sorted((n for n in self.values if split(n)[0] and n not in self.unwanted), key=_depth)
        unsaid = {f"d{n}" for n, t in self.network.definitions.items() if isinstance(t, Apply) and len(t.inputs) == 1}
        names = [n for n in names if n not in unsaid or n in self.page.mentioned or n == line.judged_as]
        end = names.index(line.judged_as) if line.judged_as in names else len(names)
        return list(dict.fromkeys([*(n for n in names[:end] if n.isidentifier()), *names_in(line.found)]))


def _with_sizes(text: str, examples: Sequence[Example]) -> str:
    """Write the shapes in a sentence, those of the first example that was looked at, with the names of the sizes."""
    names = {str(n): name for name, n in min(examples, key=usefulness).sizes.items()}
    text = re.sub(r"\((\d+), (\d+)\)", r"(\1×\2)", text)
    return re.sub(r"\b(\d+)×(\d+)\b", lambda m: f"{names.get(m[1], m[1])}×{names.get(m[2], m[2])}", text)


def _depth(name: str) -> tuple[int, int]:
    return -number(name), {"A": 0, "Z": 1}.get(split(name)[1], 2)


def _cancels(cost: Expression) -> bool:
    """Whether numbers of a loss cancel, as in 2 · 1/(2m) Σ: nobody means that."""

    def numbers(part: Expression) -> tuple[int, int]:
        match part:
            case Number(value) if value == int(value):
                return int(value), 1
            case Apply("neg", (x,)):
                return numbers(x)
            case Apply("mul" | "div" as op, (x, y)):
                (a, b), (c, d) = numbers(x), numbers(y)
                return (a * c, b * d) if op == "mul" else (a * d, b * c)
        return 1, 1

    return gcd(*numbers(cost)) > 1


def _leftmost(tree: Expression) -> Expression:
    """Return a product with its factors taken from left to right, whatever their signs bind."""

    def factors(part: Expression) -> list[tuple[str, Expression]]:
        if isinstance(part, Apply) and part.op in ("mul", "matmul", "dot"):
            left, right = factors(part.inputs[0]), factors(part.inputs[1])
            return [*left, (part.op, right[0][1]), *right[1:]]
        return [("", part)]

    (_, found), *rest = factors(tree)
    for op, part in rest:
        found = Apply(op, (found, part))
    return found


def _sums(tree: Expression) -> bool:
    return any(isinstance(part, Apply) and part.op in SUMS for part in parts_of(tree))


def _outer(tree: Expression) -> Expression:
    """Return an expression with a bᵀ for every product of two entry by entry: a ⊗ b."""

    def rule(part: Expression) -> Expression | None:
        match part:
            case Apply("mul", (a, b)) if not any(
                isinstance(x, Number) or (isinstance(x, Name) and x.scalar) for x in (a, b)
            ):
                return Apply("matmul", (a, Apply("transpose", (b,))))
        return None

    return replaced(tree, rule)


def _turned(tree: Expression, network: Network) -> list[Expression]:
    """Return what a formula of entries means where w_jk stands for the entry of row k and column j."""

    def rule(part: Expression) -> Expression | None:
        match part:
            case Apply("transpose", (Name(text) as W,)) if text in network.axes:
                return W
            case Name(text) if text in network.axes and text not in (DATA, LABELS):
                return Apply("transpose", (part,))
        return None

    return [Apply("transpose", (tree,)), replaced(tree, rule)]


def _loose(page: Page, text: str) -> frozenset[str]:
    """Return which products of a line may mean the other one: those whose sign is not definite."""
    python = any("@" in item.text for item in page.items)
    entrywise = python if "*" in text else re.search(r"⊙|∘|⊗|\\(?:odot|circ|otimes)", text)
    return EITHER - ({"mul"} if entrywise else set()) - ({"matmul"} if "@" in text else set())


ENTRY = re.compile(r"_\s*\{?\s*[a-z]\s*,?\s*[a-z]\b")  # w_jk
READINGS = 12  # of names that are tried; each holds the page against all its networks


def judged(page: Page) -> Judge | None:
    """Return a page held against the network, and read with the names, with which the fewest of its equations are wrong."""
    statements = [item.statement for item in page.items if item.statement is not None]
    certain = Reading(words_of(statements), units=layered_names(statements))
    if page.model is None and certain != PLAIN:
        best, _ = _under_readings(replace(page, reading=certain))
        if best is not None and best.lines:
            return best
    return _under_readings(page)[0]


def _under_readings(page: Page) -> tuple[Judge | None, tuple[int, float]]:
    """Return a page held against the network, and read with the names, with which the fewest are wrong, and their price."""
    best, least = _against_networks(page)
    if page.model is not None or least == (0, 0):
        return best, least
    tried = 0
    statements = [s for _, s in page.equations]
    alternatives = [
        replace(page, reading=replace(reading, units=page.reading.units, names={**page.reading.names, **reading.names}))
        for reading in of_the_page(statements)
    ]
    if best is None:  # a toy example may have spoilt the network
        alternatives += [replace(page, without=frozenset([i])) for i in page.tensors]
    for alternative in alternatives[:READINGS]:
        trial, price = _against_networks(alternative)
        tried += 1
        if trial is not None and price < least:
            best, least = trial, price
    if best is None or NO_NETWORK in best.network.said:  # then no name can stand for a part of one
        return best, least
    for reading in of_errors([s for _, s in best.page.equations], best.network):
        tried += 1
        trial, price = _against_networks(replace(best.page, reading=best.page.reading.with_(reading.names)))
        if trial is not None and price <= least:
            best, least = trial, price
            break
    for name in unknown([s for _, s in best.page.equations], best.network, best.page.unread):
        for reading in of_unknown(name, best.network):
            if tried > READINGS or least[0] == 0:
                return best, least
            tried += 1
            trial, price = _against_networks(replace(best.page, reading=best.page.reading.with_(reading.names)))
            if trial is not None and price < least:
                best, least = trial, price
    return best, least


def _against_networks(page: Page) -> tuple[Judge | None, tuple[int, float]]:
    """Return a page held against the network with which the fewest of its equations are wrong.

    The price is how many are wrong or of gradients that the network does not have, and how many are unlike the others.
    """
    best: Judge | None = None
    least, price = (10**6, 0.0), (10**6, 0.0)
    for base in filter(None, map(sample, page.candidates())):
        if not np.any(base.truth.gradients.get(base.network.output, 1.0)):
            continue  # nothing can be wrong where all gradients are 0: A − A
        trial = Judge(page, base)
        if (found := trial.price()) < least:
            judged_ = {line.equation for line in trial.lines}
            missed = sum(split(s.target)[0] and i not in judged_ for i, s in page.equations)
            best, least, price = trial, found, (found[0] + missed, found[1])
        if least == (0, 0):
            break
    return best, price
