"""A network's folder: shared files of public halves, and no secret outside an agency's keys."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.unit.tongdui.network.trial import member
from tongdui.network.errors import BadNetwork
from tongdui.network.folder import NetworkChoices, folder_of, make_of_members, make_trial
from tongdui.network.plan import EngineKind, NetworkPlan


@pytest.mark.parametrize("engine", list(EngineKind))
def test_no_secret_is_outside_an_agencys_keys(tmp_path: Path, engine: EngineKind) -> None:
    folder = tmp_path / "net"
    made = make_trial(folder, 3, NetworkChoices(engine))
    assert NetworkPlan.read(folder / "network.json") == made
    keys = [path for path in folder.rglob("keys/**/*") if path.is_file()]
    secrets = {path.read_text() for path in keys}
    assert len(keys) == (10 if engine is EngineKind.CLIQUE else 4)
    for path in folder.rglob("*"):
        if path.is_file() and "keys" not in path.relative_to(folder).parts:
            assert not any(secret in path.read_text() for secret in secrets), path
    genesis = {path.read_bytes() for path in folder.rglob("genesis.json")}
    assert len(genesis) == 1, "every node begins with the same block"


def test_a_citys_network_is_made_of_what_agencies_gave(tmp_path: Path) -> None:
    made = make_of_members(tmp_path, [member(1), member(2)], NetworkChoices(EngineKind.BESU, chain_id=77))
    assert (made.chain_id, [one.name for one in made.members]) == (77, ["agency-1", "agency-2"])
    assert not list(tmp_path.rglob("keys"))
    peers = orjson.loads((folder_of(tmp_path, member(1)) / "static-nodes.json").read_bytes())
    assert peers == [member(2).enode]


def test_a_folder_holds_one_network(tmp_path: Path) -> None:
    make_trial(tmp_path, 1, NetworkChoices())
    with pytest.raises(BadNetwork):
        make_trial(tmp_path, 1, NetworkChoices())


def test_ports_are_consecutive_where_the_first_is_said(tmp_path: Path) -> None:
    made = make_trial(tmp_path, 2, NetworkChoices(), first_port=40_000)
    assert [one.ports.p2p for one in made.members] == [40_000, 40_003, 40_006]


def test_each_network_draws_a_chain_id_of_its_own(tmp_path: Path) -> None:
    made = [make_trial(tmp_path / str(number), 1, NetworkChoices()).chain_id for number in range(3)]
    assert len(set(made)) == 3
