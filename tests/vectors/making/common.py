"""What all vectors are made from: an example key, a seed, and values computed with Fraction."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any

from eth_account import Account

KEY = "0x" + "45" * 32  # a throwaway key: its only use is to sign the examples
HOLDER = Account.from_key(KEY).address
SEED = 20_260_301


def basket(lots: list[tuple[int, int]]) -> dict[str, Any]:
    cumulative = [Fraction(0)]
    for par, minor in lots:
        cumulative.append(cumulative[-1] + Fraction(minor * par, 10**8))
    debits = [floor(after) - floor(before) for before, after in pairwise(cumulative)]
    return {"lots": [{"par": str(p), "minor": str(m)} for p, m in lots], "debits_fen": [str(d) for d in debits]}


def fen_down(minor: int, par: int) -> int:
    return floor(Fraction(minor, 100) * Fraction(par, 10**6))


def address(rng: random.Random) -> str:
    address: str = Account.from_key(rng.randbytes(32)).address
    return address
