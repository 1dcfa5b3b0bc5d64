"""The lesser facts, of which there are ever more: a few are compared after each step, all when a life ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from city import bits
from eth_utils import keccak
from reference import ZERO, pack_lots, prefix_word

from .life import Life
from .model.programmes import day_of
from .wire import Call

Fact = tuple[Any, str, tuple[Any, ...], Any]
"""(contract, view, arguments, what the model says)"""


def check(life: Life, facts: list[Fact]) -> None:
    """Ask the chain for each, and hold it against what the model says."""
    calls = [Call(ZERO, contract, view, args) for contract, view, args, _ in facts]
    for (_, view, args, expected), value in zip(facts, life.wire.read(calls, life.time), strict=True):
        got, wanted = _plain(value), _plain(expected)
        assert got == wanted, f"{view}{args}: the chain says {got}, the model {wanted}"


def _plain(value: Any) -> Any:
    """Return addresses in one case, sequences as tuples."""
    if isinstance(value, tuple | list):
        return tuple(_plain(part) for part in value)
    return value.lower() if isinstance(value, str) else value


def facts_of(life: Life) -> Iterator[Fact]:
    yield from _of_points(life)
    yield from _of_accounts(life)
    yield from _of_orders(life)
    yield from _of_clearing(life)
    yield from _of_council(life)


def _of_points(life: Life) -> Iterator[Fact]:
    ledger, model = life.city.ledger, life.model
    for programme, terms in model.terms.items():
        version, rules = model.rulebook[programme]
        for person in life.issuers.get(programme, ()):
            active_from = model.keys[programme, person.address]
            yield ledger, "issuerKeyActiveFrom", (programme, person.address), active_from
            yield ledger, "isIssuerKey", (programme, person.address), 0 < active_from <= life.time
        state, supply = model.state[programme], model.supply(programme)
        until = (model.spendable_until[programme], model.frozen_until[programme])
        rest = (version, rules or bytes(32), bits(terms.scope), supply, *until)
        yield ledger, "programme", (programme,), (terms.par, terms.flags, state, *rest)
        today = (model.minted_fen[programme, day_of(life.time)], model.revoked_fen[programme, day_of(life.time)])
        yield ledger, "ceilings", (programme,), (*model.ceilings[programme], *today)
    for batch, _ in life.past.batches:
        word = model.batches[batch.programme, batch.number] or bytes(32)
        yield ledger, "batchWord", (batch.programme, batch.number), word
    for key, total in model.revoked.items():
        yield ledger, "revokedTotal", key, total
    for lot in model.supplies:
        yield ledger, "isDead", (lot,), model.is_dead(lot, life.time)
    yield ledger, "rebirthCapFen", (), model.word["rebirth_cap"]


def _of_accounts(life: Life) -> Iterator[Fact]:
    ledger, model = life.city.ledger, life.model
    for player in life.players:
        asked = model.requests[player.address]
        yield life.city.succession, "request", (player.address,), tuple(asked)
        yield ledger, "currentAccount", (player.address,), model.current(player.address)
    for (owner, spender, lot), amount in model.allowances.items():
        yield ledger, "allowance", (owner, spender, lot), amount
    for owner, spender in model.operators:
        yield ledger, "isOperator", (owner, spender), True


def _of_orders(life: Life) -> Iterator[Fact]:
    ledger, book, model = life.city.ledger, life.city.book, life.model
    for order in life.past.holds:
        order_id = model.id_of(order)
        packed = bytes.fromhex(order.holder[2:]) + pack_lots(order.lots)
        yield ledger, "holdCommitment", (order_id,), keccak(packed) if model.holds[order_id] else bytes(32)
    for paid in life.past.payments:
        kept = model.kept[paid.order_id]
        yield book, "keptPrefix", (paid.order_id,), (kept is not None, prefix_word(kept or (0, 0)))
        yield book, "orderLock", (paid.order_id,), tuple(model.locks[paid.order_id])
    for batch, root in model.roots.items():
        yield book, "receiptsRoot", (batch,), root
    yield book, "lastReceiptsBatch", (), model.word["last_batch"]
    for name, office in life.modules.items():
        for module in (office, *life.retired[name]):
            yield module, "pausedUntil", (), model.brakes[module.address][0]
            if name == "exchange":
                yield from _of_caps(life, module)


def _of_caps(life: Life, module: Any) -> Iterator[Fact]:
    model, day = life.model, day_of(life.time)
    for programme in model.terms:
        net = model.inflow[module.address, programme, day]
        yield module, "inflow", (programme,), (model.inflow_caps[module.address, programme], net)
    for player in life.players:
        used = model.outflow[module.address, player.address, day]
        yield module, "outflow", (player.address,), (model.resident_caps[module.address], used)


def _of_clearing(life: Life) -> Iterator[Fact]:
    book, model = life.city.book, life.model
    for (programme, year), (recorded, lapsed, _) in model.years.items():
        yield book, "appropriation", (programme, year), (recorded, lapsed, model.left_of(programme, year))
    for merchant, shop in model.shops.items():
        yield book, "merchant", (merchant,), (shop.key, bits(shop.scope))
    yield book, "programmes", (), tuple(model.word["listed"])
    yield book, "lastCycle", (), (model.word["cycle"], model.word["due_by"])
    yield book, "terms", (), (model.word["term"], model.word["ceiling"])
    yield book, "arbiterKey", (), model.word["arbiter"]


def _of_council(life: Life) -> Iterator[Fact]:
    council = life.rules_of_council
    for member in life.setting.members:
        yield life.council, "isMember", (member,), member in council.members
    for proposal_id, proposal in council.proposals.items():
        yield life.council, "executableFrom", (proposal_id,), proposal.executable_from
        yield life.council, "approvals", (proposal_id,), council.approvals(proposal)
        for member in life.setting.members:
            yield life.council, "hasApproved", (proposal_id, member), council.has_approved(proposal, member)
