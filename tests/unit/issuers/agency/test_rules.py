"""The agency's rules as pure functions, and what is derived against what the gateway signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.agency import documents, rules
from issuers.agency.documents import NotADocument, leaf_document, mint_document, revocation_document, void_document
from issuers.agency.rules import Objection
from issuers.batches.evidence import LeafRow, tree_of
from issuers.rules.rulebook import RULEBOOKS, Rulebook, RulebookFile, compile_rulebook
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import ProgrammeId, token_id
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_revocations
from ledger.standard.typed_data import Domain, MintBatch, Revocation, VoidBatch

DOMAIN = Domain(77, "0x" + "11" * 20, b"\x05" * 32)
LEAVES = st.builds(
    LeafRow,
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=20, max_size=20),
    st.integers(1, 2**48 - 1),
    st.from_regex(r"\A[A-Z][A-Z0-9.-]{0,31}\Z"),
    st.integers(1, 2**32 - 1),
    st.binary(min_size=32, max_size=32),
)


@given(st.lists(LEAVES, min_size=1, max_size=8), st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_agency_derives_what_the_gateway_signs(leaves: list[LeafRow], programme: int, quarter: int) -> None:
    """From the leaves alone follow packed grants, root and digest, byte for byte."""
    packed = b"".join(leaf.account + leaf.amount_minor.to_bytes(8, "big") for leaf in leaves)
    root = tree_of(leaves, token_id(programme, quarter)).root
    batch = MintBatch(programme, quarter, 2**64 - 1, root, keccak256(packed))
    document = mint_document(DOMAIN, programme, quarter, 2**64 - 1, [leaf.document(None) for leaf in leaves])
    derived = documents.derive(documents.read(orjson.dumps(document)), DOMAIN)
    assert derived.digest == batch.digest(DOMAIN) == keccak256(derived.preimage)
    assert derived.amount_minor == sum(leaf.amount_minor for leaf in leaves)
    other = mint_document(DOMAIN, programme, (quarter + 1) % 2**32, 2**64 - 1, document["leaves"])
    again = documents.derive(documents.read(orjson.dumps(other)), DOMAIN)
    assert again.content_hash == derived.content_hash, "the quarter is not part of a number's content"
    assert again.digest != derived.digest


def test_voids_and_revocations_derive_too() -> None:
    void = documents.derive(documents.read(orjson.dumps(void_document(DOMAIN, 1, 5))), DOMAIN)
    assert void.digest == VoidBatch(1, 5).digest(DOMAIN)
    leaf = LeafRow(b"\1" * 32, b"\2" * 20, 500, "SERVICE", 1, b"\3" * 32)
    told = revocation_document(DOMAIN, 1, 5, 115, leaf.document(None), 7, 200, 2)
    revocation = Revocation(1, 5, keccak256(pack_revocations([(7, 200, 2)])))
    assert documents.derive(documents.read(orjson.dumps(told)), DOMAIN).digest == revocation.digest(DOMAIN)


LEAF = leaf_document(b"\1" * 32, b"\2" * 20, 5, "SERVICE", 1, b"\3" * 32)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b'{"kind": "transfer"}',
        orjson.dumps({**mint_document(DOMAIN, 1, 1, 1, [LEAF]), "leaves": []}),
        orjson.dumps({**mint_document(DOMAIN, 1, 1, 1, [LEAF]), "leaves": [LEAF] * 501}),
        orjson.dumps({**mint_document(DOMAIN, 1, 1, 1, [LEAF]), "number": "-1"}),
        orjson.dumps({**mint_document(DOMAIN, 1, 1, 1, [LEAF]), "number": "99999999999999999999"}),
        orjson.dumps({**mint_document(DOMAIN, 1, 1, 1, [LEAF]), "quarter": True}),
        orjson.dumps(mint_document(DOMAIN, 1, 1, 1, [{**LEAF, "amount_minor": "1e3"}])),
        orjson.dumps(mint_document(DOMAIN, 1, 1, 1, [{**LEAF, "account": "0x12"}])),
        orjson.dumps(mint_document(DOMAIN, 1, 1, 1, [{**LEAF, "activity": "ACTÉ"}])),
        orjson.dumps(mint_document(DOMAIN, 1, 1, 1, [{**LEAF, "surprise": "1"}])),
    ],
)
def test_what_is_no_document_is_refused(broken: bytes) -> None:
    with pytest.raises(NotADocument):
        documents.derive(documents.read(broken), DOMAIN)


def test_two_quarters_are_right_within_minutes_of_a_quarters_end() -> None:
    end = datetime(2026, 10, 1, tzinfo=CITY_TZ)
    assert rules.quarters_allowed(8, end - timedelta(hours=1)) == {115}
    assert rules.quarters_allowed(8, end - timedelta(minutes=5)) == {115, 116}
    assert rules.quarters_allowed(8, end + timedelta(minutes=5)) == {115, 116}
    assert rules.quarters_allowed(8, end + timedelta(hours=1)) == {116}
    assert rules.quarters_allowed("never", datetime.now(UTC)) == {0}


def test_a_record_is_worth_at_most_what_its_rule_can_give() -> None:
    """Rising bands count with the highest; caps, which the agency cannot know, only make it less."""
    book = Rulebook.load(RULEBOOKS / "volunteer-1.yaml")
    evidence = {"started_at": "2026-08-01T09:00:00+08:00", "ended_at": "2026-08-01T12:00:00+08:00", "certifier": "x"}
    record = {"activity": "SERVICE", "day": "2026-08-01", "quantity": "2.5", "unit": "hour", **evidence}
    deed = rules.deed_of(orjson.dumps(record))
    assert deed is not None
    assert rules.most_minor(book, deed) == 2_500
    told = book.file.model_dump(mode="json")
    told["activities"] = [
        {
            "code": "SERVICE",
            "names": {"zh": "一", "en": "one"},
            "unit": "hour",
            "bands": [{"up_to": "10", "points_per_unit": "1"}, {"points_per_unit": "3"}],
            "bands_over": "month",
            "maximum": "2",
        }
    ]
    rising = compile_rulebook(RulebookFile.model_validate(told))
    assert rules.most_minor(rising, deed) == 600


@pytest.mark.parametrize(
    "record",
    [b"", b"[]", b"{}", b'{"activity": "SERVICE", "day": "2026-13-01", "quantity": "1", "unit": "hour"}']
    + [
        orjson.dumps({"activity": "SERVICE", "day": "2026-08-01", "quantity": quantity, "unit": unit})
        for quantity, unit in (("-1", "hour"), ("NaN", "hour"), ("Infinity", "hour"), ("1", "lightyear"))
    ],
)
def test_a_record_that_says_nothing_is_worth_nothing(record: bytes) -> None:
    assert rules.deed_of(record) is None


def test_every_objection_is_a_word() -> None:
    assert len({one.value for one in Objection}) == len(Objection)
    assert all(one.value.isascii() and one.value == one.value.lower() for one in Objection)


def _revoking(total: int, **history: object) -> Objection | None:
    """Return the objection to taking back so much of a grant of 500, of at most 300 a day."""
    leaf = LeafRow(b"\1" * 32, b"\2" * 20, 500, "SERVICE", 1, b"\3" * 32)
    told = revocation_document(DOMAIN, 1, 5, 115, leaf.document(None), 0, total, 2)
    document = documents.read(orjson.dumps(told))
    assert isinstance(document, documents.RevocationDocument)
    policy = rules.Policy(ProgrammeId(1), DOMAIN, {}, 500, 500, 1_000, day_revoked_minor_max=300)
    known: dict[str, object] = {
        "approved": None,
        "is_same_digest": False,
        "grants": {b"\1" * 32: rules.KnownGrant(5, 500, 0)},
        **history,
    }
    refusal = rules.of_revocation(document, policy, rules.History(**known))  # type: ignore[arg-type]
    return None if refusal is None else refusal.objection


@pytest.mark.parametrize(
    ("total", "history", "expected"),
    [
        (300, {}, None),
        (301, {}, Objection.REVOCATION_LIMIT),
        (500, {"revoked_minor": 200}, None),
        (500, {"revoked_minor": 199}, Objection.REVOCATION_LIMIT),
        (100, {"day_revoked_minor": 200}, None),
        (101, {"day_revoked_minor": 200}, Objection.REVOCATION_LIMIT),
        (500, {"day_revoked_minor": 300, "is_same_digest": True}, None),
        (501, {}, Objection.REVOKES_TOO_MUCH),
    ],
)
def test_what_is_taken_back_in_a_day_is_bounded(
    total: int, history: dict[str, object], expected: Objection | None
) -> None:
    """Only what is new of a rising total counts, and what was approved before is approved again."""
    assert _revoking(total, **history) == expected
