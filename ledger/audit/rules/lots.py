"""Rules of lots: transfers, allowances, sweeps, what is owed, nonces; and what of transfers no other event explains."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.audit.books import NOBODY, Account
from ledger.audit.nonces import ALL_SPENT, FRESH, locate, spend_nonce
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, effect_name, name_of
from ledger.audit.transaction import Collected, Effect, Move, Reborn
from ledger.proofs.events import Event
from ledger.standard.contract import ProgrammeFlag
from ledger.standard.ids import TREASURY, programme_of, programme_participant
from ledger.standard.value import to_value_down

_INFINITE = 2**256 - 1
_CLOSING = ("capture", "release", "refund", "arbiterRefund")
"""Calls of Redemption that give back, and so collect on their way."""


class LotRules(Rules):
    """Events of PointsLedger about balances."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("PointsLedger", "Transfer"): self._transfer,
            ("PointsLedger", "LotReborn"): self._reborn,
            ("PointsLedger", "OwedCollected"): self._owed_collected,
            ("PointsLedger", "Approval"): self._approval,
            ("PointsLedger", "OperatorSet"): self._operator_set,
            ("PointsLedger", "Swept"): self._swept,
            ("PointsLedger", "NonceCancelled"): self._nonce_cancelled,
        }

    def settle(self, upto: int, where: str) -> None:
        """Book the first ``upto`` effects that wait: they are moves that holders made themselves."""
        for effect in self.tx.trace[:upto]:
            if not isinstance(effect, Move):
                raise Contradicted("unexplained change", where, "an event that explains it", effect_name(effect))
            self._plain(effect, where)
        del self.tx.trace[:upto]

    def forward(self, holder: Account, to: Account, ids: Sequence[int], caller: Account, where: str) -> list[Effect]:
        """Spend a retired account's nonces in the words of ``ids``, and move the living lots."""
        moves: list[Effect] = []
        for token in ids:
            if token >> 64:
                continue
            self.books.nonces[holder, locate(token)[0]] = ALL_SPENT
            amount = self.books.balances.get((holder, token), 0)
            if amount and not self.is_dead(token):
                moves.append(self.apply(Move(caller, holder, to, token, amount), where))
        return moves

    def spend_nonce(self, holder: Account, token: int, nonce: int, where: str) -> None:
        """Spend a nonce in the word to which a lot belongs."""
        place = (holder, locate(token)[0])
        state = spend_nonce(self.books.nonces.get(place, FRESH), nonce)
        if state is None:
            raise Contradicted(f"nonce of {name_of(holder)}", where, "a free one", f"{nonce}, spent or out of reach")
        self.books.nonces[place] = state

    def _transfer(self, event: Event) -> None:
        values = event.values
        self.tx.trace.append(
            Move(values["caller"], values["sender"], values["receiver"], values["id"], values["amount"])
        )

    def _reborn(self, event: Event) -> None:
        self.tx.trace.append(Reborn(event["holder"], event["deadId"], event["id"], event["amount"]))

    def _owed_collected(self, event: Event) -> None:
        debtor, token, account, amount = event["debtor"], event["id"], event["account"], event["amount"]
        effect = Collected(debtor, token, account, amount)
        call = self.tx.call
        if call is not None and call.contract == "Redemption" and call.function in _CLOSING:
            self.tx.trace.append(effect)
            return
        where = event.log.where
        self.settle(len(self.tx.trace) - 1, where)
        caller = self._caller()
        owed = min(self.books.owed.get((debtor, token), 0), self.books.balances.get((account, token), 0))
        self.same(f"what {name_of(debtor)} owes of lot {token}", event, owed, amount)
        self.same("of whom it is collected", event, self.books.current_account(debtor), account)
        if self.is_dead(token) or not amount:
            raise Contradicted(f"collecting of lot {token}", where, "a living lot", "a dead one")
        self.tx.trace.append(effect)
        self.explain(event, self.collected(debtor, token, account, amount, caller, where))

    def _approval(self, event: Event) -> None:
        owner, spender, token, amount = event["owner"], event["spender"], event["id"], event["amount"]
        self.called_by(owner, "approve", event.log.where, spender=spender, id=token, amount=amount)
        self.books.allowances[owner, spender, token] = amount

    def _operator_set(self, event: Event) -> None:
        owner, spender, approved = event["owner"], event["spender"], event["approved"]
        self.called_by(owner, "setOperator", event.log.where, spender=spender, approved=approved)
        self.books.operators[owner, spender] = approved

    def _swept(self, event: Event) -> None:
        holder, token, amount = event["holder"], event["id"], event["amount"]
        where = event.log.where
        self.settle(len(self.tx.trace) - 1, where)
        if not self.is_dead(token) or holder == self.books.ledger:
            raise Contradicted(f"sweep of lot {token}", where, "a dead lot of a holder", "a living lot, or escrow")
        whole = self.books.balances.get((holder, token), 0)
        self.explain(event, [self.apply(Move(self._caller(), holder, NOBODY, token, whole), where)])
        self.same(f"sweep of lot {token}", event, whole, amount)
        programme = self.programme(programme_of(token), where)
        before = to_value_down(programme.swept, programme.par)
        programme.swept += amount
        programme.figures.expired += amount
        fen = to_value_down(programme.swept, programme.par) - before
        self.tx.due[programme_participant(programme_of(token))] -= fen
        self.tx.due[TREASURY] += fen

    def _caller(self) -> Account:
        """Who called the ledger: the transaction's sender, or the contract that the transfer names."""
        if self.tx.is_direct:
            return self.tx.sender
        first = self.tx.trace[0] if self.tx.trace else None
        return first.caller if isinstance(first, Move) else NOBODY

    def _nonce_cancelled(self, event: Event) -> None:
        holder, token, nonce = event["holder"], event["id"], event["nonce"]
        self.called_by(holder, "cancelNonce", event.log.where, id=token, nonce=nonce)
        self.spend_nonce(holder, token, nonce, event.log.where)

    def _plain(self, move: Move, where: str) -> None:
        """A move that no other event explains: between holders, of a transferable lot."""
        caller, sender, receiver, token, amount = move
        if NOBODY in (sender, receiver) or self.books.ledger in (sender, receiver):
            raise Contradicted("unexplained transfer", where, "an event that explains it", effect_name(move))
        if self.is_dead(token):
            raise Contradicted(f"transfer of lot {token}", where, "a living lot", "a dead one")
        allowed = caller == sender or self.books.operators.get((sender, caller), False)
        allowance = self.books.allowances.get((sender, caller, token), 0)
        if not allowed and amount > allowance:
            raise Contradicted(f"transfer of lot {token}", where, "the holder's", effect_name(move))
        if not self.programme(programme_of(token), where).flags & ProgrammeFlag.TRANSFERABLE:
            raise Contradicted(f"transfer of lot {token}", where, "a transferable programme", effect_name(move))
        if caller == sender and self.tx.call is not None and self.tx.call.function == "transfer":
            self.called_by(caller, "transfer", where, receiver=receiver, id=token, amount=amount)
        else:
            terms = {"sender": sender, "receiver": receiver, "id": token, "amount": amount}
            self.called_by(caller, "transferFrom", where, **terms)
        if not allowed and allowance != _INFINITE:
            self.books.allowances[sender, caller, token] = allowance - amount
        self.apply(move, where)
