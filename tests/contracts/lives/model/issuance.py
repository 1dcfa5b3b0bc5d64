"""Issuance: signed batches become points; what was granted can be revoked, and what is owed collected."""

from __future__ import annotations

from typing import NamedTuple

from eth_abi import encode
from eth_utils import keccak, to_checksum_address
from reference import SCHEMAS, ZERO, quarter_of, to_fen_up, token_id

from .cycles import Cycles
from .state import ACTIVE, Reverts

VOID = bytes(31) + b"\1"
MINT_BATCH = keccak(text=f"MintBatch({SCHEMAS['MintBatch']})")


class Batch(NamedTuple):
    """As an issuer signs it, with the packed grants in place of their hash."""

    programme: int
    quarter: int
    number: int
    root: bytes
    packed: bytes

    def grant(self, index: int) -> tuple[str, int]:
        """Return who is granted how much; beyond the end nobody nothing."""
        raw = self.packed[28 * index : 28 * index + 28]
        return (str(to_checksum_address(raw[:20])), int.from_bytes(raw[20:])) if raw else (ZERO, 0)

    def word(self) -> bytes:
        """Return what is stored: the struct hash of what was signed."""
        types = ["bytes32", "uint32", "uint32", "uint64", "bytes32", "bytes32"]
        return keccak(encode(types, [MINT_BATCH, *self[:4], keccak(self.packed)]))


class Issuance(Cycles):
    """What an issuer's signature does, whoever relays it."""

    def _check_issuer(self, programme: int, digest: bytes, signature: bytes, at: int) -> str:
        signer = self.recover(digest, signature)
        active_from = self.keys[programme, signer]
        if active_from == 0 or at < active_from:
            raise Reverts("PointsLedgerBadIssuer", programme, signer)
        return signer

    def _check_unused(self, programme: int, number: int) -> None:
        word = self.batches[programme, number]
        if word is not None:
            raise Reverts("PointsLedgerBatchVoid" if word == VOID else "PointsLedgerBatchLanded", programme, number)

    def batch_digest(self, batch: Batch) -> bytes:
        fields = dict(zip(("programme", "quarter", "number", "evidenceRoot"), batch, strict=False))
        return self.digest("MintBatch", **fields, grantsHash=keccak(batch.packed))

    def mint(self, caller: str, batch: Batch, signature: bytes, at: int) -> None:
        programme, quarter = batch.programme, batch.quarter
        self.check_plain(caller)
        terms = self.check_thawed(programme, at)
        if self.state[programme] != ACTIVE:
            raise Reverts("PointsLedgerNotActive", programme)
        if terms.par if quarter == 0 else quarter > quarter_of(at) + 40:
            raise Reverts("PointsLedgerBadQuarter", programme, quarter)
        lot = token_id(programme, quarter)
        if self.is_dead(lot, at):
            raise Reverts("PointsLedgerLotDead", lot)
        signer = self._check_issuer(programme, self.batch_digest(batch), signature, at)
        self._check_unused(programme, batch.number)
        self.batches[programme, batch.number] = batch.word()
        minted = self._grant_all(batch, lot)
        if terms.par:
            self._check_funding(programme, terms.par, minted, at)
        self.word["value_in"] += minted * terms.par
        self.tell(
            "BatchMinted",
            programme=programme,
            number=batch.number,
            quarter=quarter,
            evidenceRoot=batch.root,
            count=len(batch.packed) // 28,
            amount=minted,
            signer=signer,
            word=batch.word(),
        )

    def _grant_all(self, batch: Batch, lot: int) -> int:
        size = len(batch.packed)
        if size == 0 or size % 28:
            raise Reverts("PointsLedgerBadGrants", size)
        grants = [batch.grant(i) for i in range(size // 28)]
        for i, (account, amount) in enumerate(grants):
            if account in (ZERO, self.ledger) or amount == 0:
                raise Reverts("PointsLedgerBadGrant", 28 * i)
        minted = sum(amount for _, amount in grants)
        if self.supplies[lot] + minted > 2**48 - 1:
            raise Reverts("PointsLedgerLotFull", lot, self.supplies[lot] + minted)
        for account, amount in grants:
            self.move(lot, amount, ZERO, account)
        return minted

    def _check_funding(self, programme: int, par: int, minted: int, at: int) -> None:
        """The day's ceiling, an overdue debt, the funding: in this order."""
        self.count_minted(programme, to_fen_up(minted, par), self.appropriated(programme), at)
        if self.is_overdue(programme, at):
            raise Reverts("PointsLedgerOverdue", programme)
        needed = self.liability(programme)
        if needed > self.funding(programme):
            raise Reverts("PointsLedgerFundingExceeded", programme, needed, self.funding(programme))

    def void_batch(self, caller: str, programme: int, number: int, signature: bytes, at: int) -> None:
        self.check_plain(caller)
        self.check_thawed(programme, at)
        digest = self.digest("VoidBatch", programme=programme, number=number)
        signer = self._check_issuer(programme, digest, signature, at)
        self._check_unused(programme, number)
        self.batches[programme, number] = VOID
        self.tell("BatchVoided", programme=programme, number=number, signer=signer)

    # --------------------------------------------------------------------------------------------------- revocation

    def revoke(self, caller: str, batch: Batch, packed: bytes, signature: bytes, at: int) -> None:
        """Revocations are (grant index 4 | revoked total 8 | reason 2)*."""
        programme, number = batch.programme, batch.number
        self.check_plain(caller)
        terms = self.check_thawed(programme, at)
        if self.batches[programme, number] != batch.word():
            raise Reverts("PointsLedgerWrongBatch", programme, number)
        if not packed or len(packed) % 14:
            raise Reverts("PointsLedgerBadRevocations", len(packed))
        digest = self.digest("Revocation", programme=programme, number=number, revocationsHash=keccak(packed))
        self._check_issuer(programme, digest, signature, at)
        rises = 0
        for place in range(0, len(packed), 14):
            part = packed[place : place + 14]
            numbers = [int.from_bytes(part[i:j]) for i, j in ((0, 4), (4, 12), (12, 14))]
            rises += self._revoke(batch, *numbers, at)
        self.count_revoked(programme, to_fen_up(rises, terms.par), self.appropriated(programme), at)

    def _revoke(self, batch: Batch, index: int, total: int, reason: int, at: int) -> int:
        account, granted = batch.grant(index)
        key = (batch.programme, batch.number, index)
        before = self.revoked[key]
        if not before < total <= granted:
            raise Reverts("PointsLedgerBadRevocation", index, total, before, granted)
        self.revoked[key] = total
        lot, account = token_id(batch.programme, batch.quarter), self.current(account)
        rise = total - before
        taken = 0 if self.is_dead(lot, at) else min(rise, self.balances[account, lot])
        owed = 0 if self.is_dead(lot, at) else rise - taken
        if taken:
            self.move(lot, taken, account, ZERO)
            self.word["value_in"] -= taken * self.par(lot)
        self.owed[account, lot] += owed
        fields = {"programme": batch.programme, "number": batch.number, "index": index, "revokedTotal": total}
        self.tell("Revoked", **fields, reason=reason, account=account, taken=taken, owed=owed)
        return rise

    def collect_of_line(self, holder: str, lot: int, at: int) -> None:
        """When points come back: what the holder owes of the lot, and then each account after it in its line."""
        self.collect(holder, lot, at)
        while self.successor[holder] != ZERO:
            holder = self.successor[holder]
            self.collect(holder, lot, at)

    def collect(self, debtor: str, lot: int, at: int) -> None:
        """Anyone: what is owed of a lot that lives, as far as it is there."""
        account = self.current(debtor)
        amount = min(self.owed[debtor, lot], self.balances[account, lot])
        if amount == 0 or self.is_dead(lot, at):
            return
        self.owed[debtor, lot] -= amount
        self.move(lot, amount, account, ZERO)
        self.word["value_in"] -= amount * self.par(lot)
        self.tell("OwedCollected", debtor=debtor, id=lot, account=account, amount=amount)
