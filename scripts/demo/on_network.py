"""The demo's story on a network's nodes: what does not need days to pass, at the wall clock's time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ledger.audit.auditor import audit
from ledger.clock import SystemClock
from ledger.errors import InvariantViolation
from scripts.demo import institutions, scenario
from scripts.demo.environment import Environment
from scripts.demo.gather import all_offers
from scripts.demo.http import front_door
from scripts.demo.intake import IntakeDesk
from scripts.demo.place import Sizes, cross_check, demo_settings, keep_receipt, remember_sizes, samples_of
from tongdui.bootstrap import City, open_city
from tongdui.cli.console import Output

LEFT_OUT = (
    "money that is appropriated a day after it was announced, a dispute, a cycle: nobody sets a network's clock",
    "an expired lot and a forged balance: they are shown on copies of the embedded chain",
    "the page: it tells of all of these",
)


def run_on_network(state_dir: Path, rpc: str, sizes: Sizes, output: Output) -> dict[str, Any]:
    """Run the story on the nodes in ``rpc`` (with commas between them), from where an earlier run left it.

    A city of its own is deployed there. Raises as `scripts.demo.run.run` does, and InvariantViolation where the audit
    of the nodes' chain does not pass.
    """
    started = time.monotonic()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    remember_sizes(state_dir, sizes)
    with output.bars() as bars:
        samples = samples_of(state_dir, sizes, bars)
        with open_city(demo_settings(state_dir, rpc), SystemClock(), progress=bars.hook("chain")) as city:
            found = _play(Environment(city, city.clock, samples, bars), state_dir)
    for one in LEFT_OUT:
        output.say(f"left out on a network: {one}")
    output.say(f"audit: {found['audit']['verdict']}", style="bold green")
    return found | {"left_out": list(LEFT_OUT), "seconds": round(time.monotonic() - started, 1)}


def _play(env: Environment, state_dir: Path) -> dict[str, Any]:
    city = env.city
    scenario.register(env, {programme.slug: programme.id for programme in city.deployment.programmes})
    desk = IntakeDesk(env, city.issuers)
    desk.deliver()
    price = next(offer.price_fen for offer in all_offers(city) if offer.offer_id == scenario.TICKET)
    with front_door(city) as door:
        scenario.visit_desk(env, door)
        ride = scenario.ride_to_museum(env, door, price)
    scenario.exchange_crowd(env)
    scenario.spend_crowd(env)
    institutions.reserve(env)
    held_fen, captured_fen = institutions.collect_two_of_three(env)
    with front_door(city) as door:
        scenario.bring_back(env, door)
    desk.revoke_false()
    report = audit(city.settings.rpc_urls[0], city.deployment, None, env.bars.hook("audit"), _leaves(city))
    if not report.ok:
        raise InvariantViolation(f"the audit of the network's chain failed: {report.contradiction}")
    cross_check(desk, report)
    keep_receipt(city, ride.order_id, state_dir)
    programmes: Mapping[str, Any] = {
        slug: {**asdict(counts), "minted_minor": report.programmes[slug].minted}
        for slug, counts in desk.counts().items()
    }
    return {
        "ok": True,
        "programmes": programmes,
        "exchanged_fen": report.exchanged_fen,
        "redeemed_fen": report.redeemed_fen - report.refunded_fen,
        "held_fen": held_fen,
        "captured_fen": captured_fen,
        "positions_sum_fen": report.positions_sum_fen,
        "audit": {"verdict": report.verdict, "events": report.events, "blocks": report.blocks},
    }


def _leaves(city: City) -> list[Path]:
    return [city.settings.state_dir / "leaves"]
