"""What was deleted is not in a SQLite file any more, and on both databases a vacuum or a checkpoint is asked for."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete, select

from ledger.store.database import Database
from ledger.store.forgetting import forget_deleted
from ledger.store.models.api import IdempotencyRow
from ledger_api.http.idempotency import forget_answers
from tests.empty_books import empty_books


def answer(subject: str, key: str, content: bytes) -> IdempotencyRow:
    return IdempotencyRow(
        subject=subject, key=key, operation="POST /", request_hash=bytes(32), status=200, answer=content, created_at=1
    )


def test_answers_that_name_somebody_go_and_others_stay(database_url: str) -> None:
    database = Database(database_url)
    database.create_all()
    with database.transaction() as session:
        session.add_all(
            [
                answer("me", "kept", b"{}"),
                answer("me", "mine", b"{}"),
                answer("clerk", "names-me", b'{"resident_id":"77"}'),
                answer("clerk", "other", b'{"resident_id":"78"}'),
                answer("you", "kept", b'{"of":"77"}'),
            ]
        )
    with database.transaction() as session:
        forget_answers(session, ["me"], [b"77"], keep="kept")
    with database.read() as session:
        left = session.execute(select(IdempotencyRow.subject, IdempotencyRow.key)).all()
    assert sorted(map(tuple, left)) == [("clerk", "other"), ("me", "kept")]
    assert forget_deleted(database)
    database.close()


def test_nothing_deleted_is_left_in_a_file_of_sqlite(tmp_path: Path) -> None:
    """Large rows lie in pages of their own, which become free pages; small ones in pages that others share."""
    database = empty_books(tmp_path / "books.db")
    with database.transaction() as session:
        session.add_all([answer("s", f"k{n}", b"SECRET-%d " % n * (600 if n % 7 == 0 else 3)) for n in range(300)])
    assert forget_deleted(database)
    assert b"SECRET-7 " in (tmp_path / "books.db").read_bytes()
    with database.transaction() as session:
        session.execute(delete(IdempotencyRow).where(IdempotencyRow.key.not_like("k_")))
    with database.read() as reader:
        reader.execute(select(IdempotencyRow.key)).all()
        with database.transaction() as session:
            session.execute(delete(IdempotencyRow))
        assert not forget_deleted(database), "somebody reads what was there before"
    assert forget_deleted(database)
    left = b"".join(path.read_bytes() for path in tmp_path.glob("books.db*"))
    assert b"SECRET" not in left
    database.close()
