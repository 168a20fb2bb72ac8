"""Reverse-mode differentiation: `gradients(y, xs)` is the core, everything else wraps it.  Imports `tensor`, `op`.

The history is walked from the youngest node to the oldest (a node is always younger than its inputs), so every node
has received its whole gradient before it passes it on.  No recursion; gradients of interior nodes live in a local table.
Source of the method: Griewank, Walther: Evaluating Derivatives, 2nd ed., ch. 3 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy import ndarray

from .op import ARRAYS, GRADIENTS, Op, is_recording, recording, unbroadcast
from .ops.elementwise import astype, positive
from .tensor import Node, Tensor, as_array, describe, history, new_tensor, shape_text


def gradients(y: Tensor, xs: Sequence[Tensor], gradient: Any = None, create_graph: bool = False) -> list[Tensor]:
    """Return ∂y/∂x for each x, in the shape and dtype of x; zeros where y does not depend on it.

    `gradient` is the weight of each element of y (default 1, for a y of one element).  With `create_graph=True` the
    results have a history of their own and can be differentiated again.
    Raises ValueError for a y of many elements without `gradient`, and for a y or an x that requires no gradient.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> gradients((x**3).sum(), [x])
    [Tensor([ 3., 12.], dtype=float32)]
    """
    nodes: list[Node] = []
    if isinstance(xs, Tensor):
        raise TypeError("the tensors to differentiate with respect to come as a list: gradients(y, [x])")
    for i, x in enumerate(xs):
        if not isinstance(x, Tensor) or x._node is None or not x.requires_grad:
            raise ValueError(f"no gradient flows to {describe(x)} (number {i}): make it with requires_grad=True")
        nodes.append(x._node)
    reached = _pull_back(*_start(y, gradient, create_graph), {node.serial for node in nodes}, create_graph)
    return [_gradient_of(node, reached[node.serial][1] if node.serial in reached else None) for node in nodes]


def backward(y: Tensor, gradient: Any = None) -> None:
    """Add ∂y/∂x to `x.grad` of every leaf x that y was computed from (leaves: made with requires_grad=True).

    `gradient` is the weight of each element of y; it may be left out where y has one element.
    Raises ValueError as `gradients` does.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4.], dtype=float32)
    """
    for node, g in _pull_back(*_start(y, gradient, False), None, False).values():
        if (tensor := node.leaf()) is not None:
            old = tensor.grad
            tensor.grad = _gradient_of(node, g if old is None or g is None else old._data + g)


Tensor.backward = backward  # type: ignore[method-assign, assignment]


def value_and_grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that gives (f(*args), gradient) with respect to the arguments numbered `argnums`.

    f takes tensors, arrays or numbers and returns a tensor of one element.  The gradient is a tensor, or a tuple of them
    where `argnums` is a sequence; it can be differentiated again, to any order.

    >>> value, slope = value_and_grad(lambda x: x**2)(3.0)
    >>> value.item(), slope.item()
    (9.0, 6.0)
    """
    picked = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    def differentiated(*args: Any, **kwargs: Any) -> Any:
        nested = is_recording()
        inputs = list(args)
        with recording(GRADIENTS):
            for i in picked:
                inputs[i] = _fresh(args, i)
            fresh = [inputs[i] for i in picked]
            y = f(*inputs, **kwargs)
            if not isinstance(y, Tensor):
                raise TypeError(f"a function to differentiate must return a tensor of one element, not {y!r}")
            if not y.requires_grad:
                if y._node is not None:
                    raise ValueError("the result was made from plain data inside the function: its history is lost")
                slopes = [new_tensor(np.zeros_like(x._data), None) for x in fresh]
            else:
                root, _ = _start(y, None, False)
                own = [x._node for x in fresh]
                others = any(node.op is None and node not in own for node in history(root) if node.requires_grad)
                nested = nested and others
                slopes = gradients(y, fresh, create_graph=nested)
        return y if nested else y.detach(), slopes[0] if isinstance(argnums, int) else tuple(slopes)

    return differentiated


def grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return the function that gives the gradient of f: `value_and_grad` without the value.

    >>> grad(grad(lambda x: x**3))(2.0).item()
    12.0
    """
    both = value_and_grad(f, argnums)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]


# --- the walk ---------------------------------------------------------------------------------------------------------


def _start(y: Tensor, gradient: Any, create_graph: bool) -> tuple[Node, Any]:
    """Check that y can be differentiated, and return its node and the gradient to start from."""
    node = y._node if isinstance(y, Tensor) else None
    if node is None or not node.requires_grad:
        raise ValueError(
            f"{describe(y)} requires no gradient: it was computed from no tensor with requires_grad=True, "
            "or under no_grad()"
        )
    if gradient is None:
        if y._data.size != 1:
            raise ValueError(
                f"{describe(y)} has {y.size} elements: differentiate a scalar (take .mean() or .sum() first), "
                "or pass gradient=, the weight of each element"
            )
        if y._data.ndim == 0 and not create_graph:
            return node, y._data.dtype.type(1)  # a scalar is cheaper than an array of one
        return node, np.ones_like(y._data)
    if np.shape(gradient) != y.shape:
        raise ValueError(
            f"gradient= has shape {shape_text(np.shape(gradient))}, but {describe(y)} needs one weight per element"
        )
    if create_graph and isinstance(gradient, Tensor):
        return node, gradient
    return node, as_array(gradient).astype(y.dtype)


def _pull_back(root: Node, seed: Any, targets: set[int] | None, create_graph: bool) -> dict[int, list[Any]]:
    """Pass the seed back from root; return [node, gradient] of the leaves, and of the targets, by serial number.

    With targets (serial numbers), only the ways that lead to them are gone.  Of the nodes that wait, the youngest goes
    first: whatever was made from it is younger still, and so has passed its share on already.
    """
    useful = None if targets is None else _on_the_way(root, targets)
    reached: dict[int, list[Any]] = {root.serial: [root, seed]}
    queue = [-root.serial] if root.op is not None else []
    with recording(GRADIENTS if create_graph else ARRAYS):
        while queue:
            serial = -heappop(queue)
            node, g = reached.pop(serial) if targets is None or serial not in targets else reached[serial]
            op, out, values, params = node.op, node.out, node.values, node.params
            if create_graph:
                out, values = _as_tensors(node)
            elif out is None:
                out = node
            if op.saves:
                params = {**params, "saved": None if create_graph else node.saved}
            for i, source in enumerate(node.sources):
                if source is None:
                    continue
                key = source.serial
                if not source.requires_grad or (useful is not None and key not in useful):
                    continue
                rule = op.vjps[i]
                if g is None or rule is None:
                    part = None  # the derivative is zero
                else:
                    part = rule(g, out, *values, **params) if params else rule(g, out, *values)
                    if part.shape != source.shape or part.dtype is not source.dtype:
                        part = _fitted(part, source, op)
                entry = reached.get(key)
                if entry is None:
                    reached[key] = [source, part]
                    if source.op is not None:
                        heappush(queue, -key)
                elif part is not None:
                    entry[1] = part if entry[1] is None else entry[1] + part
    return reached


def _on_the_way(root: Node, targets: set[int]) -> set[int]:
    """Return the serial numbers of the nodes through which root depends on a target."""
    useful = set(targets)
    for node in history(root):
        if any(source is not None and source.serial in useful for source in node.sources):
            useful.add(node.serial)
    return useful


def _as_tensors(node: Node) -> tuple[Any, list[Any]]:
    """Return the result and the inputs of a node as tensors with their history, for rules that are to be recorded."""
    values = [
        value if source is None or value is source else new_tensor(value, source)
        for value, source in zip(node.values, node.sources, strict=True)
    ]
    return node if node.out is None else new_tensor(node.out, node), values


def _fitted(part: Any, source: Node, op: Op) -> Any:
    """Bring a gradient to the shape and the dtype of its input; only where inputs broadcast may the shape differ."""
    if part.shape != source.shape:
        if not op.broadcasts:
            raise AssertionError(
                f"the vjp of {op.name} gave shape {shape_text(part.shape)} for an input of {shape_text(source.shape)}"
            )
        part = unbroadcast(part, source.shape)
    return part if part.dtype == source.dtype else astype(part, source.dtype)


def _gradient_of(node: Node, g: Any) -> Tensor:
    """Make a tensor of a gradient; None stands for zero."""
    if type(g) is ndarray:
        return new_tensor(g, None)
    if isinstance(g, Tensor):
        return g
    if g is None:
        g = np.zeros(node.shape, node.dtype)
    return new_tensor(np.asarray(g) if isinstance(g, np.generic) else g, None)


def _fresh(args: Sequence[Any], i: int) -> Tensor:
    """Return argument i as a tensor of its own identity, so that its gradient is told from that of its other uses."""
    try:
        x = args[i]
    except IndexError:
        raise TypeError(f"argnums names argument {i}, but the function was called with {len(args)}") from None
    return positive(x) if isinstance(x, Tensor) and x.requires_grad else Tensor(x, requires_grad=True)
