"""Values and gradients of `tinygrad_lite/ops/linear.py` against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from tests.cases.linear import diagonal_case, einsum_case, matmul_case, outer_case, triangle_case
from tinygrad_lite import Tensor, gradients
from tinygrad_lite.numeric.laws import Case, Make, draw
from tinygrad_lite.op import REGISTRY

torch = pytest.importorskip("torch")

seeds = st.integers(0, 10**6)
shapes = st.sampled_from([(), (1,), (3,), (2, 3), (2, 0), (3, 1, 2)])


def agree(ours: Callable[..., Any], theirs: Callable[..., Any], inputs: list[Any], bound: float) -> None:
    """The same values, gradients and second derivatives."""
    xs = [Tensor(x, requires_grad=True) for x in inputs]
    ts = [torch.tensor(x, requires_grad=True) for x in inputs]
    y, t = ours(*xs), theirs(*ts)
    assert y.shape == tuple(t.shape)
    assert y.dtype == t.detach().numpy().dtype
    size = max([1.0, *(float(np.abs(x).max(initial=0)) for x in inputs)]) ** len(inputs)
    close(y, t, bound * size)
    weight = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)
    found = gradients(y, xs, gradient=weight, create_graph=True)
    expected = torch.autograd.grad(t, ts, torch.tensor(weight), create_graph=True, materialize_grads=True)
    for g, e in zip(found, expected, strict=True):
        close(g, e, bound * size)
    total, wanted = sum((g * g).sum() for g in found), sum((e * e).sum() for e in expected)
    if not (total.requires_grad and wanted.requires_grad):
        return
    second = torch.autograd.grad(wanted, ts, materialize_grads=True)
    for g, e in zip(gradients(total, xs), second, strict=True):
        close(g, e, bound * size**2)


def close(mine: Tensor, theirs: Any, bound: float) -> None:
    assert mine.shape == tuple(theirs.shape)
    np.testing.assert_allclose(mine.numpy(), theirs.detach().numpy(), rtol=bound, atol=bound)


def case(name: str, make: Make, seed: int, shape: tuple[int, ...], dtype: Any = np.float64) -> Case:
    return draw(REGISTRY[name], make, seed, shape, dtype=dtype)


@given(seed=seeds, shape=shapes)
@settings(max_examples=150)
def test_einsum_of_any_subscripts(seed: int, shape: tuple[int, ...]) -> None:
    inputs, params = case("einsum", einsum_case, seed, shape)
    subscripts = params["subscripts"]
    agree(lambda *xs: tl.einsum(subscripts, *xs), lambda *ts: torch.einsum(subscripts, *ts), inputs, 1e-10)


SUBSCRIPTS = [
    ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("ij,jk->ik", [(3, 4), (4, 5)]),
    ("...ij,...jk", [(2, 1, 3, 4), (5, 4, 2)]),
    ("ii", [(4, 4)]),
    ("iij->j", [(3, 3, 2)]),
    ("ii->i", [(3, 3)]),
    ("iii->i", [(3, 3, 3)]),
    ("ij,ij->", [(3, 4), (3, 4)]),
    ("i,j,k->kji", [(2,), (3,), (4,)]),
    ("bn,anm,bm->ba", [(2, 3), (4, 3, 5), (2, 5)]),
    ("kk,ij->", [(2, 2), (3, 4)]),
    (" i j , j -> i ", [(3, 4), (4,)]),
]


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-12), (np.float32, 1e-4)])
@pytest.mark.parametrize(("subscripts", "sizes"), SUBSCRIPTS, ids=[s for s, _ in SUBSCRIPTS])
def test_einsum_as_people_use_it(subscripts: str, sizes: Any, dtype: Any, bound: float) -> None:
    rng = np.random.default_rng(1)
    inputs = [rng.standard_normal(size).astype(dtype) for size in sizes]
    agree(lambda *xs: tl.einsum(subscripts, *xs), lambda *ts: torch.einsum(subscripts, *ts), inputs, bound)


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "ij,ij->ij", "ij,kj->", "ij,ji"])
def test_einsum_of_one_tensor_twice(subscripts: str) -> None:
    x = np.random.default_rng(2).standard_normal((3, 3))
    agree(lambda x: tl.einsum(subscripts, x, x), lambda t: torch.einsum(subscripts, t, t), [x], 1e-12)


@given(seed=seeds, shape=shapes)
@settings(max_examples=60)
def test_matmul(seed: int, shape: tuple[int, ...]) -> None:
    agree(tl.matmul, torch.matmul, case("matmul", matmul_case, seed, shape).inputs, 1e-12)
    agree(tl.matmul, torch.matmul, case("matmul", matmul_case, seed, shape, np.float32).inputs, 1e-4)


@pytest.mark.parametrize("layout", ["rows", "columns", "views", "broadcast", "reversed"])
@pytest.mark.parametrize("sizes", [((40, 50), (50, 60)), ((3, 2, 40, 30), (3, 2, 30, 20)), ((5, 40, 30), (30, 20))])
def test_matmul_of_large_matrices_in_any_layout(sizes: Any, layout: str) -> None:
    """Large enough for BLAS, and to be copied where it takes no such layout."""
    change: dict[str, Callable[[Any], Any]] = {
        "rows": np.ascontiguousarray,
        "columns": lambda x: np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2),
        "views": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
        "broadcast": lambda x: np.broadcast_to(x[..., :1, :1], x.shape),
        "reversed": lambda x: np.flip(x),
    }
    rng = np.random.default_rng(3)
    a, b = (change[layout](rng.standard_normal(size)) for size in sizes)
    before = a.copy(), b.copy()
    leaves = [Tensor(np.ones(()), requires_grad=True) for _ in "ab"]
    xs = [leaf * x for leaf, x in zip(leaves, (a, b), strict=True)]
    y = xs[0] @ xs[1]
    np.testing.assert_allclose(tl.matmul(a, b).numpy(), torch.tensor(a.copy()) @ torch.tensor(b.copy()), atol=1e-12)
    ta, tb = (torch.tensor(x.copy(), requires_grad=True) for x in (a, b))
    (ta @ tb).sum().backward()
    total = [float((t.grad * t.detach()).sum()) for t in (ta, tb)]
    np.testing.assert_allclose([g.item() for g in gradients(y.sum(), leaves)], total, rtol=1e-10, atol=1e-9)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


@given(seed=seeds)
@settings(max_examples=20)
def test_outer_and_dot_of_vectors(seed: int) -> None:
    agree(tl.outer, torch.outer, case("outer", outer_case, seed, ()).inputs, 1e-12)
    x, y = np.random.default_rng(seed).standard_normal((2, seed % 5))
    agree(tl.dot, torch.dot, [x, y], 1e-12)


@pytest.mark.parametrize("sizes", [((2, 3), (4, 3, 5)), ((2, 6, 3), (4, 7, 3, 5)), ((2, 0), (4, 0, 5))])
def test_dot_of_arrays_with_more_axes(sizes: Any) -> None:
    inputs = [np.random.default_rng(4).standard_normal(size) for size in sizes]
    agree(tl.dot, lambda a, b: torch.tensordot(a, b, dims=([-1], [-2])), inputs, 1e-12)


@given(seed=seeds, shape=shapes)
@settings(max_examples=60)
def test_diagonal_trace_and_triangles(seed: int, shape: tuple[int, ...]) -> None:
    inputs, params = case("diagonal", diagonal_case, seed, shape)
    offset, axis1, axis2 = params["offset"], params["axis1"], params["axis2"]
    theirs = lambda t: torch.diagonal(t, offset, axis1, axis2)
    agree(lambda x: tl.diagonal(x, **params), theirs, inputs, 1e-12)
    agree(lambda x: tl.trace(x, **params), lambda t: theirs(t).sum(-1), inputs, 1e-12)
    inputs, params = case("tril", triangle_case, seed, shape)
    agree(lambda x: tl.tril(x, **params), lambda t: torch.tril(t, params["k"]), inputs, 1e-12)
    agree(lambda x: tl.triu(x, **params), lambda t: torch.triu(t, params["k"]), inputs, 1e-12)


@pytest.mark.parametrize("subscripts", ["ij->jj", "ij->k", "i,j", "i", "ijk", "i1", "ij->i->j", "i..j"])
def test_both_refuse_what_cannot_be_read(subscripts: str) -> None:
    x = np.ones((2, 2))
    with pytest.raises((ValueError, RuntimeError)):
        torch.einsum(subscripts, torch.tensor(x))
    with pytest.raises(ValueError, match="einsum"):
        tl.einsum(subscripts, x)
