"""The signed orders in the bytes of a call: cut apart as the modules cut them, malformed ones too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.audit.books import Account, LotPart
from ledger.standard.contract import LOT_BYTES, LOTS_MAX
from ledger.standard.errors import BadSignature, StandardError
from ledger.standard.ids import MerchantId, OrderId, address_bytes
from ledger.standard.keccak import keccak256
from ledger.standard.packed import OrderCall, split_orders, unpack_hold_orders, unpack_order
from ledger.standard.signatures import recover
from ledger.standard.typed_data import Capture, Domain, ExchangeOrder, HoldOrder, RedeemOrder, Release

Order = ExchangeOrder | RedeemOrder | HoldOrder

CALLS = {
    ("Exchange", "execute"): OrderCall.EXCHANGE,
    ("Redemption", "execute"): OrderCall.REDEEM,
    ("Redemption", "hold"): OrderCall.HOLD,
    ("Redemption", "capture"): OrderCall.CAPTURE,
    ("Redemption", "release"): OrderCall.RELEASE,
}
_HOLD_HEAD = 40
_PREFIX = 9
_LENGTH = 2


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order as a call carried it; malformed if ``order`` is None, and then its id is the hash of its bytes.

    ``signer`` is None where no key follows from the signature. ``kept`` is the prefix that a capture keeps.
    """

    id: OrderId
    call: OrderCall
    order: Order | None
    holder: Account
    signer: Account | None = None
    lots: tuple[LotPart, ...] = ()
    kept: tuple[int, int] = (0, 0)

    @property
    def merchant(self) -> MerchantId:
        """Whom it pays; 0 for exchanges."""
        return MerchantId(0) if isinstance(self.order, ExchangeOrder | None) else self.order.merchant

    @property
    def capture_by(self) -> int:
        """Until when a hold may be captured; 0 for other orders."""
        return self.order.capture_by if isinstance(self.order, HoldOrder) else 0

    @property
    def is_cancellable(self) -> bool:
        """Whether its holder alone may release a hold."""
        return isinstance(self.order, HoldOrder) and self.order.cancellable

    @property
    def nonce_token(self) -> int | None:
        """The lot in whose word the nonce lies; None for captures and releases, which spend none."""
        if self.order is None or self.call in (OrderCall.CAPTURE, OrderCall.RELEASE):
            return None
        return self.order.from_id if isinstance(self.order, ExchangeOrder) else self.lots[0][0]


def orders_of(packed: bytes, call: OrderCall, domain: Domain) -> Iterator[SignedOrder]:
    """Return the orders of a call; bytes at the end that are no whole order are one malformed order."""
    at = 0
    for part in split_orders(packed, call):
        at += len(part)
        yield _order_of(part, call, domain)
    if at != len(packed):
        yield _malformed(packed[at:], call)


def is_prefix(lots: tuple[LotPart, ...], kept: tuple[int, int]) -> bool:
    """Whether (lots, last amount) is a prefix of lots."""
    count, last = kept
    if count == 0:
        return last == 0
    return count <= len(lots) and 0 < last <= lots[count - 1][1]


def prefix_of(lots: tuple[LotPart, ...], kept: tuple[int, int]) -> tuple[LotPart, ...]:
    """Return the lots of a prefix, of which `is_prefix` holds."""
    count, last = kept
    return (*lots[: count - 1], (lots[count - 1][0], last)) if count else ()


def signer_of(digest: bytes, signature: bytes) -> Account | None:
    """Return whose key signed, None if no key's signature has this form."""
    if not signature:
        return None
    try:
        return address_bytes(recover(digest, signature))
    except BadSignature:
        return None


def _malformed(part: bytes, call: OrderCall) -> SignedOrder:
    return SignedOrder(OrderId(keccak256(part)), call, None, Account(bytes(20)))


def _order_of(part: bytes, call: OrderCall, domain: Domain) -> SignedOrder:
    try:
        if call in (OrderCall.CAPTURE, OrderCall.RELEASE):
            return _closing_of(part, call, domain)
        order, signature = unpack_order(part, call)
    except StandardError:
        return _malformed(part, call)
    holder, digest = address_bytes(order.holder), order.digest(domain)
    if isinstance(order, ExchangeOrder):
        if order.amount == 0:
            return _malformed(part, call)
        return SignedOrder(digest, call, order, holder, signer_of(digest, signature))
    lots = tuple([(lot.id, lot.amount) for lot in order.lots])
    if any(amount == 0 for _, amount in lots):
        return _malformed(part, call)
    return SignedOrder(digest, call, order, holder, signer_of(digest, signature), lots)


def _closing_of(part: bytes, call: OrderCall, domain: Domain) -> SignedOrder:
    """A capture or a release. Raises StandardError if the hold order in it is malformed."""
    count = part[_HOLD_HEAD - 1]
    lots_end = _HOLD_HEAD + count * LOT_BYTES
    if not 1 <= count <= LOTS_MAX:
        return _malformed(part, call)
    order = unpack_hold_orders(part[:lots_end] + bytes(_LENGTH))[0][0]
    lots = tuple([(lot.id, lot.amount) for lot in order.lots])
    if any(amount == 0 for _, amount in lots):
        return _malformed(part, call)
    order_id, holder = order.digest(domain), address_bytes(order.holder)
    if call is OrderCall.RELEASE:
        signature = part[lots_end + _LENGTH :]
        signer = signer_of(Release(order_id).digest(domain), signature)
        return SignedOrder(order_id, call, order, holder, signer, lots)
    kept = part[lots_end], int.from_bytes(part[lots_end + 1 : lots_end + _PREFIX], "big")
    if not is_prefix(lots, kept):
        return _malformed(part, call)
    signature = part[lots_end + _PREFIX + _LENGTH :]
    signer = signer_of(Capture(order_id, *kept).digest(domain), signature)
    return SignedOrder(order_id, call, order, holder, signer, lots, kept)
