"""When an installation opens its keys: those that sign unattended at the start, all others when they sign."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.custody.errors import CannotDecrypt
from tests.integration.tongdui.test_imports import loaded
from tongdui.bootstrap import open_city
from tongdui.offline import open_books
from tongdui.settings import Settings

BOOKS = """
import sys
from pathlib import Path
from tongdui.offline import open_books
from tongdui.settings import Settings
with open_books(Settings(state_dir=Path(sys.argv[1]), _env_file=None)) as books:
    books.issuers.counts()
    print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""
CITY = """
import sys
from pathlib import Path
from tongdui.bootstrap import open_city
from tongdui.settings import Settings
with open_city(Settings(state_dir=Path(sys.argv[1]), workers=False, _env_file=None)) as city:
    city.run_until_idle()
    print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a city that is deployed and closed; tests change copies of it."""
    state_dir = tmp_path_factory.mktemp("deployed") / "city"
    with open_city(Settings(state_dir=state_dir, workers=False)):
        pass
    return state_dir


@pytest.fixture
def state_dir(deployed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(deployed, tmp_path / "city"))


def open_beside(state_dir: Path) -> None:
    with open_books(Settings(state_dir=state_dir)):
        pass


def open_with_chain(state_dir: Path) -> None:
    with open_city(Settings(state_dir=state_dir, workers=False)):
        pass


def spoil(state_dir: Path, name: str) -> None:
    """Damage a key's file so that it still names its account."""
    path = state_dir / "keys" / "store" / f"{name}.key"
    path.write_text(path.read_text().replace('"mac": "', '"mac": "00'))


@pytest.mark.parametrize("program", [BOOKS, CITY])
def test_what_signs_nothing_opens_no_key(program: str, deployed: Path) -> None:
    found = loaded(program, str(deployed))
    assert "sqlalchemy" in found
    assert "eth_account" not in found


@pytest.mark.parametrize("opening", [open_beside, open_with_chain])
def test_another_master_key_is_refused_before_anything_is_signed(
    opening: Callable[[Path], None], state_dir: Path
) -> None:
    (state_dir / "master.key").write_text(secrets.token_hex(32))
    with pytest.raises(CannotDecrypt):
        opening(state_dir)


@pytest.mark.parametrize("name", ["relayers/1", "issuers/volunteer", "finance"])
def test_workers_do_not_start_with_a_key_that_cannot_be_opened(name: str, state_dir: Path) -> None:
    spoil(state_dir, name)
    open_with_chain(state_dir)
    with (
        pytest.raises(CannotDecrypt, match=name),
        open_city(Settings(state_dir=state_dir)),
    ):
        pass
