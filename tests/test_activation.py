"""A new activation is told in one place, the table of ops; pictures, derive, notes and verify know it then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float

import tinygrad_lite as tl
from tinygrad_lite import Tensor, nn, notes
from tinygrad_lite.derive import derive, write
from tinygrad_lite.op import REGISTRY, _forget, op
from tinygrad_lite.verify import verify

PAGE = """
Z1 = W1 X + b1
A1 = wobble(Z1)
Z2 = W2 A1 + b2
A2 = softmax(Z2)

dZ2 = A2 - Y
dZ1 = W2^T dZ2 * wobble'(Z1)
dW1 = 1/m dZ1 X^T
"""


@pytest.fixture(params=[True, False])
def activation(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the op is said to be an activation; the laws must fail where it is not."""

    @op(lambda g, _out, x: g * (1 + 0.5 * tl.cos(x)), activation=request.param)
    def wobble(x: Any) -> Any:
        """Return x + sin(x) / 2."""
        return x + 0.5 * np.sin(x)

    yield request.param
    _forget(REGISTRY["wobble"])


class Net(nn.Module):
    W1: Float[Tensor, "h n"]
    W2: Float[Tensor, "c h"]

    def __init__(self) -> None:
        super().__init__()
        self.W1 = nn.Parameter(np.ones((3, 4)))
        self.W2 = nn.Parameter(np.ones((2, 3)))

    def loss(self, X: Float[Tensor, "n m"], Y: Float[Tensor, "c m"]) -> Tensor:
        Z1 = self.W1 @ X
        E = self.W2 @ REGISTRY["wobble"](Z1) - Y
        return (E * E).sum() / (2 * X.shape[1])


def test_derive_gives_it_the_name_of_its_layer(activation: bool) -> None:
    found = [f"{line.name} = {write(line.tree)}" for line in derive(Net()).forward]
    assert ("A1 = wobble(Z1)" in found) == activation


def test_notes_read_it_and_its_derivative(activation: bool) -> None:
    rows = notes.check(PAGE).rows
    assert all(row.verdict in ("right", "definition") for row in rows) == activation
    if activation:
        wrong = notes.check(PAGE.replace("wobble'(Z1)", "Z1")).rows
        assert [row.name for row in wrong if row.verdict == "wrong"] == ["dZ1"]


def test_verify_names_its_derivative_where_it_is_missing(activation: bool) -> None:
    def backward(W1: Any, W2: Any, X: Any, Y: Any) -> Any:
        Z1 = W1 @ X
        A1 = Z1 + 0.5 * np.sin(Z1)
        dE = (W2 @ A1 - Y) / X.shape[1]
        dZ1 = W2.T @ dE
        return {"dW1": dZ1 @ X.T, "dW2": dE @ A1.T, "dZ1": dZ1}

    row = verify(backward, Net, examples=20, raises=False).formulas["dZ1"]
    assert ("the derivative of wobble" in row.reason) == activation
    assert not activation or row.fix == "dZ1 = W2.T @ dE * (1 + 1 / 2 * np.cos(Z1))"


def test_pictures_write_it_as_a_function(activation: bool) -> None:
    Z1 = Tensor([1.0], requires_grad=True, name="Z1")
    assert "wobble(Z₁)" in tl.draw(REGISTRY["wobble"](Z1)).dot
