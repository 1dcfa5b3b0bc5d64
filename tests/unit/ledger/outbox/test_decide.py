"""The sender's decisions, each case by its name."""

from __future__ import annotations

import pytest

from ledger.chain.rpc import RpcReason
from ledger.outbox import decide
from ledger.outbox.decide import AfterSubmit, InFlight, Limit, Queued, Receipt, RelayerLoad, TransactionOutcome
from ledger.outbox.errors import UnknownKind
from ledger.outbox.routes import GAS_MAX, ORDERS_MAX, Routes, mint_gas

EXCHANGE, REDEMPTION, ISSUANCE = b"x" * 20, b"r" * 20, b"i" * 20
A, B = b"\x01" * 20, b"\x02" * 20
ROUTES = Routes.of(EXCHANGE, REDEMPTION)
MANY = Limit(in_flight=16, gas=10**9)


def exchange(message_id: int, *, deadline: int | None = None, attempts: int = 0, signature: int = 65) -> Queued:
    packed = bytes([message_id % 256]) * 57 + signature.to_bytes(2, "big") + b"s" * signature
    return Queued(message_id, "exchange", True, None, packed, 0, deadline, attempts)


def redeem(message_id: int, lots: int) -> Queued:
    packed = b"h" * 33 + bytes([lots]) + b"l" * 16 * lots + (65).to_bytes(2, "big") + b"s" * 65
    return Queued(message_id, "redeem", True, None, packed, 0, None, 0)


def mint(message_id: int, gas: int = 10_000_000) -> Queued:
    return Queued(message_id, "mint", False, ISSUANCE, b"data", gas, None, 0)


def load(address: bytes = A, in_flight: int = 0, next_nonce: int = 7) -> RelayerLoad:
    return RelayerLoad(address, next_nonce, in_flight)


# planning


def test_orders_of_a_kind_share_a_call_and_go_before_calls() -> None:
    planned = decide.plan([mint(1), exchange(2), redeem(3, 1), exchange(4)], [load()], ROUTES, 0, MANY).transactions
    assert [(one.kind, one.message_ids, one.nonce) for one in planned] == [
        ("exchange", (2, 4), 7),
        ("redeem", (3,), 8),
        ("mint", (1,), 9),
    ]
    assert [one.target for one in planned] == [EXCHANGE, REDEMPTION, ISSUANCE]


def test_the_calldata_is_what_solidity_encodes() -> None:
    from eth_abi.abi import encode

    first, second = exchange(1), exchange(2)
    (planned,) = decide.plan([first, second], [load()], ROUTES, 0, MANY).transactions
    assert planned.data[4:] == encode(["bytes"], [first.payload + second.payload])


def test_a_call_has_at_most_so_many_orders_and_so_much_gas() -> None:
    planned = decide.plan([exchange(n) for n in range(300)], [load()], ROUTES, 0, MANY).transactions
    assert sum(len(one.message_ids) for one in planned) == 300
    assert all(len(one.message_ids) <= ORDERS_MAX and one.gas <= GAS_MAX for one in planned)
    planned = decide.plan([redeem(n, 16) for n in range(100)], [load()], ROUTES, 0, MANY).transactions
    assert len(planned) > 3


def test_a_contract_wallet_gets_gas_for_its_check() -> None:
    plain, wallet = exchange(1), exchange(1, signature=130)
    assert ROUTES.order_gas("exchange", wallet.payload) > ROUTES.order_gas("exchange", plain.payload) + 100_000


def test_the_least_loaded_relayer_takes_the_next_call() -> None:
    planned = decide.plan([mint(n) for n in range(3)], [load(A, 2), load(B, 1, 0)], ROUTES, 0, MANY).transactions
    assert [(one.relayer, one.nonce) for one in planned] == [(B, 0), (A, 7), (B, 1)]


def test_what_only_an_office_may_send_goes_by_its_key_which_sends_nothing_else() -> None:
    bureau = b"\x0f" * 20
    funding = Queued(9, "appropriation", False, ISSUANCE, b"data", 300_000, None, 0)
    loads = [load(A, 3), load(bureau, 0, 4)]
    planned = decide.plan_by_office([mint(1), funding, mint(2)], loads, {"appropriation": bureau}, ROUTES, 0, MANY)
    assert [(one.relayer, one.nonce, one.message_ids) for one in planned.transactions] == [
        (A, 7, (1,)),
        (A, 8, (2,)),
        (bureau, 4, (9,)),
    ]
    elsewhere = decide.plan_by_office([mint(1), funding], [load(A)], {"appropriation": bureau}, ROUTES, 0, MANY)
    assert [one.message_ids for one in elsewhere.transactions] == [(1,)], "another gateway has leased the bureau's key"


def test_nothing_is_planned_beyond_the_limit_in_flight() -> None:
    assert len(decide.plan([mint(n) for n in range(9)], [load(A, 14)], ROUTES, 0, MANY).transactions) == 2
    assert decide.plan([mint(1)], [], ROUTES, 0, MANY).transactions == ()


def test_nothing_is_planned_beyond_the_gas_that_may_be_under_way() -> None:
    queued = [mint(n, gas=10_000_000) for n in range(9)]
    plan = decide.plan(queued, [load(A), load(B)], ROUTES, 0, Limit(16, 39_999_999))
    assert (len(plan.transactions), plan.is_held_back) == (3, True)
    plan = decide.plan(queued, [load(A)], ROUTES, 0, Limit(2, 10**9))
    assert (len(plan.transactions), plan.is_held_back) == (2, False), "it was the count that held it back"


def test_an_order_past_its_deadline_is_not_sent() -> None:
    planned = decide.plan([exchange(1, deadline=99), exchange(2, deadline=100)], [load()], ROUTES, 100, MANY)
    assert planned.expired == (1,)
    assert planned.transactions[0].message_ids == (2,)


def test_an_order_of_a_reverted_call_travels_alone() -> None:
    planned = decide.plan([exchange(1), exchange(2, attempts=1), exchange(3)], [load()], ROUTES, 0, MANY).transactions
    assert sorted(one.message_ids for one in planned) == [(1, 3), (2,)]


def test_an_order_of_an_unknown_kind_stops_the_sender() -> None:
    with pytest.raises(UnknownKind):
        decide.plan([Queued(1, "barter", True, None, b"", 0, None, 0)], [load()], ROUTES, 0, MANY)


def test_the_gas_of_a_full_batch_fits_a_transaction() -> None:
    assert mint_gas(500) < GAS_MAX


# submission


def test_every_reason_has_a_decision() -> None:
    assert {decide.after_submit(reason) for reason in RpcReason} == set(AfterSubmit)


@pytest.mark.parametrize(
    ("reason", "decision"),
    [
        (None, AfterSubmit.WAIT),
        (RpcReason.ALREADY_KNOWN, AfterSubmit.WAIT),
        (RpcReason.NONCE_TOO_LOW, AfterSubmit.WAIT),
        (RpcReason.NONCE_GAP, AfterSubmit.RETRY),
        (RpcReason.POOL_FULL, AfterSubmit.RETRY),
        (RpcReason.UNDERPRICED, AfterSubmit.RETRY),
        (RpcReason.UNREACHABLE, AfterSubmit.RETRY),
        (RpcReason.NOT_PERMITTED, AfterSubmit.RETRY_WITH_ALARM),
        (RpcReason.UNKNOWN, AfterSubmit.RETRY_WITH_ALARM),
        (RpcReason.GAS_TOO_HIGH, AfterSubmit.ABANDON),
        (RpcReason.INVALID_TRANSACTION, AfterSubmit.ABANDON),
    ],
)
def test_what_a_node_answers_decides_what_is_done(reason: RpcReason | None, decision: AfterSubmit) -> None:
    assert decide.after_submit(reason) is decision


# outcomes


def in_flight(*, nonce: int = 5, unseen_s: float = 0.0, attempts: int = 1) -> InFlight:
    return InFlight(1, A, nonce, unseen_s, attempts)


def receipt(block: int, *, succeeded: bool = True) -> Receipt:
    return Receipt(block, succeeded, 21_000)


def test_a_receipt_in_a_final_block_is_the_outcome() -> None:
    assert decide.transaction_outcome(in_flight(), receipt(10), 10, {A: 6}, 5) is TransactionOutcome.MINED
    assert (
        decide.transaction_outcome(in_flight(), receipt(10, succeeded=False), 10, {A: 6}, 5)
        is TransactionOutcome.REVERTED
    )


def test_a_receipt_in_a_block_that_is_not_final_is_no_outcome() -> None:
    assert decide.transaction_outcome(in_flight(unseen_s=1e9), receipt(11), 10, {A: 5}, 5) is TransactionOutcome.OPEN


def test_a_used_nonce_without_a_receipt_was_used_by_another() -> None:
    assert decide.transaction_outcome(in_flight(nonce=5), None, 10, {A: 6}, 5) is TransactionOutcome.REPLACED
    assert decide.transaction_outcome(in_flight(nonce=5), None, 10, {A: 5}, 5) is TransactionOutcome.OPEN


def test_what_is_unseen_is_handed_in_again_less_and_less_often() -> None:
    assert decide.transaction_outcome(in_flight(unseen_s=4.9), None, 10, {}, 5) is TransactionOutcome.OPEN
    assert decide.transaction_outcome(in_flight(unseen_s=5), None, 10, {}, 5) is TransactionOutcome.RESUBMIT
    assert decide.transaction_outcome(in_flight(unseen_s=9, attempts=2), None, 10, {}, 5) is TransactionOutcome.OPEN
    assert (
        decide.transaction_outcome(in_flight(unseen_s=10, attempts=2), None, 10, {}, 5) is TransactionOutcome.RESUBMIT
    )
    assert (
        decide.transaction_outcome(in_flight(unseen_s=320, attempts=99), None, 10, {}, 5) is TransactionOutcome.RESUBMIT
    )


# reverts


def test_a_mint_beyond_the_funding_waits_for_funding() -> None:
    verdict = decide.after_revert(
        "mint", False, "PointsLedgerFundingExceeded(programme=1, neededFen=9, availableFen=8)", False, 1, 10**7, 0
    )
    assert (verdict.state, verdict.reason.split("(")[0]) == ("waiting_funding", "PointsLedgerFundingExceeded")


def test_a_mint_beyond_the_days_ceiling_is_asked_again_within_the_hour_and_by_the_next_day() -> None:
    error = "PointsLedgerCeilingExceeded(programme=1, fen=9, ceilingFen=8)"
    midnight = 16 * 3_600  # in UTC+8
    for now, not_before in ((0, decide.CEILING_RETRY_S), (midnight - 60, midnight)):
        verdict = decide.after_revert("mint", False, error, False, 1, 10**7, now)
        assert (verdict.state, verdict.reason, verdict.not_before) == ("queued", error, not_before)


def test_a_batch_that_another_gateway_relayed_is_done() -> None:
    assert (
        decide.after_revert("mint", False, "PointsLedgerBatchLanded(programme=1)", False, 1, 10**7, 0).state == "done"
    )


def test_a_void_is_done_when_the_number_is_void_and_fails_when_the_batch_landed_first() -> None:
    void = decide.after_revert("void", False, "PointsLedgerBatchVoid(programme=1, number=2)", False, 1, 10**7, 0)
    assert void.state == "done"
    landed = decide.after_revert("void", False, "PointsLedgerBatchLanded(programme=1)", False, 1, 10**7, 0)
    assert landed.state == "failed"


def test_a_paused_module_is_asked_again_later() -> None:
    verdict = decide.after_revert("hold", True, "PausableIsPaused(until=5)", False, 1, 10**7, 100)
    assert verdict.state == "queued"
    assert verdict.not_before > 100


def test_a_call_without_enough_gas_gets_more_until_there_is_no_more() -> None:
    verdict = decide.after_revert("mint", False, None, True, 1, 1_000_000, 0)
    assert (verdict.state, verdict.gas) == ("queued", 2_000_000)
    assert decide.after_revert("mint", False, None, True, 1, GAS_MAX, 0).state == "failed"


def test_a_call_that_the_contract_refuses_fails_with_its_words() -> None:
    verdict = decide.after_revert("mint", False, "PointsLedgerBatchVoid(programme=1, number=2)", False, 1, 10**7, 0)
    assert (verdict.state, verdict.reason) == ("failed", "PointsLedgerBatchVoid(programme=1, number=2)")


def test_an_order_of_a_reverted_call_is_tried_alone_and_not_for_ever() -> None:
    assert decide.after_revert("hold", True, "Panic(17)", False, 1, 0, 0).state == "queued"
    assert decide.after_revert("hold", True, "Panic(17)", False, decide.ATTEMPTS_MAX, 0, 0).state == "failed"
