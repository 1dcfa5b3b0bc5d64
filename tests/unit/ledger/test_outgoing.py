"""Where outgoing requests may go, and how long and large an answer may be; servers on loopback, names made up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from ledger.errors import ConfigurationError
from ledger.outgoing import AddressRefused, NoAnswer, Outgoing, is_public, shown_url

LOOPBACK = Outgoing.of(["127.0.0.0/8"])


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection after the other with ``talk``, which has read the request; yields the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            with peer:
                try:
                    read = b""
                    while b"\r\n\r\n" not in read:
                        read += peer.recv(65_536)
                    talk(peer)
                except OSError:
                    continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        thread.join(0.2)
        listener.close()


def says(*answer: bytes, pause_s: float = 0.0) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        for part in answer:
            peer.sendall(part)
            time.sleep(pause_s)

    return talk


def leading_to(*addresses: str) -> Outgoing:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return Outgoing(resolve=resolve)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "https:///nothing",
        "https://user@shop.example/",
        "https://user:pw@shop.example/",
        "https://shop.example/#part",
        "https://shop.example:99999/",
        "https://shop.example/ a",
        "https://shop.example/\x1b[2J",
        "https://商店.example/",
        "https://shop.example/" + "a" * 2_048,
    ],
)
def test_an_address_of_another_form_is_not_asked(url: str) -> None:
    with pytest.raises(AddressRefused):
        leading_to("1.1.1.1").ask(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::1",
        "64:ff9b::a00:1",
        "2001:0:a00:1::1",
    ],
)
def test_a_name_that_leads_into_a_network_which_is_not_public_is_not_asked(address: str) -> None:
    with pytest.raises(AddressRefused, match="not public"):
        leading_to(address).ask("https://shop.example/hook")


def test_one_address_of_several_is_enough_to_refuse() -> None:
    with pytest.raises(AddressRefused, match="not public"):
        leading_to("1.1.1.1", "10.0.0.1").ask("https://shop.example/hook")


def test_public_addresses_are_public() -> None:
    import ipaddress

    for text in ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"):
        assert is_public(ipaddress.ip_address(text))


def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that leads elsewhere at a second look is looked up once a request."""
    looks: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        looks.append(host)
        return ["127.0.0.1"] if len(looks) == 1 else ["10.0.0.1"]

    with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as url:
        port = url.rpartition(":")[2]
        answer = Outgoing(LOOPBACK.networks, resolve).ask(f"http://inner.example:{port}/a?b=1")
    assert (answer.status, answer.body, looks) == (200, b"ok", ["inner.example"])


def test_a_named_network_is_asked_over_plain_http_and_no_other() -> None:
    with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok")) as url:
        answer = LOOPBACK.ask(url, method="POST", body=b"{}", headers={"Content-Type": "application/json"})
        assert (answer.status, answer.body, answer.headers["x-a"]) == (200, b"ok", "b")
        with pytest.raises(AddressRefused):
            Outgoing().ask(url)
        with pytest.raises(AddressRefused):
            Outgoing.of(["10.0.0.0/8"]).ask(url)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with server(says(b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n")) as url:
        assert LOOPBACK.ask(url).status == 302


def test_a_body_without_end_is_cut_off() -> None:
    with (
        server(says(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 60_000] * 40)) as url,
        pytest.raises(NoAnswer, match="larger"),
    ):
        LOOPBACK.ask(url, bytes_max=100_000)


@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 1_000],
        [bytes([one]) for one in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000],
        [b"", *[b""] * 1_000],
    ],
    ids=["body", "header", "silence"],
)
def test_an_answer_that_drips_is_given_up_at_the_end_of_its_time(answer: list[bytes]) -> None:
    with server(says(*answer, pause_s=0.02)) as url:
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            LOOPBACK.ask(url, deadline_s=0.4)
        assert time.monotonic() - begun < 3


def test_a_name_that_takes_too_long_or_is_unknown_is_no_answer() -> None:
    def slow(_host: str, _port: int) -> Sequence[str]:
        time.sleep(2)
        return ["1.1.1.1"]

    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    for resolve in (slow, unknown):
        with pytest.raises(NoAnswer, match="name"):
            Outgoing(resolve=resolve).ask("https://shop.example/", deadline_s=0.2)
    Outgoing(resolve=unknown).check("https://shop.example/")
    with pytest.raises(AddressRefused):
        leading_to("10.0.0.1").check("https://shop.example/")


def test_half_an_answer_and_a_closed_door_are_no_answer() -> None:
    with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as url, pytest.raises(NoAnswer):
        LOOPBACK.ask(url)
    with pytest.raises(NoAnswer):
        LOOPBACK.ask("http://127.0.0.1:1/")


def test_who_does_not_speak_tls_is_no_answer_over_https() -> None:
    with server(says(b"HTTP/1.1 200 OK\r\n\r\n")) as url, pytest.raises(NoAnswer):
        LOOPBACK.ask(url.replace("http:", "https:"), deadline_s=2)


def test_networks_are_read_as_text() -> None:
    with pytest.raises(ConfigurationError):
        Outgoing.of(["10.0.0.1/8"])


def test_a_message_shows_neither_password_nor_query_nor_control_characters() -> None:
    assert shown_url("https://user:pw@shop.example/hook?token=1") == "https://shop.example/hook"
    assert "\x1b" not in shown_url("https://a/\x1b[2J\u202e")
