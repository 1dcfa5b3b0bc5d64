"""What the demo's page says, as data. Every figure in here was computed from the chain, the pipeline or the catalogue.

Amounts are integers: points in minor units (0.01 point), money in fen (0.01 元), shares in millionths. `contradictions`
checks that the figures fit each other; figures that contradict each other are never rendered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.errors import TongduiError


class ContradictoryFigures(TongduiError):
    """Figures from different parts of the system contradict each other."""

    def __init__(self, findings: list[str]) -> None:
        self.findings = findings
        super().__init__("the demo's figures contradict each other: " + "; ".join(findings))


@dataclass(frozen=True, slots=True)
class Words:
    """The same sentence in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Intake:
    """The outcome of one programme's records."""

    records: int
    accepted: int
    refused: int
    awaiting_link: int
    held: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Movement:
    """Where a programme's points came from and went, in minor units, as the auditor computed it from events."""

    granted: int
    exchanged_in: int
    refunded: int
    exchanged_out: int
    redeemed: int
    revoked: int
    expired: int
    outstanding: int

    @property
    def came(self) -> int:
        """All that added to the programme's points."""
        return self.granted + self.exchanged_in + self.refunded

    @property
    def went(self) -> int:
        """All that took from them."""
        return self.exchanged_out + self.redeemed + self.revoked + self.expired


@dataclass(frozen=True, slots=True)
class Reach:
    """What one programme's points can buy, before (alone) and after (in the common ledger), on the same balances."""

    shops_before: int
    shops_after: int
    share_before_ppm: int
    share_after_ppm: int


@dataclass(frozen=True, slots=True)
class Programme:
    """One programme; ``par_microfen`` 0 is an eligibility score that buys nothing."""

    programme_id: int
    slug: str
    name: Words
    source: Words
    par_microfen: int
    intake: Intake
    movement: Movement
    position_fen: int
    appropriated_fen: int
    liability_fen: int
    reach: Reach | None


@dataclass(frozen=True, slots=True)
class Merchant:
    """A shop, and what it is owed."""

    merchant_id: int
    name: Words
    position_fen: int


@dataclass(frozen=True, slots=True)
class ExchangeFlow:
    """What exchanges moved from one programme's position to another's."""

    from_slug: str
    to_slug: str
    fen: int


@dataclass(frozen=True, slots=True)
class RedemptionFlow:
    """What one programme owes one merchant for points spent there."""

    slug: str
    merchant_id: int
    fen: int


@dataclass(frozen=True, slots=True)
class Payment:
    """What one programme's agency would transfer to one merchant if the cycle closed now, after netting."""

    slug: str
    merchant_id: int
    fen: int


@dataclass(frozen=True, slots=True)
class Example:
    """One caught record: where it stood, and the reason its agency reads."""

    place: str
    reason: Words


@dataclass(frozen=True, slots=True)
class Caught:
    """One kind of dirt that never became points."""

    title: Words
    meaning: Words
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule that the auditor checked, in its own words."""

    name: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The auditor's verdict on the chain."""

    verdict: str
    events: int
    blocks: int
    block_hash: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Forgery:
    """The auditor's verdict on a copy of the chain in which one balance was overwritten."""

    verdict: str
    account: str
    programme: Words
    before_minor: int
    after_minor: int
    contradiction: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that proves itself, and what the verifier said about it."""

    title: Words
    order_id: str
    block: int
    block_hash: str
    fen: int
    file_name: str
    content: bytes
    qr: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Paid:
    """Points of one programme that paid for something."""

    programme: Words
    minor: int


@dataclass(frozen=True, slots=True)
class Slip:
    """The printed slip of a resident without a phone."""

    age: int
    title: Words
    merchant: Words
    desk: Words
    price_fen: int
    paid: tuple[Paid, ...]
    code: str
    qr: str
    before_minor: int
    after_minor: int


@dataclass(frozen=True, slots=True)
class HeldDeed:
    """One deed claimed in two programmes: the second claim waits for a person."""

    day: str
    first: Words
    second: Words
    first_minor: int
    reason: Words
    state: str


@dataclass(frozen=True, slots=True)
class Declarations:
    """Self-declared deeds that proved false later, and what was taken back."""

    programme: Words
    declared: int
    revoked: int
    taken_minor: int
    shortfall_minor: int

    @property
    def share_ppm(self) -> int:
        """Share of declarations revoked, in millionths."""
        return 0 if self.declared == 0 else self.revoked * 1_000_000 // self.declared


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket, its price and what it earned."""

    title: Words
    price_fen: int
    rate_percent: int
    granted_minor: int


@dataclass(frozen=True, slots=True)
class Culture:
    """Points for tickets, and the yearly cap at work."""

    tickets: tuple[Ticket, ...]
    cap_minor: int
    capped_records: int
    best_year_minor: int


@dataclass(frozen=True, slots=True)
class Ride:
    """Green points that became a museum ticket."""

    rides: int
    green_in_minor: int
    exchanged_minor: int
    exchanged_fen: int
    culture_minor: int
    ticket: Words
    ticket_fen: int
    paid_minor: int


@dataclass(frozen=True, slots=True)
class PageContent:
    """All that the page says."""

    first_day: str
    last_day: str
    seed: int
    chain_id: int
    residents: int
    programmes: tuple[Programme, ...]
    merchants: tuple[Merchant, ...]
    exchanges: tuple[ExchangeFlow, ...]
    redemptions: tuple[RedemptionFlow, ...]
    payments: tuple[Payment, ...]
    share_before_ppm: int
    share_after_ppm: int
    caught: tuple[Caught, ...]
    audit: Audit
    forgery: Forgery
    receipt: Receipt
    slip: Slip
    driver: HeldDeed
    declarations: Declarations
    culture: Culture
    ride: Ride

    @property
    def exchanged_fen(self) -> int:
        """The value of all exchanges."""
        return sum(flow.fen for flow in self.exchanges)

    @property
    def redeemed_fen(self) -> int:
        """The value that merchants have received, less refunds."""
        return sum(flow.fen for flow in self.redemptions)

    def programme(self, slug: str) -> Programme:
        """Return the programme of a slug. Raises LookupError for an unknown one."""
        for programme in self.programmes:
            if programme.slug == slug:
                return programme
        raise LookupError(slug)


def contradictions(page_content: PageContent) -> list[str]:
    """Return every contradiction between the page's figures; an empty list means that it may be rendered."""
    return [*_intake(page_content), *_movements(page_content), *_money(page_content), *_verdicts(page_content)]


def check(page_content: PageContent) -> PageContent:
    """Return the content. Raises ContradictoryFigures."""
    findings = contradictions(page_content)
    if findings:
        raise ContradictoryFigures(findings)
    return page_content


def _intake(page_content: PageContent) -> Iterator[str]:
    for programme in page_content.programmes:
        intake = programme.intake
        parts = intake.accepted + intake.refused + intake.awaiting_link + intake.held + intake.waiting
        if parts != intake.records:
            yield f"{programme.slug}: {intake.records} records, but their outcomes add up to {parts}"


def _movements(page_content: PageContent) -> Iterator[str]:
    for programme in page_content.programmes:
        movement = programme.movement
        if movement.came - movement.went != movement.outstanding:
            yield (
                f"{programme.slug}: {movement.came} minor units came and {movement.went} went,"
                f" but {movement.outstanding} are outstanding"
            )
        if programme.par_microfen == 0 and (movement.came != movement.granted or programme.position_fen):
            yield f"{programme.slug}: points without value were exchanged or cleared"


def _money(page_content: PageContent) -> Iterator[str]:
    positions = sum(p.position_fen for p in page_content.programmes) + sum(
        m.position_fen for m in page_content.merchants
    )
    if positions:
        yield f"positions add up to {positions} fen instead of 0"
    for programme in page_content.programmes:
        received = sum(flow.fen for flow in page_content.exchanges if flow.to_slug == programme.slug)
        owed = sum(flow.fen for flow in page_content.exchanges if flow.from_slug == programme.slug)
        spent = sum(flow.fen for flow in page_content.redemptions if flow.slug == programme.slug)
        if received - owed - spent != programme.position_fen:
            yield (
                f"{programme.slug}: its flows leave {received - owed - spent} fen,"
                f" its position is {programme.position_fen} fen"
            )
    for merchant in page_content.merchants:
        taken = sum(flow.fen for flow in page_content.redemptions if flow.merchant_id == merchant.merchant_id)
        if taken != merchant.position_fen:
            yield f"merchant {merchant.merchant_id}: took {taken} fen, its position is {merchant.position_fen} fen"
    for programme in page_content.programmes:
        pays = sum(payment.fen for payment in page_content.payments if payment.slug == programme.slug)
        if pays > max(0, -programme.position_fen):
            yield f"{programme.slug}: would pay {pays} fen, its position is {programme.position_fen} fen"
    for merchant in page_content.merchants:
        gets = sum(payment.fen for payment in page_content.payments if payment.merchant_id == merchant.merchant_id)
        if gets != merchant.position_fen:
            yield f"merchant {merchant.merchant_id}: would get {gets} fen, its position is {merchant.position_fen} fen"


def _verdicts(page_content: PageContent) -> Iterator[str]:
    if page_content.audit.verdict != "PASS":
        yield f"the auditor says {page_content.audit.verdict} on the chain"
    if page_content.forgery.verdict != "FAIL":
        yield f"the auditor says {page_content.forgery.verdict} on the forged copy"
