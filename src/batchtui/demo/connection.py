"""The connection under a call of the demo server: closed, reset or written to past HTTP, as no reply can."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_KEY = "demo_transport"


class DemoProtocol(H11Protocol):
    """Puts the transport into the scope's state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        self.app_state = {**self.app_state, _KEY: transport}
        super().connection_made(transport)


def _transport(scope: Scope) -> Any:
    return scope.get("state", {}).get(_KEY)


def left(scope: Scope) -> bool:
    """True when the connection is closed, or about to be."""
    transport = _transport(scope)
    return transport is None or transport.is_closing()


def close(scope: Scope) -> None:
    """Send what was written, then close: the client sees the end of the stream."""
    transport = _transport(scope)
    if transport is not None:
        transport.close()


async def drop(scope: Scope, receive: Receive) -> None:
    """Close without an answer and wait until it is closed."""
    close(scope)
    await gone(receive)


async def reset(scope: Scope, receive: Receive) -> None:
    """Reset the connection at once, unread bytes and all."""
    transport = _transport(scope)
    if transport is not None:
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    await gone(receive)


async def endless(scope: Scope, receive: Receive, raw: bytes) -> None:
    """Write the same bytes again and again, beside the protocol, until the client leaves."""
    transport = _transport(scope)
    leaving = asyncio.ensure_future(gone(receive))
    while transport is not None and not leaving.done():
        if transport.get_write_buffer_size() < len(raw) * 64:
            transport.write(raw)
        await asyncio.sleep(0.001)


async def gone(receive: Receive) -> None:
    """Wait until the client's side is closed, reading and throwing away what it still sends."""
    while (await receive())["type"] != "http.disconnect":
        pass
