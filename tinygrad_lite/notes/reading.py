"""Reading: what an expression means where only the shapes decide, and its value so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np

from ..formula.expression import Apply, Expression, Name, Number, parts_of, replaced
from ..formula.value import PRODUCTS, SUMS, by_sample, evaluate, function
from ..op import REGISTRY, Op
from ..truth.equal import same

Array = Any
Sum: TypeAlias = Literal["samples", "features", "all"]


@dataclass(frozen=True)
class Scope:
    """Arrays by name, of sizes that are all distinct, so that the shapes decide how a formula is read."""

    values: Mapping[str, Array]
    m: int = 0  # how many samples there are
    flat: bool = False  # whether a vector may be turned where it fits only so


EITHER = frozenset({"mul", "matmul"})


def read(
    tree: Expression, scope: Scope, over: Sum = "samples", loose: frozenset[str] = EITHER
) -> tuple[Expression, Array | None]:
    """Return an expression with its products, sums and softmaxes told apart by the shapes, and its value.

    A product whose sign is not definite (`loose`) is the other one where the shapes fit only so.  Σ without an axis is
    over the samples, and where a product of matrices has already summed over them, it says only that.  The value is None
    where a name is not known, or the shapes do not fit.
    """
    match tree:
        case Name(text):
            return tree, scope.values.get(text)
        case Number(value):
            return tree, float(value)
    assert isinstance(tree, Apply)
    read_parts = [read(part, scope, over, loose) for part in tree.inputs]
    parts, values = [part for part, _ in read_parts], [value for _, value in read_parts]
    if any(value is None for value in values):
        if tree.op in SUMS and not tree.params:  # all the same, as it would be written
            return Apply(tree.op, tuple(parts), (("axis", _samples_axis(scope)), ("keepdims", True))), None
        return Apply(tree.op, tuple(parts), tree.params), None
    if tree.op in PRODUCTS and len(parts) == 2:
        return _product(tree, parts, values, loose, scope.flat)
    if tree.op in SUMS and "axis" not in dict(tree.params):
        return _sum(tree.op, parts[0], values[0], scope, over)
    params = tree.params
    if tree.op in SUMS:
        params = (("axis", dict(params)["axis"]), ("keepdims", True))
    elif by_sample(tree.op) and values[0] is not None and np.ndim(values[0]) == 2:
        params = (("axis", 1 - _axis(values[0], scope)),)
    found = Apply(tree.op, tuple(parts), params)
    return found, evaluate(found, scope.values, values)


def _product(
    tree: Apply, parts: list[Expression], values: list[Array], loose: frozenset[str], flat: bool = False
) -> tuple[Expression, Array | None]:
    a, b = values
    if flat and tree.op == "matmul" and np.ndim(a) == np.ndim(b) == 2 and a.shape[1] != b.shape[0]:
        parts, (a, b) = _laid(parts, values)
    plain = np.ndim(a) < 2 or np.ndim(b) < 2
    chained = not plain and a.shape[1] == b.shape[0]
    beside = plain or all(x == y or 1 in (x, y) for x, y in zip(a.shape, b.shape, strict=True))
    op = "mul" if plain or tree.op == "mul" else "matmul"
    outer = beside and not plain and np.broadcast_shapes(a.shape, b.shape) not in (a.shape, b.shape)
    if not plain and op in loose and beside != chained and (chained or not outer):
        op = "matmul" if chained else "mul"
    fits = chained if op == "matmul" else beside
    return Apply(op, (parts[0], parts[1])), (a @ b if op == "matmul" else a * b) if fits else None


def _laid(parts: list[Expression], values: list[Array]) -> tuple[list[Expression], list[Array]]:
    """Return the factors of w x as they fit where a vector is neither a row nor a column: turned, or exchanged."""
    for k in (1, 0):
        turned = [x.T if i == k else x for i, x in enumerate(values)]
        if 1 in values[k].shape and turned[0].shape[1] == turned[1].shape[0]:
            return [Apply("transpose", (part,)) if i == k else part for i, part in enumerate(parts)], turned
    exchanged = values[::-1]
    return (parts[::-1], exchanged) if exchanged[0].shape[1] == exchanged[1].shape[0] else (parts, values)


def _sum(op: str, part: Expression, value: Array, scope: Scope, over: Sum) -> tuple[Expression, Array]:
    if np.ndim(value) < 2:
        return part, value
    if over == "all":
        return Apply(op, (part,)), np.sum(value) if op == "sum" else np.mean(value)
    if scope.m not in value.shape and any(isinstance(p, Apply) and p.op == "matmul" for p in parts_of(part)):
        return part, value
    axis = _axis(value, scope)
    axis = axis if over == "samples" else 1 - axis
    found = Apply(op, (part,), (("axis", axis), ("keepdims", True)))
    return found, evaluate(found, {}, [value])


def _axis(value: Array, scope: Scope) -> int:
    return value.shape.index(scope.m) if scope.m in value.shape else _samples_axis(scope)


def _samples_axis(scope: Scope) -> int:
    return next((x.shape.index(scope.m) for x in scope.values.values() if scope.m in np.shape(x)), 1)


PROBE = np.linspace(-2.0, 2.0, 12).reshape(3, 4) ** 3


@cache
def _forms(entry: Op) -> list[Array]:
    """Return what an activation without settings gives at the probe: one array, or one for each axis; else nothing."""
    if not entry.activation or {*entry.defaults} - {"axis"}:
        return []
    ways: list[dict[str, Any]] = [{"axis": 0}, {"axis": 1}] if entry.form == "by sample" else [{}]
    return [function(entry.name)(PROBE, **way) for way in ways]


def recognised(tree: Expression) -> Expression:
    """Return an activation that is written out as what it is, by its values: σ(Z) for 1/(1 + e^(−Z)).

    >>> recognised(Apply("maximum", (Number(0), Name("Z1"))))
    Apply(op='relu', inputs=(Name(text='Z1', scalar=False),), params=())
    """
    Z, values = Name("·"), {"·": PROBE}
    named = isinstance(tree, Apply) and tree.op in REGISTRY and REGISTRY[tree.op].activation
    for part in parts_of(tree) if not named else ():
        rest = replaced(tree, lambda p, part=part: Z if p == part else None)  # type: ignore[misc]
        if part in (tree, rest) or {p for p in parts_of(rest) if isinstance(p, Name)} != {Z}:
            continue
        value: Any = read(rest, Scope(values, 4), "features")[1]
        for op, entry in REGISTRY.items() if np.shape(value) == PROBE.shape else ():
            if any(same(value, form) for form in _forms(entry)):
                return Apply(op, (part,))
        x = values["·"]
        slopes = {float(s.round(9)) for s in (value / x)[x < 0]} if np.shape(value) == x.shape else set()
        if len(slopes) == 1 and 0 < min(slopes) < 1 and same(value[x > 0], x[x > 0]):
            return Apply("leaky_relu", (part,), (("negative_slope", min(slopes)),))
    return tree
