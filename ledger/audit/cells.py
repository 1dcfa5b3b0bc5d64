"""Which storage words the books occupy, and what each must hold.

The words follow from the contracts' storage layout
(https://docs.soliditylang.org/en/v0.8.30/internals/layout_in_storage.html) and from the books that the replay
computed. Bits that events do not determine (rebirth counters, names) are masked out of the comparison, but their words
are listed: a storage trie made of exactly the listed words must have the root that the state names, so a value forged
anywhere else is seen too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.audit.books import Account, Books
from ledger.proofs.layout import Layout
from ledger.standard.contract import LANE_BITS
from ledger.standard.ids import ProgrammeId, to_address
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_lots
from ledger.standard.typed_data import Lot

FULL = 2**256 - 1
NOTHING = 0
BASE_SHIFT = 192
WINDOW_SHIFT = 224
LANES_MASK = 2**BASE_SHIFT - 1
VOID_ROOT = 1

# Members in their order and bits, as the contracts declare them; `packed_words` places them as solc does.
_PROGRAMME = (
    ("par", 64),
    ("flags", 8),
    ("state", 8),
    ("spendable_until", 40),
    ("rulebook_version", 32),
    ("supply", 256),
    ("rulebook_hash", 256),
    ("spend_scope", 256),
)
_PROGRAMME_NAMES = ("name", "symbol")
_YEAR = (("recorded", 128), ("lapsed", 128))
_PREFIX = (("refunded", 8), ("kept_lots", 8), ("last_amount", 64))


@dataclass(frozen=True, slots=True)
class Cell:
    """One storage word: its slot, what it stands for, and the value it must have in the bits of ``mask``."""

    slot: int
    what: str
    value: int
    mask: int = FULL
    is_text: bool = False
    """The head of a string: a long one goes on in further words."""
    is_lanes: bool = False
    """Four lots, and the nonces of a holder."""


LEDGER_VARIABLES = (
    "_lanes",
    "totalSupply",
    "_programmes",
    "isIssuerKey",
    "_batches",
    "revokedTotal",
    "holdCommitment",
    "successor",
    "_migrations",
    "_rebirths",
    "_allowances",
    "isOperator",
)


def ledger_hints(books: Books, layout: Layout) -> Iterator[int]:
    """Return slots that the ledger reads for an account, and that Anvil may therefore keep as words of 0."""
    for account in {holder for holder, _ in books.balances}:
        for label in ("successor", "_migrations", "_rebirths"):
            yield layout.at(label, account)


def locate(token: int) -> tuple[int, int]:
    """Return (key of the word, shift of the lane) of a lot: `LotLanes.locate`."""
    s = (token & 0xFFFFFFFF) + 3
    return token >> 32 << 32 | s >> 2, (s & 3) * LANE_BITS


def packed_words(members: Iterable[tuple[str, int]], values: Mapping[str, int]) -> list[int]:
    """Place struct members into words as solc does: from the low end, none across a word's border."""
    words, used = [0], 0
    for name, bits in members:
        if used + bits > 256:
            words.append(0)
            used = 0
        words[-1] |= values[name] << used
        used += bits
    return words


def ledger_cells(books: Books, layout: Layout, authority: Account) -> Iterator[Cell]:
    """Return every word of PointsLedger that may be in use."""
    yield Cell(layout.at("_authority"), "authority of PointsLedger", int.from_bytes(authority, "big"))
    yield from _lane_cells(books, layout)
    for token, amount in books.supply.items():
        yield Cell(layout.at("totalSupply", token), f"supply of lot {token}", amount)
    for identifier in books.programmes:
        yield from _programme_cells(books, layout, identifier)
    for (identifier, key), active in books.issuer_keys.items():
        what = f"issuer key {to_address(key)} of programme {identifier}"
        yield Cell(layout.at("isIssuerKey", identifier, key), what, int(active))
    for (identifier, number), batch in books.batches.items():
        what = f"root of batch {number} of programme {identifier}"
        yield Cell(layout.at("_batches", identifier, number), what, int.from_bytes(batch.root, "big"))
    for identifier, number in books.void_batches:
        what = f"void batch {number} of programme {identifier}"
        yield Cell(layout.at("_batches", identifier, number), what, VOID_ROOT)
    for leaf, total in books.revoked_totals.items():
        yield Cell(layout.at("revokedTotal", leaf), f"revoked total of leaf 0x{leaf.hex()}", total)
    yield from _hold_cells(books, layout)
    yield from _account_cells(books, layout)
    yield Cell(layout.at("rebirthCapFen"), "rebirth cap", books.rebirth_cap_fen)
    yield from _other_words(layout, ("_authority", "_consumingSchedule", "rebirthCapFen"))


def _other_words(layout: Layout, compared: Iterable[str]) -> Iterator[Cell]:
    """Single words that no event speaks of, such as which module acts in this block: listed, not compared."""
    for label in layout.single_words():
        if label not in compared:
            yield Cell(layout.at(label), label, 0, NOTHING)


def _lane_cells(books: Books, layout: Layout) -> Iterator[Cell]:
    words: defaultdict[tuple[int, Account], int] = defaultdict(int)
    for (holder, token), amount in books.balances.items():
        key, shift = locate(token)
        words[key, holder] |= amount << shift
    for (holder, key), (base, window) in books.nonces.items():
        words[key, holder] |= base << BASE_SHIFT | window << WINDOW_SHIFT
    mask = LANES_MASK if books.unseen_orders else FULL
    outer: dict[int, int] = {}
    for (key, holder), word in words.items():
        if key not in outer:
            outer[key] = layout.at("_lanes", key)
        slot = int.from_bytes(keccak256(holder.rjust(32, b"\0") + outer[key].to_bytes(32, "big")), "big")
        yield Cell(slot, f"lots {lots_of(key)} of {to_address(holder)}", word, mask, is_lanes=True)


def _account_cells(books: Books, layout: Layout) -> Iterator[Cell]:
    for holder, following in books.successors.items():
        what = f"successor of {to_address(holder)}"
        yield Cell(layout.at("successor", holder), what, int.from_bytes(following, "big"))
    for holder, asked in books.migrations.items():
        slot, what = layout.at("_migrations", holder), f"migration of {to_address(holder)}"
        terms = 0 if asked is None else int.from_bytes(asked.terms, "big")
        rest = 0 if asked is None else asked.executable_from | int(asked.approved) << 40
        yield Cell(slot, what, terms, NOTHING if asked is None else FULL)
        yield Cell(slot + 1, what, rest, NOTHING if asked is None else FULL)
    for holder in books.reborn:
        yield Cell(layout.at("_rebirths", holder), f"rebirths of {to_address(holder)}", 0, NOTHING)
    for owner, spender, token in books.allowances:
        what = f"allowance of {to_address(owner)}"
        yield Cell(layout.at("_allowances", owner, spender, token), what, 0, NOTHING)
    for (owner, spender), approved in books.operators.items():
        yield Cell(layout.at("isOperator", owner, spender), f"operator of {to_address(owner)}", int(approved))


def lots_of(key: int) -> str:
    """Name the lots that share a word: programme and year."""
    year = key & 0xFFFFFFFF
    return f"of programme {key >> 32}, " + (f"year {1999 + year}" if year else "never expiring")


def _programme_cells(books: Books, layout: Layout, identifier: ProgrammeId) -> Iterator[Cell]:
    programme = books.programmes[identifier]
    words = packed_words(
        _PROGRAMME,
        {
            "par": programme.par,
            "flags": programme.flags,
            "state": programme.state,
            "spendable_until": programme.spendable_until,
            "rulebook_version": programme.rulebook_version,
            "supply": programme.supply,
            "rulebook_hash": int.from_bytes(programme.rulebook_hash, "big"),
            "spend_scope": int.from_bytes(programme.spend_scope, "big"),
        },
    )
    slot = layout.at("_programmes", identifier)
    titles = ("par, flags and state", "supply", "rulebook", "spend scope")
    for index, (word, title) in enumerate(zip(words, titles, strict=True)):
        yield Cell(slot + index, f"{title} of programme {identifier}", word)
    for index, title in enumerate(_PROGRAMME_NAMES, len(words)):
        yield Cell(slot + index, f"{title} of programme {identifier}", 0, NOTHING, is_text=True)


def _hold_cells(books: Books, layout: Layout) -> Iterator[Cell]:
    for hold_id in books.hold_ids:
        hold, commitment = books.holds.get(hold_id), 0
        if hold is not None:
            encoded = hold.holder + pack_lots([Lot(token, amount) for token, amount in hold.lots])
            commitment = int.from_bytes(keccak256(encoded), "big")
        yield Cell(layout.at("holdCommitment", hold_id), f"hold 0x{hold_id.hex()}", commitment)


BOOK_VARIABLES = (
    "position",
    "appropriated",
    "paid",
    "_years",
    "_fiscalYears",
    "_merchants",
    "receiptsRoot",
    "keptPrefix",
    "lockedFen",
    "disputedFen",
)
_YEARS_PER_WORD = 8


def book_cells(books: Books, layout: Layout, authority: Account) -> Iterator[Cell]:
    """Return every word of ClearingBook that may be in use."""
    yield Cell(layout.at("_authority"), "authority of ClearingBook", int.from_bytes(authority, "big"))
    for participant, fen in books.positions.items():
        what = f"position of participant {participant >> 32}:{participant & 0xFFFFFFFF}"
        yield Cell(layout.at("position", participant), what, fen & FULL)
    for identifier, fen in books.appropriated.items():
        yield Cell(layout.at("appropriated", identifier), f"appropriated to programme {identifier}", fen)
    for identifier, fen in books.paid.items():
        yield Cell(layout.at("paid", identifier), f"paid for programme {identifier}", fen)
    yield from _year_cells(books, layout)
    for merchant, (key, scope) in books.merchants.items():
        slot = layout.at("_merchants", merchant)
        yield Cell(slot, f"key of merchant {merchant}", int.from_bytes(key, "big"))
        yield Cell(slot + 1, f"scope of merchant {merchant}", int.from_bytes(scope, "big"))
    for batch, root in books.receipt_roots.items():
        yield Cell(layout.at("receiptsRoot", batch), f"receipts of batch {batch}", int.from_bytes(root, "big"))
    yield Cell(layout.at("lastReceiptsBatch"), "last receipts batch", len(books.receipt_roots))
    yield from _other_words(layout, ("_authority", "_consumingSchedule", "lastReceiptsBatch"))
    for participant, fen in books.locked.items():
        what = f"locked fen of participant {participant >> 32}:{participant & 0xFFFFFFFF}"
        yield Cell(layout.at("lockedFen", participant), what, fen)
    for merchant, fen in books.disputed.items():
        yield Cell(layout.at("disputedFen", merchant), f"disputed fen of merchant {merchant}", fen)
    for order_id, order in books.paid_orders.items():
        if order.refunded:
            last = order.lots[-1][1] if order.lots else 0
            word = packed_words(_PREFIX, {"refunded": 1, "kept_lots": len(order.lots), "last_amount": last})[0]
            yield Cell(layout.at("keptPrefix", order_id), f"kept prefix of order 0x{order_id.hex()}", word)


def _year_cells(books: Books, layout: Layout) -> Iterator[Cell]:
    years: defaultdict[ProgrammeId, list[int]] = defaultdict(list)
    for (identifier, year), (recorded, lapsed) in sorted(books.fiscal_years.items()):
        years[identifier].append(year)
        [word] = packed_words(_YEAR, {"recorded": recorded, "lapsed": lapsed})
        what = f"appropriations of {year} to programme {identifier}"
        yield Cell(layout.at("_years", identifier, year), what, word)
    for identifier, listed in years.items():
        head = layout.at("_fiscalYears", identifier)
        yield Cell(head, f"number of fiscal years of programme {identifier}", len(listed))
        first = int.from_bytes(keccak256(head.to_bytes(32, "big")), "big")
        for start in range(0, len(listed), _YEARS_PER_WORD):
            part = listed[start : start + _YEARS_PER_WORD]
            word = sum(year << 32 * index for index, year in enumerate(part))
            yield Cell(first + start // _YEARS_PER_WORD, f"fiscal years of programme {identifier}", word)
