"""Every error of Tongdui as an RFC 9457 problem: the only place where errors meet HTTP statuses.

``type`` is ``/problems/<slug>``, which this API also serves as an explanation. Slugs are stable: clients branch on
them, never on titles. Titles and details come in Chinese or English by ``Accept-Language``; each language has a file of
them beside this one. Members are the error's typed attributes, named here one by one so that nothing personal leaks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

from issuers import errors as issuing
from ledger.chain.errors import ClockJumped
from ledger.chain.rpc import RpcError
from ledger.clearing import errors as clearing
from ledger.custody import errors as custody
from ledger.errors import ConfigurationError, InvariantViolation, TongduiError
from ledger.orders import errors as orders
from ledger.outgoing import AddressRefused
from ledger.residents import errors as residents
from ledger.residents.persons import OnePerson
from ledger.standard import errors as standard
from ledger.webhooks import book as webhooks
from ledger_api import errors as request
from ledger_api.auth import errors as logins
from ledger_api.auth.passwords import PasswordsBusy
from ledger_api.auth.scopes import UnknownScope
from ledger_api.auth.tokens import BadToken, KeysUnavailable
from redemption import errors as redemption

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem. ``detail_zh`` is a format over the error's attributes; in English the error says it itself.

    ``hides_detail`` keeps the text of internal faults out of answers; it is in the log under the request's id.
    """

    slug: str
    status: int
    title_en: str
    title_zh: str
    detail_zh: str = ""
    members: tuple[str, ...] = ()
    hides_detail: bool = False
    detail_en: str = ""
    """Used instead of the error's own text where that is not for residents (fen are for institutions only)."""

    @property
    def uri(self) -> str:
        """The problem's ``type``."""
        return f"/problems/{self.slug}"


def catalogue(language: str) -> dict[str, dict[str, str]]:
    """Return the texts of a language, ``en`` or ``zh-CN``: title and perhaps detail by the problem's slug."""
    return tomllib.loads(Path(__file__).with_name(f"problems.{language}.toml").read_text(encoding="utf-8"))


_ENGLISH, _CHINESE = catalogue("en"), catalogue("zh-CN")


def _kind(
    slug: str, status: int, members: tuple[str, ...] = (), *, hides_detail: bool = False, text: str | None = None
) -> ProblemType:
    """Return a kind of problem with its texts; ``text`` is their name where another kind has the slug's."""
    english, chinese = _ENGLISH[text or slug], _CHINESE[text or slug]
    return ProblemType(
        slug=slug,
        status=status,
        title_en=english["title"],
        title_zh=chinese["title"],
        detail_zh=chinese.get("detail", ""),
        members=members,
        hides_detail=hides_detail,
        detail_en=english.get("detail", ""),
    )


INTERNAL = _kind("internal", 500, hides_detail=True)
NOT_FOUND = _kind("not-found", 404, ("what",))
METHOD = _kind("method-not-allowed", 405)
VALIDATION = _kind("invalid-request", 422)
MALFORMED = _kind("malformed-body", 400, ("reason", "member"))
UNAVAILABLE = _kind("unavailable", 503, hides_detail=True)

PROBLEMS: dict[type[TongduiError], ProblemType] = {
    # who is asking
    request.Unauthenticated: _kind("unauthenticated", 401),
    BadToken: _kind("invalid-token", 401),
    KeysUnavailable: _kind("login-unavailable", 503, hides_detail=True),
    PasswordsBusy: UNAVAILABLE,
    logins.SignInRefused: _kind("sign-in-refused", 401),
    logins.SignInThrottled: _kind("too-many-sign-ins", 429, ("retry_after_s",)),
    logins.PasswordsOff: _kind("passwords-off", 403),
    logins.WeakPassword: _kind("weak-password", 422, ("reason", "length_min")),
    logins.BadLoginName: _kind("bad-login-name", 422),
    logins.LoginNameTaken: _kind("login-name-taken", 409),
    logins.UnknownLogin: _kind("unknown-login", 404),
    logins.UnknownSession: _kind("unknown-session", 404),
    request.Forbidden: _kind("forbidden", 403, ("needed",)),
    request.NotRegistered: _kind("not-registered", 403),
    request.SubjectBound: _kind("subject-bound", 409),
    request.IdentityMismatch: _kind("identity-mismatch", 403),
    request.IdentityUnproven: _kind("identity-unproven", 403),
    request.UnusableAccount: _kind("unusable-account", 422),
    request.TooManyRequests: _kind("too-many-requests", 429, ("retry_after_s",)),
    # how it is asked
    request.IdempotencyKeyMissing: _kind("idempotency-key-missing", 400),
    request.IdempotencyKeyReused: _kind("idempotency-key-reused", 409, ("outcome",)),
    request.BadCursor: _kind("bad-cursor", 400),
    request.BodyTooLarge: _kind("body-too-large", 413, ("bytes_max",)),
    request.MalformedBody: MALFORMED,
    request.UnsupportedBody: _kind("unsupported-body", 415),
    request.UnreadableForm: _kind("unreadable-form", 400),
    request.CrossSite: _kind("cross-site", 403),
    request.UnknownHost: _kind("unknown-host", 421),
    request.NotFound: NOT_FOUND,
    request.ErasureDiffers: _kind("erasure-differs", 409, ("loses",)),
    request.NotFinal: _kind("not-final", 409, ("order_id",)),
    request.MalformedId: _kind("malformed-id", 400, ("field",)),
    request.MalformedAmount: _kind("malformed-amount", 422, ("field",)),
    UnknownScope: _kind("unknown-scope", 422, ("scope",)),
    standard.StandardError: _kind("malformed-value", 422),
    # residents and keys
    residents.ResidentNotFound: _kind("unknown-resident", 404),
    residents.ResidentErased: _kind("resident-erased", 410),
    residents.EmptyIdentifier: _kind("empty-identifier", 422, ("field",)),
    residents.NoSuchClaim: _kind("unknown-link", 404, ("programme",)),
    residents.LinkCodeRefused: _kind("link-code-refused", 403, ("programme",)),
    residents.AccountUnproven: _kind("account-unproven", 403),
    residents.TooManyClaims: _kind("too-many-claims", 429, ("limit",)),
    residents.SameDecider: _kind("same-decider", 403),
    OnePerson: _kind("second-person", 403),
    custody.NotCustodial: _kind("own-key", 409),
    custody.Erased: _kind("resident-erased", 410),
    # spending
    redemption.UnknownMerchant: _kind("unknown-merchant", 404, ("merchant_id",)),
    redemption.MerchantSuspended: _kind("merchant-suspended", 409, ("merchant_id",)),
    redemption.UnknownOffer: _kind("unknown-offer", 404, ("offer_id",)),
    redemption.OfferClosed: _kind("offer-closed", 409, ("offer_id",)),
    redemption.OutOfStock: _kind("out-of-stock", 409, ("offer_id", "asked", "left")),
    redemption.OfferLimitReached: _kind("offer-limit", 409, ("offer_id", "limit")),
    redemption.NotEnoughHeld: _kind("not-enough-held", 409),
    orders.InsufficientPoints: _kind("not-enough-points", 409),
    orders.ProgrammeForbids: _kind("programme-forbids", 409, ("programme",)),
    orders.MerchantUnknown: _kind("unknown-merchant", 404, ("merchant",), text="unknown-merchant.on-chain"),
    orders.TooManyLots: _kind("too-many-lots", 409, ("lots_max",)),
    orders.TooManyOpenOrders: _kind("too-many-open-orders", 409),
    orders.NothingToGain: _kind("too-little", 409),
    orders.TooLittle: _kind("payment-too-small", 409),
    orders.WrongSignature: _kind("wrong-signature", 422),
    orders.DeadlineUnfit: _kind("deadline", 422),
    orders.NonceTaken: _kind("nonce-taken", 409),
    redemption.UnknownOrder: _kind("unknown-order", 404, ("order_id",)),
    redemption.OrderStateConflict: _kind("order-state", 409, ("order_id", "state", "act", "reason", "passes")),
    redemption.ActExistsDifferently: _kind("act-exists", 409, ("outcome",)),
    redemption.PayerErased: _kind("payer-erased", 409, ("order_id",)),
    redemption.SelfDealing: _kind("self-dealing", 403, ("merchant_id",)),
    redemption.RequestKeyReused: _kind("request-key-reused", 409),
    redemption.BadSlipCode: _kind("bad-code", 404),
    redemption.SlipExpired: _kind("slip-expired", 410),
    redemption.SlipUsed: _kind("slip-used", 409),
    redemption.DeskProofRefused: _kind("consent-not-shown", 403),
    redemption.PinLocked: _kind("pin-locked", 423, ("locked_until",)),
    redemption.WeakPin: _kind("weak-pin", 422),
    redemption.OwnOrder: _kind("own-order", 403, ("order_id",)),
    redemption.MerchantHoldsKey: _kind("merchant-own-key", 409, ("merchant_id",)),
    redemption.RefundNeedsSecond: _kind("refund-needs-second", 403, ("order_id", "alone_max_fen")),
    redemption.RefundTooLate: _kind("refund-too-late", 409, ("order_id", "days")),
    redemption.NotRefundable: _kind("not-refundable", 409, ("order_id",)),
    redemption.OrderUnfit: _kind("order-unfit", 422),
    # a shop's way in, and its money
    redemption.UnknownApplication: _kind("unknown-application", 404),
    redemption.ApplicationExists: _kind("application-exists", 409),
    redemption.TooManyApplications: _kind("too-many-applications", 409, ("limit",)),
    redemption.ApplicationStateConflict: _kind("application-state", 409, ("state", "act")),
    redemption.UnknownShopScope: _kind("unknown-shop-scope", 422, ("scope", "known")),
    redemption.NoPayeeChange: _kind("no-payee-change", 409, ("merchant_id",)),
    redemption.PayeeChangeWaits: _kind("payee-change-waits", 409, ("merchant_id", "effective_at")),
    # who is told what is final
    webhooks.UnknownEndpoint: _kind("unknown-endpoint", 404),
    webhooks.TooManyEndpoints: _kind("too-many-endpoints", 409, ("limit",)),
    AddressRefused: _kind("address-refused", 422, ("reason",)),
    # funding
    clearing.ProgrammeUnknown: _kind("unknown-programme", 404),
    clearing.AppropriationDiffers: _kind("appropriation-differs", 409, ("programme",)),
    clearing.SecondPersonNeeded: _kind("second-person", 403),
    clearing.NothingWaits: _kind("nothing-waits", 409),
    clearing.YearFull: _kind("year-full", 422, ("programme",)),
    clearing.NoFinanceKey: _kind("finance-own-key", 409, ("to", "data")),
    # issuing
    issuing.UnknownProgramme: _kind("unknown-programme", 404),
    issuing.UnknownMapping: _kind("unknown-mapping", 422),
    issuing.CaseDisagrees: _kind("mapping-case-differs", 422, ("keeping", "ignoring")),
    issuing.GrantNotFound: _kind("unknown-grant", 404),
    issuing.BatchNotFound: _kind("unknown-batch", 404, ("programme", "number")),
    issuing.BatchLanded: _kind("batch-landed", 409, ("programme", "number")),
    issuing.ReviewNotFound: _kind("unknown-review", 404, ("review_id",)),
    issuing.ReviewClosed: _kind("review-closed", 409, ("review_id", "state")),
    issuing.SeveralDeeds: _kind("several-deeds", 409, ("number", "deeds")),
    issuing.NoCorrection: _kind("no-correction", 409, ("review_id",)),
    issuing.SameApprover: _kind("same-approver", 403, ("review_id",)),
    issuing.UnknownDelivery: _kind("unknown-delivery", 404),
    issuing.RefusalNotFound: _kind("unknown-refusal", 404, ("refusal_id",)),
    issuing.ErasedRecord: _kind("record-erased", 410),
    issuing.WebhookRefused: _kind("push-refused", 401),
    issuing.PushTooOld: _kind("push-clock", 401, ("seconds", "tolerance_s")),
    issuing.PushUnreadable: _kind("push-unreadable", 422, ("code",)),
    issuing.UnknownSource: _kind("unknown-source", 404),
    issuing.SourceUnavailable: _kind("source-unavailable", 503, hides_detail=True),
    # ours
    orders.OrdersPaused: UNAVAILABLE,
    RpcError: UNAVAILABLE,
    ClockJumped: UNAVAILABLE,
    ConfigurationError: INTERNAL,
    InvariantViolation: INTERNAL,
    custody.CustodyError: INTERNAL,
}


def problem_type(error: TongduiError) -> ProblemType:
    """Return the kind of an error: its own class's, or that of the nearest base that is listed."""
    for base in type(error).__mro__:
        found = PROBLEMS.get(base)
        if found is not None:
            return found
    return INTERNAL


def by_slug() -> dict[str, ProblemType]:
    """Return every kind of problem by its slug."""
    known = [INTERNAL, NOT_FOUND, METHOD, VALIDATION, MALFORMED, UNAVAILABLE, *PROBLEMS.values()]
    return {kind.slug: kind for kind in known}


def prefers_chinese(accept_language: str | None) -> bool:
    """Return whether an ``Accept-Language`` header ranks Chinese above English (RFC 9110, 12.5.4)."""
    best = {"zh": 0.0, "en": 0.0}
    order = {"zh": 999, "en": 999}
    for place, part in enumerate((accept_language or "").split(",")[:32]):
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language not in best:
            continue
        try:
            weight = float(parameters.strip().removeprefix("q=")) if parameters else 1.0
        except ValueError:
            continue
        if weight > best[language]:
            best[language], order[language] = weight, place
    if best["zh"] == best["en"]:
        return best["zh"] > 0 and order["zh"] < order["en"]
    return best["zh"] > best["en"]


def body(
    kind: ProblemType,
    *,
    request_id: str,
    chinese: bool,
    error: TongduiError | None = None,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the members of a problem document."""
    document: dict[str, Any] = {
        "type": kind.uri,
        "title": kind.title_zh if chinese else kind.title_en,
        "status": kind.status,
        "detail": _detail(kind, error, chinese),
        "request_id": request_id,
    }
    if error is not None and not kind.hides_detail:
        document |= {name: _json(getattr(error, name)) for name in kind.members if hasattr(error, name)}
    return document | (extra or {})


def _detail(kind: ProblemType, error: TongduiError | None, chinese: bool) -> str:
    if chinese and kind.detail_zh:
        names = {name for _, name, _, _ in Formatter().parse(kind.detail_zh) if name}
        return kind.detail_zh.format(**{name: getattr(error, name, "") for name in names})
    if error is None or kind.hides_detail:
        return kind.title_en
    return kind.detail_en or str(error)


def _json(value: Any) -> Any:
    """JSON numbers are for small things; ids and amounts are text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple | frozenset | set):
        return [_json(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _json(one) for name, one in value.items()}
    return value if isinstance(value, str | int | bool | float | None) else str(value)
