"""Python floats and lists take the dtype of what they meet: a float64 tensor loses no digit to them, by whatever door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients, nn, optim
from tinygrad_lite.numeric.laws import call, draw, full, smooth
from tinygrad_lite.op import REGISTRY, Op

from .cases import case_of

VALUES = [0.1, 0.2, 0.7]  # none of them is a float32
ARRAY = np.array(VALUES)
WITH_OTHERS = [op for op in REGISTRY.values() if op.variadic or len(op.inputs) > 1]


@pytest.mark.parametrize("op", WITH_OTHERS, ids=lambda op: op.name)
@given(seed=st.integers(0, 10**6), shape=st.lists(st.integers(1, 3), max_size=3).map(tuple))
@settings(max_examples=15)
def test_a_list_gives_bit_for_bit_what_the_float64_array_gives(op: Op, seed: int, shape: Any) -> None:
    case = draw(op, case_of(op), seed, full(shape))
    for i in smooth(case):
        if len(smooth(case)) > 1 and case.inputs[i].size:  # a list of nothing has no shape
            inputs: list[Any] = [Tensor(x) for x in case.inputs]
            inputs[i] = case.inputs[i].tolist()
            found, expected = call(op, inputs, case.params), call(op, case.inputs, case.params)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found.numpy(), expected.numpy())


def weights(x: Any) -> Tensor:
    return Tensor(x, requires_grad=True)


def loaded(state: Any) -> Any:
    net = nn.Linear(3, 1, bias=False)
    net.weight = nn.Parameter(np.zeros((1, 3)))
    net.load_state_dict({"weight": state})
    return net.weight


def resumed(state: Any) -> Any:
    opt = optim.SGD([weights(np.zeros(3))], lr=0.1, momentum=0.9)
    own = opt.state_dict()
    opt.load_state_dict({name: state if np.shape(x) == (3,) else x for name, x in own.items()})
    return next(x for x in opt.state_dict().values() if np.shape(x) == (3,))


def backward(given: Any) -> Any:
    x = weights(np.ones(3))
    (x * 1.0).backward(given)
    return x.grad


DOORS: dict[str, Callable[[Any], Any]] = {
    "assign": lambda v: weights(np.ones(3)).assign(v),
    "backward": backward,
    "gradients": lambda v: gradients((x := weights(np.ones(3))) * 1.0, [x], gradient=v)[0],
    "recorded gradients": lambda v: gradients((x := weights(np.ones(3))) * 1.0, [x], gradient=v, create_graph=True)[0],
    "vjp": lambda v: tl.vjp(lambda x: x * 1.0, np.ones(3))[1](v)[0],
    "jvp": lambda v: tl.jvp(lambda x: x * 1.0, [np.ones(3)], [np.array(v)])[1],
    "hvp": lambda v: tl.hvp(lambda x: (x * x).sum() / 2, [np.ones(3)], [np.array(v)])[0],
    "layer_norm": lambda v: tl.layer_norm(np.eye(3), weight=v, bias=v),
    "batch_norm": lambda v: tl.batch_norm(np.eye(3), v, v, v, v),
    "attention": lambda v: tl.scaled_dot_product_attention(np.eye(3), np.eye(3), np.eye(3), mask=[v, v, v]),
    "clip": lambda v: tl.clip(np.linspace(0, 1, 3), v, v),
    "load_state_dict": lambda v: loaded([v]),
    "optimiser": resumed,
    "np.append": lambda v: np.append(Tensor(np.ones(3)), v),
    "np.vstack": lambda v: np.vstack([Tensor(np.ones(3)), v]),
    "np.multiply": lambda v: np.multiply(Tensor(np.ones(3)), v),
    "integers": lambda v: Tensor(np.arange(3)) * v,
    "numbers among arrays": lambda v: tl.stack([Tensor(np.ones(())), *v]),
    "tangent of numbers": lambda v: tl.jvp(lambda x: x * 1.0, [np.ones(())], [float(v[0])])[1],
}


def plain(x: Any) -> Any:
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_no_door_costs_a_float64_tensor_its_digits(door: Callable[[Any], Any]) -> None:
    found, expected = plain(door(VALUES)), plain(door(ARRAY))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_the_test_of_the_doors_sees_the_digits_of_float32(door: Callable[[Any], Any]) -> None:
    exact, rounded = (plain(door(x)) for x in (ARRAY, ARRAY.astype(np.float32).astype(np.float64)))
    assert (exact != rounded).any()


def promoted() -> Iterator[Any]:
    x = Tensor([0.5, 1.5, 2.5])
    yield from (x * VALUES, [1, 2, 3] - x, x @ [1, 2, 3], np.add(x, [1, 2, 3]), tl.where(x > 1, x, VALUES))
    yield from (tl.stack([x, [0.1, 0.2, 0.7]]), tl.dot(x, np.float64(2)), tl.mse(x, [1, 2, 3]))
    yield x.clip(VALUES, 2)


def test_a_list_promotes_no_float32() -> None:
    assert {y.dtype for y in promoted()} == {np.dtype(np.float32)}


def test_a_number_that_joins_integers_is_not_cut_to_one() -> None:
    np.testing.assert_array_equal(tl.stack([Tensor(np.array(3)), 0.5]).numpy(), [3, 0.5])


def test_lists_of_labels_stay_integers() -> None:
    np.testing.assert_allclose(tl.softmax_cross_entropy(Tensor(np.zeros((2, 4))), [1, 2]).numpy(), np.log(4))
