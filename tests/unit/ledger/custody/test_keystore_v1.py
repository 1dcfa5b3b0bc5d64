"""Folders of the keystore's first version open, and are migrated whatever interrupts it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from ledger.custody import keystore as module
from ledger.custody.errors import CannotDecrypt, KeyNotFound
from ledger.custody.keystore import Keystore
from ledger.custody.master import write_private
from ledger.errors import ConfigurationError

MASTER = b"m" * 32

# What the last release that wrote the first version made of these keys under MASTER. Never to be generated anew.
KEYS = {"deployer": b"\x0b" * 32, "issuers/volunteer": b"\x1c" * 32}
FILES = {
    "keystore.json": {
        "version": 1,
        "kdf": "scrypt",
        "n": 32768,
        "r": 8,
        "p": 1,
        "salt": "01010101010101010101010101010101",
        "check": "010202020202020202020202022215016627013ef5660b725a5cacebfc9349c5cf933d3f",
    },
    "deployer.key": {
        "version": 1,
        "address": "0xf288ECAF15790EfcAc528946963A6Db8c3f8211d",
        "secret": "01030303030303030303030303779a87456239ec14500c2cf48dec30d184e24e4185cf7036715d7b77ac384d87ed"
        "aabd66806a2da74a2db208b03985c6",
    },
    "issuers/volunteer.key": {
        "version": 1,
        "address": "0x1950290AA52781Dd6c4255467BbBeb9f773C1936",
        "secret": "01040404040404040404040404d097204a37fb9f2207962ec0ae0d944146725205c051fff3e5b200abb5ed434ce9"
        "3060b22c4e0475aec9e92fb2c68596",
    },
}


def put(folder: Path, name: str, to: str | None = None) -> None:
    path = folder / (to or name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, json.dumps(FILES[name], indent=2).encode() + b"\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the first version."""
    for name in FILES:
        put(tmp_path, name)
    return tmp_path


def versions(folder: Path) -> dict[str, int]:
    """Each file's version; drafts that a crash left are hidden files of other names."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): json.loads(path.read_text())["version"] for path in files}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def opened(store: Keystore) -> dict[str, bytes]:
    return {name: store.get(name).private_key for name in store.names()}


MIGRATED = {"keystore.json": 2, "deployer.key": 3, "issuers/volunteer.key": 3}


def test_the_first_version_opens_and_is_migrated(folder: Path) -> None:
    store = Keystore(folder, MASTER)
    assert opened(store) == KEYS
    assert store.address("deployer") == FILES["deployer.key"]["address"]
    assert versions(folder) == MIGRATED
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert opened(Keystore(folder, MASTER)) == KEYS


def test_a_migrated_folder_is_not_written_again(folder: Path) -> None:
    Keystore(folder, MASTER)
    before = contents(folder)
    Keystore(folder, MASTER)
    assert contents(folder) == before


class PowerCut(Exception):
    """The process ended here."""


@pytest.mark.parametrize("whole", [0, 1, 2])
@pytest.mark.parametrize("drafted", [False, True])
def test_a_migration_that_was_cut_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, whole: int, drafted: bool
) -> None:
    """The power goes after some files were replaced, before or after the next one's draft was written."""
    written: list[Path] = []

    def cut(path: Path, content: bytes, *, exclusive: bool = False) -> None:
        if len(written) == whole:
            if drafted:
                path.with_name(f".{path.name}.1.aa").write_bytes(content)
            raise PowerCut
        written.append(path)
        write_private(path, content, exclusive=exclusive)

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_private", cut)
        with pytest.raises(PowerCut):
            Keystore(folder, MASTER)
    assert sorted(versions(folder).values()) == sorted([1, *[1] * (2 - whole), *[3] * whole])
    assert opened(Keystore(folder, MASTER)) == KEYS
    assert versions(folder) == MIGRATED


def test_a_key_that_does_not_come_back_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is opened before it replaces the only copy."""
    seal = module.seal_keyfile
    monkeypatch.setattr(module, "seal_keyfile", lambda _key, password, n: seal(b"\x07" * 32, password, n))
    before = contents(folder)
    with pytest.raises(CannotDecrypt):
        Keystore(folder, MASTER)
    assert contents(folder) == before


def test_another_master_key_migrates_nothing(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(CannotDecrypt):
        Keystore(folder, b"n" * 32)
    assert contents(folder) == before


def test_unknown_parameters_are_refused(folder: Path) -> None:
    path = folder / "keystore.json"
    path.write_text(json.dumps(FILES["keystore.json"] | {"n": 1024}))
    with pytest.raises(ConfigurationError):
        Keystore(folder, MASTER)
    assert versions(folder)["deployer.key"] == 1


def test_a_file_moved_to_another_name_is_refused_as_before(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It does not keep the others from being migrated."""
    put(folder, "deployer.key", "finance.key")
    with caplog.at_level(logging.WARNING):
        store = Keystore(folder, MASTER)
    assert "finance.key" in caplog.text
    assert KEYS["deployer"].hex() not in caplog.text
    with pytest.raises(CannotDecrypt):
        store.get("finance")
    assert {name: store.get(name).private_key for name in KEYS} == KEYS
    assert versions(folder) == MIGRATED | {"finance.key": 1}


def test_a_damaged_file_is_refused_alone(folder: Path) -> None:
    (folder / "issuers" / "volunteer.key").write_text("{")
    put(folder, "deployer.key", "No Name.key")
    store = Keystore(folder, MASTER)
    assert store.get("deployer").private_key == KEYS["deployer"]
    with pytest.raises(CannotDecrypt):
        store.get("issuers/volunteer")


def test_a_file_that_comes_back_from_a_backup_opens(folder: Path) -> None:
    """The folder's salt is kept for it."""
    Keystore(folder, MASTER)
    (folder / "issuers" / "volunteer.key").unlink()
    with pytest.raises(KeyNotFound):
        Keystore(folder, MASTER).get("issuers/volunteer")
    put(folder, "issuers/volunteer.key")
    assert opened(Keystore(folder, MASTER)) == KEYS
    assert versions(folder) == MIGRATED
