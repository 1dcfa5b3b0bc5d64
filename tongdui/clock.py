"""The time of an installation: the machine's, or for the demo's city a simulated one that runs on from its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from ledger.clock import Clock, SystemClock
from ledger.errors import ConfigurationError

FILE_NAME = "clock.json"


class ShiftedClock:
    """The machine's clock, moved by a fixed number of seconds."""

    def __init__(self, offset_s: int, base: Clock | None = None) -> None:
        self.offset_s = offset_s
        self._base = base or SystemClock()

    def now(self) -> datetime:
        """Return the simulated time, in UTC."""
        return self._base.now().astimezone(UTC) + timedelta(seconds=self.offset_s)

    def timestamp(self) -> int:
        """Return the simulated Unix time in whole seconds."""
        return self._base.timestamp() + self.offset_s


def clock_of(state_dir: Path) -> Clock:
    """Return the clock of a state directory: shifted if it says so. Raises ConfigurationError for a damaged file."""
    path = state_dir / FILE_NAME
    if not path.exists():
        return SystemClock()
    try:
        return ShiftedClock(int(orjson.loads(path.read_bytes())["offset_s"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} does not say by how many seconds its city's time differs: {error}") from error


def let_time_run(state_dir: Path, moment: datetime, base: Clock | None = None) -> None:
    """Let a city whose clock stood at ``moment`` live on from there; a city whose time runs already keeps it."""
    path = state_dir / FILE_NAME
    if not path.exists():
        offset = int(moment.timestamp()) - (base or SystemClock()).timestamp()
        draft = path.with_suffix(".draft")
        draft.write_bytes(orjson.dumps({"offset_s": offset}))
        draft.replace(path)
