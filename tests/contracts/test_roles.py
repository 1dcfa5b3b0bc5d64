"""Roles as the deployment gives them, on the real AccessManager: acts that wait, can be cancelled, and lapse; modules
whose role comes seven days late."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    CULTURE,
    DAY,
    EXCHANGE,
    FINANCE,
    GUARDIAN,
    NOW,
    REDEMPTION,
    REGISTRAR,
    SHOP,
    SUPERVISOR,
    VOLUNTEER,
    City,
    bits,
    event_values,
    go_to,
    next_block_at,
    now,
    rejections,
    reverts,
)
from institutions import ANNOUNCED, AUTHORITY_WAIT, DELAYED_ROLES, Institutions
from reference import token_id

LOT = token_id(VOLUNTEER, NOW)


@pytest.fixture
def institutions(city: City) -> Institutions:
    return Institutions(city)


def appropriation(city: City, fen: int = 1_000) -> tuple[Any, ...]:
    return VOLUNTEER, 2031, fen, b"\x0d" * 32


def test_finance_acts_a_day_after_it_announced(institutions: Institutions) -> None:
    """Not without announcing, not a second early, once, and nothing but what was announced."""
    city, book, by = institutions.city, institutions.city.book, {"from": institutions.city.finance}
    arguments = appropriation(city)
    data = institutions.data(book, "recordAppropriation", *arguments)
    operation = institutions.operation(city.finance, book, data)
    with reverts("AccessManagerNotScheduled", operation):
        book.recordAppropriation(*arguments, by)
    institutions.announce(city.finance, book, "recordAppropriation", *arguments)
    ready = now() + ANNOUNCED
    assert institutions.manager.getSchedule(operation) == ready
    next_block_at(ready - 1)
    with reverts("AccessManagerNotReady", operation):
        book.recordAppropriation(*arguments, by)
    with pytest.raises(Exception, match="AccessManagerNotScheduled"):
        book.recordAppropriation(*appropriation(city, 1_001), by)
    next_block_at(ready + 10)
    tx = book.recordAppropriation(*arguments, by)
    assert event_values(tx, "AppropriationRecorded")[0]["fen"] == 1_000
    with reverts("AccessManagerNotScheduled", operation):
        book.recordAppropriation(*arguments, by)


def test_an_announced_act_lapses_after_a_week(institutions: Institutions) -> None:
    city, book = institutions.city, institutions.city.book
    arguments = appropriation(city)
    data = institutions.announce(city.finance, book, "recordAppropriation", *arguments)
    ready = now() + ANNOUNCED
    next_block_at(ready + 7 * DAY)
    with reverts("AccessManagerExpired", institutions.operation(city.finance, book, data)):
        book.recordAppropriation(*arguments, {"from": city.finance})


@pytest.mark.parametrize("name", ["finance", "registrar"])
def test_another_organisation_cancels_what_was_announced(institutions: Institutions, name: str) -> None:
    """The supervisor, who can do nothing else; a stranger and the guardian of the modules cannot."""
    city, book = institutions.city, institutions.city.book
    caller = getattr(city, name)
    function, arguments = {
        "finance": ("recordAppropriation", appropriation(city)),
        "registrar": ("registerMerchant", (SHOP, city.ana.address, bits(1))),
    }[name]
    data = institutions.announce(caller, book, function, *arguments)
    for other in (city.stranger, city.guardian, city.desk):
        with pytest.raises(Exception, match="AccessManagerUnauthorizedCancel"):
            institutions.cancel(other, caller, book, data)
    institutions.cancel(institutions.supervisor, caller, book, data)
    go_to(now() + ANNOUNCED)
    with reverts("AccessManagerNotScheduled", institutions.operation(caller, book, data)):
        getattr(book, function)(*arguments, {"from": caller})
    with reverts("AccessManagedUnauthorized", institutions.supervisor.address):
        getattr(book, function)(*arguments, {"from": institutions.supervisor})


def test_the_announcer_takes_its_act_back(institutions: Institutions) -> None:
    city, book = institutions.city, institutions.city.book
    data = institutions.announce(city.finance, book, "recordAppropriation", *appropriation(city))
    institutions.cancel(city.finance, city.finance, book, data)
    assert institutions.manager.getSchedule(institutions.operation(city.finance, book, data)) == 0


def test_every_act_of_finance_and_registrar_waits(institutions: Institutions) -> None:
    """Money in, money out, and who is a merchant."""
    city, book, root = institutions.city, institutions.city.book, b"\x05" * 32
    for caller, function, arguments in (
        (city.finance, book.lapse, (VOLUNTEER, 2030)),
        (city.finance, book.reclaim, (VOLUNTEER, 1, root)),
        (city.finance, book.fund, (VOLUNTEER, 1, root)),
        (city.finance, book.payout, (b"\0" * 12, root)),
        (city.finance, book.payDirectly, (VOLUNTEER, SHOP, 1, root)),
        (city.registrar, book.registerMerchant, (SHOP, city.ana.address, bits(1))),
    ):
        with pytest.raises(Exception, match="AccessManagerNotScheduled"):
            function(*arguments, {"from": caller})


def test_guardian_and_arbiter_act_at_once(institutions: Institutions) -> None:
    """What must be quick waits for nothing."""
    city = institutions.city
    city.give(city.ana, LOT, 500)
    city.lock(city.pay(city.ana, [(LOT, 500)]), 100)
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    city.redemption.pause(60, {"from": city.guardian})


@pytest.mark.parametrize(("role", "name"), [(EXCHANGE, "exchange"), (REDEMPTION, "redemption")])
def test_a_module_has_its_role_seven_days_after_the_grant(institutions: Institutions, role: int, name: str) -> None:
    """To the second, in sight of everybody; the old one serves meanwhile, and loses its own at once."""
    city = institutions.city
    city.give(city.ana, LOT, 1_000)
    container = city.project.Exchange if name == "exchange" else city.project.Redemption
    new = container.deploy(city.manager, city.ledger, city.by_operator)
    institutions.manager.grantRole(role, new, 0, city.by_admin)
    ready = now() + AUTHORITY_WAIT
    assert institutions.manager.getAccess(role, new)[0] == ready
    late = {"deadline": ready + DAY}
    if name == "exchange":
        orders = [city.exchange_order(city.ana, LOT, 100, CULTURE, **late) for _ in range(2)]
    else:
        orders = [city.redeem_order(city.ana, [(LOT, 100)], **late) for _ in range(2)]
    packed = [city.signed(city.ana, order) for order in orders]
    next_block_at(ready - 1)
    with reverts("AccessManagedUnauthorized", new.address):
        new.execute(packed[0], city.by_operator)
    assert rejections(getattr(city, name).execute(packed[0], city.by_operator)) == []
    next_block_at(ready + 1)
    assert rejections(new.execute(packed[1], city.by_operator)) == []
    institutions.manager.revokeRole(role, getattr(city, name), city.by_admin)
    with reverts("AccessManagedUnauthorized", getattr(city, name).address):
        getattr(city, name).execute(packed[1], city.by_operator)


def test_a_module_s_wait_cannot_be_shortened_for_itself(institutions: Institutions) -> None:
    """To lower the wait takes as long as the wait, so nobody lowers it first and grants then."""
    city, manager = institutions.city, institutions.manager
    manager.setGrantDelay(REDEMPTION, 0, city.by_admin)
    lowered = now() + AUTHORITY_WAIT
    new = city.project.Redemption.deploy(city.manager, city.ledger, city.by_operator)
    go_to(lowered - 10)
    manager.grantRole(REDEMPTION, new, 0, city.by_admin)
    assert manager.getAccess(REDEMPTION, new)[0] >= lowered - 10 + AUTHORITY_WAIT
    assert manager.hasRole(REDEMPTION, new)[0] is False


@pytest.mark.parametrize("role", DELAYED_ROLES)
def test_who_is_granted_a_role_has_it_seven_days_later(institutions: Institutions, role: int) -> None:
    """Finance, registrar, supervisor, desks, arbiter, and another administrator."""
    city, manager = institutions.city, institutions.manager
    manager.grantRole(role, city.ana.address, 0, city.by_admin)
    ready = now() + AUTHORITY_WAIT
    assert manager.getAccess(role, city.ana.address)[0] == ready
    assert manager.hasRole(role, city.ana.address)[0] is False
    go_to(ready)
    assert manager.hasRole(role, city.ana.address)[0] is True


def test_a_guardian_brakes_as_soon_as_it_is_granted(institutions: Institutions) -> None:
    city = institutions.city
    institutions.manager.grantRole(GUARDIAN, city.stranger, 0, city.by_admin)
    city.ledger.freeze(VOLUNTEER, {"from": city.stranger})


def changes(city: City) -> list[tuple[str, Any, tuple[Any, ...]]]:
    """Return what takes a contract out of its institutions' hands, for each contract."""
    return [
        (function, target, arguments)
        for target in (city.ledger, city.book, city.succession, city.exchange, city.redemption)
        for function, arguments in (
            ("setTargetFunctionRole", ([target.setAuthority.signature], 0)),
            ("updateAuthority", (city.manager.address,)),
            ("setTargetClosed", (True,)),
        )
    ]


def test_functions_authority_and_closing_wait_seven_days(institutions: Institutions) -> None:
    """The admin announces them, to the second; without that they revert, for each contract."""
    city, manager = institutions.city, institutions.manager
    for function, target, arguments in changes(city):
        data = institutions.data(manager, function, target, *arguments)
        with reverts("AccessManagerNotScheduled", institutions.operation(city.admin, manager, data)):
            getattr(manager, function)(target, *arguments, city.by_admin)
    data = institutions.announce(city.admin, manager, "setTargetClosed", city.book, True)
    ready, operation = now() + AUTHORITY_WAIT, institutions.operation(city.admin, manager, data)
    assert manager.getSchedule(operation) == ready
    next_block_at(ready - 1)
    with reverts("AccessManagerNotReady", operation):
        manager.setTargetClosed(city.book, True, city.by_admin)
    next_block_at(ready)
    manager.setTargetClosed(city.book, True, city.by_admin)
    assert manager.isTargetClosed(city.book)


def test_a_contract_s_wait_cannot_be_shortened_for_itself(institutions: Institutions) -> None:
    """To lower it takes as long as the wait."""
    city, manager = institutions.city, institutions.manager
    manager.setTargetAdminDelay(city.book, 0, city.by_admin)
    lowered = now() + AUTHORITY_WAIT
    next_block_at(lowered - 1)
    with pytest.raises(Exception, match="AccessManagerNotScheduled"):
        manager.setTargetClosed(city.book, True, city.by_admin)
    next_block_at(lowered)
    manager.setTargetClosed(city.book, True, city.by_admin)


def test_nobody_but_the_admin_changes_a_role(institutions: Institutions) -> None:
    city, manager = institutions.city, institutions.manager
    for who in (city.finance, city.registrar, city.guardian, city.desk, city.arbiter, city.stranger):
        for function, arguments in (
            (manager.grantRole, (FINANCE, who, 0)),
            (manager.revokeRole, (GUARDIAN, city.guardian)),
            (manager.setRoleGuardian, (REGISTRAR, SUPERVISOR)),
            (manager.setGrantDelay, (EXCHANGE, 0)),
            (manager.setTargetFunctionRole, (city.book, [city.book.payout.signature], 0)),
            (manager.setTargetClosed, (city.ledger, True)),
        ):
            with pytest.raises(Exception, match="AccessManagerUnauthorizedAccount"):
                function(*arguments, {"from": who})
