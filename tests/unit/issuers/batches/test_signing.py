"""Signers that are away are left alone, for longer each time; a refused batch rests by itself."""

from __future__ import annotations

import itertools

import pytest

from issuers.batches.signing import Signing
from ledger.custody.errors import SignerError, SignerReason
from ledger.custody.signer import Document, LocalSigner
from ledger.standard.ids import Address
from ledger.standard.typed_data import Domain, MintBatch, VoidBatch

DOMAIN = Domain(77, "0x" + "11" * 20, b"\x05" * 32)
KEY = LocalSigner(b"\x01" * 32)


class Agency:
    """A signer that fails as it is told, and counts."""

    def __init__(self) -> None:
        self.error: SignerError | None = None
        self.asked = 0

    @property
    def address(self) -> Address:
        return KEY.address

    def sign_typed(self, preimage: bytes, document: Document) -> bytes:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return KEY.sign_typed(preimage, document)


class Steady:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def batch(number: int) -> MintBatch:
    return MintBatch(1, 115, number, b"\1" * 32, b"\2" * 32)


def ask(signing: Signing, message: MintBatch | VoidBatch) -> SignerError | None:
    try:
        signing.sign(message, dict)
    except SignerError as error:
        return error
    return None


def test_a_signer_that_is_away_is_asked_less_and_less_often_and_at_least_every_minute() -> None:
    agency, steady = Agency(), Steady()
    signing = Signing(DOMAIN, {1: agency}, steady)
    agency.error = SignerError(SignerReason.UNREACHABLE, "nobody")
    asked_at = []
    for second in range(400):
        steady.now_s = float(second)
        before = agency.asked
        assert ask(signing, batch(second)) is agency.error, "whoever asks meanwhile hears why"
        if agency.asked > before:
            asked_at.append(second)
    pauses = [after - at for at, after in itertools.pairwise(asked_at)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {60}
    assert signing.is_away(1)
    agency.error = None
    steady.now_s += 60
    assert ask(signing, batch(1)) is None
    assert not signing.is_away(1)
    assert signing.away() == {}
    agency.error = SignerError(SignerReason.TIMEOUT, "slow")
    ask(signing, batch(1))
    steady.now_s += 1
    asked = agency.asked
    ask(signing, batch(1))
    assert agency.asked == asked + 1, "after a success the pauses begin anew"


def test_a_refused_batch_rests_by_itself() -> None:
    """Its neighbours and a void of its number are signed; its quarter may change and it rests all the same."""
    agency, steady = Agency(), Steady()
    signing = Signing(DOMAIN, {1: agency}, steady)
    agency.error = SignerError(SignerReason.REFUSED, "no", code="worth_less")
    assert ask(signing, batch(1)) is not None
    agency.error = None
    assert signing.not_refused(1, [1, 2]) == [2]
    assert ask(signing, batch(2)) is None
    assert ask(signing, MintBatch(1, 116, 1, b"\1" * 32, b"\2" * 32)) is not None
    assert ask(signing, VoidBatch(1, 1)) is None
    steady.now_s = 5
    assert ask(signing, batch(1)) is None


def test_a_days_limit_stops_the_programme_and_no_other() -> None:
    """What comes next would be refused too: it waits unbatched."""
    agency, other, steady = Agency(), Agency(), Steady()
    signing = Signing(DOMAIN, {1: agency, 2: other}, steady)
    agency.error = SignerError(SignerReason.REFUSED, "enough for today", code="day_limit")
    ask(signing, batch(1))
    assert signing.is_away(1)
    assert not signing.is_away(2)
    assert ask(signing, MintBatch(2, 115, 1, b"\1" * 32, b"\2" * 32)) is None


def test_a_programme_without_a_signer_says_what_to_set() -> None:
    signing = Signing(DOMAIN, {})
    with pytest.raises(SignerError, match="TONGDUI_ISSUER_SIGNERS"):
        signing.address(1)
    error = ask(signing, batch(1))
    assert error is not None
    assert (error.reason, error.is_away) == (SignerReason.UNKNOWN_KEY, True)
    assert not signing.is_rotated(1, "PointsLedgerBadIssuer(signer=0x00)")


def test_a_key_is_rotated_if_the_chain_recovered_another() -> None:
    signing = Signing(DOMAIN, {1: KEY})
    assert signing.is_rotated(1, "PointsLedgerBadIssuer(signer=0x" + "11" * 20 + ")")
    assert not signing.is_rotated(1, f"PointsLedgerBadIssuer(signer={KEY.address.lower()})")
    assert not signing.is_rotated(1, "PointsLedgerLotDead(1)")
    assert not signing.is_rotated(1, None)
