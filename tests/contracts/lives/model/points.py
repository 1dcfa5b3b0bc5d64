"""Issuance, transfers, accounts and the life of programmes."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import keccak
from reference import MICROFEN_MINOR, EvidenceLeaf, programme_of, token_id

from .book import ACTIVE, CLOSED, CLOSING, DAY, TRANSFERABLE, VOID, Book, Migration, Programme, Reverts

INFINITE = 2**256 - 1
ZERO_ROOT = b"\0" * 32


class Points(Book):
    """What agencies and holders do with points but for orders."""

    # -------------------------------------------------------------------------------------------------- issuance

    def _issuer(self, programme: int, digest: bytes, signature: bytes) -> str:
        signer = self.signers[digest, signature]
        if signer not in self.issuers.get(programme, ()):
            raise Reverts("IssuanceBadSignature", signer)
        return signer

    def mint(
        self,
        programme: int,
        quarter: int,
        number: int,
        root: bytes,
        grants: Sequence[tuple[str, int]],
        packed: bytes,
        signature: bytes,
        at: int,
    ) -> None:
        self.check_running("issuance", at)
        digest = self.digest(
            "MintBatch",
            programme=programme,
            quarter=quarter,
            number=number,
            evidenceRoot=root,
            grantsHash=keccak(packed),
        )
        signer = self._issuer(programme, digest, signature)
        terms = self.programmes[programme]
        lot = token_id(programme, quarter)
        if terms.state != ACTIVE:
            raise Reverts("PointsLedgerNotActive", programme)
        if quarter == 0 and terms.par:
            raise Reverts("PointsLedgerBadQuarter", programme, quarter)
        if self.is_dead(lot, at):
            raise Reverts("PointsLedgerLotDead", lot)
        if int.from_bytes(root, "big") <= 1:
            raise Reverts("PointsLedgerBadRoot", root)
        self._check_unused(programme, number)
        for place, (account, amount) in enumerate(grants):
            if amount == 0 or account == self.ledger:
                raise Reverts("PointsLedgerBadGrant", place * 28)
        minted = sum(amount for _, amount in grants)
        if minted > self.room(lot):
            raise Reverts("PointsLedgerLotFull", lot, self.supplies[lot] + minted)
        needed = -(-(self.supply(programme) + minted) * terms.par // MICROFEN_MINOR)
        if needed > self.funding(programme):
            raise Reverts("IssuanceFundingExceeded", programme, needed, self.funding(programme))
        self.batches[programme, number] = root
        for account, amount in grants:
            self.move(lot, amount, None, account)
        self.value_in += minted * terms.par
        self.tell("BatchLanded", programme=programme, number=number, evidenceRoot=root)
        self.tell(
            "BatchMinted",
            programme=programme,
            number=number,
            quarter=quarter,
            evidenceRoot=root,
            count=len(grants),
            amount=minted,
            signer=signer,
        )

    def _check_unused(self, programme: int, number: int) -> None:
        found = self.batches.get((programme, number))
        if found == VOID:
            raise Reverts("PointsLedgerBatchVoid", programme, number)
        if found is not None:
            raise Reverts("PointsLedgerBatchLanded", programme, number)

    def void_batch(self, programme: int, number: int, signature: bytes, at: int) -> None:
        self._issuer(programme, self.digest("VoidBatch", programme=programme, number=number), signature)
        self._check_unused(programme, number)
        self.batches[programme, number] = VOID
        self.tell("BatchVoided", programme=programme, number=number)

    def revoke(
        self,
        programme: int,
        number: int,
        leaf: bytes,
        total: int,
        reason: int,
        evidence: EvidenceLeaf,
        is_path: bool,
        signature: bytes,
        at: int,
    ) -> None:
        """`is_path`: whether the path given leads from the evidence to the root of the batch."""
        fields = {"programme": programme, "number": number, "leaf": leaf, "revokedTotal": total, "reason": reason}
        self._issuer(programme, self.digest("Revocation", **fields), signature)
        found = evidence.hash()
        if found != leaf or programme_of(evidence.token) != programme:
            raise Reverts("IssuanceWrongLeaf", found)
        if total > evidence.amount:
            raise Reverts("IssuanceRevokesTooMuch", total, evidence.amount)
        if not is_path or self.batches.get((programme, number), VOID) == VOID:
            raise Reverts("IssuanceBadProof", found)
        before = self.revoked[leaf]
        if total <= before:
            raise Reverts("PointsLedgerBadRevocation", leaf, total, before)
        account = self.current(evidence.account)
        rise = total - before
        taken = min(rise, self.balances[account, evidence.token])
        self.revoked[leaf] = total
        self.move(evidence.token, taken, account, None)
        self.value_in -= taken * self.par(evidence.token)
        self.tell(
            "Revoked",
            programme=programme,
            leaf=leaf,
            account=account,
            tokenId=evidence.token,
            taken=taken,
            shortfall=rise - taken,
            reason=reason,
        )

    # -------------------------------------------------------------------------------------------------- transfers

    def transfer(self, caller: str, sender: str, receiver: str, lot: int, amount: int, at: int) -> None:
        """Of the caller's own, or for somebody by allowance or as operator."""
        spends = caller != sender and (sender, caller) not in self.operators
        allowed = self.allowances[sender, caller, lot]
        if spends and allowed < amount:
            raise Reverts("PointsLedgerInsufficientAllowance", caller, allowed, amount, lot)
        programme = programme_of(lot)
        if programme not in self.programmes:
            raise Reverts("PointsLedgerUnknownProgramme", programme)
        if not self.programmes[programme].flags & TRANSFERABLE:
            raise Reverts("PointsLedgerNotTransferable", programme)
        if self.is_dead(lot, at):
            raise Reverts("PointsLedgerLotDead", lot)
        if receiver == self.ledger:
            raise Reverts("PointsLedgerBadReceiver", receiver)
        balance = self.balances[sender, lot]
        if amount > balance:
            raise Reverts("PointsLedgerInsufficientBalance", sender, balance, amount, lot)
        if spends and allowed != INFINITE:
            self.allowances[sender, caller, lot] -= amount
        self.move(lot, amount, sender, receiver)

    def approve(self, owner: str, spender: str, lot: int, amount: int, at: int) -> None:
        self.allowances[owner, spender, lot] = amount
        self.tell("Approval", owner=owner, spender=spender, id=lot, amount=amount)

    def set_operator(self, owner: str, spender: str, approved: bool, at: int) -> None:
        if approved:
            self.operators.add((owner, spender))
        else:
            self.operators.discard((owner, spender))
        self.tell("OperatorSet", owner=owner, spender=spender, approved=approved)

    def cancel_nonce(self, holder: str, lot: int, nonce: int, at: int) -> None:
        if not self.spend_nonce(holder, lot, nonce):
            raise Reverts("PointsLedgerNonceSpent", holder, nonce)
        self.tell("NonceCancelled", holder=holder, id=lot, nonce=nonce)

    def sweep(self, holder: str, lots: Sequence[int], at: int) -> None:
        if holder == self.ledger:
            raise Reverts("PointsLedgerEscrow")
        held = [lot for lot in dict.fromkeys(lots) if self.balances[holder, lot]]
        for lot in held:
            if not self.is_dead(lot, at):
                raise Reverts("PointsLedgerLotAlive", lot)
        for lot in held:
            amount = self.balances[holder, lot]
            self.value_in -= amount * self.par(lot)
            self.move(lot, amount, holder, None)
            self.tell("Swept", holder=holder, id=lot, amount=amount)

    # --------------------------------------------------------------------------------------------------- accounts

    def _check_successor(self, old: str, new: str) -> None:
        if old in self.successor:
            raise Reverts("PointsLedgerRetired", old)
        if new in (old, self.ledger) or new in self.successor:
            raise Reverts("PointsLedgerBadReceiver", new)

    def _give_way(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        self._check_successor(old, new)
        self.successor[old] = new
        self.tell("SuccessorSet", holder=old, successor=new)
        self._move_living(old, new, lots, at)

    def migrate(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        self._give_way(old, new, lots, at)

    def forward(self, old: str, lots: Sequence[int], at: int) -> None:
        if old not in self.successor:
            raise Reverts("PointsLedgerNotRetired", old)
        self._move_living(old, self.current(old), lots, at)

    def _move_living(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        for lot in lots:
            if not self.is_dead(lot, at):
                self.move(lot, self.balances[old, lot], old, new)

    def request_migration(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        self._check_successor(old, new)
        ready = at + 7 * DAY
        self.migrations[old] = Migration(new, tuple(lots), ready)
        self.tell("MigrationRequested", holder=old, successor=new, ids=list(lots), executableFrom=ready)

    def _pending(self, old: str, new: str, lots: Sequence[int]) -> Migration:
        asked = self.migrations.get(old)
        if asked is None or (asked.new, asked.lots) != (new, tuple(lots)):
            raise Reverts("PointsLedgerNoMigration", old)
        return asked

    def approve_migration(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        self._pending(old, new, lots).approved = True
        self.tell("MigrationApproved", holder=old)

    def cancel_migration(self, old: str, at: int) -> None:
        if old not in self.migrations:
            raise Reverts("PointsLedgerNoMigration", old)
        del self.migrations[old]
        self.tell("MigrationCancelled", holder=old)

    def execute_migration(self, old: str, new: str, lots: Sequence[int], at: int) -> None:
        asked = self._pending(old, new, lots)
        if not asked.approved:
            raise Reverts("PointsLedgerNoMigration", old)
        if at < asked.executable_from:
            raise Reverts("PointsLedgerTooEarly", asked.executable_from)
        self._check_successor(old, new)
        del self.migrations[old]
        self._give_way(old, new, lots, at)

    # ------------------------------------------------------------------------------------------------- programmes

    def register_programme(self, programme: int, par: int, flags: int, scope: int, at: int) -> None:
        if programme == 0 or programme in self.programmes:
            raise Reverts("PointsLedgerProgrammeExists", programme)
        if par > 10**11:
            raise Reverts("PointsLedgerParTooHigh", par)
        if flags > 15 or (par == 0 and flags > TRANSFERABLE):
            raise Reverts("PointsLedgerBadFlags", flags)
        self.programmes[programme] = Programme(par, flags, scope)
        self.issuers[programme] = set()
        bits = scope.to_bytes(32, "big")
        self.tell("ProgrammeRegistered", programme=programme, par=par, flags=flags, spendScope=bits)
        self.tell("ProgrammeStateSet", programme=programme, state=ACTIVE)

    def set_issuer_key(self, programme: int, key: str, active: bool, at: int) -> None:
        if active:
            self.issuers[programme].add(key)
        else:
            self.issuers[programme].discard(key)
        self.tell("IssuerKeySet", programme=programme, key=key, active=active)

    def set_rulebook(self, programme: int, version: int, rules: bytes, at: int) -> None:
        terms = self.programmes[programme]
        if version <= terms.rulebook:
            raise Reverts("PointsLedgerBadRulebook", version, terms.rulebook)
        terms.rulebook = version
        self.tell("RulebookSet", programme=programme, version=version, rulebookHash=rules)

    def set_state(self, programme: int, state: int, at: int) -> None:
        terms = self.programmes[programme]
        if (terms.state, state) == (ACTIVE, CLOSING):
            terms.spendable_until = at + 365 * DAY
        elif (terms.state, state) == (CLOSING, CLOSED):
            ready = terms.spendable_until + 120 * DAY
            if at < ready:
                raise Reverts("PointsLedgerTooEarly", ready)
        else:
            raise Reverts("PointsLedgerBadState", programme, terms.state, state)
        terms.state = state
        self.tell("ProgrammeStateSet", programme=programme, state=state)

    def set_rebirth_cap(self, fen: int, at: int) -> None:
        self.rebirth_cap_fen = fen
        self.tell("RebirthCapSet", capFen=fen)
