"""The optimisers: equal to their formulas in float64, saved and resumed exactly, and clear about bad input."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_lite import Tensor, nn
from tinygrad_lite.optim import SGD, Adam, Optimizer

Array = np.ndarray[Any, Any]
Formula = Callable[..., Array]


# --- the formulas, once more, as they stand in the papers: all gradients in, the last parameter out


def sgd(p: Array, gs: Array, lr: float, momentum: float) -> Array:
    v = np.zeros_like(p)
    for g in gs:
        v = momentum * v + g
        p = p - lr * v
    return p


def adam(p: Array, gs: Array, lr: float, b1: float, b2: float, eps: float) -> Array:
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gs, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        p = p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return p


def sgd_lr_inside(p: Array, gs: Array, lr: float, momentum: float) -> Array:
    v = np.zeros_like(p)
    for g in gs:
        v = momentum * v + (1 - momentum) * g
        p = p - lr * v
    return p


def sgd_uphill(p: Array, gs: Array, lr: float, momentum: float) -> Array:
    return sgd(p, -gs, lr, momentum)


def adam_uncorrected(p: Array, gs: Array, lr: float, b1: float, b2: float, eps: float) -> Array:
    m, v = np.zeros_like(p), np.zeros_like(p)
    for g in gs:
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        p = p - lr * m / (np.sqrt(v) + eps)
    return p


def adam_swapped(p: Array, gs: Array, lr: float, b1: float, b2: float, eps: float) -> Array:
    return adam(p, gs, lr, b2, b1, eps)


def adam_eps_inside(p: Array, gs: Array, lr: float, b1: float, b2: float, eps: float) -> Array:
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gs, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        p = p - lr * (m / (1 - b1**t)) / np.sqrt(v / (1 - b2**t) + eps)
    return p


def drive(make: Callable[[list[Tensor]], Optimizer], p: Array, gs: Array) -> Array:
    w = Tensor(p, requires_grad=True, name="w")
    opt = make([w])
    for g in gs:
        w.grad = Tensor(g)
        opt.step()
    return w.numpy()


shapes = st.one_of(st.just(()), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
rates = st.sampled_from([1e-4, 1e-2, 0.1, 1.5])
fractions = st.sampled_from([0.0, 0.5, 0.9, 0.999])


@st.composite
def histories(draw: st.DrawFn) -> tuple[Array, Array]:
    """A parameter and the gradients of up to six steps: both signs, zero, large and tiny."""
    shape, steps = draw(shapes), draw(st.integers(1, 6))
    values = st.floats(-100, 100).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
    return draw(hnp.arrays(np.float64, shape, elements=values)), draw(
        hnp.arrays(np.float64, (steps, *shape), elements=values)
    )


@given(case=histories(), lr=rates, momentum=fractions)
def test_sgd_is_its_formula(case: tuple[Array, Array], lr: float, momentum: float) -> None:
    ours = drive(lambda ws: SGD(ws, lr=lr, momentum=momentum), *case)
    np.testing.assert_allclose(ours, sgd(*case, lr, momentum), rtol=1e-11, atol=1e-11)


@given(case=histories(), lr=rates, b1=fractions, b2=fractions, eps=st.sampled_from([1e-8, 1e-3]))
def test_adam_is_its_formula(case: tuple[Array, Array], lr: float, b1: float, b2: float, eps: float) -> None:
    ours = drive(lambda ws: Adam(ws, lr=lr, betas=(b1, b2), eps=eps), *case)
    np.testing.assert_allclose(ours, adam(*case, lr, b1, b2, eps), rtol=1e-10, atol=1e-10)


@given(case=histories(), lr=rates)
def test_float32_stays_float32_and_near(case: tuple[Array, Array], lr: float) -> None:
    p, gs = (a.astype(np.float32) for a in case)
    for make, formula in (
        (lambda ws: SGD(ws, lr=np.float64(lr), momentum=0.9), sgd(p, gs, lr, 0.9)),
        (lambda ws: Adam(ws, lr=np.float64(lr)), adam(p.astype(np.float64), gs, lr, 0.9, 0.999, 1e-8)),
    ):
        ours = drive(make, p, gs)
        assert ours.dtype == np.float32
        scale = np.abs(p).max(initial=0) + lr * (1 + np.abs(gs).max(initial=0)) * 40
        np.testing.assert_allclose(ours, formula, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("mutant", [sgd_lr_inside, sgd_uphill])
def test_a_wrong_sgd_is_noticed(mutant: Formula) -> None:
    with pytest.raises(AssertionError):
        given(case=histories(), lr=rates, momentum=fractions)(
            lambda case, lr, momentum: np.testing.assert_allclose(
                drive(lambda ws: SGD(ws, lr=lr, momentum=momentum), *case),
                mutant(*case, lr, momentum),
                rtol=1e-11,
                atol=1e-11,
            )
        )()


@pytest.mark.parametrize("mutant", [adam_uncorrected, adam_swapped, adam_eps_inside])
def test_a_wrong_adam_is_noticed(mutant: Formula) -> None:
    with pytest.raises(AssertionError):
        given(case=histories(), lr=rates)(
            lambda case, lr: np.testing.assert_allclose(
                drive(lambda ws: Adam(ws, lr=lr), *case),
                mutant(*case, lr, 0.9, 0.999, 1e-8),
                rtol=1e-10,
                atol=1e-10,
            )
        )()


def test_adam_by_hand() -> None:
    """Two steps that can be recomputed on paper: m̂/√v̂ is ±1 at first, whatever the size of the gradient."""
    w = Tensor([1.0, 1.0], requires_grad=True, dtype=np.float64)
    opt = Adam([w], lr=0.1, eps=0.0)
    w.grad = Tensor(np.array([1e-3, -50.0]))
    opt.step()
    np.testing.assert_allclose(w.numpy(), [0.9, 1.1], rtol=1e-12)
    w.grad = Tensor(np.array([0.0, 50.0]))
    opt.step()
    m, v = 0.9 * 0.1 / (1 - 0.81), 0.999 * 0.001 / (1 - 0.999**2)
    np.testing.assert_allclose(w.numpy()[0], 0.9 - 0.1 * m / math.sqrt(v), rtol=1e-9)


MAKERS = {
    "sgd": lambda ws: SGD(ws, lr=0.1),
    "momentum": lambda ws: SGD(ws, lr=0.1, momentum=0.9),
    "adam": lambda ws: Adam(ws, lr=0.1),
}
each_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@each_optimizer
def test_a_parameter_without_gradient_stays_as_if_the_step_had_not_been(
    make: Callable[..., Optimizer],
) -> None:
    a, b = (Tensor([1.0, 2.0], requires_grad=True, name=name) for name in "ab")
    opt = make([a, b])
    for step in range(3):
        a.grad = Tensor([1.0, -1.0])
        b.grad = Tensor([1.0, -1.0]) if step else None
        opt.step()
    lone = drive(make, np.float32([1, 2]), np.float32([[1, -1]] * 2))
    np.testing.assert_array_equal(b.numpy(), lone)
    opt.zero_grad()
    assert a.grad is None
    before = a.numpy().copy()
    opt.step()
    np.testing.assert_array_equal(a.numpy(), before)


@each_optimizer
def test_a_graph_recorded_before_the_step_keeps_the_old_value(make: Callable[..., Optimizer]) -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    opt, old = make([w]), w.numpy()
    (w * w).sum().backward()
    before = (w * w).sum()
    opt.step()
    np.testing.assert_array_equal(old, [1, 2])
    assert (w.numpy() != old).all()
    opt.zero_grad()
    before.backward()
    assert w.grad is not None
    np.testing.assert_array_equal(w.grad.numpy(), [2, 4])


@each_optimizer
def test_a_step_needs_one_array_at_most(make: Callable[..., Optimizer]) -> None:
    w = Tensor(np.zeros(200_000, np.float32), requires_grad=True)
    opt = make([w])
    w.grad = Tensor(np.ones(200_000, np.float32))
    opt.step()
    tracemalloc.start()
    try:
        opt.step()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.05 * w._data.nbytes


@each_optimizer
def test_a_saved_state_goes_on_bit_for_bit(make: Callable[..., Optimizer]) -> None:
    rng = np.random.default_rng(0)
    start, gs = (
        rng.standard_normal((3, 2)).astype(np.float32),
        rng.standard_normal((7, 3, 2)).astype(np.float32),
    )
    whole = drive(make, start, gs)
    first = Tensor(start, requires_grad=True, name="w")
    opt = make([first])
    for g in gs[:4]:
        first.grad = Tensor(g)
        opt.step()
    second = Tensor(first.numpy(), requires_grad=True, name="w")
    other = make([second])
    other.load_state_dict(opt.state_dict())
    for g in gs[4:]:
        second.grad = Tensor(g)
        other.step()
    np.testing.assert_array_equal(second.numpy(), whole)
    if opt.state:  # the mutant: a state that was forgotten shows
        assert (drive(make, first.numpy(), gs[4:]) != whole).any()


def test_state_names_and_copies() -> None:
    net = nn.Module()
    net.W, net.b = nn.Parameter([[1.0, 2.0]]), nn.Parameter([3.0])
    opt = Adam(net.parameters())
    names = ["exp_avg.W", "exp_avg.b", "exp_avg_sq.W", "exp_avg_sq.b", "step.W", "step.b"]
    state = opt.state_dict()
    assert list(state) == names
    state["exp_avg.W"] += 1
    assert not opt.state_dict()["exp_avg.W"].any()
    assert SGD(net.parameters()).state_dict() == {}
    twins = [Tensor([1.0], requires_grad=True, name="W") for _ in range(2)]
    assert list(SGD(twins, momentum=0.5).state_dict()) == ["momentum_buffer.0", "momentum_buffer.1"]


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    opt = SGD([Tensor([1.0, 2.0], requires_grad=True, name="w")], momentum=0.9)
    with pytest.raises(ValueError, match=r"momentum_buffer.w is \(3,\) instead of \(2,\)"):
        opt.load_state_dict({"momentum_buffer.w": np.ones(3)})
    with pytest.raises(ValueError, match=r"momentum_buffer.w is missing; step.w is unexpected"):
        opt.load_state_dict({"step.w": np.ones(())})
    assert not opt.state_dict()["momentum_buffer.w"].any()


w = Tensor([1.0], requires_grad=True, name="w")
BAD: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: SGD([]), ValueError, r"at least one parameter; net.parameters\(\)"),
    (lambda: SGD(w), TypeError, r"write \[w\]"),
    (lambda: SGD({"w": w}), TypeError, "parameter 0 is no tensor but str"),
    (lambda: SGD([w, w]), ValueError, r"w \(1,\) is among the parameters twice"),
    (lambda: SGD([w * 2]), ValueError, "was computed by mul, and only a leaf"),
    (
        lambda: SGD([Tensor([1, 2], name="counts")]),
        ValueError,
        "counts .* of dtype int.*, requires no gradient",
    ),
    (lambda: SGD([Tensor([1.0]).detach()]), ValueError, "requires no gradient"),
    *((lambda lr=lr: SGD([w], lr=lr), ValueError, "positive number") for lr in (0, -1, math.nan, math.inf)),
    *((lambda m=m: SGD([w], momentum=m), ValueError, r"in \[0, 1\)") for m in (-0.1, 1, math.nan)),
    (lambda: Adam([w], betas=(0.9, 1.0)), ValueError, r"betas\[1\] must be in"),
    (lambda: Adam([w], eps=math.nan), ValueError, "eps must be"),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD)
def test_bad_input_is_one_clear_sentence(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_a_subclass_needs_only_slots_and_step() -> None:
    class Slow(Optimizer):
        slots = ("seen",)

        def step(self) -> None:
            for p, seen in zip(self.params, self.state["seen"], strict=True):
                seen += 1
                p.assign(p.numpy() - self.lr * seen)

    x = Tensor([5.0], requires_grad=True, name="x")
    opt = Slow([x], lr=1.0)
    opt.step()
    opt.step()
    assert x.item() == 2.0
    with pytest.raises(NotImplementedError, match="defines no step"):
        Optimizer([x], lr=1.0).step()
