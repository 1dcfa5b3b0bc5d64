"""Captures of orders that were never held: a merchant can sign a capture of anything it makes up."""

from __future__ import annotations

from typing import Any

import pytest
from city import CULTURE, ENVIRONMENT, NOW, SHOP, VOLUNTEER, City, Person, event_values, rejections
from reference import NO_VALUE, NOT_HELD, Lot, token_id

LOT, ENV, CUL = (token_id(programme, NOW) for programme in (VOLUNTEER, ENVIRONMENT, CULTURE))
NOWHERE = token_id(99, NOW)
"""A lot of a programme that does not exist."""


@pytest.fixture
def rich(city: City) -> City:
    for lot in (LOT, ENV, CUL):
        city.give(city.ana, lot, 10_000)
    return city


def made_up(city: City, lots: list[Lot]) -> bytes:
    """Return a capture, well signed by the merchant, of an order that nobody signed or held."""
    return city.signed_capture(city.hold_order(Person("nobody"), lots, nonce=0))


@pytest.mark.parametrize(
    ("lots", "code"),
    [
        ([(LOT, 5_000)], NOT_HELD),
        ([(NOWHERE, 5_000)], NO_VALUE),
        ([(NOWHERE, 5_000), (LOT, 5_000)], NOT_HELD),
        ([(ENV, 700), (NOWHERE, 5_000), (CUL, 5_000), (NOWHERE, 2**64 - 1)], NOT_HELD),
    ],
)
def test_a_made_up_order_moves_nothing(rich: City, lots: list[Lot], code: int) -> None:
    """Whatever its lots name, it is rejected alone, and no programme pays for it."""
    held = rich.place_hold(rich.ana, [(ENV, 1_000)])
    tx = rich.run_capture(rich.signed_capture(held), made_up(rich, lots), made_up(rich, lots))
    assert [entry[2] for entry in rejections(tx)] == [code, code]
    assert [event["fen"] for event in event_values(tx, "Captured")] == [50]
    assert [rich.position(p) for p in (VOLUNTEER, ENVIRONMENT, CULTURE)] == [0, -50, 0]
    assert rich.merchant_position(SHOP) == 50


def test_made_up_orders_shift_no_debt_between_programmes(rich: City) -> None:
    """Three of them, each beginning with a lot of no programme, in amounts whose value adds up to nothing."""
    held = [rich.place_hold(rich.ana, [(lot, 1_000)]) for lot in (LOT, ENV, CUL)]
    packed: list[Any] = [rich.signed_capture(order) for order in held]
    for lot, amount in ((LOT, 2_000), (ENV, 100), (CUL, 1_700)):
        packed.append(made_up(rich, [(NOWHERE, amount), (lot, 1_000)]))
    tx = rich.run_capture(*packed)
    assert [entry[2] for entry in rejections(tx)] == [NOT_HELD] * 3
    assert [rich.position(p) for p in (VOLUNTEER, ENVIRONMENT, CULTURE)] == [-200, -50, -1_000]
    rich.assert_zero_sum()
