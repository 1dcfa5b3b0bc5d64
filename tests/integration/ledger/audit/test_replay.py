"""The replay believes no event: drop, repeat or change any of a whole life's events and the audit notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ledger.audit import auditor as auditor_module
from ledger.audit import state
from ledger.audit.auditor import _Audit
from ledger.audit.cells import Cell, book_cells, ledger_cells
from ledger.audit.chain import read_blocks, read_logs
from ledger.audit.orders import OrdersByPlace, read_orders
from ledger.audit.replay import Replay
from ledger.audit.report import Contradicted
from ledger.proofs.events import Catalogue, Event
from ledger.proofs.layout import Layout
from tests.integration.ledger.audit.lab import Lab

# What nothing on chain repeats: the word of whoever signed or called, or of an order that had no effect.
UNCHECKABLE = {
    ("PointsLedger", "Transfer", "caller"),
    ("PointsLedger", "Approval", "amount"),
    ("PointsLedger", "MigrationRequested", "successor"),  # of one that was cancelled
    ("PointsLedger", "NonceCancelled", "id"),  # the quarters of a year share the word
    ("Issuance", "Revoked", "reason"),
    ("Exchange", "Rejected", "code"),
    ("Exchange", "Rejected", "holder"),
    ("Redemption", "Rejected", "code"),
    ("Redemption", "Rejected", "holder"),
    ("ClearingBook", "AppropriationRecorded", "documentHash"),
    ("Settlement", "Settled", "paymentReference"),
    ("Settlement", "Settled", "signer"),
}
# Their events say who may act; the audit looks at where they end, not at each step.
UNREPLAYED = ("AccessManager", "Council")
# Events whose contract keeps what they say in its own storage, which the audit does not compare.
UNCOMPARED = {
    ("Exchange", "Paused"),
    ("Exchange", "Unpaused"),
    ("Exchange", "ResidentCapSet"),
    ("Exchange", "InflowCapSet"),
    ("Settlement", "FinanceKeySet"),
    ("Disputes", "Contested"),
    *((contract, "AuthorityUpdated") for contract in ("PointsLedger", "ClearingBook")),
    *((module, "AuthorityUpdated") for module in ("Issuance", "Exchange", "Redemption", "Disputes", "Settlement")),
}


@dataclass
class Record:
    """The life as the auditor reads it, and what storage holds at its end."""

    events: list[tuple[Event, int]]
    words: dict[str, dict[int, int]]
    ledger: bytes
    authority: bytes
    orders: OrdersByPlace

    def run(self, events: list[tuple[Event, int]]) -> None:
        """Replay ``events`` and compare with storage. Raises Contradicted."""
        replay = Replay(self.ledger)
        replay.expect(self.orders)
        for event, time in events:
            replay.apply(event, time)
        replay.finish()
        cells: list[tuple[str, list[Cell]]] = [
            (
                "PointsLedger",
                list(ledger_cells(replay.books, Layout.load("PointsLedger"), self.authority)),
            ),
            ("ClearingBook", list(book_cells(replay.books, Layout.load("ClearingBook"), self.authority))),
        ]
        for contract, listed in cells:
            seen = set()
            for cell in listed:
                word = self.words[contract].get(cell.slot, 0)
                if word & cell.mask != cell.value & cell.mask:
                    raise Contradicted(cell.what, contract, cell.value, word)
                seen.add(cell.slot)
            missing = [slot for slot, word in self.words[contract].items() if word and slot not in seen]
            texts = {slot for cell in listed if cell.is_text for slot in _text(cell, self.words[contract])}
            if set(missing) - texts:
                raise Contradicted("unexplained word", contract, "none", missing[0])


def _text(cell: Cell, words: dict[int, int]) -> list[int]:
    return state._text_slots(cell.slot, words.get(cell.slot, 0))


@pytest.fixture(scope="module")
def record(lab: Lab) -> Record:
    rpc = lab.engine.rpc
    height = int(rpc.call("eth_blockNumber"), 16)
    blocks = read_blocks(rpc, 1, height, None)
    times = {block.header.number: block.header.timestamp for block in blocks}
    catalogue = Catalogue.of(lab.deployment)
    events = [(catalogue.decode(log), times[log.block]) for log in read_logs(rpc, catalogue.addresses, 1, height)]
    audit = _Audit(rpc, lab.deployment, auditor_module._silent)
    audit._read(1, height)
    books = audit._replay.books
    modules = {name: lab.address(name) for name in ("Exchange", "Redemption")}
    orders = read_orders(rpc, [event for event, _ in events], modules, lab.deployment.domain())
    authority = lab.address("AccessManager")
    words = {}
    for contract, cells in (
        ("PointsLedger", ledger_cells(books, Layout.load("PointsLedger"), authority)),
        ("ClearingBook", book_cells(books, Layout.load("ClearingBook"), authority)),
    ):
        address = lab.address(contract)
        words[contract] = state.check_cells(rpc, contract, address, blocks[-1], cells, lambda _done, _total: None)
    return Record(events, words, lab.address("PointsLedger"), authority, orders)


def variants(value: Any) -> Iterator[Any]:
    """Other values of the same kind."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
        if value:
            yield value - 1
            yield 0
    elif isinstance(value, bytes):
        yield value[:-1] + bytes([value[-1] ^ 1]) if value else b"\1"
        yield bytes(len(value))


def test_the_untouched_record_is_accepted(record: Record) -> None:
    record.run(record.events)


def test_the_record_has_every_event_of_the_books_and_modules_that_a_life_can_have(record: Record) -> None:
    """Otherwise the tests below would not reach them."""
    seen = {(event.contract, event.name) for event, _ in record.events}
    known = {name for name in Replay(b"\1" * 20).handlers if name[0] not in UNREPLAYED}
    assert known - seen <= {(module, name) for module in ("Issuance", "Redemption") for name in ("Paused", "Unpaused")}


def test_no_event_can_be_dropped(record: Record) -> None:
    kept = []
    for at, (event, _) in enumerate(record.events):
        if event.contract in UNREPLAYED or (event.contract, event.name) in UNCOMPARED:
            continue
        try:
            record.run(record.events[:at] + record.events[at + 1 :])
        except Contradicted:
            continue
        kept.append((event.contract, event.name, event.log.where))
    assert sorted({f"{contract}.{name} {where}" for contract, name, where in kept}) == []


def test_no_event_can_come_twice(record: Record) -> None:
    # Repeating these says the same thing again.
    idempotent = {
        "IssuerKeySet",
        "MerchantRegistered",
        "RebirthCapSet",
        "Approval",
        "OperatorSet",
        "MigrationRequested",
        "MigrationApproved",
    }
    kept = []
    for at, (event, time) in enumerate(record.events):
        skip = event.contract in UNREPLAYED or (event.contract, event.name) in UNCOMPARED
        if skip or event.name in idempotent:
            continue
        try:
            record.run([*record.events[: at + 1], (event, time), *record.events[at + 1 :]])
        except Contradicted:
            continue
        kept.append((event.contract, event.name, event.log.where))
    assert sorted({f"{contract}.{name} {where}" for contract, name, where in kept}) == []


def test_no_value_of_an_event_can_be_changed(record: Record) -> None:
    kept = []
    tried = 0
    for at, (event, time) in enumerate(record.events):
        if event.contract in UNREPLAYED or (event.contract, event.name) in UNCOMPARED:
            continue
        for name, value in event.values.items():
            if (event.contract, event.name, name) in UNCHECKABLE:
                continue
            for other in variants(value):
                if other == value:
                    continue
                forged = replace(event, values={**event.values, name: other})
                tried += 1
                try:
                    record.run([*record.events[:at], (forged, time), *record.events[at + 1 :]])
                except Contradicted:
                    continue
                kept.append(f"{event.contract}.{event.name}.{name}")
    assert sorted(set(kept)) == []
    assert tried > 500


def test_events_out_of_order_are_refused(record: Record) -> None:
    with pytest.raises(Contradicted, match="order of logs"):
        record.run([*record.events, record.events[0]])


def test_a_lot_that_was_dead_by_then_is_noticed(record: Record) -> None:
    """The same events at a later time: exchanges and mints of lots that had died are contradictions."""
    with pytest.raises(Contradicted, match=r"lot|hold|refund|rebirth|capture"):
        record.run([(event, time + 800 * 86_400) for event, time in record.events])
