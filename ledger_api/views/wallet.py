"""A wallet, its lots and its movements, as the API shows them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.orders.desk import Holdings
from ledger.orders.eligibility import Terms
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import Address, OrderId, ProgrammeId, split_token_id
from ledger.standard.quarters import NEVER
from ledger_api.ports import ProgrammeName
from ledger_api.schemas.common import hex_text, moment, points
from ledger_api.schemas.wallet import HistoryItem, LotOut, ProgrammeBalance, WalletOut
from ledger_api.views import queries
from ledger_api.views.common import as_of, nameless

EXPIRING_SOON_S = 90 * DAY_S


def quarter_text(quarter: int) -> str | None:
    """Return a quarter as ``2027Q1``; None for points that never expire."""
    return None if quarter == NEVER else f"{2000 + (quarter - 1) // 4}Q{(quarter - 1) % 4 + 1}"


def lot_out(token: int, minor: int, terms: Terms, now: int) -> LotOut:
    """Return a lot as of Unix time ``now``; it expires with its quarter, or with its programme's time for spending."""
    programme, quarter = split_token_id(token)
    promised, end = terms.promised_until(token), terms.dies_at(token)
    return LotOut(
        token_id=str(token),
        programme=programme,
        expiry_quarter=quarter_text(quarter),
        expires_at=None if promised is None else moment(promised),
        spendable_until=None if end is None else moment(end),
        amount=points(minor),
        is_expired=end is not None and now >= end,
    )


def wallet_out(account: Address, held: Holdings, names: Mapping[ProgrammeId, ProgrammeName], now: int) -> WalletOut:
    """Return a wallet: what an account has, at Unix time ``now``."""
    terms, balances, spendable = held.terms, held.balances, held.spendable
    shown = []
    for programme in terms.programmes.values():
        own = [(token, minor) for token, minor in balances if split_token_id(token)[0] == programme.programme]
        live = [(token, minor) for token, minor in own if not terms.is_dead(token, now)]
        soon = [(token, minor) for token, minor in live if _is_promised_for_less(token, terms, now + EXPIRING_SOON_S)]
        total = sum(minor for _, minor in live)
        available = sum(spendable.get(token, 0) for token, _ in live)
        name = names.get(programme.programme) or nameless(programme.programme)
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
                is_spendable=programme.can_spend(now),
            )
        )
    ordered = sorted(balances, key=lambda one: _expiry(one[0], terms))
    return WalletOut(
        account=account,
        as_of=as_of(queries.Block(held.block.number, held.block.timestamp)),
        programmes=shown,
        lots=[lot_out(token, minor, terms, now) for token, minor in ordered],
    )


def history_item_out(entry: queries.Entry, names: queries.HistoryNames) -> HistoryItem:
    """Return one movement, with the names of what it was for."""
    merchant, title = names.orders.get(OrderId(entry.reference or b""), (None, None))
    return HistoryItem(
        at=moment(entry.timestamp),
        kind=entry.kind,
        programme=split_token_id(entry.token_id)[0],
        token_id=str(entry.token_id),
        delta=points(entry.delta_minor),
        reference=None if entry.reference is None else hex_text(entry.reference),
        merchant_zh=None if merchant is None else merchant.zh,
        merchant_en=None if merchant is None else merchant.en,
        title_zh=None if title is None else title.zh,
        title_en=None if title is None else title.en,
        activity=names.activities.get((entry.reference, entry.delta_minor)) if entry.kind == "mint" else None,
        transaction=hex_text(entry.transaction_hash),
    )


def _is_promised_for_less(token: int, terms: Terms, until: int) -> bool:
    promised = terms.promised_until(token)
    return promised is not None and promised <= until


def _expiry(token: int, terms: Terms) -> tuple[bool, int, int]:
    end = terms.promised_until(token)
    return end is None, end or 0, token
