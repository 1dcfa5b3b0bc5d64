"""The client of Web3Signer's eth1 API against a real HTTP server that misbehaves in every way a signer can."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.custody.errors import SignerError, SignerReason
from ledger.custody.signer import LocalSigner
from ledger.custody.web3signer import DOCUMENT_PATH, KEYS_PATH, SIGN_PATH, Web3Signer, Web3SignerAddress
from ledger.errors import ConfigurationError
from ledger.standard.keccak import keccak256
from tests.integration.ledger.custody.certificates import Certificates

KEY, OTHER = LocalSigner(b"\x01" * 32), LocalSigner(b"\x02" * 32)
PREIMAGE = b"\x19\x01" + b"\xaa" * 64
SIGNATURE = KEY.sign_digest(keccak256(PREIMAGE))
Answer = tuple[int, bytes]


@dataclass
class Agency:
    """A scripted signer: ``sign`` and ``document`` make (status, body)."""

    url: str = ""
    sign: Callable[[Any], Answer] = lambda _body: (200, b"0x" + SIGNATURE.hex().encode())
    document: Callable[[Any], Answer] = lambda _body: (
        200,
        orjson.dumps({"hash": "0x" + keccak256(PREIMAGE).hex()}),
    )
    keys: bytes = b""
    seen: list[tuple[str, Any, str | None]] = field(default_factory=list)
    delay_s: float = 0.0
    hang_up: bool = False


def serve(agency: Agency, tls: ssl.SSLContext | None = None) -> Callable[[], None]:
    """Serve until the returned function is called."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            agency.seen.append((self.path, None, self.headers.get("authorization")))
            self._answer(200, agency.keys if self.path == KEYS_PATH else b"OK")

        def do_POST(self) -> None:
            body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
            agency.seen.append((self.path, body, self.headers.get("authorization")))
            time.sleep(agency.delay_s)
            if agency.hang_up:
                self.close_connection = True
                return
            self._answer(*(agency.sign if self.path.startswith(SIGN_PATH) else agency.document)(body))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    agency.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


@pytest.fixture
def agency() -> Iterator[Agency]:
    agency = Agency()
    stop = serve(agency)
    yield agency
    stop()


@pytest.fixture
def client(agency: Agency) -> Iterator[Web3Signer]:
    client = Web3Signer(Web3SignerAddress(agency.url, KEY.public_key, timeout_s=5.0), sleep=lambda _s: None)
    yield client
    client.close()


def ask(client: Web3Signer) -> bytes:
    return client.sign_typed(PREIMAGE, lambda: {"kind": "test"})


def failure(client: Web3Signer) -> SignerError:
    with pytest.raises(SignerError) as caught:
        ask(client)
    return caught.value


def test_the_document_comes_first_and_then_the_preimage(agency: Agency, client: Web3Signer) -> None:
    """The signer hashes what it is given, so it is given 0x1901 | separator | struct hash, and no digest."""
    assert client.address == KEY.address
    assert ask(client) == SIGNATURE
    identifier = "0x" + KEY.public_key.hex()
    assert [one[:2] for one in agency.seen] == [
        (DOCUMENT_PATH + identifier, {"kind": "test"}),
        (SIGN_PATH + identifier, {"data": "0x" + PREIMAGE.hex()}),
    ]


def test_a_plain_web3signer_is_asked_in_its_own_words_alone(agency: Agency, tmp_path: Path) -> None:
    bearer = tmp_path / "bearer"
    bearer.write_text("s3cret\n")
    address = Web3SignerAddress(agency.url, KEY.public_key, is_deriving=False, bearer_file=bearer)
    client = Web3Signer(address)
    assert ask(client) == SIGNATURE
    agency.keys = orjson.dumps(["0x" + OTHER.public_key.hex(), "0x" + KEY.public_key.hex().upper()])
    client.check()
    assert {authorization for _, _, authorization in agency.seen} == {"Bearer s3cret"}
    assert not [path for path, _, _ in agency.seen if "tongdui" in path]
    client.close()


@pytest.mark.parametrize("written", [b"%s", b'"%s"', b"%s\n"])
def test_signatures_in_other_dress(agency: Agency, client: Web3Signer, written: bytes) -> None:
    agency.sign = lambda _body: (200, written % (b"0x" + SIGNATURE.hex().encode()))
    assert ask(client) == SIGNATURE
    zero_based = SIGNATURE[:64] + bytes([SIGNATURE[64] - 27])
    agency.sign = lambda _body: (200, written % zero_based.hex().encode())
    assert ask(client) == SIGNATURE


@pytest.mark.parametrize(
    ("status", "body", "reason", "code"),
    [
        (403, b'{"reason": "number_taken", "detail": "x"}', SignerReason.REFUSED, "number_taken"),
        (403, b"", SignerReason.NOT_PERMITTED, None),
        (401, b"{}", SignerReason.NOT_PERMITTED, None),
        (404, b"", SignerReason.UNKNOWN_KEY, None),
        (400, b"", SignerReason.BAD_REQUEST, None),
        (413, b"", SignerReason.BAD_REQUEST, None),
        (500, b"", SignerReason.INTERNAL, None),
        (503, b"", SignerReason.BUSY, None),
        (429, b"slow", SignerReason.BUSY, None),
        (504, b"", SignerReason.TIMEOUT, None),
        (302, b"", SignerReason.MALFORMED_ANSWER, None),
        (200, b"<html>", SignerReason.MALFORMED_ANSWER, None),
        (200, b"", SignerReason.MALFORMED_ANSWER, None),
        (200, b"0x" + b"11" * 64, SignerReason.MALFORMED_ANSWER, None),
        (200, b"0x" + b"00" * 65, SignerReason.WRONG_SIGNATURE, None),
        (200, b"0x" + OTHER.sign_digest(keccak256(PREIMAGE)).hex().encode(), SignerReason.WRONG_SIGNATURE, None),
        (200, b"0x" + KEY.sign_digest(keccak256(b"else")).hex().encode(), SignerReason.WRONG_SIGNATURE, None),
        (200, b"x" * (2 << 20), SignerReason.MALFORMED_ANSWER, None),
    ],
)
def test_every_answer_has_a_reason(
    agency: Agency, client: Web3Signer, status: int, body: bytes, reason: SignerReason, code: str | None
) -> None:
    """Whatever comes instead of a signature becomes one of a closed set; only what passes is asked for again."""
    agency.sign = lambda _body: (status, body)
    error = failure(client)
    assert (error.reason, error.code) == (reason, code)
    attempts = len([path for path, _, _ in agency.seen if path.startswith(SIGN_PATH)])
    assert attempts == (3 if error.is_retryable else 1)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"hash": 5}', b'{"hash": "0xzz"}'])
def test_a_document_that_is_not_answered(agency: Agency, client: Web3Signer, body: bytes) -> None:
    agency.document = lambda _body: (200, body)
    assert failure(client).reason is SignerReason.MALFORMED_ANSWER


def test_a_signer_that_derives_another_digest_is_not_asked_to_sign(agency: Agency, client: Web3Signer) -> None:
    agency.document = lambda _body: (200, orjson.dumps({"hash": "0x" + "11" * 32}))
    error = failure(client)
    assert (error.reason, error.code, error.is_away) == (SignerReason.REFUSED, "derives_another", False)
    assert not [path for path, _, _ in agency.seen if path.startswith(SIGN_PATH)]


def test_what_passes_is_asked_for_again_with_longer_pauses(agency: Agency) -> None:
    pauses: list[float] = []
    answers = iter([(503, b""), (500, b""), (200, b"0x" + SIGNATURE.hex().encode())])
    agency.sign = lambda _body: next(answers)
    client = Web3Signer(Web3SignerAddress(agency.url, KEY.public_key), sleep=pauses.append)
    assert ask(client) == SIGNATURE
    assert pauses == [0.2, 0.4]
    client.close()


def test_late_and_cut_and_nobody(agency: Agency) -> None:
    client = Web3Signer(Web3SignerAddress(agency.url, KEY.public_key, timeout_s=0.2, attempts_max=1))
    agency.delay_s = 0.6
    assert failure(client).reason is SignerReason.TIMEOUT
    agency.delay_s, agency.hang_up = 0.0, True
    assert failure(client).reason is SignerReason.UNREACHABLE
    agency.hang_up = False
    assert ask(client) == SIGNATURE, "the client is none the worse for it"
    client.close()
    nobody = Web3Signer(Web3SignerAddress("http://127.0.0.1:9", KEY.public_key, attempts_max=1))
    error = failure(nobody)
    assert (error.reason, error.is_away) == (SignerReason.UNREACHABLE, True)
    nobody.close()


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    for url in ("ftp://127.0.0.1", "127.0.0.1:9000", "http://signer.example:9000", "http://"):
        with pytest.raises(ConfigurationError):
            Web3Signer(Web3SignerAddress(url, KEY.public_key))
    with pytest.raises(ConfigurationError, match="64 bytes"):
        Web3Signer(Web3SignerAddress("http://127.0.0.1", b"\x01" * 33))
    good = Web3SignerAddress("https://127.0.0.1:1", KEY.public_key)
    with pytest.raises(ConfigurationError, match="bearer token"):
        Web3Signer(replace(good, bearer_file=tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="certificates"):
        Web3Signer(replace(good, ca_file=tmp_path / "none"))


def test_mutual_tls(tmp_path: Path) -> None:
    """Both sides show certificates: without ours the signer shuts the door, and a false signer is not believed."""
    ours, others = Certificates(tmp_path / "ours"), Certificates(tmp_path / "others")
    for who in ("signer", "gateway"):
        ours.issue(who)
    others.issue("gateway")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.folder / "signer.crt", ours.folder / "signer.key")
    context.load_verify_locations(ours.folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    agency = Agency()
    stop = serve(agency, context)
    try:
        good = Web3SignerAddress(
            agency.url,
            KEY.public_key,
            ca_file=ours.folder / "ca.crt",
            certificate_file=ours.folder / "gateway.crt",
            key_file=ours.folder / "gateway.key",
            attempts_max=1,
        )
        client = Web3Signer(good)
        assert ask(client) == SIGNATURE
        client.close()
        stranger = replace(good, certificate_file=others.folder / "gateway.crt", key_file=others.folder / "gateway.key")
        for bad in (
            replace(good, certificate_file=None, key_file=None),
            stranger,
            replace(good, ca_file=others.folder / "ca.crt"),
        ):
            client = Web3Signer(bad)
            assert failure(client).reason is SignerReason.UNREACHABLE
            client.close()
    finally:
        stop()
