"""The outcome that nodes report of transactions, taken with care: one wrong answer must not end a transaction.

A node behind a balancer lags, forgets and contradicts itself. Where others run the nodes, an outcome is a receipt in a
block whose roots were computed (`ledger.blocks`), and that another transaction used a nonce counts once that
transaction was found. The embedded engine's own node is asked more cheaply: a receipt counts if it is the asked one's,
lies in the block that the node shows at that height, and has events exactly if it succeeded.

What cannot be read of one transaction is said of that one; its neighbours go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.blocks.verified import VerifiedBlocks
from ledger.chain.answers import contradiction, hash32, hex_bytes, member, quantity
from ledger.chain.engine import Engine
from ledger.chain.rpc import RpcError, RpcReason
from ledger.outbox.decide import Receipt

_RECEIPT = "eth_getTransactionReceipt"
_COUNT = "eth_getTransactionCount"
_BLOCK = "eth_getBlockByNumber"
_TRANSACTION = "eth_getTransactionByHash"
_LOGS = "eth_getLogs"
_WITNESS_BLOCKS_MAX = 1_000
_CHUNK = 50
_LOOKS_FOR_GONE = 5
"""At so many final heights nothing may be found of a transaction whose nonce is used, where the node no longer has the
states among which the other one would be found."""


@dataclass(slots=True)
class Looked:
    """What was found of transactions, by hash: a receipt, None while there is none, or why it cannot be read now."""

    receipts: dict[bytes, Receipt | None] = field(default_factory=dict)
    unreadable: dict[bytes, RpcError] = field(default_factory=dict)


class ReceiptReader:
    """Asks nodes for receipts and nonces.

    With ``blocks``, by whole blocks that are checked.

    ``witnesses`` are contracts each of whose calls from the outbox emits at least one event of ``topics`` if it
    succeeds, and not many more: one query for these logs then replaces hundreds of receipts, which carry a log for each
    grant. They are a part of the receipts, and only speak for success; what they are silent about is asked for by its
    receipt.
    """

    def __init__(
        self, engine: Engine, witnesses: Sequence[str], topics: Sequence[str] = (), blocks: VerifiedBlocks | None = None
    ) -> None:
        self._engine = engine
        self._blocks = blocks
        self._unread: set[int] = set()
        self._absent: dict[bytes, set[int]] = {}
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

    def receipts(self, hashes: Sequence[bytes], height: int) -> Looked:
        """Return what is known of each transaction. Raises `RpcError` where nothing could be asked."""
        looked = Looked()
        if self._blocks is None:
            looked.receipts.update(self._witnessed(set(hashes), height))
        else:
            looked.receipts.update(self._in_new_blocks(self._blocks, set(hashes), height))
        missing = [one for one in hashes if one not in looked.receipts]
        answers = self._engine.rpc.batch_outcomes([(_RECEIPT, ["0x" + one.hex()]) for one in missing], chunk=_CHUNK)
        found = {one: answer for one, answer in zip(missing, answers, strict=True) if answer is not None}
        looked.receipts.update({one: None for one in missing if one not in found})
        for one, answer in found.items():
            try:
                if isinstance(answer, RpcError):
                    raise answer
                looked.receipts[one] = self._receipt(one, answer, height)
            except RpcError as error:
                looked.unreadable[one] = error
        self._witnessed_height = height
        return looked

    def _in_new_blocks(self, blocks: VerifiedBlocks, hashes: set[bytes], height: int) -> dict[bytes, Receipt]:
        """Return the outcomes in final blocks that were not read yet. One that cannot be read is tried again later."""
        since = self._witnessed_height
        if since is None or not since <= height <= since + _WITNESS_BLOCKS_MAX:
            return {}
        found: dict[bytes, Receipt] = {}
        for number in sorted({*self._unread, *range(since + 1, height + 1)}):
            try:
                block = blocks.read(self._engine.rpc, number)
                self._unread.discard(number)
            except RpcError:
                self._unread.add(number)
                continue
            for tx_hash in hashes & block.ended.keys():
                ended = block.ended[tx_hash]
                found[tx_hash] = Receipt(number, ended.succeeded, ended.gas_used)
        return found

    def are_gone(self, transactions: Sequence[tuple[bytes, bytes, int]], height: int) -> set[bytes]:
        """Return those (hash, sender, nonce) whose nonce another transaction used. Raises `RpcError`.

        An index of hashes may be behind the head while counts are right, and a second answer from it is the first once
        more. So where others run the nodes, the other transaction is looked for in the block in which the count rose.
        """
        if self._blocks is None:
            return self._have_no_trace(transactions, height)
        gone, undecided = set(), []
        for digest, sender, nonce in transactions:
            user = self._user_of(self._blocks, sender, nonce, height)
            if user is None:
                undecided.append((digest, sender, nonce))
            elif user != digest:
                gone.add(digest)
        for digest in self._have_no_trace(undecided, height):
            heights = self._absent.setdefault(digest, set())
            heights.add(height)
            if len(heights) >= _LOOKS_FOR_GONE:
                del self._absent[digest]
                gone.add(digest)
        return gone

    def _user_of(self, blocks: VerifiedBlocks, sender: bytes, nonce: int, height: int) -> bytes | None:
        """Return the hash of the final transaction that used a nonce; None if the states to find it by are gone."""
        low, high = 0, height
        while low < high:
            middle = (low + high) // 2
            try:
                count = quantity(self._engine.rpc.call(_COUNT, ["0x" + sender.hex(), hex(middle)]), _COUNT)
            except RpcError as error:
                if error.reason is not RpcReason.BLOCK_UNAVAILABLE:
                    raise
                count = 0  # too old to be known: it is looked for among what is younger
            low, high = (low, middle) if count > nonce else (middle + 1, high)
        block = self._engine.rpc.call(_BLOCK, [hex(low), True])
        known = blocks.read(self._engine.rpc, low).ended
        for transaction in member(block, "transactions", _BLOCK):
            named = hash32(member(transaction, "hash", _BLOCK), _BLOCK)
            is_senders = hex_bytes(member(transaction, "from", _BLOCK), _BLOCK, 20) == sender
            if is_senders and named in known and quantity(member(transaction, "nonce", _BLOCK), _BLOCK) == nonce:
                return named
        return None

    def _have_no_trace(self, transactions: Sequence[tuple[bytes, bytes, int]], height: int) -> set[bytes]:
        """Return those (hash, sender, nonce) of which a second look says too that another used their nonce."""
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

    def _receipt(self, asked: bytes, answer: Any, height: int) -> Receipt:
        if hash32(member(answer, "transactionHash", _RECEIPT), _RECEIPT) != asked:
            raise contradiction("the receipt is another transaction's", _RECEIPT)
        number = quantity(member(answer, "blockNumber", _RECEIPT), _RECEIPT)
        status = quantity(member(answer, "status", _RECEIPT), _RECEIPT)
        if self._blocks is not None and number <= height:
            ended = self._blocks.read(self._engine.rpc, number).ended.get(asked)
            if ended is None:
                raise contradiction(f"a receipt names block {number}, which has no such transaction", _RECEIPT)
            return Receipt(number, ended.succeeded, ended.gas_used)
        logs = member(answer, "logs", _RECEIPT)
        succeeded = status == 1
        is_witness = str(answer.get("to") or "").lower() in self._known_witnesses
        if status not in (0, 1) or (logs and not succeeded) or (succeeded and is_witness and not logs):
            raise contradiction(f"a receipt has status {status} and {len(logs)} logs", _RECEIPT)
        block = self._engine.rpc.call(_BLOCK, [hex(number), False])
        named = hash32(member(answer, "blockHash", _RECEIPT), _RECEIPT)
        if block is None or hash32(member(block, "hash", _BLOCK), _BLOCK) != named:
            raise contradiction(f"a receipt names another block {number}", _RECEIPT)
        return Receipt(number, succeeded, quantity(member(answer, "gasUsed", _RECEIPT), _RECEIPT))

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
        logs = self._engine.rpc.call(_LOGS, [question])
        if not isinstance(logs, list):
            raise contradiction("its logs are no list", _LOGS)
        named: dict[int, bytes] = {}
        for log in logs:
            digest = hash32(member(log, "transactionHash", _LOGS), _LOGS)
            number = quantity(member(log, "blockNumber", _LOGS), _LOGS)
            address = str(member(log, "address", _LOGS)).lower()
            # An event that was taken back, or of another range, says nothing of this chain.
            if log.get("removed") or not since < number <= height or address not in self._known_witnesses:
                raise contradiction(f"a log of block {number} is no answer to the question", _LOGS)
            if named.setdefault(number, log.get("blockHash")) != log.get("blockHash"):
                raise contradiction(f"logs of block {number} name two blocks", _LOGS)
            if digest in hashes and digest not in found:
                found[digest] = Receipt(number, succeeded=True, gas_used=0)
        self._check_blocks(named)
        return found

    def _check_blocks(self, named: Mapping[int, Any]) -> None:
        """Compare the blocks that logs name with those the node shows."""
        shown = self._engine.rpc.batch([(_BLOCK, [hex(number), False]) for number in named])
        for (number, digest), block in zip(named.items(), shown, strict=True):
            if block is None or member(block, "hash", _BLOCK) != digest:
                raise contradiction(f"a log names another block {number}", _LOGS)
