"""EIP-712 typed data of the standard (https://eips.ethereum.org/EIPS/eip-712), hashed by hand.

`eth_account` encodes the same messages from a generic description some fifty times slower; the tests hold the two
equal. The schemas are those of the contracts' interfaces; the id of an order is its digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.standard.ids import MerchantId, OrderId, ProgrammeId, address_bytes, fixed_bytes, uint
from ledger.standard.keccak import keccak256

DOMAIN_NAME: Final = "Tongdui"
DOMAIN_VERSION: Final = "2"

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
LOT_TYPE: Final = "Lot(uint64 id,uint64 amount)"
MINT_BATCH_TYPE: Final = (
    "MintBatch(uint32 programme,uint32 quarter,uint64 number,bytes32 evidenceRoot,bytes32 grantsHash)"
)
VOID_BATCH_TYPE: Final = "VoidBatch(uint32 programme,uint64 number)"
REVOCATION_TYPE: Final = "Revocation(uint32 programme,uint64 number,bytes32 revocationsHash)"
EXCHANGE_ORDER_TYPE: Final = (
    "ExchangeOrder(address holder,uint64 fromId,uint64 amount,uint32 toProgramme,uint64 minOut,uint32 nonce,"
    "uint40 deadline)"
)
REDEEM_ORDER_TYPE: Final = (
    "RedeemOrder(address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline)" + LOT_TYPE
)
HOLD_ORDER_TYPE: Final = (
    "HoldOrder(address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline,uint40 captureBy,"
    "bool cancellable)" + LOT_TYPE
)
CAPTURE_TYPE: Final = "Capture(bytes32 orderId,uint8 lots,uint64 lastAmount)"
RELEASE_TYPE: Final = "Release(bytes32 orderId)"
REFUND_TYPE: Final = "Refund(bytes32 orderId,uint8 lots,uint64 lastAmount)"
ARBITER_REFUND_TYPE: Final = "ArbiterRefund(bytes32 orderId,uint8 lots,uint64 lastAmount)"
SUCCESSION_TYPE: Final = "Succession(address oldAccount,address newAccount,uint40 deadline)"
OBJECTION_TYPE: Final = "Objection(address oldAccount,address newAccount)"

_PAD12 = b"\0" * 12
_PREFIX = b"\x19\x01"


def _type_hash(schema: str) -> bytes:
    return keccak256(schema.encode())


_LOT = _type_hash(LOT_TYPE)
_MINT_BATCH = _type_hash(MINT_BATCH_TYPE)
_VOID_BATCH = _type_hash(VOID_BATCH_TYPE)
_REVOCATION = _type_hash(REVOCATION_TYPE)
_EXCHANGE_ORDER = _type_hash(EXCHANGE_ORDER_TYPE)
_REDEEM_ORDER = _type_hash(REDEEM_ORDER_TYPE)
_HOLD_ORDER = _type_hash(HOLD_ORDER_TYPE)
_CAPTURE = _type_hash(CAPTURE_TYPE)
_RELEASE = _type_hash(RELEASE_TYPE)
_REFUND = _type_hash(REFUND_TYPE)
_ARBITER_REFUND = _type_hash(ARBITER_REFUND_TYPE)
_SUCCESSION = _type_hash(SUCCESSION_TYPE)
_OBJECTION = _type_hash(OBJECTION_TYPE)


@dataclass(frozen=True, slots=True)
class Domain:
    """The signing domain of one installation.

    The chain id, the PointsLedger's address (nonces live there; modules above it change) and a random deployment id as
    salt: nothing signed for one installation replays on another.
    """

    chain_id: int
    ledger_address: str
    salt: bytes
    separator: bytes = field(init=False, repr=False, compare=False)
    """The EIP-712 domain separator; `PointsLedger.domainSeparator()` must return the same."""

    def __post_init__(self) -> None:
        encoded = (
            _type_hash(_DOMAIN_TYPE)
            + keccak256(DOMAIN_NAME.encode())
            + keccak256(DOMAIN_VERSION.encode())
            + uint("chain id", self.chain_id, 256).to_bytes(32, "big")
            + _PAD12
            + address_bytes(self.ledger_address)
            + fixed_bytes("salt", self.salt, 32)
        )
        object.__setattr__(self, "separator", keccak256(encoded))

    def preimage(self, struct_hash: bytes) -> bytes:
        """Return the 66 bytes whose keccak is signed, for signers that hash what they are given."""
        return _PREFIX + self.separator + struct_hash

    def digest(self, struct_hash: bytes) -> bytes:
        """Return the 32 bytes that are signed for a struct hash."""
        return keccak256(_PREFIX + self.separator + struct_hash)


@dataclass(frozen=True, slots=True)
class Lot:
    """An amount in minor units of one lot; ``id`` is the token id."""

    id: int
    amount: int

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of this struct."""
        return keccak256(_LOT + _word("lot id", self.id, 64) + _word("lot amount", self.amount, 64))


@dataclass(frozen=True, slots=True)
class MintBatch:
    """What an issuer signs to mint one batch; ``grants_hash`` is the hash of `packed.pack_grants`."""

    programme: ProgrammeId
    quarter: int
    number: int
    evidence_root: bytes
    grants_hash: bytes

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of this struct."""
        return keccak256(
            _MINT_BATCH
            + _word("programme", self.programme, 32)
            + _word("quarter", self.quarter, 32)
            + _word("batch number", self.number, 64)
            + fixed_bytes("evidence root", self.evidence_root, 32)
            + fixed_bytes("grants hash", self.grants_hash, 32)
        )

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the issuer signs."""
        return domain.digest(self.struct_hash())


@dataclass(frozen=True, slots=True)
class VoidBatch:
    """What an issuer signs to make an unused batch number unusable."""

    programme: ProgrammeId
    number: int

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of this struct."""
        return keccak256(_VOID_BATCH + _word("programme", self.programme, 32) + _word("batch number", self.number, 64))

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the issuer signs."""
        return domain.digest(self.struct_hash())


@dataclass(frozen=True, slots=True)
class Revocation:
    """What an issuer signs to take back grants of a batch; the hash is of `packed.pack_revocations`."""

    programme: ProgrammeId
    number: int
    revocations_hash: bytes

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of this struct."""
        return keccak256(
            _REVOCATION
            + _word("programme", self.programme, 32)
            + _word("batch number", self.number, 64)
            + fixed_bytes("revocations hash", self.revocations_hash, 32)
        )

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the issuer signs."""
        return domain.digest(self.struct_hash())


@dataclass(frozen=True, slots=True)
class ExchangeOrder:
    """A resident's order to turn ``amount`` minor of lot ``from_id`` into points of another programme.

    ``deadline`` is Unix seconds; ``min_out`` is in minor units of the target programme.
    """

    holder: str
    from_id: int
    amount: int
    to_programme: ProgrammeId
    min_out: int
    nonce: int
    deadline: int

    def digest(self, domain: Domain) -> OrderId:
        """Return the 32 bytes that the holder signs; they are the order's id."""
        return OrderId(
            domain.digest(
                keccak256(
                    _EXCHANGE_ORDER
                    + _PAD12
                    + address_bytes(self.holder)
                    + _word("lot id", self.from_id, 64)
                    + _word("amount", self.amount, 64)
                    + _word("target programme", self.to_programme, 32)
                    + _word("minimum out", self.min_out, 64)
                    + _word("nonce", self.nonce, 32)
                    + _word("deadline", self.deadline, 40)
                )
            )
        )


@dataclass(frozen=True, slots=True)
class RedeemOrder:
    """A resident's order to pay a merchant with a basket of lots, in the order in which they bear the value."""

    holder: str
    merchant: MerchantId
    lots: tuple[Lot, ...]
    nonce: int
    deadline: int

    def digest(self, domain: Domain) -> OrderId:
        """Return the 32 bytes that the holder signs; they are the order's id."""
        return OrderId(
            domain.digest(
                keccak256(
                    _REDEEM_ORDER
                    + _PAD12
                    + address_bytes(self.holder)
                    + _word("merchant", self.merchant, 32)
                    + lots_hash(self.lots)
                    + _word("nonce", self.nonce, 32)
                    + _word("deadline", self.deadline, 40)
                )
            )
        )


@dataclass(frozen=True, slots=True)
class HoldOrder:
    """A resident's order to set lots aside for a merchant until ``capture_by`` (Unix seconds)."""

    holder: str
    merchant: MerchantId
    lots: tuple[Lot, ...]
    nonce: int
    deadline: int
    capture_by: int
    cancellable: bool

    def digest(self, domain: Domain) -> OrderId:
        """Return the 32 bytes that the holder signs; they are the order's id."""
        return OrderId(
            domain.digest(
                keccak256(
                    _HOLD_ORDER
                    + _PAD12
                    + address_bytes(self.holder)
                    + _word("merchant", self.merchant, 32)
                    + lots_hash(self.lots)
                    + _word("nonce", self.nonce, 32)
                    + _word("deadline", self.deadline, 40)
                    + _word("capture by", self.capture_by, 40)
                    + _word("cancellable", int(self.cancellable), 1)
                )
            )
        )


@dataclass(frozen=True, slots=True)
class Capture:
    """A merchant's claim on a hold: keeps the first ``lots`` lots, whole but the last, which keeps ``last_amount``."""

    order_id: OrderId
    lots: int
    last_amount: int

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the merchant signs."""
        return domain.digest(_prefix_hash(_CAPTURE, self.order_id, self.lots, self.last_amount))


@dataclass(frozen=True, slots=True)
class Release:
    """Consent to end a hold: the merchant's, or the holder's where the order is cancellable."""

    order_id: OrderId

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that are signed."""
        return domain.digest(keccak256(_RELEASE + fixed_bytes("order id", self.order_id, 32)))


@dataclass(frozen=True, slots=True)
class Refund:
    """A merchant's refund: the new kept prefix of the order's lots, which may only shrink, so a replay does nothing."""

    order_id: OrderId
    lots: int
    last_amount: int

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the merchant signs."""
        return domain.digest(_prefix_hash(_REFUND, self.order_id, self.lots, self.last_amount))


@dataclass(frozen=True, slots=True)
class ArbiterRefund:
    """A refund of a locked order with the consumer arbiter's signature in the merchant's place; as `Refund`."""

    order_id: OrderId
    lots: int
    last_amount: int

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the arbiter's key signs."""
        return domain.digest(_prefix_hash(_ARBITER_REFUND, self.order_id, self.lots, self.last_amount))


@dataclass(frozen=True, slots=True)
class Succession:
    """A new account's consent to succeed an old one, good until ``deadline`` (Unix seconds)."""

    old_account: str
    new_account: str
    deadline: int

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the new account signs."""
        return domain.digest(
            keccak256(
                _SUCCESSION
                + _PAD12
                + address_bytes(self.old_account)
                + _PAD12
                + address_bytes(self.new_account)
                + _word("deadline", self.deadline, 40)
            )
        )


@dataclass(frozen=True, slots=True)
class Objection:
    """An old account's objection to being succeeded by a new one."""

    old_account: str
    new_account: str

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that the old account signs."""
        return domain.digest(
            keccak256(_OBJECTION + _PAD12 + address_bytes(self.old_account) + _PAD12 + address_bytes(self.new_account))
        )


def _word(name: str, value: int, bits: int) -> bytes:
    return uint(name, value, bits).to_bytes(32, "big")


def lots_hash(lots: Sequence[Lot]) -> bytes:
    """Return the EIP-712 hash of an array of lots; a redemption's receipt carries it too."""
    return keccak256(b"".join([lot.struct_hash() for lot in lots]))


def _prefix_hash(type_hash: bytes, order_id: OrderId, lots: int, last_amount: int) -> bytes:
    return keccak256(
        type_hash
        + fixed_bytes("order id", order_id, 32)
        + _word("kept lots", lots, 8)
        + _word("last amount", last_amount, 64)
    )
