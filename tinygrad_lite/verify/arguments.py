"""The float arrays among the arguments and results of a function that is checked.  Imports `tensor`, `tree`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
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
