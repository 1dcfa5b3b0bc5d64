"""What an issuer is asked to sign: what reads back, what is named where it does not, what makes two contents differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from issuers.agency import documents
from issuers.agency.documents import (
    Derived,
    DomainDocument,
    MintDocument,
    NotADocument,
    leaf_document,
    mint_document,
    revocation_document,
    void_document,
)
from ledger.standard.contract import GRANTS_MAX
from ledger.standard.evidence import EvidenceLeaf
from ledger.standard.ids import AccountBytes, ProgrammeId, to_address, token_id
from ledger.standard.typed_data import Domain

DOMAIN = Domain(77, "0x" + "aB" * 20, b"\x05" * 32)
PROGRAMME = ProgrammeId(3)
LEAF = leaf_document(b"\1" * 32, AccountBytes(b"\2" * 20), 5, "SERVICE", 1, b"\3" * 32)
MINT = mint_document(DOMAIN, PROGRAMME, 115, 7, [LEAF])


def derived(document: dict[str, Any], domain: Domain = DOMAIN) -> Derived:
    return documents.derive(documents.read(orjson.dumps(document)), domain)


def test_a_domain_is_written_in_lower_case_and_in_full() -> None:
    assert DomainDocument.of(DOMAIN) == {"chain_id": 77, "ledger": "0x" + "ab" * 20, "salt": "0x" + "05" * 32}


def test_a_leaf_becomes_the_evidence_that_the_chain_knows() -> None:
    document = documents.read(orjson.dumps(MINT))
    assert isinstance(document, MintDocument)
    [leaf] = document.leaves
    assert leaf.leaf(token_id(PROGRAMME, 115)) == EvidenceLeaf(
        b"\1" * 32, to_address(b"\2" * 20), token_id(PROGRAMME, 115), 5, b"SERVICE".ljust(32, b"\0"), 1, b"\3" * 32
    )


def test_a_record_is_shown_only_with_its_opening() -> None:
    assert "record" not in LEAF
    assert "salt" not in LEAF
    opened = leaf_document(
        b"\1" * 32, AccountBytes(b"\2" * 20), 5, "SERVICE", 1, b"\3" * 32, (b"\4" * 32, '{"a":"中"}'.encode())
    )
    assert (opened["salt"], opened["record"]) == ("0x" + "04" * 32, '{"a":"中"}')
    document = documents.read(orjson.dumps(mint_document(DOMAIN, PROGRAMME, 115, 7, [opened])))
    assert isinstance(document, MintDocument)
    assert document.leaves[0].record == '{"a":"中"}'
    assert derived(mint_document(DOMAIN, PROGRAMME, 115, 7, [opened])) == derived(MINT), "what is shown is not signed"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"number": "-1"}, "mint.number"),
        ({"number": 7}, "mint.number"),
        ({"number": "007"}, "mint.number"),
        ({"programme": 0}, "mint.programme"),
        ({"programme": 1 << 32}, "mint.programme"),
        ({"quarter": True}, "mint.quarter"),
        ({"leaves": []}, "mint.leaves"),
        ({"leaves": [LEAF] * (GRANTS_MAX + 1)}, "mint.leaves"),
        ({"leaves": [LEAF, {**LEAF, "grant_id": "0x12"}]}, "mint.leaves.1.grant_id"),
        ({"leaves": [{**LEAF, "amount_minor": "1e3"}]}, "mint.leaves.0.amount_minor"),
        ({"leaves": [{**LEAF, "record": "x" * 16_385}]}, "mint.leaves.0.record"),
        ({"domain": {**MINT["domain"], "salt": "0x" + "AB" * 32}}, "mint.domain.salt"),
        ({"surprise": 1}, "mint.surprise"),
        ({"kind": "transfer"}, "the document"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(NotADocument) as caught:
        documents.read(orjson.dumps({**MINT, **changes}))
    assert caught.value.place == place
    assert str(caught.value) == f"{place}: {caught.value.problem}"


@pytest.mark.parametrize(
    ("leaves", "number"),
    [([LEAF], str(2**64)), ([{**LEAF, "amount_minor": str(2**64)}], "7")],
)
def test_what_the_contracts_could_not_take_is_no_document(leaves: list[dict[str, Any]], number: str) -> None:
    with pytest.raises(NotADocument, match="the document: "):
        derived({**MINT, "leaves": leaves, "number": number})


@pytest.mark.parametrize(
    "domain", [replace(DOMAIN, chain_id=78), replace(DOMAIN, salt=bytes(32))], ids=["another chain", "another salt"]
)
def test_the_agencys_own_domain_is_signed_for_whatever_the_document_says(domain: Domain) -> None:
    ours, theirs = derived(MINT), derived(MINT, domain)
    assert ours.digest != theirs.digest
    assert ours.content_hash == theirs.content_hash


def test_one_number_has_one_content() -> None:
    """The order of the leaves and every field of them count; the quarter and the number do not."""
    other = {**LEAF, "grant_id": "0x" + "09" * 32}
    two = derived({**MINT, "leaves": [LEAF, other]})
    assert two.content_hash != derived({**MINT, "leaves": [other, LEAF]}).content_hash
    assert two.content_hash == derived({**MINT, "leaves": [LEAF, other], "quarter": 116, "number": "8"}).content_hash
    assert two.amount_minor == 10
    for field, value in {"account": "0x" + "0a" * 20, "activity": "WORK", "rulebook_version": 2}.items():
        assert derived({**MINT, "leaves": [{**LEAF, field: value}]}).content_hash != derived(MINT).content_hash


def test_voids_and_revocations_move_no_points_and_differ_from_every_mint() -> None:
    void = derived(void_document(DOMAIN, PROGRAMME, 7))
    revoke = derived(revocation_document(DOMAIN, PROGRAMME, 7, 115, LEAF, 0, 3, 2))
    assert (void.amount_minor, revoke.amount_minor) == (0, 0)
    assert len({void.digest, revoke.digest, derived(MINT).digest}) == 3
    assert len({void.content_hash, revoke.content_hash, derived(MINT).content_hash}) == 3
    assert derived(void_document(DOMAIN, PROGRAMME, 8)).content_hash != void.content_hash
    more = derived(revocation_document(DOMAIN, PROGRAMME, 7, 115, LEAF, 0, 4, 2))
    assert more.content_hash != revoke.content_hash
