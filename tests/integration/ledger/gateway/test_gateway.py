"""From outbox to projection, on a real Anvil."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from ledger.clearing import views
from ledger.deployment import artifacts
from ledger.errors import TongduiError
from ledger.gateway import Gateway
from ledger.indexer import projector
from ledger.indexer.errors import ProjectionBroken
from ledger.indexer.tables import table_of
from ledger.orders.errors import (
    DeadlineUnfit,
    InsufficientPoints,
    MerchantUnknown,
    NonceTaken,
    NothingToGain,
    ProgrammeForbids,
    TooLittle,
    TooManyOpenOrders,
    WrongSignature,
)
from ledger.orders.outcomes import OrderState
from ledger.outbox.errors import MessageInFlight
from ledger.outbox.outbox import Enqueued
from ledger.outbox.states import MessageState
from ledger.standard.ids import merchant_participant, programme_participant
from ledger.standard.typed_data import ExchangeOrder, Lot, RedeemOrder
from ledger.store.base import Base
from ledger.store.models.outbox import OrderNonceRow, OutboxMessageRow, OutboxTransactionRow, RelayerRow
from ledger.store.models.projection import BalanceRow, BatchRow, EntryRow, PositionRow
from tests.eventually import eventually
from tests.integration.ledger.gateway.lab import QUARTER, GatewayLab, key

ALICE, BOB = key("alice"), key("bob")
VOLUNTEER, ENVIRONMENTAL, CULTURE, RESIDENCE = 1, 2, 4, 5
GRAIN = 1


def fund(lab: GatewayLab, minor: int = 100_000) -> None:
    lab.enqueue_mint(VOLUNTEER, [(ALICE.address, minor)], 1)
    lab.gateway.run_until_idle()


def balance(lab: GatewayLab, holder: str, lot: int) -> int:
    with lab.database.read() as session:
        return (
            session.scalar(
                select(BalanceRow.amount_minor).where(
                    BalanceRow.account == bytes.fromhex(holder[2:]), BalanceRow.token_id == lot
                )
            )
            or 0
        )


def status(lab: GatewayLab, dedupe_key: str) -> tuple[MessageState, str | None]:
    with lab.database.read() as session:
        found = lab.gateway.outbox.status(session, dedupe_key)
    assert found is not None
    return found.state, found.reason


def test_a_batch_becomes_balances(lab: GatewayLab) -> None:
    sent = lab.enqueue_mint(VOLUNTEER, [(ALICE.address, 500), (BOB.address, 70), (ALICE.address, 3)], 8)
    lab.gateway.run_until_idle()
    assert status(lab, sent) == (MessageState.DONE, None)
    assert balance(lab, ALICE.address, lab.lot(VOLUNTEER)) == 503
    with lab.database.read() as session:
        batch = session.scalars(select(BatchRow)).one()
        assert (batch.number, batch.state, batch.grants, batch.amount_minor) == (8, "landed", 3, 573)
        kinds = session.scalars(select(EntryRow.kind).where(EntryRow.account == bytes.fromhex(ALICE.address[2:])))
        assert kinds.all() == ["mint", "mint"]
        assert views.flows(session) == {VOLUNTEER: {"mint": (573, 3)}}
    assert lab.gateway.check_projection().is_equal


def test_the_same_batch_is_enqueued_once(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    issuance = lab.deployment.address("PointsLedger")
    first = lab.mint_calldata(VOLUNTEER, [(ALICE.address, 5)], 1, QUARTER)
    other = lab.mint_calldata(VOLUNTEER, [(ALICE.address, 6)], 1, QUARTER)
    with lab.database.transaction() as session:
        enqueue = lab.gateway.outbox.enqueue_call
        assert enqueue(session, "mint", "k", issuance, first, 10**6) is Enqueued.CREATED
        assert enqueue(session, "mint", "k", issuance, first, 10**6) is Enqueued.EXISTS
        assert enqueue(session, "mint", "k", issuance, other, 10**6) is Enqueued.EXISTS_WITH_DIFFERENT_PAYLOAD
        assert enqueue(session, "mint", "k", BOB.address, first, 10**6) is Enqueued.EXISTS_WITH_DIFFERENT_TARGET
    lab.gateway.run_until_idle()
    with lab.database.transaction() as session, pytest.raises(MessageInFlight):
        lab.gateway.outbox.requeue(session, "k")
    assert balance(lab, ALICE.address, lab.lot(VOLUNTEER, QUARTER)) == 5


def test_orders_land_and_the_views_add_up(lab: GatewayLab) -> None:
    fund(lab)
    desk = lab.gateway.desk
    with lab.database.transaction() as session:
        exchanged = desk.place_exchange(session, ALICE, VOLUNTEER, ENVIRONMENTAL, 10_000)
        paid = desk.place_redeem(session, ALICE, GRAIN, value_fen=777)
        held = desk.place_hold(
            session, ALICE, GRAIN, capture_by=lab.clock.timestamp() + 86_400, is_cancellable=True, value_fen=50
        )
        assert [exchanged.orders[0].nonce, paid.nonce, held.nonce] == [0, 1, 2]
    lab.gateway.run_until_idle()
    with lab.database.read() as session:
        found = desk.statuses(session, [exchanged.orders[0].order_id, paid.order_id, held.order_id])
        assert {one.state for one in found.values()} == {OrderState.ACCEPTED}
        assert found[paid.order_id].fen == 777
        assert views.positions(session) == {
            programme_participant(VOLUNTEER): -2_777,
            programme_participant(ENVIRONMENTAL): 2_000,
            merchant_participant(GRAIN): 777,
        }
        flows = views.flows(session)
        funding = {one.programme: one for one in views.funding(session)}
        assert funding[VOLUNTEER].supply_minor == 100_000 - 10_000 - 3_885
        assert flows[VOLUNTEER]["hold"] == (250, 1)
        assert flows[ENVIRONMENTAL]["exchange_in"] == (40_000, 1)
        now = lab.clock.timestamp()
        statement = views.merchant_statement(session, GRAIN, now - 10, now + 1)
        assert (statement.opening_fen, statement.credited_fen, statement.closing_fen) == (0, 777, 777)
    assert lab.gateway.check_projection().is_equal


def test_points_promised_to_an_open_order_are_not_promised_again(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    fund(lab, 1_000)
    desk = lab.gateway.desk
    with lab.database.transaction() as session:
        desk.place_redeem(session, ALICE, GRAIN, value_fen=150)
        with pytest.raises(InsufficientPoints):
            desk.place_redeem(session, ALICE, GRAIN, value_fen=51)
    lab.gateway.run_until_idle()
    with lab.database.transaction() as session:
        desk.place_redeem(session, ALICE, GRAIN, value_fen=50)
    lab.gateway.run_until_idle()
    assert balance(lab, ALICE.address, lab.lot(VOLUNTEER)) == 0


def test_the_nonce_window_slides_with_the_chains(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    fund(lab)
    desk = lab.gateway.desk
    placed = []
    for _round in range(4):
        with lab.database.transaction() as session:
            placed += [desk.place_redeem(session, ALICE, GRAIN, value_fen=10) for _ in range(32)]
            with pytest.raises(TooManyOpenOrders):
                desk.place_redeem(session, ALICE, GRAIN, value_fen=10)
        lab.gateway.run_until_idle()
    assert max(one.nonce for one in placed) == 127
    with lab.database.read() as session:
        found = desk.statuses(session, [one.order_id for one in placed])
        assert {one.state for one in found.values()} == {OrderState.ACCEPTED}
        assert (session.scalar(select(func.count()).select_from(OrderNonceRow)) or 0) <= 128
    assert balance(lab, ALICE.address, lab.lot(VOLUNTEER)) == 100_000 - 128 * 50


def test_the_desk_refuses_what_the_chain_would(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    fund(lab)
    lab.enqueue_mint(RESIDENCE, [(ALICE.address, 100)], 1, 0)
    lab.gateway.run_until_idle()
    desk = lab.gateway.desk
    with lab.database.transaction() as session:
        with pytest.raises(ProgrammeForbids):
            desk.place_exchange(session, ALICE, RESIDENCE, VOLUNTEER, 100)
        with pytest.raises(ProgrammeForbids):
            desk.place_exchange(session, ALICE, VOLUNTEER, RESIDENCE, 100)
        with pytest.raises(ProgrammeForbids):
            desk.place_exchange(session, ALICE, VOLUNTEER, VOLUNTEER, 100)
        with pytest.raises(NothingToGain):
            desk.place_exchange(session, ALICE, VOLUNTEER, CULTURE, 4)
        with pytest.raises(NothingToGain):
            desk.place_exchange(session, ALICE, VOLUNTEER, CULTURE, 100, min_out_minor=21)
        with pytest.raises(MerchantUnknown):
            desk.place_redeem(session, ALICE, 999, value_fen=1)
        with pytest.raises(ProgrammeForbids):
            desk.place_redeem(session, ALICE, GRAIN, lots=[Lot(lab.lot(RESIDENCE, 0), 1)])
        with pytest.raises(DeadlineUnfit):
            desk.place_redeem(session, ALICE, GRAIN, value_fen=10, deadline=lab.clock.timestamp() - 1)
        with pytest.raises(TooLittle):
            desk.place_redeem(session, ALICE, GRAIN, value_fen=9)


def test_an_order_that_comes_in_signed_is_checked(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    fund(lab)
    desk, domain, until = lab.gateway.desk, lab.deployment.domain(), lab.clock.timestamp() + 60
    order = ExchangeOrder(ALICE.address, lab.lot(VOLUNTEER), 100, ENVIRONMENTAL, 400, 5, until)
    signature = ALICE.sign_digest(order.digest(domain))
    with lab.database.transaction() as session:
        with pytest.raises(WrongSignature):
            desk.accept_exchange(session, order, BOB.sign_digest(order.digest(domain)))
        placed = desk.accept_exchange(session, order, signature)
        assert desk.accept_exchange(session, order, signature) == placed
        rival = RedeemOrder(ALICE.address, GRAIN, (Lot(lab.lot(VOLUNTEER), 100),), 5, until)
        with pytest.raises(NonceTaken):
            desk.accept_redeem(session, rival, ALICE.sign_digest(rival.digest(domain)))
        assert desk.next_nonce(session, ALICE.address, lab.lot(VOLUNTEER)) == 0
    lab.gateway.run_until_idle()
    with lab.database.read() as session:
        found = desk.status(session, placed.order_id)
        assert found is not None
        assert (found.state, found.amount_out_minor) == (OrderState.ACCEPTED, 400)


def test_a_rejected_order_says_why_and_sinks_no_neighbour(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    fund(lab)
    desk, domain, until = lab.gateway.desk, lab.deployment.domain(), lab.clock.timestamp() + 60
    greedy = ExchangeOrder(ALICE.address, lab.lot(VOLUNTEER), 200_000, ENVIRONMENTAL, 1, 0, until)
    modest = ExchangeOrder(ALICE.address, lab.lot(VOLUNTEER), 200, ENVIRONMENTAL, 1, 1, until)
    with lab.database.transaction() as session:
        placed = [desk.accept_exchange(session, one, ALICE.sign_digest(one.digest(domain))) for one in (greedy, modest)]
    lab.gateway.run_until_idle()
    with lab.database.read() as session:
        first, second = (desk.status(session, one.order_id) for one in placed)
        assert first is not None
        assert second is not None
        assert (first.state, first.reason, first.is_final) == (OrderState.REJECTED, "insufficient", True)
        assert second.state is OrderState.ACCEPTED
        assert session.scalar(select(func.count()).where(OutboxTransactionRow.kind == "exchange")) == 1


def test_an_order_past_its_deadline_is_never_sent(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    fund(lab)
    with lab.database.transaction() as session:
        placed = lab.gateway.desk.place_redeem(session, ALICE, GRAIN, value_fen=10)
    lab.clock.set(lab.clock.now() + timedelta(hours=1))
    lab.gateway.run_until_idle()
    with lab.database.read() as session:
        found = lab.gateway.desk.status(session, placed.order_id)
        assert found is not None
        assert found.state is OrderState.EXPIRED


def test_a_mint_beyond_the_funding_waits_and_lands_when_money_arrives(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    with lab.database.read() as session:
        lab.gateway.indexer.run_until_idle()
    with lab.database.read() as session:
        room = next(one.room_minor for one in views.funding(session) if one.programme == CULTURE)
    fits = lab.enqueue_mint(CULTURE, [(ALICE.address, room - 1_000)], 1)
    beyond = lab.enqueue_mint(CULTURE, [(BOB.address, 1_001)], 2)
    lab.gateway.run_until_idle()
    assert status(lab, fits)[0] is MessageState.DONE
    state, reason = status(lab, beyond)
    assert state is MessageState.WAITING_FUNDING
    assert reason is not None
    assert reason.startswith("PointsLedgerFundingExceeded(")
    with lab.database.read() as session:
        waiting = lab.gateway.outbox.in_state(session, MessageState.WAITING_FUNDING, "mint")
        assert [one.dedupe_key for one in waiting] == [beyond]
    _record_appropriation(lab, CULTURE, 2027, 100_000)
    with lab.database.transaction() as session:
        assert lab.gateway.outbox.requeue_waiting(session, "mint", "mint:4:") == 1
    lab.gateway.run_until_idle()
    assert status(lab, beyond)[0] is MessageState.DONE
    assert lab.gateway.check_projection().is_equal


def test_a_batch_landed_by_another_gateway_is_done(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    calldata = lab.mint_calldata(VOLUNTEER, [(ALICE.address, 5)], 1, QUARTER)
    with lab.database.transaction() as session:
        for name in ("here", "there"):
            lab.gateway.outbox.enqueue_call(
                session, "mint", name, lab.deployment.address("PointsLedger"), calldata, 10**6
            )
    lab.gateway.run_until_idle()
    assert {status(lab, name)[0] for name in ("here", "there")} == {MessageState.DONE}
    assert balance(lab, ALICE.address, lab.lot(VOLUNTEER, QUARTER)) == 5


def test_a_call_that_reverts_fails_with_the_contracts_words(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    calldata = lab.mint_calldata(VOLUNTEER, [(ALICE.address, 5)], 1, QUARTER)[:-96] + bytes(96)
    with lab.database.transaction() as session:
        lab.gateway.outbox.enqueue_call(session, "mint", "bad", lab.deployment.address("PointsLedger"), calldata, 10**6)
    lab.gateway.run_until_idle()
    state, reason = status(lab, "bad")
    assert state is MessageState.FAILED
    assert reason is not None
    assert reason.startswith("PointsLedgerBadIssuer(")


def test_a_call_with_too_little_gas_is_sent_again_with_more(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    grants = [(key(f"holder {n}").address, 5) for n in range(20)]
    calldata = lab.mint_calldata(VOLUNTEER, grants, 1, QUARTER)
    with lab.database.transaction() as session:
        lab.gateway.outbox.enqueue_call(
            session, "mint", "hungry", lab.deployment.address("PointsLedger"), calldata, 150_000
        )
    lab.gateway.run_until_idle()
    assert status(lab, "hungry")[0] is MessageState.DONE


def test_bytes_that_no_node_accepts_free_their_nonce(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    with lab.database.transaction() as session:
        lab.gateway.outbox.enqueue_call(
            session, "mint", "tiny", lab.deployment.address("PointsLedger"), b"x" * 100, 21_000
        )
    after = lab.enqueue_mint(VOLUNTEER, [(ALICE.address, 5)], 1)
    lab.gateway.run_until_idle()
    assert status(lab, "tiny")[0] is MessageState.FAILED
    assert status(lab, after)[0] is MessageState.DONE
    with lab.database.read() as session:
        states = session.scalars(select(OutboxTransactionRow.state)).all()
    assert sorted(states) == ["mined", "mined", "replaced"]


def test_what_waits_longest_goes_first_and_all_of_it_goes(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    keys = [lab.enqueue_mint(VOLUNTEER, [(ALICE.address, 1)], number) for number in range(1, 90)]
    lab.gateway.run_until_idle()
    assert {status(lab, one)[0] for one in keys} == {MessageState.DONE}
    assert balance(lab, ALICE.address, lab.lot(VOLUNTEER)) == 89


def test_reindexing_gives_the_same_tables(lab: GatewayLab) -> None:
    fund(lab)
    with lab.database.transaction() as session:
        lab.gateway.desk.place_exchange(session, ALICE, VOLUNTEER, ENVIRONMENTAL, 10_000)
        lab.gateway.desk.place_hold(
            session, ALICE, GRAIN, capture_by=lab.clock.timestamp() + 9, is_cancellable=False, value_fen=50
        )
    lab.gateway.run_until_idle()
    before = dump(lab)
    lab.gateway.indexer.reindex()
    assert dump(lab) == before


def test_rolling_back_gives_the_tables_of_then(lab: GatewayLab) -> None:
    fund(lab)
    before, height = dump(lab), lab.gateway.indexer.cursor().block_number
    with lab.database.transaction() as session:
        lab.gateway.desk.place_exchange(session, ALICE, VOLUNTEER, ENVIRONMENTAL, 10_000)
        lab.gateway.desk.place_redeem(session, ALICE, GRAIN, value_fen=777)
        lab.gateway.desk.place_hold(
            session, ALICE, GRAIN, capture_by=lab.clock.timestamp() + 9, is_cancellable=False, value_fen=50
        )
    _record_appropriation(lab, CULTURE, 2027, 5)
    assert dump(lab) != before
    with lab.database.transaction() as session:
        projector.roll_back(session, height)
    after = dump(lab)
    for table in ("projection_cursor", "projected_blocks"):
        before.pop(table)
        after.pop(table)
    # Sums that went back to nothing stay as rows of 0.
    for rows in (before, after):
        rows["balances"] = [row for row in rows["balances"] if row[2]]
        rows["supplies"] = [row for row in rows["supplies"] if row[2] or row[3]]
        rows["flows"] = [row for row in rows["flows"] if row[2] or row[3]]
    assert after == before


def test_a_row_changed_by_hand_is_found(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    fund(lab)
    with lab.database.transaction() as session:
        session.get_one(BalanceRow, (bytes.fromhex(ALICE.address[2:]), lab.lot(VOLUNTEER))).amount_minor += 1
    check = lab.gateway.check_projection()
    assert [one.what.split(" of ")[0] for one in check.differences] == ["sum", "balance"]


def test_a_position_that_its_changes_do_not_lead_to_stops_the_indexer(sqlite_lab: GatewayLab) -> None:
    lab = sqlite_lab
    fund(lab)
    for tampered in (0, 1):
        with lab.database.transaction() as session:
            lab.gateway.desk.place_exchange(session, ALICE, VOLUNTEER, ENVIRONMENTAL, 1_000)
            for row in session.scalars(select(PositionRow)):
                row.position_fen += tampered
        if not tampered:
            lab.gateway.run_until_idle()
    lab.gateway.sender.step()
    lab.engine.produce()
    with pytest.raises(ProjectionBroken, match="do not lead"):
        lab.gateway.indexer.run_until_idle()


def test_threads_do_the_same(lab: GatewayLab) -> None:
    lab.gateway.start()
    keys = [lab.enqueue_mint(VOLUNTEER, [(ALICE.address, 10)], number) for number in range(1, 6)]
    lab.gateway.wake()
    eventually(
        lambda: balance(lab, ALICE.address, lab.lot(VOLUNTEER)), lambda minor: minor == 50, context=lab.gateway.health
    )
    health = lab.gateway.health()
    assert (health.is_running, health.alarms) == (True, ())
    lab.gateway.stop()
    assert {status(lab, one)[0] for one in keys} == {MessageState.DONE}


def test_under_load_blocks_are_fewer_and_fuller(lab: GatewayLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a block that took long, work gathers for twice that time."""
    made: list[tuple[float, float]] = []
    produce = lab.engine.produce

    def slowly() -> int:
        began = time.monotonic()
        blocks = produce()
        if blocks:
            time.sleep(0.2)
        made.append((began, time.monotonic()))
        return blocks

    monkeypatch.setattr(lab.engine, "produce", slowly)
    lab.gateway.start()
    keys = []
    for number in range(1, 9):
        keys.append(lab.enqueue_mint(VOLUNTEER, [(ALICE.address, 5)], number))
        lab.gateway.wake()
        time.sleep(0.1)
    eventually(lambda: {status(lab, key)[0] for key in keys}, lambda states: states == {MessageState.DONE})
    lab.gateway.stop()
    long = [at for at, (began, ended) in enumerate(made) if ended - began >= 0.2]
    assert len(long) < len(keys)
    assert all(made[at + 1][0] - made[at][1] >= 0.4 for at in long if at + 1 < len(made))


def test_a_gateway_that_stops_leaves_its_relayers_to_the_next(lab: GatewayLab) -> None:
    """Another owner need not wait for leases to end; and a gateway that never ran gives nothing up."""
    relayers = [key("relayer"), key("relayer two")]
    first, second, idle = (
        Gateway(lab.database, lab.engine, lab.deployment, relayers, lab.clock, owner=owner, poll_s=0.01)
        for owner in ("first", "second", "idle")
    )
    first.start()
    eventually(lambda: owners(lab), lambda found: found == {"first"})
    idle.stop()
    second.step()
    assert owners(lab) == {"first"}, "a living gateway keeps what it leased"
    first.stop()
    assert owners(lab) == {None}
    second.step()
    assert owners(lab) == {"second"}


@pytest.mark.parametrize(("ahead_s", "owner"), [(25, "dead"), (6_040, None)])
def test_a_lease_that_was_taken_under_a_wrong_clock_binds_nobody(
    lab: GatewayLab, ahead_s: int, owner: str | None
) -> None:
    """A clock set two hours ahead and right again must not keep everybody from sending for two hours."""
    lab.gateway.step()
    with lab.database.transaction() as session:
        session.execute(update(RelayerRow).values(lease_owner="dead", leased_until=lab.clock.timestamp() + ahead_s))
    keys = [key("relayer 0"), key("relayer 1")]
    other = Gateway(lab.database, lab.engine, lab.deployment, keys, lab.clock, owner="living")
    one = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    other.run_until_idle() if owner is None else other.step()
    assert owners(lab) == {owner or "living"}
    assert (status(lab, one)[0] is MessageState.DONE) == (owner is None)


def test_a_message_that_was_put_off_under_a_wrong_clock_is_sent(lab: GatewayLab) -> None:
    near, far = lab.enqueue_mint(1, [(ALICE.address, 5)], 1), lab.enqueue_mint(1, [(ALICE.address, 5)], 2)
    with lab.database.transaction() as session:
        for one, ahead_s in ((near, 50), (far, 7_200)):
            put_off = lab.clock.timestamp() + ahead_s
            session.execute(
                update(OutboxMessageRow).where(OutboxMessageRow.dedupe_key == one).values(not_before=put_off)
            )
    lab.gateway.run_until_idle()
    assert [status(lab, one)[0] for one in (near, far)] == [MessageState.QUEUED, MessageState.DONE]


def owners(lab: GatewayLab) -> set[str | None]:
    with lab.database.read() as session:
        return set(session.scalars(select(RelayerRow.lease_owner)))


def _record_appropriation(lab: GatewayLab, programme: int, year: int, fen: int) -> None:
    """The finance bureau's own transaction, which passes through no outbox."""
    from ledger.chain.transactions import sign_legacy

    data = artifacts.call_data("ClearingBook", "recordAppropriation", [programme, year, fen, bytes(32)])
    finance = key("finance")
    nonce = int(lab.engine.rpc.call("eth_getTransactionCount", [finance.address, "latest"]), 16)
    raw, _ = sign_legacy(finance, lab.engine.chain_id, nonce, lab.deployment.address("ClearingBook"), data, 500_000)
    (outcome,) = lab.engine.submit([raw])
    if not outcome.in_pool:
        raise TongduiError(outcome.message)
    lab.gateway.run_until_idle()


def dump(lab: GatewayLab) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the projection."""
    names = {table_of(row).name for row in projector.TABLES}
    with lab.database.read() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(table.select())), key=repr)
            for table in Base.metadata.sorted_tables
            if table.name in names
        }
