"""Compares the books that the replay computed with what the contracts' storage says at the audited block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ledger.audit import unseen
from ledger.audit.cells import BASE_SHIFT, Cell
from ledger.audit.chain import Block, read_many
from ledger.audit.report import Contradicted
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.proofs import state
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


def check_cells(
    rpc: RpcClient,
    contract: str,
    address: bytes,
    block: Block,
    cells: Iterable[Cell],
    progress: Callable[[int, int], None],
) -> dict[int, int]:
    """Read every cell and compare it; return all words by slot, long strings' further words included.

    Raises Contradicted at the first that differs, RpcError.
    """
    listed = list(cells)
    words: dict[int, int] = {}
    read = _read_proven if len(listed) <= _PROOFS_UP_TO else _read
    for start in range(0, len(listed), _CHUNK):
        part = listed[start : start + _CHUNK]
        for cell, word in zip(part, read(rpc, address, [cell.slot for cell in part], block), strict=True):
            if word & cell.mask != cell.value & cell.mask:
                raise _mismatch(contract, block, cell, word)
            words[cell.slot] = word
        progress(min(start + _CHUNK, len(listed)), len(listed))
    further = [slot for cell in listed if cell.is_text for slot in _text_slots(cell.slot, words[cell.slot])]
    words.update(zip(further, _read(rpc, address, further, block), strict=True))
    return words


def check_storage_root(
    rpc: RpcClient,
    contract: str,
    address: bytes,
    block: Block,
    words: dict[int, int],
    code_hash: bytes,
    hints: Iterable[int] = (),
) -> bool:
    """Check that a contract's storage holds these words and no others, under the state root of the block's header.

    ``hints``: see `unseen.differences`. Returns False if the node offers no proofs. Raises Contradicted: then something
    was written that no event tells of.
    """
    where = f"{contract}, block {block.header.number}"
    try:
        answer = state.fetch(rpc, address, [], block.header.number)
    except RpcError as error:
        if error.reason in _NO_PROOFS:
            return False
        raise
    try:
        account = state.verify_account(block.header.state_root, address, state.nodes_of(answer["accountProof"]))
        own = state.storage_trie(words)
        if account.storage_root != own.root:
            _check_walk(rpc, contract, address, block, account.storage_root, words, own, hints)
    except ProofError as error:
        root = "0x" + block.header.state_root.hex()
        raise Contradicted(f"state of {contract}", where, f"what the state root {root} says", error) from error
    if account.code_hash != code_hash:
        raise Contradicted(f"code of {contract}", where, "0x" + code_hash.hex(), "0x" + account.code_hash.hex())
    return True


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


def _text_slots(head: int, word: int) -> list[int]:
    """A string of 32 bytes or more keeps 2 * length + 1 in its head and its bytes from keccak256(head) on."""
    if not word & 1:
        return []
    first = int.from_bytes(keccak256(head.to_bytes(32, "big")), "big")
    return [first + index for index in range(((word - 1) // 2 + 31) // 32)]


def _mismatch(contract: str, block: Block, cell: Cell, word: int) -> Contradicted:
    where = f"{contract}, block {block.header.number}"
    if cell.is_lanes:
        for lane in range(4):
            expected, found = (value >> lane * LANE_BITS & (2**LANE_BITS - 1) for value in (cell.value, word))
            if expected != found:
                return Contradicted(f"balance in {cell.what}, quarter lane {lane + 1}", where, expected, found)
        nonces = tuple(f"0x{value >> BASE_SHIFT:x}" for value in (cell.value, word))
        return Contradicted(f"nonces beside {cell.what}", where, *nonces)
    return Contradicted(cell.what, where, _shown(cell.value), _shown(word & cell.mask))


def _shown(value: int) -> str:
    return str(value) if value < 2**64 else f"0x{value:064x}"
