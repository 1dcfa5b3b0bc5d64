"""Logs to changes: kinds, sums, and what stops the indexer."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import InvariantViolation
from ledger.indexer import decode as decoding
from ledger.indexer.decode import TRANSFER, Changes, Contracts, Decoder, Header, decode
from ledger.indexer.errors import InconsistentAnswer, MalformedLog, Undecodable, UnknownEvent
from ledger.indexer.indexer import contracts_of
from ledger.standard.keccak import keccak256
from ledger.standard.typed_data import Lot, lots_hash

NAMES = ("PointsLedger", "ClearingBook", "Succession", "Exchange", "Redemption")
ADDRESSES = {name: "0x" + keccak256(name.encode())[12:].hex() for name in NAMES}
LEDGER = bytes.fromhex(ADDRESSES["PointsLedger"][2:])
ALICE, BOB = b"\xaa" * 20, b"\xbb" * 20
LOT = 1 << 32 | 108
ORDER = keccak256(b"order")
PAYMENT = keccak256(b"payment")
SHOP = 2 << 32 | 3
HEADERS = [
    Header(number, keccak256(b"%d" % number), keccak256(b"%d" % (number - 1)), 1_000 + number) for number in range(5)
]


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    return contracts_of(ADDRESSES)


def topic(contracts: Contracts, contract: str, event: str) -> str:
    return next(one for one, name in contracts.events[contract].items() if name == event)


class Log:
    """Builds logs in order, as eth_getLogs gives them."""

    def __init__(self, contracts: Contracts) -> None:
        self.contracts = contracts
        self.logs: list[dict[str, Any]] = []
        self.block = 1
        self.transaction = 0

    def emit(self, contract: str, event: str, topics: list[bytes | int], words: list[int]) -> Log:
        indexed = ["0x" + (one.rjust(32, b"\0") if isinstance(one, bytes) else one.to_bytes(32, "big")).hex()
                   for one in topics]  # fmt: skip
        first = TRANSFER if event == "Transfer" else topic(self.contracts, contract, event)
        self.logs.append(
            {
                "address": ADDRESSES[contract],
                "topics": [first, *indexed],
                "data": "0x" + b"".join((word % (1 << 256)).to_bytes(32, "big") for word in words).hex(),
                "blockNumber": hex(self.block),
                "blockHash": "0x" + HEADERS[self.block].hash.hex(),
                "logIndex": hex(len(self.logs)),
                "transactionHash": "0x" + keccak256(b"tx%d" % self.transaction).hex(),
            }
        )
        return self

    def transfer(self, sender: bytes, receiver: bytes, amount: int, lot: int = LOT) -> Log:
        return self.emit("PointsLedger", "Transfer", [sender, receiver, lot], [7, amount])

    def next(self) -> Log:
        self.transaction += 1
        return self

    def decode(self) -> Changes:
        return Decoder(self.contracts, HEADERS).decode(self.logs)


NOBODY = b"\0" * 20


def kinds(changes: Changes) -> list[tuple[bytes, int, str]]:
    return [(entry[3], entry[5], entry[6]) for entry in changes.entries]


def test_a_mint_is_named_by_its_batch(contracts: Contracts) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 5).transfer(NOBODY, BOB, 7).transfer(NOBODY, ALICE, 1)
    changes = log.emit("PointsLedger", "BatchMinted", [1, 9], [108, 4, 3, 13, 6, 8]).decode()
    assert kinds(changes) == [(ALICE, 5, "mint"), (BOB, 7, "mint"), (ALICE, 1, "mint")]
    assert changes.balances == {(ALICE, LOT): 6, (BOB, LOT): 7}
    assert changes.supplies == {LOT: [13, 0]}
    assert changes.flows == {(1, "mint"): [13, 3]}
    assert changes.batches[0][:7] == (1, 9, "landed", 108, (4).to_bytes(32, "big"), 3, 13)
    assert changes.batches[0][7:9] == ((6).to_bytes(20, "big"), (8).to_bytes(32, "big"))
    assert changes.entries[0][7] == (1).to_bytes(4, "big") + (9).to_bytes(8, "big")


@pytest.mark.parametrize("number", [0, 2**63 - 1, 2**63, 2**64 - 1])
def test_every_batch_number_fits_its_column_and_is_another(contracts: Contracts, number: int) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 13)
    changes = log.emit("PointsLedger", "BatchMinted", [1, number], [108, 4, 1, 13, 6, 8]).decode()
    stored = changes.batches[0][1]
    assert -(2**63) <= stored < 2**63
    assert stored % 2**64 == number


def test_a_mint_with_a_transfer_missing_is_asked_for_again(contracts: Contracts) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 5)
    with pytest.raises(InconsistentAnswer, match="2 grants"):
        log.emit("PointsLedger", "BatchMinted", [1, 9], [108, 4, 2, 12, 6, 8]).decode()


def test_an_exchange_goes_out_and_comes_in(contracts: Contracts) -> None:
    other = 2 << 32 | 108
    log = Log(contracts).transfer(ALICE, NOBODY, 5).transfer(NOBODY, ALICE, 20, other)
    changes = log.emit("Exchange", "Exchanged", [ORDER, ALICE], [1]).decode()
    assert kinds(changes) == [(ALICE, -5, "exchange_out"), (ALICE, 20, "exchange_in")]
    assert changes.outcomes[0][2:12] == (ORDER, "exchange", 0, ALICE, None, LOT, 5, other, 20, 1)
    assert changes.supplies == {LOT: [-5, 0], other: [20, 0]}


def test_an_exchange_with_a_transfer_missing_is_asked_for_again(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, NOBODY, 5)
    with pytest.raises(InconsistentAnswer, match="1 transfers"):
        log.emit("Exchange", "Exchanged", [ORDER, ALICE], [1]).decode()


def kept(lots: int, last: int) -> int:
    return lots << 64 | last


def lots_word(*amounts: int) -> int:
    return int.from_bytes(lots_hash([Lot(LOT, amount) for amount in amounts]), "big")


def test_two_orders_in_one_call_do_not_mix(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, NOBODY, 5).emit("Redemption", "Redeemed", [ORDER, 3], [1, lots_word(5)])
    log.transfer(BOB, NOBODY, 6).emit("Redemption", "Redeemed", [keccak256(b"2"), 3], [1, lots_word(6)])
    changes = log.decode()
    assert [entry[7] for entry in changes.entries] == [ORDER, keccak256(b"2")]
    assert [(row[3], row[5], row[6], row[12:14]) for row in changes.outcomes] == [
        ("redeem", ALICE, 3, (1, 5)),
        ("redeem", BOB, 3, (1, 6)),
    ]


def test_a_payment_with_a_transfer_missing_is_asked_for_again(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, NOBODY, 5).emit("Redemption", "Redeemed", [ORDER, 3], [1, lots_word(5, 6)])
    with pytest.raises(InconsistentAnswer, match="not its lots"):
        log.decode()


def test_a_rejection_moves_nothing(contracts: Contracts) -> None:
    changes = Log(contracts).emit("Exchange", "Rejected", [ORDER, ALICE], [8]).decode()
    assert changes.outcomes[0][2:6] == (ORDER, "rejected", 8, ALICE)
    assert not changes.entries


def test_a_hold_is_escrow_and_no_change_of_supply(contracts: Contracts) -> None:
    changes = Log(contracts).transfer(ALICE, LEDGER, 5).emit("Redemption", "Held", [ORDER, 3], [9_999, 1]).decode()
    assert changes.supplies == {LOT: [0, 5]}
    hold = changes.holds_opened[ORDER]
    assert hold[:7] == [ORDER, ALICE, 3, LOT.to_bytes(8, "big") + (5).to_bytes(8, "big"), 9_999, True, "open"]
    assert changes.outcomes[0][2:7] == (ORDER, "hold", 0, ALICE, 3)


def test_a_hold_or_release_without_transfers_is_asked_for_again(contracts: Contracts) -> None:
    for event, words in (("Held", [9_999, 1]), ("Released", [])):
        with pytest.raises(InconsistentAnswer, match="without its transfers"):
            Log(contracts).emit("Redemption", event, [ORDER, 3], words).decode()


def test_a_capture_with_a_transfer_missing_is_asked_for_again(contracts: Contracts) -> None:
    log = Log(contracts).transfer(LEDGER, NOBODY, 3)
    with pytest.raises(InconsistentAnswer, match="2 lots has 1"):
        log.emit("Redemption", "Captured", [ORDER, 3], [60, kept(2, 3), 0]).decode()


def test_what_a_capture_does_not_keep_is_released(contracts: Contracts) -> None:
    log = Log(contracts).transfer(LEDGER, NOBODY, 3).transfer(LEDGER, ALICE, 2)
    changes = log.emit("Redemption", "Captured", [ORDER, 3], [60, kept(1, 3), 0]).decode()
    assert kinds(changes) == [(LEDGER, -3, "capture"), (ALICE, 2, "release"), (LEDGER, -2, "release")]
    assert changes.supplies == {LOT: [-3, -5]}
    assert changes.flows == {(1, "capture"): [3, 1], (1, "release"): [2, 1]}
    assert [(row[3], row[5], row[12:14]) for row in changes.outcomes] == [("capture", None, (1, 3))]
    assert changes.holds_closed == {ORDER: ("captured", 1, 3, 1)}


def test_a_release_says_who_received(contracts: Contracts) -> None:
    changes = Log(contracts).transfer(LEDGER, BOB, 5).emit("Redemption", "Released", [ORDER, 3], []).decode()
    assert kinds(changes) == [(BOB, 5, "release"), (LEDGER, -5, "release")]
    assert changes.outcomes[0][2:7] == (ORDER, "release", 0, BOB, 3)
    assert changes.holds_closed == {ORDER: ("released", 0, 0, 1)}


def test_what_is_owed_is_collected_of_what_a_release_brings_back(contracts: Contracts) -> None:
    log = Log(contracts).transfer(LEDGER, ALICE, 5).transfer(ALICE, NOBODY, 2)
    log.emit("PointsLedger", "OwedCollected", [ALICE, LOT, ALICE], [2])
    changes = log.emit("Redemption", "Released", [ORDER, 3], []).decode()
    assert sorted(changes.flows.items()) == [((1, "collect"), [2, 1]), ((1, "release"), [5, 1])]
    assert changes.balances == {(ALICE, LOT): 3, (LEDGER, LOT): -5}
    assert changes.collections[0][2:6] == (ALICE, LOT, ALICE, 2)


def test_a_revocation_burns_and_says_what_is_owed(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, NOBODY, 3)
    changes = log.emit("PointsLedger", "Revoked", [1, 9, ALICE], [4, 5, 7, 3, 2]).decode()
    assert kinds(changes) == [(ALICE, -3, "revoke")]
    assert changes.revocations[0][2:11] == (1, 9, 4, 0, ALICE, 5, 3, 2, 7)


def test_a_refund_says_what_is_kept_and_why_the_claim_fell(contracts: Contracts) -> None:
    log = Log(contracts).emit("ClearingBook", "PositionChanged", [SHOP], [-20, 40])
    log.emit("ClearingBook", "PositionChanged", [1 << 32 | 1], [20, -40])
    log.emit("PointsLedger", "LotReborn", [BOB, LOT, LOT + 1], [1])
    log.transfer(NOBODY, BOB, 1, LOT + 1).transfer(NOBODY, BOB, 1)
    changes = log.emit("Redemption", "Refunded", [ORDER, BOB, 3], [kept(1, 4), 20, 1]).decode()
    assert [kind for _, _, kind in kinds(changes)] == ["refund", "refund"]
    assert changes.outcomes[0][2:15] == (
        ORDER, "refund", 0, BOB, 3, None, None, None, None, 20, 1, 4, True,
    )  # fmt: skip
    assert [row[6:] for row in changes.position_changes] == [("refunded", ORDER), (None, None)]


def test_a_refund_of_other_fen_than_the_claim_lost_is_asked_for_again(contracts: Contracts) -> None:
    log = Log(contracts).emit("ClearingBook", "PositionChanged", [SHOP], [-20, 40]).transfer(NOBODY, BOB, 1)
    log.emit("Redemption", "Refunded", [ORDER, BOB, 3], [kept(1, 4), 21, 0])
    with pytest.raises(InconsistentAnswer, match="merchant 3"):
        log.decode()


def test_a_refund_of_no_fen_moves_no_claim(contracts: Contracts) -> None:
    log = Log(contracts).transfer(NOBODY, BOB, 1)
    changes = log.emit("Redemption", "Refunded", [ORDER, BOB, 3], [kept(1, 4), 0, 0]).decode()
    assert changes.position_changes == []


def test_a_payout_says_why_each_claim_fell(contracts: Contracts) -> None:
    log = Log(contracts)
    for merchant, fen in ((3, 20), (4, 30)):
        log.emit("ClearingBook", "PositionChanged", [2 << 32 | merchant], [-fen, 0])
        log.emit("ClearingBook", "PaidOut", [merchant, PAYMENT], [fen])
    changes = log.emit("ClearingBook", "PositionChanged", [3 << 32], [50, 0]).decode()
    assert [row[6:] for row in changes.position_changes] == [("paid_out", PAYMENT), ("paid_out", PAYMENT), (None, None)]
    assert [row[2:5] for row in changes.payouts] == [(3, 20, PAYMENT), (4, 30, PAYMENT)]


def test_appropriations_and_payments_say_the_amount_and_the_total(contracts: Contracts) -> None:
    log = Log(contracts).emit("ClearingBook", "AppropriationRecorded", [1, ORDER], [2026, 100, 100])
    log.emit("ClearingBook", "AppropriationLapsed", [1], [2026, 30, 70])
    log.emit("ClearingBook", "AppropriationReclaimed", [1, PAYMENT], [10, 60])
    changes = log.emit("ClearingBook", "Funded", [1, PAYMENT], [5, 25]).decode()
    assert [row[2:9] for row in changes.funding] == [
        (1, "recorded", 2026, 100, 100, ORDER, None),
        (1, "lapsed", 2026, 30, 70, None, None),
        (1, "reclaimed", 0, 10, 60, None, PAYMENT),
        (1, "paid", 0, 5, 25, None, PAYMENT),
    ]


def test_a_cycle_and_its_dues(contracts: Contracts) -> None:
    log = Log(contracts).emit("ClearingBook", "CycleOpened", [2], [50, 9_000])
    changes = log.emit("ClearingBook", "DueSet", [2, 1], [40, 10]).decode()
    assert (changes.cycles[0][:3], changes.dues[0][:4]) == ((2, 50, 9_000), (2, 1, 40, 10))


def test_a_lock_and_its_end(contracts: Contracts) -> None:
    log = Log(contracts).emit("ClearingBook", "OrderLocked", [ORDER, 3], [50, 9_000, 7])
    changes = log.emit("ClearingBook", "OrderUnlocked", [ORDER, 3], [50]).decode()
    assert [row[2:7] for row in changes.locks] == [
        (ORDER, 3, 50, 9_000, (7).to_bytes(32, "big")),
        (ORDER, 3, -50, None, None),
    ]


def test_a_transfer_by_itself_is_a_transfer_and_a_successor_inherits(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, BOB, 5).next()
    changes = log.emit("PointsLedger", "SuccessorSet", [ALICE, BOB], []).transfer(ALICE, BOB, 2).decode()
    assert [kind for _, _, kind in kinds(changes)] == ["transfer", "transfer", "succession", "succession"]
    assert changes.balances == {(BOB, LOT): 7, (ALICE, LOT): -7}
    assert changes.successors == [(ALICE, BOB, 1)]


def test_what_is_forwarded_later_is_inherited_too(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, BOB, 5).next().transfer(BOB, ALICE, 1)
    changes = decode(contracts, HEADERS, log.logs, {ALICE})
    assert [kind for _, _, kind in kinds(changes)] == ["succession", "succession", "transfer", "transfer"]


def test_negative_positions_are_read_as_such(contracts: Contracts) -> None:
    log = Log(contracts).emit("ClearingBook", "PositionChanged", [1 << 32 | 1], [-7, -9])
    changes = log.emit("ClearingBook", "PositionChanged", [1 << 32 | 1], [2, -7]).decode()
    assert changes.positions == {1 << 32 | 1: (-7, 1)}
    assert [row[3:5] for row in changes.position_changes] == [(-7, -9), (2, -7)]


def test_rare_events_are_kept_raw(contracts: Contracts) -> None:
    changes = Log(contracts).emit("PointsLedger", "IssuerKeySet", [1, ALICE], [0, 1]).decode()
    assert changes.events[0][2:4] == ("PointsLedger", "IssuerKeySet")


def test_an_unknown_event_of_ours_stops_the_indexer(contracts: Contracts) -> None:
    log = Log(contracts).emit("Exchange", "Rejected", [ORDER, ALICE], [8])
    log.logs[0]["topics"][0] = "0x" + "12" * 32
    with pytest.raises(UnknownEvent, match="Exchange"):
        log.decode()


def test_an_event_of_another_contract_of_ours_is_unknown_too(contracts: Contracts) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 1)
    log.logs[0]["address"] = ADDRESSES["Exchange"]
    with pytest.raises(UnknownEvent):
        log.decode()


def test_a_log_cut_short_stops_the_indexer(contracts: Contracts) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 1)
    log.logs[0]["data"] = log.logs[0]["data"][:-2]
    with pytest.raises(MalformedLog):
        log.decode()
    log = Log(contracts).emit("Exchange", "Rejected", [ORDER, ALICE], [8, 9])
    with pytest.raises(MalformedLog):
        log.decode()


def test_logs_of_another_block_hash_or_order_are_asked_for_again(contracts: Contracts) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 1)
    log.logs[0]["blockHash"] = "0x" + "00" * 32
    with pytest.raises(InconsistentAnswer):
        log.decode()
    log = Log(contracts).transfer(NOBODY, ALICE, 1).transfer(NOBODY, ALICE, 2)
    log.logs.reverse()
    with pytest.raises(InconsistentAnswer):
        log.decode()


def test_a_defect_of_ours_is_an_alarm_and_not_the_nodes_fault(
    contracts: Contracts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is retried for ever because of our own KeyError would never be seen by anybody."""

    def defect(_decoder: Decoder, _log: object, _block: int, _index: int) -> None:
        raise KeyError("a table of ours lacks this")

    monkeypatch.setitem(decoding._HANDLERS, "BatchVoided", defect)
    log = Log(contracts).emit("PointsLedger", "BatchVoided", [1, 9], [6])
    with pytest.raises(Undecodable, match=r"blocks 0 to 4.*KeyError") as caught:
        decode(contracts, HEADERS, log.logs)
    assert isinstance(caught.value, InvariantViolation)


@pytest.mark.parametrize(
    "change",
    [
        {"data": None},
        {"data": 7},
        {"topics": [TRANSFER, None, None, None]},
        {"topics": 5},
        {"address": 7},
        {"transactionHash": "0x1"},
        {"blockNumber": "one"},
        {"logIndex": None},
        {"blockHash": []},
    ],
    ids=str,
)
def test_a_log_without_the_shape_of_one_is_the_nodes_fault(contracts: Contracts, change: dict[str, Any]) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 5)
    for member, value in change.items():
        log.logs[0][member] = value
    with pytest.raises(InconsistentAnswer):
        decode(contracts, HEADERS, log.logs)


@pytest.mark.parametrize("member", ["address", "topics", "data", "blockNumber", "blockHash", "logIndex"])
def test_a_log_that_lacks_a_member_is_the_nodes_fault(contracts: Contracts, member: str) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 5)
    del log.logs[0][member]
    with pytest.raises(InconsistentAnswer):
        decode(contracts, HEADERS, log.logs)
