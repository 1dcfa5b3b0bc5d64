"""The folder of mappings: each is found by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from issuers.sources.mapping import MappingFolder
from ledger.errors import ConfigurationError
from tests.unit.issuers.build import mapping


def test_two_mappings_of_one_name_are_refused(tmp_path: Path) -> None:
    """Deliveries name the mapping that read them; a copy under another file's name would pass for it."""
    text = yaml.safe_dump(mapping().model_dump(mode="json", exclude_defaults=True))
    (tmp_path / "a.yaml").write_text(text)
    assert [one.name for one in MappingFolder(tmp_path).all()] == ["test"]
    (tmp_path / "b.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"b\.yaml: another mapping here is named 'test'"):
        MappingFolder(tmp_path).all()
