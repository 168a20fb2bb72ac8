"""Convolution copies its windows a strip at a time: where the cuts lie changes nothing but the rounding."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lite as tl

from .cases.convolution import some_convolution

module = sys.modules["tinygrad_lite.ops.convolution"]


@pytest.fixture(autouse=True)
def strips_as_before() -> Iterator[None]:
    before = module.STRIP
    yield
    module.STRIP = before


def three(seed: int) -> list[Any]:
    """Return a convolution and its two gradients, of random operands."""
    rng = np.random.default_rng(seed)
    x, w, y, geometry = some_convolution(rng, int(rng.integers(1, 3)))
    x_, w_, y_ = (rng.standard_normal(shape) for shape in (x, w, y))
    made = (
        tl.conv(x_, w_, **geometry),
        tl.conv_input(y_, w_, size=x[2:], **geometry),
        tl.conv_weight(x_, y_, kernel=w[2:], **geometry),
    )
    return [t.numpy() for t in made]


@given(st.integers(0, 10**6), st.integers(1, 200))
def test_strips_change_nothing(seed: int, strip: int) -> None:
    module.STRIP = 2**19
    whole = three(seed)
    module.STRIP = strip
    for a, b in zip(whole, three(seed), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_a_mutant_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    strips = module._strips
    monkeypatch.setattr(module, "_strips", lambda out, elements: strips(out, elements)[:2])  # loses the third and later
    with pytest.raises(AssertionError):
        test_strips_change_nothing()
