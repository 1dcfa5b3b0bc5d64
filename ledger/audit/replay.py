"""Replays the contracts' events and refuses the first that contradicts the rules of the standard.

Transfers come first and the event that explains them after, within one transaction: a batch explains mints, an exchange
a burn and a mint, and so on. What no event explains at the end of its transaction is a contradiction. Every value
(fen, debits, postings, receipts' roots) is computed anew with `ledger.standard` and compared with what was emitted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.audit.books import (
    ACTIVE,
    CLOSED,
    CLOSING,
    CONTESTED,
    DECIDED,
    EXCHANGEABLE_IN,
    EXCHANGEABLE_OUT,
    NOBODY,
    OPEN,
    OVER,
    REDEEMABLE,
    TRANSFERABLE,
    Account,
    Batch,
    Books,
    Dispute,
    Hold,
    LotPart,
    PaidOrder,
    ProgrammeBook,
)
from ledger.audit.netting import Line, lines_of
from ledger.audit.report import Contradicted
from ledger.proofs.events import Event
from ledger.standard.errors import MalformedPacked, NoValue
from ledger.standard.evidence import MerkleTree, RedemptionReceipt
from ledger.standard.ids import merchant_participant, programme_participant, to_address
from ledger.standard.packed import unpack_lots
from ledger.standard.quarters import is_dead, quarter_at
from ledger.standard.typed_data import Lot, lots_hash
from ledger.standard.value import MICROFEN_MINOR, basket_debits_down, exchange_down

SPENDING_AFTER_CLOSING_S = 365 * 86_400
CLOSED_AFTER_SPENDING_S = 120 * 86_400
HOLD_MAX_S = 30 * 86_400
REFUND_MAX_S = 90 * 86_400
PAUSE_MAX_S = 72 * 3600
DISPUTE_MAX_S = 30 * 86_400
CONTEST_S = 7 * 86_400
DISPUTE_CLOSES_S = 60 * 86_400
_MERCHANT_KIND = 2
LANE_MAX = 2**48 - 1
LOTS_MAX = 16
REJECTION_CODES = range(1, 16)
NONCE_KEPT = (1, 2, 3, 14)
"""MALFORMED, BAD_SIGNATURE, NONCE_SPENT and NOT_HELD change nothing; every other rejection has spent a nonce."""

_BOOKS = ("PointsLedger", "ClearingBook")
_MODULES = ("Issuance", "Exchange", "Redemption", "Disputes", "Settlement")

Move = tuple[Account, Account, int, int]
"""(from, to, token id, amount)."""


@dataclass(slots=True)
class _Transaction:
    """What one transaction has done so far and not yet explained."""

    place: tuple[int, int] = (-1, -1)
    where: str = ""
    time: int = 0
    moves: list[Move] = field(default_factory=list)
    landed: dict[tuple[int, int], bytes] = field(default_factory=dict)
    reborn: list[tuple[Account, int, int, int]] = field(default_factory=list)
    opened: dict[bytes, Hold] = field(default_factory=dict)
    closed: dict[bytes, tuple[Hold, Account, int, int]] = field(default_factory=dict)
    captured: dict[bytes, tuple[Hold, tuple[LotPart, ...]]] = field(default_factory=dict)
    receipts: list[bytes] = field(default_factory=list)
    due: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    posted: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    locks: list[Line] = field(default_factory=list)
    payments: list[Line] = field(default_factory=list)
    paid: list[int] = field(default_factory=list)
    disputed: list[tuple[int, int]] = field(default_factory=list)
    """(merchant, disputed fen) that the next events must say."""
    freed: tuple[int, int] | None = None
    """(merchant, fen) freed for a refund that must come next."""


class Replay:
    """Applies events in chain order to `Books`."""

    def __init__(self, ledger: Account) -> None:
        """Begin with empty books; ``ledger`` is the PointsLedger's address, which is also where escrow lies."""
        self.books = Books(ledger)
        self._tx = _Transaction()
        self._handlers: dict[tuple[str, str], Callable[[Event], None]] = {
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
            ("PointsLedger", "MigrationRequested"): self._migration,
            ("PointsLedger", "MigrationApproved"): self._migration,
            ("PointsLedger", "MigrationCancelled"): self._migration,
            ("Issuance", "BatchMinted"): self._batch_minted,
            ("Issuance", "BatchVoided"): self._batch_voided,
            ("Issuance", "Revoked"): self._revoked,
            ("Exchange", "Exchanged"): self._exchanged,
            ("Exchange", "Rejected"): self._rejected,
            ("Exchange", "InflowCapSet"): self._no_effect,
            ("Exchange", "ResidentCapSet"): self._no_effect,
            ("Redemption", "Redeemed"): self._redeemed,
            ("Redemption", "RedemptionBatch"): self._redemption_batch,
            ("Redemption", "Held"): self._held,
            ("Redemption", "Captured"): self._captured,
            ("Redemption", "Released"): self._released,
            ("Redemption", "Refunded"): self._refunded,
            ("Redemption", "Rejected"): self._rejected,
            ("Disputes", "Refunded"): self._refunded,
            ("Disputes", "Disputed"): self._disputed,
            ("Disputes", "Contested"): self._contested,
            ("Disputes", "Decided"): self._decided,
            ("Disputes", "DisputeClosed"): self._dispute_closed,
            ("Settlement", "CycleClosed"): self._cycle_closed,
            ("Settlement", "Settled"): self._settled,
            ("Settlement", "FinanceKeySet"): self._finance_key_set,
            ("ClearingBook", "Locked"): self._locked,
            ("ClearingBook", "Paid"): self._paid,
            ("ClearingBook", "DisputedChanged"): self._disputed_changed,
            ("ClearingBook", "PositionChanged"): self._position_changed,
            ("ClearingBook", "AppropriationRecorded"): self._appropriation_recorded,
            ("ClearingBook", "AppropriationLapsed"): self._appropriation_lapsed,
            ("ClearingBook", "PaidChanged"): self._paid_changed,
            ("ClearingBook", "MerchantRegistered"): self._merchant_registered,
            ("AccessManager", "RoleGranted"): self._role_granted,
            ("AccessManager", "RoleRevoked"): self._role_revoked,
            ("AccessManager", "TargetFunctionRoleUpdated"): self._function_role,
        }
        for module in _MODULES:
            self._handlers[module, "Paused"] = self._paused
            self._handlers[module, "Unpaused"] = self._no_effect
        for contract in (*_BOOKS, *_MODULES):
            self._handlers[contract, "AuthorityUpdated"] = self._no_effect
        for name in (
            "OperationScheduled",
            "OperationExecuted",
            "OperationCanceled",
            "RoleLabel",
            "RoleAdminChanged",
            "RoleGuardianChanged",
            "RoleGrantDelayChanged",
            "TargetClosed",
            "TargetAdminDelayUpdated",
        ):
            self._handlers["AccessManager", name] = self._no_effect

        for name in ("Proposed", "Approved", "ApprovalWithdrawn", "Queued", "Executed", "MemberSet", "RulesSet"):
            self._handlers["Council", name] = self._no_effect

    def knows(self, contract: str, event: str) -> bool:
        """Whether the replay understands an event of a contract."""
        return (contract, event) in self._handlers

    def apply(self, event: Event, time: int) -> None:
        """Apply the next event; ``time`` is its block's Unix time. Raises Contradicted."""
        place = (event.log.block, event.log.transaction)
        if place != self._tx.place:
            self.end_transaction()
            if place < self._tx.place:
                raise Contradicted("order of logs", event.log.where, f"after {self._tx.where}", "an earlier place")
            self._tx = _Transaction(place=place, where=f"block {place[0]}, transaction {place[1]}", time=time)
        handler = self._handlers.get((event.contract, event.name))
        if handler is None:
            name = f"{event.contract}.{event.name}"
            raise Contradicted("unknown event", event.log.where, "an event this auditor understands", name)
        self.books.events += 1
        handler(event)

    def end_transaction(self) -> None:
        """Check that the transaction left nothing unexplained. Call once more after the last event."""
        tx = self._tx
        for move in tx.moves:
            self._check_plain_transfer(move)
        tx.moves.clear()
        leftovers: list[tuple[str, object]] = [
            ("a landed batch without BatchMinted", tx.landed),
            ("a reborn lot without its transfers", tx.reborn),
            ("a hold opened without Held", tx.opened),
            ("a hold closed without Captured or Released", tx.closed),
            ("a capture without Redeemed", tx.captured),
            ("redemptions without RedemptionBatch", tx.receipts),
            ("a cycle whose lines are not locked", tx.locks),
            ("a settlement without Paid", tx.payments),
            ("a payment without PaidChanged", tx.paid),
            ("a dispute without DisputedChanged", tx.disputed),
            ("disputed value freed without a refund", tx.freed),
        ]
        for what, items in leftovers:
            if items:
                raise Contradicted("unexplained change", tx.where, "every change explained by its event", what)
        for participant in tx.due.keys() | tx.posted.keys():
            due, posted = tx.due[participant], tx.posted[participant]
            if due != posted:
                raise Contradicted(
                    _participant(participant), tx.where, f"{due:+d} fen by the orders", f"{posted:+d} fen"
                )
        self._check_covered(tx)
        self._tx = _Transaction(place=tx.place, where=tx.where, time=tx.time)

    def _check_covered(self, tx: _Transaction) -> None:
        """What is listed for payment or disputed stays with the merchant until it is paid or freed."""
        books = self.books
        for participant in tx.posted:
            if participant >> 32 == _MERCHANT_KIND:
                merchant = participant & 0xFFFFFFFF
                bound = books.locked[participant] + books.disputed[merchant]
                if books.positions[participant] < bound:
                    what = f"position of merchant {merchant}"
                    raise Contradicted(what, tx.where, f">= {bound} fen", f"{books.positions[participant]} fen")

    # ------------------------------------------------------------------------------------------------ ledger

    def _transfer(self, event: Event) -> None:
        sender, receiver, token, amount = event["sender"], event["receiver"], event["id"], event["amount"]
        programme = self._programme(token >> 32, event)
        books = self.books
        if sender == NOBODY:
            books.supply[token] += amount
            programme.supply += amount
        else:
            before = books.balances[sender, token]
            if before < amount:
                raise Contradicted(
                    f"balance of {_name(sender)} in lot {token}", event.log.where, f">= {amount}", before
                )
            books.balances[sender, token] = before - amount
        if receiver == NOBODY:
            books.supply[token] -= amount
            programme.supply -= amount
        else:
            after = books.balances[receiver, token] + amount
            if after > LANE_MAX:
                raise Contradicted(f"lane of {_name(receiver)}", event.log.where, f"<= {LANE_MAX}", after)
            books.balances[receiver, token] = after
        self._tx.moves.append((sender, receiver, token, amount))

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
        self._programme(event["programme"], event)
        self.books.issuer_keys[event["programme"], event["key"]] = event["active"]

    def _rulebook_set(self, event: Event) -> None:
        programme = self._programme(event["programme"], event)
        if event["version"] <= programme.rulebook_version:
            what = f"rulebook of programme {event['programme']}"
            raise Contradicted(what, event.log.where, f"version > {programme.rulebook_version}", event["version"])
        programme.rulebook_version, programme.rulebook_hash = event["version"], event["rulebookHash"]

    def _programme_state_set(self, event: Event) -> None:
        programme, state = self._programme(event["programme"], event), event["state"]
        if state != programme.state + 1 or state > CLOSED:
            what = f"state of programme {event['programme']}"
            raise Contradicted(what, event.log.where, programme.state + 1, state)
        if state == CLOSING:
            programme.spendable_until = self._tx.time + SPENDING_AFTER_CLOSING_S
        elif state == CLOSED and self._tx.time < programme.spendable_until + CLOSED_AFTER_SPENDING_S:
            raise Contradicted("closing time", event.log.where, "120 days after spending ended", self._tx.time)
        programme.state = state

    def _batch_landed(self, event: Event) -> None:
        key = (event["programme"], event["number"])
        if key in self.books.batches or key in self.books.void_batches or key in self._tx.landed:
            raise Contradicted(f"batch {_batch(key)}", event.log.where, "a number used once", "it landed or was void")
        self._tx.landed[key] = event["evidenceRoot"]

    def _swept(self, event: Event) -> None:
        holder, token, amount = event["holder"], event["id"], event["amount"]
        self._take(event, [(holder, NOBODY, token, amount)])
        if not self._is_dead(token):
            raise Contradicted(f"sweep of lot {token}", event.log.where, "a dead lot", "a living one")
        self._programme(token >> 32, event).figures.expired += amount

    def _hold_opened(self, event: Event) -> None:
        hold_id, holder = event["holdId"], event["holder"]
        try:
            lots = tuple((lot.id, lot.amount) for lot in unpack_lots(event["lots"]))
        except MalformedPacked as error:
            raise Contradicted(f"lots of hold {_hex(hold_id)}", event.log.where, "packed lots", error) from error
        self._once(hold_id, event)
        self._take(event, [(holder, self.books.ledger, token, amount) for token, amount in lots])
        for token, _ in lots:
            self._check_alive(token, event)
        hold = Hold(holder, lots)
        self.books.holds[hold_id] = self._tx.opened[hold_id] = hold
        self.books.hold_ids.add(hold_id)

    def _hold_closed(self, event: Event) -> None:
        hold = self.books.holds.pop(event["holdId"], None)
        if hold is None:
            raise Contradicted(f"hold {_hex(event['holdId'])}", event.log.where, "open", "not open")
        receiver = self._check_receiver(hold.holder, event["receiver"], event)
        kept = self._prefix(hold.lots, event["keptLots"], event["lastAmount"], event)
        moves: list[Move] = []
        ledger = self.books.ledger
        for index, (token, amount) in enumerate(hold.lots):
            kept_amount = kept[index][1] if index < len(kept) else 0
            if kept_amount:
                moves.append((ledger, NOBODY, token, kept_amount))
            if kept_amount != amount:
                moves += self._returned(receiver, token, amount - kept_amount, ledger)
        self._take(event, moves)
        self._tx.closed[event["holdId"]] = (hold, receiver, event["keptLots"], event["lastAmount"])

    def _returned(self, receiver: Account, token: int, amount: int, source: Account) -> list[Move]:
        """The moves that give ``amount`` back: reborn as far as a LotReborn says so, the rest in its own lot."""
        moves: list[Move] = []
        waiting = self._tx.reborn
        reborn = 0
        if waiting and waiting[0][:2] == (receiver, token) and waiting[0][3] <= amount:
            _, _, alive, reborn = waiting.pop(0)
            if source != NOBODY:
                moves.append((source, NOBODY, token, reborn))
            moves.append((NOBODY, receiver, alive, reborn))
        if reborn != amount:
            moves.append((source, receiver, token, amount - reborn))
        return moves

    def _lot_reborn(self, event: Event) -> None:
        dead, alive = event["deadId"], event["id"]
        expected = (dead >> 32 << 32) | quarter_at(self._tx.time)
        if alive != expected or not self._is_dead(dead):
            raise Contradicted("rebirth", event.log.where, f"a dead lot reborn in {expected}", f"{dead} in {alive}")
        self.books.reborn.add(event["holder"])
        self._tx.reborn.append((event["holder"], dead, alive, event["amount"]))

    def _rebirth_cap_set(self, event: Event) -> None:
        self.books.rebirth_cap_fen = event["capFen"]

    def _nonce_cancelled(self, event: Event) -> None:
        self.books.cancelled_nonces.add((event["holder"], event["id"]))

    def _successor_set(self, event: Event) -> None:
        holder, successor = event["holder"], event["successor"]
        retired = self.books.successors
        if holder in retired or successor in retired or successor in (NOBODY, holder, self.books.ledger):
            raise Contradicted(f"successor of {_name(holder)}", event.log.where, "a first, fresh one", _name(successor))
        retired[holder] = successor
        self.books.migrations.add(holder)

    def _migration(self, event: Event) -> None:
        self.books.migrations.add(event["holder"])

    # ---------------------------------------------------------------------------------------------- issuance

    def _batch_minted(self, event: Event) -> None:
        identifier, number, quarter = event["programme"], event["number"], event["quarter"]
        key, token = (identifier, number), identifier << 32 | quarter
        root = self._tx.landed.pop(key, None)
        if root != event["evidenceRoot"]:
            raise Contradicted(f"batch {_batch(key)}", event.log.where, "its landed root", _hex(event["evidenceRoot"]))
        start = max(0, len(self._tx.moves) - event["count"])
        moves = self._tx.moves[start:]
        del self._tx.moves[start:]
        stranger = next((move for move in moves if move[0] != NOBODY or move[2] != token or move[1] == NOBODY), None)
        if stranger is not None:
            raise Contradicted(f"batch {_batch(key)}", event.log.where, f"mints of lot {token} only", _move(stranger))
        minted = sum(move[3] for move in moves)
        if (len(moves), minted) != (event["count"], event["amount"]):
            found = f"{len(moves)} transfers of {minted}"
            raise Contradicted(
                f"batch {_batch(key)}", event.log.where, f"{event['count']} grants of {event['amount']}", found
            )
        programme = self._programme(identifier, event)
        if not self.books.issuer_keys.get((identifier, event["signer"]), False):
            what = f"signer of batch {_batch(key)}"
            raise Contradicted(what, event.log.where, "an active issuer key", _name(event["signer"]))
        if programme.state != ACTIVE:
            raise Contradicted(f"batch {_batch(key)}", event.log.where, "an active programme", programme.state)
        if quarter == 0 and programme.par:
            raise Contradicted(f"batch {_batch(key)}", event.log.where, "a lot that expires", "quarter 0")
        self._check_alive(token, event)
        self._check_funding(identifier, event)
        grants = b"".join([move[1] + move[3].to_bytes(8, "big") for move in moves])
        self.books.batches[key] = Batch(event["evidenceRoot"], quarter, len(moves), minted, grants, event.log.block)
        programme.figures.minted += minted
        programme.figures.grants += len(moves)
        programme.figures.batches += 1

    def _check_funding(self, identifier: int, event: Event) -> None:
        """Invariant 4: after every mint supply * par <= (appropriated - paid + position) * 1e8."""
        books, programme = self.books, self.books.programmes[identifier]
        position = books.positions[programme_participant(identifier)]
        available = books.appropriated[identifier] - books.paid[identifier] + position
        if programme.supply * programme.par > available * MICROFEN_MINOR:
            needed = -(-programme.supply * programme.par // MICROFEN_MINOR)
            what = f"funding of programme {identifier}"
            raise Contradicted(what, event.log.where, f"<= {available} fen outstanding", f"{needed} fen")

    def _batch_voided(self, event: Event) -> None:
        key = (event["programme"], event["number"])
        if key in self.books.batches or key in self.books.void_batches:
            raise Contradicted(f"void of batch {_batch(key)}", event.log.where, "an unused number", "a used one")
        self.books.void_batches.add(key)

    def _revoked(self, event: Event) -> None:
        account, token, taken = event["account"], event["tokenId"], event["taken"]
        if taken:
            self._take(event, [(account, NOBODY, token, taken)])
        if token >> 32 != event["programme"]:
            raise Contradicted("revocation", event.log.where, f"a lot of programme {event['programme']}", token)
        self.books.revoked_totals[event["leaf"]] += taken + event["shortfall"]
        figures = self._programme(event["programme"], event).figures
        figures.revoked += taken
        figures.revoked_shortfall += event["shortfall"]

    # ---------------------------------------------------------------------------------------------- exchange

    def _exchanged(self, event: Event) -> None:
        order, holder = event["orderId"], event["holder"]
        source, target, amount, out = event["fromId"], event["toId"], event["amountIn"], event["amountOut"]
        self._once(order, event)
        self._take(event, [(holder, NOBODY, source, amount), (NOBODY, holder, target, out)])
        giving, taking = self._programme(source >> 32, event), self._programme(target >> 32, event)
        try:
            expected = exchange_down(amount, giving.par, taking.par)
        except NoValue as error:
            raise Contradicted(f"exchange {_hex(order)}", event.log.where, "programmes with a par", error) from error
        if (event["fen"], out) != expected or out == 0:
            found = f"{event['fen']} fen, {out} out"
            raise Contradicted(
                f"exchange {_hex(order)}", event.log.where, f"{expected[0]} fen, {expected[1]} out", found
            )
        allowed = giving.flags & EXCHANGEABLE_OUT and taking.flags & EXCHANGEABLE_IN and taking.state == ACTIVE
        if not allowed or source >> 32 == target >> 32 or (source ^ target) & 0xFFFFFFFF:
            what = f"exchange {_hex(order)}"
            raise Contradicted(what, event.log.where, "allowed programmes, same quarter", f"{source} to {target}")
        self._check_alive(source, event)
        self._tx.due[programme_participant(source >> 32)] -= event["fen"]
        self._tx.due[programme_participant(target >> 32)] += event["fen"]
        giving.figures.exchanged_out += amount
        taking.figures.exchanged_in += out
        self.books.exchanged_fen += event["fen"]

    def _rejected(self, event: Event) -> None:
        if event["code"] not in REJECTION_CODES:
            raise Contradicted("rejection", event.log.where, "a known code", event["code"])
        log = event.log
        if event["code"] not in NONCE_KEPT:
            self.books.rejected.append((log.block, log.transaction, event["orderId"], event["holder"]))
        self.books.rejections += 1

    # -------------------------------------------------------------------------------------------- redemption

    def _redeemed(self, event: Event) -> None:
        order, holder, merchant = event["orderId"], event["holder"], event["merchant"]
        capture = self._tx.captured.pop(order, None)
        if capture is not None:
            hold, lots = capture
            if (hold.holder, hold.merchant) != (holder, merchant):
                raise Contradicted(
                    f"capture {_hex(order)}", event.log.where, "holder and merchant of the hold", "others"
                )
        else:
            self._once(order, event)
            lots = self._burned_by(holder, event)
            for token, _ in lots:
                self._check_alive(token, event)
        self._check_merchant(merchant, [token >> 32 for token, _ in lots], event)
        debits = basket_debits_down([(self.books.programmes[token >> 32].par, amount) for token, amount in lots])
        if sum(debits) != event["fen"] or event["fen"] == 0:
            raise Contradicted(f"value of order {_hex(order)}", event.log.where, f"{sum(debits)} fen", event["fen"])
        for (token, amount), fen in zip(lots, debits, strict=True):
            self._tx.due[programme_participant(token >> 32)] -= fen
            self.books.programmes[token >> 32].figures.redeemed += amount
        self._tx.due[merchant_participant(merchant)] += event["fen"]
        self.books.redeemed_fen += event["fen"]
        self.books.paid_orders[order] = PaidOrder(holder, merchant, lots, lots, self._tx.time)
        signed = lots_hash([Lot(token, amount) for token, amount in lots])
        receipt = RedemptionReceipt(order, "0x" + holder.hex(), merchant, signed, event["fen"], self._tx.time)
        self._tx.receipts.append(receipt.hash())

    def _burned_by(self, holder: Account, event: Event) -> tuple[LotPart, ...]:
        """The lots of a redeem order are the burns just before it, in the signed order."""
        moves = self._tx.moves
        start = len(moves)
        while start and moves[start - 1][:2] == (holder, NOBODY):
            start -= 1
        burns = moves[start:]
        if not 1 <= len(burns) <= LOTS_MAX:
            what = f"order {_hex(event['orderId'])}"
            raise Contradicted(what, event.log.where, "burns of 1 to 16 lots", f"{len(burns)} burns")
        del moves[start:]
        return tuple((token, amount) for _, _, token, amount in burns)

    def _check_merchant(self, merchant: int, programmes: list[int], event: Event) -> None:
        key, scope = self.books.merchants.get(merchant, (NOBODY, bytes(32)))
        if key == NOBODY:
            raise Contradicted(f"merchant {merchant}", event.log.where, "registered", "unknown or retired")
        for identifier in programmes:
            programme = self._programme(identifier, event)
            if not programme.flags & REDEEMABLE:
                raise Contradicted(f"redemption of programme {identifier}", event.log.where, "redeemable", "not so")
            wanted = int.from_bytes(programme.spend_scope, "big")
            if wanted and not wanted & int.from_bytes(scope, "big"):
                what = f"merchant {merchant}"
                raise Contradicted(what, event.log.where, f"a scope of programme {identifier}", _hex(scope))

    def _redemption_batch(self, event: Event) -> None:
        receipts, self._tx.receipts = self._tx.receipts, []
        expected = MerkleTree(receipts, sort_leaves=False).root if receipts else b""
        if (event["count"], event["root"]) != (len(receipts), expected):
            what = f"receipts of redemption batch {event['batch']}"
            raise Contradicted(what, event.log.where, f"{len(receipts)} under {_hex(expected)}", _hex(event["root"]))
        if event["batch"] != len(self.books.receipt_roots) + 1:
            raise Contradicted("redemption batch", event.log.where, len(self.books.receipt_roots) + 1, event["batch"])
        self.books.receipt_roots[event["batch"]] = event["root"]

    def _held(self, event: Event) -> None:
        hold = self._tx.opened.pop(event["orderId"], None)
        if hold is None or hold.holder != event["holder"]:
            raise Contradicted(f"hold {_hex(event['orderId'])}", event.log.where, "HoldOpened of its holder", "none")
        if not self._tx.time <= event["captureBy"] <= self._tx.time + HOLD_MAX_S:
            raise Contradicted(f"hold {_hex(event['orderId'])}", event.log.where, "at most 30 days", event["captureBy"])
        self._check_merchant(event["merchant"], [token >> 32 for token, _ in hold.lots], event)
        hold.merchant, hold.capture_by = event["merchant"], event["captureBy"]

    def _captured(self, event: Event) -> None:
        order = event["orderId"]
        hold, _, kept, last = self._closed(order, event)
        lots = self._prefix(hold.lots, kept, last, event)
        fen = sum(basket_debits_down([(self.books.programmes[token >> 32].par, part) for token, part in lots]))
        expected = (hold.merchant, kept, last, fen)
        found = (event["merchant"], event["lots"], event["lastAmount"], event["fen"])
        if expected != found:
            what = f"capture {_hex(order)} (merchant, lots, last amount, fen)"
            raise Contradicted(what, event.log.where, expected, found)
        if self._tx.time > hold.capture_by:
            raise Contradicted(f"capture {_hex(order)}", event.log.where, f"by {hold.capture_by}", self._tx.time)
        if lots:
            self._tx.captured[order] = (hold, lots)

    def _released(self, event: Event) -> None:
        hold, _, kept, _ = self._closed(event["orderId"], event)
        if kept or hold.merchant != event["merchant"]:
            raise Contradicted(f"release {_hex(event['orderId'])}", event.log.where, "a whole release", f"{kept} kept")

    def _closed(self, order: bytes, event: Event) -> tuple[Hold, Account, int, int]:
        closed = self._tx.closed.pop(order, None)
        if closed is None:
            raise Contradicted(f"hold {_hex(order)}", event.log.where, "HoldClosed before this", "none")
        return closed

    def _refunded(self, event: Event) -> None:
        order = self.books.paid_orders.get(event["orderId"])
        what = f"refund of order {_hex(event['orderId'])}"
        if order is None or order.merchant != event["merchant"]:
            raise Contradicted(what, event.log.where, "an order paid to this merchant", "none")
        if self._tx.time > order.time + REFUND_MAX_S:
            raise Contradicted(what, event.log.where, "within 90 days", self._tx.time - order.time)
        receiver = self._check_receiver(order.holder, event["receiver"], event)
        kept = self._prefix(order.lots, event["lots"], event["lastAmount"], event)
        if kept == order.lots:
            raise Contradicted(what, event.log.where, "a shorter prefix", "the same")
        moves: list[Move] = []
        for index, (token, amount) in enumerate(order.lots):
            back = amount - (kept[index][1] if index < len(kept) else 0)
            if back:
                moves += self._returned(receiver, token, back, NOBODY)
                self.books.programmes[token >> 32].figures.refunded += back
        self._take(event, moves)
        fen = self._due_for_refund(order, kept)
        if fen != event["fen"]:
            raise Contradicted(what, event.log.where, f"{fen} fen", event["fen"])
        order.lots, order.refunded = kept, True
        self.books.refunded_fen += fen
        if event.contract == "Disputes":
            self._draw_on_dispute(event, fen)

    def _due_for_refund(self, order: PaidOrder, kept: tuple[LotPart, ...]) -> int:
        """Debits reverse by the differences between the old prefix's and the new one's; return their sum in fen."""
        programmes = self.books.programmes
        before = basket_debits_down([(programmes[token >> 32].par, amount) for token, amount in order.lots])
        after = basket_debits_down([(programmes[token >> 32].par, amount) for token, amount in kept])
        after += [0] * (len(before) - len(after))
        for (token, _), old, new in zip(order.lots, before, after, strict=True):
            self._tx.due[programme_participant(token >> 32)] += old - new
        fen = sum(before) - sum(after)
        self._tx.due[merchant_participant(order.merchant)] -= fen
        return fen

    # ---------------------------------------------------------------------------------------------- disputes

    def _disputed(self, event: Event) -> None:
        order_id, merchant = event["orderId"], event["merchant"]
        order = self.books.paid_orders.get(order_id)
        what = f"dispute of order {_hex(order_id)}"
        if order is None or (order.merchant, order.holder) != (merchant, event["holder"]):
            raise Contradicted(what, event.log.where, "an order of this holder, paid to this merchant", "none")
        if order_id in self.books.disputes or self._tx.time > order.time + DISPUTE_MAX_S:
            raise Contradicted(what, event.log.where, "once, within 30 days", "again or later")
        kept = sum(basket_debits_down([(self.books.programmes[t >> 32].par, amount) for t, amount in order.lots]))
        fen = min(kept, self.books.free_fen(merchant))
        if fen != event["fen"] or fen == 0:
            raise Contradicted(what, event.log.where, f"{fen} fen locked", event["fen"])
        self.books.disputes[order_id] = Dispute(merchant, self._tx.time, fen)
        self._tx.disputed.append((merchant, self.books.disputed[merchant] + fen))

    def _contested(self, event: Event) -> None:
        dispute = self._dispute(event, OPEN)
        if dispute.merchant != event["merchant"] or self._tx.time >= dispute.opened_at + CONTEST_S:
            raise Contradicted("contest", event.log.where, "by the merchant within seven days", event["merchant"])
        dispute.state = CONTESTED

    def _decided(self, event: Event) -> None:
        dispute = self._dispute(event, CONTESTED)
        if event["refundFen"] > dispute.locked_fen:
            raise Contradicted("decision", event.log.where, f"<= {dispute.locked_fen} fen", event["refundFen"])
        left = self.books.disputed[dispute.merchant] - dispute.locked_fen + event["refundFen"]
        self._tx.disputed.append((dispute.merchant, left))
        dispute.state, dispute.locked_fen = DECIDED, event["refundFen"]

    def _draw_on_dispute(self, event: Event, fen: int) -> None:
        dispute = self._dispute(event, OPEN, DECIDED)
        if dispute.state == OPEN and self._tx.time < dispute.opened_at + CONTEST_S:
            raise Contradicted("refund of a dispute", event.log.where, "after seven days", self._tx.time)
        if fen > dispute.locked_fen:
            raise Contradicted("refund of a dispute", event.log.where, f"<= {dispute.locked_fen} fen", fen)
        # The module frees all that is locked, refunds, and locks again what the refund did not take.
        if self._tx.freed != (dispute.merchant, dispute.locked_fen):
            raise Contradicted("refund of a dispute", event.log.where, "its locked value freed", self._tx.freed)
        self._tx.freed = None
        dispute.locked_fen -= fen
        left = self.books.disputed[dispute.merchant] + dispute.locked_fen
        self._tx.disputed.append((dispute.merchant, left))

    def _dispute_closed(self, event: Event) -> None:
        dispute = self._dispute(event, OPEN, DECIDED)
        if event["freedFen"] != dispute.locked_fen or self._tx.time < dispute.opened_at + DISPUTE_CLOSES_S:
            raise Contradicted("end of a dispute", event.log.where, f"{dispute.locked_fen} fen", event["freedFen"])
        left = self.books.disputed[dispute.merchant] - dispute.locked_fen
        self._tx.disputed.append((dispute.merchant, left))
        dispute.state, dispute.locked_fen = OVER, 0

    def _dispute(self, event: Event, *states: int) -> Dispute:
        dispute = self.books.disputes.get(event["orderId"])
        if dispute is None or dispute.state not in states:
            found = "none" if dispute is None else f"state {dispute.state}"
            raise Contradicted(f"dispute of order {_hex(event['orderId'])}", event.log.where, f"state {states}", found)
        return dispute

    # -------------------------------------------------------------------------------------------- settlement

    def _cycle_closed(self, event: Event) -> None:
        """Who pays whom follows from the books; the locks that come next must be exactly that."""
        books = self.books
        claims = {merchant: books.free_fen(merchant) for merchant in books.merchants}
        debts = {programme: books.owed_fen(programme) for programme in books.programmes}
        lines = lines_of(claims, debts)
        expected = (len(books.cycles) + 1, len(lines), sum(fen for _, _, fen in lines))
        found = (event["cycle"], event["lines"], event["fen"])
        if expected != found:
            raise Contradicted("cycle (number, lines, fen)", event.log.where, expected, found)
        books.cycles.append(list(lines))
        self._tx.locks += lines

    def _locked(self, event: Event) -> None:
        line = (event["programme"], event["merchant"], event["fen"])
        expected = self._tx.locks.pop(0) if self._tx.locks else None
        if line != expected:
            raise Contradicted("line of a cycle (programme, merchant, fen)", event.log.where, expected, line)
        self.books.locked[programme_participant(line[0])] += line[2]
        self.books.locked[merchant_participant(line[1])] += line[2]

    def _settled(self, event: Event) -> None:
        line = (event["programme"], event["merchant"], event["fen"])
        cycle, reference = event["cycle"], (event["programme"], event["paymentReference"])
        unpaid = self.books.cycles[cycle - 1] if 1 <= cycle <= len(self.books.cycles) else []
        if line not in unpaid:
            raise Contradicted(f"payment in cycle {cycle}", event.log.where, "an unpaid line", line)
        if reference in self.books.references:
            raise Contradicted("payment reference", event.log.where, "used once", _hex(event["paymentReference"]))
        key, _ = self.books.merchants[line[1]]
        if event["signer"] not in (key, self.books.finance_key) or event["signer"] == NOBODY:
            raise Contradicted("who confirms a payment", event.log.where, "payee or finance", _name(event["signer"]))
        unpaid.remove(line)
        self.books.references.add(reference)
        self._tx.payments.append(line)
        self._tx.due[programme_participant(line[0])] += line[2]
        self._tx.due[merchant_participant(line[1])] -= line[2]

    def _paid(self, event: Event) -> None:
        line = (event["programme"], event["merchant"], event["fen"])
        expected = self._tx.payments.pop(0) if self._tx.payments else None
        if line != expected:
            raise Contradicted("payment (programme, merchant, fen)", event.log.where, expected, line)
        self.books.locked[programme_participant(line[0])] -= line[2]
        self.books.locked[merchant_participant(line[1])] -= line[2]
        self.books.paid[line[0]] += line[2]
        self._tx.paid.append(line[0])

    def _finance_key_set(self, event: Event) -> None:
        self.books.finance_key = event["key"]

    # ---------------------------------------------------------------------------------------------- clearing

    def _disputed_changed(self, event: Event) -> None:
        merchant, fen = event["merchant"], event["disputedFen"]
        if self._tx.disputed:
            expected = self._tx.disputed.pop(0)
            if (merchant, fen) != expected:
                raise Contradicted("disputed fen (merchant, fen)", event.log.where, expected, (merchant, fen))
        elif self._tx.freed is None:
            self._tx.freed = (merchant, self.books.disputed[merchant] - fen)
        else:
            raise Contradicted("disputed fen", event.log.where, "a refund of what was freed", "freed again")
        self.books.disputed[merchant] = fen

    def _position_changed(self, event: Event) -> None:
        participant = event["participant"]
        position = self.books.positions[participant] + event["delta"]
        if position != event["position"]:
            what = _participant(participant)
            raise Contradicted(what, event.log.where, f"{position} fen", f"{event['position']} fen")
        self.books.positions[participant] = position
        self._tx.posted[participant] += event["delta"]

    def _appropriation_recorded(self, event: Event) -> None:
        identifier, fen = event["programme"], event["fen"]
        recorded, lapsed = self.books.fiscal_years[identifier, event["fiscalYear"]]
        self.books.fiscal_years[identifier, event["fiscalYear"]] = (recorded + fen, lapsed)
        self.books.appropriated[identifier] += fen

    def _appropriation_lapsed(self, event: Event) -> None:
        identifier, fen = event["programme"], event["fen"]
        recorded, lapsed = self.books.fiscal_years[identifier, event["fiscalYear"]]
        if lapsed + fen > recorded:
            what = f"lapse of programme {identifier}"
            raise Contradicted(what, event.log.where, f"<= {recorded - lapsed} fen", f"{fen} fen")
        self.books.fiscal_years[identifier, event["fiscalYear"]] = (recorded, lapsed + fen)
        self.books.appropriated[identifier] -= fen

    def _paid_changed(self, event: Event) -> None:
        programme = self._tx.paid.pop(0) if self._tx.paid else None
        expected = None if programme is None else (programme, self.books.paid[programme])
        if (event["programme"], event["paid"]) != expected:
            found = (event["programme"], event["paid"])
            raise Contradicted("paid (programme, fen in all)", event.log.where, expected, found)

    def _merchant_registered(self, event: Event) -> None:
        self.books.merchants[event["id"]] = (event["key"], event["scope"])

    # --------------------------------------------------------------------------------------------- authority

    def _role_granted(self, event: Event) -> None:
        self.books.roles[event["roleId"]].add(event["account"])

    def _role_revoked(self, event: Event) -> None:
        self.books.roles[event["roleId"]].discard(event["account"])

    def _function_role(self, event: Event) -> None:
        self.books.function_roles[event["target"], event["selector"]] = event["roleId"]

    def _paused(self, event: Event) -> None:
        if event["until"] > self._tx.time + PAUSE_MAX_S:
            raise Contradicted(f"pause of {event.contract}", event.log.where, "at most 72 hours", event["until"])

    def _no_effect(self, event: Event) -> None:
        """For events that move nothing: their contract's storage is compared by itself."""

    # ------------------------------------------------------------------------------------------------ shared

    def _programme(self, identifier: int, event: Event) -> ProgrammeBook:
        programme = self.books.programmes.get(identifier)
        if programme is None:
            raise Contradicted(f"programme {identifier}", event.log.where, "registered", "unknown")
        return programme

    def _once(self, order: bytes, event: Event) -> None:
        """Invariant 3: an order has effect at most once."""
        if order in self.books.orders:
            raise Contradicted(f"order {_hex(order)}", event.log.where, "effect at most once", "a second effect")
        self.books.orders.add(order)

    def _take(self, event: Event, expected: list[Move]) -> None:
        """The last moves must be exactly ``expected``; they are explained now."""
        moves = self._tx.moves
        found = moves[len(moves) - len(expected) :] if len(expected) <= len(moves) else moves
        if found != expected:
            what = f"transfers of {event.contract}.{event.name}"
            raise Contradicted(what, event.log.where, _moves(expected), _moves(found))
        del moves[len(moves) - len(expected) :]

    def _is_dead(self, token: int) -> bool:
        programme = self.books.programmes[token >> 32]
        until = programme.spendable_until
        return is_dead(token & 0xFFFFFFFF, self._tx.time) or (until != 0 and self._tx.time >= until)

    def _check_alive(self, token: int, event: Event) -> None:
        """Invariant 8: no expired lot moves, but by capture or release, refund, revoke or sweep."""
        if self._is_dead(token):
            raise Contradicted(f"lot {token} in {event.name}", event.log.where, "a living lot", "a dead one")

    def _check_receiver(self, holder: Account, receiver: Account, event: Event) -> Account:
        expected = self.books.current_account(holder)
        if receiver != expected:
            raise Contradicted(f"receiver of {event.name}", event.log.where, _name(expected), _name(receiver))
        return receiver

    def _prefix(self, lots: tuple[LotPart, ...], count: int, last: int, event: Event) -> tuple[LotPart, ...]:
        if count == 0 and last == 0:
            return ()
        if not 1 <= count <= len(lots) or not 1 <= last <= lots[count - 1][1]:
            raise Contradicted(f"prefix in {event.name}", event.log.where, "a prefix of the lots", (count, last))
        return (*lots[: count - 1], (lots[count - 1][0], last))

    def _check_plain_transfer(self, move: Move) -> None:
        """A move that no module's event explains: between holders, of a transferable lot, or to a successor."""
        sender, receiver, token, _ = move
        where = self._tx.where
        if NOBODY in (sender, receiver) or self.books.ledger in (sender, receiver):
            raise Contradicted("unexplained transfer", where, "an event that explains it", _move(move))
        if self._is_dead(token):
            raise Contradicted(f"transfer of lot {token}", where, "a living lot", "a dead one")
        migrated = sender in self.books.successors and self.books.current_account(sender) == receiver
        if not migrated and not self.books.programmes[token >> 32].flags & TRANSFERABLE:
            raise Contradicted(
                f"transfer of lot {token}", where, "a transferable programme or a successor", _move(move)
            )


def _name(account: Account) -> str:
    return to_address(account)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _batch(key: tuple[int, int]) -> str:
    return f"{key[1]} of programme {key[0]}"


def _move(move: Move) -> str:
    sender, receiver, token, amount = move
    return f"{amount} of lot {token} from {_name(sender)} to {_name(receiver)}"


def _moves(moves: list[Move]) -> str:
    return "; ".join(map(_move, moves[:4])) + (f"; and {len(moves) - 4} more" if len(moves) > 4 else "") or "none"


def _participant(participant: int) -> str:
    kind = {1: "programme", 2: "merchant"}.get(participant >> 32, "participant")
    return f"position of {kind} {participant & 0xFFFFFFFF}"
