"""Accounts and storage under a header's state root, by eth_getProof (EIP-1186)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.chain.rpc import RpcClient
from ledger.proofs import rlp, trie
from ledger.proofs.errors import BrokenPath
from ledger.standard.keccak import keccak256

EMPTY_CODE_HASH = keccak256(b"")
_ACCOUNT_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Account:
    """What the state says of an account."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class StateProof:
    """The encoded trie nodes from a state root to an account, and from its storage root to one slot."""

    account_path: tuple[bytes, ...]
    storage_path: tuple[bytes, ...]


def fetch(rpc: RpcClient, address: bytes, slots: Sequence[int], block: int) -> Mapping[str, Any]:
    """Return the node's answer to eth_getProof. Raises RpcError."""
    keys = [f"0x{slot:064x}" for slot in slots]
    answer: Mapping[str, Any] = rpc.call("eth_getProof", ["0x" + address.hex(), keys, hex(block)])
    return answer


def nodes_of(answer: Sequence[str]) -> tuple[bytes, ...]:
    """Return the nodes of a path in a node's answer."""
    return tuple([bytes.fromhex(node[2:]) for node in answer])


def verify_account(state_root: bytes, address: bytes, path: Sequence[bytes]) -> Account:
    """Return the account that ``path`` proves under ``state_root``. Raises BrokenPath, also if there is none."""
    value = trie.verify(state_root, keccak256(address), path)
    if value is None:
        raise BrokenPath(f"the state has no account 0x{address.hex()}")
    fields = rlp.decode(value)
    if not isinstance(fields, list) or len(fields) != _ACCOUNT_FIELDS:
        raise BrokenPath("an account is not a list of four")
    nonce, balance, storage_root, code_hash = (_flat(item) for item in fields)
    return Account(rlp.decode_int(nonce), rlp.decode_int(balance), storage_root, code_hash)


def verify_slot(storage_root: bytes, slot: int, path: Sequence[bytes]) -> int:
    """Return the word that ``path`` proves for a slot, 0 if it proves that there is none. Raises BrokenPath."""
    value = trie.verify(storage_root, slot_key(slot), path)
    return 0 if value is None else rlp.decode_int(_flat(rlp.decode(value)))


def slot_key(slot: int) -> bytes:
    """Return a slot's key in the storage trie."""
    return keccak256(slot.to_bytes(32, "big"))


def storage_trie(words: Mapping[int, int]) -> trie.Trie:
    """Return the trie of a storage that has exactly these words by slot (words of 0 do not count)."""
    return trie.Trie({slot_key(slot): rlp.encode(rlp.encode_int(word)) for slot, word in words.items() if word})


def _flat(item: rlp.Decoded) -> bytes:
    if isinstance(item, list):
        raise BrokenPath("a list stands where a byte string should")
    return item
