"""The audit: read, replay, compare, and say PASS, the first contradiction, or what could not be looked at."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ledger.audit import leaves as evidence
from ledger.audit import state
from ledger.audit.books import NOBODY, Account, Books
from ledger.audit.books.access import ADMIN, PUBLIC
from ledger.audit.chain import Block, Progress, read_chain, read_head
from ledger.audit.replay import Replay, Sent
from ledger.audit.report import FAIL, INCOMPLETE, PASS, AuditReport, Contradicted
from ledger.audit.rules.authority import selector_of
from ledger.audit.storage import CELLS
from ledger.chain.rpc import RpcClient
from ledger.chain.transactions import contract_address
from ledger.deployment import artifacts
from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError
from ledger.proofs import transactions
from ledger.proofs.errors import ProofError, UnknownEvent
from ledger.proofs.events import Catalogue, Event, RawLog
from ledger.proofs.layout import Layout
from ledger.standard.ids import (
    POOL,
    TREASURY,
    ProgrammeId,
    ProgrammeSlug,
    address_bytes,
    merchant_participant,
    programme_participant,
    to_address,
)
from ledger.standard.keccak import keccak256

MODULE_FUNCTIONS = {
    "PointsLedger": ("beginExchange", "beginRedemption"),
    "ClearingBook": ("post", "postReceipts", "postRefund", "lockOrder"),
}
"""Functions of the books that only deployed modules may ever have been allowed to call."""

_NEEDED = ("AccessManager", "ClearingBook", "Council", "Exchange", "PointsLedger", "Redemption", "Succession")
_SUCCEEDED = "0x1"


def audit(
    rpc_url: str,
    deployment: Deployment,
    block: int | None = None,
    progress: Progress | None = None,
    leaf_files: Iterable[Path] | None = None,
    *,
    known_block: str | None = None,
    timeout_s: float = 120.0,
) -> AuditReport:
    """Audit the chain behind ``rpc_url`` up to ``block`` (the latest if None) and return what was found.

    ``progress`` is told (stage, done, total). ``leaf_files`` are files or folders of published evidence leaves; see
    `leaves`. ``known_block`` is the hash of a block that the auditor knows from elsewhere, which must be among
    those audited: a node that hides the newest blocks cannot pass then. Whatever contradicts the rules makes the
    report FAIL with the first contradiction; a check that cannot be made (a node without proofs, evidence that is
    not there, a contract's word) makes it INCOMPLETE and says so. A node that cannot answer raises RpcError, and an
    unusable deployment ConfigurationError.
    """
    with RpcClient(rpc_url, timeout_s) as rpc:
        return Audit(rpc, deployment, progress or silent).run(block, leaf_files, known_block)


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress is told."""


class Audit:
    """One audit of a chain behind a client."""

    def __init__(self, rpc: RpcClient, deployment: Deployment, progress: Progress) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self._progress = progress
        for name in _NEEDED:
            deployment.address(name)  # raises ConfigurationError if the file lacks it
        self._addresses: dict[str, Account] = {
            name: address_bytes(contract.address) for name, contract in deployment.contracts.items()
        }
        self._names: dict[Account, str] = {address: name for name, address in self._addresses.items()}
        self._code_hashes = {address_bytes(each.address): each.code_hash for each in deployment.contracts.values()}
        for past in deployment.replaced:
            self._names[address_bytes(past.address)] = past.name
            self._code_hashes[address_bytes(past.address)] = past.code_hash
        self._catalogue = Catalogue.of(deployment)
        self._replay = Replay(deployment.domain(), self._addresses, self._names)
        self._checks: list[str] = []
        self._notes: list[str] = []
        self._skipped: list[str] = []
        self._head: Block | None = None
        self._leaves = (0, 0)
        self._known: str | None = None

    def run(self, block: int | None, leaf_files: Iterable[Path] | None, known_block: str | None = None) -> AuditReport:
        """See `audit`."""
        self._known = known_block
        last = int(self._rpc.call("eth_blockNumber"), 16) if block is None else block
        first = self._deployment.block
        if last < first:
            raise ConfigurationError(f"block {last} is before the deployment's first block {first}")
        try:
            self._check_identity(last)
            self._read(first, last)
            self._check_books()
            self._check_file()
            self._check_authority()
            self._check_state()
            self._check_contract_accounts()
            self._check_evidence(leaf_files)
            self._check_unmoved()
        except Contradicted as error:
            return self._report(FAIL, first, last, error)
        for what, where in sorted(self._replay.books.unseen.items()):
            self._skipped.append(f"{what} (first in {where})")
        return self._report(INCOMPLETE if self._skipped else PASS, first, last, None)

    # ------------------------------------------------------------------------------------------------- steps

    def _check_identity(self, last: int) -> None:
        """The chain is the deployment's, and each contract's code is the published one."""
        found = int(self._rpc.call("eth_chainId"), 16)
        if found != self._deployment.chain_id:
            raise Contradicted("chain id", "node", self._deployment.chain_id, found)
        addresses = list(self._names)
        calls: list[Any] = [("eth_getCode", ["0x" + address.hex(), hex(last)]) for address in addresses]
        for address, text in zip(addresses, self._rpc.batch(calls), strict=True):
            name, code = self._names[address], bytes.fromhex(text[2:])
            digest, expected = "0x" + keccak256(code).hex(), self._code_hashes[address]
            where = f"{name} at {to_address(address)}"
            if digest != expected:
                raise Contradicted("code hash", where, expected, digest if code else "no code")
            artifact = artifacts.load(name)
            if artifact.without_immutables(code) != artifact.deployed_bytecode:
                raise Contradicted("code", where, "the published contract", "other code")
        self._checks.append("chain id; code of every contract, replaced modules too, is the published one")

    def _read(self, first: int, last: int) -> None:
        for done, block in enumerate(read_chain(self._rpc, first, last), 1):
            self._head = block
            if self._known is not None and "0x" + block.hash.hex() == self._known:
                self._known = None
            logs = 0
            for transaction, receipt in zip(block.transactions, block.receipts, strict=True):
                self._replay_one(block, transaction, receipt, logs)
                logs += len(receipt["logs"])
            if done % 100 == 0 or block.header.number == last:
                self._progress("blocks", done, last - first + 1)
        if self._known is not None:
            raise Contradicted("block that is known", f"blocks {first} to {last}", self._known, "not among them")
        for address, name in self._names.items():
            if address not in self._replay.books.created:
                where = f"{name} at {to_address(address)}"
                raise Contradicted("creation", where, "a transaction from the deployment's block on", "none")
        self._checks.append("every block hash recomputed from its header, every header linked to the one before")
        self._checks.append("transactions and receipts of every block rebuilt to its header's roots")
        self._checks.append("every signature in calldata recovered: batches, voids, revocations, orders, captures, "
                            "releases, refunds, the arbiter's, consents and objections")  # fmt: skip
        self._checks.append("every event explained; orders, batches and payments at most once; values recomputed")
        self._checks.append("every restricted act tied to a call by its role, a scheduled operation or a decision")
        self._checks.append(
            "funding and ceilings held after every mint; no dead lot moved; claims matured before payout"
        )

    def _replay_one(self, block: Block, transaction: Mapping[str, Any], receipt: Mapping[str, Any], logs: int) -> None:
        """Replay a transaction if it calls, creates, or got an event from one of ours."""
        if receipt["status"] != _SUCCEEDED:
            return
        target = transaction.get("to")
        to = None if target is None else address_bytes(target)
        number, index = block.header.number, int(receipt["transactionIndex"], 16)
        events = list(self._events(receipt, number, index, logs))
        if not events and to is not None and to not in self._names:
            return
        where = f"block {number}, transaction {index}"
        try:
            sender = transactions.sender_of(transaction)
        except ProofError as error:
            raise Contradicted("signature of a transaction", where, "its sender's", error) from error
        if address_bytes(transaction["from"]) != sender:
            raise Contradicted("sender of a transaction", where, to_address(sender), transaction["from"])
        creates = None
        if to is None:
            made = address_bytes(contract_address(to_address(sender), int(transaction["nonce"], 16)))
            creates = made if made in self._names else None
        if not events and creates is None and to is None:
            return
        data = bytes.fromhex(transaction["input"][2:])
        sent = Sent((number, index), block.header.timestamp, sender, to, data, creates)
        self._replay.apply(sent, events)

    def _events(self, receipt: Mapping[str, Any], block: int, transaction: int, first: int) -> Iterator[Event]:
        for place, log in enumerate(receipt["logs"], first):
            address = address_bytes(log["address"])
            if address not in self._names:
                continue
            topics = tuple([bytes.fromhex(topic[2:]) for topic in log["topics"]])
            raw = RawLog(address, topics, bytes.fromhex(log["data"][2:]), block, transaction, place)
            try:
                yield self._catalogue.decode(raw)
            except UnknownEvent as error:
                raise Contradicted(error.what, error.where, error.expected, error.found) from error

    def _check_books(self) -> None:
        """Invariants over the books as they stand at the end."""
        books = self._replay.books
        totals: dict[int, int] = {}
        for (_, token), amount in books.balances.items():
            totals[token] = totals.get(token, 0) + amount
        for token, supply in books.supply.items():
            if totals.get(token, 0) != supply:
                raise Contradicted(f"supply of lot {token}", "books", supply, totals.get(token, 0))
        escrow: dict[int, int] = {}
        for hold in books.holds.values():
            for token, amount in hold.lots:
                escrow[token] = escrow.get(token, 0) + amount
        for token in books.supply:
            held = books.balances.get((books.ledger, token), 0)
            if held != escrow.get(token, 0):
                raise Contradicted(f"escrow of lot {token}", "books", escrow.get(token, 0), held)
        for identifier, programme in books.programmes.items():
            if programme.figures.balance() != programme.supply:
                what = f"flows of programme {identifier}"
                raise Contradicted(what, "books", programme.supply, programme.figures.balance())
        if sum(books.clearing.positions.values()) != 0:
            raise Contradicted("sum of positions", "books", "0 fen", f"{sum(books.clearing.positions.values())} fen")
        self._checks.append("balances + escrow = supply; flows = outstanding; positions sum to 0")

    def _check_file(self) -> None:
        """The deployment file has every programme and merchant of the first day, as the chain has them."""
        books = self._replay.books
        for listed in self._deployment.programmes:
            programme = books.programmes.get(listed.id)
            expected = (listed.par_microfen, listed.flags, listed.spend_scope)
            found = programme and (programme.par, programme.flags, f"0x{programme.spend_scope:064x}")
            if found != expected:
                raise Contradicted(f"programme {listed.slug} (par, flags, scope)", "deployment file", found, expected)
        known = {listed.id for listed in self._deployment.programmes}
        for identifier, programme in books.programmes.items():
            if identifier not in known and not programme.by_council:
                raise Contradicted(f"programme {identifier}", "deployment file", "as it was registered", "left out")
        for merchant in self._deployment.merchants:
            book = books.clearing.merchants.get(merchant.id)
            if book is None or (not book.by_registrar and to_address(book.key) != merchant.key):
                found_key = "none" if book is None else to_address(book.key)
                raise Contradicted(f"key of merchant {merchant.slug}", "deployment file", found_key, merchant.key)
        self._checks.append("programmes and merchants of the deployment file are the chain's")

    def _check_authority(self) -> None:
        """Only the council administers, and only deployed modules ever could act on the books."""
        access, council = self._replay.books.access, self._addresses["Council"]
        admins = {account for role, account in access.members if role == ADMIN}
        if admins != {council}:
            found = ", ".join(map(to_address, sorted(admins))) or "nobody"
            raise Contradicted("administrator", "AccessManager", f"the Council {to_address(council)} alone", found)
        self._checks.append("the council is the only administrator: the deployer has renounced")
        deployed = set(self._names)
        for contract, functions in MODULE_FUNCTIONS.items():
            for name in functions:
                role = access.function_roles.get((self._addresses[contract], selector_of(contract, name)), ADMIN)
                if role == PUBLIC:
                    raise Contradicted(f"role of {contract}.{name}", "AccessManager", "a module's role", "anybody")
                strangers = access.ever[role] - deployed if role != ADMIN else set()
                if strangers:
                    found = to_address(min(strangers))
                    raise Contradicted(f"who may call {contract}.{name}", "AccessManager", "deployed modules", found)
        self._checks.append("only deployed modules could ever act on the books")

    def _check_state(self) -> None:
        """The storage of every contract has the words of the books and no others, by proof."""
        books, head = self._replay.books, self._block()
        unproven: list[str] = []
        words = 0
        broken: Contradicted | None = None
        for address, name in self._names.items():
            told = functools.partial(self._progress, f"storage of {name}")
            code_hash = bytes.fromhex(self._code_hashes[address][2:])
            hints = _ledger_hints(books) if name == "PointsLedger" else ()
            cells = CELLS[name](books, address)
            found = state.check_storage(self._rpc, name, address, head, cells, code_hash, hints, told)
            words += found.words
            broken = broken or found.broken
            if not found.proven:
                unproven.append(name)
        if broken is not None:
            raise broken
        self._checks.append(f"{words} storage words of {len(self._names)} contracts are what the replay makes of them")
        if unproven:
            self._skipped.append(
                f"code and storage of {', '.join(unproven)} by proof: the node offers no eth_getProof, so words that no"
                " event names are unseen"
            )
        else:
            self._checks.append(
                "no contract holds anything else: code hashes and storage roots, under the state root, agree"
            )

    def _check_contract_accounts(self) -> None:
        """Who acted without a key's signature is a contract, whose own rules this audit does not run."""
        acted = self._replay.books.contracts
        unknown = False
        for accounts, where in acted.items():
            found = [state.has_code(self._rpc, account, self._block()) for account in accounts]
            unknown = unknown or None in found
            if not any(found) and None not in found:
                names = " or ".join(map(to_address, accounts))
                raise Contradicted(f"signature of {names}", where, "by the account's key, or by a contract", "neither")
        if acted:
            names = ", ".join(sorted(to_address(accounts[0]) for accounts in acted)[:5])
            kind = "which the node does not prove to be contracts" if unknown else "whose code this audit does not run"
            self._skipped.append(f"consent of {len(acted)} accounts that no key signed for ({names}), {kind}")

    def _check_evidence(self, leaf_files: Iterable[Path] | None) -> None:
        books = self._replay.books
        if leaf_files is None:
            self._leaves = (0, len(books.batches))
            if books.batches:
                self._skipped.append(f"evidence of {len(books.batches)} batches: no leaf files were given")
            return
        self._leaves = evidence.check(books, evidence.read(leaf_files))
        self._checks.append("grants match the published evidence leaves; no grant id is used twice")
        if self._leaves[1]:
            self._skipped.append(f"evidence of {self._leaves[1]} batches: no leaf file has them")

    def _check_unmoved(self) -> None:
        """The audited block is still the chain's."""
        head = self._block()
        number = head.header.number
        again = read_head(self._rpc, number)
        if again != head.hash:
            raise Contradicted("audited block", f"block {number}", "0x" + head.hash.hex(), "0x" + again.hex())

    def _block(self) -> Block:
        if self._head is None:
            raise ConfigurationError("no block was read")
        return self._head

    # ------------------------------------------------------------------------------------------------ report

    def _report(self, verdict: str, first: int, last: int, error: Contradicted | None) -> AuditReport:
        books = self._replay.books
        clearing = books.clearing
        report = AuditReport(
            verdict=verdict,
            contradiction=error.contradiction if error else None,
            chain_id=self._deployment.chain_id,
            block_first=first,
            block=last,
            block_hash="0x" + self._head.hash.hex() if self._head else "",
            blocks=self._head.header.number - first + 1 if self._head else 0,
            events=books.events,
            accounts=len({holder for holder, _ in books.balances} - {books.ledger}),
            batches=len(books.batches),
            orders=len(books.orders),
            rejected=books.rejections,
            exchanged_fen=books.exchanged_fen,
            redeemed_fen=books.redeemed_fen,
            refunded_fen=books.refunded_fen,
            positions_sum_fen=sum(clearing.positions.values()),
            pool_fen=clearing.positions.get(POOL, 0),
            treasury_fen=clearing.positions.get(TREASURY, 0),
            leaves=self._leaves[0],
            batches_without_leaves=self._leaves[1],
            checks=self._checks,
            notes=self._notes,
            skipped=self._skipped,
        )
        slugs: dict[ProgrammeId, ProgrammeSlug] = {listed.id: listed.slug for listed in self._deployment.programmes}
        for identifier, programme in sorted(books.programmes.items()):
            figures, budget = programme.figures, clearing.budgets[identifier]
            figures.outstanding = programme.supply
            figures.escrowed = sum(
                amount
                for (holder, token), amount in books.balances.items()
                if holder == books.ledger and token >> 32 == identifier
            )
            figures.position_fen = clearing.positions.get(programme_participant(identifier), 0)
            figures.appropriated_fen, figures.paid_fen = budget.appropriated, budget.paid
            report.programmes[slugs.get(identifier, ProgrammeSlug(str(identifier)))] = figures
        report.merchants = {
            merchant: clearing.positions.get(merchant_participant(merchant), 0)
            for merchant, book in clearing.merchants.items()
            if book.key != NOBODY or book.ages.total
        }
        return report


def _ledger_hints(books: Books) -> Iterator[int]:
    """Slots that the ledger reads for an account, and that Anvil may therefore keep as words of 0."""
    layout = Layout.load("PointsLedger")
    for account in {holder for holder, _ in books.balances}:
        yield layout.at("_line", account)
        yield layout.at("_rebirths", account)
    for account, token in list(books.balances):
        yield layout.at("_owed", account, token)
