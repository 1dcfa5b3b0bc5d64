"""A mapping is named for `check` as it is for `ingest`."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from issuers.rules.activities import ACTIVITIES
from issuers.sources.mapping import FOLDER
from tongdui.cli.main import app


def test_a_mapping_is_known_by_its_name_and_by_its_file(tmp_path: Path) -> None:
    rows = tmp_path / "a.jsonl"
    rows.write_text("{}\n")
    mapping = next(path for path in FOLDER.glob("*.yaml") if "format: jsonl" in path.read_text(encoding="utf-8"))
    book = ACTIVITIES.parent / "rulebooks" / "environmental-1.yaml"
    for named in (mapping.stem, str(mapping)):
        done = CliRunner().invoke(
            app, ["issuers", "check", str(rows), "--mapping", named, "--rules", str(book), "--state-dir", str(tmp_path)]
        )
        assert done.exit_code == 1, (named, done.output, done.exception)
    missing = CliRunner().invoke(app, ["issuers", "check", str(rows), "--mapping", "nobodys", "--rules", str(book)])
    assert missing.exit_code != 0
    assert "nobodys" in f"{missing.output} {missing.exception}"
