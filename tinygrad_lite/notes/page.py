"""Page: the equations of a page, sorted, and the networks that they may mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, reduce
from typing import NamedTuple

import numpy as np

from ..derive.derivation import Equations
from ..formula.expression import Apply, Expression, Name, Number, parts_of, renamed, replaced
from ..formula.translate import identifier
from ..formula.value import SUMS
from ..op import REGISTRY
from ..verify.problem import Allowance
from .grammar import canonical
from .layers import build
from .naming import PLAIN, Reading
from .network import (
    BINARY,
    CROSS,
    DATA,
    FULL,
    HALF,
    LABELS,
    LOSSES,
    MOST,
    NO_NETWORK,
    RATE,
    SAMPLES,
    STANDARD,
    WEIGHTS,
    M,
    Network,
    activates,
    names_in,
    number,
    sample,
    split,
)
from .reading import read, recognised
from .spelling import activations
from .statement import Item, Statement
from .units import unfit

MANY, FEW = 64, 6  # networks to be tried at most, and on the longest page
AGAIN = 30_000  # characters of a page that may be read again for its repairs, where what is near them does not do
NODES = 8_000  # of the equations of a page, in all networks that are tried


def is_update(s: Statement) -> bool:
    """Whether an equation says how a parameter changes."""
    gradient, letters, _ = split(s.target)
    own = [name for side in s.sides for name in names_in(side)]
    again = s.target in own and (letters in (*WEIGHTS, "b") or any(split(n)[0] for n in own))
    steps = s.update or RATE in own or again
    return steps and not gradient and letters not in ("Z", "A", "J", "L")


def networks_of(items: Sequence[Item]) -> list[list[Item]]:
    """Part a page where a second network begins: a tensor is computed again after gradients were given."""
    parts: list[list[Item]] = [[]]
    defined: set[str] = set()
    gradients = False
    for item in items:
        s = item.statement
        if s is not None and split(s.target)[0]:
            gradients = True
        elif s is not None and not is_update(s) and not _is_loss(s) and s.target not in (DATA, LABELS):
            if gradients and s.target in defined:
                parts.append([])
                defined, gradients = set(), False
            defined.add(s.target)
        parts[-1].append(item)
    return parts


def without_numbers(s: Statement) -> Statement:
    """Return an equation without the sides in which the numbers of an example stand for its names."""
    formulas = tuple(side for side in s.sides if any(map(str.isidentifier, names_in(side))))
    return replace(s, sides=formulas or s.sides)


def names_of(s: Statement) -> list[str]:
    """Return all names in an equation."""
    return [s.target, *(name for side in s.sides for name in names_in(side))]


class Group(NamedTuple):
    """Equations that are written alike."""

    heading: int  # the number of the one they stand under
    small: bool  # whether their data is in small letters, or has the index of a sample
    single: bool  # whether that may be one sample


HEADING = re.compile(r"^\s*(?:#+\s|\*\*[^*\n]+\*\*\s*:?\s*$|\\(?:sub)*section|<h\d)", re.M)
ONE_SAMPLE = re.compile(
    r"\b(?:one|single)[\s-]+(?:training[\s-]+)?(?:example|sample|observation|data[\s-]?point|instance)\b"
    r"(?!\s+(?:per|in|a|is an?)\s+(?:row|column|line))",
    re.I,
)


@dataclass(eq=False)
class Page:
    """The equations of a page, sorted: forward, the loss, gradients, updates; `model` has those of a model file.

    `reading` says what names of the page stand for where it calls something otherwise than the notes do.
    """

    items: Sequence[Item]
    text: str
    model: Equations | None = None
    reading: Reading = PLAIN
    without: frozenset[int] = frozenset()  # items that are kept out of the network
    again: Allowance = field(default_factory=lambda: Allowance(AGAIN))  # of reading it once more for a repair

    @cached_property
    def equations(self) -> list[tuple[int, Statement]]:
        """Return the equations by item: one of a layer l once for each layer, a = b = f(c) as a = b and b = f(c)."""
        found = [
            (i, self.reading.of(item.statement))
            for i, item in enumerate(self.items)
            if item.statement is not None and i not in self.without
        ]
        found = [(i, without_numbers(s)) for i, s in found if not unfit(s)]
        if not any(split(s.target)[0] for _, s in found) and any(BARRED.fullmatch(s.target) for _, s in found):
            barred = {n: f"d{n.replace('tilde', '')}" for _, s in found for n in names_of(s) if "tilde" in n}
            found = [(i, Statement(barred.get(s.target, s.target), tuple(renamed(t, barred) for t in s.sides), s.update))
                     for i, s in found]  # fmt: skip
        layers = [number(n) for _, s in found for n in names_of(s) if not GENERAL.fullmatch(n)]
        last = min(max(layers, default=0) or 2, MOST)
        every = [(i, one) for i, s in found for one in general(s, last)]
        targets = {s.target for _, s in every}

        def rule(part: Expression) -> Expression | None:  # a² for the a of the second layer, where there is no a
            match part:
                case Apply("pow", (Name(text), Number(layer))) if text not in targets and f"{text}{layer}" in targets:
                    return Name(f"{text}{layer}")
            return None

        every = [(i, replace(s, sides=tuple(replaced(side, rule) for side in s.sides))) for i, s in every]
        return [(i, one) for i, s in every for one in _unchained(s, targets)]

    @cached_property
    def tensors(self) -> list[int]:
        """Return the items that say what a tensor is, each once."""
        return list(dict.fromkeys(i for i, s in self.equations if not split(s.target)[0] and not is_update(s)))

    @cached_property
    def mentioned(self) -> set[str]:
        """Return all names of tensors on the page."""
        found = {name for _, s in self.equations for name in names_of(s)}
        return found | {name[1:] for name in found if split(name)[0]}

    @cached_property
    def targets(self) -> set[str]:
        """Return what the equations of the page say something of."""
        return {s.target for _, s in self.equations}

    @cached_property
    def functions(self) -> dict[str, str]:
        """Return which ops letters stand for: g for ReLU in g(Z1) = ReLU(Z1)."""
        signs = {"σ": "sigmoid", "sigma": "sigmoid"}
        letters = {"φ": "phi", "ϕ": "phi", "varphi": "phi", "ψ": "psi"}
        named = _named(activations()).finditer(self.text)
        found = {letters.get(m[1], m[1]): signs.get(m[2].lower(), m[2].lower()) for m in named}
        for _, s in self.equations:
            calls = [side.op for side in s.sides if isinstance(side, Apply) and len(side.inputs) == 1]
            if m := re.fullmatch(r"(\w)\(\w+\)", s.target):
                calls.append(m[1])
            for op in [op for op in calls if op in REGISTRY][:1]:
                found |= {call: op for call in calls if call not in REGISTRY and "'" not in call and call not in found}
        return found

    @cached_property
    def forward(self) -> dict[str, Expression]:
        """Return the definitions: of each tensor, the first equation that says how it is computed."""
        return self._forward()

    def _forward(self, guess: str = "") -> dict[str, Expression]:
        found: dict[str, Expression] = {}
        for _, s in self.equations:
            for side in s.sides if self.is_forward(s) and s.target not in found else ():
                tree = self.plain(side, s.target, guess)
                if isinstance(tree, Name) and tree.text not in (*self.targets, DATA, LABELS) and "hat" in tree.text:
                    found[tree.text] = Name(s.target)  # a^[L] = ŷ
                elif all(not isinstance(p, Apply) or p.op in REGISTRY for p in parts_of(tree)):
                    found.setdefault(s.target, recognised(tree))
        for target, tree in found.items():  # of exp_scores / Σ exp_scores
            parts = {
                n: found[n] for n in names_in(tree) if isinstance(part := found.get(n), Apply) and part.op == "exp"
            }
            whole = replaced(tree, lambda p, parts=parts: parts.get(p.text) if isinstance(p, Name) else None)  # type: ignore[misc]
            if parts and recognised(whole) != whole:
                found[target] = recognised(whole)
        return found

    def _forwards(self) -> Iterator[tuple[dict[str, Expression], str]]:
        """Yield the definitions, and the activation that a g is taken for which the page does not explain.

        Where a name has two, those with the later one, or one of them for a name without.
        """
        if self.unexplained:
            yield from ((self._forward(guess), guess or "relu") for guess in ("", "sigmoid", "tanh"))
        yield from ((forward, "") for forward in self._twice())

    @cached_property
    def unexplained(self) -> list[str]:
        """Return the activations that the page does not explain."""
        parts = [p for _, s in self.equations if self.is_forward(s) for side in s.sides for p in parts_of(side)]
        ops = {p.op for p in parts if isinstance(p, Apply) and "'" not in p.op}
        return sorted(ops - {*REGISTRY, *self.functions})

    def _twice(self) -> Iterator[dict[str, Expression]]:
        yield self.forward
        again = {s.target: recognised(self.plain(side, s.target)) for _, s in self.equations for side in s.sides[-1:]
                 if s.target in self.forward}  # fmt: skip
        again = {n: t for n, t in again.items() if t != self.forward[n] and not isinstance(t, Name)}
        for name, tree in again.items():
            alike = [n for n in self.mentioned if split(n)[:2] == split(name)[:2] and split(n)[2] and number(n)]
            lacking = sorted({*alike} - {*self.forward})[:1]
            for one, other in ((tree, self.forward[name]), (self.forward[name], tree)) if lacking else ():
                yield self.forward | {name: one} | dict.fromkeys(lacking, other)
            yield self.forward | {name: tree}

    @cached_property
    def unread(self) -> set[str]:
        """Return the names whose equations could not be read; J for any loss."""
        known, found = {DATA, LABELS, RATE, "", *(s.target for _, s in self.equations)}, set()
        for item in self.items:
            if item.kind == "unclear" and "=" in item.text:
                masked = re.match(r"([^=\[]+)\[[^\]=]*[<>]", item.text)  # dh[h <= 0] = 0 changes what dh is
                head = masked[1] if masked else re.split(r":?=|\\gets|\\leftarrow|←", item.text)[0]
                name = canonical(re.sub(r"^[\s$&*>-]+|[\s$&]+$|\([^()]*,[^()]*\)", "", head))
                if name and (masked or name not in known):
                    found.add("J" if split(name)[1] in ("J", "L", "C", "E") else name)
        return {name for name in found if split(name)[0] or split(name)[1] not in ("W", "b")}

    def is_forward(self, s: Statement) -> bool:
        """Whether an equation says how a tensor is computed from others."""
        gradient, letters, _ = split(s.target)
        named = not gradient and letters != "" and s.target not in (DATA, LABELS) and not _is_loss(s)
        return named and not is_update(s) and identifier(s.target) == s.target and any(map(names_in, s.sides))

    def is_own(self, s: Statement) -> bool:
        """Whether an equation may say what a name of the page's own stands for: G = A − Y, or a δ without a layer."""
        gradient, _, layer = split(s.target)
        once = sum(other.target == s.target for _, other in self.equations) == 1
        return self.is_forward(s) or (gradient and not layer and once and not is_update(s))

    def plain(self, tree: Expression, target: str, guess: str = "") -> Expression:
        """Return an expression with g replaced by what it stands for; in a hidden layer, ReLU where nothing says so."""
        last = max(map(number, self.mentioned), default=0) or -1
        inner = not split(target)[0] and split(target)[2] != str(last)

        def rule(part: Expression) -> Expression | None:
            if not isinstance(part, Apply) or (part.op in REGISTRY and part.op not in self.functions):
                return None
            unknown = guess or "relu" * inner if len(part.inputs) == 1 and len(part.op) <= 3 else ""
            params = tuple(setting for setting in part.params if setting[0] != "layer")
            return Apply(self.functions.get(part.op, unknown or part.op), part.inputs, params)

        return replaced(tree, rule)

    @cached_property
    def losses(self) -> list[tuple[int, str, Expression]]:
        """Return the equations of the loss."""
        return [(i, s.target, side) for i, s in self.equations if _is_loss(s) for side in s.sides]

    def group(self, i: int) -> Group:
        """Return which equations one is written like: those under the same heading, with data in the same letters."""
        item = self.items[i]
        headings = [m.start() for m in HEADING.finditer(self.text) if m.start() <= item.start]
        end = next((m.start() for m in HEADING.finditer(self.text) if m.start() > item.start), len(self.text))
        small = not re.search(r"(?<![A-Za-z\\])d?[ZAXHY](?![A-Za-z])", item.text)
        indexed = bool(re.search(r"\^\{?\s*\(i\)|_\{?i\b|⁽ⁱ⁾|ᵢ", item.text))
        said = bool(ONE_SAMPLE.search(self.text, headings[-1] if headings else 0, end))
        return Group(len(headings), small or indexed, small or indexed or said)

    # --- networks -----------------------------------------------------------------------------------------------------

    def candidates(self) -> list[Network]:
        """Return the networks that may be meant, the most likely first."""
        sides = [side for _, s in self.equations for side in s.sides]
        scalars = {p.text for side in sides for p in parts_of(side) if isinstance(p, Name) and p.scalar} - {RATE}
        if self.model is not None:
            return self._of_model(self.model, scalars)
        slopes = [s for _, s in self.equations if split(s.target)[0]]
        errors = {n for s in slopes if s.target[:2] in ("dZ", "dA") for side in s.sides for n in names_in(side)}
        errors |= {n for _, _, side in self.losses for n in names_in(side)}
        plain: list[Network] = []
        most = min(MANY, max(FEW, NODES // max(1, sum(1 for side in sides for _ in parts_of(side)))))
        for forward, guess in self._forwards():
            if len(plain) >= most:
                break
            said = [f"{op} is taken to be {REGISTRY[guess].text.partition('(')[0]}, since the notes do not say"
                    for op in self.unexplained * bool(guess)]  # fmt: skip
            built = build(forward, self.mentioned, errors, most)
            plain += [
                replace(n, said=(*n.said, *said))
                for n in built
                if not forward or any(map(_is_layer, n.definitions.values()))
            ]
        if not plain:
            none = (NO_NETWORK,)
            plain = [replace(network, said=none) for network in build({}, set(), set(), most)]
        if f"d{LABELS}" in self.mentioned:  # dY for dŶ
            plain = [replace(n, shifted=((LABELS, n.output),)) for n in plain]
        numbers = _constants(scalars - set(plain[0].scalars))
        found = [option for n in plain for option in self._with_losses(replace(n, constants=numbers))]
        own = self._gradients(plain[0])
        if own and not any(map(counts, own)):  # nothing is divided by m
            summed_ = [replace(n, total=True).with_loss(n.cost_name) for n in found if n.cost_name in LOSSES]
            divided = any(counts(side) for _, s in self.equations if not _is_loss(s) for side in s.sides)
            found = [replace(n, odd=n.odd + 0.25 * (not divided and n.cost_name in LOSSES)) for n in found] + summed_
            summed = any(
                isinstance(p, Apply) and p.op in SUMS for s in slopes for side in s.sides for p in parts_of(side)
            )
            sized = any(SAMPLES in (size.rows, size.columns) for item in self.items for size in item.sizes)
            if not summed and not sized and not any(map(counts, sides)):
                found = [option for n in found for option in (n, *self._of_one_sample(n))]
        found += self._of_one_output(found, errors, most)
        applied = {
            n: t.inputs[0].text
            for n, t in plain[0].definitions.items()
            if activates(t) and isinstance(t.inputs[0], Name)
        }
        shifted = [(A, Z) for A, Z in applied.items() if f"d{A}" in self.targets and Z not in self.mentioned]
        found += [replace(n, shifted=(*n.shifted, *shifted)) for n in found if shifted]
        return found[:most]

    def _gradients(self, network: Network) -> list[Expression]:
        """Return what the page says of gradients of a network, also that which is written in a step alone."""
        slopes = [
            side for _, s in self.equations if s.target[1:] in network.axes and s.target[0] == "d" for side in s.sides
        ]
        steps = [s for _, s in self.equations if is_update(s) and f"d{s.target}" not in self.mentioned]
        return slopes + [side for s in steps if s.target in network.axes for side in s.sides]

    def _of_one_output(self, found: list[Network], errors: set[str], most: int) -> list[Network]:
        """Return networks of one layer with one output; also with w x exchanged, which is the same for a vector w."""
        if sum(map(_is_layer, found[0].definitions.values())) != 1:
            return []
        small = any(_SMALL_W.search(self.items[i].text) for i, s in self.equations if self.is_forward(s))
        turned = {n: _exchanged(t) for n, t in self.forward.items()} if small else {}
        rows = build(turned, self.mentioned, errors, most) if small else []
        other = [option for n in rows for option in self._with_losses(replace(n, constants=found[0].constants))]
        return [n.of_one_output() for n in (*found, *other) if n.samples != "1" and not n.by_class]

    def _of_one_sample(self, network: Network) -> Iterator[Network]:
        """Yield a network with one sample, as a page means it that counts none; and with sizes of 1 where w is no matrix."""
        if network.total:
            return
        yield network.of_one_sample()
        if network.by_class:
            return
        sides = [side for _, s in self.equations if not is_update(s) for side in s.sides]
        written = "".join(self.items[i].text for i, s in self.equations if not is_update(s))
        if not re.search(r"[WXZAHBUVYSPO]", written.replace("ReLU", "")) and not any(
            map(_turns, sides)
        ):  # w x, and no wᵀ
            yield network.of_one_sample(".*")
        elif re.search(r"(?<![A-Za-z\\])[wv](?![A-Za-z])", written):  # w, a vector: there is one output
            yield network.of_one_sample("c")

    def _of_model(self, model: Equations, scalars: set[str]) -> list[Network]:
        """Return the network of a model file: its derived forward equations, whose last one is the loss."""
        *forward, loss = model.forward
        loss = replace(loss, tree=replaced(loss.tree, _as_number))
        all_ = {n for e in model.forward for n in (e.name, *names_in(e.tree))}
        names = {n: canonical(n) or n for n in all_}  # W for w, as notes are read
        names = {n: new for n, new in names.items() if [*names.values()].count(new) == 1}
        loss = replace(loss, tree=renamed(loss.tree, names))
        definitions = {names.get(e.name, e.name): renamed(e.tree, names) for e in forward}
        found = build(definitions, {"A0"} & self.mentioned, set(names_in(loss.tree)))
        scalars |= {p.text for p in parts_of(loss.tree) if isinstance(p, Name) and p.scalar}
        networks = []
        for network in found:
            own = replace(network, constants=_constants(scalars - set(network.scalars)), model=model.title, assumed={})
            shapes = [(network.axes.get(names.get(e.name, e.name), ()), e.shape) for e in model.updates]
            axes = {a: n for own_axes, shape in shapes for a, n in zip(own_axes, shape, strict=False)}
            for cost in self.losses_of(own, loss.tree, "J")[:1]:
                kind = _kind(loss.tree, own.definitions[own.output])
                networks.append(replace(own, sizes=axes, cost=cost, cost_name=f"that of {model.title}", labels=kind))
        return networks

    def _with_losses(self, network: Network) -> list[Network]:
        """Return a network with each loss that may be meant: that of the page first."""
        out = network.definitions[network.output]
        op = out.op if isinstance(out, Apply) else ""
        names = STANDARD.get(op, [HALF, FULL])[: 1 if op == "softmax" and network.output in network.assumed else None]
        squared = re.search(r"\bMSE\b|(?:mean[- ])?squared?[- ]error|quadratic (?:cost|loss)", self.text, re.I)
        said = [*network.said]
        if squared and not re.search(r"cross[- ]?entropy|log[- ]?loss", self.text, re.I):
            names = [HALF, FULL]
            said.append(f"the notes say “{squared[0]}”")
        network = replace(network, said=tuple(said))
        written = [
            replace(network.with_loss(CROSS, cost), cost_name=f"{target} as written", labels=_kind(tree, out))
            for _, target, whole in self.losses
            for tree in self._means(whole)
            for cost in self.losses_of(network, tree, target)
        ]
        return written + [network.with_loss(name) for name in names]

    def _means(self, tree: Expression) -> Iterator[Expression]:
        """Yield a loss, and what else it may mean.

        Of a mean of all entries people think as one of the samples, and they let Σ reach to the end of a line.
        """
        yield tree

        def rule(part: Expression) -> Expression | None:
            match part:
                case Apply("mean", inputs, ()):
                    return Apply("div", (Apply("sum", inputs), M))
            return None

        if (each := replaced(tree, rule)) != tree:
            yield each
        match tree:
            case Apply("add" | "sub" as op, (left, right)) if names_in(right):  # Σ y log a + (1 − y) log(1 − a)

                def over_all(part: Expression) -> Expression | None:
                    whole = isinstance(part, Apply) and part.op == "sum"
                    return Apply("sum", (Apply(op, (part.inputs[0], right)),)) if whole else None  # type: ignore[union-attr]

                if (summed := replaced(left, over_all)) != left:
                    yield summed

    def losses_of(self, network: Network, tree: Expression, target: str) -> list[Expression]:
        """Return what an equation of the loss may mean: J itself, or the loss of one sample, of which J is the mean."""
        base = sample(network)
        if base is None:
            return []
        own = {n: t for n, t in self.forward.items() if n not in base.values()}  # error² for (A − Y)²
        for _ in range(2):
            tree = replaced(tree, lambda p: own.get(p.text) if isinstance(p, Name) else None)
        found, value = read(self.plain(tree, "J"), base.scope(), "all")
        if value is None:
            return []
        found = Apply("sum", (found,)) if np.ndim(value) else found
        if counts(tree):
            return [found]
        each = Apply("div", (found, Name(SAMPLES, scalar=True)))
        return [each, found] if split(target)[1] == "L" or np.ndim(value) else [found, each]


def _is_loss(s: Statement) -> bool:
    """Whether an equation is that of a loss: J, L, or C and E where they are sums."""
    gradient, letters, layer = split(s.target)
    ops = {p.op for side in s.sides for p in parts_of(side) if isinstance(p, Apply)}
    scalar = bool(ops & {*SUMS, "pow", "square", "log"})
    said = bool({n for side in s.sides for n in names_in(side)} - {s.target})  # and no number of layers: l = 1
    return said and not gradient and (letters in ("J", "L") or (letters in ("C", "E") and scalar and not layer))


def _constants(names: set[str]) -> dict[str, float]:
    return {name: 0.3 + 0.1 * i for i, name in enumerate(sorted(names))}


def counts(side: Expression) -> bool:
    """Whether an expression has the number of samples in it."""
    means = any(isinstance(p, Apply) and p.op == "mean" for p in parts_of(side))
    return means or any(n == SAMPLES or n in "NnMB" for n in names_in(side))


def _is_layer(tree: Expression) -> bool:
    """Whether a definition has a product with weights in it."""
    return any(isinstance(p, Apply) and p.op == "matmul" for p in parts_of(tree))


def _exchanged(tree: Expression) -> Expression:
    """Return w x with its factors exchanged, as it stands for samples in rows."""

    def rule(part: Expression) -> Expression | None:
        match part:
            case Apply("mul" | "matmul" as op, (Name(W) as a, Name(x) as b)) if W[0] in "Wt" and x == DATA:
                return Apply(op, (b, a))
        return None

    return replaced(tree, rule)


def _turns(side: Expression) -> bool:
    """Whether an expression has a transpose in it."""
    return any(isinstance(p, Apply) and p.op == "transpose" for p in parts_of(side))


def _as_number(part: Expression) -> Expression | None:
    """Write a size that `derive` knows by its number as one."""
    return Number(int(part.text)) if isinstance(part, Name) and part.text.isdigit() else None


def _kind(tree: Expression, out: Expression) -> str:
    """Return the kind of the labels of a loss."""
    logs = [p for p in parts_of(tree) if isinstance(p, Apply) and p.op.startswith("log")]
    both = len(logs) > 1 or (isinstance(out, Apply) and out.op == "sigmoid")
    return {CROSS: "one_hot", BINARY: "binary"}[BINARY if both else CROSS] if logs else "real"


_SMALL_W = re.compile(r"(?<![A-Za-z\\])w")  # a vector of weights
BARRED = re.compile(r"[WbV]tilde\d*|theta_tilde\d*")  # of a parameter it can only be its gradient
GENERAL = re.compile(r"(\w+)\[([lLkK])(?:\s*([-+])\s*1)?\]")


@cache
def _named(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of "g is the ReLU": the letter, and what it stands for."""
    return re.compile(
    r"(?<![A-Za-z])([gfhφϕψ]|(?:var)?phi|psi)(?:\^?\{?\[[\dl]\]\}?)?\s*(?:\([a-z·.]?\))?\$?\s*"
    r"(?:=|:|is|ist|est|es|denotes|the(?= sigm))\s*\$?\s*(?:the |der |die |la |le )?\\?(?:mathrm|text|operatorname)?\{?"
    rf"({'|'.join(names)}|σ|sigma)\b", re.I,
    )  # fmt: skip


def general(s: Statement, last: int) -> Iterator[Statement]:
    """Yield an equation of a layer l once for each layer that has all its names; L is the last layer."""
    names = {name: m for name in names_of(s) if (m := GENERAL.fullmatch(name)) and m[1].removeprefix("d")}
    if not names:
        yield s
        return
    if not GENERAL.fullmatch(s.target) and any(m[2].islower() for m in names.values()):
        s = replace(s, sides=tuple(_over_layers(side, last) for side in s.sides))
        names = {name: m for name in names_of(s) if (m := GENERAL.fullmatch(name))}
    running = any(m[2].islower() for m in names.values())
    for layer in range(1, last + 1) if running else (last,):
        numbers = {
            name: (layer if m[2].islower() else last) + {"+": 1, "-": -1}.get(m[3], 0) for name, m in names.items()
        }
        if all(0 <= k <= last for k in numbers.values()):
            new = {name: names[name][1] + str(k) for name, k in numbers.items()}
            yield Statement(new.get(s.target, s.target), tuple(renamed(side, new) for side in s.sides), s.update)


def _over_layers(side: Expression, last: int) -> Expression:
    """Return an expression with Σ ‖W[l]‖² as a sum over the layers, as a loss has it."""

    def rule(part: Expression) -> Expression | None:
        names = {name: m for name in names_in(part) if (m := GENERAL.fullmatch(name)) and m[2].islower() and not m[3]}
        if not isinstance(part, Apply) or part.op not in SUMS or not names:
            return None
        terms = [renamed(part, {name: f"{m[1]}{layer}" for name, m in names.items()}) for layer in range(1, last + 1)]
        return reduce(lambda a, b: Apply("add", (a, b)), terms)

    return replaced(side, rule)


def _unchained(s: Statement, targets: set[str]) -> Iterator[Statement]:
    """Yield ŷ = A2 and A2 = σ(Z2) for ŷ = A2 = σ(Z2), where A2 is defined nowhere else."""
    first = s.sides[0] if len(s.sides) > 1 else None
    if isinstance(first, Name) and first.text not in targets and split(first.text)[2]:
        yield Statement(first.text, s.sides[1:], s.update)
        s = Statement(s.target, s.sides[:1], s.update)
    yield s
