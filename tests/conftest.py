"""What every test shares: Hypothesis profiles that forgive a slow machine and print how to repeat a failure, and a
collector that does not look through what was imported again and again."""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, settings

# A shared machine can be slow at any moment: a slow example is no failure, a wrong one is.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("default"), print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_collection_finish() -> None:
    """Leave what was imported to itself: looking for garbage in it took a tenth of the tests' time."""
    gc.collect()
    gc.freeze()
