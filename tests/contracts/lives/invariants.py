"""What is compared after each step: the chain with the model, and both with the design's invariants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from city import bits
from eth_utils import keccak
from hypothesis.stateful import invariant
from reference import MICROFEN_MINOR, pack_lots

from .model.book import VOID
from .stage import Stage
from .wire import Call

SAMPLE = 6
"""How many of the lesser facts are read after each step; all are when the life ends."""
Fact = tuple[Any, str, tuple[Any, ...], Any]
"""(contract, view, arguments, what the model says)"""


class Invariants(Stage):
    """The numbers are the design's, in "What must always hold"; 3, 6 and 8 are kept by `Ledgers`, event by event."""

    def teardown(self) -> None:
        try:
            if self.sound:
                self.ledgers.check()
                self._check_facts(list(self._facts()))
        finally:
            super().teardown()

    def _read(self, contract: Any, view: str, *args: Any) -> Call:
        return Call(self.city.operator.address, contract, view, args)

    @invariant()
    def the_books_are_the_model_s(self) -> None:
        """Balances, escrow, nonces, supplies, positions, locks, funding: all of them, after each step."""
        model, city = self.model, self.city
        lots = sorted({lot for lot, amount in model.supplies.items() if amount} | {lot for _, lot in model.balances})
        holders = [*(player.address for player in self.players), model.ledger]
        words = sorted({model.place_of("", lot)[1] for lot in lots} | {word for _, word in model.nonces})
        # The word of key k holds the lots whose quarter plus 3 is 4k to 4k + 3.
        of_words = [word >> 32 << 32 | max((word & 0xFFFFFFFF) * 4 - 3, 0) for word in words]
        programmes, shops = sorted(model.programmes), sorted(model.shops)
        participants = [model.of_programme(p) for p in programmes] + [model.of_merchant(m) for m in shops]
        found = self.wire.read(
            [
                self._read(city.reader, "balances", city.ledger, holders, lots),
                self._read(city.reader, "supplies", city.ledger, lots),
                self._read(city.reader, "nonces", city.ledger, holders, of_words),
                self._read(city.reader, "participants", city.book, participants),
                self._read(city.reader, "programmes", city.ledger, city.book, programmes),
                *(self._read(city.book, "disputedFen", shop) for shop in shops),
            ]
        )
        balances, supplies, nonces, (positions, locked), (supply, appropriated, paid), *disputed = found
        assert list(balances) == [model.balances.get((holder, lot), 0) for holder in holders for lot in lots]
        assert list(nonces) == [
            window << 32 | base
            for base, window in (model.nonces.get((holder, word), (0, 0)) for holder in holders for word in words)
        ]
        assert list(positions) == [model.positions.get(participant, 0) for participant in participants]
        assert list(locked) == [model.locked.get(participant, 0) for participant in participants]
        assert disputed == [model.disputed.get(shop, 0) for shop in shops]
        assert list(supply) == [model.supply(programme) for programme in programmes]
        assert list(appropriated) == [model.appropriated(programme) for programme in programmes]
        assert list(paid) == [model.paid.get(programme, 0) for programme in programmes]
        # 1. For each token id: balances + open escrow = supply = minted - burned.
        assert list(supplies) == [sum(balances[i :: len(lots)]) for i in range(len(lots))]
        assert list(supplies) == [self.ledgers.minted[lot] - self.ledgers.burned[lot] for lot in lots]
        # 2. The positions of all participants sum to 0; and no merchant's locks exceed what it is owed.
        assert sum(positions) == 0
        for place, participant in enumerate(participants):
            if participant >> 32 == 2:
                assert locked[place] + model.disputed.get(participant & 0xFFFFFFFF, 0) <= positions[place]
        # 4. After every mint: supply * par - position <= appropriation - paid.
        for place, programme in enumerate(programmes):
            if programme in self.ledgers.funded_now:
                due = supply[place] * model.programmes[programme].par - positions[place] * MICROFEN_MINOR
                assert due <= (appropriated[place] - paid[place]) * MICROFEN_MINOR
        self.ledgers.funded_now.clear()
        # 5. No sequence of acts ends with more value than was ever put in.
        value = sum(n * model.programmes[p].par for n, p in zip(supply, programmes, strict=True))
        owned = sum(positions[len(programmes) :]) + sum(paid)
        assert value + owned * MICROFEN_MINOR <= model.value_in
        facts = list(self._facts())
        self._check_facts(self.random.sample(facts, min(SAMPLE, len(facts))))
        self.sound = True

    # ------------------------------------------------------------------------------------------------------- facts

    def _check_facts(self, facts: list[Fact]) -> None:
        found = self.wire.read([self._read(contract, view, *args) for contract, view, args, _ in facts])
        for (_, view, args, expected), value in zip(facts, found, strict=True):
            got = tuple(value) if isinstance(value, list | tuple) else value
            assert _lower(got) == _lower(expected), f"{view}{args}: the chain says {got}, the model {expected}"

    def _facts(self) -> Iterator[Fact]:
        yield from self._facts_of_points()
        yield from self._facts_of_clearing()
        council = self.rules_of_council
        for member in self.theatre.members:
            yield self.council, "isMember", (member,), member in council.members
        for proposal_id, proposal in council.proposals.items():
            yield self.council, "executableFrom", (proposal_id,), proposal.executable_from
            yield self.council, "approvals", (proposal_id,), council.approvals(proposal)
            for member in self.theatre.members:
                yield self.council, "hasApproved", (proposal_id, member), council.has_approved(proposal, member)

    def _facts_of_points(self) -> Iterator[Fact]:
        ledger, model = self.city.ledger, self.model
        for programme in model.programmes:
            yield ledger, "programmeSupply", (programme,), model.supply(programme)
            for person in self.issuers.get(programme, ()):
                is_key = person.address in model.issuers[programme]
                yield ledger, "isIssuerKey", (programme, person.address), is_key
            yield ledger, "programme", (programme,), self._programme(programme)
        for batch in self.past.batches:
            found = model.batches.get((batch.programme, batch.number))
            state = 0 if found is None else 2 if found == VOID else 1
            yield ledger, "batchState", (batch.programme, batch.number), state
            root = found if isinstance(found, bytes) else b"\0" * 32
            yield ledger, "batchRoot", (batch.programme, batch.number), root
        for _, leaf, _, _ in self.past.leaves:
            yield ledger, "revokedTotal", (leaf,), model.revoked.get(leaf, 0)
        for order in self.past.holds:
            hold_id = model.id_of(order)
            yield ledger, "holdCommitment", (hold_id,), self._commitment(hold_id)
        for player in self.players:
            yield ledger, "successor", (player.address,), model.successor.get(player.address, "0x" + "0" * 40)
            yield ledger, "currentAccount", (player.address,), model.current(player.address)
        for (owner, spender, lot), amount in model.allowances.items():
            yield ledger, "allowance", (owner, spender, lot), amount

    def _programme(self, programme: int) -> tuple[Any, ...]:
        terms = self.model.programmes[programme]
        scope, supply = bits(terms.scope), self.model.supply(programme)
        rules = (terms.rulebook, bits(terms.rulebook))
        return (terms.par, terms.flags, terms.state, *rules, scope, supply, terms.spendable_until)

    def _commitment(self, hold_id: bytes) -> bytes:
        order = self.model.holds.get(hold_id)
        return b"\0" * 32 if order is None else keccak(bytes.fromhex(order.holder[2:]) + pack_lots(order.lots))

    def _facts_of_clearing(self) -> Iterator[Fact]:
        book, disputes, model = self.city.book, self.city.disputes, self.model
        for programme in model.programmes:
            yield book, "fundingFen", (programme,), model.funding(programme)
            yield book, "owedFen", (programme,), model.owed(programme)
        for (programme, year), (recorded, lapsed) in model.years.items():
            expected = (recorded, lapsed, model.left_of(programme, year))
            yield book, "appropriation", (programme, year), expected
        for shop, terms in model.shops.items():
            yield book, "freeFen", (shop,), model.free(shop)
            yield book, "merchant", (shop,), (terms.key, bits(terms.scope))
        for paid in self.past.payments:
            count, last = model.kept.get(paid.order_id, (0, 0))
            yield book, "keptPrefix", (paid.order_id,), (paid.order_id in model.kept, count, last)
            found = model.disputes.get(paid.order_id)
            expected = (found.state, found.opened_at, found.merchant, found.locked) if found else (0, 0, 0, 0)
            yield disputes, "dispute", (paid.order_id,), expected
        for name, module in self.modules.items():
            yield module, "pausedUntil", (), model.brakes[name].until
        for batch, root in model.roots.items():
            yield book, "receiptsRoot", (batch,), root
        yield book, "lastReceiptsBatch", (), model.last_batch
        for cycle, lines in enumerate(model.cycles, 1):
            listed = tuple((line.programme, line.merchant, line.fen, line.settled) for line in lines)
            yield self.city.settlement, "lines", (cycle,), listed


def _lower(value: Any) -> Any:
    """Addresses come in either case."""
    if isinstance(value, tuple | list):
        return tuple(_lower(part) for part in value)
    return value.lower() if isinstance(value, str) else value
