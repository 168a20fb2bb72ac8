"""Dropout, embedding, normalisation and attention against PyTorch: values, gradients and second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients

torch = pytest.importorskip("torch")
F: Any = torch.nn.functional

from .test_loss import assert_same  # noqa: E402

few = settings(max_examples=40)
seeds = st.integers(0, 10**6)
shapes = hnp.array_shapes(min_dims=1, max_dims=4, max_side=4)

# --- dropout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p: float) -> None:
    x = np.ones(100_000, np.float32)
    y = tl.dropout(x, p, seed=1)
    assert y.dtype == np.float32
    assert np.mean(y.numpy() == 0) == pytest.approx(p, abs=0.01)
    assert set(np.unique(y.numpy())) == {0, np.float32(1 / (1 - p))}
    assert y.numpy().mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_the_gradient_of_dropout_has_the_mask_of_its_value(p: float) -> None:
    x = Tensor(np.linspace(1, 2, 50), requires_grad=True)
    y = tl.dropout(x, p)
    (g,) = gradients(y.sum(), [x], create_graph=True)
    np.testing.assert_allclose(g.numpy() * x.numpy(), y.numpy(), rtol=1e-15)


def test_dropout_without_training_is_the_identity() -> None:
    x = Tensor([1.0, 2.0])
    assert tl.dropout(x, 0.5, training=False) is x
    assert not tl.dropout(x, 1.0).numpy().any()
    assert tl.dropout(np.arange(5), 0.5).dtype == np.float64


def test_dropout_draws_from_the_seeded_generator() -> None:
    x, drawn = np.ones(40), []
    for _ in range(2):
        tl.manual_seed(7)
        drawn.append([tl.dropout(x).numpy() for _ in range(2)])
    np.testing.assert_array_equal(*drawn)
    assert not np.array_equal(*drawn[0])


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan])
def test_dropout_refuses_what_is_no_probability(p: float) -> None:
    for training in (True, False):
        with pytest.raises(ValueError, match=r"dropout: p .* \[0, 1\], but is"):
            tl.dropout(np.ones(3), p, training)


# --- embedding --------------------------------------------------------------------------------------------------------


@few
@given(seeds, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
def test_embedding(seed: int, shape: Any) -> None:
    rng = np.random.default_rng(seed)
    index, table = np.asarray(rng.integers(0, 3, shape)), rng.standard_normal((3, 2))
    assert_same(lambda w: tl.embedding(index, w), lambda w: F.embedding(torch.tensor(index), w), [table])


def test_embedding_takes_numbers_lists_and_tensors() -> None:
    table = Tensor([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(tl.embedding(1, table).numpy(), [3, 4])
    np.testing.assert_array_equal(tl.embedding([[1], [0]], table).numpy(), [[[3, 4]], [[1, 2]]])
    np.testing.assert_array_equal(tl.embedding(Tensor([1]), table).numpy(), [[3, 4]])
    assert tl.embedding(np.zeros(0, np.int64), table).shape == (0, 2)


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        ([0, 5], IndexError, r"embedding.*W \(4×2\).*from 0 to 5.*from 0 to 3"),
        ([-1], IndexError, "from -1 to -1"),
        ([0.5], TypeError, "integers, not float"),
        ([True, False], TypeError, "integers, not bool"),
    ],
)
def test_embedding_refuses_what_is_no_row(index: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        tl.embedding(index, Tensor(np.ones((4, 2)), name="W"))


# --- normalisation ----------------------------------------------------------------------------------------------------


@few
@given(seeds, shapes, st.integers(1, 2), st.sampled_from([1e-5, 0.1]))
def test_layer_norm(seed: int, shape: Any, axes: int, eps: float) -> None:
    rng = np.random.default_rng(seed)
    axes = min(axes, len(shape))
    sizes, axis = shape[-axes:], tuple(range(-axes, 0))
    inputs = [rng.standard_normal(shape), rng.standard_normal(sizes), rng.standard_normal(sizes)]
    if shape[-1] == 1 or np.prod(sizes) == 2:
        inputs[0] *= 0.01  # where eps is small beside it, nothing but rounding is left
    theirs = lambda x, *rest: F.layer_norm(x, sizes, *rest, eps=eps)
    for count in (1, 2, 3):
        assert_close(lambda x, *rest: tl.layer_norm(x, *rest, axis=axis, eps=eps), theirs, inputs[:count])


def assert_close(f: Any, g: Any, inputs: Any) -> None:
    """Normalisation cancels: the second derivatives grow with 1/eps before they do."""
    assert_same(f, g, inputs, second=True, slack=1e4)


@few
@given(seeds, st.tuples(st.integers(2, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)), st.integers(2, 4))
def test_batch_norm(seed: int, shape: Any, ndim: int) -> None:
    rng = np.random.default_rng(seed)
    shape = shape[:ndim]
    inputs = [rng.standard_normal(shape), *(rng.standard_normal(shape[1]) for _ in range(2))]
    ours = lambda x, *rest: tl.batch_norm(x, None, None, *rest, eps=0.01)
    assert_close(ours, lambda x, *rest: F.batch_norm(x, None, None, *rest, training=True, eps=0.01), inputs)
    mean, var = rng.standard_normal(shape[1]), rng.uniform(0.1, 2, shape[1])
    running = [torch.tensor(mean), torch.tensor(var)]
    ours = lambda x, *rest: tl.batch_norm(x, mean, var, *rest)
    assert_close(ours, lambda x, *rest: F.batch_norm(x, *running, *rest, training=False), inputs)


@pytest.mark.parametrize("offset", [0, 100])
def test_normalisation_in_float32(offset: float) -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((64, 32)) + offset).astype(np.float32)
    weight = rng.standard_normal(32).astype(np.float32)
    for ours, theirs in [
        (lambda x, w: tl.layer_norm(x, w), lambda x, w: F.layer_norm(x, (32,), w)),
        (lambda x, w: tl.batch_norm(x, weight=w), lambda x, w: F.batch_norm(x, None, None, w, training=True)),
    ]:
        exact = ours(Tensor(x.astype(np.float64)), Tensor(weight.astype(np.float64))).numpy()
        mine = np.abs(ours(Tensor(x), Tensor(weight)).numpy() - exact).max()
        peer = np.abs(theirs(torch.tensor(x), torch.tensor(weight)).numpy() - exact).max()
        assert mine <= 2 * peer + 1e-6


def test_layer_norm_where_columns_are_samples() -> None:
    rng = np.random.default_rng(0)
    x, weight, bias = rng.standard_normal((4, 4)), rng.standard_normal(4), rng.standard_normal(4)
    expected = tl.layer_norm(x.T, weight, bias).numpy().T
    np.testing.assert_allclose(tl.layer_norm(x, weight, bias, axis=0).numpy(), expected, rtol=1e-14)
    np.testing.assert_allclose(
        tl.layer_norm(x, weight.reshape(4, 1), bias.reshape(4, 1), axis=0).numpy(), expected, rtol=1e-14
    )


def test_normalisation_refuses_what_does_not_fit() -> None:
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"layer_norm: weight must have the shape \(3,\).*\(1,\), not \(2,\)"):
        tl.layer_norm(x, np.ones(2))
    with pytest.raises(ValueError, match=r"layer_norm: bias must have the shape \(3,\).*not 2×3"):
        tl.layer_norm(x, bias=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"batch_norm: var must have the shape \(3,\).*not \(2,\)"):
        tl.batch_norm(x, np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="give both mean and var"):
        tl.batch_norm(x, np.ones(3))
    with pytest.raises(ValueError, match="one value per channel"):
        tl.batch_norm(x[:1])
    with pytest.raises(ValueError, match=r"samples × channels.*\(3,\)"):
        tl.batch_norm(np.ones(3))


# --- attention --------------------------------------------------------------------------------------------------------


@few
@given(seeds, st.sampled_from(["none", "causal", "boolean", "float", "batch"]), st.sampled_from([None, 0.3]))
def test_attention(seed: int, kind: str, scale: float | None) -> None:
    rng = np.random.default_rng(seed)
    n, heads, queries, keys, size, width = rng.integers(1, 4, 6)
    inputs = [rng.standard_normal((n, heads, *s)) for s in [(queries, size), (keys, size), (keys, width)]]
    mask: Any = None
    if kind == "boolean":  # some queries may attend to nothing
        mask = rng.random((queries, keys)) < 0.6
    if kind == "batch":
        mask = rng.random((n, 1, 1, keys)) < 0.6
    if kind == "float":
        inputs.append(rng.choice([-np.inf, 0.5, -1], (queries, keys)))
    settings = {"is_causal": kind == "causal", "scale": scale}

    def theirs(q: Any, k: Any, v: Any, given: Any = None) -> Any:
        given = torch.tensor(mask) if mask is not None else given
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return F.scaled_dot_product_attention(q, k, v, given, **settings)

    def ours(q: Any, k: Any, v: Any, given: Any = None) -> Any:
        return tl.scaled_dot_product_attention(q, k, v, mask if mask is not None else given, **settings)

    assert_same(ours, theirs, inputs)


def test_a_mask_and_is_causal_hold_both() -> None:
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((3, 2)) for _ in range(3))
    mask = np.array([[True, True, True], [False, True, True], [False, True, True]])
    both = tl.scaled_dot_product_attention(q, k, v, mask, is_causal=True)
    expected = tl.scaled_dot_product_attention(q, k, v, mask & np.tri(3, dtype=np.bool_))
    np.testing.assert_array_equal(both.numpy(), expected.numpy())


def test_a_query_that_may_attend_to_nothing_gets_zeros_and_no_gradient() -> None:
    q, k, v = (Tensor(np.ones((2, 2), np.float32) * 1e4, requires_grad=True) for _ in range(3))
    for mask in (np.zeros((2, 2), np.bool_), np.full((2, 2), -np.inf, np.float32)):
        out = tl.scaled_dot_product_attention(q, k, v, mask)
        assert not out.numpy().any()
        assert not any(g.numpy().any() for g in gradients(out.sum(), [q, k, v]))


def test_attention_refuses_what_does_not_fit() -> None:
    q, k = np.ones((2, 3)), np.ones((4, 3))
    with pytest.raises(ValueError, match="do not fit: 2×3, 4×3, 3×3"):
        tl.scaled_dot_product_attention(q, k, np.ones((3, 3)))
    with pytest.raises(ValueError, match="do not fit"):
        tl.scaled_dot_product_attention(q, np.ones((4, 2)), k)
    with pytest.raises(TypeError, match=r"boolean .* or float .* not int64"):
        tl.scaled_dot_product_attention(q, k, k, mask=np.ones((2, 4), np.int64))
    for shape in [(4, 2), (3, 2, 4)]:
        with pytest.raises(ValueError, match=r"a mask of shape .* does not broadcast to queries and keys, 2×4"):
            tl.scaled_dot_product_attention(q, k, k, mask=np.ones(shape))
