"""Ids are types: the rule notices what is named for an id and annotated as a number, bytes or text."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.house_ids import TYPED, bare_ids


def found_in(tmp_path: Path, text: str, allowed: dict[str, str] | None = None) -> list[str]:
    path = tmp_path / "ledger" / "a.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return list(bare_ids(tmp_path, ("ledger",), allowed or {}))


@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        ("programme", "int"),
        ("programme", "str"),
        ("programme", "int | str | None"),
        ("to_programme", "int"),
        ("_merchant", "int"),
        ("merchant_id", "Mapped[int]"),
        ("order_id", "bytes"),
        ("order_id", "str"),
        ("order_ids", "Sequence[bytes]"),
        ("account", "Annotated[str, Field()]"),
        ("account", "bytes | None"),
        ("lot_id", "int"),
        ("programmes", "dict[int, Book]"),
        ("programmes", "list[int] | None"),
        ("accounts", "tuple[bytes, ...]"),
        ("orders", "set[bytes]"),
    ],
)
def test_a_bare_id_is_found_as_parameter_field_and_variable(tmp_path: Path, name: str, annotation: str) -> None:
    expected = f"{name} is an id, annotated {annotation}"
    assert found_in(tmp_path, f"def f({name}: {annotation}): ...") == [f"ledger/a.py:1: {expected}"]
    assert found_in(tmp_path, f"class C:\n    {name}: {annotation}") == [f"ledger/a.py:2: {expected}"]
    assert found_in(tmp_path, f"def f(self):\n    self.{name}: {annotation} = g()") == [f"ledger/a.py:2: {expected}"]


@pytest.mark.parametrize("alias", ["bytes", "Annotated[str, Field()]", "bytes | None"])
def test_another_name_hides_no_bare_id(tmp_path: Path, alias: str) -> None:
    module = tmp_path / "ledger" / "names.py"
    module.parent.mkdir()
    module.write_text(f"Account = {alias}\nWallet = Account\ndef f(account: Wallet): ...")
    use = "from ledger.names import Wallet as Payer\ndef f(account: Payer, accounts: list[Payer], holder: Payer): ..."
    assert found_in(tmp_path, use) == [
        "ledger/a.py:2: account is an id, annotated Payer",
        "ledger/a.py:2: accounts is an id, annotated list[Payer]",
        "ledger/names.py:3: account is an id, annotated Wallet",
    ]
    module.write_text('Account = NewType("Account", bytes)\nWallet = Annotated[Account, Field()]')
    assert found_in(tmp_path, use) == []
    module.write_text("Wallet = Annotated[str, typer.Argument()]")
    assert found_in(tmp_path, use) == []


@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        ("programme", "ProgrammeId | ProgrammeSlug | None"),
        ("programmes", "dict[ProgrammeId, list[int]]"),
        ("programmes", "int"),
        ("lots", "bytes"),
        ("lots", "Sequence[tuple[int, Lot]]"),
        ("orders_max", "int"),
        ("order_gas", "int"),
        ("lots_hash", "bytes"),
        ("merchant_zh", "str"),
        ("account_path", "tuple[bytes, ...]"),
        ("ordered", "int"),
        ("programme", "Annotated[str, typer.Argument()]"),
    ],
)
def test_a_count_a_text_and_a_typed_id_are_not_found(tmp_path: Path, name: str, annotation: str) -> None:
    assert found_in(tmp_path, f"def f({name}: {annotation}): ...") == []


def test_an_exception_is_needed_or_found(tmp_path: Path) -> None:
    allowed = {"ledger/a.py:programme": "why"}
    assert found_in(tmp_path, "def f(programme: int): ...", allowed) == []
    assert found_in(tmp_path, "def f(): ...", allowed) == ["ledger/a.py:programme: is typed, and needs no exception"]


def test_migrations_stay_as_they_were_generated(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "migrations" / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text("def f(programme: int): ...")
    assert list(bare_ids(tmp_path, ("ledger",), {})) == []


def test_the_whole_product_is_looked_at() -> None:
    assert set(TYPED) == {"ledger", "ledger_api", "issuers", "redemption", "tongdui"}
