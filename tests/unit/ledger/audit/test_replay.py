"""The replay understands every event that a deployed contract can emit, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.audit.replay import WANTED, WITH_EVENT, Replay, Sent
from ledger.audit.report import Contradicted
from ledger.deployment import artifacts
from ledger.proofs.events import Event, RawLog
from ledger.standard.ids import AccountBytes, to_address
from ledger.standard.typed_data import Domain

CONTRACTS = ("AccessManager", "ClearingBook", "Council", "Exchange", "PointsLedger", "Redemption", "Succession")
NEVER = {("PointsLedger", "EIP712DomainChanged")}
"""Declared by ERC-5267, emitted by nobody: the ledger's domain is fixed, so it would be a contradiction."""
ADDRESSES = {name: AccountBytes(bytes([number]) * 20) for number, name in enumerate(CONTRACTS, 1)}


def new_replay() -> Replay:
    """A replay with empty books."""
    domain = Domain(7, to_address(ADDRESSES["PointsLedger"]), bytes(32))
    return Replay(domain, ADDRESSES, {address: name for name, address in ADDRESSES.items()})


def emitted() -> Iterator[tuple[str, str]]:
    """Every event of the deployed contracts' interfaces."""
    for contract in CONTRACTS:
        for entry in artifacts.load(contract).abi:
            if entry["type"] == "event":
                yield contract, entry["name"]


def test_every_event_of_every_contract_has_a_rule() -> None:
    assert set(emitted()) - set(new_replay().handlers) == NEVER


def test_there_is_no_rule_for_an_event_that_nobody_emits() -> None:
    assert set(new_replay().handlers) - set(emitted()) == set()


def test_every_event_that_a_call_needs_exists() -> None:
    for (contract, function), event in WANTED.items():
        assert artifacts.load(contract).function(function)
        assert artifacts.load(contract).event(event)


def test_restricted_functions_that_need_an_event_exist() -> None:
    functions = {
        entry["name"] for contract in CONTRACTS for entry in artifacts.load(contract).abi if entry["type"] == "function"
    }
    assert functions >= WITH_EVENT


def test_an_event_without_a_rule_stops_the_audit() -> None:
    log = RawLog(ADDRESSES["Exchange"], (bytes(32),), b"", 7, 2, 5)
    event = Event("Exchange", "Surprise", {}, log, {})
    with pytest.raises(Contradicted, match="unknown event at block 7, transaction 2, log 5"):
        new_replay().apply(Sent((7, 2), 0, AccountBytes(bytes(20)), None, b""), [event])


def test_a_call_of_ours_that_no_interface_explains_stops_the_audit() -> None:
    sent = Sent((7, 2), 0, AccountBytes(bytes(20)), ADDRESSES["Council"], b"\1\2\3\4")
    with pytest.raises(Contradicted, match="call of Council"):
        new_replay().apply(sent, [])
