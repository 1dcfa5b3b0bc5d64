"""What the API reads of the projections. Each answer comes from one snapshot, with the block up to which it is true."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from ledger.indexer.decode import stored_number
from ledger.residents.registry import ResidentId
from ledger.standard.contract import MINT_SHARE, REVOKE_SHARE
from ledger.standard.ids import Address, MerchantId, OrderId, ProgrammeId, address_bytes
from ledger.store.models.issuance import IssuanceGrantRow
from ledger.store.models.projection import (
    ChainProgrammeRow,
    EntryRow,
    FlowRow,
    OrderLockRow,
    OrderOutcomeRow,
    PositionRow,
    ProjectionCursorRow,
    SupplyRow,
)
from ledger.store.models.redemption import MerchantRow, OfferRow, RedemptionOrderRow
from redemption.orders import RedemptionOrder


@dataclass(frozen=True, slots=True)
class Block:
    """The final block that the projection has reached."""

    number: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of an account, in minor units."""

    block_number: int
    log_index: int
    side: int
    token_id: int
    delta_minor: int
    kind: str
    reference: bytes | None
    transaction_hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class ChainProgramme:
    """A programme as projected, with its supply in minor units and its figures in fen; the ceilings are a day's."""

    programme: ProgrammeId
    par_microfen: int
    flags: int
    state: int
    rulebook_version: int
    rulebook_hash: bytes | None
    supply_minor: int
    escrowed_minor: int
    appropriated_fen: int
    paid_fen: int
    position_fen: int
    frozen_until: int
    mint_ceiling_fen: int
    revoke_ceiling_fen: int
    due_fen: int
    due_older_fen: int
    flows: Sequence[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class OrderLock:
    """What the consumer arbiter has locked of a merchant's claim for an order, in fen, and until when (Unix time)."""

    fen: int
    until: int


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What the chain said of an order, last."""

    kind: str
    code: int
    from_id: int | None
    amount_in: int | None
    to_id: int | None
    amount_out: int | None
    fen: int | None
    transaction_hash: bytes
    block_number: int
    log_index: int
    timestamp: int


def projected_block(session: Session) -> Block:
    """Return how far the projection has come; block 0 at time 0 before it starts."""
    row = session.get(ProjectionCursorRow, 1)
    return Block(0, 0) if row is None else Block(row.block_number, row.block_timestamp)


def history(session: Session, account: Address, before: tuple[int, ...] | None, limit: int) -> list[Entry]:
    """Return an account's movements, newest first, those before the place (block, log index, side)."""
    query = (
        select(EntryRow)
        .where(EntryRow.account == address_bytes(account))
        .order_by(EntryRow.block_number.desc(), EntryRow.log_index.desc(), EntryRow.side.desc())
        .limit(limit)
    )
    if before is not None:
        block, log, side = before
        query = query.where(
            or_(
                EntryRow.block_number < block,
                and_(EntryRow.block_number == block, EntryRow.log_index < log),
                and_(EntryRow.block_number == block, EntryRow.log_index == log, EntryRow.side < side),
            )
        )
    return [
        Entry(
            row.block_number,
            row.log_index,
            row.side,
            row.token_id,
            row.delta_minor,
            row.kind,
            row.reference,
            row.transaction_hash,
            row.block_timestamp,
        )
        for row in session.scalars(query)
    ]


def movements_since(session: Session, account: Address, since: int) -> list[tuple[int, str, int, int]]:
    """Return an account's movements from a Unix time on: (when, kind, token id, minor units), at most 5,000."""
    row = EntryRow
    query = select(row.block_timestamp, row.kind, row.token_id, row.delta_minor).where(
        row.account == address_bytes(account), row.block_timestamp >= since
    )
    found = session.execute(query.order_by(row.block_number.desc(), row.log_index.desc()).limit(5_000))
    return [(moment, kind, token, delta) for moment, kind, token, delta in found]


def programmes(session: Session) -> list[ChainProgramme]:
    """Return all programmes by number."""
    supplies = {
        programme: (int(supply), int(escrowed))
        for programme, supply, escrowed in session.execute(
            select(SupplyRow.programme, func.sum(SupplyRow.supply_minor), func.sum(SupplyRow.escrowed_minor)).group_by(
                SupplyRow.programme
            )
        )
    }
    flows: dict[int, list[tuple[str, int, int]]] = {}
    for flow in session.scalars(select(FlowRow).order_by(FlowRow.programme, FlowRow.kind)):
        flows.setdefault(flow.programme, []).append((flow.kind, flow.amount_minor, flow.events))
    held = dict(positions(session))
    return [
        ChainProgramme(
            programme=row.programme,
            par_microfen=row.par_microfen,
            flags=row.flags,
            state=row.state,
            rulebook_version=row.rulebook_version,
            rulebook_hash=row.rulebook_hash,
            supply_minor=supplies.get(row.programme, (0, 0))[0],
            escrowed_minor=supplies.get(row.programme, (0, 0))[1],
            appropriated_fen=row.appropriated_fen,
            paid_fen=row.paid_fen,
            position_fen=held.get(1 << 32 | row.programme, 0),
            frozen_until=row.frozen_until,
            mint_ceiling_fen=row.mint_ceiling_fen or row.appropriated_fen // MINT_SHARE,
            revoke_ceiling_fen=row.revoke_ceiling_fen or row.appropriated_fen // REVOKE_SHARE,
            due_fen=row.due_fen,
            due_older_fen=row.due_older_fen,
            flows=flows.get(row.programme, []),
        )
        for row in session.scalars(select(ChainProgrammeRow).order_by(ChainProgrammeRow.programme))
    ]


def positions(session: Session) -> list[tuple[int, int]]:
    """Return (participant, fen) by participant."""
    rows = session.execute(select(PositionRow.participant, PositionRow.position_fen).order_by(PositionRow.participant))
    return [(participant, fen) for participant, fen in rows]


def order_lock(session: Session, order_id: OrderId) -> OrderLock | None:
    """Return an order's lock, which may be over, or None where it never was locked: an order is locked once."""
    rows = session.scalars(select(OrderLockRow).where(OrderLockRow.order_id == order_id)).all()
    until = next((row.until for row in rows if row.until is not None), None)
    return None if until is None else OrderLock(sum(row.delta_fen for row in rows), until)


@dataclass(frozen=True, slots=True)
class Name:
    """A name in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ShopNames:
    """Names of merchants and titles of offers."""

    merchants: Mapping[MerchantId, Name]
    offers: Mapping[str, Name]


def shop_names(session: Session, orders: Iterable[RedemptionOrder]) -> ShopNames:
    """Return the names of orders' merchants and offers."""
    found = list(orders)
    merchants, offers = {one.merchant_id for one in found}, {one.offer_id for one in found if one.offer_id is not None}
    if not found:
        return ShopNames({}, {})
    shops = session.execute(
        select(MerchantRow.merchant_id, MerchantRow.name_zh, MerchantRow.name_en).where(
            MerchantRow.merchant_id.in_(merchants)
        )
    )
    titles = session.execute(
        select(OfferRow.offer_id, OfferRow.title_zh, OfferRow.title_en).where(OfferRow.offer_id.in_(offers))
    )
    return ShopNames(
        {MerchantId(number): Name(zh, en) for number, zh, en in shops}, {key: Name(zh, en) for key, zh, en in titles}
    )


@dataclass(frozen=True, slots=True)
class HistoryNames:
    """What movements were for: (merchant, offer) by order, and the activity by (batch reference, minor units)."""

    orders: Mapping[OrderId, tuple[Name | None, Name | None]]
    activities: Mapping[tuple[bytes | None, int], str]


def history_names(session: Session, resident_id: ResidentId, entries: Sequence[Entry]) -> HistoryNames:
    """Return the names of what a resident's movements were for: one query for orders, one for grants."""
    references = [one.reference for one in entries if one.reference is not None]
    orders = {OrderId(one) for one in references if len(one) == _ORDER_BYTES}
    batches: dict[tuple[int, int | None], bytes] = {
        (programme, stored_number(number)): one.reference
        for one in entries
        if one.kind == "mint" and one.reference is not None and len(one.reference) == _BATCH.size
        for programme, number in [_BATCH.unpack(one.reference)]
    }
    return HistoryNames(_order_names(session, orders), _activities(session, resident_id, batches))


def _order_names(session: Session, orders: Collection[OrderId]) -> dict[OrderId, tuple[Name | None, Name | None]]:
    if not orders:
        return {}
    row = RedemptionOrderRow
    found = session.execute(
        select(row.order_id, MerchantRow.name_zh, MerchantRow.name_en, OfferRow.title_zh, OfferRow.title_en)
        .join(MerchantRow, MerchantRow.merchant_id == row.merchant_id)
        .outerjoin(OfferRow, OfferRow.offer_id == row.offer_id)
        .where(row.order_id.in_(orders))
    )
    return {
        OrderId(order_id): (Name(shop_zh, shop_en), _name(title_zh, title_en))
        for order_id, shop_zh, shop_en, title_zh, title_en in found
    }


def _name(zh: str | None, en: str | None) -> Name | None:
    return None if zh is None or en is None else Name(zh, en)


def _activities(
    session: Session, resident_id: ResidentId, batches: Mapping[tuple[int, int | None], bytes]
) -> dict[tuple[bytes | None, int], str]:
    """Two grants of one batch and amount for different activities cannot be told apart by their movement: no name."""
    if not batches:
        return {}
    row = IssuanceGrantRow
    found: dict[tuple[bytes | None, int], set[str]] = {}
    grants = session.execute(
        select(row.programme, row.batch_number, row.amount_minor, row.activity).where(
            row.resident_id == resident_id, row.batch_number.in_({number for _, number in batches})
        )
    )
    for programme, number, amount, activity in grants:
        reference = batches.get((programme, number))
        if reference is not None:
            found.setdefault((reference, amount), set()).add(activity)
    return {key: next(iter(names)) for key, names in found.items() if len(names) == 1}


_ORDER_BYTES = 32
_BATCH = Struct(">IQ")
"""What a mint's movement refers to: see `ledger.indexer.decode.batch_reference`."""


def order_outcomes(session: Session, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderOutcome]:
    """Return `order_outcome` of each order that the chain has spoken of."""
    rows = session.scalars(
        select(OrderOutcomeRow)
        .where(OrderOutcomeRow.order_id.in_(order_ids))
        .order_by(OrderOutcomeRow.block_number, OrderOutcomeRow.log_index)
    )
    spoken: dict[OrderId, list[OrderOutcomeRow]] = {}
    for row in rows:
        spoken.setdefault(OrderId(row.order_id), []).append(row)
    return {key: _last(found) for key, found in spoken.items()}


def order_outcome(session: Session, order_id: OrderId) -> OrderOutcome | None:
    """Return the last thing the chain said of an order that changed anything, or else its rejection."""
    return order_outcomes(session, [order_id]).get(order_id)


def _last(rows: Sequence[OrderOutcomeRow]) -> OrderOutcome:
    landed = [row for row in rows if row.code == 0]
    row = landed[-1] if landed else rows[0]
    return OrderOutcome(
        row.kind,
        row.code,
        row.from_id,
        row.amount_in,
        row.to_id,
        row.amount_out,
        row.fen,
        row.transaction_hash,
        row.block_number,
        row.log_index,
        row.block_timestamp,
    )
