"""The equations of a model, read off the recorded graph of both passes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement
from typing import Any, Literal

import numpy as np

from ..formula.expression import Apply, Expression, Name, Number, Setting, Size, evaluate, parts_of, replaced, write
from ..formula.factor import Factor, factor_of
from ..formula.simplify import (
    MATRICES,
    ONE,
    Term,
    applied,
    as_tree,
    cancelled,
    constant,
    is_long,
    is_quotient,
    number_term,
    order_of,
)
from ..graph import Graph, Vertex
from ..nn import Module
from ..op import REGISTRY, Op
from ..tensor import is_array
from ..truth.equal import Same, same
from .axes import sizes_by_name
from .trace import Trace, traces
from .why import fitting, rules_of, size

Scale = Literal["notes", "mean"]
SHORT = 20  # letters that may be written again
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
    """What stands in the notes of a model.

    `parameters` has the full names of those that are shortened, layer1.weight; `constants` the shapes of arrays of the code.
    """

    title: str
    scale: Scale
    parameters: dict[str, str]
    forward: list[Equation]
    backward: list[Equation]
    updates: list[Equation]
    constants: dict[str, str] = field(default_factory=dict)

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


def equations(model: Module, scale: Scale = "notes", explain: bool = False) -> Equations:
    """Read the equations off a model, after running both passes on inputs made up for it."""
    found = traces(model)
    return _Writer(model, scale, found[-1], found[0]).equations(explain)


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
        self.constants: list[tuple[Any, str]] = []  # arrays of which nothing is known, such as masks
        self.numbered = Counter[str]()
        self.values: dict[str, Any] = {name: np.asarray(float(n)) for name, n in self.numbers.items()}
        self.axes = self._axes() if trace is real else []
        self.forward_of = {place: i for i, place in trace.slopes.items()}
        self.users = trace.graph.consumers
        self.places = self._places()
        vertices = trace.graph.vertices
        self.ends = {place for i, place in trace.slopes.items() if vertices[i].op is None}  # gradients of parameters
        self.forward: dict[str, Equation] = {}
        self.backward: list[Equation] = []

    def _axes(self) -> list[list[tuple[str, ...]]]:
        """Return the names of the sizes in the graph of the loss and in that of the forward method, at the real sizes."""
        found = sizes_by_name(self.trace.graph, self.trace.axes)
        leaves = {v.name: axes for v, axes in zip(self.trace.graph.vertices, found, strict=True) if v.name and not v.op}
        forward = self.trace.forward
        return [found] if forward is None else [found, sizes_by_name(forward, {**self.trace.axes, **leaves})]

    def equations(self, explain: bool) -> Equations:
        """Write everything."""
        terms: list[Term] = []
        self._pass(self.trace.graph, self.real.graph, terms, self.trace.seed)
        if self.trace.forward is not None:
            assert self.real.forward is not None
            self._pass(self.trace.forward, self.real.forward, [], len(self.trace.forward.vertices))
        self._name_outputs(terms)
        self._pass(self.trace.graph, self.real.graph, terms, len(self.trace.graph.vertices))
        vertices = enumerate(self.trace.graph.vertices)
        leaves = [(i, self.shown[v.name]) for i, v in vertices if v.name in self.shown and i in self.trace.slopes]
        leaves.sort(key=lambda leaf: list(self.shown.values()).index(leaf[1]))
        for i, name in leaves:
            self._insert(self._equation(f"d{name}", as_tree(terms[self.trace.slopes[i]]), i))
        updates = [
            self._equation(name, Apply("sub", (Name(name), Apply("mul", (ALPHA, Name(f"d{name}"))))), i, sign=":=")
            for i, name in leaves
        ]
        self._drop_unused({f"d{name}" for _, name in leaves})
        self.forward = {name: self._abbreviated(equation) for name, equation in self.forward.items()}
        J = self.names[self.trace.loss]
        self.forward[J] = self.forward.pop(J)  # the last
        forward = list(self.forward.values())
        if explain:
            places = {name: i for i, name in leaves} | {name: i for i, name in self.names.items()}
            forward = [replace(e, why=self._fitting(e)) for e in forward]
            self.backward = [replace(e, why=self._why(e, places.get(e.name[1:]))) for e in self.backward]
        legend = {short: own for own, short in self.shown.items() if own != short}
        used = {part.text for e in [*forward, *self.backward] for part in parts_of(e.tree) if isinstance(part, Name)}
        constants = {name: size(self._shape_of(Name(name))) for _, name in self.constants if name in used}
        return Equations(type(self.model).__name__, self.scale, legend, forward, self.backward, updates, constants)

    def _drop_unused(self, wanted: set[str]) -> None:
        """Leave out inner gradients that no line uses, since they cancelled."""
        used = {part.text for e in self.backward for part in parts_of(e.tree) if isinstance(part, Name)}
        kept = [e for e in self.backward if e.name in used | wanted]
        if len(kept) < len(self.backward):
            self.backward = kept
            self._drop_unused(wanted)

    def _why(self, equation: Equation, i: int | None) -> str:
        """Say by which rules the gradient of a tensor follows from those it is made of, and how the shapes fit."""
        per_sample = self.scale == "notes" and bool(self.samples)
        rules = "" if i is None else rules_of(i, self.trace, self.places, per_sample)
        return "; ".join(filter(None, (rules, self._where_labels_sum_to_one(equation.tree), self._fitting(equation))))

    def _where_labels_sum_to_one(self, tree: Expression) -> str:
        """Say what a formula with Σ Y is for one-hot labels, of which the graph knows nothing."""

        def rule(part: Expression) -> Expression | None:
            match part:
                case Apply("sum", (Name(text),)) if text in self.leaves and text not in self.shown.values():
                    return ONE if self._shape_of(part) else None
                case Apply("mul", (inner, Number(1))) | Apply("mul", (Number(1), inner)):
                    return inner
            return None

        sums = [part for part in parts_of(tree) if isinstance(part, Apply) and rule(part) == ONE]
        return (
            f"where {write(sums[0])} = 1, as for one-hot labels, this is {write(replaced(tree, rule))}" if sums else ""
        )

    def _fitting(self, equation: Equation) -> str:
        try:
            return fitting(equation.tree, equation.shape, self._shape_of)
        except (ValueError, IndexError):  # axes of length 1 that are not written would be needed
            return ""

    def _shape_of(self, tree: Expression) -> tuple[str, ...]:
        """Return the shape of a formula in numbers, where m stays m."""
        names = {n: name for name, n in self.trace.sizes.items()}
        return tuple(self._in_numbers(n, names) for n in np.shape(evaluate(tree, self.values)))

    def _in_numbers(self, n: int, names: Mapping[int, str]) -> str:
        for prime, name in names.items():
            while name != self.samples and n and n % prime == 0:
                n = n // prime * self.trace.real[name]
        return _extent(n, {prime: name for prime, name in names.items() if name == self.samples})

    def _places(self) -> dict[int, int]:
        """Return, by the position of a gradient that has an equation of its own, the position of what it is the gradient of.

        An inner gradient that is used once is folded into the equation that uses it, if it is that of an activation or of a
        tensor without a name.
        """
        vertices, users = self.trace.graph.vertices, self.users
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
            product = vertex.op.form == "product" and any(j > self.trace.seed for j in users[i])  # ReLU'(W X)
            own = len(users[place]) > 1 or product or (vertex.name is not None and not activation)
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
                terms.append(number_term(Factor()) if seed else self._leaf(i, graph, real.vertices[i]))
                continue
            inputs = [terms[j] for j in vertex.inputs]
            shapes = [self._symbolic(graph.vertices[j].shape) for j in vertex.inputs] + [self._symbolic(vertex.shape)]
            term = self._term(vertex, inputs, shapes)
            if graph is self.trace.graph and i > self.trace.seed:
                term = self._cancelled(term)
            if graph is not self.trace.graph or i < self.trace.seed:
                terms.append(self._placed_forward(i, vertex, term, graph, i in wanted))
            elif i in self.places:
                terms.append(self._placed_backward(i, f"d{self.names[self.places[i]]}", term))
            elif is_long(term.tree) and i not in self.ends:
                terms.append(self._part(i, term))
            else:
                terms.append(self._named(term))

    def _term(self, vertex: Vertex, inputs: list[Term], shapes: list[tuple[int, ...]]) -> Term:
        assert vertex.op is not None
        if vertex.op.name == "mean":  # 1/m Σ
            count = _count(shapes[0]) / max(_count(shapes[1]), 1)
            total = applied(REGISTRY["sum"], inputs, vertex.params, shapes)
            return Term(total.factor / factor_of(count, self.numbers), total.tree)
        params = {key: self._symbolic(value) for key, value in vertex.params.items()}
        if vertex.op.form == "elementwise" and vertex.shape not in shapes[:-1]:  # a column and a row
            here = [np.shape(self._value(term.tree)) for term in inputs]
            if vertex.op.name == "mul" and all(len(shape) == 1 for shape in here):
                a, b = sorted(zip(inputs, shapes, strict=False), key=lambda both: both[1][-1:] != (1,))
                return applied(REGISTRY["outer"], [a[0], b[0]], {}, [here[0], here[1], vertex.shape])
            inputs = [
                term
                if shape == own
                else Term(term.factor, Apply("reshape", (term.tree,), (("shape", self._symbolic(own)),)))
                for term, shape, own in zip(inputs, here, shapes, strict=False)
            ]
        return applied(vertex.op, inputs, params, shapes)

    def _cancelled(self, term: Term) -> Term:
        """Write a formula without quotients that cancel; the value must stay, and its shape, which may hang on them."""
        known: dict[Expression, Expression] = {
            Name(e.name): e.tree for e in self.backward if any(map(is_quotient, parts_of(e.tree)))
        }
        for e in self.forward.values():  # what A is a quotient of, in terms of A
            match e.tree:
                case Apply("div", (Name() as above, below)):
                    known[above] = Apply("mul", (Name(e.name), below))
                case Apply("div", (Number(1), Apply("add", (Number(1), rest)))):
                    known[rest] = Apply("div", (Apply("sub", (ONE, Name(e.name))), Name(e.name)))
        found = cancelled(term.tree, known) or self._summed(term.tree)
        if found is None:
            return term
        found = Term(term.factor * found.factor, found.tree)
        one, two = (self._value(as_tree(x)) for x in (term, found))
        return found if same(one, two, Same.ROUGH) else term

    def _value(self, tree: Expression) -> Any:
        """Return the value of a formula; an empty array where axes of length 1 that are not written would be needed."""
        try:
            with np.errstate(all="ignore"):
                return evaluate(tree, self.values)
        except (ValueError, IndexError):
            return np.empty(0)

    def _summed(self, tree: Expression) -> Term | None:
        """Σ dZᵀ A over a stack of matrices, which the rule of a product does as one long product."""
        match tree:
            case Apply("matmul", (Apply("transpose", (Apply("reshape", (a,)),)), Apply("reshape", (b,)))):
                one, two = (np.shape(self._value(x)) for x in (a, b))
                if len(one) > 2 and one[:-1] == two[:-1]:
                    product = Apply("matmul", (Apply(MATRICES[0], (a,), MATRICES[1]), b))
                    axes = (("axis", tuple(range(len(one) - 2))), ("keepdims", False))
                    return Term(Factor(), Apply("sum", (product,), axes))
        return None

    def _symbolic(self, value: Any) -> Any:
        """Return a parameter of an op, such as a shape, with the names of the sizes in it; labels by their name."""
        if isinstance(value, tuple) and not all(map(is_array, value)):
            return tuple(map(self._symbolic, value))
        if is_array(value) and value.ndim:
            known = [*self.leaves.items(), *((name, x) for x, name in self.constants)]
            known += [(f"{name}ᵀ", np.transpose(x)) for name, x in known]
            return Setting(value, next((name for name, x in known if np.array_equal(x, value)), ""))
        names_of_sizes = {n: name for name, n in self.trace.sizes.items()}
        if type(value) is int and value > 1 and (written := _extent(value, names_of_sizes)) != str(value):
            return Size(value, written)
        return value

    # --- leaves -------------------------------------------------------------------------------------------------------

    def _leaf(self, i: int, graph: Graph, twin: Vertex) -> Term:
        """Write a parameter, an input or a number."""
        vertex = graph.vertices[i]
        if vertex.kind == "number":
            factor = factor_of(float(vertex.value), self.numbers)
            known = {**self.numbers, **self.real.sizes, **self.trace.real}
            if not np.isclose(factor.at(known), float(twin.value), rtol=1e-9, atol=0):
                factor = factor_of(float(twin.value), self.real.sizes)
            return number_term(factor)
        if vertex.name is not None:
            name = self.shown.get(vertex.name, _upright(vertex.name))
            self.leaves[name] = vertex.value
            self.values[name] = np.reshape(vertex.value, self._used_shape(graph, i))
            return Term(Factor(), Name(name))
        value = np.asarray(vertex.value)
        for name, leaf in self.leaves.items():
            if np.shape(leaf)[::-1] == value.shape and np.array_equal(np.transpose(leaf), value):
                return Term(Factor(), Apply("transpose", (Name(name),)))
        if value.size and value.dtype.kind == "f" and (value == value.flat[0]).all():
            number = number_term(factor_of(float(value.flat[0]), self.numbers))
            return constant(number.factor, self._symbolic(value.shape))
        met = [name for other, name in self.constants if np.array_equal(other, value)]
        if not met:
            met = [self._fresh("mask" if value.dtype.kind == "b" else "c")]
            self.constants.append((value, met[0]))
            self.values[met[0]] = value
        return Term(Factor(), Name(met[0]))

    def _used_shape(self, graph: Graph, i: int) -> tuple[int, ...]:
        """Return the shape that a bias is used in, where its own has no place for columns and rows: 10×1 for 10."""
        vertex, shape = graph.vertices[i], graph.vertices[i].shape
        if len(shape) != 1 or vertex.kind != "parameter":
            return shape
        used = set()
        for j in graph.consumers[i]:
            user = graph.vertices[j]
            if j < self.trace.seed and user.op is not None:
                wide = user.op.form == "elementwise" and len(user.shape) > 1
                same = [n for n in user.shape if n != 1] == [n for n in shape if n != 1]
                used.add((1, *shape) if wide else user.shape if same and user.op.form == "reshaping" else shape)
        return used.pop() if len(used) == 1 else shape

    # --- places -------------------------------------------------------------------------------------------------------

    def _placed_forward(self, i: int, vertex: Vertex, term: Term, graph: Graph, wanted: bool) -> Term:
        """Give a tensor an equation where it has a name, or its gradient needs one, or it is too long for another's."""
        name = self.known.get(term)
        wanted = wanted or (graph is self.trace.graph and i == self.trace.loss) or self._is_met_again(i, term, graph)
        if name is None and (vertex.name is not None or wanted or is_long(term.tree)):
            affine = vertex.op is not None and _is_affine(vertex.op) and vertex.shape != ()
            layer = _layer(graph, i)
            kind = "J" if i == self.trace.loss and "J" not in self.taken else "Z" if affine else "T"
            if kind == "T" and (activated := self._activation(term)):
                kind, layer = "A", activated
            own = vertex.name if vertex.name is not None else self._fresh(kind, layer)
            own = _upright(own) if own not in self.forward else self._fresh(own)
            name = self.known[term] = Name(own)
            self.forward[own] = self._equation(own, as_tree(term), i, graph)
            self.values[own] = vertex.value
        if name is None:
            return term
        if graph is self.trace.graph:
            self.names[i] = name.text
        return Term(Factor(), name)

    def _name_outputs(self, terms: Sequence[Term]) -> None:
        """Give the softmax(Z2) inside a loss the name A2, where `forward` has not given it one."""
        for vertex in self.trace.graph.vertices[: self.trace.seed]:
            op = vertex.op.name.removesuffix("_cross_entropy") if vertex.op is not None else ""
            if op in ("softmax", "sigmoid"):
                z = vertex.inputs[0]
                params = tuple(sorted(vertex.params.items())) if op == "softmax" else ()
                term = Term(Factor(), Apply(op, (as_tree(terms[z]),), params))
                if term not in self.known and (layer := self._activation(term)):
                    name = self._fresh("A", layer)
                    self.known[term] = Name(name)
                    self.values[name] = self._value(term.tree)
                    lines = [*self.forward.items()]
                    place = next(k for k, (_, e) in enumerate(lines) if term.tree in parts_of(e.tree))  # its loss
                    lines.insert(place, (name, self._equation(name, term.tree, z)))
                    self.forward = dict(lines)

    def _activation(self, term: Term) -> str:
        """Return the number of the layer Z2 whose activation a formula is, if A2 is free."""
        match term:
            case Term(Factor(1, ()), Apply(op, (Name(text),))) if REGISTRY[op].activation and (
                m := NUMBERED.fullmatch(text)
            ):
                return "" if f"A{m[1]}" in self.taken else m[1]
        return ""

    def _is_met_again(self, i: int, term: Term, graph: Graph) -> bool:
        """Whether a part of the forward pass that is not short is used several times, so that a name is shorter."""
        if graph is self.trace.graph and self._uses(i) > 1 and self._activation(term):
            return True
        again = graph is self.trace.graph and self._uses(i) > 1 and not _turns(graph.vertices[i])
        saved = (self._uses(i) - 1) * len(write(term.tree)) if again else 0
        return saved > SHORT and graph.vertices[i].dtype.kind == "f"

    def _uses(self, i: int) -> int:
        """How often a tensor is used, be it transposed."""
        users = [(j, self.trace.graph.vertices[j]) for j in self.users[i]]
        return sum(self._uses(j) if _turns(user) else 1 for j, user in users)

    def _placed_backward(self, i: int, name: str, term: Term) -> Term:
        """Give an inner gradient an equation; in the notes it is that of each sample's own loss, without the 1/m."""
        m = self.samples
        term = _spread(term)
        shape = self._equation(name, term.tree, i)
        if self.scale == "notes" and m is not None and m in "".join(shape.shape):
            whole = term.factor
            term = Term(whole.without(m), term.tree)
            rest = whole / term.factor
        else:
            rest = Factor()
        if isinstance(term.tree, Name) and abs(term.factor.number) == 1 and not term.factor.sizes:  # dL = −Y
            return Term(rest * term.factor, term.tree)
        self.backward.append(self._equation(name, as_tree(term), i))
        self.values[name] = self.trace.graph.vertices[i].value / rest.at(self.numbers)
        return Term(rest, Name(name))

    def _part(self, i: int, term: Term) -> Term:
        """Give a part of a long formula a name."""
        name = self._fresh("T")
        term = _spread(term)
        self.backward.append(self._equation(name, term.tree, i))
        self.values[name] = self._value(term.tree)
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
        tree = _spread(Term(Factor(), tree)).tree
        symbolic = self._used_shape(graph or self.trace.graph, i)
        numbers = (self.real.forward if graph is self.trace.forward else self.real.graph) or self.real.graph
        samples = {n: name for name, n in self.real.sizes.items()}
        shape = tuple(_extent(n, samples) for n in self._used_shape(numbers, i))
        names = {n: name for name, n in self.trace.sizes.items()}
        sizes = tuple(
            new if (new := _extent(n, names)) != str(n) else old for n, old in zip(symbolic, shape, strict=True)
        )
        if self.axes:  # at the real sizes, where 10 may be this or that
            here = self.axes[0][self.forward_of.get(i, i)] if graph in (None, self.trace.graph) else self.axes[-1][i]
            wide = [k for k, n in enumerate(symbolic) if n != 1]
            found = dict(zip(wide, (name for name in here if name != "1"), strict=False))
            sizes = tuple(found[k] if found.get(k, "1").isidentifier() else n for k, n in enumerate(sizes))
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


NUMBERED = re.compile(r"Z(\d+)")


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
        kinds = [kind for kind in ("weight", "bias") if _alone(kind, name, own)]
        letter = {"weight": "W", "bias": "b"}[kinds[0]] if kinds else attribute
        plain = attribute.isdigit()  # of a list: w0 for w.0
        short = f"{owner}{attribute}".replace(".", "_") if plain else f"{letter}{owners[owner]}"
        found[name] = short if short not in taken and short not in found.values() else name.replace(".", "_")
    return found


def _alone(kind: str, name: str, own: list[str]) -> bool:
    """Whether of the parameters of a layer one alone is its weight, or its bias."""
    owner = name.rpartition(".")[0]
    return kind in name and [n for n in own if n.rpartition(".")[0] == owner and kind in n.rpartition(".")[2]] == [name]


def _upright(name: str) -> str:
    """Return the name of the second tensor x with its number on paper: x⁽²⁾ for x#2."""
    return re.sub(r"#(\d+)$", lambda m: f"⁽{m[1].translate(_SUPERSCRIPT)}⁾", name)


def _is_affine(op: Op) -> bool:
    """Whether an op is part of W X + b."""
    return op.form == "product" or op.name in ("add", "sub")


def _spread(term: Term) -> Term:
    """Leave out a broadcast, which the shape of a line shows."""
    match term.tree:
        case Apply("broadcast_to", (inner,)):
            return Term(term.factor, inner)
    return term


def _turns(vertex: Vertex) -> bool:
    """Whether a tensor is the transpose of a matrix, or of a stack of them."""
    if vertex.op is None or vertex.op.name not in ("transpose", "swapaxes"):
        return False
    order = order_of(vertex.params, len(vertex.shape))
    return order[-2:] == [len(order) - 1, len(order) - 2]


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def _extent(n: int, names: Mapping[int, str]) -> str:
    """Write an extent: m for the size that stands for it, 4m for four times that, k+m for a sum of two."""
    found = []
    rest = n
    for prime, name in names.items():
        while rest and rest % prime == 0:
            rest //= prime
            found.append(name)
    if found:
        return f"{'' if rest == 1 else rest}{'·'.join(found)}"
    pairs = (f"{one}+{two}" for (a, one), (b, two) in combinations_with_replacement(names.items(), 2) if a + b == n)
    return next(pairs, str(n))
