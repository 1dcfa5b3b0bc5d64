"""One deed is granted once, whatever old signed bytes are still about.

A batch's bytes stay valid for ever, so each test collects all that were ever signed for the same grants and has a
stranger relay every one of them again at the end.
"""

from __future__ import annotations

from typing import Any

import pytest
from brownie.exceptions import VirtualMachineError
from city import DAY, NOW, VOLUNTEER, City, Person, event_values, go_to, now, reverts
from reference import EvidenceLeaf, MerkleTree, pack_grants, quarter_end, sign, token_id

LOT = token_id(VOLUNTEER, NOW)
ROOT = b"\x0e" * 32


class Deed:
    """Grants worth 40 fen to ana and 60 to bo, and all the bytes that were ever signed for them."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.grants = pack_grants([(city.ana.address, 200), (city.bo.address, 300)])
        self.signed: list[tuple[Any, ...]] = []

    def sign(self, number: int = 1, quarter: int = NOW, by: Person | None = None) -> tuple[Any, ...]:
        batch = (VOLUNTEER, quarter, number, ROOT, self.grants)
        self.signed.append((*batch, self.city.sign_mint(*batch, by=by)))
        return self.signed[-1]

    def send(self, bytes_: tuple[Any, ...]) -> Any:
        return self.city.issuance.mint(*bytes_, self.city.by_operator)

    def void(self, number: int, by: Person | None = None) -> Any:
        digest = self.city.domain.digest("VoidBatch", programme=VOLUNTEER, number=number)
        signature = sign((by or self.city.issuer[VOLUNTEER]).key, digest)
        return self.city.issuance.voidBatch(VOLUNTEER, number, signature, self.city.by_operator)

    def granted(self) -> int:
        """Return what ana and bo have of the programme, in this quarter and the next."""
        lots = (LOT, LOT + 1)
        return sum(sum(self.city.balances(lot, self.city.ana, self.city.bo)) for lot in lots)

    def nothing_lands_again(self) -> None:
        """Relay all that was ever signed, twice over, now and when the quarter is over."""
        supply, before = self.city.ledger.programmeSupply(VOLUNTEER), self.granted()
        for _ in range(2):
            for old in self.signed:
                with pytest.raises(VirtualMachineError):
                    self.city.issuance.mint(*old, {"from": self.city.stranger})
            go_to(max(now(), quarter_end(NOW)))
        assert (self.city.ledger.programmeSupply(VOLUNTEER), self.granted()) == (supply, before)


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
    city.appropriate(VOLUNTEER, 99)
    batch = deed.sign()
    for _ in range(2):
        with reverts("IssuanceFundingExceeded", VOLUNTEER, 100, 99):
            deed.send(batch)
    assert (deed.granted(), city.ledger.batchState(VOLUNTEER, 1), city.ledger.programmeSupply(VOLUNTEER)) == (0, 0, 0)
    city.appropriate(VOLUNTEER, 1)
    (event,) = event_values(deed.send(batch), "BatchMinted")
    assert (event["count"], event["amount"]) == (2, 500)
    city.appropriate(VOLUNTEER, 10_000)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_funding_refused_then_void_then_renumbered(deed: Deed) -> None:
    """Given up for want of money, granted later under another number: the refused bytes stay dead, money or not."""
    city = deed.city
    city.book.lapse(VOLUNTEER, 2030, {"from": city.finance})
    with reverts("IssuanceFundingExceeded", VOLUNTEER, 100, 0):
        deed.send(deed.sign(1))
    deed.void(1)
    city.appropriate(VOLUNTEER, 10_000)
    deed.send(deed.sign(2))
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_key_rotated_in_flight(deed: Deed) -> None:
    """The old key's bytes, the new key's of the same number: one lands. Not even the old key's return changes that."""
    city = deed.city
    old_key, new_key = city.issuer[VOLUNTEER], Person("issuer 1, second key")
    stale = deed.sign(1)
    city.ledger.setIssuerKey(VOLUNTEER, new_key.address, True, city.by_admin)
    city.ledger.setIssuerKey(VOLUNTEER, old_key.address, False, city.by_admin)
    with reverts("IssuanceBadSignature", old_key.address):
        deed.send(stale)
    deed.send(deed.sign(1, by=new_key))
    city.ledger.setIssuerKey(VOLUNTEER, old_key.address, True, city.by_admin)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        deed.send(stale)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_void_by_the_new_key_of_what_the_old_one_signed(deed: Deed) -> None:
    """Whoever may sign for the programme may void any number of it; who may no longer, may not."""
    city = deed.city
    old_key, new_key = city.issuer[VOLUNTEER], Person("issuer 1, second key")
    deed.sign(1)
    city.ledger.setIssuerKey(VOLUNTEER, new_key.address, True, city.by_admin)
    city.ledger.setIssuerKey(VOLUNTEER, old_key.address, False, city.by_admin)
    with reverts("IssuanceBadSignature", old_key.address):
        deed.void(1)
    deed.void(1, by=new_key)
    deed.send(deed.sign(2, by=new_key))
    city.ledger.setIssuerKey(VOLUNTEER, old_key.address, True, city.by_admin)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_paused_then_the_same_bytes(deed: Deed) -> None:
    city = deed.city
    batch = deed.sign()
    city.issuance.pause(3 * DAY, {"from": city.guardian})
    with reverts("PausableIsPaused", city.issuance.pausedUntil()):
        deed.send(batch)
    go_to(city.issuance.pausedUntil())
    deed.send(batch)
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_too_late_for_its_quarter_then_signed_for_the_next(deed: Deed) -> None:
    """Number and grants stay; only the quarter changes. The bytes of the dead quarter can never land."""
    late = deed.sign()
    go_to(quarter_end(NOW))
    with reverts("PointsLedgerLotDead", LOT):
        deed.send(late)
    deed.send(deed.sign(quarter=NOW + 1))
    deed.nothing_lands_again()
    assert deed.granted() == 500


def test_what_was_revoked_does_not_land_again(deed: Deed) -> None:
    """A revoked grant's batch has landed: its number is used for ever, though its points are gone."""
    city = deed.city
    leaf = EvidenceLeaf(b"\1" * 32, city.ana.address, LOT, 500)
    tree = MerkleTree([leaf.hash()])
    deed.grants = pack_grants([(city.ana.address, 500)])
    batch = (VOLUNTEER, NOW, 1, tree.root, deed.grants)
    deed.signed.append((*batch, city.sign_mint(*batch)))
    deed.send(deed.signed[0])
    fields = {"programme": VOLUNTEER, "number": 1, "leaf": leaf.hash(), "revokedTotal": 500, "reason": 1}
    signature = sign(city.issuer[VOLUNTEER].key, city.domain.digest("Revocation", **fields))
    args = (tuple(fields.values()), leaf.values(), [], signature, city.by_operator)
    city.issuance.revoke(*args)
    with reverts("PointsLedgerBadRevocation", leaf.hash(), 500, 500):
        city.issuance.revoke(*args)
    deed.nothing_lands_again()
    assert deed.granted() == 0
