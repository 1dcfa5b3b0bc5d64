"""Merchants as people know them. Their keys and scopes are the chain's; here are names and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.standard.ids import AccountBytes, MerchantId
from ledger.store.models.projection import ChainMerchantRow
from ledger.store.models.redemption import MerchantRow
from redemption.errors import MerchantSuspended, UnknownMerchant

ACTIVE = "active"
SUSPENDED = "suspended"
_NO_KEY = AccountBytes(bytes(20))
"""A merchant that was retired on the chain."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant's details. ``signer_name`` names its key in the keystore, None where it holds its own."""

    merchant_id: MerchantId
    name_zh: str
    name_en: str
    category: str
    address_zh: str = ""
    address_en: str = ""
    signer_name: str | None = None
    status: str = ACTIVE


class MerchantDirectory:
    """The only writer of the merchants' table."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def save(self, session: Session, merchant: Merchant) -> bool:
        """Create a merchant or change its details; return whether anything changed."""
        now = self._clock.timestamp()
        row = session.get(MerchantRow, merchant.merchant_id)
        if row is not None and _merchant(row) == merchant:
            return False
        if row is None:
            row = MerchantRow(merchant_id=merchant.merchant_id, created_at=now)
            session.add(row)
        row.name_zh, row.name_en = merchant.name_zh, merchant.name_en
        row.category = merchant.category
        row.address_zh, row.address_en = merchant.address_zh, merchant.address_en
        row.signer_name = merchant.signer_name
        row.status = merchant.status
        row.updated_at = now
        session.flush()
        return True

    def exists(self, session: Session, merchant_id: MerchantId) -> bool:
        """Return whether there is such a merchant."""
        return session.get(MerchantRow, merchant_id) is not None

    def get(self, session: Session, merchant_id: MerchantId) -> Merchant:
        """Return a merchant. Raises UnknownMerchant."""
        row = session.get(MerchantRow, merchant_id)
        if row is None:
            raise UnknownMerchant(merchant_id)
        return _merchant(row)

    def registered(self, session: Session, merchant_ids: Sequence[MerchantId]) -> set[MerchantId]:
        """Return which of the merchants the chain knows, so that they can be paid."""
        found = session.scalars(
            select(ChainMerchantRow.merchant).where(
                ChainMerchantRow.merchant.in_(merchant_ids), ChainMerchantRow.key != _NO_KEY
            )
        )
        return set(found)

    def taking_orders(self, session: Session, merchant_id: MerchantId) -> Merchant:
        """Return a merchant that takes new orders. Raises UnknownMerchant or MerchantSuspended."""
        merchant = self.get(session, merchant_id)
        if merchant.status != ACTIVE:
            raise MerchantSuspended(merchant_id)
        return merchant

    def page(self, session: Session, after: int | None, limit: int) -> Sequence[Merchant]:
        """Return merchants by number, those after ``after``."""
        query = select(MerchantRow).order_by(MerchantRow.merchant_id).limit(limit)
        if after is not None:
            query = query.where(MerchantRow.merchant_id > after)
        return [_merchant(row) for row in session.scalars(query)]


def _merchant(row: MerchantRow) -> Merchant:
    return Merchant(
        merchant_id=MerchantId(row.merchant_id),
        name_zh=row.name_zh,
        name_en=row.name_en,
        category=row.category,
        address_zh=row.address_zh,
        address_en=row.address_en,
        signer_name=row.signer_name,
        status=row.status,
    )
