"""The table of the rule: which points may pay whom, and why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.orders.eligibility import (
    MerchantTerms,
    ProgrammeTerms,
    Refusal,
    RefusedLot,
    Terms,
    dies_at,
    promised_until,
)
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import GRACE_S, ProgrammeFlag, ProgrammeState, Verdict
from ledger.standard.ids import ProgrammeId, TokenId, token_id
from ledger.standard.quarters import quarter_end_timestamp
from ledger.standard.typed_data import Lot

QUARTER = 105
END = quarter_end_timestamp(QUARTER)
NOW = END - 1_000_000
UNTIL = END - 500_000
BOOKS, HEALTH = 0b01, 0b10
EVERYTHING = ProgrammeFlag.REDEEMABLE | ProgrammeFlag.EXCHANGEABLE_IN | ProgrammeFlag.EXCHANGEABLE_OUT
OPEN = ProgrammeTerms(ProgrammeId(1), 20_000_000, EVERYTHING, ProgrammeState.ACTIVE, 0, 0)
OTHER = replace(OPEN, programme=ProgrammeId(2))
DEATH = END + GRACE_S
FROZEN = replace(OPEN, frozen_until=NOW + 1)
CLOSING = replace(OPEN, state=ProgrammeState.CLOSING, spendable_until=UNTIL)
SHOP = MerchantTerms(BOOKS)
LOT = token_id(1, QUARTER)


def terms(*programmes: ProgrammeTerms) -> Terms:
    return Terms({one.programme: one for one in programmes})


@pytest.mark.parametrize(
    ("programme", "merchant", "now", "refusal"),
    [
        (OPEN, SHOP, NOW, None),
        (OPEN, None, NOW, Refusal.UNKNOWN_MERCHANT),
        (None, None, NOW, Refusal.UNKNOWN_MERCHANT),
        (None, SHOP, NOW, Refusal.UNKNOWN_PROGRAMME),
        (replace(OPEN, state=ProgrammeState.UNKNOWN), SHOP, NOW, Refusal.UNKNOWN_PROGRAMME),
        (replace(OPEN, flags=EVERYTHING ^ ProgrammeFlag.REDEEMABLE), SHOP, NOW, Refusal.NOT_REDEEMABLE),
        (replace(OPEN, par_microfen=0, flags=ProgrammeFlag(0)), SHOP, NOW, Refusal.NOT_REDEEMABLE),
        (replace(OPEN, spend_scope=HEALTH), SHOP, NOW, Refusal.OUT_OF_SCOPE),
        (replace(OPEN, spend_scope=BOOKS | HEALTH), SHOP, NOW, None),
        (replace(OPEN, spend_scope=BOOKS), MerchantTerms(0), NOW, Refusal.OUT_OF_SCOPE),
        (OPEN, MerchantTerms(0), NOW, None),
        (CLOSING, SHOP, UNTIL - 1, None),
        (CLOSING, SHOP, UNTIL, Refusal.SPENDING_OVER),
        (replace(CLOSING, state=ProgrammeState.CLOSED), SHOP, UNTIL, Refusal.SPENDING_OVER),
        (replace(CLOSING, spend_scope=HEALTH), SHOP, UNTIL, Refusal.SPENDING_OVER),
        (FROZEN, SHOP, NOW, Refusal.FROZEN),
        (FROZEN, SHOP, NOW + 1, None),
        (replace(FROZEN, spend_scope=HEALTH), SHOP, NOW, Refusal.FROZEN),
        (OPEN, SHOP, END, None),
        (OPEN, SHOP, DEATH - 1, None),
        (OPEN, SHOP, DEATH, Refusal.LOT_DEAD),
        (replace(OPEN, spend_scope=HEALTH), SHOP, DEATH, Refusal.OUT_OF_SCOPE),
    ],
)
def test_a_payment(
    programme: ProgrammeTerms | None, merchant: MerchantTerms | None, now: int, refusal: Refusal | None
) -> None:
    known = terms(programme) if programme is not None else terms()
    found = known.refuses_payment([LOT], merchant, now)
    assert found == (None if refusal is None else RefusedLot(LOT, refusal))


@pytest.mark.parametrize(
    ("source", "target", "now", "refusal"),
    [
        (OPEN, OTHER, NOW, None),
        (None, OTHER, NOW, Refusal.UNKNOWN_PROGRAMME),
        (OPEN, None, NOW, Refusal.UNKNOWN_PROGRAMME),
        (OPEN, OPEN, NOW, Refusal.SAME_PROGRAMME),
        (replace(OPEN, flags=EVERYTHING ^ ProgrammeFlag.EXCHANGEABLE_OUT), OTHER, NOW, Refusal.NOT_EXCHANGEABLE_OUT),
        (OPEN, replace(OTHER, flags=EVERYTHING ^ ProgrammeFlag.EXCHANGEABLE_IN), NOW, Refusal.NOT_EXCHANGEABLE_IN),
        (OPEN, replace(OTHER, par_microfen=0), NOW, Refusal.NOT_EXCHANGEABLE_IN),
        (CLOSING, OTHER, UNTIL - 1, None),
        (CLOSING, OTHER, UNTIL, Refusal.SPENDING_OVER),
        (OPEN, replace(CLOSING, programme=ProgrammeId(2)), NOW, Refusal.NOT_ACTIVE),
        (FROZEN, OTHER, NOW, Refusal.FROZEN),
        (OPEN, replace(FROZEN, programme=ProgrammeId(2)), NOW, Refusal.FROZEN),
        (FROZEN, OTHER, NOW + 1, None),
        (OPEN, OTHER, DEATH - 1, None),
        (OPEN, OTHER, DEATH, Refusal.LOT_DEAD),
    ],
)
def test_an_exchange(
    source: ProgrammeTerms | None, target: ProgrammeTerms | None, now: int, refusal: Refusal | None
) -> None:
    known = terms(*[one for one in (source, target) if one is not None])
    numbers = (1 if source is None else source.programme, 2 if target is None else target.programme)
    assert known.refuses_exchange(*numbers, now, token_id=token_id(numbers[0], QUARTER)) is refusal


def test_while_a_module_is_paused_none_of_its_orders_is_accepted() -> None:
    paused = replace(terms(OPEN, OTHER), exchange_paused_until=NOW + 10, redemption_paused_until=NOW + 20)
    assert paused.refuses_exchange(1, 2, NOW + 9) is Refusal.PAUSED
    assert paused.refuses_exchange(1, 2, NOW + 10) is None
    assert paused.refuses_payment([LOT], SHOP, NOW + 19) == RefusedLot(LOT, Refusal.PAUSED)
    assert paused.refuses_payment([LOT], SHOP, NOW + 20) is None


def test_an_order_is_refused_for_its_lots_terms_before_any_lots_age() -> None:
    dead, elsewhere = token_id(1, QUARTER - 2), token_id(2, QUARTER)
    known = terms(OPEN, replace(OTHER, spend_scope=HEALTH))
    assert known.refuses_payment([dead, elsewhere], SHOP, NOW) == RefusedLot(elsewhere, Refusal.OUT_OF_SCOPE)
    assert known.refuses_payment([LOT, dead], SHOP, NOW) == RefusedLot(dead, Refusal.LOT_DEAD)


@pytest.mark.parametrize(
    ("lot", "spendable_until", "promised", "end"),
    [
        (LOT, 0, END, DEATH),
        (LOT, UNTIL, UNTIL, UNTIL),
        (LOT, END + 5, END, END + 5),
        (LOT, DEATH + 5, END, DEATH),
        (token_id(5, 0), 0, None, None),
        (token_id(5, 0), UNTIL, UNTIL, UNTIL),
    ],
)
def test_a_lot_is_promised_for_its_quarter_and_dies_a_week_later_or_with_its_programme(
    lot: TokenId, spendable_until: int, promised: int | None, end: int | None
) -> None:
    assert (promised_until(lot, spendable_until), dies_at(lot, spendable_until)) == (promised, end)


@pytest.mark.parametrize(
    ("programme", "now", "capture_by", "refusal"),
    [
        (OPEN, NOW, NOW, None),
        (OPEN, NOW, NOW - 1, Refusal.CAPTURE_TOO_LATE),
        (OPEN, NOW, END - 1, None),
        (OPEN, NOW, END, Refusal.CAPTURE_TOO_LATE),
        (OPEN, END, END, Refusal.CAPTURE_TOO_LATE),
        (CLOSING, NOW, UNTIL - 1, None),
        (CLOSING, NOW, UNTIL, Refusal.CAPTURE_TOO_LATE),
        (OPEN, END - 40 * DAY_S, END - 10 * DAY_S, None),
        (OPEN, END - 40 * DAY_S, END - 10 * DAY_S + 1, Refusal.CAPTURE_TOO_LATE),
    ],
)
def test_no_hold_outlives_its_lots_nor_thirty_days(
    programme: ProgrammeTerms, now: int, capture_by: int, refusal: Refusal | None
) -> None:
    found = terms(programme).refuses_payment([LOT], SHOP, now, capture_by)
    assert found == (None if refusal is None else RefusedLot(LOT, refusal))
    latest = terms(programme).latest_capture([LOT], now)
    assert (now <= capture_by <= latest) is (refusal is None)


def test_a_hold_ends_before_the_first_of_its_lots_does() -> None:
    later, soon = token_id(1, QUARTER + 1), LOT
    known = terms(OPEN)
    assert known.latest_capture([later, soon], NOW) == END - 1
    assert known.refuses_payment([later, soon], SHOP, NOW, END) == RefusedLot(soon, Refusal.CAPTURE_TOO_LATE)


def test_what_lots_are_worth_is_floored_once() -> None:
    cheap = replace(OPEN, par_microfen=50_000_000)
    assert terms(cheap).value_down([Lot(LOT, 3), Lot(LOT, 1)]) == 2
    assert terms().value_down([Lot(LOT, 300)]) == 0


def test_each_refusal_has_words_and_each_but_a_pause_a_code_of_the_chain() -> None:
    assert len({refusal.text for refusal in Refusal}) == len(Refusal)
    assert [refusal for refusal in Refusal if refusal.verdict is None] == [Refusal.PAUSED]
    assert {refusal.verdict for refusal in Refusal} - {None} == {
        Verdict.UNKNOWN_MERCHANT,
        Verdict.UNKNOWN_PROGRAMME,
        Verdict.FORBIDDEN,
        Verdict.OUT_OF_SCOPE,
        Verdict.BAD_CAPTURE_TIME,
        Verdict.LOT_DEAD,
    }


@pytest.mark.parametrize(
    ("programme", "now", "can"),
    [
        (OPEN, NOW, True),
        (replace(OPEN, flags=ProgrammeFlag.TRANSFERABLE), NOW, False),
        (replace(OPEN, par_microfen=0, flags=ProgrammeFlag(0)), NOW, False),
        (CLOSING, UNTIL - 1, True),
        (CLOSING, UNTIL, False),
    ],
)
def test_whether_points_can_be_spent_at_all(programme: ProgrammeTerms, now: int, can: bool) -> None:
    assert programme.can_spend(now) is can
