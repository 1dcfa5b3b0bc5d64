"""What vouches for a block, in one answer."""

from __future__ import annotations

import pytest

from ledger.proofs.errors import BadSeal
from ledger.proofs.seal import SealKind, judge
from tests.unit.ledger.proofs.qbft import header, keys, seal_clique, seal_qbft


def test_a_quorum_of_the_trusted_set() -> None:
    validators = keys(4)
    seal = judge(seal_qbft(header(), validators, validators[1:]), [], [key.address for key in validators])
    assert (seal.kind, seal.count, seal.of) == (SealKind.QUORUM, 3, 4)
    assert str(seal) == "sealed by 3 of 4 validators"


def test_a_quorum_of_whoever_the_block_names_is_called_that() -> None:
    validators = keys(4)
    seal = judge(seal_qbft(header(), validators, validators), [], None)
    assert seal.kind is SealKind.SELF_NAMED_QUORUM


def test_a_development_block_is_not_sealed_and_not_accepted_where_validators_are_expected() -> None:
    assert str(judge(header(), [], None)) == "included, not sealed"
    with pytest.raises(BadSeal):
        judge(header(), [], [keys(1)[0].address])
    with pytest.raises(BadSeal):
        judge(header(), [header()], None)


def test_a_clique_block_has_a_depth() -> None:
    key = keys(1)[0]
    assert str(judge(seal_clique(header(), key), [], [key.address])) == "depth 0"
    with pytest.raises(BadSeal):
        judge(seal_clique(header(), key), [], [keys(2)[1].address])
