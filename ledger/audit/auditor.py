"""The audit: read, replay, compare, and say PASS or the first contradiction."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from ledger.audit import leaves as evidence
from ledger.audit import state
from ledger.audit.books import Account, Books
from ledger.audit.cells import (
    BOOK_VARIABLES,
    LEDGER_VARIABLES,
    Cell,
    book_cells,
    ledger_cells,
    ledger_hints,
)
from ledger.audit.chain import Block, Progress, check_logs_complete, pages, read_blocks, read_logs, read_many
from ledger.audit.orders import read_orders
from ledger.audit.replay import Replay
from ledger.audit.report import FAIL, PASS, AuditReport, Contradicted
from ledger.chain.rpc import RpcClient
from ledger.deployment import artifacts
from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError
from ledger.proofs.errors import UnknownEvent
from ledger.proofs.events import Catalogue, Event, RawLog
from ledger.proofs.layout import Layout, UnknownVariable
from ledger.standard.ids import ProgrammeSlug, address_bytes, to_address
from ledger.standard.keccak import keccak256

ADMIN_ROLE = 0
PUBLIC_ROLE = 2**64 - 1
MODULE_FUNCTIONS = {
    "PointsLedger": ("mint", "voidBatch", "revoke", "beginExchange", "beginRedemption"),
    "ClearingBook": ("post", "postReceipts", "postRefund", "lock", "pay", "lockDisputed", "freeDisputed"),
}
"""Functions of the books that only deployed modules may be allowed to call."""

_ORDER_MODULES = ("Exchange", "Redemption")


def audit(
    rpc_url: str,
    deployment: Deployment,
    block: int | None = None,
    progress: Progress | None = None,
    leaf_files: Iterable[Path] | None = None,
    *,
    timeout_s: float = 120.0,
) -> AuditReport:
    """Audit the chain behind ``rpc_url`` up to ``block`` (the latest if None) and return what was found.

    ``progress`` is told (stage, done, total). ``leaf_files`` are files or folders of published evidence leaves; see
    `leaves`. Whatever contradicts the rules makes the report FAIL with the first contradiction; a node that cannot
    answer raises RpcError, and an unusable deployment ConfigurationError.
    """
    with RpcClient(rpc_url, timeout_s) as rpc:
        return _Audit(rpc, deployment, progress or _silent).run(block, leaf_files)


def _silent(_stage: str, _done: int, _total: int) -> None:
    return None


class _Audit:
    def __init__(self, rpc: RpcClient, deployment: Deployment, progress: Progress) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self._progress = progress
        self._addresses: dict[str, Account] = {
            name: address_bytes(contract.address) for name, contract in deployment.contracts.items()
        }
        for name in ("PointsLedger", "ClearingBook", "AccessManager"):
            deployment.address(name)  # raises ConfigurationError if the file lacks it
        self._catalogue = Catalogue.of(deployment)
        self._modules = {name: self._addresses[name] for name in _ORDER_MODULES if name in self._addresses}
        self._replay = Replay(self._addresses["PointsLedger"])
        self._checks: list[str] = []
        self._notes: list[str] = []
        self._head: Block | None = None
        self._leaves = (0, 0)

    def run(self, block: int | None, leaf_files: Iterable[Path] | None) -> AuditReport:
        last = int(self._rpc.call("eth_blockNumber"), 16) if block is None else block
        first = self._deployment.block
        if last < first:
            raise ConfigurationError(f"block {last} is before the deployment's first block {first}")
        try:
            self._check_identity(last)
            self._read(first, last)
            self._check_books()
            self._check_authority()
            self._check_state()
            if leaf_files is not None:
                self._leaves = evidence.check(self._replay.books, evidence.read(leaf_files))
                self._checks.append("grants match the published evidence leaves; no grant id is used twice")
            self._check_unmoved()
        except Contradicted as error:
            return self._report(FAIL, first, last, error)
        return self._report(PASS, first, last, None)

    # ------------------------------------------------------------------------------------------------- steps

    def _check_identity(self, last: int) -> None:
        """The chain is the deployment's, and each contract's code is the published one."""
        found = int(self._rpc.call("eth_chainId"), 16)
        if found != self._deployment.chain_id:
            raise Contradicted("chain id", "node", self._deployment.chain_id, found)
        names = list(self._addresses)
        calls = [("eth_getCode", ["0x" + self._addresses[name].hex(), hex(last)]) for name in names]
        for name, text in zip(names, self._rpc.batch(calls), strict=True):
            code = bytes.fromhex(text[2:])
            digest, expected = "0x" + keccak256(code).hex(), self._deployment.contracts[name].code_hash
            where = f"{name} at {to_address(self._addresses[name])}"
            if digest != expected:
                raise Contradicted("code hash", where, expected, digest if code else "no code")
            artifact = artifacts.load(name)
            if artifact.without_immutables(code) != artifact.deployed_bytecode:
                raise Contradicted("code", where, "the published contract", "other code")
        self._checks.append("chain id; code of every contract is the published one")

    def _read(self, first: int, last: int) -> None:
        addresses = self._catalogue.addresses
        parent: bytes | None = None
        proven = 0
        for start, end in pages(first, last):
            blocks = read_blocks(self._rpc, start, end, parent)
            parent = blocks[-1].hash
            logs = read_logs(self._rpc, addresses, start, end)
            proven += check_logs_complete(self._rpc, addresses, blocks, logs)
            times = {block.header.number: block.header.timestamp for block in blocks}
            events = [self._decode(log) for log in logs]
            self._replay.expect(read_orders(self._rpc, events, self._modules, self._deployment.domain()))
            for event in events:
                self._replay.apply(event, times[event.log.block])
            self._head = blocks[-1]
            self._progress("blocks", end - first + 1, last - first + 1)
        self._replay.finish()
        self._checks.append("every block hash recomputed from its header, every header linked to the one before")
        self._checks.append(f"logs complete: receipts of {proven} blocks rebuilt to their headers' receipts roots")
        self._checks.append("every event explained; orders and batches at most once; values and postings recomputed")
        self._checks.append("funding held after every mint; no dead lot moved")

    def _decode(self, log: RawLog) -> Event:
        try:
            return self._catalogue.decode(log)
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
        if sum(books.positions.values()) != 0:
            raise Contradicted("sum of positions", "books", "0 fen", f"{sum(books.positions.values())} fen")
        self._check_programmes(books)
        self._check_contract_holders(books)
        self._checks.append("balances + escrow = supply; flows = outstanding; positions sum to 0")

    def _check_programmes(self, books: Books) -> None:
        """The programmes on chain are those of the deployment file (more may have been opened since)."""
        for listed in self._deployment.programmes:
            programme = books.programmes.get(listed.id)
            expected = (listed.par_microfen, listed.flags, listed.spend_scope)
            found = programme and (programme.par, programme.flags, "0x" + programme.spend_scope.hex())
            if found != expected:
                raise Contradicted(f"programme {listed.slug} (par, flags, scope)", "events", expected, found)

    def _check_contract_holders(self, books: Books) -> None:
        """Who spent points without a key's signature is a contract, whose word the module asked for (ERC-1271)."""
        holders = sorted(books.contract_holders)
        height = hex(self._block().header.number)
        codes = read_many(self._rpc, [("eth_getCode", ["0x" + holder.hex(), height]) for holder in holders])
        for holder, code in zip(holders, codes, strict=True):
            if code == "0x":
                what = f"signature of {to_address(holder)}"
                raise Contradicted(what, "orders", "by the holder's key, or by a contract", "neither")
        if books.unseen_orders:
            self._notes.append(f"{books.unseen_orders} orders were relayed by a contract: only their outcome was seen")
        else:
            self._checks.append("every order signed by its holder, carried out as signed, and its nonce spent once")

    def _check_authority(self) -> None:
        """Only the council administers, and only deployed modules act on the books."""
        books = self._replay.books
        if "Council" in self._addresses:
            council = self._addresses["Council"]
            if books.roles[ADMIN_ROLE] != {council}:
                found = ", ".join(map(to_address, sorted(books.roles[ADMIN_ROLE]))) or "nobody"
                raise Contradicted("administrator", "AccessManager", f"the Council {to_address(council)} alone", found)
            self._checks.append("the council is the only administrator: the deployer has renounced")
        else:
            self._notes.append("the deployment has no Council; administrators were not checked")
        deployed = set(self._addresses.values())
        for contract, manager in books.authorities.items():
            if manager != self._addresses["AccessManager"]:
                expected = to_address(self._addresses["AccessManager"])
                raise Contradicted(f"authority of {contract}", "events", expected, to_address(manager))
        for contract, functions in MODULE_FUNCTIONS.items():
            for name in functions:
                selector = artifacts.load(contract).function(name).selector
                role = books.function_roles.get((self._addresses[contract], selector), ADMIN_ROLE)
                if role == PUBLIC_ROLE:
                    raise Contradicted(f"role of {contract}.{name}", "AccessManager", "a module's role", "anybody")
                strangers = books.roles[role] - deployed
                if strangers:
                    found = to_address(min(strangers))
                    raise Contradicted(f"who may call {contract}.{name}", "AccessManager", "deployed modules", found)
        self._checks.append("only deployed modules may act on the books")

    def _check_state(self) -> None:
        """Storage says what the books say, and (where the node offers proofs) nothing else."""
        books, head = self._replay.books, self._block()
        authority = self._addresses["AccessManager"]
        ledger_layout, book_layout = Layout.load("PointsLedger"), Layout.load("ClearingBook")
        plans: list[tuple[str, Layout, tuple[str, ...], list[Cell], bool]] = [
            (
                "PointsLedger",
                ledger_layout,
                LEDGER_VARIABLES,
                list(ledger_cells(books, ledger_layout, authority)),
                books.unseen_rejections == 0,
            ),
            ("ClearingBook", book_layout, BOOK_VARIABLES, list(book_cells(books, book_layout, authority)), True),
        ]
        words: dict[str, dict[int, int]] = {}
        for contract, _, _, cells, _ in plans:
            told = functools.partial(self._progress, f"storage of {contract}")
            words[contract] = state.check_cells(self._rpc, contract, self._addresses[contract], head, cells, told)
            self._checks.append(f"{len(cells)} storage words of {contract} are what the events make of them")
        # Only now, so that a forged word that has a name is reported by it and not by a root.
        for contract, layout, variables, _, complete in plans:
            try:
                layout.check_known(variables)
            except UnknownVariable as error:
                self._notes.append(str(error))
                continue
            if complete:
                self._check_nothing_else(contract, layout, words[contract])

    def _check_nothing_else(self, contract: str, layout: Layout, words: dict[int, int]) -> None:
        address, head = self._addresses[contract], self._block()
        code_hash = bytes.fromhex(self._deployment.contracts[contract].code_hash[2:])
        hints = ledger_hints(self._replay.books, layout) if contract == "PointsLedger" else ()
        if state.check_storage_root(self._rpc, contract, address, head, words, code_hash, hints):
            self._checks.append(
                f"{contract} holds nothing else: its storage root, under the block's state root, agrees"
            )
        else:
            self._notes.append(f"the node offers no state proofs: words of {contract} that no event names are unseen")

    def _check_unmoved(self) -> None:
        """The audited block is still the chain's."""
        head = self._block()
        number = head.header.number
        [again] = read_blocks(self._rpc, number, number, None)
        if again.hash != head.hash:
            raise Contradicted("audited block", f"block {number}", "0x" + head.hash.hex(), "0x" + again.hash.hex())

    def _block(self) -> Block:
        if self._head is None:
            raise ConfigurationError("no block was read")
        return self._head

    # ------------------------------------------------------------------------------------------------ report

    def _report(self, verdict: str, first: int, last: int, error: Contradicted | None) -> AuditReport:
        books = self._replay.books
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
            positions_sum_fen=sum(books.positions.values()),
            leaves=self._leaves[0],
            batches_without_leaves=self._leaves[1],
            checks=self._checks,
            notes=self._notes,
        )
        slugs = {listed.id: listed.slug for listed in self._deployment.programmes}
        for identifier, programme in sorted(books.programmes.items()):
            figures = programme.figures
            figures.outstanding = programme.supply
            figures.escrowed = sum(
                amount
                for (holder, token), amount in books.balances.items()
                if holder == books.ledger and token >> 32 == identifier
            )
            figures.position_fen = books.positions.get(1 << 32 | identifier, 0)
            figures.appropriated_fen = books.appropriated.get(identifier, 0)
            figures.paid_fen = books.paid.get(identifier, 0)
            report.programmes[slugs.get(identifier, ProgrammeSlug(str(identifier)))] = figures
        report.merchants = {merchant: books.positions.get(2 << 32 | merchant, 0) for merchant in books.merchants}
        return report
