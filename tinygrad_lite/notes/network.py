"""Network: the forward equations of a page as a loss of named arrays, with the sizes that follow from them."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np

from ..derive.expression import Apply, Expression, Name, Number, parts_of, replaced
from ..op import REGISTRY
from ..verify.cases import Case, Space, Spec, one_hot, space_of
from ..verify.truth import Loss, Truth, with_labels
from .formula import PRODUCTS, SUMS, Scope, evaluate, renamed

Array = Any
M = Name("m", scalar=True)
MOST, CASES = 12, 20  # layers; cases that a line must be right in
DATA, LABELS, SAMPLES, RATE = "X", "Y", "m", "alpha"


def split(name: str) -> tuple[bool, str, str]:
    """Return whether a name is a gradient's, its letters and its layer: (True, "W", "2") for dW2."""
    found = re.fullmatch(r"(d(?=[^\W\d_]))?(.*?)_?(\d*)", name)
    assert found is not None
    return bool(found[1]), found[2], found[3]


def names_in(tree: Expression) -> list[str]:
    """Return the names in an expression, from left to right."""
    return [part.text for part in parts_of(tree) if isinstance(part, Name)]


# --- losses -----------------------------------------------------------------------------------------------------------


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
USUAL = [("", "softmax"), *((h, o) for h in ("sigmoid", "tanh", "relu") for o in ("sigmoid", "softmax"))]
STANDARD = {"softmax": [CROSS, HALF, FULL], "sigmoid": [BINARY, HALF, FULL]}


NOTHING = Number(0)

# --- networks ---------------------------------------------------------------------------------------------------------


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

    def of_one_sample(self) -> Network:
        """Return the network with a single sample."""
        axes = {n: (a.replace(SAMPLES, "1"), b.replace(SAMPLES, "1")) for n, (a, b) in self.axes.items()}
        return replace(self, axes=axes, samples="1")

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

    def activation(self, argument: Expression, layer: str = "") -> str | None:
        """Return the activation of a layer, or of the layer that an argument belongs to."""
        own = [(split(name)[2], tree) for name, tree in self.definitions.items() if _activates(tree)]
        by_layer = {at: tree.op for at, tree in own if isinstance(tree, Apply)}
        by_argument = {tree.inputs[0]: tree.op for _, tree in own if isinstance(tree, Apply)}
        layers = [split(name)[2] for name in names_in(argument) if split(name)[2]]
        found = by_layer.get(layer) or by_argument.get(argument)
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

    def values(self, scale: str = "per sample") -> dict[str, Array]:
        """Return all values by name; the gradients of inner tensors on a scale."""
        m = self.m if scale == "per sample" else 1
        slopes = {f"d{n}": g * (1 if n in self.space.parameters else m) for n, g in self.truth.gradients.items()}
        plain: dict[str, Array] = dict.fromkeys(self.network.scalars, float(self.m)) | {RATE: 0.37}
        found = plain | self.network.constants | self.truth.values | self.arguments | slopes
        for name, tree in self.network.definitions.items():  # A0 for X
            if isinstance(tree, Name):
                pairs = (name, tree.text), (f"d{name}", f"d{tree.text}")
                found |= {own: found[other] for own, other in pairs if other in found}
        return found

    def scope(self) -> Scope:
        """Return the values as a scope for formulas."""
        return Scope(self.values(), self.m)


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


def _activates(tree: Expression) -> TypeGuard[Apply]:
    return isinstance(tree, Apply) and len(tree.inputs) == 1 and tree.op not in {"neg", "transpose", *SUMS}


# --- from equations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Style:
    """How the layers of a page are written: letters, on which side the weights stand, whether there are biases."""

    W: str = "W"
    b: str = "b"
    Z: str = "Z"
    A: str = "A"
    left: bool = True
    transposed: bool = False
    bias: bool = True
    hidden: str = "relu"
    output: str = "softmax"

    def linear(self, layer: str, before: str) -> Expression:
        """Return W A + b of a layer."""
        W: Expression = Name(self.W + layer)
        W = Apply("transpose", (W,)) if self.transposed else W
        product = Apply("matmul", (W, Name(before)) if self.left else (Name(before), W))
        return Apply("add", (product, Name(self.b + layer))) if self.bias else product


def build(equations: Mapping[str, Expression], mentioned: Iterable[str], errors: set[str]) -> list[Network]:
    """Return the network that equations define, and after it those that could be meant where one of them is wrong.

    What is missing is assumed: every layer that is mentioned, in the style of the others, ReLU inside and softmax at the
    end, as in the notes' own network 784 → 10 → 10; the last Z is the output where an error is computed of it (`errors`).
    """
    known = set(mentioned) | set(equations) | {name for tree in equations.values() for name in names_in(tree)}
    styles = _styles(equations, known)
    found = [network for style in styles for network in _built(equations, known, style, errors)]
    told = any(_linear(part) for tree in equations.values() for part in parts_of(tree))
    if not told or any(network.assumed for network in found):  # nothing is wrong only because of what was assumed
        found += [n for style in _usual(styles[0], told) for n in _built(equations, known, style, errors)]
    first: dict[str, Network] = {}
    for network in found:
        first.setdefault(repr(network.definitions), network)
    return list(first.values())


def _usual(style: Style, told: bool) -> Iterator[Style]:
    """Yield what else may be meant: samples in rows or in columns, W or Wᵀ, other activations."""
    sides = [(style.left, style.transposed)] if told else [(s, t) for t in (False, True) for s in (True, False)]
    for hidden, output in USUAL:
        for left, transposed in sides if not hidden else sides[:2]:
            yield replace(style, left=left, transposed=transposed, hidden=hidden or style.hidden, output=output)


def _built(equations: Mapping[str, Expression], known: set[str], style: Style, errors: set[str]) -> Iterator[Network]:
    layers = _layers(known, style)
    written = {n: t for n, t in equations.items() if n != DATA}
    aliases = _aliases(written, known, style)
    complete = _complete(written, known, aliases, style)
    if not complete and layers != [""]:
        written = {n: t for n, t in written.items() if n not in (style.W, style.b, style.Z, style.A)}
    template = _template(written, known, style, layers, errors)
    assumed = {} if complete else {name: tree for name, tree in template.items() if name not in written}
    base = {**{n: Name(t) for n, t in aliases.items() if n not in written}, **written, **assumed}
    said = tuple(f"{name} is taken to be {other}" for name, other in aliases.items() if name != "A0")
    meant = {n: template[n] for n, t in written.items() if n in template and not _same(t, template[n], base)}
    meant |= {n: _bare(t) for n, t in written.items() if n not in template and _bare(t) != t}
    odd = [n for n in meant if len(layers) > 1 or _bare(written[n]) != written[n]]
    one_each = [{n: t} for n, t in meant.items()]
    for changed in [{}, *one_each, *_exchanged(written, known), *([meant] if len(meant) > 1 else [])]:
        network = _network(base | changed, style, known, errors)
        if network is not None:
            price = len(set(odd) - set(changed)) + 0.5 * len(changed)
            yield replace(network, assumed=assumed, changed=changed, said=said, odd=price)


def _bare(tree: Expression) -> Expression:
    """Return a definition without the numbers and the signs before its parts."""

    def rule(part: Expression) -> Expression | None:
        match part:
            case Apply("mul", (Number(), x)) | Apply("neg", (x,)):
                return x
            case Apply("sub", (a, b)):
                return Apply("add", (a, b))
        return None

    return replaced(tree, rule)


def _exchanged(written: Mapping[str, Expression], known: set[str]) -> Iterator[dict[str, Expression]]:
    """Yield definitions with another parameter, where one is read twice and one of the same letter never."""
    reads = Counter(n for t in written.values() for n in set(names_in(t)))
    for own, other in ((n, o) for n in reads for o in sorted(known - set(reads)) if reads[n] > 1 and f"d{o}" in known):
        if split(own)[1] == split(other)[1] and own not in written:
            yield from ({n: renamed(t, {own: other})} for n, t in written.items() if own in names_in(t))


def _complete(written: dict[str, Expression], known: set[str], aliases: dict[str, str], style: Style) -> bool:
    """Whether equations say all: none reads, and nothing on the page names, a Z or an A that is not defined."""
    here = {*written, *aliases, DATA, f"{style.A}0"}
    open_ = {name for name in known if split(name)[1] in (style.Z, style.A, "Z", "A") and not split(name)[0]} - here
    return bool(written) and not open_ and any(DATA in names_in(_plain(t, aliases)) for t in written.values())


def _plain(tree: Expression, aliases: Mapping[str, str]) -> Expression:
    return replaced(tree, lambda p: Name(aliases[p.text]) if isinstance(p, Name) and p.text in aliases else None)


def _layers(known: set[str], style: Style) -> list[str]:
    parts = [split(name)[1:] for name in known]
    numbers = {int(layer) for letters, layer in parts if layer and letters in (style.W, style.b, style.Z, style.A)}
    last = next(k for k in range(MOST + 1) if k + 1 not in numbers or k == MOST)  # W12 alone is no twelfth layer
    if last == 0:
        bare = {letters for letters, layer in parts if not layer}
        return [""] if style.W in bare and not numbers and (style.Z in known or f"d{style.W}" in known) else ["1", "2"]
    return [str(k) for k in range(1, last + 1)]


def _styles(equations: Mapping[str, Expression], known: set[str]) -> list[Style]:
    """Read the style off the equations with a product: that of most of them first."""
    style = Style()
    for target, tree in equations.items():
        if isinstance(tree, Apply) and _activates(tree) and isinstance(tree.inputs[0], Name):
            argument = split(tree.inputs[0].text)
            if len(argument[1]) == 1 or argument[2]:  # scores is one tensor, and no letter of all layers
                style = replace(style, Z=argument[1], A=split(target)[1] if split(target)[2] else style.A)
    parts = [list(parts_of(tree)) for tree in equations.values()]
    hidden = [p.op for some in parts for p in some if isinstance(p, Apply) and _activates(p)]
    seen: Counter[tuple[str, bool, bool]] = Counter()
    for product in filter(None, (next(filter(_linear, some), None) for some in parts)):
        left, right = product.inputs if isinstance(product, Apply) else ()
        on_left = _is_weight(left) or not _is_weight(right)
        weight = left if on_left else right
        seen[split(names_in(weight)[0])[1], on_left, not isinstance(weight, Name)] += 1
    style = replace(
        style, bias=not seen or any(split(name)[1] == style.b for name in known),
        hidden=next((op for op in hidden if op in REGISTRY and op != "softmax"), "relu"),
    )  # fmt: skip
    most = seen.most_common(2)
    return [replace(style, W=W, left=left, transposed=turned) for (W, left, turned), _ in most] or [style]


def _linear(part: Expression) -> bool:
    return isinstance(part, Apply) and part.op in PRODUCTS and len(part.inputs) == 2 and all(
        isinstance(side, Name) or (isinstance(side, Apply) and side.op == "transpose") for side in part.inputs
    )  # fmt: skip


def _is_weight(side: Expression) -> bool:
    return split(names_in(side)[0])[1] in ("W", "w", "theta", "Theta", "U", "V")


def _aliases(written: dict[str, Expression], known: set[str], style: Style) -> dict[str, str]:
    """Find names that stand for others: A0 for X, another letter for the labels, a misread letter for Z1."""
    found: dict[str, str] = {}
    first = f"{style.A}0"
    data = written.get(first, Name(DATA))
    if data == Name(DATA):
        found |= {first: DATA} if first in known else {}
    elif isinstance(data, Name) and data.text not in written:
        found[data.text] = DATA
    for target, tree in written.items():
        if isinstance(tree, Apply) and _activates(tree) and isinstance(tree.inputs[0], Name):
            argument, layer = tree.inputs[0].text, split(target)[2]
            if (
                not {argument, style.Z + layer} & {*written}
                and argument != style.Z + layer
                and split(argument)[2] == layer
            ):
                found[argument] = style.Z + layer
    if LABELS not in known:
        labels = rf"(?:{LABELS}|T|y_?true)_?\d+|T|y_?true|labels?|targets?"
        found |= {name: LABELS for name in known if re.fullmatch(labels, name) and name not in written}
    return found


def _template(
    written: dict[str, Expression], known: set[str], style: Style, layers: list[str], errors: set[str]
) -> dict[str, Expression]:
    """Return what every layer would be if it were like the others."""
    found: dict[str, Expression] = {}
    before = DATA
    for layer in layers:
        linear, last = style.linear(layer, before), layer == layers[-1]
        Z = next((n for n, t in written.items() if split(n)[2] != layer and _same(t, linear, written)), style.Z + layer)
        own = [
            n
            for n, t in written.items()
            if n != Z and (t == Name(Z) or (_activates(t) and t.inputs[0] in (Name(Z), linear)))
        ]
        A = own[0] if own and style.A + layer not in written else style.A + layer
        tree = written.get(A, NOTHING)
        if _activates(tree) and not isinstance(tree.inputs[0], Name):  # σ(W X + b)
            written.setdefault(Z, tree.inputs[0])
            written[A] = tree = Apply(tree.op, (Name(Z),))
        found[Z] = linear
        ops = [p.op for p in parts_of(tree) if _activates(p) and p.op in REGISTRY]
        if isinstance(tree, Name):
            found[A] = Name(Z)
        elif ops or not (last and Z in errors and A not in known):  # else Z itself is the output
            found[A] = Apply(ops[0] if ops else style.output if last else style.hidden, (Name(Z),))
        before = A if A in found else Z
    return found


def _same(a: Expression, b: Expression, base: Mapping[str, Expression]) -> bool:
    """Whether two equations are the same but for aliases, signs of products, axes and the order of a sum."""

    def rule(part: Expression) -> Expression | None:
        match part:
            case Name(text) if isinstance(base.get(text), Name):
                return base[text]
            case Apply(op, inputs):
                inputs = tuple(sorted(inputs, key=repr)) if op == "add" else inputs
                return Apply("matmul" if op in PRODUCTS else op, inputs)
        return None

    return replaced(a, rule) == replaced(b, rule)


def _network(base: dict[str, Expression], style: Style, known: set[str], errors: set[str]) -> Network | None:
    """Put definitions in order, tell their shapes, and name the sizes."""
    ordered: dict[str, Expression] = {}
    waiting = dict(base)
    while waiting:
        ready = [n for n, t in waiting.items() if not set(names_in(t)) & (set(waiting))]
        if not ready:
            break
        ordered |= {name: waiting.pop(name) for name in ready}
    cyclic = tuple(waiting)
    ordered = {n: t for n, t in ordered.items() if not set(names_in(t)) & set(cyclic)}
    read_ = {n for t in ordered.values() for n in names_in(t)}
    ends = [n for n, t in ordered.items() if n not in read_ and t not in (Name(DATA), Name(LABELS))]
    if not ends:
        return None
    output = max(ends, key=lambda n: (n in errors, int(split(n)[2] or 0), ends.index(n)))
    while isinstance(alias := ordered.get(output), Name):
        output = alias.text
    if alias is None:
        return None
    shapes = _Shapes(ordered, style)
    axes = shapes.named(output)
    if axes is None:
        return None
    counts = [n for n in sorted(known) if n in ("N", "n", "M", "B") and SAMPLES not in known]
    definitions = {n: shapes.settled(t, 1 if axes[DATA][0] == SAMPLES else 0) for n, t in ordered.items()}
    network = Network(definitions, axes, output, scalars=(SAMPLES, *counts[:1]), cyclic=cyclic)
    out = definitions[output]
    return network.with_loss(STANDARD.get(out.op if isinstance(out, Apply) else "", [HALF])[0])


def _is_tensor(tree: Expression) -> bool:
    return any(isinstance(part, Name) and not part.scalar for part in parts_of(tree))


class _Shapes:
    """The sizes of all tensors, by unification: each tensor has two, and every op says which are equal."""

    def __init__(self, definitions: Mapping[str, Expression], style: Style) -> None:
        self.parent: list[int] = []
        self.shapes: dict[str, tuple[int, int]] = {}
        self.biases: dict[str, tuple[int, int]] = {}
        self.definitions, self.style = definitions, style
        for name, tree in definitions.items():
            found = self.shape(tree)
            if found is not None:
                self.equal(self.of(name), found)

    def new(self) -> int:
        self.parent.append(len(self.parent))
        return len(self.parent) - 1

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            i = self.parent[i]
        return i

    def equal(self, a: tuple[int, int], b: tuple[int, int]) -> None:
        for x, y in zip(a, b, strict=True):
            self.parent[self.find(x)] = self.find(y)

    def of(self, name: str) -> tuple[int, int]:
        if name not in self.shapes:
            self.shapes[name] = self.new(), self.new()
        return self.shapes[name]

    def is_product(self, tree: Apply) -> bool:
        """Whether a product is one of matrices: one between a parameter and something that is no number."""
        scalar = [not _is_tensor(side) for side in tree.inputs]
        weights = [
            bool(names_in(p)) and (_is_weight(p) or split(names_in(p)[0])[1] == self.style.W) for p in tree.inputs
        ]
        return any(weights) and not any(scalar)

    def shape(self, tree: Expression) -> tuple[int, int] | None:
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
            self.parent[self.find(a[1])] = self.find(b[0])
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
        if DATA not in self.shapes:
            return None
        leaves = [n for n in self.shapes if n not in self.definitions and n != DATA and n not in self.biases]
        owned = {self.find(i) for name in leaves for i in self.shapes[name]}
        data = [self.find(i) for i in self.shapes[DATA]]
        free = [i for i in data if i not in owned] or [data[1]]
        names = {free[-1]: SAMPLES}
        for i in data:
            names.setdefault(i, "n")
        out = [self.find(i) for i in self.shapes[output]]
        hidden: list[int] = []
        for name in (*leaves, *self.definitions):
            hidden += [i for i in map(self.find, self.shapes.get(name, ())) if i not in (*names, *out, *hidden)]
        for k, i in enumerate(hidden):
            names[i] = f"h{k + 1}" if len(hidden) > 1 else "h"
        for i in out:
            names.setdefault(i, "c")

        def axes(shape: tuple[int, int]) -> tuple[str, str]:
            return names[self.find(shape[0])], names[self.find(shape[1])]

        found = {DATA: axes(self.shapes[DATA]), LABELS: axes(self.shapes[output])}
        found |= {name: axes(self.shapes[name]) for name in leaves if name != LABELS}
        for name, whole in self.biases.items():
            rows, columns = axes(whole)
            found[name] = (rows if rows != SAMPLES else "1", columns if columns != SAMPLES else "1")
        return found


__all__ = ["Network", "Sample", "build", "names_in", "others", "sample", "split"]
