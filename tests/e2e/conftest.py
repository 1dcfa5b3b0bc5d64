"""One undisturbed demo for all tests of a session: what others do is compared with it, or done to copies of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.runs import demo


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city whose demo ran through at once; its summary is beside it. Tests read it, or copy it."""
    state_dir = tmp_path_factory.mktemp("undisturbed") / "demo"
    ended = demo(state_dir)
    assert ended.code == 0, ended.err[-3000:]
    (state_dir / "summary.json").write_text(ended.out)
    return state_dir
