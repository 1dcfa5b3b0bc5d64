"""The points standard once more, written for these tests alone and with other people's libraries.

Digests and signatures come from eth_account, encodings from eth_abi, dates from datetime. `test_reference.py` holds it,
the Solidity libraries and the shared vectors equal, so a mistake would have to be made three times.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import PrivateKey
from eth_utils import keccak, to_checksum_address

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
ZERO = "0x" + "00" * 20
LANE_MAX = 2**48 - 1
MICROFEN_MINOR = 10**8
CITY_TZ = timezone(timedelta(hours=8))

(
    ACCEPTED,
    MALFORMED,
    BAD_SIGNATURE,
    NONCE_SPENT,
    EXPIRED,
    UNKNOWN_PROGRAMME,
    FORBIDDEN,
    LOT_DEAD,
    INSUFFICIENT,
    BELOW_MINIMUM,
    CAP_EXCEEDED,
    NO_VALUE,
    UNKNOWN_MERCHANT,
    OUT_OF_SCOPE,
    NOT_HELD,
    BAD_CAPTURE_TIME,
) = range(16)

SCHEMAS: Mapping[str, str] = {
    "MintBatch": "uint32 programme,uint32 quarter,uint64 number,bytes32 evidenceRoot,bytes32 grantsHash",
    "VoidBatch": "uint32 programme,uint64 number",
    "Revocation": "uint32 programme,uint64 number,bytes32 revocationsHash",
    "ExchangeOrder": (
        "address holder,uint64 fromId,uint64 amount,uint32 toProgramme,uint64 minOut,uint32 nonce,uint40 deadline"
    ),
    "RedeemOrder": "address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline",
    "HoldOrder": (
        "address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline,uint40 captureBy,bool cancellable"
    ),
    "Capture": "bytes32 orderId,uint8 lots,uint64 lastAmount",
    "Release": "bytes32 orderId",
    "Refund": "bytes32 orderId,uint8 lots,uint64 lastAmount",
    "ArbiterRefund": "bytes32 orderId,uint8 lots,uint64 lastAmount",
    "Succession": "address oldAccount,address newAccount,uint40 deadline",
    "Objection": "address oldAccount,address newAccount",
    "Lot": "uint64 id,uint64 amount",
}
_DOMAIN = "string name,string version,uint256 chainId,address verifyingContract,bytes32 salt"

Lot = tuple[int, int]
"""(token id, minor units)"""
Prefix = tuple[int, int]
"""(kept lots, amount kept of the last one)"""


def vectors(name: str) -> Any:
    """Return the content of a shared vector file."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


# Ids, time, value -------------------------------------------------------------------------------------------------


def token_id(programme: int, quarter: int) -> int:
    return programme << 32 | quarter


def programme_of(token: int) -> int:
    return token >> 32


def quarter_of(timestamp: int) -> int:
    """Return the quarter (UTC+8) in which a moment lies."""
    moment = datetime.fromtimestamp(timestamp, CITY_TZ)
    return (moment.year - 2000) * 4 + (moment.month - 1) // 3 + 1


def quarter_end(quarter: int) -> int:
    """Return the first second after a quarter."""
    year, index = divmod(quarter, 4)
    return int(datetime(2000 + year, 3 * index + 1, 1, tzinfo=CITY_TZ).timestamp())


def expiry_end(quarter: int) -> int:
    """Return the first second at which lots of a quarter are dead: the clock of expiry runs seven days late."""
    return quarter_end(quarter) + 7 * 86_400


def to_fen_down(minor: int, par: int) -> int:
    return minor * par // MICROFEN_MINOR


def to_fen_up(minor: int, par: int) -> int:
    return -(-minor * par // MICROFEN_MINOR)


def basket_fen(lots: Sequence[Lot], par_of: Mapping[int, int]) -> list[int]:
    """Return each lot's debit; their sum is the basket's value, floored once."""
    debits, before, total = [], 0, 0
    for token, minor in lots:
        total += minor * par_of[programme_of(token)]
        debits.append(total // MICROFEN_MINOR - before)
        before = total // MICROFEN_MINOR
    return debits


def prefix_of(lots: Sequence[Lot], prefix: Prefix) -> list[Lot]:
    """Return the lots that a prefix keeps."""
    count, last = prefix
    kept = list(lots[:count])
    if kept:
        kept[-1] = (kept[-1][0], last)
    return kept


def whole(lots: Sequence[Lot]) -> Prefix:
    return len(lots), lots[-1][1]


def prefix_word(prefix: Prefix) -> int:
    """Return a prefix as the contracts have it: lots << 64 | last amount."""
    return prefix[0] << 64 | prefix[1]


# Claims -----------------------------------------------------------------------------------------------------------


class ClaimModel:
    """A merchant's claim as what it earned in each period, where the book keeps three ages."""

    def __init__(self) -> None:
        self._earned: dict[int, int] = {}

    def earn(self, fen: int, period: int) -> None:
        self._earned[period] = self._earned.get(period, 0) + fen

    def ages(self, period: int) -> tuple[int, int, int]:
        """Return what has matured, what matures next, and what matures after that."""
        matured = sum(fen for earned_in, fen in self._earned.items() if earned_in <= period - 2)
        return matured, self._earned.get(period - 1, 0), self._earned.get(period, 0)

    def drawable(self, earned_in: int, period: int) -> int:
        """Return what a refund of an order of that period may draw on."""
        return sum(fen for when, fen in self._earned.items() if when <= max(earned_in, period - 2))

    def draw(self, fen: int, earned_in: int, period: int) -> None:
        """Take `fen`, youngest first; `earned_in` long ago stands for a payout."""
        for when in sorted(self._earned, reverse=True):
            if when <= max(earned_in, period - 2):
                taken = min(fen, self._earned[when])
                self._earned[when] -= taken
                fen -= taken
        assert fen == 0


def largest_remainder(total: int, debts: Sequence[int]) -> list[int]:
    """Split a sum over debts; ties go to the first."""
    exact = [Fraction(total * debt, sum(debts)) for debt in debts]
    shares = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(debts)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares


# Typed data -------------------------------------------------------------------------------------------------------


def _fields(schema: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in schema.split(",")]


@dataclass(frozen=True)
class Domain:
    """What everything that is signed is bound to."""

    chain_id: int
    ledger: str
    salt: bytes

    def digest(self, primary: str, **message: Any) -> bytes:
        """Return the EIP-712 digest of a message, whose lots are (id, amount) pairs."""
        types = {"EIP712Domain": _fields(_DOMAIN), primary: _fields(SCHEMAS[primary])}
        if "lots" in message and "Lot[]" in SCHEMAS[primary]:
            types["Lot"] = _fields(SCHEMAS["Lot"])
            message["lots"] = [{"id": token, "amount": amount} for token, amount in message["lots"]]
        signable = encode_typed_data(
            full_message={
                "types": types,
                "primaryType": primary,
                "domain": {
                    "name": "Tongdui",
                    "version": "2",
                    "chainId": self.chain_id,
                    "verifyingContract": self.ledger,
                    "salt": self.salt,
                },
                "message": message,
            }
        )
        return keccak(b"\x19" + signable.version + signable.header + signable.body)


@cache
def _private_key(key: bytes) -> PrivateKey:
    """Return a key together with its public key, which takes longer to work out than a signature."""
    return PrivateKey(key)


def sign(key: bytes, digest: bytes) -> bytes:
    """Return r ‖ s ‖ v."""
    return bytes(Account.unsafe_sign_hash(digest, _private_key(key)).signature)


def address_of(key: bytes) -> str:
    return str(Account.from_key(_private_key(key)).address)


def lots_hash(lots: Sequence[Lot]) -> bytes:
    """Return the EIP-712 hash of an array of Lot."""
    type_hash = keccak(text="Lot(uint64 id,uint64 amount)")
    return keccak(b"".join(keccak(type_hash + encode(["uint64", "uint64"], lot)) for lot in lots))


# Packed -----------------------------------------------------------------------------------------------------------


def _int(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def _address(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def pack_signature(signature: bytes) -> bytes:
    return _int(len(signature), 2) + signature


def pack_lots(lots: Sequence[Lot]) -> bytes:
    return b"".join(_int(token, 8) + _int(amount, 8) for token, amount in lots)


def pack_grants(grants: Sequence[tuple[str, int]]) -> bytes:
    return b"".join(_address(account) + _int(amount, 8) for account, amount in grants)


def pack_revocations(revocations: Sequence[tuple[int, int, int]]) -> bytes:
    """Pack (grant index, total revoked of it, reason) each."""
    return b"".join(_int(index, 4) + _int(total, 8) + _int(reason, 2) for index, total, reason in revocations)


@dataclass(frozen=True)
class ExchangeOrder:
    """What a resident signs to exchange; the fields are the typed data's."""

    holder: str
    fromId: int  # noqa: N815
    amount: int
    toProgramme: int  # noqa: N815
    minOut: int  # noqa: N815
    nonce: int
    deadline: int

    def digest(self, domain: Domain) -> bytes:
        return domain.digest("ExchangeOrder", **self.__dict__)

    def packed(self, signature: bytes) -> bytes:
        return (
            _address(self.holder)
            + _int(self.fromId, 8)
            + _int(self.amount, 8)
            + _int(self.toProgramme, 4)
            + _int(self.minOut, 8)
            + _int(self.nonce, 4)
            + _int(self.deadline, 5)
            + pack_signature(signature)
        )


@dataclass(frozen=True)
class RedeemOrder:
    """What a resident signs to redeem."""

    holder: str
    merchant: int
    lots: tuple[Lot, ...]
    nonce: int
    deadline: int

    def digest(self, domain: Domain) -> bytes:
        return domain.digest("RedeemOrder", **self.__dict__)

    def packed(self, signature: bytes) -> bytes:
        return (
            _address(self.holder)
            + _int(self.merchant, 4)
            + _int(self.nonce, 4)
            + _int(self.deadline, 5)
            + _int(len(self.lots), 1)
            + pack_lots(self.lots)
            + pack_signature(signature)
        )


@dataclass(frozen=True)
class HoldOrder:
    """What a resident signs to have points held."""

    holder: str
    merchant: int
    lots: tuple[Lot, ...]
    nonce: int
    deadline: int
    captureBy: int  # noqa: N815
    cancellable: bool

    def digest(self, domain: Domain) -> bytes:
        return domain.digest("HoldOrder", **self.__dict__)

    def body(self) -> bytes:
        """Return the packed order without a signature, as captures and releases repeat it."""
        return (
            _address(self.holder)
            + _int(self.merchant, 4)
            + _int(self.nonce, 4)
            + _int(self.deadline, 5)
            + _int(self.captureBy, 5)
            + _int(self.cancellable, 1)
            + _int(len(self.lots), 1)
            + pack_lots(self.lots)
        )

    def packed(self, signature: bytes) -> bytes:
        return self.body() + pack_signature(signature)

    def packed_capture(self, prefix: Prefix, signature: bytes) -> bytes:
        return self.body() + _int(prefix[0], 1) + _int(prefix[1], 8) + pack_signature(signature)


# Trees ------------------------------------------------------------------------------------------------------------

LEAF_TYPES = ["bytes32", "address", "uint256", "uint64", "bytes32", "uint32", "bytes32"]
RECEIPT_TYPES = ["bytes32", "bytes32", "uint32", "bytes32", "uint64", "uint40"]


def leaf_hash(types: Sequence[str], values: Sequence[Any]) -> bytes:
    return keccak(keccak(encode(list(types), list(values))))


def payer_of(holder: str, order_id: bytes) -> bytes:
    """Return what stands in a receipt for the holder."""
    return keccak(encode(["address", "bytes32"], [holder, order_id]))


def receipt_hash(receipt: Sequence[Any]) -> bytes:
    """Return the leaf of (order id, holder, merchant, lots hash, fen, time)."""
    order_id, holder, *rest = receipt
    return leaf_hash(RECEIPT_TYPES, [order_id, payer_of(holder, order_id), *rest])


class MerkleTree:
    """OpenZeppelin's StandardMerkleTree over leaf hashes, sorted or in the given order."""

    def __init__(self, leaves: Sequence[bytes], *, sort: bool = True) -> None:
        ordered = sorted(leaves) if sort else list(leaves)
        self._nodes = [b""] * (len(ordered) - 1) + ordered[::-1]
        for i in range(len(ordered) - 2, -1, -1):
            self._nodes[i] = keccak(b"".join(sorted(self._nodes[2 * i + 1 : 2 * i + 3])))

    @property
    def root(self) -> bytes:
        return self._nodes[0]

    def proof(self, leaf: bytes) -> list[bytes]:
        """Return the path of the first node that carries this leaf."""
        place = self._nodes.index(leaf)
        path = []
        while place:
            path.append(self._nodes[place + 1 if place % 2 else place - 1])
            place = (place - 1) // 2
        return path


@dataclass(frozen=True)
class EvidenceLeaf:
    """The evidence of one grant."""

    grant_id: bytes
    account: str
    token: int
    amount: int
    activity: bytes = b"volunteer:hours".ljust(32, b"\0")
    rulebook: int = 1
    commitment: bytes = b"\x07" * 32

    def values(self) -> tuple[Any, ...]:
        return (
            self.grant_id,
            to_checksum_address(self.account),
            self.token,
            self.amount,
            self.activity,
            self.rulebook,
            self.commitment,
        )

    def hash(self) -> bytes:
        return leaf_hash(LEAF_TYPES, self.values())
