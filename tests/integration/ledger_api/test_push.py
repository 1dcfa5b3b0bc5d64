"""Signed pushes over real HTTP: one record, many, lines; ten times at once; and a kill in the middle."""

from __future__ import annotations

import gzip
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from issuers.sources.webhooks.signatures import sign
from ledger.standard.civil_time import CITY_TZ
from tests.eventually import eventually
from tests.http_client import client_of
from tests.integration.ledger_api.served import Served
from tests.integration.ledger_api.test_serve import serving, token
from tongdui.offline import open_books
from tongdui.settings import Settings

GREEN, PATH = 2, "/v1/sources/cd-green/records"


def record(number: int, user: str = "zd_e0000001", quantity: str = "2") -> dict[str, str]:
    started = datetime.now(CITY_TZ).replace(hour=9, minute=0, second=0) - timedelta(days=1 + number % 200)
    return {
        "id": f"PUSH-{number:06d}",
        "user_id": user,
        "item": "RECYCLE-PAPER",
        "started_at": started.strftime("%Y-%m-%d %H:%M:%S"),
        "quantity": quantity,
        "unit": "kg",
    }


def lines(records: list[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def push(
    client: httpx.Client,
    secret: bytes,
    body: bytes,
    webhook_id: str | None = None,
    media_type: str = "application/json",
    age_s: int = 0,
    **headers: str,
) -> httpx.Response:
    webhook_id = webhook_id or f"msg_{secrets.token_hex(8)}"
    timestamp = int(time.time()) - age_s
    given = {
        "content-type": media_type,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, webhook_id, timestamp, body),
    }
    changes = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(PATH, content=body, headers=given | changes)


@pytest.fixture(scope="module")
def secret(served: Served) -> bytes:
    webhooks = served.city.webhooks
    with served.city.database.transaction() as session:
        return webhooks.create(session, "cd-green", GREEN, "environmental-jsonl")


def counts(served: Served) -> tuple[int, int]:
    found = served.city.issuers.counts(GREEN)["environmental"]
    return found.records - found.refused, found.granted_minor


@pytest.fixture(scope="module")
def headers(served: Served) -> dict[str, str]:
    """The token of a resident who has linked zd_e0000001."""
    headers = served.token("pusher", "resident:self", "resident:register")
    body = {"document_number": "510107198101010001", "links": [{"programme": GREEN, "source_id": "zd_e0000001"}]}
    assert served.post("/v1/residents", body, headers).status_code == 201
    return headers


def test_what_is_pushed_becomes_points_and_what_is_refused_says_why(
    served: Served, secret: bytes, headers: dict[str, str]
) -> None:
    one = push(served.client, secret, json.dumps(record(1)).encode())
    assert (one.status_code, one.json()["statuses"]) == (200, {"accepted": 1}), one.text
    many = [record(2), {**record(3), "item": "UNHEARD-OF"}, record(4)]
    found = push(served.client, secret, json.dumps(many).encode()).json()
    assert found["statuses"] == {"accepted": 2, "refused": 1}
    [refused] = found["refused"]
    assert (refused["row"], refused["code"]) == (2, "unknown_activity")
    assert refused["reason_zh"]
    packed = gzip.compress(lines([record(5), record(6)]) + b"{not json\n")
    bulk = push(served.client, secret, packed, media_type="application/x-ndjson", content_encoding="gzip").json()
    assert bulk["statuses"] == {"accepted": 2, "refused": 1}
    assert [(one["row"], one["line"]) for one in bulk["refused"]] == [(3, 3)]
    eventually(
        lambda: served.get("/v1/wallet", headers).json()["programmes"][1],
        lambda shown: shown["balance"]["points"] == "100.00",
    )
    assert list((served.city.settings.state_dir / "push").iterdir()) == [], "a body is kept nowhere in clear"


@pytest.mark.usefixtures("headers")
@pytest.mark.parametrize(
    ("cut", "media_type", "code"),
    [
        (lambda body: b"<xml/>", "application/json", "malformed_document"),
        (lambda body: body[:-30], "application/json", "truncated_file"),
        (lambda body: body.replace(b'"unit"', b'"id": "X", "unit"'), "application/json", "duplicate_key"),
        (lambda body: body.replace(b"PAPER", b"\xff"), "application/json", "wrong_encoding"),
        (lambda body: gzip.compress(body)[:-20], "application/json", "truncated_file"),
        (lambda body: lines(json.loads(body))[:-30], "application/x-ndjson", "truncated_file"),
        (lambda body: gzip.compress(lines(json.loads(body)))[:-20], "application/x-ndjson", "truncated_file"),
        (lambda body: lines(json.loads(body)).replace(b"PAPER", b"\xff"), "application/x-ndjson", "wrong_encoding"),
        (lambda body: b"<xml>\n</xml>\n", "application/x-ndjson", "malformed_document"),
    ],
    ids=range(9),
)
def test_what_cannot_be_read_is_refused_whole_and_burns_no_id(
    served: Served, secret: bytes, cut: Callable[[bytes], bytes], media_type: str, code: str
) -> None:
    """Nothing is said to be stored, and nothing is; the whole body under the same id is taken."""
    before = counts(served)
    number = 700 + len(code) * 7 + len(media_type)
    whole = json.dumps([record(number + at, "zd_e0000001") for at in (0, 300)]).encode()
    broken = cut(whole)
    webhook_id = f"msg_{secrets.token_hex(8)}"
    answer = push(served.client, secret, broken, webhook_id, media_type)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/push-unreadable"), answer.text
    assert answer.json()["code"] == code
    assert counts(served) == before
    body = whole if media_type == "application/json" else lines(json.loads(whole))
    again = push(served.client, secret, body, webhook_id, media_type)
    assert (again.status_code, again.json()["rows"]) == (200, 2), again.text


@pytest.mark.usefixtures("headers")
def test_ten_times_at_once_is_once(served: Served, secret: bytes) -> None:
    """Under one id, and under ten ids."""
    before, minor = counts(served)
    body = lines([record(number, "zd_e0000001") for number in range(100, 140)])
    ids = ["msg_the_same"] * 10 + [f"msg_other_{number}" for number in range(10)]

    def one(webhook_id: str) -> httpx.Response:
        with client_of(served.url) as client:
            return push(client, secret, body, webhook_id, "application/x-ndjson")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(one, ids))
    assert [one.status_code for one in answers] == [200] * 20, [one.text for one in answers if one.status_code != 200]
    assert sum(one.json()["outcome"] == "created" for one in answers) >= 1
    assert counts(served) == (before + 40, minor + 40 * 2000)
    again = one("msg_the_same")
    assert again.headers["idempotency-replayed"] == "true"
    other = push(served.client, secret, lines([record(999)]), "msg_the_same", "application/x-ndjson")
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert counts(served) == (before + 40, minor + 40 * 2000)


def test_whoever_does_not_sign_changes_nothing(
    served: Served, secret: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    before = counts(served)
    body = json.dumps(record(500)).encode()
    answers = [
        push(served.client, b"x" * 32, body),
        push(served.client, secret, body, webhook_signature="v1,AAAA"),
        push(served.client, secret, body, webhook_id="msg_a", webhook_timestamp="now"),
        served.client.post(PATH, content=body, headers={"content-type": "application/json"}),
        served.client.post(PATH.replace("cd-green", "cd-nobody"), content=body, headers=dict(answers_headers(body))),
    ]
    assert {(one.status_code, one.json()["type"]) for one in answers} == {(401, "/problems/push-refused")}
    assert len({one.json()["detail"] for one in answers}) == 1, "the answer does not say what was wrong"
    for age_s in (310, -310):
        late = push(served.client, secret, body, age_s=age_s)
        assert (late.status_code, late.json()["type"]) == (401, "/problems/push-clock"), (
            "clocks are told apart from keys"
        )
        assert abs(late.json()["seconds"] - age_s) < 5
    assert push(served.client, secret, body, media_type="text/csv").status_code == 415
    large = push(served.client, secret, b" " * (4 * 1024 * 1024 + 1))
    assert (large.status_code, large.json()["bytes_max"]) == (413, 4 * 1024 * 1024)
    assert counts(served) == before
    logged = capsys.readouterr().out
    assert "push refused" in logged
    assert "zd_e0000001" not in logged
    assert secret.hex() not in logged


def answers_headers(body: bytes) -> dict[str, str]:
    now = int(time.time())
    return {
        "content-type": "application/json",
        "webhook-id": "msg_nobody",
        "webhook-timestamp": str(now),
        "webhook-signature": sign(b"x" * 32, "msg_nobody", now, body),
    }


def test_a_rotated_secret_loses_no_push(served: Served, secret: bytes) -> None:
    webhooks = served.city.webhooks
    with served.city.database.transaction() as session:
        newer = webhooks.rotate(session, "cd-green", keep_s=3600)
    for number, one in ((601, secret), (602, newer)):
        assert push(served.client, one, json.dumps(record(number)).encode()).status_code == 200
    with served.city.database.transaction() as session:
        newest = webhooks.rotate(session, "cd-green", keep_s=0)
    assert push(served.client, newer, json.dumps(record(603)).encode()).status_code == 401
    assert push(served.client, secret, json.dumps(record(603)).encode()).status_code == 200, "its hour is not over"
    assert push(served.client, newest, json.dumps(record(604)).encode()).status_code == 200
    with served.city.database.transaction() as session:
        webhooks.close(session, "cd-green")
    assert push(served.client, newest, json.dumps(record(605)).encode()).status_code == 401


def test_a_bulk_push_that_a_kill_interrupts_counts_once(tmp_path: Path) -> None:
    """Killed behind the first chunk; the same push again goes on where it stopped."""
    state = tmp_path / "state"
    total = 12_000
    body = lines([record(number, f"zd_{number:08x}") for number in range(total)])
    with serving(state):
        pass
    with open_books(Settings(state_dir=state, _env_file=None)) as books, books.database.transaction() as session:
        secret = books.webhooks.create(session, "cd-green", GREEN, "environmental-jsonl")
    with serving(state) as (process, client):

        def send() -> None:
            with pytest.raises(httpx.HTTPError):
                push(client, secret, body, "msg_bulk", "application/x-ndjson")

        sender = threading.Thread(target=send)
        sender.start()
        eventually(lambda: rows_done(state), lambda rows: 0 < rows < total, timeout_s=60, poll_s=0.002)
        process.kill()
        sender.join()
    assert 0 < rows_done(state) < total, "the kill came too late to show anything"
    with serving(state) as (_, client):
        found: dict[str, Any] = push(client, secret, body, "msg_bulk", "application/x-ndjson").json()
        assert found["outcome"] == "resumed"
        assert found["rows"] == total
        shown = client.get(f"/v1/issuers/{GREEN}/records", headers=token(state, "green", f"issuer:{GREEN}")).json()
    assert (shown["records"], shown["refused"], shown["awaiting_link"]) == (str(total), "0", str(total))


def rows_done(state: Path) -> int:
    with sqlite3.connect(f"file:{state / 'books.db'}?mode=ro", uri=True, timeout=5) as connection:
        row = connection.execute("SELECT rows_done FROM issuance_deliveries").fetchone()
    connection.close()
    return int(row[0]) if row else 0
