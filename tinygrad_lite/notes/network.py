"""Network: equations as a loss of named arrays, and samples of what is true of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, TypeGuard

import numpy as np

from ..formula.expression import Apply, Expression, Name, Number, parts_of, replaced
from ..formula.value import PRODUCTS, SUMS, by_sample, evaluate
from ..truth.cases import Case, Space, Spec, one_hot, space_of
from ..truth.loss import Loss, Scale, Truth, with_labels
from .reading import Scope

Array = Any
M = Name("m", scalar=True)
WEIGHTS = ("W", "theta", "U", "V")
MOST, CASES = 12, 20  # layers; cases that a line must be right in
DATA, LABELS, SAMPLES, RATE = "X", "Y", "m", "alpha"


@lru_cache(maxsize=4096)
def split(name: str) -> tuple[bool, str, str]:
    """Return whether a name is a gradient's, its letters and its layer: (True, "W", "2") for dW2, "_h" for W_h."""
    found = re.fullmatch(r"(d(?=[^\W\d_]))?(?:([^\W\d_])(_[a-z_]+)|(.*?)_?(\d*))", name)
    assert found is not None
    return bool(found[1]), found[2] or found[4] or "", found[3] or found[5] or ""


def number(name: str) -> int:
    """Return the number of the layer that a name is of; 0 where it is none."""
    layer = split(name)[2]
    return int(layer) if layer.isdigit() else 0


def names_in(tree: Expression) -> list[str]:
    """Return the names in an expression, from left to right."""
    return [part.text for part in parts_of(tree) if isinstance(part, Name)]


def _mean(tree: Expression, factor: int = 1) -> Expression:
    return Apply("div", (Apply("sum", (tree,)), Apply("mul", (Number(factor), M)) if factor != 1 else M))


def _entropy(A: Expression, Y: Expression, both: bool) -> Expression:
    found: Expression = Apply("mul", (Y, Apply("log", (A,))))
    if both:
        rest = Apply("log", (Apply("sub", (Number(1), A)),))
        found = Apply("add", (found, Apply("mul", (Apply("sub", (Number(1), Y)), rest))))
    return _mean(Apply("neg", (found,)))


LOSSES: dict[str, Callable[[Expression, Expression], Expression]] = {
    "mean cross-entropy": lambda A, Y: _entropy(A, Y, both=False),
    "mean binary cross-entropy": lambda A, Y: _entropy(A, Y, both=True),
    "1/(2m) Σ (A − Y)²": lambda A, Y: _mean(Apply("square", (Apply("sub", (A, Y)),)), 2),
    "1/m Σ (A − Y)²": lambda A, Y: _mean(Apply("square", (Apply("sub", (A, Y)),))),
}
CROSS, BINARY, HALF, FULL = LOSSES
STANDARD = {"softmax": [CROSS, HALF, FULL], "sigmoid": [BINARY, HALF, FULL]}
NOTHING = Number(0)


@dataclass(frozen=True)
class Network:
    """Definitions in an order in which they can be computed, the loss J, and the axes of the arguments.

    `aliases` are names that stand for others (A0 for X); `given` tells of each definition whether the page has it.
    """

    definitions: dict[str, Expression]
    axes: dict[str, tuple[str, str]]
    output: str
    cost: Expression = NOTHING
    cost_name: str = CROSS
    labels: str = "one_hot"
    scalars: tuple[str, ...] = (SAMPLES,)  # names of the number of samples
    constants: dict[str, float] = field(default_factory=dict)  # numbers that bear a name, such as λ
    samples: str = SAMPLES  # the size, or "1"
    cyclic: tuple[str, ...] = ()  # defined by one another, and so by nothing
    flat: bool = False  # there is one output, and a vector is neither a row nor a column
    shifted: tuple[tuple[str, str], ...] = ()  # (A, Z): by dA the page means dZ
    total: bool = False  # J is the sum over the samples, not the mean
    model: str = ""  # the name of the model file that says what it is
    sizes: dict[str, str] = field(default_factory=dict)  # that it has there
    changed: dict[str, Expression] = field(default_factory=dict)  # definitions that cannot be meant as they are written
    odd: float = 0.0  # how many equations are kept although they are unlike the others
    assumed: dict[str, Expression] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def with_loss(self, name: str, cost: Expression | None = None) -> Network:
        """Return the network with another loss of its output."""
        cost = LOSSES[name](Name(self.output), Name(LABELS)) if cost is None else cost
        if self.total:
            cost = Apply("mul", (M, cost))
        kind = {CROSS: "one_hot", BINARY: "binary"}.get(name, "real")
        return replace(self, cost=cost, cost_name=name, labels=kind)

    def of_one_sample(self, gone: str = "") -> Network:
        """Return the network with a single sample; sizes that match `gone` are 1 too."""
        axes: dict[str, Any] = {n: tuple("1" if re.fullmatch(f"{SAMPLES}|{gone}", axis) else axis for axis in pair)
                for n, pair in self.axes.items()}  # fmt: skip
        return replace(self, axes=axes, samples="1")

    def of_one_output(self) -> Network:
        """Return the network with a single output, of which people write vectors that are neither rows nor columns."""
        axes: dict[str, Any] = {
            n: tuple("1" if axis == "c" else axis for axis in pair) for n, pair in self.axes.items()
        }
        return replace(self, axes=axes, flat=True, odd=self.odd + 0.25)

    @property
    def by_class(self) -> bool:
        """Whether the outputs are the probabilities of classes, of which there is more than one."""
        out = self.definitions[self.output]
        return isinstance(out, Apply) and by_sample(out.op)

    @property
    def rows(self) -> bool:
        """Whether the rows are the samples."""
        return self.axes.get(DATA, ("", SAMPLES))[0] == self.samples

    @property
    def loss(self) -> Any:
        """The loss as a function of tensors that bear the names of the page."""

        def loss(**arrays: Any) -> Any:
            for name, x in arrays.items():
                if hasattr(x, "requires_grad"):
                    x.name = name
            m = arrays[DATA].shape[0 if self.rows else 1]
            values: dict[str, Any] = arrays | self.constants | dict.fromkeys(self.scalars, m)
            for name, tree in self.definitions.items():
                value = evaluate(tree, values)
                if value is None:
                    raise ValueError(f"{name} cannot be computed")
                if not isinstance(tree, Name):
                    value.name = name
                values[name] = value
            return evaluate(self.cost, values)

        parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in self.axes]
        loss.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return loss

    def space(self) -> Space:
        """Return the space that cases are drawn from."""
        shapes = {name: Spec(axes) for name, axes in self.axes.items()}
        one_each = one_hot(" ".join(self.axes[LABELS]), 1 if self.rows else 0)
        shapes[LABELS] = one_each if self.labels == "one_hot" else Spec(self.axes[LABELS], self.labels)
        known = Loss(self.loss)
        return with_labels(space_of(known.function, None, known.arguments, shapes), known, set(shapes))

    def activation(self, argument: Expression, layer: str = "") -> Apply | None:
        """Return the activation of a layer, or of the layer that an argument belongs to, as it is applied there."""
        own = [(split(name)[2], tree) for name, tree in self.definitions.items() if activates(tree)]
        by_layer = dict(own)
        by_argument = {tree.inputs[0]: tree for _, tree in own}
        by_argument |= {self.definitions.get(n.text, n): t for n, t in by_argument.items() if isinstance(n, Name)}
        layers = [split(name)[2] for name in names_in(argument) if split(name)[2]]

        def definite(part: Expression) -> Expression | None:
            return Apply("matmul", part.inputs) if isinstance(part, Apply) and part.op in PRODUCTS else None

        settled = replaced(argument, definite)
        found = by_argument.get(argument) or by_argument.get(settled) or by_layer.get(layer)
        return found or (by_layer.get(layers[0]) if layers else next(iter(by_layer.values()), None))


@dataclass(frozen=True)
class Sample:
    """What is true of a network in one case of distinct sizes: values, gradients, and the names of the sizes."""

    network: Network
    space: Space
    case: Case
    truth: Truth
    arguments: dict[str, Array]

    @cached_property
    def m(self) -> int:
        """How many samples there are."""
        return next((self.case.sizes[name] for name in self.space.samples), 1)

    def axes(self, name: str) -> tuple[str, ...] | None:
        """Return the shape of a tensor or a gradient, in names of sizes."""
        value = self.values().get(name)
        sizes = {n: size for size, n in self.case.sizes.items()}
        return None if value is None or np.ndim(value) != 2 else tuple(sizes.get(n, str(n)) for n in value.shape)

    def values(self, scale: Scale = Scale.SAMPLE) -> dict[str, Array]:
        """Return all values by name; the gradients of inner tensors on a scale."""
        m = scale.factor(self.m)
        slopes = {f"d{n}": g * (1 if n in self.space.parameters else m) for n, g in self.truth.gradients.items()}
        plain: dict[str, Array] = dict.fromkeys(self.network.scalars, float(self.m)) | {RATE: 0.37}
        found = plain | self.network.constants | self.truth.values | self.arguments | slopes
        found |= {f"d{A}": found[f"d{Z}"] for A, Z in self.network.shifted if f"d{Z}" in found}
        for name, tree in self.network.definitions.items():  # A0 for X
            if isinstance(tree, Name):
                pairs = (name, tree.text), (f"d{name}", f"d{tree.text}")
                found |= {own: found[other] for own, other in pairs if other in found}
        return found

    def scope(self) -> Scope:
        """Return the values as a scope for formulas."""
        return Scope(self.values(), self.m, self.network.flat)


def sample(network: Network) -> Sample | None:
    """Return what is true of a network; None where it cannot be computed."""
    try:
        space = network.space()
        sizes = dict(zip(space.names, [4, 5, 3, 6, 7, 8, 9, 10, 12, 13, 14, 15], strict=False))
        return _at(network, space, Case(sizes | dict.fromkeys(space.samples[:1], 11), seed=1))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None


def others(base: Sample) -> list[Sample]:
    """Return what is true in other cases: distinct and equal sizes, sizes of 1, and some at random."""
    rng, space = np.random.default_rng(0), base.space
    cases = [
        case for case in space.guaranteed() if case.scale == 1 and case.dtype == np.float64 and case.why != "on a kink"
    ]
    sizes = [
        {n: int(rng.integers(1 + (n in space.classes), 7)) for n in space.names} for _ in range(CASES - len(cases))
    ]
    cases += [Case(drawn, 100 + seed) for seed, drawn in enumerate(sizes)]
    return [_at(base.network, space, case) for case in cases]


def _at(network: Network, space: Space, case: Case) -> Sample:
    arguments = space.draw(case)
    return Sample(network, space, case, Loss(network.loss)(arguments), arguments)


def activates(tree: Expression) -> TypeGuard[Apply]:
    return isinstance(tree, Apply) and len(tree.inputs) == 1 and tree.op not in {"neg", "transpose", *SUMS}


def is_weight(side: Expression) -> bool:
    return any(split(name)[1] in WEIGHTS for name in names_in(side)[:1])


NO_NETWORK = "the forward equations define no network"


def is_parameter(side: Expression, definitions: Mapping[str, Expression]) -> bool:
    """Whether one factor of a product is a name, or its transpose, that is neither data nor computed from it."""
    side = side.inputs[0] if isinstance(side, Apply) and side.op == "transpose" else side
    return isinstance(side, Name) and not side.scalar and side.text not in {DATA, LABELS, *definitions}


__all__ = ["Network", "Sample", "names_in", "others", "sample", "split"]
