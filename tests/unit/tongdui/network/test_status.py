"""Who sealed, who missed, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from ledger.proofs.headers import Header
from ledger.proofs.seals import checked_header
from ledger.standard.ids import to_address
from tests.unit.tongdui.network.trial import plan, sealing_key
from tongdui.network.plan import EngineKind, NetworkPlan
from tongdui.network.status import NodeStatus, Turns, alarms, count_turns

PLAN = plan(4)
RECORDED = Path(__file__).parents[3] / "vectors" / "networks" / "qbft-blocks.json"
"""Blocks of a GoQuorum network of four validators, rounds 0, 1 and 3."""


def clique_header(number: int, signer: int) -> Header:
    """A header that a signer sealed."""
    fields = [bytes(32), bytes(32), bytes(20), *[bytes(32)] * 3, bytes(256), b"\x02"]
    fields += [number.to_bytes(4, "big").lstrip(b"\0"), b"\x01", b"", b"\x01", bytes(32), bytes(32), bytes(8)]
    header = Header(tuple(fields))
    seal = sealing_key(signer).sign_digest(header.plain_hash())
    return header.with_extra_data(bytes(32) + seal[:64] + bytes([seal[64] - 27]))


def node(name: str, **changes: object) -> NodeStatus:
    values = {"name": name, "seals": True, "trouble": None, "height": 50, "head": "0x01", "age_s": 1, "peers": 4}
    return NodeStatus(**(values | changes))  # type: ignore[arg-type]


ALL = [node(one.name) for one in PLAN.members]


def test_a_signers_turn_goes_by_the_number_and_a_block_by_another_is_its_miss() -> None:
    order = [int(one.name.removeprefix("agency-")) for one in PLAN.validators]
    headers = [clique_header(number, order[number % 4]) for number in (4, 5, 6)] + [clique_header(7, order[0])]
    turns = {one.name: (one.sealed, one.missed) for one in count_turns(PLAN, headers)}
    names = [one.name for one in PLAN.validators]
    assert [turns[name] for name in names] == [(2, 0), (1, 0), (1, 0), (0, 1)]


def test_validators_whose_seals_are_missing_missed_a_qbft_block() -> None:
    recorded = orjson.loads(RECORDED.read_bytes())
    sealed = [block for block in recorded["blocks"] if int(block["number"], 16) > 0]  # nobody seals the first
    headers = [checked_header(block)[0] for block in sealed]
    besu = plan(4, EngineKind.BESU)
    members = tuple(
        replace(one, account=to_address(account))
        for one, account in zip(besu.members, recorded["validators"], strict=True)
    )
    turns = count_turns(replace(besu, members=members), headers)
    assert sum(one.sealed for one in turns) >= 3 * len(headers)
    assert all(one.sealed + one.missed == len(headers) for one in turns)


@pytest.mark.parametrize(
    ("nodes", "turns", "said"),
    [
        (ALL, (), []),
        ([*ALL[:3], node("agency-4", trouble="away")], (), ["0 more may fail"]),
        ([*ALL[:2], node("agency-3", trouble="away"), node("agency-4", trouble="away")], (), ["the network stands"]),
        ([*ALL[:3], node("agency-4", peers=0)], (), ["no peers"]),
        ([*ALL[:3], node("agency-4", height=20)], (), ["nodes are apart"]),
        ([*ALL[:2], node("agency-3", head="0x02"), node("agency-4", head="0x02")], (), ["two forks"]),
        ([replace(one, age_s=11) for one in ALL], (), ["the last block is 11 s old"]),
        (ALL, (Turns("agency-2", PLAN.accounts[0], 0, 9),), ["agency-2 has sealed nothing"]),
    ],
)
def test_what_needs_a_person_is_said_in_words(
    nodes: list[NodeStatus], turns: tuple[Turns, ...], said: list[str]
) -> None:
    found = alarms(PLAN, nodes, turns)
    assert len(found) == len(said)
    for text, part in zip(found, said, strict=True):
        assert part in text


def test_a_besu_node_that_wants_a_price_is_named() -> None:
    besu: NetworkPlan = plan(4, EngineKind.BESU)
    assert "gas price" in alarms(besu, [*ALL[:3], node("agency-4", gas_price=1_000)], ())[0]
    assert alarms(PLAN, [*ALL[:3], node("agency-4", gas_price=1_000)], ()) == []
