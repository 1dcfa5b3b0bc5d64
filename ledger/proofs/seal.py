"""What a header's seals are worth to a verifier, in one answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ledger.proofs import seals
from ledger.proofs.errors import BadSeal
from ledger.proofs.headers import Header
from ledger.proofs.seals import Consensus
from ledger.standard.ids import to_address


class SealKind(StrEnum):
    """How a block is vouched for."""

    QUORUM = "quorum"
    """Two thirds of the trusted validators signed it: final."""
    SELF_NAMED_QUORUM = "self_named_quorum"
    """Two thirds of the validators that the header itself names signed it; nobody has said who they should be."""
    DEPTH = "depth"
    """Clique: so many blocks follow it. Never a quorum."""
    NONE = "none"
    """A development chain: included, not sealed."""


@dataclass(frozen=True, slots=True)
class Seal:
    """``count`` of ``of`` validators for a quorum, the number of following blocks for a depth."""

    kind: SealKind
    count: int = 0
    of: int = 0

    def __str__(self) -> str:
        match self.kind:
            case SealKind.QUORUM:
                return f"sealed by {self.count} of {self.of} validators"
            case SealKind.SELF_NAMED_QUORUM:
                return f"sealed by {self.count} of {self.of} validators that the block itself names"
            case SealKind.DEPTH:
                return f"depth {self.count}"
            case SealKind.NONE:
                return "included, not sealed"


def judge(header: Header, following: Sequence[Header], validators: Collection[str] | None) -> Seal:
    """Return what vouches for ``header``. ``following`` are the headers after it, for Clique.

    Raises BadSeal if seals are there but do not carry the block, if trusted validators are given and the block has no
    seals, or if ``following`` is not a chain from the header on.
    """
    match seals.consensus_of(header):
        case Consensus.QBFT:
            if following:
                raise BadSeal("a QBFT block needs no following ones")
            sealers, of = seals.qbft_sealers(header, validators)
            kind = SealKind.SELF_NAMED_QUORUM if validators is None else SealKind.QUORUM
            return Seal(kind, len(sealers), of)
        case Consensus.CLIQUE:
            return Seal(SealKind.DEPTH, _clique_depth(header, following, validators))
        case Consensus.DEVELOPMENT:
            if validators is not None:
                raise BadSeal("the block has no seals, but validators are expected")
            if following:
                raise BadSeal("a block of a development chain gains nothing from following ones")
            return Seal(SealKind.NONE)


def _clique_depth(header: Header, following: Sequence[Header], validators: Collection[str] | None) -> int:
    trusted = None if validators is None else {to_address(address) for address in validators}
    parent = header
    for number, block in enumerate([header, *following], header.number):
        if seals.consensus_of(block) is not Consensus.CLIQUE or block.number != number:
            raise BadSeal(f"block {number} is not the Clique block that should stand there")
        if block is not header and block.parent_hash != seals.block_hash(parent):
            raise BadSeal(f"block {number} does not follow the one before")
        signer = seals.clique_signer(block)
        if trusted is not None and signer not in trusted:
            raise BadSeal(f"{signer}, who signed block {number}, is not a validator")
        parent = block
    return len(following)
