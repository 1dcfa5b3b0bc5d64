"""Institutions are told what is final by real requests to a real receiver: signed, once at least, and in the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from issuers.errors import WebhookRefused
from issuers.sources.webhooks.signatures import SignedBody, WebhookHeaders, secret_bytes
from ledger.clock import ManualClock
from ledger.custody.master import Envelope
from ledger.outgoing import AddressRefused, Outgoing
from ledger.store.database import Database
from ledger.store.models.webhooks import WebhookDeliveryRow
from ledger.webhooks.book import (
    KEEP_S,
    RETRY_S,
    DeliveryState,
    EndpointState,
    News,
    UnknownEndpoint,
    WebhookBook,
    publish,
)
from ledger.webhooks.sending import WebhookSender
from ledger.webhooks.signing import signed_headers
from tests.empty_books import empty_books

SHOP = "merchant:1"
NEWS = News(SHOP, "order.paid", {"order_id": "0x" + "11" * 32})
START = datetime(2026, 11, 30, 12, tzinfo=UTC)
HERE = Outgoing.of(["127.0.0.0/8"])


class Receiver:
    """An HTTP server that keeps what it hears and answers what it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.heard]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Told:
    """A database with one endpoint, and the worker that tells it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.clock = ManualClock(START)
        self.database: Database = empty_books(folder / "books.db")
        self.book = WebhookBook(Envelope(b"\x01" * 32), HERE, self.clock)
        self.sender = WebhookSender(self.database, self.book, HERE, self.clock)
        with self.database.transaction() as session:
            self.endpoint = self.book.add(session, SHOP, url, "owner").endpoint_id
            assert publish(session, [NEWS], 0) == 0, "without a secret nothing is told"
            self.secret = secret_bytes(self.book.new_secret(session, SHOP, self.endpoint))

    def publish(self) -> None:
        with self.database.transaction() as session:
            assert publish(session, [NEWS, News("merchant:2", "order.paid", {})], self.clock.timestamp()) == 1

    def later(self, seconds: int) -> None:
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))

    def deliveries(self) -> list[tuple[str, int, int | None]]:
        with self.database.read() as session:
            found = self.book.deliveries(session, SHOP, self.endpoint, None, 100)
        return [(one.state.value, one.attempts, one.status) for one in found]


@pytest.fixture
def told(tmp_path: Path, receiver: Receiver) -> Iterator[Told]:
    made = Told(tmp_path, receiver.url)
    yield made
    made.database.close()


def check(heard: tuple[dict[str, str], bytes], secret: bytes, now: int) -> None:
    """Check a message as a receiver does. Raises WebhookRefused."""
    headers, body = heard
    signed = SignedBody(WebhookHeaders.read(headers, now), [secret])
    signed.update(body)
    signed.verify()


def test_the_signature_is_the_standards_own() -> None:
    """The example that the specification's libraries share."""
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = signed_headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_is_signed_and_delivered_once(told: Told, receiver: Receiver) -> None:
    told.publish()
    assert told.sender.send_due() == 1
    assert told.sender.send_due() == 0
    [heard] = receiver.heard
    check(heard, told.secret, told.clock.timestamp())
    with pytest.raises(WebhookRefused):
        check(heard, b"x" * 32, told.clock.timestamp())
    said = json.loads(heard[1])
    assert (said["type"], said["data"]) == ("order.paid", NEWS.data)
    assert told.deliveries() == [("delivered", 1, 204)]


def test_what_a_rolled_back_transaction_tells_is_told_nobody(told: Told, receiver: Receiver) -> None:
    def roll_back() -> None:
        with told.database.transaction() as session:
            publish(session, [NEWS], told.clock.timestamp())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        roll_back()
    assert told.sender.send_due() == 0
    assert receiver.heard == []


def test_a_stop_between_request_and_record_sends_it_again_under_its_id(told: Told, receiver: Receiver) -> None:
    told.publish()
    with told.database.transaction() as session:
        [due] = told.book.take(session, 10)
    told.sender._send(due)  # and here the process is killed
    assert told.sender.send_due() == 0, "another worker leaves it alone for a while"
    told.later(61)
    assert told.sender.send_due() == 1
    assert len(receiver.heard) == 2
    assert len(set(receiver.ids())) == 1
    with told.database.transaction() as session:
        told.book.ended(session, due, None, "what the dead one says later does not count")
    assert told.deliveries() == [("delivered", 2, 204)]


def test_failures_are_tried_again_ever_later_and_given_up_at_last(told: Told, receiver: Receiver) -> None:
    receiver.answers = [500, 302, *([503] * 20)]
    told.publish()
    for wait in RETRY_S:
        assert told.sender.send_due() == 1
        assert told.sender.send_due() == 0
        told.later(wait - 1)
        assert told.sender.send_due() == 0
        told.later(1)
    assert told.deliveries()[0][0] == "waiting"
    assert told.sender.send_due() == 1
    assert told.deliveries() == [("given_up", len(RETRY_S) + 1, 503)]
    assert len(set(receiver.ids())) == 1
    receiver.answers = []
    with told.database.transaction() as session:
        replayed = told.book.replay(session, SHOP, told.endpoint, receiver.ids()[0])
        assert replayed.state is DeliveryState.WAITING
    assert told.sender.send_due() == 1
    assert told.deliveries() == [("delivered", 1, 204)]


def test_two_secrets_sign_while_one_is_changed(told: Told, receiver: Receiver) -> None:
    with told.database.transaction() as session:
        newer = secret_bytes(told.book.new_secret(session, SHOP, told.endpoint))
    told.publish()
    told.sender.send_due()
    check(receiver.heard[0], told.secret, told.clock.timestamp())
    check(receiver.heard[0], newer, told.clock.timestamp())
    told.later(KEEP_S)
    told.publish()
    told.sender.send_due()
    check(receiver.heard[1], newer, told.clock.timestamp())
    with pytest.raises(WebhookRefused):
        check(receiver.heard[1], told.secret, told.clock.timestamp())


def test_an_endpoint_that_is_gone_or_ended_hears_nothing_more(told: Told, receiver: Receiver) -> None:
    receiver.answers = [410]
    told.publish()
    told.sender.send_due()
    with told.database.transaction() as session:
        assert [one.state for one in told.book.endpoints(session, SHOP)] == [EndpointState.GONE]
        assert publish(session, [NEWS], told.clock.timestamp()) == 0
        told.book.new_secret(session, SHOP, told.endpoint)
    told.publish()
    with told.database.transaction() as session:
        told.book.end(session, SHOP, told.endpoint)
        assert told.book.endpoints(session, SHOP) == []
        with pytest.raises(UnknownEndpoint):
            told.book.new_secret(session, SHOP, told.endpoint)
        states = [row.state for row in session.query(WebhookDeliveryRow)]
    assert states == ["given_up", "given_up"]
    told.later(100)
    assert told.sender.send_due() == 0
    assert len(receiver.heard) == 1


def test_anothers_endpoint_does_not_exist(told: Told) -> None:
    with told.database.transaction() as session:
        for act in (told.book.new_secret, told.book.end):
            with pytest.raises(UnknownEndpoint):
                act(session, "merchant:2", told.endpoint)


def test_an_address_inside_is_neither_kept_nor_asked(told: Told, receiver: Receiver) -> None:
    outside = WebhookBook(Envelope(b"\x01" * 32), Outgoing(), told.clock)
    with pytest.raises(AddressRefused):
        outside.check(receiver.url)
    told.publish()
    WebhookSender(told.database, told.book, Outgoing(), told.clock).send_due()
    assert receiver.heard == []
    assert told.deliveries() == [("waiting", 1, None)]
