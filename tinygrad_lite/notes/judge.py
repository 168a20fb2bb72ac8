"""Judge: which equations of a page are right, each with true values for all that it reads."""

from __future__ import annotations

import linecache
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from ..derive.expression import Apply, Expression, Name, parts_of, replaced
from ..op import REGISTRY
from ..verify import Formula, verify
from ..verify.truth import Loss
from .formula import EITHER, Scope, Sum, code, evaluate, function, function_name, identifier, read
from .network import DATA, LABELS, LOSSES, NOTHING, RATE, SAMPLES, Network, Sample, names_in, sample, split
from .page import Page, is_update
from .statement import Statement

SCALES = ("per sample", "mean")
EXAMPLES = 20


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
    remark: str = ""
    ambiguous: str = ""
    result: Formula | None = None

    @property
    def judged_as(self) -> str:
        """The name under which it is verified."""
        return self.meant or self.target

    @property
    def code(self) -> str:
        """The expression as Python."""
        return code(self.found)


# --- one page against one network -------------------------------------------------------------------------------------


class Judge:
    """The equations of a page as lines that can be evaluated and verified."""

    def __init__(self, page: Page, network: Network) -> None:
        self.page, self.network = page, network
        self.sample: Sample | None = sample(network)
        self.lines: list[Line] = []
        self.scale = SCALES[0]
        self.values: dict[str, Any] = {}
        self.helpers: dict[str, Expression] = {}  # names of the page's own, such as E = A2 − Y

    def price(self) -> tuple[int, float]:
        """Return how many equations are wrong, and how many are unlike the others."""
        self.look()
        assert self.sample is not None
        wrong = {line.equation for line in self.lines if not line.fits}
        lost = {s.target for _, s in self.page.equations if self._lost(s)}
        lost |= {n for n in self.network.axes if split(n)[1] in ("Z", "A") and n not in self.network.definitions}
        own = 0.0
        if self.page.losses and self.network.module is None:
            own = 1 if self.network.cost_name in LOSSES else 0.0
        odd = self.network.odd + (0.5 if own else self._odd_loss())
        return len(wrong) + len(lost) + int(own), odd

    def _lost(self, s: Statement) -> bool:
        """Whether an equation is of a tensor that layers have, but this network has not."""
        letters = split(s.target)[1]
        layered = letters in ("W", "b", "Z", "A") and (split(s.target)[0] or is_update(s))
        return s.target in self.network.cyclic or (layered and s.target not in self.values)

    def _odd_loss(self) -> float:
        """Return 1 for a loss as the page writes it that is none of those in use."""
        if not self.network.cost_name.endswith("as written") or self.sample is None:
            return 0.0
        values = {**self.values, SAMPLES: float(self.m)}
        own = evaluate(self.network.cost, values)
        usual = [evaluate(make(Name(self.network.output), Name(LABELS)), values) for make in LOSSES.values()]
        return float(
            not any(u is not None and own is not None and (close(own, u) or close(own, u * self.m)) for u in usual)
        )

    def look(self) -> None:
        """Read every line, on the scale with which the fewest are wrong."""
        found = []
        for scale in SCALES:
            self.scale, self.lines, self.helpers = scale, [], {}
            self._collect()
            found.append((sum(not line.fits for line in self.lines), self.lines, self.helpers, self.values))
        best = min(range(len(SCALES)), key=lambda i: found[i][0])
        self.scale = SCALES[best]
        _, self.lines, self.helpers, self.values = found[best]

    @property
    def m(self) -> int:
        """How many samples there are."""
        assert self.sample is not None
        return self.sample.m

    @property
    def scope(self) -> Scope:
        """What a line may read."""
        assert self.sample is not None
        return self.sample.scope(self.scale)

    def _collect(self) -> None:
        scope = self.scope
        values = dict(scope.values)
        waiting = [(i, s) for i, s in self.page.equations if s.target not in values and self.page.is_forward(s)]
        for _ in range(2):
            for _i, s in waiting:
                for side in s.sides:
                    found, value = read(self.named(side, s.target), Scope(values, scope.m))
                    if value is not None and s.target not in values:
                        values[s.target] = value
                        self.helpers[s.target] = found
        self.values = values
        for i, s in self.page.equations:
            gradient = split(s.target)[0]
            if is_update(s) or not s.sides or (not gradient and not self.page.is_forward(s)):
                continue
            loose = _loose(self.page, self.page.items[i].text)
            for side in s.sides:
                line = Line(i, s.target, side, self.named(side, s.target), loose)
                self._complete(line)
                if s.target in scope.values or line.meant:
                    self.lines.append(line)

    def named(self, tree: Expression, target: str) -> Expression:
        """Replace g, and every derivative of one, by the activation of the layer that it is applied to."""

        def rule(part: Expression) -> Expression | None:
            if not isinstance(part, Apply) or part.op.rstrip("'") in REGISTRY or len(part.inputs) != 1:
                return None
            layer = dict(part.params).get("layer") or (split(target)[2] if "'" in part.op and split(target)[0] else "")
            op = self.network.activation(part.inputs[0], layer) if self.network.module is None else None
            op = op or self.page.functions.get(part.op.rstrip("'")) or self._activation_of_model(part.inputs[0])
            return Apply(op + "'" * part.op.count("'"), part.inputs) if op else None

        return replaced(tree, rule)

    def _activation_of_model(self, argument: Expression) -> str | None:
        """Return the op that a model applies to a tensor."""
        if self.sample is None or self.network.module is None:
            return None
        vertices = self.sample.truth.graph.vertices
        for v in vertices:
            if v.op is not None and len(v.inputs) == 1 and vertices[v.inputs[0]].name in names_in(argument):
                return v.op.name
        return None

    def _complete(self, line: Line) -> None:
        """Read a line as its shapes allow; put layers where it names none."""
        self._try(line)
        known = self.values
        bare = [n for n in dict.fromkeys(names_in(line.tree)) if n not in known and not split(n)[2] and n != RATE]
        layers = sorted({split(n)[2] for n in known if split(n)[2] not in ("", "0")})
        open_ = [n for n in bare if any(n + layer in known for layer in layers)]
        if line.fits or not open_ or not layers:
            return
        own = split(line.target)[2]
        if line.target not in known:
            return
        right: list[str] = []
        for layer in sorted(layers, key=lambda k: k != own):
            trial = replace(line, tree=renamed(line.tree, {n: n + layer for n in open_}))
            self._try(trial)
            if trial.fits:
                right.append(", ".join(n + layer for n in open_))
                line.found = trial.found
        said = f"{', '.join(open_)} does not say which layer it is of"
        line.ambiguous = said + (f"; right for {' or '.join(right)}" if right else "")
        if not right:
            line.tree = renamed(line.tree, {n: n + own for n in open_})
            line.ambiguous, line.remark = "", said
            self._try(line)

    def _try(self, line: Line) -> None:
        true = self.values.get(line.target)
        first: Expression | None = None
        ways: list[Sum] = ["samples", "features", "all"]
        for tree in (line.tree, _leftmost(line.tree)):
            for over in ways:
                found, value = read(tree, Scope(self.values, self.scope.m), over, line.loose)
                first = found if first is None else first
                if value is not None and true is not None and close(value, true):
                    line.found, line.fits = found, True
                    return
        assert first is not None
        line.found, line.fits = first, False

    # --- what is meant ------------------------------------------------------------------------------------------------

    def place(self) -> None:
        """Find gradients under wrong names: by what they are, and by where they stand."""
        gradients = [line for line in self.lines if split(line.target)[0]]
        given = {line.target for line in gradients if line.fits}
        layer = ""
        missing = {f"d{n}" for n in self.network.arguments if n not in (DATA, LABELS)} - {
            line.target for line in gradients
        }
        for line in gradients:
            _, letters, own = split(line.target)
            if letters in ("Z", "A"):
                layer = own if letters == "Z" else layer
                continue
            if line.fits or line.ambiguous:
                continue
            value = read(line.found, Scope(self.values, self.scope.m), "samples", frozenset())[1]
            labels = [n for n, x in self.values.items() if split(n)[0] and n != line.target and value is not None
                      and split(n[1:])[1] not in (DATA, LABELS) and close(value, x)]  # fmt: skip
            here = f"d{letters}{layer}"
            if labels and (labels[0] not in given or line.target in given):
                line.meant = labels[0]
                line.remark = f"this is {labels[0]}, not {line.target}"
            elif line.target in given and here != line.target and here in missing:
                line.meant = here
                line.remark = f"{line.target} is given already, and this stands in the place of {here}"
        named = {line.meant for line in gradients if line.meant}
        layer = ""
        for k, line in enumerate(gradients):
            _, letters, own = split(line.target)
            layer = own if letters == "Z" else layer
            here = f"d{letters}{layer}"
            elsewhere = line.target in named or any(o.target == line.target and o.fits for o in gradients[:k])
            if (
                line.fits
                and letters not in ("Z", "A")
                and here in missing - named
                and elsewhere
                and here != line.target
            ):
                line.ambiguous = f"true as written, but it stands in the place of {here}, which is not given"

    # --- verification -------------------------------------------------------------------------------------------------

    def verify(self) -> None:
        """Have every line verified; of several lines of one name, one at a time."""
        by_target: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            same = [other for other in by_target[line.judged_as] if other.code == line.code]
            if not same:
                by_target[line.judged_as].append(line)
        if not by_target:
            return
        for target, lines in by_target.items():
            lines.sort(key=lambda line: not line.fits)
            by_target[target] = lines
        for turn in range(max(len(lines) for lines in by_target.values())):
            if turn and all(line.fits for lines in by_target.values() for line in lines[turn : turn + 1]):
                continue  # a formula again
            chosen = {target: lines[turn] if turn < len(lines) else lines[0] for target, lines in by_target.items()}
            rows = self._verified(chosen, EXAMPLES if turn == 0 else 20)
            for target, line in chosen.items():
                if turn < len(by_target[target]):
                    line.result = rows.get(target)
        for line in self.lines:
            if line.result is None:
                same = [other for other in by_target[line.judged_as] if other.code == line.code]
                line.result = same[0].result if same else None

    def _verified(self, chosen: Mapping[str, Line], examples: int) -> Mapping[str, Formula]:
        source, space = self._program({target: line.found for target, line in chosen.items()})
        file = f"<notes {next(_NUMBERS)}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        try:
            exec(compile(source, file, "exec"), space)
            report = verify(space["notes"], self.network.loss, self.network.shapes, examples, raises=False)
        except (SyntaxError, TypeError, ValueError):  # no function of arrays: what the sample says must do
            return {}
        finally:
            linecache.cache.pop(file, None)
        return report.formulas

    def _program(self, trees: Mapping[str, Expression]) -> tuple[str, dict[str, Any]]:
        """Return lines as a Python function, each after what it reads, and the names it needs.

        What a page does not say is given, and so is what is read before it can be computed.
        """
        assert self.sample is not None
        known = Loss(self.network.loss)
        arguments = list(dict.fromkeys([*known.arguments, *known.own]))
        formulas = {**self.network.definitions, **self.helpers, **trees}
        reads = {n for tree in formulas.values() for n in names_in(tree)}
        order = [
            *self.network.definitions,
            *self.sample.truth.values,
            *self.helpers,
            *sorted(self._gradients(), key=_depth),
        ]
        waiting = [
            n for n in dict.fromkeys(order) if n in formulas or (n in reads and n not in arguments and n.isidentifier())
        ]
        data, axis = self._samples()
        body = [f"{n} = {data}.shape[{axis}]" for n in self.network.scalars]
        space: dict[str, Any] = {"np": np, "__name__": "notes"}
        space |= {identifier(name): x for name, x in self.network.constants.items()}
        ops = {
            p.op
            for t in formulas.values()
            for p in parts_of(t)
            if isinstance(p, Apply) and p.op.rstrip("'") in REGISTRY
        }
        space |= {function_name(op): function(op) for op in ops}
        given = {n for n in waiting if n not in formulas}
        results = [n for n in waiting if split(n)[0]] or list(trees)
        while waiting:
            free = [n for n in waiting if n in given or not (set(names_in(formulas[n])) & set(waiting)) - {n}]
            name = free[0] if free else waiting[0]
            early = [] if free else [n for n in dict.fromkeys(names_in(formulas[name])) if n in waiting]
            for n in early + [name] * (name in given):
                space[f"given_{n}"] = self._given(n, arguments)
                body.append(f"{n} = given_{n}({', '.join(arguments)})")
            if name not in given:
                body.append(f"{name} = {code(formulas[name])}")
            waiting.remove(name)
        body.append("return " + ", ".join(results))
        return f"def notes({', '.join(arguments)}):\n" + "".join(f"    {line}\n" for line in body), space

    def _samples(self) -> tuple[str, int]:
        """Return an argument and the axis along which its samples lie."""
        assert self.sample is not None
        there = [(n, x.shape.index(self.m)) for n, x in self.sample.arguments.items() if self.m in x.shape]
        return there[0] if there else (DATA, 1)

    def _gradients(self) -> list[str]:
        assert self.sample is not None
        return [n for n in self.sample.values() if split(n)[0] and n[1:] not in (DATA, LABELS)]

    def _given(self, name: str, arguments: Sequence[str]) -> Any:
        """Return a function that gives the true value of what a page does not say."""

        known = Loss(self.network.loss)
        data, axis = self._samples()
        seen: dict[tuple[bytes, ...], Any] = {}

        def given(*arrays: Any) -> Any:
            plain = {n: np.array(x, dtype=np.float64) for n, x in zip(arguments, arrays, strict=True)}
            key = tuple(x.tobytes() for x in plain.values()) + tuple(str(x.shape).encode() for x in plain.values())
            if key not in seen:
                truth = known(plain)
                m = plain[data].shape[axis] if self.scale == SCALES[0] and name[1:] not in self.network.axes else 1
                seen[key] = truth.values[name] if name in truth.values else truth.gradients[name[1:]] * m
            return seen[key]

        return given


_NUMBERS = count(1)


def _depth(name: str) -> tuple[int, int]:
    _, letters, layer = split(name)
    return -int(layer or 0), {"A": 0, "Z": 1}.get(letters, 2)


def renamed(tree: Expression, names: Mapping[str, str]) -> Expression:
    """Return an expression with other names."""

    def rule(part: Expression) -> Expression | None:
        return Name(names[part.text], part.scalar) if isinstance(part, Name) and part.text in names else None

    return replaced(tree, rule)


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


def _loose(page: Page, text: str) -> frozenset[str]:
    """Return which products of a line may mean the other one: those whose sign is not definite."""
    python = any("@" in item.text for item in page.items)
    entrywise = re.search(r"⊙|∘|⊗|\\(?:odot|circ|otimes)", text) or (python and "*" in text)
    return EITHER - ({"mul"} if entrywise else set()) - ({"matmul"} if "@" in text else set())


def close(value: Any, true: Any) -> bool:
    """Whether two arrays are equal but for rounding."""
    a, b = np.asarray(value), np.asarray(true)
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= 1e-8 * (np.max(np.abs(b), initial=0.0) + 1e-3)))


def judged(page: Page) -> Judge | None:
    """Return a page held against the network with which the fewest of its equations are wrong."""
    best: Judge | None = None
    least = (10**6, 0.0)
    for network in page.candidates():
        trial = Judge(page, network)
        if trial.sample is not None and (price := trial.price()) < least:
            best, least = trial, price
        if least == (0, 0):
            break
    return best
