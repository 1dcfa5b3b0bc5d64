"""Programmes, positions and payments, as the API shows them; fen are for institutions only. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ledger.clearing.netting import Payment
from ledger.standard.contract import ProgrammeFlag, ProgrammeState
from ledger.standard.ids import (
    POOL,
    TREASURY,
    MerchantId,
    ProgrammeId,
    is_programme,
    merchant_participant,
    programme_participant,
)
from ledger.standard.value import MICROFEN_MINOR
from ledger_api.ports import ProgrammeName
from ledger_api.schemas.common import hex_text, moment, money, points
from ledger_api.schemas.programmes import FlowOut, FundingOut, PaymentOut, PaymentsOut, PositionOut, ProgrammeOut
from ledger_api.views import queries
from ledger_api.views.common import nameless
from redemption.merchants import Merchant


def programme_out(
    found: queries.ChainProgramme, names: Mapping[ProgrammeId, ProgrammeName], now: int, *, shows_money: bool
) -> ProgrammeOut:
    """Return a programme as of Unix time ``now``; funding for institutions only."""
    name = names.get(found.programme) or nameless(found.programme)
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
        frozen_until=moment(found.frozen_until) if found.frozen_until > now else None,
        rulebook_version=found.rulebook_version,
        rulebook_hash=None if found.rulebook_hash is None else hex_text(found.rulebook_hash),
        supply=points(found.supply_minor),
        escrowed=points(found.escrowed_minor),
        funding=_funding(found) if shows_money else None,
        flows=[FlowOut(kind=kind, amount=points(minor), events=str(events)) for kind, minor, events in found.flows],
    )


def position_out(
    participant: int, fen: int, names: Mapping[ProgrammeId, ProgrammeName], merchants: Mapping[MerchantId, Merchant]
) -> PositionOut:
    """Return a participant's position, by name."""
    number = participant & 0xFFFFFFFF
    kind: Literal["programme", "merchant", "pool", "treasury"]
    if participant == POOL:
        kind, zh, en = "pool", "国库归集户", "Pool in the treasury account"
    elif participant == TREASURY:
        kind, zh, en = "treasury", "国库（过期沉淀）", "Treasury (breakage)"
    elif is_programme(participant):
        name = names.get(ProgrammeId(number)) or nameless(ProgrammeId(number))
        kind, zh, en = "programme", name.name_zh, name.name_en
    else:
        found = merchants.get(MerchantId(number))
        kind = "merchant"
        zh, en = (found.name_zh, found.name_en) if found else (f"商户 {number}", f"Merchant {number}")
    return PositionOut(
        participant=str(participant), kind=kind, number=number, name_zh=zh, name_en=en, position=money(fen)
    )


def payments_out(
    lines: Sequence[Payment],
    until: int,
    names: Mapping[ProgrammeId, ProgrammeName],
    merchants: Mapping[MerchantId, Merchant],
) -> PaymentsOut:
    """Return who would pay whom, by name."""
    shown = []
    for line in lines:
        debtor = position_out(programme_participant(line.programme), 0, names, merchants)
        creditor = position_out(merchant_participant(line.merchant), 0, names, merchants)
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
        due=money(found.due_fen),
        due_older=money(found.due_older_fen),
        mint_ceiling=money(found.mint_ceiling_fen),
        revoke_ceiling=money(found.revoke_ceiling_fen),
    )


def _state(number: int) -> str:
    return ProgrammeState(number).word
