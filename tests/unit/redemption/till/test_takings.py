from __future__ import annotations

from datetime import timedelta

from ledger.standard.civil_time import civil_day, day_start
from redemption.till.takings import Day, by_day
from tests.unit.redemption.world import GROCER, MUSEUM, World


def test_each_civil_day_is_there_with_what_came_and_went_back(world: World) -> None:
    today = civil_day(world.now)
    world.say(b"\x01" * 32, "redeem", 2_800)
    world.say(b"\x02" * 32, "capture", 500)
    world.clock.set(world.clock.now() + timedelta(days=2))
    world.say(b"\x01" * 32, "refund", 300)
    world.say(b"\x03" * 32, "hold", 0)
    with world.database.read() as session:
        found = by_day(session, GROCER, day_start(today), day_start(today + 3))
        other = by_day(session, MUSEUM, day_start(today), day_start(today + 1))
    assert found == [Day(today, 2, 3_300, 0), Day(today + 1, 0, 0, 0), Day(today + 2, 0, 0, 300)]
    assert other == [Day(today, 0, 0, 0)]
