"""Packed encodings: big-endian, contiguous, no padding. The contracts read them byte by byte.

Arrays of the Solidity ABI would let one order's dirty high bits revert a whole call; packed bytes cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final

from ledger.standard.contract import GRANT_BYTES, LOT_BYTES, LOTS_MAX, PAYOUT_BYTES, REVOCATION_BYTES
from ledger.standard.errors import MalformedPacked, OutOfRange
from ledger.standard.ids import Address, MerchantId, ProgrammeId, address_bytes, to_address, uint
from ledger.standard.typed_data import ExchangeOrder, HoldOrder, Lot, RedeemOrder

_SIGNATURE_MAX: Final = 2**16 - 1
_LENGTH_BYTES: Final = 2


def pack_grants(grants: Sequence[tuple[str, int]]) -> bytes:
    """Pack (account, amount in minor units) pairs: address 20 | uint64 amount 8, for each grant.

    Raises BadAddress or OutOfRange.
    """
    try:
        packed = bytes.fromhex("".join([f"{account[2:]}{minor:016x}" for account, minor in grants]))
    except ValueError:
        packed = b""
    if len(packed) == GRANT_BYTES * len(grants) and _well_formed(grants):
        return packed
    return b"".join([address_bytes(a) + uint("amount", m, 64).to_bytes(8, "big") for a, m in grants])


def unpack_grants(packed: bytes) -> list[tuple[Address, int]]:
    """Return the (account, amount) pairs of packed grants. Raises MalformedPacked if a grant is cut."""
    if len(packed) % GRANT_BYTES:
        raise MalformedPacked(len(packed) - len(packed) % GRANT_BYTES, f"a grant takes {GRANT_BYTES} bytes")
    return [
        (to_address(packed[at : at + 20]), int.from_bytes(packed[at + 20 : at + 28], "big"))
        for at in range(0, len(packed), GRANT_BYTES)
    ]


def pack_revocations(revocations: Sequence[tuple[int, int, int]]) -> bytes:
    """Pack (grant index, revoked total in minor units, reason) triples: 4 | 8 | 2 bytes each. Raises OutOfRange."""
    return b"".join(
        [
            _int("grant index", index, 4) + _int("revoked total", total, 8) + _int("reason", reason, 2)
            for index, total, reason in revocations
        ]
    )


def unpack_revocations(packed: bytes) -> list[tuple[int, int, int]]:
    """Return the (grant index, revoked total, reason) triples of packed revocations. Raises MalformedPacked."""
    if len(packed) % REVOCATION_BYTES:
        at = len(packed) - len(packed) % REVOCATION_BYTES
        raise MalformedPacked(at, f"a revocation takes {REVOCATION_BYTES} bytes")
    parts = [packed[at : at + REVOCATION_BYTES] for at in range(0, len(packed), REVOCATION_BYTES)]
    return [
        (int.from_bytes(p[:4], "big"), int.from_bytes(p[4:12], "big"), int.from_bytes(p[12:], "big")) for p in parts
    ]


def pack_payouts(payouts: Sequence[tuple[MerchantId, int]]) -> bytes:
    """Pack (merchant, fen) pairs as `ClearingBook.payout` takes them: 4 | 8 bytes each. Raises OutOfRange."""
    return b"".join([_int("merchant", merchant, 4) + _int("fen", fen, 8) for merchant, fen in payouts])


def unpack_payouts(packed: bytes) -> list[tuple[MerchantId, int]]:
    """Return the (merchant, fen) pairs of packed payouts. Raises MalformedPacked."""
    if len(packed) % PAYOUT_BYTES:
        raise MalformedPacked(len(packed) - len(packed) % PAYOUT_BYTES, f"a payout takes {PAYOUT_BYTES} bytes")
    parts = [packed[at : at + PAYOUT_BYTES] for at in range(0, len(packed), PAYOUT_BYTES)]
    return [(MerchantId(int.from_bytes(part[:4], "big")), int.from_bytes(part[4:], "big")) for part in parts]


def pack_prefix(lots: int, last_amount: int) -> int:
    """Return a kept prefix as the contracts' ``Prefix``: lots << 64 | last amount. Raises OutOfRange."""
    return uint("kept lots", lots, 8) << 64 | uint("last amount", last_amount, 64)


def unpack_prefix(prefix: int) -> tuple[int, int]:
    """Return (lots, last amount) of a ``Prefix``. Raises OutOfRange for one of more than 72 bits."""
    uint("prefix", prefix, 72)
    return prefix >> 64, prefix & (2**64 - 1)


def pack_lots(lots: Sequence[Lot]) -> bytes:
    """Pack lots as refunds and events carry them: id 8 | amount 8, for each lot. Raises OutOfRange."""
    return b"".join([_int("lot id", lot.id, 8) + _int("lot amount", lot.amount, 8) for lot in lots])


def unpack_lots(packed: bytes) -> tuple[Lot, ...]:
    """Return the lots of packed bytes. Raises MalformedPacked if a lot is cut."""
    if len(packed) % LOT_BYTES:
        raise MalformedPacked(len(packed) - len(packed) % LOT_BYTES, f"a lot takes {LOT_BYTES} bytes")
    starts = range(0, len(packed), LOT_BYTES)
    words = [(packed[at : at + 8], packed[at + 8 : at + LOT_BYTES]) for at in starts]
    return tuple([Lot(int.from_bytes(token, "big"), int.from_bytes(amount, "big")) for token, amount in words])


def pack_exchange_order(order: ExchangeOrder, signature: bytes) -> bytes:
    """Pack one exchange order: holder 20 | fromId 8 | amount 8 | toProgramme 4 | minOut 8 | nonce 4 | deadline 5 |
    sigLen 2 | signature. Raises OutOfRange or BadAddress."""
    return (
        address_bytes(order.holder)
        + _int("lot id", order.from_id, 8)
        + _int("amount", order.amount, 8)
        + _int("target programme", order.to_programme, 4)
        + _int("minimum out", order.min_out, 8)
        + _int("nonce", order.nonce, 4)
        + _int("deadline", order.deadline, 5)
        + _signature(signature)
    )


def pack_redeem_order(order: RedeemOrder, signature: bytes) -> bytes:
    """Pack one redeem order: holder 20 | merchant 4 | nonce 4 | deadline 5 | lotCount 1 | (id 8 | amount 8)* |
    sigLen 2 | signature. Raises OutOfRange (1 to 16 lots) or BadAddress."""
    return (
        address_bytes(order.holder)
        + _int("merchant", order.merchant, 4)
        + _int("nonce", order.nonce, 4)
        + _int("deadline", order.deadline, 5)
        + _lots(order.lots)
        + _signature(signature)
    )


def pack_hold_order(order: HoldOrder, signature: bytes) -> bytes:
    """Pack one hold order: as a redeem order, with captureBy 5 | cancellable 1 after the deadline."""
    return _unsigned_hold(order) + _signature(signature)


def pack_capture(order: HoldOrder, lots: int, last_amount: int, signature: bytes) -> bytes:
    """Pack one capture: the hold order without its signature | kept lots 1 | lastAmount 8 | sigLen 2 | signature.

    ``signature`` is the merchant's, over `typed_data.Capture`. Raises OutOfRange or BadAddress.
    """
    kept = _int("kept lots", lots, 1) + _int("last amount", last_amount, 8)
    return _unsigned_hold(order) + kept + _signature(signature)


def pack_release(order: HoldOrder, signature: bytes) -> bytes:
    """Pack one release: the hold order without its signature | sigLen 2 | signature.

    ``signature`` is over `typed_data.Release`, by the merchant, or the holder of a cancellable order; empty after
    ``capture_by``. Raises OutOfRange or BadAddress.
    """
    return _unsigned_hold(order) + _signature(signature)


def pack_exchange_orders(orders: Iterable[tuple[ExchangeOrder, bytes]]) -> bytes:
    """Pack (order, signature) pairs for `IExchange.execute`."""
    return b"".join([pack_exchange_order(order, signature) for order, signature in orders])


def pack_redeem_orders(orders: Iterable[tuple[RedeemOrder, bytes]]) -> bytes:
    """Pack (order, signature) pairs for `IRedemption.execute`."""
    return b"".join([pack_redeem_order(order, signature) for order, signature in orders])


def pack_hold_orders(orders: Iterable[tuple[HoldOrder, bytes]]) -> bytes:
    """Pack (order, signature) pairs for `IRedemption.hold`."""
    return b"".join([pack_hold_order(order, signature) for order, signature in orders])


def unpack_exchange_orders(packed: bytes) -> list[tuple[ExchangeOrder, bytes]]:
    """Return the (order, signature) pairs of a packed call. Raises MalformedPacked."""
    reader, orders = _Reader(packed), []
    while not reader.done():
        order = ExchangeOrder(
            holder=reader.address(),
            from_id=reader.int(8),
            amount=reader.int(8),
            to_programme=ProgrammeId(reader.int(4)),
            min_out=reader.int(8),
            nonce=reader.int(4),
            deadline=reader.int(5),
        )
        orders.append((order, reader.take(reader.int(2))))
    return orders


def unpack_redeem_orders(packed: bytes) -> list[tuple[RedeemOrder, bytes]]:
    """Return the (order, signature) pairs of a packed call. Raises MalformedPacked."""
    reader, orders = _Reader(packed), []
    while not reader.done():
        holder, merchant, nonce, deadline = reader.address(), MerchantId(reader.int(4)), reader.int(4), reader.int(5)
        order = RedeemOrder(holder, merchant, reader.lots(), nonce, deadline)
        orders.append((order, reader.take(reader.int(2))))
    return orders


def unpack_hold_orders(packed: bytes) -> list[tuple[HoldOrder, bytes]]:
    """Return the (order, signature) pairs of a packed call. Raises MalformedPacked."""
    reader, orders = _Reader(packed), []
    while not reader.done():
        holder, merchant, nonce, deadline = reader.address(), MerchantId(reader.int(4)), reader.int(4), reader.int(5)
        capture_by, cancellable = reader.int(5), reader.flag()
        order = HoldOrder(holder, merchant, reader.lots(), nonce, deadline, capture_by, cancellable)
        orders.append((order, reader.take(reader.int(2))))
    return orders


class OrderCall(Enum):
    """The calls that take packed orders."""

    EXCHANGE = "exchange"
    REDEEM = "redeem"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"


_SHAPES: Final = {
    OrderCall.EXCHANGE: (57, 0),
    OrderCall.REDEEM: (34, 0),
    OrderCall.HOLD: (40, 0),
    OrderCall.CAPTURE: (40, 9),
    OrderCall.RELEASE: (40, 0),
}
"""Bytes of an order before its lots (whose count is the last of them), and between lots and signature."""


def split_orders(packed: bytes, call: OrderCall) -> Iterator[bytes]:
    """Cut the orders of a call apart by their lengths alone, as the contracts do; bytes left at the end are dropped.

    What is cut out need not be well-formed: the unpackers say so.
    """
    head, tail = _SHAPES[call]
    at = 0
    while at + head <= len(packed):
        lots = 0 if call is OrderCall.EXCHANGE else packed[at + head - 1]
        signature = at + head + lots * LOT_BYTES + tail + _LENGTH_BYTES
        if signature > len(packed):
            return
        end = signature + int.from_bytes(packed[signature - _LENGTH_BYTES : signature], "big")
        if end > len(packed):
            return
        yield packed[at:end]
        at = end


def unpack_order(part: bytes, call: OrderCall) -> tuple[ExchangeOrder | RedeemOrder | HoldOrder, bytes]:
    """Return (order, signature) of one cut-out order.

    The signature is the holder's; it is empty for captures and releases, which carry a merchant's over something else.
    Raises MalformedPacked.
    """
    match call:
        case OrderCall.EXCHANGE:
            return unpack_exchange_orders(part)[0]
        case OrderCall.REDEEM:
            return unpack_redeem_orders(part)[0]
        case OrderCall.HOLD:
            return unpack_hold_orders(part)[0]
        case OrderCall.CAPTURE | OrderCall.RELEASE:
            head, _ = _SHAPES[call]
            lots_end = head + part[head - 1] * LOT_BYTES
            return unpack_hold_orders(part[:lots_end] + bytes(_LENGTH_BYTES))[0]


def _well_formed(grants: Sequence[tuple[str, int]]) -> bool:
    return all(len(account) == 42 and account[:2] == "0x" and 0 <= minor < 2**64 for account, minor in grants)


def _unsigned_hold(order: HoldOrder) -> bytes:
    return (
        address_bytes(order.holder)
        + _int("merchant", order.merchant, 4)
        + _int("nonce", order.nonce, 4)
        + _int("deadline", order.deadline, 5)
        + _int("capture by", order.capture_by, 5)
        + (b"\1" if order.cancellable else b"\0")
        + _lots(order.lots)
    )


def _int(field: str, value: int, size: int) -> bytes:
    return uint(field, value, size * 8).to_bytes(size, "big")


def _lots(lots: tuple[Lot, ...]) -> bytes:
    if not 1 <= len(lots) <= LOTS_MAX:
        raise OutOfRange("lots of an order", len(lots), f"1 to {LOTS_MAX}")
    return bytes([len(lots)]) + pack_lots(lots)


def _signature(signature: bytes) -> bytes:
    if len(signature) > _SIGNATURE_MAX:
        raise OutOfRange("signature bytes", len(signature), f"0 to {_SIGNATURE_MAX}")
    return len(signature).to_bytes(2, "big") + signature


class _Reader:
    """Reads fields off the front of packed bytes and refuses to read past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def done(self) -> bool:
        return self._at == len(self._data)

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise MalformedPacked(self._at, f"{size} bytes wanted, {len(self._data) - self._at} left")
        part = self._data[self._at : end]
        self._at = end
        return part

    def int(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def flag(self) -> bool:
        value = self.int(1)
        if value > 1:
            raise MalformedPacked(self._at - 1, f"a flag is 0 or 1, not {value}")
        return value == 1

    def address(self) -> Address:
        return to_address(self.take(20))

    def lots(self) -> tuple[Lot, ...]:
        count = self.int(1)
        if not 1 <= count <= LOTS_MAX:
            raise MalformedPacked(self._at - 1, f"an order has 1 to {LOTS_MAX} lots, not {count}")
        return tuple([Lot(self.int(8), self.int(8)) for _ in range(count)])
