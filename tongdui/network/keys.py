"""An agency's keys: made in its folder, never in another, and never printed.

A geth validator has two: the key its peers know, and the sealing key in a Web3 Secret Storage file. A Besu validator
has one for both.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from ledger.custody.keyfile import SCRYPT_N_LIGHT, seal_keyfile
from ledger.custody.keystore import generate_private_key
from ledger.custody.master import write_private
from ledger.standard.ids import Address
from ledger.standard.signatures import SigningKey
from tongdui.network.errors import BadNetwork
from tongdui.network.plan import PUBLIC_FILE, EngineKind, Member, Ports, member_to_json

KEYS = "keys"
NODE_KEY = "node.key"
SEALING_KEYS = "sealing"
PASSWORD = "password"  # noqa: S105  (a file's name)


def make_member(folder: Path, name: str, host: str, ports: Ports, engine: EngineKind, *, seals: bool = True) -> Member:
    """Make a node's keys in ``folder``/keys (mode 0700) and its public half in ``folder``; return that.

    Raises BadNetwork where there are keys already: whoever loses a validator's key waits for the others' vote.
    """
    keys = folder / KEYS
    if keys.exists():
        raise BadNetwork(f"{keys} exists; keys are never overwritten")
    keys.mkdir(parents=True, mode=0o700)
    node = SigningKey(secret := generate_private_key())
    write_private(keys / NODE_KEY, secret.hex().encode("ascii"))
    account: Address | None = None
    if seals and engine is EngineKind.BESU:
        account = node.address
    elif seals:
        account = _sealing_key(keys)
    member = Member(name, host, ports, node.public_key.hex(), account)
    (folder / PUBLIC_FILE).write_bytes(member_to_json(member))
    return member


def _sealing_key(keys: Path) -> Address:
    secret = generate_private_key()
    address = SigningKey(secret).address
    password = secrets.token_hex(32)
    (keys / SEALING_KEYS).mkdir(mode=0o700)
    write_private(keys / SEALING_KEYS / f"{address[2:].lower()}.json", seal_keyfile(secret, password, SCRYPT_N_LIGHT))
    write_private(keys / PASSWORD, password.encode("ascii"))
    return address
