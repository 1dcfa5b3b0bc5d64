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
from brownie.network.account import LocalAccount
from eth_utils import keccak
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
    quarter_end,
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

# Roles, as the deployment gives them.
ADMIN = 0
ISSUANCE, EXCHANGE, REDEMPTION, SETTLEMENT, FINANCE, GUARDIAN, DESK, REGISTRAR, DISPUTES = range(1, 10)
FUNCTION_ROLES = (
    ("ledger", ("mint", "voidBatch", "revoke"), ISSUANCE),
    ("ledger", ("beginExchange",), EXCHANGE),
    ("ledger", ("beginRedemption",), REDEMPTION),
    ("ledger", ("requestMigration",), DESK),
    ("book", ("post",), EXCHANGE),
    ("book", ("postReceipts", "postRefund"), REDEMPTION),
    ("book", ("lock", "pay"), SETTLEMENT),
    ("book", ("lockDisputed", "freeDisputed"), DISPUTES),
    ("book", ("recordAppropriation", "lapse"), FINANCE),
    ("settlement", ("closeCycle",), FINANCE),
    ("disputes", ("decide",), FINANCE),
    ("book", ("registerMerchant",), REGISTRAR),
    ("issuance", ("pause", "unpause"), GUARDIAN),
    ("exchange", ("pause", "unpause"), GUARDIAN),
    ("redemption", ("pause", "unpause"), GUARDIAN),
)


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


def steady_the_node(seconds: float = 5.0) -> None:
    """Have every sent transaction wait until it is mined and the node's pool is at rest, and send it again if lost;
    and have every view see the time of the last block.

    Anvil 1.7.1 answers before it has mined, and clears its pool after that: what comes in between it may lose.
    """
    provider = web3.provider
    request = provider.make_request

    def is_done(tx_hash: str) -> bool:
        receipt = request("eth_getTransactionReceipt", [tx_hash]).get("result")
        pool = request("txpool_status", []).get("result", {})
        return receipt is not None and int(pool.get("pending", "0x0"), 16) == 0

    def make_request(method: str, params: Any) -> Any:
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

    The test's own accounts stand for institutions: `operator` relays, `finance`, `guardian`, `desk`, `registrar` and
    `admin` hold the roles of that name. In a real city the admin is the Council; here an account stands in for it, and
    `test_council.py` puts the Council itself there.
    """

    def __init__(self, brownie_project: Any, salt: bytes = SALT) -> None:
        self.project = brownie_project
        names = ("admin", "operator", "finance", "guardian", "desk", "registrar", "stranger")
        self.admin, self.operator, self.finance, self.guardian, self.desk, self.registrar, self.stranger = (
            accounts[i] for i in range(len(names))
        )
        self.issuer = {programme: Person(f"issuer {programme}") for programme in PROGRAMMES}
        self.merchant = {merchant: Person(f"merchant {merchant}") for merchant in SCOPES}
        self.ana, self.bo, self.chen, self.heir = (Person(name) for name in ("ana", "bo", "chen", "heir"))
        self._numbers = itertools.count(1)
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
        self.ledger = self.project.PointsLedger.deploy(self.manager, salt, deployer)
        self.book = self.project.ClearingBook.deploy(self.manager, deployer)
        self.issuance = self.project.Issuance.deploy(self.manager, self.ledger, self.book, deployer)
        self.exchange = self.project.Exchange.deploy(self.manager, self.ledger, self.book, deployer)
        self.redemption = self.project.Redemption.deploy(self.manager, self.ledger, self.book, deployer)
        self.settlement = self.project.Settlement.deploy(self.manager, self.ledger, self.book, deployer)
        self.disputes = self.project.Disputes.deploy(self.manager, self.ledger, self.book, deployer)
        self.probe = self.project.LibraryProbe.deploy(deployer)
        self.reader = self.project.BookReader.deploy(deployer)

    def _assign_roles(self) -> None:
        for contract, functions, role in FUNCTION_ROLES:
            target = getattr(self, contract)
            selectors = [getattr(target, function).signature for function in functions]
            self.manager.setTargetFunctionRole(target, selectors, role, {"from": self.admin})
        holders = (
            (ISSUANCE, self.issuance),
            (EXCHANGE, self.exchange),
            (REDEMPTION, self.redemption),
            (REDEMPTION, self.disputes),
            (SETTLEMENT, self.settlement),
            (DISPUTES, self.disputes),
            (FINANCE, self.finance),
            (GUARDIAN, self.guardian),
            (DESK, self.desk),
            (REGISTRAR, self.registrar),
        )
        for role, holder in holders:
            self.manager.grantRole(role, holder, 0, {"from": self.admin})

    def _open(self) -> None:
        for programme, (par, flags, scope) in PROGRAMMES.items():
            self.ledger.registerProgramme(
                programme,
                par,
                flags,
                scope.to_bytes(32, "big"),
                f"Programme {programme}",
                f"P{programme}",
                self.by_admin,
            )
            self.ledger.setIssuerKey(programme, self.issuer[programme].address, True, self.by_admin)
            if par:
                self.appropriate(programme, APPROPRIATION_FEN)
        for merchant, scope in SCOPES.items():
            key = self.merchant[merchant].address
            self.book.registerMerchant(merchant, key, bits(scope), {"from": self.registrar})

    @property
    def by_admin(self) -> dict[str, Any]:
        return {"from": self.admin}

    @property
    def by_operator(self) -> dict[str, Any]:
        return {"from": self.operator}

    # -------------------------------------------------------------------------------------------------- issuance

    def appropriate(self, programme: int, fen: int, year: int = 2030) -> Any:
        return self.book.recordAppropriation(programme, year, fen, b"\x01" * 32, {"from": self.finance})

    def sign_mint(
        self,
        programme: int,
        quarter: int,
        number: int,
        root: bytes,
        grants: bytes,
        by: Person | None = None,
    ) -> bytes:
        """Return the issuer's signature of a batch."""
        digest = self.domain.digest(
            "MintBatch",
            programme=programme,
            quarter=quarter,
            number=number,
            evidenceRoot=root,
            grantsHash=keccak(grants),
        )
        return sign((by or self.issuer[programme]).key, digest)

    def mint(
        self,
        programme: int,
        quarter: int,
        grants: Mapping[str, int] | Sequence[tuple[str, int]],
        number: int | None = None,
        root: bytes = b"\x0e" * 32,
    ) -> Any:
        """Mint one batch with any root and return its transaction."""
        number = next(self._numbers) if number is None else number
        pairs = list(grants.items()) if isinstance(grants, Mapping) else list(grants)
        packed = pack_grants(pairs)
        signature = self.sign_mint(programme, quarter, number, root, packed)
        return self.issuance.mint(programme, quarter, number, root, packed, signature, self.by_operator)

    def give(self, person: Person, lot: int, amount: int) -> None:
        """Mint `amount` of a lot to a person."""
        self.mint(lot >> 32, lot & 0xFFFFFFFF, {person.address: amount})

    def mint_with_evidence(self, leaves: Sequence[EvidenceLeaf]) -> tuple[int, MerkleTree]:
        """Mint what the leaves (all of one lot) say, under their root; return batch number and tree."""
        number = next(self._numbers)
        tree = MerkleTree([leaf.hash() for leaf in leaves])
        lot = leaves[0].token
        self.mint(lot >> 32, lot & 0xFFFFFFFF, [(leaf.account, leaf.amount) for leaf in leaves], number, tree.root)
        return number, tree

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

    def receipt_of(self, tx: Any, index: int = 0, lots: Sequence[Lot] = ()) -> tuple[Any, ...]:
        """Return the receipt of the transaction's `index`-th payment, which paid with these lots."""
        paid = event_values(tx, "Redeemed")[index]
        time = web3.eth.get_block(tx.block_number)["timestamp"]
        return (bytes(paid["orderId"]), paid["holder"], paid["merchant"], lots_hash(lots), paid["fen"], time)

    def refund(
        self,
        receipt: tuple[Any, ...],
        batch: int,
        proof: Sequence[bytes],
        lots: Sequence[Lot],
        prefix: Prefix,
        by: Person | None = None,
    ) -> Any:
        """Have the merchant refund down to a prefix, and return the transaction."""
        digest = self.domain.digest("Refund", orderId=receipt[0], lots=prefix[0], lastAmount=prefix[1])
        signature = sign((by or self.merchant[receipt[2]]).key, digest)
        return self.redemption.refund(
            receipt, batch, list(proof), pack_lots(lots), *prefix, signature, self.by_operator
        )

    # ----------------------------------------------------------------------------------------------------- views

    def balances(self, lot: int, *people: Person | str) -> list[int]:
        return [self.ledger.balanceOf(p if isinstance(p, str) else p.address, lot) for p in people]

    def escrow(self, lot: int) -> int:
        return int(self.ledger.balanceOf(self.ledger.address, lot))

    def position(self, programme: int) -> int:
        return int(self.book.position(1 << 32 | programme))

    def merchant_position(self, merchant: int) -> int:
        return int(self.book.position(2 << 32 | merchant))

    def assert_zero_sum(self) -> None:
        positions = [self.position(programme) for programme in PROGRAMMES]
        positions += [self.merchant_position(merchant) for merchant in SCOPES]
        assert sum(positions) == 0


def deploy_artifact(name: str, *args: Any) -> Any:
    """Deploy the committed bytes of a contract that is not among our own sources."""
    artifact = json.loads((ROOT / "contracts" / "artifacts" / f"{name}.json").read_text(encoding="utf-8"))
    factory = web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    data = factory.constructor(*[getattr(arg, "address", arg) for arg in args]).data_in_transaction
    tx = accounts[0].transfer(data=data)
    return brownie.Contract.from_abi(name, tx.contract_address, artifact["abi"])
