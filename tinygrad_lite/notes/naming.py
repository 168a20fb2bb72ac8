"""Naming: what the names of a page may stand for, where it calls something otherwise than the notes do.

A page that says t for the target, h for a hidden layer or δ₃ for the gradient of the second layer is right in its own names.
Which names are meant cannot be told from the spelling alone; every reading that a person would consider is proposed here,
and `lines.judged` keeps the one with which the fewest equations are wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ..formula.expression import Apply, Expression, Name, parts_of, renamed
from ..formula.value import PRODUCTS
from .network import DATA, LABELS, RATE, WEIGHTS, Network, activates, names_in, number, split
from .statement import Statement
from .units import by_layer, said

OUTPUT = f"{LABELS}hat"
WORDS = {
    **dict.fromkeys(("weight", "weights"), "W"),
    **dict.fromkeys(("bias", "biases"), "b"),
    **dict.fromkeys(("input", "inputs"), DATA),
    **dict.fromkeys(("label", "labels", "target", "targets"), LABELS),
}  # of what no equation defines


@dataclass(frozen=True)
class Reading:
    """Names of a page → the names that are meant; a name's gradient goes with it unless it has an entry of its own."""

    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    targets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # where they are defined only
    units: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # δ⟪j⟫ → dZ1⟪j⟫: letters that are layers

    def of(self, s: Statement) -> Statement:
        """Return an equation in the names that are meant."""
        s = by_layer(s, self.units)
        if not self.names and not self.targets:
            return s
        every = {name: self.meant(name) for side in s.sides for name in names_in(side)}
        target = self.targets.get(s.target) or self.meant(s.target)
        return replace(s, target=target, sides=tuple(renamed(side, every) for side in s.sides))

    def meant(self, name: str) -> str:
        """Return what is meant by a name."""
        plain = name[1:] if split(name)[0] else ""
        return self.names.get(name) or (f"d{self.names[plain]}" if plain in self.names else name)

    def with_(self, names: Mapping[str, str]) -> Reading:
        """Return the reading with further names."""
        return replace(self, names=dict(self.names) | dict(names))

    def said(self) -> list[str]:
        """Say what the page is read as."""
        plain = {n: m for n, m in {**self.names, **self.targets}.items() if not split(n)[0] or n[1:] not in self.names}
        return [*(f"{name} is read as {meant}" for name, meant in plain.items()), *said(self.units)]


PLAIN = Reading()


def words_of(equations: list[Statement]) -> dict[str, str]:
    """Return the words that no equation defines → what they are: W_hidden for weights_hidden, X for inputs."""
    sides = {s.target: [name for side in s.sides for name in names_in(side)] for s in equations}
    given = {name for names in sides.values() for name in names} - {n for n, names in sides.items() if n not in names}
    found = {name: re.fullmatch(r"([a-z]+)((?:_[a-z]+)*)(\d*)", name) for name in given}
    return {name: WORDS[m[1]] + m[2] + m[3] for name, m in found.items() if m and m[1] in WORDS}


def of_the_page(equations: list[Statement]) -> Iterator[Reading]:
    """Yield the readings that the equations by themselves suggest: of the target, of activations called z, of δ by units."""
    defined = {s.target: s.sides[-1] for s in equations if not split(s.target)[0] and any(map(names_in, s.sides))}
    used = {name for s in equations for side in s.sides for name in names_in(side)}
    if LABELS in defined and _computed(defined[LABELS]):
        if OUTPUT in used and OUTPUT not in defined:
            yield Reading(targets={LABELS: OUTPUT})
        for other in sorted(_beside(LABELS, equations) - set(defined)):
            yield Reading({LABELS: OUTPUT, other: LABELS})
    activations = {
        name: f"A{split(name)[2]}"
        for name, tree in defined.items()
        if split(name)[1] == "Z" and activates(tree) and not isinstance(tree.inputs[0], Name)
    }
    if activations and not {*activations.values()} & (used | set(defined)):
        gradients = {f"d{Z}": f"d{Z}" for Z in activations}
        yield Reading(activations | gradients)
        yield Reading(activations)
    if swapped := _swapped(defined):
        yield Reading(swapped)
        for other in sorted(_beside(LABELS, equations) - set(defined)):
            yield Reading(swapped | {LABELS: OUTPUT, other: LABELS})
    errors = [number(s.target) for s in equations if s.target.startswith("dZ")]
    layers = [number(n) for n in used | set(defined) if split(n)[1] in WEIGHTS and not split(n)[0]]
    if errors and layers and max(errors) == max(layers) + 1:
        yield Reading({f"dZ{k + 1}": f"dZ{k}" for k in range(1, max(layers) + 1)})


def _swapped(defined: Mapping[str, Expression]) -> dict[str, str]:
    """Return the names of layers that call Z what others call A, and A what others call Z; δ is the gradient of their A."""
    found: dict[str, str] = {}
    for name, tree in defined.items():
        inner = _applied_to(tree)
        if (split(name)[1], split(inner)[1]) == ("Z", "A"):
            found |= {name: inner, inner: name, f"d{name}": f"d{name}", f"d{inner}": f"d{name}"}
    return found


def of_unknown(name: str, network: Network) -> Iterator[Reading]:
    """Yield what a name may stand for that a network does not know: its output, the labels, a hidden layer, the data."""
    hidden = [n for n, tree in network.definitions.items() if activates(tree) and n != network.output]
    own = [n for n in hidden if split(n)[2] == split(name)[2]] if split(name)[2] else hidden
    for meant in (network.output, LABELS, *own, DATA):
        yield Reading({name: meant})


def of_errors(equations: list[Statement], network: Network) -> Iterator[Reading]:
    """Yield what δ_h and δ_o may be, where h and o are tensors of a network, or its hidden layer and its output.

    Each is the gradient of what the tensor is computed from, or that of the tensor itself.
    """
    errors = {s.target for s in equations if re.fullmatch("dZ_[a-z]+", s.target)} - {f"d{n}" for n in network.axes}
    hidden = [n for n, tree in network.definitions.items() if activates(tree) and n != network.output]
    named = {n.lower(): n for n in network.definitions}
    named |= {"o": network.output, "out": network.output} if "o" not in named else {}
    named |= {"h": hidden[0], "hid": hidden[0]} if len(hidden) == 1 and "h" not in named else {}
    tensors = {error: named.get(error.removeprefix("dZ_")) for error in errors}
    found = {error: name for error, name in tensors.items() if name is not None}
    inner = {error: _applied_to(network.definitions[name]) or name for error, name in found.items()}
    for meant in (inner, found) if found else ():
        yield Reading({error: f"d{name}" for error, name in meant.items()})


def _applied_to(tree: Expression) -> str:
    """Return the name of the tensor that an activation is applied to; nothing where there is none."""
    inner = tree.inputs[0] if activates(tree) else None
    return inner.text if isinstance(inner, Name) else ""


def unknown(equations: list[Statement], network: Network, unread: set[str]) -> list[str]:
    """Return the names that equations of gradients read and nothing defines, read or not; those that most read first."""
    known = {*network.axes, *network.definitions, *network.scalars, *network.constants, RATE, DATA, LABELS}
    known |= {s.target for s in equations if any(map(names_in, s.sides))} | unread
    known |= {split(name)[1] for name in known if split(name)[2]}  # Z for the Z of some layer
    reads = [
        part.text
        for s in equations
        if split(s.target)[0]
        for side in s.sides
        for part in parts_of(side)
        if isinstance(part, Name) and not part.scalar and not split(part.text)[0] and part.text not in known
    ]
    return sorted(dict.fromkeys(reads), key=lambda name: -reads.count(name))


def _computed(tree: Expression) -> bool:
    """Whether a tensor is computed from weights, or from what is."""
    products = any(isinstance(part, Apply) and part.op in PRODUCTS for part in parts_of(tree))
    return (products and any(split(n)[1] in WEIGHTS for n in names_in(tree))) or (
        activates(tree) and isinstance(tree.inputs[0], Name) and split(tree.inputs[0].text)[1] in ("Z", *WEIGHTS)
    )


def _beside(name: str, equations: list[Statement]) -> set[str]:
    """Return the names that are subtracted from a name, or it from them."""
    pairs = [
        {n.text for n in part.inputs if isinstance(n, Name)}
        for s in equations
        for side in s.sides
        for part in parts_of(side)
        if isinstance(part, Apply) and part.op == "sub"
    ]
    return {n for pair in pairs if name in pair for n in pair - {name} if not split(n)[0]}
