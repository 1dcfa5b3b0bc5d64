"""Packed batches of orders, read byte by byte as the standard says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from eth_utils import to_checksum_address
from reference import ExchangeOrder, HoldOrder, Lot, Prefix, RedeemOrder


@dataclass
class Reader:
    """Takes fields off packed bytes."""

    data: bytes
    place: int = 0

    def number(self, size: int) -> int:
        self.place += size
        return int.from_bytes(self.data[self.place - size : self.place], "big")

    def address(self) -> str:
        return str(to_checksum_address(self.number(20).to_bytes(20, "big")))

    def lots(self) -> tuple[Lot, ...]:
        return tuple((self.number(8), self.number(8)) for _ in range(self.number(1)))

    def signature(self) -> bytes:
        size = self.number(2)
        self.place += size
        return self.data[self.place - size : self.place]


@dataclass
class Unpacked:
    """An order as it stands in a batch; `sound` where no field has a value that it cannot have."""

    order: ExchangeOrder | RedeemOrder | HoldOrder
    signature: bytes
    sound: bool
    prefix: Prefix = (0, 0)
    raw: bytes = field(default=b"")


def read_exchange(reader: Reader) -> Unpacked:
    holder, lot, amount = reader.address(), reader.number(8), reader.number(8)
    rest = (reader.number(4), reader.number(8), reader.number(4), reader.number(5))
    return Unpacked(ExchangeOrder(holder, lot, amount, *rest), reader.signature(), amount != 0)


def read_redeem(reader: Reader) -> Unpacked:
    holder, merchant, nonce, deadline = reader.address(), reader.number(4), reader.number(4), reader.number(5)
    lots = reader.lots()
    return Unpacked(RedeemOrder(holder, merchant, lots, nonce, deadline), reader.signature(), is_sound(lots))


def _read_body(reader: Reader) -> tuple[HoldOrder, bool]:
    holder, merchant, nonce, deadline = reader.address(), reader.number(4), reader.number(4), reader.number(5)
    capture_by, cancellable = reader.number(5), reader.number(1)
    lots = reader.lots()
    order = HoldOrder(holder, merchant, lots, nonce, deadline, capture_by, cancellable == 1)
    return order, cancellable <= 1 and is_sound(lots)


def read_hold(reader: Reader) -> Unpacked:
    order, sound = _read_body(reader)
    return Unpacked(order, reader.signature(), sound)


def read_capture(reader: Reader) -> Unpacked:
    order, sound = _read_body(reader)
    prefix = (reader.number(1), reader.number(8))
    return Unpacked(order, reader.signature(), sound and fits(order.lots, prefix), prefix)


def is_sound(lots: Sequence[Lot]) -> bool:
    return 1 <= len(lots) <= 16 and all(amount for _, amount in lots)


def fits(lots: Sequence[Lot], prefix: Prefix) -> bool:
    count, last = prefix
    return last == 0 if count == 0 else count <= len(lots) and 1 <= last <= lots[count - 1][1]


def orders_of(packed: bytes, read: Callable[[Reader], Unpacked]) -> Iterator[Unpacked | bytes]:
    """Return order after order; bytes are no sound order, or no whole one at the end."""
    place = 0
    while place < len(packed):
        reader = Reader(packed, place)
        found = read(reader)
        raw = packed[place : reader.place]
        place = reader.place
        yield found if found.sound and place <= len(packed) else raw
