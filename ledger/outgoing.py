"""Requests to addresses that somebody else has named: webhooks, identity providers' keys, pages of source systems.

Such an address is an instruction to this machine to talk to whatever stands there, so it is looked at first: ``https``,
a name whose every address is public, no user name, no redirect. What is connected to is the address that was looked
at, not the name once more, which could have changed meanwhile. An answer has a size and, from the name's look-up to its
last byte, a time. Networks that are not public are reached only where the operator has named them; there plain ``http``
is accepted too.

See OWASP's cheat sheet on server-side request forgery:
https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from ledger.errors import ConfigurationError, TongduiError, Unavailable

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""The addresses of a name, as text; raises OSError."""

URL_CHARACTERS_MAX: Final = 2_048
_BLOCK: Final = 1 << 16
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SCHEMES: Final = {"https": 443, "http": 80}


class AddressRefused(TongduiError):
    """An address that is not asked, whatever stands there; asking again is in vain."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = shown_url(url)
        self.reason = reason
        super().__init__(f"{self.url} is not asked: {reason}")


class NoAnswer(Unavailable):
    """An address that was asked and gave no whole answer in time, or one that is too large."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = shown_url(url)
        self.reason = reason
        super().__init__(f"{self.url} gave no answer: {reason}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address answered; redirects are answers like others."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; of equal names the last."""
    body: bytes


def _resolve(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The one way out: which networks beside the public ones may be asked, and how names are looked up."""

    networks: tuple[IpNetwork, ...] = ()
    """Networks that are not public and may be asked all the same, over plain ``http`` too."""
    resolve: Resolver = field(default=_resolve, repr=False)
    context: ssl.SSLContext | None = field(default=None, repr=False)
    """Whose certificates are believed; by default the machine's authorities."""

    @classmethod
    def of(cls, networks: Sequence[str]) -> Outgoing:
        """Return the way out with networks as text (``10.20.0.0/16``). Raises ConfigurationError."""
        try:
            return cls(tuple(ipaddress.ip_network(one) for one in networks))
        except ValueError as error:
            raise ConfigurationError(f"a network that outgoing requests may reach: {error}") from error

    def check(self, url: str) -> None:
        """Look at an address before it is kept: its form, and where its name leads now. Raises AddressRefused.

        A name that cannot be looked up just now passes: it is checked again whenever it is asked.
        """
        parts, port = _parts(url)
        try:
            self._addresses(url, parts, port, time.monotonic() + 5.0)
        except NoAnswer:
            return

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        bytes_max: int = 1 << 20,
        deadline_s: float = 10.0,
    ) -> Answer:
        """Ask an address and return its whole answer. Raises AddressRefused or NoAnswer."""
        until = time.monotonic() + deadline_s
        parts, port = _parts(url)
        addresses = self._addresses(url, parts, port, until)
        target = parts.path or "/"
        if parts.query:
            target += f"?{parts.query}"
        try:
            connection = self._connected(parts, port, addresses, until)
            try:
                # The connection is closed behind the answer: a request has an address of its own, looked at anew.
                sent = {"Accept-Encoding": "identity", "Connection": "close", **(headers or {})}
                connection.request(method, target, body=body, headers=sent)
                return _answer(connection, url, bytes_max, until)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(url, _said(error)) from error

    def _addresses(self, url: str, parts: SplitResult, port: int, until: float) -> list[str]:
        """Return where a name leads, all of it looked at. Raises AddressRefused or NoAnswer."""
        host = parts.hostname or ""
        found = _in_time(lambda: self.resolve(host, port), until)
        if isinstance(found, OSError) or found is None or not found:
            raise NoAnswer(url, "its name is not known" if found is not None else "its name was not found in time")
        for text in found:
            address = ipaddress.ip_address(text.partition("%")[0])
            is_named = any(address in network for network in self.networks if network.version == address.version)
            if not is_named and not is_public(address):
                raise AddressRefused(url, "it leads into a network that is not public")
            if parts.scheme != "https" and not is_named:
                raise AddressRefused(url, "it is not https")
        return list(dict.fromkeys(found))

    def _connected(
        self, parts: SplitResult, port: int, addresses: Sequence[str], until: float
    ) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        connection = http.client.HTTPConnection(host, port)
        plain = _socket(addresses, port, until)
        if parts.scheme == "https":
            try:
                context = self.context or ssl.create_default_context()
                connection.sock = context.wrap_socket(plain, server_hostname=host)
            except BaseException:
                plain.close()
                raise
        else:
            connection.sock = plain
        # `Host` without the port where it is the scheme's own, as http.client would have it for its own default.
        connection.default_port = _SCHEMES[parts.scheme]
        return connection


def is_public(address: IpAddress) -> bool:
    """Return whether an address belongs to the public Internet, an IPv4 address inside an IPv6 one included."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def shown_url(url: str) -> str:
    """Return an address as it may stand in a message: without user name, query and what a terminal would obey."""
    plain = "".join(character if character.isprintable() else "?" for character in url[:200])
    head, _, _ = plain.partition("?")
    scheme, separator, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _parts(url: str) -> tuple[SplitResult, int]:
    """Return an address's parts and port. Raises AddressRefused."""
    if len(url) > URL_CHARACTERS_MAX or any(ord(one) <= 0x20 or ord(one) >= 0x7F for one in url):
        raise AddressRefused(url, "it is too long, or has characters that no address has")
    try:
        parts = urlsplit(url)
        port = parts.port or _SCHEMES.get(parts.scheme, 0)
    except ValueError:
        raise AddressRefused(url, "it is no address") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or not port:
        raise AddressRefused(url, "it is not https")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefused(url, "it has a user name or a fragment")
    return parts, port


def _in_time(work: Callable[[], Sequence[str]], until: float) -> Sequence[str] | OSError | None:
    """Return what ``work`` gives, its OSError, or None where it takes too long: no look-up has a time limit itself."""
    given: list[Sequence[str] | OSError] = []

    def run() -> None:
        try:
            given.append(work())
        except (OSError, UnicodeError) as error:
            given.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=run, name="resolve", daemon=True)
    thread.start()
    thread.join(max(0.0, until - time.monotonic()))
    return given[0] if given else None


def _socket(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    """Return a connection to the first of the addresses that takes one."""
    failure: OSError = TimeoutError("no time is left")
    for address in addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            made = socket.create_connection((address, port), timeout=left)
        except OSError as error:
            failure = error
        else:
            made.settimeout(max(0.001, until - time.monotonic()))
            return made
    raise failure


def _answer(connection: http.client.HTTPConnection, url: str, bytes_max: int, until: float) -> Answer:
    """Read an answer block by block, each within what is left of the time."""
    held: Any = connection.sock
    watch = threading.Timer(max(0.0, until - time.monotonic()), lambda: _shut(held))
    watch.daemon = True
    watch.start()  # a header that drips resets each read's own limit, so the connection is cut at the end of the time
    try:
        response = connection.getresponse()
        parts, size = [], 0
        while block := response.read(_BLOCK):
            size += len(block)
            if size > bytes_max:
                raise NoAnswer(url, f"it is larger than {bytes_max} bytes")
            parts.append(block)
        if time.monotonic() >= until:
            raise NoAnswer(url, "it was not whole in time")
        if response.length:
            raise NoAnswer(url, "it ended before its end")
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, b"".join(parts))
    finally:
        watch.cancel()


def _shut(held: socket.socket) -> None:
    try:
        held.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was closed already


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
