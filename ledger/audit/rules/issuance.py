"""Rules of issuance: batches, voids and revocations, each under its issuer's signature."""

from __future__ import annotations

from collections import deque

from ledger.audit.books import NOBODY, Account, Batch, ProgrammeBook
from ledger.audit.orders import signer_of
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, hex_of, name_of
from ledger.audit.transaction import Effect, Move
from ledger.proofs.events import Event
from ledger.standard.civil_time import civil_day
from ledger.standard.contract import GRANT_BYTES, LANE_MAX, MINT_SHARE, QUARTERS_AHEAD, REVOKE_SHARE, ProgrammeState
from ledger.standard.errors import MalformedPacked
from ledger.standard.ids import ProgrammeId
from ledger.standard.keccak import keccak256
from ledger.standard.packed import unpack_revocations
from ledger.standard.quarters import quarter_at
from ledger.standard.typed_data import MintBatch, Revocation, VoidBatch
from ledger.standard.value import MICROFEN_MINOR

_CEILING_MAX = 2**64 - 1


class IssuanceRules(Rules):
    """Events of PointsLedger about batches."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("PointsLedger", "BatchMinted"): self._batch_minted,
            ("PointsLedger", "BatchVoided"): self._batch_voided,
            ("PointsLedger", "Revoked"): self._revoked,
        }

    def end_revocation(self) -> None:
        """Count what a whole call revoked against the day's ceiling."""
        if self.tx.revocations is None or self.tx.call is None:
            return
        identifier = self.tx.call.args["batch"][0]
        programme = self.books.programmes[identifier]
        self._new_day(programme)
        fen = programme.revoked_fen + _fen_up(self.tx.revoked, programme.par)
        appropriated = self.books.clearing.budgets[identifier].appropriated
        self._check_ceiling("revoked", fen, programme.revoke_ceiling_fen or appropriated // REVOKE_SHARE)
        programme.revoked_fen = fen

    def _batch_minted(self, event: Event) -> None:
        call = self.direct_call(event, "mint")
        identifier, quarter, number, root, grants = call.args["batch"]
        name, where = f"batch {number} of programme {identifier}", event.log.where
        programme = self._not_frozen(identifier, name, where)
        if programme.state != ProgrammeState.ACTIVE:
            raise Contradicted(name, where, "an active programme", programme.state)
        self._check_quarter(programme, quarter, name, where)
        token = identifier << 32 | quarter
        if self.is_dead(token):
            raise Contradicted(f"lot {token} of {name}", where, "a living lot", "a dead one")
        batch = MintBatch(identifier, quarter, number, root, keccak256(grants))
        word = batch.struct_hash()
        signer = self._issuer(identifier, self.scene.domain.digest(word), call.args["signature"], name, where)
        self._check_unused(identifier, number, name, where)
        if not grants or len(grants) % GRANT_BYTES:
            raise Contradicted(f"grants of {name}", where, f"a multiple of {GRANT_BYTES} bytes", len(grants))
        amount = self._credit(event, token, grants, name)
        count = len(grants) // GRANT_BYTES
        expected = (identifier, number, quarter, root, count, amount, signer, word)
        members = ("programme", "number", "quarter", "evidenceRoot", "count", "amount", "signer", "word")
        self.same(name, event, expected, tuple(event[member] for member in members))
        self._check_funding(identifier, programme, amount, where)
        self.books.batches[identifier, number] = Batch(root, quarter, count, amount, grants, word)
        programme.figures.minted += amount
        programme.figures.grants += count
        programme.figures.batches += 1

    def _credit(self, event: Event, token: int, grants: bytes, name: str) -> int:
        """The transfers are the grants that were signed, one by one."""
        relayer, balances, where = self.tx.sender, self.books.balances, event.log.where
        moves: list[Effect] = []
        total = 0
        for at in range(0, len(grants), GRANT_BYTES):
            account = Account(grants[at : at + 20])
            amount = int.from_bytes(grants[at + 20 : at + GRANT_BYTES], "big")
            if account in (NOBODY, self.books.ledger) or not amount:
                raise Contradicted(f"grants of {name}", where, "accounts and amounts", f"a bad one at byte {at}")
            moves.append(Move(relayer, NOBODY, account, token, amount))
            total += amount
            balances[account, token] += amount
        self.explain(event, moves)
        supply = self.books.supply[token] + total
        if supply > LANE_MAX:
            raise Contradicted(f"supply of lot {token}", where, f"<= {LANE_MAX}", supply)
        self.books.supply[token] = supply
        self.books.programmes[ProgrammeId(token >> 32)].supply += total
        return total

    def _check_quarter(self, programme: ProgrammeBook, quarter: int, name: str, where: str) -> None:
        bad = programme.par != 0 if quarter == 0 else quarter > quarter_at(self.tx.time) + QUARTERS_AHEAD
        if bad:
            raise Contradicted(f"quarter of {name}", where, "an allowed one", quarter)

    def _issuer(self, identifier: ProgrammeId, digest: bytes, signature: bytes, name: str, where: str) -> Account:
        """Return who signed: an issuer key that may sign now."""
        signer = signer_of(digest, signature)
        since = 0 if signer is None else self.books.issuer_keys.get((identifier, signer), 0)
        if signer is None or not since or self.tx.time < since:
            found = "no key's signature" if signer is None else name_of(signer)
            raise Contradicted(f"signer of {name}", where, "an active issuer key", found)
        return signer

    def _check_unused(self, identifier: ProgrammeId, number: int, name: str, where: str) -> None:
        key = (identifier, number)
        if key in self.books.batches or key in self.books.void_batches:
            raise Contradicted(name, where, "an unused number", "a used one")

    def _not_frozen(self, identifier: ProgrammeId, name: str, where: str) -> ProgrammeBook:
        programme = self.programme(identifier, where)
        if self.tx.time < programme.frozen_until:
            raise Contradicted(name, where, f"nothing before {programme.frozen_until}, for it is frozen", self.tx.time)
        return programme

    def _check_funding(self, identifier: ProgrammeId, programme: ProgrammeBook, amount: int, where: str) -> None:
        """Invariant 4: after every mint supply * par <= (appropriated - paid + position) * 1e8."""
        if programme.par == 0:
            return
        clearing = self.books.clearing
        self._new_day(programme)
        fen = programme.minted_fen + _fen_up(amount, programme.par)
        chosen = programme.mint_ceiling_fen or clearing.budgets[identifier].appropriated // MINT_SHARE
        self._check_ceiling("minted", fen, chosen)
        programme.minted_fen = fen
        if clearing.is_overdue(identifier, self.tx.time):
            raise Contradicted(f"minting of programme {identifier}", where, "no overdue debt", "an overdue one")
        available = clearing.funding(identifier)
        if programme.supply * programme.par > available * MICROFEN_MINOR:
            needed = _fen_up(programme.supply, programme.par)
            what = f"funding of programme {identifier}"
            raise Contradicted(what, where, f"<= {available} fen outstanding", f"{needed} fen")

    def _new_day(self, programme: ProgrammeBook) -> None:
        today = civil_day(self.tx.time)
        if programme.counted_day != today:
            programme.counted_day, programme.minted_fen, programme.revoked_fen = today, 0, 0

    def _check_ceiling(self, what: str, fen: int, ceiling: int) -> None:
        if fen > min(ceiling, _CEILING_MAX):
            raise Contradicted(f"{what} in a day", self.tx.where, f"<= {ceiling} fen", f"{fen} fen")

    def _batch_voided(self, event: Event) -> None:
        call = self.direct_call(event, "voidBatch")
        identifier, number = call.args["programmeId"], call.args["number"]
        name, where = f"void of batch {number} of programme {identifier}", event.log.where
        self._not_frozen(identifier, name, where)
        digest = VoidBatch(identifier, number).digest(self.scene.domain)
        signer = self._issuer(identifier, digest, call.args["signature"], name, where)
        self._check_unused(identifier, number, name, where)
        self.same(name, event, (identifier, number, signer), (event["programme"], event["number"], event["signer"]))
        self.books.void_batches.add((identifier, number))

    def _revoked(self, event: Event) -> None:
        identifier, number, batch = self._revoked_batch(event)
        if not self.tx.revocations:
            raise Contradicted("revocation", event.log.where, "one that was signed", "one more")
        index, total, reason = self.tx.revocations.popleft()
        where, key = event.log.where, (identifier, number, index)
        before = self.books.revoked_totals.get(key, 0)
        grant = batch.grants[index * GRANT_BYTES : (index + 1) * GRANT_BYTES]
        granted = int.from_bytes(grant[20:], "big")
        if not before < total <= granted:
            what = f"revocation of grant {index} of batch {number} of programme {identifier}"
            raise Contradicted(what, where, f"a total above {before} and at most {granted}", total)
        self.books.revoked_totals[key] = total
        rise, token = total - before, identifier << 32 | batch.quarter
        account = self.books.current_account(Account(grant[:20]))
        taken = owed = 0
        if not self.is_dead(token):
            taken = min(rise, self.books.balances.get((account, token), 0))
            owed = rise - taken
        expected = (identifier, number, index, total, reason, account, taken, owed)
        members = ("programme", "number", "index", "revokedTotal", "reason", "account", "taken", "owed")
        self.same("revocation", event, expected, tuple(event[member] for member in members))
        moves = [self.apply(Move(self.tx.sender, account, NOBODY, token, taken), where)] if taken else []
        self.explain(event, moves)
        if owed:
            self.books.owed[account, token] += owed
        self.tx.revoked += rise
        figures = self.books.programmes[identifier].figures
        figures.revoked += taken
        figures.revoked_shortfall += owed

    def _revoked_batch(self, event: Event) -> tuple[ProgrammeId, int, Batch]:
        """The batch of the call, whose signature is checked at its first event."""
        call = self.direct_call(event, "revoke")
        identifier, quarter, number, root, grants = call.args["batch"]
        name, where = f"revocation of batch {number} of programme {identifier}", event.log.where
        batch = self.books.batches.get((identifier, number))
        if self.tx.revocations is None:
            self._not_frozen(identifier, name, where)
            word = MintBatch(identifier, quarter, number, root, keccak256(grants)).struct_hash()
            if batch is None or batch.word != word:
                raise Contradicted(name, where, "the batch as it landed", hex_of(word))
            packed = call.args["revocations"]
            digest = Revocation(identifier, number, keccak256(packed)).digest(self.scene.domain)
            self._issuer(identifier, digest, call.args["signature"], name, where)
            try:
                self.tx.revocations = deque(unpack_revocations(packed))
            except MalformedPacked as error:
                raise Contradicted(name, where, "packed revocations", error) from error
        if batch is None:
            raise Contradicted(name, where, "a batch that landed", "none")
        return identifier, number, batch


def _fen_up(minor: int, par: int) -> int:
    return -(-minor * par // MICROFEN_MINOR)
