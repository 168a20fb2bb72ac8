"""What an error says when an op refuses its operands, or is called by another library's name: what fits, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from .tensor import Tensor, describe


def explain(op: Any, inputs: Sequence[Any], params: dict[str, Any], error: Exception) -> str:
    """Turn NumPy's message into one that names the operands, their shapes and the way out."""
    given = ", ".join(describe(x) for x in inputs) or "no arrays"
    shapes = [np.shape(x._array if isinstance(x, Tensor) else x) for x in inputs]
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
    if op.broadcasts and op.name not in ("matmul", "solve") and len(shapes) > 1:
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            hint = "; a bias per row of a rows × samples matrix has the shape rows × 1" if op.name == "add" else ""
            return f"{op.name}: {given} do not broadcast: aligned at the last axis, sizes must be equal or 1{hint}"
    settings = "".join(f", {name}={_setting(value)}" for name, value in params.items())
    return f"{op.name}({given}{settings}): {error}"


def _setting(value: Any) -> str:
    """Write the value of a parameter, with arrays by their shapes: a message of a thousand numbers is not read."""
    if type(value) is tuple:
        return f"({', '.join(_setting(part) for part in value)}{',' * (len(value) == 1)})"
    return describe(value)


# Of PyTorch and NumPy, for what is written otherwise here.  What loses the gradient of x says so.
SPELLINGS = {
    **dict.fromkeys(("view", "view_as", "reshape_as"), "x.reshape(shape)"),
    **dict.fromkeys(("expand", "expand_as"), "x.broadcast_to(shape)"),
    **dict.fromkeys(("mm", "bmm", "mv", "addmm"), "x @ y"),
    **dict.fromkeys(("cat", "concat", "hstack", "vstack"), "tl.concatenate([x, y], axis=0)"),
    **dict.fromkeys(
        ("cuda", "cpu", "to", "device", "contiguous", "is_cuda"), "x, as it is: all tensors are NumPy arrays"
    ),
    **dict.fromkeys(("clone", "copy"), "+x, or x as it is: values never change"),
    **dict.fromkeys(("tensor", "as_tensor", "from_numpy", "array", "asarray"), "tl.Tensor(array)"),
    **dict.fromkeys(("zeros", "ones", "full", "eye", "arange", "linspace"), "tl.Tensor(np.zeros(shape)), and so on"),
    **dict.fromkeys(("rand", "randn", "normal"), "tl.Tensor(rng.standard_normal(shape)), of a NumPy generator rng"),
    **dict.fromkeys(("int", "long", "half", "double", "float", "type"), 'x.astype("float32"), or another dtype'),
    **dict.fromkeys(("functional", "F"), "tl.relu(x), and so on: functions stand at the top"),
    **dict.fromkeys(("autograd", "retain_grad"), "tl.gradients(J, [x])"),
    "t": "x.T",
    "unsqueeze": "x.expand_dims(axis)",
    "index_select": "x.take(indices, axis=0)",
    "masked_fill": "tl.where(mask, 0.0, x)",
    **dict.fromkeys(
        ("append", "average", "fliplr", "flipud", "logical_and", "logical_or", "logical_xor"),
        "np.append(x, y), and so on",
    ),
    **dict.fromkeys(("zero_", "zero_grad"), "x.grad = None"),
    "requires_grad_": "tl.Tensor(x.numpy(), requires_grad=True): a new leaf, and no gradient flows to x",
    "data": "x.numpy(): the value, and no gradient flows to x",
    "tolist": "x.numpy().tolist(): the values, and no gradient flows to x",
    "ModuleList": "[nn.Linear(2, 3), nn.ReLU()]: a list of modules, as it is",
    "ModuleDict": '{"full": nn.Linear(2, 3)}: a dict of modules, as it is',
    "CrossEntropyLoss": "tl.cross_entropy(x, labels): losses are functions",
    **dict.fromkeys(("MSELoss", "L1Loss", "NLLLoss", "HuberLoss"), "tl.mse(x, y), and so on: losses are functions"),
    "param_groups": "opt.lr: an optimiser has one group of parameters; make one more for parameters with another rate",
}
ARGUMENTS = {
    "dim": "write axis=",
    "dims": "write axes=",
    "keepdim": "write keepdims=",
    "retain_graph": "leave it out: what was recorded can be differentiated again",
    "create_graph": "write tl.gradients(J, [x], create_graph=True)",
    "set_to_none": "leave it out: a gradient that is forgotten is None",
    "strict": "leave it out, and load {**net.state_dict(), **state}, less the names that net has not",
}

P = ParamSpec("P")
R = TypeVar("R")


def argument_explained(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a method: where an argument of another library's is refused, the error says what to write instead."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            inner = error.__traceback__ and error.__traceback__.tb_next
            if inner is None and (hint := argument(kwargs)):  # refused at the door, not within
                raise TypeError(f"{error}{hint}") from None
            raise

    return call


def argument(names: Iterable[str]) -> str:
    """Say how the first of these arguments that another library takes is written here; nothing where none is known.

    >>> argument(["x", "dim"])
    '; write axis='
    """
    return next((f"; {ARGUMENTS[name]}" for name in names if name in ARGUMENTS), "")


def no_attribute(owner: object, name: str, ops: Any = ()) -> AttributeError:
    """Return the error of an attribute that an object lacks, with how another library's is written here."""
    what = f"{type(owner).__name__!r} object has no attribute {name!r}"
    return AttributeError(what + written(name, ops), name=name, obj=owner)


def written(name: str, ops: Any) -> str:
    """Say how what another library calls `name` is written here; nothing where it is not known.

    >>> written("view", {})
    '; write x.reshape(shape)'
    """
    if name in SPELLINGS:
        return f"; write {SPELLINGS[name]}"
    if name.endswith("_") and name[:-1] in ops:
        return f"; no op changes a tensor in place: write x = x.{name[:-1]}(…)"
    return ""
