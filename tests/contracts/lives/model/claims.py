"""Merchants' claims as what each earned in each period, their locks, and the merchants themselves."""

from __future__ import annotations

from collections.abc import Sequence

from city import ADMIN, REDEMPTION, REGISTRAR
from reference import ZERO, Lot, Prefix, basket_fen, prefix_of, programme_of

from .accounts import Accounts
from .state import DAY, POOL, Lock, Reverts, Shop

MATURITY = 7 * DAY
"""The city of the tests has periods of a week."""
LOCK_TIME = 60 * DAY
FEN_MAX = 2**96 - 1


class Claims(Accounts):
    """Who is owed what since when."""

    def pars(self) -> dict[int, int]:
        return {programme: terms.par for programme, terms in self.terms.items()}

    def pool(self) -> int:
        """Return the fen in the treasury account that are not yet paid out."""
        return max(0, -self.positions[POOL])

    def parts(self, merchant: int | None, at: int) -> tuple[int, int, int]:
        """Return what has matured, what matures next and what after that; of all merchants for None."""
        now = at // MATURITY
        mine = [(when, fen) for (who, when), fen in self.earned.items() if merchant in (None, who)]
        matured = sum(fen for when, fen in mine if when <= now - 2)
        return matured, *(sum(fen for when, fen in mine if when == now - i) for i in (1, 0))

    def payable(self, merchant: int, at: int) -> int:
        free = max(0, self.parts(merchant, at)[0] - self.locked[merchant])
        ceiling = self.word["ceiling"]
        return min(free, max(0, ceiling - self.paid_in_cycle[merchant, self.word["cycle"]])) if ceiling else free

    def total_claims(self, at: int) -> tuple[int, ...]:
        return (*self.parts(None, at), sum(self.locked.values()), self.pool())

    def take(self, merchant: int, fen: int, earned_in: int, at: int) -> None:
        """Take fen of what was earned in a period or before, or has matured; youngest first."""
        bound = max(earned_in, at // MATURITY - 2)
        for when in sorted((when for who, when in self.earned if who == merchant and when <= bound), reverse=True):
            part = min(fen, self.earned[merchant, when])
            self.earned[merchant, when] -= part
            fen -= part
        assert fen == 0

    # ----------------------------------------------------------------------------------------------------- postings

    def pay_merchant(self, merchant: int, lots: Sequence[Lot], at: int) -> int:
        """Debit each lot's programme, credit the merchant, and return the fen."""
        debits = basket_fen(lots, self.pars())
        for (lot, _), fen in zip(lots, debits, strict=True):
            self.positions[1 << 32 | programme_of(lot)] -= fen
        self.earned[merchant, at // MATURITY] += sum(debits)
        return sum(debits)

    def take_back(
        self, order_id: bytes, merchant: int, lots: Sequence[Lot], before: Prefix, kept: Prefix, since: int, at: int
    ) -> tuple[int, int]:
        """Credit the programmes with what lies between two prefixes; return the fen, and what was locked for them."""
        old, new = (basket_fen(prefix_of(lots, prefix), self.pars()) for prefix in (before, kept))
        fen = sum(old) - sum(new)
        self.kept[order_id] = kept
        lock = self.locks[order_id]
        freed = min(lock.fen, fen)
        if freed:
            self._unlock(order_id, lock, freed)
        for place, (lot, _) in enumerate(prefix_of(lots, before)):
            gain = old[place] - (new[place] if place < len(new) else 0)
            self.positions[1 << 32 | programme_of(lot)] += gain
        return fen, freed

    def covered(self, merchant: int, since: int, at: int, by_arbiter: bool) -> int:
        """Return what a refund of an order of that time may draw on."""
        bound = max(since // MATURITY, at // MATURITY - 2)
        mine = {when: fen for (who, when), fen in self.earned.items() if who == merchant}
        of_its_time = sum(fen for when, fen in mine.items() if when <= bound)
        if by_arbiter:
            return of_its_time
        return min(of_its_time, max(0, sum(mine.values()) - self.locked[merchant]))

    # -------------------------------------------------------------------------------------------------------- locks

    def lock(self, module: str, order_id: bytes, merchant: int, fen: int, complaint: bytes, at: int) -> None:
        self.check_role(REDEMPTION, module)
        if fen == 0:
            raise Reverts("ClearingBookBadAmount", 0, FEN_MAX)
        if self.locks[order_id].until:
            raise Reverts("ClearingBookOrderLocked", order_id)
        until = at + LOCK_TIME
        self.locks[order_id] = Lock(merchant, fen, until)
        self.locked[merchant] += fen
        fields = {"orderId": order_id, "merchant": merchant, "fen": fen}
        self.tell("OrderLocked", **fields, until=until, complaintHash=complaint)

    def unlock(self, order_id: bytes, at: int) -> None:
        """Anyone, when the lock's time is over."""
        lock = self.locks[order_id]
        if lock.fen == 0:
            raise Reverts("ClearingBookOrderNotLocked", order_id)
        if at < lock.until:
            raise Reverts("ClearingBookTooEarly", lock.until)
        self._unlock(order_id, lock, lock.fen)

    def _unlock(self, order_id: bytes, lock: Lock, fen: int) -> None:
        self.locks[order_id] = lock._replace(fen=lock.fen - fen)
        self.locked[lock.merchant] -= fen
        self.tell("OrderUnlocked", orderId=order_id, merchant=lock.merchant, fen=fen)

    # ---------------------------------------------------------------------------------------------------- merchants

    def register_merchant(self, caller: str, merchant: int, key: str, scope: int, at: int) -> None:
        self.check_role(REGISTRAR, caller)
        if merchant == 0:
            raise Reverts("ClearingBookBadMerchant")
        before = self.shops[merchant]
        old_scope, new_scope = before.scope.to_bytes(32, "big"), scope.to_bytes(32, "big")
        previous = {"previousKey": before.key, "previousScope": old_scope}
        self.tell("MerchantRegistered", id=merchant, **previous, key=key, scope=new_scope)
        self.shops[merchant] = Shop(key, scope)

    def set_arbiter_key(self, caller: str, key: str, at: int) -> None:
        self.check_role(ADMIN, caller)
        self.tell("ArbiterKeySet", previousKey=self.word["arbiter"] or ZERO, key=key)
        self.word["arbiter"] = key
