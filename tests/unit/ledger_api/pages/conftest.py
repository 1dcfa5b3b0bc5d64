from __future__ import annotations

import warnings

import pytest
import structlog

from tests.unit.ledger_api.api import Api

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


@pytest.fixture
def people(api: Api) -> TestClient:
    """A browser on this machine: it follows no redirect by itself, so that each answer can be looked at."""
    client = TestClient(
        api.client.app,
        base_url="http://127.0.0.1:8080",
        client=("127.0.0.1", 50_000),
        follow_redirects=False,
        headers={"Accept": "text/html", "Accept-Language": "zh-CN"},
        raise_server_exceptions=False,
    )
    with structlog.testing.capture_logs():
        return client
