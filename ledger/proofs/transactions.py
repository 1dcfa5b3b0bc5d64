"""Transactions of a block, as a node gives them and as the transactions trie holds them; and who signed each.

Types 0 (EIP-155 and before), 1 (EIP-2930) and 2 (EIP-1559): ours are of type 0, others may stand in the same block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.proofs import rlp
from ledger.proofs.errors import BadTransactionBytes
from ledger.proofs.receipts import key_of
from ledger.proofs.trie import Trie
from ledger.standard.errors import BadSignature
from ledger.standard.ids import AccountBytes, address_bytes
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import recover

_LEGACY, _ACCESS_LIST, _DYNAMIC_FEE = range(3)
_V_BEFORE_EIP155 = (27, 28)
_V_EIP155 = 35


def encode(transaction: Mapping[str, Any]) -> bytes:
    """Return a transaction as the trie holds it. Raises BadTransactionBytes for a type or member that is not known."""
    kind = _kind(transaction)
    items = [*_unsigned(transaction, kind), *(rlp.encode_int(part) for part in _signature(transaction, kind))]
    return _typed(kind, rlp.encode(items))


def trie_of(transactions: Sequence[Mapping[str, Any]]) -> Trie:
    """Return the trie of a block's transactions, in their order. Raises BadTransactionBytes."""
    return Trie({key_of(index): encode(transaction) for index, transaction in enumerate(transactions)})


def sender_of(transaction: Mapping[str, Any]) -> AccountBytes:
    """Return the account that signed a transaction, whatever the node calls its sender. Raises BadTransactionBytes."""
    kind = _kind(transaction)
    items = list(_unsigned(transaction, kind))
    v, r, s = _signature(transaction, kind)
    parity = v
    if kind == _LEGACY and v in _V_BEFORE_EIP155:
        parity = v - 27
    elif kind == _LEGACY:
        chain_id, parity = divmod(v - _V_EIP155, 2)
        items += [rlp.encode_int(max(0, chain_id)), b"", b""]
    digest = keccak256(_typed(kind, rlp.encode(items)))
    try:
        return address_bytes(recover(digest, r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])))
    except (BadSignature, OverflowError, ValueError) as error:
        raise BadTransactionBytes("its signature is nobody's") from error


def _kind(transaction: Mapping[str, Any]) -> int:
    kind = int(transaction.get("type") or "0x0", 16)
    if kind not in (_LEGACY, _ACCESS_LIST, _DYNAMIC_FEE):
        raise BadTransactionBytes(f"its type is {kind}")
    return kind


def _typed(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + body if kind else body


def _unsigned(transaction: Mapping[str, Any], kind: int) -> list[rlp.Item]:
    """The members that are signed, but for the chain id that EIP-155 appends."""
    try:
        nonce, gas, value = (_number(transaction, name) for name in ("nonce", "gas", "value"))
        target = bytes.fromhex((transaction.get("to") or "0x")[2:])
        body: list[rlp.Item] = [gas, target, value, bytes.fromhex(transaction["input"][2:])]
        if kind == _LEGACY:
            return [nonce, _number(transaction, "gasPrice"), *body]
        listed: list[rlp.Item] = [
            [bytes.fromhex(entry["address"][2:]), [bytes.fromhex(key[2:]) for key in entry["storageKeys"]]]
            for entry in transaction["accessList"]
        ]
        chain_id = _number(transaction, "chainId")
        if kind == _ACCESS_LIST:
            return [chain_id, nonce, _number(transaction, "gasPrice"), *body, listed]
        fees = [_number(transaction, name) for name in ("maxPriorityFeePerGas", "maxFeePerGas")]
        return [chain_id, nonce, *fees, *body, listed]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadTransactionBytes(f"a member is missing or malformed: {error!r}") from error


def _signature(transaction: Mapping[str, Any], kind: int) -> tuple[int, int, int]:
    try:
        parity = transaction.get("yParity") if kind else None
        return (
            int(transaction["v"] if parity is None else parity, 16),
            int(transaction["r"], 16),
            int(transaction["s"], 16),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadTransactionBytes(f"its signature is missing or malformed: {error!r}") from error


def _number(transaction: Mapping[str, Any], name: str) -> bytes:
    return rlp.encode_int(int(transaction[name], 16))
