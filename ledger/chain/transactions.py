"""Sign and read the only transactions this chain takes: type 0, EIP-155, gas price 0, value 0.

Written by hand because the signer port has no secret in hand, and because it is hot: eth_account takes ten times as
long (`docs/adr/0014-what-stands-on-web3.md`). A test compares both.

RLP: https://ethereum.org/en/developers/docs/data-structures-and-encoding/rlp/ ; EIP-155 for v.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ledger.chain.errors import BadTransaction
from ledger.standard.errors import BadSignature
from ledger.standard.ids import Address, address_bytes, to_address
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey, recover

_FIELDS = 9
_CHAIN_ID_MAX = 2**53 - 1


class DigestSigner(Protocol):
    """What signs 32 bytes for one account: a key in memory, or one that never leaves its vault."""

    @property
    def address(self) -> Address:
        """The account that signs."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes r | s | v (27 or 28, low s)."""
        ...


def sign_legacy(
    key: bytes | DigestSigner, chain_id: int, nonce: int, to: str | None, data: bytes, gas: int
) -> tuple[bytes, bytes]:
    """Return (raw transaction, its 32-byte hash).

    ``key``: 32 secret bytes, or a signer (a prepared `SigningKey`, for many). ``to``: an address, or None to create a
    contract. Raises BadTransaction for numbers that no transaction can carry.
    """
    if nonce < 0 or nonce >= 2**64 - 1 or gas <= 0 or not 0 < chain_id <= _CHAIN_ID_MAX:
        raise BadTransaction(f"nonce {nonce}, gas {gas} or chain id {chain_id} is out of range")
    signer = SigningKey(key) if isinstance(key, bytes) else key
    target = b"" if to is None else address_bytes(to)
    zero = b"\x80"
    payload = _encode_int(nonce) + zero + _encode_int(gas) + _encode_bytes(target) + zero + _encode_bytes(data)
    digest = keccak256(_encode_list(payload + _encode_int(chain_id) + zero + zero))
    signature = signer.sign_digest(digest)
    v = chain_id * 2 + 8 + signature[64]  # 35 or 36 above twice the chain id; the standard's v is 27 or 28
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    raw = _encode_list(payload + _encode_int(v) + _encode_int(r) + _encode_int(s))
    return raw, keccak256(raw)


@dataclass(frozen=True, slots=True)
class LegacyTransaction:
    """The fields of a type 0 transaction."""

    nonce: int
    gas_price: int
    gas: int
    to: Address | None
    value: int
    data: bytes
    chain_id: int
    v: int
    r: int
    s: int

    @property
    def sender(self) -> Address:
        """The account that signed. Raises BadTransaction if the signature is none."""
        zero = b"\x80"
        target = b"" if self.to is None else address_bytes(self.to)
        payload = b"".join(
            (
                _encode_int(self.nonce),
                _encode_int(self.gas_price),
                _encode_int(self.gas),
                _encode_bytes(target),
                _encode_int(self.value),
                _encode_bytes(self.data),
                _encode_int(self.chain_id),
                zero,
                zero,
            )
        )
        parity = self.v - self.chain_id * 2 - 35
        try:
            signature = self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes([27 + parity])
            return recover(keccak256(_encode_list(payload)), signature)
        except (BadSignature, OverflowError) as error:
            raise BadTransaction(str(error)) from error


def decode_legacy(raw: bytes) -> LegacyTransaction:
    """Return the fields of a raw type 0 transaction with EIP-155 protection; the signature is not checked.

    Raises BadTransaction for typed transactions, unprotected ones, and anything that is not canonical RLP.
    """
    if not raw or raw[0] < 0xC0:
        raise BadTransaction("only type 0 (legacy) transactions are taken")
    items = _decode_flat_list(raw)
    if len(items) != _FIELDS:
        raise BadTransaction(f"it has {len(items)} fields instead of {_FIELDS}")
    nonce, gas_price, gas, to, value, data, v_bytes, r, s = items
    v = _to_int(v_bytes)
    if v < 37:
        raise BadTransaction("it is signed for any chain (no EIP-155 protection)")
    if len(to) not in (0, 20):
        raise BadTransaction(f"its recipient has {len(to)} bytes")
    return LegacyTransaction(
        nonce=_to_int(nonce),
        gas_price=_to_int(gas_price),
        gas=_to_int(gas),
        to=to_address(to) if to else None,
        value=_to_int(value),
        data=data,
        chain_id=(v - 35) // 2,
        v=v,
        r=_to_int(r),
        s=_to_int(s),
    )


def peek(raw: bytes) -> tuple[int, int]:
    """Return (chain id, gas limit) of a raw transaction. Raises BadTransaction like `decode_legacy`, but is faster."""
    if not raw or raw[0] < 0xC0:
        raise BadTransaction("only type 0 (legacy) transactions are taken")
    items = _decode_flat_list(raw)
    if len(items) != _FIELDS:
        raise BadTransaction(f"it has {len(items)} fields instead of {_FIELDS}")
    v = _to_int(items[6])
    if v < 37:
        raise BadTransaction("it is signed for any chain (no EIP-155 protection)")
    return (v - 35) // 2, _to_int(items[2])


def contract_address(sender: str, nonce: int) -> Address:
    """Return the address of the contract that ``sender`` creates with ``nonce`` (yellow paper, section 7)."""
    return to_address(keccak256(_encode_list(_encode_bytes(address_bytes(sender)) + _encode_int(nonce)))[12:])


def _encode_int(value: int) -> bytes:
    if value == 0:
        return b"\x80"
    return _encode_bytes(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _encode_bytes(value: bytes) -> bytes:
    if len(value) == 1 and value[0] < 0x80:
        return value
    return _length_prefix(len(value), 0x80) + value


def _encode_list(payload: bytes) -> bytes:
    return _length_prefix(len(payload), 0xC0) + payload


def _length_prefix(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    encoded = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(encoded)]) + encoded


def _decode_flat_list(raw: bytes) -> list[bytes]:
    start, end = _span(raw, 0, 0xC0)
    if end != len(raw):
        raise BadTransaction(f"{len(raw) - end:+d} bytes follow, or are missing from, its list")
    items = []
    at = start
    while at < end:
        if raw[at] >= 0xC0:
            raise BadTransaction("a field is a list")
        if raw[at] < 0x80:
            items.append(raw[at : at + 1])
            at += 1
            continue
        item_start, item_end = _span(raw, at, 0x80)
        if item_end > end:
            raise BadTransaction("a field is cut off")
        item = raw[item_start:item_end]
        if len(item) == 1 and item[0] < 0x80:
            raise BadTransaction("a field is not canonical RLP")
        items.append(item)
        at = item_end
        if len(items) > _FIELDS:
            break
    return items


def _span(raw: bytes, at: int, offset: int) -> tuple[int, int]:
    """Return (start, end) of the payload of the string or list at ``at``."""
    head = raw[at] - offset
    if head < 56:
        return at + 1, at + 1 + head
    size = head - 55
    encoded = raw[at + 1 : at + 1 + size]
    if len(encoded) != size or encoded[0] == 0:
        raise BadTransaction("a length is cut off or not canonical RLP")
    length = int.from_bytes(encoded, "big")
    if length < 56:
        raise BadTransaction("a length is not canonical RLP")
    return at + 1 + size, at + 1 + size + length


def _to_int(value: bytes) -> int:
    if value[:1] == b"\x00":
        raise BadTransaction("a number has leading zeros")
    return int.from_bytes(value, "big")
