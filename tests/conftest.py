"""What every test shares: Hypothesis profiles that forgive a slow machine and print how to repeat a failure."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A shared machine can be slow at any moment: a slow example is no failure, a wrong one is.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("default"), print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
