"""A plugin for pytest: functions under `@verifies(loss)` are tests, and the summary says what was found of them.

It is loaded whenever pytest starts, so it imports nothing of the checks until there is something to check.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

MARK = "__verifies__"  # set by tinygrad_lite.verify.verifies


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the number of cases."""
    group = parser.getgroup("tinygrad_lite")
    group.addoption(
        "--gradcheck-examples", type=int, default=None, metavar="N", help="cases for each function under @verifies"
    )


def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> Any:
    """Make a test of a function under `@verifies`, whatever its name."""
    if callable(obj) and hasattr(obj, MARK) and not isinstance(obj, type):
        return VerifyItem.from_parent(collector, name=name, function=obj)
    return None


class VerifyItem(pytest.Item):
    """One handwritten backward pass."""

    def __init__(self, *, function: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def runtest(self) -> None:
        """Check its formulas."""
        from .verify import verify

        loss, shapes, examples = getattr(self.function, MARK)
        examples = self.config.getoption("gradcheck_examples") or examples
        report = verify(self.function, loss, shapes, examples=examples, raises=False)
        self.user_properties.append((MARK, report.summary))
        report.raise_if_wrong()

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Show the report instead of a traceback."""
        from .verify import GradientMismatch

        if isinstance(excinfo.value, GradientMismatch):
            return str(excinfo.value).strip("\n")
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> Any:
        """Say where the function stands."""
        code = self.function.__code__
        return code.co_filename, code.co_firstlineno - 1, f"@verifies {self.name}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line for each function that was checked."""
    lines = [f"{report.nodeid}: {text}" for report in _reports(terminalreporter) for text in _texts(report)]
    if lines:
        terminalreporter.section("handwritten gradients")
        for line in lines:
            terminalreporter.line(line)


def _reports(terminalreporter: Any) -> Iterable[Any]:
    for outcome in ("passed", "failed"):
        yield from terminalreporter.stats.get(outcome, [])


def _texts(report: Any) -> list[str]:
    return [text for key, text in getattr(report, "user_properties", []) if key == MARK]
