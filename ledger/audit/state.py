"""Compares the books that the replay computed with what the contracts' storage says at the audited block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ledger.audit import unseen
from ledger.audit.cells import BASE_SHIFT, Cell, words_of
from ledger.audit.chain import Block, read_many
from ledger.audit.report import Contradicted
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.proofs import state, trie
from ledger.proofs.errors import ProofError
from ledger.proofs.trie import Trie
from ledger.standard.contract import LANE_BITS
from ledger.standard.keccak import keccak256

_CHUNK = 5_000
_PROOF_SLOTS = 1_000
"""Slots in one eth_getProof; geth takes 1,024."""
_PROOFS_UP_TO = 20_000
"""Words up to which eth_getProof reads them: one request for a thousand is five times faster through a proxy, and twice
slower from the node itself, whose trie it walks; beyond this, plain reads win everywhere."""
_NO_PROOFS = (RpcReason.METHOD_NOT_FOUND, RpcReason.NOT_PERMITTED, RpcReason.BLOCK_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class StorageCheck:
    """What was looked at. ``proven`` is False where the node offers no proofs, so that other words may be there."""

    words: int
    proven: bool
    broken: Contradicted | None = None
    """The contradiction that the proof of the account is, to be raised if no other contract has one with a name."""


def check_storage(
    rpc: RpcClient,
    contract: str,
    address: bytes,
    block: Block,
    cells: Iterable[Cell],
    code_hash: bytes,
    hints: Iterable[int],
    progress: Callable[[int, int], None],
) -> StorageCheck:
    """Check that a contract has this code and these storage words and no others, under the block's state root.

    One proof of the account's storage root is enough where it equals that of the words. Where not, every word is
    read, so that a contradiction has a name, and then the node's trie is walked; ``hints``: see `unseen.differences`.
    A node without proofs can only be asked for the words. Raises Contradicted or RpcError.
    """
    where = f"{contract}, block {block.header.number}"
    listed = list(cells)
    words = words_of(listed)
    own = state.storage_trie(words)
    account: state.Account | None = None
    broken: ProofError | None = None
    proven = True
    try:
        answer = state.fetch(rpc, address, [], block.header.number)
        account = state.verify_account(block.header.state_root, address, state.nodes_of(answer["accountProof"]))
    except RpcError as error:
        if error.reason not in _NO_PROOFS:
            raise
        proven = False
    except ProofError as error:
        broken = error
    if account is not None and account.code_hash != code_hash:
        raise Contradicted(f"code of {contract}", where, "0x" + code_hash.hex(), "0x" + account.code_hash.hex())
    if account is not None and account.storage_root == own.root:
        progress(len(listed), len(listed))
        return StorageCheck(len(listed), proven=True)
    _check_cells(rpc, contract, address, block, listed, progress)
    if broken is not None:
        root = "0x" + block.header.state_root.hex()
        unlike = Contradicted(f"state of {contract}", where, f"what the state root {root} says", broken)
        return StorageCheck(len(listed), proven=True, broken=unlike)
    if account is not None:
        try:
            _check_walk(rpc, contract, address, block, account.storage_root, words, own, hints)
        except ProofError as error:
            raise Contradicted(f"state of {contract}", where, "storage under its root", error) from error
    return StorageCheck(len(listed), proven=proven)


def has_code(rpc: RpcClient, address: bytes, block: Block) -> bool | None:
    """Whether an account has code under the block's state root; None if the node offers no proofs.

    Raises Contradicted or RpcError.
    """
    try:
        answer = state.fetch(rpc, address, [], block.header.number)
    except RpcError as error:
        if error.reason in _NO_PROOFS:
            return None
        raise
    path = state.nodes_of(answer["accountProof"])
    try:
        value = trie.verify(block.header.state_root, keccak256(address), path)
        if value is None:
            return False
        return state.verify_account(block.header.state_root, address, path).code_hash != state.EMPTY_CODE_HASH
    except ProofError as error:
        where = f"block {block.header.number}"
        raise Contradicted(f"state of 0x{address.hex()}", where, "what the state root says", error) from error


def _check_cells(
    rpc: RpcClient,
    contract: str,
    address: bytes,
    block: Block,
    listed: Sequence[Cell],
    progress: Callable[[int, int], None],
) -> None:
    """Read every word and compare it. Raises Contradicted at the first that differs, RpcError."""
    read = _read_proven if len(listed) <= _PROOFS_UP_TO else _read
    for start in range(0, len(listed), _CHUNK):
        part = listed[start : start + _CHUNK]
        for cell, word in zip(part, read(rpc, address, [cell.slot for cell in part], block), strict=True):
            if word != cell.value:
                raise _mismatch(contract, block, cell, word)
        progress(min(start + _CHUNK, len(listed)), len(listed))


def _check_walk(
    rpc: RpcClient,
    contract: str,
    address: bytes,
    block: Block,
    root: bytes,
    words: dict[int, int],
    own: Trie,
    hints: Iterable[int],
) -> None:
    """Open the storage trie wherever it differs from ours; words of 0 are nothing, all others are a contradiction."""

    def fetch(slots: Sequence[int]) -> list[tuple[bytes, ...]]:
        answer = state.fetch(rpc, address, slots, block.header.number)
        return [state.nodes_of(entry["proof"]) for entry in answer["storageProof"]]

    surplus, lacking = unseen.differences(root, words, own, fetch, hints)
    where = f"{contract}, block {block.header.number}"
    for key, word in surplus[:1]:
        found = f"{_shown(word)} under key 0x{key.hex()}, and {len(surplus) - 1} more such"
        raise Contradicted(f"storage of {contract}", where, "only words that events explain", found)
    for key, word in lacking[:1]:
        raise Contradicted(f"storage of {contract}", where, f"{_shown(word)} under key 0x{key.hex()}", "nothing")


def _read_proven(rpc: RpcClient, address: bytes, slots: Sequence[int], block: Block) -> list[int]:
    """Read words by eth_getProof where the node offers it. The paths are not looked at: the root is compared later."""
    words: list[int] = []
    for start in range(0, len(slots), _PROOF_SLOTS):
        part = slots[start : start + _PROOF_SLOTS]
        try:
            answer = state.fetch(rpc, address, part, block.header.number)
        except RpcError as error:
            if error.reason not in _NO_PROOFS:
                raise
            return words + _read(rpc, address, slots[start:], block)
        by_slot = {int(entry["key"], 16): int(entry["value"], 16) for entry in answer["storageProof"]}
        words += [by_slot[slot] for slot in part]
    return words


def _read(rpc: RpcClient, address: bytes, slots: Sequence[int], block: Block) -> list[int]:
    name, height = "0x" + address.hex(), hex(block.header.number)
    calls = [("eth_getStorageAt", [name, f"0x{slot:064x}", height]) for slot in slots]
    return [int(word, 16) for word in read_many(rpc, calls)]


def _mismatch(contract: str, block: Block, cell: Cell, word: int) -> Contradicted:
    where = f"{contract}, block {block.header.number}"
    if cell.is_lanes:
        for lane in range(4):
            expected, found = (value >> lane * LANE_BITS & (2**LANE_BITS - 1) for value in (cell.value, word))
            if expected != found:
                return Contradicted(f"balance in {cell.what}, quarter lane {lane + 1}", where, expected, found)
        nonces = tuple(f"0x{value >> BASE_SHIFT:x}" for value in (cell.value, word))
        return Contradicted(f"nonces beside {cell.what}", where, *nonces)
    return Contradicted(cell.what, where, _shown(cell.value), _shown(word))


def _shown(value: int) -> str:
    return str(value) if value < 2**64 else f"0x{value:064x}"
