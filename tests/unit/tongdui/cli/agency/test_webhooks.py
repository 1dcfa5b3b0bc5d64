"""A source system that may push already gets no second secret by mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from typer.testing import CliRunner

from issuers.service import IssuerService
from issuers.sources.webhooks.sources import WebhookSources
from ledger.custody.master import Envelope
from tests.unit.redemption.world import World
from tongdui.cli.agency import webhooks
from tongdui.cli.main import app


def test_a_second_create_adds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = create_autospec(IssuerService, instance=True)
    service.programme_id.return_value = 2
    service.mapping.return_value = SimpleNamespace(system="cd-green")
    with closing(World(tmp_path)) as world:
        sources = WebhookSources(Envelope(b"\x08" * 32), world.clock)

        @contextmanager
        def opened(*_: Any) -> Iterator[Any]:
            yield SimpleNamespace(issuers=service, database=world.database, webhooks=sources)

        monkeypatch.setattr(webhooks, "open_beside", opened)
        create = ["issuers", "webhook", "create", "environmental", "cd-green", "--json"]
        first = CliRunner().invoke(app, create)
        assert first.exit_code == 0, first.exception
        assert json.loads(first.stdout.splitlines()[-1])["system"] == "cd-green"
        assert CliRunner().invoke(app, create).exit_code != 0
        with world.database.read() as session:
            assert len(sources.open(session, "cd-green").secrets) == 1
