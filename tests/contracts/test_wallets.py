"""Contract wallets (ERC-1271) in every act that takes a signature, and batches that are given too little gas.

A wallet is code of somebody's choice: whatever it does, its neighbours land, and no relayer can make a good order look
bad by being stingy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from brownie import web3
from city import (
    CULTURE,
    DAY,
    NOW,
    OTHER_SHOP,
    SCOPES,
    SHOP,
    VOLUNTEER,
    City,
    Payment,
    Person,
    bits,
    event_values,
    go_to,
    now,
    rejections,
    reverts,
)
from lives.wire import Call, Mined, Wire
from reference import BAD_SIGNATURE, Lot, sign, token_id

LOT = token_id(VOLUNTEER, NOW)
(HONEST, REFUSES, REVERTS, BURNS, ANSWERS_LONG, REVERTS_LONG, ANSWERS_SHORT, ANSWERS_DIRTY, USES_MUCH) = range(9)
AGREES = (HONEST, ANSWERS_LONG, USES_MUCH)
"""What is a yes: the right answer, however long, and within 100,000 gas."""
MODES = (REFUSES, REVERTS, BURNS, REVERTS_LONG, ANSWERS_SHORT, ANSWERS_DIRTY)
PAID: list[Lot] = [(LOT, 500)]


@dataclass(frozen=True)
class Batch:
    """A batch of three: the wallet's in the middle, its neighbours are others'. `event` tells that one landed."""

    contract: Any
    function: str
    parts: tuple[bytes, ...]
    event: str

    @property
    def packed(self) -> bytes:
        return b"".join(self.parts)


class Town:
    """A city with two wallets: ana's, who holds points with it, and the shop's."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.wallet = city.project.WalletMock.deploy(city.ana.address, city.by_operator)
        self.till = city.project.WalletMock.deploy(city.merchant[SHOP].address, city.by_operator)
        city.book.registerMerchant(SHOP, self.till, bits(SCOPES[SHOP]), {"from": city.registrar})
        city.mint(VOLUNTEER, NOW, {self.wallet.address: 20_000, city.bo.address: 20_000})

    def set_mode(self, mode: int) -> None:
        for wallet in (self.wallet, self.till):
            wallet.setMode(mode, self.city.by_operator)

    def _around(self, middle: bytes, neighbour: Callable[[], bytes]) -> tuple[bytes, ...]:
        return neighbour(), middle, neighbour()

    def exchange(self) -> Batch:
        city = self.city

        def order(person: Person, holder: str) -> bytes:
            return city.signed(person, city.exchange_order(person, LOT, 100, CULTURE, holder=holder))

        parts = self._around(order(city.ana, self.wallet.address), lambda: order(city.bo, city.bo.address))
        return Batch(city.exchange, "execute", parts, "Exchanged")

    def redeem(self) -> Batch:
        city = self.city

        def order(person: Person, holder: str) -> bytes:
            return city.signed(person, city.redeem_order(person, PAID, holder=holder))

        parts = self._around(order(city.ana, self.wallet.address), lambda: order(city.bo, city.bo.address))
        return Batch(city.redemption, "execute", parts, "Redeemed")

    def hold(self) -> Batch:
        city = self.city

        def order(person: Person, holder: str) -> bytes:
            return city.signed(person, city.hold_order(person, PAID, holder=holder))

        parts = self._around(order(city.ana, self.wallet.address), lambda: order(city.bo, city.bo.address))
        return Batch(city.redemption, "hold", parts, "Held")

    def capture(self) -> Batch:
        """The wallet is the merchant's."""
        city = self.city
        middle = city.signed_capture(city.place_hold(city.bo, PAID))
        parts = self._around(middle, lambda: city.signed_capture(city.place_hold(city.bo, PAID, merchant=OTHER_SHOP)))
        return Batch(city.redemption, "capture", parts, "Captured")

    def release(self) -> Batch:
        """The wallet is the merchant's."""
        city = self.city
        middle = city.signed_release(city.place_hold(city.bo, PAID))
        parts = self._around(middle, lambda: city.signed_release(city.place_hold(city.bo, PAID, merchant=OTHER_SHOP)))
        return Batch(city.redemption, "release", parts, "Released")

    def release_by_the_holder(self) -> Batch:
        city = self.city
        order = city.place_hold(city.ana, PAID, holder=self.wallet.address, merchant=OTHER_SHOP, cancellable=True)
        middle = city.signed_release(order, by=city.ana)
        parts = self._around(middle, lambda: city.signed_release(city.place_hold(city.bo, PAID, merchant=OTHER_SHOP)))
        return Batch(city.redemption, "release", parts, "Released")


KINDS: Sequence[Callable[[Town], Batch]] = (
    Town.exchange,
    Town.redeem,
    Town.hold,
    Town.capture,
    Town.release,
    Town.release_by_the_holder,
)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture
def town(city: City) -> Town:
    return Town(city)


# Batches ----------------------------------------------------------------------------------------------------------


@each_kind
def test_a_wallet_lands_or_is_rejected_alone(town: Town, kind: Callable[[Town], Batch]) -> None:
    """Rejected where it says no, reverts, burns all it gets, reverts at length, answers 31 bytes, or 32 of which one is
    dirty; its neighbours land whatever it does, and it costs them at most 130,000 gas more than a plain no."""
    batch = kind(town)
    costs = {}
    with wire_to(town) as wire:
        for mode in (*AGREES, *MODES):
            outcome = attempt(wire, town, batch, 10_000_000, mode)
            agrees = mode in AGREES
            assert (outcome.ok, codes(outcome)) == (True, [] if agrees else [BAD_SIGNATURE]), mode
            assert landed(outcome, batch) == (3 if agrees else 2), mode
            costs[mode] = outcome.gas
    assert max(costs[BURNS], costs[REVERTS_LONG]) < costs[REFUSES] + 130_000, costs


@each_kind
def test_what_a_wallet_refused_is_not_spent(town: Town, kind: Callable[[Town], Batch]) -> None:
    """The same bytes land once the wallet is honest again."""
    batch = kind(town)
    run = getattr(batch.contract, batch.function)
    town.set_mode(BURNS)
    assert [code for _, _, code in rejections(run(batch.packed, town.city.by_operator))] == [BAD_SIGNATURE]
    town.set_mode(HONEST)
    tx = run(batch.parts[1], town.city.by_operator)
    assert (rejections(tx), len(event_values(tx, batch.event))) == ([], 1)
    town.city.assert_zero_sum()


@each_kind
def test_a_wallet_answers_for_its_owner_alone(town: Town, kind: Callable[[Town], Batch]) -> None:
    """A signature of somebody else's is rejected, though the wallet is honest."""
    batch = kind(town)
    middle = bytearray(batch.parts[1])
    middle[-40] ^= 1
    tx = getattr(batch.contract, batch.function)(bytes(middle), town.city.by_operator)
    assert [code for _, _, code in rejections(tx)] == [BAD_SIGNATURE]


def test_an_answer_of_31_bytes_is_none_whatever_lies_in_memory(town: Town) -> None:
    """Here the byte that is missing is a zero already, as in the right answer."""
    digest, probe = b"\x11" * 32, town.city.probe
    town.set_mode(ANSWERS_LONG)
    assert probe.isValid(town.wallet, digest, sign(town.city.ana.key, digest))
    town.set_mode(ANSWERS_SHORT)
    assert not probe.isValid(town.wallet, digest, b"")


# Gas --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def wire_to(town: Town) -> Iterator[Wire]:
    """Open a connection on which batches are tried with the gas that is said."""
    city = town.city
    contracts = [city.ledger, city.book, city.exchange, city.redemption, town.wallet]
    wire = Wire(web3.provider.endpoint_uri, contracts)
    with wire.mining_by_hand():
        yield wire


def attempt(wire: Wire, town: Town, batch: Batch, gas: int, mode: int = HONEST) -> Mined:
    """Send the batch with this gas to wallets in this mode, and put the chain back."""
    before = wire.ask("evm_snapshot")
    sender, at = town.city.operator.address, now() + 10
    modes = [Call(sender, wallet, "setMode", (mode,)) for wallet in (town.wallet, town.till)]
    outcome = wire.mine(at, [*modes, Call(sender, batch.contract, batch.function, (batch.packed,), gas)])[-1]
    assert wire.ask("evm_revert", before) is True
    return outcome


def codes(outcome: Mined) -> list[int]:
    return [values["code"] for _, (name, values) in outcome.events if name == "Rejected"]


def landed(outcome: Mined, batch: Batch) -> int:
    return sum(name == batch.event for _, (name, _) in outcome.events)


@each_kind
@pytest.mark.parametrize(("mode", "rejected"), [(HONEST, []), (USES_MUCH, []), (BURNS, [BAD_SIGNATURE])])
def test_too_little_gas_reverts_and_rejects_nobody(
    town: Town, kind: Callable[[Town], Batch], mode: int, rejected: list[int]
) -> None:
    """Bisected: below some limit the call reverts, above it all is as with gas in plenty, and between is nothing."""
    batch = kind(town)
    with wire_to(town) as wire:
        least, most = 60_000, 2_000_000
        assert attempt(wire, town, batch, most, mode).ok
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (least, middle) if attempt(wire, town, batch, middle, mode).ok else (middle, most)
        for more in (0, 1, 1_000, 20_000, 60_000, 110_000, 300_000):
            outcome = attempt(wire, town, batch, most + more, mode)
            assert (outcome.ok, codes(outcome)) == (True, rejected), more
        for less in (1, 2, 500, 2_000, 8_000, 30_000, 60_000, 90_000, 104_000, 108_000):
            gas = most - less
            if gas > 60_000:
                assert not attempt(wire, town, batch, gas, mode).ok, less


@each_kind
def test_a_wallet_s_check_is_not_begun_without_its_due(town: Town, kind: Callable[[Town], Batch]) -> None:
    """Where the wallet could not be given its 100,000 gas the call says so, with what is left and what is needed."""
    batch = kind(town)
    with wire_to(town) as wire:
        sender, said = town.city.operator.address, set()
        for gas in range(60_000, 400_000, 20_000):
            call = Call(sender, batch.contract, batch.function, (batch.parts[1],), gas)
            refused = wire.refusal(call, now() + 10)
            if refused is not None and refused.name == "SignatureCheckOutOfGas":
                left, needed = refused.values
                assert left < needed == 100_000 + 100_000 // 63 + 5_000
            said.add(refused and refused.name)
        # Where the gas does not even reach for the authority's answer, the module takes it for a no.
        assert said - {"AccessManagedUnauthorized"} == {"0x", "SignatureCheckOutOfGas", None}


# Acts one by one --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [*AGREES, BURNS, REVERTS_LONG, REFUSES])
def test_refund_by_a_merchant_s_wallet(town: Town, mode: int) -> None:
    city = town.city
    payment = _paid(town)
    town.set_mode(mode)
    if mode in AGREES:
        assert len(event_values(city.refund(payment), "Refunded")) == 1
        assert city.balances(LOT, town.wallet.address) == [20_000]
    else:
        with reverts("RedemptionBadSignature", payment.receipt[0]):
            city.refund(payment)


def _paid(town: Town) -> Payment:
    """Have the wallet pay the shop 100 fen."""
    city = town.city
    order = city.redeem_order(city.ana, PAID, holder=town.wallet.address)
    receipt = list(city.receipt_of(city.run_redeem(city.signed(city.ana, order)), PAID))
    receipt[1] = town.wallet.address
    return Payment(tuple(receipt), (1, []), tuple(PAID))


@pytest.mark.parametrize("mode", [*AGREES, BURNS, REVERTS_LONG, REFUSES])
def test_arbiter_refund_by_an_arbiter_s_wallet(town: Town, mode: int) -> None:
    city = town.city
    payment = _paid(town)
    city.lock(payment, 100)
    city.book.setArbiterKey(town.till, city.by_admin)
    town.set_mode(mode)
    by = city.merchant[SHOP]
    if mode in AGREES:
        city.arbiter_refund(payment, by=by)
        assert city.balances(LOT, town.wallet.address) == [20_000]
    else:
        with reverts("RedemptionBadSignature", payment.receipt[0]):
            city.arbiter_refund(payment, by=by)


@pytest.mark.parametrize("mode", [*AGREES, BURNS, REVERTS_LONG, REFUSES])
def test_a_wallet_consents_and_objects(town: Town, mode: int) -> None:
    """As the new account of a succession, and as the old one of another."""
    city, wallet = town.city, town.wallet
    deadline = now() + DAY
    fields = {"oldAccount": city.bo.address, "newAccount": wallet.address, "deadline": deadline}
    consent = sign(city.ana.key, city.domain.digest("Succession", **fields))
    request = (city.bo.address, wallet.address, deadline, consent, {"from": city.desk})
    fields = {"oldAccount": wallet.address, "newAccount": city.heir.address}
    objection = sign(city.ana.key, city.domain.digest("Objection", **fields))
    city.request_succession(wallet.address, city.heir)
    town.set_mode(mode)
    if mode in AGREES:
        city.succession.requestSuccession(*request)
        city.succession.objectTo(wallet.address, objection, city.by_operator)
    else:
        with reverts("SuccessionBadSignature", wallet.address):
            city.succession.requestSuccession(*request)
        with reverts("SuccessionBadSignature", wallet.address):
            city.succession.objectTo(wallet.address, objection, city.by_operator)


def test_a_wallet_objects_and_cancels_by_its_own_calls(town: Town) -> None:
    """What an account does itself a wallet does too: nobody's signature is asked for."""
    city, wallet = town.city, town.wallet
    cancel = city.ledger.cancelNonce.encode_input(LOT, 0)
    tx = wallet.call(city.ledger, cancel, city.by_operator)
    assert event_values(tx, "NonceCancelled") == [{"holder": wallet.address, "id": LOT, "nonce": 0}]
    city.request_succession(wallet.address, city.heir)
    objection = city.succession.objectTo.encode_input(wallet.address, b"")
    tx = wallet.call(city.succession, objection, city.by_operator)
    assert event_values(tx, "SuccessionObjected") == [{"holder": wallet.address}]


def test_an_issuer_s_key_is_a_plain_one(town: Town) -> None:
    """A contract signs no batch, whoever owns it: what an issuer signed must be checkable without a node."""
    city, wallet = town.city, town.wallet
    city.ledger.addIssuerKey(VOLUNTEER, wallet.address, city.by_admin)
    go_to(now() + 7 * DAY)
    batch = city.batch(VOLUNTEER, NOW, {city.bo.address: 1})
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, city.ana.address):
        city.land(batch, city.ana)
