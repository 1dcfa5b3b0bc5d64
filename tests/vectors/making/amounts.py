"""Vectors of quarters, values and clearing."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from tests.vectors.making.common import SEED, basket, fen_down

MATURITY_S = 7 * 86_400


def quarters() -> list[dict[str, Any]]:
    """The quarter of a moment, its end, and the two instants on either side of it."""
    rows = []
    for year in (2000, 2023, 2024, 2026, 2027, 2028, 2099, 2100, 2101, 2400, 9998):
        for index in range(4):
            start = datetime(year, index * 3 + 1, 1, tzinfo=UTC) - timedelta(hours=8)
            next_year, next_month = (year + 1, 1) if index == 3 else (year, index * 3 + 4)
            end = datetime(next_year, next_month, 1, tzinfo=UTC) - timedelta(hours=8)
            quarter = (year - 2000) * 4 + index + 1
            rows.append({"quarter": quarter, "start": int(start.timestamp()), "end": int(end.timestamp())})
    return rows


def value() -> dict[str, Any]:
    """Roundings: value of an amount, exchange between pars, debits of a basket."""
    rng = random.Random(SEED)
    pars = [20_000_000, 5_000_000, 10_000_000, 100_000_000, 1, 7, 33_333_333, 99_999_999, 2**40]
    amounts = [0, 1, 4, 5, 9, 10, 19, 20, 99, 100, 101, 2**48 - 1, *(rng.randrange(1, 2**48) for _ in range(6))]
    values = [{"minor": str(m), "par": str(p), "fen": str(fen_down(m, p))} for p in [0, *pars] for m in amounts]
    exchanges = []
    for par_in in pars:
        for par_out in pars:
            minor = rng.choice(amounts)
            fen = fen_down(minor, par_in)
            exchanges.append(
                {
                    "minor_in": str(minor),
                    "par_in": str(par_in),
                    "par_out": str(par_out),
                    "fen": str(fen),
                    "minor_out": str(floor(Fraction(fen * 10**8, par_out))),
                }
            )
    baskets = [basket([(rng.choice(pars), rng.choice(amounts)) for _ in range(size)]) for size in (1, 2, 3, 5, 16)]
    # These can be paid with on chain: each lot a programme of its own, whose par the ledger takes.
    payable = (
        [33_333_333, 33_333_333, 33_333_334],
        [1, 1, 1, 10**11],
        [99_999_999] * 5,
        [10**11] * 16,
        [rng.randrange(1, 10**11) for _ in range(16)],
        [rng.randrange(1, 10**8) for _ in range(7)],
    )
    few = (1, 2, 3, 99, 100, 101)
    baskets += [basket([(p, rng.choice((*few, rng.randrange(1, 10**9)))) for p in pars]) for pars in payable]
    return {"values": values, "exchanges": exchanges, "baskets": baskets}


def clearing() -> dict[str, Any]:
    """Claims by age, refunds' debits, due amounts, and what expired lots are worth."""
    rng = random.Random(SEED + 4)
    return {
        "maturity_s": MATURITY_S,
        "claims": [_claim_life(rng) for _ in range(4)],
        "refunds": [_refund(rng) for _ in range(12)],
        "dues": [_dues(rng, size) for size in (1, 2, 3, 3, 7, 30)],
        "breakage": _breakage(rng),
    }


def _claim_life(rng: random.Random) -> list[dict[str, Any]]:
    """Earn, refund and pay at random times. The oracle keeps (period, fen) parts and sorts them by age when asked."""
    time, parts, steps = 1_772_000_000, list[list[int]](), []
    for _ in range(24):
        time += rng.choice((60, 3_600, MATURITY_S // 2, MATURITY_S, 2 * MATURITY_S))
        period = time // MATURITY_S
        act, fen, earned_at = rng.choice(("earn", "earn", "payout", "refund")), rng.randrange(1, 10_000), time
        if act == "earn":
            parts.append([period, fen])
        elif act == "payout":
            fen = _take([part for part in parts if part[0] <= period - 2], fen)
        else:
            earned_at = time - rng.choice((0, MATURITY_S, 3 * MATURITY_S))
            usable = [part for part in parts if part[0] <= max(earned_at // MATURITY_S, period - 2)]
            fen = _take(sorted(usable, key=lambda part: -part[0]), fen)
        ages = [0, 0, 0]
        for earned, left in parts:
            ages[min(2, period - earned)] += left
        names = ("youngest_fen", "younger_fen", "matured_fen")
        step = {"time": time, "act": act, "fen": fen} | ({"earned_at": earned_at} if act == "refund" else {})
        steps.append(step | dict(zip(names, ages, strict=True)))
    return steps


def _take(parts: list[list[int]], fen: int) -> int:
    """Take at most ``fen`` from the parts, in their order; return what was taken."""
    before = fen
    for part in parts:
        taken = min(fen, part[1])
        part[1] -= taken
        fen -= taken
    return before - fen


def _refund(rng: random.Random) -> dict[str, Any]:
    """What a shorter prefix gives back to each lot's programme: differences of the debits of both baskets."""
    lots = [(rng.choice((20_000_000, 5_000_000, 33_333_333, 99_999_999)), rng.randrange(2, 2_000)) for _ in range(4)]
    before = rng.randrange(2, 5)
    kept = rng.randrange(0, before)
    prefixes = [(before, rng.randrange(1, lots[before - 1][1] + 1)), (kept, rng.randrange(1, lots[kept - 1][1] + 1))]
    if kept == 0:
        prefixes[1] = (0, 0)
    debits = []
    for count, last in prefixes:
        cut = [(par, last if i + 1 == count else minor) for i, (par, minor) in enumerate(lots[:count])]
        fen = [int(one) for one in basket(cut)["debits_fen"]] if cut else []
        debits.append(fen + [0] * (len(lots) - count))
    returned = [first - second for first, second in zip(*debits, strict=True)]
    names = ("kept_before", "kept")
    return (
        {"lots": [{"par": str(p), "minor": str(m)} for p, m in lots]}
        | {name: {"lots": c, "lastAmount": str(a)} for name, (c, a) in zip(names, prefixes, strict=True)}
        | {"credits_fen": [str(fen) for fen in returned], "merchant_fen": str(-sum(returned))}
    )


def _dues(rng: random.Random, size: int) -> dict[str, Any]:
    """Largest remainder in fractions: what is left goes to the largest fractional parts, ties to the earlier debtor."""
    debts = [rng.randrange(1, 10 ** rng.randrange(1, 9)) for _ in range(size)]
    total = rng.randrange(1, sum(debts) + 1)
    exact = [Fraction(total * debt, sum(debts)) for debt in debts]
    order = sorted(range(size), key=lambda i: (floor(exact[i]) - exact[i], i))[: total - sum(map(floor, exact))]
    return {"debts": debts, "total": total, "dues": [floor(one) + (i in order) for i, one in enumerate(exact)]}


def _breakage(rng: random.Random) -> dict[str, Any]:
    """Sweeps of one programme: each posts what the floor of all swept so far gains."""
    par, swept, rows = 33_333_333, 0, []
    for minor in (1, 1, 1, 2, *(rng.randrange(1, 500) for _ in range(6))):
        before = fen_down(swept, par)
        swept += minor
        rows.append({"minor": minor, "fen": fen_down(swept, par) - before})
    return {"par": par, "sweeps": rows}
