"""Laws of the backward pass: sums over paths, any depth, any order, memory, threads; and no silent wrong gradient."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from tests.work import work
from tinygrad_lite import Tensor, grad, gradients, no_grad, value_and_grad
from tinygrad_lite.numeric.slope import assert_derivative
from tinygrad_lite.op import REGISTRY
from tinygrad_lite.recording import is_recording
from tinygrad_lite.tensor import history


def leaf(data: Any, name: str | None = None) -> Tensor:
    return Tensor(np.array(data, np.float64), requires_grad=True, name=name)


@pytest.fixture
def without_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# --- sums over paths --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "value", "slope"),
    [
        (lambda x: x * x, 9.0, 6.0),
        (lambda x: x + x, 6.0, 2.0),
        (lambda x: x - x, 0.0, 0.0),
        (lambda x: x / x, 1.0, 0.0),
        (lambda x: x @ x if x.ndim else x * x, 9.0, 6.0),
        (lambda x: (y := x * 2) * y + y, 42.0, 26.0),
        (lambda x: tl.stack([x, x, x]).sum(), 9.0, 3.0),
        (lambda x: tl.where(x > 0, x, x), 3.0, 1.0),
        (lambda x: +x, 3.0, 1.0),
    ],
)
def test_a_tensor_used_twice_gets_the_sum(f: Callable[..., Tensor], value: float, slope: float) -> None:
    x = leaf(3.0)
    y = f(x)
    y.backward()
    assert y.item() == value
    assert x.grad is not None
    assert x.grad.item() == slope


Program = list[tuple[str, int, int]]  # (op, first operand, second operand); the first values are the two leaves

UNARY = {
    "tanh": lambda v: (np.tanh(v), 1 - np.tanh(v) ** 2),
    "sigmoid": lambda v: (1 / (1 + np.exp(-v)), np.exp(-v) / (1 + np.exp(-v)) ** 2),
    "neg": lambda v: (-v, -1.0),
}
BINARY = {
    "add": lambda a, b: (a + b, 1.0, 1.0),
    "sub": lambda a, b: (a - b, 1.0, -1.0),
    "mul": lambda a, b: (a * b, b, a),
}


@st.composite
def programs(draw: Any) -> Program:
    steps: Program = []
    for i in range(draw(st.integers(1, 12))):
        operand = st.integers(0, i + 1)
        steps.append((draw(st.sampled_from([*UNARY, *BINARY])), draw(operand), draw(operand)))
    return steps


def dual_numbers(program: Program, x: float, y: float) -> tuple[float, list[float]]:
    """Run a program on (value, d/dx, d/dy): forward mode, with no graph at all."""
    values = [(x, np.array([1.0, 0.0])), (y, np.array([0.0, 1.0]))]
    for name, i, j in program:
        (a, da), (b, db) = values[i], values[j]
        if name in UNARY:
            out, slope = UNARY[name](a)
            values.append((out, slope * da))
        else:
            out, left, right = BINARY[name](a, b)
            values.append((out, left * da + right * db))
    return values[-1][0], list(values[-1][1])


def run_program(program: Program, x: Tensor, y: Tensor) -> Tensor:
    values = [x, y]
    for name, i, j in program:
        values.append(REGISTRY[name](values[i]) if name in UNARY else REGISTRY[name](values[i], values[j]))
    return values[-1]


tenths = st.integers(-10, 10).map(lambda n: n / 10)


@given(programs(), tenths, tenths)
@settings(max_examples=200)
def test_random_shared_graphs_equal_dual_numbers(program: Program, a: float, b: float) -> None:
    x, y = leaf(a), leaf(b)
    z = run_program(program, x, y)
    value, slopes = dual_numbers(program, a, b)
    np.testing.assert_allclose(z.item(), value, rtol=1e-12, atol=1e-12)
    if not z.requires_grad:
        return
    found = [g.item() for g in gradients(z, [x, y])]
    np.testing.assert_allclose(found, slopes, rtol=1e-10, atol=1e-12)
    recorded = [g.item() for g in gradients(z, [x, y], create_graph=True)]
    assert recorded == found
    z.backward()
    accumulated = [0.0 if t.grad is None else t.grad.item() for t in (x, y)]
    assert accumulated == found


@given(programs(), tenths, tenths)
@settings(max_examples=40)
def test_second_derivatives_of_random_graphs_equal_numerical_ones(program: Program, a: float, b: float) -> None:
    slope = grad(lambda x, y: run_program(program, x, y))
    at = [np.array(a), np.array(b)]
    value = slope(*at).numpy()
    if not np.isfinite(value) or abs(value) > 1e6:
        return
    second = value_and_grad(slope, (0, 1))(*at)[1]
    assert_derivative(lambda *xs: slope(*xs).numpy(), at, [g.numpy() for g in second], np.ones(()), [np.ones(())] * 2)


# --- size -------------------------------------------------------------------------------------------------------------


def test_a_chain_of_100_000_ops_is_built_differentiated_and_freed() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 1.0
    (g,) = gradients(y, [x])
    assert g.item() == 1.0
    del y


def test_the_work_of_differentiation_is_linear_in_the_ops() -> None:
    def chain(n: int) -> None:
        x = leaf(1.0)
        y = x
        for _ in range(n):
            y = y * x
        gradients(y, [x])

    assert work(lambda: chain(8_000)) < 4.2 * work(lambda: chain(2_000))


def test_a_deep_chain_with_create_graph() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(5_000):
        y = y * 1.0001
    (g,) = gradients(y * x, [x], create_graph=True)
    (h,) = gradients(g, [x])
    np.testing.assert_allclose(h.item(), 2 * 1.0001**5000)


def test_forty_doublings_are_forty_steps() -> None:
    x = leaf(1.0)
    calls = 0
    y = x
    for _ in range(40):
        y = y + y
    rule = REGISTRY["add"].vjps
    counted = [lambda g, _out, _a, _b: count(g), lambda g, _out, _a, _b: count(g)]

    def count(g: Any) -> Any:
        nonlocal calls
        calls += 1
        return g

    REGISTRY["add"].__dict__["vjps"] = counted
    try:
        y.backward()
    finally:
        REGISTRY["add"].__dict__["vjps"] = rule
    assert x.grad is not None
    assert x.grad.item() == 2.0**40
    assert calls == 80


def test_a_wide_graph() -> None:
    x = leaf(np.arange(3.0))
    total = sum((x * k for k in range(2_000)), start=Tensor(0.0))
    total.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1999 * 1000] * 3)


# --- memory -----------------------------------------------------------------------------------------------------------


def test_a_graph_dies_with_its_loss(without_gc: None) -> None:
    w = leaf(np.ones((3, 3)), "w")
    hidden = tl.tanh(w @ w)
    loss = (hidden * hidden).sum()
    array, node = weakref.ref(hidden._array), weakref.ref(hidden._node)
    loss.backward()
    del hidden
    assert array() is not None
    del loss
    assert array() is None
    assert node() is None


def test_a_recorded_gradient_dies_too(without_gc: None) -> None:
    w = leaf(np.ones((3, 3)))
    (g,) = gradients((tl.tanh(w) ** 3).sum(), [w], create_graph=True)
    node = weakref.ref(g._node)
    gradients(g.sum(), [w])
    del g
    assert node() is None


def test_higher_order_grad_leaves_nothing_behind(without_gc: None) -> None:
    grad(grad(lambda x: tl.exp(x) * x))(1.0)
    before = sum(issubclass(type(o), Tensor) for o in gc.get_objects())
    grad(grad(lambda x: tl.exp(x) * x))(1.0)
    assert sum(issubclass(type(o), Tensor) for o in gc.get_objects()) <= before


@pytest.mark.parametrize(
    ("f", "kept"),
    [
        (lambda h: h + 1, False),
        (lambda h: h.sum(), False),
        (lambda h: h * 2, False),
        (lambda h: tl.exp(h), False),
        (lambda h: tl.tanh(h), False),
        (lambda h: h.mean(axis=0), False),
        (lambda h: tl.concatenate([h, h]), False),
        (lambda h: tl.log(h), True),
        (lambda h: h * h, True),
        (lambda h: tl.relu(h), True),
    ],
)
def test_a_value_that_no_rule_reads_is_freed_with_its_tensor(f: Any, kept: bool, without_gc: None) -> None:
    hidden = leaf(np.ones(3)) * 2.0
    array = weakref.ref(hidden._array)
    y = f(hidden)
    del hidden
    assert (array() is not None) == kept
    y.sum().backward()


def test_gradients_of_interior_tensors_are_not_stored() -> None:
    x = leaf([1.0, 2.0])
    h = x * x
    y = h.sum()
    y.backward()
    for inner in (h, y):
        with pytest.warns(UserWarning, match=r"\.grad is None"):
            assert inner.grad is None
    (g,) = gradients(y, [h])
    np.testing.assert_array_equal(g.numpy(), [1, 1])


# --- backward ---------------------------------------------------------------------------------------------------------


def test_backward_accumulates() -> None:
    x = leaf(2.0)
    y = x**3
    seen = []
    for _ in range(3):
        y.backward()
        seen.append(x.grad.item())
    assert seen == [12, 24, 36]


def test_backward_of_two_losses_adds_up() -> None:
    x = leaf(2.0)
    (x * 3).backward()
    (x * x).backward()
    assert x.grad.item() == 7
    x.grad = None
    (x * 3).backward()
    assert x.grad.item() == 3


def test_a_gradient_is_not_shared_between_leaves() -> None:
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    weight = np.ones(2)
    (a + b).backward(gradient=weight)
    a.grad.assign([7.0, 7.0])
    weight[:] = 5
    np.testing.assert_array_equal(b.grad.numpy(), [1, 1])


def test_the_gradient_of_a_leaf_itself() -> None:
    x = leaf(3.0)
    x.backward()
    assert x.grad.item() == 1
    assert gradients(x, [x])[0].item() == 1


def test_zero_derivatives_give_zero_and_not_none() -> None:
    x = leaf([-1.0, 2.0])
    for f in (tl.step, tl.sign, lambda x: tl.where(x, 1.0, 2.0 * x) * 0):
        x.grad = None
        f(x).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), [0, 0])


def test_gradients_are_zero_where_y_does_not_depend_on_x() -> None:
    x, other = leaf([1.0, 2.0]), Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    for create_graph in (False, True):
        _, zero = gradients((x * x).sum(), [x, other], create_graph=create_graph)
        assert zero.shape == (2, 3)
        assert zero.dtype == np.float32
        assert not zero.numpy().any()


def test_gradients_with_respect_to_interior_tensors_and_repeats() -> None:
    x = leaf([1.0, 2.0])
    h = x * 3
    y = (h * h).sum() + x.sum()
    at_h, at_x, again, at_y = gradients(y, [h, x, h, y])
    np.testing.assert_array_equal(at_h.numpy(), [6, 12])
    np.testing.assert_array_equal(again.numpy(), at_h.numpy())
    np.testing.assert_array_equal(at_x.numpy(), [19, 37])
    assert at_y.item() == 1


def test_only_the_ways_to_the_targets_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    x, z = leaf(1.0), leaf(2.0)
    side = tl.exp(z)
    y = x * 3 + side
    monkeypatch.setitem(REGISTRY["exp"].__dict__, "vjps", [lambda g, out, _x: pytest.fail("not on the way to x")])
    assert gradients(y, [x])[0].item() == 3


def test_gradient_weights() -> None:
    x = leaf([1.0, 2.0])
    y = x * x
    for weight in ([1.0, 10.0], (1, 10), np.array([1, 10]), Tensor([1.0, 10.0])):
        np.testing.assert_array_equal(gradients(y, [x], gradient=weight)[0].numpy(), [2, 40])
    (x * 2).sum().backward(gradient=3.0)
    np.testing.assert_array_equal(x.grad.numpy(), [6, 6])


def test_a_weight_with_a_history_is_differentiated_too() -> None:
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (g,) = gradients(x * x, [x], gradient=w * w, create_graph=True)
    (h,) = gradients(g.sum(), [w])
    np.testing.assert_array_equal(h.numpy(), 2 * x.numpy() * 2 * w.numpy())


def computed_under_no_grad() -> Tensor:
    with no_grad():
        return leaf(1.0) * 2


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "non-scalar": (lambda: (leaf([1.0, 2.0], "x") * 1).backward(), ValueError, "2 elements.*mean.*gradient="),
    "weight of another shape": (
        lambda: leaf([1.0, 2.0]).backward(np.ones(3)),
        ValueError,
        r"gradient= has shape \(3,\)",
    ),
    "integer parameter": (
        lambda: Tensor([1, 2], requires_grad=True, name="k"),
        TypeError,
        "float dtype.*k is int64",
    ),
    "x requires no gradient": (
        lambda: gradients(leaf(1.0) * 1, [Tensor(1.0, name="c")]),
        ValueError,
        "c.*requires_grad=True",
    ),
    "y requires no gradient": (
        lambda: Tensor(1.0, name="c").backward(),
        ValueError,
        "c.*requires no gradient",
    ),
    "y under no_grad": (lambda: computed_under_no_grad().backward(), ValueError, r"no_grad\(\)"),
    "a bare x": (lambda: gradients(leaf([1.0, 2.0]).sum(), leaf(1.0)), TypeError, r"list"),
    "an array for x": (lambda: gradients(leaf(1.0) * 1, [np.ones(1)]), ValueError, "an array"),
    "an array for y": (lambda: gradients(np.ones(1), [leaf(1.0)]), ValueError, "an array"),
    "f returns a float": (lambda: grad(lambda x: 3.0)(1.0), TypeError, "must return a tensor"),
    "f returns None": (lambda: grad(lambda x: None)(1.0), TypeError, "must return a tensor"),
    "f returns a tuple": (lambda: grad(lambda x: (x, x))(1.0), TypeError, "must return a tensor"),
    "f returns many elements": (lambda: grad(lambda x: x * 2)(np.ones(3)), ValueError, "3 elements"),
    "f loses the history": (lambda: grad(lambda x: Tensor(x.item()))(1.0), ValueError, "drops its history"),
    "integer argument": (lambda: grad(lambda x: x * x)(2), TypeError, "float dtype"),
    "no such argument": (lambda: grad(lambda x: x, argnums=1)(2.0), TypeError, "argument 1.*called with 1"),
    "argument by keyword": (lambda: grad(lambda x: x)(x=2.0), TypeError, "argument 0.*called with 0"),
}


@pytest.mark.parametrize(("attempt", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_differentiated_is_refused(attempt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()
    assert is_recording()


# --- values that change -----------------------------------------------------------------------------------------------

VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "itself": lambda x: x,
    "reshape": lambda x: x.reshape((2, 1)),
    "slice": lambda x: x[:],
    "transpose": lambda x: x.T,
    "broadcast": lambda x: tl.broadcast_to(x, (1, 2)),
    "copy": lambda x: +x,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_assign_leaves_graphs_as_they_were_recorded(view: Callable[[Tensor], Tensor]) -> None:
    x = leaf([1.0, 2.0])
    y = view(x)
    z = (y * y).sum()
    x.assign([5.0, 5.0])
    (g,) = gradients(z, [x])
    np.testing.assert_array_equal(g.numpy(), [2, 4])
    np.testing.assert_array_equal(gradients(z, [x], create_graph=True)[0].numpy(), [2, 4])
    np.testing.assert_array_equal(x.numpy(), [5, 5])
    if y is not x:
        np.testing.assert_array_equal(y.numpy().ravel(), [1, 2])


def test_assign_to_a_detached_or_unrecorded_view_does_not_reach_the_leaf() -> None:
    x = leaf([1.0, 2.0])
    z = (x.detach() * x).sum()
    x.detach().assign([9.0, 9.0])
    with no_grad():
        x[:1].assign([9.0])
    np.testing.assert_array_equal(x.numpy(), [1, 2])
    x.assign([9.0, 9.0])
    np.testing.assert_array_equal(gradients(z, [x])[0].numpy(), [1, 2])


def test_an_optimiser_step_between_forward_and_backward_does_not_spoil_the_gradient() -> None:
    x = leaf([1.0, 2.0])
    first, second = (x * x).sum(), (x * x * x).sum()
    first.backward()
    for make in (lambda: tl.optim.SGD([x], lr=0.1), lambda: tl.optim.SGD([x], lr=0.1, momentum=0.9)):
        make().step()
    np.testing.assert_array_equal(gradients(second, [x])[0].numpy(), [3, 12])


def test_an_index_that_changes_later_does_not_move_the_gradient() -> None:
    x = leaf([1.0, 2.0])
    for index in ([0], np.array([0]), np.array([True, False])):
        y = x[index].sum()
        index[0] = 1 - index[0]
        np.testing.assert_array_equal(gradients(y, [x])[0].numpy(), [1, 0])


# --- recording --------------------------------------------------------------------------------------------------------


def test_no_grad_as_context_and_decorator_and_nested() -> None:
    x = leaf(1.0)
    context = no_grad()
    with context:
        assert not (x * 2).requires_grad
        with context:
            assert not is_recording()
        assert not is_recording()
    assert is_recording()

    @no_grad()
    def f(x: Tensor) -> Tensor:
        "Double."
        return x * 2

    assert not f(x).requires_grad
    assert (f.__name__, f.__doc__) == ("f", "Double.")
    assert (x * 2).requires_grad


def test_no_grad_ends_with_an_exception() -> None:
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert is_recording()


def test_an_exception_inside_a_rule_or_a_function_restores_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise KeyError("broken")

    y = tl.exp(leaf(1.0))
    monkeypatch.setitem(REGISTRY["exp"].__dict__, "vjps", [broken])
    with pytest.raises(KeyError):
        y.backward()
    assert (leaf(1.0) * 2).requires_grad
    with pytest.raises(KeyError):
        grad(broken)(1.0)
    with pytest.raises(KeyError):
        grad(grad(broken))(1.0)
    assert is_recording()


def test_no_grad_in_one_thread_does_not_disturb_another() -> None:
    inside, done, seen = threading.Event(), threading.Event(), []

    def other() -> None:
        with no_grad():
            inside.set()
            done.wait(10)
            seen.append(is_recording())

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    assert (leaf(1.0) * 2).requires_grad
    done.set()
    thread.join()
    assert seen == [False]


def test_threads_differentiate_at_the_same_time() -> None:
    results: list[float] = []

    def work(k: int) -> None:
        for _ in range(50):
            x = leaf(float(k))
            results.append(grad(grad(lambda x: x**3))(x).item() - 6 * k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0.0] * 200


def test_no_grad_in_one_task_does_not_disturb_another() -> None:
    async def quiet(turn: asyncio.Event, other: asyncio.Event) -> bool:
        with no_grad():
            turn.set()
            await other.wait()
            return is_recording()

    async def recording(turn: asyncio.Event, other: asyncio.Event) -> bool:
        await turn.wait()
        try:
            return (leaf(1.0) * 2).requires_grad
        finally:
            other.set()

    async def both() -> list[bool]:
        events = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(quiet(*events), recording(*events))

    assert asyncio.run(both()) == [False, True]


# --- grad and value_and_grad ------------------------------------------------------------------------------------------


def test_argnums() -> None:
    f = lambda a, b, scale=1.0: a * a * b * scale
    assert grad(f)(2.0, 3.0).item() == 12
    assert grad(f, 1)(2.0, 3.0).item() == 4
    assert grad(f, -1)(2.0, 3.0).item() == 4
    assert grad(f)(2.0, 3.0, scale=10.0).item() == 120
    both = grad(f, (1, 0))(2.0, 3.0)
    assert isinstance(both, tuple)
    assert [g.item() for g in both] == [4, 12]
    value, slopes = value_and_grad(f, (0,))(2.0, 3.0)
    assert value.item() == 12
    assert [g.item() for g in slopes] == [12]


def test_an_argument_is_copied_and_left_alone() -> None:
    array, tensor = np.ones(3), leaf(np.ones(3))
    g = grad(lambda a, b: (a * b * b).sum(), (0, 1))(array, tensor)
    assert [x.shape for x in g] == [(3,), (3,)]
    assert tensor.grad is None
    np.testing.assert_array_equal(array, 1)


@pytest.mark.parametrize(
    ("f", "derivatives"),
    [
        (lambda x: x**4, [32, 48, 48, 24, 0]),
        (lambda x: x * x * x * x, [32, 48, 48, 24, 0]),
        (lambda x: x @ x if x.ndim else x**2 * x**2, [32, 48, 48, 24, 0]),
        (lambda x: tl.exp(x), [np.exp(2)] * 5),
        (lambda x: 1 / x, [-1 / 4, 2 / 8, -6 / 16, 24 / 32, -120 / 64]),
        (lambda x: tl.log(x), [1 / 2, -1 / 4, 2 / 8, -6 / 16, 24 / 32]),
        (lambda x: tl.sqrt(x * x * x * x), [4, 2, 0, 0, 0]),
        (lambda x: tl.relu(x) * x, [4, 2, 0, 0, 0]),
        (lambda x: tl.stack([x, x**3]).sum(), [13, 12, 6, 0, 0]),
        (lambda x: tl.concatenate([x.reshape((1,)), x[None] ** 2])[1:].sum(), [4, 2, 0, 0, 0]),
    ],
)
def test_derivatives_of_any_order(f: Callable[..., Tensor], derivatives: list[float]) -> None:
    for expected in derivatives:
        f = grad(f)
        np.testing.assert_allclose(f(np.array(2.0)).item(), expected, rtol=1e-12, atol=1e-12)


def test_fourth_derivatives_of_tanh_and_exp() -> None:
    """y = tanh x: y' = 1 − y², y'' = −2yy', y''' = −2(y'² + yy''), y'''' = −2(3y'y'' + yy''')."""
    y = np.tanh(0.7)
    d1 = 1 - y * y
    d2 = -2 * y * d1
    d3 = -2 * (d1 * d1 + y * d2)
    d4 = -2 * (3 * d1 * d2 + y * d3)
    for make in (
        tl.tanh,
        lambda x: (tl.exp(x) - tl.exp(-x)) / (tl.exp(x) + tl.exp(-x)),
        lambda x: 2 * tl.sigmoid(2 * x) - 1,
    ):
        f = make
        for expected in (d1, d2, d3, d4):
            f = grad(f)
            np.testing.assert_allclose(f(np.array(0.7)).item(), expected, rtol=1e-9)


def test_perturbations_are_not_confused() -> None:
    assert grad(lambda x: x * grad(lambda y: x + y)(x))(3.0).item() == 1
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0).item() == 6
    assert grad(lambda x: grad(lambda y: x * y * y)(x))(3.0).item() == 12
    assert grad(lambda x: grad(lambda x: x * x)(x) * x)(3.0).item() == 12


def test_a_closure_over_a_tensor_keeps_its_gradient() -> None:
    w = leaf(3.0)
    slope = grad(lambda y: w * w * y)(1.0)
    assert gradients(slope, [w])[0].item() == 6
    value, _ = value_and_grad(lambda y: w * y)(2.0)
    assert gradients(value, [w])[0].item() == 2
    h = w * 2
    assert gradients(grad(lambda y: h * y * y)(2.0), [w])[0].item() == 8
    outer = grad(lambda x: grad(lambda y: w * x * y * y)(2.0))(5.0)
    assert outer.item() == 12
    assert gradients(outer, [w])[0].item() == 4


def test_the_result_is_detached_where_nothing_else_requires_a_gradient() -> None:
    value, slope = value_and_grad(lambda x: x * x)(3.0)
    assert not value.requires_grad
    assert not slope.requires_grad
    with no_grad():
        value, slope = value_and_grad(lambda x: x * x)(leaf(3.0))
    assert slope.item() == 6
    assert not slope.requires_grad
    assert grad(lambda x: x**3)(leaf(2.0)).requires_grad


def test_a_constant_part_under_no_grad_is_a_constant() -> None:
    def f(x: Tensor) -> Tensor:
        with no_grad():
            constant = x * x
        return constant * x

    assert grad(f)(3.0).item() == 9
    assert grad(lambda x: x.detach() * x)(3.0).item() == 3


def test_functions_of_no_dependence_have_derivative_zero() -> None:
    w = leaf(1.0)
    for f in (tl.step, lambda x: x.detach() * 2, lambda x: x > 0, lambda x: w * 2):
        assert grad(f)(3.0).item() == 0


def test_backward_inside_a_function_to_differentiate() -> None:
    w = leaf(2.0)

    def f(x: Tensor) -> Tensor:
        y = x * x * w
        y.backward()
        return y

    assert grad(f)(np.array(3.0)).item() == 12
    assert w.grad.item() == 9


def test_the_hessian_is_symmetric() -> None:
    rng = np.random.default_rng(0)
    W, x0, labels = rng.standard_normal((3, 4)), rng.standard_normal(4), 1
    f = lambda x: tl.softmax_cross_entropy(tl.tanh(W @ x), np.array(labels))
    rows = [grad(lambda x, i=i: grad(f)(x)[i])(x0).numpy() for i in range(4)]
    np.testing.assert_allclose(np.array(rows), np.array(rows).T, rtol=1e-12, atol=1e-14)


# --- bugs of peers ----------------------------------------------------------------------------------------------------


def test_where_with_a_scalar_branch_sums_its_gradient() -> None:
    x = leaf(2.0)
    (tl.where(np.array([True, False, True]), x, 0)).sum().backward()
    assert x.grad.shape == ()
    assert x.grad.item() == 2


def test_an_interior_gradient_does_not_survive_between_two_backward_passes() -> None:
    x = leaf(2.0)
    h = x * x
    (h * x).backward()
    (h * x).backward()
    assert x.grad.item() == 24


def test_copies_of_a_leaf_are_other_leaves() -> None:
    x = leaf([2.0], "x")
    x.grad = Tensor([1.0])
    for twin in (copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert twin.requires_grad
        assert twin.name == "x"
        y = (x * x * twin).sum()
        assert [g.item() for g in gradients(y, [x, twin])] == [8, 4]
        twin.assign([5.0])
        assert x.item() == 2


# --- memory: backward lets go of inner values, and computes them again where they are needed --------------------------


def large_program(x: Tensor, w: Tensor, mark: Any = lambda f: f) -> Tensor:
    h = mark(lambda x: tl.tanh(x @ w))(x)
    h = tl.relu(h * x) + tl.softmax(h, axis=0)
    return (tl.softmax_cross_entropy(h, np.zeros(200, int)) * h.max(axis=1)).mean()


@pytest.mark.parametrize("mark", [lambda f: f, tl.checkpoint], ids=["plain", "checkpoint"])
def test_a_second_backward_gives_the_same_again_also_after_a_step(mark: Any) -> None:
    rng = np.random.default_rng(0)
    x, w = leaf(rng.standard_normal((200, 100))), leaf(rng.standard_normal((100, 100)))
    J = large_program(x, w, mark)
    first = [g.numpy().copy() for g in gradients(J, [x, w])]
    J.backward()
    assert J._node is not None
    assert any(node.released for node in history(J._node))
    w.assign(np.zeros((100, 100)))
    J.backward()
    second = gradients(J, [x, w], create_graph=True)
    for tensor, expected, recorded in zip((x, w), first, second, strict=True):
        np.testing.assert_array_equal(tensor.grad.numpy(), 2 * expected)
        np.testing.assert_allclose(recorded.numpy(), expected, rtol=1e-12, atol=1e-15)


def test_a_shared_part_is_computed_again_for_its_other_use() -> None:
    x = leaf(np.random.default_rng(0).standard_normal((200, 100)))
    h = tl.tanh(x)
    a, b = (h * h).sum(), tl.exp(h).sum()
    expected = [g.numpy() for y in (a, b) for g in gradients(y, [x])]
    a.backward()
    b.backward()
    np.testing.assert_allclose(x.grad.numpy(), expected[0] + expected[1], rtol=1e-14)


def test_a_training_loop_holds_the_values_of_one_step_at_most() -> None:
    import tracemalloc

    x = leaf(np.random.default_rng(0).standard_normal((1000, 100)))

    def loss() -> Tensor:
        h = x
        for _ in range(20):
            h = tl.tanh(h)
        return h.mean()

    loss().backward()
    tracemalloc.start()
    for _ in range(3):
        J = loss()
        J.backward()
    peak = tracemalloc.get_traced_memory()[1] / x.numpy().nbytes
    tracemalloc.stop()
    assert peak < 1.3 * 20

    assert J.requires_grad


@pytest.mark.parametrize("name", ["ceil", "floor", "round", "sign", "step"])
def test_a_derivative_of_zero_leaves_grad_as_it_was(name: str) -> None:
    x = leaf([1.0, 2.0])
    (x * 5).sum().backward()
    getattr(tl, name)(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [5, 5])


# --- many pieces of one tensor ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pieces",
    [
        list,
        lambda x: tl.split(x, len(x)),
        lambda x: [x[i] for i in range(len(x))],
        lambda x: [x[[i, i, 0]] for i in range(len(x))],
        lambda x: [x[x.numpy() > 0], x.T[1], x[..., None], x],
        lambda x: [tl.embedding([0, i, i], x) for i in range(len(x))],
        lambda x: [x[0, 0], x[0, 0], x.sum(), x[()], x[:0]],
    ],
)
def test_gradients_of_pieces_add_up(pieces: Any) -> None:
    x = Tensor(np.random.default_rng(0).standard_normal((6, 4)), requires_grad=True)
    totals = []
    for create_graph in (False, True):
        y = sum([(part**2).sum() * (k + 1) for k, part in enumerate(pieces(x * 1.0))], start=Tensor(0.0))
        totals.append(gradients(y, [x], create_graph=create_graph)[0].numpy())
    np.testing.assert_allclose(totals[0], totals[1], rtol=1e-14)


def test_a_scalar_that_is_picked_again_and_again() -> None:
    x = Tensor(3.0, requires_grad=True)
    assert gradients(x[()] * x[...] * x[()], [x])[0].item() == 27


def test_a_gradient_that_was_added_to_in_place_is_nobody_elses() -> None:
    x, y = Tensor(np.ones((2, 2)), requires_grad=True), Tensor(np.ones((2, 2)), requires_grad=True)
    weight = np.ones((2, 2))
    total = (x + y) * 1.0
    gx, gy = gradients(total + (x + 0)[0] + (x + 0)[1] + x[0] + x[1], [x, y], gradient=weight)
    np.testing.assert_array_equal(weight, 1)
    np.testing.assert_array_equal(gy.numpy(), 1)
    np.testing.assert_array_equal(gx.numpy(), 5)


@pytest.mark.parametrize("pieces", [list, lambda x: tl.split(x, len(x)), lambda x: [x[i] for i in range(len(x))]])
def test_the_backward_pass_of_many_pieces_needs_the_memory_of_one_array(pieces: Any) -> None:
    x = Tensor(np.ones((400, 500)), requires_grad=True)
    made: list[int] = []
    right = REGISTRY["scatter"].forward
    total = tl.stack([part.sum() for part in pieces(x)]).sum()
    scatter = lambda *args: made.append(1) or right(*args)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinygrad_lite.ops.indexing.scatter", scatter)
        np.testing.assert_array_equal(gradients(total, [x])[0].numpy(), 1)
    assert len(made) == 1


def test_a_grad_that_is_no_tensor_is_refused() -> None:
    x = Tensor([1.0], requires_grad=True, name="x")
    x.grad = np.zeros(1)  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"the .grad of x \(1,\) must be a Tensor or None, not ndarray"):
        (x * 2).sum().backward()
