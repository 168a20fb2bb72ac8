"""Layers: the networks that equations may mean; what is missing is as the other layers are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from ..formula.expression import Apply, Expression, Name, Number, parts_of, renamed, replaced
from ..formula.value import PRODUCTS
from ..op import REGISTRY
from .network import (
    DATA,
    HALF,
    LABELS,
    MOST,
    NOTHING,
    SAMPLES,
    STANDARD,
    WEIGHTS,
    Network,
    activates,
    is_parameter,
    is_weight,
    names_in,
    number,
    split,
)
from .unify import Shapes

USUAL = [("", "softmax"), *((h, o) for h in ("sigmoid", "tanh", "relu") for o in ("sigmoid", "softmax"))]


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


def build(
    equations: Mapping[str, Expression], mentioned: Iterable[str], errors: set[str], most: int = 1
) -> list[Network]:
    """Return the network that equations define, and after it those that could be meant where one of them is wrong.

    There are at most so many of each kind.
    What is missing is assumed: every layer that is mentioned, in the style of the others, ReLU inside and softmax at the
    end, as in the notes' own network 784 → 10 → 10; the last Z is the output where an error is computed of it (`errors`).
    """
    known = set(mentioned) | set(equations) | {name for tree in equations.values() for name in names_in(tree)}
    equations = _separated(equations, known)
    styles = _styles(equations, known)
    found = list(islice((n for style in styles for n in _built(equations, known, style, errors)), most))
    told = any(_linear(part) for tree in equations.values() for part in parts_of(tree))
    if not told or any(network.assumed for network in found):  # nothing is wrong only because of what was assumed
        usual = (n for style in _usual(styles[0], told) for n in _built(equations, known, style, errors))
        found += islice(usual, most)
    first: dict[str, Network] = {}
    for network in found:
        first.setdefault(repr(network.definitions), network)
    return list(first.values())


def _separated(equations: Mapping[str, Expression], known: set[str]) -> dict[str, Expression]:
    """Name what an activation is taken of, in H = tanh(W1 X + b1), and let δ1 be of A1 where that is W1 X + b1 itself."""
    found = dict(equations)
    for target, tree in equations.items():
        inner = tree.inputs[0] if activates(tree) else tree
        weights = [n for n in names_in(inner) if n not in equations and split(n)[1] in WEIGHTS]
        if not weights or isinstance(inner, Name):
            continue
        Z = "Z" + (split(target)[2] or split(weights[0])[2])
        if Z not in found and activates(tree):
            found[Z], found[target] = inner, replace(tree, inputs=(Name(Z),))
        elif not activates(tree):
            found |= {Z: Name(target) for Z in (Z, f"Z{split(weights[0])[2]}") if Z not in found and f"d{Z}" in known}
    return _folded(found)


def _folded(equations: dict[str, Expression]) -> dict[str, Expression]:
    """Write Z2 = W2 A1 + b2 for Z2 = W2 tanh(W1 X + b1) + b2, where Z1 = W1 X + b1 and A1 = tanh(Z1)."""

    def folded(name: str, trees: dict[str, Expression]) -> Expression:
        names = {tree: n for n, tree in trees.items() if isinstance(tree, Apply) and n != name and tree != trees[name]}
        return replaced(trees[name], lambda part: Name(names[part]) if part in names else None)

    for _ in equations:
        equations = {name: folded(name, equations) for name in equations}
    return equations


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
    labels = {LABELS, *(n for n, other in aliases.items() if other == LABELS)}
    for _ in written:  # an error such as G = 1/m (Yhat − Y) is no layer
        labels |= {n for n, t in written.items() if labels.intersection(names_in(t))}
    written = {n: t for n, t in written.items() if n not in labels}
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
        network = _network(base | changed, known, errors)
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
    numbers = {
        int(layer) for letters, layer in parts if layer.isdigit() and letters in (style.W, style.b, style.Z, style.A)
    }
    last = next(k for k in range(MOST + 1) if k + 1 not in numbers or k == MOST)  # W12 alone is no twelfth layer
    if last == 0:
        bare = {letters for letters, layer in parts if not layer}
        return [""] if style.W in bare and not numbers and (style.Z in known or f"d{style.W}" in known) else ["1", "2"]
    return [str(k) for k in range(1, last + 1)]


def _styles(equations: Mapping[str, Expression], known: set[str]) -> list[Style]:
    """Read the style off the equations with a product: that of most of them first."""
    style = Style()
    for target, tree in equations.items():
        if isinstance(tree, Apply) and activates(tree) and isinstance(tree.inputs[0], Name):
            argument = split(tree.inputs[0].text)
            if len(argument[1]) == 1 or argument[2]:  # scores is one tensor, and no letter of all layers
                style = replace(style, Z=argument[1], A=split(target)[1] if split(target)[2] else style.A)
    parts = [list(parts_of(tree)) for tree in equations.values()]
    hidden = [p.op for some in parts for p in some if isinstance(p, Apply) and activates(p)]
    seen: Counter[tuple[str, bool, bool]] = Counter()
    for product in filter(None, (next(filter(_linear, some), None) for some in parts)):
        left, right = product.inputs if isinstance(product, Apply) else ()
        on_left = is_weight(left) or not (is_weight(right) or is_parameter(right, equations))
        weight = left if on_left else right
        for name in names_in(weight)[:1]:
            seen[split(name)[1], on_left, not isinstance(weight, Name)] += 1
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
        if isinstance(tree, Apply) and activates(tree) and isinstance(tree.inputs[0], Name):
            argument, layer = tree.inputs[0].text, split(target)[2]
            if (
                not {argument, style.Z + layer} & {*written}
                and argument != style.Z + layer
                and split(argument)[2] == layer
            ):
                found[argument] = style.Z + layer
    if LABELS not in known:
        labels = rf"(?:{LABELS}|T|y_?true)_?\d+|T|y_?true|labels?|targets?"
        named = [name for name in known if re.fullmatch(labels, name) and name not in written]
        found |= dict.fromkeys(named, LABELS) if len(named) == 1 else {}
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
            if n != Z and (t == Name(Z) or (activates(t) and t.inputs[0] in (Name(Z), linear)))
        ]
        A = own[0] if own and style.A + layer not in written else style.A + layer
        tree = written.get(A, NOTHING)
        if activates(tree) and not isinstance(tree.inputs[0], Name):  # σ(W X + b)
            written.setdefault(Z, tree.inputs[0])
            written[A] = tree = replace(tree, inputs=(Name(Z),))
        found[Z] = linear
        ops = [replace(p, inputs=(Name(Z),)) for p in parts_of(tree) if activates(p) and p.op in REGISTRY]
        if isinstance(tree, Name):
            found[A] = Name(Z)
        elif ops or not (last and Z in errors and A not in known):  # else Z itself is the output
            found[A] = ops[0] if ops else Apply(style.output if last else style.hidden, (Name(Z),))
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


def _network(base: dict[str, Expression], known: set[str], errors: set[str]) -> Network | None:
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
    output = max(ends, key=lambda n: (n in errors, number(n), ends.index(n)))
    while isinstance(alias := ordered.get(output), Name):
        output = alias.text
    if alias is None:
        return None
    ordered = _leading(ordered, output)
    shapes = Shapes(ordered)
    if output == f"{DATA}hat":  # an autoencoder
        shapes.equal(shapes.of(output), shapes.of(DATA))
    axes = shapes.named(output)
    if axes is None:
        return None
    counts = [n for n in sorted(known) if n in ("N", "n") or (n in ("M", "B") and SAMPLES not in known)]
    definitions = {n: shapes.settled(t, 1 if axes[DATA][0] == SAMPLES else 0) for n, t in ordered.items()}
    network = Network(definitions, axes, output, scalars=(SAMPLES, *counts), cyclic=cyclic)
    out = definitions[output]
    return network.with_loss(STANDARD.get(out.op if isinstance(out, Apply) else "", [HALF])[0])


def _leading(ordered: dict[str, Expression], output: str) -> dict[str, Expression]:
    """Return the definitions that the output rests on, and the other names of these."""
    used, waiting = {DATA, LABELS}, [output]
    for name in waiting:
        used.add(name)
        waiting += [n for n in names_in(ordered.get(name, NOTHING)) if n not in used]
    return {n: t for n, t in ordered.items() if n in used or (isinstance(t, Name) and t.text in used)}
