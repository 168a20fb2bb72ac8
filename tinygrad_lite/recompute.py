"""checkpoint: trade time for memory by computing inner values again in the backward pass.

Source: Chen et al. (2016), Training deep nets with sublinear memory cost.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .autodiff import pull_back
from .op import REAL, Each, Op
from .ops.shape import concatenate, reshape
from .random import generator
from .recording import EVERYTHING, GRADIENTS, is_recording, mode, recording
from .tensor import Node, Tensor, new_tensor, tick
from .tree import leaves, rebuild

P = ParamSpec("P")
R = TypeVar("R")


def checkpoint(f: Callable[P, R]) -> Callable[P, R]:
    """Return f as a function that keeps none of its inner values for the backward pass, but computes them again there.

    It gives the same values and gradients, to any order, also with respect to what f closes over (the parameters of a
    module); random numbers are drawn again as they were.  f runs twice: what it changes besides (the running statistics of
    BatchNorm) changes twice.  f returns a tensor, or nested lists, tuples and dicts of them.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> block = checkpoint(lambda x: tanh(tanh(x * 2)))
    >>> y = block(x).sum()
    >>> y.backward()
    >>> x.grad.numpy().round(3)
    array([0.063, 0.001], dtype=float32)
    """

    @wraps(f)
    def checkpointed(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_recording() or mode() is EVERYTHING:  # nothing is to be differentiated, or all is to be seen
            return f(*args, **kwargs)
        run = _Run(lambda: f(*args, **kwargs))
        start = tick()
        result: R = run.again()
        parts = leaves(result)
        for part in parts:
            if not isinstance(part, Tensor):
                raise TypeError(f"a checkpointed function must return tensors, not {type(part).__name__}: {part!r}")
        smooth = [part for part in parts if part.requires_grad]
        if not smooth:
            return result
        together = _joined(smooth)
        older = _older(together, start)
        run.sources = [node for node in older if node.requires_grad]
        tensors = [node.leaf() for node in older if node.leaf is not None]
        run.leaves = [(tensor, tensor._array) for tensor in tensors if tensor is not None]
        if not run.sources:
            return result
        node = Node()
        node.op = CHECKPOINT
        node.params = {"run": run}
        node.sources = node.values = run.sources
        node.shape, node.dtype = together.shape, together.dtype
        node.serial = tick()
        whole = new_tensor(together._array, node)
        made = iter([whole] if len(smooth) == 1 else _parted(whole, smooth))
        return rebuild(result, [next(made) if part.requires_grad else part for part in parts])  # type: ignore[no-any-return]

    return checkpointed


class _Run:
    """A call that can be made again, with the random numbers and the parameters of the first time."""

    sources: Sequence[Node]
    leaves: Sequence[tuple[Tensor, Any]] = ()  # with their values, which an optimiser may replace

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.state = generator().bit_generator.state
        self.pulled: tuple[Any, Any] = None, None  # the last gradient that came in, and what became of it

    def again(self) -> Any:
        rng = generator().bit_generator
        before, rng.state = rng.state, self.state
        now = [tensor._array for tensor, _ in self.leaves]
        for tensor, value in self.leaves:
            tensor._array = value
        try:
            with recording(GRADIENTS):
                return self.call()
        finally:
            if before != self.state:  # not the first time
                rng.state = before
            for (tensor, _), value in zip(self.leaves, now, strict=True):
                tensor._array = value

    def value(self) -> Any:
        """Return the array of the result."""
        with recording(GRADIENTS):
            return _joined([part for part in leaves(self.again()) if part.requires_grad])._array

    def pull(self, i: int, g: Any) -> Any:
        """Return the gradient with respect to source i; all of them are computed together, once for each g."""
        if self.pulled[0] is not g:
            start, create_graph = tick(), is_recording()
            with recording(GRADIENTS):
                root = _joined([part for part in leaves(self.again()) if part.requires_grad])._node
            assert root is not None
            keys = {source.serial for source in self.sources}
            self.pulled = g, pull_back(root, g, keys, create_graph, oldest=start)
        found = self.pulled[1].get(self.sources[i].serial)
        return None if found is None else found[1]


CHECKPOINT = Op(
    name="checkpoint",
    forward=lambda *_arrays, run: run.value(),
    signature=inspect.signature(lambda _arrays, _run: None),
    vjps=Each(lambda i, g, _out, _arrays, run: run.pull(i, g)),
    text="checkpoint({0})",
    latex=r"\mathrm{{checkpoint}}({0})",
    domain=(REAL,),
    variadic=True,
)


def _older(y: Tensor, start: int) -> list[Node]:
    """Return the nodes made before `start` from which y was computed directly since, in the order of their age."""
    found: dict[int, Node] = {}
    seen: set[int] = set()
    stack = [y._node] if y._node is not None else []
    while stack:
        node = stack.pop()
        if node.serial in seen:
            continue
        seen.add(node.serial)
        if node.serial < start:
            found[node.serial] = node
        else:
            stack += [source for source in node.sources if source is not None]
    return [found[serial] for serial in sorted(found)]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Return one tensor, or all the elements of several in one vector: a node has one result."""
    if len(parts) == 1:
        return parts[0]
    return concatenate([reshape(part, -1) for part in parts])


def _parted(whole: Tensor, parts: Sequence[Tensor]) -> list[Tensor]:
    """Undo `_joined`."""
    taken, found = 0, []
    for part in parts:
        found.append(reshape(whole[taken : taken + part.size], part.shape).astype(part.dtype))
        taken += part.size
    return found


__all__ = ["checkpoint"]
