"""How a run shows where it stands: a bar on a terminal, ten lines elsewhere.  Loads rich when there is a terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import Any, Self

REFRESH = 0.2  # seconds between two pictures of the bar: drawing one takes about a millisecond


class Display:
    """A `report` for `train`: a bar on stderr, or else stdout, where that is a terminal; lines where stdout is none.

    >>> with Display() as report:
    ...     report(1, 2, 0.5, 0.9)  # doctest: +ELLIPSIS
    step 1/2  loss 0.5000  accuracy 0.9000
    """

    def __init__(self) -> None:
        stream = next((s for s in (sys.stderr, sys.stdout) if s is not None and s.isatty()), None)
        self.lines = sys.stdout is not None and not sys.stdout.isatty()
        self.bar: Any = None
        if stream is not None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
            self.bar = Progress(
                *columns,
                console=Console(file=stream),
                auto_refresh=False,
                redirect_stdout=not self.lines,  # lines go where stdout goes, not where the bar is
            )
        self.began: tuple[float, int] | None = None
        self.shown = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            with suppress(OSError):
                self.bar.stop()

    def __call__(self, step: int, total: int, loss: float, accuracy: float | None) -> None:
        """Show the step; called after every step, it draws only now and then."""
        now = perf_counter()
        first = self.began is None
        if self.began is None:
            self.began = now, step
            if self.bar is not None:
                self.task = self.bar.add_task("", total=total)
                self.bar.start()
        if self.lines and (first or step == total or step * 10 // total != (step - 1) * 10 // total):
            figures = self._figures(now, step, total, loss, accuracy)
            try:
                print(f"step {step}/{total}  {figures}", flush=True)
            except OSError:  # whoever read the lines is gone (`| head`); the run goes on
                self.lines = False
        if self.bar is not None and (now - self.shown > REFRESH or step == total):
            self.shown = now
            figures = self._figures(now, step, total, loss, accuracy)
            try:
                self.bar.update(self.task, completed=step, description=figures, refresh=True)
            except OSError:  # the terminal is gone
                self.bar = None

    def _figures(self, now: float, step: int, total: int, loss: float, accuracy: float | None) -> str:
        assert self.began is not None
        text = f"loss {loss:.4f}" + ("" if accuracy is None else f"  accuracy {accuracy:.4f}")
        seconds, steps = now - self.began[0], step - self.began[1]
        if not (steps and seconds):
            return text
        speed = steps / seconds
        left = round((total - step) / speed)
        return f"{text}  {speed:,.{0 if speed >= 10 else 1}f} steps/s  {left // 60}:{left % 60:02} left"
