"""Page: the equations of a page, sorted, and the networks that they may mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..derive.expression import Apply, Expression, Name, parts_of, replaced
from ..nn import Module
from ..op import REGISTRY
from ..verify.truth import Loss
from .formula import SUMS, identifier, read
from .network import (
    BINARY,
    CROSS,
    DATA,
    FULL,
    HALF,
    LABELS,
    LOSSES,
    MOST,
    RATE,
    SAMPLES,
    STANDARD,
    Network,
    build,
    names_in,
    sample,
    split,
)  # fmt: skip
from .statement import Item, Statement


def is_update(statement: Statement) -> bool:
    """Whether an equation says how a parameter changes."""
    own = split(statement.target)
    if own[0] or own[1] in ("Z", "A", "J", "L"):
        return False
    names = [name for side in statement.sides for name in names_in(side)]
    return statement.update or RATE in names or (statement.target in names and any(split(n)[0] for n in names))


@dataclass(eq=False)
class Page:
    """The equations of a page, sorted: forward, the loss, gradients, updates, and what remains."""

    items: Sequence[Item]
    text: str
    model: Module | None = None

    @cached_property
    def equations(self) -> list[tuple[int, Statement]]:
        """Return the equations by item; one of a layer l is there once for each layer."""
        found = [(i, item.statement) for i, item in enumerate(self.items) if item.statement is not None]
        layers = [int(split(n)[2]) for _, s in found for n in _names(s) if split(n)[2] and not GENERAL.fullmatch(n)]
        last = min(max(layers, default=0) or 2, MOST)
        return [(i, one) for i, s in found for one in general(s, last)]

    @cached_property
    def mentioned(self) -> set[str]:
        """Return all names of tensors on the page."""
        found = set()
        for _, s in self.equations:
            found |= {s.target, *(n for side in s.sides for n in names_in(side))}
        return found | {name[1:] for name in found if split(name)[0]}

    @cached_property
    def last(self) -> str:
        """Return the last layer."""
        layers = [int(split(n)[2]) for n in self.mentioned if split(n)[2]]
        return str(max(layers)) if layers else "-"

    @cached_property
    def functions(self) -> dict[str, str]:
        """Return which ops letters stand for: g for ReLU in g(Z1) = ReLU(Z1)."""
        signs = {"σ": "sigmoid", "sigma": "sigmoid"}
        found = {m[1]: signs.get(m[2].lower(), m[2].lower()) for m in NAMED.finditer(self.text)}
        for _, s in self.equations:
            calls = [side for side in s.sides if isinstance(side, Apply) and len(side.inputs) == 1]
            if (m := re.fullmatch(r"(\w)\((\w+)\)", s.target)) is not None:  # g(Z1) = ReLU(Z1)
                calls.append(Apply(m[1], (Name(m[2]),)))
            ops = [call.op for call in calls if call.op in REGISTRY]
            for call in calls:
                if call.op not in REGISTRY and not call.op.endswith("'") and ops:
                    found.setdefault(call.op, ops[0])
        return found

    @cached_property
    def forward(self) -> dict[str, Expression]:
        """Return the definitions: of each tensor, the first equation that says how it is computed."""
        found: dict[str, Expression] = {}
        for _, s in self.equations:
            if not self.is_forward(s) or s.target in found or not s.sides:
                continue
            sides = [self.plain(side, s.target) for side in s.sides]
            known = [
                side for side in sides if all(not isinstance(p, Apply) or p.op in REGISTRY for p in parts_of(side))
            ]
            if known:
                found[s.target] = known[0]
        return found

    def forward_statements(self) -> list[Statement]:
        """Return the equations that say how a tensor is computed."""
        return [s for _, s in self.equations if self.is_forward(s)]

    def is_forward(self, s: Statement) -> bool:
        """Whether an equation says how a tensor is computed from others."""
        letters = split(s.target)[1]
        computed = not split(s.target)[0] and s.target not in (DATA, LABELS) and letters not in ("J", "L", "")
        return computed and not is_update(s) and identifier(s.target) == s.target and any(map(names_in, s.sides))

    def plain(self, tree: Expression, target: str) -> Expression:
        """Return an expression with g replaced by what it stands for; in a definition, ReLU where nothing says so."""

        def rule(part: Expression) -> Expression | None:
            if isinstance(part, Apply) and part.op in self.functions:
                return Apply(self.functions[part.op], part.inputs, part.params)
            own = isinstance(part, Apply) and part.op not in REGISTRY and len(part.inputs) == 1
            inner = not split(target)[0] and split(target)[2] != self.last
            if own and isinstance(part, Apply) and len(part.op) <= 3 and inner:
                return Apply("relu", part.inputs)
            return None

        return replaced(tree, rule)

    @cached_property
    def losses(self) -> list[tuple[int, str, Expression]]:
        """Return the equations of the loss."""
        return [(i, s.target, side) for i, s in self.equations if split(s.target)[1] in ("J", "L") and not split(s.target)[0]
                for side in s.sides]  # fmt: skip

    def candidates(self) -> list[Network]:
        """Return the networks that may be meant, the most likely first."""
        if self.model is not None:
            return [_of_model(self.model, self.mentioned)]
        errors = {
            n for _, s in self.equations if s.target[:2] in ("dZ", "dA") for side in s.sides for n in names_in(side)
        }
        errors |= {n for _, _, side in self.losses for n in names_in(side)}
        plain = build(self.forward, self.mentioned, errors)
        if not plain:
            plain = build({}, set(), set())
            plain = [replace(network, said=("the forward equations define no network",)) for network in plain]
        constants = {p.text for _, s in self.equations for side in s.sides for p in parts_of(side)
                     if isinstance(p, Name) and p.scalar} - {RATE, *plain[0].scalars}  # fmt: skip
        numbers = {name: 0.3 + 0.1 * i for i, name in enumerate(sorted(constants))}
        found = [option for network in plain for option in self._with_losses(replace(network, constants=numbers))]
        gradients = [s for _, s in self.equations if split(s.target)[0]]
        parameters = [s for s in gradients if plain[0].axes.get(s.target[1:]) is not None]
        counted = any(self._counts(side) for s in parameters for side in s.sides)
        if parameters and not counted:  # nothing is divided by m
            parts = [p for s in gradients for side in s.sides for p in parts_of(side)]
            summed = any(isinstance(p, Apply) and p.op in SUMS for p in parts)
            found += [replace(n, total=True).with_loss(n.cost_name, None) for n in found if n.cost_name in LOSSES]
            sides = [side for _, s in self.equations for side in s.sides]
            sized = any("m" in (size.rows, size.columns) for item in self.items for size in item.sizes)
            if not summed and not sized and not any(map(self._counts, sides)):
                first = plain[0].axes
                single = {n: (a.replace(SAMPLES, "1"), b.replace(SAMPLES, "1")) for n, (a, b) in first.items()}
                found += [replace(n, axes=single, samples="1") for n in found if n.axes == first and not n.total]
        return found

    def _counts(self, side: Expression) -> bool:
        means = any(isinstance(p, Apply) and p.op == "mean" for p in parts_of(side))
        return means or any(n == SAMPLES or n in "NnMB" for n in names_in(side))

    def _with_losses(self, network: Network) -> list[Network]:
        out = network.definitions[network.output]
        names = list(STANDARD.get(out.op if isinstance(out, Apply) else "", [HALF, FULL]))
        squared = re.search(r"\bMSE\b|(?:mean[- ])?squared?[- ]error|quadratic (?:cost|loss)", self.text, re.I)
        crossed = re.search(r"cross[- ]?entropy|log[- ]?loss", self.text, re.I)
        applied = {
            p.op for s in self.forward_statements() for side in s.sides for p in parts_of(side) if isinstance(p, Apply)
        }
        unnamed = sorted(op for op in applied if op not in REGISTRY and op not in self.functions and "'" not in op)
        said = (*network.said, *(f"{op} is taken to be ReLU, since the notes do not say" for op in unnamed))
        if squared and not crossed:
            names = [HALF, FULL]
            said = (*said, f"the notes say “{squared[0]}”")
        found = []
        for _, target, tree in self.losses:
            for cost in self._costs(network, tree, target):
                own = replace(network.with_loss(CROSS, cost), said=said)
                kind = _kind(tree, out)
                found.append(replace(own, cost_name=f"{target} as written",
                                     labels={CROSS: "one_hot", BINARY: "binary"}.get(kind, "real")))  # fmt: skip
        return found + [replace(network.with_loss(name), said=said) for name in names]

    def _costs(self, network: Network, tree: Expression, target: str) -> list[Expression]:
        """Return what an equation of the loss may mean: J itself, or the loss of one sample, of which J is the mean."""
        base = sample(network)
        if base is None:
            return []
        found, value = read(self.plain(tree, "J"), base.scope(), "all")
        if value is None:
            return []
        if np.ndim(value):
            found = Apply("sum", (found,))
        each = Apply("div", (found, Name(SAMPLES, scalar=True)))
        if self._counts(tree):
            return [found]
        return [each, found] if split(target)[1] == "L" or np.ndim(value) else [found, each]


def _kind(tree: Expression, out: Expression) -> str:
    logs = [p for p in parts_of(tree) if isinstance(p, Apply) and p.op == "log"]
    if not logs:
        return HALF
    return BINARY if len(logs) > 1 or (isinstance(out, Apply) and out.op == "sigmoid") else CROSS


def _of_model(model: Module, mentioned: set[str]) -> Network:
    loss = Loss(model)
    axes = dict.fromkeys((*loss.arguments, *loss.own), ("", ""))
    aliases: dict[str, Expression] = {"A0": Name(DATA)} if "A0" in mentioned and DATA in axes else {}
    return Network(aliases, axes, "", module=model, cost_name=f"that of {type(model).__name__}")


GENERAL = re.compile(r"(\w+)\[([lL])(?:\s*([-+])\s*1)?\]")
NAMED = re.compile(
    r"(?<![A-Za-z])([gfhφψ])\s*(?:\([a-z·.]?\))?\$?\s*(?:=|:|is|ist)\s*\$?\s*(?:the )?\\?(?:mathrm|text|operatorname)?\{?"
    r"(relu|sigmoid|tanh|σ|sigma)\b", re.I,
)  # fmt: skip


def _names(s: Statement) -> list[str]:
    return [s.target, *(name for side in s.sides for name in names_in(side))]


def general(s: Statement, last: int) -> Iterator[Statement]:
    """Yield an equation of a layer l once for each layer that has all its names; L is the last layer."""
    names = {name: m for name in _names(s) if (m := GENERAL.fullmatch(name)) and m[1].removeprefix("d")}
    running = any(m[2] == "l" for m in names.values())
    if not names:
        yield s
        return
    for layer in range(1, last + 1) if running else (last,):
        numbers = {name: (layer if m[2] == "l" else last) + {"+": 1, "-": -1}.get(m[3], 0) for name, m in names.items()}
        if not all(0 <= k <= last for k in numbers.values()):
            continue
        new = {name: names[name][1] + str(k) for name, k in numbers.items()}

        def rule(part: Expression, new: dict[str, str] = new) -> Expression | None:
            return Name(new[part.text], part.scalar) if isinstance(part, Name) and part.text in new else None

        yield Statement(new.get(s.target, s.target), tuple(replaced(side, rule) for side in s.sides), s.update)
