"""The issuers of an open city, with the keys that the embedded default keeps for them."""

from __future__ import annotations

from issuers.service import IssuerService
from ledger.custody.master import Envelope, load_master_key
from ledger_api.bootstrap import City

LEAVES = "evidence"
"""Folder of the state directory with the leaf files of landed batches; `tongdui audit --leaves` reads it."""


def issuer_service(city: City) -> IssuerService:
    """Return the issuers of a city. Raises ConfigurationError for a broken rulebook."""
    settings = city.settings
    master = load_master_key(settings.master_key_file or settings.state_dir / "master.key")
    return IssuerService(
        city.database,
        city.clock,
        city.registry,
        city.keyring,
        Envelope(master),
        city.gateway.outbox,
        city.deployment,
        {one.id: city.keystore.get_or_create(f"issuers/{one.slug}") for one in city.deployment.programmes},
        leaves_folder=settings.state_dir / LEAVES,
    )
