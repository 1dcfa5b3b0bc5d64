"""The demo from beginning to end: scenario, audit, forgery, receipt, page, and a summary of the auditor's figures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from datetime import time as day_time
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select

from ledger.audit.auditor import audit
from ledger.audit.report import AuditReport
from ledger.chain.embedded.proxy import Proxy
from ledger.clock import ManualClock
from ledger.deployment import artifacts
from ledger.errors import InvariantViolation
from ledger.standard.amounts import points_text, yuan_text
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import ProgrammeSlug, address_bytes, split_token_id
from ledger.store.models.projection import BalanceRow
from scripts.demo import environment as days
from scripts.demo import institutions, scenario
from scripts.demo.copies import Expired, Forged, expire_and_audit, forge_and_audit
from scripts.demo.environment import DemoStepFailed, Environment
from scripts.demo.gather import Inputs, all_offers, measure_reach, tell
from scripts.demo.http import front_door
from scripts.demo.institutions import Institutions
from scripts.demo.intake import IntakeDesk
from scripts.demo.page import render
from scripts.demo.page_content import Intake, PageContent
from scripts.demo.place import Sizes, cross_check, demo_settings, keep_receipt, remember_sizes, samples_of, write
from scripts.demo.poster import poster
from tongdui.api import STORY_FILE
from tongdui.bootstrap import City, open_city
from tongdui.cli.console import Output, UsageError
from tongdui.clock import let_time_run

GIFT_MINOR = 100_000
"""What the forger gives: 1,000 points."""


def run(state_dir: Path, sizes: Sizes, output: Output) -> dict[str, Any]:
    """Run the demo in ``state_dir``, from where an earlier run left it, and return its summary.

    Raises UsageError for a state directory of another size or seed, ContradictoryFigures or InvariantViolation where
    parts contradict each other, and what the parts raise.
    """
    started = time.monotonic()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    remember_sizes(state_dir, sizes)
    with output.bars() as bars:
        samples = samples_of(state_dir, sizes, bars)
        clock = ManualClock(datetime.combine(days.FIRST_DAY, day_time(8), CITY_TZ))
        with open_city(
            demo_settings(state_dir), clock, config=institutions.demo_city(), progress=bars.hook("chain")
        ) as city:
            _require_same_contracts(city)
            env = Environment(city, clock, samples, bars)
            page_content, intake, report, acts, expired = _play(env, state_dir, sizes)
            _name_people(env, state_dir)
        let_time_run(state_dir, clock.now())
    page = state_dir / "page.html"
    write(page, render(page_content).encode())
    write(state_dir / "poster.svg", poster(page_content).encode())
    summary = _summary(page_content, intake, report, page, time.monotonic() - started) | {
        "institutions": asdict(acts),
        "expired_fen": expired.treasury_fen,
    }
    _show(output, page_content, summary, state_dir)
    return summary


def _play(
    env: Environment, state_dir: Path, sizes: Sizes
) -> tuple[PageContent, Mapping[ProgrammeSlug, Intake], AuditReport, Institutions, Expired]:
    city = env.city
    scenario.register(env, {programme.slug: programme.id for programme in city.deployment.programmes})
    desk = IntakeDesk(env, city.issuers)
    desk.deliver()
    with front_door(city) as door:
        waited = institutions.wait_for_funding(env, door)
    reach = measure_reach(env)
    price = next(offer.price_fen for offer in all_offers(city) if offer.offer_id == scenario.TICKET)
    with front_door(city) as door:
        visit = scenario.visit_desk(env, door)
        ride = scenario.ride_to_museum(env, door, price)
    scenario.exchange_crowd(env)
    scenario.spend_crowd(env)
    institutions.reserve(env)
    held_fen, captured_fen = institutions.collect_two_of_three(env)
    with front_door(city) as door:
        returned = scenario.bring_back(env, door)
    disputed_fen, refunded_fen = institutions.dispute(env, returned)
    declarations = desk.revoke_false()
    cycle = institutions.clear(env)
    acts = Institutions(
        waited,
        held_fen,
        captured_fen,
        disputed_fen,
        refunded_fen,
        cycle.cycle,
        cycle.total_fen,
        cycle.funded_fen,
        cycle.paid_fen,
        cycle.merchants,
    )
    intake = desk.counts()
    report = _audit(env)
    cross_check(desk, report)
    account = scenario.account_of(env, scenario.ELDER)
    token = _lot_of(city, account)
    forged = _forge(env, state_dir, token)
    expired = _expire(env, state_dir, token)
    receipt, verdict = keep_receipt(city, ride.order_id, state_dir)
    inputs = Inputs(
        intake=intake,
        reach=reach,
        visit=visit,
        ride=ride,
        rides=desk.rides_of(scenario.RIDER),
        report=report,
        positions=institutions.positions_before_cycle(env),
        forged=forged,
        forged_account=account,
        forged_token=token,
        receipt=receipt,
        receipt_verdict=verdict,
        declarations=declarations,
        culture=desk.culture(),
        seed=sizes.seed,
    )
    return tell(env, inputs), intake, report, acts, expired


def _name_people(env: Environment, state_dir: Path) -> None:
    """Name the people in the city's folder, once: its pages sign one in as them, on this machine alone."""
    path = state_dir / STORY_FILE
    if not path.exists():
        write(path, orjson.dumps([asdict(one) for one in scenario.make_logins(env)]))
        path.chmod(0o600)


def _audit(env: Environment) -> AuditReport:
    """Audit through the window that auditors use, evidence leaves included."""
    with Proxy(env.city.engine) as window:
        leaves = [env.city.settings.state_dir / "leaves"]
        report = audit(window.url, env.city.deployment, None, env.bars.hook("audit"), leaves)
    if not report.ok:
        found = report.contradiction
        raise InvariantViolation(f"the audit of the demo's own chain failed: {found}")
    env.bars.done("audit", f"{report.verdict}, {report.events} events in {report.blocks} blocks")
    return report


def _lot_of(city: City, account: str) -> int:
    """Return the volunteer lot of an account that holds most."""
    with city.database.read() as session:
        rows = session.execute(
            select(BalanceRow.token_id, BalanceRow.amount_minor).where(BalanceRow.account == address_bytes(account))
        ).tuples()
        held = [(amount, token) for token, amount in rows if split_token_id(token)[0] == scenario.VOLUNTEER]
    if not held:
        raise DemoStepFailed("the forgery", "the account holds no volunteer points")
    return max(held)[1]


def _forge(env: Environment, state_dir: Path, token: int) -> Forged:
    city, account = env.city, scenario.account_of(env, scenario.ELDER)
    forged = forge_and_audit(state_dir / "chain", city.deployment, env.clock, account, token, GIFT_MINOR)
    if forged.report.ok or forged.report.contradiction is None:
        raise InvariantViolation("the auditor did not see a forged balance")
    env.bars.done("audit of the forged copy", f"{forged.report.verdict}: {forged.report.contradiction.what}")
    return forged


def _expire(env: Environment, state_dir: Path, token: int) -> Expired:
    account = scenario.account_of(env, scenario.ELDER)
    expired = expire_and_audit(state_dir / "chain", state_dir / "leaves", env.city.deployment, account, token)
    if not expired.report.ok:
        raise InvariantViolation(f"the audit of the chain a year later failed: {expired.report.contradiction}")
    env.bars.done("audit of the copy on the day after expiry", f"{expired.report.verdict}: {expired.day}")
    return expired


def _require_same_contracts(city: City) -> None:
    """Refuse a city that another version of the contracts deployed: this one could not audit it. Raises UsageError."""
    height = city.engine.final_height()
    for name, contract in city.deployment.contracts.items():
        code = bytes.fromhex(city.engine.rpc.call("eth_getCode", [contract.address, hex(height)])[2:])
        artifact = artifacts.load(name)
        if artifact.without_immutables(code) != artifact.deployed_bytecode:
            folder = city.settings.state_dir
            raise UsageError(
                f"{folder} holds a city whose {name} is of another version; remove it, or name another --state-dir"
            )


# The summary ------------------------------------------------------------------------------------------------------


def _summary(
    page_content: PageContent, intake: Mapping[ProgrammeSlug, Intake], report: AuditReport, page: Path, seconds: float
) -> dict[str, Any]:
    return {
        "ok": True,
        "programmes": {
            slug: {
                **asdict(counts),
                "minted_minor": report.programmes[slug].minted,
                "outstanding_minor": report.programmes[slug].outstanding,
            }
            for slug, counts in intake.items()
        },
        "exchanged_fen": report.exchanged_fen,
        "redeemed_fen": report.redeemed_fen - report.refunded_fen,
        "positions_sum_fen": report.positions_sum_fen,
        "audit": {"verdict": page_content.audit.verdict, "events": report.events, "blocks": report.blocks},
        "page": str(page),
        "seconds": round(seconds, 1),
    }


def _show(output: Output, page_content: PageContent, summary: Mapping[str, Any], state_dir: Path) -> None:
    columns = ["programme", "records", "accepted", "refused", "unlinked", "held", "granted", "left"]
    rows = []
    for programme in page_content.programmes:
        counts, movement = programme.intake, programme.movement
        rows.append(
            (
                programme.slug,
                counts.records,
                counts.accepted,
                counts.refused,
                counts.awaiting_link,
                counts.held,
                points_text(movement.granted),
                points_text(movement.outstanding),
            )
        )
    output.table("通兑 Tongdui", columns, rows)
    output.say(
        f"exchanged {yuan_text(summary['exchanged_fen'])} yuan, redeemed {yuan_text(summary['redeemed_fen'])} yuan;"
        f" positions add up to {summary['positions_sum_fen']}"
    )
    acts = summary["institutions"]
    output.say(
        f"held {yuan_text(acts['held_fen'])} yuan, of which {yuan_text(acts['captured_fen'])} captured; a dispute gave"
        f" back {yuan_text(acts['refunded_fen'])}; cycle {acts['cycle']} paid {yuan_text(acts['paid_fen'])} yuan to"
        f" {acts['merchants_paid']} shops; {yuan_text(summary['expired_fen'])} yuan expire to the treasury"
    )
    output.say(f"audit: {page_content.audit.verdict}; forged copy: {page_content.forgery.verdict}", style="bold green")
    output.say(f"page: {Path(summary['page']).resolve()}")
    output.say(f"receipt: tongdui verify {state_dir / 'receipt.json'} --deployment {state_dir / 'deployment.json'}")
    output.say(f"{summary['seconds']} s; run it again: nothing is minted twice")
    output.say(f"its pages: {opening(state_dir)}", style="bold")


def opening(state_dir: Path) -> str:
    """Return the one command that opens a city's pages from a checkout; it says where to look."""
    return f'make serve ARGS="--state-dir {state_dir}"'
