"""Where a random life is played: the city at its beginning, its people, and how an act is put to model and chain."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from brownie import accounts, web3
from city import (
    CULTURE,
    DAY,
    ENVIRONMENT,
    EXCHANGE,
    GIFT,
    GUARDIAN,
    ISSUANCE,
    MUSEUM,
    PROGRAMMES,
    REDEMPTION,
    RESIDENCE,
    SCOPES,
    START,
    THEATRE,
    VOLUNTEER,
    City,
    Person,
    bits,
)
from eth_utils import keccak
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from reference import EvidenceLeaf, HoldOrder, MerkleTree, Prefix, pack_grants, quarter_of, sign, token_id

from .ledgers import Ledgers
from .model import Brake, Council, Model, Paid, Programme, Reverts, Shop, Wallet
from .wire import Call, Mined, Wire

FLOOD = 60
"""A programme so cheap that its lots fill up: a micro-fen a point."""
PLAYED = (VOLUNTEER, ENVIRONMENT, CULTURE, RESIDENCE, GIFT, MUSEUM, FLOOD)
FUNDING_FEN = 300_000
FLOOD_FUNDING_FEN = 10**8
REBIRTH_CAP_FEN = 300
PLAYERS_MAX = 14
MODULE_ROLES = {"issuance": ISSUANCE, "exchange": EXCHANGE, "redemption": REDEMPTION}
SPARES = 3
CALLS_A_BLOCK = 4
"""The gas of so many transactions fits a block."""
BEGIN = START + 30 * DAY
"""Three weeks before a quarter's end, so that lots die in escrow and before they are refunded."""


@dataclass(frozen=True)
class Player:
    """A holder: an account, or the contract wallet that an account owns."""

    address: str
    person: Person
    wallet: Any = None


@dataclass(frozen=True)
class Act:
    """A call, and what the model says to it."""

    call: Call
    decide: Callable[[int], Any]
    name: str


@dataclass
class SignedBatch:
    """What an issuer signed, for the first relayer and for every other."""

    programme: int
    quarter: int
    number: int
    root: bytes
    grants: tuple[tuple[str, int], ...]
    signature: bytes

    def args(self) -> tuple[Any, ...]:
        packed = pack_grants(self.grants)
        return (self.programme, self.quarter, self.number, self.root, packed, self.signature)


@dataclass
class Past:
    """What a life remembers, to do something with it later."""

    batches: list[SignedBatch] = field(default_factory=list)
    leaves: list[tuple[EvidenceLeaf, bytes, int, MerkleTree]] = field(default_factory=list)
    """leaf, its hash, number and tree of its batch"""
    sent: dict[str, list[bytes]] = field(default_factory=lambda: {"exchange": [], "redeem": [], "hold": []})
    """packed orders, one by one"""
    closings: dict[str, list[bytes]] = field(default_factory=lambda: {"capture": [], "release": []})
    holds: list[HoldOrder] = field(default_factory=list)
    payments: list[Paid] = field(default_factory=list)
    refunds: list[tuple[Paid, Prefix, bytes]] = field(default_factory=list)
    """payment, prefix and the merchant's signature"""
    trees: dict[int, MerkleTree] = field(default_factory=dict)
    proposals: list[tuple[Any, bytes, bytes, Callable[[int], None]]] = field(default_factory=list)
    """target, data, salt, and what the model does when it is carried out"""
    nonces: Counter[tuple[str, int]] = field(default_factory=Counter)


def move(weight: int = 1) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Make a method one of the moves of a life; twice the weight, twice as often."""

    def mark(method: Callable[[Any], None]) -> Callable[[Any], None]:
        method.weight = weight  # type: ignore[attr-defined]
        return method

    return mark


class Theatre:
    """The city prepared once: what all lives of a run have in common."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.owners = [Person(f"player {i}") for i in range(8)]
        self.wallets = [
            city.project.WalletMock.deploy(owner.address, city.by_operator)
            for owner in (*self.owners[6:], city.merchant[THEATRE])
        ]
        self.council = city.project.Council.deploy(accounts[7:10], 2, 2 * DAY, city.by_admin)
        self.members = [account.address for account in accounts[6:10]]
        self.spares = {name: self._spares(name) for name in MODULE_ROLES}
        city.ledger.setRebirthCap(REBIRTH_CAP_FEN, city.by_admin)
        city.settlement.setFinanceKey(city.chen.address, city.by_admin)
        city.book.registerMerchant(THEATRE, self.wallets[2], bits(SCOPES[THEATRE]), {"from": city.registrar})
        city.ledger.registerProgramme(FLOOD, 1, 15, bits(0), "Flood", "F", city.by_admin)
        self.issuers = {programme: city.issuer.get(programme, Person("issuer of the flood")) for programme in PLAYED}
        city.ledger.setIssuerKey(FLOOD, self.issuers[FLOOD].address, True, city.by_admin)
        city.appropriate(FLOOD, FLOOD_FUNDING_FEN, 2031)
        for programme in PLAYED:
            if programme in PROGRAMMES and PROGRAMMES[programme][0]:
                city.book.lapse(programme, 2030, {"from": city.finance})
                city.appropriate(programme, FUNDING_FEN, 2031)
        city.manager.grantRole(0, self.council, 0, city.by_admin)
        city.manager.renounceRole(0, city.admin, city.by_admin)
        contracts: tuple[Any, ...] = (
            city.manager,
            city.ledger,
            city.book,
            city.issuance,
            city.exchange,
            city.redemption,
        )
        contracts += (city.settlement, city.disputes, self.council, self.wallets[0])
        self.wire = Wire(web3.provider.endpoint_uri, contracts)

    def _spares(self, name: str) -> list[Any]:
        """Modules that wait to replace the one in office; the guardian's brake is theirs already."""
        city, kind = self.city, getattr(self.city.project, name.capitalize())
        spares = []
        for _ in range(SPARES):
            module = kind.deploy(city.manager, city.ledger, city.book, city.by_admin)
            brake = [module.pause.signature, module.unpause.signature]
            city.manager.setTargetFunctionRole(module, brake, GUARDIAN, city.by_admin)
            spares.append(module)
        return spares

    def players(self) -> list[Player]:
        plain = [Player(owner.address, owner) for owner in self.owners[:6]]
        pairs = zip(self.owners[6:], self.wallets[:2], strict=True)
        return [*plain, *(Player(wallet.address, owner, wallet) for owner, wallet in pairs)]

    def model(self) -> Model:
        city = self.city
        shops = {shop: Shop(city.merchant[shop].address, scope) for shop, scope in SCOPES.items()}
        shops[THEATRE].key = self.wallets[2].address
        owners = (*self.owners[6:], city.merchant[THEATRE])
        model = Model(
            domain=city.domain,
            ledger=city.ledger.address,
            programmes={programme: Programme(*terms) for programme, terms in {**PROGRAMMES, FLOOD: (1, 15, 0)}.items()},
            issuers={programme: {person.address} for programme, person in {**city.issuer, **self.issuers}.items()},
            shops=shops,
            wallets={w.address: Wallet(owner.address) for w, owner in zip(self.wallets, owners, strict=True)},
            rebirth_cap_fen=REBIRTH_CAP_FEN,
            finance_key=city.chen.address,
        )
        for programme, (par, _, _) in PROGRAMMES.items():
            if par and programme in PLAYED:
                model.years[programme, 2030] = [10**9, 10**9]
                model.years[programme, 2031] = [FUNDING_FEN, 0]
            elif par:
                model.years[programme, 2030] = [10**9, 0]
        model.years[FLOOD, 2031] = [FLOOD_FUNDING_FEN, 0]
        return model


class Stage(RuleBasedStateMachine):
    """One random life."""

    theatre: Theatre
    seed: int
    lives = 0
    steps = 0
    seen: Counter[str] = Counter()  # noqa: RUF012  # All lives of a run count into it, for its report.

    def __init__(self) -> None:
        super().__init__()
        type(self).lives += 1
        self.wire = self.theatre.wire
        self.city = self.theatre.city
        self.council = self.theatre.council
        self.before = self.wire.ask("evm_snapshot")
        self.time = BEGIN
        self.age = 0
        self.sound = True
        """Whether the last step went as it should; where it did not, nothing more is worth a check."""
        self.players = self.theatre.players()
        self.model = self.theatre.model()
        members = {account: i for i, account in enumerate(self.theatre.members[1:], 1)}
        self.rules_of_council = Council(members, 2, 2 * DAY, told=self.model.told, joinings=3)
        self.ledgers = Ledgers(self.model)
        self.past = Past()
        self.issuers = {programme: [person] for programme, person in self.theatre.issuers.items()}
        """Keys that signed once or sign now, the newest last."""
        self.modules = {name: getattr(self.city, name) for name in MODULE_ROLES}
        """Those in office."""
        self.retired: dict[str, list[tuple[Any, Brake]]] = {name: [] for name in MODULE_ROLES}
        """Those that were, and how long each was paused when it left."""
        self.replacing: set[str] = set()
        self.shop_keys = {shop: self.city.merchant[shop] for shop in SCOPES}
        self.random = Random()
        self.weights: dict[str, float] = {}
        self.story: list[str] = []

    def teardown(self) -> None:
        assert self.wire.ask("evm_revert", self.before) is True
        if not self.sound:
            print(f"life {self.lives} went wrong in its last move:", *self.story, sep="\n  ")

    @initialize(draw=st.integers(0, 2**32 - 1))
    def first_grants(self, draw: int) -> None:
        self.random = Random(f"{self.seed} {draw}")
        self.weights = self._weights()
        acts = []
        for programme in PLAYED:
            quarters = (0,) if programme == RESIDENCE else tuple(quarter_of(self.time) + i for i in (0, 1, 4))
            for quarter in quarters:
                most = 2**44 if programme == FLOOD else 20_000
                grants = [(p.address, self.random.randint(1, most)) for p in self.players[1:7]]
                acts.append(self.mint_act(self.new_batch(programme, quarter, grants)))
        for start in range(0, len(acts), CALLS_A_BLOCK):
            self.perform(*acts[start : start + CALLS_A_BLOCK])

    # -------------------------------------------------------------------------------------------------- the act

    def act(self, sender: Any, contract: Any, function: str, args: Sequence[Any], decide: Callable[[int], Any]) -> Act:
        """An act of an account, or of a player, whose wallet calls for it where it has one."""
        if isinstance(sender, Player) and sender.wallet is not None:
            inner = Call(sender.address, contract, function, tuple(args))
            passed_on = (contract, bytes.fromhex(inner.data[2:]))
            return Act(Call(self.city.operator.address, sender.wallet, "call", passed_on), decide, function)
        address = str(getattr(sender, "address", sender))
        return Act(Call(address, contract, function, tuple(args)), decide, function)

    def anyone(self) -> Any:
        return self.random.choice((self.city.operator, self.city.stranger))

    def perform(self, *acts: Act) -> list[Any]:
        """Put acts to the model and, in one block, to the chain: both do them, or both refuse for the same reason.

        Returns what the model answered, None where it refused.
        """
        self.time += 1
        decided = [self._decide(act) for act in acts]
        for act, (refused, _, _) in zip(acts[:1], decided, strict=False):
            found = self.wire.refusal(act.call, self.time)
            wanted = None if refused is None else (refused.name, refused.values)
            got = None if found is None else (found.name, found.values)
            assert got == wanted, f"{act.name}: the chain says {got}, the model {wanted}"
        mined = self.wire.mine(self.time, [act.call for act in acts])
        for act, outcome, (refused, _, told) in zip(acts, mined, decided, strict=True):
            assert outcome.ok is (refused is None), f"{act.name}: {outcome}, the model says {refused}"
            self._compare(act, outcome, told)
        return [answer for _, answer, _ in decided]

    def _decide(self, act: Act) -> tuple[Reverts | None, Any, list[Any]]:
        self.model.told.clear()
        try:
            answer = act.decide(self.time)
        except Reverts as refused:
            self.seen[refused.name] += 1
            return refused, None, []
        return None, answer, list(self.model.told)

    def _compare(self, act: Act, outcome: Mined, told: list[Any]) -> None:
        plain = [event for _, event in outcome.events if event[0] not in ("Transfer", "PositionChanged")]
        assert plain == told, f"{act.name}: the chain tells {plain}, the model {told}"
        self.seen.update(f"Rejected {values['code']}" if name == "Rejected" else name for name, values in plain)
        self.ledgers.follow(act.name, [event for _, event in outcome.events], self.time)

    # ------------------------------------------------------------------------------------------------- signatures

    def sign(self, person: Person, digest: bytes) -> bytes:
        """Sign, and let the model know who did."""
        signature = sign(person.key, digest)
        self.model.signers[digest, signature] = person.address
        return signature

    # ------------------------------------------------------------------------------------------------------ minting

    def signed_batch(
        self, programme: int, quarter: int, number: int, root: bytes, grants: Sequence[tuple[str, int]], by: Person
    ) -> SignedBatch:
        fields = {"programme": programme, "quarter": quarter, "number": number, "evidenceRoot": root}
        digest = self.model.digest("MintBatch", **fields, grantsHash=keccak(pack_grants(grants)))
        return SignedBatch(programme, quarter, number, root, tuple(grants), self.sign(by, digest))

    def mint_act(self, batch: SignedBatch) -> Act:
        args = batch.args()
        return self.act(
            self.anyone(),
            self.modules["issuance"],
            "mint",
            args,
            lambda at: self.model.mint(*args[:4], batch.grants, *args[4:], at),
        )

    def new_batch(self, programme: int, quarter: int, grants: Sequence[tuple[str, int]]) -> SignedBatch:
        """Sign a batch with evidence, and remember both."""
        lot = token_id(programme, quarter)
        number = len(self.past.batches) + 1
        leaves = [EvidenceLeaf(self.random.randbytes(32), account, lot, amount) for account, amount in grants]
        tree = self.remember_leaves(leaves, number)
        batch = self.signed_batch(programme, quarter, number, tree.root, grants, self.issuers[programme][-1])
        self.past.batches.append(batch)
        return batch

    def remember_leaves(self, leaves: Sequence[EvidenceLeaf], number: int) -> MerkleTree:
        hashes = [leaf.hash() for leaf in leaves]
        tree = MerkleTree(hashes)
        self.past.leaves += [(leaf, found, number, tree) for leaf, found in zip(leaves, hashes, strict=True)]
        return tree

    # ------------------------------------------------------------------------------------------------------ chance

    @rule(draw=st.integers(0, 2**32 - 1))
    def live(self, draw: int) -> None:
        """Make one move. Hypothesis draws small and equal numbers often; with the age no two steps are alike."""
        self.age += 1
        type(self).steps += 1
        self.sound = False
        self.random = Random(f"{self.seed} {self.age} {draw}")
        name = self.random.choices(list(self.weights), list(self.weights.values()))[0]
        self.story.append(f"{self.age} {name} at {self.time}")
        getattr(self, name)()

    def _weights(self) -> dict[str, float]:
        """Each life has likes of its own, so that now and then much of one thing meets little of another."""
        found = {name: getattr(method, "weight", 0) for name, method in inspect.getmembers(type(self))}
        return {name: weight * self.random.choice((0.25, 1, 1, 1, 2, 4)) for name, weight in found.items() if weight}

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def holder(self) -> Player:
        """Most often somebody who has something."""
        rich = [p for p in self.players if any(self.lots_of(p))]
        return self.random.choice(rich if rich and not self.chance(12) else self.players)

    def lots_of(self, player: Player) -> Iterator[int]:
        return (lot for (who, lot), amount in self.model.balances.items() if who == player.address and amount)

    def lot(self, player: Player | None = None) -> int:
        """A lot: most often a living one the player has something of, sometimes any."""
        if player is not None and not self.chance(15):
            held = sorted(self.lots_of(player))
            alive = [lot for lot in held if not self.model.is_dead(lot, self.time)]
            held = alive if alive and not self.chance(12) else held
            worth = [lot for lot in held if self.model.par(lot)]
            held = worth if worth and not self.chance(12) else held
            if held:
                return self.random.choice(held)
        quarter = quarter_of(self.time) + self.random.choice((-1, 0, 0, 1, 3, 4))
        return token_id(self.random.choice((*self.model.programmes, 99)), quarter)

    def amount(self, player: Player, lot: int) -> int:
        held = self.model.balances.get((player.address, lot), 0) or 500
        if self.chance(12):
            return self.random.choice((0, 1, held, held + 1, 2**48, 2**64 - 1))
        return self.random.randint(min(50, held), held)

    def nonce(self, account: str, lot: int) -> int:
        """Return the next nonce of a word; now and then one far away."""
        word = self.model.place_of(account, lot)
        base, window = self.model.nonces.get(word, (0, 0))
        if self.chance(25):
            return base + self.random.choice((0, 5, 30, 31, 32, 33, 62, 63, 64, 65, 95))
        free = max(self.past.nonces[word], base)
        while window >> (free - base) & 1:
            free += 1
        self.past.nonces[word] = free + 1
        return free

    def another(self, people: Sequence[Player]) -> Person:
        return self.random.choice(people).person

    def remember(self, payments: list[Paid] | None) -> None:
        """Keep receipts for refunds and disputes, with the tree of their batch."""
        if payments:
            self.past.payments += payments
            self.past.trees[payments[0].batch] = MerkleTree([paid.leaf() for paid in payments], sort=False)
