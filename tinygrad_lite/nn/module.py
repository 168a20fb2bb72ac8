"""Module, Parameter and Buffer: the tree of modules and its named state."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..messages import argument_explained, no_attribute
from ..tensor import Tensor, as_array, describe, leaf_node, shape_text
from .state import read_state, write_state
from .summary import table


class Parameter(Tensor):
    """A tensor that training changes: a leaf that requires a gradient.  A module names it after its attribute.

    With `p.requires_grad = False` it is frozen: no gradient flows to it, and it is none of an optimiser's parameters.
    """

    __slots__ = ()

    def __init__(self, data: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(data, requires_grad=True, name=name, dtype=dtype)

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to this parameter; graphs that were recorded before it is changed stay as they are."""
        return super().requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if bool(wanted) == self.requires_grad:
            return
        before = self._node
        assert before is not None
        self._node = before.twin or leaf_node(self, bool(wanted), before.name)
        self._node.name, self._node.twin, before.twin = before.name, before, None  # no circle


class Buffer(Tensor):
    """A tensor that belongs to the state of a module but gets no gradient, such as a running mean; of any dtype.

    >>> Buffer(np.zeros(2, np.float32), name="running_mean")
    Tensor([0., 0.], dtype=float32, name='running_mean')
    """

    __slots__ = ()

    def __init__(self, data: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(data, requires_grad=False, name=name, dtype=dtype)


class Module:
    """The base class of models.

    Parameters, buffers and modules assigned to attributes are found, also in lists and dicts, in the order of assignment,
    and named after the way to them (`W1`, `encoder.W`, `layers.0.b`).  Calling the module calls `forward`.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.a = Parameter([2.0])
    ...     def forward(self, x):
    ...         return self.a * x
    >>> net = Line()
    >>> net(3.0)
    Tensor([6.], dtype=float32, op=mul)
    >>> dict(net.named_parameters())
    {'a': Tensor([2.], dtype=float32, requires_grad=True, name='a')}

    An attribute cannot bear the name of a method of Module, such as `train` or `parameters`: AttributeError.
    """

    training: bool = True

    if not TYPE_CHECKING:  # or a checker would believe in every name

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if callable(vars(Module).get(name)):
            raise AttributeError(
                f"{name} is a method of every module; give the attribute of {type(self).__name__} "
                f"another name, such as {name}_"
            )
        old = self.__dict__.get(name)
        if isinstance(old, _STATE) and not isinstance(value, type(old)):
            raise TypeError(
                f"{describe(old)} is a {type(old).__name__.lower()} and cannot be replaced by {describe(value)}; "
                f"change its value with self.{name}.assign(array)"
            )
        object.__setattr__(self, name, value)
        if isinstance(value, _HOLDERS):
            self._name_state(name, again=isinstance(old, _HOLDERS))

    def _name_state(self, name: str, again: bool) -> None:
        """Name the parameters and buffers of attribute `name`, or all again; one that has a name in this module keeps it.

        Lists and dicts are always looked through: they may have grown since they were assigned.
        """
        parts = vars(self)
        if not again:
            parts = {key: part for key, part in parts.items() if key == name or isinstance(part, list | dict)}
        for full, part in _walk(parts):
            if isinstance(part, _STATE) and (again or _at(self, part.name) is not part):
                part.name = full

    def forward(self, *inputs: Any) -> Any:  # noqa: ARG002
        """Compute the output; a model defines this."""
        raise TypeError(f"{type(self).__name__} defines no forward(self, ...); write one, or call another method")

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:  # noqa: D102
        return self.forward(*inputs, **kwargs)

    # --- what it consists of ----------------------------------------------------------------------------------------

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (name, parameter), each parameter once, in the order of assignment.

        Those of inner modules, lists and dicts are named by the way to them: `encoder.W`, `layers.0.b`.
        """
        return ((name, part) for name, part in _walk(self) if isinstance(part, Parameter))

    def parameters(self) -> list[Parameter]:
        """Return the parameters, each once, in the order of assignment."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Yield (name, buffer), as `named_parameters` does."""
        return ((name, part) for name, part in _walk(self) if isinstance(part, Buffer))

    def buffers(self) -> list[Buffer]:
        """Return the buffers, each once, in the order of assignment."""
        return [buffer for _, buffer in self.named_buffers()]

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module), each module once: this one, under the name "", and all inner ones."""
        return ((name, part) for name, part in _walk(self) if isinstance(part, Module))

    def modules(self) -> list[Module]:
        """Return this module and all inner ones, each once."""
        return [module for _, module in self.named_modules()]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for the modules that this one holds itself, also in lists and dicts."""
        return ((name, part) for name, part in _walk(vars(self), enter=False) if isinstance(part, Module))

    def children(self) -> list[Module]:
        """Return the modules that this one holds itself, also in lists and dicts."""
        return [module for _, module in self.named_children()]

    # --- what is done with all of it --------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set `training`, which dropout and batch normalisation read, here and in all inner modules; return this one."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """End training mode: dropout keeps everything, batch normalisation uses its running statistics."""
        return self.train(False)

    @argument_explained
    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    # --- its state --------------------------------------------------------------------------------------------------

    def _named_state(self) -> dict[str, Parameter | Buffer]:
        found: dict[str, Parameter | Buffer] = {}
        for name, part in _walk(self):
            if not isinstance(part, _STATE):
                continue
            if name in found:
                raise ValueError(
                    f"two parameters or buffers of {type(self).__name__} are called {name}; name the keys of a dict so "
                    "that they differ as text, and without dots"
                )
            found[name] = part
        return found

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return a copy of the value of every parameter and buffer, by name.

        Raises ValueError where two have the same one: `{"a": {"b": …}, "a.b": …}`.
        """
        return {name: part.numpy().copy() for name, part in self._named_state().items()}

    @argument_explained
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Assign saved values to the parameters and buffers; nothing is changed unless every name and shape fits.

        A vector (n,) fits a column (n, 1): the bias of a layer whose columns are samples.
        Raises ValueError that lists the missing, unexpected and misshapen names.
        """
        own = self._named_state()
        values = {
            name: as_array(value, meets=own[name].dtype if name in own else None) for name, value in state.items()
        }
        for name, value in values.items():
            if name in own and own[name].shape == (*value.shape, 1) and value.ndim == 1:
                values[name] = value.reshape(-1, 1)
        wrong = [f"{name} is missing" for name in own if name not in values]
        wrong += [f"{name} is unexpected" for name in values if name not in own]
        for name, value in values.items():
            if name in own and value.shape != own[name].shape:
                wrong.append(f"{name} has shape {value.shape}, expected {own[name].shape}")
            elif name in own and not np.can_cast(value.dtype, own[name].dtype, "same_kind"):
                wrong.append(f"{name} has dtype {value.dtype}, expected {own[name].dtype}")
        if wrong:
            raise ValueError(f"the state does not fit {type(self).__name__}: {'; '.join(wrong)}")
        for name, part in own.items():
            part.assign(values[name])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a safetensors file, which PyTorch and others read; the file is whole or not there.

        Raises ValueError for a name that promises another format, such as net.npz.

        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> net.save("net.safetensors")
        >>> net.load("net.safetensors")
        """
        path = Path(path)
        if path.suffix.lower() in _OTHER_FORMATS:
            raise ValueError(
                f"{path}: the state is saved as safetensors; name it {path.with_suffix('.safetensors').name}, or write "
                "the arrays of state_dict() yourself"
            )
        write_state(path, self.state_dict())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read the state from a safetensors file: of `save`, of a PyTorch state dict, or of a training run.

        Raises FileNotFoundError, and ValueError where the file is damaged or does not fit; nothing is changed then.
        """
        own = self._named_state()
        arrays, _ = read_state(Path(path))
        # Names with a slash are none of a module's: a run keeps the state of its optimiser under such.
        state = {name: array for name, array in arrays.items() if name in own or "/" not in name}
        try:
            self.load_state_dict(state)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from None

    # --- how it is shown --------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return what stands between the brackets of a module in print, such as its sizes; a layer defines this."""
        return ""

    @recursive_repr("...")
    def __repr__(self) -> str:
        inner = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self.named_children()]
        lines = [*filter(None, [self.extra_repr()]), *inner]
        body = "\n  ".join(["", *lines]) + "\n" if inner else "".join(lines)
        return f"{type(self).__name__}({body})"

    def summary(self) -> str:
        """Return a table of the modules, parameters and buffers: name, kind, shape and number of elements.

        >>> print(nn.Sequential(nn.Linear(784, 10), nn.BatchNorm1d(10)).summary())
        name                    kind           shape   elements
        ───────────────────────────────────────────────────────
                                Sequential                7,891
        0                       Linear                    7,850
        0.weight                parameter     10×784      7,840
        0.bias                  parameter      (10,)         10
        1                       BatchNorm1d                  41
        1.weight                parameter      (10,)         10
        1.bias                  parameter      (10,)         10
        1.running_mean          buffer         (10,)         10
        1.running_var           buffer         (10,)         10
        1.num_batches_tracked   buffer        scalar          1
        ───────────────────────────────────────────────────────
        trainable                                         7,870
        not trainable                                        21
        """
        rows = []
        for name, part in _walk(self):
            if isinstance(part, Module):
                rows.append((name, type(part).__name__, "", sum(p.size for p in part._named_state().values())))
            elif isinstance(part, _STATE):
                rows.append((name, type(part).__name__.lower(), shape_text(part.shape), part.size))
        sizes = [0, 0]
        for part in self._named_state().values():
            sizes[part.requires_grad] += part.size
        return table(rows, {"trainable": sizes[True], "not trainable": sizes[False]})


_OTHER_FORMATS = {".npz", ".npy", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".onnx"}
_STATE = (Parameter, Buffer)
_HOLDERS = (Parameter, Buffer, Module, list, tuple, dict)


def _parts(value: Any) -> dict[Any, Any]:
    """Return what a module, dict, list or tuple holds, by attribute, key or position."""
    if isinstance(value, Module):
        return vars(value)
    if isinstance(value, dict):
        return value
    return dict(enumerate(value)) if isinstance(value, list | tuple) else {}


def _walk(root: Any, enter: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield (name, part) for all that may hold state in `root`, each once, what holds before what is held.

    With `enter=False`, what inner modules hold is left out.
    """
    seen: set[int] = set()
    stack: list[tuple[str, Any]] = [("", root)]
    while stack:
        name, value = stack.pop()
        if not isinstance(value, _HOLDERS) or id(value) in seen:
            continue
        seen.add(id(value))
        yield name, value
        if enter or not isinstance(value, Module):
            stack += [(f"{name}.{key}" if name else str(key), part) for key, part in reversed(_parts(value).items())]


def _at(module: Module, name: str | None) -> Any:
    """Return what a module holds under a name such as `layers.0.b`, None where there is nothing."""
    part: Any = module
    for key in (name or "").split("."):
        part = _parts(part).get(int(key) if isinstance(part, list | tuple) and key.isdigit() else key)
    return part
