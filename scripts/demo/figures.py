"""Figures that the page needs beyond the auditor's: what points can buy, and who owes whom for what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.standard.ids import MerchantId, ProgrammeId, split_token_id
from ledger.standard.typed_data import Lot
from ledger.standard.value import MICROFEN_MINOR, basket_debits_down
from ledger.store.models.projection import BalanceRow, OrderOutcomeRow
from ledger.store.models.redemption import RedemptionLotRow, RedemptionOrderRow
from redemption.lots import kept_lots


@dataclass(frozen=True, slots=True)
class Price:
    """The cheapest thing of a shop."""

    merchant_id: MerchantId
    fen: int


@dataclass(frozen=True, slots=True)
class Useful:
    """Points that can buy something, of all points of a programme (minor units)."""

    total: int
    before: int
    after: int


def useful_points(
    wallets: Iterable[Mapping[ProgrammeId, int]],
    pars: Mapping[ProgrammeId, int],
    prices: Collection[Price],
    own_shops: Mapping[ProgrammeId, Collection[MerchantId]],
) -> dict[ProgrammeId, Useful]:
    """Return what share of each programme's points can buy something, alone and together. Pure.

    ``wallets`` are minor units by programme. Before: a programme's points of one wallet pay for the cheapest thing in
    the shops of its own field. After: all points of a wallet together pay for the cheapest thing anywhere. Values are
    rounded down to a fen once, as a redemption does.
    """
    anywhere = min(price.fen for price in prices)
    alone = {
        programme: min(
            (price.fen for price in prices if price.merchant_id in own_shops.get(programme, ())), default=None
        )
        for programme in pars
    }
    totals: defaultdict[ProgrammeId, list[int]] = defaultdict(lambda: [0, 0, 0])
    for wallet in wallets:
        together = sum(minor * pars.get(programme, 0) for programme, minor in wallet.items()) // MICROFEN_MINOR
        for programme, minor in wallet.items():
            if not pars.get(programme):
                continue
            cheapest = alone[programme]
            counts = totals[programme]
            counts[0] += minor
            if cheapest is not None and minor * pars[programme] // MICROFEN_MINOR >= cheapest:
                counts[1] += minor
            if together >= anywhere:
                counts[2] += minor
    return {programme: Useful(*counts) for programme, counts in totals.items()}


def read_wallets(session: Session) -> list[dict[ProgrammeId, int]]:
    """Return every account's points by programme."""
    wallets: defaultdict[bytes, dict[ProgrammeId, int]] = defaultdict(dict)
    rows = session.execute(select(BalanceRow.account, BalanceRow.token_id, BalanceRow.amount_minor)).tuples()
    for account, token, amount in rows:
        programme = split_token_id(token)[0]
        wallets[account][programme] = wallets[account].get(programme, 0) + amount
    return list(wallets.values())


def exchange_flows(session: Session) -> dict[tuple[ProgrammeId, ProgrammeId], int]:
    """Return the fen of all exchanges that landed, by (from programme, to programme)."""
    flows: defaultdict[tuple[ProgrammeId, ProgrammeId], int] = defaultdict(int)
    rows = session.execute(
        select(OrderOutcomeRow.from_id, OrderOutcomeRow.to_id, OrderOutcomeRow.fen).where(
            OrderOutcomeRow.kind == "exchange", OrderOutcomeRow.code == 0
        )
    ).tuples()
    for source, target, fen in rows:
        if source is not None and target is not None and fen is not None:
            flows[split_token_id(source)[0], split_token_id(target)[0]] += fen
    return dict(flows)


def redemption_flows(session: Session, pars: Mapping[ProgrammeId, int]) -> dict[tuple[ProgrammeId, MerchantId], int]:
    """Return the fen that merchants keep, by (programme, merchant), from the orders' signed lots."""
    lots: defaultdict[bytes, list[Lot]] = defaultdict(list)
    ordered = select(RedemptionLotRow).order_by(RedemptionLotRow.order_id, RedemptionLotRow.place)
    for row in session.scalars(ordered):
        lots[row.order_id].append(Lot(row.token_id, row.amount_minor))
    kept_now = _kept(session)
    flows: defaultdict[tuple[ProgrammeId, MerchantId], int] = defaultdict(int)
    paid = select(RedemptionOrderRow).where(RedemptionOrderRow.state.in_(("paid", "captured", "part_refunded")))
    for order in session.scalars(paid):
        kept = tuple(lots[order.order_id])
        if order.order_id in kept_now:
            kept = kept_lots(kept, *kept_now[order.order_id])
        programmes = [split_token_id(lot.id)[0] for lot in kept]
        debits = basket_debits_down([(pars[p], lot.amount) for p, lot in zip(programmes, kept, strict=True)])
        for programme, fen in zip(programmes, debits, strict=True):
            flows[programme, order.merchant_id] += fen
    return dict(flows)


def _kept(session: Session) -> dict[bytes, tuple[int, int]]:
    """Return (lots, last amount) of the prefix that captures and refunds left of orders."""
    outcomes = session.execute(
        select(OrderOutcomeRow.order_id, OrderOutcomeRow.kept_lots, OrderOutcomeRow.kept_last_minor)
        .where(OrderOutcomeRow.kept_lots.is_not(None), OrderOutcomeRow.code == 0)
        .order_by(OrderOutcomeRow.block_number, OrderOutcomeRow.log_index)
    ).tuples()
    return {order_id: (int(kept or 0), int(last or 0)) for order_id, kept, last in outcomes}
