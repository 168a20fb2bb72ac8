"""Sequential: modules one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, overload

from .module import Module


class Sequential(Module):
    """Modules, each applied to what the one before returned; they are called 0, 1, 2 … or by the keys of a dict.

    >>> net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> net(np.ones((2, 3))).shape
    (2, 1)
    >>> net[0]
    Linear(in_features=3, out_features=4, bias=True)
    >>> len(nn.Sequential({"map": nn.Linear(3, 4), "squash": nn.Tanh()}))
    2
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        named: Mapping[str, Any] = {str(i): module for i, module in enumerate(modules)}
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0]
        for name, module in named.items():
            if not isinstance(module, Module):
                raise TypeError(
                    f"Sequential takes modules, not {module!r}; an activation is a module too, such as nn.ReLU()"
                )
            if not isinstance(name, str) or not name or "." in name or hasattr(Module, name):
                raise ValueError(f"{name!r} cannot be the name of a module; choose another without a dot")
            setattr(self, name, module)

    def forward(self, x: Any) -> Any:
        """Apply the modules in order."""
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (part for part in vars(self).values() if isinstance(part, Module))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...

    def __getitem__(self, index: int | slice) -> Module | Sequential:
        """Return the module at a position, or a Sequential of a part, which keeps the names and shares the modules."""
        named = [(name, part) for name, part in vars(self).items() if isinstance(part, Module)]
        if not isinstance(index, slice):
            return named[index][1]
        part = Sequential()
        vars(part).update(named[index])  # not by assignment, which would name the parameters anew
        return part
