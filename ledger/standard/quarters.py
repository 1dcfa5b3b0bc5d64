"""Expiry quarters. Civil dates and quarter ends are the city's, UTC+8 without daylight saving, as the contracts count.

Source of the day count: Howard Hinnant's days_from_civil (https://howardhinnant.github.io/date_algorithms.html); the
contracts use the same, and Python's datetime ends at the year 9999, long before uint32 quarters do.
"""

from __future__ import annotations

from datetime import date

from ledger.standard.civil_time import civil_day, day_start
from ledger.standard.contract import GRACE_S
from ledger.standard.errors import OutOfRange
from ledger.standard.ids import Quarter, uint

NEVER = Quarter(0)
"""The quarter of lots that never expire; only programmes of par 0 may use it."""


def quarter_of(day: date) -> Quarter:
    """Return the quarter that contains a civil day of the city. Raises OutOfRange before the year 2000."""
    if day.year < 2000:
        raise OutOfRange("year", day.year, "2000 and later")
    return Quarter((day.year - 2000) * 4 + (day.month - 1) // 3 + 1)


def quarter_at(timestamp: int) -> Quarter:
    """Return the quarter that contains a Unix time in seconds. Raises OutOfRange before 2000 in the city."""
    year, month = _year_month(civil_day(timestamp))
    if year < 2000:
        raise OutOfRange("timestamp", timestamp, "the year 2000 in UTC+8 and later")
    return Quarter((year - 2000) * 4 + (month - 1) // 3 + 1)


def quarter_end_timestamp(quarter: int) -> int:
    """Return the Unix time in seconds of the first instant after the quarter. Raises OutOfRange for quarter 0."""
    if quarter == NEVER:
        raise OutOfRange("quarter", quarter, "1 and later: quarter 0 has no end")
    uint("quarter", quarter, 32)
    year, index = 2000 + quarter // 4, quarter % 4  # the next quarter begins where this one ends
    return day_start(_days_from_civil(year, index * 3 + 1))


def is_dead(quarter: int, timestamp: int) -> bool:
    """Return whether lots of ``quarter`` are dead at a block's Unix time; lots of quarter 0 never die.

    The promised day is the quarter's last; the ledger's clock runs `GRACE_S` late.
    """
    return quarter != NEVER and timestamp >= quarter_end_timestamp(quarter) + GRACE_S


def expiry_quarter(grant_date: date, validity_quarters: int) -> Quarter:
    """Return the quarter in which a grant of ``grant_date`` expires, ``validity_quarters`` after the current one.

    0 means the current quarter's end. Raises OutOfRange for a negative validity.
    """
    if validity_quarters < 0:
        raise OutOfRange("validity_quarters", validity_quarters, "0 and more")
    return Quarter(quarter_of(grant_date) + validity_quarters)


def _days_from_civil(year: int, month: int) -> int:
    """Days from 1970-01-01 to the first of a month in the proleptic Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _year_month(days: int) -> tuple[int, int]:
    """The inverse: (year, month) of a day counted from 1970-01-01."""
    days += 719_468
    era = days // 146_097
    day_of_era = days - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month
