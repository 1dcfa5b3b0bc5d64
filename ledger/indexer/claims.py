"""Merchants' claims by age, from the changes of their positions. One caller's transaction each time.

The chain says what a claim gained or lost; of which age, `ledger.standard.claims` computes as the contract does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ledger.indexer.errors import ProjectionBroken
from ledger.indexer.tables import table_of
from ledger.standard.claims import Claim, period_at
from ledger.standard.errors import OutOfRange
from ledger.standard.ids import POOL, MerchantId, OrderId, is_merchant, merchant_participant
from ledger.store.database import bulk_add, fetch_by_keys
from ledger.store.models.projection import ClaimRow, OrderOutcomeRow, PositionChangeRow, ProjectionCursorRow

_FIRST = merchant_participant(MerchantId(0))
_COLUMNS = ["merchant", "matured_fen", "younger_fen", "youngest_fen", "period"]
_PARTS_AT_ONCE = 500


def apply(session: Session, changes: Sequence[tuple[Any, ...]]) -> None:
    """Bring claims up to date with changes of positions (rows of `PositionChangeRow`), which are stored already.

    The orders that were refunded must have been projected. Raises ProjectionBroken.
    """
    own = [change for change in changes if is_merchant(change[2])]
    if not own:
        return
    merchants = {_merchant(change[2]) for change in own}
    rows = fetch_by_keys(session, table_of(ClaimRow), _COLUMNS, "merchant", sorted(merchants))
    _fold(session, {MerchantId(row[0]): Claim(*row[1:]) for row in rows}, own)


def touched_after(session: Session, block_number: int) -> set[MerchantId]:
    """Return the merchants whose claim changed after a block."""
    change = PositionChangeRow
    participants = session.scalars(
        select(change.participant)
        .distinct()
        .where(change.block_number > block_number, change.participant >= _FIRST, change.participant < POOL)
    )
    return {_merchant(participant) for participant in participants}


def rebuild(session: Session, merchants: Collection[MerchantId]) -> None:
    """Compute the claims of merchants anew from all that changed them. Raises ProjectionBroken."""
    if not merchants:
        return
    session.execute(delete(ClaimRow).where(ClaimRow.merchant.in_(merchants)))
    table = table_of(PositionChangeRow)
    changes = session.execute(
        select(*table.columns)
        .where(PositionChangeRow.participant.in_([merchant_participant(merchant) for merchant in merchants]))
        .order_by(PositionChangeRow.block_number, PositionChangeRow.log_index)
    ).all()
    _fold(session, {}, [tuple(change) for change in changes])


def claim_of(row: ClaimRow) -> Claim:
    """Return a stored claim, as of its own period."""
    return Claim(row.matured_fen, row.younger_fen, row.youngest_fen, row.period)


def current(session: Session, merchant: MerchantId) -> Claim:
    """Return a merchant's claim as of the last projected block."""
    row, cursor = session.get(ClaimRow, merchant), session.get(ProjectionCursorRow, 1)
    if row is None or cursor is None:
        return Claim()
    return claim_of(row).at(period_at(cursor.block_timestamp, cursor.maturity_s))


def _fold(session: Session, claims: dict[MerchantId, Claim], changes: Sequence[tuple[Any, ...]]) -> None:
    maturity_s = session.scalars(select(ProjectionCursorRow.maturity_s)).one()
    times = _times(session, [change[7] for change in changes if change[6] == "refunded"])
    for _, _, participant, delta, position, time, cause, reference in changes:
        merchant = _merchant(participant)
        claim = claims.get(merchant, Claim()).at(period_at(time, maturity_s))
        try:
            match cause:
                case "earned":
                    claim = claim.earned(delta)
                case "paid_out":
                    claim = claim.paid_out(-delta)
                case "refunded":
                    claim = claim.refunded(-delta, period_at(times[bytes(reference)], maturity_s))
                case _:
                    raise ProjectionBroken("chain_claims", f"nothing says why merchant {merchant}'s claim changed")
        except (KeyError, OutOfRange) as error:
            raise ProjectionBroken("chain_claims", f"merchant {merchant}: {error}") from error
        if claim.total_fen != position:
            raise ProjectionBroken("chain_claims", f"merchant {merchant}'s parts are not its position")
        claims[merchant] = claim
    rows = [
        (merchant, one.matured_fen, one.younger_fen, one.youngest_fen, one.period) for merchant, one in claims.items()
    ]
    bulk_add(session, table_of(ClaimRow), _COLUMNS[:1], [], rows, replaces=_COLUMNS[1:])


def _times(session: Session, orders: Iterable[OrderId]) -> dict[bytes, int]:
    """Return when orders paid, in Unix time."""
    rows = fetch_by_keys(
        session, table_of(OrderOutcomeRow), ["order_id", "kind", "block_timestamp"], "order_id", list(set(orders))
    )
    return {bytes(order_id): time for order_id, kind, time in rows if kind in ("redeem", "capture")}


def _merchant(participant: int) -> MerchantId:
    return MerchantId(participant - _FIRST)
