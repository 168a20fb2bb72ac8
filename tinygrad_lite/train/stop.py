"""Ctrl-C and the signals that end a program stop a run between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from .record import say

STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
PATIENCE = 1.0  # seconds: a Ctrl-C sooner than this after the first is a nervous finger


class Interrupted(KeyboardInterrupt):
    """The run was stopped by Ctrl-C or by a signal, and saved if it has a folder; the message says after which step.

    `number` is the signal's.
    """

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.number = number


@contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """Have Ctrl-C, SIGTERM and SIGHUP put their numbers in the list instead of cutting a step in half.

    One more Ctrl-C, a second later, raises at once.  What was ignored before, as under nohup, is ignored still.
    """
    asked: list[int] = []
    since = 0.0

    def ask(number: int, _frame: object) -> None:
        nonlocal since
        if number == signal.SIGINT and asked and monotonic() - since > PATIENCE:
            raise KeyboardInterrupt
        if not asked:
            since = monotonic()
            say("stopping after this step; press Ctrl-C once more to stop without saving")
        asked.append(number)

    before = {number: signal.getsignal(number) for number in STOPS}
    ours = [number for number, handler in before.items() if handler not in (None, signal.SIG_IGN)]
    if threading.current_thread() is not threading.main_thread():  # no other may set handlers
        ours = []
    try:
        for number in ours:
            signal.signal(number, ask)
        yield asked
    finally:
        for number in ours:
            signal.signal(number, before[number])
