"""Dry runs: a file through mapping and rulebook, as if everybody were linked, storing nothing.

What a clerk sees before anything counts: rows as they were read beside their cells, the day and owner of each deed,
what would be refused and why, what repeats, who reaches a cap, and what would be minted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from issuers.answers import Capped, CheckedRow, CheckReport, Minted, Notice, RepeatedNumber
from issuers.intake.notices import notices_of
from issuers.rules.decisions import NO_ACCOUNT, Candidate, Judge, Judgement, rulebook_for
from issuers.rules.deeds import Deed
from issuers.rules.rating import Rating, render
from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.rules.rulebook import Rulebook
from issuers.sources.mapping import Mapping as SourceMapping
from issuers.sources.normalise import Normaliser
from issuers.sources.profiles import ColumnProfile
from issuers.sources.readers import Limits
from issuers.sources.readers.rows import Item, Row
from issuers.sources.returns.reading import read_back
from issuers.states import RecordState
from ledger.standard.civil_time import city_moment, day_text
from ledger.standard.identifiers import IdentifierForms
from ledger.standard.value import to_value_down

_PREVIEW: Final = 20
NUMBERS_MAX: Final = 2_000_000
"""Record numbers that are remembered to find those that repeat."""


class Known(NamedTuple):
    """What is remembered of a record number: whose and when, its content, and what it earned."""

    row: int
    person: int
    day: int
    content: bytes
    activity: str
    revision: int | None
    amount_minor: int
    counted_micro: int
    is_refused: bool


def dry_run(
    mapping: SourceMapping,
    books: Sequence[Rulebook],
    path: Path,
    now: int,
    limits: Limits | None = None,
    *,
    par_microfen: int | None = None,
    first: int = _PREVIEW,
    on_refusal: Callable[[Fault], None] | None = None,
) -> CheckReport:
    """Map and rate a file as if everybody were linked and nothing used yet, storing nothing. Screens do not run.

    ``par_microfen``: the programme's value a point, for what would be minted in money; ``first``: rows to show;
    ``on_refusal`` is told of every refusal.
    """
    run = _Run(mapping, books, now, first, on_refusal)
    try:
        for item in read_back(path, mapping, limits):
            run.take(item)
    except ReadFailure as failure:
        run.refuse(Fault(0, None, None, failure.code, failure.params))
    return run.report(par_microfen)


class _Run:
    """Counts of one dry run."""

    def __init__(
        self,
        mapping: SourceMapping,
        books: Sequence[Rulebook],
        now: int,
        first: int,
        on_refusal: Callable[[Fault], None] | None,
    ) -> None:
        self._on_refusal = on_refusal
        self._mapping = mapping
        self._books = books
        self._now = now
        self._first = first
        self._normaliser = Normaliser(mapping)
        self._judge = Judge(books, books[-1].programme, lambda _resident, _day, _kind: b"", now)
        number = books[-1].programme
        self._forms = IdentifierForms(frozenset({number}) if mapping.keeps_case else frozenset())
        self._people: dict[str, int] = {}
        self._spelled: dict[str, str] = {}
        """People who reach a cap, as the file first spelled them."""
        self._known: dict[bytes, Known] = {}
        self._is_whole = True
        self._profiles = [ColumnProfile(column) for column in mapping.columns]
        self._rows, self._granted, self._minor, self._pending, self._held, self._corrected = 0, 0, 0, 0, 0, 0
        self._refusals: Counter[str] = Counter()
        self._reasons: dict[str, tuple[str, str]] = {}
        self._repeats: Counter[str] = Counter()
        self._earned: Counter[str] = Counter()
        self._capped: Counter[str] = Counter()
        self._days: tuple[int, int] | None = None
        self._grants: list[dict[str, str]] = []
        self._first_refusals: list[dict[str, str]] = []
        self._first_rows: list[CheckedRow] = []
        self._first_repeats: list[RepeatedNumber] = []

    def take(self, item: Item) -> None:
        """Take a row, or what is wrong with it."""
        self._rows += 1
        if not isinstance(item, Row):
            self.refuse(item)
            self._show(item.row, item.line, None, "refuse", None, item)
            return
        for profile, value in zip(self._profiles, item.values, strict=True):
            profile.add(value, item.number)
        deed = self._normaliser.deed(item, self._now)
        if isinstance(deed, Fault):
            self.refuse(deed)
            self._show(item.number, item.line, item, "refuse", None, deed)
            return
        self._days = (
            (deed.day, deed.day) if self._days is None else (min(self._days[0], deed.day), max(self._days[1], deed.day))
        )
        person = self._people.setdefault(self._owner(deed), len(self._people) + 1)
        key = hashlib.blake2b(deed.record_id.encode(), digest_size=12).digest()
        known = self._known.get(key)
        if known is not None:
            self._again(item, deed, person, key, known)
            return
        outcome, rating, fault = self._decide(deed, person)
        self._remember(key, deed, person, rating, is_refused=fault is not None)
        self._show(item.number, item.line, item, outcome, deed, fault, rating)

    def _owner(self, deed: Deed) -> str:
        return self._forms.source_id(self._books[-1].programme, deed.source_id)

    def _decide(self, deed: Deed, person: int) -> tuple[str, Rating | None, Fault | None]:
        candidate = Candidate(self._rows, b"", deed, person, NO_ACCOUNT, None, is_screened=True)
        judgement = self._judge.decide(candidate)
        rating = judgement.rating
        owner = self._owner(deed)
        if rating is not None and "cap=" in rating.explanation:
            self._capped[owner] += 1
            self._spelled.setdefault(owner, deed.source_id)
        if judgement.code is not None:
            fault = Fault(deed.row, deed.line, judgement.field, judgement.code, judgement.params)
            self.refuse(fault)
            return "refuse", None, fault
        if judgement.status == RecordState.PENDING or rating is None:
            self._pending += 1
            return "wait", None, None
        self._granted += 1
        self._minor += rating.amount_minor
        self._earned[owner] += rating.amount_minor
        if len(self._grants) < self._first:
            words = render(self._book(deed), rating.explanation)
            amount = {"row": str(deed.row), "amount_minor": str(rating.amount_minor)}
            self._grants.append({**amount, "explanation_en": " ".join(words.en), "explanation_zh": "".join(words.zh)})
        return "grant", rating, None

    def _book(self, deed: Deed) -> Rulebook:
        book = rulebook_for(self._books, deed)
        return self._books[-1] if isinstance(book, Judgement) else book

    def _again(self, item: Row, deed: Deed, person: int, key: bytes, known: Known) -> None:
        """Take a row whose record number came before."""
        revised = known.revision is not None and deed.revision is not None and known.revision != deed.revision
        if known.content == _content(deed):
            kind, outcome = "duplicate", "duplicate"
        elif known.is_refused:
            kind, outcome = "correction", "correct"
        elif known.person != person:
            kind, outcome = "other_person", "hold"
        elif known.day != deed.day and not (self._mapping.lets_day_change and revised):
            kind, outcome = "other_day", "hold"
        else:
            kind, outcome = "correction", "correct"
        self._repeats[kind] += 1
        if len(self._first_repeats) < self._first:
            self._first_repeats.append(RepeatedNumber(deed.record_id, deed.row, known.row, kind))
        fault = None
        if kind == "duplicate":
            params = (("delivery", "1"), ("row", str(known.row)))
            fault = Fault(deed.row, deed.line, None, RefusalCode.DUPLICATE_RECORD, params)
            self.refuse(fault)
        elif kind == "correction":
            self._correct(deed, person, key, known)
        else:
            self._held += 1
        self._show(item.number, item.line, item, outcome, deed, fault)

    def _correct(self, deed: Deed, person: int, key: bytes, known: Known) -> None:
        """Let the later version count instead of the earlier one."""
        self._corrected += 1
        before = deed._replace(activity=known.activity, day=known.day)
        book = rulebook_for(self._books, deed)
        if known.amount_minor:
            self._judge.charge(person, before, -known.amount_minor, -known.counted_micro, -1)
        rating = None
        if not isinstance(book, Judgement):
            rating = self._judge.rate(book, person, deed)
        amount = 0 if rating is None else rating.amount_minor
        self._minor += amount - known.amount_minor
        self._earned[self._owner(deed)] += amount - known.amount_minor
        self._remember(key, deed, person, rating)

    def _remember(
        self, key: bytes, deed: Deed, person: int, rating: Rating | None, *, is_refused: bool = False
    ) -> None:
        if key not in self._known and len(self._known) >= NUMBERS_MAX:
            self._is_whole = False
            return
        amount, counted = (0, 0) if rating is None else (rating.amount_minor, rating.quantity_micro)
        content = _content(deed)
        version = (deed.activity, deed.revision, amount, counted, is_refused)
        self._known[key] = Known(deed.row, person, deed.day, content, *version)

    def refuse(self, fault: Fault) -> None:
        """Count a refusal."""
        english, chinese = fault.reason()
        if self._on_refusal is not None:
            self._on_refusal(fault)
        self._refusals[fault.code.value] += 1
        self._reasons.setdefault(fault.code.value, (english, chinese))
        if len(self._first_refusals) < self._first:
            place = {"row": str(fault.row), "line": str(fault.line or ""), "field": fault.field or ""}
            refusal = {**place, "code": fault.code.value, "reason_en": english, "reason_zh": chinese}
            self._first_refusals.append(refusal)

    def _show(
        self,
        row: int,
        line: int | None,
        item: Row | None,
        outcome: str,
        deed: Deed | None,
        fault: Fault | None = None,
        rating: Rating | None = None,
    ) -> None:
        if len(self._first_rows) >= self._first:
            return
        cells = {} if item is None else dict(zip(self._mapping.columns, item.values, strict=True))
        shown = CheckedRow(row, line, cells, outcome)
        english, chinese = ("", "") if fault is None else fault.reason()
        if deed is not None:
            content = orjson.loads(deed.canonical)
            shown = CheckedRow(
                row,
                line,
                cells,
                outcome,
                deed.record_id,
                deed.source_id,
                day_text(deed.day),
                "" if deed.started_at is None else f"{city_moment(deed.started_at):%Y-%m-%d %H:%M:%S}",
                "" if deed.ended_at is None else f"{city_moment(deed.ended_at):%Y-%m-%d %H:%M:%S}",
                deed.activity,
                f"{content['quantity']} {content['unit']}",
                0 if rating is None else rating.amount_minor,
                english,
                chinese,
            )
        elif fault is not None:
            where = "" if fault.field is None else f"{fault.field}: "
            shown = CheckedRow(row, line, cells, outcome, reason_en=where + english, reason_zh=where + chinese)
        self._first_rows.append(shown)

    def report(self, par_microfen: int | None) -> CheckReport:
        """Return what was found."""
        slug = self._mapping.programme
        value = None if par_microfen is None else to_value_down(self._minor, par_microfen)
        people = sum(1 for amount in self._earned.values() if amount)
        capped = [
            Capped(self._spelled[owner], count, self._earned[owner])
            for owner, count in self._capped.most_common(self._first)
        ]
        days = ("", "") if self._days is None else (day_text(self._days[0]), day_text(self._days[1]))
        return CheckReport(
            self._rows,
            self._granted,
            self._minor,
            dict(self._refusals),
            tuple(self._grants),
            tuple(self._first_refusals),
            self._pending,
            self._held,
            self._corrected,
            self._reasons,
            tuple(self._first_rows),
            tuple(profile.view() for profile in self._profiles),
            dict(self._repeats),
            tuple(self._first_repeats),
            len(self._capped),
            tuple(capped),
            (Minted(slug, self._minor, value, self._granted, people),),
            *days,
            self._notices(),
        )

    def _notices(self) -> tuple[Notice, ...]:
        keys = set(self._mapping.fields["record_id"].sources) | set(self._mapping.fields["source_id"].sources)
        ruined = {one.column: one.ruined for one in self._profiles if one.column in keys and one.ruined > 1}
        return notices_of(self._repeats, ruined, None if self._is_whole else NUMBERS_MAX)


def _content(deed: Deed) -> bytes:
    return hashlib.blake2b(deed.canonical, digest_size=8).digest()
