"""The drop folders of a running server: picked up by its worker, through a kill, beside bad files."""

from __future__ import annotations

import json
from pathlib import Path

from tests.eventually import eventually
from tests.integration.ledger_api.test_push import GREEN, lines, record, rows_done
from tests.integration.ledger_api.test_serve import serving, token
from tongdui.offline import open_books
from tongdui.settings import Settings

TOTAL = 12_000


def wait_for(path: Path, timeout_s: float = 90.0) -> None:
    eventually(path.exists, timeout_s=timeout_s, context=lambda: (path, sorted(path.parent.parent.rglob("*"))))


def test_dropped_files_survive_a_kill_and_bad_ones_stand_aside(tmp_path: Path) -> None:
    state = tmp_path / "state"
    folder = state / "drop" / "environmental"
    big = lines([record(number, f"zd_{number:08x}") for number in range(TOTAL)])
    with serving(state) as (process, client):
        wait_for(folder)
        (folder / "big.jsonl.part").write_bytes(big)
        (folder / "big.jsonl.part").rename(folder / "big.jsonl")
        eventually(lambda: rows_done(state), lambda rows: 0 < rows < TOTAL, timeout_s=60, poll_s=0.002)
        process.kill()
        process.wait(20)
        assert client.is_closed is False
    assert 0 < rows_done(state) < TOTAL, "the kill came too late to show anything"
    assert (folder / ".taken" / "big.jsonl").exists()
    with open_books(Settings(state_dir=state, _env_file=None)) as books:
        [view] = books.issuers.pipeline("environmental").values()
    assert [(one.name, one.kind, 0 < one.rows_done < TOTAL) for one in view.reading] == [("big.jsonl", "file", True)]
    (folder / "bad.docx").write_bytes(b"not a table")
    (folder / "good.jsonl").write_bytes(lines([record(TOTAL), {**record(TOTAL + 1), "item": "UNHEARD-OF"}]))
    with serving(state) as (_, client):
        for path in (".done/big.jsonl", ".done/good.jsonl", ".refused/bad.docx", ".refused/bad.docx.report.json"):
            wait_for(folder / path)
        agency = token(state, "green", f"issuer:{GREEN}")
        shown = client.get(f"/v1/issuers/{GREEN}/records", headers=agency).json()
        pipeline = client.get(f"/v1/issuers/{GREEN}/pipeline", headers=agency).json()
    assert (shown["records"], shown["refused"], shown["awaiting_link"]) == (str(TOTAL + 2), "1", str(TOTAL + 1))
    stages = {one["stage"]: one for one in pipeline["stages"]}
    assert (stages["read"]["done"], stages["rate"]["refusals"]) == (str(TOTAL + 2), {"unknown_activity": 1})
    assert (stages["rate"]["waits"], pipeline["reading"]) == ({"link": TOTAL + 1}, [])
    report = json.loads((folder / ".done" / "good.jsonl.report.json").read_bytes())
    assert [(one["row"], one["code"]) for one in report["refusals"]] == [(2, "unknown_activity")]
    assert not list((folder / ".taken").iterdir())
