"""What the contracts' work costs, measured on a real Anvil: ``python -m scripts.gas`` (= ``make gas``).

Each figure is gas per operation in a batch, the whole transaction divided by its operations: mint with 500 grants,
orders with 100, by holders whose slots exist. Beside it stand the floor, which is what the EVM charges for the same
effect (the transaction and its calldata, the logs, one ecrecover an order, and the cheapest storage that can hold the
outcome; no computation at all), and the nearest thing built from OpenZeppelin's parts, which does less, measured in the
same run.

A line of its own shows what the ledger's own check of an exchange costs: the same exchanges are measured in this run
on a ledger without that check, and the difference is the line. Exchange may cost that much more than OpenZeppelin's,
which has no such rule.

The last line is one JSON object of the seven operations in ``REPORTED`` and of that check. The run fails where a figure
is more than 1 % above the committed snapshot, or an operation above its bar; ``--update`` writes the snapshot anew.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from web3.contract.contract import ContractFunction

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.transactions import contract_address, sign_legacy
from ledger.clock import ManualClock
from ledger.deployment import artifacts
from ledger.deployment.city import CityActors, CityConfig, load
from ledger.deployment.contracts import Contracts, call_data
from ledger.deployment.deploy import deploy
from ledger.errors import TongduiError
from ledger.standard import packed
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import MerchantId, ProgrammeId, token_id
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import quarter_at
from ledger.standard.signatures import SigningKey
from ledger.standard.typed_data import Capture, ExchangeOrder, HoldOrder, Lot, MintBatch, RedeemOrder

SNAPSHOT = Path(__file__).resolve().parent.parent / "tests" / "contracts" / "gas.snapshot.json"
TOLERANCE = 0.01
REPORTED = ("mint_new", "mint_existing", "mint_new_lot", "redeem", "exchange", "hold", "capture")
BELOW_OPENZEPPELIN = ("redeem", "exchange", "hold")
"""Operations that must not cost more than OpenZeppelin's nearest thing, a safety rule's measured cost aside."""
CHECK = "exchange_check"
START = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
GRANTS = 500
ORDERS = 100
VOLUNTEER, CULTURE = ProgrammeId(1), ProgrammeId(4)
MERCHANT = MerchantId(1)
GAS_LIMIT = 40_000_000

# What London charges (EIP-2028, 2200, 2929, 3529), in gas.
TRANSACTION = 21_000
CALLDATA_ZERO, CALLDATA_BYTE = 4, 16
LOG, LOG_TOPIC, LOG_BYTE = 375, 375, 8
ECRECOVER = 3_000
NEW_SLOT = 22_100
OLD_SLOT = 5_000
CLEARED_SLOT_REFUND = 4_800
"""At most a fifth of the transaction's gas is refunded."""
COLD_CONTRACT = 2_600


class GasError(TongduiError):
    """A measurement could not be made: a transaction reverted, or an order of a batch was not executed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Spent:
    """A transaction that landed: all its gas, and what of it cannot be saved (intrinsic gas and logs)."""

    gas: int
    unavoidable: int
    logs: Mapping[bytes, int]
    """How many logs of each first topic."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result, in gas per operation, rounded up."""

    gas: int
    floor: int
    openzeppelin: int


def key(name: str) -> SigningKey:
    """Return the key of a made-up person or institution, the same in every run: gas depends on calldata's zeros."""
    return SigningKey(keccak256(b"gas " + name.encode()))


class Sender:
    """Sends one transaction after the other, each in a block of its own."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine
        self._key = key("relayer")
        self._nonce = 0

    def send(self, to: str | None, data: bytes) -> Spent:
        """Send and wait. Raises GasError if it reverts."""
        raw, tx_hash = sign_legacy(self._key, self._engine.chain_id, self._nonce, to, data, GAS_LIMIT)
        self._nonce += 1
        self._engine.submit([raw])
        self._engine.produce()
        receipt = self._engine.rpc.call("eth_getTransactionReceipt", ["0x" + tx_hash.hex()])
        if receipt is None or int(receipt["status"], 16) != 1:
            raise GasError(f"transaction {tx_hash.hex()} did not succeed")
        return _spent(receipt, data)

    def call(self, function: ContractFunction) -> Spent:
        """Call a contract with a transaction and wait. Raises GasError if it reverts."""
        return self.send(str(function.address), call_data(function))

    def create(self, name: str) -> Contracts:
        """Create a contract whose constructor takes nothing."""
        contracts = Contracts(
            self._engine.rpc, {name: contract_address(self._key.address, self._nonce)}, self._engine.chain_id
        )
        self.send(None, contracts.creation_data(name))
        return contracts


def _spent(receipt: Mapping[str, Any], data: bytes) -> Spent:
    zeros = data.count(0)
    unavoidable = TRANSACTION + zeros * CALLDATA_ZERO + (len(data) - zeros) * CALLDATA_BYTE
    logs: dict[bytes, int] = {}
    for log in receipt["logs"]:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        unavoidable += LOG + LOG_TOPIC * len(topics) + LOG_BYTE * (len(log["data"]) // 2 - 1)
        logs[topics[0]] = logs.get(topics[0], 0) + 1
    return Spent(int(receipt["gasUsed"], 16), unavoidable, logs)


class Ours:
    """The city as it is deployed, and batches for it."""

    def __init__(self, engine: EmbeddedEngine, sender: Sender, config: CityConfig) -> None:
        self._sender = sender
        self.quarter = quarter_at(int(START.timestamp()))
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
        )
        deployment = deploy(engine, config, actors, key("deployer"))
        self._contracts = Contracts.of(engine, deployment)
        self._domain = deployment.domain()
        self._number = 0
        self._deadline = int(START.timestamp()) + DAY_S

    def mint(self, programme: ProgrammeId, quarter: int, holders: Sequence[SigningKey]) -> Spent:
        """Mint one batch of one grant each."""
        self._number += 1
        grants = packed.pack_grants([(holder.address, 1_000 + i) for i, holder in enumerate(holders)])
        root = keccak256(b"root" + self._number.to_bytes(8, "big"))
        batch = MintBatch(programme, quarter, self._number, root, keccak256(grants))
        signature = key(f"issuer {programme}").sign_digest(batch.digest(self._domain))
        mint = self._contracts["PointsLedger"].functions.mint
        return self._sender.call(mint((programme, quarter, self._number, root, grants), signature))

    def redeem(self, holders: Sequence[SigningKey], nonce: int) -> Spent:
        """Redeem one lot of each holder."""
        orders = [
            RedeemOrder(holder.address, MERCHANT, (self._lot(100 + i),), nonce, self._deadline)
            for i, holder in enumerate(holders)
        ]
        data = packed.pack_redeem_orders(self._signed(orders, holders))
        return self._executed("Redemption", "execute", data, "Redeemed")

    def exchange(self, holders: Sequence[SigningKey], nonce: int) -> Spent:
        """Exchange part of one lot of each holder."""
        lot = token_id(VOLUNTEER, self.quarter)
        orders = [
            ExchangeOrder(holder.address, lot, 100 + i, CULTURE, 1, nonce, self._deadline)
            for i, holder in enumerate(holders)
        ]
        data = packed.pack_exchange_orders(self._signed(orders, holders))
        return self._executed("Exchange", "execute", data, "Exchanged")

    def hold(self, holders: Sequence[SigningKey], nonce: int) -> Spent:
        """Hold part of one lot of each holder."""
        orders = self._holds(holders, nonce)
        return self._executed("Redemption", "hold", packed.pack_hold_orders(self._signed(orders, holders)), "Held")

    def capture(self, holders: Sequence[SigningKey], nonce: int) -> Spent:
        """Capture whole what `hold` held under this nonce."""
        merchant = key(f"merchant {MERCHANT}")
        parts = []
        for order in self._holds(holders, nonce):
            last = order.lots[0].amount
            digest = Capture(order.digest(self._domain), 1, last).digest(self._domain)
            parts.append(packed.pack_capture(order, 1, last, merchant.sign_digest(digest)))
        return self._executed("Redemption", "capture", b"".join(parts), "Captured")

    def _holds(self, holders: Sequence[SigningKey], nonce: int) -> list[HoldOrder]:
        return [
            HoldOrder(
                holder.address, MERCHANT, (self._lot(100 + i),), nonce, self._deadline, self._deadline + DAY_S, True
            )
            for i, holder in enumerate(holders)
        ]

    def _lot(self, amount: int) -> Lot:
        return Lot(token_id(VOLUNTEER, self.quarter), amount)

    def _signed(self, orders: Sequence[Any], holders: Sequence[SigningKey]) -> list[tuple[Any, bytes]]:
        return [
            (order, holder.sign_digest(order.digest(self._domain)))
            for order, holder in zip(orders, holders, strict=True)
        ]

    def _executed(self, contract: str, function: str, data: bytes, event: str) -> Spent:
        of = self._contracts[contract]
        spent = self._sender.call(of.functions[function](data))
        landed = spent.logs.get(bytes.fromhex(of.events[event]().topic[2:]), 0)
        if landed != ORDERS:
            raise GasError(f"{contract}.{function}: {landed} of {ORDERS} orders landed")
        return spent


class OpenZeppelin:
    """The nearest thing from OpenZeppelin's parts; see contracts/mocks/OpenZeppelinPoints.sol."""

    _NAME = "OpenZeppelinPoints"

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._contracts = sender.create(self._NAME)

    def mint(self, lot: int, holders: Sequence[SigningKey]) -> Spent:
        """Mint one batch of one amount each."""
        amounts = [1_000 + i for i in range(len(holders))]
        return self._call("mint", [[holder.address for holder in holders], lot, amounts])

    def order(self, function: str, lot: int, holders: Sequence[SigningKey], nonce: int) -> Spent:
        """Execute a batch of signed orders with one of the contract's functions."""
        return self._call(function, [self._orders(lot, holders, nonce)[0]])

    def capture(self, lot: int, holders: Sequence[SigningKey], nonce: int) -> Spent:
        """Capture whole what `hold` held under this nonce."""
        merchant = key(f"merchant {MERCHANT}")
        orders, ids = self._orders(lot, holders, nonce)
        return self._call("capture", [orders, merchant.address, [merchant.sign_digest(order_id) for order_id in ids]])

    def _orders(self, lot: int, holders: Sequence[SigningKey], nonce: int) -> tuple[list[Any], list[bytes]]:
        deadline = int(START.timestamp()) + DAY_S
        terms = [(holder.address, lot, 100 + i, lot + 1, 20 + i, nonce, deadline) for i, holder in enumerate(holders)]
        order_id_of = self._contracts[self._NAME].functions.orderIdOf
        ids = self._contracts.read_all([order_id_of((*term, b"")) for term in terms], "latest")
        orders = [
            (*term, holder.sign_digest(order_id)) for term, holder, order_id in zip(terms, holders, ids, strict=True)
        ]
        return orders, ids

    def _call(self, function: str, args: Sequence[Any]) -> Spent:
        return self._sender.call(self._contracts[self._NAME].functions[function](*args))


# Floors -----------------------------------------------------------------------------------------------------------

_MINT_ONCE = ECRECOVER + NEW_SLOT + 2 * OLD_SLOT + 2 * COLD_CONTRACT
"""A batch: the issuer's signature, the evidence root, the lot's and the programme's supply; ledger and book."""
_PAY_ONCE = NEW_SLOT + 4 * OLD_SLOT + 2 * COLD_CONTRACT
"""A batch of payments: the receipts' root, two supplies, two positions; ledger and book."""
_EXCHANGE_ONCE = 6 * OLD_SLOT + 2 * COLD_CONTRACT
"""A batch of exchanges between two programmes: four supplies, two positions; ledger and book."""
_HOLD_ONCE = OLD_SLOT + 2 * COLD_CONTRACT
"""A batch of holds of one lot: the escrow's balance; ledger and book."""


def floor_of(spent: Spent, operations: int, once: int, each: int, refund: int) -> int:
    """Return what the EVM charges per operation for the effect of a batch, rounded up."""
    charged = spent.unavoidable + once + operations * each
    return math.ceil((charged - min(operations * refund, charged // 5)) / operations)


def figure(ours: Spent, theirs: Spent, operations: int, once: int, each: int, refund: int = 0) -> Figure:
    """Return a line of the result; ``once``, ``each`` and ``refund`` are the floor's storage and signatures."""
    floor = floor_of(ours, operations, once, each, refund)
    return Figure(math.ceil(ours.gas / operations), floor, math.ceil(theirs.gas / operations))


# The run ----------------------------------------------------------------------------------------------------------


def measure(engine: EmbeddedEngine, config: CityConfig) -> dict[str, Figure]:
    """Deploy both and measure every operation, each by holders whose slots were used before."""
    sender = Sender(engine)
    ours, theirs = Ours(engine, sender, config), OpenZeppelin(sender)
    lot = token_id(VOLUNTEER, ours.quarter)
    holders = [key(f"holder {i}") for i in range(GRANTS)]
    some = holders[:ORDERS]
    # The programmes' first batch and first orders make slots that every later batch finds.
    first = [key("first holder")]
    ours.mint(VOLUNTEER, ours.quarter, first)
    ours.mint(VOLUNTEER, ours.quarter + 1, first)
    theirs.mint(lot, first)
    theirs.mint(lot + 1, first)

    figures = {
        "mint_new": figure(
            ours.mint(VOLUNTEER, ours.quarter, holders), theirs.mint(lot, holders), GRANTS, _MINT_ONCE, NEW_SLOT
        ),
        "mint_existing": figure(
            ours.mint(VOLUNTEER, ours.quarter, holders), theirs.mint(lot, holders), GRANTS, _MINT_ONCE, OLD_SLOT
        ),
        # A quarter of the same year: the holder's word is there already.
        "mint_new_lot": figure(
            ours.mint(VOLUNTEER, ours.quarter + 1, holders), theirs.mint(lot + 1, holders), GRANTS, _MINT_ONCE, OLD_SLOT
        ),
    }
    for nonce in range(2):
        redeem, oz_redeem = ours.redeem(some, 4 * nonce), theirs.order("redeem", lot, some, 3 * nonce)
        exchange = ours.exchange(some, 4 * nonce + 1)
        oz_exchange = theirs.order("exchange", lot, some, 3 * nonce + 1)
        hold, oz_hold = ours.hold(some, 4 * nonce + 2), theirs.order("hold", lot, some, 3 * nonce + 2)
        capture, oz_capture = ours.capture(some, 4 * nonce + 2), theirs.capture(lot, some, 3 * nonce + 2)
        # The second round finds every slot in use.
        figures |= {
            "redeem": figure(redeem, oz_redeem, ORDERS, _PAY_ONCE, ECRECOVER + OLD_SLOT),
            "exchange": figure(exchange, oz_exchange, ORDERS, _EXCHANGE_ONCE, ECRECOVER + 2 * OLD_SLOT),
            "hold": figure(hold, oz_hold, ORDERS, _HOLD_ONCE, ECRECOVER + OLD_SLOT + NEW_SLOT),
            "capture": figure(
                capture, oz_capture, ORDERS, _PAY_ONCE + OLD_SLOT, ECRECOVER + OLD_SLOT, CLEARED_SLOT_REFUND
            ),
        }
    return figures


def run() -> dict[str, Figure]:
    """Measure on a fresh chain and throw it away. The city of the demo, without caps; and what caps add to exchange."""
    config = load()
    uncapped = replace(config, resident_cap_fen=0)
    figures = _on_fresh_chain(lambda engine: measure(engine, uncapped))
    figures["exchange_capped"] = _on_fresh_chain(lambda engine: measure(engine, config))["exchange"]
    with _ledger_without_check():
        unchecked = _on_fresh_chain(lambda engine: measure(engine, uncapped))["exchange"]
    figures[CHECK] = Figure(figures["exchange"].gas - unchecked.gas, 0, 0)
    return figures


@contextmanager
def _ledger_without_check() -> Iterator[None]:
    """Have cities deployed with the ledger of contracts/mocks/UncheckedLedger.sol in the place of the real one."""
    before = os.environ.get(artifacts.FOLDER_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="tongdui-gas-") as folder:
        for path in artifacts.folder().glob("*.json"):
            shutil.copy(path, folder)
        shutil.copy(artifacts.folder() / "UncheckedLedger.json", Path(folder) / "PointsLedger.json")
        os.environ[artifacts.FOLDER_VARIABLE] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[artifacts.FOLDER_VARIABLE]
            else:
                os.environ[artifacts.FOLDER_VARIABLE] = before


def _on_fresh_chain(act: Callable[[EmbeddedEngine], dict[str, Figure]]) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory(prefix="tongdui-gas-") as folder:
        options = EmbeddedOptions(chain_id=1_234_567_890, genesis_timestamp=int(START.timestamp()))
        with EmbeddedEngine.open(Path(folder), ManualClock(START), options) as engine:
            return act(engine)


def regressions(figures: Mapping[str, Figure], snapshot: Mapping[str, int]) -> list[str]:
    """Say what costs over 1 % more than the snapshot, or is not in it, or is no longer measured."""
    found = [f"{name} is in the snapshot and was not measured" for name in snapshot if name not in figures]
    for name, line in figures.items():
        before = snapshot.get(name)
        if before is None:
            found.append(f"{name} is not in the snapshot")
        elif line.gas > before * (1 + TOLERANCE):
            found.append(f"{name} costs {line.gas:,} gas, {line.gas / before - 1:+.1%} on the snapshot's {before:,}")
    return found


def bar_of(name: str, figures: Mapping[str, Figure]) -> int:
    """Return the most that an operation of ``BELOW_OPENZEPPELIN`` may cost."""
    return figures[name].openzeppelin + (figures[CHECK].gas if name == "exchange" else 0)


def above_the_bar(figures: Mapping[str, Figure]) -> list[str]:
    """Say which operation costs more than its bar."""
    return [
        f"{name} costs {figures[name].gas:,} gas, more than its bar of {bar_of(name, figures):,}"
        for name in BELOW_OPENZEPPELIN
        if figures[name].gas > bar_of(name, figures)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, compare, print; return 1 on a regression."""
    parser = argparse.ArgumentParser(prog="python -m scripts.gas", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--update", action="store_true", help="write the snapshot anew")
    args = parser.parse_args(argv)
    figures = run()
    print(f"{'gas per operation':<18}{'ours':>10}{'floor':>10}{'OpenZeppelin':>14}")
    for name, line in figures.items():
        if name != CHECK:
            print(f"{name:<18}{line.gas:>10,}{line.floor:>10,}{line.openzeppelin:>14,}")
    check = figures[CHECK].gas
    print(
        f"{CHECK:<18}{check:>10,}  safety: the ledger itself sees that an exchange creates no value and prolongs none;"
    )
    print(f"{'':<30}exchange's bar is {bar_of('exchange', figures):,}, OpenZeppelin's and this")
    if args.update:
        content = {name: line.gas for name, line in figures.items()}
        SNAPSHOT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    found = regressions(figures, json.loads(SNAPSHOT.read_text(encoding="utf-8")) if SNAPSHOT.is_file() else {})
    found += above_the_bar(figures)
    for sentence in found:
        print(sentence, file=sys.stderr)
    lines: dict[str, dict[str, int]] = {
        name: {"gas": figures[name].gas, "floor": figures[name].floor, "openzeppelin": figures[name].openzeppelin}
        for name in REPORTED
    }
    lines[CHECK] = {"gas": check, "exchange_bar": bar_of("exchange", figures)}
    print(json.dumps(lines))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
