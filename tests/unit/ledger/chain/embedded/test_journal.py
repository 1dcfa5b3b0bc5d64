"""The journal keeps every final block, in order, and notices whatever was lost or changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.embedded.anvil import NodeSettings
from ledger.chain.embedded.journal import Genesis, Journal, JournaledBlock, pack_transactions, unpack_transactions
from ledger.chain.errors import GenesisMismatch, JournalCorrupt, JournalWriteFailed

GENESIS = Genesis(NodeSettings(chain_id=77, genesis_timestamp=1_000), bytes(32))


def block(number: int, *transactions: bytes) -> JournaledBlock:
    return JournaledBlock(
        number, 1_000 + number, number.to_bytes(32, "big"), (number - 1).to_bytes(32, "big"), transactions
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    journal.begin(GENESIS)
    for number in range(1, 6):
        journal.append(block(number, b"tx", bytes([number]) * number))
    yield journal
    journal.close()


def test_blocks_come_back_as_they_were_written(journal: Journal, path: Path) -> None:
    again = Journal(path)
    assert again.genesis() == GENESIS
    assert list(again.blocks()) == [block(number, b"tx", bytes([number]) * number) for number in range(1, 6)]
    assert list(again.blocks(first=4)) == [block(4, b"tx", b"\x04" * 4), block(5, b"tx", b"\x05" * 5)]
    assert again.head() == journal.head()
    assert again.block(3) == block(3, b"tx", b"\x03" * 3)
    assert again.block(6) is None
    again.close()


def test_a_new_journal_has_its_genesis_for_head(path: Path) -> None:
    journal = Journal(path)
    assert journal.genesis() is None
    with pytest.raises(JournalCorrupt, match="no genesis"):
        journal.head()
    journal.begin(GENESIS)
    journal.begin(GENESIS)
    assert (journal.head().number, journal.head().timestamp, journal.head().block_hash) == (0, 1_000, bytes(32))
    with pytest.raises(GenesisMismatch):
        journal.begin(Genesis(replace(GENESIS.settings, chain_id=78), bytes(32)))
    journal.close()


@pytest.mark.parametrize(
    "wrong",
    [
        block(5),
        block(7),
        replace(block(6), parent_hash=b"\xff" * 32),
        replace(block(6), block_hash=block(2).block_hash),
    ],
)
def test_a_block_that_does_not_follow_is_refused(journal: Journal, wrong: JournaledBlock) -> None:
    head = journal.head()
    with pytest.raises(JournalWriteFailed):
        journal.append(wrong)
    assert journal.head() == head
    journal.append(block(6))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE block SET timestamp = 5 WHERE number = 3",
        "DELETE FROM block WHERE number = 5",
        "UPDATE genesis SET chain_id = 5",
        "DELETE FROM genesis",
    ],
)
def test_what_is_final_cannot_be_changed_by_a_statement(journal: Journal, path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="never"):
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE block SET transactions = x'00000001ff', transaction_count = 1 WHERE number = 3", "block 3 is not"),
        ("UPDATE block SET timestamp = 1002 WHERE number = 3", "block 3 is not"),
        ("UPDATE block SET hash = zeroblob(32) WHERE number = 3", "block 3 is not"),
        ("UPDATE block SET transactions = x'00000009ff' WHERE number = 4", "cut off"),
        ("UPDATE block SET transaction_count = 7 WHERE number = 4", "cut off"),
        ("DELETE FROM block WHERE number = 2", "block 2 is missing"),
        ("UPDATE genesis SET block_gas_limit = 5", "block 1 is not"),
    ],
)
def test_a_changed_journal_is_noticed(journal: Journal, path: Path, statement: str, words: str) -> None:
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(JournalCorrupt, match=words):
        list(journal.blocks())


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(JournalCorrupt):
        Journal(path)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_packing_transactions(transactions: list[bytes]) -> None:
    packed = pack_transactions(transactions)
    assert unpack_transactions(packed) == tuple(transactions)
    if packed:
        assert unpack_transactions(packed + b"\x00\x00") is None
