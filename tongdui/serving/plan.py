"""What the parent tells an API process, and what it hears back: one line of JSON each way. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from tongdui.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """How an API process is to be."""

    settings: dict[str, Any]
    port: int
    listening: int | None
    """The descriptor of a socket that all listen on; None: each opens one of its own on the same port."""
    limit: int
    """The descriptor of the memory in which requests are counted."""
    workers: str | None
    """Where the process with the workers is asked how they fare."""

    def line(self) -> str:
        """Return it as a line. Warning: it has the database's password; it goes through a pipe and nowhere else."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: str) -> Plan:
        """Return the plan of a line."""
        return cls(**json.loads(line))


def settings_of(settings: Settings, chain: str | None) -> dict[str, Any]:
    """Return the settings of an API process, its secret in the clear. ``chain``: where it reads the embedded chain."""
    found: dict[str, Any] = settings.model_dump(mode="json")
    if settings.database_url is not None:
        found["database_url"] = settings.database_url.get_secret_value()
    if chain is not None:
        found |= {"rpc_url": chain, "finality": "latest"}
    return found | {"workers": False, "processes": 1}


def ready_line() -> str:
    """Return what a process says that listens."""
    return json.dumps({"ready": True}) + "\n"


def failed_line(error: BaseException) -> str:
    """Return what a process says that cannot start."""
    return json.dumps({"ready": False, "error": str(error) or type(error).__name__}) + "\n"


def failure_in(line: str) -> str | None:
    """Return why a process could not start, or None if its line says that it is ready."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        return "it said nothing"
    return None if said.get("ready") else str(said.get("error"))
