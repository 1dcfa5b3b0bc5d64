"""Ids are types. A token id says programme and expiry quarter; a participant id says programme or merchant."""

from __future__ import annotations

from typing import NewType

from ledger.standard.errors import BadAddress, OutOfRange, WrongLength
from ledger.standard.keccak import keccak256

ProgrammeId = NewType("ProgrammeId", int)
"""uint32, given at registration."""

Quarter = NewType("Quarter", int)
"""uint32: (year - 2000) * 4 + 1..4, or 0 for points that never expire."""

TokenId = NewType("TokenId", int)
"""programme << 32 | quarter; a uint256 on chain whose upper 192 bits are zero."""

MerchantId = NewType("MerchantId", int)
"""uint32, given at registration."""

ParticipantId = NewType("ParticipantId", int)
"""uint64, the key of a clearing position: 1 << 32 | programme, 2 << 32 | merchant, or `POOL` or `TREASURY`."""

BatchNumber = NewType("BatchNumber", int)
"""uint64, chosen by the issuer, used once per programme, in any order."""

GrantId = NewType("GrantId", bytes)
"""32 bytes, unique for ever within an installation."""

OrderId = NewType("OrderId", bytes)
"""32 bytes: the EIP-712 digest of the order, domain included."""

ActId = NewType("ActId", int)
"""An act on an order (capture, refund, …), in the order in which an installation noted them."""

Address = NewType("Address", str)
"""An account as 0x and 40 digits in EIP-55 mixed case."""

AddressText = NewType("AddressText", str)
"""An account as documents and paths carry it: 0x and 40 hexadecimal digits in any case. `to_address` normalises it."""

AccountBytes = NewType("AccountBytes", bytes)
"""An account as its 20 raw bytes, which tables and logs keep."""

ProgrammeSlug = NewType("ProgrammeSlug", str)
"""A programme's short name in configuration and reports, as its rulebook gives it."""

OrderIdText = NewType("OrderIdText", str)
"""An order's id as documents and paths carry it: 0x and 64 hexadecimal digits. Not checked until it is parsed."""

GrantIdText = NewType("GrantIdText", str)
"""A grant's id as documents and paths carry it: as `OrderIdText`."""

ZERO_ADDRESS = Address("0x" + "0" * 40)
ZERO_ACCOUNT = AccountBytes(bytes(20))
"""The same as bytes: mints come from it and burns go to it; a merchant with this key is unknown or has retired."""

_UINT32_MAX = 2**32 - 1
PROGRAMME_KIND = 1
MERCHANT_KIND = 2
POOL = ParticipantId(3 << 32)
"""What debtors paid into the treasury account and merchants are not yet paid; never above 0."""
TREASURY = ParticipantId(4 << 32)
"""Value that expired; never below 0."""


def token_id(programme: ProgrammeId, quarter: int) -> TokenId:
    """Return the token id of a programme's lot. Raises OutOfRange unless both are uint32."""
    return TokenId(uint("programme", programme, 32) << 32 | uint("quarter", quarter, 32))


def split_token_id(token: int) -> tuple[ProgrammeId, Quarter]:
    """Return (programme, quarter) of a token id. Raises OutOfRange for an id outside the scheme (over 64 bits)."""
    uint("token id", token, 64)
    return ProgrammeId(token >> 32), Quarter(token & _UINT32_MAX)


def programme_of(token: int) -> ProgrammeId:
    """Return the programme of a token id that is known to be in the scheme."""
    return ProgrammeId(token >> 32)


def programme_participant(programme: ProgrammeId) -> ParticipantId:
    """Return the clearing participant that stands for a programme."""
    return ParticipantId(PROGRAMME_KIND << 32 | uint("programme", programme, 32))


def merchant_participant(merchant: MerchantId) -> ParticipantId:
    """Return the clearing participant that stands for a merchant."""
    return ParticipantId(MERCHANT_KIND << 32 | uint("merchant", merchant, 32))


def is_programme(participant: int) -> bool:
    """Return whether a clearing participant is a programme."""
    return participant >> 32 == PROGRAMME_KIND


def is_merchant(participant: int) -> bool:
    """Return whether a clearing participant is a merchant."""
    return participant >> 32 == MERCHANT_KIND


def uint(field: str, value: int, bits: int) -> int:
    """Return ``value`` if it is an unsigned integer of ``bits`` bits, else raise OutOfRange naming ``field``."""
    if value < 0 or value >> bits:
        raise OutOfRange(field, value, f"0 to 2^{bits} - 1")
    return value


def fixed_bytes(field: str, value: bytes, length: int) -> bytes:
    """Return ``value`` if it has exactly ``length`` bytes, else raise WrongLength naming ``field``."""
    if len(value) != length:
        raise WrongLength(field, len(value), length)
    return value


def order_id_text(order_id: OrderId) -> OrderIdText:
    """Return an order's id as 0x and 64 lower-case digits."""
    return OrderIdText("0x" + order_id.hex())


def address_bytes(address: str) -> AccountBytes:
    """Return the 20 bytes of an address. Case is not checked here: see `to_address`. Raises BadAddress."""
    if len(address) != 42 or not address.startswith("0x"):
        raise BadAddress(address)
    try:
        raw = bytes.fromhex(address[2:])
    except ValueError:
        raise BadAddress(address) from None
    if len(raw) != 20:  # fromhex skips white space, so a padded string could still come out short
        raise BadAddress(address)
    return AccountBytes(raw)


def to_address(value: bytes | str) -> Address:
    """Return the EIP-55 form of 20 bytes or of a hexadecimal address in any case.

    Raises BadAddress, or WrongLength for bytes of another length. A mixed-case string is normalised, not verified:
    callers that take addresses from people compare the result with the input.
    """
    raw = address_bytes(value) if isinstance(value, str) else fixed_bytes("address", value, 20)
    digits = raw.hex()
    mask = keccak256(digits.encode()).hex()
    return Address("0x" + "".join(d.upper() if m > "7" else d for d, m in zip(digits, mask, strict=False)))
