"""What ops do besides computing: whether history is recorded, and how that is switched."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextvars import ContextVar
from enum import Enum
from functools import wraps
from typing import Any, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")


class Mode(Enum):
    """What an op does besides computing."""

    ARRAYS = "plain arrays in, plain arrays out: the backward pass runs its rules in this mode"
    OFF = "nothing is recorded"
    GRADIENTS = "what a gradient needs is recorded"
    EVERYTHING = "every op and every value is recorded, for pictures and equations"


ARRAYS, OFF, GRADIENTS, EVERYTHING = Mode
current: ContextVar[Mode] = ContextVar("tinygrad_lite_mode", default=GRADIENTS)
_before: ContextVar[tuple[Mode, ...]] = ContextVar("tinygrad_lite_modes_before", default=())


class recording:  # noqa: N801 -- used like a function
    """Switch recording inside a `with` block, or in a function under it; threads do not disturb each other.

    `no_grad` is the one that records nothing.

    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    >>> @no_grad()
    ... def double(x):
    ...     return x * 2
    >>> double(x).requires_grad
    False
    """

    __slots__ = ("mode",)

    def __init__(self, mode: Mode) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        _before.set((*_before.get(), current.get()))
        current.set(self.mode)

    def __exit__(self, *error: object) -> None:
        *outer, mode = _before.get()
        _before.set(tuple(outer))
        current.set(mode)

    @overload
    def __call__(self) -> recording: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]: ...
    def __call__(self, function: Any = None) -> Any:
        """Return the switch itself, for `with no_grad():`, or a function that runs under it.

        Raises TypeError for an `async` function, which runs when it is awaited and not when it is called.
        """
        if function is None:
            return self
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__name__} is async; write `with no_grad():` inside it")
        if inspect.isgeneratorfunction(function):
            return wraps(function)(lambda *args, **kwargs: self._stepped(function(*args, **kwargs)))

        @wraps(function)
        def switched(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return switched

    def _stepped(self, steps: Generator[Any, Any, R]) -> Generator[Any, Any, R]:
        """Run a generator, whose body runs between its yields, under the switch."""
        sent = None
        while True:
            with self:
                try:
                    value = steps.send(sent)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
            sent = yield value


no_grad = recording(OFF)


def is_recording() -> bool:
    """Whether ops record history at the moment."""
    return current.get() in (GRADIENTS, EVERYTHING)


def mode() -> Mode:
    """What ops do at the moment besides computing."""
    return current.get()
