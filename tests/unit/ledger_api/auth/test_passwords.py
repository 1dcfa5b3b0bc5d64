from __future__ import annotations

import time

import pytest

from ledger_api.auth.errors import WeakPassword
from ledger_api.auth.passwords import Passwords

QUICK = Passwords(memory_kib=64, rounds=1)


@pytest.mark.parametrize(
    ("password", "reason"),
    [("short", "length"), ("x" * 257, "length"), ("aaaaaaaaaabb", "guessable"), ("my-WANG-password", "guessable")],
)
def test_a_password_that_is_guessed_at_once_is_refused(password: str, reason: str) -> None:
    with pytest.raises(WeakPassword) as caught:
        QUICK.hash_new("wang", password)
    assert caught.value.reason == reason


def test_a_password_fits_its_hash_and_no_other() -> None:
    stored = QUICK.hash_new("wang", "correct horse battery")
    assert stored.startswith("$argon2id$")
    assert stored != QUICK.hash_new("wang", "correct horse battery")
    assert QUICK.fits(stored, "correct horse battery")
    assert not QUICK.fits(stored, "correct horse batterz")
    assert not QUICK.fits(None, "correct horse battery")


def test_the_same_letters_in_another_width_are_the_same_password() -> None:
    assert QUICK.fits(QUICK.hash_new("wang", "ｃｏｒｒｅｃｔ horse 2026"), "correct horse ２０２６")


def test_a_name_that_nobody_has_costs_what_a_wrong_password_costs() -> None:
    """Processor time, for the machine may be busy; a factor of three is noise, a look without work a hundredth."""
    real = Passwords(memory_kib=16_384, rounds=2)
    stored = real.hash_new("wang", "correct horse battery")
    real.fits(None, "warm up")

    def cost(hashed: str | None) -> float:
        started = time.process_time()
        for _ in range(3):
            real.fits(hashed, "correct horse batterz")
        return time.process_time() - started

    wrong, unknown = cost(stored), cost(None)
    assert min(wrong, unknown) > max(wrong, unknown) / 3


def test_a_hash_of_other_parameters_is_outdated() -> None:
    stored = QUICK.hash_new("wang", "correct horse battery")
    assert not QUICK.is_outdated(stored)
    assert Passwords(memory_kib=128, rounds=2).is_outdated(stored)
