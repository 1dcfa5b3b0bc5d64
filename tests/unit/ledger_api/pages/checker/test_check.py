"""The checker's page sends nothing, says what it trusts, and is one whole file when it is kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger_api.pages.checker.check import city_of
from ledger_api.ports import PageSettings
from tests.unit.ledger_api.api import Api

DEPLOYMENT = Path(__file__).resolve().parents[4] / "vectors" / "verify" / "deployment.json"


@pytest.fixture
def api(api: Api) -> Api:
    deployment = orjson.loads(DEPLOYMENT.read_bytes())
    deployment["city"] = "</script><script>alert(1)</script>"
    deployment["salt"] += "</script>"
    object.__setattr__(api.services, "deployment", deployment)
    object.__setattr__(api.services, "pages", PageSettings(validators=("0x" + "ab" * 20,)))
    return api


def embedded(page: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(re.findall(r'id="city">(.*?)</script>', page, re.DOTALL)[0])
    return found


def test_the_page_s_policy_forbids_it_to_send_anything(people: Any) -> None:
    policy = people.get("/check").headers["content-security-policy"]
    assert "connect-src 'none'" in policy
    assert "script-src 'self'" in policy


def test_the_page_knows_contracts_pars_and_validators_and_nothing_ends_its_data_early(people: Any, api: Api) -> None:
    found = embedded(people.get("/check").text)
    assert found["validators"] == ["0x" + "ab" * 20]
    assert found["city"] == city_of(api.services.deployment)
    assert set(found["city"]) == {"chain_id", "salt", "contracts", "replaced", "programmes"}


def test_the_saved_page_needs_no_other_file(people: Any) -> None:
    answer = people.get("/check/saved")
    assert answer.headers["content-disposition"] == 'attachment; filename="tongdui-check.html"'
    assert embedded(answer.text)["city"]["chain_id"] == "1005101001"
    assert not re.findall(r"""(?:src|href)=["']?(?:/|http)""", answer.text.partition('<script type="module">')[0])
    assert answer.text.count("sha256-") == 2


def test_without_a_deployment_the_page_says_that_it_knows_no_city(people: Any, api: Api) -> None:
    object.__setattr__(api.services, "deployment", {"chain_id": 1})
    assert embedded(people.get("/check").text)["city"] is None
