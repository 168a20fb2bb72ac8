"""Test-wide settings: the hypothesis profiles, and the signals.

`ci`, the default, tries the same cases every time: whoever runs the tests sees what we saw.  To search for new ones:
`pytest --hypothesis-profile=dev`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# The 200 ms deadline measures the machine, not the code: off everywhere.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci")


@pytest.fixture(autouse=True)
def signals_as_in_the_foreground() -> Iterator[None]:
    """`nohup pytest … &` ignores signals, and every child inherits that: a test has those of a program in the foreground."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL, signal.SIGTERM: signal.SIG_DFL}
    ignored = [number for number in usual if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, usual[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
