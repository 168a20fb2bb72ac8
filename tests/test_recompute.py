"""Laws of checkpoint: the same values and gradients, to any order, with less memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lite as tl
from tinygrad_lite import Tensor, checkpoint, gradients, nn, no_grad, random
from tinygrad_lite.recording import is_recording

from .test_autodiff import Program, programs, run_program


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


@given(programs(), st.integers(1, 3))
def test_a_checkpointed_program_has_the_same_gradients_of_first_and_second_order(program: Program, times: int) -> None:
    plain: Any = lambda x, y: run_program(program, x, y)
    again = plain
    for _ in range(times):
        again = checkpoint(again)
    results = []
    for f in (plain, again):
        xs = [leaf(3, seed=0), leaf(3, seed=1)]
        y = f(*xs)
        if not y.requires_grad:
            return
        first = gradients(y.sum(), xs, create_graph=True)
        total = sum(((g * g).sum() for g in first), start=Tensor(0.0))
        second = gradients(total, xs) if total.requires_grad else []
        results.append([y.numpy(), *(g.numpy() for g in [*first, *second])])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_what_it_closes_over_gets_its_partial_gradient_only() -> None:
    """h is made from w, and the block reads both: the way through h must not be counted twice."""
    x, w = leaf(3), leaf(3)

    def slopes(mark: Any) -> Any:
        h = tl.tanh(x * w)
        y = mark(lambda a: {"a": a * w * h, "b": [(a + h).sum(), None]})(h)
        return [g.numpy() for g in gradients((y["a"] ** 2).sum() + y["b"][0] ** 3, [x, w])]

    np.testing.assert_allclose(slopes(checkpoint), slopes(lambda f: f), rtol=1e-13)


def test_it_keeps_no_inner_values() -> None:
    x = leaf(1000, 10)

    def block(x: Tensor) -> Tensor:
        for _ in range(20):
            x = tl.tanh(x)
        return x

    held = []
    for f in (block, checkpoint(block)):
        tracemalloc.start()
        y = f(f(x))
        held.append(tracemalloc.get_traced_memory()[0] / x.numpy().nbytes)
        tracemalloc.stop()
        del y
    assert held[0] > 39
    assert held[1] < 3


def test_the_same_random_numbers_are_drawn_again() -> None:
    def noisy(x: Tensor) -> Tensor:
        return tl.tanh(x) * random.generator().random(x.shape)

    x, found = leaf(5), []
    for f in (noisy, checkpoint(noisy)):
        tl.manual_seed(3)
        y = f(x) + f(x)
        between = random.generator().random()
        found.append((between, y.numpy(), gradients(y.sum(), [x])[0].numpy(), random.generator().random()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_parameters_of_a_module_accumulate() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.W = nn.Parameter(np.eye(3))

        def forward(self, x: Tensor) -> Tensor:
            return tl.tanh(self.W @ x)

    net, x = Net(), np.ones((3, 2))
    net(net(x)).sum().backward()
    expected = net.W.grad.numpy().copy()
    net.W.grad = None
    block = checkpoint(net)
    block(block(x)).sum().backward()
    np.testing.assert_allclose(net.W.grad.numpy(), expected, rtol=1e-14)


def test_without_recording_it_is_the_function_itself() -> None:
    x = leaf(2)
    with no_grad():
        assert not checkpoint(tl.tanh)(x).requires_grad
    assert not checkpoint(tl.tanh)(np.ones(2)).requires_grad
    graph = tl.capture(lambda x: checkpoint(lambda x: tl.tanh(tl.exp(x)))(x), x)
    assert [v.op.name for v in graph.vertices if v.op] == ["exp", "tanh"]


def test_an_exception_restores_everything() -> None:
    before = random.generator().bit_generator.state

    def broken(x: Tensor) -> Tensor:
        raise KeyError

    with pytest.raises(KeyError):
        checkpoint(broken)(leaf(2))
    assert is_recording()
    assert random.generator().bit_generator.state == before


def test_a_result_that_is_no_tensor_is_refused() -> None:
    with pytest.raises(TypeError, match="must return tensors, not float"):
        checkpoint(lambda x: 1.0)(leaf(2))
