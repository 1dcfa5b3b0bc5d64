from __future__ import annotations

import pytest
from pydantic import ValidationError

from tongdui.settings import Settings


def test_nothing_needs_to_be_set() -> None:
    settings = Settings(_env_file=None)
    assert (settings.host, settings.uses_oidc, settings.database_url) == ("127.0.0.1", False, None)
    assert settings.port == 8080


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_RPC_URL", "http://node.example:8545")
    monkeypatch.setenv("TONGDUI_RELAYERS", "8")
    monkeypatch.setenv("TONGDUI_VALIDATORS", '["0xaa"]')
    settings = Settings(_env_file=None)
    assert (settings.rpc_url, settings.relayers, settings.validators) == ("http://node.example:8545", 8, ["0xaa"])


@pytest.mark.parametrize(
    "half", [{"oidc_issuer": "https://id.example"}, {"oidc_jwks_url": "https://id.example/jwks.json"}]
)
def test_half_an_identity_provider_is_refused(half: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="together"):
        Settings(_env_file=None, **half)


@pytest.mark.parametrize("bad", [{"port": 70_000}, {"relayers": 0}, {"rate_per_minute": 0}, {"log_level": "loud"}])
def test_settings_out_of_bounds_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None, **bad)  # type: ignore[arg-type]


def test_a_database_password_is_not_shown() -> None:
    settings = Settings(_env_file=None, database_url="postgresql://tongdui:secret@db/books")
    assert "secret" not in repr(settings)
