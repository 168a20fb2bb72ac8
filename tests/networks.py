"""Random networks as model files: layers, sizes, activations, losses, columns or rows as samples."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from hypothesis import strategies as st

from tinygrad_lite import nn

SHORT = ["relu", "tanh", "sigmoid"]
ACTIVATIONS = [*SHORT, "softplus", "gelu", "silu", "elu", "leaky_relu", "square"]
LOSSES = ["softmax", "sigmoid", "half", "mean"]


@dataclass(frozen=True)
class Network:
    """What a network is made of; `widths` are those of all layers, the inputs first."""

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    loss: str
    rows: bool = False
    bias: bool = True

    @property
    def source(self) -> str:
        """The model file."""
        depth = len(self.widths) - 1
        sizes = [f"n{i}" for i in range(depth + 1)]

        def shaped(a: str, b: str) -> str:
            return f'Float[Tensor, "{b} {a}"]' if self.rows else f'Float[Tensor, "{a} {b}"]'

        fields, made, lines = [], [], []
        for i in range(1, depth + 1):
            one, two = self.widths[i], self.widths[i - 1]
            fields.append(f"    W{i}: {shaped(sizes[i], sizes[i - 1])}")
            made.append(
                f"        self.W{i} = nn.Parameter(rng.standard_normal({(two, one) if self.rows else (one, two)}))"
            )
            if self.bias:
                fields.append(f"    b{i}: {shaped(sizes[i], '1')}")
                made.append(
                    f"        self.b{i} = nn.Parameter(rng.standard_normal({(1, one) if self.rows else (one, 1)}))"
                )
            before = "X" if i == 1 else f"A{i - 1}"
            product = f"{before} @ self.W{i}" if self.rows else f"self.W{i} @ {before}"
            lines.append(f"        Z{i} = {product}" + f" + self.b{i}" * self.bias)
            if i < depth:
                lines.append(f"        A{i} = tl.{self.activations[i - 1]}(Z{i})")
        axis, m = (1, "X.shape[0]") if self.rows else (0, "X.shape[1]")
        Z, A = f"Z{depth}", f"A{depth}"
        last = {"softmax": f"tl.softmax({Z}, axis={axis})", "sigmoid": f"tl.sigmoid({Z})"}.get(self.loss)
        last = last or f"tl.{self.activations[-1]}({Z})"
        loss = {
            "softmax": f"tl.mean(tl.softmax_cross_entropy({Z}, Y, axis={axis}))",
            "sigmoid": f"tl.sum(tl.sigmoid_cross_entropy({Z}, Y)) / {m}",
            "half": f"tl.sum(({A} - Y) ** 2) / (2 * {m})",
            "mean": f"tl.mean(tl.square({A} - Y))",
        }[self.loss]
        inner = lines if self.loss in ("softmax", "sigmoid") else [*lines, f"        {A} = {last}"]
        return "\n".join([
            '"""A network, made at random."""',
            "from __future__ import annotations",
            "import numpy as np",
            "from jaxtyping import Float",
            "import tinygrad_lite as tl",
            "from tinygrad_lite import Tensor, nn",
            "",
            "",
            "class Net(nn.Module):",
            *fields,
            "    def __init__(self) -> None:",
            "        rng = np.random.default_rng(0)",
            *made,
            f"    def forward(self, X: {shaped('n0', 'm')}) -> Tensor:",
            *lines,
            f"        {A} = {last}",
            f"        return {A}",
            f"    def loss(self, X: {shaped('n0', 'm')}, Y: {shaped(sizes[-1], 'm')}) -> Tensor:",
            *inner,
            f"        J = {loss}",
            "        return J",
            "",
        ])  # fmt: skip

    def model(self) -> Any:
        """The module."""
        module: Any = ModuleType(f"random_network_{abs(hash(self))}")
        sys.modules[module.__name__] = module  # annotations are looked up there
        exec(self.source, module.__dict__)
        net: nn.Module = module.Net()
        return net


@st.composite
def networks(draw: st.DrawFn, activations: list[str] | None = None) -> Network:
    """Draw a network of one to four layers."""
    depth = draw(st.integers(1, 4))
    return Network(
        tuple(draw(st.lists(st.integers(1, 7), min_size=depth + 1, max_size=depth + 1))),
        tuple(draw(st.lists(st.sampled_from(activations or ACTIVATIONS), min_size=depth, max_size=depth))),
        draw(st.sampled_from(LOSSES)),
        draw(st.booleans()),
        draw(st.booleans()),
    )
