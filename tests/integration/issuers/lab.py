"""An issuers' desk on a real database, with or without a city on a real chain behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from issuers.rules.rulebook import Rulebook
from issuers.samples.generate import Samples, generate
from issuers.samples.people import Person
from issuers.service import IssuerService
from ledger.clock import ManualClock
from ledger.custody.custodian import Custodian
from ledger.custody.keyring import IdentityHasher, Keyring, SourceIdHasher
from ledger.custody.master import Envelope, load_master_key
from ledger.custody.signer import IssuerSigner, LocalSigner
from ledger.deployment.city import Names
from ledger.deployment.file import Contract, Deployment
from ledger.outbox.outbox import Outbox
from ledger.outgoing import Outgoing
from ledger.residents.registry import NewResident, ResidentRegistry
from ledger.standard.ids import Address, ProgrammeId
from ledger.store.database import Database
from tests.empty_books import empty_books

LOOPBACK = Outgoing.of(["127.0.0.0/8"])
"""Source systems of tests are on this machine."""
CITY = timezone(timedelta(hours=8))
NOW = datetime(2026, 9, 1, 8, tzinfo=CITY)
PROGRAMMES = {"volunteer": 1, "environmental": 2, "traffic": 3, "culture": 4, "residence": 5}
_SOMEWHERE = Contract(Address("0x" + "11" * 20), "0x" + "00" * 32)
NOWHERE = Deployment(
    chain_id=1,
    salt="0x" + "00" * 32,
    block=1,
    city=Names(zh="市", en="City"),
    contracts={"PointsLedger": _SOMEWHERE},
    programmes=(),
    merchants=(),
    scopes={},
)


@dataclass
class Desk:
    """The service and what it stands on. Opened twice over one folder, it is the same desk after a restart."""

    folder: Path
    database: Database
    clock: ManualClock
    registry: ResidentRegistry
    keyring: Keyring
    envelope: Envelope
    service: IssuerService = field(init=False)

    def register(self, people: Iterable[Person], *, only_linked: bool = True) -> dict[int, str]:
        """Register people and link their source ids; returns accounts by person's number."""
        many = list(people)
        with self.database.transaction() as session:
            made = self.registry.register_many(session, [NewResident(one.identity_number) for one in many])
            claims = [
                (registration.resident.resident_id, PROGRAMMES[programme], one.source_ids[programme])
                for one, registration in zip(many, made, strict=True)
                for programme in sorted(one.linked if only_linked else one.source_ids)
            ]
            self.registry.link_many(session, claims)
        return {one.number: made[at].resident.account for at, one in enumerate(many)}

    def resident(self, name: str, **source_ids: str) -> tuple[int, str]:
        """Register one resident with source ids by programme; returns (resident id, account)."""
        with self.database.transaction() as session:
            resident = self.registry.register(session, NewResident(name)).resident
            for programme, source_id in source_ids.items():
                self.registry.link(session, resident.resident_id, PROGRAMMES[programme], source_id)
        return resident.resident_id, resident.account

    def erase(self, resident_id: int) -> int:
        """Erase a resident as the API does; returns how many records were erased."""
        with self.database.transaction() as session:
            erased = self.registry.erase(session, resident_id)
            return 0 if erased is None else self.service.erase(session, erased)


def open_desk(
    folder: Path,
    url: str | None = None,
    deployment: Deployment = NOWHERE,
    signers: Mapping[ProgrammeId, IssuerSigner] | None = None,
    clock: ManualClock | None = None,
    database: Database | None = None,
) -> Desk:
    """Open a desk over a folder."""
    clock = clock or ManualClock(NOW)
    if database is None:
        database = empty_books(folder / "books.db") if url is None else Database(url)
        if url is not None:
            database.create_all()
    envelope = Envelope(load_master_key(folder / "master.key"))
    keyring = Keyring(folder / "keyring", envelope)
    registry = ResidentRegistry(Custodian(envelope), IdentityHasher(keyring), SourceIdHasher(keyring), clock)
    desk = Desk(folder, database, clock, registry, keyring, envelope)
    local = {number: LocalSigner(bytes([number]) * 32) for number in PROGRAMMES.values()}
    desk.service = service_for(desk, deployment, signers or local)
    return desk


def service_for(
    desk: Desk,
    deployment: Deployment,
    signers: Mapping[ProgrammeId, IssuerSigner],
    rulebooks: dict[ProgrammeId, tuple[Rulebook, ...]] | None = None,
) -> IssuerService:
    """Return a service over a desk."""
    return IssuerService(
        desk.database,
        desk.clock,
        desk.registry,
        desk.keyring,
        desk.envelope,
        Outbox(desk.clock),
        deployment,
        signers,
        rulebooks=rulebooks,
        leaves_folder=desk.folder / "leaves",
        outgoing=LOOPBACK,
    )


def make_samples(folder: Path, people: int = 300, records: int = 300, seed: int = 2026) -> Samples:
    """Small samples: all kinds of dirt, few clean records."""
    return generate(folder / "samples", seed, people, records)


def ingest_all(desk: Desk, samples: Samples, tickets: tuple[str, str]) -> None:
    """Take in everything of the five programmes, as the demonstration does."""
    for path in samples.volunteer_files:
        desk.service.ingest_file("volunteer", path)
    desk.service.ingest_drop_folder("traffic", samples.traffic_drop)
    for path in samples.environmental_files:
        desk.service.ingest_file("environmental", path)
    for path in samples.residence_files:
        desk.service.ingest_file("residence", path)
    url, token = tickets
    desk.service.pull_rest("culture", url, token)
