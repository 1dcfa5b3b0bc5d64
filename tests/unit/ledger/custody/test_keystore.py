"""Keys in a folder: who can read them, what is refused, what other tools need to open them."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import pytest
from eth_account import Account

from ledger.custody.errors import CannotDecrypt, KeyExists, KeyNotFound
from ledger.custody.keyfile import open_keyfile
from ledger.custody.keystore import Keystore, generate_private_key, key_password
from ledger.custody.signer import LocalSigner
from ledger.errors import ConfigurationError
from ledger.standard.signatures import recover

MASTER = b"m" * 32


def test_a_key_is_drawn_once_and_signs_for_its_address(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    signer = store.get_or_create("issuers/volunteer")
    again = Keystore(tmp_path, MASTER).get_or_create("issuers/volunteer")
    assert again.address == signer.address == store.address("issuers/volunteer")
    assert recover(b"d" * 32, again.sign_digest(b"d" * 32)) == signer.address
    assert signer.private_key.hex() not in (tmp_path / "issuers" / "volunteer.key").read_text()
    assert signer.private_key.hex() not in repr(signer)


def test_keys_are_listed_by_folder(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    for name in ("relayers/2", "relayers/1", "deployer"):
        store.get_or_create(name)
    assert store.names() == ["deployer", "relayers/1", "relayers/2"]
    assert store.names("relayers/") == ["relayers/1", "relayers/2"]


def test_an_unknown_key_is_not_found(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    with pytest.raises(KeyNotFound):
        store.get("nobody")
    with pytest.raises(KeyNotFound):
        store.address("nobody")


def test_another_master_key_opens_nothing(tmp_path: Path) -> None:
    Keystore(tmp_path, MASTER).get_or_create("deployer")
    with pytest.raises(CannotDecrypt):
        Keystore(tmp_path, b"n" * 32)


@pytest.mark.parametrize("passphrase", [b"", b"correct horse", MASTER + b"m"])
def test_a_passphrase_is_no_master_key(tmp_path: Path, passphrase: bytes) -> None:
    """The files' light scrypt would not protect it."""
    with pytest.raises(ConfigurationError, match="32 random bytes"):
        Keystore(tmp_path / "keys", passphrase)
    assert not (tmp_path / "keys").exists()


def test_a_name_keeps_its_key(tmp_path: Path) -> None:
    store, secret = Keystore(tmp_path, MASTER), generate_private_key()
    assert store.put("bureau", secret).private_key == secret
    assert store.put("bureau", secret).private_key == secret
    with pytest.raises(KeyExists):
        store.put("bureau", generate_private_key())


@pytest.mark.parametrize("name", ["../escape", "Upper", "", "a//b", "a/../b", "a.key"])
def test_names_are_no_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        Keystore(tmp_path, MASTER).get_or_create(name)


def test_a_key_file_moved_to_another_name_is_refused(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    store.get_or_create("one")
    (tmp_path / "two.key").write_text((tmp_path / "one.key").read_text())
    with pytest.raises(CannotDecrypt):
        store.get("two")


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    Keystore(tmp_path, MASTER)
    header = tmp_path / "keystore.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"version": 3}))
    with pytest.raises(ConfigurationError):
        Keystore(tmp_path, MASTER)


def test_a_drawn_key_that_is_none_is_drawn_again() -> None:
    draws = iter([b"\0" * 32, b"\xff" * 32, b"\x01" * 32])
    assert generate_private_key(lambda _size: next(draws)) == b"\x01" * 32


def test_the_password_is_what_the_docstring_lets_openssl_compute() -> None:
    """openssl kdf -keylen 32 -kdfopt digest:SHA2-256 -kdfopt hexkey:6d…6d -kdfopt info:"tongdui key …" HKDF"""
    expected = "ed7debc39c47886bd499c943e63a89e2755975ca686086c495fcc9c4acae1cb9"
    assert key_password(MASTER, "issuers/volunteer") == expected


def test_a_file_opens_with_eth_account_given_the_master_key(tmp_path: Path) -> None:
    signer = Keystore(tmp_path, MASTER).get_or_create("issuers/volunteer")
    text = (tmp_path / "issuers" / "volunteer.key").read_text()
    assert Account.decrypt(text, key_password(MASTER, "issuers/volunteer")) == signer.private_key
    scrypt = json.loads(text)["crypto"]["kdfparams"]
    assert (scrypt["n"], scrypt["r"], scrypt["p"]) == (4096, 8, 1)


def test_the_header_is_no_password_of_a_key(tmp_path: Path) -> None:
    Keystore(tmp_path, MASTER)
    check = json.loads((tmp_path / "keystore.json").read_text())["check"]
    assert check not in {key_password(MASTER, name) for name in ("keystore", "key", "check", "")}


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    Keystore(tmp_path, MASTER).get_or_create("issuers/volunteer")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["keystore.json", "volunteer.key"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_key_is_opened_once_while_its_file_stays_the_same(tmp_path: Path) -> None:
    Keystore(tmp_path, MASTER).get_or_create("deployer")
    store = Keystore(tmp_path, MASTER)
    signer = store.get("deployer")
    assert store.get("deployer") is signer
    path = tmp_path / "deployer.key"
    whole = path.read_text()
    path.write_text(whole.replace('"mac": "', '"mac": "00'))
    with pytest.raises(CannotDecrypt):
        store.get("deployer")
    path.unlink()
    with pytest.raises(KeyNotFound):
        store.get("deployer")


def test_of_two_processes_that_generate_a_key_at_once_both_use_the_first(tmp_path: Path) -> None:
    other = Keystore(tmp_path, MASTER)

    def beaten(size: int) -> bytes:
        other.get_or_create("deployer")
        return os.urandom(size)

    assert Keystore(tmp_path, MASTER, beaten).get_or_create("deployer").address == other.get("deployer").address


def test_a_key_put_beside_another_process_is_refused_if_it_differs(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    kept = Keystore(tmp_path, MASTER).get_or_create("bureau")
    with pytest.raises(KeyExists):
        store.put("bureau", generate_private_key())
    assert store.get("bureau").private_key == kept.private_key


def test_a_refusal_shows_neither_key_nor_password(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    secret = store.get_or_create("one").private_key
    (tmp_path / "two.key").write_text((tmp_path / "one.key").read_text())
    with pytest.raises(CannotDecrypt) as caught:
        store.get("two")
    shown = "".join(traceback.format_exception(caught.value))
    for hidden in (secret.hex(), repr(secret), MASTER.hex(), repr(MASTER), key_password(MASTER, "two")):
        assert hidden not in shown


def test_a_key_that_is_opened_at_its_first_signature_signs_as_one_that_was_opened_at_once(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    opened = store.get_or_create("issuers/volunteer")
    kept = Keystore(tmp_path, MASTER).signer("issuers/volunteer")
    assert kept.address == opened.address
    assert kept.sign_digest(b"d" * 32) == opened.sign_digest(b"d" * 32)
    assert kept.sign_typed(b"text", dict) == opened.sign_typed(b"text", dict)
    assert opened.private_key.hex() not in repr(kept)
    with pytest.raises(KeyNotFound):
        store.signer("issuers/nobody")


def test_nothing_is_opened_before_the_first_signature_and_then_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Keystore(tmp_path, MASTER).get_or_create("deployer")
    opened: list[str] = []

    def counting(content: bytes, password: str, what: str) -> LocalSigner:
        opened.append(what)
        return open_keyfile(content, password, what)

    monkeypatch.setattr("ledger.custody.keystore.open_keyfile", counting)
    kept = Keystore(tmp_path, MASTER).signer("deployer")
    assert kept.address.startswith("0x")
    assert opened == []
    kept.sign_digest(b"d" * 32)
    kept.sign_digest(b"e" * 32)
    assert opened == [str(tmp_path / "deployer.key")]


def test_a_key_that_cannot_be_opened_signs_nothing(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    store.get_or_create("one")
    (tmp_path / "two.key").write_text((tmp_path / "one.key").read_text())
    kept = store.signer("two")
    with pytest.raises(CannotDecrypt):
        kept.sign_digest(b"d" * 32)


def test_a_key_that_replaced_another_since_does_not_sign_for_it(tmp_path: Path) -> None:
    store = Keystore(tmp_path / "here", MASTER)
    store.get_or_create("one")
    kept = store.signer("one")
    Keystore(tmp_path / "elsewhere", MASTER).get_or_create("one")
    (tmp_path / "here" / "one.key").write_bytes((tmp_path / "elsewhere" / "one.key").read_bytes())
    with pytest.raises(CannotDecrypt):
        kept.sign_digest(b"d" * 32)
    assert store.signer("one").address != kept.address


def test_a_file_without_an_account_is_opened_for_it(tmp_path: Path) -> None:
    """The format lets other implementations leave it out."""
    store = Keystore(tmp_path, MASTER)
    address = store.get_or_create("one").address
    path = tmp_path / "one.key"
    document = json.loads(path.read_text())
    del document["address"]
    path.write_text(json.dumps(document))
    assert store.signer("one").address == address


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 3}', "\x00"])
def test_a_file_that_is_no_key_file_is_refused(tmp_path: Path, content: str) -> None:
    store = Keystore(tmp_path, MASTER)
    (tmp_path / "one.key").write_text(content)
    with pytest.raises(CannotDecrypt):
        store.get("one")
    with pytest.raises(CannotDecrypt):
        store.address("one")
    with pytest.raises(CannotDecrypt):
        store.signer("one")
