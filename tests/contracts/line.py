"""Brownie's requests, sent over connections that stay open: web3's own way of sending costs ten times what it sends."""

from __future__ import annotations

import http.client
import os
import select
from urllib.parse import urlsplit

HEADERS = {"Content-Type": "application/json"}
TIMEOUT_S = 120.0


class Line:
    """The node at an address. Threads may share it, and so may processes that were forked with it."""

    def __init__(self, uri: str) -> None:
        address = urlsplit(uri)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self._idle: list[http.client.HTTPConnection] = []
        self._owner = os.getpid()

    def send(self, _method: str, body: bytes) -> bytes:
        """Return what the node answers to a request in JSON."""
        if self._owner != os.getpid():
            # What was open belongs to the process that this one was forked from, and stays open there.
            for connection in self._idle:
                connection.close()
            self._idle, self._owner = [], os.getpid()
        connection = self._connection()
        try:
            connection.request("POST", "/", body, HEADERS)
            answer = connection.getresponse().read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        """Return an open connection that nobody uses; a new one where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()  # the node has closed it, or has said what nobody asked
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
