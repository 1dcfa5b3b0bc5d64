"""Receipts of orders: made from the chain on demand, checked without it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from issuers.batches.evidence import leaf_rows, tree_of
from issuers.states import BatchState
from ledger.chain.engine import Engine
from ledger.deployment.file import Deployment
from ledger.proofs.receipt import build_grant_receipt, build_receipt, verify_receipt
from ledger.standard.ids import OrderId, token_id
from ledger.standard.keccak import keccak256
from ledger.standard.typed_data import MintBatch
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceGrantRow
from ledger_api.views.queries import order_outcome


class ReceiptOffice:
    """Makes and checks receipts of one deployment. ``validators`` are the accounts trusted to seal its blocks."""

    def __init__(
        self, engine: Engine, deployment: Deployment, database: Database, validators: Collection[str] | None = None
    ) -> None:
        self._engine = engine
        self._deployment = deployment
        self._database = database
        self._validators = validators

    def for_order(self, order_id: OrderId) -> dict[str, Any] | None:
        """Return the receipt of the last event that carried an order out, or None while there is none.

        Raises UnprovableLog where the chain does not show what the projection says, or RpcError.
        """
        with self._database.read() as session:
            outcome = order_outcome(session, order_id)
        if outcome is None or outcome.code:
            return None
        return build_receipt(self._engine.rpc, self._deployment, outcome.transaction_hash, outcome.log_index)

    def for_grant(self, grant_id: bytes) -> dict[str, Any] | None:
        """Return the receipt of a grant, or None while its batch has not landed.

        Raises UnprovableLog where the chain does not show the batch's root, or RpcError.
        """
        with self._database.read() as session:
            grant = session.get(IssuanceGrantRow, grant_id)
            if grant is None or grant.batch_number is None:
                return None
            batch = session.get(IssuanceBatchRow, (grant.programme, grant.batch_number))
            if batch is None or batch.state != BatchState.LANDED:
                return None
            leaves = leaf_rows(session, grant.programme, grant.batch_number)
            position, token = grant.batch_position or 0, token_id(grant.programme, batch.quarter)
            root, grants_hash = bytes(batch.evidence_root), keccak256(bytes(batch.packed))
            signed = MintBatch(batch.programme, batch.quarter, batch.number, root, grants_hash)
        path = tree_of(leaves, token).proof(position)
        leaf = leaves[position].leaf(token)
        height = self._engine.final_height()
        return build_grant_receipt(self._engine.rpc, self._deployment, signed, leaf, path, height)

    def verify(self, receipt: Mapping[str, Any]) -> tuple[bool, str, dict[str, Any]]:
        """Return (whether it holds, what it says or why it fails, details). Needs no network."""
        found = verify_receipt(receipt, self._validators, self._deployment)
        return found.ok, found.summary, found.to_json()
