from __future__ import annotations

import socket

import pytest
import uvicorn

from tongdui.cli.console import ExitCode, exit_code
from tongdui.serving.errors import CannotListen
from tongdui.serving.server import Server


async def nothing(_scope: object, _receive: object, _send: object) -> None:
    """An application that is never asked."""


def test_a_port_that_another_process_has_is_something_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = uvicorn.Config(nothing, host="127.0.0.1", port=port, lifespan="off", log_config=None)
        with pytest.raises(CannotListen, match=str(port)) as caught:
            Server(config, lambda _url: None).run()
    assert exit_code(caught.value) is ExitCode.UNAVAILABLE
