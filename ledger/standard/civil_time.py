"""The city's civil time: UTC+8 without daylight saving, as the contracts count. Civil days are days since 1970-01-01.

Source of the offset: contracts/ledger/QuarterTime.sol, compared by a test.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

HOUR_S = 3_600
DAY_S = 86_400
CITY_OFFSET_S = 8 * HOUR_S

CITY_TZ = timezone(timedelta(seconds=CITY_OFFSET_S), "UTC+8")
"""The city's civil time."""


def civil_day(timestamp: int) -> int:
    """Return the civil day that contains a Unix time in seconds."""
    return (timestamp + CITY_OFFSET_S) // DAY_S


def day_start(day: int) -> int:
    """Return the Unix time in seconds at which a civil day begins."""
    return day * DAY_S - CITY_OFFSET_S


def month_start(timestamp: int) -> int:
    """Return the Unix time in seconds at which the civil month of a Unix time begins."""
    day = civil_day(timestamp)
    return day_start(day - civil_date(day).day + 1)


@lru_cache(maxsize=8192)
def civil_date(day: int) -> date:
    """Return a civil day as a date."""
    return datetime.fromtimestamp(day * DAY_S, UTC).date()


@lru_cache(maxsize=8192)
def day_text(day: int) -> str:
    """Return a civil day as YYYY-MM-DD."""
    return civil_date(day).isoformat()


@lru_cache(maxsize=65_536)
def moment_text(timestamp: int) -> str:
    """Return a Unix time in seconds as RFC 3339 in the city's time."""
    return datetime.fromtimestamp(timestamp, CITY_TZ).isoformat()


def city_moment(timestamp: int) -> datetime:
    """Return a Unix time in seconds as an aware datetime in the city's time."""
    return datetime.fromtimestamp(timestamp, CITY_TZ)
