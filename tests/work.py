"""work: how much a function does, counted rather than timed: the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def work(function: Callable[[], Any]) -> int:
    """Return the number of calls, of Python and of C functions, that a function makes.

    >>> work(lambda: [abs(i) for i in range(1000)]) >= 1000
    True
    """
    count = 0

    def counted(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
