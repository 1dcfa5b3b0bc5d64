"""The page for agencies names every objection and every setting, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from issuers.agency.rules import Objection
from issuers.agency.settings import AgencySettings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "agency-signer.md").read_text(encoding="utf-8")


def test_the_page_names_every_objection() -> None:
    chapter = PAGE.split("## What it refuses")[1].split("see `issuers")[0]
    assert set(re.findall(r"`([a-z_]+)`", chapter)) == {one.value for one in Objection}


def test_the_page_names_every_setting() -> None:
    chapter = PAGE.split("## `signer.yaml`")[1].split("## What")[0]
    named = set(re.findall(r"`([a-z_]+)`", chapter))
    assert named == set(AgencySettings.model_fields) - {"keys", "journal"}
