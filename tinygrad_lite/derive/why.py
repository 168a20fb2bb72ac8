"""Why: of a derived line, the rules by which it follows, as the table of ops has them, and how its shapes fit together."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ..formula.expression import Apply, Expression, Name, write
from ..formula.rule import rule_of
from ..op import Op
from .trace import Trace

LONG = 120  # letters: a longer formula tells nobody anything
RULES = {  # in better words than formulas are
    "matmul": "product rule: times the other factor transposed",
    "widened": "a sum passes the gradient on, added up over the places where the term was used",
    "softmax_cross_entropy": "softmax and cross-entropy together: what came out minus what should have, as labels sum to 1",
    "sigmoid_cross_entropy": "sigmoid and cross-entropy together: what came out minus what should have",
    "mul": "product rule: times the other factor",
    "masked": "times the mask",
    "sum": "a sum passes the gradient on to all it added up",
    "mean": "each has its share in the mean",
    "left": "the 1/m of the mean is left to the parameters",
}
SILENT = {"add", "sub", "neg", "transpose", "swapaxes"}  # like those that only reshape


def rules_of(i: int, trace: Trace, places: Collection[int], per_sample: bool) -> str:
    """Return the rules between a tensor and those gradients with a line of their own that its gradient is made of."""
    vertices, users = trace.graph.vertices, trace.graph.consumers
    found: dict[str, str] = {}
    queue = [(i, j) for j in users[i]]
    for source, j in queue:  # grows while it is read
        vertex = vertices[j]
        if j >= trace.seed or not vertex.requires_grad or vertex.op is None:
            continue
        widened = vertex.shape != vertices[source].shape and vertex.op.name in ("add", "sub")
        left = vertex.op.name == "mean" and per_sample
        key = "widened" if widened else "left" if left else vertex.op.name
        if key not in SILENT and vertex.op.form != "reshaping" and key not in found:
            found[key] = RULES.get(key) or _rule(trace, source, j)
        if trace.slopes.get(j) not in places or trace.slopes[j] == trace.slopes.get(i):
            queue += [(j, k) for k in users[j]]
    return ", then ".join(dict.fromkeys(found.values()))


def _rule(trace: Trace, source: int, j: int) -> str:
    """Say what the derivative of the op at j is by the input that stands at the position `source`."""
    vertex = trace.graph.vertices[j]
    assert vertex.op is not None
    values = [trace.graph.vertices[k].value for k in vertex.inputs]  # a number is no array
    alone = sum(trace.graph.vertices[k].requires_grad for k in vertex.inputs) == 1
    return "chain rule: " * alone + said(vertex.op, vertex.inputs.index(source), values, vertex.value, vertex.params)


def fitting(tree: Expression, shape: tuple[str, ...], shape_of: Callable[[Expression], tuple[str, ...]]) -> str:
    """Say how the shapes of what a line is made of give its own: (10×m) (m×784) gives (10×784)."""
    fits = _fits(tree, shape_of)
    return f"{fits} gives {size(shape) or 'one number'}" if " " in fits else ""


def _fits(tree: Expression, shape_of: Callable[[Expression], tuple[str, ...]]) -> str:
    """Write a tree with shapes in the place of tensors, without factors and functions: (10×m) (m×784)."""
    match tree:
        case Apply("matmul" | "add" | "sub" | "mul" | "masked" as op, (a, b)):
            parts = [_fits(a, shape_of), _fits(b, shape_of)]
            sign = {"matmul": " ", "add": " + ", "sub": " − "}.get(op, " ⊙ ")
            if op != "matmul" and parts[0] == parts[1]:
                return parts[0]
            if op not in ("add", "sub") and all(parts):  # of a factor that is a sum or a product the shape is enough
                weaker = re.compile("[+−Σ⊙]" if op == "matmul" else "[+−]")
                parts = [
                    size(shape_of(x)) if weaker.search(part) else part for x, part in zip((a, b), parts, strict=True)
                ]
            return sign.join(filter(None, parts))
        case Apply("sum", (inner,)):
            return f"Σ {found}" if (found := _fits(inner, shape_of)) else ""
        case Apply("div", (inner, Name(scalar=True))) | Apply("neg", (inner,)):
            return _fits(inner, shape_of)
    return size(shape_of(tree))


def size(shape: tuple[str, ...]) -> str:
    """Write a shape: (10×m)."""
    return f"({'×'.join(shape)})" if shape else ""


def said(op: Op, k: int, values: Sequence[Any], out: Any, params: Mapping[str, Any]) -> str:
    """Say what the derivative of an op by its input k is, in a line: y = SiLU(x) gives dx = …"""
    if op.composed:
        return f"{op.name} is written in other ops, and has their derivatives"
    if not op.vjps or op.vjps[k] is None:
        return f"{op.name} is constant wherever it has a derivative, so that no gradient flows through it"
    (y, whole), (dx, slope) = rule_of(op, k, values, out, params)[0].items()
    line = f"{y} = {write(whole)} gives {dx} = {write(slope)}"
    return line if len(line) < LONG else f"the derivative of {write(whole)}"
