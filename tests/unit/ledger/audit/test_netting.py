"""Two hands that net a cycle, the desk's and the auditor's, come to the same payments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.netting import lines_of
from ledger.clearing.netting import net

FEN = st.one_of(st.integers(0, 50), st.integers(0, 2**60))
CLAIMS = st.dictionaries(st.integers(1, 12), FEN, max_size=8)
DEBTS = st.dictionaries(st.integers(1, 6), FEN, max_size=6)


def balanced(claims: dict[int, int], debts: dict[int, int]) -> dict[int, int]:
    """Positions with these claims and debts; a programme in credit makes up the difference, or owes it."""
    positions = {2 << 32 | merchant: fen for merchant, fen in claims.items()}
    positions |= {1 << 32 | programme: -fen for programme, fen in debts.items()}
    positions[1 << 32 | 99] = -sum(positions.values())
    return positions


@given(CLAIMS, DEBTS)
def test_the_auditor_nets_like_the_desk(claims: dict[int, int], debts: dict[int, int]) -> None:
    positions = balanced(claims, debts)
    owed = {participant & 0xFFFFFFFF: max(0, -fen) for participant, fen in positions.items() if participant >> 32 == 1}
    desk = [(payment.programme, payment.merchant, payment.fen) for payment in net(positions)]
    assert lines_of(claims, owed) == desk


@given(CLAIMS, DEBTS)
def test_every_merchant_gets_its_claim_and_nobody_pays_more_than_it_owes(
    claims: dict[int, int], debts: dict[int, int]
) -> None:
    debts = dict(debts) | {50: sum(claims.values())}  # enough for all
    lines = lines_of(claims, debts)
    for merchant, claim in claims.items():
        assert sum(fen for _, to, fen in lines if to == merchant) == claim
    for programme, debt in debts.items():
        assert sum(fen for by, _, fen in lines if by == programme) <= debt
    assert len(lines) <= len(claims) + len(debts)


def test_leftover_fen_go_to_the_largest_remainders_and_ties_to_the_lower_id() -> None:
    assert lines_of({7: 10}, {1: 10, 2: 10, 3: 10}) == [(1, 7, 4), (2, 7, 3), (3, 7, 3)]
    assert lines_of({7: 2, 8: 1}, {1: 1, 2: 5}) == [(1, 7, 1), (2, 7, 1), (2, 8, 1)]


def test_nothing_claimed_means_nothing_listed() -> None:
    assert lines_of({1: 0}, {1: 5}) == []
    assert lines_of({}, {}) == []
