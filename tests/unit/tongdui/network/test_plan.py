"""What a network's parties share, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.tongdui.network.trial import member, plan
from tongdui.network.errors import BadNetwork
from tongdui.network.plan import EngineKind, NetworkPlan, Ports, checked, member_to_json, read_member


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(plan(4).to_json())
    assert NetworkPlan.read(path) == plan(4)


def test_a_public_half_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "public.json"
    path.write_bytes(member_to_json(member(1)))
    assert read_member(path) == member(1)


@pytest.mark.parametrize(
    ("engine", "validators", "finality", "tolerated"),
    [
        (EngineKind.CLIQUE, 1, "depth:1", 0),
        (EngineKind.CLIQUE, 4, "depth:3", 1),
        (EngineKind.CLIQUE, 7, "depth:4", 3),
        (EngineKind.BESU, 4, "latest", 1),
        (EngineKind.BESU, 7, "latest", 2),
    ],
)
def test_finality_and_what_may_fail_follow_from_engine_and_number(
    engine: EngineKind, validators: int, finality: str, tolerated: int
) -> None:
    made = plan(validators, engine)
    assert (made.finality, made.tolerated) == (finality, tolerated)


def test_a_minority_of_clique_signers_can_make_nothing_final() -> None:
    """A signer seals one of floor(n/2)+1 blocks, so m signers stack at most m blocks while they are no majority."""
    for validators in range(1, 30):
        depth = int(plan(validators).finality.removeprefix("depth:"))
        assert depth > validators // 2


@pytest.mark.parametrize(
    "wrong",
    [
        replace(plan(2), members=(member(1, seals=False),)),
        replace(plan(2), members=(member(1), replace(member(2), name="agency-1"))),
        replace(plan(2), members=(member(1), replace(member(2), ports=member(1).ports))),
        replace(plan(2), members=(member(1), replace(member(2), node_id=member(1).node_id))),
        replace(plan(2), members=(member(1), replace(member(2), account=member(1).account))),
        replace(plan(2), members=(replace(member(1), name="../up"),)),
        replace(plan(2), members=(replace(member(1), host='a" b'),)),
        replace(plan(2), members=(replace(member(1), node_id="ab"),)),
        replace(plan(2), gas_limit=8_000_000),
        replace(plan(2), period_s=0),
    ],
)
def test_members_that_do_not_fit_together_are_refused(wrong: NetworkPlan) -> None:
    with pytest.raises(BadNetwork):
        checked(wrong)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"engine":"raft"}'])
def test_a_file_that_describes_no_network_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "network.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadNetwork):
        NetworkPlan.read(path)
    with pytest.raises(BadNetwork):
        read_member(path)


def test_an_address_of_the_sixth_version_is_bracketed() -> None:
    one = replace(member(1), host="::1", ports=Ports(30303, 8545))
    assert one.enode.endswith("@[::1]:30303")
    assert one.url == "http://[::1]:8545"
