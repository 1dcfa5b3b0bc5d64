"""A sale as its shop sees it: where it stands, and what to do about one that is in doubt. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.standard.ids import OrderIdText, order_id_text
from ledger_api.views.queries import OrderLock, ShopNames
from redemption.acts.book import ActRecord, ActState
from redemption.acts.table import TABLE, Act, Standing, Takes, standing
from redemption.lists import ListedOrder

GOOD, WAIT, BAD, OVER = "good", "wait", "bad", "over"

TONES: Mapping[Standing, str] = {
    Standing.PLACED: WAIT,
    Standing.HELD: WAIT,
    Standing.CAPTURING: WAIT,
    Standing.RELEASING: WAIT,
    Standing.HANDING_OVER: WAIT,
    Standing.UNPAID: BAD,
    Standing.PAID: GOOD,
    Standing.REFUNDING: WAIT,
    Standing.HANDED_OVER: GOOD,
    Standing.RETURNING: WAIT,
    Standing.RELEASED: OVER,
    Standing.REFUNDED: OVER,
    Standing.REJECTED: BAD,
    Standing.EXPIRED: BAD,
}
"""How a sale is shown. Each has a sign and a word as well: colour never says it alone."""

MOVING = frozenset(
    {
        Standing.PLACED,
        Standing.CAPTURING,
        Standing.RELEASING,
        Standing.HANDING_OVER,
        Standing.REFUNDING,
        Standing.RETURNING,
    }
)
"""What the chain has not spoken of yet: it settles by itself, for better or worse."""

DOUBTFUL = MOVING | {Standing.UNPAID}
"""What is shown first, for somebody stands at the counter and waits."""

SIGNS: Mapping[str, str] = {GOOD: "✓", WAIT: "…", BAD: "!", OVER: "–"}


@dataclass(frozen=True, slots=True)
class Sale:
    """An order at its shop. ``title`` is None where the offer is gone; values are fen, times Unix seconds."""

    order_id: OrderIdText
    title: str | None
    quantity: int
    is_hold: bool
    placed_at: int
    capture_by: int | None
    price_fen: int
    paid_fen: int
    value_fen: int
    standing: Standing
    act: ActRecord | None
    lock: OrderLock | None

    @property
    def number(self) -> str:
        """The last six signs of the id, by which people name a sale to each other."""
        return self.order_id[-6:].upper()

    @property
    def tone(self) -> str:
        """How it is shown."""
        return TONES[self.standing]

    @property
    def sign(self) -> str:
        """The sign beside its word."""
        return SIGNS[self.tone]

    @property
    def is_moving(self) -> bool:
        """Whether it settles by itself."""
        return self.standing in MOVING

    @property
    def is_doubtful(self) -> bool:
        """Whether it may still go either way."""
        return self.standing in DOUBTFUL

    @property
    def amount_fen(self) -> int:
        """What the shop has for it, or would have."""
        return self.paid_fen or self.price_fen

    @property
    def act_failed(self) -> bool:
        """Whether the last act on it came to nothing."""
        return self.act is not None and self.act.state is ActState.FAILED

    def allows(self, act: Act) -> bool:
        """Whether the table of acts lets an act take effect now."""
        return isinstance(TABLE[self.standing][act], Takes)


def sale_of(found: ListedOrder, names: ShopNames, *, is_chinese: bool, lock: OrderLock | None = None) -> Sale:
    """Return a sale from its order and the last act on it."""
    order, act = found.order, found.act
    title = names.offers.get(order.offer_id or "")
    under_way = act.act if act is not None and act.state is ActState.UNDER_WAY else None
    return Sale(
        order_id=order_id_text(order.order_id),
        title=None if title is None else (title.zh if is_chinese else title.en),
        quantity=order.quantity,
        is_hold=order.capture_by is not None,
        placed_at=order.created_at,
        capture_by=order.capture_by,
        price_fen=order.price_fen,
        paid_fen=order.paid_fen,
        value_fen=order.value_fen,
        standing=standing(order.state, is_handed_over=order.handed_over_at is not None, under_way=under_way),
        act=act,
        lock=lock,
    )


def doubtful_first(sales: Sequence[Sale]) -> list[Sale]:
    """Return sales in their order, those in doubt before the others."""
    return sorted(sales, key=lambda sale: not sale.is_doubtful)
