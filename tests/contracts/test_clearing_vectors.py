"""The shared vectors of clearing, run on chain: claims by age, what debtors have to pay."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from city import next_block_at, now
from clearing_office import ClearingOffice
from reference import vectors

CLEARING = vectors("clearing")
MERCHANT, PROGRAMME = 3, 1


@pytest.mark.parametrize("life", CLEARING["claims"], ids=lambda life: f"{len(life)} steps from {life[0]['act']}")
def test_claims_age_as_in_the_vector(office: ClearingOffice, life: list[dict[str, Any]]) -> None:
    """Its times are moved by whole periods to after the chain's; after each step the three ages are the vector's."""
    maturity = CLEARING["maturity_s"]
    assert office.maturity == maturity
    moved = (now() // maturity + 2 - life[0]["time"] // maturity) * maturity
    office.appropriate(PROGRAMME, 10**9)
    orders = (number.to_bytes(32, "big") for number in count(1))
    for step in life:
        act, fen = step["act"], step["fen"]
        next_block_at(step["time"] + moved)
        if act == "earn":
            office.earn({PROGRAMME: fen}, {MERCHANT: fen})
        elif act == "payout" and fen:
            arguments = (PROGRAMME, MERCHANT, fen, office.reference())
            office.book.payDirectly(*arguments, office.by["finance"])
        elif act == "refund":
            office.refund(PROGRAMME, MERCHANT, fen, step["earned_at"] + moved, next(orders))
        else:
            office.book.setTerms((maturity, 0), office.by["council"])
        expected = tuple(step[name] for name in ("matured_fen", "younger_fen", "youngest_fen"))
        assert office.claim(MERCHANT)[:3] == expected, step
    office.assert_zero_sum([PROGRAMME], [MERCHANT])


@pytest.mark.parametrize("vector", CLEARING["dues"], ids=lambda vector: f"{len(vector['debts'])} debtors")
def test_dues_are_split_as_in_the_vector(office: ClearingOffice, vector: dict[str, Any]) -> None:
    """Debtors in the order of their first appropriation; what they owe beyond the claims is another programme's."""
    debts, total = vector["debts"], vector["total"]
    numbers, payer, creditor = list(range(1, len(debts) + 1)), 98, 99
    for number in numbers:
        office.appropriate(number, 1)
    office.earn({payer: total}, {MERCHANT: total})
    owed = [(1 << 32 | number, -fen) for number, fen in zip(numbers, debts, strict=True)]
    owing = [(1 << 32 | payer, total), (1 << 32 | creditor, sum(debts) - total)]
    office.book.post([*owed, *owing], office.by["exchange"])
    office.at_period(2)
    office.open_cycle()
    assert [office.due(number) for number in numbers] == [(fen, 0) for fen in vector["dues"]]
