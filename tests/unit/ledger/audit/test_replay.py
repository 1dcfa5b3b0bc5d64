"""The replay understands every event that a deployed contract can emit, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.audit.replay import Replay
from ledger.audit.report import Contradicted
from ledger.deployment import artifacts
from ledger.proofs.events import Event, RawLog

CONTRACTS = (
    "AccessManager",
    "ClearingBook",
    "Council",
    "Disputes",
    "Exchange",
    "Issuance",
    "PointsLedger",
    "Redemption",
    "Settlement",
)
NEVER = {("PointsLedger", "EIP712DomainChanged")}
"""Declared by ERC-5267, emitted by nobody: the ledger's domain is fixed, so it would be a contradiction."""


def emitted() -> Iterator[tuple[str, str]]:
    """Every event of the deployed contracts' interfaces."""
    for contract in CONTRACTS:
        for entry in artifacts.load(contract).abi:
            if entry["type"] == "event":
                yield contract, entry["name"]


def test_every_event_of_every_contract_has_a_rule() -> None:
    assert set(emitted()) - set(Replay(bytes(20)).handlers) == NEVER


def test_there_is_no_rule_for_an_event_that_nobody_emits() -> None:
    assert set(Replay(bytes(20)).handlers) - set(emitted()) == set()


def test_an_event_without_a_rule_stops_the_audit() -> None:
    log = RawLog(bytes(20), (bytes(32),), b"", 7, 2, 5)
    with pytest.raises(Contradicted, match="unknown event at block 7, transaction 2, log 5"):
        Replay(bytes(20)).apply(Event("Exchange", "Surprise", {}, log, {}), 0)
