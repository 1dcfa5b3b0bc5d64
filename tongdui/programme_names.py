"""How programmes are called, from the deployment."""

from __future__ import annotations

from ledger.deployment.file import Deployment
from ledger_api.ports import ProgrammeName


def of(deployment: Deployment) -> dict[int, ProgrammeName]:
    """Return the names of a deployment's programmes, by number."""
    return {one.id: ProgrammeName(one.id, one.slug, one.names.zh, one.names.en) for one in deployment.programmes}
