"""What an error says when an op refuses its operands: what was given, what fits, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .tensor import Tensor, describe


def explain(op: Any, inputs: Sequence[Any], params: dict[str, Any], error: Exception) -> str:
    """Turn NumPy's message into one that names the operands, their shapes and the way out."""
    given = ", ".join(describe(x) for x in inputs)
    shapes = [np.shape(x._data if isinstance(x, Tensor) else x) for x in inputs]
    if op.name == "matmul" and all(shapes):
        a, b = shapes
        hint, inner = "", (a[-1], b[-2] if len(b) > 1 else b[0])
        if inner[0] != inner[1]:
            if len(a) == len(b) == 2:
                p, q = (
                    x.name if isinstance(x, Tensor) and x.name else letter
                    for x, letter in zip(inputs, "ab", strict=True)
                )
                fits = [(f"{p}.T @ {q}", a[0] == b[0]), (f"{p} @ {q}.T", a[1] == b[1]), (f"{q} @ {p}", b[1] == a[0])]
                hint = "".join(f"; {form} would fit" for form, fit in fits if fit)
            return f"matmul: {given} do not fit: the inner sizes {inner[0]} and {inner[1]} differ{hint}"
        if len(a) > 2 and len(b) > 2:
            return f"matmul: {given}: the batches {a[:-2]} and {b[:-2]} do not broadcast"
    if op.name == "matmul" and not all(shapes):
        return f"matmul: {given}: both sides must be matrices or vectors; multiply by a number with *"
    if op.broadcasts and len(shapes) > 1:
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            hint = "; a bias per row of a rows × samples matrix has the shape rows × 1" if op.name == "add" else ""
            return f"{op.name}: {given} do not broadcast: aligned at the last axis, sizes must be equal or 1{hint}"
    settings = "".join(f", {name}={value!r}" for name, value in params.items())
    return f"{op.name}({given}{settings}): {error}"
