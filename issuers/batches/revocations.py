"""Revocations on their way to the chain: signed by the issuer, sent by the outbox, once for the total of a grant."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import select, update

from issuers.agency.documents import revocation_document
from issuers.batches.evidence import LeafRow, leaf_rows, tree_of
from issuers.batches.signing import Signing
from issuers.states import BatchState, RevocationState, sources
from ledger.clock import Clock
from ledger.custody.errors import SignerError
from ledger.deployment.artifacts import call_data
from ledger.deployment.file import Deployment
from ledger.outbox.outbox import MessageState, Outbox
from ledger.standard.evidence import MerkleTree
from ledger.standard.ids import token_id
from ledger.standard.typed_data import Revocation
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceGrantRow, IssuanceRevocationRow

_LOG = logging.getLogger(__name__)
_GAS_REVOKE = 600_000


def revoke_key(grant_id: bytes, total_minor: int) -> str:
    """Return the outbox key of a revocation."""
    return f"revoke:{grant_id.hex()}:{total_minor}"


class Revocations:
    """Signs, sends and settles the revocations that `issuers.records.revoking` wants."""

    def __init__(
        self, database: Database, outbox: Outbox, clock: Clock, deployment: Deployment, signing: Signing
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._issuance = deployment.address("Issuance")
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
            trees: dict[tuple[int, int], tuple[MerkleTree, list[LeafRow]]] = {}
            for _, _, batch in rows:
                key = (batch.programme, batch.number)
                if key not in trees:
                    leaves = leaf_rows(session, *key)
                    trees[key] = (tree_of(leaves, token_id(batch.programme, batch.quarter)), leaves)
        latest: dict[bytes, tuple[IssuanceRevocationRow, IssuanceGrantRow, IssuanceBatchRow]] = {}
        for revocation, grant, batch in rows:
            latest[bytes(grant.grant_id)] = (revocation, grant, batch)
        calls = []
        unsigned: set[bytes] = set()
        for revocation, grant, batch in latest.values():
            tree, leaves = trees[batch.programme, batch.number]
            try:
                calls.append((revocation, self._revoke_call(revocation, grant, batch, tree, leaves)))
            except SignerError as error:
                _LOG.info("a revocation of programme %d waits: %s", batch.programme, error)
                unsigned.add(bytes(grant.grant_id))
        if not calls:
            return 0
        with self._database.transaction() as session:
            for revocation, data in calls:
                message_key = revoke_key(bytes(revocation.grant_id), revocation.revoked_total_minor)
                self._outbox.enqueue_call(session, "revoke", message_key, self._issuance, data, _GAS_REVOKE)
                known = self._outbox.status(session, message_key)
                if known is not None and known.state is MessageState.FAILED:
                    self._outbox.replace_call(session, message_key, data, _GAS_REVOKE)
            sent = {one.revocation_id for one, _ in calls}
            for revocation, _, _ in rows:
                if bytes(revocation.grant_id) in unsigned:
                    continue
                session.execute(
                    update(IssuanceRevocationRow)
                    .where(
                        IssuanceRevocationRow.revocation_id == revocation.revocation_id,
                        IssuanceRevocationRow.state.in_(sources(RevocationState.QUEUED)),
                    )
                    .values(
                        state=RevocationState.QUEUED if revocation.revocation_id in sent else RevocationState.MERGED,
                        updated_at=self._clock.timestamp(),
                    )
                )
        return len(calls)

    def _revoke_call(
        self,
        revocation: IssuanceRevocationRow,
        grant: IssuanceGrantRow,
        batch: IssuanceBatchRow,
        tree: MerkleTree,
        leaves: list[LeafRow],
    ) -> bytes:
        position = next(at for at, leaf in enumerate(leaves) if leaf.grant_id == bytes(grant.grant_id))
        leaf = leaves[position].leaf(token_id(batch.programme, batch.quarter))
        message = Revocation(
            batch.programme, batch.number, leaf.hash(), revocation.revoked_total_minor, revocation.reason_code
        )
        shown = leaves[position].document(None)

        def document() -> dict[str, Any]:
            return revocation_document(
                self._signing.domain,
                batch.programme,
                batch.number,
                batch.quarter,
                shown,
                message.revoked_total,
                message.reason,
            )

        signature = self._signing.sign(message, document)
        return call_data(
            "Issuance",
            "revoke",
            (
                (message.programme, message.number, message.leaf, message.revoked_total, message.reason),
                (
                    leaf.grant_id,
                    leaf.account,
                    leaf.token_id,
                    leaf.amount,
                    leaf.activity_code,
                    leaf.rulebook_version,
                    leaf.commitment,
                ),
                tree.proof(position),
                signature,
            ),
        )

    def settle(self) -> None:
        """Read the outcomes of revocations from the outbox."""
        with self._database.read() as session:
            rows = session.scalars(
                select(IssuanceRevocationRow).where(IssuanceRevocationRow.state == RevocationState.QUEUED)
            ).all()
            keys = {revoke_key(bytes(row.grant_id), row.revoked_total_minor): row for row in rows}
            statuses = self._outbox.statuses(session, list(keys))
        ended = {
            keys[key].revocation_id: RevocationState.LANDED
            if status.state is MessageState.DONE
            else RevocationState.FAILED
            for key, status in statuses.items()
            if status.state in (MessageState.DONE, MessageState.FAILED)
        }
        if not ended:
            return
        with self._database.transaction() as session:
            for revocation_id, state in ended.items():
                session.execute(
                    update(IssuanceRevocationRow)
                    .where(
                        IssuanceRevocationRow.revocation_id == revocation_id,
                        IssuanceRevocationRow.state.in_(sources(state)),
                    )
                    .values(state=state, updated_at=self._clock.timestamp())
                )

    def _want_again(self) -> None:
        """Want revocations again that failed because their key was rotated in flight."""
        with self._database.read() as session:
            failed = session.scalars(
                select(IssuanceRevocationRow).where(IssuanceRevocationRow.state == RevocationState.FAILED)
            ).all()
            keys = {revoke_key(bytes(row.grant_id), row.revoked_total_minor): row for row in failed}
            statuses = self._outbox.statuses(session, list(keys))
        curable = [
            keys[key].revocation_id
            for key, status in statuses.items()
            if self._signing.is_rotated(keys[key].programme, status.reason)
        ]
        if curable:
            with self._database.transaction() as session:
                session.execute(
                    update(IssuanceRevocationRow)
                    .where(
                        IssuanceRevocationRow.revocation_id.in_(curable),
                        IssuanceRevocationRow.state.in_(sources(RevocationState.WANTED)),
                    )
                    .values(state=RevocationState.WANTED, updated_at=self._clock.timestamp())
                )
