"""Optimisers, schedules and clipping give the numbers of PyTorch: 200 steps of each, with every option."""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_lite import Tensor, optim

torch = pytest.importorskip("torch")

Array = np.ndarray[Any, Any]
STEPS = 200
SHAPES = {"W": (3, 4), "b": (3, 1), "s": ()}


def choices(**other: Any) -> list[dict[str, Any]]:
    """Return the defaults, each option alone, all but each one, and all together."""
    names, picked = list(other), []
    for count in sorted({0, 1, len(names) - 1, len(names)}):
        picked += itertools.combinations(names, count)
    return [{name: other[name] for name in names} for names in picked]


OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        *choices(lr=0.05, momentum=0.9, dampening=0.3, weight_decay=0.02),
        {"momentum": 0.9, "nesterov": True},
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.02, "nesterov": True},
    ],
    "Adam": choices(lr=0.02, betas=(0.6, 0.8), eps=1e-3, weight_decay=0.1),
    "AdamW": [*choices(lr=0.02, betas=(0.6, 0.8), eps=1e-3, weight_decay=0.3), {"weight_decay": 0}],
    "RMSprop": choices(lr=1e-3, alpha=0.9, eps=1e-3, weight_decay=0.1, momentum=0.9, centered=True),
    "Adagrad": choices(lr=0.1, lr_decay=0.05, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-3),
}
CASES = [(name, options) for name, listed in OPTIONS.items() for options in listed]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def start(dtype: Any) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {name: np.asarray(rng.standard_normal(shape), dtype) for name, shape in SHAPES.items()}


def data(dtype: Any) -> tuple[Array, Array]:
    """Inputs and targets, new ones for every step, so that no gradient dies out."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((STEPS, 4, 5)).astype(dtype)
    return X, rng.standard_normal((STEPS, 3, 5)).astype(dtype)


def losses(W: Any, b: Any, s: Any, X: Any, Y: Any) -> Any:
    """Least squares: the same code for both."""
    E = s * (W @ X + b) - Y
    return (E * E).mean()


def ours(name: str, options: dict[str, Any], dtype: Any) -> dict[str, Array]:
    params = {key: Tensor(value, requires_grad=True, name=key) for key, value in start(dtype).items()}
    opt = getattr(optim, name)(params.values(), **options)
    for X, Y in zip(*data(dtype), strict=True):
        losses(**params, X=X, Y=Y).backward()
        opt.step()
        opt.zero_grad()
    return {key: p.numpy() for key, p in params.items()}


def theirs(name: str, options: dict[str, Any], dtype: Any) -> dict[str, Array]:
    params = {key: torch.tensor(value, requires_grad=True) for key, value in start(dtype).items()}
    opt = getattr(torch.optim, name)(params.values(), foreach=False, **options)
    for X, Y in zip(*data(dtype), strict=True):
        losses(**params, X=torch.tensor(X), Y=torch.tensor(Y)).backward()
        opt.step()
        opt.zero_grad()
    return {key: p.detach().numpy() for key, p in params.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def label(case: Any) -> str:
    return case if isinstance(case, str) else ",".join(f"{k}={v}" for k, v in case.items()) or "defaults"


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("name", "options"), CASES, ids=label)
def test_two_hundred_steps_are_those_of_pytorch(name: str, options: dict[str, Any], dtype: Any) -> None:
    with one_thread():
        expected, found = theirs(name, options, dtype), ours(name, options, dtype)
    for key, value in found.items():
        assert value.dtype == dtype
        np.testing.assert_allclose(value, expected[key], rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype], err_msg=key)


@pytest.mark.parametrize("name", OPTIONS)
def test_settings_and_defaults_are_those_of_pytorch(name: str) -> None:
    mine = {key: p.default for key, p in inspect.signature(getattr(optim, name)).parameters.items()}
    peer = {key: p.default for key, p in inspect.signature(getattr(torch.optim, name)).parameters.items()}
    assert list(mine) == [key for key in peer if key in mine]  # so that they may be given by position
    assert mine == {key: peer[key] for key in mine}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_parameter_without_gradient_is_left_out_as_in_pytorch(name: str) -> None:
    options = OPTIONS[name][-1]
    a, b = (Tensor(np.array([1.0, -2.0]), requires_grad=True) for _ in "ab")
    c, d = (torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True) for _ in "cd")
    opt, peer = getattr(optim, name)([a, b], **options), getattr(torch.optim, name)([c, d], **options)
    for step in range(6):
        g = np.array([0.5 + step, -1.0])
        a.grad, c.grad = Tensor(g), torch.tensor(g)
        b.grad, d.grad = (Tensor(g), torch.tensor(g)) if step in (2, 5) else (None, None)
        opt.step()
        peer.step()
    np.testing.assert_allclose(b.numpy(), d.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(a.numpy(), c.detach().numpy(), rtol=1e-12)


def test_where_rounding_makes_a_variance_negative_pytorch_gives_nan_and_we_do_not() -> None:
    g = np.full(64, 0.1, np.float32) * np.arange(1, 65, dtype=np.float32)
    p, q = Tensor(np.zeros(64, np.float32), requires_grad=True), torch.zeros(64, requires_grad=True)
    opt, peer = optim.RMSprop([p], alpha=0.5, centered=True), torch.optim.RMSprop([q], alpha=0.5, centered=True)
    for _ in range(100):
        p.grad, q.grad = Tensor(g), torch.tensor(g)
        opt.step()
        peer.step()
    assert np.isfinite(p.numpy()).all()
    assert torch.isnan(q).any()  # where this fails, PyTorch has mended it: drop our note on it


# --- schedules: for each, our class and theirs from the same settings

wholes = st.integers(1, 7)
factors = st.floats(0.01, 1.0)
Build = Callable[[Any, Any], Any]  # the module, the optimiser → the schedule


@st.composite
def plain_schedules(draw: st.DrawFn) -> Build:
    name, options = draw(
        st.one_of(
            st.tuples(st.just("StepLR"), st.fixed_dictionaries({"step_size": wholes, "gamma": factors})),
            st.tuples(
                st.just("CosineAnnealingLR"),
                st.fixed_dictionaries({"T_max": st.integers(2, 7), "eta_min": st.sampled_from([0.0, 0.01, 0.7])}),
            ),
            st.tuples(
                st.just("LinearLR"),
                st.fixed_dictionaries({"start_factor": factors, "end_factor": factors, "total_iters": wholes}),
            ),
        )
    )
    return lambda module, opt: getattr(module, name)(opt, **options)


@st.composite
def sequences(draw: st.DrawFn) -> Build:
    parts = draw(st.lists(plain_schedules(), min_size=1, max_size=3))
    size = len(parts) - 1
    milestones = sorted(draw(st.lists(st.integers(1, 12), min_size=size, max_size=size, unique=True)))
    return lambda module, opt: module.SequentialLR(opt, [part(module, opt) for part in parts], milestones)


@settings(max_examples=60)
@given(build=st.one_of(plain_schedules(), sequences()), lr=st.sampled_from([0.3, 1e-3]), steps=st.integers(0, 20))
def test_schedules_are_those_of_pytorch(build: Build, lr: float, steps: int) -> None:
    mine = optim.SGD([Tensor([1.0], requires_grad=True)], lr=lr)
    peer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, on the order of calls
        ours, theirs = build(optim, mine), build(torch.optim.lr_scheduler, peer)
        for _ in range(steps + 1):
            np.testing.assert_allclose(mine.lr, peer.param_groups[0]["lr"], rtol=1e-9, atol=1e-15)
            np.testing.assert_allclose(ours.get_last_lr(), theirs.get_last_lr(), rtol=1e-9, atol=1e-15)
            ours.step()
            theirs.step()


# --- clipping

gradients = st.lists(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=2, max_side=4), elements=st.floats(-100, 100)),
    min_size=1,
    max_size=3,
)
bounds = st.sampled_from([0.0, 0.1, 1.0, 50.0, 1e6, float("inf")])


def pairs(grads: list[Array]) -> tuple[list[Tensor], list[Any]]:
    mine = [Tensor(np.zeros_like(g), requires_grad=True) for g in grads]
    peer = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in grads]
    for p, q, g in zip(mine, peer, grads, strict=True):
        p.grad, q.grad = Tensor(g), torch.tensor(g)
    return mine, peer


@settings(max_examples=60)
@given(grads=gradients, bound=bounds)
def test_clipping_is_that_of_pytorch(grads: list[Array], bound: float) -> None:
    mine, peer = pairs(grads)
    norm = optim.clip_grad_norm(mine, bound)
    np.testing.assert_allclose(norm, torch.nn.utils.clip_grad_norm_(peer, bound).item(), rtol=1e-12, atol=1e-150)
    for p, q in zip(mine, peer, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12, atol=1e-150)
    mine, peer = pairs(grads)
    optim.clip_grad_value(mine, bound)
    torch.nn.utils.clip_grad_value_(peer, bound)
    for p, q in zip(mine, peer, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy says so where inf · 0 is NaN
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_norm_that_is_not_finite_is_handled_as_in_pytorch(bad: float) -> None:
    mine, peer = pairs([np.array([1.0, bad]), np.array([2.0])])
    norm = optim.clip_grad_norm(mine, 1.0)
    np.testing.assert_array_equal(norm, torch.nn.utils.clip_grad_norm_(peer, 1.0).item())
    for p, q in zip(mine, peer, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())
