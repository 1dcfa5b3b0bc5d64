"""A window on the embedded chain for auditors and residents with keys of their own.

Anvil's port gives everybody the power of ``anvil_setStorageAt``, so it stays with us. This proxy lets through reading
methods and ``eth_sendRawTransaction``, and shows the chain only up to its final height: a block that is mined but not
yet journaled does not exist here. Every tag means the final block, and numbers above it are refused.

`plan` decides (pure); `Proxy` serves it over HTTP on loopback.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from ledger.chain.embedded.window import CALL_GAS_MAX, NotTaken, Submissions, WindowLimits, is_own_name
from ledger.chain.engine import Engine
from ledger.chain.rpc import UNIX_SOCKET, RpcError
from ledger.errors import TongduiError
from ledger.standard.ids import Address

_LOG = logging.getLogger(__name__)

BODY_BYTES_MAX = 2 * 1024 * 1024
BATCH_MAX = 100
LOG_RANGE_MAX = 100_000
_IDLE_TIMEOUT_S = 30.0
_THREADS_MAX = 32

_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND, _INVALID_PARAMS = -32700, -32600, -32601, -32602
_SERVER_ERROR, _INTERNAL, _LIMIT_EXCEEDED = -32000, -32603, -32005

# Methods whose answer does not depend on a block.
_PLAIN = frozenset({"eth_chainId", "net_version", "web3_clientVersion", "eth_gasPrice", "web3_sha3", "eth_syncing"})
# Method -> position of its block parameter, which may be left out at the end.
_AT_BLOCK = {
    "eth_getBlockByNumber": 0,
    "eth_getBlockReceipts": 0,
    "eth_getBlockTransactionCountByNumber": 0,
    "eth_getTransactionByBlockNumberAndIndex": 0,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getStorageAt": 2,
    "eth_getProof": 2,
}
# Methods that name a block or transaction by hash: their answer says in which block it stands.
_BY_HASH = {
    "eth_getBlockByHash": "number",
    "eth_getTransactionByHash": "blockNumber",
    "eth_getTransactionReceipt": "blockNumber",
}
_RUNS_CODE = frozenset({"eth_call", "eth_estimateGas"})
_CALL_PARAMS = 2
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,64}")
_HEAVY = _RUNS_CODE | {"eth_getLogs", "eth_getProof", "eth_getBlockReceipts"}
_TAGS = frozenset({"latest", "finalized", "safe", "pending"})


class Refused(TongduiError):
    """The proxy does not pass a call on; ``code`` is JSON-RPC's."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """The proxy knows the result itself."""

    result: Any


@dataclass(frozen=True, slots=True)
class Forward:
    """Ask the node, and hide the answer if the block in field ``height_field`` of it is not final."""

    method: str
    params: list[Any]
    height_field: str | None = None


@dataclass(frozen=True, slots=True)
class Submit:
    """Hand a raw transaction to the engine."""

    raw: bytes


def plan(method: str, params: list[Any], final: int) -> Answer | Forward | Submit:
    """Decide what to do with a call while ``final`` is the final height. Raises Refused."""
    if method == "eth_blockNumber":
        return Answer(hex(final))
    if method in _PLAIN:
        return Forward(method, params)
    if method in _RUNS_CODE:
        return Forward(method, _bounded(_capped(params, _AT_BLOCK[method], final)))
    if method in _AT_BLOCK:
        return Forward(method, _capped(params, _AT_BLOCK[method], final))
    if method in _BY_HASH:
        return Forward(method, params, _BY_HASH[method])
    if method == "eth_getLogs":
        return Forward(method, [_capped_filter(params, final)])
    if method == "eth_sendRawTransaction":
        return Submit(_raw(params))
    raise Refused(_METHOD_NOT_FOUND, f"the method {method} does not exist/is not available")


def _bounded(params: list[Any]) -> list[Any]:
    """Return the parameters of a call that runs code: its gas bounded, no override of state. Raises Refused."""
    if len(params) > _CALL_PARAMS or not isinstance(params[0], dict):
        raise Refused(_INVALID_PARAMS, "a call is an object and a block; overrides of state are not taken")
    given = params[0].get("gas", hex(CALL_GAS_MAX))
    if not isinstance(given, str) or not _NUMBER.fullmatch(given):
        raise Refused(_INVALID_PARAMS, "gas is not a number")
    gas = int(given, 16)
    return [{**params[0], "gas": hex(min(gas, CALL_GAS_MAX))}, *params[1:]]


def visible(answer: Any, forward: Forward, final: int) -> Any:
    """Return the node's answer, or None if it stands in a block that is not final, or in none yet."""
    if forward.height_field is None or not isinstance(answer, dict):
        return answer
    height = answer.get(forward.height_field)
    if not isinstance(height, str) or int(height, 16) > final:
        return None
    return answer


def _capped(params: list[Any], position: int, final: int) -> list[Any]:
    if len(params) < position:
        raise Refused(_INVALID_PARAMS, f"parameter {len(params) + 1} is missing")
    given = params[position] if len(params) > position else "latest"
    return [*params[:position], _block(given, final), *params[position + 1 :]]


def _block(given: Any, final: int) -> Any:
    """Return a block parameter as a number that is final. Raises Refused."""
    if isinstance(given, dict):  # EIP-1898
        if set(given) == {"blockNumber"} and isinstance(given["blockNumber"], str):
            return _block(given["blockNumber"], final)
        raise Refused(_INVALID_PARAMS, "name the block by its number: its state is served by number only")
    if given is None or (isinstance(given, str) and given in _TAGS):
        return hex(final)
    if given == "earliest":
        return "0x0"
    if isinstance(given, str) and given.startswith("0x"):
        try:
            number = int(given, 16)
        except ValueError:
            raise Refused(_INVALID_PARAMS, "the block is not a number") from None
        if number > final:
            raise Refused(_SERVER_ERROR, f"block not found: the final height is {final}")
        return hex(number)
    raise Refused(_INVALID_PARAMS, "the block is neither a number nor a tag")


def _capped_filter(params: list[Any], final: int) -> dict[str, Any]:
    if len(params) != 1 or not isinstance(params[0], dict):
        raise Refused(_INVALID_PARAMS, "eth_getLogs takes one filter")
    wanted = params[0]
    if "blockHash" in wanted:
        raise Refused(_INVALID_PARAMS, "name the blocks by fromBlock and toBlock")
    first = int(_block(wanted.get("fromBlock", "latest"), final), 16)
    last = _last_block(wanted.get("toBlock", "latest"), final)
    if last - first >= LOG_RANGE_MAX:
        raise Refused(_LIMIT_EXCEEDED, f"requested range exceeds maximum RPC range limit of {LOG_RANGE_MAX} blocks")
    kept = {key: wanted[key] for key in ("address", "topics") if key in wanted}
    return {**kept, "fromBlock": hex(first), "toBlock": hex(last)}


def _last_block(given: Any, final: int) -> int:
    """Return the end of a log range; one that reaches beyond the final height is cut there."""
    if isinstance(given, str) and given.startswith("0x"):
        try:
            return min(int(given, 16), final)
        except ValueError:
            raise Refused(_INVALID_PARAMS, "toBlock is not a number") from None
    return int(_block(given, final), 16)


def _raw(params: list[Any]) -> bytes:
    if len(params) != 1 or not isinstance(params[0], str) or not params[0].startswith("0x"):
        raise Refused(_INVALID_PARAMS, "eth_sendRawTransaction takes the raw transaction in hexadecimal")
    try:
        return bytes.fromhex(params[0][2:])
    except ValueError:
        raise Refused(_INVALID_PARAMS, "the raw transaction is not hexadecimal") from None


class Proxy:
    """Serves the window over HTTP. ``on_submitted`` is called after a transaction went into the pool: mine soon.

    ``targets`` are the contracts that submitted transactions may call; without them the window only reads.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        port: int = 0,
        targets: Collection[Address] = (),
        limits: WindowLimits | None = None,
        on_submitted: Callable[[], None] | None = None,
        socket_path: Path | None = None,
        own: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        """Bind to a port of loopback (0: a free one), or to ``socket_path``, and serve from threads of its own.

        ``own``: methods that are no chain's, by name, for processes of the same installation.
        """
        self._engine = engine
        self._limits = limits or WindowLimits()
        self._submissions = Submissions(targets, self._limits)
        self._heavy = threading.BoundedSemaphore(self._limits.heavy_calls_max)
        self._on_submitted = on_submitted
        self._slots = threading.BoundedSemaphore(_THREADS_MAX)
        self._own = own or {}
        self._path = socket_path
        if socket_path is None:
            self._server: ThreadingHTTPServer = _Server(("127.0.0.1", port), _handler(self))
        else:
            self._server = _SocketServer(str(socket_path), _handler(self, is_socket=True))
        self._thread = threading.Thread(target=self._server.serve_forever, name="rpc-proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        if self._path is not None:
            return f"{UNIX_SOCKET}{self._path}"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def respond(self, body: bytes) -> bytes:
        """Return the answer to a request body: one call or a batch."""
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError:
            return orjson.dumps(_failure(None, _PARSE_ERROR, "the request is not JSON"))
        if not isinstance(request, list):
            answer = orjson.dumps(self._respond_one(request))
            return answer if len(answer) <= self._limits.answer_bytes_max else _too_much(request)
        if not request or len(request) > BATCH_MAX:
            return orjson.dumps(_failure(None, _INVALID_REQUEST, f"a batch has 1 to {BATCH_MAX} calls"))
        answers: list[bytes] = []
        left = self._limits.answer_bytes_max
        for item in request:
            answer = orjson.dumps(self._respond_one(item)) if left > 0 else _too_much(item)
            if len(answer) > left:
                answer, left = _too_much(item), 0
            left -= len(answer)
            answers.append(answer)
        return b"[" + b",".join(answers) + b"]"

    def _respond_one(self, request: Any) -> dict[str, Any]:
        if not isinstance(request, dict):
            return _failure(None, _INVALID_REQUEST, "a call is an object")
        identifier, method, params = request.get("id"), request.get("method"), request.get("params", [])
        if not isinstance(method, str) or not isinstance(params, list) or not isinstance(identifier, str | int | None):
            return _failure(None, _INVALID_REQUEST, "a call has an id, a method and a list of params")
        try:
            with self._slots:
                return {"jsonrpc": "2.0", "id": identifier, "result": self._perform(method, params)}
        except Refused as refusal:
            return _failure(identifier, refusal.code, str(refusal))
        except RpcError as error:
            code = error.code if error.code is not None else _INTERNAL
            data = None if error.data is None else "0x" + error.data.hex()
            return _failure(identifier, code, error.node_message, data)
        except TongduiError as error:
            _LOG.warning("the proxy could not serve %s: %s", method, error)
            return _failure(identifier, _INTERNAL, "the engine cannot serve this now")

    def _perform(self, method: str, params: list[Any]) -> Any:
        if method in self._own:
            return self._own[method]()
        final = self._engine.final_height()
        step = plan(method, params, final)
        match step:
            case Answer(result):
                return result
            case Forward():
                return visible(self._ask(step), step, final)
            case Submit(raw):
                return self._submit(raw)

    def _ask(self, step: Forward) -> Any:
        timeout_s = self._limits.call_timeout_s
        if step.method not in _HEAVY:
            return self._engine.rpc.call(step.method, step.params, timeout_s=timeout_s)
        if not self._heavy.acquire(timeout=timeout_s):
            raise Refused(_LIMIT_EXCEEDED, "too many callers: rate limit, try again later")
        try:
            return self._engine.rpc.call(step.method, step.params, timeout_s=timeout_s)
        finally:
            self._heavy.release()

    def _submit(self, raw: bytes) -> str:
        try:
            self._submissions.admit(raw)
        except NotTaken as refusal:
            raise Refused(_SERVER_ERROR, str(refusal)) from refusal
        [outcome] = self._engine.submit([raw])
        if not outcome.in_pool:
            raise Refused(_SERVER_ERROR, outcome.message)
        if self._on_submitted is not None:
            self._on_submitted()
        return "0x" + outcome.tx_hash.hex()


def _too_much(request: Any) -> bytes:
    identifier = request.get("id") if isinstance(request, dict) else None
    identifier = identifier if isinstance(identifier, str | int | None) else None
    return orjson.dumps(_failure(identifier, _LIMIT_EXCEEDED, "response too large: ask for less at a time"))


def _failure(identifier: Any, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": identifier, "error": error}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _SocketServer(_Server):
    """On a Unix socket, which only this user can open."""

    address_family = socket.AF_UNIX

    def __init__(self, path: str, handler: type[BaseHTTPRequestHandler]) -> None:
        ThreadingHTTPServer.__init__(self, path, handler)  # type: ignore[arg-type]  # a path is an address here

    def server_bind(self) -> None:
        """Take the path, also where a process that was killed left it behind."""
        path = Path(str(self.server_address))
        path.unlink(missing_ok=True)
        self.socket.bind(str(path))
        path.chmod(0o600)

    def get_request(self) -> tuple[Any, Any]:
        """Return a connection and a caller's name, which a Unix socket's has not."""
        connection, _ = self.socket.accept()
        return connection, ("unix", 0)


def _handler(proxy: Proxy, *, is_socket: bool = False) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = not is_socket
        timeout = _IDLE_TIMEOUT_S

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not is_own_name(self.headers.get("host")):
                self.close_connection = True
                self._send(403, orjson.dumps(_failure(None, _INVALID_REQUEST, "call this machine by its own name")))
                return
            if "transfer-encoding" in self.headers:
                self.close_connection = True
                self._send(411, orjson.dumps(_failure(None, _INVALID_REQUEST, "say the content's length; no chunks")))
                return
            if not (length.isascii() and length.isdigit()) or int(length) > BODY_BYTES_MAX:
                self.close_connection = True
                self._send(413, orjson.dumps(_failure(None, _LIMIT_EXCEEDED, "the request is too large")))
                return
            # A page in a browser on this machine cannot send this type without asking first, and is then refused.
            if self.headers.get_content_type() != "application/json":
                self.close_connection = True
                self._send(415, orjson.dumps(_failure(None, _INVALID_REQUEST, "send application/json")))
                return
            self._send(200, proxy.respond(self.rfile.read(int(length))))

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
            _LOG.debug(format, *args)

    return Handler
