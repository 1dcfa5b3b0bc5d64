"""The deployment file: it is read back as it was written, strictly, and a crash leaves the old one or the new one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.deployment.city import Names
from ledger.deployment.file import Contract, DeployedMerchant, DeployedProgramme, Deployment, bytes32
from ledger.errors import ConfigurationError
from ledger.standard.ids import MerchantId, ProgrammeId, to_address

NAMES = Names("甲", "A")
DEPLOYMENT = Deployment(
    chain_id=1_234_567_890,
    salt=bytes32(7),
    block=1,
    city=NAMES,
    contracts={"PointsLedger": Contract(to_address(b"\x11" * 20), bytes32(9))},
    programmes=(DeployedProgramme(ProgrammeId(1), "volunteer", NAMES, NAMES, "VOL", 20_000_000, 14, bytes32(0)),),
    merchants=(DeployedMerchant(MerchantId(3), "shop", NAMES, ("food",), bytes32(1), to_address(b"\x22" * 20)),),
    scopes={"food": NAMES},
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "deployment.json"
    DEPLOYMENT.write(path)
    assert Deployment.read(path) == DEPLOYMENT
    assert [entry.name for entry in path.parent.iterdir()] == ["deployment.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deployment.json"
    DEPLOYMENT.write(path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace(DEPLOYMENT, block=2).write(path)
    assert Deployment.read(path) == DEPLOYMENT
    assert [entry.name for entry in tmp_path.iterdir()] == ["deployment.json"]


def test_programmes_and_merchants_by_id_and_slug() -> None:
    assert DEPLOYMENT.programme(1) is DEPLOYMENT.programme("volunteer")
    assert DEPLOYMENT.merchant(3) is DEPLOYMENT.merchant("shop")
    assert DEPLOYMENT.programme(1).has("redeemable")
    assert not DEPLOYMENT.programme(1).has("transferable")
    for ask in (
        lambda: DEPLOYMENT.programme("nobody"),
        lambda: DEPLOYMENT.merchant(9),
        lambda: DEPLOYMENT.address("Exchange"),
    ):
        with pytest.raises(ConfigurationError, match="no "):
            ask()


def test_the_signing_domain() -> None:
    domain = DEPLOYMENT.domain()
    assert (domain.chain_id, domain.salt) == (1_234_567_890, (7).to_bytes(32, "big"))
    assert domain.ledger_address == DEPLOYMENT.address("PointsLedger")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"chain_id": 1234567890', b'"chain_id": "1234567890"'),
        (b'"version": 2', b'"version": 3'),
        (b'"block": 1', b'"block": 1, "extra": 5'),
        (b'"salt"', b'"sugar"'),
        (b"}", b""),
    ],
)
def test_a_file_that_is_not_exactly_one_is_refused(old: bytes, new: bytes) -> None:
    content = DEPLOYMENT.to_json()
    assert old in content
    with pytest.raises(ConfigurationError, match=r"my\.json"):
        Deployment.from_json(content.replace(old, new, 1), "my.json")
