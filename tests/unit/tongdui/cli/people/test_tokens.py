from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import jwt
import pytest

from ledger.store.models.api import WithdrawnSubjectRow
from tongdui.cli.console import UsageError
from tongdui.cli.main import app
from tongdui.offline import open_database
from tongdui.settings import Settings


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    return tmp_path


def test_a_token_comes_with_its_jti(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["token", "wang", "--role", "operator", "--state-dir", str(state_dir), "--json"], standalone_mode=False)
    said = json.loads(capsys.readouterr().out)
    assert said["jti"] == jwt.decode(said["token"], options={"verify_signature": False})["jti"]
    app(["token", "wang", "--role", "operator", "--state-dir", str(state_dir)], standalone_mode=False)
    shown = capsys.readouterr()
    jti = jwt.decode(shown.out.strip(), options={"verify_signature": False})["jti"]
    assert jti in shown.err


def test_all_tokens_of_a_subject_are_withdrawn_by_its_name(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["token", "wang", "--withdraw", "--state-dir", str(state_dir), "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["subject"] == "urn:tongdui:local wang"
    with ExitStack() as stack:
        database = open_database(stack, Settings(state_dir=state_dir, _env_file=None))
        with database.read() as session:
            assert session.get(WithdrawnSubjectRow, "urn:tongdui:local wang") is not None


def test_what_is_withdrawn_has_no_scopes(state_dir: Path) -> None:
    with pytest.raises(UsageError, match="subject alone"):
        app(
            ["token", "wang", "--withdraw", "--role", "operator", "--state-dir", str(state_dir)],
            standalone_mode=False,
        )
