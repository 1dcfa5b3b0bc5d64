from __future__ import annotations

from datetime import timedelta

import pytest

from ledger.clock import ManualClock
from ledger.residents.errors import EmptyIdentifier, LinkCodeRefused
from ledger.residents.link_codes import LinkCodes
from tests.unit.redemption.world import START


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def codes(clock: ManualClock) -> LinkCodes:
    return LinkCodes(b"k" * 32, clock)


def test_a_code_is_good_for_its_source_id_as_people_write_it(codes: LinkCodes) -> None:
    code, _ = codes.make(1, "V5101-7")
    codes.check(1, "v5101-7", code)
    codes.check(1, " V5101-7", f" {code.lower().replace('-', ' ')} ")


def test_a_code_is_good_for_nothing_else(codes: LinkCodes) -> None:
    code, _ = codes.make(1, "V1")
    for programme, source_id in ((2, "V1"), (1, "V2"), (1, "V11")):
        with pytest.raises(LinkCodeRefused):
            codes.check(programme, source_id, code)
    with pytest.raises(LinkCodeRefused):
        LinkCodes(b"x" * 32, ManualClock(START)).check(1, "V1", code)


@pytest.mark.parametrize("code", ["", "A", "AAAA-AAAA-AAAA-AAAA", "!!!!", "AAAAAAAA", "é" * 16])
def test_what_is_no_code_is_refused(codes: LinkCodes, code: str) -> None:
    with pytest.raises(LinkCodeRefused):
        codes.check(1, "V1", code)


def test_every_sign_of_a_code_counts(codes: LinkCodes) -> None:
    code = codes.make(1, "V1")[0].replace("-", "")
    for at, sign in enumerate(code):
        other = "A" if sign != "A" else "B"
        with pytest.raises(LinkCodeRefused):
            codes.check(1, "V1", code[:at] + other + code[at + 1 :])


def test_a_code_ends(codes: LinkCodes, clock: ManualClock) -> None:
    code, expires_at = codes.make(1, "V1", lifetime_s=3600)
    assert expires_at == clock.timestamp() + 3600
    clock.set(START + timedelta(hours=1))
    codes.check(1, "V1", code)
    clock.set(START + timedelta(hours=1, seconds=1))
    with pytest.raises(LinkCodeRefused):
        codes.check(1, "V1", code)


def test_there_is_no_code_for_nothing(codes: LinkCodes) -> None:
    with pytest.raises(EmptyIdentifier):
        codes.make(1, "  ")
