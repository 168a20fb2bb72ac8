"""How to try the ops of `tinygrad_lite/ops/linear.py`, what they should give, and their derivatives at kinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from tinygrad_lite.numeric.laws import Case, Make, Random, Shape, shrunk


def matmul_case(rng: Random, shape: Shape) -> Case:
    i, j, k = (int(n) for n in rng.integers(0 if rng.random() < 0.1 else 1, 5, 3))
    choices = [
        Case([(k,), (k,)], {}),
        Case([(k,), (*shape[:2], k, j)], {}),
        Case([(*shape[:2], i, k), (k,)], {}),
        Case([(i, k), (k, j)], {}),
        Case([(*shape[:2], i, k), (k, j)], {}),
        Case([(i, k), (*shape[:2], k, j)], {}),
        Case([(*shrunk(rng, shape[:2]), i, k), (*shrunk(rng, shape[:2]), k, j)], {}),
    ]
    return choices[rng.integers(0, len(choices))]


def dot_case(rng: Random, shape: Shape) -> Case:
    k, j = (int(n) for n in rng.integers(1, 4, 2))
    choices = [
        Case([(), shape], {}),
        Case([shape, ()], {}),
        Case([(k,), (k,)], {}),
        Case([(*shape[:2], k), (k,)], {}),
        Case([(k,), (*shape[:2], k, j)], {}),
        Case([(*shape[:2], k), (k, j)], {}),
        Case([(*shape[:2], k), (*shape[:1], k, j)], {}),
    ]
    return choices[rng.integers(0, len(choices))]


def inner_case(rng: Random, shape: Shape) -> Case:
    k = int(rng.integers(1, 4))
    choices = [Case([(), shape], {}), Case([(k,), (k,)], {}), Case([(*shape[:2], k), (*shape[:1], k)], {})]
    return choices[rng.integers(0, len(choices))]


def tensordot_case(rng: Random, shape: Shape) -> Case:
    """Shared axes at any places of both, in any order; and a number of axes."""
    shared = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 3)))
    a, b = shape[:1], shape[1:2]
    if rng.random() < 0.3:
        return Case([(*a, *shared), (*shared, *b)], {"axes": len(shared)})
    places = [rng.permutation(len(shared) + len(rest)).tolist() for rest in (a, b)]
    shapes = [tuple((*shared, *rest)[i] for i in order) for rest, order in zip((a, b), places, strict=True)]
    axes = [[order.index(i) for i in range(len(shared))] for order in places]
    axes[0] = [i - len(shapes[0]) for i in axes[0]]
    single = len(shared) == 1 and rng.random() < 0.5
    return Case(list(shapes), {"axes": (axes[0][0], axes[1][0]) if single else axes})


def kron_case(rng: Random, shape: Shape) -> Case:
    return Case([shape[:2], shrunk(rng, shape)[:2]], {})


def outer_case(rng: Random, shape: Shape) -> Case:
    return Case([(int(n),) for n in rng.integers(0 if rng.random() < 0.1 else 1, 5, 2)], {})


def diagonal_case(rng: Random, shape: Shape) -> Case:
    shape = (*shape, *(int(n) for n in rng.integers(1, 5, max(0, 2 - len(shape)))))
    axis1, axis2 = (int(a) - (len(shape) if rng.random() < 0.5 else 0) for a in rng.permutation(len(shape))[:2])
    return Case([shape], {"offset": int(rng.integers(-3, 4)), "axis1": axis1, "axis2": axis2})


def triangle_case(rng: Random, shape: Shape) -> Case:
    shape = (*shape, *(int(n) for n in rng.integers(1, 5, max(0, 2 - len(shape)))))
    return Case([shape], {"k": int(rng.integers(-3, 4))})


# --- einsum -----------------------------------------------------------------------------------------------------------


def einsum_case(rng: Random, shape: Shape) -> Case:
    """Any valid subscripts: repeated, missing and broadcast indices, `...` anywhere, an implicit result, spaces."""
    letters = [str(c) for c in rng.permutation(list("ijkAzB"))[: rng.integers(1, 5)]]
    sizes = {c: int(rng.integers(1, 4)) for c in letters}
    if 0 in shape:
        sizes[letters[0]] = 0
    batch = tuple(min(n, 2) for n in shape[:2]) if rng.random() < 0.5 else None
    terms, shapes = [], []
    for _ in range(rng.choice([1, 2, 2, 3, 4])):
        axes = [str(c) for c in rng.choice(letters, rng.integers(0, 4 if batch is None else 3))]
        short = {c for c in axes if rng.random() < 0.1}  # an index of size 1 broadcasts
        term = [(c, (1 if c in short else sizes[c],)) for c in axes]
        if batch is not None and rng.random() < 0.8:
            term.insert(int(rng.integers(0, len(term) + 1)), ("...", shrunk(rng, batch)))
        terms.append([name for name, _ in term])
        shapes.append(tuple(n for _, part in term for n in part))
    subscripts = ",".join(map("".join, terms))
    if rng.random() < 0.7:
        names = sorted({name for term in terms for name in term} - {"..."})
        result = [str(c) for c in rng.permutation(names)[: rng.integers(0, len(names) + 1)]] if names else []
        if "..." in subscripts:
            result.insert(int(rng.integers(0, len(result) + 1)), "...")
        subscripts += "->" + "".join(result)
    if rng.random() < 0.3:
        subscripts = f" {subscripts} ".replace(",", " , ").replace("->", " -> ").replace("i", " i ")
    return Case(list(shapes), {"subscripts": subscripts})


def einsum_by_loops(operands: Sequence[Any], subscripts: str) -> Any:
    """The definition of einsum: a loop over all values of all indices.  The axes of `...` are the indices …, −2, −1."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")

    def indices(term: str, ndim: int) -> list[Any]:
        before, dots, after = term.partition("...")
        return [*before, *range(-(ndim - len(before) - len(after)), 0), *after] if dots else list(term)

    terms = [indices(term, x.ndim) for term, x in zip(left.split(","), operands, strict=True)]
    every = [c for term in terms for c in term]
    batch = sorted({c for c in every if isinstance(c, int)})
    result = indices(right, len(batch) + len(right.replace("...", "")))
    if not arrow:
        result = [*batch, *sorted(c for c in set(every) - set(batch) if every.count(c) == 1)]
    sizes = dict.fromkeys(every, 1)
    for term, x in zip(terms, operands, strict=True):
        sizes |= {c: n for c, n in zip(term, x.shape, strict=True) if n != 1}
    out = np.zeros([sizes[c] for c in result], np.result_type(*operands))
    for values in product(*map(range, sizes.values())):
        at = dict(zip(sizes, values, strict=True))
        part = 1.0
        for term, x in zip(terms, operands, strict=True):
            part = part * x[tuple(at[c] if n != 1 else 0 for c, n in zip(term, x.shape, strict=True))]
        out[tuple(at[c] for c in result)] += part
    return out


def cross_case(rng: Random, shape: Shape) -> Case:
    axis = int(rng.integers(0, len(shape) + 1))
    shape = (*shape[:axis], 3, *shape[axis:])
    return Case([shape, shape], {"axis": axis - (len(shape) if rng.random() < 0.5 else 0)})


CASES: dict[str, Make] = {
    "cross": cross_case,
    "diag": lambda rng, s: Case([(*s, *(2, 3)[: max(0, 1 - len(s))])[:2]], {"k": int(rng.integers(-3, 4))}),
    "diagonal": diagonal_case,
    "dot": dot_case,
    "einsum": einsum_case,
    "inner": inner_case,
    "kron": kron_case,
    "matmul": matmul_case,
    "outer": outer_case,
    "tensordot": tensordot_case,
    "trace": diagonal_case,
    "tril": triangle_case,
    "triu": triangle_case,
}


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "cross": lambda a, b, axis: np.cross(a, b, axis=axis),
    "einsum": einsum_by_loops,
}

# Name, function, inputs, and the gradients of its sum.
KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = []

# Where the kink function is zero everywhere: inputs and parameters; for the others, inputs of zeros.
KINK_AT: dict[str, Case] = {}

# The dtype of the result where it is not that of the inputs.
RESULTS: dict[str, Any] = {}
