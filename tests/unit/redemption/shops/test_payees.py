from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ledger.clock import ManualClock
from ledger.custody.master import Envelope
from ledger.residents.persons import OnePerson
from ledger.standard.ids import MerchantId
from redemption.errors import NoPayeeChange, PayeeChangeWaits
from redemption.shops.payees import Payees, PayeeState
from redemption.shops.sealing import Contact, Payee, ShopSeal
from tests.empty_books import empty_books
from tests.unit.redemption.world import START

SHOP = MerchantId(9)
OLD, NEW = Payee("书屋", "成都银行", "6222020000012345678"), Payee("书屋", "成都银行", "6222020000099999999")
PEOPLE = (Contact("赵六", "13800000001"), Contact("钱七", "13800000002"))
THREE_DAYS = timedelta(days=3)


@pytest.fixture
def payees(tmp_path: Path) -> Payees:
    return Payees(ShopSeal(Envelope(b"\x01" * 32)), ManualClock(START))


def test_a_change_takes_effect_three_days_after_the_second_word(payees: Payees, tmp_path: Path) -> None:
    database = empty_books(tmp_path / "books.db")
    clock = payees.clock
    assert isinstance(clock, ManualClock)
    with database.transaction() as session:
        assert payees.current(session, SHOP) is None
        payees.begin(session, SHOP, OLD, PEOPLE, "owner", "operator")
        change = payees.propose(session, SHOP, NEW, "owner")
        with pytest.raises(OnePerson):
            payees.confirm(session, SHOP, change.payee_id, "owner")
        with pytest.raises(NoPayeeChange):
            payees.confirm(session, SHOP, change.payee_id + 1, "operator")
        confirmed = payees.confirm(session, SHOP, change.payee_id, "operator")
        assert confirmed.effective_at == clock.timestamp() + 3 * 86_400
        with pytest.raises(PayeeChangeWaits):
            payees.propose(session, SHOP, OLD, "owner")
        clock.set(clock.now() + THREE_DAYS - timedelta(seconds=1))
        assert payees.current(session, SHOP) == OLD
        clock.set(clock.now() + timedelta(seconds=1))
        assert payees.current(session, SHOP) == NEW
        assert payees.waiting(session, SHOP) is None
        with pytest.raises(NoPayeeChange):
            payees.withdraw(session, SHOP, "owner")
        assert payees.contacts(session, SHOP) == PEOPLE
    database.close()


def test_a_proposal_waits_a_week_and_a_newer_one_takes_its_place(payees: Payees, tmp_path: Path) -> None:
    database = empty_books(tmp_path / "books.db")
    clock = payees.clock
    assert isinstance(clock, ManualClock)
    with database.transaction() as session:
        payees.begin(session, SHOP, OLD, PEOPLE, "owner", "operator")
        first = payees.propose(session, SHOP, NEW, "owner")
        second = payees.propose(session, SHOP, Payee("别人", "成都银行", "62220200000"), "owner-2")
        with pytest.raises(NoPayeeChange):  # what was looked at is what is confirmed
            payees.confirm(session, SHOP, first.payee_id, "operator")
        clock.set(clock.now() + timedelta(days=7))
        with pytest.raises(NoPayeeChange):
            payees.confirm(session, SHOP, second.payee_id, "operator")
        third = payees.propose(session, SHOP, NEW, "owner")
        assert payees.withdraw(session, SHOP, "operator").state is PayeeState.WITHDRAWN
        with pytest.raises(NoPayeeChange):
            payees.confirm(session, SHOP, third.payee_id, "operator")
        told = [(one.kind.value, one.contact) for one in payees.notices(session, SHOP, None, 100)]
        assert told[:2] == [("payee_withdrawn", 2), ("payee_withdrawn", 1)]
        assert len(told) == 8
    database.close()


def test_the_text_of_secrets_names_nobody() -> None:
    assert "6222" not in repr(OLD)
    assert "赵六" not in repr(PEOPLE)
