"""A whole city as it is deployed, and what its people do, in a few words for the tests."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brownie
from brownie import accounts, project, web3
from brownie.network import account
from brownie.network.account import LocalAccount
from eth_utils import keccak
from line import Line
from reference import (
    Domain,
    EvidenceLeaf,
    ExchangeOrder,
    HoldOrder,
    Lot,
    MerkleTree,
    Prefix,
    RedeemOrder,
    address_of,
    lots_hash,
    pack_grants,
    pack_lots,
    pack_revocations,
    prefix_word,
    quarter_end,
    receipt_hash,
    sign,
    whole,
)

ROOT = Path(__file__).resolve().parents[2]
SALT = keccak(text="contract tests")
START = quarter_end(120) + 40 * 86_400
"""10 February 2030, 00:00 in UTC+8: the chain's clock when a test begins."""
NOW = 121
"""The quarter of START."""
DAY = 86_400

TRANSFERABLE, EXCHANGE_IN, EXCHANGE_OUT, REDEEMABLE = 1, 2, 4, 8
VOLUNTEER, ENVIRONMENT, TRAFFIC, CULTURE, RESIDENCE, GIFT, MUSEUM = 1, 2, 3, 4, 5, 6, 7
SPENDABLE = EXCHANGE_IN | EXCHANGE_OUT | REDEEMABLE
PROGRAMMES: Mapping[int, tuple[int, int, int]] = {
    VOLUNTEER: (20_000_000, SPENDABLE, 0),
    ENVIRONMENT: (5_000_000, SPENDABLE, 0),
    TRAFFIC: (10_000_000, SPENDABLE, 0),
    CULTURE: (100_000_000, SPENDABLE, 0),
    RESIDENCE: (0, 0, 0),
    GIFT: (30_000_000, SPENDABLE | TRANSFERABLE, 0),
    MUSEUM: (7_000_000, REDEEMABLE, 0b100),
}
"""id: (par in micro-fen a point, flags, spend scope). The five of the sample city, one that can be handed on, and one
that can only be spent in a scope."""
PAR = {programme: par for programme, (par, _, _) in PROGRAMMES.items()}
APPROPRIATION_FEN = 10**9
SHOP, OTHER_SHOP, THEATRE = 1, 2, 3
SCOPES = {SHOP: 0b001, OTHER_SHOP: 0b011, THEATRE: 0b100}

WEEK = 7 * DAY
MATURITY = WEEK
"""How long a period of the clearing book lasts."""
TERMS = (WEEK, 0)
"""Payment term, and no ceiling on what a merchant is paid out a cycle."""
NO_CEILING = 2**48 - 1
"""What the harness lets a programme mint and revoke a day, so that only tests of the ceilings meet them."""
POOL, TREASURY = 3 << 32, 4 << 32

# Roles, as the deployment gives them.
ADMIN = 0
EXCHANGE, REDEMPTION, FINANCE, GUARDIAN, DESK, REGISTRAR, ARBITER, SUPERVISOR = range(1, 9)
FUNCTION_ROLES = (
    ("ledger", ("beginExchange",), EXCHANGE),
    ("ledger", ("beginRedemption",), REDEMPTION),
    ("ledger", ("freeze",), GUARDIAN),
    ("book", ("post",), EXCHANGE),
    ("book", ("postReceipts", "postRefund", "lockOrder"), REDEMPTION),
    ("book", ("recordAppropriation", "lapse", "reclaim", "fund", "payout", "payDirectly"), FINANCE),
    ("book", ("registerMerchant",), REGISTRAR),
    ("exchange", ("pause", "unpause"), GUARDIAN),
    ("redemption", ("pause", "unpause"), GUARDIAN),
    ("redemption", ("lockOrder",), ARBITER),
    ("succession", ("requestSuccession", "confirm"), DESK),
)
"""Who may call what; the admin, in a real city the council, whatever is not named here."""


Batch = tuple[int, int, int, bytes, bytes]
"""programme, quarter, number, evidence root, packed grants"""
Receipt = tuple[bytes, str, int, bytes, int, int]
"""order id, holder, merchant, lots hash, fen, time"""


@dataclass(frozen=True)
class Payment:
    """An order that paid, with its receipt, where the receipt is, and the lots paid with."""

    receipt: Receipt
    proof: tuple[int, list[bytes]]
    lots: tuple[Lot, ...]

    def arguments(self, prefix: Prefix) -> tuple[Any, ...]:
        """Return what a refund down to a prefix takes besides a signature."""
        return self.receipt, self.proof, pack_lots(self.lots), prefix_word(prefix)


def key_of(name: str) -> bytes:
    """Return a private key that only a name stands behind."""
    return keccak(text=f"contract tests: {name}")


def bits(scope: int) -> bytes:
    return scope.to_bytes(32, "big")


class Person:
    """Somebody with a key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = key_of(name)
        self.address = address_of(self.key)

    def __repr__(self) -> str:
        return self.name

    @property
    def account(self) -> LocalAccount:
        """The person as a sender of transactions of their own; gas is free."""
        return accounts.add(self.key)


def event_values(tx: Any, name: str) -> list[dict[str, Any]]:
    """Return all events of a name, in order, as dictionaries."""
    return [dict(event) for event in tx.events[name]] if name in tx.events else []


def transfers(tx: Any) -> list[tuple[str, str, int, int]]:
    """Return (sender, receiver, id, amount) of each Transfer, in order."""
    return [(e["sender"], e["receiver"], e["id"], e["amount"]) for e in event_values(tx, "Transfer")]


def rejections(tx: Any) -> list[tuple[bytes, str, int]]:
    """Return (order id, holder, code) of each Rejected, in order."""
    return [(bytes(e["orderId"]), e["holder"], e["code"]) for e in event_values(tx, "Rejected")]


@contextlib.contextmanager
def reverts(error: str, *values: Any) -> Iterator[None]:
    """Expect a custom error with exactly these values."""
    shown = ", ".join(_shown(value) for value in values)
    with brownie.reverts(f"{error}: {shown}"):
        yield


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return repr(value)
    if isinstance(value, str) and value.startswith("0x"):
        return value.lower()
    return str(value)


def now() -> int:
    """Return the last block's time."""
    return int(web3.eth.get_block("latest")["timestamp"])


def go_to(timestamp: int) -> None:
    """Make a block at exactly this time."""
    next_block_at(timestamp)
    _ask("evm_mine")


def next_block_at(timestamp: int) -> None:
    """Make the next transaction's block have exactly this time."""
    _ask("evm_setNextBlockTimestamp", timestamp)


@dataclass(frozen=True)
class Moment:
    """A state of the chain, and how many contracts of each kind Brownie knew then."""

    state: str
    contracts: dict[str, int]


def _containers() -> dict[str, Any]:
    return dict(project.get_loaded_projects()[0].dict())


def snapshot() -> Moment:
    """Remember the chain's state. Brownie's own isolation would take down what lives longer than one file."""
    counts = {name: len(container) for name, container in _containers().items()}
    return Moment(str(_ask("evm_snapshot")), counts)


def put_back(moment: Moment) -> None:
    """Return to a remembered state; it is forgotten by that."""
    assert _ask("evm_revert", moment.state) is True
    # Brownie would wait for ever until an account's nonce passes that of a transaction which is no more, and would
    # refuse to make a contract where it knows one.
    brownie.history.clear()
    for name, container in _containers().items():
        if len(container) > moment.contracts[name]:
            container._revert(web3.eth.block_number)


class _NodeWithoutUndo:
    """Brownie's node as its accounts know it."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def is_active(self) -> bool:
        return False


def steady_the_node(seconds: float = 5.0) -> None:
    """Have every sent transaction wait until it is mined and the node's pool is at rest, and send it again if lost;
    and have every view see the time of the last block. All of it over connections that stay open, and without the
    snapshot that Brownie takes of each transaction, in a thread of its own, for whoever would undo it.

    Anvil 1.7.1 answers before it has mined, and clears its pool after that: what comes in between it may lose.
    """
    provider = web3.provider
    if isinstance(account.rpc, _NodeWithoutUndo):
        return
    account.rpc = _NodeWithoutUndo(account.rpc)
    provider._make_request = Line(provider.endpoint_uri).send
    request = provider.make_request
    chain_id = request("eth_chainId", [])

    def is_done(tx_hash: str) -> bool:
        receipt = request("eth_getTransactionReceipt", [tx_hash]).get("result")
        pool = request("txpool_status", []).get("result", {})
        return receipt is not None and int(pool.get("pending", "0x0"), 16) == 0

    def make_request(method: str, params: Any) -> Any:
        if method == "eth_chainId":
            return chain_id  # web3 asks for it before each view and each transaction
        if method == "eth_call":
            # Brownie learns why a transaction failed by calling it again, and Anvil's clock has gone on meanwhile.
            block = request("eth_getBlockByNumber", ["latest", False])["result"]
            params = [params[0], params[1], {}, {"time": block["timestamp"]}]
        answer = request(method, params)
        if method in ("eth_sendTransaction", "eth_sendRawTransaction") and "result" in answer:
            ends = time.monotonic() + seconds
            while not is_done(answer["result"]):
                if time.monotonic() > ends:
                    request(method, params)
                    request("evm_mine", [])
                    break
                time.sleep(0.001)
        return answer

    provider.make_request = make_request
    provider._request_func_cache = (None, None)


def _ask(method: str, *params: Any) -> Any:
    answer = web3.provider.make_request(method, list(params))
    assert "error" not in answer, answer
    return answer["result"]


class City:
    """The contracts, wired as the deployment wires them, and shorthands for what is done with them.

    The test's own accounts stand for institutions: `operator` relays, `finance`, `guardian`, `registrar`, two desks and
    `arbiter` hold the roles of that name, without the days that they wait in a real city. There the admin is the
    Council; here an account stands in for it, and `test_council.py` puts the Council itself there.
    """

    def __init__(self, brownie_project: Any, salt: bytes = SALT) -> None:
        self.project = brownie_project
        self.admin, self.operator, self.finance, self.guardian, self.registrar = (accounts[i] for i in range(5))
        self.desk, self.other_desk, self.arbiter, self.stranger = (accounts[i] for i in range(5, 9))
        self.issuer = {programme: Person(f"issuer {programme}") for programme in PROGRAMMES}
        self.merchant = {merchant: Person(f"merchant {merchant}") for merchant in SCOPES}
        self.ana, self.bo, self.chen, self.heir = (Person(name) for name in ("ana", "bo", "chen", "heir"))
        self.arbiter_key = Person("arbiter")
        self._numbers = itertools.count(1)
        self._references = itertools.count(1)
        self._nonces: dict[tuple[str, int], Iterator[int]] = {}
        self._deploy(salt)
        self._assign_roles()
        self._open()
        self.domain = Domain(web3.eth.chain_id, self.ledger.address, salt)

    def start_over(self) -> None:
        """Forget the nonces used: the chain has been put back."""
        self._nonces.clear()

    # ------------------------------------------------------------------------------------------------- deployment

    def _deploy(self, salt: bytes) -> None:
        deployer = {"from": self.admin}
        self.manager = deploy_artifact("AccessManager", self.admin)
        # The book and the succession contract are there before the ledger, and know the address that it will have.
        ledger = self.admin.get_deployment_address(self.admin.nonce + 2)
        self.book = self.project.ClearingBook.deploy(self.manager, ledger, MATURITY, TERMS, deployer)
        self.succession = self.project.Succession.deploy(self.manager, ledger, deployer)
        self.ledger = self.project.PointsLedger.deploy(self.manager, salt, self.book, self.succession, deployer)
        self.exchange = self.project.Exchange.deploy(self.manager, self.ledger, deployer)
        self.redemption = self.project.Redemption.deploy(self.manager, self.ledger, deployer)
        self.probe = self.project.LibraryProbe.deploy(deployer)
        self.reader = self.project.BookReader.deploy(deployer)

    def _assign_roles(self) -> None:
        for contract, functions, role in FUNCTION_ROLES:
            target = getattr(self, contract)
            selectors = [getattr(target, function).signature for function in functions]
            self.manager.setTargetFunctionRole(target, selectors, role, {"from": self.admin})
        holders = (
            (EXCHANGE, self.exchange),
            (REDEMPTION, self.redemption),
            (FINANCE, self.finance),
            (REGISTRAR, self.registrar),
            (GUARDIAN, self.guardian),
            (DESK, self.desk),
            (DESK, self.other_desk),
            (ARBITER, self.arbiter),
        )
        for role, holder in holders:
            self.manager.grantRole(role, holder, 0, {"from": self.admin})

    def _open(self) -> None:
        for programme, (par, flags, scope) in PROGRAMMES.items():
            self.register(programme, par, flags, scope)
            self.ledger.setCeilings(programme, NO_CEILING, NO_CEILING, self.by_admin)
            if par:
                self.appropriate(programme, APPROPRIATION_FEN)
        for merchant in SCOPES:
            self.register_merchant(merchant, self.merchant[merchant])
        self.book.setArbiterKey(self.arbiter_key.address, self.by_admin)

    def register(self, programme: int, par: int, flags: int, scope: int = 0) -> Any:
        """Open a programme whose first issuer key signs at once."""
        issuer = self.issuer.setdefault(programme, Person(f"issuer {programme}"))
        names = (f"Programme {programme}", f"P{programme}")
        return self.ledger.registerProgramme(programme, par, flags, bits(scope), issuer.address, *names, self.by_admin)

    def register_merchant(self, merchant: int, person: Person | None, scope: int | None = None) -> Any:
        """Register a merchant with a person's key, or retire it."""
        key = person.address if person else "0x" + "00" * 20
        return self.book.registerMerchant(
            merchant, key, bits(SCOPES[merchant] if scope is None else scope), {"from": self.registrar}
        )

    @property
    def by_admin(self) -> dict[str, Any]:
        return {"from": self.admin}

    @property
    def by_operator(self) -> dict[str, Any]:
        return {"from": self.operator}

    # -------------------------------------------------------------------------------------------------- issuance

    def reference(self) -> bytes:
        """Return a document's or payment's reference that was not used before."""
        return next(self._references).to_bytes(32, "big")

    def appropriate(self, programme: int, fen: int, year: int = 2030) -> Any:
        return self.book.recordAppropriation(programme, year, fen, self.reference(), {"from": self.finance})

    def batch(
        self,
        programme: int,
        quarter: int,
        grants: Mapping[str, int] | Sequence[tuple[str, int]],
        number: int | None = None,
        root: bytes = b"\x0e" * 32,
    ) -> Batch:
        """Return a batch as the ledger takes it, with the next number."""
        number = next(self._numbers) if number is None else number
        pairs = list(grants.items()) if isinstance(grants, Mapping) else list(grants)
        return (programme, quarter, number, root, pack_grants(pairs))

    def sign_batch(self, batch: Batch, by: Person | None = None) -> bytes:
        """Return the issuer's signature of a batch."""
        programme, quarter, number, root, grants = batch
        digest = self.domain.digest(
            "MintBatch",
            programme=programme,
            quarter=quarter,
            number=number,
            evidenceRoot=root,
            grantsHash=keccak(grants),
        )
        return sign((by or self.issuer[programme]).key, digest)

    def land(self, batch: Batch, by: Person | None = None) -> Any:
        """Relay a batch that the issuer signed, and return the transaction."""
        return self.ledger.mint(batch, self.sign_batch(batch, by), self.by_operator)

    def mint(
        self,
        programme: int,
        quarter: int,
        grants: Mapping[str, int] | Sequence[tuple[str, int]],
        number: int | None = None,
        root: bytes = b"\x0e" * 32,
    ) -> Any:
        """Mint one batch with any root and return its transaction."""
        return self.land(self.batch(programme, quarter, grants, number, root))

    def give(self, person: Person, lot: int, amount: int) -> Batch:
        """Mint `amount` of a lot to a person and return the batch."""
        batch = self.batch(lot >> 32, lot & 0xFFFFFFFF, {person.address: amount})
        self.land(batch)
        return batch

    def mint_with_evidence(self, leaves: Sequence[EvidenceLeaf]) -> tuple[Batch, MerkleTree]:
        """Mint what the leaves (all of one lot) say, under their root; return batch and tree."""
        tree = MerkleTree([leaf.hash() for leaf in leaves])
        lot = leaves[0].token
        grants = [(leaf.account, leaf.amount) for leaf in leaves]
        batch = self.batch(lot >> 32, lot & 0xFFFFFFFF, grants, root=tree.root)
        self.land(batch)
        return batch, tree

    def sign_revocation(self, batch: Batch, packed: bytes, by: Person | None = None) -> bytes:
        """Return the issuer's signature of packed revocations of a batch."""
        digest = self.domain.digest("Revocation", programme=batch[0], number=batch[2], revocationsHash=keccak(packed))
        return sign((by or self.issuer[batch[0]]).key, digest)

    def revoke(self, batch: Batch, *revocations: tuple[int, int], reason: int = 3, by: Person | None = None) -> Any:
        """Revoke (grant index, total revoked of it) each, and return the transaction."""
        packed = pack_revocations([(index, total, reason) for index, total in revocations])
        return self.ledger.revoke(batch, packed, self.sign_revocation(batch, packed, by), self.by_operator)

    def void(self, programme: int, number: int, by: Person | None = None) -> Any:
        """Make a batch number void, and return the transaction."""
        digest = self.domain.digest("VoidBatch", programme=programme, number=number)
        signature = sign((by or self.issuer[programme]).key, digest)
        return self.ledger.voidBatch(programme, number, signature, self.by_operator)

    # --------------------------------------------------------------------------------------------------- orders

    def nonce(self, holder: str, lot: int) -> int:
        """Return the next nonce of the word to which the lot belongs, counted by the tests themselves."""
        word = (holder, (lot >> 32 << 32) | ((lot & 0xFFFFFFFF) + 3) >> 2)
        return next(self._nonces.setdefault(word, itertools.count()))

    def exchange_order(self, person: Person, lot: int, amount: int, to: int, **fields: Any) -> ExchangeOrder:
        given = {"holder": person.address, "minOut": 0, "deadline": now() + 600} | fields
        if "nonce" not in given:
            given["nonce"] = self.nonce(given["holder"], lot)
        return ExchangeOrder(fromId=lot, amount=amount, toProgramme=to, **given)

    def redeem_order(self, person: Person, lots: Sequence[Lot], **fields: Any) -> RedeemOrder:
        given = {"holder": person.address, "merchant": SHOP, "deadline": now() + 600} | fields
        if "nonce" not in given:
            given["nonce"] = self.nonce(given["holder"], lots[0][0])
        return RedeemOrder(lots=tuple(lots), **given)

    def hold_order(self, person: Person, lots: Sequence[Lot], **fields: Any) -> HoldOrder:
        given = {
            "holder": person.address,
            "merchant": SHOP,
            "deadline": now() + 600,
            "captureBy": now() + 7 * DAY,
            "cancellable": False,
        } | fields
        if "nonce" not in given:
            given["nonce"] = self.nonce(given["holder"], lots[0][0])
        return HoldOrder(lots=tuple(lots), **given)

    def signed(self, person: Person, order: ExchangeOrder | RedeemOrder | HoldOrder) -> bytes:
        """Return the packed order with the person's signature."""
        return order.packed(sign(person.key, order.digest(self.domain)))

    def id_of(self, order: ExchangeOrder | RedeemOrder | HoldOrder) -> bytes:
        return order.digest(self.domain)

    def run_exchange(self, *packed: bytes) -> Any:
        return self.exchange.execute(b"".join(packed), self.by_operator)

    def run_redeem(self, *packed: bytes) -> Any:
        return self.redemption.execute(b"".join(packed), self.by_operator)

    def run_hold(self, *packed: bytes) -> Any:
        return self.redemption.hold(b"".join(packed), self.by_operator)

    def run_capture(self, *packed: bytes) -> Any:
        return self.redemption.capture(b"".join(packed), self.by_operator)

    def run_release(self, *packed: bytes) -> Any:
        return self.redemption.release(b"".join(packed), self.by_operator)

    def place_hold(self, person: Person, lots: Sequence[Lot], **fields: Any) -> HoldOrder:
        """Put lots in escrow and return the order."""
        order = self.hold_order(person, lots, **fields)
        tx = self.run_hold(self.signed(person, order))
        assert rejections(tx) == []
        return order

    def signed_capture(self, order: HoldOrder, prefix: Prefix | None = None, by: Person | None = None) -> bytes:
        kept = whole(order.lots) if prefix is None else prefix
        digest = self.domain.digest("Capture", orderId=self.id_of(order), lots=kept[0], lastAmount=kept[1])
        return order.packed_capture(kept, sign((by or self.merchant[order.merchant]).key, digest))

    def signed_release(self, order: HoldOrder, by: Person | None = None) -> bytes:
        digest = self.domain.digest("Release", orderId=self.id_of(order))
        return order.packed(sign((by or self.merchant[order.merchant]).key, digest))

    # -------------------------------------------------------------------------------------------------- receipts

    def receipt_of(self, tx: Any, lots: Sequence[Lot], holder: Person | None = None, index: int = 0) -> Receipt:
        """Return the receipt of the transaction's `index`-th payment, by which ana or another paid with these lots."""
        paid = (event_values(tx, "Redeemed") + event_values(tx, "Captured"))[index]
        time = web3.eth.get_block(tx.block_number)["timestamp"]
        address = (holder or self.ana).address
        return (bytes(paid["orderId"]), address, paid["merchant"], lots_hash(lots), paid["fen"], time)

    def pay(self, person: Person, lots: Sequence[Lot], **fields: Any) -> Payment:
        """Have a person redeem, alone in its batch of receipts, and return all that a refund needs."""
        tx = self.run_redeem(self.signed(person, self.redeem_order(person, lots, **fields)))
        assert rejections(tx) == []
        return Payment(self.receipt_of(tx, lots, person), (self.book.lastReceiptsBatch(), []), tuple(lots))

    def prove(self, payment: Payment) -> None:
        """Check that the payment's receipt is under its root, for a test that changed it by hand."""
        assert bytes(self.book.receiptsRoot(payment.proof[0])) == receipt_hash(payment.receipt)

    def sign_refund(self, payment: Payment, prefix: Prefix, by: Person | None = None, primary: str = "Refund") -> bytes:
        order_id, merchant = payment.receipt[0], payment.receipt[2]
        digest = self.domain.digest(primary, orderId=order_id, lots=prefix[0], lastAmount=prefix[1])
        return sign((by or self.merchant[merchant]).key, digest)

    def refund(self, payment: Payment, prefix: Prefix = (0, 0), by: Person | None = None) -> Any:
        """Have the merchant refund down to a prefix, and return the transaction."""
        signature = self.sign_refund(payment, prefix, by)
        return self.redemption.refund(*payment.arguments(prefix), signature, self.by_operator)

    def arbiter_refund(self, payment: Payment, prefix: Prefix = (0, 0), by: Person | None = None) -> Any:
        """Have the consumer arbiter refund down to a prefix, and return the transaction."""
        signature = self.sign_refund(payment, prefix, by or self.arbiter_key, "ArbiterRefund")
        return self.redemption.arbiterRefund(*payment.arguments(prefix), signature, self.by_operator)

    def lock(self, payment: Payment, fen: int, complaint: bytes = b"\x0c" * 32) -> Any:
        """Have the arbiter lock `fen` of a payment, and return the transaction."""
        return self.redemption.lockOrder(payment.receipt, payment.proof, fen, complaint, {"from": self.arbiter})

    # ------------------------------------------------------------------------------------------------ succession

    def sign_consent(self, old: str, new: Person, deadline: int, by: Person | None = None) -> bytes:
        digest = self.domain.digest("Succession", oldAccount=old, newAccount=new.address, deadline=deadline)
        return sign((by or new).key, digest)

    def sign_objection(self, old: Person, new: str, by: Person | None = None) -> bytes:
        return sign((by or old).key, self.domain.digest("Objection", oldAccount=old.address, newAccount=new))

    def request_succession(self, old: str, new: Person) -> Any:
        """Have one desk ask, with the new account's consent."""
        deadline = now() + DAY
        consent = self.sign_consent(old, new, deadline)
        return self.succession.requestSuccession(old, new.address, deadline, consent, {"from": self.desk})

    def confirm_succession(self, old: str, new: Person) -> Any:
        return self.succession.confirm(old, new.address, {"from": self.other_desk})

    def succeed(self, old: Person | str, new: Person, lots: Sequence[int] = ()) -> Any:
        """Take the whole path from an account to its successor, seven days included."""
        address = old if isinstance(old, str) else old.address
        self.request_succession(address, new)
        self.confirm_succession(address, new)
        go_to(now() + WEEK)
        return self.succession.execute(address, list(lots), {"from": self.stranger})

    # ----------------------------------------------------------------------------------------------------- views

    def balances(self, lot: int, *people: Person | str) -> list[int]:
        return [self.ledger.balanceOf(p if isinstance(p, str) else p.address, lot) for p in people]

    def escrow(self, lot: int) -> int:
        return int(self.ledger.balanceOf(self.ledger.address, lot))

    def position(self, programme: int) -> int:
        return int(self.book.position(1 << 32 | programme))

    def merchant_position(self, merchant: int) -> int:
        return int(self.book.position(2 << 32 | merchant))

    def treasury(self) -> int:
        return int(self.book.position(TREASURY))

    def assert_zero_sum(self) -> None:
        positions = [self.position(programme) for programme in PROGRAMMES]
        positions += [self.merchant_position(merchant) for merchant in SCOPES]
        positions += [self.book.position(POOL), self.treasury()]
        assert sum(positions) == 0


def deploy_artifact(name: str, *args: Any) -> Any:
    """Deploy the committed bytes of a contract that is not among our own sources."""
    artifact = json.loads((ROOT / "contracts" / "artifacts" / f"{name}.json").read_text(encoding="utf-8"))
    factory = web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    data = factory.constructor(*[getattr(arg, "address", arg) for arg in args]).data_in_transaction
    tx = accounts[0].transfer(data=data)
    return brownie.Contract.from_abi(name, tx.contract_address, artifact["abi"])
