from __future__ import annotations

from redemption.orders import Purchase
from redemption.statements import statement
from tests.unit.redemption.world import GROCER, MUSEUM, Q2026_4, VOLUNTEER, World


def test_a_statement_adds_up_and_pages(world: World) -> None:
    resident = world.resident()
    world.give(resident.account, VOLUNTEER, Q2026_4, 60_000)
    with world.database.transaction() as session:
        order = world.redemptions.place(session, Purchase(resident.resident_id, "rice")).order
    world.say(order.order_id, "redeem", 2800)
    world.say(order.order_id, "refund", 300)
    world.say(b"\x02" * 32, "capture", 500)  # of another gateway: on chain, but none of our orders
    world.say(b"\x03" * 32, "rejected", code=4)
    world.pay_out(GROCER, 1_000)
    world.claim(GROCER, matured_fen=500, younger_fen=700, youngest_fen=800)
    world.lock(order.order_id, GROCER, 250)
    now = world.now
    with world.database.read() as session:
        whole = statement(session, GROCER, now, now + 1, None, 10)
        first = statement(session, GROCER, now, now + 1, None, 1)
        last = first.lines[-1]
        rest = statement(session, GROCER, now, now + 1, (last.block_number, last.log_index), 10)
        before = statement(session, GROCER, now - 10, now, None, 10)
        other = statement(session, MUSEUM, now, now + 1, None, 10)
    assert (whole.orders, whole.paid_fen, whole.refunded_fen, whole.paid_out_fen) == (2, 3300, 300, 1000)
    assert [(line.kind, line.fen) for line in whole.lines] == [
        ("redeem", 2800),
        ("refund", -300),
        ("capture", 500),
        ("payout", -1000),
    ]
    assert [line.offer_id for line in whole.lines] == ["rice", "rice", None, None]
    assert (whole.claim.total_fen, whole.claim.matured_fen, whole.locked_fen) == (2_000, 500, 250)
    assert first.lines + rest.lines == whole.lines
    assert (first.paid_fen, before.lines, other.lines) == (3300, (), ())
    assert (before.paid_out_fen, other.claim.total_fen, other.locked_fen) == (0, 0, 0)
