"""Compare the projection with the chain's state at the same block: the running form of "projection = chain"."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from ledger.chain.engine import Engine
from ledger.deployment import artifacts
from ledger.indexer.indexer import LEDGER
from ledger.standard.ids import Address, to_address
from ledger.store.database import Database
from ledger.store.models.projection import (
    BalanceRow,
    ChainProgrammeRow,
    PositionRow,
    ProjectionCursorRow,
    SupplyRow,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that the projection and the chain disagree about."""

    what: str
    projected: int
    on_chain: int


@dataclass(frozen=True, slots=True)
class ProjectionCheck:
    """The result of one comparison."""

    block_number: int
    compared: int
    differences: tuple[Difference, ...]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


_Question = tuple[str, int, str, bytes]
"""(what, projected value, contract, calldata)."""


def check_projection(
    database: Database,
    engine: Engine,
    addresses: dict[str, Address],
    *,
    balances_max: int = 1_000,
    draw: Callable[[int], int] = random.randrange,
) -> ProjectionCheck:
    """Compare supplies, positions, funding and at most ``balances_max`` balances with the chain at the cursor's block.

    With more accounts than that, those from a random one on are taken. Raises `RpcError` (BLOCK_UNAVAILABLE if the
    chain has gone on so far that the block's state is gone: check again).
    """
    block, questions, differences = _questions(database, balances_max, draw)
    calls = [
        ("eth_call", [{"to": addresses[contract], "data": "0x" + data.hex()}, hex(block)])
        for _, _, contract, data in questions
    ]
    answers = engine.rpc.batch(calls)
    for (what, projected, _, _), answer in zip(questions, answers, strict=True):
        found = int(answer, 16)
        found = found - (1 << 256) if found >> 255 else found
        if found != projected:
            differences.append(Difference(what, projected, found))
    return ProjectionCheck(block, len(questions), tuple(differences))


def _questions(
    database: Database, balances_max: int, draw: Callable[[int], int]
) -> tuple[int, list[_Question], list[Difference]]:
    with database.read() as session:
        block = session.scalars(select(ProjectionCursorRow.block_number)).one()
        questions: list[_Question] = [
            (f"supply of {row.token_id}", row.supply_minor, LEDGER, _call("totalSupply", [row.token_id]))
            for row in session.scalars(select(SupplyRow))
        ]
        for row in session.scalars(select(PositionRow)):
            data = artifacts.call_data("ClearingBook", "position", [row.participant])
            questions.append((f"position of {row.participant}", row.position_fen, "ClearingBook", data))
        for programme in session.scalars(select(ChainProgrammeRow)):
            for name, fen in (("appropriated", programme.appropriated_fen), ("paid", programme.paid_fen)):
                data = artifacts.call_data("ClearingBook", name, [programme.programme])
                questions.append((f"{name} of programme {programme.programme}", fen, "ClearingBook", data))
        for account, token_id, amount in _some_balances(session, balances_max, draw):
            data = _call("balanceOf", [to_address(account), token_id])
            questions.append((f"balance of {to_address(account)} of {token_id}", amount, LEDGER, data))
        differences = _sums(session)
    return block, questions, differences


def _some_balances(session: Any, balances_max: int, draw: Callable[[int], int]) -> Sequence[tuple[bytes, int, int]]:
    query = select(BalanceRow.account, BalanceRow.token_id, BalanceRow.amount_minor).order_by(
        BalanceRow.account, BalanceRow.token_id
    )
    start = draw(1 << 32).to_bytes(4, "big")
    found = list(session.execute(query.where(BalanceRow.account >= start).limit(balances_max)))
    if len(found) < balances_max:
        left = balances_max - len(found)
        found += list(session.execute(query.where(BalanceRow.account < start).limit(left)))
    return found


def _sums(session: Any) -> list[Difference]:
    """Σ balances = supply for each lot, and Σ positions = 0, within the projection."""
    sums = dict(
        session.execute(
            select(BalanceRow.token_id, func.sum(BalanceRow.amount_minor)).group_by(BalanceRow.token_id)
        ).all()
    )
    differences = [
        Difference(f"sum of balances of {row.token_id}", int(sums.get(row.token_id, 0)), row.supply_minor)
        for row in session.scalars(select(SupplyRow))
        if int(sums.get(row.token_id, 0)) != row.supply_minor
    ]
    total = int(session.scalar(select(func.sum(PositionRow.position_fen))) or 0)
    if total != 0:
        differences.append(Difference("sum of positions", total, 0))
    return differences


def _call(function: str, args: Sequence[Any]) -> bytes:
    return artifacts.call_data(LEDGER, function, args)
