"""The wallet's figures."""

from __future__ import annotations

from datetime import datetime

from ledger.orders.desk import Holdings
from ledger.orders.eligibility import MerchantTerms, ProgrammeTerms, Terms
from ledger.orders.terms import Projected
from ledger.standard.civil_time import CITY_TZ, DAY_S
from ledger.standard.contract import ProgrammeFlag, ProgrammeState
from ledger.standard.ids import ProgrammeId, token_id
from ledger_api.pages.wallet.figures import (
    affordable_fen,
    expiring,
    holdings_shown,
    months,
    usable_programmes,
    worth_down,
)

ANY = ProgrammeFlag.REDEEMABLE | ProgrammeFlag.EXCHANGEABLE_OUT | ProgrammeFlag.EXCHANGEABLE_IN
NOW = int(datetime(2026, 11, 20, 10, tzinfo=CITY_TZ).timestamp())
Q4, Q1 = 26 * 4 + 4, 27 * 4 + 1
GREEN, CULTURE, SCORE = ProgrammeId(2), ProgrammeId(4), ProgrammeId(5)
TERMS = Terms(
    {
        GREEN: ProgrammeTerms(GREEN, 5_000_000, ANY, ProgrammeState.ACTIVE, 0, 0),
        CULTURE: ProgrammeTerms(CULTURE, 100_000_000, ANY, ProgrammeState.ACTIVE, 2, 0),
        SCORE: ProgrammeTerms(SCORE, 0, ProgrammeFlag(0), ProgrammeState.ACTIVE, 0, 0),
    }
)


def held(*balances: tuple[int, int], **spent: int) -> Holdings:
    return Holdings(Projected(1, NOW), TERMS, balances, dict(balances))


def name(programme: ProgrammeId) -> str:
    return f"p{programme}"


def test_each_programme_is_floored_by_itself_and_the_whole_once() -> None:
    book = held((token_id(GREEN, Q4), 30_019), (token_id(CULTURE, Q1), 19), (token_id(SCORE, 0), 700))
    shown = holdings_shown(book, NOW, name)
    assert [(one.name, one.minor, one.worth_fen) for one in shown] == [
        ("p2", 30_019, 1500),
        ("p4", 19, 19),
        ("p5", 700, 0),
    ]
    assert [one.can_spend for one in shown] == [True, True, False]
    assert worth_down(book, NOW) == 1519


def test_what_expires_is_listed_by_day_and_dead_or_everlasting_points_are_not() -> None:
    book = held(
        (token_id(CULTURE, Q1), 100), (token_id(GREEN, Q4), 200), (token_id(GREEN, Q4 - 3), 9), (token_id(SCORE, 0), 7)
    )
    found = expiring(book, NOW, name)
    assert [(one.name, one.minor, one.days_left, one.is_soon) for one in found] == [
        ("p2", 200, 41, True),
        ("p4", 100, 131, False),
    ]
    assert f"{datetime.fromtimestamp(found[0].last_day, CITY_TZ):%m-%d %H:%M:%S}" == "12-31 23:59:59"


def test_a_shop_is_paid_only_with_what_it_takes() -> None:
    book = held((token_id(CULTURE, Q1), 5_000), (token_id(GREEN, Q4), 20_000))
    grocer, museum = MerchantTerms(1), MerchantTerms(2)
    assert usable_programmes(TERMS, grocer, NOW) == {GREEN}
    assert affordable_fen(book, grocer, NOW) == 1000
    assert affordable_fen(book, museum, NOW) == 6000
    assert affordable_fen(book, None, NOW) == 0


def test_months_are_the_city_s_and_a_refund_takes_back_what_was_spent() -> None:
    lot = token_id(GREEN, Q4)
    this, before = NOW, NOW - 31 * DAY_S
    found = months(
        [
            (this, "mint", lot, 10_000),
            (this, "redeem", lot, -4_000),
            (this, "refund", lot, 1_000),
            (before, "mint", lot, 2_000),
            (before, "exchange_out", lot, -500),
            (NOW - 400 * DAY_S, "mint", lot, 99_999),
        ],
        {GREEN: 5_000_000},
        NOW,
    )
    assert [one.label for one in found] == ["2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"]
    assert [(one.earned_fen, one.spent_fen) for one in found[-2:]] == [(100, 0), (500, 150)]
    assert sum(one.earned_fen for one in found[:-2]) == 0
