"""The load of ``bench redeem``, in a process of its own: ``python -m scripts.bench.redeem_load PLAN``.

Requests are made beforehand and sent over plain sockets, so that the generator takes little of the machine that it
shares with the server. The plan is a JSON file; phases are asked for on standard input, one JSON object a line, and
each is answered with one on standard output.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from ledger.store.database import Database
from ledger.store.models.redemption import RedemptionOrderRow

_LOOK_S = 0.05
_ALONE = "Accept-Language: zh\r\nAccept-Language: en\r\n"
"""A header that is said twice: such a request is left to the web framework, which answers it by itself, order by order
and read by read, as all of them were before there were groups (`ledger_api.hot.layer`)."""
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and when its request was sent and it had come whole, in seconds of this process."""

    status: int
    head: bytes
    body: bytes
    began_s: float
    ended_s: float


class Connection:
    """A kept-alive HTTP/1.1 connection."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def ask(self, request: bytes, began_s: float | None = None) -> Answer:
        """Send a request and return its answer. ``began_s``: when it should have been sent."""
        began = time.perf_counter() if began_s is None else began_s
        self._socket.sendall(request)
        read = self._left
        while (end := read.find(b"\r\n\r\n")) < 0:
            read += self._more()
        head, body = read[:end].lower(), read[end + 4 :]
        at = head.find(b"content-length:")
        length = 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])
        while len(body) < length:
            body += self._more()
        self._left = body[length:]
        return Answer(int(head[9:12]), read[:end], body[:length], began, time.perf_counter())

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _more(self) -> bytes:
        part = self._socket.recv(65_536)
        if not part:
            raise ConnectionError("the server closed a connection in the middle of an answer")
        return part


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of ``values`` below or at which there is ``share`` of them; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))] if ordered else float("nan")


def read_request(host: str, token: str, tag: str | None = None, *, is_single: bool = False) -> bytes:
    """Return the bytes of a wallet read; with ``tag``, of one that has the answer already.

    ``is_single``: see `_ALONE`.
    """
    known = "" if tag is None else f"If-None-Match: {tag}\r\n"
    extra = _ALONE if is_single else ""
    return f"GET /v1/wallet HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{known}{extra}\r\n".encode()


def order_request(host: str, token: str, key: str, offer: str, *, is_single: bool = False) -> bytes:
    """Return the bytes of an order for one piece; ``is_single``: see `_ALONE`."""
    body, extra = json.dumps({"offer": offer, "quantity": 1}), _ALONE if is_single else ""
    return (
        f"POST /v1/redemptions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n"
        f"Content-Type: application/json\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Load:
    """What is sent to one server, over connections side by side."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._host, self._port = plan["host"], plan["port"]
        self._tokens: list[str] = plan["tokens"]
        self._offer: str = plan["offer"]
        self._database = Database(plan["database"])
        self._width: int = plan["connections"]
        self._next_key = 0

    def close(self) -> None:
        """Close the database, in which finality is looked up."""
        self._database.close()

    def orders(self, count: int, wallets: int, *, is_single: bool = False) -> dict[str, Any]:
        """Place ``count`` orders for the first ``wallets`` in turn; return when all are final."""
        keys = [f"bench-redeem-{self._next_key + number}" for number in range(count)]
        self._next_key += count
        requests = [
            order_request(self._host, self._tokens[number % wallets], key, self._offer, is_single=is_single)
            for number, key in enumerate(keys)
        ]
        final = _Final(self._database)
        final.start()
        answers = self._send(requests)
        placed = {
            str(json.loads(one.body)["order_id"]): one.began_s
            for one in answers
            if one is not None and one.status == 202
        }
        seen = final.wait(set(placed))
        waits = [seen[order_id] - began for order_id, began in placed.items() if order_id in seen]
        began = min(one.began_s for one in answers if one is not None)
        answered = max(one.ended_s for one in answers if one is not None) - began
        return {
            "placed": sorted(placed),
            "refused": count - len(placed),
            "answered_per_s": len(placed) / answered,
            "per_s": len(waits) / (max(seen.values(), default=began) - began) if waits else 0.0,
            "final_p50_s": percentile(waits, 0.5),
            "final_p99_s": percentile(waits, 0.99),
            "answer_p99_ms": 1_000 * percentile([one.ended_s - one.began_s for one in answers if one], 0.99),
            "last_body": next((one.body.decode() for one in answers if one and one.status != 202), ""),
        }

    def reads(
        self, seconds: float, per_s: float | None = None, *, is_known: bool = False, is_single: bool = False
    ) -> dict[str, Any]:
        """Read wallets in turn for a while, as fast as they come or at ``per_s``; ``is_known``: with their tags."""
        tags: list[str | None] = [None] * len(self._tokens)
        if is_known:
            whole = self._send([read_request(self._host, token) for token in self._tokens])
            tags = [None if one is None else _tag(one.head) for one in whole]
        requests = [
            read_request(self._host, token, tag, is_single=is_single)
            for token, tag in zip(self._tokens, tags, strict=True)
        ]
        began = time.perf_counter()
        found = self._repeat(requests, began, seconds, per_s)
        took = max(one.ended_s for one in found) - began
        statuses = {str(status): sum(one.status == status for one in found) for status in {o.status for o in found}}
        good = [one for one in found if (one.status == 304 if is_known else one.status == 200 and one.body)]
        return {
            "per_s": len(good) / took,
            "p50_ms": 1_000 * percentile([one.ended_s - one.began_s for one in good], 0.5),
            "p99_ms": 1_000 * percentile([one.ended_s - one.began_s for one in good], 0.99),
            "statuses": statuses,
            "count": len(found),
        }

    def _send(self, requests: Sequence[bytes]) -> list[Answer | None]:
        answers: list[Answer | None] = [None] * len(requests)
        numbers = iter(range(len(requests)))
        lock = threading.Lock()

        def work(connection: Connection, _place: int) -> None:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                answers[number] = connection.ask(requests[number])

        self._side_by_side(work)
        return answers

    def _repeat(self, requests: Sequence[bytes], began: float, seconds: float, per_s: float | None) -> list[Answer]:
        answers: list[list[Answer]] = [[] for _ in range(self._width)]
        width = self._width

        def work(connection: Connection, place: int) -> None:
            number = place
            while time.perf_counter() - began < seconds:
                due = None if per_s is None else began + number / per_s
                if due is not None and (early := due - time.perf_counter()) > 0:
                    time.sleep(early)
                answers[place].append(connection.ask(requests[number % len(requests)], due))
                number += width

        self._side_by_side(work)
        return [one for each in answers for one in each]

    def _side_by_side(self, work: Callable[[Connection, int], None]) -> None:
        """Do the work on connections of this phase: the server closes those that were idle between two phases."""
        connections = [Connection(self._host, self._port) for _ in range(self._width)]
        threads = [
            threading.Thread(target=work, args=(connection, place)) for place, connection in enumerate(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()


def _tag(head: bytes) -> str | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"etag":
            return value.strip().decode()
    return None


class _Final(threading.Thread):
    """Notes when orders become final, as the shop's list shows them; it looks twenty times a second."""

    def __init__(self, database: Database) -> None:
        super().__init__(name="final", daemon=True)
        self._database = database
        self._seen: dict[str, float] = {}
        self._low = 0
        self._wanted: set[str] | None = None

    def wait(self, order_ids: set[str]) -> dict[str, float]:
        """Return when each was seen final; those that were not in a minute are left out."""
        self._wanted = order_ids
        self.join(_TIMEOUT_S)
        return {order_id: at for order_id, at in self._seen.items() if order_id in order_ids}

    def run(self) -> None:
        """Look until all that is waited for is there."""
        until = time.monotonic() + 10 * _TIMEOUT_S
        while time.monotonic() < until and (self._wanted is None or not self._wanted <= self._seen.keys()):
            time.sleep(_LOOK_S)
            self._look()

    def _look(self) -> None:
        row = RedemptionOrderRow
        with self._database.read() as session:
            found = session.execute(
                select(row.sequence, row.order_id, row.final_at).where(row.sequence > self._low).order_by(row.sequence)
            ).all()
        now, is_whole = time.perf_counter(), True
        for sequence, order_id, final_at in found:
            if final_at is None:
                is_whole = False
                continue
            self._seen.setdefault("0x" + order_id.hex(), now)
            if is_whole:
                self._low = sequence


def main(plan: Path) -> None:
    """Do what standard input asks for, until it ends."""
    load = Load(json.loads(plan.read_text(encoding="utf-8")))
    try:
        for line in sys.stdin:
            asked: dict[str, Any] = json.loads(line)
            phase = load.orders if asked.pop("phase") == "orders" else load.reads
            print(json.dumps(phase(**asked)), flush=True)
    finally:
        load.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
