"""What strangers may submit to the window, and by whose name they may call it."""

from __future__ import annotations

import pytest

from ledger.chain.embedded.window import CALL_GAS_MAX, NotTaken, Submissions, WindowLimits, is_own_name
from ledger.chain.transactions import sign_legacy
from ledger.standard.ids import Address, to_address
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey

KEY = SigningKey(keccak256(b"stranger"))
OURS, ANOTHERS = to_address(b"\x01" * 20), to_address(b"\x02" * 20)
LIMITS = WindowLimits(submitted_gas_max=40_000_000, submitted_bytes_max=2_000, submitted_per_s=60.0)


class Steady:
    """A clock that the test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def raw(to: Address | None = OURS, gas: int = 1_000_000, data: bytes = b"") -> bytes:
    return sign_legacy(KEY, 7, 0, to, data, gas)[0]


@pytest.mark.parametrize("wrong", [raw(ANOTHERS), raw(None), raw(gas=CALL_GAS_MAX + 1), b"\x02\xc0", b"", b"\xc0"])
def test_only_bounded_calls_of_our_contracts_are_taken(wrong: bytes) -> None:
    with pytest.raises(NotTaken):
        Submissions([OURS], LIMITS).admit(wrong)


def test_a_window_without_contracts_only_reads() -> None:
    with pytest.raises(NotTaken, match="only reads"):
        Submissions([], LIMITS).admit(raw())


def test_gas_is_counted_over_a_minute() -> None:
    steady = Steady()
    submissions = Submissions([OURS], LIMITS, steady)
    submissions.admit(raw(gas=16_000_000))
    submissions.admit(raw(gas=16_000_000))
    with pytest.raises(NotTaken, match="rate limit"):
        submissions.admit(raw(gas=16_000_000))
    submissions.admit(raw(gas=8_000_000))
    steady.now_s = 60.0
    submissions.admit(raw(gas=16_000_000))


def test_bytes_are_counted_over_a_minute() -> None:
    submissions = Submissions([OURS], LIMITS, Steady())
    submissions.admit(raw(data=b"x" * 1_500))
    with pytest.raises(NotTaken, match="rate limit"):
        submissions.admit(raw(data=b"x" * 1_500))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8081", "localhost:1", "LOCALHOST", "[::1]", "[::1]:80"])
def test_this_machines_own_names(host: str) -> None:
    assert is_own_name(host)


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost:x", "127.0.0.2", ":80"]
)
def test_other_names_are_not_this_machines(host: str | None) -> None:
    assert not is_own_name(host)
