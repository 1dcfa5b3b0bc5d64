"""Seals: a quorum of distinct validators, over the header as QBFT writes it; Clique; no seals."""

from __future__ import annotations

import pytest

from ledger.proofs import rlp, seals
from ledger.proofs.errors import BadSeal
from ledger.proofs.seals import Consensus
from tests.unit.ledger.proofs.qbft import header, keys, qbft_extra, seal_clique, seal_qbft


@pytest.mark.parametrize(("validators", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (10, 7)])
def test_quorum_is_two_thirds_rounded_up(validators: int, needed: int) -> None:
    assert seals.quorum(validators) == needed


@pytest.mark.parametrize("round_number", [0, 1, 300])
@pytest.mark.parametrize("count", [1, 4, 7])
def test_a_quorum_of_seals_is_accepted_in_any_round(count: int, round_number: int) -> None:
    validators = keys(count)
    needed = seals.quorum(count)
    block = seal_qbft(header(), validators, validators[:needed], round_number)
    trusted = [key.address for key in validators]
    sealers, of = seals.qbft_sealers(block, trusted)
    assert set(sealers) == {key.address for key in validators[:needed]}
    assert of == count
    assert seals.qbft_sealers(block) == (sealers, of)


def test_one_seal_less_than_a_quorum_is_refused() -> None:
    validators = keys(4)
    with pytest.raises(BadSeal, match="2 of 4"):
        seals.qbft_sealers(seal_qbft(header(), validators, validators[:2]))


def test_the_same_validator_counts_once() -> None:
    validators = keys(4)
    with pytest.raises(BadSeal, match="1 of 4"):
        seals.qbft_sealers(seal_qbft(header(), validators, [validators[0]] * 4))


def test_a_stranger_seal_is_refused() -> None:
    all_keys = keys(5)
    with pytest.raises(BadSeal, match="not a validator"):
        seals.qbft_sealers(seal_qbft(header(), all_keys[:4], [*all_keys[:3], all_keys[4]]))


def test_a_header_that_names_other_validators_is_refused() -> None:
    """Four strangers who name and seal for themselves do not pass for the trusted four."""
    all_keys = keys(8)
    forged = seal_qbft(header(), all_keys[4:], all_keys[4:])
    assert seals.qbft_sealers(forged)
    with pytest.raises(BadSeal, match="other validators"):
        seals.qbft_sealers(forged, [key.address for key in all_keys[:4]])


def test_in_contract_mode_the_trusted_set_decides() -> None:
    validators = keys(4)
    block = seal_qbft(header(), [], validators[:3])
    assert len(seals.qbft_sealers(block, [key.address for key in validators])[0]) == 3
    with pytest.raises(BadSeal, match="empty"):
        seals.qbft_sealers(block)


def test_any_change_of_the_header_voids_the_seals() -> None:
    validators = keys(4)
    block = seal_qbft(header(), validators, validators)
    for index in (0, 3, 5, 8, 11):
        fields = list(block.fields)
        fields[index] = fields[index][:-1] + bytes([fields[index][-1] ^ 1])
        with pytest.raises(BadSeal):
            seals.qbft_sealers(type(block)(tuple(fields)), [key.address for key in validators])


def test_the_block_hash_leaves_out_round_and_seals() -> None:
    validators = keys(4)
    first = seal_qbft(header(), validators, validators[:3], round_number=0)
    second = seal_qbft(header(), validators, validators[1:], round_number=2)
    assert seals.block_hash(first) == seals.block_hash(second)
    assert first.plain_hash() != second.plain_hash()
    addresses = seals.parse_qbft(first.extra_data).validators
    bare = first.with_extra_data(qbft_extra([bytes.fromhex(a[2:]) for a in addresses], 0, ()))
    assert seals.block_hash(first) == bare.plain_hash()


def test_a_vote_survives_reencoding() -> None:
    validators = keys(4)
    vote: rlp.Item = [b"\x11" * 20, b"\xff"]
    block = seal_qbft(header(), validators, validators, vote=vote)
    assert seals.parse_qbft(block.extra_data).vote == vote
    assert len(seals.qbft_sealers(block)[0]) == 4


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        rlp.encode([]),
        rlp.encode([b"v", [], [], b""]),
        rlp.encode([b"v", [b"\1" * 19], [], b"", []]),
        rlp.encode([b"v", [], [], b"", [b"\1" * 64]]),
        rlp.encode([[], [], [], b"", []]),
        rlp.encode([b"v", b"", [], b"", []]),
        rlp.encode([b"v", [], [], b"\0", []]),
    ],
)
def test_malformed_extra_data_is_refused(extra: bytes) -> None:
    with pytest.raises(BadSeal):
        seals.parse_qbft(extra)


def test_a_seal_from_which_no_key_follows_is_refused() -> None:
    validators = keys(1)
    block = seal_qbft(header(), validators, validators)
    address = bytes.fromhex(validators[0].address[2:])
    broken = block.with_extra_data(qbft_extra([address], 0, [b"\xff" * 64 + b"\0"]))
    with pytest.raises(BadSeal):
        seals.qbft_sealers(broken)


def test_consensus_is_told_from_the_header() -> None:
    validators = keys(1)
    assert seals.consensus_of(header()) is Consensus.DEVELOPMENT
    assert seals.consensus_of(seal_qbft(header(), validators, validators)) is Consensus.QBFT
    assert seals.consensus_of(seal_clique(header(), validators[0])) is Consensus.CLIQUE


def test_clique_signer_is_recovered_and_the_hash_is_plain() -> None:
    key = keys(1)[0]
    block = seal_clique(header(), key)
    assert seals.clique_signer(block) == key.address
    assert seals.block_hash(block) == block.plain_hash()
    with pytest.raises(BadSeal):
        seals.clique_signer(header())
