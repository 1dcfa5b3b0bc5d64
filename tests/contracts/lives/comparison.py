"""What is compared after each step: the chain with the model, in one question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reference import ZERO

from .ledgers import Ledgers
from .model import Model
from .model.programmes import day_of
from .wire import Call, Wire


@dataclass(frozen=True)
class Scope:
    """Who and what is asked about, in the order of `BookReader.everything`."""

    holders: list[str]
    lots: list[int]
    words: list[int]
    participants: list[int]
    programmes: list[int]
    merchants: list[int]
    owed: list[tuple[str, int]]


def scope_of(model: Model, holders: Sequence[str]) -> Scope:
    lots = sorted({*model.supplies, *model.redeemed, *(lot for _, lot in model.balances)})
    words = sorted({model.place_of("", lot)[1] for lot in lots} | {word for _, word in model.nonces})
    # The word of key k holds the lots whose quarter plus 3 is 4k to 4k + 3.
    of_words = [word >> 32 << 32 | max((word & 0xFFFFFFFF) * 4 - 3, 0) for word in words]
    programmes, merchants = sorted(model.terms), sorted({*model.shops, 1, 2, 3})
    participants = [1 << 32 | p for p in programmes] + [2 << 32 | m for m in merchants] + [3 << 32, 4 << 32]
    return Scope([*holders, model.ledger], lots, of_words, participants, programmes, merchants, sorted(model.owed))


def expected(model: Model, scope: Scope, at: int) -> Iterator[tuple[str, int]]:
    """Return what the model says to each of the reader's words, with its name."""
    for holder in scope.holders:
        yield from _of_holder(model, scope, holder)
    for lot in scope.lots:
        yield f"supply {_name(lot)}", model.supplies[lot]
        yield f"redeemed {_name(lot)}", model.redeemed[lot]
    for participant in scope.participants:
        yield f"position {_name(participant)}", position_of(model, participant)
    for programme in scope.programmes:
        for name, value in _of_programme(model, programme, at):
            yield f"{name} of programme {programme}", value
    for merchant in scope.merchants:
        claim = (*model.parts(merchant, at), model.locked[merchant], model.payable(merchant, at))
        for part, value in zip(("matured", "younger", "youngest", "locked", "payable"), claim, strict=True):
            yield f"{part} of merchant {merchant}", value
    for value in model.total_claims(at):
        yield "total claims", value
    for debtor, lot in scope.owed:
        yield f"owed by {debtor} of {_name(lot)}", model.owed[debtor, lot]


def _name(number: int) -> str:
    """Return a lot or a participant as its two halves."""
    return f"{number >> 32}/{number & 0xFFFFFFFF}"


def _of_holder(model: Model, scope: Scope, holder: str) -> Iterator[tuple[str, int]]:
    for lot in scope.lots:
        yield f"balance {holder} {_name(lot)}", model.balances[holder, lot]
    for word in scope.words:
        base, window = model.nonces[model.place_of(holder, word)]
        yield f"nonces {holder} {_name(word)}", window << 32 | base
    yield f"successor {holder}", int(model.successor[holder], 16)
    quarter, fen = model.reborn[holder]
    yield f"reborn quarter {holder}", quarter
    yield f"reborn fen {holder}", fen


def position_of(model: Model, participant: int) -> int:
    if participant >> 32 != 2:
        return int(model.positions[participant])
    return sum(fen for (who, _), fen in model.earned.items() if who == participant & 0xFFFFFFFF)


def _of_programme(model: Model, programme: int, at: int) -> Iterator[tuple[str, int]]:
    yield "supply", model.supply(programme)
    yield "state", model.state[programme]
    yield "spendable until", model.spendable_until[programme]
    yield "frozen until", model.frozen_until[programme]
    yield "swept", model.swept[programme]
    yield "liability", model.liability(programme)
    yield "minted today", model.minted_fen[programme, day_of(at)]
    yield "revoked today", model.revoked_fen[programme, day_of(at)]
    yield "funding", model.funding(programme)
    yield "appropriated", model.appropriated(programme)
    yield "overdue", int(model.is_overdue(programme, at))
    yield "paid", model.paid[programme]
    yield "due", model.dues[programme][0]
    yield "older due", model.dues[programme][1]
    yield "due by", model.word["due_by"]
    yield "waived until", model.waived[programme]


def compare(wire: Wire, city: Any, model: Model, holders: Sequence[str], at: int) -> dict[str, int]:
    """Ask for everything, hold it against the model, and return it by name."""
    scope = scope_of(model, holders)
    debtors, owed = [who for who, _ in scope.owed], [lot for _, lot in scope.owed]
    parts = (scope.holders, scope.lots, scope.words, scope.participants, scope.programmes, scope.merchants)
    asked = (city.ledger.address, city.book.address, *parts, debtors, owed)
    words = wire.read_words(Call(ZERO, city.reader, "everything", (asked,)), at)
    signed = [word - 2**256 if word >> 255 else word for word in words]
    wanted = list(expected(model, scope, at))
    assert len(signed) == len(wanted)
    for got, (name, value) in zip(signed, wanted, strict=True):
        assert got == value, f"{name}: the chain says {got}, the model {value}"
    return dict(zip((name for name, _ in wanted), signed, strict=True))


def check_invariants(found: dict[str, int], model: Model, ledgers: Ledgers, scope: Scope) -> None:
    """Hold what the chain says to the design, "What must always hold"; 3, 6 and 8 are kept by `Ledgers`."""
    value = 0
    for lot in scope.lots:
        name = _name(lot)
        supply = found[f"supply {name}"]
        assert supply == sum(found[f"balance {holder} {name}"] for holder in scope.holders), "1: balances = supply"
        assert supply == ledgers.minted[lot] - ledgers.burned[lot], "1: minted - burned = supply"
        value += supply * model.par(lot)
    positions = {p: found[f"position {_name(p)}"] for p in scope.participants}
    assert sum(positions.values()) == 0, "2: positions sum to 0"
    for programme in ledgers.funded_now:
        needed = found[f"supply of programme {programme}"] * model.terms[programme].par
        assert needed <= found[f"funding of programme {programme}"] * 10**8, "4: beyond the funding"
    ledgers.funded_now.clear()
    owned = sum(fen for participant, fen in positions.items() if participant >> 32 in (2, 4))
    assert value + (owned + model.word["paid_out"]) * 10**8 <= model.word["value_in"], "5: value out of nothing"
    assert positions[3 << 32] <= 0 <= positions[4 << 32], "10: pool or treasury of the wrong sign"
    for merchant in scope.merchants:
        parts = [found[f"{part} of merchant {merchant}"] for part in ("matured", "younger", "youngest")]
        assert min(parts) >= 0, "10: a claim below 0"
        assert sum(parts) == positions[2 << 32 | merchant], "10: a claim is the sum of its ages"
        assert found[f"payable of merchant {merchant}"] <= max(0, parts[0] - found[f"locked of merchant {merchant}"])
