"""The indexer: reads final blocks in pages and projects each page, with the cursor, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.blocks.verified import VerifiedBlocks, header_of
from ledger.chain.answers import hash32, hex_bytes, member, quantity
from ledger.chain.engine import Engine
from ledger.chain.rpc import RpcError, RpcReason
from ledger.deployment import artifacts
from ledger.deployment.file import PastContract
from ledger.indexer import projector
from ledger.indexer.completeness import require_all, speaks_of
from ledger.indexer.decode import Contracts, Header, decode
from ledger.indexer.errors import InconsistentAnswer, OtherChain, ReorgTooDeep
from ledger.indexer.tables import table_of
from ledger.standard.ids import Address, address_bytes
from ledger.store.database import Database, bulk_insert_new
from ledger.store.models.projection import ProjectedBlockRow, ProjectionCursorRow, SuccessorRow

_LOG = logging.getLogger(__name__)

LEDGER = "PointsLedger"
BOOK = "ClearingBook"
_GET_BLOCK = "eth_getBlockByNumber"
_LOOKS = 3
_SECONDS_MAX = 1 << 40
"""A time beyond it, in the year 36812, is counted in something else (GoQuorum's Raft counts nanoseconds)."""


@dataclass(frozen=True, slots=True)
class IndexerLimits:
    """How much is read at once. A page grows while it brings few logs, and shrinks while it brings many."""

    page_blocks_max: int = 2_000
    """Besu stops at 5,000 blocks a query."""
    page_blocks_first: int = 8
    page_logs_aim: int = 20_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the projection is."""

    block_number: int
    block_hash: bytes
    block_timestamp: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one step did."""

    blocks: int
    logs: int
    block_number: int
    """The last block projected."""

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to read."""
        return self.blocks == 0


def contracts_of(addresses: Mapping[str, Address | str], past: Iterable[PastContract] = ()) -> Contracts:
    """Return what the decoder must know, from contract names and addresses; the events come from the artifacts.

    ``past`` are modules that were replaced: what they said counts, but under a name that is not the present module's.
    """
    events = {}
    for name in addresses:
        abi = artifacts.load(name).abi
        names = {item["name"] for item in abi if item["type"] == "event"}
        events[name] = {"0x" + artifacts.event_topic(name, event).hex(): event for event in names}
    labels = {address.lower(): name for name, address in addresses.items()}
    for contract in past:
        label = f"{contract.name} (replaced)"
        labels[contract.address.lower()], events[label] = label, events[contract.name]
    return Contracts(labels, events, addresses[LEDGER].lower())


class Indexer:
    """Keeps the projection of one deployment up to date. One at a time a database: the cursor's row is the lock."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        contracts: Contracts,
        *,
        salt: bytes,
        first_block: int,
        limits: IndexerLimits | None = None,
        blocks: VerifiedBlocks | None = None,
    ) -> None:
        """``first_block`` is the deployment's: nothing of ours is before it. ``salt`` is the deployment id.

        With ``blocks``, headers' hashes are computed and logs come from receipts that give the header's root: for nodes
        that others run. Without, what the node says of its logs is held against the header's filter.
        """
        self._database = database
        self._engine = engine
        self._contracts = contracts
        self._salt = salt
        self._first_block = first_block
        self._blocks = blocks
        self._limits = limits or IndexerLimits()
        self._page_max = self._limits.page_blocks_max
        self._page_blocks = self._limits.page_blocks_first
        self._cursor: Cursor | None = None
        self._retired: set[bytes] = set()
        """Accounts that have a successor, as of the cursor."""

    def step(self) -> IndexReport:
        """Project the next page of final blocks, or undo blocks that are no longer in the chain.

        Raises:
            RpcError: the node cannot be reached, or failed; nothing was written.
            InconsistentAnswer: the node's answers do not belong together; nothing was written, ask again.
            UnknownEvent, MalformedLog, Undecodable, ProjectionBroken, ReorgTooDeep, OtherChain: somebody must look.
        """
        cursor = self._cursor or self._start()
        final = self._engine.final_height()
        if final <= cursor.block_number:
            return IndexReport(0, 0, cursor.block_number)
        first = cursor.block_number + 1
        last = min(final, cursor.block_number + self._page_blocks)
        headers = self._headers(first, last)
        if headers[0].parent_hash != cursor.block_hash:
            if self._headers(cursor.block_number, cursor.block_number)[0].hash == cursor.block_hash:
                raise InconsistentAnswer(first, "its parent is another block than the one before it")
            return self._undo(cursor)
        if headers[0].timestamp < cursor.block_timestamp:
            raise InconsistentAnswer(first, "its time is before that of its parent")
        logs = self._logs(headers)
        if logs is None:
            return self.step()
        changes = decode(self._contracts, headers, logs, self._retired)
        moved = Cursor(last, headers[-1].hash, headers[-1].timestamp)
        with self._database.transaction() as session:
            if not self._move(session, cursor, moved):
                return self._lost()
            projector.apply(session, changes, headers)
        self._cursor = moved
        self._retired.update(account for account, _, _ in changes.successors)
        self._resize(len(logs))
        return IndexReport(len(headers), len(logs), last)

    def cursor(self) -> Cursor:
        """Return how far the projection is; begins it if there is none. Raises OtherChain."""
        return self._cursor or self._start()

    def projected_height(self) -> int:
        """Return the last projected block as the database has it, projected by any process. Raises OtherChain.

        `cursor` is what this indexer knows, and that grows old where another process does the work.
        """
        return (self._stored() or self._start()).block_number

    def run_until_idle(self) -> IndexReport:
        """Step until the projection has reached the final height; returns the sums."""
        blocks = logs = 0
        while True:
            report = self.step()
            if report.is_idle:
                return IndexReport(blocks, logs, report.block_number)
            blocks += report.blocks
            logs += report.logs

    def reindex(self) -> IndexReport:
        """Drop the projection and build it anew from the chain. Readers see it grow; the outbox is untouched."""
        self._clear()
        report = self.run_until_idle()
        with self._database.transaction() as session:
            projector.analyse(session)
        return report

    # Cursor -----------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        with self._database.transaction() as session:
            projector.clear(session)
        self._cursor = None

    def _start(self) -> Cursor:
        """Return the stored cursor, or begin before the deployment's first block."""
        stored = self._stored()
        if stored is None:
            before = self._first_block - 1
            header = self._headers(before, before)[0]
            row = {
                "cursor_id": 1,
                "chain_id": self._engine.chain_id,
                "deployment_salt": self._salt,
                "ledger": address_bytes(self._contracts.ledger),
                "block_number": header.number,
                "block_hash": header.hash,
                "block_timestamp": header.timestamp,
                "maturity_s": self._maturity_s(),
            }
            with self._database.transaction() as session:
                # Another gateway may begin at the same moment: the first one's row stands.
                bulk_insert_new(session, table_of(ProjectionCursorRow), list(row), [tuple(row.values())])
            stored = self._stored()
        if stored is None:
            raise InconsistentAnswer(self._first_block, "the cursor vanished")
        with self._database.read() as session:
            self._retired = {bytes(account) for account in session.scalars(select(SuccessorRow.account))}
        self._cursor = stored
        return stored

    def _maturity_s(self) -> int:
        """Ask the clearing book for its period, which never changes."""
        book = next(address for address, name in self._contracts.names.items() if name == BOOK)
        ask = {"to": book, "data": "0x" + artifacts.call_data(BOOK, "maturity").hex()}
        answer = hex_bytes(self._engine.rpc.call("eth_call", [ask, hex(self._engine.final_height())]), "eth_call")
        return int(artifacts.decode_result(BOOK, "maturity", answer))

    def _stored(self) -> Cursor | None:
        with self._database.read() as session:
            row = session.get(ProjectionCursorRow, 1)
            if row is None:
                return None
            if row.chain_id != self._engine.chain_id:
                raise OtherChain("chain id", row.chain_id, self._engine.chain_id)
            if row.deployment_salt != self._salt:
                raise OtherChain("deployment id", row.deployment_salt.hex(), self._salt.hex())
            return Cursor(row.block_number, row.block_hash, row.block_timestamp)

    def _move(self, session: Session, before: Cursor, after: Cursor) -> bool:
        """Move the cursor, unless another indexer has moved it; its row stays locked until the commit."""
        row = session.execute(
            select(ProjectionCursorRow).where(ProjectionCursorRow.cursor_id == 1).with_for_update()
        ).scalar_one_or_none()
        if row is None or (row.block_number, row.block_hash) != (before.block_number, before.block_hash):
            return False
        row.block_number, row.block_hash = after.block_number, after.block_hash
        row.block_timestamp = after.block_timestamp
        session.flush()
        return True

    def _lost(self) -> IndexReport:
        self._cursor = None
        return IndexReport(0, 0, self._start().block_number)

    def _undo(self, cursor: Cursor) -> IndexReport:
        """Find the last block that we share with the chain, and take back what came after it."""
        with self._database.read() as session:
            known = [
                Cursor(row.block_number, row.block_hash, row.block_timestamp)
                for row in session.scalars(
                    select(ProjectedBlockRow)
                    .where(ProjectedBlockRow.block_number < cursor.block_number)
                    .order_by(ProjectedBlockRow.block_number.desc())
                )
            ]
        candidate = self._shared(known)
        if candidate is None:
            raise ReorgTooDeep(known[-1].block_number if known else cursor.block_number)
        _LOG.error("the chain was reorganised: blocks after %d are undone", candidate.block_number)
        with self._database.transaction() as session:
            if not self._move(session, cursor, candidate):
                return self._lost()
            projector.roll_back(session, candidate.block_number)
        self._cursor = None  # and the retired accounts: the next step reads both
        return IndexReport(cursor.block_number - candidate.block_number, 0, candidate.block_number)

    def _shared(self, known: Sequence[Cursor]) -> Cursor | None:
        """Return the first of these blocks that the chain has; None is said only after several looks."""
        for _ in range(_LOOKS):
            for candidate in known:
                if self._headers(candidate.block_number, candidate.block_number)[0].hash == candidate.block_hash:
                    return candidate
        return None

    # Reading ----------------------------------------------------------------------------------------------------

    def _headers(self, first: int, last: int) -> list[Header]:
        answers = self._engine.rpc.batch(
            [("eth_getBlockByNumber", [hex(number), False]) for number in range(first, last + 1)]
        )
        headers: list[Header] = []
        for number, answer in zip(range(first, last + 1), answers, strict=True):
            if answer is None or quantity(member(answer, "number", _GET_BLOCK), _GET_BLOCK) != number:
                raise InconsistentAnswer(number, "the node does not show this final block")
            if self._blocks is not None and number >= self._first_block:
                header_of(answer, number)  # its hash, computed
            header = Header(
                number,
                hash32(member(answer, "hash", _GET_BLOCK), _GET_BLOCK),
                hash32(member(answer, "parentHash", _GET_BLOCK), _GET_BLOCK),
                quantity(member(answer, "timestamp", _GET_BLOCK), _GET_BLOCK),
                quantity(member(answer, "logsBloom", _GET_BLOCK), _GET_BLOCK),
            )
            if headers and headers[-1].hash != header.parent_hash:
                raise InconsistentAnswer(number, "its parent is not the block before it")
            if header.timestamp > _SECONDS_MAX:
                raise InconsistentAnswer(number, f"its time, {header.timestamp}, is none in seconds")
            if headers and headers[-1].timestamp > header.timestamp:
                raise InconsistentAnswer(number, "its time is before that of its parent")
            headers.append(header)
        return headers

    def _logs(self, headers: Sequence[Header]) -> Sequence[Mapping[str, Any]] | None:
        """Return all logs of our contracts in these blocks, or None if the page was too large and is smaller now."""
        if self._blocks is not None:
            return [log for header in headers for log in self._verified_logs(self._blocks, header)]
        logs = self._queried_logs(headers[0].number, headers[-1].number)
        if logs is not None:
            require_all(self._engine.rpc, self._contracts, headers, logs)
        return logs

    def _verified_logs(self, blocks: VerifiedBlocks, header: Header) -> list[Mapping[str, Any]]:
        """Return our logs of a block; one whose filter has none of our contracts need not be read."""
        if not speaks_of(self._contracts, header):
            return []
        block = blocks.read(self._engine.rpc, header.number, header.hash)
        return [log for log in block.logs if log["address"] in self._contracts.names]

    def _queried_logs(self, first: int, last: int) -> Sequence[Mapping[str, Any]] | None:
        question = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(self._contracts.names)}
        try:
            logs: Any = self._engine.rpc.call("eth_getLogs", [question])
        except RpcError as error:
            if error.reason is not RpcReason.RANGE_TOO_LARGE or self._page_blocks == 1:
                raise
            self._page_blocks = self._page_max = max(1, self._page_blocks // 4)
            return None
        if not isinstance(logs, list) or not all(isinstance(log, dict) for log in logs):
            raise InconsistentAnswer(first, "the logs are no list")
        return logs

    def _resize(self, logs: int) -> None:
        aim = self._limits.page_logs_aim
        if logs > aim:
            self._page_blocks = max(1, self._page_blocks // 2)
        elif logs * 4 < aim:
            self._page_blocks = min(self._page_max, self._page_blocks * 2)
