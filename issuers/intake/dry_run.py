"""Dry runs: a file through mapping and rulebook, as if everybody were linked, storing nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from issuers.answers import CheckReport
from issuers.rules.decisions import NO_ACCOUNT, Candidate, Judge, Judgement, rulebook_for
from issuers.rules.rating import render
from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.rules.rulebook import Rulebook
from issuers.sources.mapping import Mapping as SourceMapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import Limits, read_file
from issuers.sources.readers.rows import Row
from issuers.states import RecordState

_PREVIEW = 20


def dry_run(
    mapping: SourceMapping, books: Sequence[Rulebook], path: Path, now: int, limits: Limits | None = None
) -> CheckReport:
    """Map and rate a file as if everybody were linked and nothing used yet, storing nothing. Screens do not run."""
    normaliser = Normaliser(mapping)
    judge = Judge(books, books[-1].programme, lambda _resident, _day, _kind: b"", now)
    people: dict[str, int] = {}
    seen: set[str] = set()
    refusals: Counter[str] = Counter()
    grants: list[dict[str, str]] = []
    first: list[dict[str, str]] = []
    rows, granted, minor, pending = 0, 0, 0, 0

    def refuse(fault: Fault) -> None:
        refusals[fault.code.value] += 1
        if len(first) < _PREVIEW:
            english, chinese = fault.reason()
            place = {"row": str(fault.row), "line": str(fault.line or ""), "field": fault.field or ""}
            first.append({**place, "code": fault.code.value, "reason_en": english, "reason_zh": chinese})

    try:
        for item in read_file(path, mapping, limits):
            rows += 1
            deed = normaliser.deed(item, now) if isinstance(item, Row) else item
            if isinstance(deed, Fault):
                refuse(deed)
                continue
            if deed.record_id in seen:
                refuse(Fault(deed.row, deed.line, None, RefusalCode.DUPLICATE_RECORD))
                continue
            seen.add(deed.record_id)
            person = people.setdefault(deed.source_id, len(people) + 1)
            judgement = judge.decide(Candidate(rows, b"", deed, person, NO_ACCOUNT, None, is_screened=True))
            rating = judgement.rating
            if judgement.code is not None:
                refuse(Fault(deed.row, deed.line, judgement.field, judgement.code, judgement.params))
            elif judgement.status == RecordState.PENDING:
                pending += 1
            elif rating is not None:
                granted += 1
                minor += rating.amount_minor
                if len(grants) < _PREVIEW:
                    book = rulebook_for(books, deed)
                    words = render(books[-1] if isinstance(book, Judgement) else book, rating.explanation)
                    amount = {"row": str(deed.row), "amount_minor": str(rating.amount_minor)}
                    grants.append({**amount, "explanation_en": " ".join(words.en), "explanation_zh": "".join(words.zh)})
    except ReadFailure as failure:
        refuse(Fault(0, None, None, failure.code, failure.params))
    return CheckReport(rows, granted, minor, dict(refusals), tuple(grants), tuple(first), pending)
