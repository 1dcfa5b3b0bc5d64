"""The rule of eligibility beside the real contracts, through the life of programmes, quarters and merchants.

At each moment one block takes an order for every lot and merchant, and for every lot and target of an exchange: each is
accepted, or rejected with the code that the rule names. The rule reads the projection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from ledger.chain.rpc import RpcError
from ledger.deployment import artifacts
from ledger.deployment.contracts import read
from ledger.gateway import Gateway
from ledger.orders import nonces
from ledger.orders.eligibility import Refusal, Terms
from ledger.orders.errors import InsufficientPoints, MerchantUnknown, OrdersPaused, ProgrammeForbids
from ledger.orders.terms import load_merchant, load_terms
from ledger.standard import packed
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import (
    CLOSED_AFTER_SPENDING_S,
    FREEZE_S,
    GRACE_S,
    SPENDING_AFTER_CLOSING_S,
    ProgrammeFlag,
    ProgrammeState,
    Verdict,
)
from ledger.standard.ids import ZERO_ADDRESS, ProgrammeId, TokenId, split_token_id, token_id
from ledger.standard.quarters import quarter_end_timestamp
from ledger.standard.typed_data import ExchangeOrder, Lot, RedeemOrder
from ledger.store.database import Database
from tests.empty_books import empty_books
from tests.integration.ledger.audit.lab import Lab, key

VOLUNTEER, ENVIRONMENTAL, CULTURE, SCORE = 1, 2, 4, 5
BOOKS_ONLY, ONE_WAY, NO_PROGRAMME = 7, 8, 99
GROCER, BOOKSHOP, GYM, CAFE, NO_MERCHANT = 1, 6, 7, 8, 999
MERCHANTS = (GROCER, BOOKSHOP, GYM, CAFE, NO_MERCHANT)
BOOKS, HEALTH = 1 << 4, 1 << 5
TARGETS = (VOLUNTEER, ENVIRONMENTAL, CULTURE, SCORE, BOOKS_ONLY, ONE_WAY, NO_PROGRAMME)
AMOUNT = 200
HOLD_DAYS = 10
ORDERS_A_CALL = 40


@dataclass
class Town:
    """A city, a projection of it, and a resident who has every lot."""

    lab: Lab
    database: Database
    gateway: Gateway
    lots: list[TokenId]
    _nonces: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def now(self) -> int:
        return self.lab.clock.timestamp()

    def terms(self) -> Terms:
        self.gateway.indexer.run_until_idle()
        with self.database.read() as session:
            return load_terms(session)

    def go_to(self, timestamp: int) -> None:
        """Let the next block have this time."""
        self.lab.clock.set(datetime.fromtimestamp(timestamp - 1, UTC))

    def verdicts(
        self,
    ) -> tuple[dict[tuple[int, int], Verdict], dict[tuple[int, int], Verdict], dict[int, Verdict]]:
        """Make one block of an order for each (lot, merchant) and (lot, target), and of a hold for each lot; return the
        chain's verdicts."""
        holder = self.lab.residents[0]
        payments = {
            (lot, merchant): self.lab.redeem_order(holder, merchant, [(lot, AMOUNT)], self._nonce(lot))
            for lot in self.lots
            for merchant in MERCHANTS
        }
        exchanges = {
            (lot, target): self.lab.exchange_order(holder, lot, AMOUNT, target, self._nonce(lot))
            for lot in self.lots
            for target in TARGETS
        }
        holds = {
            lot: self.lab.hold_order(holder, GROCER, [(lot, AMOUNT)], self._nonce(lot), HOLD_DAYS) for lot in self.lots
        }
        for hold_order in holds.values():
            self.lab.hold(holder, hold_order)
        for redeem_orders in batched(payments.values()):
            self.lab.redeem(*[(holder, order) for order in redeem_orders])
        for exchange_orders in batched(exchanges.values()):
            self.lab.exchange(*[(holder, order) for order in exchange_orders])
        found = self._outcomes()
        domain = self.lab.deployment.domain()
        return (
            {place: found[order.digest(domain)] for place, order in payments.items()},
            {place: found[order.digest(domain)] for place, order in exchanges.items()},
            {lot: found[order.digest(domain)] for lot, order in holds.items()},
        )

    def is_dead(self, lot: int) -> bool:
        height = self.gateway.indexer.cursor().block_number
        return bool(read(self.lab.contracts["PointsLedger"].functions.isDead(lot), height))

    def _nonce(self, lot: int) -> int:
        word = nonces.word_of(lot)
        self._nonces[word] += 1
        return self._nonces[word] - 1

    def _outcomes(self) -> dict[bytes, Verdict]:
        rejected = "0x" + artifacts.event_topic("Redemption", "Rejected").hex()
        accepted = {
            "0x" + artifacts.event_topic(module, name).hex()
            for module, name in (("Redemption", "Redeemed"), ("Redemption", "Held"), ("Exchange", "Exchanged"))
        }
        found = {}
        for receipt in self.lab.mine():
            for log in receipt["logs"]:
                order_id = bytes.fromhex(log["topics"][1][2:])
                if log["topics"][0] == rejected:
                    found[order_id] = Verdict(int(log["data"], 16))
                elif log["topics"][0] in accepted:
                    found[order_id] = Verdict.ACCEPTED
        return found


Order = TypeVar("Order", RedeemOrder, ExchangeOrder)


def batched(orders: Iterable[Order]) -> Iterator[list[Order]]:
    """Yield what fits into a call."""
    waiting = list(orders)
    for start in range(0, len(waiting), ORDERS_A_CALL):
        yield waiting[start : start + ORDERS_A_CALL]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    lab = Lab.open(tmp_path / "chain", residents=1)
    database = empty_books(tmp_path / "desk.sqlite3")
    gateway = Gateway(database, lab.engine, lab.deployment, [key("relayer of the town")], lab.clock)
    try:
        yield Town(lab, database, gateway, _found(lab))
    finally:
        gateway.stop()
        database.close()
        lab.close()


def _found(lab: Lab) -> list[TokenId]:
    """Register two more programmes, mint every lot, and return all lots: those of no programme too."""
    flags = {
        BOOKS_ONLY: ProgrammeFlag.REDEEMABLE | ProgrammeFlag.EXCHANGEABLE_IN,
        ONE_WAY: ProgrammeFlag.EXCHANGEABLE_OUT | ProgrammeFlag.TRANSFERABLE,
    }
    for programme, bits in flags.items():
        scope = (BOOKS if programme == BOOKS_ONLY else 0).to_bytes(32, "big")
        issuer = key(f"issuer {programme}").address
        terms = (programme, 10_000_000, int(bits), scope, issuer, f"Programme {programme}", "PRO")
        lab.decide("PointsLedger", "registerProgramme", terms)
        appropriation = (programme, 2026, 10_000_000, b"\x07" * 32)
        lab.announced("ClearingBook", "recordAppropriation", appropriation, key("finance"))
    quarters = (lab.quarter, lab.quarter + 1, lab.quarter + 8)
    minted = [
        token_id(programme, quarter)
        for programme in (VOLUNTEER, ENVIRONMENTAL, CULTURE, BOOKS_ONLY, ONE_WAY)
        for quarter in quarters
    ]
    holder = lab.residents[0].address
    for number, lot in enumerate(minted, 1):
        programme, quarter = split_token_id(lot)
        lab.mint(programme, number, [(holder, 40_000)], quarter)
        lab.mine()
    return [*minted, token_id(SCORE, 0), token_id(NO_PROGRAMME, quarters[-1])]


def compare(town: Town) -> set[Refusal]:
    """Compare the rule with what the next block and the gateway do; return the reasons for refusals."""
    at = town.now + 1
    terms = town.terms()
    with town.database.read() as session:
        merchants = {merchant: load_merchant(session, merchant) for merchant in MERCHANTS}
    refused = {
        (lot, merchant): None if found is None else found.refusal
        for lot, merchant in _pairs(town, MERCHANTS)
        for found in [terms.refuses_payment([lot], merchants[merchant], at)]
    }
    not_exchanged = {
        (lot, target): terms.refuses_exchange(split_token_id(lot)[0], target, at, token_id=lot)
        for lot, target in _pairs(town, TARGETS)
    }
    capture_by = town.now + HOLD_DAYS * DAY_S
    not_held = {
        lot: None if found is None else found.refusal
        for lot in town.lots
        for found in [terms.refuses_payment([lot], merchants[GROCER], at, capture_by)]
    }
    payments, exchanges, holds = town.verdicts()
    assert town.now == at
    assert holds == {lot: _verdict(refusal) for lot, refusal in not_held.items()}
    assert payments == {place: _verdict(refusal) for place, refusal in refused.items()}
    assert exchanges == {place: _verdict(refusal) for place, refusal in not_exchanged.items()}
    town.terms()
    assert [terms.is_dead(lot, at) for lot in town.lots] == [town.is_dead(lot) for lot in town.lots]
    desk_signs(town, {place for place, refusal in refused.items() if refusal is None})
    desk_quotes(town, {place for place, refusal in not_exchanged.items() if refusal is None})
    assert town.gateway.check_projection().is_equal
    seen = (*refused.values(), *not_exchanged.values(), *not_held.values())
    return {refusal for refusal in seen if refusal is not None}


def desk_signs(town: Town, accepted: set[tuple[int, int]]) -> None:
    """The gateway signs exactly the orders that the chain would accept, and shows as spendable what lives."""
    holder = town.lab.residents[0]
    desk = town.gateway.desk
    with town.database.transaction() as session:
        for lot, merchant in _pairs(town, MERCHANTS):
            try:
                desk.place_redeem(session, holder, merchant, lots=[Lot(lot, AMOUNT)])
            except (ProgrammeForbids, MerchantUnknown):
                assert (lot, merchant) not in accepted
            else:
                assert (lot, merchant) in accepted
        session.rollback()
    with town.database.read() as session:
        spendable = {lot.token_id for lot in desk.spendable(session, holder.address)}
    assert spendable == {lot for lot in town.lots[:-2] if not town.is_dead(lot)}


def desk_quotes(town: Town, accepted: set[tuple[int, int]]) -> None:
    """The gateway quotes an exchange if the chain would accept one of its lots."""
    holder = town.lab.residents[0].address
    programmes = {split_token_id(lot)[0] for lot in town.lots}
    possible = {(split_token_id(lot)[0], target) for lot, target in accepted}
    with town.database.read() as session:
        for source in programmes:
            for target in TARGETS:
                try:
                    town.gateway.desk.quote_exchange(session, holder, source, target, AMOUNT)
                except (ProgrammeForbids, InsufficientPoints):
                    assert (source, target) not in possible
                else:
                    assert (source, target) in possible


def _pairs(town: Town, others: tuple[int, ...]) -> list[tuple[TokenId, int]]:
    return [(lot, other) for lot in town.lots for other in others]


def _verdict(refusal: Refusal | None) -> Verdict:
    if refusal is None:
        return Verdict.ACCEPTED
    assert refusal.verdict is not None
    return refusal.verdict


def test_the_rule_is_the_chains_through_time(town: Town) -> None:
    lab = town.lab
    first_quarter = lab.quarter
    seen = compare(town)

    bookshop = (BOOKSHOP, key(f"merchant {BOOKSHOP}").address, HEALTH.to_bytes(32, "big"))
    gym = (GYM, key(f"merchant {GYM}").address, (HEALTH | BOOKS).to_bytes(32, "big"))
    for merchant in (bookshop, gym, (CAFE, ZERO_ADDRESS, bytes(32))):
        lab.announced("ClearingBook", "registerMerchant", merchant, key("registrar"))
    seen |= compare(town)

    lab.call("PointsLedger", "freeze", (CULTURE,), sender=key("guardian"))
    lab.mine()
    thawed = town.now + FREEZE_S
    assert town.terms().programmes[ProgrammeId(CULTURE)].frozen_until == thawed
    for moment in (town.now, thawed - 1, thawed):
        town.go_to(moment)
        seen |= compare(town)

    lab.decide("PointsLedger", "setState", (VOLUNTEER, ProgrammeState.CLOSING.value))
    until = town.now + SPENDING_AFTER_CLOSING_S
    assert town.terms().programmes[ProgrammeId(VOLUNTEER)].spendable_until == until
    seen |= compare(town)

    promised = quarter_end_timestamp(first_quarter)
    for end in (promised - HOLD_DAYS * DAY_S, promised, promised + GRACE_S, until):
        for moment in (end - 1, end, end + 1):
            town.go_to(moment)
            seen |= compare(town)

    town.go_to(until + CLOSED_AFTER_SPENDING_S)
    lab.decide("PointsLedger", "setState", (VOLUNTEER, ProgrammeState.CLOSED.value))
    seen |= compare(town)
    assert seen == set(Refusal) - {Refusal.PAUSED}


def test_a_paused_module_carries_out_nothing_and_the_gateway_signs_nothing(town: Town) -> None:
    lab, holder = town.lab, town.lab.residents[0]
    for module in ("Redemption", "Exchange"):
        lab.call(module, "pause", (3_600,), sender=key("guardian"))
    lab.mine()
    until = town.now + 3_600
    terms = town.terms()
    assert (terms.redemption_paused_until, terms.exchange_paused_until) == (until, until)
    lot = town.lots[3]
    with town.database.transaction() as session:
        with pytest.raises(OrdersPaused):
            town.gateway.desk.place_redeem(session, holder, GROCER, lots=[Lot(lot, AMOUNT)])
        with pytest.raises(OrdersPaused):
            town.gateway.desk.place_redeem(session, holder, GROCER, value_fen=50)
        with pytest.raises(OrdersPaused):
            town.gateway.desk.quote_exchange(session, holder.address, ENVIRONMENTAL, CULTURE, AMOUNT)
    order = lab.redeem_order(holder, GROCER, [(lot, AMOUNT)], 0)
    body = packed.pack_redeem_order(order, holder.sign_digest(order.digest(lab.deployment.domain())))
    with pytest.raises(RpcError) as reverted:
        read(lab.contracts["Redemption"].functions.execute(body), "latest")
    assert artifacts.explain_revert(reverted.value.data or b"").startswith("PausableIsPaused")

    town.go_to(until)
    assert Refusal.PAUSED not in compare(town)
