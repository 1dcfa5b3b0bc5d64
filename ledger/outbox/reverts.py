"""Why a transaction reverted: its call is replayed at the end of its block, and the contract's error put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from ledger.chain.engine import Engine
from ledger.chain.rpc import RpcError, RpcReason
from ledger.deployment.artifacts import explain_revert
from ledger.errors import InvariantViolation
from ledger.outbox.decide import Receipt
from ledger.outbox.routes import Routes
from ledger.outbox.rows import OpenTransaction
from ledger.store.database import Database
from ledger.store.models.outbox import OutboxMessageRow


class RevertExplainer:
    """Replays reverted calls."""

    def __init__(self, database: Database, engine: Engine, routes: Routes) -> None:
        self._database = database
        self._engine = engine
        self._routes = routes

    def explain(
        self, rows: Sequence[OpenTransaction], receipts: Mapping[bytes, Receipt | None]
    ) -> dict[int, tuple[str | None, bool]]:
        """Replay reverted calls at the end of their block: (the error in words, or None; whether the gas ran out)."""
        explained: dict[int, tuple[str | None, bool]] = {}
        for row in rows:
            receipt = receipts[row.hash]
            if receipt is None:
                raise InvariantViolation("a reverted transaction has no receipt")
            target, data = self._call_of(row.transaction_id)
            out_of_gas = receipt.gas_used >= row.gas - row.gas // 64
            error = None if target is None else self._replay(row, target, data, receipt)
            explained[row.transaction_id] = (error, out_of_gas)
        return explained

    def _replay(self, row: OpenTransaction, target: bytes, data: bytes, receipt: Receipt) -> str | None:
        call = {
            "from": "0x" + row.relayer.hex(),
            "to": "0x" + target.hex(),
            "data": "0x" + data.hex(),
            "gas": hex(row.gas),
        }
        try:
            self._engine.rpc.call("eth_call", [call, hex(receipt.block_number)])
        except RpcError as error:
            if error.reason is RpcReason.REVERTED:
                return explain_revert(error.data) if error.data else None
            if error.reason in (RpcReason.BLOCK_UNAVAILABLE, RpcReason.GAS_TOO_HIGH, RpcReason.UNKNOWN):
                return None  # the state of that block is gone; the message is tried again a few times
            raise
        return None

    def _call_of(self, transaction_id: int) -> tuple[bytes | None, bytes]:
        with self._database.read() as session:
            messages = session.scalars(
                select(OutboxMessageRow)
                .where(OutboxMessageRow.transaction_id == transaction_id)
                .order_by(OutboxMessageRow.message_id)
            ).all()
            if not messages:
                return None, b""
            if messages[0].is_order:
                route = self._routes.get(messages[0].kind)
                return route.target, Routes.calldata(route, b"".join([message.payload for message in messages]))
            return messages[0].target, messages[0].payload
