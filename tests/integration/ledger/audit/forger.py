"""A chain that was forged and hashed again: what a node shows whose validators, or whose owner, lie consistently.

Transactions and receipts are changed, and every root, header hash and link from there on is computed anew, so that
nothing but the rules of what was signed can tell. State stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ledger.chain.transactions import sign_legacy
from ledger.proofs import receipts, seals, transactions
from ledger.proofs.headers import Header, from_rpc
from ledger.proofs.layout import Layout
from ledger.standard.ids import Address
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey

Change = Callable[[dict[str, Any], dict[str, Any]], None]
"""Changes a transaction and its receipt in place."""


class LyingNode:
    """A node's RPC with a lie in some answers; stands in for `RpcClient` in the auditor."""

    def __init__(self, rpc: Any, lie: Callable[[str, Any, Any], Any]) -> None:
        self._rpc = rpc
        self._lie = lie

    def call(self, method: str, params: Any = (), **options: Any) -> Any:
        return self._lie(method, params, copy.deepcopy(self._rpc.call(method, params, **options)))

    def batch(self, calls: Any, **options: Any) -> list[Any]:
        answers = copy.deepcopy(self._rpc.batch(calls, **options))
        return [self._lie(method, params, answer) for (method, params), answer in zip(calls, answers, strict=True)]


def forged_chain(rpc: Any, change: Change) -> LyingNode:
    """Return the chain behind ``rpc`` with a change of its transactions, hashed again from block 1 on."""
    height = int(rpc.call("eth_blockNumber"), 16)
    blocks: dict[int, dict[str, Any]] = {}
    given: dict[int, list[dict[str, Any]]] = {}
    parent: bytes | None = None
    for number in range(1, height + 1):
        block = rpc.call("eth_getBlockByNumber", [hex(number), True])
        fields = len(seals.checked_header(block)[0].fields)
        listed = rpc.call("eth_getBlockReceipts", [hex(number)]) if block["transactions"] else []
        for transaction, receipt in zip(block["transactions"], listed, strict=True):
            change(transaction, receipt)
        parent = _hash_again(block, listed, parent, fields)
        blocks[number], given[number] = block, listed

    def lie(method: str, params: Any, answer: Any) -> Any:
        if method == "eth_getBlockByNumber" and answer is not None:
            return _block(blocks[int(answer["number"], 16)], full=bool(params[1]))
        if method == "eth_getBlockReceipts":
            return given[int(params[0], 16)]
        return answer

    return LyingNode(rpc, lie)


def resign(transaction: dict[str, Any], key: SigningKey, data: bytes) -> None:
    """Give a transaction other bytes, signed by its sender again."""
    chain_id = int(transaction["chainId"], 16)
    nonce, gas = int(transaction["nonce"], 16), int(transaction["gas"], 16)
    raw, digest = sign_legacy(key, chain_id, nonce, transaction["to"], data, gas)
    v, r, s = raw_signature(raw)
    transaction |= {"input": "0x" + data.hex(), "hash": "0x" + digest.hex(), "v": v, "r": r, "s": s}


def raw_signature(raw: bytes) -> tuple[str, str, str]:
    """The v, r and s of a signed transaction."""
    from ledger.proofs import rlp

    items = rlp.decode(raw)
    assert isinstance(items, list)
    v, r, s = (hex(int.from_bytes(item, "big")) for item in items[6:] if isinstance(item, bytes))
    return v, r, s


@contextmanager
def undone(rpc: Any) -> Iterator[None]:
    """Whatever is done to the chain inside is undone afterwards."""
    snapshot = rpc.call("evm_snapshot")
    try:
        yield
    finally:
        rpc.call("evm_revert", [snapshot])


def write_word(rpc: Any, contract: Address, slot: int, word: int) -> int:
    """Write a word of storage behind everybody's back; return what was there."""
    place = [contract, f"0x{slot:064x}"]
    before = int(rpc.call("eth_getStorageAt", [*place, "latest"]), 16)
    rpc.call("anvil_setStorageAt", [*place, f"0x{word:064x}"])
    return before


def member_slot(role: int, account: Address) -> int:
    """Where AccessManager keeps that an account has a role."""
    outer = Layout.load("AccessManager").at("_roles", role)
    return int.from_bytes(keccak256(bytes.fromhex(account[2:]).rjust(32, b"\0") + outer.to_bytes(32, "big")), "big")


def send_plain(rpc: Any, sender: SigningKey, contract: Address, data: bytes) -> None:
    """An account's ordinary transaction in a block of its own, which must succeed."""
    nonce = int(rpc.call("eth_getTransactionCount", [sender.address, "latest"]), 16)
    raw, _ = sign_legacy(sender, int(rpc.call("eth_chainId"), 16), nonce, contract, data, _GAS)
    _landed(rpc, rpc.call("eth_sendRawTransaction", ["0x" + raw.hex()]))


def send_as(rpc: Any, sender: Address, contract: Address, data: bytes) -> None:
    """A transaction that no key of the sender's signed, in a block of its own, which must succeed."""
    rpc.call("anvil_impersonateAccount", [sender])
    sent = {"from": sender, "to": contract, "data": "0x" + data.hex(), "gas": hex(_GAS), "gasPrice": "0x0"}
    _landed(rpc, rpc.call("eth_sendTransaction", [sent | {"type": "0x0"}]))


def _landed(rpc: Any, digest: str) -> None:
    rpc.call("evm_mine")
    assert rpc.call("eth_getTransactionReceipt", [digest])["status"] == "0x1"


_GAS = 1_000_000


def _hash_again(block: dict[str, Any], listed: list[dict[str, Any]], parent: bytes | None, fields: int) -> bytes:
    if parent is not None:
        block["parentHash"] = "0x" + parent.hex()
    if listed:
        block["transactionsRoot"] = "0x" + transactions.trie_of(block["transactions"]).root.hex()
        block["receiptsRoot"] = "0x" + receipts.trie_of(listed).root.hex()
    digest = seals.block_hash(Header(from_rpc(block).fields[:fields]))
    block["hash"] = "0x" + digest.hex()
    return digest


def _block(block: Mapping[str, Any], *, full: bool) -> dict[str, Any]:
    listed = block["transactions"] if full else [transaction["hash"] for transaction in block["transactions"]]
    return {**block, "transactions": listed}
