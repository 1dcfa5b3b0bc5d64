"""Where several processes listen together.

On Linux each has a socket of its own on one port, and the kernel spreads connections over them (SO_REUSEPORT,
`socket(7)`). Elsewhere they share one socket that the parent opened.
"""

from __future__ import annotations

import errno
import socket
import sys
import time

from tongdui.serving.errors import CannotListen

BACKLOG = 2_048
HAS_OWN_SOCKETS = sys.platform == "linux"
_PATIENCE_S = 3.0
_AGAIN_S = 0.1


def reserve(host: str, port: int) -> socket.socket:
    """Return a socket that keeps a port (0: a free one) for our processes; elsewhere than on Linux it listens.

    An address that others listen on is refused although it could be shared. Processes whose parent was killed leave it
    within a moment, so it is tried for a while. Raises CannotListen.
    """
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            if not HAS_OWN_SOCKETS:
                return listening(host, port, is_shared=False)
            if port:
                listening(host, port, is_shared=False).close()
            return _bound(host, port, is_shared=True)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > until:
                raise CannotListen(host, port) from error
        time.sleep(_AGAIN_S)


def listening(host: str, port: int, *, is_shared: bool = True) -> socket.socket:
    """Return a socket that listens. Raises OSError."""
    found = _bound(host, port, is_shared=is_shared)
    found.listen(BACKLOG)
    return found


def _bound(host: str, port: int, *, is_shared: bool) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
        found.setblocking(False)
    except OSError:
        found.close()
        raise
    return found
