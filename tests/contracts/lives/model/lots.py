"""Lots: who has how much, what is dead, what may be handed on, swept or forwarded, and which nonces are spent."""

from __future__ import annotations

from collections.abc import Sequence

from reference import LANE_MAX, ZERO, expiry_end, programme_of, to_fen_down, token_id

from .state import TRANSFERABLE, TREASURY, Reverts, State

INFINITE = 2**256 - 1
LAST_NONCE = 2**32 - 1
LOT_MAX = 2**64 - 1


class Lots(State):
    """The ERC-6909 part, and what follows from it."""

    def par(self, lot: int) -> int:
        terms = self.terms[programme_of(lot)]
        return int(terms.par) if terms else 0

    def supply(self, programme: int) -> int:
        return sum(amount for lot, amount in self.supplies.items() if lot >> 32 == programme)

    def is_over(self, lot: int, at: int) -> bool:
        """Whether its quarter ended seven days ago."""
        quarter = lot & 0xFFFFFFFF
        return quarter != 0 and at >= expiry_end(min(quarter, 4_000))

    def spending_over(self, programme: int, at: int) -> bool:
        until = self.spendable_until[programme]
        return until != 0 and at >= until

    def is_dead(self, lot: int, at: int) -> bool:
        return self.is_over(lot, at) or self.spending_over(lot >> 32, at)

    # ------------------------------------------------------------------------------------------------------ moving

    def move(self, lot: int, amount: int, source: str, target: str) -> None:
        """Move points; ZERO mints or burns. Every change is told."""
        if source == ZERO:
            if self.supplies[lot] + amount > LANE_MAX:
                raise Reverts("PointsLedgerLotFull", lot, self.supplies[lot] + amount)
            self.supplies[lot] += amount
        elif self.balances[source, lot] < amount:
            raise Reverts("PointsLedgerInsufficientBalance", source, self.balances[source, lot], amount, lot)
        else:
            self.balances[source, lot] -= amount
        if target == ZERO:
            self.supplies[lot] -= amount
        else:
            self.balances[target, lot] += amount
        self.tell("Transfer", sender=source, receiver=target, id=lot, amount=amount)

    def transfer(self, caller: str, sender: str, receiver: str, lot: int, amount: int, at: int) -> None:
        """Of the caller's own, or for somebody by allowance or as operator."""
        if caller != sender and not self.operators[sender, caller]:
            allowed = self.allowances[sender, caller, lot]
            if allowed < amount:
                raise Reverts("PointsLedgerInsufficientAllowance", caller, allowed, amount, lot)
            if allowed != INFINITE:
                self.allowances[sender, caller, lot] = allowed - amount
        programme = programme_of(lot) if lot <= LOT_MAX else 0
        if self.terms[programme] is None:
            raise Reverts("PointsLedgerUnknownProgramme", programme)
        if not self.terms[programme].flags & TRANSFERABLE:
            raise Reverts("PointsLedgerNotTransferable", programme)
        if self.is_dead(lot, at):
            raise Reverts("PointsLedgerLotDead", lot)
        if receiver in (ZERO, self.ledger):
            raise Reverts("PointsLedgerBadReceiver", receiver)
        self.move(lot, amount, sender, receiver)

    def approve(self, owner: str, spender: str, lot: int, amount: int, at: int) -> None:
        self.allowances[owner, spender, lot] = amount
        self.tell("Approval", owner=owner, spender=spender, id=lot, amount=amount)

    def set_operator(self, owner: str, spender: str, approved: bool, at: int) -> None:
        self.operators[owner, spender] = approved
        self.tell("OperatorSet", owner=owner, spender=spender, approved=approved)

    # ------------------------------------------------------------------------------------------------------- expiry

    def sweep(self, holder: str, lots: Sequence[int], at: int) -> None:
        """Burn dead lots; the treasury gains the whole fen that all sweeps of the programme have gained together."""
        if holder == self.ledger:
            raise Reverts("PointsLedgerEscrow")
        for lot in lots:
            amount = self.balances[holder, lot]
            if amount == 0:
                continue
            if not self.is_dead(lot, at):
                raise Reverts("PointsLedgerLotAlive", lot)
            self.move(lot, amount, holder, ZERO)
            self.tell("Swept", holder=holder, id=lot, amount=amount)
            programme = programme_of(lot)
            before = to_fen_down(self.swept[programme], self.par(lot))
            self.swept[programme] += amount
            fen = to_fen_down(self.swept[programme], self.par(lot)) - before
            self.positions[1 << 32 | programme] -= fen
            self.positions[TREASURY] += fen
            self.word["value_in"] -= amount * self.par(lot) - fen * 10**8

    def forward_lots(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        """Whatever the flags: living lots move, and every nonce of the words named is spent."""
        for lot in lots:
            if lot > LOT_MAX:
                continue
            self.nonces[self.place_of(old, lot)] = (LAST_NONCE, LAST_NONCE)
            if self.balances[old, lot] and not self.is_dead(lot, at):
                self.move(lot, self.balances[old, lot], old, new)

    # ------------------------------------------------------------------------------------------------------- nonces

    def place_of(self, account: str, lot: int) -> tuple[str, int]:
        """Return the word that holds the account's nonce for a lot: one a programme and calendar year."""
        return account, (lot >> 32 << 32) | ((lot & 0xFFFFFFFF) + 3) >> 2

    def spend_nonce(self, holder: str, lot: int, nonce: int) -> bool:
        word = self.place_of(holder, lot)
        base, window = self.nonces[word]
        if not base <= nonce < base + 64:
            return False
        if nonce >= base + 32:
            slide = nonce - base - 31
            base, window = base + slide, window >> slide
        if window >> (nonce - base) & 1:
            return False
        self.nonces[word] = (base, window | 1 << (nonce - base))
        return True

    def cancel_nonce(self, holder: str, lot: int, nonce: int, at: int) -> None:
        if lot > LOT_MAX or not self.spend_nonce(holder, lot, nonce):
            raise Reverts("PointsLedgerNonceSpent", holder, nonce)
        self.tell("NonceCancelled", holder=holder, id=lot, nonce=nonce)

    @staticmethod
    def lot_of(programme: int, quarter: int) -> int:
        return token_id(programme, quarter)
