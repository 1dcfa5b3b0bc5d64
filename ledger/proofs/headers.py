"""Block headers: from a node's JSON, to and from RLP, with or without the fields that later forks added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ledger.proofs import rlp
from ledger.proofs.errors import BadHeader, MalformedRlp
from ledger.standard.keccak import keccak256

# (name in JSON, bytes of a fixed field, or None for a number, or 0 for bytes of any length). Yellow paper 4.3;
# EIP-1559, EIP-4895, EIP-4844, EIP-4788 and EIP-7685 each append.
_FIELDS: tuple[tuple[str, int | None], ...] = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
    ("difficulty", None),
    ("number", None),
    ("gasLimit", None),
    ("gasUsed", None),
    ("timestamp", None),
    ("extraData", 0),
    ("mixHash", 32),
    ("nonce", 8),
    ("baseFeePerGas", None),
    ("withdrawalsRoot", 32),
    ("blobGasUsed", None),
    ("excessBlobGas", None),
    ("parentBeaconBlockRoot", 32),
    ("requestsHash", 32),
)
REQUIRED_FIELDS = 15
"""Fields of a header before London."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header as its RLP fields, in their order; 15 fields before London, more after it."""

    fields: tuple[bytes, ...]

    @property
    def parent_hash(self) -> bytes:
        """Hash of the block before."""
        return self.fields[0]

    @property
    def state_root(self) -> bytes:
        """Root of the accounts after this block."""
        return self.fields[3]

    @property
    def transactions_root(self) -> bytes:
        """Root of this block's transactions."""
        return self.fields[4]

    @property
    def receipts_root(self) -> bytes:
        """Root of the receipts of this block's transactions."""
        return self.fields[5]

    @property
    def difficulty(self) -> int:
        """Proof-of-work difficulty; Clique's 1 or 2; 0 or 1 elsewhere."""
        return rlp.decode_int(self.fields[7])

    @property
    def number(self) -> int:
        """Height."""
        return rlp.decode_int(self.fields[8])

    @property
    def timestamp(self) -> int:
        """Unix time in seconds."""
        return rlp.decode_int(self.fields[11])

    @property
    def extra_data(self) -> bytes:
        """What the consensus protocol keeps in the header."""
        return self.fields[12]

    @property
    def mix_hash(self) -> bytes:
        """32 bytes by which BFT protocols mark their blocks."""
        return self.fields[13]

    def with_extra_data(self, extra_data: bytes) -> Header:
        """Return the header with other extra data."""
        return replace(self, fields=(*self.fields[:12], extra_data, *self.fields[13:]))

    def encode(self) -> bytes:
        """Return the header's RLP."""
        return rlp.encode(self.fields)

    def plain_hash(self) -> bytes:
        """Return keccak256 of the RLP. For BFT blocks this is not the block's hash: see `seals.block_hash`."""
        return keccak256(self.encode())


def from_rpc(block: Mapping[str, Any]) -> Header:
    """Return the header in a node's answer to eth_getBlockByNumber. Raises BadHeader.

    Trailing fields are taken as far as the node gives them without a gap. Whether the right ones were taken shows in
    the hash, which callers compare with the node's.
    """
    fields: list[bytes] = []
    for index, (name, size) in enumerate(_FIELDS):
        value = block.get(name)
        if value is None:
            if index < REQUIRED_FIELDS:
                raise BadHeader(f"{name} is missing")
            break
        fields.append(_field(name, size, value))
    return Header(tuple(fields))


def from_rlp(data: bytes) -> Header:
    """Return the header that ``data`` encodes. Raises BadHeader."""
    try:
        items = rlp.decode(data)
    except MalformedRlp as error:
        raise BadHeader(str(error)) from error
    if not isinstance(items, list) or not REQUIRED_FIELDS <= len(items) <= len(_FIELDS):
        raise BadHeader(f"it is not a list of {REQUIRED_FIELDS} to {len(_FIELDS)} fields")
    fields: list[bytes] = []
    for item, (name, size) in zip(items, _FIELDS, strict=False):
        if isinstance(item, list):
            raise BadHeader(f"{name} is a list")
        if size is None:
            try:
                rlp.decode_int(item)
            except MalformedRlp as error:
                raise BadHeader(f"{name}: {error.reason}") from error
        elif size and len(item) != size:
            raise BadHeader(f"{name} has {len(item)} bytes instead of {size}")
        fields.append(item)
    return Header(tuple(fields))


def _field(name: str, size: int | None, value: object) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise BadHeader(f"{name} is {value!r}, not a 0x string")
    try:
        if size is None:
            return rlp.encode_int(int(value, 16))
        raw = bytes.fromhex(value[2:])
    except ValueError as error:
        raise BadHeader(f"{name} is not hexadecimal") from error
    if size and len(raw) != size:
        raise BadHeader(f"{name} has {len(raw)} bytes instead of {size}")
    return raw
