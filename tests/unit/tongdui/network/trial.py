"""Networks for tests, with keys that are the same in every run."""

from __future__ import annotations

from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey
from tongdui.network.plan import EngineKind, Member, NetworkPlan, Ports


def sealing_key(number: int) -> SigningKey:
    """The key with which a validator seals."""
    return SigningKey(keccak256(b"sealing" + number.to_bytes(2, "big")))


def member(number: int, *, seals: bool = True) -> Member:
    """A node's public half."""
    node = SigningKey(keccak256(b"node" + number.to_bytes(2, "big")))
    ports = Ports(30_000 + 3 * number, 30_001 + 3 * number, 30_002 + 3 * number)
    account = sealing_key(number).address if seals else None
    return Member(f"agency-{number}", "127.0.0.1", ports, node.public_key.hex(), account)


def plan(validators: int, engine: EngineKind = EngineKind.CLIQUE) -> NetworkPlan:
    """A network of so many validators."""
    members = tuple(member(number) for number in range(1, validators + 1))
    return NetworkPlan(engine, 1_234_567_890, 1, 150_000_000, 1_772_000_000, members)
