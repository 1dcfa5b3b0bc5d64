"""The outcome that a node reports of transactions, taken with care: one wrong answer must not end a transaction.

A node behind a balancer lags, forgets and contradicts itself. So a receipt counts only if it is the asked one's, lies
in the block that the node shows at that height, and has events exactly if it succeeded; and that another transaction
used a nonce counts only if a second look says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.chain.answers import contradiction, hash32, member, quantity
from ledger.chain.engine import Engine
from ledger.outbox.decide import Receipt

_RECEIPT = "eth_getTransactionReceipt"
_COUNT = "eth_getTransactionCount"
_BLOCK = "eth_getBlockByNumber"
_TRANSACTION = "eth_getTransactionByHash"
_WITNESS_BLOCKS_MAX = 1_000
_CHUNK = 50


class ReceiptReader:
    """Asks a node for receipts and nonces.

    ``witnesses`` are contracts each of whose calls from the outbox emits at least one event of ``topics`` if it
    succeeds, and not many more: one query for these logs then replaces hundreds of receipts, which carry a log for each
    grant. They are a part of the receipts, and only speak for success; what they are silent about is asked for by its
    receipt.
    """

    def __init__(self, engine: Engine, witnesses: Sequence[str], topics: Sequence[str] = ()) -> None:
        self._engine = engine
        self._witnesses = list(witnesses)
        self._topics = list(topics)
        self._known_witnesses = {one.lower() for one in witnesses}
        self._witnessed_height: int | None = None

    def nonces_used(self, relayers: Sequence[bytes], height: int) -> dict[bytes, int]:
        """Return each account's transaction count at a height. Raises `RpcError`."""
        answers = self._engine.rpc.batch([(_COUNT, ["0x" + one.hex(), hex(height)]) for one in relayers])
        return {one: quantity(answer, _COUNT) for one, answer in zip(relayers, answers, strict=True)}

    def nonces_certain(self, relayers: Sequence[bytes], height: int) -> dict[bytes, int]:
        """As `nonces_used`, asked twice: for a count that is kept. Raises `RpcError` where the answers differ."""
        first = self.nonces_used(relayers, height)
        if relayers and first != self.nonces_used(relayers, height):
            raise contradiction("two answers about the same nonces differ", _COUNT)
        return first

    def nothing_new(self, height: int) -> None:
        """Note that nothing was under way at a height."""
        self._witnessed_height = height

    def receipts(self, hashes: Sequence[bytes], height: int) -> dict[bytes, Receipt | None]:
        """Return each transaction's receipt, or None while there is none. Raises `RpcError`."""
        receipts: dict[bytes, Receipt | None] = {}
        receipts.update(self._witnessed(set(hashes), height))
        missing = [one for one in hashes if one not in receipts]
        answers = self._engine.rpc.batch([(_RECEIPT, ["0x" + one.hex()]) for one in missing], chunk=_CHUNK)
        found = {one: answer for one, answer in zip(missing, answers, strict=True) if answer is not None}
        self._check_blocks(found)
        for one in missing:
            receipts[one] = self._receipt(one, found[one]) if one in found else None
        self._witnessed_height = height
        return receipts

    def are_gone(self, transactions: Sequence[tuple[bytes, bytes, int]], height: int) -> set[bytes]:
        """Return those (hash, sender, nonce) of which a second look says too that another used their nonce.

        Raises `RpcError`.
        """
        calls: list[tuple[str, list[str]]] = []
        for digest, sender, _ in transactions:
            asked = "0x" + digest.hex()
            calls += [(_RECEIPT, [asked]), (_TRANSACTION, [asked]), (_COUNT, ["0x" + sender.hex(), hex(height)])]
        answers = iter(self._engine.rpc.batch(calls, chunk=_CHUNK))
        gone = set()
        for (digest, _, nonce), receipt, transaction, count in zip(
            transactions, answers, answers, answers, strict=True
        ):
            is_mined = isinstance(transaction, dict) and transaction.get("blockNumber") is not None
            if receipt is None and not is_mined and quantity(count, _COUNT) > nonce:
                gone.add(digest)
        return gone

    def _receipt(self, asked: bytes, answer: Any) -> Receipt:
        if hash32(member(answer, "transactionHash", _RECEIPT), _RECEIPT) != asked:
            raise contradiction("the receipt is another transaction's", _RECEIPT)
        status = quantity(member(answer, "status", _RECEIPT), _RECEIPT)
        logs = member(answer, "logs", _RECEIPT)
        succeeded = status == 1
        is_witness = str(answer.get("to") or "").lower() in self._known_witnesses
        if status not in (0, 1) or (logs and not succeeded) or (succeeded and is_witness and not logs):
            raise contradiction(f"a receipt has status {status} and {len(logs)} logs", _RECEIPT)
        block_number = quantity(member(answer, "blockNumber", _RECEIPT), _RECEIPT)
        return Receipt(block_number, succeeded, quantity(member(answer, "gasUsed", _RECEIPT), _RECEIPT))

    def _check_blocks(self, receipts: Mapping[bytes, Any]) -> None:
        """Compare the blocks that the receipts name with those the node shows."""
        named = {
            (
                quantity(member(answer, "blockNumber", _RECEIPT), _RECEIPT),
                hash32(member(answer, "blockHash", _RECEIPT), _RECEIPT),
            )
            for answer in receipts.values()
        }
        blocks = self._engine.rpc.batch([(_BLOCK, [hex(number), False]) for number, _ in named])
        for (number, digest), block in zip(named, blocks, strict=True):
            if block is None or hash32(member(block, "hash", _BLOCK), _BLOCK) != digest:
                raise contradiction(f"a receipt names another block {number}", _RECEIPT)

    def _witnessed(self, hashes: set[bytes], height: int) -> dict[bytes, Receipt]:
        """Return the receipts of those whose success the witnesses' new logs prove."""
        since = self._witnessed_height
        if not self._witnesses or since is None or not since < height <= since + _WITNESS_BLOCKS_MAX:
            return {}
        question: dict[str, object] = {
            "fromBlock": hex(since + 1),
            "toBlock": hex(height),
            "address": self._witnesses,
            "topics": [self._topics],
        }
        found: dict[bytes, Receipt] = {}
        logs = self._engine.rpc.call("eth_getLogs", [question])
        if not isinstance(logs, list):
            raise contradiction("its logs are no list", "eth_getLogs")
        for log in logs:
            digest = hash32(member(log, "transactionHash", "eth_getLogs"), "eth_getLogs")
            if digest in hashes and digest not in found:
                number = quantity(member(log, "blockNumber", "eth_getLogs"), "eth_getLogs")
                found[digest] = Receipt(number, succeeded=True, gas_used=0)
        return found
