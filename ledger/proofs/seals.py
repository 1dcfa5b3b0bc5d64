"""Who vouches for a header: QBFT's commit seals, a Clique signer, or nobody on a development chain.

QBFT (EntEthAlliance QBFT specification; Besu `QbftExtraDataCodec` hyperledger/besu@1c0ab2e; GoQuorum writes the same):
extraData = RLP[vanity32, [validators], vote, round, [seals]]. A seal signs the header with seals = [] and the real
round; the block's hash is that of the header with round = 0 and seals = [].
Clique (EIP-225): the last 65 bytes of extraData sign the header without them; the block's hash is the plain one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ledger.proofs import rlp
from ledger.proofs.errors import BadHeader, BadSeal, MalformedRlp
from ledger.proofs.headers import REQUIRED_FIELDS, Header, from_rpc
from ledger.standard.errors import StandardError
from ledger.standard.ids import Address, to_address
from ledger.standard.signatures import recover

BFT_MIX_HASH = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
"""The mark of Istanbul-like blocks: "ctical byzantine fault tolerance" (EIP-650)."""

_VANITY_BYTES = 32
_SEAL_BYTES = 65
_CLIQUE_DIFFICULTIES = (1, 2)


class Consensus(StrEnum):
    """How blocks of a chain come to be accepted."""

    QBFT = "qbft"
    CLIQUE = "clique"
    DEVELOPMENT = "development"


@dataclass(frozen=True, slots=True)
class QbftExtra:
    """The extra data of a QBFT header. ``vote`` is kept as decoded; ``validators`` is empty in contract mode."""

    vanity: bytes
    validators: tuple[Address, ...]
    vote: rlp.Decoded
    round: int
    seals: tuple[bytes, ...]

    def encode(self, *, round_number: int, seals: tuple[bytes, ...]) -> bytes:
        """Return the extra data with another round and other seals."""
        validators = [bytes.fromhex(address[2:]) for address in self.validators]
        return rlp.encode([self.vanity, validators, self.vote, rlp.encode_int(round_number), list(seals)])


def consensus_of(header: Header) -> Consensus:
    """Return which protocol made a header, by the marks that each leaves."""
    if header.mix_hash == BFT_MIX_HASH:
        return Consensus.QBFT
    long_enough = len(header.extra_data) >= _VANITY_BYTES + _SEAL_BYTES
    if long_enough and header.mix_hash == bytes(32) and header.difficulty in _CLIQUE_DIFFICULTIES:
        return Consensus.CLIQUE
    return Consensus.DEVELOPMENT


def block_hash(header: Header) -> bytes:
    """Return the block's hash as its protocol computes it. Raises BadSeal if QBFT extra data is malformed."""
    if consensus_of(header) is not Consensus.QBFT:
        return header.plain_hash()
    extra = parse_qbft(header.extra_data)
    return header.with_extra_data(extra.encode(round_number=0, seals=())).plain_hash()


def checked_header(block: Mapping[str, Any]) -> tuple[Header, bytes]:
    """Return a node's block as (header, hash), having recomputed the hash. Raises BadHeader or BadSeal.

    Nodes give fields that are not hashed on every chain (a base fee before London, say), so shorter forms are tried
    until one hashes to what the node says.
    """
    header = from_rpc(block)
    given = block.get("hash")
    while True:
        digest = block_hash(header)
        if "0x" + digest.hex() == given:
            return header, digest
        if len(header.fields) == REQUIRED_FIELDS:
            raise BadHeader(f"its fields do not hash to {given}")
        header = Header(header.fields[:-1])


def parse_qbft(extra_data: bytes) -> QbftExtra:
    """Return the parts of QBFT extra data. Raises BadSeal."""
    try:
        items = rlp.decode(extra_data)
        if not isinstance(items, list) or len(items) != 5:
            raise BadSeal("QBFT extra data is not a list of five")
        vanity, validators, vote, round_number, seals = items
        if not isinstance(vanity, bytes) or not isinstance(round_number, bytes):
            raise BadSeal("vanity or round of QBFT extra data is a list")
        if not isinstance(validators, list) or not isinstance(seals, list):
            raise BadSeal("validators or seals of QBFT extra data are not lists")
        return QbftExtra(
            vanity=vanity,
            validators=tuple(to_address(_bytes(item, 20)) for item in validators),
            vote=vote,
            round=rlp.decode_int(round_number, 32),
            seals=tuple(_bytes(item, _SEAL_BYTES) for item in seals),
        )
    except MalformedRlp as error:
        raise BadSeal(f"QBFT extra data: {error}") from error


def quorum(validators: int) -> int:
    """Return how many distinct seals accept a block of ``validators`` validators: two thirds, rounded up."""
    return -(-2 * validators // 3)


def qbft_sealers(header: Header, validators: Collection[str] | None = None) -> tuple[tuple[Address, ...], int]:
    """Return (distinct sealers, validators in the set) of a QBFT header that a quorum has sealed.

    ``validators`` is the set the verifier trusts. Without it the header's own list is used, which shows only that the
    header is consistent with itself. Raises BadSeal if the sets differ, a seal is not a validator's, or seals are few.
    """
    extra = parse_qbft(header.extra_data)
    own = frozenset(extra.validators)
    trusted = own if validators is None else frozenset(to_address(address) for address in validators)
    if not trusted:
        raise BadSeal("the set of validators is empty")
    if own and own != trusted:
        raise BadSeal("the header names other validators than those trusted")
    digest = seal_digest(header)
    sealers: set[Address] = set()
    for seal in extra.seals:
        sealer = _recover(digest, seal)
        if sealer not in trusted:
            raise BadSeal(f"{sealer}, who sealed it, is not a validator")
        sealers.add(sealer)
    if len(sealers) < quorum(len(trusted)):
        raise BadSeal(f"{len(sealers)} of {len(trusted)} validators sealed it; it takes {quorum(len(trusted))}")
    return tuple(sorted(sealers)), len(trusted)


def seal_digest(header: Header) -> bytes:
    """Return the 32 bytes that QBFT validators sign for a header. Raises BadSeal."""
    extra = parse_qbft(header.extra_data)
    return header.with_extra_data(extra.encode(round_number=extra.round, seals=())).plain_hash()


def clique_signer(header: Header) -> Address:
    """Return the account that signed a Clique header. Raises BadSeal."""
    extra = header.extra_data
    if len(extra) < _VANITY_BYTES + _SEAL_BYTES:
        raise BadSeal("the extra data is too short for a Clique signature")
    return _recover(header.with_extra_data(extra[:-_SEAL_BYTES]).plain_hash(), extra[-_SEAL_BYTES:])


def _recover(digest: bytes, seal: bytes) -> Address:
    """Nodes write v as 0 or 1, some signers as 27 or 28."""
    v = seal[64] + 27 if seal[64] < 2 else seal[64]
    try:
        return recover(digest, seal[:64] + bytes([v]))
    except StandardError as error:
        raise BadSeal(str(error)) from error


def _bytes(item: rlp.Decoded, size: int) -> bytes:
    if isinstance(item, list) or len(item) != size:
        raise BadSeal(f"{size} bytes were expected in QBFT extra data")
    return item
