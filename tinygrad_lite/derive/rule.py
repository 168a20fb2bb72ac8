"""Rule: the derivative of one op as a formula, read off the rule that the table of ops has for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import graph_of
from ..op import Op
from ..recording import EVERYTHING, recording
from ..tensor import Tensor
from .expression import Apply, Expression, Name, Number, hashable, write
from .term import Factor, Term, applied, as_tree, constant, factor_of, number_term

LONG = 120  # letters: a longer formula tells nobody anything


def rule_of(
    op: Op, k: int, values: Sequence[Any], out: Any, params: Mapping[str, Any]
) -> tuple[dict[str, Expression], list[str]]:
    """Return two formulas by name, the op and its gradient by input k, and the names of its inputs.

    `values` are the inputs that it had, arrays or plain numbers, and `out` what it gave: a rule may look at them.

    >>> from ..op import REGISTRY
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


def said(op: Op, k: int, values: Sequence[Any], out: Any, params: Mapping[str, Any]) -> str:
    """Say what the derivative of an op by its input k is, in a line: y = SiLU(x) gives dx = …"""
    if op.composed:
        return f"{op.name} is written in other ops, and has their derivatives"
    if not op.vjps or op.vjps[k] is None:
        return f"{op.name} is constant wherever it has a derivative, so that no gradient flows through it"
    (y, whole), (dx, slope) = rule_of(op, k, values, out, params)[0].items()
    line = f"{y} = {write(whole)} gives {dx} = {write(slope)}"
    return line if len(line) < LONG else f"the derivative of {write(whole)}"


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
