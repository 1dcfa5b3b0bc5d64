"""What merchants offer, and how many are left. A piece is reserved, then taken or released: each step exactly once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from sqlalchemy import ColumnElement, CursorResult, func, select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.master import RandomBytes
from ledger.standard.ids import MerchantId
from ledger.store.models.projection import ChainMerchantRow
from ledger.store.models.redemption import MerchantRow, OfferRow, RedemptionOrderRow
from redemption.errors import OfferClosed, OfferLimitReached, OutOfStock, UnknownOffer
from redemption.merchants import ACTIVE as MERCHANT_ACTIVE
from redemption.merchants import MerchantDirectory
from redemption.states import Stock

ACTIVE = "active"
PAUSED = "paused"
ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that points can buy. ``stock_total`` None is without limit; times are Unix seconds, None is open."""

    offer_id: str
    merchant_id: MerchantId
    title_zh: str
    title_en: str
    price_fen: int
    description_zh: str = ""
    description_en: str = ""
    stock_total: int | None = None
    stock_reserved: int = 0
    stock_taken: int = 0
    per_resident_max: int | None = None
    opens_at: int | None = None
    closes_at: int | None = None
    status: str = ACTIVE

    @property
    def stock_left(self) -> int | None:
        """How many can still be ordered; None is without limit."""
        return None if self.stock_total is None else self.stock_total - self.stock_reserved - self.stock_taken


def closed_because(offer: Offer, now: int) -> str | None:
    """Return why an offer cannot be redeemed at Unix time ``now``, or None."""
    if offer.status != ACTIVE:
        return f"it is {offer.status}"
    if offer.opens_at is not None and now < offer.opens_at:
        return "it has not opened yet"
    if offer.closes_at is not None and now >= offer.closes_at:
        return "its time is over"
    return None


class Promised:
    """Pieces that orders of one transaction were promised, before any of them is reserved."""

    def __init__(self) -> None:
        self._pieces: Counter[tuple[str, int]] = Counter()

    def add(self, offer_id: str, resident_id: int, quantity: int) -> None:
        """Promise pieces to a resident."""
        self._pieces[offer_id, resident_id] += quantity

    def to_resident(self, offer_id: str, resident_id: int) -> int:
        """Return how many pieces a resident was promised."""
        return self._pieces[offer_id, resident_id]

    def pieces(self, offer_id: str) -> int:
        """Return how many pieces of an offer were promised."""
        return self.by_offer()[offer_id]

    def by_offer(self) -> Counter[str]:
        """Return how many pieces of each offer were promised."""
        found: Counter[str] = Counter()
        for (offer_id, _), quantity in self._pieces.items():
            found[offer_id] += quantity
        return found


class StockMoves:
    """Steps of many orders' pieces, summed up by offer."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int]] = {}

    def add(self, offer_id: str, quantity: int, before: Stock, after: Stock) -> None:
        """Carry the pieces of one order from one state to the next."""
        reserved, taken = self._sums.get(offer_id, (0, 0))
        reserved += ((after is Stock.RESERVED) - (before is Stock.RESERVED)) * quantity
        taken += ((after is Stock.TAKEN) - (before is Stock.TAKEN)) * quantity
        self._sums[offer_id] = reserved, taken

    def by_offer(self) -> list[tuple[str, tuple[int, int]]]:
        """Return what is added to the reserved and the taken pieces of each offer that changes, by its id."""
        return sorted((offer_id, sums) for offer_id, sums in self._sums.items() if sums != (0, 0))


class OfferCatalogue:
    """The only writer of the offers' table."""

    def __init__(self, merchants: MerchantDirectory, clock: Clock, random: RandomBytes = os.urandom) -> None:
        self._merchants = merchants
        self._clock = clock
        self._random = random

    def create(self, session: Session, offer: Offer) -> Offer:
        """Put an offer in the catalogue, under a generated id where it has none. Raises UnknownMerchant."""
        self._merchants.get(session, offer.merchant_id)
        now = self._clock.timestamp()
        made = replace(offer, offer_id=offer.offer_id or self._random(12).hex(), stock_reserved=0, stock_taken=0)
        session.add(
            OfferRow(
                offer_id=made.offer_id,
                merchant_id=made.merchant_id,
                title_zh=made.title_zh,
                title_en=made.title_en,
                description_zh=made.description_zh,
                description_en=made.description_en,
                price_fen=made.price_fen,
                stock_total=made.stock_total,
                stock_reserved=0,
                stock_taken=0,
                per_resident_max=made.per_resident_max,
                opens_at=made.opens_at,
                closes_at=made.closes_at,
                status=made.status,
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        return made

    def ensure(self, session: Session, offer: Offer) -> Offer:
        """Return the offer of this id, created if there is none (installations and demos run twice)."""
        row = session.get(OfferRow, offer.offer_id)
        return self.create(session, offer) if row is None else _offer(row)

    def restock(self, session: Session, offer_id: str, stock_total: int | None) -> Offer:
        """Set how many there are in all. Raises UnknownOffer, or OutOfStock where more are promised already."""
        row = self._locked(session, offer_id)
        promised = row.stock_reserved + row.stock_taken
        if stock_total is not None and stock_total < promised:
            raise OutOfStock(offer_id, promised, stock_total)
        row.stock_total = stock_total
        row.updated_at = self._clock.timestamp()
        session.flush()
        return _offer(row)

    def set_status(self, session: Session, offer_id: str, status: str) -> Offer:
        """Pause, resume or end an offer. Raises UnknownOffer, or OfferClosed once it has ended."""
        row = self._locked(session, offer_id)
        if row.status == ENDED and status != ENDED:
            raise OfferClosed(offer_id, "it is ended")
        row.status = status
        row.updated_at = self._clock.timestamp()
        session.flush()
        return _offer(row)

    def get(self, session: Session, offer_id: str) -> Offer:
        """Return an offer. Raises UnknownOffer."""
        row = session.get(OfferRow, offer_id)
        if row is None:
            raise UnknownOffer(offer_id)
        return _offer(row)

    def page(
        self, session: Session, *, merchant_id: MerchantId | None, after: str | None, limit: int, only_open: bool
    ) -> Sequence[Offer]:
        """Return offers by id, those after ``after``; with ``only_open`` those that can be redeemed now."""
        query = select(OfferRow).order_by(OfferRow.offer_id).limit(limit)
        if merchant_id is not None:
            query = query.where(OfferRow.merchant_id == merchant_id)
        if after is not None:
            query = query.where(OfferRow.offer_id > after)
        if only_open:
            now = self._clock.timestamp()
            taking = select(MerchantRow.merchant_id).where(MerchantRow.status == MERCHANT_ACTIVE)
            query = query.where(
                OfferRow.status == ACTIVE,
                OfferRow.merchant_id.in_(taking),
                OfferRow.merchant_id.in_(select(ChainMerchantRow.merchant)),  # who is not registered cannot be paid
                (OfferRow.opens_at.is_(None)) | (OfferRow.opens_at <= now),
                (OfferRow.closes_at.is_(None)) | (OfferRow.closes_at > now),
            )
        return [_offer(row) for row in session.scalars(query)]

    def taking_orders(self, session: Session, offer_id: str) -> Offer:
        """Return an offer that can be redeemed now, limits and stock aside: see `check_left`.

        Checks in order: UnknownOffer, MerchantSuspended, OfferClosed.
        """
        offer = self.get(session, offer_id)
        self._merchants.taking_orders(session, offer.merchant_id)
        reason = closed_because(offer, self._clock.timestamp())
        if reason is not None:
            raise OfferClosed(offer_id, reason)
        return offer

    def check_left(
        self, session: Session, offer: Offer, resident_id: int, quantity: int, promised: Promised | None = None
    ) -> None:
        """Check that a resident may have ``quantity`` of an offer. Nothing is locked or reserved: `reserve` does.

        Whoever writes has locked the holder before, so that a resident's own limit cannot be passed by two at once.
        ``promised``: what the same transaction has promised to others already.
        Checks in order: OfferLimitReached, OutOfStock.
        """
        if offer.per_resident_max is not None:
            had = session.scalar(
                select(func.coalesce(func.sum(RedemptionOrderRow.quantity), 0)).where(
                    RedemptionOrderRow.offer_id == offer.offer_id,
                    RedemptionOrderRow.resident_id == resident_id,
                    RedemptionOrderRow.stock_state.in_([Stock.RESERVED, Stock.TAKEN]),
                )
            )
            mine = 0 if promised is None else promised.to_resident(offer.offer_id, resident_id)
            if int(had or 0) + mine + quantity > offer.per_resident_max:
                raise OfferLimitReached(offer.offer_id, offer.per_resident_max)
        left = offer.stock_left
        if left is not None and promised is not None:
            left -= promised.pieces(offer.offer_id)
        if left is not None and left < quantity:
            raise OutOfStock(offer.offer_id, quantity, left)

    def reserve(self, session: Session, promised: Promised) -> None:
        """Reserve what was promised, late in the transaction: an offer's row is locked from here to the commit only.

        Raises OfferClosed or OutOfStock where another was faster since `check_left` looked; the transaction is lost.
        """
        for offer_id, pieces in sorted(promised.by_offer().items()):
            enough = OfferRow.stock_total.is_(None) | (
                OfferRow.stock_reserved + OfferRow.stock_taken + pieces <= OfferRow.stock_total
            )
            if not self._add(session, offer_id, pieces, 0, OfferRow.status == ACTIVE, enough):
                now = _offer(self._locked(session, offer_id))
                if now.status != ACTIVE:
                    raise OfferClosed(offer_id, f"it is {now.status}")
                raise OutOfStock(offer_id, pieces, now.stock_left or 0)

    def move(self, session: Session, moves: StockMoves) -> None:
        """Carry pieces from one state to the next, an offer at a time and always in one order, so that nobody waits in
        a circle. The callers store the state beside their orders."""
        for offer_id, (reserved, taken) in moves.by_offer():
            self._add(session, offer_id, reserved, taken)

    def _add(
        self, session: Session, offer_id: str, reserved: int, taken: int, *conditions: ColumnElement[bool]
    ) -> bool:
        done = session.execute(
            update(OfferRow)
            .where(OfferRow.offer_id == offer_id, *conditions)
            .values(
                stock_reserved=OfferRow.stock_reserved + reserved,
                stock_taken=OfferRow.stock_taken + taken,
                updated_at=self._clock.timestamp(),
            )
            .execution_options(synchronize_session=False)
        )
        return cast(CursorResult[tuple[()]], done).rowcount > 0

    def _locked(self, session: Session, offer_id: str) -> OfferRow:
        row = session.get(OfferRow, offer_id, with_for_update=True, populate_existing=True)
        if row is None:
            raise UnknownOffer(offer_id)
        return row


def _offer(row: OfferRow) -> Offer:
    return Offer(
        offer_id=row.offer_id,
        merchant_id=MerchantId(row.merchant_id),
        title_zh=row.title_zh,
        title_en=row.title_en,
        price_fen=row.price_fen,
        description_zh=row.description_zh,
        description_en=row.description_en,
        stock_total=row.stock_total,
        stock_reserved=row.stock_reserved,
        stock_taken=row.stock_taken,
        per_resident_max=row.per_resident_max,
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        status=row.status,
    )
