"""Compare the projection with the chain's state at the same block: the running form of "projection = chain"."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from ledger.chain.engine import Engine
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

if TYPE_CHECKING:
    from web3.contract.contract import ContractFunction

    from ledger.deployment.contracts import Contracts


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


class _Question(NamedTuple):
    what: str
    projected: int
    view: ContractFunction
    member: int | None = None
    """Which member of a struct that the view returns; None where it returns a number."""


_PROGRAMME_MEMBERS = {"par_microfen": 0, "flags": 1, "state": 2, "rulebook_version": 3, "spendable_until": 7}
"""Columns, and the members of Types.sol's Programme that they mirror."""


def check_projection(
    database: Database,
    engine: Engine,
    addresses: dict[str, Address],
    *,
    balances_max: int = 1_000,
    draw: Callable[[int], int] = random.randrange,
) -> ProjectionCheck:
    """Compare the projection with the chain at the cursor's block.

    That is supplies, positions, funding, programmes, and at most ``balances_max`` balances.
    With more accounts than that, those from a random one on are taken. Raises `RpcError` (BLOCK_UNAVAILABLE if the
    chain has gone on so far that the block's state is gone: check again).
    """
    # Imports web3: at the first check, so that a worker's start does without it.
    from ledger.deployment.contracts import Contracts

    contracts = Contracts(engine.rpc, addresses, engine.chain_id)
    block, questions, differences = _questions(contracts, database, balances_max, draw)
    answers = contracts.read_all([question.view for question in questions], block)
    for question, answer in zip(questions, answers, strict=True):
        on_chain = answer if question.member is None else answer[question.member]
        if on_chain != question.projected:
            differences.append(Difference(question.what, question.projected, on_chain))
    return ProjectionCheck(block, len(questions), tuple(differences))


def _questions(
    contracts: Contracts, database: Database, balances_max: int, draw: Callable[[int], int]
) -> tuple[int, list[_Question], list[Difference]]:
    ledger, book = contracts[LEDGER].functions, contracts["ClearingBook"].functions
    with database.read() as session:
        block = session.scalars(select(ProjectionCursorRow.block_number)).one()
        questions = [
            _Question(f"supply of {row.token_id}", row.supply_minor, ledger.totalSupply(row.token_id))
            for row in session.scalars(select(SupplyRow))
        ]
        for row in session.scalars(select(PositionRow)):
            view = book.position(row.participant)
            questions.append(_Question(f"position of {row.participant}", row.position_fen, view))
        for programme in session.scalars(select(ChainProgrammeRow)):
            key = programme.programme
            for name, fen, view in (
                ("appropriated", programme.appropriated_fen, book.appropriated(key)),
                ("paid", programme.paid_fen, book.paid(key)),
            ):
                questions.append(_Question(f"{name} of programme {key}", fen, view))
            for column, member in _PROGRAMME_MEMBERS.items():
                what, projected = f"{column} of programme {key}", getattr(programme, column)
                questions.append(_Question(what, projected, ledger.programme(key), member))
        for account, token_id, amount in _some_balances(session, balances_max, draw):
            view = ledger.balanceOf(to_address(account), token_id)
            questions.append(_Question(f"balance of {to_address(account)} of {token_id}", amount, view))
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
