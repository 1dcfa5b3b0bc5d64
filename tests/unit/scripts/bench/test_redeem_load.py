"""The load generator reads answers whole, whatever pieces they come in, and computes percentiles by nearest rank."""

from __future__ import annotations

import json
import math
import socket
import threading

import pytest

from scripts.bench.redeem_load import Connection, order_request, percentile, read_request


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(share: float, expected: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    assert math.isnan(percentile([], 0.5))


def test_an_order_says_how_long_it_is_and_carries_its_key() -> None:
    head, body = order_request("127.0.0.1", "token", "key-12345678", "tea").split(b"\r\n\r\n")
    assert json.loads(body) == {"offer": "tea", "quantity": 1}
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert b"Idempotency-Key: key-12345678" in head.split(b"\r\n")


def test_a_read_names_the_tag_it_knows() -> None:
    assert b'If-None-Match: "abc"' in read_request("127.0.0.1", "token", '"abc"')
    assert b"If-None-Match" not in read_request("127.0.0.1", "token")


def test_answers_that_come_in_pieces_are_told_apart() -> None:
    pieces = [
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"ngth: 5\r\n\r\nhe",
        b"llo",
        b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
    ]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for answer in (pieces[:3], pieces[3:]):
                    peer.recv(1_000)
                    for piece in answer:
                        peer.sendall(piece)
                peer.recv(1_000)

        thread = threading.Thread(target=serve)
        thread.start()
        connection = Connection("127.0.0.1", port)
        first, second = connection.ask(b"one"), connection.ask(b"two")
        connection.close()
        thread.join(10)
    assert (first.status, first.body) == (200, b"hello")
    assert (second.status, second.body) == (304, b"")
    assert first.began_s <= first.ended_s <= second.began_s
