from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ledger_api.auth.errors import (
    BadLoginName,
    LoginNameTaken,
    PasswordsOff,
    SignInRefused,
    SignInThrottled,
    UnknownLogin,
)
from ledger_api.auth.logins import LOGIN_ISSUER, LoginState
from ledger_api.auth.passwords import Passwords
from ledger_api.auth.sign_in import SignIn
from tests.unit.ledger_api.api import Api
from tests.unit.redemption.world import World

HERE, PASSWORD = "10.0.0.1", "correct horse battery"


@pytest.fixture
def door(api: Api) -> SignIn:
    api.sign_in.register("Wang.Xiuying", PASSWORD, address=HERE)
    return api.sign_in


def test_a_resident_makes_a_login_and_signs_in_whatever_the_capitals(door: SignIn) -> None:
    begun = door.sign_in("WANG.xiuying", PASSWORD, address=HERE)
    assert begun.session.scopes == {"resident:self", "resident:register"}
    assert begun.session.subject.startswith(f"{LOGIN_ISSUER} ")
    assert door.sessions.find(begun.secret) == begun.session


@pytest.mark.parametrize("name", ["wang.xiuying", "nobody", "a name with spaces", "x"])
def test_what_does_not_fit_gets_one_answer(door: SignIn, name: str) -> None:
    with pytest.raises(SignInRefused):
        door.sign_in(name, "wrong horse battery", address=HERE)


def test_a_disabled_login_gets_the_same_answer_and_its_sessions_end(door: SignIn) -> None:
    begun = door.sign_in("wang.xiuying", PASSWORD, address=HERE)
    with door.database.transaction() as session:
        door.logins.set_state(session, "wang.xiuying", LoginState.DISABLED)
    assert door.sessions.find(begun.secret) is None
    with pytest.raises(SignInRefused):
        door.sign_in("wang.xiuying", PASSWORD, address=HERE)


def test_names_are_tried_as_often_whether_they_exist_or_not(door: SignIn, world: World) -> None:
    for name in ("wang.xiuying", "nobody"):
        address = f"10.0.9.{len(name)}"
        for _ in range(5):
            with pytest.raises(SignInRefused):
                door.sign_in(name, "wrong horse battery", address=address)
        with pytest.raises(SignInThrottled):
            door.sign_in(name, PASSWORD, address=address)


def test_a_new_password_ends_what_was_signed_in_with_the_old(door: SignIn) -> None:
    begun = door.sign_in("wang.xiuying", PASSWORD, address=HERE)
    subject = begun.session.subject
    with pytest.raises(SignInRefused):
        door.change_password(subject, "wrong horse battery", "another long phrase", address=HERE)
    door.change_password(subject, PASSWORD, "another long phrase", address=HERE)
    assert door.sessions.find(begun.secret) is None
    with pytest.raises(SignInRefused):
        door.sign_in("wang.xiuying", PASSWORD, address=HERE)
    door.sign_in("wang.xiuying", "another long phrase", address=HERE)
    with pytest.raises(UnknownLogin):
        door.change_password("urn:test wang", PASSWORD, "another long phrase", address=HERE)


def test_a_name_is_taken_once_and_has_a_form(door: SignIn) -> None:
    with pytest.raises(LoginNameTaken):
        door.register("wang.XIUYING", "another long phrase", address=HERE)
    for name in ("ab", "with space", "x" * 65, "semi;colon"):
        with pytest.raises(BadLoginName):
            door.register(name, "another long phrase", address=HERE)


def test_where_a_provider_is_nobody_signs_in_and_the_operator_may_keep_logins_to_himself(door: SignIn) -> None:
    provided, closed = replace(door, is_on=False), replace(door, is_open=False)
    for refused in (provided, closed):
        with pytest.raises(PasswordsOff):
            refused.register("li.wei", PASSWORD, address=HERE)
    with pytest.raises(PasswordsOff):
        provided.sign_in("wang.xiuying", PASSWORD, address=HERE)
    closed.sign_in("wang.xiuying", PASSWORD, address=HERE)


def test_an_outdated_hash_is_made_anew_at_sign_in(door: SignIn, world: World) -> None:
    with door.database.read() as session:
        before = door.logins.row(session, "wang.xiuying")
    newer = replace(door, passwords=Passwords(memory_kib=128, rounds=1))
    world.clock.set(world.clock.now() + timedelta(minutes=1))
    newer.sign_in("wang.xiuying", PASSWORD, address=HERE)
    with door.database.read() as session:
        after = door.logins.row(session, "wang.xiuying")
    assert before is not None
    assert after is not None
    assert "m=128" in after.password_hash != before.password_hash
    newer.sign_in("wang.xiuying", PASSWORD, address=HERE)
