"""Refunds and disputes, cycles and payments, the finance bureau, the registrar, the guardian and the council."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from city import DAY, Person, bits
from eth_abi import encode
from eth_utils import keccak
from reference import ZERO, Lot, Prefix, pack_lots

from .model import Paid
from .move_orders import OrderMoves
from .stage import MODULE_ROLES, SPARES, Act, move
from .wire import Call


class ClearingMoves(OrderMoves):
    """How orders are undone and paid."""

    # --------------------------------------------------------------------------------------------------- refunds

    def _shown(self, paid: Paid) -> tuple[tuple[Lot, ...], int, list[bytes], bool]:
        """Return lots, batch, path, and whether the path leads there; now and then something is wrong."""
        lots, batch, path = paid.lots, paid.batch, self.past.trees[paid.batch].proof(paid.leaf())
        if self.chance(25):
            lots = self.random.choice((lots[:-1], (*lots, lots[0])))
        if self.chance(25):
            batch = self.random.choice((0, batch + 1, batch - 1))
        if self.chance(25):
            path = [*path, b"\7" * 32]
        return lots, batch, path, batch == paid.batch and len(path) == len(self.past.trees[batch].proof(paid.leaf()))

    def _shorter(self, paid: Paid) -> Prefix:
        prefixes = [self.some_prefix(paid.lots) for _ in range(3)]
        return min(prefixes) if not self.chance(8) else prefixes[0]

    def _refund_act(self, paid: Paid, prefix: Prefix, signature: bytes) -> Act:
        lots, batch, path, leads = self._shown(paid)
        return self.act(
            self.anyone(),
            self.modules["redemption"],
            "refund",
            (paid.receipt(), batch, path, pack_lots(lots), *prefix, signature),
            lambda at: self.model.refund(paid, lots, batch, leads, prefix, signature, at),
        )

    @move(4)
    def refund(self) -> None:
        random = self.random
        if not self.past.payments:
            return
        fresh = [p for p in self.past.payments if p.kept != (0, 0) and self.time - p.time < 89 * DAY]
        paid = random.choice(fresh if fresh and not self.chance(8) else self.past.payments)
        if self.chance(20):
            self.time = max(self.time, paid.time + 90 * DAY - random.choice((0, 1, 2)))
        prefix = self._shorter(paid)
        digest = self.model.digest("Refund", orderId=paid.order_id, lots=prefix[0], lastAmount=prefix[1])
        signature = self.sign(self.shop_s(paid.merchant), digest)
        self.past.refunds.append((paid, prefix, signature))
        self.perform(self._refund_act(paid, prefix, signature))

    @move()
    def refund_again(self) -> None:
        """Anybody may send an old refund once more: a prefix only shrinks."""
        random = self.random
        if self.past.refunds:
            self.perform(self._refund_act(*random.choice(self.past.refunds)))

    # --------------------------------------------------------------------------------------------------- disputes

    def _disputed(self, *states: int) -> Paid | None:
        """A payment under dispute, in one of these states most often."""
        found = [paid for paid in self.past.payments if paid.order_id in self.model.disputes]
        wanted = [paid for paid in found if self.model.disputes[paid.order_id].state in states]
        if wanted and not self.chance(10):
            return self.random.choice(wanted)
        return self.random.choice(found or self.past.payments) if self.past.payments and self.chance(4) else None

    @move(4)
    def dispute(self) -> None:
        random = self.random
        if not self.past.payments:
            return
        recent = [paid for paid in self.past.payments if self.time - paid.time < 31 * DAY] or self.past.payments
        fresh = [paid for paid in recent if paid.order_id not in self.model.disputes]
        paid = random.choice(fresh if fresh and not self.chance(10) else recent)
        if self.chance(10):
            self.time = max(self.time, paid.time + 30 * DAY - random.choice((0, 1, 2)))
        lots, batch, path, leads = self._shown(paid)
        holder = self.model.current(paid.holder) if self.chance(2) else paid.holder
        owner = next((player.person for player in self.players if player.address == holder), None)
        by = owner if owner and not self.chance(15) else Person("nobody")
        signature = self.sign(by, self.model.digest("Dispute", orderId=paid.order_id))
        self.perform(
            self.act(
                self.anyone(),
                self.city.disputes,
                "open",
                (paid.receipt(), batch, path, pack_lots(lots), signature),
                lambda at: self.model.open(paid, lots, batch, leads, signature, at),
            )
        )

    @move(2)
    def contest(self) -> None:
        paid = self._disputed(1)
        in_time = [
            paid
            for paid in self.past.payments
            if (found := self.model.disputes.get(paid.order_id))
            and found.state == 1
            and self.time < found.opened_at + 7 * DAY
        ]
        paid = self.random.choice(in_time) if in_time and not self.chance(8) else paid
        if paid is None:
            return
        dispute = self.model.disputes.get(paid.order_id)
        if dispute and self.chance(4):
            self.time = max(self.time, dispute.opened_at + 7 * DAY - self.random.choice((0, 1, 2)))
        signature = self.sign(self.shop_s(paid.merchant), self.model.digest("Contest", orderId=paid.order_id))
        args = (paid.order_id, signature)
        self.perform(
            self.act(self.anyone(), self.city.disputes, "contest", args, lambda at: self.model.contest(*args, at))
        )

    @move(2)
    def decide(self) -> None:
        random = self.random
        paid = self._disputed(2)
        if paid is None:
            return
        dispute = self.model.disputes.get(paid.order_id)
        locked = dispute.locked if dispute else 5
        args = (paid.order_id, random.choice((0, locked, random.randint(0, locked), locked + self.chance(4))))
        self.perform(
            self.act(self.city.finance, self.city.disputes, "decide", args, lambda at: self.model.decide(*args, at))
        )

    @move(3)
    def refund_what_a_dispute_locks(self) -> None:
        random = self.random
        paid = self._disputed(1, 3, 3)
        if paid is None:
            return
        dispute = self.model.disputes.get(paid.order_id)
        if dispute and dispute.state == 1 and not self.chance(4):
            self.time = max(self.time, dispute.opened_at + 7 * DAY - random.choice((0, 1, 2)))
        lots, batch, path, leads = self._shown(paid)
        prefix = self._shorter(paid)
        self.perform(
            self.act(
                self.anyone(),
                self.city.disputes,
                "refundLocked",
                (paid.receipt(), batch, path, pack_lots(lots), *prefix),
                lambda at: self.model.refund_locked(paid, lots, batch, leads, prefix, at),
            )
        )

    @move()
    def close_a_dispute(self) -> None:
        random = self.random
        paid = self._disputed(1, 3)
        if paid is None:
            return
        dispute = self.model.disputes.get(paid.order_id)
        if dispute and self.chance(4):
            self.time = max(self.time, dispute.opened_at + 60 * DAY - random.choice((0, 1, 2)))
        order_id = paid.order_id
        self.perform(
            self.act(self.anyone(), self.city.disputes, "close", (order_id,), lambda at: self.model.close(order_id, at))
        )

    # -------------------------------------------------------------------------------------------------- settlement

    @move(2)
    def close_a_cycle(self) -> None:
        random = self.random
        if not self.chance(2):
            return
        programmes, merchants = sorted(self.model.programmes), sorted(self.model.shops)
        if self.chance(8):
            random.choice((programmes, merchants)).pop()
        if self.chance(12):
            random.shuffle(programmes)
        self.perform(
            self.act(
                self.city.finance,
                self.city.settlement,
                "closeCycle",
                (programmes, merchants),
                lambda at: self.model.close_cycle(programmes, merchants, at),
            )
        )

    @move(2)
    def settle(self) -> None:
        """Pay lines: most often ones that are open, of whatever cycle."""
        random = self.random
        opened = [
            (cycle, place)
            for cycle, lines in enumerate(self.model.cycles, 1)
            for place, line in enumerate(lines)
            if not line.settled
        ]
        if not opened and not self.chance(5):
            return
        for cycle, place in random.sample(opened, min(3, len(opened))) or [(len(self.model.cycles), 0)]:
            self._settle_line(cycle, place)

    def _settle_line(self, cycle: int, place: int) -> None:
        random = self.random
        if self.chance(12):
            cycle, place = random.randint(0, len(self.model.cycles) + 1), random.randrange(4)
        exists = 1 <= cycle <= len(self.model.cycles) and place < len(self.model.cycles[cycle - 1])
        line = self.model.cycles[cycle - 1][place] if exists else None
        reference = keccak(text=str(random.randrange(400)))
        signature = b""
        if line is not None:
            by = self.city.chen if self.chance(2) else self.shop_s(line.merchant)
            fields = {"cycle": cycle, "programme": line.programme, "merchant": line.merchant, "fen": line.fen}
            signature = self.sign(by, self.model.digest("Settlement", **fields, reference=reference))
        args = (cycle, place, reference, signature)
        self.perform(
            self.act(self.anyone(), self.city.settlement, "settle", args, lambda at: self.model.settle(*args, at))
        )

    # ------------------------------------------------------------------------------------- the bureau's and others'

    @move()
    def appropriate_or_lapse(self) -> None:
        random = self.random
        programme, year = random.choice(sorted(self.model.programmes)), random.choice((2030, 2031, 2032))
        if self.chance(6):
            act = self.act(
                self.city.finance,
                self.city.book,
                "lapse",
                (programme, year),
                lambda at: self.model.lapse(programme, year, at),
            )
        else:
            fen = random.randrange(1, 20_000) if not self.chance(15) else random.choice((0, 2**96))
            args = (programme, year, fen, random.randbytes(32))
            act = self.act(
                self.city.finance,
                self.city.book,
                "recordAppropriation",
                args,
                lambda at: self.model.appropriate(*args, at),
            )
        self.perform(act)

    @move()
    def a_merchant_changes(self) -> None:
        """A new key, retirement, a return, another scope, somebody new."""
        random = self.random
        if not self.chance(4):
            return
        merchant = random.choice((*self.model.shops, 0, 4, 5))
        person = Person(f"merchant {merchant} since {self.age}")
        key = random.choice((person.address, person.address, person.address, ZERO))
        scope = random.choice((0b001, 0b011, 0b100))
        done = self._attempt_merchant(merchant, key, scope)
        if done and key != ZERO:
            self.shop_keys[merchant] = person

    def _attempt_merchant(self, merchant: int, key: str, scope: int) -> bool:
        self.perform(
            self.act(
                self.city.registrar,
                self.city.book,
                "registerMerchant",
                (merchant, key, bits(scope)),
                lambda at: self.model.register_merchant(merchant, key, scope, at),
            )
        )
        return merchant != 0

    @move()
    def the_guardian_pauses(self) -> None:
        """Rarely, and often for a moment only: a module that stands still teaches little."""
        random = self.random
        module = random.choice(("issuance", "exchange", "redemption"))
        running = self.time >= self.model.brakes[module].until
        if running and not self.chance(4):
            return
        contract = self.modules[module]
        if running:
            seconds = random.choice((1, 3_600, 3_600, 3 * DAY, 0, 3 * DAY + 1))
            act = self.act(
                self.city.guardian,
                contract,
                "pause",
                (seconds,),
                lambda at: self.model.pause(module, seconds, at),
            )
        else:
            act = self.act(self.city.guardian, contract, "unpause", (), lambda at: self.model.unpause(module, at))
        self.perform(act)


class CouncilMoves(ClearingMoves):
    """What only the council may do: a member proposes it, another agrees, and after the delay anyone carries it out."""

    def _ideas(self) -> list[tuple[Any, str, tuple[Any, ...], Callable[[int], None]]]:
        """Return one of each act that the council might want: contract, function, arguments, what the model does."""
        random, model, city = self.random, self.model, self.city
        programme = random.choice(sorted(model.programmes))
        fen = random.choice((0, 500, 5_000, 100_000))
        version, state = random.randrange(6), random.choice((1, 2, 2, 2, 3, 3))
        member, joins = random.choice(self.theatre.members), self.chance(2)
        rules = (random.choice((1, 2, 2, 2, 3, 0)), random.choice((3_600, DAY, 2 * DAY, 60)))
        council = self.rules_of_council
        ideas: list[tuple[Any, str, tuple[Any, ...], Callable[[int], None]]] = [
            self._resident_cap(fen),
            self._inflow_cap(programme, fen),
            (city.ledger, "setRebirthCap", (fen,), lambda at: model.set_rebirth_cap(fen, at)),
            (
                city.ledger,
                "setRulebook",
                (programme, version, bits(version)),
                lambda at: model.set_rulebook(programme, version, bits(version), at),
            ),
            (self.council, "setMember", (member, joins), lambda at: council.set_member(member, joins, at)),
            (self.council, "setRules", rules, lambda at: council.set_rules(*rules, at)),
            self._rotation(random.choice(sorted(self.issuers))),
            self._series(),
        ]
        # One at a time: a second, made before the first was carried out, would leave two in office.
        free = [name for name in MODULE_ROLES if name not in self.replacing and len(self.retired[name]) < SPARES]
        if free:
            ideas += [self._replacement(random.choice(free))] * 2
        if self.chance(3):
            ideas.append(
                (city.ledger, "setState", (programme, state), lambda at: model.set_state(programme, state, at))
            )
        for old, asked in model.migrations.items():
            args = (old, asked.new, list(asked.lots))
            ideas += [
                (city.ledger, "approveMigration", args, lambda at, args=args: model.approve_migration(*args, at))
            ] * 4
        return ideas

    def _resident_cap(self, fen: int) -> tuple[Any, str, tuple[Any, ...], Callable[[int], None]]:
        """Of the exchange in office now; should it be replaced before the council acts, the cap means nothing."""
        exchange = self.modules["exchange"]

        def cap(at: int) -> None:
            if exchange is self.modules["exchange"]:
                self.model.set_resident_cap(fen, at)
            else:
                self.model.tell("ResidentCapSet", capFen=fen)

        return exchange, "setResidentCap", (fen,), cap

    def _inflow_cap(self, programme: int, fen: int) -> tuple[Any, str, tuple[Any, ...], Callable[[int], None]]:
        exchange = self.modules["exchange"]

        def cap(at: int) -> None:
            if exchange is self.modules["exchange"]:
                self.model.set_inflow_cap(programme, fen, at)
            else:
                self.model.tell("InflowCapSet", programme=programme, capFen=fen)

        return exchange, "setInflowCap", (programme, fen), cap

    def _replacement(self, name: str) -> tuple[Any, str, tuple[Any, ...], Callable[[int], None]]:
        """Another module takes over, in one call: the role goes to it and leaves the one in office."""
        spares = self.theatre.spares[name]
        role, old, new = MODULE_ROLES[name], self.modules[name], spares[len(self.retired[name])]
        manager = self.city.manager
        calls = [
            bytes.fromhex(Call(ZERO, manager, function, args).data[2:])
            for function, args in (("grantRole", (role, new, 0)), ("revokeRole", (role, old)))
        ]

        def replace(at: int) -> None:
            brake = self.model.brakes[name]
            self.model.replace_module(name, role, old.address, new.address, at)
            self.retired[name].append((old, brake))
            self.modules[name] = new
            self.replacing.discard(name)

        return manager, "multicall", (calls,), replace

    def _rotation(self, programme: int) -> tuple[Any, str, tuple[Any, ...], Callable[[int], None]]:
        """A new issuer key, or the end of an old one."""
        keys = self.issuers[programme]
        new = Person(f"issuer {programme} since {self.age}")
        old = keys[0] if len(keys) > 1 else None
        ends = old is not None and self.chance(2)
        key = old if ends and old is not None else new

        def rotate(at: int) -> None:
            self.model.set_issuer_key(programme, key.address, not ends, at)
            if not ends:
                self.issuers[programme].append(key)

        return (self.city.ledger, "setIssuerKey", (programme, key.address, not ends), rotate)

    def _series(self) -> tuple[Any, str, tuple[Any, ...], Callable[[int], None]]:
        """A new programme beside the old ones, or something like it that must not be."""
        random = self.random
        programme = random.choice((50, 51, 52, 1, 0))
        par, flags = random.choice((1, 3_000_000, 40_000_000, 10**11 + 1, 0)), random.choice((15, 14, 14, 8, 1, 16))
        scope = random.choice((0, 0b10))
        args = (programme, par, flags, bits(scope), "A new series", "N")

        def register(at: int) -> None:
            self.model.register_programme(programme, par, flags, scope, at)
            self.issuers[programme] = [Person(f"issuer {programme}")]

        return (self.city.ledger, "registerProgramme", args, register)

    def _id_of(self, target: Any, data: bytes, salt: bytes) -> bytes:
        return keccak(encode(["address", "bytes", "bytes32"], [target.address, data, salt]))

    def _member(self) -> str:
        members = sorted(self.rules_of_council.members)
        return self.random.choice(members if not self.chance(12) else self.theatre.members)

    @move(2)
    def the_council_proposes(self) -> None:
        """A member proposes; most often others approve at once."""
        random = self.random
        target, function, args, then = random.choice(self._ideas())
        data = bytes.fromhex(Call(ZERO, target, function, args).data[2:])
        salt = random.randbytes(32)
        if self.past.proposals and self.chance(20):
            target, data, salt, then = random.choice(self.past.proposals)
        proposal = self._id_of(target, data, salt)
        by = self._member()
        self.perform(
            self.act(
                by,
                self.council,
                "propose",
                (target, data, salt),
                lambda at: self.rules_of_council.propose(by, proposal, target.address, data, salt, at),
            )
        )
        if proposal in self.rules_of_council.proposals:
            self.past.proposals.append((target, data, salt, then))
            if function == "multicall":
                self.replacing |= {name for name, module in self.modules.items() if _names(data, module)}
            for _ in range(random.choice((0, 1, 1, 1, 2))):
                self._approve(proposal)

    def _approve(self, proposal: bytes) -> None:
        by = self._member()
        self.perform(
            self.act(
                by,
                self.council,
                "approve",
                (proposal,),
                lambda at: self.rules_of_council.approve(by, proposal, at),
            )
        )

    def _some_proposal(self) -> tuple[Any, bytes, bytes, Callable[[int], None]]:
        council, past = self.rules_of_council, self.past.proposals
        known = [(entry, council.proposals[self._id_of(*entry[:3])]) for entry in past]
        pending = [entry for entry, proposal in known if not proposal.executed]
        ready = [entry for entry, proposal in known if not proposal.executed and proposal.executable_from]
        pending = ready if ready and not self.chance(4) else pending
        return self.random.choice(pending[-6:] if pending and not self.chance(10) else past)

    @move()
    def a_member_approves_or_withdraws(self) -> None:
        if not self.past.proposals:
            return
        proposal = self._id_of(*self._some_proposal()[:3])
        if self.chance(2):
            self._approve(proposal)
            return
        by = self._member()
        self.perform(
            self.act(
                by,
                self.council,
                "withdrawApproval",
                (proposal,),
                lambda at: self.rules_of_council.withdraw(by, proposal, at),
            )
        )

    @move(4)
    def the_council_acts(self) -> None:
        """Anyone carries a proposal out: too early, unapproved, lapsed, or in time."""
        random = self.random
        if not self.past.proposals:
            return
        target, data, salt, then = self._some_proposal()
        proposal = self._id_of(target, data, salt)
        ready = self.rules_of_council.proposals[proposal].executable_from
        if ready and not self.chance(5):
            self.time = max(self.time, ready - random.choice((0, 0, 0, 1, 2)))
        elif ready and self.chance(8):
            self.time = max(self.time, ready + 30 * DAY - random.choice((1, 2)))

        def decide(at: int) -> None:
            found = self.rules_of_council.check_executable(proposal, at)
            self.rules_of_council.tell("Executed", id=proposal)
            then(at)
            found.executed = True

        self.perform(self.act(self.anyone(), self.council, "execute", (target, data, salt), decide))


def _names(data: bytes, contract: Any) -> bool:
    """Whether a call's data holds the address of a contract."""
    return bytes.fromhex(contract.address[2:]) in data
