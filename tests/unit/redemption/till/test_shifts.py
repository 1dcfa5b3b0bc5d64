from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from ledger.store.models.redemption import TillShiftRow
from redemption.acts.book import ActState
from redemption.acts.table import Act
from redemption.till.shifts import Shifts, ShiftTotals, total
from tests.unit.redemption.world import GROCER, MUSEUM, World


def test_done_acts_are_added_up_and_others_counted() -> None:
    found = total(
        [
            (Act.HAND_OVER, ActState.DONE, 2_800),
            (Act.CAPTURE, ActState.DONE, 500),
            (Act.REFUND, ActState.DONE, 300),
            (Act.RELEASE, ActState.DONE, 900),
            (Act.HAND_OVER, ActState.UNDER_WAY, 700),
            (Act.REFUND, ActState.FAILED, 100),
        ]
    )
    assert found == ShiftTotals(2, 3_300, 1, 300, 1, 1)


def test_a_login_has_one_open_shift_at_a_shop(world: World) -> None:
    shifts = Shifts(world.clock)
    with world.database.transaction() as session:
        first = shifts.open(session, GROCER, "till-1")
        assert shifts.open(session, GROCER, "till-1") == first
        assert shifts.open(session, GROCER, "till-2") != first
        assert shifts.open(session, MUSEUM, "till-1") != first
    with pytest.raises(IntegrityError), world.database.transaction() as session:
        session.add(TillShiftRow(merchant_id=GROCER, subject="till-1", opened_at=1, closed_at=None))
    world.clock.set(world.clock.now() + timedelta(seconds=60))
    with world.database.transaction() as session:
        closed = shifts.close(session, GROCER, "till-1")
        assert closed is not None
        assert closed.closed_at == first.opened_at + 60
        assert shifts.close(session, GROCER, "till-1") is None
        assert shifts.current(session, GROCER, "till-1") is None
        assert shifts.closed(session, GROCER, None, 5) == [closed]
        assert shifts.closed(session, GROCER, "till-2", 5) == []
