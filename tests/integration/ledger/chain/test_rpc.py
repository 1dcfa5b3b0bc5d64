"""The client against a real HTTP server that misbehaves in every way a node, or what stands before it, can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest

from ledger.chain.rpc import HealingRpcClient, RpcClient, RpcError, RpcLimits, RpcReason

Reply = Callable[[Any], tuple[int, bytes]]


@dataclass
class Node:
    """A scripted node: ``reply`` makes (status, body) of a request's JSON."""

    url: str
    reply: Reply
    requests: list[Any] = field(default_factory=list)
    delay_s: float = 0.0
    hang_up: bool = False


@pytest.fixture
def node() -> Iterator[Node]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
            node.requests.append(request)
            time.sleep(node.delay_s)
            if node.hang_up:
                self.close_connection = True
                return
            status, body = node.reply(request)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    node = Node(f"http://127.0.0.1:{server.server_address[1]}", honest)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield node
    server.shutdown()
    server.server_close()
    thread.join()


def answer(call: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": [call["method"], *call["params"]]}


def honest(request: Any) -> tuple[int, bytes]:
    answers = [answer(call) for call in request] if isinstance(request, list) else answer(request)
    return 200, orjson.dumps(answers)


@pytest.fixture
def client(node: Node) -> Iterator[RpcClient]:
    with RpcClient(node.url, timeout_s=5.0, limits=RpcLimits(3, 10_000, 1_000)) as client:
        yield client


def test_a_call_and_a_batch(node: Node, client: RpcClient) -> None:
    assert client.call("eth_x", [1, "a"]) == ["eth_x", 1, "a"]
    assert client.batch([("m", [number]) for number in range(7)]) == [["m", number] for number in range(7)]
    assert [len(request) for request in node.requests[1:]] == [3, 3, 1], "chunks of the limit"
    assert client.batch([]) == []
    client.batch([("m", []), ("m", [])], chunk=1)
    assert [len(request) for request in node.requests[4:]] == [1, 1]


def test_a_batch_is_split_by_size(node: Node) -> None:
    with RpcClient(node.url, limits=RpcLimits(request_bytes_max=500)) as client:
        client.batch([("m", ["x" * 200])] * 5)
    assert [len(request) for request in node.requests] == [1, 1, 1, 1, 1]


def test_answers_in_another_order_find_their_calls(node: Node, client: RpcClient) -> None:
    node.reply = lambda request: (200, orjson.dumps([answer(call) for call in reversed(request)]))
    assert client.batch([("m", [1]), ("m", [2]), ("m", [3])]) == [["m", 1], ["m", 2], ["m", 3]]


def test_one_failure_in_a_batch(node: Node, client: RpcClient) -> None:
    def reply(request: Any) -> tuple[int, bytes]:
        answers = [answer(call) for call in request]
        answers[1] = {"jsonrpc": "2.0", "id": request[1]["id"], "error": {"code": -32000, "message": "txpool is full"}}
        return 200, orjson.dumps(answers)

    node.reply = reply
    outcomes = client.batch_outcomes([("m", [1]), ("m", [2]), ("m", [3])])
    assert (outcomes[0], outcomes[2]) == (["m", 1], ["m", 3])
    assert isinstance(outcomes[1], RpcError)
    assert (outcomes[1].reason, outcomes[1].method) == (RpcReason.POOL_FULL, "m")
    with pytest.raises(RpcError, match="pool_full"):
        client.batch([("m", [1]), ("m", [2]), ("m", [3])])


def test_revert_data_comes_as_bytes(node: Node, client: RpcClient) -> None:
    for data in ("0xdeadbeef", {"data": "0xdeadbeef"}):
        error = {"code": 3, "message": "execution reverted", "data": data}
        node.reply = lambda request, error=error: (200, orjson.dumps({"id": request["id"], "error": error}))
        with pytest.raises(RpcError) as caught:
            client.call("eth_call")
        assert (caught.value.reason, caught.value.data) == (RpcReason.REVERTED, bytes.fromhex("deadbeef"))


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"<html>", RpcReason.MALFORMED_ANSWER),
        (200, b"", RpcReason.MALFORMED_ANSWER),
        (200, b"[]", RpcReason.MALFORMED_ANSWER),
        (200, b"5", RpcReason.MALFORMED_ANSWER),
        (200, b'{"id": 1}', RpcReason.MALFORMED_ANSWER),
        (200, b'{"id": 99, "result": 1}', RpcReason.MALFORMED_ANSWER),
        (200, b'{"id": 1, "error": "no"}', RpcReason.MALFORMED_ANSWER),
        (200, b'{"id": 1, "result": "' + b"x" * 2_000 + b'"}', RpcReason.MALFORMED_ANSWER),
        (429, b"slow down", RpcReason.RATE_LIMITED),
        (503, b"", RpcReason.UNREACHABLE),
        (502, b"{}", RpcReason.UNREACHABLE),
        (504, b"", RpcReason.TIMEOUT),
        (413, b"", RpcReason.RANGE_TOO_LARGE),
        (401, b"{}", RpcReason.NOT_PERMITTED),
        (500, b'{"id": 1, "error": {"code": -32603, "message": "oops"}}', RpcReason.NODE_INTERNAL),
        (400, b'{"id": null, "error": {"code": -32700, "message": "Parse error"}}', RpcReason.INVALID_PARAMS),
    ],
)
def test_answers_that_are_none(node: Node, client: RpcClient, status: int, body: bytes, reason: RpcReason) -> None:
    node.reply = lambda _request: (status, body)
    with pytest.raises(RpcError) as caught:
        client.call("eth_x")
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "make",
    [
        lambda calls: [answer(calls[0])],
        lambda calls: [answer(calls[0]), answer(calls[0])],
        lambda calls: [answer(calls[0]), answer({**calls[1], "id": 77})],
        lambda calls: [answer(call) for call in calls] + [answer(calls[0])],
        lambda calls: [answer(calls[0]), 5],
        lambda calls: answer(calls[0]),
        lambda _calls: None,
    ],
)
def test_batches_that_do_not_add_up(node: Node, client: RpcClient, make: Callable[[Any], Any]) -> None:
    node.reply = lambda request: (200, orjson.dumps(make(request)))
    with pytest.raises(RpcError) as caught:
        client.batch_outcomes([("m", [1]), ("m", [2])])
    assert caught.value.reason is RpcReason.MALFORMED_ANSWER


def test_a_batch_refused_as_a_whole(node: Node, client: RpcClient) -> None:
    refusal = {"id": None, "error": {"code": -32005, "message": "Number of requests exceeds max batch size"}}
    node.reply = lambda _request: (200, orjson.dumps(refusal))
    with pytest.raises(RpcError) as caught:
        client.batch([("m", []), ("m", [])])
    assert caught.value.reason is RpcReason.RANGE_TOO_LARGE


def test_late_and_cut_connections(node: Node, client: RpcClient) -> None:
    node.delay_s = 0.5
    with pytest.raises(RpcError) as late:
        client.call("eth_x", timeout_s=0.1)
    assert late.value.reason is RpcReason.TIMEOUT
    node.delay_s, node.hang_up = 0.0, True
    with pytest.raises(RpcError) as cut:
        client.call("eth_x")
    assert cut.value.reason is RpcReason.UNREACHABLE
    node.hang_up = False
    assert client.call("eth_x") == ["eth_x"], "the client is none the worse for it"


def test_nobody_there() -> None:
    with RpcClient("http://127.0.0.1:9", timeout_s=1.0) as client, pytest.raises(RpcError) as caught:
        client.call("eth_x")
    assert caught.value.reason is RpcReason.UNREACHABLE
    for url in ("http://", "nonsense", "ftp://127.0.0.1"):
        with RpcClient(url) as client, pytest.raises(RpcError) as caught:
            client.call("eth_x")
        assert caught.value.reason is RpcReason.UNREACHABLE


def test_a_closed_client_is_unreachable(node: Node) -> None:
    client = RpcClient(node.url)
    client.close()
    with pytest.raises(RpcError) as caught:
        client.call("eth_x")
    assert caught.value.reason is RpcReason.UNREACHABLE


def test_healing_moves_the_call_to_the_new_address(node: Node) -> None:
    asked: list[str] = []

    def heal(url: str) -> bool:
        asked.append(url)
        client.move_to(node.url)
        return True

    client = HealingRpcClient("http://127.0.0.1:9", 1.0, heal)
    assert client.call("eth_x") == ["eth_x"]
    assert asked == ["http://127.0.0.1:9"]
    client.close()


def test_healing_that_does_not_help_ends(node: Node) -> None:
    asked: list[str] = []
    hopeless = HealingRpcClient("http://127.0.0.1:9", 1.0, lambda url: not asked.append(url))
    with pytest.raises(RpcError):
        hopeless.call("eth_x")
    assert 1 < len(asked) < 10
    refused = HealingRpcClient("http://127.0.0.1:9", 1.0, lambda _url: False)
    with pytest.raises(RpcError):
        refused.call("eth_x")
    hopeless.close()
    refused.close()


@pytest.mark.parametrize("as_a_whole", [True, False])
def test_a_node_that_takes_fewer_calls_at_once_is_asked_in_parts_from_then_on(node: Node, as_a_whole: bool) -> None:
    def small(request: Any) -> tuple[int, bytes]:
        if not isinstance(request, list) or len(request) <= 3:
            return honest(request)
        error = {"code": -32000, "message": "batch too large"}
        if as_a_whole:
            return 200, orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})
        return 200, orjson.dumps([{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in request])

    node.reply = small
    with RpcClient(node.url) as client:
        calls = [("echo", [number]) for number in range(20)]
        assert client.batch(calls) == [["echo", number] for number in range(20)]
        learnt = len(node.requests)
        assert client.batch(calls) == [["echo", number] for number in range(20)]
        assert len(node.requests) - learnt < learnt, "it need not learn it again"


@pytest.mark.parametrize("identifier", [[1], {"a": 1}, None, True, "x", 1.5])
def test_ids_of_any_form_are_an_answer_to_nobody_and_no_error_of_ours(
    node: Node, client: RpcClient, identifier: object
) -> None:
    node.reply = lambda request: (
        200,
        orjson.dumps([{"jsonrpc": "2.0", "id": identifier, "result": 1} for _ in request]),
    )
    with pytest.raises(RpcError) as caught:
        client.batch([("a", []), ("b", [])])
    assert caught.value.reason is RpcReason.MALFORMED_ANSWER


def test_ids_as_texts_find_their_calls(node: Node, client: RpcClient) -> None:
    node.reply = lambda request: (
        200,
        orjson.dumps([{"jsonrpc": "2.0", "id": str(one["id"]), "result": one["params"]} for one in request]),
    )
    assert client.batch([("echo", [1]), ("echo", [2])]) == [[1], [2]]


@pytest.mark.parametrize(
    "error",
    [
        {"code": 3, "message": "execution reverted", "data": "0xab"},
        {"code": -32015, "message": "VM execution error.", "data": "Reverted 0xab"},
        {"code": -32015, "message": "Reverted 0xab"},
        {"code": "-32000", "message": "execution reverted", "data": {"data": {"data": "0xab"}}},
    ],
)
def test_revert_data_is_found_wherever_a_node_puts_it(node: Node, client: RpcClient, error: Any) -> None:
    node.reply = lambda request: (200, orjson.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}))
    with pytest.raises(RpcError) as caught:
        client.call("eth_call")
    assert (caught.value.reason, caught.value.data) == (RpcReason.REVERTED, b"\xab")
