"""The transports of both clients: where a proxy stands is decided, replies are bounded, and what was sent is known.

Importing this imports the HTTP client.
"""

from __future__ import annotations

import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpcore2
import httpx2

from batchtui.api import call as calls
from batchtui.api.call import Call
from batchtui.domain.errors import InputError, Unavailable

ENCODINGS = "gzip"
"""What replies may be compressed with; anything more would have to be unpacked without a bound."""
_UNPACKED = 1_000_000
"""Bytes unpacked at a time."""
_KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
for _name, _value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPALIVE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5)):
    if hasattr(socket, _name):
        _KEEP_ALIVE.append((socket.IPPROTO_TCP, getattr(socket, _name), _value))


def _options(proxy: str | None, verify: ssl.SSLContext) -> dict[str, Any]:
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=20)
    return {"verify": verify, "proxy": proxy, "limits": limits, "socket_options": _KEEP_ALIVE}


def _unusable(error: Exception) -> InputError:
    return InputError(
        f"the proxy can't be used: {type(error).__name__}",
        advice="correct the proxy variables; a SOCKS proxy needs the package socksio",
    )


class AsyncWire(httpx2.AsyncBaseTransport):
    """The way of all calls but results."""

    def __init__(self, certificates: ssl.SSLContext) -> None:
        self.certificates = certificates
        self._way: httpx2.AsyncHTTPTransport | None = None

    def through(self, proxy: str | None) -> None:
        """Connect by way of a proxy, or directly; before the first call.  Raises InputError for one that can't be used."""
        try:
            self._way = httpx2.AsyncHTTPTransport(**_options(proxy, self.certificates))
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            raise _unusable(error) from None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See httpx2.AsyncBaseTransport."""
        call = calls.current() or Call()

        async def trace(event: str, info: dict[str, Any]) -> None:
            call.trace(event, info)

        request.extensions = {**request.extensions, "trace": trace}
        assert self._way is not None
        response = await self._way.handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        try:
            intake = _Intake(response, call)
        except Unavailable:
            await response.stream.aclose()
            raise
        response.stream = _AsyncBody(response.stream, intake)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        if self._way is not None:
            await self._way.aclose()


class SyncWire(httpx2.BaseTransport):
    """The way of results, in a thread."""

    def __init__(self, certificates: ssl.SSLContext) -> None:
        self.certificates = certificates
        self._way: httpx2.HTTPTransport | None = None

    def through(self, proxy: str | None) -> None:
        """Connect by way of a proxy, or directly; before the first call.  Raises InputError for one that can't be used."""
        try:
            self._way = httpx2.HTTPTransport(**_options(proxy, self.certificates))
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            raise _unusable(error) from None
        # The transport takes no backend of its own, its pool does.
        self._way._pool._network_backend = _Backend()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """See httpx2.BaseTransport."""
        call = calls.current() or Call()
        request.extensions = {**request.extensions, "trace": call.trace}
        assert self._way is not None
        response = self._way.handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        try:
            intake = _Intake(response, call)
        except Unavailable:
            response.stream.close()
            raise
        response.stream = _SyncBody(response.stream, intake)
        return response

    def close(self) -> None:
        """Close all connections."""
        if self._way is not None:
            self._way.close()


class _Intake:
    """Unpacks a reply and holds it to its bound: an error is cut there, anything else is refused."""

    def __init__(self, response: httpx2.Response, call: Call) -> None:
        self._error = response.status_code >= 300
        self._most = calls.ERROR_MOST if self._error else call.most
        self._taken = 0
        self.full = False
        encoding = response.headers.get("content-encoding", "").strip().lower()
        self._packed = encoding in ("gzip", "x-gzip")
        self._unpacker = zlib.decompressobj(31)
        if encoding not in ("", "identity"):
            # Unpacked here, so that nobody does it again; the length was that of the packed bytes.
            for name in ("content-encoding", "content-length"):
                response.headers.pop(name, None)
            self.full = not self._packed
        self.free = self._most is None and not encoding
        """True when nothing is to be done to what comes."""
        if self.full and not self._error:
            raise Unavailable(
                "the reply is compressed in a way that batchtui did not ask for",
                advice="a proxy may be in between: check the base URL, then try again",
                status=response.status_code,
            )

    def take(self, piece: bytes) -> Iterator[bytes]:
        """The bytes of the reply that a piece from the connection holds."""
        if not self._packed:
            yield from self._counted(piece)
            return
        while piece and not self.full:
            try:
                out = self._unpacker.decompress(piece, _UNPACKED)
            except zlib.error:
                raise httpx2.DecodingError("the reply can't be decompressed") from None
            piece = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                piece, self._unpacker = self._unpacker.unused_data, zlib.decompressobj(31)
            if out:
                yield from self._counted(out)

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        self._taken += len(piece)
        if self._most is None or self._taken <= self._most:
            yield piece
            return
        self.full = True
        if not self._error:
            raise Unavailable(
                f"the reply is larger than {self._most // calls.MB} MB",
                advice="a proxy may be in between: check the base URL, then try again",
            )
        yield piece[: self._most - self._taken]


class _AsyncBody(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, intake: _Intake) -> None:
        self._stream = stream
        self._intake = intake

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._intake.full:
            return
        async for piece in self._stream:
            for part in self._intake.take(piece):
                yield part
            if self._intake.full:
                return

    async def aclose(self) -> None:
        await self._stream.aclose()


class _SyncBody(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, intake: _Intake) -> None:
        self._stream = stream
        self._intake = intake

    def __iter__(self) -> Iterator[bytes]:
        if self._intake.full:
            return
        if self._intake.free:
            yield from self._stream
            return
        for piece in self._stream:
            yield from self._intake.take(piece)
            if self._intake.full:
                return

    def close(self) -> None:
        self._stream.close()


class _Stream(httpcore2.NetworkStream):
    """A connection whose reads know when the call that reads has to be over."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        call = calls.current()
        if call is not None and call.until is not None:
            timeout = call.left(timeout)
            if timeout == 0.0:
                raise httpcore2.ReadTimeout("the reply was not complete in time")
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """The usual connections, each in a ``_Stream``."""

    def __init__(self) -> None:
        self._usual = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(self._usual.connect_tcp(host, port, timeout, local_address, socket_options))
