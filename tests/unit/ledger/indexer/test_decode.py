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

NAMES = ("PointsLedger", "ClearingBook", "Issuance", "Exchange", "Redemption")
ADDRESSES = {name: "0x" + keccak256(name.encode())[12:].hex() for name in NAMES}
LEDGER = bytes.fromhex(ADDRESSES["PointsLedger"][2:])
ALICE, BOB = b"\xaa" * 20, b"\xbb" * 20
LOT = 1 << 32 | 108
ORDER = keccak256(b"order")
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
    changes = log.emit("Issuance", "BatchMinted", [1, 9], [108, 4, 3, 13, 6]).decode()
    assert kinds(changes) == [(ALICE, 5, "mint"), (BOB, 7, "mint"), (ALICE, 1, "mint")]
    assert changes.balances == {(ALICE, LOT): 6, (BOB, LOT): 7}
    assert changes.supplies == {LOT: [13, 0]}
    assert changes.flows == {(1, "mint"): [13, 3]}
    assert changes.batches[0][:7] == (1, 9, "landed", 108, (4).to_bytes(32, "big"), 3, 13)
    assert changes.entries[0][7] == (1).to_bytes(4, "big") + (9).to_bytes(8, "big")


def test_a_mint_with_a_transfer_missing_is_asked_for_again(contracts: Contracts) -> None:
    log = Log(contracts).transfer(NOBODY, ALICE, 5)
    with pytest.raises(InconsistentAnswer, match="2 grants"):
        log.emit("Issuance", "BatchMinted", [1, 9], [108, 4, 2, 12, 6]).decode()


def test_an_exchange_goes_out_and_comes_in(contracts: Contracts) -> None:
    other = 2 << 32 | 108
    log = Log(contracts).transfer(ALICE, NOBODY, 5).transfer(NOBODY, ALICE, 20, other)
    changes = log.emit("Exchange", "Exchanged", [ORDER, ALICE], [LOT, 5, other, 20, 1]).decode()
    assert kinds(changes) == [(ALICE, -5, "exchange_out"), (ALICE, 20, "exchange_in")]
    assert changes.outcomes[0][2:12] == (ORDER, "exchange", 0, ALICE, None, LOT, 5, other, 20, 1)
    assert changes.supplies == {LOT: [-5, 0], other: [20, 0]}


def test_two_orders_in_one_call_do_not_mix(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, NOBODY, 5).emit("Redemption", "Redeemed", [ORDER, ALICE, 3], [1])
    changes = log.transfer(BOB, NOBODY, 6).emit("Redemption", "Redeemed", [keccak256(b"2"), BOB, 3], [1]).decode()
    assert [entry[7] for entry in changes.entries] == [ORDER, keccak256(b"2")]


def test_a_rejection_moves_nothing(contracts: Contracts) -> None:
    changes = Log(contracts).emit("Exchange", "Rejected", [ORDER, ALICE], [8]).decode()
    assert changes.outcomes[0][2:6] == (ORDER, "rejected", 8, ALICE)
    assert not changes.entries


def test_a_hold_is_escrow_and_no_change_of_supply(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, LEDGER, 5)
    log.emit("PointsLedger", "HoldOpened", [ORDER, ALICE], [32, 16, (LOT << 64 | 5) << 128])
    changes = log.emit("Redemption", "Held", [ORDER, ALICE, 3], [9_999, 1]).decode()
    assert changes.supplies == {LOT: [0, 5]}
    hold = changes.holds_opened[ORDER]
    assert hold[:7] == [ORDER, ALICE, 3, LOT.to_bytes(8, "big") + (5).to_bytes(8, "big"), 9_999, True, "open"]


def test_what_a_capture_does_not_keep_is_released(contracts: Contracts) -> None:
    log = Log(contracts).transfer(LEDGER, NOBODY, 3).transfer(LEDGER, ALICE, 2)
    log.emit("PointsLedger", "HoldClosed", [ORDER, ALICE], [1, 3])
    log.emit("Redemption", "Captured", [ORDER, 3], [1, 3, 60]).emit("Redemption", "Redeemed", [ORDER, ALICE, 3], [60])
    changes = log.decode()
    assert kinds(changes) == [(LEDGER, -3, "capture"), (ALICE, 2, "release"), (LEDGER, -2, "release")]
    assert changes.supplies == {LOT: [-3, -5]}
    assert changes.flows == {(1, "capture"): [3, 1], (1, "release"): [2, 1]}
    assert [row[3] for row in changes.outcomes] == ["capture"]
    assert changes.holds_closed == {ORDER: ("captured", 1, 3, 1)}


def test_a_lot_reborn_in_a_capture_is_no_redemption(contracts: Contracts) -> None:
    reborn = 1 << 32 | 110
    log = Log(contracts).transfer(LEDGER, NOBODY, 3)
    log.emit("PointsLedger", "LotReborn", [ALICE, LOT, reborn], [2])
    log.transfer(LEDGER, NOBODY, 2).transfer(NOBODY, ALICE, 2, reborn)
    log.emit("PointsLedger", "HoldClosed", [ORDER, ALICE], [1, 3])
    changes = log.decode()
    assert changes.flows == {(1, "capture"): [3, 1], (1, "release"): [2, 1]}
    assert changes.supplies == {LOT: [-5, -5], reborn: [2, 0]}


def test_a_revocation_burns_and_says_the_shortfall(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, NOBODY, 3)
    changes = log.emit("Issuance", "Revoked", [1, ORDER, ALICE], [LOT, 3, 2, 7]).decode()
    assert kinds(changes) == [(ALICE, -3, "revoke")]
    assert changes.revocations[0][2:9] == (1, ORDER, ALICE, LOT, 3, 2, 7)


def test_a_transfer_by_itself_is_a_transfer_and_a_succession_a_migration(contracts: Contracts) -> None:
    log = Log(contracts).transfer(ALICE, BOB, 5).next()
    changes = log.emit("PointsLedger", "SuccessorSet", [ALICE, BOB], []).transfer(ALICE, BOB, 2).decode()
    assert [kind for _, _, kind in kinds(changes)] == ["transfer", "transfer", "migrate", "migrate"]
    assert changes.balances == {(BOB, LOT): 7, (ALICE, LOT): -7}
    assert changes.successors == [(ALICE, BOB, 1)]


def test_negative_positions_are_read_as_such(contracts: Contracts) -> None:
    log = Log(contracts).emit("ClearingBook", "PositionChanged", [1 << 32 | 1], [-7, -9])
    changes = log.emit("ClearingBook", "PositionChanged", [1 << 32 | 1], [2, -7]).decode()
    assert changes.positions == {1 << 32 | 1: (-7, 1)}
    assert [row[3:5] for row in changes.position_changes] == [(-7, -9), (2, -7)]


def test_rare_events_are_kept_raw(contracts: Contracts) -> None:
    changes = Log(contracts).emit("PointsLedger", "IssuerKeySet", [1, ALICE], [1]).decode()
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
    log = Log(contracts).emit("Issuance", "BatchVoided", [1, 9], [])
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


def test_a_hold_whose_opening_is_missing_is_asked_for_again(contracts: Contracts) -> None:
    log = Log(contracts).emit("Redemption", "Held", [ORDER, ALICE, 7], [2_000, 1])
    with pytest.raises(InconsistentAnswer, match="HoldOpened"):
        decode(contracts, HEADERS, log.logs)
