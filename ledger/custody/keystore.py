"""A folder of private keys: issuers, relayers, the deployer. One Web3 Secret Storage file a key, under the master key.

The file of a key ``issuers/volunteer`` is ``issuers/volunteer.key`` (see `ledger.custody.keyfile`). Its password is
`key_password`: 64 hexadecimal digits that are derived from the master key and the key's name. So another implementation
opens the file with what OpenSSL computes from the master key's file::

    openssl kdf -keylen 32 -binary -kdfopt digest:SHA2-256 -kdfopt hexkey:$(cat master.key) \\
      -kdfopt info:"tongdui key issuers/volunteer" HKDF | od -An -v -tx1 | tr -d ' \\n'

The format authenticates no name; the password does: a file that is moved to another name has another's password there
and is refused. ``keystore.json`` holds a value by which another master key is noticed before it makes a key.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.custody import keystore_v1
from ledger.custody.errors import CannotDecrypt, KeyExists, KeyNotFound
from ledger.custody.keyfile import SCRYPT_N_LIGHT, keyfile_address, open_keyfile, seal_keyfile
from ledger.custody.keystore_v1 import KeystoreV1
from ledger.custody.master import KEY_BYTES, RandomBytes, write_private
from ledger.custody.signer import Document, LocalSigner
from ledger.errors import ConfigurationError
from ledger.standard.ids import Address

_VERSION = 2
_CHECK = "tongdui keystore"
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*")


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file's text and the key in it, so that scrypt runs once a file and not once a signature."""

    content: bytes
    signer: LocalSigner = field(repr=False)


class Keystore:
    """Named private keys. A name is lower-case words and digits with hyphens, in folders: ``issuers/volunteer``."""

    def __init__(self, directory: Path, master_key: bytes, random: RandomBytes = os.urandom) -> None:
        """Open or create the folder; a folder of the first version is migrated.

        Raises:
            CannotDecrypt: another master key made it.
            ConfigurationError: its version is unknown, or the master key is not 32 bytes. A passphrase is none: the
                files' light scrypt is for random keys.
        """
        if len(master_key) != KEY_BYTES:
            raise ConfigurationError(f"the keystore {directory} is opened by a master key of {KEY_BYTES} random bytes")
        self._directory = directory
        self._master_key = master_key
        self._random = random
        self._opened: dict[str, _Opened] = {}
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / "keystore.json"
        if not path.exists():
            write_private(path, self._header(None), exclusive=True)
        header = json.loads(path.read_text(encoding="ascii"))
        version = header.get("version")
        if version == keystore_v1.VERSION:
            old = KeystoreV1(master_key, header)
            old.check(str(path))
            self._migrate(old)
            write_private(path, self._header(header))
        elif version == _VERSION:
            if not hmac.compare_digest(bytes.fromhex(header["check"]), _derive(master_key, _CHECK)):
                raise CannotDecrypt(str(path))
            if "migrated_from" in header:  # a file of the first version may come back from a backup
                self._migrate(KeystoreV1(master_key, header["migrated_from"]))
        else:
            raise ConfigurationError(f"{path}: unknown keystore version")

    def get(self, name: str) -> LocalSigner:
        """Return the signer of a name. Raises KeyNotFound or CannotDecrypt."""
        path = self._path(name)
        content = self._read(name)
        opened = self._opened.get(name)
        if opened is None or opened.content != content:
            opened = _Opened(content, open_keyfile(content, key_password(self._master_key, name), str(path)))
            self._opened[name] = opened
        return opened.signer

    def get_or_create(self, name: str) -> LocalSigner:
        """Return the signer of a name, generating a random key if there is none."""
        try:
            return self.get(name)
        except KeyNotFound:
            self._store(name, generate_private_key(self._random))
            return self.get(name)  # another process may have been first: its key is the one in the file

    def signer(self, name: str) -> KeptSigner:
        """Return the signer of a name, whose file is opened at its first signature, so that a process that signs
        nothing pays for no scrypt. Raises KeyNotFound, or CannotDecrypt for what is no key file."""
        return KeptSigner(self, name)

    def put(self, name: str, private_key: bytes) -> LocalSigner:
        """Keep a key that was made elsewhere. Raises KeyExists if the name has another key."""
        self._store(name, private_key)
        signer = self.get(name)
        if not hmac.compare_digest(signer.private_key, private_key):
            raise KeyExists(name)
        return signer

    def address(self, name: str) -> Address:
        """Return the account of a name without decrypting anything. Raises KeyNotFound, or CannotDecrypt if its file
        names none."""
        return keyfile_address(self._read(name), str(self._path(name)))

    def names(self, prefix: str = "") -> list[str]:
        """Return the names that start with ``prefix``, in order."""
        found = (path.relative_to(self._directory).with_suffix("") for path in self._directory.rglob("*.key"))
        return sorted(name for name in map(str, found) if name.startswith(prefix))

    def _store(self, name: str, private_key: bytes) -> None:
        path = self._path(name)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = self._seal(name, private_key)
        write_private(path, content, exclusive=True)
        self._opened[name] = _Opened(content, LocalSigner(private_key))  # counts only if the file has this text

    def _seal(self, name: str, private_key: bytes) -> bytes:
        return seal_keyfile(private_key, key_password(self._master_key, name), SCRYPT_N_LIGHT)

    def _read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise KeyNotFound(name) from None

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"key name {name!r}: use lower-case words, digits, hyphens and slashes")
        return self._directory / f"{name}.key"

    def _header(self, migrated_from: keystore_v1.Header | None) -> bytes:
        content: dict[str, object] = {"version": _VERSION, "check": _derive(self._master_key, _CHECK).hex()}
        if migrated_from is not None:
            content["migrated_from"] = migrated_from
        return json.dumps(content, indent=2).encode() + b"\n"

    def _migrate(self, old: KeystoreV1) -> None:
        """Replace every file of the first version. A crash leaves each file whole, in one version or the other, and the
        next opening goes on; what cannot be opened stays as it is, for `get` to refuse."""
        for name in self.names():
            path = self._directory / f"{name}.key"
            private_key = old.read(name, path)
            if private_key is None:
                continue
            content = self._seal(name, private_key)
            again = open_keyfile(content, key_password(self._master_key, name), str(path))
            if not hmac.compare_digest(again.private_key, private_key):
                raise CannotDecrypt(str(path))  # before the only copy is replaced
            write_private(path, content)


class KeptSigner:
    """A key of the keystore that is opened at its first signature, and stays open. Safe to share between threads.

    The account is the one that the file names. Nothing authenticates it until the key is opened, which is refused if
    its account is another: nothing is ever signed for an account that was not announced.
    """

    __slots__ = ("_name", "_opened", "_store", "address")

    def __init__(self, store: Keystore, name: str) -> None:
        """Read the file, and open it only if it names no account. Raises KeyNotFound or CannotDecrypt."""
        self._store = store
        self._name = name
        self._opened: LocalSigner | None = None
        try:
            self.address: Address = store.address(name)
        except CannotDecrypt:
            self.address = store.get(name).address

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes r | s | v. Raises KeyNotFound or CannotDecrypt at the first call."""
        return self._key().sign_digest(digest)

    def sign_typed(self, preimage: bytes, document: Document) -> bytes:
        """Return 65 bytes r | s | v over the keccak of ``preimage``. Raises as `sign_digest`."""
        return self._key().sign_typed(preimage, document)

    def _key(self) -> LocalSigner:
        opened = self._opened
        if opened is None:
            opened = self._store.get(self._name)
            if opened.address != self.address:  # the file was replaced by that of another key
                raise CannotDecrypt(self._name)
            self._opened = opened
        return opened

    def __repr__(self) -> str:
        return f"KeptSigner({self.address})"


def key_password(master_key: bytes, name: str) -> str:
    """Return the password of a key's file: HKDF-SHA256 (RFC 5869) of the master key without salt, with the info
    ``tongdui key NAME``, as 64 lower-case hexadecimal digits."""
    return _derive(master_key, f"tongdui key {name}").hex()


def generate_private_key(random: RandomBytes = os.urandom) -> bytes:
    """Return 32 random bytes that are a key of secp256k1: from 1 to the order less one (SEC 2, 2.4.1)."""
    while True:
        secret = random(32)
        if 0 < int.from_bytes(secret, "big") < _ORDER:
            return secret


def _derive(master_key: bytes, info: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info.encode()).derive(master_key)
