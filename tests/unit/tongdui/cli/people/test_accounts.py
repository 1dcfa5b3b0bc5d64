from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ledger_api.auth.errors import LoginNameTaken, UnknownLogin, WeakPassword
from tongdui.cli.console import UsageError
from tongdui.cli.main import app

PASSWORD = "correct horse battery"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, typed: str = "") -> object:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    app(["accounts", *words, "--json"], standalone_mode=False)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_login_is_made_listed_disabled_and_given_another_password(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--state-dir", str(state_dir))

    def does(*words: str, typed: str = "") -> object:
        return run(monkeypatch, capsys, *words, *at, typed=typed)

    made = does("add", "Zhang.San", "--scope", "merchant:1", "--password-stdin", typed=f"{PASSWORD}\n")
    assert isinstance(made, dict)
    assert (made["name"], made["scopes"], made["state"]) == ("zhang.san", ["merchant:1"], "active")
    listed = does("list")
    assert isinstance(listed, dict)
    assert listed["items"] == [{name: made[name] for name in made if name != "ok"}]
    assert "argon2" not in json.dumps(listed)
    for command, state in (("disable", "disabled"), ("enable", "active")):
        changed = does(command, "zhang.san")
        assert isinstance(changed, dict)
        assert changed["state"] == state
    does("passwd", "zhang.san", "--password-stdin", typed="another long phrase\n")
    with pytest.raises(LoginNameTaken):
        does("add", "zhang.san", "--role", "resident", "--password-stdin", typed=f"{PASSWORD}\n")
    with pytest.raises(WeakPassword):
        does("add", "li.si", "--role", "resident", "--password-stdin", typed="short\n")
    with pytest.raises(UnknownLogin):
        does("disable", "nobody")


def test_without_a_terminal_a_password_comes_from_standard_input_by_word_alone(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="--password-stdin"):
        run(monkeypatch, capsys, "add", "li.si", "--role", "resident", "--state-dir", str(state_dir))


def test_with_a_provider_there_are_no_logins(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TONGDUI_OIDC_ISSUER", "https://id.example")
    monkeypatch.setenv("TONGDUI_OIDC_JWKS_URL", "https://id.example/jwks")
    with pytest.raises(UsageError, match="identity provider"):
        run(monkeypatch, capsys, "list", "--state-dir", str(state_dir))
