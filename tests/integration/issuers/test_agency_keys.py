"""An agency brings its key from another tool, and takes one away under a passphrase."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer.testing

from issuers.agency.server import open_keys
from issuers.agency.settings import load_settings
from ledger.custody.keyfile import SCRYPT_N_LIGHT, open_keyfile, seal_keyfile
from tests.integration.issuers.agency import Agency
from tests.integration.issuers.lab import NOW
from tongdui.cli.main import app

SECRET = b"\x1c" * 32
ACCOUNT = "0x1950290AA52781Dd6c4255467BbBeb9f773C1936"
PASSPHRASE = "通兑 correct horse"


def run(*arguments: str | Path, typed: str = "") -> typer.testing.Result:
    runner = typer.testing.CliRunner()
    return runner.invoke(app, ["signer", *map(str, arguments)], input=typed)


def result_of(ended: typer.testing.Result) -> dict[str, object]:
    assert ended.exit_code == 0, ended.output
    found: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
    return found


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    return Agency.found(tmp_path / "agency", NOW)


def accounts(agency: Agency) -> set[str]:
    return {key.address for key in open_keys(agency.folder, load_settings(agency.folder)).values()}


def test_a_key_of_another_tool_is_kept_beside_the_others(agency: Agency, tmp_path: Path) -> None:
    theirs = tmp_path / "UTC--2026-11-20--theirs"
    theirs.write_bytes(seal_keyfile(SECRET, PASSPHRASE, SCRYPT_N_LIGHT))
    before = accounts(agency)
    for _ in range(2):  # once more changes nothing
        found = result_of(run("import", agency.folder, theirs, "--json", typed=PASSPHRASE + "\n"))
        assert found["address"] == ACCOUNT
        assert accounts(agency) == before | {ACCOUNT}
    assert theirs.exists()


def test_a_wrong_passphrase_keeps_nothing(agency: Agency, tmp_path: Path) -> None:
    theirs, passphrase = tmp_path / "theirs.json", tmp_path / "passphrase"
    theirs.write_bytes(seal_keyfile(SECRET, PASSPHRASE, SCRYPT_N_LIGHT))
    before = accounts(agency)
    passphrase.write_text("correct horse\n")
    ended = run("import", agency.folder, theirs, "--passphrase-file", passphrase)
    assert "cannot be decrypted" in str(ended.exception)
    passphrase.write_text("\n")
    ended = run("import", agency.folder, theirs, "--passphrase-file", passphrase)
    assert "is empty" in str(ended.exception)
    assert accounts(agency) == before


def test_a_key_is_taken_away_under_a_passphrase(agency: Agency, tmp_path: Path) -> None:
    (account,) = accounts(agency)
    taken, passphrase = tmp_path / "taken.json", tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE + "\n")
    found = result_of(run("export", agency.folder, account.lower(), taken, "--json", "--passphrase-file", passphrase))
    assert found["address"] == account
    assert taken.stat().st_mode & 0o777 == 0o600
    assert json.loads(taken.read_text())["crypto"]["kdfparams"]["n"] == 262_144
    assert open_keyfile(taken.read_bytes(), PASSPHRASE, "taken").address == account
    before = taken.read_bytes()
    ended = run("export", agency.folder, account, taken, "--passphrase-file", passphrase)
    assert "exists already" in str(ended.exception)
    assert taken.read_bytes() == before


def test_a_passphrase_is_typed_twice_and_unknown_keys_are_refused(agency: Agency, tmp_path: Path) -> None:
    (account,) = accounts(agency)
    taken = tmp_path / "taken.json"
    ended = run("export", agency.folder, account, taken, typed=f"{PASSPHRASE}\nanother\n")
    assert ended.exit_code != 0
    assert "has no key" in str(run("export", agency.folder, ACCOUNT, taken).exception)
    assert not taken.exists()
