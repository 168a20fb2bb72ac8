"""Why: of a derived line, the rules by which it follows, and how its shapes fit together, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .expression import Apply, Expression, Name
from .trace import Trace

Shapes = Mapping[str, tuple[str, ...]]
RULES = {
    "matmul": "product rule: times the other factor transposed",
    "widened": "a sum passes the gradient on, added up over the places where the term was used",
    "relu": "chain rule: times ReLU' for each element",
    "sigmoid": "chain rule: times σ' = σ (1 − σ) for each element",
    "tanh": "chain rule: times tanh' = 1 − tanh² for each element",
    "softmax_cross_entropy": "softmax and cross-entropy together: what came out minus what should have",
    "sigmoid_cross_entropy": "sigmoid and cross-entropy together: what came out minus what should have",
    "pow": "power rule",
    "square": "power rule",
    "mul": "product rule: times the other factor",
    "masked": "times the mask",
    "div": "quotient rule",
    "sum": "a sum passes the gradient on to all it added up",
    "exp": "chain rule: times exp",
    "log": "chain rule: divided by what the logarithm was taken of",
    "softmax": "chain rule: softmax' mixes the classes of a sample",
    "mean": "each has its share in the mean",
    "left": "the 1/m of the mean is left to the parameters",
}
SILENT = {"add", "sub", "reshape", "transpose", "squeeze", "expand_dims", "broadcast_to", "astype", "neg"}


def rules_of(i: int, trace: Trace, places: Collection[int], per_sample: bool) -> str:
    """Return the rules between a tensor and those gradients with a line of their own that its gradient is made of."""
    vertices, users = trace.graph.vertices, trace.graph.consumers
    found: dict[str, None] = {}
    queue = [(i, j) for j in users[i]]
    for source, j in queue:  # grows while it is read
        vertex = vertices[j]
        if j >= trace.seed or not vertex.requires_grad or vertex.op is None:
            continue
        widened = vertex.shape != vertices[source].shape and vertex.op.name in ("add", "sub")
        left = vertex.op.name == "mean" and per_sample
        key = "widened" if widened else "left" if left else vertex.op.name
        if key not in SILENT:
            found[RULES.get(key, f"the rule of {vertex.op.name}")] = None
        if trace.slopes.get(j) not in places or trace.slopes[j] == trace.slopes.get(i):
            queue += [(j, k) for k in users[j]]
    return ", then ".join(found)


def fitting(tree: Expression, shape: tuple[str, ...], shapes: Shapes) -> str:
    """Say how the shapes of what a line is made of give its own: (10×m) (m×784) gives (10×784)."""
    fits = _fits(tree, shapes)
    return f"{fits} gives {_size(shape) or 'one number'}" if " " in fits else ""


def _fits(tree: Expression, shapes: Shapes) -> str:
    """Write a tree with shapes in the place of tensors, without factors and functions: (10×m) (m×784)."""
    match tree:
        case Name(text, scalar=False):
            return _size(shapes.get(text, ()))
        case Apply("transpose", (Name(text),), params) if dict(params).get("axes") is None:
            return _size(shapes.get(text, ())[::-1])
        case Apply("matmul" | "add" | "sub" | "mul" | "masked" as op, (a, b)):
            parts = [_fits(a, shapes), _fits(b, shapes)]
            sign = {"matmul": " ", "add": " + ", "sub": " − "}.get(op, " ⊙ ")
            if op != "matmul" and parts[0] == parts[1]:
                return parts[0]
            return sign.join(filter(None, parts))
        case Apply("sum", (inner,)):
            return f"Σ {found}" if (found := _fits(inner, shapes)) else ""
        case Apply("div", (inner, _)) | Apply(_, (inner,)):
            return _fits(inner, shapes)
    return ""


def _size(shape: tuple[str, ...]) -> str:
    return f"({'×'.join(shape)})" if shape else ""
