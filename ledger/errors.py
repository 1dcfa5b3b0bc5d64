"""The root of every error that Tongdui raises on purpose.

Subclasses live beside the code that raises them, carry typed attributes and build their message in ``__init__``;
``ledger_api.http.problems`` is the only place that maps them to HTTP statuses.
"""

from __future__ import annotations


class TongduiError(Exception):
    """Base of all expected failures: what happened, where, and how to fix it."""


class InvariantViolation(TongduiError):
    """A rule that must always hold does not. The process stops rather than go on with a broken book."""


class Unavailable(TongduiError):
    """Something cannot be reached or is in use just now; the same call may succeed later. A base beside others."""


class ConfigurationError(TongduiError):
    """A setting, file or environment is missing or wrong; the message names it and says how to fix it."""
