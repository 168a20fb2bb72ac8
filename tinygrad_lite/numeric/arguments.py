"""The float arrays among the arguments and results of a function that is checked, be it NumPy's, PyTorch's or JAX's."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

import numpy as np

from ..tensor import Tensor, is_array, shape_text
from ..tree import leaves, rebuild


class Arguments:
    """The arguments of f: its float arrays and numbers in float64, their names, and everything else as it is."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.f, self.args, self.flat = f, args, leaves(args)
        self.places = [place for place, x in enumerate(self.flat) if is_float(x)]
        if not self.places:
            raise TypeError("none of the arguments is of a float type: there is nothing to differentiate")
        self.at = [np.array(as_numpy(self.flat[place]), dtype=np.float64) for place in self.places]
        self.precision = min(  # the lowest; a number has none of its own
            (as_numpy(self.flat[place]).dtype for place in self.places if hasattr(self.flat[place], "dtype")),
            key=lambda dtype: dtype.itemsize,
            default=np.dtype(np.float64),
        )
        self.positions = _positional(f, len(args))
        paths = [(i, name + path) for i, name in enumerate(self.positions) for path in _paths(args[i])]
        self.numbers = [paths[place][0] for place in self.places]  # of the argument that an array belongs to
        self.names = [paths[place][1] for place in self.places]
        self.copies = [np.array(x) for x in self.flat if is_array(x)]

    def filled(self, values: Sequence[Any]) -> Any:
        """Return the arguments with other float leaves."""
        flat = list(self.flat)
        for place, value in zip(self.places, values, strict=True):
            flat[place] = value
        return rebuild(self.args, flat)

    def changed(self) -> bool:
        """Whether an array that was passed in is no longer what it was."""
        now = [x for x in self.flat if is_array(x)]
        return not all(map(equal, now, self.copies))

    def called(self, outputs: Callable[[Sequence[Any]], Any]) -> Any:
        """Return the outputs at the arguments; what f raises there is told which f it was, and on which shapes."""
        try:
            return outputs(self.at)
        except Exception as error:
            shapes = ", ".join(f"{name} {shape_text(x.shape)}" for name, x in zip(self.names, self.at, strict=True))
            error.add_note(f"raised by {getattr(self.f, '__name__', self.f)} at float64 arguments of shapes {shapes}")
            raise


def equal(a: Any, b: Any) -> bool:
    """Whether two arrays are the same, NaN for NaN."""
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def is_float(x: Any) -> bool:
    """Whether a leaf is a float number, or an array or a tensor of floats, also PyTorch's."""
    dtype = getattr(x, "dtype", None)
    return (
        isinstance(x, float) or getattr(dtype, "kind", "") == "f" or getattr(dtype, "is_floating_point", False) is True
    )


def as_numpy(x: Any) -> Any:
    """Return a leaf as an array; of a PyTorch tensor, its value."""
    return np.asarray(x.detach().cpu() if hasattr(x, "cpu") else x)


def float_tensors(y: Any) -> list[Tensor]:
    """Return the float tensors among the results of a function; refuse what is no tensor, and a function without any."""
    parts = leaves(y)
    for part in parts or [y]:
        if not isinstance(part, Tensor):
            raise TypeError(
                f"the function must return tensors, not {type(part).__name__}: {part!r:.60}"
                + (" (did it forget to return?)" if part is None else "; check_vjp is for functions on NumPy arrays")
            )
    smooth = [part for part in parts if part.dtype.kind == "f"]
    if not smooth:
        raise TypeError(f"the function returns {parts[0].dtype}: there is nothing to differentiate")
    return smooth


def float_arrays(y: Any) -> list[Any]:
    """Return the results of a function as arrays; refuse what is not of a float type."""
    parts = [np.asarray(part) for part in leaves(y)]
    if not parts or any(part.dtype.kind != "f" for part in parts):
        kinds = ", ".join(str(part.dtype) for part in parts) or "nothing"
        raise TypeError(f"the function must return float arrays, not {kinds}")
    return parts


def _positional(f: Callable[..., Any], count: int) -> list[str]:
    """Return the names of the positional arguments in a call of f with `count` of them."""
    names: list[str] = []
    try:
        for p in inspect.signature(f).parameters.values():
            if p.kind is p.VAR_POSITIONAL:
                names += [f"{p.name}[{i}]" for i in range(count - len(names))]
            elif p.kind is not p.KEYWORD_ONLY:
                names.append(p.name)
    except (TypeError, ValueError):
        pass
    return (names + [f"argument {i}" for i in range(len(names), count)])[:count]


def _paths(tree: Any) -> list[str]:
    """Return how each leaf is reached, as it is written in Python: `['w'][0]`."""
    if isinstance(tree, dict):
        return [f"[{key!r}]{rest}" for key, part in tree.items() for rest in _paths(part)]
    if isinstance(tree, list | tuple):
        return [f"[{i}]{rest}" for i, part in enumerate(tree) for rest in _paths(part)]
    return [] if tree is None else [""]


# --- functions of PyTorch and JAX -------------------------------------------------------------------------------------


Door = tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]  # forward, vjp, arguments


def forward_and_vjp(f: Any, args: tuple[Any, ...]) -> Door:
    """Return forward pass, vjp and arguments of a NumPy pair, a torch.autograd.Function or a jax.custom_vjp."""
    paired = bool(args) and callable(args[0])
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch is not None and isinstance(f, type) and issubclass(f, torch.autograd.Function):
        return _of_torch(f, args, torch)
    if jax is not None and isinstance(f, jax.custom_vjp) and not paired:
        return _of_jax(f, args, jax)
    if not paired:
        raise TypeError(
            "check_vjp(f, vjp, *args) needs a vjp, unless f is a torch.autograd.Function or a jax.custom_vjp"
        )
    return f, args[0], args[1:]


class Constant:
    """An argument of a PyTorch function that is not checked."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def of(self, dtype: Any) -> Any:
        """Return it in the precision of the others."""
        return self.value.to(dtype) if is_float(self.value) and not isinstance(self.value, float) else self.value


def _of_torch(f: Any, args: tuple[Any, ...], torch: Any) -> Door:
    """Check what torch would: the tensors that require a gradient, or all float tensors where none does."""
    flat = leaves(args)
    wanted = [getattr(x, "requires_grad", False) for x in flat]
    picked = wanted if any(wanted) else [is_float(x) and not isinstance(x, float) for x in flat]

    def call(args: Any, wanted: bool) -> tuple[Any, list[Any]]:
        flat = [x if isinstance(x, Constant) else torch.tensor(x, requires_grad=wanted) for x in leaves(args)]
        xs = [x for x in flat if not isinstance(x, Constant)]
        every = [x.of(xs[0].dtype) if isinstance(x, Constant) else x for x in flat]
        return f.apply(*rebuild(args, every)), xs

    def forward(*args: Any) -> Any:
        with torch.no_grad():
            y, _ = call(args, False)
        return rebuild(y, list(map(as_numpy, leaves(y))))

    def back(g: Any, *args: Any) -> Any:
        with torch.enable_grad():
            y, xs = call(args, True)
            weights = [torch.tensor(w) for w in leaves(g)]
            parts = torch.autograd.grad(leaves(y), xs, weights, allow_unused=True)
        found = iter([np.zeros(x.shape) if part is None else as_numpy(part) for x, part in zip(xs, parts, strict=True)])
        return rebuild(args, [None if isinstance(x, Constant) else next(found) for x in leaves(args)])

    with_context = f.setup_context is torch.autograd.Function.setup_context
    named = partial(f.forward, None) if with_context else f.forward  # whose arguments have the names
    held = [as_numpy(x) if pick else Constant(x) for x, pick in zip(flat, picked, strict=True)]
    return update_wrapper(forward, named), back, rebuild(args, held)


def _of_jax(f: Any, args: tuple[Any, ...], jax: Any) -> Door:
    """Run in float64, which JAX allows only under `enable_x64`: in float32 round-off would hide most of a derivative."""
    x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    smooth = [k for k, x in enumerate(args) if any(map(is_float, leaves(x)))]

    def arrays(tree: Any) -> Any:
        return rebuild(tree, list(map(np.asarray, leaves(tree))))

    def forward(*args: Any) -> Any:
        with x64(True):
            return arrays(f(*args))

    def back(g: Any, *args: Any) -> Any:
        of_smooth = lambda *xs: f(*[dict(zip(smooth, xs, strict=True)).get(k, x) for k, x in enumerate(args)])
        with x64(True):
            found = jax.vjp(of_smooth, *[args[k] for k in smooth])[1](g)
            parts = dict(zip(smooth, map(arrays, found), strict=True))
        return tuple(parts.get(k) for k in range(len(args)))

    return update_wrapper(forward, f), back, args
