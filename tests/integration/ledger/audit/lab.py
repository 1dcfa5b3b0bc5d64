"""A small city on a real Anvil, for tests of the audit and of receipts: deploy, act, look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.transactions import sign_legacy
from ledger.clock import ManualClock
from ledger.deployment import artifacts
from ledger.deployment.city import CityActors, load
from ledger.deployment.contracts import Contracts, call_data
from ledger.deployment.deploy import deploy
from ledger.deployment.file import Deployment
from ledger.standard import packed
from ledger.standard.evidence import EvidenceLeaf, MerkleTree, RedemptionReceipt, activity_code
from ledger.standard.ids import MerchantId, OrderId, ProgrammeId, token_id
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import quarter_at
from ledger.standard.signatures import SigningKey
from ledger.standard.typed_data import (
    ArbiterRefund,
    Capture,
    ExchangeOrder,
    HoldOrder,
    Lot,
    MintBatch,
    Objection,
    RedeemOrder,
    Refund,
    Release,
    Revocation,
    Succession,
    VoidBatch,
    lots_hash,
)

START = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
GAS = 15_000_000


def key(name: str) -> SigningKey:
    """A key that is the same in every run."""
    return SigningKey(keccak256(b"lab " + name.encode()))


@dataclass
class Batch:
    """A minted batch with its evidence."""

    programme: int
    number: int
    quarter: int
    leaves: list[EvidenceLeaf]
    tree: MerkleTree
    grants: bytes

    @property
    def signed(self) -> MintBatch:
        """What its issuer signed."""
        programme = ProgrammeId(self.programme)
        return MintBatch(programme, self.quarter, self.number, self.tree.root, keccak256(self.grants))

    @property
    def struct(self) -> tuple[Any, ...]:
        """As the ledger takes it."""
        return (self.programme, self.quarter, self.number, self.tree.root, self.grants)

    def to_json(self) -> dict[str, Any]:
        """The batch as a published leaf file."""
        return {
            "programme": self.programme,
            "number": str(self.number),
            "root": "0x" + self.tree.root.hex(),
            "leaves": [
                {
                    "grantId": "0x" + leaf.grant_id.hex(),
                    "account": leaf.account,
                    "tokenId": str(leaf.token_id),
                    "amount": str(leaf.amount),
                    "activityCode": "0x" + leaf.activity_code.hex(),
                    "rulebookVersion": leaf.rulebook_version,
                    "commitment": "0x" + leaf.commitment.hex(),
                }
                for leaf in self.leaves
            ],
        }


@dataclass
class Paid:
    """An order that was paid alone in its batch: what a refund or a dispute of it has to show."""

    receipt: tuple[Any, ...]
    batch: int
    proof: list[bytes]
    lots: tuple[Lot, ...]

    @property
    def order_id(self) -> bytes:
        order_id: bytes = self.receipt[0]
        return order_id


@dataclass
class Lab:
    """The city, its keys, and acts on it. Acts queue transactions; `mine` puts them in one block."""

    engine: EmbeddedEngine
    deployment: Deployment
    clock: ManualClock
    relayer: SigningKey
    residents: list[SigningKey]
    batches: dict[tuple[int, int], Batch] = field(default_factory=dict)
    _nonces: dict[str, int] = field(default_factory=dict)
    _queued: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, residents: int = 6) -> Lab:
        """Start a node and deploy the demo's city."""
        clock = ManualClock(START)
        options = EmbeddedOptions(isolate=False, second_node=False)  # the auditor calls by HTTP
        engine = EmbeddedEngine.open(
            folder, clock, options, draw=lambda n: 5_101_001 % n, steady=lambda: float(clock.timestamp())
        )
        config = load()
        actors = CityActors(
            council=(key("council").address,),
            council_threshold=1,
            finance_bureau=key("finance").address,
            guardian=key("guardian").address,
            registrar=key("registrar").address,
            supervisor=key("supervisor").address,
            arbiter=key("arbiter").address,
            arbiter_key=key("arbiter's second hand").address,
            issuers={ProgrammeId(p.id): (key(f"issuer {p.id}").address,) for p in config.programmes},
            merchants={MerchantId(m.id): key(f"merchant {m.id}").address for m in config.merchants},
            desks=(key("desk").address, key("other desk").address),
            council_delay_s=3_600,
            institution_delay_s=3_600,
        )
        deployment = deploy(engine, config, actors, key("deployer"))
        return cls(engine, deployment, clock, key("relayer"), [key(f"resident {n}") for n in range(residents)])

    def close(self) -> None:
        self.engine.close()

    @cached_property
    def contracts(self) -> Contracts:
        """The city's contracts, to call and to read."""
        return Contracts.of(self.engine, self.deployment)

    @property
    def url(self) -> str:
        return self.engine.url

    @property
    def quarter(self) -> int:
        """The current quarter."""
        return quarter_at(self.clock.timestamp())

    def address(self, contract: str) -> bytes:
        return bytes.fromhex(self.deployment.address(contract)[2:])

    def advance(self, **span: float) -> None:
        """Move the clock forward."""
        self.clock.set(self.clock.now() + timedelta(**span))

    def call(self, contract: str, function: str, args: Sequence[Any], sender: SigningKey | None = None) -> str:
        """Queue a call; return its transaction hash."""
        to_call = self.contracts[contract].functions[function](*args)
        return self.send(str(to_call.address), call_data(to_call), sender)

    def data(self, contract: str, function: str, args: Sequence[Any]) -> bytes:
        """The bytes of a call."""
        return call_data(self.contracts[contract].functions[function](*args))

    def send(self, to: str | None, data: bytes, sender: SigningKey | None = None) -> str:
        """Queue raw call data, or the creation of a contract."""
        signer = sender or self.relayer
        nonce = self._nonces.get(signer.address)
        if nonce is None:
            nonce = int(self.engine.rpc.call("eth_getTransactionCount", [signer.address, "latest"]), 16)
        raw, digest = sign_legacy(signer, self.engine.chain_id, nonce, to, data, GAS)
        self._nonces[signer.address] = nonce + 1
        [outcome] = self.engine.submit([raw])
        assert outcome.in_pool, outcome
        self._queued.append("0x" + digest.hex())
        return self._queued[-1]

    def mine(self) -> list[dict[str, Any]]:
        """Make a block of what is queued; every transaction must succeed."""
        self.advance(seconds=1)
        self.engine.produce()
        receipts = self.engine.rpc.batch([("eth_getTransactionReceipt", [digest]) for digest in self._queued])
        self._queued.clear()
        assert all(receipt["status"] == "0x1" for receipt in receipts), receipts
        return receipts

    # acts

    def mint(self, programme: int, number: int, grants: Sequence[tuple[str, int]], quarter: int | None = None) -> str:
        """Mint a batch with evidence of its own."""
        quarter = self.quarter + 4 if quarter is None else quarter
        token = token_id(programme, quarter)
        leaves = [
            EvidenceLeaf(
                grant_id=keccak256(b"grant %d %d %d" % (programme, number, index)),
                account=account,
                token_id=token,
                amount=amount,
                activity_code=activity_code("lab.act"),
                rulebook_version=1,
                commitment=keccak256(b"commitment %d %d" % (number, index)),
            )
            for index, (account, amount) in enumerate(grants)
        ]
        tree = MerkleTree([leaf.hash() for leaf in leaves])
        batch = Batch(programme, number, quarter, leaves, tree, packed.pack_grants(grants))
        signature = self.sign(f"issuer {programme}", batch.signed)
        self.batches[programme, number] = batch
        return self.call("PointsLedger", "mint", (batch.struct, signature))

    def void(self, programme: int, number: int) -> str:
        signature = self.sign(f"issuer {programme}", VoidBatch(programme, number))
        return self.call("PointsLedger", "voidBatch", (programme, number, signature))

    def revoke(self, programme: int, number: int, *revocations: tuple[int, int]) -> str:
        """Revoke up to a total of each grant: (index, total)."""
        batch = self.batches[programme, number]
        listed = packed.pack_revocations([(index, total, 7) for index, total in revocations])
        signature = self.sign(f"issuer {programme}", Revocation(ProgrammeId(programme), number, keccak256(listed)))
        return self.call("PointsLedger", "revoke", (batch.struct, listed, signature))

    def exchange(self, *orders: tuple[SigningKey, ExchangeOrder]) -> str:
        signed = [(order, holder.sign_digest(order.digest(self.deployment.domain()))) for holder, order in orders]
        return self.call("Exchange", "execute", (packed.pack_exchange_orders(signed),))

    def exchange_order(
        self, holder: SigningKey, lot: int, amount: int, to: int, nonce: int, min_out: int = 1
    ) -> ExchangeOrder:
        return ExchangeOrder(holder.address, lot, amount, to, min_out, nonce, self.clock.timestamp() + 3600)

    def redeem(self, *orders: tuple[SigningKey, RedeemOrder]) -> str:
        signed = [(order, holder.sign_digest(order.digest(self.deployment.domain()))) for holder, order in orders]
        return self.call("Redemption", "execute", (packed.pack_redeem_orders(signed),))

    def redeem_order(
        self, holder: SigningKey, merchant: int, lots: Sequence[tuple[int, int]], nonce: int
    ) -> RedeemOrder:
        parts = tuple(Lot(token, amount) for token, amount in lots)
        return RedeemOrder(holder.address, merchant, parts, nonce, self.clock.timestamp() + 3600)

    def hold(self, holder: SigningKey, order: HoldOrder) -> str:
        signature = holder.sign_digest(order.digest(self.deployment.domain()))
        return self.call("Redemption", "hold", (packed.pack_hold_order(order, signature),))

    def hold_order(
        self, holder: SigningKey, merchant: int, lots: Sequence[tuple[int, int]], nonce: int, days: int = 10
    ) -> HoldOrder:
        parts = tuple(Lot(token, amount) for token, amount in lots)
        now = self.clock.timestamp()
        return HoldOrder(holder.address, merchant, parts, nonce, now + 3600, now + days * 86_400, True)

    def capture(self, order: HoldOrder, lots: int, last: int) -> str:
        message = Capture(order.digest(self.deployment.domain()), lots, last)
        signature = self.sign(f"merchant {order.merchant}", message)
        return self.call("Redemption", "capture", (packed.pack_capture(order, lots, last, signature),))

    def release(self, order: HoldOrder) -> str:
        message = Release(order.digest(self.deployment.domain()))
        signature = self.sign(f"merchant {order.merchant}", message)
        return self.call("Redemption", "release", (packed.pack_release(order, signature),))

    def pay(self, holder: SigningKey, merchant: int, lots: Sequence[tuple[int, int]], nonce: int) -> Paid:
        """Redeem one order in a block of its own."""
        order = self.redeem_order(holder, merchant, lots, nonce)
        self.redeem((holder, order))
        [receipt] = self.mine()
        return self.paid_by(receipt, order)

    def paid_by(self, receipt: dict[str, Any], order: RedeemOrder | HoldOrder, kept: tuple[Lot, ...] = ()) -> Paid:
        """What a refund shows of an order that a transaction paid alone."""
        [redeemed] = _logs(receipt, "Redeemed")
        [batch] = _logs(receipt, "RedemptionBatch")
        block = self.engine.rpc.call("eth_getBlockByNumber", [receipt["blockNumber"], False])
        order_id = order.digest(self.deployment.domain())
        fen, time, lots = int(redeemed["data"][2:66], 16), int(block["timestamp"], 16), kept or order.lots
        leaf = RedemptionReceipt(order_id, order.holder, order.merchant, lots_hash(lots), fen, time)
        proof = MerkleTree([leaf.hash()], sort_leaves=False).proof(0)
        fields = (order_id, order.holder, order.merchant, lots_hash(lots), fen, time)
        return Paid(fields, int(batch["topics"][1], 16), proof, lots)

    def refund(self, paid: Paid, lots: int, last: int) -> str:
        message = Refund(OrderId(paid.order_id), lots, last)
        return self._refund("refund", paid, lots, last, self.sign(f"merchant {paid.receipt[2]}", message))

    def arbiter_refund(self, paid: Paid, lots: int, last: int) -> str:
        message = ArbiterRefund(OrderId(paid.order_id), lots, last)
        return self._refund("arbiterRefund", paid, lots, last, self.sign("arbiter's second hand", message))

    def _refund(self, function: str, paid: Paid, lots: int, last: int, signature: bytes) -> str:
        shown = (paid.receipt, (paid.batch, paid.proof), packed.pack_lots(paid.lots))
        return self.call("Redemption", function, (*shown, packed.pack_prefix(lots, last), signature))

    def lock(self, paid: Paid, fen: int) -> str:
        shown = (paid.receipt, (paid.batch, paid.proof), fen, keccak256(b"complaint"))
        return self.call("Redemption", "lockOrder", shown, sender=key("arbiter"))

    def request_succession(self, old: str, new: SigningKey) -> str:
        deadline = self.clock.timestamp() + 86_400
        consent = new.sign_digest(Succession(old, new.address, deadline).digest(self.deployment.domain()))
        asked = (old, new.address, deadline, consent)
        return self.call("Succession", "requestSuccession", asked, sender=key("desk"))

    def object_to(self, old: SigningKey, new: str) -> str:
        signature = old.sign_digest(Objection(old.address, new).digest(self.deployment.domain()))
        return self.call("Succession", "objectTo", (old.address, signature))

    def announced(self, contract: str, function: str, args: Sequence[Any], sender: SigningKey) -> None:
        """Have an institution make a call: announce, wait, call."""
        announced = self.contracts[contract].functions[function](*args)
        data = call_data(announced)
        self.call("AccessManager", "schedule", (announced.address, data, 0), sender=sender)
        self.mine()
        self.advance(hours=2)
        self.send(str(announced.address), data, sender)
        self.mine()

    def decide(self, contract: str, function: str, args: Sequence[Any]) -> None:
        """Have the council make a call: propose, wait, carry out."""
        decided = self.contracts[contract].functions[function](*args)
        data = call_data(decided)
        proposal = (decided.address, data, keccak256(data))
        self.call("Council", "propose", proposal, sender=key("council"))
        self.mine()
        self.advance(hours=2)
        self.call("Council", "execute", proposal)
        self.mine()

    def sign(self, who: str, message: Any) -> bytes:
        return key(who).sign_digest(message.digest(self.deployment.domain()))


def _logs(receipt: dict[str, Any], event: str) -> list[dict[str, Any]]:
    topic = "0x" + artifacts.event_topic("Redemption", event).hex()
    return [log for log in receipt["logs"] if log["topics"][0] == topic]
