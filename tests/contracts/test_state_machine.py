"""Random lives of a city, compared after each step with a model in Python, and the invariants checked.

TONGDUI_SEED repeats a run; TONGDUI_LIVES and TONGDUI_STEPS make it longer. The seed is printed.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from brownie.exceptions import VirtualMachineError
from city import (
    CULTURE,
    DAY,
    ENVIRONMENT,
    GIFT,
    MUSEUM,
    PROGRAMMES,
    SCOPES,
    SHOP,
    START,
    THEATRE,
    VOLUNTEER,
    City,
    Person,
    event_values,
    next_block_at,
    put_back,
    rejections,
    snapshot,
)
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from model import ESCROW, Model, Paid, Programme, Reverts
from reference import (
    ACCEPTED,
    MICROFEN_MINOR,
    RECEIPT_TYPES,
    EvidenceLeaf,
    HoldOrder,
    MerkleTree,
    Prefix,
    RedeemOrder,
    leaf_hash,
    lots_hash,
    quarter_of,
    sign,
    token_id,
)

SEED = int(os.environ.get("TONGDUI_SEED") or secrets.randbelow(2**32))
LIVES = int(os.environ.get("TONGDUI_LIVES", "6"))
STEPS = int(os.environ.get("TONGDUI_STEPS", "60"))
PLAYED = (VOLUNTEER, ENVIRONMENT, CULTURE, GIFT, MUSEUM)
FUNDING_FEN = 300_000
DRAW = st.integers(0, 2**32 - 1)


class Life(RuleBasedStateMachine):
    """One random life: each rule does something on the chain and in the model, and compares what came of it."""

    city: City
    steps: list[int] = []  # noqa: RUF012  # One entry a life, for the report.
    seen: Counter[str] = Counter()  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        city = self.city
        self.steps.append(0)
        self.before = snapshot()
        city.start_over()
        # Three weeks before the quarter's end, so that lots die in escrow and before they are refunded.
        self.time = START + 30 * DAY
        self.people = [Person(f"player {i}") for i in range(6)]
        self.lots: set[int] = set()
        self.grants: list[tuple[EvidenceLeaf, int, MerkleTree, int]] = []
        self.orders: list[tuple[Person, Any]] = []
        self.payments: list[Paid] = []
        self.leaves: dict[int, list[bytes]] = {}
        self.cycle_line = 0
        self.settled: set[int] = set()
        terms = {p: Programme(*PROGRAMMES[p]) for p in PLAYED}
        self.model = Model(programmes=terms, scopes=SCOPES)
        for programme in PLAYED:
            city.book.lapse(programme, 2030, {"from": city.finance})
            self._appropriate(programme, FUNDING_FEN)
        self.model.rebirth_cap_fen = 300
        city.ledger.setRebirthCap(300, city.by_admin)
        city.settlement.setFinanceKey(city.chen.address, city.by_admin)
        random = Random("first grants")
        for programme in PLAYED:
            for quarter in (0, 1, 4):
                lot = token_id(programme, quarter_of(self.time) + quarter)
                grants = [(person.address, random.randint(1, 20_000)) for person in self.people[:4]]
                self.lots.add(lot)
                self.model.mint(lot, grants, self._tick())
                city.mint(programme, lot & 0xFFFFFFFF, grants)

    def teardown(self) -> None:
        put_back(self.before)

    # --------------------------------------------------------------------------------------------------- helpers

    def _tick(self, seconds: int = 1) -> int:
        """Fix the next block's time and return it."""
        self.time += seconds
        next_block_at(self.time)
        return self.time

    def _attempt(self, decide: Callable[[int], Any], act: Callable[[], Any]) -> Any:
        """Have the model decide, then the chain act; both do it or both refuse for the same reason."""
        at = self._tick()
        try:
            expected = decide(at)
        except Reverts as refused:
            self.seen[str(refused)] += 1
            with pytest.raises(VirtualMachineError, match=str(refused)):
                act()
            return None
        return act(), expected

    def _random(self, draw: int) -> Random:
        """Hypothesis draws small and equal numbers often; with the step's number no two steps are alike."""
        return Random(f"{draw} at step {self.steps[-1]}")

    def _appropriate(self, programme: int, fen: int) -> None:
        self.city.appropriate(programme, fen, 2031)
        self.model.appropriated[programme] += fen

    def _holder(self, random: Random) -> Person:
        """Most often somebody who has something."""
        holders = {who for (who, _), amount in self.model.balances.items() if amount}
        rich = [person for person in self.people if person.address in holders]
        return random.choice(rich if rich and random.random() < 0.9 else self.people)

    def _lot(self, random: Random, person: Person | None = None) -> int:
        """A lot: most often one the person has something of, sometimes any."""
        if person is not None and random.random() < 0.9:
            held = sorted(lot for (who, lot), n in self.model.balances.items() if who == person.address and n)
            alive = [lot for lot in held if not self.model.is_dead(lot, self.time)]
            held = alive if alive and random.random() < 0.9 else held
            if held:
                return random.choice(held)
        quarter = quarter_of(self.time) + random.choice((-1, 0, 0, 1, 3, 4))
        return token_id(random.choice((*PLAYED, *PLAYED, 99)), quarter)

    def _amount(self, random: Random, person: Person, lot: int) -> int:
        held = self.model.balances[person.address, lot] or 500
        return random.choice((0, 1, held, held + 1, *(random.randint(min(50, held), held) for _ in range(30))))

    def _faults(self, random: Random, fields: dict[str, Any]) -> None:
        """Now and then spoil an order: nonce, deadline, merchant."""
        spoil = random.random()
        if spoil < 0.05:
            fields["nonce"] = random.choice((0, 5, 30, 31, 32, 33, 62, 63, 64, 65, 95))
        elif spoil < 0.1:
            fields["deadline"] = self.time - 5
        elif spoil < 0.12 and "merchant" in fields:
            fields["merchant"] = 99

    def _sign(self, random: Random, person: Person, order: Any) -> tuple[bytes, bool]:
        """Sign, one time in twenty with another's key."""
        good = random.random() > 0.05
        signer = person if good else Person("nobody")
        return order.packed(sign(signer.key, self.city.id_of(order))), good

    def _basket(self, random: Random, person: Person) -> list[tuple[int, int]]:
        lots = [self._lot(random, person) for _ in range(random.choice((1, 1, 2, 3)))]
        self.lots.update(lots)
        return [(lot, self._amount(random, person, lot)) for lot in lots]

    def _compare(self, tx: Any, expected: list[tuple[bytes, str, int]]) -> None:
        """Compare the orders that were skipped, and count what happened."""
        self.seen.update(event.name for event in tx.events if event.name not in ("Transfer", "PositionChanged"))
        self.seen.update(f"code {code}" for _, _, code in expected)
        assert rejections(tx) == [entry for entry in expected if entry[2] != ACCEPTED]

    def _note_payments(self, tx: Any, payments: list[Paid]) -> None:
        """Compare the receipts of a call with what the model paid, and keep them for refunds."""
        events = event_values(tx, "Redeemed")
        seen = [(bytes(e["orderId"]), e["holder"], e["merchant"], e["fen"]) for e in events]
        assert seen == [(paid.order_id, paid.holder, paid.merchant, paid.fen) for paid in payments]
        batches = event_values(tx, "RedemptionBatch")
        assert len(batches) == bool(payments)
        if payments:
            leaves = [leaf_hash(RECEIPT_TYPES, self._receipt(paid)) for paid in payments]
            assert bytes(batches[0]["root"]) == MerkleTree(leaves, sort=False).root
            self.leaves[batches[0]["batch"]] = leaves
            for paid in payments:
                paid.batch = batches[0]["batch"]
            self.payments += payments

    @staticmethod
    def _receipt(paid: Paid) -> tuple[Any, ...]:
        return (paid.order_id, paid.holder, paid.merchant, lots_hash(paid.lots), paid.fen, paid.time)

    # ----------------------------------------------------------------------------------------------------- rules

    @rule(days=st.sampled_from((0, 1, 7, 20, 20, 45)))
    def time_passes(self, days: int) -> None:
        self.time += days * DAY

    @rule(draw=DRAW)
    def appropriate(self, draw: int) -> None:
        random = self._random(draw)
        self._tick()
        self._appropriate(random.choice(PLAYED), random.randrange(1, 5_000))

    @rule(draw=DRAW)
    def mint(self, draw: int) -> None:
        random = self._random(draw)
        lot = token_id(random.choice(PLAYED), quarter_of(self.time) + random.choice((-1, 0, 0, 0, 1, 2, 4)))
        self.lots.add(lot)
        most = random.choice((10, 1_000, 50_000, 50_000, 10**6))
        leaves = [
            EvidenceLeaf(random.randbytes(32), random.choice(self.people).address, lot, random.randint(1, most))
            for _ in range(random.randint(1, 4))
        ]
        grants = [(leaf.account, leaf.amount) for leaf in leaves]
        done = self._attempt(lambda at: self.model.mint(lot, grants, at), lambda: self.city.mint_with_evidence(leaves))
        if done:
            number, tree = done[0]
            self.grants += [(leaf, number, tree, 0) for leaf in leaves]
            self._check_funding(lot >> 32)

    def _check_funding(self, programme: int) -> None:
        """4. After every mint: supply * par - position <= appropriation - paid."""
        city, par = self.city, PROGRAMMES[programme][0]
        supply, position = city.ledger.programmeSupply(programme), city.position(programme)
        left = city.book.appropriated(programme) - city.book.paid(programme)
        assert supply * par - position * MICROFEN_MINOR <= left * MICROFEN_MINOR

    @rule(draw=DRAW)
    def revoke(self, draw: int) -> None:
        random = self._random(draw)
        if not self.grants:
            return
        place = random.randrange(len(self.grants))
        leaf, number, tree, revoked = self.grants[place]
        if revoked == leaf.amount:
            return
        total = random.randint(revoked + 1, leaf.amount)
        fields = {
            "programme": leaf.token >> 32,
            "number": number,
            "leaf": leaf.hash(),
            "revokedTotal": total,
            "reason": 3,
        }
        key = self.city.issuer[leaf.token >> 32].key
        signature = sign(key, self.city.domain.digest("Revocation", **fields))
        args = (tuple(fields.values()), leaf.values(), tree.proof(leaf.hash()), signature, self.city.by_operator)
        tx, (taken, shortfall) = self._attempt(
            lambda _: self.model.revoke(leaf.account, leaf.token, total - revoked),
            lambda: self.city.issuance.revoke(*args),
        )
        (event,) = event_values(tx, "Revoked")
        assert (event["taken"], event["shortfall"]) == (taken, shortfall)
        self.grants[place] = (leaf, number, tree, total)

    @rule(draw=DRAW)
    def transfer(self, draw: int) -> None:
        random = self._random(draw)
        sender, receiver = random.choice(self.people), random.choice(self.people)
        held = sorted(lot for (who, lot), n in self.model.balances.items() if who == sender.address and n)
        gifts = [lot for lot in held if lot >> 32 == GIFT] or held
        if not gifts:
            return
        lot = random.choice(gifts)
        amount = self._amount(random, sender, lot)
        account = sender.account
        self._attempt(
            lambda at: self.model.transfer(sender.address, receiver.address, lot, amount, at),
            lambda: self.city.ledger.transfer(receiver.address, lot, amount, {"from": account}),
        )

    @rule(draw=DRAW, count=st.integers(1, 3))
    def exchange(self, draw: int, count: int) -> None:
        random = self._random(draw)
        packed, orders = [], []
        for _ in range(count):
            person = self._holder(random)
            lot = self._lot(random, person)
            to = random.choice([p for p in PLAYED[:4] if p != lot >> 32] * 4 + [lot >> 32, MUSEUM, 99])
            self.lots |= {lot, token_id(to, lot & 0xFFFFFFFF)}
            fields: dict[str, Any] = {"deadline": self.time + 10, "minOut": random.choice((0, 0, 0, 100))}
            self._faults(random, fields)
            order = self.city.exchange_order(person, lot, self._amount(random, person, lot), to, **fields)
            signed, good = self._sign(random, person, order)
            packed.append(signed)
            orders.append((order, good))
        at = self._tick()
        expected = [
            (self.city.id_of(order), order.holder, self.model.exchange(order, good, at)) for order, good in orders
        ]
        self._compare(self.city.run_exchange(*packed), expected)

    @rule(draw=DRAW, count=st.integers(1, 3))
    def redeem(self, draw: int, count: int) -> None:
        random = self._random(draw)
        packed, orders = [], []
        for _ in range(count):
            person = self._holder(random)
            fields: dict[str, Any] = {"deadline": self.time + 10, "merchant": random.choice((SHOP, THEATRE, THEATRE))}
            self._faults(random, fields)
            order: RedeemOrder = self.city.redeem_order(person, self._basket(random, person), **fields)
            signed, good = self._sign(random, person, order)
            packed.append(signed)
            orders.append((order, good))
        at = self._tick()
        expected, payments = [], []
        for order, good in orders:
            outcome = self.model.redeem(self.city.id_of(order), order, good, at)
            if isinstance(outcome, Paid):
                payments.append(outcome)
            else:
                expected.append((self.city.id_of(order), order.holder, outcome))
        tx = self.city.run_redeem(*packed)
        self._compare(tx, expected)
        self._note_payments(tx, payments)

    @rule(draw=DRAW, count=st.integers(1, 3))
    def hold(self, draw: int, count: int) -> None:
        random = self._random(draw)
        packed, orders = [], []
        for _ in range(count):
            person = self._holder(random)
            fields: dict[str, Any] = {"deadline": self.time + 10, "merchant": random.choice((SHOP, THEATRE, THEATRE))}
            fields["captureBy"] = self.time + random.choice((-1, 40 * DAY, *(days * DAY for days in range(3, 30))))
            fields["cancellable"] = random.random() < 0.5
            self._faults(random, fields)
            order: HoldOrder = self.city.hold_order(person, self._basket(random, person), **fields)
            signed, good = self._sign(random, person, order)
            packed.append(signed)
            orders.append((order, good))
            if order.merchant in SCOPES and order.lots and all(amount for _, amount in order.lots):
                self.orders.append((person, order))
        at = self._tick()
        expected = [
            (self.city.id_of(order), order.holder, self.model.hold(self.city.id_of(order), order, good, at))
            for order, good in orders
        ]
        self._compare(self.city.run_hold(*packed), expected)

    def _some_hold(self, random: Random) -> tuple[Person, HoldOrder]:
        """A hold order: most often one that is open."""
        opened = [(person, order) for person, order in self.orders if self.city.id_of(order) in self.model.holds]
        return random.choice(opened if opened and random.random() < 0.9 else self.orders)

    def _some_prefix(self, random: Random, lots: tuple[tuple[int, int], ...]) -> Prefix:
        count = random.randint(0, len(lots))
        last = random.choice((lots[count - 1][1], random.randint(1, lots[count - 1][1]))) if count else 0
        return (count, last) if random.random() < 0.95 else (count, last + 1)

    @rule(draw=DRAW, count=st.integers(1, 2))
    def capture(self, draw: int, count: int) -> None:
        random = self._random(draw)
        if not self.orders:
            return
        chosen = [self._some_hold(random) for _ in range(count)]
        prefixes = [self._some_prefix(random, order.lots) for _, order in chosen]
        signers = [None if random.random() < 0.95 else Person("nobody") for _ in chosen]
        packed = [
            self.city.signed_capture(order, prefix, by=by)
            for (_, order), prefix, by in zip(chosen, prefixes, signers, strict=True)
        ]
        at = self._tick()
        expected, payments = [], []
        for (_, order), prefix, by in zip(chosen, prefixes, signers, strict=True):
            order_id = self.city.id_of(order)
            self._note_rebirth(order.lots)
            outcome = self.model.capture(order_id, order, prefix, by is None, at)
            if isinstance(outcome, Paid):
                payments.append(outcome)
            elif outcome is not None:
                expected.append((order_id, order.holder, outcome))
        tx = self.city.run_capture(*packed)
        self._compare(tx, expected)
        self._note_payments(tx, payments)

    @rule(draw=DRAW)
    def release(self, draw: int) -> None:
        random = self._random(draw)
        if not self.orders:
            return
        person, order = self._some_hold(random)
        by = random.choice(("merchant", "holder", "nobody"))
        signer = {"merchant": self.city.merchant[order.merchant], "holder": person, "nobody": Person("nobody")}[by]
        packed = self.city.signed_release(order, by=signer)
        self._note_rebirth(order.lots)
        at = self._tick()
        code = self.model.release(self.city.id_of(order), order, by, at)
        self._compare(self.city.run_release(packed), [(self.city.id_of(order), order.holder, code)])

    def _note_rebirth(self, lots: tuple[tuple[int, int], ...]) -> None:
        self.lots |= {token_id(lot >> 32, quarter_of(self.time + 1)) for lot, _ in lots}

    @rule(draw=DRAW)
    def refund(self, draw: int) -> None:
        random = self._random(draw)
        if not self.payments:
            return
        paid = random.choice(self.payments)
        prefixes = [self._some_prefix(random, paid.lots) for _ in range(3)]
        prefix = min(prefixes) if random.random() < 0.9 else prefixes[0]
        receipt = self._receipt(paid)
        leaves = self.leaves[paid.batch]
        proof = MerkleTree(leaves, sort=False).proof(leaf_hash(RECEIPT_TYPES, receipt))
        by = None if random.random() < 0.95 else Person("nobody")
        self._note_rebirth(paid.lots)
        done = self._attempt(
            lambda at: self.model.refund(paid, prefix, by is None, at),
            lambda: self.city.refund(receipt, paid.batch, proof, paid.lots, prefix, by=by),
        )
        if done:
            assert event_values(done[0], "Refunded")[0]["receiver"] == self.model.current(paid.holder)
            self.seen.update(event.name for event in done[0].events if event.name in ("Refunded", "LotReborn"))

    @rule(draw=DRAW)
    def sweep(self, draw: int) -> None:
        random = self._random(draw)
        person = random.choice(self.people)
        dead = [lot for lot in sorted(self.lots) if self.model.is_dead(lot, self.time)]
        lots = random.sample(dead, min(3, len(dead))) + [self._lot(random, person)] * (random.random() < 0.2)
        lots = [lot for lot in lots if lot >> 32 in PROGRAMMES]
        self._attempt(
            lambda at: self.model.sweep(person.address, lots, at),
            lambda: self.city.ledger.sweep(person.address, lots, self.city.by_operator),
        )

    @rule(draw=DRAW)
    def migrate(self, draw: int) -> None:
        """Rarely: an account that gave way plays no further part but to receive and be forwarded."""
        random = self._random(draw)
        if random.random() < 0.7:
            return
        old, new = random.choice(self.people), random.choice(self.people)
        lots = random.sample(sorted(self.lots), len(self.lots) // 2)
        account = old.account
        self._attempt(
            lambda at: self.model.migrate(old.address, new.address, lots, at),
            lambda: self.city.ledger.migrate(new.address, lots, {"from": account}),
        )

    @rule(draw=DRAW)
    def forward(self, draw: int) -> None:
        random = self._random(draw)
        old = random.choice(self.people)
        if old.address not in self.model.successor and random.random() < 0.8:
            return
        lots = sorted(self.lots)
        self._attempt(
            lambda at: self.model.forward(old.address, lots, at),
            lambda: self.city.ledger.forward(old.address, lots, self.city.by_operator),
        )

    @rule(draw=DRAW)
    def close_a_cycle(self, draw: int) -> None:
        random = self._random(draw)
        if len(self.settled) < len(self.model.lines) or random.random() < 0.7:
            return
        done = self._attempt(
            lambda _: self.model.close_cycle(),
            lambda: self.city.settlement.closeCycle(sorted(PLAYED), sorted(SCOPES), {"from": self.city.finance}),
        )
        if done:
            self.settled = set()
            lines = self.city.settlement.lines(self.city.settlement.lastCycle())
            assert [tuple(line) for line in lines] == [(*line, False) for line in self.model.lines]

    @rule(draw=DRAW)
    def settle(self, draw: int) -> None:
        random = self._random(draw)
        for line in sorted(set(range(len(self.model.lines))) - self.settled):
            self._settle_line(random, line)

    def _settle_line(self, random: Random, line: int) -> None:
        programme, merchant, fen = self.model.lines[line]
        cycle = self.city.settlement.lastCycle()
        fields = {"cycle": cycle, "programme": programme, "merchant": merchant, "fen": fen}
        reference = random.randbytes(32)
        signer = random.choice((self.city.merchant[merchant], self.city.chen))
        signature = sign(signer.key, self.city.domain.digest("Settlement", **fields, reference=reference))
        self._attempt(
            lambda _: self.model.settle(line),
            lambda: self.city.settlement.settle(cycle, line, reference, signature, self.city.by_operator),
        )
        self.settled.add(line)

    @rule(draw=DRAW)
    def council_acts(self, draw: int) -> None:
        random = self._random(draw)
        self._tick()
        if random.random() < 0.8:
            self.model.resident_cap_fen = random.choice((0, 500, 5_000))
            self.city.exchange.setResidentCap(self.model.resident_cap_fen, self.city.by_admin)
        elif self.model.programmes[MUSEUM].state == 1:
            self.city.ledger.setState(MUSEUM, 2, self.city.by_admin)
            self.model.programmes[MUSEUM].state = 2
            self.model.programmes[MUSEUM].spendable_until = self.time + 365 * DAY

    # ------------------------------------------------------------------------------------------------ invariants

    @invariant()
    def the_books_are_the_model_s(self) -> None:
        """Every balance, the escrow, nonces, supplies, positions, locks and funding are what the model says."""
        self.steps[-1] += 1
        city, model = self.city, self.model
        lots = sorted(self.lots)
        names = [*(person.address for person in self.people), ESCROW]
        addresses = [*names[:-1], city.ledger.address]
        found = city.reader.balances(city.ledger, addresses, lots)
        wanted = [model.balances[name, lot] for name in names for lot in lots]
        assert list(found) == wanted
        # 1. For each token id: balances + escrow = supply.
        supplies = list(city.reader.supplies(city.ledger, lots))
        assert supplies == [sum(wanted[i :: len(lots)]) for i in range(len(lots))]
        ids = [1 << 32 | programme for programme in PLAYED] + [2 << 32 | merchant for merchant in SCOPES]
        positions, locked = city.reader.participants(city.book, ids)
        expected = [model.positions[p] for p in PLAYED] + [model.merchants[m] for m in SCOPES]
        assert list(positions) == expected
        assert list(locked) == [model.locked[i] for i in ids]
        assert sum(positions) == 0  # 2.
        supply, appropriated, paid = city.reader.programmes(city.ledger, city.book, list(PLAYED))
        assert list(supply) == [model.supply(p) for p in PLAYED]
        assert list(appropriated) == [model.appropriated[p] for p in PLAYED]
        assert list(paid) == [model.paid[p] for p in PLAYED]
        # 5. No sequence of acts ends with more value than was ever put in.
        value = sum(n * PROGRAMMES[p][0] for n, p in zip(supply, PLAYED, strict=True))
        owned = sum(positions[len(PLAYED) :]) + sum(paid)
        assert value + owned * MICROFEN_MINOR <= model.value_in
        self._check_nonces(addresses[:-1], lots)

    def _check_nonces(self, people: list[str], lots: list[int]) -> None:
        words = {(person, (lot >> 32 << 32) | ((lot & 0xFFFFFFFF) + 3) >> 2) for person in people for lot in lots}
        place = {(lot >> 32 << 32) | ((lot & 0xFFFFFFFF) + 3) >> 2: lot for lot in lots}
        ordered = sorted(place)
        found = self.city.reader.nonces(self.city.ledger, people, [place[word] for word in ordered])
        states = [self.model.nonces.get((person, word), (0, 0)) for person in people for word in ordered]
        assert list(found) == [window << 32 | base for base, window in states]
        assert set(self.model.nonces) <= words


def test_random_lives(city: City) -> None:
    """Hundreds of random steps, each compared with the model; thousands with TONGDUI_LIVES and TONGDUI_STEPS."""
    print(f"TONGDUI_SEED={SEED} TONGDUI_LIVES={LIVES} TONGDUI_STEPS={STEPS}")
    Life.city = city
    run_state_machine_as_test(
        seed(SEED)(Life),
        settings=settings(
            # Hypothesis begins with ten short ones.
            max_examples=LIVES + 10,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            verbosity=Verbosity.quiet,
        ),
    )
    print(f"steps in each life: {Life.steps}; seen: {dict(sorted(Life.seen.items()))}")
    assert sum(Life.steps) >= LIVES * STEPS // 2
