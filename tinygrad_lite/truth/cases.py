"""Cases to try formulas on: symbolic shapes, the sizes drawn for them, and values from a seed.

A shape is written as in jaxtyping's annotations: `"hidden inputs"`, `"10 m"`, `""` for a scalar.  Sizes and one seed are
all that hypothesis has to draw and to shrink; the values follow from them.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, get_type_hints

import numpy as np

from ..nn import Module

Random: TypeAlias = np.random.Generator
Sizes: TypeAlias = Mapping[str, int]


class Spec(NamedTuple):
    """What an argument looks like: its axes, each a name or a number, and what its values are."""

    axes: tuple[str, ...]
    kind: str = "real"  # or "one_hot", "binary", "labels"
    axis: int | None = None  # of the classes
    classes: str = "2"  # how many there are, for labels

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """Return the shape at given sizes."""
        return tuple(int(axis) if axis.isdigit() else sizes[axis] for axis in self.axes)


def tensors(shape: str) -> Spec:
    """Return the spec of an array of real numbers: dense, nonzero, normally distributed.

    >>> tensors("hidden inputs").axes
    ('hidden', 'inputs')
    """
    return Spec(parse(shape))


def one_hot(shape: str, axis: int | None = None) -> Spec:
    """Return the spec of labels, 1 for the class and 0 elsewhere; `axis` is that of the classes.

    Where it is not given, it is the axis that the samples do not run along.

    >>> verify.one_hot("c m").kind
    'one_hot'
    """
    return Spec(parse(shape), "one_hot", axis)


def binary(shape: str) -> Spec:
    """Return the spec of labels that are 0 or 1, each for itself.

    >>> binary("1 m").kind
    'binary'
    """
    return Spec(parse(shape), "binary")


def labels(shape: str, classes: str) -> Spec:
    """Return the spec of integer labels, from 0 to the number of classes − 1, which is a size by name.

    >>> labels("m", classes="c").kind
    'labels'
    """
    return Spec(parse(shape), "labels", classes=classes)


def parse(shape: str) -> tuple[str, ...]:
    """Return the axes of a written shape.  Raises ValueError for what is neither a name nor a number."""
    axes = tuple(
        axis.removeprefix("#").rpartition("=")[2] for axis in shape.replace(",", " ").replace("×", " ").split()
    )
    for axis in axes:
        if not axis.isidentifier() and not axis.isdigit():
            raise ValueError(f'{axis!r} in the shape "{shape}" is neither a name nor a number; write "hidden inputs"')
    return axes


@dataclass(frozen=True, eq=False)
class Case:
    """One try: sizes by name, the seed and the scale of the values, their dtype, and what it is there for."""

    sizes: dict[str, int]
    seed: int = 0
    scale: float = 1.0
    dtype: Any = np.float64
    why: str = "drawn"
    values: Mapping[str, Any] = field(default_factory=dict)  # that stand in the place of drawn ones

    def __str__(self) -> str:
        sizes = " ".join(f"{name}={n}" for name, n in self.sizes.items())
        rest = f" seed={self.seed}" + (f" scale={self.scale:g}" if self.scale != 1 else "")
        return sizes + ("" if self.values else rest) + (" float32" if self.dtype == np.float32 else "")


@dataclass(frozen=True)
class Space:
    """All that cases are drawn from: the spec of each argument, and which sizes count the samples."""

    specs: dict[str, Spec]
    parameters: frozenset[str]  # the arguments that are differentiated with respect to in any case

    @property
    def names(self) -> list[str]:
        """The named sizes, in order of appearance."""
        return list(dict.fromkeys(a for s in self.specs.values() for a in (*s.axes, s.classes) if not a.isdigit()))

    @property
    def samples(self) -> list[str]:
        """The sizes that no parameter has: those of the samples."""
        own = {a for name in self.parameters for a in self.specs[name].axes}
        return [name for name in self.names if name not in own]

    @property
    def classes(self) -> set[str]:
        """The sizes that count classes."""
        found = {s.axes[self.class_axis(s)] for s in self.specs.values() if s.kind == "one_hot"}
        return found | {s.classes for s in self.specs.values() if s.kind == "labels"}

    def class_axis(self, spec: Spec) -> int:
        """Return the axis of the classes of one-hot labels: the one that the samples do not run along."""
        if spec.axis is not None:
            return spec.axis % len(spec.axes)
        return next((i for i, name in enumerate(spec.axes) if name not in self.samples), 0)

    def draw(self, case: Case) -> dict[str, Any]:
        """Return the arguments of a case."""
        found: dict[str, Any] = {}
        rng = np.random.default_rng(case.seed)
        for name, spec in self.specs.items():
            drawn = _values(rng, spec, case, self.class_axis(spec) if spec.kind == "one_hot" else 0)
            if case.why == "on a kink" and spec.kind == "real" and (name not in self.parameters or 1 in drawn.shape):
                drawn = np.zeros_like(drawn)  # data and biases: a layer gives exactly 0
            found[name] = np.array(case.values[name], drawn.dtype) if name in case.values else drawn
        return found

    def guaranteed(self) -> Iterator[Case]:
        """Yield the cases that every verification has: without one of these, some mistake could hide."""
        names, samples = self.names, self.samples
        ways = {name: [2, 3, 5, 7, 11][i % 5] + 11 * (i // 5) for i, name in enumerate(names)}
        turned = {name: [5, 2, 7, 3, 4][i % 5] + 11 * (i // 5) for i, name in enumerate(names)}
        square = dict.fromkeys(names, 3)
        yield Case(ways, 1, why="distinct sizes")
        yield Case(turned, 2, why="distinct sizes")
        yield Case({name: ways[names[-1 - i]] for i, name in enumerate(names)}, 3, why="distinct sizes")
        yield Case(square, 4, why="square")
        yield Case(square | dict.fromkeys(samples, 5), 5, why="square, other m")
        yield Case(ways | dict.fromkeys(samples, 1), 6, why="m = 1")
        ones = {name: 2 if name in self.classes else 1 for name in names}  # of one class there is nothing to learn
        yield Case(ones | dict.fromkeys(samples, 4), 7, why="m > 1")
        yield Case(ones, 8, why="sizes 1")
        yield Case(turned, 9, scale=30.0, why="large values")
        yield Case(turned, 13, scale=1e3, why="large values")
        yield Case(ways, 10, scale=1e-3, why="small values")
        yield Case(turned, 11, dtype=np.float32, why="float32")
        yield Case(turned, 12, why="on a kink")

    def strategy(self, plain: bool = False) -> Any:
        """Return a hypothesis strategy of cases; plain ones are float64 and of scale 1, as a person would choose them."""
        from hypothesis import strategies as st

        least = {name: 2 if name in self.classes else 1 for name in self.names}
        sizes = st.fixed_dictionaries({name: st.integers(least[name], 6) for name in self.names})
        if plain:
            return st.builds(Case, sizes, st.integers(0, 10**6))
        scales = st.sampled_from([1.0, 1.0, 1.0, 0.1, 10.0])
        dtypes = st.sampled_from([np.float64, np.float64, np.float64, np.float32])
        return st.builds(Case, sizes, st.integers(0, 10**6), scales, dtypes)


def _values(rng: Random, spec: Spec, case: Case, axis: int) -> Any:
    shape = spec.shape(case.sizes)
    if spec.kind == "real":
        return np.asarray(case.scale * rng.standard_normal(shape), case.dtype)
    if spec.kind == "binary":
        return np.asarray(rng.integers(0, 2, shape), case.dtype)
    if spec.kind == "labels":
        return rng.integers(0, int(spec.classes) if spec.classes.isdigit() else case.sizes[spec.classes], shape)
    classes = shape[axis]
    labels = rng.integers(0, classes, shape[:axis] + shape[axis + 1 :])
    return np.moveaxis(np.eye(classes, dtype=case.dtype)[labels], -1, axis)


@contextmanager
def no_folder() -> Iterator[None]:
    """Let Hypothesis write no .hypothesis/ into the current folder, where it would keep the constants of modules."""
    from hypothesis import configuration

    before = getattr(configuration, "__hypothesis_home_directory", None)
    configuration.set_hypothesis_home_dir(os.devnull)  # no folder can be made there, and Hypothesis goes on without
    try:
        yield
    finally:
        configuration.set_hypothesis_home_dir(before)


# --- where shapes come from -------------------------------------------------------------------------------------------


def space_of(loss: Callable[..., Any], module: Module | None, arguments: list[str], shapes: Mapping[str, Any]) -> Space:
    """Return the space of the arguments of a backward function: from `shapes`, else from the annotations.

    Raises ValueError for an argument whose shape is told nowhere, with what to write.
    """
    specs: dict[str, Spec] = {}
    hints = _hints(loss)
    fields = _hints(type(module)) if module is not None else {}
    own = {name.replace(".", "_"): p for name, p in module.named_parameters()} if module is not None else {}
    for name in dict.fromkeys([*arguments, *inspect.signature(loss).parameters, *own]):
        given = shapes.get(name, hints.get(name, fields.get(name)))
        if isinstance(given, Spec):
            specs[name] = given
        elif isinstance(given, str):
            specs[name] = tensors(given)
        elif hasattr(given, "dim_str"):
            specs[name] = Spec(parse(given.dim_str), _kind_of(given))
        elif name in own:
            specs[name] = Spec(tuple(str(n) for n in own[name].shape))
        elif name in arguments and _default(loss, name) is None:
            raise ValueError(
                f'the shape of {name} is told nowhere: give shapes={{"{name}": "hidden inputs", …}}, or annotate it, '
                f'{name}: Float[Tensor, "hidden inputs"]'
            )
    unknown = sorted(set(shapes) - set(specs))
    if unknown:
        raise ValueError(f"shapes names {', '.join(unknown)}, but the arguments are {', '.join(specs)}")
    parameters = (
        frozenset(own) if own else frozenset(n for n, s in specs.items() if s.kind == "real" and not DATA.fullmatch(n))
    )
    return Space(specs, _without_data(specs, parameters & set(specs)) if not own else parameters & set(specs))


def _without_data(specs: Mapping[str, Spec], parameters: frozenset[str]) -> frozenset[str]:
    """Return the parameters without those that have an entry for each sample, as a mask or the state of a network has."""
    data = [
        set(s.axes)
        for name, s in specs.items()
        if (name not in parameters and s.kind != "real") or DATA.fullmatch(name)
    ]
    own = {axis for name in parameters for axis in specs[name].axes}
    shared = set.intersection(*data) if data else set()
    if not shared or not all(axis in own for axis in shared):
        return parameters  # there is an axis that only the data have: that of the samples
    left = [frozenset(n for n in parameters if axis not in specs[n].axes) for axis in sorted(shared)]
    return max(left, key=len) or parameters


DATA = re.compile(r"[XxYyTt]_?\d*|inputs?|labels?|targets?")  # by convention no parameters


def _hints(where: Any) -> dict[str, Any]:
    try:
        return get_type_hints(where, include_extras=True)
    except (NameError, TypeError):
        return {}


def _kind_of(hint: Any) -> str:
    return "real" if any(str(dtype).startswith("float") for dtype in hint.dtypes) else "integers"


def _default(loss: Callable[..., Any], name: str) -> Any:
    parameter = inspect.signature(loss).parameters.get(name)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


__all__ = ["Case", "Space", "Spec", "binary", "labels", "no_folder", "one_hot", "parse", "space_of", "tensors"]
