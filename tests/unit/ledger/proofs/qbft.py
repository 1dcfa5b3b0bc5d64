"""Makes sealed headers the way validators do, for tests: keys are generated, formats are the protocols'."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.proofs import rlp
from ledger.proofs.headers import Header
from ledger.proofs.seals import BFT_MIX_HASH
from ledger.standard.ids import address_bytes
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey

VANITY = b"tongdui test network".ljust(32, b"\0")


def keys(count: int) -> list[SigningKey]:
    """Validator keys, the same for every run."""
    return [SigningKey(keccak256(b"validator %d" % n)) for n in range(count)]


def header(**changes: bytes) -> Header:
    """A header with plausible fields; ``changes`` by short name."""
    fields = {
        "parent": keccak256(b"parent"),
        "uncles": keccak256(rlp.encode([])),
        "miner": bytes(20),
        "state": keccak256(b"state"),
        "transactions": keccak256(b"transactions"),
        "receipts": keccak256(b"receipts"),
        "bloom": bytes(256),
        "difficulty": b"\1",
        "number": b"\5",
        "gas_limit": b"\x1f\xff\xff\xff",
        "gas_used": b"",
        "timestamp": b"\x65\x00\x00\x00",
        "extra": b"",
        "mix": bytes(32),
        "nonce": bytes(8),
    }
    return Header(tuple((fields | changes).values()))


def qbft_extra(validators: Sequence[bytes], round_number: int, seals: Sequence[bytes], vote: rlp.Item = ()) -> bytes:
    """QBFT extra data, written out by hand."""
    return rlp.encode([VANITY, list(validators), vote, rlp.encode_int(round_number), list(seals)])


def seal_qbft(
    plain: Header,
    named: Sequence[SigningKey],
    signing: Sequence[SigningKey],
    round_number: int = 0,
    vote: rlp.Item = (),
) -> Header:
    """Return ``plain`` as a QBFT block that names the validators ``named`` and is sealed by ``signing``."""
    addresses = [address_bytes(key.address) for key in named]
    marked = Header((*plain.fields[:13], BFT_MIX_HASH, *plain.fields[14:]))
    digest = marked.with_extra_data(qbft_extra(addresses, round_number, (), vote)).plain_hash()
    seals = []
    for key in signing:
        signature = key.sign_digest(digest)
        seals.append(signature[:64] + bytes([signature[64] - 27]))
    return marked.with_extra_data(qbft_extra(addresses, round_number, seals, vote))


def seal_clique(plain: Header, key: SigningKey) -> Header:
    """Return ``plain`` as a Clique block signed by ``key``."""
    vanity = VANITY
    base = Header((*plain.fields[:7], b"\2", *plain.fields[8:])).with_extra_data(vanity)
    signature = key.sign_digest(base.plain_hash())
    return base.with_extra_data(vanity + signature[:64] + bytes([signature[64] - 27]))
