"""Keys stay in their agency's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.custody.keyfile import open_keyfile
from ledger.standard.signatures import SigningKey
from tongdui.network.errors import BadNetwork
from tongdui.network.keys import make_member
from tongdui.network.plan import EngineKind, Ports, read_member

PORTS = Ports(30303, 8545, 8551)


def test_an_agencys_folder_has_its_keys_for_it_alone_and_its_public_half_for_all(tmp_path: Path) -> None:
    made = make_member(tmp_path / "a", "culture", "10.0.0.7", PORTS, EngineKind.CLIQUE)
    assert read_member(tmp_path / "a" / "public.json") == made
    secret = [path for path in (tmp_path / "a" / "keys").rglob("*") if path.is_file()]
    assert len(secret) == 3
    for path in [*secret, tmp_path / "a" / "keys", tmp_path / "a" / "keys" / "sealing"]:
        assert path.stat().st_mode & 0o077 == 0
    node = SigningKey(bytes.fromhex((tmp_path / "a" / "keys" / "node.key").read_text()))
    assert node.public_key.hex() == made.node_id


def test_the_sealing_key_is_a_secret_storage_file_that_opens_with_the_password_beside_it(tmp_path: Path) -> None:
    made = make_member(tmp_path, "culture", "10.0.0.7", PORTS, EngineKind.CLIQUE)
    (path,) = (tmp_path / "keys" / "sealing").iterdir()
    password = (tmp_path / "keys" / "password").read_text()
    assert open_keyfile(path.read_bytes(), password, "it").address == made.account


def test_a_besu_validator_seals_with_its_nodes_key(tmp_path: Path) -> None:
    made = make_member(tmp_path, "culture", "10.0.0.7", PORTS, EngineKind.BESU)
    assert made.account == SigningKey(bytes.fromhex((tmp_path / "keys" / "node.key").read_text())).address
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["node.key"]


def test_a_node_that_only_answers_has_no_account(tmp_path: Path) -> None:
    assert make_member(tmp_path, "rpc", "10.0.0.7", PORTS, EngineKind.CLIQUE, seals=False).account is None


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    make_member(tmp_path, "culture", "10.0.0.7", PORTS, EngineKind.CLIQUE)
    with pytest.raises(BadNetwork, match="never overwritten"):
        make_member(tmp_path, "culture", "10.0.0.7", PORTS, EngineKind.CLIQUE)
