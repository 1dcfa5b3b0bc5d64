"""Gathers the page's figures from the auditor's report, the pipeline's counts and the catalogue."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ledger.audit.report import AuditReport
from ledger.clearing.netting import net
from ledger.deployment.file import Deployment
from ledger.standard.civil_time import day_text
from ledger.standard.ids import (
    MerchantId,
    ProgrammeId,
    ProgrammeSlug,
    merchant_participant,
    programme_participant,
    split_token_id,
)
from ledger.standard.value import to_value_down
from ledger.store.models.issuance import (
    IssuanceDeliveryRow,
    IssuanceRecordRow,
    IssuanceRefusalRow,
    IssuanceReviewRow,
)
from redemption.codes import QR_PREFIX, grouped
from redemption.offers import Offer
from scripts.demo import environment as days
from scripts.demo import figures, scenario
from scripts.demo.copies import Forged
from scripts.demo.environment import DemoStepFailed, Environment
from scripts.demo.figures import Price, Useful
from scripts.demo.page_content import (
    Audit,
    Caught,
    Check,
    Culture,
    Declarations,
    Example,
    ExchangeFlow,
    Forgery,
    HeldDeed,
    Intake,
    Merchant,
    Movement,
    PageContent,
    Paid,
    Payment,
    Programme,
    Reach,
    Receipt,
    RedemptionFlow,
    Ride,
    Slip,
    Words,
)
from scripts.demo.scenario import DeskVisit
from scripts.demo.scenario import Ride as Ridden
from tongdui.bootstrap import City

SOURCES = {
    "volunteer": Words("GB18030 编码的 CSV 和 Excel 表格", "CSV in GB18030 and Excel sheets"),
    "environmental": Words("JSON Lines 事件文件", "event files in JSON Lines"),
    "traffic": Words("投递目录里的 CSV，有的送了两次", "CSV in a drop folder, some delivered twice"),
    "culture": Words("分页的 REST 接口", "a paged REST API"),
    "residence": Words("XML 文件", "XML files"),
}
OWN_FIELDS: Mapping[str, Collection[str]] = {
    "volunteer": ("community",),
    "environmental": ("reuse",),
    "traffic": ("transport",),
    "culture": ("culture", "books"),
}
"""Before: in which kinds of shop a programme's points are good by themselves."""

DUPLICATES = ("duplicate_record", "superseded")
CAPPED = ("cap_reached",)
IMPOSSIBLE = (
    "negative_quantity",
    "quantity_too_large",
    "future_date",
    "ended_before_started",
    "hours_exceed_span",
    "deed_too_old",
)
EXAMPLES = 2


def own_shops(deployment: Deployment) -> dict[ProgrammeId, set[MerchantId]]:
    """Return the merchants of each programme's own field, by programme id."""
    return {
        programme.id: {
            merchant.id
            for merchant in deployment.merchants
            if set(merchant.scopes) & set(OWN_FIELDS.get(programme.slug, ()))
        }
        for programme in deployment.programmes
        if programme.par_microfen
    }


def all_offers(city: City) -> list[Offer]:
    """Return every offer in the catalogue."""
    with city.database.read() as session:
        return list(city.offers.page(session, merchant_id=None, after=None, limit=1_000, only_open=False))


def measure_reach(env: Environment) -> dict[ProgrammeId, Useful]:
    """Measure what points can buy, on the wallets as they are now; the first measurement is kept."""
    deployment = env.city.deployment
    prices = [Price(offer.merchant_id, offer.price_fen) for offer in all_offers(env.city)]
    pars = {programme.id: programme.par_microfen for programme in deployment.programmes}

    def measure(session: Session) -> dict[str, list[int]]:
        found = figures.useful_points(figures.read_wallets(session), pars, prices, own_shops(deployment))
        return {str(programme): [one.total, one.before, one.after] for programme, one in found.items()}

    return {ProgrammeId(int(programme)): Useful(*counts) for programme, counts in env.once("reach", measure).items()}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the scenario and the pipeline contribute to the page."""

    intake: Mapping[ProgrammeSlug, Intake]
    reach: Mapping[ProgrammeId, Useful]
    visit: DeskVisit
    ride: Ridden
    rides: int
    report: AuditReport
    positions: Mapping[int, int]
    """Fen by participant, as they were before the cycle was paid."""
    forged: Forged
    forged_account: str
    forged_token: int
    receipt: bytes
    receipt_verdict: str
    declarations: Declarations
    culture: Culture
    seed: int


def tell(env: Environment, inputs: Inputs) -> PageContent:
    """Assemble the page's content. Raises DemoStepFailed where a part of it did not happen."""
    city, deployment = env.city, env.city.deployment
    pars = {programme.id: programme.par_microfen for programme in deployment.programmes}
    slugs = {programme.id: programme.slug for programme in deployment.programmes}
    with city.database.read() as session:
        exchanges = figures.exchange_flows(session)
        redemptions = figures.redemption_flows(session, pars)
        caught = _caught(session)
        driver = _driver(env, session)
    worth = {
        part: sum(to_value_down(getattr(one, part), pars[programme]) for programme, one in inputs.reach.items())
        for part in ("total", "before", "after")
    }
    if not worth["total"]:
        raise DemoStepFailed("the measurement of reach", "no wallet holds points of value")
    return PageContent(
        first_day=days.FIRST_DAY.isoformat(),
        last_day=days.PAID_DAY.isoformat(),
        seed=inputs.seed,
        chain_id=deployment.chain_id,
        residents=len(env.citizens),
        programmes=tuple(_programme(deployment, programme.id, inputs) for programme in deployment.programmes),
        merchants=tuple(
            Merchant(
                merchant.id,
                Words(merchant.names.zh, merchant.names.en),
                inputs.positions.get(merchant_participant(merchant.id), 0),
            )
            for merchant in deployment.merchants
        ),
        exchanges=tuple(
            ExchangeFlow(slugs[source], slugs[target], fen) for (source, target), fen in sorted(exchanges.items())
        ),
        redemptions=tuple(
            RedemptionFlow(slugs[programme], merchant, fen)
            for (programme, merchant), fen in sorted(redemptions.items())
        ),
        payments=_payments(slugs, inputs.positions),
        share_before_ppm=worth["before"] * 1_000_000 // worth["total"],
        share_after_ppm=worth["after"] * 1_000_000 // worth["total"],
        caught=caught,
        audit=Audit(
            inputs.report.verdict,
            inputs.report.events,
            inputs.report.blocks,
            inputs.report.block_hash,
            tuple(Check(text) for text in inputs.report.checks),
        ),
        forgery=_forgery(deployment, inputs),
        receipt=_receipt(inputs),
        slip=_slip(env, inputs.visit),
        driver=driver,
        declarations=inputs.declarations,
        culture=inputs.culture,
        ride=_ride(env, inputs),
    )


def _payments(slugs: Mapping[ProgrammeId, ProgrammeSlug], positions: Mapping[int, int]) -> tuple[Payment, ...]:
    """Say who paid whom, by the published formula."""
    return tuple(Payment(slugs[one.programme], one.merchant, one.fen) for one in net(positions))


def _programme(deployment: Deployment, identifier: ProgrammeId, inputs: Inputs) -> Programme:
    listed = deployment.programme(identifier)
    found = inputs.report.programmes[listed.slug]
    useful = inputs.reach.get(identifier)
    reach = None
    if listed.par_microfen:
        total = useful.total if useful else 0
        reach = Reach(
            shops_before=len(own_shops(deployment)[identifier]),
            shops_after=len(deployment.merchants),
            share_before_ppm=useful.before * 1_000_000 // total if useful and total else 0,
            share_after_ppm=useful.after * 1_000_000 // total if useful and total else 0,
        )
    return Programme(
        programme_id=identifier,
        slug=listed.slug,
        name=Words(listed.names.zh, listed.names.en),
        source=Words(f"{listed.names.zh}：{SOURCES[listed.slug].zh}", f"{listed.names.en}: {SOURCES[listed.slug].en}"),
        par_microfen=listed.par_microfen,
        intake=inputs.intake[listed.slug],
        movement=Movement(
            granted=found.minted,
            exchanged_in=found.exchanged_in,
            refunded=found.refunded,
            exchanged_out=found.exchanged_out,
            redeemed=found.redeemed,
            revoked=found.revoked,
            expired=found.expired,
            outstanding=found.outstanding,
        ),
        position_fen=inputs.positions.get(programme_participant(identifier), 0),
        appropriated_fen=found.appropriated_fen,
        liability_fen=to_value_down(found.outstanding, listed.par_microfen),
        reach=reach,
    )


def _caught(session: Session) -> tuple[Caught, ...]:
    """Sort every refusal into one kind, so that the kinds add up to what the pipeline refused."""
    counts = dict(
        session.execute(select(IssuanceRefusalRow.code, func.count()).group_by(IssuanceRefusalRow.code)).tuples().all()
    )
    doubles = int(session.scalar(select(func.count()).where(IssuanceReviewRow.screen == "double_claim")) or 0)
    resent = int(session.scalar(select(func.sum(IssuanceDeliveryRow.repeats))) or 0)
    other = tuple(sorted(set(counts) - {*DUPLICATES, *CAPPED, *IMPOSSIBLE}))

    def kind(codes: Sequence[str], title: Words, meaning: Words) -> Caught:
        return Caught(title, meaning, sum(counts.get(code, 0) for code in codes), _examples(session, codes))

    return (
        kind(
            DUPLICATES,
            Words("重复的记录", "Duplicates"),
            Words("同一条记录又送来一次：只算一次。", "The same record came again. It counts once."),
        ),
        Caught(
            Words("整份重送的文件", "Files sent twice"),
            Words("一模一样的文件再送一次，没有任何影响。", "The very same file, sent again, changes nothing."),
            resent,
            (),
        ),
        Caught(
            Words("一事两报", "The same deed, claimed twice"),
            Words(
                "同一天的同一件事，在两个项目里申报：第二次先冻住，等人复核。",
                "One deed of one day, claimed in two programmes: the second claim waits for a person.",
            ),
            doubles,
            _held_examples(session),
        ),
        kind(
            CAPPED,
            Words("超过上限", "Over the cap"),
            Words("已经拿满的，不再发。", "Who has reached the cap gets no more."),
        ),
        kind(
            IMPOSSIBLE,
            Words("不可能的记录", "Impossible"),
            Words(
                "负数、未来的日期、比活动还长的时长。",
                "Negative amounts, days in the future, more hours than the deed took.",
            ),
        ),
        kind(
            other,
            Words("读不懂或缺项", "Unreadable or incomplete"),
            Words(
                "写明文件、行、字段和原因，退回部门改正后可以重交。",
                "Returned with file, line, field and reason; mended, it can be sent again.",
            ),
        ),
    )


def _examples(session: Session, codes: Collection[str]) -> tuple[Example, ...]:
    """Return the first refusals of different codes, then of different files."""
    query = (
        select(IssuanceRefusalRow, IssuanceDeliveryRow.name)
        .join(IssuanceDeliveryRow, IssuanceDeliveryRow.delivery_id == IssuanceRefusalRow.delivery_id)
        .where(IssuanceRefusalRow.code.in_(codes))
        .order_by(IssuanceRefusalRow.refusal_id)
    )
    chosen: dict[str, Example] = {}
    for row, name in session.execute(query).tuples():
        if row.code not in chosen and len(chosen) < EXAMPLES:
            at = f"{name} : {row.line if row.line is not None else row.row_number}"
            place = f"{at} · {row.field}" if row.field else at
            chosen[row.code] = Example(place, Words(row.reason_zh, row.reason_en))
    return tuple(chosen.values())


def _held_examples(session: Session) -> tuple[Example, ...]:
    query = (
        select(IssuanceReviewRow, IssuanceDeliveryRow.name, IssuanceRecordRow.row_number)
        .join(IssuanceRecordRow, IssuanceRecordRow.record_id == IssuanceReviewRow.record_id)
        .join(IssuanceDeliveryRow, IssuanceDeliveryRow.delivery_id == IssuanceRecordRow.delivery_id)
        .where(IssuanceReviewRow.screen == "double_claim")
        .order_by(IssuanceReviewRow.review_id)
        .limit(1)
    )
    return tuple(
        Example(f"{name} : {row_number}", Words(review.reason_zh, review.reason_en))
        for review, name, row_number in session.execute(query).tuples()
    )


def _driver(env: Environment, session: Session) -> HeldDeed:
    """Find the driver's day that was claimed twice: one claim granted, the other held."""
    resident = env.citizens[scenario.DRIVER].resident.resident_id
    found = (
        session.execute(
            select(IssuanceReviewRow, IssuanceRecordRow)
            .join(IssuanceRecordRow, IssuanceRecordRow.record_id == IssuanceReviewRow.record_id)
            .where(IssuanceReviewRow.screen == "double_claim", IssuanceRecordRow.resident_id == resident)
            .order_by(IssuanceReviewRow.review_id)
        )
        .tuples()
        .first()
    )
    if found is None:
        raise DemoStepFailed("the driver's car-free day", "no claim of the driver is held for review")
    review, second = found
    first = session.get(IssuanceRecordRow, review.other_record_id)
    if first is None:
        raise DemoStepFailed("the driver's car-free day", "the first claim is missing")
    deployment = env.city.deployment

    def words(programme: int, zh: str, en: str) -> Words:
        names = deployment.programme(programme).names
        return Words(f"{names.zh}：{zh}", f"{names.en}: {en}")

    titles = {
        scenario.TRAFFIC: ("无车日", "a car-free day"),
        scenario.ENVIRONMENTAL: ("绿色出行", "a green trip"),
    }
    return HeldDeed(
        day=day_text(second.deed_day),
        first=words(first.programme, *titles[first.programme]),
        second=words(second.programme, *titles[second.programme]),
        first_minor=first.granted_minor,
        reason=Words(review.reason_zh, review.reason_en),
        state=review.state,
    )


def _forgery(deployment: Deployment, inputs: Inputs) -> Forgery:
    found = inputs.forged.report.contradiction
    names = deployment.programme(split_token_id(inputs.forged_token)[0]).names
    return Forgery(
        verdict=inputs.forged.report.verdict,
        account=inputs.forged_account,
        programme=Words(names.zh, names.en),
        before_minor=inputs.forged.before,
        after_minor=inputs.forged.after,
        contradiction=""
        if found is None
        else f"{found.what}\n{found.where}\nexpected {found.expected}\nfound    {found.found}",
    )


def _receipt(inputs: Inputs) -> Receipt:
    content = json.loads(inputs.receipt)
    return Receipt(
        title=Words("兑付：特展门票", "Redeemed: a special exhibition ticket"),
        order_id=inputs.ride.order_id,
        block=int(content["block"]["number"]),
        block_hash=str(content["block"]["hash"]),
        fen=int(content["event"]["args"]["fen"]),
        file_name="receipt.json",
        content=inputs.receipt,
        qr=f"TONGDUI-RECEIPT:{inputs.ride.order_id}:{content['block']['hash']}",
        verdict=inputs.receipt_verdict,
    )


def _slip(env: Environment, visit: DeskVisit) -> Slip:
    city = env.city
    with city.database.read() as session:
        offer = city.offers.get(session, scenario.RICE)
        merchant = city.merchants.get(session, offer.merchant_id)
    born = env.citizens[scenario.ELDER].person.birth_year
    return Slip(
        age=days.DESK_DAY.year - born,
        title=Words(offer.title_zh, offer.title_en),
        merchant=Words(merchant.name_zh, merchant.name_en),
        desk=Words("玉林社区服务台", "Yulin community desk"),
        price_fen=offer.price_fen,
        paid=tuple(
            Paid(Words(city.deployment.programme(p).names.zh, city.deployment.programme(p).names.en), minor)
            for p, minor in visit.paid
        ),
        code=grouped(visit.code),
        qr=QR_PREFIX + visit.code,
        before_minor=visit.before,
        after_minor=visit.after,
    )


def _ride(env: Environment, inputs: Inputs) -> Ride:
    with env.city.database.read() as session:
        offer = env.city.offers.get(session, scenario.TICKET)
    return Ride(
        rides=inputs.rides,
        green_in_minor=inputs.ride.green_before,
        exchanged_minor=inputs.ride.exchanged,
        exchanged_fen=inputs.ride.exchanged_fen,
        culture_minor=inputs.ride.received,
        ticket=Words(offer.title_zh, offer.title_en),
        ticket_fen=offer.price_fen,
        paid_minor=inputs.ride.paid,
    )
