"""Test-wide settings: the hypothesis profiles and the way to the model files."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The 200 ms deadline measures the machine, not the code: off everywhere.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
