"""A machine that grows random graphs of tensors and compares them with a naive, recursive implementation.

The reference knows each op as a formula on arrays and its partial derivatives as Jacobian matrices, adds up over all paths
by plain recursion, and shares no code with the package.  The machine differentiates, detaches, renames, and assigns to
leaves in between, in any order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients, no_grad
from tinygrad_lite.op import REGISTRY

Array = np.ndarray
N = 2  # all tensors are N × N, or N × 1 and 1 × N, which broadcast


@dataclass(eq=False)
class Naive:
    """A value, and the Jacobian matrix to each of the values it was computed from."""

    value: Array
    parents: list[tuple[Naive, Array]] = field(default_factory=list)
    leaf: bool = False

    @property
    def lives(self) -> bool:
        """Whether a derivative flows to it."""
        return self.leaf or bool(self.parents)

    def slope(self, of: Naive) -> Array:
        """Return the Jacobian of this value with respect to another, by recursion over all paths."""
        total = np.eye(self.value.size) if self is of else np.zeros((self.value.size, of.value.size))
        for parent, matrix in self.parents:
            total = total + matrix @ parent.slope(of)
        return total


def differences(f: Callable[[Array], Array], x: Array) -> Array:
    """The Jacobian of a function by complex steps: exact to rounding, since every f here is analytic."""
    columns = []
    for i in range(x.size):
        moved = x.astype(complex).ravel()
        moved[i] += 1e-30j
        columns.append((f(moved.reshape(x.shape)).imag / 1e-30).ravel())
    return np.array(columns).T.reshape(-1, x.size)


UNARY: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "exp": lambda x: np.exp(x),
    "neg": lambda x: -x,
    "sum": lambda x: np.sum(x, axis=0, keepdims=True),
    "mean": lambda x: np.mean(x, axis=1, keepdims=True),
    "transpose": lambda x: x.T,
    "relu": lambda x: x * (x.real > 0),
    "softmax": lambda x: np.exp(x) / np.sum(np.exp(x), axis=0, keepdims=True),
    "getitem": lambda x: x[[0, 0], :],
}
PARAMS: dict[str, dict[str, Any]] = {
    "sum": {"axis": 0, "keepdims": True},
    "mean": {"axis": 1, "keepdims": True},
    "softmax": {"axis": 0},
    "getitem": {"index": ([0, 0], slice(None))},
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "matmul": lambda a, b: a @ b,
}
numbers = st.integers(-8, 8).map(lambda n: n / 8 + 1 / 64)  # no zero: no kink
shapes = st.sampled_from([(N, N), (N, 1), (1, N), (1, 1)])


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


class Graphs(RuleBasedStateMachine):
    """Pairs of (tensor, naive) grow; whatever is asked of one is asked of the other."""

    pairs = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self.leaves: list[tuple[Tensor, Naive]] = []

    @initialize(target=pairs, value=numbers)
    def first(self, value: float) -> Any:
        return self.new_leaf((N, N), value, True)

    @rule(target=pairs, shape=shapes, value=numbers, wanted=st.booleans())
    def new_leaf(self, shape: tuple[int, int], value: float, wanted: bool) -> Any:
        array = value + np.arange(shape[0] * shape[1]).reshape(shape) / 4
        pair = Tensor(array, requires_grad=wanted), Naive(array, leaf=wanted)
        if wanted:
            self.leaves.append(pair)
        return pair

    @rule(target=pairs, name=st.sampled_from(sorted(UNARY)), pair=pairs)
    def unary(self, name: str, pair: Any) -> Any:
        x, naive = pair
        f = UNARY[name]
        if np.abs(naive.value).max() > 4 or (name == "relu" and np.abs(naive.value).min() < 1e-3):
            return pair
        if name == "getitem" and naive.value.shape[0] < 2:
            return pair
        parents = [(naive, differences(f, naive.value))] if naive.lives else []
        return self.checked(REGISTRY[name](x, **PARAMS.get(name, {})), Naive(np.asarray(f(naive.value)), parents))

    @rule(target=pairs, name=st.sampled_from(sorted(BINARY)), left=pairs, right=pairs)
    def binary(self, name: str, left: Any, right: Any) -> Any:
        (x, a), (y, b) = left, right
        f = BINARY[name]
        if name == "matmul" and a.value.shape[1] != b.value.shape[0]:
            return left
        if max(np.abs(a.value).max(), np.abs(b.value).max()) > 20:
            return left
        sides = [(a, lambda v: f(v, b.value)), (b, lambda v: f(a.value, v))]
        parents = [(side, differences(g, side.value)) for side, g in sides if side.lives]
        return self.checked(REGISTRY[name](x, y), Naive(f(a.value, b.value), parents))

    @rule(target=pairs, pair=pairs)
    def detach(self, pair: Any) -> Any:
        return pair[0].detach(), Naive(pair[1].value)

    @rule(target=pairs, pair=pairs)
    def without_recording(self, pair: Any) -> Any:
        with no_grad():
            return tl.tanh(pair[0]), Naive(np.tanh(pair[1].value))

    @rule(target=pairs, pair=pairs)
    def slope_as_a_tensor(self, pair: Any) -> Any:
        """A first derivative, recorded or not, is a value like any other."""
        x, naive = pair
        if not naive.lives:
            return pair
        leaf, own = self.leaves[0]
        g = gradients(x.sum(), [leaf], create_graph=True)[0].detach()
        return g, Naive((np.ones(naive.value.size) @ naive.slope(own)).reshape(own.value.shape))

    def checked(self, x: Tensor, naive: Naive) -> Any:
        """Compare value and gradients of a new pair, and return it."""
        assert x.shape == naive.value.shape
        close(x.numpy(), naive.value)
        assert x.requires_grad == naive.lives
        if naive.lives:
            weight = np.arange(1.0, naive.value.size + 1).reshape(naive.value.shape)
            found = gradients(x, [leaf for leaf, _ in self.leaves], gradient=weight)
            for g, (_, leaf) in zip(found, self.leaves, strict=True):
                close(g.numpy(), (weight.ravel() @ naive.slope(leaf)).reshape(leaf.value.shape))
        return x, naive

    @rule(pair=pairs)
    def an_old_pair_is_still_right(self, pair: Any) -> None:
        x, naive = pair
        if not naive.leaf:  # the value of a leaf may have been replaced
            self.checked(x, naive)

    @rule(pair=pairs)
    def backward_accumulates(self, pair: Any) -> None:
        x, naive = pair
        if not naive.lives:
            return
        before = [np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy() for leaf, _ in self.leaves]
        x.backward(np.ones(x.shape))
        for old, (leaf, own) in zip(before, self.leaves, strict=True):
            slope = (np.ones(naive.value.size) @ naive.slope(own)).reshape(own.value.shape)
            close(0 if leaf.grad is None else leaf.grad.numpy(), old + slope)

    @rule(value=numbers)
    def assign(self, value: float) -> None:
        """What was computed before keeps the old value, and the gradient that belongs to it."""
        leaf, own = self.leaves[0]
        leaf.assign(np.full(leaf.shape, value))
        own.value = np.full(leaf.shape, value)


SETTINGS = settings(max_examples=100, stateful_step_count=25)
TestGraphs = Graphs.TestCase
TestGraphs.settings = SETTINGS
SEARCH = settings(SETTINGS, max_examples=300, phases=[Phase.generate], report_multiple_bugs=False)


@pytest.mark.parametrize("name", ["tanh", "mul", "sub", "matmul", "softmax", "getitem"])
def test_a_mutant_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    op = REGISTRY[name]
    last = op.vjps[-1]
    assert last is not None
    wrong = functools.wraps(last)(lambda *args, **params: -last(*args, **params))
    monkeypatch.setitem(op.__dict__, "vjps", [*op.vjps[:-1], wrong])
    monkeypatch.setitem(op.__dict__, "plans", {})
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Graphs, settings=SEARCH)
