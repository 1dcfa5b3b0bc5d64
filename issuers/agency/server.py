"""The agency's signer over HTTP: Web3Signer's eth1 API, and one call more, which shows it what it is to sign.

- ``GET /upcheck``: 200, "OK".
- ``GET /api/v1/eth1/publicKeys``: JSON list of public keys.
- ``POST /api/v1/tongdui/documents/{identifier}``: a document; 200 ``{"hash": "0x…"}``, or 403
  ``{"reason": …, "detail": …}`` with one of `rules.Objection`.
- ``POST /api/v1/eth1/sign/{identifier}``: ``{"data": "0x…"}``; the signature as text, or 403 ``not_derived``.
"""

from __future__ import annotations

import hmac
import logging
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from issuers.agency.desk import Refused, SigningDesk, VoidsOnChain
from issuers.agency.journal import Journal
from issuers.agency.settings import AgencySettings, TlsSettings
from ledger.chain.remote import Finality
from ledger.clock import Clock
from ledger.custody.keystore import Keystore
from ledger.custody.master import load_master_key
from ledger.custody.signer import LocalSigner
from ledger.custody.web3signer import DOCUMENT_PATH, KEYS_PATH, SIGN_PATH, UPCHECK_PATH
from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError

_LOG = logging.getLogger(__name__)
BODY_BYTES_MAX = 16 * 1024 * 1024
_IDLE_TIMEOUT_S = 30.0
_TOKEN_BYTES_MIN = 32


class SignerServer:
    """A signer of one folder. It serves from threads of its own until it is closed."""

    def __init__(self, folder: Path, settings: AgencySettings, clock: Clock, *, port: int | None = None) -> None:
        """Open keys, rules and journal, and listen. Raises ConfigurationError."""
        policy = settings.policy(folder)
        keys = open_keys(folder, settings)
        if not keys:
            raise ConfigurationError(f"{folder / settings.keys} has no key; generate one with `tongdui signer init`")
        self.journal = Journal(folder / settings.journal)
        self.desk = SigningDesk(keys, policy, self.journal, clock, _voids(folder, settings))
        bearer = None if settings.bearer_file is None else _token(folder / settings.bearer_file)
        tls = None if settings.tls is None else _tls(folder, settings.tls)
        wanted = settings.port if port is None else port
        try:
            self._server = _Server((settings.host, wanted), self.desk, bearer, tls)
        except OSError as error:
            self.journal.close()
            raise ConfigurationError(f"port {wanted} of {settings.host}: {error}") from error
        self._scheme = "http" if tls is None else "https"
        self._thread = threading.Thread(target=self._server.serve_forever, name="signer", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"{self._scheme}://{host!s}:{port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.journal.close()

    def __enter__(self) -> SignerServer:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def open_keystore(folder: Path, settings: AgencySettings) -> Keystore:
    """Open the agency's keystore under the master key beside it. Raises ConfigurationError or CannotDecrypt."""
    return Keystore(folder / settings.keys, load_master_key((folder / settings.keys).parent / "master.key"))


def open_keys(folder: Path, settings: AgencySettings) -> dict[str, LocalSigner]:
    """Return the agency's keys by identifier."""
    store = open_keystore(folder, settings)
    signers = [store.get(name) for name in store.names()]
    return {signer.public_key.hex(): signer for signer in signers}


def _voids(folder: Path, settings: AgencySettings) -> VoidsOnChain:
    if settings.node is None:
        return lambda _numbers: frozenset()
    # Imports web3, which an agency without a node of its own does without.
    from issuers.agency.voids import voids_on_chain

    addresses = {"PointsLedger": Deployment.read(folder / settings.deployment).address("PointsLedger")}
    return voids_on_chain(settings.node, Finality.parse(settings.finality), addresses, settings.programme)


def _token(path: Path) -> bytes:
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"the bearer token {path}: {error}") from error
    if len(token) < _TOKEN_BYTES_MIN:
        raise ConfigurationError(f"the bearer token {path} is shorter than {_TOKEN_BYTES_MIN} characters")
    return token


def _tls(folder: Path, settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(folder / settings.certificate, folder / settings.key)
        if settings.client_ca is not None:
            context.load_verify_locations(folder / settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the signer's certificates: {error}") from error
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32

    def __init__(
        self, address: tuple[str, int], desk: SigningDesk, bearer: bytes | None, tls: ssl.SSLContext | None
    ) -> None:
        self.desk = desk
        self.bearer = bearer
        self._tls = tls
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the TLS handshake in the connection's own thread, so that a slow client blocks no other."""
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(_IDLE_TIMEOUT_S)
        try:
            secured = self._tls.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError) as error:
            _LOG.info("a connection was not let in: %s", error)
            return
        with secured:
            super().finish_request(secured, client_address)
            try:
                secured.shutdown(socket.SHUT_WR)
            except OSError:
                return  # the other side was faster

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (socketserver's signature)
        _LOG.info("a connection broke", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "tongdui-signer"
    sys_version = ""
    timeout = _IDLE_TIMEOUT_S
    server: _Server

    def do_GET(self) -> None:
        if self.path == UPCHECK_PATH:
            self._send(200, "text/plain; charset=utf-8", b"OK")
        elif not self._is_allowed():
            self._json(401, {})
        elif self.path == KEYS_PATH:
            self._json(200, ["0x" + one for one in sorted(self.server.desk.keys)])
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not self._is_allowed():
            self.close_connection = True
            self._json(401, {})
        elif not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            self._json(413, {})
        else:
            self._guarded(self.rfile.read(int(length)))

    def _guarded(self, body: bytes) -> None:
        try:
            self._answer(body)
        except Refused as error:
            self._json(403, {"reason": error.refusal.objection.value, "detail": error.refusal.detail})
        except KeyError:
            self._json(404, {})
        except Exception:  # noqa: BLE001  (the agency's log says what it was; the gateway must get an answer)
            _LOG.exception("a request failed")
            self._json(500, {})

    def _answer(self, body: bytes) -> None:
        if self.path.startswith(DOCUMENT_PATH):
            self._key(DOCUMENT_PATH)
            self._json(200, {"hash": "0x" + self.server.desk.approve(body).digest.hex()})
            return
        if not self.path.startswith(SIGN_PATH):
            self._json(404, {})
            return
        identifier, data = self._key(SIGN_PATH), _data(body)
        if data is None:
            self._json(400, {})
            return
        signature = self.server.desk.sign(identifier, data)
        self._send(200, "text/plain; charset=utf-8", b"0x" + signature.hex().encode())

    def _key(self, path: str) -> str:
        """Return the identifier in the path. Raises KeyError for a key that is not here."""
        identifier = self.path[len(path) :].lower().removeprefix("0x")
        if identifier not in self.server.desk.keys:
            raise KeyError(identifier)
        return identifier

    def _is_allowed(self) -> bool:
        if self.server.bearer is None:
            return True  # the certificate was looked at before the first byte
        given = self.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), b"Bearer " + self.server.bearer)

    def _json(self, status: int, answer: Any) -> None:
        self._send(status, "application/json", orjson.dumps(answer))

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the standard library's name)
        _LOG.debug(format, *args)


def _data(body: bytes) -> bytes | None:
    try:
        return bytes.fromhex(orjson.loads(body)["data"].removeprefix("0x"))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        return None
