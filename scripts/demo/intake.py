"""Records come in: five source systems deliver, issuers grant, sign and mint, and later revoke what proved false."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sqlalchemy import func, select

from issuers.intake.deliveries import Progress
from issuers.samples.people import CULTURE, ENVIRONMENTAL, RESIDENCE, TRAFFIC, VOLUNTEER
from issuers.samples.ticket_api import serve_tickets
from issuers.service import IssuerService
from issuers.states import BatchState, RecordState, RevocationState
from ledger.standard.amounts import to_minor
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceRecordRow, IssuanceRevocationRow
from ledger.store.models.projection import RevocationRow
from scripts.demo import environment as days
from scripts.demo import scenario
from scripts.demo.environment import DemoStepFailed, Environment
from scripts.demo.page_content import Culture, Declarations, Intake, Ticket, Words

_MICRO = 1_000_000
_CAR_FREE = "CAR-FREE-DAY"
_RIDE = "GREEN-RIDE"
_FALSE_IN = 100
"""One declaration in a hundred proves false."""


class IntakeDesk:
    """The issuers' side of the demo."""

    def __init__(self, env: Environment, service: IssuerService) -> None:
        self._environment = env
        self._service = service

    def deliver(self) -> None:
        """Let every source system deliver once, then mint all that was granted."""
        env, samples = self._environment, self._environment.samples
        env.at(days.FIRST_DAY, 9)
        self._files(VOLUNTEER, samples.volunteer_files)
        self._files(RESIDENCE, samples.residence_files)
        # The drop folder moves what it has read aside, so it knows by itself what is left.
        reports = self._service.ingest_drop_folder(TRAFFIC, samples.traffic_drop, progress=self._progress(TRAFFIC))
        env.bars.done(TRAFFIC, f"{len(reports)} files, {sum(one.outcome == 'exists' for one in reports)} known")
        self._files(ENVIRONMENTAL, samples.environmental_files)
        pulled = env.noted("culture pulled")
        if pulled is None:
            with serve_tickets(samples.culture_items) as api:
                report = self._service.pull_rest(CULTURE, api.url, api.token, progress=self._progress(CULTURE))
            pulled = {"rows": report.rows}
            env.note("culture pulled", pulled)
        env.bars.done(CULTURE, f"{pulled['rows']} rows over HTTP")
        self._environment.work()

    def _files(self, programme: ProgrammeSlug, paths: Iterable[Path]) -> None:
        rows = 0
        for path in paths:
            step = f"delivered {programme}/{path.name}"
            known = self._environment.noted(step)
            if known is None:
                report = self._service.ingest_file(programme, path, progress=self._progress(programme))
                known = {"rows": report.rows}
                self._environment.note(step, known)
            rows += int(known["rows"])
        self._environment.bars.done(programme, f"{rows} rows")

    def _progress(self, programme: ProgrammeSlug) -> Callable[[Progress], None]:
        """Return a listener that draws a programme's bar: by bytes where the length is known, else by rows."""

        def listen(at: Progress) -> None:
            if at.fraction is None:
                self._environment.bars.set(programme, at.rows, at.rows, at.name)
            else:
                self._environment.bars.set(programme, int(at.fraction * 100), 100, at.name)

        return listen

    def revoke_false(self) -> Declarations:
        """Revoke the car-free days that proved false: about one in a hundred, chosen by their numbers' hashes."""
        env = self._environment
        env.at(days.REVOCATION_DAY, 9)
        false = self._false_declarations(self._declared())
        if false:
            self._service.revoke_false(TRAFFIC, false, "traffic-inspector", "the camera saw the car")
        self._environment.work()
        with env.city.database.read() as session:
            declared, revoked = session.execute(
                select(func.count(), func.sum(func.iif(IssuanceRecordRow.reason == "revoked", 1, 0))).where(
                    IssuanceRecordRow.programme == scenario.TRAFFIC,
                    IssuanceRecordRow.activity == _CAR_FREE,
                    IssuanceRecordRow.status == RecordState.ACCEPTED,
                )
            ).one()
            taken, shortfall = session.execute(
                select(func.sum(RevocationRow.taken_minor), func.sum(RevocationRow.owed_minor)).where(
                    RevocationRow.programme == scenario.TRAFFIC
                )
            ).one()
        names = env.city.deployment.programme(TRAFFIC).names
        return Declarations(
            Words(names.zh, names.en), int(declared), int(revoked or 0), int(taken or 0), int(shortfall or 0)
        )

    def _declared(self) -> list[str]:
        """Return the numbers of all car-free days in the delivered files, but not those of the people told about."""
        inputs = {person.source_ids[TRAFFIC] for person in self._environment.samples.people[: scenario.LOVER + 1]}
        drop = self._environment.samples.traffic_drop
        numbers = set()
        for path in sorted(path for path in drop.rglob("*.csv") if path.is_file()):
            with path.open(encoding="utf-8-sig", newline="") as file:
                for row in csv.DictReader(file):
                    if row["行为类型"] == "无车日" and row["用户编号"] not in inputs:
                        numbers.add(row["申报编号"])
        return sorted(numbers, key=lambda number: hashlib.sha256(number.encode()).digest())

    def _false_declarations(self, declared: list[str]) -> list[str]:
        return declared[: max(1, round(len(declared) / _FALSE_IN))]

    # What the page needs -----------------------------------------------------------------------------------------

    def counts(self) -> dict[ProgrammeSlug, Intake]:
        """Return the outcome of the records, by programme."""
        return {
            slug: Intake(one.records, one.accepted, one.refused, one.awaiting_link, one.held, one.waiting)
            for slug, one in self._service.counts().items()
        }

    def landed(self) -> Mapping[ProgrammeSlug, tuple[int, int]]:
        """Return what the issuers believe has landed on chain, (minted, revoked) in minor units by programme."""
        slugs = {one.id: one.slug for one in self._environment.city.deployment.programmes}
        with self._environment.city.database.read() as session:
            minted = dict(
                session.execute(
                    select(IssuanceBatchRow.programme, func.sum(IssuanceBatchRow.amount_minor))
                    .where(IssuanceBatchRow.state == BatchState.LANDED)
                    .group_by(IssuanceBatchRow.programme)
                )
                .tuples()
                .all()
            )
            totals = session.execute(
                select(IssuanceRevocationRow.programme, func.max(IssuanceRevocationRow.revoked_total_minor))
                .where(IssuanceRevocationRow.state == RevocationState.LANDED)
                .group_by(IssuanceRevocationRow.programme, IssuanceRevocationRow.grant_id)
            ).tuples()
            revoked: defaultdict[ProgrammeId, int] = defaultdict(int)
            for programme, total in totals:
                revoked[programme] += int(total)
        return {slug: (int(minted.get(number, 0)), revoked[number]) for number, slug in slugs.items()}

    def rides_of(self, place: int) -> int:
        """Return how many bicycle rides of one of the told people were accepted."""
        resident = self._environment.citizens[place].resident.resident_id
        with self._environment.city.database.read() as session:
            return int(
                session.scalar(
                    select(func.count()).where(
                        IssuanceRecordRow.resident_id == resident,
                        IssuanceRecordRow.activity == _RIDE,
                        IssuanceRecordRow.status == RecordState.ACCEPTED,
                    )
                )
                or 0
            )

    def culture(self) -> Culture:
        """Return how tickets earned points, and the yearly cap at work."""
        book = self._service.rulebooks()[CULTURE][-1].file
        cap = next((cap.points for cap in book.caps if cap.per == "year" and cap.points is not None), None)
        if cap is None:
            raise DemoStepFailed("the culture programme", "its rulebook has no yearly cap")
        rates = {rule.code: rule for rule in book.activities}
        with self._environment.city.database.read() as session:
            rows = session.scalars(
                select(IssuanceRecordRow)
                .where(IssuanceRecordRow.programme == scenario.CULTURE)
                .order_by(IssuanceRecordRow.delivery_id, IssuanceRecordRow.row_number)
            ).all()
        full: dict[str, Ticket] = {}
        cut = 0
        years: defaultdict[int, int] = defaultdict(int)
        for row in rows:
            price_fen = row.quantity_micro // _MICRO
            # At 1 yuan a point a hundredth of a point is a fen, so the rate is simply points by price.
            percent = _percent(rates[row.activity].points_per_unit) if row.activity in rates else 0
            if row.status == RecordState.REFUSED and row.reason == "cap_reached":
                cut += 1
            if row.status != RecordState.ACCEPTED:
                continue
            years[row.resident_id or 0] += row.granted_minor
            if row.granted_minor < price_fen * percent // 100:
                cut += 1
            elif row.activity not in full or price_fen > full[row.activity].price_fen:
                names = rates[row.activity].names
                full[row.activity] = Ticket(Words(names.zh, names.en), price_fen, percent, row.granted_minor)
        return Culture(
            tickets=tuple(full[code] for code in sorted(full, key=lambda code: full[code].rate_percent)),
            cap_minor=to_minor(cap),
            capped_records=cut,
            best_year_minor=max(years.values(), default=0),
        )


def _percent(points_per_yuan: str | None) -> int:
    """Return what share of a price, in per cent, is granted: ``0.15`` points a yuan are 15."""
    return to_minor(points_per_yuan or "0")
