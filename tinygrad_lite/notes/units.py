"""units: pages on which each layer has an index letter of its own, z_j = Σ_i w_ji x_i and z_k = Σ_j w_kj a_j.

There a name means one tensor with one letter and another one with another.  Which layer a letter is follows from what reads
what; then the names get the number of their layer, and the equations are those of any other page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..formula.expression import Apply, Expression, Name, parts_of, renamed
from .entries import SUMMED, indices
from .grammar import of_entries
from .network import DATA, LABELS, WEIGHTS, split
from .spelling import NotUnderstood
from .statement import Statement

_LAYERED = (*WEIGHTS, "b", "B", "Z", "A")  # what every layer has, if the page writes it for one only


def by_layer(s: Statement, layered: Mapping[str, str]) -> Statement:
    """Return an equation of entries with the numbers of their layers in its names.

    Where a letter stands on the right alone, a sum over it is meant.  Where the letters fit in no way, it is one of
    matrices, which do not fit either; but not where a name has no index and they may have been left out.
    """
    if s.entries is None or not layered:
        return s
    parts = [renamed(tree, dict(layered)) for tree in s.entries.parts]
    names = [part.text for tree in parts for part in parts_of(tree) if isinstance(part, Name) and not part.scalar]
    try:
        found = of_entries(s.entries.sign, parts)
        summed = of_entries(s.entries.sign, _summed(*parts)) if unfit(found) else found
    except NotUnderstood:
        return s
    return replace(found, entries=None) if unfit(summed) and all(map(indices, names)) else summed


def unfit(s: Statement) -> str:
    """Say why the indices of an equation do not fit together; nothing where they do, or where it has none."""
    return s.entries.unfit if s.entries else ""


def _summed(target: Expression, *sides: Expression) -> list[Expression]:
    """Put a sum over the letters that stand on the right alone."""
    given = {*indices(target.text)} if isinstance(target, Name) else set()
    found = [target]
    for side in sides:
        free = {c for part in parts_of(side) if isinstance(part, Name) for c in indices(part.text)} - given
        found.append(Apply(SUMMED, (side,), (("over", "".join(sorted(free))),)) if free else side)
    return found


def layered_names(equations: list[Statement]) -> dict[str, str]:
    """Return each name with an index → the same with the number of its layer; nothing where letters are no layers."""
    layers = _depths(_below(equations))
    if max(layers.values(), default=0) < 2:
        return {}
    names = {name for s in equations for name in _names(s) if "⟪" in name and not _plain(name)[-1].isdigit()}
    levels = {name: max((layers[c] for c in indices(name) if c in layers), default=None) for name in names}
    found = {}
    for name, layer in levels.items():
        is_gradient, letters, _ = split(_plain(name))
        among = {levels[n] for n in names if split(_plain(n))[1] == letters} - {None}
        if letters in (DATA, LABELS) and not {s.target for s in equations} & {letters, f"d{letters}"}:
            continue  # x_j is no activation where no equation says what it is
        if layer is None or (letters not in _LAYERED and len(among) < 2):
            continue
        kind = "A" if letters in (DATA, LABELS) else letters
        meant = f"{kind}{layer}" if layer or kind != "A" else DATA
        found[name] = f"{'d' * is_gradient}{meant}⟪{indices(name)}⟫"
    return found


def said(layered: Mapping[str, str]) -> list[str]:
    """Say which letter is which layer."""
    pairs = {(indices(name), split(_plain(meant))[2]) for name, meant in layered.items() if len(indices(name)) == 1}
    return [f"the index {letter} is read as that of layer {layer}" for letter, layer in sorted(pairs) if layer]


def _names(s: Statement) -> list[str]:
    parts = s.entries.parts if s.entries else ()
    return [part.text for tree in parts for part in parts_of(tree) if isinstance(part, Name)]


def _plain(name: str) -> str:
    return name.partition("⟪")[0].replace("δ", "d")


def _below(equations: list[Statement]) -> dict[str, set[str]]:
    """Return the letter of each layer → those of the layers below it: of z_j = Σ_i w_ji x_i and of δ_j = Σ_k w_kj δ_k."""
    found: dict[str, set[str]] = {}
    for s in equations:
        first = s.entries.parts[0] if s.entries else None
        own = indices(first.text) if isinstance(first, Name) else ""
        weights = [indices(name) for name in _names(s) if split(_plain(name))[1] in WEIGHTS]
        for both in weights if len(own) == 1 else ():
            if own in both and len({*both}) == 2:
                other = both.replace(own, "")
                above, under = (other, own) if s.target[0] == "d" else (own, other)
                found.setdefault(above, set()).add(under)
    return found


def _depths(below: dict[str, set[str]]) -> dict[str, int]:
    """Return the layer of each letter, from 0; nothing where they go round in a circle."""
    letters = {*below, *(c for under in below.values() for c in under)}
    found = dict.fromkeys(letters, 0)
    for _ in range(len(letters) + 1):
        before, found = found, {c: 1 + max((found[u] for u in below.get(c, ())), default=-1) for c in letters}
    return found if before == found else {}
