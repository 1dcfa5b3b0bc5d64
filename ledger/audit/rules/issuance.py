"""Rules of Issuance: batches and revocations."""

from __future__ import annotations

from ledger.audit.books import NOBODY, Batch
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, batch_name, hex_of, move_name, name_of
from ledger.proofs.events import Event
from ledger.standard.contract import ProgrammeState
from ledger.standard.ids import ProgrammeId, programme_participant
from ledger.standard.value import MICROFEN_MINOR


class IssuanceRules(Rules):
    """Events of Issuance."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Issuance", "BatchMinted"): self._batch_minted,
            ("Issuance", "BatchVoided"): self._batch_voided,
            ("Issuance", "Revoked"): self._revoked,
        }

    def _batch_minted(self, event: Event) -> None:
        self.check_running(event)
        identifier, number, quarter = event["programme"], event["number"], event["quarter"]
        key, token = (identifier, number), identifier << 32 | quarter
        root = self.tx.landed.pop(key, None)
        if root != event["evidenceRoot"]:
            raise Contradicted(
                f"batch {batch_name(key)}", event.log.where, "its landed root", hex_of(event["evidenceRoot"])
            )
        start = max(0, len(self.tx.moves) - event["count"])
        moves = self.tx.moves[start:]
        del self.tx.moves[start:]
        stranger = next((move for move in moves if move[0] != NOBODY or move[2] != token or move[1] == NOBODY), None)
        if stranger is not None:
            raise Contradicted(
                f"batch {batch_name(key)}", event.log.where, f"mints of lot {token} only", move_name(stranger)
            )
        minted = sum(move[3] for move in moves)
        if (len(moves), minted) != (event["count"], event["amount"]):
            found = f"{len(moves)} transfers of {minted}"
            raise Contradicted(
                f"batch {batch_name(key)}", event.log.where, f"{event['count']} grants of {event['amount']}", found
            )
        programme = self.programme(identifier, event)
        if not self.books.issuer_keys.get((identifier, event["signer"]), False):
            what = f"signer of batch {batch_name(key)}"
            raise Contradicted(what, event.log.where, "an active issuer key", name_of(event["signer"]))
        if programme.state != ProgrammeState.ACTIVE:
            raise Contradicted(f"batch {batch_name(key)}", event.log.where, "an active programme", programme.state)
        if quarter == 0 and programme.par:
            raise Contradicted(f"batch {batch_name(key)}", event.log.where, "a lot that expires", "quarter 0")
        self.check_alive(token, event)
        self._check_funding(identifier, event)
        grants = b"".join([move[1] + move[3].to_bytes(8, "big") for move in moves])
        self.books.batches[key] = Batch(event["evidenceRoot"], quarter, len(moves), minted, grants, event.log.block)
        programme.figures.minted += minted
        programme.figures.grants += len(moves)
        programme.figures.batches += 1

    def _check_funding(self, identifier: ProgrammeId, event: Event) -> None:
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
            raise Contradicted(f"void of batch {batch_name(key)}", event.log.where, "an unused number", "a used one")
        self.books.void_batches.add(key)

    def _revoked(self, event: Event) -> None:
        account, token, taken = event["account"], event["tokenId"], event["taken"]
        if taken:
            self.take(event, [(account, NOBODY, token, taken)])
        if token >> 32 != event["programme"]:
            raise Contradicted("revocation", event.log.where, f"a lot of programme {event['programme']}", token)
        self.books.revoked_totals[event["leaf"]] += taken + event["shortfall"]
        figures = self.programme(event["programme"], event).figures
        figures.revoked += taken
        figures.revoked_shortfall += event["shortfall"]
