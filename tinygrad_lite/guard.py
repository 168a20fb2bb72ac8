"""Guards around code that others wrote and that runs in this process: a limit of time, no way out, no questions.

They are against accidents, not against malice: whatever runs in a process can do all that the process can.
"""

from __future__ import annotations

import builtins
import faulthandler
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from types import FrameType
from typing import Any, NoReturn

from .modelfile import place_of

AGAIN, GRACE = 0.5, 4.0  # seconds: from one try to stop the code to the next, and until the process is ended
WRONG = 2  # the exit code then


class TimeUp(BaseException):
    """Code took longer than it may; the message says in which line it was."""


class _Running:
    """A piece of code that runs under a limit, in this thread."""

    def __init__(self, seconds: float, path: str) -> None:
        self.seconds, self.path = seconds, path
        self.thread = threading.get_ident()
        self.end = monotonic() + seconds + GRACE

    def said(self, frame: FrameType | None) -> str:
        """Say where the code is that does not end."""
        while frame is not None and frame.f_code.co_filename != self.path:
            frame = frame.f_back
        place = self.path if frame is None else place_of(self.path, frame.f_lineno)
        return f"{place}: has not ended after {self.seconds:g} s; a longer time is given with --timeout"


_running: _Running | None = None
_watch: threading.Thread | None = None


@contextmanager
def limited(seconds: float | None, path: str) -> Iterator[None]:
    """Raise TimeUp in the code of a file that takes longer; None is no limit.

    Where a timer's signal can be had (in the main thread, not on Windows) it is raised in the line that is being run, again
    and again.  Where that is of no use, the process is ended with the same sentence and the exit code 2; and where one call
    of a C function keeps even that from happening, with the stack of the calls and the exit code 1.
    """
    if seconds is None or _running is not None:
        yield
        return
    with _watched(_Running(seconds, path)) as running, _alarmed(running):
        yield


@contextmanager
def _watched(running: _Running) -> Iterator[_Running]:
    global _running, _watch
    if _watch is None:
        _watch = threading.Thread(target=_end_what_does_not, daemon=True)
        _watch.start()
    _running = running
    if sys.__stderr__ is not None:  # what ends the process then is no Python: it needs nobody to let it run
        faulthandler.dump_traceback_later(running.seconds + 2 * GRACE, exit=True, file=sys.__stderr__)
    try:
        yield running
    finally:
        _running = None
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def _alarmed(running: _Running) -> Iterator[None]:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    said = ""

    def stop(_number: int, frame: FrameType | None) -> NoReturn:
        nonlocal said
        said = said or running.said(frame)  # where it was the first time
        raise TimeUp(said)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, running.seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _end_what_does_not() -> None:
    """End the process where code under a limit goes on beyond its grace; in a thread of its own, as long as it lives."""
    while True:
        running = _running
        if running is not None and monotonic() > running.end:
            said = running.said(sys._current_frames().get(running.thread))
            os.write(2, f"error: {said}\n".encode(errors="replace"))
            _exit(WRONG)
        sleep(0.2)


_exit = os._exit


@contextmanager
def contained() -> Iterator[None]:
    """Make `os._exit` raise SystemExit, as `sys.exit` does, and `input` an error, as nobody is there to answer."""

    def end(status: int = 0) -> NoReturn:
        raise SystemExit(status)

    def ask(_prompt: Any = "") -> NoReturn:
        raise EOFError("it asks for input(), but nobody is there to answer; write the value into the file")

    before, asked, stdin = os._exit, builtins.input, sys.stdin
    os._exit, builtins.input, sys.stdin = end, ask, io.StringIO()
    try:
        yield
    finally:
        os._exit, builtins.input, sys.stdin = before, asked, stdin


__all__ = ["TimeUp", "contained", "limited"]
