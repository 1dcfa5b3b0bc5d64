"""One private key in a Web3 Secret Storage file, version 3: what geth, Web3Signer, Besu's tools and Foundry read too.

Files are made and opened by eth-account: AES-128-CTR under scrypt with r = 8 and p = 1, authenticated by keccak256 over
half of the derived key and the ciphertext. The format's definition:
https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/

eth-account takes a third of a second to import, so it is imported when the first file is made or opened.
"""

from __future__ import annotations

import json

from ledger.custody.errors import CannotDecrypt
from ledger.custody.signer import LocalSigner
from ledger.standard.errors import StandardError
from ledger.standard.ids import Address, to_address

SCRYPT_N_LIGHT = 1 << 12
"""For a password of 256 random bits, which nobody guesses however cheap a guess is: 4 MiB and 7 ms a key. The number is
geth's (``LightScryptN`` in accounts/keystore/passphrase.go); geth's p of 6 is not eth-account's to choose."""

SCRYPT_N_STANDARD = 1 << 18
"""For a person's passphrase: 256 MiB and half a second a guess (geth's ``StandardScryptN``, with p = 1)."""

VERSION = 3


def seal_keyfile(private_key: bytes, password: str, scrypt_n: int) -> bytes:
    """Return the text of a file that holds a private key (32 bytes) under a password, in UTF-8.

    Warning: ``SCRYPT_N_LIGHT`` is for random passwords alone; a person's passphrase takes ``SCRYPT_N_STANDARD``.
    """
    from eth_account import Account

    document = Account.encrypt(private_key, password, kdf="scrypt", iterations=scrypt_n)
    return json.dumps(document, indent=2).encode("ascii") + b"\n"


def open_keyfile(content: bytes, password: str, what: str) -> LocalSigner:
    """Return the signer whose key is in a file, whichever implementation wrote it, with scrypt or PBKDF2.

    Args:
        content: the file's text.
        password: what it was made with.
        what: names the file in the error.

    Raises:
        CannotDecrypt: the password is another, the file is damaged or of another version, or the address in it is not
            that of its key. A file may lack an address.
    """
    from eth_account import Account

    try:
        document = json.loads(content)
        if document["version"] != VERSION:
            raise CannotDecrypt(what)
        signer = LocalSigner(bytes(Account.decrypt(document, password)))
        if "address" in document and _address(document) != signer.address:
            raise CannotDecrypt(what)
    # What a file of others can do to its reader; none of it says anything about the key.
    except (ValueError, TypeError, LookupError, AttributeError, NotImplementedError, AssertionError, StandardError):
        raise CannotDecrypt(what) from None
    return signer


def keyfile_address(content: bytes, what: str) -> Address:
    """Return the account that a file names, without opening it. Raises CannotDecrypt if it names none.

    Warning: the format does not authenticate it. `open_keyfile` compares it with the key.
    """
    try:
        return _address(json.loads(content))
    except (ValueError, TypeError, LookupError, AttributeError, StandardError):
        raise CannotDecrypt(what) from None


def _address(document: dict[str, str]) -> Address:
    """The definition writes 40 digits; some implementations write 0x before them."""
    return to_address("0x" + document["address"].removeprefix("0x"))
