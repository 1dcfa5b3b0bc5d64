"""The agency reads its own export as the gateway does, so that both know a record by the same hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from issuers.agency.learning import record_hashes
from issuers.agency.rules import record_hash
from issuers.rules.refusals import Fault, ReadFailure
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from tests.unit.issuers.build import NOW, mapping

HEADER = "id,who,what,when,until,amount\n"
GOOD = "r{0},p{0},work,2026-08-01 09:00,2026-08-01 12:00,2\n"


def export(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "export.csv"
    path.write_text(HEADER + "".join(rows))
    return path


def test_each_record_has_the_hash_of_what_the_gateway_would_show(tmp_path: Path) -> None:
    path = export(tmp_path, *(GOOD.format(number) for number in range(3)))
    shown = []
    for item in read_file(path, mapping()):
        assert isinstance(item, Row)
        deed = Normaliser(mapping()).deed(item, NOW)
        assert not isinstance(deed, Fault)
        shown.append(record_hash(deed.canonical))
    assert list(record_hashes(path, mapping(), NOW)) == shown
    assert len(set(shown)) == 3


def test_the_hash_does_not_depend_on_how_the_export_is_written(tmp_path: Path) -> None:
    [plain] = record_hashes(export(tmp_path, GOOD.format(1)), mapping(), NOW)
    [quoted] = record_hashes(
        export(tmp_path, '"r1","p1","work","2026-08-01 09:00","2026-08-01 12:00","2"\n'), mapping(), NOW
    )
    assert plain == quoted
    [another] = record_hashes(export(tmp_path, GOOD.format(1).replace(",2\n", ",3\n")), mapping(), NOW)
    assert plain != another


def test_what_the_gateway_would_refuse_is_not_learned(tmp_path: Path) -> None:
    bad = GOOD.format(2).replace("work", "gambling"), GOOD.format(3).replace(",2\n", ",-2\n")
    path = export(tmp_path, GOOD.format(1), *bad, GOOD.format(4))
    assert len(list(record_hashes(path, mapping(), NOW))) == 2


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ReadFailure):
        list(record_hashes(path, mapping(), NOW))
