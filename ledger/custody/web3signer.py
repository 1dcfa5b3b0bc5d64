"""An issuer's signer in the agency's own house, over Web3Signer's eth1 API.

The API, from its specification and handler (``core/src/main/resources/openapi-specs/eth1/web3signer.yaml`` and
``Eth1SignForIdentifierHandler.java``, Consensys/web3signer@8df32dd):

- ``GET /upcheck`` answers 200 with text; ``GET /api/v1/eth1/publicKeys`` a JSON list of public keys.
- ``POST /api/v1/eth1/sign/{identifier}`` with ``{"data": "0x…"}``; the identifier is the public key, 64 bytes in
  hexadecimal. It signs **keccak256(data)** (web3j's ``Sign.signMessage``) and answers the signature as text: r | s | v.

So an EIP-712 digest is signed by sending its preimage, ``0x1901 | domain separator | struct hash``: its keccak is the
digest. A signer that derives what it signs (``issuers.agency``) is shown the document first, at
``POST /api/v1/tongdui/documents/{identifier}``, and then signs only preimages whose hash it has derived itself.

Warning: a plain Web3Signer signs all that it is given. It keeps the key out of the gateway, not the power to mint.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from ledger.custody.errors import SignerError, SignerReason
from ledger.custody.signer import Document
from ledger.errors import ConfigurationError
from ledger.standard.errors import BadSignature
from ledger.standard.ids import Address, to_address
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SIGNATURE_BYTES, recover

SIGN_PATH = "/api/v1/eth1/sign/"
KEYS_PATH = "/api/v1/eth1/publicKeys"
DOCUMENT_PATH = "/api/v1/tongdui/documents/"
UPCHECK_PATH = "/upcheck"
PUBLIC_KEY_BYTES = 64
_ANSWER_BYTES_MAX = 1 << 20
_PAUSE_S = 0.2
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Web3SignerAddress:
    """Where a signer is and how it is spoken to."""

    url: str
    public_key: bytes
    """64 bytes: the point without its prefix."""
    is_deriving: bool = True
    """Whether it is shown the whole document first; a plain Web3Signer does not know that call."""
    bearer_file: Path | None = None
    ca_file: Path | None = None
    """Who signed its certificate; by default the machine's authorities."""
    certificate_file: Path | None = None
    """Our own certificate (mutual TLS), with ``key_file``."""
    key_file: Path | None = None
    timeout_s: float = 10.0
    attempts_max: int = 3

    @property
    def account(self) -> Address:
        """The account of the public key."""
        return account_of(self.public_key)


class Web3Signer:
    """An `IssuerSigner` over HTTP. Safe to share between threads.

    A call is repeated, with pauses that double, only for what passes: the signature of a preimage is always the same,
    so a repeat has no second effect. Every answer is checked against the key before it is believed.
    """

    def __init__(self, address: Web3SignerAddress, sleep: Callable[[float], None] = time.sleep) -> None:
        """Prepare; nothing is called yet. Raises ConfigurationError for a setting that cannot work."""
        self._at = address
        self._account = address.account
        self._sleep = sleep
        parts = urlsplit(address.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"signer {address.url}: give http:// or https:// and a host")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ConfigurationError(f"signer {address.url}: use https:// for what is not on this machine")
        self._http = httpx.Client(
            base_url=address.url,
            timeout=address.timeout_s,
            trust_env=False,
            headers=_headers(address),
            verify=_tls(address) if parts.scheme == "https" else True,
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=4),
        )

    @property
    def address(self) -> Address:
        """The account that signs."""
        return self._account

    def sign_typed(self, preimage: bytes, document: Document) -> bytes:
        """Return 65 bytes r | s | v over the keccak of ``preimage``. Raises SignerError."""
        identifier = "0x" + self._at.public_key.hex()
        digest = keccak256(preimage)
        if self._at.is_deriving:
            answer = self._call("POST", DOCUMENT_PATH + identifier, document())
            if _derived(answer) != digest:
                detail = "it derives another digest from the same document"
                raise SignerError(SignerReason.REFUSED, detail, code="derives_another")
        answer = self._call("POST", SIGN_PATH + identifier, {"data": "0x" + preimage.hex()})
        return self._checked(_signature(answer), digest)

    def check(self) -> None:
        """Ask whether it is up and has the key. Raises SignerError."""
        self._call("GET", UPCHECK_PATH, None)
        try:
            keys = orjson.loads(self._call("GET", KEYS_PATH, None))
        except orjson.JSONDecodeError as error:
            raise SignerError(SignerReason.MALFORMED_ANSWER, "the list of keys is not JSON") from error
        if not isinstance(keys, list) or not all(isinstance(one, str) for one in keys):
            raise SignerError(SignerReason.MALFORMED_ANSWER, "the list of keys is no list of texts")
        wanted = self._at.public_key.hex()
        if wanted not in {one.lower().removeprefix("0x") for one in keys}:
            raise SignerError(
                SignerReason.UNKNOWN_KEY, f"it has {len(keys)} keys, and 0x{wanted[:16]}… is none of them"
            )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __repr__(self) -> str:
        return f"Web3Signer({self._account})"

    def _checked(self, signature: bytes, digest: bytes) -> bytes:
        try:
            signed_by = recover(digest, signature)
        except BadSignature as error:
            raise SignerError(SignerReason.WRONG_SIGNATURE, str(error)) from error
        if signed_by != self._account:
            raise SignerError(SignerReason.WRONG_SIGNATURE, f"it is {signed_by}'s, not {self._account}'s")
        return signature

    def _call(self, method: str, path: str, body: Any) -> bytes:
        content = None if body is None else orjson.dumps(body)
        for attempt in range(1, self._at.attempts_max + 1):
            try:
                return self._once(method, path, content)
            except SignerError as error:
                if not error.is_retryable or attempt == self._at.attempts_max:
                    raise
            self._sleep(_PAUSE_S * 2 ** (attempt - 1))
        raise SignerError(SignerReason.UNREACHABLE, "no attempt is allowed")

    def _once(self, method: str, path: str, content: bytes | None) -> bytes:
        headers = {} if content is None else {"content-type": "application/json"}
        try:
            with self._http.stream(method, path, content=content, headers=headers) as response:
                answer = b""
                for piece in response.iter_bytes():
                    answer += piece
                    if len(answer) > _ANSWER_BYTES_MAX:
                        raise SignerError(SignerReason.MALFORMED_ANSWER, "the answer has no end")
        except httpx.TimeoutException as error:
            raise SignerError(SignerReason.TIMEOUT, f"no answer within {self._at.timeout_s:g} s") from error
        except (httpx.DecodingError, UnicodeError) as error:
            raise SignerError(SignerReason.MALFORMED_ANSWER, str(error)) from error
        except (httpx.HTTPError, ssl.SSLError, RuntimeError) as error:
            raise SignerError(SignerReason.UNREACHABLE, str(error) or type(error).__name__) from error
        if response.status_code == 200:
            return answer
        raise _failure(response.status_code, answer)


def account_of(public_key: bytes) -> Address:
    """Return the account of a public key of 64 bytes. Raises ConfigurationError for another length."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise ConfigurationError(f"a public key has {PUBLIC_KEY_BYTES} bytes, not {len(public_key)}")
    return to_address(keccak256(public_key)[12:])


def _headers(address: Web3SignerAddress) -> dict[str, str]:
    if address.bearer_file is None:
        return {}
    try:
        token = address.bearer_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the signer's bearer token {address.bearer_file}: {error}") from error
    return {"authorization": f"Bearer {token}"}


def _tls(address: Web3SignerAddress) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=address.ca_file)
        if address.certificate_file is not None:
            context.load_cert_chain(address.certificate_file, address.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the certificates for the signer {address.url}: {error}") from error
    return context


def _failure(status: int, answer: bytes) -> SignerError:
    """Return what a status means; a refusal by the agency's rules names itself in JSON."""
    detail = f"HTTP {status}"
    code: str | None = None
    try:
        said = orjson.loads(answer)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict) and isinstance(said.get("reason"), str):
        code = said["reason"][:64]
        detail = str(said.get("detail", detail))[:256]
    match status:
        case 403 | 409 | 422 if code is not None:
            return SignerError(SignerReason.REFUSED, detail, code=code)
        case 401 | 403:
            reason = SignerReason.NOT_PERMITTED
        case 404:
            reason = SignerReason.UNKNOWN_KEY
        case 400 | 405 | 409 | 413 | 415 | 422:
            reason = SignerReason.BAD_REQUEST
        case 408 | 504:
            reason = SignerReason.TIMEOUT
        case 429 | 502 | 503:
            reason = SignerReason.BUSY
        case 500:
            reason = SignerReason.INTERNAL
        case _:
            reason = SignerReason.MALFORMED_ANSWER
    return SignerError(reason, detail, code=code)


def _derived(answer: bytes) -> bytes:
    try:
        said = orjson.loads(answer)
        return bytes.fromhex(said["hash"].removeprefix("0x"))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise SignerError(SignerReason.MALFORMED_ANSWER, "no hash in the answer to a document") from error


def _signature(answer: bytes) -> bytes:
    """Return the signature in an answer: hexadecimal text, by some signers in quotes; v as 0 or 1 by others."""
    try:
        signature = bytes.fromhex(answer.decode("ascii").strip().strip('"').removeprefix("0x"))
    except (UnicodeDecodeError, ValueError) as error:
        raise SignerError(SignerReason.MALFORMED_ANSWER, "the signature is not hexadecimal") from error
    if len(signature) != SIGNATURE_BYTES:
        raise SignerError(SignerReason.MALFORMED_ANSWER, f"a signature of {len(signature)} bytes")
    return signature if signature[64] >= 27 else signature[:64] + bytes([signature[64] + 27])
