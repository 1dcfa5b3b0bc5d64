"""The page of settings names every variable that the product reads."""

from __future__ import annotations

import re

from scripts.reference.formats import ROOT
from scripts.reference.settings import OUTSIDE, settings_page
from tongdui.settings import IssuerSignerSettings, Settings

PRODUCT = ("ledger", "ledger_api", "issuers", "redemption", "tongdui")


def test_every_setting_and_variable_is_on_the_page() -> None:
    named = set(re.findall(r"^\| `([A-Za-z_]+)` \|", settings_page(), re.MULTILINE))
    settings = {f"TONGDUI_{name}".upper() for name in Settings.model_fields}
    assert named == settings | set(IssuerSignerSettings.model_fields) | set(OUTSIDE)


def test_variables_that_are_read_elsewhere_are_on_the_page() -> None:
    sources = [path.read_text(encoding="utf-8") for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    found = {name for text in sources for name in re.findall(r"TONGDUI_[A-Z_]*[A-Z]\b", text)}
    assert found
    for name in found:
        assert f"`{name}`" in settings_page(), name


def test_a_default_and_its_bounds_are_shown() -> None:
    assert "| `TONGDUI_PORT` | integer, ≥ 0, ≤ 65535 | `8080` |" in settings_page()
