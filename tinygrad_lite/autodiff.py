"""Reverse-mode differentiation: `gradients(y, xs)` is the core, everything else wraps it.

The history is walked from the youngest node to the oldest (a node is always younger than its inputs), so every node
has received its whole gradient before it passes it on.  No recursion; gradients of interior nodes live in a local table.
Source of the method: Griewank, Walther: Evaluating Derivatives, 2nd ed., ch. 3 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from operator import index
from typing import Any

import numpy as np
from numpy import ndarray

from .messages import argument_explained
from .op import Op, unbroadcast
from .ops.elementwise import astype, positive
from .ops.shape import reshape, stack
from .recording import ARRAYS, EVERYTHING, GRADIENTS, is_recording, mode, recording
from .tensor import Node, Tensor, as_array, describe, history, leaf_node, new_tensor, shape_text
from .tree import leaves, matched, rebuild


def gradients(y: Tensor, xs: Sequence[Tensor], gradient: Any = None, create_graph: bool = False) -> list[Tensor]:
    """Return ∂y/∂x for each x, in the shape and dtype of x; zeros where y does not depend on it.

    `gradient` is the weight of each element of y (default 1, for a y of one element).  With `create_graph=True` the
    results have a history of their own and can be differentiated again.
    Raises ValueError for a y of many elements without `gradient`, and for a y or an x that requires no gradient, or was
    frozen when y was computed from it.

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
    root, seed = _start(y, gradient, create_graph)
    reached = pull_back(root, seed, {node.serial for node in nodes}, create_graph)
    for x, node in zip(xs, nodes, strict=True):
        if node.twin is not None and node.twin in history(root):
            raise ValueError(f"{describe(x)} was frozen when {describe(y)} was computed from it; compute it again")
    return [_gradient_of(node, reached[node.serial][1] if node.serial in reached else None) for node in nodes]


@argument_explained
def backward(y: Tensor, gradient: Any = None) -> None:
    """Add ∂y/∂x to `x.grad` of every leaf x that y was computed from (leaves: made with requires_grad=True).

    `gradient` is the weight of each element of y; it may be left out where y has one element.  Large inner values are let
    go on the way; should y be differentiated again, they are computed again.
    Raises ValueError as `gradients` does.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4.], dtype=float32)
    """
    for node, g in pull_back(*_start(y, gradient, False), None, False, release=True).values():
        if (tensor := node.leaf()) is not None:
            new, old = _gradient_of(node, g), tensor.grad
            if old is not None and not isinstance(old, Tensor):
                raise TypeError(f"the .grad of {describe(tensor)} must be a Tensor or None, not {type(old).__name__}")
            tensor.grad = new if old is None else new_tensor(np.asarray(old._array + new._array), None)


Tensor.backward = backward  # type: ignore[method-assign, assignment]


# --- transforms of functions; an argument may be a tensor, an array, a number, or a nested list or dict of them --------


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives (f(*args), gradient) with respect to the arguments numbered `argnums`.

    f returns a tensor of one element.  The gradient has the form of the argument: a tensor, or a list or dict of them; where
    `argnums` is a sequence, a tuple of such.  It can be differentiated again, to any order.  With `has_aux=True`, f returns
    a pair, of which the second part is not differentiated, and the value is that pair: ((value, second), gradient).

    >>> value, slope = value_and_grad(lambda x: x**2)(3.0)
    >>> value.item(), slope.item()
    (9.0, 6.0)
    >>> grad(lambda p: p["w"] * p["b"] ** 2)({"w": 2.0, "b": 3.0})
    {'w': Tensor(9., dtype=float32), 'b': Tensor(12., dtype=float32)}
    >>> value_and_grad(lambda x: (x**2, {"x": x}), has_aux=True)(3.0)[0]
    (Tensor(9., dtype=float32), {'x': Tensor(3., dtype=float32)})
    """

    def both(*args: Any, **kwargs: Any) -> Any:
        second: Any = None

        def first(*args: Any, **kwargs: Any) -> Tensor:
            nonlocal second
            y = f(*args, **kwargs)
            if has_aux:
                y, second = _pair(y)
            return _tensor(y)

        value, slopes = _differentiated(first, argnums, lambda y, pull: pull(y, None))(*args, **kwargs)
        if not value.requires_grad:
            second = rebuild(second, [x.detach() if isinstance(x, Tensor) else x for x in leaves(second)])
        return (value, second) if has_aux else value, slopes

    _numbers(argnums)
    return both


def _pair(y: Any) -> tuple[Any, Any]:
    if not isinstance(y, tuple) or len(y) != 2:
        raise TypeError(
            "with has_aux=True the function returns a pair, (what is differentiated, anything else), "
            f"not {type(y).__name__}"
        )
    return y


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the function that gives the gradient of f: `value_and_grad` without the value.

    With `has_aux=True`, f returns a pair, and the function too: the gradient of the first part, and the second part.

    >>> grad(grad(lambda x: x**3))(2.0).item()
    12.0
    """
    both = value_and_grad(f, argnums, has_aux)

    def slopes(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return slopes


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that gives the matrix of all ∂fᵢ/∂xⱼ: its shape is that of f(*args) and then that of the argument.

    It takes one backward pass for each element of f.  Where the argument, or the result of f, is a list or dict, so is the
    matrix: by the places of the result first, then by those of the argument.

    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    Tensor([[2., 0.],
            [0., 4.]], dtype=float64)
    """

    def rows(y: Tensor, pull: Callable[[Tensor, Any], list[Tensor]]) -> list[Tensor]:
        units = np.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
        found = [pull(y, unit) for unit in units]
        if not found:
            return [new_tensor(np.zeros(y.shape + x.shape, x.dtype), None) for x in pull(y, np.zeros_like(y._array))]
        return [reshape(stack(parts), y.shape + parts[0].shape) for parts in zip(*found, strict=True)]

    both = _differentiated(f, argnums, rows)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]


def hessian(f: Callable[..., Tensor], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that gives the matrix of all ∂²f/∂xᵢ∂xⱼ of a scalar f: the jacobian of its gradient.

    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    Tensor([[6., 2.],
            [2., 0.]], dtype=float64)
    """
    return jacobian(grad(f, argnums), argnums)


def vjp(f: Callable[..., Tensor], *primals: Any) -> tuple[Tensor, Callable[[Any], tuple[Any, ...]]]:
    """Return f(*primals) and a function that multiplies a vector with the Jacobian: w ↦ w J, one part for each primal.

    >>> y, pull = vjp(lambda x, y: x * y, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> pull(np.array([1.0, 1.0]))
    (Tensor([3., 4.], dtype=float64), Tensor([1., 2.], dtype=float64))
    """
    y, fresh, nested = _run(f, primals, {}, range(len(primals)))

    def pull(w: Any) -> tuple[Any, ...]:
        found = iter(_pulled(_tensor(y), _flat(fresh), w, nested or isinstance(w, Tensor)))
        return tuple(rebuild(p, [next(found) for _ in xs]) for p, xs in zip(primals, fresh, strict=True))

    return _tensor(y) if nested else _tensor(y).detach(), pull


def jvp(f: Callable[..., Tensor], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Return f(*primals) and J v: how f changes along the tangents v, which have the form and the shapes of the primals.

    The rules for it are those of the vjp: w ↦ w J is linear, and its own vjp is v ↦ J v.
    Source: Townsend (2017), A new trick for calculating Jacobian vector products.

    >>> jvp(lambda x: x**2, [np.array([1.0, 2.0])], [np.array([1.0, 10.0])])[1]
    Tensor([ 2., 40.], dtype=float64)
    """
    flat = _tangents(primals, tangents)
    y, fresh, nested = _run(f, primals, {}, range(len(primals)))
    y = _tensor(y)
    recorded = nested or (is_recording() and any(isinstance(v, Tensor) and v.requires_grad for v in flat))
    with recording(GRADIENTS):
        w = new_tensor(np.ones_like(y._array), None)
        w._node = leaf_node(w, requires_grad=True, name=None)
        part = _inner(_pulled(y, _flat(fresh), w, True), flat)
        tangent = _pulled(part, [w], None, recorded)[0]
    return y if nested else y.detach(), tangent if recorded else tangent.detach()


def hvp(f: Callable[..., Tensor], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """Return H v, the Hessian of a scalar f times the tangents, without ever building H; it has the form of the primals.

    H is symmetric, so that H v is the gradient of (gradient of f) · v.
    Source: Pearlmutter (1994), Fast exact multiplication by the Hessian.

    >>> hvp(lambda x: (x**3).sum(), [np.array([1.0, 2.0])], [np.array([1.0, 1.0])])
    (Tensor([ 6., 12.], dtype=float64),)
    """
    flat, every = _tangents(primals, tangents), tuple(range(len(primals)))
    return grad(lambda *inputs: _inner(leaves(grad(f, every)(*inputs)), flat), every)(*primals)  # type: ignore[no-any-return]


def _tangents(primals: Any, tangents: Any) -> list[Any]:
    """Return the leaves of the tangents, one for each leaf of the primals and in their order."""
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, list | tuple):
            raise TypeError(f"the {name} are a list, one for each argument of the function, not {type(given).__name__}")
    try:
        return matched(primals, tangents)
    except ValueError as error:
        raise ValueError(f"each primal needs a tangent of its form: {error}") from None


def _inner(slopes: Sequence[Tensor], flat: Sequence[Any]) -> Tensor:
    """Return Σ slope · tangent, and say so where they do not fit."""
    if [np.shape(v) for v in flat] != [g.shape for g in slopes]:
        given, expected = ([shape_text(np.shape(x)) for x in side] for side in (flat, slopes))
        raise ValueError(f"each primal needs a tangent of its shape: {', '.join(expected)}, not {', '.join(given)}")
    parts = [
        (g * (v if isinstance(v, Tensor) else as_array(v, g.dtype))).sum() for g, v in zip(slopes, flat, strict=True)
    ]
    return sum(parts[1:], start=parts[0]) if parts else new_tensor(np.zeros(()), None)


def _differentiated(
    f: Callable[..., Any], argnums: int | Sequence[int], slopes_of: Callable[[Tensor, Any], list[Tensor]]
) -> Callable[..., Any]:
    """Return a function that gives f(*args) and, in the form of the result and then of the arguments, `slopes_of`."""
    numbers = _numbers(argnums)

    def differentiated(*args: Any, **kwargs: Any) -> Any:
        for i in numbers:
            if not -len(args) <= i < len(args):
                raise TypeError(f"argnums names argument {i}, but the function was called with {len(args)}")
        picked = [i % len(args) for i in numbers]
        if len(set(picked)) < len(picked):
            raise ValueError(f"argnums={argnums} names an argument twice")
        y, fresh, nested = _run(f, args, kwargs, picked)
        pull = lambda part, w: _pulled(part, _flat(fresh), w, nested)
        forms = []
        with recording(GRADIENTS):
            for part in leaves(y):
                found = iter(slopes_of(part, pull))
                slopes = [rebuild(args[i], [next(found) for _ in xs]) for i, xs in zip(picked, fresh, strict=True)]
                forms.append(tuple(slopes) if isinstance(argnums, Sequence) else slopes[0])
        value = y if nested else rebuild(y, [part.detach() for part in leaves(y)])
        return value, rebuild(y, forms)

    return differentiated


def _numbers(argnums: int | Sequence[int]) -> list[int]:
    try:
        return [index(i) for i in (argnums if isinstance(argnums, Sequence) else [argnums])]
    except TypeError:
        raise TypeError(f"argnums must be the number of an argument, or several, not {argnums!r}") from None


def _run(
    f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], picked: Sequence[int]
) -> tuple[Any, list[list[Tensor]], bool]:
    """Run f on fresh tensors; return the result, those tensors, and whether what follows is to be recorded.

    It is where the caller records and the result depends on other tensors that require a gradient, such as those of an
    enclosing transform.
    """
    nested = is_recording()
    inputs, fresh = list(args), []
    with recording(GRADIENTS):
        for i in picked:
            fresh.append([_fresh(x) for x in leaves(args[i])])
            inputs[i] = rebuild(args[i], fresh[-1])
        y = f(*inputs, **kwargs)
    roots = []
    for part in leaves(y) if y is not None else [y]:
        if not isinstance(part, Tensor):
            raise TypeError(f"a function to differentiate must return tensors, not {type(part).__name__}: {part!r}")
        if part._node is not None and not part.requires_grad:
            raise ValueError(
                "no op computed the result from the arguments, so its derivative would be zero; "
                "Tensor(...) around a value, or .numpy(), drops its history"
            )
        if part._node is not None:
            roots.append(part._node)
    own = {x._node for x in _flat(fresh)}
    others = nested and any(n.op is None and n.requires_grad and n not in own for n in history(*roots))
    return y, fresh, others


def _tensor(y: Any) -> Tensor:
    if not isinstance(y, Tensor):
        raise TypeError(f"a function to differentiate must return a tensor, not {type(y).__name__}: {y!r}")
    return y


def _flat(fresh: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    return [x for parts in fresh for x in parts]


def _pulled(y: Tensor, xs: Sequence[Tensor], w: Any, create_graph: bool) -> list[Tensor]:
    """Return `gradients(y, xs, w)`, and zeros where y is a constant."""
    if not y.requires_grad:
        return [new_tensor(np.zeros_like(x._array), None) for x in xs]
    return gradients(y, xs, gradient=w, create_graph=create_graph)


# --- the walk ---------------------------------------------------------------------------------------------------------


def _start(y: Tensor, gradient: Any, create_graph: bool) -> tuple[Node, Any]:
    """Check that y can be differentiated, and return its node and the gradient to start from."""
    node = y._node if isinstance(y, Tensor) else None
    if node is None or not node.requires_grad:
        raise ValueError(
            f"{describe(y)} requires no gradient: it was computed from no tensor with requires_grad=True, "
            "or under no_grad(), where w -= … makes another w, without a gradient: write w.assign(w - …) there"
        )
    if gradient is None:
        if y._array.size != 1:
            raise ValueError(
                f"{describe(y)} has {y.size} elements: differentiate a scalar (take .mean() or .sum() first), "
                "or pass gradient=, the weight of each element"
            )
        if y._array.ndim == 0 and not create_graph:
            return node, y._array.dtype.type(1)  # a scalar is cheaper than an array of one
        return node, np.ones_like(y._array)
    if np.shape(gradient) != y.shape:
        raise ValueError(
            f"gradient= has shape {shape_text(np.shape(gradient))}, but {describe(y)} needs one weight per element"
        )
    if create_graph and isinstance(gradient, Tensor):
        return node, gradient
    return node, as_array(gradient, meets=y.dtype).astype(y.dtype)


def pull_back(
    root: Node, seed: Any, targets: set[int] | None, create_graph: bool, oldest: int = 0, release: bool = False
) -> dict[int, list[Any]]:
    """Pass the seed back from root; return [node, gradient] of the leaves, and of the targets, by serial number.

    With targets (serial numbers), only the ways that lead to them are gone, and none beyond the node `oldest`.  With
    `release`, a node's large values are let go when it has passed on its gradient.
    Of the nodes that wait, the youngest goes first: whatever was made from it is younger still, and so has passed its share
    on already.
    """
    useful = None if targets is None else _on_the_way(root, targets)
    reached: dict[int, list[Any]] = {root.serial: [root, seed]}
    own: set[int] = set()  # of the gradients that are arrays made here, which may be added to in place
    queue = [-root.serial] if root.op is not None and root.serial > oldest else []
    with recording(ARRAYS if not create_graph else EVERYTHING if mode() is EVERYTHING else GRADIENTS):
        while queue:
            serial = -heappop(queue)
            node, g = reached.pop(serial) if targets is None or serial not in targets else reached[serial]
            if node.released:
                _compute_again(root)
            op, out, values, params = node.op, node.out, node.values, node.params
            if create_graph:
                out, values = _as_tensors(node)
            elif out is None:
                out = node
            if op.saves:
                params = {**params, "saved": None if create_graph else node.saved}
            inputs = (values,) if op.variadic else values
            add_to = None if create_graph else op.add_to
            for i, source in enumerate(node.sources):
                if source is None:
                    continue
                key = source.serial
                if not source.requires_grad or (useful is not None and key not in useful):
                    continue
                rule = op.vjps[i]
                entry = reached.get(key)
                if g is None or rule is None:
                    part = None  # the derivative is zero
                elif add_to is not None and entry is not None and entry[1] is not None:
                    if key not in own:
                        before, entry[1] = entry[1], np.empty_like(entry[1], order="C")
                        entry[1][...] = before
                        own.add(key)
                    add_to(entry[1], g, *inputs, **params)
                    continue
                else:
                    try:
                        part = rule(g, out, *inputs, **params) if params else rule(g, out, *inputs)
                        fits = part.shape == source.shape and part.dtype is source.dtype
                    except (TypeError, AttributeError) as error:
                        raise TypeError(_misruled(op, i, error)) from error
                    if not fits:
                        part = _fitted(part, source, op)
                if entry is None:
                    reached[key] = [source, part]
                    if source.op is not None and key > oldest:
                        heappush(queue, -key)
                elif part is not None:
                    own.discard(key)
                    entry[1] = part if entry[1] is None else entry[1] + part
            if release and g is not None and (g.nbytes > LARGE or getattr(values[0], "nbytes", 0) > LARGE):
                node.values = [v if s is None or s.op is None else s for v, s in zip(values, node.sources, strict=True)]
                node.out, node.saved, node.released = None, None, True
    return reached


def _misruled(op: Op, i: int, error: Exception) -> str:
    """Return what an error says where a rule fails, or gives something else than an array."""
    return (
        f"the rule of {op.name} for input {i} failed: {error}; a rule must return an array, and of what it names with "
        "a leading underscore it knows only shape and dtype"
    )


LARGE = 1 << 16  # bytes; below, letting go costs more than it gains


def _compute_again(root: Node) -> None:
    """Give the nodes that root was made from the values back that `backward` has let go: their ops run once more."""
    known: dict[int, Any] = {}
    for node in history(root):
        op = node.op
        if op is None:
            continue
        inputs = [
            value if source is None or source.op is None else known[source.serial]
            for value, source in zip(node.values, node.sources, strict=True)
        ]
        with recording(ARRAYS):
            out = op.forward(*inputs, **node.params)
        out, saved = out if op.saves else (out, None)
        known[node.serial] = out = np.asarray(out) if isinstance(out, np.generic) else out
        if node.released:
            wanted = sum(1 << i for i, source in enumerate(node.sources) if source is not None and source.requires_grad)
            drop, keep_out = op.plans.get(wanted) or op.plan(wanted, len(inputs))
            node.values = [value if i in drop else inputs[i] for i, value in enumerate(node.values)]
            node.out, node.saved, node.released = out if keep_out else None, saved, False


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


def _fresh(x: Any) -> Tensor:
    """Return an argument as a tensor of its own identity, so that its gradient is told from that of its other uses."""
    return positive(x) if isinstance(x, Tensor) and x.requires_grad else Tensor(x, requires_grad=True)
