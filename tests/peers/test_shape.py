"""Ops that rearrange and pick elements, against PyTorch: values and gradients, with repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients

torch = pytest.importorskip("torch")

seeds = st.integers(0, 10**6)
shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
few = settings(max_examples=15)
Random = np.random.Generator


def agree(ours: Callable[..., Any], theirs: Callable[..., Any], *arrays: Any) -> None:
    """Compare values and gradients, exactly: nothing is computed but sums of small integers."""
    xs = [Tensor(x, requires_grad=True) for x in arrays]
    ts = [torch.tensor(x, requires_grad=True) for x in arrays]
    y, t = ours(*xs), theirs(*ts)
    y, t = (y if isinstance(y, list) else [y]), (t if isinstance(t, tuple) else [t])
    for part, other in zip(y, t, strict=True):
        assert part.dtype == arrays[0].dtype
        np.testing.assert_array_equal(part.numpy(), other.detach().numpy())
    rng = np.random.default_rng(0)
    weights = [rng.integers(-9, 10, part.shape).astype(part.dtype) for part in y]
    total = sum((part * w).sum() for part, w in zip(y, weights, strict=True))
    expected = torch.autograd.grad(t, ts, [torch.tensor(w) for w in weights])
    for g, e in zip(gradients(total, xs), expected, strict=True):
        np.testing.assert_array_equal(g.numpy(), e.numpy())


def values(rng: Random, shape: Any) -> Any:
    return rng.integers(-9, 10, shape).astype(rng.choice([np.float32, np.float64]))


def axis_of(rng: Random, x: Any) -> int:
    return int(rng.integers(-x.ndim, x.ndim))


# --- picking and adding up --------------------------------------------------------------------------------------------


@given(seeds, shapes)
@few
def test_gather_and_scatter_add(seed: int, shape: Any) -> None:
    rng = np.random.default_rng(seed)
    x = values(rng, shape)
    axis = axis_of(rng, x)
    sizes = list(shape)
    sizes[axis] = int(rng.integers(0, 9))
    index, source = rng.integers(0, shape[axis], sizes), values(rng, sizes).astype(x.dtype)
    agree(lambda x: tl.gather(x, axis, index), lambda t: torch.gather(t, axis, torch.tensor(index)), x)
    agree(
        lambda x, s: x.scatter_add(axis, index, s), lambda t, s: t.scatter_add(axis, torch.tensor(index), s), x, source
    )


@given(seeds, shapes)
@few
def test_take_is_take_and_index_select(seed: int, shape: Any) -> None:
    rng = np.random.default_rng(seed)
    x = values(rng, shape)
    axis = axis_of(rng, x)
    flat, along = rng.integers(-x.size, x.size, (2, 3)), rng.integers(0, shape[axis], 5)
    agree(lambda x: x.take(flat), lambda t: torch.take(t, torch.tensor(flat)), x)
    agree(lambda x: x.take(along, axis), lambda t: torch.index_select(t, axis, torch.tensor(along)), x)


@given(seeds, st.integers(1, 12), st.integers(1, 4))
@few
def test_an_embedding(seed: int, rows: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    table, index = values(rng, (rows, width)), rng.integers(0, rows, (3, 7))
    agree(lambda x: x[index], lambda t: torch.nn.functional.embedding(torch.tensor(index), t), table)


def some_part(rng: Random, n: int) -> list[Any]:
    """Parts of an index that fit an axis of length n; PyTorch has no negative steps."""
    return [
        int(rng.integers(-n, n)),
        slice(int(rng.integers(-n, n)), None, int(rng.integers(1, 3))),
        slice(None),
        None,
        rng.integers(-n, n, 4),
        rng.integers(-n, n, (2, 1)),
        rng.random(n) < 0.5,
    ]


@given(seeds)
@settings(max_examples=100)
def test_every_kind_of_index(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = values(rng, (3, 4, 2))
    parts: list[Any] = []
    for n in x.shape[: rng.integers(1, 4)]:
        choices = some_part(rng, n)
        parts.append(choices[rng.integers(0, len(choices))])
        if parts[-1] is None:
            parts.append(slice(None))
    masks = [i for i, part in enumerate(parts) if isinstance(part, np.ndarray) and part.dtype == bool]
    for i in masks[1:] if masks else []:
        parts[i] = slice(None)  # two masks fit only if they pick equally many
    if masks:
        parts = [slice(None) if isinstance(p, np.ndarray) and p.dtype != bool else p for p in parts]
    if any(isinstance(part, np.ndarray) for part in parts):  # beside an array a number is one too: NumPy, not PyTorch
        parts = [slice(part, part + 1 or None) if isinstance(part, int | np.integer) else part for part in parts]
    if rng.random() < 0.3:
        parts.append(...)
    index = tuple(parts)
    theirs = tuple(torch.tensor(part) if isinstance(part, np.ndarray) else part for part in parts)
    agree(lambda x: x[index], lambda t: t[theirs], x)
    ours = tuple(Tensor(part) if isinstance(part, np.ndarray) else part for part in parts)
    agree(lambda x: x[ours], lambda t: t[theirs], x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_repeats_add_up_as_exactly_as_theirs(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    table, index = rng.standard_normal((50, 8)).astype(dtype), rng.integers(0, 50, (64, 64))
    weight = rng.standard_normal((64, 64, 8)).astype(dtype)
    x, t = Tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    (g,) = gradients(x[index], [x], gradient=weight)
    (theirs,) = torch.autograd.grad(torch.nn.functional.embedding(torch.tensor(index), t), t, torch.tensor(weight))
    exact = np.zeros((50, 8))
    np.add.at(exact, index, weight.astype(np.float64))
    error, other = (np.abs(part - exact).max() for part in (g.numpy(), theirs.numpy()))
    assert error <= 4 * max(other, np.finfo(dtype).eps)


@given(seeds, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
@few
def test_one_hot(seed: int, shape: Any) -> None:
    labels = np.random.default_rng(seed).integers(0, 5, shape)
    theirs = torch.nn.functional.one_hot(torch.tensor(labels), 5).numpy()
    np.testing.assert_array_equal(tl.one_hot(labels, 5).numpy(), theirs)
    np.testing.assert_array_equal(tl.one_hot(labels, 5, axis=0).numpy(), np.moveaxis(theirs, -1, 0))


# --- axes, sizes, order -----------------------------------------------------------------------------------------------


@given(seeds, shapes)
@few
def test_axes(seed: int, shape: Any) -> None:
    rng = np.random.default_rng(seed)
    x = values(rng, shape)
    a, b, axes = axis_of(rng, x), axis_of(rng, x), [int(i) for i in rng.permutation(x.ndim)]
    agree(lambda x: x.swapaxes(a, b), lambda t: t.swapaxes(a, b), x)
    agree(lambda x: x.permute(*axes), lambda t: t.permute(*axes), x)
    agree(lambda x: x.moveaxis(a, b), lambda t: t.moveaxis(a, b), x)
    agree(lambda x: x.expand_dims(a), lambda t: t.unsqueeze(a), x)
    agree(lambda x: x.squeeze(), lambda t: t.squeeze(), x)
    if shape[a] == 1:
        agree(lambda x: x.squeeze(a), lambda t: t.squeeze(a), x)
    first, last = sorted([a % x.ndim, b % x.ndim])
    agree(lambda x: x.flatten(first, last), lambda t: t.flatten(first, last), x)
    agree(lambda x: x.flatten(), lambda t: t.flatten(), x)


@given(seeds, shapes)
@few
def test_order_and_copies(seed: int, shape: Any) -> None:
    rng = np.random.default_rng(seed)
    x = values(rng, shape)
    axis, shift = axis_of(rng, x), int(rng.integers(-7, 8))
    counts, reps = rng.integers(0, 4, shape[axis]), [int(n) for n in rng.integers(0, 4, rng.integers(1, 4))]
    agree(lambda x: x.flip(axis), lambda t: t.flip(axis), x)
    agree(lambda x: x.roll(shift, axis), lambda t: t.roll(shift, axis), x)
    agree(lambda x: x.roll(shift), lambda t: t.roll(shift), x)
    agree(lambda x: x.repeat(3, axis), lambda t: t.repeat_interleave(3, axis), x)
    agree(lambda x: x.repeat(2), lambda t: t.repeat_interleave(2), x)
    agree(lambda x: x.repeat(counts, axis), lambda t: t.repeat_interleave(torch.tensor(counts), axis), x)
    agree(lambda x: x.tile(reps), lambda t: t.tile(reps), x)


@given(seeds, shapes)
@few
def test_split_and_concatenate(seed: int, shape: Any) -> None:
    rng = np.random.default_rng(seed)
    x = values(rng, shape)
    axis = axis_of(rng, x)
    cuts = sorted(rng.integers(0, shape[axis] + 1, 2).tolist())
    agree(lambda x: x.split(cuts, axis), lambda t: torch.tensor_split(t, cuts, axis), x)
    agree(lambda x: x.split(shape[axis], axis), lambda t: torch.split(t, 1, axis), x)
    join = lambda library: lambda x, y: library.concatenate([x, y, x], axis)
    agree(join(tl), join(torch), x, values(rng, shape).astype(x.dtype))


MODES = {"edge": "replicate", "reflect": "reflect", "wrap": "circular"}


@pytest.mark.parametrize("mode", MODES)
@given(seeds)
@few
def test_pad_with_entries(mode: str, seed: int) -> None:
    """On the last two axes of four, and no wider than PyTorch allows."""
    rng = np.random.default_rng(seed)
    x = values(rng, (1, 2, *rng.integers(2, 5, 2)))
    rows, columns = ([int(n) for n in rng.integers(0, size, 2)] for size in x.shape[2:])
    widths = [(0, 0), (0, 0), rows, columns]
    pad = torch.nn.functional.pad
    agree(lambda x: x.pad(widths, mode), lambda t: pad(t, [*columns, *rows], MODES[mode]), x)


@given(seeds, shapes)
@few
def test_pad_with_a_number(seed: int, shape: Any) -> None:
    rng = np.random.default_rng(seed)
    x = values(rng, shape)
    widths = rng.integers(0, 4, (x.ndim, 2))
    theirs = [int(n) for pair in widths[::-1] for n in pair]
    pad = torch.nn.functional.pad
    agree(lambda x: x.pad(widths, value=2.5), lambda t: pad(t, theirs, value=2.5), x)


def test_concatenate_of_many() -> None:
    xs = [Tensor([float(i)], requires_grad=True) for i in range(2000)]
    found = gradients((tl.concatenate(xs) * np.arange(2000.0, dtype=np.float32)).sum(), xs)
    assert [g.item() for g in found] == list(range(2000))
