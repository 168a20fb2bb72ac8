"""The equations of a model, read off the recorded graph of both passes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..graph import Graph, Vertex
from ..nn import Module
from ..op import REGISTRY
from .expression import Apply, Expression, Name, parts_of, replaced
from .term import ONE, Factor, Term, applied, as_tree, factor_of, number_term, size_of
from .trace import Trace, traces
from .why import fitting, rules_of

Scale = Literal["notes", "mean"]
LIMIT = 24  # names, numbers and ops in an equation: of a longer one a part gets a name of its own
ALPHA = Name("α", scalar=True)
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Equation:
    """name = tree.  `shape` is in numbers, where m stays m; `sizes` in the names that the annotations give them."""

    name: str
    tree: Expression
    shape: tuple[str, ...]
    sizes: tuple[str, ...]
    sign: str = "="
    why: str = ""


@dataclass(frozen=True)
class Equations:
    """What stands in the notes of a model; `parameters` has the full names of those that are shortened, layer1.weight."""

    title: str
    scale: Scale
    parameters: dict[str, str]
    forward: list[Equation]
    backward: list[Equation]
    updates: list[Equation]

    @property
    def sections(self) -> list[tuple[str, list[Equation]]]:
        """The parts of the page, with their titles."""
        mean = "Backward pass: gradients of the mean loss J"
        notes = "Backward pass: dZ is the gradient of each sample's own loss, dW and db are those of the mean loss J"
        return [
            ("Forward pass", self.forward),
            (mean if self.scale == "mean" else notes, self.backward),
            ("Update", self.updates),
        ]


def equations(model: Module, scale: Scale = "notes") -> Equations:
    """Read the equations off a model, after running both passes on inputs made up for it."""
    found = traces(model)
    return _Writer(model, scale, found[-1], found[0]).equations()


class _Writer:
    """Goes through the vertices once, in order, and writes a term for each; what has a place of its own becomes a name."""

    def __init__(self, model: Module, scale: Scale, trace: Trace, real: Trace) -> None:
        self.model, self.scale, self.trace, self.real = model, scale, trace, real
        self.samples = next((name for name in trace.sizes if name not in trace.real), None)
        graphs = [trace.graph] if trace.forward is None else [trace.forward, trace.graph]
        self.own = [name for name, _ in model.named_parameters()]
        names = [v.name for graph in graphs for v in graph.vertices if v.name is not None and v.name not in self.own]
        self.shown = _short(self.own, set(names))
        self.taken = {*names, *self.shown.values(), *(f"d{name}" for name in [*names, *self.shown.values()])}
        own = {} if trace is not real else {str(n): n for n in real.real.values() if n > 9}  # 2/784, not 1/392
        self.numbers = {**trace.sizes, **own}
        self.known: dict[Term, Name] = {}  # what has a name: softmax(Z2) is A2
        self.names: dict[int, str] = {}  # of vertices of the loss's graph
        self.leaves: dict[str, Any] = {}
        self.inputs: dict[str, tuple[str, ...]] = {}  # their shapes
        self.constants: list[tuple[Any, str]] = []  # arrays of which nothing is known, such as masks
        self.numbered = Counter[str]()
        self.places = self._places()
        vertices = trace.graph.vertices
        self.ends = {place for i, place in trace.slopes.items() if vertices[i].op is None}  # gradients of parameters
        self.forward: dict[str, Equation] = {}
        self.backward: list[Equation] = []

    def equations(self) -> Equations:
        """Write everything."""
        terms: list[Term] = []
        self._pass(self.trace.graph, self.real.graph, terms, self.trace.seed)
        if self.trace.forward is not None:
            assert self.real.forward is not None
            self._pass(self.trace.forward, self.real.forward, [], len(self.trace.forward.vertices))
        self._pass(self.trace.graph, self.real.graph, terms, len(self.trace.graph.vertices))
        leaves = [(i, self.shown[v.name]) for i, v in enumerate(self.trace.graph.vertices) if v.name in self.shown]
        leaves.sort(key=lambda leaf: list(self.shown.values()).index(leaf[1]))
        for i, name in leaves:
            if i in self.trace.slopes:
                self._insert(self._equation(f"d{name}", as_tree(terms[self.trace.slopes[i]]), i))
        updates = [
            self._equation(name, Apply("sub", (Name(name), Apply("mul", (ALPHA, Name(f"d{name}"))))), i, sign=":=")
            for i, name in leaves
        ]
        self.forward = {name: self._abbreviated(equation) for name, equation in self.forward.items()}
        J = self.names[self.trace.loss]
        self.forward[J] = self.forward.pop(J)  # the last
        places = {name: i for i, name in leaves} | {name: i for i, name in self.names.items()}
        shapes = self.inputs | {name: self._equation(name, ONE, i).shape for name, i in places.items()}
        shapes |= {e.name: e.shape for e in [*self.forward.values(), *self.backward]}
        forward = [replace(e, why=fitting(e.tree, e.shape, shapes)) for e in self.forward.values()]
        backward = [
            replace(
                e, why="; ".join(filter(None, (self._rules(places.get(e.name[1:])), fitting(e.tree, e.shape, shapes))))
            )
            for e in self.backward
        ]
        legend = {short: own for own, short in self.shown.items() if own != short}
        return Equations(type(self.model).__name__, self.scale, legend, forward, backward, updates)

    def _rules(self, i: int | None) -> str:
        """Say by which rules the gradient of a tensor follows from those it is made of."""
        return "" if i is None else rules_of(i, self.trace, self.places, self.scale == "notes" and bool(self.samples))

    def _places(self) -> dict[int, int]:
        """Return, by the position of a gradient that has an equation of its own, the position of what it is the gradient of.

        An inner gradient that is used once is folded into the equation that uses it, if it is that of an activation or of a
        tensor without a name.
        """
        vertices, users = self.trace.graph.vertices, self.trace.graph.consumers
        constant: list[bool] = []  # −1/m is no line of its own
        for i, vertex in enumerate(vertices):
            leaf = vertex.kind == "number" or i == self.trace.seed
            constant.append(leaf if vertex.op is None else all(constant[j] for j in vertex.inputs))
        found: dict[int, int] = {}
        for i, place in sorted(self.trace.slopes.items()):
            vertex = vertices[i]
            if vertex.op is None or i == self.trace.loss or constant[place]:
                continue
            activation = len(vertex.inputs) == 1 and vertices[vertex.inputs[0]].shape == vertex.shape
            own = len(users[place]) > 1 or (vertex.name is not None and not activation)
            grown = sum(vertices[j].requires_grad for j in vertex.inputs) > 1  # W X + b rather than W X, or W X + b − Y
            unnamed = place in found and vertices[found[place]].name is None
            better = place not in found or (unnamed and (vertex.name is not None or grown))
            if own and users[place] and better:
                found[place] = i
        return found

    def _pass(self, graph: Graph, real: Graph, terms: list[Term], end: int) -> None:
        """Write the vertices of a graph from where the terms end; in the loss's graph those after the seed are backward."""
        wanted = set(self.places.values()) if graph is self.trace.graph else set()
        for i in range(len(terms), end):
            vertex = graph.vertices[i]
            if vertex.op is None:
                seed = graph is self.trace.graph and i == self.trace.seed
                terms.append(number_term(Factor()) if seed else self._leaf(vertex, real.vertices[i]))
                continue
            inputs = [terms[j] for j in vertex.inputs]
            shapes = [graph.vertices[j].shape for j in vertex.inputs] + [vertex.shape]
            term = self._term(vertex, inputs, shapes)
            if graph is not self.trace.graph or i < self.trace.seed:
                terms.append(self._placed_forward(i, vertex, term, graph, i in wanted))
            elif i in self.places:
                terms.append(self._placed_backward(i, f"d{self.names[self.places[i]]}", term))
            elif size_of(term.tree) > LIMIT and i not in self.ends:
                terms.append(self._part(i, term))
            else:
                terms.append(self._named(term))

    def _term(self, vertex: Vertex, inputs: list[Term], shapes: list[tuple[int, ...]]) -> Term:
        assert vertex.op is not None
        if vertex.op.name == "mean":  # 1/m Σ
            count = _count(shapes[0]) / max(_count(shapes[1]), 1)
            total = applied(REGISTRY["sum"], inputs, vertex.params, shapes)
            return Term(total.factor / factor_of(count, self.numbers), total.tree)
        names = {n: name for name, n in self.trace.sizes.items()}
        params = {key: _symbolic(value, names) for key, value in vertex.params.items()}
        return applied(vertex.op, inputs, params, shapes)

    # --- leaves -------------------------------------------------------------------------------------------------------

    def _leaf(self, vertex: Vertex, twin: Vertex) -> Term:
        """Write a parameter, an input or a number."""
        if vertex.kind == "number":
            factor = factor_of(float(vertex.value), self.numbers)
            known = {**self.numbers, **self.real.sizes, **self.trace.real}
            if not np.isclose(factor.at(known), float(twin.value), rtol=1e-9, atol=0):
                factor = factor_of(float(twin.value), self.real.sizes)
            return number_term(factor)
        if vertex.name is not None:
            name = self.shown.get(vertex.name, _upright(vertex.name))
            self.leaves[name] = vertex.value
            self.inputs[name] = tuple(_extent(n, {n: size for size, n in self.real.sizes.items()}) for n in twin.shape)
            return Term(Factor(), Name(name))
        value = np.asarray(vertex.value)
        for name, leaf in self.leaves.items():
            if leaf is not None and np.shape(leaf)[::-1] == value.shape and np.array_equal(np.transpose(leaf), value):
                return Term(Factor(), Apply("transpose", (Name(name),)))
        if value.size and value.dtype.kind == "f" and (value == value.flat[0]).all():
            number = number_term(factor_of(float(value.flat[0]), self.numbers))
            return number if value.ndim == 0 else Term(number.factor, Apply("broadcast_to", (number.tree,)))
        met = [name for other, name in self.constants if np.array_equal(other, value)]
        if not met:
            met = [self._fresh("mask" if value.dtype.kind == "b" else "c")]
            self.constants.append((value, met[0]))
        return Term(Factor(), Name(met[0]))

    # --- places -------------------------------------------------------------------------------------------------------

    def _placed_forward(self, i: int, vertex: Vertex, term: Term, graph: Graph, wanted: bool) -> Term:
        """Give a tensor an equation where it has a name, or its gradient needs one, or it is too long for another's."""
        name = self.known.get(term)
        wanted = wanted or (graph is self.trace.graph and i == self.trace.loss)
        if name is None and (vertex.name is not None or wanted or size_of(term.tree) > LIMIT):
            affine = vertex.op is not None and vertex.op.name in AFFINE
            kind = "J" if i == self.trace.loss and "J" not in self.taken else "Z" if affine else "T"
            own = vertex.name if vertex.name is not None else self._fresh(kind, _layer(graph, i))
            own = _upright(own) if own not in self.forward else self._fresh(own)
            name = self.known[term] = Name(own)
            self.forward[own] = self._equation(own, as_tree(term), i, graph)
        if name is None:
            return term
        if graph is self.trace.graph:
            self.names[i] = name.text
        return Term(Factor(), name)

    def _placed_backward(self, i: int, name: str, term: Term) -> Term:
        """Give an inner gradient an equation; in the notes it is that of each sample's own loss, without the 1/m."""
        m = self.samples
        shape = self._equation(name, term.tree, i)
        if self.scale == "notes" and m is not None and m in "".join(shape.shape):
            whole = term.factor
            term = Term(whole.without(m), term.tree)
            rest = whole / term.factor
        else:
            rest = Factor()
        self.backward.append(self._equation(name, as_tree(term), i))
        return Term(rest, Name(name))

    def _part(self, i: int, term: Term) -> Term:
        """Give a part of a long formula a name."""
        name = self._fresh("T")
        self.backward.append(self._equation(name, term.tree, i))
        return Term(term.factor, Name(name))

    def _named(self, term: Term) -> Term:
        name = self.known.get(Term(Factor(), term.tree))
        return term if name is None else Term(term.factor, name)

    def _abbreviated(self, equation: Equation) -> Equation:
        """Write A2 where the softmax(Z2) inside another op is meant."""

        def rule(part: Expression) -> Expression | None:
            name = self.known.get(Term(Factor(), part))
            return name if name is not None and name.text != equation.name else None

        return replace(equation, tree=replaced(equation.tree, rule))

    def _insert(self, equation: Equation) -> None:
        """Put the gradient of a parameter after the last equation that it uses, and those that stand there already."""
        used = {part.text for part in parts_of(equation.tree) if isinstance(part, Name)}
        inner = [k for k, other in enumerate(self.backward) if other.name in used]
        place = max(inner, default=-1) + 1
        leaves = {f"d{name}" for name in self.shown.values()}
        while place < len(self.backward) and self.backward[place].name in leaves:
            place += 1
        self.backward.insert(place, equation)

    def _equation(self, name: str, tree: Expression, i: int, graph: Graph | None = None, sign: str = "=") -> Equation:
        if isinstance(tree, Apply) and tree.op == "broadcast_to":  # the shape says so
            tree = tree.inputs[0]
        symbolic = (graph or self.trace.graph).vertices[i].shape
        numbers = (self.real.forward if graph is self.trace.forward else self.real.graph) or self.real.graph
        samples = {n: name for name, n in self.real.sizes.items()}
        shape = tuple(_extent(n, samples) for n in numbers.vertices[i].shape)
        sizes = tuple(_extent(n, {n: name for name, n in self.trace.sizes.items()}) for n in symbolic)
        return Equation(name, tree, shape, sizes, sign)

    def _fresh(self, prefix: str, wanted: str = "") -> str:
        """Return a name that is not taken, if possible with the wanted number."""
        if prefix == "J":
            self.taken |= {"J", "dJ"}
            return "J"
        name = f"{prefix}{wanted}"
        while not wanted or name in self.taken:
            wanted = str(self.numbered[prefix] + 1)
            self.numbered[prefix] += 1
            name = f"{prefix}{wanted}"
        self.taken |= {name, f"d{name}"}
        return name


AFFINE = {"add", "sub", "matmul", "conv", "einsum"}


def _layer(graph: Graph, i: int) -> str:
    """Return the number of the layer whose activation, A1, is made of an unnamed tensor."""
    for vertex in graph.vertices[i + 1 :]:
        if vertex.inputs == (i,) and vertex.name is not None and (m := re.fullmatch(r"[^\W\d]+?(\d+)", vertex.name)):
            return m[1]
    return ""


def _short(own: list[str], taken: set[str]) -> dict[str, str]:
    """Return short names of parameters: W1 and b1 for the weight and the bias of the first layer that has such."""
    owners = Counter[str]()
    found: dict[str, str] = {}
    for name in own:
        owner, _, attribute = name.rpartition(".")
        if not owner:
            found[name] = name
            continue
        if owner not in owners:
            owners[owner] = len(owners) + 1
        short = f"{({'weight': 'W', 'bias': 'b'}).get(attribute, attribute)}{owners[owner]}"
        found[name] = short if short not in taken and short not in found.values() else name.replace(".", "_")
    return found


def _upright(name: str) -> str:
    """Return the name of the second tensor x with its number on paper: x⁽²⁾ for x#2."""
    return re.sub(r"#(\d+)$", lambda m: f"⁽{m[1].translate(_SUPERSCRIPT)}⁾", name)


def _symbolic(value: Any, names: Mapping[int, str]) -> Any:
    """Return a parameter of an op, such as a shape, with the names of the sizes in it."""
    if isinstance(value, tuple):
        return tuple(_symbolic(x, names) for x in value)
    if type(value) is int and value > 1 and (written := _extent(value, names)) != str(value):
        return written
    return value


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def _extent(n: int, names: Mapping[int, str]) -> str:
    """Write an extent: m for the size that stands for it, 4m for four times that."""
    for size, name in names.items():
        if n and n % size == 0:
            return name if n == size else f"{n // size}{name}"
    return str(n)
