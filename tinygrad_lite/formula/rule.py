"""The derivative of one op as a formula, read off the rule that the table of ops has for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import graph_of
from ..op import Op
from ..recording import EVERYTHING, recording
from ..tensor import Tensor
from .expression import Apply, Expression, Name, Number, hashable, parts_of, replaced
from .factor import Factor, factor_of
from .simplify import Term, applied, as_tree, constant, number_term


def rule_of(
    op: Op, k: int, values: Sequence[Any], out: Any, params: Mapping[str, Any]
) -> tuple[dict[str, Expression], list[str]]:
    """Return two formulas by name, the op and its gradient by input k, and the names of its inputs.

    `values` are the inputs that it had, arrays or plain numbers, and `out` what it gave: a rule may look at them.

    >>> from tinygrad_lite.op import REGISTRY
    >>> from tinygrad_lite.formula.expression import write
    >>> x = np.array([1.0, 2.0])
    >>> formulas, names = rule_of(REGISTRY["silu"], 0, [x], x, {})
    >>> {name: write(tree) for name, tree in formulas.items()}
    {'y': 'SiLU(x)', 'dx': 'dy ⊙ (σ(x) ⊙ (1 + x ⊙ (1 − σ(x))))'}
    """
    names = [f"x{i + 1}" for i in range(len(values))] if op.variadic else op.inputs
    own = "y" if "y" not in names else "out"
    y, g = Tensor(out, name=own), Tensor(np.ones_like(out), name=f"d{own}")
    numbers = [isinstance(x, int | float) for x in values]
    inputs = [x if plain else Tensor(x, name=name) for name, x, plain in zip(names, values, numbers, strict=True)]
    settings = dict(params) | ({"saved": None} if op.saves else {})
    rule = op.vjps[k]
    assert rule is not None
    with recording(EVERYTHING), np.errstate(all="ignore"):
        found = rule(g, y, inputs, **settings) if op.variadic else rule(g, y, *inputs, **settings)
    written = [Number(x) if plain else Name(name) for name, x, plain in zip(names, values, numbers, strict=True)]
    whole = Apply(op.name, tuple(written), tuple(sorted((n, hashable(v)) for n, v in params.items())))
    return {own: whole, f"d{names[k]}": _formula(found)}, names


def slope_of(op: Op, of: Expression) -> Expression | None:
    """Return the derivative of an elementwise op of one input, taken at a formula; None where it also reads the result.

    >>> from tinygrad_lite.formula.expression import write
    >>> from tinygrad_lite.op import REGISTRY
    >>> write(slope_of(REGISTRY["sin"], Name("Z1")))
    'cos(Z1)'
    """
    x = np.array([-1.5, 0.5])
    formulas, names = rule_of(op, 0, [x], op.forward(x, **op.defaults), op.defaults)
    y, dx = formulas

    def rule(part: Expression) -> Expression | None:
        match part:
            case Name(name) if name == names[0]:
                return of
            case Apply("mul", (Name(name), rest)) | Apply("mul", (rest, Name(name))) if name == f"d{y}":
                return rest
            case Apply("masked", (Name(name), mask)) if name == f"d{y}":
                return mask
        return None

    found = replaced(formulas[dx], rule)
    left = {part.text for part in parts_of(found) if isinstance(part, Name)} & {y, f"d{y}", "c", "mask"}
    return None if left else found


def _formula(found: Tensor) -> Expression:
    """Write a tensor in the names of those it was made of."""
    terms: list[Term] = []
    graph = graph_of(found)
    for vertex in graph.vertices:
        if vertex.op is not None:
            shapes = [graph.vertices[j].shape for j in vertex.inputs] + [vertex.shape]
            terms.append(applied(vertex.op, [terms[j] for j in vertex.inputs], vertex.params, shapes))
        elif vertex.name is not None:
            terms.append(Term(Factor(), Name(vertex.name)))
        elif vertex.kind == "number":
            terms.append(number_term(factor_of(float(vertex.value), {})))
        elif np.size(vertex.value) and (np.asarray(vertex.value) == np.ravel(vertex.value)[0]).all():
            terms.append(constant(factor_of(float(np.ravel(vertex.value)[0]), {}), vertex.shape))
        else:
            terms.append(Term(Factor(), Name("mask" if vertex.dtype.kind == "b" else "c")))
    return as_tree(terms[graph.outputs[0]])
