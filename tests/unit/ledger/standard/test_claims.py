"""Claims by age: the shared vectors, and what always holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard.claims import Claim, matures_at, period_at
from ledger.standard.errors import OutOfRange
from tests.unit.ledger.standard.vectors import load

VECTORS = load("clearing.json")
MATURITY_S: int = VECTORS["maturity_s"]
FEN = st.integers(0, 10**9)
CLAIMS = st.builds(Claim, FEN, FEN, FEN, st.integers(2, 50))


@pytest.mark.parametrize("life", VECTORS["claims"], ids=lambda life: f"{len(life)} acts")
def test_vectors(life: list[dict[str, Any]]) -> None:
    claim = Claim()
    for step in life:
        claim = claim.at(period_at(step["time"], MATURITY_S))
        match step["act"]:
            case "earn":
                claim = claim.earned(step["fen"])
            case "payout":
                claim = claim.paid_out(step["fen"])
            case "refund":
                claim = claim.refunded(step["fen"], period_at(step["earned_at"], MATURITY_S))
        found = (claim.youngest_fen, claim.younger_fen, claim.matured_fen)
        assert found == (step["youngest_fen"], step["younger_fen"], step["matured_fen"]), step


@given(st.integers(0, 2**40), st.integers(1, 30 * 86_400))
def test_what_is_earned_matures_after_one_to_two_periods(earned_at: int, maturity_s: int) -> None:
    at = matures_at(earned_at, maturity_s)
    assert maturity_s < at - earned_at <= 2 * maturity_s
    claim = Claim().at(period_at(earned_at, maturity_s)).earned(5)
    assert claim.at(period_at(at - 1, maturity_s)).matured_fen == 0
    assert claim.at(period_at(at, maturity_s)).matured_fen == 5


@given(CLAIMS, st.integers(0, 5))
def test_time_alone_changes_no_claim(claim: Claim, passed: int) -> None:
    later = claim.at(claim.period + passed)
    assert later.total_fen == claim.total_fen
    assert later.matured_fen >= claim.matured_fen
    assert later == _step_by_step(claim, passed)


@given(CLAIMS, st.integers(0, 3), st.data())
def test_a_refund_takes_the_youngest_of_what_was_earned_by_then(claim: Claim, ago: int, data: Any) -> None:
    earned_in = claim.period - ago
    most = claim.earned_by_fen(earned_in)
    fen = data.draw(st.integers(0, most))
    left = claim.refunded(fen, earned_in)
    assert left.total_fen == claim.total_fen - fen
    assert min(left.matured_fen, left.younger_fen, left.youngest_fen) >= 0
    if ago:
        assert left.youngest_fen == claim.youngest_fen
    if ago > 1:
        assert left.younger_fen == claim.younger_fen
    with pytest.raises(OutOfRange):
        claim.refunded(most + 1, earned_in)


@given(CLAIMS)
def test_a_payout_takes_matured_value_alone(claim: Claim) -> None:
    assert claim.paid_out(claim.matured_fen).matured_fen == 0
    with pytest.raises(OutOfRange):
        claim.paid_out(claim.matured_fen + 1)


def test_a_claim_does_not_grow_younger() -> None:
    with pytest.raises(OutOfRange):
        Claim(period=3).at(2)


def _step_by_step(claim: Claim, passed: int) -> Claim:
    for _ in range(passed):
        claim = claim.at(claim.period + 1)
    return claim
