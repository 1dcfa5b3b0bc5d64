"""Appropriations, cycles, settlement, refunds and disputes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from reference import Lot, Prefix, basket_fen, prefix_of, programme_of

from .book import DAY, Brake, Dispute, Line, Paid, Reverts, Shop
from .orders import Orders, fits

NONE, OPEN, CONTESTED, DECIDED, CLOSED = range(5)


class Clearing(Orders):
    """What institutions owe each other, and how orders are undone."""

    # --------------------------------------------------------------------------------------------- appropriations

    def appropriate(self, programme: int, year: int, fen: int, document: bytes, at: int) -> None:
        if fen == 0 or fen >= 2**96 or year == 0:
            raise Reverts("ClearingBookBadAppropriation", year, fen)
        self.years[programme, year][0] += fen
        values = {"fiscalYear": year, "fen": fen, "documentHash": document}
        self.tell("AppropriationRecorded", programme=programme, **values)

    def lapse(self, programme: int, year: int, at: int) -> None:
        fen = self.left_of(programme, year)
        if fen == 0:
            raise Reverts("ClearingBookNothingToLapse", programme, year)
        self.years[programme, year][1] += fen
        self.tell("AppropriationLapsed", programme=programme, fiscalYear=year, fen=fen)

    def register_merchant(self, merchant: int, key: str, scope: int, at: int) -> None:
        if merchant == 0:
            raise Reverts("ClearingBookBadMerchant")
        self.shops[merchant] = Shop(key, scope)
        self.tell("MerchantRegistered", id=merchant, key=key, scope=scope.to_bytes(32, "big"))

    # ----------------------------------------------------------------------------------------------------- cycles

    def close_cycle(self, programmes: Sequence[int], merchants: Sequence[int], at: int) -> None:
        """Net all free value of merchants over what programmes owe: largest remainder, then ascending ids."""
        for ids in (programmes, merchants):
            for before, after in itertools.pairwise(ids):
                if after <= before:
                    raise Reverts("SettlementUnsorted", after)
        listed = [self.of_programme(p) for p in programmes] + [self.of_merchant(m) for m in merchants]
        missing = sum(self.positions[participant] for participant in listed)
        if missing:
            raise Reverts("SettlementIncomplete", missing)
        claims = {merchant: self.free(merchant) for merchant in merchants}
        debts = {programme: self.owed(programme) for programme in programmes}
        total, sum_of_debts = sum(claims.values()), sum(debts.values())
        if total == 0:
            raise Reverts("SettlementNothingToPay")
        shares = {programme: total * debt // sum_of_debts for programme, debt in debts.items()}
        by_remainder = sorted(debts, key=lambda programme: (-(total * debts[programme] % sum_of_debts), programme))
        for programme in by_remainder[: total - sum(shares.values())]:
            shares[programme] += 1
        lines = []
        for merchant, claim in claims.items():
            left = claim
            for programme in programmes:
                fen = min(left, shares[programme])
                if fen:
                    lines.append(Line(programme, merchant, fen))
                    shares[programme] -= fen
                    left -= fen
        self.cycles.append(lines)
        self.tell("CycleClosed", cycle=len(self.cycles), lines=len(lines), fen=total)
        for line in lines:
            self.locked[self.of_programme(line.programme)] += line.fen
            self.locked[self.of_merchant(line.merchant)] += line.fen
            self.tell("Locked", programme=line.programme, merchant=line.merchant, fen=line.fen)

    def settle(self, cycle: int, place: int, reference: bytes, signature: bytes, at: int) -> None:
        if not 1 <= cycle <= len(self.cycles) or place >= len(self.cycles[cycle - 1]):
            raise Reverts("SettlementNoLine", cycle, place)
        line = self.cycles[cycle - 1][place]
        if line.settled:
            raise Reverts("SettlementSettled", cycle, place)
        if (line.programme, reference) in self.references:
            raise Reverts("SettlementReferenceUsed", line.programme, reference)
        fields = {"cycle": cycle, "programme": line.programme, "merchant": line.merchant, "fen": line.fen}
        digest = self.digest("Settlement", **fields, reference=reference)
        signers = [
            key for key in (self.shops[line.merchant].key, self.finance_key) if self.is_signed(key, digest, signature)
        ]
        if not signers:
            raise Reverts("SettlementBadSignature", cycle, place)
        line.settled = True
        self.references.add((line.programme, reference))
        self.tell("Settled", **fields, paymentReference=reference, signer=signers[0])
        for participant, sign in ((self.of_programme(line.programme), 1), (self.of_merchant(line.merchant), -1)):
            self.locked[participant] -= line.fen
            self.positions[participant] += sign * line.fen
        self.paid[line.programme] += line.fen
        self.tell("Paid", programme=line.programme, merchant=line.merchant, fen=line.fen)
        self.tell("PaidChanged", programme=line.programme, paid=self.paid[line.programme])

    def set_finance_key(self, key: str, at: int) -> None:
        self.finance_key = key
        self.tell("FinanceKeySet", key=key)

    # ---------------------------------------------------------------------------------------------------- refunds

    def _check_receipt(self, paid: Paid, lots: Sequence[Lot], batch: int, is_path: bool) -> None:
        """`is_path`: whether the path given leads from the receipt to the root of the batch named."""
        if tuple(lots) != paid.lots:
            raise Reverts("RefundDeskWrongLots", paid.order_id)
        if not is_path:
            raise Reverts("RefundDeskBadProof", paid.order_id, batch)

    def refund(
        self,
        paid: Paid,
        lots: Sequence[Lot],
        batch: int,
        is_path: bool,
        prefix: Prefix,
        signature: bytes,
        at: int,
    ) -> None:
        if at > paid.time + 90 * DAY:
            raise Reverts("RedemptionTooLate", paid.order_id, paid.time)
        self._check_receipt(paid, lots, batch, is_path)
        count, last = prefix
        digest = self.digest("Refund", orderId=paid.order_id, lots=count, lastAmount=last)
        if not self.is_signed(self.shops[paid.merchant].key, digest, signature):
            raise Reverts("RedemptionBadSignature", paid.order_id)
        fen = self._refund_fen(paid, prefix)
        free = self.free(paid.merchant)
        if fen > free:
            raise Reverts("ClearingBookNotCovered", paid.merchant, fen, free)
        self._check_room(paid, prefix, at)
        self._shorten(paid, prefix, fen, at)

    def _refund_fen(self, paid: Paid, prefix: Prefix) -> int:
        if not fits(paid.lots, prefix) or prefix >= paid.kept:
            raise Reverts("RefundDeskBadPrefix", *prefix)
        return self._fen(paid, paid.kept) - self._fen(paid, prefix)

    def _fen(self, paid: Paid, prefix: Prefix) -> int:
        return sum(basket_fen(prefix_of(paid.lots, prefix), self.pars()))

    def _check_room(self, paid: Paid, prefix: Prefix, at: int) -> None:
        """That all that comes back finds room in its lot."""
        before = (self.supplies.copy(), self.balances.copy(), self.reborn.copy())
        try:
            self._restore(paid, prefix, at)
        finally:
            self.told.clear()
            self.supplies, self.balances, self.reborn = before

    def _restore(self, paid: Paid, prefix: Prefix, at: int) -> str:
        """Give back what lies behind the prefix; return to whom."""
        before, after = prefix_of(paid.lots, paid.kept), prefix_of(paid.lots, prefix)
        receiver = self.current(paid.holder)
        kept = [amount for _, amount in after] + [0] * len(before)
        back: Counter[int] = Counter()
        for (lot, amount), part in zip(before, kept, strict=False):
            if amount != part:
                back[programme_of(lot)] += amount - part
                self.give_back(receiver, lot, amount - part, at, None)
        self.last_refund = dict(back)
        return receiver

    def _shorten(self, paid: Paid, prefix: Prefix, fen: int, at: int) -> None:
        self.post(paid.merchant, prefix_of(paid.lots, paid.kept), -1)
        self.post(paid.merchant, prefix_of(paid.lots, prefix), 1)
        receiver = self._restore(paid, prefix, at)
        paid.kept = self.kept[paid.order_id] = prefix
        values = {"merchant": paid.merchant, "lots": prefix[0], "lastAmount": prefix[1], "fen": fen}
        self.tell("Refunded", orderId=paid.order_id, receiver=receiver, **values)

    # --------------------------------------------------------------------------------------------------- disputes

    def _check_state(self, order_id: bytes, wanted: int) -> None:
        state = self.disputes[order_id].state if order_id in self.disputes else NONE
        if state != wanted:
            raise Reverts("DisputesBadState", order_id, state)

    def _set_disputed(self, merchant: int, change: int) -> None:
        self.disputed[merchant] += change
        self.tell("DisputedChanged", merchant=merchant, disputedFen=self.disputed[merchant])

    def open(self, paid: Paid, lots: Sequence[Lot], batch: int, is_path: bool, signature: bytes, at: int) -> None:
        if at > paid.time + 30 * DAY:
            raise Reverts("DisputesTooLate", paid.order_id, paid.time)
        self._check_state(paid.order_id, NONE)
        self._check_receipt(paid, lots, batch, is_path)
        digest = self.digest("Dispute", orderId=paid.order_id)
        accounts = (paid.holder, self.current(paid.holder))
        if not any(self.is_signed(account, digest, signature) for account in accounts):
            raise Reverts("DisputesBadSignature", paid.order_id)
        fen = min(self._fen(paid, paid.kept), self.free(paid.merchant))
        if fen == 0:
            raise Reverts("DisputesNothingToLock", paid.order_id)
        self.disputes[paid.order_id] = Dispute(OPEN, at, paid.merchant, fen)
        self.tell("Disputed", orderId=paid.order_id, holder=paid.holder, merchant=paid.merchant, fen=fen)
        self._set_disputed(paid.merchant, fen)

    def contest(self, order_id: bytes, signature: bytes, at: int) -> None:
        self._check_state(order_id, OPEN)
        dispute = self.disputes[order_id]
        if at >= dispute.opened_at + 7 * DAY:
            raise Reverts("DisputesContestTooLate", order_id)
        if not self._is_shop_s(dispute.merchant, self.digest("Contest", orderId=order_id), signature):
            raise Reverts("DisputesBadSignature", order_id)
        dispute.state = CONTESTED
        self.tell("Contested", orderId=order_id, merchant=dispute.merchant)

    def decide(self, order_id: bytes, fen: int, at: int) -> None:
        self._check_state(order_id, CONTESTED)
        dispute = self.disputes[order_id]
        if fen > dispute.locked:
            raise Reverts("DisputesTooMuch", order_id, fen, dispute.locked)
        freed = dispute.locked - fen
        dispute.state, dispute.locked = DECIDED, fen
        self.tell("Decided", orderId=order_id, refundFen=fen)
        self._set_disputed(dispute.merchant, -freed)

    def refund_locked(
        self, paid: Paid, lots: Sequence[Lot], batch: int, is_path: bool, prefix: Prefix, at: int
    ) -> None:
        self._check_receipt(paid, lots, batch, is_path)
        order_id = paid.order_id
        dispute = self.disputes.get(order_id)
        if dispute is None or dispute.state != DECIDED:
            self._check_state(order_id, OPEN)
            assert dispute is not None
            if at < dispute.opened_at + 7 * DAY:
                raise Reverts("DisputesTooEarly", order_id, dispute.opened_at + 7 * DAY)
        fen = self._refund_fen(paid, prefix)
        available = self.free(paid.merchant) + dispute.locked
        if fen > available:
            raise Reverts("ClearingBookNotCovered", paid.merchant, fen, available)
        self._check_room(paid, prefix, at)
        if fen > dispute.locked:
            raise Reverts("DisputesTooMuch", order_id, fen, dispute.locked)
        self._set_disputed(paid.merchant, -dispute.locked)
        self._shorten(paid, prefix, fen, at)
        dispute.locked -= fen
        self._set_disputed(paid.merchant, dispute.locked)

    def close(self, order_id: bytes, at: int) -> None:
        dispute = self.disputes.get(order_id)
        if dispute is None or dispute.state != DECIDED:
            self._check_state(order_id, OPEN)
            assert dispute is not None
        ready = dispute.opened_at + 60 * DAY
        if at < ready:
            raise Reverts("DisputesTooEarly", order_id, ready)
        freed, dispute.locked, dispute.state = dispute.locked, 0, CLOSED
        self.tell("DisputeClosed", orderId=order_id, freedFen=freed)
        self._set_disputed(dispute.merchant, -freed)

    # ----------------------------------------------------------------------------------------------------- brakes

    def pause(self, module: str, seconds: int, at: int) -> None:
        brake = self.brakes[module]
        if not 1 <= seconds <= 3 * DAY:
            raise Reverts("PausableBadDuration", seconds)
        if at < brake.next_from:
            raise Reverts("PausableTooSoon", brake.next_from)
        brake.until = at + seconds
        brake.next_from = brake.until + 7 * DAY
        self.tell("Paused", until=brake.until)

    def unpause(self, module: str, at: int) -> None:
        self.brakes[module].until = 0
        self.tell("Unpaused")

    def set_resident_cap(self, fen: int, at: int) -> None:
        self.resident_cap_fen = fen
        self.tell("ResidentCapSet", capFen=fen)

    def set_inflow_cap(self, programme: int, fen: int, at: int) -> None:
        self.inflow_caps[programme] = fen
        self.tell("InflowCapSet", programme=programme, capFen=fen)

    def replace_module(self, module: str, role: int, old: str, new: str, at: int) -> None:
        """Its role moves. What a module alone knew, its brake and its caps, begins anew; all else is in the books."""
        self.tell("RoleGranted", roleId=role, account=new, delay=0, since=at, newMember=True)
        self.tell("RoleRevoked", roleId=role, account=old)
        self.brakes[module] = Brake()
        if module == "exchange":
            self.resident_cap_fen = 0
            for counts in (self.inflow_caps, self.outflow, self.inflow):
                counts.clear()
