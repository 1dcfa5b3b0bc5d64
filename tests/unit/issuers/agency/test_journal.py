"""The signer's memory: one content a number, no mint of a number that was given up, and all of it still there later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from issuers.agency import documents
from issuers.agency.documents import (
    Derived,
    SigningDocument,
    leaf_document,
    mint_document,
    revocation_document,
    void_document,
)
from issuers.agency.journal import Journal
from issuers.agency.rules import Approved, KnownGrant
from ledger.errors import ConfigurationError
from ledger.standard.ids import AccountBytes, ProgrammeId
from ledger.standard.typed_data import Domain

DOMAIN = Domain(77, "0x" + "11" * 20, b"\x05" * 32)
PROGRAMME = ProgrammeId(1)
DAY = "2026-09-01"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "signer" / "journal.db")
    yield made
    made.close()


def grant(number: int) -> bytes:
    return number.to_bytes(32, "big")


def leaf(number: int, amount_minor: int = 100) -> dict[str, object]:
    return leaf_document(grant(number), AccountBytes(b"\2" * 20), amount_minor, "SERVICE", 1, b"\3" * 32)


def read(document: dict[str, object]) -> tuple[SigningDocument, Derived]:
    found = documents.read(orjson.dumps(document))
    return found, documents.derive(found, DOMAIN)


def mint(number: int, *leaves: dict[str, object], quarter: int = 115) -> tuple[SigningDocument, Derived]:
    return read(mint_document(DOMAIN, PROGRAMME, quarter, number, leaves))


def void(number: int) -> tuple[SigningDocument, Derived]:
    return read(void_document(DOMAIN, PROGRAMME, number))


def approve(journal: Journal, document: tuple[SigningDocument, Derived], day: str = DAY) -> bytes:
    """Approve; return the digest."""
    with journal.transaction():
        journal.approve(*document, day, 1_788_000_000)
    return document[1].digest


def test_nothing_is_known_at_first(journal: Journal) -> None:
    _, derived = mint(1, leaf(1))
    assert journal.approved("1") is None
    assert not journal.has_digest(derived.digest)
    assert not journal.may_sign(derived.digest)
    assert journal.grants([grant(1)]) == {}
    assert journal.day_minor(DAY) == 0


def test_an_approval_is_remembered_with_its_grants_and_its_day(journal: Journal) -> None:
    document = mint(1, leaf(1), leaf(2, 50))
    digest = approve(journal, document)
    assert journal.approved("1") == Approved(document[1].content_hash, is_void=False)
    assert journal.has_digest(digest)
    assert journal.may_sign(digest)
    assert journal.grants([grant(1), grant(2), grant(3)]) == {
        grant(1): KnownGrant(1, 100, 0),
        grant(2): KnownGrant(1, 50, 1),
    }
    assert journal.day_minor(DAY) == 150
    assert journal.day_minor("2026-09-02") == 0


def test_it_is_still_there_in_another_life(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = Journal(path)
    digest = approve(first, mint(1, leaf(1)))
    first.close()
    again = Journal(path)
    assert again.may_sign(digest)
    assert again.grants([grant(1)]) == {grant(1): KnownGrant(1, 100, 0)}
    again.close()


def test_the_same_number_for_another_quarter_counts_once(journal: Journal) -> None:
    """A batch that is signed anew after a quarter's end is the same points."""
    digests = {approve(journal, mint(1, leaf(1), quarter=quarter)) for quarter in (115, 116)}
    assert len(digests) == 2
    assert all(journal.may_sign(digest) for digest in digests)
    assert journal.day_minor(DAY) == 100


def test_a_number_that_was_given_up_is_not_minted_any_more(journal: Journal) -> None:
    minted, given_up = approve(journal, mint(1, leaf(1))), approve(journal, void(1))
    approved = journal.approved("1")
    assert approved is not None
    assert approved.is_void
    assert journal.has_digest(minted)
    assert not journal.may_sign(minted)
    assert journal.may_sign(given_up)
    assert not journal.may_sign(approve(journal, mint(1, leaf(1), quarter=116)))


def test_a_number_may_be_given_up_before_anything_was_approved_under_it(journal: Journal) -> None:
    approve(journal, void(5))
    assert journal.approved("5") == Approved(b"", is_void=True)


def test_the_grants_of_a_number_that_was_given_up_move_to_the_next(journal: Journal) -> None:
    approve(journal, mint(1, leaf(1)))
    approve(journal, void(1))
    approve(journal, mint(2, leaf(1)))
    assert journal.grants([grant(1)]) == {grant(1): KnownGrant(2, 100, 0)}


def test_a_revocation_is_remembered_by_its_digest_alone(journal: Journal) -> None:
    digest = approve(journal, read(revocation_document(DOMAIN, PROGRAMME, 9, 115, leaf(1), 0, 60, 2)))
    assert journal.may_sign(digest)
    assert journal.approved("9") is None
    assert journal.day_minor(DAY) == 0


def test_a_decision_that_fails_leaves_nothing_behind(journal: Journal) -> None:
    document = mint(1, leaf(1))

    def interrupted() -> None:
        with journal.transaction():
            journal.approve(*document, DAY, 0)
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError):
        interrupted()
    assert journal.approved("1") is None
    assert not journal.has_digest(document[1].digest)
    assert approve(journal, document) == document[1].digest, "the next decision is not locked out"


def test_more_grants_than_a_query_takes_are_found(journal: Journal) -> None:
    approve(journal, mint(1, *(leaf(number) for number in range(1, 401))))
    approve(journal, mint(2, *(leaf(number) for number in range(401, 801))))
    found = journal.grants([grant(number) for number in range(1_200)])
    assert sorted(found) == [grant(number) for number in range(1, 801)]


def test_records_are_learned_once(journal: Journal) -> None:
    hashes = [grant(number) for number in range(5_001)]
    assert journal.learn(iter(hashes)) == 5_001
    assert journal.learn([*hashes[:10], grant(9_999)]) == 1
    assert journal.known_records([grant(1), grant(9_999), grant(7_000)]) == {grant(1), grant(9_999)}


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("no database, but long enough to be looked at as one " * 100)
    with pytest.raises(ConfigurationError, match=r"journal\.db"):
        Journal(path)


def test_what_was_taken_back_is_counted_once_by_day_and_grant(journal: Journal) -> None:
    for total, day in ((30, DAY), (30, DAY), (50, DAY), (90, "2026-09-02")):
        approve(journal, read(revocation_document(DOMAIN, PROGRAMME, 5, 115, leaf(1), 0, total, 2)), day)
    assert journal.revoked_minor(grant(1)) == 90
    assert journal.revoked_minor(grant(2)) == 0
    assert (journal.day_revoked_minor(DAY), journal.day_revoked_minor("2026-09-02")) == (50, 40)
