"""Test-wide settings: the hypothesis profiles.

`ci`, the default, tries the same cases every time: whoever runs the tests sees what we saw.  To search for new ones:
`pytest --hypothesis-profile=dev`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The 200 ms deadline measures the machine, not the code: off everywhere.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci")
