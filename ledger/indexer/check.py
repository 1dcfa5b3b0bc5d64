"""Compare the projection with the chain's state at the same block: the running form of "projection = chain"."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from ledger.chain.engine import Engine
from ledger.indexer.claims import claim_of
from ledger.indexer.indexer import BOOK, LEDGER
from ledger.standard.claims import period_at
from ledger.standard.ids import Address, to_address
from ledger.store.database import Database
from ledger.store.models.projection import (
    BalanceRow,
    ChainProgrammeRow,
    ClaimRow,
    CollectionRow,
    OrderLockRow,
    PositionRow,
    ProjectionCursorRow,
    RevocationRow,
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


_PROGRAMME_MEMBERS = {
    "par_microfen": 0,
    "flags": 1,
    "state": 2,
    "rulebook_version": 3,
    "spendable_until": 7,
    "frozen_until": 8,
}
"""Columns, and the members of Types.sol's Programme that they mirror."""
_CEILING_MEMBERS = {"mint_ceiling_fen": 0, "revoke_ceiling_fen": 1}
_DUE_MEMBERS = {"due_fen": 0, "due_older_fen": 1, "waived_until": 3}
_CLAIM_MEMBERS = {"matured_fen": 0, "younger_fen": 1, "youngest_fen": 2}


def check_projection(
    database: Database,
    engine: Engine,
    addresses: dict[str, Address],
    *,
    balances_max: int = 1_000,
    draw: Callable[[int], int] = random.randrange,
) -> ProjectionCheck:
    """Compare the projection with the chain at the cursor's block.

    That is supplies, positions, claims, locks, funding, dues, programmes, what is owed, and at most ``balances_max``
    balances.
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
    ledger, book = contracts[LEDGER].functions, contracts[BOOK].functions
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
            questions += _of_programme(programme, ledger, book)
        questions += _of_claims(session, book)
        for (account, token_id), owed in _owed(session).items():
            view = ledger.owed(to_address(account), token_id)
            questions.append(_Question(f"owed by {to_address(account)} of {token_id}", owed, view))
        for account, token_id, amount in _some_balances(session, balances_max, draw):
            view = ledger.balanceOf(to_address(account), token_id)
            questions.append(_Question(f"balance of {to_address(account)} of {token_id}", amount, view))
        differences = _sums(session)
    return block, questions, differences


def _of_programme(programme: ChainProgrammeRow, ledger: Any, book: Any) -> list[_Question]:
    key = programme.programme
    questions = [
        _Question(f"appropriated of programme {key}", programme.appropriated_fen, book.appropriated(key)),
        _Question(f"paid of programme {key}", programme.paid_fen, book.paid(key)),
    ]
    for members, view in (
        (_PROGRAMME_MEMBERS, ledger.programme(key)),
        (_CEILING_MEMBERS, ledger.ceilings(key)),
        (_DUE_MEMBERS, book.due(key)),
    ):
        questions += [
            _Question(f"{column} of programme {key}", getattr(programme, column), view, member)
            for column, member in members.items()
        ]
    return questions


def _of_claims(session: Any, book: Any) -> list[_Question]:
    """The claims by age as of the cursor's block, and what of them is locked."""
    cursor = session.scalars(select(ProjectionCursorRow)).one()
    lock = OrderLockRow
    locked = dict(session.execute(select(lock.merchant, func.sum(lock.delta_fen)).group_by(lock.merchant)).all())
    questions = []
    for row in session.scalars(select(ClaimRow)):
        claim = claim_of(row).at(period_at(cursor.block_timestamp, cursor.maturity_s))
        view = book.claim(row.merchant)
        questions += [
            _Question(f"{column} of merchant {row.merchant}", getattr(claim, column), view, member)
            for column, member in _CLAIM_MEMBERS.items()
        ]
        questions.append(_Question(f"locked of merchant {row.merchant}", int(locked.get(row.merchant, 0)), view, 3))
    return questions


def _owed(session: Any) -> dict[tuple[bytes, int], int]:
    owed: dict[tuple[bytes, int], int] = {}
    for row in session.scalars(select(RevocationRow).where(RevocationRow.owed_minor > 0)):
        key = (row.account, row.token_id)
        owed[key] = owed.get(key, 0) + row.owed_minor
    for row in session.scalars(select(CollectionRow)):
        key = (row.debtor, row.token_id)
        owed[key] = owed.get(key, 0) - row.amount_minor
    return owed


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
