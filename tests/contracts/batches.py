"""Batches of one grant, as tests of issuance, funding and revocation make them."""

from __future__ import annotations

from typing import Any

from city import (
    NOW,
    VOLUNTEER,
    Batch,
    City,
)
from reference import pack_grants, token_id

LOT = token_id(VOLUNTEER, NOW)
ROOT = b"\x0e" * 32
UNUSED, VOID = b"\0" * 32, b"\0" * 31 + b"\1"
FIELDS = ("programme", "quarter", "number", "root", "grants")


def batch_of(city: City, **changes: Any) -> Batch:
    """Return a batch of one grant of 500 to ana, but for the changes."""
    given = dict(zip(FIELDS, (VOLUNTEER, NOW, 1, ROOT, pack_grants([(city.ana.address, 500)])), strict=True))
    return tuple((given | changes).values())  # type: ignore[return-value]


def send(city: City, batch: Batch, signature: bytes) -> Any:
    return city.ledger.mint(batch, signature, city.by_operator)


def sign_and_send(city: City, **changes: Any) -> Any:
    """Land a batch under the key of programme 1's issuer."""
    batch = batch_of(city, **changes)
    return send(city, batch, city.sign_batch(batch, city.issuer[VOLUNTEER]))


def word_of(city: City, number: int, programme: int = VOLUNTEER) -> bytes:
    return bytes(city.ledger.batchWord(programme, number))


def supply_of(city: City, programme: int) -> int:
    return int(city.ledger.programme(programme)[6])


def funding_of(city: City, programme: int) -> int:
    """Return what is available beyond what was paid and is owed, in fen."""
    return int(city.book.fundingOf(programme)[0])
