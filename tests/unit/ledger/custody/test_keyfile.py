"""Web3 Secret Storage: the definition's vectors, files of other tools, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from typing import Any

import pytest

from ledger.custody.errors import CannotDecrypt
from ledger.custody.keyfile import (
    SCRYPT_N_LIGHT,
    SCRYPT_N_STANDARD,
    keyfile_address,
    open_keyfile,
    seal_keyfile,
)

SECRET = b"\x1c" * 32
ADDRESS = "0x1950290AA52781Dd6c4255467BbBeb9f773C1936"
PASSWORD = "ed7debc39c47886bd499c943e63a89e2755975ca686086c495fcc9c4acae1cb9"


def document(cipher_iv: str, ciphertext: str, kdf: str, kdf_params: dict[str, Any], mac: str) -> dict[str, Any]:
    """A file as the definition has it, without an address."""
    return {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": cipher_iv},
            "ciphertext": ciphertext,
            "kdf": kdf,
            "kdfparams": kdf_params,
            "mac": mac,
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    }


# The two vectors of the format's definition, password "testpassword".
DEFINITION_SECRET = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
DEFINITION_ADDRESS = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"
PBKDF2 = document(
    "6087dab2f9fdbbfaddc31a909735c1e6",
    "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    "pbkdf2",
    {
        "c": 262144,
        "dklen": 32,
        "prf": "hmac-sha256",
        "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
    },
    "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
)
SCRYPT = document(
    "83dbcc02d8ccb40e466191a123791e0e",
    "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
    "scrypt",
    {
        "dklen": 32,
        "n": 262144,
        "p": 8,
        "r": 1,
        "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
    },
    "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
)

# SECRET under "correct horse", by geth 1.14.12 (light scrypt) and by cast 1.7.1 (`cast wallet import`).
GETH = document(
    "7ccbbe27d1c2f186d979d70edea97b9b",
    "e6c25ce9ae221626a25ade80ad1819f983906d34a7dbe2702dfa7688f1aceef1",
    "scrypt",
    {
        "dklen": 32,
        "n": 4096,
        "p": 6,
        "r": 8,
        "salt": "7677693fb4aed55ebb1ba65a6b1db7cd6f2b2f6835c72feef967f3112eb038a6",
    },
    "4d22a293d5f87afa756772117dbdcb99808451c754e0192005df9040da13916b",
) | {"address": "1950290aa52781dd6c4255467bbbeb9f773c1936"}
FOUNDRY = document(
    "c71745ed762ba70ec4a5faea6ff7df9b",
    "ae71fd1410731b5b6bf2899fbfbabe8583b509591605c18212d4a69948941336",
    "scrypt",
    {
        "dklen": 32,
        "n": 8192,
        "p": 1,
        "r": 8,
        "salt": "4c705497b195eab979f89829228cceeefc93a2160a19b95780370eeccd19f420",
    },
    "d70ff6ac383a52e2c4303120727722e0c79fed698d2fb30f212b5daee972805e",
)


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("vector", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_the_vectors_of_the_definition_open(vector: dict[str, Any]) -> None:
    signer = open_keyfile(text(vector), "testpassword", "the vector")
    assert signer.private_key.hex() == DEFINITION_SECRET
    assert signer.address == DEFINITION_ADDRESS


@pytest.mark.parametrize("theirs", [GETH, FOUNDRY], ids=["geth", "foundry"])
def test_files_of_other_tools_open(theirs: dict[str, Any]) -> None:
    signer = open_keyfile(text(theirs), "correct horse", "theirs")
    assert (signer.private_key, signer.address) == (SECRET, ADDRESS)
    with pytest.raises(CannotDecrypt):
        open_keyfile(text(theirs), "correct horse ", "theirs")


@pytest.mark.parametrize(("scrypt_n", "password"), [(SCRYPT_N_LIGHT, PASSWORD), (SCRYPT_N_STANDARD, "通兑 passphrase")])
def test_a_sealed_key_opens_with_its_password_alone(scrypt_n: int, password: str) -> None:
    sealed = seal_keyfile(SECRET, password, scrypt_n)
    made = json.loads(sealed)
    assert made["version"] == 3
    assert made["crypto"]["kdf"] == "scrypt"
    kdf_params = made["crypto"]["kdfparams"]
    assert {name: kdf_params[name] for name in ("n", "r", "p", "dklen")} == {"n": scrypt_n, "r": 8, "p": 1, "dklen": 32}
    assert SECRET.hex() not in sealed.decode()
    assert keyfile_address(sealed, "ours") == ADDRESS
    assert open_keyfile(sealed, password, "ours").private_key == SECRET
    with pytest.raises(CannotDecrypt):
        open_keyfile(sealed, password[:-1], "ours")


def test_a_passphrase_costs_what_geth_asks_of_one() -> None:
    """geth's StandardScryptN, and its LightScryptN for random passwords (accounts/keystore/passphrase.go)."""
    assert (SCRYPT_N_STANDARD, SCRYPT_N_LIGHT) == (262_144, 4_096)


def test_the_kind_of_encryption_is_ours_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    """eth-account has an environment variable for it."""
    monkeypatch.setenv("ETH_ACCOUNT_KDF", "pbkdf2")
    assert json.loads(seal_keyfile(SECRET, PASSWORD, SCRYPT_N_LIGHT))["crypto"]["kdf"] == "scrypt"


def changed(**crypto: Any) -> dict[str, Any]:
    return GETH | {"crypto": {**GETH["crypto"], **crypto}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b"[3]",
        text({"version": 3}),
        text(GETH | {"version": 4}),
        text(GETH | {"version": "3"}),
        text(GETH | {"crypto": None}),
        text(GETH | {"address": "00" * 20}),
        text(GETH | {"address": 7}),
        text(changed(mac="00" * 32)),
        text(changed(mac="no digits")),
        text(changed(ciphertext="00" * 32)),
        text(changed(kdf="argon2id")),
        text(changed(kdfparams={})),
        text(changed(kdfparams={**GETH["crypto"]["kdfparams"], "n": 4095})),
        text(changed(kdfparams={**GETH["crypto"]["kdfparams"], "p": 5})),
        text(changed(kdf="pbkdf2", kdfparams={**PBKDF2["crypto"]["kdfparams"], "prf": "md5"})),
    ],
)
def test_what_is_changed_or_unknown_is_refused(content: bytes) -> None:
    with pytest.raises(CannotDecrypt, match="some file"):
        open_keyfile(content, "correct horse", "some file")


def test_a_changed_iv_is_found_by_the_address() -> None:
    """The format's MAC does not cover the IV: another IV opens to another key."""
    other = changed(cipherparams={"iv": "00" * 16})
    with pytest.raises(CannotDecrypt):
        open_keyfile(text(other), "correct horse", "theirs")


def test_a_refusal_shows_neither_key_nor_password() -> None:
    passphrase = "correct" + " " + "horse"  # the traceback shows this file's lines too
    with pytest.raises(CannotDecrypt) as caught:
        open_keyfile(text(GETH | {"address": "00" * 20}), passphrase, "theirs")
    shown = "".join(traceback.format_exception(caught.value))
    assert "theirs" in shown
    for hidden in (passphrase, repr(SECRET), SECRET.hex()):
        assert hidden not in shown


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"address": 7}', b'{"address": "12"}'])
def test_a_file_without_an_address_names_none(content: bytes) -> None:
    with pytest.raises(CannotDecrypt):
        keyfile_address(content, "some file")


def test_eth_account_is_loaded_with_the_first_key_and_not_before() -> None:
    """It takes a third of a second, which commands that open no key should not wait for."""
    check = (
        "import sys, ledger.custody.keystore, ledger.custody.custodian\n"
        "sys.exit(bool({'eth_account', 'eth_keyfile', 'web3'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], timeout=60, check=False).returncode == 0
