"""Ctrl-C in the command, from the first line of ours that runs: one word and exit code 130, in the middle of imports too."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def is_command() -> bool:
    """Whether this process is the command: tinygrad-lite, or `python -m tinygrad_lite`.

    >>> is_command()
    False
    """
    first: str = getattr(sys, "argv", [""])[0]
    if first == "-m":  # so it stands there while the package loads
        return "tinygrad_lite" in sys.orig_argv
    return os.path.basename(first).startswith("tinygrad-lite")  # noqa: PTH119 -- pathlib is loaded later


def leave(_number: int, _frame: object) -> None:
    """End at once: an exception may be lost in the middle of an import, and nothing has been begun that must be ended."""
    os.write(2, b"interrupted\n")
    os._exit(130)


def watch() -> None:
    """Have Ctrl-C end the process, unless whoever started it has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


@contextmanager
def raising() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt inside the block, where a command may have something to end or to save."""
    watched = signal.getsignal(signal.SIGINT) is leave
    if watched:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if watched:
            signal.signal(signal.SIGINT, leave)
