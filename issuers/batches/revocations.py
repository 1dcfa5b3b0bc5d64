"""Revocations on their way to the chain: signed by the issuer, sent by the outbox, once for the total of a grant."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from issuers.agency.documents import revocation_document
from issuers.batches.batcher import batch_argument
from issuers.batches.calls import IssuerCalls
from issuers.batches.evidence import LeafRow, leaf_rows
from issuers.batches.signing import Signing
from issuers.states import BatchState, RevocationState, change
from ledger.clock import Clock
from ledger.custody.errors import SignerError
from ledger.deployment.artifacts import call_data
from ledger.deployment.file import Deployment
from ledger.outbox.outbox import Outbox
from ledger.outbox.states import MessageState
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_revocations
from ledger.standard.typed_data import Revocation
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceGrantRow, IssuanceRevocationRow

_LOG = logging.getLogger(__name__)
_GAS_REVOKE = 700_000
"""The batch's own bytes are in the call: up to 14 KB of them."""
_CHANGED_AT_ONCE = 1_000


def revoke_key(grant_id: bytes, total_minor: int) -> str:
    """Return the outbox key of a revocation."""
    return f"revoke:{grant_id.hex()}:{total_minor}"


class Revocations:
    """Signs, sends and settles the revocations that `issuers.records.revoking` wants."""

    def __init__(
        self, database: Database, outbox: Outbox, clock: Clock, deployment: Deployment, signing: Signing
    ) -> None:
        self._database = database
        self._clock = clock
        self._calls = IssuerCalls(outbox, "revoke", deployment.address("PointsLedger"), _GAS_REVOKE)
        self._signing = signing

    def send(self) -> int:
        """Sign and enqueue revocations of grants whose batch has landed; returns how many.

        A grant that is revoked several times before is revoked once, for the total.
        """
        self._want_again()
        with self._database.read() as session:
            rows = session.execute(
                select(IssuanceRevocationRow, IssuanceGrantRow, IssuanceBatchRow)
                .join(IssuanceGrantRow, IssuanceGrantRow.grant_id == IssuanceRevocationRow.grant_id)
                .join(
                    IssuanceBatchRow,
                    (IssuanceBatchRow.programme == IssuanceGrantRow.programme)
                    & (IssuanceBatchRow.number == IssuanceGrantRow.batch_number),
                )
                .where(
                    IssuanceRevocationRow.state == RevocationState.WANTED, IssuanceBatchRow.state == BatchState.LANDED
                )
                .order_by(
                    IssuanceGrantRow.programme, IssuanceGrantRow.batch_number, IssuanceRevocationRow.revocation_id
                )
            ).all()
            leaves: dict[tuple[int, int], list[LeafRow]] = {}
            for _, _, batch in rows:
                key = (batch.programme, batch.number)
                if key not in leaves:
                    leaves[key] = leaf_rows(session, *key)
        latest: dict[bytes, tuple[IssuanceRevocationRow, IssuanceGrantRow, IssuanceBatchRow]] = {}
        for revocation, grant, batch in rows:
            latest[bytes(grant.grant_id)] = (revocation, grant, batch)
        calls = []
        unsigned: set[bytes] = set()
        for revocation, grant, batch in latest.values():
            try:
                call = self._revoke_call(revocation, grant, batch, leaves[batch.programme, batch.number])
                calls.append((revocation, call))
            except SignerError as error:
                _LOG.info("a revocation of programme %d waits: %s", batch.programme, error)
                unsigned.add(bytes(grant.grant_id))
        if not calls:
            return 0
        with self._database.transaction() as session:
            for revocation, data in calls:
                self._calls.enqueue(
                    session, revoke_key(bytes(revocation.grant_id), revocation.revoked_total_minor), data
                )
            sent = {one.revocation_id for one, _ in calls}
            merged = {
                one.revocation_id
                for one, _, _ in rows
                if one.revocation_id not in sent and bytes(one.grant_id) not in unsigned
            }
            self._change(session, RevocationState.WANTED, RevocationState.QUEUED, sent)
            self._change(session, RevocationState.WANTED, RevocationState.MERGED, merged)
        return len(calls)

    def _revoke_call(
        self,
        revocation: IssuanceRevocationRow,
        grant: IssuanceGrantRow,
        batch: IssuanceBatchRow,
        leaves: list[LeafRow],
    ) -> bytes:
        """Return the signed call: of one grant, though the contract takes many, so that a refusal is of it alone."""
        position = next(at for at, leaf in enumerate(leaves) if leaf.grant_id == bytes(grant.grant_id))
        entry = (position, revocation.revoked_total_minor, revocation.reason_code)
        packed = pack_revocations([entry])
        message = Revocation(batch.programme, batch.number, keccak256(packed))
        shown = leaves[position].document(None)

        def document() -> dict[str, Any]:
            return revocation_document(
                self._signing.domain, batch.programme, batch.number, batch.quarter, shown, *entry
            )

        signature = self._signing.sign(message, document)
        return call_data("PointsLedger", "revoke", (batch_argument(batch), packed, signature))

    def settle(self) -> None:
        """Read the outcomes of revocations from the outbox."""
        with self._database.read() as session:
            queued = self._in_state(session, RevocationState.QUEUED)
            ended = self._calls.ended(session, queued)
        if not ended:
            return
        landed = {queued[key].revocation_id for key, status in ended.items() if status.state is MessageState.DONE}
        failed = {queued[key].revocation_id for key in ended} - landed
        with self._database.transaction() as session:
            self._change(session, RevocationState.QUEUED, RevocationState.LANDED, landed)
            self._change(session, RevocationState.QUEUED, RevocationState.FAILED, failed)

    def _want_again(self) -> None:
        """Want revocations again that failed because their key was rotated in flight."""
        with self._database.read() as session:
            failed = self._in_state(session, RevocationState.FAILED)
            ended = self._calls.ended(session, failed)
        curable = {
            failed[key].revocation_id
            for key, status in ended.items()
            if self._signing.is_rotated(failed[key].programme, status.reason)
        }
        if curable:
            with self._database.transaction() as session:
                self._change(session, RevocationState.FAILED, RevocationState.WANTED, curable)

    def _in_state(self, session: Session, state: RevocationState) -> dict[str, IssuanceRevocationRow]:
        """Return the revocations in a state by their outbox keys."""
        rows = session.scalars(select(IssuanceRevocationRow).where(IssuanceRevocationRow.state == state))
        return {revoke_key(bytes(row.grant_id), row.revoked_total_minor): row for row in rows}

    def _change(
        self, session: Session, before: RevocationState, after: RevocationState, revocation_ids: Collection[int]
    ) -> None:
        """Change the state of revocations that were seen in one. What something else has changed meanwhile stays."""
        wanted = sorted(revocation_ids)  # several gateways lock them in one order
        others = len(wanted)
        for start in range(0, len(wanted), _CHANGED_AT_ONCE):
            done: Any = session.execute(
                update(IssuanceRevocationRow)
                .where(
                    IssuanceRevocationRow.revocation_id.in_(wanted[start : start + _CHANGED_AT_ONCE]),
                    IssuanceRevocationRow.state == before,
                )
                .values(state=change(before, after), updated_at=self._clock.timestamp())
            )
            others -= done.rowcount
        if others:
            _LOG.info("%d revocations are not %s any more and do not become %s", others, before, after)
