"""The optimisers, schedules and clipping: equal to their formulas, saved and resumed exactly, clear about bad input."""

from __future__ import annotations

import inspect
import json
import math
import textwrap
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tl
from tinygrad_lite import Tensor, nn
from tinygrad_lite.optim import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    Optimizer,
    RMSprop,
    SequentialLR,
    StepLR,
    clip_grad_norm,
    clip_grad_value,
)

Array = np.ndarray[Any, Any]
Formula = Callable[..., Array]
Make = Callable[[list[Tensor]], Optimizer]


# --- the formulas, once more, as they stand in the papers: all gradients in, the last parameter out


def sgd(p, gs, lr, momentum, dampening, weight_decay, nesterov):
    v = None
    for g in gs:
        g = g + weight_decay * p
        v = g if v is None else momentum * v + (1 - dampening) * g
        p = p - lr * (g + momentum * v if nesterov else v)
    return p


def adam(p, gs, lr, betas, eps, weight_decay):
    (b1, b2), m, v = betas, 0 * p, 0 * p
    for t, g in enumerate(gs, 1):
        g = g + weight_decay * p
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        p = p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return p


def adamw(p, gs, lr, betas, eps, weight_decay):
    (b1, b2), m, v = betas, 0 * p, 0 * p
    for t, g in enumerate(gs, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        p = p - lr * weight_decay * p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return p


def rmsprop(p, gs, lr, alpha, eps, weight_decay, momentum, centered):
    v, m, b = 0 * p, 0 * p, 0 * p
    for g in gs:
        g = g + weight_decay * p
        v, m = alpha * v + (1 - alpha) * g**2, alpha * m + (1 - alpha) * g
        b = momentum * b + g / (np.sqrt(v - m**2 if centered else v) + eps)
        p = p - lr * b
    return p


def adagrad(p, gs, lr, lr_decay, weight_decay, initial_accumulator_value, eps):
    s = 0 * p + initial_accumulator_value
    for t, g in enumerate(gs):
        g = g + weight_decay * p
        s = s + g**2
        p = p - lr / (1 + t * lr_decay) * g / (np.sqrt(s) + eps)
    return p


def drive(make: Make, p: Array, gs: Array) -> Array:
    w = Tensor(p, requires_grad=True, name="w")
    opt = make([w])
    for g in gs:
        w.grad = Tensor(g)
        opt.step()
    return w.numpy()


shapes = st.one_of(st.just(()), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
fractions = st.sampled_from([0.0, 0.5, 0.9, 0.999])
momenta = st.sampled_from([0.5, 0.9, 0.999])
ZERO = st.just(0.0)
decays = st.sampled_from([0.0, 0.01, 0.5])
weight_decays = st.sampled_from([0.0, 1e-3])
flags = st.booleans()
rates = st.sampled_from([1e-4, 1e-2, 0.1, 1.5])
epsilons = st.sampled_from([1e-8, 1e-3])
adams = {"lr": rates, "betas": st.tuples(fractions, fractions), "eps": epsilons, "weight_decay": weight_decays}


@st.composite
def histories(draw: st.DrawFn) -> tuple[Array, Array]:
    """A parameter and the gradients of up to six steps: both signs, zero, large and tiny."""
    shape, steps = draw(shapes), draw(st.integers(1, 6))
    values = st.floats(-100, 100).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
    return draw(hnp.arrays(np.float64, shape, elements=values)), draw(
        hnp.arrays(np.float64, (steps, *shape), elements=values)
    )


def sgds(momentum: Any, dampening: Any = ZERO, nesterov: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "lr": rates,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decays,
            "nesterov": st.just(nesterov),
        }
    )


# name: the class, its formula, its settings
TABLE: dict[str, tuple[type[Optimizer], Formula, st.SearchStrategy[dict[str, Any]]]] = {
    "SGD": (
        SGD,
        sgd,
        st.one_of(sgds(ZERO), sgds(momenta), sgds(momenta, dampening=momenta), sgds(momenta, nesterov=True)),
    ),
    "Adam": (Adam, adam, st.fixed_dictionaries(adams)),
    "AdamW": (AdamW, adamw, st.fixed_dictionaries(adams)),
    "RMSprop": (
        RMSprop,
        rmsprop,
        st.fixed_dictionaries(
            {
                "lr": rates,
                "alpha": st.sampled_from([0.5, 0.9, 0.99]),  # at 0 the centered variance is nothing but rounding
                "eps": st.just(1e-3),
                "weight_decay": weight_decays,
                "momentum": fractions,
                "centered": flags,
            }
        ),
    ),
    "Adagrad": (
        Adagrad,
        adagrad,
        st.fixed_dictionaries(
            {
                "lr": rates,
                "lr_decay": decays,
                "weight_decay": weight_decays,
                "initial_accumulator_value": decays,
                "eps": st.sampled_from([1e-10, 1e-3]),
            }
        ),
    ),
}


FULL = settings()
BRIEF = settings(phases=[Phase.generate], report_multiple_bugs=False)  # a mutant needs no smallest counterexample


def check_formula(name: str, formula: Formula, how: settings = FULL) -> None:
    kind, _, options = TABLE[name]

    @how
    @given(case=histories(), options=options)
    def check(case: tuple[Array, Array], options: dict[str, Any]) -> None:
        p, gs = case
        if options[
            "weight_decay"
        ]:  # where g + weight_decay · p is about 0, dividing by its size makes much of rounding
            gs = np.where(np.abs(gs) < 1, np.copysign(1, gs), gs)
        found, expected = drive(lambda ws: kind(ws, **options), p, gs), formula(p, gs, **options)
        scale = 1 + np.abs(p).max(initial=0) + np.abs(gs).max(initial=0)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * scale)

    check()


@pytest.mark.parametrize("name", TABLE)
def test_an_optimiser_is_its_formula(name: str) -> None:
    check_formula(name, TABLE[name][1])


MUTANTS = [
    ("SGD", "+ (1 - dampening) * g", "+ g"),
    ("SGD", "v = g if v is None else", "v = (1 - dampening) * g if v is None else"),
    ("SGD", "momentum * v + (1 - dampening)", "momentum * v + (1 - momentum)"),
    ("SGD", "(g + momentum * v if nesterov else v)", "v"),
    ("SGD", "p - lr", "p + lr"),
    ("SGD", "g + weight_decay * p", "g"),
    ("Adam", "(m / (1 - b1**t))", "m"),
    ("Adam", "(b1, b2), m", "(b2, b1), m"),
    ("Adam", "np.sqrt(v / (1 - b2**t)) + eps", "np.sqrt(v / (1 - b2**t) + eps)"),
    ("Adam", "g + weight_decay * p", "g"),
    ("AdamW", "p - lr * weight_decay * p", "p - weight_decay * p"),
    ("AdamW", "(m / (1 - b1**t))", "(m / (1 - b1**t) + weight_decay * p)"),
    ("RMSprop", "- m**2 if centered", "if centered"),
    (
        "RMSprop",
        "np.sqrt(v - m**2 if centered else v) + eps",
        "np.sqrt((v - m**2 if centered else v) + eps)",
    ),
    ("RMSprop", "momentum * b", "b"),
    ("RMSprop", "alpha * v", "v"),
    ("Adagrad", "gs):", "gs, 1):"),
    ("Adagrad", "0 * p + initial_accumulator_value", "0 * p"),
    ("Adagrad", "s = s + g**2", "s = (t * s + g**2) / (t + 1)"),
    ("Adagrad", "np.sqrt(s) + eps", "np.sqrt(s + eps)"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), MUTANTS)
def test_a_wrong_formula_is_noticed(name: str, right: str, wrong: str) -> None:
    formula = TABLE[name][1]
    source = textwrap.dedent(inspect.getsource(formula))
    assert source.count(right) == 1
    scope: dict[str, Any] = {"np": np}
    exec(source.replace(right, wrong), scope)
    with pytest.raises(AssertionError):
        check_formula(name, scope[formula.__name__], BRIEF)


@given(case=histories(), lr=rates)
def test_float32_stays_float32_and_near(case: tuple[Array, Array], lr: float) -> None:
    p, gs = (a.astype(np.float32) for a in case)
    for make, formula in (
        (lambda ws: SGD(ws, lr=np.float64(lr), momentum=0.9), sgd(p, gs, lr, 0.9, 0, 0, False)),
        (lambda ws: Adam(ws, lr=np.float64(lr)), adam(p.astype(np.float64), gs, lr, (0.9, 0.999), 1e-8, 0)),
    ):
        ours = drive(make, p, gs)
        assert ours.dtype == np.float32
        scale = np.abs(p).max(initial=0) + lr * (1 + np.abs(gs).max(initial=0)) * 40
        np.testing.assert_allclose(ours, formula, rtol=0, atol=1e-5 * scale)


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


MAKERS: dict[str, Make] = {
    "sgd": lambda ws: SGD(ws, lr=0.1),
    "sgd-decay": lambda ws: SGD(ws, lr=0.1, weight_decay=0.1),
    "momentum": lambda ws: SGD(ws, lr=0.1, momentum=0.9),
    "dampening": lambda ws: SGD(ws, lr=0.1, momentum=0.9, dampening=0.5, weight_decay=0.1),
    "nesterov": lambda ws: SGD(ws, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda ws: Adam(ws, lr=0.1),
    "adam-decay": lambda ws: Adam(ws, lr=0.1, weight_decay=0.1),
    "adamw": lambda ws: AdamW(ws, lr=0.1, weight_decay=0.1),
    "rmsprop": lambda ws: RMSprop(ws, lr=0.1),
    "rmsprop-all": lambda ws: RMSprop(ws, lr=0.1, momentum=0.9, centered=True, weight_decay=0.1),
    "adagrad": lambda ws: Adagrad(ws, lr=0.1),
    "adagrad-all": lambda ws: Adagrad(ws, lr=0.1, lr_decay=0.1, initial_accumulator_value=0.1, weight_decay=0.1),
}
each_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


# --- laws that hold between optimisers


@given(case=histories(), lr=rates)
def test_nesterov_without_momentum_left_is_plain_descent(case: tuple[Array, Array], lr: float) -> None:
    plain = drive(lambda ws: SGD(ws, lr=lr), *case)
    nesterov = drive(lambda ws: SGD(ws, lr=lr, momentum=1e-200, nesterov=True), *case)
    np.testing.assert_array_equal(nesterov, plain)


@given(case=histories(), lr=rates, betas=st.tuples(fractions, fractions))
def test_adamw_without_decay_is_adam(case: tuple[Array, Array], lr: float, betas: tuple[float, float]) -> None:
    adam_, adamw_ = (drive(lambda ws, kind=kind: kind(ws, lr, betas, weight_decay=0), *case) for kind in (Adam, AdamW))
    np.testing.assert_array_equal(adam_, adamw_)


def decayed_by_hand(make: Make, p: Array, gs: Array, decay: float) -> Array:
    """The parameter where the gradient of decay · |p|² / 2 is part of the gradient."""
    w = Tensor(p, requires_grad=True, name="w")
    opt = make([w])
    for g in gs:
        w.grad = Tensor(g + decay * w.numpy())
        opt.step()
    return w.numpy()


COUPLED = {
    "sgd": lambda ws, d: SGD(ws, lr=0.1, weight_decay=d),
    "momentum": lambda ws, d: SGD(ws, lr=0.1, momentum=0.9, nesterov=True, weight_decay=d),
    "adam": lambda ws, d: Adam(ws, lr=0.1, weight_decay=d),
    "rmsprop": lambda ws, d: RMSprop(ws, lr=0.1, momentum=0.5, weight_decay=d),
    "adagrad": lambda ws, d: Adagrad(ws, lr=0.1, weight_decay=d),
}


def check_coupled(make: Callable[[list[Tensor], float], Optimizer], how: settings = FULL) -> None:
    @how
    @given(case=histories(), decay=decays)
    def check(case: tuple[Array, Array], decay: float) -> None:
        inside, by_hand = (
            drive(lambda ws: make(ws, decay), *case),
            decayed_by_hand(lambda ws: make(ws, 0), *case, decay),
        )
        np.testing.assert_allclose(inside, by_hand, rtol=1e-9, atol=1e-9)

    check()


@pytest.mark.parametrize("make", COUPLED.values(), ids=COUPLED)
def test_weight_decay_is_a_term_of_the_loss(make: Callable[[list[Tensor], float], Optimizer]) -> None:
    check_coupled(make)


def test_decoupled_weight_decay_is_not() -> None:
    with pytest.raises(AssertionError):
        check_coupled(lambda ws, d: AdamW(ws, lr=0.1, weight_decay=d), BRIEF)


def drift(make: Make, scale: float) -> Array:
    gs = np.random.default_rng(0).standard_normal((20, 3))
    return drive(make, np.zeros(3), gs * scale)


@pytest.mark.parametrize("kind", [Adam, AdamW, RMSprop, Adagrad])
@pytest.mark.parametrize("exponent", [-30, 1, 40])
def test_the_size_of_the_gradient_does_not_matter_to_those_that_divide_by_it(kind: Any, exponent: int) -> None:
    moved, scaled = drift(lambda ws: kind(ws, eps=0), 1.0), drift(lambda ws: kind(ws, eps=0), 2.0**exponent)
    np.testing.assert_array_equal(scaled, moved)
    assert (drift(lambda ws: SGD(ws), 2.0**exponent) != drift(lambda ws: SGD(ws), 1.0)).all()


def test_a_centered_variance_that_rounding_makes_negative_counts_as_zero() -> None:
    """A gradient that does not change: v and m² grow equal, and their difference is rounding of either sign."""
    g = np.full(64, 0.1, np.float32) * np.arange(1, 65, dtype=np.float32)
    moved = drive(lambda ws: RMSprop(ws, alpha=0.5, centered=True), np.zeros(64, np.float32), [g] * 100)
    assert np.isfinite(moved).all()


@each_optimizer
def test_a_parameter_without_gradient_stays_as_if_the_step_had_not_been(
    make: Make,
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
def test_a_graph_recorded_before_the_step_keeps_the_old_value(make: Make) -> None:
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


def peak_of_a_step(make: Make, count: int, size: int) -> float:
    """The memory that a step needs beside what it starts and ends with, in arrays of one parameter."""
    ws = [Tensor(np.zeros(size, np.float32), requires_grad=True) for _ in range(count)]
    opt = make(ws)
    for w in ws:
        w.grad = Tensor(np.ones(size, np.float32))
    tracemalloc.start()
    try:
        opt.step()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        opt.step()
        return (tracemalloc.get_traced_memory()[1] - before) / ws[0]._array.nbytes
    finally:
        tracemalloc.stop()


@each_optimizer
def test_a_step_needs_the_memory_of_one_parameter_and_not_of_the_model(make: Make) -> None:
    arrays = 2 if make([Tensor([1.0], requires_grad=True)]).weight_decay else 1  # the new value; p or g with the decay
    assert peak_of_a_step(make, 1, 200_000) < arrays + 0.05
    assert peak_of_a_step(make, 40, 20_000) < arrays + 0.2


def test_a_step_with_temporaries_of_all_parameters_would_be_noticed() -> None:
    class Greedy(SGD):
        def step(self) -> None:
            changes = [p.grad._array * self.lr for p in self.params]
            for p, change in zip(self.params, changes, strict=True):
                p._array = p._array - change

    assert peak_of_a_step(Greedy, 40, 20_000) > 10


@each_optimizer
def test_a_saved_state_goes_on_bit_for_bit(make: Make) -> None:
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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        *(("step.w", count, "and no count of steps") for count in (2.7, -5, math.nan, math.inf)),
        ("exp_avg_sq.w", np.array(["a", "b"]), "exp_avg_sq.w is no array of numbers"),
        ("exp_avg_sq.w", [[1.0], [1.0, 2.0]], "exp_avg_sq.w is no array of numbers"),
        ("exp_avg_sq.w", None, "exp_avg_sq.w is no array of numbers"),
    ],
    ids=str,
)
def test_a_state_is_loaded_whole_or_not_at_all(name: str, value: Any, message: str) -> None:
    opt = Adam([Tensor([1.0, 2.0], requires_grad=True, name="w")])
    good = {"exp_avg.w": [1.0, 2.0], "exp_avg_sq.w": np.ones(2), "step.w": 3.0}
    with pytest.raises(ValueError, match=message):
        opt.load_state_dict(good | {name: value})
    assert not any(array.any() for array in opt.state_dict().values())
    opt.load_state_dict(good)
    assert opt.state_dict()["step.w"] == 3


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
    (lambda: Adam([w], weight_decay=-0.1), ValueError, "weight_decay must be a number ≥ 0, not -0.1"),
    (lambda: AdamW([w], lr=None), ValueError, "positive number, not None"),
    (lambda: SGD([w], momentum=0.9, dampening=1), ValueError, r"dampening must be in \[0, 1\)"),
    (lambda: SGD([w], nesterov=True), ValueError, "nesterov needs a momentum and no dampening"),
    (lambda: SGD([w], momentum=0.9, dampening=0.1, nesterov=True), ValueError, "no dampening, but .* dampening=0.1"),
    (lambda: RMSprop([w], alpha=1), ValueError, r"alpha must be in \[0, 1\)"),
    (lambda: RMSprop([w], momentum=-1), ValueError, r"momentum must be in \[0, 1\)"),
    (lambda: Adagrad([w], lr_decay=-1), ValueError, "lr_decay must be a number ≥ 0"),
    (lambda: Adagrad([w], initial_accumulator_value=-1), ValueError, "initial_accumulator_value must be"),
    (lambda: Adagrad([w], eps="small"), ValueError, "eps must be a number ≥ 0, not 'small'"),
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
    x.grad = Tensor([1.0])
    with pytest.raises(NotImplementedError, match=r"defines no change\(self, g, ...\) and no step"):
        Optimizer([x], lr=1.0).step()


@pytest.mark.parametrize("shape", [(), (2,)])
def test_a_subclass_needs_only_slots_and_a_formula(shape: tuple[int, ...]) -> None:
    class Lion(Optimizer):
        slots = ("mean",)

        def change(self, g: Any, mean: Any) -> Any:
            mean += (g - mean) * 0.5
            return np.float64(self.lr) * np.sign(mean)  # a float64, which must not make one of a float32 parameter

    x = Tensor(np.full(shape, 5.0, np.float32), requires_grad=True, name="x")
    opt = Lion([x], lr=1.0, weight_decay=0.1)
    for _ in range(2):
        x.grad = Tensor(np.ones(shape, np.float32))
        opt.step()
    np.testing.assert_array_equal(x.numpy(), np.full(shape, 3, np.float32))
    assert x.dtype == np.float32
    assert type(x._array) is np.ndarray
    np.testing.assert_allclose(opt.state_dict()["mean.x"], 1.075)  # (0.75 + 1.4) / 2


# --- gradients that a user assigned


@each_optimizer
@pytest.mark.parametrize(
    ("bad", "kind", "message"),
    [
        (3, TypeError, r"parameter 1, b \(2,\), has as its gradient no tensor but 3; write p.grad = Tensor\(array\)"),
        (np.ones(2), TypeError, r"parameter 1, b \(2,\), has as its gradient no tensor but an array \(2,\)"),
        (Tensor([1.0]), ValueError, r"parameter 1, b \(2,\), has a gradient of another shape, \(1,\)"),
        (Tensor([[1.0, 2.0]]), ValueError, r"of another shape, 1×2"),
        (Tensor(1.0), ValueError, r"of another shape, scalar"),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused(make: Make, bad: Any, kind: type[Exception], message: str) -> None:
    a, b = (Tensor([1.0, 2.0], requires_grad=True, name=name) for name in "ab")
    opt = make([a, b])
    a.grad, b.grad = Tensor([1.0, 1.0]), bad
    state = opt.state_dict()
    for act in (opt.step, lambda: clip_grad_norm([a, b], 0.1), lambda: clip_grad_value([a, b], 0.1)):
        with pytest.raises(kind, match=message):
            act()
    np.testing.assert_array_equal(b.numpy(), [1, 2])
    np.testing.assert_array_equal(a.grad.numpy(), [1, 1])
    for name, array in opt.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


@each_optimizer
def test_a_gradient_of_another_dtype_does_not_change_that_of_the_parameter(make: Make) -> None:
    p, g = np.float32([1, 2]), np.float64([0.5, -3])
    found = drive(make, p, [g, g])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, drive(make, p, np.float32([g, g])))
    np.testing.assert_array_equal(drive(make, p, [np.array([1, -3])]), drive(make, p, np.float32([[1, -3]])))


def test_the_learning_rate_may_be_changed_and_stays_a_python_float() -> None:
    opt = SGD([w], lr=np.float32(0.5))
    assert type(opt.lr) is float
    opt.lr = np.float64(0)
    assert type(opt.lr) is float
    with pytest.raises(ValueError, match=r"the learning rate lr must be a positive number, not -1"):
        opt.lr = -1
    assert opt.lr == 0


# --- schedules


def lrs(schedule: LRScheduler, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found += schedule.get_last_lr()
        assert found[-1] == schedule.optimizer.lr
        schedule.step()
    return found


def descent(lr: float = 0.4) -> SGD:
    return SGD([Tensor([1.0], requires_grad=True)], lr=lr)


counts, factors = st.integers(1, 9), st.floats(0.01, 1)


@given(size=counts, gamma=factors)
def test_a_step_schedule_changes_at_multiples_of_its_size_only(size: int, gamma: float) -> None:
    found = lrs(StepLR(descent(), size, gamma), 3 * size + 1)
    assert found[0] == 0.4
    for epoch in range(1, len(found)):
        factor = gamma if epoch % size == 0 else 1.0
        assert math.isclose(found[epoch], found[epoch - 1] * factor, rel_tol=1e-12)


def check_cosine(schedule: LRScheduler, T: int, low: float) -> None:
    found = lrs(schedule, 3 * T + 1)
    assert math.isclose(found[0], 0.4)
    assert math.isclose(found[T], low, abs_tol=1e-12)
    for k in range(T + 1):
        assert math.isclose(found[k] + found[T - k], 0.4 + low, rel_tol=1e-12)  # point symmetry about the middle
        assert math.isclose(found[T + k], found[T - k], abs_tol=1e-12)  # up again
    assert sorted(found[: T + 1], reverse=low < 0.4) == found[: T + 1]
    assert math.isclose(found[1], 0.4 - (0.4 - low) * math.sin(math.pi / T / 2) ** 2, rel_tol=1e-12)


@given(T=counts, low=st.sampled_from([0.0, 0.01, 0.7]))
def test_a_cosine_schedule_is_a_cosine(T: int, low: float) -> None:
    check_cosine(CosineAnnealingLR(descent(), T, low), T, low)


@given(start=factors, end=factors, total=counts)
def test_a_linear_schedule_is_a_line_that_ends(start: float, end: float, total: int) -> None:
    found = lrs(LinearLR(descent(), start, end, total), total + 4)
    np.testing.assert_allclose(found[: total + 1], 0.4 * np.linspace(start, end, total + 1), rtol=1e-12)
    np.testing.assert_allclose(found[total:], 0.4 * end, rtol=1e-12)


def test_a_wrong_schedule_is_noticed() -> None:
    class Straight(CosineAnnealingLR):
        def lr_at(self, epoch: int) -> float:
            away = abs((epoch + self.T_max) % (2 * self.T_max) - self.T_max) / self.T_max
            return self.base_lr + (self.eta_min - self.base_lr) * away

    with pytest.raises(AssertionError):
        check_cosine(Straight(descent(), 4), 4, 0.0)


@given(warm=counts, T=counts)
def test_warm_up_then_cosine_is_the_one_and_then_the_other(warm: int, T: int) -> None:
    opt = descent()
    parts = [LinearLR(opt, 0.1, total_iters=warm), CosineAnnealingLR(opt, T)]
    found = lrs(SequentialLR(opt, parts, [warm]), warm + T + 1)
    assert found[:warm] == lrs(LinearLR(descent(), 0.1, total_iters=warm), warm)
    assert found[warm:] == lrs(CosineAnnealingLR(descent(), T), T + 1)


def warmed_up(opt: Optimizer) -> LRScheduler:
    first = SequentialLR(opt, [LinearLR(opt), StepLR(opt, 3)], [4])
    return SequentialLR(opt, [first, CosineAnnealingLR(opt, 5)], [9])


SCHEDULES: dict[str, Callable[[Optimizer], LRScheduler]] = {
    "step": lambda opt: StepLR(opt, 3),
    "cosine": lambda opt: CosineAnnealingLR(opt, 5),
    "linear": lambda opt: LinearLR(opt),
    "sequence": warmed_up,
}


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("stop", [0, 1, 4, 10])
def test_a_saved_schedule_goes_on(make: Callable[[Optimizer], LRScheduler], stop: int) -> None:
    whole = lrs(make(descent()), 20)
    first = make(descent())
    lrs(first, stop)
    second = make(descent(lr=7.0))  # what was saved counts
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert lrs(second, 20 - stop) == whole[stop:]
    forgotten = make(descent())  # the mutant
    assert stop == 0 or lrs(forgotten, 20 - stop) != whole[stop:]


def test_schedules_do_not_add_up_in_silence() -> None:
    opt = descent()
    steps, cosine = StepLR(opt, 1), CosineAnnealingLR(opt, 5)
    steps.step()
    with pytest.raises(RuntimeError, match=r"is 0.04, but this CosineAnnealingLR has set it to 0.4.*SequentialLR"):
        cosine.step()
    opt.lr = 0.3
    with pytest.raises(RuntimeError, match=r"scale the whole schedule by optimizer\.initial_lr"):
        steps.step()


def test_a_schedule_changes_the_steps() -> None:
    x = Tensor([8.0], requires_grad=True)
    opt = SGD([x], lr=1.0)
    schedule = StepLR(opt, 1, gamma=0.5)
    for _ in range(3):
        x.grad = Tensor([1.0])
        opt.step()
        schedule.step()
    assert x.item() == 8 - 1 - 0.5 - 0.25


opt, other = descent(), descent()
BAD_SCHEDULES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: StepLR(3, 1), TypeError, "StepLR takes an optimiser first, not int"),
    (lambda: StepLR(opt, 0), ValueError, "step_size must be a whole number ≥ 1, not 0"),
    (lambda: StepLR(opt, 2.5), ValueError, "step_size must be a whole number ≥ 1, not 2.5"),
    (lambda: StepLR(opt, 1, gamma=-1), ValueError, "gamma must be a number ≥ 0"),
    (lambda: CosineAnnealingLR(opt, 0), ValueError, "T_max must be"),
    (lambda: CosineAnnealingLR(opt, 1, math.nan), ValueError, "eta_min must be"),
    (lambda: LinearLR(opt, 0), ValueError, r"start_factor must be in \(0, 1\], not 0"),
    (lambda: LinearLR(opt, 1, 2), ValueError, r"end_factor must be in \[0, 1\], not 2"),
    (lambda: LinearLR(opt, total_iters=0), ValueError, "total_iters must be"),
    (lambda: SequentialLR(opt, [], []), ValueError, "at least one schedule"),
    (lambda: SequentialLR(opt, [StepLR(opt, 1)], [1]), ValueError, "1 schedules need 0 milestones, not 1"),
    (lambda: SequentialLR(opt, [StepLR(other, 1)], []), ValueError, "schedule 0, StepLR, is of another optimiser"),
    (lambda: SequentialLR(opt, [3], []), TypeError, "schedule 0 is no schedule but int"),
    (lambda: SequentialLR(opt, [StepLR(opt, 1)] * 3, [5, 2]), ValueError, r"ascending order, not \[5, 2\]"),
    (lambda: LRScheduler(descent()), NotImplementedError, r"defines no lr_at\(self, epoch\)"),
    (lambda: StepLR(opt, 1).load_state_dict({"last_epoch": 1}), ValueError, "has last_epoch and initial_lr, not last"),
    (lambda: StepLR(opt, 1).load_state_dict({"last_epoch": -1, "initial_lr": 1}), ValueError, "last_epoch must be"),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD_SCHEDULES)
def test_a_bad_schedule_is_one_clear_sentence(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


# --- clipping

values = st.floats(-100, 100).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
gradients = st.lists(hnp.arrays(np.float64, shapes, elements=values), min_size=1, max_size=3)
bounds = st.sampled_from([0.0, 1e-3, 1.0, 50.0, math.inf])
Clip = Callable[[list[Tensor], float], Any]


def with_gradients(grads: list[Array]) -> list[Tensor]:
    ws = [Tensor(np.zeros_like(g), requires_grad=True) for g in grads]
    for p, g in zip(ws, grads, strict=True):
        p.grad = Tensor(g)
    return ws


def flat(grads: list[Array]) -> Array:
    return np.concatenate([g.ravel() for g in grads])


def check_clip_norm(clip: Clip, how: settings = FULL) -> None:
    @how
    @given(grads=gradients, bound=bounds, dtype=st.sampled_from([np.float32, np.float64]))
    def check(grads: list[Array], bound: float, dtype: Any) -> None:
        grads = [g.astype(dtype) for g in grads]
        ws = with_gradients(grads)
        before = [p.grad.numpy() for p in ws]
        norm = clip(ws, bound)
        assert type(norm) is float
        whole = flat(grads).astype(np.float64)
        assert math.isclose(norm, np.linalg.norm(whole), rel_tol=1e-12)
        clipped = flat([p.grad.numpy() for p in ws])
        assert clipped.dtype == dtype
        assert np.linalg.norm(clipped.astype(np.float64)) <= bound * (1 + 1e-6)
        if norm + 1e-6 <= bound:
            np.testing.assert_array_equal(clipped, whole)
        else:
            np.testing.assert_allclose(clipped * (norm + 1e-6), whole * bound, rtol=1e-5)  # the same direction
        for old, g in zip(before, grads, strict=True):
            np.testing.assert_array_equal(old, g)  # no array was changed in place

    check()


def test_clipping_by_norm_keeps_the_direction_of_all_together() -> None:
    check_clip_norm(clip_grad_norm)


def each_alone(ws: list[Tensor], bound: float) -> float:
    return math.hypot(*[clip_grad_norm(p, bound) for p in ws])


def by_value(ws: list[Tensor], bound: float) -> float:
    norm = clip_grad_norm(ws, math.inf)
    clip_grad_value(ws, bound)
    return norm


def in_place(ws: list[Tensor], bound: float) -> float:
    norm = clip_grad_norm(ws, math.inf)
    for p in ws:
        p.grad._array *= min(1.0, bound / (norm + 1e-6))
    return norm


def not_at_all(ws: list[Tensor], bound: float) -> float:
    return clip_grad_norm(ws, math.inf)


@pytest.mark.parametrize("mutant", [each_alone, by_value, in_place, not_at_all])
def test_a_wrong_clipping_is_noticed(mutant: Clip) -> None:
    with pytest.raises(AssertionError):
        check_clip_norm(mutant, BRIEF)


@given(grads=gradients, bound=bounds)
def test_clipping_by_value_changes_what_is_outside_only(grads: list[Array], bound: float) -> None:
    ws = with_gradients(grads)
    clip_grad_value(ws, bound)
    for p, g in zip(ws, grads, strict=True):
        clipped = p.grad.numpy()
        assert (np.abs(clipped) <= bound).all()
        inside = np.abs(g) <= bound
        np.testing.assert_array_equal(clipped[inside], g[inside])
        np.testing.assert_array_equal(clipped[~inside], bound * np.sign(g[~inside]))


def test_a_norm_does_not_overflow_in_float32() -> None:
    p = with_gradients([np.float32([3e30, 4e30])])
    assert math.isclose(clip_grad_norm(p, 1.0), 5e30, rel_tol=1e-6)
    np.testing.assert_allclose(p[0].grad.numpy(), [0.6, 0.8], rtol=1e-6)


def test_what_clipping_leaves_alone() -> None:
    a, b = with_gradients([np.float64([3.0]), np.float64([4.0])])
    b.grad = None
    assert clip_grad_norm(iter([a, b]), 1.0) == 3.0
    assert b.grad is None
    assert clip_grad_norm([b], 1.0) == 0.0
    (shared,) = with_gradients([np.float64([3.0, 4.0])])
    assert clip_grad_norm([shared, shared], 1.0) == 5.0  # one that two modules share counts once
    np.testing.assert_allclose(shared.grad.numpy(), [0.6, 0.8], rtol=1e-6)
    (row,) = with_gradients([np.arange(6.0).reshape(2, 3).T])
    row.grad = Tensor(np.arange(6.0).reshape(2, 3).T)
    assert math.isclose(clip_grad_norm([row], 1.0), math.sqrt(55))  # whatever the order in memory


def test_clipping_needs_no_memory_of_the_size_of_the_model() -> None:
    ws = with_gradients([np.ones(50_000, np.float32) for _ in range(20)])
    tracemalloc.start()
    try:
        clip_grad_norm(ws, math.inf)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.0 * ws[0]._array.nbytes


def test_a_recorded_gradient_keeps_its_history_and_the_clipped_one_has_none() -> None:
    x = Tensor([3.0], requires_grad=True)
    (g,) = tl.gradients((x**3).sum(), [x], create_graph=True)
    x.grad = g
    clip_grad_norm([x], 1.0)
    assert not x.grad.requires_grad
    (second,) = tl.gradients(g.sum(), [x])
    assert second.item() == 18.0


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: clip_grad_norm([w], -1), ValueError, "max_norm must be a number ≥ 0 or inf, not -1"),
        (lambda: clip_grad_norm([w], math.nan), ValueError, "max_norm must be"),
        (lambda: clip_grad_value([w], -1), ValueError, "clip_value must be"),
        (lambda: clip_grad_norm({"w": w}, 1), TypeError, "parameter 0 is no tensor but str"),
    ],
)
def test_bad_clipping_is_one_clear_sentence(call: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
