"""What the contracts should do, in plain Python: the whole state and every decision, without a chain.

Written from the interfaces' prose, not from the Solidity. Each act takes the time of its block and either changes the
state and returns what should be seen, or raises `Reverts` and changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    ExchangeOrder,
    HoldOrder,
    Lot,
    Prefix,
    RedeemOrder,
    basket_fen,
    prefix_of,
    programme_of,
    quarter_end,
    quarter_of,
    token_id,
    whole,
)

TRANSFERABLE, EXCHANGE_IN, EXCHANGE_OUT, REDEEMABLE = 1, 2, 4, 8
ACTIVE, CLOSING = 1, 2
DAY = 86_400
ESCROW = "escrow"


class Reverts(Exception):
    """The call should revert with this error."""


@dataclass
class Programme:
    par: int
    flags: int
    scope: int
    state: int = ACTIVE
    spendable_until: int = 0


@dataclass
class Paid:
    """A redemption with a receipt."""

    order_id: bytes
    holder: str
    merchant: int
    lots: tuple[Lot, ...]
    fen: int
    time: int
    kept: Prefix
    batch: int = 0


@dataclass
class Model:
    """The state of both books."""

    programmes: Mapping[int, Programme]
    scopes: Mapping[int, int]
    balances: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    positions: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    merchants: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    locked: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """By participant id of the clearing book."""
    appropriated: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    paid: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    nonces: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    holds: dict[bytes, HoldOrder] = field(default_factory=dict)
    successor: dict[str, str] = field(default_factory=dict)
    reborn: dict[str, tuple[int, int]] = field(default_factory=dict)
    rebirth_cap_fen: int = 0
    resident_cap_fen: int = 0
    outflow: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    lines: list[tuple[int, int, int]] = field(default_factory=list)
    """Unpaid lines of the last cycle: programme, merchant, fen."""
    value_in: int = 0
    """Micro-fen times minor units that were minted, less what was revoked or swept."""

    # ------------------------------------------------------------------------------------------------------ facts

    def par(self, lot: int) -> int:
        return self.programmes[programme_of(lot)].par

    def pars(self) -> dict[int, int]:
        return {programme: terms.par for programme, terms in self.programmes.items()}

    def supply(self, programme: int) -> int:
        return sum(amount for (_, lot), amount in self.balances.items() if programme_of(lot) == programme)

    def lot_supply(self, lot: int) -> int:
        return sum(amount for (_, other), amount in self.balances.items() if other == lot)

    def is_dead(self, lot: int, at: int) -> bool:
        quarter = lot & 0xFFFFFFFF
        terms = self.programmes.get(programme_of(lot))
        over = terms is not None and terms.spendable_until != 0 and at >= terms.spendable_until
        return (quarter != 0 and at >= quarter_end(quarter)) or over

    def current(self, holder: str) -> str:
        while holder in self.successor:
            holder = self.successor[holder]
        return holder

    def free(self, merchant: int) -> int:
        return max(0, self.merchants[merchant] - self.locked[2 << 32 | merchant])

    def owed(self, programme: int) -> int:
        return max(0, -self.positions[programme] - self.locked[1 << 32 | programme])

    # -------------------------------------------------------------------------------------------------- issuance

    def mint(self, lot: int, grants: Sequence[tuple[str, int]], at: int) -> None:
        programme = programme_of(lot)
        terms = self.programmes[programme]
        if terms.state != ACTIVE:
            raise Reverts("PointsLedgerNotActive")
        if self.is_dead(lot, at):
            raise Reverts("PointsLedgerLotDead")
        minted = sum(amount for _, amount in grants)
        funding = self.appropriated[programme] - self.paid[programme] + self.positions[programme]
        if (self.supply(programme) + minted) * terms.par > funding * MICROFEN_MINOR:
            raise Reverts("IssuanceFundingExceeded")
        if self.lot_supply(lot) + minted > LANE_MAX:
            raise Reverts("PointsLedgerLotFull")
        for account, amount in grants:
            self.balances[account, lot] += amount
        self.value_in += minted * terms.par

    def revoke(self, account: str, lot: int, rise: int) -> tuple[int, int]:
        """Return what is taken and the shortfall."""
        account = self.current(account)
        taken = min(rise, self.balances[account, lot])
        self.balances[account, lot] -= taken
        self.value_in -= taken * self.par(lot)
        return taken, rise - taken

    # ---------------------------------------------------------------------------------------------------- orders

    def _spend_nonce(self, holder: str, lot: int, nonce: int) -> bool:
        word = (holder, (lot >> 32 << 32) | ((lot & 0xFFFFFFFF) + 3) >> 2)
        base, window = self.nonces.get(word, (0, 0))
        if not base <= nonce < base + 64:
            return False
        if nonce >= base + 32:
            slide = nonce - base - 31
            base, window = base + slide, window >> slide
        if window >> (nonce - base) & 1:
            return False
        self.nonces[word] = (base, window | 1 << (nonce - base))
        return True

    def exchange(self, order: ExchangeOrder, signed: bool, at: int) -> int:
        if order.amount == 0:
            return MALFORMED
        if not signed:
            return BAD_SIGNATURE
        if not self._spend_nonce(order.holder, order.fromId, order.nonce):
            return NONCE_SPENT
        code, fen, out = self._exchange_terms(order, at)
        if code != ACCEPTED:
            return code
        to = token_id(order.toProgramme, order.fromId & 0xFFFFFFFF)
        if self.lot_supply(to) + out > LANE_MAX:
            return CAP_EXCEEDED
        if self.is_dead(order.fromId, at):
            return LOT_DEAD
        if self.balances[order.holder, order.fromId] < order.amount:
            return INSUFFICIENT
        self.balances[order.holder, order.fromId] -= order.amount
        self.balances[order.holder, to] += out
        self.positions[programme_of(order.fromId)] -= fen
        self.positions[order.toProgramme] += fen
        if self.resident_cap_fen:
            self.outflow[order.holder, (at + 8 * 3600) // DAY] += fen
        return ACCEPTED

    def _exchange_terms(self, order: ExchangeOrder, at: int) -> tuple[int, int, int]:
        if at > order.deadline:
            return EXPIRED, 0, 0
        source, target = (self.programmes.get(p) for p in (programme_of(order.fromId), order.toProgramme))
        if source is None or target is None:
            return UNKNOWN_PROGRAMME, 0, 0
        spendable = source.spendable_until == 0 or at < source.spendable_until
        into = target.flags & EXCHANGE_IN and target.state == ACTIVE
        if source is target or not source.flags & EXCHANGE_OUT or not spendable or not into:
            return FORBIDDEN, 0, 0
        fen = order.amount * source.par // MICROFEN_MINOR
        out = fen * MICROFEN_MINOR // target.par
        if out == 0:
            return NO_VALUE, 0, 0
        if out < order.minOut:
            return BELOW_MINIMUM, 0, 0
        used = self.outflow[order.holder, (at + 8 * 3600) // DAY]
        if out > LANE_MAX or (self.resident_cap_fen and used + fen > self.resident_cap_fen):
            return CAP_EXCEEDED, 0, 0
        return ACCEPTED, fen, out

    def _basket_terms(self, order: RedeemOrder | HoldOrder, at: int) -> int:
        if at > order.deadline:
            return EXPIRED
        if order.merchant not in self.scopes:
            return UNKNOWN_MERCHANT
        for lot, _ in order.lots:
            terms = self.programmes.get(programme_of(lot))
            if terms is None:
                return UNKNOWN_PROGRAMME
            if not terms.flags & REDEEMABLE or (terms.spendable_until and at >= terms.spendable_until):
                return FORBIDDEN
            if terms.scope and not terms.scope & self.scopes[order.merchant]:
                return OUT_OF_SCOPE
        return ACCEPTED if sum(basket_fen(order.lots, self.pars())) else NO_VALUE

    def _take(self, order: RedeemOrder | HoldOrder, signed: bool, at: int) -> int:
        """Check a basket and debit it, all lots or none."""
        if not 1 <= len(order.lots) <= 16 or any(amount == 0 for _, amount in order.lots):
            return MALFORMED
        if not signed:
            return BAD_SIGNATURE
        if not self._spend_nonce(order.holder, order.lots[0][0], order.nonce):
            return NONCE_SPENT
        code = self._basket_terms(order, at)
        if code == ACCEPTED and isinstance(order, HoldOrder) and not at <= order.captureBy <= at + 30 * DAY:
            code = BAD_CAPTURE_TIME
        if code != ACCEPTED:
            return code
        wanted: dict[int, int] = defaultdict(int)
        for lot, amount in order.lots:
            wanted[lot] += amount
            if self.is_dead(lot, at):
                return LOT_DEAD
            if self.balances[order.holder, lot] < wanted[lot]:
                return INSUFFICIENT
        for lot, amount in wanted.items():
            self.balances[order.holder, lot] -= amount
        return ACCEPTED

    def _post(self, merchant: int, lots: Sequence[Lot], sign: int) -> int:
        debits = basket_fen(lots, self.pars())
        for (lot, _), fen in zip(lots, debits, strict=True):
            self.positions[programme_of(lot)] -= sign * fen
        self.merchants[merchant] += sign * sum(debits)
        return sum(debits)

    def redeem(self, order_id: bytes, order: RedeemOrder, signed: bool, at: int) -> int | Paid:
        """Return the code, or what was paid."""
        code = self._take(order, signed, at)
        if code != ACCEPTED:
            return code
        fen = self._post(order.merchant, order.lots, 1)
        return Paid(order_id, order.holder, order.merchant, order.lots, fen, at, whole(order.lots))

    def hold(self, order_id: bytes, order: HoldOrder, signed: bool, at: int) -> int:
        code = self._take(order, signed, at)
        if code == ACCEPTED:
            for lot, amount in order.lots:
                self.balances[ESCROW, lot] += amount
            self.holds[order_id] = order
        return code

    def capture(self, order_id: bytes, order: HoldOrder, prefix: Prefix, signed: bool, at: int) -> int | Paid | None:
        """Return the code, what was paid, or None where all was given back."""
        count, last = prefix
        fits = count <= len(order.lots) and (1 <= last <= order.lots[count - 1][1] if count else last == 0)
        if not fits:
            return MALFORMED
        if at > order.captureBy:
            return EXPIRED
        if not signed:
            return BAD_SIGNATURE
        kept = prefix_of(order.lots, prefix)
        # Lots of no programme are worth nothing.
        if kept and sum(basket_fen(kept, defaultdict(int, self.pars()))) == 0:
            return NO_VALUE
        if order_id not in self.holds:
            return NOT_HELD
        self._close(order_id, prefix, at)
        if not kept:
            return None
        fen = self._post(order.merchant, kept, 1)
        return Paid(order_id, order.holder, order.merchant, tuple(kept), fen, at, prefix)

    def release(self, order_id: bytes, order: HoldOrder, by: str, at: int) -> int:
        """`by` is who signed: merchant, holder or nobody."""
        allowed = at > order.captureBy or by == "merchant" or (by == "holder" and order.cancellable)
        if not allowed:
            return BAD_SIGNATURE
        if order_id not in self.holds:
            return NOT_HELD
        self._close(order_id, (0, 0), at)
        return ACCEPTED

    def _close(self, order_id: bytes, prefix: Prefix, at: int) -> None:
        order = self.holds.pop(order_id)
        receiver = self.current(order.holder)
        kept = [amount for _, amount in prefix_of(order.lots, prefix)] + [0] * len(order.lots)
        for (lot, amount), part in zip(order.lots, kept, strict=False):
            self.balances[ESCROW, lot] -= amount
            self._give_back(receiver, lot, amount - part, at)

    def _give_back(self, receiver: str, lot: int, amount: int, at: int) -> None:
        """In the lot itself, or reborn in the current quarter's where it died, within the receiver's cap."""
        quarter, programme = lot & 0xFFFFFFFF, programme_of(lot)
        now = quarter_of(at)
        alive_again = token_id(programme, now)
        moved = 0
        if amount and quarter and at >= quarter_end(quarter) and not self.is_dead(alive_again, at):
            used = self.reborn.get(receiver, (now, 0))
            spent = used[1] if used[0] == now else 0
            left = max(0, self.rebirth_cap_fen - spent)
            room = LANE_MAX - self.lot_supply(alive_again)
            moved = min(amount, room, left * MICROFEN_MINOR // self.par(lot))
            self.reborn[receiver] = (now, spent - (-moved * self.par(lot) // MICROFEN_MINOR))
        self.balances[receiver, alive_again] += moved
        self.balances[receiver, lot] += amount - moved

    def refund(self, paid: Paid, prefix: Prefix, signed: bool, at: int) -> None:
        if at > paid.time + 90 * DAY:
            raise Reverts("RedemptionTooLate")
        if not signed:
            raise Reverts("RedemptionBadSignature")
        count, last = prefix
        fits = count <= len(paid.lots) and (1 <= last <= paid.lots[count - 1][1] if count else last == 0)
        if not fits or prefix >= paid.kept:
            raise Reverts("RefundDeskBadPrefix")
        before, after = prefix_of(paid.lots, paid.kept), prefix_of(paid.lots, prefix)
        pars = self.pars()
        fen = sum(basket_fen(before, pars)) - sum(basket_fen(after, pars))
        if fen > self.free(paid.merchant):
            raise Reverts("ClearingBookNotCovered")
        self._post(paid.merchant, before, -1)
        self._post(paid.merchant, after, 1)
        receiver = self.current(paid.holder)
        kept = [amount for _, amount in after] + [0] * len(before)
        for (lot, amount), part in zip(before, kept, strict=False):
            self._give_back(receiver, lot, amount - part, at)
        paid.kept = prefix

    # -------------------------------------------------------------------------------------------------- accounts

    def transfer(self, sender: str, receiver: str, lot: int, amount: int, at: int) -> None:
        if not self.programmes[programme_of(lot)].flags & TRANSFERABLE:
            raise Reverts("PointsLedgerNotTransferable")
        if self.is_dead(lot, at):
            raise Reverts("PointsLedgerLotDead")
        if amount > self.balances[sender, lot]:
            raise Reverts("PointsLedgerInsufficientBalance")
        self.balances[sender, lot] -= amount
        self.balances[receiver, lot] += amount

    def migrate(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        if old in self.successor:
            raise Reverts("PointsLedgerRetired")
        if new == old or new in self.successor:
            raise Reverts("PointsLedgerBadReceiver")
        self.successor[old] = new
        self._move_living(old, new, lots, at)

    def forward(self, old: str, lots: Sequence[int], at: int) -> None:
        if old not in self.successor:
            raise Reverts("PointsLedgerNotRetired")
        self._move_living(old, self.current(old), lots, at)

    def _move_living(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        for lot in lots:
            if not self.is_dead(lot, at):
                amount = self.balances.pop((old, lot), 0)
                self.balances[new, lot] += amount

    def sweep(self, holder: str, lots: Sequence[int], at: int) -> None:
        held = [lot for lot in lots if self.balances[holder, lot]]
        if any(not self.is_dead(lot, at) for lot in held):
            raise Reverts("PointsLedgerLotAlive")
        for lot in held:
            self.value_in -= self.balances.pop((holder, lot), 0) * self.par(lot)

    # -------------------------------------------------------------------------------------------------- clearing

    def close_cycle(self) -> None:
        """Net all free value of merchants over what programmes owe: largest remainder, then ascending ids."""
        claims = {merchant: self.free(merchant) for merchant in sorted(self.scopes)}
        debts = {programme: self.owed(programme) for programme in sorted(self.programmes)}
        total, sum_of_debts = sum(claims.values()), sum(debts.values())
        if total == 0:
            raise Reverts("SettlementNothingToPay")
        shares = {programme: total * debt // sum_of_debts for programme, debt in debts.items()}
        by_remainder = sorted(debts, key=lambda programme: (-(total * debts[programme] % sum_of_debts), programme))
        for programme in by_remainder[: total - sum(shares.values())]:
            shares[programme] += 1
        self.lines = []
        for merchant, claim in claims.items():
            left = claim
            for programme in sorted(shares):
                fen = min(left, shares[programme])
                if fen:
                    self.lines.append((programme, merchant, fen))
                    shares[programme] -= fen
                    left -= fen
                    self.locked[1 << 32 | programme] += fen
                    self.locked[2 << 32 | merchant] += fen

    def settle(self, line: int) -> None:
        programme, merchant, fen = self.lines[line]
        self.paid[programme] += fen
        self.positions[programme] += fen
        self.merchants[merchant] -= fen
        self.locked[1 << 32 | programme] -= fen
        self.locked[2 << 32 | merchant] -= fen
