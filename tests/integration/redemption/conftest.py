from __future__ import annotations

from tests.integration.ledger.conftest import postgres_url

__all__ = ["postgres_url"]
