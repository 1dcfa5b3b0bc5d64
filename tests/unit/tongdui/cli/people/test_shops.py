from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from ledger.deployment.file import FILE_NAME, Deployment
from ledger.errors import ConfigurationError
from ledger.residents.persons import OnePerson
from ledger.standard.ids import Address
from redemption.errors import ApplicationStateConflict, UnknownApplication
from tongdui.cli.main import app

BODY = {
    "licence": "91510107MA6CQ0000X",
    "name_zh": "望江书屋",
    "name_en": "Wangjiang Books",
    "category": "books",
    "address_zh": "望江路 1 号",
    "address_en": "1 Wangjiang Road",
    "scopes": ["books"],
    "first_contact": {"name": "赵六", "address": "13800000001"},
    "second_contact": {"name": "钱七", "address": "13800000002"},
    "payee": {"holder": "望江书屋有限公司", "bank": "成都银行", "bank_account": "6222020000012345678"},
}


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "keys").mkdir()
    deployment = create_autospec(Deployment, instance=True)
    deployment.scopes = {"books": object()}
    deployment.address.return_value = Address("0x" + "bb" * 20)

    def read(path: Path) -> Deployment:
        assert path == tmp_path / FILE_NAME
        return deployment

    monkeypatch.setattr(Deployment, "read", read)
    return tmp_path


def test_two_people_bring_a_shop_in_and_nobody_alone(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def does(*words: str) -> dict[str, object]:
        app(["shops", *words, "--state-dir", str(state_dir), "--json"], standalone_mode=False)
        output = capsys.readouterr()
        assert "6222020000012345678" not in output.out + output.err
        found: dict[str, object] = json.loads(output.out.splitlines()[-1])
        return found

    file = state_dir / "shop.json"
    file.write_text(json.dumps({**BODY, "payee": {"holder": "x", "bank": "y", "bank_account": "12"}}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"payee\.bank_account") as refused:
        does("apply", str(file), "--by", "li")
    assert "12" not in str(refused.value).rpartition("payee.bank_account")[2].replace("{8,32}", "")
    file.write_text(json.dumps(BODY), encoding="utf-8")
    applied = does("apply", str(file), "--by", "li")
    number = str(applied["application_id"])
    with pytest.raises(OnePerson):
        does("approve", number, "--by", "li")
    with pytest.raises(UnknownApplication):
        does("approve", "app-none", "--by", "sun")
    approved = does("approve", number, "--by", "sun")
    assert (approved["state"], approved["merchant"]) == ("approved", 1)
    call = approved["call"]
    assert isinstance(call, dict), "nobody keeps the registrar's key here: it sends the call itself"
    assert call["to"] == "0x" + "bb" * 20
    with pytest.raises(ApplicationStateConflict):
        does("refuse", number, "--by", "sun", "--reason", "late")
    with pytest.raises(ApplicationStateConflict):
        does("resume", number, "--by", "sun")
    assert does("list", "--state", "applied")["items"] == []
    assert does("show", number)["state"] == "approved"
