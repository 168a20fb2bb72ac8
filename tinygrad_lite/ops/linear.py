"""Linear algebra: matmul, dot, outer, einsum, and the diagonals and triangles of matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..op import PRODUCT, composed, op
from ..tensor import ArrayLike
from .elementwise import mul
from .indexing import scatter
from .shape import broadcast_to, reshape, roll, transpose

__all__ = [
    "cross", "diag", "diagonal", "dot", "einsum", "inner", "kron", "matmul", "outer", "tensordot", "trace", "tril", "triu",
]  # fmt: skip

Shape: TypeAlias = tuple[int, ...]
Run: TypeAlias = Callable[..., Any]

ascii_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # that of `string`, which costs 0.5 ms to import

_add: Any = np.add.reduce


# --- products of two --------------------------------------------------------------------------------------------------


def _swapped(x: Any) -> Any:
    """Transpose the last two axes."""
    return x.T if x.ndim == 2 else transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _rows(x: Any) -> Any:
    """Lay the matrices of a batch below each other, as one."""
    return x if x.ndim == 2 else reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def _left(g: Any, _out: Any, _a: Any, b: Any) -> Any:
    """∂/∂a of a @ b: g bᵀ.  A vector counts as a matrix of one row (a) or one column (b), as in np.matmul.

    It is written with `matmul`, since `@` between plain arrays would not prepare them for BLAS.
    """
    if b.ndim == 1:
        return reshape(g, (*g.shape, 1)) * b
    if _a.ndim == 1:
        g = reshape(g, (*g.shape[:-1], 1, g.shape[-1]))
        return reshape(out := matmul(g, _swapped(b)), (*out.shape[:-2], out.shape[-1]))
    if _a.ndim == 2 < b.ndim:  # the sum over the batch is part of the product: no matrix per sample is made
        return matmul(_rows(_swapped(g)).T, _rows(_swapped(b)))
    return matmul(g, _swapped(b))


def _right(g: Any, _out: Any, a: Any, _b: Any) -> Any:
    """∂/∂b of a @ b: aᵀ g."""
    if a.ndim == _b.ndim == 1:
        return g * a
    if a.ndim == 1:
        return reshape(a, (-1, 1)) * reshape(g, (*g.shape[:-1], 1, g.shape[-1]))
    if _b.ndim == 1:
        return matmul(reshape(g, (g.size,)), _rows(a))
    if _b.ndim == 2:
        return matmul(_rows(a).T, _rows(g))
    return matmul(_swapped(a), g)


def _for_blas(x: Any) -> Any:
    """Copy large matrices in whose memory neither rows nor columns lie in one piece.

    NumPy before 2.3 multiplies those without BLAS, a hundred times slower; they are common, e.g. the gradient of a sum.
    """
    if type(x) is not np.ndarray or x.size < 1000 or x.ndim < 2:
        return x
    down, right = x.strides[-2:]
    rows, columns = x.shape[-2:]
    one = x.itemsize
    fits = (right == one and down >= one * columns) or (down == one and right >= one * rows)
    return x if fits else np.ascontiguousarray(x)


@op(
    _left,
    _right,
    text="{0} {1}",
    precedence=PRODUCT,
    numpy=np.matmul,
    methods=["__matmul__"],
    broadcasts=True,
    form="product",
)
def matmul(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the matrix product a b: shapes (…, i, k) and (…, k, j) give (…, i, j); batches broadcast.

    A vector stands for a matrix of one row (a) or one column (b), and that axis is left out of the result.

    >>> matmul(Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]]))
    Tensor([[11.]], dtype=float32)
    """
    if b.ndim == 2:
        if a.ndim == 2:
            if a.shape[-1] == 1 and b.shape[0] == 1:
                return np.multiply(a, b)  # an outer product: three times as fast as np.matmul
        elif a.ndim > 2 and a.shape[-1] == b.shape[0]:  # one large product instead of many small ones
            rows = a.reshape(prod(a.shape[:-1]), a.shape[-1])
            return np.matmul(_for_blas(rows), _for_blas(b)).reshape(*a.shape[:-1], b.shape[1])
    return np.matmul(_for_blas(a), _for_blas(b))


@composed(inputs=2, numpy=np.dot)
def dot(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the sum of products over the last axis of a and the last but one of b (the only one of a vector).

    For vectors and matrices that is `a @ b`, and with a number a ⊙ b.  Of arrays with more axes, all pairs of matrices are
    multiplied: shapes (…, i, k) and (…′, k, j) give (…, i, …′, j), where `matmul` pairs them off.

    >>> dot(Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))
    Tensor(11., dtype=float32)
    """
    p, q = np.ndim(a), np.ndim(b)
    if p == 0 or q == 0:
        return mul(a, b)
    if p == 1 or q <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=(-1, -2))


@composed(inputs=2, numpy=np.inner)
def inner(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the sum of products over the last axis of both: shapes (…, k) and (…′, k) give (…, …′).

    >>> inner(Tensor([[1.0, 2.0], [0.0, 1.0]]), Tensor([3.0, 4.0]))
    Tensor([11.,  4.], dtype=float32)
    """
    return tensordot(a, b, axes=(-1, -1)) if np.ndim(a) and np.ndim(b) else mul(a, b)


@composed(inputs=2, numpy=np.tensordot)
def tensordot(a: ArrayLike, b: ArrayLike, axes: int | Sequence[int | Sequence[int]] = 2) -> Any:
    """Return the sum of products over pairs of axes: over those of a in `axes[0]` and of b in `axes[1]`; the rest stay.

    A number n of axes stands for the last n of a and the first n of b.  Raises ValueError for axes whose sizes differ.

    >>> tensordot(Tensor([[1.0, 2.0]]), Tensor([3.0, 4.0]), axes=1)
    Tensor([11.], dtype=float32)
    """
    p, q = np.shape(a), np.shape(b)
    pairs: Any = axes if np.ndim(axes) or isinstance(axes, Sequence) else (range(-axes, 0), range(axes))
    left, right = (
        normalize_axis_tuple(tuple(np.atleast_1d(part).tolist()), len(shape), "tensordot")
        for part, shape in zip(pairs, (p, q), strict=True)
    )
    if [p[i] for i in left] != [q[j] for j in right]:
        raise ValueError(f"tensordot: the axes {left} of {p} and {right} of {q} must have the same sizes, pair by pair")
    first, second = list(ascii_letters[: len(p)]), list(ascii_letters[len(p) : len(p) + len(q)])
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    result = [c for i, c in enumerate(first) if i not in left] + [c for j, c in enumerate(second) if j not in right]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(result)}", a, b)


@composed(inputs=2, numpy=np.kron)
def kron(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the Kronecker product: a block matrix with the blocks aᵢⱼ b; of fewer axes, those in front are of length 1.

    >>> kron(Tensor([1.0, 10.0]), Tensor([[1.0, 2.0]]))
    Tensor([[ 1.,  2., 10., 20.]], dtype=float32)
    """
    if not (np.ndim(a) and np.ndim(b)):
        return mul(a, b)
    n = max(a.ndim, b.ndim)
    p, q = ((1,) * (n - x.ndim) + x.shape for x in (a, b))
    blocks = mul(
        reshape(a, tuple(size for i in p for size in (i, 1))), reshape(b, tuple(size for j in q for size in (1, j)))
    )
    return reshape(blocks, tuple(i * j for i, j in zip(p, q, strict=True)))


@op(
    lambda g, _out, _a, b: matmul(g, b),
    lambda g, _out, a, _b: matmul(a, g),
    text="{0} ⊗ {1}",
    latex=r"{0} \otimes {1}",
    precedence=PRODUCT,
    numpy=np.outer,
)
def outer(a: ArrayLike, b: ArrayLike) -> Any:
    """Return the matrix of all products aᵢ bⱼ of two vectors.  Raises ValueError for what is no vector.

    >>> outer(Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))
    Tensor([[3., 4.],
            [6., 8.]], dtype=float32)
    """
    if not np.ndim(a) == np.ndim(b) == 1:
        raise ValueError("both must be vectors; flatten with reshape(x, -1) first")
    return np.multiply(a.reshape(-1, 1), b)


# --- einsum -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _explicit(subscripts: str, ndims: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """Return the indices of each operand and of the result, one letter an axis: no `...`, no spaces, nothing implied."""
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"the subscripts are for {len(terms)} operands, but {len(ndims)} were given")
    for term in (*terms, result):
        letters = term.replace("...", "", 1)
        if set(letters) - set(ascii_letters):
            raise ValueError(f"cannot read {term!r}: an operand has letters, and once '...'; then ',' or '->' follows")
    implied = []
    for term, ndim in zip(terms, ndims, strict=True):
        count = ndim - len(term.replace("...", ""))
        if count < 0 or (count > 0 and "..." not in term):
            raise ValueError(f"{term!r} does not name the {ndim} axes of its operand; '...' stands for any number")
        implied.append(count)
    unused = [c for c in ascii_letters if c not in subscripts]
    most = max(implied)
    if most > len(unused):
        raise ValueError(f"there are more than {len(ascii_letters)} different indices")
    batch = "".join(unused[:most])
    terms = [term.replace("...", batch[most - count :]) for term, count in zip(terms, implied, strict=True)]
    if not arrow:
        counts = Counter("".join(terms))
        result = "..." + "".join(sorted(c for c in counts if counts[c] == 1 and c not in batch))
    elif most and "..." not in result:
        raise ValueError("the operands have '...', so the result must have it too; sum over these axes afterwards")
    result = result.replace("...", batch)
    if len(set(result)) < len(result) or set(result) - set("".join(terms)):
        raise ValueError("the result must name each index once, and only indices of the operands")
    return tuple(terms), result


def _sizes(terms: Sequence[str], shapes: Sequence[Shape]) -> dict[str, int]:
    """Return how far each index runs; in an operand of size 1 there, it stays at 0."""
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[str, int] = {}
        for c, n in zip(term, shape, strict=True):
            if own.setdefault(c, n) != n or (n != 1 and sizes.get(c, 1) not in (1, n)):
                raise ValueError(
                    f"index {c!r} cannot run over axes of size {own[c] if own[c] != n else sizes[c]} and {n}"
                )
            if n != 1 or c not in sizes:
                sizes[c] = n
    return sizes


def _extent(indices: Iterable[str], sizes: dict[str, int]) -> int:
    return prod(sizes[c] for c in indices)


def _summed(term: str, kept: str) -> tuple[str, Run]:
    """Plan for one operand: take the diagonal of a repeated index, and sum over the indices that are not kept."""
    once = "".join(dict.fromkeys(term))
    axes = tuple(i for i, c in enumerate(once) if c not in kept)

    def run(x: Any) -> Any:
        if once != term:
            x = np.einsum(f"{term}->{once}", x)
        return _add(x, axis=axes, dtype=x.dtype) if axes else x

    return "".join(c for c in once if c in kept), run


def _pair(p: str, q: str, result: str, sizes: dict[str, int]) -> Run:
    """Plan for two operands: a matrix product, since that is what BLAS does; without a common sum, ⊙."""
    p, left = _summed(p, q + result)
    q, right = _summed(q, p + result)
    inner = [c for c in p if c in q and c not in result]
    batch = [c for c in p if c in q and c in result]
    rows, columns = [c for c in p if c not in q], [c for c in q if c not in p]
    if not inner:
        orders = [[term.index(c) for c in result if c in term] for term in (p, q)]
        shapes = [tuple(sizes[c] if c in term else 1 for c in result) for term in (p, q)]
        return lambda a, b: np.multiply(
            left(a).transpose(orders[0]).reshape(shapes[0]), right(b).transpose(orders[1]).reshape(shapes[1])
        )
    if batch and not rows and not columns:  # many products of vectors
        return lambda a, b: np.einsum(f"{p},{q}->{result}", left(a), right(b))
    first, second = ([p.index(c) for c in batch + rows + inner], [q.index(c) for c in batch + inner + columns])
    many = [sizes[c] for c in batch]
    a_shape, b_shape = (
        (*many, _extent(rows, sizes), _extent(inner, sizes)),
        (*many, _extent(inner, sizes), _extent(columns, sizes)),
    )
    made = batch + rows + columns
    shape, order = tuple(sizes[c] for c in made), [made.index(c) for c in result]
    return lambda a, b: (
        np.matmul(
            _for_blas(left(a).transpose(first).reshape(a_shape)), _for_blas(right(b).transpose(second).reshape(b_shape))
        )
        .reshape(shape)
        .transpose(order)
    )


@lru_cache(maxsize=1024)
def _plan(subscripts: str, shapes: tuple[Shape, ...]) -> Callable[[Sequence[Any]], Any]:
    """Plan an einsum as products of two at a time: first those that leave the least.

    Source: Smith, Gray (2018), opt_einsum, the greedy path.
    """
    terms, result = _explicit(subscripts, tuple(map(len, shapes)))
    sizes = _sizes(terms, shapes)
    # an axis of size 1 that goes with longer ones is left out: it broadcasts
    short = [
        [n != sizes[c] for c, n in zip(term, shape, strict=True)] for term, shape in zip(terms, shapes, strict=True)
    ]
    cuts = [tuple(0 if cut else slice(None) for cut in cuts) if any(cuts) else None for cuts in short]
    left = [
        "".join(c for c, cut in zip(term, cuts, strict=True) if not cut)
        for term, cuts in zip(terms, short, strict=True)
    ]
    steps: list[tuple[int, int, Run]] = []
    while len(left) > 1:
        choices = []
        for i, j in combinations(range(len(left)), 2):
            others = result + "".join(term for k, term in enumerate(left) if k not in (i, j))
            made = "".join(dict.fromkeys(c for c in left[i] + left[j] if c in others))
            choices.append(
                (_extent(made, sizes) - _extent(set(left[i]), sizes) - _extent(set(left[j]), sizes), i, j, made)
            )
        _, i, j, made = min(choices)
        made = result if len(left) == 2 else made
        steps.append((i, j, _pair(left[i], left[j], made, sizes)))
        left = [term for k, term in enumerate(left) if k not in (i, j)] + [made]
    last, total = _summed(left[0], result)
    order = [last.index(c) for c in result]

    def run(operands: Sequence[Any]) -> Any:
        parts = [x if cut is None else x[cut] for x, cut in zip(operands, cuts, strict=True)]
        for i, j, product in steps:
            b, a = parts.pop(j), parts.pop(i)
            parts.append(product(a, b))
        return parts[0] if steps else total(parts[0]).transpose(order)

    return run


def _einsum_rule(i: int, g: Any, _out: Any, others: Sequence[Any], subscripts: str) -> Any:
    """∂/∂xᵢ of an einsum: the einsum of g with the other operands.

    Of an index that xᵢ has twice, the second is renamed and tied to the first by an identity matrix.  Along an index that
    nothing else has, the gradient is constant.
    """
    terms, result = _explicit(subscripts, tuple([x.ndim for x in others]))
    shape = others[i].shape
    sizes = _sizes(terms, [x.shape for x in others])
    there = set(result)
    for k, x in enumerate(others):
        there |= {c for c, n in zip(terms[k], x.shape, strict=True) if k != i and n == sizes[c]}
    unused = (c for c in ascii_letters if c not in sizes)
    ties, eyes, wanted, kept = [], [], "", []
    for k, (c, n) in enumerate(zip(terms[i], shape, strict=True)):
        name = c
        if n == sizes[c] and c in terms[i][:k]:
            name = next(unused, "")
            ties.append(c + name)
            eyes.append(np.eye(n, dtype=g.dtype))
        if n == sizes[c] and (c in there or terms[i].count(c) > 1):
            wanted += name
            kept.append(n)
        else:
            kept.append(1)
    given = [result, *terms[:i], *terms[i + 1 :], *ties]
    part = einsum(f"{','.join(given)}->{wanted}", g, *others[:i], *others[i + 1 :], *eyes)
    part = part if part.shape == tuple(kept) else reshape(part, tuple(kept))
    return part if part.shape == shape else broadcast_to(part, shape)


@op(
    _einsum_rule,
    text="einsum({subscripts}; {0})",
    latex=r"\mathrm{{einsum}}_{{\texttt{{{subscripts}}}}}({0})",
    numpy=np.einsum,
    variadic=True,
    form="product",
)
def einsum(subscripts: str, *operands: ArrayLike) -> Any:
    """Return the sum of products that the subscripts tell, as np.einsum does: `ij,jk->ik` is the matrix product.

    Each axis of an operand has a letter.  The product runs over all values of all letters, and is summed over those that do
    not stand after `->`.  A repeated letter takes a diagonal; `...` stands for further axes, which broadcast; without `->`,
    the result has `...` and then the letters that occur once, in alphabetical order.  An axis of size 1 broadcasts.

    Two operands at a time are multiplied, as matrices by BLAS wherever that is possible.
    Raises ValueError for subscripts that cannot be read or do not fit the operands.

    >>> einsum("ij,j->i", Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 10.0]))
    Tensor([21., 43.], dtype=float32)
    >>> einsum("ii", Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5., dtype=float32)
    """
    if not isinstance(subscripts, str):
        raise TypeError('the subscripts come first, as a string: einsum("ij,jk->ik", a, b)')
    return _plan(subscripts, tuple([x.shape for x in operands]))(operands)


# --- diagonals and triangles ------------------------------------------------------------------------------------------


def _embedded(g: Any, shape: Shape, offset: int, axis1: int, axis2: int) -> Any:
    """Put the last axis of g on a diagonal of zeros of `shape`: the vjp of diagonal.

    In a matrix of n columns, read row by row, the elements of a diagonal are n + 1 apart.
    """
    p, q = axis1 % len(shape), axis2 % len(shape)
    rest = [k for k in range(len(shape)) if k not in (p, q)]
    rows, columns = shape[p], shape[q]
    start = offset if offset >= 0 else -offset * columns
    place = (..., slice(start, start + g.shape[-1] * (columns + 1), columns + 1))
    sizes = tuple(shape[k] for k in rest)
    out = reshape(scatter(g, place, (*sizes, rows * columns)), (*sizes, rows, columns))
    axes = [*rest, p, q]
    return out if axes == sorted(axes) else transpose(out, tuple(axes.index(k) for k in range(len(shape))))


def _traced(g: Any, shape: Shape, offset: int, axis1: int, axis2: int) -> Any:
    """Give every element of the diagonal the gradient of the trace."""
    n = max(0, min(shape[axis1] + min(offset, 0), shape[axis2] - max(offset, 0)))
    g = broadcast_to(reshape(g, (*g.shape, 1)), (*g.shape, n))
    return _embedded(g, shape, offset, axis1, axis2)


@op(
    lambda g, _out, _x, offset, axis1, axis2: _embedded(g, _x.shape, offset, axis1, axis2),
    text="diag({0})",
    latex=r"\mathrm{{diag}}({0})",
    numpy=np.diagonal,
)
def diagonal(x: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the elements (i, i + offset) of the matrices that lie along two axes; they form the last axis of the result.

    >>> diagonal(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([1., 4.], dtype=float32)
    """
    return np.diagonal(x, offset, axis1, axis2)


@op(
    lambda g, _out, _x, offset, axis1, axis2: _traced(g, _x.shape, offset, axis1, axis2),
    text="tr({0})",
    latex=r"\mathrm{{tr}}({0})",
    numpy=np.trace,
)
def trace(x: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the sum of the elements (i, i + offset) of the matrices that lie along two axes.

    >>> trace(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5., dtype=float32)
    """
    return np.trace(x, offset, axis1, axis2)


def _at_least_a_matrix(x: Any) -> None:
    if x.ndim < 2:
        raise ValueError("a matrix is needed, or a batch of them: at least two axes")


@op(
    lambda g, _out, _x, k: tril(g, k),
    text="tril({0}, {k})",
    latex=r"\mathrm{{tril}}_{{{k}}}({0})",
    numpy=np.tril,
)
def tril(x: ArrayLike, k: int = 0) -> Any:
    """Return the lower triangles of matrices (…, i, j): zero where j > i + k.

    >>> tril(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 0.],
            [3., 4.]], dtype=float32)
    """
    _at_least_a_matrix(x)
    return np.tril(x, k)


@op(
    lambda g, _out, _x, k: triu(g, k),
    text="triu({0}, {k})",
    latex=r"\mathrm{{triu}}_{{{k}}}({0})",
    numpy=np.triu,
)
def triu(x: ArrayLike, k: int = 0) -> Any:
    """Return the upper triangles of matrices (…, i, j): zero where j < i + k.

    >>> triu(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 2.],
            [0., 4.]], dtype=float32)
    """
    _at_least_a_matrix(x)
    return np.triu(x, k)


@composed(numpy=np.diag)
def diag(x: ArrayLike, k: int = 0) -> Any:
    """Return the matrix with a vector on its k-th diagonal and zeros elsewhere; of a matrix, its k-th diagonal.

    Raises ValueError for another number of axes.

    >>> diag(Tensor([1.0, 2.0])), diag(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    (Tensor([[1., 0.],
            [0., 2.]], dtype=float32), Tensor([1., 4.], dtype=float32))
    """
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"diag takes a vector or a matrix, not {x.ndim} axes; diagonal takes batches of matrices")
    n, places = x.shape[0] + abs(k), np.arange(x.shape[0])
    return scatter(x, (places + max(-k, 0), places + max(k, 0)), (n, n))


@composed(inputs=2)
def cross(a: ArrayLike, b: ArrayLike, axis: int = -1) -> Any:
    """Return a × b, the vector product of vectors with three components, which lie along an axis; the rest broadcasts.

    Raises ValueError where there are not three.

    >>> cross(Tensor([1.0, 0.0, 0.0]), [0.0, 1.0, 0.0])
    Tensor([0., 0., 1.], dtype=float32)
    """
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise ValueError(f"vectors have three components, but axis {axis} has {a.shape[axis]} and {b.shape[axis]}")
    return roll(a, -1, axis) * roll(b, -2, axis) - roll(a, -2, axis) * roll(b, -1, axis)
