"""From what services return to what the API shows. Pure functions; nothing personal and no fen for residents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from issuers.answers import Explanation
from ledger.clearing.netting import Payment
from ledger.orders.desk import OrderState
from ledger.orders.quote import LotQuote
from ledger.residents.registry import Registration, Resident
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import ProgrammeFlag, ProgrammeState, rejection_text
from ledger.standard.ids import MerchantId, merchant_participant, programme_participant, split_token_id
from ledger.standard.quarters import NEVER, is_dead, quarter_end_timestamp
from ledger.standard.typed_data import Lot
from ledger.standard.value import MICROFEN_MINOR
from ledger_api.ports import ProgrammeName
from ledger_api.schemas.common import AsOf, hex_text, moment, money, points
from ledger_api.schemas.exchange import ExchangePart
from ledger_api.schemas.issuing import GrantOut
from ledger_api.schemas.merchants import MerchantOut, OfferOut, ProgrammePrice
from ledger_api.schemas.orders import OrderLot, OrderOut
from ledger_api.schemas.programmes import FlowOut, FundingOut, PaymentOut, PaymentsOut, PositionOut, ProgrammeOut
from ledger_api.schemas.redemption import MerchantOrderOut
from ledger_api.schemas.residents import ResidentOut
from ledger_api.schemas.wallet import HistoryItem, LotOut, ProgrammeBalance, WalletOut
from ledger_api.views import queries
from ledger_api.views.exchanges import PlacedExchange
from redemption.merchants import Merchant
from redemption.offers import Offer
from redemption.orders import RedemptionOrder
from redemption.states import FINAL, State

EXPIRING_SOON_S = 90 * DAY_S


def as_of(block: queries.Block) -> AsOf:
    """Return the block up to which an answer is true."""
    return AsOf(block_number=str(block.number), time=moment(block.timestamp))


def resident(found: Resident, registration: Registration | None = None) -> ResidentOut:
    """Return a resident."""
    return ResidentOut(
        resident_id=str(found.resident_id),
        account=found.account,
        is_custodial=found.is_custodial,
        status=found.status,
        registered_at=moment(found.created_at),
        outcome=None if registration is None else registration.outcome.value,
    )


def quarter_text(quarter: int) -> str | None:
    """Return a quarter as ``2027Q1``; None for points that never expire."""
    return None if quarter == NEVER else f"{2000 + (quarter - 1) // 4}Q{(quarter - 1) % 4 + 1}"


def lot(token: int, minor: int, now: int) -> LotOut:
    """Return a lot as of Unix time ``now``."""
    programme, quarter = split_token_id(token)
    return LotOut(
        token_id=str(token),
        programme=programme,
        expiry_quarter=quarter_text(quarter),
        expires_at=None if quarter == NEVER else moment(quarter_end_timestamp(quarter)),
        amount=points(minor),
        is_expired=is_dead(quarter, now),
    )


def wallet(
    account: str,
    block: queries.Block,
    balances: Sequence[tuple[int, int]],
    spendable: Mapping[int, int],
    programmes: Iterable[queries.ChainProgramme],
    names: Mapping[int, ProgrammeName],
    now: int,
) -> WalletOut:
    """Return a wallet; ``spendable`` are minor units by token id, less those in orders on their way."""
    shown = []
    for programme in programmes:
        own = [(token, minor) for token, minor in balances if split_token_id(token)[0] == programme.programme]
        live = [(token, minor) for token, minor in own if not is_dead(split_token_id(token)[1], now)]
        soon = [(token, minor) for token, minor in live if _dies_before(token, now + EXPIRING_SOON_S)]
        total = sum(minor for _, minor in live)
        available = sum(spendable.get(token, 0) for token, _ in live)
        name = names.get(programme.programme) or _nameless(programme.programme)
        shown.append(
            ProgrammeBalance(
                programme=programme.programme,
                slug=name.slug,
                name_zh=name.name_zh,
                name_en=name.name_en,
                balance=points(total),
                available=points(available),
                expiring=points(sum(minor for _, minor in soon)),
                expired=points(sum(minor for _, minor in own) - total),
                is_spendable=programme.par_microfen > 0,
            )
        )
    ordered = sorted(balances, key=lambda one: _expiry(one[0]))
    return WalletOut(
        account=account,
        as_of=as_of(block),
        programmes=shown,
        lots=[lot(token, minor, now) for token, minor in ordered],
    )


def history_item(entry: queries.Entry) -> HistoryItem:
    """Return one movement."""
    return HistoryItem(
        at=moment(entry.timestamp),
        kind=entry.kind,
        programme=split_token_id(entry.token_id)[0],
        token_id=str(entry.token_id),
        delta=points(entry.delta_minor),
        reference=None if entry.reference is None else hex_text(entry.reference),
        transaction=hex_text(entry.transaction_hash),
    )


def grant(found: Explanation) -> GrantOut:
    """Return an award with its explanation."""
    return GrantOut(
        grant_id=found.grant_id,
        programme=found.programme,
        amount=points(found.amount_minor),
        revoked=points(found.revoked_minor),
        activity=found.activity,
        deed_day=found.deed_day,
        rulebook_version=found.rulebook_version,
        rulebook_hash=found.rulebook_hash,
        steps_en=list(found.steps_en),
        steps_zh=list(found.steps_zh),
        state=found.state,
        batch=None if found.batch_number is None else str(found.batch_number),
        token_id=None if found.token_id is None else str(found.token_id),
        receipt=f"/v1/wallet/grants/{found.grant_id}/receipt" if found.batch_state == "landed" else None,
    )


def exchange_part(part: LotQuote) -> ExchangePart:
    """Return one lot's part of an exchange."""
    quarter = split_token_id(part.from_id)[1]
    return ExchangePart(
        from_token_id=str(part.from_id),
        amount_in=points(part.amount_in_minor),
        amount_out=points(part.amount_out_minor),
        expires_at=None if quarter == NEVER else moment(quarter_end_timestamp(quarter)),
    )


def order_lots(lots: Iterable[Lot]) -> list[OrderLot]:
    """Return the lots of an order."""
    return [
        OrderLot(token_id=str(one.id), programme=split_token_id(one.id)[0], amount=points(one.amount)) for one in lots
    ]


def redemption(order: RedemptionOrder, outcome: queries.OrderOutcome | None) -> OrderOut:
    """Return a redemption order as its resident sees it."""
    name = hex_text(order.order_id)
    is_paid = order.paid_fen > 0
    return OrderOut(
        order_id=name,
        kind=order.kind.value,
        state=order.state.value,
        is_final=order.state in FINAL,
        reject_code=order.reject_code,
        reject_reason=None if order.reject_code is None else rejection_text(order.reject_code),
        lots=order_lots(order.lots),
        merchant=order.merchant_id,
        offer=order.offer_id,
        quantity=order.quantity,
        placed_at=moment(order.created_at),
        final_at=None if order.final_at is None else moment(order.final_at),
        deadline=moment(order.deadline),
        transaction=None if outcome is None else hex_text(outcome.transaction_hash),
        receipt=f"/v1/orders/{name}/receipt" if is_paid else None,
    )


_EXCHANGE_STATES = {
    OrderState.QUEUED: "placed",
    OrderState.SENT: "placed",
    OrderState.ACCEPTED: "done",
    OrderState.REJECTED: "rejected",
    OrderState.EXPIRED: "expired",
    OrderState.FAILED: "failed",
}


def exchange(placed: PlacedExchange) -> OrderOut:
    """Return an exchange order: the chain's word where there is one, else our own."""
    name = hex_text(placed.order_id)
    order, status = placed.order, placed.status
    landed = status.state is OrderState.ACCEPTED
    return OrderOut(
        order_id=name,
        kind="exchange",
        state=_EXCHANGE_STATES[status.state],
        is_final=status.is_final,
        reject_code=status.code,
        reject_reason=None if status.code is None else rejection_text(status.code),
        lots=order_lots([Lot(order.from_id, order.amount)]),
        to_programme=order.to_programme,
        amount_out=None if status.amount_out_minor is None or not landed else points(status.amount_out_minor),
        placed_at=moment(placed.placed_at),
        final_at=None if status.block_timestamp is None else moment(status.block_timestamp),
        deadline=moment(order.deadline),
        transaction=None if status.transaction_hash is None else hex_text(status.transaction_hash),
        receipt=f"/v1/orders/{name}/receipt" if landed else None,
    )


def is_settled(state: str) -> bool:
    """Return whether a client that waits for an order has its answer (a hold is one)."""
    return state != State.PLACED


def merchant(found: Merchant) -> MerchantOut:
    """Return a merchant."""
    return MerchantOut(
        merchant_id=found.merchant_id,
        name_zh=found.name_zh,
        name_en=found.name_en,
        category=found.category,
        address_zh=found.address_zh,
        address_en=found.address_en,
        status=found.status,
    )


def offer(
    found: Offer, pars: Mapping[int, int], names: Mapping[int, ProgrammeName], *, shows_money: bool = False
) -> OfferOut:
    """Return an offer with its price in each programme's points (rounded up to a hundredth of a point)."""
    prices = [
        ProgrammePrice(
            programme=programme,
            slug=(names.get(programme) or _nameless(programme)).slug,
            price=points(-(-found.price_fen * MICROFEN_MINOR // par)),
        )
        for programme, par in sorted(pars.items())
        if par > 0
    ]
    return OfferOut(
        offer_id=found.offer_id,
        merchant=found.merchant_id,
        title_zh=found.title_zh,
        title_en=found.title_en,
        description_zh=found.description_zh,
        description_en=found.description_en,
        prices=prices,
        stock_left=None if found.stock_left is None else str(found.stock_left),
        per_resident_max=found.per_resident_max,
        opens_at=None if found.opens_at is None else moment(found.opens_at),
        closes_at=None if found.closes_at is None else moment(found.closes_at),
        status=found.status,
        price=money(found.price_fen) if shows_money else None,
    )


def merchant_order(order: RedemptionOrder, found: Offer | None) -> MerchantOrderOut:
    """Return an order as its merchant sees it."""
    return MerchantOrderOut(
        order_id=hex_text(order.order_id),
        kind=order.kind.value,
        state=order.state.value,
        offer=order.offer_id,
        title_zh=None if found is None else found.title_zh,
        title_en=None if found is None else found.title_en,
        quantity=order.quantity,
        price=money(order.price_fen),
        paid=money(order.paid_fen),
        placed_at=moment(order.created_at),
        handed_over_at=None if order.handed_over_at is None else moment(order.handed_over_at),
    )


def programme(found: queries.ChainProgramme, names: Mapping[int, ProgrammeName], *, shows_money: bool) -> ProgrammeOut:
    """Return a programme; funding for institutions only."""
    name = names.get(found.programme) or _nameless(found.programme)
    return ProgrammeOut(
        programme=found.programme,
        slug=name.slug,
        name_zh=name.name_zh,
        name_en=name.name_en,
        par_microfen=str(found.par_microfen),
        is_transferable=bool(found.flags & ProgrammeFlag.TRANSFERABLE),
        is_exchangeable_in=bool(found.flags & ProgrammeFlag.EXCHANGEABLE_IN),
        is_exchangeable_out=bool(found.flags & ProgrammeFlag.EXCHANGEABLE_OUT),
        is_redeemable=bool(found.flags & ProgrammeFlag.REDEEMABLE),
        state=_state(found.state),
        rulebook_version=found.rulebook_version,
        rulebook_hash=None if found.rulebook_hash is None else hex_text(found.rulebook_hash),
        supply=points(found.supply_minor),
        escrowed=points(found.escrowed_minor),
        funding=_funding(found) if shows_money else None,
        flows=[FlowOut(kind=kind, amount=points(minor), events=str(events)) for kind, minor, events in found.flows],
    )


def position(
    participant: int, fen: int, names: Mapping[int, ProgrammeName], merchants: Mapping[MerchantId, Merchant]
) -> PositionOut:
    """Return a participant's position, by name."""
    kind, number = participant >> 32, participant & 0xFFFFFFFF
    if kind == 1:
        name = names.get(number) or _nameless(number)
        zh, en = name.name_zh, name.name_en
    else:
        found = merchants.get(MerchantId(number))
        zh, en = (found.name_zh, found.name_en) if found else (f"商户 {number}", f"Merchant {number}")
    return PositionOut(
        participant=str(participant),
        kind="programme" if kind == 1 else "merchant",
        number=number,
        name_zh=zh,
        name_en=en,
        position=money(fen),
    )


def payments(
    lines: Sequence[Payment],
    until: int,
    names: Mapping[int, ProgrammeName],
    merchants: Mapping[MerchantId, Merchant],
) -> PaymentsOut:
    """Return who would pay whom, by name."""
    shown = []
    for line in lines:
        debtor = position(programme_participant(line.programme), 0, names, merchants)
        creditor = position(merchant_participant(line.merchant), 0, names, merchants)
        shown.append(
            PaymentOut(
                programme=line.programme,
                debtor_zh=debtor.name_zh,
                debtor_en=debtor.name_en,
                merchant=line.merchant,
                merchant_zh=creditor.name_zh,
                merchant_en=creditor.name_en,
                amount=money(line.fen),
            )
        )
    return PaymentsOut(until=moment(until), total=money(sum(line.fen for line in lines)), payments=shown)


def _funding(found: queries.ChainProgramme) -> FundingOut:
    liability = -(-found.supply_minor * found.par_microfen // MICROFEN_MINOR)
    covered = found.appropriated_fen - found.paid_fen + found.position_fen
    return FundingOut(
        liability=money(liability),
        appropriated=money(found.appropriated_fen),
        paid=money(found.paid_fen),
        position=money(found.position_fen),
        available=money(covered - liability),
    )


def _state(number: int) -> str:
    return ProgrammeState(number).word


def _nameless(number: int) -> ProgrammeName:
    return ProgrammeName(number, f"programme-{number}", f"积分项目 {number}", f"Programme {number}")


def _expiry(token: int) -> tuple[bool, int, int]:
    found, quarter = split_token_id(token)
    return quarter == NEVER, quarter, found


def _dies_before(token: int, moment_s: int) -> bool:
    quarter = split_token_id(token)[1]
    return quarter != NEVER and quarter_end_timestamp(quarter) <= moment_s
