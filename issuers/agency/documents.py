"""What an issuer is asked to sign, in full: the gateway writes these documents, the agency's signer derives from them.

JSON, amounts as text, bytes as 0x and hexadecimal. A mint's document has the evidence leaves in the order of the packed
grants; from them alone follow packed grants, evidence root, struct hash and digest. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic

from ledger.errors import TongduiError
from ledger.standard.contract import GRANTS_MAX
from ledger.standard.errors import StandardError
from ledger.standard.evidence import EvidenceLeaf, MerkleTree
from ledger.standard.ids import AccountBytes, AddressText, ProgrammeId, to_address, token_id
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_grants, pack_revocations
from ledger.standard.typed_data import Domain, MintBatch, Revocation, VoidBatch

Hex32 = Annotated[str, pydantic.Field(pattern=r"^0x[0-9a-f]{64}$")]
Account = Annotated[AddressText, pydantic.Field(pattern=r"^0x[0-9a-f]{40}$")]
Uint64 = Annotated[str, pydantic.Field(pattern=r"^(0|[1-9][0-9]{0,19})$")]
Programme = Annotated[ProgrammeId, pydantic.Field(ge=1, lt=1 << 32)]


class NotADocument(TongduiError):
    """What was sent says nothing that could be signed; ``place`` is the field."""

    def __init__(self, place: str, problem: str) -> None:
        self.place = place
        self.problem = problem
        super().__init__(f"{place}: {problem}")


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


class DomainDocument(_Model):
    """The EIP-712 domain: which installation this is for."""

    chain_id: Annotated[int, pydantic.Field(ge=1)]
    ledger: Account
    salt: Hex32

    @classmethod
    def of(cls, domain: Domain) -> dict[str, Any]:
        """Return the JSON of a domain."""
        return {
            "chain_id": domain.chain_id,
            "ledger": domain.ledger_address.lower(),
            "salt": "0x" + domain.salt.hex(),
        }


class LeafDocument(_Model):
    """One grant of a batch, and where the agency wants to see it, the record behind its commitment."""

    grant_id: Hex32
    account: Account
    amount_minor: Uint64
    activity: Annotated[str, pydantic.Field(pattern=r"^[\x21-\x7e]{1,32}$")]
    rulebook_version: Programme
    commitment: Hex32
    salt: Hex32 | None = None
    record: Annotated[str, pydantic.Field(max_length=16_384)] | None = None
    """The canonical (RFC 8785) record, whose salted hash is the commitment."""

    def leaf(self, token: int) -> EvidenceLeaf:
        """Return the evidence leaf in a lot."""
        return EvidenceLeaf(
            bytes.fromhex(self.grant_id[2:]),
            to_address(bytes.fromhex(self.account[2:])),
            token,
            int(self.amount_minor),
            self.activity.encode().ljust(32, b"\0"),
            self.rulebook_version,
            bytes.fromhex(self.commitment[2:]),
        )


class MintDocument(_Model):
    """A batch."""

    kind: Literal["mint"]
    domain: DomainDocument
    programme: Programme
    quarter: Annotated[int, pydantic.Field(ge=0, lt=1 << 32)]
    number: Uint64
    leaves: Annotated[list[LeafDocument], pydantic.Field(min_length=1, max_length=GRANTS_MAX)]


class VoidDocument(_Model):
    """A batch number that shall never land."""

    kind: Literal["void"]
    domain: DomainDocument
    programme: Programme
    number: Uint64


class RevocationDocument(_Model):
    """Points of one grant that shall be taken back."""

    kind: Literal["revoke"]
    domain: DomainDocument
    programme: Programme
    number: Uint64
    quarter: Annotated[int, pydantic.Field(ge=0, lt=1 << 32)]
    leaf: LeafDocument
    index: Annotated[int, pydantic.Field(ge=0, lt=GRANTS_MAX)]
    """The grant's place in its batch, which is what the contract goes by."""
    revoked_total_minor: Uint64
    reason: Annotated[int, pydantic.Field(ge=0, lt=1 << 16)]


SigningDocument = MintDocument | VoidDocument | RevocationDocument
_ANY: pydantic.TypeAdapter[SigningDocument] = pydantic.TypeAdapter(
    Annotated[SigningDocument, pydantic.Field(discriminator="kind")]
)


@dataclass(frozen=True, slots=True)
class Derived:
    """What follows from a document: the bytes whose keccak is signed, and what the rules look at."""

    preimage: bytes
    digest: bytes
    amount_minor: int
    content_hash: bytes
    """Hash of everything but the quarter: one number has one content for ever."""


def read(content: bytes | str) -> SigningDocument:
    """Read a document. Raises NotADocument."""
    try:
        return _ANY.validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise NotADocument(place, first["msg"]) from error


def derive(document: SigningDocument, domain: Domain) -> Derived:
    """Compute what is signed for a document in the agency's own domain. Raises NotADocument."""
    try:
        match document:
            case MintDocument():
                return _derive_mint(document, domain)
            case VoidDocument():
                struct = VoidBatch(document.programme, int(document.number)).struct_hash()
                return _derived(domain, struct, 0, b"void" + document.number.encode())
            case RevocationDocument():
                packed = pack_revocations([(document.index, int(document.revoked_total_minor), document.reason)])
                revocation = Revocation(document.programme, int(document.number), keccak256(packed))
                return _derived(domain, revocation.struct_hash(), 0, packed)
    except StandardError as error:
        raise NotADocument("the document", str(error)) from error


def _derive_mint(document: MintDocument, domain: Domain) -> Derived:
    token = token_id(document.programme, document.quarter)
    leaves = [one.leaf(token) for one in document.leaves]
    packed = pack_grants([(one.account, one.amount) for one in leaves])
    root = MerkleTree([one.hash() for one in leaves]).root
    batch = MintBatch(document.programme, document.quarter, int(document.number), root, keccak256(packed))
    # In lot 0 the leaves of a number are the same whatever quarter it is signed for.
    content = b"".join([one.leaf(0).encode() for one in document.leaves])
    return _derived(domain, batch.struct_hash(), sum(one.amount for one in leaves), content)


def _derived(domain: Domain, struct_hash: bytes, amount_minor: int, content: bytes) -> Derived:
    preimage = domain.preimage(struct_hash)
    return Derived(preimage, keccak256(preimage), amount_minor, keccak256(content))


def mint_document(
    domain: Domain, programme: ProgrammeId, quarter: int, number: int, leaves: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the document of a batch; ``leaves`` as of `leaf_document`."""
    return {
        "kind": "mint",
        "domain": DomainDocument.of(domain),
        "programme": programme,
        "quarter": quarter,
        "number": str(number),
        "leaves": list(leaves),
    }


def leaf_document(
    grant_id: bytes,
    account: AccountBytes,
    amount_minor: int,
    activity: str,
    rulebook_version: int,
    commitment: bytes,
    opening: tuple[bytes, bytes] | None = None,
) -> dict[str, Any]:
    """Return a leaf's part of a document; ``opening``: (salt, canonical record)."""
    leaf: dict[str, Any] = {
        "grant_id": "0x" + grant_id.hex(),
        "account": "0x" + account.hex(),
        "amount_minor": str(amount_minor),
        "activity": activity,
        "rulebook_version": rulebook_version,
        "commitment": "0x" + commitment.hex(),
    }
    if opening is not None:
        leaf["salt"] = "0x" + opening[0].hex()
        leaf["record"] = opening[1].decode()
    return leaf


def void_document(domain: Domain, programme: ProgrammeId, number: int) -> dict[str, Any]:
    """Return the document of a void."""
    return {"kind": "void", "domain": DomainDocument.of(domain), "programme": programme, "number": str(number)}


def revocation_document(
    domain: Domain,
    programme: ProgrammeId,
    number: int,
    quarter: int,
    leaf: Mapping[str, Any],
    index: int,
    total_minor: int,
    reason: int,
) -> dict[str, Any]:
    """Return the document of a revocation; ``index`` is the grant's place in its batch."""
    return {
        "kind": "revoke",
        "domain": DomainDocument.of(domain),
        "programme": programme,
        "number": str(number),
        "quarter": quarter,
        "leaf": dict(leaf),
        "index": index,
        "revoked_total_minor": str(total_minor),
        "reason": reason,
    }
