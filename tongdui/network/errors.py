"""What can be wrong with a network."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import ConfigurationError, Unavailable


class BadNetwork(ConfigurationError):
    """A network's description, or what was asked of it, does not fit together."""


class NodeProgramMissing(ConfigurationError):
    """No program was found that runs this engine."""

    def __init__(self, looked_at: list[Path]) -> None:
        self.looked_at = looked_at
        places = ", ".join(str(path) for path in looked_at)
        super().__init__(f"no geth at {places}; run `make engine`, or set TONGDUI_GETH to a geth 1.13.x")


class NetworkNotUp(Unavailable):
    """A node ended, or did not answer in time."""

    def __init__(self, node: str, reason: str, log_tail: str = "") -> None:
        self.node = node
        self.reason = reason
        super().__init__(f"node {node}: {reason}" + (f"; its log ends: {log_tail}" if log_tail else ""))
