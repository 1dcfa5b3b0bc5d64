"""What an installation has without its chain: keys, database, residents and the issuers' front door.

A gateway opens it as part of the city (`bootstrap`). A process beside a running gateway opens it alone: it takes
records in, asks and decides, and leaves batches, sending and blocks to the gateway.
"""

from __future__ import annotations

import hashlib
import hmac
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from issuers.rules.activities import approved_rulebooks
from issuers.service import IssuerService
from issuers.sources.mapping import FOLDER, MappingFolder, forms_of
from issuers.sources.webhooks.sources import WebhookSources
from ledger.clearing.office import FinanceOffice
from ledger.clock import Clock, SystemClock
from ledger.custody.custodian import Custodian
from ledger.custody.keyring import IdentityHasher, Keyring, SourceIdHasher
from ledger.custody.keystore import Keystore
from ledger.custody.master import Envelope, load_master_key
from ledger.deployment.file import FILE_NAME, Deployment
from ledger.errors import ConfigurationError
from ledger.outbox.outbox import Outbox
from ledger.outgoing import Outgoing
from ledger.residents.decisions import SourceDecisions
from ledger.residents.link_codes import LinkCodes
from ledger.residents.registry import ResidentRegistry
from ledger.residents.renormalising import renormalise_links
from ledger.store.database import Database, DatabaseUnavailable
from ledger.store.migrations import upgrade
from ledger.store.models.api import IdentityLookRow
from redemption.merchants import MerchantDirectory
from redemption.shops.applications import MerchantApplications
from redemption.shops.payees import Payees
from redemption.shops.sealing import ShopSeal
from tongdui.issuer_signers import close_signers, open_signers
from tongdui.settings import Settings


@dataclass(frozen=True, slots=True)
class Keys:
    """The installation's keys."""

    master: bytes
    envelope: Envelope
    keyring: Keyring
    keystore: Keystore


@dataclass(frozen=True, slots=True)
class Books:
    """An installation without its chain."""

    clock: Clock
    database: Database
    deployment: Deployment
    sources: SourceIdHasher
    registry: ResidentRegistry
    decisions: SourceDecisions
    link_codes: LinkCodes
    webhooks: WebhookSources
    issuers: IssuerService

    def note_look(self, session: Session, subject: str, resident_id: int, operation: str) -> None:
        """Log that somebody looked at another person."""
        session.add(
            IdentityLookRow(
                subject=subject,
                resident_id=resident_id,
                operation=operation,
                institution="operator",
                looked_at=self.clock.timestamp(),
            )
        )


@contextmanager
def open_books(settings: Settings, clock: Clock | None = None) -> Iterator[Books]:
    """Open an installation's books beside the process that runs its chain, and close them at the end of the block.

    Raises ConfigurationError where nothing was deployed yet: `tongdui serve` or `tongdui deploy` makes it.
    """
    with ExitStack() as stack:
        at = clock or SystemClock()
        deployment = Deployment.read(settings.deployment_file or settings.state_dir / FILE_NAME)
        keys, database = open_keys(settings), open_database(stack, settings)
        yield books_of(stack, settings, at, keys, database, deployment, Outbox(at))


def open_keys(settings: Settings) -> Keys:
    """Open the keys of the state directory, or generate them into it."""
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    close_to_others(settings.state_dir)
    folder = settings.state_dir / "keys"
    master = load_master_key(settings.master_key_file or settings.state_dir / "master.key")
    folder.mkdir(exist_ok=True, mode=0o700)
    envelope = Envelope(master)
    return Keys(master, envelope, Keyring(folder / "keyring", envelope), Keystore(folder / "store", master))


def close_to_others(folder: Path) -> None:
    """Take a folder's rights from group and others: it was perhaps made beforehand, and holds people's data.

    Raises ConfigurationError: it is another user's.
    """
    mode = folder.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        try:
            folder.chmod(0o700)
        except PermissionError as error:
            raise ConfigurationError(f"{folder} is open to others; run chmod 700 on it") from error


def open_database(stack: ExitStack, settings: Settings) -> Database:
    """Open the database and bring it to the newest schema. Raises DatabaseUnavailable."""
    url = settings.database_url
    text = f"sqlite:///{settings.state_dir / 'books.db'}" if url is None else url.get_secret_value()
    database = Database(text)
    stack.callback(database.close)
    try:
        upgrade(database)
    except OperationalError as error:
        raise DatabaseUnavailable(database.engine.url.render_as_string(), str(error.orig)) from error
    return database


def books_of(
    stack: ExitStack,
    settings: Settings,
    clock: Clock,
    keys: Keys,
    database: Database,
    deployment: Deployment,
    outbox: Outbox,
) -> Books:
    """Wire what needs no chain."""
    books = approved_rulebooks()
    forms = forms_of(MappingFolder(FOLDER).all(), [(number, many[-1].file.slug) for number, many in books.items()])
    sources = SourceIdHasher(keys.keyring, forms)
    custodian = Custodian(keys.envelope)
    registry = ResidentRegistry(custodian, IdentityHasher(keys.keyring), sources, clock)
    signers = open_signers(deployment, keys.keystore, settings)
    stack.callback(close_signers, signers)
    issuers = IssuerService(
        database,
        clock,
        registry,
        keys.keyring,
        keys.envelope,
        outbox,
        deployment,
        signers,
        leaves_folder=settings.state_dir / "leaves",
        outgoing=Outgoing.of(settings.outgoing_networks),
    )
    issuers.bring_identifiers_up_to_date(
        partial(renormalise_links, registry=registry, sources=sources, custodian=custodian)
    )
    return Books(
        clock=clock,
        database=database,
        deployment=deployment,
        sources=sources,
        registry=registry,
        decisions=SourceDecisions(registry, custodian, clock),
        link_codes=LinkCodes(derive(keys.master, "link codes"), clock, forms),
        webhooks=WebhookSources(keys.envelope, clock),
        issuers=issuers,
    )


def applications_of(
    registrar: FinanceOffice, merchants: MerchantDirectory, keys: Keys, deployment: Deployment, clock: Clock
) -> MerchantApplications:
    """Wire the shops' way in."""
    payees = Payees(ShopSeal(Envelope(derive(keys.master, "shops"))), clock)
    return MerchantApplications(registrar, merchants, payees, keys.keystore, tuple(deployment.scopes), clock)


def derive(master: bytes, purpose: str) -> bytes:
    """Return a key of its own for a purpose, so that no two uses of the master key meet."""
    return hmac.digest(master, f"tongdui {purpose}".encode(), hashlib.sha256)
