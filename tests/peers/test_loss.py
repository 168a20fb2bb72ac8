"""Loss functions against PyTorch: values, gradients and second derivatives, at kinks and at extremes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

few = settings(max_examples=40)
seeds = st.integers(0, 10**6)
shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)
reductions = st.sampled_from(["mean", "sum", "none"])
halves = st.integers(-4, 4).map(lambda n: n / 2)  # many ties and kinks


def assert_same(
    f: Callable[..., Any], g: Callable[..., Any], inputs: Sequence[Any], second: bool = True, slack: float = 1
) -> None:
    """Values, gradients and the gradient of a combination of the gradients are those of PyTorch."""
    rng = np.random.default_rng(0)
    xs, ts = [Tensor(x, requires_grad=True) for x in inputs], [torch.tensor(x, requires_grad=True) for x in inputs]
    y, t = f(*xs), g(*ts)
    weight = rng.standard_normal(tuple(t.shape)).astype(inputs[0].dtype)
    again = [rng.standard_normal(x.shape) for x in inputs]
    found = [y.numpy(), *(part.numpy() for part in gradients(y, xs, gradient=weight))]
    pulled = torch.autograd.grad(t, ts, torch.tensor(weight), create_graph=second)
    expected = [t.detach().numpy(), *(part.detach().numpy() for part in pulled)]
    if second:
        total = sum((p * a).sum() for p, a in zip(gradients(y, xs, weight, create_graph=True), again, strict=True))
        if total.requires_grad:
            found += [part.numpy() for part in gradients(total, xs)]
            combined = sum((p * torch.tensor(a)).sum() for p, a in zip(pulled, again, strict=True))
            slopes = torch.autograd.grad(combined, ts, allow_unused=True)
            expected += [
                np.zeros_like(x) if s is None else s.numpy(force=True) for s, x in zip(slopes, inputs, strict=True)
            ]
    bound = 200 * slack * float(np.finfo(inputs[0].dtype).eps)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=bound, atol=bound * max(1.0, np.abs(b).max(initial=0)))


# --- classes: PyTorch has theirs on axis 1 ----------------------------------------------------------------------------

smoothings = st.sampled_from([0.0, 0.1, 1.0])


@few
@given(seeds, shapes, smoothings, reductions, st.booleans())
def test_cross_entropy_of_integers(seed: int, shape: Any, smoothing: float, reduction: str, ignore: bool) -> None:
    rng = np.random.default_rng(seed)
    axis = min(1, len(shape) - 1)
    z, labels = rng.normal(0, 3, shape), rng.integers(0, shape[axis], tuple(np.delete(shape, axis)))
    index = int(labels.flat[0]) if ignore and not np.all(labels == labels.flat[0]) else -100
    settings = {"label_smoothing": smoothing, "ignore_index": index, "reduction": reduction}
    ours = lambda z: tl.cross_entropy(z, labels, axis, **settings)  # type: ignore[arg-type]
    assert_same(ours, lambda z: F.cross_entropy(z, torch.tensor(labels), **settings), [z])


@few
@given(seeds, shapes, smoothings, reductions)
def test_cross_entropy_of_probabilities(seed: int, shape: Any, smoothing: float, reduction: str) -> None:
    rng = np.random.default_rng(seed)
    axis = min(1, len(shape) - 1)
    settings = {"label_smoothing": smoothing, "reduction": reduction}
    ours = lambda z, y: tl.cross_entropy(z, y, axis, **settings)  # type: ignore[arg-type]
    assert_same(ours, lambda z, y: F.cross_entropy(z, y, **settings), [rng.normal(0, 3, shape), rng.random(shape)])


@few
@given(seeds, shapes, smoothings, reductions, st.booleans())
def test_class_weights(seed: int, shape: Any, smoothing: float, reduction: str, integers: bool) -> None:
    rng = np.random.default_rng(seed)
    axis = min(1, len(shape) - 1)
    weight, z = rng.uniform(0.1, 3, shape[axis]), rng.normal(0, 3, shape)
    labels: Any = rng.integers(0, shape[axis], tuple(np.delete(shape, axis))) if integers else rng.random(shape)
    if integers:
        labels = np.where((rng.random(labels.shape) < 0.3) & (labels != labels.flat[0]), -100, labels)
    settings = {"label_smoothing": smoothing, "reduction": reduction}
    weights, targets = torch.tensor(weight), torch.tensor(labels)
    theirs = lambda z: F.cross_entropy(z, targets, weights, **settings)
    assert_same(lambda z: tl.cross_entropy(z, labels, axis, weight=weight, **settings), theirs, [z])  # type: ignore[arg-type]
    if integers:
        theirs = lambda z: F.nll_loss(z, targets, weights, reduction=reduction)
        assert_same(lambda z: tl.nll(z, labels, axis, reduction=reduction, weight=list(weight)), theirs, [z])


@few
@given(seeds, shapes, reductions)
def test_nll(seed: int, shape: Any, reduction: str) -> None:
    rng = np.random.default_rng(seed)
    axis = min(1, len(shape) - 1)
    labels = rng.integers(0, shape[axis], tuple(np.delete(shape, axis)))
    labels = np.where((rng.random(labels.shape) < 0.3) & (labels != labels.flat[0]), -100, labels)
    theirs = lambda p: F.nll_loss(p, torch.tensor(labels), reduction=reduction)
    assert_same(lambda p: tl.nll(p, labels, axis, reduction=reduction), theirs, [rng.random(shape)])


def test_cross_entropy_in_float32_of_large_logits() -> None:
    z = np.array([[1e4, -1e4, 0.0], [80, 0, -80], [1e-3, 0, 0]], np.float32)
    labels = np.array([1, 2, 0])
    assert_same(lambda z: tl.cross_entropy(z, labels), lambda z: F.cross_entropy(z, torch.tensor(labels)), [z], False)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_the_mean_of_no_sample_is_nan() -> None:
    assert np.isnan(tl.cross_entropy(np.ones((2, 3)), np.array([-100, -100])).item())


# --- the others -------------------------------------------------------------------------------------------------------


@few
@given(seeds, shapes, reductions)
def test_binary_cross_entropy_with_logits(seed: int, shape: Any, reduction: str) -> None:
    rng = np.random.default_rng(seed)
    theirs = lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction=reduction)
    ours = lambda z, y: tl.binary_cross_entropy_with_logits(z, y, reduction)
    assert_same(ours, theirs, [rng.normal(0, 5, shape), rng.random(shape)])


@few
@given(seeds, shapes, reductions, st.booleans())
def test_weights_of_positives(seed: int, shape: Any, reduction: str, hard: bool) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, shape).astype(np.float64) if hard else rng.random(shape)
    weight = rng.uniform(0.01, 100, shape[-1])
    theirs = lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction=reduction, pos_weight=torch.tensor(weight))
    ours = lambda z, y: tl.binary_cross_entropy_with_logits(z, y, reduction, pos_weight=weight)
    assert_same(ours, theirs, [rng.normal(0, 5, shape), y], slack=10)


@few
@given(seeds, shapes, st.sampled_from([0.0, 0.5, 1.0, 3.0]), reductions)
def test_smooth_l1(seed: int, shape: Any, beta: float, reduction: str) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 2, shape), rng.normal(0, 2, shape)
    theirs = lambda x, y: F.smooth_l1_loss(x, y, reduction=reduction, beta=beta)
    assert_same(lambda x, y: tl.smooth_l1(x, y, beta, reduction), theirs, [x, y])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinite_logits_of_two_classes() -> None:
    """0 for the label that the logit is sure of, ∞ for any other, and the gradient σ(z) − y: PyTorch's, where not NaN."""
    z = np.array([np.inf] * 4 + [-np.inf] * 4)
    y = np.array([0.0, 0.25, 0.75, 1.0] * 2)
    logits, theirs = Tensor(z, requires_grad=True), torch.tensor(z, requires_grad=True)
    losses = tl.sigmoid_cross_entropy(logits, y)
    np.testing.assert_array_equal(losses.numpy(), [np.inf, np.inf, np.inf, 0, 0, np.inf, np.inf, np.inf])
    (g,) = gradients(losses, [logits], np.ones(8))
    np.testing.assert_array_equal(g.numpy(), np.where(z > 0, 1.0, 0.0) - y)
    expected = F.binary_cross_entropy_with_logits(theirs, torch.tensor(y), reduction="none")
    known = ~np.isnan(expected.detach().numpy())
    np.testing.assert_array_equal(losses.numpy()[known], expected.detach().numpy()[known])
    assert known.sum() == 3
    (pulled,) = torch.autograd.grad(expected.sum(), [theirs])
    np.testing.assert_array_equal(g.numpy(), pulled.numpy())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("label", [0, 1])
def test_binary_cross_entropy_is_stable_at_both_ends(dtype: Any, label: int) -> None:
    z = np.array([-1e4, -100, -20, 0, 20, 100, 1e4], dtype)
    y = Tensor(z, requires_grad=True)
    losses = tl.binary_cross_entropy_with_logits(y, np.full(7, label), "none")
    assert losses.dtype == dtype
    expected = np.logaddexp(0, (1 - 2 * label) * z.astype(np.float64))
    np.testing.assert_allclose(losses.numpy(), expected, rtol=4 * np.finfo(dtype).eps, atol=1e-45)
    (g,) = gradients(losses.sum(), [y])
    np.testing.assert_allclose(g.numpy(), torch.sigmoid(torch.tensor(z)).numpy() - label, rtol=1e-5, atol=1e-7)


TWO: dict[str, tuple[Any, Any]] = {
    "mse": (tl.mse, F.mse_loss),
    "l1": (tl.l1, F.l1_loss),
    "huber": (tl.huber, F.huber_loss),
    "huber 0.5": (
        lambda x, y, reduction: tl.huber(x, y, 0.5, reduction),
        lambda x, y, reduction: F.huber_loss(x, y, reduction, 0.5),
    ),
}


@few
@given(st.data(), shapes, reductions, st.sampled_from(sorted(TWO)))
def test_distances_also_at_their_kinks(data: st.DataObject, shape: Any, reduction: str, name: str) -> None:
    inputs = [data.draw(hnp.arrays(np.float64, shape, elements=halves)) for _ in range(2)]
    ours, theirs = TWO[name]
    # the second derivative of huber jumps at ±delta
    second = "huber" not in name or bool(np.all(np.abs(inputs[0] - inputs[1]) != (0.5 if "0.5" in name else 1)))
    assert_same(
        lambda x, y: ours(x, y, reduction=reduction), lambda x, y: theirs(x, y, reduction=reduction), inputs, second
    )


@pytest.mark.filterwarnings("ignore:reduction. 'mean':UserWarning")
@few
@given(seeds, shapes, st.sampled_from(["mean", "sum", "none", "batchmean"]), st.booleans())
def test_kl_div(seed: int, shape: Any, reduction: str, log_target: bool) -> None:
    rng = np.random.default_rng(seed)
    inputs = [rng.uniform(-3, 0, shape), rng.uniform(-3, 0, shape) if log_target else rng.uniform(0.01, 1, shape)]
    theirs = lambda q, t: F.kl_div(q, t, reduction=reduction, log_target=log_target)
    assert_same(lambda q, t: tl.kl_div(q, t, log_target, reduction), theirs, inputs)


def test_kl_div_where_the_target_is_zero() -> None:
    q, t = np.array([[-1.0, -2.0], [-0.5, -1.0]]), np.array([[0.0, 1.0], [0.5, 0.5]])
    theirs = lambda q: F.kl_div(q, torch.tensor(t), reduction="batchmean")
    assert_same(lambda q: tl.kl_div(q, t, reduction="batchmean"), theirs, [q], False)
    np.testing.assert_array_equal(tl.kl_div([-np.inf, -2.0], [0.0, 1.0], reduction="none").numpy(), [0, 2])


@few
@given(st.data(), shapes, reductions)
def test_hinge_also_at_the_margin(data: st.DataObject, shape: Any, reduction: str) -> None:
    scores = data.draw(hnp.arrays(np.float64, shape, elements=halves))
    labels = 1.0 - 2 * data.draw(hnp.arrays(np.bool_, shape))
    reduce = {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction]
    theirs = lambda s: reduce(torch.relu(1 - torch.tensor(labels) * s))
    assert_same(lambda s: tl.hinge(s, labels, reduction), theirs, [scores])


# --- what is refused --------------------------------------------------------------------------------------------------

PAIRS = [tl.mse, tl.l1, tl.huber, tl.kl_div, tl.hinge, tl.binary_cross_entropy_with_logits]


@pytest.mark.parametrize("f", PAIRS, ids=lambda f: f.__name__)
def test_a_column_against_a_vector_is_refused(f: Any) -> None:
    with pytest.raises(ValueError, match=rf"{f.__name__}: prediction \(4×1\) and a tensor \(4,\).*reshape"):
        f(Tensor(np.ones((4, 1)), name="prediction"), np.ones(4))
    with pytest.raises(ValueError, match="differ in shape"):
        f(np.ones(3), 1.0)


@pytest.mark.parametrize("f", PAIRS, ids=lambda f: f.__name__)
def test_another_reduction_is_refused(f: Any) -> None:
    with pytest.raises(ValueError, match=f"{f.__name__}: reduction must be 'mean', 'sum' or 'none', not 'average'"):
        f(np.ones(3), np.ones(3), reduction="average")


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: tl.cross_entropy(np.ones((2, 3)), np.array([0, 3])), IndexError, "0 to 3.*0 to 2"),
    (lambda: tl.cross_entropy(np.ones((2, 3)), np.array([0, 3]), label_smoothing=0.1), IndexError, "0 to 3.*0 to 2"),
    (lambda: tl.cross_entropy(np.ones((2, 3)), np.array([0, -1])), IndexError, "-1 to 0"),
    (lambda: tl.cross_entropy(np.ones((2, 3)), np.array([0.0, 1.0])), ValueError, "integers of shape"),
    (lambda: tl.cross_entropy(np.ones((2, 3)), np.array([0, 1, 2])), ValueError, "labels"),
    (lambda: tl.cross_entropy(np.ones((2, 3)), np.ones((2, 3)), ignore_index=1), ValueError, "ignore_index=1"),
    (lambda: tl.cross_entropy(np.ones((2, 3)), np.array([0, 1]), label_smoothing=2), ValueError, "label_smoothing"),
    (lambda: tl.cross_entropy(np.ones((2, 3)), np.array([0, 1]), reduction="batchmean"), ValueError, "reduction"),
    (lambda: tl.nll(np.ones((2, 3)), np.array([0, 3])), IndexError, "0 to 3.*0 to 2"),
    (lambda: tl.nll(np.ones((2, 3)), np.ones((2, 3))), ValueError, r"labels must be integers of shape \(2,\)"),
    (lambda: tl.huber(np.ones(2), np.ones(2), delta=0), ValueError, "delta must be positive"),
    (lambda: tl.hinge(np.ones(2), np.array([0, 1])), ValueError, "−1 or 1; 2 y − 1"),
    (lambda: tl.kl_div(0.5, 0.5, reduction="batchmean"), ValueError, "axis of samples"),
    (lambda: tl.sigmoid_cross_entropy(np.ones(2), np.ones((2, 1))), ValueError, "shape of the logits"),
    (lambda: tl.cross_entropy(np.ones((2, 3)), [0, 1], weight=[1.0, 2.0]), ValueError, r"shape \(3,\), one per class"),
    (lambda: tl.nll(np.ones((2, 3)), [0, 1], weight=2.0), ValueError, r"nll: weight must have shape \(3,\)"),
    (
        lambda: tl.binary_cross_entropy_with_logits(np.ones(2), np.ones(2), pos_weight=0.0),
        ValueError,
        "pos_weight must be positive",
    ),
    (
        lambda: tl.binary_cross_entropy_with_logits(np.ones(2), np.ones(2), pos_weight=np.ones(3)),
        ValueError,
        "broadcast",
    ),
    (lambda: tl.smooth_l1(np.ones(2), np.ones(3)), ValueError, "smooth_l1: .* differ in shape"),
    (lambda: tl.smooth_l1(np.ones(2), np.ones(2), -1.0), ValueError, "beta must not be negative"),
]


@pytest.mark.parametrize(("attempt", "error", "message"), REFUSED, ids=[f"{i}" for i in range(len(REFUSED))])
def test_what_makes_no_sense_is_refused(attempt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()


# --- labels as people give them ---------------------------------------------------------------------------------------


def test_labels_may_be_numbers_lists_booleans_and_integer_one_hot() -> None:
    z = Tensor(np.array([0.5, -1.0, 2.0], np.float32), requires_grad=True)
    for loss in (tl.cross_entropy(z, 2), tl.cross_entropy(z, [0, 0, 1]), tl.cross_entropy(z, [False, False, True])):
        assert loss.dtype == np.float32
        expected = np.exp(z.numpy()) / np.exp(z.numpy()).sum() - [0, 0, 1]
        np.testing.assert_allclose(gradients(loss, [z])[0].numpy(), expected, rtol=1e-6)
        np.testing.assert_allclose(gradients(loss, [z], create_graph=True)[0].numpy(), expected, rtol=1e-6)
    assert tl.nll(z, 2).item() == -2
    assert tl.hinge(z, [1, -1, 1]).dtype == np.float32
    assert tl.binary_cross_entropy_with_logits(z, [True, False, True]).dtype == np.float32
    assert tl.mse(2.0, 4.0).item() == 4


def test_where_columns_are_samples() -> None:
    z, labels = np.random.default_rng(0).standard_normal((3, 5)), np.array([0, 2, 1, -100, 0])
    assert tl.cross_entropy(z, labels, axis=0).item() == pytest.approx(tl.cross_entropy(z.T, labels).item(), rel=1e-14)
    assert tl.nll(z, labels, axis=0).item() == pytest.approx(tl.nll(z.T, labels).item(), rel=1e-14)
