"""Storage of PointsLedger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ledger.audit.books import Account, Books, ProgrammeBook
from ledger.audit.cells import BASE_SHIFT, WINDOW_SHIFT, Cell, lots_of, struct_cells, text_cells
from ledger.audit.nonces import locate
from ledger.proofs.layout import Layout
from ledger.standard.ids import ProgrammeId, to_address
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_lots
from ledger.standard.typed_data import Lot

VOID_WORD = 1


def ledger_cells(books: Books, address: Account) -> Iterator[Cell]:
    """Return every word of PointsLedger that may be in use."""
    layout = Layout.load("PointsLedger")
    manager = int.from_bytes(books.authorities.get(address, bytes(20)), "big")
    yield Cell(layout.at("_authority"), "authority of PointsLedger", manager)
    for identifier, programme in books.programmes.items():
        yield from _programme_cells(layout, identifier, programme)
    for (identifier, key), since in books.issuer_keys.items():
        what = f"issuer key {to_address(key)} of programme {identifier}"
        yield Cell(layout.at("issuerKeyActiveFrom", identifier, key), what, since)
    yield from _lane_cells(books, layout)
    for token in books.supply.keys() | books.redeemed.keys():
        members = (128, books.supply.get(token, 0)), (128, books.redeemed.get(token, 0))
        yield from struct_cells(layout.at("_lots", token), f"supply of lot {token}", *members)
    yield from _batch_cells(books, layout)
    yield from _account_cells(books, layout)
    yield from _hold_cells(books, layout)
    yield Cell(layout.at("_exchangeBegun"), "last batch of Exchange", books.begun.get("Exchange", 0))
    yield Cell(layout.at("_redemptionBegun"), "last batch of Redemption", books.begun.get("Redemption", 0))
    yield Cell(layout.at("rebirthCapFen"), "rebirth cap", books.rebirth_cap)


def _programme_cells(layout: Layout, identifier: ProgrammeId, programme: ProgrammeBook) -> Iterator[Cell]:
    slot, of = layout.at("_programmes", identifier), f"of programme {identifier}"
    yield from struct_cells(
        slot,
        f"par, flags and state {of}",
        (64, programme.par),
        (8, programme.flags),
        (8, programme.state),
        (40, programme.spendable_until),
        (40, programme.frozen_until),
        (40, programme.freezable_from),
        (32, programme.rulebook_version),
    )
    yield from struct_cells(slot + 1, f"supply {of}", (128, programme.supply), (128, programme.swept))
    yield from struct_cells(
        slot + 2,
        f"ceilings {of}",
        (48, programme.mint_ceiling_fen),
        (48, programme.revoke_ceiling_fen),
        (32, programme.counted_day),
        (64, programme.minted_fen),
        (64, programme.revoked_fen),
    )
    yield Cell(slot + 3, f"rulebook {of}", int.from_bytes(programme.rulebook_hash, "big"))
    yield Cell(slot + 4, f"spend scope {of}", programme.spend_scope)
    yield from text_cells(slot + 5, f"name {of}", programme.name)
    yield from text_cells(slot + 6, f"symbol {of}", programme.symbol)


def _lane_cells(books: Books, layout: Layout) -> Iterator[Cell]:
    words: defaultdict[tuple[int, Account], int] = defaultdict(int)
    for (holder, token), amount in books.balances.items():
        key, shift = locate(token)
        words[key, holder] |= amount << shift
    for (holder, key), (base, window) in books.nonces.items():
        words[key, holder] |= base << BASE_SHIFT | window << WINDOW_SHIFT
    outer: dict[int, bytes] = {}
    for (key, holder), word in words.items():
        if key not in outer:
            outer[key] = layout.at("_lanes", key).to_bytes(32, "big")
        slot = int.from_bytes(keccak256(holder.rjust(32, b"\0") + outer[key]), "big")
        yield Cell(slot, f"lots {lots_of(key)} of {to_address(holder)}", word, is_lanes=True)


def _batch_cells(books: Books, layout: Layout) -> Iterator[Cell]:
    for (identifier, number), batch in books.batches.items():
        what = f"word of batch {number} of programme {identifier}"
        yield Cell(layout.at("batchWord", identifier, number), what, int.from_bytes(batch.word, "big"))
    for identifier, number in books.void_batches:
        what = f"void batch {number} of programme {identifier}"
        yield Cell(layout.at("batchWord", identifier, number), what, VOID_WORD)
    for (identifier, number, index), total in books.revoked_totals.items():
        what = f"revoked total of grant {index} of batch {number} of programme {identifier}"
        yield Cell(layout.at("revokedTotal", identifier, number, index), what, total)
    for (debtor, token), amount in books.owed.items():
        yield Cell(layout.at("_owed", debtor, token), f"what {to_address(debtor)} owes of lot {token}", amount)


def _account_cells(books: Books, layout: Layout) -> Iterator[Cell]:
    for (owner, spender, token), amount in books.allowances.items():
        slot = layout.at("_allowances", owner, spender, token)
        yield Cell(slot, f"allowance of {to_address(owner)}", amount)
    for (owner, spender), approved in books.operators.items():
        yield Cell(layout.at("isOperator", owner, spender), f"operator of {to_address(owner)}", int(approved))
    for holder in books.successors.keys() | books.predecessors.keys():
        following = int.from_bytes(books.successors.get(holder, bytes(20)), "big")
        members = (160, following), (8, books.predecessors.get(holder, 0))
        yield from struct_cells(layout.at("_line", holder), f"successor of {to_address(holder)}", *members)
    for holder, (quarter, fen) in books.rebirths.items():
        slot = layout.at("_rebirths", holder)
        yield from struct_cells(slot, f"rebirths of {to_address(holder)}", (32, quarter), (64, fen))


def _hold_cells(books: Books, layout: Layout) -> Iterator[Cell]:
    for hold_id in books.hold_ids:
        hold, commitment = books.holds.get(hold_id), 0
        if hold is not None:
            encoded = hold.holder + pack_lots([Lot(token, amount) for token, amount in hold.lots])
            commitment = int.from_bytes(keccak256(encoded), "big")
        yield Cell(layout.at("holdCommitment", hold_id), f"hold 0x{hold_id.hex()}", commitment)
