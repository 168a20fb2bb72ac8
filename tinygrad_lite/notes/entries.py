"""Entries: a formula of single entries, ∂C/∂w_jk = δ_j a_k or δ_j = Σ_k w_kj δ_k σ'(z_j), as one of whole matrices.

Every index letter is an axis.  Factors with the same letter are multiplied entry by entry, a letter that is summed over
joins its factors in a product of matrices, and the letters of the left side say in which order the axes come out.
"""

from __future__ import annotations

from functools import reduce

from ..formula.expression import Apply, Expression, Name, Number
from .spelling import NotUnderstood

SUMMED = "Σ"  # the op of a sum over letters, until it is known what they join
_EACH = {"add", "sub"}
_PRODUCTS = {"mul", "matmul"}


class Mismatch(NotUnderstood):
    """The indices of an equation do not fit together; the message says which."""


def indices(name: str) -> str:
    """Return the index letters of a name: "jk" for W⟪jk⟫."""
    return name.partition("⟪")[2].rstrip("⟫")


def whole(tree: Expression, order: str) -> Expression:
    """Return an expression of entries as one of matrices whose axes are in the order of these letters.

    Raises Mismatch where the letters do not fit together.
    """
    found, axes = _matrix(tree)
    if axes == order or not axes:
        return found
    if sorted(axes) == sorted(order):
        match found:
            case Apply("matmul", (a, Apply("transpose", (b,)))):
                return Apply("matmul", (b, Apply("transpose", (a,))))
        return Apply("transpose", (found,))
    raise Mismatch(f"its indices are {', '.join(axes)}, and those of the left side {', '.join(order) or 'none'}")


def _matrix(tree: Expression) -> tuple[Expression, str]:
    """Return an expression without indices, and the letters of its axes."""
    match tree:
        case Name(text, scalar):
            bare, _, rest = text.partition("⟪")
            return Name(bare, scalar), rest.rstrip("⟫")
        case Number():
            return tree, ""
    assert isinstance(tree, Apply)
    if tree.op == SUMMED:
        return _product(_factors(tree.inputs[0]), dict(tree.params)["over"])
    if tree.op in _PRODUCTS:
        return _product(_factors(tree), "")
    parts = [_matrix(part) for part in tree.inputs]
    axes = max((own for _, own in parts), key=len, default="")
    inputs = tuple(Apply("transpose", (part,)) if own == axes[::-1] != axes else part for part, own in parts)
    if any(sorted(own) not in ([], sorted(axes)) for _, own in parts):
        raise Mismatch("terms with different indices are added: an index may be missing")
    return Apply(tree.op, inputs, tree.params), axes


def _factors(tree: Expression) -> list[Expression]:
    if isinstance(tree, Apply) and tree.op in _PRODUCTS:
        return [factor for part in tree.inputs for factor in _factors(part)]
    if isinstance(tree, Apply) and tree.op == "transpose":  # of an entry it says nothing
        return _factors(tree.inputs[0])
    return [tree]


def _product(factors: list[Expression], over: str) -> tuple[Expression, str]:
    """Multiply factors, and join those that share a letter that is summed over."""
    parts = _together([_matrix(factor) for factor in factors])
    for letter in over:
        joined = [(tree, axes) for tree, axes in parts if letter in axes]
        if len(joined) != 2:
            raise Mismatch(f"the sum over {letter} joins {len(joined)} factors, not two")
        (a, left), (b, right) = sorted(joined, key=lambda part: -len(part[1]))
        a = a if left[-1] == letter else Apply("transpose", (a,))
        b = b if right[0] == letter else Apply("transpose", (b,))
        axes = left.replace(letter, "") + right.replace(letter, "")
        parts = _together([part for part in parts if part not in joined] + [(Apply("matmul", (a, b)), axes)])
    numbers = [tree for tree, axes in parts if not axes]
    arrays = sorted((part for part in parts if part[1]), key=lambda part: len(part[1]))
    if not arrays:
        return reduce(lambda a, b: Apply("mul", (a, b)), numbers), ""
    found, axes = arrays[0]
    for tree, own in arrays[1:]:
        if len(axes) + len(own) > 2:
            raise Mismatch("it has more than two indices")
        found, axes = Apply("matmul", (found, Apply("transpose", (tree,)))), axes + own
    return reduce(lambda a, b: Apply("mul", (b, a)), numbers, found), axes


def _together(parts: list[tuple[Expression, str]]) -> list[tuple[Expression, str]]:
    """Multiply those factors entry by entry that have the same axes."""
    found: dict[str, Expression] = {}
    for tree, axes in parts:
        own, turned = axes, axes[::-1]
        if turned in found and turned != own:
            own, tree = turned, Apply("transpose", (tree,))
        found[own] = Apply("mul", (found[own], tree)) if own in found else tree
    return [(tree, axes) for axes, tree in found.items()]
