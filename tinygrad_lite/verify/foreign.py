"""Functions of PyTorch and JAX that bring their vjp along, as functions on NumPy arrays.  Imports `arguments`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

import numpy as np

from ..tree import leaves, rebuild
from .arguments import as_numpy, is_float

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
