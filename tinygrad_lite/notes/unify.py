"""Unify: the sizes of all tensors, from the equations: every op says which are equal."""

from __future__ import annotations

from collections.abc import Mapping

from ..formula.expression import Apply, Expression, Name, Number, parts_of, replaced
from ..formula.value import PRODUCTS, SUMS
from .network import DATA, LABELS, SAMPLES, is_parameter


def _is_tensor(tree: Expression) -> bool:
    return any(isinstance(part, Name) and not part.scalar for part in parts_of(tree))


class Shapes:
    """The sizes of all tensors, by unification: each tensor has two, and every op says which are equal."""

    def __init__(self, definitions: Mapping[str, Expression]) -> None:
        self.parent: list[int] = []
        self.shapes: dict[str, tuple[int, int]] = {}
        self.biases: dict[str, tuple[int, int]] = {}
        self.definitions = definitions
        for name, tree in definitions.items():
            found = self.shape(tree)
            if found is not None:
                self.equal(self.of(name), found)

    def _new(self) -> int:
        self.parent.append(len(self.parent))
        return len(self.parent) - 1

    def _find(self, i: int) -> int:
        while self.parent[i] != i:
            i = self.parent[i]
        return i

    def equal(self, a: tuple[int, int], b: tuple[int, int]) -> None:
        """Note that two shapes are the same."""
        for x, y in zip(a, b, strict=True):
            self.parent[self._find(x)] = self._find(y)

    def of(self, name: str) -> tuple[int, int]:
        """Return the shape of a name."""
        if name not in self.shapes:
            self.shapes[name] = self._new(), self._new()
        return self.shapes[name]

    def is_product(self, tree: Apply) -> bool:
        """Whether a product is one of matrices: one between a parameter and something that is no number."""
        tensors = all(map(_is_tensor, tree.inputs))
        return tensors and any(is_parameter(part, self.definitions) for part in tree.inputs)

    def shape(self, tree: Expression) -> tuple[int, int] | None:
        """Return the shape of an expression, and note what its ops demand; None for a number."""
        if isinstance(tree, Name):
            return None if tree.scalar else self.of(tree.text)
        if isinstance(tree, Number):
            return None
        shapes = [self.shape(part) for part in tree.inputs]
        tensors = [s for s in shapes if s is not None]
        if tree.op == "transpose" and tensors:
            return tensors[0][::-1]
        if tree.op in PRODUCTS and len(tensors) == 2 and self.is_product(tree):
            a, b = tensors
            self.parent[self._find(a[1])] = self._find(b[0])
            return a[0], b[1]
        if tree.op in ("add", "sub") and len(tensors) == 2:
            for part, other in (tree.inputs, tree.inputs[::-1]):
                if isinstance(part, Name) and part.text not in self.definitions and part.text != DATA:
                    whole = shapes[1] if part is tree.inputs[0] else shapes[0]
                    if whole is not None and not isinstance(other, Name):
                        self.biases[part.text] = whole
                        return whole
        for other_shape in tensors[1:]:
            self.equal(tensors[0], other_shape)
        return tensors[0] if tensors else None

    def settled(self, tree: Expression, axis: int) -> Expression:
        """Make every product definite, and every sum and softmax one over an axis."""

        def rule(part: Expression) -> Expression | None:
            if isinstance(part, Apply) and part.op in PRODUCTS:
                return Apply("matmul" if self.is_product(part) else "mul", part.inputs)
            if isinstance(part, Apply) and part.op in ("softmax", "log_softmax"):
                return Apply(part.op, part.inputs, (("axis", axis),))
            if isinstance(part, Apply) and part.op in SUMS and not part.params:  # e^Z / Σ e^Z
                return Apply(part.op, part.inputs, (("axis", axis), ("keepdims", True)))
            return None

        return replaced(tree, rule)

    def named(self, output: str) -> dict[str, tuple[str, str]] | None:
        """Return the axes of every leaf: m counts the samples, n the inputs, c the outputs, h those between."""
        if not {DATA, output} <= set(self.shapes):
            return None
        leaves = [n for n in self.shapes if n not in self.definitions and n != DATA and n not in self.biases]
        owned = {self._find(i) for name in leaves for i in self.shapes[name]}
        data = [self._find(i) for i in self.shapes[DATA]]
        free = [i for i in data if i not in owned] or [data[1]]
        names = {free[-1]: SAMPLES}
        for i in data:
            names.setdefault(i, "n")
        out = [self._find(i) for i in self.shapes[output]]
        hidden: list[int] = []
        for name in (*leaves, *self.definitions):
            hidden += [i for i in map(self._find, self.shapes.get(name, ())) if i not in (*names, *out, *hidden)]
        for k, i in enumerate(hidden):
            names[i] = f"h{k + 1}" if len(hidden) > 1 else "h"
        for i in out:
            names.setdefault(i, "c")

        def axes(shape: tuple[int, int]) -> tuple[str, str]:
            return names[self._find(shape[0])], names[self._find(shape[1])]

        found = {DATA: axes(self.shapes[DATA]), LABELS: axes(self.shapes[output])}
        found |= {name: axes(self.shapes[name]) for name in leaves if name != LABELS}
        for name, whole in self.biases.items():
            rows, columns = axes(whole)
            found[name] = (rows if rows != SAMPLES else "1", columns if columns != SAMPLES else "1")
        return found
