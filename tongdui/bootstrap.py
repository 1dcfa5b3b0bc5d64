"""From settings to a running city, for the server, the workers, the CLI and the demo alike. No web framework in here:
`tongdui.api` adds what the HTTP routes need.

``open_city`` opens the state directory, the chain, the deployment, the database and the keys, and closes them in the
opposite order. What is not there yet is made on the first start: keys are generated, the chain begins, the contracts
are deployed. What is there is checked before it is used.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from issuers.rules.activities import approved_rulebooks
from issuers.rules.rulebook import Rulebook
from ledger.chain.embedded.blocktime import WatchedClock
from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.embedded.proxy import Proxy
from ledger.chain.embedded.replay import ReplayProgress
from ledger.chain.engine import Engine
from ledger.chain.errors import DeploymentMismatch
from ledger.chain.remote import Finality, RemoteEngine
from ledger.chain.rpc import RpcError
from ledger.clearing.appropriations import Appropriations
from ledger.clearing.office import KIND as FINANCE
from ledger.clearing.office import REGISTRAR, FinanceOffice
from ledger.clock import Clock, ManualClock, SystemClock
from ledger.custody.keystore import KeptSigner, Keystore
from ledger.deployment.city import CityActors, CityConfig, RulebookRef
from ledger.deployment.city import load as load_city
from ledger.deployment.ensure import ensure_deployed
from ledger.deployment.file import FILE_NAME, Deployment
from ledger.errors import ConfigurationError
from ledger.gateway import Gateway
from ledger.outbox.outbox import Outbox
from ledger.outbox.pace import GAS_IN_FLIGHT_MAX, NETWORK_GAS_MAX, PaceLimits
from ledger.outbox.sender import SenderLimits
from ledger.outgoing import Outgoing
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.webhooks.book import WebhookBook, publish
from redemption import catalogue
from redemption.acts.book import ActBook
from redemption.acts.refund_approvals import RefundApprovals
from redemption.codes import CodeBook
from redemption.desk_approval import DeskApprovals
from redemption.disputes import KIND as ARBITER
from redemption.disputes import Disputes
from redemption.fulfilment import Fulfilment
from redemption.merchants import MerchantDirectory
from redemption.offers import OfferCatalogue
from redemption.orders import Redemptions
from redemption.refunds import Refunds
from redemption.shops.applications import MerchantApplications
from redemption.shops.news import order_news, shop_news
from tongdui.invariants import InvariantWatch
from tongdui.issuer_signers import issuer_address, key_name
from tongdui.offline import Books, Keys, applications_of, books_of, derive, open_database, open_keys
from tongdui.receipts import ReceiptOffice
from tongdui.settings import IssuerSignerSettings, Settings
from tongdui.workers import start_workers

_LOG = logging.getLogger(__name__)

COUNCIL_MEMBERS = 5
COUNCIL_THRESHOLD = 3
OVERDUE_MARGIN_S = 60
_REMOTE_TIMEOUT_S = 30.0
_CHECKS, _CHECK_AGAIN_S = 5, 0.5


@dataclass(frozen=True, slots=True)
class City(Books):
    """An open installation with its chain. Everything in it lives as long as ``open_city``'s block."""

    settings: Settings
    engine: Engine
    keys: Keys
    gateway: Gateway
    merchants: MerchantDirectory
    offers: OfferCatalogue
    redemptions: Redemptions
    fulfilment: Fulfilment
    refunds: Refunds
    disputes: Disputes
    acts: ActBook
    approvals: DeskApprovals
    office: FinanceOffice
    registrar: FinanceOffice
    applications: MerchantApplications
    appropriations: Appropriations
    receipts: ReceiptOffice
    invariants: InvariantWatch
    webhook_book: WebhookBook
    news: threading.Event
    """Set when an institution has to be told something, so that it need not wait for the next round."""
    links: threading.Event
    """Set when a source id is linked, so that the issuers' round need not wait for its time."""
    chain_url: str | None
    """Where auditors may read the chain: the proxy of the embedded engine, or the network's node."""

    def upkeep(self) -> bool:
        """Settle orders, release what was not captured in time, take the finance bureau's acts further; return whether
        something new is to be sent.

        One transaction for the orders: the settlement's cursor is the lock that lets several gateways take turns.
        """
        released = self.office.advance() + self.registrar.advance()
        with self.database.transaction() as session:
            settled = self.redemptions.settle(session)
            self.fulfilment.settle_acts(session, settled.block_number)
            shops = self.applications.settle(session)
            told = publish(session, [*order_news(settled.changed), *shop_news(shops)], self.clock.timestamp())
            if settled.block_number >= 0:
                released += self.fulfilment.capture_again(session)
                # By the clock, for a chain without traffic makes no blocks; the margin forgives a node's slower clock.
                released += self.fulfilment.release_overdue(session, self.clock.timestamp() - OVERDUE_MARGIN_S)
        if told:
            self.news.set()
        if released:
            self.gateway.wake()
        return bool(released)

    def run_until_idle(self, *, timeout_s: float = 120.0) -> None:
        """Without workers: send, make blocks, project and settle until nothing is under way (demo, CLI, tests)."""
        self.gateway.run_until_idle(timeout_s=timeout_s)
        while self.upkeep():
            self.gateway.run_until_idle(timeout_s=timeout_s)

    def work_until_idle(self, *, timeout_s: float = 120.0) -> None:
        """As `run_until_idle`, and the issuers' rounds too: links, due records, batches, revocations."""
        moved = True
        while moved:
            moved = self.issuers.work()
            self.run_until_idle(timeout_s=timeout_s)


@contextmanager
def open_city(
    settings: Settings,
    clock: Clock | None = None,
    *,
    config: CityConfig | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    steady: Callable[[], float] | None = None,
) -> Iterator[City]:
    """Open an installation, make what is missing, and close it at the end of the block.

    Args:
        settings: see `Settings`; nothing needs to be set.
        clock: the time, for the demo's fixed date; by default the machine's.
        config: the city to deploy where there is no deployment yet; by default the demo's.
        progress: hears (step, done, total) of the deployment and of the journal's replay.
        steady: seconds of a clock that cannot be set, against which ``clock`` is watched; by default the machine's,
            and a clock that is moved by hand is not watched.

    Raises:
        ConfigurationError: a setting, key or file is missing or wrong.
        EngineBusy: another process has the embedded chain of this state directory.
        DeploymentMismatch: the chain is not the one that the deployment file describes.
    """
    with ExitStack() as stack:
        yield _open(stack, settings, _watched(clock, steady), config or load_city(), progress or _quiet)


def _open(
    stack: ExitStack,
    settings: Settings,
    clock: Clock,
    config: CityConfig,
    progress: Callable[[str, int, int], None],
) -> City:
    keys = open_keys(settings)
    master, keystore = keys.master, keys.keystore
    engine = _open_engine(stack, settings, clock, progress)
    deployment = _deploy(settings, engine, config, keystore, progress)
    database = open_database(stack, settings)
    gateway = _gateway(settings, clock, database, engine, deployment, keystore)
    books = books_of(stack, settings, clock, keys, database, deployment, gateway.outbox)
    registry = books.registry
    merchants = MerchantDirectory(clock)
    offers = OfferCatalogue(merchants, clock)
    redemptions = Redemptions(registry, offers, gateway.desk, deployment.domain(), clock)
    codes = CodeBook(derive(master, "slips"))
    large = RefundApprovals(clock, settings.refund_alone_max_fen)
    counter = _counter(database, engine, deployment, redemptions, merchants, gateway.outbox, keystore, codes, large)
    office = _office(database, engine, deployment, gateway.outbox, clock, keystore, FINANCE)
    registrar = _office(database, engine, deployment, gateway.outbox, clock, keystore, REGISTRAR)
    approvals = DeskApprovals(clock)
    _load_catalogue(database, deployment, keystore, merchants, offers)

    outgoing = Outgoing.of(settings.outgoing_networks)
    invariants = InvariantWatch(gateway)
    city = City(
        clock=clock,
        database=database,
        deployment=deployment,
        sources=books.sources,
        registry=registry,
        decisions=books.decisions,
        link_codes=books.link_codes,
        webhooks=books.webhooks,
        issuers=books.issuers,
        settings=settings,
        engine=engine,
        keys=keys,
        gateway=gateway,
        merchants=merchants,
        offers=offers,
        redemptions=redemptions,
        fulfilment=counter.fulfilment,
        refunds=counter.refunds,
        disputes=counter.disputes,
        acts=counter.acts,
        approvals=approvals,
        office=office,
        registrar=registrar,
        applications=applications_of(registrar, merchants, keys, deployment, clock),
        appropriations=Appropriations(office, clock),
        receipts=ReceiptOffice(engine, deployment, database, settings.validators or None),
        invariants=invariants,
        webhook_book=WebhookBook(keys.envelope, outgoing, clock),
        news=threading.Event(),
        links=threading.Event(),
        chain_url=_open_proxy(stack, settings, engine, gateway) or next(iter(settings.rpc_urls), None),
    )
    if settings.workers:
        start_workers(stack, city, city.links)
    return city


def _office(
    database: Database,
    engine: Engine,
    deployment: Deployment,
    outbox: Outbox,
    clock: Clock,
    keystore: Keystore,
    kind: str,
) -> FinanceOffice:
    """Return an office whose acts are announced; its key's name is that of its kind."""
    address = keystore.address(kind) if kind in keystore.names(kind) else None
    return FinanceOffice(database, engine, deployment, outbox, clock, address, kind)


@dataclass(frozen=True, slots=True)
class _Counter:
    """Who acts on orders, with the one book of acts."""

    acts: ActBook
    fulfilment: Fulfilment
    refunds: Refunds
    disputes: Disputes


def _counter(
    database: Database,
    engine: Engine,
    deployment: Deployment,
    redemptions: Redemptions,
    merchants: MerchantDirectory,
    outbox: Outbox,
    keystore: Keystore,
    codes: CodeBook,
    large: RefundApprovals,
) -> _Counter:
    clock = redemptions.clock
    acts = ActBook(clock)
    return _Counter(
        acts,
        Fulfilment(redemptions, merchants, outbox, keystore, codes, deployment.domain(), acts, clock),
        Refunds(database, engine, deployment, redemptions, merchants, outbox, keystore, acts, clock, large),
        Disputes(
            deployment,
            redemptions,
            outbox,
            keystore,
            acts,
            clock,
            has_account="arbiter" in keystore.names("arbiter"),
        ),
    )


def _senders(
    settings: Settings, keystore: Keystore, deployment: Deployment
) -> tuple[list[KeptSigner], dict[str, KeptSigner]]:
    """Return the relayers, and who alone sends messages of a kind (see `Sender`)."""
    relayers = [f"relayers/{number}" for number in range(1, settings.relayers + 1)]
    kept = set(keystore.names())
    for name in relayers:
        if name not in kept:
            keystore.get_or_create(name)
    if settings.workers:  # they sign when nobody looks: a key that cannot be opened stops the start, not a thread
        for name in (
            *relayers,
            *sorted(kept & {"finance", "registrar", *(key_name(one.slug) for one in deployment.programmes)}),
        ):
            keystore.get(name)
    offices = {kind: keystore.signer(name) for kind, name in OFFICES.items() if name in kept}
    return [keystore.signer(name) for name in relayers], offices


def _watched(clock: Clock | None, steady: Callable[[], float] | None) -> Clock:
    """Return a clock that cannot be set unseen, unless it is one that stands still until it is moved."""
    if steady is None and isinstance(clock, ManualClock):
        return clock
    return WatchedClock(clock or SystemClock(), steady)


def _open_proxy(stack: ExitStack, settings: Settings, engine: Engine, gateway: Gateway) -> str | None:
    """Open the auditors' window on the embedded chain if it is asked for; a network's nodes have doors of their own."""
    port = settings.rpc_proxy_port
    if port is None or settings.rpc_url is not None or not settings.workers:
        return None
    try:
        targets = [contract.address for contract in gateway.deployment.contracts.values()]
        proxy = Proxy(engine, port=port, targets=targets, on_submitted=gateway.wake)
    except OSError as error:
        raise ConfigurationError(f"port {port} for the chain's proxy (TONGDUI_RPC_PROXY_PORT): {error}") from error
    stack.callback(proxy.close)
    return proxy.url


def _open_engine(
    stack: ExitStack, settings: Settings, clock: Clock, progress: Callable[[str, int, int], None]
) -> Engine:
    engine: Engine
    if settings.rpc_url is not None:
        timeout_s = settings.rpc_timeout_s or _REMOTE_TIMEOUT_S
        engine = RemoteEngine.open(settings.rpc_urls, Finality.parse(settings.finality), timeout_s=timeout_s)
    else:

        def replayed(at: ReplayProgress) -> None:
            progress("replay the journal", at.blocks_done, at.blocks_total)

        options = EmbeddedOptions()
        if settings.rpc_timeout_s is not None:
            options = replace(options, node_timeout_s=settings.rpc_timeout_s)
        engine = EmbeddedEngine.open(settings.state_dir / "chain", clock, options, progress=replayed)
    stack.callback(engine.close)
    return engine


def _deploy(
    settings: Settings,
    engine: Engine,
    config: CityConfig,
    keystore: Keystore,
    progress: Callable[[str, int, int], None],
) -> Deployment:
    path = settings.deployment_file or settings.state_dir / FILE_NAME
    if path.exists():  # a deployed city has its actors on chain: their keys are neither opened nor generated here
        deployment = Deployment.read(path)
        _check(deployment, engine)
        return deployment
    deployer = keystore.get_or_create("deployer")
    actors = city_actors(config, keystore, rulebooks_in_force(), settings.issuer_signers)
    return ensure_deployed(engine, config, actors, deployer, path, progress=progress)


def _check(deployment: Deployment, engine: Engine) -> None:
    """Compare the deployment file with the chain; on a network, one wrong answer must not keep a gateway from starting.

    Raises DeploymentMismatch, RpcError.
    """
    for left in reversed(range(1 if engine.is_own else _CHECKS)):
        try:
            deployment.check(engine)
            return
        except (DeploymentMismatch, RpcError) as error:
            if not left:
                raise
            _LOG.warning("the deployment is compared with the chain again: %s", error)
            time.sleep(_CHECK_AGAIN_S)


def rulebooks_in_force(
    rulebooks: Mapping[ProgrammeId, Sequence[Rulebook]] | None = None,
) -> dict[ProgrammeId, RulebookRef]:
    """Return the newest approved version of each programme's rulebook, by its hash, for the chain to name.

    ``rulebooks``: by programme, oldest version first; None: the city's. A programme that has only drafts is left out.
    """
    known = approved_rulebooks() if rulebooks is None else rulebooks
    newest = {programme: book for programme, books in known.items() for book in books if book.is_approved}
    return {programme: RulebookRef(book.version, book.hash) for programme, book in newest.items()}


OFFICES = {FINANCE: "finance", REGISTRAR: "registrar", ARBITER: "arbiter"}
"""Keys with a duty of their own by the outbox's kind of message."""
DESKS = ("community", "district")
"""A succession takes two: one asks, another confirms."""


def city_actors(
    config: CityConfig,
    keystore: Keystore,
    rulebooks: Mapping[ProgrammeId, RulebookRef] | None = None,
    signers: Mapping[str, IssuerSignerSettings] | None = None,
) -> CityActors:
    """Return who holds which key in the embedded default: every actor's key is generated into the keystore, but those
    of the issuers who have a signer of their own (``signers``, by slug).

    Warning: in a city each actor holds its own key, and the deployment is made with their addresses.
    """
    return CityActors(
        council=tuple(
            keystore.get_or_create(f"council/member-{number}").address for number in range(1, COUNCIL_MEMBERS + 1)
        ),
        council_threshold=COUNCIL_THRESHOLD,
        finance_bureau=keystore.get_or_create("finance").address,
        guardian=keystore.get_or_create("guardian").address,
        registrar=keystore.get_or_create("registrar").address,
        supervisor=keystore.get_or_create("supervisor").address,
        arbiter=keystore.get_or_create("arbiter").address,
        arbiter_key=keystore.get_or_create("arbiter/signature").address,
        issuers={
            programme.id: (issuer_address(programme.slug, keystore, signers or {}),) for programme in config.programmes
        },
        merchants={
            merchant.id: keystore.get_or_create(f"merchants/{merchant.slug}").address for merchant in config.merchants
        },
        rulebooks=rulebooks or {},
        desks=tuple(keystore.get_or_create(f"desks/{name}").address for name in DESKS),
    )


def _load_catalogue(
    database: Database,
    deployment: Deployment,
    keystore: Keystore,
    merchants: MerchantDirectory,
    offers: OfferCatalogue,
) -> None:
    kept = set(keystore.names("merchants/"))
    signers = {one.id: f"merchants/{one.slug}" for one in deployment.merchants if f"merchants/{one.slug}" in kept}
    entries = catalogue.load(catalogue.default_path())
    with database.transaction() as session:
        catalogue.load_catalogue(session, deployment, entries, merchants, offers, signers)


def _gateway(
    settings: Settings, clock: Clock, database: Database, engine: Engine, deployment: Deployment, keystore: Keystore
) -> Gateway:
    relayers, offices = _senders(settings, keystore, deployment)
    return Gateway(
        database,
        engine,
        deployment,
        relayers,
        clock,
        owner=_owner(settings),
        offices=offices,
        sender_limits=SenderLimits(pace=_pace(settings)),
        stall_s=settings.stall_s,
    )


def _pace(settings: Settings) -> PaceLimits:
    if settings.rpc_url is None:
        gas_max = settings.gas_in_flight_max or GAS_IN_FLIGHT_MAX
        return PaceLimits(gas_max=gas_max, gas_first=gas_max)
    return PaceLimits.of_network(settings.gas_in_flight_max or NETWORK_GAS_MAX, settings.stall_s)


def _owner(settings: Settings) -> str:
    """Return the name under which this process leases relayers. The embedded engine's lock keeps others out anyway, and
    there the name stays the same, so that a restart need not wait for its own leases to end."""
    if settings.rpc_url is None:
        return "gateway"
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def _quiet(_step: str, _done: int, _total: int) -> None:
    """Hear progress and say nothing."""
