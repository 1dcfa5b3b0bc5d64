"""One deed is granted once, whatever old signed bytes are still about.

A batch's bytes stay valid for ever, so each test collects all that were ever signed for the same grants and has a
stranger relay every one of them again at the end.
"""

from __future__ import annotations

from typing import Any

import pytest
from brownie.exceptions import VirtualMachineError
from city import DAY, NOW, VOLUNTEER, Batch, City, Person, event_values, go_to, now, reverts
from reference import expiry_end, pack_grants, token_id

LOT = token_id(VOLUNTEER, NOW)
ROOT = b"\x0e" * 32


class Deed:
    """Grants worth 40 fen to ana and 60 to bo, and all the bytes that were ever signed for them."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.grants = pack_grants([(city.ana.address, 200), (city.bo.address, 300)])
        self.signed: list[tuple[Batch, bytes]] = []

    def sign(self, number: int = 1, quarter: int = NOW, by: Person | None = None) -> tuple[Batch, bytes]:
        batch = (VOLUNTEER, quarter, number, ROOT, self.grants)
        self.signed.append((batch, self.city.sign_batch(batch, by)))
        return self.signed[-1]

    def send(self, signed: tuple[Batch, bytes]) -> Any:
        return self.city.ledger.mint(*signed, self.city.by_operator)

    def void(self, number: int, by: Person | None = None) -> Any:
        return self.city.void(VOLUNTEER, number, by)

    def supply(self) -> int:
        return int(self.city.ledger.programme(VOLUNTEER)[6])

    def granted(self) -> int:
        """Return what ana and bo have of the programme, in this quarter and the next."""
        lots = (LOT, LOT + 1)
        return sum(sum(self.city.balances(lot, self.city.ana, self.city.bo)) for lot in lots)

    def nothing_lands_again(self) -> None:
        """Relay all that was ever signed, twice over, now and when the quarter is over."""
        supply, before = self.supply(), self.granted()
        for _ in range(2):
            for old in self.signed:
                with pytest.raises(VirtualMachineError):
                    self.city.ledger.mint(*old, {"from": self.city.stranger})
            go_to(max(now(), expiry_end(NOW)))
        assert (self.supply(), self.granted()) == (supply, before)


@pytest.fixture
def deed(city: City) -> Deed:
    return Deed(city)


def test_landed(deed: Deed) -> None:
    deed.send(deed.sign())
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_signed_again_by_the_same_key(deed: Deed) -> None:
    """For another quarter, so other bytes under another signature: the number counts."""
    deed.sign()
    deed.send(deed.sign(quarter=NOW + 1))
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_void_then_renumbered(deed: Deed) -> None:
    """Only when the void is final do the grants get a number anew; the old bytes can never land after."""
    deed.sign(1)
    deed.void(1)
    deed.send(deed.sign(2))
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_a_void_that_comes_too_late_reverts_and_nothing_is_renumbered(deed: Deed) -> None:
    """The race that a void can lose: then the grants have landed, and their number stays what it is."""
    old = deed.sign(1)
    deed.send(old)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        deed.void(1)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_funding_refused_then_retried(deed: Deed) -> None:
    """Refused bytes leave no trace: not the number, not a balance; and they land once when there is money."""
    city = deed.city
    city.book.lapse(VOLUNTEER, 2030, {"from": city.finance})
    city.appropriate(VOLUNTEER, 99, 2031)
    batch = deed.sign()
    for _ in range(2):
        with reverts("PointsLedgerFundingExceeded", VOLUNTEER, 100, 99):
            deed.send(batch)
    assert (deed.granted(), bytes(city.ledger.batchWord(VOLUNTEER, 1)), deed.supply()) == (0, b"\0" * 32, 0)
    city.appropriate(VOLUNTEER, 1, 2031)
    (event,) = event_values(deed.send(batch), "BatchMinted")
    assert (event["count"], event["amount"]) == (2, 500)
    city.appropriate(VOLUNTEER, 10_000, 2031)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_funding_refused_then_void_then_renumbered(deed: Deed) -> None:
    """Given up for want of money, granted later under another number: the refused bytes stay dead, money or not."""
    city = deed.city
    city.book.lapse(VOLUNTEER, 2030, {"from": city.finance})
    with reverts("PointsLedgerFundingExceeded", VOLUNTEER, 100, 0):
        deed.send(deed.sign(1))
    deed.void(1)
    city.appropriate(VOLUNTEER, 10_000, 2031)
    deed.send(deed.sign(2))
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_key_rotated_in_flight(deed: Deed) -> None:
    """The old key's bytes, the new key's of the same number: one lands. Not even the old key's return changes that."""
    city = deed.city
    old_key, new_key = city.issuer[VOLUNTEER], Person("issuer 1, second key")
    stale = deed.sign(1)
    city.ledger.addIssuerKey(VOLUNTEER, new_key.address, city.by_admin)
    go_to(now() + 7 * DAY)
    city.ledger.removeIssuerKey(VOLUNTEER, old_key.address, city.by_admin)
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, old_key.address):
        deed.send(stale)
    deed.send(deed.sign(1, by=new_key))
    city.ledger.addIssuerKey(VOLUNTEER, old_key.address, city.by_admin)
    go_to(now() + 7 * DAY)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        deed.send(stale)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_void_by_the_new_key_of_what_the_old_one_signed(deed: Deed) -> None:
    """Whoever may sign for the programme may void any number of it; who may no longer, may not."""
    city = deed.city
    old_key, new_key = city.issuer[VOLUNTEER], Person("issuer 1, second key")
    deed.sign(1)
    city.ledger.addIssuerKey(VOLUNTEER, new_key.address, city.by_admin)
    go_to(now() + 7 * DAY)
    city.ledger.removeIssuerKey(VOLUNTEER, old_key.address, city.by_admin)
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, old_key.address):
        deed.void(1)
    deed.void(1, by=new_key)
    deed.send(deed.sign(2, by=new_key))
    city.ledger.addIssuerKey(VOLUNTEER, old_key.address, city.by_admin)
    go_to(now() + 7 * DAY)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_frozen_then_the_same_bytes(deed: Deed) -> None:
    city = deed.city
    batch = deed.sign()
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    until = city.ledger.programme(VOLUNTEER)[8]
    with reverts("PointsLedgerFrozen", VOLUNTEER, until):
        deed.send(batch)
    go_to(until)
    deed.send(batch)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_too_late_for_its_quarter_then_signed_for_the_next(deed: Deed) -> None:
    """Number and grants stay; only the quarter changes. The bytes of the dead quarter can never land."""
    late = deed.sign()
    go_to(expiry_end(NOW))
    with reverts("PointsLedgerLotDead", LOT):
        deed.send(late)
    deed.send(deed.sign(quarter=NOW + 1))
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_what_was_revoked_does_not_land_again(deed: Deed) -> None:
    """A revoked grant's batch has landed: its number is used for ever, though its points are gone."""
    signed = deed.sign()
    deed.send(signed)
    deed.city.revoke(signed[0], (0, 200), (1, 300))
    with reverts("PointsLedgerBadRevocation", 0, 200, 200, 200):
        deed.city.revoke(signed[0], (0, 200), (1, 300))
    deed.nothing_lands_again()
    assert deed.granted() == 0
