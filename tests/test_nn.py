"""Laws of Module: which parameters it has, what they are called, and that loading a state is all or nothing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinygrad_lite import Tensor, optim
from tinygrad_lite.nn import Module, Parameter


class Linear(Module):
    """W x + b, columns are samples."""

    def __init__(self, inputs: int = 2, outputs: int = 3) -> None:
        self.W = Parameter(np.ones((outputs, inputs)))
        self.b = Parameter(np.zeros((outputs, 1)))

    def forward(self, x: Any) -> Tensor:
        return self.W @ x + self.b


class Stack(Module):
    """Modules in a list, a dict and an attribute."""

    def __init__(self) -> None:
        self.layers = [Linear(2, 3), Linear(3, 1)]
        self.heads = {"left": Linear(1, 1)}
        self.encoder = Linear()
        self.scale = Parameter([1.0])
        self.note = "not a parameter"
        self.constant = Tensor([1.0])


def names(module: Module) -> list[str]:
    return [name for name, _ in module.named_parameters()]


def test_a_parameter_is_a_leaf_that_requires_a_gradient() -> None:
    p = Parameter([1.0, 2.0])
    assert isinstance(p, Tensor)
    assert p.requires_grad
    assert p.dtype == np.float32
    assert Parameter(np.ones(2)).dtype == np.float64
    assert Parameter([1, 2], dtype=np.float32).dtype == np.float32
    assert type(p * 2) is Tensor
    with pytest.raises(TypeError, match="float dtype"):
        Parameter([1, 2])


def test_parameters_are_found_and_named_in_the_order_of_assignment() -> None:
    net = Stack()
    assert names(net) == [
        *("layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b", "heads.left.W", "heads.left.b"),
        *("encoder.W", "encoder.b", "scale"),
    ]
    assert [p.name for p in net.parameters()] == names(net)
    assert all(type(p) is Parameter for p in net.parameters())


def test_modules_need_no_super_init() -> None:
    class Bare(Module):
        pass

    bare = Bare()
    assert bare.parameters() == []
    assert bare.state_dict() == {}
    bare.W = Parameter([1.0])
    assert names(bare) == ["W"]


def test_tied_parameters_and_shared_modules_are_listed_once() -> None:
    class Tied(Module):
        def __init__(self) -> None:
            self.a = Parameter([1.0])
            self.b = self.a
            self.inner = Linear()
            self.twin = self.inner

    net = Tied()
    assert len(net.parameters()) == 3
    assert len({id(p) for p in net.parameters()}) == 3
    (net.a * net.b).sum().backward()
    optim.SGD(net.parameters(), lr=0.5).step()
    np.testing.assert_allclose(net.a.numpy(), [0.0])


def test_a_module_that_holds_itself_ends() -> None:
    net = Linear()
    net.me = net
    net.parts = [net, [net]]
    assert names(net) == ["W", "b"]


@pytest.mark.parametrize("value", [Tensor([1.0]), np.ones(2), None, 1.0, Linear()], ids=lambda v: type(v).__name__)
def test_a_parameter_is_not_replaced_by_something_else(value: Any) -> None:
    net = Linear()
    before = net.W
    with pytest.raises(TypeError, match=r"W \(3×2\) is a parameter.*self\.W\.assign"):
        net.W = value
    assert net.W is before


def test_a_parameter_may_be_replaced_by_a_parameter() -> None:
    net = Linear()
    net.W = Parameter(np.zeros((1, 2)))
    assert net.W.name == "W"
    assert net.W.shape == (1, 2)
    assert names(net) == ["W", "b"]


def test_an_ordinary_attribute_may_be_anything() -> None:
    net = Linear()
    net.steps = 1
    net.steps = None
    net.cache = np.ones(3)
    del net.cache
    assert names(net) == ["W", "b"]


def test_calling_a_module_calls_forward() -> None:
    x = np.ones((2, 4))
    np.testing.assert_array_equal(Linear()(x).numpy(), np.full((3, 4), 2.0))
    np.testing.assert_array_equal(Linear()(x=x).numpy(), Linear().forward(x).numpy())


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(TypeError, match=r"Stack defines no forward"):
        Stack()(1.0)


def test_state_dict_is_a_copy() -> None:
    net = Linear()
    state = net.state_dict()
    state["W"][:] = 7
    np.testing.assert_array_equal(net.W.numpy(), np.ones((3, 2)))
    net.W.assign(np.zeros((3, 2)))
    np.testing.assert_array_equal(state["W"], np.full((3, 2), 7.0))


def test_a_state_is_loaded() -> None:
    net, other = Stack(), Stack()
    for k, p in enumerate(net.parameters()):
        p.assign(np.full(p.shape, float(k)))
    before = other.parameters()
    other.load_state_dict(net.state_dict())
    assert all(a is b for a, b in zip(before, other.parameters(), strict=True))
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, net.state_dict()[name])
    other.load_state_dict({name: Tensor(value) for name, value in net.state_dict().items()})
    other.load_state_dict({name: value.tolist() for name, value in net.state_dict().items()})


def test_a_loaded_state_keeps_the_dtype() -> None:
    net = Module()
    net.W = Parameter([1.0])
    net.load_state_dict({"W": np.array([2.0])})
    assert net.W.dtype == np.float32


BAD_STATES: dict[str, tuple[Callable[[dict[str, Any]], Any], type[Exception], str]] = {
    "missing": (lambda s: s.pop("b"), ValueError, "b is missing"),
    "unexpected": (lambda s: s.update(extra=1.0), ValueError, "extra is unexpected"),
    "misshapen": (lambda s: s.update(b=np.zeros(3)), ValueError, r"b has shape \(3,\), expected \(3, 1\)"),
    "all at once": (
        lambda s: (s.pop("W"), s.update(b=0.0, c=1.0)),
        ValueError,
        "W is missing; c is unexpected; b has shape",
    ),
    "complex": (lambda s: s.update(b=np.zeros((3, 1), complex)), TypeError, "complex"),
    "strings": (lambda s: s.update(b=np.array([["x"]] * 3)), TypeError, "dtype"),
    "None": (lambda s: s.update(b=None), TypeError, "NoneType"),
    "ragged": (lambda s: s.update(b=[[1.0], [1.0, 2.0]]), ValueError, "list"),
}


@pytest.mark.parametrize(("spoil", "error", "message"), BAD_STATES.values(), ids=BAD_STATES)
def test_a_state_that_does_not_fit_changes_nothing(spoil: Any, error: Any, message: str) -> None:
    net = Linear()
    state: dict[str, Any] = {name: value + 5 for name, value in net.state_dict().items()}
    spoil(state)
    with pytest.raises(error, match=message):
        net.load_state_dict(state)
    np.testing.assert_array_equal(net.W.numpy(), np.ones((3, 2)))
    np.testing.assert_array_equal(net.b.numpy(), np.zeros((3, 1)))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["deepcopy", "pickle"]
)
def test_a_copied_module_trains_apart(copied: Callable[[Module], Any]) -> None:
    net = Linear()
    twin = copied(net)
    assert names(twin) == names(net)
    assert all(type(p) is Parameter for p in twin.parameters())
    twin(np.ones((2, 1))).sum().backward()
    assert net.W.grad is None
    assert twin.W.grad is not None
    optim.SGD(twin.parameters(), lr=1.0).step()
    np.testing.assert_array_equal(net.W.numpy(), np.ones((3, 2)))
    np.testing.assert_array_equal(twin.W.numpy(), np.zeros((3, 2)))


def test_a_deepcopy_keeps_ties() -> None:
    net = Linear()
    net.again = net.W
    twin = copy.deepcopy(net)
    assert twin.again is twin.W
    assert twin.W is not net.W
