"""Rules of PointsLedger: transfers, lots, holds, accounts, programmes."""

from __future__ import annotations

from ledger.audit.books import NOBODY, Account, Hold, Migration, ProgrammeBook
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, batch_name, hex_of, move_name, name_of
from ledger.audit.transaction import Move
from ledger.proofs.events import Event
from ledger.standard.contract import (
    CLOSED_AFTER_SPENDING_S,
    LANE_MAX,
    MIGRATION_WAIT_S,
    SPENDING_AFTER_CLOSING_S,
    ProgrammeFlag,
    ProgrammeState,
)
from ledger.standard.errors import MalformedPacked
from ledger.standard.ids import programme_of
from ledger.standard.keccak import keccak256
from ledger.standard.packed import unpack_lots
from ledger.standard.quarters import quarter_at


class PointsRules(Rules):
    """Events of PointsLedger, and what of its transfers no event explains."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("PointsLedger", "Transfer"): self._transfer,
            ("PointsLedger", "Approval"): self._approval,
            ("PointsLedger", "OperatorSet"): self._operator_set,
            ("PointsLedger", "ProgrammeRegistered"): self._programme_registered,
            ("PointsLedger", "IssuerKeySet"): self._issuer_key_set,
            ("PointsLedger", "RulebookSet"): self._rulebook_set,
            ("PointsLedger", "ProgrammeStateSet"): self._programme_state_set,
            ("PointsLedger", "BatchLanded"): self._batch_landed,
            ("PointsLedger", "Swept"): self._swept,
            ("PointsLedger", "HoldOpened"): self._hold_opened,
            ("PointsLedger", "HoldClosed"): self._hold_closed,
            ("PointsLedger", "LotReborn"): self._lot_reborn,
            ("PointsLedger", "RebirthCapSet"): self._rebirth_cap_set,
            ("PointsLedger", "NonceCancelled"): self._nonce_cancelled,
            ("PointsLedger", "SuccessorSet"): self._successor_set,
            ("PointsLedger", "MigrationRequested"): self._migration_requested,
            ("PointsLedger", "MigrationApproved"): self._migration_approved,
            ("PointsLedger", "MigrationCancelled"): self._migration_cancelled,
        }

    def check_plain_transfer(self, move: Move) -> None:
        """A move that no module's event explains: between holders, of a transferable lot, or to a successor."""
        sender, receiver, token, _ = move
        where = self.tx.where
        if NOBODY in (sender, receiver) or self.books.ledger in (sender, receiver):
            raise Contradicted("unexplained transfer", where, "an event that explains it", move_name(move))
        if self.is_dead(token):
            raise Contradicted(f"transfer of lot {token}", where, "a living lot", "a dead one")
        migrated = sender in self.books.successors and self.books.current_account(sender) == receiver
        if not migrated and not self.books.programmes[programme_of(token)].flags & ProgrammeFlag.TRANSFERABLE:
            raise Contradicted(
                f"transfer of lot {token}", where, "a transferable programme or a successor", move_name(move)
            )

    def _transfer(self, event: Event) -> None:
        sender, receiver, token, amount = event["sender"], event["receiver"], event["id"], event["amount"]
        programme = self.programme(programme_of(token), event)
        books = self.books
        if sender == NOBODY:
            books.supply[token] += amount
            programme.supply += amount
        else:
            before = books.balances[sender, token]
            if before < amount:
                raise Contradicted(
                    f"balance of {name_of(sender)} in lot {token}", event.log.where, f">= {amount}", before
                )
            books.balances[sender, token] = before - amount
        if receiver == NOBODY:
            books.supply[token] -= amount
            programme.supply -= amount
        else:
            after = books.balances[receiver, token] + amount
            if after > LANE_MAX:
                raise Contradicted(f"lane of {name_of(receiver)}", event.log.where, f"<= {LANE_MAX}", after)
            books.balances[receiver, token] = after
        self.tx.moves.append((sender, receiver, token, amount))

    def _approval(self, event: Event) -> None:
        self.books.allowances.add((event["owner"], event["spender"], event["id"]))

    def _operator_set(self, event: Event) -> None:
        self.books.operators[event["owner"], event["spender"]] = event["approved"]

    def _programme_registered(self, event: Event) -> None:
        identifier = event["programme"]
        if identifier in self.books.programmes:
            raise Contradicted(f"programme {identifier}", event.log.where, "registered once", "registered again")
        self.books.programmes[identifier] = ProgrammeBook(event["par"], event["flags"], event["spendScope"], state=0)

    def _issuer_key_set(self, event: Event) -> None:
        self.programme(event["programme"], event)
        self.books.issuer_keys[event["programme"], event["key"]] = event["active"]

    def _rulebook_set(self, event: Event) -> None:
        programme = self.programme(event["programme"], event)
        if event["version"] <= programme.rulebook_version:
            what = f"rulebook of programme {event['programme']}"
            raise Contradicted(what, event.log.where, f"version > {programme.rulebook_version}", event["version"])
        programme.rulebook_version, programme.rulebook_hash = event["version"], event["rulebookHash"]

    def _programme_state_set(self, event: Event) -> None:
        programme, state = self.programme(event["programme"], event), event["state"]
        if state != programme.state + 1 or state > ProgrammeState.CLOSED:
            what = f"state of programme {event['programme']}"
            raise Contradicted(what, event.log.where, programme.state + 1, state)
        if state == ProgrammeState.CLOSING:
            programme.spendable_until = self.tx.time + SPENDING_AFTER_CLOSING_S
        elif state == ProgrammeState.CLOSED and self.tx.time < programme.spendable_until + CLOSED_AFTER_SPENDING_S:
            raise Contradicted("closing time", event.log.where, "120 days after spending ended", self.tx.time)
        programme.state = state

    def _batch_landed(self, event: Event) -> None:
        key = (event["programme"], event["number"])
        if key in self.books.batches or key in self.books.void_batches or key in self.tx.landed:
            raise Contradicted(
                f"batch {batch_name(key)}", event.log.where, "a number used once", "it landed or was void"
            )
        self.tx.landed[key] = event["evidenceRoot"]

    def _swept(self, event: Event) -> None:
        holder, token, amount = event["holder"], event["id"], event["amount"]
        self.take(event, [(holder, NOBODY, token, amount)])
        if not self.is_dead(token):
            raise Contradicted(f"sweep of lot {token}", event.log.where, "a dead lot", "a living one")
        self.programme(programme_of(token), event).figures.expired += amount

    def _hold_opened(self, event: Event) -> None:
        hold_id, holder = event["holdId"], event["holder"]
        try:
            lots = tuple((lot.id, lot.amount) for lot in unpack_lots(event["lots"]))
        except MalformedPacked as error:
            raise Contradicted(f"lots of hold {hex_of(hold_id)}", event.log.where, "packed lots", error) from error
        self.once(hold_id, event)
        self.take(event, [(holder, self.books.ledger, token, amount) for token, amount in lots])
        for token, _ in lots:
            self.check_alive(token, event)
        hold = Hold(holder, lots)
        self.books.holds[hold_id] = self.tx.opened[hold_id] = hold
        self.books.hold_ids.add(hold_id)

    def _hold_closed(self, event: Event) -> None:
        hold = self.books.holds.pop(event["holdId"], None)
        if hold is None:
            raise Contradicted(f"hold {hex_of(event['holdId'])}", event.log.where, "open", "not open")
        receiver = self.check_receiver(hold.holder, event["receiver"], event)
        kept = self.prefix(hold.lots, event["keptLots"], event["lastAmount"], event)
        moves: list[Move] = []
        ledger = self.books.ledger
        for index, (token, amount) in enumerate(hold.lots):
            kept_amount = kept[index][1] if index < len(kept) else 0
            if kept_amount:
                moves.append((ledger, NOBODY, token, kept_amount))
            if kept_amount != amount:
                moves += self.returned(receiver, token, amount - kept_amount, ledger)
        self.take(event, moves)
        self.tx.closed[event["holdId"]] = (hold, receiver, event["keptLots"], event["lastAmount"])

    def _lot_reborn(self, event: Event) -> None:
        dead, alive = event["deadId"], event["id"]
        expected = (dead >> 32 << 32) | quarter_at(self.tx.time)
        if alive != expected or not self.is_dead(dead):
            raise Contradicted("rebirth", event.log.where, f"a dead lot reborn in {expected}", f"{dead} in {alive}")
        self.books.reborn.add(event["holder"])
        self.tx.reborn.append((event["holder"], dead, alive, event["amount"]))

    def _rebirth_cap_set(self, event: Event) -> None:
        self.books.rebirth_cap_fen = event["capFen"]

    def _nonce_cancelled(self, event: Event) -> None:
        self.spend(event["holder"], event["id"], event["nonce"], event)

    def _successor_set(self, event: Event) -> None:
        holder, successor = event["holder"], event["successor"]
        self._check_successor(holder, successor, event)
        self.books.successors[holder] = successor
        asked = self.books.migrations.get(holder)
        due = asked is not None and asked.approved and self.tx.time >= asked.executable_from
        if asked is not None and due and asked.successor == successor:
            # Carried out, and so deleted; or the holder moved by key, and it stays. No event tells.
            self.books.migrations[holder] = None

    def _check_successor(self, holder: Account, successor: Account, event: Event) -> None:
        retired = self.books.successors
        if holder in retired or successor in retired or successor in (NOBODY, holder, self.books.ledger):
            what = f"successor of {name_of(holder)}"
            raise Contradicted(what, event.log.where, "a first, fresh one", name_of(successor))

    def _migration_requested(self, event: Event) -> None:
        holder, successor, ids = event["holder"], event["successor"], event["ids"]
        self._check_successor(holder, successor, event)
        if event["executableFrom"] != self.tx.time + MIGRATION_WAIT_S:
            what = f"migration of {name_of(holder)}"
            raise Contradicted(what, event.log.where, "seven days to cancel it", event["executableFrom"])
        words = [int.from_bytes(successor, "big"), 64, len(ids), *ids]
        terms = keccak256(b"".join([word.to_bytes(32, "big") for word in words]))
        self.books.migrations[holder] = Migration(successor, terms, event["executableFrom"])

    def _migration_approved(self, event: Event) -> None:
        self._asked(event).approved = True

    def _migration_cancelled(self, event: Event) -> None:
        self._asked(event)
        self.books.migrations[event["holder"]] = Migration(NOBODY, bytes(32), 0)

    def _asked(self, event: Event) -> Migration:
        asked = self.books.migrations.get(event["holder"])
        if asked is None or asked.terms == bytes(32):
            raise Contradicted(f"migration of {name_of(event['holder'])}", event.log.where, "one asked for", "none")
        return asked
