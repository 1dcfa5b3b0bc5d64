"""The table of the rule: which points may pay whom, and why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.orders.eligibility import MerchantTerms, ProgrammeTerms, Refusal, RefusedLot, Terms, dies_at
from ledger.standard.contract import ProgrammeFlag, ProgrammeState, Verdict
from ledger.standard.ids import ProgrammeId, TokenId, token_id
from ledger.standard.quarters import quarter_end_timestamp

QUARTER = 105
END = quarter_end_timestamp(QUARTER)
NOW = END - 1_000_000
UNTIL = END - 500_000
BOOKS, HEALTH = 0b01, 0b10
EVERYTHING = ProgrammeFlag.REDEEMABLE | ProgrammeFlag.EXCHANGEABLE_IN | ProgrammeFlag.EXCHANGEABLE_OUT
OPEN = ProgrammeTerms(ProgrammeId(1), 20_000_000, EVERYTHING, ProgrammeState.ACTIVE, 0, 0)
OTHER = replace(OPEN, programme=ProgrammeId(2))
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
        (OPEN, SHOP, END - 1, None),
        (OPEN, SHOP, END, Refusal.LOT_DEAD),
        (replace(OPEN, spend_scope=HEALTH), SHOP, END, Refusal.OUT_OF_SCOPE),
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
        (OPEN, OTHER, END, Refusal.LOT_DEAD),
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
    dead, elsewhere = token_id(1, QUARTER - 1), token_id(2, QUARTER)
    known = terms(OPEN, replace(OTHER, spend_scope=HEALTH))
    assert known.refuses_payment([dead, elsewhere], SHOP, NOW) == RefusedLot(elsewhere, Refusal.OUT_OF_SCOPE)
    assert known.refuses_payment([LOT, dead], SHOP, NOW) == RefusedLot(dead, Refusal.LOT_DEAD)


@pytest.mark.parametrize(
    ("lot", "spendable_until", "end"),
    [
        (LOT, 0, END),
        (LOT, UNTIL, UNTIL),
        (LOT, END + 5, END),
        (token_id(5, 0), 0, None),
        (token_id(5, 0), UNTIL, UNTIL),
    ],
)
def test_a_lot_ends_with_its_quarter_or_with_its_programme(lot: TokenId, spendable_until: int, end: int | None) -> None:
    assert dies_at(lot, spendable_until) == end


def test_each_refusal_has_words_and_each_but_a_pause_a_code_of_the_chain() -> None:
    assert len({refusal.text for refusal in Refusal}) == len(Refusal)
    assert [refusal for refusal in Refusal if refusal.verdict is None] == [Refusal.PAUSED]
    assert {refusal.verdict for refusal in Refusal} - {None} == {
        Verdict.UNKNOWN_MERCHANT,
        Verdict.UNKNOWN_PROGRAMME,
        Verdict.FORBIDDEN,
        Verdict.OUT_OF_SCOPE,
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
