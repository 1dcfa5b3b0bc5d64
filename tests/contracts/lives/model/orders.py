"""Exchange and redemption: packed batches of signed orders, read byte by byte as the standard says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from eth_utils import keccak, to_checksum_address
from reference import (
    ACCEPTED,
    BAD_CAPTURE_TIME,
    BAD_SIGNATURE,
    BELOW_MINIMUM,
    CAP_EXCEEDED,
    EXPIRED,
    FORBIDDEN,
    INSUFFICIENT,
    LANE_MAX,
    LOT_DEAD,
    MALFORMED,
    MICROFEN_MINOR,
    NO_VALUE,
    NONCE_SPENT,
    NOT_HELD,
    OUT_OF_SCOPE,
    UNKNOWN_MERCHANT,
    UNKNOWN_PROGRAMME,
    ZERO,
    ExchangeOrder,
    HoldOrder,
    Lot,
    MerkleTree,
    Prefix,
    RedeemOrder,
    basket_fen,
    pack_lots,
    prefix_of,
    programme_of,
    token_id,
    whole,
)

from .book import ACTIVE, DAY, EXCHANGE_IN, EXCHANGE_OUT, REDEEMABLE, Book, Paid


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
    sound: bool = True
    prefix: Prefix = field(default=(0, 0))


def _exchange(reader: Reader) -> Unpacked:
    order = ExchangeOrder(
        reader.address(),
        reader.number(8),
        reader.number(8),
        reader.number(4),
        reader.number(8),
        reader.number(4),
        reader.number(5),
    )
    return Unpacked(order, reader.signature())


def _redeem(reader: Reader) -> Unpacked:
    holder, merchant, nonce, deadline = reader.address(), reader.number(4), reader.number(4), reader.number(5)
    return Unpacked(RedeemOrder(holder, merchant, reader.lots(), nonce, deadline), reader.signature())


def _hold_body(reader: Reader) -> tuple[HoldOrder, bool]:
    holder, merchant, nonce, deadline = reader.address(), reader.number(4), reader.number(4), reader.number(5)
    capture_by, cancellable = reader.number(5), reader.number(1)
    order = HoldOrder(holder, merchant, reader.lots(), nonce, deadline, capture_by, cancellable == 1)
    return order, cancellable <= 1


def _hold(reader: Reader) -> Unpacked:
    order, sound = _hold_body(reader)
    return Unpacked(order, reader.signature(), sound)


def _capture(reader: Reader) -> Unpacked:
    order, sound = _hold_body(reader)
    prefix = (reader.number(1), reader.number(8))
    return Unpacked(order, reader.signature(), sound, prefix)


def is_sound(lots: Sequence[Lot]) -> bool:
    return 1 <= len(lots) <= 16 and all(amount for _, amount in lots)


def fits(lots: Sequence[Lot], prefix: Prefix) -> bool:
    count, last = prefix
    return last == 0 if count == 0 else count <= len(lots) and 1 <= last <= lots[count - 1][1]


class Orders(Book):
    """What a relayed batch does."""

    def _orders(self, packed: bytes, unpack: object) -> Iterator[Unpacked]:
        """Read order after order; what is no whole order at the end is one of nobody."""
        place = 0
        while place < len(packed):
            reader = Reader(packed, place)
            found = unpack(reader)  # type: ignore[operator]
            if reader.place > len(packed):
                self._reject(keccak(packed[place:]), ZERO, MALFORMED)
                return
            place = reader.place
            yield found

    def _reject(self, order_id: bytes, holder: str, code: int) -> None:
        self.tell("Rejected", orderId=order_id, holder=holder, code=code)

    # --------------------------------------------------------------------------------------------------- exchange

    def run_exchange(self, packed: bytes, at: int) -> None:
        self.check_running("exchange", at)
        for found in self._orders(packed, _exchange):
            order = found.order
            assert isinstance(order, ExchangeOrder)
            code = self._exchange(order, found.signature, at)
            if code != ACCEPTED:
                self._reject(self.id_of(order), order.holder, code)

    def _exchange(self, order: ExchangeOrder, signature: bytes, at: int) -> int:
        if order.amount == 0:
            return MALFORMED
        if not self.is_signed(order.holder, self.id_of(order), signature):
            return BAD_SIGNATURE
        if not self.spend_nonce(order.holder, order.fromId, order.nonce):
            return NONCE_SPENT
        code, fen, out = self._exchange_terms(order, at)
        if code != ACCEPTED:
            return code
        if self.is_dead(order.fromId, at):
            return LOT_DEAD
        if self.balances[order.holder, order.fromId] < order.amount:
            return INSUFFICIENT
        to = token_id(order.toProgramme, order.fromId & 0xFFFFFFFF)
        self.move(order.fromId, order.amount, order.holder, None)
        self.move(to, out, None, order.holder)
        self.positions[self.of_programme(programme_of(order.fromId))] -= fen
        self.positions[self.of_programme(order.toProgramme)] += fen
        day = (at + 8 * 3600) // DAY
        if self.resident_cap_fen:
            self.outflow[order.holder, day] += fen
        if self.inflow_caps[order.toProgramme]:
            self.inflow[order.toProgramme, day] += fen
        self.tell(
            "Exchanged",
            orderId=self.id_of(order),
            holder=order.holder,
            fromId=order.fromId,
            amountIn=order.amount,
            toId=to,
            amountOut=out,
            fen=fen,
        )
        return ACCEPTED

    def _exchange_terms(self, order: ExchangeOrder, at: int) -> tuple[int, int, int]:
        if at > order.deadline:
            return EXPIRED, 0, 0
        source, target = (self.programmes.get(p) for p in (programme_of(order.fromId), order.toProgramme))
        if source is None or target is None:
            return UNKNOWN_PROGRAMME, 0, 0
        goes_out = source.flags & EXCHANGE_OUT and self.is_spendable(programme_of(order.fromId), at)
        comes_in = target.flags & EXCHANGE_IN and target.state == ACTIVE
        if source is target or not goes_out or not comes_in:
            return FORBIDDEN, 0, 0
        fen = order.amount * source.par // MICROFEN_MINOR
        out = fen * MICROFEN_MINOR // target.par
        if out == 0:
            return NO_VALUE, 0, 0
        if out < order.minOut:
            return BELOW_MINIMUM, 0, 0
        return (CAP_EXCEEDED if self._is_capped(order, fen, out, at) else ACCEPTED), fen, out

    def _is_capped(self, order: ExchangeOrder, fen: int, out: int, at: int) -> bool:
        day = (at + 8 * 3600) // DAY
        resident, programme = self.resident_cap_fen, self.inflow_caps[order.toProgramme]
        return (
            out > LANE_MAX
            or fen >= 2**64
            or bool(resident and self.outflow[order.holder, day] + fen > resident)
            or bool(programme and self.inflow[order.toProgramme, day] + fen > programme)
            or out > self.room(token_id(order.toProgramme, order.fromId & 0xFFFFFFFF))
        )

    # ---------------------------------------------------------------------------------------------------- baskets

    def _basket_terms(self, order: RedeemOrder | HoldOrder, at: int) -> int:
        if at > order.deadline:
            return EXPIRED
        shop = self.shops.get(order.merchant)
        if shop is None or shop.key == ZERO:
            return UNKNOWN_MERCHANT
        for lot, _ in order.lots:
            terms = self.programmes.get(programme_of(lot))
            if terms is None:
                return UNKNOWN_PROGRAMME
            if not terms.flags & REDEEMABLE or not self.is_spendable(programme_of(lot), at):
                return FORBIDDEN
            if terms.scope and not terms.scope & shop.scope:
                return OUT_OF_SCOPE
        return ACCEPTED if sum(basket_fen(order.lots, self.pars())) else NO_VALUE

    def _take(self, order: RedeemOrder | HoldOrder, signature: bytes, sound: bool, at: int, to: str | None) -> int:
        """Check a basket and debit it, all lots or none."""
        if not sound or not is_sound(order.lots):
            return MALFORMED
        if not self.is_signed(order.holder, self.id_of(order), signature):
            return BAD_SIGNATURE
        if not self.spend_nonce(order.holder, order.lots[0][0], order.nonce):
            return NONCE_SPENT
        code = self._basket_terms(order, at)
        if code == ACCEPTED and isinstance(order, HoldOrder) and not at <= order.captureBy <= at + 30 * DAY:
            code = BAD_CAPTURE_TIME
        if code != ACCEPTED:
            return code
        wanted: dict[int, int] = {}
        for lot, amount in order.lots:
            wanted[lot] = wanted.get(lot, 0) + amount
            if self.is_dead(lot, at):
                return LOT_DEAD
            if self.balances[order.holder, lot] < wanted[lot]:
                return INSUFFICIENT
        for lot, amount in wanted.items():
            self.move(lot, amount, order.holder, to)
        return ACCEPTED

    def post(self, merchant: int, lots: Sequence[Lot], sign: int) -> int:
        """Debit each lot's programme and credit the merchant; or the reverse."""
        debits = basket_fen(lots, self.pars())
        for (lot, _), fen in zip(lots, debits, strict=True):
            self.positions[self.of_programme(programme_of(lot))] -= sign * fen
        self.positions[self.of_merchant(merchant)] += sign * sum(debits)
        return sum(debits)

    def _pay(self, order_id: bytes, order: RedeemOrder | HoldOrder, lots: tuple[Lot, ...], at: int) -> Paid:
        fen = self.post(order.merchant, lots, 1)
        self.tell("Redeemed", orderId=order_id, holder=order.holder, merchant=order.merchant, fen=fen)
        return Paid(order_id, order.holder, order.merchant, lots, fen, at, whole(lots))

    def _keep_receipts(self, payments: list[Paid]) -> list[Paid]:
        if payments:
            self.last_batch += 1
            self.roots[self.last_batch] = MerkleTree([paid.leaf() for paid in payments], sort=False).root
            for paid in payments:
                paid.batch = self.last_batch
            values = {"batch": self.last_batch, "root": self.roots[self.last_batch], "count": len(payments)}
            self.tell("RedemptionBatch", **values)
        return payments

    def run_redeem(self, packed: bytes, at: int) -> list[Paid]:
        self.check_running("redemption", at)
        payments = []
        for found in self._orders(packed, _redeem):
            order = found.order
            assert isinstance(order, RedeemOrder)
            code = self._take(order, found.signature, found.sound, at, None)
            if code == ACCEPTED:
                payments.append(self._pay(self.id_of(order), order, order.lots, at))
            else:
                self._reject(self.id_of(order), order.holder, code)
        return self._keep_receipts(payments)

    # ------------------------------------------------------------------------------------------------------ holds

    def run_hold(self, packed: bytes, at: int) -> None:
        self.check_running("redemption", at)
        for found in self._orders(packed, _hold):
            order = found.order
            assert isinstance(order, HoldOrder)
            order_id = self.id_of(order)
            code = self._take(order, found.signature, found.sound, at, self.ledger)
            if code != ACCEPTED:
                self._reject(order_id, order.holder, code)
                continue
            self.holds[order_id] = order
            self.tell("HoldOpened", holdId=order_id, holder=order.holder, lots=pack_lots(order.lots))
            values = {"merchant": order.merchant, "captureBy": order.captureBy, "cancellable": order.cancellable}
            self.tell("Held", orderId=order_id, holder=order.holder, **values)

    def run_capture(self, packed: bytes, at: int) -> list[Paid]:
        self.check_running("redemption", at)
        payments = []
        for found in self._orders(packed, _capture):
            order = found.order
            assert isinstance(order, HoldOrder)
            order_id = self.id_of(order)
            code = self._capture_code(order_id, order, found, at)
            if code != ACCEPTED:
                self._reject(order_id, order.holder, code)
                continue
            self._close(order_id, found.prefix, at)
            kept = tuple(prefix_of(order.lots, found.prefix))
            fen = sum(basket_fen(kept, self.pars()))
            count, last = found.prefix
            self.tell("Captured", orderId=order_id, merchant=order.merchant, lots=count, lastAmount=last, fen=fen)
            if kept:
                payments.append(self._pay(order_id, order, kept, at))
        return self._keep_receipts(payments)

    def _capture_code(self, order_id: bytes, order: HoldOrder, found: Unpacked, at: int) -> int:
        if not found.sound or not is_sound(order.lots) or not fits(order.lots, found.prefix):
            return MALFORMED
        if at > order.captureBy:
            return EXPIRED
        count, last = found.prefix
        digest = self.digest("Capture", orderId=order_id, lots=count, lastAmount=last)
        if not self._is_shop_s(order.merchant, digest, found.signature):
            return BAD_SIGNATURE
        # What names a programme that is not there has no value for it, and was never held.
        kept = [lot for lot in prefix_of(order.lots, found.prefix) if programme_of(lot[0]) in self.programmes]
        if count and sum(basket_fen(kept, self.pars())) == 0:
            return NO_VALUE
        return ACCEPTED if order_id in self.holds else NOT_HELD

    def _is_shop_s(self, merchant: int, digest: bytes, signature: bytes) -> bool:
        return merchant in self.shops and self.is_signed(self.shops[merchant].key, digest, signature)

    def run_release(self, packed: bytes, at: int) -> None:
        for found in self._orders(packed, _hold):
            order = found.order
            assert isinstance(order, HoldOrder)
            order_id = self.id_of(order)
            code = self._release_code(order_id, order, found, at)
            if code != ACCEPTED:
                self._reject(order_id, order.holder, code)
                continue
            self._close(order_id, (0, 0), at)
            self.tell("Released", orderId=order_id, holder=order.holder, merchant=order.merchant)

    def _release_code(self, order_id: bytes, order: HoldOrder, found: Unpacked, at: int) -> int:
        if not found.sound or not is_sound(order.lots):
            return MALFORMED
        digest = self.digest("Release", orderId=order_id)
        by_shop = self._is_shop_s(order.merchant, digest, found.signature)
        by_holder = order.cancellable and self.is_signed(order.holder, digest, found.signature)
        if at <= order.captureBy and not by_shop and not by_holder:
            return BAD_SIGNATURE
        return ACCEPTED if order_id in self.holds else NOT_HELD

    def _close(self, order_id: bytes, prefix: Prefix, at: int) -> None:
        order = self.holds.pop(order_id)
        receiver = self.current(order.holder)
        kept = [amount for _, amount in prefix_of(order.lots, prefix)] + [0] * len(order.lots)
        for (lot, amount), part in zip(order.lots, kept, strict=False):
            self.move(lot, part, self.ledger, None)
            self.give_back(receiver, lot, amount - part, at, self.ledger)
        count, last = prefix
        self.tell("HoldClosed", holdId=order_id, receiver=receiver, keptLots=count, lastAmount=last)
