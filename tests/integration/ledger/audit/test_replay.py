"""The replay believes no event: drop, repeat or change any of a whole life's events and the audit notices."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ledger.audit import auditor
from ledger.audit.cells import words_of
from ledger.audit.replay import Replay, Sent
from ledger.audit.report import Contradicted
from ledger.audit.storage import CELLS
from ledger.proofs.events import Event
from ledger.standard.ids import AccountBytes
from tests.integration.ledger.audit.lab import Lab

# What nothing else on chain repeats.
UNCHECKABLE = {
    ("Succession", "SuccessionConfirmed", "desk"),  # which of the desks that may; only storage's first one counts
}


@dataclass
class Record:
    """The life as the auditor replays it, transaction by transaction, and what storage holds at its end."""

    sent: list[tuple[Sent, list[Event]]]
    before: list[Replay]
    """The replay as it stood before each transaction."""
    names: dict[AccountBytes, str]
    words: dict[str, dict[int, int]]

    def run(self, at: int, events: list[Event], sent: Sent | None = None) -> None:
        """Replay transaction ``at`` with other events, and what came after it; compare storage. Raises Contradicted."""
        replay = copy.deepcopy(self.before[at])
        replay.apply(sent or self.sent[at][0], events)
        for later, others in self.sent[at + 1 :]:
            replay.apply(later, others)
        if replay.books.contracts:
            raise Contradicted("signatures", "accounts", "all of the life's are plain", len(replay.books.contracts))
        found = final_words(replay, self.names)
        for contract, words in self.words.items():
            if found[contract] != words:
                raise Contradicted("storage", contract, "what it holds", "other words")

    def is_noticed(self, at: int, events: list[Event]) -> bool:
        """Whether other events in a transaction are a contradiction."""
        try:
            self.run(at, events)
        except Contradicted:
            return True
        return False


def final_words(replay: Replay, names: dict[AccountBytes, str]) -> dict[str, dict[int, int]]:
    """All words but zeros of every contract, by its name and address."""
    return {
        f"{name} {address.hex()}": {
            slot: word for slot, word in words_of(CELLS[name](replay.books, address)).items() if word
        }
        for address, name in names.items()
    }


class Recording(auditor.Audit):
    """An audit that keeps what it replays."""

    def record(self, last: int) -> Record:
        sent: list[tuple[Sent, list[Event]]] = []
        before: list[Replay] = []
        replay, apply = self._replay, self._replay.apply

        def kept(one: Sent, events: Any) -> None:
            before.append(copy.deepcopy(replay))
            sent.append((one, list(events)))
            apply(one, events)

        replay.apply = kept  # type: ignore[method-assign]
        self._read(1, last)
        del replay.apply
        for one in before:
            one.__dict__.pop("apply", None)
        return Record(sent, before, dict(self._names), final_words(replay, dict(self._names)))


@pytest.fixture(scope="module")
def record(lab: Lab) -> Record:
    height = int(lab.engine.rpc.call("eth_blockNumber"), 16)
    return Recording(lab.engine.rpc, lab.deployment, auditor.silent).record(height)


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
    elif isinstance(value, tuple):
        yield tuple(next(variants(item)) for item in value)


def test_the_untouched_record_is_accepted(record: Record) -> None:
    record.run(0, record.sent[0][1])


def test_the_record_has_every_event_that_a_life_can_have(record: Record) -> None:
    """Otherwise the tests below would not reach them."""
    seen = {(event.contract, event.name) for _, events in record.sent for event in events}
    rare = {
        ("AccessManager", "RoleAdminChanged"),
        ("Council", "ApprovalWithdrawn"),
        ("Redemption", "Paused"),
        ("Redemption", "Unpaused"),
    }
    assert set(record.before[0].handlers) - seen == rare


def test_no_event_can_be_dropped(record: Record) -> None:
    kept = []
    for at, (_, events) in enumerate(record.sent):
        for place, event in enumerate(events):
            if not record.is_noticed(at, events[:place] + events[place + 1 :]):
                kept.append(f"{event.contract}.{event.name}")
    assert sorted(set(kept)) == []


def test_no_event_can_come_twice(record: Record) -> None:
    kept = []
    for at, (_, events) in enumerate(record.sent):
        for place, event in enumerate(events):
            if not record.is_noticed(at, [*events[: place + 1], *events[place:]]):
                kept.append(f"{event.contract}.{event.name}")
    # Said again, the same is so.
    assert sorted(set(kept)) == [
        "AccessManager.TargetFunctionRoleUpdated",
        "Council.RulesSet",
        "PointsLedger.Approval",
        "PointsLedger.OperatorSet",
    ]


def test_no_value_of_an_event_can_be_changed(record: Record) -> None:
    kept = []
    tried = 0
    for at, (_, events) in enumerate(record.sent):
        for place, event in enumerate(events):
            for name, value in event.values.items():
                for other in variants(value):
                    if other == value or (event.contract, event.name, name) in UNCHECKABLE:
                        continue
                    forged = replace(event, values={**event.values, name: other})
                    tried += 1
                    if not record.is_noticed(at, [*events[:place], forged, *events[place + 1 :]]):
                        kept.append(f"{event.contract}.{event.name}.{name}")
    assert sorted(set(kept)) == []
    assert tried > 1_000


def test_no_event_can_be_another_account_s_doing(record: Record) -> None:
    """A transaction of somebody else: whatever needs a sender's power is refused."""
    stranger = AccountBytes(b"\x77" * 20)
    powerless = {"Succession", "Council", "AccessManager"}
    for at, (sent, events) in enumerate(record.sent):
        called = record.names.get(sent.to) if sent.to is not None else None
        if called in powerless and events and events[0].name in ("Proposed", "SuccessionRequested", "RoleGranted"):
            replay = copy.deepcopy(record.before[at])
            noted = dict(replay.books.contracts)
            try:
                replay.apply(replace(sent, sender=stranger), events)
            except Contradicted:
                continue
            # Whether the account is a contract, which acts without a transaction of its own, is asked at the end.
            assert replay.books.contracts != noted


def test_transactions_out_of_order_are_refused(record: Record) -> None:
    with pytest.raises(Contradicted, match="order of transactions"):
        record.run(len(record.sent) - 1, record.sent[-1][1], record.sent[0][0])


def test_orders_at_a_later_time_are_refused(record: Record) -> None:
    """The same events 800 days later: what had died or run out by then is a contradiction."""
    names = {"BatchMinted", "Exchanged", "Redeemed", "Held", "Captured", "Refunded", "OrderLocked", "FrozenUntilSet"}
    seen = set()
    for at, (sent, events) in enumerate(record.sent):
        found = names & {event.name for event in events}
        seen |= found
        never_expires = any(event.name == "BatchMinted" and event["quarter"] == 0 for event in events)
        if found and not never_expires:
            with pytest.raises(Contradicted):
                copy.deepcopy(record.before[at]).apply(replace(sent, time=sent.time + 800 * 86_400), events)
    assert seen == names
