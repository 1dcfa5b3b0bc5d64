"""Besu's files: every key is one that Besu's documentation names, and every setting says why it stands there.

``besu_names.json`` was taken from hyperledger/besu-docs at the commit it names. Besu reads the keys of a genesis file
without regard to case.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import orjson
import pytest

from ledger.proofs.seals import parse_qbft
from tests.unit.tongdui.network.trial import member, plan
from tongdui.network import besu
from tongdui.network.plan import EngineKind

NAMES = orjson.loads(Path(__file__).with_name("besu_names.json").read_bytes())
OPTIONS = {name for names in NAMES["options"].values() for name in names}
GENESIS = {name.lower() for names in NAMES["genesis"].values() for name in names}
PLAN = plan(4, EngineKind.BESU)


def test_every_option_is_in_besus_documentation() -> None:
    for one in PLAN.members:
        assert tomllib.loads(besu.configuration(PLAN, one)).keys() <= OPTIONS


def test_every_key_of_the_genesis_file_is_in_besus_documentation() -> None:
    document = orjson.loads(besu.genesis(PLAN))
    keys = document.keys() | document["config"].keys() | document["config"]["qbft"].keys()
    assert {key.lower() for key in keys} <= GENESIS


def test_every_key_of_the_allow_list_is_in_besus_documentation() -> None:
    (names,) = NAMES["permissions"].values()
    document = tomllib.loads(besu.permissions(PLAN))
    assert document.keys() <= set(names)
    assert document["nodes-allowlist"] == [one.enode for one in PLAN.members]


@pytest.mark.parametrize(
    "one", [*besu.genesis_settings(PLAN), *besu.settings(PLAN, member(1))], ids=lambda one: one.key
)
def test_a_setting_names_its_page_and_says_why(one: besu.Setting) -> None:
    assert one.source.startswith("docs/")
    assert one.why or one.key == "rpc-http-port"


def test_no_option_stands_twice() -> None:
    keys = [one.key for one in besu.settings(PLAN, member(1))]
    assert len(set(keys)) == len(keys)


def test_the_genesis_block_names_the_validators_in_ascending_order() -> None:
    extra = parse_qbft(besu.extra_data(PLAN))
    assert extra.validators == PLAN.accounts
    assert [*extra.validators] == sorted(extra.validators, key=lambda one: bytes.fromhex(one[2:]))
    assert (extra.round, extra.seals) == (0, ())


def test_a_validator_answers_on_loopback_only_and_offers_no_dangerous_methods() -> None:
    document = tomllib.loads(besu.configuration(PLAN, member(1)))
    assert document["rpc-http-host"] == "127.0.0.1"
    assert not {"ADMIN", "DEBUG", "MINER", "PERM"} & set(document["rpc-http-api"])
    assert set(document["rpc-http-api"]) <= set(NAMES["apis"])


def test_the_price_is_zero_on_every_node() -> None:
    for one in PLAN.members:
        assert tomllib.loads(besu.configuration(PLAN, one))["min-gas-price"] == 0


def test_the_files_say_that_nobody_here_has_started_them() -> None:
    for text in (besu.configuration(PLAN, member(1)), besu.permissions(PLAN), besu.compose(PLAN)):
        assert "have not started Besu" in text


def test_the_image_is_pinned() -> None:
    assert besu.IMAGE.split(":")[1] != "latest"
    assert besu.compose(PLAN).count(f"image: {besu.IMAGE}") == 4
