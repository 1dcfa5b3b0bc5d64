"""From an open city to the services of its HTTP API: tokens, limits, readiness, metrics, and what routes may wake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from issuers.service import IssuerService
from ledger.clock import Clock
from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError
from ledger.gateway import Gateway
from ledger.outbox.states import MessageState
from ledger.outgoing import Outgoing
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import ProgrammeId
from ledger_api.auth.logins import Logins
from ledger_api.auth.passwords import Passwords
from ledger_api.auth.provider_keys import RemoteKeys
from ledger_api.auth.scopes import check_scopes
from ledger_api.auth.sessions import SessionLimits, Sessions
from ledger_api.auth.sign_in import SignIn
from ledger_api.auth.throttle import SignInThrottle
from ledger_api.auth.tokens import LOCAL_ALGORITHM, OIDC_ALGORITHMS, LocalIssuer, TokenVerifier
from ledger_api.http.metrics import Metrics, issuance_metrics, liveness_metrics
from ledger_api.http.middleware import Limiter, RateLimiter
from ledger_api.ports import PageSettings, ProgrammeName, StoryPerson
from ledger_api.services import BodyLimits, Services
from tongdui.bootstrap import City
from tongdui.offline import derive
from tongdui.readiness import WorkersBeside, readiness_checks
from tongdui.settings import Settings
from tongdui.workers import drop_paths

LOCAL_ISSUER = "urn:tongdui:local"
STORY_FILE = "story.json"
"""In the demo's state directory alone: as whom its pages sign one in with one click."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What an API process shares with others of its machine."""

    limiter: Limiter
    workers: Callable[[], WorkersBeside] | None
    """Asks the process that has the workers; None where that is another machine's."""


def services_of(city: City, beside: Beside | None = None) -> Services:
    """Return what the routes need of an open city. ``beside``: of one process among several.

    Raises ConfigurationError where the local token issuer's key is damaged.
    """
    # Imports web3, which only an API that answers needs: `tongdui token` uses this module too.
    from tongdui.chain_view import EngineChainView

    settings, gateway = city.settings, city.gateway
    workers = None if beside is None else beside.workers
    issuer = None if settings.uses_oidc else open_token_issuer(settings, city.clock)
    sessions = Sessions(city.database, city.clock, _session_limits(settings))
    return Services(
        limits=BodyLimits(
            document_max=settings.body_bytes_max,
            push_document_max=settings.push_document_bytes_max,
            push_lines_max=settings.push_bytes_max,
            spool_dir=settings.state_dir / "push",
        ),
        clock=city.clock,
        database=city.database,
        names=programme_names(city.deployment),
        registry=city.registry,
        orders=gateway.desk,
        merchants=city.merchants,
        applications=city.applications,
        offers=city.offers,
        redemptions=city.redemptions,
        fulfilment=city.fulfilment,
        refunds=city.refunds,
        refund_approvals=city.refunds.approvals,
        acts=city.acts,
        approvals=city.approvals,
        link_codes=city.link_codes,
        decisions=city.decisions,
        webhooks=city.webhooks,
        webhook_book=city.webhook_book,
        appropriations=city.appropriations,
        chain=EngineChainView(city.engine, city.deployment, city.database),
        deployment=orjson.loads(city.deployment.to_json()),
        receipts=city.receipts,
        verifier=_verifier(settings, issuer, city.clock),
        local_issuer=issuer,
        sessions=sessions,
        sign_in=SignIn(
            city.database,
            Logins(city.clock),
            sessions,
            Passwords(),
            SignInThrottle(derive(city.keys.master, "sign-ins"), city.clock),
            is_on=not settings.uses_oidc,
            is_open=settings.registration == "open",
        ),
        request_secret=derive(city.keys.master, "requests"),
        readiness=readiness_checks(city.database, gateway, settings.workers, drop_paths(city), workers),
        # The workers refresh the report each minute; without them here the request does.
        invariants=city.invariants.report if settings.workers else city.invariants.current,
        limiter=RateLimiter(settings.rate_per_minute) if beside is None else beside.limiter,
        metrics=_metrics(gateway, city.issuers, workers),
        pages=PageSettings(
            public_url=settings.public_url, validators=tuple(settings.validators), people=_story(settings)
        ),
        issuers=city.issuers,
        after_write=gateway.wake,
        after_link=city.links.set,
    )


def programme_names(deployment: Deployment) -> dict[ProgrammeId, ProgrammeName]:
    """Return how a deployment's programmes are called, by number."""
    return {
        programme.id: ProgrammeName(programme.id, programme.slug, programme.names.zh, programme.names.en)
        for programme in deployment.programmes
    }


def open_token_issuer(settings: Settings, clock: Clock) -> LocalIssuer:
    """Open the local token issuer alone (``tongdui token``), also while a server runs on the same state directory."""
    return LocalIssuer.open(settings.state_dir / "keys" / "tokens.pem", LOCAL_ISSUER, settings.token_audience, clock)


def token_issuer_name(settings: Settings) -> str:
    """Return who issues tokens: it stands before the name in a token's subject."""
    return settings.oidc_issuer or LOCAL_ISSUER


def _story(settings: Settings) -> tuple[StoryPerson, ...]:
    path = settings.state_dir / STORY_FILE
    if not path.exists():
        return ()
    try:
        return tuple(StoryPerson(**one) for one in orjson.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} does not name the people of a demo: {error}") from error


def _session_limits(settings: Settings) -> SessionLimits:
    return SessionLimits(
        idle_s=settings.session_idle_minutes * 60, idle_wallet_s=settings.session_idle_wallet_days * DAY_S
    )


def _verifier(settings: Settings, issuer: LocalIssuer | None, clock: Clock) -> TokenVerifier:
    if issuer is not None:
        return TokenVerifier(issuer, LOCAL_ISSUER, settings.token_audience, [LOCAL_ALGORITHM], clock)
    keys = RemoteKeys(settings.oidc_jwks_url or "", Outgoing.of(settings.outgoing_networks))
    return TokenVerifier(
        keys,
        settings.oidc_issuer or "",
        settings.token_audience,
        OIDC_ALGORITHMS,
        clock,
        {role: check_scopes(scopes) for role, scopes in settings.oidc_role_scopes.items()},
    )


def _metrics(gateway: Gateway, issuers: IssuerService, workers: Callable[[], WorkersBeside] | None) -> Metrics:
    metrics = Metrics()

    def alarms() -> float:
        return len(gateway.health().alarms) + (len(workers().alarms) if workers is not None else 0)

    def unsigned() -> float:
        return issuers.unsettled().get("batches_prepared", 0)

    def lag() -> float:
        health = gateway.health()
        return health.final_height - health.projected_height

    def queued() -> float:
        with gateway.database.read() as session:
            counts = gateway.outbox.counts(session)
        return sum(counts.get(state, 0) for state in (MessageState.QUEUED, MessageState.SENT))

    def waiting() -> float:
        with gateway.database.read() as session:
            return gateway.outbox.counts(session).get("waiting_funding", 0)

    metrics.collect(lambda: liveness_metrics(gateway.look(), gateway.sender.gas_budget))
    metrics.gauge("tongdui_final_height", "Last final block", lambda: gateway.health().final_height)
    metrics.gauge("tongdui_projection_lag_blocks", "Final blocks not projected yet", lag)
    metrics.gauge("tongdui_outbox_under_way", "Messages queued or sent", queued)
    metrics.gauge("tongdui_outbox_waiting_funding", "Mints that wait for funding", waiting)
    metrics.gauge("tongdui_batches_unsigned", "Batches whose issuer's signer is away or refuses", unsigned)
    metrics.collect(lambda: issuance_metrics(issuers.pipeline(), issuers.funding_waits()))
    metrics.gauge("tongdui_alarms", "Alarms that need a person", alarms)
    return metrics
